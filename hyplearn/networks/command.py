"""Train a network; OUT gets report.json, history.json, curve.svg, model.pt and the checkpoint.

examples:
  hyplearn train hnet --out run                                  HNet on handwritten digits, in normal coordinates
  hyplearn train hnet --flat --out flat                          its flat twin, with everything else equal
  hyplearn train hnet --chart ball --seed 1 --out ball           the same function, passed on as points of the ball
  hyplearn train hnet --data cifar10 --data-dir DIR --epochs 10 --out cifar
  hyplearn train hnet --out run --resume                         go on after Ctrl-C
"""

import json
import time
from pathlib import Path

import torch
from torch import nn

import hyplearn
from hyplearn import HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall
from hyplearn.data import images
from hyplearn.errors import BadInput, Failed
from hyplearn.networks.hnet import HNet, Net
from hyplearn.training import History, NonFiniteError, evaluate, fit

CHARTS = {
    "normal": NormalCoordinates,
    "ball": PoincareBall,
    "lorentz": Lorentz,
    "klein": Klein,
    "half-space": HalfSpace,
    "hemisphere": Hemisphere,
}


def add_arguments(parser) -> None:
    parser.add_argument("network", choices=("hnet",), help="which network")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results go")
    parser.add_argument("--flat", action="store_true", help="train the flat twin instead")
    parser.add_argument("--chart", choices=tuple(CHARTS), default="normal", help="chart between the layers")
    parser.add_argument("--data", choices=("digits", "cifar10"), default="digits", help="default: digits")
    parser.add_argument(
        "--data-dir", metavar="DIR", type=Path, help="where cifar-10-binary.tar.gz lies or is fetched to"
    )
    parser.add_argument("--epochs", metavar="N", type=int, default=10, help="default 10")
    parser.add_argument("--lr", metavar="X", type=float, default=1e-3, help="Adam's learning rate (default 1e-3)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=128, help="default 128")
    parser.add_argument("--curvature", metavar="C", type=float, default=1.0, help="c of the space of curvature -c")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="default 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint")
    parser.add_argument("--json", action="store_true", help="print the report as one line")


def run(args) -> int:
    for name in ("epochs", "batch_size"):
        if getattr(args, name) < 1:
            raise BadInput(f"--{name.replace('_', '-')}: must be 1 or more")
    for name in ("lr", "curvature"):
        if not getattr(args, name) > 0:
            raise BadInput(f"--{name}: must be > 0")
    if args.data == "cifar10" and args.data_dir is None:
        raise BadInput("--data-dir: say where cifar-10-binary.tar.gz lies, or where it is to be downloaded to")
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists() and not args.resume:
        raise BadInput(f"--out: {args.out} holds a run already; go on with --resume, or name another folder")
    try:
        train, test = images.load_digits() if args.data == "digits" else images.load_cifar10(args.data_dir)
    except (FileNotFoundError, ValueError, ImportError) as error:
        raise Failed(str(error)) from None
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        report = train_hnet(train, test, args, checkpoint)
    except (NonFiniteError, ValueError) as error:
        raise Failed(str(error)) from None
    if args.json:
        print(json.dumps(report))
    else:
        print(f"test accuracy {report['accuracy']:.4f} after {report['seconds']:.0f} s; see {args.out}/report.json")
    return 0


def accuracy(logits, labels):
    """The share of images whose largest logit is that of their label."""
    return (logits.argmax(1) == labels).double().mean()


class FromPixels(nn.Module):
    """A network on points, fed with flat images: v becomes the point with log_0 = v in the ball."""

    def __init__(self, manifold, network):
        super().__init__()
        self.manifold, self.network = manifold, network

    def forward(self, v):
        return self.network(self.manifold.from_normal(2 * v, dim=1))


def train_hnet(train, test, args, checkpoint: Path | None) -> dict:
    """Trains Net or HNet as the arguments say, writes OUT, and returns the report."""
    torch.manual_seed(args.seed)
    if args.flat:
        model = Net()
    else:
        manifold = CHARTS[args.chart](args.curvature)
        model = FromPixels(manifold, HNet(manifold))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    loss = nn.functional.cross_entropy
    history = fit(
        model,
        train,
        loss,
        optimizer,
        epochs=args.epochs,
        batch_size=args.batch_size,
        metrics={"accuracy": accuracy},
        validation=test,
        seed=args.seed,
        device=args.device,
        checkpoint=checkpoint,
        progress=not args.json,
    )
    started = time.perf_counter()
    result = evaluate(model, test, loss, {"accuracy": accuracy})
    report = {
        "network": "net" if args.flat else "hnet",
        "chart": None if args.flat else args.chart,
        "data": args.data,
        "epochs": len(history),
        "seed": args.seed,
        "accuracy": result["accuracy"],
        "loss": result["loss"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(sum(history.column("seconds")), 2),
        "test_seconds": round(time.perf_counter() - started, 2),
        "versions": {"hyplearn": hyplearn.__version__, "torch": torch.__version__},
    }
    _write(args.out, report, history, model)
    return report


def _write(out: Path, report: dict, history: History, model: nn.Module) -> None:
    from hyplearn import viz
    from hyplearn.training import save_checkpoint

    history.save(out / "history.json")
    save_checkpoint(out / "model.pt", model.state_dict())
    figure, ax = viz.chart(5, 3)
    history.plot(ax)
    alt = f"Loss and accuracy per epoch; test accuracy {report['accuracy']:.3f} after {report['epochs']} epochs."
    viz.save(figure, out / "curve.svg", alt)
    temporary = out / "report.json.tmp"
    temporary.write_text(json.dumps(report, indent=1))
    temporary.replace(out / "report.json")
