"""The fully connected layer of HNN++ in normal coordinates, from inner products to points.

Write `s = sqrt(c) d` for a point n at distance d from the origin. The Poincare fully connected layer (Shimizu, Mukuta
and Harada, "Hyperbolic Neural Networks++", ICLR 2021, section 3.2) with hyperplanes z_k, r_k is

    a_k = A_k <n, z_k> sinh(s)/s - cosh(s) B_k      A_k = sqrt(c) cosh(2 sqrt(c) r_k)/|z_k|,  B_k = sinh(2 sqrt(c) r_k)
    t_k = T_k asinh(a_k)                            T_k = 2|z_k|; v_k = t_k/sqrt(c) is a scaled signed distance
    n'  = asinh(|w|)/(sqrt(c) |w|) w,  w = sinh(t)  w/sqrt(c) is the space part of the output on the hyperboloid

Linear layers, convolutions and classifiers differ only in how they compute A_k <n, z_k> and |n|^2. On a CPU such a
layer is bound by its passes over memory and by fresh memory, not by arithmetic: hence derivatives by hand, and work in
place.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

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


def _largest(dtype: torch.dtype) -> float:
    """The largest argument given to sinh and cosh: e^4 below overflow, which leaves room for sums of 1e4 squares."""
    return math.log(torch.finfo(dtype).max) - 4


def _into(memory: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """x * y, in memory that is no longer needed, unless a second derivative will need it."""
    if torch.is_grad_enabled():
        return x * y
    return memory.mul_(y) if memory is x else memory.copy_(x).mul_(y)


def _polynomial(q: Tensor, *coefficients: float) -> Tensor:
    """sum_k coefficients[k] q^k, in one piece of memory unless a second derivative will need more."""
    out = q * coefficients[-1]
    for a in coefficients[-2:0:-1]:
        out = (out + a) * q if torch.is_grad_enabled() else out.add_(a).mul_(q)
    return out + coefficients[0]


class _CoshSinhc(torch.autograd.Function):
    """(cosh s, sinh(s)/s) as functions of q = s^2, of which both are entire: nothing special happens at s = 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(q):
        s = q.clamp_min(torch.finfo(q.dtype).tiny).sqrt_()
        bounded = s.clamp_max(_largest(q.dtype))
        return bounded.cosh(), bounded.sinh().div_(s)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output)

    @staticmethod
    def backward(ctx, grad_cosh, grad_sinhc):
        q, cosh, sinhc = ctx.saved_tensors
        return grad_cosh * sinhc / 2 + grad_sinhc * _sinhc_slope(q, cosh, sinhc)


def _sinhc_slope(q: Tensor, cosh: Tensor, sinhc: Tensor) -> Tensor:
    """The derivative of sinh(s)/s by q = s^2."""
    # (cosh s - sinh(s)/s)/(2q) cancels for small q; five terms of its series are exact to rounding below q = 0.1.
    series = _polynomial(q, 1 / 6, 1 / 60, 1 / 1680, 1 / 90720, 1 / 7983360)
    return torch.where(q < 0.1, series, (cosh - sinhc) / (2 * q.clamp_min(0.1)))


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
        largest, tiny = _largest(y.dtype), torch.finfo(y.dtype).tiny

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
        scaled_cosh = _into(work, out, out).add_((scale / rho.cosh()).square()).sqrt_()
        tail = torch.addcmul(grad_out, out, radial * sqrt_c / scale).mul_(scaled_cosh)
        grad_t = tail if grad_t is None else tail + grad_t
        grad_T = _into(work, grad_t, t).sum_to_size(T.shape) / T
        # dt/da = T/sqrt(1 + a^2), with 1 and a^2 scaled by unit: right to sqrt(c) d = 66 in float32, and 0 beyond. A
        # smaller unit would make second derivatives overflow.
        unit = tiny**0.5
        square = unit / T.square()
        slope = _into(work, a, square).mul_(a).add_(square).rsqrt_()
        through = _into(grad_t, grad_t, slope).mul_(unit**0.5)
        grad_a = through if grad_a is None else through + grad_a
        grad_B = -_into(work, grad_a, cosh).sum_to_size(B.shape)
        grad_cosh = grad_sinhc = None
        if ctx.needs_input_grad[1]:  # not so in a first layer, whose input is data
            grad_cosh = -_into(work, grad_a, B).sum(dim, keepdim=True)
            # a = y sinhc - cosh B gives the sum of grad_a y from that of grad_a a: no need to have kept y.
            grad_sinhc = (_into(work, grad_a, a).sum(dim, keepdim=True) - cosh * grad_cosh) / sinhc
        grad_y = _into(grad_a, grad_a, sinhc)
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
        cosh, sinhc = _CoshSinhc.forward(square * sqrt_c**2)
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
        through = _into(slope, slope, grad_t).mul_(unit**0.5)
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
        by_q = by_cosh * sinhc / 2 + by_sinhc * _sinhc_slope(square * sqrt_c**2, cosh, sinhc)
        grad_sqrt_c = 2 * sqrt_c * (by_q * square).sum()
        by_square = by_q * sqrt_c**2
        by_square = by_square if grad_square is None else by_square + grad_square

        grad_y = _into(grad_a, grad_a, sinhc).to(n.dtype)
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
    cosh, sinhc = _CoshSinhc.apply(square * sqrt_c**2)
    bound = math.inf if clip is None else float(clip)
    y = y.to(square.dtype)
    return _FullyConnected.apply(y, cosh, sinhc, B.view(shape), T.view(shape), sqrt_c, bound, dim)[:2]


# --- sums of points ---------------------------------------------------------------------------------------------------


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


def valued(x: Tensor, value: Tensor) -> Tensor:
    """The more accurate `value` with the derivatives of x, which is the same number."""
    return x + (value - x).detach()


def cosh_sinhc(square: Tensor) -> tuple[Tensor, Tensor]:
    """cosh(s) and sinh(s)/s for s^2 = `square`. The product of four is finite: s counts as 21 (float64: 176) beyond."""
    return _CoshSinhc.apply(square.clamp_max((_largest(square.dtype) / 4) ** 2))


class _AsinhcOfSquare(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(q):
        s = q.clamp_min(torch.finfo(q.dtype).tiny).sqrt_()
        return asinh_value(s).div_(s)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, grad):
        q, out = ctx.saved_tensors
        return grad * _asinhc_slope(q, out)


def _asinhc_slope(q: Tensor, asinhc: Tensor) -> Tensor:
    """The derivative of asinh(s)/s by q = s^2."""
    # (1/sqrt(1 + q) - asinh(s)/s)/(2q) cancels for small q; the series is exact to rounding below q = 0.01.
    series = _polynomial(q, -1 / 6, 3 / 20, -15 / 112, 35 / 288, -315 / 2816, 693 / 6656)
    return torch.where(q < 0.01, series, ((1 + q).rsqrt() - asinhc) / (2 * q.clamp_min(0.01)))


def asinhc_of_square(square: Tensor) -> Tensor:
    """asinh(s)/s as a function of s^2, of which it is analytic: nothing special happens at s = 0."""
    return _AsinhcOfSquare.apply(square)


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
        return _into(work, grad, alpha), grad_v, grad_alpha, grad_beta


def _add_outer(x: Tensor, v: Tensor, beta: Tensor) -> Tensor:
    """x + beta v, in the memory of x, unless a second derivative will need it."""
    v = v[:, None].expand(len(x), -1, 1)
    return torch.baddbmm(x, v, beta) if torch.is_grad_enabled() else x.baddbmm_(v, beta)


class _Gap(torch.autograd.Function):
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


class _Centred(torch.autograd.Function):
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
        k = _AsinhcOfSquare.forward(torch.addcmul(rest, moved, moved))
        return k * sinhc, (moved - along).mul_(k), k, moved

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output[2:])

    @staticmethod
    def backward(ctx, grad_alpha, grad_beta, grad_k, grad_moved):
        along, rest, gap, sinhc, d, k, moved = ctx.saved_tensors
        by_k = torch.addcmul(grad_alpha * sinhc, grad_beta, moved - along) + grad_k
        by_rest = by_k * _asinhc_slope(torch.addcmul(rest, moved, moved), k)
        through = grad_beta * k
        by_moved = torch.addcmul(through, by_rest, moved, value=2) + grad_moved
        by_d = -(by_moved * (along * (-d).exp() + gap * d.cosh())).sum().view_as(d)
        return by_moved * (-d).exp() - through, by_rest, by_moved * -d.sinh(), grad_alpha * k, by_d


class _BiasedSum(torch.autograd.Function):
    """b (+) (scale x), see `mobius_sum`: points x, (B, C, P), one vector b, a factor for each coordinate, (C, 1).

    Further outputs, for the derivatives: cosh and sinhc of |scale x|, <scale x, b> and k, the length of the sum's
    normal coordinates over that of its space part.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, scale, b, cosh_b, sinhc_b, c):
        y = x * scale
        square = (y * y).sum(1, keepdim=True).mul_(c)
        cosh, sinhc = _CoshSinhc.forward(square.clamp_max_((_largest(x.dtype) / 4) ** 2))
        product = torch.matmul(b.expand(len(x), 1, -1), y)
        part = product * sinhc * (c * sinhc_b)
        time = torch.addcmul(part, cosh, cosh_b)
        k = _AsinhcOfSquare.forward((time - 1).mul_(time + 1).clamp_min_(0))
        beta = (cosh + part / (1 + cosh_b)).mul_(k).mul_(sinhc_b)
        return y.mul_(k * sinhc).baddbmm_(b[:, None].expand(len(x), -1, 1), beta), cosh, sinhc, product, k

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output[1:])

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
        by_time = 2 * time * by_k * _asinhc_slope(((time - 1) * (time + 1)).clamp_min(0), k)
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
        inside = q < (_largest(x.dtype) / 4) ** 2
        by_q = torch.where(inside, by_cosh * sinhc / 2 + by_sinhc * _sinhc_slope(q, cosh, sinhc), 0.0)
        by_c = (by_q * square).sum() + (by_inner * sinhc * product).sum()
        grad_b = torch.matmul(k * sinhc_b * of_b, grad.mT).sum((0, 1)) + torch.matmul(by_product, y.mT).sum((0, 1))
        by_y = _add_outer(_into(work, grad, k * sinhc) + y * (2 * c * by_q), b, by_product)
        grad_scale = _into(y, by_y, x).sum((0, 2)).view_as(scale)
        grads = by_cosh_b.view_as(cosh_b), by_sinhc_b.view_as(sinhc_b), by_c.view_as(c)
        return _into(by_y, by_y, scale), grad_scale, grad_b, *grads


def biased_sum(x: Tensor, scale: Tensor, bias: Tensor, c: Tensor) -> Tensor:
    """bias (+) (scale x) in normal coordinates, see `mobius_sum`: one bias for many points.

    Args:
        x: (B, C, P), coordinates along dimension 1.
        scale: (C,) or one number.
        bias: (C,).
        c: 0-dimensional.
    """
    cosh, sinhc = cosh_sinhc(c * (bias * bias).sum())
    return _BiasedSum.apply(x, scale.view(-1, 1).expand(len(bias), 1), bias, cosh, sinhc, c)[0]


def weighted_sum(x: Tensor, w: Tensor) -> Tensor:
    """sum w_p x_p over points x, (B, C, P), with a weight for each, (B, 1, P)."""
    return _WeightedSum.apply(x, w)


def combination(x: Tensor, v: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha x + beta v of points x, (B, C, P), and one vector v, (C,), with alpha and beta of shape (B, 1, P)."""
    return _Combination.apply(x, v, alpha, beta)


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
