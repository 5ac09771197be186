"""The hyperboloid (Lorentz model): the upper sheet of -t^2 + |s|^2 = -1/c in Minkowski space, time coordinate first.

Only the space part s of a point is trusted; its time is always derived, t = sqrt(1/c + |s|^2). The constraint itself
and the Minkowski product are dead beyond sqrt(c) d = 9 in float32 and 19 in float64, where t^2 and |s|^2 agree in all
digits, so no method here uses them. A tangent vector w at x likewise is given by its space part.

The functions before the class work on space parts of the unit hyperboloid (c = 1) and are shared with the normal
coordinates. They use two facts. The ball point of s is x = s / (1 + t), with gap g = 1 - |x|^2 = 2 / (1 + t), free of
cancellation. And the map frame(w) = w - s <s, w> / (t (1 + t)) takes a tangent vector to the one at the origin whose
parallel transport it is, so lengths and angles of tangent vectors are the Euclidean ones of their frames.
"""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold
from hyplearn.manifolds.poincare import gyrate
from hyplearn.numerics import asinh, asinhc, clip_norm, dot, double_inside, norm, safe_sqrt, sinhc


def time_of(s: Tensor, dim: int) -> Tensor:
    """t = sqrt(1 + |s|^2) = cosh d."""
    return (1 + dot(s, s, dim)).sqrt()


def along_and_across(s: Tensor, size: Tensor, w: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The unit vector u of s, the part <u, w> of w along it, and the vector across it. For |s| = size > 1 only.

    Along an axis all three are exact, so radial motion keeps its digits at any radius.
    """
    unit = s / torch.where(size > 1, size, 1.0)
    along = dot(unit, w, dim)
    across = w - unit * along
    return unit, along, across - unit * dot(unit, across, dim)  # again, for what rounding left of the first time


def to_frame(s: Tensor, w: Tensor, dim: int) -> Tensor:
    """The tangent vector at the origin whose parallel transport to s has space part w."""
    t, size = time_of(s, dim), norm(s, dim)
    smooth = w - s * (dot(s, w, dim) / (t * (1 + t)))  # has derivatives at s = 0, and cancels far from it
    unit, along, across = along_and_across(s, size, w, dim)
    return torch.where(size > 1, unit * (along / t) + across, smooth)


def from_frame(s: Tensor, f: Tensor, dim: int) -> Tensor:
    """The space part of the parallel transport of f from the origin to s: f + s <s, f> / (1 + t)."""
    return f + s * (dot(s, f, dim) / (1 + time_of(s, dim)))


def base_and_height(u: Tensor, v: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """|L|^2 and |P|^2 with |L|^2 |P|^2 = |u|^2 |v|^2 - <u, v>^2, the squared area of a parallelogram (acute angles).

    L is the longer side and P the part across L of the shorter one, or of v - u where that is shorter still: nothing
    cancels. Not multiplied here, since the area overflows where its use does not.
    """
    uu, vv, D = dot(u, u, dim), dot(v, v, dim), v - u
    first = uu > vv
    L, S, LL = torch.where(first, u, v), torch.where(first, v, u), torch.maximum(uu, vv)
    S = torch.where(dot(D, D, dim) < torch.minimum(uu, vv), D, S)
    unit = L / torch.where(LL > 0, LL, 1.0).sqrt()  # along an axis it is exact, and then so is P at any radius
    P = S - unit * dot(S, unit, dim)
    return LL, dot(P, P, dim)


def squared_chord(s1: Tensor, s2: Tensor, dim: int) -> Tensor:
    """q = |s1 - s2|^2 - (t1 - t2)^2 = 4 sinh^2(dist / 2), as sums of positive terms only:

    q = 2 (|s1 - s2|^2 + |s1|^2 |s2|^2 - <s1, s2>^2) / (1 + t1 t2 + <s1, s2>)   where <s1, s2> > 0, else
    q = 2 ((t1 - 1) t2 + (t2 - 1) - <s1, s2>).
    """
    D, p, t1, t2 = s2 - s1, dot(s1, s2, dim), time_of(s1, dim), time_of(s2, dim)
    LL, PP = base_and_height(s1, s2, dim)
    T = 1 + t1 * t2 + p.clamp_min(0)
    near = 2 * (dot(D, D, dim) / T + LL / T * PP)
    far = 2 * (dot(s1, s1, dim) / (1 + t1) * t2 + dot(s2, s2, dim) / (1 + t2) - p)
    return torch.where(p > 0, near, far)


def ball_difference(s1: Tensor, s2: Tensor, D: Tensor, q: Tensor, dim: int) -> Tensor:
    """x2 - x1 for the ball points x = s / (1 + t), given D = s2 - s1 and q; not by subtraction where they are near."""
    t1, t2 = time_of(s1, dim), time_of(s2, dim)
    x1 = s1 / (1 + t1)
    near = (D - x1 * (dot(D, s1 + s2, dim) / (t1 + t2))) / (1 + t2)
    return torch.where(q < 1, near, s2 / (1 + t2) - x1)


def translate(s: Tensor, y: Tensor, D: Tensor, gy: Tensor, dim: int) -> Tensor:
    """The space part of x (+) y: Mobius addition in the ball, x that of s, y with gap gy, D = x + y."""
    gx = 2 / (1 + time_of(s, dim))
    return 2 * (dot(D, D, dim) * s * (gx / 2) + gx * D) / (gx * gy)


def exp_frame(s: Tensor, f: Tensor, dim: int) -> Tensor:
    """The space part of the point reached from s with the velocity of frame f: cosh(l) s + sinh(l)/l w, l = |f|."""
    length = norm(f, dim)
    f, length = f * (340 / length.clamp_min(340)), length.clamp_max(340)  # cosh overflows: go no farther than this
    t, size, growth = time_of(s, dim), norm(s, dim), sinhc(length)
    straight = torch.cosh(length) * s + growth * from_frame(s, f, dim)
    # Inwards that cancels. There, from the triangle with the origin: with b the part of f across s, the result's part
    # along s is sinh(d - l) + t sinh(l) (1 + cos(angle)), where 1 + cos(angle) = |b|^2 / (l (l - <u, f>)).
    unit, rise, b = along_and_across(s, size, f, dim)
    inward = (rise < 0) & (size > 1)
    along = torch.sinh(asinh(size) - length) + t * growth * dot(b, b, dim) / torch.where(inward, length - rise, 1.0)
    return torch.where(inward, along * unit + growth * b, straight)


def transport_frame(s1: Tensor, s2: Tensor, D: Tensor, q: Tensor, f: Tensor, dim: int) -> Tensor:
    """Parallel transport from s1 to s2, of frames: the gyration gyr[x2, -x1] of their ball points."""
    g1, g2 = 2 / (1 + time_of(s1, dim)), 2 / (1 + time_of(s2, dim))
    return gyrate(s2 * (g2 / 2), -s1 * (g1 / 2), ball_difference(s1, s2, D, q, dim), g2, g1, f, torch.ones_like(q), dim)


class Lorentz(Manifold):
    """Points (t, s) in R^(n+1) with -t^2 + |s|^2 = -1/c, t > 0 (Nickel and Kiela 2018, arXiv:1806.03417).

    Tensors have n + 1 coordinates along `dim`; the time of an argument is ignored, the time of a result is derived.
    Every method computes in float64 and rounds once. The sheet ends where the squares of the coordinates overflow in
    float64, or the coordinates in their dtype: sqrt(c) d = 10, 87, 87, 345 in float16, bfloat16, float32, float64.
    """

    extra_coords = 1

    def _unit(self, x: Tensor, dim: int) -> Tensor:
        """The space part of x, scaled to the unit hyperboloid, in float64."""
        return self.c.sqrt() * x.double().narrow(dim, 1, x.shape[dim] - 1)

    def _point(self, space: Tensor, dtype: torch.dtype, dim: int) -> Tensor:
        """The point with this space part in `dtype`; its time is that of the rounded space part."""
        root, info = self.c.sqrt(), torch.finfo(dtype)
        limit = (1e150 / root).clamp_max(info.max / 4)
        space = clip_norm(space, limit, limit * (1 - 4 * info.eps), dim).to(dtype)  # a margin for the rounding
        return torch.cat(((time_of(root * space.double(), dim) / root).to(dtype), space), dim)

    def _tangent(self, s: Tensor, w: Tensor, dtype: torch.dtype, dim: int) -> Tensor:
        """The tangent vector with space part w at s: its time part is <s, w> / t."""
        return torch.cat((dot(s, w, dim) / time_of(s, dim), w), dim).to(dtype)

    # --- points and tangent vectors -------------------------------------------------------------------------------

    def origin(self, *size, dtype=None, device=None):
        x = torch.zeros(*size, dtype=dtype, device=device)
        return torch.cat((x[..., :1] + self.c.rsqrt().to(x), x[..., 1:]), -1)

    def projx(self, x, dim=-1):
        return self._point(x.double().narrow(dim, 1, x.shape[dim] - 1), x.dtype, dim)

    def proju(self, x, v, dim=-1):
        """v + c <x, v> x. It magnifies what v deviates from tangency, rounding included, by cosh^2(sqrt(c) d)."""
        dtype, v = torch.promote_types(x.dtype, v.dtype), v.double()
        s, v0, w = self._unit(x, dim), v.narrow(dim, 0, 1), v.narrow(dim, 1, v.shape[dim] - 1)
        t = time_of(s, dim)
        return self._tangent(s, w + s * (dot(s, w, dim) - t * v0), dtype, dim)

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        expected, eps = self.projx(x, dim).narrow(dim, 0, 1), torch.finfo(x.dtype).eps
        if not bool(((x.narrow(dim, 0, 1) - expected).abs() <= 16 * eps * expected).all()):
            raise ValueError(f"{name} must have the time coordinate sqrt(1/c + |s|^2) first; projx computes it from s")

    # --- metric ---------------------------------------------------------------------------------------------------

    @double_inside
    def minkowski(self, x: Tensor, y: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """The Minkowski product -x_0 y_0 + x_1 y_1 + ... of any two vectors of R^(n+1), as it is written."""
        products = x * y
        out = products.sum(dim, keepdim=True) - 2 * products.narrow(dim, 0, 1)
        return self._squeeze(out, dim, keepdim)

    def _frame(self, x: Tensor, v: Tensor, dim: int) -> Tensor:
        return to_frame(self._unit(x, dim), v.double().narrow(dim, 1, v.shape[dim] - 1), dim)

    @double_inside
    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        f = self._frame(x, u, dim)
        return self._squeeze(dot(f, f if v is None else self._frame(x, v, dim), dim), dim, keepdim)

    @double_inside
    def norm(self, x, v, dim=-1, keepdim=False):
        return self._squeeze(norm(self._frame(x, v, dim), dim), dim, keepdim)

    def egrad2rgrad(self, x, grad, dim=-1):
        """The tangent part of (-grad_0, grad_1, ...), which is the gradient of Minkowski space."""
        dtype, grad = torch.promote_types(x.dtype, grad.dtype), grad.double()
        s, g0, g = self._unit(x, dim), grad.narrow(dim, 0, 1), grad.narrow(dim, 1, grad.shape[dim] - 1)
        return self._tangent(s, g + s * (dot(s, g, dim) + time_of(s, dim) * g0), dtype, dim)

    # --- distances and geodesics ----------------------------------------------------------------------------------

    @double_inside
    def dist(self, x, y, dim=-1, keepdim=False):
        """2 asinh( sqrt(q) / 2 ) / sqrt(c) with the squared chord q, never acosh of the Minkowski product.

        From float64 points right to 8 eps, or to what one rounding of their coordinates changes where that is more.
        """
        q = squared_chord(self._unit(x, dim), self._unit(y, dim), dim)
        return self._squeeze(2 * asinh(safe_sqrt(q) / 2) / self.c.sqrt(), dim, keepdim)

    @double_inside
    def dist0(self, x, dim=-1, keepdim=False):
        return self._squeeze(asinh(norm(self._unit(x, dim), dim)) / self.c.sqrt(), dim, keepdim)

    def expmap(self, x, v, dim=-1):
        s, f = self._unit(x, dim), self.c.sqrt() * self._frame(x, v, dim)
        return self._point(exp_frame(s, f, dim) / self.c.sqrt(), torch.promote_types(x.dtype, v.dtype), dim)

    def logmap(self, x, y, dim=-1):
        """(l / sinh l) (y - cosh(l) x) with l = sqrt(c) dist(x, y) and cosh(l) = 1 + q/2."""
        s1, s2 = self._unit(x, dim), self._unit(y, dim)
        q = squared_chord(s1, s2, dim)
        w = ((s2 - s1) - q / 2 * s1) / sinhc(2 * asinh(safe_sqrt(q) / 2))
        return self._tangent(s1, w / self.c.sqrt(), torch.promote_types(x.dtype, y.dtype), dim)

    def expmap0(self, v, dim=-1):
        return self.from_normal(v.narrow(dim, 1, v.shape[dim] - 1), dim)

    def logmap0(self, y, dim=-1):
        n = self.to_normal(y, dim)
        return torch.cat((torch.zeros_like(n.narrow(dim, 0, 1)), n), dim)

    def transp(self, x, y, v, dim=-1):
        s1, s2 = self._unit(x, dim), self._unit(y, dim)
        f = transport_frame(s1, s2, s2 - s1, squared_chord(s1, s2, dim), self._frame(x, v, dim), dim)
        return self._tangent(s2, from_frame(s2, f, dim), torch.promote_types(x.dtype, v.dtype), dim)

    def transp0(self, y, v, dim=-1):
        s = self._unit(y, dim)
        w = from_frame(s, v.double().narrow(dim, 1, v.shape[dim] - 1), dim)
        return self._tangent(s, w, torch.promote_types(y.dtype, v.dtype), dim)

    def retr(self, x, v, dim=-1):
        return self.projx(x + v, dim)

    def boost(self, p: Tensor, x: Tensor, dim: int = -1) -> Tensor:
        """The image of x under the boost that takes the origin to p: s + s_p (<s_p, s> / (1 + t_p) + t), for c = 1."""
        s1, s2 = self._unit(p, dim), self._unit(x, dim)
        D = ball_difference(-s1, s2, s1 + s2, squared_chord(-s1, s2, dim), dim)
        g2 = 2 / (1 + time_of(s2, dim))
        space = translate(s1, s2 * (g2 / 2), D, g2, dim) / self.c.sqrt()
        return self._point(space, torch.promote_types(p.dtype, x.dtype), dim)

    # --- the hub --------------------------------------------------------------------------------------------------

    def to_normal(self, x, dim=-1):
        s = self._unit(x, dim)
        return (asinhc(norm(s, dim)) * s / self.c.sqrt()).to(x.dtype)

    def from_normal(self, n, dim=-1):
        n, dtype = n.double(), n.dtype
        return self._point(sinhc((self.c.sqrt() * norm(n, dim)).clamp_max(345.0)) * n, dtype, dim)
