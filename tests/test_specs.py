"""Every exercise of every set: right answers pass, each mistake gets its own hint, and the stub is unattempted."""

import importlib.util
import inspect
import math
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hyplearn.grading import load_set, set_names
from hyplearn.grading.check import judge, seed_for
from hyplearn.grading.oracle import SLACK, plan
from hyplearn.grading.spec import cast

ROOT = Path(__file__).parents[1]
SECRET = seed_for("the secret", "of a course")
SEEDS = [0, pytest.param(SECRET, marks=pytest.mark.slow), pytest.param(SECRET + 1, marks=pytest.mark.slow)]
EXERCISES = [
    pytest.param(name, exercise, id=f"{name[:2]}-{exercise.name}")
    for name in set_names()
    for exercise in load_set(name).exercises.values()
]


def alternatives(name: str) -> dict[str, list]:
    """The right answers to a set that are no part of the package."""
    path = ROOT / "tests" / "alternatives" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"alternatives_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ALTERNATIVES


def cells(name: str, mark: str) -> dict[str, str]:
    """The cells of a solution notebook's text by their names."""
    text = (ROOT / "sources" / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    return dict(re.findall(rf'^# %%%% {mark}="(\w+)"\n(.*?)(?=^# %%%%|\Z)'.replace("%%", "%"), text, re.M | re.S))


def run_cell(name: str, function: str, source: str):
    """What a cell defines under a name, after the set-up cell of its notebook."""
    space = {}
    exec(cells(name, "id")["setup"], space)
    exec(source, space)
    return space[function]


@pytest.mark.parametrize("name", set_names())
def test_a_set_is_as_the_course_promises(name):
    exercises = load_set(name)
    required = [e for e in exercises.exercises.values() if not e.optional]
    assert 4 <= len(required) <= 7
    assert len(exercises.exercises) - len(required) <= 1
    assert min(e.difficulty for e in required) == 1
    assert all(e.points > 0 for e in required) and exercises.written
    assert exercises.points == exercises.auto_points + sum(w.points for w in exercises.written.values())
    for item in (*exercises.exercises.values(), *exercises.written.values()):
        assert 1 <= item.difficulty <= 5 and item.minutes > 0 and item.title
    names = [m.name for e in exercises.exercises.values() for m in e.mistakes]
    assert len(names) == len(set(names))
    assert set(cells(name, "solution")) == set(cells(name, "test")) == set(exercises.exercises)


@pytest.mark.parametrize("seed", SEEDS, ids=["public", "hidden", "another"])
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_right_answers_pass(name, exercise, seed):
    answers = [exercise.reference, run_cell(name, exercise.name, cells(name, "solution")[exercise.name])]
    others = alternatives(name)[exercise.name]
    assert others
    for answer in (*answers, *others):
        verdict = judge(answer, exercise, seed)
        assert verdict.status == "passed", f"{answer.__name__}: {verdict.message}"
        assert verdict.points == exercise.points


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_a_more_accurate_answer_passes(name, exercise):
    """Everything in float64, rounded in the end, as a careful learner may do it."""

    def careful(*args):
        dtype = next((a.dtype for a in args if isinstance(a, Tensor) and a.is_floating_point()), torch.float64)
        args = [a.double() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args]
        result = (exercise.oracle or exercise.reference)(*args)
        many = result if isinstance(result, tuple) else (result,)
        many = tuple(v.to(dtype) if isinstance(v, Tensor) and v.is_floating_point() else v for v in many)
        return many if isinstance(result, tuple) else many[0]

    if inspect.isclass(exercise.reference):
        pytest.skip("an answer that is a class keeps its weights in one dtype")
    verdict = judge(careful, exercise, 0)
    assert verdict.status == "passed", verdict.message


@pytest.mark.parametrize("seed", SEEDS[:2], ids=["public", "hidden"])
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_each_mistake_gets_its_own_hint(name, exercise, seed):
    assert len(exercise.mistakes) >= 3
    for mistake in exercise.mistakes:
        assert len(mistake.hint) > 20
        verdict = judge(mistake.function, exercise, seed)
        assert (verdict.status, verdict.mistake, verdict.points) == ("wrong", mistake.name, 0.0), verdict.message
        assert mistake.hint in verdict.message


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_a_mistake_can_stand_in_a_notebook(name, exercise):
    for mistake in exercise.mistakes:
        source = mistake.source(exercise.name)
        assert source.startswith((f"def {exercise.name}(", f"class {exercise.name}("))
        answer = run_cell(name, exercise.name, source)
        assert judge(answer, exercise, 0).mistake == mistake.name


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_the_stub_is_unattempted_and_its_docstring_complete(name, exercise):
    text = cells(name, "solution")[exercise.name]
    stub = re.sub(r"### BEGIN SOLUTION.*### END SOLUTION", "raise NotImplementedError()", text, flags=re.S)
    assert stub != text
    answer = run_cell(name, exercise.name, stub)
    verdict = judge(answer, exercise, 0)
    assert (verdict.status, verdict.points, verdict.mistake) == ("unattempted", 0.0, None)
    function = answer.forward if inspect.isclass(answer) else answer
    arguments = [p for p in inspect.signature(function).parameters if p != "self"]
    assert tuple(arguments) == exercise.arguments
    assert all(re.search(rf"\b{argument}\b", answer.__doc__) for argument in arguments)
    assert "Returns:" in answer.__doc__
    promised = {case.raises.__name__ for case in exercise.cases_for(0) if case.raises}
    assert all(f"{error}:" in answer.__doc__ for error in promised)


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_no_tolerance_hides_an_error(name, exercise):
    """At most what an acos costs near 0, the worst that an accepted form does; and infinities stay exceptions."""
    for case, expected in plan(exercise, 0):
        if expected is None:
            continue
        assert all(value.isfinite().all() for value, _ in expected.gradients.values()), case
        limit = 2 * math.sqrt(2 * SLACK * torch.finfo(case.dtypes[0]).eps)
        for value, tolerance in zip(expected.values, expected.tolerances, strict=True):
            if tolerance is not None:
                value = torch.as_tensor(value)
                finite = value.isfinite()
                assert (tolerance <= limit * value.abs().clamp_min(1.0))[finite].all(), case


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_cases_cover_dtypes_and_are_the_same_for_a_seed(name, exercise):
    one, two, other = exercise.cases_for(5), exercise.cases_for(5), exercise.cases_for(6)
    assert {case.dtypes[0] for case in one} >= {torch.float32, torch.float64}
    flat = [repr(cast(case.args, torch.float64)) for case in one]
    assert flat == [repr(cast(case.args, torch.float64)) for case in two]
    assert flat != [repr(cast(case.args, torch.float64)) for case in other]
    assert {case.edge for case in one} == {False, True}


@pytest.mark.parametrize("name", set_names())
def test_test_cells_show_nothing_but_the_check(name):
    for exercise, text in cells(name, "test").items():
        lines = [line for line in text.split("\n") if line.strip()]
        assert lines == [
            f"check({exercise})",
            "### BEGIN HIDDEN TESTS",
            f"check({exercise}, hidden=True)",
            "### END HIDDEN TESTS",
        ]
