# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 04 · Arithmetic with curvature
#
# Six functions that every hyperbolic network is made of, one that somebody else wrote (with two bugs in it), a bug
# report to answer, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# ball's own methods are switched off then.)
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float; points $x$ of any dimension
# $n$ obey $c|x|^2 < 1$. Tensors are `float32` or `float64`, results have the dtype of the input, and no argument is
# changed. Coordinates are the last dimension, and every function works on a whole batch at once: the `...` in a shape
# stands for any number of leading dimensions, none included, which broadcast as usual in torch. Gradients are checked
# everywhere, at the origin, at zero vectors and at coincident points too: there they must be finite *and right*.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("04_poincare_ball")

# %% [markdown] id="about-lambda_x"
# ## 1 · The ruler
#
# {{exercise:lambda_x}}
#
# A vector $v$ that is drawn at $x$ has the length $\lambda_x|v|$.


# %% solution="lambda_x"
def lambda_x(x: Tensor, c: float) -> Tensor:
    """The conformal factor 2 / (1 - c|x|^2) at each of the points x.

    Args:
        x: (..., n), points of the ball.
        c: space has curvature -c.

    Returns:
        (...), one factor for each point.
    """
    ### BEGIN SOLUTION
    return 2 / (1 - c * (x * x).sum(-1))
    ### END SOLUTION


# %% test="lambda_x"
check(lambda_x)
### BEGIN HIDDEN TESTS
check(lambda_x, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-mobius_add"
# ## 2 · The sum
#
# {{exercise:mobius_add}}
#
# $$x\oplus y = \frac{(1 + 2c\langle x, y\rangle + c|y|^2)\,x + (1 - c|x|^2)\,y}
# {1 + 2c\langle x, y\rangle + c^2|x|^2|y|^2}$$


# %% solution="mobius_add"
def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The Mobius sum of x and y, in this order.

    Args:
        x, y: (..., n), points of the ball (up to sqrt(c) d = 2 from the origin); their batches broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), the sums.
    """
    ### BEGIN SOLUTION
    xy, xx, yy = ((p * q).sum(-1, keepdim=True) for p, q in ((x, y), (x, x), (y, y)))
    return ((1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * xy + c * c * xx * yy)
    ### END SOLUTION


# %% test="mobius_add"
check(mobius_add)
### BEGIN HIDDEN TESTS
check(mobius_add, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-dist"
# ## 3 · The distance
#
# {{exercise:dist}}
#
# On paper these are the same:
#
# $$\frac1{\sqrt c}\operatorname{acosh}\!\Big(1 + \frac{2c\,|x-y|^2}{(1-c|x|^2)(1-c|y|^2)}\Big) \qquad
# \frac2{\sqrt c}\operatorname{atanh}\big(\sqrt c\,|{-x}\oplus y|\big) \qquad
# \frac2{\sqrt c}\operatorname{asinh}\frac{\sqrt c\,|x-y|}{\sqrt{(1-c|x|^2)(1-c|y|^2)}}$$
#
# Two of them fail the check, each for its own reason.


# %% solution="dist"
def dist(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The distance of x and y, accurate for close pairs as well as for distant ones.

    At x = y it is 0, up to the rounding of the points, and its gradient is finite. It is as exact as the coordinates
    allow, for pairs of points very close to each other, and for pairs at a distance of 32 / sqrt(c) (float64) or
    10 / sqrt(c) (float32).

    Args:
        x, y: (..., n), points of the ball; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), one distance for each pair.
    """
    ### BEGIN SOLUTION
    gaps = (1 - c * (x * x).sum(-1)) * (1 - c * (y * y).sum(-1))
    # torch's norm has the gradient 0 at 0; the square root of a sum of squares would have NaN.
    return 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * (x - y).norm(dim=-1) / gaps.sqrt())
    ### END SOLUTION


# %% test="dist"
check(dist)
### BEGIN HIDDEN TESTS
check(dist, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-mobius_scalar_mul"
# ## 4 · A number times a point
#
# {{exercise:mobius_scalar_mul}}
#
# $r\otimes x$ is the point in the direction of $x$ at $r$ times its distance from the origin:
#
# $$r\otimes x = \frac{1}{\sqrt c}\tanh\!\big(r\operatorname{atanh}(\sqrt c\,|x|)\big)\,\frac{x}{|x|}.$$
#
# What about $x = 0$? There is a limit, and a gradient. Do not divide by 0 in a branch that `torch.where` throws away:
# its gradient comes back as NaN.


# %% solution="mobius_scalar_mul"
def mobius_scalar_mul(r: Tensor, x: Tensor, c: float) -> Tensor:
    """The points in the directions of x, at |r| times their distances from the origin; opposite for r < 0.

    At the origin the result is the origin; its gradient there is the one of r x, to which r (*) x tends for small x.

    Args:
        r: (...), numbers.
        x: (..., n), points of the ball; the batches of r and x broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    s, r, size = math.sqrt(c), r.unsqueeze(-1), x.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, torch.tanh(r * torch.atanh(s * size)) / (s * safe), r) * x
    ### END SOLUTION


# %% test="mobius_scalar_mul"
check(mobius_scalar_mul)
### BEGIN HIDDEN TESTS
check(mobius_scalar_mul, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-expmap"
# ## 5 · Walk
#
# {{exercise:expmap}}
#
# Start at $x$ with the velocity $v$, walk straight on for one unit of time:
#
# $$\exp_x(v) = x\oplus w,\qquad w = \frac{1}{\sqrt c}\tanh\!\Big(\frac{\sqrt c\,\lambda_x|v|}{2}\Big)\frac{v}{|v|}.$$


# %% solution="expmap"
def expmap(x: Tensor, v: Tensor, c: float) -> Tensor:
    """The point reached from x after unit time along the geodesic with initial velocity v.

    For v = 0 it is x, and its gradient with respect to v is the identity.

    Args:
        x: (..., n), points of the ball.
        v: (..., n), tangent vectors at x, in the coordinates of the ball; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    s, size, half = math.sqrt(c), v.norm(dim=-1, keepdim=True), 1 / (1 - c * (x * x).sum(-1, keepdim=True))
    safe = torch.where(size > 0, size, 1.0)
    w = torch.where(size > 0, torch.tanh(s * half * size) / (s * safe), half) * v
    xw, xx, ww = ((p * q).sum(-1, keepdim=True) for p, q in ((x, w), (x, x), (w, w)))
    return ((1 + 2 * c * xw + c * ww) * x + (1 - c * xx) * w) / (1 + 2 * c * xw + c * c * xx * ww)
    ### END SOLUTION


# %% test="expmap"
check(expmap)
### BEGIN HIDDEN TESTS
check(expmap, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-logmap"
# ## 6 · Look
#
# {{exercise:logmap}}
#
# The inverse question: with which velocity must one leave $x$ to be at $y$ after one unit of time? Solve the equations
# of exercise 5 for $v$. Which law of the sum do you need, and which one must you not use?


# %% solution="logmap"
def logmap(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The tangent vector v at x with exp_x(v) = y: it points to y, and its length lambda_x |v| is the distance.

    At x = y it is 0 up to the rounding of the points; its gradient there is the one of y - x.

    Args:
        x, y: (..., n), points of the ball; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), tangent vectors at x, in the coordinates of the ball.
    """
    ### BEGIN SOLUTION
    s, D = math.sqrt(c), y - x
    gx, gy = 1 - c * (x * x).sum(-1, keepdim=True), 1 - c * (y * y).sum(-1, keepdim=True)
    DD = (D * D).sum(-1, keepdim=True)
    w = (gx * D - c * DD * x) / (c * DD + gx * gy)  # -x + y, in a form that is exactly 0 for x = y
    size = w.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return gx * torch.where(size > 0, torch.atanh(s * size) / (s * safe), 1.0) * w
    ### END SOLUTION


# %% test="logmap"
check(logmap)
### BEGIN HIDDEN TESTS
check(logmap, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-transp"
# ## 7 · Carry: a function from the web
#
# {{exercise:transp}}
#
# Somebody wrote parallel transport, $\dfrac{\lambda_x}{\lambda_y}\operatorname{gyr}[y, -x]\,v$, and published it with a
# test that passes. The gyration is written out: $\operatorname{gyr}[u, w]\,v = v + 2\,(a u + b w)/d$ with numbers $a$,
# $b$, $d$ as below.

# %% id="found-code"
x = torch.tensor([0.5, 0.0], dtype=torch.float64)
y = torch.tensor([0.0, 0.5], dtype=torch.float64)


def found(x, y, v, c):
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    u, w = y, -x
    a = dot(w, v) + 2 * dot(u, w) * dot(w, v) - dot(u, v) * dot(w, w)
    b = -dot(u, v) - dot(w, v) * dot(u, u)
    d = 1 + 2 * dot(u, w) + dot(u, u) * dot(w, w)
    turned = v + 2 * (a * u + b * w) / d
    return turned * (1 - c * dot(x, x)) / (1 - c * dot(y, y))


v = torch.tensor([1.0, 0.0], dtype=torch.float64)
there = found(x, y, v, c=1.0)
torch.testing.assert_close(there.norm(), v.norm())  # the length is kept
torch.testing.assert_close(found(y, x, there, c=1.0), v)  # and back again
print("all tests passed")

# %% [markdown] id="about-bugs"
# There are two bugs in it; both have been found in published libraries. Mend them. Before you do, say why the test did
# not see them: what is special about its numbers?


# %% solution="transp"
def transp(x: Tensor, y: Tensor, v: Tensor, c: float) -> Tensor:
    """The tangent vector v at x, carried to y along the geodesic, its length and its angle with the geodesic kept.

    Args:
        x, y: (..., n), points of the ball.
        v: (..., n), tangent vectors at x, in the coordinates of the ball; all batches broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), tangent vectors at y.
    """

    ### BEGIN SOLUTION
    def dot(p, q):
        return (p * q).sum(-1, keepdim=True)

    # Their test has c = 1, so a missing c is not seen, and |x| = |y|, so a factor upside down is 1.
    u, w = y, -x
    a = c * dot(w, v) + 2 * c * c * dot(u, w) * dot(w, v) - c * c * dot(u, v) * dot(w, w)
    b = -c * dot(u, v) - c * c * dot(w, v) * dot(u, u)
    d = 1 + 2 * c * dot(u, w) + c * c * dot(u, u) * dot(w, w)
    turned = v + 2 * (a * u + b * w) / d
    return turned * (1 - c * dot(y, y)) / (1 - c * dot(x, x))
    ### END SOLUTION


# %% test="transp"
check(transp)
### BEGIN HIDDEN TESTS
check(transp, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-why_twice"
# ## 8 · A bug report
#
# {{exercise:why_twice}}
#
# Answer this issue, in at most 150 words. Where does the 2 come from, is it a bug, and what would the patch do? (A
# person reads this one.)
#
# > **Distances are wrong for small curvature.** For `c = 1e-8` space is flat, but `dist` of $(0, 0)$ and $(1, 0)$
# > returns 2. I expected 1. Patch attached: I replaced $\lambda_x = 2/(1 - c|x|^2)$ by $1/(1 - c|x|^2)$ everywhere.

# %% [markdown] written="why_twice"
# Thank you; your numbers are right, but this is no bug. For small $c$ the conformal factor $2/(1 - c|x|^2)$ is 2
# everywhere, so every length is twice what the picture shows. That is flat space, drawn at half its size: $x \oplus y$
# tends to $x + y$, $\exp_x(v)$ to $x + v$, $\log_x(y)$ to $y - x$, with no 2 anywhere; angles and ratios of lengths
# are Euclid's. Only the unit of length differs from the coordinates.
#
# The 2 is there for the curvature. Your patch halves all lengths. A space whose lengths are halved is bent more
# strongly, like a ball of half the radius: its curvature would be $-4c$, and whoever asks for $-c$, or converts points
# to another model, would get another space. If you want distance 1, use normal coordinates, which are twice
# $\log_0(x)$: there the limit is $|x - y|$.

# %% [markdown] id="about-holonomy"
# ## 9 · Once round the block
#
# {{exercise:holonomy}}
#
# *A challenge for those who want one; it carries no points.* Carry an arrow from $x$ to $y$, on to $z$, and back to
# $x$. It comes back turned. By how much? Find out by numbers first, with `transp`; compare the angle with what lecture
# 01 knows about the triangle. Then write it without any arrow. (Complex numbers help: as a number of the disk with
# $c = 1$, $\operatorname{gyr}[a, b]$ is the factor $(1 + a\bar b)/(1 + \bar a b)$.)


# %% solution="holonomy"
def holonomy(x: Tensor, y: Tensor, z: Tensor, c: float) -> Tensor:
    """The angle by which a vector at x is turned when it is carried along the triangle x, y, z and back to x.

    It is counted counter-clockwise, and lies in (-pi, pi). A triangle whose corners are on one line, or partly the
    same, gives 0. An absolute error of a few roundings of 1 is accepted.

    Args:
        x, y, z: (..., 2), points of the disk; their batches broadcast.
        c: the plane has curvature -c.

    Returns:
        (...), one angle for each triangle.
    """
    ### BEGIN SOLUTION
    # gyr[b, -a] is (1 - b conj(a)) / its conjugate: it turns by twice the angle of 1 - b conj(a).
    u, v, w = (torch.view_as_complex((math.sqrt(c) * p).contiguous()) for p in torch.broadcast_tensors(x, y, z))
    return 2 * ((1 - v * u.conj()) * (1 - w * v.conj()) * (1 - u * w.conj())).angle()
    ### END SOLUTION


# %% test="holonomy"
check(holonomy)
### BEGIN HIDDEN TESTS
check(holonomy, hidden=True)
### END HIDDEN TESTS
