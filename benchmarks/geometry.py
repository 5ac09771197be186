"""Accuracy and speed of the geometry, next to geoopt and hypll: `python -m benchmarks.geometry [--json]`."""

import importlib
import resource
import statistics
import subprocess
import sys

import mpmath as mp
import torch
from torch import Tensor

from benchmarks.timing import Row, main, medians
from hyplearn.manifolds import PoincareBall
from hyplearn.reach import usable_radii


def peers() -> tuple[dict, list[Row]]:
    """Distance functions (x, y) -> d of the peers' unit balls, and a row for each peer that is not installed."""
    found, missing = {}, []
    try:
        found["geoopt"] = importlib.import_module("geoopt").PoincareBall(1.0).dist
    except ImportError:
        missing.append(Row("geoopt", None, note="not installed: pip install 'hyplearn[bench]'"))
    try:
        hypll = importlib.import_module("hypll.manifolds.poincare_ball.math.diffgeom")
        found["hypll"] = lambda x, y: hypll.dist(x, y, torch.ones((), dtype=x.dtype))
    except ImportError:
        missing.append(Row("hypll", None, note="not installed: pip install 'hyplearn[bench]'"))
    return found, missing


def exact_distance(x: Tensor, y: Tensor) -> mp.mpf:
    """The distance of two points of the unit ball to 50 digits."""
    with mp.workdps(80):
        a, b = ([mp.mpf(v) for v in p.tolist()] for p in (x, y))
        chord = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        gaps = [1 - sum(v * v for v in p) for p in (a, b)]
        return 2 * mp.asinh(mp.sqrt(chord / (gaps[0] * gaps[1])))


def relative_errors(actual: Tensor, x: Tensor, y: Tensor) -> list[float]:
    exact = [exact_distance(p, q) for p, q in zip(x, y, strict=True)]
    return [float(abs(mp.mpf(a) - e) / e) for a, e in zip(actual.tolist(), exact, strict=True)]


def near_the_boundary(pairs: int = 300) -> tuple[Tensor, Tensor]:
    """float32 pairs in the unit disk down to 1e-7 from the boundary: near, radial and far ones."""
    generator = torch.Generator().manual_seed(0)
    gap = 10 ** (-7 + 4 * torch.rand(pairs, 1, dtype=torch.float64, generator=generator))
    u, v = torch.nn.functional.normalize(torch.randn(2, pairs, 2, dtype=torch.float64, generator=generator), dim=-1)
    x = (1 - gap) * u
    near, radial, far = x + gap * v / 2, (1 - 3 * gap) * u, (1 - gap) * v
    kind = torch.arange(pairs).unsqueeze(-1) % 3
    ball = PoincareBall(1.0)
    x, y = (ball.projx(p.float()) for p in (x, torch.where(kind == 0, near, torch.where(kind == 1, radial, far))))
    different = (x != y).any(-1)
    return x[different], y[different]


def distance_rows(dists: dict) -> list[Row]:
    x, y = near_the_boundary()
    ball, eps, rows = PoincareBall(1.0), torch.finfo(torch.float32).eps, []
    errors = relative_errors(ball.dist(x, y), x, y)
    rows.append(Row("float32 distance at the boundary, max error", max(errors), 2 * eps, note="relative, mpmath"))
    rows.append(Row("float32 distance at the boundary, median error", statistics.median(errors), eps))
    for name, dist in dists.items():
        errors = relative_errors(dist(x, y), x, y)
        rows.append(Row(f"  {name}, max error", max(errors), note=f"median {statistics.median(errors):.1e}"))
    points = torch.cat([x[:50], torch.zeros(1, 2)]).requires_grad_()
    others = torch.cat([x[:25], y[25:50], torch.zeros(1, 2)])  # half of the pairs coincide, one at the origin
    (gradient,) = torch.autograd.grad(ball.dist(points, others).sum(), points)
    rows.append(Row("gradients not finite, x = y and origin included", (~gradient.isfinite()).sum().item(), 0))
    return rows


def matrix_rows(dists: dict) -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    ball = PoincareBall(1.0)
    x, y = (ball.random(2000, 10, std=0.8, generator=generator) for _ in range(2))
    work = {"ours": lambda: ball.cdist(x, y)}
    work |= {name: lambda dist=dist: dist(x.unsqueeze(1), y.unsqueeze(0)) for name, dist in dists.items()}
    with torch.no_grad():
        seconds, matrix = medians(work, rounds=5), ball.cdist(x, y)
    i = torch.randint(2000, (2, 300), generator=generator)
    worst = max(relative_errors(matrix[i[0], i[1]], x[i[0]], y[i[1]]))
    rows = [Row("2000 x 2000 distances, d = 10: max error", worst, 1e-6, note="relative, float32, 300 pairs, mpmath")]
    for name in dists:
        goal = 15.0 if name == "geoopt" else None
        rows.append(Row(f"2000 x 2000 distances: time {name} / ours", seconds[name] / seconds["ours"], goal, ">="))
    return rows


def import_row(rounds: int = 5) -> Row:
    def cpu(statement: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    ratios = [cpu("import hyplearn") / cpu("import torch") for _ in range(rounds + 1)]
    return Row("import hyplearn / import torch", statistics.median(ratios[1:]), 1.2, note="CPU time of the process")


def reach_rows() -> list[Row]:
    rows = []
    for reach in usable_radii():
        name = f"usable radius, {reach.chart} {str(reach.dtype).removeprefix('torch.')}"
        rows.append(Row(f"{name}, from the origin", reach.from_origin))
        rows.append(Row(f"{name}, 1 apart", reach.between_points))
    return rows


def rows() -> list[Row]:
    dists, missing = peers()
    return [*missing, *distance_rows(dists), *matrix_rows(dists), import_row(), *reach_rows()]


if __name__ == "__main__":
    main(__doc__, rows)
