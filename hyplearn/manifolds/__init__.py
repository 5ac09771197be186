"""Models (charts) of hyperbolic space: one class each, plain tensors in, plain tensors out."""

from hyplearn.manifolds.base import Manifold
from hyplearn.manifolds.curvature import Curvature
from hyplearn.manifolds.euclidean import Euclidean
from hyplearn.manifolds.poincare import PoincareBall

__all__ = ["Curvature", "Euclidean", "Manifold", "PoincareBall"]
