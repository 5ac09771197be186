"""Batch normalisation of points: centre, scale, and move to a learned mean."""

import torch
from torch import nn

from hyplearn.layers.base import HLayer
from hyplearn.layers.functional import cosh_sinhc, mobius_sum, squared_norm
from hyplearn.manifolds import Manifold, NormalCoordinates
from hyplearn.numerics import asinh, asinhc, norm, safe_sqrt


class _HBatchNorm(HLayer):
    def __init__(self, features, manifold, momentum, eps, dim):
        super().__init__(manifold, dim)
        self.features, self.momentum, self.eps = features, momentum, eps
        self.chart = NormalCoordinates(manifold.curvature)
        self.bias = nn.Parameter(torch.zeros(features))
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(()))

    def normal(self, n):
        self._check(n, self.features, self.dim)
        x, c, dim = n.to(torch.promote_types(n.dtype, torch.float32)), self.manifold.c, self.dim
        shape = (-1, *[1] * (-dim - 1))
        cosh, growth = cosh_sinhc(squared_norm(x, dim), c)
        if self.training:
            if cosh.numel() < 2:
                raise ValueError(f"{type(self).__name__} needs more than one point to train, got {tuple(n.shape)}")
            total = (x * growth.to(x.dtype)).movedim(dim, -1).flatten(0, -2).sum(0).double() * c.sqrt()
        else:
            total = self.running_mean.double()  # only its direction counts
        length = norm(total)
        ahead = total / torch.where(length > 0, length, 1.0)
        u = ahead.to(x.dtype).view(shape)

        # Points as a part along the mean's direction, and a rest: nothing cancels then, however far out they lie.
        along = (x * u).sum(dim, keepdim=True)
        across = torch.addcmul(x, u, along, value=-1)
        along = growth * c.sqrt() * along.double()
        rest = growth.square() * c * squared_norm(across, dim).double()
        toward = along > 0
        gap = torch.where(toward, (1 + rest) / (cosh + torch.where(toward, along, 0.0)), cosh - along)
        if self.training:
            size = length / (gap.sum() * (cosh.sum() + length)).sqrt()
            distance = asinh(size)
        else:
            distance = c.sqrt() * length
            size = distance.sinh()
        along = (-distance).exp() * along - size * gap  # the part along the mean's direction of (-mu) (+) x
        sinh = safe_sqrt(rest + along.square())
        shrink = asinhc(sinh)
        radius = shrink * sinh / c.sqrt()
        if self.training:
            var = radius.square().mean()
            self._update((distance * ahead / c.sqrt()).detach(), var.detach())
        else:
            var = self.running_var.double()
        scale = self.weight.double() / (var + self.eps).sqrt()
        factor = scale * shrink
        y = torch.addcmul(across * (factor * growth).to(x.dtype), u, (factor * along / c.sqrt()).to(x.dtype))
        bias = self.bias.to(x.dtype).view(shape)
        return mobius_sum(bias, y, c, dim, (scale * radius).square()).to(n.dtype)

    @torch.no_grad()
    def _update(self, mean, var):
        moved = self.chart.geodesic(self.momentum, self.running_mean, mean.to(self.running_mean.dtype))
        self.running_mean.copy_(moved)
        self.running_var.lerp_(var.to(self.running_var.dtype), self.momentum)

    def extra_repr(self):
        return f"{self.features}, momentum={self.momentum}, eps={self.eps}"


class HBatchNorm1d(_HBatchNorm):
    """Batch normalisation of points (..., features).

    With mean mu (the midpoint of the batch) and variance var (the mean squared distance from it), a point x moves to
    (-mu) (+) x, its normal coordinates are multiplied by weight/sqrt(var + eps), and the result is carried from the
    origin to `bias`. Training uses the batch's mu and var, evaluation their running values: the running mean moves
    along the geodesic to the batch's by the fraction `momentum`. So what a sample becomes in evaluation does not depend
    on the samples beside it.

    Args:
        features: dimension of the points.
        manifold: the chart.
        momentum: weight of the current batch in the running values.
        eps: added to the variance.

    `bias` and `running_mean` hold normal coordinates, so any optimiser will do.

    Source: Lou et al., "Differentiating through the Frechet Mean", ICML 2020, section 5.2; with the centroid as the
    mean and the scaling at the origin, Bdeir, Schwethelm, Landwehr, ICLR 2024, section 4.2.
    """

    def __init__(self, features: int, manifold: Manifold, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__(features, manifold, momentum, eps, dim=-1)


class HBatchNorm2d(_HBatchNorm):
    """`HBatchNorm1d` of the points of images (B, features, H, W), over batch and pixels."""

    def __init__(self, features: int, manifold: Manifold, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__(features, manifold, momentum, eps, dim=-3)
