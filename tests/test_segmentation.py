"""The softmax on a tree against a naive walk, and the segmentation networks against their twins and their charts."""

import math

import pytest
import torch

from hyplearn import Lorentz, NormalCoordinates, PoincareBall
from hyplearn.data import Hierarchy, balanced_tree
from hyplearn.data.scenes import CLASSES, draw_scenes, scene_tree
from hyplearn.losses import HierarchicalSoftmax
from hyplearn.networks import SegmentationNet
from hyplearn.networks.segmentation import HEncoderDecoder

UNEVEN = Hierarchy.from_pairs(
    [("a", "root"), ("b", "root"), ("c", "b"), ("d", "b"), ("e", "d"), ("f", "d"), ("g", "d")]
)


def naive(tree, nodes, logits: torch.Tensor, leaf: str) -> float:
    """Walks up from the leaf, one softmax at a time."""
    value = dict(zip(nodes, logits.tolist(), strict=True))
    node, total = tree.names.index(leaf), 0.0
    while tree.parents[node]:
        (parent,) = tree.parents[node]
        siblings = [value[tree.names[s]] for s in tree.children[parent]]
        total += value[tree.names[node]] - math.log(sum(math.exp(s) for s in siblings))
        node = parent
    return total


@pytest.mark.parametrize("tree", [UNEVEN, scene_tree(), balanced_tree(3, 2)], ids=["uneven", "scenes", "balanced"])
def test_hierarchical_softmax_is_a_product_along_the_path(tree):
    head = HierarchicalSoftmax(tree)
    logits = torch.randn(2, len(head.nodes), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = head(logits)
    assert found.shape == (2, len(tree.leaves), 3)
    for k, leaf in enumerate(head.classes):
        assert found[1, k, 2].item() == pytest.approx(naive(tree, head.nodes, logits[1, :, 2], leaf), abs=1e-12)
    assert torch.allclose(found.exp().sum(1), torch.ones(2, 3, dtype=torch.float64), atol=1e-12)
    inner = head.node_log_probabilities(logits)
    for name in head.nodes:
        below = [c for c, leaf in enumerate(head.classes) if name == leaf or _is_below(tree, leaf, name)]
        total = found[:, below].logsumexp(1)
        assert torch.allclose(inner[:, head.nodes.index(name)], total, atol=1e-12)


def _is_below(tree, leaf, name):
    return tree.names.index(name) in tree.ancestors[tree.names.index(leaf)]


def test_a_star_is_the_ordinary_softmax_and_large_logits_stay_finite():
    tree = balanced_tree(5, 1)
    logits = torch.tensor([[1e4, 0.0, -1e4, 3.0, 1.0]], requires_grad=True)
    head = HierarchicalSoftmax(tree)
    assert torch.equal(head(logits), logits.log_softmax(1))
    head.loss(logits, torch.tensor([2])).backward()
    assert logits.grad.isfinite().all()


def test_the_loss_is_the_mean_over_what_is_labelled_in_the_order_of_the_labels():
    names = ["g", "f", "e", "c", "a"]
    head = HierarchicalSoftmax(UNEVEN, names)
    logits = torch.randn(1, len(head.nodes), 4, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[0, 255, 4, 255]])
    expected = -(naive(UNEVEN, head.nodes, logits[0, :, 0], "g") + naive(UNEVEN, head.nodes, logits[0, :, 2], "a")) / 2
    assert head.loss(logits, labels, ignore=255).item() == pytest.approx(expected, rel=1e-5)


def test_levels_name_the_ancestors_and_leaves_stand_for_themselves_below():
    head = HierarchicalSoftmax(UNEVEN, ["a", "c", "e", "f", "g"])
    named = [[head.nodes[i] for i in level.tolist()] for level in head.levels()]
    assert named == [["a", "b", "b", "b", "b"], ["a", "c", "d", "d", "d"], ["a", "c", "e", "f", "g"]]


def test_a_head_for_a_graph_or_for_other_classes_is_refused():
    with pytest.raises(ValueError, match="one root"):
        HierarchicalSoftmax(Hierarchy.from_pairs([("a", "b"), ("c", "d")]))
    with pytest.raises(ValueError, match="classes must be the 5 leaves"):
        HierarchicalSoftmax(UNEVEN, ["a", "b"])
    with pytest.raises(ValueError, match="one of 7 nodes along dim 1"):
        HierarchicalSoftmax(UNEVEN)(torch.zeros(2, 5))


def images(count=2, size=16):
    return draw_scenes(count, (1, 3), seed=0).render(size)[0]


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_twins_have_equally_many_parameters_and_shapes():
    flat, curved = SegmentationNet(4, 9, width=8), SegmentationNet(4, 9, NormalCoordinates(0.5), width=8)
    assert parameters(flat) == parameters(curved)
    for model in (flat, curved):
        assert model(images()).shape == (2, 9, 16, 16) and model.confidence(images()).shape == (2, 16, 16)


@pytest.mark.parametrize("fully", [False, True])
def test_charts_agree(fully):
    x = images().double()
    found = []
    for chart in (NormalCoordinates, PoincareBall):
        torch.manual_seed(0)
        model = SegmentationNet(3, 5, chart(0.7), width=4, fully=fully).double().eval()
        found.append((model(x), model.confidence(x)))
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-9)


def test_confidence_is_a_distance_within_the_radius():
    manifold = Lorentz(2.0)
    model = SegmentationNet(3, 5, manifold, width=4, radius=1.5)
    assert model.embed(100 * images()).shape[1] == 4  # the time coordinate
    assert model.confidence(100 * images()).max() <= 1.5 / math.sqrt(2.0) * (1 + 1e-5)


def test_a_constant_image_is_concatenated_as_hnn_does():
    """beta-concatenation of m and n coordinates, from the formula with beta functions."""
    x, y = torch.randn(1, 3, 2, 2, dtype=torch.float64), torch.randn(1, 5, 2, 2, dtype=torch.float64)
    found = HEncoderDecoder(2, NormalCoordinates(1.0), 2)._concatenate(x, y)

    def beta(n):
        return math.gamma(n / 2) * math.gamma(0.5) / math.gamma((n + 1) / 2)

    expected = torch.cat([beta(8) / beta(3) * x, beta(8) / beta(5) * y], 1)
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("manifold", [None, NormalCoordinates(1.0)], ids=["flat", "hyperbolic"])
def test_a_few_steps_teach_to_find_objects(manifold):
    head = HierarchicalSoftmax(scene_tree(), CLASSES)
    scenes = draw_scenes(64, (1, 2), kinds=["disc", "square"], seed=0)
    x, front = scenes.render(32)
    y = scenes.labels(front)
    torch.manual_seed(0)
    model = SegmentationNet(4, len(head.nodes), manifold, width=8)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(40):
        part = slice(16 * (step % 4), 16 * (step % 4) + 16)
        optimizer.zero_grad()
        head.loss(model(x[part]), y[part]).backward()
        optimizer.step()
    found = head(model.eval()(x)).argmax(1)
    assert (found[y == 0] == 0).double().mean() > 0.9 and (found[y > 0] > 0).double().mean() > 0.25  # 1 % at the start


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="divisible by 4"):
        SegmentationNet(2, 3)(torch.zeros(1, 3, 10, 12))
    with pytest.raises(ValueError, match="needs a manifold"):
        SegmentationNet(2, 3, fully=True)
