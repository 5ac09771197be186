"""Contrastive embeddings: gradients against autograd, negatives, exact resume after a kill, files, two processes."""

import math
import os
import subprocess
import sys
import textwrap

import pytest
import torch

from hyplearn.data import Hierarchy, balanced_tree, random_tree
from hyplearn.embeddings import (
    EuclideanEmbedding,
    PoincareEmbedding,
    PublishedEmbedding,
    TranslationalEmbedding,
    contrastive,
)
from hyplearn.embeddings.contrastive import Negatives, Neighbourhoods, relations
from hyplearn.manifolds import PoincareBall
from hyplearn.metrics import rank_metrics

METHODS = [PoincareEmbedding, PublishedEmbedding, EuclideanEmbedding, TranslationalEmbedding]
QUICK = {"epochs": 3, "batch_size": 8, "burn_in": 1}


def fit(method, data=None, epochs=3, **options):
    fitting = {k: options.pop(k) for k in ("start", "checkpoint", "every_seconds", "on_epoch") if k in options}
    model = method(3, **QUICK | {"epochs": epochs, "device": "cpu"} | options)
    return model.fit(random_tree(30) if data is None else data, progress=False, **fitting)


def cloud(*shape, radius, seed=0):
    """Normal coordinates, from the origin to `radius`."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return x / x.norm(dim=-1, keepdim=True) * radius * torch.rand(*shape[:-1], 1, generator=generator).double()


def on_hyperboloid(n):
    r = n.norm(dim=-1, keepdim=True)
    return torch.cat([r.cosh(), n / r * r.sinh()], dim=-1)


# --- geometry ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", [0.1, 0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("radius", [0.01, 1.0, 6.0])
def test_gradients_on_the_hyperboloid_against_autograd_in_the_ball(c, radius):
    model, ball = PoincareEmbedding(3, c=c, device="cpu"), PoincareBall(c)
    u, v = on_hyperboloid(cloud(4, 3, radius=radius)), on_hyperboloid(cloud(4, 5, 3, radius=radius, seed=1))
    slope = torch.randn(4, 5, dtype=torch.float64)
    distances, pullback = model._distances(u, v)

    # The space part is a chart: df = <grad, dx> with dt = <s, ds>/t, and the unit hyperboloid is sqrt(c) times larger.
    s, z = u[:, 1:].clone().requires_grad_(), v[..., 1:].clone().requires_grad_()
    points = [a / (1 + (1 + (a * a).sum(-1, keepdim=True)).sqrt()) / math.sqrt(c) for a in (s, z)]
    expected = ball.dist(points[0][:, None], points[1])
    assert torch.allclose(distances, expected, rtol=1e-9, atol=1e-10)
    for x, got, wanted in zip(
        (u, v), pullback(slope), torch.autograd.grad((slope * expected).sum(), (s, z)), strict=True
    ):
        chart = (got[..., 1:] - got[..., :1] * x[..., 1:] / x[..., :1]) / math.sqrt(c)
        assert torch.allclose(chart, wanted, rtol=1e-6, atol=1e-7 * wanted.abs().max().item())
        tangent = (got[..., 1:] * x[..., 1:]).sum(-1) - got[..., 0] * x[..., 0]
        assert tangent.abs().max() < 1e-8 * (got.norm(dim=-1) * x.norm(dim=-1)).max()


@pytest.mark.parametrize("radius", [0.01, 1.0, 6.0])
def test_published_gradients_against_autograd(radius):
    model, ball = PublishedEmbedding(3, device="cpu"), PoincareBall(1.0)
    u = ball.expmap0(cloud(4, 3, radius=radius) / 2).requires_grad_()
    v = ball.expmap0(cloud(4, 5, 3, radius=radius, seed=1) / 2).requires_grad_()
    slope = torch.randn(4, 5, dtype=torch.float64)
    expected = ball.dist(u[:, None], v)
    distances, pullback = model._distances(u.detach(), v.detach())
    assert torch.allclose(distances, expected, rtol=1e-9)
    for x, got, g in zip((u, v), pullback(slope), torch.autograd.grad((slope * expected).sum(), (u, v)), strict=True):
        assert torch.allclose(got, ball.egrad2rgrad(x, g), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method, squared", [(EuclideanEmbedding, True), (EuclideanEmbedding, False)])
def test_flat_gradients_against_autograd(method, squared):
    u, v = cloud(4, 3, radius=2.0).requires_grad_(), cloud(4, 5, 3, radius=2.0, seed=1).requires_grad_()
    slope = torch.randn(4, 5, dtype=torch.float64)
    distances, pullback = method(3, squared=squared, device="cpu")._distances(u.detach(), v.detach())
    expected = (u[:, None] - v).pow(2).sum(2) if squared else (u[:, None] - v).norm(dim=2)
    assert torch.allclose(distances, expected)
    grads = torch.autograd.grad((slope * expected).sum(), (u, v))
    assert all(torch.allclose(a, b) for a, b in zip(pullback(slope), grads, strict=True))


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_a_step_is_the_exponential_map_and_is_limited(c):
    ball = PoincareBall(c)
    model = PoincareEmbedding(3, c=c, max_step=0.5, device="cpu")
    model.points_ = x = on_hyperboloid(cloud(40, 3, radius=2.0))
    towards = on_hyperboloid(cloud(40, 1, 3, radius=2.0, seed=1))
    _, pullback = model._distances(x, towards)
    unit = -pullback(torch.ones(40, 1, dtype=torch.float64))[0]
    before = model.embedding_
    other = towards[:, 0, 1:] / (1 + towards[:, 0, :1]) / math.sqrt(c)
    for length, moved in ((0.3, 0.3), (7.0, 0.5)):
        model.points_ = model._move(x, length * unit, math.inf)
        # Along the geodesic towards the other point: no detour.
        way = ball.dist(before, model.embedding_)
        assert torch.allclose(way, torch.full_like(way, moved), rtol=1e-9)
        rest = ball.dist(before, other) - moved
        assert torch.allclose(ball.dist(model.embedding_, other), rest.abs(), rtol=1e-6, atol=1e-7)
    model.points_ = model._move(x, 0 * unit, 0.4)
    assert ball.dist0(model.embedding_).max() <= 0.4 + 1e-12


def test_coinciding_points_have_no_pull():
    for model in (PoincareEmbedding(3, device="cpu"), PublishedEmbedding(3, device="cpu")):
        x = torch.tensor([[1.0, 0.0, 0.0, 0.0] if isinstance(model, PoincareEmbedding) else [0.1, 0.0, 0.0]]).double()
        distances, pullback = model._distances(x, x[:, None])
        assert distances.abs().max() < 1e-7
        assert all(g.isfinite().all() and g.abs().max() < 1e-6 for g in pullback(torch.ones(1, 1).double()))


# --- negatives --------------------------------------------------------------------------------------------------------


def test_negatives_are_never_positives_and_uniform_otherwise():
    tree = random_tree(12, seed=1)
    negatives = Negatives(tree.closure, 12)
    u = torch.arange(12)
    drawn = negatives.draw(u, 40_000, torch.Generator().manual_seed(0))
    for node in range(12):
        counts = torch.bincount(drawn[node], minlength=12).double()
        allowed = torch.tensor([i != node and i not in tree.ancestors[node] for i in range(12)])
        assert (counts[~allowed] == 0).all()
        expected = 40_000 / int(allowed.sum())
        chi2 = ((counts[allowed] - expected) ** 2 / expected).sum()
        assert chi2 < 35  # 11 degrees of freedom or fewer: exceeded once in 4,000


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(ValueError, match="node 1 is related to every other node"):
        Negatives(torch.tensor([[1, 0], [1, 2]]), 3)
    with pytest.raises(ValueError, match="shape"):
        relations(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="related to itself"):
        relations(torch.tensor([[1, 1]]))
    with pytest.raises(ValueError, match="at least 4"):
        relations(torch.tensor([[3, 1]]), nodes=2)
    assert relations(torch.tensor([[3, 1]]))[1] == 4 and relations(torch.tensor([[3, 1]]), 9)[1] == 9


@pytest.mark.parametrize("name", ["dim", "epochs", "negatives", "batch_size", "lr", "max_step", "radius", "c"])
def test_bad_settings_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        PoincareEmbedding(**{name: 0})


def test_neighbourhoods_are_the_relations_and_the_node_itself():
    tree = random_tree(20, seed=2)
    neighbourhoods = Neighbourhoods(tree.closure[torch.randperm(len(tree.closure))], 20)
    assert neighbourhoods.sources.tolist() == list(range(1, 20))
    u = torch.tensor([7, 3, 19, 7])
    rows, v = neighbourhoods.of(u)
    for row, node in enumerate(u.tolist()):
        assert sorted(v[rows == row].tolist()) == sorted({node} | tree.ancestors[node])


@pytest.mark.parametrize("count", [6, 40])  # a sample of the nodes, or all of them
@pytest.mark.parametrize("method", [PoincareEmbedding, EuclideanEmbedding, TranslationalEmbedding])
def test_shared_negatives_against_a_loop_over_relations(method, count, monkeypatch):
    if count < 30:
        monkeypatch.setattr(contrastive, "ALL", 0)
        monkeypatch.setattr(contrastive, "SAMPLE", count)
    tree, nodes = random_tree(30), torch.tensor([4, 29, 11, 17])
    kin = set(nodes.tolist()).union(*(tree.ancestors[u] for u in nodes.tolist()))
    model = fit(method, tree, epochs=5, lr=0.3)
    model.max_step = math.inf
    model._push = 0.0
    gradient, everywhere = torch.zeros_like(model.points_), slice(None)

    drawn = set(torch.randint(30, (count,), generator=torch.Generator().manual_seed(5)).tolist()) - kin
    others = dict.fromkeys(kin, 1.0) | dict.fromkeys(drawn, (30 - len(kin)) / len(drawn))
    if count >= 30:
        others = dict.fromkeys(range(30), 1.0)

    def total():
        loss = 0.0
        for u in nodes.tolist():
            free = others.keys() - tree.ancestors[u] - {u}
            away = sum(others[v] * math.exp(-model.distance(u, v)) for v in free)
            for v in tree.ancestors[u]:
                near = math.exp(-model.distance(u, v))
                loss -= math.log(near / (near + away))
        return loss

    arguments = nodes, Neighbourhoods(tree.closure, 30), torch.Generator().manual_seed(5), gradient, everywhere
    loss, touched = model._share(*arguments)
    assert loss.sum().item() == pytest.approx(total(), rel=1e-9)
    assert {*touched.tolist()} == others.keys()
    # Moving along the gradient changes the loss by its squared length.
    x, length = model.points_, (gradient**2).sum()
    if method is PoincareEmbedding:
        length = length - 2 * (gradient[:, 0] ** 2).sum()
    h, ends = 1e-5, []
    for sign in (1, -1):
        model.points_ = model._move(x, sign * h * gradient, math.inf)
        ends.append(total())
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(length.item(), rel=1e-5)


def test_many_nodes_come_with_their_kin(monkeypatch):
    tree = balanced_tree(3, 3)
    monkeypatch.setattr(contrastive, "ALL", 0)
    neighbourhoods = Neighbourhoods(tree.closure, len(tree))
    blocks = neighbourhoods.batches(13, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(blocks).tolist()) == list(range(1, 40))
    line = neighbourhoods.sources.tolist()
    for node in range(1, 40):  # a node and all below it are neighbours in this order
        places = [line.index(i) for i in range(1, 40) if i == node or node in tree.ancestors[i]]
        assert max(places) - min(places) == len(places) - 1
    model = fit(PoincareEmbedding, tree, epochs=60, batch_size=13)
    assert rank_metrics(model.distances_from, tree.closure, len(tree))[1] > 0.8


def test_a_start_is_where_training_begins():
    tree = random_tree(30)
    first = fit(PoincareEmbedding, tree)
    again = fit(PoincareEmbedding, tree, epochs=1, lr=1e-12, start=first.embedding_, burn_in=0, burn_in_radius=20.0)
    assert torch.allclose(again.points_, first.points_, rtol=1e-9)
    with pytest.raises(ValueError, match="start must have the shape"):
        fit(PoincareEmbedding, tree, start=torch.zeros(30, 2))


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_it_learns(method):
    tree = balanced_tree(3, 3)
    options = {"lr": 0.3} if method in (EuclideanEmbedding, TranslationalEmbedding) else {}
    model = fit(method, tree, epochs=40, negatives=10, burn_in=5, **options)
    rank, precision = rank_metrics(model.distances_from, tree.closure, len(tree))
    untrained, _ = rank_metrics(fit(method, tree, epochs=1, lr=1e-9).distances_from, tree.closure, len(tree))
    assert rank < untrained / 2 and precision > 0.5
    assert model.history_[-1]["loss"] < model.history_[0]["loss"] / 1.5
    assert model.embedding_.shape == (40, 3) and model.embedding_.dtype == torch.float64
    assert len(model.history_) == 40 and model.seconds_ > 0


@pytest.mark.parametrize("method", METHODS)
def test_distances_agree_and_files_keep_them(method, tmp_path):
    model = fit(method)
    i = torch.arange(30)
    table = model.distances_from(i)
    assert torch.allclose(model.distance(i[:, None], i), table, atol=1e-6)
    assert model.distance(3, 7).shape == ()
    if method in (PoincareEmbedding, PublishedEmbedding):
        x, c = model.embedding_, getattr(model, "c", 1.0)
        assert torch.allclose(PoincareBall(c).dist(x[:, None], x), table, atol=1e-7)
    model.save(tmp_path / "model.pt")
    again = method.load(tmp_path / "model.pt")
    assert torch.equal(again.distances_from(i), table) and again.history_ == model.history_


def test_same_seed_same_points():
    assert torch.equal(fit(PoincareEmbedding).points_, fit(PoincareEmbedding).points_)
    assert not torch.equal(fit(PoincareEmbedding).points_, fit(PoincareEmbedding, seed=1).points_)


def test_a_hierarchy_is_learned_through_its_closure():
    tree = random_tree(30)
    closed = Hierarchy(tree.names, tree.closure)
    assert torch.equal(fit(PoincareEmbedding, tree).points_, fit(PoincareEmbedding, closed).points_)
    assert torch.equal(fit(PoincareEmbedding, tree).points_, fit(PoincareEmbedding, tree.closure).points_)


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("killed_at, every_seconds", [(2, 0.0), (9, 0.0), (11, 0.0), (9, 60.0)])
def test_a_killed_run_resumes_bit_for_bit(method, killed_at, every_seconds, tmp_path, monkeypatch):
    whole, file = fit(method), tmp_path / "run.pt"
    step, count = method._step, iter(range(1000))

    def dies(self, *args):
        if next(count) == killed_at:
            raise Killed
        return step(self, *args)

    monkeypatch.setattr(method, "_step", dies)
    with pytest.raises(Killed):
        fit(method, checkpoint=file, every_seconds=every_seconds)
    monkeypatch.undo()
    assert file.exists() == (every_seconds == 0.0)
    resumed = fit(method, checkpoint=file)
    assert torch.equal(whole.points_, resumed.points_)
    assert [row["loss"] for row in whole.history_] == [row["loss"] for row in resumed.history_]
    assert torch.equal(fit(method, checkpoint=file).points_, whole.points_)  # a finished run is only read


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(PoincareEmbedding, checkpoint=tmp_path / "run.pt")
    for options in ({"seed": 1}, {"data": random_tree(31)}, {"lr": 0.5}):
        with pytest.raises(ValueError, match="other data or settings"):
            fit(PoincareEmbedding, checkpoint=tmp_path / "run.pt", **options)


def test_divergence_is_named():
    with pytest.raises(FloatingPointError, match="lower lr from 1"):
        fit(EuclideanEmbedding, epochs=30, lr=1e9, max_step=math.inf, burn_in_radius=1e300, radius=1e300, burn_in=0)


RUN = """
import os, signal, sys, torch
sys.path.insert(0, {folder!r})
from test_embeddings import fit, METHODS
def on_epoch(model, row):
    if row["epoch"] == 2 and "stop" in sys.argv: os.kill(os.getpid(), signal.SIGINT)
for k, method in enumerate(METHODS if "all" in sys.argv else METHODS[:1]):
    try:
        model = fit(method, epochs=4, checkpoint=f"run{{k}}.pt", on_epoch=on_epoch)
        if int(os.environ.get("RANK", 0)) == 0: torch.save(model.points_, f"points{{k}}.pt")
    except KeyboardInterrupt as stop:
        print(stop)
"""


def script(tmp_path, *arguments, launcher=()):
    (tmp_path / "run.py").write_text(textwrap.dedent(RUN.format(folder=os.path.dirname(__file__))))
    done = subprocess.run(
        [sys.executable, *launcher, "run.py", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_ctrl_c_saves_and_the_next_run_goes_on(tmp_path):
    assert "saved to run0.pt" in script(tmp_path, "stop")
    assert not (tmp_path / "points0.pt").exists()
    script(tmp_path)
    assert torch.equal(torch.load(tmp_path / "points0.pt"), fit(PoincareEmbedding, epochs=4).points_)


@pytest.mark.slow
def test_two_processes_train_the_same_embedding_as_one(tmp_path):
    script(tmp_path, "all", launcher=("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"))
    for k, method in enumerate(METHODS):
        assert torch.allclose(torch.load(tmp_path / f"points{k}.pt"), fit(method, epochs=4).points_, atol=1e-9), method
