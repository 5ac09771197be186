"""The trusted verdict: the student's cells run in a worker, the tests here, and only data crosses.

`verify` takes a transplanted notebook and gives what every cell showed and one verdict per question. It keeps nothing
between submissions, and reads one file and writes one, so that it also is the job that a cluster or a container runs:

    python -m hyplearn.grading.verify --course DIR --assignment NAME --submission FILE --out VERDICT.json
"""

import argparse
import builtins
import contextlib
import hashlib
import io
import json
import os
import re
import socket
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
import torch

import hyplearn
from hyplearn.course.layout import Course, write
from hyplearn.errors import Failed
from hyplearn.grading import wire
from hyplearn.grading.check import course_secret, judge, seed_for
from hyplearn.grading.collect import Unreadable, read_content, read_submission
from hyplearn.grading.isolation import DEFAULT, Limits, Sandbox, masked_names
from hyplearn.grading.spec import ExerciseSet, load_set
from hyplearn.grading.transplant import question_of, transplant

RESTARTS = 20  # of the worker, per submission
OWN_LINES = ("rule", "looks like", "hint")  # of a verdict's message: those that say nothing about the inputs


@dataclass
class Question:
    """The verdict on one exercise. `verdict`: passed, wrong, unattempted, error or awaits a person."""

    name: str
    score: float
    max_score: float
    verdict: str
    mistake: str | None = None
    message: str = ""


@dataclass
class Result:
    """The verdict on one submission. `status`: graded or could not be graded (then `reason` says why)."""

    status: str
    reason: str = ""
    questions: list[Question] = field(default_factory=list)
    outputs: dict[str, list[dict]] = field(default_factory=dict)  # by cell id, as nbformat has them
    notes: list[str] = field(default_factory=list)  # what was put right in the notebook
    final: bool = True  # no: the grader failed, not the submission, and another run may do better
    key: str = ""  # of all that it depends on (`key_of`): while that stays the same, so does the verdict

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Result":
        data = json.loads(text)
        return cls(**{**data, "questions": [Question(**question) for question in data["questions"]]})


class Lost(BaseException):
    """The worker did not answer as it should. No Exception: a check must not take it for the answer's own error."""


# --- the grader's end of a worker -------------------------------------------------------------------------------------


class Worker:
    """One worker process, as seen from here: requests with a time limit each, and a kill when one is not kept."""

    def __init__(self, sandbox: Sandbox, limits: Limits):
        self.limits = limits
        self._data, self._leash = sandbox.worker(limits)
        self._number = 0
        self.alive = True

    def ask(self, seconds: float, tensors=(), **message) -> tuple[dict, bytes]:
        """Sends a request and waits for its answer; `Lost`, with the reason for the student, where none comes."""
        if not self.alive:
            raise Lost("the worker has ended")
        self._number += 1
        deadline = time.monotonic() + seconds
        try:
            wire.send(self._data, {"id": self._number, **message}, tensors, deadline)
            reply, body = wire.receive(self._data, deadline)
        except TimeoutError:
            self._lose(f"it did not finish within {seconds:g} seconds and was stopped")
        except wire.Disconnected:
            self._lose(self._how_it_ended())
        except wire.WireError as error:
            self._lose(f"it sent something that is no answer ({error})")
        if reply.get("id") != self._number:
            self._lose("it sent an answer that nobody had asked for")
        return reply, body

    @property
    def last_request(self) -> int:
        return self._number

    def close(self) -> None:
        """Kills the worker, and waits until it is gone."""
        if self.alive:
            self.alive = False
            with contextlib.suppress(OSError):
                self._leash.shutdown(socket.SHUT_WR)
                self._leash.settimeout(5)
                while self._leash.recv(4096):  # the supervisor hangs up at the end
                    pass
            self._leash.close()
            self._data.close()

    def _lose(self, reason: str) -> None:
        self.close()
        raise Lost(reason) from None

    def _how_it_ended(self) -> str:
        self._leash.settimeout(2)
        try:
            report = json.loads(self._leash.recv(4096) or b"{}")
        except (OSError, ValueError):
            report = {}
        if "setup" in report:
            self.close()
            raise Failed(f"the sandbox of its code could not be set up: {report['setup']}")
        if report.get("exit", 0) < 0:
            names = {
                6: "abort",
                9: "killed, perhaps for want of memory",
                11: "segmentation fault",
                24: "processor time",
            }
            signal = -report["exit"]
            return f"the process crashed (signal {signal}: {names.get(signal, 'a crash')})"
        return "the process ended itself (exit)"


class Proxy:
    """Stands here for a function, a class or an object that lives in the worker: calls cross, as data.

    Keeps what `hyplearn.grading.check` expects of an answer: built-in exceptions, changed arguments changed here too,
    and a result that carries a gradient exactly if it did there.
    """

    def __init__(self, worker: Worker, what, name: str):
        self._worker, self._what, self.__name__ = worker, what, name

    def __call__(self, *args, **kwargs):
        return self._call(None, args, kwargs)

    def to(self, dtype):
        return self._call("to", (dtype,), {})

    def load_state_dict(self, state: dict):
        return self._call("load_state_dict", (state,), {})

    def _call(self, method: str | None, args: tuple, kwargs: dict):
        packer = wire.Packer()
        trees = [packer.pack(value) for value in args]
        named = {name: packer.pack(value) for name, value in kwargs.items()}
        sent = packer.tensors
        reply, body = self._worker.ask(
            self._worker.limits.call, sent, do="call", what=self._what, method=method, args=trees, kwargs=named
        )
        try:
            if "raised" in reply:
                error = _builtin(reply)
                self._worker.exhausted |= type(error) in (MemoryError, RuntimeError) or isinstance(error, OSError)
                raise error
            unpacker = wire.Unpacker(body, self._handle)
            value = unpacker.unpack(reply["value"])
            live = [tensor for tensor in unpacker.tensors if tensor.requires_grad]
            for number, tree in reply["written"]:
                with torch.no_grad():
                    new = unpacker.unpack(tree)
                    sent[number].set_(new) if sent[number].shape != new.shape else sent[number].copy_(new)
        except (wire.WireError, LookupError, TypeError, ValueError, RuntimeError) as error:
            if "raised" in reply:
                raise
            self._worker._lose(f"it sent something that is no answer ({type(error).__name__})")
        inputs = [tensor for tensor in sent if tensor.requires_grad]
        if live and inputs:
            call = self._worker.last_request
            graded = iter(_Remote.apply(self._worker, call, [tensor.detach() for tensor in live], *inputs))
            value = _replace(value, {id(tensor): next(graded) for tensor in live})
        return value

    def _handle(self, tree: dict):
        if isinstance(tree.get("handle"), int):
            return Proxy(self._worker, {"handle": tree["handle"]}, str(tree.get("type"))[:100])
        return None


class _Remote(torch.autograd.Function):
    """Outputs that the worker computed; their vector-Jacobian product is asked of it."""

    @staticmethod
    def forward(ctx, worker: Worker, call: int, outputs: list, *inputs):
        ctx.worker, ctx.call, ctx.count = worker, call, len(inputs)
        ctx.like = [(tensor.shape, tensor.dtype) for tensor in inputs]
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *weights):
        packer = wire.Packer()
        trees = [packer.pack(weight) for weight in weights]
        reply, body = ctx.worker.ask(ctx.worker.limits.call, packer.tensors, do="vjp", call=ctx.call, args=trees)
        if "raised" in reply:
            raise _builtin(reply)
        try:
            gradients = wire.Unpacker(body).unpack(reply["value"])
            found = [None if g is None else (g.shape, g.dtype) for g in gradients]
        except (wire.WireError, LookupError, TypeError, AttributeError):
            found = gradients = []
        if len(found) != ctx.count or any(f not in (None, like) for f, like in zip(found, ctx.like, strict=True)):
            ctx.worker._lose("it sent a gradient that is none")
        return None, None, None, *gradients


def _builtin(reply: dict) -> Exception:
    """The exception that a call raised, as the most special built-in class that it belongs to."""
    for name in reply["raised"] if isinstance(reply["raised"], list) else []:
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            with contextlib.suppress(Exception):
                return kind(str(reply.get("text", ""))[:1000])
    return RuntimeError(f"{str(reply.get('name'))[:100]}: {str(reply.get('text', ''))[:1000]}")


def _replace(value, new: dict[int, torch.Tensor]):
    if isinstance(value, torch.Tensor):
        return new.get(id(value), value)
    if isinstance(value, list | tuple):
        return type(value)(_replace(item, new) for item in value)
    if isinstance(value, dict):
        return {key: _replace(item, new) for key, item in value.items()}
    return value


# --- one submission ---------------------------------------------------------------------------------------------------


def verify(notebook, exercises: ExerciseSet, sandbox: Sandbox, limits: Limits = DEFAULT) -> Result:
    """Runs a transplanted notebook and judges its answers. What a student's code does, this returns."""
    return _Run(notebook, exercises, sandbox, limits).result()


class _Run:
    def __init__(self, notebook, exercises: ExerciseSet, sandbox: Sandbox, limits: Limits):
        self.notebook, self.exercises, self.sandbox, self.limits = notebook, exercises, sandbox, limits
        self.deadline = time.monotonic() + limits.submission
        self.outputs: dict[str, list[dict]] = {}
        self.fatal: dict[str, str] = {}  # cells that ended the worker, and how: they are not run again
        self.kinds: dict[str, str] = {}  # of the answers, by question
        self.worker: Worker | None = None
        self.restarts = 0

    def result(self) -> Result:
        names = [name for name in map(question_of, self.notebook.cells) if name in self.exercises.exercises]
        try:
            verdicts = {name: self._judge(name, hidden=True) for name in names}
            wrong = [name for name in names if verdicts[name].verdict == "wrong"]
            if wrong and self.worker:
                # The visible checks explain what is wrong, with their inputs and the answer's own words. A worker that
                # has seen hidden inputs could say them there: a new one is asked.
                self.worker.close()
            for name in wrong:
                visible = self._judge(name, hidden=False)
                if visible.verdict == "wrong":
                    verdicts[name].message = visible.message
                    verdicts[name].mistake = verdicts[name].mistake or visible.mistake
        finally:
            if self.worker:
                self.worker.close()
        for answer in self.exercises.written.values():
            verdicts[answer.name] = Question(answer.name, 0.0, answer.points, "awaits a person")
        order = [*self.exercises.exercises, *self.exercises.written]
        return Result("graded", questions=[verdicts[name] for name in order if name in verdicts], outputs=self.outputs)

    def _judge(self, name: str, hidden: bool) -> Question:
        exercise = self.exercises.exercises[name]
        points = float(exercise.points)

        def question(verdict: str, message: str, mistake: str | None = None, score: float = 0.0) -> Question:
            return Question(name, score, points, verdict, mistake, message)

        try:
            self._start()
            if self.kinds.get(name) not in ("callable", "class"):
                return question("error", f"✗ {name}: {self._why_missing(name)}")
            self.worker.ask(self.limits.call, do="forget")
            seed = seed_for(course_secret(), self.exercises.name, name) if hidden else 0
            limit = min(self.deadline, time.monotonic() + self.limits.question)
            worker = _Hurried(self.worker, limit)
            with contextlib.redirect_stdout(io.StringIO()):
                found = judge(Proxy(worker, name, name), exercise, seed, hidden)
            if worker.exhausted:
                self.worker.close()  # the next question gets another one
        except Lost as lost:
            return question("error", f"✗ {name}: the code ran in a process of its own; {lost}")
        message = without_inputs(found.message) if hidden and found.status != "passed" else found.message
        score = found.points if found.status == "passed" else 0.0
        return question(found.status, message, found.mistake, score)

    def _why_missing(self, name: str) -> str:
        for cell in self.notebook.cells:
            if (cell.metadata.get("nbgrader") or {}).get("grade_id") == name:
                if cell.id in self.fatal:
                    return f"its cell could not be run: {self.fatal[cell.id]}"
                for output in self.outputs.get(cell.id, []):
                    if output["output_type"] == "error":
                        return f"its cell raises {output['ename']}: {output['evalue']}"
        kind = self.kinds.get(name, "missing")
        return f"there is no function `{name}`" if kind == "missing" else f"`{name}` is no function but {kind}"

    def _start(self) -> None:
        """A worker in which every cell has run, but those that ended one before."""
        while not (self.worker and self.worker.alive):
            if self.restarts > RESTARTS or time.monotonic() > self.deadline:
                raise Lost("the whole submission took too long")
            self.restarts += 1
            self.worker = Worker(self.sandbox, self.limits)
            with contextlib.suppress(Lost):
                self._run_cells()

    def _run_cells(self) -> None:
        for cell in self.notebook.cells:
            if name := question_of(cell):
                self.kinds[name] = str(self.worker.ask(self.limits.call, do="keep", name=name)[0].get("kind"))
            elif cell.cell_type == "code" and cell.id not in self.fatal and cell.source.strip():
                try:
                    reply, _ = self.worker.ask(self.limits.cell, do="cell", source=cell.source)
                except Lost as lost:
                    self.fatal[cell.id] = str(lost)
                    self.outputs[cell.id] = [_stream(f"This cell ran in a process of its own; {lost}.\n")]
                    raise
                self.outputs[cell.id] = clean_outputs(reply.get("outputs"))


class _Hurried:
    """A worker for the calls of one question, which together may take until a deadline.

    `exhausted` tells whether one of them ended as calls do that have used up the worker's memory, threads or disk.
    """

    def __init__(self, worker: Worker, deadline: float):
        self._worker, self._deadline = worker, deadline
        self.exhausted = False
        self.limits, self._lose = worker.limits, worker._lose

    def ask(self, seconds: float, *args, **message):
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            self._lose("its calls together took too long")
        return self._worker.ask(min(seconds, remaining), *args, **message)

    @property
    def last_request(self) -> int:
        return self._worker.last_request


def without_inputs(message: str) -> str:
    """The message of a hidden test without the lines that show inputs, values or the student's own words."""
    first, *lines = message.splitlines()
    kept = [line for line in lines if line.strip().startswith(OWN_LINES)]
    return "\n".join([first, *kept, "  (the hidden tests' inputs are not shown)"])


def _stream(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


def clean_outputs(outputs) -> list[dict]:
    """Outputs that a worker sent, rebuilt from what is expected of them: text and pictures, nothing that is active."""
    cleaned = []
    for output in outputs if isinstance(outputs, list) else []:
        try:
            match output["output_type"]:
                case "stream":
                    name = "stderr" if output["name"] == "stderr" else "stdout"
                    new = {"output_type": "stream", "name": name, "text": _text(output["text"])}
                case "error":
                    lines = [_text(line) for line in output["traceback"]]
                    fields = {key: _text(output[key]) for key in ("ename", "evalue")}
                    new = {"output_type": "error", **fields, "traceback": lines}
                case "display_data":
                    data = {key: _picture(value) for key, value in output["data"].items() if key.startswith("image/")}
                    data = {key: value for key, value in data.items() if value and key in ("image/png", "image/jpeg")}
                    if "text/plain" in output["data"]:
                        data["text/plain"] = _text(output["data"]["text/plain"])
                    alt = output.get("metadata", {}).get("alt")
                    new = {
                        "output_type": "display_data",
                        "data": data,
                        "metadata": {"alt": re.sub(r"[<>\"'&]", " ", _text(alt))} if alt else {},
                    }
                case _:
                    continue
        except (LookupError, TypeError, AttributeError):
            continue
        cleaned.append(new)
    return cleaned[:50]


def _text(value) -> str:
    """Bounded, without the control characters that terminals and XML act upon."""
    return "".join(c for c in str(value)[:20_000] if c.isprintable() or c in "\n\t").encode("utf-8", "replace").decode()


def _picture(value) -> str | None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n"
    return value if isinstance(value, str) and len(value) < 3_000_000 and not value.strip(alphabet) else None


# --- the job ----------------------------------------------------------------------------------------------------------


def key_of(path: Path, release, exercises: ExerciseSet) -> str:
    """A hash of what a verdict depends on: submission, release, exercises, the library's version, the secret seed."""
    spec = sys.modules.get(f"hyplearn.grading.specs.{exercises.name}")
    parts = [hyplearn.__version__, exercises.name, nbformat.writes(release), course_secret()]
    parts.append(Path(spec.__file__).read_text() if spec else "")
    digest = hashlib.sha256("\0".join(parts).encode())
    try:
        digest.update(read_content(path))
    except Unreadable as error:
        digest.update(str(error).encode())
    return digest.hexdigest()


def verify_file(path: Path, release, exercises: ExerciseSet, sandbox: Sandbox, limits: Limits = DEFAULT) -> Result:
    """The verdict on a submitted file, whatever is in it."""
    try:
        notebook, notes = transplant(release, read_submission(path))
        result = verify(notebook, exercises, sandbox, limits)
        result.notes = notes
        return result
    except Unreadable as error:
        return Result("could not be graded", str(error))
    except Failed as error:
        return Result("could not be graded", f"{error}; grade it again", final=False)
    except Exception as error:
        traceback.print_exc()
        reason = f"the grader itself failed ({type(error).__name__}); grade it again, and report this if it stays"
        return Result("could not be graded", reason, final=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hyplearn.grading.verify", description=__doc__.splitlines()[0])
    parser.add_argument("--course", type=Path, default=Path(), help="the folder that holds exercises/")
    parser.add_argument("--assignment", required=True, help="such as 01_parallel_postulate")
    parser.add_argument("--submission", type=Path, required=True, help="the student's notebook")
    parser.add_argument("--out", type=Path, required=True, help="where the verdict goes, as JSON")
    parser.add_argument("--isolation", choices=("bubblewrap", "none"), default="bubblewrap")
    args = parser.parse_args()
    exercises = load_set(args.assignment)
    release = nbformat.read(Course(args.course).exercise(args.assignment), as_version=4)
    with Sandbox(masked_names(exercises), args.isolation) as sandbox:
        result = verify_file(args.submission, release, exercises, sandbox)
    result.key = key_of(args.submission, release, exercises)
    write(args.out, result.to_json())
    return 0 if result.status == "graded" else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
