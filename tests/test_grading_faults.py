"""Broken submissions, broken circumstances: each costs what it must, says so in plain words, and harms no other."""

import copy
import csv
import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from grading_toy import (
    ANSWERS,
    NAME,
    QUICK,
    RELEASE,
    SET,
    answered,
    grade_toys,
    hand_in,
    needs_bubblewrap,
    points,
    read_feedback,
)

from hyplearn.course import layout
from hyplearn.errors import Failed
from hyplearn.grading import command, isolation
from hyplearn.grading.isolation import Sandbox, masked_names
from hyplearn.grading.verify import Result, verify_file

SMALL = replace(QUICK, memory=512 << 20, disk=16 << 20, file_size=8 << 20, threads=64)
OTHERS = {"add": 1.0, "Layer": 3.0, "angle": 2.0}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(masked_names(SET)) as running:
        yield running


def graded(path, sandbox, limits=SMALL) -> Result:
    return verify_file(path, RELEASE, SET, sandbox, limits)


# --- code that does not end, or ends everything -----------------------------------------------------------------------

RIGHT = ANSWERS["scale"]


def _read_faults() -> dict[str, tuple[str, str]]:
    """By name: the code, and words of the verdict."""
    found = {}
    for section in Path(__file__).with_name("faults.txt").read_text().split("\n=== ")[1:]:
        title, code = section.split("\n", 1)
        words, name = title.rsplit(": ", 1)
        found[name] = code.replace("RIGHT", RIGHT), words
    found["null bytes"] = RIGHT + "\0", "process|null|there is no function"
    return found


FAULTS = _read_faults()


@needs_bubblewrap
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_question_and_says_why(fault, tmp_path, sandbox):
    code, words = FAULTS[fault]
    limits = replace(SMALL, cell=4.0, call=4.0, question=8.0) if words == "did not finish within" else SMALL
    result = graded(hand_in(tmp_path, "student", answered(scale=code)), sandbox, limits)
    found = {question.name: question for question in result.questions}
    assert found["scale"].score == 0.0 and found["scale"].verdict in ("error", "wrong")
    assert any(word in found["scale"].message for word in words.split("|")), found["scale"].message
    assert {name: found[name].score for name in OTHERS} == OTHERS


@needs_bubblewrap
def test_much_output_is_cut_and_the_answer_counts(tmp_path, sandbox):
    code = "for _ in range(500):\n    print('x' * 100_000)\n" + RIGHT + "import sys\nsys.stderr.write('warning')\n"
    result = graded(hand_in(tmp_path, "student", answered(scale=code)), sandbox)
    assert result.questions[0].score == 2.0
    assert len(result.to_json()) < 200_000


@needs_bubblewrap
def test_a_worker_that_dies_later_is_started_again(tmp_path, sandbox):
    code = "import os, threading\nthreading.Timer(0.3, os._exit, (1,)).start()\n" + RIGHT
    slow = "import time\ntime.sleep(1)\n" + ANSWERS["add"]
    result = graded(hand_in(tmp_path, "student", answered(scale=code, add=slow)), sandbox)
    assert result.status == "graded"  # whatever it is worth, it ends


# --- files ------------------------------------------------------------------------------------------------------------


def as_json(notebook, **changes) -> str:
    return json.dumps({**notebook, **changes})


UNREADABLE = {
    "no notebook": ("", "empty"),
    "broken JSON": (as_json(answered())[:-300], "no valid JSON"),
    "no JSON": ("Hello, here is my homework", "no valid JSON"),
    "a list": ("[]", "no Jupyter notebook"),
    "a number": ("1" * 10_000, "no valid JSON|no Jupyter notebook"),
    "deep JSON": ("[" * 200_000, "nested too deeply|no valid JSON"),
    "deep cells": ('{"nbformat": 4, "cells": ' + "[" * 50_000, "nested|no valid JSON"),
    "cells that are no list": (as_json(answered(), cells={"a": 1}), "no cells"),
    "no cells": (as_json(answered(), cells=[]), "none of its cells"),
    "too many cells": (as_json(answered(), cells=[{}] * 3000), "more than 2000 cells"),
    "a future format": (as_json(answered(), nbformat=7), "no cells that can be read"),
    "a format of no number": (as_json(answered(), nbformat="four"), "no Jupyter notebook"),
    "UTF-16": (as_json(answered()).encode("utf-16"), "not UTF-8"),
    "Latin-1": (as_json(answered()).encode()[:-1] + b"\xe9}", "not UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8"),
    "too large": (b" " * (21 << 20), "larger than"),
    "another assignment": (
        as_json(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])),
        "another one",
    ),
}


@needs_bubblewrap
@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_file_that_cannot_be_read_says_why(fault, tmp_path, sandbox):
    content, words = UNREADABLE[fault]
    result = graded(hand_in(tmp_path, "student", content), sandbox)
    assert result.status == "could not be graded" and result.final
    assert any(word in result.reason for word in words.split("|")), result.reason


def _stripped(notebook):
    for cell in notebook.cells:
        cell["metadata"] = {}


def _stripped_of_ids(notebook):
    _stripped(notebook)
    for cell in notebook.cells:
        del cell["id"]


def _old_ids(notebook):
    notebook["nbformat_minor"] = 2
    for cell in notebook.cells:
        del cell["id"]


def _reordered(notebook):
    notebook.cells.reverse()


def _duplicated_later(notebook):
    """A first try is still there, the last one counts."""
    number = next(n for n, cell in enumerate(notebook.cells) if cell.id == "scale")
    first = copy.deepcopy(notebook.cells[number])
    first["source"] = "def scale(x, c):\n    return x\n"
    notebook.cells.insert(number, first)


def _duplicated_stub(notebook):
    """The empty stub was copied to the end: it is no answer."""
    stub = copy.deepcopy(next(cell for cell in RELEASE.cells if cell.id == "scale"))
    notebook.cells.append(stub)


def _everything_twice(notebook):
    notebook.cells += copy.deepcopy(notebook.cells)


def _renamed(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["grade_id"] = f"my {cell.id}"


def _renamed_and_new_ids(notebook):
    _renamed(notebook)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"x{number}"
    notebook.cells[0]["id"] = "title"


def _no_tests(notebook):
    notebook["cells"] = [cell for cell in notebook.cells if not cell.id.startswith("test-")]


def _no_set_up(notebook):
    notebook["cells"] = [cell for cell in notebook.cells if cell.id != "set-up"]


def _odd_cells(notebook):
    notebook["cells"] += [None, 3, "cell", {}, {"cell_type": "code"}, {"source": 5, "metadata": []}]


def _lists_of_lines(notebook):
    for cell in notebook.cells:
        cell["source"] = cell["source"].splitlines(keepends=True)


def _old_schema(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 1


def _future_schema(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["schema_version"] = 99


def _lone_surrogate(notebook):
    notebook.cells[0]["source"] = "\ud800 a broken emoji"


BENT = [
    *(_stripped, _stripped_of_ids, _old_ids, _reordered, _duplicated_later, _duplicated_stub, _everything_twice),
    *(_renamed, _renamed_and_new_ids, _no_tests, _no_set_up, _odd_cells, _lists_of_lines, _old_schema),
    *(_future_schema, _lone_surrogate),
]


@needs_bubblewrap
@pytest.mark.parametrize("change", BENT, ids=lambda change: change.__name__.strip("_"))
def test_a_bent_notebook_with_right_answers_gets_full_marks(change, tmp_path, sandbox):
    notebook = answered()
    change(notebook)
    result = graded(hand_in(tmp_path, "student", notebook), sandbox)
    assert result.status == "graded", result.reason
    found = {question.name: question.score for question in result.questions}
    assert found == {"scale": 2.0, **OTHERS, "why": 0.0}, [question.message for question in result.questions]


@needs_bubblewrap
def test_the_third_format_is_read(tmp_path, sandbox):
    old = nbformat.convert(answered(), 3)
    result = graded(hand_in(tmp_path, "student", json.dumps(old)), sandbox)
    assert {question.name: question.score for question in result.questions} == {"scale": 2.0, **OTHERS, "why": 0.0}


@needs_bubblewrap
def test_missing_cells_cost_their_questions_only(tmp_path, sandbox):
    notebook = answered()
    notebook["cells"] = [cell for cell in notebook.cells if cell.id not in ("scale", "why")]
    result = graded(hand_in(tmp_path, "student", notebook), sandbox)
    assert {question.name: question.score for question in result.questions} == {"scale": 0.0, **OTHERS, "why": 0.0}
    assert "the cell of `scale` is missing" in result.notes


# --- the whole run ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_bubblewrap
def test_what_could_not_be_graded_is_said_everywhere_and_is_no_bare_zero(tmp_path):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    hand_in(submitted, "ada", answered())
    hand_in(submitted, "broken", "{")
    (submitted / "empty" / NAME).mkdir(parents=True)
    (hand_in(submitted, "renamed", answered())).rename(submitted / "renamed" / NAME / "final (2).ipynb")
    path = hand_in(submitted, "two", answered())
    path.rename(path.with_name("a.ipynb"))
    path.with_name("b.ipynb").write_text("{}")
    (submitted / "elsewhere" / "77_other").mkdir(parents=True)
    os.mkfifo(hand_in(submitted, "pipe", "").with_name("pipe.ipynb"))
    (submitted / "pipe" / NAME / f"{NAME}.ipynb").unlink()
    (submitted / "stray file").write_text("x")
    found = grade_toys(submitted, out)
    assert found["ada"].auto_score == found["renamed"].auto_score == 8.0
    words = {
        **{"broken": "no valid JSON", "empty": "there is no notebook", "two": "there is no notebook"},
        **{"elsewhere": "no assignment called '77_other'", "pipe": "not a regular file"},
    }
    table = {row["student"]: row for row in csv.DictReader((out / "grades.csv").open())}
    assert set(table) == set(found) == {"ada", "renamed", *words}
    for student, reason in words.items():
        assert found[student].status == "could not be graded"
        assert table[student]["reason"].startswith("could not be graded: ") and reason in table[student]["reason"]
        if student != "elsewhere":
            page = read_feedback(out, student)
            assert "could not be graded" in page and reason.replace("'", "&#x27;") in page
    imported = {row["Student"]: row for row in csv.DictReader((out / "lms.csv").open())}
    assert {student: row[NAME] for student, row in imported.items()} == {
        **dict.fromkeys(words, ""),
        **{"ada": "8.0", "renamed": "8.0"},
    }
    with sqlite3.connect(out / "gradebook.db") as book:
        waiting = book.execute(
            "select count(*) from grade join submitted_notebook on grade.notebook_id = submitted_notebook.id join "
            "submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id "
            "where student_id = 'broken' and auto_score is null and needs_manual_grade"
        ).fetchone()
    assert waiting == (5,)  # all questions: a person decides


@pytest.mark.slow
@needs_bubblewrap
def test_killed_in_the_middle_it_goes_on_where_it_stopped(tmp_path):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    slow = "import time\ntime.sleep(0.4)\n" + ANSWERS["scale"]
    for number in range(6):
        answers = {"scale": slow} if number % 2 else {"scale": slow, "add": "def add(x, y):\n    return x - y\n"}
        hand_in(submitted, f"student{number}", answered(**answers))
    code = f"""
    import sys
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from grading_toy import grade_toys
    grade_toys(Path({str(submitted)!r}), Path({str(out)!r}))
    """
    running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(done := list(out.glob("verdicts/*/*.json"))) < 2:
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.glob("verdicts/*/*.json")}
    assert 2 <= len(done) <= len(before) < 6 and not (out / "grades.csv").exists()

    found = grade_toys(submitted, out)
    assert len(list(out.glob("verdicts/*/*.json"))) == 6
    assert all((path.stat().st_mtime_ns, path.read_bytes()) == kept for path, kept in before.items())
    assert [points(found[f"student{n}"])["add"] for n in range(6)] == [0.0, 1.0] * 3
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]  # no half-written file is left

    table = (out / "grades.csv").read_text()
    again = grade_toys(submitted, out)
    assert (out / "grades.csv").read_text() == table and again.keys() == found.keys()


@pytest.mark.slow
@needs_bubblewrap
def test_one_student_is_graded_again_and_manual_grades_stay(tmp_path):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    hand_in(submitted, "ada", answered())
    hand_in(submitted, "ben", answered(scale="def scale(x, c):\n    return x\n"))
    grade_toys(submitted, out)
    with sqlite3.connect(out / "gradebook.db") as book:  # what the formgrader does
        book.execute(
            "update grade set manual_score = 1.5, needs_manual_grade = 0 where cell_id in "
            "(select id from base_cell where name = 'why')"
        )
    verdict = out / "verdicts" / "ada" / f"{NAME}.json"
    before = verdict.stat().st_mtime_ns
    hand_in(submitted, "ben", answered())
    found = grade_toys(submitted, out, student="ben")
    assert verdict.stat().st_mtime_ns == before
    assert (found["ben"].auto_score, found["ada"].auto_score) == (8.0, 8.0)
    assert found["ada"].score == found["ben"].score == 9.5
    assert len((out / "grades.csv").read_text().splitlines()) == 3


@pytest.mark.slow
@needs_bubblewrap
def test_a_locked_gradebook_is_waited_for_and_then_named(tmp_path, monkeypatch):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    hand_in(submitted, "ada", answered())
    grade_toys(submitted, out)
    lock = sqlite3.connect(out / "gradebook.db", check_same_thread=False)
    lock.execute("begin exclusive")
    threading.Timer(7.0, lock.rollback).start()  # longer than SQLite itself waits
    assert grade_toys(submitted, out)["ada"].auto_score == 8.0
    lock.execute("begin exclusive")
    monkeypatch.setattr(command, "LOCK_WAIT", 0)
    with pytest.raises(Failed, match=r"gradebook\.db: database is locked.*no verdict is lost"):
        grade_toys(submitted, out)
    lock.rollback()
    lock.close()


@pytest.mark.slow
@needs_bubblewrap
def test_a_full_disk_ends_in_one_line_and_loses_nothing(tmp_path, monkeypatch):
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    for student in ("ada", "ben"):
        hand_in(submitted, student, answered())
    real, written = layout.write, []

    def full(path, text):
        if "verdicts" in path.parts:
            written.append(path)
            if len(written) > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
        real(path, text)

    monkeypatch.setattr(command, "write", full)
    with pytest.raises(Failed, match=r"--out: cannot write to .* \(No space left on device\)"):
        grade_toys(submitted, out)
    monkeypatch.setattr(command, "write", real)
    kept = written[0].stat().st_mtime_ns
    assert {item.auto_score for item in grade_toys(submitted, out).values()} == {8.0}
    assert written[0].stat().st_mtime_ns == kept


@pytest.mark.slow
@needs_bubblewrap
@pytest.mark.parametrize("dies", ["the grader", "the sandbox"])
def test_a_grader_that_dies_costs_its_submission_for_now(dies, tmp_path, monkeypatch):
    """A process that makes verdicts is killed (as for want of memory): the others are graded, this one next time."""
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    for student in ("ada", "ben", "cleo"):
        hand_in(submitted, student, answered())

    def verify(path, release, exercises, sandbox, limits):
        if "ben" in path.parts:
            os.kill(os.getpid() if dies == "the grader" else sandbox._process.pid, signal.SIGKILL)
            sandbox._process.wait()
        return verify_file(path, release, exercises, sandbox, limits)

    monkeypatch.setattr(command, "verify_file", verify)
    found = grade_toys(submitted, out)
    assert (found["ada"].auto_score, found["cleo"].auto_score) == (8.0, 8.0)
    said = {"the grader": "the grader's own process ended", "the sandbox": "the sandbox has ended"}[dies]
    assert found["ben"].reason.startswith(f"could not be graded: {said}")
    monkeypatch.undo()
    again = grade_toys(submitted, out)["ben"]
    assert again.auto_score == 8.0, [question.message for question in again.questions]


@needs_bubblewrap
def test_a_worker_that_cannot_be_set_up_is_no_zero(tmp_path, sandbox):
    path = hand_in(tmp_path, "student", answered())
    result = graded(path, sandbox, replace(SMALL, threads=0))  # not even the worker itself
    assert (result.status, result.final) == ("could not be graded", False)
    assert "the sandbox of its code could not be set up: Resource temporarily unavailable" in result.reason
    assert graded(path, sandbox).status == "graded"


@pytest.mark.slow
@needs_bubblewrap
def test_no_sandbox_ends_the_run_in_one_line(tmp_path, monkeypatch):
    hand_in(tmp_path / "submitted", "ada", answered())
    monkeypatch.setattr(isolation, "_bubblewrap", lambda library: ["bwrap", "--no-such-option"])
    with pytest.raises(Failed, match=r"the sandbox does not start: .*no-such-option"):
        grade_toys(tmp_path / "submitted", tmp_path / "out")
