"""Where students' code runs: a sandbox with a copy of the library from which the answers are cut out.

What a worker sees, with `--isolation bubblewrap`: the system and the Python installation (read-only), an empty home
and /tmp, and the copy of the library. Not: the network, other processes, this checkout, the gradebook, solutions,
other submissions, the specs and checks, the grader's environment variables.
"""

import ast
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import hyplearn
from hyplearn.errors import BadInput, Failed

ASKED = "this is what you are asked to write"
# Other libraries that hold the answers: not to be seen even where the grader's environment has them.
PEERS = ("geoopt", "hypll")
PRELOAD = ("numpy", "torch", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "hyplearn")
WORKER_FILES = ("wire.py", "worker.py", "zygote.py")
FIRST_UID = 200_000  # of the workers of a grader that runs as root; no real user has these

# In the worker, `hyplearn.grading` holds the worker and nothing else; a notebook may import its checks and call them,
# which does nothing: the verdict is made elsewhere.
STUB = '''
class _Elsewhere:
    """Stands for a check: in the worker it does nothing, because the grader checks."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __repr__(self):
        return "(the grader checks this)"


def __getattr__(name):
    if name.startswith("__") or name in ("wire", "worker", "zygote"):  # real modules, found by `import`
        raise AttributeError(name)
    return _Elsewhere()
'''


@dataclass(frozen=True)
class Limits:
    """What a submission may use; times in seconds of the clock, sizes in bytes."""

    cell: float = 60.0
    call: float = 20.0
    question: float = 120.0
    submission: float = 900.0
    memory: int = 3 << 30
    file_size: int = 64 << 20
    disk: int = 128 << 20
    threads: int = 64


DEFAULT = Limits()


# --- the library without the answers ----------------------------------------------------------------------------------


def masked_names(exercises) -> list[str]:
    """The library functions that a set asks for: its references and what they call, and those that it names itself."""
    names, seen = set(getattr(exercises, "masked", ())), set()
    for exercise in exercises.exercises.values():
        for function in filter(None, (exercise.reference, exercise.oracle)):
            names |= _library_calls(function, seen)
    return sorted(names)


def _library_calls(function, seen: set) -> set[str]:
    if not hasattr(function, "__code__") or function in seen:
        return set()
    seen.add(function)
    module = function.__module__
    if module.startswith("hyplearn.") and not module.startswith("hyplearn.grading"):
        return {f"{module}.{function.__qualname__}"}
    found, used = set(), set(function.__code__.co_names)
    for name in used & set(function.__globals__):
        thing = function.__globals__[name]
        if isinstance(thing, type(sys)) and thing.__name__.startswith("hyplearn."):
            found |= {f"{thing.__name__}.{inner}" for inner in used if callable(getattr(thing, inner, None))}
        elif callable(thing) and str(getattr(thing, "__module__", "")).startswith("hyplearn."):
            found |= _library_calls(thing, seen)
    return found


def strip_library(target: Path, masked: Iterable[str]) -> None:
    """Copies the package `hyplearn` to `target`/hyplearn, without grading and without the bodies of `masked`.

    A name is a function, a method or a class ("hyplearn.plane.angle", "hyplearn.manifolds.PoincareBall.dist"), or a
    module, of which every function is masked. Where a name is imported from elsewhere, its definition is masked.

    They raise wherever they are called, by the student or by the rest of the library: a function that still worked
    inside would still be there to be found. So neither the file nor the memory of the worker holds the answer.
    """
    source = Path(hyplearn.__file__).parent
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", "grading")
    shutil.copytree(source, target / "hyplearn", ignore=skip)
    grading = target / "hyplearn" / "grading"
    grading.mkdir()
    (grading / "__init__.py").write_text(STUB)
    for name in WORKER_FILES:
        shutil.copy(source / "grading" / name, grading / name)
    for name in masked:
        _mask(target, name)
    for path in (target, *target.rglob("*")):  # the worker may be another user
        path.chmod(0o755 if path.is_dir() else 0o644)


def _mask(target: Path, name: str) -> None:
    module, _, path = _locate(name)
    file = target / Path(module.__file__).relative_to(Path(hyplearn.__file__).parents[1])
    tree = ast.parse(file.read_text())
    found = _find(tree, path)
    if found is None:
        raise Failed(f"the exercise set masks {name}, which {module.__name__} does not define")
    for node in ast.walk(found):
        if isinstance(node, ast.FunctionDef):
            node.body = ast.parse(f"raise NotImplementedError({f'{node.name}: {ASKED}'!r})").body
            node.decorator_list = [d for d in node.decorator_list if getattr(d, "id", "") in _KEPT_DECORATORS]
    file.write_text(ast.unparse(tree))


_KEPT_DECORATORS = ("staticmethod", "classmethod", "property")


def _locate(name: str):
    """The module that defines a name, the object, and its path inside the module."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            thing = module = importlib.import_module(".".join(parts[:length]))
            path = parts[length:]
            break
    try:
        for part in path:
            thing = getattr(thing, part)
    except AttributeError:
        raise Failed(f"the exercise set masks {name}, which does not exist") from None
    if path and getattr(thing, "__module__", None):
        module, path = sys.modules[thing.__module__], thing.__qualname__.split(".")
    return module, thing, path


def _find(tree: ast.AST, path: list[str]) -> ast.AST | None:
    for part in path:
        kinds = (ast.FunctionDef, ast.ClassDef)
        tree = next(
            (node for node in ast.iter_child_nodes(tree) if isinstance(node, kinds) and node.name == part), None
        )
        if tree is None:
            return None
    return tree


# --- the sandbox ------------------------------------------------------------------------------------------------------


def require(isolation: str) -> None:
    """Raises BadInput where the isolation asked for is not to be had on this machine."""
    if isolation == "none":
        if not hasattr(os, "fork"):
            raise BadInput("--isolation: grading needs Linux or macOS; on Windows use WSL or the container")
        return
    problem = None
    if sys.platform != "linux":
        problem = "bubblewrap exists on Linux only"
    elif not shutil.which("bwrap"):
        problem = "bubblewrap is not installed (apt install bubblewrap)"
    if problem:
        raise BadInput(
            f"--isolation: {problem}; `--isolation none` grades without a sandbox: students' code then runs as you, "
            "with your files and your network"
        )


class Sandbox:
    """A running zygote for one exercise set; `worker()` forks a worker from it in some 20 ms.

    Raises:
        Failed: the sandbox cannot be set up here.
    """

    def __init__(self, masked: Iterable[str] = (), isolation: str = "bubblewrap"):
        require(isolation)
        self.isolation = isolation
        self._folder = tempfile.TemporaryDirectory(prefix="hyplearn-worker-")
        library = Path(self._folder.name)
        strip_library(library, masked)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = json.dumps(
            {"namespaces": isolation == "bubblewrap", "preload": PRELOAD, "installation": _installation()}
        )
        # `-P`: the current folder is not searched for modules.
        python = [sys.executable, "-P", "-m", "hyplearn.grading.zygote", str(theirs.fileno()), settings]
        if isolation == "bubblewrap":
            command, environment, folder = [*_bubblewrap(library), *python], {}, None
        else:
            folder = library / "empty"
            folder.mkdir()
            command, environment = python, _environment(library, folder)
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        theirs.close()
        self._control.settimeout(120)
        try:
            ready = self._control.recv(16) == b"ready"
        except OSError:
            ready = False
        if not ready:
            text = self._complaint()
            self.close()
            raise Failed(f"the sandbox does not start: {text or 'no answer'}")

    def worker(self, limits: Limits) -> tuple[socket.socket, socket.socket]:
        """Forks a worker: the socket for messages, and its leash; closing the leash kills the worker."""
        data, their_data = socket.socketpair()
        leash, their_leash = socket.socketpair()
        # As root every grader process gives its workers a uid of their own; one grader process has one worker a time.
        uid = FIRST_UID + os.getpid() % 1_000_000 if os.getuid() == 0 and self.isolation == "bubblewrap" else 0
        order = {
            **{"memory": limits.memory, "file_size": limits.file_size, "disk": limits.disk, "threads": limits.threads},
            **{"seconds": int(limits.submission) + 1, "uid": uid},
        }
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], [their_data.fileno(), their_leash.fileno()])
        except OSError:
            raise Failed(f"the sandbox has ended: {self._complaint()}") from None
        their_data.close()
        their_leash.close()
        return data, leash

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _complaint(self) -> str:
        """The last line that the zygote wrote to standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return textwrap.shorten(lines[-1], 300) if lines else ""


def _environment(library: Path | str, home: Path | str) -> dict[str, str]:
    """All that a worker gets of the environment. One thread each: a grader runs as many workers as there are cores."""
    return {
        **{"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONPATH": str(library)},
        **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        **{"MPLCONFIGDIR": f"{home}/matplotlib", "IPYTHONDIR": f"{home}/ipython", "PYTHONDONTWRITEBYTECODE": "1"},
        **{"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    }


def _installation() -> list[str]:
    """The folders of Python and of its environment, outer ones first, under each of their names."""
    return sorted({os.path.realpath(path) for path in (sys.base_prefix, sys.prefix)} | {sys.prefix, sys.base_prefix})


def _bubblewrap(library: Path) -> list[str]:
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--chdir", "/tmp"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if os.getuid() != 0:
        command += ["--unshare-user"]
    else:
        # Root needs no user namespace to build the sandbox, and keeps here what the zygote needs to leave root behind.
        command += ["--cap-add", "ALL"]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib64", "/lib32"):
        if os.path.islink(name):
            command += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            command += ["--ro-bind", name, name]
    command += ["--perms", "0755", "--dir", "/etc"]  # folders that bubblewrap makes itself are for root only
    for name in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"):
        command += ["--ro-bind-try", name, name]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/home/student"]
    # Bound before the zygote drops its rights: it could not reach an installation under another user's home itself.
    prefixes = _installation()
    for prefix in prefixes:
        if prefix.startswith("/usr"):
            continue
        for parent in reversed(Path(prefix).parents[:-1]):  # as above
            command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind", prefix, prefix]
    for package in ("hyplearn", *PEERS):
        found = importlib.util.find_spec(package)
        folder = os.path.dirname(found.origin) if found and found.origin else ""
        if any(folder.startswith(prefix + os.sep) for prefix in (*prefixes, "/usr")):
            command += ["--tmpfs", folder]
    command += ["--ro-bind", str(library), "/library"]
    for name, value in _environment("/library", "/tmp/home").items():
        command += ["--setenv", name, value]
    return [*command, "--"]
