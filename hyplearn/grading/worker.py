"""The student's side: runs the cells of one submission and answers calls of what they define.

Nothing here is trusted, or needs to be: a student's code may rewrite this module while it runs. What reaches the
grader is data, and what the grader expects never comes here.

Each message from the grader carries an `"id"`, and so does its answer (`hyplearn.grading.wire` has the frames):

    {"do": "cell", "source": text}             -> {"outputs": [nbformat output, ...], "ok": bool}
    {"do": "keep", "name": "f"}                -> {"kind": "callable" | "class" | "missing" | type name}
    {"do": "call", "what": "f" or handle, "method": null or name, "args": [...], "kwargs": {...}}
                                               -> {"value": ..., "written": [[number of argument tensor, value], ...]}
                                                  or {"raised": [class names, most special first], "text": ...}
    {"do": "vjp", "call": id, "args": [...]}   -> {"value": [gradient or null, ...]}, of the call's tensors
    {"do": "forget"}                           -> {}, drops kept graphs and objects

`keep` is sent where the test stands in the notebook, so that a name which is used again further down still means what
it meant there; calls come after the last cell, so that no cell can show what the hidden tests asked.
"""

import builtins
import contextlib
import io
import os
import sys

import torch
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from hyplearn.grading import wire

TEXT_LIMIT = 20_000  # characters per stream, per cell
DATA_LIMIT = 2_000_000  # characters per picture
OUTPUTS_LIMIT = 50  # per cell
SHOWN = ("text/plain", "image/png", "image/jpeg")


class Record(DisplayPublisher):
    """What one cell prints and shows, bounded, as nbformat outputs."""

    outputs: list = []  # noqa: RUF012 (replaced before every cell; traitlets' classes take no annotations of instances)

    def clear_output(self, wait: bool = False) -> None:
        self.outputs = []

    def publish(self, data, metadata=None, **_) -> None:
        shown = {key: text for key, text in data.items() if key in SHOWN and len(text) <= DATA_LIMIT}
        alt = {"alt": str(metadata["alt"])[:TEXT_LIMIT]} if metadata and "alt" in metadata else {}
        self._add({"output_type": "display_data", "data": shown, "metadata": alt})

    def stream(self, name: str, text: str) -> None:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") != name:
            last = {"output_type": "stream", "name": name, "text": ""}
            self._add(last)
        last["text"] += text[: max(0, TEXT_LIMIT - len(last["text"]))]

    def error(self, kind: str, value: str, traceback: list[str]) -> None:
        lines = [line[:TEXT_LIMIT] for line in traceback[-30:]]
        self._add({"output_type": "error", "ename": kind[:200], "evalue": value[:2000], "traceback": lines})

    def _add(self, output: dict) -> None:
        if len(self.outputs) < OUTPUTS_LIMIT:
            self.outputs.append(output)


class Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    def __init__(self, record: Record, name: str):
        self.record, self.stream_name = record, name

    def write(self, text: str) -> int:
        self.record.stream(self.stream_name, str(text))
        return len(text)

    def writable(self) -> bool:
        return True


class LastValue(DisplayHook):
    """Records the value of a cell's last expression."""

    def __call__(self, result=None):
        if result is not None and not self.quiet():
            data, metadata = self.compute_format_data(result)
            self.shell.display_pub.publish(data, metadata)


class Shell(InteractiveShell):
    """IPython without terminal, history or kernel: magics, last values and tracebacks are as in a notebook."""

    displayhook_class = LastValue
    display_pub_class = Record

    def _showtraceback(self, etype, evalue, stb):
        self.display_pub.error(etype.__name__, str(evalue), list(stb))

    def enable_gui(self, gui=None):
        pass

    def system(self, cmd):
        print(f"(while grading, no command is run: {cmd})")

    def getoutput(self, cmd, split=True, depth=0):
        self.system(cmd)
        return []

    def ask_exit(self):
        pass  # `exit()` in a cell is no reason to stop grading


def make_shell() -> Shell:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Minimal"  # longer tracebacks show the installation, and the worker
    config.InteractiveShell.cache_size = 0
    shell = Shell.instance(config=config)
    with contextlib.suppress(Exception):
        shell.run_line_magic("matplotlib", "inline")
    return shell


def warm_up() -> None:
    """Makes torch import now what it imports with the first gradient (sympy, half a second)."""
    x = torch.ones((), requires_grad=True)
    torch.autograd.grad(x * x, x)


def warm_up_figures(shell: Shell) -> None:
    """Makes matplotlib find fonts and parse formulas once, and not in every worker."""
    shell.run_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('$x^2$')\nplt.show()")
    shell.reset(new_session=False)


def serve(sock, shell: Shell) -> None:
    """Answers messages until the grader hangs up."""
    session = _Session(shell)
    while True:
        try:
            message, body = wire.receive(sock)
        except wire.Disconnected:
            return
        packer = wire.Packer(session.hold)
        reply = getattr(session, "do_" + message["do"])(message, wire.Unpacker(body, session.find), packer)
        wire.send(sock, {"id": message["id"], **reply}, packer.tensors)


class _Session:
    def __init__(self, shell: Shell):
        self.shell = shell
        self.answers: dict[str, object] = {}  # by name, as they were where their tests stand
        self.held: dict[int, object] = {}  # objects that stay here: modules, functions
        self.graphs: dict[int, tuple] = {}  # by call: tensors that came in, tensors that went out

    def do_cell(self, message, unpacker, packer) -> dict:
        record = self.shell.display_pub
        record.outputs = []
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Stream(record, "stdout"), Stream(record, "stderr")
        try:
            ok = self.shell.run_cell(message["source"], store_history=False).success
        finally:
            sys.stdout, sys.stderr = before
        return {"outputs": record.outputs, "ok": bool(ok)}

    def do_keep(self, message, unpacker, packer) -> dict:
        name = message["name"]
        if name not in self.shell.user_ns:
            return {"kind": "missing"}
        answer = self.answers[name] = self.shell.user_ns[name]
        if isinstance(answer, type):
            return {"kind": "class"}
        return {"kind": "callable" if callable(answer) else type(answer).__name__[:100]}

    def do_call(self, message, unpacker, packer) -> dict:
        args = [unpacker.unpack(tree) for tree in message["args"]]
        kwargs = {name: unpacker.unpack(tree) for name, tree in message["kwargs"].items()}
        leaves = unpacker.tensors
        before = [leaf.detach().clone() for leaf in leaves]
        what = message["what"]
        target = self.held[what["handle"]] if isinstance(what, dict) else self.answers[what]
        if message.get("method"):
            target = getattr(target, message["method"])
        try:
            # What a call prints would show the inputs of hidden tests, so it goes nowhere.
            with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
                value = target(*args, **kwargs)
            tree = packer.pack(value)
        except BaseException as error:
            names = [kind.__name__[:100] for kind in type(error).__mro__ if getattr(builtins, kind.__name__, 0) is kind]
            return {"raised": names, "name": type(error).__name__[:100], "text": str(error)[:1000]}
        outputs = [tensor for tensor in packer.tensors if tensor.requires_grad]
        if outputs:
            self.graphs[message["id"]] = ([leaf for leaf in leaves if leaf.requires_grad], outputs)
        written = [
            [number, packer.pack(leaf.detach())]
            for number, (leaf, old) in enumerate(zip(leaves, before, strict=True))
            if leaf.shape != old.shape or not _same_bytes(leaf, old)
        ]
        return {"value": tree, "written": written}

    def do_vjp(self, message, unpacker, packer) -> dict:
        inputs, outputs = self.graphs[message["call"]]
        weights = [unpacker.unpack(tree) for tree in message["args"]]
        try:
            gradients = torch.autograd.grad(outputs, inputs, weights, retain_graph=True, allow_unused=True)
        except Exception as error:
            return {"raised": ["RuntimeError"], "name": type(error).__name__[:100], "text": str(error)[:1000]}
        return {"value": packer.pack(list(gradients))}

    def do_forget(self, message, unpacker, packer) -> dict:
        self.held.clear()
        self.graphs.clear()
        return {}

    def hold(self, value) -> dict | None:
        """A handle for what cannot cross but can be called."""
        if not callable(value):
            return None
        self.held[id(value)] = value
        return {"handle": id(value), "type": type(value).__name__[:100]}

    def find(self, tree: dict):
        return self.held.get(tree.get("handle"))


def _same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    return wire._raw(a) == wire._raw(b)
