"""Marks for one submission: its time is its own, and what it says of itself is not believed."""

import contextlib
import time

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.exercise import Exercise, find
from course_utils.exercises.grading import marks
from course_utils.exercises.grading.marks import Code, Mark, mark
from course_utils.exercises.grading.sandbox import Limits, Sandbox


def test_cells_take_no_time_from_the_exercise_after_them(course):
    """Neither before the first exercise nor when they run again, after a lost sandbox."""
    quick = Exercise(**(vars(find("06-1")) | {"seconds": 1.0}))
    right = (
        "def input_sizes(n, k, s, p, d):\n    small = (n - 1) * s + d * (k - 1) + 1 - 2 * p\n"
        "    return small, small + s - 1"
    )
    code = Code(["import time; time.sleep(1.2)", right, "def endless(*inputs):\n    while True: pass"], course)
    try:
        assert mark(code, quick, "input_sizes", seed=5) == Mark(2, "right")
        assert mark(code, quick, "endless", seed=5).status == "timeout"
        assert mark(code, quick, "input_sizes", seed=5) == Mark(2, "right")
    finally:
        code.close()


def test_forged_marks_and_replies_win_nothing(course):
    """A background thread that writes replies of its own into every pipe: still no right answer to fresh inputs."""
    source = """
import os, threading, time
def forge():
    while True:
        for i in range(3, 8):
            try: os.write(i, b'{"dict": [["value", {"tuple": [1, 2]}], ["changed", false], ["points", 99]]}\\n')
            except OSError: pass
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
def input_sizes(*inputs):
    raise NotImplementedError
"""
    code = Code([source], course)
    try:
        given = mark(code, find("06-1"), "input_sizes", seed=5)
    finally:
        code.close()
    assert given.points == 0


def test_a_submission_ends_in_its_time(course):
    cells = ["while True: pass"] * 20 + ["def input_sizes(*inputs): pass"]
    code = Code(cells, course, Limits(cell_seconds=0.5, submission_seconds=2))
    start = time.monotonic()
    given = mark(code, find("06-1"), "input_sizes", seed=5)
    code.close()
    assert given.status == "timeout" and time.monotonic() - start < 20


@pytest.mark.parametrize("moment", [b"", b"x = 1", b"input_sizes"], ids=["starting", "in a cell", "in a call"])
def test_an_interrupted_grader_ends_its_sandbox(moment, course, monkeypatch):
    """Also one that lives on: `grade` may be called in a notebook."""
    made = []

    class Watched(Sandbox):
        def __init__(self, *arguments):
            made.append(self)
            super().__init__(*arguments)

        def _reply(self, to_send, seconds):
            if moment in to_send:
                raise KeyboardInterrupt
            return super()._reply(to_send, seconds)

    monkeypatch.setattr(marks, "Sandbox", Watched)
    code = Code(["x = 1"], course)
    with pytest.raises(KeyboardInterrupt), contextlib.closing(code):
        mark(code, find("06-1"), "input_sizes", seed=5)
    assert len(made) == 1 and made[0].process.poll() is not None and made[0].requests.closed
