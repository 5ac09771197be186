"""HNet against its flat twin on CIFAR-10: same images, same steps, same optimiser, the same two learning rates.

`python -m benchmarks.cifar10 [--networks flat hyperbolic] [--images 20000] [--epochs 4] [--seeds 3] [--max-norm X]
[--out FILE] [--json]`

Reads the set under HYPLEARN_DATA (cifar10/cifar10_jpeg.npz, JPEG copies of the official images, so accuracies lie a
little below published ones) and prints accuracy (mean and standard deviation over seeds) and CPU seconds of each
network at each rate; "hnn++" is HNet with the initialisation of that paper. The networks take turns, so that a slow
hour of the machine hits all. FILE keeps what is finished, one run a line: started again with it, the benchmark goes on
where it was stopped.
"""

import argparse
import io
import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from benchmarks import real_data
from hyplearn import NormalCoordinates
from hyplearn.data.images import standardised
from hyplearn.data.scenes import CLASSES
from hyplearn.experiments import Data, cnn
from hyplearn.experiments.base import accuracy
from hyplearn.experiments.hnet import FromPixels
from hyplearn.networks import HNet, Net
from hyplearn.training import NonFiniteError, evaluate, fit

INITS = {"hyperbolic": "orthogonal", "hnn++": "hnn++"}


def load(folder: Path) -> tuple[TensorDataset, TensorDataset]:
    """The images, decoded once and standardised."""
    tensors = []
    with np.load(folder / "cifar10" / "cifar10_jpeg.npz") as file:
        for part in ("train", "test"):
            data, offset = file[f"{part}_jpeg"], file[f"{part}_offset"]
            images = [
                np.asarray(Image.open(io.BytesIO(data[a:b].tobytes())).convert("RGB"))
                for a, b in itertools.pairwise(offset)
            ]
            pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
            tensors += [pixels, torch.from_numpy(file[f"{part}_label"].astype(np.int64))]
    return standardised(*tensors)


def load_parts(images: int | None = None) -> Data:
    """What `hyplearn train cnn` takes: all training images or a random choice of so many, and all test images.

    Raises:
        FileNotFoundError: if HYPLEARN_DATA does not lead to the images.
    """
    path = real_data.file("cifar10/cifar10_jpeg.npz")
    if path is None:
        raise FileNotFoundError("set HYPLEARN_DATA to the folder that holds cifar10/cifar10_jpeg.npz")
    train, test = load(path.parents[1])
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:images]
    return cnn.prepared(TensorDataset(*train[chosen]), test, cnn.shapes(CLASSES[1:], 1000, 2, 32)[0], cnn.CIFAR10)


def run(
    network: str, lr: float, seed: int, train: TensorDataset, test: TensorDataset, epochs: int, max_norm: float | None
) -> dict:
    """Accuracy on the test set, None if training met a NaN, and CPU seconds of the training."""
    torch.manual_seed(seed)
    manifold = NormalCoordinates(1.0)
    model = Net() if network == "flat" else FromPixels(manifold, HNet(manifold, init=INITS[network]))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss, score = nn.functional.cross_entropy, None
    clip = None if max_norm is None else lambda _: nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    started = time.process_time()
    try:
        fit(model, train, loss, optimizer, epochs=epochs, clip=clip, seed=seed, device="cpu", progress=False)
        seconds = time.process_time() - started
        score = evaluate(model, test, loss, {"accuracy": accuracy}, 500)["accuracy"]
    except NonFiniteError as error:
        print(error, file=sys.stderr)
        seconds = time.process_time() - started
    return {"accuracy": score, "cpu_seconds": round(seconds, 1)}


def summary(network: str, lr: float, runs: list[dict]) -> dict:
    """Mean and standard deviation over the runs that ended in a number, and how many did not."""
    scores = [r["accuracy"] for r in runs if r["accuracy"] is not None]
    return {
        "network": network,
        "lr": lr,
        "accuracy": statistics.mean(scores) if scores else None,
        "std": statistics.stdev(scores) if len(scores) > 1 else None,
        "runs": [r["accuracy"] for r in runs],
        "cpu_seconds": statistics.median(r["cpu_seconds"] for r in runs),
    }


def line(row: dict) -> str:
    def number(value):
        return "NaN" if value is None else f"{value:.3f}"

    spread = "" if row["std"] is None else f" +- {row['std']:.3f}"
    runs = " ".join(map(number, row["runs"]))
    score = f"{number(row['accuracy'])}{spread}"
    return f"{row['network']:10s} lr {row['lr']:<6g} {score:15s} ({runs})  {row['cpu_seconds']:.0f} CPU-s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=("flat", *INITS), default=["flat", "hyperbolic"])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, nargs="+", default=[1e-3, 3e-3])
    parser.add_argument("--max-norm", type=float, help="clip the norm of the gradient, of all networks")
    parser.add_argument("--out", type=Path, help="a file that keeps finished runs")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if "HYPLEARN_DATA" not in os.environ:
        print("skipped: HYPLEARN_DATA is not set; point it to the folder that holds cifar10/cifar10_jpeg.npz")
        return
    torch.set_num_threads(1)
    train, test = load(Path(os.environ["HYPLEARN_DATA"]))
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[: args.images]
    train = TensorDataset(*(t[chosen] for t in train.tensors))
    done = [json.loads(text) for text in args.out.read_text().splitlines()] if args.out and args.out.exists() else []
    rows = []
    for lr in args.lr:
        runs = {network: [] for network in args.networks}
        for seed, network in itertools.product(range(args.seeds), runs):
            what = {"network": network, "lr": lr, "seed": seed, "images": len(train), "epochs": args.epochs}
            what["max_norm"] = args.max_norm
            result = next((kept for kept in done if what.items() <= kept.items()), None)
            if result is None:
                result = what | run(network, lr, seed, train, test, args.epochs, args.max_norm)
                if args.out:
                    with args.out.open("a") as file:
                        print(json.dumps(result), file=file)
            runs[network].append(result)
        rows += [summary(network, lr, results) for network, results in runs.items()]
        if not args.json:
            print(*map(line, rows[-len(runs) :]), sep="\n", flush=True)
    if args.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
