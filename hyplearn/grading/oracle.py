"""What is expected of an answer, and how exactly.

A right answer may make rounding errors, and must not be asked for digits that its input does not hold. So a value
passes if it is about as good as the exact answer for an input that is off by a few eps:

    |got - expected|  <=  SLACK (eps |expected| + max over e of |oracle(input + e) - oracle(input)|),   |e| = eps |input|,

where a number is moved relative to itself, a point relative to its norm, and eps belongs to the dtype of the case. The
oracle computes in float64, on the rounded input, so an answer that is more accurate than ours passes. Gradients and
the two sides of a property are judged in the same way.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hyplearn.grading.answer import call, differentiable, parts, pull_back
from hyplearn.grading.spec import Case, Exercise

SLACK = 32  # some ten operations, each good to a unit or two in the last place, in an unlucky order
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
    oracle, eps, exact = exercise.oracle or exercise.reference, torch.finfo(case.dtypes[0]).eps, case.cast(torch.float64)
    wanted = differentiable(exercise, case)
    room = exercise.rounding or (lambda value, eps: 0.0)

    def gradients_at(args):
        args = [a.detach().clone().requires_grad_() if i in wanted else a for i, a in enumerate(args)]
        inputs = [args[i] for i in wanted]
        found = pull_back(parts(call(oracle, exact, tuple(args))), inputs)
        return [torch.zeros_like(a) if g is None else g for a, g in zip(inputs, found, strict=True)]

    values = [v.detach() if isinstance(v, Tensor) else v for v in parts(call(oracle, exact, exact.args))]
    moves = _spread(lambda args: numbers(parts(call(oracle, exact, args))), exact, exercise, eps)
    moves = iter(moves)
    tolerances = []
    for value in values:
        move = next(moves) if isinstance(value, Tensor | float) else None
        if isinstance(value, Tensor) and not value.is_floating_point() or move is None:
            tolerances.append(None)
        else:
            value = torch.as_tensor(value, dtype=torch.float64)
            tolerances.append(SLACK * (eps * value.abs() + move) + room(value, SLACK * eps))

    gradients = {}
    if wanted:
        moves = _spread(gradients_at, exact, exercise, eps)
        for i, value, move in zip(wanted, gradients_at(exact.args), moves, strict=True):
            # The gradient of a point is rounded relative to its norm, as the point is.
            size = value.norm(dim=-1, keepdim=True) if exercise.arguments[i] in exercise.vectors else value.abs()
            gradients[exercise.arguments[i]] = value, SLACK * (eps * size + move)

    properties = []
    for rule in () if case.edge else exercise.properties:
        sides = numbers(rule.sides(oracle, *exact.args))
        moves = _spread(lambda args, rule=rule: numbers(rule.sides(oracle, *args)), exact, exercise, eps)
        properties.append(
            sum(SLACK * (eps * s.abs() + m) + room(s, SLACK * eps) for s, m in zip(sides, moves, strict=True))
        )
    return Expected(case, values, tolerances, gradients, properties)


def numbers(values) -> list[Tensor]:
    """The tensors and floats among some values, as tensors without a graph."""
    return [torch.as_tensor(v).detach() for v in values if isinstance(v, Tensor | float)]


def _spread(function: Callable[[tuple], list[Tensor]], case: Case, exercise: Exercise, eps: float) -> list[Tensor]:
    """How far each entry of `function(args)` moves when the arguments move by eps; inf where it ceases to exist."""
    rng = torch.Generator().manual_seed(1)

    def sign(shape):
        return 2.0 * torch.randint(0, 2, shape, generator=rng) - 1

    def move(value, vector):
        if isinstance(value, Tensor) and value.is_floating_point():
            size = value.norm(dim=-1, keepdim=True) if vector and value.ndim else value.abs()
            return value + eps * size * sign(value.shape).double()
        return value * (1 + eps * float(sign(()))) if isinstance(value, float) else value

    centre = function(case.args)
    widest = [torch.zeros(v.shape, dtype=torch.float64) for v in centre]
    vectors = [name in exercise.vectors for name in exercise.arguments[: len(case.args)]]
    for _ in range(PROBES):
        moved = function(tuple(map(move, case.args, vectors)))
        for i, (a, b) in enumerate(zip(moved, centre, strict=True)):
            shift = (a.double() - b.double()).abs()
            same = (a == b) | (a.isnan() & b.isnan())  # infinities included
            widest[i] = torch.maximum(widest[i], torch.where(same, 0.0, shift.nan_to_num(nan=math.inf)))
    return widest


def wrong(got: Tensor, want: Tensor, tolerance: Tensor | None) -> Tensor:
    """Where a value is not the expected one. NaN and infinities must be the same on both sides."""
    if tolerance is None:
        return got != want
    got, want = got.double(), want.double()
    close = (got - want).abs() <= tolerance
    return ~torch.where(want.isfinite() & got.isfinite(), close, (got == want) | (got.isnan() & want.isnan()))
