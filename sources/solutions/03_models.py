# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 03 · Five maps of one world
#
# Seven functions, a review of other people's code, and a challenge. At the end you own a set of converters between
# five maps of hyperbolic space, two distances that hold what they promise, and a test that finds wrong converters.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$. Tensors are `float32` or `float64`, results
# have the dtype of the input, and no argument is changed. Coordinates are the last dimension, and every function works
# on a whole batch at once: the `...` in a shape stands for any number of leading dimensions, none included, which
# broadcast as usual in torch. Where gradients are checked, the text says so; stay with torch from beginning to end.
#
# **The maps**, all of $n$-dimensional space:
#
# | map | coordinates | where |
# |---|---|---|
# | hyperboloid | $n + 1$: time $t$ first, then space $s$ | $-t^2 + \lvert s\rvert^2 = -1/c$, $t > 0$ |
# | `"ball"` | $n$ | $\lvert x\rvert < 1/\sqrt c$ |
# | `"klein"` | $n$ | $\lvert x\rvert < 1/\sqrt c$ |
# | `"half-space"` | $n$: the height last | $x_n > 0$ |
# | `"hemisphere"` | $n + 1$: the height last | $\lvert x\rvert = 1/\sqrt c$, $x_{n+1} > 0$ |

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn import viz
from hyplearn.grading import checker

check = checker("03_models")

# %% [markdown] id="about-minkowski"
# ## 1 · An inner product with a minus
#
# {{exercise:minkowski}}
#
# Everything on the hyperboloid is said with one product, Minkowski's. It is the usual one with a minus for time:
#
# $$\langle x, y\rangle = -x_0y_0 + x_1y_1 + \dots + x_ny_n.$$


# %% solution="minkowski"
def minkowski(x: Tensor, y: Tensor) -> Tensor:
    """The Minkowski product of vectors, time first: -x_0 y_0 + x_1 y_1 + ... + x_n y_n.

    The vectors need not lie on the hyperboloid. Gradients are checked.

    Args:
        x, y: (..., n + 1), n >= 1; their batches broadcast.

    Returns:
        (...), one number for each pair.
    """
    ### BEGIN SOLUTION
    product = x * y
    return product[..., 1:].sum(-1) - product[..., 0]
    ### END SOLUTION


# %% test="minkowski"
check(minkowski)
### BEGIN HIDDEN TESTS
check(minkowski, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-to_hyperboloid"
# ## 2 · Four roads to the hub
#
# {{exercise:to_hyperboloid}}
#
# With maps to and from one hub, five maps need eight formulas in place of twenty. The hub is the hyperboloid. For
# $c = 1$, a point $u$ of a map belongs to a point of the hyperboloid on the ray through
#
# $$\text{ball: } (1 + |u|^2,\; 2u) \qquad \text{Klein: } (1,\; u) \qquad
# \text{half-space: } (1 + |u|^2,\; 2u',\; |u|^2 - 1),$$
#
# where $u'$ is $u$ without its last coordinate. How long the vector must be, you know: $\langle p, p\rangle = -1$. The
# hemisphere, seen from straight above, is the Klein ball. For any other $c$, go to the units in which $c = 1$ and
# back again: a coordinate $x$ is a length, so $u = \sqrt c\,x$.


# %% solution="to_hyperboloid"
def to_hyperboloid(x: Tensor, chart: str, c: float) -> Tensor:
    """The points of the hyperboloid -t^2 + |s|^2 = -1/c that are the points x of another map.

    The origins belong to each other: the centre of the two balls, the point (0, ..., 0, 1/sqrt(c)) of the half-space
    and of the hemisphere, and (1/sqrt(c), 0, ..., 0). Up in the half-space is up on the hyperboloid: the points
    (0, ..., 0, h) with h > 1/sqrt(c) have the space part (0, ..., 0, s_n) with s_n > 0. Gradients are checked for the
    ball, Klein and the half-space.

    Args:
        x: (..., n), or (..., n + 1) for the hemisphere, n >= 1: points inside the map, as in the table above.
        chart: "ball", "klein", "half-space" or "hemisphere".
        c: space has curvature -c.

    Returns:
        (..., n + 1), time first.

    Raises:
        ValueError: if chart is none of the four.
    """
    ### BEGIN SOLUTION
    u = math.sqrt(c) * x
    square, height = (u * u).sum(-1, keepdim=True), u[..., -1:]
    if chart == "ball":
        p = torch.cat((1 + square, 2 * u), -1) / (1 - square)
    elif chart == "klein":
        p = torch.cat((torch.ones_like(square), u), -1) / (1 - square).sqrt()
    elif chart == "half-space":
        p = torch.cat((1 + square, 2 * u[..., :-1], square - 1), -1) / (2 * height)
    elif chart == "hemisphere":
        p = torch.cat((torch.ones_like(height), u[..., :-1]), -1) / height
    else:
        raise ValueError(f"no such chart: {chart}")
    return p / math.sqrt(c)
    ### END SOLUTION


# %% test="to_hyperboloid"
check(to_hyperboloid)
### BEGIN HIDDEN TESTS
check(to_hyperboloid, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-from_hyperboloid"
# ## 3 · Four roads back
#
# {{exercise:from_hyperboloid}}
#
# Shine a lamp through the hyperboloid and look at the shadow. A lamp at $(-1, 0)$ and a screen at $t = 0$ give the
# ball. A lamp at the origin gives Klein on the screen $t = 1$. For the half-space, invert the formula of exercise 2:
# with $p = (t, s)$ and $c = 1$, what is $t - s_n$?


# %% solution="from_hyperboloid"
def from_hyperboloid(p: Tensor, chart: str, c: float) -> Tensor:
    """The points of a map that are the points p of the hyperboloid; the inverse of `to_hyperboloid`.

    (No gradients are checked here: the coordinates of p depend on each other.)

    Args:
        p: (..., n + 1), n >= 1: points with -t^2 + |s|^2 = -1/c, time first.
        chart: "ball", "klein", "half-space" or "hemisphere".
        c: space has curvature -c.

    Returns:
        (..., n), or (..., n + 1) for the hemisphere.

    Raises:
        ValueError: if chart is none of the four.
    """
    ### BEGIN SOLUTION
    p = math.sqrt(c) * p
    t, s = p[..., :1], p[..., 1:]
    if chart == "ball":
        x = s / (1 + t)
    elif chart == "klein":
        x = s / t
    elif chart == "half-space":  # t - s_n = 1/h
        x = torch.cat((s[..., :-1], torch.ones_like(t)), -1) / (t - s[..., -1:])
    elif chart == "hemisphere":
        x = torch.cat((s, torch.ones_like(t)), -1) / t
    else:
        raise ValueError(f"no such chart: {chart}")
    return x / math.sqrt(c)
    ### END SOLUTION


# %% test="from_hyperboloid"
check(from_hyperboloid)
### BEGIN HIDDEN TESTS
check(from_hyperboloid, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-lorentz_distance"
# ## 4 · How far is it, on the hyperboloid?
#
# {{exercise:lorentz_distance}}
#
# Books give $\cosh(\sqrt c\,d) = -c\,\langle x, y\rangle$. Before you program that, think of two points $10^{-3}$
# apart, in `float32`: what is $\cosh(10^{-3})$ there? The identity $\cosh d - 1 = 2\sinh^2\frac d2$ and
# $\langle x - y, x - y\rangle = -\frac2c - 2\langle x, y\rangle$ lead to a form that starts from the *difference*.


# %% solution="lorentz_distance"
def lorentz_distance(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The distance of points of the hyperboloid of curvature -c.

    It is as exact as the coordinates allow, also for points that are 1e-3 or 1e-4 apart, and 0 where x = y, never NaN.
    (No gradients are checked here: the coordinates of a point depend on each other.)

    Args:
        x, y: (..., n + 1), points with -t^2 + |s|^2 = -1/c up to rounding, time first; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), distances >= 0.
    """
    ### BEGIN SOLUTION
    D = x - y
    squared_chord = (D[..., 1:] ** 2).sum(-1) - D[..., 0] ** 2
    squared_chord = squared_chord.clamp(min=0)  # rounding may make it negative where x is as good as y
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) / 2 * squared_chord.sqrt())
    ### END SOLUTION


# %% test="lorentz_distance"
check(lorentz_distance)
### BEGIN HIDDEN TESTS
check(lorentz_distance, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-klein_distance"
# ## 5 · A distance made of four lengths
#
# {{exercise:klein_distance}}
#
# In the Klein ball the line through $x$ and $y$ is a straight chord. Prolong it to the rim: it ends in $a$ behind $x$
# and in $b$ behind $y$. Four ordinary lengths, measured with an ordinary ruler, give the hyperbolic distance (Cayley
# and Klein, 1859 and 1871):
#
# $$d(x, y) = \frac{1}{2\sqrt c}\,\log\frac{|y - a|\,|x - b|}{|x - a|\,|y - b|}.$$
#
# To find the ends, put $x + \tau\,(y - x)$ into $c\,|\cdot|^2 = 1$: a quadratic equation for $\tau$.

# %% id="klein-figure"
figure, ax = viz.chart(3.4, 3.4)
rim = torch.linspace(0, 2 * math.pi, 361)
x, y = torch.tensor([-0.35, -0.1]), torch.tensor([0.35, 0.25])
ends = torch.tensor([[-0.8955, -0.3727], [0.7395, 0.4448]])
ax.plot(rim.cos(), rim.sin(), color=viz.COLORS["ink"], lw=1.2)
ax.plot(*ends.T, color=viz.COLORS["grey"], lw=1)
ax.plot([x[0], y[0]], [x[1], y[1]], color=viz.COLORS["blue"], lw=2.4)
for point, name in ((x, "$x$"), (y, "$y$"), (ends[0], "$a$"), (ends[1], "$b$")):
    ax.plot(*point, "o", color=viz.COLORS["ink"])
    ax.annotate(name, point, (3, -15), textcoords="offset points")
ax.set(aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
ax.axis("off")
viz.show(
    figure,
    alt="The Klein disk with a chord that meets the rim in a and b, and on it the points a, x, y, b in this order.",
)


# %% solution="klein_distance"
def klein_distance(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The distance of points of the Klein ball of curvature -c, whose rim has the radius 1/sqrt(c).

    It is 0 where x = y, never NaN; a batch may hold such pairs beside others. Gradients are checked where x and y
    differ, away from the rim.

    Args:
        x, y: (..., n), points inside the ball; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), distances >= 0.
    """
    ### BEGIN SOLUTION
    D = y - x
    same = (D == 0).all(-1)
    square = torch.where(same, 1.0, (D * D).sum(-1))  # no 0/0, not even where the value is not used
    slope = (x * D).sum(-1)
    root = (slope**2 + square * (1 / c - (x * x).sum(-1))).sqrt()
    before, behind = (root + slope) / square, (root - slope) / square  # |x - a| and |x - b| over |y - x|
    ratio = (before + 1) * behind / (before * torch.where(same, 1.0, behind - 1))
    return torch.where(same, 0.0, ratio.log() / (2 * math.sqrt(c)))
    ### END SOLUTION


# %% test="klein_distance"
check(klein_distance)
### BEGIN HIDDEN TESTS
check(klein_distance, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-einstein_midpoint"
# ## 6 · The fastest average
#
# {{exercise:einstein_midpoint}}
#
# In the Klein ball an average is one weighted sum. Einstein's relativity suggests the weights: a point $x$ is a
# velocity, $1/\sqrt c$ the speed of light, and a fast particle is heavier by its Lorentz factor
# $\gamma = 1/\sqrt{1 - c|x|^2}$. The midpoint is the velocity of the centre of mass:
#
# $$m = \frac{\sum_i w_i\gamma_i\,x_i}{\sum_i w_i\gamma_i}.$$


# %% solution="einstein_midpoint"
def einstein_midpoint(x: Tensor, weights: Tensor, c: float) -> Tensor:
    """The weighted Einstein midpoint of N points of the Klein ball.

    Gradients are checked, with respect to points and weights.

    Args:
        x: (..., N, n), points inside the ball of radius 1/sqrt(c).
        weights: (..., N), at least 0 and not all 0; they need not sum to 1. Their batch broadcasts with that of x.
        c: space has curvature -c.

    Returns:
        (..., n), one point of the Klein ball for each set of N.
    """
    ### BEGIN SOLUTION
    mass = weights / (1 - c * (x * x).sum(-1)).sqrt()
    return (mass.unsqueeze(-1) * x).sum(-2) / mass.sum(-1, keepdim=True)
    ### END SOLUTION


# %% test="einstein_midpoint"
check(einstein_midpoint)
### BEGIN HIDDEN TESTS
check(einstein_midpoint, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-is_isometry"
# ## 7 · Is this map an isometry?
#
# {{exercise:is_isometry}}
#
# Somebody gives you a map from the ball to the hyperboloid. You cannot see its source, but you can feed it points. It
# is an isometry if it keeps the distance of every pair; *where* it puts them is no matter, for motions and mirror
# images are isometries, too.


# %% solution="is_isometry"
def is_isometry(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Whether a map that takes points x of the ball to points y of the hyperboloid keeps all their distances.

    Distances count as equal if they differ by at most 0.01/sqrt(c). (In the checks, each is either equal but for
    rounding, or some are off by more than 0.1/sqrt(c); no radius exceeds 4/sqrt(c).) Points may coincide, and N may
    be 1, where there is nothing to keep.

    Args:
        x: (..., N, n), points of the ball of curvature -c.
        y: (..., N, n + 1), their images on the hyperboloid of curvature -c, time first. Batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), a bool tensor: one verdict for each set of N points.
    """
    ### BEGIN SOLUTION
    u, v = x.unsqueeze(-2), x.unsqueeze(-3)
    gaps = (1 - c * (u * u).sum(-1)) * (1 - c * (v * v).sum(-1))
    before = 2 * torch.asinh(math.sqrt(c) * (u - v).norm(dim=-1) / gaps.sqrt())  # times sqrt(c)
    D = y.unsqueeze(-2) - y.unsqueeze(-3)
    squared_chord = ((D[..., 1:] ** 2).sum(-1) - D[..., 0] ** 2).clamp(min=0)
    after = 2 * torch.asinh(math.sqrt(c) / 2 * squared_chord.sqrt())
    return ((before - after).abs() <= 0.01).all(-1).all(-1)
    ### END SOLUTION


# %% test="is_isometry"
check(is_isometry)
### BEGIN HIDDEN TESTS
check(is_isometry, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-three_converters"
# ## 8 · Three converters from the web
#
# {{exercise:three_converters}}
#
# Here are three converters from the ball to the hyperboloid, such as one finds on the web (we wrote them; the bugs were
# really published). Their authors tested them. `a`: against a table of distances. `b`: thoroughly, with $c = 1$.
# `c`: for many $c$, that the image lies on the hyperboloid. All tests passed.


# %% id="converters"
def converter_a(x, c):
    r = x.norm(dim=-1, keepdim=True)
    d = 2 * torch.atanh(math.sqrt(c) * r)
    return torch.cat((torch.cosh(d), torch.sinh(d) * x / r), -1) / math.sqrt(c)


def converter_b(x, c):
    s = 2 * x / (1 - (x * x).sum(-1, keepdim=True))
    return torch.cat((((s * s).sum(-1, keepdim=True) + 1 / c).sqrt(), s), -1)


def converter_c(x, c):
    s = x / (1 - c * (x * x).sum(-1, keepdim=True)).sqrt()
    return torch.cat((((s * s).sum(-1, keepdim=True) + 1 / c).sqrt(), s), -1)


# %% [markdown] id="converters-task"
# Which of them are isometries, and for which $c$? Use your `is_isometry` in a cell of your own, on random points with
# $|x| < \min(1, 1/\sqrt c)$. Then answer in at most 120 words: which are wrong and for which $c$; which line is at
# fault, and how you mend it; and why the authors' tests did not notice. (A person reads this one.)

# %% [markdown] written="three_converters"
# Tried with $c$ = 0.5, 1 and 2 on 20 random points each: `a` is an isometry for all three, `b` for $c = 1$ only, and
# `c` for none.
#
# `b` divides by $1 - |x|^2$ where it must be $1 - c|x|^2$. Its tests had $c = 1$, and there $c$, $\sqrt c$ and $1/c$
# are all 1: no test at $c = 1$ can tell whether they are in their places.
#
# `c` takes $x$ for a point of the Klein ball. The space part of a point of the Poincaré ball is $2x/(1 - c|x|^2)$. Its
# test asks whether the image lies on the hyperboloid. But the time is computed from the space part, so it does,
# whatever the space part is. To lie on the right surface is not to lie in the right place; distances would have shown
# it.

# %% [markdown] id="about-frechet_mean"
# ## 9 · The mean that has no formula
#
# {{exercise:frechet_mean}}
#
# *A challenge for those who want one; it carries no points.* In flat space the average is the point with the least sum
# of squared distances. Fréchet (1948) made that the definition: the mean is the point $m$ where
# $\sum_i w_i\,d(m, x_i)^2$ is least. There is exactly one, and no formula for three points or more. Find it. The
# hyperboloid is a good place to work in, and you have the roads there and back.


# %% solution="frechet_mean"
def frechet_mean(x: Tensor, weights: Tensor, c: float) -> Tensor:
    """The weighted Frechet mean of N points of the Klein ball: the m with the least sum of w_i d(m, x_i)^2.

    Its coordinates, times sqrt(c), are right to about sqrt(eps), which is 3e-4 in float32 and 1e-8 in float64, for
    points within 1.5/sqrt(c) of the origin. The mean may be one of the points. (No gradients are checked.)

    Args:
        x: (..., N, n), points inside the ball of radius 1/sqrt(c).
        weights: (..., N), positive; they need not sum to 1. Their batch broadcasts with that of x.
        c: space has curvature -c.

    Returns:
        (..., n), one point of the Klein ball for each set of N.
    """
    ### BEGIN SOLUTION
    # Walk along the average of the logarithms: that is downhill, and at the mean it is 0. Unit hyperboloid, float64.
    u, w = math.sqrt(c) * x.double(), (weights / weights.sum(-1, keepdim=True)).double().unsqueeze(-1)
    t = 1 / (1 - (u * u).sum(-1, keepdim=True)).sqrt()
    p = torch.cat((t, t * u), -1)

    def product(a, b):
        return (a[..., 1:] * b[..., 1:]).sum(-1, keepdim=True) - a[..., :1] * b[..., :1]

    m = (w * p).sum(-2, keepdim=True)
    m = m / (-product(m, m)).sqrt()
    for _ in range(40):
        d = 2 * torch.asinh(product(p - m, p - m).clamp(min=1e-24).sqrt() / 2)
        logarithms = (p - torch.cosh(d) * m) * d / torch.sinh(d)
        step = 0.7 * (w * logarithms).sum(-2, keepdim=True)
        size = product(step, step).clamp(min=1e-24).sqrt()
        m = torch.cosh(size) * m + torch.sinh(size) / size * step
        m = m / (-product(m, m)).sqrt()
    return (m[..., 1:] / m[..., :1] / math.sqrt(c)).squeeze(-2).to(x.dtype)
    ### END SOLUTION


# %% test="frechet_mean"
check(frechet_mean)
### BEGIN HIDDEN TESTS
check(frechet_mean, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="compare-means"
# How far apart are the two means? Take two points close together and a third one ever further away, and compare. One
# of the two follows the outlier.

# %% [markdown] id="end"
# ## What you have now
#
# Converters that carry $c$, and a test that finds those that do not. Lecture 04 stays in the ball and learns to
# calculate there.
