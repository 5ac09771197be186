# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 05 · Measuring hierarchies
#
# Six functions that measure a space and its embeddings, a claim to examine, and a challenge: the tree inside every
# space.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's own metrics are switched off then.)
#
# **What holds everywhere.** `distances` is the symmetric matrix of a space with $N$ points, (N, N) with zeros on the
# diagonal, `float32` or `float64`; results have its dtype (counts are `int64`), and no argument is changed. A *base
# point* $w$ is given by its row, a Python int. There are at most 20 points: memory is no concern, clarity is. Gradients
# are checked in exercises 4 and 5.

# %% id="setup"
import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("05_hierarchies")

# %% [markdown] id="about-ball_sizes"
# ## 1 · How a space grows
#
# {{exercise:ball_sizes}}
#
# On a grid the ball of radius $r$ holds about $2r^2$ nodes, in a binary tree about $2^r$. Count.


# %% solution="ball_sizes"
def ball_sizes(distances: Tensor, radii: Tensor) -> Tensor:
    """How many nodes are within each radius of each node, itself included.

    Args:
        distances: (N, N).
        radii: (R,), not negative, in any order.

    Returns:
        (N, R) int64, one row for each node.
    """
    ### BEGIN SOLUTION
    return (distances[:, :, None] <= radii).sum(1)
    ### END SOLUTION


# %% test="ball_sizes"
check(ball_sizes)
### BEGIN HIDDEN TESTS
check(ball_sizes, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-gromov_product"
# ## 2 · How long they go together
#
# {{exercise:gromov_product}}
#
# $$(x|y)_w = \tfrac12\big(d(x, w) + d(y, w) - d(x, y)\big)$$
#
# On a tree: the length of the way that the paths from $w$ to $x$ and to $y$ have in common. Here a batch of spaces of
# the same size has to work at once; mind which dimension `base` counts in.


# %% solution="gromov_product"
def gromov_product(distances: Tensor, base: int) -> Tensor:
    """The Gromov products (x|y)_w of all pairs of points.

    Args:
        distances: (..., N, N), a batch of spaces.
        base: the base point w, the same row in every space.

    Returns:
        (..., N, N), symmetric.
    """
    ### BEGIN SOLUTION
    far = distances[..., base]
    return (far.unsqueeze(-1) + far.unsqueeze(-2) - distances) / 2
    ### END SOLUTION


# %% test="gromov_product"
check(gromov_product)
### BEGIN HIDDEN TESTS
check(gromov_product, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-gromov_delta"
# ## 3 · How far from a tree
#
# {{exercise:gromov_delta}}
#
# On a tree, if $x$ goes along with $y$ for a while and $y$ with $z$, then $x$ goes along with $z$ for at least the
# shorter one of the two whiles: $(x|z)_w \ge \min\big((x|y)_w, (y|z)_w\big)$. By how much does a space fall short?


# %% solution="gromov_delta"
def gromov_delta(distances: Tensor, base: int) -> Tensor:
    """Gromov's delta: the largest min((x|y), (y|z)) - (x|z), all x, y, z.

    All products are seen from the base point. The three points need not
    differ, so it is never negative.

    Args:
        distances: (N, N).
        base: the base point.

    Returns:
        A tensor of shape ().
    """
    ### BEGIN SOLUTION
    far = distances[base]
    products = (far[:, None] + far - distances) / 2
    best = torch.minimum(products[:, :, None], products[None, :, :]).amax(1)  # over y
    return (best - products).amax()
    ### END SOLUTION


# %% test="gromov_delta"
check(gromov_delta)
### BEGIN HIDDEN TESTS
check(gromov_delta, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-average_distortion"
# ## 4 · Wrong by which factor, on average
#
# {{exercise:average_distortion}}
#
# An embedding that draws one unit of the tree as `scale` units stretches a pair by
# $q = d_{\text{embedded}} / (\text{scale}\cdot d_{\text{true}})$. Too long and too short are equally bad: the
# distortion of a pair is $\max(q, 1/q)$, and 1 is perfect.


# %% solution="average_distortion"
def average_distortion(embedded: Tensor, true: Tensor, scale: float):
    """The mean of max(q, 1/q), where q = embedded / (scale true).

    Entries with true = 0 are no pairs; they are left out, and the gradient
    with respect to them is 0.

    Args:
        embedded, true: distances of the same pairs, two tensors of the
            same shape, whatever it is.
        scale: the length of one unit of `true` in the embedding, > 0.

    Returns:
        A tensor of shape ().
    """
    ### BEGIN SOLUTION
    apart = true > 0
    q = embedded[apart] / (scale * true[apart])
    return torch.maximum(q, 1 / q).mean()
    ### END SOLUTION


# %% test="average_distortion"
check(average_distortion)
### BEGIN HIDDEN TESTS
check(average_distortion, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-worst_distortion"
# ## 5 · Wrong by which factor, at worst
#
# {{exercise:worst_distortion}}
#
# The theorems are about another number: the largest stretch over the smallest. It needs no scale.


# %% solution="worst_distortion"
def worst_distortion(embedded: Tensor, true: Tensor) -> Tensor:
    """max(q) / min(q), where q = embedded / true; 1 is perfect.

    Entries with true = 0 are no pairs; they are left out, and the gradient
    with respect to them is 0.

    Args:
        embedded, true: distances of the same pairs, two tensors of the
            same shape, whatever it is.

    Returns:
        A tensor of shape ().
    """
    ### BEGIN SOLUTION
    apart = true > 0
    q = embedded[apart] / true[apart]
    return q.max() / q.min()
    ### END SOLUTION


# %% test="worst_distortion"
check(worst_distortion)
### BEGIN HIDDEN TESTS
check(worst_distortion, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-mean_average_precision"
# ## 6 · Are the neighbours near?
#
# {{exercise:mean_average_precision}}
#
# Often nobody needs distances; what counts is who is near. List all other nodes by their distance from $u$. At the
# place of each neighbour of $u$ in that list, note the share of neighbours among all the nodes so far (the
# *precision*). Their mean is the average precision of $u$; its mean over all nodes is MAP. 1 is perfect: the neighbours
# come first.


# %% solution="mean_average_precision"
def mean_average_precision(distances: Tensor, neighbours: Tensor):
    """The mean of the average precisions of the nodes that have neighbours.

    A node does not stand in its own list. No two nodes have the same
    distance from a third one. At least one node has a neighbour.

    Args:
        distances: (N, N), in the embedding.
        neighbours: (N, N) bool, symmetric, False on the diagonal.

    Returns:
        A tensor of shape (), of the dtype of `distances`.
    """
    ### BEGIN SOLUTION
    precisions = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            precisions.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(precisions).mean()
    ### END SOLUTION


# %% test="mean_average_precision"
check(mean_average_precision)
### BEGIN HIDDEN TESTS
check(mean_average_precision, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-the_claim"
# ## 7 · Two controls
#
# {{exercise:the_claim}}
#
# A draft says:
#
# > *We took the 1,024-dimensional features of our image classifier for 1,000 images and measured
# > $\delta_{rel} = 0.12$. As 0 means a tree, our features are strongly hierarchical. Therefore we replace the last
# > layer by a hyperbolic one.*
#
# In at most 150 words: what does the number show, and which two further measurements do you ask for before you believe
# the "strongly" and the "therefore"? Say what each of them would have to give. (A person reads this one.)

# %% [markdown] written="the_claim"
# A relative delta of 0.12 says that *some* tree fits the distances to about that share of the diameter. It may be a
# star: in 1,024 dimensions the distances of points without any structure are nearly all the same, and points with
# equal distances are a tree of depth 1.
#
# First, for "strongly", the same number for a control: noise with the same mean and covariance, or the features of an
# untrained network, 1,000 points each, with the spread over several draws. The 0.12 must be clearly below. It would
# also help to compare the tree that fits with the tree of the classes.
#
# Second, for "therefore", what is wanted: accuracy (or distortion and MAP of the classes' tree) of the hyperbolic layer
# and of a flat layer with the same budget, both tuned, over several seeds; and once more with the class tree permuted.
# The gain has to be larger than the spread, and has to vanish with the permuted tree.

# %% [markdown] id="about-gromov_tree"
# ## 8 · The tree inside every space
#
# {{exercise:gromov_tree}}
#
# *A challenge for those who want one; it carries no points.* Gromov (1987) found a tree in every space. Call a sequence
# of points from $x$ to $y$ a *chain*, the product of two neighbours in it a *link*, and let $s(x, y)$ be the largest
# value that the weakest link of a chain from $x$ to $y$ can have. (The chain $x, y$ itself is one, so
# $s(x, y) \ge (x|y)_w$.) Then
#
# $$d_T(x, y) = d(x, w) + d(y, w) - 2\,s(x, y)$$
#
# are distances of a tree with the points among its nodes, and they are shorter than $d$ by at most
# $2\delta\lceil\log_2 N\rceil$, so a space with a small $\delta$ *is* nearly a tree. (Which well-known algorithm for
# shortest paths becomes this one if you exchange two operations?)


# %% solution="gromov_tree"
def gromov_tree(distances: Tensor, base: int) -> Tensor:
    """The distances of Gromov's tree: d(x, w) + d(y, w) - 2 s(x, y).

    s is the weakest link of the strongest chain. A chain may have any
    number of links; they are Gromov products seen from the base point.

    Args:
        distances: (N, N).
        base: the base point w.

    Returns:
        (N, N), symmetric, zeros on the diagonal (to rounding).
    """
    ### BEGIN SOLUTION
    far = distances[base]
    shared = (far[:, None] + far - distances) / 2
    for y in range(len(shared)):  # Floyd and Warshall, with (max, min) in place of (min, +)
        shared = torch.maximum(shared, torch.minimum(shared[:, y, None], shared[None, y, :]))
    return far[:, None] + far - 2 * shared
    ### END SOLUTION


# %% test="gromov_tree"
check(gromov_tree)
### BEGIN HIDDEN TESTS
check(gromov_tree, hidden=True)
### END HIDDEN TESTS
