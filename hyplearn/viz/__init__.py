"""Pictures in one style: the disk, the half-plane, the Klein disk; surfaces; number formats; the explorer widget.

Matplotlib is imported here and nowhere else in hyplearn, the widget's own packages only when `Explorer` is used.
"""

from hyplearn.viz.bits import bits
from hyplearn.viz.canvas import Canvas, Disk, HalfPlane, Klein, picture
from hyplearn.viz.film import Film
from hyplearn.viz.style import COLORS, CYCLE, chart, save, show
from hyplearn.viz.surface import Space, space

__all__ = [
    "COLORS",
    "CYCLE",
    "Canvas",
    "Disk",
    "Explorer",
    "Film",
    "HalfPlane",
    "Klein",
    "Space",
    "bits",
    "chart",
    "picture",
    "save",
    "show",
    "space",
]


def __getattr__(name):
    if name == "Explorer":
        from hyplearn.viz.explorer import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
