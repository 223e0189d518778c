"""What an exercise is, and how a reply is compared: its form first, then its value."""

import numpy as np
import pytest
import torch

from course_utils.exercises.exercise import Either, Exercise, find, first_wrong, fits, review, told_apart, trials
from course_utils.exercises.form import form
from course_utils.exercises.learner import reply_of
from course_utils.exercises.plain import plain


def test_changed_inputs_are_noticed():
    exercise = Exercise(1, lambda rng: (rng.normal(size=3), [1]), lambda x, n: x + 1, "is wrong.", ())

    def greedy(x, numbers):
        x += 1
        return x

    (inputs,) = trials(exercise, 0)[:1]
    before = inputs[0].copy()
    reply, _ = reply_of(exercise, greedy, inputs, 1)
    assert "changes its inputs" in review(exercise, inputs, reply) and np.array_equal(inputs[0], before)


def test_where_several_answers_are_right_accept_decides():
    draw, accept = lambda rng: (3,), lambda inputs, got: got > inputs[0]
    exercise = Exercise(1, draw, lambda n: n, "is too small.", (), accept=accept)
    assert review(exercise, (3,), {"value": 4, "changed": False}) is None
    assert review(exercise, (3,), {"value": 3, "changed": False}) == "is too small."


def test_mistakes_that_look_alike_are_told():
    assert told_apart(3, [1, 2, 4]) and told_apart(3, []) and not told_apart(3, [1, 2, 1])
    assert told_apart(3, [3, 3, 1]), "what happens to be right does not show"
    assert not told_apart(0.5, [1 / 3, 1.0, 0.1 + 0.2 + 1 / 30]) and told_apart(np.zeros(2), [np.ones(2), np.arange(2)])


def test_a_row_with_something_open_is_no_answer_and_those_of_one_sentence_may_be_alike():
    assert told_apart((1, 2), [(1, ...), (1, 3), ...]) and told_apart(3, [Either(1, 1), 2])
    assert not told_apart(3, [Either(1, 2), 2])


def test_the_first_row_that_fits_is_said():
    table = {"doubles.": (2, 4), "has the first right.": (1, ...), "has one of two.": Either((7, 2), (..., 9))}
    exercise = Exercise(1, lambda rng: (), lambda: (1, 2), "is not right yet.", (), mistakes=lambda: table)
    said = {got: exercise.judge((), got) for got in ((2, 4), (1, 5), (7, 2), (3, 9), (3, 3), (1, 2))}
    assert list(said.values()) == [*table, "has one of two.", "is not right yet.", None]
    assert "a text" in str(exercise.judge((), (1, "5"))), "what stands in an open place has the right form"
    assert "wrong length" in str(exercise.judge((), (1, 5, 5)))


def test_a_mistake_in_another_form_or_not_finite_is_said_by_its_row():
    table = {"overflows.": np.array([np.inf, np.nan]), "is a sum.": 3.0}
    exercise = Exercise(
        1, lambda rng: (), lambda: np.array([1.0, 2.0]), lambda inputs, got: got.shape, (), mistakes=lambda: table
    )
    assert exercise.judge((), np.array([np.inf, np.nan])) == "overflows."
    assert exercise.judge((), 3.0) == "is a sum."
    alike = Exercise(1, lambda rng: (), lambda: np.array([True]), "", (), mistakes=lambda: {"x.": np.array([1])})
    assert "booleans" in str(alike.judge((), np.array([1]))), "a row that happens to be right here says nothing"
    assert "NaN" in str(exercise.judge((), np.array([np.nan, np.inf])))
    assert "a text" in str(exercise.judge((), "x")), "`otherwise` is asked about answers of the right form alone"


def test_first_wrong_says_the_sentence_of_the_first_place_that_is_wrong():
    table = first_wrong((1, 2, 3), ("a", "b", "c"))
    for got, sentence in (((0, 0, 0), "a"), ((1, 0, 3), "b"), ((1, 2, 0), "c"), ((0, 2, 3), "a")):
        assert next(words for words, wrong in table.items() if fits(got, wrong, (1, 2, 3))) == sentence


def test_inputs_are_drawn_again_until_no_mistake_looks_like_another():
    def mistakes(n):
        return {"forgets the two.": n, "squares.": n * n + 2}

    exercise = Exercise(1, lambda rng: (int(rng.integers(-2, 3)),), lambda n: n + 2, "", (), mistakes=mistakes)
    assert {n for (n,) in trials(exercise, 0)} == {-2, -1, 0, 1, 2}
    alike = Exercise(**(vars(exercise) | {"mistakes": lambda n: {"a": n, "b": n * n}}))
    assert {n for (n,) in trials(alike, 0)} == {-2, -1, 2}, "at 0 and 1 a number is its own square"
    hopeless = Exercise(**(vars(exercise) | {"mistakes": lambda n: {"a": n, "b": n}}))
    assert len(trials(hopeless, 0)) == hopeless.draws


def test_draws_differ_and_are_repeated():
    exercise = find("06-1")
    assert trials(exercise, 1) == trials(exercise, 1) != trials(exercise, 2)
    assert len(set(trials(exercise, 1))) == exercise.draws
    assert trials(find("06-2"), 1) == [()]


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
        (lambda: 1, 1, "a function instead of what it gives where a whole number"),
        ({1}, [1], "a set where a list"),
        (map(str, [1]), [1], "a map (put list() around it) where a list"),
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
