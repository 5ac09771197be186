// Drawing and dragging. All geometry is in geometry.js; what is here turns it into SVG and pointers into points.
// Two frames: the *world* holds the model's points (Poincare disk of curvature -c); a *view* point is where the world's
// point is seen once `center` has been brought to the middle and the disk scaled to radius 1 (curvature -1).

import {
  along, centreFor, distance, foot, fromHalfPlane, fromKlein, idealPoints, middle, mobiusAdd, parallelAngle, seenFrom,
  toHalfPlane, toKlein, travel, triangle, unit,
} from "./geometry.js";

const SIZE = 440; // each picture is SIZE x SIZE in its own units
const MID = SIZE / 2;
const FAR = 1e6; // beyond this a page coordinate of the half-plane is as good as infinite
const RIM = 0.995; // handles stay inside this radius of the unit disk: a pixel beyond is a whole unit of length

const CHARTS = {
  disk: { title: "Poincaré disk", to: (u) => u, from: (u) => u, origin: [MID, MID], unit: 200 },
  "half-plane": {
    title: "upper half-plane", to: (u) => toHalfPlane(u, 1), from: (h) => fromHalfPlane(h, 1),
    origin: [MID, SIZE - 30], unit: 84,
  },
  klein: {
    title: "Klein disk", to: (u) => toKlein(u, 1), from: (k) => fromKlein(k, 1), origin: [MID, MID], unit: 200,
  },
};

// The handles of each mode; a tree has none, its points are the data.
const NAMES = { line: ["A", "B"], parallels: ["A", "B", "P"], triangle: ["A", "B", "C"], tree: [] };

const degrees = (radians, digits = 1) => `${((radians * 180) / Math.PI).toFixed(digits)}°`;
const escape = (text) => String(text).replace(/[&<>"]/g, (ch) => `&#${ch.charCodeAt(0)};`);
const minus = (p, q) => [p[0] - q[0], p[1] - q[1]];
const plus = (p, v, t = 1) => [p[0] + t * v[0], p[1] + t * v[1]];
const xy = (p) => `${p[0].toFixed(2)} ${p[1].toFixed(2)}`;

// --- pieces of geodesics: three view points each, from, via, to; any chart draws them as one circular arc ------------

const segment = (p, q) => [p, along(p, q, 0.5, 1), q];
const ray = (p, end) => [p, travel(p, seenFrom(p, end, 1), 1, 1), end];
const line = (e, f) => [e, middle(e, f, 1), f];

/** One chart on the page: where view points are drawn, and back. */
class Chart {
  constructor(name) {
    Object.assign(this, CHARTS[name], { name });
  }

  page(u) {
    const [x, y] = this.to(u);
    return [this.origin[0] + this.unit * x, this.origin[1] - this.unit * y];
  }

  view([x, y]) {
    const at = [(x - this.origin[0]) / this.unit, (this.origin[1] - y) / this.unit];
    if (this.name === "half-plane") at[1] = Math.max(at[1], 0.01);
    const r = Math.hypot(...at);
    // Outside of the disk, Klein's chart has no points: the nearest one on the rim is meant.
    const u = this.from(this.name === "klein" && r > 1 ? plus([0, 0], at, 1 / r) : at);
    const radius = Math.hypot(...u);
    return radius > RIM ? plus([0, 0], u, RIM / radius) : u;
  }

  contains(page) {
    return this.name === "half-plane" ? page[1] < this.origin[1] : Math.hypot(...minus(page, this.origin)) < this.unit;
  }

  /** The half-plane zooms out, an isometry, until every handle is on the page. */
  fit(points) {
    if (this.name !== "half-plane") return;
    const reach = points.map((u) => this.to(u)).map(([x, y]) => Math.max(Math.abs(x) / (MID - 24), y / (SIZE - 70)));
    this.unit = Math.min(CHARTS[this.name].unit, 1 / Math.max(...reach, 1e-9));
  }

  /** SVG path of a chain of pieces. A piece whose `rim` is set runs along the rim instead of along a geodesic. */
  path(...pieces) {
    const arcs = pieces.map((piece) => this.arc(...piece.map((u) => this.page(u)), piece.rim));
    return `M${arcs.join("L")}`;
  }

  arc(a, m, b, rim) {
    const far = (p) => Math.abs(p[0]) > FAR || Math.abs(p[1]) > FAR;
    if (rim && this.name === "half-plane") {
      if ((m[0] - a[0]) * (b[0] - m[0]) > 0) return `${xy(a)}L${xy(b)}`;
      // The rim passes through infinity: go round the page.
      const side = Math.sign(m[0] - a[0] || 1) * FAR;
      return `${xy(a)}H${side}V${-FAR}H${-side}V${a[1].toFixed(2)}H${b[0].toFixed(2)}`;
    }
    if (far(a)) a = [b[0], -FAR];
    if (far(b)) b = [a[0], -FAR];
    const [u, v, w] = [minus(m, a), minus(b, a), minus(b, m)];
    const bend = u[0] * v[1] - u[1] * v[0];
    if (far(m) || Math.abs(bend) <= 0.02 * Math.hypot(...v)) return `${xy(a)}L${xy(b)}`;
    const radius = ((Math.hypot(...u) * Math.hypot(...v) * Math.hypot(...w)) / (2 * Math.abs(bend))).toFixed(2);
    const large = u[0] * w[0] + u[1] * w[1] < 0 ? 1 : 0; // the inscribed angle at m is acute
    return `${xy(a)}A${radius} ${radius} 0 ${large} ${bend > 0 ? 1 : 0} ${xy(b)}`;
  }

  /** The unit vector on the page along which the geodesic from p to q sets out. */
  heading(p, q) {
    return unit(minus(this.page(travel(p, seenFrom(p, q, 1), 1e-4, 1)), this.page(p)));
  }

  /** Circles of radius step, 2 step, ... about the middle of the view, as far as one can tell them from the rim. */
  rings(step) {
    return [1, 2, 3, 4, 5].map((i) => {
      const r = Math.tanh((i * step) / 2), [x, top] = this.page([0, r]), bottom = this.page([0, -r])[1];
      const radius = (bottom - top) / 2, hidden = this.name !== "half-plane" && radius > this.unit - 6;
      const [cy, size] = [bottom - radius, radius].map((v) => v.toFixed(2));
      return hidden ? "" : `<circle class="ring" cx="${x}" cy="${cy}" r="${size}"/>`;
    }).join("");
  }

  rim() {
    const axis = this.origin[1];
    return this.name === "half-plane"
      ? `<path class="world" d="M0 0H${SIZE}V${axis}H0Z"/><path class="rim" d="M0 ${axis}H${SIZE}"/>`
      : `<circle class="world rim" cx="${MID}" cy="${MID}" r="${this.unit}"/>`;
  }
}

// --- scenes: what each mode draws, and what it reads out -------------------------------------------------------------
// A scene is { draw(chart) -> svg, rows, note, busy, beside?, bar?, title?, links? }. A row is [key, label, value, how
// to show it, its colour]; busy holds for each handle the view points towards which something leaves it, so that its
// name keeps clear of them.

/** A round length that shows well at curvature -c: 1 around c = 1. */
const unitLength = (c) => [0.2, 0.5, 1, 2].find((d) => Math.sqrt(c) * d > 0.6) ?? 5;

/** The width of a name on the page, in the bold type of .node-label.chosen. */
const ruler = document.createElement("canvas").getContext("2d");
const labelWidth = (name) => {
  ruler.font = "700 13px system-ui, sans-serif";
  return ruler.measureText(name).width;
};

const stroke = (chart, kind, ...pieces) => `<path class="${kind}" d="${chart.path(...pieces)}"/>`;
const spot = (chart, kind, u, r = 3) => {
  const [x, y] = chart.page(u);
  return Math.abs(x) < FAR ? `<circle class="${kind}" cx="${x.toFixed(2)}" cy="${y.toFixed(2)}" r="${r}"/>` : "";
};

function text(page, content, kind = "") {
  return `<text class="${kind}" x="${page[0].toFixed(2)}" y="${page[1].toFixed(2)}">${escape(content)}</text>`;
}

/** The direction on the page in which p has most room between what leaves it towards the `targets`. */
function clearWay(chart, p, targets) {
  const ways = targets.map((q) => chart.heading(p, q)).map(([x, y]) => Math.atan2(y, x)).sort((a, b) => a - b);
  const gaps = ways.map((way, i) => [(i + 1 < ways.length ? ways[i + 1] : ways[0] + 2 * Math.PI) - way, way]);
  const [gap, way] = gaps.reduce((best, each) => (each[0] > best[0] + 1e-6 ? each : best), [0, -Math.PI]);
  return [Math.cos(way + gap / 2), Math.sin(way + gap / 2)];
}

/** The sector (or the square of a right angle) at p between the directions of q and r. */
function corner(chart, kind, p, q, r, { size = 26, label = "", right = false } = {}) {
  const [at, a, b] = [chart.page(p), chart.heading(p, q), chart.heading(p, r)];
  const room = Math.min(...[q, r].map((end) => Math.hypot(...minus(chart.page(end), at))));
  const s = Math.min(size, 0.4 * room);
  const [from, to, tip] = [plus(at, a, s), plus(at, b, s), plus(plus(at, a, s), b, s)];
  const sweep = a[0] * b[1] - a[1] * b[0] > 0 ? 1 : 0;
  const inner = right ? `L${xy(tip)}L${xy(to)}` : `A${s.toFixed(2)} ${s.toFixed(2)} 0 0 ${sweep} ${xy(to)}`;
  const name = label && s > 14 ? text(plus(at, unit(plus(a, b)), s + 15), label, "angle-label") : "";
  return `<path class="corner ${kind}" d="M${xy(at)}L${xy(from)}${inner}Z"/>${name}`;
}

const SCENES = {
  line([A, B], view, c) {
    const [a, b] = [A, B].map(view), ends = idealPoints(a, b, 1), d = distance(A, B, c);
    const ticks = [];
    const step = unitLength(c) / 2;
    for (let i = 1; i * step < d && i < 60; i++) ticks.push(travel(a, seenFrom(a, b, 1), Math.sqrt(c) * i * step, 1));
    return {
      draw: (chart) =>
        stroke(chart, "line", line(...ends)) + ends.map((e) => spot(chart, "ideal", e)).join("") +
        stroke(chart, "line strong", segment(a, b)) + ticks.map((t) => spot(chart, "tick", t, 2.5)).join(""),
      busy: [[b, ends[0]], [ends[1], a]],
      rows: [
        ["distance", "distance d(A, B)", d],
        ["flat", "length in the disk |A − B|", Math.hypot(...minus(A, B))],
      ],
      note: d ? `A tick every ${step} on the way from A to B. The rim is infinitely far away.` : "A and B coincide.",
    };
  },

  parallels([A, B, P], view, c) {
    const [a, b, p] = [A, B, P].map(view), ends = idealPoints(a, b, 1), f = foot(p, a, b, 1);
    const d = distance(P, foot(P, A, B, c), c), limit = parallelAngle(d, c);
    const onLine = Math.sqrt(c) * d < 1e-6;
    // Seen from P the limiting rays leave at +-Pi about the perpendicular, so the lines that miss fill what is left.
    const towards = seenFrom(p, f, 1), start = Math.atan2(towards[1], towards[0]);
    const direction = (t) => mobiusAdd(p, [Math.cos(start + t), Math.sin(start + t)], 1);
    const through = (t) => line(direction(t), direction(t + Math.PI));
    const wedge = (from, to) => {
      const rim = [direction(from), direction((from + to) / 2), direction(to)];
      rim.rim = true;
      return [ray(p, rim[0]), rim, ray(p, rim[2]).reverse()];
    };
    const gap = Math.PI - 2 * limit, count = 2 * Math.round((gap * 18) / Math.PI) + 1;
    const fan = Array.from({ length: count }, (_, i) => limit + (gap * (i + 1)) / (count + 1));
    return {
      draw: (chart) =>
        (onLine ? "" :
          stroke(chart, "missing-area", ...wedge(limit, Math.PI - limit)) +
          stroke(chart, "missing-area", ...wedge(Math.PI + limit, 2 * Math.PI - limit)) +
          fan.map((t) => stroke(chart, "missing", through(t))).join("") +
          [limit, -limit].map((t) => stroke(chart, "limiting", through(t))).join("") +
          stroke(chart, "perpendicular", segment(p, f)) + corner(chart, "right", f, p, b, { size: 11, right: true }) +
          corner(chart, "pi", p, f, direction(limit), { size: 38, label: "Π" })) +
        stroke(chart, "line strong", line(...ends)) + ends.map((e) => spot(chart, "ideal", e)).join(""),
      busy: [
        [b, ends[0], p], [ends[1], a, p],
        [0, Math.PI / 2, -Math.PI / 2, limit, -limit, Math.PI + limit, Math.PI - limit].map(direction),
      ],
      rows: [
        ["distance", "distance d from P to the line", d],
        ["parallel_angle", "angle of parallelism Π(d)", limit, degrees(limit, 2)],
        ["fan", "the lines that miss it fill 180° − 2Π", gap, degrees(gap, 2)],
      ],
      note: onLine ? "P lies on the line." : "Π(d) = 2 atan(exp(−√c·d)): only Euclid's plane has Π = 90° for every d.",
    };
  },

  triangle([A, B, C], view, c) {
    const t = triangle(A, B, C, c), corners = [A, B, C].map(view);
    const [p, q, r] = corners;
    return {
      draw: (chart) =>
        stroke(chart, "area", segment(p, q), segment(q, r), segment(r, p)) +
        corners.map((u, i) =>
          corner(chart, `a${i}`, u, corners[(i + 1) % 3], corners[(i + 2) % 3])).join(""),
      busy: corners.map((_, i) => [corners[(i + 1) % 3], corners[(i + 2) % 3]]),
      beside: t.angles.map((each) => degrees(each, 0)),
      bar: t.angles,
      rows: [
        ...["alpha", "beta", "gamma"].map((key, i) =>
          [key, `angle at ${"ABC"[i]}`, t.angles[i], degrees(t.angles[i], 2), `a${i}`]),
        ["sum", "sum of the angles", t.sum, degrees(t.sum, 2)],
        ["defect", "defect 180° − sum", t.defect, `${degrees(t.defect, 2)} = ${t.defect.toFixed(4)}`],
        ["area", "area = defect / c", t.area],
        ...["BC", "CA", "AB"].map((side, i) => [side, `side ${side}`, t.sides[i]]),
      ],
      note: "No triangle reaches 180°, and none has an area of more than π/c.",
    };
  },
};

/** A tree or any labelled point set: the plane is moved, not its points, so whatever is in the middle is seen large. */
SCENES.tree = (points, view, c, model, hover) => {
  const edges = model.get("edges"), labels = model.get("labels"), groups = model.get("groups");
  const chosen = model.get("selected"), seen = points.map(view), size = seen.map(([x, y]) => 1 - x * x - y * y);
  const name = (i) => labels[i] ?? `point ${i}`;
  const near = edges.filter((edge) => edge.includes(chosen)).map(([i, j]) => (i === chosen ? j : i));
  const path = (chart, kind, list) =>
    `<path class="${kind}" d="${list.map(([i, j]) => chart.path(segment(seen[i], seen[j]))).join("")}"/>`;
  return {
    draw(chart) {
      const visible = edges.filter(([i, j]) => size[i] > 2e-3 || size[j] > 2e-3);
      // One path for all dots of a colour and size: a round cap of a stroke without length.
      const dots = new Map();
      const pages = seen.map((u) => chart.page(u));
      pages.forEach(([x, y], i) => {
        if (size[i] < 1e-3 || Math.abs(x) > SIZE * 2 || Math.abs(y) > SIZE * 2) return;
        const key = `g${(groups[i] ?? 0) % 7}" stroke-width="${Math.max(3, Math.round(11 * size[i] ** 0.6))}`;
        dots.set(key, `${dots.get(key) ?? ""}M${x.toFixed(4)} ${y.toFixed(4)}h0`);
      });
      // Names from the middle outwards, wherever one does not cover another; those asked for come first, and move up or
      // down rather than yield.
      const taken = [], shown = [];
      const urgent = (i) => (i === hover ? 2 : i === chosen ? 1 : 0);
      const order = points.map((_, i) => i).filter((i) => size[i] > 0.03 || urgent(i));
      for (const i of order.sort((a, b) => urgent(b) - urgent(a) || size[b] - size[a])) {
        const [x, y] = pages[i], width = labelWidth(name(i)) + 8, left = x + width > SIZE ? x - width - 4 : x + 8;
        const box = (dy) => [left, y + dy - 9, left + width, y + dy + 9];
        const free = (dy) => taken.every((b) => {
          const [x0, y0, x1, y1] = box(dy);
          return x0 > b[2] || x1 < b[0] || y0 > b[3] || y1 < b[1];
        });
        const dy = (urgent(i) ? [0, -19, 19] : [0]).find(free);
        if (shown.length > 40 || x < 0 || x > SIZE || y < 0 || y > SIZE || dy === undefined) continue;
        taken.push(box(dy));
        shown.push(text([left, y + dy], name(i), urgent(i) ? "node-label chosen" : "node-label"));
      }
      const marked = [hover, chosen].filter((i) => seen[i]).map((i) => spot(chart, "mark", seen[i], 9)).join("");
      return path(chart, "edge", visible) + path(chart, "edge strong", near.map((i) => [chosen, i])) +
        [...dots].map(([key, d]) => `<path class="node ${key}" d="${d}"/>`).join("") + marked + shown.join("");
    },
    busy: [],
    rows: seen[chosen] ? [
      ["origin", "distance from the origin", distance([0, 0], points[chosen], c)],
      ["between", `distance to ${hover < 0 ? "what you point at" : name(hover)}`,
        hover < 0 ? 0 : distance(points[chosen], points[hover], c), hover < 0 ? "–" : undefined],
    ] : [],
    title: seen[chosen] ? name(chosen) : "",
    links: seen[chosen] ? near.map((i) => [i, name(i)]) : [],
    note: `${points.length} points, ${edges.length} edges. What is small at the rim is large once it is in the middle.`,
  };
};

// --- the widget -----------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function element(parent, tag, attributes = {}, content = "") {
  const drawn = parent.namespaceURI === SVG || tag === "svg";
  const node = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (content) node.textContent = content;
  return parent.appendChild(node);
}

/** JupyterLab and its exports say on <body> which theme they show; elsewhere the reader's own preference counts. */
function followTheme(root) {
  const body = (window.frameElement?.ownerDocument ?? document).body;
  const preference = matchMedia("(prefers-color-scheme: dark)");
  const update = () => {
    const light = body.dataset.jpThemeLight;
    root.classList.toggle("dark", light ? light === "false" : preference.matches);
  };
  const observer = new MutationObserver(update);
  observer.observe(body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  preference.addEventListener("change", update);
  update();
  return () => {
    observer.disconnect();
    preference.removeEventListener("change", update);
  };
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function render({ model, el }) {
  const mode = model.get("mode"), names = NAMES[mode];
  const root = element(el, "div", { class: "hyp-explorer", role: "group", "aria-label": model.get("alt") });
  const stopTheme = followTheme(root);
  // Focus is shown to those who move by keys. Browsers differ on whether a focus set during a drag is visible.
  root.addEventListener("pointerdown", () => root.classList.add("pointing"));
  for (const press of ["keydown", "keyup"]) root.addEventListener(press, () => root.classList.remove("pointing"));
  const many = model.get("models").length > 1;
  const pictures = element(root, "div", { class: many ? "hyp-pictures many" : "hyp-pictures" });
  const panel = element(root, "div", { class: "hyp-panel" });
  const initial = Object.fromEntries(["c", "points", "center", "selected"].map((key) => [key, model.get(key)]));

  const toView = (p) => {
    const c = model.get("c"), s = Math.sqrt(c), u = seenFrom(model.get("center"), p, c);
    return [s * u[0], s * u[1]];
  };
  const toWorld = (u) => {
    const c = model.get("c"), s = Math.sqrt(c);
    return mobiusAdd(model.get("center"), [u[0] / s, u[1] / s], c);
  };
  const change = (values) => {
    for (const [key, value] of Object.entries(values)) model.set(key, value);
    model.save_changes();
  };
  // Beyond sqrt(c) d = 28 a coordinate of the disk has no digits left to move by.
  const holds = (p) => Math.sqrt(model.get("c")) * Math.hypot(...p) < 1 - 1e-12;
  const movePoint = (i, u) => {
    const moved = toWorld(u);
    if (holds(moved)) change({ points: model.get("points").map((p, j) => (j === i ? moved : p)) });
  };
  const recentre = (center) => holds(center) && change({ center });
  let hover = -1, animation = 0;
  const NEAR = 14; // page units within which the pointer means a node
  const nodeAt = (chart, page, within = NEAR) => {
    if (mode !== "tree") return -1;
    const gaps = model.get("points").map((p) => Math.hypot(...minus(chart.page(toView(p)), page)));
    const best = gaps.reduce((least, gap, i) => (gap < gaps[least] ? i : least), 0);
    return gaps[best] < within ? best : -1;
  };
  /** Selects a node and glides to it along the geodesic. */
  const visit = (i) => {
    const from = model.get("center"), to = model.get("points")[i], start = performance.now();
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 600;
    const glide = (now) => {
      const t = length ? Math.min(1, (now - start) / length) : 1;
      change({ center: t < 1 ? along(from, to, t * t * (3 - 2 * t), model.get("c")) : to });
      animation = t < 1 ? requestAnimationFrame(glide) : 0;
    };
    cancelAnimationFrame(animation);
    change({ selected: i });
    glide(start);
  };
  const panTo = (world, u) => {
    const s = Math.sqrt(model.get("c"));
    recentre(centreFor(world, [u[0] / s, u[1] / s], model.get("c")));
  };

  // Pictures: the drawing is replaced at every change, the handles stay, so that they keep focus and pointer.
  const views = model.get("models").map((name) => {
    const chart = new Chart(name);
    const figure = element(pictures, "figure");
    const svg = element(figure, "svg", {
      viewBox: `0 0 ${SIZE} ${SIZE}`, tabindex: 0, role: "group",
      "aria-label": `${chart.title}. Arrow keys move the plane, Shift for small steps` +
        (mode === "tree" ? ", Enter selects the point nearest to the middle." : "."),
    });
    if (many) element(figure, "figcaption", {}, chart.title);
    const drawing = element(svg, "g", { class: "drawing" });
    const handles = names.map((label, i) => {
      const handle = element(svg, "g", { class: `handle h${i}`, tabindex: 0, role: "button" });
      element(handle, "circle", { class: "target", r: 22 });
      element(handle, "circle", { class: "knob", r: 7.5 });
      element(handle, "text", {}, label);
      return handle;
    });
    const view = { chart, svg, drawing, handles, dragging: null };
    listen(view);
    return view;
  });

  function listen(view) {
    const { chart, svg, handles } = view;
    const at = (event) => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [p.x, p.y];
    };
    svg.addEventListener("pointerdown", (event) => {
      const i = handles.findIndex((handle) => handle.contains(event.target)), page = at(event);
      if (event.button || (i < 0 && !chart.contains(page))) return;
      cancelAnimationFrame(animation);
      // A handle keeps its place under the pointer; the plane is held at the world's point that was grabbed.
      const world = toWorld(chart.view(page));
      const offset = i < 0 ? [0, 0] : minus(chart.page(toView(model.get("points")[i])), page);
      view.dragging = {
        from: page,
        moved: i >= 0,
        to: (p) => (i < 0 ? panTo(world, chart.view(p)) : movePoint(i, chart.view(plus(p, offset)))),
      };
      svg.setPointerCapture(event.pointerId);
      root.classList.add("dragging");
      (handles[i] ?? svg).focus({ preventScroll: true });
      event.preventDefault();
    });
    svg.addEventListener("pointermove", (event) => {
      const page = at(event), { dragging } = view;
      // A hand that shakes during a click does not drag.
      if (dragging) dragging.moved ||= Math.hypot(...minus(page, dragging.from)) > 3;
      if (dragging?.moved) dragging.to(page);
      const node = dragging ? -1 : nodeAt(chart, page);
      if (node !== hover) {
        hover = node;
        redraw();
      }
    });
    svg.addEventListener("pointerup", (event) => {
      const node = view.dragging && !view.dragging.moved ? nodeAt(chart, at(event)) : -1;
      if (node >= 0) visit(node);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      svg.addEventListener(end, () => {
        view.dragging = null;
        root.classList.remove("dragging");
        redraw();
      });
    }
    svg.addEventListener("pointerleave", () => {
      if (hover >= 0) redraw();
      hover = -1;
    });
    svg.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (event.key === "Home") reset();
      if (event.key === "Enter") {
        const node = nodeAt(chart, chart.page([0, 0]), Infinity);
        if (node >= 0) visit(node);
      }
      if (!arrow) return;
      event.preventDefault();
      const step = event.shiftKey ? 0.01 : 0.1, i = handles.indexOf(document.activeElement);
      // The key means a direction on the page, in whatever chart that is; the step is a length of the plane.
      const from = i >= 0 ? toView(model.get("points")[i]) : [0, 0];
      const ahead = seenFrom(from, chart.view(plus(chart.page(from), arrow, 0.1)), 1), u = travel(from, ahead, step, 1);
      if (i < 0) recentre(toWorld(u));
      else if (Math.hypot(...u) <= RIM) movePoint(i, u);
    });
  }

  // Panel: the curvature, the numbers, a sentence.
  const head = element(panel, "div", { class: "hyp-head" });
  const curvature = element(head, "label", { class: "hyp-curvature" });
  const curvatureText = element(curvature, "span");
  if (model.get("slider")) {
    const range = element(curvature, "input", {
      type: "range", min: -1, max: 1, step: 0.01, "aria-label": "c, minus the curvature",
    });
    // Every point keeps its distance and direction from the origin, as far as handles may go. What stood there before
    // the slider was touched is remembered, so that sliding back restores it.
    const farthest = names.length ? 2 * Math.atanh(RIM) : 20;
    let before, after = [];
    range.addEventListener("input", () => {
      const now = ["c", "points", "center"].map((key) => model.get(key)), c = 10 ** range.value;
      if (now[1] !== after[0] || now[2] !== after[1]) before = now;
      const keep = (p) => travel([0, 0], p, Math.min(distance([0, 0], p, before[0]), farthest / Math.sqrt(c)), c);
      after = [before[1].map(keep), keep(before[2])];
      change({ c, points: after[0], center: after[1] });
    });
    curvature.range = range;
  }
  const button = element(head, "button", { type: "button", title: "Back to the start (Home)" }, "Reset");
  button.addEventListener("click", () => reset());
  const reset = () => change(initial);
  if (mode === "tree" && model.get("labels").length) {
    // A datalist is found by an id of the whole document, in which there may be several explorers.
    const id = `hyp-explorer-${Math.random().toString(36).slice(2)}`, labels = model.get("labels");
    const find = element(panel, "input", {
      type: "search", list: id, placeholder: "Find …", "aria-label": "Find a point by its name",
    });
    const list = element(panel, "datalist", { id });
    for (const label of labels) element(list, "option", { value: label });
    find.addEventListener("change", () => {
      const i = labels.indexOf(find.value);
      if (i >= 0) visit(i);
    });
  }
  const title = element(panel, "p", { class: "hyp-title" });
  const links = element(panel, "p", { class: "hyp-links" });
  links.addEventListener("click", (event) => {
    if (event.target.dataset.node) visit(Number(event.target.dataset.node));
  });
  const bar = element(panel, "div", { class: "hyp-bar", "aria-hidden": "true" });
  const table = element(panel, "dl");
  const note = element(panel, "p", { class: "hyp-note" });
  const [hint, enter] = mode === "tree"
    ? ["Drag the plane, point at what you want to read, click to go there.", ", Enter for what is in the middle"]
    : ["Drag a point, or the plane itself.", ""];
  element(panel, "p", { class: "hyp-hint" }, `${hint} Or: Tab, then arrow keys (Shift: small steps)${enter}.`);
  const live = element(panel, "p", { class: "hyp-for-screen-readers", "aria-live": "polite" });
  let speaking;

  function drawPanel(c, scene) {
    curvatureText.textContent = `curvature −c = −${c.toPrecision(3)}`;
    if (curvature.range && document.activeElement !== curvature.range) curvature.range.value = Math.log10(c);
    table.innerHTML = scene.rows.map(([key, label, value, shown, kind]) =>
      `<div><dt>${kind ? `<i class="${kind}"></i>` : ""}${escape(label)}</dt>` +
      `<dd data-key="${key}" data-value="${value}">${shown ?? value.toFixed(4)}</dd></div>`).join("");
    bar.hidden = !scene.bar;
    bar.innerHTML = (scene.bar ?? [])
      .map((a, i) => `<i class="a${i}" style="width:${(a / Math.PI) * 100}%"></i>`).join("") + "<span>defect</span>";
    note.textContent = scene.note;
    title.textContent = scene.title ?? "";
    // Replaced only when they change, so that the button that was pressed keeps the focus during a glide.
    const buttons = (scene.links ?? [])
      .map(([i, name]) => `<button type="button" data-node="${i}">${escape(name)}</button>`).join("");
    if (links.innerHTML !== buttons) links.innerHTML = buttons;
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      const spoken = scene.rows.map(([, label, value, shown]) => `${label}: ${shown ?? value.toFixed(2)}`);
      live.textContent = [scene.title, ...spoken].filter(Boolean).join(", ");
    }, 600);
  }

  function draw() {
    const c = model.get("c"), points = model.get("points");
    if (hover >= points.length) hover = -1;
    const scene = SCENES[mode](points, toView, c, model, hover);
    const seen = points.map(toView), step = Math.sqrt(c) * unitLength(c);
    for (const { chart, drawing, handles, dragging } of views) {
      if (!dragging) chart.fit(handles.length ? seen : []);
      drawing.innerHTML = chart.rim() + chart.rings(step) + scene.draw(chart);
      handles.forEach((handle, i) => {
        const [x, y] = chart.page(seen[i]);
        handle.setAttribute("transform", `translate(${x} ${y})`);
        handle.setAttribute("aria-label",
          `Point ${names[i]} at ${points[i].map((v) => v.toFixed(2)).join(", ")}. ` +
          "Arrow keys move it, Shift for small steps.");
        const way = clearWay(chart, seen[i], scene.busy[i]), name = handle.lastChild;
        // The text's anchor says which share of it lies to the left. Where it would leave the page, it moves back in
        // and above or below the knob.
        const left = way[0] > 0.4 ? 0 : way[0] < -0.4 ? 1 : 0.5, width = scene.beside ? 46 : 14;
        const inside = (v, before, after) => Math.min(Math.max(v, before + 2), SIZE - after - 2);
        const wanted = x + 19 * way[0], room = inside(wanted, left * width, (1 - left) * width);
        const height = 19 * (Math.abs(room - wanted) < 6 ? way[1] : way[1] < 0 ? -1 : 1);
        name.setAttribute("x", (room - x).toFixed(2));
        name.setAttribute("y", (inside(y + height, 10, 10) - y).toFixed(2));
        name.style.textAnchor = ["start", "middle", "end"][2 * left];
        name.innerHTML = names[i] + (scene.beside ? ` <tspan>${scene.beside[i]}</tspan>` : "");
      });
    }
    drawPanel(c, scene);
  }

  let frame = 0;
  const redraw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };
  const watched = ["c", "points", "center", "selected", "edges", "labels", "groups"].map((key) => `change:${key}`);
  for (const event of watched) model.on(event, redraw);
  draw();
  return () => {
    for (const event of watched) model.off(event, redraw);
    cancelAnimationFrame(frame);
    cancelAnimationFrame(animation);
    clearTimeout(speaking);
    stopTheme();
  };
}

export default { render };
