"""Prototypical networks: a class is the mean of its few examples, in flat space or in a hyperbolic one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hyplearn.layers as hnn
from hyplearn.manifolds import Euclidean, Manifold
from hyplearn.means import midpoint


class PrototypicalNet(nn.Module):
    """Classifies the queries of an episode by their nearness to the prototypes of its classes.

    Hyperbolic: the encoder's output is the normal coordinates of a point, the prototype p_k of a class is the midpoint
    of its support, the logit is -s dist(x, p_k). Flat: the mean, and -s |x - p_k|^2. Cosine: the mean, and
    s <x, p_k>/(|x||p_k|). The scale s > 0 is learned in all three, which so have the same number of parameters.

    Args:
        encoder: images (B, C, H, W) to vectors (B, dim).
        manifold: the chart of the points, which carries the curvature -c; None for the flat twin.
        shots: how many examples of each class, the first ones, are its support.
        cosine: compares directions only; without a manifold.
        radius: points lie within radius/sqrt(c) of the origin (direction kept).

    Source: Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017; Khrulkov, Mirvakhabova,
    Ustinova, Oseledets, Lempitsky, "Hyperbolic Image Embeddings", CVPR 2020, section 5.
    """

    def __init__(
        self,
        encoder: nn.Module,
        manifold: Manifold | None = None,
        shots: int = 1,
        cosine: bool = False,
        radius: float = 12.0,
    ):
        super().__init__()
        if cosine and manifold is not None:
            raise ValueError("cosine=True compares directions in flat space; leave the manifold out")
        self.encoder, self.shots, self.cosine = encoder, shots, cosine
        self.manifold = Euclidean() if manifold is None else manifold
        self.clip = nn.Identity() if manifold is None else hnn.HClip(manifold, radius, dim=-1)
        self.log_scale = nn.Parameter(torch.tensor(10.0 if cosine else 1.0).log())

    def embed(self, images: Tensor) -> Tensor:
        """(..., C, H, W) to points (..., dim), in the coordinates of the chart."""
        vectors = self.encoder(images.flatten(0, -4)).unflatten(0, images.shape[:-3])
        return self.clip(self.manifold.from_normal(vectors))

    def compare(self, points: Tensor, shots: int | None = None) -> Tensor:
        """Points (B, ways, shots + queries, dim) of embedded episodes to the logits (B, ways, ways * queries).

        Args:
            shots: of these episodes, where it is not the network's own number.
        """
        shots = self.shots if shots is None else shots
        prototypes = midpoint(self.manifold, points[:, :, :shots])
        queries = points[:, :, shots:].flatten(1, 2)
        if self.cosine:
            nearness = F.normalize(prototypes, dim=-1) @ F.normalize(queries, dim=-1).mT
        else:
            distance = self.manifold.cdist(prototypes, queries)
            nearness = -(distance**2) if isinstance(self.manifold, Euclidean) else -distance
        return self.log_scale.exp() * nearness

    def forward(self, episodes: Tensor) -> Tensor:
        """(B, ways, shots + queries, C, H, W) to logits (B, ways, ways * queries): classes along dim 1, and the queries
        row by row, in the order of `Episodes.targets`."""
        return self.compare(self.embed(episodes))

    def confidence(self, images: Tensor) -> Tensor:
        """(..., C, H, W) to (...): the distance of the embedded image from the origin; in flat space its length.

        Unclear images lie nearer to the origin (Khrulkov et al. 2020, section 5), as far as training makes it so: the
        loss compares points with points, and is the same after any isometry. It is a habit to be measured, not a law.
        """
        return self.manifold.dist0(self.embed(images))
