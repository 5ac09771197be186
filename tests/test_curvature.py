"""Curvature: exact at the start, positive for ever, in float64 whatever the network is cast to."""

import copy
import io
import math
import pickle

import pytest
import torch

from hyplearn import Curvature, Euclidean, PoincareBall


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("value", [0.1, 0.5, 1.0, 2.0, 10.0, 1e-6])
def test_starts_at_exactly_its_value(value, learnable):
    curvature = Curvature(value, learnable=learnable)
    c = curvature()
    assert c.dtype == torch.float64 and c.dim() == 0 and c.item() == value
    assert len(list(curvature.parameters())) == learnable
    assert PoincareBall(curvature).c.item() == PoincareBall(value).c.item() == value


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_refuses_what_is_no_curvature(value):
    with pytest.raises(ValueError, match="must be a finite number > 0"):
        Curvature(value)


def test_a_step_multiplies_it_and_keeps_it_positive():
    curvature = Curvature(2.0, learnable=True)
    optimiser = torch.optim.SGD(curvature.parameters(), lr=1.0)
    (50 * curvature()).backward()
    assert curvature.log_ratio.grad.item() == 100.0  # d/d log c = c d/dc
    optimiser.step()
    assert curvature().item() == pytest.approx(2 * math.exp(-100), rel=1e-12)


def test_casting_a_network_keeps_it_in_float64():
    for learnable in (False, True):
        ball = PoincareBall(Curvature(0.1, learnable=learnable))
        for cast in (ball.half(), ball.bfloat16(), ball.float(), ball.to(torch.float16), ball.double()):
            assert cast.c.dtype == torch.float64 and cast.c.item() == 0.1
        assert ball.sqrt_c(torch.ones(1)).dtype == torch.float32


def test_copies_pickles_and_state_dicts():
    ball = PoincareBall(Curvature(0.3, learnable=True))
    with torch.no_grad():
        ball.curvature.log_ratio += 1
    for twin in (copy.deepcopy(ball), pickle.loads(pickle.dumps(ball))):
        assert twin.c.item() == ball.c.item()
    file = io.BytesIO()
    torch.save(ball.state_dict(), file)
    file.seek(0)
    other = PoincareBall(Curvature(1.0, learnable=True))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.c.item() == ball.c.item()


def test_two_manifolds_can_share_a_learned_curvature():
    curvature = Curvature(1.0, learnable=True)
    a, b = PoincareBall(curvature), PoincareBall(curvature)
    x = torch.tensor([0.3, 0.1])
    (a.dist0(x) + b.dist0(x)).backward()
    assert curvature.log_ratio.grad is not None and curvature.log_ratio.grad != 0
    assert len({id(p) for m in (a, b) for p in m.parameters()}) == 1


def test_euclidean_is_flat():
    assert Euclidean().c == 0
