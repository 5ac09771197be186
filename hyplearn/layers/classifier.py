"""Multinomial logistic regression: logits are signed distances to hyperplanes, as in flat space."""

import torch
from torch import Tensor, nn

from hyplearn.layers.linear import HLinear
from hyplearn.manifolds import Manifold
from hyplearn.numerics import asinh, dot, norm, sinhc


class HMLR(HLinear):
    """The classifier of HNN++: logits v_k(x) of `HLinear`, 2|z_k| times the signed distance to hyperplane k.

    Args:
        in_features: dimension of the points.
        classes: number of hyperplanes.
        manifold: the chart of the points.
        bias: whether the hyperplanes may leave the origin.
        dim: where the coordinates lie: points (..., in_features) to logits (..., classes), or with dim=1 images
            (B, in_features, H, W) to logits (B, classes, H, W), as a 1x1 convolution.

    Source: Shimizu, Mukuta, Harada, "Hyperbolic Neural Networks++", ICLR 2021, section 3.1.
    """

    gives_points = False

    def __init__(self, in_features: int, classes: int, manifold: Manifold, bias: bool = True, dim: int = -1):
        super().__init__(in_features, classes, manifold, bias, gain=1.0, dim=dim)

    def normal(self, n):
        return self._distances(n)

    def forward(self, x):
        return self.distances(x)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


class GyroplaneMLR(HMLR):
    """The classifier of the first hyperbolic networks: hyperplane k contains the point p_k and is orthogonal to a_k.

    The logit is 2|a_k| times the signed distance, with a_k the normal vector at the origin, of which the one at p_k is
    the parallel transport: lambda_p |a|/sqrt(c) asinh(2 sqrt(c) <(-p) (+) x, a>/((1 - c|(-p) (+) x|^2) |a|)) in the
    ball. On the hyperboloid the transported unit normal is (<s, u>, u + s <s, u>/(1 + t)) for p = (t, s), c = 1, and
    this gives z_k and r_k of `HMLR`: one product of matrices, whatever the number of pixels.

    `points` holds normal coordinates of the p_k (any optimiser will do), `weight` the a_k.

    Args: see `HMLR`.

    Source: Ganea, Becigneul, Hofmann, "Hyperbolic Neural Networks", NeurIPS 2018, eq. 25.
    """

    def __init__(self, in_features: int, classes: int, manifold: Manifold, dim: int = -1):
        super().__init__(in_features, classes, manifold, bias=False, dim=dim)
        self.points = nn.Parameter(torch.zeros(classes, in_features))

    def _planes(self, sqrt_c: Tensor) -> tuple[Tensor, Tensor]:
        p, a = sqrt_c * self.points.to(sqrt_c.dtype), self.weight.to(sqrt_c.dtype)
        d, length = norm(p), norm(a)
        unit, s = a / length, sinhc(d) * p
        time = dot(s, unit)
        normal = unit + s * (time / (1 + d.cosh()))
        r = asinh(time) / (2 * sqrt_c)
        return (length * normal / norm(normal)).to(self.weight.dtype), r.squeeze(-1)


class LorentzMLR(HMLR):
    """The classifier of Bdeir et al.: |z_k| times the signed distance to the hyperplane with normal z_k at offset a_k.

    On the hyperboloid |z|/sqrt(c) asinh(sqrt(c) (<z, s>/|z| cosh(sqrt(c) a) - t sinh(sqrt(c) a))), which is `HMLR` with
    z/2 and r = a/2. `weight` is z, `bias` is a.

    Source: Bdeir, Schwethelm, Landwehr, "Fully Hyperbolic Convolutional Neural Networks for Computer Vision", ICLR
    2024, theorem 2.
    """

    def _planes(self, sqrt_c: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.weight / 2, None if self.bias is None else self.bias / 2
