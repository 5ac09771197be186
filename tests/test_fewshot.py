"""Few-shot learning: the encoder, prototypes, episodes, Omniglot's archives, and `hyplearn train fewshot`."""

import copy
import io
import itertools
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from hyplearn.cli import main
from hyplearn.data.episodes import CORRUPTIONS, Episodes, rotated_classes, split_groups
from hyplearn.data.omniglot import load_omniglot, read_omniglot
from hyplearn.experiments import fewshot
from hyplearn.experiments.base import CHARTS
from hyplearn.experiments.fewshot import (
    FewShotExperiment,
    corrupted,
    embed_all,
    in_the_plane,
    query_logits,
    relative_deltas,
)
from hyplearn.manifolds import Lorentz, NormalCoordinates, PoincareBall
from hyplearn.networks import ConvEncoder, PrototypicalNet

# --- the encoder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, dim, width, blocks", [(3, 2, 8, 3), (1, 16, 4, 1)])
def test_the_encoder_is_what_it_says(channels, dim, width, blocks):
    torch.manual_seed(0)
    encoder = ConvEncoder(channels, dim, width, blocks).double().eval()
    images = torch.randn(4, channels, 16, 12, dtype=torch.float64)
    x = images
    for convolution, normalisation, *_ in encoder.blocks:
        normalisation.running_mean.normal_()
        normalisation.running_var.uniform_(0.5, 2)
        x = F.conv2d(x, convolution.weight, padding=1)
        centred = x - normalisation.running_mean[:, None, None]
        x = centred / (normalisation.running_var[:, None, None] + normalisation.eps).sqrt()
        x = torch.stack(
            [x[..., i::2, j::2][..., : x.shape[-2] // 2, : x.shape[-1] // 2] for i in (0, 1) for j in (0, 1)]
        )
        x = x.amax(0).clamp_min(0)
    want = x.flatten(2).mean(2) @ encoder.out.weight.T + encoder.out.bias
    assert want.shape == (4, dim)
    torch.testing.assert_close(encoder(images), want)


def test_the_encoder_refuses_what_it_cannot_halve():
    with pytest.raises(ValueError, match="images must be at least 8 x 8, got \\(8, 7\\)"):
        ConvEncoder(1, 2, 4, 3)(torch.zeros(2, 1, 8, 7))
    with pytest.raises(ValueError, match="blocks must be 1 or more"):
        ConvEncoder(1, 2, blocks=0)


# --- prototypical networks -------------------------------------------------------------------------------------------


def network(manifold=None, shots=2, cosine=False, radius=6.0):
    torch.manual_seed(1)
    encoder = ConvEncoder(1, 3, 4, 2)
    encoder.out.weight.data *= 4  # so that points lie far enough from the origin to tell the geometries apart
    return PrototypicalNet(encoder, manifold, shots, cosine, radius).double().eval()


@pytest.fixture(scope="module")
def episode():
    """Two episodes of three classes, two shots, four queries."""
    return torch.randn(2, 3, 6, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def naive_logits(vectors, shots, prototype, nearness):
    """Vectors (B, ways, shots + queries, dim), one query at a time."""
    rows = []
    for classes in vectors:
        prototypes = [prototype(examples[:shots]) for examples in classes]
        queries = [query for examples in classes for query in examples[shots:]]
        rows.append(torch.stack([torch.stack([nearness(q, p) for q in queries]) for p in prototypes]))
    return torch.stack(rows)


def test_flat_and_cosine_logits_are_those_of_a_loop(episode):
    mean = lambda examples: sum(examples) / len(examples)  # noqa: E731
    for cosine, nearness in (
        (False, lambda q, p: -1.7 * ((q - p) ** 2).sum()),
        (True, lambda q, p: 1.7 * (q @ p) / (q @ q).sqrt() / (p @ p).sqrt()),
    ):
        net = network(cosine=cosine)
        net.log_scale.data = torch.tensor(1.7, dtype=torch.float64).log()
        vectors = net.encoder(episode.flatten(0, 2)).view(2, 3, 6, 3)
        got = net(episode)
        assert got.shape == (2, 3, 12)
        torch.testing.assert_close(got, naive_logits(vectors, 2, mean, nearness), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("c", (0.1, 1.0, 4.0))
def test_hyperbolic_logits_are_those_of_a_loop_in_the_ball(episode, c):
    """With Ungar's midpoint in Klein's disk and the acosh form of the distance."""
    vectors = network().encoder(episode.flatten(0, 2))
    radius = vectors.norm(dim=1, keepdim=True) * c**0.5
    limit = radius.median().item()  # so that half of the points are clipped
    net = network(NormalCoordinates(c), radius=limit)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    ball = (torch.tanh(radius.clamp_max(limit) / 2) * unit).view(2, 3, 6, 3)  # of radius 1

    def midpoint(x):
        klein = 2 * x / (1 + (x * x).sum(1, keepdim=True))
        factor = 1 / (1 - (klein * klein).sum(1, keepdim=True)).sqrt()
        k = (factor * klein).sum(0) / factor.sum()
        return k / (1 + (1 - k @ k).sqrt())

    def nearness(q, p):
        argument = 1 + 2 * ((q - p) @ (q - p)) / ((1 - q @ q) * (1 - p @ p))
        return -torch.acosh(argument) / c**0.5

    torch.testing.assert_close(net(episode), naive_logits(ball, 2, midpoint, nearness), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("chart", sorted(set(CHARTS) - {"normal"}))
@pytest.mark.parametrize("c", (0.3, 2.0))
def test_the_chart_does_not_matter(episode, chart, c):
    want, net = network(NormalCoordinates(c)), network(CHARTS[chart](c))
    torch.testing.assert_close(net(episode), want(episode), rtol=1e-9, atol=1e-9)
    images = episode[0, 0]
    torch.testing.assert_close(net.confidence(images), want.confidence(images), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(want.confidence(images), want.embed(images).norm(dim=-1))


def test_the_chart_does_not_matter_for_gradients(episode):
    grads = []
    for manifold in (NormalCoordinates(1.0), PoincareBall(1.0), Lorentz(1.0)):
        net = network(manifold)
        F.cross_entropy(net(episode), torch.arange(3).repeat_interleave(4).expand(2, -1)).backward()
        grads.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(grads[2], grads[0], rtol=1e-7, atol=1e-9)


def test_the_twins_have_the_same_parameters():
    nets = [
        network(manifold, cosine=cosine) for manifold, cosine in ((Lorentz(1.0), False), (None, False), (None, True))
    ]
    shapes = [{name: tuple(p.shape) for name, p in net.named_parameters()} for net in nets]
    assert shapes[0] == shapes[1] == shapes[2]


def test_flatter_and_flatter_space_is_like_the_flat_twin(episode):
    flat, curved = network(), network(NormalCoordinates(1e-8))
    torch.testing.assert_close(-(curved(episode) ** 2), flat(episode), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(flat.confidence(episode), flat.embed(episode).norm(dim=-1))


def test_cosine_has_no_curvature():
    with pytest.raises(ValueError, match="leave the manifold out"):
        network(Lorentz(1.0), cosine=True)


# --- episodes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbered():
    """Pictures of one pixel that says which they are: 7 classes of 8."""
    return torch.arange(56.0).view(56, 1, 1, 1), torch.arange(56) % 7 + 3


def test_an_episode_is_what_it_says(numbered):
    images, labels = numbered
    episodes = Episodes(images, labels, ways=4, shots=2, queries=3, count=50, seed=5)
    assert len(episodes) == 50 and len({tuple(episodes.rows(i).flatten().tolist()) for i in range(50)}) == 50
    seen = set()
    for i in range(50):
        shown, targets = episodes[i]
        rows = shown[..., 0, 0, 0].long()
        assert rows.shape == (4, 5) and torch.equal(rows, episodes.rows(i)) and rows.unique().numel() == 20
        classes = labels[rows]
        assert (classes == classes[:, :1]).all() and classes[:, 0].unique().numel() == 4
        assert targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
        seen |= set(classes[:, 0].tolist())
    assert seen == set(range(3, 10))


def test_an_episode_depends_on_seed_and_number_only(numbered):
    episodes, again = (Episodes(*numbered, 3, 1, 2, count=n, seed=1) for n in (20, 9))
    torch.manual_seed(7)
    wanted = [episodes.rows(i) for i in range(9)]
    torch.manual_seed(8)
    for i in reversed(range(9)):
        assert torch.equal(again.rows(i), wanted[i])
    other = Episodes(*numbered, 3, 1, 2, count=20, seed=2)
    assert not any(torch.equal(other.rows(i), wanted[i]) for i in range(9))


def test_queries_are_mixed_with_another_class(numbered):
    clean = Episodes(*numbered, 4, 2, 3, count=40, seed=3)
    mixed = Episodes(*numbered, 4, 2, 3, count=40, seed=3, mixed=0.3)
    changed = 0
    for i in range(40):
        (pure, targets), (shown, same) = clean[i], mixed[i]
        assert torch.equal(targets, same) and torch.equal(shown[:, :2], pure[:, :2])
        assert torch.equal(mixed[i][0], shown)
        for way, k in (shown != pure).flatten(2).any(2).nonzero().tolist():
            other = 2 * shown[way, k].item() - pure[way, k].item()
            assert other in pure[torch.arange(4) != way].flatten().tolist()
            changed += 1
    assert changed == pytest.approx(0.3 * 40 * 12, abs=4 * (40 * 12 * 0.21) ** 0.5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ways": 8}, "ways must be at most 7"),
        ({"ways": 1}, "ways must be 2 or more"),
        ({"shots": 4, "queries": 5}, "shots \\+ queries is 9, but a class has only 8 pictures"),
        ({"queries": 0}, "queries must be 1 or more"),
        ({"shots": 0}, "shots must be 1 or more"),
    ],
)
def test_episodes_refuse_what_they_cannot_draw(numbered, options, message):
    with pytest.raises(ValueError, match=message):
        Episodes(*numbered, **{"ways": 3, "shots": 1, "queries": 2} | options)


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize("count", (5, 13))
def test_groups_are_dealt_to_disjoint_parts(fold, count):
    parts = split_groups(list("abcdefghijklm"[:count]), fold)
    assert sorted(itertools.chain(*parts)) == list("abcdefghijklm"[:count])
    assert all(len(part) in (count // 5, count // 5 + 1) for part in parts[1:])
    tested = [split_groups(range(count), k)[2] for k in range(5)]
    assert sorted(itertools.chain(*tested)) == list(range(count))


def test_groups_refuse_another_fold():
    with pytest.raises(ValueError, match="fold must be one of 0 to 4, got 5"):
        split_groups(range(9), 5)
    with pytest.raises(ValueError, match="groups must be 5 or more"):
        split_groups("abcd", 0)


def test_turned_pictures_are_new_classes():
    images, labels = torch.arange(8.0).view(2, 1, 2, 2), torch.tensor([0, 4])
    turned, names = rotated_classes(images, labels)
    assert names.tolist() == [0, 4, 5, 9, 10, 14, 15, 19]
    assert torch.equal(turned[2, 0], torch.tensor([[1.0, 3.0], [0.0, 2.0]]))  # a quarter anticlockwise


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions(name):
    images = torch.rand(6, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    kept = images.clone()
    first, second = corrupted(images)[name], corrupted(images)[name]
    assert torch.equal(images, kept) and torch.equal(first, second) and first.shape == images.shape
    assert 0 <= first.min() and first.max() <= 1 and not torch.equal(first, images)
    if name == "blur":
        constant = torch.full((1, 1, 20, 20), 0.4)
        torch.testing.assert_close(CORRUPTIONS[name](constant, None), constant)
        point = torch.zeros(1, 1, 41, 41)
        point[..., 20, 20] = 1
        spread = CORRUPTIONS[name](point, None)[0, 0]
        offsets = torch.arange(-20.0, 21)
        assert spread.sum() == pytest.approx(1, abs=1e-5)
        assert (spread.sum(0) * offsets**2).sum().sqrt() == pytest.approx(41 / 12, rel=0.02)
    if name == "occlusion":
        changed = (first != images).any(1)
        assert (changed.flatten(1).sum(1) == 144).all()
        torch.testing.assert_close(first[0][:, changed[0]].mean(1), images[0].mean((1, 2)))
    if name == "mixed":
        torch.testing.assert_close(first[1], (images[1] + images[4]) / 2)


# --- Omniglot --------------------------------------------------------------------------------------------------------


def tiny_omniglot(path):
    """Two alphabets of 2 and 1 characters, 3 drawers: the k-th picture has a black square of side k + 1."""
    k = 0
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images/", "")
        archive.writestr("__MACOSX/images/Greek/character01/._0001_01.png", "no picture")
        for name in ("Greek/character01", "Greek/character02", "Latin/character01"):
            for drawer in (1, 2, 3):
                pixels = np.full((105, 105), 255, np.uint8)
                pixels[: k + 1, : k + 1] = 0
                buffer = io.BytesIO()
                Image.fromarray(pixels).convert("1").save(buffer, "png")
                archive.writestr(f"images/{name}/0001_0{drawer}.png", buffer.getvalue())
                k += 1


def test_the_omniglot_archive_is_read(tmp_path):
    tiny_omniglot(tmp_path / "a.zip")
    characters = read_omniglot(tmp_path / "a.zip", size=21)
    assert characters.images.shape == (9, 1, 21, 21) and characters.names == ["Greek", "Latin"]
    assert characters.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert characters.alphabets.tolist() == [0] * 6 + [1] * 3
    ink = characters.images.sum((1, 2, 3)) * 25  # each of the 21 x 21 pixels is 5 x 5 of the archive's
    torch.testing.assert_close(ink, torch.arange(1.0, 10) ** 2)
    assert characters.images[4, 0, 0, 0] == 1 and characters.images[8, 0, 1, 1] == pytest.approx(16 / 25)
    images, labels = characters.of([1])
    assert labels.tolist() == [2, 2, 2] and torch.equal(images, characters.images[6:])


def test_a_missing_or_damaged_omniglot_says_what_to_fetch(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"put https.*images_evaluation\.zip into"):
        load_omniglot(tmp_path, "images_evaluation", download=False)
    tiny_omniglot(tmp_path / "images_background.zip")
    with pytest.raises(ValueError, match="damaged"):
        load_omniglot(tmp_path)
    with pytest.raises(ValueError, match="part must be one of"):
        load_omniglot(tmp_path, "small")
    tiny_omniglot(tmp_path / "images_background_small1.zip")
    assert len(load_omniglot(tmp_path, "images_background_small1").images) == 9


# --- the experiment --------------------------------------------------------------------------------------------------

TINY = {"width": 4, "episodes": 6, "epochs": 1, "queries": 2, "dim": 3}


@pytest.fixture(scope="module")
def scenes():
    return FewShotExperiment(**TINY).load()


def test_scenes_are_split_by_class(scenes):
    found = [set(part.labels.tolist()) for part in scenes[:3]]
    assert sorted(set.union(*found)) == list(range(1, 43)) and sum(map(len, found)) == 42
    again = FewShotExperiment(**TINY).load()
    assert all(torch.equal(a.images, b.images) for a, b in zip(scenes[:3], again[:3], strict=True))
    other = FewShotExperiment(**TINY, fold=1).load()
    assert set(other.validation.labels.tolist()) != found[1] and set(other.train.labels.tolist()) != found[0]


@pytest.mark.parametrize("settings", ({}, {"chart": "lorentz"}, {"flat": True}, {"cosine": True}))
def test_logits_of_all_episodes_are_those_of_the_network(scenes, settings):
    experiment = FewShotExperiment(**TINY, **settings)
    model = experiment.network(scenes).eval()
    episodes = copy.copy(scenes.test)
    episodes.count = 4
    points = embed_all(model, episodes.images)
    with torch.no_grad():
        want = model(torch.stack([episodes[i][0] for i in range(4)]))
    torch.testing.assert_close(query_logits(model, episodes, points), want, rtol=1e-4, atol=1e-5)
    elsewhere = embed_all(model, episodes.images.flip(-1))
    flipped = torch.stack([episodes[i][0] for i in range(4)])
    flipped[:, :, 1:] = flipped[:, :, 1:].flip(-1)
    with torch.no_grad():
        want = model(flipped)
    torch.testing.assert_close(query_logits(model, episodes, points, elsewhere), want, rtol=1e-4, atol=1e-5)
    deltas = relative_deltas(model, episodes.images, size=30, draws=2)
    assert all(0 < delta < 1 and error >= 0 for delta, error in deltas.values())


def test_what_is_mixed_is_a_setting_of_the_run(scenes, monkeypatch):
    monkeypatch.setattr(fewshot, "HELD_OUT_EPISODES", 2)
    seen = []

    class Watched(FewShotExperiment):
        def network(self, data):
            seen.append((data.train.mixed, data.test.mixed))
            return super().network(data)

    Watched(**TINY, mixed=0.5).run(scenes)
    Watched(**TINY).run(scenes)
    assert seen == [(0.5, 0.0), (0.0, 0.0)] and scenes.train.mixed == 0


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="mixed must be between 0 and 1"):
        FewShotExperiment(mixed=2.0)
    with pytest.raises(ValueError, match="dim must be 2 or more"):
        FewShotExperiment(dim=1)


def test_cosine_is_flat():
    experiment = FewShotExperiment(cosine=True)
    assert experiment.flat and experiment.manifold() is None and replace(experiment, seed=3).cosine


@pytest.mark.parametrize("chart", CHARTS)
def test_a_plane_is_drawn_as_it_is(scenes, chart):
    model = FewShotExperiment(**TINY | {"dim": 2}, chart=chart, curvature=0.5).network(scenes)
    points = embed_all(model, scenes.test.images[:5])
    n = model.manifold.to_normal(points)
    d = n.norm(dim=-1, keepdim=True)
    place = in_the_plane(model, points)(points)
    torch.testing.assert_close(place, (torch.tanh(d * 0.5**0.5 / 2) * n / d).double(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("arguments", ([], ["--flat"], ["--dim", "2", "--chart", "ball"], ["--cosine", "--shots", "5"]))
def test_the_command_end_to_end(tmp_path, capsys, monkeypatch, arguments):
    tiny = ["--width", "4", "--episodes", "4", "--epochs", "1", "--queries", "2"]
    monkeypatch.setattr(fewshot, "HELD_OUT_EPISODES", 20)
    assert main(["train", "fewshot", *tiny, *arguments, "--out", str(tmp_path / "run"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert 0 <= report["accuracy"] <= 1 and 0 <= report["auroc"] <= 1 and 0 < report["delta_features"] < 1
    assert {"embedding.svg", "confidence.svg", "report.json"} <= {path.name for path in (tmp_path / "run").iterdir()}


@pytest.mark.slow
def test_episodes_are_learned():
    experiment = FewShotExperiment(width=8, episodes=60, epochs=2, lr=1e-2)
    result = experiment.run(experiment.load())
    assert result.test["accuracy"] > 0.3 and result.history[-1]["accuracy"] > 0.09  # chance is .2, and .05 in training
