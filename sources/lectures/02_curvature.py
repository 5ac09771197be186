# %% [markdown] id="title"
# # 02 · How bent is a space, seen from inside?
#
# **Question.** Lecture 01 claimed that its world has the curvature $-c$. What is that number, and how can somebody
# measure it who can never step outside?
#
# **After this lecture you can**
#
# - *measure* how a curve and a surface bend, with autograd and ten lines of code,
# - *tell* the bending that only an outsider sees from the curvature that an inhabitant feels,
# - *compute* the curvature of any space from its metric alone, and convict a metric that is not what it claims to be,
# - *predict* how much room there is within a distance $r$, and what the angles of a triangle sum to,
# - *walk* straight ahead in any space by integrating the geodesic equation.
#
# **You need** lecture 01, derivatives of functions of several variables, eigenvalues. No differential geometry.
#
# **Reading time:** 60 minutes. **Running time:** under 30 seconds on two CPU cores.
#
# **Exercises:** [02_curvature](../exercises/02_curvature/02_curvature.ipynb);
# get your own copy with `hyplearn start 02_curvature`.

# %% id="setup"
import math
from functools import partial

import numpy as np
import torch
from torch.func import hessian, jacrev, vmap

from hyplearn import (
    HalfSpace,
    Klein,
    NormalCoordinates,
    PoincareBall,
    plane,
    riemann,
    viz,
)
from hyplearn.viz import Explorer

torch.set_default_dtype(torch.float64)
full = False  # True: four times as many steps and points in section 8
pi, close = math.pi, torch.testing.assert_close

# %% [markdown] id="first-touch"
# ## 1 · Touch it first
#
# A flat being lives in this plane. It has a ruler and a protractor, and it knows nothing of our picture. Drag the
# corners of the triangle, then move the slider: it changes $c$, and keeps the distances of the corners from the centre.
#
# 1. Which of the numbers beside the picture can the being measure by itself?
# 2. Which combination of them stays the same while you drag, and changes only with the slider?

# %% id="explore-triangle"
explorer = Explorer(mode="triangle", c=1.0, slider=True)
explorer

# %% [markdown] id="first-answer"
# It can measure all of them, the angles and the area; and the quotient
#
# $$\frac{\text{angle sum} - \pi}{\text{area}}$$
#
# does not care about the triangle. It is $-c$. This lecture is about that number: for curves, for surfaces, for any
# space. We begin outside, where one sees how things bend, and then throw the outside away.
#
# ## 2 · How bent is a curve?
#
# As bent as the circle that fits it best. Here is an ellipse with two of them.


# %% id="draw-ellipse"
def ellipse(t):
    return torch.stack((2 * t.cos(), t.sin()))


figure, ax = viz.chart(5.0, 3.4)
around = torch.linspace(0, 2 * pi, 200)
ax.plot(*vmap(ellipse)(around).T, color=viz.COLORS["ink"])
for t, color in ((0.35, "blue"), (1.25, "orange")):
    t, color = torch.tensor(t), viz.COLORS[color]
    centre, bend = riemann.osculating_circle(ellipse, t)
    ring = torch.stack((around.cos(), around.sin())) / bend
    ax.plot(*(centre[:, None] + ring), "--", lw=1.2, color=color)
    ax.plot(*ellipse(t), "o", color=color)
ax.set(aspect="equal", xlim=(-3, 3), ylim=(-2, 1.6))
ax.axis("off")
viz.show(
    figure,
    alt="An ellipse and, dashed, two circles that touch it and follow "
    "it as long as they can: a small one near its pointed end, a "
    "large one near its flat side.",
)

# %% [markdown] id="curve"
# The *curvature* of a curve is $1/\text{radius}$ of that circle, which is called osculating ("kissing"). With velocity
# $p'$ and acceleration $p''$,
#
# $$k = \frac{|p''_\perp|}{|p'|^2},\qquad p''_\perp = \text{the part of } p'' \text{ at right angles to } p'.$$
#
# *In words:* how much you are pushed sideways, if you go at unit speed. (Driving faster pushes more, and is divided
# out; braking pushes forward, and does not count.)


# %% id="curve-scratch"
def curve_bend(curve, t):
    v, a = jacrev(curve)(t), jacrev(jacrev(curve))(t)
    sideways = a - (a @ v) / (v @ v) * v
    return sideways.norm() / (v @ v)


t = torch.tensor(0.35)
close(curve_bend(ellipse, t), riemann.osculating_circle(ellipse, t)[1])
print(f"by hand {curve_bend(ellipse, t):.6f}; the library agrees")

# %% [markdown] id="predict-ellipse"
# > **Predict, then run (1).** The ellipse has the half-axes 2 and 1. What are the radii of its smallest and of its
# > largest osculating circle?

# %% id="ellipse-extremes"
for name, t in (("pointed end", 0.0), ("flat side", pi / 2)):
    bend = curve_bend(ellipse, torch.tensor(t))
    print(f"{name}: curvature {bend:.4f}, radius {1 / bend:.4f}")

# %% [markdown] id="surfaces"
# The radii are $b^2/a = \frac12$ and $a^2/b = 4$, not 1 and 2: a factor of 8 in curvature from a factor of 2 in shape.
#
# ## 3 · How bent is a surface?
#
# That depends on the direction in which one looks. Cut the surface with a plane through its normal: the cut is a
# curve, and it has a curvature (negative if it bends away from the normal). Now turn the plane.


# %% id="three-surfaces"
def saddle(u):
    return torch.stack((u[0], u[1], (u[0] ** 2 - u[1] ** 2) / 2))


def cylinder(u):
    return torch.stack((u[0], u[1].sin(), 1 - u[1].cos()))


def sphere(u):  # latitude and longitude
    a, b = u
    return torch.stack((a.cos() * b.cos(), a.cos() * b.sin(), a.sin()))


# %% id="draw-surfaces"
titles = ["saddle", "cylinder", "sphere"]
figure, scenes = viz.space(3, 1.95, titles=titles)
side = torch.linspace(-1, 1, 40)[:, None]
worlds = (saddle, 1.0, 1.0), (cylinder, 1.5, pi / 2), (sphere, pi / 2, pi)
for scene, (surface, s, t) in zip(scenes, worlds, strict=True):
    scene.surface(surface, (-s, s), (-t, t), cells=(16, 24))
    for way, color in (((s, 0.0), "red"), ((0.0, s), "blue")):
        scene.curve(vmap(surface)(side * torch.tensor(way)), color)
    scene.point(surface(torch.zeros(2)))
viz.show(
    figure,
    alt="A saddle, a half cylinder and a sphere, each with two curves "
    "through one point at right angles. On the saddle one bends up "
    "and the other down; on the cylinder one is straight; on the "
    "sphere both bend to the same side.",
)

# %% [markdown] id="forms"
# Two matrices hold all that we need. In parameters $u = (u_1, u_2)$, with $N$ the unit normal,
#
# $$g_{ij} = \langle \partial_i p, \partial_j p\rangle, \qquad h_{ij} = \langle \partial_i\partial_j p, N\rangle,
# \qquad k(w) = \frac{w^T h\,w}{w^T g\,w}.$$
#
# *In words:* $g$, the *first fundamental form*, says how long a step in the parameters is on the surface; $h$, the
# *second*, how fast the surface leaves its tangent plane; $k(w)$, their quotient, is the curvature of the cut in the
# direction $w$.


# %% id="forms-scratch"
def forms(surface, u):
    J, H = jacrev(surface)(u), hessian(surface)(u)
    N = torch.linalg.cross(J[:, 0], J[:, 1])
    return J.T @ J, torch.einsum("mij,m->ij", H, N / N.norm())


u = torch.tensor([0.3, -0.4])
g, h = forms(saddle, u)
close(g, riemann.first_fundamental_form(saddle)(u))
close(h, riemann.second_fundamental_form(saddle, u))
print("g =", [[round(x, 4) for x in row] for row in g.tolist()])
print("h =", [[round(x, 4) for x in row] for row in h.tolist()])

# %% [markdown] id="turn-plane"
# Turn the plane by the angle $\theta$ and plot the curvature of the cut, at the middle of each surface.

# %% id="draw-turn"
figure, ax = viz.chart(5.6, 2.8)
angle = torch.linspace(0, pi, 120)
w = torch.stack((angle.cos(), angle.sin()))
named = {"saddle": saddle, "cylinder": cylinder, "sphere": sphere}
styles = "-", "--", ":"
for (name, surface), style in zip(named.items(), styles, strict=True):
    g, h = forms(surface, torch.zeros(2))
    k = (w * (h @ w)).sum(0) / (w * (g @ w)).sum(0)
    ax.plot(angle.rad2deg(), k, style, label=name)
ax.set_xlabel(r"direction $\theta$ in degrees")
ax.set_ylabel("curvature of the cut")
ax.set(xticks=range(0, 181, 45), ylim=(-1.15, 1.6), yticks=(-1, 0, 1))
ax.legend(loc="upper right", ncol=3)
viz.show(
    figure,
    alt="Curvature of the cut against its direction. Sphere: "
    "constantly 1. Cylinder: from 0 up to 1 at 90 degrees and "
    "back. Saddle: from 1 down to -1 at 90 degrees and back.",
)

# %% [markdown] id="principal"
# A quotient of two quadratic forms: its extremes are eigenvalues, of $h\,w = k\,g\,w$. They are the **principal
# curvatures** $k_1 \le k_2$, and they are taken at right angles to each other. Three cases, and no other:
#
# - both bend the same way (sphere, egg): the product is positive,
# - one is flat (cylinder, cone): the product is 0,
# - they bend opposite ways (saddle, the inside of a ring): the product is negative.
#
# The product $K = k_1 k_2 = \det h / \det g$ is the **Gaussian curvature**. Why the product, and not the sum or the
# larger one, is the point of this lecture.


# %% id="principal-scratch"
def principal(surface, u):
    g, h = forms(surface, u)
    return torch.linalg.eigvals(torch.linalg.solve(g, h)).real.sort().values


def ring(u):  # a torus
    a, b = u
    away = 2 + a.cos()
    return torch.stack((away * b.cos(), away * b.sin(), a.sin()))


places = {"saddle": (saddle, 0.3, -0.4), "cylinder": (cylinder, 0.3, -0.4)}
places |= {"sphere": (sphere, 0.3, -0.4)}
places["ring, outside"] = ring, 0.5, 0.0
places["ring, inside"] = ring, 2.5, 0.0
print(f"{'':14}     k1      k2  K = k1 k2")
for name, (surface, *u) in places.items():
    k = principal(surface, torch.tensor(u))
    close(k, riemann.principal_curvatures(surface, torch.tensor(u))[0])
    print(f"{name:14} {k[0]:7.4f} {k[1]:7.4f} {k.prod():8.4f}")

# %% [markdown] id="ant"
# (The normal of the sphere points inwards or outwards as the parameters will have it; $k_1$ and $k_2$ change their
# signs with it, and $K$ does not.)
#
# ## 4 · The ant
#
# Roll up a sheet of paper. From outside it is bent. But an ant on it, who measures lengths along the paper, notices
# nothing: no length has changed. In our matrices: what the ant measures is $g$, and only $g$.
#
# > **Predict, then run (2).** A flat sheet, the same sheet rolled to a cylinder, and to a spiral. Which of $g$, $k_1$,
# > $k_2$, $K$ are the same for all three?


# %% id="rolled"
def flat(u):
    return torch.stack((u[0], u[1], 0 * u[0]))


def spiral(u):  # the radius sqrt(2 s) makes s the length along it
    turn = (2 * u[1]).sqrt()
    x, y = turn.cos() + turn * turn.sin(), turn.sin() - turn * turn.cos()
    return torch.stack((u[0], x, y))


u = torch.tensor([0.2, 0.7])
sheets = {"sheet": flat, "cylinder": cylinder, "spiral": spiral}
for name, surface in sheets.items():
    g, k = forms(surface, u)[0], principal(surface, u)
    print(f"{name:9} g = {g.round(decimals=9).abs().tolist()}", end="  ")
    k1, k2 = k.abs()
    print(f"k = {k1:.3f}, {k2:.3f}, K = {k1 * k2:.3f}")

# %% [markdown] id="egregium"
# $g$ stays, and so does $K$: with one direction flat, the product is 0 however tightly you roll. For the ant the world
# is as flat as ever. Gauss proved in 1827 that this is no accident:
#
# > **Theorema egregium** ("remarkable theorem"). $K$ depends on $g$ alone. Bend a surface as you like, without
# > stretching: $k_1$ and $k_2$ change, their product does not.
#
# Here is a bolder experiment than paper. Take a piece of the unit sphere, cut it along a meridian and pull it into the
# shape of a rugby ball, or a barrel: the distance from the axis is $a\cos s$ instead of $\cos s$, and $s$ is still
# the length along the meridian.

# %% id="spindles"
nodes, weights = map(torch.tensor, np.polynomial.legendre.leggauss(16))


def spindle(a):
    def surface(u):
        s, turn = u
        inner = s / 2 * (1 + nodes)  # Gauss quadrature from 0 to s
        rise = s / 2 * (weights * (1 - (a * inner.sin()) ** 2).sqrt()).sum()
        away = a * s.cos()
        return torch.stack((away * turn.cos(), away * turn.sin(), rise))

    return surface


# %% id="draw-spindles"
titles = ["$a = 0.6$: rugby ball", "$a = 1$: sphere", "$a = 1.3$: barrel"]
figure, scenes = viz.space(3, 1.95, titles=titles, view=(12, -50))
shapes = (0.6, 1.57), (1.0, 1.57), (1.3, 0.85)
for scene, (a, end) in zip(scenes, shapes, strict=True):
    scene.surface(spindle(a), (-end, end), (0, 2 * pi))
    s = torch.linspace(-end, end, 40)
    meridian = torch.stack((s, torch.full_like(s, -0.9)), -1)
    scene.curve(vmap(spindle(a))(meridian), "red")
viz.show(
    figure,
    alt="Three surfaces of revolution: a pointed rugby ball, a sphere "
    "and a barrel without its lids. A meridian is drawn on each.",
)

# %% [markdown] id="predict-spindle"
# > **Predict, then run (3).** At the equator of the barrel the circle around the axis has the radius 1.3. What is $K$
# > there? And halfway up?

# %% id="spindle-curvature"
for a in (0.6, 1.0, 1.3):
    for s in (0.0, 0.5):
        k = principal(spindle(a), torch.tensor([s, 0.0])).abs()
        print(f"a = {a}, s = {s}: ", *(f"{one:7.4f}" for one in k), end=" ")
        print(f" K = {k.prod():.9f}")

# %% [markdown] id="spindle-answer"
# $K = 1$ everywhere, on all three. The principal curvatures are different at every place, and their product knows. An
# ant on the barrel has no means to find out that it does not live on a sphere, until it walks all the way around.
#
# ## 5 · Throw the outside away
#
# If $K$ depends on $g$ alone, there must be a way from $g$ to $K$ that never mentions the outside. It goes in three
# steps: *lengths*, *straight*, *curved*.
#
# ### Step 1: lengths
#
# A map has coordinates $x$ and a **metric** $g(x)$: a matrix at every point, so that a small step $dx$ has the length
# $\sqrt{dx^T g(x)\,dx}$. That is all an inhabitant is given. Sailors know it as the scale of the map, which varies with
# the place and the direction; below, all circles have the same true radius.


# %% id="metrics"
def globe(x):  # latitude and longitude on the unit sphere
    return torch.diag(torch.stack((torch.ones_like(x[0]), x[0].cos() ** 2)))


def disk(x, c=1.0):  # the Poincare disk of curvature -c (so it is said)
    return (2 / (1 - c * x @ x)) ** 2 * torch.eye(2)


x = torch.tensor([0.3, -0.5])
close(disk(x), riemann.metric_tensor(PoincareBall(1.0))(x))
close(globe(x), riemann.first_fundamental_form(sphere)(x))
for name, metric in (("globe", globe), ("disk ", disk)):
    print(name, "at (0.3, -0.5): g =", metric(x).round(decimals=4).tolist())

# %% id="draw-metrics"
figure, (left, right) = viz.chart(5.9, 2.8, columns=2)
turn = torch.linspace(0, 2 * pi, 57)
circle = torch.stack((turn.cos(), turn.sin()))
for latitude in range(-60, 61, 30):
    for longitude in range(-60, 61, 30):
        x = torch.tensor([latitude, longitude]).deg2rad()
        oval = x[:, None] + 0.15 * globe(x).inverse().sqrt() @ circle
        left.plot(*oval.flip(0).rad2deg(), color=viz.COLORS["blue"], lw=1.2)
for far in (0.0, 1.0, 2.0):
    for way in circle.T[: -1 if far else 1 : 7]:
        centre, size = plane.circle(math.tanh(far / 2) * way, 0.3)
        oval = centre[:, None] + size * circle
        right.plot(*oval, color=viz.COLORS["blue"], lw=1.2)
right.plot(*circle, color=viz.COLORS["ink"], lw=1.2)
left.set(aspect="equal", title="the globe")
left.set(xlabel="longitude", ylabel="latitude")
left.set(xticks=(-60, 0, 60), yticks=(-60, 0, 60))
right.set(aspect="equal", title="the Poincaré disk")
right.axis("off")
viz.show(
    figure,
    alt="Circles of equal true size on two maps. On the map of the "
    "globe by longitude and latitude they become ever wider "
    "ellipses towards the poles; in the Poincaré disk they stay "
    "circles and shrink towards the rim.",
)

# %% [markdown] id="straight"
# ### Step 2: straight
#
# A straight walk is one without turning, and it need not look straight on the map: the map itself stretches along the
# way. The correction consists of the **Christoffel symbols**, and straight walks, *geodesics*, obey
#
# $$\Gamma^k_{ij} = \tfrac12\sum_l g^{kl}\left(\partial_i g_{lj} + \partial_j g_{li} - \partial_l g_{ij}\right),
# \qquad x''^k = -\sum_{ij}\Gamma^k_{ij}\,x'^i x'^j.$$
#
# *In words:* $\Gamma$ says how much the coordinate directions seem to turn and stretch from place to place;
# whoever subtracts that walks straight. ($g^{kl}$ is the inverse matrix. It comes from asking for the shortest way: put
# the derivative of the length to zero.)


# %% id="christoffel-scratch"
def christoffel(metric, x):
    dg = jacrev(metric)(x)  # dg[i, j, l]: g_ij by x_l
    bracket = dg.permute(0, 2, 1) + dg - dg.permute(2, 0, 1)  # [l, i, j]
    return torch.einsum("kl,lij->kij", metric(x).inverse(), bracket) / 2


x = torch.tensor([math.radians(50.0), 0.0])
gamma = christoffel(globe, x)
close(gamma, riemann.christoffel(globe, x))
print(f"at 50 degrees north: {gamma[0, 1, 1]:.4f} to the south", end=" ")
print("for each unit of longitude per unit of time, squared")
close(gamma[0, 1, 1], x[0].sin() * x[0].cos())

# %% [markdown] id="predict-flight"
# > **Predict, then run (4).** You start in Frankfurt (50.0° N, 8.6° E), heading exactly *east*, and fly straight
# > ahead. Do you stay at 50° north? Where do you cross the equator?


# %% id="walk-scratch"
def walk(metric, x, v, steps=32, time=1.0):
    def slope(state):
        x, v = state
        push = -torch.einsum("kij,i,j->k", christoffel(metric, x), v, v)
        return torch.stack((v, push))

    states, h = [torch.stack((x, v))], time / steps
    for _ in range(steps):  # the classical method of Runge and Kutta
        s = states[-1]
        k1 = slope(s)
        k2 = slope(s + h / 2 * k1)
        k3 = slope(s + h / 2 * k2)
        k4 = slope(s + h * k3)
        states.append(s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.stack(states)


# %% id="flight"
start = torch.tensor([50.0, 8.6]).deg2rad()
east = torch.tensor([0.0, 1.0]) / start[0].cos()  # of length 1
flight = walk(globe, start, east, 64, pi)
close(flight, riemann.geodesic_path(globe, start, east, 64, pi))
for step in (0, 16, 32, 48, 64):
    north, right = flight[step, 0].rad2deg().tolist()
    print(f"after {step / 64 * 180:5.1f} degrees:", end=" ")
    print(f"{north:8.3f} N {right:8.3f} E")

# %% id="draw-flight"
figure, (scene,) = viz.space(1, 3.0, view=(25, 60))
scene.surface(sphere, (-pi / 2, pi / 2), (0, 2 * pi))
scene.curve(vmap(sphere)(flight[:40, 0]), "red", 2.6)
around = torch.linspace(0, 2 * pi, 60)
parallel = torch.stack((start[0].expand(60), around), -1)
scene.curve(vmap(sphere)(parallel), "blue", 1.4, "--")
scene.point(sphere(start), "F")
viz.show(
    figure,
    alt="A globe. The straight flight from Frankfurt, F, to the east "
    "leaves the dashed circle of 50 degrees north at once and runs "
    "as a great circle across the equator.",
)

# %% [markdown] id="flight-answer"
# You leave the circle of latitude at once and cross the equator after a quarter of the way round the Earth, at 98.6°
# east, in the Indian Ocean. Nobody turned the wheel: the *circle of latitude* is what is bent.
#
# The same ten lines walk in the disk, and they have never heard of circles at right angles to the rim:

# %% id="walk-disk" tolerance=0.1
start = torch.tensor([0.4, 0.2])
exact, steps = PoincareBall(1.0), 32
turns = 2 * pi * torch.arange(12) / 12
ways = (1 - start @ start) / 2 * torch.stack((turns.cos(), turns.sin()), -1)
paths = vmap(lambda v: walk(disk, start, v, steps, 2.5)[:, 0])(ways)
ends = exact.expmap(start, 2.5 * ways)
missed = exact.dist(paths[:, -1], ends).max()
print(f"largest distance from the exact end: {missed:.1e}")

# %% id="draw-walk-disk"
figure, (canvas,) = viz.picture(size=3.8)
for way in (0, 1, 2, 3, 4, 5):
    line = plane.line_in_direction(start, ways[way])
    canvas.line(line, color="light", width=3.5)
for path in paths:
    canvas.ax.plot(*path.T, color=viz.COLORS["red"], lw=1.4, zorder=4)
canvas.circle(start, 2.5, color="blue", style="--")
canvas.point(start)
viz.show(
    figure,
    alt="Twelve walks of length 2.5 from one point of the Poincaré "
    "disk, integrated step by step (red). They follow the exact "
    "geodesics (wide, grey) and end on the dashed circle of radius "
    "2.5.",
)

# %% [markdown] id="predict-order"
# > **Predict, then run (5).** Twice as many steps: by which factor does the error at the end fall?

# %% id="order" tolerance=0.05
before = None
for steps in (8, 16, 32, 64):
    end = walk(disk, start, ways[1], steps, 2.5)[-1, 0]
    error = exact.dist(end, exact.expmap(start, 2.5 * ways[1])).item()
    print(f"{steps:3d} steps: error {error:.2e}", end="")
    print(f", factor {before / error:.1f}" if before else "")
    before = error

# %% [markdown] id="curved"
# By about 16, as for any smooth equation: this method is of fourth order.
#
# ### Step 3: curved
#
# Now the ant carries an arrow with it, and takes care never to turn it. In the flat plane the arrow comes home as it
# left. On the sphere it does not: from the pole down to the equator, a quarter around, back to the pole.

# %% id="draw-octant"
figure, (scene,) = viz.space(1, 3.0, view=(28, 48), zoom=0.9)
scene.surface(sphere, (0, pi / 2), (0, pi / 2), cells=(12, 12))
leg = torch.linspace(0, pi / 2, 31)
sin, cos, zero = leg.sin(), leg.cos(), 0 * leg
down = (sin, zero, cos), (cos, zero, -sin)  # places, arrows
along = (cos, sin, zero), (zero, zero, zero - 1)
up = (zero, cos, sin), (zero, sin, -cos)
for places_and_arrows in (down, along, up):
    where, arrow = (torch.stack(rows, -1) for rows in places_and_arrows)
    scene.curve(where)
    scene.arrow(where[5:-5:10], 0.35 * arrow[5:-5:10], "orange")
pole = torch.tensor([0.0, 0.0, 1.0])
scene.arrow(pole, torch.tensor([0.45, 0.0, 0.0]), "blue", 3)
scene.arrow(pole, torch.tensor([0.0, 0.45, 0.0]), "red", 3)
viz.show(
    figure,
    alt="An eighth of the sphere, a triangle with three right angles. "
    "An arrow is carried along its sides, starting at the pole "
    "(blue), without being turned; it comes back (red) at a right "
    "angle to where it pointed.",
)

# %% [markdown] id="holonomy"
# It comes back turned by 90°, and the eighth of the sphere has the area $4\pi/8 = \pi/2$, which is 90° in radians:
# turning = area, on the unit sphere. In general
#
# $$\text{turning} = K \times \text{area}\qquad\text{for small loops.}$$
#
# *In words:* curvature is how much an arrow turns per area that you walk around. Let us measure it in the disk. An
# arrow $w$, carried along a path $x(t)$, obeys $w'^k = -\sum\Gamma^k_{ij}\,x'^i w^j$: no turning but that of the
# coordinates.


# %% id="carry"
def carry(metric, corners, w, steps=8):
    for p, q in zip(corners, corners.roll(-1, 0), strict=True):
        v = (q - p) / steps
        for i in range(steps):  # the midpoint rule
            here = christoffel(metric, p + (i + 0.5) * v)
            push = -torch.einsum("kij,i->kj", here, v)
            w = (torch.eye(2) - push / 2).inverse() @ (w + push @ w / 2)
    return w


square = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5
x, arrow = torch.tensor([0.3, -0.5]), torch.tensor([1.0, 0.0])
for c in (1.0, 0.5):
    for size in (0.1, 0.02):
        back = carry(partial(disk, c=c), x + size * square, arrow)
        area = size**2 * disk(x, c).det().sqrt()
        turned = torch.atan2(back[1], back[0])
        print(f"c = {c}, side {size}: turned by {turned:.6f}", end=" ")
        print(f"= {turned / area:.4f} x area")

# %% [markdown] id="riemann"
# There it is: $-c$, measured by an inhabitant, at a place that is nothing special. What remains is to let the square
# shrink to a point, and to write down the limit: the **Riemann tensor**
#
# $$R^l{}_{kij} = \partial_i\Gamma^l_{jk} - \partial_j\Gamma^l_{ik}
# + \sum_m\left(\Gamma^l_{im}\Gamma^m_{jk} - \Gamma^l_{jm}\Gamma^m_{ik}\right),$$
#
# $$K(u, v) = \frac{\langle R(u,v)v, u\rangle}{|u|^2|v|^2 - \langle u,v\rangle^2}.$$
#
# *In words:* $R(u, v)$ is what carrying does around the tiny parallelogram of $u$ and $v$: first along $u$, then along
# $v$, minus the other order. Divided by the squared area, it is a number that belongs to the *plane* of $u$ and $v$,
# the **sectional curvature**. On a surface there is only one plane, and $K$ is Gauss's.


# %% id="riemann-scratch"
def curvature(metric, x, u, v):
    gamma, g = christoffel(metric, x), metric(x)
    slope = jacrev(lambda p: christoffel(metric, p))(x)  # [l, j, k, i]
    half = torch.einsum("ljki->lkij", slope)
    half = half + torch.einsum("lim,mjk->lkij", gamma, gamma)
    R = half - half.transpose(-1, -2)
    turned = torch.einsum("lkij,i,j,k->l", R, u, v, v)
    return turned @ g @ u / ((u @ g @ u) * (v @ g @ v) - (u @ g @ v) ** 2)


e1, e2 = torch.eye(2)
for name, metric in (("globe", globe), ("disk", disk)):
    k = curvature(metric, x, e1, e2)
    close(k, riemann.sectional_curvature(metric, x, e1, e2))
    print(f"{name}: K = {k:.12f}; the library agrees")

# %% [markdown] id="egregium-check"
# The remarkable theorem, as a program: on the left the product of the principal curvatures, which needs the outside;
# on the right the curvature of $g$, which does not.

# %% id="egregium-table"
places["rugby ball"] = spindle(0.6), 0.5, 0.0
places["spiral"] = spiral, 0.2, 0.7
print(f"{'':14}  outside     inside")
for name, (surface, *u) in places.items():
    u = torch.tensor(u)
    outside = principal(surface, u).prod()
    inside = curvature(riemann.first_fundamental_form(surface), u, e1, e2)
    close(outside, inside, atol=1e-9, rtol=1e-9)
    print(f"{name:14} {outside:+9.6f}  {inside:+9.6f}")

# %% [markdown] id="ours"
# ## 6 · Our own metrics, measured
#
# Every paper on hyperbolic learning says "of curvature $-c$". Here is what an inhabitant says, in 3 dimensions, at
# 20 random points each, every point with a random plane. For the charts with more coordinates than dimensions, the
# hyperboloid and the hemisphere, we take the metric that they inherit from the space around them.


# %% id="charts"
def hyperboloid(c):  # its metric, from <x, x> = -1/c in Minkowski space
    def lift(s):
        return torch.cat((s, (s @ s + 1 / c).sqrt()[None]))

    signs = torch.tensor([1.0, 1.0, 1.0, -1.0])
    return lambda s: jacrev(lift)(s).T @ (signs[:, None] * jacrev(lift)(s))


def hemisphere(c):  # its metric, from that of the half-space around it
    def lift(s):
        return torch.cat((s, (1 / c - s @ s).sqrt()[None]))

    return lambda s: jacrev(lift)(s).T @ jacrev(lift)(s) / (1 - c * s @ s)


charts = {"hyperboloid": hyperboloid, "hemisphere": hemisphere}
for kind in (PoincareBall, Klein, HalfSpace, NormalCoordinates):

    def metric_of(c, kind=kind):
        return riemann.metric_tensor(kind(c))

    charts[kind.__name__] = metric_of

# %% id="measure-charts"
rng = torch.Generator().manual_seed(0)
x, u, v = torch.randn(3, 20, 3, generator=rng)
x = 0.8 * x / (1 + x.norm(dim=-1, keepdim=True))  # |x| < 0.8
print(f"{'c =':18}", *(f"{c:11}" for c in (0.1, 1.0, 10.0)), "  error")
for name, chart in charts.items():
    above = torch.tensor([0.0, 0.0, 1.0 if name == "HalfSpace" else 0.0])
    row, worst = [], 0.0
    for c in (0.1, 1.0, 10.0):
        points = (x + above) / math.sqrt(c)
        k = vmap(partial(curvature, chart(c)))(points, u, v)
        row.append(k.mean())
        worst = max(worst, (k / c + 1).abs().max().item())
    print(f"{name:18}", *(f"{k:11.7f}" for k in row), end="  ")
    print("< 1e-9" if worst < 1e-9 else worst)

# %% [markdown] id="ours-answer"
# The same number at every point and in every plane: *constant* curvature, which is rare. And it is $-c$ in all six
# charts, which look nothing like each other: they are maps of one world (lecture 03).
#
# Keep this test. A metric with a bug in it seldom crashes; it is merely a metric of another world. Here is one from
# real code, where $c$ was documented as the radius of the ball and used as its curvature.


# %% id="suspect"
def suspect(x, c):
    return (2 / (1 - x @ x / c**2)) ** 2 * torch.eye(2)


x = torch.tensor([0.3, -0.5])
for c in (1.0, 2.0, 5.0):
    k = riemann.gaussian_curvature(partial(suspect, c=c), x)
    print(f"claims curvature {-c}, measured {k:.6f}")

# %% [markdown] id="room"
# Right for $c = 1$, and that is where it had been tested. (It is the field's commonest bug.)
#
# ## 7 · What curvature does: room
#
# Two walkers leave the same point and walk straight, in directions that differ by a small angle. How far apart are
# they after the distance $r$?
#
# $$\text{gap} = \text{angle}\times s(r),\qquad s(r) = \frac{\sin\sqrt K r}{\sqrt K},\quad r,\quad
# \frac{\sinh\sqrt c\,r}{\sqrt c}\qquad\text{for } K > 0,\; K = 0,\; K = -c.$$
#
# *In words:* positive curvature brings straight walkers together again, negative curvature drives them apart,
# exponentially. The gap obeys $s'' = -K s$: curvature is a spring between neighbours, with the sign turned for us.

# %% id="draw-walkers"
figure, (left, right) = viz.chart(5.9, 2.7, columns=2)
r = torch.linspace(0, 3, 100)
left.plot(r, r.sinh(), "-", label="$K = -1$")
left.plot(r, r, "--", label="$K = 0$")
left.plot(r, r.sin(), ":", label="$K = 1$")
left.set(xlabel="distance walked, $r$", ylabel="gap / angle", ylim=(0, 6))
left.legend()
canvas = viz.Disk(right)
ends = plane.ideal_point(torch.linspace(0, 2 * pi, 25)[:-1])
canvas.segment(torch.zeros(2), ends, color="sky", width=1.0)
for radius in (1, 2, 3):
    canvas.circle(torch.zeros(2), float(radius), color="blue", width=1.2)
viz.show(
    figure,
    alt="Left: the gap between two straight walkers per angle, against "
    "the distance. K = 1: it falls back to zero; K = 0: a straight "
    "line; K = -1: it explodes. Right: rays from the centre of the "
    "Poincaré disk and the circles of radius 1, 2 and 3.",
)

# %% [markdown] id="circle"
# All the gaps of a full turn make a circle, and all the circles a disk:
#
# $$C(r) = \frac{2\pi\sinh(\sqrt c\,r)}{\sqrt c}, \qquad
# A(r) = \int_0^r C = \frac{4\pi}{c}\sinh^2\frac{\sqrt c\,r}{2}.$$
#
# *In words:* the room at the distance $r$ grows like $e^{\sqrt c\,r}$, and almost all of a disk lies at its rim.

# %% id="circle-scratch"
c, r = 0.5, 3.0
root = math.sqrt(c)
chart = NormalCoordinates(c)  # n = distance times direction
around = 2 * pi * torch.arange(20_000) / 20_000
circle = r * torch.stack((around.cos(), around.sin()), -1)
paced = chart.dist(circle, circle.roll(-1, 0)).sum()
formula = torch.tensor(2 * pi * math.sinh(root * r) / root)
close(paced, formula, rtol=1e-6, atol=0)
print(f"circumference: paced out {paced:.4f}, formula {formula:.4f}")

# %% id="area-scratch"
metric = riemann.metric_tensor(chart)
radii = r * (torch.arange(1000) + 0.5) / 1000
ray = torch.stack((radii, torch.zeros(1000)), -1)
density = vmap(lambda n: metric(n).det().sqrt())(ray)
added = (2 * pi * radii * density).sum() * r / 1000
formula = torch.tensor(4 * pi / c * math.sinh(root * r / 2) ** 2)
close(added, formula, rtol=1e-5, atol=0)
print(f"area: added up {added:.4f}, formula {formula:.4f}")
print(f"in flat space: {2 * pi * r:.4f} and {pi * r**2:.4f}")

# %% [markdown] id="predict-room"
# > **Predict, then run (6).** $c = 1$. How many times longer than $2\pi r$ is the circle of radius 10? And which share
# > of the disk of radius 10 lies within the distance 9 of its centre?

# %% id="room-numbers"
print("   r    C / 2 pi r   share within r - 1")
for r in (0.1, 1.0, 5.0, 10.0, 20.0):
    share = (math.sinh(max(r - 1, 0) / 2) / math.sinh(r / 2)) ** 2
    print(f"{r:4} {math.sinh(r) / r:13,.4g} {100 * share:15.1f} %")

# %% [markdown] id="room-answer"
# A thousand times longer; and nearly two thirds of the area are in the outermost ring, for every large $r$, as
# $1 - e^{-1} = 63\,\%$. In flat space that ring would hold 19 %. A binary tree doubles its nodes at every level; with
# $\sqrt c = \ln 2$ the circle does the same per unit of distance, and the tree fits. That is the reason for this course
# (lecture 05).
#
# ### The ant's second method
#
# Expand $C(r)$ for a small circle: $C = 2\pi\left(r - \frac{K}{6} r^3 + \dots\right)$. So
#
# $$K = \lim_{r\to 0}\frac{3}{\pi}\,\frac{2\pi r - C(r)}{r^3}.$$
#
# *In words:* curvature is what is missing from (or left over in) the circumference of a small circle. (Bertrand,
# Diguet and Puiseux, 1848.) We return to it where things break.
#
# ## 8 · What curvature does: angles
#
# The arrow that was carried around the triangle gives the last piece. At each corner the *walker* turns, by $\pi$
# minus the inner angle; together with the turning of the arrow that makes one full turn. So for a triangle with
# straight sides on *any* surface
#
# $$\alpha + \beta + \gamma - \pi = \int K\,dA \qquad\text{(Gauss and Bonnet)}.$$
#
# *In words:* the excess of the angles is the curvature inside, added up. On the unit sphere that is the area, in
# the disk $-c$ times the area, which is the defect of lecture 01. Let us try it where $K$ varies: on the saddle. First
# its straight sides, found by walking and correcting the aim.


# %% id="aim"
def straight(metric, p, q, steps=80 if full else 20):
    """From each p to each q, as (n, steps + 1, 2, 2): where, how fast."""
    go = vmap(lambda p, v: walk(metric, p, v, steps))
    nudges = 1e-4 * torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    v = q - p
    for _ in range(5):  # Newton's method, with a measured slope
        tries = (v + nudges[:, None]).flatten(0, 1)
        ends = go(p.repeat(3, 1), tries)[:, -1, 0].unflatten(0, (3, -1))
        slope = (ends[1:] - ends[0]).permute(1, 2, 0) / 1e-4
        v = v - torch.einsum("nij,nj->ni", slope.inverse(), ends[0] - q)
    return go(p, v)


on_saddle = riemann.first_fundamental_form(saddle)
corners = torch.tensor([[-0.8, -0.6], [0.9, -0.3], [0.0, 0.9]])
sides = straight(on_saddle, corners, corners.roll(-1, 0))
far = (sides[:, -1, 0] - corners.roll(-1, 0)).norm(dim=-1).max()
print("they end where they should, to 1e-6:", bool(far < 1e-6))

# %% id="draw-saddle-triangle"
figure, (scene,) = viz.space(1, 3.2, view=(38, -65))
scene.surface(saddle, (-1.05, 1.05), (-1.05, 1.05), cells=(18, 18))
for side in sides:
    scene.curve(vmap(saddle)(side[:, 0]), "red", 2.4)
for corner, name in zip(corners, "ABC", strict=True):
    scene.point(saddle(corner), f"${name}$")
viz.show(
    figure,
    alt="A saddle with a triangle of geodesics between three points A, "
    "B and C on it; all of its sides bend towards the inside.",
)


# %% id="saddle-angles"
def angle(metric, x, u, v):
    g = metric(x)
    return torch.acos(u @ g @ v / ((u @ g @ u) * (v @ g @ v)).sqrt())


away, back = sides[:, 0, 1], -sides[:, -1, 1].roll(1, 0)
found = [angle(on_saddle, corners[i], away[i], back[i]) for i in range(3)]
total = sum(found)
print("angles", [round(math.degrees(a), 3) for a in found], end=", ")
print(f"their sum {total.rad2deg():.3f}")

# %% [markdown] id="saddle-integral"
# And now $\int K\,dA$. We know the boundary point by point, and how fast it is walked. So sweep the inside with a
# pointer from a point in the middle to the boundary, and add up $K$ times the area $\sqrt{\det g}\,du_1 du_2$ of each
# small piece that it passes.

# %% id="saddle-sum"
edge, speed = sides.unbind(2)  # (3, steps + 1, 2) each
simpson = torch.full((edge.shape[1],), 2.0)
simpson[1::2], simpson[[0, -1]] = 4.0, 1.0
middle = edge.mean((0, 1))
out = edge - middle
sweep = out[..., 0] * speed[..., 1] - out[..., 1] * speed[..., 0]
sweep = sweep * simpson / simpson.sum()
tau = ((1 + nodes) / 2)[:, None, None]  # along the pointer
piece = (weights[:, None, None] / 2 * tau * sweep).flatten()
inside = (middle + tau[..., None] * out).reshape(-1, 2)
K = vmap(lambda u: curvature(on_saddle, u, e1, e2))(inside)
size = vmap(lambda u: on_saddle(u).det().sqrt())(inside)
added = (K * size * piece).sum()
close(total - pi, added, atol=1e-4, rtol=0)
print(f"angle sum - pi = {total - pi:.4f}, added-up curvature {added:.4f}")
print(f"K between {K.min():.3f} and {K.max():.3f}")

# %% [markdown] id="pseudosphere"
# ## 9 · A piece of it to hold in the hand
#
# Is there a surface in our space with $K = -1$ everywhere, as the sphere has $K = 1$? Minding found one in 1839, and
# Beltrami saw in 1868 what it is: a piece of Lobachevsky's plane, made of plaster if you like.


# %% id="pseudosphere-scratch"
def pseudosphere(u):
    s, turn = u
    away = 1 / s.cosh()
    return torch.stack((away * turn.cos(), away * turn.sin(), s - s.tanh()))


print("   s       k1        k2      K")
for s in (0.1, 0.5, 1.0, 3.0):
    k = principal(pseudosphere, torch.tensor([s, 0.3]))
    print(f"{s:4} {k[0]:9.4f} {k[1]:9.4f} {k.prod():10.6f}")

# %% [markdown] id="pseudosphere-metric"
# The principal curvatures are as different as can be, and their product is $-1$. It is not the whole plane: it is a
# thin strip of it, rolled up, and at the bottom it has a rim. Its metric is
# $g = \operatorname{diag}(\tanh^2 s, 1/\cosh^2 s)$. Let somebody walk straight ahead on it, up along the horn and a
# little to the side.


# %% id="walk-pseudosphere"
def horn(u):
    return torch.diag(torch.stack((u[0].tanh() ** 2, 1 / u[0].cosh() ** 2)))


place = torch.tensor([0.45, -1.9])
close(horn(place), riemann.first_fundamental_form(pseudosphere)(place))
heading = torch.tensor([2.2, 0.38])
heading = heading / (heading @ horn(place) @ heading).sqrt()
round_trip = walk(horn, place, heading, 80, 3.4)[:, 0]
s = round_trip[:, 0]
print(f"climbs from s = {s[0]:.2f} to {s.max():.2f},", end=" ")
print(f"and is back down at {s[-1]:.2f}")

# %% id="draw-pseudosphere"
figure, (scene,) = viz.space(1, 3.6, view=(16, -60), zoom=1.3)
scene.surface(pseudosphere, (0.0, 3.2), (0, 2 * pi), cells=(24, 36))
s = torch.linspace(0, 3.2, 50)
meridian = torch.stack((s, torch.full_like(s, -2.4)), -1)
scene.curve(vmap(pseudosphere)(meridian), "blue")
scene.curve(vmap(pseudosphere)(round_trip), "red", 2.4)
viz.show(
    figure,
    alt="The pseudosphere, a horn with a circular rim at the bottom "
    "and an infinitely long tip. Two straight walks: one up along "
    "the horn for ever (blue), and one that climbs, winds around "
    "the horn and comes back down (red).",
)

# %% [markdown] id="pseudosphere-answer"
# The walker meant to climb for ever, and without ever turning came back down. (In the half-plane, where the strip
# comes from, the walk is half a circle, and all half-circles come back down.)
#
# ## 10 · Where it breaks
#
# **The surface ends.** Turn around and walk the same line downwards. What happens at the rim?

# %% id="break-rim"
down = walk(horn, place, -heading, 128, 0.1024)
for step in (0, 64, 112, 126):
    s, rate = down[step, :, 0]
    print(f"time {0.1024 * step / 128:.4f}: s = {s:.4f},", end=" ")
    print(f"falling at the rate {-rate:.1f}")
k = principal(pseudosphere, torch.tensor([1e-3, 0.0]))
print(f"principal curvatures at s = 0.001: {k[0]:.1f} and {k[1]:.4f}")

# %% [markdown] id="break-rim-answer"
# The rim is reached in finite time, with the surface falling away under the walker's feet: one principal curvature
# becomes infinite, and beyond there is no surface. This is not a flaw of this one. Hilbert proved in 1901 that **no**
# complete smooth surface with $K = -1$ exists in our space. The hyperbolic plane exists, since its metric does; it
# cannot be put into $\mathbb R^3$ as a whole, so we had better live inside. That is why we learned to measure there.
#
# **The map ends, and the world does not.** Nothing is special about the north pole, except on a map by latitude and
# longitude.


# %% id="break-pole"
def shown(k, true):
    return f"{k:9.3f}" if abs(k - true) < 0.05 else "     lost"


for away in (1.0, 1e-3, 1e-6, 1e-9):
    x = torch.tensor([pi / 2 - away, 0.0])
    k = curvature(globe, x, e1, e2)
    print(f"{away:5.0e} from the pole: K =", shown(k, 1.0))

# %% [markdown] id="predict-puiseux"
# **Limits and digits.** The ant's second method wants $r\to 0$.
#
# > **Predict, then run (7).** In float32, $K = -1$: with which radius does the ant get $K$ best: 1, 0.1, 0.01, 0.001?

# %% id="break-puiseux" tolerance=1.0
print("     r    K in float32    K in float64")
for r in (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3):
    found = []
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor(r, dtype=dtype)
        missing = 2 * pi * x - 2 * pi * x.sinh()
        found.append((3 / pi * missing / x**3).item())
    print(f"{r:6} {found[0]:15.6f} {found[1]:15.6f}")

# %% [markdown] id="break-puiseux-answer"
# Neither the largest nor the smallest: the error of the formula is about $r^2/20$, and the rounding of $2\pi r$ is
# divided by $r^3$. Curvature is made of second derivatives, and differences cannot take them. That is why this lecture
# uses autograd.
#
# **Far out.** But autograd rounds, too. Here is the curvature that it finds at the distance $d$ from the centre, in
# three charts of the same plane ($c = 1$), in float32, and for one of them in float64.

# %% id="break-far" tolerance=0.1
three = PoincareBall(1.0), NormalCoordinates(1.0), Klein(1.0)
way = torch.tensor([0.6, 0.8])
print("distance      ball    normal     Klein    Klein, float64")
for d in (1.0, 4.0, 6.0, 8.0, 10.0):
    row = []
    radii = math.tanh(d / 2), d, math.tanh(d)
    for chart, radius in zip(three, radii, strict=True):
        metric, x = riemann.metric_tensor(chart), radius * way
        row.append(riemann.gaussian_curvature(metric, x.float()))
    row.append(riemann.gaussian_curvature(metric, x))
    print(f"{d:8}", *(shown(k, -1.0) for k in row))

# %% [markdown] id="table"
# The true answer is $-1$ everywhere. The ball gives it, and Klein's chart, a map of the same plane, loses all digits.
# In the ball a small circle is a small circle on the map, only smaller; in the Klein disk it is a thin ellipse, whose
# axes are as $1 : \cosh d$, and $K$ comes out as a small difference of huge numbers. The world is equally curved
# everywhere; the charts are not equally good everywhere. Lecture 09 is about that.
#
# ## 11 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Gauss 1827, art. 12 | $K$ of a unit sphere, bent | still 1 | 1.000000000 on rugby ball and barrel |
# | Gauss 1827, art. 20 | angle sum $- \pi$ of a triangle | $\int K\,dA$ | $-0.7630$ and $-0.7630$ on the saddle |
# | Bertrand, Diguet, Puiseux 1848 | $3(2\pi r - C)/\pi r^3$ | tends to $K$ | $-1.0005$ at $r = 0.1$, $K = -1$ |
# | Minding 1839; Beltrami 1868 | $K$ of the pseudosphere | $-1$ | $-1.000000$ |
# | Nickel and Kiela 2017, sec. 3 | $K$ of the ball's metric | constant, negative | $-1$, at 20 points to $10^{-9}$ |
# | Ganea et al. 2018, sec. 2 | $K$ of the ball of radius $1/\sqrt c$ | $-c$ | $-c$, for three $c$, to $10^{-9}$ |
#
# The papers on the left prove; the column on the right measures, in float64, on the surfaces and charts of this page.
# The slowest of these numbers takes a few seconds on one CPU core, the others fractions of a second.
#
# ## Three things to keep
#
# 1. **Curvature is felt from inside.** Lengths alone decide it; what only an outsider sees (a rolled sheet) is not
#    curvature. "My data lie on a bent surface" says nothing yet.
# 2. **Its sign is about room.** Negative curvature drives straight walkers apart, so there is exponentially much room;
#    and triangles have too small angles, by $c$ times their area.
# 3. **A metric can be measured.** Twenty lines of autograd turn any metric into its curvature. Do it to every metric
#    that you did not write, and to those that you did.
#
# ## Go further
#
# - **Tristan Needham**, *Visual Differential Geometry and Forms*, Princeton 2021. Everything here in pictures, with
#   vegetables; read the acts on curvature and on parallel transport first.
# - **Manfredo do Carmo**, *Differential Geometry of Curves and Surfaces*, 2nd ed., Dover 2016. Surfaces from outside
#   and inside, with proofs; Gauss-Bonnet in chapter 4.
# - **John M. Lee**, *Introduction to Riemannian Manifolds*, 2nd ed., Springer 2018. Our signs and indices are his.
# - **Carl Friedrich Gauss**, *General Investigations of Curved Surfaces*, 1827, translated by Morehead and Hiltebeitel
#   1902. Fifty pages; article 12 is the remarkable theorem.
# - **John Stillwell**, *Sources of Hyperbolic Geometry*, AMS 1996. Beltrami's two papers of 1868 in English, with
#   Klein and Poincaré.
# - **Albert Gu, Frederic Sala, Beliz Gunel, Christopher Ré**, "Learning Mixed-Curvature Representations in Product
#   Spaces", ICLR 2019. Estimates the curvature that a graph asks for from its distances, and learns it.
#
# **An open question.** We measured $K$ of a metric given as a formula. A data set gives only distances of some points,
# with noise. There are several definitions of curvature for that (of triangles, of growth, of transport on the edges
# of a graph), and they disagree. Which of them predicts whether a hyperbolic model will help?
#
# **Next:** the [exercises](../exercises/02_curvature/02_curvature.ipynb), then lecture 03: five maps of one world.
