"""Submissions as they lie in a folder: which there are, and what can be read of them.

    SUBMITTED_DIR/<student>/<assignment>/<notebook>.ipynb

Students put strange things there. Nothing but one regular file is read, links are not followed, sizes are bounded, and
what cannot be read is said in plain words, for the report, the feedback and the table of grades.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import nbformat

SIZE_LIMIT = 20 << 20
CELLS_LIMIT = 2000
SOURCE_LIMIT = 2 << 20


class Unreadable(Exception):
    """A submission cannot be graded; the text says why, to the student."""


@dataclass(frozen=True)
class Submission:
    """One student's work for one assignment: a file, or the reason why there is none to read."""

    student: str
    assignment: str
    path: Path | None
    reason: str = ""


def find_submissions(folder: Path, assignments: list[str], student: str | None = None) -> list[Submission]:
    """All submissions in nbgrader's layout, sorted; folders of other assignments are told apart by their reason."""
    found = []
    for person in _folders(folder):
        if student is not None and person != student:
            continue
        if not re.fullmatch(r"[^\s/\\\x00-\x1f+][^/\\\x00-\x1f]{0,99}", person) or person.startswith("."):
            continue
        if (folder / person).is_symlink():
            found += [Submission(person, name, None, "its folder is a symbolic link") for name in assignments[:1]]
            continue
        for assignment in _folders(folder / person):
            if assignment.startswith("."):
                continue
            if assignment not in assignments:
                reason = f"there is no assignment called {assignment!r}"
                found.append(Submission(person, assignment, None, reason))
            else:
                found.append(_find_notebook(folder / person / assignment, person, assignment))
    return found


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []


def _find_notebook(folder: Path, student: str, assignment: str) -> Submission:
    if folder.is_symlink():
        return Submission(student, assignment, None, "its folder is a symbolic link")
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return Submission(student, assignment, None, f"its folder cannot be read ({error.strerror})")
    notebooks = [name for name in names if name.endswith(".ipynb") and not name.startswith(".")]
    expected = f"{assignment}.ipynb"
    if expected in notebooks:
        return Submission(student, assignment, folder / expected)
    if len(notebooks) == 1:  # "01_parallel_postulate (1).ipynb": downloaded twice, and no doubt about what is meant
        return Submission(student, assignment, folder / notebooks[0])
    found = ", ".join(notebooks) or ", ".join(names[:5]) or "nothing"
    return Submission(student, assignment, None, f"there is no notebook {expected} (found: {found[:200]})")


def read_submission(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file, with sources as text, in format 4; Unreadable where there is none."""
    content = read_content(path)
    if not content.strip():
        raise Unreadable("the notebook is empty")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("the notebook is not UTF-8 text") from None
    try:
        data = json.loads(text)
    except RecursionError:
        raise Unreadable("the notebook is nested too deeply") from None
    except ValueError as error:
        position = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
        raise Unreadable(f"the notebook is no valid JSON ({position})") from None
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise Unreadable("the file is no Jupyter notebook")
    try:
        if data["nbformat"] < 4:
            data = nbformat.convert(nbformat.from_dict(data), 4)
    except Exception:
        raise Unreadable(f"the notebook is in an old format ({data['nbformat']}) that cannot be converted") from None
    cells = data.get("cells")
    if data["nbformat"] > 4 or not isinstance(cells, list):
        raise Unreadable("the notebook has no cells that can be read")
    if len(cells) > CELLS_LIMIT:
        raise Unreadable(f"the notebook has more than {CELLS_LIMIT} cells")
    kept = [_read_cell(number, cell) for number, cell in enumerate(cells)]
    # Not nbformat's constructor: it would give new ids to cells that share one.
    return nbformat.NotebookNode(cells=[cell for cell in kept if cell])


def read_content(path: Path) -> bytes:
    """The bytes of a submitted file; Unreadable where it is no regular file of a reasonable size."""
    try:
        # O_NOFOLLOW: a link could name a file of the instructor's. O_NONBLOCK: a pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        link = " (symbolic links are not followed)" if path.is_symlink() else ""
        raise Unreadable(f"the notebook cannot be opened: {error.strerror}{link}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("the notebook is not a regular file")
        if status.st_size > SIZE_LIMIT:
            raise Unreadable(f"the notebook is larger than {SIZE_LIMIT >> 20} MB; clear its outputs and submit again")
        return file.read(SIZE_LIMIT)


def _read_cell(number: int, cell) -> nbformat.NotebookNode | None:
    """What counts of a submitted cell: kind, source, id and grade id. Everything else stays behind."""
    if not isinstance(cell, dict):
        return None
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or len(source) > SOURCE_LIMIT:
        return None
    # Lone surrogates are legal in JSON and nowhere else.
    source = source.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    new = nbformat.v4.new_code_cell if cell.get("cell_type") == "code" else nbformat.v4.new_markdown_cell
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    grade_id = nbgrader.get("grade_id")
    kept = {"nbgrader": {"grade_id": grade_id}} if isinstance(grade_id, str) else {}
    made = new(source, metadata=kept)
    named = isinstance(cell.get("id"), str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell["id"])
    made["id"] = cell["id"] if named else f"unnamed-{number}"
    return made
