"""What every benchmark shares: timing that holds on a noisy machine, and one table of goals and what was reached.

Times are CPU times of this process (`time.process_time`) with one thread, medians over rounds in which the
competitors take turns, so that a slow moment of the machine hits all of them. All of them keep the memory that they
free, as in `training.fit`: whether glibc returns it to the kernel is chance, and moved times by a quarter from one
process to the next. Quote ratios, not seconds.
"""

import argparse
import json
import math
import operator
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import torch

from hyplearn.training import keep_freed_memory


def medians(work: dict[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median CPU seconds of each function, after one call that is not counted; the functions take turns."""
    keep_freed_memory()
    times = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, function in work.items():
            start = time.process_time()
            function()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


@dataclass
class Row:
    """One line of the table: `reached` is a number, or None where the row was skipped, for the reason in `note`.

    `goal` is None where there is none, e.g. for a peer's figure.
    """

    name: str
    reached: float | None
    goal: float | None = None
    compare: str = "<="
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None or self.reached is None:
            return None
        return {"<=": operator.le, ">=": operator.ge}[self.compare](self.reached, self.goal)


def table(rows: Iterable[Row]) -> str:
    lines = [f"{'':48} {'reached':>10} {'goal':>12}"]
    for row in rows:
        reached = "skipped" if row.reached is None else f"{row.reached:.4g}"
        goal = "" if row.goal is None else f"{row.compare} {row.goal:.3g}"
        verdict = {None: "", True: "met", False: "MISSED"}[row.met]
        lines.append(f"{row.name:48} {reached:>10} {goal:>12} {verdict:6} {row.note}".rstrip())
    return "\n".join(lines)


def report(rows: list[Row], as_json: bool) -> str:
    """A table, or one JSON object per row."""
    if not as_json:
        return table(rows)
    plain = [asdict(row) | {"met": row.met} for row in rows]
    for row in plain:  # JSON has no infinity
        row["reached"] = row["reached"] if math.isfinite(row["reached"] or 0) else str(row["reached"])
    return json.dumps(plain, indent=2, allow_nan=False)


def main(description: str, rows: Callable[[], list[Row]]) -> None:
    """The command line of a benchmark: a table, or with --json one object per row."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(report(rows(), arguments.json))
