"""Submissions that try to get points without a solution. Every one gets 0 for its question, and harms no other."""

import copy
import json
import os
import random
import shutil
import socket
import struct
import sys
from pathlib import Path

import pytest
import torch
from grading_toy import ANSWERS, NAME, QUICK, RELEASE, SET, answered, grade_toys, hand_in, needs_bubblewrap, points

from hyplearn.errors import BadInput, Failed
from hyplearn.grading import wire
from hyplearn.grading.isolation import Sandbox, masked_names, strip_library
from hyplearn.grading.verify import verify_file


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(masked_names(SET)) as running:
        yield running


def verdicts(path, sandbox, limits=QUICK) -> dict:
    result = verify_file(path, RELEASE, SET, sandbox, limits)
    assert result.status == "graded", result.reason
    return {question.name: question for question in result.questions}


def scored(tmp_path, sandbox, limits=QUICK, **answers) -> dict[str, float]:
    found = verdicts(hand_in(tmp_path, "mallory", answered(**answers)), sandbox, limits)
    return {name: question.score for name, question in found.items()}


WRONG = "def scale(x, c):\n    return x\n\n"
# Finds the socket to the grader, as code in the worker can.
SOCKET = """
import json, os, socket, stat, struct
def channel():
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return socket.socket(fileno=os.dup(number))
        except OSError:
            pass
def frame(message, body=b""):
    header = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">IQ", len(header), len(body)) + header + body
"""
FRAMES = [
    ('frame({"id": 0, "value": True, "written": []})', "an answer to nothing"),
    ('frame({"id": n, "value": None, "written": [], "points": 2.0, "status": "passed"}) * 3', "three answers at once"),
    ('frame({"id": n, "value": {"pickle": "gASVHwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"}})', "a pickle"),
    ('frame({"id": n, "value": {"tensor": 0, "dtype": "float64", "shape": [1 << 40]}, "written": []})', "a huge shape"),
    ('frame({"id": n, "value": {"tensor": 0, "dtype": "float64", "shape": [-3]}, "written": []})', "a negative shape"),
    ('frame({"id": n, "value": {"tensor": 5, "dtype": "float64", "shape": [3]}, "written": []})', "no such tensor"),
    ('frame({"id": n, "value": {"handle": "f.__globals__"}, "written": []})', "a handle to the grader"),
    ('frame({"id": n, "value": {"list": [[[[1]]]]}, "written": []})', "a list of nothing known"),
    ('frame({"id": n, "value": None, "written": [[7, None]]})', "an argument that was not sent"),
    ('frame({"id": n, "raised": ["SystemExit", "BaseException"]})', "an exit for the grader"),
    ('frame({"id": n, "raised": {"__class__": 1}})', "an exception of no kind"),
    ('frame(b"[" * 100000)', "deep JSON"),
    ('frame(b"not json")', "no JSON"),
    ('frame(b"\\xff\\xfe")', "no text"),
    ('frame({"id": n})', "an empty answer"),
    ('struct.pack(">IQ", 1 << 31, 1 << 62)', "lengths beyond the limit"),
    ('struct.pack(">IQ", 100, 0) + b"{"', "half a frame"),
    ('b"garbage" * 100', "garbage"),
]


def _read_forgeries() -> dict[str, tuple[str, str]]:
    """By name: the question that is attacked, and the code."""
    text = Path(__file__).with_name("forgeries.txt").read_text().split("\n=== ")[1:]
    found = {}
    for section in text:
        title, code = section.split("\n", 1)
        question, name = title.split(": ", 1)
        found[name] = question, code.replace("WRONG", WRONG)
    return found


FORGERIES = _read_forgeries()
for code, what in FRAMES:
    FORGERIES[f"forged message: {what}"] = (
        "scale",
        (
            f"{SOCKET}\ndef scale(x, c):\n    s = channel()\n"
            f"    for n in range(1, 200):\n        s.sendall({code})\n    return x\n"
        ),
    )


FORGERIES["forged message: answers that arrive late"] = (
    "scale",
    f"{SOCKET}\nimport threading, time\ndef later():\n    time.sleep(0.05)\n"
    '    for n in range(200):\n        channel().sendall(frame({"id": n, "value": None, "written": []}))\n'
    f"threading.Thread(target=later, daemon=True).start()\n{WRONG}",
)


@needs_bubblewrap
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_gets_nothing(name, tmp_path, sandbox):
    question, code = FORGERIES[name]
    found = scored(tmp_path, sandbox, **{question: code})
    assert found[question] == 0.0
    # What it breaks is its own: no question gets more than it is worth.
    assert all(0.0 <= found[other] <= exercise.points for other, exercise in SET.exercises.items())


@needs_bubblewrap
def test_what_is_masked_says_so(tmp_path, sandbox):
    found = verdicts(hand_in(tmp_path, "mallory", answered(angle=FORGERIES["delegation by import"][1])), sandbox)
    assert found["angle"].verdict == "wrong" and found["angle"].score == 0
    assert "this is what you are asked to write" in found["angle"].message
    assert scored(tmp_path, sandbox)["angle"] == 2.0


def test_masks_cut_the_answer_out_of_the_library_and_name_what_is_there(tmp_path):
    strip_library(tmp_path / "a", ["hyplearn.PoincareBall.dist", "hyplearn.plane"])
    text = (tmp_path / "a" / "hyplearn" / "manifolds" / "poincare.py").read_text()
    assert "dist: this is what you are asked to write" in text
    assert "angle_of_parallelism: this is what" in (tmp_path / "a" / "hyplearn" / "plane.py").read_text()
    assert sorted(path.name for path in (tmp_path / "a" / "hyplearn" / "grading").iterdir()) == [
        *("__init__.py", "wire.py", "worker.py", "zygote.py"),
    ]
    with pytest.raises(Failed, match=r"hyplearn\.plane\.no_such_function, which does not exist"):
        strip_library(tmp_path / "b", ["hyplearn.plane.no_such_function"])


def _tagged(notebook):
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "hide-input"]


def _worth_more(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["points"] = 1000


def _solution_that_grades_itself(notebook):
    for cell in notebook.cells:
        if cell.id == "scale":
            cell.metadata["nbgrader"].update(grade=True, points=1000, locked=True)


def _test_cells_as(kind):
    def change(notebook):
        for cell in notebook.cells:
            if cell.id.startswith("test-"):
                cell["cell_type"] = kind
                cell["source"] = "2.0"

    return change


def _own_tests(notebook):
    for cell in notebook.cells:
        if cell.id == "test-scale":
            cell["source"] = "2.0"
            cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "2.0"}, "metadata": {}}]


def _more_tests(notebook):
    extra = copy.deepcopy(next(cell for cell in notebook.cells if cell.id == "test-scale"))
    extra["source"] = "2.0"
    for number in range(3):
        notebook.cells.append(copy.deepcopy(extra))
        extra["id"] = extra["metadata"]["nbgrader"]["grade_id"] = f"test-more-{number}"


def _other_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "evil"}


CHANGES = {
    "tags": _tagged,
    "points": _worth_more,
    "a solution cell that is graded": _solution_that_grades_itself,
    "test cells as text": _test_cells_as("markdown"),
    "test cells as raw": _test_cells_as("raw"),
    "test cells rewritten": _own_tests,
    "more test cells": _more_tests,
    "another kernel": _other_kernel,
}


@needs_bubblewrap
@pytest.mark.parametrize("change", CHANGES)
def test_metadata_give_no_points(change, tmp_path, sandbox):
    notebook = answered(scale=WRONG)
    CHANGES[change](notebook)
    found = verdicts(hand_in(tmp_path, "mallory", notebook), sandbox)
    assert {name: question.score for name, question in found.items()} == {
        **{"scale": 0.0, "add": 1.0, "Layer": 3.0, "angle": 2.0, "why": 0.0},
    }
    assert [question.max_score for question in found.values()] == [2.0, 1.0, 3.0, 2.0, 2.0]


@pytest.mark.slow
@needs_bubblewrap
def test_in_the_whole_run_the_honest_keep_their_marks(tmp_path):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    honest = hand_in(submitted, "ada", answered())
    hand_in(submitted, "zoe", answered())
    path = hand_in(submitted, "shadow", answered(scale=WRONG))
    for name in ("hyplearn.py", "torch.py", "json.py", "sitecustomize.py", "grading_toy.py"):
        (path.parent / name).write_text("raise SystemExit('shadowed')\n")
    (path.parent / "torch").mkdir()
    path = hand_in(submitted, "link", answered())
    path.unlink()
    path.symlink_to(honest)
    (submitted / "folder-link").mkdir()
    (submitted / "folder-link" / NAME).symlink_to(honest.parent)
    (submitted / "person-link").symlink_to(submitted / "ada")
    sql = f"""
import sqlite3
book = sqlite3.connect({str(out / "gradebook.db")!r})
book.execute("update grade set auto_score = 99")
book.commit()
"""
    hand_in(submitted, "sql", answered(add=sql + ANSWERS["add"], scale=WRONG))
    found = grade_toys(submitted, out)
    assert found["ada"].auto_score == found["zoe"].auto_score == found["ada"].max_auto_score == 8.0
    assert points(found["shadow"])["scale"] == points(found["sql"])["scale"] == points(found["sql"])["add"] == 0.0
    assert (found["shadow"].auto_score, found["sql"].auto_score) == (6.0, 5.0)
    for student in ("link", "folder-link", "person-link"):
        assert (found[student].auto_score, found[student].status) == (0.0, "could not be graded")
        assert "symbolic link" in found[student].reason
    assert sorted(path.name for path in (out / "autograded" / "shadow" / NAME).iterdir()) == [f"{NAME}.ipynb"]


@needs_bubblewrap
def test_the_worker_is_alone(tmp_path, sandbox, monkeypatch):
    """What a worker can see, asked in the worker."""
    monkeypatch.setenv("HYPLEARN_SEED", "very secret")
    submitted = hand_in(tmp_path / "other", "zoe", answered())
    probe = f"""
import os, json, socket, subprocess, signal
seen = {{}}
def attempt(name, action):
    try:
        seen[name] = repr(action())
    except BaseException as error:
        seen[name] = type(error).__name__
attempt('submission', lambda: open({str(submitted)!r}).read())
attempt('checkout', lambda: open({str(Path(__file__).parents[1] / "pyproject.toml")!r}))
attempt('spec', lambda: __import__('hyplearn.grading.spec'))
attempt('passwords', lambda: open('/etc/shadow').read())
attempt('network', lambda: socket.create_connection(('127.0.0.1', 22), 1))
attempt('fork', os.fork)
attempt('program', lambda: subprocess.run(['/bin/true']))
attempt('write', lambda: open('/usr/x', 'w'))
attempt('library', lambda: open('/library/hyplearn/x.py', 'w'))
attempt('setuid', lambda: os.setuid(0))
attempt('signal', lambda: os.kill(-1, signal.SIGTERM))
result = dict(seen, uid=os.getuid(), processes=os.listdir('/proc'), tmp=os.listdir('/tmp'), shm=os.listdir('/dev/shm'),
     secret=[k for k, v in os.environ.items() if 'very secret' in v], root=os.listdir('/'))
print(json.dumps(result))
"""
    result = verify_file(hand_in(tmp_path, "mallory", answered(scale=probe)), RELEASE, SET, sandbox, QUICK)
    (output,) = result.outputs["scale"]
    assert output["output_type"] == "stream", output
    seen = json.loads(output["text"])
    assert seen.pop("uid") not in (0, os.getuid())
    # Where Python itself is installed below /tmp, the way to it is all that /tmp holds.
    ways = {Path(prefix).parts[2] for prefix in (sys.prefix, sys.base_prefix) if prefix.startswith("/tmp/")}
    assert set(seen.pop("tmp")) == ways
    assert {name: seen.pop(name) for name in ("processes", "shm", "secret")} == {
        **{"processes": [], "shm": [], "secret": []},
    }
    assert not {"srv", "mnt", "media", "var", "opt", "boot"} & set(seen.pop("root"))
    assert seen == {
        **{"submission": "FileNotFoundError", "checkout": "FileNotFoundError", "spec": "ModuleNotFoundError"},
        **{"passwords": "FileNotFoundError", "network": "PermissionError", "fork": "PermissionError"},
        **{"program": "PermissionError", "write": "OSError", "library": "OSError", "setuid": "OSError"},
        **{"signal": "ProcessLookupError"},
    }


def test_missing_isolation_is_refused_and_said(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BadInput, match=r"--isolation: bubblewrap is not installed.*none"):
        Sandbox()


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_values_survive_the_wire():
    values = [
        *(None, True, -7, 1 << 80, 0.1, float("inf"), "é", (1, [2.5]), {"a": 1, 2: "b"}, 1 + 2j),
        *(torch.float32, torch.Size([2, 3]), torch.arange(6).reshape(2, 3)[:, ::2], torch.zeros(0, 3)),
        *(torch.tensor(1.5, dtype=torch.bfloat16), torch.tensor([1 + 1j]).conj(), torch.tensor([True, False])),
    ]
    packer = wire.Packer()
    tree = json.loads(json.dumps([packer.pack(value) for value in values]))
    unpacker = wire.Unpacker(b"".join(map(wire._raw, packer.tensors)))
    for value, item in zip(values, tree, strict=True):
        back = unpacker.unpack(item)
        if isinstance(value, torch.Tensor):
            assert back.dtype == value.dtype and torch.equal(back, value)
        else:
            assert type(back) is type(value) and back == value


def test_a_mangled_frame_is_refused_and_nothing_else():
    packer = wire.Packer()
    tree = packer.pack({"x": [torch.ones(2, 2), (1.5, None)], "y": torch.tensor([True])})
    header, body = json.dumps({"id": 1, "value": tree}).encode(), b"".join(map(wire._raw, packer.tensors))
    frame = struct.pack(">IQ", len(header), len(body)) + header + body
    rng, refused = random.Random(0), 0
    for _ in range(2000):
        mangled = bytearray(frame)
        for _ in range(rng.randrange(1, 5)):
            mangled[rng.randrange(len(mangled))] = rng.randrange(256)
        a, b = socket.socketpair()
        with a, b:
            a.sendall(mangled[: rng.randrange(1, len(mangled) + 1)] if rng.random() < 0.2 else mangled)
            a.shutdown(socket.SHUT_WR)
            try:
                message, rest = wire.receive(b)
                wire.Unpacker(rest).unpack(message.get("value"))
            except (wire.WireError, wire.Disconnected):
                refused += 1
    assert refused > 200  # the others changed a number, or a byte that means nothing


def test_honest_answers_are_full_marks():
    assert set(ANSWERS) == {*SET.exercises, *SET.written}
