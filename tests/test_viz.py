"""Figures: exact arcs, the same bytes every time, descriptions, and nothing of matplotlib's global state touched."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from hyplearn import plane
from hyplearn.plane import ideal_point

viz = pytest.importorskip("hyplearn.viz", reason="matplotlib is not installed")
from hyplearn.viz.arcs import arc_path, circle_path  # noqa: E402
from hyplearn.viz.bits import bit_string  # noqa: E402
from hyplearn.viz.style import svg  # noqa: E402


def sample(path, n=40):
    """Points on the cubic pieces of a path."""
    v, t = path.vertices, np.linspace(0, 1, n)[:, None]
    pieces = []
    for i in range(0, len(v) - 3, 3):
        a, b, c, d = v[i : i + 4]
        pieces.append((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d)
    return np.concatenate(pieces)


def pairs():
    g = torch.Generator().manual_seed(0)
    inner = 0.99 * (2 * torch.rand(20, 2, 2, generator=g, dtype=torch.float64) - 1) / math.sqrt(2)
    ideal = ideal_point(6.3 * torch.rand(10, 2, generator=g, dtype=torch.float64))
    return torch.cat((inner, ideal, torch.stack((inner[:10, 0], ideal[:, 0]), 1)))


@pytest.mark.parametrize("kind", [viz.Disk, viz.Klein, viz.HalfPlane])
def test_drawn_geodesics_lie_on_the_line(kind):
    _, (canvas,) = viz.picture(kind)
    for x, y in pairs():
        line = plane.line_through(x, y)
        drawn = sample(canvas._geodesics(torch.stack((x, y)).numpy()))
        if kind is viz.Klein:
            drawn = drawn / (1 + np.sqrt(np.maximum(1 - (drawn**2).sum(-1, keepdims=True), 0)))
        if kind is viz.HalfPlane:
            w = drawn[:, 0] + 1j * drawn[:, 1]
            z = 1j * (w - 1j) / (w + 1j)
            drawn = np.stack((z.real, z.imag), -1)
        u = torch.from_numpy(drawn)
        a, b = line.a, line.b
        # the Euclidean distance from the circle (or diameter) of the line
        off = (2 * u @ a - b * (1 + (u * u).sum(-1))) / (2 * (a - b * u).norm(dim=-1))
        assert off.abs().max() < (1e-6 if kind is viz.HalfPlane else 1e-7)


def test_arcs_and_circles():
    quarter = sample(arc_path([np.array([1.0, 0.0]), np.array([0.0, 1.0])], [-math.tan(math.pi / 8)]))
    assert np.abs(np.hypot(*quarter.T) - 1).max() < 1e-7
    whole = sample(circle_path(np.array([3.0, -1.0]), 2.0))
    assert np.abs(np.hypot(*(whole - [3.0, -1.0]).T) - 2).max() < 2e-7
    angles = np.unwrap(np.arctan2(*(whole - [3.0, -1.0]).T))
    assert abs(abs(angles[-1] - angles[0]) - 2 * math.pi) < 1e-6


def full_picture():
    figure, canvases = viz.picture(viz.Disk, viz.Klein, viz.HalfPlane, c=2.0, titles=["one", "two", "three"])
    corners = torch.tensor([[-0.4, -0.2], [0.4, -0.2], [0.0, 0.5]], dtype=torch.float64)
    for canvas in canvases:
        canvas.polygon(corners, fill="sky")
        canvas.point(corners, ["$A$", "$B$", "$C$"])
        canvas.angle(*corners, label=r"$\alpha$")
        line = plane.line_through(corners[0], corners[1], c=2.0)
        canvas.line(line, color="blue", label=r"$\ell$")
        canvas.horocycle(corners[2], ideal_point(1.0, 2.0))
        canvas.equidistant(line, 0.3)
        canvas.circle(corners[0], 0.2, fill="yellow")
        canvas.point(line.ideal_points, ideal=True)
    return figure


def test_a_figure_is_the_same_bytes_every_time():
    first, second = (svg(full_picture(), "Three pictures of one triangle") for _ in range(2))
    assert first == second
    assert "<title>Three pictures of one triangle</title>" in first and "<metadata>" not in first


def test_labels_do_not_overlap_points_or_each_other():
    figure, (disk,) = viz.picture()
    g = torch.Generator().manual_seed(1)
    x = 1.2 * torch.rand(12, 2, generator=g, dtype=torch.float64) - 0.6
    disk.point(x, [f"$P_{{{i}}}$" for i in range(12)])
    boxes = []
    keep = type(disk.labels)._cost

    def spy(box, obstacles, taken, frame, margin):
        boxes[:] = [*taken]
        return keep(box, obstacles, taken, frame, margin)

    disk.labels._cost = spy
    svg(figure, "Twelve points with their labels")
    assert len(boxes) == 11  # all but the last, which is being placed
    from matplotlib.transforms import Bbox

    assert not any(Bbox.intersection(p, q) is not None for i, p in enumerate(boxes) for q in boxes[:i])


def test_save_writes_whole_files_and_refuses_nonsense(tmp_path):
    figure = viz.bits(0.15625)
    assert viz.save(figure, tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in viz.save(figure, tmp_path / "bits.svg", alt="The sixteen bits of a number").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bits.png", "bits.svg"]
    with pytest.raises(ValueError, match=r"path must end in \.svg or \.png"):
        viz.save(figure, tmp_path / "bits.gif")
    with pytest.raises(ValueError, match="alt must describe"):
        viz.save(figure, tmp_path / "bits.svg")


def test_show_carries_the_description(monkeypatch, capsys):
    viz.show(viz.bits(1.0), alt="The sixteen bits of one")
    assert capsys.readouterr().out == "[figure: The sixteen bits of one]\n"
    with pytest.raises(ValueError, match="alt must describe"):
        viz.show(viz.bits(1.0), alt="bits")

    import IPython
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda data, raw, metadata=None: shown.append((data, metadata)))
    viz.show(viz.bits(1.0), alt="The sixteen\n   bits of one")
    (image, metadata), (caption, _) = shown
    assert "<svg" in image["image/svg+xml"]
    assert metadata == {"image/svg+xml": {"alt": "The sixteen bits of one"}}
    assert caption["text/markdown"] == "*The sixteen bits of one*"


@pytest.mark.parametrize(
    ("value", "dtype", "bits"),
    [
        (0.15625, torch.bfloat16, "0011111000100000"),
        (-1.0, torch.float16, "1011110000000000"),
        (1.0, torch.float32, "0" + "01111111" + "0" * 23),
        (math.inf, torch.bfloat16, "0" + "11111111" + "0" * 7),
        (-2.0, torch.float64, "1" + "10000000000" + "0" * 52),
    ],
)
def test_bit_strings(value, dtype, bits):
    assert bit_string(value, dtype) == bits


@pytest.mark.parametrize("value", [0.15625, -3.0, 0.0, 1e-40, math.inf, math.nan])
def test_the_drawing_of_bits_says_the_stored_value(value):
    figure = viz.bits(value)
    said = figure.axes[0].texts[-1].get_text()
    stored = torch.tensor(value, dtype=torch.bfloat16).item()
    expected = "NaN" if math.isnan(stored) else "infty" if math.isinf(stored) else f"= {stored:.9g}$"
    assert expected in said


def test_bits_refuses_integers():
    with pytest.raises(ValueError, match="dtype must be one of"):
        viz.bits(1.0, torch.int32)


def test_no_global_state_is_touched_and_the_core_imports_no_matplotlib():
    code = (
        "import sys, hyplearn, hyplearn.plane; assert 'matplotlib' not in sys.modules, 'core imports matplotlib'\n"
        "import matplotlib; keys = ['font.family', 'font.size', 'axes.grid', 'svg.hashsalt']\n"
        "before = [matplotlib.rcParams[k] for k in keys]\n"
        "from hyplearn import viz; viz.bits(1.0)\n"
        "assert [matplotlib.rcParams[k] for k in keys] == before, 'rcParams changed'\n"
        "assert 'anywidget' not in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
        "print('clean')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "clean\n", result.stderr


def test_the_half_plane_draws_what_goes_to_infinity_straight_up():
    _, (canvas,) = viz.picture(viz.HalfPlane)
    x = torch.tensor([0.3, -0.2], dtype=torch.float64)
    for pair in (torch.stack((x, ideal_point(math.pi / 2))), torch.stack((ideal_point(math.pi / 2), x))):
        drawn = sample(canvas._geodesics(pair.numpy()))
        assert np.ptp(drawn[:, 0]) < 1e-9 and drawn[:, 1].max() > canvas.HEIGHT
