"""Right answers to the exercises of lecture 09 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import Lorentz, NormalCoordinates, PoincareBall


def curvature_in_log_space(start, theta):
    return torch.exp(theta + math.log(start))


def curvature_as_a_power(start, theta):
    return start * torch.pow(torch.full_like(theta, 2.0), theta / math.log(2))


def lorentz_by_projection(p, q, c):
    """The part of q across p in place of all products p_i q_j - p_j q_i."""
    s = math.sqrt(c)
    p, q = torch.broadcast_tensors(s * p, s * q)
    pp, qq, pq = (p * p).sum(-1), (q * q).sum(-1), (p * q).sum(-1)
    across = q - p * (pq / torch.where(pp > 0, pp, 1.0)).unsqueeze(-1)
    D, tp, tq = q - p, (1 + pp).sqrt(), (1 + qq).sqrt()
    near = 2 * ((D * D).sum(-1) + pp * (across * across).sum(-1)) / (1 + tp * tq + pq.clamp_min(0))
    far = 2 * (pp / (1 + tp) * tq + qq / (1 + tq) - pq)
    square = torch.where(pq > 0, near, far)
    root = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return 2 / s * torch.asinh(root / 2)


def lorentz_of_the_library(p, q, c):
    p, q = (torch.cat(((1 / c + (v * v).sum(-1, keepdim=True)).sqrt(), v), -1) for v in (p, q))
    return Lorentz(c).dist(p, q)


def sinhc_by_series_everywhere(x):
    """The power series, as far as it takes."""
    y, term, total = x * x, torch.ones_like(x), torch.ones_like(x)
    for k in range(1, 60):
        term = term * y / (2 * k * (2 * k + 1))
        total = total + term
    return total


class _Sinhc(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x == 0, torch.ones_like(x), torch.sinh(x) / x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        y = x * x
        series = x / 3 * (1 + y / 10 * (1 + y / 28 * (1 + y / 54 * (1 + y / 88 * (1 + y / 130 * (1 + y / 180))))))
        return grad * torch.where(x.abs() < 1, series, (torch.cosh(x) - torch.sinh(x) / x) / x)


def sinhc_with_a_backward(x):
    return _Sinhc.apply(x)


def projx_with_a_mask(x, c, eps):
    out = x.clone()
    outside = c * (x * x).sum(-1) >= 1
    far = x[outside]
    limit = (1 - eps) / math.sqrt(c)
    out[outside] = far / far.norm(dim=-1, keepdim=True) * limit
    return out


def projx_with_where(x, c, eps):
    n = x.norm(dim=-1, keepdim=True)
    outside = math.sqrt(c) * n >= 1
    limit = (1 - eps) / math.sqrt(c)
    return torch.where(outside, limit * x / torch.where(outside, n, torch.ones_like(n)), x)


def radam_in_frames(x, g, m, v, t, c, lr):
    """Lengths by the conformal factor, and the transport by the flow along the geodesic."""
    ball = PoincareBall(c)
    factor = ball.lambda_x(x, keepdim=True)
    m = m + (g / factor**2 - m) * (1 - 0.9)
    v = v + (((g / factor) ** 2).sum(-1) - v) * (1 - 0.999)
    step = -lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8).unsqueeze(-1)
    y = ball.expmap(x, step)
    return y, ball.transp(x, y, m), v


def radam_by_the_sum(x, g, m, v, t, c, lr):
    """The exponential map and the transport from Mobius sums."""
    ball, s = PoincareBall(c), math.sqrt(c)
    factor = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    r = g / factor / factor
    m, v = 0.9 * m + 0.1 * r, 0.999 * v + 0.001 * (r * r).sum(-1) * factor.squeeze(-1) ** 2
    step = -lr * m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8).unsqueeze(-1)
    n = step.norm(dim=-1, keepdim=True)
    w = torch.tanh(s * factor * n / 2) * step / (s * torch.where(n > 0, n, 1.0))
    y = ball.mobius_add(x, w)
    return y, ball.gyration(y, -x, m) * factor / ball.lambda_x(y, keepdim=True), v


def descend_by_the_flow(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), None
    for k in range(gradients.shape[-2]):
        r = ball.egrad2rgrad(x, gradients[..., k, :])
        buffer = r if buffer is None else momentum * buffer + r
        x, buffer = ball.geodesic_flow(x, buffer, -lr)
    return x


def descend_with_its_own_gradient(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), 0
    for g in gradients.unbind(-2):
        gap = 1 - c * (x * x).sum(-1, keepdim=True)
        buffer = momentum * buffer + gap * gap / 4 * g
        y = ball.expmap(x, -lr * buffer)
        buffer = ball.transp(x, y, buffer)
        x = y
    return x


def by_hand_with_autograd(x, c):
    """No hand at all: the machine differentiates, in x and in c."""
    x = x.detach().double().requires_grad_()
    k = torch.full(x.shape[:-1], c, dtype=torch.float64, requires_grad=True)
    d = 2 / k.sqrt() * torch.asinh(k.sqrt() * x.norm(dim=-1) / (1 - k * (x * x).sum(-1)).sqrt())
    by_x, by_c = torch.autograd.grad(d.sum(), (x, k))
    return d.detach(), by_x, by_c


def by_hand_in_the_callers_dtype(x, c):
    return tuple(part.to(x.dtype) for part in by_hand_with_autograd(x, c))


def by_hand_with_atanh(x, c):
    r = math.sqrt(c) * x.norm(dim=-1)
    gap, t = (1 - r) * (1 + r), torch.atanh(r)
    by_x = 2 * x / torch.where(r > 0, r, 1.0).unsqueeze(-1) * math.sqrt(c) / gap.unsqueeze(-1)
    return 2 * t / math.sqrt(c), by_x, (r / gap - t) / c**1.5


def normal_on_the_hyperboloid(m, n, c):
    """The haversine formula in float64, with the sine of the angle from all products m_i n_j - m_j n_i."""
    dtype, s = m.dtype, math.sqrt(c)
    a, b = torch.broadcast_tensors(s * m.double(), s * n.double())
    d1, d2, p = a.norm(dim=-1), b.norm(dim=-1), (a * b).sum(-1)
    cross = a.unsqueeze(-1) * b.unsqueeze(-2)
    area = ((cross - cross.mT) ** 2).sum((-1, -2)) / 2
    E = torch.where(p > 0, area / torch.where(p > 0, d1 * d2 + p, 1.0), d1 * d2 - p)
    far = torch.where(d1 + d2 > 0, d1 + d2, 1.0)
    dd = ((a - b) * (a + b)).sum(-1) / far
    ratio = [torch.where(d > 0, torch.sinh(d) / torch.where(d > 0, d, 1.0), 1.0) for d in (d1, d2)]
    square = torch.sinh(dd / 2) ** 2 + ratio[0] * ratio[1] * E / 2
    root = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return (2 / s * torch.asinh(root)).to(dtype)


def normal_of_the_library(m, n, c):
    return NormalCoordinates(c).dist(m, n)


ALTERNATIVES = {
    "curvature": [curvature_in_log_space, curvature_as_a_power],
    "lorentz_dist": [lorentz_by_projection, lorentz_of_the_library],
    "sinhc": [sinhc_by_series_everywhere, sinhc_with_a_backward],
    "projx": [projx_with_a_mask, projx_with_where],
    "radam_step": [radam_in_frames, radam_by_the_sum],
    "descend": [descend_by_the_flow, descend_with_its_own_gradient],
    "dist0_by_hand": [by_hand_in_the_callers_dtype, by_hand_with_atanh],
    "normal_dist": [normal_on_the_hyperboloid, normal_of_the_library],
}
