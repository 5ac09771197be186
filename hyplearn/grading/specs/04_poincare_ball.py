"""Exercises of lecture 04: arithmetic in the Poincare ball. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.1, 10.0)  # single objects; 0.5 comes as a batch of 2 x 3
BATCHED = (2.0, 0.1)  # curvatures that come in batches as well
F64 = torch.float64


def _point(*coordinates: float) -> Tensor:
    return torch.tensor(coordinates, dtype=F64)


def _tangent(draw, *shape: int, c: float) -> Tensor:
    """Vectors whose coordinates have the size of the ball."""
    return draw.uniform(-0.5, 0.5, *shape) / math.sqrt(c)


# --- lambda_x: the warm-up --------------------------------------------------------------------------------------------


def lambda_x(x: Tensor, c: float) -> Tensor:
    return PoincareBall(c).lambda_x(x)


def _lambda_cases(draw):
    yield Case((_point(0.6, 0.0), 1.0), "one point")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c), c), "one point")
    for c in BATCHED:
        yield Case((draw.ball_points(4, 3, c=c), c), "a batch of 4 in three dimensions")
    yield Case((draw.ball_points(2, 3, 5, c=0.5), 0.5), "a batch of 2 x 3 in five dimensions")
    yield Case((torch.zeros(2, dtype=F64), 2.0), "the origin", edge=True)
    yield Case((draw.ball_points(4, 2, c=0.5, near=5.0, far=6.0), 0.5), "close to the boundary", edge=True)


@mistake("The curvature is missing: that is the factor of the ball of radius 1. Here it is 2 / (1 - c|x|^2).")
def lambda_without_curvature(x, c):
    return 2 / (1 - (x * x).sum(-1))


@mistake("The 2 is missing. It is not a matter of taste: without it the curvature would be -4c.")
def lambda_without_two(x, c):
    return 1 / (1 - c * (x * x).sum(-1))


@mistake("The factor enters the metric as its square; `lambda_x` itself is the factor of lengths, not squared.")
def lambda_squared(x, c):
    return (2 / (1 - c * (x * x).sum(-1))) ** 2


@mistake("The square of the norm belongs into the formula, |x|^2; yours has |x|.")
def lambda_of_the_norm(x, c):
    return 2 / (1 - c * x.norm(dim=-1))


@mistake("sqrt(c) stands where c belongs: c|x|^2 is the square of sqrt(c)|x|.")
def lambda_sqrt_c(x, c):
    return 2 / (1 - math.sqrt(c) * (x * x).sum(-1))


@mistake("A plus stands where a minus belongs: that is the factor of the sphere, which shrinks outwards.")
def lambda_of_the_sphere(x, c):
    return 2 / (1 + c * (x * x).sum(-1))


@mistake("`.sum()` adds up all points of a batch: sum over the last dimension only, `.sum(-1)`.")
def lambda_of_the_whole_batch(x, c):
    return 2 / (1 - c * (x * x).sum())


LAMBDA = Exercise(
    name="lambda_x",
    title="The conformal factor",
    points=1,
    minutes=4,
    difficulty=1,
    rule="lambda = 2 / (1 - c|x|^2)",
    reference=lambda_x,
    cases=_lambda_cases,
    properties=[
        Property("only sqrt(c) x matters: half of x in curvature -4c", lambda f, x, c: (f(x / 2, 4 * c), f(x, c))),
    ],
    vectors=["x"],
    mistakes=[
        lambda_without_curvature,
        lambda_without_two,
        lambda_squared,
        lambda_of_the_norm,
        lambda_sqrt_c,
        lambda_of_the_sphere,
        lambda_of_the_whole_batch,
    ],
)

# --- mobius_add -------------------------------------------------------------------------------------------------------


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    return PoincareBall(c).mobius_add(x, y)


def _add_cases(draw):
    yield Case((_point(0.5, 0.0), _point(0.0, 0.5), 1.0), "two points")
    for c in CURVATURES:
        yield Case(
            (draw.ball_points(2, c=c, near=0.3, far=2.0), draw.ball_points(2, c=c, near=0.3, far=2.0), c), "two points"
        )
    for c in BATCHED:
        x, y = draw.ball_points(4, 3, c=c, near=0.3, far=2.0), draw.ball_points(4, 3, c=c, near=0.3, far=2.0)
        yield Case((x, y, c), "a batch of 4 in three dimensions")
    x, y = draw.ball_points(5, c=0.5, near=0.3, far=2.0), draw.ball_points(2, 3, 5, c=0.5, near=0.3, far=2.0)
    yield Case((x, y, 0.5), "one point against 2 x 3")
    x, zero = draw.ball_points(3, 2, c=2.0, near=0.5, far=2.0), torch.zeros(2, dtype=F64)
    yield Case((x, zero, 2.0), "the second is the origin", edge=True)
    yield Case((zero, x, 2.0), "the first is the origin", edge=True)
    yield Case((x, -x, 2.0), "a point and its opposite", edge=True)
    yield Case((x, x, 2.0), "a point and itself", edge=True)


@mistake("The curvature is missing: that is the sum in the ball of radius 1.")
def add_without_curvature(x, y, c):
    xy, xx, yy = ((u * v).sum(-1, keepdim=True) for u, v in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * xy + yy) * x + (1 - xx) * y) / (1 + 2 * xy + xx * yy)


@mistake("That is y + x. The sum is not commutative: the long factor, with the inner product, belongs to the first.")
def add_in_the_other_order(x, y, c):
    xy, xx, yy = ((u * v).sum(-1, keepdim=True) for u, v in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * xx) * y + (1 - c * yy) * x) / (1 + 2 * c * xy + c * c * xx * yy)


@mistake("The last term of the denominator is c^2 |x|^2 |y|^2: each squared length comes with its own c.")
def add_one_c_too_few(x, y, c):
    xy, xx, yy = ((u * v).sum(-1, keepdim=True) for u, v in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * xx * yy)


@mistake("The sign of the inner product is flipped: you compute with -<x, y>.")
def add_inner_product_flipped(x, y, c):
    xy, xx, yy = ((u * v).sum(-1, keepdim=True) for u, v in ((x, y), (x, x), (y, y)))
    return ((1 - 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 - 2 * c * xy + c * c * xx * yy)


@mistake("The lengths in the numerator are swapped: |y|^2 belongs to the factor of x, and |x|^2 to that of y.")
def add_lengths_swapped(x, y, c):
    xy, xx, yy = ((u * v).sum(-1, keepdim=True) for u, v in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * xx) * x + (1 - c * yy) * y) / (1 + 2 * c * xy + c * c * xx * yy)


@mistake("That is the sum of flat space, to which the Mobius sum tends as c goes to 0.")
def add_flat(x, y, c):
    return x + y


@mistake("An inner product over the whole batch: sum over the last dimension only, and keep it: sum(-1, keepdim=True).")
def add_of_the_whole_batch(x, y, c):
    xy, xx, yy = ((u * v).sum() for u, v in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)


ADD = Exercise(
    name="mobius_add",
    title="Möbius addition",
    points=2,
    minutes=10,
    difficulty=2,
    rule="((1 + 2c<x,y> + c|y|^2) x + (1 - c|x|^2) y) / (1 + 2c<x,y> + c^2 |x|^2 |y|^2)",
    reference=mobius_add,
    cases=_add_cases,
    properties=[
        Property(
            "what was added from the left goes away: -x + (x + y) is as long as y",
            lambda f, x, y, c: (f(-x, f(x, y, c), c).norm(dim=-1), y.norm(dim=-1)),
        ),
        Property(
            "x + y and y + x differ by a rotation, so they have the same length",
            lambda f, x, y, c: (f(x, y, c).norm(dim=-1), f(y, x, c).norm(dim=-1)),
        ),
    ],
    vectors=["x", "y"],
    # Where the result is 0 it may be off by a few roundings of its terms, which are not 0.
    rounding=lambda value, e: value + e,
    mistakes=[
        add_without_curvature,
        add_in_the_other_order,
        add_one_c_too_few,
        add_inner_product_flipped,
        add_lengths_swapped,
        add_flat,
        add_of_the_whole_batch,
    ],
)

# --- dist -------------------------------------------------------------------------------------------------------------


def dist(x: Tensor, y: Tensor, c: float) -> Tensor:
    return PoincareBall(c).dist(x, y)


def _dist_cases(draw):
    yield Case((_point(0.0, 0.0), _point(0.5, 0.0), 1.0), "two points")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c), draw.ball_points(2, c=c), c), "two points")
    for c in BATCHED:
        yield Case((draw.ball_points(4, 3, c=c), draw.ball_points(4, 3, c=c), c), "a batch of 4 in three dimensions")
    yield Case((draw.ball_points(5, c=0.5), draw.ball_points(2, 3, 5, c=0.5), 0.5), "one point against 2 x 3")
    x = draw.ball_points(3, 2, c=2.0, near=0.5, far=2.0)
    yield Case((x, x, 2.0), "twice the same point: distance 0, gradient 0", edge=True)
    step = draw.uniform(0.5, 1.0, 3, 2) / 16384
    yield Case((x, x + step, 2.0), "points very close to each other", edge=True)
    u = draw.ball_points(3, 2, c=0.5, near=15.0, far=16.0)
    yield Case((u, -u.flip(-1), 0.5), "points very far apart", edge=True, gradient=False, dtypes=(F64,))
    u = draw.ball_points(3, 2, c=0.5, near=4.0, far=5.0)
    yield Case((u, -u, 0.5), "points far apart", edge=True, gradient=False)


@mistake("The curvature is missing: that is the distance in the ball of radius 1.")
def dist_without_curvature(x, y, c):
    gaps = (1 - (x * x).sum(-1)) * (1 - (y * y).sum(-1))
    return 2 * torch.asinh((x - y).norm(dim=-1) / gaps.sqrt())


@mistake("That is sqrt(c) times the distance: asinh gives a number without a unit; the length is that over sqrt(c).")
def dist_without_unit(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return 2 * torch.asinh(math.sqrt(c) * (x - y).norm(dim=-1) / gaps.sqrt())


@mistake("That is half the distance: the formula gives sinh of sqrt(c) d / 2.")
def dist_halved(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return torch.asinh(math.sqrt(c) * (x - y).norm(dim=-1) / gaps.sqrt()) / math.sqrt(c)


@mistake(
    "On paper acosh is the same. In the machine 1 + (something tiny) has forgotten the tiny, so close points lose "
    "their digits or become one, and at x = y the gradient is not finite. Look for a formula without the 1 +."
)
def dist_by_acosh(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return torch.acosh(1 + 2 * c * ((x - y) ** 2).sum(-1) / gaps) / math.sqrt(c)


@mistake(
    "On paper atanh of the length of -x + y is the same. Far apart, that length rounds to 1 and the distance to "
    "infinity, or to noise. Look for a formula whose argument grows with the distance."
)
def dist_by_atanh(x, y, c):
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * c * xy + c * yy) * -x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    return 2 / math.sqrt(c) * torch.atanh(math.sqrt(c) * w.norm(dim=-1))


@mistake("The values are right, but sqrt has an infinite slope at 0: at x = y the gradient is NaN. It should be 0.")
def dist_by_a_bare_square_root(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return 2 / math.sqrt(c) * torch.asinh((c * ((x - y) ** 2).sum(-1) / gaps).sqrt())


@mistake("An epsilon keeps the square root from 0, and with it the distance of a point from itself.")
def dist_with_an_epsilon(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return 2 / math.sqrt(c) * torch.asinh((c * ((x - y) ** 2).sum(-1) / gaps + 1e-8).sqrt())


@mistake(
    "Each of the two points blows up the distance by sqrt(1 - c|x|^2): the square root over the product is missing."
)
def dist_without_the_root(x, y, c):
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * (x - y).norm(dim=-1) / gaps)


DIST = Exercise(
    name="dist",
    title="A distance that keeps its digits",
    points=3,
    minutes=15,
    difficulty=3,
    rule="sinh(sqrt(c) d / 2) = sqrt(c) |x-y| / sqrt((1 - c|x|^2)(1 - c|y|^2))",
    reference=dist,
    cases=_dist_cases,
    properties=[
        Property("from y to x it is as far as from x to y", lambda f, x, y, c: (f(x, y, c), f(y, x, c))),
        Property(
            "in units of 1/sqrt(c) all balls are one: half the size in curvature -4c is half as far",
            lambda f, x, y, c: (2 * f(x / 2, y / 2, 4 * c), f(x, y, c)),
        ),
    ],
    vectors=["x", "y"],
    mistakes=[
        dist_without_curvature,
        dist_without_unit,
        dist_halved,
        dist_by_acosh,
        dist_by_atanh,
        dist_by_a_bare_square_root,
        dist_with_an_epsilon,
        dist_without_the_root,
    ],
)

# --- mobius_scalar_mul ------------------------------------------------------------------------------------------------


def mobius_scalar_mul(r: Tensor, x: Tensor, c: float) -> Tensor:
    return PoincareBall(c).mobius_scalar_mul(r.unsqueeze(-1), x)


def _scalar_cases(draw):
    yield Case((torch.tensor(2.0, dtype=F64), _point(0.5, 0.0), 1.0), "one point")
    for c in CURVATURES:
        yield Case((draw.uniform(0.3, 2.0), draw.ball_points(2, c=c, near=0.3, far=2.0), c), "one point")
    for c in BATCHED:
        x = draw.ball_points(4, 3, c=c, near=0.3, far=2.0)
        yield Case((draw.uniform(-2.0, 2.0, 4), x, c), "a batch of 4 in three dimensions")
    x = draw.ball_points(5, c=0.5, near=0.3, far=2.0)
    yield Case((draw.uniform(-1.5, 1.5, 2, 3), x, 0.5), "2 x 3 numbers, one point")
    some = draw.ball_points(3, 2, c=2.0, near=0.5, far=2.0)
    yield Case((torch.tensor(-1.0, dtype=F64), some, 2.0), "times -1", edge=True)
    yield Case((torch.tensor(0.0, dtype=F64), some, 2.0), "times 0", edge=True)
    yield Case((draw.uniform(0.5, 2.0, 3), torch.zeros(3, 2, dtype=F64), 2.0), "the origin", edge=True)


@mistake("That multiplies the coordinates. Multiply the distance from the origin, and keep the direction.")
def scalar_times_coordinates(r, x, c):
    return r.unsqueeze(-1) * x


@mistake("The curvature is missing: sqrt(c)|x| goes into atanh, and what tanh gives is sqrt(c) times the new length.")
def scalar_without_curvature(r, x, c):
    r, n = r.unsqueeze(-1), x.norm(dim=-1, keepdim=True)
    safe = torch.where(n > 0, n, 1.0)
    return torch.where(n > 0, torch.tanh(r * torch.atanh(n)) / safe, r) * x


@mistake("sqrt(c)|x| went into atanh, but the way back is missing: divide by sqrt(c) in the end.")
def scalar_without_the_way_back(r, x, c):
    r, n = r.unsqueeze(-1), x.norm(dim=-1, keepdim=True)
    safe = torch.where(n > 0, n, 1.0)
    return torch.where(n > 0, torch.tanh(r * torch.atanh(math.sqrt(c) * n)) / safe, r) * x


@mistake("tanh and atanh act on the length of x, not on each of its coordinates: the direction must stay.")
def scalar_by_coordinates(r, x, c):
    s = math.sqrt(c)
    return torch.tanh(r.unsqueeze(-1) * torch.atanh(s * x)) / s


@mistake("At the origin that is 0/0: a NaN, in the value or in its gradient. r times the origin is the origin.")
def scalar_divides_by_zero(r, x, c):
    s, n = math.sqrt(c), x.norm(dim=-1, keepdim=True)
    return torch.tanh(r.unsqueeze(-1) * torch.atanh(s * n)) * x / (s * n)


@mistake(
    "The clamp avoids NaN at the origin, and makes the gradient 0 there. A point that sits in the origin would never "
    "leave it: near 0 the product is r x, so the gradient is r."
)
def scalar_clamped(r, x, c):
    s, n = math.sqrt(c), x.norm(dim=-1, keepdim=True)
    return torch.tanh(r.unsqueeze(-1) * torch.atanh(s * n)) * x / (s * n.clamp_min(1e-15))


@mistake("A negative number reverses the direction: yours has lost its sign.")
def scalar_without_sign(r, x, c):
    s, r, n = math.sqrt(c), r.unsqueeze(-1).abs(), x.norm(dim=-1, keepdim=True)
    safe = torch.where(n > 0, n, 1.0)
    return torch.where(n > 0, torch.tanh(r * torch.atanh(s * n)) / (s * safe), r) * x


SCALAR = Exercise(
    name="mobius_scalar_mul",
    title="A number times a point",
    points=2,
    minutes=15,
    difficulty=3,
    rule="r * x = tanh(r atanh(sqrt(c)|x|)) / sqrt(c), in the direction of x",
    reference=mobius_scalar_mul,
    cases=_scalar_cases,
    properties=[
        Property(
            "r times (r times x) is r^2 times x",
            lambda f, r, x, c: (f(r, f(r, x, c), c), f(r * r, x, c)),
        ),
        Property(
            "only sqrt(c) x matters: half of x in curvature -4c is half the result",
            lambda f, r, x, c: (2 * f(r, x / 2, 4 * c), f(r, x, c)),
        ),
    ],
    vectors=["x"],
    mistakes=[
        scalar_times_coordinates,
        scalar_without_curvature,
        scalar_without_the_way_back,
        scalar_by_coordinates,
        scalar_divides_by_zero,
        scalar_clamped,
        scalar_without_sign,
    ],
)

# --- expmap -----------------------------------------------------------------------------------------------------------


def expmap(x: Tensor, v: Tensor, c: float) -> Tensor:
    return PoincareBall(c).expmap(x, v)


def _exp_cases(draw):
    yield Case((_point(0.0, 0.0), _point(0.5, 0.0), 1.0), "at the origin")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c, near=0.3, far=1.5), _tangent(draw, 2, c=c), c), "one vector")
    for c in BATCHED:
        x, v = draw.ball_points(4, 3, c=c, near=0.3, far=1.5), _tangent(draw, 4, 3, c=c)
        yield Case((x, v, c), "a batch of 4 in three dimensions")
    x, v = draw.ball_points(5, c=0.5, near=0.3, far=1.5), _tangent(draw, 2, 3, 5, c=0.5)
    yield Case((x, v, 0.5), "one point, 2 x 3 vectors")
    x = draw.ball_points(3, 2, c=2.0, near=0.5, far=1.5)
    yield Case((x, torch.zeros(2, dtype=F64), 2.0), "the zero vector: stay, with gradient 1", edge=True)
    yield Case((x, draw.uniform(0.5, 1.0, 3, 2) / 4096, 2.0), "tiny steps", edge=True)
    yield Case((x, x / 2, 2.0), "straight outwards", edge=True)


@mistake("The conformal factor is missing: the length of v at x is lambda_x |v|. You walk as far as v looks, not is.")
def exp_without_lambda(x, v, c):
    s, n = math.sqrt(c), v.norm(dim=-1, keepdim=True)
    w = torch.where(n > 0, torch.tanh(s * n) / (s * torch.where(n > 0, n, 1.0)), 1.0) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * ww) * x + (1 - c * xx) * w) / (1 + 2 * c * xw + c * c * xx * ww)


@mistake("A factor 1/2 is missing: the formula has tanh(sqrt(c) lambda_x |v| / 2).")
def exp_without_the_half(x, v, c):
    s, n, half = math.sqrt(c), v.norm(dim=-1, keepdim=True), 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    w = torch.where(n > 0, torch.tanh(s * half * n) / (s * torch.where(n > 0, n, 1.0)), half) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * ww) * x + (1 - c * xx) * w) / (1 + 2 * c * xw + c * c * xx * ww)


@mistake("The curvature is missing: that is the exponential map in the ball of radius 1.")
def exp_without_curvature(x, v, c):
    n, half = v.norm(dim=-1, keepdim=True), 1 / (1 - (x * x).sum(-1, keepdim=True))
    w = torch.where(n > 0, torch.tanh(half * n) / torch.where(n > 0, n, 1.0), half) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * xw + ww) * x + (1 - xx) * w) / (1 + 2 * xw + xx * ww)


@mistake("The sum in the other order: x comes first, x + w. The other way round you start from w, not from x.")
def exp_in_the_other_order(x, v, c):
    s, n, half = math.sqrt(c), v.norm(dim=-1, keepdim=True), 1 / (1 - c * (x * x).sum(-1, keepdim=True))
    w = torch.where(n > 0, torch.tanh(s * half * n) / (s * torch.where(n > 0, n, 1.0)), half) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * xx) * w + (1 - c * ww) * x) / (1 + 2 * c * xw + c * c * xx * ww)


@mistake("That is a straight step of flat space. It may leave the ball, and it is right to first order only.")
def exp_flat(x, v, c):
    return x + v


@mistake("For v = 0 that is 0/0. Replace the length before you divide by it: a `where` around the NaN is too late.")
def exp_divides_by_zero(x, v, c):
    s, n, half = math.sqrt(c), v.norm(dim=-1, keepdim=True), 1 / (1 - c * (x * x).sum(-1, keepdim=True))
    w = torch.tanh(s * half * n) / (s * n) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * ww) * x + (1 - c * xx) * w) / (1 + 2 * c * xw + c * c * xx * ww)


@mistake(
    "The clamp makes exp_x(0) = x, and its gradient 0: who stands still could never start. For small v it is x + v."
)
def exp_clamped(x, v, c):
    s, n, half = math.sqrt(c), v.norm(dim=-1, keepdim=True), 1 / (1 - c * (x * x).sum(-1, keepdim=True))
    w = torch.tanh(s * half * n) / (s * n.clamp_min(1e-15)) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * ww) * x + (1 - c * xx) * w) / (1 + 2 * c * xw + c * c * xx * ww)


EXP = Exercise(
    name="expmap",
    title="Walk: the exponential map",
    points=3,
    minutes=20,
    difficulty=3,
    rule="exp_x(v) = x + w (Möbius), w in the direction of v with |w| = tanh(sqrt(c) lambda_x |v| / 2) / sqrt(c)",
    reference=expmap,
    cases=_exp_cases,
    properties=[
        Property(
            "walking the vector v takes you as far as v is long, lambda_x |v|",
            lambda f, x, v, c: (
                PoincareBall(c).dist(x, f(x, v, c)),
                PoincareBall(c).norm(x, v + 0 * x),
            ),
        ),
        Property(
            "only sqrt(c) x and sqrt(c) v matter: half of both in curvature -4c is half the result",
            lambda f, x, v, c: (2 * f(x / 2, v / 2, 4 * c), f(x, v, c)),
        ),
    ],
    vectors=["x", "v"],
    mistakes=[
        exp_without_lambda,
        exp_without_the_half,
        exp_without_curvature,
        exp_in_the_other_order,
        exp_flat,
        exp_divides_by_zero,
        exp_clamped,
    ],
)

# --- logmap -----------------------------------------------------------------------------------------------------------


def logmap(x: Tensor, y: Tensor, c: float) -> Tensor:
    return PoincareBall(c).logmap(x, y)


def _log_cases(draw):
    yield Case((_point(0.0, 0.0), _point(0.5, 0.0), 1.0), "from the origin")
    for c in CURVATURES:
        x, y = draw.ball_points(2, c=c, near=0.3, far=1.5), draw.ball_points(2, c=c, near=0.3, far=1.5)
        yield Case((x, y, c), "two points")
    for c in BATCHED:
        x, y = draw.ball_points(4, 3, c=c, near=0.3, far=1.5), draw.ball_points(4, 3, c=c, near=0.3, far=1.5)
        yield Case((x, y, c), "a batch of 4 in three dimensions")
    x, y = draw.ball_points(5, c=0.5, near=0.3, far=1.5), draw.ball_points(2, 3, 5, c=0.5, near=0.3, far=1.5)
    yield Case((x, y, 0.5), "from one point to 2 x 3")
    x = draw.ball_points(3, 2, c=2.0, near=0.5, far=1.5)
    yield Case(
        (torch.zeros(2, dtype=F64), torch.zeros(3, 2, dtype=F64), 2.0), "the origin, seen from itself", edge=True
    )
    yield Case((x, x, 2.0), "a point, seen from itself: zero, with gradient 1", edge=True)
    yield Case((x, x + draw.uniform(0.5, 1.0, 3, 2) / 4096, 2.0), "close points", edge=True)
    yield Case((x, -x, 2.0), "straight through the origin", edge=True)


@mistake("The conformal factor is missing: your vector looks as long as the distance. Its length at x is lambda_x |v|.")
def log_without_lambda(x, y, c):
    s = math.sqrt(c)
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * c * xy + c * yy) * -x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    n = w.norm(dim=-1, keepdim=True)
    return 2 * torch.where(n > 0, torch.atanh(s * n) / (s * torch.where(n > 0, n, 1.0)), 1.0) * w


@mistake("That is half of the vector: 2 atanh(...) is the distance, times sqrt(c).")
def log_halved(x, y, c):
    s = math.sqrt(c)
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * c * xy + c * yy) * -x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    n, half = w.norm(dim=-1, keepdim=True), (1 - c * xx) / 2
    return half * torch.where(n > 0, torch.atanh(s * n) / (s * torch.where(n > 0, n, 1.0)), 1.0) * w


@mistake("The curvature is missing: that is the logarithm in the ball of radius 1.")
def log_without_curvature(x, y, c):
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * xy + yy) * -x + (1 - xx) * y) / (1 + 2 * xy + xx * yy)
    n = w.norm(dim=-1, keepdim=True)
    return (1 - xx) * torch.where(n > 0, torch.atanh(n) / torch.where(n > 0, n, 1.0), 1.0) * w


@mistake("The order of the sum: seen from x, the point y is -x + y. Your y - x is as long, but a gyration turns it.")
def log_in_the_other_order(x, y, c):
    s = math.sqrt(c)
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * c * xy + c * xx) * y + (1 - c * yy) * -x) / (1 + 2 * c * xy + c * c * xx * yy)
    n = w.norm(dim=-1, keepdim=True)
    return (1 - c * xx) * torch.where(n > 0, torch.atanh(s * n) / (s * torch.where(n > 0, n, 1.0)), 1.0) * w


@mistake("The vector points away from y: it is -x + y, not x - y.")
def log_points_backwards(x, y, c):
    s = math.sqrt(c)
    xy, xx, yy = (-(x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (y * y).sum(-1, keepdim=True))
    w = ((1 + 2 * c * xy + c * yy) * x - (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    n = w.norm(dim=-1, keepdim=True)
    return (1 - c * xx) * torch.where(n > 0, torch.atanh(s * n) / (s * torch.where(n > 0, n, 1.0)), 1.0) * w


@mistake("That is the difference of flat space, to which the logarithm tends as c goes to 0.")
def log_flat(x, y, c):
    return y - x


@mistake("At x = y that is 0/0. Replace the length before you divide by it: a `where` around the NaN is too late.")
def log_divides_by_zero(x, y, c):
    s, D = math.sqrt(c), y - x
    gx, gy = 1 - c * (x * x).sum(-1, keepdim=True), 1 - c * (y * y).sum(-1, keepdim=True)
    DD = (D * D).sum(-1, keepdim=True)
    w = (gx * D - c * DD * x) / (c * DD + gx * gy)
    n = w.norm(dim=-1, keepdim=True)
    return gx * torch.atanh(s * n) / (s * n) * w


LOG = Exercise(
    name="logmap",
    title="Look: the logarithmic map",
    points=3,
    minutes=20,
    difficulty=4,
    rule="exp_x(log_x(y)) = y, and the length of log_x(y) at x, lambda_x |v|, is the distance",
    reference=logmap,
    cases=_log_cases,
    properties=[
        Property(
            "the length of log_x(y) at x is the distance from x to y",
            lambda f, x, y, c: (PoincareBall(c).norm(x, f(x, y, c)), PoincareBall(c).dist(x, y)),
        ),
        Property(
            "walk where you look, and you arrive: exp_x(log_x(y)) = y",
            lambda f, x, y, c: (PoincareBall(c).expmap(x, f(x, y, c)), y + 0 * x),
        ),
    ],
    vectors=["x", "y"],
    # Where the result is 0 it may be off by a few roundings of its terms, which are not 0.
    rounding=lambda value, e: value + e,
    mistakes=[
        log_without_lambda,
        log_halved,
        log_without_curvature,
        log_in_the_other_order,
        log_points_backwards,
        log_flat,
        log_divides_by_zero,
    ],
)

# --- transp: find the bugs --------------------------------------------------------------------------------------------


def transp(x: Tensor, y: Tensor, v: Tensor, c: float) -> Tensor:
    return PoincareBall(c).transp(x, y, v)


def _transp_cases(draw):
    yield Case((_point(0.5, 0.0), _point(0.0, 0.5), _point(1.0, 0.0), 1.0), "their own test")
    for c in CURVATURES:
        x, y = draw.ball_points(2, c=c, near=0.3, far=1.5), draw.ball_points(2, c=c, near=0.3, far=1.5)
        yield Case((x, y, _tangent(draw, 2, c=c), c), "one vector")
    for c in BATCHED:
        x, y = draw.ball_points(4, 3, c=c, near=0.3, far=1.5), draw.ball_points(4, 3, c=c, near=0.3, far=1.5)
        yield Case((x, y, _tangent(draw, 4, 3, c=c), c), "a batch of 4 in three dimensions")
    x, y = draw.ball_points(5, c=0.5, near=0.3, far=1.5), draw.ball_points(5, c=0.5, near=0.3, far=1.5)
    yield Case((x, y, _tangent(draw, 2, 3, 5, c=0.5), 0.5), "2 x 3 vectors at one point")
    x, zero = draw.ball_points(3, 2, c=2.0, near=0.5, far=1.5), torch.zeros(2, dtype=F64)
    v = _tangent(draw, 3, 2, c=2.0)
    yield Case((zero, x, v, 2.0), "from the origin", edge=True)
    yield Case((x, x, v, 2.0), "from a point to itself", edge=True)
    yield Case((x, -x / 2, v, 2.0), "along a diameter", edge=True)
    yield Case((x, x.flip(-1), 0 * v, 2.0), "the zero vector", edge=True)


@mistake("That is the function as it was found, both faults in it. Try a second curvature, and points with |x| != |y|.")
def transport_as_found(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = y, -x
    a = dot(w, v) + 2 * dot(u, w) * dot(w, v) - dot(u, v) * dot(w, w)
    b = -dot(u, v) - dot(w, v) * dot(u, u)
    turned = v + 2 * (a * u + b * w) / (1 + 2 * dot(u, w) + dot(u, u) * dot(w, w))
    return turned * (1 - c * dot(x, x)) / (1 - c * dot(y, y))


@mistake("One fault is left: the turn knows no c. It is a gyration of the ball of radius 1.")
def transport_turn_without_curvature(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = y, -x
    a = dot(w, v) + 2 * dot(u, w) * dot(w, v) - dot(u, v) * dot(w, w)
    b = -dot(u, v) - dot(w, v) * dot(u, u)
    turned = v + 2 * (a * u + b * w) / (1 + 2 * dot(u, w) + dot(u, u) * dot(w, w))
    return turned * (1 - c * dot(y, y)) / (1 - c * dot(x, x))


@mistake(
    "One fault is left: the conformal factors are upside down. Where the ruler looks smaller, the vector does, too: "
    "lambda_y |w| = lambda_x |v|."
)
def transport_factor_upside_down(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = y, -x
    a = c * dot(w, v) + 2 * c * c * dot(u, w) * dot(w, v) - c * c * dot(u, v) * dot(w, w)
    b = -c * dot(u, v) - c * c * dot(w, v) * dot(u, u)
    turned = v + 2 * (a * u + b * w) / (1 + 2 * c * dot(u, w) + c * c * dot(u, u) * dot(w, w))
    return turned * (1 - c * dot(x, x)) / (1 - c * dot(y, y))


@mistake("The conformal factors are missing: a gyration keeps the length in the picture, not the length of the vector.")
def transport_without_factor(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = y, -x
    a = c * dot(w, v) + 2 * c * c * dot(u, w) * dot(w, v) - c * c * dot(u, v) * dot(w, w)
    b = -c * dot(u, v) - c * c * dot(w, v) * dot(u, u)
    return v + 2 * (a * u + b * w) / (1 + 2 * c * dot(u, w) + c * c * dot(u, u) * dot(w, w))


@mistake("The turn goes the wrong way: it is gyr[y, -x], and yours is gyr[x, -y], the way back.")
def transport_turned_backwards(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = x, -y
    a = c * dot(w, v) + 2 * c * c * dot(u, w) * dot(w, v) - c * c * dot(u, v) * dot(w, w)
    b = -c * dot(u, v) - c * c * dot(w, v) * dot(u, u)
    turned = v + 2 * (a * u + b * w) / (1 + 2 * c * dot(u, w) + c * c * dot(u, u) * dot(w, w))
    return turned * (1 - c * dot(y, y)) / (1 - c * dot(x, x))


@mistake("Only the length is carried over, not the direction: the turn, gyr[y, -x], is missing.")
def transport_without_turn(x, y, v, c):
    gx, gy = 1 - c * (x * x).sum(-1, keepdim=True), 1 - c * (y * y).sum(-1, keepdim=True)
    return v * gy / gx


TRANSP = Exercise(
    name="transp",
    title="Carry: find two bugs",
    points=4,
    minutes=25,
    difficulty=4,
    rule="gyr[y, -x] v times lambda_x / lambda_y: the length is kept, and so is the angle with the geodesic",
    reference=transp,
    cases=_transp_cases,
    properties=[
        Property(
            "a vector that is carried keeps its length: lambda_y |w| = lambda_x |v|",
            lambda f, x, y, v, c: (PoincareBall(c).norm(y, f(x, y, v, c)), PoincareBall(c).norm(x, v)),
        ),
        Property(
            "there and back again is where you were",
            lambda f, x, y, v, c: (f(y, x, f(x, y, v, c), c), v + 0 * x),
        ),
    ],
    vectors=["x", "y", "v"],
    mistakes=[
        transport_as_found,
        transport_turn_without_curvature,
        transport_factor_upside_down,
        transport_without_factor,
        transport_turned_backwards,
        transport_without_turn,
    ],
)

# --- holonomy: the challenge ------------------------------------------------------------------------------------------


def holonomy(x: Tensor, y: Tensor, z: Tensor, c: float) -> Tensor:
    """-c times the signed area: Eriksson's formula for the defect, as in `plane.triangle_defect`, with its sign."""
    u, v, w = (math.sqrt(c) * p for p in torch.broadcast_tensors(x, y, z))

    def cross(p, q):
        return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]

    def dot(p, q):
        return (p * q).sum(-1)

    gu, gv, gw, p, q = 1 - dot(u, u), 1 - dot(v, v), 1 - dot(w, w), v - u, w - u
    k = gu * cross(p, q) + dot(q, q) * cross(u, p) - dot(p, p) * cross(u, q)
    sides = gu * dot(v - w, v - w) + gv * dot(q, q) + gw * dot(p, p)
    return -2 * torch.atan2(2 * k, 2 * gu * gv * gw + sides)


def _holonomy_cases(draw):
    zero = torch.zeros(2, dtype=F64)
    yield Case((zero, _point(0.5, 0.0), _point(0.0, 0.5), 1.0), "one triangle, counter-clockwise")

    def corners(*batch, c, far=1.5):
        return tuple(draw.ball_points(*batch, 2, c=c, near=0.3, far=far) for _ in range(3))

    for c in CURVATURES:
        yield Case((*corners(c=c), c), "one triangle")
    for c in BATCHED:
        yield Case((*corners(4, c=c), c), "a batch of 4")
    x, y, z = corners(2, 3, c=0.5)
    yield Case((x, y, z, 0.5), "a batch of 2 x 3")
    yield Case((y, x, z, 0.5), "the same, the other way round")
    x = draw.ball_points(3, 2, c=2.0, near=0.5, far=1.5)
    yield Case((x, -x, x / 3, 2.0), "three points on one line", edge=True)
    yield Case((x, x, -x.flip(-1), 2.0), "two corners are one", edge=True)
    yield Case((*corners(3, c=1.0, far=0.4), 1.0), "small triangles", edge=True)


@mistake("The sign is flipped: on a saddle, who walks round counter-clockwise comes back turned clockwise.")
def holonomy_sign_flipped(x, y, z, c):
    u, v, w = (torch.view_as_complex((math.sqrt(c) * p).contiguous()) for p in torch.broadcast_tensors(x, y, z))
    turn = (1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())
    return -2 * turn.angle()


@mistake(
    "That is half of the turn: each side turns by the angle of (1 - b conj(a)) over its conjugate, twice its angle."
)
def holonomy_halved(x, y, z, c):
    u, v, w = (torch.view_as_complex((math.sqrt(c) * p).contiguous()) for p in torch.broadcast_tensors(x, y, z))
    turn = (1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())
    return turn.angle()


@mistake("The curvature is missing: the corners are taken for points of the disk of radius 1.")
def holonomy_without_curvature(x, y, z, c):
    u, v, w = (torch.view_as_complex(p.contiguous()) for p in torch.broadcast_tensors(x, y, z))
    turn = (1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())
    return 2 * turn.angle()


@mistake("That is minus the area. The turn is the area times the curvature, -c.")
def holonomy_area(x, y, z, c):
    u, v, w = (torch.view_as_complex((math.sqrt(c) * p).contiguous()) for p in torch.broadcast_tensors(x, y, z))
    turn = (1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())
    return 2 * turn.angle() / c


@mistake("The sense of rotation is lost: the other way round the triangle, the turn has the other sign.")
def holonomy_without_sign(x, y, z, c):
    u, v, w = (torch.view_as_complex((math.sqrt(c) * p).contiguous()) for p in torch.broadcast_tensors(x, y, z))
    turn = (1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())
    return -2 * turn.angle().abs()


HOLONOMY = Exercise(
    name="holonomy",
    title="Challenge: once round the block",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="the turn is -c times the signed area: the total curvature inside",
    reference=holonomy,
    cases=_holonomy_cases,
    properties=[
        Property("the other way round is the inverse turn", lambda f, x, y, z, c: (f(x, y, z, c), -f(x, z, y, c))),
        Property("the corner where one starts does not matter", lambda f, x, y, z, c: (f(x, y, z, c), f(y, z, x, c))),
    ],
    # An angle between two vectors of any length is off by a few roundings of 1, however small it is.
    rounding=lambda value, e: value + e,
    vectors=["x", "y", "z"],
    mistakes=[
        holonomy_sign_flipped,
        holonomy_halved,
        holonomy_without_curvature,
        holonomy_area,
        holonomy_without_sign,
    ],
)

TWICE = Written(
    name="why_twice",
    title="A bug report",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: where the 2 comes from: as c goes to 0, lambda_x = 2 / (1 - c|x|^2) goes to 2 everywhere, so every "
        "length is twice the one in the picture: flat space, drawn at half its size.",
        "1 point: it is no bug: nothing but the unit of length differs. Sums, exponential and logarithmic map go to "
        "x + y, x + v, y - x without any 2, and so do angles and ratios of lengths.",
        "1 point: what the proposed patch does: lambda = 1 / (1 - c|x|^2) halves all lengths and therefore makes the "
        "curvature -4c; every formula with c would be wrong (or c would mean something else than in the other charts).",
    ],
)

SET = ExerciseSet(
    "04_poincare_ball",
    [LAMBDA, ADD, DIST, SCALAR, EXP, LOG, TRANSP, HOLONOMY],
    [TWICE],
    masked=[
        f"hyplearn.manifolds.PoincareBall.{name}"
        for name in (
            *("lambda_x", "mobius_add", "dist", "mobius_scalar_mul", "expmap", "logmap", "transp"),
            *("_add", "_exp", "gyration", "geodesic_flow"),
        )
    ],
)
