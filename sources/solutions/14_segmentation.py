# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 14 · Every pixel in the ball
#
# Five functions of which hyperbolic segmentation and its scores are made, a published table to read twice, and a
# challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's own heads, losses and scores are switched off then.)
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float. A picture of points of the
# ball is a tensor (B, n, H, W): B pictures, and the $n$ coordinates of a pixel along dim 1, as channels are. Tensors of
# numbers are `float32` or `float64`, results have the dtype of the input, and no argument is changed. Labels are
# `int64`, (B, H, W); the label -1 is *void*: nobody knows what is there. Gradients are checked in exercises 1, 3, 4.

# %% id="setup"
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn.grading import checker

check = checker("14_segmentation")

# %% [markdown] id="about-confidence"
# ## 1 · The confidence map
#
# {{exercise:confidence}}
#
# Pixels far from the origin are those that the network is sure of, near the origin those that it is not. So the map
# of the distances is a map of confidence, and it costs nothing. At the Euclidean distance $r$ from the centre of the
# ball a point is
#
# $$d = \frac{2}{\sqrt c}\operatorname{artanh}(\sqrt c\,r)$$
#
# away.


# %% solution="confidence"
def confidence(x: Tensor, c: float) -> Tensor:
    """The hyperbolic distance of each pixel from the origin.

    Args:
        x: (B, n, H, W), pixels, points of the ball.
        c: space has curvature -c.

    Returns:
        (B, H, W), distances; 0 at the origin.
    """
    ### BEGIN SOLUTION
    return 2 * torch.atanh(math.sqrt(c) * x.norm(dim=1)) / math.sqrt(c)
    ### END SOLUTION


# %% test="confidence"
check(confidence)
### BEGIN HIDDEN TESTS
check(confidence, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-label_boundaries"
# ## 2 · The boundary map
#
# {{exercise:label_boundaries}}
#
# To say that confidence shows the boundaries of objects, one must know where they are. Here are the labels; where do
# classes meet? Look in a window around each pixel. (Pooling looks in windows, and works on floating numbers. What
# tells you that *all* labels in a window are the same?)


# %% solution="label_boundaries"
def label_boundaries(labels: Tensor, reach: int) -> Tensor:
    """Where a pixel has another class near it.

    A pixel belongs to the boundary if the window of side 2 reach + 1 around
    it holds a pixel of another class. Windows end at the frame of the
    picture: what is outside is no class. Void pixels do not belong to the
    boundary, and make none for their neighbours.

    Args:
        labels: (B, H, W) int64, classes from 0 on, or -1 for void.
        reach: how far to look to each side, in pixels, at least 1.

    Returns:
        (B, H, W) bool.
    """
    ### BEGIN SOLUTION
    window = {"kernel_size": 2 * reach + 1, "stride": 1, "padding": reach}
    void, values = labels == -1, labels.double()
    differs = torch.zeros_like(void)
    for each in (values, -values):  # the largest label, and the smallest
        known = each.masked_fill(void, -math.inf)
        differs |= F.max_pool2d(known[:, None], **window)[:, 0] > each
    return differs & ~void
    ### END SOLUTION


# %% test="label_boundaries"
check(label_boundaries)
### BEGIN HIDDEN TESTS
check(label_boundaries, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-gyroplane_logits"
# ## 3 · Gyroplane logits without the big tensor
#
# {{exercise:gyroplane_logits}}
#
# Class $k$ has a hyperplane through $p_k$ with the normal $a_k$ there, and the logit of a pixel $x$ is
#
# $$\frac{\lambda_p|a|}{\sqrt c}\operatorname{arsinh}\frac{2\sqrt c\,\langle w, a\rangle}{(1 - c|w|^2)\,|a|}
# \qquad\text{with}\quad \lambda_p = \frac{2}{1 - c|p|^2}\quad\text{and}$$
#
# $$w = (-p)\oplus x = \frac{\alpha p + \beta x}{N},\qquad
# \begin{aligned}\alpha &= -(1 - 2c\langle p, x\rangle + c|x|^2),\quad \beta = 1 - c|p|^2,\\
# N &= 1 - 2c\langle p, x\rangle + c^2|p|^2|x|^2 .\end{aligned}$$
#
# Written as it stands, $w$ is a tensor of size pixels × classes × dimensions. But nobody needs $w$: only
# $\langle w, a\rangle$ and $|w|^2$. Write both with the numbers $\langle x, p_k\rangle$, $\langle x, a_k\rangle$ and
# $|x|^2$, which are products of matrices (or 1×1 convolutions) and one sum over channels.
#
# The check cannot see how you do it; the cell after it can.


# %% solution="gyroplane_logits"
def gyroplane_logits(
    x: Tensor,
    p: Tensor,
    a: Tensor,
    c: float,
) -> Tensor:
    """The logits of gyroplane regression for every pixel and class.

    Args:
        x: (B, n, H, W), pixels, points of the ball, up to sqrt(c) d = 2
            from the origin.
        p: (K, n), a point of each class's hyperplane, up to
            sqrt(c) d = 1.2 from the origin.
        a: (K, n), its normal vector at that point, not 0.
        c: space has curvature -c.

    Returns:
        (B, K, H, W), logits, positive on the side to which a points.
    """
    ### BEGIN SOLUTION
    s, K = math.sqrt(c), len(p)
    planes = torch.cat((p, a))[..., None, None]
    xp, xa = F.conv2d(x, planes).split(K, dim=1)
    xx = (x * x).sum(1, keepdim=True)
    pp, pa, aa = (v.sum(-1)[:, None, None] for v in (p * p, p * a, a * a))
    N = 1 - 2 * c * xp + c * c * pp * xx
    alpha, beta, size = -(1 - 2 * c * xp + c * xx), 1 - c * pp, aa.sqrt()
    wa = (alpha * pa + beta * xa) / N
    ww = (alpha**2 * pp + 2 * alpha * beta * xp + beta**2 * xx) / N**2
    distance = torch.asinh(2 * s * wa / ((1 - c * ww) * size)) / s
    return 2 / beta * size * distance
    ### END SOLUTION


# %% test="gyroplane_logits"
check(gyroplane_logits)
### BEGIN HIDDEN TESTS
check(gyroplane_logits, hidden=True)
### END HIDDEN TESTS

# %% id="largest-tensor"
try:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        """Notes the size of the largest tensor that is made."""

        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, Tensor):
                self.size = max(self.size, result.numel())
            return result

    x, p = 0.1 * torch.randn(2, 16, 32, 32), 0.1 * torch.randn(21, 16)
    with Largest() as largest:
        logits = gyroplane_logits(x, p, torch.randn(21, 16), 1.0)
    ratio = largest.size / logits.numel()
    print(f"your largest tensor has {ratio:.0f} numbers for each logit")
    print("(the tensor w has 16, and at 256 dimensions 256)")
except NotImplementedError:
    print("write gyroplane_logits first")

# %% [markdown] id="about-hierarchical_loss"
# ## 4 · A softmax for each family
#
# {{exercise:hierarchical_loss}}
#
# Classes are the leaves of a tree, and every node but the root has a logit. The children of one parent share its
# probability by a softmax among them, so that a leaf has the probability
#
# $$p(\text{leaf}) = \prod_{h\,\in\,\text{path from the root to the leaf}}
# \frac{e^{\ell_h}}{\sum_{s\,\in\,\text{siblings of }h}e^{\ell_s}}$$
#
# ($h$ is among its own siblings here, the root is not on the path). The loss of a pixel is $-\log p(\text{label})$. For
# the tree `[-1, -1, 1, 1]` node 0 is a leaf below the root, and 2 and 3 are the children of node 1.


# %% solution="hierarchical_loss"
def hierarchical_loss(
    logits: Tensor,
    parents: list[int],
    labels: Tensor,
) -> Tensor:
    """The mean of -log p(label) over all pixels that are not void.

    It is finite for logits of any size up to 1,000.

    Args:
        logits: (B, N, H, W), one for each node and pixel.
        parents: the N nodes' parents; -1 for a child of the root.
            Siblings need not stand side by side, nor parents before
            their children.
        labels: (B, H, W) int64, each pixel's leaf by its node, or -1 for
            void; at least one is not void.

    Returns:
        A tensor of shape ().
    """
    ### BEGIN SOLUTION
    among = torch.empty_like(logits)
    for parent in set(parents):
        family = [i for i, above in enumerate(parents) if above == parent]
        among[:, family] = logits[:, family].log_softmax(1)

    def path(node):
        return [] if node == -1 else [node, *path(parents[node])]

    log_p = [among[:, path(i)].sum(1) for i in range(len(parents))]
    return F.nll_loss(torch.stack(log_p, 1), labels, ignore_index=-1)
    ### END SOLUTION


# %% test="hierarchical_loss"
check(hierarchical_loss)
### BEGIN HIDDEN TESTS
check(hierarchical_loss, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-zero_label_miou"
# ## 5 · Scored on classes without a label
#
# {{exercise:zero_label_miou}}
#
# Some classes had no labelled pixel in training. How well are they recognised, as what they are or at least as
# *something like it*? A level of the tree puts the classes into groups (on the lowest level, each into its own). The
# protocol of the paper:
#
# 1. Look only at the pixels whose true class is unseen. (In all pictures together, not one after the other.)
# 2. The answer is the most probable of the *unseen* classes, and counts as its group.
# 3. For each group: the pixels in which truth *and* answer are this group, over the pixels in which truth *or* answer
#    are. The score is the mean over the groups that occur, as truth or as an answer.


# %% solution="zero_label_miou"
def zero_label_miou(
    log_p: Tensor,
    labels: Tensor,
    unseen: list[int],
    ancestors: Tensor,
) -> Tensor:
    """The mIOU of unseen classes at one level of the tree.

    Args:
        log_p: (B, K, H, W), log-probabilities of the K classes.
        labels: (B, H, W) int64, true classes, or -1 for void; some
            pixel's class is unseen.
        unseen: the classes that had no labelled pixel in training, in any
            order.
        ancestors: (K,) int64, the group of each class at this level,
            numbered from 0.

    Returns:
        A tensor of shape (), from 0 to 1.
    """
    ### BEGIN SOLUTION
    unseen = torch.tensor(unseen)
    new = torch.isin(labels, unseen)  # void is not in it
    answer = unseen[log_p[:, unseen].argmax(1)]
    true, found = ancestors[labels[new]], ancestors[answer[new]]
    scores = []
    for g in torch.cat((true, found)).unique():
        t, f = true == g, found == g
        scores.append((t & f).sum() / (t | f).sum().to(log_p.dtype))
    return torch.stack(scores).mean()
    ### END SOLUTION


# %% test="zero_label_miou"
check(zero_label_miou)
### BEGIN HIDDEN TESTS
check(zero_label_miou, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-two_averages"
# ## 6 · A table to read twice
#
# {{exercise:two_averages}}
#
# Ghadimi Atigh et al. (2022) score zero-label segmentation on COCO-Stuff-10k like this, in percent:
#
# | | class accuracy | pixel accuracy | mIOU |
# |---|---|---|---|
# | flat | 0.44 | 0.33 | 0.23 |
# | Euclidean, hierarchical | 3.29 | 48.65 | 18.53 |
# | hyperbolic, hierarchical | 3.46 | 51.70 | 21.15 |
#
# Class accuracy is the mean over classes of the share of their pixels that are right. Which inequality holds between
# the accuracy and the IoU of *one* class? Look at the last two rows: what must therefore be true of the two means?
# Name one way in which it could have come about, and say what one may still conclude from the table, and what not. At
# most 150 words. (A person reads this one.)

# %% [markdown] written="two_averages"
# Let $n$ be the pixels of a class, $h$ those among them that are called right, and $f$ the other pixels that are called
# by its name. Accuracy is $h/n$, IoU is $h/(n + f)$: it is never larger. Averaged over the same classes, mIOU is at
# most the class accuracy.
#
# In the table 21.15 stands beside 3.46. So the two means do not run over the same classes. For instance, the sum of the
# new classes' accuracies may have been divided by the number of all classes, the old ones with 0 among them, and mIOU
# by the number of the new ones.
#
# The rows can still be compared, since all three were scored in the same way: the tree helps very much, hyperbolic
# space some more. The columns cannot be compared with each other, nor with another paper's, until one knows over what
# they were averaged. My own table gets the check IoU ≤ accuracy.

# %% [markdown] id="about-as_convolution"
# ## 7 · The whole head in one convolution
#
# {{exercise:as_convolution}}
#
# *A challenge for those who want one; it carries no points.* On the hyperboloid a pixel has $n + 1$ coordinates,
# $\sqrt c$ times its time and space parts:
#
# $$T = \frac{1 + c|x|^2}{1 - c|x|^2},\qquad S = \frac{2\sqrt c\,x}{1 - c|x|^2}.$$
#
# Multiply out exercise 3: $N$ cancels, and what stands inside of arsinh is *linear* in $(T, S)$. So the head is one 1×1
# convolution on $n + 1$ channels, an arsinh, and a scale for each class. Find the weights.


# %% solution="as_convolution"
def as_convolution(
    p: Tensor,
    a: Tensor,
    c: float,
) -> tuple[Tensor, Tensor]:
    """Weights of a 1x1 convolution on (T, S) that gives gyroplane logits.

    The logit of class k is scale_k asinh(<weight_k, (T, S)>), equal to
    that of exercise 3.

    Args:
        p: (K, n), a point of each class's hyperplane, up to
            sqrt(c) d = 1.2 from the origin.
        a: (K, n), its normal vector at that point, not 0.
        c: space has curvature -c.

    Returns:
        weight: (K, n + 1), the weight of T first.
        scale: (K,), lambda_p |a| / sqrt(c).
    """
    ### BEGIN SOLUTION
    # With g(x) = 1 - c|x|^2 one finds that <w, a>/g(w) is
    # (<x, g(p) a + 2c <p, a> p> - <p, a>(1 + c|x|^2))/(g(x) g(p)).
    s, size = math.sqrt(c), a.norm(dim=-1, keepdim=True)
    gap = 1 - c * (p * p).sum(-1, keepdim=True)
    pa = (p * a).sum(-1, keepdim=True)
    weight = torch.cat((-2 * s * pa, gap * a + 2 * c * pa * p), dim=-1)
    return weight / (gap * size), (2 * size / (gap * s)).squeeze(-1)
    ### END SOLUTION


# %% test="as_convolution"
check(as_convolution)
### BEGIN HIDDEN TESTS
check(as_convolution, hidden=True)
### END HIDDEN TESTS
