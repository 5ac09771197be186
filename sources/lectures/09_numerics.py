# %% [markdown] id="title"
# # 09 · Fast and stable
#
# **Question.** On paper hyperbolic space has no end, every chart shows the same world, and a gradient is a gradient.
# Why do hyperbolic networks end in NaN, and what has to be done so that they do not?
#
# **After this lecture you can**
#
# - *predict* from the bits of a number how far a chart reaches, and *measure* it,
# - *find* the difference that eats the digits of a formula, and *rewrite* it,
# - *derive* Riemannian SGD and Adam, and *decide* whether you need them,
# - *diagnose* a NaN: symptom, cause, cure,
# - *say* what a learned curvature means, and when it means nothing.
#
# **You need** the ball (lecture 04) and the maps (lecture 03); how Adam works in flat space.
#
# **Reading time:** 60 minutes. **Running time:** under a minute on two CPU cores.
#
# **Exercises:** [09_numerics](../exercises/09_numerics/09_numerics.ipynb);
# get your own copy with `hyplearn start 09_numerics`.

# %% id="setup"
import math
import time

import mpmath as mp  # comes with torch
import torch
from torch import nn

import hyplearn as hl
from hyplearn import layers, metrics, optim, reach, training, viz
from hyplearn.data import balanced_tree
from hyplearn.viz.bits import bit_string

torch.set_default_dtype(torch.float64)
close = torch.testing.assert_close
ball, sheet = hl.PoincareBall(1.0), hl.Lorentz(1.0)
normal = hl.NormalCoordinates(1.0)
half, single = torch.bfloat16, torch.float32
full = False  # True: a larger tree, more seeds, longer runs


# %% [markdown] id="bits"
# ## 1 · What a number can hold
#
# A point of the ball at distance 6 from the centre ($c = 1$) has the radius 0.99505. Here is what a computer keeps of
# it in the two formats in which networks are trained: a sign, a power of two, and binary digits between that power and
# the next. A bfloat16 is the first half of a float32, rounded.

# %% id="draw-bits"
radius = math.tanh(3)
viz.show(
    viz.bits(radius, half),
    alt="The sixteen bits that bfloat16 keeps of the radius of the point "
    "at distance 6: sign 0, exponent 126, fraction 127: 0.99609375.",
)
for dtype in (single, half):
    code = bit_string(radius, dtype)
    print(f"{str(dtype)[6:]:9} {code[0]} {code[1:9]} {code[9:]}")


# %% [markdown] id="decode-text"
# Decoded by hand, and read as distances:


# %% id="decode"
def decode(value, dtype):
    kind, bits = {single: (torch.int32, 23), half: (torch.int16, 7)}[dtype]
    code = torch.tensor(value, dtype=dtype).view(kind).item()
    power, fraction = code >> bits, code & (2**bits - 1)
    return 2.0 ** (power - 127) * (1 + fraction / 2**bits)


for dtype in (single, half):
    r = decode(radius, dtype)
    assert r == torch.tensor(radius, dtype=dtype).item()
    print(f"{dtype}: {r:.9f}, at distance {2 * math.atanh(r):.6f}")

# %% [markdown] id="predict-formats"
# Sixteen bits have moved the point by 0.24. The digits count from the leading bit, so what matters is *where
# a chart puts infinity*:
#
# | chart | a point at distance $d$ ($c = 1$) | infinity is at | what is spent on it |
# |---|---|---|---|
# | ball | $\tanh(d/2)$ | 1 | digits |
# | Klein | $\tanh d$ | 1 | digits, twice as fast |
# | half-space | height $e^{-d}$ | 0 | exponents |
# | hyperboloid | $\sinh d$ | $\infty$ | exponents |
# | normal coordinates | $d$ | $\infty$ | nothing |
#
# Below 1 the last number is $1 - u$, with $u = 2^{-8}$ in bfloat16, $2^{-11}$ in float16, $2^{-24}$ in float32 and
# $2^{-53}$ in float64. At the other end stand the smallest and the largest number, $10^{\pm38}$ in bfloat16 and
# float32. Setting the coordinate equal to the last number gives
#
# $$d_{\text{ball}} = \log\frac{2-u}{u},\qquad d_{\text{Klein}} = \tfrac12\,d_{\text{ball}},\qquad
# d_{\text{half-space}} = -\log(\text{smallest}),\qquad d_{\text{hyperboloid}} = \log(2\cdot\text{largest}).$$
#
# *In words:* the rim is where the numbers end.
#
# > **Predict, then run (1).** Which charts reach farther in bfloat16 than the ball does in float64? (By what the
# > distance *from the origin* needs; neighbours are the next question.)


# %% id="search"
def last_radius(chart, dtype):
    """The farthest d that can be read back to 5 %, before it fails."""
    d = torch.arange(0.1, 800, 0.1)
    n = d[:, None] * torch.tensor([0.6, 0.8])
    stored = chart.from_normal(n).to(dtype)
    read = chart.dist0(stored.double())
    good = ((read / d - 1).abs() < 0.05).long()
    return d[good.cumprod(0).sum() - 1].item()


def theory(name, dtype):
    info = torch.finfo(dtype)
    rim = math.log(4 / info.eps - 1)  # u = eps / 2
    return {
        "PoincareBall": rim,
        "Klein": rim / 2,
        "HalfSpace": -math.log(info.tiny),
        "Lorentz": math.log(2) + math.log(info.max),
    }.get(name, math.inf)


# %% id="reach-table" tolerance=0.03
charts = hl.PoincareBall, hl.Klein, hl.HalfSpace, hl.Lorentz
charts = *charts, hl.NormalCoordinates
formats = half, torch.float16, single, torch.float64
print(f"{'theory | found':18}", *(f"{str(t)[6:]:>13}" for t in formats))
for chart in charts:
    row = f"{chart.__name__:18}"
    for dtype in formats:
        end = last_radius(chart(1.0), dtype)
        row += f" {theory(chart.__name__, dtype):6.1f}|{end:6.1f}"
    print(row)

# %% [markdown] id="reach-answer"
# Half-space, hyperboloid and normal coordinates: all three. The ends are where the theory puts them, to a few percent.
# Half-spaces go a little beyond, on subnormal numbers; in float16 the largest number is 65504, so the hyperboloid ends
# at 12; normal coordinates have no end (800 is where we stopped to look). In float64 the library itself stops at 345,
# since functions of *two* points multiply two such numbers.
#
# Is the ball out of the race, then? So far we asked for *depth*. Two neighbours, 1 apart, differ in *direction* by an
# angle of about $e^{-d}$, and a direction is made of digits in every chart.
#
# > **Predict, then run (2).** How far out can two points that are 1 apart be told apart to 1 %, in float32: in the
# > ball, on the hyperboloid, in normal coordinates?

# %% id="neighbours" tolerance=0.03
print(f"{'neighbours':18}", *(f"{str(t)[6:]:>9}" for t in formats))
for chart in charts:
    ends = [reach.usable_radius(chart(1.0), t)[3] for t in formats]
    print(f"{chart.__name__:18}", *(f"{d:9.1f}" for d in ends))
bound = [-math.log(torch.finfo(t).eps / 2) for t in formats]
print(f"{'-log(u)':18}", *(f"{d:9.1f}" for d in bound))

# %% [markdown] id="neighbours-answer"
# **13 in every chart but Klein**, 32 in float64, and 2 in bfloat16: no chart can beat the digits of a direction. (With
# 1 % asked for, the end comes $\log 100 \approx 4.6$ before $-\log u$.) So keep *points* in float32 at least, and only
# products of matrices in bfloat16. What charts differ in is depth, and what a formula makes of their digits.
#
# ## 2 · Formulas: find the difference
#
# Lecture 03 measured distances of points side by side. Now one stands *behind* the other, at $d - \frac12$ and
# $d + \frac12$, and we measure the formula alone: coordinates are rounded to float32, and the exact distance *of the
# rounded points* is computed with 80 digits. Four textbook formulas, all with $c = 1$:


# %% id="formulas"
def lift(s):
    return (1 + (s * s).sum(-1)).sqrt()


def by_product(p, q):
    return (lift(p) * lift(q) - (p * q).sum(-1)).acosh()


def by_difference(p, q):
    Q = ((p - q) ** 2).sum(-1) - (lift(p) - lift(q)) ** 2
    return 2 * (Q.sqrt() / 2).asinh()


def ball_asinh(x, y):
    gx, gy = 1 - (x * x).sum(-1), 1 - (y * y).sum(-1)
    return 2 * ((x - y).norm(dim=-1) / (gx * gy).sqrt()).asinh()


def law_of_cosines(m, n):
    a, b = m.norm(dim=-1), n.norm(dim=-1)
    cosine = (m * n).sum(-1) / (a * b)
    return (a.cosh() * b.cosh() - a.sinh() * b.sinh() * cosine).acosh()


# %% id="exact"
def exact_space(chart, x):
    """The point on the hyperboloid, in 80 digits."""
    x = [mp.mpf(z) for z in x.tolist()]
    r = mp.sqrt(sum(z * z for z in x))
    stretch = {sheet: 1, ball: 2 / (1 - r * r), normal: mp.sinh(r) / r}
    return [stretch[chart] * z for z in x]


def exact_distance(chart, x, y):
    p, q = exact_space(chart, x), exact_space(chart, y)
    t = [mp.sqrt(1 + sum(z * z for z in s)) for s in (p, q)]
    inner = sum(a * b for a, b in zip(p, q, strict=True))
    return mp.acosh(t[0] * t[1] - inner)


def relative_error(chart, formula, d):
    u = torch.tensor([0.6, 0.8])
    n = torch.stack(((d - 0.5) * u, (d + 0.5) * u))
    x, y = chart.from_normal(n)[:, -2:].float()
    with mp.workdps(80):
        true = exact_distance(chart, x, y)
        return float(abs(formula(x, y).item() - true) / true)


# %% [markdown] id="predict-formulas"
# > **Predict, then run (3).** Which of the four is right to 1 % at $d = 8$? How do they fail: slowly, or at once?


# %% id="errors" tolerance=1.0
def of_library(p, q):
    both = torch.stack((p, q))
    return sheet.dist(*torch.cat((lift(both)[:, None], both), -1))


textbook = {
    "hyperboloid: acosh(tt' - <p,q>)": (sheet, by_product),
    "hyperboloid: |p-q|² - (t-t')²": (sheet, by_difference),
    "normal: law of cosines": (normal, law_of_cosines),
    "ball: asinh": (ball, ball_asinh),
}
library = {"hyperboloid": (sheet, of_library)}
library |= {"ball": (ball, ball.dist), "normal": (normal, normal.dist)}
radii = torch.arange(1.0, 15.01, 0.25)
curves = {}
for name, (chart, formula) in (textbook | library).items():
    curves[name] = [relative_error(chart, formula, d) for d in radii]
for name in textbook:
    print(f"{name:32} at d = 8: off by {curves[name][28]:.0e}")
worst = max(max(curves[name]) for name in library)
print(f"{'the library, all three charts':32} worst: off by {worst:.0e}")

# %% id="draw-errors"
figure, ax = viz.chart(6.2, 3.4)
for name, dash in zip(textbook, ("-", "--", "-.", ":"), strict=True):
    ax.semilogy(radii, curves[name], dash, label=name)
for name in library:
    ax.semilogy(radii, curves[name], color=viz.COLORS["grey"], lw=1.0)
ax.text(9.4, 2.5e-7, "the library's three", color=viz.COLORS["grey"])
ax.set(xlabel="distance $d$ from the origin", ylim=(1e-9, 30))
ax.set_ylabel("relative error, float32")
ax.legend(loc="upper left", fontsize=10)
viz.show(
    figure,
    alt="Relative error against distance from the origin. Both formulas "
    "of the hyperboloid and the law of cosines climb as e to the 2d and "
    "are useless from 9 on, the asinh formula of the ball climbs as e to "
    "the d, the library's three stay at one rounding.",
)

# %% [markdown] id="errors-answer"
# Only the ball's. The other three are *differences of large numbers*: at $d = 8$ both terms of
# $tt' - \langle p, q\rangle$ are about $e^{16}/4 = 2\cdot10^6$, their difference is $\cosh 1 = 1.54$, and float32 has
# seven digits. That costs $e^{2d}$. The ball's $1 - |x|^2$ costs $e^d$. The library's lines are flat, from *the same
# coordinates*. What does it do?
#
# **Multiply out until no difference is left.** For instance the height above the origin, $t - 1$, where
# $t = \sqrt{1 + |s|^2}$:
#
# $$t - 1 = \frac{(t-1)(t+1)}{t+1} = \frac{|s|^2}{t + 1}.$$
#
# *In words:* a difference of squares is known without subtracting, so trade the difference for a sum.

# %% id="multiply-out"
for size in (1e-1, 1e-3, 1e-4):
    s = torch.tensor([size, 0.0], dtype=single)
    t, true = lift(s), lift(s.double()) - 1
    traded = (s * s).sum() / (t + 1)
    print(f"t - 1: {t - 1:.4e}, |s|²/(t+1): {traded:.4e}, true: {true:.4e}")

# %% [markdown] id="recipe"
# Everything accurate in the library is made with this and three more moves:
#
# 1. **Start from the difference of the points**, $D = x - y$, which floating point subtracts without error if they are
#    near; never from $|x|^2 - 2\langle x, y\rangle + |y|^2$.
# 2. **`asinh` in place of `acosh`.** acosh must know $1 + \text{tiny}$, asinh knows the tiny.
# 3. **Compute inside in float64, round once.** For float32 points that cures $1 - |x|^2$ altogether. (For float64
#    points there is no wider type; there `numerics.one_minus_csq` carries the rounding errors along.)
#
# In exercise 2 you do it to $|p-q|^2 - (t-t')^2$.
#
# ## 3 · Gradients: two bad places
#
# A value may be right where its gradient is not. Two places are bad in every chart: coincident points, where
# $d(x, y)$ has a kink (a cone with its tip at 0), and the origin, where directions do not exist. At the first the
# right choice is the gradient 0; at the second there *is* a right one, the unit vector away from the other point.


# %% id="coincident"
def ratio(x, y):
    gx, gy = 1 - (x * x).sum(-1), 1 - (y * y).sum(-1)
    return ((x - y) ** 2).sum(-1) / (gx * gy)


def by_acosh(x, y, least=1.0):
    return (1 + 2 * ratio(x, y)).clamp_min(least).acosh()


def by_asinh(x, y, extra=0.0):
    return 2 * (ratio(x, y) + extra).sqrt().asinh()


distances = {
    "acosh(1 + 2r)": by_acosh,
    "the same, clamped at 1 + 1e-8": lambda *z: by_acosh(*z, 1 + 1e-8),
    "2 asinh(sqrt r)": by_asinh,
    "2 asinh(sqrt(r + 1e-8))": lambda *z: by_asinh(*z, 1e-8),
    "library": ball.dist,
}

# %% [markdown] id="predict-gradient"
# > **Predict, then run (4).** At $x = y$ the distance should be 0 and the gradient finite. Which of the five pass, in
# > float32? And in float64?

# %% id="coincident-run" tolerance=0.01
print(f"{'at x = y':30} float32: d, slope      float64: d, slope")
for name, distance in distances.items():
    row = f"{name:30}"
    for dtype in (single, torch.float64):
        x = torch.tensor([0.3, 0.4], dtype=dtype, requires_grad=True)
        d = distance(x, x.detach().clone())
        (g,) = torch.autograd.grad(d, x)
        row += f" {d.item():10.1e} {g[0].item():8.0e}  "
    print(row)

# %% [markdown] id="coincident-answer"
# Only the library's. Note the second line: $1 + 10^{-8}$ *is* 1 in float32, so this clamp, found in published code,
# protects nothing there; in float64 it does. The fourth line has a finite gradient and a
# wrong distance: every pair that is closer than $10^{-4}$ looks $2\cdot10^{-4}$ apart.
#
# Why NaN, and not a large number? The chain rule multiplies the slope of the root, $\infty$, by the slope of
# $|x-y|^2$, which is 0. So the cure must act *before* the root:
#
# ```python
# safe = torch.where(r > 0, r, 1.0)  # harmless in both branches
# root = torch.where(r > 0, safe.sqrt(), 0.0)  # 0 with slope 0 at 0
# ```
#
# `torch.where(r > 0, r.sqrt(), 0)` alone has the right value, and NaN for a gradient: the branch that is thrown away is
# differentiated all the same.
#
# Now the origin, in normal coordinates. There the same trick, applied to $n/|n|$, has a price.


# %% id="origin"
def unit(n):
    size = n.norm(dim=-1, keepdim=True)
    safe = torch.where(size > 0, size, 1.0)
    return torch.where(size > 0, n / safe, 0.0), size.squeeze(-1)


def haversine(m, n):
    """Right values everywhere, finite gradients everywhere."""
    (u, a), (v, b) = unit(m), unit(n)
    h = ((a - b) / 2).sinh() ** 2
    h = h + a.sinh() * b.sinh() * ((u - v) ** 2).sum(-1) / 4
    root = torch.where(h > 0, torch.where(h > 0, h, 1.0).sqrt(), 0.0)
    return 2 * root.asinh()


other = torch.tensor([0.6, 0.8])
for where in (0.0, 1e-6):
    m = torch.tensor([where, 0.0], requires_grad=True)
    for name, f in (("haversine", haversine), ("library", normal.dist)):
        (g,) = torch.autograd.grad(f(m, other), m)
        g = [round(z, 4) for z in g.tolist()]
        print(f"m = ({where:5g}, 0), {name:9}: {g}")

# %% [markdown] id="origin-answer"
# Finite, and *wrong*: at the origin itself the gradient is 0, a hair beside it $-u$. A point that starts at the origin
# (where else does one start?) never moves, and nobody sees a NaN. The library never forms a direction, so nothing
# special happens there. A finite gradient is not yet a right one: **test gradients against their limits.**
#
# ## 4 · Projection and clipping
#
# Because of the rim, published code for the ball pulls points back after each operation, in float32 usually to
# $|x| \le (1 - 0.004)/\sqrt c$.
#
# > **Predict, then run (5).** A tree of depth 12 has edges of length 1, and its root in the centre. How many of its
# > levels can this code tell apart?


# %% id="clip" tolerance=0.01
def pull_back(x, eps=4e-3):
    n = x.norm(dim=-1, keepdim=True)
    return torch.where(n > 1 - eps, x / n * (1 - eps), x)


print("level   after the clip   slope   library, float32")
for level in (5.0, 6.0, 7.0, 9.0, 12.0, 16.0):
    d = torch.tensor(level, requires_grad=True)
    x = (d / 2).tanh() * torch.tensor([0.6, 0.8])
    seen = ball.dist0(pull_back(x))
    (slope,) = torch.autograd.grad(seen, d)
    kept = ball.dist0(ball.projx(x.detach().float()))
    row = seen.item(), abs(slope.item()), kept.item()
    print(f"{level:5} {row[0]:14.3f} {row[1]:9.3f} {row[2]:12.3f}")

# %% [markdown] id="clip-answer"
# Six. All below is one sphere, at 6.213, which is where **bfloat16** ends: these programs compute in float32 and use it
# like bfloat16. And the slope is 0: whatever the loss says about depth, a point that was pulled back does not hear it.
#
# A good projection moves nobody who is inside (exercise 4). If you want a limit, set it yourself, in the only unit
# that means something: a *radial clip*, $d \le 12/\sqrt c$, direction kept (`layers.HClip`, or `clip=12` in every
# layer). It is there for training, not for the number format: see the clinic.
#
# ## 5 · A partial derivative is not an arrow
#
# `loss.backward()` returns how much the loss changes per unit of each *coordinate*. That depends on the chart. Take one
# point at distance 4 and one loss (the distance to a target), write both in four charts, and do what `torch.optim.SGD`
# does: subtract $0.1$ times the partial derivatives.

# %% [markdown] id="predict-charts"
# > **Predict, then run (6).** The loss is a distance, so its gradient has length 1, and a step of 0.1 should go 0.1
# > downhill. How far does it go in each chart?

# %% id="partials" tolerance=0.01
n, target = torch.tensor([2.4, 3.2]), torch.tensor([2.0, -1.0])
print("chart             |partials|  plain step  Riemannian  ends at")
for M in (ball, hl.HalfSpace(1.0), sheet, normal):
    x, goal = M.from_normal(n).requires_grad_(), M.from_normal(target)
    (g,) = torch.autograd.grad(M.dist(x, goal), x)
    x = x.detach()
    plain = M.dist(x, M.projx(x - 0.1 * g))
    y = M.expmap(x, -0.1 * M.egrad2rgrad(x, g))
    end = [round(z, 6) for z in M.to_normal(y).tolist()]
    lengths = f"{g.norm():9.3f} {plain:11.4f} {M.dist(x, y):11.4f}"
    print(f"{type(M).__name__:18}{lengths}  {end}")

# %% [markdown] id="partials-answer"
# In the ball 39 (it flew out and was put on the rim), in the half-space 1.4, on the hyperboloid 0.004, in normal
# coordinates 0.2. **Same point, same loss, same rate.** This is what is meant by "Lorentz has better gradients than the
# ball" (or worse ones): the *chart* has, for an optimiser that takes partial derivatives for arrows.
#
# The last two columns do it right, and do not depend on the chart. A metric $G_x$ turns partial derivatives
# $\partial f$ into the arrow of steepest ascent:
#
# $$\operatorname{grad} f(x) = G_x^{-1}\,\partial f,\qquad\text{in the ball}\quad
# \operatorname{grad} f = \Big(\frac{1 - c|x|^2}{2}\Big)^2\partial f.$$
#
# *Why:* the gradient is defined by $\langle\operatorname{grad} f, v\rangle_x = \partial f\cdot v$ for every $v$, and
# the left side is $(G_x\operatorname{grad} f)\cdot v$. In the ball $G_x = \lambda_x^2 I$. **Riemannian SGD** (Bonnabel
# 2013) then walks along the geodesic:
#
# $$x \leftarrow \exp_x\big(-\eta\operatorname{grad} f(x)\big).$$
#
# *In words:* look downhill with the ruler of the place, then walk straight on.

# %% id="rsgd"
c = 0.5
world = hl.PoincareBall(c)
x = nn.Parameter(torch.tensor([[0.8, 0.3], [-0.2, 0.9]]))
world.dist(x, torch.tensor([0.1, -0.5])).square().sum().backward()
shrink = (1 - c * (x * x).sum(-1, keepdim=True)) / 2
step = world.expmap(x.data, -0.1 * shrink**2 * x.grad)
optim.RiemannianSGD([x], lr=0.1, manifold=world).step()
close(x.data, step)
print("by hand and by optim.RiemannianSGD:")
print(step)

# %% [markdown] id="radam-text"
# **Riemannian Adam** (Bécigneul and Ganea 2019), step by step. Adam keeps a running mean $m$ of gradients and $v$ of
# their squares, and walks $-\eta\,\hat m/(\sqrt{\hat v} + \epsilon)$. What becomes of each?
#
# 1. *The gradient* is $r = \operatorname{grad} f(x)$, as above.
# 2. *The mean of squares.* Adam squares each coordinate. But a point of curved space has no preferred axes: turn the
#    world by 45°, and coordinate-wise Adam walks another way. What does not depend on axes is the length, so $v$ is
#    *one number for each point*, the mean of $|r|_x^2 = \partial f\cdot r$.
# 3. *The step* follows the geodesic.
# 4. *The mean of gradients* is a sum of arrows at different points, which makes no sense (lecture 04, the last thing
#    said about transport). So after each step $m$ is carried along to the new point.


# %% id="radam"
def radam_step(M, x, g, m, v, t, lr):
    r = M.egrad2rgrad(x, g)
    m = 0.9 * m + 0.1 * r
    v = 0.999 * v + 0.001 * (g * r).sum(-1, keepdim=True)
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    y = M.expmap(x, -lr * m_hat / (v_hat.sqrt() + 1e-8))
    return y, M.transp(x, y, m), v


goal = torch.tensor([0.1, -0.5])
p = nn.Parameter(torch.tensor([[0.8, 0.3], [-0.2, 0.9]]))
optimizer = optim.RiemannianAdam([p], lr=0.1, manifold=world)
y, m, v = p.data.clone(), torch.zeros(2, 2), torch.zeros(2, 1)
for t in range(1, 11):
    p.grad = None
    world.dist(p, goal).square().sum().backward()
    y, m, v = radam_step(world, y, p.grad, m, v, t, lr=0.1)
    optimizer.step()
    close(p.data, y)
print("ten steps, by hand and by optim.RiemannianAdam:")
print(y)

# %% id="axes"
turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
start = torch.tensor([[0.8, 0.3], [-0.2, 0.9]])


def after_steps(make, q, steps=10):
    """Where the points end if the world is turned by q, seen unturned."""
    p = nn.Parameter(start @ q)
    optimizer = make([p])
    for _ in range(steps):
        optimizer.zero_grad()
        world.dist(p, goal @ q).square().sum().backward()
        optimizer.step()
    return p.data @ q.T


makers = {
    "torch Adam": lambda p: torch.optim.Adam(p, 0.02),
    "Riemannian": lambda p: optim.RiemannianAdam(p, 0.1, manifold=world),
}
for name, make in makers.items():
    ends = [after_steps(make, q) for q in (torch.eye(2), turn)]
    off = world.dist(*ends).max()
    print(f"{name}, turned and unturned world: {off:.6f} apart")

# %% [markdown] id="retraction"
# ## 6 · Retraction: the cheap step
#
# Nickel and Kiela (2017) step without the geodesic: $x \leftarrow \operatorname{proj}(x + v)$, a *retraction*. It
# agrees with $\exp_x$ to first order.
#
# > **Predict, then run (7).** At $d = 6$ in the ball, a step of length 1 straight outwards. Where does it end: with
# > $\exp$ at 7, and with the retraction?

# %% id="retraction-run" tolerance=0.01
u = torch.tensor([0.6, 0.8])
print("             step:      0.01      0.1       0.5       1.0")
for d in (1.0, 6.0):
    x = math.tanh(d / 2) * u
    for kind, way in (("out", u), ("across", torch.tensor([-0.8, 0.6]))):
        row = f"d = {d:.0f}, {kind:7}"
        for length in (0.01, 0.1, 0.5, 1.0):
            v = length * way / ball.lambda_x(x)
            off = ball.dist(ball.retr(x, v), ball.expmap(x, v))
            row += f"{off:10.5f}"
        print(row)

# %% [markdown] id="retraction-answer"
# A tenth of the step, a hundredth of the error: first order. But the rim is near. At distance $d$ it is about $2e^{-d}$
# away in the picture, and a step of length 1 has nearly that length there: it ends at 12, **twice** as far as it began,
# and a little longer one leaves the ball, *however far out it starts*. Retractions want steps well below 1. Section 9
# says what the geodesic costs more: not much.
#
# ## 7 · The right chart can replace the Riemannian optimiser
#
# Riemannian optimisers are there because the ball has a rim and a bad ruler. Normal coordinates have no rim, are valid
# for every $c$, and their ruler is right along rays. Mishne et al. (2023) propose what they call a *Euclidean
# parametrization*; ours is this: optimise $n \in \mathbb R^k$ with whatever `torch.optim` has. Is that as good?
# Measure.
#
# The task: a tree of 121 nodes (three children each, depth 4) in three dimensions. For each pair (node, ancestor) the
# ancestor should be nearer than all unrelated nodes; the score is the mean average precision (MAP) of that ranking, 1
# is perfect. All methods see the same loss and the same starts; each may choose among three rates on one seed, and is
# then judged on two others.

# %% id="task"
tree = balanced_tree(3, 5 if full else 4)
pairs, count = tree.closure, len(tree)
related = torch.eye(count, dtype=torch.bool)
child, parent = pairs.T
related[child, parent] = related[parent, child] = True


def contrast(D):
    """-log of the softmax of -D over the ancestor and all unrelated."""
    others = (-D).masked_fill(related, -math.inf).logsumexp(1)[child]
    true = -D[child, parent]
    return (torch.logaddexp(true, others) - true).mean()


def precision(D):
    return metrics.rank_metrics(lambda i: D[i].clone(), pairs, count)[1]


# %% id="train-one"
def train(M, make, seed, steps=200, project=False):
    """(loss, MAP, farthest point) after training; inf if it broke."""
    rng = torch.Generator().manual_seed(seed)
    start = 0.1 * torch.randn(count, 3, generator=rng)
    x = nn.Parameter(M.from_normal(start))
    optimizer = make([x])
    for _ in range(steps):
        optimizer.zero_grad()
        loss = contrast(M.cdist(x, x))
        loss.backward()
        optimizer.step()
        if project:
            x.data = M.projx(x.data)
    if not loss.isfinite():
        return math.inf, 0.0, math.nan
    x = x.detach()
    return loss.item(), precision(M.cdist(x, x)), M.dist0(x).max().item()


# %% [markdown] id="predict-race"
# > **Predict, then run (8).** Two of the seven hyperbolic lines below will be *equal*, to all digits. Which? And will
# > plain SGD in normal coordinates, which ignores the metric, be worse than Riemannian SGD?


# %% id="race" tolerance=0.15
def rsgd(M, **options):
    def at(lr):
        return lambda p: optim.RiemannianSGD(p, lr, manifold=M, **options)

    return at


def radam(M):
    return lambda lr: lambda p: optim.RiemannianAdam(p, lr, manifold=M)


def plain(kind):
    return lambda lr: lambda p: kind(p, lr=lr)


SGD, Adam, flat = torch.optim.SGD, torch.optim.Adam, hl.Euclidean()
methods = {
    "ball, Riemannian SGD": (ball, rsgd(ball), (3, 10, 30)),
    "ball, retraction": (ball, rsgd(ball, retraction=True), (3, 10, 30)),
    "ball, Riemannian Adam": (ball, radam(ball), (0.03, 0.1, 0.3)),
    "ball, Adam + projection": (ball, plain(Adam), (0.001, 0.003, 0.01)),
    "normal, Riemannian SGD": (normal, rsgd(normal), (3, 10, 30)),
    "normal, SGD": (normal, plain(SGD), (10, 30, 100)),
    "normal, Adam": (normal, plain(Adam), (0.03, 0.2, 1.0)),
    "flat, Adam": (flat, plain(Adam), (0.003, 0.03, 0.3)),
}
print(f"{'':26}   rate    loss     MAP   farthest")
for name, (M, make, rates) in methods.items():
    fix = "projection" in name
    losses = [train(M, make(lr), seed=0, project=fix)[0] for lr in rates]
    best = rates[losses.index(min(losses))]
    seeds = range(1, 6 if full else 3)
    runs = [train(M, make(best), seed=k, project=fix) for k in seeds]
    row = torch.tensor(runs).mean(0).tolist()
    print(f"{name:26}{best:7g}{row[0]:8.2f}{row[1]:8.3f}{row[2]:9.1f}")

# %% [markdown] id="race-answer"
# 1. **The two lines of Riemannian SGD are equal**: it does not know in which chart it works. That is what "Riemannian"
#    buys, and it is worth having: nothing to tune when the chart changes.
# 2. **Being right about the metric is not being fast.** Plain SGD in normal coordinates turns far points
#    $(\sinh d/d)^2$ times as much as Riemannian SGD does, and here that helps: far out, Riemannian steps hardly change
#    the order of the directions.
# 3. **The rim is the problem, not Adam.** Adam with projection in the ball puts points on the rim (35.6, the end of
#    float64) and loses; the same Adam in normal coordinates is the best line of all.
# 4. Flat space of the same dimension has no room for the tree: .45.
#
# So: **give points normal coordinates and any optimiser you like.** A Riemannian optimiser is needed where the chart is
# given (a pretrained ball, a Lorentz layer). This is one small tree, three dimensions, three seeds, one loss; do not
# read a ranking of optimisers into it. What it does show is that the right chart can do what the Riemannian optimiser
# was for.
#
# ## 8 · Learned curvature, and how it collapses
#
# $c$ is one more number to learn; why not? First: what can it do? Distances scale,
# $d_c(m, n) = d_1(\sqrt c\,m, \sqrt c\,n)/\sqrt c$. So if the model has a factor $\tau$ on its distances (a
# temperature, as in every contrastive loss), then $(c, n, \tau)$ and $(kc,\ n/\sqrt k,\ \sqrt k\,\tau)$ are **one
# model**: the curvature is not a property of the data at all, but of the unit of length.

# %% id="same-model"
rng = torch.Generator().manual_seed(0)
n, tau = torch.randn(count, 3, generator=rng), 2.0
for k in (1.0, 4.0, 100.0):
    world = hl.NormalCoordinates(k)
    m = n / math.sqrt(k)
    loss = contrast(math.sqrt(k) * tau * world.cdist(m, m))
    print(f"c = {k:5g}: loss {loss:.12f}")

# %% [markdown] id="predict-collapse"
# Without a temperature, $c$ *is* the temperature. Now add what most networks have, a limit on $\sqrt c\,d$ (the rim of
# the format, a clip, a margin), and learn both.
#
# > **Predict, then run (9).** The loss prefers large differences of distances. Points may go to $\sqrt c\,d = 3$ at
# > most. Where does $c$ go, from 1 on?


# %% id="collapse" tolerance=0.15
def learn_curvature(c0, limit, temperature, steps=800 if full else 400):
    """The course of c, and the last loss and temperature."""
    curvature = hl.Curvature(c0, learnable=True)
    M = hl.NormalCoordinates(curvature)
    rng = torch.Generator().manual_seed(0)
    scale = nn.Parameter(torch.zeros(()), requires_grad=temperature)
    x = nn.Parameter(0.1 / c0**0.5 * torch.randn(count, 3, generator=rng))
    optimizer = torch.optim.Adam(
        [{"params": [x], "lr": 0.03 / c0**0.5}, {"params": [scale]},
         {"params": curvature.parameters()}], lr=0.03
    )  # fmt: skip
    course = []
    for _ in range(steps):
        size = x.norm(dim=-1, keepdim=True)
        inside = (limit / M.c.sqrt() / size).clamp_max(1.0) * x
        loss = contrast(scale.exp() * M.cdist(inside, inside))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(M.c.item())
    return course, loss.item(), scale.exp().item()


runs = {}
settings = (1.0, False), (0.1, True), (1.0, True), (10.0, True)
for c0, temperature in settings:
    runs[c0, temperature] = learn_curvature(c0, 3.0, temperature)
    course, loss, tau = runs[c0, temperature]
    told = f"tau {tau:4.1f}, tau/sqrt c {tau / course[-1] ** 0.5:.1f}"
    print(f"c from {c0:4} to {course[-1]:6.3f}: {told}, loss {loss:.2f}")

# %% id="draw-collapse"
figure, ax = viz.chart(6.0, 2.9)
dashes = dict(zip(settings, ("-", "--", "-.", ":"), strict=True))
for (c0, temperature), dash in dashes.items():
    label = f"from {c0:g}, {'a' if temperature else 'no'} temperature"
    color = None if temperature else viz.COLORS["red"]
    ax.semilogy(runs[c0, temperature][0], dash, color=color, label=label)
ax.set(xlabel="step", ylabel="curvature $c$", ylim=(0.08, 900))
ax.legend(fontsize=10, ncols=2, loc="upper right")
viz.show(
    figure,
    alt="The learned curvature over the steps, on a logarithmic axis. "
    "Without a temperature it rises, then falls on and on. With a learned "
    "one, three runs from 0.1, 1 and 10 keep three curvatures.",
)

# %% [markdown] id="collapse-answer"
# Without a temperature $c$ **collapses**: within the limit, distances can only grow if $1/\sqrt c$ does, so the loss
# pulls $c$ down for ever, and the curvature ends as a bad temperature. A paper that reports "the learned curvature is
# 0.05" may have reported this. With a learned temperature, $c$ is decided by the start: three runs, three curvatures.
# What the data decide is $\tau/\sqrt c$, which comes out nearly the same.
#
# *What to do.* Fix $c$ and learn a temperature. If $c$ must be learned: in log space (`Curvature(1.0, learnable=True)`:
# a step is a factor, and the start is exactly what you asked for), with a small rate, and look at $\sqrt c\,d$, the
# only combination that says how curved the region is that your data live in.
#
# ## 9 · What it costs
#
# Ratios of times in the same run, forward and backward, for 20,000 pairs of points in 10 dimensions, float32, one
# thread; 1 is the flat `(x - y).norm()`.


# %% id="clock" tolerance=1.0
def clock(work, rounds=5):
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def both(M, name):
    rng = torch.Generator().manual_seed(0)
    n = torch.randn(2, 20_000, 10, generator=rng, dtype=single)
    x, y = (M.from_normal(p).requires_grad_() for p in n)
    v = M.proju(x.detach(), 0.1 * torch.ones_like(x))
    second = v if name in ("expmap", "retr") else y
    arguments = (x, y, v) if name == "transp" else (x, second)
    return lambda: getattr(M, name)(*arguments).sum().backward()


base = clock(both(hl.Euclidean(), "dist"))
names = "dist", "expmap", "retr", "logmap", "transp"
print(f"{'':18}", *(f"{name:>8}" for name in names))
for M in (ball, sheet, normal):
    ratios = [clock(both(M, name)) / base for name in names]
    print(f"{type(M).__name__:18}", *(f"{r:8.1f}" for r in ratios))

# %% [markdown] id="clock-answer"
# Digits cost time: everything here computes in float64 inside, and the hyperboloid and normal coordinates do so on sums
# of positive terms, which take more passes than the ball's one root. In the ball a geodesic step costs about twice a
# retraction. Normal coordinates pay most for `expmap`, `logmap` and `transp`, which their users rarely need: their
# step is `n - lr * grad`. (For all pairs at once `cdist` is much cheaper than `dist`.)
#
# ## 10 · Where it breaks: the NaN clinic
#
# Four small networks, all really ill. The task is simple: 256 points around four centres, in float32. `training.fit`
# has a *watch*: at the first loss that is not finite it runs the model once more, finds the first layer whose output
# is not finite, and says how far out its input had come.

# %% id="clinic"
rng = torch.Generator().manual_seed(0)
y = torch.arange(4).repeat(64)
centres = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
x = (centres[y] + 0.4 * torch.randn(256, 2, generator=rng)).float()


def treat(model, x, lr=0.05, epochs=8):
    data = torch.utils.data.TensorDataset(x, y)
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss = nn.functional.cross_entropy
    options = {"epochs": epochs, "batch_size": 64, "progress": False}
    try:
        history = training.fit(model, data, loss, optimizer, **options)
    except training.NonFiniteError as error:
        told = str(error).replace(": ", ":\n   ").replace("; ", ";\n   ")
        print("DEAD:", told)
    else:
        right = (model(x).argmax(1) == y).double().mean()
        last = history[-1]["loss"]
        print(f"alive: loss {last:.3f}, {100 * right:.0f} % right")


class Prototypes(nn.Module):
    """Logits: minus the distances from four learned points."""

    def __init__(self, manifold, distance, points):
        super().__init__()
        self.manifold, self.distance = manifold, distance
        self.points = nn.Parameter(points.clone())

    def forward(self, x):
        return -self.distance(x[:, None], self.points)


# %% [markdown] id="patient-1"
# **Patient 1: the twins.** Prototypes in the ball, started at four of the data points, as k-means does it.

# %% id="patient-1-run" tolerance=0.5
inside = (0.4 * x).clamp(-0.6, 0.6)
for distance in (by_asinh, ball.dist):
    treat(Prototypes(ball, distance, inside[:4]), inside)

# %% [markdown] id="patient-2"
# *Symptom:* the first loss is fine, then a parameter is NaN: the *step* broke it, so look at the gradient. *Diagnosis:*
# each prototype coincides with a data point; the bare root has an infinite slope at 0. *Cure:* a safe root. (Not
# `nan_to_num`, not a smaller rate, not float64: the exercises ask you why.)
#
# **Patient 2: deep leaves.** Prototypes on the hyperboloid, 10 from the origin; the data stand before and behind them.

# %% id="patient-2-run" tolerance=0.5
leaves = sheet.from_normal((10 + x[:, :1]) * centres[y].float())
start = sheet.from_normal(10 * centres.float())


def product_of_points(p, q):
    return by_product(p[..., 1:], q[..., 1:])


for distance in (product_of_points, sheet.dist):
    treat(nn.Sequential(Prototypes(sheet, distance, start)), leaves)

# %% [markdown] id="patient-3"
# *Symptom:* NaN in the first forward pass; the watch names the layer, and a radius beyond 9. *Diagnosis:* the
# Minkowski product is dead there, and acosh gets numbers below 1. *The usual patch*, a clamp at 1, replaces NaN by 0:
# points that are 1 apart become one. *Cure:* the formula without the difference.
#
# **Patient 3: the avalanche.** Three HNN++ layers as the paper writes them (lecture 10), data at radius 2, and a brave
# rate. Then the library's layers at the same rate, and at a twentieth of it.


# %% id="patient-3-run" tolerance=1.0
class Naive(nn.Module):
    """HNN++'s linear layer in normal coordinates, without offsets."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.manifold = normal
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.orthogonal_(self.weight, 0.7)

    def forward(self, n):
        d, z = n.norm(dim=-1, keepdim=True), self.weight.norm(dim=-1)
        a = d.sinh() / d * (n @ self.weight.T) / z
        w = (2 * z * a.asinh()).sinh()
        size = w.norm(dim=-1, keepdim=True)
        return size.asinh() / size * w


def network(make):
    torch.manual_seed(1)
    body = make(2, 16), make(16, 16), make(16, 16)
    return nn.Sequential(*body, layers.HMLR(16, 4, normal)).float()


def HLinear(inputs, outputs):
    return layers.HLinear(inputs, outputs, normal, clip=12.0)


treat(network(Naive), 2 * x, lr=0.2, epochs=12)
for lr in (0.2, 0.01):
    treat(network(HLinear), 2 * x, lr=lr, epochs=12)

# %% [markdown] id="patient-4"
# *Symptom:* training begins well, then NaN in a deep layer at a large radius. *Diagnosis:* a layer may multiply
# the radius by $2|z|$; after one step too many $\sinh$ overflows, at 89 in float32 (at 44 where it is squared). *Cure:*
# a tail that cannot overflow (the library's divides by the largest entry first), a radial clip at 12, so that one layer
# cannot throw the next one over the edge, **and a sane rate**. The second line is alive and has learned little: a
# number that is not NaN is not yet health.
#
# **Patient 4: no symptoms.** Prototypes in normal coordinates that start at the origin, with the haversine of section
# 3.

# %% id="patient-4-run" tolerance=0.5
for distance in (haversine, normal.dist):
    treat(Prototypes(normal, distance, torch.zeros(4, 2)), x)

# %% [markdown] id="clinic-answer"
# *Symptom:* none. The loss stands at $\log 4 = 1.386$, a quarter is right, and people blame the data. *Diagnosis:* the
# gradient at the origin is finite and 0. *Cure:* a distance without directions. This is the most expensive of the four,
# because nothing stops.
#
# | symptom | usual cause | cure |
# |---|---|---|
# | a parameter is NaN after a step | slope at $x = y$: bare root, acosh | make the argument safe *before* the root |
# | NaN in the forward pass, large radius | a difference without digits | multiply out; float64 inside |
# | NaN after a while, radius growing | overflow | a tail without overflow, radial clip, rate |
# | loss constant | slope 0 at the start: clamp, `where` | a formula smooth at the origin |
# | all depths at 6.2 | a wide projection | exercise 4 |
# | $c$ runs away | $c$ is the temperature | fix $c$, learn the temperature |
#
# ## 11 · Their numbers, our numbers
#
# | source | about | paper or published code | here |
# |---|---|---|---|
# | float32 projections of the ball, $c = 1$ | farthest point | 6.213 | 6.213 with their margin, 16 without |
# | Mishne et al. 2023 | float64: ball, hyperboloid | the ball holds more points | depth 37, 345; neighbours 32, 32 |
# | Mishne et al. 2023 | Euclidean parametrization | alleviates both limits | MAP .95 against .82 |
# | Bécigneul, Ganea 2019 | Riemannian Adam, SGD | faster, lower loss (WordNet) | loss 1.38, 1.29 (121 nodes) |
# | Nickel, Kiela 2017 | retraction, not exp | used throughout | MAP .83, .82: no loss |
#
# Where we differ from Mishne et al., the coordinates differ: if $t$ is stored beside $s$, the constraint
# $t^2 - |s|^2 = 1$ is dead from 19 on (lecture 03); we keep $s$ and derive $t$. That Riemannian Adam does not win here
# says little: one small tree, 200 full-batch steps, a tuned rate for each; theirs is WordNet. All of ours together took
# half a minute on one core.
#
# ## Three things to keep
#
# 1. **Infinity costs digits or exponents.** A chart ends where its numbers end; directions end at $-\log u$ in every
#    chart.
# 2. **Every NaN has an address.** A difference of large numbers, a root at 0, a direction at the origin, an overflow:
#    find it, and mend the formula there. A finite gradient is not yet a right one.
# 3. **A partial derivative is not an arrow.** Use the metric, or a chart in which it does not matter.
#
# ## Go further
#
# - **Gal Mishne, Zhengchao Wan, Yusu Wang, Sheng Yang**, "The Numerical Stability of Hyperbolic Representation
#   Learning", ICML 2023. What ball and hyperboloid lose, and a Euclidean parametrization as the way out.
# - **Silvère Bonnabel**, "Stochastic Gradient Descent on Riemannian Manifolds", *IEEE Transactions on Automatic
#   Control* 58, 2013. Where Riemannian SGD comes from, with the proof that it converges.
# - **Gary Bécigneul, Octavian-Eugen Ganea**, "Riemannian Adaptive Optimization Methods", ICLR 2019. Adam for points,
#   and why coordinate-wise adaptivity has no meaning there.
# - **Tao Yu, Christopher De Sa**, "Numerically Accurate Hyperbolic Embeddings Using Tiling-Based Models", NeurIPS 2019.
#   Integers for the tile, floats within it: error bounded everywhere. Their paper of 2021 uses sums of several floats.
# - **Dorota Celińska-Kopczyńska, Eryk Kopczyński**, "Numerical Aspects of Hyperbolic Geometry", arXiv 2024. Six tests
#   of many representations; a polar one, as our normal coordinates are, wins.
# - **Nicholas Higham**, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002. Chapter 1 is section 2 of
#   this lecture for all of numerical mathematics.
#
# **An open question.** In every chart a direction has $-\log u$ of room and no more: with 16 bits, neighbours are lost
# at 2. Trees need depth *and* neighbours. Is there a 16-bit format, or a way to share a direction between the levels of
# a tree, in which a hierarchy of depth 20 survives training?
#
# **Next:** the [exercises](../exercises/09_numerics/09_numerics.ipynb), then lecture 10: whole layers in this chart.
