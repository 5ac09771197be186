"""Write a notebook that was edited in JupyterLab back into its text."""

from pathlib import Path

from hyplearn.course.build import edited, stored, targets
from hyplearn.course.execute import load
from hyplearn.course.layout import Course, write
from hyplearn.course.source import fingerprint, to_text
from hyplearn.errors import Failed


def pull(course: Course, name: str, force: bool = False) -> list[Path]:
    """Write the edited lecture and solution of a name back; returns the texts that changed.

    Where the text was changed as well since the notebook was built, one of the two edits would be lost: refused without
    `force`, which takes the notebook's.
    """
    changed = []
    for target in targets(course, name):
        if not target.path.exists():
            continue
        notebook, text = load(target.path), target.read()
        if not edited(notebook, text):
            continue
        if stored(notebook).get("hash") != fingerprint(text) and not force:
            raise Failed(
                f"{course.relative(target.text)} was changed too since {course.relative(target.path)} was built: "
                f"`hyplearn course pull {name} --force` takes the notebook and drops the text's change"
            )
        write(target.text, to_text(notebook, target.text, target.exercise_set))
        changed.append(target.text)
    return changed
