"""Partial orders as geometry: entailment cones (Ganea et al. 2018) and order embeddings (Vendrov et al. 2016).

Around each point x stands a cone that opens away from the origin. Its half-aperture shrinks outwards, just so fast that
a cone whose apex lies in another one lies in it entirely: "y is in the cone of x" is then a partial order, and can mean
"y is a kind of x". How much y misses the cone by, in radians, is the energy.

With d the distance from the origin and sqrt(c) d = asinh(r), the half-aperture psi of x and the angle Xi at x between
the ray from the origin, continued, and the geodesic to y are

    sin(psi) = 2K / r = K (1 - c|x|^2) / (sqrt(c)|x|)      (the second form in the ball)
    tan(Xi)  = |y'| / (t <y, u> - r t')                    (on the unit hyperboloid: x = (t, r u), y' across u, t' of y)

and in flat space sin(psi) = K / |x|, tan(Xi) = |y'| / (<y, u> - |x|). The hyperbolic ones are computed in the hub of
`hyplearn.maps`, so they are the same in every chart; in float64, without the acos of the published forms, which loses
half of the digits on the axis.
"""

import math

import torch
from torch import Tensor

from hyplearn.manifolds import Euclidean, Manifold
from hyplearn.manifolds.lorentz import time_of
from hyplearn.maps import to_hub
from hyplearn.numerics import dot, norm, widen


def _hub(manifold: Manifold, dim: int, *points: Tensor) -> tuple:
    """The common dtype of some points, and they in the hub (in flat space: themselves), in float64."""
    dtype, *wide = widen(*points)
    return dtype, *(wide if isinstance(manifold, Euclidean) else (to_hub(x, manifold, dim) for x in wide))


def _aperture(p: Tensor, manifold: Manifold, K: float, dim: int) -> Tensor:
    sine = (K if isinstance(manifold, Euclidean) else 2 * K) / norm(p, dim).clamp_min(1e-300)
    # asin has an infinite slope at 1: the branch that is not taken must not meet it.
    outside = sine < 1
    return torch.where(outside, torch.asin(torch.where(outside, sine, 0.0)), math.pi / 2)


def _angle(p: Tensor, q: Tensor, manifold: Manifold, dim: int) -> Tensor:
    r = norm(p, dim)
    unit = p / torch.where(r > 0, r, 1.0)
    D = q - p
    beyond = dot(D, unit, dim)
    across = norm(D - beyond * unit, dim)
    along = beyond
    if not isinstance(manifold, Euclidean):
        # t <q, u> - r t' is the difference of two large numbers; its product with their sum is one of small ones.
        height, t, tq = r + beyond, time_of(p, dim), time_of(q, dim)
        up = height > 0
        total = torch.where(up, t * height + r * tq, 1.0)
        along = torch.where(up, (beyond * (height + r) - (r * across) ** 2) / total, t * height - r * tq)
    same = (along == 0) & (across == 0)
    return torch.atan2(across, torch.where(same, 1.0, along))


def cone_limit(manifold: Manifold, K: float = 0.1) -> float:
    """The distance from the origin below which there are no cones: asinh(2K) / sqrt(c), and K in flat space."""
    return K if isinstance(manifold, Euclidean) else math.asinh(2 * K) / math.sqrt(float(manifold.c))


def half_aperture(x: Tensor, manifold: Manifold, K: float = 0.1, dim: int = -1) -> Tensor:
    """The half-aperture in radians of the cone at x: arcsin(2K / sinh(sqrt(c) d)), and arcsin(K / |x|) in flat space.

    At `cone_limit` it is pi/2. Nearer to the origin no aperture would let cones nest; pi/2 is returned there, with
    derivative 0.

    Args:
        x: points of the manifold, coordinates along `dim`.
        manifold: any chart of hyperbolic space of curvature -c, or `Euclidean`.
        K: > 0; how wide cones are.
    """
    dtype, p = _hub(manifold, dim, x)
    return _aperture(p, manifold, K, dim).squeeze(dim).to(dtype)


def apex_angle(x: Tensor, y: Tensor, manifold: Manifold, dim: int = -1) -> Tensor:
    """The angle in radians at x between the ray from the origin through x, continued, and the geodesic from x to y.

    0 for y = x and for y on the ray beyond x, pi for y between the origin and x. At the origin, where there is no
    direction, pi/2. Gradients are finite, and 0 where there is none.

    Args:
        x, y: points of the manifold, coordinates along `dim`; their batches broadcast.
        manifold: any chart of hyperbolic space of curvature -c, or `Euclidean`.
    """
    dtype, p, q = _hub(manifold, dim, x, y)
    return _angle(p, q, manifold, dim).squeeze(dim).to(dtype)


def cone_slack(x: Tensor, y: Tensor, manifold: Manifold, K: float = 0.1, dim: int = -1) -> Tensor:
    """Xi(x, y) - psi(x) in radians: by how much y misses the cone of x; at most 0 inside."""
    dtype, p, q = _hub(manifold, dim, x, y)
    return (_angle(p, q, manifold, dim) - _aperture(p, manifold, K, dim)).squeeze(dim).to(dtype)


def cone_energy(x: Tensor, y: Tensor, manifold: Manifold, K: float = 0.1, dim: int = -1) -> Tensor:
    """max(0, Xi(x, y) - psi(x)) in radians: 0 exactly if y is in the cone of x (Ganea et al. 2018).

    Args:
        x, y: points of the manifold, coordinates along `dim`; x is the general one, y the special one.
        manifold: any chart of hyperbolic space of curvature -c, or `Euclidean`.
        K: > 0; how wide cones are. See `half_aperture` for points near the origin.
    """
    return cone_slack(x, y, manifold, K, dim).clamp_min(0)


def order_energy(x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
    """|max(0, x - y)|^2: 0 exactly if no coordinate of the special y is below that of the general x (Vendrov 2016)."""
    return (x - y).clamp_min(0).square().sum(dim)


def max_margin(positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """The sum of the energies of true pairs, and of max(0, margin - energy) of false ones (Vendrov et al. 2016)."""
    return positive.sum() + (margin - negative).clamp_min(0).sum()
