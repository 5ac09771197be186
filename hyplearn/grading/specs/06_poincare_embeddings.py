"""Exercises of lecture 06: what a Poincare embedding learns from, how it moves, and how it is measured."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

F64 = torch.float64


# --- contrastive_loss: the warm-up ------------------------------------------------------------------------------------


def contrastive_loss(near: Tensor, far: Tensor) -> Tensor:
    return torch.logsumexp(torch.cat([near[..., None], far], dim=-1).neg(), dim=-1) + near


def _loss_cases(draw):
    yield Case((torch.tensor(1.0, dtype=F64), torch.tensor([1.0, 2.0], dtype=F64)), "one relation, two negatives")
    yield Case((draw.uniform(0.5, 3.0), draw.uniform(0.5, 4.0, 5)), "one relation, five negatives")
    yield Case((draw.uniform(0.5, 3.0, 4), draw.uniform(0.5, 4.0, 4, 3)), "a batch of 4 relations")
    yield Case((draw.uniform(0.5, 3.0, 2, 3), draw.uniform(0.5, 4.0, 2, 3, 1)), "a batch of 2 x 3, one negative each")
    yield Case((draw.uniform(900, 901, 3), draw.uniform(899, 902, 3, 4)), "everything far away", edge=True)
    yield Case((torch.zeros(2, dtype=F64), draw.uniform(1, 2, 2, 4)), "v at the same place as u", edge=True)


@mistake("The sum in the denominator lacks v itself: without it the fraction is no probability, and may exceed 1.")
def loss_without_the_positive(near, far):
    return near + torch.logsumexp(-far, dim=-1)


@mistake("The sign of the distances is flipped: exp(-d) is large for near nodes, exp(d) for distant ones.")
def loss_of_distant_nodes(near, far):
    return torch.logsumexp(torch.cat([near[..., None], far], dim=-1), dim=-1) - near


@mistake("That is the logarithm of the fraction. The loss is minus that: a small loss should be a good one.")
def loss_without_minus(near, far):
    return -near - torch.logsumexp(torch.cat([near[..., None], far], dim=-1).neg(), dim=-1)


@mistake("One loss for each relation is asked for; yours is their mean.")
def loss_averaged(near, far):
    return (near + torch.logsumexp(torch.cat([near[..., None], far], dim=-1).neg(), dim=-1)).mean()


@mistake(
    "On paper that is right. In the machine exp(-900) is 0, and 0/0 is not a number. Write the loss with "
    "`torch.logsumexp`, which takes the largest term out of the sum first."
)
def loss_that_underflows(near, far):
    e = torch.exp(-near)
    return -torch.log(e / (e + torch.exp(-far).sum(-1)))


LOSS = Exercise(
    name="contrastive_loss",
    title="The loss of a relation",
    points=2,
    minutes=8,
    difficulty=1,
    rule="-log( exp(-near) / (exp(-near) + the sum of exp(-far)) )",
    reference=contrastive_loss,
    cases=_loss_cases,
    properties=[
        Property("only differences count: all distances 1 larger", lambda f, a, b: (f(a + 1, b + 1), f(a, b))),
    ],
    sets=["far"],
    rounding=lambda value, e: value + e,
    mistakes=[
        loss_without_the_positive,
        loss_of_distant_nodes,
        loss_without_minus,
        loss_averaged,
        loss_that_underflows,
    ],
)

# --- riemannian_step --------------------------------------------------------------------------------------------------


def riemannian_step(x: Tensor, gradient: Tensor, rate: float, c: float) -> Tensor:
    y = x - rate * PoincareBall(c).egrad2rgrad(x, gradient)
    norm = y.norm(dim=-1, keepdim=True)
    limit = (1 - 1e-5) / math.sqrt(c)
    return torch.where(norm > limit, y * (limit / norm.clamp_min(1e-30)), y)


def _step_cases(draw):
    def gradient(*shape, c):
        return draw.uniform(-0.5, 0.5, *shape) / math.sqrt(c)

    yield Case((torch.tensor([0.5, 0.0], dtype=F64), torch.tensor([1.0, 2.0], dtype=F64), 0.1, 1.0), "one point")
    for c in (1.0, 2.0, 0.1, 10.0):
        yield Case((draw.ball_points(2, c=c, near=0.3), gradient(2, c=c), 0.2, c), "one point")
    x = draw.ball_points(4, 3, c=2.0, near=0.3)
    yield Case((x, gradient(4, 3, c=2.0), 0.3, 2.0), "a batch of 4 in three dimensions")
    x = draw.ball_points(2, 3, 5, c=0.5, near=0.3)
    yield Case((x, gradient(2, 3, 5, c=0.5), 0.3, 0.5), "a batch of 2 x 3 in five dimensions")
    zero = torch.zeros(3, 2, dtype=F64)
    yield Case((zero, gradient(3, 2, c=2.0), 0.3, 2.0), "from the origin", edge=True)
    x = draw.ball_points(3, 2, c=0.5, near=0.5, far=1.0)
    yield Case((x, -9 * x, 4.0, 0.5), "steps that would leave the ball", edge=True, gradient=False)


@mistake("That is the step of flat space. Divide the gradient by the square of the conformal factor first.")
def step_flat(x, gradient, rate, c):
    y = x - rate * gradient
    limit = (1 - 1e-5) / math.sqrt(c)
    norm = y.norm(dim=-1, keepdim=True)
    return torch.where(norm > limit, y * (limit / norm), y)


@mistake("The conformal factor enters as its square: the Riemannian gradient is the gradient over lambda^2.")
def step_with_one_lambda(x, gradient, rate, c):
    y = x - rate * gradient * (1 - c * (x * x).sum(-1, keepdim=True)) / 2
    limit = (1 - 1e-5) / math.sqrt(c)
    norm = y.norm(dim=-1, keepdim=True)
    return torch.where(norm > limit, y * (limit / norm), y)


@mistake("You multiply by lambda^2; near the rim, where lambda is large, steps must become small. Divide.")
def step_with_lambda_upside_down(x, gradient, rate, c):
    y = x - rate * gradient * (2 / (1 - c * (x * x).sum(-1, keepdim=True))) ** 2
    limit = (1 - 1e-5) / math.sqrt(c)
    norm = y.norm(dim=-1, keepdim=True)
    return torch.where(norm > limit, y * (limit / norm), y)


@mistake("The step goes uphill: the gradient points to where the loss grows, so it is subtracted.")
def step_uphill(x, gradient, rate, c):
    y = x + rate * gradient * ((1 - c * (x * x).sum(-1, keepdim=True)) / 2) ** 2
    limit = (1 - 1e-5) / math.sqrt(c)
    norm = y.norm(dim=-1, keepdim=True)
    return torch.where(norm > limit, y * (limit / norm), y)


@mistake("The curvature is missing: 1 - |x|^2 and a ball of radius 1 are right for c = 1 only.")
def step_without_curvature(x, gradient, rate, c):
    y = x - rate * gradient * ((1 - (x * x).sum(-1, keepdim=True)) / 2) ** 2
    norm = y.norm(dim=-1, keepdim=True)
    return torch.where(norm > 1 - 1e-5, y * ((1 - 1e-5) / norm), y)


@mistake("A long step leaves the ball: then the point goes back along its ray to the norm (1 - 1e-5) / sqrt(c).")
def step_out_of_the_ball(x, gradient, rate, c):
    return x - rate * gradient * ((1 - c * (x * x).sum(-1, keepdim=True)) / 2) ** 2


@mistake("Every point is put at the rim; only those that have left the ball of radius (1 - 1e-5) / sqrt(c) go back.")
def step_to_the_rim(x, gradient, rate, c):
    y = x - rate * gradient * ((1 - c * (x * x).sum(-1, keepdim=True)) / 2) ** 2
    return y / y.norm(dim=-1, keepdim=True) * (1 - 1e-5) / math.sqrt(c)


STEP = Exercise(
    name="riemannian_step",
    title="One step of Riemannian SGD",
    points=3,
    minutes=12,
    difficulty=2,
    rule="x - rate ((1 - c|x|^2)/2)^2 gradient, pulled back to the norm (1 - 1e-5)/sqrt(c) if it is longer",
    reference=riemannian_step,
    cases=_step_cases,
    properties=[
        Property(
            "two half steps with the same Riemannian gradient are one step",
            lambda f, x, g, rate, c: (2 * (f(x, g, rate / 2, c) - x), f(x, g, rate, c) - x),
        ),
    ],
    vectors=["x", "gradient"],
    rounding=lambda value, e: value + e,
    mistakes=[
        step_flat,
        step_with_one_lambda,
        step_with_lambda_upside_down,
        step_uphill,
        step_without_curvature,
        step_out_of_the_ball,
        step_to_the_rim,
    ],
)

# --- pick_negatives ---------------------------------------------------------------------------------------------------


def pick_negatives(u: Tensor, related: Tensor, r: Tensor) -> Tensor:
    free = ~related
    free[torch.arange(len(u)), u] = False
    return torch.searchsorted(free.cumsum(1), r + 1)


def _relations(draw, batch: int, nodes: int, share: float = 0.4) -> tuple[Tensor, Tensor]:
    """Nodes u (B,), and who is related to each (B, N); at least two nodes are not."""
    u = (draw.uniform(0, 1, batch) * nodes).long()
    related = draw.uniform(0, 1, batch, nodes) < share
    related[torch.arange(batch), u] = False
    for k in range(batch):
        related[k, (int(u[k]) + 1) % nodes] = related[k, (int(u[k]) + 2) % nodes] = False
        related[k, (int(u[k]) + 3) % nodes] = True
    return u, related


def _ranks(draw, u, related, count: int) -> Tensor:
    free = (~related).sum(1) - 1
    return (draw.uniform(0, 1, len(u), count) * free[:, None]).long()


def _pick_cases(draw):
    related = torch.tensor([[False, True, False, False, True, False]])
    yield Case((torch.tensor([2]), related, torch.tensor([[0, 1, 2]])), "six nodes; 0, 3 and 5 are free")
    for batch, nodes, count in ((1, 9, 4), (4, 12, 5), (6, 40, 3)):
        u, related = _relations(draw, batch, nodes)
        yield Case((u, related, _ranks(draw, u, related, count)), f"a batch of {batch}, {nodes} nodes")
    u, related = _relations(draw, 3, 8, share=1.0)
    yield Case((u, related, _ranks(draw, u, related, 6)), "nearly everything is related", edge=True)
    u = torch.tensor([0, 7])
    everybody = torch.zeros(2, 8, dtype=torch.bool)
    yield Case((u, everybody, torch.arange(7).repeat(2, 1)), "nothing is related: all but u itself", edge=True)


@mistake("That may be a relation of u, a false negative: r counts only the nodes that are not related to u.")
def pick_anybody(u, related, r):
    return r.clone()


@mistake("u itself is drawn: it is not among its own relations, but it must be left out, too.")
def pick_itself(u, related, r):
    return torch.searchsorted((~related).cumsum(1), r + 1)


@mistake("Off by one: r starts from 0, so r = 0 is the first free node.")
def pick_one_too_early(u, related, r):
    free = ~related
    free[torch.arange(len(u)), u] = False
    return torch.searchsorted(free.cumsum(1), r.clamp_min(1))


@mistake("That picks among the relations of u: those are the positives.")
def pick_the_related(u, related, r):
    return torch.searchsorted(related.long().cumsum(1), r + 1).clamp_max(related.shape[1] - 1)


@mistake(
    "Shifting by the number of relations before the node r is not enough: the shift passes further relations, which "
    "have to be skipped as well."
)
def pick_with_one_shift(u, related, r):
    taken = related.clone()
    taken[torch.arange(len(u)), u] = True
    return (r + taken.long().cumsum(1).gather(1, r)).clamp_max(related.shape[1] - 1)


PICK = Exercise(
    name="pick_negatives",
    title="Negatives that are none",
    points=3,
    minutes=15,
    difficulty=3,
    rule="the node number r, counted from 0, among those that are neither u nor related to u",
    reference=pick_negatives,
    cases=_pick_cases,
    differentiable=False,
    mistakes=[pick_anybody, pick_itself, pick_one_too_early, pick_the_related, pick_with_one_shift],
)

# --- rank_scores ------------------------------------------------------------------------------------------------------


def rank_scores(distances: Tensor, related: Tensor) -> tuple[Tensor, Tensor]:
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(1 + closer)
        if len(near):
            precisions.append((k / (k + closer)).mean())
    return torch.cat(ranks).to(distances).mean(), torch.stack(precisions).mean()


def _space(draw, nodes: int, share: float) -> tuple[Tensor, Tensor]:
    """Distances with a noisy diagonal of 0 in no order, all different, and relations; some nodes have none."""
    distances = (draw.uniform(0, 1, nodes * nodes).argsort().double() + 1).reshape(nodes, nodes) / 64
    distances.fill_diagonal_(0)
    related = draw.uniform(0, 1, nodes, nodes) < share
    related.fill_diagonal_(False)
    related[0] = False
    related[1, 0] = related[2, 0] = related[2, 1] = True
    return distances, related


def _rank_cases(draw):
    line = (torch.arange(4, dtype=F64)[:, None] - torch.arange(4)).abs() + torch.eye(4, dtype=F64) * 0
    related = torch.zeros(4, 4, dtype=torch.bool)
    related[0, [1, 3]] = True
    yield Case((line, related), "four nodes on a line; the first is related to the second and the last")
    for nodes, share in ((6, 0.4), (12, 0.3), (20, 0.2)):
        yield Case(_space(draw, nodes, share), f"{nodes} nodes")
    distances, related = _space(draw, 8, 0.4)
    yield Case((distances.where(~related, distances / 1e6), related), "a perfect embedding: 1 and 1", edge=True)
    yield Case(_space(draw, 9, 0.05), "few relations", edge=True)


@mistake("The rank is not filtered: other relations of u that are nearer do not count against v.")
def rank_not_filtered(distances, related):
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = torch.ones_like(related[u])
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(1 + closer)
        if len(near):
            precisions.append((k / (1 + closer)).mean())
    return torch.cat(ranks).to(distances).mean(), torch.stack(precisions).mean()


@mistake("Ranks start from 1: a relation that nobody unrelated comes before has the rank 1.")
def rank_from_zero(distances, related):
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(closer)
        if len(near):
            precisions.append((k / (k + closer)).mean())
    return torch.cat(ranks).to(distances).mean(), torch.stack(precisions).mean()


@mistake("u is at the distance 0 from itself and comes before everybody: leave it out of the nodes that are nearer.")
def rank_behind_oneself(distances, related):
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        closer = (distances[u, ~related[u]] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(1 + closer)
        if len(near):
            precisions.append((k / (k + closer)).mean())
    return torch.cat(ranks).to(distances).mean(), torch.stack(precisions).mean()


@mistake("Your MAP is the mean of 1/rank. The precision at v counts the relations up to v, too: k / (k + closer).")
def rank_reciprocal(distances, related):
    ranks = []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        ranks.append(1 + (distances[u, others] < near[:, None]).sum(1))
    inverse = [(1 / r.to(distances)).mean() for r in ranks if len(r)]
    return torch.cat(ranks).to(distances).mean(), torch.stack(inverse).mean()


@mistake("The mean rank is over all relations, the MAP over nodes; you average the ranks of each node first.")
def rank_averaged_by_node(distances, related):
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        if len(near):
            ranks.append((1 + closer).to(distances).mean())
            precisions.append((k / (k + closer)).mean())
    return torch.stack(ranks).mean(), torch.stack(precisions).mean()


@mistake("MAP averages over each node's relations first, then over nodes; you average over all relations at once.")
def rank_precision_pooled(distances, related):
    ranks, precisions = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(1 + closer)
        precisions.append(k / (k + closer))
    return torch.cat(ranks).to(distances).mean(), torch.cat(precisions).mean()


RANK = Exercise(
    name="rank_scores",
    title="Mean rank and MAP",
    points=4,
    minutes=25,
    difficulty=4,
    rule="rank = 1 + unrelated nodes nearer than v; precision = k / (k + those), k the place of v among the relations",
    reference=rank_scores,
    cases=_rank_cases,
    properties=[
        Property(
            "only the order of the distances counts, not their size",
            lambda f, d, related: (torch.stack(tuple(f(d**3, related))), torch.stack(tuple(f(d, related)))),
        ),
    ],
    outputs=["mean_rank", "map"],
    differentiable=False,
    mistakes=[
        rank_not_filtered,
        rank_from_zero,
        rank_behind_oneself,
        rank_reciprocal,
        rank_averaged_by_node,
        rank_precision_pooled,
    ],
)

# --- link_split -------------------------------------------------------------------------------------------------------


def link_split(relations: Tensor, direct: Tensor, dice: Tensor, count: int) -> tuple[Tensor, Tensor]:
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, torch.inf).argsort()[:count]] = True
    return relations[~held], relations[held]


def _closed_tree(draw, nodes: int) -> tuple[Tensor, Tensor]:
    """The relations of a random tree in a random order, and its edges in another."""
    parent = [0] + [int(draw.number(max(0, i - 3), i)) for i in range(1, nodes)]
    relations, direct = [], []
    for i in range(1, nodes):
        direct.append((i, parent[i]))
        above = parent[i]
        relations.append((i, above))
        while above:
            above = parent[above]
            relations.append((i, above))
    relations, direct = torch.tensor(relations), torch.tensor(direct)
    return relations[draw.uniform(0, 1, len(relations)).argsort()], direct[draw.uniform(0, 1, nodes - 1).argsort()]


def _split_cases(draw):
    chain = torch.tensor([[1, 0], [2, 1], [2, 0], [3, 2], [3, 1], [3, 0]])
    dice = torch.tensor([0.1, 0.2, 0.6, 0.3, 0.4, 0.5], dtype=F64)
    yield Case((chain, chain[[0, 1, 3]], dice, 2), "a chain of four nodes")
    for nodes, count in ((8, 3), (14, 5), (25, 12)):
        relations, direct = _closed_tree(draw, nodes)
        yield Case((relations, direct, draw.uniform(0, 1, len(relations)), count), f"a tree of {nodes} nodes")
    relations, direct = _closed_tree(draw, 9)
    every = len(relations) - len(direct)
    yield Case((relations, direct, draw.uniform(0, 1, len(relations)), every), "all that is implied", edge=True)
    yield Case((relations, direct, draw.uniform(0, 1, len(relations)), 0), "nothing is held out", edge=True)


@mistake(
    "A direct edge is held out: nothing that is left implies it, so nobody could predict it. Hold out others only."
)
def split_anything(relations, direct, dice, count):
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.argsort()[:count]] = True
    return relations[~held], relations[held]


@mistake("You hold out the direct edges, and keep what they imply: it is the other way round.")
def split_the_direct_edges(relations, direct, dice, count):
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(~is_direct, math.inf).argsort()[:count]] = True
    return relations[~held], relations[held]


@mistake("The test relations are still among those to learn from: that is a leak. Take them out.")
def split_that_leaks(relations, direct, dice, count):
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, math.inf).argsort()[:count]] = True
    return relations.clone(), relations[held]


@mistake("Those are the implied relations with the largest dice; the smallest are asked for.")
def split_by_the_largest(relations, direct, dice, count):
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, -math.inf).argsort(descending=True)[:count]] = True
    return relations[~held], relations[held]


@mistake("The two parts are swapped: first what is left to learn from, then what was held out.")
def split_swapped(relations, direct, dice, count):
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, math.inf).argsort()[:count]] = True
    return relations[held], relations[~held]


@mistake("Only what is implied is left to learn from: the direct edges belong to the training relations, all of them.")
def split_without_direct(relations, direct, dice, count):
    is_direct = (relations[:, None, :] == direct[None, :, :]).all(2).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, math.inf).argsort()[:count]] = True
    return relations[~held & ~is_direct], relations[held]


SPLIT = Exercise(
    name="link_split",
    title="What can be predicted",
    points=3,
    minutes=15,
    difficulty=3,
    rule="held out are the `count` relations with the smallest dice among those that are no direct edges",
    reference=link_split,
    cases=_split_cases,
    outputs=["train", "test"],
    differentiable=False,
    mistakes=[
        split_anything,
        split_the_direct_edges,
        split_that_leaks,
        split_by_the_largest,
        split_swapped,
        split_without_direct,
    ],
)

# --- shared_slopes: the challenge -------------------------------------------------------------------------------------


def shared_slopes(near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    log_z = torch.logsumexp(-far, dim=-1, keepdim=True)
    slope = torch.sigmoid(log_z + near)
    return slope, -slope.sum(-1, keepdim=True) * torch.exp(-far - log_z)


def _slope_cases(draw):
    yield Case(
        (torch.tensor([1.0], dtype=F64), torch.tensor([1.0, 1.0], dtype=F64)), "one relation, two negatives as near"
    )
    yield Case((draw.uniform(0.5, 3, 3), draw.uniform(0.5, 4, 5)), "three relations, five negatives")
    yield Case((draw.uniform(0.5, 3, 4, 3), draw.uniform(0.5, 4, 4, 6)), "a batch of 4 nodes")
    yield Case((draw.uniform(0.5, 3, 2, 3, 2), draw.uniform(0.5, 4, 2, 3, 4)), "a batch of 2 x 3 nodes")
    yield Case((draw.uniform(900, 901, 2, 3), draw.uniform(899, 902, 2, 4)), "everything far away", edge=True)


@mistake("The signs are flipped: a larger d(u, v) makes the loss larger, a larger distance to a negative smaller.")
def slopes_flipped(near, far):
    log_z = torch.logsumexp(-far, dim=-1, keepdim=True)
    slope = torch.sigmoid(log_z + near)
    return -slope, slope.sum(-1, keepdim=True) * torch.exp(-far - log_z)


@mistake(
    "The slope in near is 1 - p; yours is p, the probability itself: what is learned already would be pulled most."
)
def slopes_with_p(near, far):
    log_z = torch.logsumexp(-far, dim=-1, keepdim=True)
    slope = torch.sigmoid(-log_z - near)
    return slope, -slope.sum(-1, keepdim=True) * torch.exp(-far - log_z)


@mistake("The relations compete with each other: each one's denominator holds itself and the negatives, no others.")
def slopes_of_one_softmax(near, far):
    p = torch.softmax(-torch.cat([near, far], dim=-1), dim=-1)
    R = near.shape[-1]
    return 1 - p[..., :R], -R * p[..., R:]


@mistake("A negative is pushed by every relation of the node: add their slopes, do not average them.")
def slopes_averaged(near, far):
    log_z = torch.logsumexp(-far, dim=-1, keepdim=True)
    slope = torch.sigmoid(log_z + near)
    return slope, -slope.mean(-1, keepdim=True) * torch.exp(-far - log_z)


SLOPES = Exercise(
    name="shared_slopes",
    title="Challenge: a thousand negatives for the price of one",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="1 - p for a relation; for a negative minus its share exp(-d)/Z of the sum of the slopes of all relations",
    reference=shared_slopes,
    cases=_slope_cases,
    properties=[
        Property(
            "all distances 1 larger change nothing, so all slopes add up to 0",
            lambda f, near, far: (f(near, far)[0].sum(-1), -f(near, far)[1].sum(-1)),
        ),
    ],
    sets=["near", "far"],
    outputs=["near", "far"],
    differentiable=False,
    rounding=lambda value, e: value + e,
    mistakes=[slopes_flipped, slopes_with_p, slopes_of_one_softmax, slopes_averaged],
)

BASELINE = Written(
    name="honest_baseline",
    title="Read a table",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: the two flat baselines differ in the geometry of the score, not of the space: in a symmetric flat "
        "distance the root must be near to all nodes, so these are near to each other; the translation gives each "
        "node a bias along r (|u - v + r|^2 = |u - v|^2 + 2<r, u - v> + |r|^2), and the root may be far from nobody.",
        "1 point: so 'curvature wins by .7' compares with a baseline that cannot do the task. Against the "
        "translational one the gain is large at d = 2 and nothing at d = 5 in reconstruction, but there again for "
        "held-out relations: memory against generalisation.",
        "1 point: an experiment that could prove the author wrong: the baseline tuned on held-out relations with the "
        "same budget (rate, epochs, negatives), several dimensions and seeds, other data.",
    ],
)

SET = ExerciseSet(
    "06_poincare_embeddings",
    [LOSS, STEP, PICK, RANK, SPLIT, SLOPES],
    [BASELINE],
    masked=[
        "hyplearn.metrics.rank_metrics",
        "hyplearn.manifolds.PoincareBall.egrad2rgrad",
        "hyplearn.manifolds.PoincareBall.retr",
        "hyplearn.optim",
        "hyplearn.embeddings.contrastive",
    ],
)
