"""The house style, and how a figure leaves Python: deterministic SVG with its description."""

import io
import os
import re
from html import escape
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

# Okabe and Ito (2008), "Color Universal Design": eight colours that colour-blind readers tell apart.
COLORS = {
    "ink": "#1a1a1a",
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "grey": "#8c8c8c",
    "light": "#d9d9d9",
    "paper": "#fbfaf6",
}
# In this order neighbours also differ in lightness, so that a grey print still separates them.
CYCLE = [COLORS[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "ink")]

RC = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "axes.edgecolor": COLORS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "butt",
    # Letters as outlines and ids from a fixed salt: the same bytes on every machine.
    "svg.fonttype": "path",
    "svg.hashsalt": "hyplearn",
}


def new_figure(width: float, height: float) -> Figure:
    """A figure of the given size in inches that belongs to no global state, so that no notebook shows it twice."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
    return figure


def chart(width: float = 6.0, height: float = 3.6, columns: int = 1, rows: int = 1, **subplots) -> tuple[Figure, Axes]:
    """A figure with ordinary axes in the house style: (figure, axes), as from `plt.subplots`."""
    figure = new_figure(width, height)
    with mpl.rc_context(RC):
        return figure, figure.subplots(rows, columns, **subplots)


def _bytes(figure: Figure, kind: str, dpi: float) -> bytes:
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        # Matplotlib fixes the font when a text is made, which for a title or an annotation is outside our rc_context.
        text.set_fontfamily(RC["font.family"])
        text.set_math_fontfamily(RC["mathtext.fontset"])
    with mpl.rc_context(RC):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


def svg(figure: Figure, alt: str) -> str:
    """The figure as SVG text whose <title> is the description `alt`: what a screen reader says."""
    text = _bytes(figure, "svg", 72).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"\n\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    return f'{head} role="img">\n <title>{escape(alt)}</title>{body}'


def _check_alt(alt: str) -> str:
    if not isinstance(alt, str) or len(alt.split()) < 4:
        raise ValueError("alt must describe the figure in a sentence, for readers who cannot see it")
    return " ".join(alt.split())


def show(figure: Figure, alt: str) -> None:
    """Displays the figure in a notebook, with `alt` in the output's metadata and as the caption under it.

    Outside a notebook the description is printed instead.

    Raises:
        ValueError: if `alt` is missing or shorter than four words.
    """
    alt = _check_alt(alt)
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = lambda: None  # noqa: E731
    if get_ipython() is None:
        print(f"[figure: {alt}]")
        return
    image = {"image/svg+xml": svg(figure, alt), "text/plain": f"[figure: {alt}]"}
    display(image, raw=True, metadata={"image/svg+xml": {"alt": alt}})
    display({"text/markdown": f"*{alt}*", "text/plain": ""}, raw=True)


def save(figure: Figure, path: str | os.PathLike, alt: str = "", dpi: float = 200) -> Path:
    """Writes the figure as .svg (needs `alt`) or .png, whole or not at all; the bytes depend on the figure only."""
    path = Path(path)
    if path.suffix not in (".svg", ".png"):
        raise ValueError(f"path must end in .svg or .png, got {str(path)!r}")
    data = svg(figure, _check_alt(alt)).encode() if path.suffix == ".svg" else _bytes(figure, "png", dpi)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
    return path
