# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 12 · Prototypes on a tree
#
# Seven functions: targets that are placed before training, a loss that matches outputs with them, and scores that know
# how wrong a mistake is. A claim to take apart in words, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** A tree with $N$ nodes is a list `parents` of $N$ Python integers: node $k$ hangs below node
# `parents[k]`, which comes before it in the list; node 0 is the root, and `parents[0]` is -1. Nodes without children
# are leaves. Space has curvature $-c$ with a number $c > 0$, a Python float. Floating tensors are `float32` or
# `float64`, results have the dtype of the input, and no argument is changed. Gradients are checked in exercises 1, 2, 3
# and 6.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("12_prototypes")

# %% [markdown] id="about-matching_loss"
# ## 1 · The discriminative loss
#
# {{exercise:matching_loss}}
#
# The network has put picture $i$ somewhere, at the distance $d_{ik}$ from the prototype of class $k$. The probability
# of class $k$ is the softmax of $-d_{ik}/\tau$, and the loss is the mean of $-\log p$ of the right classes.


# %% solution="matching_loss"
def matching_loss(distances: Tensor, labels: Tensor, tau: float) -> Tensor:
    """The cross-entropy of the softmax of minus the distances over tau.

    Distances may be a thousand tau: the loss is finite then, too.

    Args:
        distances: (B, K), of B pictures from K prototypes.
        labels: (B,) int64, the right classes.
        tau: the temperature, > 0.

    Returns:
        (), the mean over the pictures.
    """
    ### BEGIN SOLUTION
    return torch.nn.functional.cross_entropy(-distances / tau, labels)
    ### END SOLUTION


# %% test="matching_loss"
check(matching_loss)
### BEGIN HIDDEN TESTS
check(matching_loss, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-tree_prototypes"
# ## 2 · Prototypes from a tree
#
# {{exercise:tree_prototypes}}
#
# Cut a pie. The whole circle belongs to the root. Every node divides its sector among its children, in the order of
# their numbers, in proportion to the *leaves* below them (a leaf counts as one below itself). The prototype of a node
# is on the ray in the middle of its sector, as far from the origin as its level says; the root is in the origin. So
# relatives look in the same direction, and leaves, wherever they hang, get equal shares.


# %% solution="tree_prototypes"
def tree_prototypes(parents: list[int], radii: Tensor, c: float) -> Tensor:
    """A place in the disk for every node of a tree.

    The sector of the root begins at the angle 0 and goes once round,
    counter-clockwise; a node's first child gets the beginning of its
    sector. A node with m edges up to the root is at the hyperbolic
    distance radii[m - 1] from the origin.

    Args:
        parents: the tree, as above.
        radii: (D,), distances from the origin of levels 1, ..., D; there
            may be more of them than the tree has levels.
        c: the plane has curvature -c.

    Returns:
        (N, 2), points of the disk of radius 1 / sqrt(c); the root's is 0.
    """
    ### BEGIN SOLUTION
    nodes = range(len(parents))
    leaves = [1 if k not in parents else 0 for k in nodes]
    for k in reversed(nodes[1:]):
        leaves[parents[k]] += leaves[k]
    depth, start, free = ([0] * len(parents) for _ in range(3))
    points = [radii.new_zeros(2)]
    for k in nodes[1:]:
        p = parents[k]
        depth[k], start[k] = depth[p] + 1, start[p] + free[p]
        width = 2 * math.pi * leaves[k] / leaves[0]
        free[p] += width  # the next child of p begins behind this one
        middle = start[k] + width / 2
        direction = radii.new_tensor([math.cos(middle), math.sin(middle)])
        r = torch.tanh(math.sqrt(c) * radii[depth[k] - 1] / 2) / math.sqrt(c)
        points.append(r * direction)
    return torch.stack(points)
    ### END SOLUTION


# %% test="tree_prototypes"
check(tree_prototypes)
### BEGIN HIDDEN TESTS
check(tree_prototypes, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-match"
# ## 3 · Match outputs with prototypes
#
# {{exercise:match}}
#
# The last layer of the network gives a vector $v$. It is taken for a tangent vector at the origin, and
# $x = \exp_0(v) = \tanh(\sqrt c\,|v|)\,v/(\sqrt c\,|v|)$ is a point of the ball. How far is $x$ from the prototypes?
#
# In `float32`, $\tanh$ of 10 is exactly 1, and networks do produce vectors of length 10. So do not compute $x$. You
# know its direction, and its distance from the origin; a prototype has both, too. With $a$ and $b$ for $\sqrt c$ times
# the two distances from the origin and $\theta$ for the angle between the two directions, the law of cosines reads
#
# $$\sinh^2\frac{\sqrt c\,d}{2} = \sinh^2\frac{a - b}{2} + \sinh a\,\sinh b\,\sin^2\frac\theta2,$$
#
# all terms positive, so that nothing cancels. For unit vectors, $\sin^2(\theta/2) = |u - w|^2/4$.


# %% solution="match"
def match(v: Tensor, prototypes: Tensor, c: float) -> Tensor:
    """The distances of exp_0(v) from the prototypes, for v of any length.

    sqrt(c)|v| may be 30: tanh of it is 1, but the distance is an ordinary
    number, and so is its gradient. At v = 0, at a prototype in the origin
    and where exp_0(v) is a prototype, only the value has to be right.

    Args:
        v: (..., n), outputs of the network.
        prototypes: (K, n), points of the ball, sqrt(c) d <= 4 from the
            origin.
        c: space has curvature -c.

    Returns:
        (..., K), distances.
    """
    ### BEGIN SOLUTION
    s, v = math.sqrt(c), v.unsqueeze(-2)
    length, radius = v.norm(dim=-1), prototypes.norm(dim=-1)
    a, b = 2 * s * length, 2 * torch.atanh(s * radius)
    u = v / torch.where(length > 0, length, 1.0)[..., None]
    w = prototypes / torch.where(radius > 0, radius, 1.0)[..., None]
    half_sine = (u - w).square().sum(-1) / 4
    across = torch.sinh(a) * torch.sinh(b) * half_sine
    root = (torch.sinh((a - b) / 2).square() + across).sqrt()
    return 2 / s * torch.asinh(root)
    ### END SOLUTION


# %% test="match"
check(match)
### BEGIN HIDDEN TESTS
check(match, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-sibling_accuracy"
# ## 4 · Right, sibling, cousin
#
# {{exercise:sibling_accuracy}}
#
# How wrong is a prediction? Count the edges of the tree between it and the truth: 0 if it is right, 2 if it is a
# sibling of the truth (up to the parent and down again), 4 if it is a cousin. Where leaves hang on several levels,
# other numbers occur: 3 edges lead to an uncle.


# %% solution="sibling_accuracy"
def sibling_accuracy(
    predicted: Tensor,
    true: Tensor,
    parents: list[int],
) -> tuple[float, float, float]:
    """The shares of predictions at most 0, 2 and 4 edges from the truth.

    Args:
        predicted, true: (B,) int64, nodes of the tree, B >= 1.
        parents: the tree, as above.

    Returns:
        accuracy, sibling accuracy and cousin accuracy: three Python
        floats, from 0 to 1, none smaller than the one before.
    """

    ### BEGIN SOLUTION
    def path(node):
        up = [node]
        while parents[up[-1]] >= 0:
            up.append(parents[up[-1]])
        return up

    edges = []
    for a, b in zip(predicted.tolist(), true.tolist(), strict=True):
        up, other = path(a), path(b)
        i = next(i for i, node in enumerate(up) if node in other)
        edges.append(i + other.index(up[i]))
    n = len(edges)
    return tuple(sum(e <= most for e in edges) / n for most in (0, 2, 4))
    ### END SOLUTION


# %% test="sibling_accuracy"
check(sibling_accuracy)
### BEGIN HIDDEN TESTS
check(sibling_accuracy, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-hierarchical_precision"
# ## 5 · Hierarchical precision
#
# {{exercise:hierarchical_precision}}
#
# A network may answer with a list: its $k$ best guesses. Which of them are good? Draw a circle around the true class in
# the tree, and let it grow until it holds $k$ classes or more: these are the right answers. The score is the share of
# the $k$ guesses that are among them (Frome et al. 2013; Liu et al. 2020 report it for classes never seen).


# %% solution="hierarchical_precision"
def hierarchical_precision(
    ranking: Tensor,
    true: Tensor,
    edges: Tensor,
    k: int,
) -> float:
    """The share of the first k guesses in the right set of their picture.

    The right set of a class y holds all classes at most as far from y as
    the k-th nearest one, where y itself is the first (at 0 edges). Classes
    that are equally far come in together, so it may be larger than k.

    Args:
        ranking: (B, K) int64, for each picture all classes, from the best
            guess to the worst.
        true: (B,) int64, the true classes.
        edges: (K, K) int64, edges of the tree between the classes.
        k: how many guesses count, from 1 to K.

    Returns:
        the mean over the pictures, a Python float.
    """
    ### BEGIN SOLUTION
    near = edges[true]
    radius = near.sort(dim=1).values[:, k - 1 : k]
    hits = (near <= radius).gather(1, ranking[:, :k])
    return hits.double().mean().item()
    ### END SOLUTION


# %% test="hierarchical_precision"
check(hierarchical_precision)
### BEGIN HIDDEN TESTS
check(hierarchical_precision, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-hierarchical_loss"
# ## 6 · A loss on every level
#
# {{exercise:hierarchical_loss}}
#
# Inner nodes have prototypes as well. So ask on every level: which of *its* nodes is nearest? The right one is the
# ancestor of the label there. On each level below the root take the loss of exercise 1 among the nodes of that level,
# then the mean over the levels.


# %% solution="hierarchical_loss"
def hierarchical_loss(
    distances: Tensor,
    labels: Tensor,
    parents: list[int],
    tau: float,
) -> Tensor:
    """The mean over the levels below the root of the loss on that level.

    Distances may be a thousand tau: the loss is finite then, too.

    Args:
        distances: (B, N), of B pictures from the prototypes of all nodes.
        labels: (B,) int64, the right leaves.
        parents: the tree, as above; all its leaves are on the lowest
            level, which is not that of the root.
        tau: the temperature, > 0.

    Returns:
        (), one number.
    """
    ### BEGIN SOLUTION
    depth = [0]
    for p in parents[1:]:
        depth.append(depth[p] + 1)
    depth, up = torch.tensor(depth), torch.tensor(parents)
    losses, target = [], labels
    for level in range(int(depth.max()), 0, -1):
        here = (-distances / tau).masked_fill(depth != level, -torch.inf)
        losses.append(torch.nn.functional.cross_entropy(here, target))
        target = up[target]
    return torch.stack(losses).mean()
    ### END SOLUTION


# %% test="hierarchical_loss"
check(hierarchical_loss)
### BEGIN HIDDEN TESTS
check(hierarchical_loss, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-zero_shot_ranking"
# ## 7 · Rank a class that was never seen
#
# {{exercise:zero_shot_ranking}}
#
# A class without a single training picture has a prototype all the same. On which place does the network rank it? Two
# things need care. Networks favour the classes they were trained on, so these get a handicap, as Chao et al. (2016)
# propose: they count as `penalty` farther away than they are. And a network that knows nothing may put several classes
# at the same distance. In such a tie, the true class is on the mean of the places that the tied classes share.


# %% solution="zero_shot_ranking"
def zero_shot_ranking(
    distances: Tensor,
    true: Tensor,
    seen: Tensor,
    penalty: float,
) -> Tensor:
    """The rank of the true class: 1 if no other class is as near.

    It is 1 + (other classes that are nearer) + (other classes that are
    equally near) / 2, after the penalty. Two classes count as equally near
    if their distances differ by less than 1e-3.

    Args:
        distances: (B, K), of B pictures from K prototypes.
        true: (B,) int64, the true classes, seen or not.
        seen: (K,) bool, the classes that the network was trained on.
        penalty: added to the distances of the seen classes, >= 0; if it
            is infinite, the unseen ones compete among themselves (`true`
            is unseen then).

    Returns:
        (B,), one rank for each picture.
    """
    ### BEGIN SOLUTION
    moved = torch.where(seen, distances + penalty, distances)
    behind = moved - moved.gather(1, true[:, None])
    tied = (behind.abs() < 1e-3).sum(1) - 1  # the class ties with itself
    return 1 + (behind <= -1e-3).sum(1) + tied.to(distances) / 2
    ### END SOLUTION


# %% test="zero_shot_ranking"
check(zero_shot_ranking)
### BEGIN HIDDEN TESTS
check(zero_shot_ranking, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-two_controls"
# ## 8 · Whose merit is it?
#
# {{exercise:two_controls}}
#
# Take this claim apart, in at most 150 words. Which experiments are missing before one may believe it, and what would
# each of them show? What does the number itself hide? (A person reads this one.)
#
# > We replaced the softmax layer by hyperbolic prototypes of a class tree. Accuracy stayed at 60 %, and sibling
# > accuracy rose from 70 % to 78 %. This shows that negative curvature is the right geometry for hierarchical classes.

# %% [markdown] written="two_controls"
# Two things were changed at once: the network was told the tree, and the space was bent. The missing control is flat
# prototypes that know the same tree, with the same dimension, budget and search, over several seeds. If they reach
# 78 % as well, the merit is the tree's, and the claim about curvature is void.
#
# The second control deals the leaves to their places at random. Fixed, well separated targets may help by themselves.
# Scored on the true tree, the permuted prototypes must fall to what guessing a wrong class gives; if not, it was not
# the hierarchy.
#
# The number contains the 60 % that are right. Of the mistakes, 25 % were siblings before (10 of 40), and 45 % are now
# (18 of 40). Whether 25 % is much depends on the families: with 4 siblings among 9 wrong classes, guessing gives 44 %.
# And there is no interval: how much do seeds differ?

# %% [markdown] id="about-best_bet"
# ## 9 · The best bet
#
# {{exercise:best_bet}}
#
# *A challenge for those who want one; it carries no points.* A softmax gives each class a probability. Answering with
# the likeliest one makes the fewest mistakes; but which answer is, on average, the fewest *edges* away from the truth?
# It may be an inner node: "some kind of star" is never far off. For that, one needs for every node $k$ the expected
# number of edges $\sum_j p_j\,\mathrm{edges}(k, j)$.
#
# The matrix of all edges does it, with $N^2$ numbers. Two walks over the list do it, too, with $N$: on the way up
# collect the weight below every node; on the way down ask what changes if the answer moves from a node to its child.


# %% solution="best_bet"
def best_bet(p: Tensor, parents: list[int]) -> Tensor:
    """For every node, the weighted sum of its edges to all nodes.

    Args:
        p: (..., N), weights of the nodes, >= 0; they need not add up to 1.
        parents: the tree, as above.

    Returns:
        (..., N), one sum for each node; the least is the best bet.
    """
    ### BEGIN SOLUTION
    below = list(p.unbind(-1))
    for k in range(len(parents) - 1, 0, -1):
        below[parents[k]] = below[parents[k]] + below[k]
    # The root pays one edge for each weight that is below a child.
    sums = [sum(below[1:], torch.zeros_like(below[0]))]
    for k in range(1, len(parents)):
        # One edge down: what is below k comes nearer, the rest does not.
        sums.append(sums[parents[k]] + below[0] - 2 * below[k])
    return torch.stack(sums, dim=-1)
    ### END SOLUTION


# %% test="best_bet"
check(best_bet)
### BEGIN HIDDEN TESTS
check(best_bet, hidden=True)
### END HIDDEN TESTS
