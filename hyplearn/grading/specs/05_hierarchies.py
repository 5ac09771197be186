"""Exercises of lecture 05: how trees grow, how well they are embedded, and how tree-like a space is."""

import torch
from torch import Tensor

from hyplearn import PoincareBall
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Property, Written, mistake

F64 = torch.float64


# --- spaces to measure ------------------------------------------------------------------------------------------------


def _tree(draw, n: int, weighted: bool = True) -> Tensor:
    """The distances of a random tree with n nodes; its edges have lengths between 0.5 and 2, or 1."""
    D = torch.zeros(n, n, dtype=F64)
    for i in range(1, n):
        parent = int(draw.number(0, i))
        D[i, :i] = D[:i, i] = D[parent, :i] + (draw.number(0.5, 2.0) if weighted else 1.0)
    return D


def _flat(draw, n: int, dim: int = 2) -> Tensor:
    """The distances of random points of flat space: the higher its dimension, the more they are alike."""
    x = draw.normal(n, dim)
    return torch.cdist(x, x)


def _curved(draw, *shape: int, c: float = 1.0) -> Tensor:
    """The distances of random points of the hyperbolic plane."""
    x = draw.ball_points(*shape, 2, c=c)
    return PoincareBall(c).dist(x.unsqueeze(-2), x.unsqueeze(-3))


def _path(n: int) -> Tensor:
    steps = torch.arange(n, dtype=F64)
    return (steps[:, None] - steps).abs()


def _cycle(n: int) -> Tensor:
    D = _path(n)
    return torch.minimum(D, n - D)


# --- ball_sizes: the warm-up ------------------------------------------------------------------------------------------


def ball_sizes(distances: Tensor, radii: Tensor) -> Tensor:
    return (distances[:, :, None] <= radii).sum(1)


def _ball_cases(draw):
    yield Case((_path(3), torch.tensor([0.0, 1.0], dtype=F64)), "a path of 3 nodes")
    whole = torch.arange(5, dtype=F64)
    yield Case((_tree(draw, 9, weighted=False), whole), "a tree of 9 nodes with edges of length 1")
    yield Case((_cycle(7), whole), "a cycle of 7 nodes")
    yield Case((_curved(draw, 12, c=0.5), draw.uniform(0.5, 6.0, 4)), "12 points of the hyperbolic plane")
    yield Case((_path(1), whole), "a single node", edge=True)
    yield Case((_path(4), torch.zeros(1, dtype=F64)), "radius 0", edge=True)


@mistake("The rim belongs to the ball: count the nodes at a distance of at most r, not only those nearer than r.")
def ball_without_rim(distances, radii):
    return (distances[:, :, None] < radii).sum(1)


@mistake("A node lies in every ball about itself, at the distance 0: yours leaves the centre out.")
def ball_without_centre(distances, radii):
    return (distances[:, :, None] <= radii).sum(1) - 1


@mistake("That counts the sphere, the nodes at a distance of exactly r; the ball has all those below, too.")
def ball_is_a_sphere(distances, radii):
    return (distances[:, :, None] == radii).sum(1)


@mistake("That is the ball about the first node, for every node. Each row of `distances` belongs to another centre.")
def ball_about_the_first_node(distances, radii):
    return (distances[:1, :, None] <= radii).sum(1).repeat(len(distances), 1)


@mistake("`radii` were taken for diameters: the ball of radius r reaches as far as r, not r/2.")
def ball_of_half_the_radius(distances, radii):
    return (2 * distances[:, :, None] <= radii).sum(1)


BALL = Exercise(
    name="ball_sizes",
    title="How a space grows",
    points=1,
    minutes=5,
    difficulty=1,
    rule="the ball of radius r about a node holds all nodes at a distance of at most r, the node itself included",
    reference=ball_sizes,
    cases=_ball_cases,
    properties=[
        Property(
            "the largest ball holds everybody",
            lambda f, D, r: (
                f(D, torch.full_like(r, 1e9)).to(D.dtype),
                torch.full((len(D), len(r)), len(D), dtype=D.dtype),
            ),
        ),
    ],
    differentiable=False,
    mistakes=[
        ball_without_rim,
        ball_without_centre,
        ball_is_a_sphere,
        ball_about_the_first_node,
        ball_of_half_the_radius,
    ],
)

# --- gromov_product ---------------------------------------------------------------------------------------------------


def gromov_product(distances: Tensor, base: int) -> Tensor:
    far = distances[..., base]
    return (far.unsqueeze(-1) + far.unsqueeze(-2) - distances) / 2


def _product_cases(draw):
    yield Case((_path(3), 0), "a path of 3 nodes, seen from its end")
    yield Case((_path(3), 1), "a path of 3 nodes, seen from its middle")
    yield Case((_tree(draw, 7), 3), "a tree of 7 nodes")
    yield Case((_curved(draw, 5, c=2.0), 4), "5 points of the hyperbolic plane")
    yield Case((_flat(draw, 6), 2), "6 points of the flat plane")
    yield Case((_curved(draw, 4, 3, c=0.5), 1), "a batch of 4 spaces with 3 points each")
    yield Case((_curved(draw, 2, 3, 4), 3), "a batch of 2 x 3 spaces with 4 points each")
    yield Case((_path(1), 0), "a single point", edge=True)


@mistake("The half is missing: on a tree the product is the length of the common part of two paths, not twice that.")
def product_without_half(distances, base):
    far = distances[..., base]
    return far.unsqueeze(-1) + far.unsqueeze(-2) - distances


@mistake("The sign of d(x, y) is flipped: the farther x and y are from each other, the less of the way they share.")
def product_sign_flipped(distances, base):
    far = distances[..., base]
    return (far.unsqueeze(-1) + far.unsqueeze(-2) + distances) / 2


@mistake("The base point is ignored: that is the product seen from the node 0.")
def product_from_the_first_node(distances, base):
    far = distances[..., 0]
    return (far.unsqueeze(-1) + far.unsqueeze(-2) - distances) / 2


@mistake("d(x, w) stands there twice, d(y, w) not at all: the product is symmetric in x and y.")
def product_with_one_distance_twice(distances, base):
    far = distances[..., base].unsqueeze(-1)
    return far - distances / 2


@mistake("`distances[base]` picks an entry of the batch: the points are counted in the last dimension, `[..., base]`.")
def product_indexes_the_batch(distances, base):
    far = distances[base]
    return (far.unsqueeze(-1) + far.unsqueeze(-2) - distances) / 2


PRODUCT = Exercise(
    name="gromov_product",
    title="How long they go together",
    points=2,
    minutes=10,
    difficulty=2,
    rule="(x|y)_w = (d(x, w) + d(y, w) - d(x, y)) / 2",
    reference=gromov_product,
    cases=_product_cases,
    properties=[
        Property(
            "with itself everybody goes all the way: (x|x)_w = d(x, w)",
            lambda f, D, w: (f(D, w).diagonal(dim1=-2, dim2=-1), D[..., w]),
        ),
    ],
    differentiable=False,  # d(x, w) may be read from a row or from a column, and the gradient tells which
    mistakes=[
        product_without_half,
        product_sign_flipped,
        product_from_the_first_node,
        product_with_one_distance_twice,
        product_indexes_the_batch,
    ],
)

# --- gromov_delta -----------------------------------------------------------------------------------------------------


def gromov_delta(distances: Tensor, base: int) -> Tensor:
    products = gromov_product(distances, base)
    best = torch.minimum(products[:, :, None], products[None, :, :]).amax(1)  # over the y of (x|y) and (y|z)
    return (best - products).amax()


def _delta_cases(draw):
    yield Case((_cycle(4), 0), "a cycle of 4 nodes")
    yield Case((_tree(draw, 8), 3), "a tree of 8 nodes")
    yield Case((_cycle(9), 2), "a cycle of 9 nodes")
    yield Case((_curved(draw, 9, c=1.0), 4), "9 points of the hyperbolic plane")
    yield Case((_curved(draw, 9, c=0.1), 8), "9 points of a plane with c = 0.1")
    yield Case((_flat(draw, 10), 5), "10 points of the flat plane")
    yield Case((_path(1), 0), "a single point", edge=True)
    yield Case((torch.zeros(3, 3, dtype=F64), 1), "three points in one place", edge=True)


@mistake("The products have no half in them, so delta comes out twice as large.")
def delta_without_half(distances, base):
    far = distances[base]
    A = far[:, None] + far - distances
    return (torch.minimum(A[:, :, None], A[None]).amax(1) - A).amax()


@mistake("The base point is ignored: that is delta seen from the node 0.")
def delta_from_the_first_node(distances, base):
    far = distances[0]
    A = (far[:, None] + far - distances) / 2
    return (torch.minimum(A[:, :, None], A[None]).amax(1) - A).amax()


@mistake("That is the largest product itself. By how much does (x|z) fall short of the *smaller* one of (x|y), (y|z)?")
def delta_without_subtraction(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    return torch.minimum(A[:, :, None], A[None]).amax(1).amax()


@mistake("The sign is flipped: (x|z) - min(...) is at most 0 for y = x, and its largest value says nothing.")
def delta_sign_flipped(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    return (A - torch.minimum(A[:, :, None], A[None]).amax(1)).amax()


@mistake("That is the mean over all x and z. One bad triple is enough: delta is the largest shortfall.")
def delta_on_average(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    return (torch.minimum(A[:, :, None], A[None]).amax(1) - A).mean()


@mistake("That is the relative delta, 2 delta / diameter; here delta itself is asked for.")
def delta_over_the_diameter(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    return 2 * (torch.minimum(A[:, :, None], A[None]).amax(1) - A).amax() / distances.amax()


DELTA = Exercise(
    name="gromov_delta",
    title="How far from a tree",
    points=3,
    minutes=20,
    difficulty=3,
    rule="the largest of min((x|y), (y|z)) - (x|z) over all x, y, z, products seen from the base point",
    reference=gromov_delta,
    cases=_delta_cases,
    properties=[
        Property("twice as large a space has twice the delta", lambda f, D, w: (f(2 * D, w), 2 * f(D, w))),
        Property(
            "the order of the points does not matter",
            lambda f, D, w: (f(D.flip(0).flip(1), len(D) - 1 - w), f(D, w)),
        ),
    ],
    differentiable=False,
    mistakes=[
        delta_without_half,
        delta_from_the_first_node,
        delta_without_subtraction,
        delta_sign_flipped,
        delta_on_average,
        delta_over_the_diameter,
    ],
)

# --- average_distortion -----------------------------------------------------------------------------------------------


def average_distortion(embedded: Tensor, true: Tensor, scale: float) -> Tensor:
    apart = true > 0
    q = embedded[apart] / (scale * true[apart])
    return torch.maximum(q, 1 / q).mean()


def _pairs(draw, *shape: int) -> tuple[Tensor, Tensor]:
    """True distances and what an embedding with errors of up to a factor of 2 made of them."""
    true = draw.uniform(0.5, 4.0, *shape)
    return true * torch.exp2(draw.uniform(-1.0, 1.0, *shape)), true


def _average_cases(draw):
    one = torch.tensor([1.0, 4.0, 1.0], dtype=F64), torch.tensor([2.0, 2.0, 3.0], dtype=F64)
    yield Case((*one, 1.0), "three pairs")
    yield Case((*_pairs(draw, 4), 1.0), "four pairs")
    yield Case((*_pairs(draw, 4), 2.5), "four pairs, scale 2.5")
    yield Case((*_pairs(draw, 5, 6), 0.4), "5 x 6 pairs, scale 0.4")
    D = _tree(draw, 7)
    x = draw.ball_points(7, 2, c=1.0)
    yield Case((PoincareBall(1.0).dist(x[:, None], x), D, 1.3), "the distance matrices of 7 nodes", gradient=False)
    E, true = _pairs(draw, 6)
    zero = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], dtype=F64)
    yield Case((E * zero, true * zero, 1.5), "two of six pairs are pairs of equal points", edge=True)
    yield Case((E, true * zero, 1.5), "equal points that the embedding has parted", edge=True)


@mistake("Too short is as bad as too long: where q is below 1, 1/q counts. Yours averages q itself.")
def average_of_stretches(embedded, true, scale):
    apart = true > 0
    return (embedded[apart] / (scale * true[apart])).mean()


@mistake("That is the mean relative error |q - 1| (Sala et al. also call it distortion). Here it is max(q, 1/q).")
def average_relative_error(embedded, true, scale):
    apart = true > 0
    return (embedded[apart] / (scale * true[apart]) - 1).abs().mean()


@mistake("The scale is upside down: one unit of the tree is `scale` units of the embedding, q = d / (scale d_T).")
def average_scale_upside_down(embedded, true, scale):
    apart = true > 0
    q = embedded[apart] * scale / true[apart]
    return torch.maximum(q, 1 / q).mean()


@mistake("The scale is ignored.")
def average_without_scale(embedded, true, scale):
    apart = true > 0
    q = embedded[apart] / true[apart]
    return torch.maximum(q, 1 / q).mean()


@mistake("Pairs with true = 0 are no pairs: q is 0/0 or 1/0 there. Leave them out before you divide.")
def average_with_the_diagonal(embedded, true, scale):
    q = embedded / (scale * true)
    return torch.maximum(q, 1 / q).mean()


@mistake("The sum was divided by the number of all entries; the pairs that are left out count in neither.")
def average_over_all_entries(embedded, true, scale):
    apart = true > 0
    q = embedded[apart] / (scale * true[apart])
    return torch.maximum(q, 1 / q).sum() / true.numel()


@mistake("The average has to be taken over max(q, 1/q), pair by pair, not before: errors of both kinds cancel in q.")
def average_before_the_maximum(embedded, true, scale):
    apart = true > 0
    q = (embedded[apart] / (scale * true[apart])).mean()
    return torch.maximum(q, 1 / q)


@mistake("Leave pairs with true = 0 out *before* you divide: of a 0/0 that is thrown away later, the gradient is NaN.")
def average_leaves_out_too_late(embedded, true, scale):
    q = embedded / (scale * true)
    return torch.maximum(q, 1 / q)[true > 0].mean()


AVERAGE = Exercise(
    name="average_distortion",
    title="Wrong by which factor, on average",
    points=2,
    minutes=10,
    difficulty=2,
    rule="the mean of max(q, 1/q) over the pairs with true > 0, q = embedded / (scale true)",
    reference=average_distortion,
    cases=_average_cases,
    properties=[
        Property(
            "another unit for the true distances is another scale",
            lambda f, E, D, s: (f(E, 2 * D, s), f(E, D, 2 * s)),
        ),
    ],
    mistakes=[
        average_of_stretches,
        average_relative_error,
        average_scale_upside_down,
        average_without_scale,
        average_with_the_diagonal,
        average_over_all_entries,
        average_before_the_maximum,
        average_leaves_out_too_late,
    ],
)

# --- worst_distortion -------------------------------------------------------------------------------------------------


def worst_distortion(embedded: Tensor, true: Tensor) -> Tensor:
    apart = true > 0
    q = embedded[apart] / true[apart]
    return q.max() / q.min()


def _worst_cases(draw):
    for case in _average_cases(draw):
        yield Case(case.args[:2], case.label.split(", scale")[0], edge=case.edge, gradient=case.gradient)
    E, true = _pairs(draw, 5)
    yield Case((100 * E, true), "five pairs, all of them far too long")


@mistake("That is the largest stretch alone. It depends on the unit; divided by the smallest stretch it does not.")
def worst_stretch_only(embedded, true):
    apart = true > 0
    return (embedded[apart] / true[apart]).max()


@mistake("The largest max(q, 1/q) depends on the unit of length; largest q over smallest q does not.")
def worst_factor_of_a_pair(embedded, true):
    apart = true > 0
    q = embedded[apart] / true[apart]
    return torch.maximum(q, 1 / q).max()


@mistake("Stretches are factors: compare the largest and the smallest by their ratio, not by their difference.")
def worst_by_difference(embedded, true):
    apart = true > 0
    q = embedded[apart] / true[apart]
    return q.max() - q.min()


@mistake("Upside down: the largest stretch belongs above, so that 1 is perfect and nothing is below 1.")
def worst_upside_down(embedded, true):
    apart = true > 0
    q = embedded[apart] / true[apart]
    return q.min() / q.max()


@mistake("Pairs with true = 0 are no pairs: q is 0/0 or 1/0 there. Leave them out before you divide by them.")
def worst_with_the_diagonal(embedded, true):
    q = embedded / true
    return q.max() / q.min()


@mistake("Pick the pairs with true > 0 first, divide then: the gradient of a 0/0 that is thrown away is still NaN.")
def worst_leaves_out_too_late(embedded, true):
    q = (embedded / true)[true > 0]
    return q.max() / q.min()


WORST = Exercise(
    name="worst_distortion",
    title="Wrong by which factor, at worst",
    points=2,
    minutes=10,
    difficulty=2,
    rule="max(q) / min(q) over the pairs with true > 0, q = embedded / true",
    reference=worst_distortion,
    cases=_worst_cases,
    properties=[
        Property("it has no unit: a scaled embedding is as good", lambda f, E, D: (f(3 * E, D), f(E, D))),
    ],
    mistakes=[
        worst_stretch_only,
        worst_factor_of_a_pair,
        worst_by_difference,
        worst_upside_down,
        worst_with_the_diagonal,
        worst_leaves_out_too_late,
    ],
)

# --- mean_average_precision -------------------------------------------------------------------------------------------


def mean_average_precision(distances: Tensor, neighbours: Tensor) -> Tensor:
    precisions = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            precisions.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(precisions).mean()


def _graph(draw, n: int) -> Tensor:
    """The neighbours in a random tree, and in a few further pairs."""
    near = _tree(draw, n, weighted=False) == 1
    more = draw.uniform(0, 1, n, n) < 0.15
    return (near | more | more.T) & ~torch.eye(n, dtype=torch.bool)


def _map_cases(draw):
    star = torch.tensor([[0, 1, 1], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
    yield Case((torch.tensor([[0.0, 3.0, 4.0], [3.0, 0.0, 2.0], [4.0, 2.0, 0.0]], dtype=F64), star), "a star of 3")
    for n in (6, 9):
        yield Case((_flat(draw, n), _graph(draw, n)), f"{n} nodes in the flat plane")
    yield Case((_curved(draw, 12), _graph(draw, 12)), "12 nodes in the hyperbolic plane")
    lonely = _graph(draw, 8)
    lonely[2] = lonely[:, 2] = False
    yield Case((_flat(draw, 8), lonely), "8 nodes, one of them without neighbours", edge=True)
    full = ~torch.eye(4, dtype=torch.bool)
    yield Case((_flat(draw, 4), full), "everybody is everybody's neighbour", edge=True)


@mistake("A node is no candidate for its own neighbour: take it out of its list, or it stands first in it.")
def map_ranks_the_node_itself(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            hits = neighbours[u][distances[u].argsort()]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            values.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(values).mean()


@mistake("Sorted the wrong way round: near is good, so the nearest node has rank 1.")
def map_sorted_backwards(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort(descending=True)
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            values.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(values).mean()


@mistake("That is the mean of 1/rank. At the k-th neighbour in the list the precision is k/rank.")
def map_of_reciprocal_ranks(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            values.append((1 / ranks)[hits].mean())
    return torch.stack(values).mean()


@mistake("Two averages: over the neighbours of each node, then over the nodes. Yours is one over all pairs.")
def map_averages_over_pairs(distances, neighbours):
    values = []
    for u in range(len(distances)):
        order = distances[u].argsort()
        hits = neighbours[u][order[order != u]]
        ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
        values.append((hits.cumsum(0) / ranks)[hits])
    return torch.cat(values).mean()


@mistake("That is the precision of the first k, for k neighbours; average it over the places of the neighbours.")
def map_is_precision_at_k(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]].to(distances.dtype)
            values.append(hits[: int(hits.sum())].mean())
    return torch.stack(values).mean()


@mistake("The precision is averaged over the whole list; it counts at the places of the neighbours only.")
def map_averages_over_the_list(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            values.append((hits.cumsum(0) / ranks).mean())
    return torch.stack(values).mean()


@mistake("A node without neighbours has no precision: leave it out, do not count it as 0.")
def map_counts_lonely_nodes(distances, neighbours):
    total = torch.zeros((), dtype=distances.dtype)
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1, dtype=distances.dtype)
            total = total + (hits.cumsum(0) / ranks)[hits].mean()
    return total / len(distances)


@mistake("Integers divided by integers are float32 in torch: make `ranks` a tensor of the dtype of `distances`.")
def map_divides_integers(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1)
            values.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(values).mean()


@mistake("The quotients of integers are float32; to convert the result is too late. Convert the counts before.")
def map_in_single_precision(distances, neighbours):
    values = []
    for u in range(len(distances)):
        if neighbours[u].any():
            order = distances[u].argsort()
            hits = neighbours[u][order[order != u]]
            ranks = torch.arange(1, len(hits) + 1)
            values.append((hits.cumsum(0) / ranks)[hits].mean())
    return torch.stack(values).mean().to(distances.dtype)


MAP = Exercise(
    name="mean_average_precision",
    title="Are the neighbours near?",
    points=4,
    minutes=25,
    difficulty=4,
    rule="the share of neighbours among all nodes as near as one: its mean over a node's neighbours, then over nodes",
    reference=mean_average_precision,
    cases=_map_cases,
    properties=[
        Property(
            "only the order of the distances counts, not their size",
            lambda f, D, near: (f(D**3, near), f(D, near)),
        ),
    ],
    differentiable=False,
    mistakes=[
        map_ranks_the_node_itself,
        map_sorted_backwards,
        map_of_reciprocal_ranks,
        map_averages_over_pairs,
        map_is_precision_at_k,
        map_averages_over_the_list,
        map_counts_lonely_nodes,
        map_divides_integers,
        map_in_single_precision,
    ],
)

# --- gromov_tree: the challenge ---------------------------------------------------------------------------------------


def gromov_tree(distances: Tensor, base: int) -> Tensor:
    shared = gromov_product(distances, base)
    for y in range(len(shared)):  # all chains, by Floyd's and Warshall's order
        shared = torch.maximum(shared, torch.minimum(shared[:, y, None], shared[None, y, :]))
    far = distances[base]
    return far[:, None] + far - 2 * shared


def _tree_cases(draw):
    yield Case((_cycle(4), 0), "a cycle of 4 nodes")
    yield Case((_tree(draw, 8), 3), "a tree of 8 nodes")
    yield Case((_flat(draw, 10), 4), "10 points of the flat plane")
    yield Case((_flat(draw, 14), 13), "14 points of the flat plane")
    yield Case((_curved(draw, 12), 5), "12 points of the hyperbolic plane")
    yield Case((_cycle(9), 2), "a cycle of 9 nodes")
    yield Case((_path(1), 0), "a single point", edge=True)


@mistake("Chains of two links are not enough: take the best over chains of any length (repeat until nothing changes).")
def tree_of_short_chains(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    A = torch.minimum(A[:, :, None], A[None]).amax(1)
    return far[:, None] + far - 2 * A


@mistake("The 2 is missing: what two paths share is saved twice, once on each of them.")
def tree_without_two(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    for y in range(len(A)):
        A = torch.maximum(A, torch.minimum(A[:, y, None], A[y]))
    return far[:, None] + far - A


@mistake("Those are the products of the tree, not its distances: d(x, y) = d(x, w) + d(y, w) - 2 (x|y).")
def tree_products(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    for y in range(len(A)):
        A = torch.maximum(A, torch.minimum(A[:, y, None], A[y]))
    return A


@mistake("The base point is ignored: that is the tree that hangs from the node 0.")
def tree_from_the_first_node(distances, base):
    far = distances[0]
    A = (far[:, None] + far - distances) / 2
    for y in range(len(A)):
        A = torch.maximum(A, torch.minimum(A[:, y, None], A[y]))
    return far[:, None] + far - 2 * A


@mistake("Largest and smallest are exchanged: a chain is worth its weakest link, and the strongest chain counts.")
def tree_of_weakest_chains(distances, base):
    far = distances[base]
    A = (far[:, None] + far - distances) / 2
    for y in range(len(A)):
        A = torch.minimum(A, torch.maximum(A[:, y, None], A[y]))
    return far[:, None] + far - 2 * A


TREE = Exercise(
    name="gromov_tree",
    title="Challenge: the tree inside every space",
    points=0,
    minutes=30,
    difficulty=5,
    optional=True,
    rule="d(x, w) + d(y, w) - 2 s(x, y), where s is the weakest link of the strongest chain of products from x to y",
    reference=gromov_tree,
    cases=_tree_cases,
    properties=[
        Property(
            "distances from the base point are kept",
            lambda f, D, w: (f(D, w)[w], D[w]),
        ),
        Property("the tree of a tree is that tree", lambda f, D, w: (f(f(D, w), w), f(D, w))),
    ],
    differentiable=False,
    mistakes=[
        tree_of_short_chains,
        tree_without_two,
        tree_products,
        tree_from_the_first_node,
        tree_of_weakest_chains,
    ],
)

CLAIM = Written(
    name="the_claim",
    title="Two controls",
    points=3,
    minutes=15,
    difficulty=3,
    rubric=[
        "1 point: says why the number alone is no evidence: in many dimensions the distances of points without any "
        "structure are nearly equal, and a space with equal distances is a star, a tree of depth 1, with relative "
        "delta near 0.",
        "1 point: a control for that: the same number for data without hierarchy, of the same size and dimension "
        "(shuffled features, Gaussian noise with the same covariance, an untrained network), and for the diameter, the "
        "sample size and the spread between draws.",
        "1 point: a control for the conclusion: embed and measure what is wanted (distortion, MAP, accuracy) in flat "
        "space tuned as hard, or with the labels' hierarchy permuted: a small delta says that a tree fits the "
        "distances, not which tree, nor that a hyperbolic layer gains anything.",
    ],
)

SET = ExerciseSet(
    "05_hierarchies",
    [BALL, PRODUCT, DELTA, AVERAGE, WORST, MAP, TREE],
    [CLAIM],
    masked=["hyplearn.metrics"],
)
