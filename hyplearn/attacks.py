"""Adversarial noise: the small change of an input, within a box around it, that makes a loss large.

Both attacks take a model as it is: call `model.eval()` first, or batch normalisation sees the whole batch. All numbers
are in the units of the inputs. For standardised images a step of 1/255 of the brightness is a tensor with one number
for each channel, (3, 1, 1).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


def fgsm(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    epsilon: float | Tensor,
    low: float | Tensor = -torch.inf,
    high: float | Tensor = torch.inf,
    loss: Loss = nn.functional.cross_entropy,
) -> Tensor:
    """The fast gradient sign method: x + epsilon sign(grad_x loss(model(x), y)), clamped to [low, high].

    Args:
        model: maps x (B, ...) to the first argument of `loss`.
        y: labels (B,).
        epsilon: the largest change of an entry, a number or a tensor that broadcasts to x.
        low, high: the values that an input may have, likewise; x lies between them.

    Source: Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4.
    """
    return _ascend(model, x, y, epsilon, loss).clamp(torch.as_tensor(low).to(x), torch.as_tensor(high).to(x))


def pgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    epsilon: float | Tensor,
    low: float | Tensor = -torch.inf,
    high: float | Tensor = torch.inf,
    loss: Loss = nn.functional.cross_entropy,
    steps: int = 10,
    step: float | Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Projected gradient descent in the L-infinity ball: `steps` steps of `fgsm`, from a random point of the ball.

    After each step every entry goes back to [x - epsilon, x + epsilon] and to [low, high].

    Args:
        model, x, y, epsilon, low, high, loss: as for `fgsm`.
        steps: how many.
        step: length of a step; 2.5 epsilon/steps if not given, which reaches any corner of the ball.
        generator: for the random start, on the CPU.

    Raises:
        ValueError: if steps < 1.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, section 2.1.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}")
    epsilon = torch.as_tensor(epsilon).to(x)
    least = torch.maximum(x - epsilon, torch.as_tensor(low).to(x))
    most = torch.minimum(x + epsilon, torch.as_tensor(high).to(x))
    start = torch.rand(x.shape, generator=generator, dtype=x.dtype).to(x.device)
    at = (x + epsilon * (2 * start - 1)).clamp(least, most)
    for _ in range(steps):
        at = _ascend(model, at, y, 2.5 * epsilon / steps if step is None else step, loss).clamp(least, most)
    return at


@torch.enable_grad()
def _ascend(model: nn.Module, x: Tensor, y: Tensor, step: float | Tensor, loss: Loss) -> Tensor:
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(x), y), x)
    return (x + torch.as_tensor(step).to(x) * gradient.sign()).detach()
