"""The group of isometries as Lorentz matrices, and the ideal points on which it acts as well.

An isometry of n-dimensional hyperbolic space is a matrix of shape (n + 1, n + 1), time first, that keeps the Minkowski
product and the upper sheet; it acts on the unit hyperboloid, so the same matrix serves every curvature and, through
`apply`, every chart. Products of matrices are compositions. Its entries grow like exp(sqrt(c) d) with the
distance d by which it moves the origin, so applied to a point at distance r the result has the error
eps exp(sqrt(c) (d + r)); use a chart's own methods for points far out.

An ideal point is given by the direction u, a unit vector of R^n, in which it is seen from the origin. It is u/sqrt(c)
on the boundary of the ball.
"""

import torch
from torch import Tensor

from hyplearn.manifolds import Manifold, PoincareBall
from hyplearn.manifolds.lorentz import time_of
from hyplearn.maps import convert, convert_tangent, from_hub, light_cone, to_hub
from hyplearn.numerics import dot, norm, one_minus_csq

# --- matrices --------------------------------------------------------------------------------------------------------


def _vector(x: Tensor, manifold: Manifold) -> Tensor:
    """The point (t, s) of the unit hyperboloid, float64."""
    s = to_hub(x.double(), manifold)
    return torch.cat([time_of(s, -1), s], -1)


def _lowered(x: Tensor) -> Tensor:
    """(-t, s): the Minkowski product with x is the Euclidean one with this."""
    return torch.cat([-x[..., :1], x[..., 1:]], -1)


def _outer(x: Tensor, y: Tensor) -> Tensor:
    return x.unsqueeze(-1) * y.unsqueeze(-2)


def _identity(x: Tensor) -> Tensor:
    return torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)


def apply(matrix: Tensor, x: Tensor, manifold: Manifold) -> Tensor:
    """The points x (..., coordinates) of a chart moved by the isometry `matrix` (..., n + 1, n + 1)."""
    moved = (matrix.double() @ _vector(x, manifold).unsqueeze(-1)).squeeze(-1)
    return manifold.projx(from_hub(moved[..., 1:], manifold).to(x.dtype))


def apply_ideal(matrix: Tensor, ideal: Tensor) -> Tensor:
    """The ideal points u (..., n) moved by the isometry: the light-like vector (1, u) moved, and scaled to time 1."""
    light = torch.cat([torch.ones_like(ideal[..., :1]), ideal], -1).double()
    moved = (matrix.double() @ light.unsqueeze(-1)).squeeze(-1)[..., 1:]
    return (moved / norm(moved)).to(ideal.dtype)


def inverse(matrix: Tensor) -> Tensor:
    """J M^T J with J = diag(-1, 1, ..., 1): exact."""
    sign = torch.ones_like(matrix[..., 0])
    sign[..., 0] = -1
    return sign.unsqueeze(-1) * matrix.mT * sign.unsqueeze(-2)


def is_isometry(matrix: Tensor, tol: float = 1e-9) -> bool:
    """Whether M^T J M = J, to `tol` times the largest square of an entry, and M keeps the upper sheet."""
    off = inverse(matrix) @ matrix - _identity(matrix)
    return bool(
        (off.abs().amax((-2, -1)) <= tol * matrix.abs().amax((-2, -1)) ** 2).all() and (matrix[..., 0, 0] > 0).all()
    )


def rotation(orthogonal: Tensor) -> Tensor:
    """The isometry that fixes the origin and turns (or mirrors) directions by an orthogonal matrix (..., n, n)."""
    zero = torch.zeros_like(orthogonal[..., :1, :])
    corner = torch.cat([zero[..., :1] + 1, zero], -1)
    return torch.cat([corner, torch.cat([zero.mT, orthogonal], -1)], -2)


def point_reflection(x: Tensor, manifold: Manifold) -> Tensor:
    """The half-turn about x, which reverses every geodesic through it: Z -> -Z - 2 <Z, X> X."""
    X = _vector(x, manifold)
    return -_identity(X) - 2 * _outer(X, _lowered(X))


def translation(x: Tensor, y: Tensor, manifold: Manifold) -> Tensor:
    """The isometry along the geodesic from x to y that takes x to y, and tangent vectors by parallel transport.

    It is the half-turn about x followed by the half-turn about the middle of x and y.
    """
    X, Y = _vector(x, manifold), _vector(y, manifold)
    total = X + Y
    middle = -_identity(X) + 2 * _outer(total, _lowered(total)) / dot(total, _lowered(total)).unsqueeze(-1)
    return middle @ point_reflection(x, manifold)


def reflection(x: Tensor, normal: Tensor, manifold: Manifold) -> Tensor:
    """The reflection in the hyperplane through x orthogonal to the tangent vector `normal` at x.

    Z -> Z - 2 <Z, N> N / <N, N>. Every isometry is a product of at most n + 1 of them (Ratcliffe 2019, section 4.1).
    """
    ball = PoincareBall(1.0)
    p, v = convert(x.double(), manifold, ball), convert_tangent(x.double(), normal.double(), manifold, ball)
    # N in the hyperboloid is the differential of x -> (1 + |x|^2, 2x)/(1 - |x|^2) up to a factor: no length matters.
    g, px = one_minus_csq(p, torch.ones((), dtype=p.dtype, device=p.device)), dot(p, v)
    return _mirror(torch.cat([2 * px, g * v + 2 * px * p], -1))


def bisector_reflection(x: Tensor, y: Tensor, manifold: Manifold) -> Tensor:
    """The reflection that swaps two different points x and y; its hyperplane is their perpendicular bisector."""
    return _mirror(_vector(x, manifold) - _vector(y, manifold))


def _mirror(N: Tensor) -> Tensor:
    return _identity(N) - 2 * _outer(N, _lowered(N)) / dot(N, _lowered(N)).unsqueeze(-1)


# --- ideal points ----------------------------------------------------------------------------------------------------


def ideal_point(x: Tensor, v: Tensor, manifold: Manifold) -> Tensor:
    """The ideal point u, a unit vector (..., n), where the ray from x with the velocity v != 0 ends.

    In the ball (c = 1) it is x (+) w for w = v/|v|: Mobius addition of a boundary point, x + (1-|x|^2)(x+w)/|x+w|^2.
    """
    ball = PoincareBall(1.0)
    p, w = convert(x.double(), manifold, ball), convert_tangent(x.double(), v.double(), manifold, ball)
    return _seen_from(-p, w / norm(w)).to(x.dtype)


def direction_to(x: Tensor, ideal: Tensor, manifold: Manifold) -> Tensor:
    """The tangent vector of length 1 at x that points to the ideal point u (..., n): minus the Busemann gradient."""
    ball = PoincareBall(1.0)
    p = convert(x.double(), manifold, ball)
    w = _seen_from(p, ideal.double()) / ball.lambda_x(p, keepdim=True)
    v = convert_tangent(p, w, ball, manifold)
    return (v / manifold.norm(x.double(), v, keepdim=True)).to(x.dtype)


def _seen_from(p: Tensor, ideal: Tensor) -> Tensor:
    """(-p) (+) u, a unit vector: the isometry of the ball that takes p to 0, at the boundary point u."""
    D = ideal - p
    moved = one_minus_csq(p, torch.ones((), dtype=p.dtype, device=p.device)) * D / dot(D, D) - p
    return moved / norm(moved)


def busemann(x: Tensor, ideal: Tensor, manifold: Manifold) -> Tensor:
    """b_u(x) = lim_(t -> inf) d(x, ray_u(t)) - t, the signed distance from the origin's horosphere; < 0 towards u.

    In the ball log(|u - sqrt(c) x|^2/(1 - c|x|^2))/sqrt(c), on the unit hyperboloid log(t - <s, u>)/sqrt(c), in the
    half-space with u = e_n -log(sqrt(c) x_n)/sqrt(c). (Bridson and Haefliger 1999, II.8; Ghadimi Atigh et al. 2021.)

    Args:
        x: points (..., coordinates).
        ideal: unit vectors (..., n).

    Returns:
        (...), in the units of `dist`.
    """
    value = light_cone(to_hub(x.double(), manifold), ideal.double()).log() / manifold.c.sqrt()
    return value.squeeze(-1).to(x.dtype)


def to_horosphere(x: Tensor, ideal: Tensor, level: Tensor | float, manifold: Manifold) -> Tensor:
    """The point nearest to x on the horosphere {b_u = level}: b_u(x) - level along the ray from x to u.

    Args:
        x: points (..., coordinates).
        ideal: unit vectors (..., n).
        level: a number or a tensor (...).
    """
    x, ideal = x.double(), ideal.double()
    step = busemann(x, ideal, manifold) - level
    return manifold.expmap(x, step.unsqueeze(-1) * direction_to(x, ideal, manifold))


def horosphere(ideal: Tensor, level: Tensor | float, c: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Centre (..., n) and radius (...) of the horosphere {b_u = level} as a Euclidean sphere in the Poincare ball.

    It touches the boundary at u/sqrt(c) and meets the diameter at -tanh(sqrt(c) level/2) u/sqrt(c).
    """
    c = torch.as_tensor(c, dtype=ideal.dtype, device=ideal.device)
    radius = torch.sigmoid(c.sqrt() * torch.as_tensor(level, dtype=ideal.dtype, device=ideal.device))
    return (1 - radius).unsqueeze(-1) * ideal / c.sqrt(), (radius / c.sqrt()).expand(ideal.shape[:-1])
