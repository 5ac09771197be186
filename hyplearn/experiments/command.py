"""Train a network on a task; OUT gets report.json, history.json, curve.svg, model.pt, pictures and the checkpoint.

examples:
  hyplearn train hnet --out run            a hyperbolic network on handwritten digits
  hyplearn train hnet --flat --out flat    its flat twin, with everything else equal
  hyplearn train hnet --out run --resume   go on after Ctrl-C
  hyplearn train hnet --seeds 5 --out many five runs, their mean and its 95 % interval
"""

import json
import os
import textwrap
from dataclasses import fields, replace
from pathlib import Path

import torch

import hyplearn
from hyplearn import viz
from hyplearn.errors import BadInput, Failed
from hyplearn.experiments import EXPERIMENTS, Data, Experiment, mean_and_interval
from hyplearn.training import NonFiniteError, save_checkpoint


def add_arguments(parser) -> None:
    experiments = parser.add_subparsers(dest="experiment", metavar="EXPERIMENT", required=True)
    for name, experiment in EXPERIMENTS.items():
        summary, _, rest = experiment.__doc__.partition("\n")
        one = experiments.add_parser(name, help=summary, description=f"{summary}\n{textwrap.dedent(rest)}")
        one.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")
        for field in fields(experiment):
            _add_option(one, field)
        one.add_argument("--seeds", metavar="N", type=int, default=1, help="run N seeds, from --seed on")
        one.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint")
        one.add_argument("--json", action="store_true", help="print the report as one line")


def _add_option(parser, field) -> None:
    name, kind, choices = f"--{field.name.replace('_', '-')}", field.metadata["kind"], field.metadata["choices"]
    text = field.metadata["help"]
    if kind is bool:
        parser.add_argument(name, action="store_true", help=text)
        return
    shown = text if field.default is None else f"{text} (default {field.default})"
    metavar = {int: "N", float: "X", Path: "DIR"}.get(kind, "NAME") if choices is None else None
    parser.add_argument(name, type=kind, default=field.default, choices=choices, metavar=metavar, help=shown)


def run(args) -> int:
    if args.seeds < 1:
        raise BadInput("--seeds: must be 1 or more")
    kind = EXPERIMENTS[args.experiment]
    try:
        experiment = kind(**{field.name: getattr(args, field.name) for field in fields(kind)})
    except ValueError as error:
        raise BadInput(str(error)) from None
    folders = [args.out] if args.seeds == 1 else [args.out / f"seed{experiment.seed + k}" for k in range(args.seeds)]
    if any((folder / "checkpoint.pt").exists() for folder in folders) and not args.resume:
        raise BadInput(f"--out: {args.out} holds a run already; go on with --resume, or name another folder")
    try:
        data = experiment.load()
        runs = []
        for k, folder in enumerate(folders):
            folder.mkdir(parents=True, exist_ok=True)
            runs.append(_one(replace(experiment, seed=experiment.seed + k), data, folder, progress=not args.json))
    except (NonFiniteError, FileNotFoundError, ValueError, ImportError) as error:
        raise Failed(str(error)) from None
    report = runs[0] if len(runs) == 1 else _summary(runs)
    if _first():
        _write_json(args.out / "report.json", report)
        print(json.dumps(report) if args.json else f"{_line(report)}; see {args.out / 'report.json'}")
    return 0


def _one(experiment: Experiment, data: Data, folder: Path, progress: bool) -> dict:
    """One run: trains, writes its folder, returns its report."""
    result = experiment.run(data, folder / "checkpoint.pt", progress)
    settings = {field.name: getattr(experiment, field.name) for field in fields(experiment)}
    report = {
        "experiment": next(name for name, kind in EXPERIMENTS.items() if kind is type(experiment)),
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
        **result.test,
        "validation": result.validation,
        "parameters": sum(p.numel() for p in result.model.parameters()),
        "seconds": round(sum(result.history.column("seconds")), 2),
        "versions": {"hyplearn": hyplearn.__version__, "torch": torch.__version__},
    }
    if _first():
        result.history.save(folder / "history.json")
        save_checkpoint(folder / "model.pt", result.model.state_dict())
        figure, ax = viz.chart(5, 3)
        result.history.plot(ax)
        viz.save(figure, folder / "curve.svg", f"Loss and scores per epoch. {_line(report)}.")
        experiment.draw(result.model, data, folder)
        _write_json(folder / "report.json", report)
    return report


def _summary(runs: list[dict]) -> dict:
    """The report of the first run with means for its scores, half widths of their 95 % intervals, and the runs."""
    scores = {name: mean_and_interval([run[name] for run in runs]) for name in runs[0]["validation"] if name in runs[0]}
    report = {name: value for name, value in runs[0].items() if name not in ("seed", "validation")}
    report |= {name: mean for name, (mean, _) in scores.items()}
    report["interval95"] = {name: half for name, (_, half) in scores.items()}
    report["runs"] = [{name: run[name] for name in ("seed", *scores, "seconds")} for run in runs]
    return report


def _line(report: dict) -> str:
    intervals = report.get("interval95", {})
    scores = [name for name in (intervals or report["validation"]) if name in report]
    told = [f"{s} {report[s]:.4f}" + (f" +- {intervals[s]:.4f}" if s in intervals else "") for s in scores]
    return f"{report['experiment']} ({'flat' if report['flat'] else report['chart']}): {', '.join(told)}"


def _write_json(path: Path, report: dict) -> None:
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps(report, indent=1))
    temporary.replace(path)


def _first() -> bool:
    """Whether this process writes the files: the only one, or the first under torchrun."""
    return int(os.environ.get("RANK", 0)) == 0
