"""Sample submissions: what four students might hand in, made from a solution and the mistakes that its specs know."""

import copy
import re
from pathlib import Path

import nbformat

from hyplearn.course.layout import Course, write
from hyplearn.grading.spec import ExerciseSet, load_set, set_names

MISTAKES = 3  # exercises that the sample "mistaken" gets wrong


def samples(solution, release, exercise_set: ExerciseSet) -> dict[str, nbformat.NotebookNode]:
    """The submissions by the name of the student.

    perfect     the solution
    untouched   the release, as it was handed out
    mistaken    the solution, but the first exercises hold the first mistake that their specs name
    broken      the solution, but one cell is no Python
    """
    answers = {
        cell.id: _answer(cell.source) for cell in solution.cells if cell.metadata.get("nbgrader", {}).get("solution")
    }
    names = list(exercise_set.exercises)
    mistakes = {name: exercise_set.exercises[name].mistakes[0].source(name) for name in names[:MISTAKES]}
    syntax = {names[0]: re.sub(":$", "", answers[names[0]], count=1, flags=re.MULTILINE)}
    return {
        "perfect": _filled(release, answers),
        "untouched": copy.deepcopy(release),
        "mistaken": _filled(release, answers | mistakes),
        "broken": _filled(release, answers | syntax),
    }


def write_samples(course: Course, folder: Path) -> None:
    """Writes them as `folder/<student>/<assignment>/<assignment>.ipynb`: all four of the first set that is built.

    Of every other set it is "mistaken" alone, which holds wrong and right answers: grading them takes seconds each.
    """
    built = [name for name in set_names() if course.exercise(name).exists()]
    for name in built:
        solution, release = (
            nbformat.read(path, as_version=4) for path in (course.solution(name), course.exercise(name))
        )
        for student, notebook in samples(solution, release, load_set(name)).items():
            if name == built[0] or student == "mistaken":
                write(folder / student / name / f"{name}.ipynb", nbformat.writes(notebook))


def _answer(source: str) -> str:
    """The answer without the marks of its region."""
    lines = source.split("\n")
    return "\n".join(line for line in lines if line.strip() not in ("### BEGIN SOLUTION", "### END SOLUTION"))


def _filled(release, answers: dict[str, str]):
    """The release with these sources in its answer cells."""
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return notebook
