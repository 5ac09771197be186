"""Right answers to the exercises of lecture 13 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import NormalCoordinates, PoincareBall, maps, means
from hyplearn.manifolds import Lorentz


def energy_with_the_largest_out(logits, temperature):
    scaled = logits / temperature
    top = scaled.detach().amax(-1, keepdim=True)
    return -temperature * ((scaled - top).exp().sum(-1).log() + top.squeeze(-1))


def energy_class_by_class(logits, temperature):
    total = logits[..., 0] / temperature
    for k in range(1, logits.shape[-1]):
        total = torch.logaddexp(total, logits[..., k] / temperature)
    return -temperature * total


def rate_by_counting(known, unknown, percent):
    """The smallest score that accepts enough, tried one after the other."""
    for threshold in sorted(known.tolist()):
        if sum(score <= threshold for score in known.tolist()) * 100 >= percent * len(known):
            return torch.tensor(sum(s <= threshold for s in unknown.tolist()) / len(unknown), dtype=known.dtype)
    raise AssertionError("percent is at most 100")


def rate_by_kthvalue(known, unknown, percent):
    threshold = known.kthvalue(-(-percent * len(known) // 100)).values
    return 1 - (unknown > threshold).to(known.dtype).mean()


def init_by_an_inverse_root(noise, gain):
    """M (M^T M)^(-1/2), or (M M^T)^(-1/2) M where it is wide."""
    rows = noise.flatten(1).double()
    wide = rows.shape[0] <= rows.shape[1]
    values, vectors = torch.linalg.eigh(rows @ rows.mT if wide else rows.mT @ rows)
    root = vectors @ (vectors / values.sqrt()).mT
    return (gain / 2 * (root @ rows if wide else rows @ root)).view(noise.shape).to(noise.dtype)


def init_by_newton(noise, gain):
    """Newton's iteration for the polar factor."""
    rows = noise.flatten(1).double()
    x = rows / torch.linalg.matrix_norm(rows, 2)
    for _ in range(60):
        x = 1.5 * x - 0.5 * x @ x.mT @ x
    return (gain / 2 * x).view(noise.shape).to(noise.dtype)


def residual_along_the_geodesic(n, step, c):
    """From n along the geodesic whose velocity is the step, transported from the origin."""
    chart, stride = NormalCoordinates(c), n.shape[2] // step.shape[2]
    start = torch.zeros_like(step)
    start = torch.cat((n[:, :, ::stride, ::stride], start[:, n.shape[1] :]), 1)
    return chart.expmap(start, chart.transp0(start, step, dim=1), dim=1)


def residual_on_the_hyperboloid(n, step, c):
    """A boost along n, applied to the point of the step."""
    stride, q = n.shape[2] // step.shape[2], math.sqrt(c)
    x = torch.zeros_like(step).index_add(1, torch.arange(n.shape[1]), n[:, :, ::stride, ::stride])

    def over(f, a):
        safe = torch.where(a > 0, a, 1.0)
        return torch.where(a > 0, f(safe) / safe, 1.0)

    (dx, dy) = (q * v.norm(dim=1, keepdim=True) for v in (x, step))
    sx, sy = (q * over(torch.sinh, d) * v for d, v in ((dx, x), (dy, step)))
    space = sy + sx * (dy.cosh() + (sx * sy).sum(1, keepdim=True) / (1 + dx.cosh()))
    return over(torch.asinh, space.norm(dim=1, keepdim=True)) * space / q


def norm_of_the_library(x, mean, var, weight, bias, training, c):
    ball = PoincareBall(c)
    centre, spread = mean, var
    if training:
        if x.shape[0] == 1:
            raise ValueError("one point")
        centre = means.midpoint(ball, x)
        spread = ball.dist(centre, x).square().mean()
        mean = ball.geodesic(0.1, mean, centre)
        var = torch.lerp(var, spread, 0.1)
    centred = ball.mobius_scalar_mul(weight / torch.sqrt(spread + 1e-5), ball.mobius_add(-centre, x))
    y = ball.mobius_add(bias, centred)
    return y, mean.detach(), var.detach()


def norm_in_normal_coordinates(x, mean, var, weight, bias, training, c):
    ball, chart = PoincareBall(c), NormalCoordinates(c)
    n, m, b = (ball.to_normal(p) for p in (x, mean, bias))
    if training:
        if len(n) < 2:
            raise ValueError("one point")
        centre = means.midpoint(chart, n)
        spread = chart.dist(centre, n).square().mean()
        new_mean, new_var = chart.geodesic(0.1, m, centre), 0.9 * var + 0.1 * spread
    else:
        centre, spread, new_mean, new_var = m, var, m, var
    centre = centre.expand_as(n)
    v = chart.transp(centre, torch.zeros_like(n), chart.logmap(centre, n)) * (weight / (spread + 1e-5).sqrt())
    y = chart.expmap(b.expand_as(n), chart.transp0(b.expand_as(n), v))
    return ball.from_normal(y), ball.from_normal(new_mean).detach(), new_var.detach()


def radius_pair_by_pair(v, z):
    steep = [2 * row.norm() for row in z]
    rows = []
    for row in v.reshape(-1, v.shape[-1]):
        top = int(row.argmax())
        rows.append(
            torch.stack([(row[top] - row[k]) / (steep[top] + steep[k]) for k in range(len(z)) if k != top]).min()
        )
    return torch.stack(rows).reshape(v.shape[:-1])


def radius_of_all_pairs(v, z):
    """For each class the worst of its pairs; the largest of these belongs to the class that wins."""
    s = 2 * z.norm(dim=-1)
    pairs = (v[..., :, None] - v[..., None, :]) / (s[:, None] + s[None, :])
    pairs = pairs.masked_fill(torch.eye(len(z), dtype=torch.bool), math.inf)
    return pairs.amin(-1).amax(-1).clamp_min(0.0)


def boundary_by_points(n, z, r, c):
    """Half the distance of a point from its mirror image in the boundary."""
    lorentz, chart = Lorentz(c), NormalCoordinates(c)
    X = maps.convert(n.double(), chart, lorentz) * math.sqrt(c)
    rho, unit = 2 * math.sqrt(c) * r.double(), z.double() / z.double().norm(dim=-1, keepdim=True)
    N = torch.cat((rho.sinh()[:, None], rho.cosh()[:, None] * unit), -1)
    N = N[0] - N[1]
    square = N[1:].square().sum() - N[0] ** 2
    inner = (X[..., 1:] * N[1:]).sum(-1) - X[..., 0] * N[0]
    if square <= 0:
        return (math.inf * inner.sign()).to(n.dtype)
    mirror = X - 2 * (inner / square)[..., None] * N
    return (inner.sign() * lorentz.dist(X / math.sqrt(c), mirror / math.sqrt(c)) / 2).to(n.dtype)


def boundary_by_walking(n, z, r, c):
    """asinh of the height over the plane, in the exponential form of every cosh and sinh."""
    q = math.sqrt(c)
    d = q * n.norm(dim=-1)
    up, down = torch.exp(d), torch.exp(-d)
    u = n / torch.where(d > 0, d / q, 1.0)[..., None]
    rho = 2 * q * r
    t = (torch.exp(rho) - torch.exp(-rho)) / 2
    s = ((torch.exp(rho) + torch.exp(-rho)) / 2)[:, None] * torch.nn.functional.normalize(z, dim=-1)
    time, space = t[0] - t[1], s[0] - s[1]
    height = (up - down) / 2 * (u * space).sum(-1) - (up + down) / 2 * time
    square = float((space * space).sum() - time * time)
    return (
        torch.asinh(height / math.sqrt(square)) / q
        if square > 0
        else torch.copysign(torch.full_like(d, math.inf), height)
    )


ALTERNATIVES = {
    "energy": [energy_with_the_largest_out, energy_class_by_class],
    "false_positive_rate": [rate_by_counting, rate_by_kthvalue],
    "init_planes": [init_by_an_inverse_root, init_by_newton],
    "residual": [residual_along_the_geodesic, residual_on_the_hyperboloid],
    "batch_norm": [norm_of_the_library, norm_in_normal_coordinates],
    "certified_radius": [radius_pair_by_pair, radius_of_all_pairs],
    "boundary_distance": [boundary_by_points, boundary_by_walking],
}
