"""Embeddings in closed form on the trees of the literature: `python -m benchmarks.closed_form [--json]`.

The data are real; HYPLEARN_DATA names their folder, and rows without it say that they were skipped. Seconds are CPU
seconds of one thread.
"""

import time

import torch

from benchmarks.real_data import file, skipped
from benchmarks.timing import Row, main
from hyplearn.data import Hierarchy
from hyplearn.embeddings import HMDSEmbedding, SarkarEmbedding
from hyplearn.metrics import average_distortion, best_scale


def rows() -> list[Row]:
    rows = []
    for name, bits in (("smalltree", 1300), ("phylo_tree", 3750)):
        path = file(f"graphs/{name}.edges")
        if path is None:
            rows.append(skipped(f"Sarkar on {name}", f"graphs/{name}.edges"))
            continue
        pairs = [line.split()[:2] for line in path.read_text().splitlines()]
        tree = Hierarchy.from_pairs([(child, parent) for parent, child in pairs])
        true = tree.tree_distances()
        for share in (8, 4, 2, 1):  # the curve: what bits buy
            model = SarkarEmbedding(bits=bits // share).fit(tree)
            embedded = model.distances_from(torch.arange(len(tree)))
            value = average_distortion(embedded, true, best_scale(embedded, true))
            note = f"an edge is {model.scale_:.1f} long"
            goal = 1.001 if share == 1 else None
            rows.append(Row(f"Sarkar, {name}, {bits // share} bits: distortion", value, goal, note=note))
        if name == "phylo_tree":
            start = time.process_time()
            SarkarEmbedding(bits=bits).fit(tree).coordinates()
            rows.append(Row(f"Sarkar, {name}, {bits} bits: coordinates, CPU-s", time.process_time() - start))
            model = HMDSEmbedding(100).fit(tree)
            note = f"mean |d/s - d_T|/d_T, s = {model.scale_:.2f}"
            rows.append(Row("h-MDS, phylo_tree, d = 100: error", model.error_, 0.0326, note=note))
    return rows


if __name__ == "__main__":
    main(__doc__, rows)
