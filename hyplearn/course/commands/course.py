"""The notebooks of the course.

examples:
  hyplearn course list                              the lectures: minutes, exercises, points
  hyplearn course build                             build what is older than its text
  hyplearn course build 01_parallel_postulate --force   build it in any case, dropping edits of the notebooks
  hyplearn course check                             what has drifted, and the command that mends it
  hyplearn course pull 01_parallel_postulate        write edited notebooks back into their texts
  hyplearn course demo                              build, list, and grade the sample submissions
  hyplearn course bundle --out handout              what students get: lectures, exercises, library; no solutions
"""

import json
import sys
from pathlib import Path

from hyplearn.course.layout import Course
from hyplearn.course.listing import COLUMNS, rows, table


def add_arguments(parser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summaries = {
        "list": "the lectures: minutes, exercises, points",
        "build": "build what is older than its text",
        "check": "what has drifted, and the command that mends it",
        "pull": "write edited notebooks back into their texts",
        "demo": "build, list, and grade the sample submissions",
        "bundle": "what students get: lectures, exercises, library; no solutions",
    }
    for action, summary in summaries.items():
        subparser = actions.add_parser(action, help=summary, description=summary, epilog=__doc__)
        if action in ("build", "check"):
            subparser.add_argument("names", nargs="*", metavar="NAME", help="as in 01_parallel_postulate; all if none")
        if action == "pull":
            subparser.add_argument("names", nargs=1, metavar="NAME", help="as in 01_parallel_postulate")
        if action in ("build", "pull"):
            subparser.add_argument("--force", action="store_true", help="drop the other side's edit")
        if action == "bundle":
            subparser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
        if action != "demo":
            subparser.add_argument("--json", action="store_true", help="machine-readable, on stdout")


def run(args) -> int:
    course = Course.find()
    actions = {"list": _list, "build": _build, "check": _check, "pull": _pull, "demo": _demo, "bundle": _bundle}
    return actions[args.action](course, args)


def _list(course: Course, args) -> int:
    found = rows(course)
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else table(found, COLUMNS))
    return 0


def _build(course: Course, args) -> int:
    names = course.select(args.names)
    written = []
    if args.force or not course.is_current():
        from hyplearn.course.build import build

        written = build(course, names, args.force, log=lambda line: print(line, file=sys.stderr, flush=True))
        if not args.names:
            course.set_current()
    paths = [course.relative(path) for path in written]
    print(json.dumps(paths) if args.json else "\n".join(f"wrote {path}" for path in paths) or "everything is current")
    return 0


def _check(course: Course, args) -> int:
    from hyplearn.course.check import check

    problems = check(course, course.select(args.names))
    if args.json:
        print(json.dumps(problems, indent=1, ensure_ascii=False))
    else:
        print("\n".join(problems) or "no drift: every notebook is what its text says")
    return 1 if problems else 0


def _pull(course: Course, args) -> int:
    from hyplearn.course.pull import pull

    (name,) = course.select(args.names)
    paths = [course.relative(path) for path in pull(course, name, args.force)]
    if args.json:
        print(json.dumps(paths))
    elif paths:
        print("\n".join(f"wrote {path}" for path in paths) + f"\nnow: hyplearn course build {name}")
    else:
        print("nothing to pull: the notebooks are as they were built")
    return 0


def _demo(course: Course, args) -> int:
    from hyplearn.course.demo import demo

    demo(course)
    return 0


def _bundle(course: Course, args) -> int:
    from hyplearn.course.bundle import bundle

    files = [path.as_posix() for path in bundle(course, args.out)]
    print(json.dumps(files) if args.json else f"{args.out}: {len(files)} files, for your students")
    return 0
