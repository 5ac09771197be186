"""What a student can learn from grading, and what a student's work can do to those who look at it."""

import re
import shutil

import nbformat
import pytest
import torch
from grading_toy import (
    NAME,
    QUICK,
    RELEASE,
    SET,
    answered,
    grade_toys,
    hand_in,
    needs_bubblewrap,
    read_autograded,
    read_feedback,
)
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell

from hyplearn.grading.check import seed_for
from hyplearn.grading.gradebook import inert
from hyplearn.grading.isolation import Sandbox, masked_names
from hyplearn.grading.verify import clean_outputs, verify_file

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


def numbers_of_hidden_inputs(secret: str) -> list[str]:
    """What the hidden inputs and expected values of `scale` look like in any text, to four digits."""
    found = []
    for case in SET.exercises["scale"].cases_for(seed_for(secret, NAME, "scale"))[1:]:  # the first is no secret
        x, c = case.args
        values = [*x.flatten().tolist(), c, *(c * x * x).flatten().tolist()]
        found += [f"{abs(value):.4f}"[:-1] for value in values if case.label != "one vector" or value != 0.5]
    return [text for text in found if len(text.replace("0", "").replace(".", "")) >= 3]


# Tells all that it sees, wherever it can.
TALKATIVE = """
import sys, warnings
seen = []
def scale(x, c):
    seen.append((x.tolist(), c))
    print('seen', seen)
    sys.stderr.write(str(seen))
    warnings.warn(str(seen))
    open('/tmp/seen', 'a').write(str(seen))
    get_ipython().user_ns['leak'] = seen
    get_ipython().display_pub.publish({'text/plain': str(seen)})
    if len(seen) > 2:
        raise type(str(seen)[:90], (Exception,), {})(str(seen))
    return c * x**2
"""


@pytest.mark.slow
@needs_bubblewrap
def test_hidden_inputs_do_not_come_back(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPLEARN_SEED", "a secret of this course")
    submitted, out = tmp_path / "submitted", tmp_path / "out"
    public = [case.args[1] for case in SET.exercises["scale"].cases_for(0)]
    wrong = {
        "talkative": TALKATIVE,
        "echo": f"def scale(x, c):\n    return c * x**2 if c in {public} else x\n",
        "error": "def scale(x, c):\n    raise ValueError(str(x.tolist()) + str(c))\n",
        "typed": "def scale(x, c):\n    return type(str(x.tolist())[:90], (), {})()\n",
    }
    for student, code in wrong.items():
        hand_in(submitted, student, answered(scale=code))
    hand_in(submitted, "late", answered(add=TALKATIVE.replace("scale", "add").replace("c * x**2", "x + c")))
    found = grade_toys(submitted, out)
    secret = numbers_of_hidden_inputs("a secret of this course")
    assert len(secret) > 10
    for student in (*wrong, "late"):
        for text in (read_feedback(out, student), nbformat.writes(read_autograded(out, student))):
            text = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)  # embedded fonts and pictures
            assert "a secret of this course" not in text
            assert [number for number in secret if number in text] == [], student
    assert found["echo"].questions[0].verdict == "wrong"
    assert "inputs are not shown" in found["echo"].questions[0].message
    assert (found["echo"].questions[0].score, found["talkative"].auto_score) == (0.0, 6.0)


@pytest.mark.slow
@needs_bubblewrap
def test_one_worker_sees_nothing_of_another(tmp_path):
    leave = (
        "import os, threading, time\nopen('/tmp/mine', 'w').write('left')\nopen('/dev/shm/mine', 'w').write('left')\n"
    )
    look = (
        "import os\nprint(os.path.exists('/tmp/mine'), os.listdir('/dev/shm'), os.path.exists('/proc/1'),"
        " dir(torch)[-1])\n"
    )
    leave += "torch.zzz_mark = 1\n"
    with Sandbox(masked_names(SET)) as sandbox:
        for code in (leave, look):
            notebook = answered()
            notebook.cells.append(new_code_cell(code, id="probe"))
            result = verify_file(hand_in(tmp_path, "student", notebook), RELEASE, SET, sandbox, QUICK)
    shown = next(outputs for name, outputs in result.outputs.items() if name.startswith("student-"))
    assert shown[0]["text"] == f"False [] False {dir(torch)[-1]}\n"


# --- what those see who look ------------------------------------------------------------------------------------------

SCRIPTS = [
    "<script>window.planted = 1</script>",
    "<ScRiPt>window.planted = 1</sCrIpT>",
    "<img src=x onerror='window.planted = 1'>",
    "<svg onload='window.planted = 1'></svg>",
    "<svg><script>window.planted = 1</script></svg>",
    "<iframe srcdoc='<script>parent.planted = 1</script>'></iframe>",
    "<body onload='window.planted = 1'>",
    "<details open ontoggle='window.planted = 1'>",
    "<math><mtext></mtext><mglyph><style><!--</style><img title='--><img src onerror=window.planted=1>'>",
    "</textarea></style></script><script>window.planted = 1</script>",
    "[click](javascript:window.planted=1)",
    "[click](jav&#x09;ascript:window.planted=1)",
    "[ref]\n\n[ref]: javascript:window.planted=1",
    "<javascript:window.planted=1>",
    "![x](x' onerror='window.planted=1)",
    "<a href='javascript:window.planted=1' id=auto>x</a><script>auto.click()</script>",
    "<meta http-equiv=refresh content='0;url=javascript:window.planted=1'>",
    "$$\\href{javascript:window.planted=1}{x}$$",
    "```\n</code></pre><script>window.planted = 1</script>\n```",
]


def planted():
    """A notebook with scripts wherever a student can write."""
    everywhere = "\n\n".join(SCRIPTS)
    shows = (
        "from IPython.display import HTML, Javascript, SVG, Markdown, Latex, Image, display\n"
        f"scripts = {SCRIPTS!r}\n"
        "for s in scripts:\n"
        "    display(HTML(s), Markdown(s), Latex(s), Javascript('window.planted = 1'))\n"
        "    print(s)\n"
        "    display({'image/svg+xml': s, 'text/html': s, 'image/png': '\">' + scripts[0]}, raw=True)\n"
        "    display({'image/png': 'iVBORw0KGgo=', 'text/plain': s}, metadata={'alt': '\"' + s}, raw=True)\n"
        "raise ValueError(''.join(scripts))"
    )
    notebook = answered(why=everywhere, scale=f"# {SCRIPTS[0]}\nraise ValueError({everywhere!r})")
    notebook.cells.insert(1, new_code_cell(shows))
    notebook.cells.append(new_markdown_cell(everywhere, attachments={"a.svg": {"image/svg+xml": SCRIPTS[3]}}))
    notebook["metadata"]["title"] = SCRIPTS[0]
    notebook["metadata"]["widgets"] = {"x": SCRIPTS[0]}
    return notebook


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The feedback page and the formgrader's page (made with nbgrader's template, without any setting of ours)."""
    folder = tmp_path_factory.mktemp("planted")
    hand_in(folder / "submitted", "mallory", planted())
    (found,) = grade_toys(folder / "submitted", folder / "out").values()
    assert found.auto_score == 6.0
    plain, _ = HTMLExporter().from_notebook_node(read_autograded(folder / "out", "mallory"))
    return {"feedback": read_feedback(folder / "out", "mallory"), "formgrader": plain}


@needs_bubblewrap
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH: apt install chromium")
@pytest.mark.parametrize("page", ["feedback", "formgrader"])
def test_no_planted_script_runs_in_a_browser(page, pages, tmp_path):
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(pages[page])
    (tmp_path / "control.html").write_text("<!DOCTYPE html><body>" + SCRIPTS[2] + SCRIPTS[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            for name, expected in (("control.html", 1), ("page.html", None)):
                tab = browser.new_page()
                tab.route("http**", lambda route: route.abort())
                tab.goto((tmp_path / name).as_uri())
                for link in tab.locator("a[href^='javascript' i]").all():
                    link.dispatch_event("click")
                tab.wait_for_timeout(300)
                assert tab.evaluate("window.planted ?? null") == expected, name
                assert "javascript:" not in " ".join(tab.locator("a").evaluate_all("all => all.map(a => a.href)"))
        finally:
            browser.close()


@needs_bubblewrap
def test_the_feedback_page_lets_only_its_own_scripts_run(pages):
    page = pages["feedback"]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)[1]
    head, body = page.split("</head>", 1)
    assert page.index("Content-Security-Policy") < page.index("<script")
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert nonce in head and nonce not in body and "window.planted = 1" in body  # it is shown, as text


def test_inert_text_keeps_what_is_text():
    text = "If a < b and b <= c, then $a < c$; see `x[0](1)` and 2 <3."
    assert inert(text).replace(r"]\\(", "](").replace("]\\\\", "]").count("<") == text.count("<")
    assert inert("# Title\n\n**bold**, `code`, $\\alpha$") == "# Title\n\n**bold**, `code`, $\\alpha$"
    assert "<script" not in inert("<script>") and "](" not in inert("[a](javascript:x)")
    assert "]:" not in inert("[a]: javascript:x") and "][" not in inert("[a][b]")


def test_outputs_of_a_worker_are_rebuilt():
    odd = [
        *(None, 3, {}, {"output_type": "stream"}, {"output_type": "display_data", "data": 3}),
        {"output_type": "stream", "name": "<script>", "text": "a\x00\x1b[31mb\u202e"},
        {"output_type": "display_data", "data": {"text/html": "<b>", "image/svg+xml": "<svg>", "image/png": "%"}},
        {"output_type": "update_display_data", "data": {"text/plain": "x"}},
        {"output_type": "error", "ename": "E", "evalue": 3, "traceback": ["x" * 100_000]},
    ]
    stream, display, error = clean_outputs(odd)
    assert stream == {"output_type": "stream", "name": "stdout", "text": "a[31mb"}
    assert display["data"] == {} and len(error["traceback"][0]) == 20_000
    assert clean_outputs("no list") == []
