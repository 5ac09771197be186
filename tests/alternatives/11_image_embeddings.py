"""Right answers to the exercises of lecture 11 that look nothing like the reference: each must pass."""

import itertools
import math
import statistics

import torch

from hyplearn import Klein, NormalCoordinates, PoincareBall, maps, means
from hyplearn.metrics import auroc, relative_delta
from hyplearn.numerics import norm


def lift_in_normal_coordinates(v, radius, c):
    """The clip moves the point to the distance 2 radius, and no farther."""
    size = norm(v)
    return PoincareBall(c).from_normal(2 * v * (radius / torch.where(size > radius, size, radius)))


def lift_by_the_formula(v, radius, c):
    rows = []
    for row in v.reshape(-1, v.shape[-1]):
        size = row.norm()
        if size == 0:
            rows.append(row)
        else:
            rows.append(torch.tanh(math.sqrt(c) * size.clamp(max=radius)) / math.sqrt(c) * (row / size))
    return torch.stack(rows).reshape(v.shape)


def prototypes_by_klein(x, labels, classes, c):
    """The Einstein midpoint of each class, mapped back."""
    ball, klein = PoincareBall(c), Klein(c)
    k = maps.convert(x, ball, klein)
    gamma = 1 / (1 - c * (k * k).sum(-1)).sqrt()
    total = torch.zeros(classes, x.shape[1], dtype=x.dtype).index_add(0, labels, gamma[:, None] * k)
    weight = torch.zeros(classes, dtype=x.dtype).index_add(0, labels, gamma)
    return maps.convert(total / weight[:, None], klein, ball)


def prototypes_class_by_class(x, labels, classes, c):
    return torch.stack([means.midpoint(PoincareBall(c), x[labels == k]) for k in range(classes)])


def frechet_of_the_library_elsewhere(x, c):
    """In normal coordinates, and back."""
    ball, chart = PoincareBall(c), NormalCoordinates(c)
    return ball.from_normal(means.frechet_mean(chart, ball.to_normal(x)))


def frechet_on_the_hyperboloid(x, c):
    """The same walk with points (t, s) of the unit hyperboloid, from the midpoint."""
    root = math.sqrt(c)
    gap = 1 - c * (x * x).sum(-1, keepdim=True)
    t, s = 2 / gap - 1, 2 * root * x / gap
    T, S = t.sum(-2, keepdim=True), s.sum(-2, keepdim=True)
    size = (T * T - (S * S).sum(-1, keepdim=True)).sqrt()
    T, S = T / size, S / size
    for _ in range(70):
        # sinh^2(d/2) from the difference of the points keeps the digits of short distances
        dt, ds = t - T, s - S
        half = (((ds * ds).sum(-1, keepdim=True) - dt * dt) / 4).clamp_min(0)
        near = half > 1e-20
        d = 2 * torch.asinh(torch.where(near, half, 1.0).sqrt())
        pull = torch.where(near, d / d.sinh(), 1.0)
        cosh = 1 + 2 * half
        vt = 0.4 * (pull * (t - cosh * T)).mean(-2, keepdim=True)
        vs = 0.4 * (pull * (s - cosh * S)).mean(-2, keepdim=True)
        length = ((vs * vs).sum(-1, keepdim=True) - vt * vt).clamp_min(1e-30).sqrt()
        S = length.cosh() * S + length.sinh() / length * vs
        T = (1 + (S * S).sum(-1, keepdim=True)).sqrt()
    return (S / (1 + T)).squeeze(-2) / root


def episode_with_lists(labels, class_noise, image_noise, ways, shots, queries):
    label, noise = labels.tolist(), image_noise.tolist()
    classes = sorted(range(len(class_noise)), key=class_noise.tolist().__getitem__)[:ways]
    if len(classes) < ways:
        raise ValueError("too few classes")
    support, query = [], []
    for k in classes:
        images = sorted((i for i, of in enumerate(label) if of == k), key=noise.__getitem__)
        if len(images) < shots + queries:
            raise ValueError("too few images")
        support.append(images[:shots])
        query.append(images[shots : shots + queries])
    return torch.tensor(support), torch.tensor(query)


def episode_by_topk(labels, class_noise, image_noise, ways, shots, queries):
    """Images of other classes get infinite noise."""
    if ways > len(class_noise):
        raise ValueError("ways")
    classes = class_noise.topk(ways, largest=False, sorted=True).indices
    noise = torch.where(labels == classes[:, None], image_noise, torch.inf)
    count = shots + queries
    if (noise.isfinite().sum(1) < count).any():
        raise ValueError("images")
    return noise.topk(count, largest=False, sorted=True).indices.split([shots, queries], 1)


def sampled_with_the_library(distances, subsets):
    values = [relative_delta(distances[i][:, i]) for i in subsets]
    error = statistics.stdev(values) / len(values) ** 0.5
    return torch.tensor(statistics.mean(values), dtype=distances.dtype), torch.tensor(error, dtype=distances.dtype)


def sampled_by_four_points(distances, subsets):
    """Half the gap of the two largest sums of opposite distances, for the base and three others."""
    values = []
    for subset in subsets.tolist():
        w, worst = subset[0], 0.0
        for x, y, z in itertools.product(subset, repeat=3):
            D = distances
            sums = torch.stack([D[x, y] + D[z, w], D[y, z] + D[x, w], D[x, z] + D[y, w]]).sort().values
            worst = max(worst, float(sums[2] - sums[1]) / 2)
        values.append(2 * worst / float(distances[subset][:, subset].max()))
    values = torch.tensor(values, dtype=distances.dtype)
    return values.mean(), values.var().div(len(values)).sqrt()


def uncertainty_of_the_library(distances, corrupted):
    order = torch.tensor(sorted(range(len(distances)), key=lambda i: (float(distances[i]), i)))
    return order, torch.tensor(auroc(-distances, corrupted), dtype=distances.dtype)


def uncertainty_by_ranks(distances, corrupted):
    """Mann and Whitney: the sum of the ranks of the clean ones."""
    _, place, counts = distances.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts - 1) / 2)[place].to(distances.dtype)
    bad, good = int(corrupted.sum()), int((~corrupted).sum())
    area = (ranks[~corrupted].sum() - good * (good + 1) / 2) / (bad * good)
    return torch.sort(distances, stable=True).indices, area


def refine_in_normal_coordinates(support, query, c):
    ball, chart = PoincareBall(c), NormalCoordinates(c)
    s, q = ball.to_normal(support), ball.to_normal(query)
    weights = (-chart.cdist(q, means.midpoint(chart, s))).softmax(1)
    refined = []
    for k in range(len(s)):
        w = torch.cat((torch.ones(s.shape[1], dtype=s.dtype), weights[:, k]))
        refined.append(means.midpoint(chart, torch.cat((s[k], q)), w))
    return ball.from_normal(torch.stack(refined))


ALTERNATIVES = {
    "lift": [lift_in_normal_coordinates, lift_by_the_formula],
    "prototypes": [prototypes_by_klein, prototypes_class_by_class],
    "frechet_prototype": [frechet_of_the_library_elsewhere, frechet_on_the_hyperboloid],
    "episode": [episode_with_lists, episode_by_topk],
    "sampled_delta": [sampled_with_the_library, sampled_by_four_points],
    "uncertainty": [uncertainty_of_the_library, uncertainty_by_ranks],
    "refine": [refine_in_normal_coordinates],
}
