"""Where a NaN came from: the first layer that produced one, and how far out its input was."""

import torch
from torch import Tensor, nn


class NonFiniteError(FloatingPointError):
    """Training met NaN or infinity; the message names the place."""


def find_non_finite(model: nn.Module, inputs: Tensor) -> str:
    """Runs `model(inputs)` once more and says in one sentence where the first non-finite number arises.

    A layer with a `manifold` is reported with sqrt(c) R, the radius that its input had reached: float32 has no room
    beyond about 88, and points beyond 12 rarely carry information that training can use.
    """
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            return f"parameter {name!r} holds NaN or infinity: the step before broke it (try a smaller learning rate)"
    found: list[str] = []

    def look(name, module):
        def hook(_, args, output):
            if found or not isinstance(output, Tensor) or output.isfinite().all():
                return
            x = args[0] if args and isinstance(args[0], Tensor) else None
            found.append(f"layer {name!r} ({type(module).__name__}) produced it{_radius(module, x)}")

        return module.register_forward_hook(hook)

    leaves = [
        (name, m) for name, m in model.named_modules() if next(m.children(), None) is None or hasattr(m, "manifold")
    ]
    handles = [look(name, m) for name, m in leaves]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "every layer's output is finite: the loss itself or its gradient produced it"


def _radius(module: nn.Module, x: Tensor | None) -> str:
    manifold = getattr(module, "manifold", None)
    if manifold is None or x is None or not x.isfinite().all():
        return ""
    radius = manifold.sqrt_c(x) * manifold.dist0(x, dim=1 if x.dim() > 2 else -1)
    return f"; its input had reached sqrt(c) R = {radius.max().item():.3g}"
