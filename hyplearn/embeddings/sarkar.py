"""Trees in closed form (Sarkar 2011; Sala et al. 2018): no training, and as little distortion as you pay bits for.

The root sits at the origin; around each node its neighbours sit at the distance scale * edge length, in directions that
are spread as well as they can be. The longer the edges, the straighter the ways between far nodes bend at the nodes
they pass, and the closer distances come to scale * tree distance; but a point at the distance d from the origin takes
about d / log 2 bits per coordinate. So there are two arithmetics here:

- Distances between placed nodes need no coordinates: they are composed edge by edge along the path, in the log domain,
  where lengths of thousands are ordinary float64 numbers.
- Coordinates, where they are wanted, are Python's integers read as fixed-point numbers with as many bits as asked for.
  Angles and edge lengths enter rounded to float64; from there on everything is exact to those bits.
"""

import math
import os
from collections.abc import Iterable

import torch
from torch import Tensor

from hyplearn.data import Hierarchy
from hyplearn.metrics import average_distortion
from hyplearn.training import load_checkpoint, save_checkpoint

# A point at the distance d from the origin is 2 exp(-d) away from the rim. To have its distances to 1e-10 takes so many
# bits more than the d / log 2 that only tell it from the rim.
SPARE_BITS = 34


class SarkarEmbedding:
    """A tree in the Poincare ball of curvature -1, placed by Sarkar's construction.

    A hierarchy with several parents or roots is embedded through its spanning tree (first parents), which is what the
    distances then are about. Edges of length 0 are contracted: their ends get the same point.

    Args:
        dim: dimension; in 2 the directions are evenly spaced angles, above 2 points that repel each other on a sphere.
        bits: precision of the coordinates.
        scale: length of an edge of length 1; by default the largest for which `bits` are enough for the farthest node.

    After `fit`: `tree_`, `scale_`, `bits_needed_`, and `embedding_`, the coordinates rounded to float64 (N, dim).
    """

    def __init__(self, dim: int = 2, *, bits: int = 53, scale: float | None = None):
        if dim < 2:
            raise ValueError(f"dim must be at least 2, got {dim}: on a line a tree has no room")
        if bits <= SPARE_BITS:
            raise ValueError(f"bits must be more than {SPARE_BITS}, got {bits}")
        if scale is not None and not 0 < scale < math.inf:
            raise ValueError(f"scale must be > 0, got {scale}")
        self.dim, self.bits, self.scale = dim, bits, scale

    def fit(self, edges: Hierarchy) -> "SarkarEmbedding":
        """Places the nodes; lengths are the hierarchy's weights, or 1."""
        self.tree_ = edges if edges.is_tree else edges.spanning_tree()
        self._plan()
        height = self._root_distances().max().item()
        if height == 0:
            raise ValueError("the tree has no edge of positive length, so there is nothing to embed")
        room = (self.bits - SPARE_BITS) * math.log(2)
        self.scale_ = room / height if self.scale is None else self.scale
        self.bits_needed_ = bits_needed(self.scale_ * height)
        return self

    # --- the plan: where everybody's neighbours are seen ------------------------------------------------------------

    def _plan(self) -> None:
        """Levels, parents, edge lengths, and the direction in which each parent sees its child.

        The frame at a node is its parent's, transported along their edge; so the way back is the opposite direction.
        """
        tree, n = self.tree_, len(self.tree_)
        weights = torch.ones(len(tree.edges)).double() if tree.weights is None else tree.weights
        length = torch.zeros(n, dtype=torch.float64)
        length[tree.edges[:, 0]] = weights
        # The node that stands for each: the highest one that a path of zero-length edges leads to.
        same, parent = list(range(n)), [-1] * n
        children = [[] for _ in range(n)]
        level = torch.zeros(n, dtype=torch.int64)
        for node in tree.order[1:]:
            up = same[tree.parents[node][0]]
            if length[node] == 0:
                same[node] = up
            else:
                parent[node] = up
                children[up].append(node)
                level[node] = level[up] + 1
        self._same, self._parent, self._length = torch.tensor(same), torch.tensor(parent), length
        self._root = tree.order[0]
        kept = torch.unique(self._same)
        self._levels = [kept[level[kept] == k] for k in range(1, int(level.max()) + 1)]

        self._direction = torch.zeros(n, self.dim, dtype=torch.float64)
        codes: dict[int, Tensor] = {}
        for node in [self._root, *(int(i) for lev in self._levels for i in lev)]:
            if not children[node]:
                continue
            way_back = node != self._root
            count = len(children[node]) + way_back
            if count not in codes:
                codes[count] = spherical_code(count, self.dim)
            code = codes[count]
            if way_back:
                code = _turned(code, -self._direction[node])[1:]
            self._direction[torch.tensor(children[node])] = code

    def _root_distances(self) -> Tensor:
        """(N,) lengths of the paths from the root, scale 1."""
        far = torch.zeros(len(self.tree_), dtype=torch.float64)
        for nodes in self._levels:
            far[nodes] = far[self._parent[nodes]] + self._length[nodes]
        return far[self._same]

    # --- distances without coordinates ------------------------------------------------------------------------------

    def distances_from(self, i: Tensor) -> Tensor:
        """(B, N) hyperbolic distances of the nodes i (B,) from all nodes, right at any scale."""
        start = self._same[torch.as_tensor(i)]
        rows = torch.arange(len(start))
        far = torch.full((len(start), len(self.tree_)), -1.0, dtype=torch.float64)
        seen = torch.zeros(*far.shape, self.dim, dtype=torch.float64)  # the direction to the start, from everywhere
        far[rows, start] = 0.0

        active, at = rows[start != self._root], start[start != self._root]
        while len(active):  # first straight up to the root,
            to = self._parent[at]
            far[active, to], seen[active, to] = _step(
                far[active, at], seen[active, at], -self._direction[at], self.scale_ * self._length[at]
            )
            active, at = active[to != self._root], to[to != self._root]
        for nodes in self._levels:  # then down into everything else.
            up = self._parent[nodes]
            d, u = _step(far[:, up], seen[:, up], self._direction[nodes], self.scale_ * self._length[nodes])
            new = far[:, nodes] < 0
            far[:, nodes] = torch.where(new, d, far[:, nodes])
            seen[:, nodes] = torch.where(new[..., None], u, seen[:, nodes])
        return far[:, self._same]

    def distance(self, i: Tensor, j: Tensor) -> Tensor:
        """Distances of the nodes i from the nodes j (index tensors that broadcast)."""
        i, j = torch.broadcast_tensors(torch.as_tensor(i), torch.as_tensor(j))
        sources, row = torch.unique(i.reshape(-1), return_inverse=True)
        return self.distances_from(sources)[row, j.reshape(-1)].reshape(i.shape)

    # --- coordinates ------------------------------------------------------------------------------------------------

    def coordinates(self) -> list[list[int]]:
        """Each node's coordinates in the ball, times 2^bits, as integers.

        The frame at a node is a Lorentz matrix M (time first); a child's is M times the boost to it, and the child
        stands at s/(1 + t) for the first column (t, s) of its matrix.
        """
        # Entries grow like exp(d), and each product costs a rounding of about that size: bits for both.
        deep = self._root_distances().max().item() * self.scale_ / math.log(2)
        bits = self.bits + math.ceil(deep) + len(self.tree_).bit_length() + 8
        one = 1 << bits
        n = self.dim + 1
        frames = {self._root: [[one * (r == k) for k in range(n)] for r in range(n)]}
        places: dict[int, list[int]] = {self._root: [0] * self.dim}
        for nodes in self._levels:
            above, frames = frames, {}
            for node in nodes.tolist():
                M = above[int(self._parent[node])]
                u = _unit([int(math.ldexp(x, 60)) for x in self._direction[node].tolist()], bits)
                cosh, sinh = _cosh_sinh(self.scale_ * self._length[node].item(), bits)
                frame = []
                for row in M:  # M times [[cosh, sinh u^T], [sinh u, 1 + (cosh - 1) u u^T]]
                    along = sum(m * x for m, x in zip(row[1:], u, strict=True)) >> bits
                    push = (row[0] * sinh + along * (cosh - one)) >> bits
                    frame.append(
                        [(row[0] * cosh + along * sinh) >> bits]
                        + [m + (push * x >> bits) for m, x in zip(row[1:], u, strict=True)]
                    )
                frames[node] = frame
                t = frame[0][0] + one
                places[node] = [(row[0] << self.bits) // t for row in frame[1:]]
        return [places[int(k)] for k in self._same]

    @property
    def embedding_(self) -> Tensor:
        """(N, dim) coordinates in the ball, rounded to float64: good to about 37 from the origin, on the rim beyond."""
        one = 1 << self.bits
        return torch.tensor([[x / one for x in point] for point in self.coordinates()], dtype=torch.float64)

    # --- files ------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Writes the tree and the settings, from which `load` builds the same embedding."""
        tree = self.tree_
        state = {"names": list(tree.names), "labels": list(tree.labels), "edges": tree.edges, "weights": tree.weights}
        save_checkpoint(path, state | {"settings": {"dim": self.dim, "bits": self.bits, "scale": self.scale}})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "SarkarEmbedding":
        """Reads what `save` wrote."""
        state = load_checkpoint(path)
        tree = Hierarchy(state["names"], state["edges"], state["weights"], state["labels"])
        return cls(**state["settings"]).fit(tree)


def distortion_curve(
    edges: Hierarchy, scales: Iterable[float], dim: int = 2, sample: int = 500
) -> list[tuple[float, float, int]]:
    """What a longer scale buys and costs: (scale, average distortion, bits per coordinate) for each of the scales.

    The distortion is that of `metrics.average_distortion` against the (spanning) tree, with the scale itself, over all
    pairs of which one is among `sample` nodes (drawn with a fixed seed; all nodes of smaller trees).
    """
    model = SarkarEmbedding(dim, scale=1.0).fit(edges)
    some = torch.randperm(len(model.tree_), generator=torch.Generator().manual_seed(0))[:sample]
    true, height, rows = model.tree_.tree_distances(some.tolist()), model._root_distances().max().item(), []
    for scale in scales:
        model.scale_ = scale
        rows.append((scale, average_distortion(model.distances_from(some), true, scale), bits_needed(scale * height)))
    return rows


def bits_needed(distance: float) -> int:
    """Bits per coordinate with which a point so far from the origin has its distances to 1e-10."""
    return math.ceil(distance / math.log(2)) + SPARE_BITS


def fixed_point_distance(x: list[int], y: list[int], bits: int) -> float:
    """The distance of two points of the unit ball whose coordinates are integers over 2^bits.

    2 asinh( |x - y| / sqrt((1 - |x|^2)(1 - |y|^2)) ), exact until the logarithm is taken.
    """
    one = 1 << 2 * bits
    gaps = (one - sum(a * a for a in x)) * (one - sum(b * b for b in y))
    chord = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    if chord == 0:
        return 0.0
    if gaps <= 0:
        raise ValueError(f"a point is on the rim: {bits} bits are too few for it")
    return _from_log(math.log(chord) + 4 * bits * math.log(2) - math.log(gaps) - 2 * bits * math.log(2) + math.log(4))


def spherical_code(count: int, dim: int, steps: int = 300) -> Tensor:
    """(count, dim) unit vectors that are well apart: evenly spaced in the plane, else pushed apart by repulsion.

    In the plane these are the best; up to dim + 1 vectors form a simplex, which is the best too. Otherwise random
    points (with a fixed seed) that repel each other for `steps` steps.
    """
    if dim == 2:
        angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        return torch.stack([angle.cos(), angle.sin()], dim=1)
    x = torch.randn(count, dim, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    if count <= dim + 1:
        corners = torch.eye(count, dtype=torch.float64) - 1 / count
        basis = torch.linalg.svd(corners).Vh[: max(1, count - 1)]
        x = torch.nn.functional.pad(corners @ basis.T, (0, dim - basis.shape[0]))
        return x / x.norm(dim=1, keepdim=True) if count > 1 else torch.eye(1, dim, dtype=torch.float64)
    x = x / x.norm(dim=1, keepdim=True)
    for k in range(steps):
        power = 80 ** (k / steps)  # ever shorter-ranged, so that in the end only nearest neighbours count
        r = (2 - 2 * (x @ x.T)).clamp_min(1e-20).sqrt().fill_diagonal_(math.inf)
        near = r.min()
        push = -((near / r) ** power / r) @ x  # sum of (x_i - x_j)/r (near/r)^power, but for a multiple of x_i
        push = push - (push * x).sum(1, keepdim=True) * x
        x = x + push / push.norm(dim=1).max() * near * 0.1 * (1 - k / steps)
        x = x / x.norm(dim=1, keepdim=True)
    return x


def _turned(code: Tensor, to: Tensor) -> Tensor:
    """The code moved rigidly (in the plane: rotated) so that its first vector a becomes the unit vector b = `to`.

    First the half-turn about a, then the reflection x -> x - 2 <x, n> n/<n, n> with n = a - b, or, where that is short,
    its negative with n = a + b.
    """
    a = code[0]
    sign = -1.0 if a @ to > 0 else 1.0
    n = a - sign * to
    code = 2 * (code @ a)[:, None] * a - code
    return sign * (code - 2 * (code @ n / (n @ n))[:, None] * n)


def _from_log(log4h2: float | Tensor):
    """2 asinh(h) from log(4 h^2), which may be in the thousands."""
    if not isinstance(log4h2, Tensor):
        return _from_log(torch.tensor(log4h2, dtype=torch.float64)).item()
    small = 2 * torch.asinh(log4h2.clamp_max(1.0).mul(0.5).exp() / 2)
    large = log4h2 + 2 * ((1 + (1 + 4 * torch.exp(-log4h2.clamp_min(0.0))).sqrt()) / 2).log()
    return torch.where(log4h2 < 1.0, small, large)


def _step(far: Tensor, seen: Tensor, direction: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """From a node with the start at the distance `far` in the direction `seen`, to a neighbour: both, from there.

    For the triangle with the sides D and l and the angle A between them, seen from the node:

        4 sinh^2(D'/2) = 4 sinh^2((D - l)/2) + 4 sinh D sinh l sin^2(A/2)

    (all terms positive, so that nothing cancels, and all as logarithms). At the neighbour the start is seen along
    sinA sech(l) e + (coth D tanh l - cos A) b, where b points back and e is the unit vector across in the plane of the
    triangle; that is the law of tangents, divided by cosh(l) sinh(D).
    """
    length = length.expand_as(far)
    apart = seen - direction
    half_sine = (apart * apart).sum(-1) / 4  # sin^2(A/2)
    difference = (far - length).abs()
    log_a = difference + 2 * torch.log(-torch.expm1(-difference))
    log_b = far + length + torch.log(torch.expm1(-2 * far) * torch.expm1(-2 * length)) + half_sine.log()
    new = _from_log(torch.logaddexp(log_a, log_b))

    e_far, e_len = torch.exp(-2 * far), torch.exp(-2 * length)
    back = 2 * half_sine + 2 * (e_far - e_len) / ((1 - e_far) * (1 + e_len))
    sech = 2 * torch.exp(-length) / (1 + e_len)
    across = seen - (1 - 2 * half_sine)[..., None] * direction
    view = sech[..., None] * across - back[..., None] * direction
    view = view / view.norm(dim=-1, keepdim=True)
    return new, torch.where((far > 0)[..., None], view, -direction.expand_as(view))


def _unit(x: list[int], bits: int) -> list[int]:
    """The vector x, scaled to length 2^bits."""
    norm = math.isqrt(sum(v * v for v in x) << 2 * bits)
    return [(v << 2 * bits) // norm for v in x]


def _cosh_sinh(x: float, bits: int) -> tuple[int, int]:
    """cosh and sinh of x, times 2^bits: of exp(x) rounded to float64, and from there to the last bit."""
    k = math.floor(x / math.log(2))
    mantissa, exponent = math.frexp(math.exp(x - k * math.log(2)))
    grow = int(math.ldexp(mantissa, 53)) << bits
    shift = k + exponent - 53
    grow = grow << shift if shift >= 0 else grow >> -shift
    shrink = (1 << 2 * bits) // grow
    return (grow + shrink) >> 1, (grow - shrink) >> 1
