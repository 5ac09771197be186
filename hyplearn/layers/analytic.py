"""cosh(s), sinh(s)/s and asinh(s)/s as functions of s^2, of which they are analytic: nothing special happens at s = 0.

On a CPU the layers are bound by their passes over memory and by fresh memory, not by arithmetic: hence derivatives by
hand, and work in place.
"""

import math

import torch
from torch import Tensor

from hyplearn.numerics import asinh_value


def largest_argument(dtype: torch.dtype) -> float:
    """The largest argument given to sinh and cosh: e^4 below overflow, which leaves room for sums of 1e4 squares."""
    return math.log(torch.finfo(dtype).max) - 4


def into(memory: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """x * y, in memory that is no longer needed, unless a second derivative will need it."""
    if torch.is_grad_enabled():
        return x * y
    return memory.mul_(y) if memory is x else memory.copy_(x).mul_(y)


def polynomial(q: Tensor, *coefficients: float) -> Tensor:
    """sum_k coefficients[k] q^k, in one piece of memory unless a second derivative will need more."""
    out = q * coefficients[-1]
    for a in coefficients[-2:0:-1]:
        out = (out + a) * q if torch.is_grad_enabled() else out.add_(a).mul_(q)
    return out + coefficients[0]


class CoshSinhc(torch.autograd.Function):
    """(cosh s, sinh(s)/s) as functions of q = s^2, of which both are entire: nothing special happens at s = 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(q):
        s = q.clamp_min(torch.finfo(q.dtype).tiny).sqrt_()
        bounded = s.clamp_max(largest_argument(q.dtype))
        return bounded.cosh(), bounded.sinh().div_(s)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx, grad_cosh, grad_sinhc):
        q, cosh, sinhc = ctx.saved_tensors
        return grad_cosh * sinhc / 2 + grad_sinhc * sinhc_slope(q, cosh, sinhc)


def sinhc_slope(q: Tensor, cosh: Tensor, sinhc: Tensor) -> Tensor:
    """The derivative of sinh(s)/s by q = s^2."""
    # (cosh s - sinh(s)/s)/(2q) cancels for small q; five terms of its series are exact to rounding below q = 0.1.
    series = polynomial(q, 1 / 6, 1 / 60, 1 / 1680, 1 / 90720, 1 / 7983360)
    return torch.where(q < 0.1, series, (cosh - sinhc) / (2 * q.clamp_min(0.1)))


def largest_square(dtype: torch.dtype) -> float:
    """s^2 where the product of four cosh(s) is still finite: s is 21 (float64: 176)."""
    return (largest_argument(dtype) / 4) ** 2


def cosh_sinhc(square: Tensor) -> tuple[Tensor, Tensor]:
    """cosh(s) and sinh(s)/s for s^2 = `square`, which counts as `largest_square` beyond."""
    return CoshSinhc.apply(square.clamp_max(largest_square(square.dtype)))


class AsinhcOfSquare(torch.autograd.Function):
    """min(asinh(s), bound)/s as a function of q = s^2."""

    generate_vmap_rule = True

    @staticmethod
    def forward(q, bound):
        s = q.clamp_min(torch.finfo(q.dtype).tiny).sqrt_()
        return asinh_value(s).clamp_max_(bound).div_(s)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.bound = inputs[1]
        ctx.save_for_backward(inputs[0], output)

    @staticmethod
    def backward(ctx, grad):
        q, out = ctx.saved_tensors
        return grad * asinhc_slope(q, out, ctx.bound), None


def asinhc_slope(q: Tensor, asinhc: Tensor, bound: float) -> Tensor:
    """The derivative of min(asinh(s), bound)/s by q = s^2."""
    # (1/sqrt(1 + q) - asinh(s)/s)/(2q) cancels for small q; the series is exact to rounding below q = 0.01. Beyond the
    # bound asinh(s) does not grow.
    end = math.sinh(min(bound, 300.0)) ** 2
    small = min(0.01, end)
    series = polynomial(q, -1 / 6, 3 / 20, -15 / 112, 35 / 288, -315 / 2816, 693 / 6656)
    return torch.where(q < small, series, ((1 + q).rsqrt() * (q < end) - asinhc) / (2 * q.clamp_min(small)))


def asinhc_of_square(square: Tensor) -> Tensor:
    """asinh(s)/s as a function of s^2, of which it is analytic: nothing special happens at s = 0."""
    return AsinhcOfSquare.apply(square, math.inf)


def valued(x: Tensor, value: Tensor) -> Tensor:
    """The more accurate `value` with the derivatives of x, which is the same number."""
    return x + (value - x).detach()
