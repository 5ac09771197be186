# %% [markdown] id="title"
# # 14 · Segmentation: every pixel in the ball
#
# **Question.** A picture has thousands of pixels, a class tree dozens of nodes, and the formula for one logit is long.
# Can each pixel be a point of hyperbolic space all the same, and what does one get for it: borders, doubts, an answer
# for a thing that nobody ever labelled?
#
# **After this lecture you can**
#
# - *derive* gyroplane logits that cost what a 1×1 convolution costs, and *measure* the memory that this saves,
# - *build* a softmax on a class tree, and *read* an answer at each of its levels,
# - *compare* the distance from the origin with what uncertainty costs otherwise, pass by pass,
# - *score* a network on classes that it has no label of, and *tell* what the tree gave from what the curvature gave,
# - *distrust* a map of confidence in the places where it lies.
#
# **You need** lecture 10 (gyroplanes, the layer of HNN++, normal coordinates). Lecture 12 (prototypes) asks the same
# question of whole pictures.
#
# **Reading time:** 55 minutes. **Running time:** about a minute on two CPU cores.
#
# **Exercises:** [14_segmentation](../exercises/14_segmentation/14_segmentation.ipynb);
# get your own copy with `hyplearn start 14_segmentation`.

# %% id="setup"
import math
import textwrap
import time
import weakref
from dataclasses import replace

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import hyplearn.layers as hnn
from hyplearn import NormalCoordinates, PoincareBall, viz
from hyplearn.experiments.segmentation import (
    Predictions,
    SegmentationExperiment,
    class_colours,
    draw_examples,
    predict,
    zero_label_scores,
)
from hyplearn.losses import HierarchicalSoftmax
from hyplearn.metrics import auroc
from hyplearn.uncertainty import distance_from_origin, label_boundaries

close = torch.testing.assert_close
full = False  # True: a wider network, more pictures, and longer

# %% [markdown] id="picture"
# ## 1 · One picture, three questions
#
# A scene of our procedural world, and what is to be said of each of its pixels: which *shape*, or at least which *kind*
# of shape, or at least which *branch* of the tree. Somebody labels the shapes; the tree then labels the rest.

# %% id="settings"
settings = SegmentationExperiment(dim=2, width=8, images=4000, epochs=3)
if full:
    settings = replace(settings, width=32, images=20_000, epochs=10)
data = settings.load()
classes = data.about  # names by label, the tree, and who is unseen
images, labels = data.test.tensors
tree = HierarchicalSoftmax(classes.tree, classes.names)
levels = tree.levels()  # each class's ancestor, level by level
print(f"{len(data.train)} pictures of {tuple(images.shape[2:])} pixels")
print(f"{len(classes.names)} classes, {len(tree.nodes)} nodes; levels:")
for level in levels:
    nodes = dict.fromkeys(tree.nodes[i] for i in level.tolist())
    print(textwrap.fill("- " + ", ".join(nodes), 70))

# %% id="draw-levels"
palette = class_colours(classes)


def leaders(level):  # a node is drawn in the colour of its first class
    return [int((level == node).nonzero()[0]) for node in level]


def parts(level, k):
    return len(level[labels[k]].unique())


which = [k for k in range(99) if parts(levels[1], k) > parts(levels[0], k)]
shown = ["branch", "kind", "shape"]
figure, axes = viz.chart(6.0, 3.1, 4)
for ax in axes:
    ax.remove()
for k, row in zip(which, figure.subplots(2, 4), strict=False):
    row[0].imshow(images[k].movedim(0, -1) + 0.5)
    for ax, level in zip(row[1:], levels, strict=True):
        ax.imshow(palette[torch.tensor(leaders(level))[labels[k]]])
    for ax, title in zip(row, ["picture", *shown], strict=True):
        ax.set_axis_off()
        if k == which[0]:
            ax.set_title(title)
viz.show(
    figure,
    alt="Two scenes, one a row: the picture, then its pixels labelled by "
    "branch, by kind and by shape. Each column gives some of the areas of "
    "the one before another colour or a lighter one.",
)

# %% [markdown] id="pixels"
# ## 2 · Every pixel a point
#
# The network is a flat encoder-decoder: three resolutions, skips, 3×3 convolutions. Its last layer gives each pixel a
# vector $v$ with few entries, here two. Up to this line nothing is curved. Then, as in Ghadimi Atigh et al. (2022),
#
# 1. the vector becomes a point, $x = \exp_0(v/2)$: at the distance $|v|$ from the origin, in the direction of $v$,
# 2. each class has a hyperplane, and the logit is the signed distance of the pixel to it (lecture 10),
# 3. a softmax makes probabilities of the logits.
#
# > **Predict, then run (1).** A picture of 128 × 128 pixels, 21 classes, 256 dimensions, and the formula of lecture 10:
# > $w = (-p)\oplus x$ for each pixel and class. How many megabytes does $w$ take? And in training, where every step of
# > the formula is kept for the gradient?

# %% id="megabytes"
pixels, K, dims = 128 * 128, 21, 256
print(f"the points x   {4 * pixels * dims / 2**20:7.0f} MB")
print(f"the logits     {4 * pixels * K / 2**20:7.1f} MB")
print(f"the tensor w   {4 * pixels * K * dims / 2**20:7.0f} MB")

# %% [markdown] id="no-tensor"
# A third of a gigabyte for *one* picture and *one* step of the formula, which has about six of that size. This, not the
# geometry, is why nobody classified pixels in hyperbolic space before 2022.
#
# ## 3 · Logits without the big tensor
#
# Here is the formula once more. Class $k$ has a point $p$ on its hyperplane and a normal vector $a$ there; drop the
# index:
#
# $$\text{logit} = \frac{\lambda_p|a|}{\sqrt c}\operatorname{arsinh}
# \frac{2\sqrt c\,\langle w, a\rangle}{(1 - c|w|^2)|a|}, \qquad w = (-p)\oplus x .$$
#
# *In words:* bring $p$ to the origin; there the hyperplane is flat; measure the height of the pixel over it.


# %% id="naive"
def naive(x, p, a, c):
    """As it stands: (B, n, H, W) and (K, n) to (B, K, H, W)."""
    s, x = math.sqrt(c), x.movedim(1, -1)[..., None, :]
    px, xx = ((u * x).sum(-1, keepdim=True) for u in (p, x))
    pp = (p * p).sum(-1, keepdim=True)
    w = (1 - c * pp) * x - (1 - 2 * c * px + c * xx) * p  # pixels x K x n
    w = w / (1 - 2 * c * px + c**2 * pp * xx)
    size, square = a.norm(dim=-1), (w * w).sum(-1)
    height = (w * a).sum(-1) / ((1 - c * square) * size)
    factor = 2 * size / (1 - c * pp[:, 0])
    return (factor / s * torch.asinh(2 * s * height)).movedim(-1, 1)


# %% [markdown] id="derive-1"
# **Step 1: nobody needs $w$.** Only $\langle w, a\rangle$ and $|w|^2$ are asked for, and $w = (\alpha p + \beta x)/N$
# with three *numbers* per pixel and class. So
#
# $$\langle w, a\rangle = \frac{\alpha\langle p, a\rangle + \beta\langle x, a\rangle}{N},\qquad
# |w|^2 = \frac{\alpha^2|p|^2 + 2\alpha\beta\langle p, x\rangle + \beta^2|x|^2}{N^2}.$$
#
# *In words:* what depends on pixel and class at once are the two inner products $\langle x, p_k\rangle$ and
# $\langle x, a_k\rangle$: two 1×1 convolutions. That is the paper's trick, and exercise 3.
#
# **Step 2: divide first.** Lecture 04 has $1 - c|w|^2 = (1 - c|x|^2)(1 - c|p|^2)/N$, so $N$ cancels, and
#
# $$\frac{\langle w, a\rangle}{1 - c|w|^2}
# = \frac{\alpha\langle p, a\rangle + \beta\langle x, a\rangle}{(1 - c|x|^2)(1 - c|p|^2)}
# = \frac{\langle x, z\rangle - \langle p, a\rangle(1 + c|x|^2)}{(1 - c|x|^2)(1 - c|p|^2)},$$
#
# with $z = (1 - c|p|^2)\,a + 2c\langle p, a\rangle\,p$. *In words:* **one** inner product is left. All else is a number
# of the class, or a number of the pixel.


# %% id="ours"
def ours(x, p, a, c):
    """The same, with one 1x1 convolution and one norm."""
    s, pa = math.sqrt(c), (p * a).sum(-1, keepdim=True)
    gap = 1 - c * (p * p).sum(-1, keepdim=True)
    z = (gap * a + 2 * c * pa * p)[..., None, None]
    cx = c * (x * x).sum(1, keepdim=True)
    height = nn.functional.conv2d(x, z) - pa[..., None] * (1 + cx)
    gap, size = gap[..., None], a.norm(dim=-1)[:, None, None]
    height = height / ((1 - cx) * gap * size)
    return 2 * size / (gap * s) * torch.asinh(2 * s * height)


# %% id="ours-check"
g, c = torch.Generator().manual_seed(0), 0.5
ball, chart = PoincareBall(c), NormalCoordinates(c)
x = ball.random(2, 6, 6, 3, generator=g, dtype=torch.float64)
p = ball.random(5, 3, generator=g, dtype=torch.float64)
a = torch.randn(5, 3, generator=g, dtype=torch.float64)
x = x.movedim(-1, 1)
close(ours(x, p, a, c), naive(x, p, a, c))
library = hnn.GyroplaneMLR(3, 5, ball, dim=1).double()
with torch.no_grad():  # which keeps p and a at the origin
    library.points.copy_(ball.to_normal(p))
    library.weight.copy_(ball.lambda_x(p, keepdim=True) / 2 * a)
close(library(x), ours(x, p, a, c))
print("as it stands, with one convolution, hnn.GyroplaneMLR: equal")

# %% [markdown] id="derive-2"
# **Step 3: see what it is.** $\frac{1 + c|x|^2}{1 - c|x|^2}$ and $\frac{2\sqrt c\,x}{1 - c|x|^2}$ are the coordinates
# $(T, S)$ of the pixel on the hyperboloid, in units of $1/\sqrt c$ (lecture 03). So
#
# $$\sinh(\sqrt c\,d) = \langle S, \nu\rangle - T\,\tau,\qquad
# \nu = \frac{z}{(1 - c|p|^2)|a|},\quad \tau = \frac{2\sqrt c\,\langle p, a\rangle}{(1 - c|p|^2)|a|} .$$
#
# *In words:* **the sinh of the distance to a hyperplane is a linear function on the hyperboloid.** A hyperbolic
# classifier is a flat one with one more channel, $T$, and an arsinh behind it. (The challenge of the exercises writes
# it as one `Conv2d`.) In the network we use `hnn.HMLR`, the form with $n + 1$ numbers per class instead of $2n$
# (lecture 10, section 3), on normal coordinates. It is the same product of matrices.

# %% id="linear"
cx, pa = c * (x * x).sum(1, keepdim=True), (p * a).sum(-1, keepdim=True)
T, S = (1 + cx) / (1 - cx), 2 * math.sqrt(c) * x / (1 - cx)
gap, size = 1 - c * (p * p).sum(-1, keepdim=True), a.norm(dim=-1)
tau = 2 * math.sqrt(c) * pa
weight = torch.cat((-tau, gap * a + 2 * c * pa * p), 1)
weight = weight / (gap * size[:, None])
line = nn.functional.conv2d(torch.cat((T, S), 1), weight[..., None, None])
scale = (2 * size[:, None] / gap / math.sqrt(c))[..., None]
close(scale * torch.asinh(line), ours(x, p, a, c))
lorentz = (weight[:, 1:] ** 2).sum(1) - weight[:, 0] ** 2
print("one convolution with 3 + 1 channels: equal logits")
print("|nu|^2 - tau^2 =", [round(v, 9) for v in lorentz.tolist()])

# %% [markdown] id="measure"
# Now measure. The meter below is told of every tensor that torch makes, and when it goes:


# %% id="meter"
class Meter(TorchDispatchMode):
    """The bytes of all living tensors that were made inside."""

    def __init__(self):
        super().__init__()
        self.living, self.peak, self.known = 0, 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple) else (result,):
            if isinstance(part, torch.Tensor):
                self.made(part.untyped_storage())
        return result

    def made(self, storage):  # views share a storage: count it once
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.living += storage.nbytes()
            self.peak = max(self.peak, self.living)
            gone = storage._cdata, storage.nbytes()
            weakref.finalize(storage, self.gone, *gone)

    def gone(self, key, size):
        self.known.discard(key)
        self.living -= size


# %% [markdown] id="predict-memory"
# > **Predict, then run (2).** One training step of the head alone, 64 × 64 pixels, 21 classes, 32 dimensions. $w$ alone
# > takes 10.5 MB. How many times the memory of the flat head does each of the others take at its peak? And the time?

# %% id="memory" tolerance=0.1
n, K, side = 32, 21, 64
planes = nn.ParameterList([0.05 * torch.randn(K, n), torch.randn(K, n)])
heads = {
    "flat, Conv2d": nn.Conv2d(n, K, 1),
    "as it stands": lambda x: naive(x, *planes, 1.0),
    "one convolution": lambda x: ours(x, *planes, 1.0),
    "hnn.HMLR": hnn.HMLR(n, K, NormalCoordinates(1.0), dim=1),
}


def train_step(head):
    x = (0.05 * torch.randn(1, n, side, side)).requires_grad_()
    head(x).square().mean().backward()


peaks = {}
for name, head in heads.items():
    train_step(head)
    with Meter() as meter:
        train_step(head)
    peaks[name] = meter.peak
for name, peak in peaks.items():
    times = peak / peaks["flat, Conv2d"]
    print(f"{name:16} peak {peak / 2**20:6.1f} MB, {times:5.1f} x flat")

# %% id="time" tolerance=1.0
for name, head in heads.items():
    start = time.process_time()
    for _ in range(10):
        train_step(head)
    print(f"{name:16} {100 * (time.process_time() - start):5.1f} ms")

# %% [markdown] id="memory-answer"
# As it stands, the formula takes 30 times the memory of the flat head, ours less than twice as much, and the time
# follows. The gap grows with the dimension: nothing that ours keeps has a size of pixels × classes × dimensions. And
# the head is the cheapest layer of the network, so twice its cost is nothing.
#
# ## 4 · A softmax for each family
#
# Classes have ancestors. Give a logit to each node of the tree but the root, and let only *siblings* compete:
#
# $$p(\text{class}) = \prod_{h\,\in\,\text{path from the root}}
# \frac{e^{\ell_h}}{\sum_{s\,\in\,\text{siblings of }h} e^{\ell_s}} .$$
#
# *In words:* background, polygon, round or stroke? If round: full or hollow? If hollow: which one? The probability of a
# class is the product of the decisions that lead to it, and that of a node is the sum over the classes below it.


# %% id="tree-scratch"
names, edges = classes.tree.names, classes.tree.edges.tolist()
up = {names[child]: names[parent] for child, parent in edges}


def class_log_probability(node, value):
    """Of one pixel, from the logits of the nodes by name."""
    total = 0.0
    while node in up:
        family = [value[s] for s in up if up[s] == up[node]]
        total += value[node] - torch.stack(family).logsumexp(0)
        node = up[node]
    return total


logits = torch.randn(1, len(tree.nodes), 2, 2)
value = dict(zip(tree.nodes, logits[0, :, 0, 1], strict=True))
scratch = [class_log_probability(name, value) for name in classes.names]
library = tree(logits)[0, :, 0, 1]
close(torch.stack(scratch), library)
print(f"{len(tree.nodes)} logits, {len(library)} classes, ", end="")
print(f"probabilities add up to {library.exp().sum():.6f}")

# %% [markdown] id="tree-loss"
# The loss of a pixel is $-\log p(\text{label})$, a sum of ordinary cross-entropies, one for each decision
# (`HierarchicalSoftmax.loss`). Pixels without a label are *void*: they count for nothing.
#
# ## 5 · Three networks, one budget
#
# The paper compares three: a flat head with an ordinary softmax, a flat head on the tree, and the hyperbolic head on
# the tree. Everything else is equal here, too: data, order of the pictures, encoder, steps, optimiser and its rate.
# Four of the eight shapes have no label in the training pictures; section 9 asks for them.
#
# > **Predict, then run (3).** Two numbers per pixel are all that the head gets to see. Which of the three is best at
# > the shapes that it has learned, and by how much? (*IoU* of a class: pixels that are of it *and* were called so, over
# > pixels that are *or* were. *mIOU* is the mean over the classes.)

# %% id="train" tolerance=0.5
arms = {
    "flat": replace(settings, flat=True, tree="none"),
    "flat, tree": replace(settings, flat=True),
    "hyperbolic, tree": settings,
}
models, scores = {}, {}
for name, arm in arms.items():
    result = arm.run(data)
    models[name], scores[name] = result.model, result.test
    print(f"{name:17} mIOU {result.test['miou']:.3f}", end="   ")
    print(f"pixels right {result.test['pixel_accuracy']:.3f}")
seen = torch.tensor(classes.seen)
learned = torch.isin(labels, seen)
share = (labels[learned] == 0).double().mean()
print(f"background always mIOU {share / len(seen):.3f}", end="   ")
print(f"pixels right {share:.3f}")

# %% [markdown] id="train-answer"
# Look at the last line first: most pixels are background, and whoever says nothing else is right at nine of ten.
# Pixel accuracy tells little; mIOU counts each class alike. There the tree helps the flat head, and the hyperbolic
# head does not beat it. That is *one* run each, and with so few steps a few hundredths change hands from seed to seed:
# nothing may be concluded yet. Here are five seeds of a network that is twice as wide, 625 steps each, mean and 95 %
# interval of the mIOU. Each entry has the learning rate, of three, that was best for it on validation scenes
# (`python -m benchmarks.vision segmentation --dims 2 4 8 16 --rates 3e-3 1e-2 3e-2 --decays 1e-2`):
#
# | learned shapes | $n = 2$ | $n = 4$ | $n = 8$ | $n = 16$ |
# |---|---|---|---|---|
# | flat | .361 ± .075 | .431 ± .053 | .486 ± .049 | .480 ± .040 |
# | flat, tree | .406 ± .020 | .403 ± .015 | .440 ± .059 | .504 ± .078 |
# | hyperbolic, tree | .397 ± .008 | .468 ± .095 | .425 ± .072 | .484 ± .101 |
#
# All three lose about a tenth from 16 dimensions to two, none of them clearly less than the others, and the lead goes
# from row to row: that hyperbolic embeddings need fewer dimensions is not reproduced at this scale.
#
# ## 6 · Where the pixels are
#
# Two dimensions can be drawn. Here are pixels of the test pictures in the disk, once in the colours of their classes,
# once by how many pixels they are away from the next border in their picture. Behind them: which branch wins where.


# %% id="steps"
def steps_to_border(labels, most=6):
    """1 for a pixel that touches another class, then 2, ... `most`."""
    near = label_boundaries(labels)
    steps = torch.where(near, 1, most)
    for k in range(2, most):
        spread = nn.functional.max_pool2d(near.float()[:, None], 3, 1, 1)
        near = spread[:, 0] > 0
        steps = torch.where(near & (steps == most), k, steps)
    return steps


steps = steps_to_border(labels)
print("steps:  ", *range(1, 7), "or more")
shares = [(steps == k).double().mean() for k in range(1, 7)]
print("share: ", *(f"{share:.2f}" for share in shares))

# %% id="disk-points"
model, ball = models["hyperbolic, tree"], PoincareBall(1.0)
with torch.no_grad():
    points = ball.from_normal(model.embed(images), dim=1)
    axis = torch.linspace(-0.998, 0.998, 201)
    X, Y = torch.meshgrid(axis, axis, indexing="xy")
    inside = X.square() + Y.square() < 0.996
    grid = torch.where(inside, torch.stack((X, Y)), 0.0)
    logits = model.head(ball.to_normal(grid, dim=0)[None])[0]
branch = logits[: tree.families[0]].argmax(0)  # the root's children
lot = torch.randperm(labels.numel(), generator=g)
few = torch.cat([lot[labels.flatten()[lot] > 0][:1200], lot[:600]])
places = points.movedim(1, -1).flatten(0, 2)[few]

# %% id="draw-disk"
branches = [tree.nodes[k] for k in range(tree.families[0])]
shades = [palette[int((levels[0] == k).nonzero()[0])] for k in range(4)]
distances = ["1 step", "2 steps", "3 steps", "4 or more"]
by_steps = [viz.COLORS[c] for c in ("red", "orange", "sky", "blue")]
near = steps.flatten()[few].clamp_max(4) - 1
kinds = levels[0][labels.flatten()[few]]
figure, disks = viz.picture(viz.Disk, viz.Disk, size=3.0)
figure.set_figheight(4.0)
drawn = (kinds, branches, shades), (near, distances, by_steps)
for disk, (group, words, colors) in zip(disks, drawn, strict=True):
    for k, shade in enumerate(shades):
        won = torch.where(inside & (branch == k), 1.0, 0.0)
        fill = [shade.tolist()]
        disk.ax.contourf(X, Y, won, [0.5, 2], colors=fill, alpha=0.3)
    for k, (word, color) in enumerate(zip(words, colors, strict=True)):
        dots = places[group == k].T
        color = [tuple(color) if len(color) == 3 else color]
        if word == "background":
            color = [viz.COLORS["grey"]]
        disk.ax.scatter(*dots, s=6, c=color, lw=0, label=word, zorder=3)
    legend = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.03)}
    disk.ax.legend(ncols=2, markerscale=2, fontsize=11, **legend)
viz.show(
    figure,
    alt="The same pixels in two disks whose regions show where "
    "background, polygon, round and stroke win. Left, coloured by branch: "
    "background pixels gather at the rim in one direction, round ones in "
    "another, the others between. Right, coloured by steps to the border: "
    "pixels that touch one are spread about the centre, most of those "
    "four steps away lie near the rim.",
)

# %% [markdown] id="disk-read"
# Read the right disk. Red pixels touch a border; they lie about the centre and along the lines on which one answer
# turns into another. Dark blue ones, deep inside, are far out, near the rim. The head made that map for
# itself: nobody told it where borders are, and it has only two dimensions.
#
# ## 7 · Uncertainty for free
#
# In flat space a logit grows with the distance from a hyperplane, too. But here the *volume* is outside, and a pixel
# that could be anything does best near the origin, where all hyperplanes are close and no class wins by much. So take
# the distance from the origin as confidence:
#
# $$\text{confidence}(x) = d(0, x) = \frac{2}{\sqrt c}\operatorname{artanh}(\sqrt c\,|x|) .$$
#
# *In words:* how far out the pixel was pushed. It costs nothing; the norm is there already. In normal coordinates it
# is $|n|$.

# %% id="confidence-scratch"
with torch.no_grad():
    r = points.norm(dim=1)
    library = distance_from_origin(points, ball)
    close(2 * torch.atanh(r), library)
    close(model.confidence(images), library, rtol=1e-4, atol=1e-4)
print("2 artanh|x|, distance_from_origin, model.confidence: equal")

# %% id="draw-examples"
figure, _ = draw_examples(model, tree, data, examples=3)
figure.set_size_inches(6.0, 3.9)
for legend in figure.legends:
    legend.remove()  # the colours are those of section 1
viz.show(
    figure,
    alt="Three test pictures, one a row: the picture, the true "
    "classes, the prediction, the distance from the origin and its "
    "gradient. The distance is large, bright, on the background, small, "
    "dark, on the objects, and smallest along their outlines.",
)

# %% [markdown] id="predict-uncertainty"
# What does uncertainty cost otherwise? *Monte-Carlo dropout* (Gal and Ghahramani 2016): leave dropout on, ask ten
# times, average the probabilities, take their entropy. Or nothing at all: the entropy of the one softmax that is there
# anyway. A good uncertainty is higher for wrong pixels than for right ones. **AUROC** is the probability of that, for a
# wrong and a right pixel drawn at random: 0.5 is chance, 1 is perfect.
#
# > **Predict, then run (4).** Order the three, distance from the origin, entropy, ten passes of dropout, by how well
# > they find the wrong pixels; then by how well they find the borders of the objects. Does the flat network's norm do
# > the same?

# %% id="auroc" tolerance=0.3
found = predict(model, tree, data.test, passes=0)
answer = seen[found.log_p[:, seen].argmax(1)]
unsure = found.uncertainty["distance"][learned]
wrong = (answer != labels)[learned]
pick = torch.randint(2**30, (2, 200_000), generator=g)
one = unsure[wrong][pick[0] % int(wrong.sum())]
other = unsure[~wrong][pick[1] % int((~wrong).sum())]
by_pairs = ((one > other).double() + (one == other) / 2).mean().item()
close(by_pairs, auroc(unsure, wrong), atol=0.01, rtol=0)
print(f"200,000 pairs: {by_pairs:.2f}, hyplearn.metrics.auroc: ", end="")
print(f"{auroc(unsure, wrong):.2f}")

# %% id="uncertainty" tolerance=0.5
print("AUROC              wrong pixels        borders       passes")
print("                 hyperb.   flat   hyperb.   flat")
kinds = {"distance": 1, "probability": 1, "entropy": 1, "dropout": 10}
kinds["gradient"] = 1
columns = [scores[name] for name in ("hyperbolic, tree", "flat, tree")]
for kind, passes in kinds.items():
    keys = f"wrong_{kind}", f"border_{kind}"
    row = [column[key] for key in keys for column in columns]
    print(f"{kind:15}", *(f"{v:8.3f}" for v in row), f"{passes:8}")

# %% [markdown] id="uncertainty-answer"
# *Wrong pixels.* The distance finds them well; the entropy of the softmax finds them better, in both networks, and is
# just as free. Ten passes cost ten times as much and find no more: this dropout, in front of the last layer, only adds
# noise to what the entropy knows already. So compare with what else is free, not only with what is dear.
#
# *Borders.* Here the distance is the best of all, though nobody trained it for borders, and the flat network's norm is
# far behind. That was one run. Over five seeds of a wider network it is 0.90 against 0.89 in two dimensions and 0.89
# against 0.84 in sixteen, with the entropy level at 0.90 to 0.91: the order of the two norms stays, the gap in two
# dimensions and the lead over the entropy do not. (The *gradient* of the map, which looks like an obvious detector, is
# worse than the map itself: confidence is low on both sides of a border, not only where it changes.)
#
# ## 8 · Borders for free
#
# The table's right half, as a curve: how far from the origin are pixels, by their steps to the next border?

# %% id="draw-border"
figure, axes = viz.chart(6.0, 2.7, 2, sharex=True)
for ax, name in zip(axes, ("hyperbolic, tree", "flat, tree"), strict=True):
    with torch.no_grad():
        far = models[name].confidence(images)
    places = {"background": labels == 0, "objects": labels > 0}
    for what, place in places.items():
        means = [far[place & (steps == k)].mean() for k in range(1, 7)]
        ax.plot(range(1, 7), means, marker="o", label=what)
    ax.set(title=name, xlabel="steps to the border")
    ax.set_ylim(bottom=0)
axes[0].set_ylabel("mean distance from 0")
axes[1].legend(loc="lower right")
viz.show(
    figure,
    alt="Mean distance from the origin by steps to the border, for "
    "background and object pixels. Hyperbolic: both grow from the border "
    "on. Flat: the background's grows, that of the objects hardly changes.",
)

# %% [markdown] id="border-answer"
# In the hyperbolic network the distance grows away from the border, outside and inside of the objects (but for the last
# step inside). In the flat one the norm inside an object says little about the border.
#
# ## 9 · Classes that nobody labelled
#
# Pixels of four shapes were void in training. The paper's protocol: look at their pixels only, let the network choose
# among these four, and count what the tree says of the answer (exercise 5). At the level of the shapes the five-pointed
# star must be a five-pointed star; at the level of the branches a polygon.
#
# How can that work at all? Training only ever pushes the logit of an unseen leaf *down*, below its siblings. But the
# nodes above it are shared with shapes that were learned: if the pixel looks like a star, all of the probability of
# *star* has to go somewhere.
#
# > **Predict, then run (5).** Four classes to choose from. What does somebody reach who guesses: mIOU 1/4? And the
# > three networks?

# %% id="zero-label" tolerance=0.5
noise = torch.rand(len(labels), len(classes.names), *labels.shape[1:])
guess = Predictions(noise.log_softmax(1), labels, {}, 0.0)
rows = {"a guess": zero_label_scores(guess, classes)} | scores
print("unseen classes, mIOU   as shapes   as branches   by kind")
for name, s in rows.items():
    values = s["zero_miou"], s["zero_cousin_miou"], s["zero_group_miou"]
    print(f"{name:21}", *(f"{v:11.3f}" for v in values))
print("as shapes: class accuracy, pixel accuracy, mIOU, in percent")
for name in arms:
    kinds = "class_accuracy", "pixel_accuracy", "miou"
    values = [100 * scores[name][f"zero_{kind}"] for kind in kinds]
    print(f"{name:21}", *(f"{v:8.2f}" for v in values))

# %% [markdown] id="zero-answer"
# A guess has the mIOU 1/7, not 1/4: of four equally large classes it hits a quarter of the pixels of each, and calls a
# quarter of all others by its name, $\frac{1/16}{1/4 + 1/4 - 1/16} = \frac17$. (If your score is below that of a
# guess, the answers are lopsided.) The last column decides by the probability of the *kind*, the sum over its shapes:
# a network that was trained without any tree can do that, too.
#
# Who won above? With another seed the order changes. The five seeds of section 5 say more (mIOU as shapes; the
# difference is taken seed by seed; the control was run in two dimensions and in sixteen):
#
# | unseen shapes | $n = 2$ | $n = 4$ | $n = 8$ | $n = 16$ |
# |---|---|---|---|---|
# | flat | .102 ± .061 | .071 ± .026 | .188 ± .083 | .120 ± .093 |
# | flat, tree | .167 ± .058 | .171 ± .056 | .197 ± .085 | .200 ± .074 |
# | hyperbolic, tree | .148 ± .037 | .256 ± .038 | .191 ± .080 | .285 ± .048 |
# | its leaves dealt anew | .082 ± .019 | | | .098 ± .063 |
# | hyperbolic − flat | −.019 ± .052 | +.085 ± .062 | −.007 ± .153 | +.085 ± .111 |
#
# and with the answer decided by kind:
#
# | unseen shapes | 2 dimensions | 4 dimensions | 8 dimensions | 16 dimensions |
# |---|---|---|---|---|
# | flat | .180 | .265 | .292 | .318 |
# | flat, tree | .228 | .231 | .275 | .307 |
# | hyperbolic, tree | .225 | .281 | .253 | .313 |
#
# *The tree helps*, as in the paper: without it, a choice among four logits that were only ever pushed down is worse
# than a guess in three columns of four, and with a tree whose leaves were dealt to other places (the control) it is
# worse than a guess, too. So it is the *meaning* of the tree that helps. The last table says where the help comes from:
# let the flat network that knows no tree sum its probabilities by kind, and what is left of the gap is within the
# spread of the seeds. (Weber et al. 2024 found flat networks with parents inferred from the children hard to beat,
# too.)
#
# *And hyperbolic space?* One difference of four lies beyond its interval, at $n = 4$. Before you print that column
# alone: were there nothing to find, each 95 % interval would still leave out 0 once in twenty, and one of four at
# least in $1 - 0.95^4 = 19$ % of all such tables. Widen the four intervals until all of them together are right 95
# times in 100 (98.75 % each, Bonferroni), and +0.085 ± 0.062 becomes ± 0.096; average the four, and it is +0.036 ±
# 0.047. An advantage is not shown, and one of 0.05 is not excluded: for that the seeds differ too much.
#
# ## 10 · Where it breaks
#
# **The rim.** The formulas of section 3 were in the ball's coordinates, and `float32` has none beyond distance 17. One
# pixel that walks outwards, one plane, the logit:

# %% id="break-rim" tolerance=0.05
p, a = torch.tensor([[0.3, 0.1]]), torch.tensor([[1.0, -0.5]])
library = hnn.GyroplaneMLR(2, 1, NormalCoordinates(1.0), dim=1)
with torch.no_grad():
    library.points.copy_(ball.to_normal(p))
    library.weight.copy_(ball.lambda_x(p, keepdim=True) / 2 * a)
print("distance   exact  as it stands  one convolution  HMLR's form")
for d in (2.0, 8.0, 12.0, 16.0, 18.0, 24.0):
    v = d * torch.tensor([0.6, -0.8]).view(1, 2, 1, 1)
    exact = library.double()(v.double()).item()
    x = ball.from_normal(v, dim=1)
    in_ball = [f(x, p, a, 1.0).item() for f in (naive, ours)]
    last = library.float()(v).item()
    print(f"{d:8} {exact:8.3f} {in_ball[0]:12.3f} ", end="")
    print(f"{in_ball[1]:15.3f} {last:13.3f}")

# %% [markdown] id="break-rim-answer"
# In the ball's coordinates everything beyond 17 is one place, and the gradient ends there. Normal coordinates go on. In
# training neither is left to chance: `SegmentationNet` clips radii at $\sqrt c\,d = 6$, direction kept (lecture 10).
#
# **The clip.** But a clip is a ceiling for confidence. Lower it, and pixels that differed become equal:

# %% id="break-clip" tolerance=0.5
for bound in (6.0, 3.0, 1.0):
    far = model.confidence(images).detach().clamp_max(bound)
    share = (far > bound - 1e-3).double().mean()
    value = auroc(-far[learned], wrong)
    print(f"clip {bound}: {share:.2f} of the pixels, AUROC {value:.3f}")

# %% [markdown] id="break-noise-text"
# **Confident nonsense.** Distance from the origin was learned on scenes. What does the network say of pictures unlike
# any scene?
#
# > **Predict, then run (6).** Noise, a picture upside down in brightness, and plain black: near the origin or far out?

# %% id="break-noise" tolerance=0.5
strange = {
    "objects in scenes": images,
    "noise": torch.rand(40, 3, 32, 32, generator=g) - 0.5,
    "brightness reversed": -images,
    "plain black": torch.full((1, 3, 32, 32), -0.5),
}
with torch.no_grad():
    for name, pictures in strange.items():
        far = model.confidence(pictures)
        if name == "objects in scenes":
            far = far[labels > 0]
        print(f"{name:20} median distance {far.median():.2f}")

# %% [markdown] id="break-noise-answer"
# Far out, farther than the pixels of real objects. The radius says how clear the evidence is *for one of the classes
# that it knows* over the others; it does not say whether the pixel looks like anything that it knows. Whoever wants to
# find what is strange has to measure that, as lectures 11 and 13 do.
#
# ## 11 · Their numbers, our numbers
#
# Zero-label segmentation, scored as shapes: class accuracy / pixel accuracy / mIOU, in percent.
#
# | | *paper*, COCO-Stuff-10k | *paper*, Pascal VOC | *here*, $n = 16$ |
# |---|---|---|---|
# | flat | 0.44 / 0.33 / 0.23 | 4.88 / 10.84 / 2.59 | 25.6 / 24.7 / 12.0 |
# | flat, tree | 3.29 / 48.65 / 18.53 | 7.80 / 31.04 / 16.15 | 36.1 / 47.9 / 20.0 |
# | hyperbolic, tree | 3.46 / 51.70 / 21.15 | 12.15 / 47.92 / 34.87 | 45.0 / 51.4 / 28.5 |
#
# *Theirs:* Ghadimi Atigh et al. (2022), photographs. *Here:* scenes of 24 × 24 pixels with four unseen shapes, networks
# of 74,000 weights, means of five seeds, 12 to 16 seconds each on one core. A guess has 25 / 25 / 14 here. Of the four
# dimensions of section 9 this one and $n = 4$ look most like the paper; at 2 and 8 the last two rows are level. (In
# their columns mIOU is above the class accuracy. Can that be? Exercise 6.)
#
# | claim | *paper* | *here* |
# |---|---|---|
# | memory of the head | tractable by inner products | 64 MB against 3.8 MB |
# | uncertainty for free | distance from the origin | AUROC 0.92; the entropy, also free, 0.96 |
# | borders for free | pixels near the origin | AUROC 0.89, flat 0.84; the entropy 0.91 |
# | the tree, unseen classes | + 18.3 and + 13.6 points of mIOU | + 6.4, + 10.0, + 0.9, + 8.1 |
# | hyperbolic over flat, with tree | + 2.6 and + 18.7 points | − 1.9, + 8.5, − 0.7, + 8.5; see section 9 |
# | the same on road scenes (CamVid) | | + 8.4 ± 8.5 |
#
# *Here:* AUROC for $n = 16$; the tree (in flat networks) and the space for $n = 2, 4, 8, 16$; CamVid at 80 × 60
# pixels, $n = 8$, 300 training pictures, five seeds, four of its eleven classes unseen.
#
# ## Three things to keep
#
# 1. **The sinh of a distance to a hyperplane is linear on the hyperboloid.** So a hyperbolic pixel classifier is a 1×1
#    convolution and a norm; the tensor of pixels × classes × dimensions never was needed.
# 2. **One pass gives three maps**: the classes, how sure, and where things end. But look at what else is free before
#    you praise it: the entropy of the same softmax finds mistakes better.
# 3. **A tree answers for what has no label**, as far up as it must. Compute the score of a guess first, give the flat
#    network the same tree, and only then speak of curvature.
#
# ## Go further
#
# - **Mina Ghadimi Atigh, Julian Schoep, Erman Acar, Nanne van Noord, Pascal Mettes**, "Hyperbolic Image Segmentation",
#   CVPR 2022. This lecture's paper: the inner-product form, the tree, the confidence maps. Read its two zero-label
#   tables with exercise 6 in mind.
# - **Simon Weber, Barış Zöngür, Nikita Araslanov, Daniel Cremers**, "Flattening the Parent Bias: Hierarchical Semantic
#   Segmentation in the Poincaré Ball", CVPR 2024. Flat networks that sum the probabilities of the children beat
#   networks trained on the tree when the domain changes; the ball is on par, and better calibrated at the parents.
# - **Luca Franco, Paolo Mandica, Konstantinos Kallidromitis, Devin Guillory, Yu-Teng Li, Trevor Darrell, Fabio
#   Galasso**, "Hyperbolic Active Learning for Semantic Segmentation under Domain Shift", ICML 2024. Another reading of
#   the radius: how rare a pixel's class was in training, rather than how unsure its prediction.
# - **Yarin Gal, Zoubin Ghahramani**, "Dropout as a Bayesian Approximation", ICML 2016. What the ten passes estimate.
# - **Yongqin Xian, Subhabrata Choudhury, Yang He, Bernt Schiele, Zeynep Akata**, "Semantic Projection Network for
#   Zero- and Few-Label Semantic Segmentation", CVPR 2019. Where *zero-label* comes from, with word vectors in place of
#   a tree.
#
# **An open question.** Near the origin are pixels at borders, pixels of shapes that are hard to tell, and pixels of
# shapes that were never labelled; far out is, among others, noise. One number cannot say which of these it is. The
# direction is still free. Is there a training that puts *where to stop in the tree* into the radius, and keeps doubt
# out of it?
#
# **Next:** the [exercises](../exercises/14_segmentation/14_segmentation.ipynb).
