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
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np

from course_utils.exercises.plain import Foreign, plain, same

DRAWS = 25  # inputs tried of an exercise that has any
TODO = "still to do"


@dataclass(frozen=True)
class Exercise:
    """One exercise, `EXERCISES["06-1"]` of `checks/ex06.py`.

    draw(rng)                one set of inputs, a tuple of plain data, varied enough to tell right from nearly right
    expected(*inputs)        the answer; its form is demanded too: a tuple has its length, a list may have any
    explain(inputs, got)     a sentence on what kind of thing is wrong, no value of the inputs or the answer in it
    hints                    three, from a nudge to nearly the answer
    seconds                  for all calls of one check together
    accept(inputs, got)      only where several answers are right: is this one?
    not_finite(inputs, got)  only where NaN or infinity comes from a mistake that can be named: `explain` for these
    """

    points: int
    draw: Callable[[np.random.Generator], tuple]
    expected: Callable[..., Any]
    explain: Callable[[tuple, Any], str | None]
    hints: tuple[str, ...]
    seconds: float = 5.0
    accept: Callable[[tuple, Any], bool] | None = None
    not_finite: Callable[[tuple, Any], str | None] | None = None


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


def trials(exercise: Exercise, seed: int) -> list[tuple]:
    """The inputs to try, drawn from a seed; a single empty set for a function without parameters."""
    count = DRAWS if inspect.signature(exercise.expected).parameters else 1
    rng = np.random.default_rng(seed)
    return [plain(tuple(exercise.draw(rng))) for _ in range(count)]


def told_apart(right: Any, wrong: Iterable[Any]) -> bool:
    """Whether no two of some wrong answers are the same, but for those that happen to be right: for a `draw`."""
    shown = [answer for answer in wrong if not same(answer, right)]
    return not any(same(one, other) for one, other in combinations(shown, 2))


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
    got, want = reply["value"], plain(exercise.expected(*inputs))
    sentence = form(got, want)
    if sentence and sentence.endswith(NOT_FINITE) and exercise.not_finite:
        return exercise.not_finite(inputs, got) or sentence
    if sentence:
        return sentence
    right = exercise.accept(inputs, got) if exercise.accept else same(got, want)
    if not right:
        return exercise.explain(inputs, got) or "is not right yet."
    if reply.get("changed"):
        return "gives the right answer but changes its inputs. Work on a copy."
    return None


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
    "WrongInputs": "does not take the inputs that the text names: their number is another one.",
}


INSIDE = ", but something in it does not fit: it "
NOT_FINITE = "gives NaN or infinity. Print what is computed on the way: where does the first one appear?"


def form(got: Any, want: Any) -> str | None:
    """What is wrong with the form of an answer (its type, shape, element type), in one sentence; None where it fits."""
    if isinstance(want, np.ndarray):
        return _array_form(got, want)
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)):
            return _other(got, want)
        if isinstance(want, tuple) and len(got) != len(want):
            return "returns a tuple of the wrong length. Count again what the text asks for."
        wanted = want if isinstance(want, tuple) else list(want[:1]) * len(got)
        inner = next(filter(None, map(form, got, wanted)), None)
        if not inner:
            return None
        innermost = inner.rpartition(INSIDE)[2]
        return f"returns {_kind(want)}{INSIDE}{innermost}"
    if isinstance(want, float) and type(got) is float and not np.isfinite(got) and np.isfinite(want):
        return NOT_FINITE
    if type(got) is type(want) or (isinstance(want, float) and type(got) is int):
        return None
    if isinstance(want, int) and type(got) is float:
        return "returns a float where a whole number (int) is asked for. Use // for division, int() elsewhere."
    return _other(got, want)


def _other(got: Any, want: Any) -> str:
    return f"returns {_kind(got)} where {_kind(want)} is asked for." + (" Is a return missing?" if got is None else "")


def _array_form(got: Any, want: np.ndarray) -> str | None:
    if not isinstance(got, np.ndarray):
        return _other(got, want)
    if got.ndim != want.ndim:
        return "returns an array with the wrong number of axes."
    if got.shape != want.shape:
        return "returns an array of the wrong shape."
    if want.dtype.kind == "f" and not np.isfinite(got).all() and np.isfinite(want).all():
        return NOT_FINITE
    fits = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[want.dtype.kind]
    if got.dtype.kind not in fits:
        names = {"f": "floats", "i": "whole numbers", "u": "whole numbers", "b": "booleans"}
        return f"returns an array of {names[got.dtype.kind]} where {names[want.dtype.kind]} are asked for."
    return None


FOREIGN = {
    "torch.Tensor": "a torch tensor",
    "numpy.ndarray": "an array of something else than real numbers",
    "builtins.complex": "a complex number",
    "numpy.complex128": "a complex number",
    "builtins.coroutine": "a coroutine (take out async)",
    "builtins.function": "a function instead of what it gives",
    "builtins.set": "a set",
    **{f"builtins.{name}": f"a {name} (put list() around it)" for name in ("generator", "map", "filter", "zip")},
    "builtins.range": "a range",
}


def _kind(value: Any) -> str:
    if isinstance(value, Foreign):
        return FOREIGN.get(value.kind, "something that is neither number, list nor array")
    names = {bool: "True or False", int: "a whole number", float: "a float", str: "a text", list: "a list"}
    names |= {tuple: "a tuple", dict: "a dict", np.ndarray: "a NumPy array", type(None): "None"}
    return names[type(value)]
