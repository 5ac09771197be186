"""The grammar of a source text, and the notebook (without outputs) that it stands for.

A text is jupytext's py:percent format; the marker of every cell names it (CONTRIBUTING.md, "How to change a lecture"):

    # %% [markdown] id="title"           text
    # %% id="distance"                   code
    # %% id="train" tolerance=0.05       code whose printed numbers may differ by 5 % from run to run
    # %% solution="distance"             code that students write, between ### BEGIN SOLUTION and ### END SOLUTION
    # %% test="distance"                 its check, the hidden part between ### BEGIN and ### END HIDDEN TESTS
    # %% [markdown] written="why"        an answer that a person grades

`{{exercise:distance}}` in a text cell becomes the line with difficulty, points and minutes of that exercise.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

import hyplearn
from hyplearn.errors import Failed

MARKERS = ("id", "solution", "test", "written")
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}


@dataclass(frozen=True)
class Heading:
    """What the first cell of a lecture says about it."""

    title: str
    question: str
    minutes_read: int


def heading(text: str, where: str) -> Heading:
    """Read title, question and minutes from the text of a lecture's first cell."""
    title = re.match(r"# \d+ · (.+)", text)
    question = re.search(r"^\*\*Question\.\*\* (.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    minutes = re.search(r"\*\*Reading time:\*\* (\d+) minutes", text)
    for found, wanted in (
        (title, "`# 01 · Title` in its first line"),
        (question, "a paragraph `**Question.** ...`"),
        (minutes, "`**Reading time:** N minutes`"),
    ):
        if not found:
            raise Failed(f"{where}: the first cell lacks {wanted}")
    return Heading(title[1].strip(), " ".join(question[1].split()), int(minutes[1]))


def read(path: Path, exercise_set=None) -> nbformat.NotebookNode:
    """The notebook of a source text: cells named by their markers, exercises with the points of their specs.

    `exercise_set` is what `hyplearn.grading.load_set` returns; only solution texts need one.
    """
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    cells = []
    for cell in notebook.cells:
        cell_id, metadata = _expand_marker(cell, exercise_set, path.name)
        text = cell.source if cell.cell_type == "code" else _fill(cell.source, exercise_set, path.name)
        new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        cells.append(new(text, id=cell_id, metadata=metadata))
    ids = [cell.id for cell in cells]
    for cell_id in ids:
        if ids.count(cell_id) > 1:
            raise Failed(f"{path.name}: two cells are called {cell_id!r}; every name in a marker must be unique")
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def _expand_marker(cell, exercise_set, where: str) -> tuple[str, dict]:
    """The id and the metadata that a cell's marker stands for."""
    given = {key: cell.metadata[key] for key in MARKERS if key in cell.metadata}
    first_line = cell.source.split("\n")[0][:60]
    if len(given) != 1:
        raise Failed(f'{where}: the cell that begins with "{first_line}" needs one name in its marker: # %% id="..."')
    ((marker, name),) = given.items()
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", str(name)):
        raise Failed(f"{where}: {name!r} cannot name a cell; use letters, digits, _ and -")
    metadata = {"tolerance": cell.metadata["tolerance"]} if "tolerance" in cell.metadata else {}
    if marker == "id":
        return name, metadata
    grade_id = f"test-{name}" if marker == "test" else name
    nbgrader = {
        "cell_type": cell.cell_type,
        "grade": marker != "solution",
        "grade_id": grade_id,
        "locked": marker == "test",
        "schema_version": 3,
        "solution": marker != "test",
        "task": False,
    }
    if marker != "solution":
        nbgrader["points"] = _item(exercise_set, name, where).points
    return grade_id, metadata | {"nbgrader": nbgrader}


def _item(exercise_set, name: str, where: str):
    """The exercise, or the written answer, of this name."""
    items = {**exercise_set.exercises, **exercise_set.written} if exercise_set else {}
    if name not in items:
        raise Failed(f"{where}: {name!r} is no exercise of its spec, which has: {', '.join(items) or 'none'}")
    return items[name]


def facts(item) -> str:
    """The line above an exercise."""
    circles = "●" * item.difficulty + "○" * (5 - item.difficulty)
    points = "1 point" if item.points == 1 else f"{item.points:g} points" if item.points else "optional, no points"
    return f"*Difficulty {circles} ({item.difficulty} of 5) · {points} · about {item.minutes} minutes*"


def _fill(text: str, exercise_set, where: str) -> str:
    return re.sub(r"\{\{exercise:([\w-]+)\}\}", lambda found: facts(_item(exercise_set, found[1], where)), text)


def fingerprint(notebook, version: str = hyplearn.__version__) -> str:
    """A hash of what was written (not of what was computed) and of the library's version.

    The version stands for the library: a release re-executes every notebook, a mended typo in a docstring none, and
    that outputs are still what the library prints is for the tests to say, which execute everything again.
    """
    written = [
        [cell.id, cell.cell_type, cell.source, cell.metadata.get("nbgrader"), cell.metadata.get("tolerance")]
        for cell in notebook.cells
    ]
    text = json.dumps([version, written], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def to_text(notebook, path: Path, exercise_set=None) -> str:
    """The source text of a notebook, the inverse of `read`; `path` is the text that it was once built from."""
    old = path.read_text(encoding="utf-8")
    header = old[: re.search(r"^# %%", old, re.MULTILINE).start()]
    placeholders = {}
    for cell in jupytext.reads(old, fmt="py:percent").cells:
        names = re.findall(r"\{\{exercise:([\w-]+)\}\}", cell.source)
        placeholders[cell.metadata.get("id")] = {name: facts(_item(exercise_set, name, path.name)) for name in names}
    cells = []
    for cell in notebook.cells:
        metadata = {"tolerance": cell.metadata["tolerance"]} if "tolerance" in cell.metadata else {}
        text = cell.source
        for name, line in placeholders.get(cell.id, {}).items():
            text = text.replace(line, f"{{{{exercise:{name}}}}}", 1)
        cells.append(nbformat.from_dict({**cell, "source": text, "metadata": {**_marker(cell), **metadata}}))
    cell_filter = ",".join((*MARKERS, "tolerance", "-all"))
    options = {"notebook_metadata_filter": "-all", "cell_metadata_filter": cell_filter}
    return header + jupytext.writes(
        nbformat.v4.new_notebook(cells=cells, metadata={"jupytext": options}), fmt="py:percent"
    )


def _marker(cell) -> dict:
    """The name of a cell as its marker has it."""
    nbgrader = cell.metadata.get("nbgrader")
    if nbgrader is None:
        return {"id": cell.id}
    if nbgrader["locked"]:
        return {"test": nbgrader["grade_id"].removeprefix("test-")}
    return {"written" if nbgrader["grade"] else "solution": nbgrader["grade_id"]}
