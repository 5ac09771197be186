"""The few functions whose textbook form loses digits. Each states its error bound; tests/test_numerics.py measures it.

The rule of the manifolds is: compute in double precision, round once (`double_inside`). Half and single precision
then lose nothing to cancellation, and what is left to do for double precision is `one_minus_csq`.
"""

import functools
import inspect

import torch
from torch import Tensor


def double_inside(function):
    """Decorator: floating tensor arguments are widened to float64, the result is rounded once to their common dtype.

    The two casts cost less than they look, since the functions are bound by memory traffic and by transcendentals.
    """
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        dtypes = [a.dtype for a in arguments.values() if isinstance(a, Tensor)]
        wide = {k: a.double() if isinstance(a, Tensor) else a for k, a in arguments.items()}
        return function(**wide).to(functools.reduce(torch.promote_types, dtypes))

    return wrapped


def widen(*tensors: Tensor) -> tuple:
    """The common dtype of floating tensors, and the tensors in float64."""
    return functools.reduce(torch.promote_types, [t.dtype for t in tensors]), *(t.double() for t in tensors)


def dot(x: Tensor, y: Tensor, dim: int = -1) -> Tensor:
    """<x, y> along `dim`, which is kept."""
    return (x * y).sum(dim=dim, keepdim=True)


def safe_sqrt(x: Tensor) -> Tensor:
    """sqrt(x) for x >= 0, with derivative 0 at x = 0 (where a norm has no derivative and 0 is the natural choice)."""
    positive = x > 0
    # Both wheres are needed: one for the value, one so that the branch not taken has a finite derivative.
    return torch.where(positive, torch.where(positive, x, 1.0).sqrt(), 0.0)


def norm(x: Tensor, dim: int = -1) -> Tensor:
    """|x| along `dim`, which is kept; gradient 0 at x = 0. Squares underflow below 1e-154 in float64 (then |x| = 0).

    (x * x).sum() is 50 times faster than `torch.norm` along the channels of an image.
    """
    return safe_sqrt(dot(x, x, dim))


def clip_norm(x: Tensor, limit: float | Tensor, onto: float | Tensor, dim: int = -1) -> Tensor:
    """x where |x| <= limit, else onto x / |x|; without overflow, infinite coordinates count as 1e300."""
    x = x.clamp(-1e300, 1e300)
    scale = x.detach().abs().amax(dim=dim, keepdim=True).clamp_min(1.0)
    length = scale * norm(x / scale, dim)
    outside = length > limit
    return x * torch.where(outside, onto / torch.where(outside, length, 1.0), 1.0)


def asinh_value(x: Tensor) -> Tensor:
    """`asinh` without a derivative, for use inside an autograd.Function."""
    # Few passes, in place: for large tensors the time goes into memory, not into arithmetic.
    a = x.abs()
    m = a.clamp_max(0.5 * torch.finfo(x.dtype).max ** 0.5)  # m * m must not overflow
    m.div_((m * m).add_(1).sqrt_().add_(1))
    return m.mul_(a).add_(a).log1p_().copysign_(x)


class _Asinh(torch.autograd.Function):
    generate_vmap_rule = True

    forward = staticmethod(asinh_value)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / torch.hypot(x, torch.ones_like(x))


def asinh(x: Tensor) -> Tensor:
    """asinh(x) = sign(x) log(|x| + sqrt(1 + x^2)), to 3 eps, without overflow below half the dtype's largest number.

    As log1p(a + a^2 / (1 + sqrt(1 + a^2))) it is about 6 times faster than `torch.asinh` on a CPU. It has no
    forward-mode derivative, which torch.compile does not accept on an autograd.Function: take Hessians with
    jacrev(jacrev(f)).
    """
    return _Asinh.apply(x)


def _ratio(numerator: Tensor, x: Tensor) -> Tensor:
    """numerator / x for an odd function of x >= 0 with slope 1 at 0: 1 there, with derivative 0."""
    return torch.where(x > 0, numerator / torch.where(x > 0, x, 1.0), 1.0)


def sinhc(x: Tensor) -> Tensor:
    """sinh(x) / x for x >= 0; 1 at 0; to 2 eps. Overflows with sinh, from 710 in float64."""
    return _ratio(torch.sinh(x), x)


def tanhc(x: Tensor) -> Tensor:
    """tanh(x) / x for x >= 0; 1 at 0; to 2 eps."""
    return _ratio(torch.tanh(x), x)


def asinhc(x: Tensor) -> Tensor:
    """asinh(x) / x for x >= 0; 1 at 0; to 4 eps."""
    return _ratio(asinh(x), x)


def sinhc_minus_1(x: Tensor) -> Tensor:
    """(sinh(x) / x - 1) / x^2 for x >= 0; 1/6 at 0; to 4 eps.

    Below 1 the quotient would cancel, so there it is the Taylor series sum_k x^(2k) / (2k + 3)!.
    """
    small = x < 1
    square = torch.where(small, x, 0.0).square()
    series = torch.ones_like(x)
    for k in range(8, 0, -1):  # Horner; the first term left out is 18! 3! / 21! < 2e-16 of the sum
        series = 1 + series * square / ((2 * k + 2) * (2 * k + 3))
    wide = torch.where(small, 1.0, x)
    return torch.where(small, series / 6, (torch.sinh(wide) / wide - 1) / wide.square())


def _split(a: Tensor) -> tuple[Tensor, Tensor]:
    """a = high + low with 26 bits each (Veltkamp 1968)."""
    t = 134217729.0 * a  # 2^27 + 1
    high = t - (t - a)
    return high, a - high


def _one_minus_csq_exact(x: Tensor, c: Tensor, dim: int) -> Tensor:
    # x = h + l + m on two grids, chosen so that every product and sum of the leading terms is exact: h has 26 bits,
    # l the next 24, and m is below 2^-50 (Rump, Ogita and Oishi 2008 extract leading bits by adding and subtracting
    # sigma in the same way). Sums over up to 500 coordinates stay exact.
    sigma = 1.5 * 2**27 / c.sqrt()
    h = (x + sigma) - sigma
    rest = x - h
    sigma = sigma / 2**24
    l = (rest + sigma) - sigma  # noqa: E741
    m = rest - l
    hh, hl = dot(h, h, dim), 2 * dot(h, l, dim)
    # |x|^2 = high + low, c * high = product + error (Dekker 1971), both without rounding
    high = hh + hl
    low = (hl - (high - hh)) + dot(2 * h, m, dim) + dot(rest, rest, dim)
    product = c * high
    (c1, c2), (s1, s2) = _split(c), _split(high)
    error = c2 * s2 - (((product - c1 * s1) - c2 * s1) - c1 * s2)
    return ((1 - product) - error) - c * low


def one_minus_csq(x: Tensor, c: Tensor, dim: int = -1) -> Tensor:
    """1 - c|x|^2 along `dim` (kept), for float64 x; relative error, while the value exceeds 1e-15, 4 eps for up to 10
    coordinates and 50 eps for 300.

    The plain form has an absolute error of eps, so that a point of the ball at distance 30 from the origin loses all
    digits of its distance to the boundary.
    """
    plain = 1 - c * dot(x, x, dim)
    # The value of the exact sum, the derivatives of the plain one: they are the same function.
    return plain + (_one_minus_csq_exact(x.detach(), c.detach(), dim) - plain.detach())
