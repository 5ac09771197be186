"""Pictures in one style: the disk, the half-plane and the Klein disk; number formats; the explorer widget.

Matplotlib is imported here and nowhere else in hyplearn, the widget's own packages only when `Explorer` is used.
"""

from hyplearn.viz.bits import bits
from hyplearn.viz.canvas import Canvas, Disk, HalfPlane, Klein, picture
from hyplearn.viz.style import COLORS, CYCLE, chart, save, show

__all__ = [
    "COLORS",
    "CYCLE",
    "Canvas",
    "Disk",
    "Explorer",
    "HalfPlane",
    "Klein",
    "bits",
    "chart",
    "picture",
    "save",
    "show",
]


def __getattr__(name):
    if name == "Explorer":
        from hyplearn.viz.explorer import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
