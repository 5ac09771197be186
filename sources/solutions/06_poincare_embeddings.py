# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 06 · Learning a hierarchy
#
# Five functions that are, together, a Poincaré embedding and its exam; a table to read; and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** Nodes are numbers from 0 to $N - 1$; a *relation* $(u, v)$ says that $v$ is above $u$.
# Distances and points are `float32` or `float64` and results have the dtype of the input, except where the docstring
# says otherwise. No argument is changed. The `...` in a shape stands for any number of leading dimensions, none
# included. Space has curvature $-c$, with a Python float $c > 0$.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn.grading import checker

check = checker("06_poincare_embeddings")

# %% [markdown] id="about-contrastive_loss"
# ## 1 · The loss
#
# {{exercise:contrastive_loss}}
#
# $$\ell(u, v) = -\log\frac{e^{-d(u, v)}}{e^{-d(u, v)} + \sum_{v'} e^{-d(u, v')}},$$
#
# the sum over the negatives $v'$.


# %% solution="contrastive_loss"
def contrastive_loss(near: Tensor, far: Tensor) -> Tensor:
    """The loss of each relation, from distances.

    It is right for large distances as well: if all of them are 900, the
    loss is that of all of them 0.

    Args:
        near: (...), the distance d(u, v) of each relation.
        far: (..., K), the distances d(u, v') of its K negatives; the same
            leading dimensions.

    Returns:
        (...), one loss for each relation.
    """
    ### BEGIN SOLUTION
    distances = torch.cat([near[..., None], far], dim=-1)
    return near + torch.logsumexp(-distances, dim=-1)
    ### END SOLUTION


# %% test="contrastive_loss"
check(contrastive_loss)
### BEGIN HIDDEN TESTS
check(contrastive_loss, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-riemannian_step"
# ## 2 · The step
#
# {{exercise:riemannian_step}}
#
# The ruler at $x$ is $\lambda_x = 2/(1 - c|x|^2)$ times that of the picture. `gradient` is what autograd gives, the
# vector of partial derivatives in the coordinates. The Riemannian gradient is `gradient` over $\lambda_x^2$, and the
# paper's step subtracts `rate` times that from the coordinates.


# %% solution="riemannian_step"
def riemannian_step(x: Tensor, gradient: Tensor, rate: float, c: float) -> Tensor:
    """One step of Riemannian SGD with the paper's retraction, x - rate *
    (Riemannian gradient).

    A point whose new coordinates are longer than (1 - 1e-5) / sqrt(c) goes
    back along its ray to exactly that length.

    Args:
        x: (..., n), points of the ball.
        gradient: (..., n), the partial derivatives of the loss in the
            coordinates of x.
        rate: the learning rate, > 0.
        c: space has curvature -c.

    Returns:
        (..., n), the new points.
    """
    ### BEGIN SOLUTION
    y = x - rate * ((1 - c * (x * x).sum(-1, keepdim=True)) / 2) ** 2 * gradient
    limit = (1 - 1e-5) / math.sqrt(c)
    return y * (limit / y.norm(dim=-1, keepdim=True).clamp_min(limit))
    ### END SOLUTION


# %% test="riemannian_step"
check(riemannian_step)
### BEGIN HIDDEN TESTS
check(riemannian_step, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-pick_negatives"
# ## 3 · Negatives that are none
#
# {{exercise:pick_negatives}}
#
# A negative drawn from all nodes may be a relation of $u$, which teaches the opposite of what is true. Drawing again
# until it fits is slow. Better: count the nodes that are free, draw a number $r$ below that count, and take the free
# node number $r$. The drawing has been done for you.


# %% solution="pick_negatives"
def pick_negatives(u: Tensor, related: Tensor, r: Tensor) -> Tensor:
    """For each r, the node number r (counted from 0) among those that are
    free for its u, in ascending order.

    A node v is free for u if it is not u itself and not related to u.

    Args:
        u: (B,) int64, some nodes.
        related: (B, N) bool; related[b, v] says whether v is related to
            u[b]. u itself is not.
        r: (B, K) int64, each below the number of free nodes of its u.

    Returns:
        (B, K) int64, nodes.
    """
    ### BEGIN SOLUTION
    free = ~related
    free[torch.arange(len(u)), u] = False
    # Up to and including the node number r there are r + 1 free ones.
    return torch.searchsorted(free.cumsum(1), r + 1)
    ### END SOLUTION


# %% test="pick_negatives"
check(pick_negatives)
### BEGIN HIDDEN TESTS
check(pick_negatives, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-rank_scores"
# ## 4 · Mean rank and MAP
#
# {{exercise:rank_scores}}
#
# Take a relation $(u, v)$, and let $q$ nodes be nearer to $u$ than $v$ that are *neither related to $u$ nor $u$
# itself*. The rank of $v$ is $1 + q$. If $v$ is the $k$-th nearest among the relations of $u$, the precision at $v$ is
# $k/(k + q)$. (In lecture 05 you computed MAP for graphs; here it comes with the rank, and relations have a
# direction.)


# %% solution="rank_scores"
def rank_scores(distances: Tensor, related: Tensor) -> tuple[Tensor, Tensor]:
    """The filtered mean rank and the mean average precision of an
    embedding.

    The mean rank is over all relations. MAP is the mean of the precision
    over the relations of each node, and then over the nodes that have
    relations. No two distances from the same node are equal, and there is a
    relation.

    Args:
        distances: (N, N); row u holds the distances of u from all nodes,
            with 0 on the diagonal.
        related: (N, N) bool; related[u, v] says whether (u, v) is a
            relation. The diagonal is False.

    Returns:
        (mean rank, MAP), two tensors of shape () with the dtype of
        `distances`.
    """
    ### BEGIN SOLUTION
    ranks, averages = [], []
    for u in range(len(distances)):
        near = distances[u, related[u]].sort().values
        others = ~related[u]
        others[u] = False
        closer = (distances[u, others] < near[:, None]).sum(1)
        k = torch.arange(1, len(near) + 1).to(distances)
        ranks.append(1 + closer)
        if len(near):
            averages.append((k / (k + closer)).mean())
    return torch.cat(ranks).to(distances).mean(), torch.stack(averages).mean()
    ### END SOLUTION


# %% test="rank_scores"
check(rank_scores)
### BEGIN HIDDEN TESTS
check(rank_scores, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-link_split"
# ## 5 · What can be predicted
#
# {{exercise:link_split}}
#
# "A tiger is a mammal" follows from "a tiger is a cat" and "a cat is a mammal"; it can be held out and predicted. "A
# tiger is a cat" follows from nothing. So the direct edges always stay among the relations to learn from.


# %% solution="link_split"
def link_split(relations: Tensor, direct: Tensor, dice: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Splits relations into those to learn from and `count` to predict,
    which are no direct edges.

    Held out are those with the smallest dice among the relations that are
    not in `direct`; there are at least `count` of them. Both parts keep the
    order of `relations`.

    Args:
        relations: (M, 2) int64, all relations (u, v), each once.
        direct: (D, 2) int64, the direct edges; all of them are among the
            relations.
        dice: (M,), a random number for each relation, all different.
        count: how many to hold out, >= 0.

    Returns:
        (train, test), tensors of shapes (M - count, 2) and (count, 2).
    """
    ### BEGIN SOLUTION
    is_direct = (relations[:, None] == direct).all(-1).any(1)
    held = torch.zeros(len(relations), dtype=torch.bool)
    held[dice.masked_fill(is_direct, math.inf).argsort()[:count]] = True
    return relations[~held], relations[held]
    ### END SOLUTION


# %% test="link_split"
check(link_split)
### BEGIN HIDDEN TESTS
check(link_split, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-honest_baseline"
# ## 6 · Read a table
#
# {{exercise:honest_baseline}}
#
# A draft says: "On 1,180 mammals in five dimensions hyperbolic space reaches MAP .98, flat space .27: curvature wins by
# .7." Measured there with the same loss and budget (MAP of reconstruction):
#
# | | $d = 2$ | $d = 3$ | $d = 5$ |
# |---|---|---|---|
# | Poincaré | .81 | .97 | .98 |
# | Euclidean | | | .27 |
# | translational, $\lvert u - v + r\rvert^2$, one $r$ for all | .65 | .83 | .99 |
#
# And on the bundled mammals, $d = 5$, MAP of relations that were *held out*: Poincaré .91, translational .73 (the best
# of six settings).
#
# In at most 150 words: why do the two flat rows differ so much? What do the numbers say about the draft's claim? Which
# experiment could prove *you* wrong? (A person reads this one.)

# %% [markdown] written="honest_baseline"
# A Euclidean distance is symmetric: a root that is nearest to all nodes must have all nodes near it, so they are
# near to each other, and siblings crowd in before grandparents. $|u - v + r|^2 = |u-v|^2 + 2\langle r, u - v\rangle +
# |r|^2$ adds a bias: nodes that lie far along $r$ are near to everybody *as ancestors*. The space is as flat as before;
# the score is not symmetric any more.
#
# So the draft compares with a baseline that cannot do the task. Against the better flat one, hyperbolic space wins
# clearly in two and three dimensions, where room is short; in five, reconstruction shows no difference at all. Held-out
# relations do: the flat score remembers, the curved space predicts better. The claim should be about few dimensions and
# about prediction, not about reconstruction at $d = 5$.
#
# I would be wrong if the translational baseline, tuned on *held-out* relations (rate, epochs, negatives, several
# seeds, so that it stops before it only remembers), closed that gap; or if it vanished on the nouns of WordNet.

# %% [markdown] id="about-shared_slopes"
# ## 7 · A thousand negatives for the price of one
#
# {{exercise:shared_slopes}}
#
# *A challenge for those who want one; it carries no points.* The library is fast because all relations of a node share
# their negatives. Let $u$ have $R$ relations at the distances `near` and $K$ negatives at the distances `far`, and let
# each relation have the loss of exercise 1 with these same negatives. Find the derivatives of the *sum* of the $R$
# losses, without autograd and without a tensor of $R \times K$ numbers.


# %% solution="shared_slopes"
def shared_slopes(near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of the sum of the R contrastive losses of a node in
    each of its distances.

    They are right for large distances as well, where exp(-d) is 0 in the
    machine.

    Args:
        near: (..., R), the distances of the node's relations.
        far: (..., K), the distances of the negatives that all R relations
            share.

    Returns:
        The derivatives in `near`, (..., R), and in `far`, (..., K).
    """
    ### BEGIN SOLUTION
    # With Z the sum of exp(-far), each loss is log(1 + exp(log Z + near)).
    log_z = torch.logsumexp(-far, dim=-1, keepdim=True)
    slope = torch.sigmoid(log_z + near)
    return slope, -slope.sum(-1, keepdim=True) * torch.exp(-far - log_z)
    ### END SOLUTION


# %% test="shared_slopes"
check(shared_slopes)
### BEGIN HIDDEN TESTS
check(shared_slopes, hidden=True)
### END HIDDEN TESTS
