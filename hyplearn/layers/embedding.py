"""A table of points."""

import torch
from torch import nn

from hyplearn.manifolds import Manifold


class HEmbedding(nn.Module):
    """Points of `manifold`, one for each index, as parameters: indices (...) to points (..., dim).

    In normal coordinates any optimiser will do, in the other charts `weight` needs a Riemannian one.

    Args:
        num_embeddings: number of points.
        embedding_dim: dimension of the space (a chart with ambient coordinates adds its own).
        manifold: the chart of the points.
        std: the points start at wrapped-normal positions of this standard deviation, in units of length.
        sparse: whether the gradient is sparse.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, manifold: Manifold, std: float = 1e-2, sparse: bool = False
    ):
        super().__init__()
        self.manifold, self.std, self.sparse = manifold, std, sparse
        self.weight = nn.Parameter(torch.empty(num_embeddings, embedding_dim + manifold.extra_coords))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.weight.copy_(self.manifold.random(*self.weight.shape, std=self.std, dtype=self.weight.dtype))

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(index, self.weight, sparse=self.sparse)

    def extra_repr(self):
        return ", ".join(str(size) for size in self.weight.shape)
