"""Plane geometry against 60-digit arithmetic and closed forms, for every curvature, near the rim and near a point."""

import math

import mpmath as mp
import pytest
import torch

from hyplearn import Curvature, PoincareBall, plane
from hyplearn.plane import Relation, ideal_point, line_through, relation

CURVATURES = [0.1, 0.5, 1.0, 2.0, 10.0]
mp.mp.dps = 60


def points(*shape, c=1.0, radius=2.0, seed=0, dtype=torch.float64):
    """Random points at hyperbolic distances up to radius/sqrt(c) from the centre."""
    g = torch.Generator().manual_seed(seed)
    distance = radius * torch.rand(*shape, generator=g, dtype=torch.float64) / c**0.5
    angle = 2 * math.pi * torch.rand(*shape, generator=g, dtype=torch.float64)
    norm = torch.tanh(c**0.5 * distance / 2)
    return (norm.unsqueeze(-1) * ideal_point(angle, c)).to(dtype)


def hyperboloid(x, c):
    """A float64 point of the disk as an exact vector (space, time) with time^2 - |space|^2 = 1."""
    u = [mp.mpf(t) * mp.sqrt(mp.mpf(c)) for t in x.tolist()]
    gap = 1 - u[0] ** 2 - u[1] ** 2
    return [2 * u[0] / gap, 2 * u[1] / gap, (1 + u[0] ** 2 + u[1] ** 2) / gap]


def lorentz(p, q):
    return p[0] * q[0] + p[1] * q[1] - p[2] * q[2]


def distance(p, q):
    d = [s - t for s, t in zip(p, q, strict=True)]
    return 2 * mp.asinh(mp.sqrt(lorentz(d, d)) / 2)  # in units of 1/sqrt(c)


def exact_angles(x, y, z, c):
    """Law of cosines with the exact side lengths."""
    p = [hyperboloid(t, c) for t in (x, y, z)]
    a, b, d = distance(p[1], p[2]), distance(p[2], p[0]), distance(p[0], p[1])
    angles = []
    for opposite, one, two in ((a, b, d), (b, d, a), (d, a, b)):
        cosine = (mp.cosh(one) * mp.cosh(two) - mp.cosh(opposite)) / (mp.sinh(one) * mp.sinh(two))
        angles.append(mp.acos(min(1, max(-1, cosine))))
    return angles


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
def test_line_is_the_circle_through_both_points_orthogonal_to_the_rim(c):
    x, y = points(40, c=c, seed=1), points(40, c=c, seed=2)
    line = line_through(x, y, c)
    assert torch.allclose((line.a**2).sum(-1) - line.b**2, torch.ones(40, dtype=torch.float64), atol=1e-13)
    for i in range(40):
        # centre m from <m, x> = (|x|^2 + 1/c)/2 and the same for y, in 60 digits
        rows = mp.matrix([[mp.mpf(t) for t in p[i].tolist()] for p in (x, y)])
        right = mp.matrix([(rows[k, 0] ** 2 + rows[k, 1] ** 2 + 1 / mp.mpf(c)) / 2 for k in (0, 1)])
        m = mp.lu_solve(rows, right)
        radius = mp.sqrt(m[0] ** 2 + m[1] ** 2 - 1 / mp.mpf(c))
        assert abs(line.radius[i].item() / radius - 1) < 1e-10
        for k in (0, 1):
            assert abs(line.centre[i, k].item() - m[k]) < 1e-10 * radius


def test_a_diameter_has_infinite_centre_and_radius_and_needs_no_special_case():
    x, y = torch.tensor([[-0.3, 0.0], [0.0, 0.0]]).double(), torch.tensor([[0.6, 0.0], [0.1, 0.1]]).double()
    line = line_through(x, y)
    assert line.is_diameter.all()
    assert line.centre.isinf().all() and line.radius.isinf().all()
    expected = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).double()
    assert torch.allclose(line.ideal_points[0], expected)
    assert torch.allclose(plane.foot(line, torch.tensor([0.2, 0.5]).double())[0, 1], expected[0, 1])


@pytest.mark.parametrize("c", CURVATURES)
def test_ideal_points_lie_on_the_rim_and_follow_the_direction(c):
    x, y = points(50, c=c, seed=3), points(50, c=c, seed=4)
    line = line_through(x, y, c)
    start, end = line.ideal_points.unbind(-2)
    assert torch.allclose(end.norm(dim=-1) * c**0.5, torch.ones(50, dtype=torch.float64), atol=1e-14)
    again = line_through(start, end, c)
    assert torch.allclose(plane.signed_distance(again, x), torch.zeros(50, dtype=torch.float64), atol=1e-12)
    # y lies between x and the end: its distance from the horocycle side is smaller
    assert ((y - end).norm(dim=-1) / (y - start).norm(dim=-1) < (x - end).norm(dim=-1) / (x - start).norm(dim=-1)).all()
    backwards = line.reverse().ideal_points
    assert torch.equal(backwards, torch.stack((end, start), -2))


@pytest.mark.parametrize("c", CURVATURES)
def test_geodesics_of_the_ball_lie_on_the_line(c):
    x, y = points(30, c=c, seed=5), points(30, c=c, seed=6)
    between = PoincareBall(c).geodesic(torch.tensor(0.3, dtype=torch.float64), x, y)
    assert plane.signed_distance(line_through(x, y, c), between).abs().max() < 1e-12
    direction = PoincareBall(c).logmap(x, y)
    assert plane.signed_distance(plane.line_in_direction(x, direction, c), y).abs().max() < 1e-12


@pytest.mark.parametrize("radius", [0.5, 3.0, 6.0])
@pytest.mark.parametrize("c", CURVATURES)
def test_distance_to_a_line_against_60_digits(c, radius):
    x, y, z = (points(20, c=c, radius=radius, seed=s) for s in (7, 8, 9))
    got = plane.signed_distance(line_through(x, y, c), z)
    for i in range(20):
        p, q, r = (hyperboloid(t[i], c) for t in (x, y, z))
        volume = mp.det(mp.matrix([p, q, r]))
        expected = mp.asinh(volume / mp.sinh(distance(p, q))) / mp.sqrt(mp.mpf(c))
        # the coordinates of z fix its position only to eps e^radius, the pole costs as much again
        assert abs(got[i].item() - expected) < 4e-16 * math.exp(2 * radius) * 20 / c**0.5


@pytest.mark.parametrize("c", CURVATURES)
def test_foot_perpendicular_and_reflection(c):
    ball = PoincareBall(c)
    line, z = line_through(points(40, c=c, seed=1), points(40, c=c, seed=2), c), points(40, c=c, seed=3)
    height, foot = plane.signed_distance(line, z), plane.foot(line, z)
    assert plane.signed_distance(line, foot).abs().max() < 1e-12
    assert torch.allclose(ball.dist(z, foot), height.abs(), atol=1e-12)
    normal = plane.perpendicular(line, z)
    assert torch.allclose(plane.intersection(normal, line), foot, atol=1e-12)
    assert torch.allclose(plane.angle_between(normal, line), torch.tensor(math.pi / 2).double(), atol=1e-11)
    assert (plane.signed_distance(line, 0.999 * normal.ideal_points[:, 1]) > 0).all()
    at_foot = plane.perpendicular(line, foot)  # a perpendicular in a point of the line
    assert plane.signed_distance(at_foot, z).abs().max() < 1e-11
    mirrored = plane.reflect(line, z)
    assert torch.allclose(plane.signed_distance(line, mirrored), -height, atol=1e-11)
    assert torch.allclose(plane.foot(line, mirrored), foot, atol=1e-11)
    other = points(40, c=c, seed=4)
    assert torch.allclose(ball.dist(mirrored, plane.reflect(line, other)), ball.dist(z, other), atol=1e-10)


# --- parallels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
def test_limiting_parallels_make_the_angle_of_parallelism(c):
    line, z = line_through(points(40, c=c, seed=1), points(40, c=c, seed=2), c), points(40, c=c, seed=3)
    d = plane.signed_distance(line, z).abs()
    for parallel in plane.limiting_parallels(line, z):
        assert (relation(line, parallel) == Relation.LIMITING).all()
        angle = plane.angle_between(parallel, plane.perpendicular(line, z))
        assert torch.allclose(angle, plane.angle_of_parallelism(d, c), atol=1e-11)
        assert torch.equal(plane.line_distance(line, parallel), torch.zeros(40, dtype=torch.float64))


def test_angle_of_parallelism_in_60_digits():
    d = torch.tensor([0.0, 1e-12, 0.3, 2.0, 30.0, 200.0], dtype=torch.float64)
    for c in CURVATURES:
        for value, got in zip(d.tolist(), plane.angle_of_parallelism(d, c).tolist(), strict=True):
            expected = 2 * mp.atan(mp.exp(-mp.sqrt(mp.mpf(c)) * mp.mpf(value)))
            assert abs(got / expected - 1) < 1e-12
    assert plane.angle_of_parallelism(1.0) == plane.angle_of_parallelism(torch.tensor(1.0).double(), Curvature(1.0)())


def test_relation_of_two_lines_by_their_ideal_points():
    e = [ideal_point(k * math.pi / 4) for k in range(8)]
    horizontal = line_through(e[4], e[0])
    others = {
        (6, 2): Relation.MEET,
        (7, 1): Relation.MEET,
        (0, 2): Relation.LIMITING,
        (2, 4): Relation.LIMITING,
        (1, 3): Relation.ULTRAPARALLEL,
        (5, 7): Relation.ULTRAPARALLEL,
        (0, 4): Relation.SAME,
        (4, 0): Relation.SAME,
    }
    for (i, j), expected in others.items():
        assert relation(horizontal, line_through(e[i], e[j])) == expected, (i, j)
        assert relation(line_through(e[j], e[i]), horizontal) == expected, (i, j)
    starts, ends = (torch.stack([e[k[n]] for k in others]) for n in (0, 1))
    assert relation(horizontal, line_through(starts, ends)).tolist() == [int(r) for r in others.values()]


def test_relation_calls_lines_limiting_within_its_tolerance_only():
    line = line_through(ideal_point(math.pi), ideal_point(0.0))
    for gap in (1e-6, 1e-9):
        assert relation(line, line_through(ideal_point(2.0), ideal_point(gap))) == Relation.ULTRAPARALLEL
        assert relation(line, line_through(ideal_point(2.0), ideal_point(-gap))) == Relation.MEET
        assert relation(line, line_through(ideal_point(2.0), ideal_point(gap)), tol=2 * gap) == Relation.LIMITING


@pytest.mark.parametrize("c", CURVATURES)
def test_common_perpendicular_and_distance_of_ultraparallel_lines(c):
    ball = PoincareBall(c)
    base = line_through(points(30, c=c, seed=1), points(30, c=c, seed=2), c)
    # two perpendiculars to one line, so that `base` is their common perpendicular and the gap is known
    p, q = plane.foot(base, points(30, c=c, seed=3)), plane.foot(base, points(30, c=c, seed=4))
    m, n = plane.perpendicular(base, p), plane.perpendicular(base, q)
    assert (relation(m, n) == Relation.ULTRAPARALLEL).all()
    assert torch.allclose(plane.line_distance(m, n), ball.dist(p, q), atol=1e-11)
    common = plane.common_perpendicular(m, n)
    assert (relation(common, base, tol=1e-9) == Relation.SAME).all()
    assert plane.intersection(m, n).isnan().all() and plane.angle_between(m, n).isnan().all()
    assert plane.common_perpendicular(base, m).a.isnan().all()


def test_tiny_angles_between_lines_keep_their_digits():
    x = torch.tensor([0.3, 0.2]).double()
    for angle in (1e-3, 1e-6, 1e-8):
        directions = ideal_point(torch.tensor([0.7, 0.7 + angle], dtype=torch.float64))
        m, n = (plane.line_in_direction(x, t) for t in directions)
        assert abs(plane.angle_between(m, n).item() / angle - 1) < 1e-6
        assert torch.allclose(plane.intersection(m, n), x, atol=1e-15 / angle)


# --- triangles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("c", CURVATURES)
def test_triangles_against_60_digits(c, radius):
    x, y, z = (points(15, c=c, radius=radius, seed=s) for s in (1, 2, 3))
    angles, defect = plane.triangle_angles(x, y, z, c), plane.triangle_defect(x, y, z, c)
    area, sides = plane.triangle_area(x, y, z, c), plane.triangle_sides(x, y, z, c)
    for i in range(15):
        expected = exact_angles(x[i], y[i], z[i], c)
        noise = 1e-14 * math.exp(radius)
        for k in range(3):
            assert abs(angles[i, k].item() - expected[k]) < noise
        exact_defect = mp.pi - sum(expected)
        assert abs(defect[i].item() / exact_defect - 1) < 100 * noise
        assert abs(area[i].item() * mp.mpf(c) / exact_defect - 1) < 100 * noise
        a = distance(hyperboloid(y[i], c), hyperboloid(z[i], c)) / mp.sqrt(mp.mpf(c))
        assert abs(sides[i, 0].item() / a - 1) < noise


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9])
def test_the_defect_of_a_tiny_triangle_keeps_its_digits_where_the_angles_cannot(size):
    x = torch.tensor([0.4, -0.1]).double()
    y, z = x + size * torch.tensor([1.0, 0.0]).double(), x + size * torch.tensor([0.3, 0.8]).double()
    exact = mp.pi - sum(exact_angles(x, y, z, 1.0))
    assert abs(plane.triangle_defect(x, y, z).item() / exact - 1) < 1e-12
    if size == 1e-9:
        lost = math.pi - plane.triangle_angles(x, y, z).sum()
        assert abs(lost.item() / exact - 1) > 0.1


@pytest.mark.parametrize("c", CURVATURES)
def test_ideal_triangles(c):
    corners = ideal_point(torch.tensor([0.1, 2.0, 4.0]).double(), c)
    assert torch.equal(plane.triangle_angles(*corners, c), torch.zeros(3, dtype=torch.float64))
    assert abs(plane.triangle_area(*corners, c).item() - math.pi / c) < 1e-14 / c
    assert plane.triangle_sides(*corners, c).isinf().all()
    # one ideal corner: the angle of parallelism is that of the triangle with angles (Pi(d), pi/2, 0)
    d = 0.7 / c**0.5
    leg = torch.tensor([0.0, math.tanh(0.35)]).double() / c**0.5
    angles = plane.triangle_angles(leg, torch.zeros(2).double(), ideal_point(0.0, c), c)
    expected = torch.tensor([plane.angle_of_parallelism(d, c), math.pi / 2, 0.0]).double()
    assert torch.allclose(angles, expected, atol=1e-14)


def test_degenerate_triangles_have_defect_zero_and_finite_gradients():
    x = torch.tensor([0.1, 0.2]).double().requires_grad_()
    y, z = torch.tensor([0.2, 0.4]).double(), torch.tensor([-0.3, -0.6]).double()
    assert plane.triangle_defect(x, y, z) < 1e-15
    assert abs(plane.triangle_angles(x, y, z).sum().item() - math.pi) < 1e-15
    y = torch.tensor([0.5, -0.1]).double()
    (gradient,) = torch.autograd.grad(plane.triangle_area(x, y, z), x)
    assert torch.autograd.gradcheck(lambda x: plane.triangle_area(x, y, z, 2.0), (x,))
    assert gradient.isfinite().all() and gradient.abs().max() > 0


# --- quadrilaterals and polygons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
def test_lambert_quadrilateral(c):
    ball, unit = PoincareBall(c), 1 / c**0.5
    a = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64) * unit
    b = torch.tensor([0.9, 1.0, 0.4], dtype=torch.float64) * unit
    o, p, r, q = plane.lambert_quadrilateral(a, b, c).unbind(-2)
    assert torch.allclose(ball.dist(o, p), a) and torch.allclose(ball.dist(o, q), b)
    for corner, left, right in ((o, p, q), (p, o, r), (q, o, r)):
        assert torch.allclose(plane.triangle_angles(corner, left, right, c)[..., 0], torch.tensor(math.pi / 2).double())
    fourth = plane.lambert_angle(a, b, c)
    assert torch.allclose(plane.triangle_angles(r, p, q, c)[..., 0], fourth, atol=1e-13)
    area = plane.triangle_area(o, p, q, c) + plane.triangle_area(r, p, q, c)
    assert torch.allclose(area, (math.pi / 2 - fourth) / c)


def test_lambert_sides_that_do_not_meet():
    critical = math.asinh(1.0)  # sinh a sinh b = 1: limiting parallels
    assert plane.lambert_angle(critical * (1 - 1e-15), critical).item() < 1e-6
    assert plane.lambert_angle(1.0, 1.0).isnan()
    assert plane.lambert_quadrilateral(1.0, 1.0)[2].isnan().all()
    o, p, _, q = plane.lambert_quadrilateral(1.0, 1.0)
    first, second = line_through(o, p), line_through(o, q)
    up, right = plane.perpendicular(first, p), plane.perpendicular(second, q)
    assert relation(up, right) == Relation.ULTRAPARALLEL


@pytest.mark.parametrize("c", CURVATURES)
def test_saccheri_quadrilateral(c):
    ball, unit = PoincareBall(c), 1 / c**0.5
    base = torch.tensor([0.1, 1.0, 3.0], dtype=torch.float64) * unit
    leg = torch.tensor([2.0, 0.7, 1.5], dtype=torch.float64) * unit
    p, q, r, s = plane.saccheri_quadrilateral(base, leg, c).unbind(-2)
    assert torch.allclose(ball.dist(p, q), base)
    assert torch.allclose(ball.dist(q, r), leg) and torch.allclose(ball.dist(p, s), leg)
    right = torch.tensor(math.pi / 2).double()
    assert torch.allclose(plane.triangle_angles(q, p, r, c)[..., 0], right)
    assert torch.allclose(plane.triangle_angles(r, q, s, c)[..., 0], plane.saccheri_angle(base, leg, c))
    assert torch.allclose(ball.dist(r, s), plane.saccheri_summit(base, leg, c))
    assert (plane.saccheri_angle(base, leg, c) < right).all() and (plane.saccheri_summit(base, leg, c) > base).all()


@pytest.mark.parametrize("c", CURVATURES)
def test_regular_polygon(c):
    for p, angle in ((3, 0.5), (5, math.pi / 2), (7, 2 * math.pi / 3), (4, 0.0)):
        corners = plane.regular_polygon(p, angle, c)
        got = plane.triangle_angles(corners, corners.roll(1, 0), corners.roll(-1, 0), c)[:, 0]
        assert torch.allclose(got, torch.full((p,), angle, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize(
    ("p", "q", "layers"),
    # tiles in each layer: the coordination sequence of the dual tiling (OEIS A001354 for {7,3}: 1, 7, 21, 56, 147)
    [(7, 3, [1, 7, 21, 56, 147]), (5, 4, [1, 5, 15, 40]), (3, 7, [1, 3, 6, 12, 18, 30])],
)
def test_tiling(p, q, layers):
    c = 2.0
    tiling = plane.tiling(p, q, len(layers) - 1, c)
    assert torch.bincount(tiling.layer).tolist() == layers
    ball = PoincareBall(c)
    length = ball.dist(*tiling.vertices[tiling.edges].unbind(1))
    side = 2 * math.acosh(math.cos(math.pi / p) / math.sin(math.pi / q)) / c**0.5
    assert torch.allclose(length, torch.full_like(length, side), atol=1e-8)
    # a disk of tiles: vertices - edges + faces = 1
    assert len(tiling.vertices) - len(tiling.edges) + len(tiling.tiles) == 1
    degree = torch.bincount(tiling.edges.flatten())
    assert degree.max() == q and (degree[tiling.vertices.norm(dim=-1).argsort()[:p]] == q).all()


# --- circles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", CURVATURES)
def test_circles_horocycles_and_equidistants(c):
    ball, x, turn = PoincareBall(c), points(1, c=c, seed=1)[0], torch.linspace(0, 6, 9).double()
    centre, radius = plane.circle(x, 0.8 / c**0.5, c)
    on = centre + radius * ideal_point(turn)
    assert torch.allclose(ball.dist(x, on), torch.tensor(0.8 / c**0.5).double())

    e = ideal_point(0.4, c)
    centre, radius = plane.horocycle(x, e, c)
    assert torch.allclose((x - centre).norm(), radius) and torch.allclose((e - centre).norm(), radius)
    on = centre + radius * ideal_point(turn)
    busemann = ((on - e) ** 2).sum(-1) / (1 - c * (on**2).sum(-1))  # constant on a horocycle
    assert torch.allclose(busemann, busemann[:1].expand_as(busemann))

    line = line_through(x, points(1, c=c, seed=2)[0], c)
    centre, radius = plane.equidistant(line, 0.6 / c**0.5)
    on = centre + radius * ideal_point(torch.linspace(0, 6.28, 400).double())
    on = on[on.norm(dim=-1) < 0.98 / c**0.5]
    assert len(on) > 5
    assert torch.allclose(plane.signed_distance(line, on), torch.tensor(0.6 / c**0.5).double())


# --- the contract -----------------------------------------------------------------------------------------------------


def test_float32_stays_float32_and_agrees():
    x, y, z = (points(20, seed=s, dtype=torch.float32) for s in (1, 2, 3))
    line, exact = line_through(x, y), line_through(x.double(), y.double())
    got = {
        "ideal_points": (line.ideal_points, exact.ideal_points),
        "signed_distance": (plane.signed_distance(line, z), plane.signed_distance(exact, z.double())),
        "foot": (plane.foot(line, z), plane.foot(exact, z.double())),
        "angles": (plane.triangle_angles(x, y, z), plane.triangle_angles(x.double(), y.double(), z.double())),
        "area": (plane.triangle_area(x, y, z), plane.triangle_area(x.double(), y.double(), z.double())),
    }
    for name, (single, double) in got.items():
        assert single.dtype == torch.float32, name
        assert torch.allclose(single.double(), double, atol=2e-4), name


def test_everything_broadcasts():
    x, y, z = points(3, 1, seed=1), points(4, seed=2), points(5, 1, 1, seed=3)
    line = line_through(x, y)
    assert line.a.shape == (3, 4, 2) and line.b.shape == (3, 4) and line.ideal_points.shape == (3, 4, 2, 2)
    assert torch.equal(line[1].ideal_points, line.ideal_points[1]) and line[line.b > 0].a.shape[1:] == (2,)
    assert plane.foot(line, z).shape == (5, 3, 4, 2)
    assert plane.triangle_angles(x, y, z).shape == (5, 3, 4, 3) and plane.triangle_area(x, y, z).shape == (5, 3, 4)
    assert relation(line, plane.perpendicular(line, z)).shape == (5, 3, 4)


def test_bad_input_is_named():
    x, y = torch.tensor([0.1, 0.2]).double(), torch.tensor([0.3, -0.2]).double()
    line = line_through(x, y)
    bad = [
        (lambda: line_through(x, x), "different points"),
        (lambda: line_through(2 * ideal_point(0.0), y), "x must lie in the disk"),
        (lambda: line_through(x, y, c=30.0), "radius 1/sqrt"),
        (lambda: line_through(x * math.nan, y), "x must lie in the disk"),
        (lambda: line_through([0.1, 0.2], y), "x must be a floating-point tensor"),
        (lambda: line_through(x, torch.zeros(3).double()), "shape"),
        (lambda: line_through(x, y, c=-1.0), "c must be"),
        (lambda: plane.line_in_direction(x, torch.zeros(2).double()), "zero vector"),
        (lambda: plane.line_in_direction(ideal_point(0.0), x), "inside the disk"),
        (lambda: plane.angle_of_parallelism(-1.0), "d must be a length"),
        (lambda: plane.lambert_angle(1.0, -1.0), "b must be a length"),
        (lambda: plane.horocycle(x, y), "rim"),
        (lambda: relation(line, line_through(x, y, c=2.0)), "same plane"),
        (lambda: plane.regular_polygon(4, math.pi / 2), "p-gon"),
        (lambda: plane.tiling(4, 4, 2), "not hyperbolic"),
    ]
    for call, message in bad:
        with pytest.raises(ValueError, match=message):
            call()
    diameter = line_through(torch.tensor([-0.5, 0.0]).double(), torch.tensor([0.5, 0.0]).double())
    with pytest.raises(ValueError, match="must not lie on the line"):
        plane.limiting_parallels(diameter, torch.tensor([0.2, 0.0]).double())
