"""Right answers that look unusual get full marks."""

import copy
from pathlib import Path

import pytest
from grading_toy import ANSWERS, QUICK, RELEASE, SET, answered, hand_in, needs_bubblewrap
from nbformat.v4 import new_code_cell, new_markdown_cell

from hyplearn.grading.isolation import Sandbox, masked_names
from hyplearn.grading.verify import verify_file

pytestmark = needs_bubblewrap
FULL = {"scale": 2.0, "add": 1.0, "Layer": 3.0, "angle": 2.0, "why": 0.0}
SCALE = "def scale(x, c):\n    return c * x**2\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(masked_names(SET)) as running:
        yield running


def points(notebook, tmp_path, sandbox) -> dict[str, float]:
    result = verify_file(hand_in(tmp_path, "student", notebook), RELEASE, SET, sandbox, QUICK)
    assert result.status == "graded", result.reason
    found = {question.name: question.score for question in result.questions}
    assert found == FULL, [question.message for question in result.questions]
    return found


def _read_answers() -> dict[str, str]:
    sections = Path(__file__).with_name("fair_answers.txt").read_text().split("\n=== ")[1:]
    found = {name: code.replace("RIGHT", SCALE) for name, code in (section.split("\n", 1) for section in sections)}
    line_ends = {"Windows line ends": "\r\n", "old Mac line ends": "\r"}
    return {
        **found,
        **{name: SCALE.replace("\n", end) for name, end in line_ends.items()},
        "tabs": SCALE.replace("    ", "\t"),
    }


ANSWERS_THAT_COUNT = _read_answers()


@pytest.mark.parametrize("way", ANSWERS_THAT_COUNT)
def test_a_right_answer_gets_full_marks(way, tmp_path, sandbox):
    points(answered(scale=ANSWERS_THAT_COUNT[way]), tmp_path, sandbox)


def test_more_accurate_than_the_reference(tmp_path, sandbox):
    code = "def angle(d, c):\n    return (2 * torch.atan(torch.exp(-(c**0.5) * d.double()))).to(d.dtype)\n"
    points(answered(angle=code), tmp_path, sandbox)


def test_a_module_with_other_inner_workings(tmp_path, sandbox):
    code = """
class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs, extra=True):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return torch.nn.functional.linear(x, self.weight)
"""
    points(answered(Layer=code), tmp_path, sandbox)


def test_helpers_in_cells_of_their_own(tmp_path, sandbox):
    notebook = answered(scale="def scale(x, c):\n    return c * square(x)\n")
    number = next(n for n, cell in enumerate(notebook.cells) if cell.id == "scale")
    notebook.cells.insert(number, new_code_cell("def square(x):\n    return x * x\n"))
    notebook.cells.insert(number, new_markdown_cell("My plan: square, then scale."))
    notebook.cells.append(new_code_cell("1 / 0  # an experiment at the end"))
    points(notebook, tmp_path, sandbox)


def test_a_helper_below_the_answer_that_uses_it(tmp_path, sandbox):
    notebook = answered(scale="def scale(x, c):\n    return c * square(x)\n")
    notebook.cells.append(new_code_cell("def square(x):\n    return x * x\n"))
    points(notebook, tmp_path, sandbox)


def test_imports_added_to_the_set_up_cell(tmp_path, sandbox):
    notebook = answered(scale="def scale(x, c):\n    return c * np.float64(1) * x**2\n")
    cell = next(cell for cell in notebook.cells if cell.id == "set-up")
    cell["source"] += "\nimport numpy as np\n"
    points(notebook, tmp_path, sandbox)


def test_a_name_that_is_used_again_further_down(tmp_path, sandbox):
    notebook = answered()
    notebook.cells.append(new_code_cell("scale = 5\nadd = None"))
    points(notebook, tmp_path, sandbox)


def test_an_answer_written_below_the_empty_stub(tmp_path, sandbox):
    notebook = answered()
    cell = next(cell for cell in notebook.cells if cell.id == "scale")
    mine = new_code_cell(ANSWERS["scale"])
    cell["source"] = next(released for released in RELEASE.cells if released.id == "scale").source
    notebook.cells.insert(notebook.cells.index(cell) + 1, mine)
    points(notebook, tmp_path, sandbox)


def test_the_same_work_twice_gives_the_same_grade(tmp_path, sandbox):
    path = hand_in(tmp_path, "student", answered(scale="def scale(x, c):\n    return x\n"))
    first, second = (verify_file(path, RELEASE, SET, sandbox, QUICK) for _ in range(2))
    assert first == second and copy.copy(first).questions[0].score == 0.0
