"""Random points with known densities, in any chart: the wrapped normal and the uniform distribution in a ball.

Densities are with respect to the volume of the space (not of the coordinates): they are the same in every chart, and
invariant under isometries. All is computed in float64 and rounded once.
"""

import math

import numpy as np
import torch
from torch import Tensor

from hyplearn.manifolds import Manifold
from hyplearn.maps import from_frame, to_frame
from hyplearn.numerics import asinh, norm, sinhc


def _log_sinhc(r: Tensor) -> Tensor:
    """log(sinh(r)/r) for r >= 0, without overflow."""
    far = r > 1
    wide = torch.where(far, r, 1.0)
    return torch.where(
        far, wide + torch.log(-torch.expm1(-2 * wide) / (2 * wide)), sinhc(torch.where(far, 1.0, r)).log()
    )


def log_ball_volume(n: int, radius: Tensor | float, c: Tensor | float = 1.0) -> Tensor:
    """log of the volume of a geodesic ball in n dimensions: w_n times the integral of (sinh(sqrt(c) r)/sqrt(c))^(n-1).

    w_n = 2 pi^(n/2)/Gamma(n/2) is the area of the unit sphere. The integral, from 0 to `radius`, is by Gauss's rule
    with 64 nodes on the part that is above e^-40 of its end, where the rule is exact to rounding: 1e-13 relative.

    Args:
        n: the dimension, at least 1.
        radius: in the units of `dist`, > 0; any shape.
        c: the curvature is -c; c > 0.
    """
    radius, c = (torch.as_tensor(v, dtype=torch.float64) for v in (radius, c))
    m, R = n - 1, c.sqrt() * radius
    node, weight = (torch.as_tensor(a, device=R.device) for a in np.polynomial.legendre.leggauss(64))
    # sinh(r)/sinh(R) is below both r/R and exp(r - R).
    span = R.clamp_max(1.0) * 40 / m if m else R
    span = torch.minimum(span, R).unsqueeze(-1)
    R = R.unsqueeze(-1)
    r = R - span * (1 - node) / 2
    # log(sinh(r)/sinh(R)), by the slope of log(sinh(r)/r): the powers of the ratio stay between 0 and 1.
    ratio = _log_sinhc(r) - _log_sinhc(R) + (r / R).log()
    integral = (weight * (m * ratio).exp()).sum(-1) * span.squeeze(-1) / 2
    R = R.squeeze(-1)
    sphere = math.log(2) + n / 2 * math.log(math.pi) - math.lgamma(n / 2)
    return sphere + integral.log() + m * (_log_sinhc(R) + R.log()) - n / 2 * c.log()


class WrappedNormal:
    """exp_loc of the parallel transport of a normal vector at the origin (Nagano et al. 2019, arXiv:1902.02992).

    The vector has independent components with the standard deviation `scale` in the orthonormal frame at loc that is
    parallel along the ray from the origin (`maps.to_frame`). With w the components of log_loc(x) in it,
    log p(x) = log N(w; 0, scale^2) - (n - 1) log( sinh(sqrt(c)|w|) / (sqrt(c)|w|) ).

    Args:
        manifold: any chart; in flat space it is the ordinary normal distribution.
        loc: points of the chart, coordinates last.
        scale: a number, or a tensor that broadcasts against (..., n); > 0, a length in the units of `dist`.

    Raises:
        ValueError: if `loc` is no point of the chart or `scale` is not positive.
    """

    def __init__(self, manifold: Manifold, loc: Tensor, scale: Tensor | float = 1.0):
        manifold.check_point(loc, name="loc")
        self.manifold, self.loc = manifold, loc
        self.scale = torch.as_tensor(scale, dtype=loc.dtype, device=loc.device)
        if not bool((self.scale > 0).all()):
            raise ValueError("scale must be > 0")
        self.n = loc.shape[-1] - manifold.extra_coords

    def rsample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        """Points of shape (*size, *batch, coordinates), differentiable in loc, scale and the curvature."""
        batch = torch.broadcast_shapes(self.loc.shape[:-1], self.scale.shape[:-1])
        noise = torch.randn(*size, *batch, self.n, generator=generator, dtype=self.loc.dtype, device=self.loc.device)
        return self.manifold.expmap(self.loc, from_frame(self.loc, self.scale * noise, self.manifold))

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density at points x, one number for each."""
        loc, x, scale = self.loc.double(), x.double(), self.scale.double()
        w = to_frame(loc, self.manifold.logmap(loc, x), self.manifold)
        normal = -(w / scale).square() / 2 - scale.log() - math.log(2 * math.pi) / 2
        stretch = _log_sinhc(self.manifold.c.sqrt() * norm(w)).squeeze(-1)
        return (normal.sum(-1) - (self.n - 1) * stretch).to(self.loc.dtype)


class UniformBall:
    """The uniform distribution in a geodesic ball: the density is 1/volume within `radius` of `loc`, 0 outside.

    Most of the volume is at the rim: in two dimensions half of it within log(2)/sqrt(c) of it.

    Args:
        manifold: any chart of hyperbolic space.
        loc: its centre, one point or a batch of them, coordinates last.
        radius: a number > 0, in the units of `dist`.

    Raises:
        ValueError: if `loc` is no point of the chart or `radius` is not a finite positive number.
    """

    def __init__(self, manifold: Manifold, loc: Tensor, radius: float):
        manifold.check_point(loc, name="loc")
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f"radius must be a finite number > 0, got {radius}")
        self.manifold, self.loc, self.radius = manifold, loc, radius
        self.n = loc.shape[-1] - manifold.extra_coords

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        """Points of shape (*size, *batch, coordinates)."""
        options = {"generator": generator, "dtype": torch.float64, "device": self.loc.device}
        shape, s = (*size, *self.loc.shape[:-1], 1), self.manifold.c.sqrt().detach()
        direction = torch.randn(*shape[:-1], self.n, **options)
        distance = self._distances(shape, s, options) * direction / norm(direction)
        loc = self.loc.double()
        x = self.manifold.expmap(loc, from_frame(loc, distance, self.manifold))
        return self.manifold.projx(x.to(self.loc.dtype))

    def _distances(self, shape: tuple[int, ...], s: Tensor, options: dict) -> Tensor:
        """By rejection, from the density sinh(s r)^(n-1) on [0, radius].

        Proposed is sinh(s r) = sinh(s radius) U^(1/(n-1)), which has the density sinh^(n-2) cosh; accepted with the
        probability tanh(s r)/tanh(s radius), so at least one in two is.
        """
        if self.n == 1:
            return self.radius * torch.rand(*shape, **options)
        end = torch.sinh(s.to(self.loc.device) * self.radius)
        distance = end.new_zeros(shape)
        pending = distance == 0
        while bool(pending.any()):
            sinh = end * torch.rand(*shape, **options) ** (1 / (self.n - 1))
            tanh_ratio = sinh / torch.hypot(sinh, torch.ones_like(sinh)) / torch.tanh(s * self.radius)
            accepted = pending & (torch.rand(*shape, **options) <= tanh_ratio)
            distance = torch.where(accepted, asinh(sinh) / s, distance)
            pending = pending & ~accepted
        return distance

    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density at points x, one number for each; -inf outside."""
        inside = self.manifold.dist(self.loc.double(), x.double()) <= self.radius
        density = -log_ball_volume(self.n, self.radius, self.manifold.c)
        return torch.where(inside, density, -torch.inf).to(self.loc.dtype)
