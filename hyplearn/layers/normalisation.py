"""Batch normalisation of points: centre, scale, and move to a learned mean."""

import torch
from torch import nn

from hyplearn.layers.analytic import asinhc_of_square, cosh_sinhc, valued
from hyplearn.layers.base import HLayer, check_clip
from hyplearn.layers.functional import squared_norm
from hyplearn.layers.sums import Centred, Gap, biased_sum, combination, weighted_sum
from hyplearn.manifolds import Manifold
from hyplearn.numerics import asinh, dot, norm


class _HBatchNorm(HLayer):
    place: int  # of a point's coordinates

    def __init__(
        self,
        features: int,
        manifold: Manifold,
        momentum: float = 0.1,
        eps: float = 1e-5,
        per_axis: bool = False,
        clip: float | None = None,
    ):
        super().__init__(manifold, self.place)
        check_clip(clip)
        self.per_axis, self.clip = per_axis, clip
        scales = (features,) if per_axis else ()
        self.features, self.momentum, self.eps = features, momentum, eps
        self.bias = nn.Parameter(torch.zeros(features))
        # Unit variance on every axis is a radius of sqrt(features), where a curved space has no room for gradients.
        start = min(1.0, (manifold.c.item() * features) ** -0.5) if per_axis else 1.0
        self.weight = nn.Parameter(torch.full(scales, start))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(scales))

    def normal(self, n):
        self._check(n, self.features, self.dim)
        shape = n.shape
        # As (B, features, pixels), and in units where c = 1.
        x = n.flatten(0, -2).unsqueeze(-1) if self.dim == -1 else n.reshape(-1, *shape[-3:]).flatten(2)
        x = x.to(torch.promote_types(n.dtype, torch.float32))
        out = self._normalise(x, self.manifold.sqrt_c(x))
        return out.reshape(shape).to(n.dtype)

    def _normalise(self, x, sqrt_c):
        count = x[:, 0].numel()
        if self.training and count < 2:
            raise ValueError(f"{type(self).__name__} needs more than one point to train, got {count}")
        centred, mean = self._centre(x, sqrt_c)
        if self.training:
            var = squared_norm(centred, (0, 2)).flatten() / count
            var = var if self.per_axis else var.sum()
            self._update(mean.detach(), var.detach())
        else:
            var = self.running_var.to(x.dtype)
        scale = self.weight.to(x.dtype) / (var + self.eps).sqrt()
        return biased_sum(centred, scale, self.bias.to(x.dtype), sqrt_c.square(), self.clip)

    def _centre(self, x, sqrt_c):
        """(-mean) (+) x and the mean. With u the direction of the mean, a number for each point says what becomes of it
        along u, another what becomes of the rest.
        """
        square = sqrt_c.square() * squared_norm(x, 1)
        cosh, sinhc = cosh_sinhc(square)
        total = sqrt_c * (weighted_sum(x, sinhc) if self.training else self.running_mean.to(x.dtype))
        length = norm(total)
        u = total / torch.where(length > 0, length, 1.0)
        product = sqrt_c * torch.matmul(u.expand(len(x), 1, -1), x)
        with torch.no_grad():  # the part across u itself does not cancel as the difference of squares does
            across = torch.addcmul(x, u[:, None], product / sqrt_c, value=-1)
            exact = sqrt_c.square() * across.mul_(across).sum(1, keepdim=True)
        along, rest = sinhc * product, sinhc.square() * valued(square - product.square(), exact)
        gap = Gap.apply(along, rest, cosh)
        d = asinh(length / (gap.sum() * (cosh.sum() + length)).sqrt()) if self.training else length
        alpha, beta, _, _ = Centred.apply(along, rest, gap, sinhc, d)
        return combination(x, u, alpha, beta / sqrt_c), d * u / sqrt_c

    @torch.no_grad()
    def _update(self, mean, var):
        # On the geodesic from the old mean to the new one, at the fraction `momentum` of its length.
        c, n = self.manifold.c, torch.stack([self.running_mean, mean]).double()
        cosh, sinhc = cosh_sinhc(c * dot(n, n))
        space = sinhc * n
        length = (cosh.prod() - c * space.prod(0).sum()).clamp_min(1 + 1e-15).acosh()
        space = ((1 - self.momentum) * length).sinh() * space[0] + (self.momentum * length).sinh() * space[1]
        space = space / length.sinh()
        self.running_mean.copy_(space * asinhc_of_square(c * dot(space, space)))
        self.running_var.lerp_(var.to(self.running_var.dtype), self.momentum)

    def extra_repr(self):
        return f"{self.features}, momentum={self.momentum}, eps={self.eps}, per_axis={self.per_axis}, clip={self.clip}"


class HBatchNorm1d(_HBatchNorm):
    """Batch normalisation of points (..., features).

    With mean mu (the midpoint of the batch) and variance var (the mean squared distance from it), a point x moves to
    (-mu) (+) x, its normal coordinates are multiplied by weight/sqrt(var + eps), and the result is carried from the
    origin to `bias`. Training uses the batch's mu and var, evaluation their running values: the running mean moves
    along the geodesic to the batch's by the fraction `momentum`. So what a sample becomes in evaluation does not depend
    on the samples beside it.

    With `per_axis`, each coordinate has a weight and a variance of its own, after centring: n_i -> weight_i n_i /
    sqrt(var_i + eps), var_i the mean of n_i^2. As c -> 0 this is `nn.BatchNorm1d`. The axes are those of the tangent
    space at the origin: the layer no longer commutes with rotations. For deep networks, where one scale lets the
    coordinates grow apart; the published layer has one.

    Args:
        features: dimension of the points.
        manifold: the chart.
        momentum: weight of the current batch in the running values.
        eps: added to the variance.
        per_axis: `weight` and `running_var` have shape (features,), else (). `weight` starts at 1, or at what brings
            points to the radius 1/sqrt(c), if that is less.
        clip: no point ends farther than clip/sqrt(c) from the origin; None for no bound.

    `bias` and `running_mean` hold normal coordinates, so any optimiser will do.

    Source: Lou et al., "Differentiating through the Frechet Mean", ICML 2020, section 5.2; with the centroid as the
    mean and the scaling at the origin, Bdeir, Schwethelm, Landwehr, ICLR 2024, section 4.2.
    """

    place = -1


class HBatchNorm2d(_HBatchNorm):
    """`HBatchNorm1d` of the points of images (B, features, H, W), over batch and pixels."""

    place = -3
