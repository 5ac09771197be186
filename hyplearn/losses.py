"""What training minimises beyond cross-entropy: classification on a tree of classes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hyplearn.data import Hierarchy


class HierarchicalSoftmax(nn.Module):
    """Probabilities of the nodes of a tree, from one logit for each node but the root.

    The children of a node share its probability by a softmax of their logits: log p(node) is the sum, over the nodes h
    on the path from the root to it, of l_h - log sum exp l_s, s among h and its siblings. Logits may come from any
    layer with `len(nodes)` outputs, along dim 1: (B, nodes, ...), pixels included.

    Args:
        tree: the classes; its leaves are what is labelled.
        classes: the leaves' names in the order of the labels; the order in the tree if not given.

    Attributes:
        nodes: names of the nodes in the order of the logits: siblings side by side.

    Raises:
        ValueError: if the hierarchy is no tree, or `classes` are not its leaves.

    Source: Ghadimi Atigh, Schoep, Acar, van Noord, Mettes, "Hyperbolic Image Segmentation", CVPR 2022.
    """

    def __init__(self, tree: Hierarchy, classes: Sequence[str] | None = None):
        super().__init__()
        if not tree.is_tree:
            raise ValueError("tree must have one root, and one parent for every other node; see spanning_tree()")
        leaves = [tree.names[i] for i in tree.leaves]
        self.classes = leaves if classes is None else list(classes)
        if sorted(self.classes) != sorted(leaves):
            raise ValueError(f"classes must be the {len(leaves)} leaves of the tree, each once")
        families = [tree.children[i] for i in tree.order if tree.children[i]]
        order = [child for family in families for child in family]
        self.nodes = [tree.names[i] for i in order]
        self.families = [len(family) for family in families]
        paths = torch.tensor([[float(h == node or h in tree.ancestors[node]) for h in order] for node in order])
        # Not saved with a model's weights: they follow from the tree.
        self.register_buffer("paths", paths, persistent=False)  # [node, h] = 1 where h is on the path to the node
        leaf_rows = torch.tensor([self.nodes.index(name) for name in self.classes])
        self.register_buffer("leaf_rows", leaf_rows, persistent=False)

    def node_log_probabilities(self, logits: Tensor) -> Tensor:
        """(B, nodes, ...) logits to log-probabilities of the same shape; siblings' sum to that of their parent."""
        if logits.dim() < 2 or logits.shape[1] != len(self.nodes):
            raise ValueError(
                f"logits must have one of {len(self.nodes)} nodes along dim 1, got shape {tuple(logits.shape)}"
            )
        among = torch.cat([part.log_softmax(1) for part in logits.split(self.families, dim=1)], dim=1)
        return _along_paths(self.paths, among)

    def forward(self, logits: Tensor) -> Tensor:
        """(B, nodes, ...) logits to (B, classes, ...) log-probabilities of the leaves, in the order of the labels."""
        return self.node_log_probabilities(logits).index_select(1, self.leaf_rows)

    def loss(self, logits: Tensor, labels: Tensor, ignore: int = -100) -> Tensor:
        """The mean of -log p(label); labels (B, ...) int64, those equal to `ignore` count for nothing."""
        return nn.functional.nll_loss(self(logits), labels, ignore_index=ignore)

    def levels(self) -> list[Tensor]:
        """For each level below the root, (classes,) int64: the index in `nodes` of the class's ancestor there.

        A leaf that ends higher up stands for itself on the levels below.
        """
        depth = self.paths.sum(1).long() - 1
        on_path = self.paths[self.leaf_rows].bool()
        deepest = int(depth.max())
        return [torch.where(on_path & (depth <= level), depth, -1).argmax(1) for level in range(deepest + 1)]

    def extra_repr(self) -> str:
        return f"{len(self.nodes)} nodes, {len(self.classes)} classes"


def _along_paths(paths: Tensor, x: Tensor) -> Tensor:
    """Sums of x (B, nodes, ...) over the nodes of each path: one product of matrices per image, nothing transposed."""
    return torch.matmul(paths.to(x.dtype), x.flatten(2) if x.dim() > 2 else x[..., None]).view_as(x)
