"""The price of the pixel classifier: gyroplane regression (`HMLR`) against nn.Conv2d with a 1x1 kernel.

    python -m benchmarks.heads [--json] [--device cuda]

Forward and backward by input and parameters, 4 images of 128 x 128 pixels, 21 classes. Time: ratios of CPU times with
one thread (of event times on CUDA), competitors in turns, medians. Memory: what the peak grows by over the input, each
head in a process of its own (on CUDA max_memory_allocated). "One pixel, one class, one vector": the logits as the
formula of Ganea et al. 2018 says them, with a tensor of size pixels x classes x dimensions, for one image.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.layers import backward_of, cuda_medians
from benchmarks.timing import Row, medians, report
from hyplearn.layers import HMLR
from hyplearn.manifolds import NormalCoordinates, PoincareBall

DIMS = (16, 64, 256)
CLASSES, SIZE, IMAGES = 21, 128, 4


class ByFormula(nn.Module):
    """The logits of hyperplanes through points p_k, orthogonal to a_k, in the ball, term by term."""

    def __init__(self, dim: int):
        super().__init__()
        self.ball = PoincareBall(1.0)
        self.points = nn.Parameter(torch.randn(CLASSES, dim) * 0.01)
        self.weight = nn.Parameter(torch.randn(CLASSES, dim) / dim**0.5)

    def forward(self, n):
        x = self.ball.from_normal(n, dim=1).movedim(1, -1)[..., None, :]
        away = self.ball.mobius_add(-self.points, x)  # (B, H, W, classes, dim)
        length = self.weight.norm(dim=-1)
        product = (away * self.weight).sum(-1)
        logits = 2 * length * torch.asinh(2 * product / ((1 - away.square().sum(-1)) * length))
        return logits.movedim(-1, 1)


def head(name: str, dim: int) -> nn.Module:
    if name == "flat":
        return nn.Conv2d(dim, CLASSES, 1)
    return HMLR(dim, CLASSES, NormalCoordinates(1.0), dim=1) if name == "ours" else ByFormula(dim)


def pixels(dim: int, device: str, images: int = IMAGES) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(images, dim, SIZE, SIZE, device=device) / dim**0.5


def speed(device: str) -> list[Row]:
    time = partial(medians, rounds=15) if device == "cpu" else cuda_medians
    rows = []
    for dim in DIMS:
        x = pixels(dim, device)
        seconds = time({name: backward_of(head(name, dim).to(device), x) for name in ("flat", "ours")})
        rows.append(Row(f"time, d = {dim}: ours / flat", seconds["ours"] / seconds["flat"], 2.0))
    return rows


def peak(name: str, dim: int, device: str, images: int) -> int:
    """Bytes that three passes add to the peak."""

    def high():  # not ru_maxrss, which a child process inherits
        if device == "cuda":
            return torch.cuda.max_memory_allocated()
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

    torch.set_num_threads(1)
    backward_of(head(name, dim).to(device), pixels(dim, device, 1)[..., :8, :8].contiguous())()  # loads what is loaded
    x = pixels(dim, device, images)
    before = high()
    work = backward_of(head(name, dim).to(device), x)
    for _ in range(3):
        work()
    return high() - before


def memory(device: str) -> list[Row]:
    if device == "cpu" and not sys.platform.startswith("linux"):
        return [Row("memory: ours / flat", None, 1.2, "<=", "read from /proc, on Linux only")]

    def run(name, dim, images=IMAGES):
        command = [sys.executable, "-m", "benchmarks.heads", "--peak", name, str(dim), str(images), "--device", device]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 2**20

    rows = []
    for dim in DIMS:
        flat, ours = run("flat", dim), run("ours", dim)
        rows.append(Row(f"memory, d = {dim}: ours / flat", ours / flat, 1.2, "<=", f"{ours:.0f} MB against {flat:.0f}"))
    flat, formula = run("flat", DIMS[0], 1), run("formula", DIMS[0], 1)
    name = f"memory, d = {DIMS[0]}, one image: by formula / flat"
    return [*rows, Row(name, formula / flat, None, "<=", f"{formula:.0f} MB against {flat:.0f}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--peak", nargs=3, metavar=("HEAD", "DIM", "IMAGES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        name, dim, images = arguments.peak
        print(peak(name, int(dim), arguments.device, int(images)))
        return
    torch.set_num_threads(1)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: torch sees no CUDA device; leave the option out to measure the CPU")
    rows = speed(arguments.device) + memory(arguments.device)
    print(report(rows, arguments.json))


if __name__ == "__main__":
    main()
