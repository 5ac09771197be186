"""Is this machine ready for the course? Each finding is right, or wrong with its fix, or a note on what is optional."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hyplearn.course.layout import Course

DISK_GB, MEMORY_GB = 2, 3  # free: what notebooks, samples and grades need beside an installed environment
EXTENSIONS = ("formgrader", "validate_assignment", "assignment_list", "course_list")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fix` is empty where all is well; `needed` is False for what most readers can do without."""

    name: str
    detail: str
    fix: str = ""
    needed: bool = True


def examine(course: Course) -> Iterator[Finding]:
    """All findings, one by one: some take a second."""
    yield python()
    yield packages(course.root / "constraints.txt")
    yield torch()
    yield kernel()
    yield nbgrader()
    yield isolation()
    yield browser()
    yield disk(course.root)
    yield memory()


def python() -> Finding:
    fix = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer, then `make course PYTHON=python3.11`"
    return Finding("Python", sys.version.split()[0], fix)


def packages(constraints: Path) -> Finding:
    """The installed packages against the tested set; a bundle for students needs but a part of it."""
    whole = (constraints.parent / "pyproject.toml").exists()
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    wrong, looked_at = [], 0
    for name, pin in pins.items():
        try:
            version = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            if not whole:
                continue
            version = "missing"
        looked_at += 1
        if version != pin:
            wrong.append(f"{name} {version} (tested: {pin})")
    what = "-e '.[dev]'" if whole else "'hyplearn[course]'"
    fix = f"{_pip()} -c {constraints.name} {what}" if wrong else ""
    return Finding("packages", ", ".join(wrong) or f"all {looked_at} as in {constraints.name}", fix)


def torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", f"cannot be imported: {error}", f"{_pip()} --force-reinstall -c constraints.txt torch")
    if not torch.cuda.is_available():
        return Finding("torch", f"{torch.__version__}, no GPU: the course needs none")
    try:
        torch.ones(2, device="cuda").sum().item()
    except RuntimeError as error:
        fix = "update the driver, or choose another build: make course TORCH_INDEX=https://download.pytorch.org/whl/..."
        return Finding("torch", f"{torch.__version__}, the GPU does not work: {str(error).splitlines()[0]}", fix)
    return Finding("torch", f"{torch.__version__}, {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")


def kernel() -> Finding:
    """JupyterLab starts notebooks in the kernel `python3`: it must be the Python of this environment."""
    fix = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except ImportError:
        return Finding("kernel", "jupyter is not installed", f"{_pip()} -c constraints.txt -e '.[course]'")
    except NoSuchKernel:
        return Finding("kernel", "no kernel called python3", fix)
    found = shutil.which(command)
    if command in ("python", "python3") or (found and Path(found).parent == Path(sys.executable).parent):
        return Finding("kernel", "python3 is registered")
    return Finding("kernel", f"python3 starts {command}, which is another Python", fix)


def nbgrader() -> Finding:
    """Its server extensions: without them an instructor has no formgrader in JupyterLab."""
    try:
        from jupyter_core.paths import jupyter_config_path
    except ImportError:
        return Finding("nbgrader", "jupyter is not installed", f"{_pip()} -c constraints.txt -e '.[course]'")
    enabled = {}
    for folder in reversed(jupyter_config_path()):  # the first folder has the last word
        files = [*Path(folder).glob("jupyter_server_config.d/*.json"), *Path(folder).glob("jupyter_server_config.json")]
        for file in files:
            settings = json.loads(file.read_text(encoding="utf-8"))
            enabled |= settings.get("ServerApp", {}).get("jpserver_extensions", {})
    off = [name for name in EXTENSIONS if not enabled.get(f"nbgrader.server_extensions.{name}")]
    fix = f"{sys.executable} -m jupyter server extension enable --sys-prefix --py nbgrader" if off else ""
    return Finding("nbgrader", f"extensions that are off: {', '.join(off)}" if off else "all extensions are on", fix)


def isolation() -> Finding:
    if not shutil.which("bwrap"):
        fix = "apt-get install bubblewrap (Linux); grading elsewhere needs --isolation none"
        return Finding("bubblewrap", "missing: needed to grade submissions", fix, needed=False)
    command = ["bwrap", "--ro-bind", "/", "/", "--unshare-net", "true"]
    if subprocess.run(command, capture_output=True, timeout=20).returncode:
        fix = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or grade as root"
        return Finding("bubblewrap", "is there but may not start a sandbox: needed to grade", fix, needed=False)
    return Finding("bubblewrap", "starts a sandbox: submissions are graded in isolation")


def browser() -> Finding:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    fix = "" if found else "apt-get install chromium (or have the widget tests skipped)"
    return Finding("chromium", found or "missing: needed by the widget's tests only", fix, needed=False)


def disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 1e9
    return Finding("disk", f"{free:.0f} GB free", "" if free >= DISK_GB else f"free {DISK_GB} GB")


def memory() -> Finding:
    try:
        import psutil
    except ImportError:
        return Finding("memory", "cannot be measured: psutil is not installed", needed=False)
    free = psutil.virtual_memory().available / 1e9
    return Finding(
        "memory", f"{free:.1f} GB free", "" if free >= MEMORY_GB else "close other programs, other kernels too"
    )


def _pip() -> str:
    return f"{sys.executable} -m pip install"
