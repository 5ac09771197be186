"""Right answers to the exercises of lecture 01 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import PoincareBall, plane


def area_one_by_one(angles, c):
    flat = angles.reshape(-1, 3)
    areas = [(math.pi - alpha - beta - gamma) / c for alpha, beta, gamma in flat]
    return torch.stack(areas).reshape(angles.shape[:-1])


def area_by_einsum(angles, c):
    return torch.einsum("...i->...", math.pi / 3 - angles) / c


def parallelism_by_its_cotangent(d, c):
    slope = torch.sinh(math.sqrt(c) * d)
    return torch.atan2(torch.ones_like(slope), slope)


def parallelism_in_one_loop(d, c):
    angles = [2 * torch.atan2((-(c**0.5) * each).exp(), torch.ones_like(each)) for each in d.flatten()]
    return torch.stack(angles).reshape(d.shape)


def geodesic_by_inversion(x, y, c):
    """The circle through x, y and the mirror image of x in the rim, by the formula of a circumscribed circle."""
    if x.shape[-1] != 2 or y.shape[-1] != 2 or (x == y).all(dim=-1).any():
        raise ValueError("two points, please")
    x, y = torch.broadcast_tensors(x, y)
    eps = torch.finfo(x.dtype).eps
    on_axis = (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).abs() <= 4 * eps * x.norm(dim=-1) * y.norm(dim=-1)
    x_safe = torch.where(on_axis[..., None], torch.tensor([0.5, 0.0]).to(x), x)
    y_safe = torch.where(on_axis[..., None], torch.tensor([0.0, 0.5]).to(x), y)
    image = x_safe / (c * (x_safe**2).sum(-1, keepdim=True))
    b, d = y_safe - x_safe, image - x_safe
    twice_area = 2 * (b[..., 0] * d[..., 1] - b[..., 1] * d[..., 0])
    bb, dd = (b * b).sum(-1), (d * d).sum(-1)
    offset = torch.stack((d[..., 1] * bb - b[..., 1] * dd, b[..., 0] * dd - d[..., 0] * bb), -1) / twice_area[..., None]
    centre = torch.where(on_axis[..., None], torch.zeros_like(x), x_safe + offset)
    return centre, torch.where(on_axis, torch.full_like(bb, torch.inf), offset.norm(dim=-1))


def geodesic_by_linear_systems(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2:
        raise ValueError("only in the plane")
    x, y = torch.broadcast_tensors(x, y)
    centres, radii = [], []
    for u, v in zip(x.reshape(-1, 2), y.reshape(-1, 2), strict=True):
        if torch.equal(u, v):
            raise ValueError("the same point twice")
        matrix = torch.stack((u, v))
        if matrix.det().abs() <= 4 * torch.finfo(u.dtype).eps * u.norm() * v.norm():
            centres.append(torch.zeros_like(u))
            radii.append(torch.full_like(u[0], torch.inf))
            continue
        centre = torch.linalg.solve(2 * matrix, torch.stack((u @ u, v @ v)) + 1 / c)
        centres.append(centre)
        radii.append((centre @ centre - 1 / c).sqrt())
    return torch.stack(centres).reshape(x.shape), torch.stack(radii).reshape(x.shape[:-1])


def angles_between_logarithms(x, y, z, c):
    ball = PoincareBall(c)
    x, y, z = torch.broadcast_tensors(x, y, z)

    def angle(at, u, v):
        p, q = ball.logmap(at, u), ball.logmap(at, v)
        return torch.acos(((p * q).sum(-1) / (p.norm(dim=-1) * q.norm(dim=-1))).clamp(-1, 1))

    return torch.stack([angle(x, y, z), angle(y, z, x), angle(z, x, y)], dim=-1)


def angles_by_atan2(x, y, z, c):
    return plane.triangle_angles(x, y, z, c)


def angles_by_the_law_of_cosines(x, y, z, c):
    """With acosh for the sides, one triangle after another."""

    def side(u, v):
        return torch.acosh(1 + 2 * c * ((u - v) @ (u - v)) / ((1 - c * (u @ u)) * (1 - c * (v @ v))))

    rows = []
    corners = [p.reshape(-1, 2) for p in torch.broadcast_tensors(x, y, z)]
    for p, q, r in zip(*corners, strict=True):
        a, b, d = side(q, r), side(r, p), side(p, q)
        row = [
            (torch.cosh(v) * torch.cosh(w) - torch.cosh(u)) / (torch.sinh(v) * torch.sinh(w))
            for u, v, w in ((a, b, d), (b, d, a), (d, a, b))
        ]
        rows.append(torch.stack(row).clamp(-1, 1).acos())
    return torch.stack(rows).reshape(*torch.broadcast_shapes(x.shape, y.shape, z.shape)[:-1], 3)


def relation_by_chords(first, second):
    """Ends on either side of a straight chord, as in the Klein disk."""

    def point(angle):
        return torch.stack((angle.cos(), angle.sin()), -1)

    a, b, p, q = (point(t) for t in (first[..., 0], first[..., 1], second[..., 0], second[..., 1]))

    def side(r):
        u, v = b - a, r - a
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    def same(r, s):
        return (r - s).norm(dim=-1) < 1e-4

    common = (same(a, p) | same(b, p)).long() + (same(a, q) | same(b, q)).long()
    plain = torch.where(side(p) * side(q) < 0, 0, 2)
    return torch.where(common == 2, 3, torch.where(common == 1, 1, plain))


def relation_in_python(first, second):
    first, second = torch.broadcast_tensors(first, second)

    def one(a, b, p, q):
        def same(s, t):
            return abs(math.remainder(s - t, 2 * math.pi)) < 1e-4

        common = sum(same(s, t) for s in (a, b) for t in (p, q))
        if common:
            return 3 if common == 2 else 1
        a, b, p, q = (t % (2 * math.pi) for t in (a, b, p, q))
        low, high = min(a, b), max(a, b)
        return 0 if (low < p < high) != (low < q < high) else 2

    rows = [one(*r.tolist(), *s.tolist()) for r, s in zip(first.reshape(-1, 2), second.reshape(-1, 2), strict=True)]
    return torch.tensor(rows).reshape(first.shape[:-1])


def lambert_by_atan2(a, b, c):
    s = torch.sinh(c**0.5 * a) * torch.sinh(c**0.5 * b)
    return torch.atan2(((1 - s) * (1 + s)).sqrt(), s)


def lambert_with_a_mask(a, b, c):
    s = torch.sinh(math.sqrt(c) * a) * torch.sinh(math.sqrt(c) * b)
    exists = s <= 1
    return torch.where(exists, torch.acos(torch.where(exists, s, torch.zeros_like(s))), torch.nan)


def saccheri_by_its_cosine(base, leg, c):
    half, leg = math.sqrt(c) * base / 2, math.sqrt(c) * leg
    summit = 2 / math.sqrt(c) * torch.asinh(torch.sinh(half) * torch.cosh(leg))
    return summit, torch.atan2(torch.cosh(half), torch.sinh(half) * torch.sinh(leg))


def saccheri_by_half_the_angle(base, leg, c):
    base, leg = torch.broadcast_tensors(math.sqrt(c) * base, math.sqrt(c) * leg)
    sine = torch.cosh(leg) * torch.sinh(base / 2)
    summit = 2 * torch.log(sine + torch.hypot(torch.ones_like(sine), sine)) / math.sqrt(c)
    tangent = torch.tanh(base / 2) * torch.sinh(leg)
    return [summit, 2 * torch.atan(1 / (tangent + torch.hypot(torch.ones_like(tangent), tangent)))]


ALTERNATIVES = {
    "triangle_area": [area_one_by_one, area_by_einsum],
    "angle_of_parallelism": [parallelism_by_its_cotangent, parallelism_in_one_loop],
    "geodesic_through": [geodesic_by_inversion, geodesic_by_linear_systems],
    "triangle_angles": [angles_between_logarithms, angles_by_atan2, angles_by_the_law_of_cosines],
    "relation": [relation_by_chords, relation_in_python],
    "lambert_angle": [lambert_by_atan2, lambert_with_a_mask],
    "saccheri": [saccheri_by_its_cosine, saccheri_by_half_the_angle],
}
