"""`check(f)`: does an answer do what its docstring says, and if not, what went wrong?

The answer is only ever called, with plain data (tensors, numbers, strings, and lists, tuples, dicts of these), and its
results are compared with the oracle of the spec. So it may as well be a proxy of a function that runs in another
process, if that keeps four promises: an exception arrives as a built-in one of the same type; an argument that was
changed there is changed here too; the result carries a gradient exactly if it did there; and an answer that is an
`nn.Module` class has, once constructed, `to`, `load_state_dict` and a call.

Tolerances. A right answer may make rounding errors, and must not be asked for digits that its input does not hold. So
a value passes if it is as good as the exact answer for an input that is off by a few eps:

    |got - expected| <= SLACK * ( eps |expected| + max over some e of |oracle(input + e) - oracle(input)| ),  |e| ~ eps |input|

where numbers are moved relative to themselves and coordinates of a point relative to its norm, and eps belongs to the
dtype of the case. The oracle computes in float64, on the rounded input. Properties and gradients are judged alike.
"""

import contextlib
import hashlib
import itertools
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from hyplearn.grading.spec import Case, Exercise, ExerciseSet, cast, load_set

SLACK = 32  # a chain of about ten operations, each good to a unit or two in the last place, with room for unlucky order
PROBES = 8
EXPLAINED = 1e-2  # a mistake explains a wrong value if it leaves at most this part of the error unexplained
PUBLIC_SEED = "public"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check; `message` is what the learner reads."""

    exercise: str
    status: str  # "unattempted", "wrong" or "passed"
    points: float
    mistake: str | None
    message: str
    hidden: bool = False


@dataclass
class Outcome:
    """What one call of an answer did."""

    values: list | None = None  # of the parts of the result, None where the call raised
    names: list[str] = field(default_factory=list)
    error: Exception | None = None
    changed: list[str] = field(default_factory=list)
    gradients: dict[str, Tensor | None] | None = None


@dataclass(frozen=True)
class Failure:
    """What is wrong, in lines for the learner."""

    what: str
    lines: tuple[str, ...] = ()


# --- plain data -------------------------------------------------------------------------------------------------------


def _parts(result, names=()) -> tuple[list, list[str]]:
    """A result as a flat list of tensors and plain values, each with a name."""
    if isinstance(result, dict):
        return list(result.values()), [f"[{key!r}]" for key in result]
    if isinstance(result, (tuple, list)):
        return list(result), [names[i] if i < len(names) else f"result {i + 1}" for i in range(len(result))]
    return [result], [""]


def _kind(value) -> str:
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, (tuple, list)):
        return f"{'an empty' if not value else 'a'} {type(value).__name__} of {len(value)}"
    return "None (is a `return` missing?)" if value is None else f"a value of type {type(value).__name__}"


def _differentiable(exercise: Exercise, case: Case) -> list[int]:
    """The positions of the arguments with respect to which a gradient is compared."""
    if not (exercise.differentiable and case.gradient and case.raises is None):
        return []
    return [i for i, a in enumerate(case.args) if isinstance(a, Tensor) and a.is_floating_point()]


def _cotangents(values: list) -> list[Tensor]:
    """Fixed numbers of order 1 that weigh the entries of a result, so that one gradient tests all of them."""
    rng = torch.Generator().manual_seed(0)
    return [
        (0.5 + torch.rand(v.shape, generator=rng, dtype=torch.float64)).to(v)
        if isinstance(v, Tensor) and v.is_floating_point()
        else None
        for v in values
    ]


def _pull_back(values: list, inputs: list[Tensor]) -> list[Tensor | None]:
    """Gradient of the weighted sum of all floating values with respect to each input; None where there is none."""
    pairs = [(v, w) for v, w in zip(values, _cotangents(values), strict=True) if w is not None and v.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    outputs, weights = zip(*pairs, strict=True)
    return list(torch.autograd.grad(outputs, inputs, weights, allow_unused=True))


def _apply(answer: Callable, case: Case, args: tuple):
    """Call an answer, or construct it first where it is a class."""
    if case.construct is not None:
        answer = answer(*case.construct).to(case.dtypes[0])
        if case.state is not None:
            answer.load_state_dict(cast(case.state, case.dtypes[0]))
    return answer(*args)


def _run(answer: Callable, exercise: Exercise, case: Case) -> Outcome:
    """Call an answer on a copy of the arguments and look at all that it did. Nothing of it reaches stderr."""
    args = list(cast(case.args, case.dtypes[0]))
    wanted = _differentiable(exercise, case)
    for i in wanted:
        args[i].requires_grad_()
    before = [cast(a, case.dtypes[0]) for a in args]
    outcome = Outcome()
    with contextlib.redirect_stderr(sys.stdout), torch.enable_grad():
        try:
            result = _apply(answer, case, tuple(args))
            outcome.values, outcome.names = _parts(result, exercise.outputs)
            if wanted:
                gradients = _pull_back(outcome.values, [args[i] for i in wanted])
                outcome.gradients = dict(zip((exercise.arguments[i] for i in wanted), gradients, strict=True))
        except Exception as error:  # whatever a learner's code raises is a finding, not a failure of the check
            outcome.error = error
    outcome.values = outcome.values and [v.detach() if isinstance(v, Tensor) else v for v in outcome.values]
    outcome.changed = [
        name for name, a, b in zip(exercise.arguments, args, before, strict=False) if not _identical(a, b)
    ]
    return outcome


def _identical(a, b) -> bool:
    if isinstance(a, Tensor):
        return a.shape == b.shape and bool(torch.equal(a.detach().nan_to_num(), b.detach().nan_to_num()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_identical, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_identical(a[key], b[key]) for key in a)
    return a == b


# --- expected values and tolerances -----------------------------------------------------------------------------------


def _float64(case: Case) -> Case:
    """The case with its rounded input, exactly, in float64."""
    return case.cast(torch.float64)


def _numbers(values: list) -> list[Tensor]:
    return [v.detach() if isinstance(v, Tensor) else torch.tensor(v) for v in values if isinstance(v, Tensor | float)]


def _nudge(value, eps: float, sign: Callable[[torch.Size], Tensor], vector: bool):
    if isinstance(value, Tensor) and value.is_floating_point():
        scale = value.norm(dim=-1, keepdim=True) if vector and value.ndim else value.abs()
        return value.detach() + eps * scale * sign(value.shape)
    if isinstance(value, float):
        return value * (1 + eps * float(sign(())))
    return value


def spread(function: Callable[[tuple], list[Tensor]], case: Case, exercise: Exercise, eps: float) -> list[Tensor]:
    """How far each entry of `function(args)` moves when the input of the case moves by eps; inf where it jumps."""
    rng = torch.Generator().manual_seed(1)

    def sign(shape):
        return 2.0 * torch.randint(0, 2, shape, generator=rng).double() - 1

    centre = function(case.args)
    widest = [torch.zeros_like(v, dtype=torch.float64) for v in centre]
    for _ in range(PROBES):
        args = tuple(
            _nudge(a, eps, sign, name in exercise.vectors)
            for name, a in itertools.zip_longest(exercise.arguments[: len(case.args)], case.args)
        )
        for i, moved in enumerate(function(args)):
            shift = (moved.double() - centre[i].double()).abs()
            shift = torch.where(moved == centre[i], 0.0, shift).nan_to_num(nan=math.inf)
            shift = torch.where(centre[i].isnan() & moved.isnan(), 0.0, shift)
            widest[i] = torch.maximum(widest[i], shift)
    return widest


@dataclass(frozen=True)
class Expected:
    """The oracle's values for one case, in float64 (or integers, bools, strings), with their tolerances."""

    values: list
    names: list[str]
    tolerances: list[Tensor | None]
    gradients: dict[str, tuple[Tensor, Tensor]]  # by argument: value and tolerance


def expected(exercise: Exercise, case: Case) -> Expected:
    """Values, gradients and tolerances of the oracle on a case."""
    oracle, eps, exact = exercise.oracle or exercise.reference, torch.finfo(case.dtypes[0]).eps, _float64(case)

    def values_of(args):
        return _numbers(_parts(_apply(oracle, exact, args))[0])

    wanted = _differentiable(exercise, case)

    def gradients_of(args):
        args = [a.detach().clone().requires_grad_() if i in wanted else a for i, a in enumerate(args)]
        inputs = [args[i] for i in wanted]
        found = _pull_back(_parts(_apply(oracle, exact, tuple(args)))[0], inputs)
        return [torch.zeros_like(a) if g is None else g for a, g in zip(inputs, found, strict=True)]

    values, names = _parts(_apply(oracle, exact, exact.args), exercise.outputs)
    values = [v.detach() if isinstance(v, Tensor) else v for v in values]
    moves = iter(spread(values_of, exact, exercise, eps))
    tolerances = []
    for value in values:
        move = next(moves) if isinstance(value, Tensor | float) else None
        if move is None or (isinstance(value, Tensor) and not value.is_floating_point()):
            tolerances.append(None)
            continue
        value = torch.as_tensor(value)
        tolerance = SLACK * (eps * value.abs() + move)
        tolerances.append(tolerance + exercise.rounding(value, SLACK * eps) if exercise.rounding else tolerance)
    gradients = {}
    if wanted:
        found, moves = gradients_of(exact.args), spread(gradients_of, exact, exercise, eps)
        for i, value, move in zip(wanted, found, moves, strict=True):
            # An entry of a gradient is a sum over the result; its roundings are relative to the largest entry.
            size = value.norm(dim=-1, keepdim=True) if exercise.arguments[i] in exercise.vectors else value.abs()
            gradients[exercise.arguments[i]] = (value, SLACK * (eps * size + move))
    return Expected(values, names, tolerances, gradients)


def _wrong(got: Tensor, want: Tensor, tolerance: Tensor | None) -> Tensor:
    """Where a value is not the expected one, as a bool tensor. NaN and infinities must be the same on both sides."""
    if tolerance is None:
        return got != want
    got = got.double()
    close = (got - want).abs() <= tolerance
    return ~torch.where(want.isfinite() & got.isfinite(), close, (got == want) | (got.isnan() & want.isnan()))


# --- what the learner reads -------------------------------------------------------------------------------------------


def _number(value: float | Tensor, other: float | Tensor | None = None) -> str:
    """A number with 6 digits, or with as many as it takes to tell it from the other one."""
    value = value.item() if isinstance(value, Tensor) else value
    if not isinstance(value, float):
        return str(value)
    other = other.item() if isinstance(other, Tensor) else other
    for digits in (6, 9, 12, 17):
        text = f"{value:.{digits}g}"
        if other is None or text != f"{other:.{digits}g}":
            break
    return text


def _show(value) -> str:
    """A value as one would type it, where it is short."""
    if isinstance(value, Tensor):
        value = value.detach()
        if value.numel() > 8:
            return f"a tensor of shape {tuple(value.shape)}"
        return f"torch.tensor({_nested(value)})"
    return repr(value)


def _nested(value: Tensor) -> str:
    if value.ndim:
        return "[" + ", ".join(map(_nested, value)) + "]"
    return _number(value)


def _element(exercise: Exercise, case: Case, index: tuple[int, ...]) -> tuple[tuple, tuple[int, ...]]:
    """The arguments that belong to one entry of a batched result, and the place of that entry in the batch."""
    cores = [1 if name in exercise.vectors else 0 for name, _ in zip(exercise.arguments, case.args, strict=False)]
    tensors = [(a, core) for a, core in zip(case.args, cores, strict=False) if isinstance(a, Tensor)]
    if case.construct is not None or any(a.ndim < core for a, core in tensors):
        return case.args, ()
    try:
        batch = torch.broadcast_shapes(*(a.shape[: a.ndim - core] for a, core in tensors))
    except RuntimeError:
        return case.args, ()
    place = index[: len(batch)]
    if len(place) < len(batch):
        return case.args, ()
    pick = [
        a.expand((*batch, *a.shape[a.ndim - core :]))[place] if isinstance(a, Tensor) else a
        for a, core in zip(case.args, cores, strict=False)
    ]
    return tuple(pick), place


def _with(exercise: Exercise, case: Case, index: tuple[int, ...] | None = None) -> str:
    """The line that names the failing input."""
    args, place = (case.args, ()) if index is None else _element(exercise, case, index)
    listed = ", ".join(f"{name} = {_show(a)}" for name, a in zip(exercise.arguments, args, strict=False))
    about = [str(case.dtypes[0]).removeprefix("torch."), case.label]
    if place:
        about.append(f"entry {list(place)} of the batch")
    return f"with      {listed}   ({', '.join(filter(None, about))})"


# --- the stages of a check, in order; each looks at one case and finds a Failure or nothing -------------------------------


def _raised(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().split("\n")[0][:200]


def _call_stage(exercise, case, outcome, want):
    if case.raises is None and outcome.error is not None:
        if isinstance(outcome.error, TypeError):
            signature = f"{exercise.name}({', '.join(exercise.arguments)})"
            return Failure(
                "the call raised an error", (f"raised    {_raised(outcome.error)}", f"called    {signature}")
            )
        return Failure("the call raised an error", (f"raised    {_raised(outcome.error)}",))
    return None


def _return_stage(exercise, case, outcome, want):
    if want is None:
        return None
    if len(outcome.values) != len(want.values):
        wanted = ", ".join(want.names) if len(want.values) > 1 else _kind(want.values[0])
        got = f"{len(outcome.values)} values" if len(outcome.values) != 1 else _kind(outcome.values[0])
        return Failure("the return value has the wrong form", (f"expected  {wanted}", f"got       {got}"))
    for name, got, value in zip(want.names, outcome.values, want.values, strict=True):
        number = isinstance(value, float) and isinstance(got, float | int)
        if not number and not isinstance(got, Tensor if isinstance(value, Tensor) else type(value)):
            lines = (f"expected  {_kind(value)}", f"got       {_kind(got)}")
            return Failure(f"{name or 'the return value'} has the wrong type", lines)
    return None


def _shape_stage(exercise, case, outcome, want):
    for name, got, value in zip(want.names, outcome.values, want.values, strict=True):
        if isinstance(value, Tensor) and got.shape != value.shape:
            lines = (f"expected  {tuple(value.shape)}", f"got       {tuple(got.shape)}")
            return Failure(f"the shape {f'of {name} ' if name else ''}is wrong", lines)
    return None


def _dtype_stage(exercise, case, outcome, want):
    for name, got, value in zip(want.names, outcome.values, want.values, strict=True):
        if not isinstance(value, Tensor):
            continue
        dtype = case.dtypes[0] if value.is_floating_point() else value.dtype
        if got.dtype != dtype or got.device != value.device:
            what = "dtype" if got.dtype != dtype else "device"
            lines = (f"expected  {dtype} on {value.device}", f"got       {got.dtype} on {got.device}")
            return Failure(f"the {what} {f'of {name} ' if name else ''}is wrong", lines)
    return None


def _mutation_stage(exercise, case, outcome, want):
    if outcome.changed:
        names = " and ".join(outcome.changed)
        return Failure(f"your function changes its argument {names}", ("rule      an argument belongs to the caller",))
    return None


def _value_stage(exercise, case, outcome, want):
    for name, got, value, tolerance in zip(want.names, outcome.values, want.values, want.tolerances, strict=True):
        if not isinstance(value, Tensor | float):
            if got != value:
                return Failure("the value is wrong", _compared(exercise, case, None, name, repr(got), repr(value)))
            continue
        wrong = _wrong(torch.as_tensor(got), torch.as_tensor(value), tolerance)
        if wrong.any():
            index = tuple(wrong.nonzero()[0].tolist())
            a, b = torch.as_tensor(got)[index], torch.as_tensor(value)[index]
            return Failure("the value is wrong", _compared(exercise, case, index, name, _number(a, b), _number(b, a)))
    return None


def _compared(exercise, case, index, name, got, want) -> tuple[str, ...]:
    suffix = f"   for {name}" if name else ""
    return (
        _with(exercise, case, index),
        f"expected  {want}{suffix}",
        f"got       {got}",
        f"rule      {exercise.rule}",
    )


def _promise_stage(exercise, case, outcome, want):
    if case.raises is None or isinstance(outcome.error, case.raises):
        return None
    got = "returned a value" if outcome.error is None else f"raised {_raised(outcome.error)}"
    lines = (_with(exercise, case), f"expected  {case.raises.__name__}, as the docstring promises", f"got       {got}")
    return Failure("a wrong input is not refused", lines)


def _gradient_stage(exercise, case, outcome, want):
    for name, (value, tolerance) in want.gradients.items():
        got = outcome.gradients[name]
        if got is None and not bool((value == 0).all()):
            rule = (
                "rule      compute with tensors from beginning to end: .item(), float() and numpy cut the gradient off"
            )
            return Failure(f"there is no gradient with respect to {name}", (_with(exercise, case), rule))
        if got is None:
            continue
        if not got.isfinite().all():
            index = tuple((~got.isfinite()).nonzero()[0].tolist())
            lines = (
                _with(exercise, case, index),
                f"expected  {_number(value[index])}",
                f"got       {_number(got[index])}",
            )
            return Failure(f"the gradient with respect to {name} is not finite", lines)
        wrong = _wrong(got, value, tolerance)
        if wrong.any():
            index = tuple(wrong.nonzero()[0].tolist())
            a, b = got[index], value[index]
            lines = (_with(exercise, case, index), f"expected  {_number(b, a)}", f"got       {_number(a, b)}")
            return Failure(f"the values are right, the gradient with respect to {name} is wrong", lines)
    return None


def _properties(answer, exercise: Exercise, case: Case) -> Failure | None:
    """The properties that do not hold on a case; each side of an equation is judged by its own conditioning."""
    oracle, eps, exact = exercise.oracle or exercise.reference, torch.finfo(case.dtypes[0]).eps, _float64(case)
    for rule in exercise.properties:

        def sides_of(args, sides=rule.sides):
            return _numbers(_parts(list(sides(oracle, *args)))[0])

        moves = spread(sides_of, exact, exercise, eps)
        try:
            with contextlib.redirect_stderr(sys.stdout):
                left, right = _numbers(list(rule.sides(answer, *cast(case.args, case.dtypes[0]))))
        except Exception as error:  # as in _run
            return Failure("a property does not hold", (f"rule      {rule.rule}", f"raised    {_raised(error)}"))
        tolerance = SLACK * (eps * (left.abs() + right.abs()) + moves[0] + moves[1])
        if exercise.rounding:
            tolerance = tolerance + exercise.rounding(left, SLACK * eps) + exercise.rounding(right, SLACK * eps)
        wrong = _wrong(left, right.double(), tolerance)
        if wrong.any():
            index = tuple(wrong.nonzero()[0].tolist())
            a, b = left.expand(wrong.shape)[index], right.expand(wrong.shape)[index]
            lines = (
                _with(exercise, case, index),
                f"rule      {rule.rule}",
                f"got       {_number(a, b)} and {_number(b, a)}",
            )
            return Failure("a property does not hold", lines)
    return None


FORM = (_call_stage, _return_stage, _shape_stage, _dtype_stage, _mutation_stage)


def _find(answer, exercise, tests: list[tuple[Case, Outcome, Expected | None]]) -> Failure | None:
    """The first failure, stage by stage."""
    plain = [test for test in tests if not test[0].edge and test[0].raises is None]
    edges = [test for test in tests if test[0].edge and test[0].raises is None]
    for group, stages in ((plain, (*FORM, _value_stage)), (None, ()), (edges, (*FORM, _value_stage))):
        for stage in stages:
            for case, outcome, want in group:
                if failure := stage(exercise, case, outcome, want):
                    shown = any(line.startswith("with ") for line in failure.lines)
                    return failure if shown else Failure(failure.what, (_with(exercise, case), *failure.lines))
        if group is None:
            for case, _, _ in plain:
                if failure := _properties(answer, exercise, case):
                    return failure
    for case, outcome, want in tests:
        if failure := _promise_stage(exercise, case, outcome, want):
            return failure
    for case, outcome, want in plain + edges:
        if failure := _gradient_stage(exercise, case, outcome, want):
            return failure
    return None


# --- the diagnosis ------------------------------------------------------------------------------------------------------


def _same_outcome(outcome: Outcome, other: Outcome, want: Expected | None) -> bool:
    """Whether a mistake does what the answer did: the same errors, shapes, dtypes, and the same wrong values."""
    if (outcome.error is None) != (other.error is None) or outcome.changed != other.changed:
        return False
    if outcome.error is not None:
        return type(outcome.error) is type(other.error)
    if len(outcome.values) != len(other.values):
        return False
    wants = want.values if want and len(want.values) == len(outcome.values) else outcome.values
    tolerances = want.tolerances if wants is not outcome.values else [None] * len(wants)
    for got, wrong, right, tolerance in zip(outcome.values, other.values, wants, tolerances, strict=True):
        if not isinstance(got, Tensor) or not isinstance(wrong, Tensor):
            if type(got) is not type(wrong) or (got != wrong and not isinstance(got, float)):
                return False
            if isinstance(got, float):
                got, wrong = torch.tensor(got), torch.tensor(wrong)
            else:
                continue
        if got.shape != wrong.shape or got.dtype != wrong.dtype:
            return False
        if not _explains(wrong, got, torch.as_tensor(right), tolerance):
            return False
    for name, got in (outcome.gradients or {}).items():
        wrong = (other.gradients or {}).get(name)
        if (got is None) != (wrong is None):
            return False
        if got is not None and want and name in want.gradients:
            right, tolerance = want.gradients[name]
            if not _explains(wrong, got, right, tolerance):
                return False
    return True


def _explains(wrong: Tensor, got: Tensor, right: Tensor, tolerance: Tensor | None) -> bool:
    if tolerance is None or right.shape != got.shape:
        return bool(torch.allclose(got.double(), wrong.double(), rtol=EXPLAINED, equal_nan=True))
    room = tolerance + EXPLAINED * (wrong.double() - right).abs().nan_to_num()
    return not bool(_wrong(got, wrong.double(), room).any())


def _diagnose(exercise: Exercise, tests: list[tuple[Case, Outcome, Expected | None]]):
    """The first named mistake that does on every case what the answer did."""
    for mistake in exercise.mistakes:
        if all(_same_outcome(outcome, _run(mistake.function, exercise, case), want) for case, outcome, want in tests):
            return mistake
    return None


# --- check --------------------------------------------------------------------------------------------------------------


def judge(answer: Callable, exercise: Exercise, seed: int = 0, hidden: bool = False) -> Verdict:
    """The verdict on an answer with the inputs of a seed. Prints nothing."""
    tests = []
    for case in exercise.cases_for(seed):
        outcome = _run(answer, exercise, case)
        if isinstance(outcome.error, NotImplementedError):
            message = f"… {exercise.name}: not attempted yet (it still raises NotImplementedError)"
            return Verdict(exercise.name, "unattempted", 0.0, None, message, hidden)
        tests.append((case, outcome, None if case.raises else expected(exercise, case)))
        if outcome.error is not None and case.raises is None:
            break  # an unexpected error is a finding already; more calls would say the same, or hang as this one did
    which = "hidden" if hidden else "visible"
    failure = _find(answer, exercise, tests)
    if failure is None:
        earned = f"{exercise.points:g} of {exercise.points:g} points" if hidden else "the hidden ones decide the points"
        message = f"✓ {exercise.name}: {which} checks passed ({earned})"
        return Verdict(exercise.name, "passed", float(exercise.points), None, message, hidden)
    mistake = _diagnose(exercise, tests)
    lines = [f"✗ {exercise.name}: {failure.what}", *failure.lines]
    if mistake:
        lines += [f"looks like: {mistake.name.replace('_', ' ')}", f"hint      {mistake.hint}"]
    name = mistake.name if mistake else None
    return Verdict(exercise.name, "wrong", 0.0, name, "\n  ".join(lines), hidden)


def secret_seed() -> str | None:
    """The secret of the course that varies the hidden inputs: HYPLEARN_SEED, else `c.HyplearnGrading.seed` of the nearest
    nbgrader_config.py, else None."""
    if seed := os.environ.get("HYPLEARN_SEED"):
        return seed
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "nbgrader_config.py").is_file():
            from traitlets.config import PyFileConfigLoader

            config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
            return str(config.HyplearnGrading.seed) if "seed" in config.HyplearnGrading else None
    return None


def seed_for(secret: str, *names: str) -> int:
    """A number that nobody can guess without the secret; another one for every exercise."""
    return int.from_bytes(hashlib.sha256("\0".join((secret, *names)).encode()).digest()[:7], "big")


class Checker:
    """`check = checker("01_parallel_postulate")`, then `check(f)` in a notebook. `verdicts` keeps what was found."""

    def __init__(self, exercises: ExerciseSet):
        self.set = exercises
        self.verdicts: list[Verdict] = []

    def __call__(self, answer: Callable, name: str | None = None, hidden: bool = False) -> float:
        """Check an answer, print what was found to stdout, and return the earned points.

        Args:
            answer: the function (or class), for the exercise of its own name.
            name: the exercise, where the function is called something else.
            hidden: with the inputs of the course's secret seed, as it counts; otherwise the same inputs every time.

        Raises:
            ValueError: there is no exercise of that name.
        """
        name = name or getattr(answer, "__name__", "")
        if name not in self.set.exercises:
            known = ", ".join(self.set.exercises)
            raise ValueError(f"{name!r} is no exercise of {self.set.name}; check(f, name=...) with one of: {known}")
        secret = (secret_seed() if hidden else None) or PUBLIC_SEED
        kind = "hidden" if hidden else "visible"
        verdict = judge(answer, self.set.exercises[name], seed_for(secret, self.set.name, name, kind), hidden)
        self.verdicts.append(verdict)
        print(verdict.message)
        return verdict.points


def checker(name: str) -> Checker:
    """The checker of the exercise set `name`, for the set-up cell of its notebook."""
    return Checker(load_set(name))
