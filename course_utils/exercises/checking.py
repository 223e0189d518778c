"""Instant feedback: `check` tries a function on drawn inputs and says what is wrong, `hint` helps one step further.

An exercise is one function. What it is given, what comes out and what to say of a wrong answer stands in
`checks/exNN.py`; the grader uses the same file with inputs of its own, and shows the same sentences.
"""

import importlib
import inspect
import pkgutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from course_utils.exercises.plain import Foreign, answer, error_name, plain, same

DRAWS = 25  # inputs tried of an exercise that has any
SEED = 2019  # of `check`: public, so that a learner sees the same inputs again; the grader draws from its own
TODO = "still to do"


@dataclass(frozen=True)
class Exercise:
    """One exercise, `EXERCISES["06-1"]` of `checks/ex06.py`.

    draw(rng)             one set of inputs, a tuple of plain data, varied enough to tell right from nearly right
    expected(*inputs)     the answer; its form is demanded too: a tuple has its length, a list may have any
    explain(inputs, got)  a sentence on what kind of thing is wrong, no value of the inputs or the answer in it
    hints                 three, from a nudge to nearly the answer
    seconds               for all calls of one check together
    accept(inputs, got)   only where several answers are right: is this one?
    """

    points: int
    draw: Callable
    expected: Callable
    explain: Callable
    hints: tuple
    seconds: float = 5.0
    accept: Callable | None = None


def checks(chapter):
    """The module with the exercises of a chapter ("06"). Raises ValueError for one without, naming those there are."""
    folder = importlib.import_module("course_utils.exercises.checks").__path__
    known = sorted(module.name[2:] for module in pkgutil.iter_modules(folder))
    if chapter not in known:
        raise ValueError(f"chapter {chapter!r} has no exercises; those that have: {', '.join(known)}")
    return importlib.import_module(f"course_utils.exercises.checks.ex{chapter}")


def find(exercise_id):
    """The exercise of that id. Raises ValueError for an unknown one, naming those there are."""
    chapter = str(exercise_id).partition("-")[0]
    known = checks(chapter).EXERCISES
    if exercise_id not in known:
        raise ValueError(f"there is no exercise {exercise_id!r}; chapter {chapter} has {', '.join(known)}")
    return known[exercise_id]


def trials(exercise, seed):
    """The inputs to try, drawn from a seed; a single empty set for a function without parameters."""
    count = DRAWS if inspect.signature(exercise.expected).parameters else 1
    rng = np.random.default_rng(seed)
    return [plain(tuple(exercise.draw(rng))) for _ in range(count)]


@np.errstate(all="ignore")  # what a wrong answer overflows in here is no news for the learner
def review(exercise, inputs, reply):
    """What is wrong with a reply to some inputs, in one sentence without any value; None where nothing is.

    A reply is {"value": plain data, "changed": bool} or {"error": name of an exception}; "TimeUp" is one.
    """
    error = reply.get("error")
    if error == "NotImplementedError":
        return TODO
    if error == "TimeUp":
        return "takes too long. Is there a loop that does not end?"
    if error:
        return ERRORS.get(error, "stops with an error.")
    got, want = reply["value"], plain(exercise.expected(*inputs))
    sentence = form(got, want)
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
    "TypeError": "stops with a TypeError. Does it take the inputs that the text names, and in that order?",
}


INSIDE = ", but something in it does not fit: it "


def form(got, want):
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
        return "returns NaN or infinity. Is something divided by zero?"
    if type(got) is type(want) or (isinstance(want, float) and type(got) is int):
        return None
    if isinstance(want, int) and type(got) is float:
        return "returns a float where a whole number (int) is asked for. Use // for division, int() elsewhere."
    return _other(got, want)


def _other(got, want):
    return f"returns {_kind(got)} where {_kind(want)} is asked for." + (" Is a return missing?" if got is None else "")


def _array_form(got, want):
    if not isinstance(got, np.ndarray):
        return _other(got, want)
    if got.ndim != want.ndim:
        return "returns an array with the wrong number of axes."
    if got.shape != want.shape:
        return "returns an array of the wrong shape."
    if want.dtype.kind == "f" and not np.isfinite(got).all() and np.isfinite(want).all():
        return "returns an array with NaN or infinity in it. Is something divided by zero?"
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
    "builtins.generator": "a generator (put list() around it)",
    "builtins.range": "a range",
}


def _kind(value):
    if isinstance(value, Foreign):
        return FOREIGN.get(value.kind, "something that is neither number, list nor array")
    names = {bool: "True or False", int: "a whole number", float: "a float", str: "a text", list: "a list"}
    names |= {tuple: "a tuple", dict: "a dict", np.ndarray: "a NumPy array", type(None): "None"}
    return names[type(value)]


class TimeUp(BaseException):
    """The time of a check is over; no Exception, so that `except Exception` of a learner does not swallow it."""


@contextmanager
def time_limit(seconds):
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


def ask(function, inputs, seconds):
    """The reply of a function to some inputs, see `review`; and a text on its exception, if it raised one."""
    try:
        with time_limit(seconds):
            value, changed = answer(function, inputs)
        return {"value": value, "changed": changed}, ""
    except TimeUp:
        return {"error": "TimeUp"}, ""
    except BaseException as error:  # whatever a learner's function does, a check goes on
        return {"error": error_name(error)}, f"{type(error).__name__}: {error}"


def feedback(exercise_id, function, seed=SEED):
    """What `check` prints. Raises ValueError for an unknown exercise."""
    exercise = find(exercise_id)
    if not callable(function):
        return f"{exercise_id}: give the function itself, without parentheses: check({exercise_id!r}, name_of_function)"
    name = getattr(function, "__name__", "your function")
    tried = trials(exercise, seed)
    end = time.monotonic() + exercise.seconds
    for inputs in tried:
        reply, error = ask(function, inputs, max(0.01, end - time.monotonic()))
        sentence = review(exercise, inputs, reply)
        if sentence == TODO:
            return f"{exercise_id}: {TODO}"
        if sentence:
            return f"{exercise_id}: {name} {sentence}{_example(exercise, inputs, reply, error)}"
    return f"{exercise_id}: right" + (f", on {len(tried)} different inputs" if len(tried) > 1 else "")


def _example(exercise, inputs, reply, error):
    """The inputs at which it went wrong and what came back, so that a learner can try it alone."""
    names = inspect.signature(exercise.expected).parameters
    given = ", ".join(f"{name}={_short(value)}" for name, value in zip(names, inputs, strict=True))
    if "value" in reply:
        came = f"it gave {_short(reply['value'])}"
    else:
        came = f"it stopped with {_cut(error)}" if error else "it did not end"
    if given:
        return f"\n    With {given} {came}."
    return f"\n    Called, {came}." if error else ""


WIDTH = 160  # of what is shown of a value


def _short(value):
    return _cut(_text(value))


def _text(value):
    if isinstance(value, np.ndarray):
        whole = f"np.array({value.tolist()})" if 0 < value.size <= 12 else ""
        return whole if 0 < len(whole) <= WIDTH else f"<array of {value.dtype}, shape {value.shape}>"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(_text, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return value.kind if isinstance(value, Foreign) else repr(value)


def _cut(text):
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def check(exercise_id, function):
    """Try `function` as the answer to an exercise ("06-1") and print what comes of it. Never raises."""
    try:
        find(exercise_id)
    except ImportError:
        print(f"{exercise_id}: the checks are not here; the grader has them")
        return
    except ValueError as error:
        print(error)
        return
    try:
        print(feedback(exercise_id, function))
    except BaseException as error:  # a check that stops a notebook teaches nothing
        print(f"{exercise_id}: could not be checked ({type(error).__name__})")


_given = {}  # exercise id: hints shown so far


def hint(exercise_id):
    """Print the next of the three hints of an exercise. Never raises."""
    try:
        hints = find(exercise_id).hints
    except ImportError:
        print(f"{exercise_id}: the hints are not here")
        return
    except ValueError as error:
        print(error)
        return
    number = _given.get(exercise_id, 0) % len(hints)
    _given[exercise_id] = number + 1
    print(f"{exercise_id}, hint {number + 1} of {len(hints)}: {hints[number]}")
