"""Segmentation: with and without a class tree, hyperbolic and flat, classes without a training pixel, unsure pixels."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from hyplearn import viz
from hyplearn.data import Hierarchy, camvid, deal_leaves, keep_leaves
from hyplearn.data.camvid import VOID
from hyplearn.data.scenes import CLASSES, draw_scenes, scene_tree
from hyplearn.experiments.base import Data, Experiment, option
from hyplearn.losses import HierarchicalSoftmax
from hyplearn.metrics import auroc, confusion_matrix, segmentation_scores
from hyplearn.networks import SegmentationNet
from hyplearn.uncertainty import (
    boundary_map,
    distance_from_origin,
    energy,
    entropy,
    label_boundaries,
    max_probability,
    monte_carlo_dropout,
)

# Of four groups of the tree of shapes, one kind to learn and one that has no training pixel.
SEEN = ("four-pointed star", "disc", "ring", "plus")
UNSEEN = ("five-pointed star", "ellipse", "oval ring", "T")


class Classes(NamedTuple):
    """Names by label; the labels that have no training pixel; the tree whose leaves the classes are."""

    names: tuple[str, ...]
    unseen: list[int]
    tree: Hierarchy

    @property
    def seen(self) -> list[int]:
        return [label for label in range(len(self.names)) if label not in self.unseen]


@dataclass(frozen=True)
class SegmentationExperiment(Experiment):
    """Pixels classified by an encoder-decoder with a hyperbolic head, by a softmax on the tree of the classes.

    Some classes have no training pixel: theirs are void there. As Ghadimi Atigh et al. 2022 do, their test pixels
    are classified among these classes only: whatever the network knows of them, it knows through the tree. Scores:
    `miou` and so on of the other classes; `zero_...` of these, `zero_sibling_...` and `zero_cousin_...` where a class
    with the same parent, or grandparent, counts as right; `zero_group_miou` decided by the probability of the parent,
    which a network without tree gets from it in the test; areas under the ROC curve of uncertainties for wrongly
    classified pixels (`wrong_...`) and for those at the borders of objects (`border_...`).

    examples:
      hyplearn train segmentation --out run                      shapes, with the tree
      hyplearn train segmentation --flat --out flat              its flat twin
      hyplearn train segmentation --tree none --out plain        an ordinary softmax
      hyplearn train segmentation --tree permuted --out control  a tree that means nothing
      hyplearn train segmentation --fully --out fully            encoder and decoder are hyperbolic too
      hyplearn train segmentation --data camvid --data-dir DIR --out camvid
    """

    tree: str = option(
        "true", "the tree of the softmax; permuted: leaves at random", choices=("true", "none", "permuted")
    )
    dim: int = option(8, "dimension of the pixels' space")
    fully: bool = option(False, "make encoder and decoder hyperbolic too")
    width: int = option(16, "channels at full resolution")
    dropout: float = option(0.1, "share of channels dropped before the last convolution")
    passes: int = option(5, "passes of Monte-Carlo dropout")
    data: str = option("scenes", "which pictures", choices=("scenes", "camvid"))
    images: int = option(2000, "how many scenes to train on")
    size: int = option(24, "height and width of a scene, a multiple of 4")
    epochs: int = option(5, "passes over the training data")
    lr: float = option(1e-2, "Adam's learning rate")
    weight_decay: float = option(1e-2, "decoupled weight decay")
    batch_size: int = option(16, "pictures per step")

    def load(self) -> Data:
        if self.data == "scenes":
            return scenes(self.images, self.size)
        return roads(camvid.load_camvid(self.folder()))

    def head(self, classes: Classes) -> HierarchicalSoftmax:
        """The softmax over the classes, on the tree that `tree` names."""
        if self.tree == "none":
            tree = Hierarchy.from_pairs([(name, "any") for name in classes.names])
        elif self.tree == "permuted":
            tree = deal_leaves(classes.tree, self.seed, fixed=["background"])
        else:
            tree = classes.tree
        return HierarchicalSoftmax(tree, classes.names)

    def network(self, data):
        outputs = len(self.head(data.about).nodes)
        fully = self.fully and not self.flat
        return SegmentationNet(self.dim, outputs, self.manifold(), self.width, self.dropout, fully)

    def loss(self, data):
        head = self.head(data.about)
        return lambda logits, labels: head.to(logits.device).loss(logits, labels, VOID)

    def scores(self, model, part, data):
        found = predict(model, self.head(data.about), part, self.passes)
        return {
            **seen_scores(found, data.about),
            **zero_label_scores(found, data.about),
            **uncertainty_scores(found, data.about),
        }

    def draw(self, model, data, out: Path) -> None:
        figure, alt = draw_examples(model, self.head(data.about), data)
        viz.save(figure, out / "examples.svg", alt)


# --- data -------------------------------------------------------------------------------------------------------------


def scenes(images: int, size: int) -> Data:
    """Scenes of one or two shapes of the kinds SEEN and UNSEEN; the latter are void in training.

    The parts differ in their seeds: `images` to train on, 100 for validation, 200 for the test.
    """
    names = ("background", *SEEN, *UNSEEN)
    classes = Classes(names, [names.index(kind) for kind in UNSEEN], keep_leaves(scene_tree(), names))
    label = torch.full((len(CLASSES),), VOID)
    label[[CLASSES.index(name) for name in names]] = torch.arange(len(names))

    def part(count, seed):
        drawn = draw_scenes(count, (1, 2), kinds=names[1:], size=(0.5, 0.75), seed=seed)
        pictures, front = drawn.render(size)
        return pictures - 0.5, label[drawn.labels(front)]

    return _hide_unseen(part(images, 0), part(100, 1), part(200, 2), classes)


def roads(parts: tuple[TensorDataset, TensorDataset, TensorDataset]) -> Data:
    """CamVid with its tree, and without the labels of four of its classes in training."""
    classes = Classes(camvid.CLASSES, [camvid.CLASSES.index(name) for name in camvid.UNSEEN], camvid.camvid_tree())
    return _hide_unseen(*(part.tensors for part in parts), classes)


def _hide_unseen(train, validation, test, classes: Classes) -> Data:
    images, labels = train
    hidden = torch.isin(labels, torch.tensor(classes.unseen))
    train = TensorDataset(images, labels.masked_fill(hidden, VOID))
    return Data(train, TensorDataset(*validation), TensorDataset(*test), classes)


# --- scores -----------------------------------------------------------------------------------------------------------


class Predictions(NamedTuple):
    """What a network says of N pictures, by pixel: log-probabilities (N, classes, H, W) of the classes, the true labels
    (N, H, W), uncertainties (N, H, W) by name, and what Monte-Carlo dropout costs beside one pass, in seconds.
    """

    log_p: Tensor
    labels: Tensor
    uncertainty: dict[str, Tensor]
    dropout_cost: float


@torch.no_grad()
def predict(model: SegmentationNet, head: HierarchicalSoftmax, part: Dataset, passes: int) -> Predictions:
    """`Predictions` of a network in evaluation mode; `passes` of Monte-Carlo dropout, none if 0."""
    device = next(model.parameters()).device
    head = head.to(device)
    columns, seconds = [], [0.0, 0.0]
    for images in part.tensors[0].split(32):
        images = images.to(device)
        started = time.process_time()
        points = model.embed(images)
        logits = model.head(points)
        log_p = head(logits)
        seconds[0] += time.process_time() - started
        column = {
            "log_p": log_p,
            "distance": -distance_from_origin(points, model.manifold),
            "probability": -max_probability(log_p),
            "entropy": entropy(log_p),
            "energy": energy(logits),
        }
        column["gradient"] = boundary_map(column["distance"])
        if passes:
            started = time.process_time()
            column["dropout"] = monte_carlo_dropout(model, images, passes, head)[1]
            seconds[1] += time.process_time() - started
        columns.append({name: value.cpu() for name, value in column.items()})
    found = {name: torch.cat([column[name] for column in columns]) for name in columns[0]}
    return Predictions(found.pop("log_p"), part.tensors[1], found, seconds[1] / max(seconds[0], 1e-9))


def _among(log_p: Tensor, labels: list[int]) -> Tensor:
    """The likeliest of some classes, (N, classes, H, W) to (N, H, W)."""
    allowed = torch.tensor(labels)
    return allowed[log_p[:, allowed].argmax(1)]


def _only(true: Tensor, labels: list[int]) -> Tensor:
    """The labels, void where they are not among these."""
    return torch.where(torch.isin(true, torch.tensor(labels)), true, VOID)


def seen_scores(found: Predictions, classes: Classes) -> dict[str, float]:
    """Mean intersection over union, pixel and class accuracy of the pixels of classes that were learned."""
    predicted = _among(found.log_p, classes.seen)
    scores = segmentation_scores(confusion_matrix(predicted, _only(found.labels, classes.seen), len(classes.names)))
    return {name: scores[name] for name in ("miou", "pixel_accuracy", "class_accuracy")}


def zero_label_scores(found: Predictions, classes: Classes) -> dict[str, float]:
    """The same of pixels of the classes without training pixels, decided among these classes only.

    At three levels of the true tree, whatever tree the network was trained with: the classes themselves, their parents
    (siblings count as right), their grandparents. The rule is that of the authors' code for Ghadimi Atigh et al. 2022.
    A network learns nothing that tells an unseen leaf from its siblings; it is found by the probabilities above it.

    `zero_group_miou` decides by the probability of the parent instead, the sum over the parent's leaves: so a network
    that was trained without a tree can use one, too.
    """
    true = _only(found.labels, classes.unseen)
    predicted = _among(found.log_p, classes.unseen)
    levels = HierarchicalSoftmax(classes.tree, classes.names).levels()
    scores = {}
    for name, level in zip(("", "sibling_", "cousin_"), reversed(levels[-3:]), strict=False):
        told, meant = level[predicted], torch.where(true == VOID, VOID, level[true.clamp_min(0)])
        row = segmentation_scores(confusion_matrix(told, meant, len(classes.tree)))
        scores |= {f"zero_{name}{score}": row[score] for score in ("miou", "pixel_accuracy", "class_accuracy")}
    p = found.log_p.exp()
    parents = [sum(p[:, k] for k in (levels[-2] == levels[-2][u]).nonzero().flatten()) for u in classes.unseen]
    predicted = torch.tensor(classes.unseen)[torch.stack(parents, 1).argmax(1)]
    scores["zero_group_miou"] = segmentation_scores(confusion_matrix(predicted, true, len(classes.names)))["miou"]
    return scores


def uncertainty_scores(found: Predictions, classes: Classes) -> dict[str, float]:
    """Areas under the ROC curve of every uncertainty: for wrong pixels of learned classes, and for border pixels.

    1/2 where there is nothing to find: no wrong pixel, say.
    """
    labelled = found.labels != VOID
    border = label_boundaries(found.labels)
    learned = torch.isin(found.labels, torch.tensor(classes.seen))
    wrong = _among(found.log_p, classes.seen) != found.labels
    scores = {}
    for name, (positive, where) in {"wrong": (wrong, learned), "border": (border, labelled)}.items():
        some = 0 < positive[where].sum() < where.sum()
        for kind, values in found.uncertainty.items():
            scores[f"{name}_{kind}"] = auroc(values[where], positive[where]) if some else 0.5
    return scores | {"dropout_cost": found.dropout_cost}


# --- pictures ---------------------------------------------------------------------------------------------------------


def class_colours(classes: Classes) -> Tensor:
    """(classes, 3): a hue for each group of the tree, lighter from leaf to leaf; the background is light grey."""

    def rgb(colour):
        return torch.tensor([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])

    parents = HierarchicalSoftmax(classes.tree, classes.names).levels()[-2].tolist()
    groups = [parent for name, parent in zip(classes.names, parents, strict=True) if name != "background"]
    hues = {parent: rgb(viz.CYCLE[k % len(viz.CYCLE)]) for k, parent in enumerate(dict.fromkeys(groups))}
    colours = []
    for k, (name, parent) in enumerate(zip(classes.names, parents, strict=True)):
        lighter = 0.33 * parents[:k].count(parent)
        colours.append(
            rgb(viz.COLORS["light"]) if name == "background" else torch.lerp(hues[parent], torch.ones(3), lighter)
        )
    return torch.stack(colours)


@torch.no_grad()
def draw_examples(model: SegmentationNet, head: HierarchicalSoftmax, data: Data, examples: int = 4):
    """The first pictures of the test part, a row each: a figure, and in words what it shows."""
    classes: Classes = data.about
    images, labels = (column[:examples] for column in data.test.tensors)
    found = predict(model, head, TensorDataset(images, labels), passes=0)
    colours = class_colours(classes)
    with_void = torch.cat([colours, torch.ones(1, 3)])  # white
    confidence, gradient = -found.uncertainty["distance"], found.uncertainty["gradient"]
    columns = {
        "image": ((images - images.amin()) / (images.amax() - images.amin())).movedim(1, -1),
        "truth": with_void[torch.where(labels == VOID, len(colours), labels)],
        "prediction": colours[found.log_p.argmax(1)],
        "confidence": confidence / confidence.max(),
        "its gradient": gradient / gradient.max(),
    }
    ratio = images.shape[-2] / images.shape[-1]
    figure, axes = viz.chart(9, 1.8 * ratio * examples + 1.3, len(columns), examples, squeeze=False)
    for k, (title, column) in enumerate(columns.items()):
        axes[0, k].set_title(title)
        for ax, picture in zip(axes[:, k], column, strict=True):
            ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set_axis_off()
    names = [f"{name} (unseen)" if k in classes.unseen else name for k, name in enumerate(classes.names)]
    handles = [
        axes[0, 0].plot([], [], "s", color=c, label=name)[0] for c, name in zip(colours.tolist(), names, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=10)
    right = (_among(found.log_p, classes.seen) == labels)[torch.isin(labels, torch.tensor(classes.seen))]
    return figure, (
        f"{examples} pictures of the test, one a row: image, true classes, predicted classes "
        f"({right.double().mean():.0%} of the pixels of learned classes are right), distance from the origin (dark is "
        "unsure), and how fast it changes from pixel to pixel (bright)."
    )
