"""Published bugs of hyperbolic code that concern geometry: each one a test that we do not have it.

Where geoopt or hypll are installed, the bug is shown in them as well, so that a reader sees that the test can fail.
"""

import math

import mpmath as mp
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, at_origin, exact, pairs, tangents

from hyplearn import Curvature, Klein, Lorentz, NormalCoordinates, PoincareBall, maps

D = torch.float64
charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)


def on_ray(manifold, radii, n=3, dtype=D):
    u = torch.nn.functional.normalize(torch.arange(1.0, n + 1, dtype=D), dim=0)
    return manifold.from_normal((torch.as_tensor(radii, dtype=D)[:, None] * u / manifold.c.sqrt()).to(dtype))


def test_hypll_curvature_is_not_the_number_given():
    hypll = pytest.importorskip("hypll.manifolds.poincare_ball", reason="hypll is not installed")
    assert abs(hypll.Curvature(1.0)().item() - 1.3133) < 1e-4
    assert Curvature(1.0)().item() == 1.0 and Curvature(0.1)().item() == 0.1


def test_hypll_geometry_hard_coded_to_float32():
    for c in CURVATURES:
        ball = PoincareBall(c)
        x, y = pairs(ball, D, [0.3, 10.0, 30.0])
        assert ball.dist(x, y).dtype == D and ball.dist(x, y).isfinite().all()


def test_hypll_projection_is_not_scale_invariant_at_small_c():
    """x -> s x with c -> c / s^2 is the same geometry, so projx must do the same."""
    x = torch.tensor([[3.0, -4.0], [0.6, 0.79999], [0.1, 0.2]], dtype=D)
    expected = PoincareBall(1.0).projx(x)
    for power in (2, 6, 12, 20):
        s = 2.0**power
        torch.testing.assert_close(PoincareBall(s**-2).projx(s * x) / s, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, D], ids=str)
def test_geoopt_lorentz_distance_of_a_point_to_itself(dtype):
    """-17.27 there at radius >= 10 (float32) or 20 (float64), 0.693 at radius 8."""
    manifold = Lorentz(1.0)
    x = on_ray(manifold, [0.0, 1.0, 8.0, 10.0, 20.0, 40.0, 80.0], dtype=dtype)
    assert (manifold.dist(x, x.clone()) == 0).all()
    geoopt = pytest.importorskip("geoopt", reason="geoopt is not installed")
    assert geoopt.Lorentz(1.0).dist(x, x).abs().nan_to_num(99.0).max() > 0.5


@pytest.mark.parametrize(("dtype", "reach", "stuck"), [(torch.float32, 15.0, 6.3), (D, 34.0, 12.3)], ids=str)
def test_geoopt_ball_saturates(dtype, reach, stuck):
    """No distance from the origin above 6.213 (float32) or 12.206 (float64) there."""
    manifold = PoincareBall(1.0)
    n = torch.tensor([[reach, 0.0]], dtype=dtype)
    x = manifold.projx(manifold.from_normal(n))
    assert abs(manifold.dist0(x).item() / reach - 1) < 0.01
    geoopt = pytest.importorskip("geoopt", reason="geoopt is not installed")
    peer = geoopt.PoincareBall(1.0)
    assert peer.dist0(peer.expmap0(n / 2)).item() < stuck


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_geoopt_projx_does_nothing_in_half_precision(dtype):
    for c in CURVATURES:
        manifold = PoincareBall(c)
        x = manifold.projx(torch.tensor([[4.0, 0.0], [3.0, 3.0], [1e4, -1.0]], dtype=dtype))
        manifold.check_point(x)
        assert manifold.dist0(x).isfinite().all()


@pytest.mark.parametrize("c", CURVATURES)
def test_geoopt_lorentz_to_poincare(c):
    """Crashes there on 3-D input, and is no isometry for another curvature than -1."""
    lorentz, ball = Lorentz(c), PoincareBall(c)
    x, y = lorentz.random(2, 4, 5, 3 + 1, dtype=D, generator=torch.Generator().manual_seed(0))
    u, v = (maps.convert(p, lorentz, ball) for p in (x, y))
    assert u.shape == (4, 5, 3)
    torch.testing.assert_close(ball.dist(u, v), lorentz.dist(x, y), rtol=1e-12, atol=0)


@charts
def test_hypercore_distance_is_a_constant_and_conversions_fail_for_other_c(chart):
    for c in (0.1, 10.0):
        manifold = chart(c)
        x = on_ray(manifold, [0.1, 0.5, 2.0])
        radii = torch.tensor([0.1, 0.5, 2.0], dtype=D) / c**0.5
        torch.testing.assert_close(manifold.dist0(x), radii, rtol=1e-13, atol=0)
        torch.testing.assert_close(manifold.dist(x[:2], x[1:]), radii.diff(), rtol=1e-12, atol=0)


def test_geomstats_projection():
    """Leaves (-2, 0) outside there, and moves interior points when another point of the batch is outside."""
    for chart in (PoincareBall, Klein):
        manifold = chart(1.0)
        batch = torch.tensor([[-2.0, 0.0], [0.3, 0.1], [-0.5, 0.8]], dtype=D)
        out = manifold.projx(batch)
        manifold.check_point(out)
        assert torch.equal(out[1:], batch[1:]) and out[0, 0] < -0.999


def test_poincare_resnet_derivative_of_mobius_addition_by_c():
    """A hand-written d/dc that was 23.97 where it should be 0.1247. Here: autograd against mpmath."""
    x, y = torch.tensor([0.3, -0.5], dtype=D), torch.tensor([0.4, 0.2], dtype=D)

    def add(c):
        X, Y = exact(x), exact(y)
        xy, xx, yy = (mp.fsum(a * b for a, b in zip(p, q, strict=True)) for p, q in ((X, Y), (X, X), (Y, Y)))
        d = 1 + 2 * c * xy + c * c * xx * yy
        return mp.fsum(((1 + 2 * c * xy + c * yy) * a + (1 - c * xx) * b) / d for a, b in zip(X, Y, strict=True))

    for c in (0.5, 1.0, 2.0):
        curvature = Curvature(c, learnable=True)
        PoincareBall(curvature).mobius_add(x, y).sum().backward()
        expected = float(mp.diff(add, mp.mpf(c)) * c)  # by log c
        assert curvature.log_ratio.grad.item() == pytest.approx(expected, rel=1e-13)


@charts
@pytest.mark.parametrize("dtype", [torch.float32, D], ids=str)
def test_meru_gradient_at_coincident_points_and_at_the_origin(chart, dtype):
    """NaN there in float32, since an eps of 1e-8 is below the dtype's."""
    manifold = chart(1.0)
    for x in (manifold.origin(2, 4, dtype=dtype), manifold.random(2, 4, dtype=dtype)):
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        manifold.dist(a, b).sum().backward()
        assert (a.grad == 0).all() and (b.grad == 0).all()


def test_hyperbolix_four_distances_that_are_not_equal():
    """One of them gives -2.1 where the distance is 0.658. Here every chart gives the same number."""
    g = torch.Generator().manual_seed(0)
    n, m = torch.randn(2, 50, 3, dtype=D, generator=g) * 2
    expected = None
    for chart in CHARTS:
        manifold = chart(1.0)
        d = manifold.dist(manifold.from_normal(n), manifold.from_normal(m))
        expected = d if expected is None else expected
        torch.testing.assert_close(d, expected, rtol=1e-9, atol=0)


@charts
def test_formulas_right_only_for_curvature_minus_1(chart):
    """The field's commonest bug: CUAI, HoroPCA, HIER, manify. Curvature -c is the unit space over sqrt(c)."""
    g = torch.Generator().manual_seed(0)
    n, m, a = torch.randn(3, 20, 3, dtype=D, generator=g)
    unit = chart(1.0)
    X, Y = unit.from_normal(n), unit.from_normal(m)
    V = unit.transp0(X, at_origin(unit, a))
    for c in (0.1, 10.0):
        manifold, s = chart(c), c**0.5
        x, y = manifold.from_normal(n / s), manifold.from_normal(m / s)
        v = manifold.transp0(x, at_origin(manifold, a / s))
        close = {"rtol": 1e-10, "atol": 1e-12}
        torch.testing.assert_close(s * manifold.dist(x, y), unit.dist(X, Y), **close)
        torch.testing.assert_close(s * manifold.norm(x, v), unit.norm(X, V), **close)
        for one, other in [
            (manifold.expmap(x, v), unit.expmap(X, V)),
            (manifold.geodesic(0.3, x, y), unit.geodesic(0.3, X, Y)),
            (manifold.transp(x, y, v), unit.transp(X, Y, V)),
            (manifold.logmap(x, y), unit.logmap(X, Y)),
        ]:
            torch.testing.assert_close(s * one, other, rtol=1e-9, atol=1e-10)


def test_leymir_c_is_a_curvature_not_a_radius():
    """As c grows the ball shrinks: its radius is 1/sqrt(c), and its distances grow less than linearly in c."""
    for c in CURVATURES:
        ball = PoincareBall(c)
        edge = ball.projx(torch.tensor([10.0, 0.0], dtype=D)).norm().item()
        assert edge == pytest.approx(1 / math.sqrt(c), rel=1e-14)
        images = torch.rand(8, 784, generator=torch.Generator().manual_seed(0))  # NaN on MNIST there until c = 0.05
        assert ball.dist0(ball.expmap0(images)).isfinite().all()


@charts
def test_acosh_returns_0_for_near_points_and_the_lorentz_product_dies_at_radius_8(chart):
    """In float32 from float32 points; the true distance is mpmath's for the very same points."""
    manifold = chart(1.0)
    for radius in (0.0, 1.0, 8.0):
        if chart is Klein and radius > 7:
            continue  # the chart itself ends at 8.7
        x = on_ray(manifold, [radius], dtype=torch.float32)
        v = tangents(manifold, x, size=1.0)
        for step in (1e-4, 1.0):
            y = manifold.expmap(x, v * step)
            oracle = Oracle(manifold, torch.float32)
            true = float(oracle.dist(exact(x[0]), exact(y[0])))
            assert manifold.dist(x, y).item() == pytest.approx(true, rel=2e-7) and true > 0
    if chart is PoincareBall:  # the textbook form, in the same dtype
        x, y = torch.tensor([0.3, 0.4]), torch.tensor([0.3, 0.40003])
        gap = (1 - x @ x) * (1 - y @ y)
        assert torch.acosh(1 + 2 * (x - y) @ (x - y) / gap) == 0 < manifold.dist(x, y)


def test_normal_coordinates_do_not_overflow_where_the_naive_haversine_does():
    """The textbook haversine: infinite from R = 45 in float32, NaN gradient at x = y and at the origin."""
    manifold = NormalCoordinates(1.0)
    x, y = torch.tensor([50.0, 80.0, 0.0]), torch.tensor([80.0, 80.0, 60.0])
    x, y = (torch.stack((0 * r, r), -1) for r in (x, y))  # along an axis, where float32 holds the direction exactly
    x.requires_grad_()
    d = manifold.dist(x, y)
    torch.testing.assert_close(d, torch.tensor([30.0, 0.0, 60.0]), rtol=1e-6, atol=1e-6)
    d.sum().backward()
    assert x.grad.isfinite().all()
    torch.testing.assert_close(x.grad[2], -y[2] / y[2].norm())


def test_agreement_with_geoopt_where_it_is_right():
    geoopt = pytest.importorskip("geoopt", reason="geoopt is not installed")
    for c in (0.125, 1.0, 8.0):  # exact in float32, in which geoopt keeps its curvature
        ours, theirs = PoincareBall(c), geoopt.PoincareBall(c)
        g = torch.Generator().manual_seed(0)
        x, y = ours.random(2, 20, 4, dtype=D, std=0.7 / c**0.5, generator=g)
        v = tangents(ours, x)
        close = {"rtol": 1e-6, "atol": 1e-7}  # what their clamps leave
        for name, args in {
            "dist": (x, y), "dist0": (x,), "mobius_add": (x, y), "gyration": (x, y, v), "lambda_x": (x,),
            "expmap": (x, v), "logmap": (x, y), "expmap0": (v,), "logmap0": (x,), "transp": (x, y, v),
            "transp0": (x, v), "egrad2rgrad": (x, v), "geodesic": (torch.tensor(0.3, dtype=D), x, y),
        }.items():  # fmt: skip
            expected = getattr(theirs, name)(*args)
            mine = getattr(ours, name)(*args)
            torch.testing.assert_close(mine, expected.reshape(mine.shape), **close)
        r = torch.tensor(1.7, dtype=D)
        torch.testing.assert_close(ours.mobius_scalar_mul(r, x), theirs.mobius_scalar_mul(r, x), **close)
        m = torch.randn(3, 4, dtype=D, generator=g)
        torch.testing.assert_close(ours.mobius_matvec(m, x), theirs.mobius_matvec(m, x), **close)
        lorentz, peer = Lorentz(c), geoopt.Lorentz(k=1 / c)
        x, y = lorentz.random(2, 20, 4, dtype=D, std=0.5 / c**0.5, generator=g)
        torch.testing.assert_close(lorentz.dist(x, y), peer.dist(x, y), rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(lorentz.minkowski(x, y), peer.inner(None, x, y), **close)


def test_agreement_with_hypll_where_it_is_right():
    peer = pytest.importorskip("hypll.manifolds.poincare_ball.math.diffgeom", reason="hypll is not installed")
    for c in (0.1, 1.0, 10.0):
        ball, k = PoincareBall(c), torch.tensor(c, dtype=D)
        x, y = ball.random(2, 20, 4, dtype=D, std=0.5 / c**0.5, generator=torch.Generator().manual_seed(0))
        v = tangents(ball, x)
        close = {"rtol": 1e-9, "atol": 1e-10}
        torch.testing.assert_close(ball.mobius_add(x, y), peer.mobius_add(x, y, k), **close)
        torch.testing.assert_close(ball.dist(x, y), peer.dist(x, y, k), **close)
        torch.testing.assert_close(ball.expmap(x, v), peer.expmap(x, v, k), **close)
        torch.testing.assert_close(ball.logmap(x, y), peer.logmap(x, y, k), **close)
        torch.testing.assert_close(ball.expmap0(v), peer.expmap0(v, k), **close)
        torch.testing.assert_close(ball.transp(x, y, v), peer.transp(x, y, v, k), **close)
