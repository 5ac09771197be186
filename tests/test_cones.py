"""Entailment cones: published formulas in mpmath, all charts and curvatures, nesting; embeddings that learn them."""

import math

import mpmath
import pytest
import torch

from hyplearn import Euclidean, HalfSpace, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.cones import apex_angle, cone_energy, cone_limit, cone_slack, half_aperture, order_energy
from hyplearn.data import Hierarchy, balanced_tree, random_tree
from hyplearn.embeddings import ConeEmbedding, EuclideanConeEmbedding, OrderEmbedding
from hyplearn.embeddings.cones import entailment_split, labelled
from hyplearn.maps import convert
from hyplearn.metrics import best_threshold, f1_score

CURVATURES = [0.1, 0.5, 1.0, 2.0, 10.0]
METHODS = [ConeEmbedding, EuclideanConeEmbedding, OrderEmbedding]
QUICK = {"epochs": 4, "negatives": 5, "batch_size": 8, "burn_in": 1}


def cloud(*shape, far, seed=0, near=0.0):
    """Normal coordinates (for c = 1) in random directions, `near` to `far` from the origin."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    radius = near + (far - near) * torch.rand(*shape[:-1], 1, generator=generator, dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True) * radius


def pairs(chart, c, far, n=20, dim=3, seed=0):
    """Points x outside the hole in the middle, and points y around them and beyond."""
    normal = NormalCoordinates(c)
    x = cloud(n, dim, near=0.3, far=far, seed=seed) / math.sqrt(c)
    y = normal.expmap(x, normal.transp0(x, cloud(n, dim, far=min(far, 3.0), seed=seed + 1) / math.sqrt(c)))
    return convert(x, normal, chart), convert(y, normal, chart)


def in_the_ball(x, y, c, K):
    """Aperture and angle as Ganea et al. (2018) publish them, with c put in, to 60 digits."""
    with mpmath.workdps(60):
        x, y, c = [mpmath.mpf(v) for v in x], [mpmath.mpf(v) for v in y], mpmath.mpf(c)
        xx, yy, xy = (mpmath.fdot(a, b) for a, b in ((x, x), (y, y), (x, y)))
        gap = mpmath.sqrt(xx - 2 * xy + yy)
        cosine = (xy * (1 + c * xx) - xx * (1 + c * yy)) / (
            mpmath.sqrt(xx) * gap * mpmath.sqrt(1 + c * c * xx * yy - 2 * c * xy)
        )
        return mpmath.asin(K * (1 - c * xx) / mpmath.sqrt(c * xx)), mpmath.acos(cosine)


def on_the_hyperboloid(x, y, c, K):
    """The same in the form of Desai et al. (2023), from space parts."""
    with mpmath.workdps(60):
        x, y, c = [mpmath.mpf(v) for v in x], [mpmath.mpf(v) for v in y], mpmath.mpf(c)
        size = mpmath.sqrt(mpmath.fdot(x, x))
        t, s = (mpmath.sqrt(1 / c + mpmath.fdot(a, a)) for a in (x, y))
        product = c * (mpmath.fdot(x, y) - t * s)
        angle = mpmath.acos((s + t * product) / (size * mpmath.sqrt(product**2 - 1)))
        return mpmath.asin(2 * K / (mpmath.sqrt(c) * size)), angle


# --- geometry ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("dtype, far", [(torch.float64, 1.0), (torch.float64, 12.0), (torch.float32, 6.0)])
@pytest.mark.parametrize("published", [in_the_ball, on_the_hyperboloid])
def test_aperture_angle_and_energy_against_the_published_formulas(c, dtype, far, published):
    chart, K = (PoincareBall(c), 0.1) if published is in_the_ball else (Lorentz(c), 0.13)
    x, y = (p.to(dtype) for p in pairs(chart, c, far))
    psi, xi = half_aperture(x, chart, K), apex_angle(x, y, chart)
    slack, energy = cone_slack(x, y, chart, K), cone_energy(x, y, chart, K)
    assert psi.dtype == xi.dtype == energy.dtype == dtype
    space = slice(chart.extra_coords, None)
    # A point at distance d is rounded by eps sinh(d) / sinh of its distance from the other as an angle: see both terms.
    eps = torch.finfo(dtype).eps
    for k in range(len(x)):
        aperture, angle = published(x[k, space].tolist(), y[k, space].tolist(), c, K)
        assert float(psi[k]) == pytest.approx(float(aperture), rel=20 * eps)
        room = 40 * eps * (1 + 1 / math.tanh(math.sqrt(c) * float(chart.dist(x[k], y[k]))))
        room += 1e-13 * math.exp(math.sqrt(c) * float(chart.dist0(x[k])) - 6)
        assert float(xi[k]) == pytest.approx(float(angle), abs=room)
        assert float(slack[k]) == pytest.approx(float(angle - aperture), abs=room)
        assert float(energy[k]) == max(0.0, float(slack[k]))


@pytest.mark.parametrize("c", CURVATURES)
def test_all_charts_agree(c):
    ball = PoincareBall(c)
    x, y = pairs(ball, c, far=6.0)
    expected = cone_slack(x, y, ball)
    for chart in (Lorentz(c), Klein(c), HalfSpace(c), NormalCoordinates(c)):
        a, b = convert(x, ball, chart), convert(y, ball, chart)
        assert torch.allclose(cone_slack(a, b, chart), expected, rtol=0, atol=1e-9), chart
    assert torch.allclose(cone_slack(x.T, y.T, ball, dim=0), expected)
    assert cone_slack(x[:, None], y, ball).shape == (20, 20)


def test_the_angle_is_that_of_the_logarithm():
    ball = PoincareBall(2.0)
    x, y = pairs(ball, 2.0, far=4.0)
    towards = ball.logmap(x, y)  # the ball is conformal: its angles are Euclid's
    cosine = (x * towards).sum(-1) / x.norm(dim=-1) / towards.norm(dim=-1)
    assert torch.allclose(apex_angle(x, y, ball), torch.acos(cosine), atol=1e-7)


def test_flat_cones_are_the_limit_of_hyperbolic_ones():
    x, y, c, K = cloud(50, 3, near=0.5, far=2.0), cloud(50, 3, far=3.0, seed=1), 1e-8, 0.2
    flat, nearly = Euclidean(), NormalCoordinates(c)
    assert torch.allclose(apex_angle(x, y, nearly), apex_angle(x, y, flat), atol=1e-7)
    assert torch.allclose(half_aperture(x, nearly, math.sqrt(c) * K / 2), half_aperture(x, flat, K), atol=1e-7)
    by_hand = torch.acos(((y - x) * x).sum(-1) / (y - x).norm(dim=-1) / x.norm(dim=-1))
    assert torch.allclose(apex_angle(x, y, flat), by_hand, atol=1e-7)
    assert torch.allclose(half_aperture(x, flat, K), torch.asin(K / x.norm(dim=-1)))


@pytest.mark.parametrize("chart", [PoincareBall(0.5), Lorentz(2.0), Euclidean()])
def test_where_there_are_no_cones(chart):
    limit = cone_limit(chart, 0.2)
    dist = (lambda d: d) if isinstance(chart, Euclidean) else (lambda d: d / 2 if chart.extra_coords == 0 else d)
    for d in (0.0, 0.5 * limit, limit * (1 - 1e-12)):
        v = torch.zeros(3 + chart.extra_coords, dtype=torch.float64)
        v[-1] = dist(d)
        x = chart.expmap0(v.clone()).requires_grad_()
        psi = half_aperture(x, chart, 0.2)
        (slope,) = torch.autograd.grad(psi, x)
        assert psi.item() == pytest.approx(math.pi / 2, abs=1e-5) and slope.isfinite().all()
    v[-1] = dist(1.5 * limit)
    assert half_aperture(chart.expmap0(v), chart, 0.2) < 1.2


@pytest.mark.parametrize("chart", [PoincareBall(0.5), Lorentz(2.0), Euclidean()])
def test_special_places_have_finite_gradients(chart):
    v = torch.zeros(3 + chart.extra_coords, dtype=torch.float64)
    origin = chart.expmap0(v.clone())
    v[-1] = 0.7
    x, inner, beyond = chart.expmap0(v), chart.expmap0(0.5 * v), chart.expmap0(2 * v)
    for a, b, angle in (
        (x, x, 0.0),
        (x, beyond, 0.0),
        (x, inner, math.pi),
        (x, origin, math.pi),
        (origin, x, math.pi / 2),
    ):
        a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
        found = apex_angle(a, b, chart)
        assert found.item() == pytest.approx(angle, abs=1e-12)
        assert all(g.isfinite().all() for g in torch.autograd.grad(cone_slack(a, b, chart), (a, b)))
    assert cone_energy(x, x, chart) == 0 == cone_energy(origin, x, chart)


@pytest.mark.parametrize("chart", [PoincareBall(0.5), Lorentz(2.0), Euclidean()])
def test_gradients_against_finite_differences(chart):
    x, y = pairs(chart if chart.extra_coords else PoincareBall(0.5), 2.0 if chart.extra_coords else 0.5, far=2.0, n=6)
    assert torch.autograd.gradcheck(
        lambda a, b: cone_slack(a, b, chart, 0.05), (x.requires_grad_(), y.requires_grad_()), atol=1e-6
    )


@pytest.mark.parametrize("K", [0.05, 0.3])
@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_cones_nest_and_wider_ones_would_not(c, K):
    ball = PoincareBall(c)

    def below(x, width, seed):
        """Points in the cones at x whose half-apertures are `width` times the right ones."""
        n = x.shape[0]
        psi = (width * half_aperture(x, ball, K)).clamp_max(math.pi / 2)[:, None]
        u = x / x.norm(dim=-1, keepdim=True)
        turn = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        across = turn - (turn * u).sum(-1, keepdim=True) * u
        across = across / across.norm(dim=-1, keepdim=True)
        angle = psi * (1 - 1e-3)  # just inside of the rim, where it is tight
        step = cloud(n, 1, far=2.0, seed=seed + 1).abs() / math.sqrt(c)
        return ball.expmap(x, step * (angle.cos() * u + angle.sin() * across) / ball.lambda_x(x, keepdim=True))

    x = ball.expmap0(cloud(4000, 2, near=math.asinh(2 * K) + 1e-3, far=3.0) / 2 / math.sqrt(c))
    for width, nested in ((1.0, True), (1.3, False)):
        y = below(x, width, 10)
        z = below(y, width, 20)
        outside = apex_angle(x, z, ball) > width * half_aperture(x, ball, K)
        assert bool(outside.any()) is not nested


def test_order_energy_by_hand():
    general, special = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[1.0, 1.0, 5.0], [1.0, 0.5, 0.0]])
    assert order_energy(general, special).tolist() == [0.0, 0.25 + 4.0]


# --- embeddings -------------------------------------------------------------------------------------------------------


def fit(method, data=None, **options):
    fitting = {k: options.pop(k) for k in ("checkpoint", "every_seconds", "on_epoch") if k in options}
    return method(3, **QUICK | {"device": "cpu"} | options).fit(
        random_tree(30) if data is None else data, progress=False, **fitting
    )


@pytest.mark.parametrize(
    "method, options", [(ConeEmbedding, {"c": c}) for c in (0.1, 1.0, 10.0)] + [(m, {}) for m in METHODS]
)
def test_a_step_against_the_gradient_does_what_it_promises(method, options):
    model = fit(method, **options)
    u, v = torch.randint(1, 30, (2, 40), generator=torch.Generator().manual_seed(1))
    u, v = u[u != v], v[u != v]
    before, pullback = model._energies(model.points_[u], model.points_[v][:, None])
    gradients = pullback(torch.ones_like(before))
    assert torch.allclose(before[:, 0], model.slack(u, v))
    for x, other, g in ((u, v, gradients[0]), (v, u, gradients[1][:, 0])):
        square = (g * g).sum(1) - (2 * g[:, 0] ** 2 if method is ConeEmbedding else 0)  # |g|^2 in true length
        moved = model._move(model.points_[x], -1e-7 * g, 1e9)
        ends = (moved, model.points_[other]) if x is u else (model.points_[other], moved)
        after = model._slack(*ends)
        smooth = square < 1e2  # else the step is too long for the slope at its beginning
        assert smooth.sum() > 20
        assert torch.allclose((before[:, 0] - after)[smooth] / 1e-7, square[smooth], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("method, f1", [(ConeEmbedding, 0.85), (EuclideanConeEmbedding, 0.85), (OrderEmbedding, 0.5)])
def test_what_is_above_is_told_from_what_is_not(method, f1):
    tree = balanced_tree(3, 3)
    model = fit(method, tree, epochs=80, negatives=10, batch_size=8, burn_in=0 if method is OrderEmbedding else 40)
    found, true = labelled(tree, tree.closure)
    scores = model.slack(*found.T)
    assert f1_score(scores <= best_threshold(scores, true), true) > f1
    assert model.embedding_.shape == (40, 3) and model.distance(0, 1).shape == ()
    true = found[true]
    down, up = model.slack(*true.T), model.slack(*true.flip(1).T)
    assert (down < up).double().mean() > 0.95  # the direction, which no distance knows
    i = torch.arange(40)
    assert torch.allclose(model.energies_from(i[:7]), model.slack(i[:7, None], i))


@pytest.mark.parametrize("method", METHODS[:2])
def test_a_root_is_above_everything_and_below_nothing(method):
    model, others = fit(method, balanced_tree(3, 3)), torch.arange(1, 40)
    assert model.distance(0, others).min() > 0 and not model.embedding_[0].any()
    assert (model.slack(others, 0) == 0).all() and (model.slack(0, others) > 1).all()
    with pytest.raises(ValueError, match="relations are to one node"):
        fit(method, balanced_tree(3, 1))


@pytest.mark.parametrize("method", [ConeEmbedding, EuclideanConeEmbedding])
def test_no_point_is_where_cones_are_not(method):
    model = fit(method, K=0.3, epochs=6)
    space = Euclidean() if method is EuclideanConeEmbedding else PoincareBall(model.c)
    assert space.dist0(model.embedding_[1:]).min() > cone_limit(space, 0.3)


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("killed_at", [3, 10])  # in the burn-in, and after it
def test_a_killed_run_resumes_bit_for_bit(method, killed_at, tmp_path, monkeypatch):
    whole, file = fit(method), tmp_path / "run.pt"
    step, count = method._step, iter(range(1000))

    def dies(self, *args):
        if next(count) == killed_at:
            raise Killed
        return step(self, *args)

    monkeypatch.setattr(method, "_step", dies)
    with pytest.raises(Killed):
        fit(method, checkpoint=file, every_seconds=0.0)
    monkeypatch.undo()
    resumed = fit(method, checkpoint=file)
    assert torch.equal(whole.points_, resumed.points_)
    whole.save(tmp_path / "saved.pt")
    again = method.load(tmp_path / "saved.pt")
    i = torch.arange(30)
    assert torch.equal(again.energies_from(i), whole.energies_from(i)) and again.history_ == whole.history_


@pytest.mark.parametrize("method, name", [(m, "margin") for m in METHODS] + [(m, "K") for m in METHODS[:2]])
def test_bad_settings_are_named(method, name):
    with pytest.raises(ValueError, match=f"{name} must be > 0"):
        method(3, **{name: 0.0})
    with pytest.raises(ValueError, match="negatives must be given"):
        method(3, negatives=None)


# --- the protocol -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_split_is_the_protocol(share):
    tree = random_tree(120, seed=2)
    train, validation, test = entailment_split(tree, share, seed=1)
    root, closure = tree.roots[0], {tuple(p) for p in tree.closure.tolist()}
    basic = {(a, b) for a, b in tree.edges.tolist() if b != root}
    implied = {(a, b) for a, b in closure if b != root} - basic
    learned = {tuple(p) for p in train.tolist()}
    held = round(0.05 * len(implied))
    assert basic <= learned <= basic | implied and len(learned - basic) == round(share * len(implied)) == len(
        train
    ) - len(basic)
    positives = []
    for found, true in (validation, test):
        rows = [tuple(p) for p in found.tolist()]
        assert true.tolist() == [p in closure for p in rows] and all(a != b for a, b in rows)
        assert true.sum() == held and len(rows) == 11 * held
        positives.append({p for p, t in zip(rows, true.tolist(), strict=True) if t})
        for k in range(held):  # 5 false ones share the lower end, 5 the upper one
            u, v = rows[k]
            assert sum(a == u for a, _ in rows[held:]) >= 5 and sum(b == v for _, b in rows[held:]) >= 5
    assert positives[0] | positives[1] <= implied - learned and not positives[0] & positives[1]
    assert torch.equal(entailment_split(tree, share, seed=1)[2][0], test[0])
    assert not torch.equal(entailment_split(tree, share, seed=2)[2][0], test[0])


def test_splits_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="share must be in"):
        entailment_split(balanced_tree(2, 4), 0.95)
    with pytest.raises(ValueError, match="too few"):
        entailment_split(Hierarchy(["a", "b", "c"], torch.tensor([[1, 0], [2, 1]])))
