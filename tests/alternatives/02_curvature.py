"""Right answers to the exercises of lecture 02 that look nothing like the reference: each must pass."""

import math

import torch
from torch.func import jacfwd, vmap

from hyplearn import PoincareBall


def curvature_corner_by_corner(angles, area):
    """What the outer angles, pi minus the inner ones, leave of a full turn."""
    outer = [math.pi - a for a in angles.unbind(-1)]
    return (2 * math.pi - sum(outer)) / area


def curvature_by_a_fan(angles, area):
    flat = math.pi * (angles.shape[-1] - 2) / angles.shape[-1]
    return torch.einsum("...i->...", angles - flat) / area


def disk_in_complex_numbers(r, K):
    """sin(sqrt(K) r)/sqrt(K) for a complex root, and a series where sqrt(K) r is tiny."""
    r, K = torch.broadcast_tensors(r, K)

    def chord(r):
        t = K * r * r
        small = t.abs() < 1e-3
        root = torch.where(small, 1.0, t).to(torch.complex128 if r.dtype == torch.float64 else torch.complex64).sqrt()
        series = 1 - t / 6 * (1 - t / 20 * (1 - t / 42 * (1 - t / 72)))
        return r * torch.where(small, series, (root.sin() / root).real)

    return 2 * math.pi * chord(r), 4 * math.pi * chord(r / 2) ** 2


def disk_one_by_one(r, K):
    r, K = torch.broadcast_tensors(r, K)
    circumferences, areas = [], []
    for radius, k in zip(r.flatten(), K.flatten(), strict=True):
        if k > 0:
            root = k.sqrt()
            circumferences.append(2 * math.pi / root * torch.sin(root * radius))
            areas.append(math.pi * (2 / root * torch.sin(root * radius / 2)) ** 2)
        elif k < 0:
            root = (-k).sqrt()
            circumferences.append(2 * math.pi / root * torch.sinh(root * radius))
            areas.append(math.pi * (2 / root * torch.sinh(root * radius / 2)) ** 2)
        else:
            circumferences.append(2 * math.pi * radius)
            areas.append(math.pi * radius**2)
    return [torch.stack(circumferences).reshape(r.shape), torch.stack(areas).reshape(r.shape)]


def gaussian_by_determinants(patch, u):
    """det(d11, d1, d2) det(d22, d1, d2) - det(d12, d1, d2)^2, over the squared area of the parallelogram, squared."""
    s, t = u.unbind(-1)
    zero = 0 * s
    p, q = (torch.stack((zero + 1, a, a * a, a**3), -1) for a in (s, t))
    dp, dq = (torch.stack((zero, zero + 1, 2 * a, 3 * a * a), -1) for a in (s, t))
    ddp, ddq = (torch.stack((zero, zero, zero + 2, 6 * a), -1) for a in (s, t))
    d1, d2, d11, d12, d22 = (
        torch.einsum("mij,...i,...j->...m", patch, a, b) for a, b in ((dp, q), (p, dq), (ddp, q), (dp, dq), (p, ddq))
    )
    a, b, c = (torch.linalg.det(torch.stack((d, d1, d2), -1)) for d in (d11, d12, d22))
    e, f, g = (d1 * d1).sum(-1), (d1 * d2).sum(-1), (d2 * d2).sum(-1)
    return (a * c - b * b) / (e * g - f * f) ** 2


def christoffel_in_loops(g, dg):
    n = g.shape[-1]
    inverse = torch.linalg.inv(g)
    gamma = torch.zeros_like(dg)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                for m in range(n):
                    bracket = dg[..., m, j, i] + dg[..., m, i, j] - dg[..., i, j, m]
                    gamma[..., k, i, j] += inverse[..., k, m] * bracket / 2
    return gamma


def christoffel_by_solving(g, dg):
    n = g.shape[-1]
    lowered = (dg.swapaxes(-1, -2) + dg - dg.movedim(-1, -3)) / 2  # [l, i, j]
    return torch.linalg.solve(g, lowered.flatten(-2)).reshape(*dg.shape[:-3], n, n, n)


def sectional_by_differentiating(g, dg, ddg, u, v):
    """A metric with the given derivatives, and autograd for the rest."""
    batch = torch.broadcast_shapes(g.shape[:-2], dg.shape[:-3], ddg.shape[:-4], u.shape[:-1], v.shape[:-1])

    def many(t, core):
        return t.expand(*batch, *t.shape[t.ndim - core :]).reshape(-1, *t.shape[t.ndim - core :])

    def at(g, dg, ddg, u, v):
        def gamma(x):
            here = g + dg @ x + (ddg @ x) @ x / 2
            slope = dg + (ddg @ x + ddg.transpose(-1, -2) @ x) / 2
            lowered = (slope.transpose(1, 2) + slope - slope.permute(2, 0, 1)) / 2
            return torch.einsum("kl,lij->kij", torch.linalg.inv(here), lowered)

        symbols, slopes = gamma(torch.zeros_like(u)), jacfwd(gamma)(torch.zeros_like(u))

        def turn(a, b, w):  # R(a, b) w
            first = torch.einsum("ljki,i,j,k->l", slopes, a, b, w) - torch.einsum("likj,i,j,k->l", slopes, a, b, w)
            inner = torch.einsum("mjk,j,k->m", symbols, b, w), torch.einsum("mik,i,k->m", symbols, a, w)
            second = torch.einsum("lim,i,m->l", symbols, a, inner[0]) - torch.einsum("ljm,j,m->l", symbols, b, inner[1])
            return first + second

        return (turn(u, v, v) @ g @ u) / ((u @ g @ u) * (v @ g @ v) - (u @ g @ v) ** 2)

    stacked = many(g, 2), many(dg, 3), many(ddg, 4), many(u, 1), many(v, 1)
    return vmap(at)(*stacked).reshape(batch)


def sectional_with_lowered_indices(g, dg, ddg, u, v):
    """R_lkij = 1/2 (second derivatives) + g(G, G) - g(G, G), without a derivative of the inverse."""
    gamma = torch.linalg.solve(g, ((dg.swapaxes(-1, -2) + dg - dg.movedim(-1, -3)) / 2).flatten(-2)).reshape(dg.shape)
    lowered = torch.einsum("...ab,...bij->...aij", g, gamma)
    second = (
        torch.einsum("...ljki->...lkij", ddg)
        + torch.einsum("...kilj->...lkij", ddg)
        - torch.einsum("...likj->...lkij", ddg)
        - torch.einsum("...kjli->...lkij", ddg)
    ) / 2
    products = torch.einsum("...pil,...pjk->...lkij", gamma, lowered)
    down = second - products + products.transpose(-1, -2)
    top = torch.einsum("...lkij,...l,...k,...i,...j->...", down, u, v, u, v)
    uu, uv, vv = (torch.einsum("...ij,...i,...j->...", g, a, b) for a, b in ((u, u), (u, v), (v, v)))
    return top / (uu * vv - uv * uv)


def metric_by_diag(x, c):
    square = torch.einsum("...i,...i->...", x, x)
    return torch.diag_embed((4 / (1 - c * square) ** 2)[..., None].expand_as(x))


def metric_from_the_library(x, c):
    """The inner products of the coordinate vectors, one by one."""
    ball, basis = PoincareBall(c), torch.eye(x.shape[-1], dtype=x.dtype)
    rows = [torch.stack([ball.inner(x, a.expand_as(x), b.expand_as(x)) for b in basis], -1) for a in basis]
    return torch.stack(rows, -2)


def geodesic_in_components(x, v, c, time, steps):
    """By the Christoffel symbols G^k_ij = (d_ki x_j + ... ), written as a tensor."""
    if steps < 1:
        raise ValueError("one step at the least")
    x, v = torch.broadcast_tensors(x, v)
    one = torch.eye(x.shape[-1], dtype=x.dtype)
    h = time / steps

    def acceleration(x, v):
        slope = 2 * c * x / (1 - c * (x * x).sum(-1, keepdim=True))  # of the logarithm of the conformal factor
        gamma = (
            torch.einsum("ki,...j->...kij", one, slope)
            + torch.einsum("kj,...i->...kij", one, slope)
            - torch.einsum("ij,...k->...kij", one, slope)
        )
        return -torch.einsum("...kij,...i,...j->...k", gamma, v, v)

    for _ in range(steps):
        v1, a1 = v, acceleration(x, v)
        v2, a2 = v + h / 2 * a1, acceleration(x + h / 2 * v1, v + h / 2 * a1)
        v3, a3 = v + h / 2 * a2, acceleration(x + h / 2 * v2, v + h / 2 * a2)
        v4, a4 = v + h * a3, acceleration(x + h * v3, v + h * a3)
        x, v = x + h * (v1 / 6 + v2 / 3 + v3 / 3 + v4 / 6), v + h * (a1 / 6 + a2 / 3 + a3 / 3 + a4 / 6)
    return x, v


def circle_by_bisection(r, circumference):
    """Bisection of the two branches apart, in x = sqrt(|K|) r, one circle after another, in float64."""
    r, circumference = torch.broadcast_tensors(r, circumference)

    def one(r, length):
        ratio = length / (2 * math.pi * r)
        if ratio == 1:
            return 0.0
        low, high = (0.0, math.pi) if ratio < 1 else (0.0, 2 * math.log(ratio) + 4)
        f = (lambda x: math.sin(x) / x - ratio) if ratio < 1 else (lambda x: ratio - math.sinh(x) / x)
        for _ in range(200):
            x = (low + high) / 2
            low, high = (x, high) if f(x) > 0 else (low, x)
        return (1 if ratio < 1 else -1) * (x / r) ** 2

    found = [one(a.item(), b.item()) for a, b in zip(r.flatten(), circumference.flatten(), strict=True)]
    return torch.tensor(found, dtype=torch.float64).to(r.dtype).reshape(r.shape)


ALTERNATIVES = {
    "curvature_from_angles": [curvature_corner_by_corner, curvature_by_a_fan],
    "disk_size": [disk_in_complex_numbers, disk_one_by_one],
    "gaussian_curvature": [gaussian_by_determinants],
    "christoffel": [christoffel_in_loops, christoffel_by_solving],
    "sectional_curvature": [sectional_by_differentiating, sectional_with_lowered_indices],
    "ball_metric": [metric_by_diag, metric_from_the_library],
    "geodesic": [geodesic_in_components],
    "curvature_of_circle": [circle_by_bisection],
}
