# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # Exercises 09 · Fast and stable
#
# Four functions that every stable hyperbolic network needs, three that somebody else wrote (each with a bug that was
# found in published code), a post-mortem, and a challenge.
#
# **How to work.** Replace `raise NotImplementedError` by your code and run the cell, then the `check` below it. A wrong
# answer is not only refused: the check shows an input, what it expected, what it got, and often which slip it was.
# The same functions are tested once more with other inputs when you hand in; those hidden checks give the points.
#
# **What holds everywhere.** Space has curvature $-c$ with a number $c > 0$, a Python float. Tensors are `float32` or
# `float64`, results have the dtype of the input, and no argument is changed. Coordinates are the last dimension, and
# every function works on a whole batch at once: the `...` in a shape stands for any number of leading dimensions, none
# included, which broadcast as usual in torch. You may use the library; the functions that an exercise asks for are
# switched off when you are graded. Where gradients are asked for, they are checked at the bad places, too.

# %% id="setup"
import math

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading import checker

check = checker("09_numerics")

# %% [markdown] id="about-curvature"
# ## 1 · Bug 1: a curvature that starts where you say
#
# {{exercise:curvature}}
#
# A learned curvature must stay positive, so one learns a number $\theta$ that may be anything, and starts it at 0.
# Somebody wrote:


# %% id="found-curvature"
def found_curvature(start: float, theta: Tensor) -> Tensor:
    return torch.nn.functional.softplus(start + theta)


theta = torch.linspace(-5, 5, 11)
assert (found_curvature(1.0, theta) > 0).all()
print("all tests passed: it is always positive")

# %% [markdown] id="about-curvature-bug"
# Whoever asked for 1.0 got something else. What does `found_curvature(1.0, 0)` return? Mend it.


# %% solution="curvature"
def curvature(start: float, theta: Tensor) -> Tensor:
    """A curvature that is `start` at theta = 0, and positive for every theta.

    theta + a gives e^a times what theta gives, whatever theta is: a step
    of an optimiser, which adds to theta, is a factor. theta + log 2
    doubles the curvature.

    Args:
        start: the value at theta = 0, positive.
        theta: (...), any numbers.

    Returns:
        (...), one positive number for each.
    """
    ### BEGIN SOLUTION
    return start * theta.exp()
    ### END SOLUTION


# %% test="curvature"
check(curvature)
### BEGIN HIDDEN TESTS
check(curvature, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-lorentz_dist"
# ## 2 · A distance that keeps its digits
#
# {{exercise:lorentz_dist}}
#
# A point of the hyperboloid is stored as its space part $p$ alone; its time is $t = \sqrt{1/c + |p|^2}$. On paper, the
# distance of $p$ and $q$ (with times $t$ and $t'$) is
#
# $$\frac1{\sqrt c}\operatorname{acosh}\!\big(c\,(tt' - \langle p, q\rangle)\big)
# = \frac2{\sqrt c}\operatorname{asinh}\frac{\sqrt{c\,Q}}{2},\qquad Q = |p-q|^2 - (t-t')^2.$$
#
# Both lose everything for points that are far out, one behind the other. Find a form of $Q$ without a difference of
# large numbers. *Hint 1:* $(t - t')(t + t') = \langle p - q, p + q\rangle$. *Hint 2:* Lagrange's identity,
# $|p|^2|q|^2 - \langle p,q\rangle^2 = \sum_{i<j}(p_iq_j - p_jq_i)^2 =: A$. *Hint 3:* multiply $Q$ by
# $1/c + tt' + \langle p, q\rangle$; what comes out is $2\,(|p-q|^2/c + A)$. And if $\langle p, q\rangle < 0$?


# %% solution="lorentz_dist"
def lorentz_dist(p: Tensor, q: Tensor, c: float) -> Tensor:
    """The distance of two points of the hyperboloid, by their space parts.

    The hyperboloid is -t^2 + |p|^2 = -1/c, t > 0. The distance is as exact
    as the coordinates allow: for points very close to each other, for
    points at sqrt(c) d = 7 from the origin side by side or one behind the
    other, and for points at sqrt(c) d = 16 in other directions. At p = q
    it is 0 up to the rounding of the points, and its gradient there is 0.

    Args:
        p, q: (..., n), space parts; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), one distance for each pair.
    """
    ### BEGIN SOLUTION
    pp, qq, pq = (p * p).sum(-1), (q * q).sum(-1), (p * q).sum(-1)
    s, tp, tq = math.sqrt(c), (1 / c + pp).sqrt(), (1 / c + qq).sqrt()
    products = p.unsqueeze(-1) * q.unsqueeze(-2)
    # Each pair i < j occurs twice.
    A = (products - products.mT).square().sum((-1, -2)) / 2
    near = 2 * ((p - q).square().sum(-1) / c + A)
    near = near / (1 / c + tp * tq + pq.clamp_min(0))
    # On opposite sides Q = 2 (t t' - 1/c - <p, q>), where
    # t - 1/sqrt(c) = |p|^2 / (t + 1/sqrt(c)).
    far = 2 * (pp / (tp + 1 / s) * tq + qq / (tq + 1 / s) / s - pq)
    Q = torch.where(pq > 0, near, far)
    root = torch.where(Q > 0, torch.where(Q > 0, Q, 1.0).sqrt(), 0.0)
    return 2 / s * torch.asinh(s / 2 * root)
    ### END SOLUTION


# %% test="lorentz_dist"
check(lorentz_dist)
### BEGIN HIDDEN TESTS
check(lorentz_dist, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-sinhc"
# ## 3 · A gradient that keeps its digits
#
# {{exercise:sinhc}}
#
# $\sinh(x)/x$ takes normal coordinates to the hyperboloid, so it is everywhere. At $x = 0$ it is 0/0. Most people mend
# that and are content, since all values are right. Look at the *gradient* for small $x$, too: it should be $x/3$.


# %% solution="sinhc"
def sinhc(x: Tensor) -> Tensor:
    """sinh(x) / x, with its limit 1 at x = 0.

    Values and gradients are right to a few roundings everywhere.

    Args:
        x: (...), numbers of either sign, |x| up to 20.

    Returns:
        (...), of the same shape.
    """
    ### BEGIN SOLUTION
    small = x.abs() < 1
    y, series = torch.where(small, x, 0.0).square(), torch.ones_like(x)
    for k in range(9, 0, -1):  # 1 + y/3! + y^2/5! + ..., from the inside out
        series = 1 + series * y / (2 * k * (2 * k + 1))
    safe = torch.where(small, 1.0, x)
    return torch.where(small, series, torch.sinh(safe) / safe)
    ### END SOLUTION


# %% test="sinhc"
check(sinhc)
### BEGIN HIDDEN TESTS
check(sinhc, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-projx"
# ## 4 · A projection that moves nobody who is inside
#
# {{exercise:projx}}
#
# After a step a point may lie outside the ball, and has to be brought back. Published versions of this function leave
# points outside, move points that were fine because *another* point of the batch was outside, or flatten everything
# beyond distance 6.2.


# %% solution="projx"
def projx(x: Tensor, c: float, eps: float) -> Tensor:
    """The point x, brought into the ball if it is outside.

    Where c|x|^2 < 1 it is x itself, bit for bit; else it is the point at
    (1 - eps)/sqrt(c) from the origin, towards x. The gradient is that of
    this function: the identity inside, also at the origin; outside, a
    change of x along itself has no effect.

    Args:
        x: (..., n), any points of flat space.
        c: space has curvature -c.
        eps: the margin, a part of the radius; so large that the result
            lies strictly inside in spite of rounding.

    Returns:
        (..., n), points of the ball.
    """
    ### BEGIN SOLUTION
    square = c * (x * x).sum(-1, keepdim=True)
    outside = square >= 1
    return x * torch.where(outside, (1 - eps) / torch.where(outside, square, 1.0).sqrt(), 1.0)
    ### END SOLUTION


# %% test="projx"
check(projx)
### BEGIN HIDDEN TESTS
check(projx, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-radam_step"
# ## 5 · A step of Riemannian Adam
#
# {{exercise:radam_step}}
#
# Adam, for points of the ball, with $\beta_1 = 0.9$, $\beta_2 = 0.999$ and $\epsilon = 10^{-8}$. Four things change:
# the partial derivatives $g$ are not yet a gradient; the mean of squares is *one* number for each point, the mean of
# the squared length of the gradient; a step follows a geodesic; and the momentum is carried along. No gradient flows
# through this function.


# %% solution="radam_step"
def radam_step(
    x: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: int,
    c: float,
    lr: float,
) -> tuple:
    """One step of Riemannian Adam in the Poincare ball.

    `PoincareBall(c)` has `lambda_x`, `expmap` and `transp`. With the
    Riemannian gradient r of the partial derivatives g: m <- 0.9 m + 0.1 r
    and v <- 0.999 v + 0.001 |r|_x^2; x moves along the geodesic with
    velocity -lr m^ / (sqrt(v^) + 1e-8), where m^ = m / (1 - 0.9^t) and v^
    = v / (1 - 0.999^t); m is parallel transported to the new x.

    Args:
        x: (..., n), points of the ball.
        g: (..., n), partial derivatives of the loss with respect to x.
        m: (..., n), the momentum so far, tangent vectors at x.
        v: (...), the mean of squares so far.
        t: the number of this step, from 1 on.
        c: space has curvature -c.
        lr: the step size.

    Returns:
        The new x, the new m and the new v.
    """
    ### BEGIN SOLUTION
    ball = PoincareBall(c)
    factor = ball.lambda_x(x)
    r = g / factor.unsqueeze(-1) ** 2
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * factor**2 * (r * r).sum(-1)
    pace = lr / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    y = ball.expmap(x, -pace.unsqueeze(-1) * m)
    return y, ball.transp(x, y, m), v
    ### END SOLUTION


# %% test="radam_step"
check(radam_step)
### BEGIN HIDDEN TESTS
check(radam_step, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-descend"
# ## 6 · Bug 2: momentum that remembers
#
# {{exercise:descend}}
#
# Riemannian gradient descent with momentum: in every step $b \leftarrow \mu b + \operatorname{grad} f(x)$, with $b = 0$
# at the start, then $x \leftarrow \exp_x(-\eta\,b)$, and $b$ is parallel transported to the new point. Somebody wrote:


# %% id="found-descend"
def found_descend(x, gradients, c, lr, momentum):
    ball, buffer = PoincareBall(c), None
    for g in gradients.unbind(-2):
        r = ball.egrad2rgrad(x, g)
        if buffer is None:
            buffer = direction = r
        else:
            direction = momentum * buffer + r
        y = ball.expmap(x, -lr * direction)
        x, buffer = y, ball.transp(x, y, buffer)
    return x


x, g = torch.tensor([0.5, 0.0]), torch.tensor([[0.0, 1.0], [0.5, 0.5]])
end = found_descend(x, g, c=1.0, lr=0.5, momentum=0.9)
by_hand = torch.tensor([0.4814, -0.1686])
torch.testing.assert_close(end, by_hand, rtol=0, atol=1e-4)
print("all tests passed: two steps, compared with a calculation by hand")

# %% [markdown] id="about-descend-bug"
# The test is right, as far as it goes. What does the buffer hold after a hundred steps? Mend it.


# %% solution="descend"
def descend(
    x: Tensor,
    gradients: Tensor,
    c: float,
    lr: float,
    momentum: float,
) -> Tensor:
    """Where descent with momentum in the Poincare ball ends after T steps.

    In every step b <- momentum b + r with the Riemannian gradient r (b = 0
    before the first), x moves along the geodesic with velocity -lr b, and
    b is parallel transported to the new x.

    Args:
        x: (..., n), the starting points.
        gradients: (..., T, n), the partial derivatives of the loss at the
            points that are visited, in this order.
        c: space has curvature -c.
        lr: the step size.
        momentum: between 0 and 1.

    Returns:
        (..., n), the points after the last step.
    """
    ### BEGIN SOLUTION
    ball, b = PoincareBall(c), torch.zeros_like(x)
    for g in gradients.unbind(-2):
        b = momentum * b + ball.egrad2rgrad(x, g)
        y = ball.expmap(x, -lr * b)
        x, b = y, ball.transp(x, y, b)
    return x
    ### END SOLUTION


# %% test="descend"
check(descend)
### BEGIN HIDDEN TESTS
check(descend, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-dist0_by_hand"
# ## 7 · Bug 3: a derivative by hand
#
# {{exercise:dist0_by_hand}}
#
# A backward pass written by hand can be faster than autograd, and somebody has to check it. This one computes the
# distance from the origin in the ball, and its derivatives by $x$ and by $c$ (which is learned):


# %% id="found-by-hand"
def found_by_hand(x, c):
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    by_x = x / n.unsqueeze(-1) * (2 / gap).unsqueeze(-1)
    by_c = n / (c * gap)
    return d, by_x, by_c


x = torch.tensor([[0.3, 0.4], [-0.1, 0.2]], requires_grad=True)
d, by_x, _ = found_by_hand(x, 0.5)
(autograd,) = torch.autograd.grad(d.sum(), x)
torch.testing.assert_close(by_x, autograd)
print("all tests passed: the derivative is autograd's")

# %% [markdown] id="about-by-hand-bug"
# There is a wrong formula in it, and a place where a right formula gives NaN. The test looked at neither. Write a test
# that does (numerical derivatives: $(d(c+h) - d(c-h))/2h$), then mend the function.


# %% solution="dist0_by_hand"
def dist0_by_hand(x: Tensor, c: float) -> tuple:
    """The distance of x from the origin of the ball, and its derivatives.

    d = 2 asinh(sqrt(c)|x| / sqrt(1 - c|x|^2)) / sqrt(c). At the origin,
    where d has no derivative by x, it counts as 0.

    Args:
        x: (..., n), points of the ball.
        c: space has curvature -c.

    Returns:
        The distances (...), their partial derivatives by x (..., n), and
        by c (...).
    """
    ### BEGIN SOLUTION
    n = x.norm(dim=-1)
    gap = 1 - c * n * n
    d = 2 / math.sqrt(c) * torch.asinh(math.sqrt(c) * n / gap.sqrt())
    unit = x / torch.where(n > 0, n, 1.0).unsqueeze(-1)
    # c stands inside asinh and in the factor in front of it: two terms.
    return d, unit * (2 / gap).unsqueeze(-1), n / (c * gap) - d / (2 * c)
    ### END SOLUTION


# %% test="dist0_by_hand"
check(dist0_by_hand)
### BEGIN HIDDEN TESTS
check(dist0_by_hand, hidden=True)
### END HIDDEN TESTS

# %% [markdown] id="about-post_mortem"
# ## 8 · A post-mortem
#
# {{exercise:post_mortem}}
#
# Answer in at most 150 words. (A person reads this one.)
#
# > **Training died at step 412.** The loss was finite; in the next step every parameter was NaN. Our distance is
# > `2 * asinh(sqrt(c * ((x - y)**2).sum(-1) / gaps)) / sqrt(c)`, which we tested far out. The batch held two copies of
# > one photograph. Three patches were proposed: (a) `nan_to_num_()` on all gradients, (b) clip the norm of the
# > gradient to 1, (c) train in float64.
#
# What does each patch do? What is the cause? What would you do?

# %% [markdown] written="post_mortem"
# (a) makes the NaN gradient 0: no crash any more, but whatever it reaches is not trained in such a step, and nobody is
# told. (b) does nothing: the norm is NaN, and dividing by it makes *all* gradients NaN. (c) does nothing: equal points
# are equal in float64, too.
#
# The cause: the two copies are one point, so $x - y = 0$, and there the square root has an infinite slope, which the
# chain rule multiplies by 0. The value is right (0), so the loss looks fine; the gradient is NaN, and the step carries
# it into the parameters.
#
# I would mend the formula where it breaks: take the root of 1 in place of 0 and throw it away afterwards, so that the
# derivative at 0 is 0. Then add a test of the gradient at $x = y$, at the origin and far out, and let training stop at
# the first number that is not finite, with the name of the layer.

# %% [markdown] id="about-normal_dist"
# ## 9 · A distance without a rim
#
# {{exercise:normal_dist}}
#
# *A challenge for those who want one; it carries no points.* Normal coordinates have no rim: $n = d\,u$ is a distance
# times a direction. With the distances $d_1, d_2$ of two points from the origin and the angle $\varphi$ between them,
#
# $$\sinh^2\frac{\sqrt c\,d}{2} = \sinh^2\frac{\sqrt c\,(d_1 - d_2)}{2}
# + \sinh(\sqrt c\,d_1)\sinh(\sqrt c\,d_2)\,\sin^2\frac\varphi2.$$
#
# There is no difference in it that could lose digits, if you can avoid one in $d_1 - d_2$ and one in $\varphi$. And
# there is a place without a direction, the origin. The gradient there is the unit vector away from the other point. (A
# point that starts at the origin and gets the gradient 0 stays there for ever.)


# %% solution="normal_dist"
def normal_dist(m: Tensor, n: Tensor, c: float) -> Tensor:
    """The distance of two points, given by their normal coordinates.

    As exact as the coordinates allow, up to sqrt(c) d = 40 from the
    origin, also for points very close to each other. The gradient is 0 at
    m = n; if m is the origin and n is not, then the one with respect to m
    is -n/|n|.

    Args:
        m, n: (..., k), normal coordinates; their batches broadcast.
        c: space has curvature -c.

    Returns:
        (...), one distance for each pair.
    """

    ### BEGIN SOLUTION
    def ratio(d):  # sinh(d) / d
        return torch.where(d > 0, torch.sinh(d) / torch.where(d > 0, d, 1.0), 1.0)

    def where_positive(condition, x):
        return torch.where(condition > 0, x, 1.0)

    s = math.sqrt(c)
    a, b = s * m, s * n
    d1, d2, p = a.norm(dim=-1), b.norm(dim=-1), (a * b).sum(-1)
    products = a.unsqueeze(-1) * b.unsqueeze(-2)
    area = (products - products.mT).square().sum((-1, -2)) / 2
    # E = d1 d2 (1 - cos(angle)), without directions: nothing happens at the origin.
    E = torch.where(p > 0, area / where_positive(p, d1 * d2 + p), d1 * d2 - p)
    difference = ((a - b) * (a + b)).sum(-1) / where_positive(d1 + d2, d1 + d2)
    square = torch.sinh(difference / 2) ** 2 + ratio(d1) * ratio(d2) * E / 2
    root = torch.where(square > 0, where_positive(square, square).sqrt(), 0.0)
    return 2 / s * torch.asinh(root)
    ### END SOLUTION


# %% test="normal_dist"
check(normal_dist)
### BEGIN HIDDEN TESTS
check(normal_dist, hidden=True)
### END HIDDEN TESTS
