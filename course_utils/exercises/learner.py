"""What a learner calls: `check` tries a function on drawn inputs and says what is wrong, `hint` helps one step further,
`case` gives back the inputs of the last failure. None of them ever raises: an error here would teach nothing.
"""

import copy
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from course_utils.exercises.exercise import TODO, Exercise, find, meant_id, review, trials
from course_utils.exercises.network import respond
from course_utils.exercises.plain import Foreign, TimeUp

SEED = 2019  # of `check`: public, so that a learner sees the same inputs again; the grader draws from its own
WIDTH = 160  # characters shown of a value

_failed: dict[str, tuple] = {}  # exercise id: the inputs of its last failure
_shown: dict[str, int] = {}  # exercise id: hints shown so far


def check(exercise_id: object = None, function: object = None, *more: object, **named: object) -> None:
    """Try a function as the answer to an exercise and print what comes of it: check("06-1", input_sizes)."""
    exercise, sentence = _look_up(exercise_id)
    if more or named:
        sentence = 'check takes the id and the function: check("06-1", input_sizes)'
    elif meant_id(function) and not meant_id(exercise_id):
        sentence = f'the id comes first, then the function: check("{meant_id(function)}", {_name(exercise_id)})'
    elif exercise:
        try:
            sentence = feedback(str(exercise_id), function)
        except BaseException as error:
            sentence = f"{exercise_id}: could not be checked ({type(error).__name__})"
    _print(sentence)


def hint(exercise_id: object = None, *more: object, **named: object) -> None:
    """Print the next of the three hints of an exercise: hint("06-1")."""
    exercise, sentence = _look_up(exercise_id)
    if more or named:
        sentence = 'hint takes the id alone: hint("06-1")'
    elif exercise:
        number = _shown.get(str(exercise_id), 0) % len(exercise.hints)
        _shown[str(exercise_id)] = number + 1
        sentence = f"{exercise_id}, hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}"
    _print(sentence)


def case(exercise_id: object = None, *more: object, **named: object) -> tuple | None:
    """The inputs at which `check` last failed, a copy to try by hand: input_sizes(*case("06-1")).

    Where there are none it says what to do, and returns None.
    """
    exercise, sentence = _look_up(exercise_id)
    if more or named:
        sentence = 'case takes the id alone: case("06-1")'
    elif exercise and str(exercise_id) in _failed:
        return copy.deepcopy(_failed[str(exercise_id)])
    elif exercise and not exercise.names():
        sentence = f"{exercise_id}: its function takes no inputs; call it as it is"
    elif exercise:
        sentence = f'{exercise_id}: no failure so far; run check("{exercise_id}", ...) with your function first'
    _print(sentence)
    return None


def _look_up(exercise_id: object) -> tuple[Exercise | None, str]:
    """The exercise, or None and what to say instead."""
    try:
        return find(exercise_id), ""
    except ImportError:
        return None, f"{exercise_id}: the checks are not here; the grader has them"
    except ValueError as error:
        return None, str(error)


def _print(sentence: str) -> None:
    try:
        print(sentence)
    except UnicodeEncodeError:  # a terminal with another alphabet, half a letter in a text
        print(sentence.encode("ascii", "backslashreplace").decode())


def feedback(exercise_id: str, function: Any, seed: int = SEED) -> str:
    """What `check` prints. Raises ValueError for an unknown exercise."""
    exercise = find(exercise_id)
    if isinstance(function, type):
        return f"{exercise_id}: {_name(function)} is a class; give a function"
    if not callable(function):
        return f"{exercise_id}: give the function itself, without parentheses or quotes: " + (
            f'check("{exercise_id}", name_of_function)'
        )
    tried = trials(exercise, seed)
    end = time.monotonic() + exercise.seconds
    for inputs in tried:
        reply, error = reply_of(exercise, function, inputs, max(0.01, end - time.monotonic()))
        sentence = review(exercise, inputs, reply)
        if sentence == TODO:
            return f"{exercise_id}: {TODO}"
        if sentence:
            _failed[exercise_id] = inputs
            return f"{exercise_id}: {_name(function)} {sentence}{_example(exercise_id, inputs, reply, error)}"
    return f"{exercise_id}: right" + (f", on {len(tried)} different inputs" if len(tried) > 1 else "")


def _name(function: Any) -> str:
    """The name of a function, or "your function" for what has none: a lambda, a partial, an object."""
    try:
        name = (function.func if isinstance(function, functools.partial) else function).__name__
    except Exception:
        return "your function"
    return name if type(name) is str and name.isidentifier() else "your function"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TimeUp in the block after so many seconds, and again every second, in case something swallows it.

    Works on the main thread of a POSIX system, where a kernel runs its cells; elsewhere there is no limit.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        raise TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def reply_of(
    exercise: Exercise, function: Callable, inputs: tuple, seconds: float
) -> tuple[dict[str, Any], BaseException | None]:
    """The reply of a function to some inputs, see `plain.answer`, and the exception that it raised, if any."""
    raised = None

    def ask(request: str, data: Any) -> dict[str, Any]:
        nonlocal raised
        reply, raised = respond(function, request, data)
        return reply

    try:
        with time_limit(seconds):
            return exercise.converse(inputs, ask), raised
    except TimeUp as error:  # struck while the reply was made
        return {"error": "TimeUp"}, error


def _example(exercise_id: str, inputs: tuple, reply: dict[str, Any], error: BaseException | None) -> str:
    """The inputs at which it went wrong and what came back, so that a learner can try it alone."""
    exercise = find(exercise_id)
    names = exercise.names()
    values = [_cut(_text(value)) for value in inputs]
    given = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    kind = reply.get("error")
    if kind == "WrongInputs":
        return f"\n    It takes ({error}); it is called with ({', '.join(names[: len(names) - exercise.torch])})."
    if not given and kind == "TimeUp":
        return ""
    if exercise.torch and "value" in reply:  # tensors of a network say nothing to a reader
        came = ""
    elif "value" in reply:
        came = f"it gave {_cut(_text(reply['value']))}"
    else:
        came = "it did not end" if kind == "TimeUp" else f"it stopped with {_cut(f'{type(error).__name__}: {error}')}"
    if not given:
        return f"\n    Called, {came}." if came else ""
    whole = not any(mark in value for value in values for mark in ("...", ", shape ("))
    again = "" if whole else f'\n    case("{exercise_id}") gives these inputs back.'
    return f"\n    With {' '.join(filter(None, (given, came)))}.{again}"


def _text(value: Any, width: int = WIDTH) -> str:
    """A value as Python would read it; what is too wide is cut behind a whole item, or told by its shape."""
    if isinstance(value, np.ndarray):
        whole = f"np.array({value.tolist()})" if 0 < value.size <= 12 else ""
        return whole if 0 < len(whole) <= width else f"<array of {value.dtype}, shape {value.shape}>"
    if isinstance(value, (list, tuple)):
        return _items(value, width)
    return value.kind if isinstance(value, Foreign) else repr(value)


def _items(value: list | tuple, width: int) -> str:
    kinds = {
        (str(item.dtype), item.shape) if isinstance(item, np.ndarray) and item.size > 12 else None for item in value
    }
    if len(value) > 1 and len(kinds) == 1 and (kind := kinds.pop()):
        return f"<{len(value)} arrays of {kind[0]}, shape {kind[1]}>"
    shown, room = [], width - len("[, ...]")
    for item in value:
        text = _text(item, room)
        if len(text) > room:
            shown.append("...")
            break
        shown.append(text)
        room -= len(text) + 2
    inside = ", ".join(shown)
    return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
