"""check, hint and case: they answer in a sentence whatever a learner gives them, and never raise."""

import ast
import contextlib
import functools
import gc
import io
import operator
import signal
import subprocess
import sys
import threading
import time
import unittest.mock
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import exercises
from course_utils.exercises import case, check, hint, learner
from course_utils.exercises.checks import ex06
from course_utils.exercises.exercise import Exercise, find, trials
from course_utils.exercises.learner import SEED, feedback
from course_utils.exercises.plain import TimeUp

RIGHT = ex06.input_sizes


def said(capsys, *arguments):
    check(*arguments)
    return capsys.readouterr().out


def test_right(capsys):
    assert said(capsys, "06-1", RIGHT) == "06-1: right, on 25 different inputs\n"


def test_still_to_do(capsys):
    def input_sizes(size, kernel_size, stride, padding, dilation):
        raise NotImplementedError

    assert said(capsys, "06-1", input_sizes) == "06-1: still to do\n"


def test_wrong_shows_where_and_not_what(capsys):
    def input_sizes(size, kernel_size, stride, padding, dilation):
        return 0, 0

    text = said(capsys, "06-1", input_sizes)
    assert text.startswith("06-1: input_sizes is not right yet.") and "With size=" in text and "it gave (0, 0)" in text
    inputs = trials(find("06-1"), SEED)[0]
    assert repr(RIGHT(*inputs)) not in text


def test_a_function_without_parameters_is_tried_once(capsys):
    def stuck():
        return 1 / 0

    assert said(capsys, "06-2", find("06-2").expected) == "06-2: right\n"
    assert said(capsys, "06-2", stuck).splitlines()[1:] == [
        "    Called, it stopped with ZeroDivisionError: division by zero."
    ]


def test_what_it_gave_is_shown_in_short(capsys):
    for given, shown in (("a" * 150, "a" * 150), ("a" * 1000, "a" * 150)):
        text = said(capsys, "06-1", lambda *inputs, given=given: given)
        assert f"it gave '{shown}" in text and len(text) < 500 and ("..." in text) == (given != shown)


class Solver:
    """What a learner may have in place of a plain function."""

    def input_sizes(self, *inputs):
        return RIGHT(*inputs)

    def __call__(self, *inputs):
        return RIGHT(*inputs)


@pytest.mark.parametrize(
    ("exercise_id", "says"),
    [
        ("06-9", "no check for '06-9'; chapter 06 has 06-1, 06-2"),
        ("06-6", "marked by hand has none"),
        ("06", "chapter 06 has 06-1, 06-2"),
        ("99-1", "those that have: 01, "),
        ("", "those that have: 01, "),
        ("input_sizes", "those that have: 01, "),
        ("\ud800", "those that have: 01, "),
        ("x" * 10**6, "those that have: 01, "),
        ("9" * 10**6, "those that have: 01, "),
        *((text, 'Is "06-1" meant?') for text in ("6-1", "06_1", " 06-1", "06-1 ", "06 - 1", "06–1", "06−1", "06.1")),
        *((text, 'Is "06-1" meant?') for text in ("06-01", "Ex06-1", "EX 6.1:", "06-1-check", "０６-１")),
        *((value, 'in quotes, such as "06-1"; got a value of type ') for value in (6.1, 3, 10**30, b"6-1", ("06-1",))),
        *((value, 'in quotes, such as "06-1"; got a value of type ') for value in (RIGHT, np.zeros(3), object(), True)),
        (None, 'in quotes, such as "06-1"; got None'),
    ],
)
@pytest.mark.parametrize("call", [lambda name: check(name, RIGHT), hint, case])
def test_other_ids_name_what_may_be_meant_or_what_there_is(call, exercise_id, says, capsys):
    assert call(exercise_id) is None
    text = capsys.readouterr().out
    assert says in text and text.count("\n") == 1 and len(text) < 200


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((RIGHT, "06-1"), 'the id comes first, then the function: check("06-1", input_sizes)'),
        ((RIGHT, "6_1"), 'check("06-1", input_sizes)'),
        ((None, "06-1"), 'check("06-1", your function)'),
        (("input_sizes", "06-1"), 'check("06-1", your function)'),
        ((lambda *inputs: 0, "06-1"), 'check("06-1", your function)'),
        ((), 'such as "06-1"; got None'),
        (("06-1",), "give the function itself"),
        ((RIGHT,), "a value of type function"),
        (("06-1", RIGHT, 3), "check takes the id and the function"),
        ((RIGHT, "06-1", 3), "check takes the id and the function"),
    ],
)
def test_arguments_of_check_in_other_places(arguments, says, capsys):
    text = said(capsys, *arguments)
    assert says in text and text.count("\n") == 1


def test_arguments_by_other_names(capsys):
    check("06-1", f=RIGHT)
    hint(number=2)
    assert case("06-1", RIGHT) is None
    check(exercise_id="06-1", function=RIGHT)
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "check takes the id and the function",
        "hint takes the id alone",
        "case takes the id alone",
        "06-1",
    ]


@pytest.mark.parametrize("value", [RIGHT(7, 3, 1, 0, 1), None, "input_sizes", 3, np, np.zeros(3), [RIGHT]])
def test_a_value_in_place_of_the_function(value, capsys):
    assert "without parentheses or quotes: check(" in said(capsys, "06-1", value)


@pytest.mark.parametrize("kind", [Solver, tuple, dict, type])
def test_a_class_in_place_of_the_function(kind, capsys):
    assert said(capsys, "06-1", kind) == f"06-1: {kind.__name__} is a class; give a function\n"


def with_defaults(size, kernel_size=3, stride=1, padding=0, dilation=1, verbose=False):
    return RIGHT(size, kernel_size, stride, padding, dilation)


@functools.wraps(with_defaults)
def wrapped(*inputs):
    return RIGHT(*inputs)


@pytest.mark.parametrize(
    "function",
    [
        lambda *inputs: RIGHT(*inputs),
        lambda size, kernel_size, stride, padding, dilation: RIGHT(size, kernel_size, stride, padding, dilation),
        functools.partial(lambda scale, *inputs: RIGHT(*inputs), 1),
        functools.partial(with_defaults, verbose=True),
        with_defaults,
        wrapped,
        Solver().input_sizes,
        Solver(),
        functools.cache(RIGHT),
        np.frompyfunc(lambda *inputs: RIGHT(*inputs), 5, 1),
    ],
)
def test_whatever_can_be_called_like_the_function_is_right(function, capsys):
    assert said(capsys, "06-1", function) == "06-1: right, on 25 different inputs\n"


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda size: size, "(size)"),
        (lambda: 0, "()"),
        (Solver.__call__, None),
        (lambda self, size, kernel_size, stride, padding, dilation: 0, "(self, size, kernel_size"),
        (lambda *, size, kernel_size, stride, padding, dilation: 0, "(size, kernel_size"),
        (lambda size, kernel_size, stride, padding, dilation, verbose: 0, "dilation, verbose)"),
        (functools.partial(with_defaults, 1, 2), "(stride, padding, dilation, verbose)"),
        (len, "(obj)"),
        (dict.get, None),
    ],
)
def test_another_number_of_parameters_is_told_with_their_names(function, takes, capsys):
    text = said(capsys, "06-1", function)
    if takes is None:  # it may be called; what comes out is not right
        assert text.startswith("06-1: ") and "could not be checked" not in text
    else:
        first, second = text.splitlines()
        assert "does not take the inputs that the text names" in first and takes in second
        assert second.endswith("it is called with (size, kernel_size, stride, padding, dilation).")


def test_a_type_error_inside_a_function_is_not_taken_for_a_wrong_call(capsys):
    def input_sizes(size, kernel_size, stride, padding, dilation):
        return None + 1

    text = said(capsys, "06-1", input_sizes)
    assert "stops with a TypeError: " in text and "unsupported operand" in text and "inputs that" not in text


@pytest.mark.filterwarnings("error")
def test_an_async_function(capsys):
    async def input_sizes(size, kernel_size, stride, padding, dilation):
        return RIGHT(size, kernel_size, stride, padding, dilation)

    assert "a coroutine (take out async) where a tuple" in said(capsys, "06-1", input_sizes)
    gc.collect()


@pytest.mark.parametrize("function", [print, max, np.zeros, operator.add, str.join, [].append, contextlib.nullcontext])
def test_functions_of_python_and_numpy(function, capsys):
    text = said(capsys, "06-1", function)
    assert "06-1: " in text and "could not be checked" not in text and "right, on" not in text


class Hostile:
    """Raises whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    __call__ = __repr__ = __str__ = __len__ = __bool__ = __iter__ = __eq__ = __hash__ = None


@pytest.mark.parametrize(
    "make", [Hostile, lambda: Hostile, unittest.mock.MagicMock, lambda: unittest.mock.Mock(spec=str)]
)
def test_hostile_objects_raise_nothing(make, capsys):
    value = make()
    check("06-1", value)
    check(value, "06-1")
    check(value, value)
    hint(value)
    assert case(value) is None
    assert len(capsys.readouterr().out.splitlines()) >= 5


def test_a_terminal_with_another_alphabet(monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(learner, "_shown", {"01-4": 0})
    hint("01-4")
    screen.flush()
    assert screen.buffer.getvalue().startswith(b"01-4, hint 1 of 3: For a < 0 the derivative is \\u03b1 exp(a)")


# case


@pytest.fixture
def no_failures(monkeypatch):
    monkeypatch.setattr(learner, "_failed", {})


def test_the_case_of_a_failure_is_had_again(no_failures, capsys):
    seen = []

    def diagnose(h, outputs):
        seen.append((h.copy(), outputs.copy()))
        h *= 0
        return 0.5, True, False

    text = said(capsys, "04-5", diagnose)
    assert text.endswith('\n    case("04-5") gives these inputs back.\n')
    h, outputs = inputs = case("04-5")
    assert isinstance(inputs, tuple) and np.array_equal(h, seen[-1][0]) and np.array_equal(outputs, seen[-1][1])
    h += 1
    assert np.array_equal(case("04-5")[0], seen[-1][0]) and capsys.readouterr().out == ""
    assert case("01-2") is None and "takes no inputs; call it as it is" in capsys.readouterr().out


def test_the_case_is_that_of_the_last_failure(no_failures, capsys):
    check("06-1", lambda size, kernel_size, stride, padding, dilation: (0, 0))
    first = case("06-1")
    check("06-1", lambda *inputs: RIGHT(*inputs) if inputs == first else 1 / 0)
    assert first != case("06-1") == trials(find("06-1"), SEED)[1]
    check("06-1", RIGHT)
    assert case("06-1") == trials(find("06-1"), SEED)[1]


def test_no_case_before_a_failure(no_failures, capsys):
    def todo(*inputs):
        raise NotImplementedError

    for function in (None, RIGHT, todo):
        check("06-1", function)
        capsys.readouterr()
        assert case("06-1") is None
        assert capsys.readouterr().out == '06-1: no failure so far; run check("06-1", ...) with your function first\n'


def test_the_case_is_mentioned_where_inputs_are_not_shown_whole(no_failures, monkeypatch, capsys):
    assert "case(" not in said(capsys, "06-1", lambda *inputs: 0)  # five numbers
    assert "case(" in said(capsys, "04-5", lambda *inputs: 0)  # arrays
    assert "case(" not in said(capsys, "06-2", lambda: 0)
    assert "case(" in said(capsys, "04-5", lambda *inputs: 1 / 0) and case("04-5")
    long = Exercise(1, lambda rng: (list(range(99)),), lambda numbers: 0, "is wrong.", ())
    monkeypatch.setitem(ex06.EXERCISES, "06-1", long)
    assert "case(" in said(capsys, "06-1", len)  # a list that is cut


# What it says of a function that goes wrong


class Shouting(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ZeroDivisionError("division by zero"), "it stopped with ZeroDivisionError: division by zero"),
        (SystemExit(), "ends the whole program"),
        (KeyboardInterrupt(), "interrupted"),
        (MemoryError(), "memory"),
        (RecursionError(), "calls itself"),
        (OverflowError(), "a number that is too large"),
        (ModuleNotFoundError("no module"), "imports something that is not there"),
        (ImportError(), "imports something that is not there"),
        (GeneratorExit(), "stops with an error"),
        (Shouting(), "could not be checked"),
        (TimeUp(), "takes too long"),
    ],
)
def test_exceptions(error, says, capsys):
    def f(*inputs):
        raise error

    text = said(capsys, "06-1", f)
    assert says in text and text.startswith("06-1: ")


@pytest.mark.parametrize("exercise_id", ["06-1", "02-1", "02-2", "04-5"])
def test_whole_numbers_without_end(exercise_id, capsys):
    want = find(exercise_id).expected(*trials(find(exercise_id), SEED)[0])
    for number in (10**30, 10**400, 10**6000):
        value = (number, *want[1:]) if isinstance(want, tuple) else number
        text = said(capsys, exercise_id, lambda *inputs, value=value: value)
        assert text.startswith(f"{exercise_id}: your function ") and "could not be checked" not in text
        assert number < 10**100 or "a number that is too large" in text


def test_a_mistake_of_ours_is_told_by_the_exercise(monkeypatch, capsys):
    def otherwise(inputs, got):
        raise ValueError("operands could not be broadcast")

    monkeypatch.setitem(ex06.EXERCISES, "06-1", Exercise(**(vars(ex06.EXERCISES["06-1"]) | {"otherwise": otherwise})))
    assert said(capsys, "06-1", lambda *inputs: (0, 0)) == "06-1: could not be checked (ValueError)\n"


def test_examples_are_short(capsys):
    def wordy(*inputs):
        raise ValueError("word " * 5000 + "\nnext line")

    lines = said(capsys, "06-1", wordy).splitlines()
    assert len(lines) == 2 and "ValueError: word word" in lines[1] and len(lines[1]) < 400
    lines = said(capsys, "03-3", lambda batches, momentum: (np.zeros(9), [np.zeros((2, 1))])).splitlines()
    assert "it gave (np.array([0.0, 0.0, 0.0" in lines[1] and "[np.array([[0.0], [0.0]])])" in lines[1]
    assert lines[2:] == ['    case("03-3") gives these inputs back.'] and all(len(line) < 400 for line in lines)
    lines = said(capsys, "01-1", lambda a, temperature: np.zeros((9, 9))).splitlines()
    assert "it gave <array of float64, shape (9, 9)>" in lines[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([np.zeros((4, 4))] * 5, "<5 arrays of float64, shape (4, 4)>"),
        ([np.zeros((4, 4)), np.zeros(20)], "[<array of float64, shape (4, 4)>, <array of float64, shape (20,)>]"),
        ((np.zeros((4, 4)), True), "(<array of float64, shape (4, 4)>, True)"),
        ([123456789] * 20, f"[{'123456789, ' * 14}...]"),
        ([[1, 2], (3,), []], "[[1, 2], (3,), []]"),
    ],
)
def test_values_are_cut_behind_a_whole_item(value, shown, capsys):
    assert f"it gave {shown}" in said(capsys, "01-1", lambda a, temperature: value)


def test_of_a_network_its_tensors_are_not_shown(capsys):
    lines = said(capsys, "09-6", lambda *numbers: torch.nn.Flatten()).splitlines()
    assert lines[1].startswith("    With channels=") and lines[1].endswith("shape (2, 5, 19, 19)>.") and len(lines) == 3


@pytest.mark.filterwarnings("error")
def test_a_wrong_answer_that_overflows_the_explanation_gives_no_warning(capsys):
    assert "no probabilities" in said(capsys, "01-1", lambda a, temperature: np.full(a.shape, 1e308))


@pytest.fixture
def short(monkeypatch):
    """Exercise 06-1 with a tenth of a second."""
    hasty = Exercise(**(vars(ex06.EXERCISES["06-1"]) | {"seconds": 0.1}))
    monkeypatch.setitem(ex06.EXERCISES, "06-1", hasty)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer on Windows")
def test_endless_loops_end(short, capsys):
    def endless(*inputs):
        while True:
            pass

    def stubborn(*inputs):
        for _ in range(2):
            with contextlib.suppress(BaseException):
                time.sleep(60)

    for function in (endless, stubborn):
        start = time.monotonic()
        text = said(capsys, "06-1", function)
        assert time.monotonic() - start < 20
    assert "takes too long" in said(capsys, "06-1", endless) and text.startswith("06-1: ")


def test_works_off_the_main_thread(capsys):
    thread = threading.Thread(target=check, args=("06-1", RIGHT))
    thread.start()
    thread.join()
    assert "right" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer on Windows")
def test_the_timer_is_put_back():
    before = signal.getsignal(signal.SIGALRM)
    feedback("06-1", RIGHT)
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_hints_come_one_by_one(capsys, monkeypatch):
    monkeypatch.setattr(learner, "_shown", {})
    for _ in range(4):
        hint("06-1")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:16] for line in lines] == [f"06-1, hint {n} of 3"[:16] for n in (1, 2, 3, 1)]
    assert lines[0] == lines[3] and len(set(lines)) == 3


def test_python_without_asserts_and_docstrings_says_the_same():
    code = (
        "from course_utils.exercises import check, hint, case\n"
        "check('06-1', lambda *inputs: (0, 0))\nprint(case('06-1'))\nhint('06-1')\ncheck('6-1', print)"
    )
    plain, optimized = (
        subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True).stdout
        for options in ((), ("-OO",))
    )
    assert plain == optimized and plain.count("\n") == 5


def test_nothing_rests_on_asserts_and_docstrings():
    for path in Path(exercises.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        assert not any(isinstance(node, ast.Assert) for node in nodes), path
        assert not any(isinstance(node, ast.Attribute) and node.attr == "__doc__" for node in nodes), path


def test_import_is_light():
    code = (
        "import sys, course_utils.exercises; print([m for m in ('torch', 'nbgrader', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
