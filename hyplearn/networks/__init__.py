"""Whole networks, built from layers."""

from hyplearn.networks.encoder import ConvEncoder
from hyplearn.networks.hnet import HNet, Net
from hyplearn.networks.prototypes import PrototypeClassifier
from hyplearn.networks.prototypical import PrototypicalNet
from hyplearn.networks.resnet import LorentzResNet, PoincareResNet, ResNet
from hyplearn.networks.segmentation import SegmentationNet
from hyplearn.networks.video import VideoEncoder

__all__ = [
    "ConvEncoder",
    "HNet",
    "LorentzResNet",
    "Net",
    "PoincareResNet",
    "PrototypeClassifier",
    "PrototypicalNet",
    "ResNet",
    "SegmentationNet",
    "VideoEncoder",
]
