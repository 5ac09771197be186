"""Few-shot learning: prototypical networks, hyperbolic beside flat and cosine, and how sure they are of an image."""

import copy
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn import viz
from hyplearn.data.episodes import CORRUPTIONS, Episodes, rotated_classes, split_groups
from hyplearn.data.omniglot import Characters, load_omniglot
from hyplearn.data.scenes import CLASSES, draw_scenes
from hyplearn.embeddings import HoroPCA
from hyplearn.experiments.base import Data, Experiment, accuracy, option
from hyplearn.manifolds import Euclidean, PoincareBall
from hyplearn.maps import convert
from hyplearn.metrics import auroc, relative_delta_by_sampling
from hyplearn.networks import ConvEncoder, PrototypicalNet
from hyplearn.uncertainty import max_probability

SIZE = 28  # of the pictures
HELD_OUT_EPISODES = 500


@dataclass(frozen=True)
class FewShotExperiment(Experiment):
    """Prototypical networks on shapes or handwritten characters that were never seen in training.

    Classes (for Omniglot: alphabets) are split into training, validation and test. Scores are the accuracy of queries,
    with five shots too, and areas under the ROC curve: how well corrupted pictures are told from clean ones by distance
    from the origin (`auroc`, the mean over noise, blur, occlusion and mixture), and by the largest probability
    (`auroc_probability`); and Gromov's relative delta of features and embedding, from 0 (a tree) to 1.

    examples:
      hyplearn train fewshot --out run                      5 ways, 1 shot, on shapes
      hyplearn train fewshot --dim 2 --out disk             embedded in the plane: the picture shows all there is
      hyplearn train fewshot --flat --out flat              squared distances to means (Snell et al. 2017)
      hyplearn train fewshot --cosine --out cosine          cosine similarities to means
      hyplearn train fewshot --data omniglot --data-dir DIR --epochs 100 --out omniglot
    """

    cosine: bool = option(False, "train the flat twin that compares by cosine similarity")
    dim: int = option(16, "dimension of the embedding")
    ways: int = option(5, "classes per episode")
    train_ways: int = option(20, "classes per training episode: more of them teach more (Snell et al. 2017)")
    shots: int = option(1, "labelled examples of each class")
    queries: int = option(3, "examples of each class to be classified")
    episodes: int = option(100, "training episodes per epoch")
    mixed: float = option(0.0, "share of the training queries that are mixed with a picture of another class")
    fold: int = option(0, "which fifth of the classes is for testing; the next one is for validation")
    width: int = option(16, "channels of the encoder")
    radius: float = option(12.0, "points lie within radius/sqrt(c) of the origin")
    data: str = option("scenes", "which pictures", choices=("scenes", "omniglot", "omniglot-small1"))
    batch_size: int = option(1, "episodes per step")
    epochs: int = option(3, "passes over the training episodes")
    lr: float = option(1e-2, "Adam's learning rate")

    def __post_init__(self):
        super().__post_init__()
        if self.cosine:  # directions are compared in flat space
            object.__setattr__(self, "flat", True)
        if not 0 <= self.mixed <= 1:
            raise ValueError(f"mixed must be between 0 and 1, got {self.mixed}")
        if self.dim < 2:
            raise ValueError(f"dim must be 2 or more, got {self.dim}")

    def load(self) -> Data:
        if self.data == "scenes":
            return self.split_scenes()
        if self.data == "omniglot-small1":
            return self.split_alphabets(load_omniglot(self.folder(), "images_background_small1", SIZE))
        background, evaluation = (
            load_omniglot(self.folder(), f"images_{part}", SIZE) for part in ("background", "evaluation")
        )
        train, validation, more = split_groups(range(len(background.names)), self.fold)
        return self.parts(rotated_classes(*background.of(train + more)), background.of(validation), evaluation[:2])

    def split_scenes(self) -> Data:
        """Single shapes: their kinds are dealt to the parts, so that each part has some of every branch."""
        parts = split_groups(range(1, len(CLASSES)), self.fold)
        return self.parts(*(_shapes(labels, count) for labels, count in zip(parts, (200, 40, 40), strict=True)))

    def split_alphabets(self, characters: Characters) -> Data:
        """Whole alphabets are for training, validation or testing; training characters are turned as well."""
        train, validation, test = (
            characters.of(part) for part in split_groups(range(len(characters.names)), self.fold)
        )
        return self.parts(rotated_classes(*train), validation, test)

    def parts(self, *parts: tuple[Tensor, Tensor]) -> Data:
        """Episodes from the pictures and labels for training, validation and testing."""
        options = {"shots": self.shots, "queries": self.queries}
        train, validation, test = parts
        return Data(
            Episodes(*train, self.train_ways, **options, count=self.episodes, seed=0),
            Episodes(*validation, self.ways, **options, count=HELD_OUT_EPISODES, seed=1),
            Episodes(*test, self.ways, **options, count=HELD_OUT_EPISODES, seed=2),
        )

    def network(self, data):
        encoder = ConvEncoder(data.train.images.shape[1], self.dim, self.width, blocks=3)
        return PrototypicalNet(encoder, self.manifold(), self.shots, self.cosine, self.radius)

    def run(self, data, checkpoint=None, progress=False):
        train = copy.copy(data.train)  # the data are those of all twins; what is mixed is a setting of this one
        train.mixed = self.mixed
        return super().run(data._replace(train=train), checkpoint, progress)

    def metrics(self):
        return {"accuracy": accuracy}

    def scores(self, model, part, data):
        points = embed_all(model, part.images)
        logits = query_logits(model, part, points)
        targets = part.targets().to(logits.device)
        scores = {"accuracy": accuracy(logits, targets).item()}
        five = Episodes(part.images, part.labels, part.ways, 5, part.queries, part.count, part.seed)
        scores["accuracy_5_shots"] = accuracy(query_logits(model, five, points), targets).item()
        by_distance, by_probability = {}, []
        for name, images in corrupted(part.images).items():
            other = embed_all(model, images)
            by_distance[f"auroc_{name}"] = _separation(model.manifold.dist0(points), model.manifold.dist0(other))
            harder = query_logits(model, part, points, other)
            by_probability.append(_separation(max_probability(logits), max_probability(harder)))
        scores["auroc"] = statistics.mean(by_distance.values())
        scores["auroc_probability"] = statistics.mean(by_probability)
        deltas = {f"delta_{name}": delta for name, (delta, _) in relative_deltas(model, part.images).items()}
        return scores | by_distance | deltas

    def draw(self, model, data, out):
        images = data.test.images
        points = {"clean": embed_all(model, images)}
        points |= {name: embed_all(model, other) for name, other in corrupted(images).items()}
        for name, (figure, alt) in {
            "embedding": draw_embedding(model, points, data.test),
            "confidence": draw_confidence(model, points),
        }.items():
            viz.save(figure, out / f"{name}.svg", alt)


def _shapes(labels: list[int], count: int) -> tuple[Tensor, Tensor]:
    """`count` pictures of each of some kinds of shapes, and their labels."""
    images = torch.cat(
        [draw_scenes(count, kinds=[CLASSES[k]], size=(0.75, 0.95), seed=k).render(SIZE)[0] for k in labels]
    )
    return images, torch.tensor(labels).repeat_interleave(count)


# --- what is measured of a trained network ----------------------------------------------------------------------------


@torch.no_grad()
def embed_all(model: PrototypicalNet, images: Tensor) -> Tensor:
    """Points (N, dim) of images (N, C, H, W), in evaluation mode, on the device of the model."""
    model.eval()
    return torch.cat([model.embed(batch.to(model.log_scale.device)) for batch in images.split(256)])


@torch.no_grad()
def query_logits(model: PrototypicalNet, episodes: Episodes, points: Tensor, queries: Tensor | None = None) -> Tensor:
    """Logits (episodes, ways, ways * queries) from the points (N, dim) of all images, each embedded once.

    Args:
        queries: other points for the same images when they are queries (corrupted ones), not support.
    """
    rows = torch.stack([episodes.rows(i) for i in range(len(episodes))])
    shown = points[rows]
    if queries is not None:
        shown[:, :, episodes.shots :] = queries[rows[:, :, episodes.shots :]]
    return torch.cat([model.compare(part, episodes.shots) for part in shown.split(250)])


def corrupted(images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """The images after each of CORRUPTIONS, the same ones for every network."""
    return {name: f(images, torch.Generator().manual_seed(seed)) for name, f in CORRUPTIONS.items()}


def _separation(clean: Tensor, other: Tensor) -> float:
    """The probability that a clean picture has more confidence than another one."""
    confidence = torch.cat([clean.flatten(), other.flatten()])
    return auroc(confidence, torch.arange(len(confidence), device=clean.device) < clean.numel())


@torch.no_grad()
def relative_deltas(
    model: PrototypicalNet, images: Tensor, size: int = 200, draws: int = 5
) -> dict[str, tuple[float, float]]:
    """Gromov's relative delta of what a network makes of images, and its standard error over random subsets.

    `features`: what the encoder's last map is given, in Euclidean distance (as Khrulkov et al. 2020, table 1);
    `embedding`: the points, in the distance that the network compares by (for cosine, that of unit vectors).
    """
    model.eval()
    device = model.log_scale.device
    features = torch.cat([model.encoder.features(batch.to(device)) for batch in images.split(256)])
    points = embed_all(model, images)
    spaces = {
        "features": (Euclidean(), features),
        "embedding": (model.manifold, F.normalize(points, dim=-1) if model.cosine else points),
    }
    size = min(size, len(images))
    return {
        name: relative_delta_by_sampling(lambda i, m=m, x=x: m.cdist(x[i].double(), x[i].double()), len(x), size, draws)
        for name, (m, x) in spaces.items()
    }


# --- pictures ---------------------------------------------------------------------------------------------------------


def in_the_plane(model: PrototypicalNet, points: Tensor) -> Callable[[Tensor], Tensor]:
    """A map of points (N, dim) to places (N, 2) in the disk of radius 1, or in the plane if flat; results on the CPU.

    Two dimensions are shown as they are, more by the HoroPCA (flat: by the principal components) of the given points.
    """
    planar = model.encoder.out.out_features == 2
    if isinstance(model.manifold, Euclidean):
        mean = points.mean(0)
        axes = torch.linalg.svd(points - mean, full_matrices=False).Vh[:2]
        return (lambda x: x.cpu()) if planar else (lambda x: ((x - mean) @ axes.T).cpu())
    disk = PoincareBall(1.0)
    pca = None if planar else HoroPCA(2).fit(convert(points.double(), model.manifold, disk))

    def place(x):
        x = convert(x.double(), model.manifold, disk)
        return (x if planar else pca.transform(x)).cpu()

    return place


def draw_embedding(model: PrototypicalNet, points: dict[str, Tensor], episodes: Episodes) -> tuple:
    """Test images in the plane: some classes, and clean against corrupted ones; a figure and its description."""
    place, flat = in_the_plane(model, points["clean"]), isinstance(model.manifold, Euclidean)
    titles = ("six test classes", "clean and corrupted")
    if flat:
        figure, axes = viz.chart(8.4, 4.4, columns=2)
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(title)
            ax.set_aspect("equal", adjustable="datalim")
    else:
        figure, disks = viz.picture(viz.Disk, viz.Disk, titles=titles)
        axes = [disk.ax for disk in disks]
    clean = place(points["clean"])
    for members, marker, color in zip(episodes.classes[:6], "osD^vP", viz.CYCLE, strict=False):
        axes[0].scatter(*clean[members].T, s=16, marker=marker, color=color, alpha=0.7, linewidths=0)
    other = torch.cat([place(x) for name, x in points.items() if name != "clean"])
    axes[1].scatter(*clean.T, s=9, color=viz.COLORS["blue"], alpha=0.6, linewidths=0, label="clean")
    axes[1].scatter(*other.T, s=9, marker="^", color=viz.COLORS["red"], alpha=0.35, linewidths=0, label="corrupted")
    origin = place(model.manifold.origin(1, points["clean"].shape[1], device=points["clean"].device))
    for ax in axes:
        ax.plot(*origin[0], "+", color=viz.COLORS["ink"], ms=11, mew=1.8, zorder=9)
    axes[1].legend(loc="upper right", handletextpad=0.1, borderpad=0.1, markerscale=2, frameon=False)
    where = "the plane" if flat else "the Poincare disk"
    return figure, (
        f"Test images in {where}; the cross is the origin. Left: six classes that training never showed, each with its "
        "own colour and marker. Right: the clean images and the corrupted ones."
    )


def draw_confidence(model: PrototypicalNet, points: dict[str, Tensor]) -> tuple:
    """How far from the origin clean and corrupted test images lie; a figure and its description."""
    distances = {name: model.manifold.dist0(x) for name, x in points.items()}
    labels = {name: f"{name}, AUROC {_separation(distances['clean'], d):.2f}" for name, d in distances.items()}
    labels["clean"] = "clean"
    figure, ax = viz.chart(5.6, 3.4)
    bins = np.linspace(0, max(d.max().item() for d in distances.values()), 41)
    for (name, d), color, style in zip(distances.items(), viz.CYCLE, ("-", "--", "-.", ":", "-"), strict=False):
        width = 2.6 if name == "clean" else 1.6
        ax.hist(
            d.cpu().numpy(), bins, density=True, histtype="step", color=color, ls=style, lw=width, label=labels[name]
        )
    ax.set(xlabel="distance from the origin", ylabel="density")
    ax.legend(frameon=False)
    return figure, f"Distances of test images from the origin: {'; '.join(labels.values())}."
