"""The package as a whole: what an import brings along, which room uses which, pins, style, links."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hyplearn

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "hyplearn"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
)

# A room, and the rooms that it may use: arrows go one way, and a room that is not named here needs its place first.
# Where the files of a course lie (course.layout) is a room of its own: `hyplearn grade` looks there as well.
GEOMETRY = {"numerics", "manifolds", "maps", "riemann"}
ON_GEOMETRY = ("plane", "cones", "means", "isometries", "distributions", "reach", "optim", "metrics")
TOOLS = {*ON_GEOMETRY, "layers", "losses", "data", "uncertainty"}
ON_OUTPUTS = {"uncertainty", "attacks"}
ROOMS = {
    "errors": set(),
    "data": set(),
    "attacks": set(),
    "numerics": set(),
    "manifolds": {"numerics"},
    "riemann": {"numerics", "manifolds"},
    "maps": {"numerics", "manifolds"},
    **dict.fromkeys(ON_GEOMETRY, GEOMETRY),
    "losses": {"data"},
    "layers": GEOMETRY | {"means"},
    "uncertainty": GEOMETRY | {"layers"},
    "viz": GEOMETRY | TOOLS,
    "training": {"optim", "metrics", "viz", "errors"},
    "embeddings": GEOMETRY | TOOLS | {"viz", "training", "errors"},
    "networks": GEOMETRY | TOOLS,
    "experiments": GEOMETRY | TOOLS | ON_OUTPUTS | {"viz", "training", "embeddings", "networks", "errors"},
    "course.layout": {"errors"},
    "grading": GEOMETRY | TOOLS | ON_OUTPUTS | {"embeddings", "networks", "errors", "course.layout"},
    "course": {"grading", "errors", "course.layout"},
    "cli": {"errors"},
}


def modules() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The full names of everything that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(name: str) -> str:
    """The room of a module: `manifolds` of hyplearn.manifolds.poincare, and of what hyplearn itself offers."""
    if name.removeprefix("hyplearn.") in hyplearn.__all__:
        return "manifolds"
    return "course.layout" if name.startswith("hyplearn.course.layout") else name.split(".")[1]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_between_rooms_go_one_way(path):
    here = room(name_of(path))
    assert here == "__init__" or here in ROOMS, f"{here} is a new room: give it a place in ROOMS"
    names = {name for name in imports(path) if name.startswith("hyplearn.")}
    assert here == "__init__" or {room(name) for name in names} <= ROOMS[here] | {here}


def test_the_core_needs_only_the_core_dependencies():
    core = {re.match(r"[a-z-]+", dependency)[0] for dependency in PROJECT["dependencies"]}
    assert core == {"torch", "numpy", "matplotlib", "tqdm"}
    allowed = core | {"mpl_toolkits", "hyplearn"} | sys.stdlib_module_names
    for path in modules():
        if room(name_of(path)) in ("course", "course.layout", "grading"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
        found = {name.split(".")[0] for name in names} - allowed
        if path.relative_to(LIBRARY).as_posix() == "viz/explorer.py":
            found -= {"anywidget", "traitlets"}  # the widget, which `hyplearn.viz` imports when it is asked for
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_an_import_brings_along_nothing_heavy():
    heavy = ["jupyter_core", "IPython", "matplotlib", "nbgrader", "nbformat", "jupytext", "sklearn", "torch._dynamo"]
    code = f"import sys, hyplearn; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_version_and_types():
    assert re.fullmatch(r"\d+\.\d+\.\d+", hyplearn.__version__)
    assert (LIBRARY / "py.typed").exists()
    assert f"## {hyplearn.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_is_pinned_without_a_local_version():
    extras = PROJECT["optional-dependencies"]
    assert {"course", "bench", "dev"} == set(extras)
    wanted = {re.match(r"[\w-]+", name)[0] for group in (PROJECT["dependencies"], *extras.values()) for name in group}
    assert wanted - {"hyplearn"} <= {name.lower().replace("_", "-") for name in PINS}
    assert PINS["torch"] == "2.13.0" and not any("+" in pin for pin in PINS.values())


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff(command):
    run = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def _documents() -> dict[Path, str]:
    texts = {path: path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]}
    for folder in ("lectures", "exercises", "solutions"):
        for path in (ROOT / folder).rglob("*.ipynb"):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            texts[path] = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return texts


def _anchor(heading: str) -> str:
    """The anchor that a heading gets on the usual sites."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", sorted(_documents()), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    text = _documents()[path]
    for link in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if link.startswith(("http://", "https://", "data:", "attachment:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_anchor, headings), f"{link}: no such heading"
