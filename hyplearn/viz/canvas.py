"""One plane, three pictures: the Poincare disk, the half-plane and the Klein disk.

Every method takes points of the Poincare disk of radius 1/sqrt(c), as `hyplearn.plane` does, whatever is drawn; the
picture itself always has the rim at 1. Geodesics are exact arcs.
"""

import math
from abc import ABC, abstractmethod

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from hyplearn.plane import Line, equidistant, horocycle, triangle_angles
from hyplearn.plane import circle as hyperbolic_circle
from hyplearn.viz.arcs import arc_path, circle_path, tangent
from hyplearn.viz.labels import Labels
from hyplearn.viz.style import COLORS, RC, new_figure


class Canvas(ABC):
    """A picture of the plane of curvature -c in matplotlib axes; the subclasses say which map of the plane it is.

    Colours are names of `COLORS` or whatever matplotlib takes.
    """

    def __init__(self, ax, c: float = 1.0):
        self.ax, self.c = ax, float(c)
        ax.set_aspect("equal")
        ax.axis("off")
        ax.grid(False)
        self.labels = ax.add_artist(Labels(ax))
        self._frame()

    # --- the map ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def _frame(self) -> None:
        """Draws the rim and sets the limits of the axes."""

    @abstractmethod
    def _project(self, u: np.ndarray) -> np.ndarray:
        """From the unit Poincare disk, (..., 2), to the picture."""

    @abstractmethod
    def _bulge(self, u: np.ndarray, v: np.ndarray) -> float:
        """The bulge of the geodesic from u to v (in the unit disk) in the picture."""

    def _numpy(self, x) -> np.ndarray:
        return torch.as_tensor(x).detach().cpu().double().numpy() * math.sqrt(self.c)

    def _geodesics(self, corners: np.ndarray, closed: bool = False) -> Path:
        pairs = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        bulges = [self._bulge(u, v) for u, v in (pairs if closed else pairs[:-1])]
        return arc_path(list(self._project(corners)), bulges, closed)

    def _add(self, path: Path, **style) -> PathPatch:
        style = {key: COLORS.get(v, v) if isinstance(v, str) else v for key, v in style.items()}
        patch = PathPatch(path, capstyle="butt", joinstyle="round", **style)
        self.ax.add_patch(patch)
        patch.set_clip_path(self.world)
        return patch

    # --- drawing ----------------------------------------------------------------------------------------------------

    def segment(self, x, y, color="ink", width=1.8, style="-", label=None, at=0.5, alpha=1.0, zorder=3) -> None:
        """The geodesics from x to y, both (..., 2), either may be ideal.

        A label looks for a free place beside each, as near as it can to the fraction `at` of its drawn length.
        """
        ends = np.stack(np.broadcast_arrays(self._numpy(x), self._numpy(y)), -2).reshape(-1, 2, 2)
        paths = [self._geodesics(pair) for pair in ends]
        if paths:
            path = Path.make_compound_path(*paths)
            patch = self._add(path, fill=False, ec=color, lw=width, ls=style, alpha=alpha, zorder=zorder)
            self.labels.curves.append(patch)
        for path in paths if label else ():
            self.labels.add(_along(path, at), label, COLORS.get(color, color), 12, 5)

    def line(self, line: Line, **style) -> None:
        """A whole line, or a batch of them; options as for `segment`, but the label is near the end."""
        start, end = line.ideal_points.unbind(-2)
        self.segment(start, end, **{"at": 0.85} | style)

    def polygon(self, corners, fill=None, color="ink", width=1.8, alpha=0.25, zorder=2) -> None:
        """The polygon (or a batch) with the corners (..., n, 2) and geodesic sides, filled if `fill` is a colour."""
        corners = self._numpy(corners)
        paths = [self._geodesics(each, closed=True) for each in corners.reshape(-1, *corners.shape[-2:])]
        if paths and fill:
            self._add(Path.make_compound_path(*paths), fc=fill, ec="none", alpha=alpha, zorder=zorder)
        if paths and width:
            patch = self._add(Path.make_compound_path(*paths), fill=False, ec=color, lw=width, zorder=zorder + 1)
            self.labels.curves.append(patch)

    def point(self, x, label=None, color="ink", size=6.0, ideal=False, zorder=6) -> None:
        """Points (..., 2) as dots, ideal ones hollow and not clipped by the rim; one label, or one for each."""
        places = self._project(self._numpy(x)).reshape(-1, 2)
        labels = [label] * len(places) if label is None or isinstance(label, str) else label
        color = COLORS.get(color, color)
        for xy, text in zip(places, labels, strict=True):
            if not self.ax.viewLim.contains(*xy):
                continue
            face = "white" if ideal else color
            self.ax.plot(*xy, "o", ms=size, mfc=face, mec=color, mew=1.4, zorder=zorder, clip_on=False)
            self.labels.points.append(xy)
            if text:
                self.labels.add(xy, text, color, 13, size / 2 + 3)

    def angle(self, x, y, z, label=None, radius=0.12, color="orange") -> None:
        """Marks the angle at x between the geodesics to y and to z: a square if it is right, else an exact sector.

        `radius` is measured in the picture, whose half width is about 1; keep it below the distances to y and z.
        """
        radius = radius * self.ax.viewLim.width / 2.24
        x, y, z = torch.broadcast_tensors(*(torch.as_tensor(p).double() for p in (x, y, z)))
        u, v, w = (self._numpy(p) for p in (x, y, z))
        p, q, r = (self._project(a) for a in (u, v, w))
        one, two = tangent(p, q, self._bulge(u, v)), tangent(p, r, self._bulge(u, w))
        if abs(float(triangle_angles(x, y, z, self.c)[0]) - math.pi / 2) < 1e-6:
            side = 0.6 * radius
            corner = Path(np.stack((p + side * one, p + side * (one + two), p + side * two)))
            self._add(corner, fill=False, ec="ink", lw=1.0, zorder=4)
        else:
            sector = self._add(circle_path(p, radius), fc=color, ec="none", alpha=0.45, zorder=2)
            sector.set_clip_path(self._geodesics(np.stack((u, v, w)), closed=True), self.ax.transData)
        if label:
            middle = one + two if np.hypot(*(one + two)) > 1e-6 else np.array([-one[1], one[0]])
            way = middle / np.hypot(*middle)
            self.labels.add(p + radius * way, label, COLORS["ink"], 12, 3, direction=way)

    def text(self, x, text: str, color="ink", size=12, direction=None, gap=4.0) -> None:
        """A label that looks for a free place beside x (in the given direction of the picture, if any)."""
        self.labels.add(self._project(self._numpy(x)), text, COLORS.get(color, color), size, gap, direction)

    def circle(self, x, r, fill=None, color="ink", width=1.5, style="-", alpha=0.25) -> None:
        """The circle of hyperbolic radius r about x."""
        self._round(*hyperbolic_circle(torch.as_tensor(x), r, self.c), fill, color, width, style, alpha)

    def horocycle(self, x, ideal, fill=None, color="ink", width=1.5, style="-", alpha=0.25) -> None:
        """The horocycle through x at the ideal point."""
        self._round(*horocycle(torch.as_tensor(x), torch.as_tensor(ideal), self.c), fill, color, width, style, alpha)

    def equidistant(self, line: Line, d: float, color="ink", width=1.5, style="-") -> None:
        """The hypercycle of points at the signed distance d from the line."""
        self._round(*equidistant(line, d), None, color, width, style, 1.0)

    def _round(self, centre, radius, fill, color, width, style, alpha) -> None:
        path = self._circle(self._numpy(centre), float(radius) * math.sqrt(self.c))
        if fill:
            self._add(path, fc=fill, ec="none", alpha=alpha, zorder=1)
        if width:
            self.labels.curves.append(self._add(path, fill=False, ec=color, lw=width, ls=style, zorder=3))

    def _circle(self, centre: np.ndarray, radius: float) -> Path:
        """The image of a circle of the unit disk; a fine polygon where the picture does not keep circles."""
        turn = np.linspace(0, 2 * math.pi, 1441)
        u = centre + radius * np.stack((np.cos(turn), np.sin(turn)), -1)
        return Path(self._project(u[(u**2).sum(-1) <= 1 + 1e-12]))


class Disk(Canvas):
    """The Poincare disk: angles are true, geodesics are circles at right angles to the rim."""

    def _frame(self):
        rim = PathPatch(circle_path(np.zeros(2), 1.0), fc=COLORS["paper"], ec=COLORS["ink"], lw=1.2, zorder=0)
        self.ax.add_patch(rim)
        self.ax.set(xlim=(-1.12, 1.12), ylim=(-1.12, 1.12))
        self.world = PathPatch(circle_path(np.zeros(2), 1.0), transform=self.ax.transData)
        self.labels.curves.append(rim)

    def _project(self, u):
        return u

    def _bulge(self, u, v):
        # Half the sweep is half the defect of the triangle (0, u, v): atan2(u x v, 1 - <u, v>).
        return math.tan(math.atan2(u[0] * v[1] - u[1] * v[0], 1 - u @ v) / 2)

    def _circle(self, centre, radius):
        return circle_path(centre, radius)


class Klein(Disk):
    """The Klein disk: geodesics are straight chords, angles are not true."""

    def _project(self, u):
        return 2 * u / (1 + (u**2).sum(-1, keepdims=True))

    def _bulge(self, u, v):
        return 0.0

    _circle = Canvas._circle


class HalfPlane(Canvas):
    """The upper half-plane: angles are true, geodesics are half-circles on the axis and vertical rays.

    The centre of the disk is drawn at (0, 1), the bottom of the rim at (0, 0), and the top of the rim is at infinity.
    """

    WIDTH, HEIGHT = 2.6, 3.2

    def _frame(self):
        w, h = self.WIDTH, self.HEIGHT
        box = Path([(-w, 0), (w, 0), (w, h), (-w, h), (-w, 0)])
        self.ax.add_patch(PathPatch(box, fc=COLORS["paper"], ec="none", zorder=0))
        self.ax.plot([-w, w], [0, 0], color=COLORS["ink"], lw=1.2, zorder=3)
        self.ax.set(xlim=(-w, w), ylim=(-0.25, h))
        self.world = PathPatch(box, transform=self.ax.transData)

    def _project(self, u):
        z = u[..., 0] + 1j * u[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            w = 1j * (z + 1j) / (1j - z)
        # A ray to infinity is drawn straight up, far beyond the picture.
        high = ~(np.abs(w) < 1e7)
        return np.where(high[..., None], np.array([0.0, 1e7]), np.stack((w.real, np.maximum(w.imag, 0.0)), -1))

    def _geodesics(self, corners, closed=False):
        path = super()._geodesics(corners, closed)
        vertices, high = path.vertices, path.vertices[:, 1] > 1e6
        if high.any():
            # Infinity lies straight above whatever is joined to it.
            for i in np.flatnonzero(high):
                near = [j for j in range(len(vertices)) if not high[j]]
                j = min(near, key=lambda j: abs(j - i))
                vertices[i] = vertices[j][0], 2 * self.HEIGHT
        return path

    def _bulge(self, u, v):
        p, q = self._project(u), self._project(v)
        if max(p[1], q[1]) > 1e6:
            return 0.0
        return math.tan(math.atan2(q[0] - p[0], p[1] + q[1]) / 2)


def _along(path: Path, at: float) -> np.ndarray:
    """Places (n, 2) on a drawn geodesic beside which its label may stand, the nearest to the fraction `at` first."""
    t = np.linspace(0.1, 0.9, 17)
    t = t[np.argsort(np.abs(t - at), kind="stable")]
    pieces = (len(path.vertices) - 1) // 3
    k = np.minimum((t * pieces).astype(int), pieces - 1)
    s = (t * pieces - k)[:, None]
    a, b, c, d = (path.vertices[3 * k + i] for i in range(4))
    return (1 - s) ** 3 * a + 3 * s * (1 - s) ** 2 * b + 3 * s**2 * (1 - s) * c + s**3 * d


def picture(*kinds: type[Canvas], c: float = 1.0, size: float = 4.2, titles=None) -> tuple[Figure, list[Canvas]]:
    """A figure with one canvas for each kind, side by side: `figure, (disk, klein) = picture(Disk, Klein)`."""
    kinds = kinds or (Disk,)
    figure = new_figure(size * len(kinds), size + (0.3 if titles else 0))
    with mpl.rc_context(RC):
        axes = figure.subplots(1, len(kinds), squeeze=False)[0]
        canvases = [kind(ax, c) for kind, ax in zip(kinds, axes, strict=True)]
        for canvas, title in zip(canvases, titles or (), strict=False):
            canvas.ax.set_title(title)
    return figure, canvases
