"""Embeddings learned from relations: Poincare embeddings (Nickel and Kiela 2017) and the flat baselines beside them.

For each relation (u, v) the model sees v among K nodes that are not related to u and learns to find it nearest:

    loss(u, v) = -log( exp(-d(u, v)) / sum over v' in {v} + negatives of exp(-d(u, v')) ).

A batch touches few points and its gradient is known in closed form, so the loop below works without autograd: it adds
the gradients of all pairs into a buffer (`index_add_`) and moves each touched point once.

Drawing K nodes for every relation, as published, costs K distances each. If a batch consists of nodes with all their
relations instead, and all of them share their negatives, the distances are one matrix product: on the mammals of
WordNet, all 1,180 nodes are cheaper as shared negatives than 50 of one's own, and the embedding is better.
"""

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm.auto import tqdm

from hyplearn.data import Hierarchy
from hyplearn.manifolds import PoincareBall
from hyplearn.training import Interruption, Processes, load_checkpoint, pick_device, save_checkpoint

ALL = 2048  # up to so many nodes, all are negatives of every batch;
SAMPLE = 512  # of more, the batch's own nodes, all that are related to these, and so many others
FAMILY = 16  # so many neighbours in the tree come together in a batch


def _excluded(pairs: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """What each node u may not get as a negative, itself and its relations: sorted pairs (u, v), and (N,) how many.

    Raises:
        ValueError: if nothing is left for a node.
    """
    own = torch.arange(nodes, device=pairs.device)
    excluded = torch.unique(torch.cat([pairs, torch.stack([own, own], dim=1)]), dim=0)
    counts = torch.bincount(excluded[:, 0], minlength=nodes)
    if counts.max() >= nodes:
        node = int(counts.argmax())
        raise ValueError(f"edges: node {node} is related to every other node, so there is no negative for it")
    return excluded, counts


class Neighbourhoods:
    """Each node with its relations, found by node.

    Args:
        pairs: (M, 2) relations (u, v).
        nodes: N.
    """

    def __init__(self, pairs: Tensor, nodes: int):
        excluded, self.counts = _excluded(pairs, nodes)
        self.ends, self.targets = self.counts.cumsum(0), excluded[:, 1].contiguous()
        sources = (self.counts > 1).nonzero()[:, 0]
        self.sources = sources if nodes <= ALL else self._families(sources, nodes)

    def _families(self, sources: Tensor, nodes: int) -> Tensor:
        """The sources in an order that keeps kin together: below its nearest relation, depth first.

        The nearest relation is the one that has most relations itself, but fewer than the node.
        """
        u = torch.arange(nodes, device=sources.device)
        rows, v = self.of(u)
        above = self.counts[v] < self.counts[u[rows]]
        rows, v = rows[above], v[above]
        order = self.counts[v].argsort(stable=True)
        children = [[] for _ in range(nodes)]
        nearest = dict(zip(rows[order].tolist(), v[order].tolist(), strict=True))  # the last one stays
        for node, parent in sorted(nearest.items()):
            children[parent].append(node)
        stack, line = [node for node in range(nodes) if node not in nearest], []
        while stack:
            line.append(stack.pop())
            stack += children[line[-1]]
        line = torch.tensor(line, device=sources.device)
        return line[self.counts[line] > 1]

    def batches(self, size: int, generator: torch.Generator) -> list[Tensor]:
        """All sources, each once, `size` at a time: drawn at random; of many nodes, FAMILY kin at a time."""
        count = len(self.sources)
        if len(self.counts) <= ALL:
            return list(self.sources[torch.randperm(count, generator=generator)].split(size))
        families = self.sources.roll(int(torch.randint(count, (), generator=generator))).split(FAMILY)
        order = torch.randperm(len(families), generator=generator).tolist()
        return list(torch.cat([families[k] for k in order]).split(size))

    def of(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs (rows, v): v is related to u[rows], or the same node."""
        counts = self.counts[u]
        rows = torch.arange(len(u), device=u.device).repeat_interleave(counts)
        back = counts.cumsum(0)[rows] - torch.arange(len(rows), device=u.device)
        return rows, self.targets[self.ends[u][rows] - back]


class Negatives:
    """Draws nodes that are not related to a given one, uniformly and without a single rejection.

    The nodes that u may not get (u itself and its relations) are kept sorted, e_0 < e_1 < ...; the r-th of the others
    is r + #{i : e_i - i <= r}, so one random number below N - #e gives one negative.

    Args:
        pairs: (M, 2) relations (u, v).
        nodes: N.
    """

    def __init__(self, pairs: Tensor, nodes: int):
        excluded, counts = _excluded(pairs, nodes)
        slot = torch.arange(len(excluded), device=pairs.device) - (counts.cumsum(0) - counts)[excluded[:, 0]]
        self.free = nodes - counts
        # Unused slots hold N, which no r reaches.
        self.thresholds = torch.full((nodes, int(counts.max())), nodes, dtype=torch.int32, device=pairs.device)
        self.thresholds[excluded[:, 0], slot] = (excluded[:, 1] - slot).int()

    def draw(self, u: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """(B, count) nodes for the nodes u (B,)."""
        uniform = torch.rand(len(u), count, generator=generator, dtype=torch.float64).to(u.device)
        r = (uniform * self.free[u, None]).int()
        return r + (self.thresholds[u, None, :] <= r[..., None]).sum(dim=2)


class ContrastiveEmbedding(ABC):
    """The training loop that all contrastive embeddings share; a subclass adds a geometry.

    Args:
        dim: dimension of the space.
        epochs: passes over the relations.
        negatives: per relation, drawn anew for each. If not given, a batch consists of nodes with all their relations,
            and shares all nodes as negatives, relations left out; if there are more than 2,048, a batch consists of
            families, and shares its own nodes, their relations and 512 others, weighted so that they stand for all.
        batch_size: relations per step; if not given, so many that an epoch has a hundred steps, but 8 to 64. With
            shared negatives: nodes per step; if not given, so many that an epoch has sixteen, but 16 to 512.
        lr: step size per relation (gradients of a batch are added, not averaged); falls linearly to `lr_end` * lr.
        max_step: no point moves farther than this in one step, whatever its gradient: a root is in half of the
            relations, and adding their gradients would throw it across the space.
        burn_in: so many first epochs (a quarter, if not given) find the order of the angles, at the rate
            `burn_in_lr` * lr and with no point farther than `burn_in_radius` from the origin. Near the origin points
            still pass each other easily; far out, their order hardly changes.
        radius: the farthest that a point may be in the last epoch; from the burn-in to there the limit grows linearly.
        seed: for the start, the order of the relations and the negatives.
        device, dtype: where and in which precision.

    After `fit`: `embedding_` (N, dim), `history_` (one dict per epoch), `seconds_` (CPU time of training).
    """

    def __init__(
        self,
        dim: int = 5,
        *,
        epochs: int = 100,
        lr: float = 1.2,
        lr_end: float = 0.01,
        max_step: float = 0.6,
        negatives: int | None = None,
        batch_size: int | None = None,
        burn_in: int | None = None,
        burn_in_lr: float = 0.4,
        burn_in_radius: float = 2.0,
        radius: float = 20.0,
        seed: int = 0,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float64,
    ):
        for name, value in dict(dim=dim, epochs=epochs, negatives=negatives, batch_size=batch_size).items():
            if value is not None and value < 1:  # the last two may be left open
                raise ValueError(f"{name} must be at least 1, got {value}")
        positive = dict(lr=lr, max_step=max_step, burn_in_lr=burn_in_lr, burn_in_radius=burn_in_radius, radius=radius)
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        self.dim, self.epochs, self.lr, self.lr_end, self.max_step = dim, epochs, lr, lr_end, max_step
        self.negatives, self.batch_size, self.seed = negatives, batch_size, seed
        self.burn_in = epochs // 4 if burn_in is None else burn_in
        self.burn_in_lr, self.burn_in_radius, self.radius = burn_in_lr, burn_in_radius, radius
        self.device, self.dtype = pick_device(device), dtype

    # --- the geometry -----------------------------------------------------------------------------------------------

    def _points(self, start: Tensor) -> Tensor:
        """What `points_` holds for the coordinates `start` (N, dim) of the nodes."""
        return start.clone()

    @abstractmethod
    def _distances(self, u: Tensor, v: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        """Distances (B, K) of u (B, dim) from v (B, K, dim), and the pullback: from the loss's derivatives in the
        distances (B, K) to its (Riemannian) gradients in u (B, dim) and in v (B, K, dim). Of v (K, dim), which all u
        share, likewise."""

    def _energies(self, u: Tensor, v: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        """What is small for relations (u, v) and large for others, in the form of `_distances`; the distances here."""
        return self._distances(u, v)

    def _loss(self, energies: Tensor) -> tuple[Tensor, Tensor]:
        """Losses (B,) of relations, from energies (B, 1 + K) that begin with their own; and the derivatives in them."""
        log_p = torch.log_softmax(-energies, dim=1)
        slope = -log_p.exp()
        slope[:, 0] += 1
        return -log_p[:, 0], slope

    @abstractmethod
    def _move(self, x: Tensor, step: Tensor, radius: float) -> Tensor:
        """The points x moved by the tangent vectors `step`, each at most `max_step`, and kept within `radius`."""

    # --- training ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        edges: Hierarchy | Tensor,
        nodes: int | None = None,
        *,
        start: Tensor | None = None,
        checkpoint: str | os.PathLike | None = None,
        every_seconds: float = 30.0,
        progress: bool = True,
        on_epoch: Callable[["ContrastiveEmbedding", dict], object] | None = None,
    ) -> "ContrastiveEmbedding":
        """Learns from a hierarchy (its transitive closure) or from a tensor (M, 2) of relations as they are.

        Args:
            nodes: number of nodes, for a tensor of relations; its largest index + 1 if not given.
            start: (N, dim) coordinates to begin with, such as another run's `embedding_`; near the origin if not given.
            checkpoint: file to resume from, if it is there, and to save to every `every_seconds` and on Ctrl-C; a
                resumed run ends with the same coordinates, bit for bit.
            progress: a bar with loss and time left.
            on_epoch: called after each epoch with this object and the epoch's row of the history; what the row gains
                there (a metric, say) stays in the history.
        """
        pairs, self.nodes_ = relations(edges, nodes)
        pairs = pairs.to(self.device)
        shared = self.negatives is None
        candidates = (Neighbourhoods if shared else Negatives)(pairs, self.nodes_)
        if shared:
            size = self.batch_size or min(512, max(16, len(candidates.sources) // 16))
        else:
            size = self.batch_size or min(64, max(8, len(pairs) // 100))
        generator = torch.Generator().manual_seed(self.seed)
        if start is None:  # uniform in a tiny cube around the origin
            start = (torch.rand(self.nodes_, self.dim, generator=generator, dtype=torch.float64) - 0.5) * 2e-3
        elif start.shape != (self.nodes_, self.dim):
            raise ValueError(f"start must have the shape {(self.nodes_, self.dim)}, got {tuple(start.shape)}")
        self.points_ = self._points(start).to(self.device, self.dtype)
        self.history_, self.seconds_ = [], 0.0
        epoch = step = 0
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        if checkpoint is not None and os.path.exists(checkpoint):
            state = load_checkpoint(checkpoint, self.device)
            if state["settings"] != self._settings() or len(state["points"]) != self.nodes_:
                raise ValueError(f"{checkpoint} belongs to a run with other data or settings; choose another file")
            epoch, step, total = state["epoch"], state["step"], state["total"]
            generator.set_state(state["generator"].cpu())
            self._load(state)

        def save():
            if checkpoint is not None and processes.first:
                state = {"epoch": epoch, "step": step, "total": total, "generator": generator.get_state()}
                save_checkpoint(checkpoint, state | self._state())

        gradient = torch.zeros_like(self.points_)
        with Processes(self.device) as processes, Interruption() as interruption, torch.no_grad():
            bar = tqdm(total=self.epochs, initial=epoch, unit="epoch", disable=not (progress and processes.first))
            clock, saved = time.process_time() - self.seconds_, time.monotonic()
            while epoch < self.epochs:
                shuffle = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
                if shared:
                    batches = candidates.batches(size, shuffle)
                else:
                    order = torch.randperm(len(pairs), generator=shuffle).to(self.device)
                    batches = [pairs[some] for some in order.split(size)]
                lr, radius = self._schedule(epoch)
                while step < len(batches):
                    total += self._step(batches[step], candidates, generator, gradient, lr, radius, processes)
                    step += 1
                    stop = processes.any(interruption.requested)
                    if stop or (checkpoint is not None and time.monotonic() - saved > every_seconds):
                        self.seconds_, saved = time.process_time() - clock, time.monotonic()
                        save()
                    if stop:
                        bar.close()
                        raise KeyboardInterrupt(f"saved to {checkpoint}" if checkpoint else "nothing was saved")
                self.seconds_ = time.process_time() - clock
                row = {"epoch": epoch + 1, "loss": total.item() / len(pairs), "seconds": self.seconds_}
                if not math.isfinite(row["loss"]):
                    raise FloatingPointError(f"loss is {row['loss']} in epoch {epoch + 1}; lower lr from {self.lr}")
                self.history_.append(row)
                epoch, step, total = epoch + 1, 0, torch.zeros_like(total)
                if on_epoch is not None:
                    on_epoch(self, row)
                shown = {k: f"{v:.4g}" for k, v in row.items() if k not in ("epoch", "seconds")}
                bar.set_postfix(shown, refresh=False)
                bar.update()
            bar.close()
            save()
        return self

    def _schedule(self, epoch: int) -> tuple[float, float]:
        """The rate, and how far out points may be."""
        if epoch < self.burn_in:
            return self.lr * self.burn_in_lr, self.burn_in_radius
        done = (epoch - self.burn_in) / max(1, self.epochs - self.burn_in - 1)
        rate = self.lr * (1 - done * (1 - self.lr_end))
        return rate, self.burn_in_radius + done * (self.radius - self.burn_in_radius)

    def _step(self, items, candidates, generator, gradient, lr, radius, processes) -> Tensor:
        """One batch: all processes draw the same negatives, each works on its share, all make the same move."""
        collect = self._share if self.negatives is None else self._draw
        loss, touched = collect(items, candidates, generator, gradient, slice(processes.rank, None, processes.size))
        processes.sum(gradient)
        x = self.points_
        if touched.numel() < len(x):
            rows = torch.unique(touched)
            x[rows] = self._move(x[rows], -lr * gradient[rows], radius)
            gradient[rows] = 0.0
        else:
            x.copy_(self._move(x, -lr * gradient, radius))
            gradient.zero_()
        return processes.sum(loss.sum().double())

    def _draw(self, pairs, negatives, generator, gradient, mine) -> tuple[Tensor, Tensor]:
        """Adds the gradients of the relations `pairs[mine]`, each with negatives of its own; their losses, and the
        nodes that the whole batch touches."""
        x, u = self.points_, pairs[:, 0]
        v = torch.cat([pairs[:, 1:], negatives.draw(u, self.negatives, generator)], dim=1)
        energies, pullback = self._energies(x[u[mine]], x[v[mine]])
        loss, slope = self._loss(energies)
        du, dv = pullback(slope)
        gradient.index_add_(0, u[mine], du)
        gradient.index_add_(0, v[mine].flatten(), dv.flatten(0, 1))
        return loss, torch.cat([u, v.flatten()])

    def _share(self, nodes, neighbourhoods, generator, gradient, mine) -> tuple[Tensor, Tensor]:
        """The same for all relations of the nodes `nodes[mine]`, with negatives that the batch shares.

        With Z(u) = sum of exp(-d(u, v')) over the negatives, loss(u, v) = log(1 + exp(log Z(u) + d(u, v))), and its
        derivative in d(u, v') is -exp(-d(u, v'))/Z(u) times that in d(u, v): one row of negatives for all v.
        """
        x, count = self.points_, len(self.points_)
        _, v = neighbourhoods.of(nodes)
        if count <= ALL:
            others = torch.arange(count, device=x.device)
            surplus = torch.zeros(count, dtype=x.dtype, device=x.device)
        else:
            kin = v.unique()
            drawn = torch.randint(count, (SAMPLE,), generator=generator).unique().to(x.device)
            drawn = drawn[~torch.isin(drawn, kin)]
            others = torch.cat([kin, drawn])
            surplus = torch.zeros(len(others), dtype=x.dtype, device=x.device)
            surplus[len(kin) :] = math.log((count - len(kin)) / max(1, len(drawn)))  # each stands for so many
        touched = torch.cat([others, nodes, v])
        u = nodes[mine]
        rows, v = neighbourhoods.of(u)
        place = torch.full((count,), -1, device=x.device)
        place[others] = torch.arange(len(others), device=x.device)
        seen = place[v] >= 0

        distances, pullback = self._distances(x[u], x[others])
        scores = surplus - distances
        scores[rows[seen], place[v][seen]] = -torch.finfo(x.dtype).max / 4  # no negatives
        log_z = torch.logsumexp(scores, dim=1, keepdim=True)
        apart = v != u[rows]
        rows, v = rows[apart], v[apart]
        near, pullback_near = self._distances(x[u[rows]], x[v][:, None])
        margin = log_z[rows] + near
        slope = margin.sigmoid()
        weight = torch.zeros_like(log_z).index_add_(0, rows, slope)

        du, dv = pullback(-weight * (scores - log_z).exp())
        gradient.index_add_(0, u, du)
        gradient.index_add_(0, others, dv)
        du, dv = pullback_near(slope)
        gradient.index_add_(0, u[rows], du)
        gradient.index_add_(0, v, dv[:, 0])
        return torch.logaddexp(margin, torch.zeros_like(margin)), touched

    # --- use --------------------------------------------------------------------------------------------------------

    @property
    def embedding_(self) -> Tensor:
        """(N, dim) coordinates of the nodes."""
        return self.points_

    def distance(self, i: Tensor, j: Tensor) -> Tensor:
        """Distances of the nodes i from the nodes j (index tensors that broadcast)."""
        i, j = torch.broadcast_tensors(torch.as_tensor(i), torch.as_tensor(j))
        x = self.points_
        return self._distances(x[i.reshape(-1)], x[j.reshape(-1, 1)])[0].reshape(i.shape)

    def distances_from(self, i: Tensor) -> Tensor:
        """(B, N) distances of the nodes i (B,) from all nodes: what `metrics.rank_metrics` asks for."""
        x = self.points_
        return self._distances(x[i], x)[0]

    def energies_from(self, i: Tensor) -> Tensor:
        """(B, N): how much speaks against the relations of the nodes i (B,) with all nodes; here their distances."""
        x = self.points_
        return self._energies(x[i], x)[0]

    def save(self, path: str | os.PathLike) -> None:
        """Writes settings, coordinates and history to one file."""
        save_checkpoint(path, self._state())

    @classmethod
    def load(cls, path: str | os.PathLike, device: str | torch.device = "cpu") -> "ContrastiveEmbedding":
        """Reads what `save` wrote."""
        state = load_checkpoint(path, device)
        model = cls(**state["settings"], device=device, dtype=state["points"].dtype)
        model._load(state)
        return model

    def _settings(self) -> dict:
        schedule = ("epochs", "lr", "lr_end", "max_step", "burn_in", "burn_in_lr", "burn_in_radius", "radius")
        return {name: getattr(self, name) for name in ("dim", *schedule, "negatives", "batch_size", "seed")}

    def _state(self) -> dict:
        learned = {"points": self.points_, "history": self.history_, "seconds": self.seconds_}
        return {"settings": self._settings()} | learned

    def _load(self, state: dict) -> None:
        self.points_, self.history_, self.seconds_ = state["points"], state["history"], state["seconds"]
        self.nodes_ = len(self.points_)


class PoincareEmbedding(ContrastiveEmbedding):
    """Poincare embeddings (Nickel and Kiela 2017, arXiv:1705.08039) in the ball of curvature -c: our fast form.

    Same loss and same space as published, computed on the unit hyperboloid (`points_`, time first), where a distance is
    one product and a geodesic step three; steps follow geodesics, and the space opens slowly. `PublishedEmbedding` is
    the paper's own.

    Args:
        c: the space has curvature -c, 1/(dim - 1) if not given; c only scales distances, and with them how sharp the
            softmax is. Balls grow like exp((dim - 1) sqrt(c) r): the more room, the sharper it may be.
        others: see `ContrastiveEmbedding`.
    """

    def __init__(self, dim: int = 5, *, c: float | None = None, **options):
        if c is None:
            c = 1 / max(1, dim - 1)
        if not 0 < c < math.inf:
            raise ValueError(f"c must be > 0, got {c}")
        super().__init__(dim, **options)
        self.c = c
        # Minkowski products of points farther out than this have no digit left.
        self._reach = -math.log(torch.finfo(self.dtype).eps) / 2

    def _settings(self):
        return super()._settings() | {"c": self.c}

    @property
    def embedding_(self):
        """(N, dim) coordinates in the ball of curvature -c."""
        return self.points_[:, 1:] / (1 + self.points_[:, :1]) / math.sqrt(self.c)

    def _points(self, start):
        y = math.sqrt(self.c) * start
        return _lifted(2 * y / (1 - (y * y).sum(1, keepdim=True)))

    def _distances(self, u, v):
        """d = acosh(-<u, v>)/sqrt(c), and minus its gradient in u is the unit vector (v - cosh(sqrt(c) d) u)/sinh."""
        lowered = u.clone()
        lowered[:, 0] *= -1
        cosh = -_products(lowered, v)
        cosh.clamp_min_(1 + torch.finfo(u.dtype).eps)
        sinh = ((cosh - 1) * (cosh + 1)).sqrt()

        def pullback(slope):
            w = slope / sinh
            a = w * cosh
            return a.sum(1, keepdim=True) * u - _mixed(w, v), _weighted(a, v) - _spread(w, u, v)

        return (cosh + sinh).log() / math.sqrt(self.c), pullback

    def _move(self, x, step, radius):
        scale = math.sqrt(self.c)
        squares = (step[:, 1:] ** 2).sum(1, keepdim=True) - step[:, :1] ** 2
        norm = squares.clamp_min(torch.finfo(x.dtype).tiny).sqrt()
        length = (scale * norm).clamp_max(scale * self.max_step)
        s = length.cosh() * x[:, 1:] + length.sinh() / norm * step[:, 1:]
        far = (s * s).sum(1, keepdim=True).sqrt()
        near = far.clamp_max(math.sinh(min(scale * radius, self._reach)))
        return torch.cat([(1 + near * near).sqrt(), s * (near / far.clamp_min(torch.finfo(x.dtype).tiny))], dim=1)


class PublishedEmbedding(ContrastiveEmbedding):
    """Poincare embeddings exactly as Nickel and Kiela (2017) published them, for comparison.

    Coordinates of the ball of curvature -1, x <- projx(x - rate * Riemannian gradient), the rate .3 per relation, a
    tenth of it in the burn-in, batches of 10; no limit on steps or radius.
    """

    def __init__(self, dim: int = 5, **options):
        paper = dict(epochs=300, lr=0.3, lr_end=1.0, negatives=50, batch_size=10, burn_in=20, burn_in_lr=0.1)
        super().__init__(dim, **paper | options)
        self.ball = PoincareBall(1.0).to(self.device)

    def _distances(self, u, v):
        """With D = v - u, g = 1 - |.|^2 and h = sqrt(g(u) g(v) + |D|^2):

        d = 2 log( (|D| + h) / sqrt(g(u) g(v)) ), and the Riemannian gradient of d in u is minus the unit tangent vector
        towards v, -g(u) (g(u) D - |D|^2 u) / (2|D| h).
        """
        D = v - u[:, None]
        gu, gv = 1 - (u * u).sum(1, keepdim=True), 1 - (v * v).sum(-1)
        squares = (D * D).sum(2)
        product = gu * gv
        h, length = (product + squares).sqrt(), squares.clamp_min(torch.finfo(u.dtype).tiny).sqrt()

        def pullback(slope):
            k = slope / (2 * length * h)
            du = gu * (u * (k * squares).sum(1, keepdim=True) - gu * torch.einsum("bk,bkd->bd", k, D))
            k = k * gv
            return du, (k * gv)[..., None] * D + (k * squares)[..., None] * v

        return 2 * ((length + h) / product.sqrt()).log(), pullback

    def _move(self, x, step, radius):
        return self.ball.projx(x + step)


class EuclideanEmbedding(ContrastiveEmbedding):
    """The flat baseline: d(u, v) = |u - v|^2 as in Nickel and Kiela 2017, or |u - v| with `squared=False`."""

    def __init__(self, dim: int = 5, *, squared: bool = True, **options):
        super().__init__(dim, **options)
        self.squared = squared

    def _settings(self):
        return super()._settings() | {"squared": self.squared}

    def _distances(self, u, v):
        sizes = (u * u).sum(1, keepdim=True) + (v * v).sum(-1)
        least = torch.finfo(u.dtype).eps * sizes + torch.finfo(u.dtype).tiny
        squares = torch.maximum(sizes - 2 * _products(u, v), least)
        distances = squares if self.squared else squares.sqrt()
        weight = 2.0 if self.squared else 1 / distances

        def pullback(slope):
            w = slope * weight
            return w.sum(1, keepdim=True) * u - _mixed(w, v), _weighted(w, v) - _spread(w, u, v)

        return distances, pullback

    def _move(self, x, step, radius):
        tiny = torch.finfo(x.dtype).tiny
        length = step.norm(dim=1, keepdim=True)
        y = x + step * (length.clamp_max(self.max_step) / length.clamp_min(tiny))
        norm = y.norm(dim=1, keepdim=True)
        return y * (norm.clamp_max(radius) / norm.clamp_min(tiny))


class TranslationalEmbedding(EuclideanEmbedding):
    """The asymmetric flat baseline: d(u, v) = |u - v + r|^2 with one vector r learned for all pairs (Bordes 2013).

    After `fit`, `translation_` holds r.
    """

    def __init__(self, dim: int = 5, **options):
        super().__init__(dim, squared=True, **options)
        self.translation_ = torch.zeros(dim, device=self.device, dtype=self.dtype)

    def _settings(self):
        return ContrastiveEmbedding._settings(self)

    def _state(self):
        return super()._state() | {"translation": self.translation_}

    def _load(self, state):
        super()._load(state)
        self.translation_ = state["translation"]

    def _distances(self, u, v):
        distances, pullback = super()._distances(u + self.translation_, v)

        def pullback_to_translation(slope):
            du, dv = pullback(slope)
            self._push += du.sum(0)
            return du, dv

        return distances, pullback_to_translation

    def _step(self, items, candidates, generator, gradient, lr, radius, processes):
        self._push = torch.zeros_like(self.translation_)
        loss = super()._step(items, candidates, generator, gradient, lr, radius, processes)
        step = -lr * processes.sum(self._push)
        length = step.norm().clamp_min(torch.finfo(step.dtype).tiny)
        self.translation_ += step * (length.clamp_max(self.max_step) / length)
        return loss


# Sums over the pairs of a table (B, K), for v (B, K, dim) of its own for each u, or for v (K, dim) that all u share.


def _products(u: Tensor, v: Tensor) -> Tensor:
    """<u_b, v_k>."""
    return u @ v.T if v.dim() == 2 else torch.bmm(v, u[:, :, None])[:, :, 0]


def _mixed(w: Tensor, v: Tensor) -> Tensor:
    """The sum over k of w_bk v_k, for each u."""
    return w @ v if v.dim() == 2 else torch.bmm(w[:, None, :], v)[:, 0]


def _weighted(w: Tensor, v: Tensor) -> Tensor:
    """v_k times the sum of its weights, for each v."""
    return w.sum(0)[:, None] * v if v.dim() == 2 else w[..., None] * v


def _spread(w: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The sum over b of w_bk u_b, for each v."""
    return w.T @ u if v.dim() == 2 else torch.bmm(w[..., None], u[:, None, :])


def _lifted(s: Tensor) -> Tensor:
    """The points of the unit hyperboloid with the space parts s (N, dim): the time sqrt(1 + |s|^2) in front."""
    return torch.cat([(1 + (s * s).sum(1, keepdim=True)).sqrt(), s], dim=1)


def relations(edges: Hierarchy | Tensor, nodes: int | None = None) -> tuple[Tensor, int]:
    """The relations to learn, (M, 2) int64, and the number of nodes: a hierarchy's closure, or a tensor, checked."""
    if isinstance(edges, Hierarchy):
        edges, nodes = edges.closure, len(edges)
    if edges.dim() != 2 or edges.shape[1] != 2 or not len(edges):
        raise ValueError(f"edges must have the shape (M, 2) with M >= 1, got {tuple(edges.shape)}")
    if (edges[:, 0] == edges[:, 1]).any():
        raise ValueError("edges: a node is related to itself; remove the pairs (u, u)")
    least = int(edges.max()) + 1
    if nodes is not None and nodes < least:
        raise ValueError(f"nodes must be at least {least}, the largest index in edges + 1, got {nodes}")
    return edges.long(), nodes or least


def held_out(hierarchy: Hierarchy, share: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Relations to learn and relations to predict: `share` of the closure, drawn from what the direct edges imply.

    A direct edge that is missing cannot be told from one that never was, so all of those are for learning.

    Raises:
        ValueError: if the hierarchy has too few implied relations.
    """
    closure, nodes = hierarchy.closure, len(hierarchy)
    direct = torch.isin(closure @ torch.tensor([nodes, 1]), hierarchy.reduction @ torch.tensor([nodes, 1]))
    implied = (~direct).nonzero()[:, 0]
    count = round(share * len(closure))
    if not 0 < count <= len(implied):
        raise ValueError(f"{len(implied)} relations are implied by others, and {max(1, count)} would be held out")
    test = implied[torch.randperm(len(implied), generator=torch.Generator().manual_seed(seed))[:count]]
    kept = torch.ones(len(closure), dtype=torch.bool)
    kept[test] = False
    return closure[kept], closure[~kept]
