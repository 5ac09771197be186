"""CamVid from HYPLEARN_DATA: a copy at 160 x 120 of what SegNet's authors prepared, read at 80 x 60."""

import io
import itertools

import numpy as np
from PIL import Image

from benchmarks.real_data import file
from hyplearn.data.camvid import standardised_roads
from hyplearn.experiments import Data
from hyplearn.experiments.segmentation import roads

SIZE = 80, 60  # width and height
TRAIN = 300  # of the 367 training pictures; the others, another stretch of film, are for validation


def load() -> Data:
    """Tested on the official validation pictures: the copy has no others."""
    path = file("camvid/camvid_160x120_trainval.npz")
    if path is None:
        raise FileNotFoundError("set HYPLEARN_DATA to the folder that holds camvid/")
    parts = []
    with np.load(path) as arrays:
        for split in ("train", "val"):
            data, offsets = arrays[f"{split}_jpeg"], arrays[f"{split}_offset"]
            pictures = [Image.open(io.BytesIO(data[a:b].tobytes())) for a, b in itertools.pairwise(offsets)]
            images = np.stack([np.asarray(p.convert("RGB").resize(SIZE, Image.Resampling.BOX)) for p in pictures])
            parts.append((images, arrays[f"{split}_mask"][:, ::2, ::2]))
    (images, labels), test = parts
    return roads(standardised_roads([(images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:]), test]))
