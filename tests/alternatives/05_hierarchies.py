"""Right answers to the exercises of lecture 05 that look nothing like the reference: each must pass."""

import itertools
import math

import torch


def balls_by_sorting(distances, radii):
    return torch.searchsorted(distances.sort(dim=1).values, radii.expand(len(distances), -1).contiguous(), right=True)


def balls_one_by_one(distances, radii):
    sizes = [[sum(1 for d in row if d <= r) for r in radii.tolist()] for row in distances.tolist()]
    return torch.tensor(sizes)


def product_by_einsum(distances, base):
    ones = torch.ones_like(distances[..., 0, :])
    outer = torch.einsum("...i,...j->...ij", distances[..., base, :], ones)
    return 0.5 * (outer + outer.mT - distances)


def product_of_rows_and_columns(distances, base):
    row, column = distances[..., base : base + 1, :], distances[..., :, base : base + 1]
    return (row - distances).div(2) + column / 2


def delta_by_three_loops(distances, base):
    n = len(distances)
    far = distances[base]
    p = [[(far[i] + far[j] - distances[i, j]) / 2 for j in range(n)] for i in range(n)]
    worst = torch.zeros((), dtype=distances.dtype)
    for x, y, z in itertools.product(range(n), repeat=3):
        worst = torch.maximum(worst, torch.minimum(p[x][y], p[y][z]) - p[x][z])
    return worst


def delta_of_four_points(distances, base):
    """Half the gap between the two largest of the three sums, for the base point and any three others."""
    D, n = distances, len(distances)
    x, y, z = torch.cartesian_prod(*[torch.arange(n)] * 3).T
    sums = torch.stack([D[x, y] + D[z, base], D[y, z] + D[x, base], D[x, z] + D[y, base]])
    largest = sums.sort(dim=0).values
    return ((largest[2] - largest[1]) / 2).max()


def average_by_logarithms(embedded, true, scale):
    apart = true.nonzero(as_tuple=True)
    return (embedded[apart].log() - true[apart].log() - math.log(scale)).abs().exp().mean()


def average_by_cases(embedded, true, scale):
    pairs = [(e, scale * t) for e, t in zip(embedded.reshape(-1), true.reshape(-1), strict=True) if t > 0]
    return sum(e / t if e > t else t / e for e, t in pairs) / len(pairs)


def worst_by_sorting(embedded, true):
    q = (embedded[true > 0] / true[true > 0]).sort().values
    return q[-1] / q[0]


def worst_as_two_maxima(embedded, true):
    pairs = true != 0
    return (embedded[pairs] / true[pairs]).amax() * (true[pairs] / embedded[pairs]).amax()


def map_by_counting(distances, neighbours):
    """For every neighbour v: how many nodes, and how many neighbours, are as near as v."""
    n = len(distances)
    others = ~torch.eye(n, dtype=torch.bool)
    near = distances[:, None, :] <= distances[:, :, None]  # [u, v, x]: x is as near to u as v is
    found, listed = ((near & kind[:, None, :]).sum(-1).to(distances.dtype) for kind in (neighbours, others))
    precision = found / listed.clamp_min(1)
    counts = neighbours.sum(1)
    return ((precision * neighbours).sum(1) / counts.clamp_min(1))[counts > 0].mean()


def map_by_sorted_distances(distances, neighbours):
    values = []
    for u, (row, near) in enumerate(zip(distances, neighbours, strict=True)):
        others = torch.cat([row[:u], row[u + 1 :]]).sort().values
        marks = row[near].sort().values
        if len(marks):
            ranks = torch.searchsorted(others, marks) + 1
            values.append((torch.arange(1, len(marks) + 1) / ranks.to(distances.dtype)).mean())
    return sum(values) / len(values)


def tree_by_squaring(distances, base):
    far = distances[base]
    shared = (far[:, None] + far - distances) / 2
    for _ in range(len(distances).bit_length()):
        shared = torch.minimum(shared[:, :, None], shared[None]).amax(1)
    return far[:, None] + far - 2 * shared


def tree_by_kruskal(distances, base):
    """Joins groups of points from the largest product down: the product that joins two groups is shared by all."""
    far, n = distances[base], len(distances)
    products = (far[:, None] + far - distances) / 2
    shared = torch.diag(products.diagonal()).clone()
    group = {i: [i] for i in range(n)}
    order = sorted(itertools.combinations(range(n), 2), key=lambda ij: -products[ij].item())
    for i, j in order:
        if group[i] is not group[j]:
            for a in group[i]:
                for b in group[j]:
                    shared[a, b] = shared[b, a] = products[i, j]
            joined = group[i] + group[j]
            group |= dict.fromkeys(joined, joined)
    return far[:, None] + far - 2 * shared


ALTERNATIVES = {
    "ball_sizes": [balls_by_sorting, balls_one_by_one],
    "gromov_product": [product_by_einsum, product_of_rows_and_columns],
    "gromov_delta": [delta_by_three_loops, delta_of_four_points],
    "average_distortion": [average_by_logarithms, average_by_cases],
    "worst_distortion": [worst_by_sorting, worst_as_two_maxima],
    "mean_average_precision": [map_by_counting, map_by_sorted_distances],
    "gromov_tree": [tree_by_squaring, tree_by_kruskal],
}
