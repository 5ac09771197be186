"""The Riemannian optimisers against torch and geoopt: `python -m benchmarks.optim [--json]`.

All step on the same gradients; quote the ratios, which are of medians of interleaved rounds.
"""

import torch
from torch import nn

from benchmarks.timing import Row, main, medians
from hyplearn import PoincareBall
from hyplearn.optim import RiemannianAdam


def parameters(count: int, points: int, dim: int = 10) -> list[nn.Parameter]:
    """Parameters of `points` points near the origin of the unit ball, with gradients."""
    generator = torch.Generator().manual_seed(0)
    made = [nn.Parameter(0.1 * torch.randn(points, dim, generator=generator)) for _ in range(count)]
    for p in made:
        p.grad = torch.randn(p.shape, generator=generator)
    return made


def steps(count: int, points: int) -> tuple[dict, str]:
    """One step of each optimiser as a function, and why a peer is missing."""
    work = {
        "flat": torch.optim.Adam(parameters(count, points), lr=1e-3, foreach=True).step,
        "ours": RiemannianAdam(parameters(count, points), lr=1e-3, manifold=PoincareBall(1.0)).step,
    }
    try:
        import geoopt
    except ImportError:
        return work, "geoopt is not installed: pip install hyplearn[bench]"
    theirs = [geoopt.ManifoldParameter(p.detach(), manifold=geoopt.PoincareBall()) for p in parameters(count, points)]
    for p, q in zip(theirs, parameters(count, points), strict=True):
        p.grad = q.grad
    work["geoopt"] = geoopt.optim.RiemannianAdam(theirs, lr=1e-3).step
    return work, ""


def rows() -> list[Row]:
    result = []
    for name, count, points, goal in (("10,000 points", 1, 10_000, 4.0), ("100 parameters of 10 points", 100, 10, 3.0)):
        work, why = steps(count, points)
        times = medians(work, rounds=100)
        result.append(Row(f"RiemannianAdam / Adam, {name}", times["ours"] / times["flat"], goal))
        geoopt = times["geoopt"] / times["flat"] if "geoopt" in times else None
        result.append(Row(f"geoopt / Adam, {name}", geoopt, note=why))
    return result


if __name__ == "__main__":
    main("Riemannian Adam against torch's Adam and geoopt's.", rows)
