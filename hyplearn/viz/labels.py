"""Labels that look for a free place beside their point when the figure is drawn."""

import math
from itertools import pairwise

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.artist import Artist
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform

# Up and right first, as in a textbook, then the others; ties go to the earlier one.
_ANGLES = [math.radians(a) for a in (45, 135, -45, -135, 90, 0, 180, -90, 22, 67, 112, 157, -22, -67, -112, -157)]


def _densify(polygon: np.ndarray, step: float = 3.0) -> np.ndarray:
    pieces = [polygon[:1]]
    for p, q in pairwise(polygon):
        count = max(1, min(1000, int(np.hypot(*(q - p)) / step)))
        pieces.append(p + (q - p) * (np.arange(1, count + 1) / count)[:, None])
    return np.concatenate(pieces)


class Labels(Artist):
    """All labels of one picture, placed together: away from curves, points, each other and the picture's edge."""

    def __init__(self, axes):
        super().__init__()
        self.axes, self.entries, self.curves, self.points = axes, [], [], []
        self.set_zorder(10)
        self.set_in_layout(False)

    def add(self, anchors, text: str, color: str, size: float, gap: float, direction=None) -> None:
        """A label for one of the anchors, (2,) or (n, 2) in data coordinates, the first that has room beside it."""
        anchors = np.asarray(anchors, dtype=float).reshape(-1, 2)
        self.entries.append((anchors, text, color, size, gap, direction))

    def _obstacles(self) -> np.ndarray:
        samples = [self.axes.transData.transform(np.array(self.points).reshape(-1, 2))]
        for patch in self.curves:
            for polygon in patch.get_path().to_polygons(patch.get_transform(), closed_only=False):
                samples.append(_densify(np.asarray(polygon)))
        return np.concatenate(samples)

    def draw(self, renderer):
        if not self.entries:
            return
        pixel = renderer.points_to_pixels(1.0)
        obstacles, taken = self._obstacles(), []
        frame = self.axes.get_window_extent(renderer)
        for anchors, text, color, size, gap, direction in self.entries:
            label = Text(0, 0, text, color=color, fontsize=size, ha="center", va="center")
            label.set_transform(IdentityTransform())
            label.set_figure(self.axes.figure)
            label.set_path_effects([effects.withStroke(linewidth=3, foreground="white", alpha=0.85)])
            extent = label.get_window_extent(renderer)
            best = None
            for anchor in self.axes.transData.transform(anchors):
                for box in self._candidates(anchor, extent, gap * pixel, direction):
                    cost = self._cost(box, obstacles, taken, frame, 1.5 * pixel)
                    if best is None or cost < best[0]:
                        best = cost, box
                if best[0] == 0:
                    break
            box = best[1]
            taken.append(box)
            label.set_position(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
            label.draw(renderer)

    @staticmethod
    def _candidates(anchor, extent, gap, direction):
        angles = _ANGLES if direction is None else [math.atan2(direction[1], direction[0])]
        for reach in (1.0, 1.9, 2.8) if direction is None else (1.0, 1.6, 2.4, 3.2):
            for angle in angles:
                way = np.array([math.cos(angle), math.sin(angle)])
                half = np.array([extent.width, extent.height]) / 2
                # The box touches the circle of radius gap about the anchor from outside, whatever its proportions.
                centre = anchor + way * (gap * reach + 1 / max(np.abs(way) / half))
                yield Bbox([centre - half, centre + half])

    @staticmethod
    def _cost(box, obstacles, taken, frame, margin):
        inside = np.all((obstacles > box.min - margin) & (obstacles < box.max + margin), axis=1).sum()
        overlap = sum(Bbox.intersection(box, other) is not None for other in taken)
        outside = box.x0 < frame.x0 or box.y0 < frame.y0 or box.x1 > frame.x1 or box.y1 > frame.y1
        return float(inside) + 100.0 * overlap + 100.0 * outside
