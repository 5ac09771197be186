# %% [markdown] id="title"
# # 03 · Five maps of one world
#
# **Question.** There are five pictures of hyperbolic space in use. How do they hang together, and which one should you
# compute in?
#
# **After this lecture you can**
#
# - *draw* the one picture from which all five come, and say where its lamps stand,
# - *convert* points and tangent vectors between any two maps, for every curvature $-c$,
# - *test* whether a map is an isometry,
# - *tell* what each map shows truly: angles, straight lines, or sums,
# - *choose* a map for a job, by measurement: how far it reaches, and what an average costs.
#
# **You need** lecture 01; PyTorch and its autograd, some linear algebra.
#
# **Reading time:** 45 minutes. **Running time:** under 30 seconds on two CPU cores.
#
# **Exercises:** [03_models](../exercises/03_models/03_models.ipynb); get your own copy with `hyplearn start 03_models`.

# %% id="setup"
import math
import time
from decimal import Decimal, getcontext

import torch
from torch.testing import assert_close

import hyplearn as hl
from hyplearn import maps, means, plane, reach, viz
from hyplearn.viz import Explorer

torch.set_default_dtype(torch.float64)
rng = torch.Generator().manual_seed(0)
full = False  # True: averages of 16 times as many sets

# %% [markdown] id="first-touch"
# ## 1 · Touch it first
#
# One triangle, three times. Drag a corner in *one* of the pictures: it moves in all three. (Tab and the arrow keys do
# it, too.)
#
# 1. In which picture are the sides straight, wherever you drag the corners?
# 2. Make the angle at $A$ a right one, by the number that is shown. In which pictures does it *look* like one?
# 3. Drag $C$ up to the top of the rim of the disk. Where does it go in the half-plane?

# %% id="explore"
three = ["disk", "half-plane", "klein"]
explorer = Explorer(mode="triangle", models=three)
explorer

# %% [markdown] id="first-answer"
# Sides are straight in the Klein disk only. Angles are true in the other two. And the top of the rim is infinitely
# high above the half-plane: one point of the rim had to go somewhere.
#
# The numbers beside the pictures do not depend on where you drag: there is *one* triangle. The pictures are maps of
# it, as Mercator's and the atlas' are maps of one Earth. No flat map of the Earth is without a fault, and here too each
# map is made for a purpose.
#
# ## 2 · The one picture
#
# All five maps are shadows of one thing. Look at the smallest case first, the hyperbolic *line* ($n = 1$, $c = 1$).
# Take the curve $t^2 - s^2 = 1$, $t > 0$, the **hyperboloid**, with time $t$ upwards. Put lamps and screens:
#
# - a lamp in the south, $(t, s) = (-1, 0)$; the screen $t = 0$ shows the **Poincaré ball**. On its way the ray
#   crosses the half-circle $t^2 + s^2 = 1$: the **hemisphere**;
# - a lamp at the origin; the screen $t = 1$ shows **Klein**. A lamp infinitely far above the hemisphere shows the same;
# - a lamp on the rim of the hemisphere, at $(0, 1)$; the vertical screen $s = 0$ shows the **half-space**.


# %% id="draw-section"
figure, ax = viz.chart(5.2, 4.6)
C = viz.COLORS
s, a = torch.linspace(-2.1, 2.1, 200), torch.linspace(0, math.pi, 200)
ax.plot(s, (1 + s * s).sqrt(), color=C["blue"], lw=2.4)
ax.plot(a.cos(), a.sin(), color=C["green"], lw=2.4)
ax.plot([-1, 1], [0, 0], color=C["orange"], lw=3.2)
ax.plot([-1, 1], [1, 1], color=C["red"], lw=3.2)
ax.plot([0, 0], [0, 3.4], color=C["purple"], lw=2.4)
rays = [(0, -1, 4 / 3, 5 / 3), (0, 0, 4 / 3, 5 / 3)]
rays += [(0.8, 0.6, 0.8, 1), (1, 0, 0, 3)]
for x1, y1, x2, y2 in rays:
    ax.plot([x1, x2], [y1, y2], ":", color=C["ink"], lw=1.2)
spots = [(4 / 3, 5 / 3), (0.8, 0.6), (0.5, 0), (0.8, 1), (0, 3)]
for x, y in spots:
    ax.plot(x, y, "o", color=C["ink"], ms=6, zorder=5)
for x, y in [(0, -1), (0, 0), (1, 0)]:
    ax.plot(x, y, "*", mfc=C["yellow"], mec=C["ink"], ms=13, zorder=6)
words = [
    ("hyperboloid", -1.0, 2.1, "blue"),
    ("hemisphere", -1.5, 0.6, "green"),
    ("ball", -0.55, -0.22, "orange"),
    ("Klein", -1.35, 0.95, "red"),
    ("half-space", -0.5, 3.1, "purple"),
]
for word, x, y, color in words:
    ax.text(x, y, word, color=C[color], ha="center", size=13)
ax.set(aspect="equal", xlim=(-2.3, 2.3), ylim=(-1.25, 3.4))
ax.axis("off")
viz.show(
    figure,
    alt="A section through the one picture: the hyperbola, under it a "
    "half-circle, a horizontal segment through its centre (the ball), one "
    "that touches both curves from between (Klein), and a vertical line "
    "(the half-space). Three stars are lamps; dotted rays from them meet "
    "the five curves in five black points, which are one and the same "
    "point.",
)

# %% [markdown] id="section-number"
# The five black points are one point of the hyperbolic line, at the distance $\log 3$ from the origin. On the
# hyperbola it is $(\cosh d, \sinh d) = (\frac53, \frac43)$.
#
# > **Predict, then run (1).** Read off its place in the other four maps. All are simple fractions. Write down: the
# > ball's coordinate, Klein's, the two of the hemisphere, the height in the half-space.

# %% id="log3"
names = ["PoincareBall", "Klein", "Hemisphere", "HalfSpace"]
sheet = hl.Lorentz(1.0)
p = torch.tensor([5 / 3, 4 / 3])
for name in names:
    x = maps.convert(p, sheet, getattr(hl, name)(1.0))
    print(f"{name:13}", [round(t, 4) for t in x.tolist()])
print(f"distance {sheet.dist0(p):.6f}, log 3 = {math.log(3):.6f}")

# %% [markdown] id="space-picture"
# Now the plane. Time is upwards, and lamps and screens stand where they stood. A straight line of the hyperboloid is
# cut out by a plane through the *origin*: take the chord between two points and push it out to the surface.


# %% id="draw-space"
def side(p, q):
    tau = torch.linspace(0, 1, 40).unsqueeze(-1)
    chord = (1 - tau) * p + tau * q
    t, s = chord[:, :1], chord[:, 1:]
    return chord / (t * t - (s * s).sum(-1, keepdim=True)).sqrt()


spots = torch.tensor([[-0.2, 1.2], [-1.0, -0.6], [1.15, -0.3]])
tips = torch.cat([(1 + (spots**2).sum(-1, True)).sqrt(), spots], -1)
path = torch.cat([side(tips[i - 1], tips[i]) for i in range(3)])
t, s = path[:, :1], path[:, 1:]
sky = torch.cat([s, t], -1)  # x, y, and time upwards
images = {
    "blue": sky,
    "green": torch.cat([s / t, 1 / t], -1),
    "orange": torch.cat([s / (1 + t), 0 * t], -1),
    "red": torch.cat([s / t, 1 + 0 * t], -1),
}

# %% id="draw-space-figure"
titles = ["lamp in the south", "lamp at the origin"]
look = {"view": (16, -60), "zoom": 1.5}
figure, (south, middle) = viz.space(2, size=3.2, titles=titles, **look)


def bowl(u):
    way = torch.stack([u[1].cos(), u[1].sin()])
    return torch.cat([u[0].sinh() * way, u[:1].cosh()])


def dome(u):
    x, y, t = bowl(u)
    return torch.stack([x / t, y / t, 1 / t])


turn = torch.linspace(0, 2 * math.pi, 73)
wheel = torch.stack([turn.cos(), turn.sin(), 0 * turn], -1)
up = torch.tensor([0.0, 0.0, 1.0])
around = (0, 2 * math.pi)
for space, lamp, colors in (
    (south, -up, ("blue", "green", "orange")),
    (middle, 0 * up, ("blue", "red")),
):
    space.surface(bowl, (0, 1.2), around, alpha=0.3)
    space.curve(torch.stack([-up, up]), width=0)  # the same frame for both
    for color in colors:
        space.curve(images[color], color=color)
    for i in (0, 40, 80):  # rays to the corners
        space.curve(torch.stack([lamp, sky[i]]), width=1, style=":")
    space.ax.plot(*lamp, "*", mfc=C["yellow"], mec=C["ink"], ms=13)
south.surface(dome, (0, 4), around, color="green", alpha=0.2)
south.curve(wheel, color="orange", width=1)
middle.curve(wheel + up, color="red", width=1)
viz.show(
    figure,
    alt="Left: a triangle on the hyperboloid (blue), and on the same rays "
    "from a lamp in the south its images on the hemisphere (green) and, "
    "with bent sides, in the Poincare disk at height 0 (orange). Right: "
    "from a lamp at the origin the image in the Klein disk at height 1 "
    "(red), with straight sides.",
)

# %% [markdown] id="formulas"
# The red triangle has straight sides, because a plane through the lamp at the origin meets the screen $t = 1$ in a
# straight line. That is Klein's map, explained.
#
# ## 3 · Five formulas
#
# With $(t, s)$ on the unit hyperboloid, similar triangles at each lamp give the shadows:
#
# $$\text{ball } \frac{s}{1+t}\qquad \text{Klein } \frac{s}{t}\qquad \text{hemisphere } \frac{(s, 1)}{t}\qquad
# \text{half-space } \frac{(s', 1)}{t - s_n},$$
#
# where $s'$ is $s$ without its last coordinate. *In words:* divide by how far the point is from the lamp's plane.
# The hyperboloid is the hub: four maps out, four back, and every pair is joined.


# %% id="scratch"
def time_of(s):
    return (1 + (s * s).sum(-1, keepdim=True)).sqrt()


def halfspace(s):
    lamp = time_of(s) - s[..., -1:]
    return torch.cat([s[..., :-1], torch.ones_like(lamp)], -1) / lamp


def hemisphere(s):
    t = time_of(s)
    return torch.cat([s / t, 1 / t], -1)


shadow = {
    hl.PoincareBall: lambda s: s / (1 + time_of(s)),
    hl.Klein: lambda s: s / time_of(s),
    hl.Lorentz: lambda s: torch.cat([time_of(s), s], -1),
    hl.HalfSpace: halfspace,
    hl.Hemisphere: hemisphere,
}

# %% [markdown] id="scratch-c"
# What about $c$? A coordinate is a length, and $1/\sqrt c$ is the unit of length. So: multiply by $\sqrt c$, convert,
# divide by $\sqrt c$. Nothing else changes. (Published code forgets one of the two surprisingly often.)

# %% id="library"
c = 0.5
s = torch.randn(1000, 3, generator=rng)  # sqrt(c) times the space part
start = shadow[hl.Lorentz](s) / c**0.5
for chart, formula in shadow.items():
    x = maps.convert(start, hl.Lorentz(c), chart(c))
    assert_close(formula(s) / c**0.5, x)
    told = f"{x.shape[-1]} coordinates: same as maps.convert"
    print(f"{chart.__name__:13}{told}")

# %% [markdown] id="isometry"
# ## 4 · Is it the same world?
#
# The maps are isometric: the distance of two points can be measured in any of them. On the hyperboloid it is an angle
# of a strange kind. With Minkowski's product $\langle p, q\rangle = -p_0q_0 + p_1q_1 + \dots + p_nq_n$,
#
# $$\cosh\big(\sqrt c\,d(p, q)\big) = -c\,\langle p, q\rangle.$$
#
# *In words:* what the cosine of the angle is on a sphere, the hyperbolic cosine of the distance is here.
#
# In the Klein ball four ordinary lengths on the chord $a, x, y, b$ are enough (Cayley 1859, Klein 1871):
#
# $$d(x, y) = \frac{1}{2\sqrt c}\log\frac{|y-a|\,|x-b|}{|x-a|\,|y-b|}.$$
#
# *In words:* half the logarithm of the **cross-ratio**. *Why:* distances along a line must add up. For three points
# $x, y, z$ of one chord the cross-ratios multiply, so their logarithms add. The factor $\frac12$ makes the curvature
# come out as $-c$.


# %% id="distances-scratch"
def minkowski(p, q):
    return (p[..., 1:] * q[..., 1:]).sum(-1) - p[..., 0] * q[..., 0]


def cross_ratio(x, y, c):
    D = y - x  # the ends x + tau D of the chord: c|x + tau D|^2 = 1
    A, B = (D * D).sum(-1), (x * D).sum(-1)
    root = (B * B + A * (1 / c - (x * x).sum(-1))).sqrt()
    a, b = (-B - root) / A, (-B + root) / A  # x is at 0, y at 1
    return (1 - a) * b / (a * (1 - b))


p, q = shadow[hl.Lorentz](torch.randn(2, 3, generator=rng)) / c**0.5
x, y = (maps.convert(z, hl.Lorentz(c), hl.Klein(c)) for z in (p, q))
one = torch.acosh(-c * minkowski(p, q)) / c**0.5
two = cross_ratio(x, y, c).log() / (2 * c**0.5)
assert_close(one, hl.Lorentz(c).dist(p, q))
assert_close(two, hl.Klein(c).dist(x, y))
print(f"hyperboloid {one:.10f}, cross-ratio {two:.10f}")

# %% [markdown] id="pairs-text"
# All pairs of maps, at once: convert the 1000 points from the map of the row into that of the column, and compare the
# distances of neighbours. If all maps are isometries, we see rounding errors only.

# %% id="pairs"
charts = [chart(c) for chart in shadow]
short = [type(m).__name__[:10] for m in charts]
print(" " * 12 + "".join(f"{name:>12}" for name in short))
for source in charts:
    x = maps.convert(start, hl.Lorentz(c), source)
    d, row = source.dist(x[1:], x[:-1]), f"{type(source).__name__:12}"
    for target in charts:
        y = maps.convert(x, source, target)
        off = (target.dist(y[1:], y[:-1]) - d).abs().max()
        row += f"{'< 1e-12' if off < 1e-12 else off:>12}"
    print(row)

# %% [markdown] id="jacobian-text"
# Distances compare points that are far apart. There is a test for a *single* point: an isometry $f$ must keep the
# length of every tangent vector. With the metric tensors $G$ and the Jacobian $J$ of $f$,
#
# $$J^\top\,G_{\text{target}}(f(x))\,J = G_{\text{source}}(x).$$
#
# *In words:* measure an arrow here, or push it through the map and measure it there.


# %% id="jacobian"
def ball_to_halfspace(x, c):
    u = c**0.5 * x
    return halfspace(2 * u / (1 - (u * u).sum())) / c**0.5


x = torch.tensor([0.5, -0.3, 0.4])
J = torch.func.jacrev(ball_to_halfspace)(x, c)
height = ball_to_halfspace(x, c)[-1]
there = J.T @ J / (c * height**2)  # the half-space: I / (c h^2)
here = (2 / (1 - c * x @ x)) ** 2 * torch.eye(3)  # the ball: lambda^2 I
assert_close(there, here)
v = torch.tensor([1.0, 0.0, 2.0])
pushed = maps.convert_tangent(x, v, hl.PoincareBall(c), hl.HalfSpace(c))
assert_close(J @ v, pushed)
print("J^T G J = G, and convert_tangent is J v:", pushed)

# %% [markdown] id="keeps"
# ## 5 · What each map shows truly
#
# Four lines, three circles of the same radius, and a right angle, in three maps:


# %% id="draw-maps"
kinds = viz.Disk, viz.HalfPlane, viz.Klein
titles = ["Poincaré disk", "half-plane", "Klein disk"]
figure, canvases = viz.picture(*kinds, size=2.05, titles=titles)
ends = torch.tensor([[3.4, 6.0], [2.6, 5.1], [0.2, 4.3], [0.9, 2.4]])
begin, end = plane.ideal_point(ends).unbind(1)
lines = plane.line_through(begin, end)
corner = torch.tensor([0.25, 0.3])
east = plane.line_in_direction(corner, torch.tensor([1.0, 0.3]))
north = plane.perpendicular(east, corner)
centres = torch.tensor([[0.0, 0.0], [-0.55, 0.0], [0.0, -0.75]])
for canvas in canvases:
    canvas.line(lines, color="sky", width=1.2)
    canvas.line(east, color="blue"), canvas.line(north, color="blue")
    for centre in centres:
        canvas.circle(centre, 0.4, fill="orange")
    arms = east.ideal_points[1], north.ideal_points[1]
    canvas.angle(corner, *arms, radius=0.25)
    canvas.point(corner, size=3)
viz.show(
    figure,
    alt="The same lines and circles three times. Poincare disk: lines are "
    "arcs, circles are circles, the two dark blue lines cross at a right "
    "angle. Half-plane: lines are half-circles on the axis, circles are "
    "circles, the angle is right. Klein disk: lines are straight, circles "
    "are ellipses, flatter towards the rim, and the marked angle is not "
    "right.",
)

# %% [markdown] id="conformal"
# A map that shows angles truly is called **conformal**: its ruler shrinks by the same factor in all directions. The
# ball and the half-space are conformal, and so is the hemisphere on its sphere. Klein is not: at the distance $d$ its
# ruler shrinks by $1/\cosh^2(\sqrt c\,d)$ along the radius and by $1/\cosh(\sqrt c\,d)$ across. One cannot have both:
# in a flat map with straight lines *and* true angles every triangle would have 180°.
#
# > **Predict, then run (2).** You stand at distance 2 from the centre ($c = 1$) and look at 45° to the radius. At which
# > angle is that direction drawn in the ball, and in Klein's map?

# %% id="angle"
ball, klein = hl.PoincareBall(1.0), hl.Klein(1.0)
x = torch.tensor([math.tanh(1.0), 0.0])  # at distance 2
v = torch.tensor([1.0, 1.0])  # at 45 degrees, and angles are true here
w = maps.convert_tangent(x, v, ball, klein)
drawn, formula = math.atan2(w[1], w[0]), math.atan(math.cosh(2))
print(f"ball 45 degrees, Klein {math.degrees(drawn):.2f} degrees")
print(f"atan(cosh 2) = {math.degrees(formula):.2f} degrees")

# %% [markdown] id="overview"
# | map | straight lines are | circles are | angles | one glance at the formula |
# |---|---|---|---|---|
# | Poincaré ball | arcs at right angles to the rim | circles | true | all directions from the origin are equal |
# | half-space | half-circles on the ground, verticals | circles | true | $x \mapsto \lambda x$ is an isometry |
# | hemisphere | half-circles, upright | circles | true | where projections meet |
# | Klein | straight chords | ellipses | false | convex sets and averages look Euclidean |
# | hyperboloid | cut by planes through the origin | cut by planes | false | isometries are matrices |
#
# The last line is why the group of isometries is computed on the hyperboloid (`hyplearn.isometries`): composing two of
# them is a matrix product.
#
# ## 6 · Which map for what?
#
# In papers one reads: *Poincaré is the most intuitive, Lorentz the most stable, and Klein has the fastest average.*
# Three claims. We measure them.
#
# ### Claim 1: Poincaré is the most intuitive
#
# What a reader finds intuitive is not for us to measure. Two things are: does the map show angles truly (yes, above),
# and how much of the world is on the page? On a printed disk of 10 cm radius, let 0.1 mm be the smallest visible thing.
# How far from the centre is the last circle that one can tell from the rim?

# %% id="page"
rest = 0.1 / 100  # 0.1 mm of 10 cm
poincare, beltrami = 2 * math.atanh(1 - rest), math.atanh(1 - rest)
print(f"Poincare: {poincare:.2f}   Klein: {beltrami:.2f}")
area = (math.cosh(poincare) - 1) / (math.cosh(beltrami) - 1)
print(f"Poincare's page holds {area:.0f} times as much area")

# %% [markdown] id="stable"
# The claim stands, as far as it can be measured: the ball shows angles truly, and shows twice as far. (At the distance
# $d$ the ball leaves about $2e^{-d}$ to the rim, Klein $2e^{-2d}$.)
#
# ### Claim 2: Lorentz is the most stable
#
# Take two points exactly 1 apart, both at the distance $d$ from the origin. Compute their coordinates with 100 decimal
# digits, round them to float32, and put them into each map's textbook formula. How wrong is the distance? (The worst of
# four pairs, in four directions.)
#
# > **Predict, then run (3).** Rank ball, Klein, hyperboloid and half-space at $d = 8$, best first.

# %% id="exact"
getcontext().prec = 100


directions = ((3, 4, 5), (-7, 24, 25), (20, -21, 29), (-12, -5, 13))


def exact_pairs(d):
    """Pairs of points of the hyperboloid, 1 apart, at distance d."""
    e, h = Decimal(d).exp(), Decimal("0.5").exp()
    cosh, sinh = (e + 1 / e) / 2, (e - 1 / e) / 2
    q = (h - 1 / h) / 2 / sinh  # sinh(1/2) = sinh(d) sin(angle / 2)
    cos, sin = 1 - 2 * q * q, 2 * q * (1 - q * q).sqrt()
    for a, b, r in directions:
        u = Decimal(a) / r, Decimal(b) / r
        v = cos * u[0] - sin * u[1], sin * u[0] + cos * u[1]
        yield [(cosh, sinh * w[0], sinh * w[1]) for w in (u, v)]


def rounded(rows, dtype=torch.float32):
    numbers = [[float(z) for z in row] for row in rows]
    return torch.tensor(numbers).to(dtype)


# %% id="textbook"
def gap(x):
    return 1 - (x * x).sum()


def chord(x, y, a, b):
    return 2 * ((x - y).norm() / (a * b).sqrt()).asinh()


textbook = {
    "ball": lambda x, y: chord(x, y, gap(x), gap(y)),
    "Klein": lambda x, y: ((1 - x @ y) * (gap(x) * gap(y)).rsqrt()).acosh(),
    "Lorentz": lambda p, q: (-minkowski(p, q)).acosh(),
    "half-space": lambda p, q: chord(p, q, 2 * p[1], 2 * q[1]),
}
place = {
    "ball": lambda t, a, b: (a / (1 + t), b / (1 + t)),
    "Klein": lambda t, a, b: (a / t, b / t),
    "Lorentz": lambda t, a, b: (t, a, b),
    "half-space": lambda t, a, b: (a / (t - b), 1 / (t - b)),
}


def worst(name, formula, d):
    """The largest error of the distance, or inf where it is NaN."""
    errors = []
    for pair in exact_pairs(d):
        x, y = rounded(place[name](*p) for p in pair)
        errors.append(abs(formula(x, y).item() - 1))
    return max(math.inf if math.isnan(e) else e for e in errors)


def report(formulas):
    print("   d" + "".join(f"{name:>12}" for name in formulas))
    for d in (1, 2, 4, 6, 8, 10, 14, 20):
        row = f"{d:4}"
        for name, formula in formulas.items():
            off = max(worst(name, formula, d), 1e-7)  # 1e-7: a rounding
            row += f"{f'{off:.0e}' if off < 0.06 else 'wrong':>12}"
        print(row)


# %% id="textbook-run" tolerance=1.0
report(textbook)

# %% [markdown] id="stable-half"
# The textbook's Lorentz formula is the *worst* of the four: $-\langle p, q\rangle = t_pt_q - \langle s_p, s_q\rangle$
# is a difference of two numbers of the size $e^{2d}/4$, and $\cosh 1 = 1.54$ should remain. Klein's $1 - |x|^2$ loses
# as much. Is the claim false, then? So far we have tested *formulas*. Put the same float32 coordinates into the
# library's, which avoid such differences.

# %% id="library-run" tolerance=1.0
library = {
    "ball": hl.PoincareBall(1.0).dist,
    "Klein": hl.Klein(1.0).dist,
    "Lorentz": hl.Lorentz(1.0).dist,
    "half-space": hl.HalfSpace(1.0).dist,
}
report(library)

# %% [markdown] id="stable-answer"
# Lorentz is cured: the digits were in the coordinates, and the product had destroyed them. (`Lorentz.dist` starts from
# the difference of the points; see its docstring.) Klein is not cured: what $1 - |x|$ has lost, no formula brings back.
# And the other three now agree, down to the place where they end. *Why there?* Two points that are 1 apart differ in
# their direction by an angle of about $e^{-d}$. A float32 holds directions to about $6\cdot 10^{-8} = e^{-16.6}$, in
# every map.
#
# The distance from the *origin* is another matter. Here is how far each map goes if a distance may be 1 % off: the
# distance from the origin, and that between points 1 apart.

# %% id="reach" tolerance=0.05
print("                  float32            float64")
print("chart         origin  between    origin  between")
for chart in shadow:
    row = f"{chart.__name__:13}"
    for dtype in (torch.float32, torch.float64):
        found = reach.usable_radius(chart(1.0), dtype)
        row += f"{found.from_origin:7.1f}{found.between_points:9.1f}   "
    print(row)

# %% [markdown] id="reach-answer"
# So "Lorentz is the most stable" is three statements. Of the textbook formula: false. Of the distance between
# neighbours: no better than the ball. Of the distance from the origin: true by a wide margin (the half-spaces do as
# well), since the space part $s$ has the size $e^d/2$, and floating-point numbers have exponents. In a hierarchy that
# distance is the depth. A fourth statement, and the one that papers have in mind, is about gradients: lecture 09.
#
# ### Claim 3: Klein has the fastest average
#
# In flat space the average is a sum. Here are three closed forms, one in each map:
#
# $$\text{Einstein (Klein): } \frac{\sum w_i\gamma_ix_i}{\sum w_i\gamma_i}\quad
# \text{gyromidpoint (ball): } \tfrac12 \otimes \frac{\sum w_i\lambda_ix_i}{\sum w_i(\lambda_i - 1)}\quad
# \text{centroid (hyperboloid): } \frac{\sum w_ip_i}{\sqrt c\,\lVert\sum w_ip_i\rVert}$$
#
# with $\gamma = (1 - c|x|^2)^{-1/2}$, $\lambda = 2/(1 - c|x|^2)$ and the Minkowski length
# $\lVert p\rVert = \sqrt{-\langle p, p\rangle}$. *In words:* far points weigh more, by how fast they "move"; or, on the
# hyperboloid: add up, and go straight back to the surface. For $c = 1$ and equal weights:


# %% id="averages-scratch"
def einstein(x):
    gamma = (1 - (x * x).sum(-1, keepdim=True)).rsqrt()
    return (gamma * x).sum(-2) / gamma.sum(-2)


def gyro(x):
    factor = 2 / (1 - (x * x).sum(-1, keepdim=True))
    m = (factor * x).sum(-2) / (factor - 1).sum(-2)
    return m / (1 + (1 - (m * m).sum(-1, keepdim=True)).sqrt())


def centroid(p):
    total = p.sum(-2)
    return total / (-minkowski(total, total)).sqrt().unsqueeze(-1)


# %% [markdown] id="predict-averages"
# > **Predict, then run (4).** Convert the three results into one map. Are they three points, two, or one?

# %% id="one-point"
sets, n = (65536 if full else 4096), 16
s = 0.5 * torch.randn(sets, 8, n, generator=rng)
x = {chart: formula(s) for chart, formula in shadow.items()}
m = einstein(x[hl.Klein])
assert_close(means.einstein_midpoint(klein, x[hl.Klein]), m)
assert_close(means.midpoint(klein, x[hl.Klein]), m)
for chart, mean, library in (
    (ball, gyro, means.gyromidpoint),
    (sheet, centroid, means.lorentz_centroid),
):
    points = x[type(chart)]
    assert_close(mean(points), library(chart, points))
    off = (maps.convert(mean(points), chart, klein) - m).abs().max()
    print(mean.__name__, "- Einstein:", "< 1e-12" if off < 1e-12 else off)

# %% [markdown] id="one-point-why"
# One point with three names. *Why:* with $p = \gamma\,(1, x)$ Einstein's fraction is (space part of $\sum p_i$) over
# (time part of $\sum p_i$): the shadow of the centroid under the lamp at the origin, to which the length of a vector
# does not matter. So the claim is about time only. And there is a fourth average, the one that statisticians mean:
#
# $$\text{Fréchet mean}\quad \arg\min_m \sum_i w_i\,d(m, x_i)^2.$$
#
# *In words:* the point with the least sum of squared distances, which in flat space is the average. It has no closed
# form; `means.frechet_mean` iterates. (What do our three minimise? $\sum w_i\cosh(\sqrt c\,d(m, x_i))$.)


# %% id="clock" tolerance=1.0
def clock(mean, x):
    mean(x)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        mean(x)
        times.append(time.perf_counter() - start)
    return min(times) / len(x) * 1e6


frechet = clock(lambda z: means.frechet_mean(klein, z), x[hl.Klein][:128])
rows = {"Einstein": (einstein, hl.Klein), "gyro": (gyro, hl.PoincareBall)}
rows["centroid"] = centroid, hl.Lorentz
print("microseconds for a mean of 8 points in 16 dimensions")
for name, (mean, chart) in rows.items():
    print(f"{name:10}{clock(mean, x[chart]):10.2f}")
print(f"{'Frechet':10}{frechet:10.2f}")

# %% [markdown] id="clock-answer"
# The closed forms cost about the same: a sum over the points, and a factor for each that is cheap. Klein has no clear
# advantage over the centroid, which needs no factor at all. What is fast is the *point*, in whichever map your data
# are; the iterations of the Fréchet mean cost thousands of times as much here. So: **take the midpoint in the map in
# which you are** (`means.midpoint(M, x)`), and do not convert for speed.
#
# Does it matter which mean one takes?
#
# > **Predict, then run (5).** Two points at the origin, and a third at the distance $d$ ($c = 1$). In flat space the
# > mean is at $d/3$. Where are the Fréchet mean and the Einstein midpoint, for $d = 1, 4, 8, 16$?

# %% id="outlier"
print("   d   Frechet   Einstein   (d - log 2)/2")
for d in (0.1, 1.0, 4.0, 8.0, 16.0):
    far = [math.cosh(d), math.sinh(d)]
    p = torch.tensor([[1.0, 0.0], [1.0, 0.0], far])
    one = sheet.dist0(means.frechet_mean(sheet, p))
    two = sheet.dist0(means.midpoint(sheet, p))
    print(f"{d:4} {one:9.4f} {two:10.4f} {(d - math.log(2)) / 2:12.4f}")

# %% [markdown] id="outlier-answer"
# The Fréchet mean of points on one line is the flat one, $d/3$. The midpoint goes to $\frac12(d - \log 2)$: the outlier
# weighs as much as all the others together, because its $\gamma = \cosh d$ grows without bound. (Check: the sum of the
# three is $(2 + \cosh d, \sinh d)$.) A network that averages with the midpoint listens to its most confident input.

# %% id="draw-means"
figure, (disk,) = viz.picture(size=4.0)
trio = torch.tensor([[-0.45, -0.35], [-0.35, 0.4], [0.0, 0.0]])
for d in (1.0, 2.2, 3.6):
    trio[2] = torch.tensor([math.tanh(d / 2), 0.0])
    disk.polygon(trio, width=0.6, color="grey", fill=None)
    disk.point(means.midpoint(ball, trio), color="red", size=3 + d)
    disk.point(means.frechet_mean(ball, trio), color="blue", size=3 + d)
    disk.point(trio, size=4)
high, low = torch.tensor([[0.3, 0.05], [0.05, -0.05]])
disk.text(high, "midpoint", color="red", direction=(0, 1))
disk.text(low, "Fréchet", color="blue", direction=(0, -1))
viz.show(
    figure,
    alt="Three triangles with two fixed corners on the left and a third "
    "one ever further to the right. The midpoints (red) run after the "
    "third corner; the Frechet means (blue) follow more slowly.",
)

# %% [markdown] id="breaks"
# ## 7 · Where it breaks
#
# **The surface dissolves.** A point of the hyperboloid has $\langle p, p\rangle = -1$. From where on is that no longer
# so, in a number format? And from where on does `acosh` of the product, which should be 1, give NaN? (Steps of ½.)


# %% id="break-constraint" tolerance=0.1
def first(test):
    return next(k / 2 for k in range(8, 60) if test(Decimal(k) / 2))


for dtype in (torch.float32, torch.float64):

    def products(d, dtype=dtype):
        for pair in exact_pairs(d):
            p, q = rounded(pair, dtype)
            yield minkowski(p, p).item(), minkowski(p, q).item()

    off = first(lambda d: any(abs(a + 1) > 0.3 for a, _ in products(d)))
    nan = first(lambda d: any(b > -1 for _, b in products(d)))
    print(f"{dtype}: <p, p> off by 30 % at {off}, no acosh at {nan}")

# %% [markdown] id="break-constraint-answer"
# Code that "projects" a point by dividing it by $\sqrt{-\langle p, p\rangle}$ makes things worse from there on. The
# remedy is to store $s$ alone and to derive $t = \sqrt{1/c + |s|^2}$: then the point lies on the surface by definition.

# %% [markdown] id="break-chain"
# **A chain is as strong as its weakest map.** Points of the ball, well inside its range, go to Klein and back, in
# float32. The distance from the origin should not change.

# %% id="break-round-trip"
print("   d   ball - half-space - ball   ball - Klein - ball")
for d in (4.0, 8.0, 9.0, 10.0, 14.0):
    x = torch.tensor([0.6, 0.8]) * math.tanh(d / 2)
    x, back = x.float(), []
    for via in (hl.HalfSpace(1.0), klein):
        there = maps.convert(x, ball, via)
        back.append(ball.dist0(maps.convert(there, via, ball)))
    print(f"{d:4} {back[0]:26.4f} {back[1]:21.4f}")

# %% [markdown] id="break-c"
# **A formula that was tested with $c = 1$.** The ball's point is $s/(1 + \sqrt c\,t)$. Published converters say
# $s/(1 + t)$, and all their tests pass, as they have $c = 1$. (In the exercises you build the test that finds them.)

# %% id="break-formula"
print("   c   right distance   with the published formula")
for c in (1.0, 0.5, 2.0):
    p = hl.Lorentz(c).from_normal(torch.tensor([[1.0, 0.5], [-0.3, 0.9]]))
    x = p[:, 1:] / (1 + p[:, :1])  # right: / (1 + c**0.5 * t)
    right, wrong = hl.Lorentz(c).dist(*p), hl.PoincareBall(c).dist(*x)
    print(f"{c:4} {right:16.6f} {wrong:19.6f}")

# %% [markdown] id="table"
# ## 8 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Mishne et al. 2023 | float64: the ball reaches farther | than the hyperboloid | than its product: 35.6, 18 |
# | Mishne et al. 2023 | the same, of the space part alone | not asked | false: 35.6, 348 |
# | Nickel and Kiela 2018 | the hyperboloid is more stable than the ball | stated | of formulas false, of depth true |
# | Gulcehre et al. 2019 | averages are simple in Klein coordinates | stated | one point in all maps, at one price |
#
# Ours were measured above, as the last radius at which distances from the origin are right to 1 % (the product: the
# last at which $\langle p, p\rangle$ is right to 30 %). Theirs is what the abstract says of points that float64 holds
# correctly, with the time coordinate stored; who derives it from $s$ has another answer.
#
# ## Three things to keep
#
# 1. **One world, five shadows.** Hyperboloid, three lamps, and every conversion is two projections; $\sqrt c$ goes in,
#    $\sqrt c$ comes out.
# 2. **Each map tells one truth:** the ball and the half-space angles, Klein straight lines, the hyperboloid sums and
#    matrices.
# 3. **"Stable" and "fast" are said of a formula in a map, not of a map.** The coordinates say how far one *can* go; the
#    textbook formula often stops far earlier. Measure before you believe.
#
# ## Go further
#
# - **James Cannon, William Floyd, Richard Kenyon, Walter Parry**, "Hyperbolic geometry", in *Flavors of Geometry*, MSRI
#   Publications 31, 1997. Section 7 has the picture of our section 2, and says what each model is good for.
# - **John Ratcliffe**, *Foundations of Hyperbolic Manifolds*, 3rd ed., Springer 2019. Chapters 3, 4 and 6: the
#   hyperboloid, the ball and half-space, and Klein, with full proofs.
# - **Maximilian Nickel, Douwe Kiela**, "Learning Continuous Hierarchies in the Lorentz Model of Hyperbolic Geometry",
#   ICML 2018. The paper that moved embeddings from the ball to the hyperboloid.
# - **Caglar Gulcehre et al.**, "Hyperbolic Attention Networks", ICLR 2019. Attention that averages with the Einstein
#   midpoint.
# - **Gal Mishne, Zhengchao Wan, Yusu Wang, Sheng Yang**, "The Numerical Stability of Hyperbolic Representation
#   Learning", ICML 2023. Ball against hyperboloid in floating point, and a third way: Euclidean coordinates.
# - **Abraham Ungar**, *Analytic Hyperbolic Geometry and Albert Einstein's Special Theory of Relativity*, World
#   Scientific 2008. Where midpoints, gyrovectors and velocities are one subject.
#
# **An open question.** The midpoint follows outliers, the Fréchet mean is slow. Is there an average with a closed form
# that is an isometry's friend (it moves along with every motion of space) and agrees with the Fréchet mean on a line?
#
# **Next:** the [exercises](../exercises/03_models/03_models.ipynb), then lecture 04: how to
# calculate in the ball.
