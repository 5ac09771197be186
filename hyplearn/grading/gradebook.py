"""Verdicts into nbgrader: its gradebook, the notebooks that its formgrader shows, its feedback, a table of grades.

Only one process writes here. nbgrader's own steps and rules are used (how cells are saved, a grade is read from a cell,
a late penalty is found, feedback is laid out), so formgrader, manual grading and export find what they expect; the
verdicts stand in the outputs of the test cells.
"""

import contextlib
import copy
import csv
import html
import io
import logging
import os
import re
import secrets
import sys
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
import nbgrader
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties, GetGrades, SaveCells
from nbgrader.utils import compute_checksum, determine_grade, parse_utc
from traitlets.config import Config

from hyplearn.course.layout import write
from hyplearn.grading.transplant import question_of
from hyplearn.grading.verify import Question, Result

FAILED = "could not be graded"
COLUMNS = ("student", "assignment", "score", "max_score", "auto_score", "max_auto_score", "status", "reason")
CONFIG = '''"""Settings for looking at these grades: run `jupyter lab` here, then Nbgrader > Formgrader."""

c = get_config()  # noqa: F821 (nbgrader defines it)
c.CourseDirectory.course_id = "hyplearn"
c.HTMLExporter.sanitize_html = True  # no HTML or script of a student runs in the instructor's browser
'''


@dataclass
class Grade:
    """One line of the table: what a student has for an assignment, manual points included."""

    student: str
    assignment: str
    score: float
    max_score: float
    auto_score: float
    max_auto_score: float
    status: str
    reason: str
    questions: list[Question]


class Book:
    """The gradebook and its notebooks in the folder `out`."""

    def __init__(self, out: Path, config: Config | None = None):
        self.out, self.config = out, config or Config()
        self.url = f"sqlite:///{out.resolve()}/gradebook.db"
        # nbgrader calls a bare `alembic` for a new gradebook, and leaves half of one where that is not found.
        scripts = str(Path(sys.executable).parent)
        if scripts not in os.environ.get("PATH", "").split(os.pathsep):
            os.environ["PATH"] = os.pathsep.join((scripts, os.environ.get("PATH", "")))
        self._log = logging.getLogger("hyplearn.nbgrader")
        self._log.setLevel(logging.CRITICAL)
        self._exporter = None
        with self._open():
            pass
        if not (out / "nbgrader_config.py").exists():
            write(out / "nbgrader_config.py", CONFIG)

    def _open(self) -> Gradebook:
        return Gradebook(self.url, "hyplearn")

    def add_assignment(self, name: str, release: nbformat.NotebookNode) -> None:
        """Makes the assignment known to the gradebook; deadlines and the like that are there stay."""
        with self._open() as book:
            try:
                book.find_assignment(name)
            except MissingEntry:
                book.add_assignment(name)
        self._run(SaveCells, copy.deepcopy(release), name, "")

    def names(self) -> dict[str, str]:
        """By student: "Last, First", where the roster has names."""
        with self._open() as book:
            return {s.id: f"{s.last_name}, {s.first_name}" for s in book.students if s.last_name and s.first_name}

    def record(self, student: str, name: str, notebook, result: Result, timestamp: str | None = None) -> Grade:
        """Writes one submission: grades, the notebook for the formgrader, the feedback page."""
        shown = present(notebook, result)
        text, kept = nbformat.writes(shown), self.out / "autograded" / student / name / f"{name}.ipynb"
        changed = not kept.exists() or kept.read_text(encoding="utf-8") != text
        with self._open() as book, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader's own, about the order in which SQLAlchemy flushes
            book.update_or_create_student(student)
            when = {"timestamp": parse_utc(timestamp)} if timestamp else {}
            submission = book.update_or_create_submission(name, student, **when)
            _save_scores(submission.notebooks[0], shown, result, changed)
            book.db.commit()
            late = submission.total_seconds_late > 0 or submission.late_submission_penalty
        if late:
            self._run(AssignLatePenalties, shown, name, student)
        write(kept, text)
        write(self.out / "feedback" / student / name / f"{name}.html", self._feedback(shown, student, name))
        return self._grade(student, name, shown, result)

    def _run(self, step: type, notebook, name: str, student: str) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            step(config=self.config, log=self._log).preprocess(notebook, self._resources(name, student))

    def _resources(self, name: str, student: str) -> dict:
        return {"nbgrader": {"student": student, "assignment": name, "notebook": name, "db_url": self.url}}

    def _grade(self, student: str, name: str, notebook, result: Result) -> Grade:
        with self._open() as book:
            submission = book.find_submission_notebook(name, name, student)
            scores = {grade.name: grade for grade in submission.grades}
            questions = []
            for question in result.questions:
                manual = scores.get(question.name)
                if manual is not None:  # a written answer
                    question.score = float(manual.score)
                    if manual.manual_score is not None and not manual.needs_manual_grade:
                        question.verdict = "graded by a person"
                    elif _untouched(notebook, question.name):
                        question.verdict = "unattempted"
                elif (test := scores.get(f"test-{question.name}")) is not None:
                    question.score = float(test.score)
                questions.append(question)
            waiting = [q.name for q in questions if q.verdict == "awaits a person"]
            status, reason = result.status, result.reason
            if status == "graded" and waiting:
                status = "awaits a person"
                reason = f"the written answer {' and '.join(waiting)} awaits a person"
            elif status == FAILED:
                reason = f"{FAILED}: {reason}"
            auto = [grade for grade in submission.grades if grade.name.startswith("test-")]
            penalty = submission.late_submission_penalty or 0.0
            return Grade(
                student,
                name,
                float(submission.score - penalty),
                float(submission.max_score),
                float(sum(grade.auto_score or 0.0 for grade in auto)),
                float(sum(grade.max_score for grade in auto)),
                status,
                reason,
                questions,
            )

    def _feedback(self, notebook, student: str, name: str) -> str:
        if self._exporter is None:
            server = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
            config = Config()
            config.HTMLExporter.template_name = "feedback"
            config.HTMLExporter.extra_template_basedirs = [str(server / "templates")]
            config.HTMLExporter.extra_template_paths = [
                str(server / "static" / "node_modules" / "bootstrap" / "dist" / "css")
            ]
            config.HTMLExporter.sanitize_html = True
            config.HTMLExporter.preprocessors = [GetGrades, CSSHTMLHeaderPreprocessor]
            self._exporter = HTMLExporter(config=config)
        page, _ = self._exporter.from_notebook_node(copy.deepcopy(notebook), self._resources(name, student))
        return only_own_scripts(page)


def _save_scores(entry, notebook, result: Result, changed: bool) -> None:
    """What nbgrader's SaveAutoGrades does, in one transaction and not one per cell.

    What could not be graded is no 0 that a machine has decided: it waits for a person. So does what a person has
    graded, if the notebook is no longer the one that was looked at.
    """
    cells = {(cell.metadata.get("nbgrader") or {}).get("grade_id"): cell for cell in notebook.cells}
    for grade in entry.grades:
        failed = result.status == FAILED
        grade.auto_score = None if failed else determine_grade(cells[grade.name])[0]
        if changed or grade.manual_score is None:
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
    for comment in entry.comments:
        comment.auto_comment = "No response." if _untouched(notebook, comment.name) else None


def only_own_scripts(page: str) -> str:
    """The page with a policy that lets only the scripts of its head run (those of the template, for formulas)."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; img-src data:; font-src https: data:; style-src 'unsafe-inline' https:; "
        f"script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"
    )
    head, separator, body = page.partition("</head>")
    head = head.replace("<script", f'<script nonce="{nonce}"')
    meta = f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">'
    return head.replace("<head>", meta, 1) + separator + body


# --- the notebook that people look at ---------------------------------------------------------------------------------


def present(notebook, result: Result):
    """The transplanted notebook with outputs, and verdicts in its test cells; nothing in it is active."""
    shown = copy.deepcopy(notebook)
    verdicts = {question.name: question for question in result.questions}
    for cell in shown.cells:
        own = cell.id.startswith("student-") or (cell.metadata.get("nbgrader") or {}).get("solution")
        if cell.cell_type == "markdown" and own:
            cell.source = inert(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in result.outputs.get(cell.id, [])]
        name = question_of(cell)
        if name is None:
            continue
        question = verdicts.get(name)
        message = question.message if question else result.reason
        score = question.score if question else 0.0
        # nbgrader reads the points from the last value; anything on standard error would make them 0.
        points = {"text/plain": repr(float(score))}
        cell.outputs = [
            nbformat.v4.new_output("stream", name="stdout", text=_wrapped(message)),
            nbformat.v4.new_output("execute_result", data=points, execution_count=1),
        ]
    notes = [f"**This submission {FAILED}:** {_plain(result.reason)}"] if result.status == FAILED else []
    notes += [f"Note: {_plain(note)}." for note in result.notes]
    if notes:
        shown.cells.insert(0, nbformat.v4.new_markdown_cell("\n\n".join(notes), id="grader-notes"))
    return shown


def _wrapped(message: str) -> str:
    """The page does not wrap what is printed: long hints would leave it on the right."""
    wrapper = textwrap.TextWrapper(width=100, subsequent_indent=" " * 12, break_on_hyphens=False)
    return "".join(wrapper.fill(line) + "\n" for line in message.splitlines())


def inert(markdown: str) -> str:
    """A student's text as nothing but text: no HTML, no link, no picture that a browser would fetch."""
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", markdown)
    return re.sub(r"\](?=\s*[(:\[])", r"]\\", text)


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()#!|$~])", r"\\\1", html.escape(text))


def _untouched(notebook, grade_id: str) -> bool:
    for cell in notebook.cells:
        nbgrader_data = cell.metadata.get("nbgrader") or {}
        if nbgrader_data.get("grade_id") == grade_id:
            return nbgrader_data.get("checksum") == compute_checksum(cell)
    return False


# --- the tables -------------------------------------------------------------------------------------------------------


def write_table(path: Path, grades: list[Grade]) -> None:
    """grades.csv: one line per submission; spreadsheets do not take any of it for a formula."""
    _write_csv(path, [COLUMNS, *([getattr(grade, column) for column in COLUMNS] for grade in grades)])


def write_lms_table(path: Path, grades: list[Grade], names: dict[str, str]) -> None:
    """lms.csv: one line per student and one column per assignment, as learning management systems import them.

    The first five columns are those that Canvas wants; Moodle lets one choose the column that tells who it is. What
    could not be graded is left empty, as it is no 0.
    """
    assignments = sorted({grade.assignment for grade in grades if grade.max_score})
    scores = {(grade.student, grade.assignment): grade.score for grade in grades if grade.status != FAILED}
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *assignments]]
    for student in sorted({grade.student for grade in grades}):
        found = [scores.get((student, assignment), "") for assignment in assignments]
        rows.append([names.get(student, student), "", student, student, "", *found])
    _write_csv(path, rows)


def _write_csv(path: Path, rows) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for row in rows:
        table.writerow(["'" + v if isinstance(v, str) and v[:1] in ("=", "+", "-", "@") else v for v in row])
    write(path, text.getvalue())
