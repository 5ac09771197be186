"""Where the files of a course lie, and how they are written."""

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import hyplearn
from hyplearn.errors import BadInput


@dataclass(frozen=True)
class Course:
    """The folder that holds sources/, lectures/, solutions/ and exercises/; a notebook has one name in all of them.

    What `hyplearn course bundle` makes for students is a course too, with lectures/ and exercises/ alone.
    """

    root: Path

    @classmethod
    def find(cls) -> "Course":
        """The course around the current folder, else the one that this package was installed from (editable)."""
        here = Path.cwd()
        for folder in (here, *here.parents, Path(hyplearn.__file__).parents[1]):
            bundled = (folder / "lectures").is_dir() and (folder / "exercises").is_dir()
            if bundled or (folder / "sources" / "lectures").is_dir():
                return cls(folder)
        raise BadInput("no course here: run this inside a checkout of hyplearn, or a folder that was handed out to you")

    def names(self) -> list[str]:
        """Every lecture and every exercise set, in the order of their numbers."""
        texts = {path.stem for path in self.root.glob("sources/*/*.py")}
        return sorted(texts or {path.stem for path in self.root.glob("lectures/*.ipynb")})

    def select(self, names: list[str]) -> list[str]:
        """The given names after a check, or all of them when none is given."""
        known = self.names()
        for name in names:
            if name not in known:
                raise BadInput(f"NAME: there is no lecture called {name!r}; choose from: {', '.join(known)}")
        return [name for name in known if name in names] if names else known

    def lecture_text(self, name: str) -> Path:
        return self.root / "sources" / "lectures" / f"{name}.py"

    def solution_text(self, name: str) -> Path:
        return self.root / "sources" / "solutions" / f"{name}.py"

    def lecture(self, name: str) -> Path:
        return self.root / "lectures" / f"{name}.ipynb"

    def solution(self, name: str) -> Path:
        return self.root / "solutions" / name / f"{name}.ipynb"

    def exercise(self, name: str) -> Path:
        return self.root / "exercises" / name / f"{name}.ipynb"

    def mywork(self, name: str) -> Path:
        return self.root / "mywork" / name / f"{name}.ipynb"

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def digest(self) -> str:
        """A hash of all texts, notebooks and code: while it stays the same, nothing has to be looked at again."""
        library = Path(hyplearn.__file__).parent
        files = [*library.rglob("*.py"), self.root / "nbgrader_config.py"]
        for folder in ("sources", "lectures", "solutions", "exercises"):
            files += [path for path in (self.root / folder).rglob("*") if path.suffix in (".py", ".ipynb")]
        digest = hashlib.sha256()
        for path in sorted(files):
            if path.is_file():
                digest.update(f"{path}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def is_current(self) -> bool:
        """Whether nothing has changed since everything was last built."""
        return self.cached("built").get("digest") == self.digest()

    def set_current(self) -> None:
        self.remember("built", {"digest": self.digest()})

    def cached(self, key: str) -> dict:
        """What `remember` kept under this name, or nothing."""
        try:
            return json.loads((self.root / ".cache" / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def remember(self, key: str, value: dict) -> None:
        """Keep a small result for the next call, in the git-ignored folder .cache/."""
        write(self.root / ".cache" / f"{key}.json", json.dumps(value))


def write(path: Path, text: str) -> None:
    """Write a whole file or nothing: to a temporary name beside it, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
