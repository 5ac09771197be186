"""Twins of an experiment compared: `python -m benchmarks.vision NAME [--data D] [--dims D ...] [--set NAME=VALUE ...]
[--out FILE]`.

Every arm (a row of ARMS) gets the same data, the same steps and the same search: the learning rate and weight decay
whose validation score is best in a run of its own, with a seed that is not used again. Then it is run with the seeds
0, 1, ... and measured on the test part: mean and 95 % interval (Student's t). `--paired A B` adds the differences of
two arms seed by seed. FILE keeps what is finished, one run a line: the same command goes on where it was stopped.

Real data are read from HYPLEARN_DATA (copies made for measuring; the official archives need `hyplearn train`).
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks import camvid, cifar10, omniglot
from hyplearn.experiments import EXPERIMENTS, Data, Experiment, mean_and_interval
from hyplearn.training import NonFiniteError

PROTOTYPES = {
    "hyperbolic": {},
    "flat": {"flat": True},
    "cosine": {"cosine": True},
    "hyperbolic, permuted tree": {"tree": "permuted"},
    "flat, permuted tree": {"flat": True, "tree": "permuted"},
}
# Settings that differ between the arms of a comparison.
ARMS: dict[str, dict[str, dict]] = {
    "actions": PROTOTYPES,
    "cnn": {
        "hyperbolic": {},  # Poincare
        "hyperbolic, one scale": {"one_scale": True},  # the published batch normalisation
        "nearly flat": {"curvature": 0.001},  # is it the curvature, or the rest that differs from flat?
        "lorentz": {"lorentz": True},
        "lorentz, one scale": {"lorentz": True, "one_scale": True},
        "flat": {"flat": True},
    },
    "fewshot": {
        "hyperbolic": {},
        "nearly flat": {"curvature": 0.01},  # the same loss, the distance and not its square: is it the curvature?
        "flat": {"flat": True},
        "cosine": {"cosine": True},
        "hyperbolic, mixed": {"mixed": 0.5},
        "flat, mixed": {"flat": True, "mixed": 0.5},
    },
    "segmentation": {
        "hyperbolic": {},
        "flat": {"flat": True},
        "flat, no tree": {"flat": True, "tree": "none"},
        "hyperbolic, no tree": {"tree": "none"},
        "hyperbolic, permuted tree": {"tree": "permuted"},
        "flat, permuted tree": {"flat": True, "tree": "permuted"},
    },
    "hnet": {"hyperbolic": {}, "hyperbolic, HNN++ init": {"init": "hnn++"}, "flat": {"flat": True}},
    "zeroshot": PROTOTYPES,
}
# Data that are read from HYPLEARN_DATA instead of an official archive.
REAL: dict[tuple[str, str], Callable[[], Data]] = {
    ("cnn", "cifar10"): cifar10.load_parts,
    ("cnn", "cifar10-10000"): partial(cifar10.load_parts, 10_000),  # for CPUs
    **{("fewshot", f"omniglot-{name}"): partial(omniglot.load, name) for name in omniglot.ALPHABETS},
    ("segmentation", "camvid"): camvid.load,
}
SEARCH_SEED = 1000


def run(experiment: Experiment, data: Data) -> dict:
    """Scores of one run, or None for both if training met a NaN, and its CPU seconds."""
    started = time.process_time()
    try:
        result = experiment.run(data)
        scores = {"validation": result.validation, "test": result.test}
    except NonFiniteError as error:
        print(error, file=sys.stderr)
        scores = {"validation": None, "test": None}
    return scores | {"cpu_seconds": round(time.process_time() - started, 1)}


class Runs:
    """Runs an experiment, or takes its result from a file of earlier runs."""

    def __init__(self, data: Data, path: Path | None):
        self.data, self.path = data, path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.kept = [json.loads(line) for line in lines]

    def __call__(self, experiment: Experiment) -> dict:
        settings = {field.name: getattr(experiment, field.name) for field in fields(experiment)}
        what = {"experiment": type(experiment).__name__} | {k: v for k, v in settings.items() if k != "data_dir"}
        for kept in self.kept:
            if kept["what"] == what:
                return kept
        result = {"what": what} | run(experiment, self.data)
        if self.path:
            with self.path.open("a") as file:
                print(json.dumps(result), file=file)
        return result


def choose(experiment: Experiment, runs: Runs, rates: list[float], decays: list[float]) -> Experiment:
    """The experiment with the learning rate and the weight decay of the best validation score."""
    grid = [replace(experiment, lr=lr, weight_decay=decay) for lr, decay in itertools.product(rates, decays)]
    if len(grid) == 1:
        return grid[0]

    def score(candidate):
        validation = runs(replace(candidate, seed=SEARCH_SEED))["validation"]
        return -1.0 if validation is None else next(iter(validation.values()))

    return max(grid, key=score)


def settings_of(kind: type[Experiment], assignments: list[str]) -> dict:
    """What `--set depth=20 compile=yes` says, in the types of the experiment's fields."""
    kinds = {field.name: field.metadata["kind"] for field in fields(kind)}
    pairs = dict(assignment.split("=", 1) for assignment in assignments)
    return {k: v == "yes" if kinds[k] is bool else kinds[k](v) for k, v in pairs.items()}


def table(name: str, dims: list[int | None], arms: list[str], runs: Runs, args) -> list[dict]:
    """One row for each arm and dimension."""
    rows = []
    for dim, arm in itertools.product(dims, arms):
        settings = {"device": args.device, **ARMS[name][arm]} | ({} if dim is None else {"dim": dim})
        settings |= {k: v for k in ("epochs", "data") if (v := getattr(args, k)) is not None}
        settings |= settings_of(EXPERIMENTS[name], args.set)
        chosen = choose(EXPERIMENTS[name](**settings), runs, args.rates, args.decays)
        results = [runs(replace(chosen, seed=seed)) for seed in range(args.seeds)]
        row = {"arm": arm, "dim": dim, "lr": chosen.lr, "weight_decay": chosen.weight_decay}
        row |= {"runs": [result["test"] for result in results]}
        row |= {"cpu_seconds": sum(result["cpu_seconds"] for result in results) / len(results)}
        rows.append(row)
        if not args.json:
            print(line(row), flush=True)
    return rows


def line(row: dict) -> str:
    finite = [run for run in row["runs"] if run is not None]
    dim = "" if row["dim"] is None else f" d = {row['dim']}"
    parts = [f"{row['arm']}{dim}, lr {row['lr']:g}, decay {row['weight_decay']:g}:"]
    for score in finite[0] if finite else ():
        mean, half = mean_and_interval([run[score] for run in finite])
        parts.append(f"{score} {mean:.3f}" + ("" if half is None else f" +- {half:.3f}"))
    if len(finite) < len(row["runs"]):
        parts.append(f"NaN in {len(row['runs']) - len(finite)} of {len(row['runs'])} runs")
    return "  ".join([*parts, f"({row['cpu_seconds']:.0f} CPU-s a run)"])


def difference(rows: list[dict], first: str, second: str) -> list[str]:
    """First minus second, seed by seed: the mean difference and its 95 % interval, for each dimension and score."""
    told = []
    for a, b in itertools.product(rows, rows):
        if (a["arm"], b["arm"]) == (first, second) and a["dim"] == b["dim"]:
            pairs = [(x, y) for x, y in zip(a["runs"], b["runs"], strict=True) if x and y]
            for score in pairs[0][0] if pairs else ():
                mean, half = mean_and_interval([x[score] - y[score] for x, y in pairs])
                dim = "" if a["dim"] is None else f" d = {a['dim']}"
                spread = "" if half is None else f" +- {half:.3f}"
                told.append(f"{first} - {second}{dim}: {score} {mean:+.3f}{spread}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ARMS)
    parser.add_argument("--data", help="which data (default: those of the experiment)")
    parser.add_argument("--arms", nargs="+", help="some of the arms only")
    parser.add_argument("--dims", type=int, nargs="+", default=[None], help="dimensions of the embedding")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 3e-3, 1e-2], help="learning rates to try")
    parser.add_argument("--decays", type=float, nargs="+", default=[0.0], help="weight decays to try")
    parser.add_argument("--paired", nargs=2, metavar="ARM", action="append", default=[], help="compare seed by seed")
    parser.add_argument("--set", nargs="+", metavar="NAME=VALUE", default=[], help="other settings of all arms")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="a file that keeps finished runs")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    load = REAL.get((args.name, args.data))
    try:
        given = ({"data": args.data} if args.data else {}) | settings_of(EXPERIMENTS[args.name], args.set)
        data = load() if load else EXPERIMENTS[args.name](**given).load()
    except FileNotFoundError as error:
        print(f"skipped: {error}")
        return
    rows = table(args.name, args.dims, args.arms or list(ARMS[args.name]), Runs(data, args.out), args)
    told = [text for pair in args.paired for text in difference(rows, *pair)]
    print(json.dumps(rows) if args.json else "\n".join(told))


if __name__ == "__main__":
    main()
