"""Right answers to the exercises of lecture 10 that look nothing like the reference: each must pass."""

import math

import torch
import torch.nn.functional as F

from hyplearn import Klein, Lorentz, NormalCoordinates, PoincareBall, maps, means
from hyplearn import layers as hnn
from hyplearn.layers.convolution import beta_ratio
from hyplearn.numerics import norm


def _from_origin(function, x, dim=-1):
    """x times function(|x|)/|x|, for an odd function of slope 1 at 0."""
    size = x.norm(dim=dim, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, function(safe) / safe, 1.0) * x


def relu_of_the_layer(x, c):
    return hnn.HReLU(PoincareBall(c), dim=-1)(x)


def relu_by_radius(x, c):
    """The share that ReLU keeps of the length is the factor of the distance."""
    size, rest = x.norm(dim=-1, keepdim=True), x.relu().norm(dim=-1, keepdim=True)
    safe, kept = torch.where(size > 0, size, 1.0), torch.where(rest > 0, rest, 1.0)
    radius = torch.tanh(rest / safe * torch.atanh(math.sqrt(c) * size)) / math.sqrt(c)
    return x.relu() * torch.where(rest > 0, radius / kept, 0.0)


def gyroplane_by_moving(x, p, a, c):
    ball = PoincareBall(c)
    w = ball.mobius_add(-p, x)
    side = ball.lambda_x(w) * (w * a).sum(-1) / a.norm(dim=-1)
    return torch.asinh(math.sqrt(c) * side) / math.sqrt(c)


def gyroplane_on_the_hyperboloid(x, p, a, c):
    """The Minkowski product of the point with the plane's unit normal, transported from the origin to p."""
    s, u = math.sqrt(c), a / a.norm(dim=-1, keepdim=True)
    fx, fp = 1 / (1 - c * (x * x).sum(-1, keepdim=True)), 1 / (1 - c * (p * p).sum(-1, keepdim=True))
    tx, tp, sx, sp = 2 * fx - 1, 2 * fp - 1, 2 * s * fx * x, 2 * s * fp * p
    time = (sp * u).sum(-1, keepdim=True)
    normal = u + sp * time / (1 + tp)
    return torch.asinh((sx * normal).sum(-1) - (tx * time).squeeze(-1)) / s


def hlinear_of_the_library(n, z, r, c):
    chart = NormalCoordinates(c)
    layer = hnn.HLinear(z.shape[1], z.shape[0], chart, clip=None).to(n.dtype)
    return torch.func.functional_call(layer, {"weight": z, "bias": r}, (n,))


def hlinear_through_the_ball(n, z, r, c):
    """One plane after the other by the formula of the paper, with the ball's coordinates and its conformal factor."""
    root = math.sqrt(c)
    x = _from_origin(torch.tanh, root * n / 2) / root
    factor = 2 / (1 - c * (x * x).sum(-1))
    distances = []
    for zk, rk in zip(z, r, strict=True):
        size = zk.norm()
        inner = root * factor * (x @ zk) / size * torch.cosh(2 * root * rk)
        distances.append(2 * size * torch.asinh(inner - (factor - 1) * torch.sinh(2 * root * rk)))
    w = torch.stack(distances, -1).sinh()
    y = w / (1 + (1 + (w * w).sum(-1, keepdim=True)).sqrt())
    return 2 * _from_origin(torch.atanh, y) / root


def concat_in_normal_coordinates(x, c):
    ball = PoincareBall(c)
    return ball.from_normal(beta_ratio(*x.shape[-2:]) * ball.to_normal(x).flatten(-2))


def concat_point_by_point(x, c):
    N, n = x.shape[-2:]
    B = [math.gamma(d / 2) * math.gamma(0.5) / math.gamma((d + 1) / 2) for d in (N * n, n)]
    parts = [_from_origin(torch.atanh, math.sqrt(c) * point) for point in x.unbind(-2)]
    return _from_origin(torch.tanh, B[0] / B[1] * torch.cat(parts, -1)) / math.sqrt(c)


def midpoints_by_one_centroid(x, weights, c):
    """The sum of the points of the hyperboloid, read in three charts."""
    s, gap = math.sqrt(c), 1 - c * (x * x).sum(-1, keepdim=True)
    T = (weights * (2 / gap[..., 0] - 1)).sum(-1, keepdim=True)
    S = (weights[..., None] * 2 * s * x / gap).sum(-2)
    length = ((T - norm(S)) * (T + norm(S))).sqrt()
    return S / T / s, S / (T + length) / s, torch.cat((T, S), -1) / length / s


def midpoints_of_the_library(x, weights, c):
    ball = PoincareBall(c)
    middle = means.midpoint(ball, x, weights)
    return maps.convert(middle, ball, Klein(c)), middle, maps.convert(middle, ball, Lorentz(c))


def windows_by_unfolding(n, z, stride, padding):
    C, k = z.shape[1:3]
    height, width = ((size + 2 * padding - k) // stride + 1 for size in n.shape[2:])
    u = beta_ratio(k * k, C) * F.unfold(n, k, stride=stride, padding=padding)
    products = torch.einsum("bpl,kp->bkl", u, z.flatten(1))
    squares = (u * u).sum(1, keepdim=True)
    return products.unflatten(-1, (height, width)), squares.unflatten(-1, (height, width))


def windows_by_pooling(n, z, stride, padding):
    k = z.shape[-1]
    beta = beta_ratio(k * k, n.shape[1])
    squares = F.avg_pool2d(n.square().sum(1, keepdim=True), k, stride=stride, padding=padding) * k * k
    return F.conv2d(beta * n, z, stride=stride, padding=padding), beta * beta * squares


def far_in_logarithms(t, c):
    """log|w_k| and their logsumexp, for rows where no entry is close to 0."""
    near = t.abs().amax(-1, keepdim=True) < 3
    plain = _from_origin(torch.asinh, torch.where(near, t, 0.0).sinh())
    a = torch.where(t == 0, 1.0, t.abs())
    logs = torch.where(t == 0, -torch.inf, a + torch.log1p(-torch.exp(-2 * a)) - math.log(2))
    total = torch.logsumexp(2 * torch.where(near, 1.0, logs), -1, keepdim=True) / 2
    radius = total + torch.log1p(torch.sqrt(1 + torch.exp(-2 * total)))
    far = radius * torch.sign(t) * torch.exp(torch.where(near, 1.0, logs) - total)
    return torch.where(near, plain, far) / math.sqrt(c)


def far_one_row_at_a_time(t, c):
    """Rows beyond the range of sinh lose the mirror term; the others do not need it."""
    rows = []
    for row in t.reshape(-1, t.shape[-1]):
        M = float(row.detach().abs().max())
        if M < 20:
            rows.append(_from_origin(torch.asinh, row.sinh()))
        else:
            q = torch.sign(row) * (torch.exp(row.abs() - M) - torch.exp(-row.abs() - M))
            rows.append((M + torch.log(q.norm())) * q / q.norm())
    return torch.stack(rows).reshape(t.shape) / math.sqrt(c)


ALTERNATIVES = {
    "relu": [relu_of_the_layer, relu_by_radius],
    "gyroplane_distance": [gyroplane_by_moving, gyroplane_on_the_hyperboloid],
    "hlinear": [hlinear_of_the_library, hlinear_through_the_ball],
    "beta_concat": [concat_in_normal_coordinates, concat_point_by_point],
    "midpoints": [midpoints_by_one_centroid, midpoints_of_the_library],
    "window_products": [windows_by_unfolding, windows_by_pooling],
    "far_out": [far_in_logarithms, far_one_row_at_a_time],
}
