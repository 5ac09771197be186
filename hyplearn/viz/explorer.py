"""The explorer: a hyperbolic plane to touch, live in JupyterLab, in an exported page without kernel, and in print.

Drawing and dragging happen in the page (static/explorer.js, on top of static/geometry.js), so they are smooth and need
no kernel; Python sees the same state and may change it. An output carries three forms of one picture, of which a front
end shows one: the live widget, a page with the same module in it, and a drawing.
"""

import html
import json
import math
import re
from importlib.resources import files
from string import Template
from urllib.parse import quote

import anywidget
import numpy as np
import torch
import traitlets
from matplotlib.path import Path

from hyplearn.manifolds import PoincareBall
from hyplearn.plane import (
    angle_of_parallelism,
    foot,
    ideal_point,
    limiting_parallels,
    line_through,
    signed_distance,
    triangle_angles,
    triangle_defect,
)
from hyplearn.viz.canvas import Disk, picture
from hyplearn.viz.style import CYCLE, svg

_STATIC = files("hyplearn.viz") / "static"

# mode: (names of the points, where they start in the disk of radius 1, description)
_MODES = {
    "line": ("AB", ((-0.5, -0.2), (0.45, 0.3)), "two points A and B, the line through them and their distance"),
    "parallels": (
        "ABP",
        ((-0.6, -0.35), (0.55, -0.4), (0.05, 0.3)),
        "a line through A and B, and a point P with all the lines through P that never meet it, "
        "the two limiting parallels among them, and the angle of parallelism",
    ),
    "triangle": (
        "ABC",
        ((-0.6, -0.4), (0.65, -0.3), (0.05, 0.65)),
        "a triangle ABC, its angles, their sum and its area",
    ),
    "tree": ("", (), "a tree whose points move as the plane is dragged"),
}
_MODELS = ("disk", "half-plane", "klein")

_PAGE = Template((_STATIC / "page.html").read_text("utf-8"))
_PLAIN = " /:;=,<>()!?*@{}[]"  # what needs no escaping in a data URL between single quotes


def _module() -> str:
    """The page's ES module: geometry.js and explorer.js as one, because a widget's module can import no other file."""
    geometry, explorer = ((_STATIC / name).read_text("utf-8") for name in ("geometry.js", "explorer.js"))
    return geometry + re.sub(r'import \{[^}]*\} from "\./geometry\.js";', "", explorer)


class _Numbers(traitlets.TraitType):
    """An array, tensor or nested sequence of numbers of the given shape (-1: any length), kept as nested tuples."""

    def __init__(self, *shape: int, dtype=torch.float64, **options):
        self.shape, self.dtype = shape, dtype
        sizes = ", ".join("n" if size < 0 else str(size) for size in shape)
        kind = "finite numbers" if dtype.is_floating_point else "whole numbers"
        self.info_text = f"{kind} of shape ({sizes}{',' * (len(shape) == 1)})"
        super().__init__(**options)

    def validate(self, obj, value):
        try:
            # NumPy reads Python's numbers in full precision, torch would round them to float32.
            numbers = torch.as_tensor(value if isinstance(value, torch.Tensor) else np.asarray(value)).detach().cpu()
            if numbers.numel() == 0:
                numbers = numbers.reshape(0, *self.shape[1:])
            exact = numbers.to(self.dtype)
            sizes = [size if n < 0 else n for n, size in zip(self.shape, exact.shape, strict=True)]
            if list(exact.shape) != sizes or not bool(exact.isfinite().all()) or not bool((exact == numbers).all()):
                raise ValueError
        except (TypeError, ValueError, RuntimeError):
            raise traitlets.TraitError(f"{self.name} must be {self.info_text}, got {str(value)[:60]!r}") from None
        return tuple(tuple(row) if isinstance(row, list) else row for row in exact.tolist())


class Explorer(anywidget.AnyWidget):
    """A picture of the hyperbolic plane of curvature -c with points to drag; what is measured is shown beside it.

    Modes: "line" (points A, B), "parallels" (A, B on the line, P beside it), "triangle" (A, B, C), and "tree": a
    browser of any labelled points and edges. The plane itself can be dragged in every mode, by an isometry, which
    changes the picture and no measurement.

    A tree or an embedding is browsed like this:

        placed = SarkarEmbedding(scale=4.0).fit(mammals)
        Explorer("tree", points=placed.embedding_, edges=mammals.edges, labels=mammals.labels, groups=mammals.depths)

    Edges are geodesics. Names are written beside the points that are large at the moment, where they do not cover each
    other, and beside whatever the pointer is at. A click, Enter, a name in the search field or among the neighbours
    brings a point to the middle. Points farther out than 28/sqrt(c) cannot be told apart by float64 coordinates.

    The state is readable and settable, live in both directions: `explorer.points = torch.rand(3, 2) / 2` moves the
    points in the page, and `torch.tensor(explorer.points)` is where the reader has dragged them.

    Args:
        mode: one of the four.
        c: the plane has curvature -c. Setting it later keeps the coordinates of the points; the slider in the page
            keeps their distances and directions from the origin instead.
        points: (n, 2), in the Poincare disk of radius 1/sqrt(c), whichever models are drawn. Kept as a tuple of pairs.
        edges: (m, 2), pairs of rows of `points`; in the mode "tree" only, like the next two.
        labels: n names. groups: n whole numbers that choose colours, of which there are seven.
        models: which pictures stand side by side, of "disk", "half-plane", "klein".
        center: (2,), the point of the plane that is seen in the middle.
        slider: whether the page offers to change c.
        alt: a description for those who cannot see the picture; there is one for each mode.

    Attributes:
        selected: in the mode "tree", the row of `points` that was clicked last; -1 at the start.

    Raises:
        traitlets.TraitError: one line that names the argument, if points do not lie in the disk, or shapes do not fit.
    """

    _esm = _module()
    _css = (_STATIC / "explorer.css").read_text("utf-8")

    mode = traitlets.Enum(list(_MODES), read_only=True).tag(sync=True)
    c = traitlets.Float(1.0).tag(sync=True)
    points = _Numbers(-1, 2, default_value=()).tag(sync=True)
    edges = _Numbers(-1, 2, dtype=torch.int64, default_value=()).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    groups = _Numbers(-1, dtype=torch.int64, default_value=()).tag(sync=True)
    models = traitlets.List(traitlets.Enum(_MODELS), ["disk"], minlen=1).tag(sync=True)
    center = _Numbers(2, default_value=(0.0, 0.0)).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    slider = traitlets.Bool(False).tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def __init__(self, mode: str = "parallels", c: float = 1.0, points=None, **options):
        if mode not in _MODES:
            raise traitlets.TraitError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")
        self.set_trait("mode", mode)
        _, start, description = _MODES[mode]
        if points is None:
            # An invalid c gets its own message; there is nothing to scale by then.
            points = [(x / math.sqrt(c), y / math.sqrt(c)) for x, y in start] if c > 0 else start
        options.setdefault("alt", f"The hyperbolic plane with {description}.")
        super().__init__(c=c, points=points, **options)

    @traitlets.validate("c", "points", "center", "edges", "labels", "groups")
    def _fits(self, proposal):
        """Each value is checked against the others, so that no page ever gets a state that it cannot draw."""
        state = {name: getattr(self, name) for name in ("c", "points", "center", "edges", "labels", "groups")}
        state[proposal["trait"].name] = proposal["value"]
        c, points, names = state["c"], state["points"], _MODES[self.mode][0]
        if not 0 < c < math.inf:
            raise traitlets.TraitError(f"c must be a finite number > 0 (the curvature is -c), got {c}")
        for name, place in [*((f"points[{i}]", p) for i, p in enumerate(points)), ("center", state["center"])]:
            if c * (place[0] ** 2 + place[1] ** 2) >= 1:
                raise traitlets.TraitError(f"{name} = {place} must lie in the disk of radius 1/sqrt(c) = {c**-0.5:.6g}")
        if names and len(points) != len(names):
            raise traitlets.TraitError(
                f"points must have {len(names)} rows ({', '.join(names)}) in mode {self.mode!r}, got {len(points)}"
            )
        if any(not 0 <= i < len(points) for edge in state["edges"] for i in edge):
            raise traitlets.TraitError(f"edges must name rows of points, 0 to {len(points) - 1}")
        for name in ("labels", "groups"):
            if len(state[name]) not in (0, len(points)):
                raise traitlets.TraitError(f"{name} must have one entry for each of the {len(points)} points")
        return proposal["value"]

    # --- the forms that need no kernel -----------------------------------------------------------------------------

    def page(self) -> str:
        """A whole HTML page with the explorer in its present state, which needs neither kernel nor network."""
        names = ("mode", "c", "points", "edges", "labels", "groups", "models", "center", "selected", "slider", "alt")
        state = json.dumps({name: getattr(self, name) for name in names}, separators=(",", ":"), ensure_ascii=False)
        # In a script the characters "</" may end it.
        state = state.replace("</", "<\\/")
        return _PAGE.substitute(alt=html.escape(self.alt), css=self._css, module=self._esm, state=state)

    def drawing(self) -> str:
        """The picture in the Poincare disk as SVG, for print and for front ends that run no scripts."""
        figure, (disk,) = picture(Disk, c=self.c)
        ball = PoincareBall(self.c)
        points = torch.tensor(self.points, dtype=torch.float64).reshape(-1, 2)
        seen = ball.mobius_add(-torch.tensor(self.center, dtype=torch.float64), points)
        {"line": _draw_line, "parallels": _draw_parallels, "triangle": _draw_triangle, "tree": _draw_tree}[self.mode](
            disk, seen, self
        )
        # Five digits are a hundredth of a point: half the size, the same picture.
        return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.5g}", svg(figure, self.alt))

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        drawing, alt = self.drawing(), html.escape(self.alt)
        # The frame has no height until its script runs, and the script hides the drawing: one picture in any case.
        frame = self.page().replace("&", "&amp;").replace("'", "&#39;")
        image = quote(drawing.replace("\n", " "), safe=_PLAIN)  # browsers drop the line ends of a URL
        page = (
            "<figure style='margin: 0'>"
            f"<iframe title='{alt}' style='width: 100%; height: 0; border: 0' srcdoc='{frame}'></iframe>"
            f"<img alt='{alt}' src='data:image/svg+xml,{image}'>"
            "</figure>"
        )
        data |= {"text/html": page, "image/svg+xml": drawing, "text/plain": f"[explorer: {self.alt}]"}
        return data, metadata | {"image/svg+xml": {"alt": self.alt}}


# --- the drawings -----------------------------------------------------------------------------------------------------


def _draw_line(disk: Disk, points: torch.Tensor, explorer: Explorer) -> None:
    a, b = points
    disk.line(line_through(a, b, disk.c), color="blue", width=1.2)
    disk.segment(a, b, color="blue", width=2.6)
    disk.point(points, label=["$A$", "$B$"])
    disk.ax.set_title(f"$d(A, B)$ = {PoincareBall(disk.c).dist(a, b):.4f}")


def _draw_parallels(disk: Disk, points: torch.Tensor, explorer: Explorer) -> None:
    c, (a, b, p) = disk.c, points
    line, ball = line_through(a, b, c), PoincareBall(disk.c)
    disk.line(line, color="blue", width=2.6)
    distance = signed_distance(line, p).abs()
    if distance > 1e-6:
        limit = float(angle_of_parallelism(distance, c))
        below = foot(line, p)
        # Seen from P, moved to the centre, a line through P is a diameter; the limiting ones lie at +-Pi(d).
        x, y = ball.mobius_add(-p, below)
        turns = math.atan2(y, x) + torch.linspace(limit, math.pi - limit, 18, dtype=torch.float64)[1:-1]
        start, end = (ball.mobius_add(p.expand(len(turns), 2), ideal_point(t, c)) for t in (turns, turns + math.pi))
        disk.segment(start, end, color="green", width=0.8, alpha=0.7)
        for parallel in limiting_parallels(line, p):
            disk.line(parallel, color="red", width=2.0)
        disk.segment(p, below, width=1.2, style="--")
        disk.angle(below, p, b, radius=0.07)
        disk.ax.set_title(f"$d$ = {distance:.4f},  $\\Pi(d)$ = {math.degrees(limit):.2f}°")
    disk.point(points, label=["$A$", "$B$", "$P$"])


def _draw_triangle(disk: Disk, points: torch.Tensor, explorer: Explorer) -> None:
    disk.polygon(points, fill="orange")
    disk.point(points, label=["$A$", "$B$", "$C$"])
    total = math.degrees(triangle_angles(*points, disk.c).sum())
    disk.ax.set_title(f"angles {total:.2f}°,  area {triangle_defect(*points, disk.c) / disk.c:.4f}")


def _draw_tree(disk: Disk, points: torch.Tensor, explorer: Explorer) -> None:
    points = points.numpy() * math.sqrt(disk.c)
    ends = points[np.array(explorer.edges, dtype=int).reshape(-1, 2)]
    # What is smaller than a dot is not seen in print; leaving it out keeps large trees small.
    ends = ends[np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1) > 0.02]
    if len(ends):
        path = Path.make_compound_path(*(disk._geodesics(pair) for pair in ends))
        disk._add(path, fill=False, ec="grey", lw=0.7)
    groups = np.array(explorer.groups or [0] * len(points), dtype=int) % len(CYCLE)
    large = np.linalg.norm(points, axis=-1) < 0.97
    for group in np.unique(groups):
        disk.ax.plot(*points[large & (groups == group)].T, "o", ms=2.4, color=CYCLE[group], zorder=5)
    for i in np.argsort(np.linalg.norm(points, axis=-1))[:9] if explorer.labels else ():
        disk.text(points[i] / math.sqrt(disk.c), explorer.labels[i], size=9)
