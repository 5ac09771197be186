"""Right answers to the exercises of lecture 03 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import HalfSpace, Hemisphere, Klein, Lorentz, PoincareBall, maps, means

CHARTS = {"ball": PoincareBall, "klein": Klein, "half-space": HalfSpace, "hemisphere": Hemisphere}


def minkowski_by_a_matrix(x, y):
    metric = torch.eye(x.shape[-1], dtype=x.dtype)
    metric[0, 0] = -1
    return torch.einsum("...i,ij,...j->...", x, metric, y)


def minkowski_in_one_loop(x, y):
    total = -x[..., 0] * y[..., 0]
    for i in range(1, x.shape[-1]):
        total = total + x[..., i] * y[..., i]
    return total


def to_by_the_library(x, chart, c):
    if chart not in CHARTS:
        raise ValueError(chart)
    return maps.convert(x, CHARTS[chart](c), Lorentz(c))


def to_by_scaling_a_ray(x, chart, c):
    """A vector in the right direction, then scaled until <p, p> = -1/c."""
    square = c * (x * x).sum(-1, keepdim=True)
    rays = {
        "ball": lambda: (1 + square, 2 * c**0.5 * x),
        "klein": lambda: (torch.ones_like(square), c**0.5 * x),
        "half-space": lambda: (1 + square, 2 * c**0.5 * x[..., :-1], square - 1),
        "hemisphere": lambda: (torch.ones_like(square), c**0.5 * x[..., :-1]),
    }
    if chart not in rays:
        raise ValueError(chart)
    ray = torch.cat(rays[chart](), -1).double()
    length = (ray[..., :1] ** 2 - (ray[..., 1:] ** 2).sum(-1, keepdim=True)).sqrt()
    return (ray / length / c**0.5).to(x.dtype)


def from_by_the_library(p, chart, c):
    if chart not in CHARTS:
        raise ValueError(chart)
    return maps.convert(p, Lorentz(c), CHARTS[chart](c))


def from_with_the_radius(p, chart, c):
    """Without scaling to the unit hyperboloid: every formula with the length R = 1/sqrt(c)."""
    R, t, s = 1 / math.sqrt(c), p[..., :1], p[..., 1:]
    if chart == "ball":
        return R * s / (R + t)
    if chart == "klein":
        return R * s / t
    if chart == "hemisphere":
        return torch.cat((R * s / t, R * R / t), -1)
    if chart == "half-space":
        height = R * R / (t - s[..., -1:])
        return torch.cat((s[..., :-1] * height / R, height), -1)
    raise ValueError(chart)


def distance_by_the_library(x, y, c):
    return Lorentz(c).dist(x, y)


def distance_in_logarithms(x, y, c):
    apart = x - y
    h = (c * ((apart[..., 1:] ** 2).sum(-1) - apart[..., 0] ** 2)).clamp(min=0).sqrt() / 2
    return 2 * torch.log1p(h + h * h / (1 + (1 + h * h).sqrt())) / c**0.5


def klein_by_the_library(x, y, c):
    return Klein(c).dist(x, y)


def klein_by_four_lengths(x, y, c):
    x, y = torch.broadcast_tensors(x, y)
    flat = [pair for pair in zip(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), strict=True)]
    found = []
    for u, v in flat:
        if torch.equal(u, v):
            found.append(((u - v) ** 2).sum())
            continue
        D = v - u
        A, B, C = D @ D, 2 * u @ D, u @ u - 1 / c
        root = (B * B - 4 * A * C).sqrt()
        a, b = u + (-B - root) / (2 * A) * D, u + (-B + root) / (2 * A) * D
        lengths = (v - a).norm() * (u - b).norm() / ((u - a).norm() * (v - b).norm())
        found.append(lengths.log() / (2 * c**0.5))
    return torch.stack(found).reshape(x.shape[:-1])


def midpoint_by_the_library(x, weights, c):
    return means.midpoint(Klein(c), x, weights)


def midpoint_on_the_hyperboloid(x, weights, c):
    """The sum of the points there, seen from the origin."""
    t = 1 / (1 - c * (x * x).sum(-1, keepdim=True)).sqrt()
    total = (weights.unsqueeze(-1) * torch.cat((t, t * x), -1)).sum(-2)
    return total[..., 1:] / total[..., :1]


def isometry_by_gram_matrices(x, y, c):
    """-c <p, q> = cosh(sqrt(c) d) is all that there is to keep."""
    square = c * (x * x).sum(-1, keepdim=True)
    p = torch.cat((1 + square, 2 * c**0.5 * x), -1).double() / (1 - square) / c**0.5

    def gram(q):
        q = q.double()
        sign = torch.ones(q.shape[-1], dtype=q.dtype)
        sign[0] = -1
        return torch.acosh((-c * (q * sign) @ q.mT).clamp(min=1))

    return ((gram(p) - gram(y)).abs() < 0.03).flatten(-2).all(-1)


def isometry_pair_by_pair(x, y, c):
    batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    xs, ys = x.expand(*batch, *x.shape[-2:]), y.expand(*batch, *y.shape[-2:])
    if batch:
        return torch.stack([isometry_pair_by_pair(u, v, c) for u, v in zip(xs, ys, strict=True)])
    ball, sheet = PoincareBall(c), Lorentz(c)
    return torch.tensor(
        all(
            abs(ball.dist(x[i], x[j]) - sheet.dist(y[i], y[j])) <= 0.01 / c**0.5
            for i in range(len(x))
            for j in range(i)
        )
    )


def frechet_by_reweighted_centroids(x, weights, c):
    x, w = c**0.5 * x.double(), weights.double()
    t = (1 - (x * x).sum(-1, keepdim=True)).rsqrt()
    p, mass = torch.cat((t, t * x), -1), w.unsqueeze(-1)
    for _ in range(60):
        total = (mass * p).sum(-2, keepdim=True)
        m = total / (total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)).sqrt()
        apart = p - m
        chord = ((apart[..., 1:] ** 2).sum(-1) - apart[..., 0] ** 2).clamp(min=1e-20).sqrt().unsqueeze(-1)
        z = 2 * torch.asinh(chord / 2)
        mass = w.unsqueeze(-1) * z / torch.sinh(z)
    return (m[..., 0, 1:] / m[..., 0, :1] / c**0.5).to(weights.dtype)


ALTERNATIVES = {
    "minkowski": [minkowski_by_a_matrix, minkowski_in_one_loop],
    "to_hyperboloid": [to_by_the_library, to_by_scaling_a_ray],
    "from_hyperboloid": [from_by_the_library, from_with_the_radius],
    "lorentz_distance": [distance_by_the_library, distance_in_logarithms],
    "klein_distance": [klein_by_the_library, klein_by_four_lengths],
    "einstein_midpoint": [midpoint_by_the_library, midpoint_on_the_hyperboloid],
    "is_isometry": [isometry_by_gram_matrices, isometry_pair_by_pair],
    "frechet_mean": [frechet_by_reweighted_centroids],
}
