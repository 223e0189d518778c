"""What every exercise's checks have to do: its table of mistakes is tried row by row.

A chapter's test lists what is right though it looks unlike, and mistakes that are shaped like code.
"""

import re
from functools import lru_cache

import nbformat
import numpy as np
import torch

from course_utils.exercises.exercise import TODO, Either, find, review, trials
from course_utils.exercises.learner import SEED, feedback, reply_of
from course_utils.exercises.masters import master

SEEDS = (SEED, 1, 2, 3)  # of `check`, and as a grader might draw


def seeds(exercise):
    """Those that an exercise is tried with: two where networks are built, which takes most of the time."""
    return SEEDS[:2] if exercise.torch else SEEDS


def given_names(chapter):
    """What the locked cells of a master define."""
    names = {"np": np}
    for cell in nbformat.read(master(chapter), as_version=4).cells:
        if cell.id.endswith("-given"):
            exec(cell.source, names)
    return names


@lru_cache
def drawn(exercise, seed):
    """The inputs of an exercise, drawn once for all wrong answers: a function gets a copy of them."""
    return trials(exercise, seed)


def outcome(exercise_id, function, seed=SEED):
    """The sentence on a function, None if it is right, and a value that the sentence must not give away."""
    exercise = find(exercise_id)
    for inputs in drawn(exercise, seed):
        reply, _ = reply_of(exercise, function, inputs, exercise.seconds)
        sentence = review(exercise, inputs, reply)
        if sentence:
            return sentence, None if exercise.torch else exercise.expected(*inputs)
    return None, None


def gives_away(sentence, value):
    """Whether a sentence contains a value, or a part of it, as text; small numbers alone are looked for as words."""
    parts = [value]
    while parts:
        part = parts.pop()
        if isinstance(part, (list, tuple)) and len(part):
            parts += part if len(part) > 1 or not isinstance(part[0], int) else []
            if repr(part) in sentence:
                return True
        elif isinstance(part, (int, float)) and abs(part) > 3 and re.search(rf"(?<![\d.]){part}(?![\d.])", sentence):
            return True
    return False


def accepts(exercise_id, function):
    """The function is right, whatever the seed."""
    for seed in seeds(find(exercise_id)):
        sentence, _ = outcome(exercise_id, function, seed)
        assert sentence is None, f"seed {seed}: {sentence}"
    assert feedback(exercise_id, function).startswith(f"{exercise_id}: right")


def refuses(exercise_id, function, says):
    """The function is wrong, whatever the seed; the sentence `says` what is wrong, and gives nothing away.

    Where some inputs show a mistake in another light, `says` is a tuple: what `check` says, and what is true, too.
    """
    first, *also = [says] if isinstance(says, str) else says
    for seed in seeds(find(exercise_id)):
        sentence, expected = outcome(exercise_id, function, seed)
        assert sentence not in (None, TODO), f"seed {seed}: accepted"
        assert not gives_away(sentence, expected), f"{sentence!r} gives {expected!r} away"
        assert any(words in f"{exercise_id}: {sentence}\n" for words in (first, *also)), f"seed {seed}: {sentence}"
    assert first in feedback(exercise_id, function)


def strangers(value):
    """Values of the form of an answer that no author of `explain` has in mind."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield from (type(value)(-1), type(value)(10**30))
    elif isinstance(value, np.ndarray):
        yield from (value * 0 - 1, value + 10**6)
    elif isinstance(value, tuple):
        yield from (tuple(strange) for strange in zip(*map(strangers, value), strict=False))
    elif isinstance(value, list):
        yield [next(strangers(item)) for item in value or [0]]
        yield value + 3 * (value[-1:] or [0])
        if value:
            yield []


def instead(wrong, right):
    """A wrong answer of a table with something in place of `...`, as far off as can be."""
    if wrong is ...:
        return not right if isinstance(right, bool) else next(strangers(right))
    if isinstance(wrong, tuple) and isinstance(right, tuple) and len(wrong) == len(right):
        return tuple(map(instead, wrong, right))
    return wrong


def mistaken(exercise, sentence, number):
    """The function that makes a mistake of the table; `number` chooses among several of one sentence."""

    def function(*inputs):
        right = exercise.expected(*inputs)
        inputs = (*inputs, None) if exercise.torch else inputs
        answers = rows(exercise, inputs).get(sentence, [])
        return instead(answers[number], right) if number < len(answers) else right

    return function


def rows(exercise, inputs):
    """The mistakes at some inputs, as sentence: list of wrong answers."""
    table = exercise.mistakes(*inputs[: len(inputs) - exercise.torch])
    return {words: wrong.answers if isinstance(wrong, Either) else [wrong] for words, wrong in table.items()}


def check_mistakes(exercise_id):
    """Each row of an exercise's table is refused, whatever the seed, with its own sentence."""
    exercise = find(exercise_id)
    tables = [rows(exercise, inputs) for inputs in drawn(exercise, SEED)]
    for sentence in set().union(*tables):
        for number in range(max(len(table.get(sentence, [])) for table in tables)):
            refuses(exercise_id, mistaken(exercise, sentence, number), says=sentence)


def check_is_sound(exercise_id):
    """What holds for every exercise: its own answer is right; mistakes, stubs, hostile functions are refused."""
    exercise = find(exercise_id)
    assert exercise.points > 0 and exercise.seconds > 0
    assert len(exercise.hints) == len(set(exercise.hints)) == 3
    accepts(exercise_id, exercise.expected)
    check_mistakes(exercise_id)

    def stub(*inputs):
        raise NotImplementedError

    assert feedback(exercise_id, stub) == f"{exercise_id}: still to do"
    refuses(exercise_id, lambda *inputs: exit(), says="ends the whole program")
    refuses(exercise_id, lambda a, b, c, d, e, f, g, h, i, j: 0, says="does not take the inputs")
    check_constants(exercise_id, exercise)


def check_constants(exercise_id, exercise):
    """Answers that do not depend on the inputs, of any kind, are refused."""

    def constant(value):
        return lambda *inputs: value

    first = None if exercise.torch else exercise.expected(*drawn(exercise, SEEDS[0])[0])
    if not exercise.torch and drawn(exercise, SEEDS[0]) != [()]:
        refuses(exercise_id, constant(first), says=exercise_id)  # the first answer, typed in
    for value in (
        None,
        "text",
        float("nan"),
        torch.zeros(2),
        {},
        object(),
        np.zeros((1, 1, 1, 1, 1)),
        [None],
        (),
        True,
    ):
        refuses(exercise_id, constant(value), says=exercise_id)

    for inputs in [] if exercise.torch else drawn(exercise, SEEDS[0]):
        for strange in strangers(exercise.expected(*inputs)):
            assert review(exercise, inputs, {"value": strange, "changed": False})

    class Chameleon(int):
        def __eq__(self, other):
            return True

        __hash__ = None

    refuses(exercise_id, constant(Chameleon(1)), says=exercise_id)
