"""The explorer in a real browser: its geometry against hyplearn's, its handles, its exports, its life in JupyterLab."""

import base64
import json
import math
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from importlib.resources import files

import nbformat
import pytest
import torch
import traitlets

from hyplearn import plane
from hyplearn.manifolds import PoincareBall
from hyplearn.viz import COLORS

Explorer = pytest.importorskip("hyplearn.viz.explorer", reason="anywidget is not installed").Explorer

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CURVATURES = (0.1, 0.5, 1.0, 2.0, 10.0)
STATIC = files("hyplearn.viz") / "static"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is missing")
    if CHROMIUM is None:
        pytest.skip("no Chromium found on the PATH: install the package chromium to test what happens in the page")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens HTML text in a browser without network; at the end the page must have reported no error."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    context.set_offline(True)
    errors = []

    def open_page(text):
        path = tmp_path / f"page{len(context.pages)}.html"
        path.write_text(text, "utf-8")
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    context.close()
    assert errors == []


def points_in(c, *shape, reach=5.0, seed=0):
    """Random points of the plane up to the distance reach/sqrt(c) from the origin, (*shape, 2)."""
    generator = torch.Generator().manual_seed(seed)
    radius, turn = torch.rand(2, *shape, dtype=torch.float64, generator=generator)
    unit = torch.stack(((2 * math.pi * turn).cos(), (2 * math.pi * turn).sin()), -1)
    return torch.tanh(radius * reach / 2).unsqueeze(-1) * unit / math.sqrt(c)


def state(page):
    return page.evaluate("Object.fromEntries(['points', 'center', 'c', 'selected'].map((k) => [k, explorer.get(k)]))")


def settle(page):
    """Waits until the page has drawn its state: two animation frames."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def values(page):
    """The numbers beside the picture, in full precision."""
    settle(page)
    return page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('dd')].map((d) => [d.dataset.key, +d.dataset.value]))"
    )


def at(page, handle, svg=0):
    """Where a handle is drawn, in pixels of the window."""
    settle(page)
    return page.evaluate(
        """([svg, handle]) => {
          const box = document.querySelectorAll("svg")[svg].querySelectorAll(".target")[handle].getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }""",
        [svg, handle],
    )


def drag(page, start, way, steps=4):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + way[0], start[1] + way[1], steps=steps)
    page.mouse.up()


def unit_in_pixels(page, unit=200):
    """Pixels for the radius of the disk."""
    return unit * page.evaluate("document.querySelector('svg').getScreenCTM().a")


# --- the geometry module ----------------------------------------------------------------------------------------------

SURVEY = """
async ([source, c, configurations]) => {
  const g = await import("data:text/javascript;base64," + source);
  return configurations.map(([p, q, r]) => {
    const t = g.triangle(p, q, r, c);
    return {
      mobius_add: g.mobiusAdd(p, q, c), seen: g.seenFrom(p, q, c), distance: g.distance(p, q, c),
      travel: g.travel(p, q, 0.7, c), along: g.along(p, q, 0.3, c), ideal: g.idealPoints(p, q, c),
      foot: g.foot(r, p, q, c), middle: g.middle(...g.idealPoints(p, q, c), c),
      parallel_angle: g.parallelAngle(g.distance(p, q, c), c),
      angles: t.angles, sum: t.sum, sides: t.sides, defect: t.defect, area: t.area, angle: g.angle(p, q, r, c),
      klein: g.toKlein(p, c), half: g.toHalfPlane(p, c),
      from_klein: g.fromKlein(g.toKlein(p, c), c), from_half: g.fromHalfPlane(g.toHalfPlane(p, c), c),
      centre: g.centreFor(p, q, c),
    };
  });
}
"""


@pytest.mark.parametrize("c", CURVATURES)
def test_the_page_computes_what_hyplearn_computes(open_page, c):
    """On 1,000 random triangles (200 for each c), to 1e-9 (relative for lengths, absolute in the disk of radius 1)."""
    from hyplearn.manifolds import HalfSpace, Klein
    from hyplearn.maps import convert

    corners = points_in(c, 200, 3, seed=int(10 * c))
    source = base64.b64encode((STATIC / "geometry.js").read_bytes()).decode()
    rows = open_page("<p>").evaluate(SURVEY, [source, c, corners.tolist()])
    page = {key: torch.tensor([row[key] for row in rows], dtype=torch.float64) for key in rows[0]}
    ball, (p, q, r) = PoincareBall(c), corners.unbind(1)
    line, s = plane.line_through(p, q, c), math.sqrt(c)
    defect, angles = plane.triangle_defect(p, q, r, c), plane.triangle_angles(p, q, r, c)
    towards = 0.7 * q / ball.norm(p, q).unsqueeze(-1)
    expected = {
        "mobius_add": ball.mobius_add(p, q),
        "seen": ball.mobius_add(-p, q),
        "distance": ball.dist(p, q),
        "travel": ball.expmap(p, towards),
        "along": ball.expmap(p, 0.3 * ball.logmap(p, q)),
        "ideal": line.ideal_points,
        "foot": plane.foot(line, r),
        "middle": plane.foot(line, torch.zeros_like(p)),
        "parallel_angle": plane.angle_of_parallelism(ball.dist(p, q), c),
        "angles": angles,
        "angle": angles[:, 0],
        "sum": angles.sum(-1),
        "sides": plane.triangle_sides(p, q, r, c),
        "defect": defect,
        "area": defect / c,
        "klein": convert(p, ball, Klein(c)),
        "half": convert(p, ball, HalfSpace(c)),
        "from_klein": p,
        "from_half": p,
    }
    on_the_page = {
        "mobius_add",
        "seen",
        "travel",
        "along",
        "ideal",
        "foot",
        "middle",
        "klein",
        "from_klein",
        "from_half",
    }
    for name, value in expected.items():
        scale = torch.tensor(1 / s) if name in on_the_page else value.abs().clamp_min(1e-3)
        assert ((page[name] - value).abs() / scale).max() < 1e-9, name
    # The centre for which p is seen at q: p moved by it comes to q.
    assert (ball.mobius_add(-page["centre"], p) - q).abs().max() * s < 1e-9
    assert set(page) == set(expected) | {"centre"}


def test_small_triangles_keep_their_defect(open_page):
    """A defect of 1e-12 from angles of size 1: pi minus their sum would have no digit left."""
    corners = torch.tensor([[0.3, 0.2], [0.3 + 1e-6, 0.2], [0.3, 0.2 + 1e-6]], dtype=torch.float64)
    source = base64.b64encode((STATIC / "geometry.js").read_bytes()).decode()
    (row,) = open_page("<p>").evaluate(SURVEY, [source, 1.0, [corners.tolist()]])
    assert row["defect"] == pytest.approx(float(plane.triangle_defect(*corners)), rel=1e-9)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_what_is_far_out_is_seen_sharply_from_nearby(open_page, c):
    """13 from the origin; the textbook's Mobius sum has lost ten of sixteen digits there."""
    ball, p = PoincareBall(c), points_in(c, 50, seed=1)
    p = ball.expmap0(13 / (2 * math.sqrt(c)) * p / p.norm(dim=-1, keepdim=True))
    step = points_in(c, 50, seed=2)
    q = ball.expmap(p, 0.7 * step / ball.norm(p, step).unsqueeze(-1))
    source = base64.b64encode((STATIC / "geometry.js").read_bytes()).decode()
    rows = open_page("<p>").evaluate(SURVEY, [source, c, torch.stack((p, q, -p), 1).tolist()])
    seen = torch.tensor([row["seen"] for row in rows], dtype=torch.float64)
    assert (seen - ball.mobius_add(-p, q)).abs().max() * math.sqrt(c) < 1e-9


# --- the exported page, without network -------------------------------------------------------------------------------


def exported(explorer):
    """A notebook with the explorer's output, as the course is built, and nbconvert's HTML of it."""
    from nbconvert import HTMLExporter

    data, metadata = explorer._repr_mimebundle_()
    del data["application/vnd.jupyter.widget-view+json"]
    output = nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("explorer", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    return notebook, HTMLExporter().from_notebook_node(notebook)[0]


def test_dragging_on_an_exported_page(open_page):
    page = open_page(exported(Explorer("triangle", c=0.5))[1])
    frame = page.frame_locator("iframe").owner.element_handle().content_frame()
    frame.wait_for_selector(".handle")
    settle(page)
    # One picture: the frame has grown to its content, the drawing has made way.
    assert page.locator("iframe").bounding_box()["height"] > 300
    assert not page.locator("figure > img").is_visible()
    before, scale = torch.tensor(state(frame)["points"]), unit_in_pixels(frame) * math.sqrt(0.5)
    page.locator("iframe").scroll_into_view_if_needed()
    box = page.locator("iframe").bounding_box()
    for i, way in enumerate([(31, -17), (-48, 22), (13, 40)]):
        x, y = at(frame, i)
        drag(page, (box["x"] + x, box["y"] + y), way)
    after = torch.tensor(state(frame)["points"], dtype=torch.float64)
    moves = torch.tensor([(31, 17), (-48, -22), (13, -40)]) / scale
    assert (after - before - moves).abs().max() < 1e-6
    shown, angles = values(frame), plane.triangle_angles(*after, 0.5)
    assert [shown["alpha"], shown["beta"], shown["gamma"]] == pytest.approx(angles.tolist(), abs=1e-9)
    assert shown["area"] == pytest.approx(float(plane.triangle_area(*after, 0.5)), abs=1e-9)
    assert shown["sum"] + shown["defect"] == pytest.approx(math.pi, abs=1e-9)


def test_without_scripts_the_drawing_is_shown(browser, tmp_path):
    (tmp_path / "page.html").write_text(exported(Explorer("parallels"))[1], "utf-8")
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    image = page.locator("figure > img")
    assert image.is_visible() and image.evaluate("image => image.naturalWidth") > 100
    assert page.locator("iframe").bounding_box()["height"] == 0
    context.close()


def test_parallels(open_page):
    page = open_page(Explorer("parallels", c=2.0).page())
    drag(page, at(page, 2), (40, 30))
    a, b, p = torch.tensor(state(page)["points"], dtype=torch.float64)
    d = plane.signed_distance(plane.line_through(a, b, 2.0), p).abs()
    limit = float(plane.angle_of_parallelism(d, 2.0))
    shown = values(page)
    assert shown["distance"] == pytest.approx(float(d), abs=1e-9)
    assert shown["parallel_angle"] == pytest.approx(limit, abs=1e-9)
    assert shown["fan"] == pytest.approx(math.pi - 2 * limit, abs=1e-9)
    assert page.locator(".limiting").count() == 2 and page.locator(".missing").count() > 5


def test_a_point_dragged_onto_the_line_has_no_fan(open_page):
    page = open_page(Explorer("parallels", points=[(-0.5, 0), (0.5, 0), (0.1, 0)]).page())
    assert page.locator(".missing").count() == 0
    assert "on the line" in page.locator(".hyp-note").inner_text()
    assert values(page)["parallel_angle"] == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("mode", ["line", "parallels", "triangle"])
def test_coincident_points_draw_nothing_broken(open_page, mode):
    points = [(0.2, 0.1)] * (2 if mode == "line" else 3)
    page = open_page(Explorer(mode, points=points, models=["disk", "half-plane", "klein"]).page())
    drawn = page.locator(".hyp-explorer").inner_html()
    assert "NaN" not in drawn and "Infinity" not in drawn


def test_handles_stay_in_the_plane(open_page):
    page = open_page(Explorer("line").page())
    drag(page, at(page, 1), (400, -300))
    assert math.hypot(*state(page)["points"][1]) == pytest.approx(0.995)


def test_dragging_the_plane_is_an_isometry(open_page):
    """What is grabbed stays under the pointer; no measured value changes; dragging back restores the picture."""
    page = open_page(Explorer("triangle", c=0.5).page())
    before, shown = state(page), values(page)
    scale = unit_in_pixels(page) * math.sqrt(0.5)
    page.mouse.move(*at(page, 0))
    x, y = page.evaluate(
        "(([b]) => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelector('svg').getClientRects())"
    )
    start, way = (x + 90, y - 120), (-70, 45)
    drag(page, start, way)
    after, ball = state(page), PoincareBall(0.5)
    center = torch.tensor(after["center"], dtype=torch.float64)
    grabbed = torch.tensor([90, 120], dtype=torch.float64) / scale
    assert (ball.mobius_add(-center, grabbed) - torch.tensor([20, 75]) / scale).abs().max() < 1e-6
    assert after["points"] == before["points"] and values(page) == shown
    drag(page, (start[0] + way[0], start[1] + way[1]), (-way[0], -way[1]))
    assert max(map(abs, state(page)["center"])) < 1e-9


def test_drag_in_one_model_and_all_move(open_page):
    from hyplearn.manifolds import HalfSpace, Klein
    from hyplearn.maps import convert

    page = open_page(Explorer("triangle", c=2.0, models=["disk", "half-plane", "klein"]).page())
    page.set_viewport_size({"width": 1300, "height": 800})
    settle(page)
    drag(page, at(page, 0, svg=2), (30, -20))  # in the Klein disk
    drag(page, at(page, 1, svg=1), (-12, -25))  # in the half-plane
    points, ball = torch.tensor(state(page)["points"], dtype=torch.float64), PoincareBall(2.0)
    assert (points - torch.tensor(Explorer("triangle", c=2.0).points)).norm(dim=-1)[:2].min() > 0.01
    zoom, axis = (
        page.evaluate(
            """() => [...document.querySelectorAll("svg")[1].querySelectorAll(".handle")]
          .map((h) => /translate\\((.*) (.*)\\)/.exec(h.getAttribute("transform")).slice(1).map(Number))"""
        ),
        410,
    )
    half = convert(points, ball, HalfSpace(2.0))
    drawn = torch.tensor(zoom, dtype=torch.float64)
    unit = (drawn[0, 0] - 220) / half[0, 0]  # the half-plane zooms until all handles are in it
    assert (drawn - torch.stack((220 + unit * half[:, 0], axis - unit * half[:, 1]), -1)).abs().max() < 1e-6
    klein = convert(points, ball, Klein(2.0)) * math.sqrt(2.0)
    for i in range(3):
        assert at(page, i, svg=2) == pytest.approx(
            page.evaluate(
                """([x, y]) => {
                  const svg = document.querySelectorAll("svg")[2];
                  const p = new DOMPoint(220 + 200 * x, 220 - 200 * y).matrixTransform(svg.getScreenCTM());
                  return [p.x, p.y];
                }""",
                klein[i].tolist(),
            ),
            abs=1e-3,
        )


def test_keyboard(open_page):
    page = open_page(Explorer("triangle", c=0.5, models=["disk", "half-plane"]).page())
    ball = PoincareBall(0.5)

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)
        settle(page)
        return torch.tensor(state(page)["points"], dtype=torch.float64)

    start = torch.tensor(state(page)["points"], dtype=torch.float64)
    page.keyboard.press("Tab")  # the plane of the first picture
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Point A at")
    ring = "getComputedStyle(document.activeElement.querySelector('.target')).stroke"
    assert page.evaluate(ring) != "none"
    moved = press("ArrowRight")
    assert float(ball.dist(start[0], moved[0])) == pytest.approx(0.1 / math.sqrt(0.5), abs=1e-9)
    assert moved[0, 0] > start[0, 0] and moved[0, 1] == pytest.approx(float(start[0, 1]), abs=3e-3)
    assert torch.equal(moved[1:], start[1:])
    fine = press("Shift+ArrowUp")
    assert float(ball.dist(moved[0], fine[0])) == pytest.approx(0.01 / math.sqrt(0.5), abs=1e-9)
    page.mouse.click(*at(page, 0))
    assert page.evaluate(ring) == "none"  # the pointer shows where it is by itself
    # In the half-plane "up" is up in that picture: a vertical line, whose foot does not move.
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    from hyplearn.manifolds import HalfSpace
    from hyplearn.maps import convert

    up = press("ArrowUp")
    before, after = (convert(x[0], ball, HalfSpace(0.5)) for x in (fine, up))
    assert after[0] == pytest.approx(float(before[0]), abs=1e-6)
    assert after[1] / before[1] == pytest.approx(math.exp(0.1), rel=1e-6)
    # On the plane itself the arrows move the view, and Home undoes everything.
    page.locator("svg").first.focus()
    press("ArrowRight")
    assert float(ball.dist0(torch.tensor(state(page)["center"]))) == pytest.approx(0.1 / math.sqrt(0.5), rel=1e-6)
    assert torch.equal(press("Home"), start) and state(page)["center"] == [0, 0]


def test_every_control_has_a_name(open_page):
    page = open_page(Explorer("triangle", slider=True).page())
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("[tabindex], button, input")]
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    page.wait_for_timeout(800)
    assert "sum of the angles" in page.locator("[aria-live]").inner_text()


def test_slider_keeps_distances_from_the_origin(open_page):
    page = open_page(Explorer("triangle", slider=True).page())

    def slide(key, times):
        for _ in range(times):
            page.keyboard.press(key)
        here = state(page)
        return here["c"], torch.tensor(here["points"], dtype=torch.float64)

    c, start = slide("Tab", 0)
    page.locator("input[type=range]").focus()
    c, points = slide("ArrowRight", 30)
    assert c == pytest.approx(10**0.3)
    assert (PoincareBall(c).dist0(points) - PoincareBall(1.0).dist0(start)).abs().max() < 1e-9
    c, points = slide("End", 1)  # so curved a plane that the handles stop short of the rim
    assert c == pytest.approx(10.0) and (points.norm(dim=-1) * math.sqrt(c)).max() < 0.995 + 1e-9
    slide("Home", 1)
    page.evaluate(
        "document.querySelector('input').value = 0; document.querySelector('input').dispatchEvent(new Event('input'))"
    )
    assert (slide("Tab", 0)[1] - start).abs().max() < 1e-9


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme(open_page, theme):
    """On a page that names its theme, as JupyterLab does, the explorer follows; the text stays readable."""
    notebook = exported(Explorer("line"))[1].replace(
        'data-jp-theme-light="true"', f'data-jp-theme-light="{theme == "light"}"'.lower()
    )
    page = open_page(notebook)
    frame = page.frame_locator("iframe").owner.element_handle().content_frame()
    frame.wait_for_selector(".handle")
    assert frame.evaluate("document.querySelector('.hyp-explorer').classList.contains('dark')") == (theme == "dark")
    ground, ink, quiet = frame.evaluate(
        """() => [["body > div", "backgroundColor"], ["dd", "color"], [".hyp-hint", "color"]]
          .map(([s, key]) => getComputedStyle(document.querySelector(s))[key].match(/\\d+/g).map(Number))"""
    )

    def luminance(rgb):
        parts = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for colour in (ink, quiet):
        high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.1, AA


# --- trees ------------------------------------------------------------------------------------------------------------

TREE = {
    "points": [(0, 0), (0.5, 0), (-0.5, 0), (0.8, 0.2), (0.8, -0.2)],
    "edges": [(0, 1), (0, 2), (1, 3), (1, 4)],
    "labels": ["animal", "dog", "cat", "poodle", "boxer & <co>"],
    "groups": [0, 1, 2, 1, 1],
}


def test_a_tree_is_browsed_by_moving_the_plane(open_page):
    page = open_page(Explorer("tree", **TREE).page())
    scale = unit_in_pixels(page)
    x, y = page.evaluate(
        "(([b]) => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelector('svg').getClientRects())"
    )
    page.mouse.move(x + 0.8 * scale + 3, y - 0.2 * scale)
    settle(page)
    assert "poodle" in page.locator("text.chosen").all_text_contents()
    page.mouse.click(x + 0.5 * scale, y)
    page.wait_for_function("explorer.get('center')[0] === 0.5")
    assert state(page)["selected"] == 1 and page.locator(".hyp-title").inner_text() == "dog"
    assert page.locator(".hyp-links button").all_inner_texts() == ["animal", "poodle", "boxer & <co>"]
    assert values(page)["origin"] == pytest.approx(float(PoincareBall(1.0).dist0(torch.tensor([0.5, 0.0]))), rel=1e-6)
    page.get_by_role("button", name="poodle").click()
    page.wait_for_function("explorer.get('center')[0] === 0.8")
    page.locator("input[type=search]").fill("cat")
    page.keyboard.press("Enter")
    page.wait_for_function("explorer.get('center')[0] === -0.5")
    before = state(page)["points"]
    drag(page, (x, y), (60, 10))
    assert state(page)["center"] != [-0.5, 0] and state(page)["points"] == before


@pytest.fixture(scope="module")
def taxonomy():
    from hyplearn.data import load_mammals
    from hyplearn.embeddings import SarkarEmbedding

    tree = load_mammals()
    points = SarkarEmbedding(scale=4.0).fit(tree).embedding_
    return Explorer("tree", points=points, edges=tree.edges, labels=tree.labels, groups=tree.depths)


def dots(page):
    """Where the points are drawn, (n, 2), in the disk of radius 1."""
    drawn = page.evaluate("[...document.querySelectorAll('path.node')].map((path) => path.getAttribute('d')).join('')")
    numbers = [tuple(map(float, pair)) for pair in re.findall(r"M([-\d.]+) ([-\d.]+)h0", drawn)]
    return (torch.tensor(numbers, dtype=torch.float64) - 220) / torch.tensor([200, -200])


def test_panning_a_taxonomy_is_an_isometry(open_page, taxonomy):
    """On the exported page, offline: every dot is where hyplearn's translation of the whole plane takes it."""
    page = open_page(exported(taxonomy)[1])
    frame = page.frame_locator("iframe").owner.element_handle().content_frame()
    frame.wait_for_selector("path.node", state="attached")  # a stroke without length is invisible to it
    settle(frame)
    page.locator("iframe").scroll_into_view_if_needed()
    box = page.locator("iframe").bounding_box()
    x, y = frame.evaluate(
        "(([b]) => [b.x + b.width / 2, b.y + b.height / 2])([...document.querySelector('svg').getClientRects()])"
    )
    scale, ball = unit_in_pixels(frame), PoincareBall(1.0)
    points, center = torch.tensor(taxonomy.points, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for start, way in (((90, -60), (-170, 40)), ((-30, 100), (70, -150)), ((120, 10), (-200, 5))):
        drag(page, (box["x"] + x + start[0], box["y"] + y + start[1]), way)
        settle(frame)
        grabbed, released = torch.tensor([start, (start[0] + way[0], start[1] + way[1])]) / torch.tensor(
            [scale, -scale]
        )
        grabbed = ball.mobius_add(center, grabbed.double())  # in the world
        center = torch.tensor(state(frame)["center"], dtype=torch.float64)
        assert (ball.mobius_add(-center, grabbed) - released).abs().max() < 1e-6
        expected, drawn = ball.mobius_add(-center, points), dots(frame)
        expected = expected[1 - (expected**2).sum(-1) > 1e-3]
        assert len(drawn) == len(expected) > 10
        assert torch.cdist(drawn, expected).min(dim=1).values.max() < 1e-6
        assert torch.cdist(expected, drawn).min(dim=1).values.max() < 1e-6
    assert ball.dist0(center) > 3


def test_names_do_not_cover_each_other(open_page, taxonomy):
    page = open_page(taxonomy.page())
    root = taxonomy.labels.index("carnivore")
    page.evaluate("i => explorer.set('selected', i)", root)
    x, y = page.evaluate(
        "(([b]) => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelector('svg').getClientRects())"
    )
    for center, pointer in ((taxonomy.points[root], (0, 3)), ((0.0, 0.0), (150, 40)), ((0.7, -0.6), (10, 10))):
        page.evaluate("center => explorer.set('center', center)", list(center))
        page.mouse.move(x + pointer[0], y + pointer[1])
        settle(page)
        boxes = page.evaluate(
            """() => [...document.querySelectorAll(".node-label")].map((text) => text.getBBox())
              .map((b) => [b.x, b.y, b.x + b.width, b.y + b.height])"""
        )
        assert len(boxes) > 3
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                assert a[0] > b[2] or b[0] > a[2] or a[1] > b[3] - 2 or b[1] > a[3] - 2, (a, b)


def test_a_tree_is_browsed_by_keys(open_page):
    page = open_page(Explorer("tree", **TREE).page())
    page.keyboard.press("Tab")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    settle(page)
    assert float(PoincareBall(1.0).dist0(torch.tensor(state(page)["center"]))) == pytest.approx(0.8, abs=1e-6)
    page.keyboard.press("Enter")  # the nearest to the middle is the dog, at 1.1
    page.wait_for_function("explorer.get('center')[0] === 0.5")
    page.locator("[aria-live]", has_text="dog, distance from the origin: 1.10").wait_for(state="attached")
    page.keyboard.press("Home")
    assert state(page)["center"] == [0, 0] and state(page)["selected"] == -1


# --- Python's side ----------------------------------------------------------------------------------------------------


def test_points_are_plain_numbers_both_ways():
    explorer = Explorer("line", points=torch.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=torch.float64))
    assert explorer.points == ((0.1, 0.2), (0.3, 0.4))
    seen = []
    explorer.observe(lambda change: seen.append(change.new), "points")
    explorer.points = torch.zeros(2, 2).numpy()
    explorer.set_state({"points": [[0.5, 0.0], [0.0, 0.5]]})  # what the page sends
    assert seen == [((0.0, 0.0), (0.0, 0.0)), ((0.5, 0.0), (0.0, 0.5))]
    explorer.set_state({"points": [[0.2, 0.0], [0.0, 0.2]], "c": 10.0})  # what its slider sends
    assert explorer.c == 10.0 and explorer.points[0] == (0.2, 0.0)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"mode": "square"}, "mode must be one of line, parallels"),
        ({"c": 0.0}, "c must be a finite number > 0"),
        ({"c": math.nan}, "c must be a finite number > 0"),
        ({"points": [(0, 0), (1, 0), (0, 0.5)]}, r"points\[1\] = \(1.0, 0.0\) must lie in the disk"),
        ({"points": [(0, 0)]}, "points must have 3 rows"),
        ({"points": [(0, 0, 0)] * 3}, r"points must be finite numbers of shape \(n, 2\)"),
        ({"points": [(0, math.inf)] * 3}, "points must be finite numbers"),
        ({"points": "ABC"}, "points must be finite numbers"),
        ({"center": (2, 0)}, "center = .* must lie in the disk"),
        ({"mode": "tree", "points": [(0, 0)], "edges": [(0, 1)]}, "edges must name rows of points, 0 to 0"),
        ({"mode": "tree", "points": [(0, 0)], "edges": [(0, 0.5)]}, "edges must be whole numbers"),
        ({"mode": "tree", "points": [(0, 0)], "labels": ["a", "b"]}, "labels must have one entry"),
        ({"models": ["sphere"]}, "models"),
    ],
)
def test_bad_input_is_named_in_one_line(change, words):
    with pytest.raises(traitlets.TraitError, match=words) as error:
        Explorer(**{"mode": "triangle", **change})
    assert "\n" not in str(error.value)


def test_a_refused_value_leaves_the_old_one():
    explorer = Explorer("triangle")
    before = explorer.points
    with pytest.raises(traitlets.TraitError, match="must lie in the disk"):
        explorer.c = 10.0
    with pytest.raises(traitlets.TraitError, match="must have 3 rows"):
        explorer.points = [(0, 0)]
    assert explorer.c == 1.0 and explorer.points == before


@pytest.mark.parametrize("mode", ["line", "parallels", "triangle", "tree"])
def test_output_is_the_same_in_every_run(mode):
    options = TREE if mode == "tree" else {}
    (one, metadata), (two, _) = (Explorer(mode, c=0.5, **options)._repr_mimebundle_() for _ in range(2))
    view = "application/vnd.jupyter.widget-view+json"
    model = one.pop(view)["model_id"]
    two.pop(view)
    assert one == two and set(one) == {"text/html", "image/svg+xml", "text/plain"}
    assert not any(model in text or re.search(r"\bat 0x", text) for text in one.values())
    assert len(one["text/html"]) < 100_000
    drawing = ElementTree.fromstring(one["image/svg+xml"])
    assert drawing.find("{http://www.w3.org/2000/svg}title").text == metadata["image/svg+xml"]["alt"]
    assert "http" not in re.sub(r"http://www\.w3\.org/[\w/.]*", "", one["text/html"])


def test_colours_are_those_of_the_house():
    light = (STATIC / "explorer.css").read_text().split("}")[0]
    used = dict(re.findall(r"--(\w+): (#\w+)", light))
    for name in ("blue", "red", "green", "orange", "sky", "ink"):
        assert used[name].lower() == COLORS[name].lower()
    assert used["world"] == COLORS["paper"]


# --- JupyterLab -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path):
    """A JupyterLab of its own in an empty folder: (folder, url(name) -> address)."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    folder, token = tmp_path / "work", secrets.token_hex(16)
    folder.mkdir()
    own = {
        key: str(tmp_path / key)
        for key in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.port=0",
        f"--IdentityProvider.token={token}",
    ]
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(command, cwd=folder, env=os.environ | own, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while not (found := list((tmp_path / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"))):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.2)
        address = json.loads(found[0].read_text())["url"]
        yield folder, lambda name: f"{address}lab/tree/{name}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@pytest.mark.slow
def test_in_jupyterlab(browser, lab):
    folder, url = lab
    code = ["from hyplearn.viz import Explorer\nexplorer = Explorer('triangle')\nexplorer", "explorer.points",
            "explorer.points = [(0, 0), (0.5, 0), (0, 0.5)]"]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in code])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "live.ipynb")
    nbformat.write(exported(Explorer("parallels"))[0], folder / "stored.ipynb")
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    page = context.new_page()

    page.goto(url("live.ipynb"))
    page.get_by_text("| Idle").wait_for(timeout=120_000)  # before that, JupyterLab forgets what it is asked to run
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.locator(".hyp-explorer .handle").first.wait_for(timeout=90_000)
    assert (
        page.locator(".hyp-explorer svg").count() == 1
        and page.locator(".jp-OutputArea iframe, .jp-OutputArea img").count() == 0
    )
    # JupyterLab's own style for lists does not reach in: each value stands beside its label, on one line.
    assert max(row.bounding_box()["height"] for row in page.locator(".hyp-explorer dl div").all()) < 32
    scale = unit_in_pixels_of(page, ".hyp-explorer svg")
    start = Explorer("triangle").points[2]
    box = page.locator(".hyp-explorer .h2 .target").bounding_box()
    drag(page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), (60, 25))
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    result = page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-executeResult .jp-OutputArea-output").last
    result.wait_for()
    x, y = [tuple(map(float, pair)) for pair in re.findall(r"\(([-\d.e]+), ([-\d.e]+)\)", result.inner_text())][2]
    assert (x, y) == pytest.approx((start[0] + 60 / scale, start[1] - 25 / scale), abs=1e-6)

    page.locator(".jp-Cell .cm-content").nth(2).click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_function("document.querySelector('.hyp-explorer [data-key=alpha]').textContent.startsWith('90.00')")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.locator(".hyp-explorer.dark").wait_for()
    panel = page.locator(".hyp-panel").first
    assert panel.evaluate("panel => getComputedStyle(panel).backgroundColor") == "rgba(0, 0, 0, 0)"

    # A notebook from elsewhere is not trusted: JupyterLab drops the frame, the drawing remains.
    page.goto(url("stored.ipynb"))
    picture = page.locator(".jp-OutputArea-output img")
    picture.first.wait_for(timeout=60_000)
    assert picture.count() == 1 and picture.first.evaluate("image => image.naturalWidth") > 100
    context.close()


def unit_in_pixels_of(page, selector):
    return 200 * page.evaluate("selector => document.querySelector(selector).getScreenCTM().a", selector)
