"""The notebooks of the course: current, and saying again what they said when they were built."""

from pathlib import Path

import pytest

from hyplearn.course.build import targets
from hyplearn.course.check import check
from hyplearn.course.execute import execute, load
from hyplearn.course.layout import Course
from hyplearn.course.outputs import compare, faults

COURSE = Course(Path(__file__).parents[1])
NOTEBOOKS = [
    path for folder in ("lectures", "solutions") for path in sorted((COURSE.root / "sources" / folder).glob("*.py"))
]


@pytest.mark.parametrize("name", COURSE.names())
def test_nothing_has_drifted(name):
    assert check(COURSE, [name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("text", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fresh_run_prints_what_is_stored(text):
    (target,) = (target for target in targets(COURSE, text.stem) if target.text == text)
    fresh = target.read()
    execute(fresh, COURSE.relative(target.path))
    assert faults(fresh) == []
    assert compare(load(target.path), fresh) == []
