# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 10 · Layers
#
# Six functions from which a hyperbolic network is made, a discovery to explain, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points. (The
# library's layers are switched off then.)
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float. $x$ and $p$ are points of
# the ball, $n = d\,\hat u$ are normal coordinates: distance from the origin times direction. Tensors are `float32` or
# `float64`, results have the dtype of the input, and no argument is changed. The `...` in a shape stands for any number
# of leading dimensions, none included. Gradients are checked, at the origin too.
#
# The next cell gives you three helpers whose values *and gradients* are right at 0. Use them and you need not think of
# the origin again.

# %% id="setup"
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hyplearn.grading import checker

check = checker("10_layers")


def over(f, x: Tensor) -> Tensor:
    """f(x)/x for x >= 0, and 1 at 0, for f = sinh, asinh, tanh or atanh."""
    safe = torch.where(x > 0, x, 1.0)
    return torch.where(x > 0, f(safe) / safe, 1.0)


def exp0(v: Tensor, c: float) -> Tensor:
    """The ball's exponential map at the origin, (..., n) to (..., n)."""
    size = v.norm(dim=-1, keepdim=True)
    return over(torch.tanh, math.sqrt(c) * size) * v


def log0(x: Tensor, c: float) -> Tensor:
    """The ball's logarithm at the origin: half of the normal coordinates."""
    size = x.norm(dim=-1, keepdim=True)
    return over(torch.atanh, math.sqrt(c) * size) * x


# %% [markdown] id="about-relu"
# ## 1 · ReLU in the right chart
#
# {{exercise:relu}}
#
# In the ball, `x.relu()` is a function too, and its results stay in the ball. But what it does to a point depends on
# how far out the point is. The tangent space at the origin is the chart in which a multiple of a vector is a multiple
# of a distance.


# %% solution="relu"
def relu(x: Tensor, c: float) -> Tensor:
    """The point whose tangent vector at the origin is the ReLU of x's.

    Args:
        x: (..., n), points of the ball.
        c: space has curvature -c.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    return exp0(log0(x, c).relu(), c)
    ### END SOLUTION


# %% test="relu"
check(relu)
### BEGIN HIDDEN TESTS
check(relu, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-gyroplane_distance"
# ## 2 · The signed distance to a hyperplane
#
# {{exercise:gyroplane_distance}}
#
# The hyperplane through $p$ at right angles to $a$ holds all geodesics that leave $p$ orthogonally to $a$. Move $p$ to
# the origin, where the hyperplane is flat, and with $w = (-p)\oplus x$ the distance is
#
# $$d = \frac{1}{\sqrt c}\operatorname{asinh}\frac{2\sqrt c\,\langle w, a\rangle}{(1 - c|w|^2)\,|a|}.$$
#
# (The sum is $x\oplus y = \frac{(1 + 2c\langle x, y\rangle + c|y|^2)\,x + (1 - c|x|^2)\,y}
# {1 + 2c\langle x, y\rangle + c^2|x|^2|y|^2}$, as in lecture 04.)


# %% solution="gyroplane_distance"
def gyroplane_distance(x: Tensor, p: Tensor, a: Tensor, c: float) -> Tensor:
    """The signed distance of x from the hyperplane through p orthogonal to a.

    It is positive on the side to which a points, and 0 on the hyperplane.
    The batches of x, p and a broadcast.

    Args:
        x: (..., n), points of the ball, up to sqrt(c) d = 2 from the origin.
        p: (..., n), a point of each hyperplane.
        a: (..., n), its normal vector there, not 0, of any length.
        c: space has curvature -c.

    Returns:
        (...), one distance for each pair of point and plane.
    """
    ### BEGIN SOLUTION
    s = math.sqrt(c)
    xp, xx, pp = (-(x * p).sum(-1, keepdim=True), (x * x).sum(-1, keepdim=True), (p * p).sum(-1, keepdim=True))
    w = ((1 - c * pp) * x - (1 + 2 * c * xp + c * xx) * p) / (1 + 2 * c * xp + c * c * pp * xx)
    gap = 1 - c * (w * w).sum(-1)
    return torch.asinh(2 * s * (w * a).sum(-1) / (gap * a.norm(dim=-1))) / s
    ### END SOLUTION


# %% test="gyroplane_distance"
check(gyroplane_distance)
### BEGIN HIDDEN TESTS
check(gyroplane_distance, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-hlinear"
# ## 3 · The fully connected layer
#
# {{exercise:hlinear}}
#
# The layer of HNN++ in normal coordinates. Plane $k$ has the normal $z_k$ and stands at the distance $2r_k$ from the
# origin. With $s = \sqrt c\,|n|$ do three steps:
#
# $$a_k = \sqrt c\;\frac{\sinh s}{s}\,\frac{\langle n, z_k\rangle}{|z_k|}\cosh(2\sqrt c\,r_k)
# - \cosh s\,\sinh(2\sqrt c\,r_k),$$
#
# $$w_k = \sinh\!\big(2|z_k|\operatorname{asinh} a_k\big), \qquad
# n' = \frac{\operatorname{asinh}|w|}{\sqrt c\,|w|}\,w.$$
#
# (Here $w$ is $\sqrt c$ times the space part on the hyperboloid.)


# %% solution="hlinear"
def hlinear(n: Tensor, z: Tensor, r: Tensor, c: float) -> Tensor:
    """HNN++'s fully connected layer in normal coordinates.

    Args:
        n: (..., m), points (up to sqrt(c) d = 5 from the origin).
        z: (k, m), the normal of each plane, not 0.
        r: (k,), half the distance of each plane from the origin, signed.
        c: both spaces have curvature -c.

    Returns:
        (..., k), normal coordinates of the outputs.
    """
    ### BEGIN SOLUTION
    root, size = math.sqrt(c), z.norm(dim=-1)
    s, offset = root * n.norm(dim=-1, keepdim=True), 2 * root * r
    a = root * over(torch.sinh, s) * (n @ z.T) / size * torch.cosh(offset) - torch.cosh(s) * torch.sinh(offset)
    w = torch.sinh(2 * size * torch.asinh(a))
    return over(torch.asinh, w.norm(dim=-1, keepdim=True)) * w / root
    ### END SOLUTION


# %% test="hlinear"
check(hlinear)
### BEGIN HIDDEN TESTS
check(hlinear, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-beta_concat"
# ## 4 · Many points become one
#
# {{exercise:beta_concat}}
#
# Put the tangent vectors at the origin of $N$ points in a row, and shorten the row so that it is about as long as its
# parts were. HNN++ takes the factor $\dfrac{B(Nn/2, 1/2)}{B(n/2, 1/2)}$ with Euler's beta function
# $B(a, b) = \Gamma(a)\Gamma(b)/\Gamma(a + b)$. For large arguments $\Gamma$ overflows; `math.lgamma` is its logarithm.
#
# What does `x.flatten(-2)` do to 30 points at distance 1?


# %% solution="beta_concat"
def beta_concat(x: Tensor, c: float) -> Tensor:
    """The beta-concatenation of N points.

    First come the coordinates of the first point, then those of the second.

    Args:
        x: (..., N, n), points of the ball.
        c: all balls have curvature -c.

    Returns:
        (..., N n), points of the ball of dimension N n.
    """
    ### BEGIN SOLUTION
    N, n = x.shape[-2:]
    log_beta = [math.lgamma(d / 2) - math.lgamma((d + 1) / 2) for d in (N * n, n)]
    return exp0(math.exp(log_beta[0] - log_beta[1]) * log0(x, c).flatten(-2), c)
    ### END SOLUTION


# %% test="beta_concat"
check(beta_concat)
### BEGIN HIDDEN TESTS
check(beta_concat, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-midpoints"
# ## 5 · The midpoint by three formulas
#
# {{exercise:midpoints}}
#
# Three papers average points in three charts. With $\lambda_i = 2/(1 - c|x_i|^2)$ at the points $x_i$ of the ball:
#
# *Klein.* The points are $k_i = 2x_i/(1 + c|x_i|^2)$ there, the **Einstein midpoint** is
# $\sum_i w_i\gamma_i k_i \big/ \sum_i w_i\gamma_i$ with $\gamma_i = 1/\sqrt{1 - c|k_i|^2}$.
#
# *Ball.* The **gyromidpoint** is $\frac12\otimes y$ with
# $y = \sum_i w_i\lambda_i x_i \big/ \sum_i w_i(\lambda_i - 1)$, and
# $\frac12\otimes y = y/(1 + \sqrt{1 - c|y|^2})$.
#
# *Hyperboloid.* There the points are $(t_i, s_i) = \big(\frac{1}{\sqrt c}(\lambda_i - 1),\ \lambda_i x_i\big)$. Add
# them up with their weights; the **centroid** is the sum $(T, S)$, divided by $\sqrt c\,\sqrt{T^2 - |S|^2}$.


# %% solution="midpoints"
def midpoints(x: Tensor, weights: Tensor, c: float) -> tuple[Tensor, ...]:
    """Three weighted averages of N points, each in its own chart.

    Args:
        x: (..., N, n), points of the Poincare ball, up to sqrt(c) d = 2
            from the origin.
        weights: (..., N), at least 0, not all of them 0.
        c: space has curvature -c.

    Returns:
        klein: (..., n), the Einstein midpoint, in Klein's coordinates.
        ball: (..., n), the gyromidpoint, in the ball's.
        lorentz: (..., n + 1), the centroid on the hyperboloid, time first.
    """
    ### BEGIN SOLUTION
    w, factor = weights[..., None], 2 / (1 - c * (x * x).sum(-1, keepdim=True))
    k = 2 * x / (1 + c * (x * x).sum(-1, keepdim=True))
    gamma = 1 / (1 - c * (k * k).sum(-1, keepdim=True)).sqrt()
    klein = (w * gamma * k).sum(-2) / (w * gamma).sum(-2)
    y = (w * factor * x).sum(-2) / (w * (factor - 1)).sum(-2)
    ball = y / (1 + (1 - c * (y * y).sum(-1, keepdim=True)).sqrt())
    total = (w * torch.cat(((factor - 1) / math.sqrt(c), factor * x), dim=-1)).sum(-2)
    square = total[..., :1] ** 2 - (total[..., 1:] ** 2).sum(-1, keepdim=True)
    return klein, ball, total / (c * square).sqrt()
    ### END SOLUTION


# %% test="midpoints"
check(midpoints)
### BEGIN HIDDEN TESTS
check(midpoints, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-one_point"
# ## 6 · Three names
#
# {{exercise:one_point}}
#
# Before you run the next cell: which of the three lies nearest to the origin, which farthest?

# %% id="three-names" tolerance=0.01
try:
    x = torch.tensor([[0.8, 0.1], [-0.3, 0.4], [0.1, -0.7]]).double()
    weights = torch.tensor([1.0, 2.0, 1.0]).double()
    klein, ball, lorentz = midpoints(x, weights, 1.0)
    for name, distance in {
        "Klein": torch.atanh(klein.norm()),
        "ball": 2 * torch.atanh(ball.norm()),
        "hyperboloid": torch.asinh(lorentz[1:].norm()),
    }.items():
        print(f"{name:12} at distance {distance:.6f} from the origin")
except NotImplementedError:
    print("write midpoints first")

# %% [markdown] id="about-one_point-task"
# What do you see? Show why it must be so, for all points and weights, in at most 150 words and formulas. (A person
# reads this one. Hint: what is $y$ of the gyromidpoint, written with $T$ and $S$?)

# %% [markdown] written="one_point"
# The three are one point, in three charts.
#
# On the hyperboloid point $i$ is $(t_i, s_i)$ with $\sqrt c\,t_i = \gamma_i = \lambda_i - 1$ and
# $s_i = \gamma_i k_i = \lambda_i x_i$. Let $(T, S) = \sum_i w_i (t_i, s_i)$. The centroid is a multiple of it.
#
# *Klein.* A point has the Klein coordinates $s/(\sqrt c\,t)$, which do not change with a factor. So the centroid's are
# $S/(\sqrt c\,T) = \sum w_i\gamma_i k_i/\sum w_i\gamma_i$: the Einstein midpoint.
#
# *Ball.* $y = \sum w_i\lambda_i x_i/\sum w_i(\lambda_i - 1) = S/(\sqrt c\,T)$ is the same vector: the Klein coordinates
# of the centroid. In Klein $\sqrt c\,|k| = \tanh(\sqrt c\,d)$, in the ball $\sqrt c\,|x| = \tanh(\sqrt c\,d/2)$; so
# $\frac12\otimes$, which halves the artanh, is the map from Klein to the ball.

# %% [markdown] id="about-window_products"
# ## 7 · A convolution without an unfold
#
# {{exercise:window_products}}
#
# A convolution concatenates the points under a $k\times k$ window to one long vector
# $u = B\,(n_1, \dots, n_{kk})$, $B = B(kkC/2, 1/2)/B(C/2, 1/2)$, and applies the layer of exercise 3. But that layer
# asks only for two things: $\langle u, z\rangle$ for each plane, and $|u|^2$. Neither needs $u$. What are they, as
# operations on images?
#
# The check cannot see how you do it; the cell after it can.


# %% solution="window_products"
def window_products(n: Tensor, z: Tensor, stride: int, padding: int) -> tuple[Tensor, Tensor]:
    """<u, z_k> and |u|^2 for every window of an image, without forming u.

    Args:
        n: (B, C, H, W), images of points: C normal coordinates per pixel.
        z: (K, C, k, k), the K planes of the layer.
        stride: as in `torch.nn.functional.conv2d`.
        padding: as there; the points added are origins.

    Returns:
        products: (B, K, H', W'), the inner products with each plane.
        squares: (B, 1, H', W'), the squared lengths.
    """
    ### BEGIN SOLUTION
    C, k = z.shape[1], z.shape[-1]
    log_beta = [math.lgamma(d / 2) - math.lgamma((d + 1) / 2) for d in (k * k * C, C)]
    beta = math.exp(log_beta[0] - log_beta[1])
    products = F.conv2d(n, beta * z, stride=stride, padding=padding)
    square = (n * n).sum(1, keepdim=True)
    box = torch.ones(1, 1, k, k, dtype=n.dtype, device=n.device)
    return products, beta**2 * F.conv2d(square, box, stride=stride, padding=padding)
    ### END SOLUTION


# %% test="window_products"
check(window_products)
### BEGIN HIDDEN TESTS
check(window_products, hidden=True)
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

    with Largest() as largest:
        n, z = torch.randn(8, 16, 32, 32), torch.randn(16, 16, 5, 5)
        window_products(n, z, 1, 0)
    print(f"the largest tensor: {largest.size / n.numel():.1f} images")
    print("(an unfold makes one of 19.1)")
except NotImplementedError:
    print("write window_products first")

# %% [markdown] id="about-far_out"
# ## 8 · A layer that does not overflow
#
# {{exercise:far_out}}
#
# *A challenge for those who want one; it carries no points.* The last step of exercise 3 takes the sinh of numbers
# $t_k$, and the norm of the result squares it. In `float32` that is the end at $|t| = 45$, and one large step of an
# optimiser gets there. The *result* is harmless: a distance of about 45. Compute it for every $t$.
#
# (Two hints: divide by $e^M$, $M = \max_k|t_k|$, before anything is squared, and use $\operatorname{asinh} a =
# \log(a + \sqrt{1 + a^2})$. Then look at what that does to a distance of $10^{-5}$.)


# %% solution="far_out"
def far_out(t: Tensor, c: float) -> Tensor:
    """asinh|w|/(sqrt(c)|w|) w with w_k = sinh(t_k), for |t| up to 1,000.

    It keeps its digits for tiny t as well; at t = 0 its gradient is that of
    t/sqrt(c).

    Args:
        t: (..., k), numbers of any size.
        c: space has curvature -c.

    Returns:
        (..., k), normal coordinates.
    """
    ### BEGIN SOLUTION
    M, a = t.detach().abs().amax(-1, keepdim=True), t.abs()
    w = torch.sinh(t.clamp(-18, 18))  # the plain way, for rows with M <= 18
    near = over(torch.asinh, w.norm(dim=-1, keepdim=True)) * w
    q = t.sign() * ((a - M).exp() - (-a - M).exp()) / 2  # w e^-M
    size = q.norm(dim=-1, keepdim=True).clamp_min(0.1)
    return torch.where(M <= 18, near, (M + torch.log(2 * size)) * q / size) / math.sqrt(c)
    ### END SOLUTION


# %% test="far_out"
check(far_out)
### BEGIN HIDDEN TESTS
check(far_out, hidden=True)
### END HIDDEN TESTS
