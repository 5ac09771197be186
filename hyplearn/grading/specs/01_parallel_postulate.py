"""Exercises of lecture 01: geometry without the fifth postulate. Curvature is -c throughout."""

import math

import torch
from torch import Tensor

from hyplearn import plane
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.5, 0.1, 10.0)
BATCHED = (2.0, 0.1)  # curvatures that come in batches as well


def turned(x: Tensor, angle: float) -> Tensor:
    """Points of the disk, rotated about its centre: an isometry."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.stack((cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]), -1)


# --- triangle_area: the warm-up ---------------------------------------------------------------------------------------


def triangle_area(angles: Tensor, c: float) -> Tensor:
    return (math.pi - angles.sum(-1)) / c


def _area_cases(draw):
    right_angled = torch.tensor([math.pi / 2, math.pi / 4, math.pi / 6], dtype=torch.float64)
    yield Case((right_angled, 1.0), "one triangle")
    for c in CURVATURES:
        yield Case((draw.uniform(0.1, 1.0, 3), c), "one triangle")
    for c in BATCHED:
        yield Case((draw.uniform(0.1, 1.0, 4, 3), c), "a batch of 4")
    yield Case((draw.uniform(0.1, 1.0, 2, 5, 3), 0.5), "a batch of 2 x 5")
    yield Case((torch.zeros(3, dtype=torch.float64), 2.0), "an ideal triangle, all corners on the rim", edge=True)


@mistake("A bent plane of curvature -c has area = defect / c; yours is the defect, which is the area for c = 1 only.")
def area_without_curvature(angles, c):
    return torch.pi - angles.sum(-1)


@mistake("The curvature divides: the more a plane is bent, the smaller is the triangle that shows the same defect.")
def area_times_curvature(angles, c):
    return (torch.pi - angles.sum(-1)) * c


@mistake("An area goes with c itself. sqrt(c) belongs to lengths.")
def area_over_sqrt_c(angles, c):
    return (torch.pi - angles.sum(-1)) / math.sqrt(c)


@mistake("On a sphere the angle sum exceeds pi; here it falls short of it. The defect is pi minus the sum.")
def area_as_on_a_sphere(angles, c):
    return (angles.sum(-1) - torch.pi) / c


@mistake("`angles.sum()` adds up all triangles of a batch: sum over the last dimension only, `angles.sum(-1)`.")
def area_of_the_whole_batch(angles, c):
    return (torch.pi - angles.sum()) / c


@mistake("The angles are in radians, and so is their sum: a straight angle is pi, not 180.")
def area_in_degrees(angles, c):
    return (180 - torch.rad2deg(angles).sum(-1)) / c


AREA = Exercise(
    name="triangle_area",
    title="The area of a triangle from its angles",
    points=1,
    minutes=4,
    difficulty=1,
    rule="area = (pi - angle sum) / c",
    reference=triangle_area,
    cases=_area_cases,
    properties=[
        Property(
            "cut by a line through a corner, a triangle has the area of its two parts: halve one angle, and two parts "
            "with the foot's angles phi and pi - phi add up",
            lambda f, angles, c: (
                f(torch.stack((angles[..., 0] / 2, angles[..., 1], torch.full_like(angles[..., 0], 2.0)), -1), c)
                + f(
                    torch.stack((angles[..., 0] / 2, angles[..., 2], torch.full_like(angles[..., 0], math.pi - 2)), -1),
                    c,
                ),
                f(angles, c),
            ),
        ),
    ],
    vectors=["angles"],
    mistakes=[
        area_without_curvature,
        area_times_curvature,
        area_over_sqrt_c,
        area_as_on_a_sphere,
        area_of_the_whole_batch,
        area_in_degrees,
    ],
)

# --- angle_of_parallelism ---------------------------------------------------------------------------------------------


def _parallelism_cases(draw):
    yield Case((torch.tensor(1.0, dtype=torch.float64), 1.0), "one distance")
    for c in CURVATURES:
        yield Case((draw.uniform(0.1, 3.0) / math.sqrt(c), c), "one distance")
    for c in BATCHED:
        yield Case((draw.uniform(0.05, 4.0, 3, 4) / math.sqrt(c), c), "a batch of 3 x 4")
    yield Case((torch.zeros((), dtype=torch.float64), 2.0), "a point on the line", edge=True)
    yield Case(
        (torch.tensor([1e-3, 1e-6], dtype=torch.float64), 0.5), "close to the line: almost a right angle", edge=True
    )
    far = torch.tensor([8.0, 15.0, 25.0], dtype=torch.float64)
    yield Case((far, 1.0), "far from the line: tiny angles, but not 0", edge=True)


@mistake("The curvature is missing: Lobachevsky's formula is written for c = 1. A length always comes as sqrt(c) d.")
def parallelism_without_curvature(d, c):
    return 2 * torch.atan(torch.exp(-d))


@mistake("c stands where sqrt(c) belongs: it is sqrt(c) d, not c d, that has no unit.")
def parallelism_c_for_sqrt_c(d, c):
    return 2 * torch.atan(torch.exp(-c * d))


@mistake("You return half the angle: tan(angle / 2) = exp(-sqrt(c) d).")
def parallelism_half_the_angle(d, c):
    return torch.atan(torch.exp(-math.sqrt(c) * d))


@mistake("The sign in the exponent is flipped: the further the point, the smaller the angle.")
def parallelism_sign_flipped(d, c):
    return 2 * torch.atan(torch.exp(math.sqrt(c) * d))


@mistake("That angle is in degrees; the docstring asks for radians.")
def parallelism_in_degrees(d, c):
    return torch.rad2deg(2 * torch.atan(torch.exp(-math.sqrt(c) * d)))


@mistake(
    "On paper acos(tanh(sqrt(c) d)) is the same. In the machine tanh rounds to 1 far from the line, and the angle to "
    "0. Look for a form in which nothing that is nearly 1 has to be told from 1."
)
def parallelism_from_acos(d, c):
    return torch.acos(torch.tanh(math.sqrt(c) * d))


@mistake(
    "On paper asin(1 / cosh(sqrt(c) d)) is the same. Close to the line its argument rounds to 1, and the angle to pi/2 "
    "before it should; its slope there is infinite or NaN."
)
def parallelism_from_asin(d, c):
    return torch.asin(1 / torch.cosh(math.sqrt(c) * d))


@mistake(
    "On paper the difference is the same. Far from the line it subtracts two numbers near pi/2, and of the tiny angle "
    "only a few digits are left, or none. Look for a form that gives the small angle itself."
)
def parallelism_from_a_difference(d, c):
    return torch.pi / 2 - 2 * torch.atan(torch.tanh(math.sqrt(c) * d / 2))


PARALLELISM = Exercise(
    name="angle_of_parallelism",
    title="The angle of parallelism",
    points=2,
    minutes=8,
    difficulty=2,
    rule="tan(angle / 2) = exp(-sqrt(c) d)",
    reference=plane.angle_of_parallelism,
    cases=_parallelism_cases,
    properties=[
        Property(
            "only sqrt(c) d matters: half the distance in a plane of curvature -4c is the same picture",
            lambda f, d, c: (f(d / 2, 4 * c), f(d, c)),
        ),
    ],
    mistakes=[
        parallelism_without_curvature,
        parallelism_c_for_sqrt_c,
        parallelism_half_the_angle,
        parallelism_sign_flipped,
        parallelism_in_degrees,
        parallelism_from_acos,
        parallelism_from_asin,
        parallelism_from_a_difference,
    ],
)

# --- geodesic_through -------------------------------------------------------------------------------------------------


def geodesic_through(x: Tensor, y: Tensor, c: float) -> tuple[Tensor, Tensor]:
    for point in (x, y):
        if point.shape[-1] != 2:
            raise ValueError("x and y must have shape (..., 2)")
    line = plane.line_through(x, y, c)
    u, v = torch.broadcast_tensors(x, y)
    cross = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    straight = cross.abs() <= 4 * torch.finfo(x.dtype).eps * u.norm(dim=-1) * v.norm(dim=-1)
    # Where a line is straight, neither value nor gradient may come from a division by 0.
    b = torch.where(straight, 1.0, line.b) * math.sqrt(c)
    centre = torch.where(straight.unsqueeze(-1), 0.0, line.a / b.unsqueeze(-1))
    return centre, torch.where(straight, math.inf, 1 / b.abs())


def _geodesic_oracle(x, y, c):
    """Solves 2 <m, x> = |x|^2 + 1/c and the same for y, in the basis of the chord's midpoint and normal."""
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = cross.abs() <= 1e-6 * x.norm(dim=-1) * y.norm(dim=-1)
    safe = torch.where(straight, 1.0, cross)
    p, q = ((x * x).sum(-1) + 1 / c) / 2, ((y * y).sum(-1) + 1 / c) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1) / safe.unsqueeze(-1)
    radius = (x - centre).norm(dim=-1)
    return torch.where(straight.unsqueeze(-1), 0.0, centre), torch.where(straight, math.inf, radius)


def _beside(draw, x, *batch, c, near=0.2, far=3.0):
    """Points that the centre sees under an angle between 0.3 and 2.8 from x: clearly not on one diameter with it."""
    radius = draw.ball_points(*batch, 2, c=c, near=near, far=far).norm(dim=-1, keepdim=True)
    angle = torch.atan2(x[..., 1], x[..., 0]) + draw.uniform(0.3, 2.8, *batch)
    return radius * torch.stack((angle.cos(), angle.sin()), -1)


def _pairs(draw, *batch, c, near=0.2, far=3.0):
    x = draw.ball_points(*batch, 2, c=c, near=near, far=far)
    return x, _beside(draw, x, *batch, c=c, near=near, far=far)


def _geodesic_cases(draw):
    half = torch.tensor([0.5, 0.0], dtype=torch.float64), torch.tensor([0.0, 0.5], dtype=torch.float64)
    yield Case((*half, 1.0), "two points")
    for c in CURVATURES:
        yield Case((*_pairs(draw, c=c), c), "two points")
    for c in BATCHED:
        yield Case((*_pairs(draw, 5, c=c), c), "a batch of 5")
    x, y = _pairs(draw, 2, 3, c=0.5)
    yield Case((x, y, 0.5), "a batch of 2 x 3")
    x = draw.ball_points(2, c=2.0, near=1.0, far=2.5)
    yield Case((x, _beside(draw, x, 4, c=2.0), 2.0), "one point against 4")
    x, y = _pairs(draw, 4, c=2.0, near=5.0, far=6.0)
    yield Case((x, y, 2.0), "close to the rim", edge=True, gradient=False)
    x, y = _pairs(draw, 3, c=1.0)
    yield Case((x, x + (y - x) / 64, 1.0), "close to each other", edge=True, gradient=False)
    x, y = draw.ball_points(2, 2, c=0.5, near=0.5)
    yield Case((x, torch.zeros(2, dtype=torch.float64), 0.5), "one of them is the centre", edge=True, gradient=False)
    yield Case((x, -x / 3, 0.5), "on one diameter", edge=True, gradient=False)
    mixed = torch.stack((torch.zeros(2, dtype=torch.float64), -y / 2, y / 2))
    a, b = _pairs(draw, 3, c=0.5)
    some = torch.cat((a, y.expand(3, 2))), torch.cat((b, mixed))
    yield Case((*some, 0.5), "a batch of arcs and diameters", edge=True, gradient=False)
    yield Case((x, x, 0.5), "one point twice", raises=ValueError)
    yield Case((torch.stack((x, y)), torch.stack((y, y)), 0.5), "one point twice in a batch", raises=ValueError)
    yield Case((draw.uniform(0.0, 0.4, 3), draw.uniform(0.0, 0.4, 3), 1.0), "points of space", raises=ValueError)


@mistake(
    "The rim has the radius 1/sqrt(c), so the circle obeys |centre|^2 = radius^2 + 1/c; yours has 1 there, right for c "
    "= 1."
)
def geodesic_without_curvature(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points of shape (..., 2)")
    x, y = torch.broadcast_tensors(x, y)
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = cross.abs() <= 4 * torch.finfo(x.dtype).eps * x.norm(dim=-1) * y.norm(dim=-1)
    p, q = ((x * x).sum(-1) + 1) / 2, ((y * y).sum(-1) + 1) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1)
    centre = torch.where(straight[..., None], 0.0, centre / torch.where(straight, 1.0, cross)[..., None])
    return centre, torch.where(straight, torch.inf, (x - centre).norm(dim=-1))


@mistake("c stands where 1/c belongs: the rim has the radius 1/sqrt(c), so a larger c means a smaller disk.")
def geodesic_c_for_one_over_c(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points of shape (..., 2)")
    x, y = torch.broadcast_tensors(x, y)
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = cross.abs() <= 4 * torch.finfo(x.dtype).eps * x.norm(dim=-1) * y.norm(dim=-1)
    p, q = ((x * x).sum(-1) + c) / 2, ((y * y).sum(-1) + c) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1)
    centre = torch.where(straight[..., None], 0.0, centre / torch.where(straight, 1.0, cross)[..., None])
    return centre, torch.where(straight, torch.inf, (x - centre).norm(dim=-1))


@mistake(
    "Pythagoras the wrong way round: the rim's radius and yours are the legs of the right angle at which they cross, "
    "so radius^2 = |centre|^2 - 1/c."
)
def geodesic_radius_sign_flipped(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points of shape (..., 2)")
    x, y = torch.broadcast_tensors(x, y)
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = cross.abs() <= 4 * torch.finfo(x.dtype).eps * x.norm(dim=-1) * y.norm(dim=-1)
    p, q = ((x * x).sum(-1) + 1 / c) / 2, ((y * y).sum(-1) + 1 / c) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1)
    centre = torch.where(straight[..., None], 0.0, centre / torch.where(straight, 1.0, cross)[..., None])
    return centre, torch.where(straight, torch.inf, ((centre * centre).sum(-1) + 1 / c).sqrt())


@mistake(
    "That circle has the two points as its diameter. Many circles pass through two points: take the one that meets the "
    "rim at right angles."
)
def geodesic_circle_on_the_chord(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points of shape (..., 2)")
    return (x + y) / 2, (x - y).norm(dim=-1) / 2


@mistake(
    "A diameter is not treated: there the determinant is 0 and you divide by it. The docstring says what to return, "
    "and from which determinant on; `torch.where` chooses entry by entry."
)
def geodesic_diameter_forgotten(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points of shape (..., 2)")
    x, y = torch.broadcast_tensors(x, y)
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    p, q = ((x * x).sum(-1) + 1 / c) / 2, ((y * y).sum(-1) + 1 / c) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1) / cross[..., None]
    return centre, (x - centre).norm(dim=-1)


@mistake("`x[0]` is the first point of a batch, not a first coordinate: write `x[..., 0]`, and sum over `dim=-1`.")
def geodesic_unbatched(x, y, c):
    if x.shape[-1] != 2 or y.shape[-1] != 2 or torch.equal(x, y):
        raise ValueError("x and y must be different points of shape (..., 2)")
    cross = x[0] * y[1] - x[1] * y[0]
    p, q = (x @ x + 1 / c) / 2, (y @ y + 1 / c) / 2
    centre = torch.stack((p * y[1] - q * x[1], q * x[0] - p * y[0])) / cross
    return centre, (x - centre).norm()


@mistake(
    "Two equal points, or points with other than two coordinates, must raise a ValueError, as the docstring promises."
)
def geodesic_nothing_refused(x, y, c):
    x, y = torch.broadcast_tensors(x, y)
    cross = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = cross.abs() <= 4 * torch.finfo(x.dtype).eps * x.norm(dim=-1) * y.norm(dim=-1)
    p, q = ((x * x).sum(-1) + 1 / c) / 2, ((y * y).sum(-1) + 1 / c) / 2
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1)
    centre = torch.where(straight[..., None], 0.0, centre / torch.where(straight, 1.0, cross)[..., None])
    return centre, torch.where(straight, torch.inf, (x[..., :2] - centre).norm(dim=-1))


GEODESIC = Exercise(
    name="geodesic_through",
    title="The line through two points",
    points=4,
    minutes=25,
    difficulty=3,
    rule="the circle passes through x and y, and |centre|^2 = radius^2 + 1/c (it meets the rim at right angles)",
    reference=geodesic_through,
    oracle=_geodesic_oracle,
    cases=_geodesic_cases,
    properties=[
        Property("x lies on the circle", lambda f, x, y, c: ((x - f(x, y, c)[0]).norm(dim=-1), f(x, y, c)[1])),
        Property(
            "the circle meets the rim at right angles: |centre|^2 = radius^2 + 1/c",
            lambda f, x, y, c: ((f(x, y, c)[0] ** 2).sum(-1), f(x, y, c)[1] ** 2 + 1 / c),
        ),
        Property("from y to x it is the same line", lambda f, x, y, c: (f(x, y, c)[0], f(y, x, c)[0])),
    ],
    vectors=["x", "y"],
    outputs=["centre", "radius"],
    mistakes=[
        geodesic_without_curvature,
        geodesic_c_for_one_over_c,
        geodesic_radius_sign_flipped,
        geodesic_circle_on_the_chord,
        geodesic_diameter_forgotten,
        geodesic_unbatched,
        geodesic_nothing_refused,
    ],
)

# --- triangle_angles --------------------------------------------------------------------------------------------------


def _angles_oracle(x, y, z, c):
    """In complex numbers: (v - u) / (1 - conj(u) v) moves the corner u to the centre, where lines are straight."""
    u = math.sqrt(c) * torch.view_as_complex(torch.stack(torch.broadcast_tensors(x, y, z), -2))

    def seen(v):
        return (v - u) / (1 - u.conj() * v)

    turn = seen(u.roll(-1, -1)) * seen(u.roll(1, -1)).conj()
    return torch.atan2(turn.imag.abs(), turn.real)


def rounded_cosine(angle: Tensor, e: float) -> Tensor:
    """The angle whose cosine is off by e: acos is an accepted form."""
    return (angle.cos() + e).clamp(-1, 1).acos()


def _triangle(draw, *batch, c, size=1.0):
    """Corners at 0.5 to 1.5 `size` all round a random point, never nearly on one line."""
    middle = draw.ball_points(*batch, 2, c=c, far=1.5)
    gaps = draw.uniform(1.2, 2.0, *batch, 3)
    turn = torch.cumsum(gaps / gaps.sum(-1, keepdim=True) * 2 * math.pi, -1)
    reach = torch.tanh(draw.uniform(0.25, 0.75, *batch, 3) * size) / math.sqrt(c)
    corners = torch.stack((reach * turn.cos(), reach * turn.sin()), -1)
    ball = plane.PoincareBall(c)
    return tuple(ball.mobius_add(middle, corner) for corner in corners.unbind(-2))


def _angles_cases(draw):
    zero = torch.zeros(2, dtype=torch.float64)
    right = torch.tensor([0.5, 0.0], dtype=torch.float64), torch.tensor([0.0, 0.5], dtype=torch.float64)
    yield Case((zero, *right, 1.0), "one triangle, a corner at the centre")
    for c in CURVATURES:
        yield Case((*_triangle(draw, c=c), c), "one triangle")
    for c in BATCHED:
        yield Case((*_triangle(draw, 4, c=c), c), "a batch of 4")
    yield Case((*_triangle(draw, 2, 3, c=0.5), 0.5), "a batch of 2 x 3")
    yield Case((zero, *_pairs(draw, 4, c=2.0), 2.0), "one corner against 4 pairs")
    yield Case(
        (*_triangle(draw, 3, c=2.0, size=4.0), 2.0), "a large triangle, corners near the rim", edge=True, gradient=False
    )
    yield Case((*_triangle(draw, 3, c=1.0, size=0.3), 1.0), "a small triangle, almost as Euclid's", edge=True)
    x = draw.ball_points(4, 2, c=0.5, near=0.5, far=2.0)
    yield Case((x, -x / 2, x / 4, 0.5), "three points on one line", edge=True, gradient=False)


@mistake(
    "Those are the angles between the straight chords, and they sum to pi. Measure between the arcs, where they leave "
    "the corner."
)
def angles_between_chords(x, y, z, c):
    def angle(at, u, v):
        a, b = u - at, v - at
        return torch.atan2((a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).abs(), (a * b).sum(-1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    return torch.stack((angle(x, y, z), angle(y, z, x), angle(z, x, y)), -1)


@mistake("The distances know c, the law of cosines does not: every length in it comes as sqrt(c) times the length.")
def angles_without_curvature(x, y, z, c):
    def side(u, v):
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt()) / math.sqrt(c)

    def angle(a, b, d):
        cos = (torch.cosh(b) * torch.cosh(d) - torch.cosh(a)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


@mistake(
    "The points are taken as points of the disk of radius 1. Yours has the radius 1/sqrt(c): begin with u = sqrt(c) x."
)
def angles_in_the_unit_disk(x, y, z, c):
    def side(u, v):
        gap = (1 - (u * u).sum(-1)) * (1 - (v * v).sum(-1))
        return 2 * torch.asinh((u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):
        cos = (torch.cosh(b) * torch.cosh(d) - torch.cosh(a)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


@mistake(
    "The sign is flipped: you return pi minus each angle. cos(angle) = (cosh b cosh d - cosh a) / (sinh b sinh d)."
)
def angles_outside(x, y, z, c):
    def side(u, v):
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):
        cos = (torch.cosh(a) - torch.cosh(b) * torch.cosh(d)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


@mistake("The right angles in the wrong order: the first belongs to x, and the side opposite x is the one from y to z.")
def angles_at_the_next_corner(x, y, z, c):
    def side(u, v):
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):
        cos = (torch.cosh(b) * torch.cosh(d) - torch.cosh(a)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(x, y), side(y, z), side(z, x)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


@mistake("A factor 2 is missing in the distance: sinh(sqrt(c) d / 2) = sqrt(c) |x-y| / sqrt((1-c|x|^2)(1-c|y|^2)).")
def angles_from_half_the_sides(x, y, z, c):
    def side(u, v):
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):
        cos = (torch.cosh(b) * torch.cosh(d) - torch.cosh(a)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


@mistake(
    "That is the law of cosines of the sphere. In the hyperbolic plane cosh and sinh stand for cos and sin, and the "
    "sign changes."
)
def angles_as_on_a_sphere(x, y, z, c):
    def side(u, v):
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):
        cos = (torch.cos(a) - torch.cos(b) * torch.cos(d)) / (torch.sin(b) * torch.sin(d))
        return torch.acos(cos.clamp(-1, 1))

    x, y, z = torch.broadcast_tensors(x, y, z)
    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)


ANGLES = Exercise(
    name="triangle_angles",
    title="The angles of a triangle",
    points=4,
    minutes=25,
    difficulty=4,
    rule="the angle between the two arcs where they leave the corner; the three sum to less than pi",
    reference=plane.triangle_angles,
    oracle=_angles_oracle,
    cases=_angles_cases,
    properties=[
        Property(
            "a turn of the disk about its centre changes no angle",
            lambda f, x, y, z, c: (f(turned(x, 0.7), turned(y, 0.7), turned(z, 0.7), c), f(x, y, z, c)),
        ),
        Property(
            "the first angle belongs to the first corner: corners in another order, angles in that order",
            lambda f, x, y, z, c: (f(y, z, x, c), f(x, y, z, c).roll(-1, -1)),
        ),
        Property(
            "the same picture at half the size has the same angles in the plane of curvature -4c",
            lambda f, x, y, z, c: (f(x / 2, y / 2, z / 2, 4 * c), f(x, y, z, c)),
        ),
    ],
    vectors=["x", "y", "z"],
    rounding=rounded_cosine,
    mistakes=[
        angles_between_chords,
        angles_without_curvature,
        angles_in_the_unit_disk,
        angles_outside,
        angles_at_the_next_corner,
        angles_from_half_the_sides,
        angles_as_on_a_sphere,
    ],
)

# --- relation ---------------------------------------------------------------------------------------------------------


def relation(first: Tensor, second: Tensor) -> Tensor:
    def step(a, b):  # from the ideal point a counter-clockwise to b, in [0, 2 pi); 0 where they are the same
        turn = torch.remainder(b - a, 2 * math.pi)
        return torch.where(torch.minimum(turn, 2 * math.pi - turn) < 1e-4, 0.0, turn)

    span = step(first[..., 0], first[..., 1])
    p, q = step(first[..., 0], second[..., 0]), step(first[..., 0], second[..., 1])
    shared_p, shared_q = (
        (p == 0) | (step(first[..., 1], second[..., 0]) == 0),
        ((q == 0) | (step(first[..., 1], second[..., 1]) == 0)),
    )
    result = torch.where((p < span) != (q < span), 0, 2)
    return torch.where(shared_p & shared_q, 3, torch.where(shared_p | shared_q, 1, result))


def _line_pairs(draw, *batch):
    """Two lines by four ideal points at least 0.2 apart, in a random order: any relation but a shared point."""
    gaps = 0.2 + draw.uniform(0.0, 1.0, *batch, 4)
    points = torch.cumsum(gaps / gaps.sum(-1, keepdim=True) * 2 * math.pi, -1) + draw.uniform(0.0, 6.0, *batch, 1)
    order = draw.uniform(0.0, 1.0, *batch, 4).argsort(-1)
    points = torch.remainder(points, 2 * math.pi).gather(-1, order)
    return points[..., :2], points[..., 2:]


def _relation_cases(draw):
    def lines(*angles):
        first, second = torch.tensor(angles, dtype=torch.float64).reshape(2, 2)
        return first, second

    yield Case(lines(0.0, 2.0, 1.0, 3.0), "they cross")
    yield Case(lines(0.0, 1.0, 2.0, 3.0), "they do not cross")
    yield Case(lines(3.0, 0.5, 1.0, 2.0), "an ideal point listed in any order")
    yield Case(lines(1.0, 2.0, 2.0, 4.0), "a common ideal point")
    yield Case(lines(1.0, 2.5, 2.5, 1.0), "one line, in both directions")
    for batch in ((20,), (5, 4)):
        first, second = _line_pairs(draw, *batch)
        yield Case((first, second), f"a batch of {' x '.join(map(str, batch))}")
        shared = torch.stack((second[..., 1], first[..., 0]), -1)
        yield Case((first, shared), f"a batch of {' x '.join(map(str, batch))} with a common ideal point")
    first, second = _line_pairs(draw, 10)
    yield Case((first[0], second), "one line against 10")
    turn = 2 * math.pi
    yield Case((first, second + turn), "the angles of the second one turn further", edge=True)
    yield Case((first - 2 * turn, second), "negative angles", edge=True)
    yield Case((first, first.flip(-1) + turn), "the same lines, one turn further", edge=True)
    yield Case(
        (first, torch.stack((second[..., 0] - turn, first[..., 1] - turn), -1)), "a common ideal point", edge=True
    )
    yield Case(lines(0.0, 2.0, turn - 1e-6, 4.0), "a common ideal point, from either side of angle 0", edge=True)


@mistake(
    "Angles are taken as numbers: 0.1 and 0.1 + 2 pi are the same ideal point. Bring differences to [0, 2 pi) first."
)
def relation_without_full_turns(first, second):
    low, high = first.min(-1).values, first.max(-1).values
    p, q = second[..., 0], second[..., 1]
    shared_p = ((p - low).abs() < 1e-4) | ((p - high).abs() < 1e-4)
    shared_q = ((q - low).abs() < 1e-4) | ((q - high).abs() < 1e-4)
    crossing = ((low < p) & (p < high)) != ((low < q) & (q < high))
    return torch.where(shared_p & shared_q, 3, torch.where(shared_p | shared_q, 1, torch.where(crossing, 0, 2)))


@mistake(
    "Lines that share an ideal point do not meet: no point of the plane is common to them. They are limiting "
    "parallels, 1."
)
def relation_meet_at_infinity(first, second):
    start = first[..., :1]
    steps = torch.remainder(torch.cat((first[..., 1:], second), -1) - start, 2 * torch.pi)
    steps = torch.where(2 * torch.pi - steps < 1e-4, 0.0, steps)
    span, p, q = steps.unbind(-1)
    shared_p, shared_q = (p < 1e-4) | ((p - span).abs() < 1e-4), (q < 1e-4) | ((q - span).abs() < 1e-4)
    crossing = (p < span) != (q < span)
    return torch.where(shared_p & shared_q, 3, torch.where(shared_p | shared_q | crossing, 0, 2))


@mistake("Common ideal points are a case of their own: one makes limiting parallels, 1, two make it the same line, 3.")
def relation_common_ends_forgotten(first, second):
    start = first[..., :1]
    span, p, q = torch.remainder(torch.cat((first[..., 1:], second), -1) - start, 2 * torch.pi).unbind(-1)
    return torch.where((p < span) != (q < span), 0, 2)


@mistake("Two common ideal points make it the same line, 3; limiting parallels share exactly one.")
def relation_parallel_to_itself(first, second):
    start = first[..., :1]
    steps = torch.remainder(torch.cat((first[..., 1:], second), -1) - start, 2 * torch.pi)
    steps = torch.where(2 * torch.pi - steps < 1e-4, 0.0, steps)
    span, p, q = steps.unbind(-1)
    shared = (p < 1e-4) | ((p - span).abs() < 1e-4) | (q < 1e-4) | ((q - span).abs() < 1e-4)
    return torch.where(shared, 1, torch.where((p < span) != (q < span), 0, 2))


@mistake(
    "The two ideal points of a line come in any order: `first[0] < angle < first[1]` is empty where they are the other "
    "way round. Walk from one to the other instead."
)
def relation_sorted_ends_assumed(first, second):
    def same(a, b):
        gap = torch.remainder(a - b, 2 * torch.pi)
        return torch.minimum(gap, 2 * torch.pi - gap) < 1e-4

    a, b = torch.remainder(first, 2 * torch.pi).unbind(-1)
    p, q = torch.remainder(second, 2 * torch.pi).unbind(-1)
    crossing = ((a < p) & (p < b)) != ((a < q) & (q < b))
    shared_p, shared_q = same(a, p) | same(b, p), same(a, q) | same(b, q)
    return torch.where(shared_p & shared_q, 3, torch.where(shared_p | shared_q, 1, torch.where(crossing, 0, 2)))


@mistake("Meeting and ultraparallel are swapped: lines meet if the ends of one separate the ends of the other.")
def relation_swapped(first, second):
    start = first[..., :1]
    steps = torch.remainder(torch.cat((first[..., 1:], second), -1) - start, 2 * torch.pi)
    steps = torch.where(2 * torch.pi - steps < 1e-4, 0.0, steps)
    span, p, q = steps.unbind(-1)
    shared_p, shared_q = (p < 1e-4) | ((p - span).abs() < 1e-4), (q < 1e-4) | ((q - span).abs() < 1e-4)
    crossing = (p < span) != (q < span)
    return torch.where(shared_p & shared_q, 3, torch.where(shared_p | shared_q, 1, torch.where(crossing, 2, 0)))


RELATION = Exercise(
    name="relation",
    title="Do two lines meet?",
    points=3,
    minutes=20,
    difficulty=3,
    rule="0 the ends of one line separate those of the other, 1 one common end, 2 neither, 3 both ends common",
    reference=relation,
    cases=_relation_cases,
    differentiable=False,
    properties=[
        Property("whichever line comes first", lambda f, first, second: (f(first, second), f(second, first))),
        Property(
            "a turn of the disk about its centre changes nothing",
            lambda f, first, second: (f(first + 1, second + 1), f(first, second)),
        ),
    ],
    mistakes=[
        relation_without_full_turns,
        relation_meet_at_infinity,
        relation_common_ends_forgotten,
        relation_parallel_to_itself,
        relation_sorted_ends_assumed,
        relation_swapped,
    ],
)

# --- lambert_angle ----------------------------------------------------------------------------------------------------


def _lambert_sides(draw, *batch, c, low=0.02, high=0.95):
    """Sides with low <= sinh(sqrt(c) a) sinh(sqrt(c) b) <= high."""
    product, skew = draw.uniform(low, high, *batch).sqrt(), draw.uniform(-1.0, 1.0, *batch).exp()
    return torch.asinh(product * skew) / math.sqrt(c), torch.asinh(product / skew) / math.sqrt(c)


def _lambert_cases(draw):
    half = torch.tensor(0.5, dtype=torch.float64)
    yield Case((half, half, 1.0), "one quadrilateral")
    for c in CURVATURES:
        yield Case((*_lambert_sides(draw, c=c), c), "one quadrilateral")
    for c in BATCHED:
        yield Case((*_lambert_sides(draw, 6, c=c), c), "a batch of 6")
    yield Case((*_lambert_sides(draw, 2, 3, c=0.5), 0.5), "a batch of 2 x 3")
    a = draw.uniform(0.3, 0.8)
    b = torch.asinh(draw.uniform(0.1, 0.9, 4) / torch.sinh(math.sqrt(2.0) * a)) / math.sqrt(2.0)
    yield Case((a, b, 2.0), "one side against 4")
    yield Case((half * 0, draw.uniform(0.2, 2.0, 3), 2.0), "a side of length 0", edge=True)
    tiny = torch.tensor([1e-2, 1e-4], dtype=torch.float64)
    yield Case((tiny, 2 * tiny, 2.0), "tiny sides: almost a rectangle", edge=True)
    sides = _lambert_sides(draw, 4, c=0.5, low=1.05, high=3.0)
    yield Case((*sides, 0.5), "the other two sides never meet", edge=True, gradient=False)
    mixed = [torch.cat(pair) for pair in zip(sides, _lambert_sides(draw, 4, c=0.5), strict=True)]
    yield Case((*mixed, 0.5), "some meet, some do not", edge=True, gradient=False)


@mistake(
    "The curvature is missing: the formula of the lecture with c = 1. A length always comes as sqrt(c) times the "
    "length."
)
def lambert_without_curvature(a, b, c):
    return torch.acos(torch.sinh(a) * torch.sinh(b))


@mistake("c stands where sqrt(c) belongs: cos(angle) = sinh(sqrt(c) a) sinh(sqrt(c) b).")
def lambert_c_for_sqrt_c(a, b, c):
    return torch.acos(torch.sinh(c * a) * torch.sinh(c * b))


@mistake(
    "asin gives the complement of the angle: small sides would make it small, but they make it almost a right one."
)
def lambert_complement(a, b, c):
    return torch.asin(torch.sinh(math.sqrt(c) * a) * torch.sinh(math.sqrt(c) * b))


@mistake("sqrt(c) must stand inside each sinh: sinh is not linear, it cannot be drawn out as a factor c in front.")
def lambert_curvature_in_front(a, b, c):
    return torch.acos(c * torch.sinh(a) * torch.sinh(b))


@mistake("tanh stands where sinh belongs. With tanh the sides would always meet; in truth they do not.")
def lambert_tanh_for_sinh(a, b, c):
    return torch.acos(torch.tanh(math.sqrt(c) * a) * torch.tanh(math.sqrt(c) * b))


@mistake(
    "Where sinh sinh > 1 the sides never meet and there is no fourth corner: the docstring asks for NaN. A clamp makes "
    "up an angle of 0, as if they met on the rim."
)
def lambert_clamped(a, b, c):
    return torch.acos((torch.sinh(math.sqrt(c) * a) * torch.sinh(math.sqrt(c) * b)).clamp(max=1))


LAMBERT = Exercise(
    name="lambert_angle",
    title="The fourth angle of Lambert's quadrilateral",
    points=3,
    minutes=12,
    difficulty=3,
    rule="cos(angle) = sinh(sqrt(c) a) sinh(sqrt(c) b), and NaN where that exceeds 1",
    reference=plane.lambert_angle,
    cases=_lambert_cases,
    properties=[
        Property("the two sides play the same part", lambda f, a, b, c: (f(a, b, c), f(b, a, c))),
        Property(
            "half the sides in a plane of curvature -4c are the same picture",
            lambda f, a, b, c: (f(a / 2, b / 2, 4 * c), f(a, b, c)),
        ),
    ],
    rounding=rounded_cosine,
    mistakes=[
        lambert_without_curvature,
        lambert_c_for_sqrt_c,
        lambert_complement,
        lambert_curvature_in_front,
        lambert_tanh_for_sinh,
        lambert_clamped,
    ],
)

# --- saccheri: the challenge ------------------------------------------------------------------------------------------


def saccheri(base: Tensor, leg: Tensor, c: float) -> tuple[Tensor, Tensor]:
    return plane.saccheri_summit(base, leg, c), plane.saccheri_angle(base, leg, c)


def _saccheri_cases(draw):
    one = torch.tensor(1.0, dtype=torch.float64)
    yield Case((one, one, 1.0), "one quadrilateral")
    for c in CURVATURES:
        base, leg = draw.uniform(0.2, 2.5, 2) / math.sqrt(c)
        yield Case((base, leg, c), "one quadrilateral")
    for c in BATCHED:
        base, leg = draw.uniform(0.2, 2.5, 2, 5) / math.sqrt(c)
        yield Case((base, leg, c), "a batch of 5")
    yield Case((draw.uniform(0.2, 2.0, 2, 3), draw.uniform(0.2, 2.0, 2, 3), 0.5), "a batch of 2 x 3")
    yield Case((one, draw.uniform(0.2, 2.0, 4), 2.0), "one base, 4 legs")
    yield Case((draw.uniform(0.2, 2.0, 3), 0 * one, 2.0), "legs of length 0: summit and base coincide", edge=True)
    yield Case((torch.tensor([12.0, 16.0], dtype=torch.float64), one, 1.0), "a very long base", edge=True)
    yield Case((one, torch.tensor([8.0, 12.0], dtype=torch.float64), 1.0), "very long legs", edge=True)


@mistake("The curvature is missing: a length always comes as sqrt(c) times the length, and goes back by 1/sqrt(c).")
def saccheri_without_curvature(base, leg, c):
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(base / 2))
    return summit, torch.atan2(torch.ones_like(leg), torch.tanh(base / 2) * torch.sinh(leg))


@mistake("The summit is sqrt(c) times the length that is asked for: divide by sqrt(c) in the end.")
def saccheri_summit_without_unit(base, leg, c):
    base, leg = math.sqrt(c) * base, math.sqrt(c) * leg
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(base / 2))
    return summit, torch.atan2(torch.ones_like(leg), torch.tanh(base / 2) * torch.sinh(leg))


@mistake("The perpendicular through the middle halves the quadrilateral: base / 2 belongs into the formulas of a half.")
def saccheri_base_not_halved(base, leg, c):
    base, leg = math.sqrt(c) * base, math.sqrt(c) * leg
    summit = torch.asinh(torch.cosh(leg) * torch.sinh(base))
    return summit / math.sqrt(c), torch.atan2(torch.ones_like(leg), torch.tanh(base) * torch.sinh(leg))


@mistake("That is Euclid's rectangle. Here the summit is longer than the base and its angles are acute.")
def saccheri_rectangle(base, leg, c):
    base, leg = torch.broadcast_tensors(base, leg)
    return base * 1, torch.full_like(leg, torch.pi / 2)


@mistake("Base and leg are swapped in the angle: cot(angle) = tanh(sqrt(c) base / 2) sinh(sqrt(c) leg).")
def saccheri_sides_swapped(base, leg, c):
    base, leg = math.sqrt(c) * base, math.sqrt(c) * leg
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(base / 2))
    return summit / math.sqrt(c), torch.atan2(torch.ones_like(leg), torch.sinh(base / 2) * torch.tanh(leg))


@mistake(
    "The hypothesis of the obtuse angle holds on a sphere: here the summit angles are acute, yours is pi minus them."
)
def saccheri_obtuse(base, leg, c):
    base, leg = math.sqrt(c) * base, math.sqrt(c) * leg
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(base / 2))
    angle = torch.atan2(torch.ones_like(leg), torch.tanh(base / 2) * torch.sinh(leg))
    return summit / math.sqrt(c), torch.pi - angle


@mistake(
    "On paper pi/2 - atan(...) is the same. Where the angle is tiny, the difference of two numbers near pi/2 keeps "
    "only a few of its digits; `torch.atan2` gives the small angle itself."
)
def saccheri_angle_from_a_difference(base, leg, c):
    base, leg = math.sqrt(c) * base, math.sqrt(c) * leg
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(base / 2))
    return summit / math.sqrt(c), torch.pi / 2 - torch.atan(torch.tanh(base / 2) * torch.sinh(leg))


SACCHERI = Exercise(
    name="saccheri",
    title="Challenge: Saccheri's quadrilateral",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="halved by its axis it is two Lambert quadrilaterals; summit > base, angle < pi / 2",
    reference=saccheri,
    cases=_saccheri_cases,
    properties=[
        Property(
            "the same picture at half the size in a plane of curvature -4c",
            lambda f, base, leg, c: (2 * f(base / 2, leg / 2, 4 * c)[0], f(base, leg, c)[0]),
        ),
        Property(
            "as the base grows, the angle tends to the angle of parallelism of the leg",
            lambda f, base, leg, c: (
                f(base + 100 / math.sqrt(c), leg, c)[1],
                plane.angle_of_parallelism(leg + 0 * base, c),
            ),
        ),
    ],
    outputs=["summit", "angle"],
    mistakes=[
        saccheri_without_curvature,
        saccheri_summit_without_unit,
        saccheri_base_not_halved,
        saccheri_rectangle,
        saccheri_sides_swapped,
        saccheri_obtuse,
        saccheri_angle_from_a_difference,
    ],
)

LETTER = Written(
    name="letter_to_saccheri",
    title="A letter to Saccheri",
    points=3,
    minutes=15,
    difficulty=2,
    rubric=[
        "1 point: a strange consequence is no contradiction; Saccheri found the first, and took it for the second.",
        "1 point: the disk is a model: its points, lines and angles are objects of Euclid's plane, they obey the first "
        "four postulates, and the fifth is false there.",
        "1 point: so whoever derived a contradiction from the acute angle would have found one in Euclid's own "
        "geometry; hence the fifth postulate cannot be proved from the others.",
    ],
)

SET = ExerciseSet(
    "01_parallel_postulate",
    [AREA, PARALLELISM, GEODESIC, ANGLES, RELATION, LAMBERT, SACCHERI],
    [LETTER],
    masked=[f"hyplearn.plane.{name}" for name in ("relation", "triangle_area", "triangle_defect")],
)
