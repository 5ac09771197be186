"""One page for the instructor: how the class did, what to re-teach, what could not be graded."""

import html
import statistics
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from hyplearn.course.layout import write
from hyplearn.grading.command import FAILED

BINS = 10
STYLE = """
:root { color-scheme: light dark; --line: #8886; --bar: #0072b2; --bad: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --bar: #56b4e9; --bad: #e69f00; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.track { display: inline-block; width: 10rem; height: .8rem; background: var(--line); }
.track span { display: block; height: 100%; background: var(--bar); }
svg rect { fill: var(--bar); } svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
.bad { color: var(--bad); }
"""


def write_report(path: Path, grades: list, out: Path) -> None:
    """Writes the page; `grades` are what `hyplearn.grading.command.grade` returns, `out` holds feedback/."""
    parts = [f"<h1>Grades</h1><p>{len(grades)} submissions.</p>"]
    for name in sorted({grade.assignment for grade in grades}):
        parts.append(_assignment(name, [grade for grade in grades if grade.assignment == name]))
    failed = [grade for grade in grades if grade.status == FAILED]
    if failed:
        rows = "".join(_row(grade.student, grade.assignment, grade.reason) for grade in failed)
        parts.append(
            f'<h2 class="bad">Could not be graded</h2><table>{_head("student", "assignment", "why")}{rows}</table>'
        )
    rows = "".join(
        _student(grade, out) for grade in sorted(grades, key=lambda grade: (grade.assignment, grade.student))
    )
    head = _head("student", "assignment", "points*", "of*", "status", "feedback")
    parts.append(f"<h2>Everyone</h2><table>{head}{rows}</table>")
    write(
        path,
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Grades</title>'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n",
    )


def _assignment(name: str, grades: list) -> str:
    good = [grade for grade in grades if grade.status != FAILED and grade.max_auto_score]
    if not good:
        return f"<h2>{html.escape(name)}</h2><p>Nothing could be graded.</p>"
    shares = [grade.auto_score / grade.max_auto_score for grade in good]
    waiting = sum(grade.status == "awaits a person" for grade in good)
    lead = (
        f"<p>Median {statistics.median(shares):.0%} of the automatic points, full marks for "
        f"{sum(share == 1 for share in shares)} of {len(good)}; {waiting} with a written answer to read.</p>"
    )
    rows, mistakes = [], Counter()
    for question in good[0].questions:
        found = [item for grade in good for item in grade.questions if item.name == question.name]
        verdicts = Counter(item.verdict for item in found)
        mistakes.update((question.name, item.mistake) for item in found if item.mistake)
        if not verdicts["awaits a person"]:
            share = verdicts["passed"] / len(found)
            others = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common() if verdict != "passed")
            bar = f'<span class="track"><span style="width:{share:.0%}"></span></span>'
            rows.append(f"<tr><td>{html.escape(question.name)}</td><td>{bar} {share:.0%}</td><td>{others}</td></tr>")
    text = [f"<h2>{html.escape(name)}</h2>{lead}{_histogram(shares)}"]
    text.append(f"<h3>Success by question</h3><table>{_head('question', 'passed', 'otherwise')}{''.join(rows)}</table>")
    if mistakes:
        rows = "".join(
            _row(question, name.replace("_", " "), count) for (question, name), count in mistakes.most_common()
        )
        text.append(f"<h3>What to re-teach</h3><table>{_head('question', 'mistake', 'how often*')}{rows}</table>")
    return "".join(text)


def _histogram(shares: list[float]) -> str:
    counts = Counter(min(BINS - 1, int(share * BINS)) for share in shares)
    top, width, height = max(counts.values()), 44, 120
    bars = []
    for bin_ in range(BINS):
        count, x = counts[bin_], bin_ * width
        tall = height * count / top
        bars.append(f'<rect x="{x + 2}" y="{height - tall + 16:.1f}" width="{width - 4}" height="{tall:.1f}"/>')
        bars.append(
            f'<text x="{x + width / 2}" y="{height + 32}" text-anchor="middle">{bin_ * 10}–{bin_ * 10 + 10}</text>'
        )
        if count:
            bars.append(f'<text x="{x + width / 2}" y="{height - tall + 12:.1f}" text-anchor="middle">{count}</text>')
    described = ", ".join(f"{counts[bin_]} between {bin_ * 10} and {bin_ * 10 + 10} %" for bin_ in sorted(counts))
    return (
        f"<h3>Automatic points, in percent</h3>"
        f'<svg role="img" aria-label="{described}" viewBox="0 0 {BINS * width} {height + 40}" width="100%" '
        f'style="max-width:40rem">{"".join(bars)}</svg>'
    )


def _student(grade, out: Path) -> str:
    page = out / "feedback" / grade.student / grade.assignment / f"{grade.assignment}.html"
    link = f'<a href="{quote(page.relative_to(out).as_posix())}">open</a>' if page.exists() else ""
    status = html.escape(grade.status)
    cells = (html.escape(grade.student), html.escape(grade.assignment))
    score = "–" if grade.status == FAILED else f"{grade.score:g}"
    numbers = f'<td class="number">{score}</td><td class="number">{grade.max_score:g}</td>'
    mark = ' class="bad"' if grade.status == FAILED else ""
    return f"<tr><td>{cells[0]}</td><td>{cells[1]}</td>{numbers}<td{mark}>{status}</td><td>{link}</td></tr>"


def _head(*titles: str) -> str:
    """Table headings; one that ends in * stands above numbers."""
    cells = (
        f'<th class="number">{title[:-1]}</th>' if title.endswith("*") else f"<th>{title}</th>" for title in titles
    )
    return f"<tr>{''.join(cells)}</tr>"


def _row(*values) -> str:
    cells = (
        f'<td class="number">{value}</td>' if isinstance(value, int) else f"<td>{html.escape(value)}</td>"
        for value in values
    )
    return f"<tr>{''.join(cells)}</tr>"
