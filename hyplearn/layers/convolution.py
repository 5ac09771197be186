"""Convolutions without an unfold, and the concatenation of points that they rest on."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyplearn.layers.base import HLayer, check_clip
from hyplearn.layers.functional import fully_connected, hyperplanes, squared_norm
from hyplearn.layers.linear import RELU_GAIN, init_hyperplanes
from hyplearn.manifolds import Manifold


def beta_ratio(parts: int, size: int) -> float:
    """B(parts size/2, 1/2) / B(size/2, 1/2), the factor of HNN++'s concatenation of `parts` points of dimension `size`.

    It keeps the expected norm of random directions: the concatenation of many points is not farther out than they are.
    """

    def log_beta(n):
        return math.lgamma(n / 2) - math.lgamma((n + 1) / 2)

    return math.exp(log_beta(parts * size) - log_beta(size))


def _box_sum(x: Tensor, kernel: int, stride: int, padding: int, dim: int) -> Tensor:
    """Sums of x over windows of its last dimension (dim=-1) or the one before it (dim=-2)."""
    size = x.shape[dim]
    start = torch.arange((size + 2 * padding - kernel) // stride + 1, device=x.device) * stride - padding
    offset = torch.arange(size, device=x.device) - start[:, None]
    windows = ((offset >= 0) & (offset < kernel)).to(x.dtype)
    # A product with a banded matrix is several times faster than pooling a single channel on a CPU, both ways.
    return x @ windows.T if dim == -1 else windows @ x


class _HConvolution(HLayer):
    """What the one- and two-dimensional convolutions share; `kernel_size`, `stride` and `padding` are tuples."""

    def __init__(self, in_channels, out_channels, kernel_size, manifold, bias, stride, padding, clip, init, gain):
        super().__init__(manifold, dim=-1 - len(kernel_size))
        check_clip(clip)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.clip, self.init, self.gain = clip, init, gain
        self.beta = beta_ratio(math.prod(kernel_size), in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init_hyperplanes(self.weight, self.bias, self.init, self.gain)

    def normal(self, n):
        self._check(n, self.in_channels, self.dim)
        self._check_windows(n, self.kernel_size, self.padding)
        square = squared_norm(n, self.dim) * self.beta**2
        with torch.autocast(n.device.type, enabled=False):  # cosh(s) turns an error of s^2 into a larger one
            for dim in range(self.dim + 1, 0):
                square = _box_sum(square, self.kernel_size[dim], self.stride[dim], self.padding[dim], dim)
        sqrt_c = self.manifold.sqrt_c(square)
        A, B, T = hyperplanes(self.weight, self.bias, sqrt_c)
        weight = (self.weight * (self.beta * A).view(-1, *[1] * -self.dim)).to(n.dtype)
        convolve = F.conv1d if self.dim == -2 else F.conv2d
        y = convolve(n, weight, stride=self.stride, padding=self.padding)
        return fully_connected(y, square, B, T, sqrt_c, self.clip, self.dim)[0].to(n.dtype)

    def extra_repr(self):
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, bias={self.bias is not None}, clip={self.clip}"
        )


def _tuple(value: int | tuple[int, ...], length: int, name: str) -> tuple[int, ...]:
    values = (value,) * length if isinstance(value, int) else tuple(value)
    if len(values) != length:
        raise ValueError(f"{name} must be a number or {length} numbers, got {value!r}")
    return values


class HConvolution2d(_HConvolution):
    """The convolution of HNN++: `HLinear` applied to the beta-concatenation of the points under the kernel.

    A patch of k points n_i of dimension C has normal coordinates u = B(kC/2, 1/2)/B(C/2, 1/2) (n_1, ..., n_k). No patch
    is formed: <u, z> is a flat convolution, |u|^2 a sum of |n_i|^2 over a window. Padding adds points at the origin.

    Args:
        in_channels, out_channels: dimensions of the points.
        kernel_size, stride, padding: a number, or one for each of height and width.
        manifold: the chart; images (B, in_channels, H, W) or (in_channels, H, W) to the same with out_channels.
        bias, clip, init, gain: see `HLinear`.

    Raises:
        ValueError: if the input does not have in_channels channels.

    Source: Shimizu, Mukuta, Harada, "Hyperbolic Neural Networks++", ICLR 2021, sections 3.3 and 3.4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        manifold: Manifold,
        bias: bool = True,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        clip: float | None = 12.0,
        init: str = "orthogonal",
        gain: float = RELU_GAIN,
    ):
        kernel_size = _tuple(kernel_size, 2, "kernel_size")
        stride, padding = _tuple(stride, 2, "stride"), _tuple(padding, 2, "padding")
        super().__init__(in_channels, out_channels, kernel_size, manifold, bias, stride, padding, clip, init, gain)


class HConvolution1d(_HConvolution):
    """`HConvolution2d` for sequences (B, in_channels, L) or (in_channels, L) of points, coordinates on dim=-2."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        manifold: Manifold,
        bias: bool = True,
        stride: int = 1,
        padding: int = 0,
        clip: float | None = 12.0,
        init: str = "orthogonal",
        gain: float = RELU_GAIN,
    ):
        super().__init__(
            in_channels, out_channels, (kernel_size,), manifold, bias, (stride,), (padding,), clip, init, gain
        )


class HFlatten(HLayer):
    """Images (B, C, H, W) of points to points (B, C H W): the beta-concatenation of all H W points of an image.

    In normal coordinates n -> B(HWC/2, 1/2)/B(C/2, 1/2) (n_1, ..., n_HW), in the order of `torch.flatten`. (Flattening
    the coordinates of the ball themselves leaves the ball.) Works for any number of dimensions after the channels.

    Source: Shimizu, Mukuta, Harada, "Hyperbolic Neural Networks++", ICLR 2021, section 3.3.
    """

    def __init__(self, manifold: Manifold):
        super().__init__(manifold, dim=1)

    def normal(self, n):
        return n.flatten(1) * beta_ratio(math.prod(n.shape[2:]), n.shape[1])

    def forward(self, x):
        if x.dim() < 2:
            raise ValueError(f"HFlatten expects images (B, C, ...) of points, got shape {tuple(x.shape)}")
        return super().forward(x)
