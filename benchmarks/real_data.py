"""The real data sets: HYPLEARN_DATA names their folder, and rows without it say that they were skipped."""

import os
from pathlib import Path

from benchmarks.timing import Row


def file(name: str) -> Path | None:
    """The file of that name in the folder of the data, if it is there."""
    folder = os.environ.get("HYPLEARN_DATA")
    path = Path(folder or "", name)
    return path if folder and path.is_file() else None


def skipped(name: str, data: str) -> Row:
    return Row(name, None, note=f"set HYPLEARN_DATA to the folder that holds {data}")
