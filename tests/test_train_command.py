"""`hyplearn train hnet`: digits end to end, the flat twin, resume, CIFAR-10's file format, and what is refused."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch

from hyplearn.cli import main
from hyplearn.data import images


def train(capsys, *arguments):
    code = main(["train", "hnet", "--json", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if code == 0 else captured.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", [["--flat"], ["--chart", "normal"]])
def test_digits_are_learned(tmp_path, capsys, kind):
    code, report = train(capsys, *kind, "--epochs", 6, "--lr", "3e-3", "--out", tmp_path / "run")
    assert code == 0 and report["accuracy"] > 0.9
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "report.json",
        "history.json",
        "curve.svg",
        "model.pt",
        "checkpoint.pt",
    }
    assert "module" not in str(torch.load(tmp_path / "run" / "model.pt", weights_only=True).keys())


@pytest.mark.slow
def test_a_run_is_refused_twice_and_resumed_once_asked(tmp_path, capsys):
    whole = train(capsys, "--flat", "--epochs", 2, "--out", tmp_path / "whole")[1]
    train(capsys, "--flat", "--epochs", 1, "--out", tmp_path / "half")
    code, message = train(capsys, "--flat", "--epochs", 2, "--out", tmp_path / "half")
    assert code == 2 and "--resume" in message and len(message.splitlines()) == 1
    resumed = train(capsys, "--flat", "--epochs", 2, "--out", tmp_path / "half", "--resume")[1]
    assert resumed["accuracy"] == whole["accuracy"] and resumed["loss"] == whole["loss"]


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--epochs", "0"], 2, "epochs must be 1 or more, got 0"),
        (["--lr", "-1"], 2, "lr must be > 0"),
        (["--data", "cifar10"], 2, "--data-dir: say where"),
        (["--chart", "globe"], 2, "invalid choice"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, code, message):
    got, text = train(capsys, *arguments, "--out", tmp_path / "run")
    assert got == code and message in text and len(text.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def tiny_cifar10(path):
    """An archive of the official layout with four training images and two test images, each of one grey."""
    with tarfile.open(path, "w:gz") as archive:
        for name, greys in (
            ("data_batch_1.bin", [0, 50]),
            ("data_batch_2.bin", [100, 250]),
            ("test_batch.bin", [7, 9]),
        ):
            records = np.stack([np.r_[k, np.full(3072, grey)].astype(np.uint8) for k, grey in enumerate(greys)])
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = records.nbytes
            archive.addfile(info, io.BytesIO(records.tobytes()))


def test_the_cifar10_archive_is_read_and_standardised(tmp_path):
    tiny_cifar10(tmp_path / "a.tar.gz")
    train_set, test_set = images.read_cifar10(tmp_path / "a.tar.gz")
    x, y = train_set.tensors
    assert x.shape == (4, 3, 32, 32) and y.tolist() == [0, 1, 0, 1] and test_set.tensors[1].tolist() == [0, 1]
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    grey = torch.tensor([0.0, 50.0, 100.0, 250.0]).repeat_interleave(1024)
    assert torch.allclose(x[2, 0], (100 - grey.mean()) / grey.std() * torch.ones(32, 32), atol=1e-3)


def test_a_missing_or_damaged_archive_says_what_to_fetch(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cifar-10-binary\.tar\.gz"):
        images.load_cifar10(tmp_path, download=False)
    tiny_cifar10(tmp_path / "cifar-10-binary.tar.gz")
    with pytest.raises(ValueError, match="damaged"):
        images.load_cifar10(tmp_path)


def test_digits_keep_their_classes_apart_and_their_splits_disjoint():
    train_set, test_set = images.load_digits(seed=3)
    assert len(train_set) == 1437 and len(test_set) == 360
    x, y = train_set.tensors
    assert x.shape[1:] == (3, 32, 32) and x.dtype == torch.float32 and set(y.tolist()) == set(range(10))
    assert x.mean().abs() < 1e-5 and (x[:, 0] == x[:, 2]).all()
