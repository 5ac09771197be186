"""The sample submissions get the grades that they were made for, from the command that an instructor uses."""

import contextlib
import html
import io
import json
from pathlib import Path

import pytest

from hyplearn.cli import main
from hyplearn.course.doctor import isolation
from hyplearn.course.layout import Course
from hyplearn.grading import load_set
from hyplearn.grading.samples import write_samples

COURSE = Course(Path(__file__).parents[1])
NAME = "01_parallel_postulate"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    write_samples(COURSE, folder / "submitted")
    mode = ["--isolation", "none"] if isolation().fix else []
    said = io.StringIO()
    with contextlib.chdir(COURSE.root), contextlib.redirect_stdout(said):
        assert main(["grade", str(folder / "submitted"), "--out", str(folder / "out"), "--json", *mode]) == 0
    grades = json.loads(said.getvalue())
    return {grade["student"]: grade for grade in grades if grade["assignment"] == NAME}, folder / "out"


def verdicts(grade: dict) -> dict:
    return {
        question["name"]: question for question in grade["questions"] if question["name"] in load_set(NAME).exercises
    }


@pytest.mark.slow
def test_perfect_gets_everything_and_awaits_a_person(graded):
    grade = graded[0]["perfect"]
    assert grade["auto_score"] == grade["max_auto_score"] == load_set(NAME).auto_points
    assert grade["max_score"] == load_set(NAME).points and "awaits" in grade["status"]


@pytest.mark.slow
def test_untouched_gets_nothing_and_every_question_is_unattempted(graded):
    grade = graded[0]["untouched"]
    assert grade["score"] == grade["auto_score"] == 0
    assert {question["verdict"] for question in verdicts(grade).values()} == {"unattempted"}


@pytest.mark.slow
def test_three_mistakes_are_named_in_the_grades_and_in_the_feedback(graded):
    grades, out = graded
    exercises = list(load_set(NAME).exercises.values())[:3]
    found = verdicts(grades["mistaken"])
    assert {name: question["mistake"] for name, question in found.items() if question["mistake"]} == {
        exercise.name: exercise.mistakes[0].name for exercise in exercises
    }
    assert grades["mistaken"]["auto_score"] == grades["mistaken"]["max_auto_score"] - sum(e.points for e in exercises)
    (page,) = (out / "feedback" / "mistaken").rglob("*.html")
    text = " ".join(html.unescape(page.read_text(encoding="utf-8")).split())
    for exercise in exercises:
        assert exercise.mistakes[0].hint in text


@pytest.mark.slow
def test_a_syntax_error_costs_its_own_cell_only(graded):
    grade = graded[0]["broken"]
    first, *others = verdicts(grade).values()
    assert first["score"] == 0 and all(question["score"] == question["max_score"] for question in others)
    assert grade["auto_score"] == grade["max_auto_score"] - first["max_score"]
