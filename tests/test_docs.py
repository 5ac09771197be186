"""The README: its picture is what its script draws, and its code runs."""

import importlib.util
import re
from pathlib import Path

from hyplearn.course.layout import Course
from hyplearn.course.listing import rows

DOCS = Path(__file__).parents[1] / "docs"


def test_the_picture_is_what_its_script_draws(tmp_path):
    spec = importlib.util.spec_from_file_location("picture", DOCS / "picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.save(module.draw(), tmp_path / "picture.svg", module.ALT)
    assert drawn.read_bytes() == (DOCS / "picture.svg").read_bytes()


def test_the_code_of_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS.parent / "README.md").read_text(), re.DOTALL)
    names = {}
    exec(code, names)
    assert names["d"].shape == (1000,) and (names["d"] > 0).all()


def test_the_syllabus_names_every_lecture_as_it_names_itself():
    readme = (DOCS.parent / "README.md").read_text()
    for row in filter(lambda row: row["title"], rows(Course(DOCS.parent))):
        name, number = row["name"], row["name"][:2]
        line = f"| {number} | [{row['title']}](lectures/{name}.ipynb) | {row['question']} | "
        line += f"[set {number}](exercises/{name}/{name}.ipynb) |" if row["exercises"] else "|"
        assert line in readme, f"the syllabus lacks this line: {line}"
