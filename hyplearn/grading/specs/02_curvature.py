"""Exercises of lecture 02: curvature, measured from inside. K is a curvature of either sign; the ball has K = -c."""

import math

import torch
from torch import Tensor

from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

CURVATURES = (1.0, 2.0, 0.5, 0.1, 10.0)
F64 = torch.float64


def numbers(*values) -> Tensor:
    return torch.tensor(values, dtype=F64)


# --- curvature_from_angles: the warm-up -------------------------------------------------------------------------------


def curvature_from_angles(angles: Tensor, area: Tensor) -> Tensor:
    return (angles.sum(-1) - (angles.shape[-1] - 2) * math.pi) / area


def _angle_cases(draw):
    yield Case((math.pi / 2 * torch.ones(3, dtype=F64), numbers(math.pi / 2)[0]), "an eighth of the unit sphere")
    for n in (3, 4, 5, 7):
        flat = (n - 2) * math.pi / n
        yield Case((draw.uniform(0.5 * flat, 0.9 * flat, n), draw.uniform(0.5, 2.0)), f"{n} corners, saddle-like")
        yield Case((draw.uniform(1.1 * flat, 1.3 * flat, n), draw.uniform(0.5, 2.0)), f"{n} corners, dome-like")
    yield Case((draw.uniform(0.3, 1.6, 4, 3), draw.uniform(0.5, 2.0, 4)), "a batch of 4 triangles")
    yield Case((draw.uniform(0.8, 2.5, 2, 3, 5), draw.uniform(0.5, 2.0, 2, 3)), "a batch of 2 x 3 pentagons")
    yield Case((draw.uniform(0.3, 1.6, 3), draw.uniform(0.5, 2.0, 6)), "the same angles around 6 areas")
    yield Case((math.pi / 2 * torch.ones(4, dtype=F64), draw.uniform(1, 2)), "a flat rectangle: curvature 0", edge=True)
    angle = draw.uniform(0.2, 2.0)
    yield Case((angle.expand(2), 2 * angle), "a slice of an orange: two corners, unit sphere", edge=True)


@mistake("Only a flat triangle has the angle sum pi. A flat polygon with n corners is n - 2 triangles: (n - 2) pi.")
def curvature_as_of_a_triangle(angles, area):
    return (angles.sum(-1) - torch.pi) / area


@mistake("The sign is flipped: on a dome (K > 0) the angles sum to more than in the flat polygon.")
def curvature_from_the_defect(angles, area):
    return ((angles.shape[-1] - 2) * torch.pi - angles.sum(-1)) / area


@mistake("That is the excess of the angles, the curvature summed over the polygon. Its mean is that over the area.")
def curvature_not_over_area(angles, area):
    return angles.sum(-1) - (angles.shape[-1] - 2) * torch.pi + 0 * area


@mistake("The area divides: the larger the polygon that shows the same excess, the flatter the surface.")
def curvature_times_area(angles, area):
    return (angles.sum(-1) - (angles.shape[-1] - 2) * torch.pi) * area


@mistake("`angles.sum()` adds up all polygons of a batch: sum over the last dimension only, `angles.sum(-1)`.")
def curvature_of_the_whole_batch(angles, area):
    return (angles.sum() - (angles.shape[-1] - 2) * torch.pi) / area


@mistake("n is the number of corners, the last dimension; `len(angles)` is the first, which may be the batch.")
def curvature_corners_by_len(angles, area):
    return (angles.sum(-1) - (len(angles) - 2) * torch.pi) / area


ANGLES = Exercise(
    name="curvature_from_angles",
    title="Curvature with a protractor",
    points=1,
    minutes=5,
    difficulty=1,
    rule="mean curvature inside = (angle sum - (n - 2) pi) / area",
    reference=curvature_from_angles,
    cases=_angle_cases,
    properties=[
        Property(
            "a further corner in the middle of a side, of angle pi, changes nothing",
            lambda f, angles, area: (
                f(torch.cat((angles, torch.full_like(angles[..., :1], math.pi)), -1), area),
                f(angles, area),
            ),
        ),
        Property(
            "the same polygon on a surface twice as large has 4 times the area and a quarter of the curvature",
            lambda f, angles, area: (4 * f(angles, 4 * area), f(angles, area)),
        ),
    ],
    vectors=["angles"],
    mistakes=[
        curvature_as_of_a_triangle,
        curvature_from_the_defect,
        curvature_not_over_area,
        curvature_times_area,
        curvature_of_the_whole_batch,
        curvature_corners_by_len,
    ],
)

# --- disk_size --------------------------------------------------------------------------------------------------------


def _chord(r: Tensor, K: Tensor) -> Tensor:
    """sin(sqrt(K) r)/sqrt(K), r, or sinh(sqrt(-K) r)/sqrt(-K), by the sign of K."""
    root = torch.where(K == 0, 1.0, K).abs().sqrt()
    return torch.where(K > 0, torch.sin(root * r), torch.where(K < 0, torch.sinh(root * r), r)) / root


def disk_size(r: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * math.pi * _chord(r, K), 4 * math.pi * _chord(r / 2, K) ** 2


def _disk_cases(draw):
    yield Case(numbers(1.0, -1.0).unbind(), "hyperbolic, K = -1")
    yield Case(numbers(1.0, 1.0).unbind(), "a sphere, K = 1")
    yield Case(numbers(2.0, 0.0).unbind(), "flat", gradient=False)
    for c in CURVATURES:
        yield Case((draw.uniform(0.3, 2.5) / math.sqrt(c), numbers(-c, c)), "one radius, a saddle and a dome")
    r, K = draw.uniform(0.2, 1.5, 6), draw.uniform(0.2, 2.0, 6) * numbers(1, -1, 1, -1, -1, 1)
    yield Case((r, K), "a batch of 6, some domes, some saddles")
    yield Case((r.reshape(2, 3), K.reshape(2, 3)), "a batch of 2 x 3")
    yield Case((draw.uniform(0.2, 1.5, 4), numbers(-0.5)[0]), "4 radii in one plane")
    yield Case((draw.uniform(0.2, 1.5), numbers(-2.0, 0.0, 2.0)), "one radius, K = -2, 0, 2", edge=True, gradient=False)
    yield Case((torch.zeros(2, dtype=F64), numbers(-2.0, 2.0)), "a radius of 0", edge=True, gradient=False)
    small = numbers(1e-2, 1e-4, 1e-6)
    yield Case((small, numbers(-1.0)[0]), "tiny disks", edge=True, gradient=False)
    yield Case((small, numbers(1.0)[0]), "tiny disks on a sphere", edge=True, gradient=False)
    yield Case((draw.uniform(0.5, 1.5, 3), numbers(-1e-9, 1e-9, 1e-12)), "almost flat", edge=True, gradient=False)
    yield Case((numbers(15.0, 30.0), numbers(-1.0)[0]), "large disks", edge=True)


@mistake(
    "The sign of K is flipped: where K < 0 there is more room than in the flat plane (sinh), on a sphere less (sin)."
)
def disk_signs_swapped(r, K):
    root = torch.where(K == 0, 1.0, K).abs().sqrt()
    full = torch.where(K < 0, torch.sin(root * r), torch.where(K > 0, torch.sinh(root * r), root * r)) / root
    half = torch.where(K < 0, torch.sin(root * r / 2), torch.where(K > 0, torch.sinh(root * r / 2), root * r / 2))
    return 2 * torch.pi * full, 4 * torch.pi * (half / root) ** 2


@mistake("That is right for K = -1, 0 and 1 only: a length always comes as sqrt(|K|) r, and goes back by 1/sqrt(|K|).")
def disk_without_unit(r, K):
    full = torch.where(K > 0, torch.sin(r), torch.where(K < 0, torch.sinh(r), r))
    half = torch.where(K > 0, torch.sin(r / 2), torch.where(K < 0, torch.sinh(r / 2), r / 2))
    return 2 * torch.pi * full, 4 * torch.pi * half**2


@mistake("K stands where sqrt(|K|) belongs: it is sqrt(|K|) r that has no unit.")
def disk_k_for_root(r, K):
    root = torch.where(K == 0, 1.0, K).abs()
    full = torch.where(K > 0, torch.sin(root * r), torch.where(K < 0, torch.sinh(root * r), root * r)) / root
    half = torch.where(K > 0, torch.sin(root * r / 2), torch.where(K < 0, torch.sinh(root * r / 2), root * r / 2))
    return 2 * torch.pi * full, 4 * torch.pi * (half / root) ** 2


@mistake("C = 2 pi r and A = pi r^2 hold in the flat plane only, whatever the curvature.")
def disk_flat(r, K):
    return 2 * torch.pi * r + 0 * K, torch.pi * r**2 + 0 * K


@mistake(
    "The circumference is right. But A = C^2 / (4 pi) holds in the flat plane only; the area is the integral of the "
    "circumferences of all smaller circles."
)
def disk_area_from_circumference(r, K):
    root = torch.where(K == 0, 1.0, K).abs().sqrt()
    full = torch.where(K > 0, torch.sin(root * r), torch.where(K < 0, torch.sinh(root * r), root * r)) / root
    return 2 * torch.pi * full, torch.pi * full**2


@mistake(
    "Where K = 0 you divide by 0, and the flat plane comes out as NaN. `torch.where` chooses entry by entry; keep the "
    "zeros out of the division."
)
def disk_flat_forgotten(r, K):
    root = K.abs().sqrt()
    full = torch.where(K > 0, torch.sin(root * r), torch.sinh(root * r)) / root
    half = torch.where(K > 0, torch.sin(root * r / 2), torch.sinh(root * r / 2)) / root
    return 2 * torch.pi * full, 4 * torch.pi * half**2


@mistake(
    "On paper 2 pi (cosh(x) - 1) is the same, in the machine a tiny disk has lost its digits: cosh(x) rounds to 1. Use "
    "cosh(x) - 1 = 2 sinh(x/2)^2, and 1 - cos(x) = 2 sin(x/2)^2."
)
def disk_area_from_a_difference(r, K):
    safe = torch.where(K == 0, 1.0, K)
    root = safe.abs().sqrt()
    full = torch.where(K > 0, torch.sin(root * r), torch.where(K < 0, torch.sinh(root * r), root * r)) / root
    curved = torch.where(K > 0, 1 - torch.cos(root * r), 1 - torch.cosh(root * r)) / safe
    return 2 * torch.pi * full, 2 * torch.pi * torch.where(K == 0, r**2 / 2, curved)


DISK = Exercise(
    name="disk_size",
    title="Circumference and area of a disk, under any curvature",
    points=2,
    minutes=15,
    difficulty=2,
    rule="C = 2 pi sin(sqrt(K) r)/sqrt(K), A = 4 pi sin(sqrt(K) r/2)^2/K; sinh and -K where K < 0",
    reference=disk_size,
    cases=_disk_cases,
    properties=[
        Property(
            "twice as large, with a quarter of the curvature: twice the circumference",
            lambda f, r, K: (f(2 * r, K / 4)[0], 2 * f(r, K)[0]),
        ),
        Property(
            "C^2 = 4 pi A - K A^2, the isoperimetric identity of circles",
            lambda f, r, K: (f(r, K)[0] ** 2 + K * f(r, K)[1] ** 2, 4 * math.pi * f(r, K)[1]),
        ),
    ],
    outputs=["circumference", "area"],
    mistakes=[
        disk_signs_swapped,
        disk_without_unit,
        disk_k_for_root,
        disk_flat,
        disk_area_from_circumference,
        disk_flat_forgotten,
        disk_area_from_a_difference,
    ],
)

# --- gaussian_curvature -----------------------------------------------------------------------------------------------


def gaussian_curvature(patch: Tensor, u: Tensor) -> Tensor:
    def powers(s):
        """1, s, s^2, s^3 and their first and second derivatives."""
        one, zero = torch.ones_like(s), torch.zeros_like(s)
        rows = (one, s, s**2, s**3), (zero, one, 2 * s, 3 * s**2), (zero, zero, 2 * one, 6 * s)
        return [torch.stack(row, -1) for row in rows]

    p, q = powers(u[..., 0]), powers(u[..., 1])
    d1, d2, d11, d12, d22 = (
        torch.einsum("mij,...i,...j->...m", patch, p[a], q[b]) for a, b in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    )
    normal = torch.linalg.cross(d1, d2)
    h11, h12, h22 = ((d * normal).sum(-1) for d in (d11, d12, d22))
    return (h11 * h22 - h12**2) / (normal * normal).sum(-1) ** 2  # |d1 x d2|^2 = det g


def _patch(draw):
    """A surface that is nowhere near degenerate for |u| <= 1/2."""
    patch = 0.25 * draw.normal(3, 4, 4)
    patch[0, 1, 0] += 1.5
    patch[1, 0, 1] += 1.5
    patch[2, :3, :3] += 0.5 * draw.normal(3, 3)
    return patch


def _graph(**coefficients) -> Tensor:
    """The surface (s, t, z) with z = s^2 * s2 + t^2 * t2 + s t * st."""
    patch = torch.zeros(3, 4, 4, dtype=F64)
    patch[0, 1, 0] = patch[1, 0, 1] = 1.0
    for place, value in coefficients.items():
        patch[2][{"ss": (2, 0), "tt": (0, 2), "st": (1, 1)}[place]] = value
    return patch


def _surface_cases(draw):
    yield Case((_graph(ss=0.5, tt=-0.5), numbers(0.0, 0.0)), "the saddle z = (s^2 - t^2)/2 at its middle: K = -1")
    yield Case((_graph(ss=1.0, tt=0.5), numbers(0.2, -0.1)), "a bowl")
    yield Case((_patch(draw), draw.uniform(-0.5, 0.5, 2)), "a random surface")
    yield Case((_patch(draw), draw.uniform(-0.5, 0.5, 5, 2)), "5 points of one surface")
    yield Case((_patch(draw), draw.uniform(-0.5, 0.5, 2, 3, 2)), "2 x 3 points of one surface")
    yield Case((_graph(), draw.uniform(-0.5, 0.5, 2)), "a plane", edge=True)
    yield Case((_graph(ss=0.8), draw.uniform(-0.5, 0.5, 3, 2)), "a sheet, rolled up: K = 0", edge=True, gradient=False)


@mistake(
    "That is det h, which depends on the coordinates. Divide by det g; or, if you did, make the normal a unit vector."
)
def gaussian_without_first_form(patch, u):
    s, t = u[..., 0], u[..., 1]
    one, zero = torch.ones_like(s), torch.zeros_like(s)
    p = [torch.stack(r, -1) for r in ((one, s, s**2, s**3), (zero, one, 2 * s, 3 * s**2), (zero, zero, 2 * one, 6 * s))]
    q = [torch.stack(r, -1) for r in ((one, t, t**2, t**3), (zero, one, 2 * t, 3 * t**2), (zero, zero, 2 * one, 6 * t))]
    pairs = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    d1, d2, d11, d12, d22 = (torch.einsum("mij,...i,...j->...m", patch, p[a], q[b]) for a, b in pairs)
    normal = torch.linalg.cross(d1, d2)
    normal = normal / normal.norm(dim=-1, keepdim=True)
    h11, h12, h22 = ((d * normal).sum(-1) for d in (d11, d12, d22))
    return h11 * h22 - h12**2


@mistake("That is the mean curvature, half the sum of the principal curvatures. Gauss's curvature is their product.")
def gaussian_mean_curvature(patch, u):
    s, t = u[..., 0], u[..., 1]
    one, zero = torch.ones_like(s), torch.zeros_like(s)
    p = [torch.stack(r, -1) for r in ((one, s, s**2, s**3), (zero, one, 2 * s, 3 * s**2), (zero, zero, 2 * one, 6 * s))]
    q = [torch.stack(r, -1) for r in ((one, t, t**2, t**3), (zero, one, 2 * t, 3 * t**2), (zero, zero, 2 * one, 6 * t))]
    pairs = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    d1, d2, d11, d12, d22 = (torch.einsum("mij,...i,...j->...m", patch, p[a], q[b]) for a, b in pairs)
    normal = torch.linalg.cross(d1, d2)
    normal = normal / normal.norm(dim=-1, keepdim=True)
    h11, h12, h22 = ((d * normal).sum(-1) for d in (d11, d12, d22))
    g11, g12, g22 = ((a * b).sum(-1) for a, b in ((d1, d1), (d1, d2), (d2, d2)))
    return (h11 * g22 - 2 * h12 * g12 + h22 * g11) / (2 * (g11 * g22 - g12**2))


@mistake("The first form has a mixed term too: det g = g11 g22 - g12^2; d1 and d2 need not be orthogonal.")
def gaussian_coordinates_taken_for_orthogonal(patch, u):
    s, t = u[..., 0], u[..., 1]
    one, zero = torch.ones_like(s), torch.zeros_like(s)
    p = [torch.stack(r, -1) for r in ((one, s, s**2, s**3), (zero, one, 2 * s, 3 * s**2), (zero, zero, 2 * one, 6 * s))]
    q = [torch.stack(r, -1) for r in ((one, t, t**2, t**3), (zero, one, 2 * t, 3 * t**2), (zero, zero, 2 * one, 6 * t))]
    pairs = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    d1, d2, d11, d12, d22 = (torch.einsum("mij,...i,...j->...m", patch, p[a], q[b]) for a, b in pairs)
    normal = torch.linalg.cross(d1, d2)
    normal = normal / normal.norm(dim=-1, keepdim=True)
    h11, h12, h22 = ((d * normal).sum(-1) for d in (d11, d12, d22))
    return (h11 * h22 - h12**2) / ((d1 * d1).sum(-1) * (d2 * d2).sum(-1))


@mistake("det h = h11 h22 - h12^2: the mixed derivative is missing, without which no twist is seen.")
def gaussian_mixed_derivative_missing(patch, u):
    s, t = u[..., 0], u[..., 1]
    one, zero = torch.ones_like(s), torch.zeros_like(s)
    p = [torch.stack(r, -1) for r in ((one, s, s**2, s**3), (zero, one, 2 * s, 3 * s**2), (zero, zero, 2 * one, 6 * s))]
    q = [torch.stack(r, -1) for r in ((one, t, t**2, t**3), (zero, one, 2 * t, 3 * t**2), (zero, zero, 2 * one, 6 * t))]
    pairs = ((1, 0), (0, 1), (2, 0), (0, 2))
    d1, d2, d11, d22 = (torch.einsum("mij,...i,...j->...m", patch, p[a], q[b]) for a, b in pairs)
    normal = torch.linalg.cross(d1, d2)
    h11, h22 = ((d * normal).sum(-1) for d in (d11, d22))
    return h11 * h22 / (normal * normal).sum(-1) ** 2


def _turn_in_space(patch: Tensor) -> Tensor:
    """The surface, turned by a quarter about each of two axes and moved."""
    return (
        torch.stack((patch[1], patch[2], patch[0]))
        + torch.eye(4, dtype=patch.dtype)[0, :, None] * (torch.eye(4, dtype=patch.dtype)[0])
    )


SURFACE = Exercise(
    name="gaussian_curvature",
    title="The Gaussian curvature of a surface in space",
    points=3,
    minutes=25,
    difficulty=3,
    rule="K = det h / det g, with g_ij = <d_i p, d_j p>, h_ij = <d_i d_j p, N>, |N| = 1",
    reference=gaussian_curvature,
    cases=_surface_cases,
    properties=[
        Property("twice as large, a quarter as bent", lambda f, patch, u: (4 * f(2 * patch, u), f(patch, u))),
        Property(
            "turning and moving a surface in space bends nothing", lambda f, p, u: (f(_turn_in_space(p), u), f(p, u))
        ),
    ],
    vectors=["u"],
    mistakes=[
        gaussian_without_first_form,
        gaussian_mean_curvature,
        gaussian_coordinates_taken_for_orthogonal,
        gaussian_mixed_derivative_missing,
    ],
)

# --- christoffel ------------------------------------------------------------------------------------------------------


def christoffel(g: Tensor, dg: Tensor) -> Tensor:
    lowered = (
        torch.einsum("...jli->...lij", dg) + torch.einsum("...ilj->...lij", dg) - torch.einsum("...ijl->...lij", dg)
    ) / 2
    return torch.einsum("...kl,...lij->...kij", torch.linalg.inv(g), lowered)


def _jet(draw, *batch, n):
    """A metric near the identity, with random first and second derivatives of the right symmetries."""
    a, d, e = draw.normal(*batch, n, n), draw.normal(*batch, n, n, n), draw.normal(*batch, n, n, n, n)
    g = torch.eye(n, dtype=F64) + 0.15 * (a + a.transpose(-1, -2))
    g = g @ g.transpose(-1, -2) + 0.2 * torch.eye(n, dtype=F64)
    dg = 0.5 * (d + d.transpose(-3, -2))
    e = e + e.transpose(-4, -3)
    return g, dg, 0.5 * (e + e.transpose(-2, -1))


def _polar(r: float):
    """The flat plane in polar coordinates: g = diag(1, r^2), with its derivatives."""
    g, dg, ddg = torch.zeros(2, 2, dtype=F64), torch.zeros(2, 2, 2, dtype=F64), torch.zeros(2, 2, 2, 2, dtype=F64)
    g[0, 0], g[1, 1], dg[1, 1, 0], ddg[1, 1, 0, 0] = 1.0, r**2, 2 * r, 2.0
    return g, dg, ddg


def _christoffel_cases(draw):
    yield Case(_polar(2.0)[:2], "polar coordinates of the plane at r = 2")
    for n in (2, 3):
        yield Case(_jet(draw, n=n)[:2], f"{n} dimensions")
    yield Case(_jet(draw, 4, n=2)[:2], "a batch of 4, 2 dimensions")
    yield Case(_jet(draw, 2, 4, n=3)[:2], "a batch of 2 x 4, 3 dimensions")
    yield Case((_jet(draw, n=3)[0], torch.zeros(3, 3, 3, dtype=F64)), "a metric that does not change", edge=True)
    yield Case(_jet(draw, n=1)[:2], "one dimension", edge=True)


@mistake("The factor 1/2 is missing.")
def christoffel_without_half(g, dg):
    order = "...jli->...lij", "...ilj->...lij", "...ijl->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return torch.einsum("...kl,...lij->...kij", torch.linalg.inv(g), a + b - d)


@mistake("The first index is still down: multiply by the inverse of g. (Where g is the identity, nobody would notice.)")
def christoffel_not_raised(g, dg):
    order = "...jli->...lij", "...ilj->...lij", "...ijl->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return (a + b - d) / 2


@mistake("g itself stands where its inverse belongs: an index is raised with the inverse.")
def christoffel_raised_with_g(g, dg):
    order = "...jli->...lij", "...ilj->...lij", "...ijl->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return torch.einsum("...kl,...lij->...kij", g, (a + b - d) / 2)


@mistake("The numbers are right, their order is not: the upper index k comes first, [..., k, i, j].")
def christoffel_upper_index_last(g, dg):
    order = "...jli->...lij", "...ilj->...lij", "...ijl->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return torch.einsum("...kl,...lij->...ijk", torch.linalg.inv(g), (a + b - d) / 2)


@mistake("dg[..., i, j, l] is the derivative of g_ij by x_l: the direction of the derivative is the last index.")
def christoffel_derivative_index_first(g, dg):
    order = "...ijl->...lij", "...jil->...lij", "...lij->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return torch.einsum("...kl,...lij->...kij", torch.linalg.inv(g), (a + b - d) / 2)


@mistake("All three terms have a plus in yours; the last one, the derivative of g_ij by x_l, is subtracted.")
def christoffel_plus_for_minus(g, dg):
    order = "...jli->...lij", "...ilj->...lij", "...ijl->...lij"
    a, b, d = (torch.einsum(letters, dg) for letters in order)
    return torch.einsum("...kl,...lij->...kij", torch.linalg.inv(g), (a + b + d) / 2)


CHRISTOFFEL = Exercise(
    name="christoffel",
    title="Christoffel symbols from the slope of a metric",
    points=3,
    minutes=20,
    difficulty=3,
    rule="G^k_ij = 1/2 sum over l of g^kl (d_i g_lj + d_j g_li - d_l g_ij), in the order [k, i, j]",
    reference=christoffel,
    cases=_christoffel_cases,
    properties=[
        Property("the order of i and j does not matter", lambda f, g, dg: (f(g, dg), f(g, dg).transpose(-1, -2))),
        Property("in another unit of length the symbols are the same", lambda f, g, dg: (f(4 * g, 4 * dg), f(g, dg))),
    ],
    differentiable=False,  # what a formula does with a g that is not symmetric is its own business
    mistakes=[
        christoffel_without_half,
        christoffel_not_raised,
        christoffel_raised_with_g,
        christoffel_upper_index_last,
        christoffel_derivative_index_first,
        christoffel_plus_for_minus,
    ],
)

# --- sectional_curvature ----------------------------------------------------------------------------------------------


def sectional_curvature(g: Tensor, dg: Tensor, ddg: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """By the derivatives along u and v alone, with all indices down.

    <R(u,v)v,u> = -1/2 (g(v,v)_uu + g(u,u)_vv - 2 g(u,v)_uv) + <G(u,v), G(u,v)> - <G(u,u), G(v,v)>, where a letter below
    is a derivative: lowered, and both products of Christoffel symbols taken in g. Lee (2018), problem 7-3.
    """
    gamma = christoffel(g, dg)
    uu, vv, uv = (torch.einsum("...kij,...i,...j->...k", gamma, a, b) for a, b in ((u, u), (v, v), (u, v)))

    def product(a, b):
        return torch.einsum("...ij,...i,...j->...", g, a, b)

    def second(a, b, p, q):
        return torch.einsum("...ijkl,...i,...j,...k,...l->...", ddg, a, b, p, q)

    bend = -(second(v, v, u, u) + second(u, u, v, v) - 2 * second(u, v, u, v)) / 2
    return (bend + product(uv, uv) - product(uu, vv)) / (product(u, u) * product(v, v) - product(u, v) ** 2)


def _spanning(draw, *batch, n):
    """Two vectors for each plane, far from parallel."""
    frame = torch.linalg.qr(draw.normal(*batch, n, 2))[0]
    u, v = frame.unbind(-1)
    return draw.uniform(0.7, 1.5, *batch, 1) * u, draw.uniform(0.7, 1.5, *batch, 1) * v + draw.uniform(
        -0.4, 0.4, *batch, 1
    ) * u


def _sectional_cases(draw):
    e1, e2 = torch.eye(2, dtype=F64)
    flat, none = torch.eye(2, dtype=F64), torch.zeros(2, 2, 2, dtype=F64)
    bowl = torch.zeros(2, 2, 2, 2, dtype=F64)
    bowl[1, 1, 0, 0] = 2.0  # dx^2 + (1 + x^2) dy^2 at x = 0
    yield Case((flat, none, bowl, e1, e2), "dx^2 + (1 + x^2) dy^2 at x = 0: K = -1")
    yield Case((*_jet(draw, n=2), *_spanning(draw, n=2)), "2 dimensions")
    yield Case((*_jet(draw, 4, n=2), *_spanning(draw, 4, n=2)), "a batch of 4, 2 dimensions")
    yield Case((*_jet(draw, 2, 4, n=3), *_spanning(draw, 2, 4, n=3)), "a batch of 2 x 4, 3 dimensions")
    yield Case((*_jet(draw, n=4), *_spanning(draw, 5, n=4)), "one metric, 5 planes in 4 dimensions")
    yield Case((*_polar(1.5), e1 + e2, e2), "the flat plane in polar coordinates: K = 0", edge=True)
    g, dg, ddg = _jet(draw, n=3)
    yield Case((g, 0 * dg, 0 * ddg, *_spanning(draw, n=3)), "a metric that does not change: K = 0", edge=True)


@mistake(
    "The derivative of G^k_ij has two parts: of the bracket and of the inverse of g, d(g^-1) = -g^-1 dg g^-1. The "
    "second is missing."
)
def sectional_inverse_taken_as_constant(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    a, b, d = (torch.einsum(s, ddg) for s in ("...jlim->...lijm", "...iljm->...lijm", "...ijlm->...lijm"))
    slope = torch.einsum("...kl,...lijm->...kijm", inverse, (a + b - d) / 2)
    half = torch.einsum("...ljki->...lkij", slope) + torch.einsum("...lim,...mjk->...lkij", gamma, gamma)
    riemann = half - half.transpose(-1, -2)
    top = torch.einsum("...lkij,...i,...j,...k,...lm,...m->...", riemann, u, v, v, g, u)
    uu, vv, uv = (torch.einsum("...ij,...i,...j->...", g, p, q) for p, q in ((u, u), (v, v), (u, v)))
    return top / (uu * vv - uv**2)


@mistake("The products of two Christoffel symbols are missing; they vanish only at special points.")
def sectional_without_products(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    a, b, d = (torch.einsum(s, ddg) for s in ("...jlim->...lijm", "...iljm->...lijm", "...ijlm->...lijm"))
    slope = torch.einsum("...kl,...lijm->...kijm", inverse, (a + b - d) / 2)
    slope = slope - torch.einsum("...kl,...lpm,...pij->...kijm", inverse, dg, gamma)
    half = torch.einsum("...ljki->...lkij", slope)
    riemann = half - half.transpose(-1, -2)
    top = torch.einsum("...lkij,...i,...j,...k,...lm,...m->...", riemann, u, v, v, g, u)
    uu, vv, uv = (torch.einsum("...ij,...i,...j->...", g, p, q) for p, q in ((u, u), (v, v), (u, v)))
    return top / (uu * vv - uv**2)


@mistake(
    "Divide by the squared area of the parallelogram of u and v, |u|^2 |v|^2 - <u, v>^2: the curvature belongs to the "
    "plane and not to the two vectors."
)
def sectional_not_over_area(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    uu, vv, uv = (torch.einsum("...kij,...i,...j->...k", gamma, p, q) for p, q in ((u, u), (v, v), (u, v)))
    parts = [
        torch.einsum("...ijkl,...i,...j,...k,...l->...", ddg, *p) for p in ((v, v, u, u), (u, u, v, v), (u, v, u, v))
    ]
    bend = parts[2] - (parts[0] + parts[1]) / 2
    return bend + torch.einsum("...ij,...i,...j->...", g, uv, uv) - torch.einsum("...ij,...i,...j->...", g, uu, vv)


@mistake("The inner products in the denominator must be those of g, not the Euclidean ones of the coordinates.")
def sectional_euclidean_area(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    uu, vv, uv = (torch.einsum("...kij,...i,...j->...k", gamma, p, q) for p, q in ((u, u), (v, v), (u, v)))
    parts = [
        torch.einsum("...ijkl,...i,...j,...k,...l->...", ddg, *p) for p in ((v, v, u, u), (u, u, v, v), (u, v, u, v))
    ]
    bend = parts[2] - (parts[0] + parts[1]) / 2
    top = bend + torch.einsum("...ij,...i,...j->...", g, uv, uv) - torch.einsum("...ij,...i,...j->...", g, uu, vv)
    return top / ((u * u).sum(-1) * (v * v).sum(-1) - (u * v).sum(-1) ** 2)


@mistake("The sign is flipped: it is <R(u, v) v, u>, not <R(u, v) u, v>. A sphere must come out positive.")
def sectional_sign_flipped(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    uu, vv, uv = (torch.einsum("...kij,...i,...j->...k", gamma, p, q) for p, q in ((u, u), (v, v), (u, v)))
    parts = [
        torch.einsum("...ijkl,...i,...j,...k,...l->...", ddg, *p) for p in ((v, v, u, u), (u, u, v, v), (u, v, u, v))
    ]
    bend = parts[2] - (parts[0] + parts[1]) / 2
    top = bend + torch.einsum("...ij,...i,...j->...", g, uv, uv) - torch.einsum("...ij,...i,...j->...", g, uu, vv)
    uu, vv, uv = (torch.einsum("...ij,...i,...j->...", g, p, q) for p, q in ((u, u), (v, v), (u, v)))
    return -top / (uu * vv - uv**2)


@mistake("The last inner product, of R(u, v) v with u, must be taken with g too.")
def sectional_curvature_not_lowered(g, dg, ddg, u, v):
    inverse = torch.linalg.inv(g)
    a, b, d = (torch.einsum(s, dg) for s in ("...jli->...lij", "...ilj->...lij", "...ijl->...lij"))
    gamma = torch.einsum("...kl,...lij->...kij", inverse, (a + b - d) / 2)
    a, b, d = (torch.einsum(s, ddg) for s in ("...jlim->...lijm", "...iljm->...lijm", "...ijlm->...lijm"))
    slope = torch.einsum("...kl,...lijm->...kijm", inverse, (a + b - d) / 2)
    slope = slope - torch.einsum("...kl,...lpm,...pij->...kijm", inverse, dg, gamma)
    half = torch.einsum("...ljki->...lkij", slope) + torch.einsum("...lim,...mjk->...lkij", gamma, gamma)
    riemann = half - half.transpose(-1, -2)
    top = torch.einsum("...lkij,...i,...j,...k,...l->...", riemann, u, v, v, u)
    uu, vv, uv = (torch.einsum("...ij,...i,...j->...", g, p, q) for p, q in ((u, u), (v, v), (u, v)))
    return top / (uu * vv - uv**2)


SECTIONAL = Exercise(
    name="sectional_curvature",
    title="Curvature from a metric alone",
    points=4,
    minutes=40,
    difficulty=5,
    rule="K = <R(u, v) v, u> / (|u|^2 |v|^2 - <u, v>^2), all inner products in g",
    reference=sectional_curvature,
    cases=_sectional_cases,
    properties=[
        Property(
            "another basis of the same plane gives the same curvature",
            lambda f, g, dg, ddg, u, v: (f(g, dg, ddg, u + v, v - u), f(g, dg, ddg, u, v)),
        ),
        Property(
            "twice as large (4 g), a quarter as bent",
            lambda f, g, dg, ddg, u, v: (4 * f(4 * g, 4 * dg, 4 * ddg, u, v), f(g, dg, ddg, u, v)),
        ),
    ],
    vectors=["u", "v"],
    differentiable=False,
    mistakes=[
        sectional_inverse_taken_as_constant,
        sectional_without_products,
        sectional_not_over_area,
        sectional_euclidean_area,
        sectional_sign_flipped,
        sectional_curvature_not_lowered,
    ],
)

# --- ball_metric: find the bug ----------------------------------------------------------------------------------------


def ball_metric(x: Tensor, c: float) -> Tensor:
    scale = 2 / (1 - c * (x * x).sum(-1))
    return (scale**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


def _metric_cases(draw):
    yield Case((numbers(0.5, 0.0), 1.0), "one point")
    for c in CURVATURES:
        yield Case((draw.ball_points(2, c=c, near=0.3, far=2.0), c), "one point of the disk")
    yield Case((draw.ball_points(4, 3, c=2.0, near=0.3, far=2.0), 2.0), "a batch of 4, 3 dimensions")
    yield Case((draw.ball_points(2, 3, 5, c=0.5, near=0.3, far=2.0), 0.5), "a batch of 2 x 3, 5 dimensions")
    yield Case((torch.zeros(2, dtype=F64), 2.0), "the centre", edge=True)
    yield Case((draw.ball_points(3, 2, c=0.1, near=2.5, far=3.0), 0.1), "near the rim", edge=True)


@mistake("c is still read as the radius of the ball. The curvature is -c: the radius is 1/sqrt(c).")
def metric_c_as_radius(x, c):
    scale = 2 / (1 - (x * x).sum(-1) / c**2)
    return (scale**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


@mistake("The curvature is missing, the commonest bug of the field: whatever c is, yours measures -1.")
def metric_without_curvature(x, c):
    scale = 2 / (1 - (x * x).sum(-1))
    return (scale**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


@mistake(
    "The conformal factor stretches lengths; the metric holds squared lengths, so the factor must be squared. Without, "
    "the measured curvature is not even constant."
)
def metric_not_squared(x, c):
    scale = 2 / (1 - c * (x * x).sum(-1))
    return scale[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


@mistake("Without the 2 in the factor all lengths are halved, and the measured curvature is -4c.")
def metric_without_two(x, c):
    scale = 1 / (1 - c * (x * x).sum(-1))
    return (scale**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


@mistake("The factor holds |x|^2, the squared norm; yours has |x|, and a kink at the centre.")
def metric_norm_not_squared(x, c):
    scale = 2 / (1 - math.sqrt(c) * x.norm(dim=-1))
    return (scale**2)[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)


@mistake("All points of a batch share one |x|^2 in yours: sum over the last dimension only.")
def metric_of_the_whole_batch(x, c):
    scale = 2 / (1 - c * (x * x).sum())
    return (scale**2) * torch.eye(x.shape[-1], dtype=x.dtype).expand(*x.shape, x.shape[-1])


METRIC = Exercise(
    name="ball_metric",
    title="Find the bugs: a metric that is not what it says",
    points=2,
    minutes=12,
    difficulty=2,
    rule="g(x) = (2 / (1 - c |x|^2))^2 times the identity matrix; its curvature measures -c",
    reference=ball_metric,
    cases=_metric_cases,
    properties=[
        Property(
            "half the size with curvature -4c: lengths halve, squared lengths quarter, coordinates halve too",
            lambda f, x, c: (f(x / 2, 4 * c), f(x, c)),
        ),
    ],
    vectors=["x"],
    rounding=lambda g, e: g + e * g.amax((-1, -2), keepdim=True),  # entries that are 0 may be differences
    mistakes=[
        metric_c_as_radius,
        metric_without_curvature,
        metric_not_squared,
        metric_without_two,
        metric_norm_not_squared,
        metric_of_the_whole_batch,
    ],
)

# --- geodesic ---------------------------------------------------------------------------------------------------------


def geodesic(x: Tensor, v: Tensor, c: float, time: float, steps: int) -> tuple[Tensor, Tensor]:
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(state):
        x, v = state
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        return torch.stack((v, factor * turn))

    state, h = torch.stack(torch.broadcast_tensors(x, v)), time / steps
    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state[0], state[1]


def _starts(draw, *shape, c):
    """Points, and velocities of about unit speed there."""
    x = draw.ball_points(*shape, c=c, near=0.3, far=1.2)
    v = draw.normal(*shape)
    return x, v / v.norm(dim=-1, keepdim=True) * (1 - c * (x * x).sum(-1, keepdim=True)) / 2


def _geodesic_cases(draw):
    yield Case((numbers(0.3, 0.0), numbers(0.0, 0.4), 1.0, 1.0, 1), "one step")
    yield Case((numbers(0.3, 0.0), numbers(0.0, 0.4), 1.0, 1.0, 3), "three steps")
    for c in CURVATURES:
        yield Case((*_starts(draw, 2, c=c), c, 0.6 / math.sqrt(c), 1), "one start", gradient=c in (0.1, 2.0))
    yield Case((*_starts(draw, 4, 3, c=2.0), 2.0, 0.5, 2), "a batch of 4, 3 dimensions")
    yield Case((*_starts(draw, 2, 3, 2, c=0.5), 0.5, -0.6, 2), "a batch of 2 x 3, back in time")
    x, v = _starts(draw, 5, 2, c=2.0)
    yield Case((x[0], v, 2.0, 0.5, 2), "one point, 5 directions")
    yield Case((torch.zeros(2, dtype=F64), draw.normal(2) / 2, 0.5, 1.0, 4), "from the centre", edge=True)
    yield Case((x[1], 0 * v[1], 2.0, 1.0, 2), "a velocity of 0", edge=True, gradient=False)
    yield Case((x, v, 2.0, 1.0, 0), "no steps", raises=ValueError)


@mistake("That is Euler's method, one slope for each step. The docstring asks for the method of Runge and Kutta.")
def geodesic_by_euler(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")
    x, v = torch.broadcast_tensors(x, v)
    for _ in range(steps):
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        x, v = x + time / steps * v, v + time / steps * factor * turn
    return x, v


@mistake("The sign of the acceleration is flipped: then paths bend towards the rim instead of towards the centre.")
def geodesic_sign_flipped(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(x, v):
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        return v, -factor * turn

    (x, v), h = torch.broadcast_tensors(x, v), time / steps
    for _ in range(steps):
        a1, b1 = slope(x, v)
        a2, b2 = slope(x + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(x + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(x + h * a3, v + h * b3)
        x, v = x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4), v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return x, v


@mistake("The curvature is missing: your acceleration is the one for c = 1.")
def geodesic_path_without_curvature(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(x, v):
        factor = 2 / (1 - (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        return v, factor * turn

    (x, v), h = torch.broadcast_tensors(x, v), time / steps
    for _ in range(steps):
        a1, b1 = slope(x, v)
        a2, b2 = slope(x + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(x + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(x + h * a3, v + h * b3)
        x, v = x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4), v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return x, v


@mistake(
    "The term with <x, v> comes twice, once from each of the two equal Christoffel symbols G^k_ij and G^k_ji: its "
    "factor is 2."
)
def geodesic_mixed_term_once(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(x, v):
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - (x * v).sum(-1, keepdim=True) * v
        return v, factor * turn

    (x, v), h = torch.broadcast_tensors(x, v), time / steps
    for _ in range(steps):
        a1, b1 = slope(x, v)
        a2, b2 = slope(x + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(x + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(x + h * a3, v + h * b3)
        x, v = x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4), v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return x, v


@mistake("The four slopes count 1, 2, 2, 1 (over 6). With equal weights the method is exact to second order only.")
def geodesic_equal_weights(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(x, v):
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        return v, factor * turn

    (x, v), h = torch.broadcast_tensors(x, v), time / steps
    for _ in range(steps):
        a1, b1 = slope(x, v)
        a2, b2 = slope(x + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(x + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(x + h * a3, v + h * b3)
        x, v = x + h / 4 * (a1 + a2 + a3 + a4), v + h / 4 * (b1 + b2 + b3 + b4)
    return x, v


@mistake("Each of your steps takes the whole time; a step lasts time / steps.")
def geodesic_steps_too_long(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(x, v):
        factor = 2 * c / (1 - c * (x * x).sum(-1, keepdim=True))
        turn = (v * v).sum(-1, keepdim=True) * x - 2 * (x * v).sum(-1, keepdim=True) * v
        return v, factor * turn

    (x, v), h = torch.broadcast_tensors(x, v), time
    for _ in range(steps):
        a1, b1 = slope(x, v)
        a2, b2 = slope(x + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(x + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(x + h * a3, v + h * b3)
        x, v = x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4), v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return x, v


@mistake("Straight on in coordinates is straight ahead in the flat plane only: in the ball the velocity turns.")
def geodesic_straight_in_coordinates(x, v, c, time, steps):
    if steps < 1:
        raise ValueError("steps must be at least 1")
    return x + time * v, v + 0 * x


GEODESIC = Exercise(
    name="geodesic",
    title="Walk straight ahead: integrate the geodesic equation",
    points=3,
    minutes=25,
    difficulty=4,
    rule="x'' = 2c/(1 - c|x|^2) (|x'|^2 x - 2 <x, x'> x'), in steps of Runge and Kutta",
    reference=geodesic,
    cases=_geodesic_cases,
    properties=[
        Property(
            "half the way and then the other half is the whole way",
            lambda f, x, v, c, time, steps: (
                f(*f(x, v, c, time / 2, steps), c, time / 2, steps)[0],
                f(x, v, c, time, 2 * steps)[0],
            ),
        ),
        Property(
            "half the size in a ball of curvature -4c is the same picture",
            lambda f, x, v, c, time, steps: (2 * f(x / 2, v / 2, 4 * c, time, steps)[0], f(x, v, c, time, steps)[0]),
        ),
    ],
    vectors=["x", "v"],
    outputs=["position", "velocity"],
    mistakes=[
        geodesic_by_euler,
        geodesic_sign_flipped,
        geodesic_path_without_curvature,
        geodesic_mixed_term_once,
        geodesic_equal_weights,
        geodesic_steps_too_long,
        geodesic_straight_in_coordinates,
    ],
)

# --- curvature_of_circle: the challenge -------------------------------------------------------------------------------


def curvature_of_circle(r: Tensor, circumference: Tensor) -> Tensor:
    """Bisection for t = K r^2: sin(sqrt t)/sqrt t, continued to t <= 0, falls from infinity to 0 at pi^2."""
    r, circumference = torch.broadcast_tensors(r, circumference)
    ratio = circumference / (2 * math.pi * r)
    low, high = -((2 * ratio.clamp_min(1).log() + 4) ** 2), torch.full_like(ratio, math.pi**2)
    for _ in range(60):
        middle = (low + high) / 2
        small = _chord(torch.ones_like(middle), middle) < ratio
        low, high = torch.where(small, low, middle), torch.where(small, middle, high)
    return (low + high) / 2 / r**2


def _circle_cases(draw):
    yield Case((numbers(1.0)[0], numbers(2 * math.pi * math.sinh(1))[0]), "K = -1, r = 1")
    yield Case((numbers(1.0)[0], numbers(2 * math.pi * math.sin(1))[0]), "K = 1, r = 1")
    for sign in (-1, 1):
        c = numbers(*CURVATURES)
        r = draw.uniform(0.8, 2.5, len(c)) / c.sqrt()
        yield Case((r, 2 * math.pi * _chord(r, sign * c)), "one radius for each curvature")
    r, K = draw.uniform(0.8, 1.5, 2, 3), draw.uniform(-2.0, 2.0, 2, 3)
    yield Case((r, 2 * math.pi * _chord(r, K)), "a batch of 2 x 3")
    yield Case((numbers(1.5)[0], 2 * math.pi * draw.uniform(1.0, 4.0, 5)), "one radius, 5 circumferences")
    yield Case((numbers(1.0, 2.0), 2 * math.pi * numbers(1.0, 2.0)), "flat: K = 0 up to rounding", edge=True)
    yield Case((numbers(30.0)[0], 2 * math.pi * numbers(30.0).sinh()[0]), "a huge hyperbolic circle", edge=True)
    yield Case((numbers(1.0)[0], numbers(1e-3)[0]), "almost around a sphere", edge=True)


@mistake(
    "That is the first term of a series, right for tiny circles: K = lim 3 (2 pi r - C) / (pi r^3). For a circle of "
    "any size solve C = 2 pi sin(sqrt(K) r)/sqrt(K), or its hyperbolic twin, for K."
)
def circle_of_first_order(r, circumference):
    return 3 * (2 * torch.pi * r - circumference) / (torch.pi * r**3)


@mistake("The sign is flipped: a circle that is longer than 2 pi r has K < 0.")
def circle_sign_flipped(r, circumference):
    r, circumference = torch.broadcast_tensors(r, circumference)
    ratio = circumference / (2 * torch.pi * r)
    low, high = -((2 * ratio.clamp_min(1).log() + 4) ** 2), torch.full_like(ratio, torch.pi**2)
    for _ in range(60):
        t = (low + high) / 2
        root = torch.where(t == 0, 1.0, t).abs().sqrt()
        value = torch.where(t > 0, root.sin(), torch.where(t < 0, root.sinh(), root)) / root
        low, high = torch.where(value < ratio, low, t), torch.where(value < ratio, t, high)
    return -(low + high) / 2 / r**2


@mistake("You solved for K r^2, which has no unit; divide by r^2.")
def circle_without_unit(r, circumference):
    r, circumference = torch.broadcast_tensors(r, circumference)
    ratio = circumference / (2 * torch.pi * r)
    low, high = -((2 * ratio.clamp_min(1).log() + 4) ** 2), torch.full_like(ratio, torch.pi**2)
    for _ in range(60):
        t = (low + high) / 2
        root = torch.where(t == 0, 1.0, t).abs().sqrt()
        value = torch.where(t > 0, root.sin(), torch.where(t < 0, root.sinh(), root)) / root
        low, high = torch.where(value < ratio, low, t), torch.where(value < ratio, t, high)
    return (low + high) / 2


@mistake("Circles shorter than 2 pi r exist too: on a dome K > 0. Yours knows only the hyperbolic ones.")
def circle_hyperbolic_only(r, circumference):
    r, circumference = torch.broadcast_tensors(r, circumference)
    ratio = circumference / (2 * torch.pi * r)
    low, high = -((2 * ratio.clamp_min(1).log() + 4) ** 2), torch.zeros_like(ratio)
    for _ in range(60):
        t = (low + high) / 2
        root = torch.where(t == 0, 1.0, t).abs().sqrt()
        value = torch.where(t < 0, root.sinh(), root) / root
        low, high = torch.where(value < ratio, low, t), torch.where(value < ratio, t, high)
    return (low + high) / 2 / r**2


CIRCLE = Exercise(
    name="curvature_of_circle",
    title="Challenge: the curvature of a world from one circle",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="2 pi sin(sqrt(K) r)/sqrt(K) = circumference, with sinh and -K where K < 0",
    reference=curvature_of_circle,
    cases=_circle_cases,
    properties=[
        Property(
            "twice as large, a quarter as bent",
            lambda f, r, circumference: (4 * f(2 * r, 2 * circumference), f(r, circumference)),
        ),
    ],
    differentiable=False,
    mistakes=[circle_of_first_order, circle_sign_flipped, circle_without_unit, circle_hyperbolic_only],
)

REVIEW = Written(
    name="swiss_roll",
    title="The curved data of a colleague",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: a rolled sheet bends in space (one principal curvature is not 0) but its Gaussian curvature is 0: "
        "lengths on it are those of the flat sheet.",
        "1 point: names a measurement from inside, along the surface, that decides: angle sums of triangles, "
        "circumferences of circles, or how the number of points grows with the radius; and what each shows if K < 0.",
        "1 point: concludes: distances along a Swiss roll fit a flat plane without distortion, so the roll is no "
        "reason for a hyperbolic model; what would be is K < 0 (tree-like growth), and K > 0 would speak against it.",
    ],
)

SET = ExerciseSet(
    "02_curvature",
    [ANGLES, DISK, SURFACE, CHRISTOFFEL, SECTIONAL, METRIC, GEODESIC, CIRCLE],
    [REVIEW],
    masked=["hyplearn.riemann", "hyplearn.manifolds.PoincareBall.inner", "hyplearn.manifolds.PoincareBall.lambda_x"],
)
