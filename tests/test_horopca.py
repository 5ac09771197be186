"""HoroPCA: the projection against the limit that defines Busemann functions, and the planes it finds."""

import math

import pytest
import torch

from hyplearn.data import random_tree
from hyplearn.embeddings import HMDSEmbedding
from hyplearn.embeddings.horopca import HoroPCA, horospherical_projection
from hyplearn.manifolds import PoincareBall
from hyplearn.metrics import relative_error

F64 = torch.float64


def cloud(n, dim, c, far=2.5, seed=0, dtype=F64):
    """Points up to sqrt(c) d = `far` from the origin."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dim, generator=generator, dtype=F64)
    r = far * torch.rand(n, 1, generator=generator, dtype=F64)
    return (x / x.norm(dim=1, keepdim=True) * torch.tanh(r / 2) / math.sqrt(c)).to(dtype)


def directions(count, dim, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(dim, count, generator=generator, dtype=F64)).Q.T


def busemann(x, u, c):
    """lim d(x, p) - d(0, p) as p goes to the ideal point u, which is good to exp(-2 * 16) here."""
    ball = PoincareBall(c)
    p = torch.tanh(torch.tensor(16.0 / 2, dtype=F64)) / math.sqrt(c) * u
    return ball.dist(x, p) - ball.dist0(p)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_busemann_functions_are_kept(count, c):
    x, ideal = cloud(40, 6, c), directions(count, 6)
    y = horospherical_projection(x, ideal, c)
    assert y.shape == (40, count)
    for u, e in zip(ideal, torch.eye(count, dtype=F64), strict=True):
        assert torch.allclose(busemann(y, e, c), busemann(x, u, c), atol=1e-9 / math.sqrt(c))


@pytest.mark.parametrize("c", [0.5, 2.0])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_no_distance_grows(count, c):
    x = cloud(60, 5, c, far=4.0)
    ball, y = PoincareBall(c), horospherical_projection(x, directions(count, 5), c)
    before, after = ball.dist(x[:, None], x), ball.dist(y[:, None], y)
    assert (after <= before + 1e-9).all() and after.sum() > 0.2 * before.sum()


def test_points_of_the_plane_stay_on_the_origins_side_of_the_mirror():
    ideal, c = directions(2, 4), 2.0
    p = cloud(50, 2, c, far=3.0)
    y = horospherical_projection(p @ ideal, ideal, c)
    gap = (1 + c * (p * p).sum(1)) - 2 * math.sqrt(c) * p.sum(1)  # t - s_1 - s_2, up to a positive factor
    assert (gap > 0).any() and (gap < 0).any()
    assert torch.allclose(y[gap > 0], p[gap > 0], atol=1e-12)
    mirrored = PoincareBall(c).dist(y[gap < 0], p[gap < 0])
    assert (mirrored > 0).all()
    line = horospherical_projection(p[:, :1] @ ideal[:1], ideal[:1], c)
    assert torch.allclose(line, p[:, :1], atol=1e-12)


def test_projection_keeps_dtype_and_has_gradients():
    x = cloud(7, 4, 1.0, dtype=torch.float32)
    assert horospherical_projection(x, directions(2, 4)).dtype == torch.float32
    x = cloud(7, 4, 1.0).requires_grad_()
    ideal = directions(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, u: horospherical_projection(x, u, 0.5), (x, ideal))
    origin = torch.zeros(4, dtype=F64, requires_grad=True)
    y = horospherical_projection(origin, directions(2, 4))
    assert torch.allclose(y, torch.zeros(2, dtype=F64), atol=1e-15)
    (slope,) = torch.autograd.grad(y.sum(), origin)
    assert slope.isfinite().all()


@pytest.mark.parametrize("c", [0.5, 3.0])
@pytest.mark.parametrize("dim, flat", [(1, 1), (2, 2), (3, 2)])
def test_a_cloud_in_a_plane_keeps_its_distances(dim, flat, c):
    """Wherever the plane is, if the cloud is small enough not to reach the mirror."""
    ball = PoincareBall(c)
    inside = cloud(15, flat, c, far=0.6) @ directions(flat, 5)
    x = ball.mobius_add(cloud(1, 5, c, seed=3)[0], inside)
    y = HoroPCA(dim, c=c, steps=15).fit(x).transform(x)
    assert relative_error(ball.dist(y[:, None], y), ball.dist(x[:, None], x)) < 2e-3  # as far as the climb got


def test_it_sees_more_than_any_flat_guess_and_does_not_depend_on_the_place():
    tree = random_tree(30, seed=1)
    x, ball = HMDSEmbedding(8, scale=1.5).fit(tree).embedding_, PoincareBall(1.0)
    true = ball.dist(x[:, None], x)
    errors = []
    for dim in (1, 2, 3):
        model = HoroPCA(dim, steps=15).fit(x)
        assert torch.allclose(model.ideal_ @ model.ideal_.T, torch.eye(dim, dtype=F64), atol=1e-12)
        y = model.transform(x)
        errors.append(relative_error(ball.dist(y[:, None], y), true))
    assert errors == sorted(errors, reverse=True)
    logs = ball.logmap0(ball.mobius_add(-model.mean_, x))
    plane = ball.expmap0(logs @ torch.linalg.svd(logs, full_matrices=False).Vh[:2].T)
    assert errors[1] < relative_error(ball.dist(plane[:, None], plane), true)

    moved = ball.mobius_add(cloud(1, 8, 1.0, far=1.0, seed=5)[0], x @ directions(8, 8))
    y, z = HoroPCA(2, steps=15).fit(x).transform(x), HoroPCA(2, steps=15).fit(moved).transform(moved)
    assert relative_error(ball.dist(z[:, None], z), ball.dist(y[:, None], y)) < 0.03
    some = HoroPCA(2, sample=20, steps=15).fit(x).transform(x)
    assert relative_error(ball.dist(some[:, None], some), true) < errors[0]


def test_bad_input():
    with pytest.raises(ValueError, match="dim must be at least 1"):
        HoroPCA(0)
    with pytest.raises(ValueError, match=r"n >= dim = 3, got \(4, 2\)"):
        HoroPCA(3).fit(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="inside the ball"):
        HoroPCA(1).fit(torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=F64))
