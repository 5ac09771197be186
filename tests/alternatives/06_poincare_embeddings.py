"""Right answers to the exercises of lecture 06 that look nothing like the reference: each must pass."""

import math

import torch
import torch.nn.functional as F

from hyplearn import PoincareBall


def loss_by_cross_entropy(near, far):
    logits = -torch.cat([near.unsqueeze(-1), far], dim=-1)
    target = torch.zeros(logits[..., 0].numel(), dtype=torch.long)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target, reduction="none").reshape(near.shape)


def loss_by_differences(near, far):
    margin = torch.logsumexp(near[..., None] - far, dim=-1)
    return torch.logaddexp(margin, torch.zeros_like(margin))


def step_one_by_one(x, gradient, rate, c):
    moved = []
    for p, g in zip(x.reshape(-1, x.shape[-1]), gradient.reshape(-1, x.shape[-1]), strict=True):
        q = p - rate * (1 - c * (p @ p)) ** 2 / 4 * g
        limit = (1 - 1e-5) / math.sqrt(c)
        moved.append(q / q.norm() * limit if q.norm() > limit else q)
    return torch.stack(moved).reshape(x.shape)


def step_with_lambda(x, gradient, rate, c):
    y = x - rate * gradient / PoincareBall(c).lambda_x(x)[..., None] ** 2
    limit = (1 - 1e-5) / math.sqrt(c)
    return y * (limit / y.norm(dim=-1, keepdim=True).clamp_min(limit))


def pick_from_lists(u, related, r):
    rows = []
    for k in range(len(u)):
        free = [v for v in range(related.shape[1]) if v != int(u[k]) and not related[k, v]]
        rows.append(torch.tensor([free[i] for i in r[k].tolist()], dtype=torch.long))
    return torch.stack(rows)


def pick_by_thresholds(u, related, r):
    taken = related.clone()
    taken[torch.arange(len(u)), u] = True
    rows = []
    for k in range(len(u)):
        excluded = taken[k].nonzero()[:, 0]
        before = excluded - torch.arange(len(excluded))
        rows.append(r[k] + (before[None, :] <= r[k][:, None]).sum(1))
    return torch.stack(rows)


def scores_in_pure_python(distances, related):
    ranks, averages = [], []
    n = len(distances)
    for u in range(n):
        order = sorted((v for v in range(n) if v != u), key=lambda v: float(distances[u, v]))
        hits, strangers, precisions = 0, 0, []
        for v in order:
            if related[u, v]:
                hits += 1
                ranks.append(1 + strangers)
                precisions.append(hits / (hits + strangers))
            else:
                strangers += 1
        if precisions:
            averages.append(sum(precisions) / len(precisions))
    values = sum(ranks) / len(ranks), sum(averages) / len(averages)
    return tuple(torch.tensor(value, dtype=distances.dtype) for value in values)


def scores_all_at_once(distances, related):
    n = len(distances)
    others = ~related & ~torch.eye(n, dtype=torch.bool)
    nearer = distances[:, None, :] < distances[:, :, None]  # [u, v, w]: w is nearer to u than v
    closer = (nearer & others[:, None, :]).sum(2)
    before = ((nearer & related[:, None, :]).sum(2) + 1).to(distances)
    precision = before / (before + closer) * related
    counts = related.sum(1)
    some = counts > 0
    average = precision.sum(1)[some] / counts[some]
    return (1 + closer[related]).to(distances).mean(), average.mean()


def split_with_sets(relations, direct, dice, count):
    edges = {tuple(edge) for edge in direct.tolist()}
    implied = [k for k, pair in enumerate(relations.tolist()) if tuple(pair) not in edges]
    held = set(sorted(implied, key=lambda k: float(dice[k]))[:count])
    kept = [k for k in range(len(relations)) if k not in held]
    return relations[torch.tensor(kept, dtype=torch.long)], relations[torch.tensor(sorted(held), dtype=torch.long)]


def split_with_keys(relations, direct, dice, count):
    size = int(relations.max()) + 1
    weights = torch.tensor([size, 1])
    implied = (~torch.isin(relations @ weights, direct @ weights)).nonzero()[:, 0]
    held = implied[dice[implied].argsort()[:count]].sort().values
    mask = torch.ones(len(relations), dtype=torch.bool)
    mask[held] = False
    return relations[mask], relations[held]


def slopes_by_autograd(near, far):
    with torch.enable_grad():
        near, far = near.detach().requires_grad_(), far.detach().requires_grad_()
        table = torch.cat([near[..., None], far[..., None, :].expand(*near.shape, far.shape[-1])], dim=-1)
        loss = torch.logsumexp(-table, dim=-1) + near
        return torch.autograd.grad(loss.sum(), (near, far))


def slopes_from_probabilities(near, far):
    table = torch.cat([near[..., None], far[..., None, :].expand(*near.shape, far.shape[-1])], dim=-1)
    p = torch.softmax(-table, dim=-1)
    return 1 - p[..., 0], -p[..., 1:].sum(-2)


ALTERNATIVES = {
    "contrastive_loss": [loss_by_cross_entropy, loss_by_differences],
    "riemannian_step": [step_one_by_one, step_with_lambda],
    "pick_negatives": [pick_from_lists, pick_by_thresholds],
    "rank_scores": [scores_in_pure_python, scores_all_at_once],
    "link_split": [split_with_sets, split_with_keys],
    "shared_slopes": [slopes_by_autograd, slopes_from_probabilities],
}
