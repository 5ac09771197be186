"""Prototypes on a tree: where they are placed, how they are matched, how mistakes are scored; zero-shot and actions."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from hyplearn.cli import main
from hyplearn.data import balanced_tree
from hyplearn.data.scenes import ACTION_CLASSES, CLASSES, SHAPES, action_tree, scene_tree
from hyplearn.experiments.actions import ActionsExperiment
from hyplearn.experiments.base import CHARTS
from hyplearn.experiments.prototypes import (
    METHODS,
    Classes,
    draw_confusion,
    keep_distances,
    place_tree,
    predict,
)
from hyplearn.experiments.zeroshot import ZeroShotExperiment, split_kinds
from hyplearn.manifolds import Euclidean, Lorentz, NormalCoordinates
from hyplearn.metrics import accuracy_within, hierarchical_precision, mistake_hops
from hyplearn.networks import PrototypeClassifier, VideoEncoder

# --- mistakes on a tree ----------------------------------------------------------------------------------------------

PATHS = [(a, b, c) for a in range(2) for b in range(2) for c in range(3)]  # leaves by branch, group and place


def naive_hops(i: int, j: int) -> int:
    """Up from both leaves until they meet."""
    return 2 * next(k for k in range(4) if PATHS[i][: 3 - k] == PATHS[j][: 3 - k])


HOPS = torch.tensor([[float(naive_hops(i, j)) for j in range(12)] for i in range(12)])


def test_hops_within_are_siblings_and_cousins():
    generator = torch.Generator().manual_seed(0)
    predicted, true = torch.randint(12, (2, 200), generator=generator)
    pairs = list(zip(predicted.tolist(), true.tolist(), strict=True))
    for radius, levels in ((0, 3), (2, 2), (4, 1), (6, 0)):
        same = [PATHS[p][:levels] == PATHS[t][:levels] for p, t in pairs]
        assert accuracy_within(predicted, true, HOPS, radius) == pytest.approx(sum(same) / 200)
    wrong = [naive_hops(p, t) for p, t in pairs if p != t]
    assert mistake_hops(predicted, true, HOPS) == pytest.approx(sum(wrong) / len(wrong))
    assert mistake_hops(true, true, HOPS) == 0.0


@pytest.mark.parametrize("k", [1, 2, 3, 5, 12])
def test_hierarchical_precision_is_that_of_a_loop(k):
    generator = torch.Generator().manual_seed(k)
    scores = torch.randn(50, 12, generator=generator)
    true = torch.randint(12, (50,), generator=generator)
    total = 0.0
    for row, t in zip(scores.tolist(), true.tolist(), strict=True):
        correct, radius = set(), 0
        while len(correct) < k:  # the published algorithm: widen the radius until there are enough
            correct |= {j for j in range(12) if naive_hops(t, j) == radius}
            radius += 1
        best = sorted(range(12), key=lambda j: -row[j])[:k]
        total += len(correct & set(best)) / k
    assert hierarchical_precision(scores, true, HOPS, k) == pytest.approx(total / 50)
    if k == 1:
        assert hierarchical_precision(scores, true, HOPS, 1) == accuracy_within(scores.argmax(1), true, HOPS)


def test_hierarchical_precision_names_a_bad_k():
    with pytest.raises(ValueError, match="k must be from 1 to 12"):
        hierarchical_precision(torch.zeros(1, 12), torch.zeros(1, dtype=torch.int64), HOPS, 13)


# --- the networks ----------------------------------------------------------------------------------------------------


class Given(nn.Module):
    """An encoder that gives back what it is given."""

    def forward(self, x):
        return x


def normal(count: int, dim: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, dim, generator=generator, dtype=torch.float64)


def cosine_rule(a: torch.Tensor, b: torch.Tensor, c: float) -> float:
    """The third side of the triangle with the sides |a| and |b| at the origin, in the space of curvature -c."""
    s, p, q = math.sqrt(c), a.norm().item(), b.norm().item()
    angle = (a @ b).item() / (p * q)
    cosh = math.cosh(s * p) * math.cosh(s * q) - math.sinh(s * p) * math.sinh(s * q) * angle
    return math.acosh(cosh) / s


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("c", [0.3, 1.0, 4.0])
def test_logits_are_distances_over_the_temperature_in_every_chart(chart, c):
    places, vectors = normal(5, 3, 0), normal(4, 3, 1)
    manifold = CHARTS[chart](c)
    model = PrototypeClassifier(Given(), manifold.from_normal(places), manifold, temperature=0.5, radius=50.0)
    wanted = [[-cosine_rule(v, p, c) / 0.5 for p in places] for v in vectors]
    torch.testing.assert_close(model(vectors), torch.tensor(wanted, dtype=torch.float64), rtol=1e-6, atol=1e-8)


def test_flat_and_cosine_twins():
    places, vectors = normal(5, 3, 0), normal(4, 3, 1)
    flat = PrototypeClassifier(Given(), places, temperature=2.0)
    naive = [[-math.dist(v.tolist(), p.tolist()) / 2 for p in places] for v in vectors]
    torch.testing.assert_close(flat(vectors), torch.tensor(naive, dtype=torch.float64), rtol=1e-6, atol=0)
    cosine = PrototypeClassifier(Given(), places, cosine=True)
    naive = [[torch.cosine_similarity(v, p, dim=0).item() for p in places] for v in vectors]
    torch.testing.assert_close(cosine(vectors), torch.tensor(naive, dtype=torch.float64))
    torch.testing.assert_close(cosine(vectors), cosine(7 * vectors))


def test_points_stay_within_the_radius_and_prototypes_where_they_are():
    manifold = Lorentz(4.0)
    places = normal(5, 3, 0)
    model = PrototypeClassifier(nn.Linear(3, 3).double(), manifold.from_normal(places), manifold, radius=1.5)
    assert manifold.dist0(model.embed(normal(20, 3, 1, 100.0))).max() <= 1.5 / 2 * (1 + 1e-9)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before = model.prototypes.clone()
    model(normal(20, 3, 1)).square().mean().backward()
    optimizer.step()
    assert torch.equal(model.prototypes, before) and "prototypes" in model.state_dict()
    assert model.log_temperature.grad != 0
    flat = PrototypeClassifier(nn.Linear(3, 3), places)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in flat.parameters())


def test_gradients_at_a_prototype_are_finite():
    manifold = NormalCoordinates(1.0)
    places = normal(4, 2, 0).float()
    vectors = places.clone().requires_grad_()
    PrototypeClassifier(Given(), places, manifold)(vectors).log_softmax(1).diagonal().sum().backward()
    assert vectors.grad.isfinite().all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"prototypes": torch.zeros(3)}, "prototypes must have shape"),
        ({"manifold": NormalCoordinates(1.0), "cosine": True}, "leave manifold out"),
        ({"temperature": 0.0}, "temperature must be > 0"),
    ],
)
def test_a_classifier_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        PrototypeClassifier(Given(), **{"prototypes": torch.zeros(3, 2)} | options)


def test_clips_of_any_length_are_read_and_time_has_a_direction():
    torch.manual_seed(0)
    encoder = VideoEncoder(5, width=4, blocks=2).eval()
    clips = torch.rand(3, 7, 3, 8, 8)
    assert encoder(clips).shape == (3, 5) and encoder(clips[:, :2]).shape == (3, 5)
    assert not torch.allclose(encoder(clips), encoder(clips.flip(1)), atol=1e-4)
    assert torch.allclose(encoder(clips)[1:2], encoder(clips[1:2]), atol=1e-6)
    still = clips[:, :1].expand(-1, 4, -1, -1, -1)
    one = torch.cat([still[:, 0], torch.zeros_like(still[:, 0])], 1)
    torch.testing.assert_close(encoder.moment(one)[:, None].expand(-1, 3, -1).relu(), moments(encoder, still))


def moments(encoder: VideoEncoder, clips: torch.Tensor) -> torch.Tensor:
    """What goes into the convolution over time: (B, T - 1, channels)."""
    seen = []
    handle = encoder.time.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mT))
    encoder(clips)
    handle.remove()
    return seen[0]


def test_one_picture_is_no_clip():
    with pytest.raises(ValueError, match="clips must have shape"):
        VideoEncoder(2)(torch.zeros(1, 1, 3, 16, 16))


# --- where the tree is placed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("manifold", [Euclidean(), NormalCoordinates(1.0), NormalCoordinates(0.25)], ids=str)
def test_distances_that_a_space_has_are_kept_exactly(manifold):
    points = normal(9, 3, 0)
    distances = manifold.cdist(points, points)
    found = keep_distances(distances, 3, manifold)
    torch.testing.assert_close(manifold.cdist(found, found), distances, rtol=1e-3, atol=1e-3)


def stress(tree, places, c) -> float:
    """How much distances are off, as a share of those in the tree: the root of the mean square over pairs."""
    manifold = Euclidean() if c is None else NormalCoordinates(c)
    i, j = torch.triu_indices(len(tree), len(tree), 1)
    return (manifold.cdist(places, places) / tree.tree_distances() - 1)[i, j].square().mean().sqrt().item()


def test_a_tree_has_more_room_the_more_the_plane_is_curved():
    tree = scene_tree()
    off = [stress(tree, place_tree(tree, 2, c), c) for c in (None, 0.1, 1.0)]
    assert off == sorted(off, reverse=True) and off[0] > 0.25 and off[-1] < 0.18
    assert stress(tree, place_tree(tree, 2, 1e-6), 1e-6) == pytest.approx(off[0], rel=0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("c", [None, 1.0, 0.5])
def test_every_method_has_a_place_for_every_node(method, c):
    tree = balanced_tree(2, 2)
    places = place_tree(tree, 3, c, method, length=0.8)
    assert places.shape == (7, 3) and places.dtype == torch.float64 and places.isfinite().all()
    assert torch.equal(places, place_tree(tree, 3, c, method, length=0.8))
    if method in ("poincare", "cones"):
        assert places.norm(dim=1).max() <= 1.6 * (1 + 1e-9)
    if method == "sarkar":
        manifold = Euclidean() if c is None else NormalCoordinates(c)
        lengths = manifold.dist(places[tree.edges[:, 0]], places[tree.edges[:, 1]])
        torch.testing.assert_close(lengths, torch.full_like(lengths, 0.8), rtol=1e-6, atol=0)
        assert places[tree.roots[0]].norm() == 0


def test_another_method_is_refused():
    with pytest.raises(ValueError, match="method must be one of mds"):
        place_tree(action_tree(), 2, method="random")


# --- the experiments -------------------------------------------------------------------------------------------------


def groups_of(kinds: list[str]) -> list[str]:
    return [group for groups in SHAPES.values() for group, leaves in groups.items() for leaf in kinds if leaf in leaves]


def test_no_kind_is_in_two_parts_and_each_group_is_learned_from():
    split = split_kinds("leaves")
    assert sorted([*split.seen, *split.validation, *split.test]) == sorted(CLASSES[1:])
    assert len(set(groups_of(split.test))) == len(split.test) == 12
    assert min(groups_of(split.seen).count(group) for group in groups_of(split.test)) >= 2
    split = split_kinds("groups")
    assert sorted([*split.seen, *split.validation, *split.test]) == sorted(CLASSES[1:])
    seen, validation, test = (set(groups_of(part)) for part in split)
    assert not (seen & validation or seen & test or validation & test)
    assert (len(seen), len(validation), len(test)) == (6, 3, 3)


def test_pictures_of_unseen_kinds_come_in_their_own_part_only():
    experiment = ZeroShotExperiment(images=300, size=16)
    data = experiment.load()
    split, seen = split_kinds("leaves"), experiment.seen()
    names = data.about.names
    assert names[:seen] == split.seen
    for part, unseen in zip(data[:3], ([], split.validation, split.test), strict=True):
        kinds = {names[k] for k in part.tensors[1].unique().tolist()}
        assert kinds == {*split.seen, *unseen}
    for i, j in ((0, 1), (3, 30)):
        assert data.about.hops[i, j] == path_length(names[i], names[j])


def path_length(a: str, b: str) -> int:
    paths = [(kind, group, leaf) for kind, groups in SHAPES.items() for group in groups for leaf in groups[group]]
    p, q = (next(path for path in paths if path[2] == name) for name in (a, b))
    return 2 * sum(x != y for x, y in zip(p, q, strict=True))


def test_only_seen_kinds_compete_in_training():
    experiment = ZeroShotExperiment(images=50, size=16)
    logits, labels = normal(6, 42, 0), torch.arange(6)
    loss = experiment.loss(experiment.load())
    changed = logits.clone()
    changed[:, experiment.seen() :] += 100.0
    assert loss(logits, labels) == loss(changed, labels)


def test_the_cosine_twin_ranks_by_expected_hops():
    experiment = ZeroShotExperiment(images=50, size=16, cosine=True, dim=4)
    assert experiment.flat and experiment.manifold() is None
    data = experiment.load()
    model = experiment.network(data)
    seen = experiment.seen()
    assert model.prototypes.shape == (seen, 4)
    logits = normal(3, seen, 0).float()
    ranked = experiment.rank(logits, data)
    p = logits.softmax(1)
    for k in (0, 27, 41):
        naive = sum(p[1, s].item() * path_length(data.about.names[s], data.about.names[k]) for s in range(seen))
        assert ranked[1, k].item() == pytest.approx(-naive, rel=1e-5)
    simplex = replace(experiment, dim=seen).network(data).prototypes  # one-hot vectors without their mean
    torch.testing.assert_close(simplex @ simplex.T, (torch.eye(seen) * seen - 1) / (seen - 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [ActionsExperiment, ZeroShotExperiment])
def test_the_permuted_tree_moves_prototypes_and_not_what_counts(kind):
    small = {"clips": 20, "frames": 3} if kind is ActionsExperiment else {"images": 20}
    true, permuted = kind(**small), kind(**small, tree="permuted")
    a, b = true.load(), permuted.load()
    assert torch.equal(a.about.hops, b.about.hops) and torch.equal(a.test.tensors[1], b.test.tensors[1])
    p, q = true.network(a).prototypes, permuted.network(b).prototypes
    assert not torch.allclose(p, q)
    names, tree = permuted.given_tree().names, permuted.given_tree()
    assert sorted(names) == sorted(true.given_tree().names) and tree.is_tree


def test_twins_have_equally_many_parameters():
    data = ActionsExperiment(clips=10).load()
    counts = {
        sum(p.numel() for p in ActionsExperiment(dim=4, **arm).network(data).parameters())
        for arm in ({}, {"flat": True}, {"cosine": True}, {"tree": "permuted"}, {"chart": "ball"})
    }
    assert len(counts) == 1


def test_charts_are_the_same_network():
    data = ActionsExperiment(clips=10, frames=3).load()
    logits = []
    for chart in ("normal", "ball", "lorentz"):
        torch.manual_seed(0)
        model = ActionsExperiment(chart=chart, curvature=0.7, dim=3).network(data)
        logits.append(predict(model.double(), data.train.tensors[0].double())[0])
    for other in logits[1:]:
        torch.testing.assert_close(other, logits[0], rtol=1e-4, atol=1e-4)  # prototypes are float32


def test_a_perfect_network_has_perfect_scores():
    experiment = ZeroShotExperiment(images=20)
    data = experiment.load()

    class Perfect(nn.Module):
        manifold, log_temperature = Euclidean(), torch.zeros(())

        def embed(self, images):
            return -20 * data.about.hops[data.test.tensors[1]].float()

        def compare(self, points):
            return points

    few = torch.utils.data.TensorDataset(*(t[:200] for t in data.test.tensors))
    data = data._replace(test=few)
    scores = experiment.scores(Perfect(), few, data)
    for name, value in scores.items():
        assert value == (0.0 if name == "all_hops" else 1.0), name


def test_confusion_is_drawn_in_the_order_of_the_tree():
    classes = Classes.of(list(ACTION_CLASSES[::-1]), action_tree())
    true = torch.arange(12).repeat(3)
    figure, alt = draw_confusion(true, true, classes)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == list(ACTION_CLASSES) and "100 % on the diagonal" in alt


@pytest.mark.parametrize(
    "arguments, files",
    [
        (["actions", "--clips", 40, "--frames", 3], ["confusion.svg", "tree.svg"]),
        (["zeroshot", "--images", 40, "--flat", "--held-out", "groups"], ["confusion.svg", "tree.svg"]),
        (["zeroshot", "--images", 40, "--dim", 3, "--prototypes", "sarkar"], ["confusion.svg"]),
        (["actions", "--clips", 40, "--frames", 3, "--cosine"], ["confusion.svg"]),
    ],
    ids=str,
)
def test_the_commands_write_pictures(tmp_path, capsys, arguments, files):
    code = main(["train", *map(str, arguments), "--epochs", "1", "--width", "4", "--json", "--out", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    assert code == 0 and 0 <= next(iter(report["validation"].values())) <= 1
    assert files == sorted(p.name for p in tmp_path.glob("*.svg") if p.name != "curve.svg")


@pytest.mark.slow
def test_two_processes_report_what_one_does(tmp_path):
    """Batches are shared between the processes of torchrun; files are written by the first."""
    hyplearn = [sys.executable, "-m", "hyplearn.cli"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *hyplearn[1:]]
    reports = []
    for start, folder in ((hyplearn, tmp_path / "one"), (torchrun, tmp_path / "two")):
        options = ["train", "zeroshot", "--images", "200", "--epochs", "1", "--device", "cpu", "--out", folder]
        subprocess.run([*start, *options], capture_output=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        reports.append(json.loads((folder / "report.json").read_text())["validation"])
    assert reports[0] == pytest.approx(reports[1], abs=0.05)


@pytest.mark.parametrize("options, message", [({"dim": 1}, "dim must be 2"), ({"length": 0.0}, "length must be > 0")])
def test_settings_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ActionsExperiment(**options)


@pytest.mark.slow
@pytest.mark.parametrize("arm", [{}, {"flat": True}], ids=["hyperbolic", "flat"])
def test_a_short_training_finds_the_branches(arm):
    experiment = ActionsExperiment(clips=600, epochs=3, dim=8, **arm)
    scores = experiment.run(experiment.load()).test
    assert scores["cousin"] > 0.7 and scores["precision5"] > 0.6  # half, and less than that, by chance
