"""Plain data: what goes between a grader and a student's function, and what `check` compares. Never a pickle.

Plain are None, bool, int, float, str, NumPy arrays of numbers, and lists, tuples and dicts of these. Everything else is
`Foreign`. This file runs on both sides of the sandbox; it imports nothing of the course.
"""

import base64
import copy
import inspect
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

KINDS = "biuf"  # of array elements: bool, int, unsigned, float
LONGEST = 1000  # bits of an int, so that it can be compared with a float, and printed


@dataclass(frozen=True)
class Foreign:
    """Stands for a value that is not plain data; `kind` is the name of its class."""

    kind: str


class TimeUp(BaseException):
    """The time of a check is over; no Exception, so that `except Exception` of a learner does not swallow it."""


class NoNetwork(TypeError):
    """A function that is to build a network returns something else."""


class WrongInputs(TypeError):
    """A function cannot be called with so many inputs; its text lists the names of those that it takes."""


def plain(value: Any) -> Any:
    """The value as plain data: exact types only, so that no method of a stranger's class is ever called on it.

    Raises OverflowError for a whole number of more than LONGEST bits.
    """
    kind = type(value)
    if kind is int and value.bit_length() > LONGEST:
        raise OverflowError("a whole number with far too many digits")
    if value is None or kind in (bool, int, float, str):
        return value
    if issubclass(kind, np.generic) and value.dtype.kind in KINDS:
        return float(value) if value.dtype.kind == "f" else value.item()  # the item of a longdouble is no float
    if issubclass(kind, np.ndarray) and value.dtype.kind in KINDS:
        wide = value.dtype.kind == "f" and value.dtype.itemsize > 8  # a long double is another one on each machine
        return np.array(value, dtype=float if wide else None, copy=True, subok=False)
    if kind is list:
        return [plain(item) for item in value]
    if issubclass(kind, tuple):  # a shape of torch is one
        return tuple(plain(item) for item in tuple.__iter__(value))
    if kind is dict and all(type(key) in (int, str) for key in value):
        return {key: plain(item) for key, item in value.items()}
    return Foreign(f"{kind.__module__}.{kind.__qualname__}")


def encode(value: Any) -> str:
    """Plain data as JSON text on one line; arrays travel as base64 of their bytes, little end first."""
    return json.dumps(_pack(plain(value)))


def decode(text: str | bytes) -> Any:
    """The plain data in a JSON text. Raises ValueError for a text that `encode` does not write."""
    try:
        return _unpack(json.loads(text))
    except (KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not plain data: {type(error).__name__}") from None


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
        return {"array": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]}
    if isinstance(value, Foreign):
        return {"foreign": value.kind}
    if isinstance(value, dict):
        return {"dict": [[key, _pack(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(item) for item in value]}
    if isinstance(value, list):
        return [_pack(item) for item in value]
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "tuple":
        return tuple(_unpack(item) for item in content)
    if tag == "dict":
        return {key: _unpack(item) for key, item in content if type(key) in (int, str)}
    if tag == "array":
        dtype, shape, data = content
        if np.dtype(dtype).kind not in KINDS:
            raise ValueError(f"not plain data: an array of {dtype}")
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    return Foreign(str(value["foreign"]))


def same(got: Any, want: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """True where two pieces of plain data hold the same: floats to a tolerance; a list and a tuple are alike."""
    if isinstance(want, np.ndarray):
        if not isinstance(got, np.ndarray) or got.shape != want.shape:
            return False
        if want.dtype.kind == "f":
            return np.allclose(got, want, rtol, atol, equal_nan=True)
        return np.array_equal(got, want)
    if isinstance(want, (list, tuple)):
        return (
            isinstance(got, (list, tuple))
            and len(got) == len(want)
            and all(same(g, w, rtol, atol) for g, w in zip(got, want, strict=True))
        )
    if isinstance(want, dict):
        return (
            isinstance(got, dict) and got.keys() == want.keys() and all(same(got[k], want[k], rtol, atol) for k in want)
        )
    if isinstance(want, float) and type(got) in (int, float):
        return math.isclose(got, want, rel_tol=rtol, abs_tol=atol) or (got != got and want != want)
    return type(got) is type(want) and got == want


def answer(function: Callable, inputs: tuple) -> tuple[dict[str, Any], BaseException | None]:
    """The reply of a function to a copy of some inputs, and the exception that it raised, if any.

    A reply is {"value": plain data, "changed": did it change that copy?} or {"error": name of an exception}.
    """
    try:
        given = copy.deepcopy(inputs)
        refuse_wrong_inputs(function, given)
        returned = function(*given)
        if inspect.iscoroutine(returned):
            returned.close()  # else Python complains that nobody awaited it
        changed = not all(same(g, i) for g, i in zip(plain(given), plain(inputs), strict=True))
        return {"value": plain(returned), "changed": changed}, None
    except BaseException as error:  # SystemExit and KeyboardInterrupt, too: whatever a function does, the rest goes on
        return {"error": error_name(error)}, error


def refuse_wrong_inputs(function: Callable, given: tuple) -> None:
    """Raises WrongInputs where Python would refuse the call for the number of its arguments."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some that are built in have none
        return
    try:
        signature.bind(*given)
    except TypeError:
        raise WrongInputs(", ".join(signature.parameters)) from None


def error_name(error: BaseException) -> str:
    """The name of the first class, built in or of this file, that an exception comes from: others bear any name."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ in ("builtins", __name__))
