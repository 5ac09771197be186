"""Sums of points in normal coordinates, and the pieces of batch normalisation, which is two of them.

All are of the form "a number for each point times the point, plus a number for each point times another": few passes
over the points, and all else happens to one number for each (see `hyplearn.layers.analytic`).
"""

import math

import torch
from torch import Tensor

from hyplearn.layers.analytic import (
    AsinhcOfSquare,
    CoshSinhc,
    asinhc_of_square,
    asinhc_slope,
    cosh_sinhc,
    into,
    largest_square,
    sinhc_slope,
    valued,
)


class _Products(torch.autograd.Function):
    """(|x|^2, <x, y>, |y|^2) along `dim`, which is kept, of x and y of one shape: two passes for each gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, dim):
        return tuple((a * b).sum(dim, keepdim=True) for a, b in ((x, x), (x, y), (y, y)))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx, grad_xx, grad_xy, grad_yy):
        x, y = ctx.saved_tensors
        return torch.addcmul(x * (2 * grad_xx), y, grad_xy), torch.addcmul(y * (2 * grad_yy), x, grad_xy), None


def mobius_sum(x: Tensor, y: Tensor, c: Tensor, dim: int) -> Tensor:
    """x (+) y in normal coordinates: from x along the geodesic of y, parallel transported from the origin to x.

    For c = 1 the space part of the sum is z = a x + b y with

        a = sinh|x|/|x| (cosh|y| + b sinh|x|/|x| <x, y>/(1 + cosh|x|)),   b = sinh|y|/|y|,

    and its normal coordinates are asinh|z|/|z| z. Few passes over x and y: all else happens to one number for each
    point.

    Args:
        x, y: float32 or float64, of one shape; coordinates along `dim`.
        c: 0-dimensional, of that dtype.
    """
    xx, xy, yy = (c * product for product in _Products.apply(x, y, dim))
    (cosh_x, sinhc_x), (cosh_y, b) = cosh_sinhc(xx), cosh_sinhc(yy)
    a = sinhc_x * (cosh_y + b * sinhc_x * xy / (1 + cosh_x))
    time = cosh_x * cosh_y + sinhc_x * b * xy
    with torch.no_grad():  # z itself does not cancel as time^2 - 1 does
        scale = torch.maximum(a, b)
        z = torch.addcmul(x * (a / scale), y, b / scale)
        zz = c * (z * z).sum(dim, keepdim=True) * scale.square()
    shrink = asinhc_of_square(valued((time - 1) * (time + 1), zz))
    return torch.addcmul(x * (shrink * a), y, shrink * b)


class _WeightedSum(torch.autograd.Function):
    """sum w_p x_p over points x, (B, C, P), coordinates along dimension 1, with a weight for each point, (B, 1, P)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w):
        return torch.matmul(w, x.mT).sum((0, 1))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return w * grad[:, None], torch.matmul(grad.expand(len(x), 1, -1), x)


def weighted_sum(x: Tensor, w: Tensor) -> Tensor:
    """sum w_p x_p over points x, (B, C, P), with a weight for each, (B, 1, P)."""
    return _WeightedSum.apply(x, w)


class _Combination(torch.autograd.Function):
    """alpha x + beta v, for points x, (B, C, P), numbers alpha and beta for each, (B, 1, P), and one vector v."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, v, alpha, beta):
        return _add_outer(x * alpha, v, beta)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, v, alpha, beta = ctx.saved_tensors
        grad_v = torch.matmul(beta, grad.mT).sum((0, 1))
        grad_beta = torch.matmul(v.expand(len(x), 1, -1), grad)
        work = grad * x
        grad_alpha = work.sum(1, keepdim=True)
        return into(work, grad, alpha), grad_v, grad_alpha, grad_beta


def _add_outer(x: Tensor, v: Tensor, beta: Tensor) -> Tensor:
    """x + beta v, in the memory of x, unless a second derivative will need it."""
    v = v[:, None].expand(len(x), -1, 1)
    return torch.baddbmm(x, v, beta) if torch.is_grad_enabled() else x.baddbmm_(v, beta)


def combination(x: Tensor, v: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha x + beta v of points x, (B, C, P), and one vector v, (C,), with alpha and beta of shape (B, 1, P)."""
    return _Combination.apply(x, v, alpha, beta)


class Gap(torch.autograd.Function):
    """cosh - along without cancellation, where cosh^2 = 1 + rest + along^2: (1 + rest)/(cosh + along) if along > 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(along, rest, cosh):
        size = cosh + along.abs()
        return torch.where(along > 0, (1 + rest).div_(size), size)

    @staticmethod
    def setup_context(ctx, inputs, output):
        along, _, cosh = inputs
        ctx.save_for_backward(along, cosh, output)

    @staticmethod
    def backward(ctx, grad):
        along, cosh, gap = ctx.saved_tensors
        toward = (along > 0).to(gap.dtype)
        by_rest = grad * toward / (cosh + along.abs())
        # Of the two forms the first has the derivatives -gap/(cosh + along), the second 1 and -1.
        by_cosh = grad * (1 - toward) - by_rest * gap
        return -(grad * (1 - toward) + by_rest * gap), by_rest, by_cosh


class Centred(torch.autograd.Function):
    """(alpha, beta, k, moved) for points whose mean, at distance d in the direction u, moves to the origin.

    The part along u of a space part becomes moved = e^-d along - sinh(d) gap, the rest stays. The normal coordinates
    are k = asinh|z|/|z| times the new space part z, that is alpha n + beta u for the old ones n.

    Args:
        along, rest: the part of the space part along u, and the square of the rest.
        gap: the time less `along`, which the caller knows without cancellation.
        sinhc: the space part over n.
        d: of one number.

    All for c = 1. The last two outputs are for second derivatives.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(along, rest, gap, sinhc, d):
        moved = (along * (-d).exp()).sub_(gap * d.sinh())
        k = AsinhcOfSquare.forward(torch.addcmul(rest, moved, moved), math.inf)
        return k * sinhc, (moved - along).mul_(k), k, moved

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output[2:])

    @staticmethod
    def backward(ctx, grad_alpha, grad_beta, grad_k, grad_moved):
        along, rest, gap, sinhc, d, k, moved = ctx.saved_tensors
        by_k = torch.addcmul(grad_alpha * sinhc, grad_beta, moved - along) + grad_k
        by_rest = by_k * asinhc_slope(torch.addcmul(rest, moved, moved), k, math.inf)
        through = grad_beta * k
        by_moved = torch.addcmul(through, by_rest, moved, value=2) + grad_moved
        by_d = -(by_moved * (along * (-d).exp() + gap * d.cosh())).sum().view_as(d)
        return by_moved * (-d).exp() - through, by_rest, by_moved * -d.sinh(), grad_alpha * k, by_d


class _BiasedSum(torch.autograd.Function):
    """b (+) (scale x), see `mobius_sum`: points x, (B, C, P), one vector b, a factor for each coordinate, (C, 1).

    Further outputs, for the derivatives: cosh and sinhc of |scale x|, <scale x, b> and k, the length of the sum's
    normal coordinates, at most bound/sqrt(c), over that of its space part.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, scale, b, cosh_b, sinhc_b, c, bound):
        y = x * scale
        square = (y * y).sum(1, keepdim=True).mul_(c)
        cosh, sinhc = CoshSinhc.forward(square.clamp_max_(largest_square(x.dtype)))
        product = torch.matmul(b.expand(len(x), 1, -1), y)
        part = product * sinhc * (c * sinhc_b)
        time = torch.addcmul(part, cosh, cosh_b)
        k = AsinhcOfSquare.forward((time - 1).mul_(time + 1).clamp_min_(0), bound)
        beta = (cosh + part / (1 + cosh_b)).mul_(k).mul_(sinhc_b)
        return _add_outer(y.mul_(k * sinhc), b, beta), cosh, sinhc, product, k

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.bound = inputs
        ctx.save_for_backward(*tensors, *output[1:])

    @staticmethod
    def backward(ctx, grad, grad_cosh, grad_sinhc, grad_product, grad_k):
        x, scale, b, cosh_b, sinhc_b, c, cosh, sinhc, product, k = ctx.saved_tensors
        row, shrunk = b.expand(len(x), 1, -1), sinhc_b / (1 + cosh_b)
        y = x * scale
        work = grad * y
        by_alpha, by_beta = work.sum(1, keepdim=True), torch.matmul(row, grad)
        # out = k (sinhc y + sinhc_b of_b b),  of_b = cosh + sinhc_b inner/(1 + cosh_b),  inner = c sinhc <y, b>
        inner = c * sinhc * product
        time = torch.addcmul(inner * sinhc_b, cosh, cosh_b)
        of_b = cosh + inner * shrunk
        by_of_b = by_beta * k * sinhc_b
        by_k = torch.addcmul(by_alpha * sinhc, by_beta * sinhc_b, of_b) + grad_k
        by_time = 2 * time * by_k * asinhc_slope(((time - 1) * (time + 1)).clamp_min(0), k, ctx.bound)
        by_cosh = by_time * cosh_b + by_of_b + grad_cosh
        by_part = by_time + by_of_b / (1 + cosh_b)
        by_inner = by_part * sinhc_b
        by_sinhc = torch.addcmul(by_alpha * k, by_inner, c * product) + grad_sinhc
        by_product = by_inner * sinhc * c + grad_product
        by_cosh_b = (by_time * cosh).sum() - (by_of_b * inner).sum() * shrunk / (1 + cosh_b)
        by_sinhc_b = (by_part * inner).sum() + (by_beta * k * of_b).sum()

        if torch.is_grad_enabled():
            square = (y * y).sum(1, keepdim=True)
        else:
            square = work.copy_(y).mul_(y).sum(1, keepdim=True)
        q = c * square
        inside = q < largest_square(x.dtype)
        by_q = torch.where(inside, by_cosh * sinhc / 2 + by_sinhc * sinhc_slope(q, cosh, sinhc), 0.0)
        by_c = (by_q * square).sum() + (by_inner * sinhc * product).sum()
        grad_b = torch.matmul(k * sinhc_b * of_b, grad.mT).sum((0, 1)) + torch.matmul(by_product, y.mT).sum((0, 1))
        by_y = _add_outer(into(work, grad, k * sinhc) + y * (2 * c * by_q), b, by_product)
        grad_scale = into(y, by_y, x).sum((0, 2)).view_as(scale)
        grads = by_cosh_b.view_as(cosh_b), by_sinhc_b.view_as(sinhc_b), by_c.view_as(c)
        return into(by_y, by_y, scale), grad_scale, grad_b, *grads, None


def biased_sum(x: Tensor, scale: Tensor, bias: Tensor, c: Tensor, clip: float | None = None) -> Tensor:
    """bias (+) (scale x) in normal coordinates, see `mobius_sum`: one bias for many points.

    Args:
        x: (B, C, P), coordinates along dimension 1.
        scale: (C,) or one number.
        bias: (C,).
        c: 0-dimensional.
        clip: the sum lies within clip/sqrt(c) of the origin; None for no bound.
    """
    cosh, sinhc = cosh_sinhc(c * (bias * bias).sum())
    bound = math.inf if clip is None else float(clip)
    return _BiasedSum.apply(x, scale.view(-1, 1).expand(len(bias), 1), bias, cosh, sinhc, c, bound)[0]
