"""Right answers to the exercises of lecture 07 that look nothing like the reference: each must pass."""

import itertools
import math

import torch

from hyplearn import Lorentz, PoincareBall


def aperture_by_the_distance(x, c, K):
    return torch.asin(2 * K / torch.sinh(math.sqrt(c) * PoincareBall(c).dist0(x)))


def aperture_one_by_one(x, c, K):
    sines = [K * (1 - c * (p @ p)) / (c * (p @ p)).sqrt() for p in x.reshape(-1, x.shape[-1])]
    return torch.asin(torch.stack(sines)).reshape(x.shape[:-1])


def angle_by_the_logarithm(x, y, c):
    """Kahan's angle between two vectors: accurate for all of them."""
    w = PoincareBall(c).logmap(x, y)
    u = x / x.norm(dim=-1, keepdim=True)
    w = w / w.norm(dim=-1, keepdim=True)
    return 2 * torch.atan2((u - w).norm(dim=-1), (u + w).norm(dim=-1))


def angle_on_the_hyperboloid(x, y, c):
    """Sides of the triangle: the part of y across the axis, and t <y, u> - r t', all from the ball."""
    u = x / x.norm(dim=-1, keepdim=True)
    D, g = y - x, 1 - c * (x * x).sum(-1)
    beyond = (D * u).sum(-1)
    across = (D - beyond.unsqueeze(-1) * u).norm(dim=-1)
    return torch.atan2(g * across, g * beyond - c * (D * D).sum(-1) * x.norm(dim=-1))


def energy_by_atan2(x, y, c, K):
    s, p = math.sqrt(c) * x[..., 1:], math.sqrt(c) * y[..., 1:]
    r = s.norm(dim=-1)
    u = s / r.unsqueeze(-1)
    height = (p * u).sum(-1)
    across = (p - height.unsqueeze(-1) * u).norm(dim=-1)
    along = math.sqrt(c) * (x[..., 0] * height - r * y[..., 0])
    return torch.relu(torch.atan2(across, along) - torch.arcsin(2 * K / r))


def energy_by_the_logarithm(x, y, c, K):
    space = Lorentz(c)
    w = space.logmap(x, y)
    t, s = math.sqrt(c) * x[..., 0], math.sqrt(c) * x[..., 1:]
    r = s.norm(dim=-1)
    outward = torch.cat([r.unsqueeze(-1), t.unsqueeze(-1) * s / r.unsqueeze(-1)], -1)
    cosine = space.inner(x, w, outward) / space.norm(x, w)
    return torch.maximum(torch.acos(cosine) - torch.asin(2 * K / r), torch.zeros_like(r))


def violations_by_three_loops(above):
    n, count = len(above), 0
    for i, j, k in itertools.permutations(range(n), 3):
        count += bool(above[i, j] and above[j, k] and not above[i, k])
    return count


def violations_all_at_once(above):
    different = ~torch.eye(len(above), dtype=torch.bool)
    return (above[:, :, None] & above[None] & (~above & different)[:, None, :]).sum().item()


def threshold_by_trying_all(scores, true):
    values = sorted(set(scores.tolist()))
    candidates = [(a + b) / 2 for a, b in itertools.pairwise(values)] + [values[-1]]

    def f1(t):
        predicted = scores.double() <= t
        return 2 * int((predicted & true).sum()) / int(predicted.sum() + true.sum())

    return max(candidates, key=f1)


def shadow_of_a_far_point(x, c, K):
    """Where the geodesic along the cone's side ends: found by the motion that brings x to the origin, undone."""
    r = math.sqrt(c) * x.norm(dim=-1)
    psi = torch.asin(K * (1 - r**2) / r)
    # The boundary point exp(i psi) seen from the origin goes to (exp(i psi) + r) / (1 + r exp(i psi)).
    turn = torch.polar(torch.ones_like(psi), psi)
    return ((turn + r) / (1 + r * turn)).angle()


def shadow_by_half_angles(x, c, K):
    d = math.sqrt(c) * PoincareBall(c).dist0(x)
    sine = 2 * K / torch.sinh(d)
    half = sine / (1 + (1 - sine) ** 0.5 * (1 + sine) ** 0.5)
    return 2 * torch.arctan(torch.exp(-d) * half)


ALTERNATIVES = {
    "half_aperture": [aperture_by_the_distance, aperture_one_by_one],
    "apex_angle": [angle_by_the_logarithm, angle_on_the_hyperboloid],
    "energy": [energy_by_atan2, energy_by_the_logarithm],
    "violations": [violations_by_three_loops, violations_all_at_once],
    "best_threshold": [threshold_by_trying_all],
    "shadow": [shadow_of_a_far_point, shadow_by_half_angles],
}
