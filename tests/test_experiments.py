"""The frame of all experiments: settings that are options, means with intervals, and what comparisons print."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import scipy.stats
import torch
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks import vision
from hyplearn.cli import parse
from hyplearn.errors import BadInput
from hyplearn.experiments import EXPERIMENTS, Data, Experiment, mean_and_interval, option


@dataclass(frozen=True)
class Toy(Experiment):
    """A linear network on points in the plane: which side of a line?"""

    epochs: int = option(10, "passes")
    batch_size: int = option(16, "examples per step")
    factor: float = option(1.0, "multiplies the input")

    def load(self):
        x = torch.randn(96, 2, generator=torch.Generator().manual_seed(0))
        parts = TensorDataset(x, (x[:, 0] > 0).long())
        return Data(*(TensorDataset(*parts[32 * k : 32 * k + 32]) for k in range(3)))

    def network(self, data):
        return nn.Linear(2, 2)

    def scores(self, model, part, data):
        x, y = part.tensors
        return {"accuracy": (model(self.factor * x).argmax(1) == y).double().mean().item()}


@pytest.mark.parametrize("count", [2, 3, 5, 10, 11, 30])
def test_the_interval_is_students(count):
    values = torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=torch.float64).tolist()
    mean, half = mean_and_interval(values)
    low, high = scipy.stats.t.interval(0.95, count - 1, scipy.stats.tmean(values), scipy.stats.sem(values))
    assert mean == pytest.approx((low + high) / 2) and half == pytest.approx((high - low) / 2, rel=1e-3)


def test_one_value_has_no_interval():
    assert mean_and_interval([0.5]) == (0.5, None)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_setting_is_an_option_with_the_same_default(name, tmp_path):
    args = parse(["train", name, "--out", str(tmp_path)])
    kind = EXPERIMENTS[name]
    assert kind(**{field.name: getattr(args, field.name) for field in fields(kind)}) == kind()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_arms_and_each_is_a_setting(name):
    assert {"hyperbolic", "flat"} <= vision.ARMS[name].keys()
    assert vision.ARMS[name]["hyperbolic"].get("flat", False) is False
    for settings in vision.ARMS[name].values():
        EXPERIMENTS[name](**settings)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"batch_size": -1}, {"lr": 0.0}, {"curvature": -1.0}])
def test_settings_out_of_range_are_refused_by_name(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Toy(**setting)


def test_real_data_need_a_folder():
    with pytest.raises(BadInput, match="--data-dir"):
        Toy(data="nowhere").folder()
    assert Toy(data_dir=Path("here")).folder() == Path("here")


def test_a_run_depends_on_its_settings_only_and_learns():
    data = Toy().load()
    first, second, other = (Toy(lr=0.3, seed=seed).run(data) for seed in (0, 0, 1))
    assert torch.equal(first.model.weight, second.model.weight)
    assert not torch.equal(first.model.weight, other.model.weight)
    assert first.test["accuracy"] > 0.9


def test_a_comparison_searches_on_validation_and_reuses_what_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(vision.EXPERIMENTS, "toy", Toy)
    monkeypatch.setitem(vision.ARMS, "toy", {"hyperbolic": {}, "flat": {"flat": True}})
    args = argparse.Namespace(device="cpu", epochs=2, data=None, rates=[1e-6, 0.3], decays=[0.0], seeds=2, json=False)
    args.set = ["max_norm=5", "compile=no"]
    runs = vision.Runs(Toy().load(), tmp_path / "runs.jsonl")
    rows = vision.table("toy", [None], ["hyperbolic", "flat"], runs, args)
    assert [row["lr"] for row in rows] == [0.3, 0.3] and len(rows[0]["runs"]) == 2
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert len(lines) == 2 * (2 + 2) and all('"max_norm": 5.0' in line and '"compile": false' in line for line in lines)
    assert vision.difference(rows, "hyperbolic", "flat") == ["hyperbolic - flat: accuracy +0.000 +- 0.000"]

    again = vision.Runs(None, tmp_path / "runs.jsonl")  # no data: nothing may be run
    assert vision.table("toy", [None], ["hyperbolic", "flat"], again, args) == rows
    assert "accuracy" in capsys.readouterr().out


def test_a_run_that_met_nan_counts_as_such():
    row = {"arm": "flat", "dim": 4, "lr": 1.0, "weight_decay": 0.0, "cpu_seconds": 1.0, "runs": [None, {"miou": 0.5}]}
    assert "miou 0.500" in vision.line(row) and "NaN in 1 of 2 runs" in vision.line(row)
