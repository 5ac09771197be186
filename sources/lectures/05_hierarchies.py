# %% [markdown] id="title"
# # 05 · Trees do not fit in flat space
#
# **Question.** Words, species, classes of images and classes of programs form hierarchies. Why is there no room for a
# hierarchy in flat space, whatever its dimension, and how do you measure whether your data are one?
#
# **After this lecture you can**
#
# - *count* how fast a space grows, and *prove* with two lines that a deep tree does not fit in $\mathbb R^n$,
# - *judge* an embedding by its average and worst-case distortion and by MAP, and *say* which of them a claim is about,
# - *compute* Gromov's $\delta$ of any distance matrix, and its relative form, for real hierarchies,
# - *doubt* a small $\delta$, and *name* the controls that turn it into evidence.
#
# **You need** the hyperbolic distance (lecture 04) and the area of a disk (lecture 02).
#
# **Reading time:** 50 minutes. **Running time:** under 30 seconds on two CPU cores.
#
# **Exercises:** [05_hierarchies](../exercises/05_hierarchies/05_hierarchies.ipynb);
# get your own copy with `hyplearn start 05_hierarchies`.

# %% id="setup"
import math
import os

import torch

from hyplearn import NormalCoordinates, PoincareBall, data, metrics, plane, viz
from hyplearn.embeddings import SarkarEmbedding
from hyplearn.viz import Explorer

torch.set_default_dtype(torch.float64)
close = torch.testing.assert_close
ball = PoincareBall(1.0)
full = False  # True: a tree of depth 8, and 5,000 steps in flat space

# %% [markdown] id="touch"
# ## 1 · Touch it first
#
# 532 mammals in one disk: a class, its orders, families, genera, species. All edges have the *same* length.
#
# 1. Where are the cats? Point at dots, click on *carnivore*, and go on from there; or write *lion* into *Find*.
# 2. When *lion* is in the middle, where is everybody else? And how far is *tiger*, which was in the same place?
# 3. Drag the plane. Nothing is squeezed: it is a motion, as in lecture 04, and distances stay.

# %% id="explore"
mammals = data.load_mammals()
placed = SarkarEmbedding(scale=4.0).fit(mammals)  # see lecture 08
top = {}  # the order (carnivore, rodent, ...) to which each node belongs
for node in mammals.order:
    up = mammals.parents[node]
    top[node] = node if not up or up == mammals.roots else top[up[0]]
explorer = Explorer(
    "tree",
    points=placed.embedding_,
    edges=mammals.edges,
    labels=list(mammals.labels),
    groups=[top[node] % 7 for node in range(len(mammals))],
)
explorer

# %% [markdown] id="touch-answer"
# From wherever you look, the rest of the tree is a thin rim far away, and there is plenty of room around you. This
# lecture says in numbers what you have just seen, in three steps: how much room a space has, how well a tree fits in
# it, and how to tell from distances alone whether something is like a tree.
#
# ## 2 · Count: polynomial against exponential
#
# A *ball* of radius $r$ in a graph is everything within $r$ edges of a node. To count it we need the lengths of all
# shortest ways. Here they are, for any graph, step by step:


# %% id="graph-distances"
def graph_distances(edges, n):
    """(n, n) lengths of shortest ways along edges, inf between parts."""
    near, D = torch.eye(n), torch.full((n, n), math.inf)
    near[edges[:, 0], edges[:, 1]] = near[edges[:, 1], edges[:, 0]] = 1.0
    reach, d = torch.eye(n), 0
    while (new := (reach > 0) & D.isinf()).any():
        D[new] = d
        reach, d = (reach @ near).clamp(max=1), d + 1
    return D


def grid(k):
    """The edges of a k x k chessboard of nodes."""
    at = torch.arange(k * k).reshape(k, k)
    across = torch.stack((at[:, :-1], at[:, 1:]), -1).reshape(-1, 2)
    down = torch.stack((at[:-1], at[1:]), -1).reshape(-1, 2)
    return torch.cat((across, down))


tree = data.balanced_tree(branching=2, depth=8 if full else 6)
T = tree.tree_distances()
close(graph_distances(tree.edges, len(tree)), T)
print("a binary tree:", tree)
print(f"the farthest two nodes are {T.max():.0f} edges apart")

# %% [markdown] id="predict-balls"
# > **Predict, then run (1).** A ball of radius 6 about the middle of a grid has 85 nodes, as $2r^2+2r+1$ says. How many
# > has it in a tree in which every node has three neighbours? And at radius 20, where the grid has 841?

# %% id="balls"
board = graph_distances(grid(13), 169)[84]  # distances from the middle
print("  r   grid  3-tree    flat disk   hyperbolic disk")
for r in (1, 2, 4, 6, 20):
    in_grid = int((board <= r).sum()) if r <= 6 else 2 * r * r + 2 * r + 1
    in_tree = 3 * 2**r - 2  # 1 + 3 + 6 + 12 + ...
    flat, bent = math.pi * r**2, 4 * math.pi * math.sinh(r / 2) ** 2
    print(f"{r:3} {in_grid:6} {in_tree:7,d} {flat:12,.0f} {bent:17,.0f}")

# %% [markdown] id="balls-answer"
# The grid grows like the flat disk, the tree like the hyperbolic one: $\pi r^2$ against
# $\frac{4\pi}{c}\sinh^2\frac{\sqrt c\,r}{2}\approx\frac\pi c e^{\sqrt c\,r}$. *In words:* in a tree, and in a
# hyperbolic plane, most of the room is always at the rim, and each step outwards multiplies it.
#
# Count in the hyperbolic plane, too. In the tiling $\{7, 3\}$ of lecture 01 every corner has the area $\pi/7$ to
# itself (the area $\pi/3$ of a heptagon, seven corners, each shared by three). So corners within $r$, times $\pi/7$,
# must be about the area of the disk.

# %% id="count-corners"
vertices = plane.tiling(7, 3, layers=5).vertices
far = ball.dist0(vertices)
print("r  corners  their area   disk")
for r in (1, 2, 3, 4):
    count = int((far <= r).sum())
    disk_area = 4 * math.pi * math.sinh(r / 2) ** 2
    print(f"{r} {count:8} {count * math.pi / 7:11.2f} {disk_area:6.2f}")

# %% id="draw-balls"
figure, (left, right) = viz.chart(6.2, 3.1, columns=2)
disk = viz.Disk(right)
disk.ax.set_title("hyperbolic: 7, 35, 126, 357")
at = torch.cartesian_prod(torch.arange(-5.0, 6), torch.arange(-5.0, 6))
left.set(aspect="equal", title="flat: 5, 13, 29, 49")
left.set_axis_off()
turn = torch.linspace(0, 2 * math.pi, 200)
for r, color in ((4, "sky"), (3, "blue"), (2, "green"), (1, "orange")):
    left.plot(r * turn.cos(), r * turn.sin(), color=viz.COLORS[color])
    inside = at[at.norm(dim=-1) <= r]
    left.plot(*inside.T, "o", ms=3, color=viz.COLORS[color])
    disk.circle(torch.zeros(2), r, color=color)
    disk.point(vertices[far <= r], size=2, color=color)
viz.show(
    figure,
    alt="Circles of radius 1 to 4. Left, around a point of the square lattice, with 5, 13, 29 and 49 points inside. "
    "Right, in the Poincare disk, around the centre of a tiling by heptagons, with 7, 35, 126 and 357 corners inside.",
)

# %% [markdown] id="seats-text"
# Seat the leaves of a binary tree: on level $k$ there are $2^k$ of them, on a circle of radius $r_k = \ell k$, where
# $\ell$ is the length of an edge. The room that each one has is the circumference, divided by $2^k$:
#
# $$\text{flat: } \frac{2\pi\,\ell k}{2^k}\to 0,\qquad
# \text{hyperbolic: } \frac{2\pi\sinh(\sqrt c\,\ell k)}{\sqrt c\;2^k}\approx\frac{\pi}{\sqrt c}\,
# e^{(\sqrt c\,\ell - \ln 2)k}.$$
#
# *In words:* in flat space the leaves have no room, however long the edges are. In hyperbolic space there is a
# threshold, $\sqrt c\,\ell = \ln b$ for $b$ children: with edges that long, every level has the same room as the last.
# (A mammal above has up to 22 children, $\ln 22 = 3.1$, and its edges have length 4.)

# %% id="seats"
print("level         leaves   flat gap        l = 0.5      ln 2         1")
for k in (1, 2, 4, 8, 16, 32):
    share = 2 * math.pi / 2**k
    gaps = [share * math.sinh(ell * k) for ell in (0.5, math.log(2), 1)]
    print(f"{k:5} {2**k:14,d} {share * k:10.1e}", end="      ")
    print(*(f"{gap:9.3g}" for gap in gaps))


# %% id="draw-seats"
def seats(ell):
    """Every node of the tree: its direction and distance from the root."""
    turn = torch.zeros(len(tree))
    for node in tree.order[1:]:
        (up,) = tree.parents[node]
        side = tree.children[up].index(node) - 0.5
        turn[node] = turn[up] + 2 * math.pi * side / 2 ** tree.depths[node]
    way = torch.stack((turn.cos(), turn.sin()), -1)
    return ell * tree.depths[:, None] * way


def draw_flat(axes, places):
    axes.set(aspect="equal")
    axes.set_axis_off()
    ends = places[tree.edges].permute(2, 1, 0)
    axes.plot(*ends, color=viz.COLORS["blue"], lw=0.8)
    axes.plot(*places.T, "o", ms=2.2, color=viz.COLORS["ink"])


def draw_curved(axes, places):
    disk = viz.Disk(axes)
    disk.segment(*places[tree.edges].unbind(1), color="blue", width=0.8)
    disk.point(places, size=2.2)


# %% id="draw-trees"
figure, (left, right) = viz.chart(6.2, 3.1, columns=2)
draw_flat(left, seats(1.0))
left.set_title("flat: ever less room")
draw_curved(right, ball.expmap0(seats(1.0) / 2))
right.set_title(r"hyperbolic, $\ell = 1$: ever more")
viz.show(
    figure,
    alt="The same binary tree twice, levels on circles about the root. Left, in the flat plane, the nodes of a level "
    "are closer to each other than those of the level before. Right, in the Poincare disk, they are farther apart: "
    "what looks small at the rim is as large as in the middle.",
)

# %% [markdown] id="packing"
# ## 3 · No flat space has the room
#
# More dimensions? In $\mathbb R^n$ a ball grows like $r^n$: faster, but polynomially. That settles it, in two lines.
# Let an embedding $f$ of the binary tree of depth $h$ stretch no distance by more than a factor $D$ and shrink none:
# $d_T(x, y)\le|f(x)-f(y)|\le D\,d_T(x, y)$.
#
# 1. Two of the $2^h$ leaves are at least 2 apart, so the balls of radius 1 about them do not overlap.
# 2. They all lie in the ball of radius $Dh + 1$ about the root. Volumes: $2^h\cdot1^n\le(Dh+1)^n$. So
#
# $$D\ \ge\ \frac{2^{h/n}-1}{h}.$$
#
# *In words:* the exponent can be divided by the dimension, but not got rid of.
#
# > **Predict, then run (2).** Your ancestors back to the year 700 are a binary tree of depth 40, at three generations
# > in a century. Is that too much for 10 dimensions? For 100?

# %% id="packing-run"
print("depth " + "".join(f"{'R^' + str(n):>12}" for n in (2, 3, 10, 100)))
for h in (10, 20, 40, 100, 1000):
    bounds = [max(1.0, (2 ** (h / n) - 1) / h) for n in (2, 3, 10, 100)]
    print(f"{h:5} " + "".join(f"{bound:12.4g}" for bound in bounds))

# %% [markdown] id="packing-answer"
# 1 means that the bound says nothing (volume is not the only obstacle: even in a Hilbert space of infinite dimension
# the distortion of binary trees grows with their depth, like $\sqrt{\log h}$; Bourgain 1986). In hyperbolic space the
# same argument gives no contradiction at all, and Sarkar (2011) showed that there is none: **every tree, of any depth,
# fits into the hyperbolic plane with a worst-case distortion as close to 1 as you like**, if its edges are long enough.
#
# ## 4 · Three numbers that judge an embedding
#
# Let $q = d(f(x), f(y)) / (s\,d_T(x, y))$ be the stretch of a pair, where $s$ is the length of one unit of the tree
# in the picture. Then
#
# $$D_{avg} = \operatorname{mean}\ \max(q, 1/q),\qquad D_{worst} = \frac{\max q}{\min q},\qquad
# \mathrm{MAP} = \operatorname*{mean}_u\ \operatorname*{mean}_{v\sim u}\ \frac{\#\{\text{neighbours as near to } u
# \text{ as } v\}}{\#\{\text{nodes as near to } u \text{ as } v\}}.$$
#
# *In words:* wrong by which factor on average; by which factor at worst (this needs no scale); and, whatever the
# distances are, do the neighbours come first in the list of everybody?


# %% id="metrics-scratch"
def average_distortion(E, D, s):
    q = (E / (s * D))[D > 0]
    return torch.maximum(q, 1 / q).mean().item()


def worst_distortion(E, D):
    q = (E / D)[D > 0]
    return (q.max() / q.min()).item()


def mean_average_precision(E, D):
    values = []
    for u in range(len(D)):
        order = E[u].argsort()
        hits = D[u][order[order != u]] == 1  # neighbours are at distance 1
        ranks = torch.arange(1.0, len(D))
        values.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(values).mean().item()


# %% [markdown] id="metrics-library-text"
# The scale $s$ is ours to choose, so the fair $D_{avg}$ is the one at the best scale, `metrics.best_scale`. The library
# has all three; `rank_metrics` never holds an $N\times N$ matrix, and gives the mean rank of lecture 06 as well.


# %% id="metrics-library"
def judge(E, D):
    """Average distortion at the best scale, worst distortion, MAP."""
    average = metrics.average_distortion(E, D, metrics.best_scale(E, D))
    edges = (D == 1).nonzero()
    ranks = metrics.rank_metrics(lambda i: E[i].clone(), edges, len(D))
    return average, metrics.worst_distortion(E, D), ranks[1]


g = torch.Generator().manual_seed(0)
noise = torch.rand(T.shape, generator=g)
E = T * (1 + 0.8 * (noise + noise.T))  # too long, by up to 2.6
s = metrics.best_scale(E, T)
scratch = average_distortion(E, T, s), worst_distortion(E, T)
scratch = *scratch, mean_average_precision(E, T)
close(torch.tensor(judge(E, T)), torch.tensor(scratch))
print("average {:.4f}, worst {:.4f}, MAP {:.4f}".format(*scratch))

# %% [markdown] id="predict-flat"
# Now the contest. For flat space we do all we can: the positions of all nodes are parameters, and Adam minimises the
# spread of $\log q$ over all pairs, which is what distortion is about. For the hyperbolic plane we train nothing:
# Sarkar's construction places the tree once, with edges of length $\ell$.
#
# > **Predict, then run (3).** Two hyperbolic dimensions with $\ell = 4$ have an average distortion of 1.005. How many
# > flat dimensions do you need for that: 5, 10, 50?


# %% id="flat-fit"
def fit_flat(D, n, steps=5000 if full else 1000):
    """Positions (N, n) with distances proportional to D, if possible."""
    i, j = torch.triu_indices(len(D), len(D), 1)
    wanted = D[i, j].log()
    g = torch.Generator().manual_seed(0)
    x = torch.randn(len(D), n, generator=g) * D.mean() / n**0.5
    x.requires_grad_()
    adam = torch.optim.Adam([x], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        (torch.pdist(x).log() - wanted).var().backward()
        adam.step(), schedule.step()
    return x.detach()


# %% id="contest" tolerance=0.1
flat_places = {n: fit_flat(T, n) for n in (2, 3, 5, 10, 50)}
line = "{:12}{:8.3f} {:8.2f} {:7.3f}"
print("space        average    worst     MAP")
for n, x in flat_places.items():
    print(line.format(f"R^{n}", *judge(torch.cdist(x, x), T)))
everybody = torch.arange(len(tree))
for ell in (0.5, 1.0, 2.0, 4.0, 8.0):
    bent = SarkarEmbedding(scale=ell).fit(tree).distances_from(everybody)
    print(line.format(f"H^2, l = {ell}", *judge(bent, T)))

# %% [markdown] id="contest-answer"
# None: from 10 dimensions on, more of them change next to nothing. It is not only room that is missing. Look at the
# smallest tree that branches: a node and its three neighbours, which are two edges apart from each other.
#
# > **Predict, then run (4).** In flat space, three points that are equally far from each other lie best on a circle
# > about the fourth. How far apart are they, if the radius is 1: 2, as the tree wants? And in hyperbolic space?

# %% id="star"
turn = 2 * math.pi / 3 * torch.arange(3)
three = torch.stack((turn.cos(), turn.sin()), -1)
print(f"flat: {torch.cdist(three, three)[0, 1]:.4f} edges apart")
for ell in (0.1, 1.0, 4.0, 16.0):
    apart = NormalCoordinates(1.0).dist(*(ell * three[:2]))
    print(f"hyperbolic, l = {ell:4}: {apart / ell:.4f} edges apart")

# %% [markdown] id="star-answer"
# $\sqrt3$, and no dimension changes it: three points span a plane. So every embedding of a tree that branches has
# $D_{worst}\ge2/\sqrt3=1.155$ in *any* flat space. In hyperbolic space the ways from leaf to leaf hug the branching
# point, and the ratio tends to 2. Here are the two trees, in two dimensions each:

# %% id="draw-contest"
figure, (left, right) = viz.chart(6.2, 3.1, columns=2)
draw_flat(left, flat_places[2])
left.set_title("flat, trained")
draw_curved(right, SarkarEmbedding(scale=1.2).fit(tree).embedding_)
right.set_title(r"hyperbolic, placed, $\ell = 1.2$")
viz.show(
    figure,
    alt="Left: the binary tree in the flat plane after training; some leaves lie among the wrong branches, at the end "
    "of long edges. Right: the tree in the Poincare disk, all edges of the same length, no crossings.",
)

# %% [markdown] id="different"
# **The three numbers are not one.** MAP only looks at the order. Cube all the distances of an embedding: the order is
# the same, the distances are nonsense.

# %% id="different-run"
bent = SarkarEmbedding(scale=1.0).fit(tree).distances_from(everybody)
for name, E in (("H^2, l = 1", bent), ("its cubes", bent**3)):
    average, worst, precision = judge(E, T)
    print(f"{name:12} {average:7.3f} {worst:8.2f}, MAP {precision:.3f}")

# %% [markdown] id="gromov"
# So ask of every table that you read: which of them? A retrieval system needs MAP; who compares distances needs the
# average; who proves theorems, the worst case. (Sala et al. 2018 call the mean of $|q - 1|$ distortion as well.)
#
# ## 5 · How tree-like is a space? Ask any four points
#
# Here are distances. Do they come from a tree? Choose a base point $w$. The **Gromov product**
#
# $$(x|y)_w = \tfrac12\big(d(x, w) + d(y, w) - d(x, y)\big)$$
#
# is, on a tree, the length of the way that the paths from $w$ to $x$ and to $y$ share. On a tree, if $x$ shares at
# least $t$ with $y$, and $y$ with $z$, then $x$ shares at least $t$ with $z$. **Gromov's $\delta$** is by how much that
# fails, at worst:
#
# $$\delta = \max_{x, y, z}\ \min\big((x|y)_w, (y|z)_w\big) - (x|z)_w.$$
#
# *In words:* 0 means that the distances are those of a tree; otherwise $\delta$ is a length, about as far as the space
# is from one. To compare spaces of different size, divide it: $\delta_{rel} = 2\delta/\operatorname{diam}$ lies between
# 0 and 1 (Khrulkov et al. 2020).


# %% id="gromov-scratch"
def products(D, w=0):
    return (D[w][:, None] + D[w] - D) / 2


def delta(D, w=0):
    A = products(D, w)
    best = torch.minimum(A[:, :, None], A[None]).amax(1)  # over y: N^3
    return (best - A).max().item()


small = data.subtree(tree, 1).tree_distances()
close(products(small), metrics.gromov_product(small))
around = (torch.arange(12.0)[:, None] - torch.arange(12.0)).abs()
ring = torch.minimum(around, 12 - around)
for name, D in (("tree", small), ("cycle of 12", ring)):
    assert delta(D) == metrics.gromov_delta(D)
    print(f"{name:12} delta {delta(D):.1f}", end=", ")
    print(f"relative {metrics.relative_delta(D):.2f}")

# %% [markdown] id="predict-square"
# The library's `gromov_delta` is the same in $O(N^2)$ memory: row after row. (Seen from another base point $\delta$
# is at most twice as large; `base=None` takes the largest.)
#
# > **Predict, then run (5).** A square whose corners are at distance $R$ from its centre has
# > $\delta = (2-\sqrt2)R\approx0.586\,R$ in the flat plane. Draw it in the hyperbolic plane and let $R$ grow. What
# > happens to $\delta$?


# %% id="squares"
def corners(r):
    turn = torch.arange(4) * math.pi / 2
    return r * torch.stack((turn.cos(), turn.sin()), -1)


print("  R    flat   c = 1   c = 4")
for r in (0.1, 1.0, 2.0, 4.0, 8.0):
    deltas = [metrics.gromov_delta(torch.cdist(corners(r), corners(r)))]
    for c in (1.0, 4.0):
        x = corners(r)
        D = NormalCoordinates(c).dist(x[:, None], x)
        deltas.append(metrics.gromov_delta(D))
    print(f"{r:4} " + "".join(f"{d:8.4f}" for d in deltas))
print(f"ln 2 = {math.log(2):.4f}")

# %% [markdown] id="squares-answer"
# It stops at $\ln 2/\sqrt c$, and no four points of the hyperbolic plane, however far apart, do worse (Nica and
# Špakula 2016). Small figures are flat; **from afar, hyperbolic space is a tree.** That is the deepest reason why
# trees fit, and the other way round: a space whose $\delta$ is small compared with its size is nearly a tree (the
# challenge of the exercises builds that tree).

# %% id="draw-delta"
figure, axes = viz.chart(5.2, 3.0)
radii = torch.linspace(0.05, 8, 60)
squares = [corners(r) for r in radii]
flat = [metrics.gromov_delta(torch.cdist(x, x)) for x in squares]
axes.plot(radii, flat, "--", color=viz.COLORS["red"], label="flat plane")
styles = (0.25, "sky", "-."), (1.0, "blue", "-"), (4.0, "green", ":")
for c, color, style in styles:
    dist = NormalCoordinates(c).dist
    bent = [metrics.gromov_delta(dist(x[:, None], x)) for x in squares]
    look = {"color": viz.COLORS[color], "label": f"$c$ = {c:g}"}
    axes.plot(radii, bent, style, **look)
axes.axhline(0, color=viz.COLORS["ink"], lw=1.2, label="trees")
axes.set(xlabel="$R$, half the diagonal of the square")
axes.set(ylabel=r"$\delta$", ylim=(-0.1, 2.2))
axes.legend(ncols=2, fontsize=10)
viz.show(
    figure,
    alt="Delta of a square against its size. In the flat plane it grows on a straight line. In hyperbolic planes with "
    "c = 0.25, 1 and 4 it follows that line at first and then levels off at ln 2 over the square root of c. Trees: 0.",
)

# %% [markdown] id="zoo"
# ## 6 · The zoo, and real hierarchies
#
# > **Predict, then run (6).** Sort by $\delta_{rel}$, before you look: a cycle, a grid, a random graph in which
# > everybody has about three neighbours, 500 random points of the hyperbolic plane, 500 of the flat plane, and
# > Python's own classes.


# %% id="zoo-run" tolerance=0.05
def largest_part(D):
    keep = D[D.isfinite().sum(1).argmax()].isfinite()
    return D[keep][:, keep]


def random_graph(n, degree):
    g = torch.Generator().manual_seed(0)
    joined = torch.rand(n, n, generator=g) < degree / n
    edges = joined.triu(1).nonzero()
    return largest_part(graph_distances(edges, n))


g = torch.Generator().manual_seed(0)
in_disk = ball.random(500, 2, std=2.0, generator=g)
in_plane = torch.randn(500, 2, generator=g)
around = (torch.arange(64.0)[:, None] - torch.arange(64.0)).abs()
zoo = {
    "binary tree": T,
    "cycle": torch.minimum(around, 64 - around),
    "grid": graph_distances(grid(15), 225),
    "random graph": random_graph(400, 3),
    "hyperbolic plane": ball.dist(in_disk[:, None], in_disk),
    "flat plane": torch.cdist(in_plane, in_plane),
}
print("space             nodes  diameter   delta  relative")
for name, D in zoo.items():
    found = metrics.gromov_delta(D), metrics.relative_delta(D)
    print(f"{name:17} {len(D):5} {D.max():9.2f}", end="")
    print(" {:7.2f} {:9.3f}".format(*found))

# %% [markdown] id="zoo-answer"
# A cycle and a grid are as far from a tree as can be. Random points of the hyperbolic plane are at $\delta = \ln 2$.
#
# Now real hierarchies. A taxonomy in which everything has one parent is a tree, so $\delta = 0$ by definition: there is
# nothing to measure, and a table that reports it has measured its own assumption. Interesting are hierarchies where
# things have several parents. Python's classes are one: whoever inherits twice closes a cycle.

# %% id="real" tolerance=1.0
classes = data.class_tree(object)
module, error = torch.nn.Module, BaseException
kinds = {
    "mammals": mammals,
    "objects": data.load_objects(),
    "torch.nn.Module, first base": data.class_tree(module),
    "torch.nn.Module, all bases": data.class_tree(module, False),
    "BaseException, all bases": data.class_tree(error, False),
}
print(f"this interpreter knows {len(classes):,d} classes")
print("hierarchy                    nodes  edges  relative delta")
for name, h in kinds.items():
    D = graph_distances(h.edges, len(h))
    print(f"{name:28} {len(h):5} {len(h.edges):6}", end="")
    print(f" {metrics.relative_delta(D):12.3f}")

# %% [markdown] id="wordnet-text"
# WordNet, where a *dog* is both a canine and a domestic animal, is another one. If you have it (Debian: the package
# `wordnet-base`; NLTK: its corpus `wordnet`), say so before you start Jupyter, for instance
# `HYPLEARN_WORDNET=/usr/share/wordnet`:

# %% id="wordnet"
folder = os.environ.get("HYPLEARN_WORDNET")
if folder:
    nouns = data.read_wordnet(folder, root="mammal")
    D = graph_distances(nouns.edges, len(nouns))
    print(nouns, f"delta {metrics.gromov_delta(D)}", end=", ")
    print(f"relative {metrics.relative_delta(D):.3f}")
else:
    print("no WordNet here; the text below has what we measured")

# %% [markdown] id="wordnet-answer"
# Recorded on WordNet 3.0 (`python -m benchmarks.hierarchies`): the 1,180 mammals that Nickel and Kiela (2017) embed
# have 1,180 edges, one too many for a tree. That closes one loop, and $\delta_{rel} = 0.125$. All 82,115 nouns have
# 84,427 edges, and there, for 200 random nouns at a time, $\delta_{rel} = 0.291\pm0.009$ (5 draws, 30 seconds). The
# most famous hierarchy of all is clearly no tree. A few shortcuts are enough: $\delta$ is about the worst four
# points.
#
# ## 7 · Beyond single labels
#
# A classifier is usually told that a mug is a mug, and that a saucer is as wrong as a sofa. One-hot labels are points
# that are all equally far from each other: a star, the dullest of all trees. The tree of the labels knows better.

# %% id="labels"
objects = data.load_objects()
leaves = ["mug", "bowl", "wok", "desk", "sofa", "stool"]
index = [objects.names.index(name) for name in leaves]
D = objects.tree_distances(index)[:, index]
print("        " + "".join(f"{name:>7}" for name in leaves))
for name, row in zip(leaves, D.long().tolist(), strict=True):
    print(f"{name:8}" + "".join(f"{d:7}" for d in row))

# %% [markdown] id="predict-labels"
# An image, too, is many things at once: a mug, tableware, kitchenware, an object; and it shows a mug *on* a table
# *in* a kitchen, which is a second hierarchy (lecture 15). What changes if mistakes are measured by the tree
# (Bertinetto et al. 2020)? Take two classifiers of 150 things, both right in 80 % of all cases. One takes things for
# their siblings, the other for anything.
#
# > **Predict, then run (7).** By which factor do they differ?

# %% id="severity"
leaves = torch.tensor(objects.leaves)
D = objects.tree_distances(objects.leaves)[:, leaves]
g = torch.Generator().manual_seed(0)
truth = torch.randint(len(leaves), (20_000,), generator=g)
wrong = torch.rand(20_000, generator=g) < 0.2
siblings = ((D > 0) & (D <= 2)).double()  # two edges apart
assert siblings.any(1).all()  # no leaf is an only child
anything = (D > 0).double()
for name, taste in (("siblings", siblings), ("anything", anything)):
    guess = torch.multinomial(taste[truth], 1, generator=g)[:, 0]
    answer = torch.where(wrong, guess, truth)
    right = (answer == truth).double().mean()
    far = D[truth, answer][wrong].mean()
    print(f"{name:9} accuracy {right:.3f}, mistakes {far:.2f} edges off")

# %% [markdown] id="labels-answer"
# Same accuracy, three times the harm. Accuracy cannot see it, because its labels are a star; the lectures 11 to 15 put
# label trees into networks, for actions, for classes never seen, for pixels, for pairs of images and texts.
#
# ## 8 · Where it breaks
#
# **Noise looks like a tree.** Take 500 points of pure Gaussian noise, no structure at all, in more and more dimensions.
#
# > **Predict, then run (8).** Does $\delta_{rel}$ rise or fall with the dimension?

# %% id="break-noise" tolerance=0.02
print("dimension  relative delta  nearest / farthest pair")
for n in (2, 16, 128, 1024):
    x = torch.randn(500, n, generator=torch.Generator().manual_seed(0))
    D = torch.cdist(x, x)
    ratio = torch.pdist(x).min() / torch.pdist(x).max()
    print(f"{n:9} {metrics.relative_delta(D):12.3f} {ratio:18.3f}")

# %% [markdown] id="break-noise-answer"
# It falls, below what Khrulkov et al. (2020, table 1) report for features of real images (.17 to .26) and call
# hierarchical. In many dimensions random points are nearly equally far apart, and points with equal distances are a
# tree: a star of depth 1. **$\delta$ says that some tree fits the distances. It does not say which**, nor that it is
# deep. Compare with noise of the same dimension, or with your own features, shuffled, before you call anything
# hierarchical.
#
# **One point can halve it.** $\delta$ is a maximum and so is the diameter. Add a single outlier to the flat plane:

# %% id="break-outlier" tolerance=0.02
x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
for far in (0, 10, 100):
    y = torch.cat((x, torch.tensor([[float(far), 0.0]])))
    D = torch.cdist(y, y)
    print(f"outlier at {far:3}: {metrics.relative_delta(D):.3f}")

# %% [markdown] id="break-sample-text"
# **A sample sees less than the whole.** All triples of a million points are too many, so one takes random subsets.
# Their $\delta$ and their diameter are at most those of the whole. The standard error that comes with the mean says
# how much another draw would differ, not how far the truth is:

# %% id="break-sample" tolerance=0.1
D = zoo["grid"]
print(f"the grid: {metrics.relative_delta(D):.3f}")
for size in (5, 20, 80):
    mean, error = metrics.relative_delta_by_sampling(
        lambda i: D[i][:, i],
        len(D),
        size=size,
    )
    print(f"{size:3} points at a time: {mean:.3f} +- {error:.3f}")

# %% [markdown] id="break-grid-text"
# **Hyperbolic space is not better, it is different.** What a tree gains by curvature, a grid loses. Place a tree by
# Sarkar's construction and a grid by its own coordinates, and make both larger in units of the curvature:

# %% id="break-grid"
at = torch.cartesian_prod(torch.arange(9.0), torch.arange(9.0)) - 4
G = graph_distances(grid(9), 81)
scales = 2.0 ** torch.arange(-5.0, 3.5, 0.5)
found, dist = {"tree": [], "grid": []}, NormalCoordinates(1.0).dist
for ell in scales.tolist():
    bent = SarkarEmbedding(scale=ell).fit(tree).distances_from(everybody)
    found["tree"].append(judge(bent, T)[0])
    x = ell * at
    found["grid"].append(judge(dist(x[:, None], x), G)[0])
figure, axes = viz.chart(5.2, 3.0)
for (name, values), style in zip(found.items(), ("-", "--"), strict=True):
    axes.plot(scales, values, style, label=name)
axes.set(xscale="log", yscale="log", ylabel="average distortion")
axes.set(xlabel=r"length of an edge, $\sqrt{c}\,\ell$")
axes.set_yticks([1, 1.5, 2, 3], ["1", "1.5", "2", "3"])
axes.minorticks_off()
axes.legend()
viz.show(
    figure,
    alt="Average distortion against the length of an edge in units of the curvature. The tree's falls from above 6 to "
    "1, the grid's rises from 1.11 to 1.6; they cross near 0.7.",
)
for k in (0, 10, 16):
    print(f"edge {scales[k]:7.3f}: tree {found['tree'][k]:.3f}", end=", ")
    print(f"grid {found['grid'][k]:.3f}")

# %% [markdown] id="table"
# The curvature is a unit of length (lecture 04): small compared with it, everything is flat. A learned curvature that
# goes to 0 is an answer, too: "your data are no tree".
#
# ## 9 · Their numbers, our numbers
#
# | source | quantity | paper | here |
# |---|---|---|---|
# | Sarkar 2011 | $D_{worst}$ of trees in the hyperbolic plane | as near 1 as you like | 1.03 (127 nodes, $\ell = 8$) |
# | Sala et al. 2018, abstract | MAP, 2 dimensions, closed form | .989 (WordNet) | 1.000 (127 nodes, $\ell\ge1$) |
# | Nica and Špakula 2016 | $\delta$ of the hyperbolic plane | $\ln 2$, exactly | 0.6931, large squares |
# | Khrulkov et al. 2020, table 1 | $\delta_{rel}$ of image features | .17 to .26 | 0.12 (noise, 1,024 dimensions) |
# | Chami et al. 2019, table 1 | $\delta$ of disease, airport, Cora | 0, 1, 11 | 0, at least 2, 3.5 to 7 |
#
# The last row was recorded by `python -m benchmarks.hierarchies`, on the files that its authors published: the largest
# connected part, all triples, three base points; two minutes. It teaches both lessons of section 8: 1 is too small, as
# estimates from random samples are, and 11 is impossible, for $\delta$ is at most half the diameter, and Cora's is 19.
#
# ## Three things to keep
#
# 1. **Trees and hyperbolic space grow exponentially, flat space polynomially.** Dimensions divide the exponent, they do
#    not remove it; two curved dimensions do.
# 2. **Distortion and MAP are different questions.** Say which one you ask, and tune the flat baseline as hard.
# 3. **$\delta$ is 0 for trees, at most $\ln 2/\sqrt c$ in hyperbolic space, and small for noise in many dimensions,
#    too.** Never without a control.
#
# ## Go further
#
# - **Mikhael Gromov**, "Hyperbolic groups", in *Essays in Group Theory*, Springer 1987. Where $\delta$ comes from;
#   section 6 has the tree of the challenge.
# - **Nathan Linial, Eran London, Yuri Rabinovich**, "The geometry of graphs and some of its algorithmic applications",
#   *Combinatorica* 15, 1995. Distortion, for computer scientists; expanders as the worst case.
# - **Rik Sarkar**, "Low distortion Delaunay embedding of trees in hyperbolic plane", Graph Drawing 2011. The end
#   of the search for room; lecture 08 builds it.
# - **Christopher De Sa, Albert Gu, Christopher Ré, Frederic Sala**, "Representation tradeoffs for hyperbolic
#   embeddings", ICML 2018. What low distortion costs in bits, and distances that come from no tree.
# - **Valentin Khrulkov, Leyla Mirvakhabova, Evgeniya Ustinova, Ivan Oseledets, Victor Lempitsky**, "Hyperbolic image
#   embeddings", CVPR 2020. The relative delta of image features; lecture 11 measures it again, with the control.
# - **Luca Bertinetto, Romain Mueller, Konstantinos Tertikas, Sina Samangooei, Nicholas Lord**, "Making better mistakes:
#   leveraging class hierarchies with deep networks", CVPR 2020. Accuracy that knows the tree.
#
# **An open question.** $\delta$ finds *some* tree in the distances. Is there a statistic, as cheap, that tells a deep
# tree from a star, does not fall with the dimension of noise, and can be estimated from a sample with an honest error?
#
# **Next:** the [exercises](../exercises/05_hierarchies/05_hierarchies.ipynb), then lecture 06: learning such an
# embedding from edges alone.
