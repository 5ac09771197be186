"""Right answers to the exercises of lecture 12 that look nothing like the reference: each must pass."""

import math

import torch

from hyplearn import NormalCoordinates, PoincareBall, maps
from hyplearn.data import Hierarchy


def loss_by_logsumexp(distances, labels, tau):
    scores = -distances / tau
    return (scores.logsumexp(1) - scores[range(len(labels)), labels]).mean()


def loss_in_a_loop(distances, labels, tau):
    losses = []
    for row, label in zip(distances, labels.tolist(), strict=True):
        behind = (row[label] - row) / tau
        losses.append(torch.logsumexp(behind, 0))
    return sum(losses) / len(losses)


def prototypes_top_down(parents, radii, c):
    """Recursively, the sectors given by their middles and widths, the points by expmap0."""
    children = [[k for k, p in enumerate(parents) if p == node] for node in range(len(parents))]

    def leaves(node):
        return sum(map(leaves, children[node])) or 1

    vectors = [radii.new_zeros(2)] * len(parents)

    def place(node, low, high, depth):
        each = (high - low) / leaves(node)
        for child in children[node]:
            up = low + each * leaves(child)
            angle = torch.tensor((low + up) / 2, dtype=radii.dtype)
            vectors[child] = radii[depth] / 2 * torch.stack((angle.cos(), angle.sin()))
            place(child, low, up, depth + 1)
            low = up

    place(0, 0.0, 2 * math.pi, 0)
    return PoincareBall(c).expmap0(torch.stack(vectors))


def prototypes_by_complex_numbers(parents, radii, c):
    """Leaves are numbered from left to right; a node is in the middle of its first and last one."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack += [k for k in range(len(parents) - 1, -1, -1) if parents[k] == node]
    leaf, first, last, depth = 0, {}, {}, {0: 0}
    for node in order:
        depth[node] = depth[parents[node]] + 1 if node else 0
        if node not in parents:
            first[node], last[node], leaf = leaf, leaf + 1, leaf + 1
    for node in reversed(order):
        if node:
            p = parents[node]
            first[p], last[p] = min(first.get(p, leaf), first[node]), max(last.get(p, 0), last[node])
    middle = torch.tensor([(first[k] + last[k]) / 2 for k in range(len(parents))], dtype=torch.float64)
    turn = torch.polar(torch.ones_like(middle), 2 * math.pi * middle / leaf)
    far = torch.cat([radii.new_zeros(1), radii])[[depth[k] for k in range(len(parents))]]
    size = torch.tanh(math.sqrt(c) / 2 * far) / math.sqrt(c)
    return size[:, None] * torch.view_as_real(turn).to(radii.dtype)


def match_in_normal_coordinates(v, prototypes, c):
    """2v are the normal coordinates of exp_0(v)."""
    space = NormalCoordinates(c)
    return space.dist(2 * v.unsqueeze(-2), maps.convert(prototypes, PoincareBall(c), space))


def match_one_by_one(v, prototypes, c):
    """The two terms under the root as the legs of a right triangle."""
    s, columns = math.sqrt(c), []
    for p in prototypes:
        a, b = 2 * s * v.norm(dim=-1), 2 * torch.atanh(s * p.norm())
        u = torch.nn.functional.normalize(v, dim=-1, eps=1e-30)
        chord = (u - torch.nn.functional.normalize(p, dim=-1, eps=1e-30)).norm(dim=-1)
        across = (a.sinh() * b.sinh()).sqrt() * chord / 2
        columns.append(2 / s * torch.asinh(torch.hypot(torch.sinh((a - b) / 2), across)))
    return torch.stack(columns, dim=-1)


def sibling_by_a_matrix(predicted, true, parents):
    edges = torch.tensor([(k, p) for k, p in enumerate(parents) if p >= 0]).reshape(-1, 2)
    steps = Hierarchy([str(k) for k in range(len(parents))], edges).tree_distances()[predicted, true]
    return tuple((steps <= most).double().mean().item() for most in (0, 2, 4))


def sibling_by_climbing(predicted, true, parents):
    """Nodes are numbered from the root on, so of two the larger one is not above the other: it climbs."""
    shares = [0, 0, 0]
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        steps = 0
        while a != b:
            a, b = (parents[a], b) if a > b else (a, parents[b])
            steps += 1
        for i, most in enumerate((0, 2, 4)):
            shares[i] += steps <= most
    return tuple(share / len(true) for share in shares)


def precision_in_a_loop(ranking, true, edges, k):
    total = 0
    for row, label in zip(ranking.tolist(), true.tolist(), strict=True):
        far = edges[label].tolist()
        radius = 0
        while sum(d <= radius for d in far) < k:
            radius += 1
        total += sum(far[j] <= radius for j in row[:k]) / k
    return total / len(true)


def precision_by_kthvalue(ranking, true, edges, k):
    near = edges[true].double()
    radius = near.kthvalue(k, dim=1, keepdim=True).values
    hits = torch.take_along_dim(near, ranking[:, :k], dim=1) <= radius
    return float(hits.sum()) / (k * len(true))


def hierarchical_level_by_level(distances, labels, parents, tau):
    """For each level its nodes, and among them the place of each label's ancestor."""
    depth, above = [0] * len(parents), [[0]] + [[]] * (len(parents) - 1)
    for k in range(1, len(parents)):
        depth[k] = depth[parents[k]] + 1
        above[k] = [*above[parents[k]], k]
    total = 0
    for level in range(1, max(depth) + 1):
        nodes = [k for k, d in enumerate(depth) if d == level]
        places = [nodes.index(above[label][level]) for label in labels.tolist()]
        scores = torch.log_softmax(distances[:, nodes] / -tau, dim=1)
        total = total - scores[range(len(places)), places].mean()
    return total / max(depth)


def hierarchical_by_grouping(distances, labels, parents, tau):
    """All levels at once: the log-sum-exp over each node's level, gathered along the paths to the labels."""
    depth = [0]
    for p in parents[1:]:
        depth.append(depth[p] + 1)
    depth = torch.tensor(depth)
    scores = -distances / tau
    same = depth[:, None] == depth
    among = torch.where(same, scores[:, None, :], -torch.inf).logsumexp(2)
    path, node = [], labels
    for _ in range(int(depth.max())):
        path.append(node)
        node = torch.tensor(parents)[node]
    return (among - scores).gather(1, torch.stack(path, 1)).mean()


def ranking_in_a_loop(distances, true, seen, penalty):
    ranks = []
    for row, label in zip(distances.tolist(), true.tolist(), strict=True):
        row = [d + penalty if s else d for d, s in zip(row, seen.tolist(), strict=True)]
        mine, rank = row.pop(label), 1.0
        for d in row:
            rank += 0.5 if abs(d - mine) < 1e-3 else float(d < mine)
        ranks.append(rank)
    return torch.tensor(ranks, dtype=distances.dtype)


def ranking_by_two_counts(distances, true, seen, penalty):
    """The mean of the best and the worst place that the ties allow."""
    moved = distances.clone()
    moved[:, seen] += penalty
    mine = moved[range(len(true)), true][:, None]
    best = (moved < mine - 1e-3).sum(1) + 1
    worst = (moved < mine + 1e-3).sum(1)
    return ((best + worst) / 2).to(distances.dtype)


def bet_by_a_matrix(p, parents):
    edges = torch.tensor([(k, up) for k, up in enumerate(parents) if up >= 0]).reshape(-1, 2)
    steps = Hierarchy([str(k) for k in range(len(parents))], edges).tree_distances()
    return p @ steps.to(p.dtype)


def bet_edge_by_edge(p, parents):
    """An edge counts for a node if the weight is on the other side of it."""
    below = torch.eye(len(parents), dtype=p.dtype)
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] += below[k]
    inside = p @ below.T  # of each node: the weight at or below it
    total = p.sum(-1, keepdim=True)
    expected = torch.zeros_like(p)
    for k in range(1, len(parents)):
        expected = expected + torch.where(below[k] > 0, total - inside[..., k : k + 1], inside[..., k : k + 1])
    return expected


ALTERNATIVES = {
    "matching_loss": [loss_by_logsumexp, loss_in_a_loop],
    "tree_prototypes": [prototypes_top_down, prototypes_by_complex_numbers],
    "match": [match_in_normal_coordinates, match_one_by_one],
    "sibling_accuracy": [sibling_by_a_matrix, sibling_by_climbing],
    "hierarchical_precision": [precision_in_a_loop, precision_by_kthvalue],
    "hierarchical_loss": [hierarchical_level_by_level, hierarchical_by_grouping],
    "zero_shot_ranking": [ranking_in_a_loop, ranking_by_two_counts],
    "best_bet": [bet_by_a_matrix, bet_edge_by_edge],
}
