# %% [markdown] id="title"
# # 10 · Layers: a network in the ball
#
# **Question.** A layer of a network multiplies by a matrix and adds a vector. In curved space there is neither. What is
# a layer there, what does it cost, and is the network any better?
#
# **After this lecture you can**
#
# - *derive* the fully connected layer from the distance to a hyperplane, in five steps, for every curvature $-c$,
# - *explain* why the first hyperbolic networks were flatter than they looked,
# - *build* convolution, pooling, flattening, normalisation and attention in one chart, without an `exp` or `log`,
# - *train* a network and its hyperbolic twin, and *judge* an accuracy with its spread,
# - *keep* twenty layers alive: initialisation, a clip, and a sinh that does not overflow.
#
# **You need** lecture 03 (charts) and 04 (Möbius sum, exp and log), some PyTorch, and from lecture 09 the habit to ask
# how far out a point is.
#
# **Reading time:** 60 minutes. **Running time:** about a minute on two CPU cores.
#
# **Exercises:** [10_layers](../exercises/10_layers/10_layers.ipynb);
# get your own copy with `hyplearn start 10_layers`.

# %% id="setup"
import difflib
import inspect
import math
import statistics
import textwrap
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

import hyplearn.layers as hnn
from hyplearn import (
    Lorentz,
    NormalCoordinates,
    PoincareBall,
    isometries,
    maps,
    means,
    plane,
    viz,
)
from hyplearn.data.images import load_cifar10, load_digits
from hyplearn.layers.convolution import beta_ratio
from hyplearn.networks import HNet, Net
from hyplearn.training import fit

torch.set_default_dtype(torch.float64)
close = torch.testing.assert_close
full = False  # True: CIFAR-10 (downloaded once, 163 MB), 10 epochs

# %% [markdown] id="picture"
# ## 1 · What a linear layer really computes
#
# Take one output of a flat layer: $\langle w, x\rangle + b$. That is $|w|$ times the **signed distance** of $x$ from
# the hyperplane $\langle w, x\rangle + b = 0$. A layer with $k$ outputs measures $k$ distances; a classifier lets the
# largest win. Nothing in this sentence needs a matrix, and hyperbolic space has hyperplanes. Here is one with its
# signed distance, and four of them as a classifier:

# %% id="field"
ball = PoincareBall(1.0)
axis = torch.linspace(-0.999, 0.999, 161)
X, Y = torch.meshgrid(axis, axis, indexing="xy")
points = torch.stack((X, Y), -1)
inside = points.norm(dim=-1) < 0.999
points = torch.where(inside[..., None], points, 0.0)


def field(z, r):
    """The signed distances to planes (z_k, r_k) on the grid."""
    layer = hnn.HMLR(2, len(z), ball)
    with torch.no_grad():
        layer.weight.copy_(z), layer.bias.copy_(r)
        return torch.where(inside[..., None], layer(points), torch.nan)


# %% id="draw-field"
titles = ["one plane: signed distance", "four planes: the largest wins"]
figure, disks = viz.picture(viz.Disk, viz.Disk, size=3.0, titles=titles)
left, right = (disk.ax for disk in disks)
one = field(torch.tensor([[0.4, 0.3]]), torch.tensor([0.25]))[..., 0]
levels = [-3, -2, -1, 0, 1, 2, 3]
left.contourf(X, Y, one, [-9, *levels, 9], cmap="PuOr", zorder=1)
left.contour(X, Y, one, levels, colors="#1a1a1a", linewidths=0.8)
style = {"ha": "center", "va": "center", "fontsize": 9}
style["bbox"] = {"fc": "white", "ec": "none", "pad": 0.6}
for level in levels[:-1]:  # the plane is 0.5 from the centre
    x, y = ball.from_normal((0.5 + level) * torch.tensor([0.8, 0.6]))
    left.text(x, y, f"{level}", **style)
angles = torch.tensor([0.3, 1.9, 3.6, 5.0])
z = 0.5 * torch.stack((angles.cos(), angles.sin()), -1)
r = torch.tensor([0.3, 0.3, 0.5, 0.1])
four = field(z, r)
for k, color in enumerate(("blue", "orange", "green", "purple")):
    others = torch.cat((four[..., :k], four[..., k + 1 :]), -1).amax(-1)
    color = [viz.COLORS[color]]
    lead = four[..., k] - others
    right.contourf(X, Y, lead, [0, 99], colors=color, alpha=0.35, zorder=1)
    right.contour(X, Y, four[..., k], [0], colors=color, linewidths=2)
viz.show(
    figure,
    alt="Two disks. Left: a geodesic, labelled 0, and curves at the "
    "signed distances 1, 2, 3 and -1, -2, -3 on its sides; they end at "
    "the same two ideal points and are no geodesics. Right: four "
    "geodesics in four colours, and the disk divided into the four "
    "regions in which the signed distance to each is the largest.",
)

# %% [markdown] id="picture-read"
# The level lines of a flat layer are parallels. Here they are *equidistants*: they share the ideal points of the plane,
# and are bent. The plan of the lecture: 2018's road through the tangent space (section 2) and its hyperplanes (3),
# 2021's layer made of distances alone (4, 5), the chart in which it is short and fast (6), and then networks.
#
# ## 2 · The first road: a matrix in the tangent space
#
# Ganea et al. (2018) make a layer out of any flat function $f$: go to the tangent space at the origin, apply $f$, come
# back. For a matrix $M$,
#
# $$M\otimes x = \exp_0(M\log_0 x), \qquad \text{layer:}\quad x\mapsto (M\otimes x)\oplus b.$$
#
# *In words:* keep the direction and the distance of $x$ as a vector, multiply, and walk that far. Then move by $b$.


# %% id="mobius"
def mobius_linear(M, b, x, ball):
    v = ball.logmap0(x) @ M.T
    return ball.mobius_add(ball.expmap0(v), b)


ball = PoincareBall(0.5)
g = torch.Generator().manual_seed(0)
x = ball.random(1000, 3, generator=g)
M, b = torch.randn(2, 3, generator=g), torch.tensor([0.3, -0.2])
layer = hnn.MobiusLinear(3, 2, ball)
with torch.no_grad():
    layer.weight.copy_(M), layer.bias.copy_(ball.to_normal(b))
close(layer(x), mobius_linear(M, b, x, ball))
print("from scratch and hnn.MobiusLinear agree at", len(x), "points")

# %% [markdown] id="predict-flat"
# > **Predict, then run (1).** Three such layers without $b$, with ReLU between them (also through the tangent space).
# > How much of this network is hyperbolic?

# %% id="flat-in-disguise"
A, B, C = (torch.randn(3, 3, generator=g) for _ in range(3))
zero = torch.zeros(3)


def relu(x):
    return ball.expmap0(ball.logmap0(x).relu())


y = relu(mobius_linear(A, zero, x, ball))
y = relu(mobius_linear(B, zero, y, ball))
y = mobius_linear(C, zero, y, ball)
v = ball.logmap0(x)
flat = ((v @ A.T).relu() @ B.T).relu() @ C.T  # a flat network
off = (ball.logmap0(y) - flat).abs().max()
print(f"equal to a flat network between one log and one exp: {off < 1e-9}")

# %% [markdown] id="flat-answer"
# None of it. $\exp_0$ of one layer meets $\log_0$ of the next, and they cancel. All that curvature does in the layers
# of 2018 it does through the bias, and in the classifier. Hence the question for the rest of this lecture: *is there a
# layer that knows the geometry?* The classifier shows the way.
#
# ## 3 · Hyperplanes
#
# A hyperplane is given by a point $p$ on it and a normal $a$: all geodesics that leave $p$ at right angles to $a$. How
# far away is $x$? Do what lecture 04 always does: bring $p$ to the origin. There the plane is flat, $x$ is at
# $w = (-p)\oplus x$, and in the right-angled triangle of the origin, $w$ and its foot the law of sines says
# $\sinh(\sqrt c\,\text{side}) = \sinh(\sqrt c\,d(0, w))\cdot\cos(\text{angle to } a)$. In the ball's coordinates,
#
# $$d(x) = \frac{1}{\sqrt c}\operatorname{asinh}\frac{2\sqrt c\,\langle w, a\rangle}{(1 - c|w|^2)\,|a|},
# \qquad w = (-p)\oplus x.$$
#
# *In words:* the height of $w$ over the plane, measured with the ruler at $w$. Check it against brute force, the
# nearest of 100,000 points of the plane:


# %% id="gyroplane"
def gyroplane(x, p, a, c):
    w = PoincareBall(c).mobius_add(-p, x)
    height = (w * a).sum(-1) / a.norm(dim=-1)
    s = math.sqrt(c)
    return torch.asinh(2 * s * height / (1 - c * (w * w).sum(-1))) / s


c = 0.5
x, p, a = torch.tensor([[0.9, 0.4], [-0.3, 0.5], [1.0, 2.0]])
across = torch.tensor([-2.0, 1.0]) / math.sqrt(5) / math.sqrt(c)
line = torch.linspace(-0.999, 0.999, 100_001)[:, None] * across
on_plane = ball.mobius_add(p, line)
print(f"formula     {gyroplane(x, p, a, c):.6f}")
print(f"brute force {ball.dist(x, on_plane).min():.6f}")

# %% [markdown] id="mlr"
# The classifier of 2018 takes as logits $2|a|$ times this distance (*Möbius multinomial logistic regression*,
# `hnn.GyroplaneMLR`). The factor is what $|w|$ is in flat space: how steep the logit is.
#
# > **Predict, then run (2).** $p$ and $a$ are $2n$ numbers for each class. A flat hyperplane with its steepness has
# > $n + 1$. Does a hyperbolic one have more freedom?

# %% id="slide"
there = on_plane[70_000]  # another point of the same plane
moved = ball.transp(p, there, a)  # the normal, carried to it
print(f"p = {p.tolist()}: {gyroplane(x, p, a, c):.9f}")
print(f"slid along:       {gyroplane(x, there, moved, c):.9f}")
for layer in (hnn.GyroplaneMLR, hnn.HMLR, None):
    made = layer(84, 10, ball) if layer else nn.Linear(84, 10)
    count = sum(w.numel() for w in made.parameters())
    print(f"{type(made).__name__:13} {count}")

# %% [markdown] id="slide-answer"
# No: $p$ may slide along its own plane, so half of the numbers say nothing. Shimizu et al. (2021, *HNN++*) keep
# $n + 1$: a vector $z$ and a number $r$. The plane is orthogonal to the ray in direction $z$, at the signed distance
# $2r$ from the origin. (Why 2? The paper puts $p = \exp_0(r\,z/|z|)$ in the ball, where a tangent vector at the origin
# is twice as long as it looks.)
#
# ## 4 · The layer of HNN++, in five steps
#
# Take a point at distance $d$ in the unit direction $\hat u$, and let $s = \sqrt c\,d$. On the hyperboloid it is
# $\frac{1}{\sqrt c}(\cosh s, \sinh s\,\hat u)$; in the ball $\frac{1}{\sqrt c}\tanh(s/2)\,\hat u$; in **normal
# coordinates** simply
#
# $$n = d\,\hat u.$$
#
# **Step 1: a plane through the origin** with the unit normal $\hat z$. Section 3 with $p = 0$:
# $\sinh(\sqrt c\,v) = \sinh s\,\langle\hat u, \hat z\rangle$.

# %% id="step-1"
chart = NormalCoordinates(c)
n = torch.tensor([1.2, 0.5])
d = n.norm()
s = math.sqrt(c) * d
unit, normal = n / d, torch.tensor([0.6, 0.8])
v1 = torch.asinh(s.sinh() * (unit @ normal)) / math.sqrt(c)
x = ball.from_normal(n)
close(v1, gyroplane(x, torch.zeros(2), normal, c))
print(f"v = {v1:.6f}")

# %% [markdown] id="step-2-text"
# **Step 2: push the plane out** by $2r$ along $\hat z$. Pull the point back instead, by a motion of the hyperboloid
# that mixes the time with the coordinate along $\hat z$ (a *boost* by $\rho = 2\sqrt c\,r$):
#
# $$\sinh(\sqrt c\,v) = \sinh s\,\langle\hat u, \hat z\rangle\cosh\rho - \cosh s\,\sinh\rho .$$
#
# *In words:* inner product minus offset, as in flat space, each stretched by a cosh.

# %% id="step-2"
r = 0.4
rho = 2 * math.sqrt(c) * r
a = s.sinh() * (unit @ normal) * math.cosh(rho) - s.cosh() * math.sinh(rho)
v2 = torch.asinh(a) / math.sqrt(c)
foot = ball.expmap0(r * normal)  # the paper's p
close(v2, gyroplane(x, foot, normal, c))
print(f"the plane is at distance {ball.dist0(foot):.6f} = 2r")
print(f"v = {v2:.6f}")

# %% [markdown] id="step-3-text"
# **Step 3: steepness.** $v_k = 2|z_k|$ times that distance. These are already the logits of a classifier, `hnn.HMLR`.
#
# **Step 4: from distances to a point.** A hidden layer must return a point. Which one? The one whose signed distances
# from the *coordinate planes* are $v_1, \dots, v_m$. By step 1 with $\hat z = e_k$, its space coordinate $k$ on the
# hyperboloid is $w_k = \sinh(\sqrt c\,v_k)/\sqrt c$: there is exactly one such point.

# %% id="step-4"
v = torch.tensor([v2, -0.7, 0.2])  # three distances
w = torch.sinh(math.sqrt(c) * v) / math.sqrt(c)
time_part = (1 / c + w @ w).sqrt()
point = torch.cat((time_part[None], w))
seen = maps.convert(point, Lorentz(c), PoincareBall(c))
for k, e in enumerate(torch.eye(3)):
    found = gyroplane(seen, torch.zeros(3), e, c)
    print(f"distance from plane {k}: {found:+.6f}, asked for {v[k]:+.6f}")

# %% [markdown] id="step-5-text"
# **Step 5: back to normal coordinates.** $w$ is $\sinh(\sqrt c\,d')/\sqrt c$ long, so
# $n' = \dfrac{\operatorname{asinh}(\sqrt c\,|w|)}{\sqrt c\,|w|}\,w$. That is the whole layer:


# %% id="layer"
def linear(n, z, r, c):
    """HNN++'s layer in normal coordinates, as it stands on paper."""
    q, size = math.sqrt(c), z.norm(dim=-1)
    d = n.norm(dim=-1, keepdim=True)
    a = (q * d).sinh() / d * (n @ z.T) / size * (2 * q * r).cosh()
    a = a - (q * d).cosh() * (2 * q * r).sinh()
    w = torch.sinh(2 * size * torch.asinh(a)) / q
    length = w.norm(dim=-1, keepdim=True)
    return torch.asinh(q * length) / (q * length) * w


n = torch.randn(1000, 3, generator=g)
layer = hnn.HLinear(3, 4, chart, clip=None)
nn.init.normal_(layer.bias, std=0.2, generator=g)
ours = linear(n, layer.weight, layer.bias, c)
close(layer(n), ours)
in_ball = hnn.HLinear(3, 4, ball, clip=None)
in_ball.load_state_dict(layer.state_dict(), strict=False)
close(in_ball(ball.from_normal(n)), ball.from_normal(ours))
print("the formula, hnn.HLinear in this chart, and in the ball: equal")

# %% [markdown] id="layer-ball"
# The paper writes the same layer in the ball, as $y = w/(1 + \sqrt{1 + c|w|^2})$ with a division by $1 - c|x|^2$ in
# front. All charts are one space, so it is the same function; but there is no boundary in normal coordinates, and
# nothing to fall off.
#
# > **Predict, then run (3).** $z = \frac12 I$, $r = 0$. What does the layer do? And with $z = I$? And what is left of
# > the layer for $c\to 0$?

# %% id="special"
n = torch.tensor([1.0, 2.0])
zero, eye = torch.zeros(2), torch.eye(2)
close(linear(n, eye / 2, zero, 1.0), n)
print("z = I/2: n comes out")
out = linear(n, eye, zero, 1.0)
print(f"z = I:   radius {n.norm():.3f} becomes {out.norm():.3f}")
z, r = torch.tensor([[0.3, 0.4], [-1.0, 0.2]]), torch.tensor([0.1, -0.2])
flat = 2 * z @ n - 4 * z.norm(dim=-1) * r
for c in (1.0, 1e-2, 1e-4):
    off = (linear(n, z, r, c) - flat).abs().max()
    print(f"c = {c:5.0e}: off the flat layer 2zn - 4|z|r by {off:.1e}")

# %% [markdown] id="special-answer"
# $\frac12 I$ is the identity: every coordinate distance is kept. More generally, any orthogonal matrix times $\frac12$
# is an exact isometry, and **the flat twin of $z$ is $2z$**. Who copies a flat initialisation into $z$ doubles the
# radius in each layer. For large radii $2|z_k|>1$ *multiplies* the radius; keep this in mind for section 10.
#
# ## 5 · What the layers do to the plane
#
# Section 2's layer and this one with the same matrix (as its flat twin) and no bias, then with one:

# %% id="draw-layers"
ball, chart, c = PoincareBall(1.0), NormalCoordinates(1.0), 1.0
M, bias = torch.tensor([[1.0, 0.5], [0.0, 0.6]]), torch.tensor([0.5, 0.3])
tiling = plane.tiling(7, 3, layers=3)


def hnnpp(x, r):
    return ball.from_normal(linear(ball.to_normal(x), M / 2, r, 1.0))


maps_drawn = {
    "the world": lambda x: x,
    "Möbius, 2018": lambda x: mobius_linear(M, torch.zeros(2), x, ball),
    "HNN++, 2021": lambda x: hnnpp(x, torch.zeros(2)),
    "planes moved": lambda x: hnnpp(x, bias),
}
titles = list(maps_drawn)
figure, disks = viz.picture(*[viz.Disk] * 4, size=1.5, titles=titles)
for disk, move in zip(disks, maps_drawn.values(), strict=True):
    disk.ax.title.set_fontsize(10)
    for layer, color in enumerate(["orange", "sky", "blue", "sky"]):
        tiles = move(tiling.tiles[tiling.layer == layer])
        disk.polygon(tiles, fill=color, alpha=0.45, width=0.3)
viz.show(
    figure,
    alt="The tiling by heptagons, and its images under three layers: the "
    "Moebius layer, the layer of HNN++ with the same matrix, and the same "
    "with moved planes, where the central tile lies off the centre.",
)

# %% [markdown] id="charts"
# Near the centre both layers are the flat map $M$, and the orange tiles agree; the farther out, the more they differ.
#
# ## 6 · Everything else is flat
#
# The other layers of HNN++ are defined through the tangent space, and between two layers stand $\log_0$ and $\exp_0$.
# In the chart $n$ both are the identity (up to the 2), so **ReLU, max-pooling, dropout, flattening and concatenation
# are the functions of `torch.nn.functional`**. The library writes each layer once, in this chart, and offers it in all
# others: `layer.normal` is the function, `layer(x)` changes charts around it.

# %% id="source"
for name in (hnn.HReLU, hnn.HMaxPool2d, hnn.HDropout):
    print(name.__name__, "\n", inspect.getsource(name.normal))

# %% [markdown] id="twice"
# **A trap.** $\log_0$ in the ball is $n/2$. A function with $f(2x) = 2f(x)$ does not care: ReLU, pooling, dropout. GELU
# and tanh do: so say which vector they act on (`hnn.HActivation`: on $n/2$).
#
# ### Many points become one
#
# > **Predict, then run (4).** 25 points of dimension 6, each at distance 2: a $5\times5$ window of a hyperbolic image.
# > Put their *ball* coordinates into one vector of 150 numbers, as `flatten` does. Where in the ball of dimension 150
# > does it lie?

# %% id="flatten"
u = torch.randn(25, 6, generator=g)
n = 2 * u / u.norm(dim=-1, keepdim=True)
row = ball.from_normal(n).flatten()
print(f"|row| = {row.norm():.3f}, the ball ends at 1")
print(f"in normal coordinates: distance {n.flatten().norm():.3f}")
factor = beta_ratio(25, 6)
print(f"times {factor:.4f}: distance {factor * n.flatten().norm():.3f}")

# %% [markdown] id="flatten-answer"
# Far outside. In normal coordinates it is a point, but 5 times as far out as the points were, and the next window makes
# it 25 times. HNN++ shortens the row by
#
# $$\frac{B(Nn/2, 1/2)}{B(n/2, 1/2)}, \qquad B(a, b) = \frac{\Gamma(a)\Gamma(b)}{\Gamma(a + b)} .$$
#
# *In words:* $B(n/2, 1/2)/\pi$ is the mean absolute coordinate of a random unit vector in $\mathbb R^n$. So the
# coordinates get the size that they have in a random vector of the larger space *of the same length*.

# %% id="beta"
for n_dim in (6, 150):
    random = torch.randn(20_000, n_dim, generator=g)
    random = random / random.norm(dim=-1, keepdim=True)
    log = math.lgamma(n_dim / 2) - math.lgamma((n_dim + 1) / 2)
    formula = math.exp(log) / math.sqrt(math.pi)
    print(f"n = {n_dim:3}: {random.abs().mean():.3f}, B/pi = {formula:.3f}")

# %% [markdown] id="convolution"
# ### A convolution without an unfold
#
# Convolution = concatenate the points of a window, then the layer of section 4. Public code does just that: it unfolds
# the image, which makes it $k^2$ times as large, and works on the copies. But the layer asks for two things only,
# $\langle u, z_k\rangle$ and $|u|^2$ of the concatenated point $u$. The first is a flat convolution; the second sums
# $|n_i|^2$ over a window.


# %% id="convolution-scratch"
def convolution(n, z, c):
    """As `linear` with r = 0, for all windows of an image (B, C, H, W)."""
    q, size = math.sqrt(c), z.flatten(1).norm(dim=1).view(-1, 1, 1)
    beta, k = beta_ratio(z[0, 0].numel(), z.shape[1]), z.shape[-1]
    inner = F.conv2d(n, beta * z)
    square = beta**2 * (n * n).sum(1, keepdim=True)
    s = q * F.conv2d(square, torch.ones(1, 1, k, k)).sqrt()
    w = torch.sinh(2 * size * torch.asinh(q * s.sinh() / s * inner / size))
    length = w.norm(dim=1, keepdim=True)
    return torch.asinh(length) / (q * length) * w


image = torch.randn(8, 6, 16, 16, generator=g)
layer = hnn.HConvolution2d(6, 16, 5, chart, clip=None)
close(layer(image), convolution(image, layer.weight, 1.0))
patches = F.unfold(image, 5).mT * beta_ratio(25, 6)  # the other way
unfolded = linear(patches, layer.weight.flatten(1), layer.bias, 1.0)
close(unfolded.mT.unflatten(-1, (12, 12)), layer(image))
copies = patches.numel() / image.numel()
print(f"equal; the unfold made {copies:.1f} times the image")

# %% [markdown] id="net"
# ## 7 · Net and HNet
#
# The lecture this course grew from ends with two programs: a LeNet in PyTorch, and the same network in HypLL (van
# Spengler et al. 2023). Ours, with what differs marked:

# %% id="side-by-side"


def code(network):
    """Constructor and forward, without the docstring."""
    text = inspect.getsource(network).replace(network.__doc__, "")
    lines = text.replace('""""""', "").splitlines()
    return [line for line in lines if line.strip()]


difference = difflib.ndiff(code(Net), code(HNet))
print("\n".join(line for line in difference if line[0] != "?"))

# %% [markdown] id="net-read"
# Names and arguments are torch's, plus a chart. (`gain=1.0`: no ReLU follows, see section 10.) The logits are the
# signed distances of the last layer, `distances`. Whether you say `HNet(PoincareBall(1.0))` or
# `HNet(NormalCoordinates(1.0))` is a matter of coordinates, and of time:

# %% id="chart-same" tolerance=1.0
torch.manual_seed(0)
in_chart, in_ball = HNet(chart).float(), HNet(ball).float()
in_ball.load_state_dict(in_chart.state_dict())
images = torch.randn(64, 3, 32, 32)
pixels = 2 * images / images.norm(dim=1, keepdim=True)
seconds = {}
for name, net, x in (
    ("chart", in_chart, pixels),
    ("ball", in_ball, ball.from_normal(pixels, dim=1)),
):
    net(x.float())
    start = time.process_time()
    seconds[name] = net(x.float()), time.process_time() - start
same = (seconds["chart"][0] - seconds["ball"][0]).abs().max()
print(f"logits differ by {same:.1e} (float32)")
ratio = seconds["ball"][1] / seconds["chart"][1]
print(f"the ball takes {ratio:.1f} x as long")

# %% [markdown] id="loop-text"
# ### The loop
#
# Layers hold ordinary parameters: $z_k$ is any vector, $r_k$ any number. So any optimiser of `torch.optim` will do, and
# so will any training loop. Here is the heart of ours, `hyplearn.training.fit` (what is wrapped here is one line
# there):

# %% id="loop"
text = inspect.getsource(fit)
text = text[text.index("        while run.epoch") :]
text = text[: text.index("            if processes.first")]
for line in textwrap.dedent(text).splitlines():
    indent = " " * (len(line) - len(line.lstrip()) + 8)
    print("\n".join(textwrap.wrap(line, 76, subsequent_indent=indent)))

# %% [markdown] id="loop-read"
# The order of the examples is a function of the seed and the epoch; a checkpoint holds weights, optimiser, random state
# and position; a loss that is not finite stops the run and names the layer and the radius where it happened. The rest
# you know.
#
# ### Real images
#
# The embedded data are the 1,797 handwritten digits of scikit-learn (8 × 8, drawn four times as large so that the
# network fits). A pixel $v$ becomes the point with $\log_0 = v$, that is $n = 2v$. Both networks get the same images,
# the same order, Adam with the same learning rate (it falls to 0 along a cosine, so that the last epoch is no lottery),
# and three seeds.
#
# > **Predict, then run (5).** Which one wins, and by how much? How much slower is the hyperbolic one?

# %% id="train-setup"
torch.set_num_threads(1)  # in small layers threads wait for each other
train, test = load_cifar10("data") if full else load_digits()
epochs, rate, seeds = (10, 1e-3, 3) if full else (8, 3e-3, 3)


def as_points(data):
    images, labels = data.tensors
    return TensorDataset(2 * images, labels)


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).double().mean()


settings = {"epochs": epochs, "metrics": {"accuracy": accuracy}}
settings["progress"] = False


def run(make, train, test, seed, nudge=1.0):
    torch.manual_seed(seed)
    model = make().float()
    with torch.no_grad():
        next(model.parameters()).mul_(nudge)
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, epochs)
    more = {"scheduler": cosine, "validation": test, "seed": seed}
    start = time.process_time()
    history = fit(model, train, F.cross_entropy, adam, **settings, **more)
    return model, history, time.process_time() - start


# %% id="train" tolerance=0.06
runs = {"Net": [], "HNet": []}
for seed in range(seeds):
    runs["Net"].append(run(Net, train, test, seed))
    points = as_points(train), as_points(test)
    runs["HNet"].append(run(lambda: HNet(chart), *points, seed))
for name, results in runs.items():
    scores = [h.column("val_accuracy")[-1] for _, h, _ in results]
    listed = " ".join(f"{score:.3f}" for score in scores)
    mean = statistics.mean(scores)
    print(f"{name:5} {mean:.3f} of the test images ({listed})")

# %% id="times" tolerance=1.0
flat, curved = (statistics.median(t for *_, t in r) for r in runs.values())
print(f"CPU seconds: Net {flat:.1f}, HNet {curved:.1f}")
print(f"HNet / Net: {curved / flat:.1f}")

# %% id="draw-training"
figure, axes = viz.chart(6.0, 2.7, columns=2)
for name, color in ("Net", "orange"), ("HNet", "blue"):
    for i, (_, history, _) in enumerate(runs[name]):
        style = {"color": viz.COLORS[color], "label": None if i else name}
        epoch = history.column("epoch")
        for ax, column in zip(axes, ("loss", "val_accuracy"), strict=True):
            ax.plot(epoch, history.column(column), **style)
axes[0].set(xlabel="epoch", ylabel="training loss", yscale="log")
axes[1].set(xlabel="epoch", ylabel="test accuracy", ylim=(0.5, 1.0))
axes[1].legend(loc="lower right")
viz.show(
    figure,
    alt="Training loss and test accuracy by epoch, three runs of Net in "
    "orange and three of HNet in blue. All six lie close together and "
    "cross.",
)

# %% [markdown] id="train-read"
# What is a point of accuracy worth here? Train seed 0 once more, with the weights of the first layer multiplied by
# $1 + 2^{-23}$: the last bit of a `float32`.

# %% id="last-bit" tolerance=0.06
bit = 1 + 2**-23
data = {"Net": (Net, train, test), "HNet": (lambda: HNet(chart), *points)}
for name, (make, *sets) in data.items():
    again = run(make, *sets, 0, nudge=bit)[1].column("val_accuracy")[-1]
    first = runs[name][0][1].column("val_accuracy")[-1]
    print(f"{name:5} seed 0: {first:.3f}, other last bit: {again:.3f}")

# %% [markdown] id="verdict"
# One of the 360 test images is 0.3 points, and a last bit or a seed moves a result by up to one point. The two means
# above differ by less. So: **no difference that these runs can show, and no gain**, for more than twice the computing.
# (Also tried, three seeds each: with $c = 0.1$ HNet has .972; with the learning rate $10^{-3}$ Net .953, HNet .955, and
# .957 with $c = 0.1$. It would have been easy to report only those.)
#
# After four epochs of CIFAR-10 the picture is the same (`benchmarks/RESULTS.md`). Recorded with
# `python -m benchmarks.cifar10 --images 20000 --epochs 4`, which reads JPEG copies of the images; mean and standard
# deviation of three seeds, on a busy machine, one thread:
#
# | learning rate | Net | HNet | CPU seconds |
# |---|---|---|---|
# | $10^{-3}$ | .506 ± .009 | .504 ± .015 | 11 and 28 |
# | $3\cdot10^{-3}$ | .531 ± .014 | .530 ± .013 | 11 and 27 |
#
# After ten epochs at $10^{-3}$ it is not: Net .569 ± .008, HNet .552 ± .011, *with* the norm of the gradient cut at 10
# (`--epochs 10 --lr 1e-3 --max-norm 10`). Without that cut, one of two HNets fell from .556 to .481 in its last epoch.
# A point at distance 12 had come close to a hyperplane, where the signed distance changes $\cosh 12 \approx 81{,}000$
# times as fast as the offset; one gradient was 40 times as long as usual, and one step spoiled nine epochs.
#
# The price was higher once: HypLL's train step of the same network takes about ten times ours
# (`python -m benchmarks.layers`). It unfolds the images, and makes some eighty passes over the copies.
#
# ## 8 · The other road: layers on the hyperboloid
#
# A point of the hyperboloid is $(t, s)$ with $t = \sqrt{1/c + |s|^2}$. Chen et al. (2022) multiply these coordinates by
# a matrix, as if space were flat, and repair the result; Bdeir et al. (2024) build a whole CNN of that:
#
# $$\text{Bdeir:}\quad s' = W s + w\,t + b,\qquad t' = \sqrt{1/c + |s'|^2}$$
#
# $$\text{Chen:}\quad t' = e^{\lambda}\sigma(\dots) + \tfrac{1.1}{\sqrt c},\qquad
# s' = \sqrt{t'^2 - \tfrac1c}\;\frac{h}{|h|},\quad h = W(t, s) + b$$
#
# *In words:* any vector $s'$ is the space part of exactly one point, so a flat layer may write it; or a sigmoid decides
# how far out the point is, and a flat layer $h$ only in which direction.


# %% id="lorentz-scratch"
def bdeir(n, W, w, b, c):
    q = math.sqrt(c)
    d = n.norm(dim=-1, keepdim=True)
    s, t = torch.sinh(q * d) / (q * d) * n, torch.cosh(q * d) / q
    out = s @ W.T + t * w + b
    length = out.norm(dim=-1, keepdim=True)
    return torch.asinh(q * length) / (q * length) * out


n = torch.randn(100, 3, generator=g)
layer = hnn.LorentzFullyConnected(3, 4, NormalCoordinates(0.5))
nn.init.normal_(layer.time, std=0.3, generator=g)
close(layer(n), bdeir(n, layer.weight, layer.time, layer.bias, 0.5))
print("from scratch and hnn.LorentzFullyConnected agree")

# %% [markdown] id="predict-roads"
# > **Predict, then run (6).** Three layers whose matrix doubles every vector. A point at distance 1, 2, 4, 8 goes in.
# > Which distances come out?

# %% id="roads"
two = 2 * torch.eye(4)
hnnpp_layer = hnn.HLinear(4, 4, chart, clip=None)
lorentz_layer = hnn.LorentzFullyConnected(4, 4, chart, clip=None)
chen_layer = hnn.LorentzLinear(4, 4, chart)
with torch.no_grad():
    hnnpp_layer.weight.copy_(two / 2), lorentz_layer.weight.copy_(two)
    chen_layer.linear.weight.zero_()[1:, 1:].copy_(two)
    chen_layer.linear.bias.zero_()
print("in        HNN++   Bdeir    Chen")
for radius in (1.0, 2.0, 4.0, 8.0):
    n = radius * torch.tensor([0.5, 0.5, 0.5, 0.5])
    outs = [f(n).norm() for f in (hnnpp_layer, lorentz_layer, chen_layer)]
    print(f"{radius:2.0f} ->  ", *(f"{out:7.3f}" for out in outs))

# %% [markdown] id="roads-answer"
# HNN++ doubles the *distance* from each coordinate plane; Bdeir's layer doubles the *sinh* of the distance, which far
# out adds $\log 2$; Chen's ignores the distance unless the sigmoid looks at it, and its points lie in a shell, never
# nearer to the origin than $0.44/\sqrt c$. The same words, "linear layer", three functions. The *classifiers* of the
# two roads, however, are one function under three names:

# %% id="one-mlr"
n, z = torch.randn(50, 3, generator=g), torch.randn(5, 3, generator=g)
r = 0.3 * torch.randn(5, generator=g)
kinds = hnn.HMLR, hnn.GyroplaneMLR, hnn.LorentzMLR
layers = [kind(3, 5, chart) for kind in kinds]
with torch.no_grad():
    layers[0].weight.copy_(z), layers[0].bias.copy_(r)
    layers[1].weight.copy_(z)
    p = 2 * r[:, None] * z / z.norm(dim=-1, keepdim=True)
    layers[1].points.copy_(p)
    layers[2].weight.copy_(2 * z), layers[2].bias.copy_(2 * r)
logits = [layer(n) for layer in layers]
close(logits[1], logits[0]), close(logits[2], logits[0])
print("HNN++ 2021, Ganea 2018, Bdeir 2024: equal logits")

# %% [markdown] id="means"
# ## 9 · Averages: pooling, batch normalisation, attention
#
# Three layers average points. Averaging coordinates depends on the chart, and on where its origin is. The **midpoint**
# adds the points up on the hyperboloid and scales the sum back to it:
#
# $$m = \frac{X}{\sqrt c\,\sqrt{-\langle X, X\rangle_L}}, \qquad X = \sum_i w_i\,(t_i, s_i).$$
#
# *In words:* the centre of mass, seen from the origin of Minkowski space. It moves along when the world is moved, which
# the average of coordinates does not:


# %% id="midpoint"
def midpoint(n, w):
    """c = 1, in normal coordinates."""
    d = n.norm(dim=-1, keepdim=True)
    T, S = w @ d.cosh(), w @ (d.sinh() / d * n)
    s = S / (T**2 - S @ S).sqrt()
    return torch.asinh(s.norm()) * s / s.norm()


n, w = 1.5 * torch.randn(5, 2, generator=g), torch.ones(5)
close(midpoint(n, w), means.midpoint(chart, n, w))
away = torch.tensor([1.0, -0.5])
move = isometries.translation(torch.zeros(2), away, chart)
moved = isometries.apply(move, n, chart)
for name, mean in {
    "midpoint": lambda n: midpoint(n, w),
    "Fréchet mean": lambda n: means.frechet_mean(chart, n),
    "average of n": lambda n: n.mean(0),
    "average of x": lambda n: ball.to_normal(ball.from_normal(n).mean(0)),
}.items():
    there = isometries.apply(move, mean(n), chart)
    print(f"{name:13} off by {chart.dist(mean(moved), there):.3f}")

# %% [markdown] id="pooling"
# `hnn.HAvgPool2d` takes it over windows. (Other papers have other formulas for it, in other charts. Exercise 5 asks how
# they differ.)
#
# **Batch normalisation** (Lou et al. 2020): move the mean of the batch to the origin, scale, move to a learned point:
#
# $$x\mapsto \beta\oplus\Big(\frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}\otimes\big((-\mu)\oplus x\big)\Big),
# \qquad \sigma^2 = \frac1N\sum_i d(\mu, x_i)^2 .$$

# %% id="batch-norm"
x = ball.random(64, 3, generator=g)
beta = torch.tensor([0.2, 0.0, -0.1])
norm = hnn.HBatchNorm1d(3, ball)
with torch.no_grad():
    norm.bias.copy_(ball.to_normal(beta))
mu = means.midpoint(ball, x)
sigma = (ball.dist(mu, x).square().mean() + norm.eps).sqrt()
centred = ball.mobius_add(-mu, x)
scratch = ball.mobius_add(beta, ball.mobius_scalar_mul(1 / sigma, centred))
close(norm(x), scratch)
print("from scratch and hnn.HBatchNorm1d agree")

# %% [markdown] id="attention"
# **Attention** (Gulcehre et al. 2019): queries, keys and values are points. The score of a key is minus its distance
# from the query, the answer the midpoint of the values with the softmax of the scores as weights.

# %% id="attention-scratch"
n = torch.randn(6, 4, generator=g)
layer = hnn.HAttention(4, chart, heads=1)
q, k, v = layer.query(n), layer.key(n), layer.value(n)
weights = torch.softmax(-layer.log_beta.exp()[0] * chart.cdist(q, k), -1)
answer = torch.stack([midpoint(v, row) for row in weights])
close(layer(n[None])[0], answer)
print("from scratch and hnn.HAttention agree")
move = isometries.translation(torch.zeros(4), n[0], chart)
qm, km, vm = (isometries.apply(move, each, chart) for each in (q, k, v))
weights = torch.softmax(-chart.cdist(qm, km), -1)
moved = torch.stack([midpoint(vm, row) for row in weights])
close(moved, isometries.apply(move, answer, chart))
print("queries, keys and values moved: the answers move along")

# %% [markdown] id="depth"
# Distances and midpoints know nothing of an origin. (The layers that make the queries do.)
#
# ## 10 · Twenty layers
#
# Section 4 said that the flat twin of $z$ is $2z$, and that the layer multiplies radii. So depth is a question of
# initialisation. HNN++ draws $z$ with the standard deviation $(2\,\text{in}\cdot\text{out})^{-1/2}$. Ours is an
# orthogonal matrix times $\frac12$, or times $\frac{\sqrt2}2$ where a ReLU follows, which halves the square of a
# vector.
#
# > **Predict, then run (7).** Points at distance 1 pass 20 layers of width 256, each followed by ReLU. At which
# > distance do they arrive, with either initialisation? A guess in powers of ten will do.


# %% id="deep" tolerance=0.05
def radii(init, gain, relu, layers=20, width=256):
    torch.manual_seed(0)
    n = torch.randn(32, width)
    n, found = n / n.norm(dim=-1, keepdim=True), [1.0]
    for _ in range(layers):
        options = {"init": init, "gain": gain, "clip": None}
        layer = hnn.HLinear(width, width, chart, **options)
        with torch.no_grad():
            n = layer(n).relu() if relu else layer(n)
        found.append(n.norm(dim=-1).mean().item())
    return found


kinds = {
    "orthogonal √2/2, ReLU": ("orthogonal", math.sqrt(2), True),
    "orthogonal 1/2, no ReLU": ("orthogonal", 1.0, False),
    "orthogonal √2/2, no ReLU": ("orthogonal", math.sqrt(2), False),
    "HNN++, ReLU": ("hnn++", 1.0, True),
}
curves = {name: radii(*kind) for name, kind in kinds.items()}
for name, curve in curves.items():
    print(f"{name:25} 1 -> {curve[-1]:.2g}")

# %% id="draw-deep"
figure, ax = viz.chart(5.6, 3.0)
for name, curve in curves.items():
    ax.plot(range(21), curve, marker=".", label=name)
ax.set(xlabel="layer", ylabel="mean distance from the origin", yscale="log")
ax.set_ylim(1e-8, 1e5)
ax.set_xticks(range(0, 21, 5))
ax.legend(fontsize=9, loc="lower right")
viz.show(
    figure,
    alt="Mean radius by layer, logarithmic. Orthogonal initialisation "
    "stays near 1 through 20 layers, with the factor root 2/2 where a ReLU "
    "follows and a half where none does. Root 2/2 without ReLU grows "
    "exponentially; the initialisation of HNN++ leaves the picture below "
    "1e-8 within seven layers.",
)

# %% [markdown] id="deep-answer"
# At a distance of $10^{-24}$ nothing is curved, and little is learned. Too large is worse: with $2|z_k| > 1$ radii grow
# like a power, and one step of an optimiser can do it. Therefore a **radial clip** at $\sqrt c\,d = 12$ after each
# layer (direction kept; Guo et al. 2022 clip the features before the classifier). It costs nothing, and does nothing,
# until that one step comes.
#
# ## 11 · Where it breaks
#
# **The sinh.** Let one bad step have made all weights three times as large, in `float32`. The lecture's own `linear`,
# the library without clip, the library:

# %% id="break-tail" tolerance=0.01
torch.manual_seed(0)
deep = [1.5 * nn.init.orthogonal_(torch.empty(16, 16)) for _ in range(6)]
deep, zeros = [z.float() for z in deep], torch.zeros(16).float()
libraries = {}
for name, clip in ("no clip", None), ("clip 12", 12.0):
    libraries[name] = hnn.HLinear(16, 16, chart, clip=clip).float()


def step(name, n, z):
    if name == "as on paper":
        return linear(n, z, zeros, 1.0)
    weights = {"weight": z, "bias": zeros}
    return torch.func.functional_call(libraries[name], weights, (n,))


for name in ("as on paper", *libraries):
    n, path = 0.25 * torch.ones(1, 16).float(), []
    for z in deep:
        n = step(name, n, z).detach()
        path.append(f"{n.norm().item():6.1f}")
    print(f"{name:12}", *path)

# %% [markdown] id="break-tail-answer"
# On paper, $\sinh^2$ overflows at 45 and the next layer divides infinity by infinity. The library divides $w$ by its
# largest entry before it squares (the challenge of the exercises), up to 86, where its sinh ends. In training that
# avoids the NaN, but a network with such radii is lost all the same. The clip keeps it.
#
# **What float32 does without.** The same layer in float32 and in float64:

# %% id="float32" tolerance=1.0
layer = hnn.HLinear(64, 64, chart, clip=None, gain=1.0)
print("radius    error of the output, relative")
for radius in (0.1, 1.0, 12.0, 40.0, 80.0):
    n = torch.randn(200, 64, generator=g)
    n = (radius * n / n.norm(dim=-1, keepdim=True)).float()
    exact = layer.double()(n.double())
    off = (layer.float()(n) - exact).norm(dim=-1) / exact.norm(dim=-1)
    print(f"{radius:6} {off.max().item():10.1e}")
layer = layer.double()

# %% [markdown] id="float32-answer"
# Five digits are left even at the end of the range. But the *distance* of two points at radius $R$ is about $e^{R}$
# times their angle, and the angle is known to $10^{-7}$: at $R = 12$ that is an error of a hundredth, at $R = 17$ of 2.
# That is what lecture 09's table of usable radii means for a network, and the second reason for the clip.
#
# **Batch normalisation without a memory.** HypLL 0.1.1 normalises with the batch in evaluation, too. Then what you get
# for an image depends on who sits beside it. The same 4 points, with two different sets of 60 others:

# %% id="break-batch-norm"
four = ball.random(4, 3, generator=g)
rest = [ball.random(60, 3, std=std, generator=g) for std in (0.5, 1.5)]
norm = hnn.HBatchNorm1d(3, ball)
for _ in range(100):
    norm(ball.random(64, 3, generator=g))  # training
for name, mode in (("batch's own", True), ("running", False)):
    norm.train(mode)
    one, two = (norm(torch.cat((four, other)))[:4] for other in rest)
    far = ball.dist(one, two).max()
    print(f"{name:12} statistics: the 4 points move by {far:.3f}")

# %% [markdown] id="break-init-text"
# **A factor of two.** Copy the weights of a trained flat layer into $z$, and forget that the twin is $2z$:

# %% id="break-two"
flat = nn.Linear(64, 64, bias=False)
nn.init.orthogonal_(flat.weight)
n = torch.randn(1, 64, generator=g) / 8
for name, factor in (("z = W/2", 0.5), ("z = W", 1.0)):
    m, path = n, []
    for _ in range(5):
        m = linear(m, factor * flat.weight, torch.zeros(64), 1.0)
        path.append(m.norm().item())
    listed = " ".join(f"{radius:6.2f}" for radius in path)
    print(f"{name:8} radius {listed}")

# %% [markdown] id="table"
# Nothing crashes here either. The second network only starts with radii at which training is hard.
#
# ## 12 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Shimizu et al. 2021, abstract | parameters of a classifier, 84 to 10 | as many as flat | 850, flat 850 |
# | Ganea et al. 2018, eq. 25 | the same, with $p$ and $a$ for each class | $2n$ each | 1,680 |
# | Guo et al. 2022, abstract | clipped against flat, MNIST to ImageNet | "on par" | on par, digits |
# | fully hyperbolic CNNs, e.g. Bdeir 2024 | gain, CIFAR-10 and 100 | 0 to 0.5 points | −0.1 to −1.7, CIFAR-10 |
#
# ## Three things to keep
#
# 1. **A layer measures signed distances to hyperplanes.** Classifier, fully connected layer and convolution are that
#    sentence; the layer returns the point that has these distances from the coordinate planes.
# 2. **Choose the chart in which the rest is flat.** In $n = d\,\hat u$, ReLU, pooling and concatenation are torch's,
#    exp and log cancel, and there is no rim to fall off.
# 3. **No gain in accuracy, twice the time, and a radius to watch.** $2|z|$ multiplies distances: initialise for it,
#    clip radii and gradients, and never claim a gain that is smaller than the spread of your seeds.
#
# ## Go further
#
# - **Octavian Ganea, Gary Bécigneul, Thomas Hofmann**, "Hyperbolic Neural Networks", NeurIPS 2018. The gyroplane and
#   the first layers; read section 3.1 for the geometry, and decide what section 2 above leaves of the rest.
# - **Ryohei Shimizu, Yusuke Mukuta, Tatsuya Harada**, "Hyperbolic Neural Networks++", ICLR 2021. Section 3 is our
#   sections 3, 4 and 6 in the ball; its appendix derives the beta-concatenation.
# - **Weize Chen et al.**, "Fully Hyperbolic Neural Networks", ACL 2022. Layers on the hyperboloid, and an argument that
#   those in tangent spaces use only part of the Lorentz transformations.
# - **Ahmad Bdeir, Kristian Schwethelm, Niels Landwehr**, "Fully Hyperbolic Convolutional Neural Networks for Computer
#   Vision", ICLR 2024. The same road to a whole CNN, with batch normalisation; lecture 13 builds one.
# - **Yunhui Guo, Xudong Wang, Yubei Chen, Stella X. Yu**, "Clipped Hyperbolic Classifiers Are Super-Hyperbolic
#   Classifiers", CVPR 2022. Why features that run to the rim stop learning, and the one-line cure.
# - **Max van Spengler, Philipp Wirth, Pascal Mettes**, "HypLL: The Hyperbolic Learning Library", ACM MM 2023. The
#   library whose names we use; compare its convolution with section 6.
#
# **An open question.** ReLU, max-pooling and dropout look at the origin and at the axes: move the world, and they do
# something else. Averages and distances do not. Is there a network all of whose layers commute with the isometries, as
# a CNN does with shifts, and would it learn anything?
#
# **Next:** the [exercises](../exercises/10_layers/10_layers.ipynb), then lecture 11: are images hierarchical?
