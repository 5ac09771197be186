# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 08 · Trees in closed form
#
# Five functions that place a tree in the plane and say what it costs, a question to answer in words, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float; points $x$ of the ball obey
# $c|x|^2 < 1$. Tensors are `float32` or `float64`, results have the dtype of the input, and no argument is changed.
# The `...` in a shape stands for any number of leading dimensions, none included, which broadcast as usual in torch.
# Gradients are checked in exercises 1 to 3.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("08_closed_form")

# %% [markdown] id="about-bits_needed"
# ## 1 · The price of a far point
#
# {{exercise:bits_needed}}
#
# A point at the distance $d$ from the origin is drawn at the part $\rho = \tanh(\sqrt c\,d/2)$ of the ball's radius. If
# $\rho$ is rounded to $B$ bits, so by up to $2^{-B}$, the distance moves by about
#
# $$2^{-B}\,\frac{\partial d}{\partial\rho} = 2^{-B}\,\frac{2}{\sqrt c\,(1-\rho^2)}
# = 2^{-B}\,\frac{1 + \cosh(\sqrt c\,d)}{\sqrt c}.$$
#
# For which $B$ is that the error `tol` that you allow? Mind points that are thousands away: there `cosh` overflows, but
# its logarithm is an ordinary number.


# %% solution="bits_needed"
def bits_needed(d: Tensor, tol: float, c: float) -> Tensor:
    """The B with 2^-B (1 + cosh(sqrt(c) d)) / sqrt(c) = tol, not rounded.

    Args:
        d: (...), distances from the origin, >= 0, even thousands.
        tol: how much a distance may be off, in units of length.
        c: space has curvature -c.

    Returns:
        (...), one number for each distance.
    """
    ### BEGIN SOLUTION
    z = math.sqrt(c) * d
    return (z + 2 * torch.log1p(torch.exp(-z)) - math.log(2 * math.sqrt(c) * tol)) / math.log(2)
    ### END SOLUTION


# %% test="bits_needed"
check(bits_needed)
### BEGIN HIDDEN TESTS
check(bits_needed, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-place_children"
# ## 2 · Place the children
#
# {{exercise:place_children}}
#
# The node is at the origin, and its parent is seen in the direction of the point `up`. Divide the circle into
# `count + 1` equal parts, so that the parent and all children are as far apart as they can be.


# %% solution="place_children"
def place_children(up: Tensor, count: int, r: float, c: float) -> Tensor:
    """The places of the children of a node at the origin.

    Child k = 1, ..., count is at the distance r, in the direction of
    `up`, turned counter-clockwise by 2 pi k / (count + 1).

    Args:
        up: (..., 2), points of the disk, not the origin: the parents.
        count: number of children, >= 1.
        r: distance of every child from the origin, > 0.
        c: the plane has curvature -c.

    Returns:
        (..., count, 2), points of the disk.
    """
    ### BEGIN SOLUTION
    turn = 2 * math.pi * torch.arange(1, count + 1, dtype=up.dtype) / (count + 1)
    u = (up / up.norm(dim=-1, keepdim=True)).unsqueeze(-2)
    across = torch.stack((-u[..., 1], u[..., 0]), dim=-1)
    directions = turn.cos()[:, None] * u + turn.sin()[:, None] * across
    return math.tanh(math.sqrt(c) * r / 2) / math.sqrt(c) * directions
    ### END SOLUTION


# %% test="place_children"
check(place_children)
### BEGIN HIDDEN TESTS
check(place_children, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-reflection"
# ## 3 · The reflection isometry
#
# {{exercise:reflection}}
#
# Nodes that are not at the origin are brought there first. Sarkar uses the reflection that exchanges the origin and the
# point $a$. Its mirror is a circle that meets the rim at right angles, with centre $m$ and radius $R$, and the
# reflection is the inversion in it:
#
# $$x\mapsto m + \frac{R^2}{|x-m|^2}(x-m),\qquad m = \frac{a}{c|a|^2},\qquad R^2 = |m|^2 - \frac1c.$$


# %% solution="reflection"
def reflection(a: Tensor, x: Tensor, c: float) -> Tensor:
    """The images of x under the reflection that exchanges a and the origin.

    Args:
        a: (..., n), points of the ball, not at the origin.
        x: (..., n), points of the ball; the batches broadcast.
        c: space has curvature -c.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    aa = (a * a).sum(-1, keepdim=True)
    centre = a / (c * aa)
    away = x - centre
    return centre + (1 / (c * aa) - 1) / c * away / (away * away).sum(-1, keepdim=True)
    ### END SOLUTION


# %% test="reflection"
check(reflection)
### BEGIN HIDDEN TESTS
check(reflection, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-sarkar"
# ## 4 · A whole tree
#
# {{exercise:sarkar}}
#
# The root is at the origin, its $m$ children in the directions $2\pi k/m$ with $k = 0, \dots, m-1$. Every other node is
# reflected to the origin, and its parent with it; the children are placed as in exercise 2, and reflected back.
# (A mirror exchanges left and right, so in the final picture they follow one another clockwise.)


# %% solution="sarkar"
def sarkar(parents: list[int], lengths: Tensor, c: float) -> Tensor:
    """The nodes of a tree, placed by Sarkar's construction.

    The root is at the origin; child k = 0, ..., m - 1 of its m children
    is in the direction of the angle 2 pi k / m. Any other node is first
    brought to the origin by the reflection that exchanges the two; there
    child k = 1, ..., m is in the direction of the parent, turned counter-
    clockwise by 2 pi k / (m + 1). Children are counted in the order of
    their numbers.

    Args:
        parents: for each of the N nodes the number of its parent, which
            is smaller than its own; -1 for the root, node 0.
        lengths: (N,), the length of the edge above each node, > 0;
            lengths[0] means nothing.
        c: the plane has curvature -c.

    Returns:
        (N, 2), points of the disk.
    """

    ### BEGIN SOLUTION
    def mirror(a, x):  # exercise 3
        aa = (a * a).sum()
        away = x - a / (c * aa)
        return a / (c * aa) + (1 / (c * aa) - 1) / c * away / (away * away).sum()

    points = [lengths.new_zeros(2)] * len(parents)
    for node in range(len(parents)):
        below = [k for k, parent in enumerate(parents) if parent == node]
        if node == 0:
            up, parts, first = lengths.new_tensor([1.0, 0.0]), len(below), 0
        else:
            up, parts, first = mirror(points[node], points[parents[node]]), len(below) + 1, 1
        start = torch.atan2(up[1], up[0])
        for k, child in enumerate(below, first):
            angle = start + 2 * math.pi * k / parts
            radius = torch.tanh(math.sqrt(c) * lengths[child] / 2) / math.sqrt(c)
            place = radius * torch.stack((angle.cos(), angle.sin()))
            points[child] = mirror(points[node], place) if node else place
    return torch.stack(points)
    ### END SOLUTION


# %% test="sarkar"
check(sarkar)
### BEGIN HIDDEN TESTS
check(sarkar, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-path_distortion"
# ## 5 · Distortion against the scaling factor
#
# {{exercise:path_distortion}}
#
# Two edges of the same length meet at a node at the angle $\theta$. In the tree, their other ends are
# $2\cdot\text{scale}$ apart. In the plane they are nearer, at a distance $d$; the two right-angled triangles between
# them say
#
# $$\sinh\frac{\sqrt c\,d}{2} = \sinh(\sqrt c\cdot\text{scale})\,\sin\frac\theta2.$$
#
# How far is the distortion $2\cdot\text{scale}/d$ from 1? The interesting scales are long ones, and there `sinh`
# overflows.


# %% solution="path_distortion"
def path_distortion(theta: Tensor, scale: Tensor, c: float) -> Tensor:
    """2 scale / d for two edges of length `scale` that meet at the angle
    theta; d is the distance of their other ends.

    Args:
        theta: (...), angles, 0 < theta <= pi.
        scale: (...), lengths, > 0, even thousands; the batches broadcast.
        c: the plane has curvature -c.

    Returns:
        (...), numbers >= 1.
    """
    ### BEGIN SOLUTION
    z, s = math.sqrt(c) * scale, torch.sin(theta / 2)
    # Beyond 40, sinh z is exp(z)/2, asinh(sinh(z) s) is z + log s, and no digit is lost. Where s is tiny, the former
    # must still be large: exp(40) s is.
    near = torch.asinh(torch.sinh(z.clamp_max(40.0)) * s)
    return z / torch.where(z < 40.0, near, z + torch.log(s))
    ### END SOLUTION


# %% test="path_distortion"
check(path_distortion)
### BEGIN HIDDEN TESTS
check(path_distortion, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-why_scale"
# ## 6 · Free of charge?
#
# {{exercise:why_scale}}
#
# Answer a colleague, in at most 150 words. (A person reads this one.)
#
# > "With Sarkar's construction I get any tree into two dimensions with a distortion as near to 1 as I like: I only make
# > all edges longer. So why does anybody train embeddings, or use more than two dimensions? And if far points are a
# > problem, I take a smaller $c$: then the ball is larger, and there is room."

# %% [markdown] written="why_scale"
# Longer edges do help: two edges that meet at the angle $\theta$ lose about $-2\log\sin(\theta/2)/\sqrt c$ of their
# common length, however long they are, so the relative error falls like 1/scale.
#
# But each unit of distance from the root costs bits: a coordinate at the distance $d$ needs about
# $\sqrt c\,d/\log 2$ of them. The deepest node needs bits in proportion to depth times scale: hundreds to thousands for
# a good embedding. With the 53 bits of float64 (24 of float32) the distances of deep nodes are noise. Two dimensions
# are cheap in numbers, not in bits; more dimensions give wider angles, so a shorter scale does.
#
# A smaller $c$ gains nothing. Only $\sqrt c\,d$ matters: with the same lengths it is the same embedding as one with
# $c = 1$ and a shorter scale, cheaper in bits and exactly as much worse in distortion.

# %% [markdown] id="about-end_to_end"
# ## 7 · From end to end, without coordinates
#
# {{exercise:end_to_end}}
#
# *A challenge for those who want one; it carries no points.* Walk straight on for `lengths[0]`, turn left by
# `turns[0]`, walk `lengths[1]`, and so on. How far are you from where you started? No coordinate of the ball can say it
# when the walk is thousands long, yet the answer is an ordinary number.
#
# Two ways: (a) keep the distance to the start and the angle under which it is seen, and let the laws of the triangle
# take you over the next edge, in logarithms; or (b) multiply $2\times2$ matrices: a step of length $l$ is
# $\operatorname{diag}(e^{z/2}, e^{-z/2})$ with $z = \sqrt c\,l$, a turn by $\varphi$ is the rotation by $\varphi/2$,
# and $2\cosh(\sqrt c\,d)$ is the sum of the squares of the entries of the product. Keep what overflows apart.


# %% solution="end_to_end"
def end_to_end(lengths: Tensor, turns: Tensor, c: float) -> Tensor:
    """The distance between the ends of paths of k straight edges.

    Args:
        lengths: (..., k), lengths of the edges, >= 1 / sqrt(c), even
            hundreds.
        turns: (..., k - 1), angles by which the path turns left after each
            edge but the last, between -pi and pi.
        c: the plane has curvature -c.

    Returns:
        (...), distances.
    """
    ### BEGIN SOLUTION
    z = math.sqrt(c) * lengths
    M, log = torch.eye(2, dtype=z.dtype).expand(*z.shape[:-1], 2, 2), torch.zeros_like(z[..., 0])
    for k in range(z.shape[-1]):
        if k:
            half = turns[..., k - 1] / 2
            M = M @ torch.stack((half.cos(), half.sin(), -half.sin(), half.cos()), dim=-1).unflatten(-1, (2, 2))
        M = M * torch.stack((torch.ones_like(z[..., k]), torch.exp(-z[..., k])), dim=-1).unsqueeze(-2)
        size = (M * M).sum((-2, -1), keepdim=True).sqrt()
        M, log = M / size, log + z[..., k] + 2 * size[..., 0, 0].log()
    log = log - math.log(2)  # of cosh(sqrt(c) d)
    return (log + torch.log1p((-torch.expm1(-2 * log)).sqrt())) / math.sqrt(c)
    ### END SOLUTION


# %% test="end_to_end"
check(end_to_end)
### BEGIN HIDDEN TESTS
check(end_to_end, hidden=True)
### END HIDDEN TESTS
