"""Exercises of lecture 12: prototypes on a tree of classes. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.5)
F64 = torch.float64

# Classes with two groups in each of two kinds, and a tree whose leaves are not equally deep.
EVEN = [-1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6]
UNEVEN = [-1, 0, 0, 0, 1, 1, 1, 2, 2, 4, 4, 7, 7, 7, 8, 8]


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)


def _tree(draw, nodes: int, deepest: int = 3) -> list[int]:
    """A random tree: each node below an earlier one, none more than `deepest` edges from the root."""
    parents, depth = [-1], [0]
    for _ in range(nodes - 1):
        places = [k for k, d in enumerate(depth) if d < deepest]
        parent = places[int(draw.uniform(0, len(places)))]
        parents.append(parent)
        depth.append(depth[parent] + 1)
    return parents


def _some(draw, choices: list[int], *shape: int) -> Tensor:
    picked = draw.uniform(0, len(choices), *shape).long()
    return torch.tensor(choices)[picked]


def _leaves(parents: list[int]) -> list[int]:
    return [k for k in range(len(parents)) if k not in parents]


def _path(node: int, parents: list[int]) -> list[int]:
    """The node, its parent, and so on up to the root."""
    path = [node]
    while parents[path[-1]] >= 0:
        path.append(parents[path[-1]])
    return path


def _edges(a: int, b: int, parents: list[int]) -> int:
    """The number of edges between two nodes of a tree."""
    up, other = _path(a, parents), _path(b, parents)
    return next(i + other.index(node) for i, node in enumerate(up) if node in other)


# --- matching_loss: the warm-up ---------------------------------------------------------------------------------------


def matching_loss(distances: Tensor, labels: Tensor, tau: float) -> Tensor:
    return torch.nn.functional.cross_entropy(-distances / tau, labels)


def _loss_cases(draw):
    yield Case((_numbers(1.0, 2.0, 4.0)[None], torch.tensor([0]), 1.0), "one picture, three classes")
    for tau in (0.5, 2.0):
        labels = _some(draw, list(range(5)), 6)
        yield Case((draw.uniform(0.0, 4.0, 6, 5), labels, tau), "six pictures, five classes")
    yield Case((draw.uniform(0.0, 9.0, 4, 12), _some(draw, list(range(12)), 4), 0.7), "four pictures, twelve classes")
    far = draw.uniform(100.0, 102.0, 3, 4)
    yield Case((far, _some(draw, [0, 1, 2, 3], 3), 0.1), "all distances a thousand tau", edge=True, gradient=False)


@mistake("The sign is flipped: the *nearest* prototype should win, so it is the softmax of minus the distances.")
def loss_of_the_farthest(distances, labels, tau):
    return torch.nn.functional.cross_entropy(distances / tau, labels)


@mistake("The temperature is missing: divide the distances by tau.")
def loss_without_temperature(distances, labels, tau):
    return torch.nn.functional.cross_entropy(-distances, labels)


@mistake("You multiply by tau. It divides: a small tau makes the softmax sharp.")
def loss_with_tau_upside_down(distances, labels, tau):
    return torch.nn.functional.cross_entropy(-distances * tau, labels)


@mistake("That is the sum over the pictures; the loss is their mean.")
def loss_summed(distances, labels, tau):
    return torch.nn.functional.cross_entropy(-distances / tau, labels, reduction="sum")


@mistake("The distances are squared, as in flat prototypical networks (Snell et al. 2017). Here they are not.")
def loss_of_squares(distances, labels, tau):
    return torch.nn.functional.cross_entropy(-distances.square() / tau, labels)


@mistake("exp of minus a large number is 0, and its logarithm minus infinity: let cross_entropy or logsumexp do both.")
def loss_that_underflows(distances, labels, tau):
    weights = torch.exp(-distances / tau)
    rows = torch.arange(len(labels))
    return -(weights[rows, labels] / weights.sum(1)).log().mean()


@mistake("cross_entropy takes the softmax itself: give it -d / tau, not probabilities.")
def loss_of_two_softmaxes(distances, labels, tau):
    return torch.nn.functional.cross_entropy((-distances / tau).softmax(1), labels)


LOSS = Exercise(
    name="matching_loss",
    title="The discriminative loss",
    points=1,
    minutes=5,
    difficulty=1,
    rule="the mean of -log( exp(-d_label / tau) / the sum of exp(-d_k / tau) )",
    reference=matching_loss,
    cases=_loss_cases,
    properties=[
        Property("only differences count: all distances 1 larger", lambda f, d, y, t: (f(d + 1, y, t), f(d, y, t))),
        Property(
            "tau is the unit: all distances and tau twice as large",
            lambda f, d, y, t: (f(2 * d, y, 2 * t), f(d, y, t)),
        ),
    ],
    rounding=lambda value, e: value + e,
    mistakes=[
        loss_of_the_farthest,
        loss_without_temperature,
        loss_with_tau_upside_down,
        loss_summed,
        loss_of_squares,
        loss_that_underflows,
        loss_of_two_softmaxes,
    ],
)

# --- tree_prototypes --------------------------------------------------------------------------------------------------


def tree_prototypes(parents: list[int], radii: Tensor, c: float) -> Tensor:
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


def _prototype_cases(draw):
    yield Case(([-1, 0, 0, 1, 1, 1], _numbers(1.0, 2.0), 1.0), "a kind with three leaves, and a leaf beside it")
    for c in CURVATURES:
        radii = draw.uniform(0.4, 0.9, 3).cumsum(0) / math.sqrt(c)
        yield Case((UNEVEN, radii, c), "sixteen nodes, leaves on three levels")
    yield Case((EVEN, _numbers(0.7, 1.5, 2.2), 4.0), "sixteen nodes, leaves on one level")
    yield Case((_tree(draw, 14), draw.uniform(0.5, 1.0, 3).cumsum(0), 0.1), "a random tree of 14 nodes")
    yield Case(([-1], _numbers(1.0), 2.0), "the root alone", edge=True)
    yield Case(([-1, 0, 1, 2], _numbers(0.5, 1.0, 1.5), 2.0), "a path: every sector is the whole circle", edge=True)
    yield Case(([-1, 0, 0, 0, 0, 0], _numbers(6.0), 0.5), "a star, far out", edge=True)


@mistake("Each child gets an equal share. Give shares in proportion to the leaves below it, or leaves get crowded.")
def prototypes_with_equal_shares(parents, radii, c):
    depth, start, width, free = [0], [0.0], [2 * math.pi], [0.0]
    points = [radii.new_zeros(2)]
    for k in range(1, len(parents)):
        p = parents[k]
        depth.append(depth[p] + 1)
        width.append(width[p] / parents.count(p))
        start.append(start[p] + free[p])
        free[p] += width[k]
        free.append(0.0)
        middle = start[k] + width[k] / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("That node is at twice the distance: a point at the distance r is drawn at tanh(sqrt(c) r / 2) / sqrt(c).")
def prototypes_twice_as_far(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1]) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("The curvature is missing: those are places in the disk of radius 1.")
def prototypes_without_curvature(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(radii[depth[k] - 1] / 2) * direction)
    return torch.stack(points)


@mistake("Your nodes stand where their sectors begin: a node and its first child look the same way. Take the middle.")
def prototypes_at_the_start_of_sectors(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        free[p] += 2 * math.pi * leaves[k] / leaves[0]
        direction = radii.new_tensor([math.cos(start[k]), math.sin(start[k])])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("You count all nodes below a child; only leaves are classes that need room.")
def prototypes_by_nodes_below(parents, radii, c):
    nodes = range(len(parents))
    below = [1] * len(parents)
    for k in reversed(nodes[1:]):
        below[parents[k]] += below[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    width = [2 * math.pi] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width[k] = width[p] * below[k] / (below[p] - 1)
        free[p] += width[k]
        middle = start[k] + width[k] / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("The radii are distances from the origin, one for each level; you add them up as if they were edges.")
def prototypes_with_radii_added_up(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    far = radii.cumsum(0)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * far[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("You go round clockwise; counter-clockwise the angle grows from the first axis to the second.")
def prototypes_clockwise(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = [0] * len(parents), [0.0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), -math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


@mistake("The sector of a first child begins where its parent's begins; in yours it begins at the angle 0.")
def prototypes_from_the_angle_zero(parents, radii, c):
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, free = [0] * len(parents), [0.0] * len(parents)
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k] = depth[p] + 1
        width = 2 * math.pi * leaves[k] / leaves[0]
        middle = free[p] + width / 2
        free[p] += width
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        points.append(torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c) * direction)
    return torch.stack(points)


PROTOTYPES = Exercise(
    name="tree_prototypes",
    title="Prototypes from a tree",
    points=3,
    minutes=20,
    difficulty=3,
    rule="at the distance radii[depth - 1], in the middle of a sector 2 pi (leaves below) / (all leaves) wide",
    reference=tree_prototypes,
    cases=_prototype_cases,
    properties=[
        Property(
            "the sizes of the tree do not turn it: twice as far out, the directions stay",
            lambda f, parents, radii, c: (
                torch.nn.functional.normalize(f(parents, 2 * radii, c)[1:], dim=-1),
                torch.nn.functional.normalize(f(parents, radii, c)[1:], dim=-1),
            ),
        ),
        Property(
            "the children of the root are at the distance radii[0]",
            lambda f, parents, radii, c: (
                PoincareBall(c).dist0(f(parents, radii, c)[1]),
                radii[0] + 0 * f(parents, radii, c)[1, 0],
            ),
        ),
    ],
    sets=["radii"],
    rounding=lambda value, e: value + e,  # a direction may be rounded as an angle
    mistakes=[
        prototypes_with_equal_shares,
        prototypes_twice_as_far,
        prototypes_without_curvature,
        prototypes_at_the_start_of_sectors,
        prototypes_by_nodes_below,
        prototypes_with_radii_added_up,
        prototypes_clockwise,
        prototypes_from_the_angle_zero,
    ],
)

# --- match ------------------------------------------------------------------------------------------------------------


def match(v: Tensor, prototypes: Tensor, c: float) -> Tensor:
    s, v = math.sqrt(c), v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = 2 * s * length, 2 * torch.atanh(s * radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    half_sine = (u - w).square().sum(-1) / 4  # sin^2 of half the angle; it does not matter where a or b is 0
    square = torch.sinh((a - b) / 2).square() + torch.sinh(a) * torch.sinh(b) * half_sine
    return 2 / s * torch.asinh(square.sqrt())


def _match_cases(draw):
    def points(*shape, c, near=0.5, far=3.0):
        return draw.ball_points(*shape, c=c, near=near, far=far)

    def outputs(*shape, c, near=0.3, far=1.5):
        direction = draw.normal(*shape)
        length = draw.uniform(near, far, *shape[:-1], 1) / math.sqrt(c)
        return length * direction / direction.norm(dim=-1, keepdim=True)

    yield Case((_numbers(0.5, 0.0), _numbers(0.0, 0.5)[None], 1.0), "one output, one prototype")
    for c in (*CURVATURES, 10.0):
        yield Case((outputs(2, c=c), points(3, 2, c=c), c), "one output, three prototypes")
    yield Case((outputs(4, 5, c=2.0), points(6, 5, c=2.0), 2.0), "four outputs in five dimensions, six prototypes")
    yield Case((outputs(2, 3, 4, c=0.1), points(2, 4, c=0.1), 0.1), "2 x 3 outputs in four dimensions")
    far = outputs(3, 3, c=2.0, near=20.0, far=30.0)
    yield Case((far, points(4, 3, c=2.0), 2.0), "outputs so long that tanh rounds to 1", edge=True)
    prototypes = points(3, 2, c=0.5)
    size = prototypes.norm(dim=-1, keepdim=True)
    on = torch.atanh(math.sqrt(0.5) * size) / math.sqrt(0.5) / size * prototypes
    close = on[1] + draw.uniform(0.5, 1.0, 2) / 8192
    yield Case((close, prototypes, 0.5), "an output very close to a prototype", edge=True)
    zero = torch.zeros(1, 2, dtype=F64)
    yield Case((zero[0], points(3, 2, c=2.0), 2.0), "the output 0, which is the origin", edge=True, gradient=False)
    yield Case((outputs(3, 2, c=2.0), zero, 2.0), "a prototype in the origin", edge=True, gradient=False)


@mistake(
    "On paper that is right. In the machine tanh of a long output is exactly 1: the point is on the rim, and its "
    "distance infinite or NaN. You know how far exp_0(v) is from the origin without computing the point."
)
def match_through_the_ball(v, prototypes, c):
    s, length = math.sqrt(c), v.norm(dim=-1, keepdim=True)
    x = torch.tanh(s * length) / (s * torch.where(length > 0, length, 1.0)) * v
    x = x.unsqueeze(-2)
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (prototypes * prototypes).sum(-1))
    return 2 / s * torch.asinh(s * (x - prototypes).norm(dim=-1) / gaps.sqrt())


@mistake(
    "Pulled back from the rim, all long outputs have the same length: their distances stop growing, and the gradient "
    "that should shorten them is 0. You know how far exp_0(v) is from the origin without computing the point."
)
def match_with_a_clip(v, prototypes, c):
    s, length = math.sqrt(c), v.norm(dim=-1, keepdim=True)
    x = torch.tanh(s * length).clamp_max(1 - 1e-5) / (s * torch.where(length > 0, length, 1.0)) * v
    x = x.unsqueeze(-2)
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (prototypes * prototypes).sum(-1))
    return 2 / s * torch.asinh(s * (x - prototypes).norm(dim=-1) / gaps.sqrt())


@mistake("exp_0(v) is at the distance 2|v| from the origin, not |v|: at the origin of the ball lengths count twice.")
def match_half_as_far(v, prototypes, c):
    s, v = math.sqrt(c), v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = s * length, 2 * torch.atanh(s * radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    half_sine = (u - w).square().sum(-1) / 4
    square = torch.sinh((a - b) / 2).square() + torch.sinh(a) * torch.sinh(b) * half_sine
    return 2 / s * torch.asinh(square.sqrt())


@mistake("The curvature is missing: that is the ball of radius 1.")
def match_without_curvature(v, prototypes, c):
    v = v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = 2 * length, 2 * torch.atanh(radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    half_sine = (u - w).square().sum(-1) / 4
    square = torch.sinh((a - b) / 2).square() + torch.sinh(a) * torch.sinh(b) * half_sine
    return 2 * torch.asinh(square.sqrt())


@mistake("That is the flat distance of the vector v from the prototype: map v into the ball, and measure there.")
def match_flat(v, prototypes, c):
    return (v.unsqueeze(-2) - prototypes).norm(dim=-1)


@mistake("exp_0 is right, but then you measure the straight gap in the picture: take the distance of the ball.")
def match_by_the_chord(v, prototypes, c):
    s, length = math.sqrt(c), v.norm(dim=-1, keepdim=True)
    x = torch.tanh(s * length) / (s * torch.where(length > 0, length, 1.0)) * v
    return (x.unsqueeze(-2) - prototypes).norm(dim=-1)


@mistake("The law of cosines with acosh forgets small distances: near a prototype 1 + (something tiny) is 1.")
def match_by_acosh(v, prototypes, c):
    s, v = math.sqrt(c), v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = 2 * s * length, 2 * torch.atanh(s * radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    cosine = (u * w).sum(-1)
    return torch.acosh(torch.cosh(a) * torch.cosh(b) - torch.sinh(a) * torch.sinh(b) * cosine) / s


@mistake("The prototypes are too near: b is 2 atanh(sqrt(c)|p|), and you left out the 2.")
def match_with_near_prototypes(v, prototypes, c):
    s, v = math.sqrt(c), v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = 2 * s * length, torch.atanh(s * radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    half_sine = (u - w).square().sum(-1) / 4
    square = torch.sinh((a - b) / 2).square() + torch.sinh(a) * torch.sinh(b) * half_sine
    return 2 / s * torch.asinh(square.sqrt())


@mistake("You compare tangent vectors at the origin: that keeps distances from the origin, and no others.")
def match_in_the_tangent_space(v, prototypes, c):
    size = math.sqrt(c) * prototypes.norm(dim=-1, keepdim=True)
    log = torch.atanh(size) / torch.where(size > 0, size, 1.0) * prototypes
    return 2 * (v.unsqueeze(-2) - log).norm(dim=-1)


MATCH = Exercise(
    name="match",
    title="Match outputs with prototypes",
    points=3,
    minutes=20,
    difficulty=4,
    rule="sinh^2(sqrt(c) d / 2) = sinh^2((a - b) / 2) + sinh(a) sinh(b) sin^2(angle / 2), a = 2 sqrt(c)|v|",
    reference=match,
    cases=_match_cases,
    properties=[
        Property(
            "in units of 1/sqrt(c) all balls are one: half of everything in curvature -4c is half as far",
            lambda f, v, p, c: (2 * f(v / 2, p / 2, 4 * c), f(v, p, c)),
        ),
    ],
    vectors=["v", "prototypes"],
    sets=["prototypes"],
    mistakes=[
        match_through_the_ball,
        match_with_a_clip,
        match_half_as_far,
        match_without_curvature,
        match_flat,
        match_by_the_chord,
        match_by_acosh,
        match_with_near_prototypes,
        match_in_the_tangent_space,
    ],
)

# --- sibling_accuracy -------------------------------------------------------------------------------------------------


def sibling_accuracy(predicted: Tensor, true: Tensor, parents: list[int]) -> tuple[float, float, float]:
    edges = [_edges(a, b, parents) for a, b in zip(predicted.tolist(), true.tolist(), strict=True)]
    return tuple(sum(e <= most for e in edges) / len(edges) for most in (0, 2, 4))


def _sibling_cases(draw):
    yield Case((torch.tensor([3, 4, 5, 2]), torch.tensor([3, 3, 3, 3]), [-1, 0, 0, 1, 1, 2]), "four predictions")
    for parents, about in ((EVEN, "leaves on one level"), (UNEVEN, "leaves on three levels")):
        leaves = _leaves(parents)
        # Every kind of mistake is there, in numbers that the seed draws.
        pairs = [(a, b) for a in leaves for b in leaves]
        picked = [pairs[int(i)] for i in draw.uniform(0, len(pairs), 60)]
        yield Case((*torch.tensor(pairs + picked).T.contiguous(), parents), f"many predictions, {about}")
    parents = _tree(draw, 25, deepest=4)
    nodes = list(range(1, len(parents)))
    yield Case((_some(draw, nodes, 80), _some(draw, nodes, 80), parents), "inner nodes are predicted as well")
    yield Case((torch.tensor([9]), torch.tensor([9]), EVEN), "one prediction, and it is right", edge=True)
    yield Case((torch.tensor([0, 1]), torch.tensor([7, 7]), EVEN), "the root is predicted", edge=True)


@mistake("Right predictions count in all three: they are at most 2 edges, and at most 4 edges, from the truth.")
def sibling_without_the_right_ones(predicted, true, parents):
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    counts = []
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        counts.append(next(i + other.index(n) for i, n in enumerate(up) if n in other))
    n = len(counts)
    return sum(e == 0 for e in counts) / n, sum(0 < e <= 2 for e in counts) / n, sum(2 < e <= 4 for e in counts) / n


@mistake("From a leaf to its sibling there are two edges, one up and one down, and four to a cousin: you count half.")
def sibling_half_of_the_edges(predicted, true, parents):
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    counts = []
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        counts.append(next(i + other.index(n) for i, n in enumerate(up) if n in other))
    n = len(counts)
    return tuple(sum(e <= most for e in counts) / n for most in (0, 1, 2))


@mistake("The same parent or grandparent is not the same as 2 or 4 edges: paths may be longer on one side.")
def sibling_by_common_ancestor(predicted, true, parents):
    def up(node, steps):
        for _ in range(steps):
            node = parents[node] if parents[node] >= 0 else node
        return node

    pairs = list(zip(predicted.tolist(), true.tolist(), strict=True))
    return tuple(sum(up(a, s) == up(b, s) for a, b in pairs) / len(pairs) for s in (0, 1, 2))


@mistake("That is the mean over the classes; the scores are means over the predictions.")
def sibling_averaged_by_class(predicted, true, parents):
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    counts = {}
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        counts.setdefault(b, []).append(next(i + other.index(n) for i, n in enumerate(up) if n in other))
    return tuple(
        sum(sum(e <= most for e in row) / len(row) for row in counts.values()) / len(counts) for most in (0, 2, 4)
    )


@mistake("The scores are shares, from 0 to 1; you count predictions.")
def sibling_counts(predicted, true, parents):
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    counts = []
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        counts.append(next(i + other.index(n) for i, n in enumerate(up) if n in other))
    return tuple(float(sum(e <= most for e in counts)) for most in (0, 2, 4))


@mistake("You count exactly 2 and exactly 4 edges. At most: each score contains the one before.")
def sibling_exactly(predicted, true, parents):
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    counts = []
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        counts.append(next(i + other.index(n) for i, n in enumerate(up) if n in other))
    return tuple(sum(e == exact for e in counts) / len(counts) for exact in (0, 2, 4))


SIBLING = Exercise(
    name="sibling_accuracy",
    title="Right, sibling, cousin",
    points=2,
    minutes=15,
    difficulty=2,
    rule="the shares of predictions that are 0, at most 2 and at most 4 edges from the truth",
    reference=sibling_accuracy,
    cases=_sibling_cases,
    properties=[
        Property(
            "predicted and true change places: the scores stay",
            lambda f, predicted, true, parents: (
                torch.tensor(f(predicted, true, parents)),
                torch.tensor(f(true, predicted, parents)),
            ),
        ),
    ],
    outputs=["accuracy", "sibling", "cousin"],
    differentiable=False,
    mistakes=[
        sibling_without_the_right_ones,
        sibling_half_of_the_edges,
        sibling_by_common_ancestor,
        sibling_averaged_by_class,
        sibling_counts,
        sibling_exactly,
    ],
)

# --- hierarchical_precision -------------------------------------------------------------------------------------------


def hierarchical_precision(ranking: Tensor, true: Tensor, edges: Tensor, k: int) -> float:
    near = edges[true]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    return (near <= radius).gather(1, ranking[:, :k]).double().mean().item()


def _class_edges(parents: list[int]) -> Tensor:
    leaves = _leaves(parents)
    return torch.tensor([[_edges(a, b, parents) for b in leaves] for a in leaves])


def _precision_cases(draw):
    def case(parents, pictures, k, label, **options):
        edges = _class_edges(parents)
        count = len(edges)
        # Rankings that know something of the tree, so that the right classes are neither all in front nor all behind.
        true = _some(draw, list(range(count)), pictures)
        noise = draw.uniform(0.0, 6.0, pictures, count)
        return Case(((edges[true] + noise).argsort(1), true, edges, k), label, **options)

    small = [-1, 0, 0, 1, 1, 2, 2]
    edges = _class_edges(small)
    yield Case((torch.tensor([[0, 2, 1, 3]]), torch.tensor([0]), edges, 2), "one picture, two groups of two classes")
    for k in (2, 3, 5):
        yield case(EVEN, 12, k, f"twelve pictures, {len(_leaves(EVEN))} classes")
    yield case(UNEVEN, 20, 3, "leaves on three levels")
    yield case(_tree(draw, 24, deepest=4), 20, 4, "a random tree")
    yield case(EVEN, 9, 1, "k = 1: the plain accuracy", edge=True)
    yield case(EVEN, 9, len(_leaves(EVEN)), "k = all classes: always 1", edge=True)


@mistake("That is how often the true class is among the first k. Here its relatives count, too.")
def precision_as_hits(ranking, true, edges, k):
    return (ranking[:, :k] == true[:, None]).any(1).double().mean().item()


@mistake("Classes at the same distance come in together: the right set may be larger than k. You cut it at k.")
def precision_of_exactly_k(ranking, true, edges, k):
    near = edges[true].sort(dim=1, stable=True).indices[:, :k]
    return (ranking[:, :k, None] == near[:, None]).any(2).double().mean().item()


@mistake("The rim belongs to the set: all classes at a distance of at most that of the k-th one.")
def precision_without_the_rim(ranking, true, edges, k):
    near = edges[true]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    inside = (near < radius) | (near == 0)
    return inside.gather(1, ranking[:, :k]).double().mean().item()


@mistake("The true class is itself one of the k: its distance is 0. You start counting behind it.")
def precision_behind_the_true_class(ranking, true, edges, k):
    near = edges[true]
    radius = near.sort(dim=1).values[:, min(k, near.shape[1] - 1)][:, None]
    return (near <= radius).gather(1, ranking[:, :k]).double().mean().item()


@mistake("Precision divides by what was predicted, k; you divide by the size of the right set, which is recall.")
def precision_as_recall(ranking, true, edges, k):
    near = edges[true]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    inside = near <= radius
    hits = inside.gather(1, ranking[:, :k]).sum(1)
    return (hits / inside.sum(1)).double().mean().item()


@mistake("`ranking` lists classes, the nearest first; you read it as the place of each class.")
def precision_of_places(ranking, true, edges, k):
    near = edges[true]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    return (near <= radius)[ranking < k].double().mean().item()


@mistake("Your circle is around the first guess; it belongs around the true class.")
def precision_around_the_guess(ranking, true, edges, k):
    near = edges[ranking[:, 0]]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    return (near <= radius).gather(1, ranking[:, :k]).double().mean().item()


@mistake("Your circle has the radius k; it grows until it *holds* k classes.")
def precision_of_radius_k(ranking, true, edges, k):
    return (edges[true] <= k).gather(1, ranking[:, :k]).double().mean().item()


PRECISION = Exercise(
    name="hierarchical_precision",
    title="Hierarchical precision",
    points=3,
    minutes=20,
    difficulty=3,
    rule="the share of the first k that is no farther from the truth than the k-th nearest class is (the truth counts)",
    reference=hierarchical_precision,
    cases=_precision_cases,
    properties=[
        Property(
            "only the order of the distances counts: edges twice as long",
            lambda f, ranking, true, edges, k: (f(ranking, true, 2 * edges, k), f(ranking, true, edges, k)),
        ),
    ],
    differentiable=False,
    mistakes=[
        precision_as_hits,
        precision_of_exactly_k,
        precision_without_the_rim,
        precision_behind_the_true_class,
        precision_as_recall,
        precision_of_places,
        precision_around_the_guess,
        precision_of_radius_k,
    ],
)

# --- hierarchical_loss ------------------------------------------------------------------------------------------------


def hierarchical_loss(distances: Tensor, labels: Tensor, parents: list[int], tau: float) -> Tensor:
    depths = torch.tensor([len(_path(k, parents)) - 1 for k in range(len(parents))])
    losses, target, up = [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), 0, -1):
        others = (depths != depth).to(distances.device)
        logits = (-distances / tau).masked_fill(others, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).mean()


def _hierarchical_cases(draw):
    def case(parents, pictures, tau, label, low=0.0, high=4.0, **options):
        labels = _some(draw, _leaves(parents), pictures)
        return Case((draw.uniform(low, high, pictures, len(parents)), labels, parents, tau), label, **options)

    two = [-1, 0, 0, 1, 1, 2]
    yield Case((_numbers(0.0, 1.0, 3.0, 1.0, 2.0, 4.0)[None], torch.tensor([3]), two, 1.0), "one picture, six nodes")
    yield case(two, 5, 0.5, "five pictures, two levels")
    yield case(EVEN, 8, 2.0, "eight pictures, three levels")
    yield case(EVEN, 6, 0.7, "six pictures, three levels")
    yield case([-1, 0, 0, 0], 4, 1.5, "one level: the loss of exercise 1", edge=True)
    yield case(EVEN, 3, 0.1, "all distances a thousand tau", 100.0, 102.0, edge=True, gradient=False)


@mistake("That is the loss of the leaves alone: the levels above have prototypes and labels as well.")
def hierarchical_of_the_leaves(distances, labels, parents, tau):
    leaves = torch.tensor([k not in parents for k in range(len(parents))])
    logits = (-distances / tau).masked_fill(~leaves, -torch.inf)
    return torch.nn.functional.cross_entropy(logits, labels)


@mistake("The softmax goes over all nodes at once, so an ancestor competes with its own leaf: one level at a time.")
def hierarchical_over_all_nodes(distances, labels, parents, tau):
    losses, target, up = [], labels, torch.tensor(parents)
    while (target > 0).any():
        losses.append(torch.nn.functional.cross_entropy(-distances / tau, target))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("You add up the levels; the loss is their mean.")
def hierarchical_summed(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), 0, -1):
        logits = (-distances / tau).masked_fill(depths != depth, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).sum()


@mistake("The level of the root counts in your mean. It has one node, its loss is always 0, and it teaches nothing.")
def hierarchical_with_the_root(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), -1, -1):
        logits = (-distances / tau).masked_fill(depths != depth, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("Your softmax is among siblings only, as in lecture 14. Here all nodes of a level compete.")
def hierarchical_among_siblings(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    losses, target, up = [], labels, torch.tensor(parents)
    for _ in range(max(depths)):
        others = up != up[target][:, None]
        logits = (-distances / tau).masked_fill(others, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("The sign is flipped: the nearest prototype of a level should win, so it is the softmax of minus d / tau.")
def hierarchical_of_the_farthest(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), 0, -1):
        logits = (distances / tau).masked_fill(depths != depth, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("The temperature is missing: divide the distances by tau, on every level.")
def hierarchical_without_temperature(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), 0, -1):
        logits = (-distances).masked_fill(depths != depth, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("You add up the pictures; on each level the loss is their mean, as in exercise 1.")
def hierarchical_summed_over_pictures(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    for depth in range(int(depths.max()), 0, -1):
        logits = (-distances / tau).masked_fill(depths != depth, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(logits, target, reduction="sum"))
        target = up[target]
    return torch.stack(losses).mean()


@mistake("exp of minus a large number is 0, and its logarithm minus infinity: let cross_entropy or logsumexp do both.")
def hierarchical_that_underflows(distances, labels, parents, tau):
    depths = [0] * len(parents)
    for k in range(1, len(parents)):
        depths[k] = depths[parents[k]] + 1
    depths, losses, target, up = torch.tensor(depths), [], labels, torch.tensor(parents)
    rows = torch.arange(len(labels))
    for depth in range(int(depths.max()), 0, -1):
        weights = torch.exp(-distances / tau) * (depths == depth)
        losses.append(-(weights[rows, target] / weights.sum(1)).log().mean())
        target = up[target]
    return torch.stack(losses).mean()


HIERARCHICAL = Exercise(
    name="hierarchical_loss",
    title="A loss on every level",
    points=3,
    minutes=20,
    difficulty=3,
    rule="the mean over the levels below the root of -log softmax(-d / tau) at the ancestor, among a level's nodes",
    reference=hierarchical_loss,
    cases=_hierarchical_cases,
    properties=[
        Property(
            "only differences count: all distances 1 larger",
            lambda f, d, y, parents, tau: (f(d + 1, y, parents, tau), f(d, y, parents, tau)),
        ),
    ],
    rounding=lambda value, e: value + e,
    mistakes=[
        hierarchical_of_the_leaves,
        hierarchical_over_all_nodes,
        hierarchical_summed,
        hierarchical_with_the_root,
        hierarchical_among_siblings,
        hierarchical_of_the_farthest,
        hierarchical_without_temperature,
        hierarchical_summed_over_pictures,
        hierarchical_that_underflows,
    ],
)

# --- zero_shot_ranking ------------------------------------------------------------------------------------------------


def zero_shot_ranking(distances: Tensor, true: Tensor, seen: Tensor, penalty: float) -> Tensor:
    handicapped = torch.where(seen, distances + penalty, distances)
    behind = handicapped - handicapped.gather(1, true[:, None])
    level = behind.abs() < 1e-3
    level = level.scatter(1, true[:, None], False)
    return 1 + (behind <= -1e-3).sum(1) + level.sum(1).to(distances) / 2


def _ranking_cases(draw):
    def distances(pictures, classes):
        """Multiples of 1/16, so that some are equal, and the others far more than 1e-3 apart."""
        return (draw.uniform(0.0, 3.0, pictures, classes) * 16).round() / 16

    seen = torch.tensor([True, True, True, False, False, False])
    one = _numbers(1.0, 3.0, 2.0, 2.5, 2.0, 4.0)[None]
    yield Case((one, torch.tensor([4]), seen, 0.0), "one picture, three classes seen and three not")
    yield Case((one, torch.tensor([4]), seen, 0.75), "one picture, and seen classes 0.75 farther away")
    almost = one + _numbers(0.0, 0.0, 0.0, 0.0, 4e-4, 0.0)
    yield Case((almost, torch.tensor([4]), seen, 0.0), "one picture, two distances 4e-4 apart", edge=True)
    for penalty in (0.25, 0.5, 1.0):
        yield Case((distances(12, 6), _some(draw, [3, 4, 5], 12), seen, penalty), "twelve pictures, six classes")
    many = draw.uniform(0.0, 1.0, 15) < 0.5
    many[:2] = torch.tensor([True, False])
    yield Case((distances(30, 15), _some(draw, list(range(15)), 30), many, 0.5), "the true class may be a seen one")
    unseen = [k for k, known in enumerate(many.tolist()) if not known]
    label = "an infinite penalty: only the unseen compete"
    yield Case((distances(9, 15), _some(draw, unseen, 9), many, math.inf), label, edge=True)
    flat = torch.ones(4, 6, dtype=F64)
    yield Case((flat, torch.tensor([3, 4, 5, 3]), seen, 0.5), "all prototypes equally near", edge=True)


@mistake("Ties are not counted: a network that puts all classes at one distance would be right every time.")
def ranking_without_ties(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    behind = d - d.gather(1, true[:, None])
    return 1 + (behind <= -1e-3).sum(1).to(distances)


@mistake("The class itself counts as a tie with itself, so your ranks are one half too large.")
def ranking_against_itself(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    behind = d - d.gather(1, true[:, None])
    return 1 + (behind <= -1e-3).sum(1) + (behind.abs() < 1e-3).sum(1).to(distances) / 2


@mistake("The penalty is on the wrong classes: the *seen* ones, which the network favours, are moved away.")
def ranking_with_the_unseen_moved(distances, true, seen, penalty):
    d = torch.where(seen, distances, distances + penalty)
    behind = d - d.gather(1, true[:, None])
    level = (behind.abs() < 1e-3).scatter(1, true[:, None], False)
    return 1 + (behind <= -1e-3).sum(1) + level.sum(1).to(distances) / 2


@mistake("The sign of the penalty is flipped: it makes seen classes farther, not nearer.")
def ranking_with_a_bonus(distances, true, seen, penalty):
    d = torch.where(seen, distances - penalty, distances)
    behind = d - d.gather(1, true[:, None])
    level = (behind.abs() < 1e-3).scatter(1, true[:, None], False)
    return 1 + (behind <= -1e-3).sum(1) + level.sum(1).to(distances) / 2


@mistake("Ranks start from 1: a class that nobody is nearer than has the rank 1.")
def ranking_from_zero(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    behind = d - d.gather(1, true[:, None])
    level = (behind.abs() < 1e-3).scatter(1, true[:, None], False)
    return (behind <= -1e-3).sum(1) + level.sum(1).to(distances) / 2


@mistake("infinity times 0 is NaN: choose with torch.where instead of multiplying by the mask.")
def ranking_by_a_product(distances, true, seen, penalty):
    d = distances + penalty * seen.to(distances)
    behind = d - d.gather(1, true[:, None])
    level = (behind.abs() < 1e-3).scatter(1, true[:, None], False)
    return 1 + (behind <= -1e-3).sum(1) + level.sum(1).to(distances) / 2


@mistake("The penalty is added to all distances but that of the true class, seen or not; it belongs to seen classes.")
def ranking_of_the_others_moved(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    behind = d - distances.gather(1, true[:, None])
    level = (behind.abs() < 1e-3).scatter(1, true[:, None], False)
    nearer = (behind <= -1e-3).scatter(1, true[:, None], False)
    return 1 + nearer.sum(1) + level.sum(1).to(distances) / 2


@mistake("In a tie you put the true class last; it is on the mean of the places: add half of the tied classes.")
def ranking_on_the_worst_place(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    return (d - d.gather(1, true[:, None]) < 1e-3).sum(1).to(distances)


@mistake("Your ties are exact. Distances that differ by less than 1e-3 are a tie as well: rounding must not decide.")
def ranking_with_exact_ties(distances, true, seen, penalty):
    d = torch.where(seen, distances + penalty, distances)
    mine = d.gather(1, true[:, None])
    return 1 + (d < mine).sum(1) + ((d == mine).sum(1) - 1).to(distances) / 2


RANKING = Exercise(
    name="zero_shot_ranking",
    title="Rank a class that was never seen",
    points=3,
    minutes=15,
    difficulty=3,
    rule="1 + the other classes that are nearer + half of those equally near, after the penalty on the seen ones",
    reference=zero_shot_ranking,
    cases=_ranking_cases,
    differentiable=False,
    sets=["distances", "seen"],
    mistakes=[
        ranking_without_ties,
        ranking_against_itself,
        ranking_with_the_unseen_moved,
        ranking_with_a_bonus,
        ranking_from_zero,
        ranking_by_a_product,
        ranking_of_the_others_moved,
        ranking_on_the_worst_place,
        ranking_with_exact_ties,
    ],
)

# --- best_bet: the challenge ------------------------------------------------------------------------------------------


def best_bet(p: Tensor, parents: list[int]) -> Tensor:
    below = list(p.unbind(-1))
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
    expected = [sum(below[1:], torch.zeros_like(below[0]))]
    for k in range(1, len(parents)):
        expected.append(expected[parents[k]] + below[0] - 2 * below[k])
    return torch.stack(expected, dim=-1)


def _bet_cases(draw):
    def weights(*shape):
        p = draw.uniform(0.1, 1.0, *shape)
        return p / p.sum(-1, keepdim=True)

    yield Case((_numbers(0.0, 0.0, 0.0, 0.4, 0.3, 0.3), [-1, 0, 0, 1, 1, 2]), "three leaves")
    yield Case((weights(len(EVEN)), EVEN), "sixteen nodes")
    yield Case((2 * weights(5, len(UNEVEN)), UNEVEN), "a batch of 5, weights that add up to 2")
    yield Case((weights(2, 3, 20), _tree(draw, 20, deepest=4)), "a batch of 2 x 3, a random tree")
    yield Case((_numbers(1.0), [-1]), "the root alone", edge=True)
    yield Case((weights(3, 5), [-1, 0, 1, 2, 3]), "a path", edge=True)


@mistake("You add the full weight of what is not below a child; what is below it comes one edge nearer as well.")
def bet_only_away(p, parents):
    below = list(p.unbind(-1))
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
    expected = [sum(below[1:], torch.zeros_like(below[0]))]
    for k in range(1, len(parents)):
        expected.append(expected[parents[k]] + below[0] - below[k])
    return torch.stack(expected, dim=-1)


@mistake("The weights need not add up to 1: what is not below a node has the weight p.sum() - (what is below it).")
def bet_with_a_total_of_one(p, parents):
    below = list(p.unbind(-1))
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
    expected = [sum(below[1:], torch.zeros_like(below[0]))]
    for k in range(1, len(parents)):
        expected.append(expected[parents[k]] + 1 - 2 * below[k])
    return torch.stack(expected, dim=-1)


@mistake("Those are distances to the nodes below only: the rest of the tree counts, too.")
def bet_below_only(p, parents):
    below, inside = list(p.unbind(-1)), [torch.zeros_like(x) for x in p.unbind(-1)]
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
        inside[parents[k]] = inside[parents[k]] + inside[k] + below[k]
    return torch.stack(inside, dim=-1)


@mistake("That is the distance through the root, depth + depth: two nodes may meet farther down.")
def bet_through_the_root(p, parents):
    depth = [0] * len(parents)
    for k in range(1, len(parents)):
        depth[k] = depth[parents[k]] + 1
    d = p.new_tensor(depth)
    return ((d[:, None] + d) * (1 - torch.eye(len(parents), dtype=p.dtype)) * p[..., None, :]).sum(-1)


@mistake("Those are means: you divide by the weight of all nodes. The sums are wanted, whatever the weights add up to.")
def bet_on_average(p, parents):
    below = list(p.unbind(-1))
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
    expected = [sum(below[1:], torch.zeros_like(below[0]))]
    for k in range(1, len(parents)):
        expected.append(expected[parents[k]] + below[0] - 2 * below[k])
    return torch.stack(expected, dim=-1) / p.sum(-1, keepdim=True)


BET = Exercise(
    name="best_bet",
    title="Challenge: the best bet",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="the sum over the nodes of p times the number of edges to them",
    reference=best_bet,
    cases=_bet_cases,
    properties=[
        Property("twice the weights, twice the sums", lambda f, p, parents: (f(2 * p, parents), 2 * f(p, parents))),
    ],
    vectors=["p"],
    rounding=lambda value, e: value + 4 * e,
    mistakes=[bet_only_away, bet_with_a_total_of_one, bet_below_only, bet_through_the_root, bet_on_average],
)

CONTROLS = Written(
    name="two_controls",
    title="Whose merit is it?",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: the tree or the space: flat prototypes that know the same tree (or a flat classifier whose decision "
        "does), with the same dimension, budget and search, over several seeds. Only what is above their interval is "
        "owed to the curvature.",
        "1 point: the tree or its meaning: the same prototypes with the leaves dealt at random. Scored on the true "
        "tree, their mistakes must not be nearer than chance; if they still win, it was not the hierarchy.",
        "1 point: what the number itself hides: the chance level of sibling accuracy grows with the size of the "
        "families, and the score contains the right answers; so compare mistakes only, or say what guessing gives.",
    ],
)

SET = ExerciseSet(
    "12_prototypes",
    [LOSS, PROTOTYPES, MATCH, SIBLING, PRECISION, HIERARCHICAL, RANKING, BET],
    [CONTROLS],
    masked=["hyplearn.metrics.accuracy_within", "hyplearn.metrics.hierarchical_precision"],
)
