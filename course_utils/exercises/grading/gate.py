"""The gate: the one place where bytes that come out of a sandbox become a reply that the grader works with.

The bytes belong to a student, so nothing is believed of them: a line that is not exactly a reply of the right form is a
ValueError and costs its sender alone. What passes is plain data of bounded size, see `plain.py`.
"""

import base64
import json
import math
from typing import Any

import numpy as np

from course_utils.exercises.plain import LONGEST, Foreign

PRINTED = 20_000  # characters kept of what a cell prints
WORDS = 200  # characters kept of a name, a line or an error
FAILED = 20  # statements of one cell that are named as failed
ITEMS = 200_000  # values in one reply, and what holds them; an array is one
DEEPEST = 30  # lists, tuples and dicts, one in another
BIGGEST = 2**23  # elements of an array
AXES = 8
SIZES = {"|b1": 1, "|i1": 1, "|u1": 1, **{f"<{kind}{size}": size for kind in "iuf" for size in (2, 4, 8)}}


class TooMuch(ValueError):
    """A reply that may be honest, but holds more than any answer needs."""


def admit(line: bytes, asked: str) -> dict[str, Any]:
    """The reply in a line to a request of the kind `asked`: ready, run, or a call of something (any other word).

    Raises ValueError, and nothing else, for everything that is no such reply; TooMuch is one.
    """
    try:
        reply = _decode(line)
        return {"ready": _ready, "run": _ran}.get(asked, _called)(reply)
    except TooMuch:
        raise
    except Exception as error:  # of any kind: nobody can say what a hostile line runs into
        raise ValueError(f"expected a reply to {asked}; got a line that is none ({type(error).__name__})") from None


def _ready(reply: dict[str, Any]) -> dict[str, Any]:
    return {"ready": _is(bool, reply.pop("ready")), **_nothing_else(reply)}


def _ran(reply: dict[str, Any]) -> dict[str, Any]:
    printed, error, failed = (reply.pop(key) for key in ("printed", "error", "failed"))
    return {
        "printed": _is(str, printed)[:PRINTED],
        "error": None if error is None else _words(error),
        "failed": [_failure(_is(dict, entry)) for entry in _is(list, failed)[:FAILED]],
        **_nothing_else(reply),
    }


def _failure(entry: dict[str, Any]) -> dict[str, str]:
    return {"line": _words(entry.pop("line")), "error": _words(entry.pop("error")), **_nothing_else(entry)}


def _called(reply: dict[str, Any]) -> dict[str, Any]:
    if "error" in reply:
        return {"error": _words(reply.pop("error")), **_nothing_else(reply)}
    return {"value": reply.pop("value"), "changed": _is(bool, reply.pop("changed")), **_nothing_else(reply)}


def _is(kind: type, value: Any) -> Any:
    """The value, of exactly this type. Raises ValueError."""
    if type(value) is not kind:
        raise ValueError(f"expected a {kind.__name__}, got a {type(value).__name__}")
    return value


def _words(value: Any) -> str:
    """A text on one line, cut, without what a terminal would obey."""
    text = " ".join(_is(str, value)[: 2 * WORDS].split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:WORDS]


def _nothing_else(rest: dict[Any, Any]) -> dict[str, Any]:
    if rest:
        raise ValueError("got more than was asked for")
    return {}


def _decode(line: bytes) -> dict[Any, Any]:
    """What `plain.encode` wrote, strictly. Raises errors of many kinds for anything else."""
    if sum(map(line.count, (b"[", b"{", b","))) > ITEMS:  # before any of them takes memory
        raise TooMuch(f"expected at most {ITEMS} values in a reply")
    return _is(dict, _unpack(json.loads(line.decode(), object_pairs_hook=_single), DEEPEST))


def _single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of exactly one entry: it says of what kind its content is."""
    ((tag, content),) = pairs
    return {tag: content}


def _unpack(value: Any, room: int) -> Any:
    if room < 0:
        raise TooMuch(f"expected at most {DEEPEST} lists, one in another")
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # half of a letter becomes a question mark
    if type(value) is int and value.bit_length() > LONGEST:
        raise ValueError("a whole number with far too many digits")
    if isinstance(value, list):
        return [_unpack(item, room - 1) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag == "array":
        return _array(*_is(list, content))
    if tag == "foreign":
        return Foreign(_words(content))
    items = _unpack(_is(list, content), room)
    if tag == "tuple":
        return tuple(items)
    if tag == "dict":
        return _dict(items)
    raise ValueError("an unknown tag")


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    keys = [key for key, _ in pairs]
    if not all(type(key) in (int, str) for key in keys) or len(set(keys)) < len(keys):
        raise ValueError("keys that are no keys, or the same twice")
    return {key: value for key, value in pairs}


def _array(dtype: Any, shape: Any, data: Any) -> np.ndarray:
    """An array from the name of its type, its shape and its bytes in base64; these three have to agree."""
    size, content = SIZES[_is(str, dtype)], base64.b64decode(_is(str, data), validate=True)
    if len(_is(list, shape)) > AXES or not all(_is(int, length) >= 0 for length in shape):
        raise ValueError("a shape that is none")
    if math.prod(max(length, 1) for length in shape) > BIGGEST:
        raise TooMuch(f"expected at most {BIGGEST} elements in an array")
    if math.prod(shape) * size != len(content):
        raise ValueError("a shape and bytes that do not agree")
    if dtype == "|b1" and content.strip(b"\0\1"):
        raise ValueError("a truth value that is neither True nor False")
    return np.frombuffer(content, dtype).reshape(shape).copy()
