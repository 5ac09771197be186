"""Make the notebooks that are stale: lectures and solutions executed, exercises released by nbgrader."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

import hyplearn
from hyplearn.course.execute import execute, load
from hyplearn.course.layout import Course, write
from hyplearn.course.outputs import faults
from hyplearn.course.release import release
from hyplearn.course.source import KERNEL, fingerprint, heading, read
from hyplearn.errors import Failed

Log = Callable[[str], None]


def build(course: Course, names: list[str], force: bool = False, log: Log = print) -> list[Path]:
    """Build what is stale of these names and return the files that were written.

    A notebook is current while its stored hash is the hash of its text (`source.fingerprint`). A notebook whose cells
    are not those that were built was edited by hand: it is never overwritten without `force`, which also builds what
    is current. Only a complete notebook replaces an old one.
    """
    written, failures = [], []
    for name in names:
        for target in targets(course, name):
            try:
                written += _build_notebook(course, target, force, log)
                if target.exercise_set is not None:
                    written += _build_release(course, name, force)
            except Failed as failure:  # the other notebooks are built all the same
                failures.append(str(failure))
    if failures:
        raise Failed("\n".join(failures))
    return written


@dataclass(frozen=True)
class Target:
    """One notebook to be built: its text, its place, and the specs of its exercises (none for a lecture)."""

    text: Path
    path: Path
    exercise_set: object | None = None

    def read(self) -> nbformat.NotebookNode:
        """The notebook, without outputs, that the text asks for."""
        return read(self.text, self.exercise_set)

    def facts(self, notebook) -> dict:
        """What `course list` says about it, kept in the notebook so that listing need not import the library."""
        if self.exercise_set is None:
            return asdict(heading(notebook.cells[0].source, self.text.name))
        graded = [*self.exercise_set.exercises.values(), *self.exercise_set.written.values()]
        return {
            "exercises": len(graded),
            "points": sum(item.points for item in graded),
            "difficulty": round(sum(item.difficulty for item in graded) / len(graded), 1),
        }


def targets(course: Course, name: str) -> list[Target]:
    """The lecture and the solution notebook of a name, as far as they have a text."""
    found = []
    if course.lecture_text(name).exists():
        found.append(Target(course.lecture_text(name), course.lecture(name)))
    if course.solution_text(name).exists():
        from hyplearn.grading import load_set  # the whole library: only where points are needed

        found.append(Target(course.solution_text(name), course.solution(name), load_set(name)))
    return found


def stored(built) -> dict:
    """What the build kept in a notebook about itself: its hash, the library's version, what `course list` shows."""
    return built.metadata.get("hyplearn", {})


def edited(built, wanted) -> bool:
    """Whether a rebuild would lose cells that somebody changed: they are neither as built nor as the text has them."""
    now = fingerprint(built, stored(built).get("version", ""))
    return now != stored(built).get("hash") and fingerprint(built) != fingerprint(wanted)


def _build_notebook(course: Course, target: Target, force: bool, log: Log) -> list[Path]:
    path, notebook = target.path, target.read()
    facts = target.facts(notebook) | {"hash": fingerprint(notebook)}
    old = load(path) if path.exists() else None
    if old is not None and not force:
        if edited(old, notebook):
            raise Failed(edit_message(course, path))
        if facts.items() <= stored(old).items():
            return []
    log(f"{course.relative(path)}: executing ...")
    seconds = execute(notebook, course.relative(path))
    if found := faults(notebook):
        raise Failed(f"{course.relative(path)}: not written, {'; '.join(found)}")
    log(f"{course.relative(path)}: done in {seconds:.0f} s")
    return _save(path, notebook, facts | {"seconds_run": _seconds(seconds, old)})


def _build_release(course: Course, name: str, force: bool) -> list[Path]:
    path, notebook = course.exercise(name), release(course, name)
    if path.exists() and not force and edited(load(path), notebook):
        raise Failed(edit_message(course, path))
    return _save(path, notebook, {})


def edit_message(course: Course, path: Path) -> str:
    """That a notebook was edited behind its text's back, and what to do about it."""
    drop = f"`hyplearn course build {path.stem} --force` drops it"
    if path == course.exercise(path.stem):
        keep = f"move your work out of exercises/ (`hyplearn start {path.stem}` gives a copy of your own)"
    else:
        keep = f"`hyplearn course pull {path.stem}` keeps the edit by writing it into its text"
    return f"{course.relative(path)} was edited since it was built: {keep}; {drop}"


def _save(path: Path, notebook, facts: dict) -> list[Path]:
    """Write a notebook with its hash, unless the very same bytes are there."""
    facts = facts | {"hash": fingerprint(notebook), "version": hyplearn.__version__}
    notebook.metadata = nbformat.from_dict(KERNEL | {"hyplearn": facts})  # what ran it is not part of it
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    write(path, text)
    return [path]


def _seconds(seconds: float, old) -> float:
    """The running time to store: the old one unless the new one really differs, so that a rebuild changes no byte."""
    before = stored(old).get("seconds_run") if old is not None else None
    if before and (abs(seconds - before) < 5 or before / 2 < seconds < before * 2):
        return before
    return round(seconds, 1)
