"""`hyplearn embed`: what it writes, what it says, exact resume after Ctrl-C and kill -9, and one line for bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from hyplearn.cli import main
from hyplearn.data import load_objects, random_tree

KEYS = {"n_nodes", "n_edges", "mean_rank", "map", "distortion", "cpu_seconds", "seed", "versions"}


@pytest.fixture
def edges(tmp_path):
    tree = random_tree(40, seed=1)
    path = tmp_path / "edges.tsv"
    path.write_text("".join(f"n{a}\tn{b}\n" for a, b in tree.edges.tolist()))
    return path


def embed(*arguments):
    return main(["embed", *map(str, arguments), "--device", "cpu"])


def report(capsys):
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "method", ["poincare", "euclidean", "translational", "cones", "euclidean-cones", "order", "sarkar", "hmds"]
)
@pytest.mark.parametrize("dim", [2, 3])
def test_every_method_writes_everything(method, dim, edges, tmp_path, capsys):
    learned = method not in ("sarkar", "hmds")
    options = ["--epochs", 3, "--negatives", 5] if learned else []
    out = tmp_path / "out"
    assert embed(edges, "--method", method, "--dim", dim, "--seed", 3, "--out", out, "--json", *options) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1 and said.err == ""
    printed, written = json.loads(said.out), json.loads((out / "report.json").read_text())
    assert KEYS <= printed.keys() and printed == {k: v for k, v in written.items() if k != "history"}
    assert printed["n_nodes"] == 40 and printed["n_edges"] == len(random_tree(40, seed=1).closure)
    assert (0 < printed["f1"] <= 1) if learned else "f1" not in printed
    assert printed["seed"] == 3 and 0 < printed["map"] <= 1 <= printed["mean_rank"] and printed["distortion"] >= 1

    files = {"embedding.npz", "embedding.tsv", "disk.svg", "report.json"} | ({"training.svg"} if learned else set())
    assert {path.name for path in out.iterdir()} == files
    stored = np.load(out / "embedding.npz")
    rows = [line.split("\t") for line in (out / "embedding.tsv").read_text().splitlines()]
    assert stored["vectors"].shape == (40, dim) and [row[0] for row in rows] == stored["names"].tolist()
    assert np.array_equal(np.array([row[1:] for row in rows], dtype=float), stored["vectors"])
    for name in files & {"disk.svg", "training.svg"}:
        root = ElementTree.fromstring((out / name).read_text())
        assert root.find("{http://www.w3.org/2000/svg}title").text


def test_it_says_whether_it_had_to_close_the_edges(edges, tmp_path, capsys):
    closed = tmp_path / "closed.tsv"
    closed.write_text("".join(f"n{a}\tn{b}\n" for a, b in random_tree(40, seed=1).closure.tolist()))
    options = ["--epochs", 1, "--negatives", 2]
    assert embed(edges, "--out", tmp_path / "a", *options) == 0
    first = capsys.readouterr().out
    assert embed(closed, "--out", tmp_path / "b", *options) == 0
    second = capsys.readouterr().out
    assert "not closed" in first and "closed already" in second
    assert re.search(r"mean rank [\d.]+, MAP 0\.\d+", first) and str(tmp_path / "a") in first


def test_link_prediction_measures_what_was_held_out(edges, tmp_path, capsys):
    arguments = [edges, "--task", "link", "--epochs", 20, "--negatives", 10, "--json"]
    assert embed(*arguments, "--out", tmp_path / "a") == 0
    found = report(capsys)
    whole = len(random_tree(40, seed=1).closure)
    assert found["n_edges"] == whole - round(0.1 * whole) and found["task"] == "link" and found["mean_rank"] < 15


def test_entailment_learns_a_share_and_reports_f1(tmp_path, capsys):
    tree, reports = load_objects(), []
    for share in (0.0, 0.5):
        arguments = [
            "@objects",
            "--method",
            "cones",
            "--task",
            "entailment",
            "--share",
            share,
            "--epochs",
            60,
            "--json",
        ]
        assert embed(*arguments, "--out", tmp_path / str(share)) == 0
        reports.append(report(capsys))
    basic, implied = 181, 150  # below the root: 189 edges without the 8 to it, and what they imply
    assert len(tree.closure) == basic + implied + len(tree) - 1
    assert [found["n_edges"] for found in reports] == [basic, basic + round(0.5 * implied)]
    assert reports[0]["task"] == "entailment" and all(0.3 < found["f1"] <= 1 for found in reports)
    assert embed("@objects", "--task", "entailment", "--epochs", 2, "--out", tmp_path / "p") == 0
    assert re.search(r"F1 0\.\d+ of telling", capsys.readouterr().out)


def test_bundled_trees_and_bits(tmp_path, capsys):
    reports = []
    for bits in (60, 400):
        out = tmp_path / str(bits)
        assert embed("@objects", "--method", "sarkar", "--dim", 2, "--bits", bits, "--out", out, "--json") == 0
        reports.append(report(capsys))
    assert reports[0]["n_nodes"] == len(load_objects()) and reports[1]["bits"] == 400
    assert 1 < reports[1]["distortion"] < 1.01 < reports[0]["distortion"]
    assert embed("@python", "--epochs", 1, "--out", tmp_path / "p") == 0
    assert "BaseException" in np.load(tmp_path / "p" / "embedding.npz")["names"]


def test_the_labels_of_the_picture_do_not_collide():
    from hyplearn.embeddings.command import place_labels

    points = torch.rand(300, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.4 - 0.7
    chosen = place_labels(points, ["a label of some length"] * 300, list(range(300)))
    assert 5 < len(chosen) and chosen[0] == 0


BAD = {
    "empty": (b"", "is empty"),
    "one column": (b"a\nb\n", "line 1: expected child, parent"),
    "not UTF-8": (b"caf\xe9\tdrink\n", "not UTF-8"),
    "self loop": (b"a\ta\n", "its own parent"),
    "cycle": (b"a\tb\nb\ta\n", "cycle"),
    "bad weight": (b"a\tb\t-3\n", "weight"),
    "no negatives": (b"a\tb\n", "no negative"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_one_line_and_leave_nothing(case, tmp_path, capsys):
    content, message = BAD[case]
    (tmp_path / "bad.tsv").write_bytes(content)
    assert embed(tmp_path / "bad.tsv", "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere.tsv"], "no file nowhere.tsv"),
        (["@birds"], "@mammals, @objects"),
        (["@objects", "--method", "magic"], "magic"),
        (["@objects", "--dim", 0], "dim must be"),
        (["@objects", "--epochs", 0], "epochs must be"),
        (["@objects", "--negatives", -1], "negatives must be"),
        (["@objects", "--lr", 0], "lr must be"),
        (["@objects", "--bits", 100], "--bits means nothing to --method poincare"),
        (["@objects", "--method", "sarkar", "--epochs", 3], "--epochs means nothing to --method sarkar"),
        (["@objects", "--method", "sarkar", "--task", "link"], "needs a method that learns"),
        (["@objects", "--resume"], "no checkpoint"),
        (["@objects", "--share", 0.5], "--share means nothing to --task reconstruction"),
        (["@objects", "--task", "entailment", "--share", 2], "share must be in"),
        (["@objects", "--method", "hmds", "--task", "entailment"], "needs a method that learns"),
        (["@objects", "--save-every", -1], "--save-every"),
    ],
)
def test_bad_arguments_get_one_line_and_leave_nothing(arguments, message, tmp_path, capsys):
    assert embed(*arguments, "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_more_than_fits_in_memory(monkeypatch, edges, tmp_path, capsys):
    monkeypatch.setattr(os, "sysconf", lambda name: 1)
    assert embed(edges, "--method", "hmds", "--out", tmp_path / "out") == 2
    assert "GB of memory" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_run_resumes_to_the_same_vectors(number, code, edges, tmp_path, capsys):
    arguments = [edges, "--epochs", 150, "--negatives", 5, "--dim", 2, "--save-every", 0.2]
    start = [sys.executable, "-m", "hyplearn.cli", "embed", *map(str, arguments), "--device", "cpu"]
    process = subprocess.Popen([*start, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True)
    checkpoint, deadline = tmp_path / "out" / "checkpoint.pt", time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    if number == signal.SIGINT:
        assert "stopped" in process.stderr.read()
    assert not (tmp_path / "out" / "report.json").exists() and checkpoint.exists()

    assert embed(*arguments, "--out", tmp_path / "out") == 2  # what was stopped is not thrown away
    assert "--resume" in capsys.readouterr().err
    assert embed(*arguments, "--out", tmp_path / "out", "--resume", "--json") == 0
    assert embed(*arguments, "--out", tmp_path / "whole", "--json") == 0
    resumed, whole = (np.load(tmp_path / name / "embedding.npz")["vectors"] for name in ("out", "whole"))
    assert np.array_equal(resumed, whole) and not checkpoint.exists()
