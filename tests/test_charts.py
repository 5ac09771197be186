"""What is each one's own in Klein's ball, the half-space and the hemisphere; the contract is in test_manifolds.py."""

import itertools
import math

import manifold_contract as mc
import mpmath as mp
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, unit_vectors
from torch.testing import assert_close

from benchmarks.timing import Row, medians, table
from hyplearn import HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall, riemann
from hyplearn.reach import usable_radii, usable_radius

MINE = [Klein, HalfSpace, Hemisphere]
mine = pytest.mark.parametrize("chart", MINE, ids=lambda chart: chart.__name__)
curvatures = pytest.mark.parametrize("c", CURVATURES)
dtypes = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
DOUBLE = torch.float64


def points(manifold, radius, size=8, n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    d = radius * torch.rand(size, 1, dtype=DOUBLE, generator=g) / manifold.c.sqrt()
    return manifold.from_normal(d * unit_vectors(size, n, generator=g))


def close(actual, expected, tol=1e-10):
    assert_close(actual, expected, rtol=tol, atol=tol)


# --- Klein ----------------------------------------------------------------------------------------------------------


@curvatures
def test_klein_distance_by_cross_ratio(c):
    klein = Klein(c)
    x, y = points(klein, 3.0), points(klein, 3.0, seed=1)
    close(klein.chord_dist(x, y), klein.dist(x, y))
    close(klein.chord_dist(y, x), klein.dist(x, y))
    assert klein.chord_dist(x, y, keepdim=True).shape == (8, 1)


@curvatures
def test_klein_geodesics_are_straight(c):
    klein = Klein(c)
    x, y = points(klein, 3.0), points(klein, 3.0, seed=1)
    z = klein.geodesic(0.3, x, y)
    chord, part = y - x, z - x
    along = (chord * part).sum(-1, keepdim=True) / (chord * chord).sum(-1, keepdim=True)
    close(part, along * chord)
    assert ((along > 0) & (along < 1)).all()


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_klein_distances_near_the_boundary(dtype):
    """Near, radial and far pairs to the end of the chart: what float32 arithmetic gets wrong by 10 % at radius 8."""
    klein, reach = Klein(1.0), 8.0 if dtype == torch.float32 else 17.0
    oracle, worst = Oracle(klein, n=2), 0.0
    u = torch.tensor([0.6, 0.8], dtype=DOUBLE)
    for d, other in itertools.product((reach / 2, reach), ((0.0, 0.5), (1e-3, 0.0), (1.0, 0.0), (0.0, 1e-3))):
        angle, radial = (2 * math.asin(math.sinh(other[0] / 2) / math.sinh(d)), other[1])
        v = math.cos(angle) * u + math.sin(angle) * torch.tensor([-0.8, 0.6], dtype=DOUBLE)
        x, y = (klein.from_normal(p).to(dtype) for p in (d * u, (d - radial) * v))
        if torch.equal(x, y):
            continue
        exact = oracle.dist(*(mc.exact(p.double()) for p in (x, y)))
        worst = max(worst, float(abs(mp.mpf(klein.dist(x, y).item()) - exact) / exact) / torch.finfo(dtype).eps)
    # In float64 <x, y - x> is rounded: eps cosh(sqrt(c) d), still below what the coordinates carry, eps cosh^2.
    assert worst < (1.0 if dtype == torch.float32 else math.cosh(17.0))


def test_lorentz_factor():
    klein = Klein(2.0)
    n = torch.tensor([0.3, -1.1, 0.7], dtype=DOUBLE)
    close(klein.lorentz_factor(klein.from_normal(n)), torch.cosh(math.sqrt(2.0) * n.norm()))


# --- half-space -----------------------------------------------------------------------------------------------------


@curvatures
def test_halfspace_closed_forms(c):
    half, s = HalfSpace(c), math.sqrt(c)
    low, high = torch.tensor([0.3, 0.2], dtype=DOUBLE), torch.tensor([0.3, 5.0], dtype=DOUBLE)
    close(half.dist(low, high), torch.tensor(math.log(25.0) / s, dtype=DOUBLE))
    close(half.geodesic(0.5, low, high), torch.tensor([0.3, 1.0], dtype=DOUBLE))
    angle = torch.tensor([0.4, 1.1, 2.5], dtype=DOUBLE)  # a semicircle of radius 2 about (1, 0)
    circle = torch.stack([1 - 2 * angle.cos(), 2 * angle.sin()], -1)
    lengths = ((angle / 2).tan().log()).diff() / s
    close(half.dist(circle[:-1], circle[1:]), lengths)
    on_it = half.geodesic(torch.linspace(0, 1, 7, dtype=DOUBLE)[:, None], circle[0], circle[2])
    close((on_it - torch.tensor([1.0, 0.0], dtype=DOUBLE)).norm(dim=-1), torch.full((7,), 2.0, dtype=DOUBLE))


@curvatures
def test_halfspace_symmetries(c):
    """Dilations and horizontal translations are isometries, and commute with exp and transport."""
    half = HalfSpace(c)
    x, y = points(half, 3.0), points(half, 3.0, seed=1)
    v = half.logmap(x, points(half, 3.0, seed=2))
    shift = torch.tensor([0.7, -2.0, 0.0], dtype=DOUBLE)
    close(half.dist(5 * x + shift, 5 * y + shift), half.dist(x, y))
    close(half.expmap(5 * x + shift, 5 * v), 5 * half.expmap(x, v) + shift)
    close(half.transp(5 * x + shift, 5 * y + shift, 5 * v), 5 * half.transp(x, y, v))


@pytest.mark.parametrize(("dtype", "top"), [(torch.float32, 87.0), (DOUBLE, 700.0)])
def test_halfspace_distances_at_great_and_tiny_heights(dtype, top):
    half, unit = HalfSpace(1.0), 4 * torch.finfo(dtype).eps
    for sign in (1, -1):
        height = torch.tensor([math.exp(sign * top), math.exp(sign * (top - 1))], dtype=dtype)
        x, y = torch.stack([torch.zeros_like(height), height], -1)
        exact = float(abs(mp.log(mp.mpf(height[0].item())) - mp.log(mp.mpf(height[1].item()))))
        assert abs(half.dist(x, y).item() - exact) < unit * exact
        beside = x + torch.stack([x[1], 0 * x[1]])  # at the height h and h apart: 2 asinh(1/2)
        assert abs(half.dist(x, beside).item() - 2 * math.asinh(0.5)) < unit
        close(half.norm(x, half.logmap(x, y)), half.dist(x, y), tol=unit)
        assert abs(half.dist0(x).item() - abs(math.log(x[1].item()))) < unit * top


def test_halfspace_exponential_map_upwards():
    """cosh r - w_n sinh(r)/r is a difference of numbers near e^r that is e^-r: at r = 30 nothing would be left."""
    half = HalfSpace(1.0)
    x = torch.tensor([0.0, 1.0], dtype=DOUBLE)
    for v in ((0.0, 30.0), (1e-9, 30.0), (1e-13, 30.0), (-1e-5, 18.0)):
        v = torch.tensor(v, dtype=DOUBLE)
        exact = Oracle(half, n=2).expmap(mc.exact(x), mc.exact(v))
        y = half.expmap(x, v)
        assert all(abs(a - float(e)) <= 1e-13 * abs(float(e)) for a, e in zip(y.tolist(), exact, strict=True))


@mine
@curvatures
def test_results_that_leave_the_dtype_stay_in_the_model(chart, c):
    manifold = chart(c)
    n = torch.tensor([[0.0, 200.0], [0.0, -200.0], [200.0, 0.0], [1000.0, -1000.0]])
    x = manifold.from_normal(n)
    manifold.check_point(x)
    assert manifold.dist0(x).isfinite().all()


# --- hemisphere -----------------------------------------------------------------------------------------------------


@curvatures
def test_hemisphere_is_totally_geodesic(c):
    """The half-space's own geodesics and transport between its points do not leave it."""
    hemisphere, half = Hemisphere(c), HalfSpace(c)
    x, y = points(hemisphere, 3.0), points(hemisphere, 3.0, seed=1)
    z = half.geodesic(0.4, x, y)
    close(c * (z * z).sum(-1), torch.ones(8, dtype=DOUBLE))
    v = half.transp(x, y, half.logmap(x, z))
    close((v * y).sum(-1), torch.zeros(8, dtype=DOUBLE))
    close(hemisphere.proju(y, v), v)
    turned = hemisphere.proju(y, v + 3 * y)
    close(turned, v)


@curvatures
def test_hemisphere_gradient_is_tangent_and_dual(c):
    hemisphere = Hemisphere(c)
    x, grad = points(hemisphere, 2.0), torch.randn(8, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    v = hemisphere.logmap(x, points(hemisphere, 2.0, seed=1))
    close(hemisphere.inner(x, hemisphere.egrad2rgrad(x, grad), v), (grad * v).sum(-1))


# --- projections and checks -----------------------------------------------------------------------------------------


@mine
@dtypes
@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_projx(chart, dtype, c):
    """Never moves a point of the model, brings all others into it, idempotent; NaN stays NaN."""
    manifold = chart(c)
    inside = manifold.from_normal(
        (unit_vectors(50, 3, generator=torch.Generator().manual_seed(0)) * 2 / math.sqrt(c)).to(dtype)
    )
    assert torch.equal(manifold.projx(inside), inside)
    extra = manifold.extra_coords
    wild = 10 * torch.randn(200, 3 + extra, generator=torch.Generator().manual_seed(0)).to(dtype)
    edge = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, -1.0], [100.0, 100, 100], [0, -1.0, 0.0]])
    edge = torch.cat([edge / math.sqrt(c), torch.zeros(5, extra)], -1).to(dtype)
    for x in (wild, edge, torch.full((1, 3 + extra), torch.inf, dtype=dtype)):
        moved = manifold.projx(x)
        assert moved.dtype == dtype
        manifold.check_point(moved)
        assert torch.equal(manifold.projx(moved), moved)
    assert manifold.projx(torch.full((1, 3 + extra), torch.nan, dtype=dtype)).isnan().any()


@mine
def test_checks_name_the_argument_and_the_cure(chart):
    manifold = chart(1.0)
    size = 2 + manifold.extra_coords
    bad = {Klein: "lie inside the ball", HalfSpace: "a last coordinate > 0", Hemisphere: "a last coordinate > 0"}[chart]
    with pytest.raises(ValueError, match=rf"^p must .*{bad}.*use projx"):
        manifold.check_point(-torch.ones(size), name="p")
    with pytest.raises(ValueError, match=r"^x holds NaN"):
        manifold.check_point(torch.full((size,), torch.nan))
    with pytest.raises(ValueError, match=r"^x must be a floating-point tensor"):
        manifold.check_point(torch.ones(size, dtype=torch.long))
    with pytest.raises(ValueError, match=r"^value must be a finite number > 0"):
        chart(-1.0)
    if chart is Hemisphere:
        with pytest.raises(ValueError, match=r"^x must lie on the sphere of radius 1/sqrt\(c\)"):
            manifold.check_point(torch.ones(3))


# --- curvature and reach --------------------------------------------------------------------------------------------


@curvatures
@pytest.mark.parametrize("chart", [Klein, HalfSpace, NormalCoordinates])
def test_measured_curvature_is_minus_c(chart, c):
    manifold = chart(c)
    metric, x = riemann.metric_tensor(manifold), points(manifold, 1.0)[0]
    u, v = torch.tensor([1.0, 0.3, -0.5], dtype=DOUBLE), torch.tensor([-0.2, 0.8, 0.1], dtype=DOUBLE)
    assert_close(riemann.sectional_curvature(metric, x, u, v).item(), -c, rtol=1e-7, atol=0)


@pytest.mark.parametrize("chart", [Klein, HalfSpace])
def test_expmap_solves_the_geodesic_equation(chart):
    manifold = chart(0.5)
    x = points(manifold, 1.0, n=2)[0]
    v = torch.tensor([0.2, 0.3], dtype=DOUBLE)
    path = riemann.geodesic_path(riemann.metric_tensor(manifold), x, v, steps=30)
    close(path[-1, 0], manifold.expmap(x, v), tol=1e-6)
    close(path[-1, 1], manifold.transp(x, manifold.expmap(x, v), v), tol=1e-6)


@pytest.mark.parametrize("chart", [Lorentz, Hemisphere])
def test_metric_tensor_needs_free_coordinates(chart):
    with pytest.raises(ValueError, match=r"^manifold must have as many coordinates as dimensions"):
        riemann.metric_tensor(chart(1.0))


def test_reach():
    """The first radius is the one at which the coordinates themselves end; scaling with c changes nothing."""
    found = {(r.chart, r.dtype): r for r in usable_radii()}
    assert len(found) == 2 * len(CHARTS)
    ends = {"PoincareBall": (17.3, 37.4), "Klein": (8.7, 18.7), "HalfSpace": (87, 708), "Hemisphere": (87, 708)}
    for chart, (single, double) in ends.items():
        for dtype, end in ((torch.float32, single), (DOUBLE, double)):
            reach = found[chart, dtype]
            # tiny numbers below the smallest normal one carry the half-space to 104 in float32
            assert 0.9 * end < reach.from_origin < 1.25 * end
            assert reach.between_points < reach.from_origin
    for dtype, least in ((torch.float32, 12.0), (DOUBLE, 31.0)):
        assert all(r.between_points > least for r in found.values() if r.dtype == dtype and r.chart != "Klein")
    assert usable_radius(PoincareBall(4.0), torch.float32).from_origin == pytest.approx(16.2, abs=0.2)


def test_benchmark_table():
    rows = [Row("fast", 2.0, 15.0, ">="), Row("right", 1e-8, 1e-7), Row("peer", None, note="not installed")]
    assert [row.met for row in rows] == [False, True, None]
    text = table(rows).splitlines()
    assert "MISSED" in text[1] and "met" in text[2] and "skipped" in text[3] and "not installed" in text[3]
    times = medians({"long": lambda: sum(range(300_000)), "short": lambda: None}, rounds=3)
    assert times["long"] > times["short"] >= 0
