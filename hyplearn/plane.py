"""Plane hyperbolic geometry in the Poincare disk: lines, angles, triangles, quadrilaterals, polygons, tilings.

Points are tensors of shape (..., 2) in the disk of radius 1/sqrt(c), curvature -c; the rim holds the ideal points and
is accepted wherever an ideal point makes sense. Lengths are hyperbolic, angles are in radians, everything broadcasts,
keeps the dtype and is differentiable. Use float64: a disk coordinate at distance d from the centre carries its
hyperbolic position only to eps exp(sqrt(c) d).

One idea carries the room. With u = sqrt(c) x, the point x is the vector X = (2u, 1 + |u|^2) / (1 - |u|^2) of the
hyperboloid, and a line is the set of all X orthogonal to its *pole*, a vector (a, b) with |a|^2 - b^2 = 1:

    2 <a, u> = b (1 + |u|^2).

For b = 0 this is a diameter, else a circle with centre a/b and radius 1/|b|, which cuts the rim at right angles. No
formula below needs to ask which of the two it is. (Ratcliffe, Foundations of Hyperbolic Manifolds, 3rd ed. 2019,
sections 3.2 and 4.5; Thurston, Three-Dimensional Geometry and Topology, 1997, section 2.6.)
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from hyplearn.manifolds import PoincareBall

# --- coordinates ------------------------------------------------------------------------------------------------------

# |u|^2 within this many eps of 1 means "on the rim", since the coordinates of an ideal point are rounded several times.
# The inner points that are lost lie beyond 33/sqrt(c) in float64, 14/sqrt(c) in float32.
_RIM = 16


def _sqrt_c(c: float | Tensor, like: Tensor) -> Tensor:
    c = torch.as_tensor(c, dtype=torch.float64)
    if c.ndim or not (c.isfinite() and c > 0):
        raise ValueError(f"c must be one finite number > 0 (the curvature of the plane is -c), got {c.tolist()}")
    return c.sqrt().to(like)


def _unit(x: Tensor, c: float | Tensor, name: str) -> Tensor:
    """The point in the unit disk, u = sqrt(c) x."""
    if not (isinstance(x, Tensor) and x.is_floating_point() and x.ndim and x.shape[-1] == 2):
        raise ValueError(f"{name} must be a floating-point tensor of shape (..., 2), got {_describe(x)}")
    u = _sqrt_c(c, x) * x
    if not bool((_dot(u, u) <= 1 + _RIM * torch.finfo(x.dtype).eps).all()):
        raise ValueError(f"{name} must lie in the disk of radius 1/sqrt(c) = {float(c) ** -0.5:.6g}, or on its rim")
    return u


def _length(value: float | Tensor, name: str) -> Tensor:
    value = torch.as_tensor(value, dtype=None if isinstance(value, Tensor) else torch.float64)
    if not bool((value >= 0).all()):
        raise ValueError(f"{name} must be a length >= 0, got {value.tolist()}")
    return value


def _describe(x) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def _dot(u: Tensor, v: Tensor) -> Tensor:
    return (u * v).sum(-1)


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _turn(u: Tensor) -> Tensor:
    """u turned left by a right angle."""
    return torch.stack((-u[..., 1], u[..., 0]), -1)


def _gap(u: Tensor) -> Tensor:
    """1 - |u|^2, exactly 0 on the rim, however the ideal point was rounded."""
    gap = 1 - _dot(u, u)
    return torch.where(gap > _RIM * torch.finfo(u.dtype).eps, gap, 0.0)


def _times(s: Tensor, u: Tensor) -> Tensor:
    return s.unsqueeze(-1) * u


def ideal_point(angle: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The ideal point (cos angle, sin angle) / sqrt(c) on the rim, shape (..., 2)."""
    angle = torch.as_tensor(angle, dtype=None if isinstance(angle, Tensor) else torch.float64)
    return torch.stack((angle.cos(), angle.sin()), -1) / _sqrt_c(c, angle)


# --- lines ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A directed line, or a batch of them, of the plane of curvature -c.

    Attributes:
        a: (..., 2) and b: (...), the pole, |a|^2 - b^2 = 1. It points to the left of the line's direction.
        c: the plane has curvature -c.
    """

    a: Tensor
    b: Tensor
    c: float | Tensor = 1.0

    @property
    def ideal_points(self) -> Tensor:
        """(..., 2, 2): the ideal point where the line starts, and the one where it ends."""
        ba, turned = _times(self.b, self.a), _turn(self.a)
        ends = torch.stack((ba + turned, ba - turned), -2) / _dot(self.a, self.a)[..., None, None]
        return ends / _sqrt_c(self.c, ends)

    @property
    def is_diameter(self) -> Tensor:
        """(...) bool: whether the line is drawn straight, that is whether it passes within 4 eps of the centre."""
        return self.b.abs() <= 4 * torch.finfo(self.b.dtype).eps

    @property
    def centre(self) -> Tensor:
        """(..., 2): centre a/(b sqrt(c)) of the circle that carries the line; infinite where it is a diameter."""
        centre = self.a / self.b.unsqueeze(-1) / _sqrt_c(self.c, self.a)
        return torch.where(self.is_diameter.unsqueeze(-1), math.inf, centre)

    @property
    def radius(self) -> Tensor:
        """(...): radius 1/(|b| sqrt(c)) of that circle; infinite where the line is a diameter."""
        return torch.where(self.is_diameter, math.inf, 1 / self.b.abs() / _sqrt_c(self.c, self.b))

    def __getitem__(self, index) -> "Line":
        """Some lines of a batch, by whatever indexes its batch dimensions."""
        return Line(self.a[index], self.b[index], self.c)

    def reverse(self) -> "Line":
        """The same line in the other direction."""
        return Line(-self.a, -self.b, self.c)


def line_through(x: Tensor, y: Tensor, c: float | Tensor = 1.0) -> Line:
    """The line from x towards y; either may be ideal.

    With D = v - u: pole = (turn((1-|u|^2) D + 2 (u x D) turn(u) - |D|^2 u), -2 u x D) / N,
    N = |D| sqrt((1-|u|^2)(1-|v|^2) + |D|^2): the cross product of X and Y, written so that neither close points nor
    points near the rim cancel.

    Args:
        x, y: (..., 2), different points of the closed disk.
        c: the plane has curvature -c.

    Raises:
        ValueError: if x and y coincide somewhere, or do not lie in the disk.
    """
    u, v = torch.broadcast_tensors(_unit(x, c, "x"), _unit(y, c, "y"))
    step = v - u
    length = step.norm(dim=-1)
    if not bool((length > 0).all()):
        raise ValueError("x and y must be different points: one point alone does not determine a line")
    area, gap = _cross(u, step), _gap(u)
    normal = _turn(_times(gap, step) + 2 * _times(area, _turn(u)) - _times(length**2, u))
    size = length * (gap * _gap(v) + length**2).sqrt()
    return Line(normal / size.unsqueeze(-1), -2 * area / size, c)


def line_in_direction(x: Tensor, direction: Tensor, c: float | Tensor = 1.0) -> Line:
    """The line through x with the (Euclidean, since the disk is conformal) direction; both (..., 2).

    Raises:
        ValueError: if x is ideal or outside the disk, or a direction is zero.
    """
    u, t = torch.broadcast_tensors(_unit(x, c, "x"), direction)
    length, gap = t.norm(dim=-1, keepdim=True), _gap(u)
    if not bool((length > 0).all()):
        raise ValueError("direction must not be the zero vector")
    if not bool((gap > 0).all()):
        raise ValueError("x must lie inside the disk: at an ideal point all lines have the same direction")
    t = t / length
    b = -2 * _cross(u, t) / gap
    return Line(_turn(t) + _times(b, u), b, c)


def signed_distance(line: Line, x: Tensor) -> Tensor:
    """Distance of x from the line, positive on its left: asinh((2<a,u> - b(1+|u|^2)) / (1-|u|^2)) / sqrt(c)."""
    u = _unit(x, line.c, "x")
    height = 2 * _dot(line.a, u) - line.b * (1 + _dot(u, u))
    return torch.asinh(height / _gap(u)) / _sqrt_c(line.c, u)


def foot(line: Line, x: Tensor) -> Tensor:
    """The foot of the perpendicular from x: the point of the line nearest to x, (..., 2).

    It is the projection X + q (a, b), q = -<X, pole>, back in the disk.
    """
    u = _unit(x, line.c, "x")
    uu = _dot(u, u)
    q = line.b * (1 + uu) - 2 * _dot(line.a, u)
    foot = (2 * u + _times(q, line.a)) / (1 + uu + q * line.b + torch.hypot(_gap(u), q)).unsqueeze(-1)
    return foot / _sqrt_c(line.c, u)


def perpendicular(line: Line, x: Tensor) -> Line:
    """The line through x that meets `line` at a right angle; x may lie on it. It crosses from right to left.

    Its pole is the cross product of the pole with X, of length sqrt(q^2 + (1-|u|^2)^2), q as in `foot`.
    """
    u = _unit(x, line.c, "x")
    time = 1 + _dot(u, u)
    q = line.b * time - 2 * _dot(line.a, u)
    size = torch.hypot(_gap(u), q)
    a = (_times(time, _turn(line.a)) - 2 * _times(line.b, _turn(u))) / size.unsqueeze(-1)
    return Line(a, 2 * _cross(line.a, u) / size, line.c)


def reflect(line: Line, x: Tensor) -> Tensor:
    """The mirror image of x (inner or ideal) in the line: (u + q a) / |b u - a|^2, q as in `foot`."""
    u = _unit(x, line.c, "x")
    q = line.b * (1 + _dot(u, u)) - 2 * _dot(line.a, u)
    away = _times(line.b, u) - line.a
    return (u + _times(q, line.a)) / _dot(away, away).unsqueeze(-1) / _sqrt_c(line.c, u)


# --- parallels --------------------------------------------------------------------------------------------------------


def angle_of_parallelism(d: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """Pi(d) = 2 atan(exp(-sqrt(c) d)): the angle between a limiting parallel and the perpendicular, of length d.

    Source: Lobachevsky, Geometrische Untersuchungen zur Theorie der Parallellinien, 1840, section 36 (c = 1).
    """
    d = _length(d, "d")
    return 2 * torch.atan(torch.exp(-_sqrt_c(c, d) * d))


def limiting_parallels(line: Line, x: Tensor) -> tuple[Line, Line]:
    """The two lines through x that share an ideal point with `line`: towards its start, and towards its end.

    Raises:
        ValueError: if x lies on the line, where both coincide with it.
    """
    if not bool((signed_distance(line, x).abs() > 0).all()):
        raise ValueError("x must not lie on the line: through such a point there is no parallel")
    start, end = line.ideal_points.unbind(-2)
    return line_through(x, start, line.c), line_through(x, end, line.c)


class Relation(IntEnum):
    """How two lines lie to each other."""

    MEET = 0  # one common point
    LIMITING = 1  # no common point, one common ideal point, distance 0
    ULTRAPARALLEL = 2  # one common perpendicular
    SAME = 3


def _ideal_gaps(m: Line, n: Line) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distances (in the unit disk) start-start, end-end, start-end, end-start of the ideal points of two lines."""
    if float(m.c) != float(n.c):
        raise ValueError(f"the lines must lie in the same plane, got c = {float(m.c)} and c = {float(n.c)}")
    (ms, me), (ns, ne) = m.ideal_points.unbind(-2), n.ideal_points.unbind(-2)
    scale = _sqrt_c(m.c, ms)
    return tuple(scale * (p - q).norm(dim=-1) for p, q in ((ms, ns), (me, ne), (ms, ne), (me, ns)))


def relation(m: Line, n: Line, tol: float | None = None) -> Tensor:
    """The `Relation` of two lines, an int64 tensor (...).

    Rounded numbers are never exactly limiting: two ideal points count as one if their distance in the unit disk is at
    most tol, eps^(2/3) unless given. Lines that meet farther than about log(1/tol)/sqrt(c) from the centre, which is
    24/sqrt(c) in float64, are thus called limiting.
    """
    ss, ee, se, es = _ideal_gaps(m, n)
    tol = torch.finfo(ss.dtype).eps ** (2 / 3) if tol is None else tol
    start = m.ideal_points[..., :1, :]
    sides = (m.a.unsqueeze(-2) * (n.ideal_points - start)).sum(-1)  # of m, on which n's ideal points lie
    result = torch.where(sides.prod(-1) < 0, int(Relation.MEET), int(Relation.ULTRAPARALLEL))
    shared = torch.stack((ss, ee, se, es)).amin(0) <= tol
    same = torch.minimum(torch.maximum(ss, ee), torch.maximum(se, es)) <= tol
    result = torch.where(shared, int(Relation.LIMITING), result)
    return torch.where(same, int(Relation.SAME), result)


def angle_between(m: Line, n: Line) -> Tensor:
    """The angle in [0, pi/2] at which two lines cross; NaN where they are ultraparallel, about 0 where limiting.

    tan^2(angle/2) is the cross-ratio of the four ideal points, which loses no digits at small angles.
    """
    ss, ee, se, es = _ideal_gaps(m, n)
    angle = 2 * torch.atan2((ss * ee).sqrt(), (se * es).sqrt())
    angle = torch.minimum(angle, math.pi - angle)
    return torch.where(relation(m, n) == Relation.ULTRAPARALLEL, math.nan, angle)


def line_distance(m: Line, n: Line) -> Tensor:
    """Distance of two lines: the length of the common perpendicular, 0 where they meet or are limiting parallels.

    tanh^2(sqrt(c) d/2) is the cross-ratio of their ideal points.
    """
    ss, ee, se, es = _ideal_gaps(m, n)
    ratio = torch.minimum(ss * ee, se * es) / torch.maximum(ss * ee, se * es)
    distance = 2 * torch.atanh(ratio.sqrt()) / _sqrt_c(m.c, ratio)
    return torch.where(relation(m, n) == Relation.ULTRAPARALLEL, distance, 0.0)


def _pole_product(m: Line, n: Line) -> tuple[Tensor, Tensor, Tensor]:
    """Space part, time part and |length| of the cross product of two poles.

    It is a point where the lines meet, and the pole of their common perpendicular where they are ultraparallel.
    """
    ss, ee, se, es = _ideal_gaps(m, n)
    space = _times(n.b, _turn(m.a)) - _times(m.b, _turn(n.a))
    size = m.a.norm(dim=-1) * n.a.norm(dim=-1) / 2 * (ss * ee * se * es).sqrt()
    return space, _cross(m.a, n.a), size


def intersection(m: Line, n: Line) -> Tensor:
    """The common point (..., 2) of two lines; NaN where they have none."""
    space, time, size = _pole_product(m, n)
    sign = torch.where(time < 0, -1.0, 1.0).to(time)
    point = space / (time + sign * size).unsqueeze(-1) / _sqrt_c(m.c, space)
    return torch.where((relation(m, n) == Relation.MEET).unsqueeze(-1), point, math.nan)


def common_perpendicular(m: Line, n: Line) -> Line:
    """The line that meets two ultraparallel lines at right angles; NaN where they are not ultraparallel."""
    space, time, size = _pole_product(m, n)
    size = torch.where(relation(m, n) == Relation.ULTRAPARALLEL, size, math.nan)
    return Line(space / size.unsqueeze(-1), time / size, m.c)


# --- circles: all are drawn as Euclidean circles ----------------------------------------------------------------------


def circle(x: Tensor, r: float | Tensor, c: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
    """Euclidean centre (..., 2) and radius (...) of the circle of hyperbolic radius r about x.

    With t = tanh(sqrt(c) r/2): centre u (1-t^2) / (1-t^2|u|^2), radius t (1-|u|^2) / (1-t^2|u|^2).
    """
    u = _unit(x, c, "x")
    t = torch.tanh(_sqrt_c(c, u) * _length(r, "r").to(u) / 2)
    scale = (1 - t * t * _dot(u, u)) * _sqrt_c(c, u)
    return _times((1 - t * t) / scale, u), t * _gap(u) / scale


def horocycle(x: Tensor, ideal: Tensor, c: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
    """Euclidean centre and radius of the horocycle through x at an ideal point: it touches the rim there.

    With e the ideal point of the unit disk: radius |u-e|^2 / (2 <e-u, e>), centre (1 - radius) e.
    """
    u, e = torch.broadcast_tensors(_unit(x, c, "x"), _unit(ideal, c, "ideal"))
    if bool((_gap(e) > 0).any()):
        raise ValueError("ideal must lie on the rim, |ideal| = 1/sqrt(c); see ideal_point")
    r = _dot(u - e, u - e) / (2 * _dot(e - u, e))
    return _times(1 - r, e) / _sqrt_c(c, u), r / _sqrt_c(c, u)


def equidistant(line: Line, d: float | Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean centre and radius of the hypercycle: the points at the signed distance d (left > 0) from the line.

    With s = sinh(sqrt(c) d): centre a/(b-s), radius sqrt(1+s^2)/|b-s|. It is a line only for d = 0.
    """
    d = torch.as_tensor(d).to(line.b)
    scale = _sqrt_c(line.c, line.b)
    height = torch.sinh(scale * d)
    return line.a / (line.b - height).unsqueeze(-1) / scale, torch.cosh(scale * d) / (line.b - height).abs() / scale


# --- triangles --------------------------------------------------------------------------------------------------------


def _unit_triangle(x: Tensor, y: Tensor, z: Tensor, c: float | Tensor):
    """Corners in the unit disk, and K with 4 K = (1-|u|^2)(1-|v|^2)(1-|w|^2) det(X, Y, Z), free of cancellation."""
    u, v, w = torch.broadcast_tensors(_unit(x, c, "x"), _unit(y, c, "y"), _unit(z, c, "z"))
    p, q = v - u, w - u
    return (u, v, w), _gap(u) * _cross(p, q) + _dot(q, q) * _cross(u, p) - _dot(p, p) * _cross(u, q)


def triangle_angles(x: Tensor, y: Tensor, z: Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The inner angles (..., 3) at x, y and z; 0 at an ideal corner.

    The geodesic from u to v leaves u in the direction p = (1-|u|^2)(v-u) - |v-u|^2 u, the one to w in the direction
    q, and tan(angle) = |p x q| / <p, q> with p x q = (1-|u|^2) K, where K is the same for all three corners.
    """
    corners, k = _unit_triangle(x, y, z, c)
    angles = []
    for i, u in enumerate(corners):
        p, q = (
            _times(_gap(u), v - u) - _times(_dot(v - u, v - u), u) for v in (corners[(i + 1) % 3], corners[(i + 2) % 3])
        )
        angles.append(torch.atan2(_gap(u) * k.abs(), _dot(p, q)))
    return torch.stack(angles, -1)


def triangle_defect(x: Tensor, y: Tensor, z: Tensor, c: float | Tensor = 1.0) -> Tensor:
    """pi minus the sum of the angles, (...), accurate to full precision for the smallest triangles.

    tan(defect/2) = |det(X, Y, Z)| / (1 + cosh a + cosh b + cosh c) for the sides a, b, c (in units of 1/sqrt(c)), the
    hyperbolic twin of Eriksson, On the measure of solid angles, Math. Magazine 63, 1990; multiplied out it holds for
    ideal corners too, with defect pi where all three are ideal.
    """
    (u, v, w), k = _unit_triangle(x, y, z, c)
    gu, gv, gw = _gap(u), _gap(v), _gap(w)
    sides = gu * _dot(v - w, v - w) + gv * _dot(w - u, w - u) + gw * _dot(u - v, u - v)
    return 2 * torch.atan2(2 * k.abs(), 2 * gu * gv * gw + sides)


def triangle_area(x: Tensor, y: Tensor, z: Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The area (...), defect/c: no triangle is larger than pi/c."""
    defect = triangle_defect(x, y, z, c)
    return defect / _sqrt_c(c, defect) ** 2


def triangle_sides(x: Tensor, y: Tensor, z: Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The lengths (..., 3) of the sides opposite x, y and z; infinite where an end is ideal."""
    corners = torch.broadcast_tensors(x, y, z)
    ideal = [_gap(_unit(p, c, name)) == 0 for p, name in zip(corners, "xyz", strict=True)]
    ball, sides = PoincareBall(float(c)), []
    for i, j in ((1, 2), (2, 0), (0, 1)):
        far = ideal[i] | ideal[j]
        # The distance from an ideal point is asked for nowhere, not even where its value would be dropped.
        inner = [torch.where(far.unsqueeze(-1), torch.zeros_like(p), p) for p in (corners[i], corners[j])]
        sides.append(torch.where(far, math.inf, ball.dist(*inner)))
    return torch.stack(sides, -1)


# --- quadrilaterals ---------------------------------------------------------------------------------------------------


def lambert_angle(a: float | Tensor, b: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The fourth angle of a quadrilateral with three right angles, a and b being the sides between these.

    cos(angle) = sinh(sqrt(c) a) sinh(sqrt(c) b). At 1 the other two sides are limiting parallels (angle 0); beyond 1
    they never meet, there is no quadrilateral, and the result is NaN.
    Source: Beardon, The Geometry of Discrete Groups, 1983, theorem 7.17.1.
    """
    a, b = _length(a, "a"), _length(b, "b")
    s = torch.sinh(_sqrt_c(c, a) * a) * torch.sinh(_sqrt_c(c, b) * b)
    return 2 * torch.atan2((1 - s).sqrt(), (1 + s).sqrt())


def lambert_quadrilateral(a: float | Tensor, b: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """Corners (..., 4, 2) of the quadrilateral of `lambert_angle`, right angles at all but the third.

    The first corner is the centre of the disk, the side a lies on the first axis, b on the second. With
    A = tanh(sqrt(c) a) and B = tanh(sqrt(c) b) the third is (A, B) in the Klein disk, NaN if that lies outside.
    """
    a, b = torch.broadcast_tensors(_length(a, "a"), _length(b, "b"))
    scale = _sqrt_c(c, a)
    klein = torch.stack((torch.tanh(scale * a), torch.tanh(scale * b)), -1)
    corner = klein / (1 + (1 - _dot(klein, klein)).sqrt()).unsqueeze(-1)
    zero = torch.zeros_like(a)
    on_a, on_b = torch.stack((torch.tanh(scale * a / 2), zero), -1), torch.stack((zero, torch.tanh(scale * b / 2)), -1)
    return torch.stack((torch.zeros_like(corner), on_a, corner, on_b), -2) / scale


def saccheri_angle(base: float | Tensor, leg: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """The two equal summit angles of a quadrilateral with equal legs at right angles to its base.

    cot(angle) = tanh(sqrt(c) base/2) sinh(sqrt(c) leg); always below pi/2. (Halved by its axis it is two Lambert ones.)
    """
    base, leg = _length(base, "base"), _length(leg, "leg")
    return torch.atan2(
        torch.ones_like(leg), torch.tanh(_sqrt_c(c, base) * base / 2) * torch.sinh(_sqrt_c(c, leg) * leg)
    )


def saccheri_summit(base: float | Tensor, leg: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """Length of the summit: sinh(sqrt(c) summit/2) = cosh(sqrt(c) leg) sinh(sqrt(c) base/2), more than the base."""
    base, leg = _length(base, "base"), _length(leg, "leg")
    half = torch.cosh(_sqrt_c(c, leg) * leg) * torch.sinh(_sqrt_c(c, base) * base / 2)
    return 2 * torch.asinh(half) / _sqrt_c(c, half)


def saccheri_quadrilateral(base: float | Tensor, leg: float | Tensor, c: float | Tensor = 1.0) -> Tensor:
    """Corners (..., 4, 2): the base on the first axis, centred, left to right, then the summit right to left."""
    base, leg = torch.broadcast_tensors(_length(base, "base"), _length(leg, "leg"))
    scale = _sqrt_c(c, base)
    half = torch.tanh(scale * base / 4)
    right = torch.stack((half, torch.zeros_like(half)), -1)
    # The leg leaves `right` upwards; in Mobius addition that is right (+) i tanh(sqrt(c) leg/2).
    up = torch.tanh(scale * leg / 2)
    size = 1 + (half * up) ** 2
    top = torch.stack((half * (1 + up**2), up * (1 - half**2)), -1) / size.unsqueeze(-1)
    flip = torch.tensor([-1.0, 1.0]).to(top)
    return torch.stack((right * flip, right, top, top * flip), -2) / scale


# --- polygons and tilings ---------------------------------------------------------------------------------------------


def regular_polygon(
    p: int, angle: float, c: float | Tensor = 1.0, turn: float = 0.0, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Corners (p, 2), counter-clockwise, of the regular p-gon about the centre with the given inner angle; 0 is ideal.

    tanh^2(sqrt(c) R/2) = cos(pi/p + angle/2) / cos(pi/p - angle/2) for its circumradius R; the first corner lies at the
    polar angle `turn`.

    Raises:
        ValueError: if p < 3 or the angle is not in [0, pi - 2 pi/p), where flat space begins.
    """
    if p < 3 or not 0 <= angle < math.pi * (1 - 2 / p):
        raise ValueError(f"a hyperbolic p-gon needs p >= 3 and 0 <= angle < pi - 2 pi/p, got p = {p}, angle = {angle}")
    radius = math.sqrt(math.cos(math.pi / p + angle / 2) / math.cos(math.pi / p - angle / 2))
    corners = radius * ideal_point(turn + 2 * math.pi / p * torch.arange(p, dtype=torch.float64))
    return (corners / _sqrt_c(c, corners)).to(dtype)


@dataclass(frozen=True)
class Tiling:
    """The first layers of the tiling {p, q}: regular p-gons, q around each vertex.

    Attributes:
        tiles: (n, p, 2), the corners of each tile; layer: (n,), how many sides lie between it and the central tile.
        vertices: (v, 2) and edges: (e, 2), without repetition; an edge is a pair of rows of `vertices`.
        c: the plane has curvature -c.
    """

    tiles: Tensor
    layer: Tensor
    vertices: Tensor
    edges: Tensor
    c: float | Tensor


def _first_of_equals(x: Tensor, c: float | Tensor) -> Tensor:
    """For each of n points the index of the first that is the same point up to rounding, (n,)."""
    u = _unit(x, c, "x")
    same = [
        torch.cdist(u[i : i + 1024], u) ** 2 < 1e-4 * _gap(u[i : i + 1024]).unsqueeze(-1) * _gap(u)
        for i in range(0, len(u), 1024)
    ]
    return torch.cat(same).int().argmax(-1)


def tiling(p: int, q: int, layers: int, c: float | Tensor = 1.0) -> Tiling:
    """The central tile of {p, q} and all tiles reached from it by at most `layers` reflections in sides (float64).

    Raises:
        ValueError: unless (p-2)(q-2) > 4, the condition for the tiling to be hyperbolic; or if layers < 0.
    """
    if min(p, q) < 3 or (p - 2) * (q - 2) <= 4:
        raise ValueError(f"{{{p}, {q}}} is not hyperbolic: p, q >= 3 and (p-2)(q-2) > 4 are needed")
    if layers < 0:
        raise ValueError(f"layers must be >= 0, got {layers}")
    tiles = regular_polygon(p, 2 * math.pi / q, turn=math.pi / 2 - math.pi / p).unsqueeze(0)
    centres, layer = torch.zeros(1, 2, dtype=tiles.dtype), [torch.zeros(1, dtype=torch.int64)]
    newest, newest_centres = tiles, centres
    for k in range(layers):
        sides = line_through(newest, newest.roll(-1, 1))  # (n, p)
        mirrors = Line(sides.a.unsqueeze(2), sides.b.unsqueeze(2))
        images = reflect(mirrors, newest.unsqueeze(1)).flatten(0, 1)
        image_centres = reflect(sides, newest_centres.unsqueeze(1)).flatten(0, 1)
        known = len(centres)
        first = _first_of_equals(torch.cat((centres, image_centres)), 1.0)[known:]
        fresh = first == torch.arange(known, known + len(images))
        newest, newest_centres = images[fresh], image_centres[fresh]
        tiles, centres = torch.cat((tiles, newest)), torch.cat((centres, newest_centres))
        layer.append(torch.full((len(newest),), k + 1))
    corners = tiles.flatten(0, 1)
    kept, index = torch.unique(_first_of_equals(corners, 1.0), return_inverse=True)
    index = index.reshape(len(tiles), p)
    edges = torch.stack((index, index.roll(-1, 1)), -1).flatten(0, 1).sort(-1).values.unique(dim=0)
    scale = _sqrt_c(c, tiles)
    return Tiling(tiles / scale, torch.cat(layer), corners[kept] / scale, edges, c)
