"""A film of points that move in the Poincare disk: one self-contained piece of HTML, without kernel or network."""

import html
import json
from string import Template

import torch
from torch import Tensor

from hyplearn.viz.style import COLORS, _check_alt

_PAGE = Template("""<!doctype html><html lang="en"><meta charset="utf-8"><title>$alt</title>
<style>body{margin:0;font:14px sans-serif;color:#222}canvas{display:block;max-width:100%}
div{display:flex;gap:8px;align-items:center;max-width:460px}input{flex:1}</style>
<canvas width="920" height="920" style="width:460px" role="img" aria-label="$alt"></canvas>
<div><button>Pause</button><input type="range" aria-label="frame" min="0" step="0.1" value="0"><span></span></div>
<script>
const film = $film;
const [canvas, button, slider, caption] = ["canvas", "button", "input", "span"].map(t => document.querySelector(t));
const pen = canvas.getContext("2d"), last = film.frames.length - 1, R = 450, O = 460;
slider.max = last;
function arc(p, q) {  // the geodesic: part of a circle at right angles to the rim
  const cross = p[0] * q[1] - p[1] * q[0];
  pen.moveTo(O + R * p[0], O - R * p[1]);
  if (Math.abs(cross) < 1e-4) return pen.lineTo(O + R * q[0], O - R * q[1]);
  const P = 1 + p[0] * p[0] + p[1] * p[1], Q = 1 + q[0] * q[0] + q[1] * q[1];
  const a = (P * q[1] - Q * p[1]) / (2 * cross), b = (Q * p[0] - P * q[0]) / (2 * cross);
  const from = Math.atan2(b - p[1], p[0] - a), to = Math.atan2(b - q[1], q[0] - a);
  let turn = (to - from) % (2 * Math.PI);
  if (turn < 0) turn += 2 * Math.PI;
  pen.arc(O + R * a, O - R * b, R * Math.sqrt(Math.max(a * a + b * b - 1, 1e-9)), from, to, turn > Math.PI);
}
function draw(t) {
  const k = Math.min(Math.floor(t), last), rest = t - k;
  const now = film.frames[k], next = film.frames[Math.min(k + 1, last)];
  const x = now.map((value, i) => (value + rest * (next[i] - value)) / 9999);
  const at = i => [x[2 * i], x[2 * i + 1]];
  pen.clearRect(0, 0, 920, 920);
  pen.lineWidth = 2; pen.strokeStyle = "#222";
  pen.beginPath(); pen.arc(O, O, R, 0, 7); pen.stroke();
  pen.lineWidth = 1; pen.globalAlpha = 0.45;
  film.edges.forEach(([i, j]) => {
    pen.strokeStyle = film.colors[i]; pen.beginPath(); arc(at(i), at(j)); pen.stroke(); });
  pen.globalAlpha = 1;
  film.colors.forEach((color, i) => {
    const p = at(i); pen.fillStyle = color;
    pen.beginPath(); pen.arc(O + R * p[0], O - R * p[1], 5, 0, 7); pen.fill(); });
  pen.fillStyle = "#222"; pen.font = "24px sans-serif"; pen.textAlign = "center";
  film.labels.forEach(([i, text]) => { const p = at(i); pen.fillText(text, O + R * p[0], O - R * p[1] - 10); });
  slider.value = t; caption.textContent = film.captions[Math.round(t)];
}
let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches, t = 0, before = null;
function tick(now) {
  if (playing) {
    t = t + (before === null ? 0 : (now - before) / 250);
    if (t >= last) { t = last; playing = false; }
    draw(t);
  }
  button.textContent = playing ? "Pause" : "Play";
  before = now; requestAnimationFrame(tick);
}
button.onclick = () => { if (!playing && t >= last) t = 0; playing = !playing; };
slider.oninput = () => { playing = false; t = Number(slider.value); draw(t); };
draw(0); requestAnimationFrame(tick);
</script>""")


class Film:
    """Points of the Poincare disk that move; displayed by a notebook with a slider and a button.

    Args:
        frames: T tensors (N, 2), the points in each frame, in the disk of radius 1.
        edges: (E, 2) pairs of points, joined by geodesics; an edge has the colour of its first point.
        captions: what to write below each frame.
        colors: for each point the name of one of the course's colours.
        labels: texts by the number of the point beside which they are written.
        alt: a sentence that describes the film, for readers who cannot see it.
    """

    def __init__(
        self, frames: list[Tensor], edges: Tensor, captions: list[str], colors: list[str], labels: dict[int, str], alt
    ):
        self.alt = _check_alt(alt)
        self.data = {
            "frames": [(frame.reshape(-1) * 9999).round().int().tolist() for frame in frames],
            "edges": torch.as_tensor(edges).tolist(),
            "captions": captions,
            "colors": [COLORS[color] for color in colors],
            "labels": list(labels.items()),
        }

    def page(self) -> str:
        """The film as a whole HTML page."""
        data = json.dumps(self.data, separators=(",", ":")).replace("</", "<\\/")
        return _PAGE.substitute(alt=html.escape(self.alt), film=data)

    def _repr_mimebundle_(self, **kwargs):
        frame = self.page().replace("&", "&amp;").replace("'", "&#39;")
        style = "width: 100%; height: 500px; border: 0"
        page = f"<iframe title='{html.escape(self.alt)}' style='{style}' srcdoc='{frame}'></iframe>"
        return {"text/html": page, "text/plain": f"[film: {self.alt}]"}, {"text/html": {"alt": self.alt}}
