"""check and hint: they answer in a sentence whatever a learner gives them, and never raise."""

import contextlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from course_utils.exercises import check, checking, hint
from course_utils.exercises.checking import Exercise, feedback, form, review, trials
from course_utils.exercises.checks import ex06
from course_utils.exercises.plain import Foreign, decode, encode, plain, same

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
    inputs = trials(checking.find("06-1"), checking.SEED)[0]
    assert repr(RIGHT(*inputs)) not in text


def test_a_function_without_parameters_is_tried_once(capsys):
    def stuck():
        return 1 / 0

    assert said(capsys, "06-2", checking.find("06-2").expected) == "06-2: right\n"
    assert said(capsys, "06-2", stuck).splitlines()[1:] == [
        "    Called, it stopped with ZeroDivisionError: division by zero."
    ]


def test_what_it_gave_is_shown_in_short(capsys):
    for given, shown in (("a" * 150, "a" * 150), ("a" * 1000, "a" * 150)):
        text = said(capsys, "06-1", lambda *inputs, given=given: given)
        assert f"it gave '{shown}" in text and len(text) < 500 and ("..." in text) == (given != shown)


@pytest.mark.parametrize("exercise_id", ["06-9", "6-1", "99-1", "", None, 3, "06", ("06-1",)])
def test_unknown_ids_name_the_known(exercise_id, capsys):
    text = said(capsys, exercise_id, RIGHT)
    assert "06" in text and ("has 06-1, 06-2" in text or "those that have: 01, " in text)
    hint(exercise_id)
    assert "06" in capsys.readouterr().out


@pytest.mark.parametrize("value", [RIGHT(7, 3, 1, 0, 1), None, "input_sizes", 3])
def test_a_value_in_place_of_the_function(value, capsys):
    assert "without parentheses" in said(capsys, "06-1", value)


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
        (checking.TimeUp(), "takes too long"),
    ],
)
def test_exceptions(error, says, capsys):
    def f(*inputs):
        raise error

    text = said(capsys, "06-1", f)
    assert says in text and text.startswith("06-1: ")


@pytest.mark.parametrize("exercise_id", ["06-1", "02-1", "02-2", "04-5"])
def test_whole_numbers_without_end(exercise_id, capsys):
    want = checking.find(exercise_id).expected(*trials(checking.find(exercise_id), checking.SEED)[0])
    for number in (10**30, 10**400, 10**6000):
        value = (number, *want[1:]) if isinstance(want, tuple) else number
        text = said(capsys, exercise_id, lambda *inputs, value=value: value)
        assert text.startswith(f"{exercise_id}: <lambda> ") and "could not be checked" not in text
        assert number < 10**100 or "a number that is too large" in text


def test_a_mistake_in_explain_is_told_by_the_exercise(monkeypatch, capsys):
    def explain(inputs, got):
        raise ValueError("operands could not be broadcast")

    monkeypatch.setitem(ex06.EXERCISES, "06-1", Exercise(**(vars(ex06.EXERCISES["06-1"]) | {"explain": explain})))
    assert said(capsys, "06-1", lambda *inputs: (0, 0)) == "06-1: could not be checked (ValueError)\n"


def test_examples_are_short(capsys):
    def wordy(*inputs):
        raise ValueError("word " * 5000 + "\nnext line")

    lines = said(capsys, "06-1", wordy).splitlines()
    assert len(lines) == 2 and "ValueError: word word" in lines[1] and len(lines[1]) < 400
    lines = said(capsys, "03-3", lambda batches, momentum: (np.zeros(9), [np.zeros((2, 1))])).splitlines()
    assert (
        len(lines) == 2 and "it gave (np.array([0.0, 0.0, 0.0" in lines[1] and "[np.array([[0.0], [0.0]])])" in lines[1]
    )
    lines = said(capsys, "01-1", lambda a, temperature: np.zeros((9, 9))).splitlines()
    assert "it gave <array of float64, shape (9, 9)>" in lines[1]


@pytest.mark.filterwarnings("error")
def test_a_wrong_answer_that_overflows_the_explanation_gives_no_warning(capsys):
    assert "no probabilities" in said(capsys, "01-1", lambda a, temperature: np.full(a.shape, 1e308))


def test_a_wrong_number_of_parameters(capsys):
    assert "Does it take the inputs" in said(capsys, "06-1", lambda size: size)


@pytest.fixture
def short(monkeypatch):
    """Exercise 06-1 with a tenth of a second."""
    hasty = Exercise(**(vars(ex06.EXERCISES["06-1"]) | {"seconds": 0.1}))
    monkeypatch.setitem(ex06.EXERCISES, "06-1", hasty)


def test_endless_loops_end(short, capsys):
    def endless(*inputs):
        while True:
            pass

    def stubborn(*inputs):
        for _ in range(3):
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


def test_the_timer_is_put_back():
    import signal

    before = signal.getsignal(signal.SIGALRM)
    feedback("06-1", RIGHT)
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_changed_inputs_are_noticed():
    exercise = Exercise(1, lambda rng: (rng.normal(size=3), [1]), lambda x, n: x + 1, lambda i, g: "is wrong.", ())

    def greedy(x, numbers):
        x += 1
        return x

    (inputs,) = trials(exercise, 0)[:1]
    before = inputs[0].copy()
    reply, _ = checking.ask(greedy, inputs, 1)
    assert "changes its inputs" in review(exercise, inputs, reply) and np.array_equal(inputs[0], before)


def test_where_several_answers_are_right_accept_decides():
    draw, accept = lambda rng: (3,), lambda inputs, got: got > inputs[0]
    exercise = Exercise(1, draw, lambda n: n, lambda inputs, got: "is too small.", (), accept=accept)
    assert review(exercise, (3,), {"value": 4, "changed": False}) is None
    assert review(exercise, (3,), {"value": 3, "changed": False}) == "is too small."


def test_draws_differ_and_are_repeated():
    exercise = checking.find("06-1")
    assert trials(exercise, 1) == trials(exercise, 1) != trials(exercise, 2)
    assert len(set(trials(exercise, 1))) == checking.DRAWS
    assert trials(checking.find("06-2"), 1) == [()]


@pytest.mark.parametrize(
    ("got", "want", "says"),
    [
        ([1.0, 2.0], np.zeros(2), "a list where a NumPy array"),
        (torch.zeros(2), np.zeros(2), "a torch tensor where a NumPy array"),
        (np.zeros(2), 1.0, "a NumPy array where a float"),
        (np.zeros((2, 1)), np.zeros(2), "number of axes"),
        (np.zeros(3), np.zeros(2), "wrong shape"),
        (np.array([0, np.nan]), np.zeros(2), "NaN"),
        (np.array([0, np.inf]), np.zeros(2), "NaN or infinity"),
        (np.zeros(2, bool), np.zeros(2), "booleans where floats"),
        (np.zeros(2), np.zeros(2, int), "floats where whole numbers"),
        (np.zeros(2, complex), np.zeros(2), "an array of something else than real numbers"),
        (np.array([None, 1]), np.zeros(2), "an array of something else than real numbers"),
        (1j, 1.0, "a complex number where a float"),
        (np.complex128(1), 1.0, "a complex number where a float"),
        ((n for n in [1]), [1], "a generator (put list() around it) where a list"),
        (2.0, 2, "Use // for division"),
        (True, 1, "True or False"),
        (1, True, "a whole number where True or False"),
        (float("nan"), 1.0, "NaN"),
        (None, 1, "Is a return missing?"),
        ("3", 3, "a text where a whole number"),
        ({1: 2}, [1], "a dict where a list"),
        ((1,), (1, 2), "wrong length"),
        ((1, 2.5), (1, 2), "something in it does not fit: it returns a float"),
        ([1, "a"], [1, 2, 3], "something in it"),
        ([((1, 2.5),)], [((1, 2),)], "returns a list, but something in it does not fit: it returns a float"),
        (object(), 1, "neither number, list nor array"),
        (lambda: 1, 1, "neither number, list nor array"),
    ],
)
def test_form_refuses(got, want, says):
    assert says in form(plain(got), want)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (np.int64(3), 3),
        (3, 3.0),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        ([1, 2], (1, 2)),
        ((1, 2), [1]),
        (torch.Size([1, 2]), (1, 2)),
        ([], [1]),
        (np.zeros(2, int), np.zeros(2)),
        (np.zeros(2, np.float32), np.zeros(2)),
        (np.zeros(2, np.uint8), np.zeros(2, int)),
        (float("inf"), float("inf")),
        (np.array([0, np.inf]), np.array([0, np.inf])),
    ],
)
def test_form_accepts(got, want):
    assert form(plain(got), want) is None


def test_a_tuple_of_another_class_is_a_tuple():
    class Stranger(tuple):
        def __iter__(self):
            raise RuntimeError("called")

    assert plain([Stranger((1, Stranger((2,))))]) == [(1, (2,))] and type(plain(Stranger())) is tuple


def test_an_array_of_another_class_is_an_array_and_a_copy():
    class Stranger(np.ndarray):
        def __eq__(self, other):
            return True

    value = np.zeros(2).view(Stranger)
    assert type(plain(value)) is np.ndarray and not np.shares_memory(plain(value), value)


def test_same():
    assert same(1 + 1e-9, 1.0) and not same(1.001, 1.0) and same(1, 1.0) and not same(True, 1) and not same(1.0, 1)
    assert same([1, (2.0, 3)], (1, [2.0, 3])) and not same([1, 2], [1]) and not same([1], 1)
    assert same(np.float32([0.1, 0.2]), np.array([0.1, 0.2])) and not same(np.zeros(2), np.zeros((2, 1)))
    assert not same(np.array([10**9 + 1]), np.array([10**9])), "whole numbers have no tolerance"
    assert not same(1, [1]) and not same(np.array([1]), [1]) and not same([1], {1: 1})
    assert same({"a": 1.0}, {"a": 1.0}) and not same({"a": 1.0}, {"b": 1.0}) and not same(float("nan"), 1.0)


VALUES = [
    None,
    True,
    -3,
    10**40,
    0.1,
    float("inf"),
    "a\nb",
    [1, [2.5, "x"]],
    (1, (2,), []),
    {"a": (1,), 3: [None]},
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 3), np.float32),
    np.array(2, ">i2"),
    np.array([True, False]),
    np.arange(12).reshape(3, 4)[:, ::2],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_travels(value):
    text = encode(value)
    back = decode(text)
    assert "\n" not in text and type(back) is type(value) and same(back, plain(value))
    if isinstance(value, np.ndarray):
        assert back.dtype.kind == value.dtype.kind and back.flags.writeable


def test_what_is_not_plain_travels_as_its_name_only():
    class Evil(int):
        def __reduce__(self):
            raise AssertionError("pickled")

    assert isinstance(decode(encode(Evil(3))), Foreign)
    assert isinstance(plain({(1, 2): 3}), Foreign) and isinstance(plain(b"bytes"), Foreign)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        '{"array": 1}',
        '{"array": ["O", [1], "AAAA"]}',
        '{"array": ["S3", [1], "AAAA"]}',
        '{"array": ["<f8", [9], "AAAA"]}',
        '{"array": ["<f8", [-1, 0], ""]}',
        '{"tuple": 1}',
        '{"other": 1}',
        '{"dict": [1]}',
        '{"dict": [[[1], 2]], "x": 1}',
        "[" * 10**5,
        "1" * 10**4,
    ],
)
def test_decode_refuses(text):
    with pytest.raises(ValueError):
        decode(text)


def test_hints_come_one_by_one(capsys, monkeypatch):
    monkeypatch.setattr(checking, "_given", {})
    for _ in range(4):
        hint("06-1")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:16] for line in lines] == [f"06-1, hint {n} of 3"[:16] for n in (1, 2, 3, 1)]
    assert lines[0] == lines[3] and len(set(lines)) == 3


def test_import_is_light():
    code = (
        "import sys, course_utils.exercises; print([m for m in ('torch', 'nbgrader', 'nbformat') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
