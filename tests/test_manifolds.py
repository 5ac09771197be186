"""The contract of hyplearn.manifolds.Manifold: one test, parametrised over every chart, never against our own code."""

import math

import manifold_contract as mc
import pytest
import torch
from manifold_contract import CHARTS, CURVATURES, Oracle, at_origin, excess, pairs, tangents

from hyplearn import Curvature, Euclidean, HalfSpace, Hemisphere, Klein, Lorentz, NormalCoordinates, PoincareBall

DTYPES = [torch.float32, torch.float64]
LOW = [torch.float16, torch.bfloat16]
charts = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
flat_too = pytest.mark.parametrize(
    "chart", [*CHARTS, lambda c=1.0: Euclidean()], ids=[*(c.__name__ for c in CHARTS), "Euclidean"]
)


def arguments(manifold, dtype, radii, seed=0):
    """For each method of the contract that has an exact answer: the tensors to call it with."""
    x, y = pairs(manifold, dtype, radii, seed=seed)
    u, v = tangents(manifold, x, seed=1), tangents(manifold, x, seed=2)
    g = torch.Generator().manual_seed(3)
    n = torch.randn(len(x), 3, dtype=torch.float64, generator=g) / manifold.c.sqrt()
    v0 = at_origin(manifold, n.to(dtype))
    return {
        "dist": (x, y),
        "dist0": (x,),
        "inner": (x, u, v),
        "norm": (x, u),
        "expmap": (x, v),
        "logmap": (x, y),
        "transp": (x, y, v),
        "expmap0": (v0,),
        "logmap0": (x,),
        "transp0": (x, v0),
        "to_normal": (x,),
        "from_normal": (n.to(dtype),),
    }


# --- values -----------------------------------------------------------------------------------------------------------


@charts
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("c", CURVATURES)
def test_values_against_mpmath(chart, dtype, c):
    """float32 is right to one rounding; float64 to 4 (goal 8), plus 4 times the effect of rounding the arguments."""
    manifold = chart(c)
    oracle = Oracle(manifold, dtype)
    k = CURVATURES.index(c)
    bound = 1.0 if dtype == torch.float32 else 4.0
    for name, args in arguments(manifold, dtype, mc.RADII[k::5] + mc.RADII[:: 3 + k][:1], seed=k).items():
        assert excess(getattr(manifold, name), getattr(oracle, name), args, bound) <= bound, name
