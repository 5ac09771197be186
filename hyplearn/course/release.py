"""The students' version of a solution notebook: nbgrader removes the answers and the hidden tests."""

import logging
import logging.handlers
import shutil
import tempfile
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells
from traitlets.config import PyFileConfigLoader

from hyplearn.course.execute import load
from hyplearn.course.layout import Course
from hyplearn.errors import Failed


def release(course: Course, name: str):
    """The notebook that students get for the solution notebook of this name.

    nbgrader runs in an empty folder that holds the solution and nothing else: whatever else lies in solutions/ cannot
    get out, and no gradebook is touched.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        config = PyFileConfigLoader(str(course.root / "nbgrader_config.py")).load_config()
        config.CourseDirectory.root = str(root)
        config.CourseDirectory.assignment_id = name
        config.GenerateAssignment.no_database = True
        directory = CourseDirectory(config=config)
        source = root / directory.source_directory / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True)
        shutil.copy(course.solution(name), source)
        log = logging.Logger("nbgrader")
        said = logging.handlers.BufferingHandler(capacity=1000)
        log.addHandler(said)
        converter = GenerateAssignment(coursedir=directory, config=config, log=log)
        converter.preprocessors = [step for step in converter.preprocessors if step is not SaveCells]
        try:
            converter.start()
        except (Exception, SystemExit) as error:  # nbgrader stops with either; the reason is only in its log
            reasons = [line for record in said.buffer for line in record.getMessage().splitlines() if "Error: " in line]
            raise Failed(f"solutions/{name}: nbgrader makes no release of it: {(reasons or [error])[0]}") from None
        return load(root / directory.release_directory / name / f"{name}.ipynb")
