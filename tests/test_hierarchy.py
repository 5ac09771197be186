"""Hierarchies: every loader and every bad file; closure, reduction and distances against naive oracles; WordNet."""

import lzma
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from hyplearn.data import (
    Hierarchy,
    balanced_tree,
    class_tree,
    load_mammals,
    load_objects,
    random_tree,
    read_edges,
    read_indented,
    read_newick,
    read_wordnet,
    subtree,
)

DATA = os.environ.get("HYPLEARN_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="set HYPLEARN_DATA to the folder of the real data sets")


def random_dag(nodes, seed):
    """Each node has up to three parents among those before it, so there are shortcuts to reduce."""
    generator = torch.Generator().manual_seed(seed)
    edges = {(i, int(torch.randint(i, (), generator=generator))) for i in range(1, nodes) for _ in range(3)}
    return Hierarchy([f"n{i}" for i in range(nodes)], torch.tensor(sorted(edges)))


def reachable(edges, nodes):
    above = np.zeros((nodes, nodes), dtype=bool)
    above[tuple(np.array(edges).T)] = True
    for k in range(nodes):  # Warshall
        above |= above[:, k : k + 1] & above[k : k + 1]
    return above


def pairs_of(tensor):
    return {tuple(pair) for pair in tensor.tolist()}


def named(hierarchy, edges=None):
    return {(hierarchy.names[a], hierarchy.names[b]) for a, b in (hierarchy.edges if edges is None else edges).tolist()}


# --- what is counted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_closure_and_reduction_against_warshall(seed):
    dag = random_dag(25, seed)
    above = reachable(dag.edges.tolist(), 25)
    assert pairs_of(dag.closure) == set(zip(*(i.tolist() for i in np.nonzero(above)), strict=True))
    # An edge can go exactly if its ends stay connected without it.
    kept = {
        tuple(e) for e in dag.edges.tolist() if not reachable([f for f in dag.edges.tolist() if f != e], 25)[e[0], e[1]]
    }
    assert pairs_of(dag.reduction) == kept
    assert not dag.is_closed
    closed = Hierarchy(dag.names, dag.closure)
    assert closed.is_closed and pairs_of(closed.reduction) == kept and pairs_of(closed.closure) == pairs_of(dag.closure)
    assert dag.depths[dag.order].diff().min() >= -25 and all(
        dag.order.index(p) < dag.order.index(c) for c, p in dag.edges.tolist()
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_tree_distances_against_floyd(weighted):
    tree = random_tree(30, seed=2)
    if weighted:
        tree = Hierarchy(tree.names, tree.edges, torch.rand(29, dtype=torch.float64))
    d = np.full((30, 30), np.inf)
    np.fill_diagonal(d, 0)
    for (a, b), w in zip(tree.edges.tolist(), [1.0] * 29 if not weighted else tree.weights.tolist(), strict=True):
        d[a, b] = d[b, a] = w
    for k in range(30):
        d = np.minimum(d, d[:, k : k + 1] + d[k : k + 1])
    assert np.allclose(tree.tree_distances(), d, rtol=1e-14)
    assert np.allclose(tree.tree_distances([7, 0]), d[[7, 0]], rtol=1e-14)


def test_depths_are_the_longest_paths():
    dag = Hierarchy(list("abcd"), torch.tensor([[1, 0], [2, 1], [3, 2], [3, 0]]))
    assert dag.depths.tolist() == [0, 1, 2, 3]
    assert dag.roots == [0] and dag.leaves == [3] and dag.parents[3] == [2, 0] and dag.children[0] == [1, 3]
    assert "4 nodes" in repr(dag) and "depth 3" in repr(dag) and not dag.is_tree


def test_spanning_tree_keeps_first_parents_and_joins_roots():
    dag = Hierarchy(list("abcd"), torch.tensor([[2, 0], [2, 1], [3, 2]]), torch.tensor([5.0, 6.0, 7.0]))
    tree = dag.spanning_tree()
    assert tree.is_tree and named(tree) == {("c", "a"), ("d", "c"), ("a", "root"), ("b", "root")}
    length = {n: w for (n, _), w in zip(tree.edges.tolist(), tree.weights.tolist(), strict=True)}
    assert length[2] == 5.0 and length[3] == 7.0
    with pytest.raises(ValueError, match=r"spanning_tree\(\)"):
        dag.tree_distances()


def test_subtree_keeps_what_is_below_with_weights_and_labels():
    whole = Hierarchy(list("abcd"), torch.tensor([[1, 0], [2, 1], [3, 0]]), torch.tensor([1.0, 2.0, 3.0]), list("ABCD"))
    part = subtree(whole, 1)
    assert list(part.names) == ["b", "c"] and list(part.labels) == ["B", "C"] and named(part) == {("c", "b")}
    assert part.weights.tolist() == [2.0]


@pytest.mark.parametrize(
    "names, edges, message",
    [
        (["a", "b", "a"], [[1, 0]], "'a' occurs twice"),
        (["a", "b"], [[1, 1]], "'b' is its own parent"),
        (["a", "b", "c", "d"], [[1, 0], [2, 1], [3, 2], [2, 3]], "cycle through '[cd]'"),
    ],
)
def test_what_is_no_hierarchy_is_refused(names, edges, message):
    with pytest.raises(ValueError, match=message):
        Hierarchy(names, torch.tensor(edges))


# --- bundled and generated ----------------------------------------------------------------------------------------


def test_mammals():
    mammals = load_mammals()
    assert len(mammals) >= 300 and mammals.is_tree and int(mammals.depths.max()) == 4
    assert mammals.names[mammals.roots[0]] == "Mammalia" and len(mammals.closure) > 3 * len(mammals) - 300
    depth = mammals.depths.tolist()
    for child, parent in mammals.edges.tolist():
        if depth[child] == 4:  # a species bears its genus's name
            assert mammals.names[child].split()[0] == mammals.names[parent]
        if depth[child] == 2:  # and a family has a family's ending, below an order
            assert mammals.names[child].endswith("idae") and depth[parent] == 1


def test_objects():
    things = load_objects()
    assert things.is_tree and len(things.leaves) >= 150
    assert all(name == name.strip() and name for name in things.names)


@pytest.mark.parametrize("branching, depth", [(1, 3), (2, 4), (3, 0), (5, 2)])
def test_balanced_tree(branching, depth):
    tree = balanced_tree(branching, depth)
    assert len(tree) == sum(branching**k for k in range(depth + 1)) and tree.is_tree
    assert len(tree.leaves) == branching**depth and all(len(c) in (0, branching) for c in tree.children)


def test_random_tree_is_reproducible_and_recursive():
    tree = random_tree(200, seed=3)
    assert tree.is_tree and torch.equal(tree.edges, random_tree(200, seed=3).edges)
    assert not torch.equal(tree.edges, random_tree(200, seed=4).edges)
    assert bool((tree.edges[:, 1] < tree.edges[:, 0]).all())
    assert len(random_tree(1)) == 1


def test_class_tree():
    tree = class_tree(BaseException)
    assert tree.is_tree and tree.names[tree.roots[0]] == "BaseException"
    assert {("ValueError", "Exception"), ("KeyError", "LookupError"), ("UnicodeError", "ValueError")} <= named(tree)

    class Lonely:
        pass

    assert len(class_tree(Lonely)) == 1

    class Left(Lonely):
        pass

    class Right(Lonely):
        pass

    class Both(Left, Right):
        pass

    assert len(class_tree(Lonely).edges) == 3 and len(class_tree(Lonely, first_base_only=False).edges) == 4
    both = class_tree(Lonely).labels
    assert sorted(both) == ["Both", "Left", "Lonely", "Right"]
    del Both
    assert {("EnumType", "type")} <= {tuple(n.rsplit(".", 1)[-1] for n in pair) for pair in named(class_tree(type))}
    assert class_tree(object).is_tree  # `type` among its subclasses, whose `__subclasses__` is no bound method


# --- files ----------------------------------------------------------------------------------------------------------


def write(tmp_path, text, name="file.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "dog\tanimal\ncat\tanimal\ncat\tanimal\n",
        "id1\tid2\ndog\tanimal\r\ncat\tanimal",
        "# c\n\ndog\tanimal\ncat\tanimal",
    ],
)
def test_edge_list(tmp_path, text):
    h = read_edges(write(tmp_path, text))
    assert h.names == ["dog", "animal", "cat"] and named(h) == {("dog", "animal"), ("cat", "animal")} and not h.weights


def test_weighted_edge_list_with_byte_order_mark(tmp_path):
    h = read_edges(write(tmp_path, "\ufeffchild\tparent\tweight\nä\tb\t0\nc\tb\t2.5\n".encode()))
    assert h.names == ["ä", "b", "c"] and h.weights.tolist() == [0.0, 2.5]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("child\tparent\n", "holds a header and no edge"),
        ("a\tb\nc\n", "line 2: expected child, parent"),
        ("a b\n", "line 1: expected child, parent"),
        ("a\tb\tc\td\n", "line 1: expected child, parent"),
        ("a\t\n", "line 1: expected child, parent"),
        ("a\tb\nc\tc\n", "line 2: 'c' is its own parent"),
        ("a\tb\tx\n", "weight must be a number >= 0, got 'x'"),
        ("a\tb\t-1\n", "got '-1'"),
        ("a\tb\tnan\n", "got 'nan'"),
        ("a\tb\tinf\n", "got 'inf'"),
        ("a\tb\t1\nc\tb\n", "some edges have a weight and some do not"),
        ("a\tb\nb\tc\nc\ta\n", r"file\.txt: the edges have a cycle through"),
        (b"caf\xe9\tdrink\n", "not UTF-8 text \\(byte 3\\)"),
    ],
)
def test_bad_edge_lists_get_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_edges(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_indented_text(tmp_path):
    h = read_indented(write(tmp_path, "# things\na | A\n  b\n    c | see\n  d\n"))
    assert h.names == ["a", "b", "c", "d"] and h.labels == ["A", "b", "see", "d"]
    assert named(h) == {("b", "a"), ("c", "b"), ("d", "a")}


@pytest.mark.parametrize("text", ["a\n b\n", "a\n    b\n", "  a\n"])
def test_bad_indentation(tmp_path, text):
    with pytest.raises(ValueError, match="indent by two spaces"):
        read_indented(write(tmp_path, text))


def test_newick(tmp_path):
    h = read_newick(write(tmp_path, "((A:1,B:2.5)inner:0.5,'C d':3)top;"))
    assert set(named(h)) == {("A", "inner"), ("B", "inner"), ("inner", "top"), ("C d", "top")}
    assert {h.names[c]: w for (c, _), w in zip(h.edges.tolist(), h.weights.tolist(), strict=True)} == {
        "A": 1.0,
        "B": 2.5,
        "inner": 0.5,
        "C d": 3.0,
    }
    bare = read_newick(write(tmp_path, "((a,b),(c,d));"))
    assert bare.weights is None and bare.is_tree and len(bare) == 7 and sorted(bare.names)[:4] == list("abcd")


@pytest.mark.parametrize(
    "text, message", [("a b c", "no Newick tree"), ("((a,b);", "never closed"), ("(a,b));", "too many")]
)
def test_bad_newick(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_newick(write(tmp_path, text))


# Two synsets of dogs below two of animals in WNDB's format: offset file type words(hex) word id ... pointers | gloss
WNDB = """  1 This is a licence.
00000010 03 n 01 entity 0 001 ~ 00000020 n 0000 | what is
00000020 05 n 02 animal 0 beast 0 002 @ 00000010 n 0000 ~ 00000030 n 0000 | an animal | with a bar
00000030 05 n 01 domestic_dog 0 003 @ 00000020 n 0000 #m 00000010 n 0000 + 00000099 v 0101 | a dog
00000040 05 n 01 Laika 0 001 @i 00000030 n 0000 | the one in space
"""


def test_wordnet_reader(tmp_path):
    write(tmp_path, WNDB, "data.noun")
    h = read_wordnet(tmp_path)
    assert h.names == ["entity.n.00000010", "animal.n.00000020", "domestic_dog.n.00000030", "Laika.n.00000040"]
    assert h.labels == ["entity", "animal", "domestic dog", "Laika"]
    assert h.edges.tolist() == [[1, 0], [2, 1], [3, 2]]
    assert read_wordnet(tmp_path, root="domestic dog").labels == ["domestic dog", "Laika"]
    with zipfile.ZipFile(tmp_path / "wordnet.zip", "w") as archive:  # what NLTK keeps
        archive.write(tmp_path / "data.noun", "wordnet/data.noun")
    assert read_wordnet(tmp_path / "wordnet.zip").names == h.names
    with pytest.raises(ValueError, match="'cat' is the first word of no noun synset"):
        read_wordnet(tmp_path, root="cat")
    with pytest.raises(FileNotFoundError, match=r"no data\.noun"):
        read_wordnet(tmp_path / "nowhere")


# --- the real sets ----------------------------------------------------------------------------------------------------


@needs_data
def test_mammals_of_wordnet_have_the_published_counts():
    closed = read_edges(Path(DATA, "wordnet/mammal_closure.tsv"))
    direct = read_edges(Path(DATA, "wordnet/mammal_direct.tsv"))
    assert (len(closed), len(closed.edges), closed.is_closed) == (1180, 6540, True)
    assert named(closed) == named(direct, direct.closure) and named(direct) == named(closed, closed.reduction)


# Where WordNet 3.0 follows an older classification, or everyday likeness: its pandas are procyonids, its skunks
# mustelids, its koalas phalangers, its hyenas canines, its mongooses viverrines, its porpoises dolphins.
OTHER_FAMILY_IN_WORDNET = set(
    "Myrmecobius Phascolarctos Petaurus Rhinolophus Daubentonia Ailuropoda Mephitis Spilogale Potos Ailurus "
    "Crocuta Hyaena Proteles Suricata Phocoena Delphinapterus".split()
)


@needs_data
def test_our_families_are_wordnets():
    """A genus or species that WordNet knows below one of our families' names is below the same family here."""
    lines = lzma.open(Path(DATA, "wordnet/wn30_noun_nodes.tsv.xz"), "rt", encoding="utf-8").read().splitlines()[1:]
    words = [{word.strip().lower() for word in line.split("\t")[4].split(",")} for line in lines]
    tables = np.load(Path(DATA, "wordnet/wn30_nouns.npz"))
    edges = torch.from_numpy(np.concatenate([tables["hypernym"], tables["instance_hypernym"]])).long()
    wordnet = Hierarchy([line.split("\t")[1] for line in lines], edges)
    nodes = {}
    for node, names in enumerate(words):
        for word in names:
            nodes.setdefault(word, []).append(node)
    mammal = nodes["mammal"][0]

    ours = load_mammals()
    depth = ours.depths.tolist()
    families = {ours.labels[i].lower(): i for i in range(len(ours)) if depth[i] == 2}
    agree, differ = 0, set()
    for node in (i for i in range(len(ours)) if depth[i] >= 3):
        family = next(a for a in ours.ancestors[node] if depth[a] == 2)
        known = {k for name in (ours.names[node], ours.labels[node]) for k in nodes.get(name.lower(), ())}
        for above in (wordnet.ancestors[k] for k in known if mammal in wordnet.ancestors[k]):
            found = {name for a in above for name in words[a] if name in families}
            agree += ours.labels[family].lower() in found
            if found and ours.labels[family].lower() not in found:
                differ.add(ours.names[node].split()[0])
    print(f"{agree} genera and species lie below the same family in WordNet, {len(differ)} genera below another")
    assert agree == 168 and differ == OTHER_FAMILY_IN_WORDNET
