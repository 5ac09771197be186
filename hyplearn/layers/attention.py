"""Attention with distances as scores and midpoints as averages."""

import torch
from torch import Tensor, nn

from hyplearn.layers.base import HLayer
from hyplearn.layers.convolution import beta_ratio
from hyplearn.layers.linear import HLinear
from hyplearn.manifolds import Manifold, NormalCoordinates
from hyplearn.numerics import asinhc, norm, sinhc


def attend(s: Tensor, weights: Tensor) -> Tensor:
    """Weighted midpoints of N points for each of Q rows of weights (..., Q, N), on the unit hyperboloid.

    s are space parts (..., N, n), the result has shape (..., Q, n). With T and S the weighted sums of times and space
    parts the midpoint has the space part S/sqrt((T - |S|)(T + |S|)). T - |S| cancels and is summed as
    w_i (t_i - |s_i| + |s_i| |u_i - S/|S||^2/2) instead, u the directions: all positive, and no (Q, N, n) tensor.
    """
    length = norm(s)
    time = (1 + length.square()).sqrt()
    total = weights @ s
    size = norm(total)
    unit, ahead = s / length.clamp_min(1e-30), total / size.clamp_min(1e-30)
    angle = torch.cdist(ahead, unit, compute_mode="donot_use_mm_for_euclid_dist").square() / 2
    gap = (weights * (1 / (time + length) + length * angle.mT).mT).sum(-1, keepdim=True)
    return total / (gap * (weights @ time + size)).sqrt()


class HAttention(HLayer):
    """Self-attention of sequences of points (B, N, features), with several heads.

    Queries, keys and values are `HLinear` maps of the points, cut into heads by beta-splitting. The weight of key j for
    query i is softmax_j(-beta d(q_i, k_j)) with a learned beta > 0 for each head, the output the weighted midpoint of
    the values, and the heads are joined by beta-concatenation. It commutes with permutations of the N points.

    Args:
        features: dimension of the points, divisible by heads.
        manifold: the chart.
        heads: number of heads, of dimension features/heads each.
        clip: see `HLinear`.

    Source: Gulcehre et al., "Hyperbolic Attention Networks", ICLR 2019, eqs. 2 and 3; heads as in Shimizu, Mukuta,
    Harada, "Hyperbolic Neural Networks++", ICLR 2021, sections 3.3 and 3.5.
    """

    def __init__(self, features: int, manifold: Manifold, heads: int = 1, clip: float | None = 12.0):
        super().__init__(manifold)
        if features % heads:
            raise ValueError(f"features must be divisible by heads, got {features} and {heads}")
        self.features, self.heads = features, heads
        self.beta = beta_ratio(heads, features // heads)
        self.chart = NormalCoordinates(manifold.curvature)
        self.query, self.key, self.value = (
            HLinear(features, features, self.chart, clip=clip, gain=1.0) for _ in range(3)
        )
        self.log_beta = nn.Parameter(torch.zeros(heads, 1, 1))

    def normal(self, n):
        self._check(n, self.features, -1)
        if n.dim() < 2:
            raise ValueError(f"HAttention expects sequences (B, N, {self.features}) of points, got {tuple(n.shape)}")
        q, k, v = (
            (layer.normal(n) / self.beta).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for layer in (self.query, self.key, self.value)
        )
        weights = torch.softmax(-self.log_beta.exp() * self.chart.cdist(q, k), dim=-1)
        sqrt_c = self.chart.c.sqrt()
        m = sqrt_c * v.double()
        s = attend(sinhc(norm(m)) * m, weights.double())
        joined = (asinhc(norm(s)) * s / sqrt_c).transpose(-2, -3).flatten(-2)
        return (joined * self.beta).to(n.dtype)

    def extra_repr(self):
        return f"{self.features}, heads={self.heads}"
