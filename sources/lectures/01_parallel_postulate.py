# %% [markdown] id="title"
# # 01 · Did Euclid make a mistake?
#
# **Question.** Why did Euclid need a fifth postulate, and what world is left if it is false?
#
# **After this lecture you can**
#
# - *draw* the straight lines of a world in which a line has many parallels through one point,
# - *compute* distances, angles, areas and the angle of parallelism there, for every curvature $-c$,
# - *decide* whether two lines meet, are limiting parallels, or have a common perpendicular,
# - *explain* why every proof of the fifth postulate failed, and at which step,
# - *decode* a floating-point number bit by bit, and say how much of this world it can reach.
#
# **You need** PyTorch tensors, some linear algebra, school geometry. No differential geometry.
#
# **Reading time:** 45 minutes. **Running time:** under 30 seconds on two CPU cores.
#
# **Exercises:** [01_parallel_postulate](../exercises/01_parallel_postulate/01_parallel_postulate.ipynb);
# get your own copy with `hyplearn start 01_parallel_postulate`.

# %% id="setup"
import cmath
import math

import torch

from hyplearn import PoincareBall, plane, viz
from hyplearn.viz import Explorer

torch.set_default_dtype(torch.float64)
full = False  # True: areas on a grid of 16 times as many squares

# %% [markdown] id="first-touch"
# ## 1 · Touch it first
#
# Below is a plane. All of it: the rim is infinitely far away, and the picture shrinks things the more, the closer
# they are to the rim. Its straight lines look like arcs of circles that meet the rim at right angles.
#
# You see a line through $A$ and $B$, and a point $P$ that is not on it. Drag the three points (or press Tab, then the
# arrow keys) and answer by looking:
#
# 1. How many of the lines through $P$ never meet the line $AB$?
# 2. What happens to the angle at $P$ when $P$ comes close to the line? And when it goes far away?

# %% id="explore-parallels"
explorer = Explorer(mode="parallels", c=1.0)
explorer

# %% [markdown] id="first-answer"
# Infinitely many lines miss $AB$: all those between the two extreme ones. (The angle at $P$ is almost a right one
# close to the line, and almost nothing far away; section 5 has the formula.) Many parallels through one point: that
# contradicts school geometry, and for two thousand years it was thought to contradict *logic*. This lecture is about
# why it does not.
#
# ## 2 · Five postulates, one of them strange
#
# Around 300 BC Euclid derived all of geometry from five assumptions. In modern words:
#
# 1. Two points can be joined by a straight segment.
# 2. A segment can be prolonged for ever.
# 3. There is a circle with any centre and any radius.
# 4. All right angles are equal.
# 5. If a line crosses two others so that the inner angles on one side sum to less than two right angles, then these
#    two meet on that side, if they are prolonged far enough.
#
# The fifth is longer than the other four together and speaks about what happens *far away*, where nobody can look.
# Euclid himself avoids it for the first 28 propositions. Playfair (1795) gave the form that one learns today:
# *through a point beside a line there is exactly one line that does not meet it.*

# %% id="draw-fifth"
figure, (left, right) = viz.chart(6.1, 1.8, columns=2)
for ax in (left, right):
    ax.set(xlim=(0, 10), ylim=(0, 4), aspect="equal")
    ax.axis("off")
blue, ink, grey = (viz.COLORS[name] for name in ("blue", "ink", "grey"))
left.plot([0.3, 9.7], [0.5, 1.75], [0.3, 9.7], [3.5, 2.0], color=blue)
left.plot([1.5, 2.9], [0.0, 4.0], color=ink)
left.text(2.15, 0.95, r"$\alpha$"), left.text(2.8, 2.45, r"$\beta$")
left.set_title(r"Euclid: if $\alpha + \beta < 180°$, they meet")
right.plot([0.3, 9.7], [0.8, 0.8], [0.3, 9.7], [2.8, 2.8], color=blue)
for slope in (-0.22, -0.12, 0.12, 0.22):
    ends = [2.8 - 4.7 * slope, 2.8 + 4.7 * slope]
    right.plot([0.3, 9.7], ends, color=grey, lw=1)
right.plot(5, 2.8, "o", color=ink)
right.set_title("Playfair: exactly one misses")
viz.show(
    figure,
    alt="Left: a line crosses two others; the inner angles alpha and beta "
    "on its right sum to less than two right angles, and the two lines "
    "approach each other there. Right: one parallel through a point beside "
    "a line; the grey lines, tilted against it, meet the line outside the "
    "picture.",
)


# %% [markdown] id="history"
# ## 3 · Two thousand years of proofs
#
# A statement so long ought to be a theorem, so one proves it: assume the other four and the *negation* of the fifth,
# and find a contradiction. Everyone who thought that he had found one had smuggled in some other "obvious" fact,
# which turned out to say the same thing as the fifth:
#
# | who | what was taken for granted |
# |---|---|
# | Proclus, 5th century | a line that meets one of two parallels meets the other |
# | Khayyam, 11th century; Saccheri, 1733 | equal legs, upright on a base, make right angles at the top |
# | Wallis, 1663 | there are similar triangles of different size |
# | Legendre, 1794 to 1833 | through any point inside an angle there is a line that meets both sides |
# | Farkas Bolyai, 1832 | three points that are not on a line lie on a circle |
#
# Lambert (1766) alone assumed nothing. He saw that area would have to be proportional to the missing angle, as if on
# a sphere of imaginary radius, and left it open.
#
# In the 1820s three people stopped looking for the contradiction. Gauss convinced himself that there was none, and
# kept silent; Nikolai Lobachevsky (1829) and Farkas' son János Bolyai (1832) published the strange geometry as a
# world in its own right. Beltrami (1868) settled the matter: he built the strange plane *out of* Euclid's. A
# contradiction in it would be a contradiction in Euclid. So the answer to our title is **no**: Euclid was right to
# postulate what cannot be proved.
#
# We follow Beltrami: build the world, then run every one of these "obvious facts" as a program (section 8).

# %% [markdown] id="world"
# ## 4 · A world inside a disk
#
# The *Poincaré disk* of curvature $-c$ is the open disk of radius $1/\sqrt c$. A ruler at $x$ appears shrunk by the
# factor $(1 - c|x|^2)/2$. Here are its heptagons. **They all have the same size**, to those who live there.

# %% id="draw-tiling"
tiling = plane.tiling(7, 3, layers=4)
figure, (disk,) = viz.picture(size=4.4)
for layer, color in enumerate(["orange", "sky", "blue", "sky", "blue"]):
    tiles = tiling.tiles[tiling.layer == layer]
    disk.polygon(tiles, fill=color, alpha=0.45, width=0.6)
viz.show(
    figure,
    alt="The disk filled with regular heptagons, three around each corner. They look smaller towards the rim.",
)
print("tiles in each layer:", torch.bincount(tiling.layer).tolist())


# %% [markdown] id="distance"
# Adding up the shrunken rulers along the shortest way gives the distance:
#
# $$d(x, y) = \frac{2}{\sqrt c}\,\operatorname{asinh}\frac{\sqrt c\,|x-y|}{\sqrt{(1-c|x|^2)(1-c|y|^2)}}.$$
#
# *In words:* the Euclidean distance, blown up more and more as either point nears the rim, where it becomes infinite.
# The number $1/\sqrt c$ is a length: on scales well below it the world looks flat.


# %% id="distance-scratch"
def distance(x, y, c=1.0):
    gap = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    apart = (x - y).norm(dim=-1)
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * apart / gap.sqrt())


c = 0.5
x, y = torch.tensor([0.9, 0.2]), torch.tensor([-0.3, 1.1])
library = PoincareBall(c).dist(x, y)
torch.testing.assert_close(distance(x, y, c), library)
print(f"by hand {distance(x, y, c):.6f}, hyplearn {library:.6f}: equal")


# %% [markdown] id="predict-steps"
# > **Predict, then run (1).** You start at the centre ($c = 1$) and walk straight on, one unit of distance per step.
# > How far from the centre *in the picture* are you after 1, 2, 5, 10 steps? Write down four numbers before you run
# > the cell.

# %% id="steps"
for steps in (1, 2, 5, 10, 20):
    radius = math.tanh(steps / 2)
    rest = 1 - radius
    print(f"{steps:2d} steps: {radius:.9f}, left to the rim: {rest:.1e}")


# %% id="draw-steps"
figure, (disk,) = viz.picture(size=4.2)
for steps, color in enumerate(["ink", "blue", "green", "orange", "red"]):
    place = torch.tensor([math.tanh(steps / 2), 0.0])
    disk.circle(place, 0.5, fill=color, color=color)
    disk.point(place, color=color, size=3)
    if steps:
        disk.circle(torch.zeros(2), steps, color="light", width=1.0)
viz.show(
    figure,
    alt="Five circles of radius one half, side by side from the centre to "
    "the right; they look smaller towards the rim. Grey: the circles of "
    "radius 1 to 4 about the centre.",
)

# %% [markdown] id="steps-answer"
# $|x| = \tanh(\sqrt c\,d/2)/\sqrt c$: what is left to the rim shrinks by the factor $e$ per unit. Postulate 2 holds:
# you can walk for ever. (And a number format with 7 digits will soon think that you have arrived. Remember the last
# line.) Postulate 3 holds too: the coloured circles all have radius $\frac12$. A hyperbolic circle is a Euclidean one
# whose centre is moved towards the middle.
#
# ### Straight lines
#
# The shortest ways are arcs of those circles that cross the rim at right angles; diameters are their limit. For a
# circle with centre $m$ and radius $r$ the right angle is Pythagoras, $|m|^2 = r^2 + 1/c$, and passing through $x$
# means $|x - m| = r$. Subtract:
#
# $$2\langle m, x\rangle = |x|^2 + 1/c \qquad\text{and the same for } y.$$
#
# *In words:* the centre of the line through two points solves two linear equations.


# %% id="line-scratch"
def circle_through(x, y, c=1.0):
    rows, right = torch.stack((x, y)), torch.stack((x @ x, y @ y)) + 1 / c
    centre = torch.linalg.solve(2 * rows, right)
    return centre, (centre @ centre - 1 / c).sqrt()


centre, radius = circle_through(x, y, c)
line = plane.line_through(x, y, c)
torch.testing.assert_close(centre, line.centre)
torch.testing.assert_close(radius, line.radius)
print(f"centre ({centre[0]:.4f}, {centre[1]:.4f}), radius {radius:.4f}")
names = "starts", "ends"
for name, (e1, e2) in zip(names, line.ideal_points, strict=True):
    print(f"it {name} at the ideal point ({e1:.4f}, {e2:.4f})")


# %% [markdown] id="line-poles"
# If $x$, $y$ and the centre are in a row, the two equations have no solution: the line is a diameter, its circle is
# infinitely large. The library has no `if` for this. It keeps a line as $(a, b)$ with
# $2\langle a, u\rangle = b\,(1 + |u|^2)$, $u = \sqrt c\,x$, which is a circle of centre $a/b$ or, for $b = 0$, a
# diameter (read the first page of `hyplearn/plane.py`).

# %% id="draw-lines"
titles = ["Poincaré disk", "Klein disk"]
figure, canvases = viz.picture(viz.Disk, viz.Klein, size=3.0, titles=titles)
angles = [0.3, 3.0], [1.1, 4.6], [2.0, 5.6], [0.7, 0.7 + math.pi]
angles = torch.tensor(angles)
starts, ends = plane.ideal_point(angles).unbind(1)
lines = plane.line_through(starts, ends)
corner = plane.intersection(lines[0], lines[1])
for canvas in canvases:
    for i, color in enumerate(["blue", "red", "green", "orange"]):
        canvas.line(lines[i], color=color, label=f"$\\ell_{i + 1}$")
    canvas.angle(corner, starts[0], starts[1], radius=0.18, color="blue")
viz.show(
    figure,
    alt="The same four lines twice. In the Poincaré disk they are circular "
    "arcs at right angles to the rim, and one diameter; in the Klein disk "
    "they are straight chords between the same ideal points. One angle is "
    "marked: it is larger on the left.",
)


# %% [markdown] id="two-maps"
# Two maps of one world. The Poincaré disk keeps angles and bends lines; the Klein disk keeps lines straight and
# distorts angles (compare the marked one). Points *on* the rim are called **ideal**: directions in which one can
# leave. Lecture 03 has five such maps; we stay in the Poincaré disk.
#
# ### What stays when the fifth postulate goes
#
# Everything that Euclid proves without it: propositions 1 to 28 of his first book. Let us not believe it but try it
# on 100,000 random triangles.

# %% id="neutral"
ball, g = PoincareBall(1.0), torch.Generator().manual_seed(0)
corners = ball.expmap0(1.5 * torch.randn(3, 100_000, 2, generator=g))
sides = plane.triangle_sides(*corners)
angles = plane.triangle_angles(*corners)
outer, total = math.pi - angles[:, 0], angles.sum(-1)
most = sides.argmax(-1), angles.argmax(-1)
flat = (total - math.pi).abs() < 1e-6
claims = {
    "two sides exceed the third (I.20)": 2 * sides.amax(-1) < sides.sum(-1),
    "greatest angle, greatest side (I.18)": most[0] == most[1],
    "outer angle > opposite ones (I.16)": outer > angles[:, 1:].amax(-1),
    "sum of angles <= 180° (Legendre)": total <= math.pi,
    "sum of angles = 180° (I.32: the fifth)": flat,
}
for claim, holds in claims.items():
    print(f"{claim:40} {holds.sum():7,d} of {len(holds):,d}")


# %% [markdown] id="parallels"
# ## 5 · How many parallels? The angle of parallelism
#
# > **Predict, then run (2).** $P$ has distance 1 from the line $\ell$, and $c = 1$. Choose a line through $P$ at
# > random, all directions equally likely. With which probability does it *miss* $\ell$? (In Euclid's plane: 0.)

# %% id="pencil"
P, F = torch.zeros(2), torch.tensor([0.0, -math.tanh(0.5)])  # d(P, F) = 1
ell = plane.line_in_direction(F, torch.tensor([1.0, 0.0]))
turns = math.pi * (torch.arange(10_000) + 0.5) / 10_000
pencil = plane.line_in_direction(P, plane.ideal_point(turns))
misses = plane.relation(pencil, ell) == plane.Relation.ULTRAPARALLEL
share = misses.sum() / len(misses)
print(f"{share:.3f} of the lines through P miss the line")


# %% id="draw-pencil"
figure, (disk,) = viz.picture(size=4.2)
some = slice(250, None, 500)
disk.line(pencil[some][misses[some]], color="sky", width=1.0)
disk.line(pencil[some][~misses[some]], color="light", width=1.0)
disk.line(ell, color="blue", width=2.4, label=r"$\ell$")
for limiting in plane.limiting_parallels(ell, P):
    disk.line(limiting, color="red", width=2.0)
disk.segment(P, F)
disk.angle(P, F, ell.ideal_points[1], label=r"$\Pi(d)$", radius=0.2)
disk.angle(F, P, ell.ideal_points[1], radius=0.13)
disk.point(P, "$P$"), disk.point(F, "$F$")
disk.point(ell.ideal_points, ideal=True)
viz.show(
    figure,
    alt="A line l and a point P at distance 1 from it, with the "
    "perpendicular PF. Two limiting parallels through P end in the two "
    "ideal points of l. The flatter lines through P, between them, miss l; "
    "the steeper ones meet it.",
)


# %% [markdown] id="parallel-formula"
# Three kinds of pairs: lines that **meet**; **limiting parallels** (red), which share an ideal point and come closer
# for ever; **ultraparallel** lines (light blue), which have a common perpendicular and drift apart on both sides.
#
# The angle between the perpendicular and a limiting parallel is Lobachevsky's *angle of parallelism*
#
# $$\Pi(d) = 2\arctan e^{-\sqrt c\,d}.$$
#
# *In words:* a right angle for $d = 0$, where Euclid is nearly right, and exponentially close to nothing when $P$ is
# far away. *Why:* in the picture above $P$ is the centre and $F$ has height $t = \tanh(\sqrt c\,d/2)$ (in units of
# $1/\sqrt c$), so $\ell$ is a circle whose centre is at the distance $\frac12(t + 1/t)$ straight below. It meets the
# rim at right angles, in an ideal point $e$ with $\langle m, e\rangle = 1$ ($m$ the centre):
# $\cos\Pi = 1/|m| = 2t/(1+t^2) = \tanh(\sqrt c\,d)$. The half-angle formula does the rest.

# %% id="parallel-scratch"
down, right = torch.tensor([0.0, -1.0]), torch.tensor([1.0, 0.0])
print("   c    d   degrees   tan(Pi/2)   exp(-sqrt(c) d)")
for c, d in ((1.0, 1.0), (1.0, 0.1), (10.0, 1.0)):
    scratch = math.acos(math.tanh(math.sqrt(c) * d))
    library = plane.angle_of_parallelism(d, c)
    F = math.tanh(math.sqrt(c) * d / 2) / math.sqrt(c) * down
    end = plane.line_in_direction(F, right, c).ideal_points[1]
    # The third corner of this triangle is ideal.
    measured = plane.triangle_angles(P, F, end, c)[0]
    found = torch.tensor([scratch, measured])
    torch.testing.assert_close(found, library.expand(2))
    print(f"{c:4} {d:4} {math.degrees(library):9.3f}", end="")
    half, curve = math.tan(measured / 2), math.exp(-math.sqrt(c) * d)
    print(f" {half:11.6f} {curve:17.6f}")


# %% [markdown] id="parallel-answer"
# The probability of the prediction is $1 - 2\,\Pi(1)/\pi = 0.551$: more than half of all lines are parallels. Note
# what else the formula says: from an angle, $\Pi$, you can read off a *length*, $d$. A world with curvature has a
# built-in metre, $1/\sqrt c$. In Euclid's plane no angle tells you how large anything is.

# %% id="draw-parallelism"
figure, ax = viz.chart(5.6, 3.0)
d = torch.linspace(0, 4, 200)
for c, style in ((0.1, "-"), (1.0, "--"), (10.0, ":")):
    angle = plane.angle_of_parallelism(d, c).rad2deg()
    ax.plot(d, angle, style, label=f"$c = {c:g}$")
ax.axhline(90, color=grey, lw=1)
place = {"ha": "right", "va": "bottom", "color": grey}
ax.text(4, 91, "Euclid: 90° at every distance", **place)
ax.set_xlabel("distance $d$ of $P$ from the line")
ax.set_ylabel(r"$\Pi(d)$ in degrees")
ax.set(ylim=(0, 103), yticks=range(0, 91, 30))
ax.legend(loc="center right")
viz.show(
    figure,
    alt="The angle of parallelism against the distance, for curvatures "
    "0.1, 1 and 10: it starts at 90 degrees and falls to zero, the faster "
    "the larger c. Euclid's constant 90 degrees is the limit of c to 0.",
)


# %% [markdown] id="triangles"
# ## 6 · Triangles: the missing angle is the area
#
# Drag the corners. Watch the angle sum when the triangle is tiny, and when its corners run to the rim.

# %% id="explore-triangle"
triangle = Explorer(mode="triangle", c=1.0)
triangle

# %% [markdown] id="angles"
# The disk shows angles truly, but the sides are bent, so what is the angle at $x$? Move the plane so that $x$ comes
# to the centre: sides through the centre are straight. With $u = \sqrt c\,x$ and so on as complex numbers, the motion
# is $w \mapsto (w - u)/(1 - \bar u w)$, and the angle is the difference of two directions:
#
# $$\alpha = \left|\arg\frac{w'}{v'}\right|,
# \qquad v' = \frac{v - u}{1 - \bar u v},\quad w' = \frac{w - u}{1 - \bar u w}.$$
#
# *In words:* stand at the corner and measure the angle between the two ways out.


# %% id="angles-scratch"
def angle_at(x, y, z, c=1.0):
    u, v, w = (math.sqrt(c) * complex(*p) for p in (x, y, z))
    v, w = ((p - u) / (1 - u.conjugate() * p) for p in (v, w))
    return abs(cmath.phase(w / v))


c = 2.0
A, B, C = torch.tensor([[-0.45, -0.3], [0.5, -0.25], [0.05, 0.45]])
corners = (A, B, C), (B, C, A), (C, A, B)
scratch = torch.tensor([angle_at(*points, c) for points in corners])
torch.testing.assert_close(scratch, plane.triangle_angles(A, B, C, c))
print("angles", [round(math.degrees(t), 3) for t in scratch], end=", ")
print(f"their sum {math.degrees(scratch.sum()):.3f} degrees")


# %% [markdown] id="defect"
# The sum falls short of 180°. The gap is called the **defect**, and
#
# $$\pi - (\alpha + \beta + \gamma) = c \times \text{area}.$$
#
# *In words:* in a curved world you measure area with a protractor. *Why it must be so:* cut a triangle by a line from
# a corner to the opposite side. The two new angles at the cut sum to $\pi$, so the defects of the pieces add up to
# the whole; and what adds up under cutting is proportional to the area.
#
# That is an argument, not a check. So let us add up area by brute force: a fine grid, and
# $\left(\frac{2}{1 - c|x|^2}\right)^2 dx\,dy$ for each little square whose centre is inside.

# %% id="area-scratch"
n = 4000 if full else 1000
axis = (torch.arange(n) + 0.5) / n - 0.5
grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
sides = [plane.line_through(p, q, c) for p, q in ((A, B), (B, C), (C, A))]
inside = [plane.signed_distance(side, grid) > 0 for side in sides]
inside = torch.stack(inside).all(0)
density = (2 / (1 - c * (grid**2).sum(-1))) ** 2
area = (density * inside).sum() / n**2
print(f"{inside.sum():,d} little squares: {area:.3f}")
print(f"(pi - sum of angles)/c: {(math.pi - scratch.sum()) / c:.3f}")
print(f"plane.triangle_area:    {plane.triangle_area(A, B, C, c):.3f}")


# %% [markdown] id="predict-size"
# > **Predict, then run (3).** An equilateral triangle with sides of length 1 ($c = 1$) has angles of 52.6°. Double
# > the sides, then double again and again. What do the angles do? What does the area do: grow by 4, by 2, or else?

# %% id="size"
turns = math.pi / 2 + 2 * math.pi / 3 * torch.arange(3)
directions = plane.ideal_point(turns)


def equilateral(side):  # circumradius R: sinh(side/2) = sinh(R) sin(60°)
    radius = math.asinh(math.sinh(side / 2) / math.sin(math.pi / 3))
    return math.tanh(radius / 2) * directions


print("  side   angle    area")
for side in (0.01, 1, 2, 4, 8, 16):
    corners = equilateral(side)
    angle = plane.triangle_angles(*corners)[0]
    area = plane.triangle_area(*corners)
    print(f"{side:6} {math.degrees(angle):7.3f} {area:7.4f}")
largest = plane.triangle_area(*directions)
print(f"   inf   0.000 {largest:7.4f}, and pi is {math.pi:.4f}")


# %% id="draw-triangles"
figure, (disk,) = viz.picture(size=4.2)
disk.polygon(directions, fill="sky", alpha=0.5)
for side, color in ((4, "blue"), (2, "orange"), (1, "yellow")):
    disk.polygon(equilateral(side), fill=color, alpha=1.0, width=1.2)
disk.point(directions, ideal=True)
viz.show(
    figure,
    alt="Equilateral triangles about the centre with sides 1 (yellow), 2 "
    "(orange), 4 (dark blue) and infinity (light blue). The larger they "
    "are, the thinner are their corners; the ideal triangle has three "
    "angles of zero and the area pi.",
)


# %% [markdown] id="size-answer"
# The angles shrink to 0, and the area does *not* grow without bound: no triangle, however long its sides, is larger
# than $\pi/c$. Two more consequences:
#
# - Angles determine size. There are no similar triangles, no scale models, no maps without distortion.
# - Where does all the room go, if triangles are that small? Into the number of them: the circumference of a circle
#   grows like $e^{\sqrt c\,r}$ (lecture 02). That room is what trees need (lecture 05), and the reason for this
#   course.
#
# ## 7 · Quadrilaterals: what Saccheri and Lambert saw
#
# Saccheri put two equal legs upright on a base; Lambert made three right angles. In Euclid's plane both are
# rectangles.
#
# $$\text{Lambert's fourth angle: } \cos\varphi = \sinh(\sqrt c\,a)\,\sinh(\sqrt c\,b)\qquad
# \text{Saccheri's summit angles: } \cot\sigma = \tanh\tfrac{\sqrt c\,\text{base}}{2}\,\sinh(\sqrt c\,\text{leg})$$
#
# *In words:* the longer the sides, the more is missing from the right angle; there are no rectangles at all.


# %% id="quadrilateral-scratch"
def corner_angle(corners, i):
    before, after = corners[i - 1], corners[(i + 1) % 4]
    return plane.triangle_angles(corners[i], before, after)[0]


a, b, base, leg = 0.7, 0.9, 1.4, 0.8
lambert = plane.lambert_quadrilateral(a, b)
saccheri = plane.saccheri_quadrilateral(base, leg)
scratch = {
    "Lambert": math.acos(math.sinh(a) * math.sinh(b)),
    "Saccheri": math.atan2(1, math.tanh(base / 2) * math.sinh(leg)),
}
library = plane.lambert_angle(a, b), plane.saccheri_angle(base, leg)
measured = corner_angle(lambert, 2), corner_angle(saccheri, 2)
by_hand = torch.tensor(list(scratch.values()))
torch.testing.assert_close(by_hand, torch.stack(library))
torch.testing.assert_close(torch.stack(measured), torch.stack(library))
for name, angle in scratch.items():
    print(f"{name}: {math.degrees(angle):.3f}°; library and drawing agree")


# %% id="draw-quadrilaterals"
titles = ["Saccheri", "Lambert"]
figure, (one, two) = viz.picture(*[viz.Disk] * 2, size=3.0, titles=titles)
one.polygon(saccheri, fill="sky"), two.polygon(lambert, fill="sky")
for i in range(4):
    neighbours = (i - 1) % 4, (i + 1) % 4
    name = r"$\sigma$" if i > 1 else None
    arms = saccheri[list(neighbours)]
    one.angle(saccheri[i], *arms, label=name, radius=0.15)
    name = r"$\varphi$" if i == 2 else None
    arms = lambert[list(neighbours)]
    two.angle(lambert[i], *arms, label=name, radius=0.15)
one.equidistant(plane.line_through(*saccheri[:2]), leg, style="--")
viz.show(
    figure,
    alt="Left: a Saccheri quadrilateral, with right angles at the base and "
    "two equal acute summit angles sigma. Dashed: all points as far from "
    "the base as the two upper corners; the curve is not the straight "
    "summit. Right: a Lambert quadrilateral, with three right angles and "
    "an acute fourth angle phi.",
)

# %% [markdown] id="predict-lambert"
# > **Predict, then run (4).** Lambert's quadrilateral with $a = b = 1$ and $c = 1$: how large is the fourth angle?

# %% id="lambert-fails"
origin, on_a, _, on_b = plane.lambert_quadrilateral(1.0, 1.0)
up = plane.perpendicular(plane.line_through(origin, on_a), on_a)
across = plane.perpendicular(plane.line_through(origin, on_b), on_b)
print("the library's fourth angle:", plane.lambert_angle(1.0, 1.0).item())
print(f"sinh(1) sinh(1) = {math.sinh(1) ** 2:.4f}: no cosine is that large")
others = plane.relation(up, across).item()
print("the two other sides:", plane.Relation(others).name)
print(f"their distance: {plane.line_distance(up, across):.4f}")
print(f"the limit for a = b is asinh(1) = {math.asinh(1):.4f}")


# %% id="draw-lambert-fails"
figure, (disk,) = viz.picture(size=3.8)
disk.line(up, color="red"), disk.line(across, color="red")
shortest = plane.common_perpendicular(up, across)
disk.line(shortest, color="grey", width=1.3, style="--")
disk.segment(origin, on_a, label="$a$")
disk.segment(origin, on_b, label="$b$")
disk.angle(origin, on_a, on_b)
disk.angle(on_a, origin, up.ideal_points[1])
disk.angle(on_b, origin, across.ideal_points[0])
viz.show(
    figure,
    alt="For a = b = 1 the two other sides of Lambert's quadrilateral, "
    "drawn as whole lines, never meet; they have a common perpendicular, "
    "drawn dashed.",
)

# %% [markdown] id="lambert-answer"
# A trick question: there is no fourth angle, because there is no fourth corner. Beyond
# $\sinh(\sqrt c\,a)\sinh(\sqrt c\,b) = 1$ the sides are ultraparallel. Saccheri had found all this by 1733. He wrote
# a book of flawless theorems about a world that he took for impossible, and ended it with the remark that it is
# "repugnant to the nature of the straight line". It is only repugnant to its habits.
#
# ## 8 · Break every proof
#
# Now the table of section 3, line by line. Each "obvious fact" is a little program. Before you run one, say where it
# will fail.


# %% [markdown] id="break-proclus"
# **Proclus.** A line that meets one of two parallels also meets the other? Take two lines through one point, both of
# which miss $\ell$.

# %% id="proclus"
ell = plane.line_through(*plane.ideal_point(torch.tensor([math.pi, 0.0])))
above = torch.tensor([0.0, 0.3])
turns = plane.ideal_point(torch.tensor([0.0, 0.3]))
parallel, crossing = plane.line_in_direction(above, turns)
for name, line in (("the parallel", parallel), ("the line l", ell)):
    found = plane.relation(crossing, line).item()
    print(f"crossing and {name}:", plane.Relation(found).name)

# %% [markdown] id="break-saccheri"
# **Khayyam and Saccheri.** Right angles at the summit? And is the curve of all points at the height of the legs
# (dashed in the figure above) a straight line, so that it contains the middle of the summit?

# %% id="saccheri"
baseline = plane.line_through(saccheri[0], saccheri[1])
middle = ball.geodesic(torch.tensor(0.5), saccheri[2], saccheri[3])
summit = math.degrees(corner_angle(saccheri, 2))
print(f"summit angles: {summit:.3f} degrees")
height = plane.signed_distance(baseline, middle)
print(f"height of the corners {leg}, of the middle {height:.4f}")

# %% [markdown] id="break-wallis"
# **Wallis.** Can a triangle be enlarged and keep its angles? Draw one twice, with all its coordinates doubled.

# %% id="wallis"
for scale in (0.2, 0.4):
    angles = plane.triangle_angles(*(scale * directions)).rad2deg()
    print(f"scale {scale}: angles", [round(t, 3) for t in angles.tolist()])

# %% [markdown] id="break-legendre"
# **Legendre.** Is there, through every point inside an angle, a line that meets both sides? Take a right angle at the
# centre, a point far inside, and try 999 directions.

# %% id="legendre"
rays = plane.ideal_point(torch.tensor([-math.pi / 4, math.pi / 4]))
inner = torch.tensor([0.8, 0.0])
every = math.pi * torch.arange(1, 1000) / 1000
through = plane.line_in_direction(inner, plane.ideal_point(every))
sides = plane.line_through(torch.zeros(2), rays)
meets = [plane.intersection(through, sides[i])[:, 0] > 0 for i in (0, 1)]
print("lines that meet both sides:", (meets[0] & meets[1]).sum().item())

# %% [markdown] id="break-bolyai"
# **Farkas Bolyai.** Do three points always lie on a circle? Its centre would be on all three perpendicular bisectors.


# %% id="bolyai"
def bisector(p, q):
    middle = ball.geodesic(torch.tensor(0.5), p, q)
    return plane.perpendicular(plane.line_through(p, q), middle)


X, Y, Z = torch.tensor([[-0.7, 0.55], [0.0, 0.5], [0.7, 0.55]])
one, two = bisector(X, Y), bisector(Y, Z)
found = plane.relation(one, two).item()
print("two of the bisectors:", plane.Relation(found).name)
print(f"they keep a distance of {plane.line_distance(one, two):.4f}")

# %% id="draw-broken"
titles = ["Legendre", "Farkas Bolyai"]
figure, (left, right) = viz.picture(
    viz.Disk,
    viz.Disk,
    size=3.0,
    titles=titles,
)
left.segment(torch.zeros(2), rays, width=2.2)
left.line(through[::50], color="sky", width=1.0)
left.point(inner, "$P$")
right.line(one, color="red"), right.line(two, color="red")
right.segment(X, Y), right.segment(Y, Z)
right.point(torch.stack((X, Y, Z)), ["$X$", "$Y$", "$Z$"])
viz.show(
    figure,
    alt="Left: a right angle at the centre and lines through a point P far "
    "inside it; each meets one side at the most. Right: three points X, Y, "
    "Z and the perpendicular bisectors of XY and YZ, which are "
    "ultraparallel: no point has the same distance from all three.",
)

# %% [markdown] id="break-answer"
# All five fail, and postulates 1 to 4 hold. So none of these facts follows from the first four, and the fifth, which
# fails here too, does not either. The programs illustrate; the proof is Beltrami's, and it is the picture itself: a
# world made of Euclidean circles in which everything but the fifth holds.
#
# ## 9 · Why are we so Euclidean?
#
# If this world is consistent, why is nobody at home in it? School teaches one geometry. Our tools know one:
# `nn.Linear`, `mean`, `cdist`, every convolution adds coordinates and measures straight distances. And the bottom
# layer agrees: number formats are made for it. Take bfloat16, in which networks are trained: 16 bits, read as
#
# $$(-1)^{s}\;2^{\,e - 127}\,\left(1 + \tfrac{f}{128}\right),
# \qquad s:\,1\text{ bit},\; e:\,8\text{ bits},\; f:\,7\text{ bits}.$$
#
# *In words*, for $0 < e < 255$: a sign, a power of two, and seven binary digits that say how far it is to the next
# power.

# %% id="decode"
stored = torch.tensor(0.7, dtype=torch.bfloat16)
code = stored.view(torch.int16).item() % 2**16
s, e, f = code >> 15, code >> 7 & 0b11111111, code & 0b1111111
decoded = (-1) ** s * 2.0 ** (e - 127) * (1 + f / 128)
print(f"0.7 is {code:016b}: s = {s}, e = {e}, f = {f}, value {decoded}")
assert decoded == stored.item(), "our decoding and torch's differ"


# %% id="draw-bits"
viz.show(
    viz.bits(0.7, torch.bfloat16),
    alt="The sixteen bits of 0.7 in bfloat16: sign 0, exponent 126, fraction 51, which make 0.69921875.",
)

# %% [markdown] id="predict-bits"
# Each power of two gets 128 numbers, so they crowd around 0. Flat coordinates like that: errors are relative to the
# size. In the disk the action is near the rim, where $|x|$ is close to 1.
#
# > **Predict, then run (5).** Of all the bfloat16 radii in the unit disk, from 0 up to the last number below 1, which
# > share lies within distance 1 of the centre? And which share of the *area* of the disk that they reach lies there?

# %% id="bits-share"
codes = torch.arange(0x3F80, dtype=torch.int16)  # all bfloat16 in [0, 1)
radii = codes.view(torch.bfloat16).double()
d = 2 * torch.atanh(radii)
print(f"{len(d):,d} radii; the last, {radii[-1]}, at distance {d[-1]:.3f}")
# The area of a disk is 2 pi (cosh(r) - 1).
area = (math.cosh(1) - 1) / (math.cosh(d[-1]) - 1)
share = (d < 1).double().mean()
print(f"within distance 1: {100 * share:.2f} % of the numbers", end=" ")
print(f"and {100 * area:.2f} % of the area")


# %% id="draw-reach"
figure, ax = viz.chart(5.8, 1.7)
ax.vlines(d[radii >= 0.5], 0, 1, color=blue, lw=0.7)
ax.axvspan(d[-1], 7.5, color=viz.COLORS["red"], alpha=0.15, lw=0)
ax.text(6.87, 0.5, "rounds to\nthe rim", ha="center", va="center", size=10)
ax.set(xlim=(1.05, 7.5), ylim=(0, 1), yticks=[])
ax.set_xlabel("distance from the centre ($c = 1$)")
ax.spines["left"].set_visible(False)
ax.grid(False)
viz.show(
    figure,
    alt="The bfloat16 radii between one half and one as strokes on the "
    "distance axis: dense at distance 1, ever sparser, the last one at "
    "6.2; everything beyond rounds to the rim.",
)


# %% [markdown] id="breaks"
# ## 10 · Where it breaks
#
# **The rim is at a finite distance, for a computer.** A point at distance $d$ has the coordinate
# $\tanh(\sqrt c\,d/2)/\sqrt c$. Store it, read it back:

# %% id="break-rim"
# Formats and their binary digits.
formats = {torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}
print("distance", *(f"{str(t)[6:]:>9}" for t in formats))
for d in (2.0, 6.0, 9.0, 16.0, 18.0, 36.0, 38.0):
    x = torch.tensor(math.tanh(d / 2))
    stored = (x.to(t).double() for t in formats)
    print(f"{d:8}", *(f"{2 * torch.atanh(x).item():9.2f}" for x in stored))
for t, digits in formats.items():  # the last below 1 is 1 - 2^-digits
    end = math.log(2.0 ** (digits + 1) - 1)
    print(f"{str(t)[6:]} ends at ln(2^{digits + 1} - 1) = {end:.2f}")


# %% [markdown] id="break-rim-answer"
# Other maps reach farther, and which one a network should compute in is a subject of its own (lecture 09). For now:
# use float64 and keep $\sqrt c\,d$ below 12.
#
# **Tiny triangles look Euclidean.** Halve the sides of a small triangle and its defect, $c \times$ area, falls to a
# quarter. Subtract the angles from $\pi$ and it soon drowns in the rounding of $\pi$ itself. The library computes the
# defect *directly* instead, from the differences of the corners, and keeps all its digits (the formula is in the
# docstring of `plane.triangle_defect`; its twin for the sphere comes in section 11).

# %% id="break-tiny"
print(" size     defect   pi - sum right to 1 %?")
corner = torch.tensor([0.3, -0.2])
for size in (1e-2, 1e-4, 1e-6, 1e-8, 1e-12):
    others = corner + size * torch.tensor([[1.0, 0.0], [0.5, 0.8]])
    direct = plane.triangle_defect(corner, *others)
    naive = math.pi - plane.triangle_angles(corner, *others).sum()
    agree = abs(naive - direct) < 0.01 * direct
    print(f"{size:5.0e} {direct:10.3e}   {agree}")


# %% [markdown] id="break-limiting"
# **"Limiting parallel" is a knife's edge.** Turn a limiting parallel by the tiniest angle and it meets the line, or
# becomes ultraparallel. With rounded numbers the question has no exact answer; `plane.relation` has a tolerance and
# says so.

# %% id="break-edge"
P = torch.tensor([0.0, 0.4])
print("turned by   tolerance 1e-14   default")
for turn in (-1e-4, -1e-8, -1e-12, 0.0, 1e-12, 1e-8, 1e-4):
    turned = plane.line_through(P, plane.ideal_point(turn))
    found = (plane.relation(turned, ell, tol=tol) for tol in (1e-14, None))
    one, two = (plane.Relation(code.item()).name for code in found)
    print(f"{turn:9.0e}   {one:17} {two}")


# %% [markdown] id="gauss"
# ## 11 · Could we live in it? Gauss on the mountains
#
# Between 1821 and 1823 Gauss measured the triangle Hoher Hagen, Brocken, Großer Inselsberg for the survey of Hanover.
# In 1827 he reported the excess of its angle sum that the curved *Earth* causes, 14.85348 seconds of arc. On a sphere
# of any size it follows from the unit vectors $A$, $B$, $C$ that point to the summits,
#
# $$\tan\frac{\text{excess}}{2} = \frac{|\det(A, B, C)|}{1 + A\cdot B + B\cdot C + C\cdot A}.$$
#
# *In words:* the solid angle of three directions is what their volume says, corrected for their size. (With $-c$ for
# the curvature the dot products become hyperbolic cosines of the sides, and this is the formula by which
# `plane.triangle_defect` works.)

# %% id="gauss-excess"
summits = [51.4767, 9.7631], [51.7992, 10.6156], [50.8515, 10.4665]
summits = torch.tensor(summits)
north, east = summits.deg2rad().unbind(-1)
x, y, z = north.cos() * east.cos(), north.cos() * east.sin(), north.sin()
A, B, C = torch.stack((x, y, z), -1)
volume = (A @ torch.linalg.cross(B, C)).abs()
excess = 2 * torch.atan2(volume, 1 + A @ B + B @ C + C @ A)
earth = 6383.0  # km: mean radius of curvature of the ellipsoid at 51°
area = excess * earth**2
print(f"excess {excess.rad2deg() * 3600:.2f} seconds, area {area:.0f} km²")


# %% [markdown] id="gauss-space"
# Light does not follow the Earth. Had *space* the curvature $-c$, the angles between the light rays would miss 180°
# by $c \times$ area. Suppose an angle sum is known to one second. How small must $c$ be to escape notice?
#
# Lobachevsky had already looked up instead of around, and Schwarzschild (1900) did so with better stars. In a
# hyperbolic universe even an infinitely distant star has a parallax: the directions in which one sees it from the two
# ends of the distance $a$ between Sun and Earth differ by $\pi/2 - \Pi(a)$. In flat space they would be parallel.
# Say, there are stars whose parallax is 0.05 seconds or less. (An *astronomical unit*, au, is the distance $a$.)

# %% id="gauss-bound"
second = math.radians(1 / 3600)
c = (second / area).item()  # per square kilometre
print(f"mountains: c < {c:.2e} / km²,", end=" ")
print(f"1/sqrt(c) > {c**-0.5:,.0f} km = {c**-0.5 / earth:.1f} Earth radii")

parallax = 0.05 * second  # = pi/2 - Pi(a), solved for x = sqrt(c) a
x = -math.log(math.tan((math.pi / 2 - parallax) / 2))
shortfall = math.pi / 2 - plane.angle_of_parallelism(x).item()
assert math.isclose(shortfall, parallax, rel_tol=1e-6)
print(f"stars: 1/sqrt(c) > {1 / x / 1e6:.2f} million au", end=" ")
print(f"= {1 / x / 63241:.0f} light years")


# %% [markdown] id="table"
# A space as strongly curved as the Earth's surface would have cost Gauss' triangle 14.9 seconds, and he would have
# seen it; one with four times that radius he would have missed. Whether he meant his survey as a test of Euclid is
# doubtful; that the question is one for *measurement* was his view.
#
# ## 12 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Gauss 1827, art. 28 | excess of the angle sum, Hoher Hagen, Brocken, Inselsberg | 14.85348″ | 14.86″ |
# | Schwarzschild 1900 | least radius of a hyperbolic universe | from parallaxes | 4.13 million au, for 0.05″ |
# | Lobachevsky 1840, § 36 | $\tan\frac12\Pi(1)$ | 0.367879 ($e^{-1}$) | 0.367879, constructed and measured |
# | Gauss to F. Bolyai, 1832 | area of the largest triangle | finite | $3.1416/c$, the ideal triangle |
#
# Gauss computed for the ellipsoid of the Earth, from his own survey; we took the coordinates of the summits from a map,
# with four decimals of a degree. Of Schwarzschild we took the argument. Lobachevsky proved his line; we built the
# triangle with one ideal corner and measured it.
#
# None of these numbers took as much as a second on one CPU core.
#
# ## Three things to keep
#
# 1. **The fifth postulate is a choice.** A world without it is as consistent as Euclid's; you have just computed in
#    it.
# 2. **Curvature is a unit of length**, $1/\sqrt c$. Angles know about size: $\Pi(d)$ measures distance, the defect
#    measures area.
# 3. **There is exponentially more room**, at the rim, exactly where our number formats are thin. The rest of the
#    course lives off the first half of that sentence and fights the second.
#
# ## Go further
#
# - **Marvin Greenberg**, *Euclidean and Non-Euclidean Geometries*, 4th ed., Freeman 2008. The whole story with
#   proofs, from the axioms up; the best book to read after this page.
# - **Jeremy Gray**, *Worlds Out of Nothing*, Springer 2007. The history, including who knew what when.
# - **James Cannon, William Floyd, Richard Kenyon, Walter Parry**, "Hyperbolic geometry", in *Flavors of Geometry*,
#   MSRI Publications 31, 1997. Fifty pages by people who compute: five models and why each is useful. Free online.
# - **Nikolai Lobachevsky**, *Geometrical Researches on the Theory of Parallels*, 1840, translated by Halsted 1891.
#   Forty pages, readable today.
# - **Carl Friedrich Gauss**, *General Investigations of Curved Surfaces*, 1827, translated by Morehead and
#   Hiltebeitel 1902. Lecture 02 measures what he defines there.
# - **Karl Schwarzschild**, "On the permissible curvature of space", 1900, translated in *Classical and Quantum
#   Gravity* 15, 1998. Sixteen years before his black hole, a careful answer to section 11.
#
# **An open question.** Networks are trained in coordinates, and all coordinates here waste their numbers: near the
# centre there are too many, near the rim too few. Is there a number format of 16 bits that spreads its values evenly
# over a hyperbolic disk of radius 10, *and* in which addition of vectors is cheap?
#
# **Next:** the [exercises](../exercises/01_parallel_postulate/01_parallel_postulate.ipynb), then lecture 02: how does
# one feel curvature from inside?
