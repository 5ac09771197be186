# %% [markdown] id="title"
# # 00 · Notation and a map of the course
#
# **Question.** Which symbols does this course use, how do they translate to what you read elsewhere, and where does
# each lecture lead?
#
# **After this page you can**
#
# - *read* every formula of the course without guessing what $c$, $\lambda_x$ or $\oplus_c$ stands for,
# - *translate* a paper's curvature, radius or signature into ours, and see when it cannot be meant,
# - *choose* the lectures that you need for the one that you want,
# - *work* with a notebook, its exercises and their checks.
#
# **You need** nothing yet. Come back to this page whenever a symbol is unclear.
#
# **Reading time:** 20 minutes. **Running time:** a few seconds on two CPU cores.
#
# **Exercises:** none; the first set belongs to lecture 01.

# %% id="setup"
import math

import torch

from hyplearn import Lorentz, PoincareBall, maps, viz

torch.set_default_dtype(torch.float64)

# %% [markdown] id="map-intro"
# ## 1 · The map
#
# An arrow means "read this first": blue is geometry, green hierarchies, red networks. The shortest way to a network in
# hyperbolic space is 01, 03, 04, 09, 10; the shortest way to embedded hierarchies is 01, 04, 05, 06.
# Lecture 09 trains embeddings to compare optimisers, but you may read it before 06.

# %% id="map"
LECTURES = {
    1: ("parallel\npostulate", 0, 1),
    2: ("curvature", 1, 1.7),
    3: ("models", 1, 0.3),
    4: ("Poincaré\nball", 2, 1),
    9: ("numerics", 3, 1.7),
    10: ("layers", 4, 1.7),
    5: ("hierarchies", 3, 0.3),
    6: ("Poincaré\nembeddings", 4, 0.3),
    7: ("entailment\ncones", 5, 0.6),
    8: ("closed\nform", 5, -0.3),
    11: ("vision\n11 to 14", 5, 1.7),
}
NEEDS = [(1, 2), (1, 3), (2, 4), (3, 4), (4, 9), (9, 10), (4, 5), (5, 6)]
NEEDS += [(6, 7), (6, 8), (10, 11), (6, 11)]

figure, ax = viz.chart(6.1, 3.2)
ax.axis("off")
style = {"arrowstyle": "->", "color": viz.COLORS["grey"]}
style |= {"shrinkA": 22, "shrinkB": 22}
for start, end in NEEDS:
    (_, x0, y0), (_, x1, y1) = LECTURES[start], LECTURES[end]
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=style)
for number, (name, x, y) in LECTURES.items():
    color = "blue" if number < 5 else "green" if number < 9 else "red"
    text = name if number == 11 else f"{number:02d}\n{name}"
    place = {"ha": "center", "va": "center", "fontsize": 9}
    ax.text(x, y, text, color=viz.COLORS[color], **place)
ax.set(xlim=(-0.5, 5.5), ylim=(-0.8, 2.2))
viz.show(
    figure,
    alt="Arrows between the lectures. 01 leads to 02 and 03, both lead to "
    "04; from there one way leads over 09 numerics and 10 layers to "
    "vision, the other over 05 hierarchies and 06 Poincaré embeddings to "
    "07 cones, 08 closed form and vision.",
)

# %% [markdown] id="questions"
# | lecture | asks | and leaves you with |
# |---|---|---|
# | [01](01_parallel_postulate.ipynb) | Did Euclid make a mistake? | lines, angles, areas of another plane |
# | [02](02_curvature.ipynb) | How bent is a space, seen from inside? | the number $-c$, and how to measure it |
# | [03](03_models.ipynb) | Which of five maps should one compute in? | charts, isometries between them, means |
# | [04](04_poincare_ball.ipynb) | What is a sum, a line, an arrow there? | $\oplus$, $\exp$, $\log$, transport |
# | [05](05_hierarchies.ipynb) | Why do trees not fit in flat space? | distortion, MAP, Gromov's $\delta$ |
# | [06](06_poincare_embeddings.ipynb) | Can one learn a tree's coordinates? | the contrastive loss, a tuned baseline |
# | [07](07_entailment_cones.ipynb) | How to say that a dog *is an* animal? | cones, and what order costs |
# | [08](08_closed_form.ipynb) | Can one simply write them down? | a tree without training; its price in bits |
# | [09](09_numerics.ipynb) | Why does it end in NaN? | formulas that hold, Riemannian optimisers |
# | [10](10_layers.ipynb) | What is a layer in curved space? | networks, and a sober comparison |
#
# ## 2 · Symbols
#
# | symbol | meaning | in code |
# |---|---|---|
# | $-c$, $c > 0$ | sectional curvature of the space; unit 1 / length² | `manifold.c` |
# | $1/\sqrt c$ | its radius of curvature: the length on whose scale space stops looking flat | |
# | $n$ | dimension | |
# | $x, y, p$ | points, as coordinates of a chart | tensors, coordinates on `dim=-1` |
# | $v, w \in T_x$ | tangent vectors at $x$ | tensors in the same coordinates |
# | $\langle u, v\rangle_x$, $\lVert v\rVert_x$ | inner product and length in the metric at $x$ | `inner`, `norm` |
# | $\lambda_x = 2/(1 - c\lvert x\rvert^2)$ | conformal factor of the ball | `lambda_x` |
# | $d(x, y)$ | geodesic distance | `dist`, `dist0` from the origin |
# | $\exp_x v$, $\log_x y$ | walk along a geodesic; the vector that leads there | `expmap`, `logmap` |
# | $P_{x\to y}\,v$ | parallel transport | `transp` |
# | $x \oplus_c y$, $r \otimes_c x$ | Möbius addition and scalar multiplication | `mobius_add`, `mobius_scalar_mul` |
# | $\operatorname{gyr}[x, y]$ | gyration: what associativity lacks | `gyration` |
# | $\langle x, y\rangle_L$ | Minkowski product $-x_0 y_0 + x_1 y_1 + \dots$ | `Lorentz.minkowski` |
# | $n = d\,\hat u$ | normal coordinates: distance from the origin times direction | `to_normal`, `from_normal` |
#
# *Hierarchies, lectures 05 to 08:*
#
# | symbol | meaning | in code |
# |---|---|---|
# | $(x\vert y)_w$ | Gromov product: how far the ways to $x$ and $y$ go together | `gromov_product` |
# | $\delta$, $\delta_{rel}$ | Gromov's $\delta$, 0 for trees; $2\delta$ over the diameter | `relative_delta` |
# | MAP, mean rank | are the neighbours of a node its nearest points? | `rank_metrics` |
# | $\psi(x)$, $K$ | half-aperture of the cone at $x$, and its constant | `half_aperture` |
# | scale | length of an edge in Sarkar's construction: long edges, small distortion | `SarkarEmbedding` |
#
# *Networks, lecture 10:*
#
# | symbol | meaning | in code |
# |---|---|---|
# | $z_k$, $r_k$ | a hyperplane: its normal, and half its distance from the origin | `weight`, `bias` of a layer |
# | $v_k$ | $2\lvert z_k\rvert$ times the signed distance from it: a logit | `HMLR`, `HLinear.distances` |
# | $(t, s)$ | time and space part on the hyperboloid, $t^2 = 1/c + \lvert s\rvert^2$ | `Lorentz` |
# | $B(a, b)$ | Euler's beta function, which shortens concatenated points | `HFlatten`, `HConvolution2d` |
#
# A trailing 0 means "at the origin": `expmap0`, `logmap0`, `dist0`.
#
# **The one number to remember.** In the ball a tangent vector at the origin is *twice* as long as it looks, since
# $\lambda_0 = 2$. So $d(0, \exp_0 v) = 2\lvert v\rvert$ there, while in Lorentz and normal coordinates it is
# $\lvert v\rvert$:

# %% id="factor-two"
v = torch.tensor([0.3, 0.4])  # Euclidean length 0.5
ball, lorentz = PoincareBall(1.0), Lorentz(1.0)
time_first = torch.cat([torch.zeros(1), v])  # at the base the time is 0
print("ball:   ", ball.dist0(ball.expmap0(v)).item())
print("Lorentz:", lorentz.dist0(lorentz.expmap0(time_first)).item())

# %% [markdown] id="conventions"
# ## 3 · Other people's conventions
#
# Most bugs of this field are a broken convention: code that is right for $c = 1$ only, a radius used as a curvature,
# a $K$ with the wrong sign. Six are in use:
#
# | they write | they mean | ours |
# |---|---|---|
# | curvature $c$ (Ganea 2018, HNN++, this course) | sectional curvature $-c$ | $c$ |
# | curvature $K < 0$ (mathematics, some of geoopt) | sectional curvature $K$ | $c = -K$ |
# | curvature $-1/k$ (geoopt's `Lorentz(k)`, HGCN's $K$) | $k$ is the squared radius | $c = 1/k$ |
# | radius $r$ | the ball has radius $r$, or $\langle x,x\rangle_L = -r^2$ | $c = 1/r^2$ |
# | `Curvature(value)` of HypLL 0.1.1 | $c$ is softplus(value) | $c = \log(1 + e^{\text{value}})$ |
# | no $c$ at all (Nickel and Kiela 2017) | $c = 1$ | 1 |
#
# **Predict, then run (1).** A tutorial says `Curvature(1.0)` in HypLL and "the standard Poincaré ball" in the text.
# Which $c$ does it really use? And a paper with "radius 2"?

# %% id="converter"
CONVERT = {
    "c": lambda c: c,
    "K": lambda K: -K,
    "k, squared radius": lambda k: 1 / k,
    "radius": lambda r: 1 / r**2,
    "HypLL value": lambda value: math.log1p(math.exp(value)),
}


def our_c(value, convention):
    """c of the space that a paper describes by `value` in its way."""
    c = CONVERT[convention](value)
    if not c > 0:
        raise ValueError(f"{convention} = {value} gives c = {c}: the sign?")
    return c


PAPERS = [(1.0, "HypLL value"), (0.1, "HypLL value"), (2.0, "radius")]
PAPERS += [(-0.5, "K"), (4.0, "k, squared radius")]
for value, convention in PAPERS:
    c = our_c(value, convention)
    radius = c**-0.5
    print(f"{convention:18s}{value:5} -> c = {c:.4f}, 1/sqrt(c) = {radius:.4f}")

# %% [markdown] id="signature"
# The Minkowski product has two signs in the literature: ours is $(-, +, \dots, +)$, so points have
# $\langle x, x\rangle_L = -1/c$; with $(+, -, \dots, -)$ it is $+1/c$. Some authors put the time coordinate last.
# Both changes are harmless as long as one notices them:

# %% id="signature-check"
c = 0.5
x = maps.convert(torch.tensor([0.6, -0.3]), PoincareBall(c), Lorentz(c))
ours = Lorentz(c).minkowski(x, x)
theirs = x[0] ** 2 - x[1:].square().sum()
print(f"x = {x.tolist()}")
print(f"ours {ours.item():+.4f} = -1/c, theirs {theirs.item():+.4f} = 1/c")

# %% [markdown] id="breaks"
# ## 4 · Where it breaks
#
# **Predict, then run (2).** You take points that somebody saved for $c = 1$ and measure their distance with
# $c = 0.25$. Does anything raise an error?

# %% id="wrong-c"
x, y = torch.tensor([0.5, 0.0]), torch.tensor([0.0, 0.7])
for c in (1.0, 0.25):
    print(f"c = {c}: d(x, y) = {PoincareBall(c).dist(x, y).item():.4f}")

# %% [markdown] id="wrong-c-answer"
# Nothing complains: the same coordinates are points of both balls, and the distances differ by a factor that is not
# even constant. A wrong $c$ is silent; that is why every function of the course carries it and every test sweeps it.
# The other direction is at least loud, if one asks:

# %% id="check-point"
try:
    PoincareBall(4.0).check_point(y)
except ValueError as error:
    print(error)

# %% [markdown] id="work"
# ## 5 · How to work with the course
#
# - **Read a lecture in JupyterLab** (`hyplearn lab`), running the cells one by one. At *Predict, then run* stop and
#   write a guess down; a wrong guess that you remember is worth more than a right one that you read.
# - **Break things.** Change $c$, the dtype, the radius. Cells are short so that you can.
# - **Exercises:** `hyplearn start 01_parallel_postulate` copies a set to `mywork/`, which nobody else touches. After
#   each function a cell calls `check(f)`: it says what you were asked, what you returned, and often which slip it
#   looks like. *Visible checks passed* means that: the hidden ones try other curvatures, dtypes and corner cases.
# - **Hand in** with `hyplearn submit 01_parallel_postulate`.
# - **The library is part of the text.** `PoincareBall.dist??` shows how we compute what you have just derived.
#
# ## 6 · Glossary
#
# | term | in one sentence |
# |---|---|
# | boost | the motion of the hyperboloid that mixes time with one direction; in the ball, a Möbius sum |
# | burn-in | a first phase of training with small steps, in which the angles get sorted |
# | chart, model | coordinates for the whole space; all charts here describe one and the same space |
# | clip | here: points beyond a given radius move back to it, direction kept |
# | cone of entailment | the region behind a point, seen from the origin, in which its descendants should lie |
# | conformal | angles in the picture are the true ones (ball, half-space, hemisphere; not Klein) |
# | curvature, sectional | how fast two geodesics that start together part, in one plane; here $-c$ everywhere |
# | distortion | by which factor distances are stretched, once the unit of length is chosen at best |
# | geodesic | what goes straight on: the shortest path between two of its points |
# | Gromov's $\delta$ | by how much four points fail to be points of a tree |
# | horosphere | a sphere whose centre has moved to infinity; a level set of a Busemann function |
# | hyperplane, gyroplane | the set of points that a classifier's decision boundary consists of |
# | ideal point | a point at infinity, on the rim of the ball; not a point of the space |
# | isometry | a map that keeps all distances |
# | metric tensor | the inner product of tangent vectors, point by point |
# | MAP | mean average precision: 1 if every node's neighbours are its nearest points |
# | midpoint, Fréchet mean | two different averages: the first has a formula, the second minimises squared distances |
# | negative sampling | comparing a true pair with random false ones, instead of with all |
# | normal coordinates | the chart in which the way to a point is the point: $\log_0$ is the identity |
# | retraction | a cheap step that agrees with the exponential map to first order |
# | Riemannian gradient | the partial derivatives, corrected by the metric: an arrow, whatever the chart |
# | signed distance | how far from a hyperplane, and on which side |
# | tangent space | all velocities with which one can leave a point |
#
# ## Go further
#
# - **James Cannon, William Floyd, Richard Kenyon, Walter Parry**, "Hyperbolic geometry", in *Flavors of Geometry*,
#   MSRI Publications 31, 1997. The five models, by people who compute.
# - **Octavian Ganea, Gary Bécigneul, Thomas Hofmann**, "Hyperbolic neural networks", NeurIPS 2018. Where most of the
#   notation of hyperbolic deep learning comes from.
# - **Pascal Mettes, Mina Ghadimi Atigh, Martin Keller-Ressel, Jeffrey Gu, Serena Yeung**, "Hyperbolic deep learning
#   in computer vision: a survey", IJCV 2024. What the second half of the course is about.
#
# **An open question.** Why has a field of a few hundred papers not agreed on the sign of its curvature, and which
# convention would you enforce in a reviewer's checklist?
#
# **Next:** [lecture 01](01_parallel_postulate.ipynb).
