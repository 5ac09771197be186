"""The picture of the README: `python docs/picture.py` writes docs/picture.svg."""

import math
from pathlib import Path

import torch

from hyplearn import PoincareBall
from hyplearn.plane import (
    angle_of_parallelism,
    foot,
    limiting_parallels,
    line_in_direction,
    line_through,
    signed_distance,
    triangle_angles,
)
from hyplearn.viz import Disk, picture, save

ALT = (
    "Two pictures of the Poincare disk. Left: through a point P beside a line pass infinitely many lines that never "
    "meet it, between two limiting parallels that reach it at the rim only. Right: a triangle with three angles of "
    "18 degrees."
)


def parallel_angles(line, point) -> tuple[float, float]:
    """The direction at the point towards the line, and the angle of parallelism on both sides of it."""
    towards = PoincareBall(1.0).logmap(point, foot(line, point))
    return math.atan2(*towards.flip(0).tolist()), float(angle_of_parallelism(signed_distance(line, point).abs()))


def draw():
    """Left: the parallels through a point; right: a triangle and its angle sum."""
    figure, (left, right) = picture(Disk, Disk)
    point = torch.tensor([0.06, 0.38], dtype=torch.float64)
    line = line_through(*torch.tensor([[-0.5, -0.28], [0.5, -0.18]], dtype=torch.float64))
    limits = limiting_parallels(line, point)
    angle, limit = parallel_angles(line, point)
    for direction in torch.linspace(angle + limit, angle + math.pi - limit, 9, dtype=torch.float64)[1:-1]:
        left.line(line_in_direction(point, torch.stack((direction.cos(), direction.sin()))), color="sky", width=1.1)
    for limit in limits:
        left.line(limit, color="orange", width=2.2)
    left.line(line, width=2.2)
    left.segment(point, foot(line, point), style="--", width=1.2)
    left.point(point, "P")

    corners = torch.tensor([[-0.62, -0.42], [0.7, -0.3], [-0.05, 0.76]], dtype=torch.float64)
    right.polygon(corners, fill="blue", color="blue")
    degrees = triangle_angles(*corners) * 180 / math.pi
    for i in range(3):
        right.angle(corners[i], corners[i - 1], corners[i - 2])
    right.point(corners, [f"{angle:.0f}°" for angle in degrees])
    return figure


if __name__ == "__main__":
    save(draw(), Path(__file__).with_suffix(".svg"), ALT)
