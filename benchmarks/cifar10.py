"""HNet against its flat twin on CIFAR-10: same images, same steps, same optimiser, the same two learning rates.

`python -m benchmarks.cifar10 [--images 20000] [--epochs 4] [--seeds 3] [--json]` reads the set under HYPLEARN_DATA
(cifar10/cifar10_jpeg.npz, JPEG copies of the official images, so accuracies lie a little below published ones) and
prints accuracy (mean and standard deviation over seeds) and CPU seconds of each network at each rate.
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

from hyplearn import NormalCoordinates
from hyplearn.data.images import standardised
from hyplearn.networks import HNet, Net
from hyplearn.networks.command import FromPixels, accuracy
from hyplearn.training import NonFiniteError, evaluate, fit


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


def run(
    network: str, lr: float, seed: int, train: TensorDataset, test: TensorDataset, epochs: int
) -> tuple[float, float]:
    """(test accuracy, CPU seconds); the accuracy is NaN if training met one."""
    torch.manual_seed(seed)
    manifold = NormalCoordinates(1.0)
    model = Net() if network == "flat" else FromPixels(manifold, HNet(manifold))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    started = time.process_time()
    try:
        fit(
            model, train, nn.functional.cross_entropy, optimizer, epochs=epochs, seed=seed, device="cpu", progress=False
        )
    except NonFiniteError as error:
        print(error, file=sys.stderr)
        return float("nan"), time.process_time() - started
    seconds = time.process_time() - started
    return evaluate(model, test, nn.functional.cross_entropy, {"accuracy": accuracy}, 500)["accuracy"], seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, nargs="+", default=[1e-3, 3e-3])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if "HYPLEARN_DATA" not in os.environ:
        print("skipped: HYPLEARN_DATA is not set; point it to the folder that holds cifar10/cifar10_jpeg.npz")
        return
    torch.set_num_threads(1)
    train, test = load(Path(os.environ["HYPLEARN_DATA"]))
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[: args.images]
    train = TensorDataset(*(t[chosen] for t in train.tensors))
    rows = []
    for lr in args.lr:
        for network in ("flat", "hyperbolic"):
            runs = [run(network, lr, seed, train, test, args.epochs) for seed in range(args.seeds)]
            accuracies, seconds = zip(*runs, strict=True)
            spread = statistics.stdev(accuracies) if len(runs) > 1 else 0.0
            row = {"network": network, "lr": lr, "accuracy": statistics.mean(accuracies), "std": spread}
            rows.append(row | {"runs": accuracies, "cpu_seconds": statistics.median(seconds)})
            if not args.json:
                text = " ".join(f"{a:.3f}" for a in accuracies)
                print(
                    f"{network:10s} lr {lr:g}: {row['accuracy']:.3f} +- {spread:.3f} ({text}), "
                    f"{rows[-1]['cpu_seconds']:.0f} CPU-s",
                    flush=True,
                )
    if args.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
