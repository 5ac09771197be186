"""The course's machinery on a toy course of one lecture and one exercise set."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

import hyplearn.grading
from hyplearn.course.build import build
from hyplearn.course.bundle import bundle
from hyplearn.course.check import check, leaks
from hyplearn.course.demo import demo
from hyplearn.course.execute import load
from hyplearn.course.layout import Course
from hyplearn.course.listing import rows, table
from hyplearn.course.outputs import compare, difference, faults
from hyplearn.course.pull import pull
from hyplearn.course.source import facts, heading, read
from hyplearn.course.student import start, submit
from hyplearn.errors import BadInput, Failed

NAME = "00_toy"
LECTURE = """# %% [markdown] id="title"
# # 00 · A toy
#
# **Question.** Does it
# build?
#
# **Reading time:** 7 minutes

# %% id="values"
import math

print(f"pi = {math.pi:.4f}")

# %% id="trained" tolerance=0.1
print("accuracy 0.83")
"""
SOLUTION = """# %% [markdown] id="title"
# # 00 · A toy: exercises
#
# {{exercise:double}}

# %% solution="double"
def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    answer_of_the_solution = 2 * x
    return answer_of_the_solution
    ### END SOLUTION


# %% test="double"
print("visible checks passed")
earned = 1.0
### BEGIN HIDDEN TESTS
earned = 3.0 if double(2) == 4 else 0.0
### END HIDDEN TESTS
earned

# %% [markdown] written="why"
# Because the sum of x and x is the answer.
"""
ITEM = dict(title="Double", minutes=5, difficulty=2)
TOY = SimpleNamespace(
    exercises={"double": SimpleNamespace(points=3.0, **ITEM)}, written={"why": SimpleNamespace(points=2.0, **ITEM)}
)


def log(line: str) -> None:
    pass


def make(root: Path) -> Course:
    for kind, text in (("lectures", LECTURE), ("solutions", SOLUTION)):
        (root / "sources" / kind).mkdir(parents=True)
        (root / "sources" / kind / f"{NAME}.py").write_text(text, encoding="utf-8")
    for name in ("nbgrader_config.py", "LICENSE", "constraints.txt"):
        shutil.copy(Path(__file__).parents[1] / name, root)
    return Course(root)


@pytest.fixture(autouse=True)
def toy_set(monkeypatch):
    monkeypatch.setattr(hyplearn.grading, "load_set", lambda name: TOY)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyplearn.grading, "load_set", lambda name: TOY)
        course = make(tmp_path_factory.mktemp("toy"))
        build(course, [NAME], log=log)
    return course


@pytest.fixture
def built(built_once, tmp_path):
    """A copy of the built toy course, for a test to spoil."""
    shutil.copytree(built_once.root, tmp_path / "course")
    return Course(tmp_path / "course")


def contents(course: Course) -> dict:
    return {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}


def change(path: Path, cell_id: str, source: str) -> None:
    notebook = load(path)
    next(cell for cell in notebook.cells if cell.id == cell_id).source = source
    nbformat.write(notebook, path)


def test_a_second_build_changes_nothing_and_a_forced_one_no_byte(built):
    before = contents(built)
    assert build(built, [NAME], log=log) == []
    assert build(built, [NAME], force=True, log=log) == []
    assert contents(built) == before
    for path in (built.lecture(NAME), built.solution(NAME), built.exercise(NAME)):
        assert "version" not in load(path).metadata.language_info and load(path).nbformat_minor == 5


def test_the_release_holds_neither_answer_nor_hidden_test(built):
    notebook = load(built.exercise(NAME))
    text = built.exercise(NAME).read_text()
    assert "answer_of_the_solution" not in text and "double(2) == 4" not in text and "Because the sum" not in text
    assert "raise NotImplementedError()" in text and "YOUR ANSWER HERE" in text
    assert [cell.id for cell in notebook.cells] == ["title", "double", "test-double", "why"]
    assert notebook.cells[2].metadata.nbgrader.points == 3.0
    assert leaks(load(built.solution(NAME)), notebook) == []
    assert leaks(load(built.solution(NAME)), load(built.solution(NAME)))


def test_listing(built):
    (row,) = rows(built)
    assert 0 < row.pop("seconds_run") < 60
    assert row == {
        "name": NAME,
        "title": "A toy",
        "question": "Does it build?",
        "minutes_read": 7,
        "exercises": 2,
        "points": 5.0,
        "difficulty": 2.0,
    }
    assert table([{"a": "x", "b": 1.5}, {"a": "long", "b": None}], {"a": "name", "b": "n"}) == (
        "name    n\n----  ---\nx     1.5\nlong    -"
    )


def test_check_is_content_with_a_fresh_build(built):
    assert check(built, [NAME]) == []


@pytest.mark.parametrize(
    "kind, command", [("lecture", "course pull"), ("solution", "course pull"), ("exercise", "start")]
)
def test_check_and_build_stop_at_a_notebook_edited_by_hand(built, kind, command):
    path = getattr(built, kind)(NAME)
    change(path, "title", "# 00 · Another title")
    (problem,) = check(built, [NAME])
    assert built.relative(path) in problem and f"hyplearn {command} {NAME}" in problem and "--force" in problem
    with pytest.raises(Failed, match="was edited since it was built"):
        build(built, [NAME], log=log)
    assert "Another title" in path.read_text()


def test_pull_writes_the_edit_into_the_text_and_keeps_every_other_line(built):
    before = built.solution_text(NAME).read_text()
    change(built.solution(NAME), "why", "A new model answer.")
    assert pull(built, NAME) == [built.solution_text(NAME)]
    expected = before.replace("Because the sum of x and x is the answer.", "A new model answer.")
    assert built.solution_text(NAME).read_text() == expected
    build(built, [NAME], log=log)
    assert check(built, [NAME]) == [] and pull(built, NAME) == []


def test_pull_refuses_to_lose_a_change_of_the_text(built):
    change(built.lecture(NAME), "values", "print(1)")
    text = built.lecture_text(NAME)
    text.write_text(text.read_text().replace("A toy", "A new toy"))
    with pytest.raises(Failed, match="was changed too"):
        pull(built, NAME)
    assert pull(built, NAME, force=True) == [text] and "A new toy" not in text.read_text()


def test_a_changed_text_makes_its_notebook_stale_and_nothing_else(built):
    text = built.lecture_text(NAME)
    text.write_text(text.read_text().replace("accuracy 0.83", "accuracy 0.84"))
    (problem,) = check(built, [NAME])
    assert "is older than its text" in problem and f"hyplearn course build {NAME}" in problem
    assert build(built, [NAME], log=log) == [built.lecture(NAME)]
    assert "accuracy 0.84" in built.lecture(NAME).read_text() and check(built, [NAME]) == []


def test_another_number_of_points_makes_the_set_stale(built, monkeypatch):
    monkeypatch.setitem(TOY.exercises, "double", SimpleNamespace(points=4.0, **ITEM))
    assert any("is older than its text" in problem for problem in check(built, [NAME]))


def test_a_notebook_of_unknown_origin_is_not_overwritten(built):
    notebook = load(built.lecture(NAME))
    del notebook.metadata["hyplearn"]
    nbformat.write(notebook, built.lecture(NAME))
    assert "is older than its text" in check(built, [NAME])[0]  # its cells are those of the text: nothing would be lost
    change(built.lecture(NAME), "values", "print('mine')")
    assert "was edited" in check(built, [NAME])[0]
    with pytest.raises(Failed, match="was edited"):
        build(built, [NAME], log=log)


def test_strays_and_missing_notebooks_are_found(built):
    (built.root / "solutions" / NAME / "notes.txt").write_text("secret")
    built.exercise(NAME).unlink()
    problems = "\n".join(check(built, [NAME]))
    assert "notes.txt belongs to no text" in problems and f"exercises/{NAME}/{NAME}.ipynb is missing" in problems


def test_an_answer_in_a_release_is_found(built):
    change(built.exercise(NAME), "double", "def double(x):\n    answer_of_the_solution = 2 * x")
    assert "gives the answer away" in "\n".join(check(built, [NAME]))


BAD = {
    "warns": ("import sys; print('warning', file=sys.stderr)", "writes to stderr: 'warning'"),
    "temporary": ("import tempfile; print(tempfile.gettempdir() + '/x')", "shows a path of this machine"),
    "home": ("print('/home/somebody/course')", "shows a path of this machine: '/home/somebody/course"),
    "address": ("object()", "shows an address in memory"),
    "figure": ("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()", "shows a figure without alt text"),
}


def test_a_lecture_that_must_not_be_published_is_not_written(tmp_path):
    course = make(tmp_path)
    course.solution_text(NAME).unlink()
    bad = "".join(f'\n# %% id="{name}"\n{code}\n' for name, (code, _) in BAD.items())
    course.lecture_text(NAME).write_text(LECTURE + bad)
    with pytest.raises(Failed) as failure:
        build(course, [NAME], log=log)
    for name, (_, fault) in BAD.items():
        assert f"cell {name!r} {fault}" in str(failure.value)
    assert not course.lecture(NAME).exists()


def test_a_failing_cell_is_named_and_the_other_notebooks_are_built(tmp_path):
    course = make(tmp_path)
    course.lecture_text(NAME).write_text(LECTURE + '\n# %% id="bad"\n1 / 0\n')
    with pytest.raises(Failed, match=f"lectures/{NAME}.ipynb: cell 'bad' failed with ZeroDivisionError"):
        build(course, [NAME], log=log)
    assert not course.lecture(NAME).exists() and course.exercise(NAME).exists()


def test_a_solution_that_does_not_earn_its_points_is_not_written(tmp_path):
    course = make(tmp_path)
    course.solution_text(NAME).write_text(SOLUTION.replace("2 * x", "3 * x"))
    with pytest.raises(Failed, match=r"'test-double' earns 0\.0, not its 3 points"):
        build(course, [NAME], log=log)
    assert not course.solution(NAME).exists() and not course.exercise(NAME).exists()


def test_faults_knows_a_figure_with_alt_text():
    image = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0"}, metadata={"alt": "a line"})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", id="figure", outputs=[image])])
    assert faults(notebook) == []
    image.metadata = {}
    assert "without alt text" in faults(notebook)[0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("# %%\nx = 1", "needs one name"),
        ('# %% id="a"\nx = 1\n\n# %% id="a"\ny = 1', "two cells are called 'a'"),
        ('# %% id="a b"\nx = 1', "cannot name a cell"),
        ('# %% id="a" test="double"\nx = 1', "needs one name"),
        ('# %% test="triple"\nx = 1', "no exercise of its spec"),
        ('# %% [markdown] id="a"\n# {{exercise:triple}}', "no exercise of its spec"),
    ],
)
def test_a_wrong_marker_is_named(tmp_path, text, message):
    path = tmp_path / "00_toy.py"
    path.write_text(text)
    with pytest.raises(Failed, match=message):
        read(path, TOY)


def test_heading_says_what_it_misses():
    assert heading("# 01 · T\n\n**Question.** Why\nnot?\n\n**Reading time:** 9 minutes", "x").question == "Why not?"
    for text in ("# T", "# 01 · T", "# 01 · T\n\n**Question.** Why?"):
        with pytest.raises(Failed, match="first cell lacks"):
            heading(text, "x")


def test_facts_of_an_exercise():
    assert facts(TOY.exercises["double"]) == "*Difficulty ●●○○○ (2 of 5) · 3 points · about 5 minutes*"


@pytest.mark.parametrize(
    "expected, got, tolerance, same",
    [
        ("pi = 3.141592653", "pi = 3.141592654", None, True),
        ("pi = 3.14159", "pi = 3.14158", None, False),
        ("a  1.0\nb 2", "a 1.0 b 2", None, True),
        ("area 1.0", "defect 1.0", None, False),
        ("area 1.0", "defect 1.0", 1.0, False),
        ("accuracy 0.80", "accuracy 0.78", 0.05, True),
        ("accuracy 0.80", "accuracy 0.70", 0.05, False),
        ("0.3 s", "0.5 s", 1.0, True),
        ("loss 1.0", "loss -1.0", 1.0, False),
        ("error 3e-17", "error 0.0", None, True),
        ("H2 has 3 points", "H2 has 4 points", None, False),
    ],
)
def test_difference_of_two_runs(expected, got, tolerance, same):
    assert (difference(expected, got, tolerance) is None) == same


def test_compare_names_the_cell_that_says_something_else(built):
    stored, fresh = load(built.lecture(NAME)), load(built.lecture(NAME))
    assert compare(stored, fresh) == []
    fresh.cells[2].outputs[0].text = "accuracy 0.85\n"
    assert compare(stored, fresh) == []
    fresh.cells[1].outputs[0].text = "pi = 3.1415\n"
    (found,) = compare(stored, fresh)
    assert found == "cell 'values': printed 3.1415, expected 3.1416"
    fresh.cells.pop()
    assert "not the same" in compare(stored, fresh)[0]


def test_a_students_copy_is_never_overwritten(built):
    copy, backup = start(built, NAME)
    assert copy.read_bytes() == built.exercise(NAME).read_bytes() and backup is None
    change(copy, "double", "def double(x):\n    return x + x")
    mine = copy.read_bytes()
    assert start(built, NAME) == (copy, None) and copy.read_bytes() == mine
    copy, backup = start(built, NAME, reset=True)
    assert backup.read_bytes() == mine and copy.read_bytes() == built.exercise(NAME).read_bytes()


def test_submit_packs_the_copy_and_remarks_on_it(built):
    copy, _ = start(built, NAME)
    archive, remarks = submit(built, NAME)
    assert remarks == ["double: not attempted", "why: not attempted"]
    change(copy, "double", "def double(x)\n    return x + x")
    assert "line 1 is not Python" in submit(built, NAME)[1][0]
    with zipfile.ZipFile(archive) as file:
        assert file.namelist() == [f"{NAME}/{NAME}.ipynb"] and file.read(file.namelist()[0]) == copy.read_bytes()


def test_submit_refuses_what_could_not_be_graded(built):
    with pytest.raises(BadInput, match="hyplearn start"):
        submit(built, NAME)
    copy, _ = start(built, NAME)
    document = json.loads(copy.read_text())
    removed = document["cells"].pop(1)
    copy.write_text(json.dumps(document))
    with pytest.raises(Failed, match="'double' is missing"):
        submit(built, NAME)
    document["cells"] += [removed, removed]
    copy.write_text(json.dumps(document))
    with pytest.raises(Failed, match="more than once"):
        submit(built, NAME)
    copy.write_text("{")
    with pytest.raises(Failed, match="no readable notebook"):
        submit(built, NAME)


def test_a_bundle_holds_what_students_get_and_nothing_else(built, tmp_path):
    out = tmp_path / "handout"
    files = {path.relative_to(out).as_posix() for path in bundle(built, out)}
    wheel = f"hyplearn-{hyplearn.__version__}-py3-none-any.whl"
    assert files == {
        *(f"lectures/{NAME}.ipynb", f"exercises/{NAME}/{NAME}.ipynb", wheel),
        *("README.md", "LICENSE", "constraints.txt"),
    }
    assert wheel in (out / "README.md").read_text() and f"hyplearn start {NAME}" in (out / "README.md").read_text()
    for path in (out / "lectures", out / "exercises"):
        assert not any("answer_of_the_solution" in file.read_text() for file in path.rglob("*.ipynb"))

    # The wheel is complete: its list of files is that of the package, and every hash in it is right.
    with zipfile.ZipFile(out / wheel) as archive:
        names = archive.namelist()
        assert all(name.startswith(("hyplearn/", f"hyplearn-{hyplearn.__version__}.dist-info/")) for name in names)
        assert {"hyplearn/py.typed", "hyplearn/grading/check.py", "hyplearn/viz/static/geometry.js"} <= set(names)
        about = next(name for name in names if name.endswith("RECORD"))
        for line in archive.read(about).decode().splitlines()[:-1]:
            name, digest, size = line.rsplit(",", 2)
            found = hashlib.sha256(archive.read(name)).digest()
            assert digest == "sha256=" + base64.urlsafe_b64encode(found).decode().rstrip("=")
            assert int(size) == archive.getinfo(name).file_size
        archive.extractall(tmp_path / "site")

    # A student works in it: the checks of a released notebook run from the wheel, and the commands find the course.
    code = "import hyplearn.grading; from hyplearn.grading import checker; checker('01_parallel_postulate')\n"
    code += "from hyplearn.course.layout import Course; course = Course.find(); print(course.names(), course.root)\n"
    code += "from hyplearn.course.student import start; start(course, course.names()[0]); print(hyplearn.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-P", "-c", code]
    said = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, check=True).stdout
    assert said == f"{[NAME]} {out.resolve()}\n{tmp_path / 'site' / 'hyplearn' / '__init__.py'}\n"
    assert (out / "mywork" / NAME / f"{NAME}.ipynb").exists()


def test_a_bundle_is_made_whole_or_not_at_all(built, tmp_path, monkeypatch):
    out = tmp_path / "handout"
    change(built.exercise(NAME), "double", "def double(x):\n    answer_of_the_solution = 2 * x")
    with pytest.raises(Failed, match="gives the answer away"):
        bundle(built, out)
    build(built, [NAME], force=True, log=log)
    monkeypatch.setattr("hyplearn.course.bundle._write_wheel", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bundle(built, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course"]
    out.mkdir()
    with pytest.raises(BadInput, match=r"--out: .* is there already"):
        bundle(built, out)


def test_the_digest_sees_every_text_and_notebook(built):
    assert not built.is_current()
    built.set_current()
    assert built.is_current()
    change(built.exercise(NAME), "why", "x")
    assert not built.is_current()


def test_the_demo_grades_again_only_when_something_has_changed(built, monkeypatch, capsys):
    question = {"name": "double", "score": 0.0, "max_score": 3.0, "verdict": "wrong", "mistake": "double_of_the_double"}
    grade = {"student": "mistaken", "assignment": NAME, "auto_score": 0.0, "max_auto_score": 3.0, "max_score": 5.0}
    calls = []

    def grade_samples(course):
        calls.append(course)
        return [grade | {"score": 0.0, "status": "graded", "reason": "", "questions": [question]}]

    monkeypatch.setattr("hyplearn.course.demo.grade_samples", grade_samples)
    for _ in range(2):
        demo(built)
        said = capsys.readouterr().out
        assert "A toy" in said and "mistaken" in said and "double_of_the_double" in said and "make lab" in said
    assert calls == [built]
    built.lecture_text(NAME).write_text(LECTURE.replace("A toy", "Another toy"))
    demo(built)
    assert len(calls) == 2 and "Another toy" in capsys.readouterr().out
