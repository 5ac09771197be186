"""Residual networks for small images, flat and hyperbolic: one plan, three sets of parts.

The plan is that of He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2: a 3x3
convolution; three stages of n blocks of two 3x3 convolutions each, with `width`, twice and four times as many channels,
of which the second and third begin by halving the picture; the average over all pixels; a classifier. With the
classifier that is 6n + 2 layers. Where a block changes the shape, its shortcut is a 1x1 convolution.

All three networks have the same weights, but that the convolutions of the hyperbolic ones have one number more for each
channel: an offset of the hyperplane in the Poincare network, a weight of the time in the Lorentz network. Their batch
normalisation scales each axis by itself, as the flat one's does. The published one knows one scale for the whole point
(`per_axis=False`); with that hyperbolic networks, and flat ones, too, learn much more slowly (`benchmarks/RESULTS.md`).
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

import hyplearn.layers as hnn
from hyplearn.manifolds import Manifold
from hyplearn.maps import from_hub


class _ResNet(nn.Module, ABC):
    """The plan. What it is made of, and how an image enters it, is told by the subclasses."""

    manifold: Manifold | None

    def __init__(self, depth: int, width: int, classes: int, dim: int | None):
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth must be 6n + 2 with n >= 1 (8, 14, 20, ...), got {depth}")
        layers, channels = [*self.convolution(3, width), self.relu()], width
        self.blocks = depth // 6  # in each stage
        for stage in range(3):
            for block in range(self.blocks):
                inputs, channels = channels, width * 2**stage
                stride = 2 if stage and not block else 1
                body = [*self.convolution(inputs, channels, stride), self.relu(), *self.convolution(channels, channels)]
                shortcut = None if inputs == channels else self.convolution(inputs, channels, stride, kernel_size=1)
                layers += [self.residual(body, shortcut), self.relu()]
        layers += self.pool() + ([] if dim is None else [self.linear(channels, dim)])
        self.features = self.chain(layers)
        self.head = self.classifier(channels if dim is None else dim, classes)

    @abstractmethod
    def convolution(self, inputs: int, outputs: int, stride: int = 1, kernel_size: int = 3) -> list[nn.Module]:
        """A convolution and the normalisation that follows it."""

    @abstractmethod
    def relu(self) -> nn.Module: ...

    @abstractmethod
    def residual(self, body: list[nn.Module], shortcut: list[nn.Module] | None) -> nn.Module: ...

    @abstractmethod
    def pool(self) -> list[nn.Module]:
        """(B, C, H, W) to (B, C)."""

    @abstractmethod
    def linear(self, inputs: int, outputs: int) -> nn.Module: ...

    @abstractmethod
    def classifier(self, inputs: int, classes: int) -> nn.Module: ...

    @abstractmethod
    def chain(self, layers: list[nn.Module]) -> nn.Module: ...

    def points(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) as what the first layer takes."""
        return images

    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to what the classifier is given: vectors, or points of `manifold`, (B, dim)."""
        return self.features(self.points(images))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to logits (B, classes)."""
        return self.head(self.embed(images))


class _Residual(nn.Module):
    def __init__(self, body: list[nn.Module], shortcut: list[nn.Module] | None):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*(shortcut or []))

    def forward(self, x):
        return self.shortcut(x) + self.body(x)


class ResNet(_ResNet):
    """The flat network.

    Args:
        depth: 6n + 2: 8, 14, 20, 32, 56, 110, ...
        width: channels of the first stage.
        classes: how many logits.
        dim: a linear map to vectors of this dimension comes before the classifier; None for none.

    Raises:
        ValueError: for another depth.
    """

    manifold = None

    def __init__(self, depth: int = 20, width: int = 16, classes: int = 10, dim: int | None = None):
        super().__init__(depth, width, classes, dim)

    def convolution(self, inputs, outputs, stride=1, kernel_size=3):
        padding = kernel_size // 2
        return [nn.Conv2d(inputs, outputs, kernel_size, stride, padding, bias=False), nn.BatchNorm2d(outputs)]

    def relu(self):
        return nn.ReLU()

    def residual(self, body, shortcut):
        return _Residual(body, shortcut)

    def pool(self):
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]

    def linear(self, inputs, outputs):
        return nn.Linear(inputs, outputs)

    def classifier(self, inputs, classes):
        return nn.Linear(inputs, classes)

    def chain(self, layers):
        return nn.Sequential(*layers)


class _HResNet(_ResNet):
    """What the two hyperbolic networks share. It is the same function in every chart."""

    sum: type[hnn.HResidual]
    # Batch normalisation stretches what lies across the radius by sinh(r)/r, and gradients with it: by 7 at 4, by 7,000
    # at the clip of single layers, which several of them in a row do not survive at high learning rates.
    clip = 4.0

    def __init__(
        self,
        manifold: Manifold,
        depth: int = 20,
        width: int = 16,
        classes: int = 10,
        dim: int | None = None,
        per_axis: bool = True,
    ):
        nn.Module.__init__(self)  # before a module becomes an attribute
        self.__dict__["manifold"] = manifold
        self.per_axis = per_axis
        super().__init__(depth, width, classes, dim)

    def normalisation(self, features: int) -> hnn.HLayer:
        return hnn.HBatchNorm2d(features, self.manifold, per_axis=self.per_axis, clip=self.clip)

    def residual(self, body, shortcut):
        # A sum with a point at distance r lies about r^2/2 farther out: so the radius grows by 1/2 in a stage.
        body[-1].weight.data.mul_(self.blocks**-0.5)
        return self.sum(*body, shortcut=shortcut and hnn.HSequential(*shortcut))

    def pool(self):
        return [hnn.HAvgPool2d(None, self.manifold), hnn.HFlatten(self.manifold)]

    def chain(self, layers):
        return hnn.HSequential(*layers)

    @staticmethod
    def _gain(inputs: int, outputs: int) -> float:
        """Keeps the radius of a point in a random direction where an orthogonal map leaves most dimensions out."""
        return max(1.0, inputs / outputs) ** 0.5


class PoincareResNet(_HResNet):
    """The network of van Spengler et al.: HNN++ convolutions, midpoint batch normalisation, Mobius sums.

    Args:
        manifold: the chart of everything between the pixels and the logits, which carries the curvature -c.
        depth, width, classes, dim: see `ResNet`.
        per_axis: batch normalisation scales each axis by itself; False for one scale, as in the paper.

    A pixel v becomes the point with log_0 = v in the ball: a standardised one lies at distance 3.5 or so, which is far
    out at c = 1 and not at c = 0.1, where the authors begin. The classifier is `HMLR`, the layer before it `HLinear`.

    Unlike the paper's, batch normalisation scales each axis, the shortcuts of changed shape are normalised too, as in
    the flat network, and pixels are pooled by their midpoint.

    Source: van Spengler, Berkhout, Mettes, "Poincare ResNet", ICCV 2023.
    """

    sum = hnn.HResidual

    def convolution(self, inputs, outputs, stride=1, kernel_size=3):
        options = {"stride": stride, "padding": kernel_size // 2, "clip": self.clip}
        convolution = hnn.HConvolution2d(inputs, outputs, kernel_size, self.manifold, **options)
        return [convolution, self.normalisation(outputs)]

    def relu(self):
        return hnn.HReLU(self.manifold)

    def linear(self, inputs, outputs):
        return hnn.HLinear(inputs, outputs, self.manifold, gain=self._gain(inputs, outputs))

    def classifier(self, inputs, classes):
        return hnn.HMLR(inputs, classes, self.manifold)

    def points(self, images):
        return self.manifold.from_normal(2 * images, dim=1)


class LorentzResNet(_HResNet):
    """The network of Bdeir et al.: Lorentz convolutions, centroid batch normalisation, ReLU and sums of space parts.

    Args: see `PoincareResNet`.

    A pixel v becomes the point of the hyperboloid with space part v/sqrt(c). The classifier is `LorentzMLR`, the layer
    before it `LorentzFullyConnected`.

    Source: Bdeir, Schwethelm, Landwehr, "Fully Hyperbolic Convolutional Neural Networks for Computer Vision", ICLR 2024
    (there with the plan of ResNet-18).
    """

    sum = hnn.LorentzResidual

    def convolution(self, inputs, outputs, stride=1, kernel_size=3):
        options = {"bias": False, "stride": stride, "padding": kernel_size // 2, "clip": self.clip}
        convolution = hnn.LorentzConvolution2d(inputs, outputs, kernel_size, self.manifold, **options)
        return [convolution, self.normalisation(outputs)]

    def relu(self):
        return hnn.LorentzReLU(self.manifold)

    def linear(self, inputs, outputs):
        gain = self._gain(inputs, outputs)
        return hnn.LorentzFullyConnected(inputs, outputs, self.manifold, bias=False, gain=gain)

    def classifier(self, inputs, classes):
        return hnn.LorentzMLR(inputs, classes, self.manifold)

    def points(self, images):
        return from_hub(images, self.manifold, dim=1)
