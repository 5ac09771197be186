"""The stages of a check, in order, and what a learner reads where one of them fails."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hyplearn.grading.answer import Outcome, nothing_on_stderr
from hyplearn.grading.oracle import Expected, numbers, wrong
from hyplearn.grading.spec import Case, Exercise, cast


@dataclass(frozen=True)
class Failure:
    """What is wrong: a heading, and lines of a word and what it is about."""

    what: str
    lines: tuple[tuple[str, str], ...]
    case: Case

    def text(self) -> str:
        return "\n".join(f"  {word:<9} {about}" for word, about in self.lines)


@dataclass(frozen=True)
class Test:
    """A case, what the answer did there, and what was expected (None where an exception was)."""

    case: Case
    outcome: Outcome
    expected: Expected | None


def first_failure(answer: Callable, exercise: Exercise, tests: list[Test]) -> Failure | None:
    """Stage by stage, each over its cases: the plain ones, then the edges, the promised errors, the gradients."""
    calls = [test for test in tests if test.expected]
    plain, edges = [t for t in calls if not t.case.edge], [t for t in calls if t.case.edge]
    form = (_call, _return, _shape, _dtype, _mutation)
    for stages, group in (
        ((*form, _value, lambda e, t: _property(answer, e, t)), plain),
        ((*form, _value), edges),
        ((_promise,), [test for test in tests if not test.expected]),
        ((_gradient,), calls),
    ):
        for stage in stages:
            for test in group:
                if found := stage(exercise, test):
                    what, *lines = found
                    if all(word != "with" for word, _ in lines):
                        lines = [("with", _input(exercise, test.case)), *lines]
                    return Failure(what, tuple(lines), test.case)
    return None


# --- stages: each returns a heading and lines, or nothing -------------------------------------------------------------


def _call(exercise: Exercise, test: Test):
    if test.outcome.error is None:
        return None
    lines = [("raised", raised(test.outcome.error))]
    if isinstance(test.outcome.error, TypeError):
        lines.append(("called", f"{exercise.name}({', '.join(exercise.arguments)}), the arguments in this order"))
    return "the call raised an error", *lines


def _return(exercise: Exercise, test: Test):
    got, want = test.outcome.values, test.expected.values
    if len(got) != len(want):
        wanted = f"{', '.join(exercise.outputs)}" if len(want) > 1 else _kind(want[0])
        found = f"{len(got)} values" if len(got) != 1 else _kind(got[0])
        return "the return value has the wrong form", ("expected", wanted), ("got", found)
    for name, a, b in zip(_names(exercise, test), got, want, strict=True):
        if not isinstance(a, Tensor if isinstance(b, Tensor) else float | int if isinstance(b, float) else type(b)):
            return f"{name} has the wrong type", ("expected", _kind(b)), ("got", _kind(a))
    return None


def _shape(exercise: Exercise, test: Test):
    for name, got, want in _tensors(exercise, test):
        if got.shape != want.shape:
            return f"{name} has the wrong shape", ("expected", str(tuple(want.shape))), ("got", str(tuple(got.shape)))
    return None


def _dtype(exercise: Exercise, test: Test):
    for name, got, want in _tensors(exercise, test):
        dtype = test.case.dtypes[0] if want.is_floating_point() else want.dtype
        if got.dtype != dtype:
            return f"{name} has the wrong dtype", ("expected", str(dtype)), ("got", str(got.dtype))
        if got.device != want.device:
            return f"{name} is on the wrong device", ("expected", str(want.device)), ("got", str(got.device))
    return None


def _mutation(exercise: Exercise, test: Test):
    if not test.outcome.changed:
        return None
    names = " and ".join(test.outcome.changed)
    return f"the call changes its argument {names}", ("rule", "what is passed in belongs to the caller: work on a copy")


def _value(exercise: Exercise, test: Test):
    want = test.expected
    for name, a, b, tolerance in zip(
        _names(exercise, test), test.outcome.values, want.values, want.tolerances, strict=True
    ):
        if not isinstance(b, Tensor | float):
            index, found = None, a != b
        else:
            a, b = torch.as_tensor(a), torch.as_tensor(b)
            index = _first(wrong(a, b, tolerance))
            found = index is not None
            a, b = (a[index], b[index]) if found else (a, b)
        if found:
            got, wanted = _apart(a, b)
            lines = ("with", _input(exercise, test.case, index)), ("expected", wanted), ("got", got)
            return f"{name} is wrong", *lines, ("rule", exercise.rule)
    return None


def _property(answer: Callable, exercise: Exercise, test: Test):
    for rule, tolerance in zip(exercise.properties, test.expected.properties, strict=True):
        with nothing_on_stderr():
            try:
                left, right = numbers(rule.sides(answer, *cast(test.case.args, test.case.dtypes[0])))
            except Exception as error:  # an answer may fail on the inputs of a property alone
                return "a property does not hold", ("rule", rule.rule), ("raised", raised(error))
        left, right = torch.broadcast_tensors(left, right)
        index = _first(wrong(left, right, tolerance))
        if index is not None:
            sides = " and ".join(_apart(left[index], right[index]))
            where = _input(exercise, test.case, index)
            return "a property does not hold", ("with", where), ("rule", rule.rule), ("got", f"{sides}, not equal")
    return None


def _promise(exercise: Exercise, test: Test):
    error, promised = test.outcome.error, test.case.raises
    if isinstance(error, promised):
        return None
    got = "no error" if error is None else raised(error)
    return "a wrong input is not refused", ("expected", f"{promised.__name__}, as the docstring promises"), ("got", got)


def _gradient(exercise: Exercise, test: Test):
    for name, (want, tolerance) in test.expected.gradients.items():
        got = test.outcome.gradients[name]
        if got is None:
            if bool((want == 0).all()):
                continue
            rule = "compute with tensors from beginning to end: .item(), float() and numpy cut the gradient off"
            return f"there is no gradient with respect to {name}", ("rule", rule)
        index = _first(wrong(got, want, tolerance) & want.isfinite())  # no gradient is asked for where there is none
        if index is not None:
            found, wanted = _apart(got[index], want[index])
            finite = "wrong" if bool(got[index].isfinite()) else "not finite"
            lines = ("with", _input(exercise, test.case, index)), ("expected", wanted), ("got", found)
            return f"the value is right, its gradient with respect to {name} is {finite}", *lines
    return None


# --- words ------------------------------------------------------------------------------------------------------------


def raised(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}".strip(": ").split("\n")[0][:200]


def _names(exercise: Exercise, test: Test) -> list[str]:
    count = len(test.expected.values)
    return list(exercise.outputs) if len(exercise.outputs) == count else ["the value"] * count


def _tensors(exercise: Exercise, test: Test):
    for name, got, want in zip(_names(exercise, test), test.outcome.values, test.expected.values, strict=True):
        if isinstance(want, Tensor):
            yield name, got, want


def _kind(value) -> str:
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, Tensor):
        return "a tensor"
    return f"a value of type {getattr(value, 'type_name', type(value).__name__)}"  # of a proxy's: the type over there


def _first(where: Tensor) -> tuple[int, ...] | None:
    return tuple(where.nonzero()[0].tolist()) if where.any() else None


def _apart(a, b) -> tuple[str, str]:
    """Two values in as few digits as tell them apart, at least 6."""
    a, b = (v.item() if isinstance(v, Tensor) else v for v in (a, b))
    if not isinstance(a, float) or not isinstance(b, float):
        return repr(a), repr(b)
    for digits in (6, 9, 12, 17):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _short(value) -> str:
    if isinstance(value, Tensor):
        return _nested(value.tolist()) if value.numel() <= 8 else f"a tensor of shape {tuple(value.shape)}"
    return repr(value)


def _nested(value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _input(exercise: Exercise, case: Case, index: tuple[int, ...] | None = None) -> str:
    """The failing input: of a batch the entry to which `index` of the result belongs."""
    args, place = _entry(exercise, case, index) if index else (case.args, ())
    listed = ", ".join(f"{name} = {_short(a)}" for name, a in zip(exercise.arguments, args, strict=False))
    about = [str(case.dtypes[0]).removeprefix("torch."), case.label]
    if place:
        about.append(f"entry {list(place)}")
    return f"{listed}   ({', '.join(filter(None, about))})"


def _entry(exercise: Exercise, case: Case, index: tuple[int, ...]) -> tuple[tuple, tuple[int, ...]]:
    cores = [(name in exercise.vectors) + (name in exercise.sets) for name in exercise.arguments]
    tensors = [(a, core) for a, core in zip(case.args, cores, strict=False) if isinstance(a, Tensor)]
    try:
        batch = torch.broadcast_shapes(*(a.shape[: a.ndim - core] for a, core in tensors))
    except RuntimeError:  # the arguments are no batches of one shape: show them whole
        return case.args, ()
    if case.construct is not None or len(index) < len(batch):
        return case.args, ()
    place = index[: len(batch)]
    picked = (
        a.expand((*batch, *a.shape[a.ndim - core :]))[place] if isinstance(a, Tensor) else a
        for a, core in zip(case.args, cores, strict=False)
    )
    return tuple(picked), place
