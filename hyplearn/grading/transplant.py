"""The release notebook with the student's sources in its solution cells.

Whatever decides the score (which cells are tests, their points, tags, metadata, the kernel) comes from the release, so
nothing that a student changes there has an effect. Only sources cross.
"""

import copy
import re

from nbformat import NotebookNode

from hyplearn.grading.collect import Unreadable


def question_of(cell: NotebookNode) -> str | None:
    """The exercise that a test cell tests; None for every other cell."""
    nbgrader = cell.metadata.get("nbgrader") or {}
    if nbgrader.get("grade") and not nbgrader.get("solution"):
        return nbgrader["grade_id"].removeprefix("test-")
    return None


def transplant(release: NotebookNode, submitted: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Puts the submitted sources into a copy of the release.

    A submitted cell answers the solution cell with its grade id; where metadata was lost, the one with its cell id;
    where ids were lost too, the one whose function it defines. Of several candidates the last one that was worked on
    counts, as it would when the notebook is run from top to bottom. All other cells that differ from the release
    (helpers, imports, experiments) are kept as ungraded cells where they stood, and run.

    Returns:
        The notebook and, in plain words, what had to be put right.

    Raises:
        Unreadable: nothing in it belongs to this assignment.
    """
    notebook = copy.deepcopy(release)
    notes: list[str] = []
    solutions = {_grade_id(cell): cell for cell in notebook.cells if _is_solution(cell)}
    released = {cell.id: cell for cell in release.cells}
    candidates = _candidates(solutions, submitted)
    known = [cell for cell in submitted.cells if cell.id in released or _grade_id(cell)]
    if solutions and not any(candidates.values()) and not known:
        raise Unreadable("none of its cells belongs to this assignment; is it the notebook of another one?")
    chosen = {}
    for name, cells in candidates.items():
        stub = solutions[name].source
        worked_on = [cell for cell in cells if cell.source.strip() != stub.strip()]
        if not cells:
            notes.append(f"the cell of `{name}` is missing")
            continue
        chosen[name] = (worked_on or cells)[-1]
        solutions[name].source = chosen[name].source
        if len(worked_on) > 1:
            notes.append(f"there are {len(worked_on)} cells for `{name}`; the last one counts")
    _keep_other_cells(notebook, released, chosen, submitted)
    return notebook, notes


def _candidates(solutions: dict, submitted: NotebookNode) -> dict[str, list]:
    """By solution cell, the submitted cells that may answer it, by the best of the three marks that there is."""
    found: dict[str, list] = {}
    by_id = {cell.id: name for name, cell in solutions.items()}
    used: set[int] = set()
    marks = (
        _grade_id,
        lambda cell: by_id.get(cell.id),
        lambda cell: next((name for name in solutions if name in _defined(cell)), None),
    )
    for mark in marks:
        matched: dict[str, list] = {}
        for number, cell in enumerate(submitted.cells):
            name = mark(cell)
            if number not in used and name in solutions and cell.cell_type == solutions[name].cell_type:
                matched.setdefault(name, []).append((number, cell))
        for name, cells in matched.items():
            if name not in found:
                found[name] = [cell for _, cell in cells]
                used.update(number for number, _ in cells)
    return {name: found.get(name, []) for name in solutions}


def _keep_other_cells(notebook, released: dict, chosen: dict, submitted: NotebookNode) -> None:
    """Inserts the student's own cells behind the cell of the release that they followed."""
    place = {cell.id: number for number, cell in enumerate(notebook.cells)}
    solution_ids = {_grade_id(cell): cell.id for cell in notebook.cells if _is_solution(cell)}
    answers = {id(cell): solution_ids[name] for name, cell in chosen.items()}
    by_grade_id = {_grade_id(cell): cell.id for cell in notebook.cells if _grade_id(cell)}
    sources = {cell.source.strip() for cell in released.values()}
    extra: dict[int, list] = {}
    waiting = set(answers.values())  # solution cells whose answer is still to come
    anchor = -1  # before the first cell
    for number, cell in enumerate(submitted.cells):
        home = answers.get(id(cell)) or (cell.id if cell.id in released else by_grade_id.get(_grade_id(cell)))
        if id(cell) in answers:
            waiting.discard(home)
        elif home in waiting:
            home = None  # an earlier try: it runs before the answer that counts
        if id(cell) not in answers and cell.source.strip() and cell.source.strip() not in sources:
            own = copy.deepcopy(cell)
            own.metadata = NotebookNode()
            own.id = f"student-{number}"
            extra.setdefault(anchor if home is None else place[home], []).append(own)
        if home is not None:
            anchor = place[home]
    cells = list(extra.get(-1, []))
    for number, cell in enumerate(notebook.cells):
        cells += [cell, *extra.get(number, [])]
    notebook.cells = cells


def _grade_id(cell: NotebookNode) -> str | None:
    return (cell.metadata.get("nbgrader") or {}).get("grade_id")


def _is_solution(cell: NotebookNode) -> bool:
    return bool((cell.metadata.get("nbgrader") or {}).get("solution"))


def _defined(cell: NotebookNode) -> set[str]:
    """The functions and classes that a code cell defines, by their looks: a hostile cell is not to be parsed here."""
    if cell.cell_type != "code":
        return set()
    return set(re.findall(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)", cell.source, re.MULTILINE))
