"""What every chart is tested against: hyperbolic geometry on the hyperboloid, in mpmath, from the textbook formulas.

A chart enters the oracle only through its map to the hyperboloid and back. Differentials are taken numerically in the
same arithmetic (central differences with step 1e-40 at 120 digits), so no formula of the library is repeated here.
"""

import mpmath as mp
import torch

from hyplearn import HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall

CHARTS = [PoincareBall, Lorentz, Klein, HalfSpace, Hemisphere, NormalCoordinates]
CURVATURES = [0.1, 0.5, 1.0, 2.0, 10.0]
# the largest sqrt(c) d at which points of the chart are tested in float32 and float64 (NUMERICS: how far each reaches)
REACH = {PoincareBall: (14, 32), Lorentz: (15, 33), Klein: (7, 16), HalfSpace: (40, 40), Hemisphere: (15, 33)}
REACH[NormalCoordinates] = (15, 33)

mp.mp.dps = 120


def exact(x: torch.Tensor) -> list:
    return [mp.mpf(v) for v in x.tolist()]


def dot(x, y):
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


def scale(a, x):
    return [a * v for v in x]


def add(x, y):
    return [a + b for a, b in zip(x, y, strict=True)]


def length(x):
    return mp.sqrt(dot(x, x))


class Oracle:
    """Exact geometry of a chart of curvature -c; points and vectors are lists of mpf in the chart's coordinates.

    Inside, points are space parts s on the unit hyperboloid and tangent vectors are pairs (w_t, w).
    """

    def __init__(self, manifold, dtype: torch.dtype = torch.float64, n: int = 3):
        self.chart, self.root = type(manifold), mp.sqrt(mp.mpf(manifold.c.item()))
        # The origin is the one that the dtype holds: 1/sqrt(c), a coordinate in half the charts, is rounded there.
        self.origin = exact(manifold.origin(n + manifold.extra_coords, dtype=dtype))

    # --- the chart's map to the unit hyperboloid's space parts, and back -------------------------------------------

    def space(self, x):
        x = scale(self.root, x)
        if self.chart is PoincareBall:
            return scale(2 / (1 - dot(x, x)), x)
        if self.chart is Lorentz:
            return x[1:]
        if self.chart is Klein:
            return scale(1 / mp.sqrt(1 - dot(x, x)), x)
        if self.chart in (HalfSpace, Hemisphere):  # the hemisphere is a surface in the half-space one dimension up
            height, square = x[-1], dot(x, x)
            return [*scale(1 / height, x[:-1]), (square - 1) / (2 * height)]
        d = length(x)
        return scale(mp.sinh(d) / d, x) if d else x

    def point(self, s):
        t = mp.sqrt(1 + dot(s, s))
        if self.chart is PoincareBall:
            x = scale(1 / (1 + t), s)
        elif self.chart is Lorentz:
            x = [t, *s]
        elif self.chart is Klein:
            x = scale(1 / t, s)
        elif self.chart in (HalfSpace, Hemisphere):
            # 1 / (t - s_n), with the difference in a form that holds at any precision
            height = (t + s[-1]) / (1 + dot(s[:-1], s[:-1]))
            x = [*scale(height, s[:-1]), height]
        else:
            d = length(s)
            x = scale(mp.asinh(d) / d, s) if d else s
        return scale(1 / self.root, x)

    # --- differentials ----------------------------------------------------------------------------------------------

    @staticmethod
    def _derivative(f, x, v):
        size = length(v)
        if not size:
            return [0 * a for a in f(x)]
        h = mp.mpf(10) ** -40 / size
        return scale(1 / (2 * h), add(f(add(x, scale(h, v))), scale(-1, f(add(x, scale(-h, v))))))

    def push(self, x, v):
        """The vector v at the point x of the chart, in Minkowski space (time first)."""
        s, w = self.space(x), self._derivative(self.space, x, v)
        return [dot(s, w) / mp.sqrt(1 + dot(s, s)), *w]

    def pull(self, s, w):
        return self._derivative(self.point, s, w[1:])

    # --- the hyperboloid --------------------------------------------------------------------------------------------

    @staticmethod
    def lift(s):
        return [mp.sqrt(1 + dot(s, s)), *s]

    @staticmethod
    def minkowski(u, v):
        return dot(u[1:], v[1:]) - u[0] * v[0]

    def dist(self, x, y):
        z = -self.minkowski(self.lift(self.space(x)), self.lift(self.space(y)))
        return mp.acosh(max(z, mp.mpf(1))) / self.root

    def dist0(self, x):
        return self.dist(self.origin, x)

    def inner(self, x, u, v):
        return self.minkowski(self.push(x, u), self.push(x, v)) / self.root**2

    def norm(self, x, v):
        return mp.sqrt(self.inner(x, v, v))

    def expmap(self, x, v):
        X, V = self.lift(self.space(x)), self.push(x, v)
        r = mp.sqrt(max(self.minkowski(V, V), mp.mpf(0)))
        Y = add(scale(mp.cosh(r), X), scale(mp.sinh(r) / r, V)) if r else X
        return self.point(Y[1:])

    def _log(self, X, Y):
        cosh = -self.minkowski(X, Y)
        r = mp.acosh(max(cosh, mp.mpf(1)))
        W = add(Y, scale(-cosh, X))
        return scale(r / mp.sinh(r), W) if r else W

    def logmap(self, x, y):
        X, Y = self.lift(self.space(x)), self.lift(self.space(y))
        return self.pull(X[1:], self._log(X, Y))

    def transp(self, x, y, v):
        X, Y, V = self.lift(self.space(x)), self.lift(self.space(y)), self.push(x, v)
        W = add(V, scale(self.minkowski(Y, V) / (1 - self.minkowski(X, Y)), add(X, Y)))
        return self.pull(Y[1:], W)

    def expmap0(self, v):
        return self.expmap(self.origin, v)

    def logmap0(self, y):
        return self.logmap(self.origin, y)

    def transp0(self, y, v):
        return self.transp(self.origin, y, v)

    # Normal coordinates are the logarithm at the origin, except for the ball, where that is half as long.

    def to_normal(self, x):
        v = self.logmap0(x)
        if self.chart is Lorentz:
            return v[1:]
        return v[:-1] if self.chart is Hemisphere else scale(2 if self.chart is PoincareBall else 1, v)

    def from_normal(self, n):
        if self.chart is Lorentz:
            return self.expmap0([mp.mpf(0), *n])
        v = [*n, mp.mpf(0)] if self.chart is Hemisphere else n
        return self.expmap0(scale(mp.mpf(1) / 2 if self.chart is PoincareBall else 1, v))


# --- cases ----------------------------------------------------------------------------------------------------------


def unit_vectors(*size: int, generator: torch.Generator) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*size, dtype=torch.float64, generator=generator), dim=-1)


RADII = [0.0, 1e-4, 0.3, 1.0, 2.0, 4.0, 6.0, 10.0, 15.0, 30.0]


def pairs(manifold, dtype: torch.dtype, radii: list[float] = RADII, n: int = 3, seed: int = 0):
    """Points x and y of the chart in `dtype`; x at the given sqrt(c) d, as far as the chart reaches, and for each of
    them a y far away, 1/2 inwards on the same ray, about 1 across, and 1e-6 away.
    """
    g = torch.Generator().manual_seed(seed)
    reach = REACH[type(manifold)][dtype == torch.float64]
    r = torch.tensor([min(radius, reach) for radius in radii], dtype=torch.float64)[:, None]
    u, v = unit_vectors(len(r), n, generator=g), unit_vectors(len(r), n, generator=g)
    across = torch.nn.functional.normalize(v - u * (u * v).sum(-1, keepdim=True), dim=-1)
    step = torch.where(r > 0, r / torch.sinh(r).clamp_min(1e-300), 1.0)  # across, in normal coordinates, per length
    others = [r.flip(0) * v, (r - 0.5).abs() * u, r * u + 0.9 * step * across, r * u + 1e-6 * step * (across + u)]
    s = manifold.c.sqrt()
    x = manifold.projx(manifold.from_normal(r * u / s).to(dtype)).repeat(len(others), 1)
    y = manifold.projx(manifold.from_normal(torch.cat(others) / s).to(dtype))
    return x, y


def tangents(manifold, x: torch.Tensor, size: float = 0.8, seed: int = 1) -> torch.Tensor:
    """Tangent vectors at x with lengths about `size`/sqrt(c), in the chart's coordinates and x's dtype."""
    g = torch.Generator().manual_seed(seed)
    n = x.shape[-1] - manifold.extra_coords
    v0 = size * unit_vectors(len(x), n, generator=g) / manifold.c.sqrt()
    return manifold.transp0(x, at_origin(manifold, v0.to(x.dtype)))


def at_origin(manifold, v: torch.Tensor) -> torch.Tensor:
    """The tangent vector at the origin of `manifold` with normal coordinates v (..., n)."""
    zero = torch.zeros_like(v[..., :1])
    if isinstance(manifold, PoincareBall):
        return v / 2
    if isinstance(manifold, Lorentz):
        return torch.cat((zero, v), -1)
    return torch.cat((v, zero), -1) if manifold.extra_coords else v


# --- the measure of accuracy ----------------------------------------------------------------------------------------


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def excess(function, oracle, arguments: tuple[torch.Tensor, ...], enough: float) -> float:
    """The largest error of function(*arguments), in units of (rounding of the result + effect of the arguments' own).

    The unit is eps |result|, with the eps of the dtype, plus the change of the exact result when the coordinates of
    one argument change by one eps of float64 (up, down, ...). The second part is what no float64 algorithm avoids
    where the problem is ill-conditioned in the chart's coordinates; it is only computed where the first is not enough.
    """
    out, eps64, worst = function(*arguments), mp.mpf(2) ** -52, 0.0
    eps, tiny = torch.finfo(out.dtype).eps, torch.finfo(out.dtype).smallest_normal
    for i in range(len(out)):
        inputs = [exact(a[i]) for a in arguments]
        true = as_list(oracle(*inputs))
        error = length(add(exact(out[i].reshape(-1)), scale(-1, true)))
        unit = eps * (length(true) + tiny)
        if error > enough * unit:
            for k, given in enumerate(inputs):
                for signs in ((1, -1, 1, -1), (1, 1, -1, -1)):
                    moved = [v * (1 + sign * eps64) for v, sign in zip(given, signs, strict=False)]
                    change = add(as_list(oracle(*inputs[:k], moved, *inputs[k + 1 :])), scale(-1, true))
                    unit = max(unit, eps * (length(true) + tiny) + length(change))
        if error:
            worst = max(worst, float(error / unit) if unit else float("inf"))
        assert error == error, "NaN"
    return worst
