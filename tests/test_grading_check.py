"""The checker itself: what it notices, what it says, and what it lets pass."""

import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

from hyplearn.grading import Case, Checker, Draw, Exercise, ExerciseSet, Property, checker, load_set, mistake
from hyplearn.grading.check import course_secret, judge, seed_for
from hyplearn.grading.oracle import plan


def _cases(draw):
    yield Case((torch.tensor([3.0, 4.0], dtype=torch.float64), 1.0), "one vector")
    yield Case((draw.normal(3, 2), 2.0), "a batch of 3")
    yield Case((1e-30 * draw.normal(2), 2.0), "a tiny vector", edge=True, gradient=False)
    yield Case((torch.zeros(0), 1.0), "no coordinates", raises=ValueError)


def length(x, c):
    """The right answer."""
    if x.shape[-1] == 0:
        raise ValueError("x needs coordinates")
    return math.sqrt(c) * torch.hypot(x[..., 0], x[..., 1])


@mistake("The curvature is missing.")
def length_without_curvature(x, c):
    return torch.hypot(x[..., 0], x[..., 1])


@mistake("Squares of tiny numbers vanish.")
def length_that_underflows(x, c):
    if x.shape[-1] == 0:
        raise ValueError
    return math.sqrt(c) * (x * x).sum(-1).sqrt()


LENGTH = Exercise(
    name="length",
    title="The length of a vector",
    points=2,
    minutes=1,
    difficulty=1,
    rule="length = sqrt(c) |x|",
    reference=length,
    cases=_cases,
    vectors=["x"],
    properties=[Property("it is homogeneous", lambda f, x, c: (f(2 * x, c), 2 * f(x, c)))],
    mistakes=[length_without_curvature, length_that_underflows],
)


def said(answer, exercise=LENGTH, status="wrong"):
    verdict = judge(answer, exercise)
    assert verdict.status == status, verdict.message
    return verdict.message


def test_right_wrong_and_unattempted_look_different():
    def stub(x, c):
        raise NotImplementedError

    messages = [said(length, status="passed"), said(stub, status="unattempted"), said(lambda x, c: x.sum(-1))]
    assert [message[0] for message in messages] == ["✓", "…", "✗"]
    assert "visible checks passed" in messages[0] and "not attempted yet" in messages[1]
    assert "all" not in messages[0].split() and "hidden ones give the points" in messages[0]


def test_a_masked_function_is_not_taken_for_a_stub():
    def answer(x, c):
        raise NotImplementedError("length: this is what you are asked to write")

    assert "raised    NotImplementedError: length: this is what you are asked to write" in said(answer)


def test_a_wrong_value_is_explained():
    message = said(lambda x, c: x.norm(dim=-1))
    assert message.startswith("✗ length: the value is wrong")
    for part in (
        "entry [0]",
        "c = 2.0",
        "float64",
        "a batch of 3",
        "expected",
        "got",
        "rule      length = sqrt(c) |x|",
    ):
        assert part in message
    verdict = judge(lambda x, c: x.abs().sum(-1), LENGTH)
    assert verdict.mistake is None and "looks like" not in verdict.message
    assert "x = [3, 4], c = 1.0" in verdict.message and "expected  5\n" in verdict.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x, "the call raised an error"),
        (lambda x: x, "called    length(x, c)"),
        (lambda x, c: 1 / 0, "raised    ZeroDivisionError: division by zero"),
        (lambda x, c: None, "is a `return` missing?"),
        (lambda x, c: (x.norm(dim=-1), 1), "got       2 values"),
        (lambda x, c: 5.0, "got       a value of type float"),
        (lambda x, c: length(x, c)[..., None], "expected  ()"),
        (lambda x, c: length(x, c).double(), "expected  torch.float32"),
        (lambda x, c: length(x, c) + math.nan, "got       nan"),
        (lambda x, c: length(x.detach(), c), "there is no gradient with respect to x"),
        (lambda x, c: length(x, c) if x.shape[-1] else x.sum(), "a wrong input is not refused"),
    ],
)
def test_each_stage_finds_its_fault(answer, words):
    assert words in said(answer)


def in_place(x, c):
    x *= math.sqrt(c)
    return length(x, 1.0)


def behind_autograd(x, c):
    result = length(x, c)
    x.detach().mul_(2)
    return result


@pytest.mark.parametrize("answer", [in_place, behind_autograd])
def test_an_argument_that_is_changed_is_noticed(answer):
    """Autograd would refuse the first with an error about leaf variables, which helps no learner."""
    assert "changes its argument x" in said(answer)


def test_numpy_costs_the_gradient():
    def answer(x, c):
        if x.shape[-1] == 0:
            raise ValueError
        return torch.from_numpy(np.asarray(math.sqrt(c) * np.hypot(*np.moveaxis(x.numpy(), -1, 0)))).to(x.dtype)

    message = said(answer)
    assert "there is no gradient with respect to x" in message and "numpy cut the gradient off" in message


def test_a_wrong_gradient_behind_right_values():
    class Half(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return g / 2

    message = said(lambda x, c: length(Half.apply(x), c))
    assert "the value is right, its gradient with respect to x is wrong" in message


def test_a_gradient_that_is_not_finite():
    def answer(x, c):
        return length(x, c) + 0 * (x[..., 0] * 0).sqrt()

    assert "its gradient with respect to x is not finite" in said(answer)


def test_a_property_is_judged_after_the_values():
    broken = Property("it is 7", lambda f, x, c: (f(x, c), 7 + 0 * f(x, c)))
    exercise = Exercise(**{**vars(LENGTH), "properties": [broken]})
    message = said(length, exercise)
    assert "a property does not hold" in message and "rule      it is 7" in message and "5 and 7" in message


def test_an_edge_case_is_reached_last_and_named():
    verdict = judge(length_that_underflows.function, LENGTH)
    assert verdict.mistake == "length_that_underflows" and "a tiny vector" in verdict.message


def test_a_mistake_is_recognised_behind_a_second_flaw():
    """Without the promised error as well, or with the gradient cut off."""
    cut = judge(lambda x, c: length(x.detach(), 1.0), LENGTH)
    assert cut.mistake == "length_without_curvature"

    def right_for_tiny(x, c):
        return torch.where(x.abs().amax(-1) < 1e-9, length(x, c), x.norm(dim=-1))

    assert judge(right_for_tiny, LENGTH).mistake == "length_without_curvature"
    assert judge(lambda x, c: 1.5 * x.norm(dim=-1), LENGTH).mistake is None


def test_a_right_answer_with_a_cut_gradient_is_no_mistake_of_value():
    assert judge(lambda x, c: length(x.detach(), c), LENGTH).mistake is None


def test_nothing_of_an_answer_reaches_stderr(capfd):
    """There it would score a right answer 0. (A warning goes the same way; pytest keeps those for itself.)"""

    def answer(x, c):
        print("this may be slow", file=sys.stderr)
        return length(x, c)

    assert judge(answer, LENGTH).status == "passed"
    out, err = capfd.readouterr()
    assert err == "" and "this may be slow" in out


def test_sys_exit_is_an_error_of_the_answer():
    assert "SystemExit" in said(lambda x, c: exit(3))


# --- tolerances -------------------------------------------------------------------------------------------------------


def _near(draw):
    x = draw.uniform(0.2, 0.4, 4, 2)
    yield Case((x, x + 1e-4 * draw.normal(4, 2)), "near pairs", gradient=False)


def distance(x, y):
    gap = (1 - (x * x).sum(-1)) * (1 - (y * y).sum(-1))
    return 2 * torch.asinh((x - y).norm(dim=-1) / gap.sqrt())


def distance_acosh(x, y):
    gap = (1 - (x * x).sum(-1)) * (1 - (y * y).sum(-1))
    return torch.acosh(1 + 2 * ((x - y) ** 2).sum(-1) / gap)


DISTANCE = Exercise(
    name="distance",
    title="Distance",
    points=1,
    minutes=1,
    difficulty=1,
    rule="the distance",
    reference=distance,
    cases=_near,
    vectors=["x", "y"],
    mistakes=[],
)


def test_conditioning_is_forgiven_and_cancellation_is_not():
    """The difference of near points carries few digits in float32, that is no fault; acosh loses the rest of them."""
    (_, exact), (_, rounded) = plan(DISTANCE, 0)
    relative = [float((e.tolerances[0] / e.values[0]).max()) for e in (exact, rounded)]
    assert relative[0] < 1e-9 and 1e-4 < relative[1] < 0.5
    assert judge(distance, DISTANCE).status == "passed"
    careful = judge(lambda x, y: distance(x.double(), y.double()).to(x.dtype), DISTANCE)
    assert careful.status == "passed"
    assert "the value is wrong" in said(distance_acosh, DISTANCE)


def test_infinite_and_missing_values_must_agree():
    def inverse(x):
        return torch.where(x < 0, math.nan, 1 / x)

    def cases(draw):
        yield Case((torch.tensor([1.0, 2.0], dtype=torch.float64),), "plain", gradient=False)
        yield Case((torch.tensor([0.0, -1.0], dtype=torch.float64),), "edges", edge=True, gradient=False)

    exercise = Exercise(
        **{**vars(DISTANCE), "reference": inverse, "cases": cases, "vectors": [], "differentiable": False}
    )
    assert judge(inverse, exercise).status == "passed"
    assert "expected  inf" in said(lambda x: inverse(x).clamp(max=1e30), exercise)
    assert "expected  nan" in said(lambda x: inverse(x).nan_to_num(0.0, posinf=math.inf), exercise)


# --- answers that are classes, and answers that are far away ----------------------------------------------------------


class Linear(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))

    def forward(self, x):
        return x @ self.weight.T


class Wrong(Linear):
    def forward(self, x):
        return x @ self.weight.T + 1


def _layer_cases(draw):
    yield Case((draw.normal(4, 3),), "a batch of 4", construct=(3, 2), state={"weight": draw.normal(2, 3)})


LAYER = Exercise(
    **{
        **vars(DISTANCE),
        "name": "Linear",
        "reference": Linear,
        "cases": _layer_cases,
        "vectors": ["x"],
        "rule": "x W^T",
    }
)


def test_a_class_is_constructed_loaded_and_called():
    assert LAYER.arguments == ("x",)
    assert judge(Linear, LAYER).status == "passed"
    assert "the value is wrong" in said(Wrong, LAYER)
    assert "the call raised an error" in said(lambda a: Linear(3, 2), LAYER)


def test_an_answer_needs_nothing_but_a_call():
    """No name, no signature, no source: what a proxy of a function in another process is."""

    class Far:
        __slots__ = ()

        def __call__(self, *args):
            return length(*args)

    assert judge(Far(), LENGTH).status == "passed"


# --- check(f) ---------------------------------------------------------------------------------------------------------


def test_check_prints_and_returns_plain_floats(capfd):
    check = Checker(ExerciseSet("99_test", [LENGTH]))
    assert type(check(length)) is float and check(length) == 2.0
    assert type(check(length_without_curvature.function, "length")) is float
    assert [verdict.points for verdict in check.verdicts] == [2.0, 2.0, 0.0]
    assert check(length, hidden=True) == 2.0
    out, err = capfd.readouterr()
    assert err == "" and out.count("\n✓ length: hidden checks passed (2 of 2 points)\n") == 1
    assert [verdict.hidden for verdict in check.verdicts] == [False, False, False, True]
    with pytest.raises(ValueError, match="'other' is no exercise of 99_test; choose from length"):
        check(length, "other")


def test_the_secret_varies_the_hidden_inputs_only(monkeypatch, tmp_path):
    seen = []

    def spy(x, c):
        seen.append(x.detach().clone())
        return length(x, c)

    def inputs(hidden):
        seen.clear()
        check = Checker(ExerciseSet("99_test", [LENGTH]))
        check(spy, "length", hidden=hidden)
        return torch.cat([x.flatten().double() for x in seen])

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYPLEARN_SEED", raising=False)
    public, fallback = inputs(False), inputs(True)
    monkeypatch.setenv("HYPLEARN_SEED", "spring")
    spring = inputs(True)
    assert torch.equal(inputs(False), public) and torch.equal(inputs(True), spring)
    assert not torch.equal(spring, fallback) and not torch.equal(spring, public)
    assert seed_for("spring", "a", "b") != seed_for("spring", "a", "c")


def test_the_secret_may_stand_in_nbgrader_config(monkeypatch, tmp_path):
    monkeypatch.delenv("HYPLEARN_SEED", raising=False)
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    config = tmp_path / "nbgrader_config.py"
    config.write_text("c = get_config()\nc.HyplearnGrading.seed = 'autumn'\n")
    assert course_secret() == "autumn"
    config.write_text("c = get_config()\n")
    assert course_secret() == ""
    monkeypatch.setenv("HYPLEARN_SEED", "winter")
    assert course_secret() == "winter"


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="01_parallel_postulate"):
        load_set("00_nothing")
    assert checker("01_parallel_postulate").set is load_set("01_parallel_postulate")


def test_draws_lie_where_they_should():
    draw = Draw(3)
    points = draw.ball_points(200, 2, c=4.0, near=1.0, far=2.0)
    radius = 2 * torch.atanh(2 * points.norm(dim=-1))
    assert points.dtype == torch.float64 and radius.min() >= 1 - 1e-9 and radius.max() <= 2 + 1e-9
    assert torch.equal(points, Draw(3).ball_points(200, 2, c=4.0, near=1.0, far=2.0))
