"""What is expected of an answer, and how exactly.

A right answer may make rounding errors, and must not be asked for digits that its input does not hold. So a value
passes if it is about as good as the exact answer for an input that is off by a few eps:

    |got - expected| <= SLACK (eps |expected| + max over e of |oracle(input + e) - oracle(input)|),  |e| = eps |input|,

where a number is moved relative to itself, a point relative to its norm, and eps belongs to the dtype of the case. The
oracle computes in float64, on the rounded input, so an answer that is more accurate than ours passes. The two sides of
a property are judged in the same way, and gradients with GRADIENT_SLACK.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hyplearn.grading.answer import call, differentiable, parts, pull_back
from hyplearn.grading.spec import Case, Exercise

SLACK = 32  # some ten operations, each good to a unit or two in the last place, in an unlucky order
GRADIENT_SLACK = 256  # a gradient is a sum of products of those roundings, of terms that may cancel
PROBES = 4  # random moves of the input; SLACK makes up for the worst direction, which they may miss


@dataclass(frozen=True)
class Expected:
    """What is expected in one case: exact values in float64 (or integers, strings ...) and how far one may be off.

    `gradients` has a value and a tolerance by argument, `properties` a tolerance for each property of the exercise.
    """

    case: Case
    values: list
    tolerances: list[Tensor | None]
    gradients: dict[str, tuple[Tensor, Tensor]]
    properties: list[Tensor]


@functools.lru_cache(maxsize=256)
def plan(exercise: Exercise, seed: int) -> list[tuple[Case, Expected | None]]:
    """Every case of an exercise with what is expected there (None where an exception is); kept for the next check."""
    return [(case, None if case.raises else expect(exercise, case)) for case in exercise.cases_for(seed)]


def expect(exercise: Exercise, case: Case) -> Expected:
    """The oracle's values, gradients and tolerances for one case."""
    oracle, eps, exact = (
        exercise.oracle or exercise.reference,
        torch.finfo(case.dtypes[0]).eps,
        case.cast(torch.float64),
    )
    wanted = differentiable(exercise, case)

    def plainly(value):
        return value

    def values(args, rounded=plainly):
        return [rounded(v) for v in parts(call(oracle, exact, args))]

    def gradients(args, rounded=plainly):
        args = [a.detach().clone().requires_grad_() if i in wanted else a for i, a in enumerate(args)]
        inputs = [args[i] for i in wanted]
        found = pull_back(values(tuple(args), rounded), inputs)
        return [torch.zeros_like(a) if g is None else g for a, g in zip(inputs, found, strict=True)]

    def room(function, slack=SLACK) -> list[Tensor]:
        """How far each number that `function` gives may be off, but for its own rounding."""
        centre = numbers(function(exact.args))
        near = [numbers(function(args)) for args in _moved(exercise, exact.args, eps)]
        room = [slack * _widest(value, others) for value, *others in zip(centre, *near, strict=True)]
        if exercise.rounding:
            forms = [lambda v, e=e: exercise.rounding(v, e) for e in (SLACK * eps, -SLACK * eps)]
            near = [numbers(function(exact.args, rounded=form)) for form in forms]
            room = [r + _widest(value, others) for r, value, *others in zip(room, centre, *near, strict=True)]
        return room

    exactly = [v.detach() if isinstance(v, Tensor) else v for v in values(exact.args)]
    rooms, tolerances = iter(room(values)), []
    for value in exactly:
        spare = next(rooms) if isinstance(value, Tensor | float) else None
        floating = value.is_floating_point() if isinstance(value, Tensor) else isinstance(value, float)
        tolerances.append(SLACK * eps * torch.as_tensor(value).abs() + spare if floating else None)

    slopes = {}
    for i, value, spare in (
        zip(wanted, gradients(exact.args), room(gradients, GRADIENT_SLACK), strict=True) if wanted else ()
    ):
        # The gradient of a point is rounded relative to its norm, as the point is.
        size = value.norm(dim=-1, keepdim=True) if exercise.arguments[i] in exercise.vectors else value.abs()
        slopes[exercise.arguments[i]] = value, GRADIENT_SLACK * eps * size + spare

    properties = []
    for rule in () if case.edge else exercise.properties:

        def sides(args, rounded=plainly, rule=rule):
            return rule.sides(lambda *a: _rounded(call(oracle, exact, a), rounded), *args)

        both = zip(numbers(sides(exact.args)), room(sides), strict=True)
        properties.append(sum(SLACK * eps * side.abs() + spare for side, spare in both))
    return Expected(case, exactly, tolerances, slopes, properties)


def numbers(values) -> list[Tensor]:
    """The tensors and floats among some values, as tensors without a graph."""
    return [torch.as_tensor(v).detach() for v in values if isinstance(v, Tensor | float)]


def _rounded(result, rounded: Callable):
    return type(result)(map(rounded, result)) if isinstance(result, (tuple, list)) else rounded(result)


def _moved(exercise: Exercise, args: tuple, eps: float) -> Iterator[tuple]:
    """The arguments, moved by eps in a few random directions."""
    rng = torch.Generator().manual_seed(1)

    def sign(shape):
        return 2.0 * torch.randint(0, 2, shape, generator=rng) - 1

    def move(value, vector):
        if isinstance(value, Tensor) and value.is_floating_point():
            size = value.norm(dim=-1, keepdim=True) if vector and value.ndim else value.abs()
            return value + eps * size * sign(value.shape).double()
        return value * (1 + eps * float(sign(()))) if isinstance(value, float) else value

    vectors = [name in exercise.vectors for name in exercise.arguments[: len(args)]]
    for _ in range(PROBES):
        yield tuple(map(move, args, vectors))


def _widest(value: Tensor, others: list[Tensor]) -> Tensor:
    """The largest distance from a value to others; inf where one of them does not exist, 0 where none does."""
    widest = torch.zeros(value.shape, dtype=torch.float64)
    for other in others:
        same = (other == value) | (other.isnan() & value.isnan())  # infinities included
        distance = (other.double() - value.double()).abs().nan_to_num(nan=math.inf)
        widest = torch.maximum(widest, torch.where(same, 0.0, distance))
    return widest


def wrong(got: Tensor, want: Tensor, tolerance: Tensor | None) -> Tensor:
    """Where a value is not the expected one. NaN and infinities must be the same on both sides."""
    if tolerance is None:
        return got != want
    got, want = got.double(), want.double()
    close = (got - want).abs() <= tolerance
    return ~torch.where(want.isfinite() & got.isfinite(), close, (got == want) | (got.isnan() & want.isnan()))
