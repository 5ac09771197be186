"""Batch normalisation of points: centre, scale, and move to a learned mean."""

import torch
from torch import nn

from hyplearn.layers.base import HLayer
from hyplearn.manifolds import Manifold, NormalCoordinates
from hyplearn.means import midpoint


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
        points = n.movedim(self.dim, -1)
        if self.training:
            if points[..., 0].numel() < 2:
                raise ValueError(f"{type(self).__name__} needs more than one point to train, got {tuple(n.shape)}")
            mean = midpoint(self.chart, points.flatten(0, -2))
            var = self.chart.dist(mean, points).square().mean()
            self._update(mean.detach(), var.detach())
        else:
            mean, var = self.running_mean, self.running_var
        mean = mean.expand_as(points)
        centred = self.chart.transp(mean, torch.zeros_like(points), self.chart.logmap(mean, points))
        scaled = centred * (self.weight / (var + self.eps).sqrt())
        bias = self.bias.expand_as(scaled)
        return self.chart.expmap(bias, self.chart.transp0(bias, scaled)).movedim(-1, self.dim)

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
