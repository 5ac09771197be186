"""Confidences and uncertainties against closed forms, naive loops, and what they must not change."""

import itertools
import math

import pytest
import torch
from torch import nn

from hyplearn import Lorentz, NormalCoordinates, PoincareBall
from hyplearn.layers import HDropout
from hyplearn.uncertainty import (
    boundary_map,
    distance_from_origin,
    energy,
    entropy,
    label_boundaries,
    max_probability,
    monte_carlo_dropout,
)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_distance_from_origin_is_the_same_in_every_chart(c):
    n = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / math.sqrt(c)
    expected = (n * n).sum(1).sqrt()
    assert torch.allclose(distance_from_origin(n), expected, rtol=1e-12)
    for chart in (NormalCoordinates(c), PoincareBall(c), Lorentz(c)):
        found = distance_from_origin(chart.from_normal(n, dim=1), chart)
        assert torch.allclose(found, expected, rtol=1e-9), chart
    assert torch.allclose(distance_from_origin(n[0, :, 0].T, NormalCoordinates(c)), expected[0, 0], rtol=1e-12)


def test_two_classes_have_closed_forms():
    gap = torch.linspace(-30, 30, 13, dtype=torch.float64)
    logits = torch.stack([gap, torch.zeros_like(gap)], 1)
    p = [(1 / (1 + math.exp(-g)), 1 / (1 + math.exp(g))) for g in gap.tolist()]
    assert max_probability(logits).tolist() == pytest.approx([max(pair) for pair in p], rel=1e-12)
    # log p of the likelier class is log1p(-q): its rounding would spoil the sum.
    binary = [-max(pair) * math.log1p(-min(pair)) - min(pair) * math.log(min(pair)) for pair in p]
    assert entropy(logits).tolist() == pytest.approx(binary, rel=1e-6)
    for t in (0.5, 1.0, 3.0):
        expected = [-t * math.log(math.exp(g / t) + 1) for g in gap.tolist()]
        assert energy(logits, t).tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_all_alike_and_certain():
    assert entropy(torch.zeros(1, 7)).item() == pytest.approx(math.log(7))
    assert max_probability(torch.full((1, 7), 3.0)).item() == pytest.approx(1 / 7)
    certain = torch.tensor([[0.0, -math.inf, -math.inf]])
    assert entropy(certain).item() == 0 and max_probability(certain).item() == 1
    assert energy(torch.tensor([[1e4, 0.0]])).item() == -1e4


def test_log_probabilities_may_stand_for_logits_and_pixels_for_rows():
    logits = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = logits.movedim(1, -1).reshape(-1, 5)
    for score in (max_probability, entropy, energy):
        assert torch.allclose(score(logits).flatten(), score(rows), rtol=1e-12)
    for score in (max_probability, entropy):
        assert torch.allclose(score(logits.log_softmax(1)), score(logits), rtol=1e-12)
    assert energy(logits.log_softmax(1)).abs().max() < 1e-12


@pytest.mark.parametrize("dropout", [nn.Dropout(0.25), HDropout(NormalCoordinates(1.0), 0.25)], ids=["flat", "curved"])
def test_dropout_averages_the_probabilities_of_what_can_happen(dropout):
    """Three coordinates dropped independently have eight outcomes."""
    x = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    expected = torch.zeros(1, 3, dtype=torch.float64)
    for kept in itertools.product((0, 1), repeat=3):
        weight = math.prod(0.75 if k else 0.25 for k in kept)
        expected += weight * (x * torch.tensor(kept) / 0.75).softmax(1)
    torch.manual_seed(0)
    mean, found = monte_carlo_dropout(nn.Sequential(dropout), x, 4000)
    assert torch.allclose(mean, expected, atol=0.02)  # five standard errors
    assert found.item() == pytest.approx(-(mean * mean.log()).sum().item(), rel=1e-12)


def test_dropout_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    model[0].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    monte_carlo_dropout(model, torch.randn(5, 3), 3)
    assert [m.training for m in model] == [False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_dropout_takes_another_softmax():
    model = nn.Dropout(0.5)
    halved = lambda out: (out.log_softmax(1).exp() / 2 + 0.5 / out.shape[1]).log()  # noqa: E731
    mean, _ = monte_carlo_dropout(model, torch.tensor([[100.0, 0.0]]).expand(400, 2), 20, halved)
    assert mean.min() == pytest.approx(0.25, abs=0.15) and torch.allclose(mean.sum(1), torch.ones(400))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="temperature must be > 0"):
        energy(torch.zeros(1, 2), 0.0)
    with pytest.raises(ValueError, match="passes must be 1 or more"):
        monte_carlo_dropout(nn.Dropout(0.5), torch.zeros(1, 2), 0)
    with pytest.raises(ValueError, match="no dropout layer"):
        monte_carlo_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)), torch.zeros(1, 2))


def test_boundary_map_of_a_slope_and_of_a_step():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    assert torch.allclose(boundary_map(3 * columns - 4 * rows), torch.full((6, 7), 5.0))
    step = boundary_map((columns >= 3).float().expand(2, 6, 7))
    assert torch.equal(step, (((columns == 2) | (columns == 3)) * 0.5).expand(2, 6, 7))


def test_label_boundaries_against_a_loop():
    labels = torch.randint(3, (2, 5, 6), generator=torch.Generator().manual_seed(2))
    found = label_boundaries(labels)
    for b, i, j in itertools.product(range(2), range(5), range(6)):
        near = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        differs = any(labels[b, k, m] != labels[b, i, j] for k, m in near if 0 <= k < 5 and 0 <= m < 6)
        assert found[b, i, j].item() == differs
    assert not label_boundaries(torch.ones(1, 4, 4)).any()
