"""The same trusted way for `nbgrader autograde`: two steps, which nbgrader_config.py puts into its lists."""

import atexit
import functools
from pathlib import Path

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum

from hyplearn.course.layout import Course
from hyplearn.grading.collect import read_submission
from hyplearn.grading.gradebook import present
from hyplearn.grading.isolation import Sandbox, masked_names
from hyplearn.grading.spec import load_set
from hyplearn.grading.transplant import transplant
from hyplearn.grading.verify import verify


class Transplant(NbGraderPreprocessor):
    """Instead of all that nbgrader does to make a submission harmless: take the release, and from it only sources."""

    def preprocess(self, nb, resources):
        name = resources["nbgrader"]["assignment"]
        release = nbformat.read(Course.find().exercise(name), as_version=4)
        metadata = resources["metadata"]
        notebook, notes = transplant(release, read_submission(Path(metadata["path"]) / f"{metadata['name']}.ipynb"))
        for note in notes:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return notebook, resources


class TrustedVerify(NbGraderPreprocessor):
    """Instead of `Execute`: cells run in the sandbox, tests run here, and verdicts become the outputs of test cells."""

    isolation = Enum(("bubblewrap", "none"), "bubblewrap", help="none: students' code runs as you").tag(config=True)

    def preprocess(self, nb, resources):
        name = resources["nbgrader"]["assignment"]
        result = verify(nb, load_set(name), _sandbox(name, self.isolation))
        return present(nb, result), resources


@functools.cache
def _sandbox(name: str, isolation: str) -> Sandbox:
    sandbox = Sandbox(masked_names(load_set(name)), isolation)
    atexit.register(sandbox.close)
    return sandbox
