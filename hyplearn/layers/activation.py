"""Layers that act on each point by itself: pointwise functions, the radial clip and dropout."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from hyplearn.layers.base import HLayer
from hyplearn.layers.functional import squared_norm
from hyplearn.manifolds import Manifold


class HActivation(HLayer):
    """A pointwise function of the tangent vector at the origin: exp_0(f(log_0(x))).

    log_0(x) is that of the Poincare ball, half the normal coordinates: n -> 2 f(n/2). This matters for functions such
    as tanh or GELU, not for those with f(2x) = 2 f(x) (ReLU, leaky ReLU).

    Args:
        function: f, from tensor to tensor, entry by entry.
        manifold, dim: see `HLayer`.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], manifold: Manifold, dim: int | None = None):
        super().__init__(manifold, dim)
        self.function = function

    def normal(self, n):
        return 2 * self.function(n / 2)

    def extra_repr(self):
        return getattr(self.function, "__name__", "")


class HReLU(HLayer):
    """ReLU of the tangent vector at the origin, which is ReLU of the normal coordinates."""

    def __init__(self, manifold: Manifold, dim: int | None = None):
        super().__init__(manifold, dim)

    def normal(self, n):
        return F.relu(n)


class HClip(HLayer):
    """Points farther from the origin than radius/sqrt(c) move to that distance; their direction is kept.

    Source: Guo, Wang, Chen, Yu, "Clipped Hyperbolic Classifiers Are Super-Hyperbolic Classifiers", CVPR 2022 (there as
    a clip of the tangent vector at the origin, which is the same).
    """

    def __init__(self, manifold: Manifold, radius: float = 12.0, dim: int | None = None):
        super().__init__(manifold, dim)
        if not radius > 0:
            raise ValueError(f"radius must be > 0, got {radius}")
        self.radius = radius

    def forward(self, x):
        dim = self._dim(x)
        n = self.manifold.to_normal(x, dim=dim)
        return self.manifold.from_normal(self._clip(n, dim), dim=dim)

    def normal(self, n):
        return self._clip(n, self._dim(n))

    def _clip(self, n, dim):
        square = squared_norm(n, dim)
        bound = self.radius / self.manifold.sqrt_c(square)
        # At least bound^2 under the root: the scale is 1 inside, and the root has a derivative at the origin.
        return (n * (bound / square.clamp_min(bound**2).sqrt())).to(n.dtype)

    def extra_repr(self):
        return f"radius={self.radius}"


class HDropout(HLayer):
    """Dropout of the tangent vector at the origin: each coordinate is 0 with probability p, else divided by 1 - p."""

    def __init__(self, manifold: Manifold, p: float = 0.5, dim: int | None = None):
        super().__init__(manifold, dim)
        if not 0 <= p < 1:
            raise ValueError(f"p must be in [0, 1), got {p}")
        self.p = p

    def normal(self, n):
        return F.dropout(n, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"
