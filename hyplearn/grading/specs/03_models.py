"""Exercises of lecture 03: five maps of one world. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.5, 0.1, 10.0)
BATCHED = (2.0, 0.1)  # curvatures that come in batches as well
CHARTS = ("ball", "klein", "half-space", "hemisphere")


def _sheet(draw, *shape, c, near=0.0, far=2.5):
    """Points of the hyperboloid with near <= sqrt(c) d <= far; shape[-1] counts the space coordinates."""
    direction = draw.normal(*shape)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    d = draw.uniform(near, far, *shape[:-1], 1)
    return torch.cat((torch.cosh(d), torch.sinh(d) * direction), -1) / math.sqrt(c)


def _klein(draw, *shape, c, near=0.0, far=2.5):
    """Points of the Klein ball with near <= sqrt(c) d <= far."""
    p = _sheet(draw, *shape, c=c, near=near, far=far)
    return p[..., 1:] / p[..., :1] / math.sqrt(c)


def _boost(p: Tensor, c: float) -> Tensor:
    """The matrix (n + 1, n + 1) of the isometry along the ray from the origin that takes the origin to p."""
    t, s = math.sqrt(c) * p[0], math.sqrt(c) * p[1:]
    corner = torch.eye(len(s), dtype=p.dtype) + torch.outer(s, s) / (1 + t)
    top, bottom = torch.cat((t[None], s))[None], torch.cat((s[:, None], corner), 1)
    return torch.cat((top, bottom))


# --- minkowski: the warm-up -------------------------------------------------------------------------------------------


def minkowski(x: Tensor, y: Tensor) -> Tensor:
    return (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]


def _minkowski_cases(draw):
    yield Case((draw.normal(3), draw.normal(3)), "two vectors")
    yield Case((draw.normal(5), draw.normal(5)), "two vectors of R^5")
    yield Case((draw.normal(4, 3), draw.normal(4, 3)), "a batch of 4")
    yield Case((draw.normal(2, 5, 4), draw.normal(2, 5, 4)), "a batch of 2 x 5")
    yield Case((draw.normal(3), draw.normal(6, 3)), "one vector against 6")
    light = torch.tensor([5.0, 3.0, -4.0], dtype=torch.float64)
    yield Case((light, light), "a light-like vector with itself: 0", edge=True)
    p = _sheet(draw, 3, 2, c=1.0)
    yield Case((p, p), "points of the hyperboloid with themselves: -1/c", edge=True)


@mistake("That is the Euclidean inner product: the time coordinate, which comes first, counts with a minus.")
def minkowski_euclidean(x, y):
    return (x * y).sum(-1)


@mistake("The signs are flipped: our convention is - + + ..., minus for time and plus for space.")
def minkowski_signs_flipped(x, y):
    return x[..., 0] * y[..., 0] - (x[..., 1:] * y[..., 1:]).sum(-1)


@mistake("Time comes first here, not last: the coordinate with the minus is x[..., 0].")
def minkowski_time_last(x, y):
    return (x[..., :-1] * y[..., :-1]).sum(-1) - x[..., -1] * y[..., -1]


@mistake("`x[0]` is the first vector of a batch, not a time coordinate: write `x[..., 0]`, and sum over `dim=-1`.")
def minkowski_unbatched(x, y):
    return (x[1:] * y[1:]).sum() - x[0] * y[0]


MINKOWSKI = Exercise(
    name="minkowski",
    title="The inner product of Minkowski space",
    points=1,
    minutes=4,
    difficulty=1,
    rule="<x, y> = -x_0 y_0 + x_1 y_1 + ... + x_n y_n",
    reference=minkowski,
    cases=_minkowski_cases,
    properties=[Property("<x, y> = <y, x>", lambda f, x, y: (f(x, y), f(y, x)))],
    vectors=["x", "y"],
    mistakes=[minkowski_euclidean, minkowski_signs_flipped, minkowski_time_last, minkowski_unbatched],
)

# --- to_hyperboloid ---------------------------------------------------------------------------------------------------


def to_hyperboloid(x: Tensor, chart: str, c: float) -> Tensor:
    u = math.sqrt(c) * x
    square, height = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "ball":
        point = torch.cat((1 + square, 2 * u), -1) / (1 - square)
    elif chart == "klein":
        point = torch.cat((torch.ones_like(square), u), -1) / (1 - square).sqrt()
    elif chart == "half-space":
        point = torch.cat((1 + square, 2 * u[..., :-1], square - 1), -1) / (2 * height)
    elif chart == "hemisphere":
        point = torch.cat((torch.ones_like(height), u[..., :-1]), -1) / height
    else:
        raise ValueError(f"chart must be one of {', '.join(CHARTS)}, got {chart!r}")
    return point / math.sqrt(c)


def from_hyperboloid(p: Tensor, chart: str, c: float) -> Tensor:
    t, s = (math.sqrt(c) * p).tensor_split([1], -1)
    one = torch.ones_like(t)
    if chart == "ball":
        x = s / (1 + t)
    elif chart == "klein":
        x = s / t
    elif chart == "half-space":
        x = torch.cat((s[..., :-1], one), -1) / (t - s[..., -1:])
    elif chart == "hemisphere":
        x = torch.cat((s, one), -1) / t
    else:
        raise ValueError(f"chart must be one of {', '.join(CHARTS)}, got {chart!r}")
    return x / math.sqrt(c)


def _chart_cases(draw):
    """Points of the hyperboloid, a chart, c, a label, and whether it is an edge case."""
    for chart in CHARTS:
        yield _sheet(draw, 2, c=1.0, near=0.5), chart, 1.0, "one point, c = 1", False
    for c, chart in zip((2.0, 0.5, 0.1, 10.0), CHARTS, strict=True):
        yield _sheet(draw, 2, c=c, near=0.5), chart, c, "one point", False
    for chart in CHARTS:
        yield _sheet(draw, 4, 3, c=2.0, near=0.5), chart, 2.0, "a batch of 4 points of space", False
    yield _sheet(draw, 2, 3, 2, c=0.1, near=0.5), "ball", 0.1, "a batch of 2 x 3", False
    yield _sheet(draw, 2, 3, 2, c=0.1, near=0.5), "half-space", 0.1, "a batch of 2 x 3", False
    for chart in CHARTS:
        yield _sheet(draw, 2, c=0.5, far=0.0), chart, 0.5, "the origin", True
        yield _sheet(draw, 3, 1, c=2.0), chart, 2.0, "the hyperbolic line, n = 1", True


def _to_cases(draw):
    for p, chart, c, label, edge in _chart_cases(draw):
        # A hemisphere's coordinates depend on each other, so its gradient depends on which of them a formula uses.
        yield Case((from_hyperboloid(p, chart, c), chart, c), label, edge, gradient=chart != "hemisphere")
    yield Case((draw.uniform(0.1, 0.4, 2), "mercator", 1.0), "a chart that is none of the four", raises=ValueError)


def _from_cases(draw):
    for p, chart, c, label, edge in _chart_cases(draw):
        yield Case((p, chart, c), label, edge)
    yield Case((_sheet(draw, 2, c=1.0), "mercator", 1.0), "a chart that is none of the four", raises=ValueError)


@mistake(
    "The curvature is missing: the formulas of the lecture hold for u = sqrt(c) x on the unit hyperboloid. Multiply x "
    "by sqrt(c) first, and divide the result by it."
)
def to_without_curvature(x, chart, c):
    square, h = (x * x).sum(-1, keepdim=True), x[..., -1:]
    if chart == "ball":
        return torch.cat((1 + square, 2 * x), -1) / (1 - square)
    if chart == "klein":
        return torch.cat((torch.ones_like(h), x), -1) / (1 - square).sqrt()
    if chart == "half-space":
        return torch.cat((1 + square, 2 * x[..., :-1], square - 1), -1) / (2 * h)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(h), x[..., :-1]), -1) / h
    raise ValueError("chart")


@mistake(
    "Your points lie on the unit hyperboloid, <p, p> = -1. That of curvature -c has <p, p> = -1/c: divide by sqrt(c) "
    "in the end."
)
def to_unit_hyperboloid(x, chart, c):
    u = math.sqrt(c) * x
    square, h = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "ball":
        return torch.cat((1 + square, 2 * u), -1) / (1 - square)
    if chart == "klein":
        return torch.cat((torch.ones_like(h), u), -1) / (1 - square).sqrt()
    if chart == "half-space":
        return torch.cat((1 + square, 2 * u[..., :-1], square - 1), -1) / (2 * h)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(h), u[..., :-1]), -1) / h
    raise ValueError("chart")


@mistake(
    "Ball and Klein ball are swapped. Klein is seen from the origin: p is a multiple of (1, u). The ball is seen from "
    "one step further back."
)
def to_ball_and_klein_swapped(x, chart, c):
    u = math.sqrt(c) * x
    square, h = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "klein":
        return torch.cat((1 + square, 2 * u), -1) / (1 - square) / math.sqrt(c)
    if chart == "ball":
        return torch.cat((torch.ones_like(h), u), -1) / (1 - square).sqrt() / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((1 + square, 2 * u[..., :-1], square - 1), -1) / (2 * h) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(h), u[..., :-1]), -1) / h / math.sqrt(c)
    raise ValueError("chart")


@mistake(
    "The half-space stands on its head: what is high in it has a large last coordinate on the hyperboloid, "
    "p_n = (|u|^2 - 1) / (2 h)."
)
def to_half_space_upside_down(x, chart, c):
    u = math.sqrt(c) * x
    square, h = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "ball":
        return torch.cat((1 + square, 2 * u), -1) / (1 - square) / math.sqrt(c)
    if chart == "klein":
        return torch.cat((torch.ones_like(h), u), -1) / (1 - square).sqrt() / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((1 + square, 2 * u[..., :-1], 1 - square), -1) / (2 * h) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(h), u[..., :-1]), -1) / h / math.sqrt(c)
    raise ValueError("chart")


@mistake("The factor 2 of the ball is missing: its space part is 2 u / (1 - |u|^2). Test <p, p>: it must be -1/c.")
def to_ball_without_the_two(x, chart, c):
    u = math.sqrt(c) * x
    square, h = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "ball":
        return torch.cat((1 + square, u), -1) / (1 - square) / math.sqrt(c)
    if chart == "klein":
        return torch.cat((torch.ones_like(h), u), -1) / (1 - square).sqrt() / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((1 + square, 2 * u[..., :-1], square - 1), -1) / (2 * h) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(h), u[..., :-1]), -1) / h / math.sqrt(c)
    raise ValueError("chart")


TO_HYPERBOLOID = Exercise(
    name="to_hyperboloid",
    title="From four maps to the hyperboloid",
    points=3,
    minutes=20,
    difficulty=3,
    rule="with u = sqrt(c) x the point lies on the ray (1 + |u|^2, 2u), (1, u) or (1 + |u|^2, 2u', |u|^2 - 1), and "
    "-t^2 + |s|^2 = -1/c",
    reference=to_hyperboloid,
    cases=_to_cases,
    properties=[
        Property(
            "<p, p> = -1/c, multiplied out so that nothing cancels: c t^2 = 1 + c |s|^2",
            lambda f, x, chart, c: (
                c * f(x, chart, c)[..., 0] ** 2,
                1 + c * (f(x, chart, c)[..., 1:] ** 2).sum(-1),
            ),
        ),
    ],
    vectors=["x"],
    mistakes=[
        to_without_curvature,
        to_unit_hyperboloid,
        to_ball_and_klein_swapped,
        to_half_space_upside_down,
        to_ball_without_the_two,
    ],
)

# --- from_hyperboloid -------------------------------------------------------------------------------------------------


@mistake(
    "The curvature is missing: 1 + t and the like are right on the unit hyperboloid only. With c it is sqrt(c) t that "
    "has no unit; published code has this bug, and its tests with c = 1 pass."
)
def from_without_curvature(p, chart, c):
    t, s = p[..., :1], p[..., 1:]
    if chart == "ball":
        return s / (1 + t)
    if chart == "klein":
        return s / t
    if chart == "half-space":
        return torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t - s[..., -1:])
    if chart == "hemisphere":
        return torch.cat((s, torch.ones_like(t)), -1) / t
    raise ValueError("chart")


@mistake("The result is in units of 1/sqrt(c): the rim of your balls is at 1. It belongs at 1/sqrt(c).")
def from_into_the_unit_chart(p, chart, c):
    t, s = math.sqrt(c) * p[..., :1], math.sqrt(c) * p[..., 1:]
    if chart == "ball":
        return s / (1 + t)
    if chart == "klein":
        return s / t
    if chart == "half-space":
        return torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t - s[..., -1:])
    if chart == "hemisphere":
        return torch.cat((s, torch.ones_like(t)), -1) / t
    raise ValueError("chart")


@mistake("Ball and Klein ball are swapped: s/t is Klein, seen from the origin; s/(1 + t) is the ball, from (-1, 0).")
def from_ball_and_klein_swapped(p, chart, c):
    t, s = math.sqrt(c) * p[..., :1], math.sqrt(c) * p[..., 1:]
    if chart == "klein":
        return s / (1 + t) / math.sqrt(c)
    if chart == "ball":
        return s / t / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t - s[..., -1:]) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((s, torch.ones_like(t)), -1) / t / math.sqrt(c)
    raise ValueError("chart")


@mistake("The half-space stands on its head: its height is 1/(t - s_n), large where s_n is large. Yours has t + s_n.")
def from_half_space_upside_down(p, chart, c):
    t, s = math.sqrt(c) * p[..., :1], math.sqrt(c) * p[..., 1:]
    if chart == "ball":
        return s / (1 + t) / math.sqrt(c)
    if chart == "klein":
        return s / t / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t + s[..., -1:]) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((s, torch.ones_like(t)), -1) / t / math.sqrt(c)
    raise ValueError("chart")


@mistake("The height of the hemisphere comes last in its coordinates, not first: (s, 1) / t.")
def from_hemisphere_height_first(p, chart, c):
    t, s = math.sqrt(c) * p[..., :1], math.sqrt(c) * p[..., 1:]
    if chart == "ball":
        return s / (1 + t) / math.sqrt(c)
    if chart == "klein":
        return s / t / math.sqrt(c)
    if chart == "half-space":
        return torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t - s[..., -1:]) / math.sqrt(c)
    if chart == "hemisphere":
        return torch.cat((torch.ones_like(t), s), -1) / t / math.sqrt(c)
    raise ValueError("chart")


FROM_HYPERBOLOID = Exercise(
    name="from_hyperboloid",
    title="From the hyperboloid to four maps",
    points=3,
    minutes=15,
    difficulty=2,
    rule="with (t, s) = sqrt(c) p: s/(1 + t), s/t, (s', 1)/(t - s_n) and (s, 1)/t, all divided by sqrt(c)",
    reference=from_hyperboloid,
    cases=_from_cases,
    properties=[
        Property(
            "it undoes the map to the hyperboloid",
            lambda f, p, chart, c: (to_hyperboloid(f(p, chart, c), chart, c), p),
        ),
    ],
    # The coordinates of p depend on each other: its gradient depends on which of them a formula uses.
    differentiable=False,
    vectors=["p"],
    mistakes=[
        from_without_curvature,
        from_into_the_unit_chart,
        from_ball_and_klein_swapped,
        from_half_space_upside_down,
        from_hemisphere_height_first,
    ],
)

# --- lorentz_distance -------------------------------------------------------------------------------------------------


def lorentz_distance(x: Tensor, y: Tensor, c: float) -> Tensor:
    square = minkowski(x - y, x - y).clamp_min(0)
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) / 2 * square.sqrt())


def _lorentz_cases(draw):
    yield Case((_sheet(draw, 2, c=1.0, near=0.5), _sheet(draw, 2, c=1.0, near=0.5), 1.0), "two points")
    for c in CURVATURES:
        yield Case((_sheet(draw, 3, c=c, near=0.5), _sheet(draw, 3, c=c, near=0.5), c), "two points of space")
    for c in BATCHED:
        yield Case((_sheet(draw, 5, 2, c=c), _sheet(draw, 5, 2, c=c), c), "a batch of 5")
    yield Case((_sheet(draw, 2, 3, 2, c=0.5), _sheet(draw, 2, 3, 2, c=0.5), 0.5), "a batch of 2 x 3")
    yield Case((_sheet(draw, 2, c=2.0), _sheet(draw, 6, 2, c=2.0), 2.0), "one point against 6")
    for c, apart in ((1.0, 1e-3), (0.5, 1e-4)):
        x = _sheet(draw, 4, 2, c=c, near=0.3, far=1.0)
        s = x[..., 1:] * (1 + apart)
        y = torch.cat(((1 / c + (s * s).sum(-1, keepdim=True)).sqrt(), s), -1)
        yield Case((x, y, c), "close to each other", edge=True)
    x = _sheet(draw, 4, 2, c=2.0, far=2.0)
    yield Case((x, x, 2.0), "one point twice", edge=True)
    yield Case((_sheet(draw, 2, c=0.1, far=0.0), _sheet(draw, 4, 2, c=0.1), 0.1), "from the origin", edge=True)


@mistake("The curvature is missing: cosh(d) = -<x, y> holds for c = 1. In general cosh(sqrt(c) d) = -c <x, y>.")
def lorentz_without_curvature(x, y, c):
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    return torch.acosh((-product).clamp(min=1))


@mistake("What you return is sqrt(c) d, an angle as it were. Divide by sqrt(c) to get a length.")
def lorentz_without_unit(x, y, c):
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    return torch.acosh((-c * product).clamp(min=1))


@mistake(
    "On paper acosh(-c <x, y>) is the same. In the machine -c <x, y> rounds to 1 for points that are close: half of "
    "the digits are lost, then all. Start from the difference, <x - y, x - y>, which is small where the distance is."
)
def lorentz_from_acosh(x, y, c):
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    return torch.acosh((-c * product).clamp(min=1)) / math.sqrt(c)


@mistake(
    "That is the length of the straight chord through Minkowski space. The way along the surface is longer: "
    "chord = 2/sqrt(c) sinh(sqrt(c) d / 2)."
)
def lorentz_chord(x, y, c):
    apart = x - y
    return ((apart[..., 1:] ** 2).sum(-1) - apart[..., 0] ** 2).clamp(min=0).sqrt()


LORENTZ_DISTANCE = Exercise(
    name="lorentz_distance",
    title="Distance on the hyperboloid",
    points=3,
    minutes=15,
    difficulty=3,
    rule="4 sinh^2(sqrt(c) d / 2) = c <x - y, x - y>, which is cosh(sqrt(c) d) = -c <x, y>",
    reference=lorentz_distance,
    cases=_lorentz_cases,
    properties=[
        Property("d(x, y) = d(y, x)", lambda f, x, y, c: (f(x, y, c), f(y, x, c))),
        Property(
            "the same two points on a hyperboloid of twice the size are twice as far apart",
            lambda f, x, y, c: (f(2 * x, 2 * y, c / 4), 2 * f(x, y, c)),
        ),
    ],
    differentiable=False,  # as with from_hyperboloid
    vectors=["x", "y"],
    mistakes=[
        lorentz_without_curvature,
        lorentz_without_unit,
        lorentz_from_acosh,
        lorentz_chord,
    ],
)

# --- klein_distance ---------------------------------------------------------------------------------------------------


def klein_distance(x: Tensor, y: Tensor, c: float) -> Tensor:
    apart = y - x
    same = (apart == 0).all(-1)
    square = torch.where(same, 1.0, (apart * apart).sum(-1))
    slope, gap = (x * apart).sum(-1), 1 / c - (x * x).sum(-1)
    root = (slope**2 + square * gap).sqrt()
    a, b = (slope + root) / square, (root - slope) / square  # |x - a| and |x - b|, in units of |x - y|
    d = ((1 + a) / a * b / torch.where(same, 1.0, b - 1)).log() / (2 * math.sqrt(c))
    return torch.where(same, 0.0, d)


def _klein_oracle(x, y, c):
    """asinh of sums of squares: accurate for near and for far points."""
    apart = y - x
    gx, gy = 1 - c * (x * x).sum(-1), 1 - c * (y * y).sum(-1)
    square = c * ((apart * apart).sum(-1) / gy + c * (x * apart).sum(-1) ** 2 / (gx * gy))
    same = square == 0
    return torch.where(same, 0.0, torch.asinh(torch.where(same, 1.0, square).sqrt())) / math.sqrt(c)


def _klein_cases(draw):
    half = torch.tensor([0.5, 0.0], dtype=torch.float64), torch.tensor([0.0, 0.5], dtype=torch.float64)
    yield Case((*half, 1.0), "two points")
    for c in CURVATURES:
        yield Case((_klein(draw, 2, c=c, near=0.5), _klein(draw, 2, c=c, near=0.5), c), "two points")
    for c in BATCHED:
        yield Case((_klein(draw, 5, 3, c=c, near=0.3), _klein(draw, 5, 3, c=c, near=0.3), c), "a batch of 5")
    x, y = _klein(draw, 2, 2, 3, 2, c=0.5, near=0.3)
    yield Case((x, y, 0.5), "a batch of 2 x 3")
    yield Case((_klein(draw, 2, c=2.0, near=1.0), _klein(draw, 6, 2, c=2.0), 2.0), "one point against 6")
    x = _klein(draw, 3, 2, c=0.5, near=0.5)
    yield Case((0 * x, x, 0.5), "from the origin", edge=True)
    yield Case((x, -0.7 * x, 0.5), "on one diameter", edge=True)
    yield Case((x, x, 0.5), "one point twice", edge=True, gradient=False)
    yield Case((x, torch.cat((x[:1], -x[1:])), 0.5), "a batch that holds one point twice", edge=True, gradient=False)
    x, y = _klein(draw, 2, 3, 2, c=2.0, near=3.5, far=4.0)
    yield Case((x, y, 2.0), "close to the rim", edge=True, gradient=False)


@mistake("The factor 1/2 before the logarithm is missing: the cross-ratio is exp(2 sqrt(c) d).")
def klein_without_half(x, y, c):
    apart = y - x
    same = (apart == 0).all(-1)
    square = torch.where(same, 1.0, (apart * apart).sum(-1))
    slope = (x * apart).sum(-1)
    root = (slope**2 + square * (1 / c - (x * x).sum(-1))).sqrt()
    a, b = (slope + root) / square, (root - slope) / square
    return torch.where(same, 0.0, ((1 + a) * b / (a * torch.where(same, 1.0, b - 1))).log() / math.sqrt(c))


@mistake("The chord ends where |a| = 1/sqrt(c), on the rim; yours ends on the unit sphere, which is the rim for c = 1.")
def klein_rim_at_one(x, y, c):
    apart = y - x
    same = (apart == 0).all(-1)
    square = torch.where(same, 1.0, (apart * apart).sum(-1))
    slope = (x * apart).sum(-1)
    root = (slope**2 + square * (1 - (x * x).sum(-1))).sqrt()
    a, b = (slope + root) / square, (root - slope) / square
    return torch.where(same, 0.0, ((1 + a) * b / (a * torch.where(same, 1.0, b - 1))).log() / (2 * math.sqrt(c)))


@mistake("The ends are right, but half a logarithm is sqrt(c) d, a number without unit: divide it by sqrt(c).")
def klein_without_unit(x, y, c):
    apart = y - x
    same = (apart == 0).all(-1)
    square = torch.where(same, 1.0, (apart * apart).sum(-1))
    slope = (x * apart).sum(-1)
    root = (slope**2 + square * (1 / c - (x * x).sum(-1))).sqrt()
    a, b = (slope + root) / square, (root - slope) / square
    return torch.where(same, 0.0, ((1 + a) * b / (a * torch.where(same, 1.0, b - 1))).log() / 2)


@mistake("The distance is negative: the order on the chord is a, x, y, b, and the larger products belong on top.")
def klein_negative(x, y, c):
    apart = y - x
    same = (apart == 0).all(-1)
    square = torch.where(same, 1.0, (apart * apart).sum(-1))
    slope = (x * apart).sum(-1)
    root = (slope**2 + square * (1 / c - (x * x).sum(-1))).sqrt()
    a, b = (slope + root) / square, (root - slope) / square
    return torch.where(same, 0.0, -((1 + a) * b / (a * torch.where(same, 1.0, b - 1))).log() / (2 * math.sqrt(c)))


@mistake("That is the distance of the Poincare ball. The same coordinates are another point in the Klein ball.")
def klein_formula_of_the_ball(x, y, c):
    apart = (x - y).norm(dim=-1)
    gap = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * apart / gap.sqrt())


@mistake(
    "Through one point there is no chord: where x = y you divide 0 by 0. The docstring asks for 0; `torch.where` "
    "chooses entry by entry."
)
def klein_one_point_forgotten(x, y, c):
    apart = y - x
    square, slope = (apart * apart).sum(-1), (x * apart).sum(-1)
    root = (slope**2 + square * (1 / c - (x * x).sum(-1))).sqrt()
    a, b = (slope + root) / square, (root - slope) / square
    return ((1 + a) * b / (a * (b - 1))).log() / (2 * math.sqrt(c))


KLEIN_DISTANCE = Exercise(
    name="klein_distance",
    title="Distance by a cross-ratio",
    points=3,
    minutes=20,
    difficulty=4,
    rule="d = log( |y - a| |x - b| / (|x - a| |y - b|) ) / (2 sqrt(c)), with the ends a and b of the chord on the rim",
    reference=klein_distance,
    oracle=_klein_oracle,
    cases=_klein_cases,
    properties=[
        Property("d(x, y) = d(y, x)", lambda f, x, y, c: (f(x, y, c), f(y, x, c))),
        Property(
            "along a chord distances add up: x to m and m to y make x to y",
            lambda f, x, y, c: (f(x, (x + y) / 2, c) + f((x + y) / 2, y, c), f(x, y, c)),
        ),
    ],
    vectors=["x", "y"],
    mistakes=[
        klein_without_half,
        klein_rim_at_one,
        klein_without_unit,
        klein_negative,
        klein_formula_of_the_ball,
        klein_one_point_forgotten,
    ],
)

# --- einstein_midpoint ------------------------------------------------------------------------------------------------


def einstein_midpoint(x: Tensor, weights: Tensor, c: float) -> Tensor:
    mass = weights * (1 - c * (x * x).sum(-1)).rsqrt()
    return (mass.unsqueeze(-1) * x).sum(-2) / mass.sum(-1, keepdim=True)


def _midpoint_cases(draw, far=2.5):
    yield Case((_klein(draw, 2, 2, c=1.0, near=0.8, far=far), draw.uniform(0.5, 2.0, 2), 1.0), "two points")
    for c in CURVATURES:
        yield Case((_klein(draw, 4, 2, c=c, near=0.5, far=far), draw.uniform(0.5, 2.0, 4), c), "four points")
    for c in BATCHED:
        x, weights = _klein(draw, 3, 5, 3, c=c, near=0.3, far=far), draw.uniform(0.2, 2.0, 3, 5)
        yield Case((x, weights, c), "a batch of 3 sets of 5 points")
    x = _klein(draw, 2, 4, 2, c=0.5, near=0.5, far=far)
    yield Case((x, draw.uniform(0.5, 2.0, 4), 0.5), "2 sets of points, one set of weights")
    x = _klein(draw, 4, 2, c=2.0, near=0.5, far=far)
    yield Case((x, torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64), 2.0), "some weights are 0", edge=True)
    yield Case((x[:1], torch.tensor([3.0], dtype=torch.float64), 2.0), "one point", edge=True, gradient=False)
    three = x[:1].expand(3, 2).clone(), draw.uniform(0.5, 2.0, 3)
    yield Case((*three, 2.0), "three times one point", edge=True, gradient=False)


@mistake("That is the ordinary average. Far points must count more: each by its Lorentz factor 1/sqrt(1 - c|x|^2).")
def midpoint_average(x, weights, c):
    return (weights[..., None] * x).sum(-2) / weights.sum(-1, keepdim=True)


@mistake("1 - c|x|^2 needs a square root: the Lorentz factor is 1/sqrt(1 - c|x|^2).")
def midpoint_without_root(x, weights, c):
    mass = weights / (1 - c * (x * x).sum(-1))
    return (mass[..., None] * x).sum(-2) / mass.sum(-1, keepdim=True)


@mistake("The curvature is missing in the Lorentz factor: 1/sqrt(1 - c|x|^2).")
def midpoint_without_curvature(x, weights, c):
    mass = weights / (1 - (x * x).sum(-1)).clamp(min=1e-6).sqrt()
    return (mass[..., None] * x).sum(-2) / mass.sum(-1, keepdim=True)


@mistake("The weights are ignored: the mass of a point is its weight times its Lorentz factor.")
def midpoint_without_weights(x, weights, c):
    mass = torch.ones_like(weights) / (1 - c * (x * x).sum(-1)).sqrt()
    return (mass[..., None] * x).sum(-2) / mass.sum(-1, keepdim=True)


@mistake("Divide by the sum of all masses, weight times Lorentz factor, not by the sum of the weights alone.")
def midpoint_divided_by_weights(x, weights, c):
    mass = weights / (1 - c * (x * x).sum(-1)).sqrt()
    return (mass[..., None] * x).sum(-2) / weights.sum(-1, keepdim=True)


EINSTEIN_MIDPOINT = Exercise(
    name="einstein_midpoint",
    title="The fastest average",
    points=2,
    minutes=10,
    difficulty=2,
    rule="sum_i w_i g_i x_i / sum_i w_i g_i with g_i = 1/sqrt(1 - c|x_i|^2)",
    reference=einstein_midpoint,
    cases=_midpoint_cases,
    properties=[
        Property("only ratios of weights matter", lambda f, x, w, c: (f(x, 3 * w, c), f(x, w, c))),
        Property("the order does not matter", lambda f, x, w, c: (f(x.flip(-2), w.flip(-1), c), f(x, w, c))),
    ],
    vectors=["x"],
    sets=["x", "weights"],
    mistakes=[
        midpoint_average,
        midpoint_without_root,
        midpoint_without_curvature,
        midpoint_without_weights,
        midpoint_divided_by_weights,
    ],
)

# --- is_isometry ------------------------------------------------------------------------------------------------------


def is_isometry(x: Tensor, y: Tensor, c: float) -> Tensor:
    p = to_hyperboloid(x, "ball", c)

    def distances(q):
        return lorentz_distance(q.unsqueeze(-2), q.unsqueeze(-3), c)

    return ((distances(p) - distances(y)).abs() * math.sqrt(c) <= 0.01).flatten(-2).all(-1)


def _turn(x: Tensor, angle: Tensor) -> Tensor:
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack((cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]), -1)


def _lift(s: Tensor, c: float) -> Tensor:
    """The point of the hyperboloid with the space part s."""
    return torch.cat(((1 / c + (s * s).sum(-1, keepdim=True)).sqrt(), s), -1)


def _spots(draw, c):
    """Six points of the disk, well apart and in general position, of which the last but one is the origin."""
    d = torch.tensor([1.9, 0.8, 1.6, 1.0, 0.0, 1.3], dtype=torch.float64)
    angle = 1.3 * torch.arange(6) + draw.uniform(-0.2, 0.2, 6) + draw.number(0.0, 6.0)
    return (torch.tanh(d / 2) * torch.stack((angle.cos(), angle.sin()))).T / math.sqrt(c)


def _images(x, draw, c):
    """What becomes of the points of the disk under maps that are isometries, and under some that are not."""
    p = to_hyperboloid(x, "ball", c)
    unit = math.sqrt(c) * p[..., 1:]
    boost = _boost(_sheet(draw, 2, c=c, near=0.8, far=1.2), c)
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    stretched = torch.asinh(unit.norm(dim=-1, keepdim=True)) * 1.3
    stretched = torch.sinh(stretched) * torch.nn.functional.normalize(unit, dim=-1)
    twisted = _lift(_turn(p[..., 1:], p[..., 0] * math.sqrt(c)), c)
    last = torch.cat((p[:-1], _lift(_turn(p[-1:, 1:], torch.tensor(1.2)), c)))
    published = _lift(2 * x / (1 - (x * x).sum(-1, keepdim=True)), c)
    return {
        "the map between the two charts": p,
        "the map between the two charts, then a motion": p @ boost.T,
        "a mirror image, moved": p @ (boost @ mirror).T,
        "all distances from the origin are stretched": _lift(stretched / math.sqrt(c), c),
        "twisted about the origin, from which all distances are kept": twisted,
        "all but the last point stay, and that one keeps its distance from the point before it": last,
        "a formula written for c = 1": published,
    }


def _isometry_cases(draw):
    for c in (1.0, 0.5, 2.0):
        x = _spots(draw, c)
        for label, y in _images(x, draw, c).items():
            if c < 1 or "c = 1" not in label:  # where c = 1 it is right, and where c > 1 it leaves the sheet
                yield Case((x, y, c), label)
    x = _spots(draw, 0.1)
    images = [y for label, y in _images(x, draw, 0.1).items()]
    yield Case((x, torch.stack(images), 0.1), "one set of points and seven of images")
    x = _spots(draw, 10.0)
    yield Case((torch.stack((x, x)), torch.stack(list(_images(x, draw, 10.0).values())[2:4]), 10.0), "a batch of 2")
    x, twice = _spots(draw, 0.5), torch.tensor([0, 1, 1, 2, 3, 3])
    y = to_hyperboloid(x, "ball", 0.5)[twice]
    yield Case((x[twice], y, 0.5), "some points are there twice", edge=True)
    yield Case((x[:1], y[1:2], 0.5), "a single point", edge=True)


@mistake(
    "Distances from the origin are not enough: a twist about the origin keeps them all. Compare the distances of all "
    "pairs."
)
def isometry_from_the_origin_only(x, y, c):
    near = 2 * torch.atanh(math.sqrt(c) * x.norm(dim=-1))
    return ((near - torch.acosh((math.sqrt(c) * y[..., 0]).clamp(min=1))).abs() <= 0.01).all(-1)


@mistake("Neighbours in the list are not enough: the distances of all pairs must be kept, of the first and last too.")
def isometry_of_neighbours_only(x, y, c):
    u, v = x[..., 1:, :], x[..., :-1, :]
    gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
    one = 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())
    p, q = y[..., 1:, :], y[..., :-1, :]
    two = torch.acosh((c * (p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1))).clamp(min=1))
    return ((one - two).abs() <= 0.01).all(-1)


@mistake(
    "You ask whether y is *the* conversion of x. Isometries may move, turn and mirror as well: compare distances, not "
    "places."
)
def isometry_is_the_conversion(x, y, c):
    s = 2 * x / (1 - c * (x * x).sum(-1, keepdim=True))
    return (math.sqrt(c) * (s - y[..., 1:]).norm(dim=-1) <= 0.01).all(-1)


@mistake("One pair whose distance is kept proves nothing: all of them must be kept, `.all`, not `.any`.")
def isometry_any_pair(x, y, c):
    u, v = x[..., :, None, :], x[..., None, :, :]
    gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
    one = 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())
    p, q = y[..., :, None, :], y[..., None, :, :]
    two = torch.acosh((c * (p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1))).clamp(min=1))
    return ((one - two).abs() <= 0.01).flatten(-2).any(-1)


@mistake("The curvature is missing: with the distances for c = 1 on both sides, isometries for other c are refused.")
def isometry_without_curvature(x, y, c):
    u, v = x[..., :, None, :], x[..., None, :, :]
    gap = (1 - (u * u).sum(-1)) * (1 - (v * v).sum(-1))
    one = 2 * torch.asinh((u - v).norm(dim=-1) / gap.abs().sqrt())
    p, q = y[..., :, None, :], y[..., None, :, :]
    two = torch.acosh((p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1)).clamp(min=1))
    return ((one - two).abs() <= 0.01).flatten(-2).all(-1)


@mistake("Those are Euclidean distances of coordinates. No map between these charts keeps them; measure in each space.")
def isometry_euclidean(x, y, c):
    one = (x[..., :, None, :] - x[..., None, :, :]).norm(dim=-1)
    two = (y[..., :, None, :] - y[..., None, :, :]).norm(dim=-1)
    return ((one - two).abs() * math.sqrt(c) <= 0.01).flatten(-2).all(-1)


IS_ISOMETRY = Exercise(
    name="is_isometry",
    title="Is this map an isometry?",
    points=3,
    minutes=20,
    difficulty=3,
    rule="a map is an isometry if it keeps the distance of every pair of points",
    reference=is_isometry,
    cases=_isometry_cases,
    differentiable=False,
    vectors=["x", "y"],
    sets=["x", "y"],
    mistakes=[
        isometry_from_the_origin_only,
        isometry_of_neighbours_only,
        isometry_is_the_conversion,
        isometry_any_pair,
        isometry_without_curvature,
        isometry_euclidean,
    ],
)

# --- frechet_mean: the challenge --------------------------------------------------------------------------------------


def frechet_mean(x: Tensor, weights: Tensor, c: float) -> Tensor:
    """The centroid of points reweighted by z/sinh(z), z = sqrt(c) d, again and again (Lou et al. 2020)."""
    p = to_hyperboloid(x, "klein", c) * math.sqrt(c)
    sign = torch.ones_like(p[..., :1, :])
    sign[..., :1] = -1
    mass = weights.unsqueeze(-1)
    for _ in range(25):  # 7e-13 is left, for points within 1.5 / sqrt(c)
        total = (mass * p).sum(-2, keepdim=True)
        mean = total / (-(sign * total * total)).sum(-1, keepdim=True).sqrt()
        z = lorentz_distance(p, mean, 1.0).clamp_min(1e-12).unsqueeze(-1)
        mass = weights.unsqueeze(-1) * z / torch.sinh(z)
    return (mean[..., 1:] / mean[..., :1]).squeeze(-2) / math.sqrt(c)


def _frechet_cases(draw):
    uneven = torch.tensor([1.0, 1.0, 3.0], dtype=torch.float64)
    for c in (1.0, 0.5, 10.0):
        yield Case((_klein(draw, 3, 2, c=c, near=0.8, far=1.5), uneven, c), "three points")
    x, weights = _klein(draw, 2, 4, 3, c=0.1, near=0.5, far=1.5), draw.uniform(0.5, 2.0, 2, 4)
    yield Case((x, weights, 0.1), "a batch of 2 sets of 4 points")
    yield Case((x, weights[0], 0.1), "2 sets of points, one set of weights")
    yield Case((x[0, :1], weights[0, :1], 0.1), "one point", edge=True)
    line = torch.tensor([[-0.6, 0.0], [0.0, 0.0], [0.6, 0.0]], dtype=torch.float64)
    yield Case((line, uneven.clamp(max=1), 1.0), "the mean is one of the points", edge=True)


@mistake(
    "That is the Einstein midpoint: a mean in one step, but another one. The Frechet mean minimises the sum of "
    "*squared distances*."
)
def frechet_einstein(x, weights, c):
    mass = weights / (1 - c * (x * x).sum(-1)).sqrt()
    return (mass[..., None] * x).sum(-2) / mass.sum(-1, keepdim=True)


@mistake("That is the mean of the logarithms at the origin. They balance at the mean itself and nowhere else: iterate.")
def frechet_in_the_tangent_space_of_the_origin(x, weights, c):
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp(min=1e-12)
    mean = (weights[..., None] * torch.atanh(r) / r * x).sum(-2) / weights.sum(-1, keepdim=True)
    size = (math.sqrt(c) * mean.norm(dim=-1, keepdim=True)).clamp(min=1e-12)
    return torch.tanh(size) / size * mean


@mistake("That is the average of the coordinates. It minimises squared Euclidean distances in one picture.")
def frechet_of_coordinates(x, weights, c):
    return (weights[..., None] * x).sum(-2) / weights.sum(-1, keepdim=True)


@mistake("The weights are ignored: minimise sum_i w_i d(m, x_i)^2.")
def frechet_without_weights(x, weights, c):
    x = math.sqrt(c) * x
    gamma = 1 / (1 - (x * x).sum(-1, keepdim=True)).sqrt()
    p = torch.cat((gamma, gamma * x), -1)
    mass = torch.ones_like(weights)[..., None]
    for _ in range(25):
        total = (mass * p).sum(-2, keepdim=True)
        mean = total / (total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)).sqrt()
        cosh = mean[..., :1] * p[..., :1] - (mean[..., 1:] * p[..., 1:]).sum(-1, keepdim=True)
        z = torch.acosh(cosh.clamp(min=1 + 1e-12))
        mass = torch.where(z > 1e-5, z / torch.sinh(z.clamp(min=1e-5)), 1.0)
    return (mean[..., 1:] / mean[..., :1]).squeeze(-2) / math.sqrt(c)


FRECHET_MEAN = Exercise(
    name="frechet_mean",
    title="Challenge: the mean that has no formula",
    points=0,
    minutes=35,
    difficulty=5,
    optional=True,
    rule="the point m where sum_i w_i d(m, x_i)^2 is least; there the logarithms balance, sum_i w_i log_m(x_i) = 0",
    reference=frechet_mean,
    cases=_frechet_cases,
    # An iteration may stop when its step is about sqrt(eps), as the docstring says.
    rounding=lambda value, e: value + math.copysign(math.sqrt(abs(e)), e),
    differentiable=False,
    vectors=["x"],
    sets=["x", "weights"],
    mistakes=[
        frechet_einstein,
        frechet_in_the_tangent_space_of_the_origin,
        frechet_of_coordinates,
        frechet_without_weights,
    ],
)

CONVERTERS = Written(
    name="three_converters",
    title="Three converters from the web",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: `converter_a` is right for every c, `converter_b` for c = 1 only, `converter_c` for no c; "
        "`is_isometry` was run with more than one c.",
        "1 point: the faults are named and mended. b: the space part must be divided by 1 - c|x|^2, not by 1 - |x|^2. "
        "c: it takes x for a point of the Klein ball; the ball's space part is 2x / (1 - c|x|^2).",
        "1 point: why the tests of the authors pass. Those of b have c = 1, where c, sqrt(c) and 1/c cannot be told "
        "apart. Those of c ask whether the image lies on the hyperboloid, and that holds for any space part whose "
        "time is computed from it: to lie on the right surface is not to lie in the right place.",
    ],
)

SET = ExerciseSet(
    "03_models",
    [
        MINKOWSKI,
        TO_HYPERBOLOID,
        FROM_HYPERBOLOID,
        LORENTZ_DISTANCE,
        KLEIN_DISTANCE,
        EINSTEIN_MIDPOINT,
        IS_ISOMETRY,
        FRECHET_MEAN,
    ],
    [CONVERTERS],
    masked=[
        "hyplearn.means",
        "hyplearn.maps.convert",
        "hyplearn.maps.to_hub",
        "hyplearn.maps.from_hub",
        "hyplearn.manifolds.Lorentz.dist",
        "hyplearn.manifolds.Lorentz.minkowski",
        "hyplearn.manifolds.Klein.dist",
        "hyplearn.manifolds.Klein.chord_dist",
    ],
)
