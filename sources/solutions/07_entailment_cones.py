# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 07 · Order, not only distance
#
# Two functions that make a cone, one that somebody else wrote (with bugs in it), two for judging an embedding that
# claims to know an order, a question about roots, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's own cones are switched off then.)
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float; cones have the width
# $K > 0$, another one. Tensors are `float32` or `float64`, results have the dtype of the input, and no argument is
# changed. Coordinates are the last dimension, and the geometric functions work on a whole batch at once: the `...` in a
# shape stands for any number of leading dimensions, none included, which broadcast as usual in torch.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("07_entailment_cones")

# %% [markdown] id="about-half_aperture"
# ## 1 · How wide a cone is
#
# {{exercise:half_aperture}}
#
# $$\psi(x) = \arcsin\frac{K\,(1 - c|x|^2)}{\sqrt c\,|x|}$$


# %% solution="half_aperture"
def half_aperture(x: Tensor, c: float, K: float) -> Tensor:
    """The angle between the axis and the rim of the cone at each of the points x.

    Args:
        x: (..., n), points of the Poincare ball, all so far out that there is a cone: the sine is below 1.
        c: space has curvature -c.
        K: how wide cones are.

    Returns:
        (...), angles in radians, between 0 and pi/2.
    """
    ### BEGIN SOLUTION
    r = math.sqrt(c) * x.norm(dim=-1)
    return torch.asin(K * (1 - r**2) / r)
    ### END SOLUTION


# %% test="half_aperture"
check(half_aperture)
### BEGIN HIDDEN TESTS
check(half_aperture, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-apex_angle"
# ## 2 · The angle at the apex
#
# {{exercise:apex_angle}}
#
# The paper gives the cosine of this angle,
#
# $$\cos\Xi(x, y) = \frac{\langle x, y\rangle(1 + c|x|^2) - |x|^2(1 + c|y|^2)}
# {|x|\,|x-y|\,\sqrt{1 + c^2|x|^2|y|^2 - 2c\langle x, y\rangle}},$$
#
# which is right, and fails the check: near the axis, where it is decided, a cosine has forgotten half of its digits.
# Instead, remember lecture 04: bring $x$ to the centre, where geodesics are straight. Seen from there, $y$ is at
# $-x\oplus y$, and the ball is conformal. So $\Xi$ is the *Euclidean* angle between two vectors. Which are they? (You
# need only the direction of $-x \oplus y$; with $D = y - x$ it is that of $(1 - c|x|^2)\,D - c|D|^2\,x$.)


# %% solution="apex_angle"
def apex_angle(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The angle at x between the ray from the origin through x, continued, and the geodesic from x to y.

    It is 0 for y on the ray beyond x, and pi for y on the ray before x, the origin included. It is accurate near both.

    Args:
        x: (..., n), points of the Poincare ball, none at the origin.
        y: (..., n), points of the ball, other than x; the batches of x and y broadcast.
        c: space has curvature -c.

    Returns:
        (...), angles in radians, from 0 to pi.
    """
    ### BEGIN SOLUTION
    D, u = y - x, x / x.norm(dim=-1, keepdim=True)
    w = (1 - c * (x * x).sum(-1, keepdim=True)) * D - c * (D * D).sum(-1, keepdim=True) * x
    along = (w * u).sum(-1)
    return torch.atan2((w - along.unsqueeze(-1) * u).norm(dim=-1), along)
    ### END SOLUTION


# %% test="apex_angle"
check(apex_angle)
### BEGIN HIDDEN TESTS
check(apex_angle, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-energy"
# ## 3 · The energy, on the hyperboloid: a function from the web
#
# {{exercise:energy}}
#
# On the hyperboloid, a point is $(x_0, s)$ with the time $x_0 = \sqrt{1/c + |s|^2}$ first; the Minkowski product is
# $\langle x, y\rangle = \langle s, s'\rangle - x_0y_0$. Vision-language models use cones in this form. Somebody
# translated it from memory and published it with a test that passes:

# %% id="found-code"
x = torch.tensor([math.cosh(1.0), math.sinh(1.0), 0.0])
behind = torch.tensor([math.cosh(2.0), math.sinh(2.0), 0.0])
opposite = torch.tensor([math.cosh(1.0), -math.sinh(1.0), 0.0])


def found(x, y, c, K):
    size = x[..., 1:].norm(dim=-1)
    product = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    below = size * (product**2 - 1).sqrt()
    angle = torch.acos(((y[..., 0] + x[..., 0] * product) / below).clamp(-1, 1))
    aperture = torch.asin(K / size)
    return (angle - aperture).clamp(min=0.0)


assert found(x, behind, c=1.0, K=0.1) == 0  # in the cone
assert found(x, opposite, c=1.0, K=0.1) > 2  # far from it
print("all tests passed")

# %% [markdown] id="about-bugs"
# Two kinds of bugs are in it. One is the commonest of the field. For the other, compare with exercise 1, and with
# $|s| = \sinh(\sqrt c\,d)/\sqrt c$. Why did the test not see them?


# %% solution="energy"
def energy(x: Tensor, y: Tensor, c: float, K: float) -> Tensor:
    """By how much y misses the cone at x: max(0, angle at the apex - half-aperture); 0 inside of the cone.

    Args:
        x: (..., n + 1), points of the hyperboloid, time first, so far out that there is a cone; the general ones.
        y: (..., n + 1), points of the hyperboloid, none of them close to the axis of the cone on the side of the
            origin; the special ones. The batches of x and y broadcast.
        c: space has curvature -c.
        K: how wide cones are, as in exercise 1.

    Returns:
        (...), energies in radians.
    """
    ### BEGIN SOLUTION
    # Their test has c = 1, and asks about points so far from the rim of the cone that its width does not matter.
    size = x[..., 1:].norm(dim=-1)
    product = c * ((x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0])
    cosine = (y[..., 0] + x[..., 0] * product) / (size * (product**2 - 1).sqrt())
    angle = torch.acos(cosine.clamp(-1, 1))
    aperture = torch.asin(2 * K / (math.sqrt(c) * size))
    return (angle - aperture).clamp(min=0.0)
    ### END SOLUTION


# %% test="energy"
check(energy)
### BEGIN HIDDEN TESTS
check(energy, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-violations"
# ## 4 · Is it an order?
#
# {{exercise:violations}}
#
# A model says for each pair whether one is above the other. Nothing forces it to be consistent: a dog may be a mammal,
# a mammal an animal, and a dog no animal. Count how often that happens. (A product of matrices counts paths.)


# %% solution="violations"
def violations(above: Tensor) -> int:
    """How many triples (i, j, k) of three different nodes break transitivity: j above i, k above j, k not above i.

    Args:
        above: (N, N), bool: above[i, j] says that j is above i. Nobody is above himself, but two nodes may well be
            above each other.

    Returns:
        The number of triples, a Python int.
    """
    ### BEGIN SOLUTION
    steps = above.double()
    missing = ~above & ~torch.eye(len(above), dtype=torch.bool)
    return int((steps @ steps * missing).sum())
    ### END SOLUTION


# %% test="violations"
check(violations)
### BEGIN HIDDEN TESTS
check(violations, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-best_threshold"
# ## 5 · From scores to yes and no
#
# {{exercise:best_threshold}}
#
# An embedding gives each pair a score, small for those that it believes. To classify, one needs a threshold $t$, chosen
# on validation data: the pairs with a score of at most $t$ are predicted to be true. With TP the predicted ones that
# are true,
#
# $$F_1 = \frac{2\,\mathrm{TP}}{\text{number predicted} + \text{number true}}.$$
#
# Only a few thresholds differ in what they predict. Sort, and one cumulative sum has all of their $F_1$.


# %% solution="best_threshold"
def best_threshold(scores: Tensor, true: Tensor) -> float:
    """The threshold t with the largest F1 of the prediction scores <= t.

    t is half-way between two neighbours among the (different) scores; it is the largest score itself if predicting
    everything is best. If several thresholds are equally good, it is the smallest of them.

    Args:
        scores: (N,), one score for each pair; some may be equal.
        true: (N,), bool, at least one of them True.

    Returns:
        t, a Python float.
    """
    ### BEGIN SOLUTION
    values, order = scores.double().sort()
    hits = true[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(values) + 1) + hits[-1])
    # Equal scores are predicted together: a cut between them is none.
    f1[:-1][values[1:] == values[:-1]] = -1
    k = int(f1.argmax())
    return (values[k] if k + 1 == len(values) else (values[k] + values[k + 1]) / 2).item()
    ### END SOLUTION


# %% test="best_threshold"
check(best_threshold)
### BEGIN HIDDEN TESTS
check(best_threshold, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-why_no_root"
# ## 6 · A root that does not fit
#
# {{exercise:why_no_root}}
#
# Answer this mail, in at most 150 words. (A person reads this one.)
#
# > I train cones on a taxonomy, with its root like any other node. All relations are learned well except those *to the
# > root*: about half of the nodes are never in its cone. I tried larger $K$, more epochs, more dimensions. Should I
# > decide these relations by the distance from the root instead?

# %% [markdown] written="why_no_root"
# No training can help: the widest cone has the half-aperture $\pi/2$, at $\sqrt c\,d = \operatorname{asinh}(2K)$, so it
# is a half-space at most; nearer to the origin there are no cones that nest. But the children of your root sit in all
# directions around the origin, so about half of them must be outside, for every $K$ and in every dimension.
#
# Nothing is lost if you leave these relations out, as the paper does: "everything is below the root" needs no learning.
# Or declare the origin to be above everything, and put the root there.
#
# A distance from the root would accept whatever is near, but it is symmetric: it cannot say which of the two is above,
# and its threshold tells nothing about any other pair. That is what you took cones for.

# %% [markdown] id="about-shadow"
# ## 7 · What a cone covers of the rim
#
# {{exercise:shadow}}
#
# *A challenge for those who want one; it carries no points.* In the disk, the cone at $x$ cuts an arc out of the rim:
# the leaves below $x$ will be there. How long is it, seen from the origin? First find out what it is when $\psi$ is a
# right angle (lecture 01 has a name for it). How many cones can stand side by side at the distance $d$ without
# touching?


# %% solution="shadow"
def shadow(x: Tensor, c: float, K: float) -> Tensor:
    """Half of the arc that the cone at x covers of the rim: the angle at the origin from its axis to one of its ends.

    Args:
        x: (..., 2), points of the disk, all so far out that there is a cone.
        c: the plane has curvature -c.
        K: how wide cones are, as in exercise 1.

    Returns:
        (...), angles in radians.
    """
    ### BEGIN SOLUTION
    # Seen from x, the end is in the direction psi; seen from the origin, after the motion 0 -> x along the axis, in
    # theta with tan(theta/2) = exp(-sqrt(c) d) tan(psi/2). For psi = pi/2 it is the angle of parallelism.
    r = math.sqrt(c) * x.norm(dim=-1)
    psi = torch.asin(K * (1 - r**2) / r)
    return 2 * torch.atan((1 - r) / (1 + r) * torch.tan(psi / 2))
    ### END SOLUTION


# %% test="shadow"
check(shadow)
### BEGIN HIDDEN TESTS
check(shadow, hidden=True)
### END HIDDEN TESTS
