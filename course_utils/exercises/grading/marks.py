"""Marks for one submission: its text taken in, its code run in a sandbox, its replies compared outside."""

import json
import re
import time
from dataclasses import dataclass

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from course_utils.exercises import checking
from course_utils.exercises.grading.sandbox import LIMITS, Lost, Sandbox
from course_utils.exercises.masters import functions, role

SERIOUS = ("out_of_memory", "kernel_died", "timeout")  # the first of these that occurred is the status
MISSING = "*The cell for this answer was deleted. Is the answer in another cell?*"
ACTIVE = re.compile(r"<(?=[a-zA-Z/!?])|\](?=[(:])")  # HTML and links: the formgrader shows texts as they are
LOST = {"timeout": "TimeUp", "out_of_memory": "MemoryError", "kernel_died": "NoReply", "too_large": "TooLarge"}


class Unreadable(Exception):
    """A file that was handed in is no notebook."""


@dataclass(frozen=True)
class Mark:
    """What came of one exercise: its points, a sentence for the student, and a status other than ok if there is one."""

    points: float
    sentence: str
    status: str = "ok"


def intake(path, released):
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


def _read(path):
    """(type, source, id) of each cell in a file."""
    try:
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file() or path.stat().st_size > LIMITS.notebook:
            raise Unreadable
        return [_text_of(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable from None


def _text_of(cell):
    source = cell["source"]
    source = (source if isinstance(source, str) else "".join(source)).replace("\r\n", "\n")
    source.encode()  # ValueError for what is no text after all: half of a surrogate pair
    grade_id = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", cell.get("id"))
    return cell["cell_type"], source, grade_id if isinstance(grade_id, str) else None


def _harmless(source, kind):
    """A text that runs no script in the browser of a teacher: a space takes the meaning from tags and links."""
    return source if kind == "code" else ACTIVE.sub(r"\g<0> ", source)


def _is_locked(cell):
    return bool(role(cell).get("locked")) and not role(cell).get("solution")


class Code:
    """The code cells of one submission in a sandbox, which is started again whenever it was lost.

    A cell that loses it is left out from then on, so one bad cell costs its own time and what depends on it.
    """

    def __init__(self, cells, course, limits=LIMITS):
        self.cells, self.course, self.limits = cells, course, limits
        self.end = time.monotonic() + limits.submission_seconds
        self.sandbox, self.left_out, self.printed, self.statuses = None, set(), {}, set()

    def call(self, function, inputs, seconds):
        """The reply of a function to some inputs, see `checking.review`. Raises Lost."""
        self.start()
        try:
            return self.sandbox.ask({"call": function, "inputs": inputs}, self._within(seconds))
        except Lost:
            self.sandbox = None
            raise

    def start(self):
        """Run the cells, if the sandbox is not there or was lost. Raises Lost when the submission's time is over."""
        while self.sandbox is None:
            self._within(0)
            sandbox = Sandbox(self.course, self.limits)
            try:
                for number, source in enumerate(self.cells):
                    if number not in self.left_out:
                        reply = sandbox.ask({"run": source}, self._within(self.limits.cell_seconds))
                        printed = str(reply.get("printed", "")).encode(errors="replace").decode()  # no half letters
                        self.printed.setdefault(number, printed)
                        if reply.get("error") == "MemoryError":
                            self.statuses.add("out_of_memory")
            except Lost as lost:
                sandbox.close()
                self.left_out.add(number)
                self.statuses.add(lost.status)
            else:
                self.sandbox = sandbox

    def _within(self, seconds):
        left = self.end - time.monotonic()
        if left <= 0:
            raise Lost("timeout")
        return min(seconds, left)

    def close(self):
        if self.sandbox:
            self.sandbox.close()


def mark(code, exercise, function, seed):
    """The mark for one exercise: all its points if every reply is right, else none."""
    left = exercise.seconds  # for the function; to run the cells before it has a limit of its own
    for inputs in checking.trials(exercise, seed):
        status = "ok"
        try:
            code.start()
            begun = time.monotonic()
            reply = code.call(function, inputs, max(0.01, left))
            left -= time.monotonic() - begun
        except Lost as lost:
            reply, status = {"error": LOST[lost.status]}, lost.status
        if not isinstance(reply.get("error"), str) and "value" not in reply:
            reply = {"error": "NoReply"}
        if reply.get("error") == "MemoryError":
            status = "out_of_memory"
        try:
            sentence = checking.review(exercise, inputs, reply)
        except Exception:  # an answer that the authors of `explain` did not think of must not end the batch
            sentence = "could not be checked. Show it to your teacher."
        if sentence:
            sentence = sentence if sentence == checking.TODO else f"{function} {sentence}"
            return Mark(0, sentence, status if status in SERIOUS else "ok")
    return Mark(exercise.points, "right")


def mark_notebook(notebook, exercises, course, seed, limits=LIMITS):
    """Marks by exercise id, and the status of the whole; each check cell of the notebook gets its points as output."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not role(cell).get("grade")]
    code = Code([cell.source for cell in cells], course, limits)
    named = functions(notebook)
    try:
        marks = {key: mark(code, exercise, named[key], seed) for key, exercise in exercises.items()}
    finally:
        code.close()
    for number, cell in enumerate(cells):
        cell.outputs = [new_output("stream", name="stdout", text=code.printed.get(number, ""))]
    for cell in notebook.cells:
        given = marks.get(cell.id.removesuffix("-check")) if role(cell).get("grade") else None
        if given:
            said = new_output("stream", name="stdout", text=given.sentence)
            cell.outputs = [
                said,
                new_output("execute_result", data={"text/plain": str(given.points)}),
            ]  # nbgrader's way
    statuses = code.statuses | {given.status for given in marks.values()}
    return marks, next((status for status in SERIOUS if status in statuses), "ok")
