"""The fully connected layer of HNN++ in normal coordinates, from inner products to points.

Write `s = sqrt(c) d` for a point n at distance d from the origin. The Poincare fully connected layer (Shimizu, Mukuta
and Harada, "Hyperbolic Neural Networks++", ICLR 2021, section 3.2) with hyperplanes z_k, r_k is

    a_k = A_k <n, z_k> sinh(s)/s - cosh(s) B_k      A_k = sqrt(c) cosh(2 sqrt(c) r_k)/|z_k|,  B_k = sinh(2 sqrt(c) r_k)
    t_k = T_k asinh(a_k)                            T_k = 2|z_k|; v_k = t_k/sqrt(c) is a scaled signed distance
    n'  = asinh(|w|)/(sqrt(c) |w|) w,  w = sinh(t)  w/sqrt(c) is the space part of the output on the hyperboloid

Linear layers, convolutions and classifiers differ only in how they compute A_k <n, z_k> and |n|^2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn.layers.analytic import CoshSinhc, into, largest_argument, sinhc_slope
from hyplearn.numerics import asinh_value


class _SumOfSquares(torch.autograd.Function):
    """|x|^2 along `dim`, which is kept. Its derivative is one pass over x, three less than that of (x * x).sum()."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, dim):
        return (x * x).sum(dim, keepdim=True)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return x * (2 * grad), None


def squared_norm(n: Tensor, dim: int) -> Tensor:
    """|n|^2 along `dim`, which is kept, in float64 for float64, else float32.

    Half precision is enough for the products of a layer, not for sinh and cosh of this.
    """
    return _SumOfSquares.apply(n.to(torch.promote_types(n.dtype, torch.float32)), dim)


def _products(n: Tensor, weight: Tensor, dim: int) -> Tensor:
    """<n, weight_k> for every k, in the dtype of n, with k in the place of the coordinates."""
    weight = weight.to(n.dtype)
    if dim == -1:
        return F.linear(n, weight)
    # Expanded by hand: matmul would copy n, transposed, to make one product of the many.
    return torch.matmul(weight.expand(*n.shape[:dim], -1, -1), n.flatten(dim + 1)).unflatten(-1, n.shape[dim + 1 :])


def scaled_products(n: Tensor, weight: Tensor, scale: Tensor, dim: int) -> Tensor:
    """scale_k <n, weight_k> for every k, with k in the place of the coordinates, along the negative dimension `dim`."""
    if dim == -1:  # rows: fewer numbers come out than the weight has, as a rule, so these are scaled
        return F.linear(n, weight) * scale
    # A product of matrices for each image: nothing of size pixels x planes x coordinates is formed, nothing transposed.
    return _products(n, weight * scale[:, None], dim)


class _FullyConnected(torch.autograd.Function):
    """(n', t, a, rho) of the formulas above, where rho = asinh|w| and the radius of n' is at most bound/sqrt(c).

    Args:
        y: <n, z_k> A_k, the k along the negative dimension `dim`; float32 or float64.
        cosh, sinhc: cosh(s) and sinh(s)/s, of size 1 there.
        B, T: as above, of the trailing shape (K, 1, ..., 1).
        sqrt_c: sqrt(c), 0-dimensional.

    w is divided by its largest entry before it is squared, so nothing overflows or underflows as long as s and |t| stay
    below 84 (float32) or 705 (float64); beyond, they count as that number. a and rho are outputs because the derivative
    needs them: only so do second derivatives come out right.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(y, cosh, sinhc, B, T, sqrt_c, bound, dim):
        largest, tiny = largest_argument(y.dtype), torch.finfo(y.dtype).tiny

        a = torch.addcmul(y * sinhc, cosh, B, value=-1)
        t = asinh_value(a).mul_(T)
        w = t.clamp(-largest, largest).sinh_()
        size = w.abs()
        scale = size.amax(dim, keepdim=True).clamp_min_(tiny)
        size.mul_(1 / scale)
        length = size.mul_(size).sum(dim, keepdim=True).sqrt_().clamp_min_(0.5)  # at least 1 unless w = 0
        rho = asinh_value(length * scale)
        return w.mul_(rho.clamp_max(bound).div_(length * scale * sqrt_c)), t, a, rho

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)
        *tensors, ctx.bound, ctx.dim = inputs
        ctx.save_for_backward(*tensors[1:], *output)

    @staticmethod
    def backward(ctx, grad_out, grad_t, grad_a, grad_rho):
        cosh, sinhc, B, T, sqrt_c, out, t, a, rho = ctx.saved_tensors
        dim, tiny = ctx.dim, torch.finfo(a.dtype).tiny
        # dn'/dw = scale (1 + radial n' n'^T), here multiplied by cosh(rho), and dw/dt = cosh(t), here divided by it:
        # neither overflows. In `radial` 1 - rho/tanh(rho) cancels for small rho, where it is multiplied by rho^2.
        grad_out = torch.zeros_like(out) if grad_out is None else grad_out
        work = grad_out * out
        along = work.sum(dim, keepdim=True)
        radius, tanh = rho.clamp(tiny, ctx.bound), rho.clamp_min(tiny).tanh()
        scale = radius / (tanh * sqrt_c)
        radial = along * ((rho < ctx.bound).to(rho.dtype) - radius / tanh) / radius.square().clamp_min(tiny)
        if grad_rho is not None:
            radial = radial + grad_rho / radius
        scaled_cosh = into(work, out, out).add_((scale / rho.cosh()).square()).sqrt_()
        tail = torch.addcmul(grad_out, out, radial * sqrt_c / scale).mul_(scaled_cosh)
        grad_t = tail if grad_t is None else tail + grad_t
        grad_T = into(work, grad_t, t).sum_to_size(T.shape) / T
        # dt/da = T/sqrt(1 + a^2), with 1 and a^2 scaled by unit: right to sqrt(c) d = 66 in float32, and 0 beyond. A
        # smaller unit would make second derivatives overflow.
        unit = tiny**0.5
        square = unit / T.square()
        slope = into(work, a, square).mul_(a).add_(square).rsqrt_()
        through = into(grad_t, grad_t, slope).mul_(unit**0.5)
        grad_a = through if grad_a is None else through + grad_a
        grad_B = -into(work, grad_a, cosh).sum_to_size(B.shape)
        grad_cosh = grad_sinhc = None
        if ctx.needs_input_grad[1]:  # not so in a first layer, whose input is data
            grad_cosh = -into(work, grad_a, B).sum(dim, keepdim=True)
            # a = y sinhc - cosh B gives the sum of grad_a y from that of grad_a a: no need to have kept y.
            grad_sinhc = (into(work, grad_a, a).sum(dim, keepdim=True) - cosh * grad_cosh) / sinhc
        grad_y = into(grad_a, grad_a, sinhc)
        return grad_y, grad_cosh, grad_sinhc, grad_B, grad_T, -along.sum() / sqrt_c, None, None


def _outer(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """sum x_k y_i over all points: (K, I) from x with K and y with I coordinates along the negative dimension `dim`."""
    if dim == -1:
        return torch.einsum("...k,...i->ki", x, y)
    by_image = torch.matmul(x.flatten(dim + 1), y.flatten(dim + 1).mT)
    return by_image.sum_to_size(by_image.shape[-2:])


class _SignedDistances(torch.autograd.Function):
    """(T asinh(a), a, cosh s, sinh(s)/s, |n|^2): the signed distances of the formulas above alone, for classifiers.

    Args:
        n: normal coordinates along the negative dimension `dim`.
        weight: A_k z_k, shape (K, coordinates).
        B, T: of the trailing shape (K, 1, ..., 1).
        sqrt_c: sqrt(c), 0-dimensional.

    One function from the point to the logits, because pixels are many: so the two parts of the derivative by n, through
    the products and through |n|, meet in one tensor. The outputs beside the first are for second derivatives.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(n, weight, B, T, sqrt_c, dim):
        wide = n.to(B.dtype)
        square = (wide * wide).sum(dim, keepdim=True)
        cosh, sinhc = CoshSinhc.forward(square * sqrt_c**2)
        a = torch.addcmul(_products(n, weight, dim).to(B.dtype) * sinhc, cosh, B, value=-1)
        return asinh_value(a).mul_(T), a, cosh, sinhc, square

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.set_materialize_grads(False)
        *tensors, ctx.dim = inputs
        ctx.save_for_backward(*tensors, *output)

    @staticmethod
    def backward(ctx, grad_t, grad_a, grad_cosh, grad_sinhc, grad_square):
        n, weight, B, T, sqrt_c, t, a, cosh, sinhc, square = ctx.saved_tensors
        dim = ctx.dim
        grad_t = torch.zeros_like(t) if grad_t is None else grad_t
        # As in _FullyConnected.
        unit = torch.finfo(a.dtype).tiny ** 0.5
        scaled = unit / T.square()
        slope = torch.addcmul(scaled, a * scaled, a).rsqrt_()
        through = into(slope, slope, grad_t).mul_(unit**0.5)
        grad_a = through if grad_a is None else through + grad_a
        grad_B = grad_T = None
        if ctx.needs_input_grad[3]:
            grad_T = (grad_t * t).sum_to_size(T.shape) / T
        if ctx.needs_input_grad[2]:
            grad_B = -_outer(grad_a, cosh, dim).view(B.shape)
        by_cosh = -_products(grad_a, B.view(1, -1), dim)
        by_sinhc = ((grad_a * a).sum(dim, keepdim=True) - cosh * by_cosh) / sinhc
        by_cosh = by_cosh if grad_cosh is None else by_cosh + grad_cosh
        by_sinhc = by_sinhc if grad_sinhc is None else by_sinhc + grad_sinhc
        by_q = by_cosh * sinhc / 2 + by_sinhc * sinhc_slope(square * sqrt_c**2, cosh, sinhc)
        grad_sqrt_c = 2 * sqrt_c * (by_q * square).sum()
        by_square = by_q * sqrt_c**2
        by_square = by_square if grad_square is None else by_square + grad_square

        grad_y = into(grad_a, grad_a, sinhc).to(n.dtype)
        grad_n = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_n = _products(grad_y, weight.T, dim)
            radial = (2 * by_square).to(n.dtype)
            grad_n = torch.addcmul(grad_n, n, radial) if torch.is_grad_enabled() else grad_n.addcmul_(n, radial)
        if ctx.needs_input_grad[1]:
            grad_weight = _outer(grad_y, n, dim).to(weight.dtype)
        return grad_n, grad_weight, grad_B, grad_T, grad_sqrt_c, None


def hyperplanes(weight: Tensor, bias: Tensor | None, sqrt_c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A, B and T of the formulas above, each of shape (hyperplanes,), in the dtype of sqrt_c.

    Args:
        weight: z, shape (hyperplanes, ...).
        bias: r, shape (hyperplanes,), or None for 0. Seen from the origin, hyperplane k is at signed distance 2 r_k.
        sqrt_c: sqrt(c), 0-dimensional.
    """
    dtype = sqrt_c.dtype
    norm = squared_norm(weight.to(dtype).flatten(1), 1).squeeze(1).clamp_min(torch.finfo(dtype).tiny).sqrt()
    if bias is None:
        return sqrt_c / norm, torch.zeros_like(norm), 2 * norm
    offset = 2 * sqrt_c * bias.to(dtype)
    return sqrt_c * offset.cosh() / norm, offset.sinh(), 2 * norm


def fully_connected(
    y: Tensor, square: Tensor, B: Tensor, T: Tensor, sqrt_c: Tensor, clip: float | None, dim: int
) -> tuple[Tensor, Tensor]:
    """(n', t): the layer's output in normal coordinates, and sqrt(c) times the scaled signed distances v.

    Args:
        y: <n, z_k> A_k in any floating dtype, the k along the negative dimension `dim`.
        square: |n|^2 in float32 or float64, of size 1 there. Output has its dtype.
        B, T: from `hyperplanes`.
        sqrt_c: sqrt(c), 0-dimensional.
        clip: n' lies within clip/sqrt(c) of the origin; None for no bound.
    """
    shape = (-1, *[1] * (-dim - 1))
    cosh, sinhc = CoshSinhc.apply(square * sqrt_c**2)
    bound = math.inf if clip is None else float(clip)
    y = y.to(square.dtype)
    return _FullyConnected.apply(y, cosh, sinhc, B.view(shape), T.view(shape), sqrt_c, bound, dim)[:2]


def signed_distances(n: Tensor, weight: Tensor, B: Tensor, T: Tensor, sqrt_c: Tensor, dim: int) -> Tensor:
    """v_k = T_k asinh(a_k)/sqrt(c), for classifiers: what `fully_connected` returns second, over sqrt(c).

    Args:
        n: normal coordinates in any floating dtype, along the negative dimension `dim`; the k take their place.
        weight: A_k z_k, a row for each hyperplane.
        B, T: from `hyperplanes`, in float32 or float64, which the output has, too.
        sqrt_c: sqrt(c), 0-dimensional.
    """
    shape = (-1, *[1] * (-dim - 1))
    return _SignedDistances.apply(n, weight, B.view(shape), (T / sqrt_c).view(shape), sqrt_c, dim)[0]
