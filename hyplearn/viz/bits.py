"""How a floating-point number is stored: its bits, drawn."""

import math

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hyplearn.viz.style import COLORS, chart

# bits of exponent and of fraction
_LAYOUT = {torch.float64: (11, 52), torch.float32: (8, 23), torch.bfloat16: (8, 7), torch.float16: (5, 10)}
_INTEGER = {8: torch.int64, 4: torch.int32, 2: torch.int16}


def bit_string(value: float, dtype: torch.dtype = torch.bfloat16) -> str:
    """The bits of `value` rounded to dtype, sign first.

    Raises:
        ValueError: if dtype is not float64, float32, bfloat16 or float16.
    """
    if dtype not in _LAYOUT:
        raise ValueError(f"dtype must be one of {', '.join(map(str, _LAYOUT))}, got {dtype}")
    stored = torch.tensor(value, dtype=dtype)
    width = 8 * stored.element_size()
    return format(stored.view(_INTEGER[stored.element_size()]).item() % (1 << width), f"0{width}b")


def bits(value: float, dtype: torch.dtype = torch.bfloat16) -> Figure:
    """A drawing of the bits of `value` in dtype: sign, exponent and fraction, and the number they make."""
    text = bit_string(value, dtype)
    exponent, fraction = _LAYOUT[dtype]
    parts = [("sign", 1, "purple"), ("exponent", exponent, "green"), ("fraction", fraction, "blue")]
    figure, ax = chart(max(6.1, 0.38 * len(text)), 1.7)
    ax.axis("off")
    ax.set(xlim=(-0.1, len(text) + 0.1), ylim=(-1.5, 1.75), aspect="equal")
    start = 0
    for name, count, color in parts:
        for i in range(start, start + count):
            one = text[i] == "1"
            ax.add_patch(Rectangle((i, 0), 1, 1, fc=COLORS[color], ec="white", lw=1.5, alpha=0.9 if one else 0.28))
            ax.text(i + 0.5, 0.48, text[i], ha="center", va="center", color="white" if one else COLORS["ink"], size=14)
            ax.text(i + 0.5, -0.12, len(text) - 1 - i, ha="center", va="top", size=7.5, color=COLORS["grey"])
        # The name of a one-bit field is wider than the field: it starts at the left edge instead of the middle.
        left = count == 1
        ax.text(start + (0 if left else count / 2), 1.18, name if left else f"{name} ({count} bits)",
                ha="left" if left else "center", va="bottom", color=COLORS[color], size=12)  # fmt: skip
        start += count
    ax.text(len(text) / 2, -0.75, _formula(text, exponent, fraction), ha="center", va="top", size=13)
    return figure


def _formula(text: str, exponent: int, fraction: int) -> str:
    sign, e, f = int(text[0]), int(text[1 : 1 + exponent], 2), int(text[1 + exponent :], 2)
    bias = 2 ** (exponent - 1) - 1
    if e == 2**exponent - 1:
        return "exponent all ones: " + ("NaN" if f else "$-\\infty$" if sign else "$+\\infty$")
    # Exponent 0 holds zero and the subnormal numbers, which have no leading 1.
    lead, power = (1, e - bias) if e else (0, 1 - bias)
    value = (-1) ** sign * math.ldexp(lead + f / 2**fraction, power)
    mantissa = f"\\left({lead} + \\frac{{{f}}}{{{2**fraction}}}\\right)"
    return f"$(-1)^{{{sign}}} \\times 2^{{{max(e, 1)} - {bias}}} \\times {mantissa} = {value:.9g}$"
