"""Convolutional networks that are hyperbolic from the pixels on: accuracy, strange images, and adversarial noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from hyplearn import viz
from hyplearn.attacks import fgsm, pgd
from hyplearn.data import images
from hyplearn.data.scenes import CLASSES, draw_scenes
from hyplearn.experiments.base import Data, Experiment, accuracy, option
from hyplearn.manifolds import PoincareBall
from hyplearn.maps import convert
from hyplearn.metrics import auroc
from hyplearn.networks import LorentzResNet, PoincareResNet, ResNet
from hyplearn.uncertainty import distance_from_origin, energy, max_probability

# Two kinds of each branch of the class tree, and others that the network never sees.
KNOWN = ("equilateral triangle", "hexagon", "disc", "ring", "bar", "plus")
STRANGE = ("square", "kite", "five-pointed star", "egg", "half disc", "trefoil", "wave", "L", "Y", "square frame")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = 16  # of the pictures of shapes
ATTACKED = 200  # images, the first ones: PGD costs as much as ten epochs on them


class About(NamedTuple):
    """What the scores need besides the parts.

    low, high: (3, 1, 1), the darkest and brightest value of each channel, in the units of the images.
    strange: images (N, 3, H, W) of kinds that the network never sees.
    names: of the classes.
    """

    low: Tensor
    high: Tensor
    strange: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class CNNExperiment(Experiment):
    """A residual network on shapes or on CIFAR-10: Poincare, Lorentz or flat.

    Besides the accuracy the scores are how well strange images are told from known ones (area under the ROC curve, by
    the largest probability, the energy, and the distance of the last point from the origin), and the accuracy that is
    left under adversarial noise of up to --epsilon/255 of the brightness (FGSM, and PGD of ten steps). Strange are
    shapes of other kinds, and for CIFAR-10 shapes.

    examples:
      hyplearn train cnn --out run                          ResNet-8 in the Poincare ball, in normal coordinates
      hyplearn train cnn --lorentz --out lorentz            with the layers of the hyperboloid
      hyplearn train cnn --flat --out flat                  the flat twin
      hyplearn train cnn --dim 2 --out disk                 two dimensions before the classifier, drawn on the disk
      hyplearn train cnn --depth 20 --width 16 --epochs 30 --data cifar10 --data-dir DIR --out cifar
    """

    lorentz: bool = option(False, "train the Lorentz network instead")
    curvature: float = option(0.1, "c of the space of curvature -c")
    one_scale: bool = option(False, "batch normalisation with one scale for all axes, as published")
    depth: int = option(8, "layers, 6n + 2")
    width: int = option(8, "channels of the first stage")
    dim: int | None = option(None, "dimension before the classifier (default: 4 times the width)", kind=int)
    epsilon: float = option(2.0, "adversarial noise changes a pixel by so many 255ths at most")
    data: str = option("scenes", "which images", choices=("scenes", "cifar10"))
    batch_size: int = option(64, "examples per step")
    epochs: int = option(8, "passes over the training data")
    lr: float = option(1e-2, "Adam's learning rate")

    def __post_init__(self):
        super().__post_init__()
        if self.flat and self.lorentz:
            raise ValueError("flat and lorentz exclude each other")
        if self.flat and self.one_scale:
            raise ValueError("flat and one_scale exclude each other: a flat network scales each channel")
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be > 0, got {self.epsilon}")

    def load(self) -> Data:
        if self.data == "scenes":
            train, test = images.standardised(*shapes(KNOWN, 2000, seed=0), *shapes(KNOWN, 1000, seed=1))
            return prepared(train, test, shapes(STRANGE, 500, seed=2)[0], KNOWN)
        train, test = images.load_cifar10(self.folder())
        return prepared(train, test, shapes(CLASSES[1:], 1000, seed=2, size=32)[0], CIFAR10)

    def network(self, data):
        settings = {"depth": self.depth, "width": self.width, "dim": self.dim, "classes": len(data.about.names)}
        if self.flat:
            return ResNet(**settings)
        kind = LorentzResNet if self.lorentz else PoincareResNet
        return kind(self.manifold(), **settings, per_axis=not self.one_scale)

    def metrics(self):
        return {"accuracy": accuracy}

    def scores(self, model, part, data):
        known, strange = seen(model, part[:][0]), seen(model, data.about.strange)
        scores = {"accuracy": accuracy(known.logits, part[:][1]).item()}
        for name, sureness in SURE.items():
            sure = [sureness(model, view) for view in (known, strange)]
            scores[f"auroc_{name}"] = auroc(-torch.cat(sure), torch.arange(sum(map(len, sure))) >= len(sure[0]))
        images, labels = part[:ATTACKED]
        for name in ATTACKS:
            attacked = attack(name, model, images, labels, data.about, self.epsilon)
            scores[name] = accuracy(seen(model, attacked).logits, labels).item()
        return scores

    def draw(self, model, data, out):
        pictures = {"confidence": draw_confidence(model, data), "noise": draw_noise(model, data)}
        if self.dim == 2:
            pictures["embedding"] = draw_embedding(model, data)
        for name, (figure, alt) in pictures.items():
            viz.save(figure, out / f"{name}.svg", alt)


# --- data -------------------------------------------------------------------------------------------------------------


def shapes(kinds: Sequence[str], count: int, seed: int, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Pictures (count, 3, size, size) from 0 to 1 of single shapes, and their labels, indices into kinds."""
    scenes = draw_scenes(count, kinds=kinds, seed=seed)
    place = torch.zeros(len(CLASSES), dtype=torch.long)
    place[[CLASSES.index(kind) for kind in kinds]] = torch.arange(len(kinds))
    return scenes.render(size)[0], place[scenes.kind[:, 0]]


def prepared(train: TensorDataset, test: TensorDataset, strange: Tensor, names: Sequence[str]) -> Data:
    """The parts of an experiment: a tenth of the training images, the last, is for validation.

    Args:
        train, test: standardised images and labels.
        strange: images from 0 to 1, which are brought to the units of the others.
    """
    held_out = len(train) // 10
    low, high = (
        pick(torch.stack([pick(part.tensors[0], (0, 2, 3)) for part in (train, test)]), 0).view(3, 1, 1)
        for pick in (torch.amin, torch.amax)
    )
    parts = TensorDataset(*train[:-held_out]), TensorDataset(*train[-held_out:])
    return Data(*parts, test, About(low, high, low + strange * (high - low), tuple(names)))


# --- what is measured of a trained network ----------------------------------------------------------------------------


class View(NamedTuple):
    """What a network makes of images: points (or vectors) before the classifier, and logits."""

    points: Tensor
    logits: Tensor


SURE: dict[str, Callable[[nn.Module, View], Tensor]] = {
    "probability": lambda model, view: max_probability(view.logits),
    "energy": lambda model, view: -energy(view.logits),
    "distance": lambda model, view: distance_from_origin(view.points, model.manifold),
}
ATTACKS = {"fgsm": fgsm, "pgd": pgd}


@torch.no_grad()
def seen(model: nn.Module, images: Tensor) -> View:
    """In evaluation mode, on the model's device, 250 images at a time; the result is where the images are."""
    model.eval()
    device = next(model.parameters()).device
    points = [model.embed(batch.to(device)) for batch in images.split(250)]
    return View(*(torch.cat(part).to(images.device) for part in (points, [model.head(p) for p in points])))


def attack(name: str, model: nn.Module, images: Tensor, labels: Tensor, about: About, epsilon: float) -> Tensor:
    """Images with adversarial noise of up to epsilon/255 of the brightness; the random start of PGD is fixed."""
    model.eval()
    device = next(model.parameters()).device
    box = [bound.to(device) for bound in (epsilon / 255 * (about.high - about.low), about.low, about.high)]
    options = {"generator": torch.Generator().manual_seed(0)} if name == "pgd" else {}
    return ATTACKS[name](model, images.to(device), labels.to(device), *box, **options).to(images.device)


# --- pictures ---------------------------------------------------------------------------------------------------------


def draw_confidence(model: nn.Module, data: Data) -> tuple:
    """Histograms of the distance from the origin, of known and of strange images."""
    distances = [SURE["distance"](model, seen(model, images)) for images in (data.test[:][0], data.about.strange)]
    figure, ax = viz.chart(5, 3)
    bins = torch.linspace(0, max(d.max().item() for d in distances), 41).tolist()
    for distance, name, color in zip(distances, ("known", "strange"), ("blue", "orange"), strict=True):
        ax.hist(distance.tolist(), bins, density=True, alpha=0.6, color=viz.COLORS[color], label=name)
    ax.set(xlabel="distance from the origin before the classifier", ylabel="density")
    ax.legend(frameon=False)
    means = [d.mean().item() for d in distances]
    alt = "Histograms of the distance from the origin of known and of strange images, with means {:.2f} and {:.2f}."
    return figure, alt.format(*means)


def draw_noise(model: nn.Module, data: Data) -> tuple:
    """Accuracy against the size of adversarial noise."""
    images, labels = data.test[:ATTACKED]
    sizes = [0.0, 0.5, 1.0, 2.0, 4.0]
    clean = accuracy(seen(model, images).logits, labels).item()
    figure, ax = viz.chart(5, 3)
    told = []
    for name in ATTACKS:
        noisy = (attack(name, model, images, labels, data.about, size) for size in sizes[1:])
        scores = [clean, *(accuracy(seen(model, x).logits, labels).item() for x in noisy)]
        ax.plot(sizes, scores, "o-", label=name.upper())
        told.append(f"{scores[-1]:.2f} ({name.upper()})")
    ax.set(xlabel="adversarial noise, in 255ths of the brightness", ylabel="accuracy", ylim=(0, 1))
    ax.legend(frameon=False)
    return figure, f"Accuracy falls from {clean:.2f} to {' and '.join(told)} as adversarial noise grows to 4/255."


def draw_embedding(model: nn.Module, data: Data) -> tuple:
    """Two-dimensional points of test images: on the Poincare disk, or in the plane for a flat network."""
    images, labels = data.test[:500]
    points = seen(model, images).points
    if model.manifold is None:
        figure, ax = viz.chart(5.4, 4.2)
    else:
        c = model.manifold.c.item()
        points = c**0.5 * convert(points.double(), model.manifold, PoincareBall(c))
        figure, (canvas,) = viz.picture(viz.Disk)
        ax = canvas.ax
        figure.set_size_inches(6.0, 4.2)
    for label, name in enumerate(data.about.names):
        color, marker = viz.CYCLE[label % len(viz.CYCLE)], "os^D"[label // len(viz.CYCLE)]
        x, y = points[labels == label].T.tolist()
        ax.scatter(x, y, 12, color, marker=marker, label=name, linewidths=0, zorder=4)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center", fontsize=9, frameon=False)
    where = "in the plane" if model.manifold is None else "on the Poincare disk"
    return figure, f"Five hundred test images {where} before the classifier, one colour and marker for each class."
