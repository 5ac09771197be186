"""Exercises of lecture 08: trees in closed form. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.5)
F64 = torch.float64


def _numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=F64)


# --- bits_needed: the warm-up -----------------------------------------------------------------------------------------


def bits_needed(d: Tensor, tol: float, c: float) -> Tensor:
    z = math.sqrt(c) * d
    # log(1 + cosh z) = z + 2 log(1 + exp(-z)) - log 2
    return (z + 2 * torch.log1p(torch.exp(-z)) - math.log(2 * math.sqrt(c) * tol)) / math.log(2)


def _bits_cases(draw):
    yield Case((_numbers(10.0)[0], 0.01, 1.0), "one point, 10 away")
    for c in CURVATURES:
        yield Case((draw.uniform(1.0, 20.0), draw.number(1e-6, 1e-2), c), "one point")
        yield Case((draw.uniform(0.5, 20.0, 5), 1e-3, c), "five points")
    yield Case((draw.uniform(1.0, 20.0, 2, 3), 1e-10, 0.1), "a batch of 2 x 3")
    yield Case((draw.uniform(1.0, 30.0, 4), 1e-2, 4.0), "a batch of 4")
    yield Case((_numbers(0.0, 1e-3), 1e-2, 2.0), "the origin, and next to it", edge=True, gradient=False)
    yield Case((draw.uniform(2000.0, 9000.0, 3), 1e-10, 2.0), "points thousands away, where cosh overflows", edge=True)


@mistake("That is the natural logarithm, a count of e-folds: bits count doublings, so it is log2.")
def bits_in_the_natural_base(d, tol, c):
    z = math.sqrt(c) * d
    return z + 2 * torch.log1p(torch.exp(-z)) - math.log(2 * math.sqrt(c) * tol)


@mistake("The curvature is missing: that is the price in the ball of curvature -1.")
def bits_without_curvature(d, tol, c):
    return (d + 2 * torch.log1p(torch.exp(-d)) - math.log(2 * tol)) / math.log(2)


@mistake("c stands where sqrt(c) belongs: a length times sqrt(c) has no unit.")
def bits_c_for_sqrt_c(d, tol, c):
    z = c * d
    return (z + 2 * torch.log1p(torch.exp(-z)) - math.log(2 * c * tol)) / math.log(2)


@mistake("cosh overflows for points that are far away: take the logarithm apart before you compute it.")
def bits_that_overflow(d, tol, c):
    s = math.sqrt(c)
    return torch.log2((1 + torch.cosh(s * d)) / (s * tol))


@mistake("That only tells the point from the rim, d / log 2 bits; the digits of the distance, tol, cost bits as well.")
def bits_without_tolerance(d, tol, c):
    return math.sqrt(c) * d / math.log(2)


@mistake("The tolerance counts in units of length, and the coordinate in parts of the radius: divide by sqrt(c) tol.")
def bits_of_a_bare_tolerance(d, tol, c):
    z = math.sqrt(c) * d
    return (z + 2 * torch.log1p(torch.exp(-z)) - math.log(2 * tol)) / math.log(2)


@mistake("One bit too many: for far points 1 + cosh z is exp(z)/2, not exp(z); and for near ones it is neither.")
def bits_of_the_limit(d, tol, c):
    s = math.sqrt(c)
    return s * d / math.log(2) - math.log2(s * tol)


@mistake("1 - rho^2 is a difference of numbers that are nearly 1, and its digits are gone: work with cosh instead.")
def bits_of_a_rounded_radius(d, tol, c):
    s = math.sqrt(c)
    rho = torch.tanh(s * d / 2)
    return torch.log2(2 / (s * (1 - rho * rho) * tol))


BITS = Exercise(
    name="bits_needed",
    title="The price of a far point",
    points=2,
    minutes=10,
    difficulty=1,
    rule="2^-B (1 + cosh(sqrt(c) d)) / sqrt(c) = tol",
    reference=bits_needed,
    cases=_bits_cases,
    properties=[
        Property(
            "sqrt(c) is a unit of length: twice the distance and tolerance in curvature -c/4 costs the same",
            lambda f, d, tol, c: (f(2 * d, 2 * tol, c / 4), f(d, tol, c)),
        ),
    ],
    mistakes=[
        bits_in_the_natural_base,
        bits_without_curvature,
        bits_c_for_sqrt_c,
        bits_without_tolerance,
        bits_of_a_bare_tolerance,
        bits_that_overflow,
        bits_of_the_limit,
        bits_of_a_rounded_radius,
    ],
    # log2 of (1 + cosh z)/tol may be rounded before and after the division: two numbers that nearly cancel.
    rounding=lambda value, e: value + 8 * e,
)

# --- place_children ---------------------------------------------------------------------------------------------------


def place_children(up: Tensor, count: int, r: float, c: float) -> Tensor:
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    directions = turn.cos()[:, None] * u + turn.sin()[:, None] * across
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * directions


def _place_cases(draw):
    yield Case((_numbers(0.5, 0.0), 3, 1.0, 1.0), "three children, the parent on the right")
    for c in CURVATURES:
        up = draw.ball_points(2, c=c, near=0.3, far=2.0)
        yield Case((up, int(draw.uniform(2, 7)), draw.number(0.3, 2.0), c), "one node")
    yield Case((draw.ball_points(4, 2, c=0.1, near=0.3), 4, 1.5, 0.1), "four nodes with four children each")
    yield Case((draw.ball_points(2, 3, 2, c=10.0, near=0.3), 2, 0.3, 10.0), "a batch of 2 x 3 nodes")
    yield Case((draw.ball_points(2, c=2.0, near=0.3), 1, 0.7, 2.0), "an only child", edge=True)
    yield Case((1e-3 * draw.ball_points(2, c=2.0, near=1.0), 3, 6.0, 2.0), "parent near, children far", edge=True)


@mistake("That is half of the radius's argument: a point at the distance r is drawn at tanh(sqrt(c) r / 2) / sqrt(c).")
def children_twice_as_far(up, count, r, c):
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(math.sqrt(c) * r) / math.sqrt(c) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("The circle is divided among the children alone: the parent takes a share as well, so there are count + 1.")
def children_without_the_parent(up, count, r, c):
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / count
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("Your first child sits in the direction of the parent: start one step further on, k = 1, ..., count.")
def children_on_the_parent(up, count, r, c):
    turn = 2 * math.pi * torch.arange(count, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("The curvature is missing: those are places in the disk of radius 1.")
def children_without_curvature(up, count, r, c):
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(r / 2) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("The direction of the parent counts, not how far away it is: divide `up` by its length.")
def children_scaled_by_the_parent(up, count, r, c):
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = up.unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("The children go round clockwise; they are asked for counter-clockwise, from the parent on.")
def children_clockwise(up, count, r, c):
    turn = -2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * (turn.cos()[:, None] * u + turn.sin()[:, None] * across)


@mistake("That is for one node; `up` may be a batch (..., 2): take up[..., 0], and norms over the last dimension.")
def children_of_one_node_only(up, count, r, c):
    angle = torch.atan2(up[1], up[0]) + 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()), dim=-1)


PLACE = Exercise(
    name="place_children",
    title="Place the children",
    points=2,
    minutes=15,
    difficulty=2,
    rule="count + 1 equal angles, the first direction is the parent's, and every child at the distance r",
    reference=place_children,
    cases=_place_cases,
    properties=[
        Property(
            "every child is at the distance r from its parent at the origin",
            lambda f, up, count, r, c: (
                PoincareBall(c).dist0(f(up, count, r, c)),
                torch.full((), r, dtype=up.dtype) + 0 * f(up, count, r, c)[..., 0],
            ),
        ),
    ],
    vectors=["up"],
    mistakes=[
        children_twice_as_far,
        children_without_the_parent,
        children_on_the_parent,
        children_without_curvature,
        children_scaled_by_the_parent,
        children_clockwise,
        children_of_one_node_only,
    ],
    rounding=lambda value, e: value + e,  # a direction may be rounded as an angle
)

# --- reflection -------------------------------------------------------------------------------------------------------


def reflection(a: Tensor, x: Tensor, c: float) -> Tensor:
    aa = (a * a).sum(-1, keepdim=True)
    centre = a / (c * aa)
    away = x - centre
    return centre + (1 / (c * aa) - 1) / c * away / (away * away).sum(-1, keepdim=True)


def _reflection_cases(draw):
    yield Case((_numbers(0.5, 0.0), _numbers(0.0, 0.5), 1.0), "two points")

    def points(*shape, c, near=0.8):
        return draw.ball_points(*shape, c=c, near=near, far=2.0)

    for c in CURVATURES:
        yield Case((points(2, c=c), points(2, c=c), c), "two points")
    yield Case((points(4, 3, c=2.0), points(4, 3, c=2.0), 2.0), "a batch of 4 in three dimensions")
    yield Case((points(5, c=0.5), points(2, 3, 5, c=0.5), 0.5), "one mirror, 2 x 3 points in five dimensions")
    a = points(3, 2, c=2.0)
    yield Case((a, torch.zeros(2, dtype=F64), 2.0), "the origin, which goes to a", edge=True)
    yield Case((a, a.clone(), 2.0), "a itself, which goes to the origin", edge=True)


@mistake("That brings a to the origin, too, but it is the sum -a + x, which keeps left and right: no reflection does.")
def reflection_by_translation(a, x, c):
    ax, aa, xx = ((p * q).sum(-1, keepdim=True) for p, q in ((a, x), (a, a), (x, x)))
    return ((1 - 2 * c * ax + c * xx) * -a + (1 - c * aa) * x) / (1 - 2 * c * ax + c * c * aa * xx)


@mistake("The curvature is missing: that is the mirror in the ball of radius 1.")
def reflection_without_curvature(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / aa
    return a / aa + (1 / aa - 1) * away / (away * away).sum(-1, keepdim=True)


@mistake("The radius of the mirror is wrong: it meets the rim at right angles, so R^2 = |m|^2 - 1/c, not |m|^2.")
def reflection_through_the_origin(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / (c * aa)
    return a / (c * aa) + away / (c * c * aa) / (away * away).sum(-1, keepdim=True)


@mistake("R stands where R^2 belongs: the product of the distances from the centre of a circle is R^2.")
def reflection_by_the_radius(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / (c * aa)
    return a / (c * aa) + ((1 / (c * aa) - 1) / c).sqrt() * away / (away * away).sum(-1, keepdim=True)


@mistake("The vector from the centre must be divided by the square of its length, not by its length.")
def reflection_not_squared(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / (c * aa)
    return a / (c * aa) + (1 / (c * aa) - 1) / c * away / away.norm(dim=-1, keepdim=True)


@mistake("The centre of the circle is missing in the result: invert x - m, then add m again.")
def reflection_about_the_centre(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / (c * aa)
    return (1 / (c * aa) - 1) / c * away / (away * away).sum(-1, keepdim=True)


@mistake("That is the half-turn about the midpoint: it exchanges a and the origin, too, but keeps left and right.")
def reflection_by_half_turn(a, x, c):
    ax, aa, xx = ((p * q).sum(-1, keepdim=True) for p, q in ((a, x), (a, a), (x, x)))
    return ((1 - 2 * c * ax + c * xx) * a - (1 - c * aa) * x) / (1 - 2 * c * ax + c * c * aa * xx)


@mistake("The rim is a circle of radius 1/sqrt(c), so R^2 = |m|^2 - 1/c; you subtracted 1.")
def reflection_with_the_rim_at_one(a, x, c):
    aa = (a * a).sum(-1, keepdim=True)
    away = x - a / (c * aa)
    return a / (c * aa) + (1 / (c * c * aa) - 1) * away / (away * away).sum(-1, keepdim=True)


REFLECTION = Exercise(
    name="reflection",
    title="The reflection isometry",
    points=3,
    minutes=20,
    difficulty=3,
    rule="m + R^2 (x - m)/|x - m|^2 with m = a/(c|a|^2) and R^2 = |m|^2 - 1/c",
    reference=reflection,
    cases=_reflection_cases,
    properties=[
        Property(
            "a mirror changes no distance",
            lambda f, a, x, c: (
                PoincareBall(c).dist(f(a, x, c), f(a, x.flip(-1) / 2, c)),
                PoincareBall(c).dist(x, x.flip(-1) / 2) + 0 * f(a, x, c)[..., 0],
            ),
        ),
        Property("twice reflected is not reflected", lambda f, a, x, c: (f(a, f(a, x, c), c), x + 0 * a)),
    ],
    vectors=["a", "x"],
    mistakes=[
        reflection_by_translation,
        reflection_without_curvature,
        reflection_through_the_origin,
        reflection_by_the_radius,
        reflection_not_squared,
        reflection_about_the_centre,
        reflection_by_half_turn,
        reflection_with_the_rim_at_one,
    ],
    # The centre of the circle is outside of the disk, up to twice its radius away for these points.
    rounding=lambda value, e: value + 2 * e,
)

# --- sarkar -----------------------------------------------------------------------------------------------------------


def sarkar(parents: list[int], lengths: Tensor, c: float) -> Tensor:
    children = [[k for k, p in enumerate(parents) if p == node] for node in range(len(parents))]
    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        if node == 0:
            up, count, first = lengths.new_tensor([1.0, 0.0]), len(children[0]) - 1, 0
        else:
            up, count, first = reflection(points[node], points[parents[node]], c), len(children[node]), 1
        up = up / up.norm()
        for k, child in enumerate(children[node], first):
            angle = 2 * math.pi * k / (count + 1)
            turned = torch.stack(
                (math.cos(angle) * up[0] - math.sin(angle) * up[1], math.sin(angle) * up[0] + math.cos(angle) * up[1])
            )
            place = torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c) * turned
            points[child] = place if node == 0 else reflection(points[node], place, c)
    return torch.stack(points)


def _tree(draw, nodes: int) -> list[int]:
    """Each node below an earlier one, and none more than three edges from the root."""
    parents, depth = [-1], [0]
    for _ in range(nodes - 1):
        places = [k for k, d in enumerate(depth) if d < 3]
        parent = places[int(draw.uniform(0, len(places)))]
        parents.append(parent)
        depth.append(depth[parent] + 1)
    return parents


def _sarkar_cases(draw):
    yield Case(([-1, 0, 0, 1, 1], torch.ones(5, dtype=F64), 1.0), "five nodes, edges of length 1")
    for c in CURVATURES:
        lengths = draw.uniform(0.7, 1.2, 9) / math.sqrt(c)
        yield Case(([-1, 0, 0, 0, 1, 1, 2, 4, 4], lengths, c), "nine nodes on four levels")
    yield Case((_tree(draw, 12), draw.uniform(0.7, 1.2, 12), 1.0), "a random tree of twelve nodes")
    yield Case(([-1], _numbers(1.0), 2.0), "the root alone", edge=True)
    yield Case(([-1, 0, 1, 2], draw.uniform(0.5, 1.0, 4), 2.0), "a path", edge=True)
    yield Case(([-1, 0, 0, 0, 0, 0], draw.uniform(0.5, 1.0, 6), 0.5), "a star", edge=True)


@mistake("The children are never moved back: reflect them once more, or they stay where the origin's children are.")
def tree_without_moving_back(parents, lengths, c):
    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, p in enumerate(parents) if p == node]
        up = lengths.new_tensor([1.0, 0.0]) if node == 0 else mirror(points[node], points[parents[node]])
        for k, child in enumerate(below):
            angle = torch.atan2(up[1], up[0]) + 2 * math.pi * (k if node == 0 else (k + 1)) / (
                len(below) + (0 if node == 0 else 1)
            )
            points[child] = (
                torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()))
            )
    return torch.stack(points)


@mistake("Every circle is divided among the children alone; but for the root, the parent takes a share as well.")
def tree_without_room_for_the_parent(parents, lengths, c):
    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, p in enumerate(parents) if p == node]
        up = lengths.new_tensor([1.0, 0.0]) if node == 0 else mirror(points[node], points[parents[node]])
        for k, child in enumerate(below):
            angle = torch.atan2(up[1], up[0]) + 2 * math.pi * (k if node == 0 else (k + 1)) / len(below)
            x = torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()))
            points[child] = x if node == 0 else mirror(points[node], x)
    return torch.stack(points)


@mistake("Below the first level your tree is a mirror image: after the way back, children must follow clockwise.")
def tree_the_other_way_round(parents, lengths, c):
    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, p in enumerate(parents) if p == node]
        up = lengths.new_tensor([1.0, 0.0]) if node == 0 else mirror(points[node], points[parents[node]])
        for k, child in enumerate(below):
            step = k / len(below) if node == 0 else -(k + 1) / (len(below) + 1)
            angle = torch.atan2(up[1], up[0]) + 2 * math.pi * step
            x = torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()))
            points[child] = x if node == 0 else mirror(points[node], x)
    return torch.stack(points)


@mistake("All edges have the length of the first one: the child's own, lengths[child], belongs there.")
def tree_of_equal_edges(parents, lengths, c):
    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, p in enumerate(parents) if p == node]
        up = lengths.new_tensor([1.0, 0.0]) if node == 0 else mirror(points[node], points[parents[node]])
        for k, child in enumerate(below):
            step = k / len(below) if node == 0 else (k + 1) / (len(below) + 1)
            angle = torch.atan2(up[1], up[0]) + 2 * math.pi * step
            x = torch.tanh(math.sqrt(c) * lengths[0] / 2) / math.sqrt(c) * torch.stack((angle.cos(), angle.sin()))
            points[child] = x if node == 0 else mirror(points[node], x)
    return torch.stack(points)


@mistake("The curvature is missing: that is the tree in the disk of radius 1.")
def tree_without_curvature(parents, lengths, c):
    def mirror(a, x):
        aa = (a * a).sum()
        away = x - a / aa
        return a / aa + (1 / aa - 1) * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, p in enumerate(parents) if p == node]
        up = lengths.new_tensor([1.0, 0.0]) if node == 0 else mirror(points[node], points[parents[node]])
        for k, child in enumerate(below):
            step = k / len(below) if node == 0 else (k + 1) / (len(below) + 1)
            angle = torch.atan2(up[1], up[0]) + 2 * math.pi * step
            x = torch.tanh(lengths[child] / 2) * torch.stack((angle.cos(), angle.sin()))
            points[child] = x if node == 0 else mirror(points[node], x)
    return torch.stack(points)


SARKAR = Exercise(
    name="sarkar",
    title="A whole tree",
    points=4,
    minutes=30,
    difficulty=4,
    differentiable=False,
    rule="every edge has its length, and around every node its neighbours are seen at equal angles",
    reference=sarkar,
    cases=_sarkar_cases,
    properties=[
        Property(
            "every edge has its length",
            lambda f, parents, lengths, c: (
                PoincareBall(c).dist(f(parents, lengths, c)[1:], f(parents, lengths, c)[parents[1:]]),
                lengths[1:],
            ),
        ),
    ],
    mistakes=[
        tree_without_moving_back,
        tree_without_room_for_the_parent,
        tree_the_other_way_round,
        tree_of_equal_edges,
        tree_without_curvature,
    ],
    # Each level adds the roundings of two reflections.
    rounding=lambda value, e: value + 4 * e,
)

# --- path_distortion --------------------------------------------------------------------------------------------------


def path_distortion(theta: Tensor, scale: Tensor, c: float) -> Tensor:
    z, s = math.sqrt(c) * scale, torch.sin(theta / 2)
    small = torch.asinh(torch.sinh(z.clamp_max(1.0)) * s)
    far = z.clamp_min(1.0)
    u = torch.exp(-far)
    k = (1 - u * u) * s / 2
    large = far + torch.log(k + (k * k + u * u).sqrt())
    return z / torch.where(z < 1.0, small, large)


def _path_cases(draw):
    yield Case((_numbers(math.pi / 2)[0], _numbers(2.0)[0], 1.0), "a right angle, edges of length 2")
    for c in CURVATURES:
        yield Case((draw.uniform(0.3, 3.0), draw.uniform(0.5, 6.0), c), "one path")
    yield Case((draw.uniform(0.3, 3.0, 4), draw.uniform(0.3, 10.0, 4), 0.5), "four paths")
    yield Case((draw.uniform(0.3, 3.0), draw.uniform(0.3, 10.0, 2, 3), 2.0), "one angle, 2 x 3 scales")
    yield Case((_numbers(math.pi), draw.uniform(0.5, 5.0, 3), 2.0), "no bend at all", edge=True, gradient=False)
    yield Case((draw.uniform(0.3, 3.0, 3), _numbers(0.01, 0.02, 0.03), 2.0), "short edges", edge=True, gradient=False)
    yield Case(
        (draw.uniform(0.3, 3.0, 3), draw.uniform(900.0, 5000.0, 3), 2.0),
        "where sinh overflows",
        edge=True,
        gradient=False,
    )


@mistake("Half of the angle belongs into the formula: sin(theta/2), not sin(theta).")
def distortion_of_the_whole_angle(theta, scale, c):
    z, s = math.sqrt(c) * scale, torch.sin(theta)
    near = torch.asinh(torch.sinh(z.clamp_max(20.0)) * s)
    return z / torch.where(z < 20.0, near, z + torch.log(s))


@mistake("The curvature is missing: scale enters as sqrt(c) scale.")
def distortion_without_curvature(theta, scale, c):
    s = torch.sin(theta / 2)
    near = torch.asinh(torch.sinh(scale.clamp_max(20.0)) * s)
    return scale / torch.where(scale < 20.0, near, scale + torch.log(s))


@mistake("Upside down: the path through the node is the longer one, and the distortion at least 1.")
def distortion_upside_down(theta, scale, c):
    z, s = math.sqrt(c) * scale, torch.sin(theta / 2)
    near = torch.asinh(torch.sinh(z.clamp_max(20.0)) * s)
    return torch.where(z < 20.0, near, z + torch.log(s)) / z


@mistake("That is the distortion of flat space, 1/sin(theta/2): there no scale makes it better.")
def distortion_of_flat_space(theta, scale, c):
    return 1 / torch.sin(theta / 2) + 0 * scale


@mistake("sinh overflows where edges are long: there asinh(sinh(z) s) is z + log(s).")
def distortion_that_overflows(theta, scale, c):
    z = math.sqrt(c) * scale
    return z / torch.asinh(torch.sinh(z) * torch.sin(theta / 2))


@mistake("z + log(sin(theta/2)) is the limit for long edges; short ones need asinh(sinh(z) sin(theta/2)) itself.")
def distortion_of_the_limit(theta, scale, c):
    z = math.sqrt(c) * scale
    return z / (z + torch.log(torch.sin(theta / 2)))


@mistake("cosh^2 - sinh^2 cos(theta) cancels for short edges and overflows for long ones: use sinh and theta/2.")
def distortion_by_the_law_of_cosines(theta, scale, c):
    z = math.sqrt(c) * scale
    return 2 * z / torch.acosh(torch.cosh(z) ** 2 - torch.sinh(z) ** 2 * torch.cos(theta))


PATH = Exercise(
    name="path_distortion",
    title="Distortion against the scaling factor",
    points=3,
    minutes=20,
    difficulty=3,
    differentiable=False,  # where the distortion is nearly 1, its derivative is a difference that cancels
    rule="sinh(sqrt(c) d/2) = sinh(sqrt(c) scale) sin(theta/2), and the distortion is 2 scale / d",
    reference=path_distortion,
    cases=_path_cases,
    properties=[
        Property(
            "sqrt(c) is a unit of length: twice the scale in curvature -c/4 is the same",
            lambda f, theta, scale, c: (f(theta, 2 * scale, c / 4), f(theta, scale, c)),
        ),
    ],
    mistakes=[
        distortion_of_the_whole_angle,
        distortion_without_curvature,
        distortion_upside_down,
        distortion_of_flat_space,
        distortion_that_overflows,
        distortion_of_the_limit,
        distortion_by_the_law_of_cosines,
    ],
    rounding=lambda value, e: value + 2 * e * value,
)

# --- end_to_end: the challenge ----------------------------------------------------------------------------------------


def end_to_end(lengths: Tensor, turns: Tensor, c: float) -> Tensor:
    """Matrices of SL(2), the growing factor of each kept apart: 2 cosh d is the sum of the squares of their product."""
    z = math.sqrt(c) * lengths
    M = torch.eye(2, dtype=z.dtype).expand(*z.shape[:-1], 2, 2)
    log = torch.zeros_like(z[..., 0])
    for k in range(z.shape[-1]):
        if k:
            half = turns[..., k - 1] / 2
            cos, sin = half.cos(), half.sin()
            M = M @ torch.stack((cos, sin, -sin, cos), dim=-1).unflatten(-1, (2, 2))
        one = torch.ones_like(z[..., k])
        M = M * torch.stack((one, torch.exp(-z[..., k])), dim=-1).unsqueeze(-2)
        size = (M * M).sum((-2, -1), keepdim=True).sqrt()
        M, log = M / size, log + z[..., k] + 2 * size[..., 0, 0].log()
    # log(2 cosh d) is known; cosh d = h gives d = log h + log(1 + sqrt(1 - 1/h^2)).
    log = log - math.log(2)
    return (log + torch.log1p((-torch.expm1(-2 * log)).sqrt())) / math.sqrt(c)


def _end_cases(draw):
    yield Case((_numbers(2.0, 2.0), _numbers(math.pi / 2), 1.0), "two edges and a right turn")
    for c in CURVATURES:
        yield Case((draw.uniform(1.0, 3.0, 4), draw.uniform(-1.5, 1.5, 3), c), "one path of four edges")
    yield Case((draw.uniform(1.0, 3.0, 2, 5), draw.uniform(-1.5, 1.5, 2, 4), 0.5), "two paths of five edges")
    yield Case((draw.uniform(1.0, 3.0, 1), draw.uniform(0.0, 1.0, 0), 2.0), "one edge", edge=True)
    long = draw.uniform(200.0, 900.0, 6), draw.uniform(-2.5, 2.5, 5)
    yield Case((*long, 2.0), "edges of hundreds, thousands in all", edge=True)


@mistake("That is the length of the path itself, not of the straight way from end to end.")
def end_by_the_path(lengths, turns, c):
    return lengths.sum(-1) + 0 * turns.sum(-1)


@mistake("That is the straight way in flat space.")
def end_in_flat_space(lengths, turns, c):
    zero = torch.zeros_like(lengths[..., :1])
    heading = torch.cat((zero, turns.cumsum(-1)), dim=-1)
    return torch.hypot((lengths * heading.cos()).sum(-1), (lengths * heading.sin()).sum(-1))


@mistake("The curvature is missing: that is the way in the plane of curvature -1.")
def end_without_curvature(lengths, turns, c):
    x = torch.zeros_like(lengths)
    M = torch.eye(2, dtype=lengths.dtype).expand(*lengths.shape[:-1], 2, 2)
    log = x[..., 0]
    for k in range(lengths.shape[-1]):
        if k:
            half = turns[..., k - 1] / 2
            M = M @ torch.stack((half.cos(), half.sin(), -half.sin(), half.cos()), dim=-1).unflatten(-1, (2, 2))
        z = lengths[..., k]
        M = M * torch.stack((torch.ones_like(z), torch.exp(-z)), dim=-1).unsqueeze(-2)
        size = (M * M).sum((-2, -1), keepdim=True).sqrt()
        M, log = M / size, log + z + 2 * size[..., 0, 0].log()
    log = log - math.log(2)
    return log + torch.log1p((-torch.expm1(-2 * log)).sqrt())


@mistake("Each turn adds log cos(turn/2) only where edges are long; short ones need the whole composition.")
def end_by_the_limit(lengths, turns, c):
    return lengths.sum(-1) + 2 * torch.log(torch.cos(turns / 2)).sum(-1) / math.sqrt(c)


@mistake("Something overflows where the path is long: keep the logarithm of what grows like exp(d) apart.")
def end_that_overflows(lengths, turns, c):
    M = torch.eye(2, dtype=lengths.dtype).expand(*lengths.shape[:-1], 2, 2)
    for k in range(lengths.shape[-1]):
        if k:
            half = turns[..., k - 1] / 2
            M = M @ torch.stack((half.cos(), half.sin(), -half.sin(), half.cos()), dim=-1).unflatten(-1, (2, 2))
        z = math.sqrt(c) * lengths[..., k] / 2
        M = M * torch.stack((torch.exp(z), torch.exp(-z)), dim=-1).unsqueeze(-2)
    return torch.acosh((M * M).sum((-2, -1)) / 2) / math.sqrt(c)


END = Exercise(
    name="end_to_end",
    title="Challenge: from end to end, without coordinates",
    points=0,
    minutes=40,
    difficulty=5,
    optional=True,
    differentiable=False,
    rule="the distance between the ends of a path, whose edges may be thousands long",
    reference=end_to_end,
    cases=_end_cases,
    properties=[
        Property(
            "the way back is as long",
            lambda f, lengths, turns, c: (f(lengths, turns, c), f(lengths.flip(-1), -turns.flip(-1), c)),
        ),
    ],
    mistakes=[end_by_the_path, end_in_flat_space, end_without_curvature, end_by_the_limit, end_that_overflows],
    rounding=lambda value, e: value + 8 * e,
)

WHY = Written(
    name="why_scale",
    title="Free of charge?",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: why it works: two edges that meet at a node at the angle theta are shorter than their sum by about "
        "-2 log sin(theta/2) / sqrt(c), whatever their length; so the relative error falls like 1/scale.",
        "1 point: what it costs: a point at the distance d needs about sqrt(c) d / log 2 bits per coordinate, so the "
        "deepest node needs bits in proportion to depth times scale; with 53 bits distances of deep nodes are noise.",
        "1 point: c changes nothing: only sqrt(c) d matters, so a smaller c with the same distances needs fewer bits "
        "and has exactly the distortion of the smaller scale.",
    ],
)

SET = ExerciseSet(
    "08_closed_form",
    [BITS, PLACE, REFLECTION, SARKAR, PATH, END],
    [WHY],
    masked=[
        "hyplearn.embeddings.sarkar.bits_needed",
        "hyplearn.embeddings.sarkar.SarkarEmbedding.fit",
        "hyplearn.plane.reflect",
        "hyplearn.isometries.reflection",
        "hyplearn.isometries.bisector_reflection",
    ],
)
