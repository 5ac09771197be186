"""What the course holds: one row for each lecture, read from the built notebooks (no library is imported for it)."""

import json

from hyplearn.course.layout import Course

KEYS = ("name", "title", "question", "minutes_read", "seconds_run", "exercises", "points", "difficulty")
COLUMNS = {
    "name": "lecture",
    "title": "title",
    "minutes_read": "read (min)",
    "seconds_run": "run (s)",
    "exercises": "exercises",
    "points": "points",
    "difficulty": "difficulty",
}


def rows(course: Course) -> list[dict]:
    """The rows of `hyplearn course list`: null for what is not built or not measured yet.

    `exercises` counts the graded questions of the set, the written answer included; `difficulty` is their mean.
    """
    found = []
    for name in course.names():
        facts = {"name": name, "exercises": 0, "points": 0}
        for path in (
            course.solution(name),
            course.lecture(name),
        ):  # the lecture last: its running time is the one shown
            if path.exists():
                facts |= json.loads(path.read_text(encoding="utf-8"))["metadata"].get("hyplearn", {})
        found.append({key: facts.get(key) for key in KEYS})
    return found


def table(rows: list[dict], columns: dict[str, str]) -> str:
    """Rows as aligned text; `columns` maps a key to its heading, and numbers go to the right."""
    cells = [list(columns.values())]
    for row in rows:
        values = (row[key] for key in columns)
        cells.append(
            ["-" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for value in values]
        )
    right = [bool(rows) and isinstance(rows[0][key], (int, float)) for key in columns]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if side else text.ljust(width)
            for text, width, side in zip(line, widths, right, strict=True)
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
