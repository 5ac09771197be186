"""Hierarchies and other data: bundled, generated, or read from the official files. Knows no geometry."""

from hyplearn.data.hierarchy import (
    Hierarchy,
    balanced_tree,
    breadth_first_tree,
    class_tree,
    deal_leaves,
    keep_leaves,
    load_mammals,
    load_objects,
    nested_tree,
    random_tree,
    read_edges,
    read_indented,
    read_newick,
    read_wordnet,
    subtree,
)

__all__ = [
    "Hierarchy",
    "balanced_tree",
    "breadth_first_tree",
    "class_tree",
    "deal_leaves",
    "keep_leaves",
    "load_mammals",
    "load_objects",
    "nested_tree",
    "random_tree",
    "read_edges",
    "read_indented",
    "read_newick",
    "read_wordnet",
    "subtree",
]
