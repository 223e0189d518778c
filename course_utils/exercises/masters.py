"""From a master (solutions, points, rubrics) to what learners and classes open. The master is in nbgrader's format."""

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.files import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

SOLUTIONS = ROOT / "notebooks" / "solutions"
CODE_STUB = "raise NotImplementedError"
TEXT_STUB = "*Your answer:*"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def masters() -> dict[str, Path]:
    """All masters by chapter, {"06": path}."""
    return {path.name[:2]: path for path in sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb"))}


def master(chapter: str) -> Path:
    """The path of a chapter's master. Raises ValueError for a chapter that has none, naming those that have one."""
    known = masters()
    if chapter not in known:
        raise ValueError(f"chapter {chapter!r} has no exercises; those that have: {', '.join(known) or 'none here'}")
    return known[chapter]


def role(cell: "NotebookNode") -> dict[str, Any]:
    """nbgrader's metadata of a cell: grade_id, grade, solution, locked, points; empty for a cell that is neither."""
    return cell.metadata.get("nbgrader", {})


def functions(notebook: "NotebookNode") -> dict[str, str]:
    """The function that answers each exercise, {"06-1": "input_sizes"}, as the check cells of a notebook name it."""
    called = re.compile(r"""^check\("([^"]+)", (\w+)\)""", re.MULTILINE)
    return dict(pair for cell in notebook.cells if role(cell).get("grade") for pair in called.findall(cell.source))


def learner_version(notebook: "NotebookNode") -> "NotebookNode":
    """The learners' version of a master: stubs for solutions, empty answers to mark by hand, outputs cleared.

    Only nbgrader's metadata go; cell ids stay, so that the grader knows the cells of a learner's version, too.
    Raises ValueError for solution marks that do not pair, or stand in a cell that is no answer.
    """
    learner = copy.deepcopy(notebook)
    for cell in learner.cells:
        solution = cell.metadata.pop("nbgrader", {}).get("solution", False)
        cell.metadata.pop("deletable", None)
        cell.metadata.pop("editable", None)
        cell.source = _without_solution(cell, solution)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    learner.metadata.pop("celltoolbar", None)
    return learner


def _without_solution(cell: "NotebookNode", solution: bool) -> str:
    marked = BEGIN in cell.source or END in cell.source
    if not solution:
        if marked:
            raise ValueError(f"cell {cell.id}: a solution is marked in a cell that is not an answer")
        return cell.source
    if not marked:
        return CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    lines, inside = [], False
    for line in cell.source.split("\n"):
        if line.strip() in (BEGIN, END):
            if inside == (line.strip() == BEGIN):
                raise ValueError(f"cell {cell.id}: {BEGIN} and {END} do not pair")
            inside = not inside
            if inside:
                lines.append(line.partition("#")[0] + CODE_STUB)
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"cell {cell.id}: {END} is missing")
    return "\n".join(lines)
