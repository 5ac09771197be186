"""What an exercise is: declared once, used for the visible check, the hidden one and the test of the checker itself."""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

DTYPES = (torch.float64, torch.float32)


class Draw:
    """Seeded random inputs in float64; a case rounds them to the dtypes in which it is run."""

    def __init__(self, seed: int):
        self.rng = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self.rng, dtype=torch.float64)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.rng, dtype=torch.float64)

    def number(self, low: float, high: float) -> float:
        return float(self.uniform(low, high))

    def ball_points(self, *shape: int, c: float, near: float = 0.0, far: float = 3.0) -> Tensor:
        """Points of the ball with near <= sqrt(c) d <= far from the origin; shape[-1] counts the coordinates."""
        direction = self.normal(*shape)
        direction = direction / direction.norm(dim=-1, keepdim=True)
        return direction * torch.tanh(self.uniform(near, far, *shape[:-1], 1) / 2) / math.sqrt(c)


@dataclass(frozen=True)
class Case:
    """One call of the answer: its arguments, and what is special about it.

    Args:
        args: the positional arguments: tensors, numbers, strings, bools, and lists, tuples or dicts of these.
        label: a few words for the message ("a batch of 3 x 4", "the origin").
        edge: belongs to the edge cases, which are looked at after values and properties.
        raises: the exception that the docstring promises for these arguments.
        gradient: compare the gradient as well (where the exercise is differentiable).
        dtypes: the dtypes in which the case is run; floating tensors among the arguments are rounded to each.
        construct: for an answer that is an `nn.Module` class: the arguments of its constructor; `args` are then those
            of `forward`.
        state: the state dict that is loaded before `forward`, for an answer that is a class.
    """

    args: tuple
    label: str = ""
    edge: bool = False
    raises: type[Exception] | None = None
    gradient: bool = True
    dtypes: Sequence[torch.dtype] = DTYPES
    construct: tuple | None = None
    state: dict[str, Tensor] | None = None

    def cast(self, dtype: torch.dtype) -> "Case":
        """The same case with every floating tensor in `dtype` (a copy, so that no call can reach another's input)."""
        return replace(self, args=cast(self.args, dtype), state=cast(self.state, dtype), dtypes=(dtype,))


def cast(value, dtype: torch.dtype):
    """A copy of nested plain data with floating tensors in `dtype`."""
    if isinstance(value, Tensor):
        return value.detach().to(dtype, copy=True) if value.is_floating_point() else value.detach().clone()
    if isinstance(value, (list, tuple)):
        return type(value)(cast(item, dtype) for item in value)
    if isinstance(value, dict):
        return {key: cast(item, dtype) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Property:
    """What holds whatever the formula: `sides(f, *args)` gives two values that must agree, `rule` says why."""

    rule: str
    sides: Callable[..., tuple]


@dataclass(frozen=True)
class Mistake:
    """A wrong solution that learners really write, and the hint that helps.

    The function names nothing but `torch` and `math`, so that its source works as a notebook cell as it stands.
    """

    name: str
    hint: str
    function: Callable

    def source(self, name: str) -> str:
        """The source of the wrong solution under another name, as a learner would have written it."""
        text = inspect.getsource(self.function)
        return text[text.index(f"def {self.name}(") :].replace(f"def {self.name}(", f"def {name}(", 1)


def mistake(hint: str) -> Callable[[Callable], Mistake]:
    """Decorator: makes a wrong solution a `Mistake`, named as the function is."""
    return lambda function: Mistake(function.__name__, hint, function)


@dataclass(frozen=True, eq=False)
class Exercise:
    """One autograded function (or class) of a set.

    Args:
        title, points, minutes, difficulty: what the learner sees; difficulty from 1 (warm-up) to 5 (takes thought).
        rule: the sentence that the answer must obey, shown with a wrong value.
        reference: a right solution; its signature names the arguments.
        oracle: gives the expected values from float64 arguments, in a form that is accurate there; the reference itself
            where that is so.
        cases: seeded generator of `Case`s, the simplest first.
        mistakes: at least three.
        properties: hold on every case that is neither an edge case nor raises.
        vectors: the arguments whose last dimension holds the coordinates of one object; all others are numbers.
        sets: the arguments with a dimension more, which counts the members of one set: the N points of a mean (..., N,
            n), their weights (..., N). A message then shows the whole set to which a wrong entry belongs.
        outputs: the names of the values returned, where it is a tuple.
        differentiable: gradients are compared, for every floating tensor among the arguments.
        rounding: `rounding(value, e)` is what comes out in place of a value if an accepted form makes a rounding error
            e on the way, beyond what errors of the input do: for instance acos(cos(value) + e).
        optional: a challenge; it carries no points.
    """

    name: str
    title: str
    points: float
    minutes: int
    difficulty: int
    rule: str
    reference: Callable
    cases: Callable[[Draw], Iterable[Case]]
    mistakes: Sequence[Mistake]
    oracle: Callable | None = None
    properties: Sequence[Property] = ()
    vectors: Sequence[str] = ()
    sets: Sequence[str] = ()
    outputs: Sequence[str] = ()
    differentiable: bool = True
    rounding: Callable[[Tensor, float], Tensor] | None = None
    optional: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        function = self.reference.forward if inspect.isclass(self.reference) else self.reference
        return tuple(name for name in inspect.signature(function).parameters if name != "self")

    def cases_for(self, seed: int) -> list[Case]:
        """Every case in every dtype, simplest first; the same for the same seed."""
        return [case.cast(dtype) for case in self.cases(Draw(seed)) for dtype in case.dtypes]


@dataclass(frozen=True)
class Written:
    """A short answer in words that a person grades: `rubric` says what earns the points."""

    name: str
    title: str
    points: float
    minutes: int
    difficulty: int
    rubric: Sequence[str]


class ExerciseSet:
    """The exercises of one lecture, in the order of the notebook.

    `masked` names library functions that a worker must not have while it runs answers, besides the references and what
    they call: those that would give an answer away.
    """

    def __init__(
        self,
        name: str,
        exercises: Iterable[Exercise],
        written: Iterable[Written] = (),
        masked: Iterable[str] = (),
    ):
        self.name = name
        self.masked = tuple(masked)
        self.exercises = {exercise.name: exercise for exercise in exercises}
        self.written = {answer.name: answer for answer in written}

    @property
    def points(self) -> float:
        """All points, of the functions and of the written answers."""
        return sum(item.points for item in (*self.exercises.values(), *self.written.values()))

    @property
    def auto_points(self) -> float:
        """The points that `check` gives."""
        return sum(exercise.points for exercise in self.exercises.values())


def set_names() -> list[str]:
    """The names of all exercise sets, in the order of the lectures."""
    specs = importlib.import_module("hyplearn.grading.specs")
    return sorted(module.name for module in pkgutil.iter_modules(specs.__path__) if module.name[0].isdigit())


def load_set(name: str) -> ExerciseSet:
    """The exercise set of the lecture `name`, such as "01_parallel_postulate".

    Raises:
        ValueError: there is no such set.
    """
    if name not in set_names():
        raise ValueError(f"there is no exercise set {name!r}; there are: {', '.join(set_names())}")
    return importlib.import_module(f"hyplearn.grading.specs.{name}").SET
