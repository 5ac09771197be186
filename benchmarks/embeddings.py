"""Embeddings of hierarchies, beside gensim's in the same run: `python -m benchmarks.embeddings [--json]`.

The data are real; HYPLEARN_DATA names their folder, and rows without it say that they were skipped. Seconds are CPU
seconds of one thread, training only.
"""

import statistics
import time

import torch

from benchmarks.real_data import file, skipped
from benchmarks.timing import Row, main
from hyplearn.data import Hierarchy, balanced_tree, read_edges
from hyplearn.embeddings import (
    EuclideanEmbedding,
    PoincareEmbedding,
    TranslationalEmbedding,
)
from hyplearn.metrics import rank_metrics

SEEDS = (0, 1, 2)


def scores(model, hierarchy: Hierarchy) -> tuple[float, float]:
    return rank_metrics(model.distances_from, hierarchy.closure, len(hierarchy))


def poincare_on_mammals(mammals: Hierarchy) -> list[Row]:
    rows = []
    for epochs, goals in ((40, None), (100, (1.25, 0.955))):
        models = [PoincareEmbedding(5, epochs=epochs, seed=s, device="cpu").fit(mammals, progress=False) for s in SEEDS]
        ranks, precisions = zip(*(scores(model, mammals) for model in models), strict=True)
        seconds = statistics.median(model.seconds_ for model in models)
        note = f"{len(SEEDS)} seeds, the worst; median {seconds:.1f} CPU-s"
        name = f"WordNet mammals, d = 5, {epochs} epochs: "
        rows.append(Row(name + "mean rank", max(ranks), goals and goals[0], "<=", note))
        rows.append(Row(name + "MAP", min(precisions), goals[1] if goals else 0.94, ">=", note))
    return rows


def seconds_to_map(mammals: Hierarchy, target: float = 0.94) -> Row:
    """CPU seconds of the shortest run, among those planned for so many epochs, that reaches the target."""
    for epochs in (26, 30, 34, 38, 42, 46, 50):
        model = PoincareEmbedding(5, epochs=epochs, device="cpu").fit(mammals, progress=False)
        if scores(model, mammals)[1] >= target:
            return Row(f"WordNet mammals: CPU-s to MAP {target}", model.seconds_, 3.0, note=f"{epochs} epochs, seed 0")
    return Row(f"WordNet mammals: CPU-s to MAP {target}", None, note="not reached in 50 epochs")


def flat_on_mammals(mammals: Hierarchy) -> list[Row]:
    rows = []
    for name, model in (
        ("Euclidean", EuclideanEmbedding(5, lr=1.0, squared=False, device="cpu")),
        ("translational", TranslationalEmbedding(5, lr=0.3, device="cpu")),
    ):
        rank, precision = scores(model.fit(mammals, progress=False), mammals)
        note = f"mean rank {rank:.2f}, {model.seconds_:.1f} CPU-s, 100 epochs, seed 0"
        rows.append(Row(f"WordNet mammals, d = 5: {name} MAP", precision, note=note))
    return rows


def gensim_on_mammals(mammals: Hierarchy, epochs: int = 10) -> Row:
    name = f"WordNet mammals, d = 5: gensim MAP, {epochs} epochs"
    try:
        from gensim.models.poincare import PoincareModel
    except ImportError:
        return Row(name, None, note="not installed: pip install 'hyplearn[bench]'")
    pairs = [(mammals.names[a], mammals.names[b]) for a, b in mammals.closure.tolist()]
    start = time.process_time()
    model = PoincareModel(pairs, size=5, negative=50, burn_in=0, seed=0, alpha=0.3)
    model.train(epochs=epochs, batch_size=10, print_every=10**9)
    seconds = time.process_time() - start
    x = torch.tensor(model.kv.vectors[[model.kv.get_index(n) for n in mammals.names]], dtype=torch.float64)
    gap = 1 - (x * x).sum(1)
    rank, precision = rank_metrics(
        lambda i: torch.cdist(x[i], x) / (gap[i, None] * gap).sqrt(), mammals.closure, len(mammals)
    )
    return Row(name, precision, note=f"mean rank {rank:.2f}, {seconds:.1f} CPU-s")


def linear_cost() -> list[Row]:
    """CPU microseconds per relation and epoch at three sizes: constant if the cost is linear."""
    rows = []
    for depth in (5, 6, 7):
        tree = balanced_tree(3, depth)
        model = PoincareEmbedding(5, epochs=4, batch_size=64, device="cpu").fit(tree, progress=False)
        relations = len(tree.closure)
        value = model.seconds_ / 4 / relations * 1e6
        rows.append(Row(f"{relations} relations: CPU microseconds per relation and epoch", value))
    return rows


def rows() -> list[Row]:
    path = file("wordnet/mammal_closure.tsv")
    if path is None:
        found = [skipped("WordNet mammals", "wordnet/mammal_closure.tsv")]
    else:
        mammals = read_edges(path)
        found = [*poincare_on_mammals(mammals), seconds_to_map(mammals), *flat_on_mammals(mammals)]
        found.append(gensim_on_mammals(mammals))
    return [*found, *linear_cost()]


if __name__ == "__main__":
    main(__doc__, rows)
