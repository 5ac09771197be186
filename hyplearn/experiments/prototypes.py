"""Recognition by prototypes on a tree of classes: where the prototypes go, and what zero-shot and actions share."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
from hyplearn.manifolds import PoincareBall
from hyplearn.networks import PrototypeClassifier

LEARNED = {
    "poincare": (PoincareEmbedding, EuclideanEmbedding),
    "cones": (ConeEmbedding, EuclideanConeEmbedding),
}
PERMUTATION = 0  # the seed of the permuted tree, the same for all runs
SHOWN = 300  # test examples in the picture of the embedding


def place_tree(tree: Hierarchy, dim: int, c: float | None = 1.0, method: str = "sarkar", length: float = 1.5) -> Tensor:
    """A place for each node of a tree: float64 (nodes, dim), normal coordinates in the space of curvature -c.

    Args:
        c: None for flat space, where the counterpart of each method is used.
        method: "sarkar", in closed form (flat: the distances of the tree kept as well as they can be, `flat_places`);
            "poincare", contrastive Poincare embeddings (flat: the same loss with Euclidean distances); or "cones",
            entailment cones (flat: Euclidean cones).
        length: of an edge; the learned ones, which have no such length, end no farther out than depth * length.

    Raises:
        ValueError: for another method.
    """
    if method not in ("sarkar", *LEARNED):
        raise ValueError(f"method must be sarkar, poincare or cones, got {method!r}")
    if method == "sarkar" and c is None:
        return flat_places(length * tree.tree_distances(), dim)
    if method == "sarkar":
        points = SarkarEmbedding(dim, scale=math.sqrt(c) * length).fit(tree).embedding_
        return PoincareBall(1.0).to_normal(points) / math.sqrt(c)
    curved, flat = LEARNED[method]
    radius = length * tree.depths.max().item()
    options = {"radius": radius, "burn_in_radius": radius / 2, "device": "cpu"}
    if c is None:
        return flat(dim, **options).fit(tree, progress=False).embedding_
    return PoincareBall(c).to_normal(curved(dim, c=c, **options).fit(tree, progress=False).embedding_)


def flat_places(distances: Tensor, dim: int, steps: int = 500) -> Tensor:
    """Points (N, dim) of flat space whose distances are as near to `distances` (N, N) as they get: metric MDS.

    The sum of squared errors falls with each step x <- B(x) x / N, where B(x) has the entries -distances_ij/|x_i - x_j|
    off the diagonal and rows that sum to 0 (SMACOF: de Leeuw 1977). The start is classical MDS, with a little noise,
    since there nodes that are seen alike from everywhere coincide.
    """
    n = len(distances)
    squares = distances**2
    products = (squares.mean(0) + squares.mean(1, keepdim=True) - squares - squares.mean()) / 2
    values, vectors = torch.linalg.eigh(products)
    x = vectors[:, -dim:] * values[-dim:].clamp_min(0).sqrt()
    x = nn.functional.pad(x, (0, dim - x.shape[1]))
    x = x + 0.1 * distances.mean() * torch.randn(n, dim, generator=torch.Generator().manual_seed(0)).double()
    for _ in range(steps):
        ratio = distances / torch.cdist(x, x).clamp_min(1e-12)
        x = (ratio.sum(1, keepdim=True) * x - ratio @ x) / n
    return x


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
    prototypes: str = option("sarkar", "what places the tree", choices=("sarkar", "poincare", "cones"))
    tree: str = option("true", "the classes' tree, or one that says nothing", choices=("true", "permuted"))
    length: float = option(1.5, "of an edge of the tree")
    width: int = option(16, "channels of the encoder")
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
            return PrototypeClassifier(encoder, places)
        manifold = self.manifold()
        radius = math.sqrt(self.curvature) * (places.norm(dim=1).max().item() + self.length)
        return PrototypeClassifier(encoder, manifold.from_normal(places), manifold, radius=radius)


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
