"""Omniglot's small set (5 alphabets, 136 characters) from HYPLEARN_DATA, as `hyplearn train fewshot` splits it."""

import numpy as np
import torch

from benchmarks.real_data import file
from hyplearn.data.omniglot import Characters, shrunk
from hyplearn.experiments import Data
from hyplearn.experiments.fewshot import SIZE, FewShotExperiment

ALPHABETS = ("balinese", "early-aramaic", "greek", "korean", "latin")


def load(test: str) -> Data:
    """Tested on one alphabet, validated on the next one in ALPHABETS, trained on the other three."""
    path = file("omniglot_small/omniglot_small1_5alphabets.npz")
    if path is None:
        raise FileNotFoundError("set HYPLEARN_DATA to the folder that holds omniglot_small/")
    with np.load(path) as arrays:
        ink = np.unpackbits(arrays["packed"], axis=1)[:, : 105 * 105].reshape(-1, 105, 105)
        characters, alphabets = (torch.from_numpy(arrays[k].astype(np.int64)) for k in ("character", "alphabet"))
        names = arrays["alphabet_names"].tolist()
    found = Characters(shrunk(torch.from_numpy(ink), SIZE), characters, alphabets, names)
    return FewShotExperiment(fold=ALPHABETS.index(test)).split_alphabets(found)
