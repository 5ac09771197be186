"""hyplearn: hyperbolic deep learning, as a course and as the compact library that it is taught from."""

from hyplearn.manifolds import (
    Curvature,
    Euclidean,
    HalfSpace,
    Hemisphere,
    Klein,
    Lorentz,
    Manifold,
    NormalCoordinates,
    PoincareBall,
)

__version__ = "0.1.0"

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
    "__version__",
]
