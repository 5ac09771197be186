"""Exercises of lecture 07: entailment cones. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import Lorentz, PoincareBall, cones, metrics
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.1, 10.0)  # single objects; 0.5 comes as a batch of 2 x 3
F64 = torch.float64


def _point(*coordinates: float) -> Tensor:
    return torch.tensor(coordinates, dtype=F64)


# --- half_aperture: the warm-up ---------------------------------------------------------------------------------------


def half_aperture(x: Tensor, c: float, K: float) -> Tensor:
    return cones.half_aperture(x, PoincareBall(c), K)


def _aperture_cases(draw):
    yield Case((_point(0.5, 0.0), 1.0, 0.1), "one point")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c, near=0.8), c, draw.number(0.1, 0.3)), "one point")
    yield Case((draw.ball_points(4, 3, c=2.0, near=0.8), 2.0, 0.2), "a batch of 4 in three dimensions")
    yield Case((draw.ball_points(2, 3, 5, c=0.5, near=0.8), 0.5, 0.05), "a batch of 2 x 3 in five dimensions")
    yield Case((draw.ball_points(4, 2, c=0.5, near=5.0, far=6.0), 0.5, 0.1), "far out", edge=True)


@mistake("The curvature is missing: that is the half-aperture in the ball of radius 1.")
def aperture_without_curvature(x, c, K):
    r = x.norm(dim=-1)
    return torch.asin(K * (1 - r**2) / r)


@mistake("c stands where sqrt(c) belongs: the sine is K (1 - c|x|^2) divided by sqrt(c)|x|, a length without a unit.")
def aperture_with_c_for_sqrt_c(x, c, K):
    r = x.norm(dim=-1)
    return torch.asin(K * (1 - c * r**2) / (c * r))


@mistake("That is the sine of the half-aperture, not yet the angle.")
def aperture_is_a_sine(x, c, K):
    r = x.norm(dim=-1)
    return K * (1 - c * r**2) / (math.sqrt(c) * r)


@mistake("That is the whole opening of the cone. What is asked for is the angle between its axis and its rim: half.")
def aperture_is_whole(x, c, K):
    r = x.norm(dim=-1)
    return 2 * torch.asin(K * (1 - c * r**2) / (math.sqrt(c) * r))


@mistake(
    "The 2 belongs to the form 2K / sinh(sqrt(c) d). Here it is already in: sinh(sqrt(c) d) = 2 sqrt(c)|x| / (1 - ...)."
)
def aperture_twice_two(x, c, K):
    r = x.norm(dim=-1)
    return torch.asin((2 * K * (1 - c * r**2) / (math.sqrt(c) * r)).clamp(max=1.0))


@mistake("That is the cone of flat space, arcsin(K / |x|).")
def aperture_flat(x, c, K):
    return torch.asin((K / x.norm(dim=-1)).clamp(max=1.0))


@mistake("`.norm()` takes the whole batch for one vector: the norm over the last dimension only, `.norm(dim=-1)`.")
def aperture_of_the_whole_batch(x, c, K):
    r = x.norm()
    return torch.asin(K * (1 - c * (x * x).sum(-1)) / (math.sqrt(c) * r))


APERTURE = Exercise(
    name="half_aperture",
    title="How wide a cone is",
    points=1,
    minutes=5,
    difficulty=1,
    rule="sin(psi) = K (1 - c|x|^2) / (sqrt(c)|x|)",
    reference=half_aperture,
    cases=_aperture_cases,
    properties=[
        Property(
            "only sqrt(c) x matters: half of x in curvature -4c",
            lambda f, x, c, K: (f(x / 2, 4 * c, K), f(x, c, K)),
        ),
        Property("the sine grows in proportion to K", lambda f, x, c, K: (f(x, c, K / 2).sin(), f(x, c, K).sin() / 2)),
    ],
    vectors=["x"],
    mistakes=[
        aperture_without_curvature,
        aperture_with_c_for_sqrt_c,
        aperture_is_a_sine,
        aperture_is_whole,
        aperture_twice_two,
        aperture_flat,
        aperture_of_the_whole_batch,
    ],
)

# --- apex_angle -------------------------------------------------------------------------------------------------------


def apex_angle(x: Tensor, y: Tensor, c: float) -> Tensor:
    return cones.apex_angle(x, y, PoincareBall(c))


def _beside(draw, x: Tensor, c: float, angle: float, length: float = 1.0) -> Tensor:
    """The points at `length`/sqrt(c) from the points x, in directions at `angle` to the ray from the origin."""
    u = x / x.norm(dim=-1, keepdim=True)
    across = draw.normal(*x.shape)
    across = across - (across * u).sum(-1, keepdim=True) * u
    across = across / across.norm(dim=-1, keepdim=True)
    ball = PoincareBall(c)
    step = length / math.sqrt(c) / ball.lambda_x(x, keepdim=True)
    return ball.expmap(x, step * (math.cos(angle) * u + math.sin(angle) * across))


def _angle_cases(draw):
    yield Case((_point(0.5, 0.0), _point(0.5, 0.5), 1.0), "two points")
    for c in CURVATURES:
        x = draw.ball_points(2, c=c, near=0.5, far=2.0)
        yield Case((x, _beside(draw, x, c, draw.number(0.4, 2.6)), c), "two points")
    x = draw.ball_points(4, 3, c=2.0, near=0.5, far=2.0)
    yield Case((x, _beside(draw, x, 2.0, draw.number(0.4, 2.6)), 2.0), "a batch of 4 in three dimensions")
    x, y = draw.ball_points(5, c=0.5, near=0.5, far=2.0), draw.ball_points(2, 3, 5, c=0.5, near=0.5, far=2.0)
    yield Case((x, y, 0.5), "one apex against 2 x 3")
    x = draw.ball_points(8, 2, c=2.0, near=0.5, far=1.5)
    yield Case((x, _beside(draw, x, 2.0, 1e-6), 2.0), "almost on the axis", edge=True, gradient=False, dtypes=(F64,))
    yield Case((x, _beside(draw, x, 2.0, 1e-2), 2.0), "close to the axis", edge=True, gradient=False)
    yield Case((x, 1.2 * x, 2.0), "on the axis, beyond x", edge=True, gradient=False)
    yield Case((x, 0.5 * x, 2.0), "on the axis, before x", edge=True, gradient=False)
    yield Case((x, torch.zeros(2, dtype=F64), 2.0), "the origin", edge=True, gradient=False)


@mistake(
    "On paper acos is the same. Near the axis the cosine is 1 - (something tiny), and the tiny is lost: half of the "
    "digits are gone, and its slope is infinite. An angle comes out whole from atan2(part across, part along)."
)
def angle_by_acos(x, y, c):
    xx, yy, xy = (x * x).sum(-1), (y * y).sum(-1), (x * y).sum(-1)
    top = xy * (1 + c * xx) - xx * (1 + c * yy)
    below = xx.sqrt() * (x - y).norm(dim=-1) * (1 + c * c * xx * yy - 2 * c * xy).sqrt()
    return torch.acos((top / below).clamp(-1.0, 1.0))


@mistake(
    "On the axis a cosine comes out as 1 + (a rounding), and its acos is NaN. A clamp hides that and nothing else: the "
    "digits near the axis are gone all the same. Take the angle from atan2(part across, part along)."
)
def angle_by_acos_of_more_than_1(x, y, c):
    xx, yy, xy = (x * x).sum(-1), (y * y).sum(-1), (x * y).sum(-1)
    top = xy * (1 + c * xx) - xx * (1 + c * yy)
    return torch.acos(top / (xx.sqrt() * (x - y).norm(dim=-1) * (1 + c * c * xx * yy - 2 * c * xy).sqrt()))


@mistake("That is the angle at the origin between x and y. The apex of the cone is x: look from there.")
def angle_at_the_origin(x, y, c):
    x, y = torch.broadcast_tensors(x, y)
    u = x / x.norm(dim=-1, keepdim=True)
    along = (y * u).sum(-1)
    return torch.atan2((y - along.unsqueeze(-1) * u).norm(dim=-1), along)


@mistake("That is the angle of flat space, between x and y - x. The geodesic from x to y starts in another direction.")
def angle_flat(x, y, c):
    u, w = x / x.norm(dim=-1, keepdim=True), y - x
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)


@mistake("That is the angle of the triangle 0, x, y at x. The cone opens on the other side: pi minus that.")
def angle_of_the_triangle(x, y, c):
    D, g = y - x, 1 - c * (x * x).sum(-1, keepdim=True)
    w = g * D - c * (D * D).sum(-1, keepdim=True) * x
    u = -x / x.norm(dim=-1, keepdim=True)
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)


@mistake("The curvature is missing: that is the angle in the ball of radius 1.")
def angle_without_curvature(x, y, c):
    D, g = y - x, 1 - (x * x).sum(-1, keepdim=True)
    w = g * D - (D * D).sum(-1, keepdim=True) * x
    u = x / x.norm(dim=-1, keepdim=True)
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)


@mistake("The roles are swapped: that is the angle at y. The apex is the first argument.")
def angle_at_the_other_point(x, y, c):
    D, g = x - y, 1 - c * (y * y).sum(-1, keepdim=True)
    w = g * D - c * (D * D).sum(-1, keepdim=True) * y
    size = y.norm(dim=-1, keepdim=True)
    u = y / torch.where(size > 0, size, 1.0)
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)


@mistake("The order of the sum: seen from x, the point y is -x + y. Your y - x is as long, but a gyration turns it.")
def angle_in_the_other_order(x, y, c):
    xx, yy, xy = ((p * q).sum(-1, keepdim=True) for p, q in ((x, x), (y, y), (x, y)))
    w = (1 - 2 * c * xy + c * xx) * y - (1 - c * yy) * x
    u = x / x.norm(dim=-1, keepdim=True)
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)


ANGLE = Exercise(
    name="apex_angle",
    title="The angle at the apex",
    points=3,
    minutes=25,
    difficulty=4,
    rule="the angle at x between the ray from the origin, continued, and the geodesic to y",
    reference=apex_angle,
    cases=_angle_cases,
    properties=[
        Property("only sqrt(c) times the points matters", lambda f, x, y, c: (f(x / 2, y / 2, 4 * c), f(x, y, c))),
        Property(
            "a mirror image of the world has the same angles",
            lambda f, x, y, c: (f(x.flip(-1), y.flip(-1), c), f(x, y, c)),
        ),
    ],
    vectors=["x", "y"],
    mistakes=[
        angle_by_acos,
        angle_by_acos_of_more_than_1,
        angle_at_the_origin,
        angle_flat,
        angle_of_the_triangle,
        angle_without_curvature,
        angle_at_the_other_point,
        angle_in_the_other_order,
    ],
)

# --- energy: find the bugs --------------------------------------------------------------------------------------------


def energy(x: Tensor, y: Tensor, c: float, K: float) -> Tensor:
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return (torch.acos(cosine) - torch.asin(2 * K / (math.sqrt(c) * size))).clamp(min=0.0)


def _sheet(x: Tensor, c: float) -> Tensor:
    """The points of the hyperboloid, time first, for points of the ball."""
    return Lorentz(c).from_normal(PoincareBall(c).to_normal(x))


def _energy_cases(draw):
    for c, label in ((1.0, "one pair"), (4.0, "one pair"), (0.25, "one pair"), (1.0, "one pair")):
        x = draw.ball_points(2, c=c, near=0.8, far=1.5)
        y = _beside(draw, x, c, draw.number(1.2, 2.4))
        yield Case((_sheet(x, c), _sheet(y, c), c, 0.2), label)
    x = draw.ball_points(4, 3, c=2.0, near=0.8, far=1.5)
    y = _beside(draw, x, 2.0, draw.number(1.2, 2.4))
    yield Case((_sheet(x, 2.0), _sheet(y, 2.0), 2.0, draw.number(0.1, 0.3)), "a batch of 4 in three dimensions")
    x = draw.ball_points(5, c=0.5, near=0.8, far=1.2)
    y = torch.stack([_beside(draw, x, 0.5, angle) for angle in (1.2, 1.6, 2.0)])
    yield Case((_sheet(x, 0.5), _sheet(y, 0.5), 0.5, 0.1), "one apex against 3")
    x = draw.ball_points(3, 2, c=1.0, near=0.8, far=1.5)
    yield Case((_sheet(x, 1.0), _sheet(_beside(draw, x, 1.0, 0.05), 1.0), 1.0, 0.3), "inside of the cone", edge=True)


@mistake("One bug is still there: with c other than 1, the Minkowski product has to be multiplied by c.")
def energy_product_without_c(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).abs().sqrt())
    return (torch.acos(cosine.clamp(-1.0, 1.0)) - torch.asin(2 * K / (math.sqrt(c) * size))).clamp(min=0.0)


@mistake("One bug is still there: on the hyperboloid the sine of the half-aperture has a 2, 2K / (sqrt(c)|s|).")
def energy_without_two(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return (torch.acos(cosine) - torch.asin(K / (math.sqrt(c) * size))).clamp(min=0.0)


@mistake("One bug is still there: the aperture needs sqrt(c)|s|, a length without a unit, not |s|.")
def energy_aperture_without_c(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return (torch.acos(cosine) - torch.asin((2 * K / size).clamp(max=1.0))).clamp(min=0.0)


@mistake("That is the function as it was found. Try it with c = 4, and compare the energy of a point just outside.")
def energy_as_found(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).abs().sqrt())
    return (torch.acos(cosine.clamp(-1.0, 1.0)) - torch.asin((K / size).clamp(max=1.0))).clamp(min=0.0)


@mistake("The product is mended, the aperture is not: on the hyperboloid its sine is 2K / (sqrt(c)|s|).")
def energy_with_the_aperture_as_found(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return (torch.acos(cosine) - torch.asin((K / size).clamp(max=1.0))).clamp(min=0.0)


@mistake("Inside of the cone the energy is 0: it is the positive part of angle - aperture, max(0, ...).")
def energy_without_the_maximum(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return torch.acos(cosine) - torch.asin(2 * K / (math.sqrt(c) * size))


@mistake("The roles are swapped: x is the apex, and y is asked about.")
def energy_swapped(x, y, c, K):
    size = y[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (x[..., 0] + y[..., 0] * product) / (size * (product**2 - 1).sqrt())
    return (torch.acos(cosine.clamp(-1.0, 1.0)) - torch.asin((2 * K / (math.sqrt(c) * size)).clamp(max=1.0))).clamp(
        min=0.0
    )


ENERGY = Exercise(
    name="energy",
    title="The energy, on the hyperboloid: find the bugs",
    points=3,
    minutes=20,
    difficulty=3,
    rule="max(0, angle - half-aperture), with cos(angle) = (y_0 + x_0 c<x,y>) / (|s| sqrt((c<x,y>)^2 - 1))",
    reference=energy,
    cases=_energy_cases,
    properties=[
        Property(
            "the wider the cones, the smaller the energy",
            lambda f, x, y, c, K: (torch.minimum(f(x, y, c, 0.9 * K), f(x, y, c, K)), f(x, y, c, K)),
        ),
    ],
    vectors=["x", "y"],
    differentiable=False,  # in coordinates one of which depends on the others, derivatives depend on the formula
    mistakes=[
        energy_as_found,
        energy_product_without_c,
        energy_without_two,
        energy_aperture_without_c,
        energy_with_the_aperture_as_found,
        energy_without_the_maximum,
        energy_swapped,
    ],
)

# --- violations: the transitivity test --------------------------------------------------------------------------------


def violations(above: Tensor) -> int:
    paths = above.double() @ above.double()
    missing = ~above & ~torch.eye(len(above), dtype=torch.bool, device=above.device)
    return int((paths * missing).sum())


def _order(draw, n: int, missing: float) -> Tensor:
    """The pairs of a random linear order without some of them; with two nodes that are above each other."""
    rank = torch.randperm(n, generator=draw.rng)
    above = (rank[:, None] > rank) & (draw.uniform(0.0, 1.0, n, n) >= missing)
    top, second = rank.argsort()[-2:].tolist()
    above[top, second] = above[second, top] = True
    return above


def _violation_cases(draw):
    chain = torch.zeros(3, 3, dtype=torch.bool)
    chain[0, 1] = chain[1, 2] = True
    yield Case((chain,), "1 is above 0, 2 is above 1, and 2 is not above 0")
    for n, missing in ((5, 0.3), (8, 0.5), (20, 0.1)):
        yield Case((_order(draw, n, missing),), f"{n} nodes")
    rank = torch.randperm(12, generator=draw.rng)
    yield Case((rank[:, None] > rank,), "a linear order has none", edge=True)
    yield Case((torch.zeros(4, 4, dtype=torch.bool),), "nobody is above anybody", edge=True)


@mistake("Those are the pairs (i, k) that are missing. A pair counts once for each j in between: count triples.")
def violations_are_pairs(above):
    missing = ~above & ~torch.eye(len(above), dtype=torch.bool)
    return int(((above.double() @ above.double() > 0) & missing).sum())


@mistake("i and k must differ: two nodes that are above each other are no violation of transitivity.")
def violations_of_oneself(above):
    return int(((above.double() @ above.double()) * ~above).sum())


@mistake("The middle one is turned round: `above @ above.T` counts the nodes above both of i and k.")
def violations_turned_round(above):
    missing = ~above & ~torch.eye(len(above), dtype=torch.bool)
    return int(((above.double() @ above.double().T) * missing).sum())


@mistake("Those are all triples i, j, k in a row. Only those count in which k is not above i.")
def violations_are_all_paths(above):
    return int((above.double() @ above.double()).fill_diagonal_(0.0).sum())


VIOLATIONS = Exercise(
    name="violations",
    title="Is it an order?",
    points=2,
    minutes=15,
    difficulty=2,
    rule="triples of different nodes with j above i and k above j, but k not above i",
    reference=violations,
    cases=_violation_cases,
    differentiable=False,
    mistakes=[violations_are_pairs, violations_of_oneself, violations_turned_round, violations_are_all_paths],
)

# --- best_threshold ---------------------------------------------------------------------------------------------------


def best_threshold(scores: Tensor, true: Tensor) -> float:
    return metrics.best_threshold(scores, true)


def _threshold_cases(draw):
    yield Case((_point(0.1, 0.4, 0.2, 0.8), torch.tensor([True, False, True, False])), "four pairs")
    for n in (8, 30, 200):
        true = draw.uniform(0.0, 1.0, n) < 0.3
        true[:2] = torch.tensor([True, False])
        yield Case((draw.uniform(0.0, 1.0, n) - 0.3 * true, true), f"{n} pairs")
    tied = _point(0.125, 0.25, 0.25, 0.25, 0.25, 0.75)
    yield Case((tied, torch.tensor([True, True, False, False, False, True])), "equal scores", edge=True)
    yield Case((draw.uniform(0.0, 1.0, 6), torch.ones(6, dtype=torch.bool)), "all are true", edge=True)


@mistake(
    'That threshold makes the accuracy largest. Where most pairs are false, saying "false" is accurate, and useless.'
)
def threshold_of_accuracy(scores, true):
    scores, order = scores.double().sort()
    hits = true[order].double().cumsum(0)
    count = torch.arange(1, len(scores) + 1)
    right = hits + (~true).sum() - (count - hits)
    k = int(right.argmax())
    return (scores[k] if k + 1 == len(scores) else (scores[k] + scores[k + 1]) / 2).item()


@mistake("Here small scores mean true: what is predicted are the scores up to the threshold, not those from it on.")
def threshold_for_large_scores(scores, true):
    scores, order = scores.double().sort(descending=True)
    hits = true[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(scores) + 1) + hits[-1])
    k = int(f1.argmax())
    return (scores[k] if k + 1 == len(scores) else (scores[k] + scores[k + 1]) / 2).item()


@mistake("That is the last score that counts as true itself. Ask for half-way to the next one: new scores lie between.")
def threshold_is_a_score(scores, true):
    scores, order = scores.double().sort()
    hits = true[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(scores) + 1) + hits[-1])
    last = torch.cat([scores[1:] > scores[:-1], torch.ones(1, dtype=torch.bool)])
    return scores[int(torch.where(last, f1, -1.0).argmax())].item()


@mistake("Equal scores fall on one side of the threshold together: your best one parts scores that are the same.")
def threshold_parts_what_is_equal(scores, true):
    # Among equal scores the true ones first, as a lucky order of the data may have it.
    order = torch.tensor(sorted(range(len(scores)), key=lambda i: (scores[i].item(), not bool(true[i]))))
    scores, hits = scores.double()[order], true[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(scores) + 1) + hits[-1])
    k = int(f1.argmax())
    return (scores[k] if k + 1 == len(scores) else (scores[k] + scores[k + 1]) / 2).item()


@mistake("That is the threshold of the best precision: a single pair that is right will do. F1 asks for recall, too.")
def threshold_of_precision(scores, true):
    scores, order = scores.double().sort()
    precision = true[order].double().cumsum(0) / torch.arange(1, len(scores) + 1)
    k = int(precision.argmax())
    return (scores[k] if k + 1 == len(scores) else (scores[k] + scores[k + 1]) / 2).item()


THRESHOLD = Exercise(
    name="best_threshold",
    title="From scores to yes and no",
    points=2,
    minutes=20,
    difficulty=3,
    rule="F1 = 2 TP / (predicted + true), where score <= t predicts true; t half-way between two scores",
    reference=best_threshold,
    cases=_threshold_cases,
    differentiable=False,
    mistakes=[
        threshold_of_accuracy,
        threshold_for_large_scores,
        threshold_is_a_score,
        threshold_parts_what_is_equal,
        threshold_of_precision,
    ],
)

# --- shadow: the challenge --------------------------------------------------------------------------------------------


def shadow(x: Tensor, c: float, K: float) -> Tensor:
    r = math.sqrt(c) * x.norm(dim=-1)
    psi = torch.asin(K * (1 - r**2) / r)
    return 2 * torch.atan((1 - r) / (1 + r) * torch.tan(psi / 2))


def _shadow_cases(draw):
    yield Case((_point(0.5, 0.0), 1.0, 0.1), "one point")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c, near=0.8), c, draw.number(0.1, 0.3)), "one point")
    yield Case((draw.ball_points(4, 2, c=2.0, near=0.8), 2.0, 0.2), "a batch of 4")
    yield Case((draw.ball_points(2, 3, 2, c=0.5, near=0.8), 0.5, 0.05), "a batch of 2 x 3")
    yield Case((draw.ball_points(4, 2, c=0.5, near=4.0, far=5.0), 0.5, 0.1), "far out", edge=True)


@mistake("That is the half-aperture as seen from the apex. Seen from the origin the cone is much narrower.")
def shadow_is_the_aperture(x, c, K):
    r = math.sqrt(c) * x.norm(dim=-1)
    return torch.asin(K * (1 - r**2) / r)


@mistake("The half angles are what the law is about: tan(theta/2) = exp(-sqrt(c) d) tan(psi/2).")
def shadow_without_halves(x, c, K):
    r = math.sqrt(c) * x.norm(dim=-1)
    return torch.atan((1 - r) / (1 + r) * torch.tan(torch.asin(K * (1 - r**2) / r)))


@mistake("That is what a right angle at x would cover, the angle of parallelism. The cone's angle is psi.")
def shadow_is_the_angle_of_parallelism(x, c, K):
    r = math.sqrt(c) * x.norm(dim=-1)
    return 2 * torch.atan((1 - r) / (1 + r))


@mistake(
    "The curvature is missing in the distance from the origin: exp(-sqrt(c) d) = (1 - sqrt(c)|x|)/(1 + sqrt(c)|x|)."
)
def shadow_without_curvature(x, c, K):
    r = x.norm(dim=-1)
    psi = torch.asin(K * (1 - c * r**2) / (math.sqrt(c) * r))
    return 2 * torch.atan((1 - r) / (1 + r) * torch.tan(psi / 2))


@mistake("That is the whole arc of the rim. What is asked for is half of it, from the axis to one end.")
def shadow_is_whole(x, c, K):
    r = math.sqrt(c) * x.norm(dim=-1)
    psi = torch.asin(K * (1 - r**2) / r)
    return 4 * torch.atan((1 - r) / (1 + r) * torch.tan(psi / 2))


SHADOW = Exercise(
    name="shadow",
    title="Challenge: what a cone covers of the rim",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="the geodesic that leaves x at the angle psi to the axis ends on the rim at the angle theta to it",
    reference=shadow,
    cases=_shadow_cases,
    properties=[
        Property(
            "only sqrt(c) x matters: half of x in curvature -4c", lambda f, x, c, K: (f(x / 2, 4 * c, K), f(x, c, K))
        ),
    ],
    vectors=["x"],
    mistakes=[
        shadow_is_the_aperture,
        shadow_without_halves,
        shadow_is_the_angle_of_parallelism,
        shadow_without_curvature,
        shadow_is_whole,
    ],
)

ROOT = Written(
    name="why_no_root",
    title="A root that does not fit",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: no cone is wider than a half-space (psi is at most pi/2, reached at sqrt(c) d = asinh(2K); nearer to "
        "the origin there are no cones that nest), and the children of the root lie in all directions around it.",
        "1 point: what to do: leave the root's relations out, as the paper does, or declare the origin to be above "
        "everything; a larger K, more epochs or more dimensions do not help.",
        "1 point: why not by a distance to the root: it is symmetric, so it cannot say which of the two is above; and "
        "a threshold for it says nothing about other pairs.",
    ],
)

SET = ExerciseSet(
    "07_entailment_cones",
    [APERTURE, ANGLE, ENERGY, VIOLATIONS, THRESHOLD, SHADOW],
    [ROOT],
    masked=[
        "hyplearn.cones",
        "hyplearn.embeddings.cones.EntailmentEmbedding.slack",
        "hyplearn.metrics.held_out_f1",
    ],
)
