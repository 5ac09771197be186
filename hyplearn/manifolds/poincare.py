"""The Poincare ball: the open ball of radius 1/sqrt(c) with the conformal metric (2 / (1 - c|x|^2))^2 I.

Notation: g(x) = 1 - c|x|^2, and D for a difference of two points. The textbook formulas of this chart subtract nearly
equal numbers as soon as a point comes close to the boundary. All of them can be rewritten in g(x), g(y) and D, with

    1 + 2c<x,y> + c^2|x|^2|y|^2 = c|x + y|^2 + g(x) g(y)    and    1 + 2c<x,y> + c|y|^2 = c|x + y|^2 + g(x),

and then only g itself has to be computed with care (`numerics.one_minus_csq`).
"""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold
from hyplearn.numerics import asinh, asinhc, clip_norm, dot, norm, one_minus_csq, safe_sqrt, sinhc, tanhc, widen


def gyrate(u: Tensor, v: Tensor, D: Tensor, gu: Tensor, gv: Tensor, w: Tensor, c: Tensor, dim: int) -> Tensor:
    """gyr[u, v] w for points of the ball with gaps gu, gv and D = u + v.

    w + 2c ( <g(v) D + c|D|^2 v, w> u - <D - g(u) v, w> D ) / (c|D|^2 + g(u) g(v)): no term exceeds |w|, and near
    the boundary none cancels. (Ungar's closed form, 2008, eq. 3.20, has three that do.)
    """
    cDD = c * dot(D, D, dim)
    along_u, along_D = dot(gv * D + cDD * v, w, dim), dot(D - gu * v, w, dim)
    return w + 2 * c * (along_u * u - along_D * D) / (cDD + gu * gv)


def norm_limit(dtype: torch.dtype) -> float:
    """The largest sqrt(c)|x| that stays below 1 whatever the rounding to `dtype`."""
    # Rounding changes a norm by eps/2 at most; where nothing is rounded the scaling itself costs up to 3 eps.
    return 1 - torch.finfo(dtype).eps * (4 if dtype == torch.float64 else 1)


class PoincareBall(Manifold):
    """Points x in R^n with c|x|^2 < 1 (Ungar 2008; Ganea et al. 2018, arXiv:1805.09112, section 2).

    Every method computes in float64 and rounds once to the dtype of its arguments. The ball itself ends near
    sqrt(c) d = 16.6 in float32 and 35.3 in float64: a point that would come closer to the boundary than 1 eps (4 eps
    in float64) is put there, strictly inside.
    """

    def _gap(self, x: Tensor, dim: int) -> Tensor:
        """g(x) in float64; `dim` is kept."""
        if x.dtype == torch.float64:
            return one_minus_csq(x, self.c, dim)
        # In float32 the plain form will do: g >= 6e-8 there, of which float64's 1e-16 is 2e-9. It is 5 times faster.
        return 1 - self.c * dot(x.double(), x.double(), dim)

    def _rounded(self, x: Tensor, dtype: torch.dtype, dim: int) -> Tensor:
        """The float64 point x in `dtype`, pulled strictly inside the ball if it is closer to the boundary than eps."""
        limit = norm_limit(dtype) / self.c.sqrt()
        return clip_norm(x, limit, limit, dim).to(dtype)

    # --- points and tangent vectors -------------------------------------------------------------------------------

    def origin(self, *size, dtype=None, device=None):
        return torch.zeros(*size, dtype=dtype, device=device)

    def projx(self, x, dim=-1):
        return torch.where(self._gap(x, dim) > 0, x, self._rounded(x.double(), x.dtype, dim))

    def proju(self, x, v, dim=-1):
        return v

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        if not bool((self._gap(x, dim) > 0).all()):
            raise ValueError(f"{name} must lie inside the ball of radius 1/sqrt(c); use projx to bring it there")

    # --- metric ---------------------------------------------------------------------------------------------------

    def lambda_x(self, x: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """The conformal factor 2 / (1 - c|x|^2), by which the metric stretches lengths at x."""
        return self._squeeze(2 / self._gap(x, dim), dim, keepdim).to(x.dtype)

    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        factor = (2 / self._gap(x, dim)) ** 2
        dtype, _, u, v = widen(x, u, u if v is None else v)
        return self._squeeze(factor * dot(u, v, dim), dim, keepdim).to(dtype)

    def norm(self, x, v, dim=-1, keepdim=False):
        factor = 2 / self._gap(x, dim)
        dtype, _, v = widen(x, v)
        return self._squeeze(factor * norm(v, dim), dim, keepdim).to(dtype)

    def egrad2rgrad(self, x, grad, dim=-1):
        dtype = torch.promote_types(x.dtype, grad.dtype)
        return ((self._gap(x, dim) / 2) ** 2 * grad).to(dtype)

    # --- distances and geodesics ----------------------------------------------------------------------------------

    def dist(self, x, y, dim=-1, keepdim=False):
        """2 asinh( sqrt(c) |x - y| / sqrt(g(x) g(y)) ) / sqrt(c): no digit is lost for near pairs, as with acosh."""
        s, gaps = self.c.sqrt(), self._gap(x, dim) * self._gap(y, dim)
        dtype, x, y = widen(x, y)
        return self._squeeze(2 / s * asinh(s * norm(x - y, dim) / gaps.sqrt()), dim, keepdim).to(dtype)

    def dist0(self, x, dim=-1, keepdim=False):
        s, root = self.c.sqrt(), self._gap(x, dim).sqrt()
        return self._squeeze(2 / s * asinh(s * norm(x.double(), dim) / root), dim, keepdim).to(x.dtype)

    def _ball_factors(self, x):
        return x, (self.c.sqrt() / self._gap(x, -1)).sqrt()  # x itself: scaled to the unit ball it would be rounded

    def _exp(self, x: Tensor, v: Tensor, gx: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """exp_x(v) = x (+) tanh(sqrt(c)|v|_x / 2) v / (sqrt(c)|v|) and its gap, in float64, not yet rounded."""
        half = self.c.sqrt() * norm(v, dim) / gx  # sqrt(c)/2 times the length of v
        w = tanhc(half) * v / gx
        gw = torch.cosh(half.clamp_max(350.0)) ** -2  # from the length: w is rounded, 1 - c|w|^2 would be noise
        return self._add(x, w, gx, gw, dim)

    def expmap(self, x, v, dim=-1):
        gx = self._gap(x, dim)
        dtype, x, v = widen(x, v)
        return self._rounded(self._exp(x, v, gx, dim)[0], dtype, dim)

    def geodesic_flow(self, x, v, t, dim=-1):
        gx = self._gap(x, dim)
        dtype, x, v, t = widen(x, v, torch.as_tensor(t, dtype=x.dtype, device=x.device))
        # Point and velocity both lie in the plane of x and v, so the vectors are read a few times only, and all else is
        # one number per point. With exp_x(t v) = x (+) w, w = k v, D = x + w and g(y) = g(x) g(w) / h:
        c, vv = self.c, dot(v, v, dim)
        half = c.sqrt() * safe_sqrt(vv) * t.abs() / gx
        k = tanhc(half) * t / gx
        D = torch.addcmul(x, k, v)
        cDD, gw = c * dot(D, D, dim), torch.cosh(half.clamp_max(350.0)) ** -2
        h = cDD + gx * gw
        a, b = (cDD + gx) / h, gx * k / h  # y = a x + b v
        q = 2 * c * k / h
        along_x, along_v = q * vv * (cDD + gx - c * k * dot(D, v, dim)), 1 - q * (dot(D, v, dim) - gx * k * vv)
        # The dtype's last point before the boundary, as in `_rounded`; the velocity keeps its length there.
        limit = norm_limit(dtype)
        gy = gx * gw / h
        inside = gy > 1 - limit**2
        pull = torch.where(inside, 1.0, limit / (1 - gy).sqrt())
        shrink = gy.clamp_min(1 - limit**2) / gx
        y = (a * pull) * x + (b * pull) * v
        return y.to(dtype), ((along_x * shrink) * x + (along_v * shrink) * v).to(dtype)

    def logmap(self, x, y, dim=-1):
        """(z / sinh z) (g(x) D - c|D|^2 x) / g(y) with D = y - x and z = sqrt(c) dist(x, y)."""
        gx, gy = self._gap(x, dim), self._gap(y, dim)
        dtype, x, y = widen(x, y)
        D = y - x
        z = 2 * asinh(self.c.sqrt() * norm(D, dim) / (gx * gy).sqrt())
        return ((gx * D - self.c * dot(D, D, dim) * x) / (gy * sinhc(z))).to(dtype)

    def expmap0(self, v, dim=-1):
        """tanh(sqrt(c)|v|) v / (sqrt(c)|v|)."""
        wide = v.double()
        return self._rounded(tanhc(self.c.sqrt() * norm(wide, dim)) * wide, v.dtype, dim)

    def logmap0(self, y, dim=-1):
        """atanh(sqrt(c)|y|) y / (sqrt(c)|y|), with atanh(r) = asinh(r / sqrt(1 - r^2))."""
        root = self._gap(y, dim).sqrt()
        return (asinhc(self.c.sqrt() * norm(y.double(), dim) / root) / root * y).to(y.dtype)

    def transp(self, x, y, v, dim=-1):
        """gyr[y, -x] v g(y) / g(x) (Ungar 2008, eq. 5.53)."""
        gx, gy = self._gap(x, dim), self._gap(y, dim)
        dtype, x, y, v = widen(x, y, v)
        return (gyrate(y, -x, y - x, gy, gx, v, self.c, dim) * (gy / gx)).to(dtype)

    def transp0(self, y, v, dim=-1):
        dtype = torch.promote_types(y.dtype, v.dtype)
        return (self._gap(y, dim) * v).to(dtype)

    def retr(self, x, v, dim=-1):
        return self.projx(x + v, dim)

    # --- gyrovector operations ------------------------------------------------------------------------------------

    def _add(self, x: Tensor, y: Tensor, gx: Tensor, gy: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """x (+) y and its gap, in float64, not yet rounded."""
        D = x + y
        cDD, gaps = self.c * dot(D, D, dim), gx * gy
        scale = 1 / (cDD + gaps)
        return (cDD * scale) * x + (gx * scale) * D, gaps * scale

    def mobius_add(self, x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
        """x (+) y = (c|D|^2 x + g(x) D) / (c|D|^2 + g(x) g(y)) with D = x + y; the same as Ungar's

        ((1 + 2c<x,y> + c|y|^2) x + (1 - c|x|^2) y) / (1 + 2c<x,y> + c^2|x|^2|y|^2), without its cancellation.
        """
        gx, gy = self._gap(x, dim), self._gap(y, dim)
        dtype, x, y = widen(x, y)
        return self._rounded(self._add(x, y, gx, gy, dim)[0], dtype, dim)

    def mobius_scalar_mul(self, r: float | Tensor, x: Tensor, dim: int = -1) -> Tensor:
        """r (*) x = tanh(r atanh(sqrt(c)|x|)) x / (sqrt(c)|x|): the point at r times the distance from the origin.

        A tensor r broadcasts against x, coordinates included: give it the shape (..., 1).
        """
        r = torch.as_tensor(r, dtype=torch.float64, device=x.device)
        return self.expmap0(r * self.logmap0(x.double(), dim), dim).to(x.dtype)

    def mobius_matvec(self, m: Tensor, x: Tensor, dim: int = -1) -> Tensor:
        """M (*) x = exp0(M log0(x)) for a matrix m of shape (k, n) (Ganea et al. 2018, eq. 27)."""
        dtype = torch.promote_types(m.dtype, x.dtype)
        v = self.logmap0(x.double(), dim).movedim(dim, -1) @ m.double().mT
        return self._rounded(self.expmap0(v).movedim(-1, dim), dtype, dim)

    def gyration(self, u: Tensor, v: Tensor, w: Tensor, dim: int = -1) -> Tensor:
        """gyr[u, v] w = -(u + v) + (u + (v + w)), all sums Mobius: a rotation of w in the plane of u and v."""
        gu, gv = self._gap(u, dim), self._gap(v, dim)
        dtype, u, v, w = widen(u, v, w)
        return gyrate(u, v, u + v, gu, gv, w, self.c, dim).to(dtype)

    # --- the hub --------------------------------------------------------------------------------------------------

    def to_normal(self, x, dim=-1):
        return 2 * self.logmap0(x, dim)

    def from_normal(self, n, dim=-1):
        return self.expmap0(n / 2, dim)
