"""Right answers to the exercises of lecture 08 that look nothing like the reference: each must pass."""

import cmath
import math

import torch

from hyplearn import PoincareBall


def bits_by_softplus(d, tol, c):
    """1 + cosh z = exp(z) (1 + exp(-z))^2 / 2."""
    s = math.sqrt(c)
    return (s * d + 2 * torch.nn.functional.softplus(-s * d)) / math.log(2) - math.log2(2 * s * tol)


def bits_by_the_half_angle(d, tol, c):
    """1 + cosh z = 2 cosh(z/2)^2, with a logarithm of cosh that cannot overflow."""
    half = math.sqrt(c) * d / 2
    log_cosh = torch.logaddexp(half, -half) - math.log(2)
    return (math.log(2) + 2 * log_cosh) / math.log(2) - math.log2(math.sqrt(c) * tol)


def children_by_angles(up, count, r, c):
    start = torch.atan2(up[..., 1], up[..., 0])
    angle = start[..., None] + 2 * math.pi / (count + 1) * torch.arange(1, count + 1, dtype=up.dtype)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()), dim=-1)


def children_one_after_the_other(up, count, r, c):
    angle = 2 * math.pi / (count + 1)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=up.dtype)
    arrow, places = up / up.norm(dim=-1, keepdim=True) * r / 2, []
    for _ in range(count):
        arrow = arrow @ turn.T
        places.append(PoincareBall(c).expmap0(arrow))
    return torch.stack(places, dim=-2)


def reflection_by_the_sum(a, x, c):
    """Moved so that a is at the origin, then left and right exchanged across the line at right angles to a."""
    moved = PoincareBall(c).mobius_add(-a, x)
    u = a / a.norm(dim=-1, keepdim=True)
    return moved - 2 * (moved * u).sum(-1, keepdim=True) * u


def reflection_on_the_hyperboloid(a, x, c):
    """x -> x - 2 <x, n> n / <n, n> with n = A - O in Minkowski space."""
    s = math.sqrt(c)
    aa, xx = c * (a * a).sum(-1, keepdim=True), c * (x * x).sum(-1, keepdim=True)
    A, X = 2 * s * a / (1 - aa), 2 * s * x / (1 - xx)
    height, time = 2 * aa / (1 - aa), (1 + xx) / (1 - xx)  # A - O = (height, A)
    product = (A * X).sum(-1, keepdim=True) - height * time
    size = (A * A).sum(-1, keepdim=True) - height**2
    space, time = X - 2 * product / size * A, time - 2 * product / size * height
    return space / (1 + time) / s


def sarkar_by_translations(parents, lengths, c):
    """In complex numbers, by the motions of the disk that keep left and right."""
    s, points = math.sqrt(c), [torch.zeros((), dtype=torch.complex128)] * len(parents)
    for node, parent in enumerate(parents):
        below = [k for k, p in enumerate(parents) if p == node]
        here, start = points[node], torch.ones((), dtype=torch.complex128)
        if node:
            start = (points[parent] - here) / (1 - here.conj() * points[parent])
            start = start / start.abs()
        for k, child in enumerate(below):
            turn = cmath.exp(2j * math.pi * (k / len(below) if node == 0 else -(k + 1) / (len(below) + 1)))
            z = torch.tanh(s * lengths[child].double() / 2) * start * turn
            points[child] = (z + here) / (1 + here.conj() * z)
    return torch.view_as_real(torch.stack(points)).to(lengths.dtype) / s


def sarkar_downwards(parents, lengths, c):
    """Recursively, each subtree in its own frame, then moved to its place by the reflection."""

    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum(-1, keepdim=True)

    def place(node, up, sense):
        """The subtree with the node at the origin and its parent in the direction `up`: {node: point}.

        One mirror after the other: each exchanges left and right, so the sense alternates.
        """
        below = [k for k, p in enumerate(parents) if p == node]
        found = {node: torch.zeros_like(lengths[:1].expand(2))}
        for k, child in enumerate(below):
            angle = up + sense * 2 * math.pi * (k / len(below) if node == 0 else (k + 1) / (len(below) + 1))
            here = torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c)
            here = here * torch.tensor([math.cos(angle), math.sin(angle)], dtype=lengths.dtype)
            for other, point in place(child, angle, -sense if node else 1).items():
                found[other] = mirror(here, point)
        return found

    places = place(0, 0.0, 1)
    return torch.stack([places[k] for k in range(len(parents))])


def path_by_logarithms(theta, scale, c):
    """4 sinh^2(d/2) = 4 sinh^2(l) sin^2(theta/2), as a logarithm from the start."""
    z = math.sqrt(c) * scale.double()
    log_h = z + torch.log(-torch.expm1(-2 * z) / 2) + torch.log(torch.sin(theta.double() / 2))
    near = torch.asinh(torch.exp(log_h.clamp_max(20.0)))
    half = torch.where(log_h < 20.0, near, log_h + math.log(2))
    return (z / half).to(torch.promote_types(theta.dtype, scale.dtype))


def path_by_two_cases(theta, scale, c):
    z = math.sqrt(c) * scale
    limit = 40.0
    near = torch.asinh(torch.sinh(z.clamp_max(limit)) * torch.sin(theta / 2))
    return z / torch.where(z < limit, near, z + torch.log(torch.sin(theta / 2)))


def end_by_the_law_of_cosines(lengths, turns, c):
    """Edge by edge: the distance to the start, and the angle under which it is seen."""
    s, d, dtype = math.sqrt(c), lengths[..., 0].double() * math.sqrt(c), lengths.dtype
    lengths, turns = lengths.double(), turns.double()
    seen = torch.full_like(d, math.pi)  # from straight ahead, counter-clockwise
    for k in range(turns.shape[-1]):
        z, angle = s * lengths[..., k + 1], seen - turns[..., k]
        half = torch.sin(angle / 2) ** 2
        gap = (d - z).abs()
        log_h2 = torch.logaddexp(
            gap + 2 * torch.log(-torch.expm1(-gap)),
            d + z + torch.log(torch.expm1(-2 * d) * torch.expm1(-2 * z)) + half.log(),
        )
        across = torch.sin(angle) / torch.cosh(z.clamp_max(700.0))
        back = torch.tanh(z) / torch.tanh(d) - torch.cos(angle)
        seen = torch.atan2(across, -back)
        small = 2 * torch.asinh(log_h2.clamp_max(1.0).mul(0.5).exp() / 2)
        d = torch.where(
            log_h2 < 1, small, log_h2 + 2 * torch.log((1 + (1 + 4 * torch.exp(-log_h2.clamp_min(0.0))).sqrt()) / 2)
        )
    return (d / s).to(dtype)


ALTERNATIVES = {
    "bits_needed": [bits_by_softplus, bits_by_the_half_angle],
    "place_children": [children_by_angles, children_one_after_the_other],
    "reflection": [reflection_by_the_sum, reflection_on_the_hyperboloid],
    "sarkar": [sarkar_by_translations, sarkar_downwards],
    "path_distortion": [path_by_logarithms, path_by_two_cases],
    "end_to_end": [end_by_the_law_of_cosines],
}
