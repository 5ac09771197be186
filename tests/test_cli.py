"""The command line: exit codes, one clear line for bad input, help with examples, imports only when needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyplearn.cli import COMMANDS, main
from hyplearn.course import doctor
from hyplearn.course.layout import Course

ROOT = Path(__file__).parents[1]
SUBCOMMANDS = [[name] for name in COMMANDS] + [
    ["course", action] for action in ("list", "build", "check", "pull", "demo")
]
KEYS = {"name", "title", "question", "minutes_read", "seconds_run", "exercises", "points", "difficulty"}


@pytest.fixture(autouse=True)
def in_the_course(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0
    assert "example" in said and f"  hyplearn {command[0]}" in said


@pytest.mark.parametrize(
    "arguments, word",
    [
        ([], "COMMAND"),
        (["frobnicate"], "frobnicate"),
        (["course"], "ACTION"),
        (["course", "list", "--frobnicate"], "--frobnicate"),
        (["course", "build", "99_nowhere"], "99_nowhere"),
        (["course", "pull"], "NAME"),
        (["start", "99_nowhere"], "99_nowhere"),
        (["submit", "../../etc/passwd"], "passwd"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, word, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and word in captured.err


def test_outside_a_course_the_line_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hyplearn.__file__", str(tmp_path / "site-packages" / "hyplearn" / "__init__.py"))
    assert main(["course", "list"]) == 2
    assert "run this inside a checkout of hyplearn, or a folder that was handed out" in capsys.readouterr().err


def test_list_as_json_has_exactly_the_promised_keys(capsys):
    assert main(["course", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == Course(ROOT).names() and rows
    for row in rows:
        assert set(row) == KEYS and isinstance(row["exercises"], int)


def test_listing_imports_nothing_that_it_does_not_need():
    code = (
        "import sys; from hyplearn.cli import main; main(['course', 'list', '--json']); "
        "heavy = {'jupytext', 'nbformat', 'nbgrader', 'matplotlib', 'hyplearn.grading'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_doctor_finds_this_environment_well_and_says_so_in_json(capsys):
    assert main(["doctor", "--json"]) in (0, 1)
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["kernel"]["fix"] == "" and findings["nbgrader"]["fix"] == "" and findings["Python"]["fix"] == ""


def test_the_doctor_names_each_problem_with_its_fix(tmp_path, monkeypatch):
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==0.1\nno-such-package==1.0\n")
    assert "no-such-package" not in doctor.packages(tmp_path / "constraints.txt").detail  # a bundle needs fewer
    (tmp_path / "pyproject.toml").touch()
    finding = doctor.packages(tmp_path / "constraints.txt")
    assert "no-such-package missing (tested: 1.0)" in finding.detail and "(tested: 0.1)" in finding.detail
    assert "pip install -c constraints.txt" in finding.fix and finding.needed
    monkeypatch.setattr("shutil.which", lambda *args, **options: None)
    assert "apt-get install bubblewrap" in doctor.isolation().fix and not doctor.isolation().needed
    assert "apt-get install chromium" in doctor.browser().fix and not doctor.browser().needed
    monkeypatch.setattr("jupyter_core.paths.jupyter_config_path", lambda: [str(tmp_path)])
    assert "formgrader" in doctor.nbgrader().detail and "extension enable" in doctor.nbgrader().fix
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1e6})())
    assert doctor.disk(tmp_path).fix
