# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 01 · Did Euclid make a mistake?
#
# Seven functions and one letter. Together they are a small kit for living in a plane without the fifth postulate: you
# can draw its lines, measure its triangles and tell whether two lines will ever meet.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's own versions of these functions are switched off then.)
#
# **What holds everywhere.** The plane has curvature $-c$ with a number $c > 0$, and is drawn as the open disk of radius
# $1/\sqrt c$. Angles are in radians. Tensors are `float32` or `float64`, results have the dtype of the input, and no
# argument is changed. Every function works on a whole batch at once: the `...` in a shape stands for any number of
# leading dimensions, none included, which broadcast as usual in torch. Stay with torch from beginning to end, then
# gradients come for free; they are checked too.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn import plane, viz
from hyplearn.grading import checker

check = checker("01_parallel_postulate")

# %% [markdown] id="about-triangle_area"
# ## 1 · How large is a triangle?
#
# {{exercise:triangle_area}}
#
# In Euclid's plane the angles of a triangle say nothing about its size. Here they say everything.


# %% solution="triangle_area"
def triangle_area(angles: Tensor, c: float) -> Tensor:
    """The area of a triangle with the given inner angles: what they lack to pi, divided by c.

    Args:
        angles: (..., 3), the three inner angles. An angle of 0 is allowed: its corner lies on the rim.
        c: the plane has curvature -c.

    Returns:
        (...), one area for each triangle.
    """
    ### BEGIN SOLUTION
    return (math.pi - angles.sum(-1)) / c
    ### END SOLUTION


# %% test="triangle_area"
check(triangle_area)
### BEGIN HIDDEN TESTS
check(triangle_area, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-angle_of_parallelism"
# ## 2 · When does a line stop hitting?
#
# {{exercise:angle_of_parallelism}}
#
# Stand at a distance $d$ from a straight road and look along the perpendicular to it. Now turn. From a certain angle
# on, your line of sight misses the road for ever. Lobachevsky and Bolyai found that angle, $\Pi(d)$:
#
# $$\tan\frac{\Pi(d)}{2} = e^{-\sqrt c\, d}.$$


# %% solution="angle_of_parallelism"
def angle_of_parallelism(d: Tensor, c: float) -> Tensor:
    """The angle between the perpendicular to a line, of length d, and the limiting parallel from its other end.

    It is as exact as the dtype allows for every distance: from pi/2 at d = 0 down to angles of 1e-11 and less far away,
    which are tiny but not 0.

    Args:
        d: (...), distances >= 0.
        c: the plane has curvature -c.

    Returns:
        (...), angles in (0, pi/2].
    """
    ### BEGIN SOLUTION
    return 2 * torch.atan(torch.exp(-math.sqrt(c) * d))
    ### END SOLUTION


# %% test="angle_of_parallelism"
check(angle_of_parallelism)
### BEGIN HIDDEN TESTS
check(angle_of_parallelism, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-geodesic_through"
# ## 3 · Draw a line
#
# {{exercise:geodesic_through}}
#
# The lines of the disk are the arcs of circles that meet the rim at right angles, and the diameters. At a right angle,
# Pythagoras helps: a circle with centre $m$ and radius $r$ does so if $|m|^2 = r^2 + 1/c$. And $x$ lies on it
# if $|x - m|^2 = r^2$. Subtract one from the other: what remains is linear in $m$, and two points give two equations.


# %% solution="geodesic_through"
def geodesic_through(x: Tensor, y: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """The circle whose arc in the disk is the line through x and y.

    If x and y lie on one diameter, the line is straight. That is the case where |x0 y1 - x1 y0| <= 4 eps |x| |y|, with
    eps = torch.finfo(x.dtype).eps; it includes pairs of which one point is the centre. The result is then, by
    convention, centre = (0, 0) and radius = inf. A batch may hold both kinds. (Gradients are checked for arcs only,
    away from the rim.)

    Args:
        x, y: (..., 2), points inside the disk of radius 1/sqrt(c); their batches broadcast.
        c: the plane has curvature -c.

    Returns:
        The pair (centre, radius), of shapes (..., 2) and (...).

    Raises:
        ValueError: if the last dimension of x or y is not 2, or if x and y are the same point anywhere in the batch.
    """
    ### BEGIN SOLUTION
    if x.shape[-1] != 2 or y.shape[-1] != 2:
        raise ValueError("x and y must have shape (..., 2)")
    if bool((x == y).all(-1).any()):
        raise ValueError("x and y must be different points")
    x, y = torch.broadcast_tensors(x, y)
    # x and y each obey 2 <m, x> = |x|^2 + 1/c: two linear equations, solved by Cramer's rule.
    p, q = ((x * x).sum(-1) + 1 / c) / 2, ((y * y).sum(-1) + 1 / c) / 2
    determinant = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    straight = determinant.abs() <= 4 * torch.finfo(x.dtype).eps * x.norm(dim=-1) * y.norm(dim=-1)
    safe = torch.where(straight, 1.0, determinant)
    centre = torch.stack((p * y[..., 1] - q * x[..., 1], q * x[..., 0] - p * y[..., 0]), -1) / safe.unsqueeze(-1)
    centre = torch.where(straight.unsqueeze(-1), 0.0, centre)
    return centre, torch.where(straight, math.inf, (x - centre).norm(dim=-1))
    ### END SOLUTION


# %% test="geodesic_through"
check(geodesic_through)
### BEGIN HIDDEN TESTS
check(geodesic_through, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-triangle_angles"
# ## 4 · Measure a triangle
#
# {{exercise:triangle_angles}}
#
# Two roads lead here. *Trigonometry:* the distance $d$ of two points, and the angle opposite the side $A$ of a triangle
# whose sides, each times $\sqrt c$, are $A$, $B$ and $D$, obey
#
# $$\sinh\frac{\sqrt c\,d(x,y)}{2} = \frac{\sqrt c\,|x-y|}{\sqrt{(1-c|x|^2)(1-c|y|^2)}}, \qquad
# \cos\alpha = \frac{\cosh B\cosh D - \cosh A}{\sinh B\sinh D}.$$
#
# *Geometry:* the disk shows angles as they are, so move a corner to the centre by an isometry; from there lines look
# straight.


# %% solution="triangle_angles"
def triangle_angles(x: Tensor, y: Tensor, z: Tensor, c: float) -> Tensor:
    """The inner angles of the triangle with corners x, y and z, in this order.

    Three points on one line are a triangle, too: its angles are pi at the corner in the middle and 0 at the others. An
    angle may be as far off as an `acos` makes it whose argument is off by a few roundings: about sqrt(eps) at 0 and pi.
    (Gradients are checked for three points that are neither on one line nor near the rim.)

    Args:
        x, y, z: (..., 2), three different points inside the disk of radius 1/sqrt(c); their batches broadcast.
        c: the plane has curvature -c.

    Returns:
        (..., 3): the angles at x, at y and at z. Never NaN.
    """
    ### BEGIN SOLUTION
    x, y, z = torch.broadcast_tensors(x, y, z)

    def side(u, v):  # times sqrt(c)
        gap = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
        return 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gap.sqrt())

    def angle(a, b, d):  # opposite a
        cos = (torch.cosh(b) * torch.cosh(d) - torch.cosh(a)) / (torch.sinh(b) * torch.sinh(d))
        return torch.acos(cos.clamp(-1, 1))  # rounding may carry a cosine past 1

    a, b, d = side(y, z), side(z, x), side(x, y)
    return torch.stack((angle(a, b, d), angle(b, d, a), angle(d, a, b)), -1)
    ### END SOLUTION


# %% test="triangle_angles"
check(triangle_angles)
### BEGIN HIDDEN TESTS
check(triangle_angles, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-relation"
# ## 5 · Do they meet?
#
# {{exercise:relation}}
#
# A line is known by its two ideal points, where it would reach the rim, and an ideal point by its angle on the rim.
# That is enough to tell whether two lines meet, and no formula is needed: think of two chords of a cake. Notice what is
# missing among the arguments: the answer does not depend on the curvature.


# %% solution="relation"
def relation(first: Tensor, second: Tensor) -> Tensor:
    """How two lines lie to each other, each given by the angles of its two ideal points.

    Angles are any real numbers: t and t + 2 pi are the same ideal point. Two ideal points count as one if the angle
    between them is less than 1e-4; different ones are always much further apart. The two ideal points of one line are
    different and come in any order.

    Args:
        first, second: (..., 2), angles in radians; their batches broadcast.

    Returns:
        (...), an int64 tensor: 0 the lines meet in one point of the disk, 1 they are limiting parallels (exactly one
        common ideal point), 2 they are ultraparallel (nothing in common), 3 they are the same line.
    """

    ### BEGIN SOLUTION
    def walk(a, b):
        """From a counter-clockwise to b, in [0, 2 pi); exactly 0 if they are the same ideal point."""
        angle = torch.remainder(b - a, 2 * math.pi)
        return torch.where(torch.minimum(angle, 2 * math.pi - angle) < 1e-4, 0.0, angle)

    (a, b), (p, q) = first.unbind(-1), second.unbind(-1)
    common_p, common_q = (walk(a, p) == 0) | (walk(b, p) == 0), (walk(a, q) == 0) | (walk(b, q) == 0)
    crossing = (walk(a, p) < walk(a, b)) != (walk(a, q) < walk(a, b))
    result = torch.where(crossing, 0, 2)
    return torch.where(common_p & common_q, 3, torch.where(common_p | common_q, 1, result))
    ### END SOLUTION


# %% test="relation"
check(relation)
### BEGIN HIDDEN TESTS
check(relation, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-lambert_angle"
# ## 6 · Three right angles
#
# {{exercise:lambert_angle}}
#
# Lambert (1766) drew a quadrilateral with three right angles. In Euclid's plane the fourth is one as well. Here it is
# acute, and it says how long the two sides $a$ and $b$ between the right angles are:
# $\cos\varphi = \sinh(\sqrt c\,a)\,\sinh(\sqrt c\,b)$. But make the sides a little longer, and something happens that
# is impossible in Euclid's plane. Look at the right-hand picture first.

# %% id="lambert-figure"
figure, disks = viz.picture(viz.Disk, viz.Disk, titles=["short sides: they meet", "longer sides: they never do"])
for disk, side in zip(disks, (0.7, 1.0), strict=True):
    at_a, corner, at_b = plane.lambert_quadrilateral(side, side)[1:]
    centre = torch.zeros(2, dtype=torch.float64)
    meets = bool(corner.isfinite().all())
    if meets:
        disk.polygon(torch.stack((centre, at_a, corner, at_b)), fill="blue", zorder=3)
        disk.point(corner, "φ")
    for point, along, name in ((at_a, [0.0, 1.0], "a"), (at_b, [1.0, 0.0], "b")):
        disk.line(plane.line_in_direction(point, torch.tensor(along, dtype=torch.float64)), color="orange", style="--")
        disk.segment(centre, point, label=name)
    disk.point(torch.stack((centre, at_a, at_b)))
viz.show(
    figure,
    alt="Two disks. From the centre a side a goes right and a side b goes up, of equal length; at the end of each a "
    "dashed line leaves at a right angle. On the left the dashed lines meet in the corner with the acute angle φ. On "
    "the right the sides are longer, and the dashed lines reach the rim without meeting.",
)


# %% solution="lambert_angle"
def lambert_angle(a: Tensor, b: Tensor, c: float) -> Tensor:
    """The fourth angle of a quadrilateral with three right angles, from the two sides between these.

    Args:
        a, b: (...), the lengths >= 0 of the sides that lie between two right angles each; they broadcast.
        c: the plane has curvature -c.

    Returns:
        (...), the angle in (0, pi/2]. NaN where the other two sides never meet, that is where there is no such
        quadrilateral, and only there.
    """
    ### BEGIN SOLUTION
    # acos is NaN beyond 1, which is just what is asked for: there is no fourth corner.
    return torch.acos(torch.sinh(math.sqrt(c) * a) * torch.sinh(math.sqrt(c) * b))
    ### END SOLUTION


# %% test="lambert_angle"
check(lambert_angle)
### BEGIN HIDDEN TESTS
check(lambert_angle, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-letter_to_saccheri"
# ## 7 · A letter to Saccheri
#
# {{exercise:letter_to_saccheri}}
#
# In 1733 Girolamo Saccheri assumed that the fifth postulate fails and that quadrilaterals with acute angles exist. He
# derived one strange consequence after another, among them lines that come ever closer and never meet, and closed:
# "the hypothesis of the acute angle is absolutely false, because repugnant to the nature of the straight line".
#
# Write to him, in at most 150 words. What is missing in his argument, and how does a picture such as the disk show that
# nobody will ever supply it? (A person reads this one.)

# %% [markdown] written="letter_to_saccheri"
# Dear Father Saccheri, what you found is strange, but strange is not contradictory: you never arrived at a statement
# together with its opposite, only at one that offends our habits.
#
# Nobody will arrive there. Draw a disk in Euclid's plane. Call its inner points *points*, and the arcs that meet the
# rim at right angles *lines*. Then your first four postulates hold, word for word, and the fifth fails: through a point
# beside a line pass many lines that miss it. All your strange consequences are true there; I have seen the lines that
# come ever closer. Now suppose that somebody derived a contradiction from the acute angle. Read in the disk, the same
# derivation would be one about circles in Euclid's plane, and Euclid himself would be refuted. So either his geometry
# is inconsistent, or the fifth postulate does not follow from the others. It is a choice.

# %% [markdown] id="about-saccheri"
# ## 8 · Saccheri's own quadrilateral
#
# {{exercise:saccheri}}
#
# *A challenge for those who want one; it carries no points.* Erect two perpendiculars of equal length, the legs, at the
# ends of a base, and join their tops: the summit. Saccheri wanted to prove that its two angles are right angles. They
# are not. Find out what they are. The perpendicular through the middle of the base halves the figure; what are the
# halves? When you have it, let the base grow without end and compare with exercise 2.


# %% solution="saccheri"
def saccheri(base: Tensor, leg: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """Summit and summit angle of a quadrilateral with two equal legs at right angles to its base.

    Both are as exact as the dtype allows for sides of up to 16 / sqrt(c).

    Args:
        base, leg: (...), lengths, base > 0 and leg >= 0; they broadcast.
        c: the plane has curvature -c.

    Returns:
        The pair (summit, angle), both (...): the length of the fourth side, and the angle at each of its ends.
    """
    ### BEGIN SOLUTION
    half, leg = math.sqrt(c) * base / 2, math.sqrt(c) * leg
    summit = 2 * torch.asinh(torch.cosh(leg) * torch.sinh(half)) / math.sqrt(c)
    # As half grows, tanh(half) tends to 1 and the angle to the angle of parallelism of the leg.
    cotangent = torch.tanh(half) * torch.sinh(leg)
    return summit, torch.atan2(torch.ones_like(cotangent), cotangent)
    ### END SOLUTION


# %% test="saccheri"
check(saccheri)
### BEGIN HIDDEN TESTS
check(saccheri, hidden=True)
### END HIDDEN TESTS
