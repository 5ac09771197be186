"""Embeddings that learn an order: hyperbolic entailment cones (Ganea et al. 2018) and their flat relatives.

A distance is symmetric, so a small one cannot say which of two nodes is above the other. Here every node claims a
region, and v is above u if u lies in the region of v: its cone, or, for order embeddings, everything that is larger in
each coordinate. With the slack S(u, v), which is positive outside, a relation (u, v) has

    loss(u, v) = max(0, S(u, v)) + sum over K nodes v' that are not related to u of max(0, margin - S(u, v')).

The paper has the energy max(0, S) in place of S in both terms. But then a node u that has strayed into the cone of v'
stays there: inside, the energy is constant and pushes nothing.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from hyplearn.cones import cone_limit, cone_slack, order_energy
from hyplearn.data import Hierarchy
from hyplearn.embeddings.contrastive import (
    ContrastiveEmbedding,
    EuclideanEmbedding,
    PoincareEmbedding,
    relations,
)
from hyplearn.manifolds import Euclidean, Lorentz, Manifold

CLEAR = 1.001  # so much farther out than the cones begin: there the slope of the aperture is infinite


class EntailmentEmbedding(ContrastiveEmbedding):
    """What cones and order embeddings share: the max-margin loss, after a burn-in that is contrastive.

    From a random start, in which cones point everywhere, little is learned. So the first `burn_in` epochs train the
    contrastive embedding that is the other base of the class, at the constant rate `burn_in_lr` * lr.

    Args:
        negatives: per relation, drawn anew for each.
        margin: the slack that a node should have which is not above.
    """

    def __init__(self, dim: int = 5, *, margin: float, **options):
        super().__init__(dim, **options)
        if not margin > 0:
            raise ValueError(f"margin must be > 0, got {margin}")
        if self.negatives is None:
            raise ValueError("negatives must be given: a margin loss cannot share those of a batch")
        self.margin = margin

    def _settings(self):
        return super()._settings() | {"margin": self.margin}

    @property
    def _burning_in(self) -> bool:
        return len(self.history_) < self.burn_in

    @abstractmethod
    def _slack(self, u: Tensor, v: Tensor) -> Tensor:
        """S (...) of the points u below the points v (..., dim): positive if u lies outside the region of v."""

    @abstractmethod
    def _gradient(self, x: Tensor, partial: Tensor) -> Tensor:
        """The Riemannian gradient at x for the partial derivatives in its coordinates."""

    def _energies(self, u, v):
        if self._burning_in:
            return super()._energies(u, v)
        with torch.enable_grad():
            u, v = u.detach().requires_grad_(), v.detach().requires_grad_()
            slack = self._slack(u[:, None], v)

        def pullback(slope):
            partials = torch.autograd.grad(slack, (u, v), slope)
            return tuple(self._gradient(x.detach(), g) for x, g in zip((u, v), partials, strict=True))

        return slack.detach(), pullback

    def _loss(self, energies):
        if self._burning_in:
            return super()._loss(energies)
        missing = torch.cat([energies[:, :1], self.margin - energies[:, 1:]], dim=1)
        slope = (missing > 0).to(energies)
        slope[:, 1:] *= -1
        return missing.clamp_min(0).sum(1), slope

    def slack(self, i: Tensor, j: Tensor) -> Tensor:
        """How much speaks against "j is above i", for index tensors that broadcast; at most 0 if i is in j's region."""
        x = self.points_
        return self._slack(x[torch.as_tensor(i)], x[torch.as_tensor(j)])

    def energies_from(self, i):
        """(B, N) slacks of the nodes i (B,) below all nodes."""
        everything = torch.arange(len(self.points_), device=self.points_.device)
        return torch.cat([self.slack(some[:, None], everything) for some in i.split(max(1, 2**18 // len(everything)))])


class _Cones(EntailmentEmbedding):
    """Cones in a space whose points are held in the chart `_space`.

    A node that is above all others, the root of a tree, would need a cone of everything, and none is wider than a
    half-space. It stays at the origin, where the angle and the aperture both count as pi/2, and its relations teach
    nothing.

    Args:
        K: how wide cones are (the paper's letter).
    """

    _space: Manifold

    def __init__(self, dim: int = 5, *, K: float = 0.2, **options):
        defaults = dict(epochs=200, lr=0.4, negatives=10, burn_in_lr=1.2, margin=0.1)
        super().__init__(dim, **defaults | options)
        if not K > 0:
            raise ValueError(f"K must be > 0, got {K}")
        self.K = K

    def _settings(self):
        return super()._settings() | {"K": self.K}

    def fit(self, edges, nodes=None, **options):
        pairs, nodes = relations(edges, nodes)
        self._above_all = torch.bincount(pairs[:, 1], minlength=nodes) == nodes - 1
        kept = pairs[~self._above_all[pairs[:, 1]]]
        if not len(kept):
            raise ValueError("edges: all relations are to one node; there is no order to learn below it")
        self._above_all = self._above_all.to(self.device)
        return super().fit(kept, nodes, **options)

    def _step(self, *arguments):
        loss = super()._step(*arguments)
        self.points_[self._above_all] = self._space.origin(self.points_.shape[1]).to(self.points_)
        return loss

    def _slack(self, u, v):
        return cone_slack(v, u, self._space, self.K)

    def _move(self, x, step, radius):
        y = super()._move(x, step, radius)
        if self._burning_in:
            return y
        n = self._space.to_normal(y)
        d = n.norm(dim=1, keepdim=True).clamp_min(torch.finfo(n.dtype).tiny)
        return self._space.from_normal(n * (d.clamp_min(CLEAR * cone_limit(self._space, self.K)) / d))


class ConeEmbedding(_Cones, PoincareEmbedding):
    """Hyperbolic entailment cones (Ganea et al. 2018, arXiv:1804.01882) in curvature -c, begun as Poincare embeddings.

    v is above u if the angle at v between the ray from the origin and the geodesic to u is at most the half-aperture
    arcsin(2K / sinh(sqrt(c) d)) of the cone at v; their difference is the slack, in radians. Points stay out of the
    ball around the origin in which there are no cones, but for a root, which is put there.
    """

    def __init__(self, dim: int = 5, **options):
        super().__init__(dim, **options)
        self._space = Lorentz(1.0).to(self.device)

    def _gradient(self, x, partial):
        return math.sqrt(self.c) * self._space.egrad2rgrad(x, partial)


class EuclideanConeEmbedding(_Cones, EuclideanEmbedding):
    """Entailment cones in flat space (Ganea et al. 2018), begun as a Euclidean embedding.

    The half-aperture is arcsin(K / |v|).
    """

    def __init__(self, dim: int = 5, **options):
        super().__init__(dim, **{"squared": False} | options)
        self._space = Euclidean()

    def _gradient(self, x, partial):
        return partial


class OrderEmbedding(EntailmentEmbedding, EuclideanEmbedding):
    """Order embeddings (Vendrov et al. 2016, arXiv:1511.06361): v is above u if v is at most u in each coordinate; the
    slack is |max(0, v - u)|^2."""

    def __init__(self, dim: int = 5, **options):
        defaults = dict(epochs=200, lr=0.5, negatives=10, burn_in=0, margin=1.0)
        super().__init__(dim, **{"squared": False} | defaults | options)

    def _slack(self, u, v):
        return order_energy(v, u)

    def _gradient(self, x, partial):
        return partial


HELD_OUT = 0.05  # of the implied relations, for validation, and as many for testing


def _below_the_root(hierarchy: Hierarchy, pairs: Tensor) -> Tensor:
    """Those of the relations that are not to a node above all others: these say nothing, and have no false ones."""
    below = torch.bincount(hierarchy.closure[:, 1], minlength=len(hierarchy))
    return pairs[below[pairs[:, 1]] < len(hierarchy) - 1]


def labelled(hierarchy: Hierarchy, true: Tensor, negatives: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Relations (u, v) below the root, and for each `negatives` pairs (u, v') and as many (u', v) that are none.

    Returns:
        The pairs (M (1 + 2 negatives), 2), the relations first, and whether each is true.
    """
    nodes, generator = len(hierarchy), torch.Generator().manual_seed(seed)
    row, true = torch.tensor([nodes, 1]), _below_the_root(hierarchy, true)
    related = hierarchy.closure @ row

    def others(fixed: int) -> Tensor:
        """The relations with one end kept and the other drawn until there is no relation."""
        pairs = true.repeat_interleave(negatives, dim=0)
        wrong = torch.arange(len(pairs))
        while len(wrong):
            pairs[wrong, 1 - fixed] = torch.randint(nodes, (len(wrong),), generator=generator)
            drawn = pairs[wrong]
            wrong = wrong[torch.isin(drawn @ row, related) | (drawn[:, 0] == drawn[:, 1])]
        return pairs

    pairs = torch.cat([true, others(fixed=0), others(fixed=1)])
    return pairs, torch.arange(len(pairs)) < len(true)


def entailment_split(
    hierarchy: Hierarchy, share: float = 0.5, seed: int = 0
) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Which relations follow from others? The protocol of Ganea et al. (2018, section 5).

    Relations to the root say nothing and are left out. Of the others, 5 % of those that are implied by others are for
    validation and 5 % for testing, each with 10 false ones (`labelled`); to learn are all that are not implied, the
    edges of the transitive reduction, and `share` of those that are.

    Returns:
        The relations to learn (M, 2), the pairs and labels for validation, and those for testing.

    Raises:
        ValueError: if `share` is not in [0, 0.9], or there are too few implied relations.
    """
    if not 0 <= share <= 1 - 2 * HELD_OUT:
        raise ValueError(f"share must be in [0, {1 - 2 * HELD_OUT}], got {share}")
    pairs, row = _below_the_root(hierarchy, hierarchy.closure), torch.tensor([len(hierarchy), 1])
    direct = torch.isin(pairs @ row, hierarchy.reduction @ row)
    implied = pairs[~direct]
    implied = implied[torch.randperm(len(implied), generator=torch.Generator().manual_seed(seed))]
    held, learned = round(HELD_OUT * len(implied)), round(share * len(implied))
    if not held:
        raise ValueError(f"{len(implied)} relations are implied by others, too few to hold {HELD_OUT:.0%} of them back")
    train = torch.cat([pairs[direct], implied[2 * held :][:learned]])
    validation, test = (labelled(hierarchy, part, seed=seed) for part in (implied[:held], implied[held : 2 * held]))
    return train, validation, test
