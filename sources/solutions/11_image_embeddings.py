# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 11 · Images in the ball
#
# Six functions: a prototypical network but for its convolutions, and two questions to put to it: how tree-like are its
# features, and which images is it unsure of? Then an argument to take apart, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float, and points are those of the
# Poincaré ball. You may use `PoincareBall(c)` with its `expmap`, `logmap`, `expmap0`, `logmap0` and `dist`; the
# library's means and metrics are switched off when your work is graded. Tensors are `float32` or `float64`, results
# have the dtype of the input except where the docstring says otherwise, and no argument is changed. The `...` in a
# shape stands for any number of leading dimensions, none included. The gradients of exercises 1, 2, 3 and 8 are
# checked.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading import checker

check = checker("11_image_embeddings")

# %% [markdown] id="about-lift"
# ## 1 · From a feature to a point
#
# {{exercise:lift}}
#
# A network ends in a vector $v$; $\exp_0$ makes it a point. If $v$ is long, the point lies so close to the rim that
# its gradient is gone. So shorten $v$ first where it is longer than `radius`, and keep its direction:
#
# $$x = \exp_0\big(\min(1, \text{radius}/|v|)\;v\big).$$
#
# How far from the origin can a point be after that?


# %% solution="lift"
def lift(v: Tensor, radius: float, c: float) -> Tensor:
    """exp_0 of v, clipped to the length `radius`.

    Args:
        v: (..., n), features; may be 0, and is then mapped to the origin.
        radius: the largest length that is kept, > 0.
        c: the ball has curvature -c.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    size = v.norm(dim=-1, keepdim=True)
    shrink = torch.where(size > radius, radius / size, 1.0)
    return PoincareBall(c).expmap0(shrink * v)
    ### END SOLUTION


# %% test="lift"
check(lift)
### BEGIN HIDDEN TESTS
check(lift, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-prototypes"
# ## 2 · A prototype for each class
#
# {{exercise:prototypes}}
#
# The prototype of a class is the midpoint of its shots. In the ball, with $\lambda_i = 2/(1 - c|x_i|^2)$ at the shot
# $x_i$, it is
#
# $$\tfrac12\otimes y = \frac{y}{1 + \sqrt{1 - c|y|^2}}, \qquad
# y = \frac{\sum_i \lambda_i x_i}{\sum_i (\lambda_i - 1)},$$
#
# the sums over the shots of one class.


# %% solution="prototypes"
def prototypes(x: Tensor, labels: Tensor, classes: int, c: float) -> Tensor:
    """The midpoint of the points of each class.

    Args:
        x: (N, n), points of the ball: the shots of all classes, mixed.
        labels: (N,) int64, the class of each, 0 to classes - 1. Every class
            has a shot; they need not have equally many.
        classes: the number of classes.
        c: the ball has curvature -c.

    Returns:
        (classes, n), points of the ball; row k is the prototype of class k.
    """
    ### BEGIN SOLUTION
    factor = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    member = torch.nn.functional.one_hot(labels, classes).T.to(x.dtype)
    y = (member @ (factor * x)) / (member @ (factor - 1))
    return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    ### END SOLUTION


# %% test="prototypes"
check(prototypes)
### BEGIN HIDDEN TESTS
check(prototypes, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-frechet_prototype"
# ## 3 · Another mean
#
# {{exercise:frechet_prototype}}
#
# In flat space the average is the point with the least sum of squared distances. The midpoint is not (it minimises
# $\sum_i\cosh(\sqrt c\,d_i)$); the point that is, is called the **Fréchet mean**. It has no formula. But at the mean,
# the pulls $\log_m(x_i)$ of the shots cancel, so walk along their average until they do:
#
# $$m \leftarrow \exp_m\Big(\frac{\tau}{S}\sum_{i=1}^{S}\log_m(x_i)\Big).$$
#
# With $\tau = 1$ the walk overshoots when the shots are far apart; with $\tau = \frac12$ and sixty steps it arrives
# here. (The gradient then comes for free: autograd goes back through all steps.)


# %% solution="frechet_prototype"
def frechet_prototype(x: Tensor, c: float) -> Tensor:
    """The Fréchet mean of S points, to all digits that the dtype has.

    Args:
        x: (..., S, n), points of the ball, up to sqrt(c) d = 1.5 from the
            origin; some may coincide.
        c: the ball has curvature -c.

    Returns:
        (..., n), points of the ball: m with the least sum of d(m, x_i)^2.
    """
    ### BEGIN SOLUTION
    ball = PoincareBall(c)
    m = torch.zeros_like(x[..., :1, :])
    for _ in range(60):
        m = ball.expmap(m, ball.logmap(m, x).mean(-2, keepdim=True) / 2)
    return m.squeeze(-2)
    ### END SOLUTION


# %% test="frechet_prototype"
check(frechet_prototype)
### BEGIN HIDDEN TESTS
check(frechet_prototype, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-two-means"
# Before you run the next cell: four shots lie together, a fifth is an outlier, farther and farther away. Which of the
# two means is drawn more towards the outlier?

# %% id="two-means" tolerance=0.01
try:
    ball = PoincareBall(1.0)
    home = torch.tensor([[0.1, 0.0], [0.0, 0.1], [-0.1, 0.0], [0.0, -0.1]])
    labels = torch.zeros(5, dtype=torch.int64)
    for far in (1.0, 2.0, 3.0):
        outlier = ball.expmap0(torch.tensor([[far / 2, 0.0]]))
        shots = torch.cat((home, outlier)).double()
        middle = ball.dist0(prototypes(shots, labels, 1, 1.0)).item()
        mean = ball.dist0(frechet_prototype(shots, 1.0)).item()
        print(f"outlier at {far:.0f}: midpoint {middle:.3f}", end=", ")
        print(f"Fréchet mean {mean:.3f}")
except NotImplementedError:
    print("write prototypes and frechet_prototype first")

# %% [markdown] id="about-episode"
# ## 4 · An exam in five classes
#
# {{exercise:episode}}
#
# An *episode* is a small exam: some classes, of each a few images with labels (the *support*), and some without (the
# *queries*). Training draws a new one in every step. To make yours testable, it gets its randomness as arguments:
# uniform noise for every class and for every image. Take the classes and the images with the least noise.


# %% solution="episode"
def episode(
    labels: Tensor,
    class_noise: Tensor,
    image_noise: Tensor,
    ways: int,
    shots: int,
    queries: int,
) -> tuple[Tensor, Tensor]:
    """The images of one episode, as their places in the data set.

    The classes are the `ways` ones with the least noise, the least first.
    Of each class, its images in the order of their noise, the least first:
    `shots` of them are the support, the next `queries` are the queries.

    Args:
        labels: (N,) int64, the class of each image, 0 to C - 1.
        class_noise: (C,), no two equal.
        image_noise: (N,), no two equal.
        ways: the number of classes in the episode.
        shots: images of each class with labels.
        queries: further images of each class.

    Returns:
        support: (ways, shots) int64, places 0 to N - 1.
        query: (ways, queries) int64.

    Raises:
        ValueError: if there are fewer than `ways` classes, or if a chosen
            class has fewer than shots + queries images.
    """
    ### BEGIN SOLUTION
    if ways > len(class_noise):
        raise ValueError(f"{ways} ways, but {len(class_noise)} classes")
    order = image_noise.argsort()
    rows = []
    for k in class_noise.argsort()[:ways]:
        images = order[labels[order] == k]
        if len(images) < shots + queries:
            raise ValueError(f"class {k} has only {len(images)} images")
        rows.append(images[: shots + queries])
    rows = torch.stack(rows)
    return rows[:, :shots], rows[:, shots:]
    ### END SOLUTION


# %% test="episode"
check(episode)
### BEGIN HIDDEN TESTS
check(episode, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-sampled_delta"
# ## 5 · How tree-like, and how sure is that?
#
# {{exercise:sampled_delta}}
#
# The relative delta of a space is $2\delta/\text{diameter}$, from 0 for a tree to 1. With the products
# $(x|y) = \frac12\big(d(x, w) + d(y, w) - d(x, y)\big)$ seen from a base point $w$, $\delta$ is the largest
# $\min\big((x|y), (y|z)\big) - (x|z)$ over all $x, y, z$ (lecture 05). For many images that is too much work. So take
# it of a few random subsets, and say how much their mean would differ if you drew them again: the **standard error**,
# the standard deviation of the $S$ values over $\sqrt S$.


# %% solution="sampled_delta"
def sampled_delta(
    distances: Tensor,
    subsets: Tensor,
) -> tuple[Tensor, Tensor]:
    """The mean relative delta of subsets, and its standard error.

    Both delta and diameter are those of the subset by itself. The base
    point is the first point of the subset.

    Args:
        distances: (N, N), symmetric.
        subsets: (S, m) int64, S >= 2 subsets of m points each.

    Returns:
        mean: (), the mean over the subsets of 2 delta / diameter.
        error: (), their standard deviation (with S - 1) over sqrt(S).
    """
    ### BEGIN SOLUTION
    values = []
    for subset in subsets:
        D = distances[subset][:, subset]
        A = (D[:1] + D[:, :1] - D) / 2
        best = torch.minimum(A[:, :, None], A[None]).amax(1)
        values.append(2 * (best - A).max() / D.max())
    values = torch.stack(values)
    return values.mean(), values.std() / math.sqrt(len(values))
    ### END SOLUTION


# %% test="sampled_delta"
check(sampled_delta)
### BEGIN HIDDEN TESTS
check(sampled_delta, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-control"
# ## 6 · What would noise have shown?
#
# {{exercise:control}}
#
# A colleague computes the relative delta of the features of a network for 300 photographs, vectors of 512 numbers. It
# is 0.17. "That is close to 0, as for a tree. So my photographs form a hierarchy, and I should use hyperbolic space."
# The next cell measures something else: points that are drawn at random, every coordinate by itself, and a tree.
#
# Before you run it: which of the random clouds is the most tree-like?

# %% id="noise" tolerance=0.01
try:
    generator = torch.Generator().manual_seed(0)

    def random_subsets(nodes, size=300, draws=4):
        noise = torch.rand(draws, nodes, generator=generator)
        return noise.argsort(1)[:, :size]

    for n in (2, 8, 32, 128, 512, 2048):
        cloud = torch.randn(1000, n, generator=generator).double()
        distances = torch.cdist(cloud, cloud)
        mean, error = sampled_delta(distances, random_subsets(1000))
        print(f"random in {n:4} dimensions {mean:.3f} ± {error:.3f}")
    # a binary tree: node i is above 2i + 1 and 2i + 2
    node = torch.arange(1023)
    path = torch.zeros(1023, 1023, dtype=torch.bool)
    for _ in range(10):
        path[torch.arange(1023), node] = True
        node = torch.where(node > 0, (node - 1) // 2, node)
    shared = path.double() @ path.double().T
    depth = shared.diagonal()
    distances = depth[:, None] + depth - 2 * shared
    mean, error = sampled_delta(distances, random_subsets(1023))
    print(f"a tree                    {mean:.3f} ± {error:.3f}")
except NotImplementedError:
    print("write sampled_delta first")

# %% [markdown] id="about-control-task"
# What is wrong with the colleague's argument, and why do the numbers come out like that? Name a control that would
# convince you. At most 150 words. (A person reads this one.)

# %% [markdown] written="control"
# A small relative delta does not mean a hierarchy. Random points in 512 dimensions, with no structure at all, have
# 0.16, about as the features do, and in 2,048 dimensions half of that.
#
# The reason: in high dimensions the distances of random points are all nearly the same, $\sqrt{2n}$. Equal distances
# are those of a star (every point on a ray of its own, of length $\sqrt{n/2}$), and a star is a tree. So delta falls
# with the dimension whatever the points mean.
#
# A control must have everything but the hierarchy: random points with the same mean and covariance as the features, or
# the features of the same network before training. If the photographs' delta lies below that of the control by more
# than its error, their arrangement is more tree-like than their dimension explains. And if it shall be *the* hierarchy
# of the classes, compare the distances between the classes with those in the class tree.

# %% [markdown] id="about-uncertainty"
# ## 7 · Which images is it unsure of?
#
# {{exercise:uncertainty}}
#
# The claim: images that the network cannot place, because they are blurred or show two things, lie near the origin.
# Put it to the test. Sort the images by their distance from the origin, and ask for all pairs of a corrupted and a
# clean image how often the corrupted one is nearer: the area under the ROC curve. 1 is perfect, 0.5 is a coin.


# %% solution="uncertainty"
def uncertainty(
    distances: Tensor,
    corrupted: Tensor,
) -> tuple[Tensor, Tensor]:
    """Images in the order of their uncertainty, and how good that order is.

    Args:
        distances: (N,), of each image from the origin.
        corrupted: (N,) bool, true for some images and not for all.

    Returns:
        order: (N,) int64, the places of the images, the one nearest to the
            origin first; of equally near ones the earlier place first.
        auroc: (), of the dtype of distances: the share of pairs of a
            corrupted and a clean image in which the corrupted one is
            nearer to the origin. A pair of equal distances counts 1/2.
    """
    ### BEGIN SOLUTION
    order = torch.argsort(distances, stable=True)
    gap = distances[~corrupted] - distances[corrupted][:, None]
    return order, (torch.sign(gap) + 1).mean() / 2
    ### END SOLUTION


# %% test="uncertainty"
check(uncertainty)
### BEGIN HIDDEN TESTS
check(uncertainty, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-refine"
# ## 8 · The queries help
#
# {{exercise:refine}}
#
# *A challenge for those who want one; it carries no points.* One shot is a poor prototype. But the queries lie there
# too, in clumps, and nobody has looked at them. Ren et al. (2018) let them vote: compute the prototypes, give each
# query to all classes with the weights $\operatorname{softmax}_k\big(-d(q, p_k)\big)$, and take the weighted midpoint
# of everything. (In the formula of exercise 2 every term, above and below, gets its weight $w_i$.)


# %% solution="refine"
def refine(support: Tensor, query: Tensor, c: float) -> Tensor:
    """Prototypes after one step of soft k-means with the queries.

    The first guess p_k is the midpoint of the shots of class k. The result
    is the weighted midpoint of the shots of class k, each with weight 1,
    and of all queries, with the weight softmax over the classes of
    -d(q, p_k).

    Args:
        support: (ways, shots, n), points of the ball.
        query: (Q, n), points of the ball.
        c: the ball has curvature -c.

    Returns:
        (ways, n), points of the ball.
    """

    ### BEGIN SOLUTION
    def midpoint(x, w):
        factor = 2 / (1 - c * (x * x).sum(-1, keepdim=True))
        y = (w * factor * x).sum(-2) / (w * (factor - 1)).sum(-2)
        return y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())

    ones = torch.ones_like(support[..., :1])
    guess = midpoint(support, ones)
    weights = torch.softmax(-PoincareBall(c).dist(query, guess[:, None]), 0)
    points = torch.cat((support, query.expand(len(support), -1, -1)), 1)
    return midpoint(points, torch.cat((ones, weights[..., None]), 1))
    ### END SOLUTION


# %% test="refine"
check(refine)
### BEGIN HIDDEN TESTS
check(refine, hidden=True)
### END HIDDEN TESTS
