"""Exercises of lecture 09: numbers with few digits, gradients, optimisers. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import Lorentz, NormalCoordinates, PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

F64 = torch.float64
CURVATURES = (1.0, 2.0, 0.1, 10.0)  # single objects
BATCHED = (2.0, 0.1)  # curvatures that come in batches as well


def _directions(draw, *shape: int) -> Tensor:
    return torch.nn.functional.normalize(draw.normal(*shape), dim=-1)


def _normal_points(draw, *shape: int, c: float, near: float, far: float) -> Tensor:
    """Normal coordinates of points with near <= sqrt(c) d <= far."""
    return _directions(draw, *shape) * draw.uniform(near, far, *shape[:-1], 1) / math.sqrt(c)


def _space_parts(draw, *shape: int, c: float, near: float = 0.0, far: float = 3.0) -> Tensor:
    """Space parts on the hyperboloid of points with near <= sqrt(c) d <= far."""
    return _directions(draw, *shape) * torch.sinh(draw.uniform(near, far, *shape[:-1], 1)) / math.sqrt(c)


# --- curvature: the warm-up, and the first bug ------------------------------------------------------------------------


def curvature(start: float, theta: Tensor) -> Tensor:
    return start * torch.exp(theta)


def _curvature_cases(draw):
    yield Case((1.0, torch.tensor(0.0, dtype=F64)), "nothing learned yet")
    for start in (1.0, 0.1, 10.0):
        yield Case((start, draw.uniform(-2.0, 2.0)), "one parameter")
    yield Case((0.5, draw.uniform(-3.0, 3.0, 4)), "four parameters")
    yield Case((0.1, torch.zeros(3, dtype=F64)), "nothing learned yet", edge=True)
    yield Case((2.0, torch.tensor([-30.0, 30.0], dtype=F64)), "far down and far up", edge=True)


@mistake(
    "softplus acts on the start value too, so the curvature at the start is log(1 + e^start), not start: 1.3133 "
    "for 1.0. What was asked for must be what one gets at theta = 0."
)
def curvature_softplus_of_the_value(start, theta):
    return torch.nn.functional.softplus(start + theta)


@mistake("That starts at the right value, but theta below -start makes it negative: a sphere.")
def curvature_additive(start, theta):
    return start + theta


@mistake("exp acts on the start value too: at theta = 0 you get e^start. Multiply instead.")
def curvature_exp_of_the_value(start, theta):
    return torch.exp(start + theta)


@mistake(
    "That starts at the right value and stays positive, but a step of theta is not a factor: for large c it adds, for "
    "small c it multiplies."
)
def curvature_shifted_softplus(start, theta):
    return torch.nn.functional.softplus(theta + math.log(math.expm1(start)))


@mistake("A clamp cuts the gradient off: once theta is below the limit, the curvature can never be learned again.")
def curvature_clamped(start, theta):
    return (start + theta).clamp_min(1e-6)


CURVATURE = Exercise(
    name="curvature",
    title="A curvature that starts where you say (bug 1)",
    points=1,
    minutes=6,
    difficulty=1,
    rule="c = start at theta = 0, and theta + log 2 doubles it",
    reference=curvature,
    cases=_curvature_cases,
    properties=[
        Property(
            "theta + log 2 doubles c, whatever c is",
            lambda f, start, theta: (f(start, theta + math.log(2)), 2 * f(start, theta)),
        ),
    ],
    mistakes=[
        curvature_softplus_of_the_value,
        curvature_additive,
        curvature_exp_of_the_value,
        curvature_shifted_softplus,
        curvature_clamped,
    ],
)

# --- lorentz_dist -----------------------------------------------------------------------------------------------------


def _lift(p: Tensor, c: float) -> Tensor:
    return torch.cat(((1 / c + (p * p).sum(-1, keepdim=True)).sqrt(), p), -1)


def lorentz_dist(p: Tensor, q: Tensor, c: float) -> Tensor:
    return Lorentz(c).dist(_lift(p, c), _lift(q, c))


def _lorentz_cases(draw):
    yield Case((torch.zeros(2, dtype=F64), torch.tensor([math.sinh(1.0), 0.0], dtype=F64), 1.0), "two points")
    for c in CURVATURES:
        yield Case((_space_parts(draw, 2, c=c), _space_parts(draw, 2, c=c), c), "two points")
    for c in BATCHED:
        yield Case((_space_parts(draw, 4, 3, c=c), _space_parts(draw, 4, 3, c=c), c), "a batch of 4")
    yield Case((_space_parts(draw, 5, c=0.5), _space_parts(draw, 2, 3, 5, c=0.5), 0.5), "one point against 2 x 3")
    u = _directions(draw, 3, 2)
    behind = [u * math.sinh(d) / math.sqrt(2.0) for d in (6.5, 7.5)]
    yield Case((*behind, 2.0), "one behind the other, far out", edge=True, gradient=False)
    turn = torch.tensor(2 * math.asin(math.sinh(0.5) / math.sinh(7.0)), dtype=F64)
    beside = u * torch.cos(turn) + torch.stack((-u[:, 1], u[:, 0]), -1) * torch.sin(turn)
    far = math.sinh(7.0) / math.sqrt(2.0)
    yield Case((far * u, far * beside, 2.0), "side by side, far out", edge=True, gradient=False)
    x = _space_parts(draw, 3, 2, c=0.5, near=15.0, far=16.0)
    yield Case((x, -x.flip(-1), 0.5), "far out in other directions", edge=True, gradient=False)
    yield Case((x, -x, 0.5), "far out on opposite sides", edge=True, gradient=False)
    x = _space_parts(draw, 3, 2, c=2.0, near=0.5, far=2.0)
    yield Case((x, x + draw.uniform(0.5, 1.0, 3, 2) / 16384, 2.0), "points very close to each other", edge=True)
    yield Case((x, x.clone(), 2.0), "twice the same point: distance 0, gradient 0", edge=True)
    yield Case((torch.zeros(2, dtype=F64), x, 2.0), "from the origin", edge=True)


@mistake(
    "acosh of the product: t t' - <p, q> is a difference of two numbers of the size e^(2 sqrt(c) d), and of what "
    "should remain every digit is lost from sqrt(c) d = 9 on in float32. Look for a sum of positive terms."
)
def lorentz_by_the_product(p, q, c):
    tp, tq = (1 / c + (p * p).sum(-1)).sqrt(), (1 / c + (q * q).sum(-1)).sqrt()
    return torch.acosh((c * (tp * tq - (p * q).sum(-1))).clamp_min(1.0)) / math.sqrt(c)


@mistake(
    "|p - q|^2 - (t - t')^2 is right for points side by side. For one behind the other, both terms are huge and nearly "
    "equal. Multiply out (t - t')^2 (t + t')^2 = <p - q, p + q>^2 until only positive terms are left."
)
def lorentz_by_differences(p, q, c):
    tp, tq = (1 / c + (p * p).sum(-1)).sqrt(), (1 / c + (q * q).sum(-1)).sqrt()
    square = ((p - q) ** 2).sum(-1) - (tp - tq) ** 2
    away = square > 0
    return (
        2 / math.sqrt(c) * torch.asinh(torch.where(away, math.sqrt(c) / 2 * torch.where(away, square, 1.0).sqrt(), 0))
    )


@mistake(
    "That is right for points on the same side. On opposite sides <p, q> is negative, and now the denominator "
    "1/c + t t' + <p, q> is the difference that loses its digits: take t t' - <p, q> there."
)
def lorentz_one_sided(p, q, c):
    tp, tq = (1 / c + (p * p).sum(-1)).sqrt(), (1 / c + (q * q).sum(-1)).sqrt()
    cross = p.unsqueeze(-1) * q.unsqueeze(-2)
    area = ((cross - cross.mT) ** 2).sum((-1, -2)) / 2
    square = 2 * (((p - q) ** 2).sum(-1) / c + area) / (1 / c + tp * tq + (p * q).sum(-1))
    away = square > 0
    return (
        2 / math.sqrt(c) * torch.asinh(torch.where(away, math.sqrt(c) / 2 * torch.where(away, square, 1.0).sqrt(), 0))
    )


@mistake("The values are right, but sqrt has an infinite slope at 0: at p = q the gradient is NaN. It should be 0.")
def lorentz_bare_square_root(p, q, c):
    pq, tp, tq = (p * q).sum(-1), (1 / c + (p * p).sum(-1)).sqrt(), (1 / c + (q * q).sum(-1)).sqrt()
    cross = p.unsqueeze(-1) * q.unsqueeze(-2)
    area = ((cross - cross.mT) ** 2).sum((-1, -2)) / 2
    near = 2 * (((p - q) ** 2).sum(-1) / c + area) / (1 / c + tp * tq + pq.clamp_min(0))
    up, uq = (p * p).sum(-1) / (tp + c**-0.5), (q * q).sum(-1) / (tq + c**-0.5)
    square = torch.where(pq > 0, near, 2 * (up * tq + c**-0.5 * uq - pq))
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) / 2 * square.sqrt())


@mistake("The curvature is missing: that is the distance on the unit hyperboloid, t^2 = 1 + |p|^2.")
def lorentz_without_curvature(p, q, c):
    pq, tp, tq = (p * q).sum(-1), (1 + (p * p).sum(-1)).sqrt(), (1 + (q * q).sum(-1)).sqrt()
    cross = p.unsqueeze(-1) * q.unsqueeze(-2)
    area = ((cross - cross.mT) ** 2).sum((-1, -2)) / 2
    near = 2 * (((p - q) ** 2).sum(-1) + area) / (1 + tp * tq + pq.clamp_min(0))
    up, uq = (p * p).sum(-1) / (tp + 1), (q * q).sum(-1) / (tq + 1)
    square = torch.where(pq > 0, near, 2 * (up * tq + uq - pq))
    root = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return 2 * torch.asinh(root / 2)


@mistake("That is sqrt(c) times the distance: asinh gives a number without a unit; the length is that over sqrt(c).")
def lorentz_without_unit(p, q, c):
    pq, tp, tq = (p * q).sum(-1), (1 / c + (p * p).sum(-1)).sqrt(), (1 / c + (q * q).sum(-1)).sqrt()
    cross = p.unsqueeze(-1) * q.unsqueeze(-2)
    area = ((cross - cross.mT) ** 2).sum((-1, -2)) / 2
    near = 2 * (((p - q) ** 2).sum(-1) / c + area) / (1 / c + tp * tq + pq.clamp_min(0))
    up, uq = (p * p).sum(-1) / (tp + c**-0.5), (q * q).sum(-1) / (tq + c**-0.5)
    square = torch.where(pq > 0, near, 2 * (up * tq + c**-0.5 * uq - pq))
    root = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return 2 * torch.asinh(math.sqrt(c) / 2 * root)


LORENTZ = Exercise(
    name="lorentz_dist",
    title="A distance that keeps its digits",
    points=4,
    minutes=30,
    difficulty=4,
    rule="4 sinh^2(sqrt(c) d / 2) / c = |p - q|^2 - (t - t')^2, without that difference",
    reference=lorentz_dist,
    cases=_lorentz_cases,
    properties=[
        Property("from q to p it is as far as from p to q", lambda f, p, q, c: (f(p, q, c), f(q, p, c))),
        Property(
            "in units of 1/sqrt(c) all hyperboloids are one: half the size in curvature -4c is half as far",
            lambda f, p, q, c: (2 * f(p / 2, q / 2, 4 * c), f(p, q, c)),
        ),
    ],
    vectors=["p", "q"],
    mistakes=[
        lorentz_by_the_product,
        lorentz_by_differences,
        lorentz_one_sided,
        lorentz_bare_square_root,
        lorentz_without_curvature,
        lorentz_without_unit,
    ],
)

# --- sinhc ------------------------------------------------------------------------------------------------------------


def sinhc(x: Tensor) -> Tensor:
    """sinh(x) = 2 sinh(x/2) cosh(x/2), again and again: a product, whose derivative is a sum of terms of one sign."""
    powers = 2.0 ** torch.arange(1, 31, dtype=x.dtype)
    return torch.cosh(x.unsqueeze(-1) / powers).prod(-1)


def _sinhc_cases(draw):
    yield Case((torch.tensor(1.0, dtype=F64),), "one number")
    yield Case((draw.uniform(0.5, 4.0),), "one number")
    yield Case((draw.uniform(-4.0, 4.0, 4),), "four numbers")
    yield Case((draw.uniform(-20.0, 20.0, 2, 3),), "2 x 3 numbers")
    yield Case((draw.uniform(1e-3, 1e-2, 3),), "small numbers, where the slope is x / 3", edge=True)
    yield Case((-draw.uniform(1e-4, 1e-3, 3),), "tiny negative numbers", edge=True)
    yield Case((torch.tensor([0.0, 1.0], dtype=F64),), "zero: value 1, slope 0", edge=True)


@mistake("At 0 that is 0/0. The limit there is 1.")
def sinhc_divides_by_zero(x):
    return torch.sinh(x) / x


@mistake(
    "The value at 0 is right, its gradient is NaN: `torch.where` differentiates the branch that it throws away, too. "
    "Make the argument harmless before you divide by it."
)
def sinhc_where_too_late(x):
    return torch.where(x == 0, 1.0, torch.sinh(x) / x)


@mistake(
    "All values are right, and the gradient is finite. But for small x autograd computes cosh(x)/x - sinh(x)/x^2: two "
    "numbers of the size 1/x, of which x/3 should remain. Use the power series there."
)
def sinhc_whose_slope_cancels(x):
    away = x != 0
    safe = torch.where(away, x, 1.0)
    return torch.where(away, torch.sinh(safe) / safe, 1.0)


@mistake("An epsilon in the denominator keeps NaN away, and makes the value at 0 sinh(0)/eps = 0 in place of 1.")
def sinhc_with_an_epsilon(x):
    return torch.sinh(x) / (x + 1e-8)


@mistake("A clamp of |x| makes a plateau around 0: there the gradient is 0, and the value is not right to all digits.")
def sinhc_clamped(x):
    a = x.abs().clamp_min(5e-2)
    return torch.sinh(a) / a


@mistake("The series has too few terms for where you use it: the first term left out must be below eps.")
def sinhc_short_series(x):
    small = x.abs() < 1
    safe = torch.where(small, 1.0, x)
    return torch.where(small, 1 + x * x / 6, torch.sinh(safe) / safe)


SINHC = Exercise(
    name="sinhc",
    title="A gradient that keeps its digits",
    points=3,
    minutes=20,
    difficulty=3,
    rule="sinh(x)/x = 1 + x^2/3! + x^4/5! + ..., with slope x/3 for small x",
    reference=sinhc,
    cases=_sinhc_cases,
    properties=[Property("the function is even", lambda f, x: (f(x), f(-x)))],
    mistakes=[
        sinhc_divides_by_zero,
        sinhc_where_too_late,
        sinhc_whose_slope_cancels,
        sinhc_with_an_epsilon,
        sinhc_clamped,
        sinhc_short_series,
    ],
)

# --- projx ------------------------------------------------------------------------------------------------------------


def projx(x: Tensor, c: float, eps: float) -> Tensor:
    square = c * (x * x).sum(-1, keepdim=True)
    outside = square >= 1
    return x * torch.where(outside, (1 - eps) / torch.where(outside, square, 1.0).sqrt(), 1.0)


def _projx_cases(draw):
    yield Case((torch.tensor([-2.0, 0.0], dtype=F64), 1.0, 1e-6), "a point outside")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c), c, 1e-6), "a point inside")
        yield Case((_directions(draw, 2) * draw.number(1.01, 3.0) / math.sqrt(c), c, 1e-6), "a point outside")
    for c in BATCHED:
        inside, outside = draw.ball_points(3, 3, c=c), 1.5 * _directions(draw, 1, 3) / math.sqrt(c)
        yield Case((torch.cat((inside, outside)), c, 1e-6), "three points inside, one outside")
    far = _directions(draw, 2, 3, 5) / math.sqrt(0.5)
    yield Case((far * (1 - 2.0**-15), 0.5, 1e-6), "points inside, close to the boundary")
    yield Case((far * (1 - 2.0**-30), 0.5, 1e-6), "points inside, closer to the boundary than eps", dtypes=(F64,))
    yield Case((_directions(draw, 3, 2) * 1.25e3, 1e-6, 1e-6), "a nearly flat ball of radius 1000")
    yield Case((torch.zeros(3, 2, dtype=F64), 2.0, 1e-6), "the origin: it stays, with gradient 1", edge=True)
    yield Case((_directions(draw, 3, 2) * 1e6, 2.0, 1e-6), "very far outside", edge=True)


def _strictly_inside(f, x, c, eps):
    inside = c * f(x, c, eps).double().square().sum(-1) < 1
    return inside.double(), torch.ones_like(inside, dtype=F64)


def _untouched(f, x, c, eps):
    outside = c * x.double().square().sum(-1) >= 1
    same = (f(x, c, eps) == x).all(-1) | outside
    return same.double(), torch.ones_like(same, dtype=F64)


@mistake("One point outside scales the whole batch, and moves points that were fine. Decide for each point by itself.")
def projx_of_the_whole_batch(x, c, eps):
    largest = x.norm(dim=-1).max()
    return torch.where(c * largest**2 >= 1, x * ((1 - eps) / math.sqrt(c) / largest), x)


@mistake("That clamps each coordinate: it changes the direction, and the corners of the cube lie outside the ball.")
def projx_by_coordinates(x, c, eps):
    limit = (1 - eps) / math.sqrt(c)
    return x.clamp(-limit, limit)


@mistake(
    "A margin of 4e-3 moves points of the interior: everything beyond distance 6.2 becomes one sphere. Use eps, and "
    "only for points outside."
)
def projx_with_a_wide_margin(x, c, eps):
    n, limit = x.norm(dim=-1, keepdim=True), (1 - 4e-3) / math.sqrt(c)
    outside = n > limit
    return x * torch.where(outside, limit / torch.where(outside, n, 1.0), 1.0)


@mistake("You ask whether |x| exceeds the limit; so points between the limit and the boundary are moved, too.")
def projx_moves_the_last_points(x, c, eps):
    n, limit = x.norm(dim=-1, keepdim=True), (1 - eps) / math.sqrt(c)
    outside = n > limit
    return x * torch.where(outside, limit / torch.where(outside, n, 1.0), 1.0)


@mistake(
    "An absolute margin does not scale: in a ball of radius 1/sqrt(c) = 1000 it is below the spacing of the numbers, "
    "in a small ball it is wide. The margin is a part of the radius, (1 - eps)/sqrt(c)."
)
def projx_with_an_absolute_margin(x, c, eps):
    n, limit = x.norm(dim=-1, keepdim=True), 1 / math.sqrt(c) - eps
    outside = math.sqrt(c) * n >= 1
    return x * torch.where(outside, limit / torch.where(outside, n, 1.0), 1.0)


@mistake("The ball has the radius 1/sqrt(c), not 1.")
def projx_without_curvature(x, c, eps):
    square = (x * x).sum(-1, keepdim=True)
    outside = square >= 1
    return x * torch.where(outside, (1 - eps) / torch.where(outside, square, 1.0).sqrt(), 1.0)


@mistake("c was read as a radius somewhere: the ball has the radius 1/sqrt(c), not 1/c.")
def projx_to_one_over_c(x, c, eps):
    square = c * c * (x * x).sum(-1, keepdim=True)
    outside = square >= 1
    return x * torch.where(outside, (1 - eps) / torch.where(outside, square, 1.0).sqrt(), 1.0)


@mistake(
    "At the origin limit/|x| is infinite. `where` (or a minimum) throws that value away and differentiates it all the "
    "same: 0 times infinity is NaN. Make the norm harmless before you divide by it."
)
def projx_nan_at_the_origin(x, c, eps):
    n = x.norm(dim=-1, keepdim=True)
    return x * torch.where(math.sqrt(c) * n >= 1, (1 - eps) / math.sqrt(c) / n, 1.0)


PROJX = Exercise(
    name="projx",
    title="A projection that moves nobody who is inside",
    points=2,
    minutes=15,
    difficulty=2,
    rule="inside: the point itself; outside: (1 - eps)/sqrt(c) in its direction",
    reference=projx,
    cases=_projx_cases,
    properties=[
        Property("a point of the interior comes back bit for bit", _untouched),
        Property("what comes out lies strictly inside: c|x|^2 < 1", _strictly_inside),
    ],
    vectors=["x"],
    mistakes=[
        projx_of_the_whole_batch,
        projx_by_coordinates,
        projx_with_a_wide_margin,
        projx_moves_the_last_points,
        projx_with_an_absolute_margin,
        projx_without_curvature,
        projx_to_one_over_c,
        projx_nan_at_the_origin,
    ],
)

# --- radam_step -------------------------------------------------------------------------------------------------------


def radam_step(x: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, c: float, lr: float) -> tuple:
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1)  # |r|_x^2 = <g, r>: the pairing needs no metric
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, -pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v


def _radam_cases(draw):
    x, g, m = torch.tensor([[0.5, 0.0], [0.0, 1.0], [0.1, 0.1]], dtype=F64)
    yield Case((x, g, m, torch.tensor(0.5, dtype=F64), 2, 1.0, 0.5), "the second step of one point")

    def state(*batch, c, n=2, far=2.0):
        x = draw.ball_points(*batch, n, c=c, near=0.5, far=far)
        g, m = draw.uniform(-2.0, 2.0, *batch, n) * math.sqrt(c), draw.uniform(-0.5, 0.5, *batch, n) / math.sqrt(c)
        return x, g, m, draw.uniform(0.1, 1.0, *batch)

    for c in CURVATURES:
        yield Case((*state(c=c), 3, c, draw.number(0.2, 0.5) / math.sqrt(c)), "one point, step 3")
    yield Case((*state(4, c=2.0, n=3), 2, 2.0, 0.3), "four points, step 2")
    yield Case((*state(2, 3, c=0.5, n=5), 10, 0.5, 0.5), "2 x 3 points, step 10")
    x, g, m, v = state(3, c=2.0)
    yield Case((x, 0 * g, 0 * m, 0 * v, 1, 2.0, 0.3), "no gradient: stay", edge=True)
    yield Case((0 * x, g, m, v, 2, 2.0, 0.3), "from the origin", edge=True)
    x, g, m, v = state(3, c=1.0, far=6.0)
    yield Case((x, 40 * g, m, v, 5, 1.0, 0.3), "large gradients", edge=True)


def _turned(f, x, g, m, v, t, c, lr):
    """The step of everything turned by 0.5 about the origin, and the step, turned afterwards."""
    turn = torch.eye(x.shape[-1], dtype=x.dtype)
    cos, sin = math.cos(0.5), math.sin(0.5)
    turn[0, 0], turn[1, 1], turn[0, 1], turn[1, 0] = cos, cos, sin, -sin
    return f(x @ turn, g @ turn, m @ turn, v, t, c, lr)[0], f(x, g, m, v, t, c, lr)[0] @ turn


@mistake(
    "The partial derivatives are used as if they were an arrow. The gradient of the ball is g / lambda_x^2: divide by "
    "the conformal factor, squared."
)
def radam_of_partials(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * ball.inner(x, g)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, -pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v


@mistake("The conformal factor enters once; the gradient is g / lambda_x^2, since the metric is lambda_x^2.")
def radam_factor_not_squared(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = g / ball.lambda_x(x, keepdim=True)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * ball.inner(x, r)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, -pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v


@mistake(
    "v is the mean of the *Riemannian* squared length, lambda_x^2 |r|^2. Yours measures arrows with Euclid's ruler, so "
    "steps near the boundary come out far too long."
)
def radam_euclidean_length(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (r * r).sum(-1)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, -pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v


@mistake("The bias correction is missing: m and v start at 0, so divide them by 1 - 0.9^t and 1 - 0.999^t.")
def radam_without_correction(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1)
    y = ball.expmap(x, -lr * m / (v.sqrt() + 1e-8).unsqueeze(-1))
    return y, ball.transp(x, y, m), v


@mistake("The corrected mean is stored. What goes on to the next step is m itself; m^ serves for this step only.")
def radam_stores_the_corrected(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = (0.9 * m + 0.1 * r) / (1 - 0.9**t)
    v = (0.999 * v + 0.001 * (g * r).sum(-1)) / (1 - 0.999**t)
    y = ball.expmap(x, -lr * m / (v.sqrt() + 1e-8).unsqueeze(-1))
    return y, ball.transp(x, y, m), v


@mistake(
    "The momentum stays at the old point. It is an arrow at x; at the new point it must be carried there by parallel "
    "transport."
)
def radam_momentum_left_behind(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return ball.expmap(x, -pace.unsqueeze(-1) * m), m, v


@mistake("That is a straight step of flat space. Follow the geodesic: expmap.")
def radam_straight_step(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = x - pace.unsqueeze(-1) * m
    return y, ball.transp(x, y, m), v


@mistake("The sign: walk against the gradient, downhill.")
def radam_uphill(x, g, m, v, t, c, lr):
    ball = PoincareBall(c)
    r = ball.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v


RADAM = Exercise(
    name="radam_step",
    title="A step of Riemannian Adam",
    points=4,
    minutes=25,
    difficulty=4,
    rule="gradient g / lambda^2, its Riemannian length in v, bias correction, expmap, momentum transported",
    reference=radam_step,
    cases=_radam_cases,
    properties=[Property("a point has no axes: turn everything, and the step turns with it", _turned)],
    vectors=["x", "g", "m"],
    outputs=["the new x", "the new m", "the new v"],
    differentiable=False,
    mistakes=[
        radam_of_partials,
        radam_factor_not_squared,
        radam_euclidean_length,
        radam_without_correction,
        radam_stores_the_corrected,
        radam_momentum_left_behind,
        radam_straight_step,
        radam_uphill,
    ],
)

# --- descend: the second bug ------------------------------------------------------------------------------------------


def descend(x: Tensor, gradients: Tensor, c: float, lr: float, momentum: float) -> Tensor:
    ball, buffer = PoincareBall(c), torch.zeros_like(x)
    for g in gradients.unbind(-2):
        buffer = momentum * buffer + ball.egrad2rgrad(x, g)
        y = ball.expmap(x, -lr * buffer)
        x, buffer = y, ball.transp(x, y, buffer)
    return x


def _descend_cases(draw):
    x, g = torch.tensor([0.5, 0.0], dtype=F64), torch.tensor([[0.0, 1.0]], dtype=F64)
    yield Case((x, g, 1.0, 0.5, 0.5), "one step")

    def start(*batch, c, n=2, steps=3):
        x = draw.ball_points(*batch, n, c=c, near=0.5, far=1.5)
        return x, draw.uniform(-1.0, 1.0, *batch, steps, n) * 2 * math.sqrt(c)

    for c in CURVATURES:
        yield Case((*start(c=c), c, draw.number(0.3, 0.6) / c, 0.9), "three steps")
    yield Case((*start(4, c=2.0, n=3), 2.0, 0.2, 0.8), "four points, three steps")
    yield Case((*start(2, 3, c=0.5, n=5, steps=2), 0.5, 0.5, 0.9), "2 x 3 points, two steps")
    x, g = start(3, c=2.0)
    yield Case((x, g, 2.0, 0.3, 0.0), "without momentum", edge=True)
    yield Case((x, 0 * g, 2.0, 0.3, 0.9), "no gradient: stay", edge=True)


@mistake(
    "The buffer is filled once, and what is computed from it afterwards is never put back: it stays the first gradient "
    "for ever. Two steps do not show it; three do."
)
def descend_as_found(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), None
    for g in gradients.unbind(-2):
        r = ball.egrad2rgrad(x, g)
        if buffer is None:
            buffer, direction = r, r
        else:
            direction = momentum * buffer + r
        y = ball.expmap(x, -lr * direction)
        x, buffer = y, ball.transp(x, y, buffer)
    return x


@mistake("The momentum is not carried along: an arrow at the old point is added to one at the new point. Transport it.")
def descend_without_transport(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), torch.zeros_like(x)
    for g in gradients.unbind(-2):
        buffer = momentum * buffer + ball.egrad2rgrad(x, g)
        x = ball.expmap(x, -lr * buffer)
    return x


@mistake("The buffer is restarted in every step: that is descent without any momentum.")
def descend_without_momentum(x, gradients, c, lr, momentum):
    ball = PoincareBall(c)
    for g in gradients.unbind(-2):
        x = ball.expmap(x, -lr * ball.egrad2rgrad(x, g))
    return x


@mistake("That is the running mean of Adam, with a factor 1 - momentum for the new gradient. Here it enters whole.")
def descend_with_a_mean(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), torch.zeros_like(x)
    for g in gradients.unbind(-2):
        buffer = momentum * buffer + (1 - momentum) * ball.egrad2rgrad(x, g)
        y = ball.expmap(x, -lr * buffer)
        x, buffer = y, ball.transp(x, y, buffer)
    return x


@mistake("The partial derivatives are used as if they were an arrow: the gradient is g / lambda_x^2, `egrad2rgrad`.")
def descend_along_partials(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), torch.zeros_like(x)
    for g in gradients.unbind(-2):
        buffer = momentum * buffer + g
        y = ball.expmap(x, -lr * buffer)
        x, buffer = y, ball.transp(x, y, buffer)
    return x


DESCEND = Exercise(
    name="descend",
    title="Momentum that remembers (bug 2)",
    points=3,
    minutes=15,
    difficulty=3,
    rule="buffer <- momentum buffer + gradient; step; carry the buffer to the new point",
    reference=descend,
    cases=_descend_cases,
    vectors=["x", "gradients"],
    sets=["gradients"],
    differentiable=False,
    mistakes=[
        descend_as_found,
        descend_without_transport,
        descend_without_momentum,
        descend_with_a_mean,
        descend_along_partials,
    ],
)

# --- dist0_by_hand: the third bug -------------------------------------------------------------------------------------


def dist0_by_hand(x: Tensor, c: float) -> tuple:
    square = (x * x).sum(-1)
    n = torch.where(square > 0, square, 1.0).sqrt() * (square > 0)
    gap = 1 - c * square
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (2 / gap).unsqueeze(-1), n / (c * gap) - d / (2 * c)


def _by_hand_cases(draw):
    yield Case((torch.tensor([0.6, 0.0], dtype=F64), 1.0), "one point")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c, near=1.5, far=3.0), c), "one point")
    for c in BATCHED:
        yield Case((draw.ball_points(4, 3, c=c, near=1.5, far=3.0), c), "a batch of 4")
    yield Case((draw.ball_points(2, 3, 5, c=0.5, near=1.5, far=3.0), 0.5), "a batch of 2 x 3")
    yield Case((torch.zeros(2, dtype=F64), 2.0), "the origin: all derivatives 0", edge=True)
    yield Case((draw.ball_points(3, 2, c=2.0, near=5.0, far=6.0), 2.0), "close to the boundary", edge=True)


@mistake(
    "c stands in two places: inside, and in the factor 2/sqrt(c) in front. The product rule gives a second term, "
    "-d/(2c). Compare your derivative with (d(c + h) - d(c - h)) / (2h): that test finds it at once."
)
def by_hand_as_found(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (2 / gap).unsqueeze(-1), n / (c * gap)


@mistake("x/|x| is 0/0 at the origin. The distance has no derivative there; 0 is what keeps a training run alive.")
def by_hand_nan_at_the_origin(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    return d, x / n.unsqueeze(-1) * (2 / gap).unsqueeze(-1), n / (c * gap) - d / (2 * c)


@mistake("That is the derivative by sqrt(c). By the chain rule, the one by c is that over 2 sqrt(c).")
def by_hand_by_the_root(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (2 / gap).unsqueeze(-1), 2 * math.sqrt(c) * (n / (c * gap) - d / (2 * c))


@mistake("That is the derivative by log c (c d/dc). Divide it by c.")
def by_hand_by_the_logarithm(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (2 / gap).unsqueeze(-1), n / gap - d / 2


@mistake("The outer factor's derivative is right, the inner one's sign is not: d rises with c inside, falls in front.")
def by_hand_sign_flipped(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (2 / gap).unsqueeze(-1), -n / (c * gap) - d / (2 * c)


@mistake("You returned the Riemannian gradient. A backward pass wants the partial derivatives, lambda_x x/|x|.")
def by_hand_riemannian(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    return d, unit * (gap / 2).unsqueeze(-1), n / (c * gap) - d / (2 * c)


BY_HAND = Exercise(
    name="dist0_by_hand",
    title="A derivative by hand (bug 3)",
    points=3,
    minutes=20,
    difficulty=3,
    rule="d = 2 asinh(sqrt(c)|x| / sqrt(1 - c|x|^2)) / sqrt(c), and its derivatives by x and by c",
    reference=dist0_by_hand,
    cases=_by_hand_cases,
    vectors=["x"],
    outputs=["d", "the derivative by x", "the derivative by c"],
    differentiable=False,
    mistakes=[
        by_hand_as_found,
        by_hand_nan_at_the_origin,
        by_hand_by_the_root,
        by_hand_by_the_logarithm,
        by_hand_sign_flipped,
        by_hand_riemannian,
    ],
)

# --- normal_dist: the challenge ---------------------------------------------------------------------------------------


def normal_dist(m: Tensor, n: Tensor, c: float) -> Tensor:
    return NormalCoordinates(c).dist(m, n)


def _normal_cases(draw):
    def points(*shape, c, near=0.3, far=3.0):
        return _normal_points(draw, *shape, c=c, near=near, far=far)

    yield Case((torch.tensor([1.0, 0.0], dtype=F64), torch.tensor([0.0, 1.0], dtype=F64), 1.0), "two points")
    for c in CURVATURES:
        yield Case((points(2, c=c), points(2, c=c), c), "two points")
    for c in BATCHED:
        yield Case((points(4, 3, c=c), points(4, 3, c=c), c), "a batch of 4")
    yield Case((points(5, c=0.5), points(2, 3, 5, c=0.5), 0.5), "one point against 2 x 3")
    x = points(3, 2, c=2.0)
    zero = torch.zeros(3, 2, dtype=F64)
    yield Case((x, x.clone(), 2.0), "twice the same point: distance 0, gradient 0", edge=True)
    yield Case((zero, x, 2.0), "from the origin: the gradient points away from the other point", edge=True)
    yield Case((zero, zero.clone(), 2.0), "twice the origin", edge=True)
    yield Case((x, x + draw.uniform(0.5, 1.0, 3, 2) / 16384, 2.0), "points very close to each other", edge=True)
    y = points(3, 2, c=0.5, near=30.0, far=40.0)
    yield Case((y, y.flip(-1) * 0.9, 0.5), "far out", edge=True, gradient=False)
    yield Case((y, -y, 0.5), "far out on opposite sides", edge=True, gradient=False)


@mistake("That is the law of cosines: cosh d1 cosh d2 - sinh d1 sinh d2 cos(angle) cancels, and acosh hides the rest.")
def normal_by_the_law_of_cosines(m, n, c):
    s, d1, d2 = math.sqrt(c), m.norm(dim=-1), n.norm(dim=-1)
    apart = torch.where(d1 * d2 > 0, d1 * d2, 1.0)
    cosine = (m * n).sum(-1) / apart
    value = torch.cosh(s * d1) * torch.cosh(s * d2) - torch.sinh(s * d1) * torch.sinh(s * d2) * cosine
    return torch.acosh(value.clamp_min(1.0)) / s


@mistake("The direction n/|n| does not exist at the origin: 0/0. Write the angle without unit vectors.")
def normal_by_unit_vectors(m, n, c):
    s, d1, d2 = math.sqrt(c), m.norm(dim=-1), n.norm(dim=-1)
    gap = (m / d1.unsqueeze(-1) - n / d2.unsqueeze(-1)).norm(dim=-1) / 2
    a = torch.sinh(s * (d1 - d2) / 2)
    return 2 / s * torch.asinh(torch.stack((a, gap * (torch.sinh(s * d1) * torch.sinh(s * d2)).sqrt())).norm(dim=0))


@mistake(
    "Values right, and the gradient at the origin is 0: a point that starts there would never move. It should be the "
    "unit vector away from the other point."
)
def normal_stuck_at_the_origin(m, n, c):
    s, a, b = math.sqrt(c), m.norm(dim=-1, keepdim=True), n.norm(dim=-1, keepdim=True)
    u, v = (torch.where(d > 0, p / torch.where(d > 0, d, 1.0), 0.0) for p, d in ((m, a), (n, b)))
    h = torch.sinh(s * (a - b) / 2) ** 2 + torch.sinh(s * a) * torch.sinh(s * b) * ((u - v) / 2).square().sum(-1, True)
    root = torch.where(h > 0, torch.where(h > 0, h, 1.0).sqrt(), 0.0)
    return 2 / s * torch.asinh(root.squeeze(-1))


@mistake("That is the flat distance. In normal coordinates only distances from the origin are what they look like.")
def normal_flat(m, n, c):
    return (m - n).norm(dim=-1)


CHALLENGE = Exercise(
    name="normal_dist",
    title="Challenge: a distance without a rim",
    points=0,
    minutes=40,
    difficulty=5,
    optional=True,
    rule="sinh^2(sqrt(c) d/2) = sinh^2(sqrt(c)(d1-d2)/2) + sinh(sqrt(c) d1) sinh(sqrt(c) d2) sin^2(angle/2)",
    reference=normal_dist,
    cases=_normal_cases,
    properties=[
        Property("from n to m it is as far as from m to n", lambda f, m, n, c: (f(m, n, c), f(n, m, c))),
        Property(
            "in units of 1/sqrt(c) all spaces are one: half the size in curvature -4c is half as far",
            lambda f, m, n, c: (2 * f(m / 2, n / 2, 4 * c), f(m, n, c)),
        ),
    ],
    vectors=["m", "n"],
    mistakes=[normal_by_the_law_of_cosines, normal_by_unit_vectors, normal_stuck_at_the_origin, normal_flat],
)

POST_MORTEM = Written(
    name="post_mortem",
    title="A post-mortem",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: what each patch does. nan_to_num turns the NaN gradient into 0, so the points concerned are silently "
        "not trained; clipping the norm does nothing, since the norm itself is NaN, and scaling by it spreads the NaN "
        "to every parameter; float64 does nothing: equal points are equal in every format.",
        "1 point: the cause. The two photographs are one point, their distance is 0, and there the square root has an "
        "infinite slope: infinity times 0 in the chain rule. The value of the loss does not show it; after the step "
        "the parameters are NaN.",
        "1 point: what to do. Mend the formula at that place (replace the argument before the root, derivative 0 at "
        "0), and keep it mended: a test of gradients at equal points, at the origin and far out, or a watch that stops "
        "at the first NaN and names the place.",
    ],
)

SET = ExerciseSet(
    "09_numerics",
    [CURVATURE, LORENTZ, SINHC, PROJX, RADAM, DESCEND, BY_HAND, CHALLENGE],
    [POST_MORTEM],
    masked=[
        "hyplearn.numerics.sinhc",
        "hyplearn.numerics.sinhc_minus_1",
        "hyplearn.manifolds.lorentz.squared_chord",
        *(f"hyplearn.manifolds.{chart}.dist" for chart in ("Lorentz", "PoincareBall", "HalfSpace", "Klein")),
        "hyplearn.manifolds.NormalCoordinates.dist",
        "hyplearn.manifolds.NormalCoordinates._haversine",
        "hyplearn.manifolds.Manifold.cdist",
        "hyplearn.manifolds.PoincareBall.projx",
        "hyplearn.optim",
    ],
)
