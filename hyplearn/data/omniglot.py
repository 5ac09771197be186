"""Omniglot (Lake, Salakhutdinov, Tenenbaum 2015): 1,623 handwritten characters of 50 alphabets, 20 drawers each."""

import io
import os
import zipfile
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn.data.images import official_file

OMNIGLOT_URL = "https://github.com/brendenlake/omniglot/raw/master/python/"
# MD5 as in torchvision.datasets.Omniglot; none is published for the small set, whose zip checks itself (CRC-32).
OMNIGLOT_MD5 = {
    "images_background": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    "images_background_small1": None,
}


class Characters(NamedTuple):
    """Pictures of handwritten characters.

    images: (N, 1, size, size) float32, the share of ink in each pixel; the pictures of a character lie together.
    labels: (N,) int64, the characters, numbered alphabet by alphabet.
    alphabets: (N,) int64.
    names: of the alphabets.
    """

    images: Tensor
    labels: Tensor
    alphabets: Tensor
    names: list[str]

    def of(self, alphabets: list[int]) -> tuple[Tensor, Tensor]:
        """Images and labels of some alphabets."""
        rows = torch.isin(self.alphabets, torch.tensor(alphabets))
        return self.images[rows], self.labels[rows]


def load_omniglot(
    folder: str | os.PathLike, part: str = "images_background", size: int = 32, download: bool = True
) -> Characters:
    """One part of Omniglot from its official archive `part`.zip in `folder`.

    Args:
        folder: where the archive lies, or is to be downloaded to (checksum verified).
        part: images_background (30 alphabets), images_evaluation (20), or images_background_small1 (5 of the 30).
        size: of the pictures, which are 105 x 105 in the archive.
        download: fetch the archive if it is not there.

    Raises:
        FileNotFoundError: if the archive is missing and cannot be fetched; says what to put where.
        ValueError: if its checksum is wrong, or for another part.
    """
    if part not in OMNIGLOT_MD5:
        raise ValueError(f"part must be one of {', '.join(OMNIGLOT_MD5)}, got {part!r}")
    path = official_file(folder, f"{OMNIGLOT_URL}{part}.zip", OMNIGLOT_MD5[part], download)
    return read_omniglot(path, size)


def read_omniglot(path: str | os.PathLike, size: int = 32) -> Characters:
    """The pictures of an archive with entries .../alphabet/character/picture.png, black ink on white."""
    from PIL import Image  # comes with matplotlib

    with zipfile.ZipFile(path) as archive:
        entries = sorted(name for name in archive.namelist() if name.endswith(".png") and "__MACOSX" not in name)
        ink = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L")) < 128 for name in entries]
    places = [PurePosixPath(name).parts[-3:-1] for name in entries]
    characters, alphabets = sorted(set(places)), sorted({alphabet for alphabet, _ in places})
    return Characters(
        shrunk(torch.from_numpy(np.stack(ink)), size),
        torch.tensor([characters.index(place) for place in places]),
        torch.tensor([alphabets.index(alphabet) for alphabet, _ in places]),
        alphabets,
    )


def shrunk(ink: Tensor, size: int) -> Tensor:
    """Pictures (N, H, W) of ink, true or false, as its share in the pixels (N, 1, size, size)."""
    return torch.cat([F.adaptive_avg_pool2d(part[:, None].float(), size) for part in ink.split(1024)])
