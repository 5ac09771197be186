"""Models (charts) of hyperbolic space: one class each, plain tensors in, plain tensors out."""

from hyplearn.manifolds.base import Manifold
from hyplearn.manifolds.curvature import Curvature
from hyplearn.manifolds.euclidean import Euclidean
from hyplearn.manifolds.halfspace import HalfSpace
from hyplearn.manifolds.hemisphere import Hemisphere
from hyplearn.manifolds.klein import Klein
from hyplearn.manifolds.lorentz import Lorentz
from hyplearn.manifolds.normal import NormalCoordinates
from hyplearn.manifolds.poincare import PoincareBall

__all__ = [
    "Curvature",
    "Euclidean",
    "HalfSpace",
    "Hemisphere",
    "Klein",
    "Lorentz",
    "Manifold",
    "NormalCoordinates",
    "PoincareBall",
]
