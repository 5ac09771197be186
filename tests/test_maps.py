"""The maps between charts: against mpmath, and isometries they must be."""

import itertools
import math

import manifold_contract as mc
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, excess, unit_vectors
from torch.testing import assert_close

from hyplearn import Euclidean, HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.maps import convert, convert_tangent, from_frame, from_hub, light_cone, to_frame, to_hub

PAIRS = list(itertools.permutations(CHARTS, 2))
all_pairs = pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda chart: chart.__name__)
curvatures = pytest.mark.parametrize("c", CURVATURES)
DOUBLE = torch.float64


def points(manifold, radius, size=6, n=3, seed=0, dtype=DOUBLE):
    """Points of the chart with sqrt(c) d spread over [0, radius]."""
    g = torch.Generator().manual_seed(seed)
    d = radius * torch.linspace(0, 1, size, dtype=DOUBLE)[:, None] / manifold.c.sqrt()
    return manifold.from_normal((d * unit_vectors(size, n, generator=g)).to(dtype))


def vectors(manifold, x, seed=1):
    g = torch.Generator().manual_seed(seed)
    n = x.shape[-1] - manifold.extra_coords
    return from_frame(x, torch.randn(len(x), n, dtype=DOUBLE, generator=g).to(x.dtype), manifold)


# The oracle sees the hemisphere as part of the half-space one dimension up: there its last space coordinate is 0.
def drop(manifold, s):
    return s[:-1] if isinstance(manifold, Hemisphere) else s


def pad(manifold, s):
    return [*s, mc.mp.mpf(0)] if isinstance(manifold, Hemisphere) else s


@all_pairs
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_points_against_mpmath(a, b, dtype):
    """To 4 eps, plus 4 times the effect of rounding the coordinates that are given (1 rounding in float32)."""
    c = CURVATURES[PAIRS.index((a, b)) % 5]
    source, target = a(c), b(c)
    reach = min(mc.REACH[a][dtype == DOUBLE], mc.REACH[b][dtype == DOUBLE])
    x = points(source, reach, dtype=dtype)[1:]
    bound = 1.0 if dtype == torch.float32 else 4.0

    def exact(p):
        return Oracle(target, dtype).point(pad(target, drop(source, Oracle(source, dtype).space(p))))

    assert excess(lambda p: convert(p, source, target), exact, (x,), bound) <= bound


@all_pairs
def test_tangents_against_mpmath(a, b):
    """The differential, to 8 eps plus 8 times the effect of rounding the coordinates, for sqrt(c) d <= 5.

    Klein's tangent vectors belong to the point that was rounded: there the effect of that rounding comes in too.
    """
    c = CURVATURES[PAIRS.index((a, b)) % 5]
    source, target = a(c), b(c)
    x = points(source, 5.0, size=4)
    v = vectors(source, x)

    def exact(p, w):
        oracle = Oracle(source)
        s, moved = drop(source, oracle.space(p)), drop(source, oracle.push(p, w))
        return Oracle(target).pull(pad(target, s), pad(target, moved))

    bound = 8.0 if b is not Klein else math.cosh(5.0) ** 2
    assert excess(lambda p, w: convert_tangent(p, w, source, target), exact, (x, v), bound) <= bound


@all_pairs
@curvatures
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_distance_angles_and_geodesics_are_kept(a, b, c, dtype):
    # Klein's coordinates are the worst: an error eps in them is eps cosh^2(sqrt(c) d) in the distance.
    tol = 100 * torch.finfo(dtype).eps * math.cosh(2.5) ** 2
    source, target, s = a(c), b(c), math.sqrt(c)
    x, y = points(source, 2.5, dtype=dtype), points(source, 2.5, seed=5, dtype=dtype).flip(0)
    u, v = vectors(source, x, 1), vectors(source, x, 2)
    p, q = convert(x, source, target), convert(y, source, target)
    target.check_point(p)
    assert p.dtype == dtype
    assert_close(s * target.dist(p, q), s * source.dist(x, y), rtol=tol, atol=tol)
    pu, pv = convert_tangent(x, u, source, target), convert_tangent(x, v, source, target)
    assert_close(target.inner(p, pu, pv), source.inner(x, u, v), rtol=tol, atol=tol * 5)
    middle = convert(source.geodesic(0.3, x, y), source, target)
    assert (s * target.dist(target.geodesic(0.3, p, q), middle)).max() < tol
    assert (s * source.dist(convert(p, target, source), x)).max() < tol
    back = convert_tangent(p, pu, target, source)
    assert (source.norm(x, back - u) / source.norm(x, u)).max() < tol


@curvatures
def test_round_trip_through_all_charts_at_radius_12(c):
    """1e-9 in the ball's coordinates. In the distance Klein's coordinates alone cost eps cosh^2(12) = 1.5e-6."""
    ball = PoincareBall(c)
    x = moved = points(ball, 12.0, size=50)
    assert CHARTS[0] is PoincareBall
    for a, b in itertools.pairwise([*CHARTS, PoincareBall]):
        moved = convert(moved, a(c), b(c))
    assert ((moved - x).abs().max() * ball.c.sqrt()) < 1e-9
    assert ball.dist(x, moved).max() * ball.c.sqrt() < 2e-5


@curvatures
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
def test_frames_are_orthonormal_and_inverse(chart, c):
    manifold = chart(c)
    x = points(manifold, 3.0)
    w = torch.randn(len(x), 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    v = from_frame(x, w, manifold)
    assert_close(manifold.norm(x, v), w.norm(dim=-1), rtol=1e-11, atol=0)
    assert_close(to_frame(x, v, manifold), w, rtol=1e-10, atol=1e-10)
    radial = manifold.logmap(x, manifold.origin(x.shape[-1], dtype=DOUBLE).expand_as(x))
    assert_close(to_frame(x, radial, manifold), -manifold.to_normal(x), rtol=1e-10, atol=1e-10)  # by its definition


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
def test_differential_by_autograd(chart):
    """The same as the derivative that autograd takes of `convert`, in every target."""
    source = chart(2.0)
    x = points(source, 2.0)[1:]
    v = vectors(source, x)
    for other in CHARTS:
        target = other(2.0)
        jacobian = torch.func.vmap(torch.func.jacrev(lambda p, t=target: convert(p, source, t)))(x)
        expected = (jacobian @ v.unsqueeze(-1)).squeeze(-1)
        assert_close(convert_tangent(x, v, source, target), expected, rtol=1e-10, atol=1e-10)


def test_the_charts_as_they_are_drawn():
    """Seen from above the hemisphere is Klein's disk, from the south pole Poincare's; up is up in the half-space."""
    c = 2.0
    s = math.sqrt(c)
    hemisphere = Hemisphere(c)
    x = points(hemisphere, 3.0)
    assert_close(convert(x, hemisphere, Klein(c)), x[:, :-1], rtol=1e-13, atol=1e-14)
    stereographic = x[:, :-1] / (1 + s * x[:, -1:])
    assert_close(convert(x, hemisphere, PoincareBall(c)), stereographic, rtol=1e-13, atol=1e-14)
    up = torch.tensor([0.0, 0.0, 1.3], dtype=DOUBLE)
    expected = torch.tensor([0.0, 0.0, math.exp(s * 1.3) / s], dtype=DOUBLE)
    assert_close(convert(up, NormalCoordinates(c), HalfSpace(c)), expected)
    z = complex(0.2, 0.3)  # the Cayley transform, which takes i to infinity
    w = (z + 1j) / (1 + 1j * z)
    ball_point = torch.tensor([z.real, z.imag], dtype=DOUBLE)
    assert_close(convert(ball_point, PoincareBall(1.0), HalfSpace(1.0)), torch.tensor([w.real, w.imag], dtype=DOUBLE))


@all_pairs
def test_origins_are_mapped_to_each_other(a, b):
    source, target = a(0.7), b(0.7)
    origin = source.origin(2, 3 + source.extra_coords, dtype=DOUBLE)
    assert_close(convert(origin, source, target), target.origin(2, 3 + target.extra_coords, dtype=DOUBLE))


@all_pairs
def test_between_curvatures_a_similarity(a, b):
    source, target = a(0.5), b(2.0)
    x, y = points(source, 2.0), points(source, 2.0, seed=3)
    p, q = convert(x, source, target), convert(y, source, target)
    assert_close(target.dist(p, q), source.dist(x, y) / 2, rtol=1e-11, atol=1e-13)
    v = vectors(source, x)
    moved = convert_tangent(x, v, source, target)
    assert_close(target.norm(p, moved), source.norm(x, v) / 2, rtol=1e-10, atol=1e-13)
    assert_close(convert(x, source, a(2.0)), convert(p, target, a(2.0)), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
def test_gradients(chart):
    manifold, normal = chart(1.3), NormalCoordinates(1.3)
    n = points(normal, 2.0, size=3).requires_grad_()  # the first is the origin
    assert torch.autograd.gradcheck(lambda m: convert(m, normal, manifold), n)
    x = convert(n, normal, manifold).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: to_hub(p, manifold), x)
    assert torch.autograd.gradcheck(lambda s: from_hub(s, manifold), to_hub(x, manifold).detach().requires_grad_())
    w = torch.randn(3, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, w: from_frame(p, w, manifold), (x, w))


@all_pairs
def test_dim_vmap_and_dtypes(a, b):
    source, target = a(1.0), b(1.0)
    x = points(source, 2.0)
    y = convert(x, source, target)
    before = x.clone()
    v = vectors(source, x)
    assert_close(convert(x.T, source, target, dim=0), y.T)
    assert_close(convert_tangent(x.T, v.T, source, target, dim=0), convert_tangent(x, v, source, target).T)
    assert_close(torch.func.vmap(lambda p: convert(p, source, target))(x), y)
    assert torch.equal(x, before)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        low = convert(points(source, 1.0, dtype=dtype), source, target)
        assert low.dtype == dtype
        assert low.isfinite().all()


@pytest.mark.slow
def test_compiles_without_a_graph_break():
    charts = [chart(1.0) for chart in CHARTS]
    x = points(charts[0], 2.0)
    v = vectors(charts[0], x)

    def round_trip(x, v):
        v = convert_tangent(x, v, charts[0], charts[1])
        for a, b in itertools.pairwise([*charts, charts[0]]):
            x = convert(x, a, b)
        return x, v

    compiled = torch.compile(round_trip, fullgraph=True, backend="aot_eager")(x, v)
    assert_close(compiled, round_trip(x, v), rtol=1e-12, atol=1e-12)


def test_float32_results_stay_inside():
    """Points of the hyperboloid beyond the ball's and Klein's reach come out strictly inside."""
    far = Lorentz(1.0).from_normal(torch.tensor([[30.0, 0.0], [50.0, 60.0]]))
    for chart in (PoincareBall, Klein, HalfSpace, Hemisphere, NormalCoordinates):
        chart(1.0).check_point(convert(far, Lorentz(1.0), chart(1.0)))


def test_light_cone_where_the_difference_cancels():
    s = torch.tensor([[1e9, 0.5]], dtype=DOUBLE)
    value = light_cone(s, torch.tensor([1.0, 0.0], dtype=DOUBLE))
    assert_close(value, torch.tensor([[1.25 / 2e9]], dtype=DOUBLE), rtol=1e-15, atol=0)


def test_flat_space_is_refused_by_name():
    x = torch.zeros(3)
    with pytest.raises(ValueError, match=r"^source must be a chart of hyperbolic space .* got Euclidean$"):
        convert(x, Euclidean(), PoincareBall())
    with pytest.raises(ValueError, match=r"^target must be"):
        convert(x, PoincareBall(), Euclidean())


# --- bugs of published code that we do not have ---------------------------------------------------------------------


@curvatures
def test_not_geoopts_lorentz_to_poincare(c):
    """It crashes on 3-D input and is an isometry for curvature -1 only."""
    lorentz, ball = Lorentz(c), PoincareBall(c)
    x = points(lorentz, 3.0, size=24).reshape(2, 3, 4, 4)
    y = convert(x, lorentz, ball)
    assert y.shape == (2, 3, 4, 3)
    assert_close(ball.dist(y[:1], y[1:]), lorentz.dist(x[:1], x[1:]), rtol=1e-11, atol=1e-12)


@curvatures
def test_not_hypercores_conversions(c):
    """They are wrong for c != 1: against the definition, projection from (-1/sqrt(c), 0) to the plane t = 0."""
    lorentz, ball, klein = Lorentz(c), PoincareBall(c), Klein(c)
    x = points(lorentz, 3.0)
    time, space = x[:, :1], x[:, 1:]
    assert_close(convert(x, lorentz, ball), space / (1 + math.sqrt(c) * time), rtol=1e-13, atol=1e-14)
    assert_close(convert(x, lorentz, klein), space / (math.sqrt(c) * time), rtol=1e-13, atol=1e-14)
