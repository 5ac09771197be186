"""Geodesic normal coordinates at the origin: n = d u, the distance of a point times its unit direction.

This chart is all of R^n, for every c, and the logarithm at the origin is the identity: the layers are written in it.
Its points in the other charts are sinh(sqrt(c) d) u / sqrt(c) (the space part in Lorentz) and
tanh(sqrt(c) d / 2) u / sqrt(c) (the ball). The metric is d r^2 along u and (sinh(sqrt(c) d) / (sqrt(c) d))^2 across.
"""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold
from hyplearn.manifolds.lorentz import along_and_across, base_and_height, exp_frame, to_frame, transport_frame
from hyplearn.numerics import asinh, asinhc, clip_norm, dot, double_inside, norm, safe_sqrt, sinhc, sinhc_minus_1


class NormalCoordinates(Manifold):
    """Points n in R^n, at distance |n| from the origin.

    Every method computes in float64 and rounds once to the dtype of its arguments. Functions of two points overflow
    beyond sqrt(c) d = 355, so a point farther than LIMIT counts as one at LIMIT in the same direction, and `projx`
    puts it there.
    """

    LIMIT = 345.0

    def _unit(self, n: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """The point and its radius for c = 1."""
        m = self.c.sqrt() * n
        d = norm(m, dim)
        return m * (self.LIMIT / d.clamp_min(self.LIMIT)), d.clamp_max(self.LIMIT)

    @staticmethod
    def _space(n: Tensor, d: Tensor) -> Tensor:
        return sinhc(d) * n

    @staticmethod
    def _to_frame(n: Tensor, d: Tensor, v: Tensor, dim: int) -> Tensor:
        """v_radial + (sinh d / d) v_across: the tangent vector at the origin whose parallel transport to n is v."""
        smooth = sinhc(d) * v - sinhc_minus_1(d) * n * dot(n, v, dim)  # has derivatives at n = 0, and cancels far out
        unit, along, across = along_and_across(n, d, v, dim)
        return torch.where(d > 1, unit * along + sinhc(d) * across, smooth)

    @staticmethod
    def _from_frame(n: Tensor, d: Tensor, f: Tensor, dim: int) -> Tensor:
        return (f + sinhc_minus_1(d) * n * dot(n, f, dim)) / sinhc(d)

    @staticmethod
    def _haversine(n1: Tensor, d1: Tensor, n2: Tensor, d2: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
        """d2 - d1; E = d1 d2 (1 - cos(angle)); and q = 4 sinh^2(dist / 2), by the haversine formula:

        q = 4 sinh^2((d2 - d1) / 2) + 2 (sinh d1 / d1) (sinh d2 / d2) E.

        E is a product for acute angles and a sum for others, never d1 d2 - <n1, n2> where that cancels; as it is
        written without unit vectors, the gradient of q is right at the origin too.
        """
        p, total = dot(n1, n2, dim), d1 + d2
        growth = dot(n2 - n1, n1 + n2, dim) / torch.where(total > 0, total, 1.0)
        LL, PP = base_and_height(n1, n2, dim)
        E = torch.where(p > 0, LL * PP / torch.where(p > 0, d1 * d2 + p, 1.0), d1 * d2 - p)
        return growth, E, 4 * torch.sinh(growth / 2) ** 2 + 2 * sinhc(d1) * sinhc(d2) * E

    @staticmethod
    def _space_difference(n1: Tensor, d1: Tensor, n2: Tensor, d2: Tensor, dim: int) -> Tensor:
        """s2 - s1 for the space parts s = (sinh d / d) n, without the cancellation of near pairs."""
        D, m, total, far = n2 - n1, n1 + n2, d1 + d2, torch.maximum(d1, d2)
        dd = dot(D, m, dim) / torch.where(total > 0, total, 1.0)
        # sinhc(d2) - sinhc(d1), through sinh(d2) - sinh(d1) = 2 sinh(dd / 2) cosh(total / 2)
        growth = sinhc(dd.abs() / 2) * torch.cosh(total / 2) - sinhc(torch.minimum(d1, d2))
        return (sinhc(d1) + sinhc(d2)) / 2 * D + dd / torch.where(far > 0, far, 1.0) * growth / 2 * m

    # --- points and tangent vectors -------------------------------------------------------------------------------

    def origin(self, *size, dtype=None, device=None):
        return torch.zeros(*size, dtype=dtype, device=device)

    def projx(self, x, dim=-1):
        limit = self.LIMIT / self.c.sqrt()
        margin = 1 - 4 * torch.finfo(x.dtype).eps  # for the rounding, which must not put it outside again
        return clip_norm(x.double(), limit, limit * margin, dim).to(x.dtype)

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        if not bool((self.c.sqrt() * norm(x.double(), dim) <= self.LIMIT).all()):
            raise ValueError(f"{name} must lie within {self.LIMIT}/sqrt(c) of the origin; use projx to bring it there")

    # --- metric ---------------------------------------------------------------------------------------------------

    @double_inside
    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        n, d = self._unit(x, dim)
        f = self._to_frame(n, d, u, dim)
        return self._squeeze(dot(f, f if v is None else self._to_frame(n, d, v, dim), dim), dim, keepdim)

    @double_inside
    def norm(self, x, v, dim=-1, keepdim=False):
        return self._squeeze(norm(self._to_frame(*self._unit(x, dim), v, dim), dim), dim, keepdim)

    @double_inside
    def egrad2rgrad(self, x, grad, dim=-1):
        """grad_radial + (sqrt(c) d / sinh(sqrt(c) d))^2 grad_across."""
        n, d = self._unit(x, dim)
        return self._from_frame(n, d, self._from_frame(n, d, grad, dim), dim)

    # --- distances and geodesics ----------------------------------------------------------------------------------

    @double_inside
    def dist(self, x, y, dim=-1, keepdim=False):
        """2 asinh( sqrt(sinh^2((d1 - d2)/2) + sinh(d1) sinh(d2) |u1 - u2|^2 / 4) ), for c = 1.

        float32: 1 eps. float64: 8 eps, or what one rounding of the coordinates changes where that is more.
        """
        _, _, q = self._haversine(*self._unit(x, dim), *self._unit(y, dim), dim)
        return self._squeeze(2 * asinh(safe_sqrt(q) / 2) / self.c.sqrt(), dim, keepdim)

    def dist0(self, x, dim=-1, keepdim=False):
        return self._squeeze(norm(x.double(), dim).to(x.dtype), dim, keepdim)

    @double_inside
    def expmap(self, x, v, dim=-1):
        s = self.c.sqrt()
        n, d = self._unit(x, dim)
        space = exp_frame(self._space(n, d), s * self._to_frame(n, d, v, dim), dim)
        space = clip_norm(space, 1e149, 1e149, dim)
        return asinhc(norm(space, dim)) * space / s

    @double_inside
    def logmap(self, x, y, dim=-1):
        """(l / sinh l) times the sides of the triangle at x, with l = dist(x, y) and c = 1: along x

        sinh(d2 - d1) - cosh(d1) sinh(d2) (1 - cos(angle)), and across it sinh(d2) sin(angle).
        """
        (n1, d1), (n2, d2) = self._unit(x, dim), self._unit(y, dim)
        growth, E, q = self._haversine(n1, d1, n2, d2, dim)
        # Unit vectors have no derivative at x = 0. Around it the formula of the hyperboloid serves.
        s1, D = self._space(n1, d1), self._space_difference(n1, d1, n2, d2, dim)
        inner = self._from_frame(n1, d1, to_frame(s1, D - q / 2 * s1, dim), dim)
        away = d1 > 1
        d1 = torch.where(away, d1, 1.0)
        along = torch.sinh(growth) - torch.cosh(d1) * sinhc(d2) * E / d1
        across = n2 - n1 - n1 * (dot(n1, n2 - n1, dim) / d1**2)
        outer = n1 * (along / d1) + across * (sinhc(d2) / sinhc(d1))
        return torch.where(away, outer, inner) / (sinhc(2 * asinh(safe_sqrt(q) / 2)) * self.c.sqrt())

    def expmap0(self, v, dim=-1):
        return v

    def logmap0(self, y, dim=-1):
        return y

    @double_inside
    def transp(self, x, y, v, dim=-1):
        p, q = self._unit(x, dim), self._unit(y, dim)
        D, (_, _, chord) = self._space_difference(*p, *q, dim), self._haversine(*p, *q, dim)
        f = transport_frame(self._space(*p), self._space(*q), D, chord, self._to_frame(*p, v, dim), dim)
        return self._from_frame(*q, f, dim)

    @double_inside
    def transp0(self, y, v, dim=-1):
        return self._from_frame(*self._unit(y, dim), v, dim)

    def retr(self, x, v, dim=-1):
        return self.projx(x + v, dim)

    # --- the hub --------------------------------------------------------------------------------------------------

    def to_normal(self, x, dim=-1):
        return x

    def from_normal(self, n, dim=-1):
        return n
