"""The price of the layers against torch.nn and HypLL, and their accuracy in float32.

    python -m benchmarks.layers [--json] [--device cuda]

CPU: ratios of CPU times with one thread, competitors in turns, medians. CUDA: ratios of event times. HypLL rows are
skipped where it is not installed.
"""

import argparse
import copy
import subprocess
import sys
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

import hyplearn.layers as hnn
from benchmarks.timing import Row, medians, report
from hyplearn.manifolds import NormalCoordinates
from hyplearn.networks import HNet, Net

try:
    import hypll.nn as hl
    from hypll.manifolds.poincare_ball import Curvature as HypllCurvature
    from hypll.manifolds.poincare_ball import PoincareBall as HypllBall
    from hypll.tensors import ManifoldTensor
except ImportError:
    hl = None


def backward_of(layer, x, dim=None):
    """A function that runs the layer and differentiates by its input and parameters."""
    x = x.clone().requires_grad_()

    def work():
        x.grad = None
        layer.zero_grad()
        out = layer(x) if dim is None else layer(ManifoldTensor(x, manifold=layer.manifold, man_dim=dim)).tensor
        out.sum().backward()

    return work


def step_of(net, x, y):
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)

    def work():
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return work


def hypll_hnet(ball):
    """The lecture's HNet in HypLL, tensors in, logits out."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = hl.HConvolution2d(3, 6, 5, ball), hl.HConvolution2d(6, 16, 5, ball)
            self.fc1, self.fc2 = hl.HLinear(400, 120, ball), hl.HLinear(120, 84, ball)
            self.fc3 = hl.HLinear(84, 10, ball)
            self.pool, self.relu = hl.HMaxPool2d(2, ball, 2), hl.HReLU(ball)

        def forward(self, x):
            x = ManifoldTensor(x, manifold=ball, man_dim=1)
            x = self.pool(self.relu(self.conv1(x)))
            x = self.pool(self.relu(self.conv2(x)))
            x = self.relu(self.fc1(x.flatten(start_dim=1)))
            return self.fc3(self.relu(self.fc2(x))).tensor

    return Network()


def speed(device, time):
    torch.manual_seed(0)
    M, rows = NormalCoordinates(1.0).to(device), []
    ball = HypllBall(HypllCurvature(1.0, constraining_strategy=lambda v: v)).to(device) if hl else None
    batch = 128

    def compare(name, goal, flat, ours, theirs, goal_hypll=None):
        work = {"flat": flat, "ours": ours} | ({"hypll": theirs} if hl else {})
        seconds = time(work)
        rows.append(Row(f"{name}: ours / flat", seconds["ours"] / seconds["flat"], goal))
        missing = "" if hl else "HypLL is not installed"
        reached = seconds["hypll"] / seconds["ours"] if hl else None
        rows.append(Row(f"{name}: HypLL / ours", reached, goal_hypll, ">=", missing))

    images = torch.randn(batch, 3, 32, 32, device=device)
    labels = torch.randint(10, (batch,), device=device)
    compare(
        "HNet train step",
        2.0,
        step_of(Net().to(device), images, labels),
        step_of(HNet(M).to(device), 2 * images, labels),
        hl and hypll_step(hypll_hnet(ball).to(device), images.mul(0.3), labels),
        9.0,
    )
    compare(
        "conv 3->6 k5",
        1.8,
        backward_of(nn.Conv2d(3, 6, 5).to(device), images),
        backward_of(hnn.HConvolution2d(3, 6, 5, M).to(device), images),
        hl and backward_of(hl.HConvolution2d(3, 6, 5, ball).to(device), images.mul(0.3), 1),
    )
    wide = torch.randn(32, 64, 16, 16, device=device)
    compare(
        "conv 64->128 k3, B=32",
        1.3,
        backward_of(nn.Conv2d(64, 128, 3, padding=1).to(device), wide),
        backward_of(hnn.HConvolution2d(64, 128, 3, M, padding=1).to(device), wide),
        hl and backward_of(hl.HConvolution2d(64, 128, 3, ball, padding=1).to(device), wide.mul(0.05), 1),
    )
    rows_of_512 = torch.randn(batch, 512, device=device)
    compare(
        "linear 512->512",
        1.6,
        backward_of(nn.Linear(512, 512).to(device), rows_of_512),
        backward_of(hnn.HLinear(512, 512, M).to(device), rows_of_512),
        hl and backward_of(hl.HLinear(512, 512, ball).to(device), rows_of_512.mul(0.02), -1),
    )
    return rows


def hypll_step(net, x, y):
    def work():  # forward and backward only: its parameters know no torch.optim
        net.zero_grad()
        F.cross_entropy(net(x), y).backward()

    return work


def cuda_medians(work, rounds=30):
    """Median seconds between two events, competitors in turns."""
    times = {name: [] for name in work}
    for turn in range(rounds + 3):
        for name, function in work.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            function()
            end.record()
            torch.cuda.synchronize()
            if turn >= 3:
                times[name].append(start.elapsed_time(end) / 1e3)
    return {name: sorted(values)[rounds // 2] for name, values in times.items()}


_PEAK = """
import sys, torch
from pathlib import Path
from hyplearn.manifolds import NormalCoordinates
from hyplearn.networks import HNet, Net

def peak():  # not ru_maxrss, which a child process inherits
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

torch.set_num_threads(1)
images, labels = torch.randn(128, 3, 32, 32), torch.randint(10, (128,))
net = Net() if sys.argv[1] == "flat" else HNet(NormalCoordinates(1.0))
optimizer = torch.optim.SGD(net.parameters(), 1e-3)
before = peak()
for _ in range(3):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(images), labels).backward()
    optimizer.step()
print(peak() - before)
"""


def memory():
    """Growth of the peak resident set by three train steps, each network in a process of its own."""
    name = "HNet train step: peak memory, ours / flat"
    if not sys.platform.startswith("linux"):
        return [Row(name, None, 1.3, "<=", "read from /proc, on Linux only")]
    flat, ours = (
        int(subprocess.run([sys.executable, "-c", _PEAK, net], capture_output=True, text=True, check=True).stdout)
        for net in ("flat", "ours")
    )
    return [Row(name, ours / flat, 1.3, "<=", f"{ours / 1024:.0f} MB against {flat / 1024:.0f} MB")]


def accuracy():
    """Float32 against float64 for HNet without clip: images of pixels at sqrt(c) d = radius, weights times scale.

    Errors are relative to the largest logit (1 at the least). Beyond an internal radius of 84 float32 saturates, which
    the clip, on by default, keeps a network away from: those rows have no goal.
    """
    rows = []
    for radius in (0.01, 1.0, 4.0, 8.0, 12.0):
        for scale in (0.5, 1.0, 1.5):
            torch.manual_seed(0)
            net = HNet(NormalCoordinates(1.0), clip=None)
            with torch.no_grad():
                for name, p in net.named_parameters():
                    p.mul_(scale) if name.endswith("weight") else p.normal_(0, 0.05)
            n = radius * F.normalize(torch.randn(16, 3, 32, 32), dim=1)
            exact, radii = copy.deepcopy(net).double(), []
            for layer in (exact.conv1, exact.conv2, exact.fc1, exact.fc2):
                layer.register_forward_hook(lambda _, __, out, radii=radii: radii.append(out.norm(dim=1).max().item()))
            want = exact(n.double())
            logit = want.abs().max().item()
            farthest = max(*radii, logit)
            error = (net(n).double() - want).norm(dim=1).max().item() / max(1.0, logit)
            note = f"farthest point {farthest:.3g}, largest logit {logit:.3g}"
            goal = 1e-5 if farthest < 84 else None
            rows.append(Row(f"HNet float32 error, radius {radius:g}, weights x {scale:g}", error, goal, "<=", note))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: torch sees no CUDA device; leave the option out to measure the CPU")
    rows = speed(arguments.device, partial(medians, rounds=15) if arguments.device == "cpu" else cuda_medians)
    rows += (memory() if arguments.device == "cpu" else []) + accuracy()
    print(report(rows, arguments.json))


if __name__ == "__main__":
    main()
