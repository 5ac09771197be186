"""Hyperbolic layers: `import hyplearn.layers as hnn`. Each serves every chart; names and arguments mirror torch.nn."""

from hyplearn.layers.activation import HActivation, HClip, HDropout, HReLU
from hyplearn.layers.base import HLayer, HSequential
from hyplearn.layers.convolution import HConvolution1d, HConvolution2d, HFlatten
from hyplearn.layers.linear import HLinear
from hyplearn.layers.pooling import HMaxPool2d

__all__ = [
    "HActivation",
    "HClip",
    "HConvolution1d",
    "HConvolution2d",
    "HDropout",
    "HFlatten",
    "HLayer",
    "HLinear",
    "HMaxPool2d",
    "HReLU",
    "HSequential",
]
