"""Calling an answer, and recording all that the call did.

The answer is only ever called, with plain data (tensors, numbers, strings, and lists, tuples, dicts of these). So it
may as well be a proxy of a function that runs in another process, if that keeps four promises: an exception arrives as
a built-in one of the same type; an argument that was changed there is changed here too; a result carries a gradient
exactly if it did there; and an answer that is an `nn.Module` class has, once constructed, `to`, `load_state_dict` and
a call.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hyplearn.grading.spec import Case, Exercise, cast


@dataclass
class Outcome:
    """What one call did: values or an error, which arguments it changed, and its gradients by argument."""

    values: list = field(default_factory=list)
    error: BaseException | None = None
    changed: list[str] = field(default_factory=list)
    gradients: dict[str, Tensor | None] = field(default_factory=dict)


def parts(result) -> list:
    """A result as a list of values: a tuple, list or dict is taken apart."""
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, (tuple, list)) else [result]


def differentiable(exercise: Exercise, case: Case) -> list[int]:
    """The positions of the arguments with respect to which a gradient is compared."""
    if not (exercise.differentiable and case.gradient and case.raises is None):
        return []
    return [i for i, a in enumerate(case.args) if isinstance(a, Tensor) and a.is_floating_point()]


def pull_back(values: list, inputs: list[Tensor]) -> list[Tensor | None]:
    """The gradient of one fixed weighted sum of all floating values, by input; None where there is none."""
    rng = torch.Generator().manual_seed(0)
    outputs, weights = [], []
    for value in values:
        if isinstance(value, Tensor) and value.is_floating_point():
            weight = 0.5 + torch.rand(value.shape, generator=rng, dtype=torch.float64)
            if value.requires_grad:
                outputs.append(value)
                weights.append(weight.to(value))
    if not outputs:
        return [None] * len(inputs)
    return list(torch.autograd.grad(outputs, inputs, weights, allow_unused=True))


def call(answer: Callable, case: Case, args: tuple):
    """Call an answer; construct it and load its weights first, where the case says so."""
    if case.construct is not None:
        answer = answer(*case.construct).to(case.dtypes[0])
        if case.state is not None:
            answer.load_state_dict(case.state)
    return answer(*args)


@contextlib.contextmanager
def nothing_on_stderr():
    """nbgrader scores a right answer 0 if its test cell wrote to stderr: a warning will do."""
    with contextlib.redirect_stderr(sys.stdout):
        yield


def run(answer: Callable, exercise: Exercise, case: Case) -> Outcome:
    """Call an answer on a copy of the arguments of a case, with gradients where the case asks for them.

    Autograd refuses some calls with an error of its own (a leaf that is changed in place, numpy). Such a call is made
    again without it, and then lacks nothing but its gradients.
    """
    wanted = differentiable(exercise, case)
    outcome = _run(answer, exercise, case, wanted)
    if wanted and isinstance(outcome.error, RuntimeError):
        plain = _run(answer, exercise, case, [])
        if plain.error is None:
            plain.gradients = dict.fromkeys(exercise.arguments[i] for i in wanted)
            return plain
    return outcome


def _run(answer: Callable, exercise: Exercise, case: Case, wanted: list[int]) -> Outcome:
    args = cast(case.args, case.dtypes[0])
    for i in wanted:
        args[i].requires_grad_()
    outcome = Outcome()
    with nothing_on_stderr():
        try:
            values = parts(call(answer, case, args))
            if wanted:
                gradients = pull_back(values, [args[i] for i in wanted])
                outcome.gradients = dict(zip((exercise.arguments[i] for i in wanted), gradients, strict=True))
            outcome.values = [v.detach() if isinstance(v, Tensor) else v for v in values]
        except (Exception, SystemExit) as error:  # whatever an answer raises is a finding, not a failure of the check
            outcome.error = error
    pairs = zip(exercise.arguments, args, case.args, strict=False)
    outcome.changed = [name for name, now, before in pairs if not _same(now, before)]
    return outcome


def _same(a, b) -> bool:
    if isinstance(a, Tensor):
        return a.shape == b.shape and bool(torch.equal(a.detach().nan_to_num(), b.nan_to_num()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return a == b
