"""Batch normalisation of points: centre, scale, and move to a learned mean."""

import torch
from torch import nn

from hyplearn.layers.base import HLayer
from hyplearn.layers.functional import asinhc_of_square, cosh_sinhc, mobius_sum, squared_norm, valued
from hyplearn.manifolds import Manifold
from hyplearn.numerics import asinh, dot, norm


class _HBatchNorm(HLayer):
    def __init__(self, features, manifold, momentum, eps, dim):
        super().__init__(manifold, dim)
        self.features, self.momentum, self.eps = features, momentum, eps
        self.bias = nn.Parameter(torch.zeros(features))
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(()))

    def normal(self, n):
        self._check(n, self.features, self.dim)
        shape = n.shape
        # As (B, features, pixels), and in units where c = 1.
        x = n.flatten(0, -2).unsqueeze(-1) if self.dim == -1 else n.reshape(-1, *shape[-3:]).flatten(2)
        x = x.to(torch.promote_types(n.dtype, torch.float32))
        out = self._normalise(x, self.manifold.sqrt_c(x))
        return out.reshape(shape).to(n.dtype)

    def _normalise(self, x, sqrt_c):
        """What happens to a point is a combination of itself, the direction u of the mean and the bias b: its factors
        follow from the three inner products |x|^2, <x, u> and <x, b>, one number each for a point.
        """
        square = sqrt_c.square() * squared_norm(x, 1)
        cosh, sinhc = cosh_sinhc(square)
        if self.training:
            if cosh.numel() < 2:
                raise ValueError(f"{type(self).__name__} needs more than one point to train, got {cosh.numel()}")
            total = sqrt_c * (x @ sinhc.mT).sum(0).squeeze(-1)
        else:
            total = sqrt_c * self.running_mean.to(x.dtype)
        length = norm(total)
        u, b = total / torch.where(length > 0, length, 1.0), sqrt_c * self.bias.to(x.dtype)
        basis = torch.stack([u, b]).expand(len(x), -1, -1)
        products = sqrt_c * torch.bmm(basis, x)
        along, rest = products[:, :1], square - products[:, :1].square()
        with torch.no_grad():  # the part across u itself does not cancel as the difference of squares does
            across = torch.addcmul(x, basis[:, :1].mT, along / sqrt_c, value=-1)
            exact = sqrt_c.square() * (across * across).sum(1, keepdim=True)

        # Moved by -mean, a point's part along u is e^-d (its part along u) - sinh(d) gap, with gap = t - (that part).
        s_along, s_rest = sinhc * along, sinhc.square() * valued(rest, exact)
        toward = s_along > 0
        gap = torch.where(toward, (1 + s_rest) / (cosh + torch.where(toward, s_along, 0.0)), cosh - s_along)
        if self.training:
            sinh_d = length / (gap.sum() * (cosh.sum() + length)).sqrt()
            d = asinh(sinh_d)
        else:
            d, sinh_d = length, length.sinh()
        moved = (-d).exp() * s_along - sinh_d * gap
        sinh_square = s_rest + moved.square()
        shrink = asinhc_of_square(sinh_square)
        radius_square = shrink.square() * sinh_square
        if self.training:
            var = radius_square.mean() / sqrt_c.square()
            self._update((d * u / sqrt_c).detach(), var.detach())
        else:
            var = self.running_var.to(x.dtype)
        scale = self.weight.to(x.dtype) / (var + self.eps).sqrt()

        # Now y = f x + g u, and b (+) y as in `mobius_sum`.
        f = scale * shrink * sinhc
        g = scale * shrink * moved - f * along
        cosh_b, sinhc_b = cosh_sinhc(dot(b, b))
        cosh_y, sinhc_y = cosh_sinhc(scale.square() * radius_square)
        inner = f * products[:, 1:] + g * dot(u, b)
        time = cosh_b * cosh_y + sinhc_b * sinhc_y * inner
        shrink = asinhc_of_square(((time - 1) * (time + 1)).clamp_min(0))
        of_b = sinhc_b * (cosh_y + sinhc_b * sinhc_y * inner / (1 + cosh_b))
        factors = torch.cat([sinhc_y * g, of_b], 1) * (shrink / sqrt_c)
        return torch.baddbmm(x * (shrink * sinhc_y * f), basis.mT, factors)

    @torch.no_grad()
    def _update(self, mean, var):
        # On the geodesic from the old mean to the new one, at the fraction `momentum` of the way.
        c, old = self.manifold.c, self.running_mean.double()
        moved = mobius_sum(old, self.momentum * mobius_sum(-old, mean.double(), c, 0), c, 0)
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
