"""Recognition by prototypes on a tree of classes: where the prototypes go, and what zero-shot and actions share."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hyplearn import viz
from hyplearn.data import Hierarchy
from hyplearn.embeddings import (
    ConeEmbedding,
    EuclideanConeEmbedding,
    EuclideanEmbedding,
    PoincareEmbedding,
    SarkarEmbedding,
)
from hyplearn.embeddings.sarkar import spherical_code
from hyplearn.experiments.base import Experiment, option
from hyplearn.manifolds import Euclidean, Manifold, NormalCoordinates, PoincareBall
from hyplearn.networks import PrototypeClassifier
from hyplearn.viz.labels import Labels

LEARNED = {
    "poincare": (PoincareEmbedding, EuclideanEmbedding),
    "cones": (ConeEmbedding, EuclideanConeEmbedding),
}
METHODS = ("mds", "sarkar", *LEARNED)
FLAT_SCALE = 1e-4
PERMUTATION = 0  # the seed of the permuted tree, the same for all runs
SHOWN = 300  # test examples in the picture of the embedding


def place_tree(tree: Hierarchy, dim: int, c: float | None = 1.0, method: str = "mds", length: float = 1.0) -> Tensor:
    """A place for each node of a tree: float64 (nodes, dim), normal coordinates in the space of curvature -c.

    Args:
        c: None for flat space, where each method has a counterpart.
        method: "mds", the distances of the tree kept as well as they can be, in either space (`keep_distances`);
            "sarkar", in closed form (flat: the same directions and edges, put together in flat space); "poincare",
            contrastive Poincare embeddings (flat: the same loss with Euclidean distances); "cones", entailment cones
            (flat: Euclidean cones).
        length: of an edge; learned embeddings, which have no such length, end no farther out than depth * length.

    Raises:
        ValueError: for another method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method == "mds":
        return keep_distances(length * tree.tree_distances(), dim, Euclidean() if c is None else NormalCoordinates(c))
    if method == "sarkar":
        scale = FLAT_SCALE if c is None else math.sqrt(c) * length  # so short an edge feels no curvature
        points = SarkarEmbedding(dim, scale=scale).fit(tree).embedding_
        return PoincareBall(1.0).to_normal(points) * (length / scale)
    curved, flat = LEARNED[method]
    radius = length * tree.depths.max().item()
    options = {"radius": radius, "burn_in_radius": radius / 2, "device": "cpu"}
    if c is None:
        return flat(dim, **options).fit(tree, progress=False).embedding_
    return PoincareBall(c).to_normal(curved(dim, c=c, **options).fit(tree, progress=False).embedding_)


def keep_distances(distances: Tensor, dim: int, manifold: Manifold, steps: int = 300) -> Tensor:
    """Points (N, dim) of a manifold whose distances are as near to `distances` (N, N) as they get: metric MDS.

    The mean over pairs of (d(x_i, x_j)/distances_ij - 1)^2 is made small by L-BFGS, from where classical MDS puts the
    points in flat space, with a little noise, since nodes that are seen alike from everywhere coincide there. Where
    distances are many times 1/sqrt(c) it may end in a local minimum; there Sarkar's construction is nearly exact.

    Args:
        manifold: `NormalCoordinates`, or `Euclidean`.
        steps: at most.
    """
    n, squares = len(distances), distances**2
    products = (squares.mean(0) + squares.mean(1, keepdim=True) - squares - squares.mean()) / 2
    values, vectors = torch.linalg.eigh(products)
    start = vectors[:, -dim:] * values[-dim:].clamp_min(0).sqrt()
    start = nn.functional.pad(start, (0, dim - start.shape[1]))
    noise = torch.randn(n, dim, generator=torch.Generator().manual_seed(0), dtype=distances.dtype)
    x = (start + 0.1 * distances.mean() * noise).contiguous().requires_grad_()
    optimizer = torch.optim.LBFGS([x], max_iter=steps, line_search_fn="strong_wolfe")
    i, j = torch.triu_indices(n, n, 1)

    def stress():
        optimizer.zero_grad()
        loss = (manifold.cdist(x, x)[i, j] / distances[i, j] - 1).square().mean()
        loss.backward()
        return loss

    optimizer.step(stress)
    return x.detach()


class Classes(NamedTuple):
    """What the experiments know of their classes: names by label, the true tree, and the edges between classes."""

    names: list[str]
    tree: Hierarchy
    hops: Tensor  # (classes, classes)

    @classmethod
    def of(cls, names: list[str], tree: Hierarchy) -> "Classes":
        nodes = [tree.names.index(name) for name in names]
        return cls(names, tree, tree.tree_distances(nodes)[:, nodes])


@dataclass(frozen=True)
class PrototypeExperiment(Experiment):
    """What zero-shot recognition and actions share: prototypes of classes, placed before training and fixed."""

    cosine: bool = option(False, "train the flat twin that knows no tree: directions, compared by their cosine")
    dim: int = option(2, "dimension of the space")
    prototypes: str = option("mds", "what places the tree", choices=METHODS)
    tree: str = option("true", "the classes' tree, or one that says nothing", choices=("true", "permuted"))
    length: float = option(1.0, "of an edge of the tree")
    width: int = option(16, "channels of the encoder")
    data: str = option("scenes", "which data", choices=("scenes",))
    lr: float = option(1e-2, "Adam's learning rate")
    epochs: int = option(8, "passes over the training data")
    batch_size: int = option(64, "examples per step")

    def __post_init__(self):
        super().__post_init__()
        if self.cosine:  # directions are compared in flat space
            object.__setattr__(self, "flat", True)
        if self.dim < 2:
            raise ValueError(f"dim must be 2 or more, got {self.dim}: on a line a tree has no room")
        if not self.length > 0:
            raise ValueError(f"length must be > 0, got {self.length}")

    @abstractmethod
    def hierarchy(self, permuted: int | None) -> Hierarchy:
        """The tree of the classes, or with a seed that tree with its leaves dealt to other places."""

    @abstractmethod
    def encoder(self) -> nn.Module:
        """From inputs to vectors of `dim`."""

    def given_tree(self) -> Hierarchy:
        """The tree that the prototypes follow, true or permuted."""
        return self.hierarchy(None if self.tree == "true" else PERMUTATION)

    def places(self) -> Tensor:
        """Normal coordinates (nodes, dim) of the nodes of the given tree."""
        c = None if self.flat else self.curvature
        return place_tree(self.given_tree(), self.dim, c, self.prototypes, self.length)

    def classifier(self, names: list[str]) -> PrototypeClassifier:
        """The network before training, with the prototypes of these classes.

        The cosine twin has directions that are as far apart as they can be: one-hot vectors, but for their mean, where
        there is room for them (Mettes, van der Pol, Snoek, "Hyperspherical Prototype Networks", NeurIPS 2019).
        """
        encoder = self.encoder()
        if self.cosine:
            directions = spherical_code(len(names), self.dim).float()
            return PrototypeClassifier(encoder, directions, cosine=True, temperature=0.1)
        nodes = [self.given_tree().names.index(name) for name in names]
        places = self.places()[nodes].float()
        if self.flat:
            return PrototypeClassifier(encoder, places, temperature=self.length / 2)
        manifold = self.manifold()
        radius = math.sqrt(self.curvature) * (places.norm(dim=1).max().item() + self.length)
        return PrototypeClassifier(
            encoder, manifold.from_normal(places), manifold, temperature=self.length / 2, radius=radius
        )


@torch.no_grad()
def predict(model: PrototypeClassifier, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, classes) and normal coordinates (N, dim) of inputs (N, ...), in evaluation mode, on their device."""
    model.eval()
    device = model.log_temperature.device
    parts = []
    for batch in inputs.split(256):
        points = model.embed(batch.to(device))
        parts.append((model.compare(points).to(inputs.device), model.manifold.to_normal(points).to(inputs.device)))
    logits, points = zip(*parts, strict=True)
    return torch.cat(logits), torch.cat(points)


# --- pictures ---------------------------------------------------------------------------------------------------------


def draw_tree(model: PrototypeClassifier, tree: Hierarchy, places: Tensor, points: Tensor, labels: list[str]) -> tuple:
    """The tree where it was placed, and examples among it; a figure and its description. For two dimensions.

    Args:
        places: (nodes, 2) normal coordinates of the tree.
        points: (N, 2) normal coordinates of some examples, coloured by the branch of their class.
        labels: the N classes of the examples; in the picture, the nodes above them and they themselves are named.
    """
    classes = {label: tree.names.index(label) for label in labels}
    branch = {label: next(b for b in tree.ancestors[i] if tree.depths[b] == 1) for label, i in classes.items()}
    branches = sorted(set(branch.values()))
    marks = dict(zip(branches, zip(viz.CYCLE, "os^Dv<>", strict=True), strict=False))
    if isinstance(model.manifold, Euclidean):
        figure, ax = viz.chart(6.4, 6)
        ax.set_aspect("equal")
        nodes, shown = places, points
        for edge in tree.edges.tolist():
            ax.plot(*nodes[edge].T, color=viz.COLORS["grey"], lw=0.9)
        ax.scatter(*nodes.T, s=9, color=viz.COLORS["ink"], zorder=5)
        names = ax.add_artist(Labels(ax))
        names.points = nodes.tolist()
    else:
        disk, sqrt_c = PoincareBall(1.0), model.manifold.c.sqrt().cpu()
        nodes, shown = (disk.from_normal(sqrt_c * x.double()) for x in (places, points))
        figure, (canvas,) = viz.picture(viz.Disk, size=6)
        ax, names = canvas.ax, canvas.labels
        canvas.segment(nodes[tree.edges[:, 0]], nodes[tree.edges[:, 1]], color="grey", width=0.9)
        canvas.point(nodes, size=2.5)
    for b, (color, marker) in marks.items():
        rows = [k for k, label in enumerate(labels) if branch[label] == b]
        ax.scatter(*shown[rows].T, s=12, marker=marker, color=color, alpha=0.45, linewidths=0, zorder=4)
    for i in sorted({*branches, *(n for leaf in classes.values() for n in (leaf, *tree.parents[leaf]))}):
        b = next(b for b in (i, *tree.ancestors[i]) if b in marks)
        names.add(nodes[i], tree.labels[i], marks[b][0], 9 if i in classes.values() else 12, 3)
    where = "the plane" if isinstance(model.manifold, Euclidean) else "the Poincare disk"
    return figure, (
        f"The tree of {len(tree)} nodes in {where}, and {len(points)} test examples of {len(classes)} classes, "
        f"coloured by branch: {', '.join(tree.names[b] for b in branches)}."
    )


def draw_confusion(predicted: Tensor, true: Tensor, classes: Classes) -> tuple:
    """How often each class (row) was called each other (column), in the order of the tree; figure and description.

    Lines separate groups; so what is dark beside the diagonal and within its square are mistakes between siblings.
    """
    tree = classes.tree
    walk, stack = [], [tree.roots[0]]
    while stack:
        walk.append(node := stack.pop())
        stack += reversed(tree.children[node])
    order = [classes.names.index(tree.names[i]) for i in walk if tree.names[i] in classes.names]
    rows, columns = ([k for k in order if (part == k).any()] for part in (true, torch.cat([true, predicted])))
    share = torch.stack([torch.bincount(predicted[true == k], minlength=len(classes.names)) for k in rows]).double()
    share = (share / share.sum(1, keepdim=True))[:, columns]
    figure, ax = viz.chart(2.2 + 0.22 * len(columns), 2.2 + 0.22 * len(rows))
    picture = ax.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    for axis, kinds, line in ((ax.yaxis, rows, ax.axhline), (ax.xaxis, columns, ax.axvline)):
        axis.set_ticks(range(len(kinds)), [classes.names[k] for k in kinds], fontsize=8)
        parents = [tree.parents[tree.names.index(classes.names[k])] for k in kinds]
        for k in range(1, len(kinds)):
            if parents[k] != parents[k - 1]:
                line(k - 0.5, color=viz.COLORS["grey"], lw=0.8)
    ax.tick_params(axis="x", rotation=90)
    ax.grid(False)
    ax.set(xlabel="called", ylabel="is")
    figure.colorbar(picture, ax=ax, label="share", shrink=0.6)
    return figure, (
        f"How often each of {len(rows)} classes was called each of {len(columns)}, in the order of the tree: "
        f"{100 * (predicted == true).double().mean():.0f} % on the diagonal."
    )
