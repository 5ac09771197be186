"""Open the course in JupyterLab: in mywork/ if you have started an exercise set, else at the lectures.

examples:
  hyplearn lab
  hyplearn lab --no-browser
"""

import subprocess
import sys

from hyplearn.course.layout import Course


def add_arguments(parser) -> None:
    parser.add_argument("--no-browser", action="store_true", help="only print the address to open")


def run(args) -> int:
    course = Course.find()
    folder = "mywork" if (course.root / "mywork").is_dir() else "lectures"
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{folder}"]
    return subprocess.call([*command, *(["--no-browser"] if args.no_browser else [])], cwd=course.root)
