"""Every metric against a naive oracle, and against scikit-learn's where it has one."""

import itertools

import numpy as np
import pytest
import torch

from hyplearn import metrics
from hyplearn.data import balanced_tree, load_mammals, random_tree


def random_space(n, seed=0, dim=3):
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cdist(x, x)


def naive_rank_metrics(distances, pairs, known=()):
    pairs, known = {tuple(p) for p in pairs}, {tuple(p) for p in known}
    ranks, precisions = [], []
    for u in sorted({p[0] for p in pairs}):
        related = [v for v in range(len(distances)) if (u, v) in pairs]
        others = [v for v in range(len(distances)) if v != u and (u, v) not in pairs | known]
        mine = []
        for v in related:
            d = distances[u, v]
            below = sum(float(distances[u, w] < d) + 0.5 * float(distances[u, w] == d) for w in others)
            ranks.append(1 + below)
            position = 1 + sum(bool(distances[u, w] < d) for w in related)
            mine.append(position / (position + below))
        precisions.append(np.mean(mine))
    return np.mean(ranks), np.mean(precisions)


@pytest.mark.parametrize("block_bytes", [1, 3000, 2**28])
@pytest.mark.parametrize("seed", [0, 1])
def test_rank_metrics_against_the_definition(block_bytes, seed):
    tree = random_tree(40, seed)
    d = random_space(40, seed)
    expected = naive_rank_metrics(d, tree.closure.tolist())
    ours = metrics.rank_metrics(lambda i: d[i], tree.closure, 40, block_bytes=block_bytes)
    assert ours == pytest.approx(expected, rel=1e-12)


def test_rank_metrics_leave_known_pairs_out_and_split_ties():
    tree = random_tree(30, 3)
    held_out, known = tree.closure[::3], tree.closure[1::3]
    d = random_space(30).mul(4).round()  # many ties
    nowhere = [pair for pair in held_out.tolist() if pair in known.tolist()]
    assert not nowhere
    ours = metrics.rank_metrics(lambda i: d[i].clone(), held_out, 30, known)
    expected_rank, _ = naive_rank_metrics(d, held_out.tolist(), known.tolist())
    assert ours[0] == pytest.approx(expected_rank, rel=1e-12)


def test_map_is_scikit_learns():
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    mammals = load_mammals()
    d = random_space(len(mammals))
    related = torch.zeros(len(mammals), len(mammals), dtype=torch.bool)
    related[tuple(mammals.closure.T)] = True
    scores = []
    for u in range(len(mammals)):
        if related[u].any():
            others = torch.arange(len(mammals)) != u
            scores.append(sklearn_metrics.average_precision_score(related[u][others], -d[u][others]))
    assert metrics.rank_metrics(lambda i: d[i], mammals.closure, len(mammals))[1] == pytest.approx(np.mean(scores))


def test_a_perfect_ranking():
    tree = balanced_tree(2, 3)
    far = torch.ones(15, 15, dtype=torch.float64)
    far[tuple(tree.closure.T)] = 0.5
    assert metrics.rank_metrics(lambda i: far[i], tree.closure, 15) == (1.0, 1.0)


@pytest.mark.parametrize("scale", [0.3, 1.0, 7.0])
def test_distortion_of_a_scaled_copy_is_one(scale):
    d = random_space(20)
    assert metrics.best_scale(scale * d, d) == pytest.approx(scale)
    assert metrics.average_distortion(scale * d, d, scale) == pytest.approx(1.0)
    assert metrics.worst_distortion(scale * d, d) == pytest.approx(1.0)
    assert metrics.relative_error(scale * d, d, scale) == pytest.approx(0.0, abs=1e-12)


def test_distortions_by_hand_and_best_scale_is_best():
    true, embedded = torch.tensor([0.0, 1.0, 2.0, 4.0]), torch.tensor([0.0, 2.0, 1.0, 4.0])
    assert metrics.average_distortion(embedded, true) == pytest.approx((2 + 2 + 1) / 3)
    assert metrics.worst_distortion(embedded, true) == pytest.approx(4.0)
    assert metrics.relative_error(embedded, true) == pytest.approx((1 + 0.5 + 0) / 3)
    a, b = random_space(15, 1), random_space(15, 2)
    best = metrics.best_scale(a, b)
    at = metrics.average_distortion(a, b, best)
    assert all(at <= metrics.average_distortion(a, b, best * f) for f in (0.9, 0.999, 1.001, 1.1))


def naive_delta(d, base=None):
    n, worst = len(d), 0.0
    for w in range(n) if base is None else [base]:
        product = [[(d[x][w] + d[y][w] - d[x][y]) / 2 for y in range(n)] for x in range(n)]
        for x, y, z in itertools.product(range(n), repeat=3):
            worst = max(worst, min(product[x][y], product[y][z]) - product[x][z])
    return worst


@pytest.mark.parametrize("base", [0, 5, None])
def test_delta_against_all_triples(base):
    d = random_space(12)
    assert metrics.gromov_delta(d, base) == pytest.approx(naive_delta(d.tolist(), base), rel=1e-12)


def test_delta_is_the_four_point_condition():
    d = random_space(10, 4).tolist()
    sums = (
        sorted((d[a][b] + d[c][e], d[a][c] + d[b][e], d[a][e] + d[b][c]))
        for a, b, c, e in itertools.combinations(range(10), 4)
    )
    expected = max((s[2] - s[1]) / 2 for s in sums)
    assert metrics.gromov_delta(torch.tensor(d).double(), None) == pytest.approx(expected)


@pytest.mark.parametrize("n, delta", [(4, 1.0), (8, 2.0), (12, 3.0)])
def test_delta_of_trees_and_cycles(n, delta):
    assert metrics.gromov_delta(random_tree(30).tree_distances(), None) == 0.0
    i = torch.arange(n)
    cycle = torch.minimum((i[:, None] - i).abs(), n - (i[:, None] - i).abs()).double()
    assert metrics.gromov_delta(cycle, None) == delta  # a cycle of n = 4k edges has delta n / 4
    assert metrics.relative_delta(cycle, None) == 2 * delta / (n / 2) == 1.0


def test_sampled_delta_comes_with_its_error():
    d = random_space(80)
    mean, error = metrics.relative_delta_by_sampling(lambda i: d[i][:, i], 80, size=40, draws=12)
    assert 0 < mean < 1 and 0 < error < 0.1
    whole, none = metrics.relative_delta_by_sampling(lambda i: d[i][:, i], 80, size=80, draws=3, seed=5)
    assert abs(whole - metrics.relative_delta(d)) < 0.5 and none < 0.2


def test_f1_and_threshold_against_scikit_learn():
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(200, generator=generator) < 0.3
    scores = (torch.rand(200, generator=generator) - 0.4 * true).mul(20).round() / 20  # with ties
    candidates = {t: metrics.f1_score(scores <= t, true) for t in scores.tolist()}
    for t, value in candidates.items():
        assert value == pytest.approx(sklearn_metrics.f1_score(true, scores <= t))
    assert metrics.f1_score(scores <= metrics.best_threshold(scores, true), true) == max(candidates.values())


@pytest.mark.parametrize("missing", [False, True])
def test_segmentation_scores_against_scikit_learn(missing):
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = torch.Generator().manual_seed(0)
    true, predicted = torch.randint(4, (2, 3, 8, 8), generator=generator)
    if missing:  # class 3 neither occurs nor is predicted
        true, predicted = true % 3, predicted % 3
    true[0, :2] = 255  # void
    kept = true != 255
    a, b = true[kept].numpy(), predicted[kept].numpy()
    confusion = metrics.confusion_matrix(predicted, true, 4)
    found = metrics.segmentation_scores(confusion)
    assert np.array_equal(confusion.numpy(), sklearn_metrics.confusion_matrix(a, b, labels=range(4)))
    assert found["pixel_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(a, b))
    assert found["class_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(a, b))
    assert found["miou"] == pytest.approx(sklearn_metrics.jaccard_score(a, b, average="macro"))


def test_auroc_against_scikit_learn():
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = torch.Generator().manual_seed(0)
    positive = torch.rand(300, generator=generator) < 0.2
    for digits in (1, 6):  # with ties, and without
        scores = (torch.rand(300, generator=generator) + 0.3 * positive).round(decimals=digits)
        assert metrics.auroc(scores, positive) == pytest.approx(sklearn_metrics.roc_auc_score(positive, scores))
    assert metrics.auroc(torch.arange(9), torch.tensor([1, 0, 0, 0, 0, 1, 1, 1, 1])) == 0.8  # ranks in float64
    with pytest.raises(ValueError, match="positive must mark some"):
        metrics.auroc(scores, torch.zeros(300))


def test_held_out_f1_takes_its_threshold_from_validation_data():
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = torch.Generator().manual_seed(1)
    true = torch.rand(400, generator=generator) < 0.3
    scores = torch.rand(400, generator=generator) - 0.4 * true
    validation, test = (scores[::2], true[::2]), (scores[1::2], true[1::2])
    chosen = metrics.best_threshold(*validation)
    expected = sklearn_metrics.f1_score(test[1], test[0] <= chosen)
    assert metrics.held_out_f1(validation, test) == pytest.approx(expected)
    assert expected < metrics.held_out_f1(test, test)
