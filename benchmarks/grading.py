"""Seconds per submission: `hyplearn grade` against stock nbgrader, on the same submissions, in one run.

    python -m benchmarks.grading [--json] [--submissions 20] [--jobs 1]

The submissions are the samples of lecture 01 (perfect, untouched, mistaken, broken) in turn. Stock nbgrader runs
its own `autograde` and `generate_feedback` in process, with default steps; `hyplearn grade` makes verdicts, gradebook
and feedback. Both start from an empty folder; imports are not counted, the start of the sandbox is.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from hyplearn.course.layout import Course
from hyplearn.grading.command import grade
from hyplearn.grading.samples import samples
from hyplearn.grading.spec import load_set

NAME = "01_parallel_postulate"


def hand_in(folder: Path, count: int, course: Course) -> None:
    solution, release = (nbformat.read(path, as_version=4) for path in (course.solution(NAME), course.exercise(NAME)))
    kinds = list(samples(solution, release, load_set(NAME)).values())
    for number in range(count):
        path = folder / f"student{number:03}" / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(kinds[number % len(kinds)], path)


def seconds_ours(submitted: Path, out: Path, course: Course, jobs: int) -> float:
    releases = {NAME: nbformat.read(course.exercise(NAME), as_version=4)}
    start = time.perf_counter()
    grade(submitted, out, {NAME: load_set(NAME)}, releases, jobs=jobs)
    return time.perf_counter() - start


def seconds_stock(submitted: Path, root: Path, course: Course) -> float:
    (root / "source" / NAME).mkdir(parents=True)
    (root / "source" / NAME / f"{NAME}.ipynb").write_bytes(course.solution(NAME).read_bytes())
    (root / "submitted").symlink_to(submitted)
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = "stock"
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    api = NbGraderAPI(config=config)
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    _demand(api.generate_assignment(NAME))
    start = time.perf_counter()
    for student in sorted(path.name for path in submitted.iterdir()):
        _demand(api.autograde(NAME, student))
        _demand(api.generate_feedback(NAME, student))
    return time.perf_counter() - start


def _demand(result: dict) -> None:
    if not result["success"]:
        raise RuntimeError(result.get("error") or result.get("log"))


def measure(count: int, jobs: int) -> dict:
    course = Course.find()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        submitted = Path(folder) / "submitted"
        hand_in(submitted, count, course)
        ours = seconds_ours(submitted, Path(folder) / "ours", course, jobs)
        stock = seconds_stock(submitted, Path(folder) / "stock", course)
    return {
        "submissions": count,
        "jobs": jobs,
        "hyplearn_seconds_per_submission": round(ours / count, 3),
        "nbgrader_seconds_per_submission": round(stock / count, 3),
        "ratio": round(stock / ours, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--submissions", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1, help="of hyplearn grade; nbgrader has one")
    args = parser.parse_args()
    found = measure(args.submissions, args.jobs)
    print(json.dumps(found, indent=1) if args.json else "\n".join(f"{key:34} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
