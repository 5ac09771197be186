"""HoroPCA (Chami et al. 2021): the plane in which a cloud of points of hyperbolic space is seen best.

Orthogonal projection onto a geodesic plane pulls far points together exponentially. Projection along horospheres does
not: it keeps how far a point has gone towards each of some ideal points, that is its Busemann functions.
"""

import math

import torch
from torch import Tensor

from hyplearn.manifolds import PoincareBall
from hyplearn.manifolds.lorentz import time_of
from hyplearn.maps import from_hub, light_cone, to_hub
from hyplearn.means import frechet_mean


def horospherical_projection(x: Tensor, ideal: Tensor, c: float = 1.0) -> Tensor:
    """The projection along horospheres onto the plane through the origin and some ideal points, in coordinates there.

    The image y of x has its Busemann functions log(t - <s, u_k>) for all ideal points u_k, (t, s) being the point of
    the unit hyperboloid. Two points of the plane have, mirror images in the plane through the u_k; y is the one on the
    origin's side. With g_k = t - <s, u_k> and the part r of s across all u_k, its space part is

        y_k = -g_k + sum(g)/(K - 1) - h/sqrt(K - 1),   h^2 = (t - sum_k <s, u_k>)^2/(K - 1) + |r|^2,

    and for K = 1 it is at the signed distance -log(g_1) on the line. No distance grows (Chami et al. 2021, section 4).

    Args:
        x: (..., n), points of the ball of curvature -c.
        ideal: (K, n), orthonormal.

    Returns:
        (..., K), points of the ball of curvature -c in K dimensions.
    """
    ball, (count, _) = PoincareBall(c), ideal.shape
    s = to_hub(x.double(), ball)
    ideal = ideal.double()
    g = torch.cat([light_cone(s, u) for u in ideal], dim=-1)
    if count == 1:
        y = (1 / g - g) / 2
    else:
        along = s @ ideal.T
        across = s - along @ ideal
        beyond = time_of(s, -1) - along.sum(-1, keepdim=True)
        h = (beyond**2 / (count - 1) + (across * across).sum(-1, keepdim=True)).sqrt()
        y = -g + g.sum(-1, keepdim=True) / (count - 1) - h / math.sqrt(count - 1)
    return from_hub(y, ball).to(x.dtype)


class HoroPCA:
    """Reduces points of the ball to `dim` dimensions so that they stay as far apart as they can.

    The points are centred at their Frechet mean. Ideal points u_1, u_2, ... are then chosen one after the other,
    orthonormal, each such that the mean of d(y_i, y_j)^2 over all pairs of projections onto u_1, ..., u_k is largest.

    Args:
        dim: dimensions that are kept.
        c: the points live in the ball of curvature -c.
        sample: at most so many of the points (drawn with a fixed seed) decide on the ideal points.
        steps: steps uphill for each of them, from each of two starts.

    After `fit`: `mean_` (n,) and `ideal_` (dim, n).
    """

    def __init__(self, dim: int = 2, *, c: float = 1.0, sample: int = 200, steps: int = 40):
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self.dim, self.c, self.sample, self.steps = dim, c, sample, steps

    def fit(self, x: Tensor) -> "HoroPCA":
        """Chooses the plane for the points x (N, n).

        Raises:
            ValueError: if there are fewer than two points or fewer coordinates than `dim`, or points on the rim.
        """
        if x.dim() != 2 or len(x) < 2 or x.shape[1] < self.dim:
            raise ValueError(f"x must be (N, n) with N >= 2 and n >= dim = {self.dim}, got {tuple(x.shape)}")
        x, ball = x.detach().double(), PoincareBall(self.c)
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: self.sample]]
        self.mean_ = frechet_mean(ball, x)
        if not self.mean_.isfinite().all():
            raise ValueError("x must lie inside the ball; points on its rim have no mean (use a smaller scale)")
        x = ball.mobius_add(-self.mean_, x)
        logs = ball.logmap0(x)
        self.ideal_ = x.new_zeros(0, x.shape[1])
        for _ in range(self.dim):
            # Of the directions that are left, the one in which the logarithms vary most, either way: a flat guess.
            rest = torch.linalg.svd(self.ideal_, full_matrices=True).Vh[len(self.ideal_) :]
            guess = torch.linalg.svd(logs @ rest.T, full_matrices=False).Vh[0] @ rest
            found = [self._climb(x, start) for start in (guess, -guess)]
            self.ideal_ = max(found, key=lambda pair: pair[0])[1]
        return self

    def _climb(self, x: Tensor, u: Tensor) -> tuple[float, Tensor]:
        """The largest spread found from the next ideal point u, along great circles, and all ideal points with it."""
        ball, (i, j) = PoincareBall(self.c), torch.triu_indices(len(x), len(x), offset=1)

        def spread(u):
            u = u.detach().requires_grad_()
            y = horospherical_projection(x, torch.cat([self.ideal_, u[None]]), self.c)
            value = (ball.dist(y[i], y[j]) ** 2).mean()
            (slope,) = torch.autograd.grad(value, u)
            return value.item(), across(slope, torch.cat([self.ideal_, u[None]]))

        def across(v, ideal):  # twice: where nearly nothing is left of v, the first time leaves rounding errors
            for _ in range(2):
                v = v - ideal.T @ (ideal @ v)
                v = v / v.norm().clamp_min(1e-300)
            return v.detach()

        (value, uphill), angle = spread(u), 0.3
        for _ in range(self.steps):
            new = across(u * math.cos(angle) + uphill * math.sin(angle), self.ideal_)
            higher, then = spread(new)
            if higher > value:
                u, value, uphill, angle = new, higher, then, 1.5 * angle
            else:
                angle /= 3
        return value, torch.cat([self.ideal_, u[None]])

    def transform(self, x: Tensor) -> Tensor:
        """(..., dim) places, in the ball of curvature -c, of points x (..., n); the mean is at the origin."""
        ball = PoincareBall(self.c)
        return horospherical_projection(ball.mobius_add(-self.mean_.to(x.dtype), x), self.ideal_, self.c)
