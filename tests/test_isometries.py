"""The isometry group, ideal points and horospheres: by their definitions, and by closed forms in single charts."""

import math

import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, unit_vectors
from torch.testing import assert_close

from hyplearn import HalfSpace, Klein, Lorentz, NormalCoordinates, PoincareBall, isometries
from hyplearn.maps import convert, from_frame

charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
curvatures = pytest.mark.parametrize("c", CURVATURES)
DOUBLE = torch.float64


def sample(manifold, seed=0, size=6, n=3, radius=1.5):
    g = torch.Generator().manual_seed(seed)
    return manifold.from_normal(
        radius * torch.rand(size, 1, generator=g) * unit_vectors(size, n, generator=g) / manifold.c.sqrt()
    )


def tangent(manifold, x, seed=3):
    g = torch.Generator().manual_seed(seed)
    return from_frame(x, torch.randn(len(x), 3, dtype=DOUBLE, generator=g), manifold)


def ideals(seed=7, size=6):
    return unit_vectors(size, 3, generator=torch.Generator().manual_seed(seed))


def close(actual, expected, tol=1e-9):
    assert_close(actual, expected, rtol=tol, atol=tol)


# --- matrices --------------------------------------------------------------------------------------------------------


@charts
@curvatures
def test_translation(chart, c):
    """Takes x to y, keeps distances, and takes tangent vectors along by parallel transport."""
    manifold = chart(c)
    x, y, z, v = sample(manifold, 0), sample(manifold, 1), sample(manifold, 2), tangent(manifold, sample(manifold, 0))
    move = isometries.translation(x, y, manifold)
    assert isometries.is_isometry(move)
    close(torch.linalg.det(move), torch.ones(6, dtype=DOUBLE))
    close(isometries.apply(move, x, manifold), y)
    moved = isometries.apply(move, z, manifold)
    close(manifold.dist(moved, y), manifold.dist(z, x))
    far = isometries.apply(move, manifold.expmap(x, v), manifold)
    close(far, manifold.expmap(y, manifold.transp(x, y, v)), tol=1e-7)
    close(isometries.apply(isometries.inverse(move), moved, manifold), z)


@charts
def test_reflections(chart):
    manifold = chart(2.0)
    x, y, v = sample(manifold, 0), sample(manifold, 1), tangent(manifold, sample(manifold, 0))
    mirror = isometries.reflection(x, v, manifold)
    assert isometries.is_isometry(mirror)
    close(torch.linalg.det(mirror), -torch.ones(6, dtype=DOUBLE))
    close(isometries.apply(mirror, x, manifold), x)
    close(isometries.apply(mirror, manifold.expmap(x, v / 4), manifold), manifold.expmap(x, -v / 4))
    u = tangent(manifold, x, seed=9)
    u = u - (manifold.inner(x, u, v) / manifold.inner(x, v, v)).unsqueeze(-1) * v
    close(isometries.apply(mirror, manifold.expmap(x, u), manifold), manifold.expmap(x, u))
    swap = isometries.bisector_reflection(x, y, manifold)
    close(isometries.apply(swap, x, manifold), y)
    close(swap @ swap, torch.eye(4, dtype=DOUBLE).expand(6, 4, 4))
    turn = isometries.point_reflection(x, manifold)
    close(isometries.apply(turn, manifold.expmap(x, v / 4), manifold), manifold.expmap(x, -v / 4))


def test_translation_is_the_boost_from_the_origin_and_mobius_addition_in_the_ball():
    ball, lorentz = PoincareBall(0.5), Lorentz(0.5)
    x, y = sample(ball, 0), sample(ball, 1)
    move = isometries.translation(torch.zeros_like(x), x, ball)
    close(isometries.apply(move, y, ball), ball.mobius_add(x, y))
    boosted = lorentz.boost(convert(x, ball, lorentz), convert(y, ball, lorentz))
    close(isometries.apply(move, convert(y, ball, lorentz), lorentz), boosted)


def test_a_translation_is_two_reflections():
    ball = PoincareBall(1.0)
    x, y = sample(ball, 0), sample(ball, 1)
    v, middle = ball.logmap(x, y), ball.geodesic(0.5, x, y)
    product = isometries.bisector_reflection(x, y, ball) @ isometries.reflection(x, v, ball)
    close(product, isometries.translation(x, y, ball))
    close(isometries.apply(isometries.bisector_reflection(x, y, ball), middle, ball), middle)


def test_rotation_and_group():
    normal = NormalCoordinates(2.0)
    orthogonal = torch.linalg.qr(torch.randn(3, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0)))[0]
    turn = isometries.rotation(orthogonal)
    n = sample(normal)
    close(isometries.apply(turn, n, normal), n @ orthogonal.T)
    move = isometries.translation(n, n.flip(0), normal)
    assert isometries.is_isometry(turn @ move)
    close(isometries.apply(turn @ move, n, normal), isometries.apply(turn, n.flip(0), normal))
    assert not isometries.is_isometry(1.001 * turn)
    assert not isometries.is_isometry(-turn)  # keeps the product, but swaps the sheets


# --- ideal points ----------------------------------------------------------------------------------------------------


@charts
@curvatures
def test_ideal_points(chart, c):
    manifold = chart(c)
    x, u = sample(manifold), ideals()
    v = isometries.direction_to(x, u, manifold)
    close(manifold.norm(x, v), torch.ones(6, dtype=DOUBLE))
    close(isometries.ideal_point(x, v, manifold), u)
    if chart is not Klein:  # which does not reach that far
        n = manifold.to_normal(manifold.expmap(x, 15 * v / math.sqrt(c)))
        close(n / n.norm(dim=-1, keepdim=True), u, tol=1e-5)
    y = sample(manifold, 1)
    move, w = isometries.translation(x, y, manifold), tangent(manifold, x)
    end = isometries.ideal_point(y, manifold.transp(x, y, w), manifold)
    close(isometries.apply_ideal(move, isometries.ideal_point(x, w, manifold)), end)


@charts
@curvatures
def test_busemann_function(chart, c):
    """Its definition, its gradient of length 1, and how horospheres are reached."""
    manifold = chart(c)
    x, u = sample(manifold), ideals()
    b = isometries.busemann(x, u, manifold)
    normal = NormalCoordinates(c)
    far = 15 / math.sqrt(c)
    close(b, normal.dist(convert(x, manifold, normal), far * u) - far)
    along = manifold.expmap(x, 0.4 * isometries.direction_to(x, u, manifold))
    close(isometries.busemann(along, u, manifold), b - 0.4)
    y = isometries.to_horosphere(x, u, 0.2, manifold)
    close(isometries.busemann(y, u, manifold), torch.full((6,), 0.2, dtype=DOUBLE))
    close(manifold.dist(x, y), (b - 0.2).abs())
    zero = isometries.busemann(manifold.origin(x.shape[-1], dtype=DOUBLE), u, manifold)
    close(zero, torch.zeros(6, dtype=DOUBLE))


@curvatures
def test_busemann_function_in_closed_form(c):
    s, u = math.sqrt(c), ideals()
    ball, half = PoincareBall(c), HalfSpace(c)
    x = sample(ball)
    expected = (((u - s * x) ** 2).sum(-1) / (1 - c * (x * x).sum(-1))).log() / s
    close(isometries.busemann(x, u, ball), expected)
    up, y = torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE), sample(half)
    close(isometries.busemann(y, up, half), -(s * y[:, -1]).log() / s)


def test_busemann_far_out_towards_the_ideal_point():
    """1e-15 relative at distance 300, where t - <s, u> is 0 in float64."""
    normal = NormalCoordinates(1.0)
    u = torch.tensor([0.6, 0.8], dtype=DOUBLE)
    value = isometries.busemann(
        300 * torch.tensor([1.0, 0.0], dtype=DOUBLE), torch.tensor([1.0, 0.0], dtype=DOUBLE), normal
    )
    close(value, torch.tensor(-300.0, dtype=DOUBLE), tol=1e-14)
    close(isometries.busemann(-300 * u, u, normal), torch.tensor(300.0, dtype=DOUBLE), tol=1e-14)


@curvatures
def test_horosphere_is_a_euclidean_sphere_of_the_ball(c):
    ball, u = PoincareBall(c), ideals()
    for level in (-0.7, 0.0, 1.2):
        x = isometries.to_horosphere(sample(ball), u, level, ball)
        centre, radius = isometries.horosphere(u, level, c)
        close((x - centre).norm(dim=-1), radius)
        close((u / math.sqrt(c) - centre).norm(dim=-1), radius)


@charts
def test_gradients(chart):
    manifold = chart(1.3)
    x, y, u = sample(manifold, size=2).requires_grad_(), sample(manifold, 1, size=2).requires_grad_(), ideals(size=2)
    assert torch.autograd.gradcheck(lambda x: isometries.busemann(x, u, manifold), x)
    assert torch.autograd.gradcheck(lambda x, y: isometries.translation(x, y, manifold), (x, y))
    assert torch.autograd.gradcheck(lambda x: isometries.direction_to(x, u, manifold), x)


def test_busemann_gradient_is_minus_the_direction():
    manifold = PoincareBall(2.0)
    x, u = sample(manifold).requires_grad_(), ideals()
    (grad,) = torch.autograd.grad(isometries.busemann(x, u, manifold).sum(), x)
    close(manifold.egrad2rgrad(x, grad), -isometries.direction_to(x, u, manifold).detach())


def test_float32_is_kept():
    ball = PoincareBall(1.0)
    x, u = sample(ball).float(), ideals().float()
    assert isometries.busemann(x, u, ball).dtype == torch.float32
    assert isometries.apply(isometries.translation(x, x.flip(0), ball), x, ball).dtype == torch.float32
