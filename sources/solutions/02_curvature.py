# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 02 · How bent is a space?
#
# Seven functions, one review and a challenge. Together they are an instrument: give it any metric, and it tells how
# bent the space is, without looking at it from outside. With it you will find three bugs in a colleague's ball.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** $K$ is a curvature of either sign: $K > 0$ on a sphere, $K = 0$ in the flat plane, and
# $K = -c < 0$ in hyperbolic space, where $c > 0$ is given. Angles are in radians. Tensors are `float32` or `float64`,
# results have the dtype of the input, and no argument is changed. Every function works on a whole batch at once: the
# `...` in a shape stands for any number of leading dimensions, none included, which broadcast as usual in torch. Stay
# with torch from beginning to end, then gradients come for free; they are checked too, unless the docstring says that
# they are not.

# %% id="setup"
import math

import torch
from torch import Tensor
from torch.func import hessian, jacrev, vmap

from hyplearn import viz
from hyplearn.grading import checker

check = checker("02_curvature")


def point_on(patch: Tensor, u: Tensor) -> Tensor:
    """The point sum over i, j of patch[:, i, j] s^i t^j of a bicubic patch (3, 4, 4), for one u = (s, t)."""
    powers = torch.stack((torch.ones_like(u), u, u * u, u * u * u))  # u**0 has no derivative at 0 in torch
    return torch.einsum("mij,i,j->m", patch, powers[:, 0], powers[:, 1])


# %% [markdown] id="about-curvature_from_angles"
# ## 1 · A protractor
#
# {{exercise:curvature_from_angles}}
#
# Theorem of Gauss and Bonnet: the inner angles of a polygon with straight (geodesic) sides sum to what a flat polygon
# with as many corners has, plus the curvature added up over its inside. So angles and an area give the mean curvature.


# %% solution="curvature_from_angles"
def curvature_from_angles(angles: Tensor, area: Tensor) -> Tensor:
    """The mean curvature inside a polygon with n geodesic sides: the excess of its angle sum, divided by its area.

    Args:
        angles: (..., n), the inner angles; n >= 2 (on a sphere two sides can enclose an area).
        area: (...), areas > 0. Its shape and that of `angles` without the last dimension broadcast.

    Returns:
        (...), one mean curvature for each polygon; negative where the angles sum to less than in the flat plane.
    """
    ### BEGIN SOLUTION
    n = angles.shape[-1]
    return (angles.sum(-1) - (n - 2) * math.pi) / area
    ### END SOLUTION


# %% test="curvature_from_angles"
check(curvature_from_angles)
### BEGIN HIDDEN TESTS
check(curvature_from_angles, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-disk_size"
# ## 2 · How much room is in a circle?
#
# {{exercise:disk_size}}
#
# The circle of radius $r$ in a world of curvature $K > 0$ has the circumference
# $C(r) = 2\pi\,\frac{\sin(\sqrt K\,r)}{\sqrt K}$. In a world of curvature $K < 0$ take $\sinh$ and $\sqrt{-K}$
# instead, and in the flat plane $2\pi r$, the limit of both. The area is $A(r) = \int_0^r C(t)\,dt$.
#
# Integrate by hand, and then look at your formula with the eyes of a computer: what happens to it when $r$ is tiny?


# %% solution="disk_size"
def disk_size(r: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Circumference and area of a geodesic disk of radius r in a plane of constant curvature K.

    Both are as exact as the dtype allows, for tiny disks as well. A batch may hold curvatures of all three kinds.
    (Gradients are checked where K is not 0 and the disk is not tiny.)

    Args:
        r: (...), radii >= 0; at most pi / sqrt(K) where K > 0.
        K: (...), curvatures of any sign, 0 included. r and K broadcast.

    Returns:
        The pair (circumference, area), both (...). Never NaN.
    """

    ### BEGIN SOLUTION
    def chord(r):
        root = torch.where(K == 0, 1.0, K).abs().sqrt()  # no 0 may reach a division or a square root
        curved = torch.where(K > 0, torch.sin(root * r), torch.sinh(root * r)) / root
        return torch.where(K == 0, r, curved)

    # 1 - cos(x) = 2 sin(x/2)^2 and cosh(x) - 1 = 2 sinh(x/2)^2: no difference of nearly equal numbers.
    return 2 * math.pi * chord(r), 4 * math.pi * chord(r / 2) ** 2
    ### END SOLUTION


# %% test="disk_size"
check(disk_size)
### BEGIN HIDDEN TESTS
check(disk_size, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-gaussian_curvature"
# ## 3 · Seen from outside
#
# {{exercise:gaussian_curvature}}
#
# Programs for design draw cars and letters with *bicubic patches*: surfaces whose three coordinates are polynomials of
# degree 3 in each of two parameters. `point_on`, in the first cell, evaluates one. Find its Gaussian curvature
#
# $$K = \frac{\det h}{\det g}, \qquad g_{ij} = \langle \partial_i p, \partial_j p\rangle, \qquad
# h_{ij} = \langle \partial_i\partial_j p, N\rangle, \qquad N = \frac{\partial_1 p\times\partial_2 p}{|\ldots|}.$$
#
# The derivatives may come from `jacrev` and `hessian` (`vmap` does a whole batch), or from the polynomials themselves.


# %% id="point-on"
saddle = torch.zeros(3, 4, 4, dtype=torch.float64)
saddle[0, 1, 0] = saddle[1, 0, 1] = 1.0  # x = s, y = t
saddle[2, 2, 0], saddle[2, 0, 2] = 0.5, -0.5  # z = (s^2 - t^2) / 2
print(point_on(saddle, torch.tensor([0.4, 0.2], dtype=torch.float64)))


# %% solution="gaussian_curvature"
def gaussian_curvature(patch: Tensor, u: Tensor) -> Tensor:
    """The Gaussian curvature of a bicubic patch at the parameters u.

    Args:
        patch: (3, 4, 4), one surface: coordinate m of the point at u = (s, t) is the sum over i, j of
            patch[m, i, j] s^i t^j. Its two tangent vectors at u are never parallel.
        u: (..., 2), parameters.

    Returns:
        (...), one curvature for each pair of parameters.
    """

    ### BEGIN SOLUTION
    def at(u):
        first = jacrev(lambda w: point_on(patch, w))(u)  # (3, 2)
        second = hessian(lambda w: point_on(patch, w))(u)  # (3, 2, 2)
        normal = torch.linalg.cross(first[:, 0], first[:, 1])
        normal = normal / normal.norm()
        return torch.einsum("mij,m->ij", second, normal).det() / (first.T @ first).det()

    return vmap(at)(u.reshape(-1, 2)).reshape(u.shape[:-1])
    ### END SOLUTION


# %% test="gaussian_curvature"
check(gaussian_curvature)
### BEGIN HIDDEN TESTS
check(gaussian_curvature, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-christoffel"
# ## 4 · Seen from inside: the first derivative
#
# {{exercise:christoffel}}
#
# From here on there is no outside. A space is given by its metric, a function that gives the matrix $g(x)$ of inner
# products of the coordinate vectors at every point $x$; and all that counts is its value and its derivatives at one
# point, which `jet` below takes. How far a straight walk bends in the coordinates is what the Christoffel symbols say:
#
# $$\Gamma^k_{ij} = \tfrac12 \sum_l g^{kl}\left(\partial_i g_{lj} + \partial_j g_{li} - \partial_l g_{ij}\right),$$
#
# where $g^{kl}$ is the inverse matrix. (No gradients are checked in this exercise and the next.)


# %% id="jet"
def jet(metric, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A metric at x (n,), with its derivatives: g (n, n), dg (n, n, n), ddg (n, n, n, n)."""
    return metric(x), jacrev(metric)(x), jacrev(jacrev(metric))(x)


def polar(x):  # the flat plane in polar coordinates (r, angle)
    return torch.diag(torch.stack((torch.ones_like(x[0]), x[0] ** 2)))


g, dg, _ = jet(polar, torch.tensor([2.0, 0.0], dtype=torch.float64))
print("g:", g.tolist(), " derivative of g_22 by r:", dg[1, 1, 0].item())


# %% solution="christoffel"
def christoffel(g: Tensor, dg: Tensor) -> Tensor:
    """Christoffel symbols of a metric at a point, from the metric and its first derivatives there.

    Args:
        g: (..., n, n), symmetric positive definite.
        dg: (..., n, n, n), where dg[..., i, j, l] is the derivative of g_ij by the coordinate x_l.

    Returns:
        (..., n, n, n): the symbol with the upper index k and the lower ones i and j is at [..., k, i, j].
    """
    ### BEGIN SOLUTION
    by_i = torch.einsum("...lji->...lij", dg)  # all three as [l, i, j]
    by_j = torch.einsum("...lij->...lij", dg)
    by_l = torch.einsum("...ijl->...lij", dg)
    return torch.einsum("...kl,...lij->...kij", torch.linalg.inv(g), by_i + by_j - by_l) / 2
    ### END SOLUTION


# %% test="christoffel"
check(christoffel)
### BEGIN HIDDEN TESTS
check(christoffel, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-sectional_curvature"
# ## 5 · Seen from inside: the second derivative
#
# {{exercise:sectional_curvature}}
#
# Now the instrument itself. The Riemann tensor is what a vector has turned when it was carried around a tiny loop,
#
# $$R^l{}_{kij} = \partial_i\Gamma^l_{jk} - \partial_j\Gamma^l_{ik}
# + \sum_m\left(\Gamma^l_{im}\Gamma^m_{jk} - \Gamma^l_{jm}\Gamma^m_{ik}\right),$$
#
# and the sectional curvature of the plane of $u$ and $v$ is
#
# $$K(u, v) = \frac{\langle R(u,v)v, u\rangle}{|u|^2|v|^2 - \langle u, v\rangle^2},
# \qquad \bigl(R(u,v)w\bigr)^l = \sum R^l{}_{kij}\,u^i v^j w^k,$$
#
# with all inner products in $g$. Two roads: differentiate $\Gamma$ by the product rule (the inverse matrix has a
# derivative, too: $\partial(g^{-1}) = -g^{-1}\,\partial g\,g^{-1}$), or let `jacrev` do it: a metric with these
# derivatives is $g + \sum_l dg_l\,x_l + \frac12\sum_{kl} ddg_{kl}\,x_k x_l$ near $x = 0$.


# %% solution="sectional_curvature"
def sectional_curvature(g: Tensor, dg: Tensor, ddg: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The sectional curvature of the plane that u and v span, from a metric and its derivatives at one point.

    Args:
        g: (..., n, n), symmetric positive definite, n >= 2.
        dg: (..., n, n, n), where dg[..., i, j, l] is the derivative of g_ij by x_l.
        ddg: (..., n, n, n, n), where ddg[..., i, j, k, l] is the derivative of g_ij by x_k and x_l.
        u, v: (..., n), two vectors that are not parallel. All batches broadcast.

    Returns:
        (...): the curvature, for instance +1 on the unit sphere. It depends on the plane, not on the choice of u and v.
    """
    ### BEGIN SOLUTION
    inverse = torch.linalg.inv(g)
    by_i = torch.einsum("...lji->...lij", dg)
    by_j = torch.einsum("...lij->...lij", dg)
    by_l = torch.einsum("...ijl->...lij", dg)
    gamma = torch.einsum("...kl,...lij->...kij", inverse, by_i + by_j - by_l) / 2
    by_i = torch.einsum("...ljim->...lijm", ddg)
    by_j = torch.einsum("...lijm->...lijm", ddg)
    by_l = torch.einsum("...ijlm->...lijm", ddg)
    # G = g^-1 B, so d_m G = g^-1 (d_m B - d_m g G), with B the bracket.
    bracket = (by_i + by_j - by_l) / 2 - torch.einsum("...lpm,...pij->...lijm", dg, gamma)
    slope = torch.einsum("...kl,...lijm->...kijm", inverse, bracket)  # d_m G^k_ij
    half = torch.einsum("...ljki->...lkij", slope) + torch.einsum("...lim,...mjk->...lkij", gamma, gamma)
    riemann = half - half.transpose(-1, -2)
    turned = torch.einsum("...lkij,...i,...j,...k->...l", riemann, u, v, v)

    def inner(a, b):
        return torch.einsum("...ij,...i,...j->...", g, a, b)

    return inner(turned, u) / (inner(u, u) * inner(v, v) - inner(u, v) ** 2)
    ### END SOLUTION


# %% test="sectional_curvature"
check(sectional_curvature)
### BEGIN HIDDEN TESTS
check(sectional_curvature, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-ball_metric"
# ## 6 · Find the bugs
#
# {{exercise:ball_metric}}
#
# A colleague wrote the metric of the Poincaré ball of curvature $-c$. It runs, it trains, and it is wrong in three
# places. Measure it: the next cell does so with a short formula for metrics that are a factor times the identity, your
# instrument of exercise 5 would find the same.


# %% id="colleague"
def colleagues_metric(x, c):
    """The metric of the Poincaré ball of curvature -c, as matrices (..., n, n) for points x (..., n)."""
    factor = 2 / (1 - (x / c).square().sum())
    return factor * torch.eye(len(x), dtype=x.dtype)


def measured(metric, x):
    """The Gaussian curvature -laplace(log f) / 2f of a plane metric that is f(x) times the identity."""
    log_factor = hessian(lambda p: metric(p)[0, 0].log())(x)
    return -log_factor.trace() / (2 * metric(x)[0, 0])


for c in (1.0, 2.0):
    for x in torch.tensor([[0.0, 0.0], [0.2, 0.0], [0.4, 0.0]], dtype=torch.float64):
        print(f"c = {c}, at {x.tolist()}: K = {measured(lambda p, c=c: colleagues_metric(p, c), x):.4f}")

# %% [markdown] id="about-colleague"
# Neither is the curvature $-c$ when $c = 2$, nor is it constant; and on a batch the function is wrong altogether. Write
# it as it should be. (When your exercise 5 works, measure yours:
# `sectional_curvature(*jet(lambda x: ball_metric(x, c), x), u, v)`.)


# %% solution="ball_metric"
def ball_metric(x: Tensor, c: float) -> Tensor:
    """The metric of the Poincare ball of curvature -c: the matrices of inner products of the coordinate vectors.

    Args:
        x: (..., n), points inside the ball of radius 1/sqrt(c).
        c: the ball has curvature -c.

    Returns:
        (..., n, n), one symmetric matrix for each point; at x = 0 it is 4 times the identity.
    """
    ### BEGIN SOLUTION
    factor = 2 / (1 - c * x.square().sum(-1))  # c is no radius, and each point has its own norm
    return factor.square()[..., None, None] * torch.eye(x.shape[-1], dtype=x.dtype)  # squared: g holds squared lengths
    ### END SOLUTION


# %% test="ball_metric"
check(ball_metric)
### BEGIN HIDDEN TESTS
check(ball_metric, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-geodesic"
# ## 7 · Walk straight ahead
#
# {{exercise:geodesic}}
#
# Whoever walks straight ahead obeys $x''^k = -\sum\Gamma^k_{ij}\,x'^i x'^j$. With the Christoffel symbols of the ball
# this becomes
#
# $$x'' = \frac{2c}{1 - c|x|^2}\left(|x'|^2\,x - 2\langle x, x'\rangle\,x'\right),$$
#
# with Euclidean products. Solve it with the classical method of Runge and Kutta: for the state $s = (x, x')$ with the
# slope $f(s) = (x', x'')$, one step of length $h$ is
#
# $$s \leftarrow s + \tfrac h6(k_1 + 2k_2 + 2k_3 + k_4),\quad k_1 = f(s),\; k_2 = f(s + \tfrac h2 k_1),\;
# k_3 = f(s + \tfrac h2 k_2),\; k_4 = f(s + h k_3).$$
#
# The picture shows twelve velocities of length 1 at a point, and in grey where they lead in the time 1.5: to the circle
# of radius 1.5. When your function works, draw the paths, too: each is an arc at right angles to the rim.

# %% id="geodesic-figure"
figure, (disk,) = viz.picture(size=3.4)
start = torch.tensor([0.4, 0.2], dtype=torch.float64)
turns = 2 * math.pi * torch.arange(12, dtype=torch.float64) / 12
speed = (1 - start @ start) / 2  # of length 1 in the metric of the ball
velocities = speed * torch.stack((turns.cos(), turns.sin()), -1)
disk.circle(start, 1.5, color="light")
disk.point(start, "$x$")
for velocity in velocities:
    disk.ax.annotate("", start + velocity, start, arrowprops={"arrowstyle": "->", "color": viz.COLORS["blue"]})
viz.show(
    figure,
    alt="A point x in the disk, twelve velocities of unit length around it, and in grey the circle of radius 1.5 about "
    "x, which geodesics with these velocities reach at the time 1.5.",
)


# %% solution="geodesic"
def geodesic(x: Tensor, v: Tensor, c: float, time: float, steps: int) -> tuple[Tensor, Tensor]:
    """Where one is, and how fast, after walking straight ahead in the Poincare ball.

    Solves the geodesic equation by the classical method of Runge and Kutta, in equal steps of length time / steps. (The
    result is compared with that of this method, not with the exact solution.)

    Args:
        x: (..., n), points inside the ball of radius 1/sqrt(c).
        v: (..., n), velocities at x, in the coordinates of the ball. x and v broadcast.
        c: the ball has curvature -c.
        time: for how long to walk; may be negative.
        steps: how many steps to take, at least 1.

    Returns:
        The pair (position, velocity) at the end, both (..., n).

    Raises:
        ValueError: if steps < 1.
    """
    ### BEGIN SOLUTION
    if steps < 1:
        raise ValueError("steps must be at least 1")

    def slope(state):
        x, v = state
        xx, xv, vv = ((a * b).sum(-1, keepdim=True) for a, b in ((x, x), (x, v), (v, v)))
        return torch.stack((v, 2 * c / (1 - c * xx) * (vv * x - 2 * xv * v)))

    state, h = torch.stack(torch.broadcast_tensors(x, v)), time / steps
    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state[0], state[1]
    ### END SOLUTION


# %% test="geodesic"
check(geodesic)
### BEGIN HIDDEN TESTS
check(geodesic, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-swiss_roll"
# ## 8 · The curved data of a colleague
#
# {{exercise:swiss_roll}}
#
# You review a paper. It says: "Our data lie on a sheet that is rolled up like a Swiss roll in $\mathbb R^3$. Their
# geometry is therefore strongly curved, which calls for a hyperbolic model."
#
# Answer in at most 150 words. Which curvature does the sentence speak of, and which one matters to a model that uses
# distances along the sheet? What could the authors have measured *on the data* to decide, and which outcome would have
# supported them? (A person reads this one.)

# %% [markdown] written="swiss_roll"
# Rolling a sheet bends it in space: one of its principal curvatures is not 0. The other one is, so their product, the
# Gaussian curvature, is 0, as it was before. By Gauss's theorem it depends on lengths along the sheet alone, and
# rolling changes none of them. Whoever lives on the sheet cannot tell the roll from a flat page; unrolled, the data fit
# $\mathbb R^2$ without any distortion. So the roll is no reason for a hyperbolic model.
#
# The authors could have measured from inside, with distances along the sheet: the angle sums of triangles (less than
# $\pi$ in a hyperbolic space, more on a sphere), or the number of points within a distance $r$ of a point, which grows
# like $r^2$ on a flat sheet and exponentially in hyperbolic space, as in a tree. Only angle sums below $\pi$, or such a
# growth, would have supported them.

# %% [markdown] id="about-curvature_of_circle"
# ## 9 · One circle is enough
#
# {{exercise:curvature_of_circle}}
#
# *A challenge for those who want one; it carries no points.* An ant walks $r$ steps away from its nest in every
# direction and paces out the circle that it reaches. It knows that its world has one and the same curvature everywhere.
# Which? There is no formula, so solve $C = 2\pi\sin(\sqrt K\,r)/\sqrt K$ (exercise 2) for $K$: which function of
# $K r^2$ must be inverted, how does it behave, and between which two values must the solution lie?


# %% solution="curvature_of_circle"
def curvature_of_circle(r: Tensor, circumference: Tensor) -> Tensor:
    """The curvature K of a world in which a circle of radius r has the given circumference.

    As exact as the dtype allows for circles of every size, not only in the limit of tiny ones. (No gradients are
    checked.)

    Args:
        r: (...), radii > 0.
        circumference: (...), lengths > 0. Both broadcast.

    Returns:
        (...), the K <= (pi / r)^2 of either sign; there is exactly one.
    """
    ### BEGIN SOLUTION
    r, circumference = torch.broadcast_tensors(r, circumference)
    ratio = circumference / (2 * math.pi * r)

    def chord(t):  # sin(sqrt t)/sqrt t, continued to t <= 0: it falls from infinity to 0 at pi^2
        root = torch.where(t == 0, 1.0, t).abs().sqrt()
        return torch.where(t > 0, root.sin() / root, torch.where(t < 0, root.sinh() / root, 1.0))

    # sinh(x)/x >= ratio at x = 2 log(ratio) + 4, so t = -x^2 is a lower bound.
    low, high = -((2 * ratio.clamp_min(1).log() + 4) ** 2), torch.full_like(ratio, math.pi**2)
    for _ in range(60):
        middle = (low + high) / 2
        too_large = chord(middle) < ratio
        low, high = torch.where(too_large, low, middle), torch.where(too_large, middle, high)
    return (low + high) / 2 / r**2
    ### END SOLUTION


# %% test="curvature_of_circle"
check(curvature_of_circle)
### BEGIN HIDDEN TESTS
check(curvature_of_circle, hidden=True)
### END HIDDEN TESTS
