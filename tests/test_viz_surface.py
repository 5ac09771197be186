"""Pictures of surfaces in space: true proportions, what is drawn, and the same bytes every time."""

import math

import numpy as np
import torch

from hyplearn import viz
from hyplearn.viz.style import svg


def saddle(u):
    return torch.stack((u[0], u[1], (u[0] ** 2 - u[1] ** 2) / 2))


def draw():
    figure, (scene, other) = viz.space(2, 1.6, titles=["one", "two"])
    scene.surface(saddle, (-1, 1), (-2, 2), cells=(4, 6))
    scene.curve(torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), "red")
    scene.point(torch.zeros(3), "P")
    other.arrow(torch.zeros(2, 3), torch.eye(3)[:2], "blue")
    return figure, scene, other


def test_lengths_are_equal_along_all_axes_and_everything_is_seen():
    _, scene, other = draw()
    sides = np.array([np.diff(limits)[0] for limits in (scene.ax.get_xlim(), scene.ax.get_ylim(), scene.ax.get_zlim())])
    # The saddle reaches down to -2, the curve up to 3.
    np.testing.assert_allclose(sides, [2.0, 4.0, 5.0])
    box = scene.ax._box_aspect
    np.testing.assert_allclose(box / box[0], sides / sides[0])
    np.testing.assert_allclose(other.ax.get_xlim(), (0.0, 1.0))


def test_a_surface_has_as_many_cells_as_asked_for():
    figure, scene, _ = draw()
    (mesh,) = [part for part in scene.ax.collections if type(part).__name__ == "Poly3DCollection"]
    figure.canvas.draw()
    assert len(mesh.get_paths()) == 4 * 6


def test_curves_lie_over_surfaces_and_the_label_is_there():
    _, scene, _ = draw()
    assert min(line.zorder for line in scene.ax.lines) > max(part.zorder for part in scene.ax.collections)
    assert [text.get_text().strip() for text in scene.ax.texts] == ["P"]


def test_points_that_need_a_gradient_can_be_drawn():
    _, (scene,) = viz.space(1)
    scene.curve(torch.zeros(3, 3, requires_grad=True) + math.pi)
    assert len(scene.ax.lines) == 1


def test_a_single_point_or_a_flat_curve_warns_of_nothing(recwarn):
    _, (scene,) = viz.space(1)
    scene.point(torch.ones(3))
    scene.curve(torch.ones(2, 3))
    assert not recwarn.list


def test_the_same_picture_has_the_same_bytes():
    assert svg(draw()[0], "a saddle with a curve") == svg(draw()[0], "a saddle with a curve")
