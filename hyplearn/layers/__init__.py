"""Hyperbolic layers: `import hyplearn.layers as hnn`. Each serves every chart; names and arguments mirror torch.nn."""

from hyplearn.layers.activation import HActivation, HClip, HDropout, HReLU
from hyplearn.layers.attention import HAttention
from hyplearn.layers.base import HLayer, HResidual, HSequential
from hyplearn.layers.classifier import HMLR, GyroplaneMLR, LorentzMLR
from hyplearn.layers.convolution import HConvolution1d, HConvolution2d, HFlatten
from hyplearn.layers.embedding import HEmbedding
from hyplearn.layers.linear import HLinear, MobiusLinear
from hyplearn.layers.lorentz import (
    LorentzConvolution2d,
    LorentzFullyConnected,
    LorentzLinear,
    LorentzReLU,
    LorentzResidual,
)
from hyplearn.layers.normalisation import HBatchNorm1d, HBatchNorm2d
from hyplearn.layers.pooling import HAvgPool2d, HMaxPool2d

__all__ = [
    "HMLR",
    "GyroplaneMLR",
    "HActivation",
    "HAttention",
    "HAvgPool2d",
    "HBatchNorm1d",
    "HBatchNorm2d",
    "HClip",
    "HConvolution1d",
    "HConvolution2d",
    "HDropout",
    "HEmbedding",
    "HFlatten",
    "HLayer",
    "HLinear",
    "HMaxPool2d",
    "HReLU",
    "HResidual",
    "HSequential",
    "LorentzConvolution2d",
    "LorentzFullyConnected",
    "LorentzLinear",
    "LorentzMLR",
    "LorentzReLU",
    "LorentzResidual",
    "MobiusLinear",
]
