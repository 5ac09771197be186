"""Midpoints and the Frechet mean: one point by three formulas, and the minimum that mpmath finds."""

import math

import mpmath as mp
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, unit_vectors
from torch.testing import assert_close

from hyplearn import Curvature, Euclidean, Klein, Lorentz, NormalCoordinates, PoincareBall, isometries
from hyplearn.maps import convert
from hyplearn.means import einstein_midpoint, frechet_mean, gyromidpoint, lorentz_centroid, midpoint

charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
curvatures = pytest.mark.parametrize("c", CURVATURES)
DOUBLE = torch.float64


def cloud(manifold, radius, *batch, size=7, n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    d = radius * torch.rand(*batch, size, 1, dtype=DOUBLE, generator=g) / manifold.c.sqrt()
    return manifold.from_normal(d * unit_vectors(*batch, size, n, generator=g)), torch.rand(
        *batch, size, dtype=DOUBLE, generator=g
    )


def close(actual, expected, tol=1e-9):
    assert_close(actual, expected, rtol=tol, atol=tol)


# --- midpoints ------------------------------------------------------------------------------------------------------


@curvatures
def test_three_midpoints_are_one_point(c):
    normal = NormalCoordinates(c)
    n, w = cloud(normal, 4.0, 5)
    expected = midpoint(normal, n, w)
    for chart, formula in ((Klein, einstein_midpoint), (PoincareBall, gyromidpoint), (Lorentz, lorentz_centroid)):
        manifold = chart(c)
        x = convert(n, normal, manifold)
        close(convert(formula(manifold, x, w), manifold, normal), expected)
        close(convert(formula(manifold, x), manifold, normal), midpoint(normal, n))


@charts
@curvatures
def test_midpoint_in_every_chart(chart, c):
    manifold, normal = chart(c), NormalCoordinates(c)
    n, w = cloud(normal, 4.0, 5)
    close(convert(midpoint(manifold, convert(n, normal, manifold), w), manifold, normal), midpoint(normal, n, w))


@curvatures
def test_midpoint_against_mpmath_far_out(c):
    """Where T^2 - |S|^2 loses all digits: a cluster at sqrt(c) d = 30."""
    normal = NormalCoordinates(c)
    s = math.sqrt(c)
    n = torch.tensor([[30.0, 1e-13], [30.5, -2e-13], [29.0, 0.0]], dtype=DOUBLE) / s
    w = torch.tensor([1.0, 2.0, 0.5], dtype=DOUBLE)
    total = [mp.mpf(0)] * 3
    for row, weight in zip(n, w, strict=True):
        point = Oracle(normal).lift(Oracle(normal).space([mp.mpf(v) for v in row.tolist()]))
        total = [a + mp.mpf(float(weight)) * b for a, b in zip(total, point, strict=True)]
    scale = mp.sqrt(-Oracle.minkowski(total, total))
    expected = Oracle(normal).point([v / scale for v in total[1:]])
    actual = midpoint(normal, n, w)
    assert abs(actual[0].item() - float(expected[0])) < 1e-13 / s
    assert abs(actual[1].item() - float(expected[1])) < 1e-14 * abs(float(expected[1])) * 1e3


@charts
def test_midpoint_of_two_is_the_middle(chart):
    manifold = chart(0.5)
    x, y = cloud(manifold, 3.0, size=2)[0]
    middle = midpoint(manifold, torch.stack([x, y]))
    close(manifold.dist(middle, manifold.geodesic(0.5, x, y)), torch.zeros((), dtype=DOUBLE))
    close(manifold.dist(frechet_mean(manifold, torch.stack([x, y])), middle), torch.zeros((), dtype=DOUBLE))
    weights = torch.tensor([0.3, 0.7], dtype=DOUBLE)
    close(
        manifold.dist(frechet_mean(manifold, torch.stack([x, y]), weights), manifold.geodesic(0.7, x, y)),
        torch.zeros((), dtype=DOUBLE),
    )


@pytest.mark.parametrize("mean", [midpoint, frechet_mean])
def test_means_move_with_isometries_and_are_not_each_other(mean):
    ball = PoincareBall(2.0)
    x, w = cloud(ball, 3.0)
    move = isometries.translation(x[0], x[1], ball)
    close(mean(ball, isometries.apply(move, x, ball), w), isometries.apply(move, mean(ball, x, w), ball))
    assert ball.dist(midpoint(ball, x, w), frechet_mean(ball, x, w)) > 0.01


@pytest.mark.parametrize("mean", [midpoint, frechet_mean])
def test_limits(mean):
    x, w = cloud(NormalCoordinates(1.0), 1.0)
    flat = mean(Euclidean(), x, w)
    close(flat, (w[:, None] * x).sum(0) / w.sum())
    close(mean(NormalCoordinates(1e-9), x, w), flat, tol=1e-8)
    same = x[:1].expand(4, 3)
    close(mean(NormalCoordinates(1.0), same), x[0], tol=1e-14)
    opposite = torch.stack([x[0], -x[0]])
    close(mean(NormalCoordinates(1.0), opposite), torch.zeros(3, dtype=DOUBLE), tol=1e-14)
    with pytest.raises(ValueError, match=r"^weights must end in N = 7"):
        mean(NormalCoordinates(1.0), x, w[:3])


# --- the Frechet mean -----------------------------------------------------------------------------------------------


def minimum_by_mpmath(c, n, w):
    """The zero of the gradient of sum w d^2 in normal coordinates of the plane, by mpmath's secant iteration."""
    with mp.workdps(30):
        rows, weights = [[mp.mpf(v) for v in r] for r in n.tolist()], [mp.mpf(v) for v in w.tolist()]
        root = mp.sqrt(mp.mpf(c))

        def cost(a, b):
            oracle = Oracle(NormalCoordinates(c), n=2)
            oracle.root = root
            return sum(k * oracle.dist([a, b], r) ** 2 for k, r in zip(weights, rows, strict=True))

        h = mp.mpf(10) ** -10

        def gradient(a, b):
            return [(cost(a + h, b) - cost(a - h, b)) / (2 * h), (cost(a, b + h) - cost(a, b - h)) / (2 * h)]

        found = mp.findroot(gradient, (rows[0][0] / 2, rows[0][1] / 2), tol=1e-24, maxsteps=60)
        return torch.tensor([float(found[0]), float(found[1])], dtype=DOUBLE)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_frechet_mean_against_mpmath(c):
    normal = NormalCoordinates(c)
    n, w = cloud(normal, 2.0, size=4, n=2, seed=3)
    close(frechet_mean(normal, n, w), minimum_by_mpmath(c, n, w), tol=1e-13)


@charts
@curvatures
def test_frechet_mean_is_stationary_in_every_chart(chart, c):
    manifold, normal = chart(c), NormalCoordinates(c)
    n, w = cloud(normal, 5.0, 4)
    x = convert(n, normal, manifold)
    mean = frechet_mean(manifold, x, w)
    manifold.check_point(mean)
    close(convert(mean, manifold, normal), frechet_mean(normal, n, w), tol=1e-9)
    pull = (w.unsqueeze(-1) * manifold.logmap(mean.unsqueeze(-2), x)).sum(-2)
    assert (manifold.norm(mean, pull) * manifold.c.sqrt()).max() < 1e-9


@pytest.mark.parametrize("radius", [5.0, 10.0, 16.0])
@pytest.mark.parametrize(("size", "n"), [(2, 5), (6, 2), (40, 10)])
def test_frechet_mean_converges_for_far_points_and_uneven_weights(radius, size, n):
    """Newton's method alone cycles here: three far points look like two directions from a vertex."""
    ball = PoincareBall(1.0)
    x, w = cloud(ball, radius, 100, size=size, n=n)
    w = w**4
    mean = frechet_mean(ball, x, w)
    v = ball.lambda_x(mean, keepdim=True).unsqueeze(-2) * ball.logmap(mean.unsqueeze(-2), x)
    pull = (w.unsqueeze(-1) * v).sum(-2).norm(dim=-1) / w.sum(-1)
    assert pull.max() < 1e-16 * math.exp(radius) * 10  # what the ball's coordinates carry


@charts
def test_gradient_in_points_and_weights(chart):
    manifold = chart(1.3)
    x, w = (t.requires_grad_() for t in cloud(manifold, 2.0, size=3, n=2))
    assert torch.autograd.gradcheck(lambda x, w: frechet_mean(manifold, x, w), (x, w), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x, w: midpoint(manifold, x, w), (x, w))


@charts
@pytest.mark.parametrize("mean", [midpoint, frechet_mean])
def test_gradient_in_the_curvature(chart, mean):
    x, w = cloud(chart(1.3), 2.0, size=4)
    curvature = Curvature(1.3, learnable=True)
    result = mean(chart(curvature), x, w)
    seed = torch.randn(result.shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    (result * seed).sum().backward()
    h = 1e-6
    ends = [(mean(chart(1.3 * math.exp(sign * h)), x, w) * seed).sum() for sign in (1, -1)]
    assert_close(curvature.log_ratio.grad, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-8)


def test_gradient_at_coincident_points_and_the_origin():
    ball = PoincareBall(1.0)
    x = torch.zeros(3, 2, dtype=DOUBLE, requires_grad=True)
    (grad,) = torch.autograd.grad(frechet_mean(ball, x)[0], x)
    close(grad, torch.tensor([[1 / 3, 0.0]] * 3, dtype=DOUBLE), tol=1e-14)


@pytest.mark.parametrize("mean", [midpoint, frechet_mean])
def test_float32_vmap_and_no_mutation(mean):
    ball = PoincareBall(1.0)
    x, w = cloud(ball, 2.0, 5)
    before = x.clone()
    expected = mean(ball, x, w)
    assert torch.equal(x, before)
    close(torch.func.vmap(lambda x, w: mean(ball, x, w))(x, w), expected)
    low = mean(ball, x.float(), w.float())
    assert low.dtype == torch.float32
    assert_close(low.double(), expected, rtol=1e-6, atol=1e-6)
    assert mean(ball, x.half()).isfinite().all()


@pytest.mark.slow
def test_compiles_without_a_graph_break():
    ball = PoincareBall(1.0)
    x, w = cloud(ball, 2.0)

    def both(x, w):
        return midpoint(ball, x, w), frechet_mean(ball, x, w, steps=2)

    assert_close(torch.compile(both, fullgraph=True, backend="aot_eager")(x, w), both(x, w))


# --- bugs of published code that we do not have ---------------------------------------------------------------------


@curvatures
def test_not_a_frechet_mean_for_curvature_minus_1_only(c):
    """CUAI's Frechet mean (issue 4), HoroPCA (4), HIER (2): points scaled by s with c/s^2 have the scaled mean."""
    x, w = cloud(NormalCoordinates(1.0), 3.0)
    scaled = frechet_mean(NormalCoordinates(c), x / math.sqrt(c), w)
    close(scaled * math.sqrt(c), frechet_mean(NormalCoordinates(1.0), x, w), tol=1e-12)
    ideal = unit_vectors(1, 3, generator=torch.Generator().manual_seed(0))[0]
    b = isometries.busemann(x / math.sqrt(c), ideal, NormalCoordinates(c))
    close(b * math.sqrt(c), isometries.busemann(x, ideal, NormalCoordinates(1.0)), tol=1e-12)
