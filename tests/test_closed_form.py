"""Sarkar's construction against mpmath, its distortion and price in bits; h-MDS on what it keeps exactly."""

import json
import math
import os
from pathlib import Path

import mpmath as mp
import pytest
import torch

from hyplearn.cli import main
from hyplearn.data import Hierarchy, balanced_tree, breadth_first_tree, random_tree
from hyplearn.embeddings import HMDSEmbedding, SarkarEmbedding
from hyplearn.embeddings.sarkar import bits_needed, distortion_curve, fixed_point_distance, spherical_code
from hyplearn.manifolds import PoincareBall
from hyplearn.metrics import average_distortion, best_scale, rank_metrics, relative_error, worst_distortion

DATA = os.environ.get("HYPLEARN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="set HYPLEARN_DATA to the folder of the real data sets")


def weighted(nodes, seed):
    tree = random_tree(nodes, seed)
    lengths = 0.2 + torch.rand(nodes - 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Hierarchy(tree.names, tree.edges, lengths)


def all_distances(embedding):
    return embedding.distances_from(torch.arange(len(embedding.tree_)))


def exact_by_coordinates(embedding):
    points = embedding.coordinates()
    rows = [[fixed_point_distance(p, q, embedding.bits) for q in points] for p in points]
    return torch.tensor(rows, dtype=torch.float64)


def sarkar_in_mpmath(tree, scale):
    """The textbook's way in the disk: move the node to 0, put its children on a circle, move back."""
    place, length = {tree.order[0]: mp.mpc(0)}, {}
    for (child, _), w in zip(tree.edges.tolist(), tree.weights.tolist(), strict=True):
        length[child] = w
    for node in tree.order:
        z, children = place[node], tree.children[node]
        directions = [mp.expjpi(mp.mpf(2 * k) / len(children)) for k in range(len(children))]
        if tree.parents[node]:
            up = place[tree.parents[node][0]]
            up = (up - z) / (1 - mp.conj(z) * up)
            directions = [
                up / abs(up) * mp.expjpi(mp.mpf(2 * k) / (len(children) + 1)) for k in range(1, len(children) + 1)
            ]
        for u, child in zip(directions, children, strict=True):
            w = mp.tanh(mp.mpf(scale) * length[child] / 2) * u
            place[child] = (w + z) / (1 + mp.conj(z) * w)
    return place


def distance_in_mpmath(z, w):
    return 2 * mp.asinh(abs(z - w) / mp.sqrt((1 - abs(z) ** 2) * (1 - abs(w) ** 2)))


@pytest.mark.parametrize("scale", [0.3, 2.0, 25.0])
def test_distances_are_those_of_sarkars_construction(scale):
    tree = weighted(25, seed=1)
    with mp.workdps(200):
        place = sarkar_in_mpmath(tree, scale)
        expected = [[float(distance_in_mpmath(place[i], place[j])) for j in range(25)] for i in range(25)]
    actual = all_distances(SarkarEmbedding(scale=scale).fit(tree))
    assert torch.allclose(actual, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dim", [2, 3, 6])
@pytest.mark.parametrize("bits", [53, 200, 1000])
def test_coordinates_have_the_distances_that_are_composed(dim, bits):
    embedding = SarkarEmbedding(dim, bits=bits).fit(weighted(30, seed=2))
    composed = all_distances(embedding)
    assert embedding.bits_needed_ == bits
    assert torch.allclose(exact_by_coordinates(embedding), composed, rtol=1e-10, atol=1e-10)
    assert torch.equal(composed.diagonal(), torch.zeros(30, dtype=torch.float64))


def test_a_few_bits_less_are_too_few():
    needed = SarkarEmbedding(bits=200).fit(weighted(30, seed=2))
    fewer = SarkarEmbedding(bits=170, scale=needed.scale_).fit(needed.tree_)
    off = (exact_by_coordinates(fewer) - all_distances(needed)).abs().max().item()
    assert 1e-4 < off < 10
    with pytest.raises(ValueError, match="60 bits are too few"):
        exact_by_coordinates(SarkarEmbedding(bits=60, scale=needed.scale_).fit(needed.tree_))


@pytest.mark.parametrize("distance", [10.0, 200.0])
def test_bits_needed_is_what_a_far_point_costs(distance):
    """Rounding to that many bits moves the distance from the origin by less than 1e-10, 16 bits fewer by more."""
    for spare, enough in ((0, True), (16, False)):
        bits = bits_needed(distance) - spare
        with mp.workdps(200):
            rounded = int(mp.floor(mp.tanh(mp.mpf(distance) / 2) * 2**bits))
        error = abs(fixed_point_distance([0, 0], [rounded, 0], bits) - distance)
        assert (error < 1e-10) == enough


def test_embedding_is_in_the_ball_with_the_same_distances():
    embedding = SarkarEmbedding(dim=3, scale=0.7).fit(balanced_tree(2, 4))
    x = embedding.embedding_
    assert x.dtype == torch.float64
    assert torch.allclose(PoincareBall(1.0).dist(x[:, None], x), all_distances(embedding), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_longer_scale_buys_less_distortion(dim):
    tree = random_tree(40, seed=3)
    true = tree.tree_distances()
    curve = [
        average_distortion(all_distances(SarkarEmbedding(dim, scale=s).fit(tree)), true, s) for s in (1, 4, 16, 64)
    ]
    assert curve == sorted(curve, reverse=True) and curve[-1] < 1.01 < 1.15 < curve[0]
    # Every edge has its length, and no way is longer than the path: 1 is the largest ratio.
    d = all_distances(SarkarEmbedding(dim, scale=64.0).fit(tree))
    assert d[tuple(tree.edges.T)].sub(64).abs().max() < 1e-9 and (d / (64 * true).clamp_min(1)).max() < 1 + 1e-12
    assert worst_distortion(d, true) < 1.1
    assert rank_metrics(lambda i: d[i], torch.cat([tree.edges, tree.edges.flip(1)]), 40) == (1.0, 1.0)


def test_zero_edges_are_contracted():
    tree = Hierarchy(
        list("abcdef"), torch.tensor([[1, 0], [2, 1], [3, 0], [4, 2], [5, 4]]), torch.tensor([0.0, 2, 3, 0, 1])
    )
    tree = Hierarchy(tree.names, tree.edges, tree.weights.double())
    embedding = SarkarEmbedding(scale=50.0, bits=600).fit(tree)
    d, x = all_distances(embedding), embedding.coordinates()
    assert d[0, 1] == d[2, 4] == 0 and x[0] == x[1] and x[2] == x[4]
    assert average_distortion(d, tree.tree_distances(), 50.0) < 1.01


def test_a_graph_goes_through_its_spanning_tree():
    dag = Hierarchy(list("abcd"), torch.tensor([[1, 0], [2, 0], [3, 1], [3, 2]]))
    embedding = SarkarEmbedding(scale=40.0).fit(dag)
    assert embedding.tree_.is_tree
    assert embedding.distance(torch.tensor([3, 3]), torch.tensor([1, 2])).div(40).round().tolist() == [1.0, 3.0]


def test_a_graph_without_direction_goes_through_its_breadth_first_tree():
    edges = torch.tensor([[0, 1], [2, 1], [2, 3], [3, 4], [4, 0], [4, 5]])  # a cycle of five, and a tail
    graph = torch.full((6, 6), torch.inf, dtype=torch.float64).fill_diagonal_(0.0)
    graph[edges[:, 0], edges[:, 1]] = graph[edges[:, 1], edges[:, 0]] = 1.0
    for k in range(6):  # Floyd and Warshall
        graph = torch.minimum(graph, graph[:, k : k + 1] + graph[k])
    for root in range(6):
        tree = breadth_first_tree(list("abcdef"), edges, root)
        assert tree.is_tree and tree.roots == [root]
        true = tree.tree_distances()
        assert torch.equal(true[root], graph[root]) and (true >= graph).all()
        assert {frozenset(e) for e in tree.edges.tolist()} <= {frozenset(e) for e in edges.tolist()}
        assert average_distortion(all_distances(SarkarEmbedding(scale=40.0).fit(tree)), true, 40.0) < 1.02
    with pytest.raises(ValueError, match="only 6 of 7 are reached"):
        breadth_first_tree(list("abcdefg"), edges)


@pytest.mark.parametrize("dim", [2, 4])
def test_the_curve_is_what_single_embeddings_give(dim):
    tree = weighted(30, seed=6)
    true = tree.tree_distances()
    for scale, distortion, bits in distortion_curve(tree, (0.5, 3.0, 30.0), dim):
        model = SarkarEmbedding(dim, scale=scale).fit(tree)
        assert distortion == pytest.approx(average_distortion(all_distances(model), true, scale), rel=1e-12)
        assert bits == model.bits_needed_
    whole, some = (distortion_curve(random_tree(300), (4.0,), dim, sample=n)[0][1] for n in (300, 60))
    assert some == pytest.approx(whole, rel=0.02)


def test_save_and_load(tmp_path):
    embedding = SarkarEmbedding(dim=3, bits=90).fit(weighted(12, seed=4))
    embedding.save(tmp_path / "tree.pt")
    again = SarkarEmbedding.load(tmp_path / "tree.pt")
    assert again.coordinates() == embedding.coordinates() and again.tree_.names == embedding.tree_.names


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12, 40])
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_spherical_codes_are_spread(count, dim):
    code = spherical_code(count, dim)
    assert code.shape == (count, dim)
    assert torch.allclose(code.norm(dim=1), torch.ones(count, dtype=torch.float64), atol=1e-12)
    if count == 1:
        return
    nearest = torch.cdist(code, code).fill_diagonal_(9.0).min().item()
    if dim == 2:
        best = 2 * math.sin(math.pi / count)
    elif count <= dim + 1:
        best = math.sqrt(2 * count / (count - 1))
    else:
        best = {(5, 3): math.sqrt(2), (12, 3): 1.0515, (40, 3): 0.6178, (12, 5): 1.4, (40, 5): 1.0}[count, dim]
    # Tammes's optima in three dimensions (the icosahedron, Sloane's tables); in five, upper estimates.
    assert nearest >= (1 - 1e-9) * best if count <= dim + 1 or dim == 2 else nearest >= 0.9 * best


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dim": 1}, "dim must be at least 2"),
        ({"bits": 34}, "bits must be more than 34"),
        ({"scale": 0.0}, "scale must be > 0"),
        ({"scale": math.inf}, "scale must be > 0"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        SarkarEmbedding(**options)
    with pytest.raises(ValueError, match="no edge of positive length"):
        SarkarEmbedding().fit(balanced_tree(2, 0))


# --- h-MDS ------------------------------------------------------------------------------------------------------------


def ball_points(n, dim, radius, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    r = radius * torch.rand(n, 1, generator=generator, dtype=torch.float64)
    return PoincareBall(1.0).expmap0(x / x.norm(dim=1, keepdim=True) * r / 2)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("stretch", [1.0, 2.5])
def test_hmds_finds_hyperbolic_points_again(dim, stretch):
    x = ball_points(20, dim, radius=3.0)
    true = PoincareBall(1.0).dist(x[:, None], x)
    true = (true + true.T) / 2
    model = HMDSEmbedding(dim, scale=1 / stretch).fit(stretch * true)
    everything = model.distances_from(torch.arange(20))
    assert torch.allclose(everything, true, atol=1e-6) and model.error_ < 1e-6
    assert model.embedding_.shape == (20, dim)
    again = PoincareBall(1.0).dist(model.embedding_[:, None], model.embedding_)
    assert torch.allclose(again, true, atol=1e-6)
    assert torch.allclose(model.distance(3, torch.arange(20)), everything[3])


def test_hmds_of_a_tree_gets_better_with_dimension_and_picks_a_scale(tmp_path):
    tree = random_tree(40, seed=2)
    errors = [HMDSEmbedding(dim).fit(tree).error_ for dim in (2, 5, 15, 30)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05
    model = HMDSEmbedding(5).fit(tree)
    for scale in (0.5 * model.scale_, 0.1):
        assert HMDSEmbedding(5, scale=scale).fit(tree).error_ >= model.error_
    true = tree.tree_distances()
    assert relative_error(model.distances_from(torch.arange(40)), true, model.scale_) == pytest.approx(model.error_)
    assert HMDSEmbedding(15).fit(weighted(60, seed=5)).error_ < 0.1  # its distances are symmetric up to rounding only
    model.save(tmp_path / "m.pt")
    assert torch.equal(HMDSEmbedding.load(tmp_path / "m.pt").embedding_, model.embedding_)


@pytest.mark.parametrize(
    "distances, message",
    [
        (torch.tensor([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (torch.ones(2, 3), "symmetric"),
        (torch.ones(2, 2), "0 on the diagonal"),
        (torch.zeros(2, 2), "0 on the diagonal"),
        (torch.tensor([[0.0, math.inf], [math.inf, 0.0]]), "finite"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(distances, message):
    with pytest.raises(ValueError, match=message):
        HMDSEmbedding(2).fit(distances)
    with pytest.raises(ValueError, match="scale must be below 233"):
        HMDSEmbedding(2, scale=300.0).fit(balanced_tree(1, 3))


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_what_scale_costs_and_how_far_off_distances_are(tmp_path, capsys):
    assert main(["embed", "@objects", "--method", "sarkar", "--dim", "2", "--out", str(tmp_path / "sarkar")]) == 0
    printed = capsys.readouterr().out.splitlines()
    report = json.loads((tmp_path / "sarkar" / "report.json").read_text())
    rows = [line for line in printed if line.startswith("scale")]
    assert len(rows) == len(report["curve"]) == 7
    assert any(bits == 53 for _, _, bits in report["curve"])
    for row, (scale, distortion, bits) in zip(rows, report["curve"], strict=True):
        numbers = [float(word) for word in row.split() if word[0].isdigit()]
        assert numbers == pytest.approx([scale, distortion, bits], rel=1e-3)
    assert main(["embed", "@objects", "--method", "hmds", "--dim", "3", "--out", str(tmp_path / "hmds")]) == 0
    error = json.loads((tmp_path / "hmds" / "report.json").read_text())["error"]
    assert f"off by {100 * error:.3g} % on average" in capsys.readouterr().out


# --- the trees of the literature --------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize("name, bits, least", [("smalltree", 1300, 39), ("phylo_tree", 3750, 343)])
def test_distortion_of_the_trees_of_the_literature(name, bits, least):
    rows = [line.split()[:2] for line in Path(DATA, f"graphs/{name}.edges").read_text().splitlines()]
    tree = Hierarchy.from_pairs([(child, parent) for parent, child in rows])
    assert tree.is_tree and len(tree.edges) == least
    true, d = tree.tree_distances(), all_distances(SarkarEmbedding(bits=bits).fit(tree))
    assert average_distortion(d, true, best_scale(d, true)) <= 1.001


@needs_data
def test_hmds_on_phylo_tree_is_at_least_as_good_as_published():
    rows = [line.split()[:2] for line in Path(DATA, "graphs/phylo_tree.edges").read_text().splitlines()]
    tree = Hierarchy.from_pairs([(child, parent) for parent, child in rows])
    assert HMDSEmbedding(100).fit(tree).error_ <= 0.0326  # Sala et al. 2018, table 3
