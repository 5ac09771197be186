"""Circular arcs as Bezier curves, from their end points alone.

An arc from p to q is given by its *bulge* tan(sweep/4), signed: positive where it swings to the left of the straight
way from p to q. A straight segment has bulge 0. No centre is computed, so an arc of a huge circle, a geodesic that
passes close to the centre of the disk, keeps all its digits.
"""

import math

import numpy as np
from matplotlib.path import Path

# One cubic per 22.5 degrees leaves the circle by less than 1e-7 of its radius.
_MAX_BULGE = math.tan(math.pi / 32)


def _turn(v):
    return np.array([-v[1], v[0]])


def _controls(p, q, bulge):
    if abs(bulge) > _MAX_BULGE:
        middle = (p + q) / 2 + bulge / 2 * _turn(q - p)
        half = math.tan(math.atan(bulge) / 2)
        return _controls(p, middle, half) + _controls(middle, q, half)
    along, across = (1 - bulge**2) * (q - p) / 3, 2 * bulge * _turn(q - p) / 3
    return [p + along + across, q - along + across, q]


def tangent(p: np.ndarray, q: np.ndarray, bulge: float) -> np.ndarray:
    """The unit direction in which the arc from p to q leaves p."""
    direction = (1 - bulge**2) * (q - p) + 2 * bulge * _turn(q - p)
    return direction / np.hypot(*direction)


def arc_path(points: list[np.ndarray], bulges: list[float], closed: bool = False) -> Path:
    """The curve through the points, the i-th arc with the i-th bulge; a closed one has as many arcs as points."""
    vertices = [points[0]]
    for i, bulge in enumerate(bulges):
        vertices += _controls(points[i], points[(i + 1) % len(points)], bulge)
    codes = [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1)
    if closed:
        vertices, codes = [*vertices, points[0]], [*codes, Path.CLOSEPOLY]
    return Path(np.array(vertices), codes)


def circle_path(centre: np.ndarray, radius: float) -> Path:
    """A whole circle."""
    step = np.array([radius, 0.0])
    return arc_path([centre - step, centre + step], [-1.0, -1.0], closed=True)
