"""Embed a tree or graph and measure it: vectors, a picture of the disk, a training curve and report.json.

FILE holds a line `child<TAB>parent` (or with a weight as third column) per edge; what it says is closed first: whoever
is below a node is below all that is above it. Bundled: @mammals, @objects, and @python, the classes of the running
interpreter's exceptions. Ctrl-C saves; --resume goes on as if nothing had happened.

examples:
  hyplearn embed @mammals --out mammals                         learn Poincare vectors of 5 dimensions
  hyplearn embed @mammals --dim 2 --epochs 100 --out picture    what the picture is best made from
  hyplearn embed edges.tsv --out vectors --resume               go on where it was stopped
  hyplearn embed @objects --method sarkar --dim 2 --out tree    in closed form; --bits buys less distortion
  hyplearn embed edges.tsv --task link --json --out held_out    predict relations that were kept back
  hyplearn embed @mammals --method cones --task entailment --out cones     which relations follow from others? (F1)
"""

import inspect
import json
import math
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import hyplearn
from hyplearn.data import Hierarchy, class_tree, load_mammals, load_objects, read_edges
from hyplearn.embeddings.cones import (
    ConeEmbedding,
    EntailmentEmbedding,
    EuclideanConeEmbedding,
    OrderEmbedding,
    entailment_split,
    labelled,
)
from hyplearn.embeddings.contrastive import (
    EuclideanEmbedding,
    Negatives,
    PoincareEmbedding,
    TranslationalEmbedding,
    held_out,
)
from hyplearn.embeddings.hmds import HMDSEmbedding
from hyplearn.embeddings.horopca import HoroPCA
from hyplearn.embeddings.sarkar import SarkarEmbedding, distortion_curve
from hyplearn.errors import BadInput, Failed
from hyplearn.metrics import average_distortion, best_scale, held_out_f1, rank_metrics

BUNDLED = {"@mammals": load_mammals, "@objects": load_objects, "@python": lambda: class_tree(BaseException)}
LEARNED = {
    "poincare": PoincareEmbedding,
    "euclidean": EuclideanEmbedding,
    "translational": TranslationalEmbedding,
    "cones": ConeEmbedding,
    "euclidean-cones": EuclideanConeEmbedding,
    "order": OrderEmbedding,
}
CLOSED_FORM = {"sarkar": SarkarEmbedding, "hmds": HMDSEmbedding}
LABEL_SIZE = 7.0  # points
RIM = 1 - 1e-15  # no point is drawn farther out
SAMPLE = 500  # nodes whose distances to all others give the distortion


def add_arguments(parser) -> None:
    parser.add_argument("file", metavar="FILE", help="an edge list, or @mammals, @objects, @python")
    parser.add_argument("--method", choices=[*LEARNED, *CLOSED_FORM], default="poincare")
    parser.add_argument("--dim", metavar="D", type=int, default=5, help="dimension (default 5)")
    parser.add_argument("--epochs", metavar="N", type=int, help="passes over the relations (default: the method's)")
    parser.add_argument("--negatives", metavar="K", type=int, help="negatives per relation (default: the method's)")
    parser.add_argument("--lr", metavar="RATE", type=float, help="step size per relation (default: the method's)")
    parser.add_argument("--bits", metavar="B", type=int, help="sarkar: bits per coordinate (default 53)")
    parser.add_argument("--seed", metavar="S", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    parser.add_argument("--task", choices=("reconstruction", "link", "entailment"), default="reconstruction")
    parser.add_argument("--share", metavar="S", type=float, help="entailment: implied relations to learn (default 0.5)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where everything is written")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was stopped in DIR")
    parser.add_argument("--save-every", metavar="SECONDS", type=float, default=30.0, help="checkpoint interval")
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON, and nothing else")


def run(args) -> int:
    started = time.process_time()
    hierarchy = _read(args.file)
    say = (lambda *_: None) if args.json else print
    say(f"{args.file}: {_describe(hierarchy)}")
    checkpoint = args.out / "checkpoint.pt"
    if args.resume and not checkpoint.is_file():
        raise BadInput(f"--resume: there is no checkpoint in {args.out}; leave --resume out to start")
    if checkpoint.is_file() and not args.resume:
        raise BadInput(f"--out: {args.out} holds a run that was stopped; add --resume, or choose another folder")

    if not args.save_every >= 0:
        raise BadInput(f"--save-every: must be >= 0, got {args.save_every}")
    model, learned = _model(args), args.method in LEARNED
    train, test, known, held = _task(args, hierarchy)

    def score():
        return rank_metrics(model.energies_from if learned else model.distances_from, test, len(hierarchy), known)

    def on_epoch(_, row):
        if row["epoch"] % max(1, model.epochs // 20) == 0 or row["epoch"] == model.epochs:
            row["mean_rank"], row["map"] = score()

    try:
        if learned:
            Negatives(train, len(hierarchy))  # refuses what cannot be learned before anything is written
            args.out.mkdir(parents=True, exist_ok=True)
            model.fit(
                train,
                len(hierarchy),
                checkpoint=checkpoint,
                every_seconds=args.save_every,
                progress=not args.json,
                on_epoch=on_epoch,
            )
        else:
            _check_memory(len(hierarchy), args.method)
            model.fit(hierarchy)
            args.out.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except FloatingPointError as error:
        raise Failed(f"{error}; try --lr with a smaller number") from None
    except MemoryError:
        raise BadInput(f"{args.file} is too large for this machine's memory") from None
    if int(os.environ.get("RANK", 0)) != 0:
        return 0  # under torchrun one process writes

    mean_rank, precision = score()
    report = {
        "n_nodes": len(hierarchy),
        "n_edges": len(train),
        "mean_rank": mean_rank,
        "map": precision,
        "distortion": _distortion(model, hierarchy, args.seed),
        "cpu_seconds": model.seconds_ if learned else time.process_time() - started,
        "seed": args.seed,
        "versions": {"hyplearn": hyplearn.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "method": args.method,
        "task": args.task,
        "dim": args.dim,
        "source": args.file,
    }
    if learned:
        report["f1"] = _f1(model, held)
    else:
        report["scale"] = model.scale_
    if args.method == "sarkar":
        report["bits"] = args.bits or 53
        report["curve"] = distortion_curve(hierarchy, [model.scale_ * 2.0**k for k in range(-2, 5)], args.dim)
        for scale, distortion, bits in report["curve"]:
            say(f"scale {scale:<8.4g} average distortion {distortion:<8.4f} {bits} bits per coordinate")
    if args.method == "hmds":
        report["error"] = model.error_
        say(f"scale {model.scale_:.4g}: distances are off by {100 * model.error_:.3g} % on average")
    _write(args.out, hierarchy, model, report)
    checkpoint.unlink(missing_ok=True)
    if args.json:
        print(json.dumps(report))
    else:
        where = "" if args.task == "reconstruction" else f" ({len(test)} held-out relations)"
        print(f"mean rank {mean_rank:.4g}, MAP {precision:.4f}{where}, average distortion {report['distortion']:.4g}")
        if report.get("f1") is not None:
            print(f"F1 {report['f1']:.4f} of telling relations from others, ten times as many")
        print(f"{report['cpu_seconds']:.1f} CPU-seconds; everything is in {args.out}")
    return 0


def _read(source: str) -> Hierarchy:
    if source.startswith("@"):
        if source not in BUNDLED:
            raise BadInput(f"FILE: there is no {source}; bundled are {', '.join(BUNDLED)}")
        return BUNDLED[source]()
    if not Path(source).is_file():
        raise BadInput(f"FILE: there is no file {source}")
    try:
        return read_edges(source)
    except ValueError as error:
        raise BadInput(str(error)) from None


def _describe(hierarchy: Hierarchy) -> str:
    shape = "a tree" if hierarchy.is_tree else "not a tree"
    closed = "closed already" if hierarchy.is_closed else f"not closed: {len(hierarchy.closure)} relations once closed"
    return f"{len(hierarchy)} nodes, {len(hierarchy.edges)} edges, {shape}, {closed}"


def _model(args):
    method = (LEARNED | CLOSED_FORM)[args.method]
    given = {name: getattr(args, name) for name in ("epochs", "negatives", "lr", "bits")}
    options = {name: value for name, value in given.items() if value is not None}
    allowed = {"epochs", "negatives", "lr"} if args.method in LEARNED else set(inspect.signature(method).parameters)
    for name in options.keys() - allowed:
        raise BadInput(f"--{name} means nothing to --method {args.method}; leave it out")
    if args.method in LEARNED:
        options |= {"seed": args.seed, "device": args.device}
    try:
        return method(args.dim, **options)
    except (ValueError, RuntimeError) as error:
        raise BadInput("--" + str(error).splitlines()[0]) from None


def _task(args, hierarchy: Hierarchy):
    """What to learn, what to measure, what counts neither for nor against it, and the pairs for F1: two labelled sets.

    For F1 the relations to measure are halved, one half to choose the threshold on, unless the task has its own sets.
    """
    closure = hierarchy.closure
    if args.share is not None and args.task != "entailment":
        raise BadInput(f"--share means nothing to --task {args.task}; leave it out")
    if args.task == "reconstruction" and args.method not in LEARNED:
        return closure, closure, None, None
    if args.method not in LEARNED:
        raise BadInput(f"--task {args.task} needs a method that learns: {', '.join(LEARNED)}")
    try:
        if args.task == "entailment":
            train, *held = entailment_split(hierarchy, 0.5 if args.share is None else args.share, args.seed)
            pairs, true = held[1]
            return train, pairs[true], closure, held
        train, test = held_out(hierarchy, seed=args.seed) if args.task == "link" else (closure, closure)
    except ValueError as error:
        raise BadInput(f"--task {args.task}: {error}") from None
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(args.seed))[: 20 * SAMPLE]
    held = [labelled(hierarchy, test[half], seed=args.seed) for half in some.chunk(2)]
    return train, test, train if args.task == "link" else None, held


def _f1(model, held: list[tuple[Tensor, Tensor]]) -> float | None:
    """F1 on the second labelled set, with the threshold of the first; None where one of them has no relation."""
    energy = model.slack if isinstance(model, EntailmentEmbedding) else model.distance
    if len(held) < 2 or not all(true.any() for _, true in held):
        return None
    validation, test = ((energy(*pairs.T.to(model.device)).cpu(), true) for pairs, true in held)
    return held_out_f1(validation, test)


def _check_memory(nodes: int, method: str) -> None:
    """h-MDS needs some matrices of all distances at once; nothing else here does."""
    needed = 6 * 8 * nodes**2 if method == "hmds" else 0
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    if needed > free:
        raise BadInput(
            f"--method hmds: {nodes} nodes need {needed / 2**30:.0f} GB of memory and {free / 2**30:.0f} are free; "
            "use another method"
        )


def _distortion(model, hierarchy: Hierarchy, seed: int) -> float:
    """Average distortion at the best scale against the spanning tree, over all pairs or those of a sample of nodes."""
    tree = hierarchy if hierarchy.is_tree else hierarchy.spanning_tree()
    some = torch.randperm(len(hierarchy), generator=torch.Generator().manual_seed(seed))[:SAMPLE]
    true = tree.tree_distances(some.tolist())[:, : len(hierarchy)]
    embedded = model.distances_from(some).cpu()[:, : len(hierarchy)]
    # Coinciding points would make it infinite; what they are worth is what float64 can tell apart.
    embedded = embedded.clamp_min(1e-12 * embedded.max().item())
    return average_distortion(embedded, true, best_scale(embedded, true))


# --- files --------------------------------------------------------------------------------------------------------


def _write(out: Path, hierarchy: Hierarchy, model, report: dict) -> None:
    vectors = model.embedding_[: len(hierarchy)].cpu()
    names = np.array(hierarchy.names)
    history = getattr(model, "history_", [])
    _atomic(out / "embedding.npz", lambda file: np.savez(file, names=names, vectors=vectors.numpy()))
    rows = "".join(
        "\t".join([name, *(repr(v) for v in row)]) + "\n"
        for name, row in zip(hierarchy.names, vectors.tolist(), strict=True)
    )
    _atomic(out / "embedding.tsv", lambda file: file.write(rows.encode()))
    _draw(out, hierarchy, vectors, model, report)
    if history:
        _curve(out, history)
    _atomic(out / "report.json", lambda file: file.write(json.dumps(report | {"history": history}, indent=1).encode()))


def _atomic(path: Path, write) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        write(file)
    temporary.replace(path)


def _draw(out: Path, hierarchy: Hierarchy, vectors: Tensor, model, report: dict) -> None:
    """The disk: above two dimensions what HoroPCA sees in it, or of flat vectors the plane in which they vary most."""
    from hyplearn.viz import Disk, picture, save

    points = vectors.double()
    if isinstance(model, PoincareEmbedding | SarkarEmbedding | HMDSEmbedding):
        points = math.sqrt(getattr(model, "c", 1.0)) * points  # as for curvature -1
        points = points * (RIM / points.norm(dim=1, keepdim=True).clamp_min(RIM))
        if points.shape[1] > 2:
            points = HoroPCA(2).fit(points).transform(points)
    else:
        if points.shape[1] > 2:
            points = points @ torch.linalg.svd(points, full_matrices=False).Vh[:2].T
        points = points * (4 / points.norm(dim=1).max())
        norm = points.norm(dim=1, keepdim=True).clamp_min(1e-300)
        points = points / norm * torch.tanh(norm / 2)
    points = torch.nn.functional.pad(points, (0, 2 - points.shape[1]))

    figure, (disk,) = picture(Disk, size=8)
    edges = hierarchy.reduction
    disk.segment(points[edges[:, 0]], points[edges[:, 1]], color="grey", width=0.5, alpha=0.7)
    below = torch.bincount(hierarchy.closure[:, 1], minlength=len(hierarchy))
    named = place_labels(points, hierarchy.labels, below.argsort(descending=True, stable=True).tolist())
    disk.point(points, color="blue", size=2.0)
    for i in named:
        # A box that stands on its node hides nothing that matters: a name has its node in the middle of its lower edge.
        disk.ax.annotate(
            hierarchy.labels[i].replace("$", r"\$"),
            points[i].tolist(),
            (0, 2.5),
            textcoords="offset points",
            ha="center",
            fontsize=LABEL_SIZE,
            zorder=8,
            bbox={"boxstyle": "square,pad=0.05", "fc": "white", "ec": "none", "alpha": 0.75},
        )
    alt = f"{len(hierarchy)} nodes of {report['source']} in the Poincare disk, edges as geodesics, {len(named)} named"
    save(figure, out / "disk.svg", alt=alt)


def place_labels(points: Tensor, labels: list[str], order: list[int]) -> list[int]:
    """Those of the nodes, tried in this order, whose names can be written above them without touching one another."""
    # In units of the disk's radius, which is 3.5 inches in the picture: letters are at most .6 of the size wide.
    height = 1.3 * LABEL_SIZE / 72 / 3.5
    chosen, boxes = [], []
    for i in order:
        x, y = points[i].tolist()
        half = 0.3 * LABEL_SIZE / 72 / 3.5 * len(labels[i]) + height / 4
        if abs(x) + half > 1.1:
            continue
        if all(abs(x - a) > half + b or abs(y - z) > height for a, z, b in boxes):
            chosen.append(i)
            boxes.append((x, y, half))
    return chosen


def _curve(out: Path, history: list[dict]) -> None:
    from hyplearn.viz import chart, save

    figure, axes = chart(7.0, 3.2, columns=2)
    axes[0].plot([row["epoch"] for row in history], [row["loss"] for row in history])
    axes[0].set(xlabel="epoch", ylabel="loss")
    scored = [row for row in history if "map" in row]
    axes[1].plot([row["epoch"] for row in scored], [row["map"] for row in scored])
    axes[1].set(xlabel="epoch", ylabel="MAP", ylim=(0, 1))
    save(figure, out / "training.svg", alt=f"Loss and mean average precision over {len(history)} epochs of training")
