"""All nouns of WordNet, d = 5 and 10: `python -m benchmarks.nouns [--dim D] [--method M] [--epochs N] --out DIR`.

82,115 nodes and 743,241 relations, the reconstruction of table 1 in Nickel and Kiela (2017). HYPLEARN_DATA names the
folder that holds wordnet/wn30_noun_closure.npz. One method and dimension is a run of half an hour; stop it whenever you
like, the same command goes on. First the 17,157 nouns learn that are above others; then each leaf is put beside its
nearest relation, and all learn. Seconds are CPU seconds of one thread.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.real_data import file
from hyplearn.embeddings import EuclideanEmbedding, PoincareEmbedding, TranslationalEmbedding
from hyplearn.manifolds import PoincareBall
from hyplearn.metrics import rank_metrics

METHODS = {"poincare": PoincareEmbedding, "euclidean": EuclideanEmbedding, "translational": TranslationalEmbedding}
# Rates that were best in slices of a few minutes. Inner nodes, then all.
OPTIONS = {
    "poincare": (dict(lr=1.0, max_step=0.6, radius=20.0), dict(lr=1.5, max_step=1.0, burn_in_radius=20.0, radius=34.0)),
    "euclidean": (dict(lr=0.3), dict(lr=0.3, burn_in_radius=20.0, radius=20.0)),
    "translational": (dict(lr=0.3), dict(lr=0.3, burn_in_radius=20.0, radius=20.0)),
}


def relations() -> tuple[torch.Tensor, int]:
    path = file("wordnet/wn30_noun_closure.npz")
    if path is None:
        raise SystemExit("set HYPLEARN_DATA to the folder that holds wordnet/wn30_noun_closure.npz")
    pairs = torch.from_numpy(np.load(path)["edges"]).long()
    return pairs, int(pairs.max()) + 1


def inner_nodes(pairs: torch.Tensor, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The nodes above others; and for every node, which of these it is, or which of its relations is lowest."""
    inner = torch.unique(pairs[:, 1])
    number = torch.full((nodes,), -1)
    number[inner] = torch.arange(len(inner))
    height = torch.bincount(pairs[:, 0], minlength=nodes)
    leaf = pairs[number[pairs[:, 0]] < 0]
    leaf = leaf[height[leaf[:, 1]].argsort(stable=True)]
    place = dict(zip(leaf[:, 0].tolist(), number[leaf[:, 1]].tolist(), strict=True))  # the last one stays
    for node, at in place.items():
        number[node] = at
    return inner, number


def scores(model, pairs: torch.Tensor, sample: int | None = None) -> tuple[float, float]:
    """Mean rank and MAP of all nodes, or of the relations of a fixed random sample."""
    if sample is not None:
        some = torch.randperm(model.nodes_, generator=torch.Generator().manual_seed(7))[:sample]
        pairs = pairs[torch.isin(pairs[:, 0], some)]
    return rank_metrics(model.distances_from, pairs, model.nodes_, block_bytes=2**27)


def train(method: str, dim: int, epochs: int, seed: int, out: Path) -> dict:
    pairs, nodes = relations()
    inner, place = inner_nodes(pairs, nodes)
    first, second = (METHODS[method](dim, seed=seed, device="cpu", **options) for options in OPTIONS[method])
    first.epochs, first.burn_in = 120, 30
    second.epochs, second.burn_in = epochs, 0
    own = pairs[torch.isin(pairs[:, 0], inner)]
    first.fit(torch.searchsorted(inner, own), checkpoint=out / "inner.pt", progress=False)

    start = first.embedding_[place]
    spread = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed), dtype=start.dtype)
    is_leaf = torch.ones(nodes, 1, dtype=torch.bool)
    is_leaf[inner] = False
    if method == "poincare":
        ball = PoincareBall(second.c)
        step = spread / spread.norm(dim=1, keepdim=True) * 3.0 / ball.lambda_x(start)[:, None]
        start = torch.where(is_leaf, ball.expmap(start, step), start)
    else:
        start = torch.where(is_leaf, start + 0.1 * spread, start)

    def on_epoch(model, row):
        if row["epoch"] % max(1, epochs // 20) == 0:
            row["mean_rank"], row["map"] = scores(model, pairs, 300)
            print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)

    second.fit(pairs, nodes, start=start, checkpoint=out / "all.pt", on_epoch=on_epoch, progress=False)
    return {"model": second, "pairs": pairs, "seconds": first.seconds_ + second.seconds_}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, default="poincare")
    parser.add_argument("--dim", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=80, help="of the second part (default 80)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, help="measure on so many nodes only (default: on all)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    run = train(args.method, args.dim, args.epochs, args.seed, args.out)
    begun = time.process_time()
    rank, precision = scores(run["model"], run["pairs"], args.sample)
    seconds = time.process_time() - begun
    result = {"method": args.method, "dim": args.dim, "epochs": args.epochs, "seed": args.seed, "sample": args.sample}
    result |= {"mean_rank": rank, "map": precision, "cpu_seconds": run["seconds"], "evaluation_cpu_seconds": seconds}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
