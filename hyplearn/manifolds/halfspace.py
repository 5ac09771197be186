"""The upper half-space {x : x_n > 0} with the conformal metric I / (c x_n^2).

Every formula uses all coordinates at once: no case for vertical geodesics, no complex numbers. Notation: h = x_n is
the height of x, k that of y, D = y - x, and a prime leaves the last coordinate out. Nothing but lengths depends on c:
x -> s x is an isometry for every s > 0.
"""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold
from hyplearn.numerics import asinh, asinhc, clip_norm, dot, double_inside, norm, sinhc


def split_height(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """x' and the height x_n."""
    return x.narrow(dim, 0, x.shape[dim] - 1), x.narrow(dim, x.shape[dim] - 1, 1)


class HalfSpace(Manifold):
    """Points x in R^n with x_n > 0 and <u, v>_x = <u, v>/(c h^2) (Ratcliffe 2019, section 4.6; Cannon et al. 1997).

    The origin is (0, ..., 0, 1/sqrt(c)), where the metric is I: tangent vectors there are normal coordinates. It is
    the image of the ball's origin, and up is up: the ball's diameter along e_n is the vertical line above 0.

    Distances are right to 4 eps for whatever coordinates are given, up to sqrt(c) d = 87 in float32 (708 in float64),
    where heights underflow. Arithmetic is in float64 for every dtype.
    """

    def _base(self, like: Tensor, dim: int) -> Tensor:
        flat, height = split_height(like, dim)
        return torch.cat([torch.zeros_like(flat), torch.zeros_like(height) + self.c.rsqrt().to(like.dtype)], dim)

    # --- points and tangent vectors -------------------------------------------------------------------------------

    def origin(self, *size, dtype=None, device=None):
        return self._base(torch.zeros(*size, dtype=dtype, device=device), -1)

    def projx(self, x, dim=-1):
        info = torch.finfo(x.dtype)
        flat, height = split_height(x.clamp(-info.max, info.max), dim)
        return torch.cat([flat, torch.where(height <= 0, info.tiny, height)], dim)

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        if not bool((split_height(x, dim)[1] > 0).all()):
            raise ValueError(f"{name} must have a last coordinate > 0; use projx to bring it there")

    # --- metric ---------------------------------------------------------------------------------------------------

    @double_inside
    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        height = split_height(x, dim)[1]
        return self._squeeze(dot(u / height, (u if v is None else v) / height, dim) / self.c, dim, keepdim)

    @double_inside
    def norm(self, x, v, dim=-1, keepdim=False):
        return self._squeeze(norm(v / split_height(x, dim)[1], dim) / self.c.sqrt(), dim, keepdim)

    @double_inside
    def egrad2rgrad(self, x, grad, dim=-1):
        return self.c * split_height(x, dim)[1] ** 2 * grad

    # --- distances and geodesics ----------------------------------------------------------------------------------

    def _sinh_half_dist(self, D: Tensor, h: Tensor, k: Tensor, dim: int) -> Tensor:
        """sinh(sqrt(c) d / 2) = |D| / (2 sqrt(h k)); divided before it is squared, since heights reach 1e+-300."""
        return norm(D / (2 * h.sqrt() * k.sqrt()), dim)

    @double_inside
    def dist(self, x, y, dim=-1, keepdim=False):
        z = self._sinh_half_dist(y - x, split_height(x, dim)[1], split_height(y, dim)[1], dim)
        return self._squeeze(2 * asinh(z) / self.c.sqrt(), dim, keepdim)

    def dist0(self, x, dim=-1, keepdim=False):
        return self.dist(self._base(x, dim), x, dim=dim, keepdim=keepdim)

    def expmap(self, x, v, dim=-1):
        return self.projx(self._expmap(x, v, dim), dim)

    @double_inside
    def _expmap(self, x, v, dim):
        # With w = v/h and r = |w|: k = h / (cosh r - w_n sinh(r)/r) and D' = k w' sinh(r)/r, a semicircle.
        flat, h = split_height(x, dim)
        w = clip_norm(v / h, 700.0, dim)  # e^r must not overflow; no height that far is left in any dtype
        across, up = split_height(w, dim)
        r, square = norm(w, dim), dot(across, across, dim)
        s = sinhc(r)
        # Upwards cosh r - w_n sinh(r)/r cancels: there it is e^-r + |w'|^2/(r + w_n) sinh(r)/r.
        rising = up > 0
        slant = torch.where(rising, square / torch.where(rising, r + up, 1.0), 0.0)
        shrink = torch.where(rising, torch.exp(-r) + slant * s, torch.cosh(r) - up * s)
        return torch.cat([flat + h * across * s / shrink, h / shrink], dim)

    @double_inside
    def logmap(self, x, y, dim=-1):
        (across, up), h, k = split_height(y - x, dim), split_height(x, dim)[1], split_height(y, dim)[1]
        z = self._sinh_half_dist(y - x, h, k, dim)
        ratio = asinhc(z) / (1 + z * z).sqrt()  # r / sinh(r), r = sqrt(c) d(x, y)
        return ratio * torch.cat([across * (h / k), (dot(across / k, across, dim) + up * ((k + h) / k)) / 2], dim)

    def expmap0(self, v, dim=-1):
        return self.expmap(self._base(v, dim), v, dim)

    def logmap0(self, y, dim=-1):
        return self.logmap(self._base(y, dim), y, dim)

    @double_inside
    def transp(self, x, y, v, dim=-1):
        # Two reflections make the rotation: in the boundary, and in b = y - (the mirror image of x in the boundary).
        (across, _), h, k = split_height(y - x, dim), split_height(x, dim)[1], split_height(y, dim)[1]
        flat, up = split_height(v, dim)
        mirrored = torch.cat([flat, -up], dim)
        b = torch.cat([across / (h + k), torch.ones_like(h + k)], dim)
        return (k / h) * (mirrored - 2 * dot(b, mirrored, dim) / dot(b, b, dim) * b)

    def transp0(self, y, v, dim=-1):
        return self.transp(self._base(y, dim), y, v, dim)

    def to_normal(self, x, dim=-1):
        return self.logmap0(x, dim)

    def from_normal(self, n, dim=-1):
        return self.expmap0(n, dim)
