"""Random points: densities that integrate to 1, samples that follow them."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, unit_vectors
from torch.testing import assert_close

from hyplearn import Euclidean, NormalCoordinates, PoincareBall
from hyplearn.distributions import UniformBall, WrappedNormal, log_ball_volume
from hyplearn.maps import convert

charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
curvatures = pytest.mark.parametrize("c", CURVATURES)
DOUBLE = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(manifold, size, n=3, radius=1.5, seed=0):
    g = generator(seed)
    d = radius * torch.rand(size, 1, dtype=DOUBLE, generator=g) / manifold.c.sqrt()
    return manifold.from_normal(d * unit_vectors(size, n, generator=g))


def polar_grid(c, reach, size=200):
    """Points of the plane in normal coordinates, with the volume that each stands for (Gauss by the trapezoid rule)."""
    node, weight = (torch.as_tensor(a) for a in np.polynomial.legendre.leggauss(size))
    r = (reach * (node + 1) / 2).unsqueeze(-1)
    angle = 2 * math.pi * torch.arange(size, dtype=DOUBLE) / size
    n = torch.stack([r * angle.cos(), r * angle.sin()], -1)
    volume = weight.unsqueeze(-1) * reach / 2 * torch.sinh(math.sqrt(c) * r) / math.sqrt(c) * 2 * math.pi / size
    return n, volume.expand(size, size)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 1000])
@pytest.mark.parametrize("radius", [1e-3, 0.5, 3.0, 20.0])
@mp.workdps(40)
def test_ball_volume_against_mpmath(n, radius):
    for c in CURVATURES:
        R, m = mp.sqrt(mp.mpf(c)) * mp.mpf(radius), n - 1
        cut = max(mp.mpf(0), R - 80 / mp.mpf(max(m, 1)) * min(R, 1)) if m else mp.mpf(0)  # below it e^-80 is left
        integral = mp.quad(lambda r, R=R, m=m: (mp.sinh(r) / mp.sinh(R)) ** m, [cut, (cut + R) / 2, R])
        sphere = mp.log(2) + mp.mpf(n) / 2 * mp.log(mp.pi) - mp.loggamma(mp.mpf(n) / 2)
        expected = sphere + mp.log(integral) + m * mp.log(mp.sinh(R)) - mp.mpf(n) / 2 * mp.log(mp.mpf(c))
        assert_close(log_ball_volume(n, radius, c).item(), float(expected), rtol=1e-13, atol=1e-12)


@curvatures
def test_ball_volume_in_closed_form(c):
    s, r = math.sqrt(c), torch.tensor([0.2, 1.0, 4.0], dtype=DOUBLE)
    assert_close(log_ball_volume(2, r, c).exp(), 2 * math.pi * (torch.cosh(s * r) - 1) / c, rtol=1e-12, atol=0)
    assert_close(
        log_ball_volume(3, r, c).exp(), math.pi * (torch.sinh(2 * s * r) - 2 * s * r) / s**3, rtol=1e-11, atol=0
    )
    radius = torch.tensor(0.7, dtype=DOUBLE, requires_grad=True)
    curvature = torch.tensor(c, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r, c: log_ball_volume(3, r, c), (radius, curvature))


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_wrapped_normal_integrates_to_one(c):
    normal = NormalCoordinates(c)
    loc = torch.tensor([0.4, -0.3], dtype=DOUBLE)
    scale = torch.tensor([0.3, 0.5], dtype=DOUBLE)
    n, volume = polar_grid(c, 6.0)
    density = WrappedNormal(normal, loc, scale).log_prob(n).exp()
    assert_close((density * volume).sum(), torch.tensor(1.0, dtype=DOUBLE), rtol=1e-7, atol=0)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_uniform_ball_integrates_to_one(c):
    normal = NormalCoordinates(c)
    n, volume = polar_grid(c, 1.5)
    density = UniformBall(normal, torch.zeros(2, dtype=DOUBLE), 1.5).log_prob(n).exp()
    assert_close((density * volume).sum(), torch.tensor(1.0, dtype=DOUBLE), rtol=1e-9, atol=0)


def test_wrapped_normal_density_is_the_change_of_variables():
    """p(x) sqrt(det g(x)) |det dx/dw| = N(w), with the derivative of the sampler by autograd."""
    ball = PoincareBall(0.7)
    loc, scale = torch.tensor([0.3, -0.5, 0.2], dtype=DOUBLE), torch.tensor([0.5, 0.8, 0.3], dtype=DOUBLE)
    law = WrappedNormal(ball, loc, scale)
    noise = torch.tensor([0.3, -1.0, 0.8], dtype=DOUBLE)

    def sampler(noise):
        return ball.expmap(loc, ball.transp0(loc, scale * noise / 2))

    jacobian, x = torch.func.jacrev(sampler)(noise), sampler(noise)
    volume = 3 * ball.lambda_x(x).log() + torch.linalg.slogdet(jacobian)[1]
    expected = (-noise.square() / 2 - math.log(2 * math.pi) / 2).sum() - volume
    assert_close(law.log_prob(x), expected, rtol=1e-12, atol=1e-12)


@charts
def test_densities_and_samples_are_the_same_in_every_chart(chart):
    manifold, normal = chart(2.0), NormalCoordinates(2.0)
    loc, x = points(normal, 4), points(normal, 4, seed=1)
    there = [convert(p, normal, manifold) for p in (loc, x)]
    assert_close(WrappedNormal(manifold, there[0], 0.6).log_prob(there[1]), WrappedNormal(normal, loc, 0.6).log_prob(x))
    sample = WrappedNormal(manifold, there[0], 0.6).rsample(5, generator=generator())
    manifold.check_point(sample)
    assert sample.shape == (5, 4, 3 + manifold.extra_coords)
    expected = WrappedNormal(normal, loc, 0.6).rsample(5, generator=generator())
    assert_close(convert(sample, manifold, normal), expected, rtol=1e-8, atol=1e-8)
    sample = UniformBall(manifold, there[0], 0.9).sample(5, generator=generator())
    expected = UniformBall(normal, loc, 0.9).sample(5, generator=generator())
    assert_close(convert(sample, manifold, normal), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("radius", [0.1, 1.0, 8.0])
def test_uniform_samples_fill_shells_by_volume(n, radius):
    """The share of the volume within the distance of a sample is uniform on [0, 1] (Kolmogorov-Smirnov, N = 4000)."""
    normal = NormalCoordinates(1.0)
    loc = torch.full((n,), 0.2, dtype=DOUBLE)
    x = UniformBall(normal, loc, radius).sample(4000, generator=generator(n))
    d = normal.dist(loc, x)
    assert d.max() <= radius * (1 + 1e-12)
    share = (log_ball_volume(n, d.sort().values) - log_ball_volume(n, radius)).exp()
    steps = torch.arange(4000, dtype=DOUBLE) / 4000
    assert (share - steps).abs().max() < 0.03  # 1.9 / sqrt(N): exceeded with probability 0.002 for a right sampler


def test_uniform_samples_have_no_direction():
    normal = NormalCoordinates(1.0)
    x = UniformBall(normal, torch.zeros(3, dtype=DOUBLE), 2.0).sample(20000, generator=generator())
    u = x / x.norm(dim=-1, keepdim=True)
    assert_close(u.mean(0), torch.zeros(3, dtype=DOUBLE), rtol=0, atol=0.02)
    assert_close(u.T @ u / len(u), torch.eye(3, dtype=DOUBLE) / 3, rtol=0, atol=0.02)


def test_uniform_density_outside_is_zero():
    ball = PoincareBall(1.0)
    law = UniformBall(ball, torch.zeros(2, dtype=DOUBLE), 1.0)
    inside, outside = ball.from_normal(torch.tensor([[0.99, 0.0], [1.01, 0.0]], dtype=DOUBLE))
    assert_close(law.log_prob(inside), -torch.tensor(2 * math.pi * (math.cosh(1) - 1), dtype=DOUBLE).log())
    assert law.log_prob(outside) == -math.inf


def test_wrapped_normal_moments():
    ball = PoincareBall(2.0)
    loc, scale = points(ball, 1)[0], torch.tensor([0.2, 0.5, 1.0], dtype=DOUBLE)
    x = WrappedNormal(ball, loc, scale).rsample(20000, generator=generator())
    w = ball.transp(loc, torch.zeros_like(loc), ball.logmap(loc, x)) * 2
    assert_close(w.mean(0) / scale, torch.zeros(3, dtype=DOUBLE), rtol=0, atol=0.03)
    assert_close(w.T @ w / len(w), torch.diag(scale**2), rtol=0.05, atol=0.02)


def test_flat_space_and_gradients():
    law = WrappedNormal(Euclidean(), torch.zeros(2, dtype=DOUBLE), 0.5)
    x = torch.tensor([0.3, -0.2], dtype=DOUBLE)
    expected = torch.distributions.Normal(torch.zeros(2, dtype=DOUBLE), 0.5).log_prob(x).sum()
    assert_close(law.log_prob(x), expected)
    ball = PoincareBall(1.0)
    loc, x = (points(ball, 2, seed=k).requires_grad_() for k in (0, 1))
    scale = torch.tensor([0.4, 0.5, 0.6], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: WrappedNormal(ball, *a[:2]).log_prob(a[2]), (loc, scale, x))
    assert torch.autograd.gradcheck(lambda *a: WrappedNormal(ball, *a).rsample(generator=generator()), (loc, scale))
    at_mode = torch.autograd.grad(WrappedNormal(ball, loc, scale).log_prob(loc.detach().requires_grad_()).sum(), loc)[0]
    assert at_mode.isfinite().all()


def test_errors_name_the_argument():
    ball = PoincareBall(1.0)
    inside = torch.zeros(2)
    with pytest.raises(ValueError, match=r"^loc must lie inside the ball"):
        WrappedNormal(ball, torch.ones(2))
    with pytest.raises(ValueError, match=r"^scale must be > 0"):
        WrappedNormal(ball, inside, 0.0)
    with pytest.raises(ValueError, match=r"^radius must be a finite number > 0"):
        UniformBall(ball, inside, -1.0)


def test_float32():
    ball = PoincareBall(1.0)
    assert WrappedNormal(ball, torch.zeros(2)).rsample(3).dtype == torch.float32
    assert UniformBall(ball, torch.zeros(2), 3.0).sample(3).dtype == torch.float32
    assert WrappedNormal(ball, torch.zeros(2)).log_prob(torch.zeros(5, 2)).shape == (5,)
