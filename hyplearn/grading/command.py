"""Grade a folder of submissions, SUBMITTED_DIR/<student>/<assignment>/<notebook>.ipynb.

Students' code runs in a sandbox and never learns what is expected of it; one broken submission costs no other anything;
a run that was interrupted goes on where it stopped. OUT gets grades.csv, lms.csv (for Moodle and Canvas), feedback/ (a
page per student), gradebook.db and autograded/ (for nbgrader's formgrader: start `jupyter lab` in OUT).

examples:
  hyplearn grade submitted --out grades                    grade what is new or has changed
  hyplearn grade submitted --out grades --jobs 4           four submissions at a time
  hyplearn grade submitted --out grades --student ada      grade one student again
  hyplearn grade submitted --out grades --report --json    also OUT/report.html; the grades on standard output
"""

import itertools
import json
import multiprocessing
import multiprocessing.connection
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from tqdm import tqdm

from hyplearn.course.layout import Course, write
from hyplearn.errors import BadInput, Failed
from hyplearn.grading.collect import Submission, find_submissions, read_submission
from hyplearn.grading.isolation import DEFAULT, Limits, Sandbox, masked_names, require
from hyplearn.grading.spec import ExerciseSet, load_set, set_names
from hyplearn.grading.transplant import transplant
from hyplearn.grading.verify import Question, Result, key_of, verify_file
from hyplearn.grading.worker import warm_up

FAILED = "could not be graded"
LOCK_WAIT = 60  # seconds for another program (the formgrader) to let go of the gradebook


def add_arguments(parser) -> None:
    parser.add_argument("submitted", metavar="SUBMITTED_DIR", type=Path, help="folder of submissions, one per student")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the grades go")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="submissions at a time (default 1)")
    parser.add_argument("--student", metavar="ID", help="grade this student again, and no other")
    parser.add_argument(
        "--isolation",
        choices=("bubblewrap", "none"),
        default="bubblewrap",
        help="none: students' code runs as you, with your files and network (docs/instructors.md says what that means)",
    )
    parser.add_argument("--report", action="store_true", help="write OUT/report.html: what to re-teach")
    parser.add_argument("--json", action="store_true", help="print the grades as JSON")


def run(args) -> int:
    if not args.submitted.is_dir():
        raise BadInput(f"SUBMITTED_DIR: there is no folder {args.submitted}")
    if args.jobs < 1:
        raise BadInput("--jobs: must be 1 or more")
    course = Course.find()
    sets = {name: load_set(name) for name in set_names() if course.exercise(name).is_file()}
    if not sets:
        raise BadInput("this course has no exercises yet: hyplearn course build")
    releases = {name: nbformat.read(course.exercise(name), as_version=4) for name in sets}
    if args.isolation == "none":
        print("warning: no isolation: students' code runs as you, with your files and network", file=sys.stderr)
    grades = grade(args.submitted, args.out, sets, releases, args.jobs, args.student, args.isolation)
    shown = [item for item in grades if args.student in (None, item.student)]
    if args.report:
        from hyplearn.grading.report import write_report

        write_report(args.out / "report.html", grades, args.out)
    if args.json:
        print(json.dumps([asdict(item) for item in shown], indent=1))
    else:
        _print_table(shown, args.out)
    return 1 if any(item.status == FAILED for item in shown) else 0


def grade(
    submitted: Path,
    out: Path,
    sets: dict[str, ExerciseSet],
    releases: dict[str, nbformat.NotebookNode],
    jobs: int = 1,
    student: str | None = None,
    isolation: str = "bubblewrap",
    limits: Limits = DEFAULT,
    config=None,
):
    """Grades a folder and returns one `Grade` per submission; see the module's text.

    Raises:
        BadInput: there is nothing to grade, or no isolation.
    """
    require(isolation)
    submissions = find_submissions(submitted, list(sets))
    if not any(student in (None, submission.student) for submission in submissions):
        whose = f"of student {student!r} " if student else ""
        raise BadInput(f"SUBMITTED_DIR: no submission {whose}in {submitted}/<student>/<assignment>/")
    out.mkdir(parents=True, exist_ok=True)
    try:
        known, todo = _sort_out(submissions, out, sets, releases, student)
        # Verdicts are made by other processes; the gradebook is written by this one, as they arrive.
        verdicts = itertools.chain(known, _in_parallel(todo, sets, releases, jobs, isolation, limits))
        return _record_all(verdicts, len(known) + len(todo), out, sets, releases, config)
    except OSError as error:
        raise Failed(
            f"--out: cannot write to {out} ({error.strerror}); mend that and run the same command again"
        ) from None


# --- verdicts, each kept in a file --------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A submission that has no verdict yet."""

    submission: Submission
    verdict_path: Path
    key: str


def _sort_out(submissions, out, sets, releases, student) -> tuple[list[tuple[Submission, Result]], list[Job]]:
    """The verdicts that are there, and jobs for the others; with `student`, jobs for theirs, in any case, alone."""
    verdicts, todo = [], []
    for submission in submissions:
        if submission.path is None:
            verdicts.append((submission, Result(FAILED, submission.reason)))
            continue
        name = submission.assignment
        key = key_of(submission.path, releases[name], sets[name])
        job = Job(submission, out / "verdicts" / submission.student / f"{name}.json", key)
        known = None if submission.student == student else _known(job)
        if known:
            verdicts.append((submission, known))
        elif student in (None, submission.student):
            todo.append(job)
    todo.sort(key=lambda job: job.submission.assignment)  # a sandbox serves one assignment: few changes
    return verdicts, todo


def _known(job: Job) -> Result | None:
    """The verdict of an earlier run, if the submission and all that it depends on are the same."""
    try:
        result = Result.from_json(job.verdict_path.read_text(encoding="utf-8"))
        return result if result.final and result.key == job.key else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _remember(job: Job, result: Result) -> None:
    if result.final:
        result.key = job.key
        write(job.verdict_path, result.to_json())


def _in_parallel(todo: list[Job], sets, releases, jobs: int, isolation: str, limits: Limits):
    """Yields (submission, result) from `jobs` processes. One that dies costs its submission, and is replaced."""
    if not todo:
        return
    fork = multiprocessing.get_context("fork")  # torch and the specs are there at once
    warm_up()
    waiting, running = list(reversed(todo)), {}

    def start():
        ours, theirs = fork.Pipe()
        process = fork.Process(target=_serve, args=(theirs, ours, sets, releases, isolation, limits), daemon=True)
        process.start()
        theirs.close()
        return ours, process

    def give(pipe, process):
        job = waiting.pop()
        running[pipe] = (process, job, time.monotonic() + limits.submission + 120)
        pipe.send(job)

    try:
        for _ in range(min(jobs, len(todo))):
            give(*start())
        while running:
            ready = multiprocessing.connection.wait(list(running), timeout=5)
            late = [pipe for pipe, (_, _, deadline) in running.items() if time.monotonic() > deadline]
            for pipe in {*ready, *late}:
                process, job, _ = running.pop(pipe)
                try:
                    result = pipe.recv() if pipe in ready else None
                except (EOFError, OSError):
                    result = None
                if isinstance(result, Failed):
                    raise result
                if result is None:
                    result = Result(FAILED, "the grader's own process ended; grade it again", final=False)
                    process.kill()
                    pipe.close()
                    if waiting:
                        give(*start())
                elif waiting:
                    give(pipe, process)
                else:
                    pipe.close()
                _remember(job, result)
                yield job.submission, result
    finally:
        for pipe, (process, _, _) in running.items():
            process.kill()
            pipe.close()


def _serve(pipe, other_end, sets, releases, isolation, limits) -> None:
    """A process that makes verdicts, one after the other, with one sandbox for the assignment that it is at."""
    other_end.close()
    sandbox, current = None, None
    try:
        while True:
            job = pipe.recv()
            name = job.submission.assignment
            if name != current:
                if sandbox:
                    sandbox.close()
                sandbox, current = Sandbox(masked_names(sets[name]), isolation), name
            result = verify_file(job.submission.path, releases[name], sets[name], sandbox, limits)
            current = name if result.final else None  # a sandbox that failed is not used again
            pipe.send(result)
    except (EOFError, KeyboardInterrupt):
        pass
    except Failed as error:  # there is no sandbox to be had: nothing can be graded
        pipe.send(error)
    finally:
        if sandbox:
            sandbox.close()


# --- the gradebook, by this process alone -----------------------------------------------------------------------------


def _record_all(verdicts, total: int, out, sets, releases, config):
    from hyplearn.grading.gradebook import Book, write_lms_table, write_table

    book = _when_unlocked(lambda: Book(out, config))
    for name, release in releases.items():
        try:
            _when_unlocked(lambda name=name, release=release: book.add_assignment(name, release))
        except RuntimeError:  # nbgrader: cells came or went, and there are submissions
            raise Failed(f"{out / 'gradebook.db'} belongs to another edition of {name}: choose another --out") from None
    grades, failed = [], 0
    tqdm.monitor_interval = 0  # no thread that watches the bar: forks and threads do not mix
    with tqdm(total=total, desc="grading", unit="", file=sys.stderr) as bar:
        for submission, result in verdicts:
            grades.append(_record(book, submission, result, sets, releases))
            failed += result.status == FAILED
            bar.set_postfix_str(f"{failed} failed" if failed else "")
            bar.update()
    grades.sort(key=lambda item: (item.student, item.assignment))
    write_table(out / "grades.csv", grades)
    write_lms_table(out / "lms.csv", grades, _when_unlocked(book.names))
    return grades


def _record(book, submission: Submission, result: Result, sets, releases):
    from hyplearn.grading.gradebook import Grade

    name = submission.assignment
    if name not in sets:
        return Grade(submission.student, name, 0.0, 0.0, 0.0, 0.0, FAILED, f"{FAILED}: {result.reason}", [])
    notebook = releases[name]
    if result.status == FAILED:
        items = [*sets[name].exercises.values(), *sets[name].written.values()]
        result.questions = [Question(item.name, 0.0, float(item.points), FAILED) for item in items]
    else:
        notebook, _ = transplant(notebook, read_submission(submission.path))
    when = _timestamp(submission)
    return _when_unlocked(lambda: book.record(submission.student, name, notebook, result, when))


def _when_unlocked(action):
    """Does something with the gradebook; another program may hold it for a while."""
    from sqlalchemy.exc import OperationalError

    until = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return action()
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise Failed(
                    f"gradebook.db: {error.orig}; close the formgrader and whatever else uses it, and run the same "
                    "command again (no verdict is lost)"
                ) from None


def _timestamp(submission: Submission) -> str | None:
    """When it was handed in: what nbgrader's `collect` left in timestamp.txt."""
    try:
        path = submission.path.with_name("timestamp.txt")
        return path.read_text().strip() if path.is_file() and not path.is_symlink() else None
    except (AttributeError, OSError, ValueError):
        return None


def _print_table(grades, out: Path) -> None:
    width = max(len(item.student) for item in grades)
    for item in grades:
        reason = item.reason or item.status
        print(f"{item.student:{width}}  {item.assignment}  {item.score:g} of {item.max_score:g}  {reason}")
    print(f"written: {out / 'grades.csv'}, {out / 'lms.csv'}, {out / 'feedback'}/, {out / 'gradebook.db'}")
