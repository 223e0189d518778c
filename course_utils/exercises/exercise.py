"""What an exercise is, and how a reply to it is compared: the same for a learner's `check` and for the grader.

An exercise is one function. What it is given, what comes out and what to say of a wrong answer stands in
`checks/exNN.py`, one file a chapter.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np

from course_utils.exercises.form import form
from course_utils.exercises.plain import plain, same

REDRAWS = 100  # tries to find inputs on which no mistake looks like another
TODO = "still to do"


class Either:
    """Several wrong answers that one sentence is right for, in `mistakes`."""

    def __init__(self, *answers: Any):
        self.answers = answers


@dataclass(frozen=True)
class Exercise:
    """One exercise, `EXERCISES["06-1"]` of `checks/ex06.py`.

    draw(rng)               one set of inputs, a tuple of plain data, varied enough to tell right from nearly right
    expected(*inputs)       the answer; its form is demanded too: a tuple has its length, a list may have any
    otherwise               what to say of an answer that is none of the mistakes, or a function (inputs, got) that
                            says it; it presumes no cause, and has no value of the inputs or the answer in it
    hints                   three, from a nudge to nearly the answer
    mistakes(*inputs)       a table from a sentence that helps to the wrong answer it belongs to; the first that fits
                            is said. In a tuple, `...` stands for anything of the right form; `Either` for several
    accept(inputs, got)     only where several answers are right: is this one?
    seconds                 for all calls of one check together
    rtol                    relative tolerance in the comparison of floats
    """

    points: int
    draw: Callable[[np.random.Generator], tuple]
    expected: Callable[..., Any]
    otherwise: str | Callable[[tuple, Any], str | None]
    hints: tuple[str, ...]
    mistakes: Callable[..., dict[str, Any]] = lambda *inputs: {}
    accept: Callable[[tuple, Any], bool] | None = None
    seconds: float = 5.0
    rtol: float = 1e-5
    torch = False  # whether an answer needs PyTorch
    draws = 25  # inputs tried of an exercise that has any

    def names(self) -> list[str]:
        """What the inputs are called: the parameters of `expected` that have no default."""
        parameters = inspect.signature(self.expected).parameters
        return [name for name, parameter in parameters.items() if parameter.default is parameter.empty]

    @np.errstate(all="ignore")
    def clear(self, inputs: tuple) -> bool:
        """Whether no mistake looks like another on these inputs."""
        return told_apart(self.expected(*inputs), self.mistakes(*inputs).values())

    def converse(self, inputs: tuple, ask: Callable[[str, Any], dict[str, Any]]) -> dict[str, Any]:
        """The reply to some inputs; `ask(request, data)` puts a question to the function, see `plain.answer`."""
        return ask("call", inputs)

    def judge(self, inputs: tuple, got: Any) -> str | None:
        """What is wrong with an answer, in one sentence without any value; None where nothing is."""
        want = plain(self.expected(*inputs))
        misfit = form(got, want)
        if not misfit and (self.accept(inputs, got) if self.accept else same(got, want, self.rtol)):
            return None
        # Of an answer that lacks no more than the form, a row that happens to be right here says nothing.
        wrong = (row for row in self.mistakes(*inputs).items() if not (misfit and fits(want, row[1], want, self.rtol)))
        told = next((sentence for sentence, answer in wrong if fits(got, answer, want, self.rtol)), None)
        other = self.otherwise if isinstance(self.otherwise, str) or misfit else self.otherwise(inputs, got)
        return told or misfit or str(other or "is not right yet.")


def checks_of(chapter: str) -> ModuleType:
    """The module with the exercises of a chapter ("06"). Raises ValueError for one without, naming those there are."""
    folder = importlib.import_module("course_utils.exercises.checks").__path__
    known = sorted(module.name[2:] for module in pkgutil.iter_modules(folder))
    if chapter not in known:
        raise ValueError(f"chapter {_quoted(chapter)} has no exercises; those that have: {', '.join(known)}")
    return importlib.import_module(f"course_utils.exercises.checks.ex{chapter}")


def find(exercise_id: object) -> Exercise:
    """The exercise of that id. Raises ValueError for anything else, with what may be meant or the ids there are."""
    meant = meant_id(exercise_id)
    if type(exercise_id) is not str:
        got = "None" if exercise_id is None else f"a value of type {type(exercise_id).__name__}"
        raise ValueError(f'an exercise is named by a text in quotes, such as "{meant or "06-1"}"; got {got}')
    chapter = (meant or exercise_id).partition("-")[0]
    known = checks_of(chapter).EXERCISES
    if exercise_id in known:
        return known[exercise_id]
    if meant in known:
        raise ValueError(f'there is no exercise {_quoted(exercise_id)}. Is "{meant}" meant?')
    raise ValueError(
        f"there is no check for {_quoted(exercise_id)}; chapter {chapter} has {', '.join(known)}, "
        "and an exercise that is marked by hand has none"
    )


def meant_id(value: object) -> str | None:
    """The id that a text or a number may stand for: "06-1" for "6_1", " 06–1" or 6.1; None for what is unlike an id."""
    if type(value) not in (str, bytes, int, float):
        return None
    numbers = re.fullmatch(r"\D*(\d{1,2})\D+(\d{1,2})\D*", value[:40] if type(value) is str else repr(value))
    return f"{int(numbers[1]):02}-{int(numbers[2])}" if numbers else None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


@lru_cache(maxsize=64)  # a class answers the same inputs; whoever calls a function with them gives it a copy
def trials(exercise: Exercise, seed: int) -> list[tuple]:
    """The inputs to try, drawn from a seed; a single empty set for a function without parameters."""
    rng = np.random.default_rng(seed)
    return [_draw(exercise, rng) for _ in range(exercise.draws if exercise.names() else 1)]


def _draw(exercise: Exercise, rng: np.random.Generator) -> tuple:
    """A set of inputs on which no mistake looks like another, if there is one."""
    drawn = (plain(tuple(exercise.draw(rng))) for _ in range(REDRAWS))
    return next(filter(exercise.clear, drawn), plain(tuple(exercise.draw(rng))))


def told_apart(right: Any, mistakes: Iterable[Any]) -> bool:
    """Whether no two rows of some mistakes are the same answer, but for those that happen to be right."""
    rows = [mistake.answers if isinstance(mistake, Either) else (mistake,) for mistake in mistakes]
    shown = [[plain(one) for one in row if _whole(one) and not same(plain(one), plain(right))] for row in rows]
    return not any(same(one, other) for row, below in combinations(shown, 2) for one in row for other in below)


def _whole(answer: Any) -> bool:
    """Whether nothing is left open in a wrong answer."""
    return answer is not ... and not (isinstance(answer, tuple) and not all(map(_whole, answer)))


def fits(got: Any, wrong: Any, want: Any, rtol: float = 1e-5) -> bool:
    """Whether an answer is the wrong one of a table of mistakes, where `want` would be right."""
    if wrong is ...:
        return form(got, want) is None
    if isinstance(wrong, Either):
        return any(fits(got, one, want, rtol) for one in wrong.answers)
    if isinstance(wrong, tuple) and isinstance(want, tuple) and isinstance(got, (list, tuple)):
        alike = len(got) == len(wrong) == len(want)
        return alike and all(fits(*parts, rtol) for parts in zip(got, wrong, want, strict=True))
    return same(got, plain(wrong), rtol)


def first_wrong(right: tuple, sentences: Iterable[str]) -> dict[str, tuple]:
    """Mistakes of a tuple of predictions: for each place the sentence that is said where it is the first wrong one."""
    table = {sentence: (*right[:place], *[...] * (len(right) - place)) for place, sentence in enumerate(sentences)}
    return dict(reversed(table.items()))  # the last place first: its row is the most demanding


@np.errstate(all="ignore")  # what a wrong answer overflows in here is no news for the learner
def review(exercise: Exercise, inputs: tuple, reply: dict[str, Any]) -> str | None:
    """What is wrong with a reply to some inputs, in one sentence without any value; None where nothing is.

    A reply is {"value": plain data, "changed": bool} or {"error": name of an exception}, see `plain.answer`.
    """
    error = reply.get("error")
    if error == "NotImplementedError":
        return TODO
    if error == "TimeUp":
        return f"takes too long: {exercise.seconds:g} seconds are there for all inputs together."
    if error:
        return ERRORS.get(error, "stops with an error.")
    changes = "gives the right answer but changes its inputs. Work on a copy." if reply.get("changed") else None
    return exercise.judge(inputs, reply["value"]) or changes


NO_MODULE = "imports something that is not there. Python, NumPy and the cells of the notebook are enough."
ERRORS = {
    "MemoryError": "needs more memory than there is.",
    "RecursionError": "calls itself without end.",
    "OverflowError": "comes to a number that is too large.",
    "Undefined": "is not there. Does its cell run without an error, and is the name of the function unchanged?",
    "TooLarge": "returns far more data than was asked for.",
    "NoReply": "brought the whole process down.",
    "SystemExit": "ends the whole program instead of returning. Take out exit() or quit().",
    "KeyboardInterrupt": "was interrupted.",
    "ImportError": NO_MODULE,
    "ModuleNotFoundError": NO_MODULE,
    "TypeError": "stops with a TypeError: some call or operation in it refuses the kind or number of its values.",
    "RuntimeError": "stops with a RuntimeError. With PyTorch that is often two shapes that do not go together.",
    "NoNetwork": "returns something else than a network. Return an nn.Module, such as nn.Sequential(...).",
    "WrongInputs": "does not take the inputs that the text names: their number is another one.",
}
