"""How sure a network is of each prediction: from its output alone, from where its points lie, or from many passes.

Confidences (more is surer): `distance_from_origin`, `max_probability`. Uncertainties (more is less sure): `entropy`,
`energy`, `monte_carlo_dropout`. All work on rows (B, classes) and on pixels (B, classes, H, W) alike: classes, or the
coordinates, lie along dim 1. To see how well one finds mistakes, or inputs of another kind: `hyplearn.metrics.auroc`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hyplearn.layers import HDropout
from hyplearn.manifolds import Manifold
from hyplearn.numerics import norm


def distance_from_origin(points: Tensor, manifold: Manifold | None = None, dim: int = 1) -> Tensor:
    """Distance from the origin, d(0, x), or the norm where `manifold` is None (flat twins): without `dim`.

    In a hyperbolic classifier the logits of a point near the origin are small, whatever its direction: training moves
    points outwards only as far as their class is clear. It costs nothing beyond the point itself.

    Source: Khrulkov et al. 2020, "Hyperbolic Image Embeddings", section 4.1 (images); Ghadimi Atigh et al. 2022,
    "Hyperbolic Image Segmentation" (pixels).
    """
    return norm(points, dim).squeeze(dim) if manifold is None else manifold.dist0(points, dim=dim)


def max_probability(logits: Tensor) -> Tensor:
    """The largest softmax probability along dim 1 (Hendrycks, Gimpel 2017). Log-probabilities may stand for logits."""
    return logits.softmax(1).amax(1)


def entropy(logits: Tensor) -> Tensor:
    """-sum_k p_k log p_k of the softmax along dim 1, from 0 to log(classes). Log-probabilities may stand for logits."""
    log_p = logits.log_softmax(1)
    return torch.special.entr(log_p.exp()).sum(1)


def energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """-T log sum_k exp(l_k/T) along dim 1 (Liu et al. 2020); of log-probabilities it is 0 at T = 1.

    Raises:
        ValueError: if the temperature is not > 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    return -temperature * (logits / temperature).logsumexp(1)


def monte_carlo_dropout(
    model: nn.Module, x: Tensor, passes: int = 10, log_probabilities: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The mean of the probabilities over passes with dropout on, and its entropy along dim 1 (Gal, Ghahramani 2016).

    The rest of the model (batch norm, say) is in evaluation mode; modes are put back at the end. Costs `passes` times
    what a prediction costs.

    Args:
        model: with at least one dropout layer of p > 0.
        log_probabilities: of the model's output, e.g. a `HierarchicalSoftmax`; `log_softmax` along dim 1 if not given.

    Raises:
        ValueError: if passes < 1, or if nothing would differ between passes.
    """
    if passes < 1:
        raise ValueError(f"passes must be 1 or more, got {passes}")
    layers = [m for m in model.modules() if isinstance(m, (nn.modules.dropout._DropoutNd, HDropout)) and m.p > 0]
    if not layers:
        raise ValueError("model has no dropout layer with p > 0: all passes would be the same")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    for layer in layers:
        layer.train()
    try:
        with torch.no_grad():
            mean = sum(
                (out.log_softmax(1) if log_probabilities is None else log_probabilities(out)).exp() / passes
                for out in (model(x) for _ in range(passes))
            )
    finally:
        for module, training in modes:
            module.training = training
    return mean, torch.special.entr(mean).sum(1)


def boundary_map(confidence: Tensor) -> Tensor:
    """How fast a map (..., H, W) changes from pixel to pixel: the length of its gradient, H and W at least 2.

    Central differences inside, one-sided ones at the border: a step of height h between two pixels gives h/2 on both.
    """
    down, right = torch.gradient(confidence, dim=(-2, -1))
    return torch.hypot(down, right)


def label_boundaries(labels: Tensor) -> Tensor:
    """(..., H, W) bool: where a pixel above, below, left or right has another label: what a map should find."""
    found = torch.zeros_like(labels, dtype=torch.bool)
    for dim in (-2, -1):
        steps = labels.diff(dim=dim) != 0
        found.narrow(dim, 0, steps.shape[dim]).logical_or_(steps)
        found.narrow(dim, 1, steps.shape[dim]).logical_or_(steps)
    return found
