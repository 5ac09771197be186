"""Whole networks, built from layers."""

from hyplearn.networks.encoder import ConvEncoder
from hyplearn.networks.hnet import HNet, Net
from hyplearn.networks.prototypical import PrototypicalNet
from hyplearn.networks.segmentation import SegmentationNet

__all__ = ["ConvEncoder", "HNet", "Net", "PrototypicalNet", "SegmentationNet"]
