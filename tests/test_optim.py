"""RiemannianSGD and RiemannianAdam: torch's steps on flat parameters, the textbook's on points, for every c."""

import copy
import io

import pytest
import torch
from torch import nn

from hyplearn import Curvature, Euclidean, HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.optim import RiemannianAdam, RiemannianSGD, clip_grad_norm_

CURVATURES = [0.1, 1.0, 10.0]


def ball_points(c, *shape, seed=0, radius=0.7, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    length = radius * torch.rand(*shape[:-1], 1, generator=generator, dtype=torch.float64)
    return (x / x.norm(dim=-1, keepdim=True) * length / c**0.5).to(dtype)


def run(optimizer, loss, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


# --- flat parameters: torch's optimisers, exactly -----------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, theirs, options",
    [
        (RiemannianSGD, torch.optim.SGD, dict(lr=0.1)),
        (RiemannianSGD, torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.01)),
        (RiemannianSGD, torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True)),
        (RiemannianSGD, torch.optim.SGD, dict(lr=0.1, momentum=0.5, dampening=0.3, maximize=True)),
        (RiemannianAdam, torch.optim.Adam, dict(lr=0.05)),
        (RiemannianAdam, torch.optim.Adam, dict(lr=0.05, betas=(0.8, 0.95), amsgrad=True, weight_decay=0.1)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flat_parameters_take_torchs_own_steps(ours, theirs, options, dtype):
    torch.manual_seed(0)
    start = [torch.randn(4, 3, dtype=dtype), torch.randn(5, dtype=dtype)]
    results = []
    for make in (ours, theirs):
        params = [nn.Parameter(s.clone()) for s in start]
        run(make(params, **options), lambda params=params: sum((p.sin() * p).sum() for p in params), 10)
        results.append(params)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


# --- points: the textbook's step ----------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
def test_sgd_step_is_the_exponential_map_of_the_riemannian_gradient(c):
    ball, start, target = PoincareBall(c), ball_points(c, 6, 3), ball_points(c, 6, 3, seed=1)
    x = nn.Parameter(start.clone())
    run(RiemannianSGD([x], lr=0.1, manifold=ball), lambda: (ball.dist(x, target) ** 2).sum() / 2, 1)
    # The gradient of d(x, y)^2 / 2 is -log_x y: the step goes a tenth of the way to the target.
    assert torch.allclose(ball.dist(x, target), 0.9 * ball.dist(start, target), rtol=1e-9)
    assert torch.allclose(x, ball.geodesic(torch.tensor(0.1).double(), start, target), atol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("c", CURVATURES)
def test_momentum_is_transported_along_the_path(c, nesterov):
    ball, target = PoincareBall(c), ball_points(c, 6, 3, seed=1)
    x = nn.Parameter(ball_points(c, 6, 3))
    y = x.detach().clone()
    run(
        RiemannianSGD([x], lr=0.1, momentum=0.8, nesterov=nesterov, manifold=ball),
        lambda: (ball.dist(x, target) ** 2).sum() / 2,
        7,
    )
    buffer = torch.zeros_like(y)
    for _ in range(7):
        grad = -ball.logmap(y, target)
        buffer = 0.8 * buffer + grad
        step = grad + 0.8 * buffer if nesterov else buffer
        new = ball.expmap(y, -0.1 * step)
        buffer, y = ball.transp(y, new, buffer), new
    assert torch.allclose(x, y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("c", CURVATURES)
def test_adam_is_radam_with_one_pace_per_point(c, amsgrad):
    ball, target = PoincareBall(c), ball_points(c, 5, 2, seed=1)
    x = nn.Parameter(ball_points(c, 5, 2))
    y, m, v, largest = x.detach().clone(), 0.0, 0.0, torch.zeros(5, 1).double()
    run(
        RiemannianAdam([x], lr=0.05, betas=(0.7, 0.9), amsgrad=amsgrad, manifold=ball),
        lambda: (ball.dist(x, target) ** 2).sum() / 2,
        9,
    )
    for t in range(1, 10):
        grad = -ball.logmap(y, target)
        m, v = 0.7 * m + 0.3 * grad, 0.9 * v + 0.1 * ball.norm(y, grad, keepdim=True) ** 2
        largest = torch.maximum(largest, v)
        used = largest if amsgrad else v
        new = ball.expmap(y, -0.05 * m / (1 - 0.7**t) / ((used / (1 - 0.9**t)).sqrt() + 1e-8))
        m, y = ball.transp(y, new, m), new
    assert torch.allclose(x, y, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("chart", [Lorentz, Klein, HalfSpace, Hemisphere, NormalCoordinates])
@pytest.mark.parametrize(
    "make",
    [
        lambda p, M: RiemannianSGD(p, lr=0.1, momentum=0.8, nesterov=True, manifold=M),
        lambda p, M: RiemannianAdam(p, lr=0.05, betas=(0.7, 0.9), manifold=M),
    ],
    ids=["SGD", "Adam"],
)
def test_points_take_the_same_path_in_every_chart(make, chart, c):
    ball, M = PoincareBall(c), chart(c)
    start, target = ball_points(c, 6, 3), ball_points(c, 6, 3, seed=1)
    paths = []
    for N in (ball, M):
        x, goal = (nn.Parameter(N.from_normal(ball.to_normal(p))) for p in (start, target))
        run(make([x], N), lambda N=N, x=x, goal=goal: (N.dist(x, goal.detach()) ** 2).sum() / 2, 6)
        paths.append(N.to_normal(x.detach()))
    torch.testing.assert_close(*paths, rtol=1e-8, atol=1e-9 / c**0.5)
    assert (paths[0] - ball.to_normal(start)).norm(dim=-1).max() > 0.1


def test_on_flat_points_sgd_with_momentum_is_torchs():
    start = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    run(RiemannianSGD([a], lr=0.01, momentum=0.9, manifold=Euclidean()), lambda: (a**4).sum(), 8)
    run(torch.optim.SGD([b], lr=0.01, momentum=0.9), lambda: (b**4).sum(), 8)
    assert torch.allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("make", [RiemannianSGD, RiemannianAdam])
def test_a_hundred_parameters_move_as_one_matrix_does(make):
    ball = PoincareBall(0.5)
    together = nn.Parameter(ball_points(0.5, 30, 3))
    parts = [nn.Parameter(p.clone()) for p in together.detach().split([1, 4, 10, 15])]
    parts[3] = nn.Parameter(parts[3].detach().view(3, 5, 3))
    target = ball_points(0.5, 3, seed=2)
    run(make([together], lr=0.03, manifold=ball), lambda: ball.dist(together, target).sum(), 5)
    run(make(parts, lr=0.03, manifold=ball), lambda: sum(ball.dist(p, target).sum() for p in parts), 5)
    assert torch.equal(torch.cat([p.reshape(-1, 3) for p in parts]), together)


@pytest.mark.parametrize("make", [RiemannianSGD, RiemannianAdam])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_stay_inside_however_large_the_step(make, dtype):
    ball = PoincareBall(2.0)
    x = nn.Parameter(ball_points(2.0, 50, 2, dtype=dtype))
    run(make([x], lr=50.0, manifold=ball), lambda: -ball.dist0(x).sum(), 10)
    assert x.isfinite().all() and (2 * (x.double() ** 2).sum(-1) < 1).all()


# --- sparse gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [dict(), dict(momentum=0.9)])
def test_sparse_gradients_move_only_their_rows_and_as_dense_ones_do(options):
    ball, start, index = PoincareBall(1.0), ball_points(1.0, 8, 2), torch.tensor([1, 5, 5, 2])
    sparse = nn.Embedding(8, 2, sparse=True, _weight=start.clone())
    dense = nn.Parameter(start.clone())
    run(
        RiemannianSGD(sparse.parameters(), lr=0.1, manifold=ball, **options), lambda: ball.dist0(sparse(index)).sum(), 4
    )
    run(RiemannianSGD([dense], lr=0.1, manifold=ball, **options), lambda: ball.dist0(dense[index]).sum(), 4)
    assert torch.allclose(sparse.weight, dense, rtol=1e-12)
    untouched = torch.tensor([0, 3, 4, 6, 7])
    assert torch.equal(sparse.weight[untouched], start[untouched])


def test_sparse_adam_leaves_the_moments_of_absent_rows_alone():
    ball, table = PoincareBall(1.0), nn.Embedding(6, 2, sparse=True, _weight=ball_points(1.0, 6, 2))
    optimizer = RiemannianAdam(table.parameters(), lr=0.1, manifold=ball)
    run(optimizer, lambda: ball.dist0(table(torch.tensor([0, 3]))).sum(), 2)
    before = copy.deepcopy(optimizer.state[table.weight])
    run(optimizer, lambda: ball.dist0(table(torch.tensor([1]))).sum(), 1)
    for key in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(optimizer.state[table.weight][key][[0, 3]], before[key][[0, 3]])
        assert not torch.equal(optimizer.state[table.weight][key][1], before[key][1])


# --- the interface of torch.optim -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda g: RiemannianSGD(g, lr=0.1, momentum=0.9), lambda g: RiemannianAdam(g, lr=0.1)]
)
def test_a_saved_optimiser_goes_on_bit_for_bit(make):
    ball, target = PoincareBall(Curvature(0.5)), ball_points(0.5, 4, 3, seed=3)

    def model():
        point, flat = nn.Parameter(ball_points(0.5, 4, 3)), nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = make([{"params": [point], "manifold": ball}, {"params": [flat], "lr": 0.01}])
        return point, flat, optimizer, lambda: (ball.dist(point, target) * (flat**2).sum()).sum()

    point, flat, optimizer, loss = model()
    run(optimizer, loss, 3)
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "point": point.detach(), "flat": flat.detach()}, file)
    run(optimizer, loss, 3)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    point2, flat2, optimizer2, loss2 = model()
    point2.data, flat2.data = saved["point"], saved["flat"]
    optimizer2.load_state_dict(saved["optimizer"])
    run(optimizer2, loss2, 3)
    assert torch.equal(point, point2) and torch.equal(flat, flat2)


def test_closures_and_schedulers_work_as_with_torch():
    ball = PoincareBall(1.0)
    x = nn.Parameter(ball_points(1.0, 3, 2))
    optimizer = RiemannianSGD([x], lr=0.1, manifold=ball)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    before = ball.dist0(x).sum().item()

    def closure():
        optimizer.zero_grad()
        loss = ball.dist0(x).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(before)
    assert ball.dist0(x).sum().item() == pytest.approx(before - 3 * 0.1)  # |grad dist0| = 1: each point moves by lr
    scheduler.step()
    optimizer.step(closure)
    assert ball.dist0(x).sum().item() == pytest.approx(before - 3 * 0.15)


@pytest.mark.parametrize("c", CURVATURES)
def test_clipping_measures_gradients_in_the_metric(c):
    ball = PoincareBall(c)
    x, w = nn.Parameter(ball_points(c, 4, 2) + 0.01), nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer = RiemannianSGD([{"params": [x], "manifold": ball}, {"params": [w]}], lr=1.0)
    (ball.dist0(x).sum() + 4 * w).sum().backward()
    assert clip_grad_norm_(optimizer, 1.0).item() == pytest.approx((4 * 1 + 16) ** 0.5)  # |grad dist0| = 1, four times
    assert clip_grad_norm_(optimizer, 1.0).item() == pytest.approx(1.0)
    assert clip_grad_norm_(optimizer, 5.0).item() == pytest.approx(1.0)  # short gradients stay as they are
    assert w.grad.item() == pytest.approx(4 / 20**0.5)


def test_clipping_counts_the_rows_of_a_sparse_gradient_once():
    ball, start = PoincareBall(1.0), ball_points(1.0, 8, 2) + 0.01
    sparse, dense = nn.Embedding(8, 2, sparse=True, _weight=start.clone()), nn.Parameter(start.clone())
    index = torch.tensor([1, 5, 5, 2])  # row 5 occurs twice: its gradients add up before they are measured
    norms = []
    for x, loss in ((sparse.weight, ball.dist0(sparse(index)).sum()), (dense, ball.dist0(dense[index]).sum())):
        optimizer = RiemannianSGD([x], lr=0.1, manifold=ball)
        loss.backward()
        norms.append(clip_grad_norm_(optimizer, 0.5).item())
        optimizer.step()
    assert norms == pytest.approx([6**0.5, 6**0.5])
    assert torch.allclose(sparse.weight, dense, rtol=1e-12)


def test_learned_curvature_is_a_flat_parameter():
    curvature = Curvature(1.0, learnable=True)
    ball = PoincareBall(curvature)
    x, y = ball_points(1.0, 5, 2), ball_points(1.0, 5, 2, seed=1)
    optimizer = RiemannianAdam(curvature.parameters(), lr=0.1)
    run(optimizer, lambda: ball.dist(x, y).sum(), 5)
    assert 0 < curvature().item() < 1 and curvature().dtype == torch.float64


def test_bug_hypll_adam_normalised_flat_gradients_per_row():
    """HypLL 0.1.1 stepped (-.001, -.0099, -.0995) for g = (1, 10, 100); Adam's first step has one size."""
    w = nn.Parameter(torch.zeros(1, 3))
    run(RiemannianAdam([w], lr=1e-3), lambda: (w * torch.tensor([1.0, 10.0, 100.0])).sum(), 1)
    assert torch.allclose(w, torch.full((1, 3), -1e-3), rtol=1e-6)


def test_bug_hypll_momentum_stayed_the_first_gradient():
    ball = PoincareBall(1.0)
    x = nn.Parameter(torch.tensor([[0.1, 0.0]], dtype=torch.float64))
    optimizer = RiemannianSGD([x], lr=0.01, momentum=0.9, manifold=ball)
    lengths = []
    for _ in range(3):
        run(optimizer, lambda: -ball.dist0(x).sum(), 1)
        lengths.append(ball.norm(x, optimizer.state[x]["momentum_buffer"]).item())
    assert lengths == pytest.approx([1.0, 1.9, 2.71])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda x: RiemannianSGD([x], lr=-1.0), "lr must be >= 0"),
        (lambda x: RiemannianSGD([x], nesterov=True), "nesterov needs momentum"),
        (lambda x: RiemannianAdam([x], betas=(0.9, 1.0)), r"betas must lie in \[0, 1\)"),
        (
            lambda x: RiemannianAdam([x], weight_decay=0.1, manifold=PoincareBall(1.0)),
            "weight_decay must be 0 for points",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(nn.Parameter(torch.zeros(2, 2)))


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("radius", [0.01, 1.0, 6.0])
@pytest.mark.parametrize("t", [-0.7, 0.0, 1.5])
def test_the_balls_geodesic_flow_is_expmap_and_transport(c, radius, t):
    ball, generator = PoincareBall(c), torch.Generator().manual_seed(0)
    n = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    x = ball.from_normal(n / n.norm(dim=1, keepdim=True) * radius / c**0.5)
    v = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    v = v / ball.norm(x, v, keepdim=True) / c**0.5
    y, velocity = ball.geodesic_flow(x, v, t)
    expected = ball.expmap(x, t * v)
    # One rounding of a point's coordinates moves it by eps cosh^2(radius / 2) and more, in units of distance.
    tolerance = 1e-14 * torch.tensor(radius + abs(t)).cosh().item() ** 2
    assert ball.dist(y, expected).max() * c**0.5 < tolerance
    assert ball.norm(expected, velocity - ball.transp(x, expected, v)).max() * c**0.5 < tolerance


def test_adam_can_go_uphill():
    ball, x = PoincareBall(0.5), nn.Parameter(ball_points(0.5, 4, 2))
    before = ball.dist0(x)
    run(RiemannianAdam([x], lr=0.1, manifold=ball, maximize=True), lambda: ball.dist0(x).sum(), 1)
    assert torch.allclose(ball.dist0(x), before + 0.1)
