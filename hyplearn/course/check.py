"""Find what has drifted: notebooks against their texts, outputs that must not be published, answers in a release."""

from hyplearn.course.build import Target, edit_message, edited, stored, targets
from hyplearn.course.execute import load
from hyplearn.course.layout import Course
from hyplearn.course.outputs import faults
from hyplearn.course.release import release
from hyplearn.course.source import fingerprint
from hyplearn.errors import Failed

NOTHING_TO_HIDE = 12  # characters: a shorter line of an answer ("return x") may well stand elsewhere in the notebook


def check(course: Course, names: list[str]) -> list[str]:
    """Every problem of these names, each with the command that mends it. Nothing is executed and nothing is written."""
    problems = []
    for name in names:
        try:
            for target in targets(course, name):
                found = _check_notebook(course, target)
                if target.exercise_set is not None and not found:
                    found = _check_release(course, name)
                problems += found
        except Failed as error:
            problems.append(str(error))
    return problems + _strays(course)


def _check_notebook(course: Course, target: Target) -> list[str]:
    path = target.path
    where = course.relative(path)
    if not path.exists():
        return [f"{where} is missing: `hyplearn course build {path.stem}`"]
    notebook, text = load(path), target.read()
    if edited(notebook, text):
        return [edit_message(course, path)]
    if stored(notebook).get("hash") != fingerprint(text):
        return [f"{where} is older than its text: `hyplearn course build {path.stem}`"]
    return [f"{where}: {fault}; mend the text, then `hyplearn course build {path.stem}`" for fault in faults(notebook)]


def _check_release(course: Course, name: str) -> list[str]:
    path = course.exercise(name)
    where = course.relative(path)
    if not path.exists():
        return [f"{where} is missing: `hyplearn course build {name}`"]
    solution, notebook = load(course.solution(name)), load(path)
    leaked = leaks(solution, notebook)
    if leaked:
        return [f"{where} gives the answer away: {leaked[0]!r}; `hyplearn course build {name} --force` makes it again"]
    wanted = release(course, name)
    if edited(notebook, wanted):
        return [edit_message(course, path)]
    if fingerprint(notebook) != fingerprint(wanted):
        return [f"{where} is not the release of its solution: `hyplearn course build {name} --force`"]
    return []


def leaks(solution, notebook) -> list[str]:
    """The lines of answers and hidden tests that stand in a release."""
    secret, public = set(), set()
    for cell in solution.cells:
        hidden = False
        for line in cell.source.split("\n"):
            if "### BEGIN " in line or "### END " in line:
                hidden = "### BEGIN " in line
            else:
                (secret if hidden else public).add(line.strip())
    secret = {line for line in secret - public if len(line) > NOTHING_TO_HIDE}
    texts = [cell.source for cell in notebook.cells]
    texts += [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    lines = [line.strip() for text in texts for line in text.split("\n")]
    return [line for line in lines if line in secret or line.startswith(("### BEGIN ", "### END "))]


def _strays(course: Course) -> list[str]:
    """Files that no text stands for; nbgrader would hand out whatever lies beside a solution."""
    expected = set()
    for name in course.names():
        expected |= {course.lecture(name)} if course.lecture_text(name).exists() else set()
        expected |= {course.solution(name), course.exercise(name)} if course.solution_text(name).exists() else set()
    found = [path for folder in ("lectures", "solutions", "exercises") for path in (course.root / folder).rglob("*")]
    strays = [
        path for path in found if path.is_file() and path not in expected and ".ipynb_checkpoints" not in path.parts
    ]
    return [f"{course.relative(path)} belongs to no text in sources/: remove it" for path in sorted(strays)]
