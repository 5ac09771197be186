"""How tree-like real hierarchies are, and what Gromov's delta costs: `python -m benchmarks.hierarchies [--json]`.

The data are real; HYPLEARN_DATA names their folder, and rows without it say that they were skipped. Seconds are CPU
seconds of one thread.
"""

import math
import time

import numpy as np
import torch
from torch import Tensor

from benchmarks.real_data import file, skipped
from benchmarks.timing import Row, main, medians
from hyplearn.data import read_edges
from hyplearn.metrics import gromov_delta, gromov_product, relative_delta_by_sampling

NOUNS = "wordnet/wn30_nouns.npz"
# Chami et al. 2019, table 1
PUBLISHED = {"disease_nc": 0.0, "airport": 1.0, "cora": 11.0}


def distances_from(edges: Tensor, nodes: int, sources: Tensor) -> Tensor:
    """(S, N) lengths of shortest ways in the undirected graph, inf between parts: all sources breadth first at once."""
    both = torch.cat([edges, edges.flip(1)])
    near = torch.sparse_coo_tensor(both.T, torch.ones(len(both)), (nodes, nodes), check_invariants=False)
    reached = torch.zeros(nodes, len(sources))
    reached[sources, torch.arange(len(sources))] = 1.0
    found = torch.full((nodes, len(sources)), math.inf)
    step = 0
    while (new := (reached > 0) & found.isinf()).any():
        found[new] = step
        reached, step = torch.sparse.mm(near, new.float()), step + 1
    return found.T.contiguous()


def cost(nodes: int = 500) -> Row:
    """The row-by-row form against the textbook's (N, N, N) tensor."""
    x = torch.randn(nodes, 8, generator=torch.Generator().manual_seed(0))
    distances = torch.cdist(x, x)

    def textbook() -> float:
        A = gromov_product(distances)
        return (torch.minimum(A[:, :, None], A[None]).amax(1) - A).max().item()

    seconds = medians({"textbook": textbook, "ours": lambda: gromov_delta(distances)}, rounds=5)
    slow, fast = (1000 * seconds[name] for name in ("textbook", "ours"))
    note = f"{slow:.0f} and {fast:.0f} ms, with {4 * nodes**3 / 2**20:.0f} and {4 * nodes**2 / 2**20:.0f} MiB"
    return Row(f"Gromov delta, N = {nodes}: textbook / ours", slow / fast, 10.0, ">=", note)


def exact(name: str, edges: Tensor, nodes: int) -> list[Row]:
    """The largest connected part, all triples, three base points: the largest value is a lower bound of delta."""
    start = time.process_time()
    D = distances_from(edges, nodes, torch.arange(nodes))
    part = D[D.isfinite().sum(1).argmax()].isfinite()
    D = D[part][:, part]
    delta = max(gromov_delta(D, base) for base in (0, len(D) // 3, 2 * len(D) // 3))
    note = f"of {len(D)} nodes, diameter {D.max():.0f}, {time.process_time() - start:.0f} CPU-s"
    if name in PUBLISHED:
        note += f"; published: {PUBLISHED[name]:g}"
    return [Row(f"delta, {name}: at least", delta, note=note), Row(f"delta, {name}: at most", 2 * delta)]


def rows() -> list[Row]:
    found = [cost()]
    for name in PUBLISHED:
        if path := file(f"graphs/{name}.npz"):
            edges = torch.from_numpy(np.load(path)["edges"].astype(np.int64))
            found += exact(name, edges, int(edges.max()) + 1)
        else:
            found.append(skipped(f"delta, {name}", f"graphs/{name}.npz"))
    if path := file("wordnet/mammal_direct.tsv"):
        mammals = read_edges(path)
        found += exact("WordNet's mammals", mammals.edges, len(mammals))
    else:
        found.append(skipped("delta, WordNet's mammals", "wordnet/mammal_direct.tsv"))
    if path := file(NOUNS):
        start, tables = time.process_time(), np.load(path)
        edges = torch.from_numpy(np.concatenate([tables["hypernym"], tables["instance_hypernym"]])).long()
        nodes = len(tables["offset"])
        mean, error = relative_delta_by_sampling(
            lambda i: distances_from(edges, nodes, i)[:, i], nodes, size=200, draws=5
        )
        note = f"+- {error:.3f}, 5 draws of 200 of {nodes} nouns, {time.process_time() - start:.0f} CPU-s"
        found.append(Row("relative delta, WordNet's nouns", mean, note=note))
    else:
        found.append(skipped("relative delta, WordNet's nouns", NOUNS))
    return found


if __name__ == "__main__":
    main(__doc__, rows)
