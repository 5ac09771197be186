"""Isometries between any two charts, of points and of tangent vectors.

The hub is the space part s of a point (t, s) of the unit hyperboloid, t^2 = 1 + |s|^2 (c = 1). Every chart is a
projection of it, and all maps to and from it but those of normal coordinates are algebraic, so that a conversion costs
no digits beyond those that the two charts cannot hold. Origins are mapped to origins, and up (the last axis) is up in
all charts. Where the curvatures of two charts differ, the maps between them are similarities: sqrt(c) d is kept, so
lengths change by the factor sqrt(c_source / c_target).

Everything is computed in float64; sqrt(c) d must stay below 350, where |s|^2 overflows.
"""

import torch
from torch import Tensor

from hyplearn.manifolds import HalfSpace, Hemisphere, Klein, Lorentz, Manifold, NormalCoordinates, PoincareBall
from hyplearn.manifolds.halfspace import split_height
from hyplearn.manifolds.lorentz import time_of
from hyplearn.numerics import asinhc, dot, double_inside, norm, one_minus_csq, sinhc

# --- the hub: each chart's map to the unit hyperboloid, and back -----------------------------------------------------


def light_cone(s: Tensor, ideal: Tensor, dim: int = -1) -> Tensor:
    """t - <s, u> > 0 for the ideal point u (a unit vector) and a point of the unit hyperboloid; `dim` is kept.

    On the side of u the difference cancels: there it is (1 + |s'|^2) / (t + <s, u>) with s' the part of s across u.
    """
    along, time = dot(s, ideal, dim), time_of(s, dim)
    across = s - along * ideal
    toward = along > 0
    near = (1 + dot(across, across, dim)) / (time + torch.where(toward, along, 0.0))
    return torch.where(toward, near, time - along)


def _from_halfspace(x: Tensor, dim: int) -> Tensor:
    flat, h = split_height(x, dim)
    return torch.cat([flat, (dot(flat, flat, dim) + (h - 1) * (h + 1)) / 2], dim) / h


def _to_halfspace(s: Tensor, dim: int) -> Tensor:
    flat, up = split_height(s, dim)
    one = torch.ones_like(up)
    return torch.cat([flat, one], dim) / light_cone(s, torch.cat([torch.zeros_like(flat), one], dim), dim)


def _to_hemisphere(s: Tensor, dim: int) -> Tensor:
    t = time_of(s, dim)
    return torch.cat([s, torch.ones_like(t)], dim) / t


# Charts in units where c = 1, but for the two balls, whose 1 - c|x|^2 would not survive the rounding of sqrt(c) x.
_TO_HUB = {
    PoincareBall: lambda x, c, dim: 2 * c.sqrt() * x / one_minus_csq(x, c, dim),
    Klein: lambda x, c, dim: c.sqrt() * x / one_minus_csq(x, c, dim).sqrt(),
    Lorentz: lambda x, c, dim: c.sqrt() * x.narrow(dim, 1, x.shape[dim] - 1),
    HalfSpace: lambda x, c, dim: _from_halfspace(c.sqrt() * x, dim),
    Hemisphere: lambda x, c, dim: split_height(x, dim)[0] / split_height(x, dim)[1],
    NormalCoordinates: lambda x, c, dim: sinhc(c.sqrt() * norm(x, dim)) * (c.sqrt() * x),
}
_FROM_HUB = {
    PoincareBall: lambda s, dim: s / (1 + time_of(s, dim)),
    Klein: lambda s, dim: s / time_of(s, dim),
    Lorentz: lambda s, dim: torch.cat([time_of(s, dim), s], dim),
    HalfSpace: _to_halfspace,
    Hemisphere: _to_hemisphere,
    NormalCoordinates: lambda s, dim: asinhc(norm(s, dim)) * s,
}


def _row(table: dict, manifold: Manifold, name: str):
    if type(manifold) not in table:
        charts = ", ".join(chart.__name__ for chart in table)
        raise ValueError(f"{name} must be a chart of hyperbolic space ({charts}), got {type(manifold).__name__}")
    return table[type(manifold)]


@double_inside
def to_hub(x: Tensor, source: Manifold, dim: int = -1) -> Tensor:
    """The space part s of the unit hyperboloid's point for the point x of the chart `source`; n coordinates.

    Raises:
        ValueError: if `source` is no chart of hyperbolic space.
    """
    return _row(_TO_HUB, source, "source")(x, source.c, dim)


def from_hub(s: Tensor, target: Manifold, dim: int = -1) -> Tensor:
    """The point of the chart `target` for the space part s of the unit hyperboloid's point; the inverse of `to_hub`.

    Raises:
        ValueError: if `target` is no chart of hyperbolic space.
    """
    x = _row(_FROM_HUB, target, "target")(s.double(), dim) / target.c.sqrt()
    return target.projx(x.to(s.dtype), dim=dim)


# --- points and tangent vectors --------------------------------------------------------------------------------------


def convert(x: Tensor, source: Manifold, target: Manifold, dim: int = -1) -> Tensor:
    """The point of the chart `target` that is the point x of the chart `source`.

    Args:
        x: points of `source`; coordinates along `dim`, one more for the hyperboloid and the hemisphere.
        source, target: any two of PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere, NormalCoordinates.

    Raises:
        ValueError: if one of them is no chart of hyperbolic space.
    """
    if type(source) is type(target):
        return (source.c / target.c).sqrt().to(x.dtype) * x
    return target.projx(from_hub(to_hub(x.double(), source, dim), target, dim).to(x.dtype), dim=dim)


def convert_tangent(x: Tensor, v: Tensor, source: Manifold, target: Manifold, dim: int = -1) -> Tensor:
    """The tangent vector of `target` at `convert(x, source, target)` that v is at x: the differential of `convert`.

    An isometry commutes with parallel transport, and these isometries are the identity in the frames at the origin.
    So v is carried to the origin in one chart and out again in the other; no derivative is taken.
    """
    w = (source.c / target.c).sqrt().to(v.dtype) * to_frame(x, v, source, dim)
    return from_frame(convert(x, source, target, dim), w, target, dim)


@double_inside
def to_frame(x: Tensor, v: Tensor, manifold: Manifold, dim: int = -1) -> Tensor:
    """The n components of a tangent vector v at x in the frame that is parallel along the rays from the origin.

    The frame is orthonormal: lengths and inner products become those of R^n. At the origin the components are
    normal coordinates; v is carried there by parallel transport.
    """
    x, v = x.movedim(dim, -1), v.movedim(dim, -1)
    v = manifold.transp(x, manifold.origin(x.shape[-1], dtype=x.dtype, device=x.device), v)
    if isinstance(manifold, PoincareBall):
        v = 2 * v  # the conformal factor at the origin
    elif manifold.extra_coords:
        v = v[..., 1:] if isinstance(manifold, Lorentz) else v[..., :-1]  # the time, the height: 0 at the origin
    return v.movedim(-1, dim)


@double_inside
def from_frame(x: Tensor, w: Tensor, manifold: Manifold, dim: int = -1) -> Tensor:
    """The tangent vector at x with the components w in the frame of `to_frame`; its inverse."""
    x, w = x.movedim(dim, -1), w.movedim(dim, -1)
    if isinstance(manifold, PoincareBall):
        w = w / 2
    elif manifold.extra_coords:
        zero = torch.zeros_like(w[..., :1])
        w = torch.cat([zero, w] if isinstance(manifold, Lorentz) else [w, zero], -1)
    return manifold.transp0(x, w).movedim(-1, dim)
