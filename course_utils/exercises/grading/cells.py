"""The code of one submission in a sandbox: its cells in their order, and calls of its functions."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from course_utils.exercises.grading.sandbox import LIMITS, Limits, Lost, Sandbox

SLOW = 5.0  # seconds: a cell of the student's own that takes longer is left out when the time gets short
NOTES = 3  # failed statements of a cell that are told
CUT = 60  # characters shown of a line of code


LOST_BY = {
    "timeout": "did not end in its time, so it was left out",
    "out_of_memory": "needed more memory than there is, so it was left out",
    "kernel_died": "brought the process down, so it was left out",
    "too_large": "gave far too much data, so it was left out",
}


class Over(Exception):
    """The time of the submission is over."""


class Code:
    """The code cells of one submission in a sandbox, which is started again whenever it was lost.

    A cell that loses it twice is left out from then on, so one bad cell costs its own time and what depends on it.
    `own` are the numbers of cells that the task does not need: if they have used up the time of the submission, those
    of them that are slow are left out.
    """

    def __init__(
        self,
        cells: list[str],
        course: Path,
        limits: Limits = LIMITS,
        torch: bool = False,
        own: frozenset[int] = frozenset(),
    ):
        self.cells, self.course, self.limits, self.torch, self.own = cells, course, limits, torch, own
        self.end = time.monotonic() + limits.patience * limits.submission_seconds  # after that nothing more is tried
        self.left = limits.submission_seconds  # of the processor, for cells; an exercise has a limit of its own
        self.sandbox: Sandbox | None = None
        self.done = 0  # cells that this sandbox is through with
        self.called = False  # whether a function was called in it
        self.lost: Counter[int] = Counter()
        self.seconds: dict[int, float] = {}
        # By cell, from before any function was called: later a cell may know what was tried, and could tell it.
        self.printed: dict[int, str] = {}
        self.notes: dict[int, list[str]] = {}
        self.statuses: set[str] = set()

    def run_to(self, number: int) -> None:
        """Run the cells before that number that this sandbox has not run yet, all again where it was lost.

        Raises Over.
        """
        while self.sandbox is None or self.done < number:
            if time.monotonic() > self.end:
                raise Over
            if self.sandbox is None:
                self.sandbox, self.done, self.called = Sandbox(self.course, self.limits, self.torch), 0, False
            elif self._is_left_out(self.done):
                self.done += 1
            else:
                self._run(self.done)

    def ask(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], float]:
        """The reply to a request, and the seconds that it took. Of what it says nothing is sure. Raises Lost."""
        if self.sandbox is None:
            raise RuntimeError("no cell has run yet")
        sandbox, self.called = self.sandbox, self.called or "run" not in request
        try:
            reply = sandbox.ask(request, min(seconds, max(0.1, self.end - time.monotonic())))
        except BaseException:  # lost, or a teacher interrupts
            self.close()
            raise
        return reply, sandbox.used

    def close(self) -> None:
        """End the sandbox; the next `run_to` has a fresh one."""
        if self.sandbox:
            self.sandbox.close()
            self.sandbox = None

    def _is_left_out(self, number: int) -> bool:
        half = self.limits.patience * self.limits.submission_seconds / 2
        short = self.left <= 0 or time.monotonic() > self.end - half
        slow = short and number in self.own and self.seconds.get(number, SLOW) >= SLOW
        if slow:
            self.statuses.add("timeout")
        return slow or self.lost[number] > 1

    def _run(self, number: int) -> None:
        sandbox = self.sandbox
        try:
            reply, _ = self.ask({"run": self.cells[number]}, self.limits.cell_seconds)
            self.done += 1
        except Lost as lost:
            self.lost[number] += 1
            if self.lost[number] > 1:
                self.statuses.add(lost.status)
                self.notes[number] = [f"The cell that begins {_cut(self.cells[number])} {LOST_BY[lost.status]}."]
            return
        finally:
            self.seconds[number] = sandbox.used if sandbox else 0.0
            self.left -= self.seconds[number]
        if reply["error"] == "MemoryError":
            self.statuses.add("out_of_memory")
        if number not in self.printed and not self.called:
            self.printed[number] = reply["printed"]
            self.notes[number] = _notes(self.cells[number], reply)


def _notes(source: str, reply: dict[str, Any]) -> list[str]:
    """What failed in a cell, for the student, in words that are partly the student's own."""
    told = [
        f"In the cell that begins {_cut(source)}, the line {_cut(entry['line'])} failed: {entry['error']}."
        for entry in reply["failed"][:NOTES]
    ]
    return [*told, "What comes after that in the cell did not run."] if reply["error"] else told


def _cut(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return f'"{line}"' if len(line) <= CUT else f'"{line[: CUT - 3]}..."'
