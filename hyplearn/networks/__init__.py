"""Whole networks, built from layers."""

from hyplearn.networks.hnet import HNet, Net
from hyplearn.networks.segmentation import SegmentationNet

__all__ = ["HNet", "Net", "SegmentationNet"]
