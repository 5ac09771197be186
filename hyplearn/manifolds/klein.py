"""The Klein (Beltrami-Klein) model: the open ball of radius 1/sqrt(c), in which geodesics are straight chords.

The point at distance d from the origin in the unit direction u is tanh(sqrt(c) d)/sqrt(c) u: the space part of the
hyperboloid's point over its time part. Notation: g(x) = 1 - c|x|^2 (so 1/sqrt(g) is the Lorentz factor), D = y - x.
"""

import torch
from torch import Tensor

from hyplearn.manifolds.base import Manifold
from hyplearn.manifolds.poincare import PoincareBall
from hyplearn.numerics import asinh, asinhc, dot, double_inside, norm, safe_sqrt, tanhc


class Klein(Manifold):
    """Points x in R^n with c|x|^2 < 1 and <u, v>_x = <u, v>/g + c <x, u><x, v>/g^2 (Ratcliffe 2019, section 6.1).

    Straight lines and the Einstein midpoint are what this chart is for. It is the first to run out of digits, since
    g = 1/cosh(sqrt(c) d)^2 falls twice as fast as in the Poincare ball: it ends near sqrt(c) d = 8.7 in float32 and
    18.7 in float64. Arithmetic is in float64 for every dtype; a function of a point at distance d then has the
    relative error of its coordinates, eps cosh(sqrt(c) d)^2, and not more.
    """

    # The same open ball; only its metric is another.
    origin = PoincareBall.origin
    projx = PoincareBall.projx
    proju = PoincareBall.proju
    _rounded = PoincareBall._rounded
    _gap = PoincareBall._gap

    def check_point(self, x, dim=-1, name="x"):
        super().check_point(x, dim, name)
        if not bool((self._gap(x.double(), dim) > 0).all()):
            raise ValueError(f"{name} must lie inside the ball of radius 1/sqrt(c); use projx to bring it there")

    @double_inside
    def lorentz_factor(self, x: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """1/sqrt(1 - c|x|^2) = cosh(sqrt(c) d), the time part of the hyperboloid's point times sqrt(c)."""
        return self._squeeze(self._gap(x, dim).rsqrt(), dim, keepdim)

    # --- metric ---------------------------------------------------------------------------------------------------

    @double_inside
    def inner(self, x, u, v=None, dim=-1, keepdim=False):
        v = u if v is None else v
        g = self._gap(x, dim)
        product = dot(u, v, dim) / g + self.c * (dot(x, u, dim) / g) * (dot(x, v, dim) / g)
        return self._squeeze(product, dim, keepdim)

    @double_inside
    def norm(self, x, v, dim=-1, keepdim=False):
        return safe_sqrt(self.inner(x, v, dim=dim, keepdim=keepdim))

    @double_inside
    def egrad2rgrad(self, x, grad, dim=-1):
        return self._gap(x, dim) * (grad - self.c * dot(x, grad, dim) * x)

    # --- distances and geodesics ----------------------------------------------------------------------------------

    def _sinh_dist(self, x: Tensor, D: Tensor, gx: Tensor, gy: Tensor, dim: int) -> Tensor:
        """sinh(sqrt(c) d(x, x + D)) = sqrt(c) sqrt((|D|^2 g(x) + c <x, D>^2) / (g(x) g(y))); no cosh near 1 cancels."""
        return safe_sqrt(self.c * (dot(D, D, dim) / gy + self.c * dot(x, D, dim) ** 2 / (gx * gy)))

    @double_inside
    def dist(self, x, y, dim=-1, keepdim=False):
        z = self._sinh_dist(x, y - x, self._gap(x, dim), self._gap(y, dim), dim)
        return self._squeeze(asinh(z) / self.c.sqrt(), dim, keepdim)

    @double_inside
    def chord_dist(self, x: Tensor, y: Tensor, dim: int = -1, keepdim: bool = False) -> Tensor:
        """The distance by Cayley's cross-ratio, 1/(2 sqrt c) log( |y-a| |x-b| / (|x-a| |y-b|) ); NaN at x = y.

        a and b are the ends of the chord through x and y, in the order a, x, y, b: x + t D with the two roots t of
        c|x + t D|^2 = 1. For the lecture: in exact arithmetic it equals `dist`, which holds for near pairs too
        (Ratcliffe 2019, section 6.1).
        """
        D, c = y - x, self.c
        square, slope = dot(D, D, dim), dot(x, D, dim)
        root = (slope**2 + square * self._gap(x, dim) / c).sqrt()
        a, b = (-slope - root) / square, (-slope + root) / square
        return self._squeeze(((1 - a) * b / (-a * (b - 1))).log() / (2 * c.sqrt()), dim, keepdim)

    @double_inside
    def dist0(self, x, dim=-1, keepdim=False):
        s = self.c.sqrt()
        return self._squeeze(asinh(s * norm(x, dim) / self._gap(x, dim).sqrt()) / s, dim, keepdim)

    def expmap(self, x, v, dim=-1):
        """x + v tanh(r) / (r + tanh(r) c<x,v>/g(x)) with r = sqrt(c)|v|_x: along a chord only the speed changes."""
        dtype, x, v = torch.promote_types(x.dtype, v.dtype), x.double(), v.double()
        t = tanhc(self.c.sqrt() * self.norm(x, v, dim=dim, keepdim=True))
        y = x + v * t / (1 + t * self.c * dot(x, v, dim) / self._gap(x, dim))
        return self._rounded(y, dtype, dim)

    @double_inside
    def logmap(self, x, y, dim=-1):
        """D scaled to the length d(x, y), where |D|_x = sinh(sqrt(c) d)/sqrt(c) sqrt(g(y)/g(x))."""
        D, gx, gy = y - x, self._gap(x, dim), self._gap(y, dim)
        return D * asinhc(self._sinh_dist(x, D, gx, gy, dim)) * (gx / gy).sqrt()

    def expmap0(self, v, dim=-1):
        """tanh(sqrt(c)|v|) v / (sqrt(c)|v|)."""
        wide = v.double()
        return self._rounded(tanhc(self.c.sqrt() * norm(wide, dim)) * wide, v.dtype, dim)

    @double_inside
    def logmap0(self, y, dim=-1):
        g = self._gap(y, dim)
        return y * asinhc(self.c.sqrt() * norm(y, dim) / g.sqrt()) / g.sqrt()

    @double_inside
    def transp(self, x, y, v, dim=-1):
        """V + c <V, Y> (X + Y) / (1 + cosh(sqrt(c) d)) of the hyperboloid, seen in this chart."""
        D, gx, gy = y - x, self._gap(x, dim), self._gap(y, dim)
        cosh = (1 + self._sinh_dist(x, D, gx, gy, dim) ** 2).sqrt()
        ratio = (gx / gy).sqrt()
        along = dot(x, v, dim) / gx + ratio * self.inner(x, v, D, dim=dim, keepdim=True) / (1 + cosh)
        return (v - self.c * along * D) / ratio

    @double_inside
    def transp0(self, y, v, dim=-1):
        root = self._gap(y, dim).sqrt()
        return root * (v - self.c * dot(v, y, dim) / (1 + root) * y)

    # The differential of tanh is 1 at 0: tangent vectors at the origin are normal coordinates.

    def to_normal(self, x, dim=-1):
        return self.logmap0(x, dim)

    def from_normal(self, n, dim=-1):
        return self.expmap0(n, dim)
