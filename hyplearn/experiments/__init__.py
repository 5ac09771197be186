"""Experiments: each file is one network on one task, with its data, loss, scores and pictures.

`hyplearn train NAME` runs one, `python -m benchmarks.vision NAME` compares its twins over several seeds.
"""

from hyplearn.experiments.actions import ActionsExperiment
from hyplearn.experiments.base import CHARTS, Data, Experiment, Result, mean_and_interval, option
from hyplearn.experiments.cnn import CNNExperiment
from hyplearn.experiments.fewshot import FewShotExperiment
from hyplearn.experiments.hnet import HNetExperiment
from hyplearn.experiments.segmentation import SegmentationExperiment
from hyplearn.experiments.zeroshot import ZeroShotExperiment

EXPERIMENTS: dict[str, type[Experiment]] = {
    "actions": ActionsExperiment,
    "cnn": CNNExperiment,
    "fewshot": FewShotExperiment,
    "hnet": HNetExperiment,
    "segmentation": SegmentationExperiment,
    "zeroshot": ZeroShotExperiment,
}

__all__ = ["CHARTS", "EXPERIMENTS", "Data", "Experiment", "Result", "mean_and_interval", "option"]
