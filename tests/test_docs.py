"""The README's picture is what its script draws."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_picture_is_what_its_script_draws(tmp_path):
    spec = importlib.util.spec_from_file_location("picture", DOCS / "picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.save(module.draw(), tmp_path / "picture.svg", module.ALT)
    assert drawn.read_bytes() == (DOCS / "picture.svg").read_bytes()
