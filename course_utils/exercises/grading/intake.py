"""A submission taken in: of the file only the text of its cells, in the roles that the class version gives them."""

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course_utils.exercises.grading.sandbox import LIMITS
from course_utils.exercises.masters import role

MISSING = "*The cell for this answer was deleted. Is the answer in another cell?*"
ACTIVE = re.compile(r"<(?=[a-zA-Z/!?])|\](?=[(:])")  # HTML and links: the formgrader shows texts as they are


class Unreadable(Exception):
    """A file that was handed in is no notebook."""


def intake(path: Path, released: NotebookNode) -> tuple[NotebookNode, bool]:
    """A submission as a clean notebook, and whether locked cells were altered or deleted, or cells of the task copied.

    Of the file only text is taken: the cells' sources, in the roles that the released notebook gives them (known by
    nbgrader's id or, in a learners' version, by the id of the cell); tags and links in texts are made plain. Of two
    cells with one id the first has the role, and the submission counts as altered: which of them is meant, a person has
    to see. What is missing is put back, so that nbgrader finds all that it restores; an answer to mark by hand with a
    note, so that it waits for a mark, for it may stand in another cell. Raises Unreadable.
    """
    cells = _read(path)
    originals = {role(cell)["grade_id"]: cell for cell in released.cells if role(cell)}
    notebook, found, tampered = nbformat.from_dict(released | {"cells": []}), {}, False
    for kind, source, grade_id in cells:
        if grade_id in originals and grade_id not in found:
            cell = nbformat.from_dict(originals[grade_id])
            tampered |= _is_locked(cell) and cell.source != source
            cell.source = source if _is_locked(cell) else _harmless(source, cell.cell_type)
            found[grade_id] = cell
        else:
            tampered |= grade_id in found
            cell = new_code_cell(source) if kind == "code" else new_markdown_cell(_harmless(source, kind))
        notebook.cells.append(cell)
    place = 0
    for grade_id, original in originals.items():
        if grade_id in found:
            place = next(i for i, cell in enumerate(notebook.cells) if cell is found[grade_id]) + 1
        else:
            tampered |= _is_locked(original)
            original = nbformat.from_dict(original)
            if role(original).get("grade") and role(original).get("solution"):
                original.source = MISSING
            notebook.cells.insert(place, original)
            place += 1
    return notebook, tampered


def _read(path: Path) -> list[tuple[str, str, str | None]]:
    """(type, source, id) of each cell in a file."""
    try:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or path.stat().st_size > LIMITS.notebook:
            raise Unreadable
        return [_text_of(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable from None


def _text_of(cell: dict) -> tuple[str, str, str | None]:
    source = cell["source"]
    source = (source if isinstance(source, str) else "".join(source)).replace("\r\n", "\n")
    source.encode()  # ValueError for what is no text after all: half of a surrogate pair
    grade_id = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", cell.get("id"))
    return cell["cell_type"], source, grade_id if isinstance(grade_id, str) else None


def _harmless(source: str, kind: str) -> str:
    """A text that runs no script in the browser of a teacher: a space takes the meaning from tags and links."""
    return source if kind == "code" else ACTIVE.sub(r"\g<0> ", source)


def _is_locked(cell: NotebookNode) -> bool:
    return bool(role(cell).get("locked")) and not role(cell).get("solution")
