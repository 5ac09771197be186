"""What `make course` shows: the lectures, and what the grader says about sample submissions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hyplearn.course.layout import Course
from hyplearn.course.listing import COLUMNS, rows, table
from hyplearn.errors import Failed

GRADES = {
    "student": "sample",
    "assignment": "assignment",
    "auto_score": "automatic",
    "max_auto_score": "of",
    "max_score": "with written",
    "status": "status",
    "said": "named mistakes",
}


def demo(course: Course) -> None:
    """Build what is stale, grade the samples if anything has changed since, and print both tables."""
    kept = course.cached("demo")
    if kept.get("digest") != course.digest():
        from hyplearn.course.build import build

        build(course, course.names(), log=_tell)
        grades = grade_samples(course)
        kept = {"digest": course.digest(), "grades": grades}
        course.remember("demo", kept)
    print(table(rows(course), COLUMNS))
    print("\nSample submissions, made from the solutions and graded:\n")
    print(table([_row(grade) for grade in kept["grades"]], GRADES))
    print(f"\nOpen the course:  make lab    (or {Path(sys.executable).with_name('hyplearn')} lab)")


def grade_samples(course: Course) -> list[dict]:
    """The grades of fresh sample submissions, from the command that an instructor would use."""
    from hyplearn.course.doctor import isolation
    from hyplearn.grading.samples import write_samples

    folder = course.root / ".cache" / "samples"
    shutil.rmtree(folder / "submitted", ignore_errors=True)
    write_samples(course, folder / "submitted")
    command = [sys.executable, "-m", "hyplearn.cli", "grade", str(folder / "submitted"), "--json"]
    command += ["--out", str(folder / "grades"), "--jobs", str(min(os.cpu_count() or 1, 4))]
    if isolation().fix:  # the samples are our own code, so that the first look at the course needs no sandbox
        command += ["--isolation", "none"]
    _tell("grading sample submissions ...")
    run = subprocess.run(command, cwd=course.root, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        raise Failed(f"the sample submissions could not be graded: {' '.join(command[1:])}")
    return json.loads(run.stdout)


def _row(grade: dict) -> dict:
    mistakes = [question["mistake"] for question in grade["questions"] if question["mistake"]]
    return grade | {"said": ", ".join(mistakes) or "-"}


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
