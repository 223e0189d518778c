"""Marks for one submission: its time is its own, what it says of itself is not believed, a bad cell costs itself."""

import contextlib
import re
import time
from dataclasses import replace

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from nbformat.v4 import new_code_cell, new_notebook

from course_utils.exercises.exercise import Exercise
from course_utils.exercises.grading import cells, marks
from course_utils.exercises.grading.cells import Code
from course_utils.exercises.grading.marks import Mark, mark_after, mark_notebook
from course_utils.exercises.grading.sandbox import Limits, Lost, Sandbox

DOUBLE = Exercise(
    points=2,
    draw=lambda rng: (int(rng.integers(1000, 9999)),),
    expected=lambda n: 2 * n,
    otherwise="is something else.",
    hints=("", "", ""),
    seconds=1.0,
)
RIGHT = "def double(n):\n    return 2 * n"
WRONG = "def double(n):\n    return 3 * n"
ENDLESS = "while True: pass"
QUICK = Limits(cell_seconds=0.3, submission_seconds=1.0, patience=40)


def answer(source, number=1):
    return new_code_cell(source, metadata={"nbgrader": {"grade_id": f"00-{number}", "solution": True}})


def check(number=1, function="double"):
    role = {"grade_id": f"00-{number}-check", "grade": True, "locked": True, "points": 2}
    return new_code_cell(f'check("00-{number}", {function})', metadata={"nbgrader": role})


def marked(course, *parts, exercises=1, limits=QUICK, exercise=DOUBLE):
    """The marks of a notebook; a text is a cell of the student's own."""
    notebook = new_notebook(cells=[new_code_cell(part) if isinstance(part, str) else part for part in parts])
    return mark_notebook(notebook, {f"00-{n + 1}": exercise for n in range(exercises)}, course, 5, limits)


@pytest.fixture(autouse=True)
def no_long_imports(monkeypatch):
    monkeypatch.setattr(marks, "IMPORTS", 0.3)


@pytest.mark.parametrize(
    "parts",
    [
        (answer(RIGHT), check(), *[ENDLESS] * 4),
        (*[ENDLESS] * 4, answer(RIGHT), check()),
        (answer(RIGHT), check(), "while True: print('x' * 999)", "import os; os._exit(1)"),
    ],
    ids=["after", "before", "of other kinds"],
)
def test_slow_cells_of_the_students_own_cost_nothing_but_themselves(parts, course):
    given = marked(course, *parts)
    assert given.marks["00-1"] == Mark(2, "right")
    assert given.status in ("timeout", "kernel_died") and "did not end in its time" in " ".join(given.remarks)


@pytest.mark.parametrize(
    "parts",
    [
        (answer(RIGHT), check(), WRONG),
        (answer(RIGHT), check(), "del double"),
        (answer(RIGHT), check(), "import builtins\nbuiltins.int = None\nraise SystemExit"),
        (answer("raise NotImplementedError"), check(), RIGHT),
        (answer(WRONG), check(), RIGHT),
        (answer("def double(n):\n    return 2 * factor"), check(), "factor = 1"),
    ],
    ids=["redefined", "deleted", "damaged", "moved below", "corrected below", "what it needs is not there"],
)
def test_right_at_its_place_or_at_the_end(parts, course):
    given = marked(course, *parts)
    assert given.marks["00-1"].points == (0 if "factor = 1" in str(parts) else 2) and given.status == "ok"


def test_an_import_in_an_answer_costs_no_time(course):
    """Here a busy loop of the processor, for the import of a large library."""
    slow = (
        "def double(n):\n    import time\n    if 'loaded' not in globals():\n        begun = time.process_time()\n"
        "        while time.process_time() < begun + 0.6: pass\n    globals()['loaded'] = True\n    return 2 * n"
    )
    given = marked(course, answer(slow), check(), exercise=replace(DOUBLE, seconds=0.4))
    assert given.marks["00-1"] == Mark(2, "right") and given.status == "ok"
    always = slow.replace("if 'loaded' not in globals()", "if True")
    assert marked(course, answer(always), check(), exercise=replace(DOUBLE, seconds=0.4)).status == "timeout"


@pytest.mark.parametrize("status", ["timeout", "kernel_died"])
@pytest.mark.parametrize("request_", ["call", "run"])
def test_a_machine_that_is_busy_for_once_costs_nobody_marks(request_, status, course, monkeypatch):
    ask, failures = Sandbox.ask, [status]

    def busy(sandbox, request, seconds):
        if request_ in request and failures:
            sandbox.close()
            raise Lost(failures.pop())
        return ask(sandbox, request, seconds)

    monkeypatch.setattr(Sandbox, "ask", busy)
    given = marked(course, answer(RIGHT), check())
    assert not failures and given.marks["00-1"] == Mark(2, "right") and (given.status, given.remarks) == ("ok", [])


def test_only_a_function_that_does_not_end_is_said_to_take_too_long(course):
    given = marked(course, answer("def double(n):\n    while True: pass"), check())
    assert given.marks["00-1"].sentence.startswith("double takes too long") and given.status == "timeout"
    given = marked(course, answer(f"{RIGHT}\n{ENDLESS}"), check())
    assert given.marks["00-1"].points == 0 and "Does its cell run" in given.marks["00-1"].sentence
    given = marked(course, answer(RIGHT), check(), limits=replace(QUICK, patience=0))
    assert given.marks["00-1"] == Mark(0, f"double {marks.TOO_LATE}", "timeout")


def test_a_cell_that_failed_is_named(course):
    given = marked(
        course, "import numpy as np\nimport pandas as pd\nready = 1\n1 / 0\nlost = 1", answer(RIGHT), check()
    )
    (remark,) = given.remarks
    assert 'begins "import numpy as np", the line "import pandas as pd" failed: ModuleNotFoundError' in remark
    assert remark.endswith("What comes after that in the cell did not run.")
    assert given.marks["00-1"].points == 2 and given.status == "ok"


def test_remarks_tell_nothing_of_what_was_tried(course):
    """A cell that runs after a call could say in an error what the function was given."""
    spying = "seen = []\ndef double(n):\n    seen.append(n)\n    return n"
    given = marked(course, answer(spying, 1), check(1), answer("raise ValueError(seen)", 2), check(2), exercises=2)
    assert given.marks["00-1"].points == 0 and "ValueError: []" in " ".join(given.remarks)
    assert not re.search(r"\d{4}", " ".join(given.remarks))


def test_forged_marks_and_replies_win_nothing(course):
    """A background thread that writes replies of its own into every pipe: still no right answer to fresh inputs."""
    source = """
import os, threading, time
def forge():
    while True:
        for i in range(3, 8):
            try: os.write(i, b'{"dict": [["value", 7], ["changed", false], ["points", 99]]}\\n')
            except OSError: pass
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
def double(n):
    raise NotImplementedError
"""
    assert marked(course, answer(source), check()).marks["00-1"].points == 0


def test_a_submission_ends_in_its_time(course):
    begun = time.monotonic()
    given = marked(
        course, *[answer(ENDLESS, n) for n in range(20)], answer(RIGHT, 50), check(), limits=replace(QUICK, patience=5)
    )
    assert given.marks["00-1"].status == "timeout" and time.monotonic() - begun < 20


@pytest.mark.parametrize("moment", [b"", b"x = 1", b"double"], ids=["starting", "in a cell", "in a call"])
def test_an_interrupted_grader_ends_its_sandbox(moment, course, monkeypatch):
    """Also one that lives on: `grade` may be called in a notebook."""
    made = []

    class Watched(Sandbox):
        def __init__(self, *arguments):
            made.append(self)
            super().__init__(*arguments)

        def _line(self, to_send, look):
            if moment in to_send:
                raise KeyboardInterrupt
            return super()._line(to_send, look)

    monkeypatch.setattr(cells, "Sandbox", Watched)
    code = Code(["x = 1"], course)
    with pytest.raises(KeyboardInterrupt), contextlib.closing(code):
        mark_after(code, 1, DOUBLE, "double", seed=5)
    assert len(made) == 1 and made[0].process.poll() is not None and made[0].requests.closed
