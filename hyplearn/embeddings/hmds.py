"""Hyperbolic multidimensional scaling (Sala et al. 2018, section 4): points for distances, by one eigenproblem."""

import math
import os

import torch
from torch import Tensor

from hyplearn.data import Hierarchy
from hyplearn.manifolds import Lorentz
from hyplearn.metrics import relative_error
from hyplearn.training import load_checkpoint, save_checkpoint


class HMDSEmbedding:
    """Points of hyperbolic space (curvature -1) whose distances are close to scale * D for a given matrix D.

    Points x_i of the hyperboloid have -<x_i, x_j> = cosh d_ij. That matrix has one positive eigenvalue (time) and `dim`
    negative ones (space), so the space parts are the eigenvectors of -cosh(scale * D) with the largest eigenvalues,
    each times the root of its eigenvalue. If D is hyperbolic of dimension `dim`, they are exact; otherwise the
    eigenvalues left out are the error.

    Args:
        dim: dimension.
        scale: how long 1 is made; by default, that of `scales` with the least error.
        scales: candidates. Longer edges are more tree-like, until float64 no longer holds their cosh.

    After `fit`: `scale_`, `error_` (`metrics.relative_error`, the "average distortion" of Sala et al.), `embedding_`.
    """

    def __init__(self, dim: int = 2, *, scale: float | None = None, scales: tuple[float, ...] = ()):
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        if scale is not None and not 0 < scale < math.inf:
            raise ValueError(f"scale must be > 0, got {scale}")
        self.dim, self.scale, self.scales = dim, scale, scales

    def fit(self, edges: Hierarchy | Tensor) -> "HMDSEmbedding":
        """Embeds a distance matrix (N, N), or a hierarchy through the distances of its spanning tree.

        Raises:
            ValueError: if the matrix is no distance matrix, or too large for `scale`.
        """
        if isinstance(edges, Hierarchy):
            edges = (edges if edges.is_tree else edges.spanning_tree()).tree_distances()
        true = edges.double()
        square = true.dim() == 2 and true.shape[0] == true.shape[1] and len(true) > 1
        if not square or (true - true.T).abs().max() > 1e-9 * true.abs().max():
            raise ValueError(f"distances must be a symmetric matrix of at least 2 points, got {tuple(true.shape)}")
        if not (true.isfinite().all() and (true >= 0).all() and (true.diagonal() == 0).all() and true.max() > 0):
            raise ValueError("distances must be finite, >= 0, and 0 on the diagonal only")
        true = (true + true.T) / 2  # sums along paths may be rounded differently on the way back
        if self.scale is not None:
            candidates = [self.scale]
        else:  # from a reach of 34 on, cosh has no digits left for small eigenvalues: a few dimensions only
            candidates = self.scales or [reach / true.max().item() for reach in (1, 4, 12, 24, 34, 60)]
        if max(candidates) * true.max() > 700:
            raise ValueError(f"scale must be below {700 / true.max().item():.3g}: beyond, cosh leaves float64")
        self.error_ = math.inf
        for scale in candidates:
            space = _space_parts(scale * true, self.dim)
            error = relative_error(_distances(space, space), true, scale)
            if error < self.error_:
                self.error_, self.scale_, self._space = error, scale, space
        return self

    @property
    def embedding_(self) -> Tensor:
        """(N, dim) coordinates in the ball of curvature -1."""
        return self._space / (1 + (1 + (self._space**2).sum(1, keepdim=True)).sqrt())

    def distances_from(self, i: Tensor) -> Tensor:
        """(B, N) distances of the nodes i (B,) from all nodes."""
        return _distances(self._space[i], self._space)

    def distance(self, i: Tensor, j: Tensor) -> Tensor:
        """Distances of the nodes i from the nodes j (index tensors that broadcast)."""
        x = _lifted(self._space)
        return Lorentz(1.0).dist(x[torch.as_tensor(i)], x[torch.as_tensor(j)])

    def save(self, path: str | os.PathLike) -> None:
        """Writes the points to one file."""
        save_checkpoint(path, {"space": self._space, "scale": self.scale_, "error": self.error_})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "HMDSEmbedding":
        """Reads what `save` wrote."""
        state = load_checkpoint(path)
        model = cls(state["space"].shape[1], scale=state["scale"])
        model._space, model.scale_, model.error_ = state["space"], state["scale"], state["error"]
        return model


def _space_parts(distances: Tensor, dim: int) -> Tensor:
    values, vectors = torch.linalg.eigh(-distances.cosh())
    space = vectors[:, -dim:] * values[-dim:].clamp_min(0).sqrt()
    return torch.nn.functional.pad(space, (0, dim - space.shape[1]))


def _lifted(space: Tensor) -> Tensor:
    return torch.cat([(1 + (space * space).sum(1, keepdim=True)).sqrt(), space], dim=1)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    lorentz, y = Lorentz(1.0), _lifted(y)
    return torch.cat([lorentz.dist(row[:, None], y) for row in _lifted(x).split(64)])
