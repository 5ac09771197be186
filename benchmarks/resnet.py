"""The price of hyperbolic residual networks: a train step of ResNet-20, flat, Poincare and Lorentz in turns.

    python -m benchmarks.resnet [--json] [--device cuda [--batch 512] [--networks Poincare]]

CPU: ratios of CPU times with one thread, medians, and what the parts cost. CUDA: ratios of event times, as written and
with each block through `torch.compile`; float32, with the products of convolutions as torch does them (tf32).
"""

import argparse
import time

import torch

import hyplearn.layers as hnn
from benchmarks.layers import backward_of, cuda_medians, step_of
from benchmarks.timing import Row, medians, report
from hyplearn.manifolds import NormalCoordinates
from hyplearn.networks import LorentzResNet, PoincareResNet, ResNet

BUILD = {
    "flat": lambda manifold: ResNet(20),
    "Poincare": lambda manifold: PoincareResNet(manifold, 20),
    "Lorentz": lambda manifold: LorentzResNet(manifold, 20),
}


def networks(names: list[str], device: str) -> dict[str, torch.nn.Module]:
    """The flat network and those named."""
    torch.manual_seed(0)
    return {name: BUILD[name](NormalCoordinates(0.1)).to(device) for name in ("flat", *names)}


def batch(size: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(size, 3, 32, 32, device=device), torch.randint(10, (size,), device=device)


def on_cpu(names: list[str], size: int) -> list[Row]:
    images, labels = batch(size, "cpu")
    nets = networks(names, "cpu")
    seconds = medians({name: step_of(net, images, labels) for name, net in nets.items()}, rounds=5)
    told = [
        Row(f"ResNet-20 train step: {name} / flat", seconds[name] / seconds["flat"], 2.5, note=f"batches of {size}")
        for name in names
    ]
    M, x = NormalCoordinates(0.1), torch.randn(size, 16, 32, 32)
    parts = {
        "flat batch norm": torch.nn.BatchNorm2d(16),
        "HConvolution2d": hnn.HConvolution2d(16, 16, 3, M, padding=1),
        "LorentzConvolution2d": hnn.LorentzConvolution2d(16, 16, 3, M, bias=False, padding=1),
        "HBatchNorm2d, one scale": hnn.HBatchNorm2d(16, M),
        "HBatchNorm2d, per axis": hnn.HBatchNorm2d(16, M, per_axis=True),
        "HResidual of the identity": hnn.HResidual(hnn.HReLU(M)),
    }
    flat = torch.nn.Conv2d(16, 16, 3, padding=1, bias=False)
    seconds = medians({name: backward_of(layer, x) for name, layer in {"conv": flat, **parts}.items()}, rounds=5)
    return told + [Row(f"16 x 32 x 32: {name} / flat convolution", seconds[name] / seconds["conv"]) for name in parts]


def compile_blocks(net: torch.nn.Module) -> None:
    """Compiles each block by itself: equal ones once, in a minute or two, where the whole of ResNet-20 takes more than
    three and a half."""
    torch._dynamo.config.recompile_limit = 32  # kinds of blocks
    for block in net.features.children() if net.manifold is None else net.features.layers:
        if net.manifold is None:
            block.compile(dynamic=False)
        else:
            block.normal = torch.compile(block.normal, dynamic=False)


def on_cuda(names: list[str], size: int) -> list[Row]:
    images, labels = batch(size, "cuda")
    rows = []
    for how, goal in (("as written", None), ("compiled", 1.6)):
        nets, notes = networks(names, "cuda"), {}
        if goal:
            for net in nets.values():
                compile_blocks(net)
        steps = {name: step_of(net, images, labels) for name, net in nets.items()}
        for name, step in steps.items():
            started = time.perf_counter()
            step(), torch.cuda.synchronize()
            notes[name] = f"first step {time.perf_counter() - started:.0f} s"
        seconds = cuda_medians(steps)
        for name in names:
            times = f"{1e3 * seconds[name]:.1f} and {1e3 * seconds['flat']:.1f} ms, batches of {size}, {notes[name]}"
            rows.append(Row(f"ResNet-20 step, {how}: {name} / flat", seconds[name] / seconds["flat"], goal, note=times))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, help="images of a step (default: 64 on the CPU, 512 on a GPU)")
    parser.add_argument("--networks", nargs="+", choices=list(BUILD)[1:], default=list(BUILD)[1:])
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: torch sees no CUDA device; leave the option out to measure the CPU")
    torch.set_num_threads(1)
    if args.device == "cpu":
        rows = on_cpu(args.networks, args.batch or 64)
    else:
        rows = on_cuda(args.networks, args.batch or 512)
    print(report(rows, args.json))


if __name__ == "__main__":
    main()
