"""Surfaces in space, with curves, points and arrows on them, in the house style."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from hyplearn.viz.style import COLORS, RC, new_figure


class Space:
    """A picture of Euclidean space in matplotlib's three-dimensional axes; lengths are equal along all three.

    Curves, arrows and points are drawn over the surfaces, wherever they lie: what is behind shines through. Colours are
    names of `COLORS` or whatever matplotlib takes.
    """

    def __init__(self, ax, zoom: float = 1.2):
        self.ax, self.zoom = ax, zoom
        self.low, self.high = np.full(3, np.inf), np.full(3, -np.inf)
        ax.set_axis_off()

    def _numpy(self, points) -> np.ndarray:
        """Points (..., 3) as an array; the axes grow so that they are seen."""
        points = torch.as_tensor(points).detach().double().numpy()
        flat = points.reshape(-1, 3)
        self.low, self.high = np.minimum(self.low, flat.min(0)), np.maximum(self.high, flat.max(0))
        middle, half = (self.low + self.high) / 2, np.maximum((self.high - self.low) / 2, 1e-9)  # a point has a size
        xlim, ylim, zlim = np.stack((middle - half, middle + half), -1)
        self.ax.set(xlim=xlim, ylim=ylim, zlim=zlim)
        self.ax.set_box_aspect(half, zoom=self.zoom)
        return points

    def surface(
        self,
        surface: Callable[[Tensor], Tensor],
        s: tuple[float, float],
        t: tuple[float, float],
        color: str = "#c5e3f6",  # the style's sky blue, pale enough for curves on it
        cells: tuple[int, int] = (20, 32),
        alpha: float = 0.75,
    ) -> None:
        """A parametrised surface u (2,) -> (3,), as `hyplearn.riemann` takes it, for u in the rectangle s x t."""
        sides = (torch.linspace(*side, n + 1, dtype=torch.float64) for side, n in zip((s, t), cells, strict=True))
        grid = torch.stack(torch.meshgrid(*sides, indexing="ij"), -1)
        points = self._numpy(torch.func.vmap(surface)(grid.flatten(0, 1)).unflatten(0, grid.shape[:2]))
        self.ax.plot_surface(
            *np.moveaxis(points, -1, 0),
            color=COLORS.get(color, color),
            rcount=cells[0] + 1,
            ccount=cells[1] + 1,
            lightsource=LightSource(azdeg=225, altdeg=50),
            edgecolor="white",
            linewidth=0.25,
            alpha=alpha,
            zorder=1,
        )

    def curve(self, points: Tensor, color: str = "ink", width: float = 2.0, style: str = "-") -> None:
        """A curve through the points (n, 3)."""
        self.ax.plot(*self._numpy(points).T, color=COLORS.get(color, color), lw=width, ls=style, zorder=3)

    def arrow(self, start: Tensor, step: Tensor, color: str = "red", width: float = 2.0) -> None:
        """Arrows from `start` by `step`, both (..., 3)."""
        tails, steps = np.broadcast_arrays(self._numpy(start), torch.as_tensor(step).detach().double().numpy())
        self._numpy(tails + steps)
        ends = tails.reshape(-1, 3).T, steps.reshape(-1, 3).T
        arrows = self.ax.quiver(*ends[0], *ends[1], color=COLORS.get(color, color), lw=width, arrow_length_ratio=0.25)
        arrows.set_zorder(4)

    def point(self, x: Tensor, label: str | None = None, color: str = "ink") -> None:
        """One point (3,), with a label if any."""
        x = self._numpy(x)
        self.ax.plot(*x[:, None], "o", ms=5, color=COLORS.get(color, color), zorder=5)
        if label:
            halo = [withStroke(linewidth=3, foreground="white")]
            style = {"color": COLORS.get(color, color), "size": 13, "va": "bottom", "path_effects": halo, "zorder": 6}
            self.ax.text(*x, f" {label}", **style)


def space(
    columns: int = 1,
    size: float = 3.0,
    titles: Sequence[str] = (),
    view: tuple[float, float] = (25.0, -55.0),
    zoom: float = 1.2,
) -> tuple[Figure, list[Space]]:
    """A figure with pictures of space side by side, seen from (elevation, azimuth): `figure, (one,) = space()`."""
    figure = new_figure(size * columns, size + (0.3 if titles else 0))
    with mpl.rc_context(RC):
        options = {"projection": "3d", "computed_zorder": False, "elev": view[0], "azim": view[1]}
        axes = figure.subplots(1, columns, squeeze=False, subplot_kw=options)[0]
        for ax, title in zip(axes, titles, strict=False):
            ax.set_title(title)
    return figure, [Space(ax, zoom) for ax in axes]
