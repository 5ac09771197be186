"""Scores: ranks, average precision, distortion, F1; how tree-like a space is (Gromov); how grave mistakes are."""

from collections.abc import Callable

import torch
from torch import Tensor


def rank_metrics(
    distances: Callable[[Tensor], Tensor],
    pairs: Tensor,
    nodes: int,
    known: Tensor | None = None,
    block_bytes: int = 2**28,
) -> tuple[float, float]:
    """Filtered mean rank and mean average precision (MAP) of relations (Nickel and Kiela 2017, section 4).

    For a pair (u, v), the rank of v is 1 + the number of nodes nearer to u than v that are not related to u (a node at
    the same distance counts one half). The average precision of u is the mean, over its relations v, of the share of
    relations among all nodes as near as v; MAP is its mean over the nodes u that have relations.

    Args:
        distances: maps the indices (B,) of some nodes to their distances (B, nodes) from all nodes,
            a new tensor, which is overwritten.
        pairs: (M, 2) int64 relations (u, v).
        nodes: number of nodes.
        known: (K, 2) further true relations, which count neither for nor against (the training pairs, when `pairs` are
            held out).
        block_bytes: memory for one block of distances; there is never a nodes x nodes matrix.

    Returns:
        (mean rank, MAP).
    """
    pairs = torch.unique(pairs, dim=0)
    sources, counts = torch.unique_consecutive(pairs[:, 0], return_counts=True)
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    ignored = pairs if known is None else torch.cat([pairs, known])
    ignored = torch.cat([ignored, torch.stack([sources, sources], dim=1)])  # nobody ranks against oneself
    ignored = ignored[ignored[:, 0].argsort()]

    rank_sum = precision_sum = 0.0
    for block in torch.arange(len(sources), device=pairs.device).split(max(1, block_bytes // (16 * nodes))):
        u, width = sources[block], int(counts[block].max())
        d = distances(u)
        slot = torch.arange(width, device=pairs.device)
        real = slot < counts[block, None]
        target = pairs[(starts[block, None] + slot).clamp_max(len(pairs) - 1), 1]
        near = d.gather(1, target).masked_fill(~real, torch.inf).sort(dim=1).values

        first, last = torch.searchsorted(ignored[:, 0].contiguous(), torch.stack([u[0], u[-1] + 1])).tolist()
        rows = torch.searchsorted(u, ignored[first:last, 0].contiguous())
        inside = u[rows.clamp_max(len(u) - 1)] == ignored[first:last, 0]
        d[rows[inside], ignored[first:last, 1][inside]] = torch.inf

        closer = (_count_below(near, d, ties=False) + _count_below(near, d, ties=True)) / 2
        rank_sum += (closer + 1)[real].sum().item()
        precision = (slot + 1) / (slot + 1 + closer)
        precision_sum += ((precision * real).sum(1) / counts[block]).sum().item()
    return rank_sum / len(pairs), precision_sum / len(sources)


def _count_below(marks: Tensor, values: Tensor, ties: bool) -> Tensor:
    """For each of the sorted marks (B, K), how many values (B, N) of its row are below it (or equal, with ties)."""
    cell = torch.searchsorted(marks, values, right=not ties)
    histogram = torch.zeros(len(marks), marks.shape[1] + 1, dtype=torch.float64, device=marks.device)
    histogram.scatter_add_(1, cell, histogram.new_ones(()).expand(cell.shape))
    return histogram.cumsum(1)[:, :-1]


# --- distortion ------------------------------------------------------------------------------------------------------


def _ratios(embedded: Tensor, true: Tensor) -> Tensor:
    apart = true > 0
    return (embedded[apart] / true[apart]).double()


def best_scale(embedded: Tensor, true: Tensor) -> float:
    """The scale for which `average_distortion(embedded, true, scale)` is least.

    In x = log(scale) that average is a sum of terms exp(|log q - x|), which is convex: its derivative is bisected.
    """
    logs = _ratios(embedded, true).log()
    low, high = logs.min(), logs.max()
    for _ in range(60):
        x = (low + high) / 2
        slope = (torch.sign(x - logs) * (x - logs).abs().exp()).sum()
        low, high = torch.where(slope < 0, x, low), torch.where(slope < 0, high, x)
    return ((low + high) / 2).exp().item()


def average_distortion(embedded: Tensor, true: Tensor, scale: float = 1.0) -> float:
    """Mean over pairs of max(q, 1/q) with q = embedded / (scale true); 1 is perfect. Pairs with true = 0 are left out.

    Both tensors have the same shape: two distance matrices, or the distances of the same list of pairs.
    """
    q = _ratios(embedded, true) / scale
    return torch.maximum(q, 1 / q).mean().item()


def worst_distortion(embedded: Tensor, true: Tensor) -> float:
    """The largest stretch over the smallest, max(embedded / true) / min(embedded / true); 1 is perfect, scale free."""
    q = _ratios(embedded, true)
    return (q.max() / q.min()).item()


def relative_error(embedded: Tensor, true: Tensor, scale: float = 1.0) -> float:
    """Mean over pairs of |embedded / scale - true| / true ("average distortion" in Sala et al. 2018); 0 is perfect."""
    return (_ratios(embedded, true) / scale - 1).abs().mean().item()


# --- how tree-like ---------------------------------------------------------------------------------------------------


def gromov_product(distances: Tensor, base: int = 0) -> Tensor:
    """(x|y)_w = (d(x, w) + d(y, w) - d(x, y)) / 2 for all x, y and the base point w: (N, N).

    In a tree it is the length that the paths from w to x and from w to y share.
    """
    from_base = distances[base]
    return (from_base[:, None] + from_base[None, :] - distances) / 2


def gromov_delta(distances: Tensor, base: int | None = 0) -> float:
    """Gromov's delta: the least d with (x|z)_w >= min((x|y)_w, (y|z)_w) - d for all x, y, z. 0 for a tree.

    Args:
        distances: (N, N) symmetric.
        base: the index of w: O(N^3) time and O(N^2) memory. With None, the largest over all w, which is the delta of
            the four-point condition (at most twice that of any one w): O(N^4) time.
    """
    if base is None:
        return max(gromov_delta(distances, w) for w in range(len(distances)))
    products = gromov_product(distances, base)
    delta = products.new_zeros(())
    for x in range(len(products)):  # row by row: the whole (max, min) product at once would need N^3 memory
        best = torch.minimum(products[x:], products[x]).amax(dim=1)
        delta = torch.maximum(delta, (best - products[x, x:]).amax())
    return delta.item()


def relative_delta(distances: Tensor, base: int | None = 0) -> float:
    """2 delta / diameter: from 0 (a tree) to 1, comparable between spaces of any size (Khrulkov et al. 2020)."""
    return 2 * gromov_delta(distances, base) / distances.max().item()


def relative_delta_by_sampling(
    distances: Callable[[Tensor], Tensor], nodes: int, size: int = 500, draws: int = 10, seed: int = 0
) -> tuple[float, float]:
    """The mean relative delta of random subsets, and its standard error, for spaces too large for all triples.

    A subset's delta and diameter are at most those of the whole, so this estimates the delta of `size` random points,
    not that of the space; the standard error tells how much another draw would differ, nothing else.

    Args:
        distances: maps the indices (size,) of some points to their (size, size) distances.
        nodes: number of points to draw from.
        size, draws: points per subset, and number of subsets.
    """
    generator = torch.Generator().manual_seed(seed)
    subsets = [torch.randperm(nodes, generator=generator)[:size] for _ in range(draws)]
    values = torch.tensor([relative_delta(distances(subset)) for subset in subsets], dtype=torch.float64)
    return values.mean().item(), (values.std() / draws**0.5).item()


# --- classification by a threshold -----------------------------------------------------------------------------------


def f1_score(predicted: Tensor, true: Tensor) -> float:
    """2 TP / (2 TP + FP + FN) of two boolean tensors; 0 where nothing is true and nothing predicted."""
    hits = (predicted & true).sum()
    return (2 * hits / (predicted.sum() + true.sum()).clamp_min(1)).item()


def best_threshold(scores: Tensor, true: Tensor) -> float:
    """The threshold t for which `f1_score(scores <= t, true)` is largest: to be chosen on validation data.

    t lies half-way between two neighbouring scores, so that a score equal to neither side is decided by the nearer.
    """
    scores, order = scores.double().sort()
    hits = true[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(scores) + 1, device=scores.device) + hits[-1])
    # Equal scores fall on one side together: only the last of them can be the end of the predicted ones.
    last = torch.cat([scores[1:] > scores[:-1], torch.ones(1, dtype=torch.bool, device=scores.device)])
    k = int(torch.where(last, f1, -1.0).argmax())
    return (scores[k] if k + 1 == len(scores) else (scores[k] + scores[k + 1]) / 2).item()


# --- segmentation, and scores that rank ------------------------------------------------------------------------------


def confusion_matrix(predicted: Tensor, true: Tensor, classes: int) -> Tensor:
    """How many pixels of class i (row) were called j: (classes, classes) int64.

    Pixels labelled outside 0..classes-1 are void and do not count.
    """
    labelled = (true >= 0) & (true < classes)
    return torch.bincount(true[labelled] * classes + predicted[labelled], minlength=classes**2).view(classes, classes)


def segmentation_scores(confusion: Tensor) -> dict[str, float]:
    """Pixel accuracy, class accuracy and mean intersection over union from a `confusion_matrix`.

    With n_ij pixels of class i called j: sum n_ii / sum n_ij; the mean of n_ii / sum_j n_ij over the classes that
    occur; the mean of n_ii / (sum_j n_ij + sum_j n_ji - n_ii) over the classes that occur or were predicted.
    """
    n = confusion.double()
    hits, of_class, called = n.diagonal(), n.sum(1), n.sum(0)
    union = of_class + called - hits
    return {
        "pixel_accuracy": (hits.sum() / n.sum()).item(),
        "class_accuracy": (hits / of_class)[of_class > 0].mean().item(),
        "miou": (hits / union)[union > 0].mean().item(),
    }


def auroc(scores: Tensor, positive: Tensor) -> float:
    """Area under the ROC curve: the probability that a positive scores higher than a negative, ties counting one half.

    By ranks, as Mann and Whitney's U. Raises a ValueError if there is no positive, or nothing else.
    """
    scores, positive = scores.flatten().double(), positive.flatten().bool()
    p, n = int(positive.sum()), int((~positive).sum())
    if not (p and n):
        raise ValueError(f"positive must mark some scores and not all, got {p} of {p + n}")
    _, place, counts = scores.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts - 1).double() / 2)[place]  # the mean rank of equal scores
    return ((ranks[positive].sum() - p * (p + 1) / 2) / (p * n)).item()


def held_out_f1(validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """`f1_score` of test data, (scores, which of them are true), at the threshold that is best for validation data."""
    threshold = best_threshold(*validation)
    return f1_score(test[0] <= threshold, test[1])


# --- mistakes on a tree of classes -----------------------------------------------------------------------------------


def accuracy_within(predicted: Tensor, true: Tensor, hops: Tensor, radius: float = 0) -> float:
    """The share of predictions at most `radius` edges of the tree away from the true class.

    Radius 0 is the ordinary accuracy. Among leaves of equal depth, radius 2 is the sibling accuracy (the same parent)
    and radius 4 the cousin accuracy (the same grandparent).

    Args:
        predicted, true: (B,) int64 classes.
        hops: (classes, classes) lengths of the paths between them, see `Hierarchy.tree_distances`.

    Source: Long, Mettes, Shen, Snoek, "Searching for Actions on the Hyperbole", CVPR 2020.
    """
    return (hops[true, predicted] <= radius).double().mean().item()


def mistake_hops(predicted: Tensor, true: Tensor, hops: Tensor) -> float:
    """How far mistakes are from the truth: the mean of hops[true, predicted] over those, 0 if there are none.

    The number of mistakes plays no part: a network with fewer of them may well have the graver ones (Bertinetto et al.,
    "Making Better Mistakes", CVPR 2020). Arguments as for `accuracy_within`.
    """
    far = hops[true, predicted][predicted != true]
    return far.double().mean().item() if len(far) else 0.0


def hierarchical_precision(scores: Tensor, true: Tensor, hops: Tensor, k: int) -> float:
    """Mean over examples of the share of the k best-scored classes that are among the nearest to the true one.

    The nearest are all classes within the smallest radius that holds at least k of them, the true class included.

    Args:
        scores: (B, classes), more is better.
        true: (B,) int64; hops: (classes, classes), as for `accuracy_within`.
        k: from 1 (the ordinary accuracy) to the number of classes.

    Source: Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model", NIPS 2013.
    """
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"k must be from 1 to {scores.shape[1]}, the number of classes, got {k}")
    radius = hops.sort(dim=1).values[:, k - 1]
    near = hops[true] <= radius[true, None]
    return near.gather(1, scores.topk(k).indices).double().mean().item()
