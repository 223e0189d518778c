"""The clean notebook that a submission becomes: its texts in the released notebook's cells, made harmless."""

import copy
import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_utils.exercises.grading.formats import Cell
from course_utils.exercises.grading.matching import Matching, is_locked, lines_of
from course_utils.exercises.grading.pictures import placed
from course_utils.exercises.masters import role

MISSING = "*The cell for this answer was deleted or left empty. Is the answer in another cell?*"
ACTIVE = re.compile(  # HTML, links, and what MathJax makes of them: the formgrader shows texts as they are
    r"<(?=[a-zA-Z/!?])|\](?=[(:])|\\(?=(?:href|style|class|cssId|data|require|mmlToken|texttip|action)(?![a-zA-Z]))"
)


def fit(cells: list[Cell], released: NotebookNode) -> tuple[NotebookNode, bool, list[str]]:
    """A submission in the cells of the released notebook, whether a person should look at it, and remarks.

    Every cell stays, in its order, but for untouched places of answers that stand elsewhere. What is missing is put
    back, so that nbgrader finds all that it knows: code before the student's, which it so never overwrites, and an
    answer to mark by hand with a note, so that it waits for a mark.
    """
    matching = Matching(cells, released)
    roles = {number: grade_id for grade_id, number in matching.holders.items()}
    notebook = copy.deepcopy(released)
    notebook.cells = []
    for number, cell in enumerate(cells):
        if number not in matching.dropped:
            notebook.cells.append(_filled(cell, matching, roles.get(number)))
    missing = _put_back(notebook, matching)
    return notebook, bool(matching.alarms), matching.alarms + _remarks(matching, missing)


def _filled(cell: Cell, matching: Matching, grade_id: str | None) -> NotebookNode:
    """A cell of the submission in its role, or as a further cell."""
    if grade_id:
        made = copy.deepcopy(matching.originals[grade_id])
    else:
        made = new_code_cell() if cell.kind == "code" else new_markdown_cell()
    if is_locked(made):
        return made  # it is the same but for white space
    if grade_id in matching.elsewhere:
        made.source = MISSING
    elif made.cell_type == "code":
        made.source = cell.source if cell.source.strip() else made.source
    elif cell.source.strip():
        made.source, attachments = placed(_harmless(cell.source), cell.pictures)
        made |= {"attachments": attachments} if attachments else {}
    return made


def _put_back(notebook: NotebookNode, matching: Matching) -> list[str]:
    """Put in what the submission lacks of the released notebook's cells; the ids of those that have a role."""
    open_code = [cell for cell in matching.released.cells if cell.cell_type == "code" and not role(cell)]
    texts = {lines_of(cell.source, "code") for cell in open_code}
    code = [
        i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and lines_of(c.source, "code") not in texts
    ]
    top = code[0] if code else len(notebook.cells)
    place, missing = top, []
    for original in matching.released.cells:
        grade_id = role(original).get("grade_id")
        if grade_id in matching.holders:
            place = next(i for i, cell in enumerate(notebook.cells) if role(cell).get("grade_id") == grade_id) + 1
        elif grade_id or (original in open_code and not matching.has(original)):
            first = original.cell_type == "code" and not role(original).get("grade")
            made = copy.deepcopy(original)
            made.source = MISSING if role(original).get("grade") and role(original).get("solution") else made.source
            notebook.cells.insert(top if first else place, made)
            top, place = top + first, place + 1
            missing += [grade_id] if grade_id else []
    return missing


def _remarks(matching: Matching, missing: list[str]) -> list[str]:
    """What is to be said of cells that are missing: of those whose text or function stands in no other cell."""
    if not matching.holders:
        return ["Nothing in it was recognized as a cell of this notebook or as an answer to one of its exercises."]
    accounted = matching.answered | {*matching.ids}  # of the latter, an alarm has been given
    gone = [name for name in missing if name not in accounted and not matching.has(matching.originals[name])]
    return [f"Cells that were missing were put back: {', '.join(gone)}."] if gone else []


def _harmless(text: str) -> str:
    """A text that runs no script in the browser of a teacher: a space takes the meaning from tags and links."""
    return ACTIVE.sub(r"\g<0> ", text)
