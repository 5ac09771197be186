"""How far a chart reaches: measured, in the arithmetic of a dtype."""

import math
from typing import NamedTuple

import torch

from hyplearn.manifolds import HalfSpace, Hemisphere, Klein, Lorentz, Manifold, NormalCoordinates, PoincareBall

CHARTS = (PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere, NormalCoordinates)


class Reach(NamedTuple):
    """Two radii of a chart, sqrt(c) times a distance from the origin; inf where no end was found below 750."""

    chart: str
    dtype: torch.dtype
    from_origin: float
    between_points: float


def usable_radius(manifold: Manifold, dtype: torch.dtype, tolerance: float = 0.01) -> Reach:
    """The largest sqrt(c) d up to which distances of points that are held in `dtype` are right to `tolerance`.

    `from_origin`: of a point at distance d from the origin, made by the exponential map there. `between_points`: of
    two points 1/sqrt(c) apart, at the same distance d or one behind the other. In 16 directions of three-dimensional
    space, in steps of 0.1; the points are computed in float64 and rounded to `dtype`, so the radius tells what the
    coordinates can hold.
    """
    d = torch.arange(5, 7500, dtype=torch.float64).reshape(-1, 1, 1) / 10
    generator = torch.Generator().manual_seed(0)
    u, v = torch.nn.functional.normalize(torch.randn(2, 16, 3, dtype=torch.float64, generator=generator), dim=-1)
    across = torch.nn.functional.normalize(v - (u * v).sum(-1, keepdim=True) * u, dim=-1)
    s = manifold.c.sqrt()

    def held(n: torch.Tensor) -> torch.Tensor:
        return manifold.projx(manifold.from_normal(n / s).to(dtype))

    def end(actual: torch.Tensor, expected: torch.Tensor | float) -> float:
        wrong = ~((s * actual.double() - expected).abs() <= tolerance * expected).all(-1)  # NaN is wrong as well
        return d.flatten()[wrong.to(torch.uint8).argmax() - 1].item() if wrong[1:].any() else math.inf

    angle = 2 * torch.asin(math.sinh(0.5) / torch.sinh(d.clamp_min(0.6)))  # of two points at distance d, 1 apart
    beside = manifold.dist(held(d * u), held(d * (angle.cos() * u + angle.sin() * across)))
    behind = manifold.dist(held((d - 0.5) * u), held((d + 0.5) * u))
    apart = torch.cat([torch.where(d.squeeze(-1) > 0.6, beside.double(), 1 / s), behind.double()], -1)
    return Reach(type(manifold).__name__, dtype, end(manifold.dist0(held(d * u)), d.squeeze(-1)), end(apart, 1.0))


def usable_radii(dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float64)) -> list[Reach]:
    """`usable_radius` of every chart with c = 1 in every dtype."""
    return [usable_radius(chart(1.0), dtype) for chart in CHARTS for dtype in dtypes]
