"""What students get: lectures, exercises and the library, as one folder without solutions and tests."""

import base64
import hashlib
import importlib.metadata
import shutil
import tempfile
import zipfile
from pathlib import Path

import hyplearn
from hyplearn.course.check import check
from hyplearn.course.layout import Course
from hyplearn.errors import BadInput, Failed

README = """# Hyperbolic deep learning

You need Python 3.11 or newer. In this folder:

    python3 -m venv .venv
    .venv/bin/pip install -c constraints.txt "./{wheel}[course]"
    .venv/bin/hyplearn lab

(On Windows it is `.venv\\Scripts\\` instead of `.venv/bin/`.) `lectures/` is to be read and run. For the exercises,

    .venv/bin/hyplearn start {name}
    .venv/bin/hyplearn submit {name}

give you a copy of your own in `mywork/`, and pack it for handing in.
"""


def bundle(course: Course, out: Path) -> list[Path]:
    """Makes the folder `out` and returns its files. It appears complete or not at all.

    Raises:
        BadInput: `out` is there already.
        Failed: `hyplearn course check` finds something; students would get it.
    """
    if out.exists():
        raise BadInput(f"--out: {out} is there already; remove it, or name another folder")
    if problems := check(course, course.names()):
        raise Failed(f"{problems[0]} (`hyplearn course check` tells all)")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        _fill(course, folder)
        folder.chmod(0o755)
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return sorted(path for path in out.rglob("*") if path.is_file())


def _fill(course: Course, folder: Path) -> None:
    names = course.names()
    for path in [course.lecture(name) for name in names] + [course.exercise(name) for name in names]:
        if path.exists():
            copy = folder / course.relative(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for name in ("LICENSE", "constraints.txt"):
        shutil.copyfile(course.root / name, folder / name)
    first = next(name for name in names if course.exercise(name).exists())
    (folder / "README.md").write_text(README.format(wheel=_write_wheel(folder).name, name=first), encoding="utf-8")


def _write_wheel(folder: Path) -> Path:
    """The library as a wheel: a zip of the package, of what the installed one says about itself, and of their hashes.

    Not by `pip wheel`, which fetches the build system first: this works without a network. The format is that of
    https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
    """
    installed = importlib.metadata.distribution("hyplearn")
    if installed.version != hyplearn.__version__:
        raise Failed(
            f"hyplearn {installed.version} is installed, and this is {hyplearn.__version__}: run `make course`"
        )
    package = Path(hyplearn.__file__).parent
    files = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    about = f"hyplearn-{hyplearn.__version__}.dist-info"
    for name in ("METADATA", "entry_points.txt"):
        files[f"{about}/{name}"] = installed.read_text(name).encode()
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: hyplearn\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,\n"]).encode()
    wheel = folder / f"hyplearn-{hyplearn.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
