"""Averages of points: the midpoint, which has a closed form, and the Frechet mean, which has not.

The Einstein midpoint (Klein), the gyromidpoint (ball) and the Lorentz centroid (hyperboloid) are one point in three
charts; `midpoint` computes it in any chart without their cancellation. The Frechet mean is another point: the centroid
minimises sum_i w_i cosh(sqrt(c) d_i), the Frechet mean sum_i w_i d_i^2.

Points have the shape (..., N, n) and weights (..., N), at least 0 and not all 0; equal weights where they are not
given. The result has the shape (..., n).
"""

import torch
from torch import Tensor

from hyplearn.manifolds import Euclidean, Klein, Lorentz, Manifold, PoincareBall
from hyplearn.manifolds.lorentz import time_of
from hyplearn.maps import convert, from_hub, light_cone, to_hub
from hyplearn.numerics import dot, double_inside, norm, tanhc


def _column(x: Tensor, weights: Tensor | None) -> Tensor:
    """The weights as (..., N, 1), ones where they are not given."""
    if weights is None:
        return x.new_ones(x.shape[-2], 1)
    if weights.shape[-1:] != x.shape[-2:-1]:
        raise ValueError(f"weights must end in N = {x.shape[-2]}, one for each point, got {tuple(weights.shape)}")
    return weights.unsqueeze(-1)


# --- one point with three names --------------------------------------------------------------------------------------


def einstein_midpoint(manifold: Klein, x: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum_i w_i g_i x_i / sum_i w_i g_i with the Lorentz factors g_i = 1/sqrt(1 - c|x_i|^2): a weighted average.

    Ungar (2008), eq. 6.84; Gulcehre et al. (2019), arXiv:1805.09786, eq. 3.
    """
    w = _column(x, weights) * manifold.lorentz_factor(x, keepdim=True)
    return (w * x).sum(-2) / w.sum(-2)


def gyromidpoint(manifold: PoincareBall, x: Tensor, weights: Tensor | None = None) -> Tensor:
    """1/2 (*) ( sum_i w_i l_i x_i / sum_i w_i (l_i - 1) ) with the conformal factors l_i = 2/(1 - c|x_i|^2).

    Ungar (2008), eq. 6.93; Shimizu et al. (2021), arXiv:2006.08210, eq. 9.
    """
    w, factor = _column(x, weights), manifold.lambda_x(x, keepdim=True)
    return manifold.mobius_scalar_mul(0.5, (w * factor * x).sum(-2) / (w * (factor - 1)).sum(-2))


def lorentz_centroid(manifold: Lorentz, x: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum_i w_i x_i, divided by sqrt(c) times its Minkowski length: the point of the hyperboloid in its direction.

    Law et al. (2019), eq. 11.
    """
    total = (_column(x, weights) * x).sum(-2)
    return total / (manifold.c * (total[..., :1] ** 2 - dot(total[..., 1:], total[..., 1:]))).sqrt().to(x.dtype)


def midpoint(manifold: Manifold, x: Tensor, weights: Tensor | None = None) -> Tensor:
    """The weighted midpoint (Einstein midpoint, gyromidpoint, Lorentz centroid) of points of any chart.

    With points (t_i, s_i) of the hyperboloid (c = 1) it has the space part S / sqrt((T - |S|)(T + |S|)), T and S the
    weighted sums. T - |S| cancels, and so it is summed as w_i (t_i - <s_i, S>/|S|), all positive. In flat space it is
    the weighted average.

    Raises:
        ValueError: if the number of weights is not the number of points.
    """
    w = _column(x, weights)
    if isinstance(manifold, Euclidean):
        return (w * x).sum(-2) / w.sum(-2)
    return manifold.projx(from_hub(_centroid(to_hub(x.double(), manifold), w), manifold).to(x.dtype))


@double_inside
def _centroid(s: Tensor, w: Tensor) -> Tensor:
    total = (w * s).sum(-2, keepdim=True)
    length = norm(total)
    ahead = total / torch.where(length > 0, length, 1.0)
    gap, time = (w * light_cone(s, ahead)).sum(-2, keepdim=True), (w * time_of(s, -1)).sum(-2, keepdim=True)
    return (total / (gap * (time + length)).sqrt()).squeeze(-2)


# --- the Frechet mean ------------------------------------------------------------------------------------------------


def _hessian_solve(u: Tensor, w: Tensor, bend: Tensor, b: Tensor) -> Tensor:
    """H^-1 b for H = sum_i w_i (u_i u_i^T + bend_i (I - u_i u_i^T)) by conjugate gradients; H is never formed.

    1 <= H <= sum_i w_i bend_i (weights sum to 1), so 40 iterations reduce the error by 1e-13 while bend < 40 or so,
    and n or N + 1 of them are exact.
    """
    x, r = torch.zeros_like(b), b
    p, square = r, dot(r, r)
    for _ in range(min(40, u.shape[-1], u.shape[-2] + 1)):
        q = p.unsqueeze(-2)
        Hp = (w * (bend * q + (1 - bend) * dot(u, q) * u)).sum(-2)
        curved = dot(p, Hp)
        step = torch.where(curved > 0, square / torch.where(curved > 0, curved, 1.0), 0.0)
        x, r = x + step * p, r - step * Hp
        new_square = dot(r, r)
        p = r + torch.where(square > 0, new_square / torch.where(square > 0, square, 1.0), 0.0) * p
        square = new_square
    return x


class _HessianSolve(torch.autograd.Function):
    """b -> H^-1 b with H held constant: linear and self-adjoint, so its backward is itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u, w, bend, b):
        return _hessian_solve(u, w, bend, b)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:3])

    @staticmethod
    def backward(ctx, grad):
        return None, None, None, _hessian_solve(*ctx.saved_tensors, grad)


def _steps(ball: PoincareBall, mean: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Two tangent vectors at `mean`: Newton's step and the centroid's, both 0 at the Frechet mean and nowhere else."""
    factor = ball.lambda_x(mean, keepdim=True)
    v = factor.unsqueeze(-2) * ball.logmap(mean.unsqueeze(-2), x)  # orthonormal components
    pull = (w * v).sum(-2)  # minus the gradient of sum_i w_i d_i^2 / 2
    s, d = ball.c.sqrt(), norm(v).detach()
    # Hessian of d^2/2: 1 along the geodesic, z coth z across it, z = sqrt(c) d.
    bend = 1 / tanhc(s * d).detach()
    newton = _HessianSolve.apply(v.detach() / d.clamp_min(1e-300), w.detach(), bend, pull)
    # The weights w_i z_i/sinh z_i turn the centroid's objective into a majoriser of ours that touches it at `mean`
    # (d^2 is concave as a function of cosh d), so its minimum never lies higher: tanh(step) = |pull| / sum w bend.
    total = (w * bend).sum(-2)
    ratio = (s * norm(pull) / total).clamp(1e-300, 1 - 1e-9)
    return newton / factor, torch.atanh(ratio) / (ratio * total) * pull / factor


def frechet_mean(manifold: Manifold, x: Tensor, weights: Tensor | None = None, steps: int = 12) -> Tensor:
    """The point that minimises sum_i w_i d(m, x_i)^2, in any chart; differentiable in points, weights and curvature.

    Starts at the midpoint. Each step computes Newton's point and the minimum of a majoriser, and takes the former
    unless it lies higher: monotone, and quadratic at the end; `steps` is fixed, so nothing waits for the device. The
    gradient is the implicit one, of first order: one linear system H y = grad, solved by conjugate gradients,
    whatever the number of steps. Computed in the ball in float64. In flat space it is the weighted average.

    Karcher (1977); Lou et al. (2020), arXiv:2003.00335, whose iteration is the majoriser's.

    Raises:
        ValueError: if the number of weights is not the number of points.
    """
    if isinstance(manifold, Euclidean):
        return midpoint(manifold, x, weights)
    ball = PoincareBall(manifold.curvature)
    points, w = convert(x.double(), manifold, ball), _column(x, weights).double()
    w = w / w.sum(-2, keepdim=True)
    with torch.no_grad():
        mean = midpoint(ball, points, w.squeeze(-1))
        for _ in range(steps):
            mean = _descend(ball, mean, points, w)
    # Newton's step from the solution is 0, but has the derivatives of the solution: the implicit function theorem.
    mean = ball.expmap(mean, _steps(ball, mean, points, w)[0])
    dtype = x.dtype if weights is None else torch.promote_types(x.dtype, weights.dtype)
    return manifold.projx(convert(mean, ball, manifold).to(dtype))


def _descend(ball: PoincareBall, mean: Tensor, x: Tensor, w: Tensor) -> Tensor:
    newton, safe = (ball.expmap(mean, step) for step in _steps(ball, mean, x, w))
    cost_newton, cost_safe = ((w * ball.dist(m.unsqueeze(-2), x, keepdim=True) ** 2).sum(-2) for m in (newton, safe))
    # Near the solution the two costs are equal up to rounding: there Newton's point is the better one.
    return torch.where(cost_newton <= cost_safe * (1 + 1e-14), newton, safe)
