"""`check(f)`: does an answer do what its docstring says, and if not, what went wrong?"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hyplearn.grading.answer import Outcome, run
from hyplearn.grading.explain import Test, first_failure
from hyplearn.grading.oracle import Expected, plan, wrong
from hyplearn.grading.spec import Exercise, ExerciseSet, Mistake, load_set

EXPLAINED = 1e-2  # a mistake explains a wrong value if it leaves at most this part of the error unexplained


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check; `message` is what the learner reads."""

    exercise: str
    status: str  # "unattempted", "wrong" or "passed"
    points: float
    mistake: str | None
    message: str
    hidden: bool


def judge(answer: Callable, exercise: Exercise, seed: int = 0, hidden: bool = False) -> Verdict:
    """The verdict on an answer, with the inputs of a seed. Prints nothing."""
    tests = []
    for case, expected in plan(exercise, seed):
        outcome = run(answer, exercise, case)
        # The stub's error has no text; one that has tells of something else, for instance of a library function that
        # is masked because it is the answer.
        if isinstance(outcome.error, NotImplementedError) and not str(outcome.error) and not tests:
            message = f"… {exercise.name}: not attempted yet"
            return Verdict(exercise.name, "unattempted", 0.0, None, message, hidden)
        tests.append(Test(case, outcome, expected))
        if outcome.error is not None and expected:
            break  # a finding already; further calls would say the same, or take as long to time out

    failure = first_failure(answer, exercise, tests)
    if failure is None:
        scored = f"{exercise.points:g} of {exercise.points:g} points" if hidden else "the hidden ones give the points"
        scored = scored if exercise.points else "a challenge, without points"
        message = f"✓ {exercise.name}: {'hidden' if hidden else 'visible'} checks passed ({scored})"
        return Verdict(exercise.name, "passed", float(exercise.points), None, message, hidden)

    message = f"✗ {exercise.name}: {failure.what}\n{failure.text()}"
    mistake = diagnose(exercise, tests, edge=failure.case.edge)
    if mistake:
        message += f"\n  looks like: {mistake.name.replace('_', ' ')}\n  hint: {mistake.hint}"
    return Verdict(exercise.name, "wrong", 0.0, mistake.name if mistake else None, message, hidden)


# --- which mistake is it? ---------------------------------------------------------------------------------------------


def diagnose(exercise: Exercise, tests: list[Test], edge: bool) -> Mistake | None:
    """The first named mistake that does what the answer did, in everything; else in the values of its kind of cases.

    The second pass is for an answer with a further flaw: a gradient that is cut off, or, where a plain case fails
    (not `edge`), another treatment of the edge cases.
    """
    values = [test for test in tests if test.expected and (edge or not test.case.edge)]
    for group, gradients in ((tests, True), (values, False)):
        for mistake in exercise.mistakes:
            if all(
                _agree(test.outcome, run(mistake.function, exercise, test.case), test.expected, gradients)
                for test in group
            ) and (gradients or first_failure(mistake.function, exercise, _replay(mistake, exercise, group))):
                return mistake
    return None


def _replay(mistake: Mistake, exercise: Exercise, tests: list[Test]) -> list[Test]:
    return [Test(t.case, run(mistake.function, exercise, t.case), t.expected) for t in tests]


def _agree(one: Outcome, other: Outcome, expected: Expected | None, gradients: bool) -> bool:
    """Whether two calls did the same: error, changed arguments, shapes, dtypes, and the same wrong values."""
    if one.error is not None or other.error is not None:
        return type(one.error) is type(other.error)
    if one.changed != other.changed or len(one.values) != len(other.values):
        return False
    fits = expected is not None and len(expected.values) == len(one.values)
    rights = zip(expected.values, expected.tolerances, strict=True) if fits else [(None, None)] * len(one.values)
    for a, b, (right, tolerance) in zip(one.values, other.values, rights, strict=True):
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            if a.shape != b.shape or a.dtype != b.dtype or not _explains(b, a, right, tolerance):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    if gradients and expected:
        for name, (right, tolerance) in expected.gradients.items():
            a, b = one.gradients.get(name), other.gradients.get(name)
            if (a is None) != (b is None) or (a is not None and not _explains(b, a, right, tolerance)):
                return False
    return True


def _explains(mistaken: Tensor, got: Tensor, right, tolerance: Tensor | None) -> bool:
    """Whether a mistaken value accounts for the error of another one, up to its 100th part."""
    if not got.is_floating_point():
        return torch.equal(got, mistaken)
    if tolerance is None or right.shape != got.shape:
        return torch.allclose(got, mistaken, rtol=EXPLAINED, equal_nan=True)
    room = tolerance.nan_to_num(0.0) + EXPLAINED * (mistaken.double() - right).abs().nan_to_num(0.0)
    return not bool(wrong(got, mistaken, room).any())


# --- what a notebook calls --------------------------------------------------------------------------------------------


def course_secret() -> str:
    """The secret that varies the hidden inputs from course to course.

    It is HYPLEARN_SEED, else `c.HyplearnGrading.seed` of the nearest nbgrader_config.py, else empty.
    """
    if secret := os.environ.get("HYPLEARN_SEED"):
        return secret
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "nbgrader_config.py").is_file():
            from traitlets.config import PyFileConfigLoader  # of nbgrader; nothing else here needs it

            config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
            return str(config.HyplearnGrading.get("seed", ""))
    return ""


def seed_for(secret: str, *names: str) -> int:
    """A number that only the secret gives, another one for every exercise."""
    return int.from_bytes(hashlib.sha256("\0".join((secret, *names)).encode()).digest()[:7], "big")


class Checker:
    """`check = checker("01_parallel_postulate")`, then `check(f)`. `verdicts` keeps what was found, in order."""

    def __init__(self, exercises: ExerciseSet):
        self.set = exercises
        self.verdicts: list[Verdict] = []

    def __call__(self, answer: Callable, name: str | None = None, hidden: bool = False) -> float:
        """Check an answer, print to stdout what was found, and return the points.

        Args:
            answer: the function (or class), for the exercise of its own name.
            name: the exercise, where the answer is called something else.
            hidden: with inputs that the course's secret seed gives, and for points; else the same inputs every time.

        Raises:
            ValueError: if there is no exercise of that name.
        """
        name = name or getattr(answer, "__name__", "")
        if name not in self.set.exercises:
            known = ", ".join(self.set.exercises)
            raise ValueError(f"name: {name!r} is no exercise of {self.set.name}; choose from {known}")
        seed = seed_for(course_secret(), self.set.name, name) if hidden else 0
        verdict = judge(answer, self.set.exercises[name], seed, hidden)
        self.verdicts.append(verdict)
        print(verdict.message)
        return verdict.points


def checker(name: str) -> Checker:
    """The checker of the exercise set `name`, for the set-up cell of its notebook."""
    return Checker(load_set(name))
