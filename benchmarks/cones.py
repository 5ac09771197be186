"""Entailment cones beside Poincare and order embeddings: `python -m benchmarks.cones [--json]`.

F1 of relations of WordNet's mammals that follow from the learned ones, by the protocol of Ganea et al. (2018)
(`embeddings.cones.entailment_split`). Every threshold, the weight alpha of the Poincare score and the setting of each
method, out of its grid below, are chosen on validation data. HYPLEARN_DATA names the folder of the data.
"""

from collections.abc import Callable
from itertools import product
from statistics import mean

from torch import Tensor

from benchmarks.real_data import file, skipped
from benchmarks.timing import Row, main
from hyplearn.data import Hierarchy, read_edges
from hyplearn.embeddings import ConeEmbedding, EuclideanConeEmbedding, OrderEmbedding, PoincareEmbedding
from hyplearn.embeddings.cones import entailment_split
from hyplearn.metrics import best_threshold, f1_score, held_out_f1

SEEDS = {0.0: (1,), 0.1: (1,), 0.25: (1,), 0.5: (1, 2, 3)}  # by the share of implied relations to learn
ALPHAS = (0, 0.1, 0.3, 1, 3, 10, 30, 100, 1000)


def by_slack(model) -> list[Callable[[Tensor], Tensor]]:
    return [lambda pairs: model.slack(*pairs.T)]


def by_distance(model) -> list[Callable[[Tensor], Tensor]]:
    """(1 + alpha (|v| - |u|)) d(u, v), the score with which Nickel and Kiela (2017) tell which is above which."""
    norm = model.embedding_.norm(dim=1)

    def score(alpha):
        return lambda pairs: (1 + alpha * (norm[pairs[:, 1]] - norm[pairs[:, 0]])) * model.distance(*pairs.T)

    return [score(alpha) for alpha in ALPHAS]


METHODS = {
    "hyperbolic cones": (ConeEmbedding, {"batch_size": [64], "lr": [0.2, 0.4]}, by_slack),
    "Poincare embeddings": (PoincareEmbedding, {"c": [0.25, 1.0], "radius": [2.0, 3.0]}, by_distance),
    "order embeddings": (OrderEmbedding, {"epochs": [300], "batch_size": [64], "lr": [0.2, 0.5]}, by_slack),
    "Euclidean cones": (EuclideanConeEmbedding, {"batch_size": [64], "lr": [0.2, 0.4]}, by_slack),
}


def f1(method: str, hierarchy: Hierarchy, share: float, seed: int) -> tuple[float, float]:
    """F1 on test data of what was best on validation data, and the CPU seconds of one training."""
    cls, grid, scores = METHODS[method]
    train, validation, test = entailment_split(hierarchy, share, seed)
    best = (-1.0,)
    for values in product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        model = cls(5, **options, seed=seed, device="cpu").fit(train, len(hierarchy), progress=False)
        for score in scores(model):
            known = score(validation[0])
            reached = f1_score(known <= best_threshold(known, validation[1]), validation[1])
            if reached > best[0]:
                best = reached, held_out_f1((known, validation[1]), (score(test[0]), test[1])), model.seconds_
    return best[1:]


def rows() -> list[Row]:
    path = file("wordnet/mammal_closure.tsv")
    if path is None:
        return [skipped("WordNet mammals, F1", "wordnet/mammal_closure.tsv")]
    mammals, found, at_half = read_edges(path), [], {}
    for share, seeds in SEEDS.items():
        for method in METHODS:
            values, seconds = zip(*(f1(method, mammals, share, seed) for seed in seeds), strict=True)
            spread = f", {min(values):.3f} to {max(values):.3f}" if len(seeds) > 1 else ""
            note = f"{len(seeds)} seed{'s' * (len(seeds) > 1)}{spread}; {mean(seconds):.1f} CPU-s each"
            found.append(Row(f"mammals, d = 5, {share:.0%} learned: {method}", mean(values), note=note))
            at_half[method] = mean(values)
    cones, *others = at_half["hyperbolic cones"], at_half["Poincare embeddings"], at_half["order embeddings"]
    found.append(Row("50 %: cones - best of Poincare and order", cones - max(others), 0.0, ">="))
    return found


if __name__ == "__main__":
    main(__doc__, rows)
