"""Marks for one submission: its code run in a sandbox, its replies compared outside."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from course_utils.exercises.exercise import TODO, Exercise, review, trials
from course_utils.exercises.grading.sandbox import LIMITS, Limits, Lost, Sandbox
from course_utils.exercises.masters import functions, role

SERIOUS = ("out_of_memory", "kernel_died", "timeout")  # the first of these that occurred is the status
LOST = {"timeout": "TimeUp", "out_of_memory": "MemoryError", "kernel_died": "NoReply", "too_large": "TooLarge"}


@dataclass(frozen=True)
class Mark:
    """What came of one exercise: its points, a sentence for the student, and a status other than ok if there is one."""

    points: float
    sentence: str
    status: str = "ok"


class Code:
    """The code cells of one submission in a sandbox, which is started again whenever it was lost.

    A cell that loses it is left out from then on, so one bad cell costs its own time and what depends on it.
    """

    def __init__(self, cells: list[str], course: Path, limits: Limits = LIMITS):
        self.cells, self.course, self.limits = cells, course, limits
        self.end = time.monotonic() + limits.submission_seconds
        self.sandbox: Sandbox | None = None
        self.left_out: set[int] = set()
        self.printed: dict[int, str] = {}
        self.statuses: set[str] = set()

    def call(self, function: str, inputs: tuple, seconds: float) -> dict[str, Any]:
        """The reply of a function to some inputs, see `plain.answer`; of what it says nothing is sure. Raises Lost."""
        sandbox = self.start()
        try:
            return sandbox.ask({"call": function, "inputs": inputs}, self._within(seconds))
        except Lost:
            self.sandbox = None
            raise

    def start(self) -> Sandbox:
        """The sandbox, in which the cells run if it is new. Raises Lost when the submission's time is over."""
        while self.sandbox is None:
            self._within(0)
            sandbox = Sandbox(self.course, self.limits)
            number = 0
            try:
                for number, source in enumerate(self.cells):
                    if number not in self.left_out:
                        reply = sandbox.ask({"run": source}, self._within(self.limits.cell_seconds))
                        printed = str(reply.get("printed", "")).encode(errors="replace").decode()  # no half letters
                        self.printed.setdefault(number, printed)
                        if reply.get("error") == "MemoryError":
                            self.statuses.add("out_of_memory")
                self.sandbox = sandbox
            except Lost as lost:
                self.left_out.add(number)
                self.statuses.add(lost.status)
            finally:
                if sandbox is not self.sandbox:  # lost, or a teacher interrupts
                    sandbox.close()
        return self.sandbox

    def _within(self, seconds: float) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise Lost("timeout")
        return min(seconds, left)

    def close(self) -> None:
        if self.sandbox:
            self.sandbox.close()


def mark(code: Code, exercise: Exercise, function: str, seed: int) -> Mark:
    """The mark for one exercise: all its points if every reply is right, else none."""
    left = exercise.seconds  # for the function; to run the cells before it has a limit of its own
    for inputs in trials(exercise, seed):
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
            sentence = review(exercise, inputs, reply)
        except Exception:  # an answer that the authors of `explain` did not think of must not end the batch
            sentence = "could not be checked. Show it to your teacher."
        if sentence:
            sentence = sentence if sentence == TODO else f"{function} {sentence}"
            return Mark(0, sentence, status if status in SERIOUS else "ok")
    return Mark(exercise.points, "right")


def mark_notebook(
    notebook: NotebookNode, exercises: dict[str, Exercise], course: Path, seed: int, limits: Limits = LIMITS
) -> tuple[dict[str, Mark], str]:
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
