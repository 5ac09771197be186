# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 13 · Convolutional networks
#
# Six functions: three of which a deep hyperbolic network is made, and three that judge what it says. Then a published
# table to read with care, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's own residual and batch normalisation are switched off then.)
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float. $x$ is a point of the ball,
# $n = d\,\hat u$ are normal coordinates: distance from the origin times direction, so $x = \exp_0(n/2)$ with the ball's
# $\exp_0$. Tensors are `float32` or `float64`, results have the dtype of the input, and no argument is changed. The
# `...` in a shape stands for any number of leading dimensions, none included. Where a function is differentiable its
# gradient is checked, at the origin too.
#
# The next cell gives you the ball. All coordinates are in the last dimension, and values *and gradients* are right at
# the origin.

# %% id="setup"
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn.grading import checker

check = checker("13_cnn")


def over(f, x: Tensor) -> Tensor:
    """f(x)/x for x >= 0, 1 at 0, for f = sinh, asinh, tanh or atanh."""
    safe = torch.where(x > 0, x, 1.0)
    return torch.where(x > 0, f(safe) / safe, 1.0)


def exp0(v: Tensor, c: float) -> Tensor:
    """The ball's exponential map at the origin, (..., n) to (..., n)."""
    size = math.sqrt(c) * v.norm(dim=-1, keepdim=True)
    return over(torch.tanh, size) * v


def log0(x: Tensor, c: float) -> Tensor:
    """The ball's logarithm at the origin: half the normal coordinates."""
    size = math.sqrt(c) * x.norm(dim=-1, keepdim=True)
    return over(torch.atanh, size) * x


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    """The Moebius sum x (+) y of points of the ball."""
    pairs = (x, y), (x, x), (y, y)
    xy, xx, yy = ((a * b).sum(-1, keepdim=True) for a, b in pairs)
    top = (1 + 2 * c * xy + c * yy) * x + (1 - c * xx) * y
    return top / (1 + 2 * c * xy + c * c * xx * yy)


def midpoint(x: Tensor, c: float) -> Tensor:
    """The midpoint of N points of the ball, (..., N, n) to (..., n)."""
    factor = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    y = (factor * x).sum(-2) / (factor - 1).sum(-2)
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())


# %% [markdown] id="about-energy"
# ## 1 · A score for what was never seen
#
# {{exercise:energy}}
#
# A classifier of shapes is shown a photograph of a cat. It cannot say "neither", but its logits may all be small. The
# **energy** (Liu et al. 2020) sums them up in one number that is large for such an image:
#
# $$E = -T\,\log\sum_k e^{\text{logit}_k/T}.$$
#
# The logits of a hyperbolic classifier are distances from hyperplanes, and distances may be 500. What is $e^{500}$ in
# `float32`?


# %% solution="energy"
def energy(logits: Tensor, temperature: float) -> Tensor:
    """The energy score: large for images that look like no known one.

    Args:
        logits: (..., K), numbers of any size.
        temperature: T > 0.

    Returns:
        (...), one score for each image.
    """
    ### BEGIN SOLUTION
    return -temperature * torch.logsumexp(logits / temperature, -1)
    ### END SOLUTION


# %% test="energy"
check(energy)
### BEGIN HIDDEN TESTS
check(energy, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-false_positive_rate"
# ## 2 · How many strangers pass
#
# {{exercise:false_positive_rate}}
#
# A score needs a threshold. Choose it so that a given part of the *known* images is accepted, 95 % in most papers.
# Then count: which share of the *unknown* ones is accepted with them? ("FPR95".) The smaller, the better.
#
# An image is accepted if its score is at most the threshold. The threshold is one of the known scores: the smallest for
# which at least `percent` of every 100 known images are accepted. Nothing is interpolated, and nothing rounded down.


# %% solution="false_positive_rate"
def false_positive_rate(
    known: Tensor,
    unknown: Tensor,
    percent: int,
) -> Tensor:
    """The share of unknown images that pass when percent % of known do.

    No gradient is asked for.

    Args:
        known: (N,), scores of known images; a large one means "unknown".
        unknown: (M,), scores of unknown images.
        percent: how many of 100 known images must be accepted, 1 to 100.

    Returns:
        (), a number from 0 to 1, with the dtype of `known`.
    """
    ### BEGIN SOLUTION
    accepted = math.ceil(percent * len(known) / 100)
    threshold = known.sort().values[accepted - 1]
    return (unknown <= threshold).to(known.dtype).mean()
    ### END SOLUTION


# %% test="false_positive_rate"
check(false_positive_rate)
### BEGIN HIDDEN TESTS
check(false_positive_rate, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-init_planes"
# ## 3 · An initialisation that keeps the radius
#
# {{exercise:init_planes}}
#
# A layer of HNN++ has $K$ planes with normals $z_k$, the rows of a matrix. If there are as many planes as dimensions,
# the rows are orthogonal to each other and each is $\frac12$ long, the layer keeps every distance (lecture 10). A ReLU
# behind it takes half of the square of a vector, and a gain of $\sqrt2$ makes up for that.
#
# Take random numbers, and of all matrices with orthonormal rows the one that is *nearest* to them: $U V^\top$, where
# $USV^\top$ is the singular value decomposition. If there are more rows than columns, the columns are orthonormal
# instead. For a convolution, a row holds all numbers of one plane.


# %% solution="init_planes"
def init_planes(noise: Tensor, gain: float) -> Tensor:
    """The normals z of a layer's planes: gain/2 times the nearest matrix
    with orthonormal rows, or columns if K > m.

    No gradient is asked for.

    Args:
        noise: (K, m) for a linear layer or (K, C, k, k) for a convolution,
            where m = C k k; random numbers, one row for each of K planes.
        gain: 1, or sqrt(2) before a ReLU.

    Returns:
        z, of the shape of `noise`.
    """
    ### BEGIN SOLUTION
    U, _, V = torch.linalg.svd(noise.flatten(1), full_matrices=False)
    return gain / 2 * (U @ V).view(noise.shape)
    ### END SOLUTION


# %% test="init_planes"
check(init_planes)
### BEGIN HIDDEN TESTS
check(init_planes, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="init-try"
# Now twenty layers with it. Before you run the cell: at which distance do points arrive that set out at 1?

# %% id="init-layers" tolerance=0.2
try:
    torch.manual_seed(0)
    for gain in (2**0.5, 1.0):
        n = F.normalize(torch.randn(32, 64).double(), dim=1)
        for _ in range(20):
            z = init_planes(torch.randn(64, 64).double(), gain)
            size, s = z.norm(dim=1), n.norm(dim=1, keepdim=True)
            a = over(torch.sinh, s) * n @ z.T / size
            w = torch.sinh(2 * size * torch.asinh(a))
            n = over(torch.asinh, w.norm(dim=1, keepdim=True)) * w
            n = n.relu() if gain > 1 else n
        name = "with a ReLU" if gain > 1 else "without"
        far = n.norm(dim=1).mean()
        print(f"gain {gain:.2f}, {name:11}  1 -> {far:.2f}")
except NotImplementedError:
    print("write init_planes first")

# %% [markdown] id="about-residual"
# ## 4 · A residual with its shortcut
#
# {{exercise:residual}}
#
# A block of a ResNet adds what its convolutions compute to what came in. Added is with the Möbius sum, in every pixel:
#
# $$x_\text{out} = x \oplus f(x).$$
#
# Some blocks halve the image and double the channels. Then $x$ has another shape than $f(x)$, and the *shortcut* brings
# it into line: of the pixels it takes every `stride`-th in both directions, from the first on; and the new channels,
# behind the old ones, are 0. (He et al. 2016 call it option A. In curved space it has a meaning: a plane in a larger
# space, in which all distances stay as they were.)
#
# Images are normal coordinates with the channels in dimension 1.


# %% solution="residual"
def residual(n: Tensor, step: Tensor, c: float) -> Tensor:
    """The Moebius sum of the shortcut of n and a step, in every pixel.

    Args:
        n: (B, C, H, W), what came in: normal coordinates in dimension 1,
            at most 1.5/sqrt(c) from the origin.
        step: (B, C', H', W'), what the block computed, just so; C' >= C,
            and H = stride H', W = stride W' with an integer stride >= 1.
        c: all spaces have curvature -c.

    Returns:
        (B, C', H', W'), normal coordinates.
    """
    ### BEGIN SOLUTION
    stride, extra = n.shape[-1] // step.shape[-1], step.shape[1] - n.shape[1]
    n = F.pad(n[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, extra))
    x, y = (exp0(image.movedim(1, -1) / 2, c) for image in (n, step))
    return 2 * log0(mobius_add(x, y, c), c).movedim(-1, 1)
    ### END SOLUTION


# %% test="residual"
check(residual)
### BEGIN HIDDEN TESTS
check(residual, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-batch_norm"
# ## 5 · Batch normalisation with a memory
#
# {{exercise:batch_norm}}
#
# Bring a mean to the origin, scale, carry the result to a learned point:
#
# $$y = \beta\oplus\exp_0\Big(\frac{\text{weight}}{\sqrt{\text{var} + 10^{-5}}}\log_0\big((-\mu)\oplus x\big)\Big).$$
#
# *In training* $\mu$ is the midpoint of the batch, and var the mean squared distance from it,
# $\frac1N\sum_i d(\mu, x_i)^2$ with $d(\mu, x) = 2\,|\log_0((-\mu)\oplus x)|$. Besides, the *running* values listen.
# The running mean $m$ goes a tenth of the way to $\mu$ along the geodesic, to
# $m\oplus\exp_0\big(0.1\,\log_0((-m)\oplus\mu)\big)$; the running variance becomes 0.9 of the old one plus 0.1 of
# the batch's. They are remembered, not learned: no gradient goes through them.
#
# *In evaluation* $\mu$ and var are the running values, and these stay as they are. So what becomes of an image does not
# depend on the images beside it.
#
# This is the published layer, with one scale for all axes. (The library's networks have a scale for each, for the
# reason that section 3 of the lecture measures.)


# %% solution="batch_norm"
def batch_norm(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: float,
    bias: Tensor,
    training: bool,
    c: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalisation of N points of the ball.

    Args:
        x: (N, n), the batch, up to sqrt(c) d = 1.5 from the origin.
        mean: (n,), the running mean, a point of the ball.
        var: (), the running variance.
        weight: the learned scale, a number.
        bias: (n,), the learned mean, a point of the ball.
        training: True in training, False in evaluation.
        c: space has curvature -c.

    Returns:
        y: (N, n), the normalised points.
        mean: (n,), the new running mean, detached, in evaluation too.
        var: (), the new running variance, detached, in evaluation too.

    Raises:
        ValueError: in training, if there are fewer than two points.
    """
    ### BEGIN SOLUTION
    centre, spread = mean, var
    if training:
        if len(x) < 2:
            raise ValueError("training needs at least two points")
        centre = midpoint(x, c)
        ways = 2 * log0(mobius_add(-centre, x, c), c)
        spread = ways.square().sum(-1).mean()
        way = log0(mobius_add(-mean, centre, c), c)
        mean = mobius_add(mean, exp0(0.1 * way, c), c)
        var = 0.9 * var + 0.1 * spread
    scale = weight / (spread + 1e-5).sqrt()
    scaled = exp0(scale * log0(mobius_add(-centre, x, c), c), c)
    return mobius_add(bias, scaled, c), mean.detach(), var.detach()
    ### END SOLUTION


# %% test="batch_norm"
check(batch_norm)
### BEGIN HIDDEN TESTS
check(batch_norm, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-certified_radius"
# ## 6 · A radius in which nothing can go wrong
#
# {{exercise:certified_radius}}
#
# An attack moves a point until another class wins. How far must it move it, at least? The logit $v_k$ is $2|z_k|$
# times a signed distance from a plane, and walking one unit changes a distance by at most one. So on a way of length
# $\rho$ the logit $v_k$ changes by at most $2|z_k|\,\rho$, whatever the direction. Find the largest $\rho$ for which
# this alone guarantees that the class stays.
#
# Two questions on the way: what can the *other* logits do meanwhile, and which of them gets there first?


# %% solution="certified_radius"
def certified_radius(v: Tensor, z: Tensor) -> Tensor:
    """How far a point may be moved, in any direction, and keep its class.

    The class is the index of the largest logit. The result is the largest
    radius that follows from |v_k(x) - v_k(y)| <= 2 |z_k| d(x, y).

    Args:
        v: (..., K), the logits of points, K >= 2.
        z: (K, n), the normals of the classes' planes, not 0.

    Returns:
        (...), a distance, at least 0.
    """
    ### BEGIN SOLUTION
    steepness = 2 * z.norm(dim=-1)
    top = v.argmax(-1, keepdim=True)
    safe = (v.gather(-1, top) - v) / (steepness[top] + steepness)
    itself = torch.arange(len(z)) == top
    return safe.masked_fill(itself, torch.inf).amin(-1)
    ### END SOLUTION


# %% test="certified_radius"
check(certified_radius)
### BEGIN HIDDEN TESTS
check(certified_radius, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-claim"
# ## 7 · What may be claimed?
#
# {{exercise:claim}}
#
# Bdeir et al. (ICLR 2024) trained a ResNet-18 and its fully hyperbolic twin five times each. Their accuracies in
# percent, mean ± standard deviation of the five runs (the paper's table 1, as in its public repository):
#
# | network | CIFAR-10 | CIFAR-100 | Tiny-ImageNet |
# |---|---|---|---|
# | flat | 95.14 ± 0.12 | 77.72 ± 0.15 | 65.19 ± 0.12 |
# | fully hyperbolic | 95.14 ± 0.08 | 78.07 ± 0.17 | 65.71 ± 0.13 |
#
# Write, in at most 200 words: (a) the 95 % interval of each of the three differences (the standard error of a mean of
# five is its standard deviation over $\sqrt5$; those of a difference add as squares; Student's $t$ for about eight
# degrees of freedom is 2.31); (b) the sentence for the abstract that these numbers carry; (c) two things that you would
# have to know before you said "because of the curvature", and for each the runs that would tell. (A person reads this
# one.)

# %% [markdown] written="claim"
# (a) Standard errors of the differences: $\sqrt{0.12^2 + 0.08^2}/\sqrt5 = 0.064$,
# $\sqrt{0.15^2 + 0.17^2}/\sqrt5 = 0.101$, $\sqrt{0.12^2 + 0.13^2}/\sqrt5 = 0.079$. Intervals: CIFAR-10
# $0.00\pm0.15$, CIFAR-100 $0.35\pm0.23$, Tiny-ImageNet $0.52\pm0.18$.
#
# (b) "With the same architecture and recipe, the fully hyperbolic ResNet-18 is as accurate as the flat one on CIFAR-10,
# and more accurate by 0.35 and 0.52 points on CIFAR-100 and Tiny-ImageNet; over five runs these two gains exceed the
# spread of the seeds."
#
# (c) The interval covers the luck of the seeds and nothing else. *Search:* were learning rate, weight decay and
# clipping chosen for the flat network with as many trials? Half a point is what a better learning rate gives.
# *Control:* the twin differs in more than curvature: one scale in its normalisation, a clip, another classifier. The
# same network with $c$ near 0 would tell whether it is the curvature, and a flat one that is given these parts, one
# after the other, which part it is. Also: equal parameters, and equal *time*, since a network that takes several times
# as long might be compared with a flat one that is trained as long.

# %% [markdown] id="about-boundary_distance"
# ## 8 · The exact distance to the boundary
#
# {{exercise:boundary_distance}}
#
# *A challenge for those who want one; it carries no points.* The radius of exercise 6 is a bound. If two classes are
# equally steep, $|z_1| = |z_2|$, the boundary between them can be found exactly. On the hyperboloid, a point is
# $X = (\cosh s, \sinh s\,\hat u)$ with $s = \sqrt c\,|n|$, the plane $k$ has the unit normal
# $N_k = (\sinh\rho_k, \cosh\rho_k\,\hat z_k)$ with $\rho_k = 2\sqrt c\,r_k$, and with
# $\langle X, N\rangle = -X_tN_t + X_s\cdot N_s$ the logit is
# $\frac{2|z_k|}{\sqrt c}\operatorname{asinh}\langle X, N_k\rangle$.
#
# Where are the two logits equal? What kind of set is that, and how far is $X$ from it? And when is it empty?


# %% solution="boundary_distance"
def boundary_distance(n: Tensor, z: Tensor, r: Tensor, c: float) -> Tensor:
    """The signed distance from the points where two logits are equal.

    It is positive where the first class wins. If there are no such points,
    it is inf if the first class wins (everywhere), and -inf if the second
    does. No gradient is asked for.

    Args:
        n: (..., m), normal coordinates of points, up to 2/sqrt(c) long.
        z: (2, m), the normals of the planes, of equal length, not 0.
        r: (2,), half the signed distances of the planes from the origin.
        c: space has curvature -c.

    Returns:
        (...), distances.
    """
    ### BEGIN SOLUTION
    root, unit = math.sqrt(c), z / z.norm(dim=-1, keepdim=True)
    offset, s = 2 * root * r, root * n.norm(dim=-1, keepdim=True)
    times, spaces = offset.sinh()[:, None], offset.cosh()[:, None] * unit
    N = torch.cat((times, spaces), -1)
    N = N[0] - N[1]
    height = root * over(torch.sinh, s) * n @ N[1:] - s[..., 0].cosh() * N[0]
    square = N[1:] @ N[1:] - N[0] ** 2
    length = torch.where(square > 0, square, 1.0).sqrt()
    there = torch.asinh(height / length) / root
    return torch.where(square > 0, there, torch.inf * height.sign())
    ### END SOLUTION


# %% test="boundary_distance"
check(boundary_distance)
### BEGIN HIDDEN TESTS
check(boundary_distance, hidden=True)
### END HIDDEN TESTS
