"""Embeddings in closed form on the trees of the literature: `python -m benchmarks.closed_form [--json]`.

The data are real; HYPLEARN_DATA names their folder, and rows without it say that they were skipped. Seconds are CPU
seconds of one thread.
"""

import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.real_data import file, skipped
from benchmarks.timing import Row, main
from hyplearn.data import Hierarchy, breadth_first_tree
from hyplearn.embeddings import HMDSEmbedding, HoroPCA, SarkarEmbedding
from hyplearn.embeddings.sarkar import distortion_curve
from hyplearn.manifolds import PoincareBall
from hyplearn.means import frechet_mean
from hyplearn.metrics import average_distortion, best_scale, rank_metrics, relative_error

NOUNS = "wordnet/wn30_nouns.npz"


def read_tree(path: Path) -> Hierarchy:
    pairs = [line.split()[:2] for line in path.read_text().splitlines()]
    return Hierarchy.from_pairs([(child, parent) for parent, child in pairs])


def sarkar(name: str, tree: Hierarchy, bits: int) -> list[Row]:
    """The curve: what bits buy."""
    rows, true = [], tree.tree_distances()
    for share in (8, 4, 2, 1):
        model = SarkarEmbedding(bits=bits // share).fit(tree)
        embedded = model.distances_from(torch.arange(len(tree)))
        value = average_distortion(embedded, true, best_scale(embedded, true))
        note = f"an edge is {model.scale_:.1f} long"
        goal = 1.001 if share == 1 else None
        rows.append(Row(f"Sarkar, {name}, {bits // share} bits: distortion", value, goal, note=note))
    return rows


def coordinates(name: str, tree: Hierarchy, bits: int) -> Row:
    start = time.process_time()
    SarkarEmbedding(bits=bits).fit(tree).coordinates()
    return Row(f"Sarkar, {name}, {bits} bits: coordinates, CPU-s", time.process_time() - start)


def dimensions(name: str, tree: Hierarchy) -> list[Row]:
    """More dimensions leave more room between neighbours: the same distortion for fewer bits."""
    rows = []
    for dim in (2, 3, 5, 10):
        curve = distortion_curve(tree, (1, 2, 4, 8, 16), dim)
        note = ", ".join(f"{distortion:.3f} for {bits}" for _, distortion, bits in curve[:-1])
        _, distortion, bits = curve[-1]
        rows.append(Row(f"Sarkar, {name}, d = {dim}, {bits} bits: distortion", distortion, note=f"bits: {note}"))
    return rows


def hmds(name: str, tree: Hierarchy, goal: float) -> Row:
    model = HMDSEmbedding(100).fit(tree)
    note = f"mean |d/s - d_T|/d_T, s = {model.scale_:.2f}"
    return Row(f"h-MDS, {name}, d = 100: error", model.error_, goal, note=note)


def horopca(name: str, tree: Hierarchy) -> list[Row]:
    """10 dimensions (by h-MDS) to 2: mean |d_2 - d_10|/d_10, of HoroPCA and of PCA of the logarithms."""
    ball, x = PoincareBall(1.0), HMDSEmbedding(10, scale=1.0).fit(tree).embedding_
    true, rows = ball.dist(x[:, None], x), []
    model = HoroPCA(2).fit(x)
    logs = ball.logmap0(ball.mobius_add(-model.mean_, x))
    tangent = ball.expmap0(logs @ torch.linalg.svd(logs, full_matrices=False).Vh[:2].T)
    for method, y in (("HoroPCA", model.transform(x)), ("tangent PCA", tangent)):
        variance = (ball.dist(frechet_mean(ball, y), y) ** 2).mean().item()
        value = relative_error(ball.dist(y[:, None], y), true)
        rows.append(Row(f"{method}, {name}, d = 10 to 2: error", value, note=f"variance left {variance:.2f}"))
    return rows


def graph(name: str, path: Path) -> list[Row]:
    """A graph that is no tree, through a spanning tree: what is lost is lost by the tree."""
    edges = torch.tensor([[int(v) for v in line.split()[:2]] for line in path.read_text().splitlines()])
    labels, edges = torch.unique(edges, return_inverse=True)
    n, root = len(labels), int(torch.bincount(edges.flatten()).argmax())
    true = torch.stack([breadth_first_tree(range(n), edges, k).tree_distances([k])[0] for k in range(n)])
    tree = breadth_first_tree(range(n), edges, root)
    embedded = SarkarEmbedding(bits=2000).fit(tree).distances_from(torch.arange(n))
    pairs = torch.cat([edges, edges.flip(1)])
    rows = []
    for what, d in (("its spanning tree itself", tree.tree_distances()), ("Sarkar, 2000 bits", embedded)):
        value, (_, precision) = average_distortion(d, true, best_scale(d, true)), rank_metrics(d.__getitem__, pairs, n)
        rows.append(Row(f"{name}, {what}: distortion", value, note=f"MAP {precision:.3f}"))
    return rows


def nouns(path: Path) -> list[Row]:
    """WordNet's nouns in the plane: the tree of first parents, and the graph of hypernyms (without instances)."""
    data = np.load(path)
    hypernyms, instances = (torch.from_numpy(data[key]).long() for key in ("hypernym", "instance_hypernym"))
    n = len(data["offset"])
    tree = Hierarchy(range(n), torch.cat([hypernyms, instances])).spanning_tree()
    some = torch.randperm(n, generator=torch.Generator().manual_seed(0))[:128]
    true, rows = tree.tree_distances(some.tolist()), []
    for scale, goal in ((5.0, None), (20.0, None), (40.0, 1.01)):
        start = time.process_time()
        model = SarkarEmbedding(scale=scale).fit(tree)
        d = model.distances_from(some)
        note = f"128 nodes to all {n}, an edge is {scale:g} long, {time.process_time() - start:.1f} CPU-s"
        value = average_distortion(d, true, best_scale(d, true))
        rows.append(Row(f"Sarkar, WordNet tree, {model.bits_needed_} bits: distortion", value, goal, note=note))

    whole = Hierarchy(range(n), hypernyms)
    top = max(whole.roots, key=lambda root: len(whole.children[root]))  # entity
    inside = torch.tensor([i for i in range(n) if i == top or top in whole.ancestors[i]])
    place = torch.full((n,), -1)
    place[inside] = torch.arange(len(inside))
    edges = place[hypernyms[(place[hypernyms] >= 0).all(1)]]
    graph = breadth_first_tree(range(len(inside)), edges, int(place[top]))
    some = torch.randperm(len(inside), generator=torch.Generator().manual_seed(0))[:500]
    pairs = torch.cat([edges, edges.flip(1)])
    pairs = pairs[torch.isin(pairs[:, 0], some)]
    model = SarkarEmbedding(scale=40.0).fit(graph)
    rank, precision = rank_metrics(model.distances_from, pairs, len(inside))
    note = f"500 of {len(inside)} nodes, {len(edges)} edges, through a breadth-first tree; mean rank {rank:.1f}"
    return [*rows, Row(f"Sarkar, WordNet graph, {model.bits_needed_} bits: MAP", precision, note=note)]


def rows() -> list[Row]:
    found = []
    for name, bits in (("smalltree", 1300), ("phylo_tree", 3750)):
        path = file(f"graphs/{name}.edges")
        if path is None:
            found.append(skipped(f"Closed forms of {name}", f"graphs/{name}.edges"))
            continue
        tree = read_tree(path)
        found += sarkar(name, tree, bits)
        if name == "smalltree":
            found += horopca(name, tree)
        else:
            found += [coordinates(name, tree, bits), *dimensions(name, tree), hmds(name, tree, 0.0326)]
    path = file("graphs/bio-diseasome.edges")
    found += graph("bio-diseasome", path) if path else [skipped("bio-diseasome", "graphs/bio-diseasome.edges")]
    path = file(NOUNS)
    found += nouns(path) if path else [skipped("Sarkar, WordNet", NOUNS)]
    return found


if __name__ == "__main__":
    main(__doc__, rows)
