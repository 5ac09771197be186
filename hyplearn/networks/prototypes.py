"""Recognition by fixed prototypes: every class has its place in the space before anything is learned."""

import torch
from torch import Tensor, nn

import hyplearn.layers as hnn
from hyplearn.manifolds import Euclidean, Manifold


class PrototypeClassifier(nn.Module):
    """An encoder whose output becomes a point, and the prototypes that this point is compared with.

    The point is x = exp_0(f(input)), whose normal coordinates are the encoder's output f, and the logits are
    -d(x, p_k)/T. Without a manifold, the flat twin, x = f(input) and d is the Euclidean distance; with `cosine` the
    logits are <x, p_k>/(|x| |p_k| T). The prototypes are never trained; T is, in all three, so a twin has as many
    parameters.

    Args:
        encoder: from inputs (B, ...) to vectors (B, dim).
        prototypes: (classes, dim) points of `manifold` (a chart with ambient coordinates adds its own), or vectors.
        manifold: the chart of the points; None for the flat twin.
        cosine: whether to compare directions only; flat.
        temperature: where T starts.
        radius: points lie within radius/sqrt(c) of the origin (direction kept); hyperbolic only.

    Sources: Long, Mettes, Shen, Snoek, "Searching for Actions on the Hyperbole", CVPR 2020; Liu et al.,
    "Hyperbolic Visual Embedding Learning for Zero-Shot Recognition", CVPR 2020.
    """

    def __init__(
        self,
        encoder: nn.Module,
        prototypes: Tensor,
        manifold: Manifold | None = None,
        *,
        cosine: bool = False,
        temperature: float = 1.0,
        radius: float = 6.0,
    ):
        super().__init__()
        if prototypes.dim() != 2:
            raise ValueError(f"prototypes must have shape (classes, dim), got {tuple(prototypes.shape)}")
        if cosine and manifold is not None:
            raise ValueError("cosine=True compares flat vectors; leave manifold out")
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}")
        self.encoder, self.cosine = encoder, cosine
        self.manifold = Euclidean() if manifold is None else manifold
        self.clip = nn.Identity() if manifold is None else hnn.HClip(manifold, radius, dim=-1)
        self.register_buffer("prototypes", prototypes)
        self.log_temperature = nn.Parameter(torch.tensor(float(temperature)).log())

    def embed(self, x: Tensor) -> Tensor:
        """The points (B, dim) of the inputs (B, ...), in the coordinates of the manifold."""
        return self.clip(self.manifold.from_normal(self.encoder(x)))

    def compare(self, points: Tensor) -> Tensor:
        """Points (B, dim) to logits (B, classes)."""
        if self.cosine:
            points, prototypes = (nn.functional.normalize(v, dim=1) for v in (points, self.prototypes))
            likeness = points @ prototypes.T
        else:
            likeness = -self.manifold.cdist(points, self.prototypes)
        return likeness / self.log_temperature.exp()

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (B, ...) to logits (B, classes)."""
        return self.compare(self.embed(x))
