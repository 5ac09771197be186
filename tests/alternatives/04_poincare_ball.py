"""Right answers to the exercises of lecture 04 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import PoincareBall


def lambda_one_by_one(x, c):
    factors = [2 / (1 - c * (p @ p)) for p in x.reshape(-1, x.shape[-1])]
    return torch.stack(factors).reshape(x.shape[:-1])


def lambda_by_einsum(x, c):
    return 2 / (1 - torch.einsum("...i,...i->...", math.sqrt(c) * x, math.sqrt(c) * x))


def add_by_gaps(x, y, c):
    D = x + y
    cDD = c * (D * D).sum(-1, keepdim=True)
    gx, gy = 1 - c * (x * x).sum(-1, keepdim=True), 1 - c * (y * y).sum(-1, keepdim=True)
    return (cDD * x + gx * D) / (cDD + gx * gy)


def add_by_walking(x, y, c):
    ball = PoincareBall(c)
    return ball.expmap(x, ball.transp0(x, ball.logmap0(y)))


def dist_by_log1p(x, y, c):
    gaps = (1 - c * x.pow(2).sum(dim=-1)) * (1 - c * y.pow(2).sum(dim=-1))
    s = math.sqrt(c) * torch.linalg.vector_norm(x - y, dim=-1) / gaps.sqrt()
    return 2 / math.sqrt(c) * torch.log1p(s + s * (s / (1 + torch.hypot(torch.ones_like(s), s))))


def dist_one_coordinate_at_a_time(x, y, c):
    x, y = torch.broadcast_tensors(x, y)
    gx = gy = 1.0
    for p, q in zip(x.unbind(-1), y.unbind(-1), strict=True):
        gx, gy = gx - c * p * p, gy - c * q * q
    return 2 * torch.asinh((x - y).norm(dim=-1) * (c / gx / gy).sqrt()) / c**0.5


def scalar_through_the_tangent_space(r, x, c):
    ball = PoincareBall(c)
    return ball.expmap0(r[..., None] * ball.logmap0(x))


def scalar_with_a_mask(r, x, c):
    """The distance and the direction, with the origin moved out of the way and put back by its limit."""
    n = x.norm(dim=-1, keepdim=True)
    away = torch.where(n == 0, torch.full_like(n, 0.5 / math.sqrt(c)), n)
    d = PoincareBall(c).dist0(away)[..., None]
    scale = torch.tanh(r[..., None] * math.sqrt(c) * d / 2) / math.sqrt(c) / away
    return torch.where(n == 0, r[..., None] * x, scale * x)


def exp_by_gaps(x, v, c):
    s, gx, n = math.sqrt(c), 1 - c * (x * x).sum(-1, keepdim=True), v.norm(dim=-1, keepdim=True)
    stretch = torch.where(n > 0, torch.tanh(s * n / gx) / (s * torch.where(n > 0, n, torch.ones_like(n))), 1 / gx)
    return add_by_gaps(x, stretch * v, c)


def exp_by_the_flow(x, v, c):
    return PoincareBall(c).geodesic_flow(x, v, 1.0)[0]


def log_by_the_sum(x, y, c):
    """-x + y as Ungar writes it; its direction, and the accurate distance for the length."""
    xy, xx, yy = ((p * q).sum(-1, keepdim=True) for p, q in ((-x, y), (x, x), (y, y)))
    w = ((1 + 2 * c * xy + c * yy) * -x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    n = w.norm(dim=-1, keepdim=True)
    safe = torch.where(n > 0, n, torch.full_like(n, 0.5 / math.sqrt(c)))
    scale = torch.where(n > 0, torch.atanh(math.sqrt(c) * safe) / (math.sqrt(c) * safe), torch.ones_like(n))
    return (1 - c * xx) * scale * w


def log_of_the_library(x, y, c):
    return PoincareBall(c).logmap(x, y)


def transport_by_the_gyration(x, y, v, c):
    ball = PoincareBall(c)
    return ball.gyration(y, -x, v) * ball.lambda_x(x, keepdim=True) / ball.lambda_x(y, keepdim=True)


def transport_by_gaps(x, y, v, c):
    """The gyration in the gaps 1 - c|x|^2 and 1 - c|y|^2, in the units in which c = 1."""
    u, w = math.sqrt(c) * y, -math.sqrt(c) * x
    D = u + w
    gu, gw = 1 - (u * u).sum(-1, keepdim=True), 1 - (w * w).sum(-1, keepdim=True)
    DD = (D * D).sum(-1, keepdim=True)
    one = ((gw * D + DD * w) * v).sum(-1, keepdim=True) * u
    two = ((D - gu * w) * v).sum(-1, keepdim=True) * D
    return (v + 2 * (one - two) / (DD + gu * gw)) * gu / gw


def holonomy_of_an_arrow(x, y, z, c):
    ball = PoincareBall(c)
    x, y, z = torch.broadcast_tensors(x, y, z)
    arrow = torch.zeros_like(x)
    arrow[..., 0] = 1
    back = ball.transp(z, x, ball.transp(y, z, ball.transp(x, y, arrow)))
    return torch.atan2(back[..., 1], back[..., 0])


def holonomy_side_by_side(x, y, z, c):
    """The angle of 1 - b conj(a) in real numbers: the side from a to b spans half of it at the centre."""
    x, y, z = torch.broadcast_tensors(x, y, z)

    def half(a, b):
        return -torch.atan2(c * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]), 1 - c * (a * b).sum(-1))

    return 2 * (half(x, y) + half(y, z) + half(z, x))


ALTERNATIVES = {
    "lambda_x": [lambda_one_by_one, lambda_by_einsum],
    "mobius_add": [add_by_gaps, add_by_walking],
    "dist": [dist_by_log1p, dist_one_coordinate_at_a_time],
    "mobius_scalar_mul": [scalar_through_the_tangent_space, scalar_with_a_mask],
    "expmap": [exp_by_gaps, exp_by_the_flow],
    "logmap": [log_by_the_sum, log_of_the_library],
    "transp": [transport_by_the_gyration, transport_by_gaps],
    "holonomy": [holonomy_of_an_arrow, holonomy_side_by_side],
}
