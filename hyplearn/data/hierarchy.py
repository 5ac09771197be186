"""Hierarchies: named nodes with edges from child to parent; where they come from, and what can be counted on them."""

import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A directed acyclic graph on named nodes, with edges from child to parent; often, but not always, a tree.

    Args:
        names: the nodes' names, all different; a node is its index in this list.
        edges: (E, 2) int64 tensor of (child, parent).
        weights: (E,) float64 lengths of the edges, >= 0; None where every edge has length 1.
        labels: what to write beside a node in a picture; the names themselves if not given.

    Raises:
        ValueError: for a repeated name, an edge to itself, or a cycle (naming a node on it).
    """

    names: Sequence[str]
    edges: Tensor
    weights: Tensor | None = None
    labels: Sequence[str] = field(default=())

    def __post_init__(self):
        if len(set(self.names)) != len(self.names):
            seen = set()
            twice = next(n for n in self.names if n in seen or seen.add(n))
            raise ValueError(f"names must all differ, but {twice!r} occurs twice")
        if not self.labels:
            object.__setattr__(self, "labels", self.names)
        loops = self.edges[self.edges[:, 0] == self.edges[:, 1]]
        if len(loops):
            raise ValueError(f"node {self.names[loops[0, 0]]!r} is its own parent; remove that edge")
        _ = self.order  # finds cycles

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]], weights: Sequence[float] | None = None) -> "Hierarchy":
        """The hierarchy with these (child, parent) names; nodes are numbered in order of appearance."""
        index: dict[str, int] = {}
        rows = [(index.setdefault(child, len(index)), index.setdefault(parent, len(index))) for child, parent in pairs]
        edges = torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)
        return cls(list(index), edges, None if weights is None else torch.tensor(weights, dtype=torch.float64))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return (
            f"Hierarchy({len(self)} nodes, {len(self.edges)} edges, {len(self.roots)} roots, depth {self.depths.max()})"
        )

    @cached_property
    def parents(self) -> list[list[int]]:
        """For each node, its parents."""
        return self._neighbours(0, 1)

    @cached_property
    def children(self) -> list[list[int]]:
        """For each node, its children."""
        return self._neighbours(1, 0)

    def _neighbours(self, of: int, to: int) -> list[list[int]]:
        lists = [[] for _ in self.names]
        for edge in self.edges.tolist():
            lists[edge[of]].append(edge[to])
        return lists

    @cached_property
    def roots(self) -> list[int]:
        """The nodes without a parent."""
        return [i for i, parents in enumerate(self.parents) if not parents]

    @cached_property
    def leaves(self) -> list[int]:
        """The nodes without a child."""
        return [i for i, children in enumerate(self.children) if not children]

    @cached_property
    def order(self) -> list[int]:
        """All nodes, parents before their children."""
        waiting = [len(parents) for parents in self.parents]
        order = list(self.roots)
        for node in order:
            for child in self.children[node]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    order.append(child)
        if len(order) < len(self):
            # A node that waits for ever has a parent that does: walking up, one must come twice, and lies on a cycle.
            node, seen = next(i for i, count in enumerate(waiting) if count), set()
            while node not in seen:
                seen.add(node)
                node = next(p for p in self.parents[node] if waiting[p])
            raise ValueError(f"the edges have a cycle through {self.names[node]!r}; a hierarchy has none")
        return order

    @cached_property
    def depths(self) -> Tensor:
        """(N,) number of edges on the longest path from a root."""
        depths = [0] * len(self)
        for node in self.order:
            depths[node] = max((depths[p] + 1 for p in self.parents[node]), default=0)
        return torch.tensor(depths)

    @property
    def is_tree(self) -> bool:
        """One root, and one parent for every other node."""
        return len(self.roots) == 1 and len(self.edges) == len(self) - 1

    @cached_property
    def ancestors(self) -> list[frozenset[int]]:
        """For each node, everything above it."""
        above: list[frozenset[int]] = [frozenset()] * len(self)
        for node in self.order:
            above[node] = frozenset(self.parents[node]).union(*(above[p] for p in self.parents[node]))
        return above

    @cached_property
    def closure(self) -> Tensor:
        """(M, 2) int64: every pair (descendant, ancestor), sorted; the transitive closure of the edges."""
        return torch.tensor([(i, a) for i in range(len(self)) for a in sorted(self.ancestors[i])]).reshape(-1, 2)

    @property
    def is_closed(self) -> bool:
        """Whether the edges are their own transitive closure."""
        return len(self.closure) == len(self.edges)

    @cached_property
    def reduction(self) -> Tensor:
        """(K, 2) int64: the fewest edges with the same closure: those whose parent is above no other parent."""
        rows = [
            (i, p)
            for i, parents in enumerate(self.parents)
            for p in parents
            if not any(p in self.ancestors[q] for q in parents)
        ]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)

    def spanning_tree(self) -> "Hierarchy":
        """The tree that keeps, of each node, the first parent; several roots get a common one above them, `root`."""
        keep = {i: parents[0] for i, parents in enumerate(self.parents) if parents}
        weight = {}
        if self.weights is not None:
            weight = {tuple(edge): w for edge, w in zip(self.edges.tolist(), self.weights.tolist(), strict=True)}
        names, labels = list(self.names), list(self.labels)
        if len(self.roots) > 1:
            names, labels = [*names, "root"], [*labels, "root"]
            keep |= {i: len(self) for i in self.roots}
        edges = sorted(keep.items())
        weights = None if self.weights is None else torch.tensor([weight.get(e, 1.0) for e in edges]).double()
        return Hierarchy(names, torch.tensor(edges, dtype=torch.int64).reshape(-1, 2), weights, labels)

    def tree_distances(self, nodes: Sequence[int] | None = None) -> Tensor:
        """(S, N) float64 lengths of the paths from some nodes (from all, if not given) to all nodes of a tree.

        Raises:
            ValueError: if the hierarchy is no tree.
        """
        if not self.is_tree:
            raise ValueError("tree_distances needs a tree (one root, one parent each); use spanning_tree() first")
        lengths = [1.0] * len(self.edges) if self.weights is None else self.weights.tolist()
        up = {child: (parent, w) for (child, parent), w in zip(self.edges.tolist(), lengths, strict=True)}
        nodes = range(len(self)) if nodes is None else nodes
        distances = torch.full((len(self), len(nodes)), torch.inf, dtype=torch.float64)  # node by node: rows are whole
        for column, node in enumerate(nodes):  # up to the root,
            far = 0.0
            distances[node, column] = far
            while node in up:
                node, length = up[node]
                far += length
                distances[node, column] = far
        for node in self.order[1:]:  # and down into everything else
            parent, length = up[node]
            distances[node] = torch.minimum(distances[node], distances[parent] + length)
        return distances.T.contiguous()


# --- bundled and generated ---------------------------------------------------------------------------------------


def load_mammals() -> Hierarchy:
    """532 mammals in five levels: class, order, family, genus, species; names scientific, labels common."""
    return _bundled("mammals.txt")


def load_objects() -> Hierarchy:
    """150 everyday things in four levels."""
    return _bundled("objects.txt")


def _bundled(name: str) -> Hierarchy:
    with resources.as_file(resources.files("hyplearn.data") / name) as path:
        return read_indented(path)


def balanced_tree(branching: int, depth: int) -> Hierarchy:
    """The tree in which every node above the lowest level has `branching` children; names are paths such as 0.2.1."""
    names, edges, level = ["0"], [], [0]
    for _ in range(depth):
        below = []
        for parent in level:
            for k in range(branching):
                edges.append((len(names), parent))
                below.append(len(names))
                names.append(f"{names[parent]}.{k}")
        level = below
    return Hierarchy(names, torch.tensor(edges, dtype=torch.int64).reshape(-1, 2))


def random_tree(nodes: int, seed: int = 0) -> Hierarchy:
    """The random recursive tree: each new node picks its parent uniformly among those that are there."""
    draw = torch.rand(nodes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    edges = torch.tensor([(i, int(draw[i] * i)) for i in range(1, nodes)], dtype=torch.int64).reshape(-1, 2)
    return Hierarchy([str(i) for i in range(nodes)], edges)


def breadth_first_tree(names: Sequence[str], edges: Tensor, root: int = 0) -> Hierarchy:
    """A spanning tree of a connected undirected graph in which the root is as near to every node as in the graph.

    For methods that embed trees. Distances between other nodes can be longer in the tree, by any factor in a cycle.

    Args:
        names: the nodes' names.
        edges: (E, 2) int64, each edge in either direction.
        root: the index of the root.

    Raises:
        ValueError: if some node cannot be reached from the root.
    """
    neighbours = [[] for _ in names]
    for a, b in edges.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    parent = {root: -1}
    queue = [root]
    for node in queue:
        for other in neighbours[node]:
            if other not in parent:
                parent[other] = node
                queue.append(other)
    if len(parent) < len(names):
        raise ValueError(
            f"edges do not connect all nodes: only {len(parent)} of {len(names)} are reached from the root"
        )
    rows = torch.tensor([(child, parent[child]) for child in sorted(parent) if child != root], dtype=torch.int64)
    return Hierarchy(names, rows.reshape(-1, 2))


def class_tree(root: type, first_base_only: bool = True) -> Hierarchy:
    """The classes that the running interpreter has loaded below `root`, e.g. `BaseException` or `torch.nn.Module`.

    With `first_base_only` each class hangs below one of its bases that descend from the root (the first), so that the
    result is a tree; otherwise below all of them.
    """
    found, edges = {root: _class_name(root)}, []
    queue = [root]
    for cls in queue:
        for sub in sorted(type.__subclasses__(cls), key=_class_name):  # also where cls is a metaclass
            if sub not in found:
                found[sub] = _class_name(sub)
                queue.append(sub)
    names = defaultdict(list)
    for cls, name in found.items():
        names[name].append(cls)
    unique = {
        cls: name if k == 0 else f"{name}#{k + 1}" for name, group in names.items() for k, cls in enumerate(group)
    }
    for cls in queue[1:]:
        bases = [base for base in cls.__bases__ if base in found]
        edges += [(unique[cls], unique[base]) for base in (bases[:1] if first_base_only else bases)]
    hierarchy = (
        Hierarchy.from_pairs(edges) if edges else Hierarchy([unique[root]], torch.empty(0, 2, dtype=torch.int64))
    )
    labels = [name.rsplit(".", 1)[-1] for name in hierarchy.names]
    return Hierarchy(hierarchy.names, hierarchy.edges, None, labels)


def _class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


# --- files -------------------------------------------------------------------------------------------------------


def _read_lines(path: str | os.PathLike) -> list[tuple[int, str]]:
    """The lines of a UTF-8 file that are neither empty nor comments, with their numbers."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}); convert it first") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError(f"{path} is empty; it should hold one edge or one name per line")
    return lines


def read_indented(path: str | os.PathLike) -> Hierarchy:
    """A tree written as indented text: two spaces per level, `name` or `name | label` on each line, # for comments."""
    names, labels, edges, path_to_here = [], [], [], []
    for number, line in _read_lines(path):
        body = line.lstrip(" ")
        level, odd = divmod(len(line) - len(body), 2)
        if odd or level > len(path_to_here):
            raise ValueError(f"{path}, line {number}: indent by two spaces, one level at a time")
        name, _, label = (part.strip() for part in body.partition("|"))
        del path_to_here[level:]
        if path_to_here:
            edges.append((len(names), path_to_here[-1]))
        path_to_here.append(len(names))
        names.append(name)
        labels.append(label or name)
    return Hierarchy(names, torch.tensor(edges, dtype=torch.int64).reshape(-1, 2), None, labels)


def read_edges(path: str | os.PathLike) -> Hierarchy:
    """An edge list: `child<TAB>parent` or `child<TAB>parent<TAB>weight` on each line; # starts a comment.

    A first line `id1 id2 [weight]` or `child parent [weight]` is taken as a header; repeated edges count once.

    Raises:
        ValueError: one line that names the file, the line and what to mend.
    """
    rows: dict[tuple[str, str], float | None] = {}
    for number, line in _read_lines(path):
        cells = [cell.strip() for cell in line.split("\t")]
        if number == 1 and [cell.lower() for cell in cells[:2]] in (["id1", "id2"], ["child", "parent"]):
            continue
        if len(cells) not in (2, 3) or not all(cells):
            raise ValueError(f"{path}, line {number}: expected child, parent and perhaps a weight, separated by tabs")
        child, parent = cells[:2]
        if child == parent:
            raise ValueError(f"{path}, line {number}: {child!r} is its own parent; remove the line")
        weight = None
        if len(cells) == 3:
            try:
                weight = float(cells[2])
            except ValueError:
                weight = -1.0
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{path}, line {number}: the weight must be a number >= 0, got {cells[2]!r}")
        rows[child, parent] = weight
    if not rows:
        raise ValueError(f"{path} holds a header and no edge")
    weighted = [w is not None for w in rows.values()]
    if any(weighted) and not all(weighted):
        raise ValueError(f"{path}: some edges have a weight and some do not; give one to all of them or to none")
    try:
        return Hierarchy.from_pairs(rows, list(rows.values()) if all(weighted) else None)
    except ValueError as error:  # a cycle
        raise ValueError(f"{path}: {error}") from None


def read_newick(path: str | os.PathLike) -> Hierarchy:
    """The first tree of a Newick file, or of the TREES block of a NEXUS file, with branch lengths if it has them.

    Inner nodes without a name are called `node1`, `node2`, ... in order of appearance.
    """
    text = " ".join(line for _, line in _read_lines(path))
    match = re.search(r"\(.*?;", re.sub(r"(?is)^.*?begin\s+trees.*?=", "", re.sub(r"\[[^\]]*\]", "", text)), re.S)
    if match is None:
        raise ValueError(f"{path} holds no Newick tree: none starts with '(' and ends with ';'")
    names, edges, lengths, open_nodes = ["node0"], [], {}, []
    here = 0
    unnamed = 0

    def add(parent: int) -> int:
        names.append("")
        edges.append((len(names) - 1, parent))
        return len(names) - 1

    for token in re.findall(r"'[^']*'|[(),:;]|[^(),:;\s']+", match.group()):
        if token == "(":
            open_nodes.append(here)
            here = add(here)
        elif token == ",":
            here = add(open_nodes[-1])
        elif token == ")":
            if not open_nodes:
                raise ValueError(f"{path}: a ')' too many")
            here = open_nodes.pop()
        elif token == ";":
            break
        elif token == ":":
            lengths[here] = None
        elif here in lengths and lengths[here] is None:
            lengths[here] = float(token)
        else:
            names[here] = token.strip("'")
    if open_nodes:
        raise ValueError(f"{path}: {len(open_nodes)} '(' are never closed")
    for i, name in enumerate(names):
        if name in ("", "node0"):
            unnamed += 1
            names[i] = f"node{unnamed}"
    weights = torch.tensor([lengths.get(child, 1.0) or 0.0 for child, _ in edges]).double() if lengths else None
    return Hierarchy(names, torch.tensor(edges, dtype=torch.int64).reshape(-1, 2), weights)


def read_wordnet(folder: str | os.PathLike, root: str | None = None) -> Hierarchy:
    """WordNet's nouns from the folder `dict` of its distribution (the file data.noun), hypernyms and instances alike.

    On Debian the package wordnet-base installs it as /usr/share/wordnet; NLTK's corpus `wordnet` holds the same file,
    as a folder or as the wordnet.zip that `nltk.download` leaves: give either. Nodes are called `dog.n.02084071`: the
    first word of the synset and its offset. With `root`, e.g. "mammal", only the first synset of that word and
    everything below it are kept.

    Raises:
        FileNotFoundError: if the folder has no data.noun.
    """
    path = (zipfile.Path(folder, "wordnet/") if zipfile.is_zipfile(folder) else Path(folder)) / "data.noun"
    if not path.is_file():
        raise FileNotFoundError(f"no data.noun in {folder}; point to WordNet's dict folder (wordnet.princeton.edu)")
    names, pairs = {}, []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("  "):
                continue  # the licence
            cells = line.split(" | ")[0].split()
            offset, count = cells[0], int(cells[3], 16)
            names[offset] = (cells[4], [cells[4 + 2 * k] for k in range(count)])
            pointers = cells[5 + 2 * count :]
            pairs += [
                (offset, pointers[k + 1])
                for k in range(0, 4 * int(cells[4 + 2 * count]), 4)
                if pointers[k] in ("@", "@i") and pointers[k + 2] == "n"
            ]
    index = {offset: i for i, offset in enumerate(names)}
    edges = torch.tensor([(index[a], index[b]) for a, b in pairs], dtype=torch.int64).reshape(-1, 2)
    labels = [first.replace("_", " ") for first, _ in names.values()]
    whole = Hierarchy([f"{names[o][0]}.n.{o}" for o in names], edges, None, labels)
    if root is None:
        return whole
    top = next((i for i, (_, words) in enumerate(names.values()) if words[0] == root.replace(" ", "_")), None)
    if top is None:
        raise ValueError(f"root {root!r} is the first word of no noun synset in {path}")
    return subtree(whole, top)


def subtree(hierarchy: Hierarchy, root: int) -> Hierarchy:
    """The hierarchy of one node and everything below it."""
    keep = [i for i in range(len(hierarchy)) if i == root or root in hierarchy.ancestors[i]]
    new = {old: k for k, old in enumerate(keep)}
    inside = [k for k, (a, b) in enumerate(hierarchy.edges.tolist()) if a in new and b in new]
    edges = torch.tensor([[new[v] for v in hierarchy.edges[k].tolist()] for k in inside], dtype=torch.int64).reshape(
        -1, 2
    )
    weights = None if hierarchy.weights is None else hierarchy.weights[inside]
    return Hierarchy([hierarchy.names[i] for i in keep], edges, weights, [hierarchy.labels[i] for i in keep])


def nested_tree(root: str, nested: Mapping[str, Mapping[str, Iterable[str]]], above: Iterable[str] = ()) -> Hierarchy:
    """The tree of `root`, kinds, their groups and the groups' leaves, as they are written down one in the other.

    Args:
        above: leaves that hang on the root itself.
    """
    pairs = [(leaf, root) for leaf in above] + [(kind, root) for kind in nested]
    pairs += [(group, kind) for kind, groups in nested.items() for group in groups]
    pairs += [(leaf, group) for groups in nested.values() for group, leaves in groups.items() for leaf in leaves]
    return Hierarchy.from_pairs(pairs)


def keep_leaves(tree: Hierarchy, leaves: Iterable[str]) -> Hierarchy:
    """The tree of some leaves, by name, and everything above them.

    Raises:
        ValueError: for a name that is no leaf of the tree.
    """
    wanted = set(leaves)
    if unknown := wanted - {tree.names[i] for i in tree.leaves}:
        raise ValueError(f"leaves must be leaves of the tree, got {min(unknown)!r}")
    rows = [i for i in tree.leaves if tree.names[i] in wanted]
    inside = set(rows).union(*(tree.ancestors[i] for i in rows))
    return Hierarchy.from_pairs([(tree.names[a], tree.names[b]) for a, b in tree.edges.tolist() if a in inside])


def deal_leaves(tree: Hierarchy, seed: int, fixed: Iterable[str] = ()) -> Hierarchy:
    """The same tree with its leaves, except those named `fixed`, dealt to their places at random: a control.

    The form stays, the meaning goes: what such a tree still helps, it does not help by what it says about the leaves.
    """
    places = [i for i in tree.leaves if tree.names[i] not in set(fixed)]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed)).tolist()
    names, labels = list(tree.names), list(tree.labels)
    for place, k in zip(places, order, strict=True):
        names[place], labels[place] = tree.names[places[k]], tree.labels[places[k]]
    return Hierarchy(names, tree.edges, tree.weights, labels)
