"""Marks for one submission: its code run in a sandbox, its replies compared outside."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from course_utils.exercises.exercise import TODO, Exercise, review, trials
from course_utils.exercises.grading.cells import Code, Over
from course_utils.exercises.grading.sandbox import LIMITS, Limits, Lost
from course_utils.exercises.masters import functions, role

SERIOUS = ("out_of_memory", "kernel_died", "timeout")  # the first of these that occurred is the status
LOST = {"timeout": "TimeUp", "out_of_memory": "MemoryError", "kernel_died": "NoReply", "too_large": "TooLarge"}
IMPORTS = 10.0  # seconds more for the first call, which may import something; it does not count
TOO_LATE = "could not be tried: the cells before it took all the time that there is."


@dataclass(frozen=True)
class Mark:
    """What came of one exercise: its points, a sentence for the student, and a status other than ok if there is one."""

    points: float
    sentence: str
    status: str = "ok"


@dataclass
class Marks:
    """Marks by exercise id, the status of the whole, and remarks on cells that failed."""

    marks: dict[str, Mark] = field(default_factory=dict)
    status: str = "ok"
    remarks: list[str] = field(default_factory=list)


class Asking:
    """Puts questions to a function, within the time of its exercise, see `Exercise.converse`. Raises Lost."""

    def __init__(self, code: Code, function: str, seconds: float):
        self.code, self.function, self.left, self.more = code, function, seconds, IMPORTS

    def __call__(self, request: str, data: Any) -> dict[str, Any]:
        asked = {"apply": data} if request == "apply" else {request: self.function, "inputs": data}
        reply, seconds = self.code.ask(asked, max(0.1, self.left) + self.more)
        self.left -= 0 if self.more else seconds
        return reply


def mark(code: Code, exercise: Exercise, function: str, seed: int) -> Mark:
    """The mark for one exercise, by the cells that have run: all its points if every reply is right, else none."""
    asking = Asking(code, function, exercise.seconds)
    for inputs in trials(exercise, seed):
        status = "ok"
        try:
            reply = exercise.converse(inputs, asking)
        except Lost as lost:
            reply, status = {"error": LOST[lost.status]}, lost.status
        asking.more = 0.0
        if reply.get("error") == "MemoryError":
            status = "out_of_memory"
        try:
            sentence = review(exercise, inputs, reply)
        except Exception:  # an answer that the authors of the checks did not think of must not end the batch
            sentence = "could not be checked. Show it to your teacher."
        if sentence:
            sentence = sentence if sentence == TODO else f"{function} {sentence}"
            return Mark(0, sentence, status if status in SERIOUS else "ok")
    return Mark(exercise.points, "right")


def mark_after(code: Code, cells: int, exercise: Exercise, function: str, seed: int) -> Mark:
    """The mark for one exercise when so many cells have run."""
    try:
        code.run_to(cells)
    except Over:
        return Mark(0, f"{function} {TOO_LATE}", "timeout")
    return mark(code, exercise, function, seed)


def mark_all(
    code: Code, exercises: dict[str, Exercise], named: dict[str, str], places: dict[str, int], seed: int
) -> dict[str, Mark]:
    """The marks of all exercises; `places` has the number of cells before each one's check cell.

    Each is tried after the last cell; if it is not right then, once more in a fresh sandbox at its own place, before
    what the student did later. So a machine that is too busy for once costs nobody marks, nor does a cell at the end.
    """
    marks = {key: mark_after(code, len(code.cells), exercises[key], named[key], seed) for key in exercises}
    code.close()
    for key in sorted(exercises, key=lambda key: places[key]):
        first = marks[key]
        if first.points or first.sentence == TODO or (places[key] == len(code.cells) and first.status == "ok"):
            continue
        again = mark_after(code, places[key], exercises[key], named[key], seed)
        if again.points or (first.status != "ok" and again.status == "ok"):
            marks[key] = again
    return marks


def mark_notebook(
    notebook: NotebookNode, exercises: dict[str, Exercise], course: Path, seed: int, limits: Limits = LIMITS
) -> Marks:
    """The marks of a notebook; each check cell in it gets its points as output, each other cell what it printed."""
    cells, checks, places = [], {}, {}
    for cell in notebook.cells:
        key = role(cell).get("grade_id", "").removesuffix("-check")
        if role(cell).get("grade") and key in exercises:
            checks[key], places[key] = cell, len(cells)
        elif cell.cell_type == "code":
            cells.append(cell)
    own = frozenset(number for number, cell in enumerate(cells) if not role(cell))
    torch = any(exercise.torch for exercise in exercises.values())
    code = Code([cell.source for cell in cells], course, limits, torch, own)
    try:
        marks = mark_all(code, exercises, functions(notebook), places, seed)
    finally:
        code.close()
    for number, cell in enumerate(cells):
        said = "\n".join([code.printed.get(number, ""), *code.notes.get(number, [])]).strip("\n")
        cell.outputs = [new_output("stream", name="stdout", text=said)]
    for key, cell in checks.items():
        points = new_output("execute_result", data={"text/plain": str(marks[key].points)})  # nbgrader's way
        cell.outputs = [new_output("stream", name="stdout", text=marks[key].sentence), points]
    statuses = code.statuses | {given.status for given in marks.values()}
    status = next((status for status in SERIOUS if status in statuses), "ok")
    return Marks(marks, status, [" ".join(notes) for _, notes in sorted(code.notes.items()) if notes])
