# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] id="title"
# # 12 · Prototypes: targets that know the tree
#
# **Question.** A classifier that calls a turn to the left "a turn to the right" is less wrong than one that calls it
# "grows". Where could a network learn the difference, and can it then name a class that it has never seen?
#
# **After this lecture you can**
#
# - *place* a tree of classes in the ball, in closed form, by training and by cones, and *say* what each keeps,
# - *match* a network's output with fixed prototypes, and *derive* where the loss wants the output to be,
# - *measure* how wrong mistakes are: sibling and cousin accuracy, hierarchical precision,
# - *recognise* classes without a training example, and *say* on which level that can work at all,
# - *separate*, with two controls, what the tree does from what the curvature does.
#
# **You need** lecture 04 (distance, $\exp_0$), lectures 07 and 08 (cones, Sarkar's construction). PyTorch.
#
# **Reading time:** 40 minutes. **Running time:** about a minute on two CPU cores.
#
# **Exercises:** [12_prototypes](../exercises/12_prototypes/12_prototypes.ipynb);
# get your own copy with `hyplearn start 12_prototypes`.

# %% id="setup"
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch.utils.data import TensorDataset

from hyplearn import (
    Euclidean,
    NormalCoordinates,
    PoincareBall,
    cones,
    metrics,
    viz,
)
from hyplearn.data.scenes import ACTION_CLASSES, action_tree, draw_clips
from hyplearn.experiments.actions import ActionsExperiment
from hyplearn.experiments.prototypes import place_tree, predict
from hyplearn.networks import PrototypeClassifier

close = torch.testing.assert_close
full = False  # True: longer clips, ten times as many, larger pictures

# %% [markdown] id="clips"
# ## 1 · Twelve things that a shape can do
#
# Each row is a clip of a procedural world: one shape, one motion. What the shape is, where, and in which colours, says
# nothing about the motion.


# %% id="draw-clips"
def strip(pictures):
    """Frames (T, 3, H, W) side by side, with white between them."""
    framed = F.pad(pictures, (2, 2, 2, 2), value=1.0)
    return torch.cat(list(framed), dim=-1).permute(1, 2, 0)


scenes, actions = draw_clips(200, frames=6, seed=3)
clips = scenes.render(40)[0].unflatten(0, (200, 6))
figure, axes = viz.chart(5.6, 3.0, columns=2)
for ax, six in zip(axes, (range(6), range(6, 12)), strict=True):
    first = [int((actions == k).nonzero()[0]) for k in six]
    ax.imshow(torch.cat([strip(clips[i]) for i in first]))
    rows = [44 * row + 22 for row in range(6)]
    ax.set_yticks(rows, [ACTION_CLASSES[k] for k in six])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)
viz.show(
    figure,
    alt="Twelve film strips of six frames, each with a patterned shape: it "
    "moves left, right, up, down; turns left, right; grows, shrinks, "
    "pulses; is stretched, is squashed, sways.",
)

# %% [markdown] id="tree"
# The twelve are leaves of a tree: rigid motions are translations and rotations, elastic ones are changes of scale and
# deformations. The *number of edges* between two classes says how wrong it is to take one for the other: 2 between
# siblings, 4 between cousins, 6 across the tree. A one-hot target says 1 for every pair.

# %% id="hops"
tree = action_tree()
leaves = [tree.names.index(name) for name in ACTION_CLASSES]
hops = tree.tree_distances(leaves)[:, leaves]
print("edges from 'turns left' to")
for name in ("turns right", "moves up", "grows"):
    k, j = ACTION_CLASSES.index("turns left"), ACTION_CLASSES.index(name)
    print(f"  {name:12} {hops[k, j]:.0f}")

# %% [markdown] id="predict-chance"
# > **Predict, then run (1).** A network errs, and the wrong answer is drawn at random from the other eleven classes.
# > How often is it a sibling? How often a cousin or nearer? Any claim about "better mistakes" starts from these
# > numbers.

# %% id="chance"
wrong = ~torch.eye(12, dtype=torch.bool)
for radius, name in ((2, "sibling"), (4, "cousin or nearer")):
    print(f"{name:17} {(hops[wrong] <= radius).double().mean():.0%}")
print(f"edges to the truth: {hops[wrong].mean():.2f}")

# %% [markdown] id="scores"
# **Three scores.** *Sibling accuracy* is the share of predictions at most 2 edges from the truth, *cousin accuracy* at
# most 4 (Long et al. 2020). Both contain the right answers, so they rise when the accuracy does; that is why we will
# also look at mistakes alone. *Hierarchical precision* looks at the $k$ best guesses (Frome et al. 2013): let a circle
# about the true class $y$ grow until it holds $k$ classes, and count how many of the guesses are in it,
#
# $$\mathrm{hp}_k = \frac1k\,\big|\{\text{the } k \text{ best guesses}\}
# \cap\{j : \mathrm{edges}(y, j)\le r_k(y)\}\big|,$$
#
# with $r_k(y)$ the distance of the $k$-th nearest class. *In words:* of the $k$ answers, how many are as near as they
# could be?


# %% id="scores-scratch"
def precision(scores, true, k):
    radius = hops.sort(dim=1).values[:, k - 1]
    best = scores.topk(k).indices
    return (hops[true[:, None], best] <= radius[true, None]).double().mean()


g = torch.Generator().manual_seed(0)
true = torch.randint(12, (20_000,), generator=g)
guess = torch.rand(20_000, 12, generator=g)  # knows nothing
hp = precision(guess, true, 5)
close(hp.item(), metrics.hierarchical_precision(guess, true, hops, 5))
within = hops[true, guess.argmax(1)] <= 2
sibling = within.double().mean()
library = metrics.accuracy_within(guess.argmax(1), true, hops, 2)
close(sibling.item(), library)
print(f"guessing: sibling accuracy {sibling:.2f}, hp@5 {hp:.2f}")

# %% [markdown] id="place"
# ## 2 · A place for every class
#
# The idea of both papers: do not let the network choose its targets. Place the classes first, in a space and in such a
# way that distance means relation; then fix these **prototypes** and train the network to hit them.
#
# Why in hyperbolic space? Look at one group: $k$ children around a parent, all at the distance $\ell$ from it, two
# neighbours at the angle $\theta$. In the tree, siblings are $2\ell$ apart, since the way leads through the parent. In
# the space, the isosceles triangle gives
#
# $$\sinh\frac{\sqrt c\,d}{2} = \sinh(\sqrt c\,\ell)\,\sin\frac\theta2, \qquad\text{and in flat space}\qquad
# \frac d2 = \ell\,\sin\frac\theta2.$$
#
# *In words:* in flat space siblings are always closer than the tree says, by the same factor; in hyperbolic space
# shortcuts die out as edges get longer.


# %% id="place-scratch"
def sibling_distance(length, theta, c=1.0):
    s, length = c**0.5, torch.as_tensor(length)
    half = torch.sinh(s * length) * torch.sin(torch.tensor(theta) / 2)
    return 2 / s * torch.asinh(half)


# 'translate' has a parent and four children: five directions.
theta = torch.pi * 2 / 5
space = NormalCoordinates(1.0)
places = place_tree(tree, 2, c=1.0, method="sarkar", length=1.5)
left = tree.names.index("moves left")
right = tree.names.index("moves right")
scratch = sibling_distance(1.5, theta)
close(scratch, space.dist(places[left], places[right]).float())
print(f"siblings: {scratch:.4f}; the tree says {2 * 1.5}")

# %% [markdown] id="predict-length"
# > **Predict, then run (2).** How long must edges be so that these siblings are 95 % as far apart as the tree says?
# > In flat space?

# %% id="length"
for length in (0.01, 1.0, 2.0, 5.0, 10.0, 11.0):
    share = sibling_distance(length, theta) / (2 * length)
    print(f"edges of length {length:5}: {share:.0%}")

# %% [markdown] id="placements"
# About 11, and in flat space never: there it is 59 % at any length. (Eleven per edge is expensive, as lecture 08 has
# shown; and section 3 will show that a *classifier* does not want it either.)
#
# Four ways to place the tree in the plane:
#
# - *Sarkar's construction*, in closed form (lecture 08);
# - *distances kept as well as they can be*, by minimising the stress, which works in either space and any dimension;
# - *Poincaré embeddings* (lecture 06), which only ask that relatives be nearer than others;
# - *entailment cones* (lecture 07), which Long et al. use: every leaf in the cones of its ancestors.


# %% id="draw-placements"
ball = PoincareBall(1.0)
groups = ["translate", "rotate", "scale", "deform"]
colors = dict(zip(groups, ("blue", "orange", "green", "red"), strict=True))


def color(node):
    above = [tree.names[k] for k in (node, *tree.ancestors[node])]
    return next((colors[name] for name in above if name in colors), "ink")


def draw_tree(disk, places, size=4.0):
    points = ball.from_normal(places)
    for child, parent in tree.edges.tolist():
        disk.segment(points[child], points[parent], color="grey", width=1)
    for node in range(len(tree)):
        disk.point(points[node], color=color(node), size=size)


methods = {"Sarkar": "sarkar", "stress": "mds"}
methods |= {"Poincaré": "poincare", "cones": "cones"}
placed = {}
for name, method in methods.items():
    placed[name] = place_tree(tree, 2, c=1.0, method=method, length=1.0)
kinds = [viz.Disk] * 4
figure, disks = viz.picture(*kinds, size=1.4, titles=list(placed))
for disk, places in zip(disks, placed.values(), strict=True):
    draw_tree(disk, places)
viz.show(
    figure,
    alt="The tree of actions placed in four disks, its root at or near the "
    "centre, groups in four colours: translate blue, rotate orange, scale "
    "green, deform red. Leaves of one colour lie side by side; only in the "
    "Poincaré embedding a blue and a red leaf are cut off from theirs.",
)


# %% [markdown] id="keeps"
# What does each keep? The average distortion of the distances between *classes* (1 is perfect), and the share of
# (ancestor, descendant) pairs whose descendant is in the ancestor's cone:


# %% id="distortion" tolerance=0.1
def distortion(places, space):
    d = space.cdist(places, places)[leaves][:, leaves]
    scale = metrics.best_scale(d, hops)
    return metrics.average_distortion(d, hops, scale)


def nested(places):
    lower, upper = tree.closure[tree.closure[:, 1] != tree.roots[0]].T
    energy = cones.cone_energy(places[upper], places[lower], space, 0.2)
    return (energy < 1e-6).double().mean()


for name, places in placed.items():
    kept = f"{distortion(places, space):.3f}"
    print(f"{name:9} distortion {kept}  in cones {nested(places):4.0%}")
for dim in (2, 11):
    flat = place_tree(tree, dim, c=None, method="mds", length=1.0)
    name, kept = f"flat {dim}", f"{distortion(flat, Euclidean()):.3f}"
    print(f"{name:9} distortion {kept}")
print(f"one-hot   distortion {distortion(torch.eye(19), Euclidean()):.3f}")

# %% [markdown] id="match"
# ## 3 · Match: $\exp_0$, distance, softmax
#
# The last layer of the network gives a vector $v$. It is a tangent vector at the origin, and the clip's place is $x =
# \exp_0(v)$. The probability of class $k$ is the softmax of minus the distances, and the **discriminative loss** is the
# cross-entropy:
#
# $$x = \exp_0(v) = \tanh(\sqrt c\,|v|)\,\frac{v}{\sqrt c\,|v|},\qquad
# p(k\mid x) = \frac{e^{-d(x, p_k)/T}}{\sum_j e^{-d(x, p_j)/T}},\qquad L = -\log p(y\mid x).$$
#
# *In words:* be nearer to the right prototype than to the others, by some multiples of the temperature $T$.


# %% id="match-scratch"
def matching_loss(v, labels, prototypes, T, c):
    ball = PoincareBall(c)
    x = torch.tanh(c**0.5 * v.norm(dim=1, keepdim=True))
    x = x * F.normalize(v) / c**0.5
    d = ball.dist(x[:, None], prototypes)
    return F.cross_entropy(-d / T, labels)


c, T, g = 2.0, 0.5, torch.Generator().manual_seed(0)
places = place_tree(tree, 2, c=c, method="sarkar", length=1.0)[leaves]
v = 0.4 * torch.randn(8, 2, generator=g, dtype=torch.float64)
labels = torch.arange(8)
points = PoincareBall(c).from_normal(places)
scratch = matching_loss(v, labels, points, T, c)
# The library takes the output for normal coordinates, twice v.
model = PrototypeClassifier(
    torch.nn.Identity(),
    places,
    NormalCoordinates(c),
    temperature=T,
)
close(scratch, F.cross_entropy(model(2 * v), labels))
print(f"loss of eight random outputs: {scratch.item():.4f}")

# %% [markdown] id="predict-floor"
# Where does the loss want $x$ to be? In a network with a linear last layer, logits can always be scaled up, so the loss
# pulls outwards for ever. Here?
#
# > **Predict, then run (3).** Move $x$ out along the ray through the prototype of its class, past it, towards the rim.
# > Does the loss go on falling? What is the least loss that any network can have?

# %% id="floor"
places = place_tree(tree, 2, c=1.0, method="sarkar", length=1.0)[leaves]
D = space.cdist(places, places)
steps = torch.linspace(0, 2, 201, dtype=torch.float64)
figure, ax = viz.chart(6.0, 3.2)
for T, name in ((0.3, "blue"), (1.0, "orange"), (3.0, "green")):
    ray = steps[:, None] * places[0]
    loss = F.cross_entropy(
        -space.cdist(ray, places) / T,
        torch.zeros(201, dtype=torch.int64),
        reduction="none",
    )
    floor = torch.logsumexp(-D[0] / T, 0)
    best = int(loss.argmin())
    close(loss[best], floor)
    ax.plot(steps, loss, color=viz.COLORS[name], label=f"T = {T}")
    print(f"T = {T}: least at {steps[best]:.2f}, {loss[best]:.4f}")
ax.set(xlabel="place on the ray; 1 is the prototype", ylabel="loss")
ax.legend()
viz.show(
    figure,
    alt="The loss along the ray from the origin through a prototype, for "
    "three temperatures. All three curves are lowest exactly at the "
    "prototype and rise again behind it; with a higher temperature the "
    "least loss is far above zero.",
)

# %% [markdown] id="floor-answer"
# It stops at the prototype, exactly. The reason is the triangle inequality: $d(x, p_k) - d(x, p_y)\le d(p_y, p_k)$ for
# every $k$, and at $x = p_y$ all of these are equalities at once. So
#
# $$L \;\ge\; \log\sum_k e^{-d(p_y, p_k)/T},$$
#
# in any metric space: fixed prototypes give the loss a **floor**, and the floor is where the tree comes in. At the best
# possible point the probabilities are not 1 and 0 but $\propto e^{-d(p_y, p_k)/T}$: labels that are softened along the
# tree.

# %% id="floor-shares"
print("                   right  siblings  cousins  others   (each)")
for T in (0.3, 1.0, 3.0):
    for name, between in (("tree", D), ("one-hot", 2.0 * wrong)):
        p = (-between / T).softmax(1)
        each = [p[hops == edges].mean() for edges in (0, 2, 4, 6)]
        print(f"T = {T}  {name:8}", *(f"{share:9.4f}" for share in each))

# %% [markdown] id="floor-read"
# With a small $T$ everything fades into "right or wrong", and the tree has no say; with a large one the network is
# asked for probabilities that hardly differ. Only in between do siblings get a share that cousins do not get. The
# temperature is no detail. (The library learns it, in all arms alike.)
#
# ## 4 · Train: the tree, a flat tree, no tree, a false tree
#
# Four networks, equal but for their targets; each gets the same 3,000 clips in the same order:
#
# - **hyperbolic**: the tree placed in the plane of curvature -1;
# - **flat**: the same tree placed in the flat plane, by the same method: is it the tree, or the space?
# - **one-hot**: eleven dimensions, all classes equally far apart, compared by cosine: no tree;
# - **permuted**: the hyperbolic placement, but the leaves dealt at random. The targets have the same form, and what
#   they say is false. Scored, as all others, on the true tree.
#
# > **Predict, then run (4).** Which has the best accuracy, which the best sibling accuracy among its *mistakes*? Write
# > both down. And what should the permuted one do?

# %% id="arms"
base = ActionsExperiment(
    dim=2,
    prototypes="mds",
    length=1.0,
    clips=30_000 if full else 3000,
    frames=8 if full else 3,
    size=32 if full else 16,
    epochs=20 if full else 8,
    batch_size=32,
    lr=3e-3,
)
arms = {"hyperbolic": {}, "flat": {"flat": True}}
arms |= {"one-hot": {"cosine": True, "dim": 11}}
arms |= {"permuted": {"tree": "permuted"}}
data = base.load()
test_clips, true = data.test.tensors
models, logits, points = {}, {}, {}
for name, change in arms.items():
    models[name] = replace(base, **change).run(data).model
    logits[name], points[name] = predict(models[name], test_clips)
parts = [len(part) for part in (data.train, data.validation, data.test)]
print("clips for training, choosing, testing:", parts)


# %% id="table" tolerance=0.4
def row(name, scores):
    predicted = scores.argmax(1)
    right = predicted == true
    values = []
    for radius in (0, 2, 4):
        within = metrics.accuracy_within(predicted, true, hops, radius)
        values.append(within)
    values += [metrics.hierarchical_precision(scores, true, hops, 5)]
    near = hops[true, predicted][~right] <= 2
    values += [near.double().mean()]
    values += [metrics.mistake_hops(predicted, true, hops)]
    print(f"{name:10}", *(f"{value:8.2f}" for value in values))


print("                                         | of the mistakes")
print("           accuracy  sibling   cousin     hp@5  sibling    edges")
for name in arms:
    row(name, logits[name])
row("guessing", guess[: len(true)])

# %% [markdown] id="table-read"
# Read it slowly, since every column tells another story.
#
# - *Accuracy*: one-hot wins by far. Two dimensions are little room for twelve targets; eleven are plenty.
# - *Sibling and cousin accuracy*: one-hot wins here, too. It makes few mistakes, and these scores contain what is
#   right.
# - *Of the mistakes*: now the tree shows. When the two networks with a tree are wrong, they name a sibling more than
#   half of the time; guessing would do so for one in five. One-hot is in between: it was never told a tree, but motions
#   that are near in the tree look alike, and that alone makes mistakes near.
# - *Hierarchical precision* looks at places two to five as well, and there one-hot is as good as guessing: behind its
#   first answer there is no order. The tree puts the relatives behind it.
# - *Permuted*: not a worse classifier (here even a better one!), but its mistakes are as far off as guesses. So what
#   made mistakes near was not that targets are fixed or spread in hyperbolic space. It was the tree.
# - *Flat*: the same numbers as hyperbolic. At this size the merit is the tree's, not the curvature's.

# %% id="draw-embedding"
titles = ["hyperbolic: the true tree", "permuted: a false one"]
figure, disks = viz.picture(viz.Disk, viz.Disk, size=2.9, titles=titles)
for disk, name in zip(disks, ("hyperbolic", "permuted"), strict=True):
    x = ball.from_normal(points[name][:400].double())
    shades = [viz.COLORS[color(leaves[k])] for k in true[:400].tolist()]
    disk.ax.scatter(*x.T, s=7, c=shades, alpha=0.6, lw=0, zorder=3)
    places = models[name].prototypes.cpu()
    for k, place in enumerate(ball.from_normal(places.double())):
        disk.point(place, color="ink", size=4)
        disk.text(place, ACTION_CLASSES[k], size=9)
viz.show(
    figure,
    alt="Two disks with the places of 400 test clips, coloured by the "
    "group of their true action, and twelve named prototypes. Left, "
    "translations lie at the top, by their prototypes, and the others in "
    "a band below, on the sides of theirs. Right, colours are torn apart: "
    "translations lie at the top and at the bottom.",
)


# %% id="draw-confusion"
shown = ("hyperbolic", "one-hot", "permuted")
figure, axes = viz.chart(6.0, 2.5, columns=3, sharey=True)
for ax, name in zip(axes, shown, strict=True):
    counts = metrics.confusion_matrix(logits[name].argmax(1), true, 12)
    shares = counts / counts.sum(1, keepdim=True)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for edge in (4, 6, 9):  # the groups
        ax.axhline(edge - 0.5, color=viz.COLORS["ink"], lw=0.7)
        ax.axvline(edge - 0.5, color=viz.COLORS["ink"], lw=0.7)
    ax.set(title=name, xticks=[], xlabel="called", yticks=range(12))
    ax.grid(False)
axes[0].set_yticklabels(ACTION_CLASSES, size=7.5)
viz.show(
    figure,
    alt="Confusion matrices of three networks, classes in the order of the "
    "tree, lines between the groups. Hyperbolic: mistakes fill the blocks "
    "of the groups on the diagonal. One-hot: a strong diagonal with few "
    "mistakes. Permuted: mistakes are spread over the whole matrix.",
)

# %% [markdown] id="decision"
# ## 5 · A rival: use the tree when you decide
#
# Before we credit the prototypes, one more control. Leave the one-hot network as it is, and let the *decision* know the
# tree: answer not with the likeliest class but with the one that is, on average, the fewest edges away from the truth,
#
# $$\hat y = \arg\min_k \sum_j p(j\mid x)\;\mathrm{edges}(k, j).$$

# %% id="decision-run" tolerance=0.4
p = logits["one-hot"].softmax(1).double()
expected = p @ hops  # scratch: sum over j, for every k
one = sum(p[0, j] * hops[:, j] for j in range(12))
close(expected[0], one)
print("                    accuracy   edges from the truth, on average")
for name, answer in {
    "hyperbolic": logits["hyperbolic"].argmax(1),
    "one-hot": p.argmax(1),
    "one-hot + tree": expected.argmin(1),
}.items():
    right = (answer == true).double().mean()
    print(f"{name:18} {right:8.2f} {hops[true, answer].mean():12.2f}")
five = metrics.hierarchical_precision(-expected, true, hops, 5)
print(f"one-hot + tree: hp@5 {five:.2f}")

# %% [markdown] id="decision-read"
# Told the tree afterwards, one-hot keeps its accuracy, and its list of five is in the order of the tree as well.
# Whoever only wants graceful mistakes from classes that were all trained on does not need a tree in the targets. (The
# challenge of the exercises goes on from here: answers that are inner nodes.) What such a network does not have is a
# place for a class that was not there.
#
# ## 6 · Classes that were never seen
#
# A prototype needs no picture: the tree places it. So train on eight of the actions only, and then ask for the other
# four, one of each group. In training, only the seen classes compete. The one-hot network has no output for an unseen
# class; it is given the tree afterwards, as above: a class is the better, the fewer edges it is away from the seen
# ones, on average over their probabilities (the idea of Norouzi et al. 2014).


# %% id="unseen"
@dataclass(frozen=True)
class SomeActions(ActionsExperiment):
    held_out: tuple = ()

    def hidden(self):
        names = [name in self.held_out for name in ACTION_CLASSES]
        return torch.tensor(names)

    def load(self):
        data = super().load()
        clips, labels = data.train.tensors
        kept = ~self.hidden()[labels]
        some = TensorDataset(clips[kept], labels[kept])
        return data._replace(train=some)

    def loss(self, data):
        def loss(logits, labels):
            others = self.hidden().to(logits.device)
            logits = logits.masked_fill(others, -torch.inf)
            return F.cross_entropy(logits, labels)

        return loss


one_each = "moves down", "turns right", "pulses", "sways"
experiment = SomeActions(**vars(base), held_out=one_each)
eight = experiment.load()
hidden = experiment.hidden()
seen, unseen = (~hidden).nonzero()[:, 0], hidden.nonzero()[:, 0]
new_clips, new = test_clips[hidden[true]], true[hidden[true]]
print(f"{len(eight.train)} clips of {len(seen)} actions to learn from")
print(f"{len(new)} clips of {len(unseen)} others to recognise")

# %% [markdown] id="predict-unseen"
# > **Predict, then run (5).** Let the four unseen classes compete: guessing is right in 25 %, and names the right
# > branch (rigid or elastic) in 50 %. Which of the four networks are above that, and is one of them *below*?


# %% id="unseen-run" tolerance=0.5
def levels(scores, candidates):
    """Shares of new clips whose best candidate is right, by level."""
    answer = candidates[scores[:, candidates].argmax(1)]
    return [(hops[new, answer] <= r).double().mean() for r in (0, 2, 4)]


print("            among the four      |  among all twelve")
print("            leaf  group  branch |  leaf  group  branch")
everything, ranked = torch.arange(12), {}
for name, change in arms.items():
    model = replace(experiment, **change).run(eight).model
    scores, _ = predict(model, new_clips)
    if name == "one-hot":
        scores = -scores[:, seen].softmax(1) @ hops[seen].float()
    ranked[name] = scores
ranked["guessing"] = guess[: len(new)]
for name, scores in ranked.items():
    both = levels(scores, unseen) + levels(scores, everything)
    print(f"{name:10}", *(f"{share:6.2f}" for share in both))

# %% [markdown] id="unseen-read"
# - *The true tree in the ball* is above guessing on both levels: the network puts an unseen turn to the right near the
#   turn to the left. Where only one class of each group competes, the leaf *is* the group, and no more is known of it.
# - *One-hot*, told the tree afterwards, hardly beats guessing on the leaf, and falls below it on the branch: it was
#   trained to be sure of one seen class, and its second thoughts, which would be needed here, are noise.
# - *Permuted*: below guessing. The network puts the turn to the right where turns to the left are, and the false tree
#   has given that place to others. To be misled, one has to follow: the network does use its targets.
# - *Among all twelve*, seen classes take most of the answers, since the network was trained to land on them. (Exercise
#   7 puts a handicap on them, as Chao et al. 2016 do.) One-hot with the tree in the decision never names an unseen
#   class.
#
# And hyperbolic is well above flat. So it *is* the curvature? That was one seed. The same cell with seeds 0 to 4, means
# and 95 % intervals, among the four:
#
# | | leaf | branch |
# |---|---|---|
# | hyperbolic, 2 dimensions | .42 ± .02 | .68 ± .02 |
# | flat, 2 dimensions | .42 ± .09 | .66 ± .12 |
# | one-hot, 11 dimensions, tree in the decision | .27 ± .07 | .39 ± .03 |
# | permuted, 2 dimensions | .18 ± .01 | .41 ± .09 |
# | guessing | .25 | .50 |
#
# Equal on average; the flat network of the first seed had been unlucky. (Its runs differ more: that may be worth a
# closer look, with a search of the learning rate for each.) The tree matters, in every run; the curvature does not
# show.
#
# ## 7 · Where it breaks
#
# **What the tree does not say.** Now hold out two siblings of one group, *is squashed* and *sways*, and let only these
# two compete for their clips.
#
# > **Predict, then run (6).** Chance is 50 %. What will the network reach?


# %% id="break-siblings" tolerance=1.0
twins = "is squashed", "sways"
experiment = SomeActions(**vars(base), held_out=twins)
model = experiment.run(experiment.load()).model
two = experiment.hidden().nonzero()[:, 0]
of_two = torch.isin(true, two)
scores, _ = predict(model, test_clips[of_two])
choice = scores[:, two].argmax(1)
right = (two[choice] == true[of_two]).double().mean().item()
swapped = (two.flip(0)[choice] == true[of_two]).double().mean().item()
print(f"with these names {right:.0%}, with exchanged names {swapped:.0%}")
close(right + swapped, 1.0)

# %% [markdown] id="break-siblings-read"
# 1 % looks like a bug, and 99 % would look like a triumph; neither means anything. In the tree the two are
# exchangeable: call them the other way round, and tree, prototypes, training and answers are the same, with exactly the
# complementary score. The mean over both namings is 50 %, for *every* method that knows only the tree. A tree tells
# which classes are related, and nothing of what makes them differ: for that one needs words or attributes (Liu et al.
# 2020 use embeddings of WordNet *and* of words).
#
# **$\tanh$ of a long output is 1.** In `float32`, from $|v| = 10$ on, $\exp_0(v)$ lies on the rim. Here is what happens
# to the distance from a prototype, and to its gradient, which should shorten $v$:


# %% id="break-tanh"
def to_prototype(x, p):
    gaps = (1 - (x * x).sum()) * (1 - (p * p).sum())
    return 2 * torch.asinh((x - p).norm() / gaps.sqrt())


p = torch.tensor([0.3, 0.4])
print("         plain             clipped at 1 - 1e-5   library")
print("|v|   distance   slope    distance   slope    distance   slope")
for size in (2.0, 6.0, 9.0, 20.0):
    found = []
    for most in (1.0, 1 - 1e-5, None):
        v = torch.tensor([0.6, 0.8]).mul(size).requires_grad_()
        if most is None:
            d = space.dist(2 * v, space.projx(ball.to_normal(p)))
        else:
            x = v / v.norm() * torch.tanh(v.norm()).clamp(max=most)
            d = to_prototype(x, p)
        (slope,) = torch.autograd.grad(d, v)
        found += [f"{d.item():8.3f} {slope.norm().item():8.3f}"]
    print(f"{size:3.0f} ", "   ".join(found))

# %% [markdown] id="break-tanh-read"
# The plain form loses its digits and ends in infinity and NaN. The clip, which most published code has, keeps the loss
# finite, but its gradient is 0: an output that has strayed beyond it never comes back. The cure is not a better clip.
# $\exp_0(v)$ is the point at the distance $2|v|$ in the direction of $v$; its distance from a prototype follows from
# the law of cosines, without ever computing the point (exercise 3; `NormalCoordinates` does nothing else).
#
# ## 8 · Their numbers, our numbers
#
# Long et al. embed the action classes of three video datasets as entailment cones in hundreds of dimensions, and train
# on features of a video network. Their code comes with a log (`demo.ipynb`), from which the column *paper* is: the
# last line for each dataset, with the temperature 1. *Here* is the hyperbolic row of section 4, in two dimensions.
#
# | | paper: ActivityNet | paper: Kinetics | paper: Moments in Time | here: 12 motions of shapes |
# |---|---|---|---|---|
# | dimensions | 300 | 200 | 200 | 2 |
# | accuracy | 75.0 | 76.6 | 16.4 | 37 |
# | sibling accuracy | 85.6 | 86.3 | 21.8 | 72 |
# | cousin accuracy | 91.8 | 90.4 | 40.7 | 86 |
# | siblings among mistakes | 42 | 41 | 6 | 56 |
#
# (In %; the last row follows from those above. Theirs: real videos, as 2,048 features each; ours: 3,000 clips of
# three frames and 8 seconds of training. The data differ, so nothing can be compared but the shape of the columns.)
# With the temperature 0.1, the same log ends at 70.8 % on ActivityNet: section 3 is not an academic point.
#
# > **Predict, then run (7).** In that code the curvature is $c = 0.1$, and outputs longer than 1 are shortened to
# > $|x| < 1$ (in place of $\exp_0$). How curved is the part of the ball that is used?

# %% id="curved"
ball01, g = PoincareBall(0.1), torch.Generator().manual_seed(0)
x, y = F.normalize(torch.randn(2, 100_000, 300, generator=g), dim=-1)
x = x * torch.rand(100_000, 1, generator=g) ** (1 / 300)  # |x| < 1
ratio = ball01.dist(x, y) / (2 * (x - y).norm(dim=-1))
print(f"distance / flat distance: {ratio.min():.3f} to {ratio.max():.3f}")
factor = ball01.lambda_x(torch.tensor([[0.0], [1.0]]))
print(f"conformal factor: {factor[0]:.3f} in the middle, {factor[1]:.3f}")

# %% [markdown] id="curved-read"
# Nearly flat: lengths differ by at most 11 % from those of Euclid. One may ask, of any published gain, how much of the
# curvature was ever in use; the authors also rank test videos by the cosine, which is flat. This does not make their
# idea worse, since it is the tree that counts. It is a reason to run the flat control.
#
# Liu et al. do for images what section 6 does for actions: from 1,000 classes of ImageNet to 20,841 that were never
# seen. By the scores that know the hierarchy they report gains over flat methods; by the plain ones it is level with
# them, with a fifth of the dimensions (abstract of their paper).
#
# **Recorded runs**, with a search of the learning rate for each arm, five seeds: `python -m benchmarks.vision actions`
# (12 actions, 8 frames, 9 CPU-seconds a run) and `... zeroshot` (25 kinds of shapes seen, 12 unseen, 8 to 10
# CPU-seconds a run), 16 dimensions, means and 95 % intervals. *Cosine* is one-hot, as above; its tree comes afterwards.
#
# | | accuracy | sibling accuracy | edges of a mistake | unseen: leaf | unseen: branch |
# |---|---|---|---|---|---|
# | hyperbolic | .29 ± .05 | .66 ± .04 | 3.23 ± .15 | .22 ± .01 | .45 ± .03 |
# | flat | .34 ± .05 | .69 ± .03 | 3.19 ± .17 | .26 ± .03 | .47 ± .03 |
# | cosine | .44 ± .04 | .65 ± .02 | 3.68 ± .17 | .25 ± .02 | .49 ± .02 |
# | hyperbolic, permuted | .27 ± .01 | .46 ± .04 | 4.27 ± .27 | .02 ± .01 | .39 ± .03 |
# | flat, permuted | .33 ± .04 | .53 ± .05 | 3.91 ± .21 | .03 ± .01 | .36 ± .03 |
# | guessing | .08 | .27 | 4.7 | .08 | .33 |
#
# In the flat rows both trees give the same accuracy; they differ in where the mistakes go. Hyperbolic minus flat is,
# seed by seed, -.041 ± .024 in accuracy and +.04 ± .14 in edges.
#
# And when a whole *group* was never seen (`--set held_out=groups`: stars, foils and frames, one group of each branch),
# is an image at least found in the right branch?
#
# | | branch | leaf |
# |---|---|---|
# | hyperbolic | .60 ± .07 | .19 ± .03 |
# | flat | .59 ± .05 | .21 ± .01 |
# | cosine | .63 ± .02 | .18 ± .01 |
# | hyperbolic, permuted | .44 ± .03 | .12 ± .02 |
# | flat, permuted | .39 ± .07 | .10 ± .02 |
# | guessing | .34 | .10 |
#
# It is, by every network that was told the tree, before training or after. The leaves of an unseen group could exchange
# their names (section 7 began with that), so `leaf` can only be a guess among the three or four of a branch, and it is.
#
# So, of the claims of the two papers, at this size (short runs, from scratch; nothing has converged): mistakes of
# networks that know the tree are nearer, *reproduced*, at the price of accuracy in 16 dimensions; it is the meaning of
# the tree that does it, *reproduced*; hyperbolic prototypes better than flat ones, *not*, for actions as little as for
# unseen classes. The table says nothing about networks that are pretrained, large, and have hundreds of classes.

# %% [markdown] id="keep"
# ## Three things to keep
#
# 1. **Targets can be placed before training.** Then distance means relation, the loss has a floor, and the floor is
#    made of relatives: $L\ge\log\sum_k e^{-d(p_y, p_k)/T}$.
# 2. **Count how wrong, and control for the tree.** Flat prototypes tell the tree from the space, permuted ones its
#    meaning from its form, and a decision that knows the tree is a rival that costs three lines.
# 3. **An unseen class is a place, and a place has relatives.** The levels above it can be recognised; which of two
#    unseen siblings it is, no tree can tell.
#
# ## Go further
#
# - **Teng Long, Pascal Mettes, Heng Tao Shen, Cees Snoek**, "Searching for Actions on the Hyperbole", CVPR 2020. Videos
#   and action names in one ball, searched by cones that open step by step.
# - **Shaoteng Liu, Jingjing Chen, Liangming Pan, Chong-Wah Ngo, Tat-Seng Chua, Yu-Gang Jiang**, "Hyperbolic Visual
#   Embedding Learning for Zero-Shot Recognition", CVPR 2020. The same idea for images of 20,841 unseen classes.
# - **Andrea Frome, Greg Corrado, Jon Shlens, Samy Bengio, Jeff Dean, Marc'Aurelio Ranzato, Tomas Mikolov**, "DeViSE: A
#   Deep Visual-Semantic Embedding Model", NIPS 2013. Targets from words, and hierarchical precision.
# - **Pascal Mettes, Elise van der Pol, Cees Snoek**, "Hyperspherical Prototype Networks", NeurIPS 2019. Fixed
#   prototypes on a sphere: the one-hot targets of section 4, in any dimension.
# - **Luca Bertinetto, Romain Mueller, Konstantinos Tertikas, Sina Samangooei, Nicholas Lord**, "Making Better Mistakes:
#   Leveraging Class Hierarchies with Deep Networks", CVPR 2020. Two flat losses that know the tree, and a sober look at
#   who makes better mistakes.
# - **Wei-Lun Chao, Soravit Changpinyo, Boqing Gong, Fei Sha**, "An Empirical Study and Analysis of Generalized
#   Zero-Shot Learning for Object Recognition in the Wild", ECCV 2016. Why seen classes win, and what to do about it.
#
# **An open question.** The permuted tree made a *better* classifier here than the true one. Prototypes of relatives are
# near to each other, and relatives look alike, so the true tree puts together what is hard to tell apart. Is there a
# placement that gives near mistakes *and* loses no accuracy, in two dimensions, or is there a law that forbids it?
#
# **Next:** the [exercises](../exercises/12_prototypes/12_prototypes.ipynb), then lecture 13: networks whose every layer
# is hyperbolic.
