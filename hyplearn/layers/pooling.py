"""Pooling of images of points."""

import torch.nn.functional as F

from hyplearn.layers.base import HLayer
from hyplearn.manifolds import Manifold


class HMaxPool2d(HLayer):
    """The maximum of each tangent coordinate at the origin over a window, which is max-pooling of normal coordinates.

    Not invariant under isometries: it depends on the origin and on the axes. (For a pooling that depends on distances
    only see `HAvgPool2d`.)

    Args:
        kernel_size, stride (default: kernel_size), padding: as for `torch.nn.MaxPool2d`.
        manifold: the chart; images (B, C, H, W) or (C, H, W) of points.
    """

    def __init__(self, kernel_size: int, manifold: Manifold, stride: int | None = None, padding: int = 0):
        super().__init__(manifold, dim=-3)
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def normal(self, n):
        return F.max_pool2d(n, self.kernel_size, self.stride, self.padding)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
