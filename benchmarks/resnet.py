"""The price of hyperbolic residual networks: CPU time of a train step, flat, Poincare and Lorentz in turns.

python -m benchmarks.resnet [--json]
"""

import torch

import hyplearn.layers as hnn
from benchmarks.layers import backward_of, step_of
from benchmarks.timing import Row, main, medians
from hyplearn.manifolds import NormalCoordinates
from hyplearn.networks import LorentzResNet, PoincareResNet, ResNet

BATCH = 64


def rows() -> list[Row]:
    torch.manual_seed(0)
    M = NormalCoordinates(0.1)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))
    nets = {"flat": ResNet(20), "Poincare": PoincareResNet(M, 20), "Lorentz": LorentzResNet(M, 20)}
    seconds = medians({name: step_of(net, images, labels) for name, net in nets.items()}, rounds=5)
    told = [
        Row(f"ResNet-20 train step: {name} / flat", seconds[name] / seconds["flat"], 2.5, note=f"batches of {BATCH}")
        for name in ("Poincare", "Lorentz")
    ]
    x = torch.randn(BATCH, 16, 32, 32)
    parts = {
        "flat batch norm": torch.nn.BatchNorm2d(16),
        "HConvolution2d": hnn.HConvolution2d(16, 16, 3, M, padding=1),
        "LorentzConvolution2d": hnn.LorentzConvolution2d(16, 16, 3, M, bias=False, padding=1),
        "HBatchNorm2d": hnn.HBatchNorm2d(16, M),
        "HResidual of the identity": hnn.HResidual(hnn.HReLU(M)),
    }
    flat = torch.nn.Conv2d(16, 16, 3, padding=1, bias=False)
    seconds = medians({name: backward_of(layer, x) for name, layer in {"conv": flat, **parts}.items()}, rounds=5)
    return told + [Row(f"16 x 32 x 32: {name} / flat convolution", seconds[name] / seconds["conv"]) for name in parts]


if __name__ == "__main__":
    main(__doc__.split("\n")[0], rows)
