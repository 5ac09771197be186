"""Pooling of images of points."""

import torch.nn.functional as F

from hyplearn.layers.base import HLayer
from hyplearn.layers.convolution import _tuple
from hyplearn.manifolds import Manifold, NormalCoordinates
from hyplearn.means import midpoint


class HMaxPool2d(HLayer):
    """The maximum of each tangent coordinate at the origin over a window, which is max-pooling of normal coordinates.

    It depends on the origin and on the axes; for a pooling that depends on distances only see `HAvgPool2d`.

    Args:
        kernel_size, stride (default: kernel_size), padding: as for `torch.nn.MaxPool2d`.
        manifold: the chart; images (B, C, H, W) or (C, H, W) of points.
    """

    def __init__(self, kernel_size: int, manifold: Manifold, stride: int | None = None, padding: int = 0):
        super().__init__(manifold, dim=-3)
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def normal(self, n):
        self._check_windows(n, _tuple(self.kernel_size, 2, "kernel_size"), _tuple(self.padding, 2, "padding"))
        return F.max_pool2d(n, self.kernel_size, self.stride, self.padding)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class HAvgPool2d(HLayer):
    """The midpoint (Lorentz centroid) of the points in each window.

    It commutes with every isometry, and a constant image stays what it is.

    Args:
        kernel_size, stride (default: kernel_size): of the windows; rows and columns that do not fill one are left out.
            With kernel_size None there is one window, the whole image.
        manifold: the chart; images (B, C, H, W) or (C, H, W) of points.
    """

    def __init__(self, kernel_size: int | None, manifold: Manifold, stride: int | None = None):
        super().__init__(manifold, dim=-3)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.chart = NormalCoordinates(manifold.curvature)

    def normal(self, n):
        if self.kernel_size is None:
            return midpoint(self.chart, n.flatten(-2).mT).unsqueeze(-1).unsqueeze(-1)
        self._check_windows(n, (self.kernel_size,) * 2, (0, 0))
        windows = n.unfold(-2, self.kernel_size, self.stride).unfold(-2, self.kernel_size, self.stride)
        return midpoint(self.chart, windows.flatten(-2).movedim(-4, -1)).movedim(-1, -3)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}"
