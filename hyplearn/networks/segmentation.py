"""Segmentation with a hyperbolic head: a flat encoder-decoder whose pixels become points, and a twin without curvature.

Pixels are embedded in few dimensions and classified there. In the flat twin the last layer is a 1x1 convolution; here
it is gyroplane regression (`HMLR`), which has the same parameters and is computed with the same product of matrices, so
that no tensor of size pixels x classes x dimensions is ever formed.
"""

import torch
from torch import Tensor, nn

import hyplearn.layers as hnn
from hyplearn.layers.convolution import beta_ratio
from hyplearn.manifolds import Manifold
from hyplearn.uncertainty import distance_from_origin


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class _Join(nn.Module):
    """A 1x1 convolution of a coarse image, doubled, beside a fine one; the product comes before the doubling."""

    def __init__(self, coarse: int, fine: int):
        super().__init__()
        self.coarse = nn.Conv2d(coarse, fine, 1, bias=False)
        self.fine = nn.Conv2d(fine, fine, 1, bias=False)
        self.norm = nn.BatchNorm2d(fine)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return self.norm(self.fine(fine) + _double(self.coarse(coarse))).relu()


class EncoderDecoder(nn.Module):
    """Images (B, 3, H, W) to pixel vectors (B, dim, H, W): H and W multiples of 4.

    Args:
        dim: of the pixel vectors.
        width: channels at full resolution; twice and four times as many below.
        dropout: share of channels dropped before the last convolution (for Monte-Carlo dropout); none if 0.
    """

    def __init__(self, dim: int, width: int = 16, dropout: float = 0.0):
        super().__init__()
        self.top = _block(3, width)
        self.down1 = nn.Sequential(_block(width, 2 * width, 2), _block(2 * width, 2 * width))
        self.down2 = nn.Sequential(_block(2 * width, 4 * width, 2), _block(4 * width, 4 * width))
        self.up1 = _Join(4 * width, 2 * width)
        self.up2 = _Join(2 * width, width)
        self.dropout = nn.Dropout2d(dropout)
        self.out = nn.Conv2d(width, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 4 or x.shape[-2] % 4:
            raise ValueError(f"images must have height and width divisible by 4, got {tuple(x.shape[-2:])}")
        top = self.top(x)
        middle = self.down1(top)
        x = self.up2(self.up1(self.down2(middle), middle), top)
        return self.out(self.dropout(x))


def _double(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="nearest")


class SegmentationNet(nn.Module):
    """A flat encoder-decoder with a pixel classifier, hyperbolic or flat.

    Args:
        dim: dimension of the pixels' space.
        outputs: logits per pixel: classes, or the nodes of a tree (`losses.HierarchicalSoftmax`).
        manifold: the chart of the pixels' space; None for the flat twin, which has as many parameters.
        width, dropout: see `EncoderDecoder`.
        fully: whether the encoder-decoder is hyperbolic too (`HEncoderDecoder`).
        radius: pixels lie within radius/sqrt(c) of the origin (direction kept).
    """

    def __init__(
        self,
        dim: int,
        outputs: int,
        manifold: Manifold | None = None,
        width: int = 16,
        dropout: float = 0.0,
        fully: bool = False,
        radius: float = 6.0,
    ):
        super().__init__()
        if fully and manifold is None:
            raise ValueError("fully=True needs a manifold; the flat twin is SegmentationNet(dim, outputs)")
        self.manifold, self.fully = manifold, fully
        backbone = HEncoderDecoder(dim, manifold, width, dropout) if fully else EncoderDecoder(dim, width, dropout)
        self.backbone = backbone
        if manifold is None:
            self.head = nn.Conv2d(dim, outputs, 1)
        else:
            self.clip = hnn.HClip(manifold, radius, dim=1)
            self.head = hnn.HMLR(dim, outputs, manifold, dim=1)

    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to the pixels' vectors or points (B, dim, H, W)."""
        if self.manifold is None:
            return self.backbone(images)
        if self.fully:
            return self.clip(self.backbone(self.manifold.from_normal(2 * images, dim=1)))
        return self.clip(self.manifold.from_normal(self.backbone(images), dim=1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to logits (B, outputs, H, W)."""
        return self.head(self.embed(images))

    def confidence(self, images: Tensor) -> Tensor:
        """(B, H, W): each pixel's distance from the origin. Near the origin are pixels that the network is unsure of,
        those at the borders of objects first (Ghadimi Atigh et al. 2022)."""
        return distance_from_origin(self.embed(images), self.manifold)


class HEncoderDecoder(nn.Module):
    """`EncoderDecoder` with every layer hyperbolic: points (B, 3, H, W) of `manifold` to points (B, dim, H, W).

    Skips are beta-concatenations, doublings repeat points, dropout acts on each coordinate of each pixel by itself.
    """

    def __init__(self, dim: int, manifold: Manifold, width: int = 16, dropout: float = 0.0):
        super().__init__()
        self.manifold = manifold
        self.top = self._block(3, width)
        self.down1 = hnn.HSequential(self._block(width, 2 * width, 2), self._block(2 * width, 2 * width))
        self.down2 = hnn.HSequential(self._block(2 * width, 4 * width, 2), self._block(4 * width, 4 * width))
        self.up1 = self._join(4 * width, 2 * width)
        self.up2 = self._join(2 * width, width)
        self.dropout = hnn.HDropout(manifold, dropout, dim=1)
        self.out = hnn.HLinear(width, dim, manifold, gain=1.0, dim=1)

    def _norm(self, features: int) -> hnn.HBatchNorm2d:
        return hnn.HBatchNorm2d(features, self.manifold, per_axis=True, clip=4.0)  # as in `PoincareResNet`

    def _block(self, inputs: int, outputs: int, stride: int = 1) -> hnn.HSequential:
        convolution = hnn.HConvolution2d(inputs, outputs, 3, self.manifold, stride=stride, padding=1)
        return hnn.HSequential(convolution, self._norm(outputs), hnn.HReLU(self.manifold))

    def _join(self, coarse: int, fine: int) -> hnn.HSequential:
        linear = hnn.HLinear(coarse + fine, fine, self.manifold, dim=1)
        return hnn.HSequential(linear, self._norm(fine), hnn.HReLU(self.manifold))

    def forward(self, x: Tensor) -> Tensor:
        top = self.top(x)
        middle = self.down1(top)
        x = self.up1(self._concatenate(_double(self.down2(middle)), middle))
        x = self.up2(self._concatenate(_double(x), top))
        return self.out(self.dropout(x))

    def _concatenate(self, x: Tensor, y: Tensor) -> Tensor:
        """The beta-concatenation of two images of points, of dimensions m and n (Shimizu et al. 2021, section 3.3)."""
        parts = [self.manifold.to_normal(points, dim=1) for points in (x, y)]
        total = beta_ratio(sum(part.shape[1] for part in parts), 1)
        scaled = [part * (total / beta_ratio(part.shape[1], 1)) for part in parts]
        return self.manifold.from_normal(torch.cat(scaled, 1), dim=1)
