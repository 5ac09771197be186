"""Layers that were published on the hyperboloid, with formulas of their own.

They work on space parts s = sinh(sqrt(c) d)/sqrt(c) u and times t = cosh(sqrt(c) d)/sqrt(c), t^2 = 1/c + |s|^2, and
have the interface of all layers: points of any chart. The MLR is in classifier.py, the batch normalisation (by the
centroid) in normalisation.py. Flat weights act on s directly, so these layers grow exponentially with the radius of
their input; keep it small, or clip.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyplearn.layers.base import HLayer, HResidual, check_clip
from hyplearn.layers.convolution import _box_sum, _tuple
from hyplearn.layers.functional import squared_norm
from hyplearn.manifolds import Manifold
from hyplearn.numerics import asinhc, safe_sqrt, sinhc


def _sqrt_c(manifold: Manifold, n: Tensor) -> Tensor:
    return manifold.c.sqrt().to(torch.promote_types(n.dtype, torch.float32))


def _space(n: Tensor, sqrt_c: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Space part and time of the point with normal coordinates n."""
    d = sqrt_c * safe_sqrt(squared_norm(n, dim))
    n = n.to(d.dtype)
    return sinhc(d) * n, d.cosh() / sqrt_c


def _normal(s: Tensor, sqrt_c: Tensor, clip: float | None, dim: int) -> Tensor:
    """Normal coordinates of the point with space part s."""
    size = sqrt_c * safe_sqrt(squared_norm(s, dim))
    factor = asinhc(size)
    if clip is not None:
        factor = torch.minimum(factor, clip / size.clamp_min(1e-9))
    return factor * s


def _in(dtype: torch.dtype, *parameters: Tensor | None) -> list[Tensor | None]:
    # In half precision all is computed in float32: s and t are as large as e^d, and their differences matter.
    return [None if p is None else p.to(dtype) for p in parameters]


class LorentzFullyConnected(HLayer):
    """The linear layer of Bdeir et al.: the space part of the output is the affine image of (t, s).

    y = (sqrt(1/c + |y_s|^2), y_s), y_s = W_s s + w_t t + b.

    Args:
        in_features, out_features: dimensions of the two spaces.
        manifold: the chart; points (..., in_features) to (..., out_features).
        bias, clip: see `HLinear`.
        gain: the rows or columns of W_s start orthogonal, of this length.

    Source: Chen et al., "Fully Hyperbolic Neural Networks", ACL 2022, without its normalisation, as used by Bdeir,
    Schwethelm, Landwehr, "Fully Hyperbolic Convolutional Neural Networks for Computer Vision", ICLR 2024, section 4.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        manifold: Manifold,
        bias: bool = True,
        clip: float | None = 12.0,
        gain: float = 1.0,
    ):
        super().__init__(manifold)
        check_clip(clip)
        self.in_features, self.out_features, self.clip = in_features, out_features, clip
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.time = nn.Parameter(torch.zeros(out_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        nn.init.orthogonal_(self.weight, gain)

    def normal(self, n):
        self._check(n, self.in_features, -1)
        sqrt_c = _sqrt_c(self.manifold, n)
        s, t = _space(n, sqrt_c, -1)
        weight, time, bias = _in(s.dtype, self.weight, self.time, self.bias)
        return _normal(F.linear(s, weight, bias) + t * time, sqrt_c, self.clip, -1).to(n.dtype)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, clip={self.clip}"


class LorentzLinear(HLayer):
    """The linear layer of Chen et al.: a sigmoid decides the time, the affine image of (t, s) the direction.

    y_t = e^lambda sigmoid(w . (t, s) + b') + 1.1/sqrt(c);  y_s = sqrt(y_t^2 - 1/c) h/|h|,  h = W (t, s) + b.
    So the output lies between two spheres, whatever the input: sqrt(c) d > 0.44, and no clip is needed.

    Args:
        in_features, out_features: dimensions of the two spaces.
        manifold: the chart; points (..., in_features) to (..., out_features).
        bias: whether b and b' are there.
        scale: e^lambda at the start.

    Source: Chen et al., "Fully Hyperbolic Neural Networks", ACL 2022, section 3.1 (constants as in the authors' code).
    """

    def __init__(self, in_features: int, out_features: int, manifold: Manifold, bias: bool = True, scale: float = 10.0):
        super().__init__(manifold)
        self.in_features, self.out_features = in_features, out_features
        # Row 0 decides the time, column 0 belongs to the time of the input.
        self.linear = nn.Linear(in_features + 1, out_features + 1, bias=bias)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def normal(self, n):
        self._check(n, self.in_features, -1)
        sqrt_c = _sqrt_c(self.manifold, n)
        s, t = _space(n, sqrt_c, -1)
        h = F.linear(torch.cat([t, s], dim=-1), *_in(s.dtype, self.linear.weight, self.linear.bias))
        excess = sqrt_c * self.log_scale.exp() * h[..., :1].sigmoid() + 0.1  # sqrt(c) y_t - 1
        direction = h[..., 1:]
        length = safe_sqrt(squared_norm(direction, -1)).clamp_min(torch.finfo(direction.dtype).tiny)
        # acosh(1 + x) = 2 asinh(sqrt(x/2)), without cancellation.
        d = 2 * torch.asinh((excess / 2).sqrt()) / sqrt_c
        return (direction * (d / length)).to(n.dtype)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}"


class LorentzConvolution2d(HLayer):
    """The convolution of Bdeir et al.: `LorentzFullyConnected` of the Lorentz concatenation of the points of a patch.

    The concatenation of k points has the space part (s_1, ..., s_k) and the time that belongs to it,
    sqrt(1/c + sum_i |s_i|^2) = sqrt(sum_i t_i^2 - (k-1)/c); padding adds points at the origin.

    Args:
        in_channels, out_channels, kernel_size, manifold, bias, stride, padding, clip: as for `HConvolution2d`.

    Source: Qu and Zou, "Lorentzian Fully Hyperbolic Generative Adversarial Network", 2022 (concatenation); Bdeir,
    Schwethelm, Landwehr, ICLR 2024, definition 2.
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
    ):
        super().__init__(manifold, dim=-3)
        check_clip(clip)
        self.in_channels, self.out_channels, self.clip = in_channels, out_channels, clip
        self.kernel_size, self.stride = _tuple(kernel_size, 2, "kernel_size"), _tuple(stride, 2, "stride")
        self.padding = _tuple(padding, 2, "padding")
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *self.kernel_size))
        self.time = nn.Parameter(torch.zeros(out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        # Each point occurs in every window around it: dividing by the root of their number keeps the norm.
        with torch.no_grad():
            nn.init.orthogonal_(self.weight.flatten(1), math.prod(self.kernel_size) ** -0.5)

    def normal(self, n):
        self._check(n, self.in_channels, -3)
        self._check_windows(n, self.kernel_size, self.padding)
        sqrt_c = _sqrt_c(self.manifold, n)
        s, _ = _space(n, sqrt_c, -3)
        square = squared_norm(s, -3)
        for dim in (-2, -1):
            square = _box_sum(square, self.kernel_size[dim], self.stride[dim], self.padding[dim], dim)
        t = (1 / sqrt_c**2 + square).sqrt()
        weight, time, bias = _in(s.dtype, self.weight, self.time, self.bias)
        space = F.conv2d(s, weight, bias, self.stride, self.padding) + t * time.view(-1, 1, 1)
        return _normal(space, sqrt_c, self.clip, -3).to(n.dtype)

    def extra_repr(self):
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"


class LorentzReLU(HLayer):
    """ReLU of the space part, which gets the time that belongs to it.

    Like `HReLU` it sets negative coordinates to 0; unlike there the distance from the origin that is left is that of
    the space part.

    Source: Bdeir, Schwethelm, Landwehr, ICLR 2024, section 4.
    """

    def __init__(self, manifold: Manifold, dim: int | None = None):
        super().__init__(manifold, dim)

    def normal(self, n):
        sqrt_c, dim = _sqrt_c(self.manifold, n), self._dim(n)
        s, _ = _space(n, sqrt_c, dim)
        return _normal(F.relu(s), sqrt_c, None, dim).to(n.dtype)


class LorentzResidual(HResidual):
    """The sum of the space parts of x and f(x), with the time that belongs to it, f the layers one after another.

    Args:
        *layers, shortcut: as for `HResidual`.

    Source: Bdeir, Schwethelm, Landwehr, ICLR 2024, section 4.
    """

    def _sum(self, n, step, dim):
        sqrt_c = _sqrt_c(self.manifold, n)
        (s, _), (f, _) = _space(n, sqrt_c, dim), _space(step, sqrt_c, dim)
        return _normal(s + f, sqrt_c, None, dim).to(n.dtype)
