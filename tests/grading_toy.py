"""A small assignment for the tests of grading: three exercises, a written answer, and students who answer them."""

import copy
import json
import shutil
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum
from torch import nn

from hyplearn import plane
from hyplearn.grading.command import grade
from hyplearn.grading.isolation import Limits
from hyplearn.grading.spec import Case, Exercise, ExerciseSet, Written, mistake

NAME = "99_toy"
needs_bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: apt install it")
QUICK = Limits(cell=20.0, call=15.0, question=60.0, submission=300.0)  # for a machine that does much else


def _cases(draw):
    yield Case((torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), 2.0), "one vector")
    yield Case((draw.normal(3), 0.5), "one vector")
    yield Case((draw.normal(2, 3), draw.number(0.1, 10.0)), "a batch of 2")


@mistake("The curvature multiplies: c x, not x.")
def without_c(x, c):
    return x * x


@mistake("It is c x^2; the sign is flipped.")
def flipped(x, c):
    return -c * x * x


@mistake("The last coordinate counts too.")
def all_but_last(x, c):
    return c * (x * x)[..., :-1]


SCALE = Exercise(
    name="scale",
    title="Squares, scaled",
    points=2,
    minutes=1,
    difficulty=1,
    rule="scale(x, c) = c x^2",
    reference=lambda x, c: c * x * x,
    cases=_cases,
    mistakes=[without_c, flipped, all_but_last],
)


def _pairs(draw):
    for size in ((3,), (2, 3)):
        yield Case((draw.normal(*size), draw.normal(*size)), "two vectors")


@mistake("A sum has a plus.")
def minus(x, y):
    return x - y


ADD = Exercise(
    name="add",
    title="A sum",
    points=1,
    minutes=1,
    difficulty=1,
    rule="add(x, y) = x + y",
    reference=lambda x, y: x + y,
    cases=_pairs,
    mistakes=[minus],
)


class Layer(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def forward(self, x):
        return x @ self.weight.T


def _layer_cases(draw):
    state = {"weight": draw.normal(2, 3)}
    yield Case((draw.normal(4, 3),), "a batch of 4", construct=(3, 2), state=state)


LAYER = Exercise(
    name="Layer",
    title="A layer",
    points=3,
    minutes=1,
    difficulty=2,
    rule="x W^T",
    reference=Layer,
    cases=_layer_cases,
    mistakes=[],
)


def _angle_cases(draw):
    yield Case((torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64), 1.0), "a batch of 3")
    yield Case((draw.uniform(0.1, 2.0, 4), draw.number(0.5, 2.0)), "a batch of 4")


ANGLE = Exercise(
    name="angle",
    title="The angle of parallelism, which the library has too",
    points=2,
    minutes=1,
    difficulty=1,
    rule="tan(angle / 2) = exp(-sqrt(c) d)",
    reference=plane.angle_of_parallelism,
    cases=_angle_cases,
    mistakes=[],
)

WHY = Written(name="why", title="Why?", points=2, minutes=1, difficulty=1, rubric=["a reason"])
SET = ExerciseSet(NAME, [SCALE, ADD, LAYER, ANGLE], [WHY])
ANSWERS = {
    "scale": "def scale(x, c):\n    return c * x**2\n",
    "add": "def add(x, y):\n    return x + y\n",
    "Layer": (
        "class Layer(torch.nn.Module):\n"
        "    def __init__(self, inputs, outputs):\n"
        "        super().__init__()\n"
        "        self.weight = torch.nn.Parameter(torch.zeros(outputs, inputs))\n\n"
        "    def forward(self, x):\n"
        "        return x @ self.weight.T\n"
    ),
    "angle": "def angle(d, c):\n    return 2 * torch.atan(torch.exp(-(c**0.5) * d))\n",
    "why": "Because of the parallels.",
}


def _cell(grade_id: str, source: str, kind: str = "code", test: bool = False, points: float | None = None):
    nbgrader = {
        "cell_type": kind,
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": test,
        "schema_version": 3,
        "solution": not test,
        "task": False,
    }
    if points is not None:
        nbgrader["points"] = points
    new = new_code_cell if kind == "code" else new_markdown_cell
    cell = new(source, id=grade_id, metadata={"nbgrader": nbgrader})
    cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
    return cell


def make_release():
    cells = [
        new_markdown_cell("# A toy", id="title"),
        new_code_cell("import torch\nfrom hyplearn.grading import checker\n\ncheck = checker('99_toy')", id="set-up"),
    ]
    for name, exercise in SET.exercises.items():
        cells += [
            _cell(name, f"def {name}(*args):\n    raise NotImplementedError"),
            _cell(f"test-{name}", f"check({name}, hidden=True)", test=True, points=exercise.points),
        ]
    cells.append(_cell("why", "Your answer here.", "markdown", points=2))
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=cells, metadata=metadata)


RELEASE = make_release()


def answered(**answers: str):
    """The release with these answers in its cells, and the right ones in all others."""
    notebook = copy.deepcopy(RELEASE)
    for cell in notebook.cells:
        if cell.id in ANSWERS:
            cell.source = answers.get(cell.id, ANSWERS[cell.id])
    return notebook


def hand_in(folder: Path, student: str, notebook) -> Path:
    """Writes a notebook (or any text or bytes) as the submission of a student."""
    path = folder / student / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(notebook, bytes):
        path.write_bytes(notebook)
    else:
        # Not nbformat.writes: it would mend what a student has broken.
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
    return path


def grade_toys(submitted: Path, out: Path, limits: Limits = QUICK, isolation: str = "bubblewrap", **options) -> dict:
    """Grades the folder; by student."""
    grades = grade(submitted, out, {NAME: SET}, {NAME: RELEASE}, limits=limits, isolation=isolation, **options)
    return {item.student: item for item in grades}


def points(item) -> dict[str, float]:
    """The scores of a grade, by question."""
    return {question.name: question.score for question in item.questions}


def read_feedback(out: Path, student: str) -> str:
    return (out / "feedback" / student / NAME / f"{NAME}.html").read_text()


def read_autograded(out: Path, student: str):
    return nbformat.read(out / "autograded" / student / NAME / f"{NAME}.ipynb", as_version=4)
