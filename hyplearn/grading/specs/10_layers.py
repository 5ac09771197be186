"""Exercises of lecture 10: layers. Curvature is -c; points are those of the ball, or normal coordinates n = d u."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn import Klein, Lorentz, PoincareBall, maps, means
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake
from hyplearn.layers.convolution import beta_ratio
from hyplearn.numerics import asinhc, norm, sinhc

CURVATURES = (1.0, 2.0, 0.1)  # single objects; 0.5 comes as a batch of 2 x 3
F64 = torch.float64


def _tensor(*numbers) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


def _normal(draw, *shape: int, c: float, near: float = 0.3, far: float = 2.5) -> Tensor:
    """Normal coordinates of points with near <= sqrt(c) d <= far."""
    return PoincareBall(c).to_normal(draw.ball_points(*shape, c=c, near=near, far=far))


# --- relu: the warm-up ------------------------------------------------------------------------------------------------


def relu(x: Tensor, c: float) -> Tensor:
    ball = PoincareBall(c)
    return ball.expmap0(ball.logmap0(x).relu())


def _relu_cases(draw):
    yield Case((_tensor(0.5, -0.5), 1.0), "one point")
    for c in CURVATURES:
        x = draw.ball_points(4, c=c, near=0.5, far=2.5)
        x[:2] = x[:2].abs() * _tensor(1.0, -1.0)
        yield Case((x, c), "one point in four dimensions")
    yield Case((draw.ball_points(5, 3, c=2.0, near=0.3), 2.0), "a batch of 5")
    yield Case((draw.ball_points(2, 3, 4, c=0.5, near=0.3), 0.5), "a batch of 2 x 3")
    yield Case((-draw.ball_points(3, 2, c=2.0, near=0.5).abs(), 2.0), "only negative coordinates", edge=True)
    yield Case((draw.ball_points(3, 2, c=2.0, near=0.5).abs(), 2.0), "only positive coordinates", edge=True)
    yield Case((torch.zeros(3, dtype=F64), 0.5), "the origin", edge=True, gradient=False)


@mistake(
    "ReLU acts on the coordinates of the ball. Entries are set to 0, but the others must grow too: the distance from "
    "the origin is not proportional to |x|. Take log_0 before and exp_0 after."
)
def relu_of_the_ball(x, c):
    return x.relu()


@mistake("The way back is missing: that is a tangent vector at the origin, not yet a point; put exp_0 around it.")
def relu_without_exp(x, c):
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return (torch.atanh(r) / r * x).relu()


@mistake("The way there is missing: exp_0 is applied to the coordinates of the ball, so every point moves inwards.")
def relu_without_log(x, c):
    v = x.relu()
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("The curvature is missing: those are log_0 and exp_0 of the ball of radius 1.")
def relu_without_curvature(x, c):
    r = x.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    v = (torch.atanh(r) / r * x).relu()
    r = v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("The output has the distance of the input. ReLU shortens a vector, so the point comes closer to the origin.")
def relu_keeping_the_radius(x, c):
    v = x.relu()
    return v * x.norm(dim=-1, keepdim=True) / v.norm(dim=-1, keepdim=True).clamp_min(1e-30)


@mistake(
    "Where ReLU leaves nothing, you divide 0 by its length 0. That point goes to the origin: `over` of the first cell "
    "has the limit."
)
def relu_nan_where_nothing_is_left(x, c):
    size = x.norm(dim=-1, keepdim=True)
    v = (torch.atanh(math.sqrt(c) * size) / (math.sqrt(c) * size) * x).relu()
    size = v.norm(dim=-1, keepdim=True)
    return torch.tanh(math.sqrt(c) * size) / (math.sqrt(c) * size) * v


RELU = Exercise(
    name="relu",
    title="ReLU in the right chart",
    points=1,
    minutes=5,
    difficulty=1,
    rule="exp_0(relu(log_0(x)))",
    reference=relu,
    cases=_relu_cases,
    properties=[
        Property("what ReLU has done once, it does not do again", lambda f, x, c: (f(f(x, c), c), f(x, c))),
    ],
    vectors=["x"],
    mistakes=[
        relu_of_the_ball,
        relu_without_exp,
        relu_without_log,
        relu_without_curvature,
        relu_keeping_the_radius,
        relu_nan_where_nothing_is_left,
    ],
)

# --- gyroplane_distance -----------------------------------------------------------------------------------------------


def gyroplane_distance(x: Tensor, p: Tensor, a: Tensor, c: float) -> Tensor:
    """<(-p) (+) x, a> and 1 - c|(-p) (+) x|^2 have one denominator, which cancels."""
    gx, gp, D = 1 - c * (x * x).sum(-1), 1 - c * (p * p).sum(-1), x - p
    side = gp * (D * a).sum(-1) - c * (D * D).sum(-1) * (p * a).sum(-1)
    return torch.asinh(2 * math.sqrt(c) * side / (gx * gp * a.norm(dim=-1))) / math.sqrt(c)


def _gyroplane_cases(draw):
    def planes(*batch, c, n):
        return draw.ball_points(*batch, n, c=c, near=0.3, far=1.5), draw.normal(*batch, n)

    yield Case((_tensor(0.5, 0.2), _tensor(0.0, 0.5), _tensor(1.0, 1.0), 1.0), "one point, one plane")
    for c in CURVATURES:
        yield Case((draw.ball_points(3, c=c, near=0.3, far=2.0), *planes(c=c, n=3), c), "one point, one plane")
    yield Case((draw.ball_points(5, 2, c=2.0, near=0.3, far=2.0), *planes(5, c=2.0, n=2), 2.0), "a batch of 5")
    x = draw.ball_points(2, 1, 4, c=0.5, near=0.3, far=2.0)
    yield Case((x, *planes(3, c=0.5, n=4), 0.5), "2 points against 3 planes")
    p, a = planes(3, c=2.0, n=2)
    yield Case((p, p, a, 2.0), "the point p itself: distance 0", edge=True)
    yield Case((torch.zeros(2, dtype=F64), p, a, 2.0), "the origin", edge=True)
    x = draw.ball_points(3, 2, c=0.5, near=1.0, far=2.0)
    yield Case((x, torch.zeros(2, dtype=F64), draw.normal(2), 0.5), "a plane through the origin", edge=True)
    yield Case((x, torch.zeros(2, dtype=F64), 1000 * draw.normal(2), 0.5), "a long normal vector", edge=True)


@mistake("The curvature is missing: that is the distance in the ball of radius 1.")
def gyroplane_without_curvature(x, p, a, c):
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * xp + xx) * -p + (1 - pp) * x) / (1 + 2 * xp + pp * xx)
    return torch.asinh(2 * (w * a).sum(-1) / ((1 - (w * w).sum(-1)) * a.norm(dim=-1)))


@mistake("A length is missing: asinh gives a number without a unit; the distance is that over sqrt(c).")
def gyroplane_without_unit(x, p, a, c):
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(2 * math.sqrt(c) * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * a.norm(dim=-1)))


@mistake("The sign is lost: on the side to which a points the distance is positive, on the other negative.")
def gyroplane_unsigned(x, p, a, c):
    s = math.sqrt(c)
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(2 * s * (w * a).sum(-1).abs() / ((1 - c * (w * w).sum(-1)) * a.norm(dim=-1))) / s


@mistake("That is x (+) (-p), the other order: right length, wrong direction. Move p to the origin: (-p) (+) x.")
def gyroplane_in_the_other_order(x, p, a, c):
    s = math.sqrt(c)
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * pp) * x - (1 - c * xx) * p) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * a.norm(dim=-1))) / s


@mistake("The length of a must not matter: divide by |a|.")
def gyroplane_without_unit_normal(x, p, a, c):
    s = math.sqrt(c)
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(2 * s * (w * a).sum(-1) / (1 - c * (w * w).sum(-1))) / s


@mistake("The conformal factor 2/(1 - c|w|^2) is missing: w = (-p) (+) x is measured with the ruler of the picture.")
def gyroplane_without_conformal_factor(x, p, a, c):
    s = math.sqrt(c)
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(s * (w * a).sum(-1) / a.norm(dim=-1)) / s


@mistake("The conformal factor belongs to w = (-p) (+) x, not to x. (A library had this bug.)")
def gyroplane_factor_of_the_wrong_point(x, p, a, c):
    s, xx = math.sqrt(c), (x * x).sum(-1, keepdim=True)
    xp, pp = -(x * p).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return torch.asinh(2 * s * (w * a).sum(-1) / ((1 - c * xx.squeeze(-1)) * a.norm(dim=-1))) / s


@mistake(
    "The 2 belongs inside, asinh(2 ...): in front of it stands the 2 of another formula, the distance of two points."
)
def gyroplane_two_outside(x, p, a, c):
    s = math.sqrt(c)
    xp, xx, pp = -(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True)
    w = ((1 + 2 * c * xp + c * xx) * -p + (1 - c * pp) * x) / (1 + 2 * c * xp + c * c * pp * xx)
    return 2 * torch.asinh(s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * a.norm(dim=-1))) / s


@mistake("x - p is the flat difference. To bring p to the origin, add -p from the left: w = (-p) (+) x.")
def gyroplane_flat_difference(x, p, a, c):
    w, s = x - p, math.sqrt(c)
    return torch.asinh(2 * s * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * a.norm(dim=-1))) / s


GYROPLANE = Exercise(
    name="gyroplane_distance",
    title="The signed distance to a hyperplane",
    points=2,
    minutes=12,
    difficulty=2,
    rule="sinh(sqrt(c) d) = 2 sqrt(c) <w, a> / ((1 - c|w|^2) |a|) with w = (-p) (+) x",
    reference=gyroplane_distance,
    cases=_gyroplane_cases,
    properties=[
        Property(
            "the length of a does not matter",
            lambda f, x, p, a, c: (f(x, p, 3 * a, c), f(x, p, a, c)),
        ),
        Property(
            "in units of 1/sqrt(c) all balls are one: half the size in curvature -4c is half as far",
            lambda f, x, p, a, c: (2 * f(x / 2, p / 2, a, 4 * c), f(x, p, a, c)),
        ),
    ],
    # On the plane the distance is 0 up to a few roundings of the terms that cancel.
    rounding=lambda value, e: value + e,
    vectors=["x", "p", "a"],
    mistakes=[
        gyroplane_without_curvature,
        gyroplane_without_unit,
        gyroplane_unsigned,
        gyroplane_in_the_other_order,
        gyroplane_without_unit_normal,
        gyroplane_without_conformal_factor,
        gyroplane_factor_of_the_wrong_point,
        gyroplane_two_outside,
        gyroplane_flat_difference,
    ],
)

# --- hlinear ----------------------------------------------------------------------------------------------------------


def hlinear(n: Tensor, z: Tensor, r: Tensor, c: float) -> Tensor:
    root, size = math.sqrt(c), z.norm(dim=-1)
    s, offset = root * norm(n), 2 * root * r
    a = root * sinhc(s) * (n @ z.T) / size * offset.cosh() - s.cosh() * offset.sinh()
    w = torch.sinh(2 * size * torch.asinh(a))
    return asinhc(norm(w)) * w / root


def _hlinear_cases(draw):
    def planes(k, m, c):
        return draw.normal(k, m) / (2 * math.sqrt(m)), draw.uniform(-0.4, 0.4, k) / math.sqrt(c)

    z, r = _tensor((0.5, 0.0), (0.0, 0.5)), _tensor(0.0, 0.0)
    yield Case((_tensor(1.0, 2.0), z, r, 1.0), "one point, an isometry")
    for c in CURVATURES:
        yield Case((_normal(draw, 3, c=c), *planes(2, 3, c), c), "one point, from 3 to 2 dimensions")
    yield Case((_normal(draw, 5, 2, c=2.0), *planes(4, 2, 2.0), 2.0), "a batch of 5, from 2 to 4 dimensions")
    yield Case((_normal(draw, 2, 3, 4, c=0.5), *planes(5, 4, 0.5), 0.5), "a batch of 2 x 3, from 4 to 5 dimensions")
    z, r = planes(2, 3, 2.0)
    zero = torch.zeros(3, dtype=F64)
    yield Case((zero, z, r, 2.0), "the origin", edge=True)
    yield Case((zero, z, 0 * r, 2.0), "the origin and planes through it", edge=True)
    n = _normal(draw, 4, 3, c=0.5, near=4.0, far=5.0)
    yield Case((n, *planes(2, 3, 0.5), 0.5), "far from the origin", edge=True)


@mistake("The plane of HNN++ lies at the distance 2r from the origin: the argument of cosh and sinh is 2 sqrt(c) r.")
def hlinear_offset_r(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(root * r) - torch.cosh(root * d) * torch.sinh(root * r)
    w = torch.sinh(2 * size * torch.asinh(a))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w / root


@mistake("The factor of the distance is 2|z|, not |z|.")
def hlinear_without_two(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * root * r) - torch.cosh(root * d) * torch.sinh(2 * root * r)
    w = torch.sinh(size * torch.asinh(a))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w / root


@mistake(
    "Those are the signed distances v_k. What is asked for is the point that has them as its distances from the "
    "coordinate planes: sinh(sqrt(c) v_k)/sqrt(c) is its space part, and from that come its normal coordinates."
)
def hlinear_distances_only(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * root * r) - torch.cosh(root * d) * torch.sinh(2 * root * r)
    return 2 * size * torch.asinh(a) / root


@mistake("That is the space part on the hyperboloid, sinh(sqrt(c) d)/sqrt(c) long: normal coordinates are d long.")
def hlinear_space_part(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * root * r) - torch.cosh(root * d) * torch.sinh(2 * root * r)
    return torch.sinh(2 * size * torch.asinh(a)) / root


@mistake("That is the point of the ball, w/(1 + sqrt(1 + c|w|^2)), as the paper has it. Return normal coordinates.")
def hlinear_ball_point(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * root * r) - torch.cosh(root * d) * torch.sinh(2 * root * r)
    w = torch.sinh(2 * size * torch.asinh(a)) / root
    return w / (1 + (1 + c * (w * w).sum(-1, keepdim=True)).sqrt())


@mistake("The sign of the offset is flipped: a plane moved along z by r > 0 is farther from the origin, on z's side.")
def hlinear_offset_flipped(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * root * r) + torch.cosh(root * d) * torch.sinh(2 * root * r)
    w = torch.sinh(2 * size * torch.asinh(a))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w / root


@mistake("The curvature is missing: that is the layer for c = 1.")
def hlinear_without_curvature(n, z, r, c):
    size, d = z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = stretch * (n @ z.T) / size * torch.cosh(2 * r) - torch.cosh(d) * torch.sinh(2 * r)
    w = torch.sinh(2 * size * torch.asinh(a))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w


@mistake("r is a length, and cosh wants a number: 2 sqrt(c) r. You have 2r, which is right for c = 1 only.")
def hlinear_offset_without_unit(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    safe = torch.where(d > 0, root * d, 1.0)
    stretch = torch.where(d > 0, torch.sinh(safe) / safe, 1.0)
    a = root * stretch * (n @ z.T) / size * torch.cosh(2 * r) - torch.cosh(root * d) * torch.sinh(2 * r)
    w = torch.sinh(2 * size * torch.asinh(a))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w / root


@mistake("Right, but not at the origin, where n/|n| and w/|w| are 0/0. Write sinh(s)/s and asinh|w|/|w| with `over`.")
def hlinear_nan_at_the_origin(n, z, r, c):
    root, size, d = math.sqrt(c), z.norm(dim=-1), n.norm(dim=-1, keepdim=True)
    a = torch.sinh(root * d) * (n @ z.T) / d / size * torch.cosh(2 * root * r)
    w = torch.sinh(2 * size * torch.asinh(a - torch.cosh(root * d) * torch.sinh(2 * root * r)))
    length = w.norm(dim=-1, keepdim=True)
    return torch.asinh(length) / (root * length) * w


@mistake("That is the flat layer, 2 z n - 4|z| r, to which this one tends as c goes to 0.")
def hlinear_flat(n, z, r, c):
    return 2 * n @ z.T - 4 * z.norm(dim=-1) * r


HLINEAR = Exercise(
    name="hlinear",
    title="The fully connected layer",
    points=4,
    minutes=30,
    difficulty=4,
    rule="the output is 2|z_k| times as far from coordinate plane k as the input is from the plane z_k, r_k",
    reference=hlinear,
    cases=_hlinear_cases,
    properties=[
        Property(
            "in units of 1/sqrt(c) all spaces are one: half of n and r in curvature -4c is half of the output",
            lambda f, n, z, r, c: (2 * f(n / 2, z, r / 2, 4 * c), f(n, z, r, c)),
        ),
        Property(
            "turning a plane round, -z and -r, flips one coordinate of the output",
            lambda f, n, z, r, c: (f(n, -z, -r, c), -f(n, z, r, c)),
        ),
    ],
    # A coordinate that is small beside the others is off by a few roundings of theirs.
    rounding=lambda value, e: value + e * norm(value),
    vectors=["n", "z"],
    mistakes=[
        hlinear_offset_r,
        hlinear_without_two,
        hlinear_distances_only,
        hlinear_space_part,
        hlinear_ball_point,
        hlinear_offset_flipped,
        hlinear_without_curvature,
        hlinear_offset_without_unit,
        hlinear_nan_at_the_origin,
        hlinear_flat,
    ],
)

# --- beta_concat ------------------------------------------------------------------------------------------------------


def beta_concat(x: Tensor, c: float) -> Tensor:
    ball = PoincareBall(c)
    return ball.expmap0(ball.logmap0(x).flatten(-2) * beta_ratio(*x.shape[-2:]))


def _concat_cases(draw):
    yield Case((_tensor((0.5, 0.0), (0.0, 0.5)), 1.0), "two points of the plane")
    for c in CURVATURES:
        yield Case((draw.ball_points(3, 4, c=c, near=0.3, far=2.0), c), "three points in four dimensions")
    yield Case((draw.ball_points(5, 4, 3, c=2.0, near=0.3, far=2.0), 2.0), "a batch of 5 times 4 points")
    yield Case((draw.ball_points(2, 3, 6, 1, c=0.5, near=0.3, far=2.0), 0.5), "a batch of 2 x 3 times 6 numbers")
    yield Case((draw.ball_points(1, 5, c=2.0, near=0.3, far=2.0), 2.0), "one point: nothing changes", edge=True)
    yield Case((draw.ball_points(30, 4, c=1.0, near=0.5, far=1.0), 1.0), "30 points", edge=True)
    yield Case((torch.zeros(3, 2, dtype=F64), 2.0), "the origin, three times", edge=True)


@mistake("The ball's coordinates in a row can lie outside the ball. Take log_0 before, and exp_0 after.")
def concat_of_the_ball(x, c):
    return x.flatten(-2)


@mistake("The factor is missing: the row of tangent vectors is longer, so the result is farther out than the points.")
def concat_without_beta(x, c):
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = (torch.atanh(r) / r * x).flatten(-2)
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("The factor is upside down: it must be below 1. B(n/2, 1/2), of one point, belongs in the denominator.")
def concat_upside_down(x, c):
    b, m = x.shape[-1], x.shape[-1] * x.shape[-2]
    log = math.lgamma(b / 2) - math.lgamma(b / 2 + 0.5) - math.lgamma(m / 2) + math.lgamma(m / 2 + 0.5)
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = math.exp(log) * (torch.atanh(r) / r * x).flatten(-2)
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("That is B(n, 1/2), but the dimension enters halved: B(n/2, 1/2).")
def concat_not_halved(x, c):
    b, m = x.shape[-1], x.shape[-1] * x.shape[-2]
    log = math.lgamma(m) - math.lgamma(m + 0.5) - math.lgamma(b) + math.lgamma(b + 0.5)
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = math.exp(log) * (torch.atanh(r) / r * x).flatten(-2)
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("1/sqrt(N) keeps the root of the mean square. HNN++'s factor is another: a ratio of two beta functions.")
def concat_by_the_root(x, c):
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = (torch.atanh(r) / r * x).flatten(-2) / math.sqrt(x.shape[-2])
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("Divided by N it shrinks too much: a row of N equal vectors is sqrt(N) as long. The factor is B(Nn/2)/B(n/2).")
def concat_divided_by_the_number(x, c):
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = (torch.atanh(r) / r * x).flatten(-2) / x.shape[-2]
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("The order is that of columns: first all coordinates of the first point, then those of the second, and so on.")
def concat_column_by_column(x, c):
    b, m = x.shape[-1], x.shape[-1] * x.shape[-2]
    log = math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5)
    r = (math.sqrt(c) * x.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    v = math.exp(log) * (torch.atanh(r) / r * x).mT.flatten(-2)
    r = (math.sqrt(c) * v.norm(dim=-1, keepdim=True)).clamp_min(1e-30)
    return torch.tanh(r) / r * v


@mistake("The curvature is missing: those are log_0 and exp_0 of the ball of radius 1.")
def concat_without_curvature(x, c):
    b, m = x.shape[-1], x.shape[-1] * x.shape[-2]
    log = math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5)
    r = x.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    v = math.exp(log) * (torch.atanh(r) / r * x).flatten(-2)
    r = v.norm(dim=-1, keepdim=True).clamp_min(1e-30)
    return torch.tanh(r) / r * v


CONCAT = Exercise(
    name="beta_concat",
    title="Many points become one",
    points=2,
    minutes=12,
    difficulty=2,
    rule="exp_0 of B(Nn/2, 1/2)/B(n/2, 1/2) times the log_0 of the N points, in a row",
    reference=beta_concat,
    cases=_concat_cases,
    properties=[
        Property(
            "the concatenation of one point is that point",
            lambda f, x, c: (f(x[..., :1, :], c), x[..., 0, :]),
        ),
    ],
    vectors=["x"],
    sets=["x"],
    mistakes=[
        concat_of_the_ball,
        concat_without_beta,
        concat_upside_down,
        concat_not_halved,
        concat_by_the_root,
        concat_divided_by_the_number,
        concat_column_by_column,
        concat_without_curvature,
    ],
)

# --- midpoints --------------------------------------------------------------------------------------------------------


def midpoints(x: Tensor, weights: Tensor, c: float) -> tuple[Tensor, Tensor, Tensor]:
    ball, klein, lorentz = PoincareBall(c), Klein(c), Lorentz(c)
    return (
        means.einstein_midpoint(klein, maps.convert(x, ball, klein), weights),
        means.gyromidpoint(ball, x, weights),
        means.lorentz_centroid(lorentz, maps.convert(x, ball, lorentz), weights),
    )


def _midpoint_cases(draw):
    def points(*batch, c, n, far=1.8):
        return draw.ball_points(*batch, n, c=c, near=0.3, far=far), draw.uniform(0.5, 2.0, *batch)

    yield Case((_tensor((0.0, 0.0), (0.6, 0.0)), _tensor(1.0, 1.0), 1.0), "the origin and another point")
    for c in CURVATURES:
        yield Case((*points(4, c=c, n=3), c), "four points")
    yield Case((*points(5, 3, c=2.0, n=2), 2.0), "a batch of 5 times three points")
    yield Case((*points(2, 3, 4, c=0.5, n=2), 0.5), "a batch of 2 x 3 times four points")
    x, w = points(3, 1, c=2.0, n=2)
    yield Case((x, w, 2.0), "the midpoint of one point", edge=True, gradient=False)
    yield Case((torch.cat((x, -x), -2), torch.ones(3, 2, dtype=F64), 2.0), "opposite points: the origin", edge=True)
    x, w = points(3, c=0.5, n=2)
    yield Case((x, _tensor(1.0, 0.0, 2.0), 0.5), "one weight is 0", edge=True)


@mistake("The Klein average lacks the Lorentz factors: points far out must count more, w_i g_i instead of w_i.")
def midpoints_without_lorentz_factor(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * k).sum(-2) / w.sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / (c * square).sqrt()


@mistake("Einstein's midpoint was taken of the ball's coordinates. In Klein's map the point x is at 2x/(1 + c|x|^2).")
def midpoints_klein_of_ball_coordinates(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    g, f, e = (1 + q) / (1 - q), 2 / (1 - q), 1 / (1 - q).sqrt()
    klein = (w * e * x).sum(-2) / (w * e).sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / (c * square).sqrt()


@mistake("In the gyromidpoint the last step is missing: half of it, 1/2 (*) y.")
def midpoints_without_half(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * g * k).sum(-2) / (w * g).sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    return klein, y, total / (c * square).sqrt()


@mistake("In the gyromidpoint, 1/2 (*) y is not y/2: it has half the distance, y/(1 + sqrt(1 - c|y|^2)).")
def midpoints_half_of_the_coordinates(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * g * k).sum(-2) / (w * g).sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    return klein, y / 2, total / (c * square).sqrt()


@mistake("In the denominator of the gyromidpoint stand w_i (l_i - 1), not w_i l_i.")
def midpoints_without_minus_one(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * g * k).sum(-2) / (w * g).sum(-2)
    y = (w * f * x).sum(-2) / (w * f).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / (c * square).sqrt()


@mistake("The average of points of the hyperboloid lies above it: divide by sqrt(c) times its Minkowski length.")
def midpoints_above_the_hyperboloid(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * g * k).sum(-2) / (w * g).sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / w.sum(-2)


@mistake("The centroid has the Minkowski length 1; on the hyperboloid of curvature -c it must be 1/sqrt(c).")
def midpoints_on_the_unit_hyperboloid(x, weights, c):
    w, q = weights[..., None], c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (w * g * k).sum(-2) / (w * g).sum(-2)
    y = (w * f * x).sum(-2) / (w * (f - 1)).sum(-2)
    total = (w * torch.cat((g / math.sqrt(c), f * x), -1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / square.sqrt()


@mistake("The weights are ignored: all points count the same in yours.")
def midpoints_without_weights(x, weights, c):
    q = c * (x * x).sum(-1, keepdim=True)
    k, g, f = 2 * x / (1 + q), (1 + q) / (1 - q), 2 / (1 - q)
    klein = (g * k).sum(-2) / g.sum(-2)
    y = (f * x).sum(-2) / (f - 1).sum(-2)
    total = torch.cat((g / math.sqrt(c), f * x), -1).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    half = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    return klein, half, total / (c * square).sqrt()


MIDPOINTS = Exercise(
    name="midpoints",
    title="The midpoint by three formulas",
    points=3,
    minutes=25,
    difficulty=3,
    rule="Einstein midpoint (Klein), gyromidpoint (ball), centroid (hyperboloid), each in its own chart",
    reference=midpoints,
    cases=_midpoint_cases,
    properties=[
        Property(
            "only the ratios of the weights matter (here: in the ball)",
            lambda f, x, weights, c: (f(x, 3 * weights, c)[1], f(x, weights, c)[1]),
        ),
    ],
    outputs=["klein", "ball", "lorentz"],
    # Opposite points cancel up to a few roundings of their coordinates.
    rounding=lambda value, e: value + e,
    vectors=["x"],
    sets=["x", "weights"],
    mistakes=[
        midpoints_without_lorentz_factor,
        midpoints_klein_of_ball_coordinates,
        midpoints_without_half,
        midpoints_half_of_the_coordinates,
        midpoints_without_minus_one,
        midpoints_above_the_hyperboloid,
        midpoints_on_the_unit_hyperboloid,
        midpoints_without_weights,
    ],
)

# --- window_products --------------------------------------------------------------------------------------------------


def window_products(n: Tensor, z: Tensor, stride: int, padding: int) -> tuple[Tensor, Tensor]:
    k = z.shape[-1]
    beta = beta_ratio(k * k, n.shape[1])
    products = F.conv2d(n, beta * z, stride=stride, padding=padding)
    square = (n * n).sum(1, keepdim=True)
    return products, beta**2 * F.conv2d(square, square.new_ones(1, 1, k, k), stride=stride, padding=padding)


def _window_cases(draw):
    yield Case((torch.ones(1, 2, 2, 3, dtype=F64), torch.ones(1, 2, 2, 2, dtype=F64), 1, 0), "all ones, two windows")
    for channels, planes, k, stride, padding in ((3, 2, 3, 1, 0), (1, 4, 2, 2, 0), (2, 3, 3, 1, 1), (4, 5, 1, 1, 0)):
        shape = 2, channels, 5, 6
        label = f"{k} x {k}, stride {stride}, padding {padding}"
        yield Case((draw.normal(*shape), draw.normal(planes, channels, k, k), stride, padding), label)
    n, z = draw.normal(1, 2, 3, 3), draw.normal(4, 2, 3, 3)
    yield Case((n, z, 1, 0), "one window that is the whole image", edge=True)
    yield Case((0 * n, z, 1, 1), "the origin everywhere", edge=True)


@mistake("The beta factor is missing: as it stands, a window of 25 points lies about 5 times as far out as its points.")
def windows_without_beta(n, z, stride, padding):
    ones = torch.ones(1, 1, *z.shape[-2:], dtype=n.dtype)
    conv = torch.nn.functional.conv2d
    return conv(n, z, stride=stride, padding=padding), conv(
        (n * n).sum(1, keepdim=True), ones, stride=stride, padding=padding
    )


@mistake("The vector u has the factor B, so |u|^2 has B^2: the squares need it twice.")
def windows_beta_not_squared(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, conv = b * k * k, torch.nn.functional.conv2d
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5))
    squares = conv((n * n).sum(1, keepdim=True), torch.ones(1, 1, k, k, dtype=n.dtype), stride=stride, padding=padding)
    return B * conv(n, z, stride=stride, padding=padding), B * squares


@mistake("A window holds k x k points, not k: B(k k C / 2, 1/2).")
def windows_beta_of_one_row(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, conv = b * k, torch.nn.functional.conv2d
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5))
    squares = conv((n * n).sum(1, keepdim=True), torch.ones(1, 1, k, k, dtype=n.dtype), stride=stride, padding=padding)
    return B * conv(n, z, stride=stride, padding=padding), B * B * squares


@mistake("You took every number for a point. A window holds k x k points of C coordinates: divide by B(C/2, 1/2).")
def windows_beta_of_numbers(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, conv = b * k * k, torch.nn.functional.conv2d
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(0.5) + math.lgamma(1.0))
    squares = conv((n * n).sum(1, keepdim=True), torch.ones(1, 1, k, k, dtype=n.dtype), stride=stride, padding=padding)
    return B * conv(n, z, stride=stride, padding=padding), B * B * squares


@mistake("The squares are averaged over the window. They are to be summed: |u|^2 is the sum of all |n_i|^2, times B^2.")
def windows_averaged(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, F = b * k * k, torch.nn.functional
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5))
    squares = F.avg_pool2d((n * n).sum(1, keepdim=True), k, stride=stride, padding=padding)
    return B * F.conv2d(n, z, stride=stride, padding=padding), B * B * squares


@mistake("The second result is |u|. Asked for is its square, which needs no root.")
def windows_root(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, conv = b * k * k, torch.nn.functional.conv2d
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5))
    squares = conv((n * n).sum(1, keepdim=True), torch.ones(1, 1, k, k, dtype=n.dtype), stride=stride, padding=padding)
    return B * conv(n, z, stride=stride, padding=padding), B * squares.sqrt()


@mistake("The kernel is turned by 180 degrees: networks do not flip it, <u, z> is `conv2d` as torch has it.")
def windows_flipped(n, z, stride, padding):
    k, b = z.shape[-1], n.shape[1]
    m, conv = b * k * k, torch.nn.functional.conv2d
    B = math.exp(math.lgamma(m / 2) - math.lgamma(m / 2 + 0.5) - math.lgamma(b / 2) + math.lgamma(b / 2 + 0.5))
    squares = conv((n * n).sum(1, keepdim=True), torch.ones(1, 1, k, k, dtype=n.dtype), stride=stride, padding=padding)
    return B * conv(n, z.flip(-1, -2), stride=stride, padding=padding), B * B * squares


WINDOWS = Exercise(
    name="window_products",
    title="A convolution without an unfold",
    points=3,
    minutes=20,
    difficulty=3,
    rule="<u, z_k> and |u|^2, u = B (n_1, ..., n_kk) the points of the window, B = B(kkC/2, 1/2)/B(C/2, 1/2)",
    reference=window_products,
    cases=_window_cases,
    properties=[
        Property(
            "twice the points: twice the products",
            lambda f, n, z, stride, padding: (f(2 * n, z, stride, padding)[0], 2 * f(n, z, stride, padding)[0]),
        ),
    ],
    outputs=["products", "squares"],
    # A sum of products is off by a few roundings of its largest terms.
    rounding=lambda value, e: value + e * (1 + value.abs().amax()),
    mistakes=[
        windows_without_beta,
        windows_beta_not_squared,
        windows_beta_of_one_row,
        windows_beta_of_numbers,
        windows_averaged,
        windows_root,
        windows_flipped,
    ],
)

# --- far_out: the challenge -------------------------------------------------------------------------------------------


def far_out(t: Tensor, c: float) -> Tensor:
    M = t.detach().abs().amax(-1, keepdim=True)
    near = M <= 18
    w = t.clamp(-18, 18).sinh()
    inner = asinhc(norm(w)) * w
    a = t.abs()
    q = t.sign() * ((a - M).exp() - (-a - M).exp()) / 2  # sinh(t) e^-M
    size = norm(q).clamp_min(0.1)  # about 1/2 or more where M > 18
    # sqrt(c) d = asinh(e^M size) = M + log(2 size), but for e^(-2M)
    return torch.where(near, inner, (M + (2 * size).log()) * q / size) / math.sqrt(c)


def _far_cases(draw):
    yield Case((_tensor(1.0, -2.0), 1.0), "two coordinates")
    for c in CURVATURES:
        yield Case((draw.uniform(-3.0, 3.0, 3), c), "three coordinates")
    yield Case((draw.uniform(-9.0, 9.0, 5, 4), 2.0), "a batch of 5")
    yield Case((draw.uniform(-9.0, 9.0, 2, 3, 2), 0.5), "a batch of 2 x 3")
    yield Case((draw.uniform(-30.0, 30.0, 4, 3), 2.0), "up to 30", edge=True)
    yield Case((draw.uniform(50.0, 60.0, 3, 4), 2.0), "between 50 and 60", edge=True)
    yield Case((-draw.uniform(295.0, 300.0, 3, 4), 0.5), "about -300", edge=True)
    yield Case((draw.uniform(895.0, 900.0, 3, 4), 0.5), "about 900", edge=True, dtypes=(F64,))
    yield Case((draw.uniform(-1e-5, 1e-5, 3, 4), 0.5), "very small", edge=True)
    yield Case((torch.zeros(3, dtype=F64), 2.0), "all zero", edge=True)


@mistake(
    "Right on paper. But sinh and its square overflow: in float32 sinh^2 is infinite from 45 on, and the result is NaN "
    "or 0. Divide by e^M, M = max |t|, before anything is squared."
)
def far_naive(t, c):
    w = torch.sinh(t)
    size = w.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, torch.asinh(safe) / safe, 1.0) * w / math.sqrt(c)


@mistake(
    "float64 moves the end, to 355, but there still is one. Divide by e^M, M = max |t|, before anything is squared."
)
def far_in_double(t, c):
    w = torch.sinh(t.double())
    size = w.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return (torch.where(size > 0, torch.asinh(safe) / safe, 1.0) * w / math.sqrt(c)).to(t.dtype)


@mistake("A clamp avoids the overflow, and moves every point beyond it: |t| = 300 must stay farther out than 40.")
def far_clamped(t, c):
    w = torch.sinh(t.clamp(-40, 40))
    size = w.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, torch.asinh(safe) / safe, 1.0) * w / math.sqrt(c)


@mistake(
    "Far out this is right. Near the origin M + log(...) is a difference of numbers of size 1, and of a distance of "
    "1e-5 nothing is left: use asinh where M is small."
)
def far_by_the_logarithm(t, c):
    M, a = t.detach().abs().amax(-1, keepdim=True), t.abs()
    q = t.sign() * ((a - M).exp() - (-a - M).exp()) / 2
    size = q.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, (M + (safe + (safe**2 + (-2 * M).exp()).sqrt()).log()) / safe, 1.0) * q / math.sqrt(c)


@mistake("t itself is not the answer: w_k = sinh(t_k), so the largest coordinate dominates the direction.")
def far_unchanged(t, c):
    return t / math.sqrt(c)


@mistake("A length is missing: divide by sqrt(c).")
def far_without_unit(t, c):
    M, a = t.detach().abs().amax(-1, keepdim=True), t.abs()
    w = torch.sinh(t.clamp(-18, 18))
    length = w.norm(dim=-1, keepdim=True)
    safe = torch.where(length > 0, length, 1.0)
    inner = torch.where(length > 0, torch.asinh(safe) / safe, 1.0) * w
    q = t.sign() * ((a - M).exp() - (-a - M).exp()) / 2
    size = q.norm(dim=-1, keepdim=True).clamp_min(0.1)
    return torch.where(M <= 18, inner, (M + (2 * size).log()) * q / size)


FAR = Exercise(
    name="far_out",
    title="Challenge: a layer that does not overflow",
    points=0,
    minutes=35,
    difficulty=5,
    optional=True,
    rule="asinh|w|/(sqrt(c)|w|) w with w_k = sinh(t_k), for every t",
    reference=far_out,
    cases=_far_cases,
    properties=[
        Property("the other side is a mirror image", lambda f, t, c: (f(-t, c), -f(t, c))),
    ],
    rounding=lambda value, e: value + e * norm(value),
    vectors=["t"],
    mistakes=[far_naive, far_in_double, far_clamped, far_by_the_logarithm, far_unchanged, far_without_unit],
)

ONE_POINT = Written(
    name="one_point",
    title="Three names",
    points=3,
    minutes=20,
    difficulty=3,
    rubric=[
        "1 point: says from the numbers that the three results are one point, in three charts.",
        "1 point: why Klein's is the centroid: a point of the hyperboloid is g_i (1/sqrt(c), k_i), so their weighted "
        "sum is a multiple of (1/sqrt(c), Einstein midpoint); scaling it does not change k = s/t.",
        "1 point: why the ball's is: s_i = l_i x_i and sqrt(c) t_i = l_i - 1, so the fraction is S/(sqrt(c) T) again, "
        "the Klein point k, and 1/2 (*) k, half the artanh, is how a Klein point is written in the ball. (Or: an "
        "argument with isometries that fixes the point uniquely.)",
    ],
)

SET = ExerciseSet(
    "10_layers",
    [RELU, GYROPLANE, HLINEAR, CONCAT, MIDPOINTS, WINDOWS, FAR],
    [ONE_POINT],
    masked=[
        "hyplearn.layers.functional",
        "hyplearn.layers.sums",
        "hyplearn.layers.convolution",
        "hyplearn.layers.linear",
        "hyplearn.layers.classifier",
        "hyplearn.layers.activation",
        "hyplearn.means",
    ],
)
