# %% [markdown] id="title"
# # 04 · The Poincaré ball: arithmetic with curvature
#
# **Question.** Networks add vectors, scale them, subtract them and move along them. What do these words mean in a
# world with curvature, and what do they cost?
#
# **After this lecture you can**
#
# - *compute* sums, multiples, distances, exponential and logarithmic maps and transports in the ball, for every
#   curvature $-c$,
# - *derive* each of them from one motion: bring the point to the centre, do there what Euclid does, go back,
# - *explain* why the sum is neither commutative nor associative, and what the area of a triangle has to do with it,
# - *choose*, among formulas that are equal on paper, the one that is right in the machine,
# - *draw* the tiling $\{p, q\}$ by nothing but reflections.
#
# **You need** lecture 01 (the disk) and the word *curvature* from lecture 02. Vectors, `torch`, school calculus.
#
# **Reading time:** 50 minutes. **Running time:** under 30 seconds on two CPU cores.
#
# **Exercises:** [04_poincare_ball](../exercises/04_poincare_ball/04_poincare_ball.ipynb);
# get your own copy with `hyplearn start 04_poincare_ball`.

# %% id="setup"
import math
from itertools import pairwise

import torch

from hyplearn import PoincareBall, isometries, plane, viz
from hyplearn.viz import Explorer

torch.set_default_dtype(torch.float64)
close = torch.testing.assert_close
full = False  # True: 1,000,000 triples, and two more layers of tiles

# %% [markdown] id="touch"
# ## 1 · Touch it first
#
# Drag the points $A$ and $B$: their distance changes. Now drag the *plane* beside them: everything moves, the points
# seem to grow and shrink, and the distance stays. Such a motion of the whole plane is called an isometry.
#
# 1. Move $A$ to the centre by dragging the plane. What has become of the line $AB$?
# 2. Move the slider of $c$ towards 0. What happens to the line?

# %% id="explore"
explorer = Explorer(mode="line", c=1.0, slider=True)
explorer

# %% [markdown] id="touch-answer"
# Seen from the centre, straight lines look straight, and distances depend on the radius alone. That is the trick of
# this lecture, and nearly the only one: **bring the point to the centre, do there what you would do in flat space, go
# back.** (With $c$ near 0 the rim recedes, and the line straightens everywhere: section 9.)
#
# ## 2 · The ruler
#
# The *Poincaré ball* of curvature $-c$ is the set of all $x$ in $\mathbb R^n$ with $c|x|^2 < 1$. A tiny step $v$ at $x$
# has the length $\lambda_x|v|$, and two steps have the inner product $\lambda_x^2\langle u, v\rangle$, with
#
# $$\lambda_x = \frac{2}{1 - c|x|^2}.$$
#
# *In words:* the ruler is Euclid's, magnified by a *conformal factor* $\lambda_x$ that depends on the place, but not on
# the direction. Therefore angles are what they look like. As a matrix, the *metric tensor* is $\lambda_x^2 I$.

# %% id="draw-ruler"
ball = PoincareBall(1.0)
figure, (disk,) = viz.picture(size=4.2)
for ring, count in ((0.0, 1), (1.0, 6), (2.0, 16), (3.0, 40)):
    for k in range(count):
        direction = plane.ideal_point(2 * math.pi * k / count)
        place = math.tanh(ring / 2) * direction
        disk.circle(place, 0.2, fill="blue", color="blue", width=0.8)
viz.show(
    figure,
    alt="Sixty-three circles of the same radius 0.2, one at the centre and "
    "the others on three rings at distances 1, 2 and 3. All are drawn as "
    "circles, not as ellipses; they look smaller towards the rim.",
)


# %% id="ruler-scratch"
def conformal_factor(x, c):
    return 2 / (1 - c * (x * x).sum(-1))


c = 0.5
x, u, v = torch.tensor([[0.9, 0.6], [1.0, 0.0], [1.0, 2.0]])
scratch = conformal_factor(x, c)
close(scratch, PoincareBall(c).lambda_x(x))
close(scratch**2 * (u @ v), PoincareBall(c).inner(x, u, v))
print(f"at x a step of the picture is {scratch:.4f} long; at the centre 2")

# %% [markdown] id="predict-chord"
# With a ruler for tiny steps one can measure every path: cut it into small pieces and add up.
#
# > **Predict, then run (1).** From $x$ to $y$ along the straight chord of the picture, or along the arc that the
# > explorer drew: which way is shorter, and by how much? A tenth of a percent, 10 %, half?


# %% id="chord"
def length(path, c):
    """The pieces of a path (N, 2), each measured in its middle."""
    pieces, middles = path.diff(dim=0), (path[1:] + path[:-1]) / 2
    return (conformal_factor(middles, c) * pieces.norm(dim=-1)).sum()


x, y = torch.tensor([[0.92, 0.1], [-0.1, 0.92]])
t = torch.linspace(0, 1, 4001)[:, None]
chord = (1 - t) * x + t * y
arc = ball.geodesic(t, x, y)
for name, way in (("chord", chord), ("arc", arc)):
    print(f"{name} {length(way, 1.0):.4f}", end=", ")
print(f"dist {ball.dist(x, y):.4f}")
close(length(arc, 1.0), ball.dist(x, y), rtol=1e-5, atol=0)

# %% [markdown] id="sum"
# The detour through the middle pays: there the rulers are long. No path is shorter than the arc: it is a
# *geodesic*. But who computes the arc, and the number called `dist`? Everything follows from one motion.
#
# ## 3 · The sum is a motion
#
# In flat space $x \mapsto a + x$ moves the plane so that the centre goes to $a$. The disk has such motions, too. In
# complex numbers and for $c = 1$ it is $w \mapsto (a + w)/(1 + \bar a w)$, which you met in lecture 01. Multiply
# numerator and denominator by the conjugate of the latter, $1 + a\bar w$, and write $\langle a, w\rangle$ for the real
# part of $\bar a w$. What comes out knows nothing of complex numbers any more; with $c$ put in, and $x$, $y$ for $a$,
# $w$, it is the **Möbius sum** in every dimension:
#
# $$x\oplus y = \frac{(1 + 2c\langle x, y\rangle + c|y|^2)\,x + (1 - c|x|^2)\,y}
# {1 + 2c\langle x, y\rangle + c^2|x|^2|y|^2}.$$
#
# *In words:* $x \oplus y$ is where $y$ lands when the world is moved so that the centre comes to $x$, without a turn.


# %% id="sum-scratch"
def add(x, y, c=1.0):
    xy, xx = (x * y).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True)
    yy = (y * y).sum(-1, keepdim=True)
    top = (1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y
    return top / (1 + 2 * c * xy + c * c * xx * yy)


c = 0.5
x, y = torch.tensor([0.7, 0.2]), torch.tensor([-0.3, 0.8])
close(add(x, y, c), PoincareBall(c).mobius_add(x, y))
a, w = (complex(*(math.sqrt(c) * p)) for p in (x, y))
z = (a + w) / (1 + a.conjugate() * w) / math.sqrt(c)
close(add(x, y, c), torch.tensor([z.real, z.imag]))
print("x (+) y =", [round(p, 6) for p in add(x, y, c).tolist()])

# %% [markdown] id="sum-isometry"
# Add $a$ to each corner of the tiling of lecture 01: the whole world moves. And distances stay, as they did when you
# dragged the plane.

# %% id="draw-sum"
tiling = plane.tiling(7, 3, layers=3)
a = torch.tensor([0.5, 0.3])
titles = ["the world", r"$a\,\oplus$ the world"]
figure, (left, right) = viz.picture(
    viz.Disk,
    viz.Disk,
    size=3.0,
    titles=titles,
)
for disk, move in ((left, lambda p: p), (right, lambda p: add(a, p))):
    for layer, color in enumerate(["orange", "sky", "blue", "sky"]):
        tiles = move(tiling.tiles[tiling.layer == layer])
        disk.polygon(tiles, fill=color, alpha=0.45, width=0.5)
right.point(a, "$a$", size=4)
viz.show(
    figure,
    alt="Left: four layers of heptagons about the centre. Right: the same "
    "heptagons after a was added to every corner: the central tile now "
    "sits at a, up on the right; all are still regular, and some at the "
    "lower left have grown.",
)
p, q = tiling.vertices[:300], tiling.vertices[-300:]
change = (ball.dist(add(a, p), add(a, q)) - ball.dist(p, q)).abs().max()
print(f"300 distances: all kept to 12 decimals? {bool(change < 1e-12)}")

# %% [markdown] id="einstein"
# On a line through the centre the sum is $(x + y)/(1 + cxy)$, and you may have met it elsewhere: it is how Einstein
# (1905) adds velocities, with $1/\sqrt c$ for the speed of light. Half the speed of light and half the speed of light
# are 0.8 of it, and nothing ever leaves the ball.

# %% id="einstein-run"
half = torch.tensor([0.5, 0.0])
total = half
for _ in range(4):
    print(f"{total[0]:.6f}", end="  ")
    total = add(half, total)

# %% [markdown] id="distance"
# ## 4 · The distance: three formulas, one of them accurate
#
# *Step 1: from the centre.* Walk outwards along a radius and add up the ruler:
# $\int_0^r \frac{2\,dt}{1 - ct^2} = \frac2{\sqrt c}\operatorname{atanh}(\sqrt c\,r)$.
#
# *Step 2: from anywhere.* Move $x$ to the centre, which is to add $-x$ from the left. Then $y$ is at $-x\oplus y$, so
#
# $$d(x, y) = \frac2{\sqrt c}\operatorname{atanh}\big(\sqrt c\,|{-x}\oplus y|\big).$$
#
# *Step 3: get rid of the sum.* A line of algebra gives $1 - c|{-x}\oplus y|^2 = (1 - c|x|^2)(1 - c|y|^2)/N$, with the
# denominator $N$ of the sum, and $\operatorname{atanh} r = \operatorname{asinh}(r/\sqrt{1 - r^2})
# = \frac12\operatorname{acosh}\frac{1 + r^2}{1 - r^2}$ does the rest. With $G = (1 - c|x|^2)(1 - c|y|^2)$:
#
# $$d(x, y) = \frac2{\sqrt c}\operatorname{asinh}\frac{\sqrt c\,|x-y|}{\sqrt G}
# = \frac1{\sqrt c}\operatorname{acosh}\Big(1 + \frac{2c|x-y|^2}{G}\Big).$$
#
# *In words:* the gap in the picture, magnified by the geometric mean of the two conformal factors (and, for long ways,
# bent back by asinh, since the best way leads through the middle). The last one is the formula of Nickel and Kiela
# (2017).


# %% id="distance-scratch"
def three(x, y, c=1.0):
    s = math.sqrt(c)
    G = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    gap = (x - y).norm(dim=-1)
    by_asinh = 2 / s * torch.asinh(s * gap / G.sqrt())
    by_acosh = torch.acosh(1 + 2 * c * gap**2 / G) / s
    by_atanh = 2 / s * torch.atanh(s * add(-x, y, c).norm(dim=-1))
    return torch.stack((by_asinh, by_acosh, by_atanh))


c = 0.5
close(three(x, y, c), PoincareBall(c).dist(x, y).expand(3))
print("asinh, acosh, atanh:", *(f"{d:.9f}" for d in three(x, y, c)))

# %% [markdown] id="predict-distance"
# > **Predict, then run (2).** The three agree to nine digits. Now in `float32`, first with two points that come ever
# > closer, then with two that part. Which formula fails where, and does it fail by a few digits or altogether?

# %% id="distance-table" tolerance=0.2
print("  true distance       asinh       acosh       atanh")
turn = plane.ideal_point(torch.tensor(0.4))
for d in (1e-1, 1e-3, 1e-4, 1e-5, 8.0, 14.0, 18.0):
    if d < 1:  # around a point in the middle
        here = torch.tensor([0.5, 0.2])
        p, q = here, ball.expmap(here, d * turn / ball.lambda_x(here))
    else:  # on both sides of the centre
        p, q = math.tanh(d / 4) * turn, -math.tanh(d / 4) * turn
    p, q = p.float(), q.float()
    true = ball.dist(p.double(), q.double())  # of the rounded points
    print(f"{true:15.6e}", *(f"{d:11.4e}" for d in three(p, q)))


# %% [markdown] id="distance-answer"
# Only asinh survives both. For close points acosh computes $1 + (\text{something tiny})$ and forgets the tiny;
# everything below $10^{-4}$ or so is *one* point, with a gradient of 0 or NaN. For distant ones atanh asks how far the
# length of $-x\oplus y$ is from 1, and that difference was rounded away: noise first, then infinity. Equal on paper is
# not equal in the machine: the exercises let you feel each of the failures, and lecture 09 is about nothing else.
#
# ## 5 · Two laws that fail, and what repairs them
#
# > **Predict, then run (3).** Is $x\oplus y = y\oplus x$? If not: are at least the lengths equal? Is
# > $x\oplus(y\oplus z) = (x\oplus y)\oplus z$? Think of a rule: "three steps ahead, turn left, three steps ahead"
# > on a curved field.

# %% id="laws"
g = torch.Generator().manual_seed(0)
n = 1_000_000 if full else 100_000
c = 2.0
world = PoincareBall(c)
x, y, z = world.random(3, n, 2, std=0.7, generator=g)
xy, yx = add(x, y, c), add(y, x, c)
print(f"|x+y - (y+x)|       up to {(xy - yx).norm(dim=-1).max():.3f}")
lengths = (xy.norm(dim=-1) - yx.norm(dim=-1)).abs().max()
print(f"||x+y| - |y+x||     always below 1e-10? {bool(lengths < 1e-10)}")
one, two = add(x, add(y, z, c), c), add(xy, z, c)
print(f"|x+(y+z) - (x+y)+z| up to {(one - two).norm(dim=-1).max():.3f}")
undone = (add(-x, xy, c) - y).norm(dim=-1).max()
print(f"|-x+(x+y) - y|      always below 1e-10? {bool(undone < 1e-10)}")

# %% id="draw-laws"
x2, y2 = torch.tensor([0.62, 0.0]), torch.tensor([0.0, 0.62])
ends = add(x2, y2), add(y2, x2)
figure, (disk,) = viz.picture(size=4.2)
zero = torch.zeros(2)
disk.polygon(torch.stack((zero, x2, ends[0])), fill="sky", width=0)
disk.circle(zero, ball.dist0(ends[0]), color="light", width=1.0)
for point, end, color in ((x2, ends[0], "blue"), (y2, ends[1], "red")):
    disk.segment(zero, point, color=color)
    disk.segment(point, end, color=color)
disk.point(torch.stack((zero, x2, y2)), ["$0$", "$x$", "$y$"])
disk.point(ends[0], r"$x\oplus y$", color="blue")
disk.point(ends[1], r"$y\oplus x$", color="red")
viz.show(
    figure,
    alt="From the centre to x and on to x plus y in blue, to y and on to y "
    "plus x in red. In flat space the two ways would close to a square; "
    "here they end at different points of one grey circle about the "
    "centre. The triangle 0, x, x plus y is shaded.",
)

# %% [markdown] id="gyration"
# Neither law holds, but the lengths agree: $x\oplus y$ and $y\oplus x$ lie on one circle. They differ by a *rotation*.
# Ungar calls it the **gyration** of $x$ and $y$ and defines it by the failure of the second law,
#
# $$\operatorname{gyr}[x, y]\,z = -(x\oplus y)\oplus\big(x\oplus(y\oplus z)\big).$$
#
# *In words:* move by $y$, by $x$, and by $x\oplus y$ back home: the centre is where it was, and the world has turned.
# The gyration of two points repairs both laws at once:
#
# $$x\oplus y = \operatorname{gyr}[x,y]\,(y\oplus x), \qquad x\oplus(y\oplus z) = (x\oplus y)\oplus
# \operatorname{gyr}[x,y]\,z.$$

# %% id="gyration-scratch"
turned = add(-xy, add(x, add(y, z, c), c), c)
library = world.gyration(x, y, z)
close(turned, library)
longer = turned.norm(dim=-1) - z.norm(dim=-1)
claims = {
    "it is a rotation: |gyr z| = |z|": longer,
    "x + y = gyr[x,y] (y + x)": xy - world.gyration(x, y, yx),
    "x + (y + z) = (x + y) + gyr[x,y] z": one - add(xy, turned, c),
}
for claim, off in claims.items():
    print(f"{claim:36} to 10 decimals? {bool(off.abs().max() < 1e-10)}")

# %% [markdown] id="gyration-area"
# By which angle? In complex numbers the gyration is the factor $(1 + a\bar b)/(1 + \bar a b)$. There is a much
# better answer. Look at the shaded triangle $0$, $x$, $x\oplus y$ above: we walked along its sides. What does lecture
# 01 know about a triangle that is an angle?

# %% id="gyration-area-run"
east = torch.tensor([1e-3, 0.0])
found = world.gyration(x, y, east.expand(n, 2))
angle = torch.atan2(found[:, 1], found[:, 0]).abs()
defect = plane.triangle_defect(torch.zeros(2), x, xy, c)
close(angle, defect)
print(f"the angle of the gyration is the defect, {n:,d} times")
print(f"one of them: {angle[0]:.6f} and {defect[0]:.6f}, in radians")

# %% [markdown] id="scalar"
# **The gyration turns by $c$ times the area** of the triangle that the two steps and their sum enclose. The failure of
# school arithmetic is not a nuisance of the formula; it *is* the curvature, and in small triangles there is little of
# it. Physicists have known a rotation of this kind since 1926, as Thomas precession.
#
# ## 6 · Numbers times points, and straight lines
#
# $r\otimes x$ is the point in the direction of $x$ at $r$ times its distance from the centre:
#
# $$r\otimes x = \frac1{\sqrt c}\tanh\!\big(r\operatorname{atanh}(\sqrt c|x|)\big)\frac{x}{|x|}.$$
#
# *In words:* stretch what is measured, not what is drawn. Then $2\otimes x = x\oplus x$, and so on.


# %% id="scalar-scratch"
def times(r, x, c=1.0):
    s, size = math.sqrt(c), x.norm(dim=-1, keepdim=True)
    return torch.tanh(r * torch.atanh(s * size)) / (s * size) * x


close(times(2.5, x, c), world.mobius_scalar_mul(2.5, x))
close(times(3.0, x, c), add(x, add(x, x, c), c))
close(world.dist0(times(2.5, x, c)), 2.5 * world.dist0(x))
left = times(2.0, xy, c)
right = add(times(2.0, x, c), times(2.0, y, c), c)
print(f"2(x+y) and 2x+2y: up to {world.dist(left, right).max():.2f} apart")

# %% [markdown] id="geodesic"
# Two laws hold, $(r + s)\otimes x = r\otimes x\oplus s\otimes x$ and $(rs)\otimes x = r\otimes(s\otimes x)$, since all
# this happens on one line; the third, $r\otimes(x\oplus y)$, fails (there are no similar triangles: lecture 01).
#
# Now the straight line from $x$ to $y$. In flat space it is $x + t(y - x)$. Change the signs:
#
# $$\gamma(t) = x\oplus\big(t\otimes(-x\oplus y)\big).$$
#
# *In words:* bring $x$ to the centre, go the part $t$ of the way to where $y$ now is, bring the centre back.

# %% id="geodesic-scratch"
x1, y1 = torch.tensor([-0.55, -0.5]), torch.tensor([0.75, -0.1])
t = torch.linspace(0, 1, 9)[:, None]
gamma = add(x1, times(t, add(-x1, y1)))
close(gamma, ball.geodesic(t, x1, y1))
off = plane.signed_distance(plane.line_through(x1, y1), gamma)
print(f"on the circle of lecture 01? {bool(off.abs().max() < 1e-12)}")
steps = ball.dist(gamma[1:], gamma[:-1])
print("steps:", *(f"{d:.4f}" for d in steps))

# %% id="draw-geodesic"
figure, (disk,) = viz.picture(size=4.0)
disk.line(plane.line_through(x1, y1), color="light")
disk.segment(x1, y1, color="blue")
disk.point(gamma[1:-1], color="blue", size=4)
wrong = x1 + t * (y1 - x1)
disk.ax.plot(*wrong.T, ":o", ms=3, color=viz.COLORS["red"], lw=1.2)
disk.point(torch.stack((x1, y1)), ["$x$", "$y$"])
viz.show(
    figure,
    alt="The geodesic from x to y in blue, an arc that bends towards the "
    "centre, with seven points at equal distances; in the picture they "
    "crowd towards the ends. Dotted in red, the flat interpolation, along "
    "the chord.",
)

# %% [markdown] id="exp"
# ## 7 · Walk and look: exp and log
#
# A gradient is no point; it is an arrow. So training needs two more verbs: **walk** along an arrow, and **look** from
# one point to another.
#
# *At the centre.* The arrow $v$ has the length $\lambda_0|v| = 2|v|$, and the point at distance $d$ has the radius
# $\tanh(\sqrt c\,d/2)/\sqrt c$. So
#
# $$\exp_0(v) = \frac1{\sqrt c}\tanh(\sqrt c\,|v|)\frac{v}{|v|},\qquad
# \log_0(y) = \frac1{\sqrt c}\operatorname{atanh}(\sqrt c\,|y|)\frac{y}{|y|}.$$
#
# *At $x$.* Bring $x$ to the centre, walk, go back. The motion $x\oplus$ scales a tiny arrow at the centre by
# $\lambda_0/\lambda_x = 1 - c|x|^2$, so at the centre our arrow $v$ is $\frac{\lambda_x}{2}v$:
#
# $$\exp_x(v) = x\oplus\exp_0\!\big(\tfrac{\lambda_x}2v\big),\qquad
# \log_x(y) = \tfrac{2}{\lambda_x}\log_0(-x\oplus y).$$
#
# *In words:* $\exp_x(v)$ is where you are after walking straight on for one hour, if you leave $x$ with the velocity
# $v$; $\log_x(y)$ is the velocity that brings you to $y$.


# %% id="exp-scratch"
def exp0(v, c):
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True)
    return torch.tanh(size) / size * v


def log0(y, c):
    size = math.sqrt(c) * y.norm(dim=-1, keepdim=True)
    return torch.atanh(size) / size * y


def exp(x, v, c):
    return add(x, exp0(conformal_factor(x, c)[..., None] / 2 * v, c), c)


def log(x, y, c):
    return 2 / conformal_factor(x, c)[..., None] * log0(add(-x, y, c), c)


v = log(x, y, c)
close(v, world.logmap(x, y), rtol=1e-7, atol=1e-9)
close(exp(x, v, c), y), close(world.expmap(x, v), y)
close(world.norm(x, v), world.dist(x, y))
print("exp undoes log, and |log_x(y)| at x is the distance: all", len(x))

# %% id="draw-exp"
here = torch.tensor([-0.45, 0.25])
rays = plane.ideal_point(2 * math.pi / 16 * torch.arange(16))
figure, (disk,) = viz.picture(size=4.2)
for steps, color in ((1, "orange"), (2, "green"), (3, "blue")):
    arrows = steps * 0.6 * rays / ball.lambda_x(here)
    tips = exp(here.expand(16, 2), arrows, 1.0)
    disk.segment(here, tips, color="grey", width=1.0)
    disk.circle(here, steps * 0.6, color=color, width=1.2)
    disk.point(tips, color=color, size=4)
disk.point(here, "$x$")
viz.show(
    figure,
    alt="Sixteen geodesics leave the point x in all directions. The points "
    "at distances 0.6, 1.2 and 1.8 on them lie on three circles, which are "
    "Euclidean circles, too, but not about x.",
)

# %% [markdown] id="transport"
# ## 8 · Carry: parallel transport
#
# Momentum is an arrow that was computed at yesterday's point. To use it today one must carry it along. In flat space
# one writes it down again at the new point. Here: the arrow is carried along the geodesic, its length and its angle
# with the way kept.
#
# *From the centre to $x$* the motion $x\oplus$ does that: $v\mapsto\frac{2}{\lambda_x}v$. The direction stays, the
# length in the picture shrinks with the ruler. *From $x$ to $y$*, bring $x$ to the centre, and $y$ to $w = -x\oplus y$;
# carry from the centre to $w$; go back. The way back from $w$ to $y$ is $x\oplus(w\oplus\cdot)$, and the second law of
# section 5 says what that is: a turn, followed by $y\oplus\cdot$. What remains is
#
# $$P_{x\to y}\,v = \frac{\lambda_x}{\lambda_y}\operatorname{gyr}[y, -x]\,v.$$
#
# *In words:* the ruler changes, and the world turns by the area between the way and the centre.


# %% id="transport-scratch"
def gyration(u, w, z, c):
    """gyr[u, w] z: linear in z, so an arrow may be shortened."""
    short = 1e-3 * z
    return 1e3 * add(-add(u, w, c), add(u, add(w, short, c), c), c)


def carry(x, y, v, c):
    ratio = conformal_factor(x, c) / conformal_factor(y, c)
    return ratio[..., None] * gyration(y, -x, v, c)


p, q, arrow = torch.tensor([[0.3, -0.4], [-0.2, 0.5], [0.2, 0.1]])
there = carry(p, q, arrow, c)
close(there, world.transp(p, q, arrow), rtol=1e-6, atol=1e-9)
close(world.norm(q, there), world.norm(p, arrow), rtol=1e-6, atol=0)
print("length before and after:", end=" ")
print(f"{world.norm(p, arrow):.6f}, {world.norm(q, there):.6f}")

# %% [markdown] id="predict-carry"
# > **Predict, then run (4).** Carry an arrow round a triangle, along its three sides, never turning it. It comes back
# > to where it started. With the direction in which it started?

# %% id="carry-round"
corners = torch.tensor([[-0.6, -0.45], [0.65, -0.35], [0.05, 0.7]])
v0 = torch.tensor([0.0, 1.0]) / ball.lambda_x(corners[0])
stations, arrows, v = [], [], v0
for i in range(3):
    t = torch.linspace(0, 1, 6)[:, None]
    way = ball.geodesic(t, corners[i], corners[(i + 1) % 3])
    for here, onward in pairwise(way):
        stations.append(here), arrows.append(v)
        v = ball.transp(here, onward, v)
angle = math.atan2(v[1], v[0]) - math.atan2(v0[1], v0[0])
defect = plane.triangle_defect(*corners).item()
print(f"the arrow comes back turned by {math.degrees(angle):.4f} degrees")
print(f"minus the defect of the triangle: {-math.degrees(defect):.4f}")

# %% id="draw-carry"
figure, (disk,) = viz.picture(size=4.4)
disk.polygon(corners, fill="sky")
stations = torch.stack((*stations, corners[0]))
tips = 0.7 * torch.stack((*arrows, v))  # tangent vectors are drawn straight
style = {"arrowstyle": "-|>", "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
colors = ["red"] + ["blue"] * (len(tips) - 2) + ["orange"]
for place, tip, color in zip(stations, tips, colors, strict=True):
    disk.ax.annotate(
        "",
        (place + tip).tolist(),
        place.tolist(),
        arrowprops=style | {"color": viz.COLORS[color]},
        zorder=7,
    )
viz.show(
    figure,
    alt="A triangle with arrows along its sides, which are one arrow, "
    "carried round counter-clockwise. It starts at the lower left corner "
    "pointing up, in red, and comes back to it turned clockwise, in orange.",
)

# %% [markdown] id="limit"
# No: it has turned by the area of the triangle times the curvature, $-c$. (On a globe arrows turn the other way.) That
# is how somebody who lives inside can tell that the world is bent, without looking at it from outside, and why
# "subtract two gradients" is a meaningless phrase as long as they live at different points.
#
# ## 9 · What happens when $c$ goes to 0
#
# Every formula above has a $c$ in it. Put $c = 0$: the sum becomes $x + y$, the product $rx$, the gyration the
# identity, $\exp_x(v) = x + v$, $\log_x(y) = y - x$.
#
# > **Predict, then run (5).** And the distance? Take $|x - y| = 1$ and $c = 10^{-8}$.

# %% id="limit-run"
x, y, v = torch.tensor([[0.2, 0.1], [-0.4, 0.9], [0.3, -0.2]])
print("    c   |sum - (x+y)|  |exp - (x+v)|  dist / |x-y|")
for c in (1.0, 1e-1, 1e-2, 1e-4, 1e-8):
    flat = PoincareBall(c)
    sums = (flat.mobius_add(x, y) - x - y).norm()
    walks = (flat.expmap(x, v) - x - v).norm()
    ratio = flat.dist(x, y) / (x - y).norm()
    print(f"{c:5.0e}  {sums:13.2e}  {walks:13.2e}  {ratio:.8f}")

# %% [markdown] id="limit-answer"
# **Twice** the flat distance. Everything else has no 2 in it; the errors fall in proportion to $c$. Why? As $c\to0$ the
# conformal factor tends to 2, not to 1: the limit *is* flat space, drawn at half its size, and nobody who lives there
# would notice.
#
# And why not drop the 2? Then all lengths would be half as long, and a world of half the size is bent more strongly:
# curvature has the unit $1/\text{length}^2$, so it would be $-4c$. The 2 is the price for the name $-c$. It is also a
# trap: `log0(x)` in the ball is *half* of the normal coordinates, in which the limit is $|x - y|$ (lecture 03).
#
# **$1/\sqrt c$ is a unit of length.** Multiply all points by $\sqrt c$, and every ball is the ball with $c = 1$:

# %% id="unit"
x, y = torch.tensor([[0.2, 0.1], [-0.4, 0.9]])
for c in (0.1, 0.5):
    s = math.sqrt(c)
    left = PoincareBall(c).dist(x, y)
    right = ball.dist(s * x, s * y) / s
    close(left, right)
    print(f"c = {c}: {left:.6f} and {right:.6f}")


# %% [markdown] id="tilings"
# ## 10 · The group at work: tilings $\{p, q\}$
#
# Motions and reflections form a group. Let it work: take *one* regular $p$-gon whose angles are $2\pi/q$, so that
# $q$ of them fit round a corner, and reflect it in its sides; reflect the images; go on.
#
# A reflection in a line, which is a circle with centre $m$ and radius $r$ at right angles to the rim, is *inversion*:
#
# $$x\mapsto m + \frac{r^2}{|x-m|^2}(x - m).$$
#
# *In words:* on the same ray from $m$, at the distance whose product with the old one is $r^2$.


# %% id="reflect-scratch"
def reflect(centre, radius, x):
    away = x - centre
    return centre + radius**2 / (away @ away) * away


tile = plane.regular_polygon(5, 2 * math.pi / 4)
mirror = plane.line_through(tile[0], tile[1])
m, r = mirror.centre, mirror.radius
image = torch.stack([reflect(m, r, corner) for corner in tile])
close(image, plane.reflect(mirror, tile))
for name, p in (("tile", tile), ("image", image)):
    sides = ball.dist(p, p.roll(1, 0))
    print(f"{name:5}: sides", *(f"{side:.6f}" for side in sides))

# %% [markdown] id="draw-tilings-text"
# That is the whole program; `plane.tiling` repeats it and forgets duplicates. It is hyperbolic when the corners of the
# flat $p$-gon are too wide, $(p-2)(q-2) > 4$.

# %% id="draw-tilings"
kinds = (5, 4), (4, 5), (3, 7)
titles = [f"{{{p}, {q}}}" for p, q in kinds]
figure, canvases = viz.picture(*[viz.Disk] * 3, size=2.05, titles=titles)
layers = 4 + 2 * full, 4 + 2 * full, 7 + 2 * full
sizes = zip(kinds, layers, strict=True)
tilings = [plane.tiling(p, q, n) for (p, q), n in sizes]
for disk, each in zip(canvases, tilings, strict=True):
    for layer in range(int(each.layer.max()) + 1):
        color = ("blue", "sky")[layer % 2] if layer else "orange"
        tiles = each.tiles[each.layer == layer]
        disk.polygon(tiles, fill=color, alpha=0.5, width=0.4)
viz.show(
    figure,
    alt="Three tilings of the disk: pentagons, four around a corner; "
    "squares, five around a corner; triangles, seven around a corner. The "
    "tiles are coloured by layers around an orange one in the centre.",
)
for (p, q), each in zip(kinds, tilings, strict=True):
    sizes = each.layer.bincount().tolist()
    print(f"{{{p}, {q}}}: tiles in each layer {sizes}")

# %% [markdown] id="predict-growth"
# In the flat chessboard $\{4, 4\}$ the layer $k$ has $4k$ tiles. Look at the numbers: here the layers grow
# by a *factor* that soon hardly changes. Room grows exponentially; lecture 05 puts trees into it.
#
# The group also contains motions without a mirror: two reflections after each other. As matrices
# (`hyplearn.isometries`) they multiply like any others, the first motion on the right. That product is associative;
# $\oplus$ is not, because a sum of two points forgets the turn.

# %% id="group"
one, two = torch.tensor([0.4, 0.0]), torch.tensor([0.0, 0.3])
zero = torch.zeros(2)
step = [isometries.translation(zero, a, ball) for a in (one, two)]
both = step[0] @ step[1]  # first by `two`, then by `one`
target = torch.tensor([-0.2, 0.5])
close(isometries.apply(both, target, ball), add(one, add(two, target)))
corner = isometries.apply(both, zero, ball)
print("0 goes to", [round(t, 6) for t in corner.tolist()])
print("x (+) y  ", [round(t, 6) for t in add(one, two).tolist()])

# %% [markdown] id="breaks"
# ## 11 · Where it breaks
#
# **The textbook sum, near the rim.** $x\oplus y$ has a denominator that is tiny if $x$ and $y$ are nearly opposite and
# far out, and it gets there as a difference of numbers near 1. Take $y$ at distance $d$ and bring it home from a place
# one unit away: the result must have distance 1 from the centre.

# %% id="break-sum" tolerance=0.5
print("  d   textbook   library")
for d in (4.0, 12.0, 16.0, 17.0, 18.0, 20.0):
    y = math.tanh(d / 2) * plane.ideal_point(torch.tensor(0.3))
    step = plane.ideal_point(torch.tensor(2.0)) / ball.lambda_x(y)
    x = ball.expmap(y, step)  # step has the length 1
    seen = torch.stack((add(-x, y), ball.mobius_add(-x, y))).norm(dim=-1)
    found = 2 * torch.atanh(seen.clamp(max=1))
    print(f"{d:3.0f} {found[0]:10.5f} {found[1]:10.5f}")

# %% [markdown] id="break-sum-answer"
# The library computes the same sum as $(c|D|^2x + g(x)D)/(c|D|^2 + g(x)g(y))$ with $D = x + y$ and
# $g = 1 - c|\cdot|^2$: only positive terms in the denominator, and $g$ with care
# (`hyplearn/manifolds/poincare.py`, first page). That is a rewrite of three lines, not a clamp.
#
# **The ball ends.** In `float32` no coordinate below 1 is farther out than $1 - 6\cdot10^{-8}$. Published code stops
# earlier, because it pulls points back to $(1-\epsilon)/\sqrt c$ to be safe, and then different points become one:

# %% id="break-end" tolerance=0.01
directions = torch.tensor([1.0, 0.0])
for d in (6.0, 8.0, 12.0, 16.0, 20.0):
    v = (d / 2 * directions).float()
    ours = ball.dist0(ball.expmap0(v))
    clipped = ball.expmap0(v).double().clamp(max=1 - 4e-3)
    theirs = ball.dist0(clipped)
    print(f"walked {d:4.0f}: ours at {ours:7.3f}, clipped {theirs:6.3f}")

# %% [markdown] id="break-c"
# **c is not a radius.** The commonest bug of the field is a formula that is right for $c = 1$ only. The second: one
# function takes $c$ for the curvature, the next for the radius of the ball, $1/\sqrt c$. Nothing crashes. Here a
# distance in space of curvature $-c$ is computed by a ball that was told $1/c^2$:

# %% id="break-c-run"
x, y = torch.tensor([0.3, 0.1]), torch.tensor([-0.2, 0.25])
for c in (1.0, 0.5, 0.25):
    right = PoincareBall(c).dist(x, y)
    confused = PoincareBall(c**-2).dist(x, y)
    print(f"c = {c:4}: {right:.4f}, c read as a radius {confused:.4f}")

# %% [markdown] id="table"
# At $c = 1$ all agree: so **never test with $c = 1$ alone**.
#
# ## 12 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Ganea et al. 2018, section 2 | $d(x,y)/\lvert x-y\rvert$ as $c\to0$ | 2 | 2.00000001 at $c = 10^{-8}$ |
# | Einstein 1905, § 5 | half and half the speed of light, by his formula | 0.8 | 0.800000 |
# | Ungar 2008 | angle of the gyration | the defect of the triangle | equal in 100,000 triangles, section 5 |
# | Nickel and Kiela 2017, eq. 1 | acosh distance of points $10^{-5}$ apart, `float32` | exact on paper | 0, section 4 |
# | a clip at $(1 - 0.004)/\sqrt c$, as in published code | farthest point, `float32`, $c = 1$ | 6.213 | 16.6 |
#
# Theorems need no data; what was measured here is that the code obeys them, each in well under a second on one core.
#
# ## Three things to keep
#
# 1. **Bring it to the centre, do what Euclid does, go back.** Distance, exp, log and transport are that sentence.
# 2. **What goes wrong with the laws of arithmetic is the area.** Gyration, the turn of a carried arrow and the
#    defect of a triangle are one angle, $c$ times an area.
# 3. **Equal on paper is not equal in the machine**, and right for $c = 1$ is not right.
#
# ## Go further
#
# - **Abraham Ungar**, *Analytic Hyperbolic Geometry and Albert Einstein's Special Theory of Relativity*, World
#   Scientific 2008. All gyrovector algebra, with every identity that you could want; start with chapter 3.
# - **Octavian Ganea, Gary Bécigneul, Thomas Hofmann**, "Hyperbolic Neural Networks", NeurIPS 2018. Where this
#   arithmetic entered deep learning; section 2 is this lecture in four pages.
# - **Maximilian Nickel, Douwe Kiela**, "Poincaré Embeddings for Learning Hierarchical Representations", NeurIPS 2017.
#   The paper that made the ball popular; lecture 06 trains it.
# - **Max Kochurov, Rasul Karimov, Serge Kozlukov**, "Geoopt: Riemannian Optimization in PyTorch", arXiv 2020. The
#   library whose names (`expmap`, `mobius_add`, ...) everybody uses, we too.
# - **Gal Mishne, Zhengchao Wan, Yusu Wang, Sheng Yang**, "The Numerical Stability of Hyperbolic Representation
#   Learning", ICML 2023. What the ball and the hyperboloid lose in floating point, proved.
# - **H. S. M. Coxeter**, "The trigonometry of Escher's woodcut *Circle Limit III*", *The Mathematical Intelligencer*
#   18, 1996. A tiling, an artist who had no formula, and how well he did.
#
# **An open question.** A sum of many points depends on their order. Networks sum thousands of them in an order that the
# hardware chooses. Is there a sum of $n$ points that costs $O(n)$, does not depend on the order, and is the Möbius sum
# for two points up to a rotation? (Means are one way out, lecture 03; they are not sums.)
#
# **Next:** the [exercises](../exercises/04_poincare_ball/04_poincare_ball.ipynb), then lecture 05: why trees want
# all this room.
