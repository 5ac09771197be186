"""What a run of a notebook left behind: is it fit to be published, and do two runs say the same?"""

import re
import sys
import tempfile
from pathlib import Path

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
MACHINE = re.compile(r"(?<![\w.])(?:/home/|/Users/|/root/|/tmp/|/var/folders/|[A-Z]:\\Users\\)")


def faults(notebook) -> list[str]:
    """What must not be published: errors, warnings, paths and addresses of this machine, figures without alt text,
    and, in a solution, a check that the solution does not pass in full."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        found += [f"cell {cell.id!r} {fault}" for output in cell.outputs for fault in _faults_of(output)]
        points = cell.metadata.get("nbgrader", {}).get("points")
        if points is not None:
            values = [
                output.data.get("text/plain") for output in cell.outputs if output.output_type == "execute_result"
            ]
            if values != [str(float(points))]:
                said = " ".join(output.text for output in cell.outputs if output.output_type == "stream").strip()
                earned = values[0] if values else "nothing"
                found.append(f"cell {cell.id!r} earns {earned}, not its {points:g} points: {said}")
    return found


def _faults_of(output) -> list[str]:
    if output.output_type == "error":
        return [f"ends in {output.ename}: {output.evalue}"]
    if output.output_type == "stream" and output.name == "stderr":
        return [f"writes to stderr: {output.text.strip()[:100]!r}"]
    found = []
    data = output.get("data", {})
    texts = [output.text] if "text" in output else [text for kind, text in data.items() if _is_text(kind, text)]
    for text in texts:
        for folder in (sys.prefix, str(Path.home()), tempfile.gettempdir()):
            if len(folder) > 2 and re.search(rf"(?<![\w.]){re.escape(folder)}[/\\]", text):
                found.append(f"shows a path of this machine: {folder}")
                break
        else:
            if match := MACHINE.search(text):
                found.append(f"shows a path of this machine: {text[match.start() :][:60]!r}")
        if match := ADDRESS.search(text):
            found.append(f"shows an address in memory, different in every run: {match[0]!r}")
    metadata = output.get("metadata", {})
    for kind in data:
        if kind.startswith("image/") and not (metadata.get("alt") or metadata.get(kind, {}).get("alt")):
            found.append("shows a figure without alt text: use hyplearn.viz.show(figure, alt=...)")
            break
    return found


def _is_text(kind: str, content) -> bool:
    return isinstance(content, str) and (kind.startswith("text/") or kind.endswith(("+xml", "+json")))


def printed(output) -> str:
    """The text of one output: what a stream, a value or a table says; nothing for a figure."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    for kind in ("text/markdown", "text/latex", "text/plain"):
        if kind in data and not any(other.startswith("image/") for other in data) and WIDGET_VIEW not in data:
            return data[kind]
    return ""


NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def difference(expected: str, got: str, tolerance: float | None = None) -> str | None:
    """None when two printed texts agree, else where they part.

    Words must be the same; numbers agree to 6 digits, or within the relative `tolerance` that a cell of trained numbers
    states (1.0 accepts any number of the same sign: measured times).
    """
    words, others = NUMBER.split(expected), NUMBER.split(got)
    numbers, measured = NUMBER.findall(expected), NUMBER.findall(got)
    if [" ".join(word.split()) for word in words] != [" ".join(word.split()) for word in others]:
        return f"printed {got!r}, expected {expected!r}"
    for number, value in zip(numbers, measured, strict=True):
        a, b = float(number), float(value)
        if abs(a - b) > max((1e-6 if tolerance is None else tolerance) * max(abs(a), abs(b)), 1e-9):
            return f"printed {value}, expected {number}"
    return None


def compare(stored, fresh) -> list[str]:
    """How the printed text of a fresh run differs from the stored one, cell by cell."""
    if [cell.id for cell in stored.cells] != [cell.id for cell in fresh.cells]:
        return ["the cells are not the same: `hyplearn course check` says why"]
    found = []
    for old, new in zip(stored.cells, fresh.cells, strict=True):
        if old.cell_type != "code":
            continue
        texts = ["\n".join(filter(None, map(printed, cell.outputs))) for cell in (old, new)]
        said = difference(*texts, tolerance=old.metadata.get("tolerance"))
        if said:
            found.append(f"cell {old.id!r}: {said}")
    return found
