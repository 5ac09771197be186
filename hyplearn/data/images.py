"""Small image sets for classification: handwritten digits, which come with scikit-learn, and CIFAR-10.

Each loader returns (train, test), two TensorDatasets of images (N, 3, 32, 32), float32, standardised by the mean and
deviation of the training images, and labels (N,) int64.
"""

import hashlib
import io
import os
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"


def load_digits(seed: int = 0) -> tuple[TensorDataset, TensorDataset]:
    """The 1,797 digits of scikit-learn (8 x 8 grey; UCI Optical Recognition of Handwritten Digits), 1,437 to train.

    They are drawn four times as large and in three equal channels, so that a network for CIFAR-10 takes them.
    """
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise ImportError("the digits come with scikit-learn: pip install scikit-learn") from None
    digits = load()
    images = torch.from_numpy(digits.images).float().repeat_interleave(4, 1).repeat_interleave(4, 2)
    images = images[:, None].expand(-1, 3, -1, -1)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    labels = torch.from_numpy(digits.target).long()
    train, test = order[:1437], order[1437:]
    return standardised(images[train], labels[train], images[test], labels[test])


def load_cifar10(folder: str | os.PathLike, download: bool = True) -> tuple[TensorDataset, TensorDataset]:
    """CIFAR-10 (Krizhevsky 2009), 50,000 and 10,000 images, from the official binary archive in `folder`.

    Args:
        folder: where cifar-10-binary.tar.gz lies, or is to be downloaded to (163 MB, checksum verified).
        download: fetch the archive if it is not there.

    Raises:
        FileNotFoundError: if the archive is missing and cannot be fetched; says what to put where.
        ValueError: if its checksum is wrong.
    """
    path = official_file(folder, CIFAR10_URL, CIFAR10_MD5, download)
    return read_cifar10(path)


def read_cifar10(path: str | os.PathLike) -> tuple[TensorDataset, TensorDataset]:
    """The images of a CIFAR-10 binary archive: records of one label byte and 3 x 32 x 32 bytes of pixels."""
    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if member.name.endswith(".bin"):
                records = np.frombuffer(archive.extractfile(member).read(), dtype=np.uint8).reshape(-1, 3073)
                parts["test" if "test" in member.name else "train"].append(records)
    tensors = []
    for records in (np.concatenate(parts["train"]), np.concatenate(parts["test"])):
        images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float()
        tensors += [images, torch.from_numpy(records[:, 0].astype(np.int64))]
    return standardised(*tensors)


def standardised(train: Tensor, train_labels: Tensor, *others: Tensor) -> tuple[TensorDataset, ...]:
    """All parts as datasets, shifted and scaled per channel by what the training part says.

    Args:
        others: images and labels of the other parts, in turn.
    """
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    images, labels = (train, *others[::2]), (train_labels, *others[1::2])
    return tuple(TensorDataset((x - mean) / std, y) for x, y in zip(images, labels, strict=True))


def official_file(folder: str | os.PathLike, url: str, md5: str | None, download: bool = True) -> Path:
    """The file of that address in `folder`, downloaded if it is not there, its checksum verified if one is given.

    Raises:
        FileNotFoundError: if it is missing and cannot be fetched; says what to put where.
        ValueError: if its checksum is wrong.
    """
    path = Path(folder) / url.rsplit("/", 1)[1]
    if not path.is_file():
        if not download:
            raise FileNotFoundError(f"{path.name} is missing: put {url} into {folder}")
        _fetch(url, path)
    if md5 is not None and hashlib.md5(path.read_bytes()).hexdigest() != md5:
        raise ValueError(f"{path} is damaged (MD5 is not {md5}); delete it and fetch {url} again")
    return path


def _fetch(url: str, path: Path) -> None:
    """Downloads to a temporary name and renames, so that a broken connection leaves nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    buffer = io.BytesIO()
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            while chunk := response.read(1 << 20):
                buffer.write(chunk)
        temporary.write_bytes(buffer.getvalue())
        os.replace(temporary, path)
    except OSError as error:
        raise FileNotFoundError(f"could not fetch {url} ({error}); put the file into {path.parent} yourself") from None
