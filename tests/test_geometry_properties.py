"""Laws of hyperbolic geometry, by hypothesis: they hold for every chart, curvature, point and vector drawn.

The points are drawn in normal coordinates with sqrt(c) d <= 4, where every law is well conditioned in every chart.
"""

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifold_contract import CHARTS, at_origin

from hyplearn import Lorentz, NormalCoordinates, PoincareBall

D = torch.float64
settings.register_profile("geometry", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("geometry")

coordinates = st.floats(-2.25, 2.25, allow_nan=False, allow_infinity=False, width=32)
vectors = st.lists(coordinates, min_size=3, max_size=3).map(lambda v: torch.tensor(v, dtype=D))
curvatures = st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0])
any_chart = st.sampled_from(CHARTS)


def close(a, b, scale=1.0):
    torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8 * float(scale))


def points(manifold, *normals):
    return [manifold.from_normal(n / manifold.c.sqrt()) for n in normals]


def vector(manifold, x, a):
    return manifold.transp0(x, at_origin(manifold, a / manifold.c.sqrt()))


@given(any_chart, curvatures, vectors, vectors, vectors)
def test_distance_is_a_metric(chart, c, a, b, d):
    manifold = chart(c)
    x, y, z = points(manifold, a, b, d)
    xy, yz, xz = manifold.dist(x, y), manifold.dist(y, z), manifold.dist(x, z)
    assert xy >= 0 and manifold.dist(x, x.clone()) == 0
    close(xy, manifold.dist(y, x))
    assert xz <= xy + yz + 1e-9


@given(any_chart, curvatures, vectors, vectors)
def test_exp_and_log_are_inverse(chart, c, a, b):
    manifold = chart(c)
    x, y = points(manifold, a, b)
    v = manifold.logmap(x, y)
    close(manifold.expmap(x, v), y, y.abs().max() + 1)
    close(manifold.norm(x, v), manifold.dist(x, y))
    w = vector(manifold, x, b / 2)
    close(manifold.norm(x, manifold.logmap(x, manifold.expmap(x, w)) - w), torch.zeros((), dtype=D), 10 / c**0.5)


@given(any_chart, curvatures, vectors, vectors, vectors, vectors)
def test_transport_keeps_inner_products_and_returns(chart, c, a, b, p, q):
    manifold = chart(c)
    x, y = points(manifold, a, b)
    u, v = vector(manifold, x, p), vector(manifold, x, q)
    pu, pv = manifold.transp(x, y, u), manifold.transp(x, y, v)
    size = 1 + manifold.norm(x, u) * manifold.norm(x, v)
    close(manifold.inner(y, pu, pv), manifold.inner(x, u, v), size)
    back = manifold.transp(y, x, pu) - u
    close(manifold.norm(x, back), torch.zeros((), dtype=D), 10 * size)
    # along its geodesic the velocity is parallel
    along = manifold.transp(x, y, manifold.logmap(x, y)) + manifold.logmap(y, x)
    close(manifold.norm(y, along), torch.zeros((), dtype=D), 10 * (1 + manifold.dist(x, y)))


@given(any_chart, curvatures, vectors, vectors, st.floats(0, 1))
def test_geodesics_have_constant_speed(chart, c, a, b, t):
    manifold = chart(c)
    x, y = points(manifold, a, b)
    z = manifold.geodesic(t, x, y)
    d = manifold.dist(x, y)
    close(manifold.dist(x, z), t * d)
    close(manifold.dist(z, y), (1 - t) * d)


@given(any_chart, curvatures, vectors, vectors, st.sampled_from([0.25, 3.0]))
def test_scaling_x_by_s_and_c_by_s_to_the_minus_2(chart, c, a, b, s):
    one, other = chart(c), chart(c / s**2)
    x, y = points(one, a, b)
    close(other.dist(s * x, s * y), s * one.dist(x, y))
    close(other.geodesic(0.3, s * x, s * y), s * one.geodesic(0.3, x, y), s)


@given(vectors, vectors)
def test_c_to_0_is_euclid_times_the_charts_factor(a, b):
    c = 1e-12
    for manifold, factor in ((PoincareBall(c), 2), (NormalCoordinates(c), 1), (Lorentz(c), 1)):
        x, y = (torch.cat((torch.ones(1, dtype=D), v)) if isinstance(manifold, Lorentz) else v for v in (a, b))
        close(manifold.dist(x, y), factor * (a - b).norm(), 10)


@given(curvatures, vectors, vectors, vectors)
def test_gyrogroup_laws(c, a, b, d):
    ball = PoincareBall(c)
    add, gyr = ball.mobius_add, ball.gyration
    x, y, z = points(ball, a, b, d)
    zero = torch.zeros(3, dtype=D)
    close(add(zero, x), x)
    close(add(-x, x), zero)
    close(add(-x, add(x, y)), y)  # left cancellation
    close(add(x, y), gyr(x, y, add(y, x)))  # gyrocommutative
    close(add(x, add(y, z)), add(add(x, y), gyr(x, y, z)))  # left gyroassociative
    close(gyr(x, y, z).norm(), z.norm())
    close(gyr(x, y, z), gyr(add(x, y), y, z))  # left loop
    close(ball.mobius_scalar_mul(2.0, x), add(x, x))
    close(ball.mobius_scalar_mul(0.7, ball.mobius_scalar_mul(-1.5, x)), ball.mobius_scalar_mul(-1.05, x))


@given(any_chart, curvatures, vectors, vectors, vectors)
def test_rotations_and_translations_are_isometries(chart, c, a, b, p):
    manifold, ball, lorentz = chart(c), PoincareBall(c), Lorentz(c)
    q, _ = torch.linalg.qr(torch.outer(p, p) + torch.eye(3, dtype=D) * 0.5 + torch.ones(3, 3, dtype=D).triu())
    x, y = points(manifold, a, b)
    d = manifold.dist(x, y)
    rx, ry = points(manifold, q @ a, q @ b)
    close(manifold.dist(rx, ry), d)
    # left translation by p, in the ball (Mobius addition) and on the hyperboloid (a boost): the same motion
    g, u, v = points(ball, p, a, b)
    moved = [ball.mobius_add(g, u), ball.mobius_add(g, v)]
    close(ball.dist(*moved), d)
    boosted = [lorentz.boost(*points(lorentz, p, n)) for n in (a, b)]
    for one, other in zip(moved, boosted, strict=True):
        close(lorentz.to_normal(other), ball.to_normal(one), 10 / c**0.5)


@given(curvatures, vectors, vectors)
def test_boosts_keep_the_minkowski_product_and_are_undone(c, p, a):
    manifold = Lorentz(c)
    g, x = points(manifold, p, a)
    y = manifold.boost(g, x)
    close(manifold.minkowski(y, y), -1 / manifold.c, 1e6 / c)
    close(manifold.minkowski(manifold.boost(g, manifold.origin(4, dtype=D)), y), manifold.minkowski(g, y))
    inverse = torch.cat((g[:1], -g[1:]))
    close(manifold.boost(inverse, y), x, 100 / c**0.5)
