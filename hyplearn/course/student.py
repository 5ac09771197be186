"""A student's own copy of an exercise set: `mywork/NAME/NAME.ipynb`, which git ignores and no command overwrites."""

import ast
import json
import shutil
import time
import zipfile
from pathlib import Path

from hyplearn.course.layout import Course
from hyplearn.errors import BadInput, Failed


def start(course: Course, name: str, reset: bool = False) -> tuple[Path, Path | None]:
    """Give a fresh copy of a release; returns it, and where the old one went if there was one to `reset`.

    A copy that exists stays as it is without `reset`.
    """
    release, copy, backup = course.exercise(name), course.mywork(name), None
    if not release.exists():
        raise BadInput(f"NAME: there is no exercise set {name!r}; `hyplearn course list` shows them")
    if copy.exists():
        if not reset:
            return copy, None
        backup = course.root / "mywork" / "backup" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.ipynb"
        backup.parent.mkdir(parents=True, exist_ok=True)
        if backup.exists():
            raise Failed(f"{course.relative(backup)} exists already: wait a second and try again")
        copy.replace(backup)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(release, copy)
    return copy, backup


def submit(course: Course, name: str) -> tuple[Path, list[str]]:
    """Check a student's copy and pack it as `mywork/NAME.zip`; returns the archive and remarks for the student.

    Refused is only what could not be graded: an unreadable notebook, and answer cells that are missing or doubled.
    """
    copy = course.mywork(name)
    if not copy.exists():
        raise BadInput(f"NAME: there is no mywork/{name}/{name}.ipynb; `hyplearn start {name}` makes it")
    graded = {_grade_id(cell): cell for cell in _cells(course.exercise(name)) if _grade_id(cell)}
    cells = _cells(copy)
    ids = [_grade_id(cell) for cell in cells]
    remarks = []
    for grade_id, released in graded.items():
        if ids.count(grade_id) != 1:
            how = "is missing" if grade_id not in ids else "is there more than once"
            raise Failed(
                f"mywork/{name}: the cell {grade_id!r} {how}; `hyplearn start {name} --reset` gives a fresh copy "
                "and keeps yours, to paste your answers from"
            )
        if released["metadata"]["nbgrader"]["solution"]:
            remarks += _remarks(grade_id, cells[ids.index(grade_id)], released)
    archive = course.root / "mywork" / f"{name}.zip"
    temporary = archive.with_suffix(".zip.part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(copy, f"{name}/{name}.ipynb")
    temporary.replace(archive)
    return archive, remarks


def _cells(path: Path) -> list[dict]:
    try:
        return [{**cell, "source": "".join(cell["source"])} for cell in json.loads(path.read_text("utf-8"))["cells"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise Failed(f"{path.name} is no readable notebook: open it in JupyterLab and save it again") from None


def _grade_id(cell: dict) -> str | None:
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")


def _remarks(grade_id: str, cell: dict, released: dict) -> list[str]:
    if cell["source"] == released["source"]:
        return [f"{grade_id}: not attempted"]
    if cell["cell_type"] == "code":
        try:
            ast.parse(cell["source"])
        except SyntaxError as error:
            return [f"{grade_id}: line {error.lineno} is not Python ({error.msg})"]
    return []
