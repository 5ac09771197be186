"""Attacks on linear models, where the worst input of a box is known, and the rules that hold for every model."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hyplearn.attacks import fgsm, pgd

float64 = torch.float64


def randn(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=float64)


@pytest.fixture
def two_classes():
    """A linear model of two classes: the loss of label 1 grows along -w, that of label 0 along w."""
    model = nn.Linear(6, 2, dtype=float64)
    with torch.no_grad():
        model.weight.copy_(randn(2, 6))
    return model, model.weight[1].detach() - model.weight[0].detach()


@pytest.mark.parametrize("attack", (fgsm, pgd))
@pytest.mark.parametrize("epsilon", (0.25, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])))
def test_on_two_linear_classes_the_worst_corner_is_found(two_classes, attack, epsilon):
    model, w = two_classes
    x, y = randn(8, 6, seed=1).clamp(-1, 1), torch.arange(8) % 2
    worst = x + epsilon * (1 - 2 * y[:, None]) * w.sign()
    torch.testing.assert_close(attack(model, x, y, epsilon), worst, check_dtype=False)
    torch.testing.assert_close(attack(model, x, y, epsilon, -1.0, 1.0), worst.clamp(-1, 1), check_dtype=False)


def test_projected_steps_find_what_one_step_does_not():
    x, y = torch.tensor([[0.5]], dtype=float64), torch.zeros(1, dtype=torch.long)
    loss = lambda out, _: -(out - 0.7).square().sum()  # noqa: E731 (largest at 0.7, within the box)
    assert fgsm(nn.Identity(), x, y, 0.5, loss=loss).item() == pytest.approx(1.0)  # overshoots
    found = pgd(nn.Identity(), x, y, 0.5, loss=loss, steps=60, step=0.01)
    assert found.item() == pytest.approx(0.7, abs=0.011)


@pytest.mark.parametrize("attack", (fgsm, pgd))
def test_noise_stays_in_its_box_and_nothing_else_changes(attack):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    x, y = randn(6, 3, 8, 8).float(), torch.arange(6) % 5
    epsilon = torch.tensor([0.1, 0.02, 0.3]).view(3, 1, 1)
    low, high = x.amin((0, 2, 3)).view(3, 1, 1), x.amax((0, 2, 3)).view(3, 1, 1)
    before, kept = [p.clone() for p in model.parameters()], x.clone()
    with torch.no_grad():  # as in an evaluation
        noisy = attack(model, x, y, epsilon, low, high)
        assert F.cross_entropy(model(noisy), y) > F.cross_entropy(model(x), y)
    assert torch.equal(x, kept) and all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert all(p.grad is None for p in model.parameters()) and not noisy.requires_grad
    assert ((noisy - x).abs() <= epsilon + 1e-6).all() and (noisy >= low).all() and (noisy <= high).all()


def test_the_start_is_random_in_the_box_and_repeatable():
    x, y = torch.zeros(400, 3, dtype=float64), torch.zeros(400, dtype=torch.long)
    starts = [
        pgd(nn.Linear(3, 2, dtype=float64), x, y, 0.5, steps=1, step=0.0, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
    assert starts[0].abs().max() <= 0.5 and starts[0].std().item() == pytest.approx(0.5 / 3**0.5, rel=0.1)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be 1 or more, got 0"):
        pgd(nn.Identity(), torch.zeros(1, 2), torch.zeros(1).long(), 0.1, steps=0)
