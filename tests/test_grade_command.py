"""`hyplearn grade` on the sample submissions of the course, and its other ways in: nbgrader's, and the single job."""

import csv
import html
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from grading_toy import needs_bubblewrap

from hyplearn import cli
from hyplearn.course.layout import Course
from hyplearn.grading import command
from hyplearn.grading.isolation import Sandbox, masked_names
from hyplearn.grading.samples import samples
from hyplearn.grading.spec import load_set, set_names
from hyplearn.grading.verify import verify_file

COURSE = Course(Path(__file__).parents[1])
NAME = "01_parallel_postulate"
STUDENTS = ("broken", "mistaken", "perfect", "untouched")


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submitted")
    notebooks = samples(
        nbformat.read(COURSE.solution(NAME), as_version=4),
        nbformat.read(COURSE.exercise(NAME), as_version=4),
        load_set(NAME),
    )
    for student, notebook in notebooks.items():
        path = folder / student / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    return folder


@pytest.fixture(scope="module")
def graded(submitted, tmp_path_factory):
    """The folder of a run of the command, its JSON by student, and its exit code."""
    out = tmp_path_factory.mktemp("out")
    line = [sys.executable, "-m", "hyplearn.cli", "grade", str(submitted), "--out", str(out), "--report", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=COURSE.root)
    assert done.returncode == 0, done.stderr
    return out, {item["student"]: item for item in json.loads(done.stdout)}


@pytest.mark.slow
@needs_bubblewrap
def test_the_samples_get_exactly_what_they_deserve(graded):
    _, grades = graded
    exercises = load_set(NAME)
    (written,) = exercises.written
    assert tuple(grades) == STUDENTS
    for grade in grades.values():
        assert list(grade) == [
            *("student", "assignment", "score", "max_score", "auto_score", "max_auto_score", "status", "reason"),
            "questions",
        ]
        assert (grade["max_score"], grade["max_auto_score"]) == (exercises.points, exercises.auto_points)
        assert [set(question) for question in grade["questions"]] == [
            {"name", "score", "max_score", "verdict", "mistake", "message"}
        ] * len(exercises.exercises | exercises.written)

    perfect, untouched = grades["perfect"], grades["untouched"]
    assert perfect["auto_score"] == perfect["score"] == exercises.auto_points
    assert perfect["status"] == "awaits a person" and f"{written} awaits a person" in perfect["reason"]
    assert (untouched["score"], untouched["auto_score"], untouched["status"]) == (0.0, 0.0, "graded")
    assert {question["verdict"] for question in untouched["questions"]} == {"unattempted"}

    mistakes = {question["name"]: question["mistake"] for question in grades["mistaken"]["questions"]}
    first = list(exercises.exercises.values())[:3]
    assert {name: mistake for name, mistake in mistakes.items() if mistake} == {
        exercise.name: exercise.mistakes[0].name for exercise in first
    }
    assert grades["mistaken"]["auto_score"] == exercises.auto_points - sum(exercise.points for exercise in first)

    question, *others = (item for item in grades["broken"]["questions"] if item["name"] not in exercises.written)
    assert question["score"] == 0 and question["verdict"] == "error" and "SyntaxError" in question["message"]
    assert {item["verdict"] for item in others} == {"passed"}
    assert grades["broken"]["auto_score"] == exercises.auto_points - first[0].points


@pytest.mark.slow
@needs_bubblewrap
def test_feedback_table_and_report_say_it_too(graded):
    out, grades = graded
    page = html.unescape((out / "feedback" / "mistaken" / NAME / f"{NAME}.html").read_text())
    report = (out / "report.html").read_text()
    for exercise in list(load_set(NAME).exercises.values())[:3]:
        assert exercise.mistakes[0].name.replace("_", " ") in page
        assert exercise.mistakes[0].hint in " ".join(page.split())  # long lines are wrapped
        assert exercise.mistakes[0].name.replace("_", " ") in report
    table = {row["student"]: row for row in csv.DictReader((out / "grades.csv").open())}
    assert {student: float(row["score"]) for student, row in table.items()} == {
        student: grade["score"] for student, grade in grades.items()
    }
    assert all(f"feedback/{student}/{NAME}/{NAME}.html" in report for student in STUDENTS)
    assert "prefers-color-scheme: dark" in report and "<script" not in report


@pytest.mark.slow
@needs_bubblewrap
@pytest.mark.parametrize("name", [name for name in set_names() if COURSE.exercise(name).exists()])
def test_the_solution_of_every_set_gets_full_marks_in_the_sandbox(name, tmp_path):
    """What is cut out of the library for a set, nothing in its solution needs."""
    exercises, release = load_set(name), nbformat.read(COURSE.exercise(name), as_version=4)
    perfect = samples(nbformat.read(COURSE.solution(name), as_version=4), release, exercises)["perfect"]
    nbformat.write(perfect, tmp_path / "perfect.ipynb")
    with Sandbox(masked_names(exercises)) as sandbox:
        result = verify_file(tmp_path / "perfect.ipynb", release, exercises, sandbox)
    assert result.status == "graded", result.reason
    points = {question.name: question.score for question in result.questions if question.name in exercises.exercises}
    assert points == {item.name: item.points for item in exercises.exercises.values()}, [
        question.message for question in result.questions if question.verdict != "passed"
    ]


@pytest.mark.slow
@needs_bubblewrap
def test_one_submission_in_one_verdict_out(submitted, tmp_path, monkeypatch):
    """The job of a cluster: nothing but the release and the submission, in an empty folder. Its verdict counts."""
    shutil.copytree(COURSE.exercise(NAME).parent, tmp_path / "exercises" / NAME)
    shutil.copy(submitted / "mistaken" / NAME / f"{NAME}.ipynb", tmp_path / "in.ipynb")
    job = [sys.executable, "-m", "hyplearn.grading.verify", "--assignment", NAME]
    job += ["--submission", "in.ipynb", "--out", "verdict.json"]
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "HYPLEARN_SEED": "of this course"}
    subprocess.run(job, cwd=tmp_path, env=environment, check=True)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert sorted(verdict) == ["final", "key", "notes", "outputs", "questions", "reason", "status"]
    assert verdict["status"] == "graded"
    assert [question["verdict"] for question in verdict["questions"]][:3] == ["wrong"] * 3
    points = sum(question["score"] for question in verdict["questions"])
    assert points > 0

    class_, out = tmp_path / "class", tmp_path / "out"
    shutil.copytree(submitted / "mistaken", class_ / "mistaken")
    (out / "verdicts" / "mistaken").mkdir(parents=True)
    shutil.copy(tmp_path / "verdict.json", out / "verdicts" / "mistaken" / f"{NAME}.json")
    release = {NAME: nbformat.read(COURSE.exercise(NAME), as_version=4)}
    monkeypatch.setenv("HYPLEARN_SEED", "of this course")
    monkeypatch.setattr(command, "_in_parallel", lambda todo, *_: [pytest.fail("graded again")] if todo else [])
    (found,) = command.grade(class_, out, {NAME: load_set(NAME)}, release)
    assert found.auto_score == points


@pytest.mark.slow
@needs_bubblewrap
def test_nbgrader_autograde_goes_the_trusted_way(submitted, tmp_path):
    for folder in ("exercises", "solutions", "sources"):
        shutil.copytree(COURSE.root / folder, tmp_path / folder)
    shutil.copy(COURSE.root / "nbgrader_config.py", tmp_path)
    for student in ("perfect", "untouched"):
        shutil.copytree(submitted / student / NAME, tmp_path / "submitted" / student / NAME)
    cheat = nbformat.read(submitted / "untouched" / NAME / f"{NAME}.ipynb", as_version=4)
    for cell in cheat.cells:
        cell.metadata["tags"] = ["skip-execution"]
    (tmp_path / "submitted" / "cheat" / NAME).mkdir(parents=True)
    nbformat.write(cheat, tmp_path / "submitted" / "cheat" / NAME / f"{NAME}.ipynb")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for step in (["generate_assignment", NAME, "--force"], ["autograde", NAME], ["export"]):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *step],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader((tmp_path / "grades.csv").open())}
    assert scores == {"perfect": load_set(NAME).auto_points, "untouched": 0.0, "cheat": 0.0}


def test_bad_input_is_one_clear_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        (["nowhere", "--out", "o"], "SUBMITTED_DIR: there is no folder nowhere"),
        ([str(tmp_path / "empty"), "--out", "o"], "no submission in"),
        ([str(tmp_path / "empty"), "--out", "o", "--jobs", "0"], "--jobs"),
        ([str(tmp_path / "empty"), "--out", "o", "--student", "ada"], "no submission of student 'ada'"),
        ([str(tmp_path / "empty"), "--out", "o", "--isolation", "prayer"], "--isolation"),
    ):
        assert cli.main(["grade", *arguments]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1 and words in said[0]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert cli.main(["grade", str(tmp_path / "empty"), "--out", str(tmp_path / "o")]) == 2
    assert "bubblewrap is not installed" in capsys.readouterr().err
