"""The curvature of a space, as a module: a constant, or a parameter that is learned."""

import math

import torch
from torch import Tensor, nn


class Curvature(nn.Module):
    """The positive number c of a space with sectional curvature -c (units: 1 / length^2).

    Calling the module returns c as a 0-dimensional float64 tensor; `Curvature(1.0)()` is exactly 1.0. A learned
    curvature is c = value * exp(log_ratio) with a parameter log_ratio that starts at 0, so c stays positive, starts
    at exactly `value`, and a step of the optimiser changes it by a factor.

    Args:
        value: c at the start; finite and > 0.
        learnable: whether c is a parameter.

    Raises:
        ValueError: if `value` is not a finite positive number.
    """

    def __init__(self, value: float = 1.0, learnable: bool = False):
        super().__init__()
        value = float(value)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"value must be a finite number > 0 (the curvature of the space is -value), got {value}")
        self.register_buffer("value", torch.tensor(value, dtype=torch.float64))
        self.log_ratio = nn.Parameter(torch.zeros((), dtype=torch.float64)) if learnable else None

    def forward(self) -> Tensor:
        return self.value if self.log_ratio is None else self.value * self.log_ratio.exp()

    def _apply(self, fn, recurse=True):
        # A network moved to bfloat16 would keep 3 digits of c, and exp(sqrt(c) d) at d = 10 none: c keeps its float64
        # value and only moves to the device.
        value, log_ratio = self.value, None if self.log_ratio is None else self.log_ratio.data
        super()._apply(fn, recurse)
        self.value = value.to(self.value.device)
        if log_ratio is not None:
            self.log_ratio.data = log_ratio.to(self.log_ratio.device)
        return self

    def extra_repr(self) -> str:
        return f"{self().item():.6g}" + ("" if self.log_ratio is None else ", learnable")
