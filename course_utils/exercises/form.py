"""The form of an answer: its type, its shape, the type of its elements. It is looked at before any value."""

from typing import Any

import numpy as np

from course_utils.exercises.plain import Foreign

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
