"""The gate: whatever bytes come, out comes a reply of the right form or a ValueError, soon and in little memory."""

import base64
import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading.gate import FAILED, PRINTED, SIZES, WORDS, TooMuch, admit
from course_utils.exercises.plain import Foreign, encode, same


def line(**entries):
    """A reply as the runner writes it, of entries that are JSON already."""
    return json.dumps({"dict": [[key, entry] for key, entry in entries.items()]}).encode()


def value(content):
    return line(value=content, changed=False)


def array(dtype, shape, content):
    return value({"array": [dtype, shape, base64.b64encode(content).decode()]})


def is_plain(given):
    """Whether a value is plain data of exact types that can be printed and compared."""
    if isinstance(given, np.ndarray):
        return type(given) is np.ndarray and given.dtype.str in SIZES and given.flags.writeable
    if isinstance(given, Foreign):
        return type(given.kind) is str and len(given.kind) <= WORDS
    if type(given) in (list, tuple):
        return all(map(is_plain, given))
    if type(given) is dict:
        return all(type(key) in (int, str) and is_plain(item) for key, item in given.items())
    if type(given) is str:
        return given == given.encode().decode()
    return given is None or type(given) in (bool, int, float)


def is_reply(reply, asked):
    if asked == "ready":
        return reply.keys() == {"ready"}
    if asked == "run":
        words = [reply["error"] or "", *(text for entry in reply["failed"] for text in entry.values())]
        forms = all(entry.keys() == {"line", "error"} for entry in reply["failed"])
        assert reply.keys() == {"printed", "error", "failed"} and len(reply["failed"]) <= FAILED and forms
        return len(reply["printed"]) <= PRINTED and all(type(w) is str and len(w) <= WORDS for w in words)
    if "error" in reply:
        return reply.keys() == {"error"} and type(reply["error"]) is str and len(reply["error"]) <= WORDS
    return reply.keys() == {"value", "changed"} and type(reply["changed"]) is bool and is_plain(reply["value"])


TAGS = st.sampled_from(["dict", "tuple", "array", "foreign", "other", ""])
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.integers(-(2**2000), 2**2000), st.floats(), st.text(max_size=5)),
    st.sampled_from(
        ["<f8", "|b1", "|O", "<U4", "value", "changed", "error", "printed", "AAAAAAAAAAA=", "\ud800", 10**18]
    ),
)
PIECES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TAGS, inner, max_size=2), max_leaves=12
)
KEYS = ("ready", "printed", "error", "failed", "value", "changed")
ENTRIES = st.lists(st.tuples(st.sampled_from(KEYS), PIECES).map(list), max_size=4)


@given(asked=st.sampled_from(["ready", "run", "call", "build", "apply"]), data=st.data())
def test_any_line_is_a_reply_or_a_value_error(asked, data):
    given = data.draw(st.binary(max_size=40) | PIECES | ENTRIES.map(lambda entries: {"dict": entries}))
    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    try:
        reply = admit(text, asked)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 200
    else:
        assert is_reply(reply, asked)


HOSTILE = {
    "nothing": b"",
    "no text": b"\xff\xfe\x00",
    "half a letter": line(error="x").replace(b"x", b"\xed\xa0\x80"),
    "a list": b"[]",
    "lists in lists": b"[" * 10**5,
    "lists in lists, closed": value(0).replace(b"0", b"[" * 10**5 + b"]" * 10**5),
    "lists in lists, not that many": value(0).replace(b"0", b"[" * 50 + b"]" * 50),
    "tuples in tuples": value(0).replace(b"0", b'{"tuple": [' * 50 + b"]}" * 50),
    "a million lists": value([[]] * 10**6),
    "a million numbers": value([0] * 10**6),
    "many digits": value(0).replace(b"0", b"9" * 10**6),
    "more digits than a float has": value(10**400),
    "a key twice": b'{"dict": [["error", "a"], ["error", "b"]]}',
    "a tag twice": b'{"dict": [], "dict": [["error", "a"]]}',
    "two tags": b'{"dict": [["error", "a"]], "tuple": []}',
    "no tag": value({}),
    "an unknown tag": value({"complex": [1, 2]}),
    "a tuple of a text": value({"tuple": "ab"}),
    "a dict of a text": value({"dict": "ab"}),
    "a key that is a list": value({"dict": [[[], 1]]}),
    "a key that is True": value({"dict": [[True, 1]]}),
    "an error that is an array": line(error={"array": ["<i8", [2], "AAAAAAAAAAAAAAAAAAAAAA=="]}, value=1),
    "an error that is a number": line(error=3),
    "changed is an array": line(value=1, changed={"array": ["|b1", [2], "AAA="]}),
    "changed is a number": line(value=1, changed=1),
    "more than a value": line(value=1, changed=False, more=1),
    "a value and an error": line(value=1, changed=False, error="x"),
    "objects": array("|O", [1], bytes(8)),
    "a text": array("<U2", [1], bytes(8)),
    "a record": value({"array": [",", [1], "AAAAAAAAAAA="]}),
    "a type that is a list": value({"array": [[["a", "<f8"]], [1], "AAAAAAAAAAA="]}),
    "big end first": array(">f8", [1], bytes(8)),
    "a long double": array("<f16", [1], bytes(16)),
    "too few bytes": array("<f8", [2], bytes(8)),
    "too many bytes": array("<f8", [1], bytes(16)),
    "no bytes for petabytes": array("<f8", [0, 10**18], b""),
    "a negative length": array("<f8", [-1], bytes(8)),
    "a length that is a float": array("<f8", [1.0], bytes(8)),
    "a length that is True": array("<f8", [True], bytes(8)),
    "seventy axes": array("<f8", [1] * 70, bytes(8)),
    "no base64": value({"array": ["<f8", [1], "!!!!AAAAAAAAAAA="]}),
    "neither True nor False": array("|b1", [1], b"\x02"),
    "an array of four": value({"array": ["<f8", [1], "AAAAAAAAAAA=", 1]}),
    "a foreign array": value({"foreign": {"array": ["<i8", [1], "AAAAAAAAAAA="]}}),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_are_refused_soon(text):
    begun = time.process_time()
    with pytest.raises(ValueError, match=r"^expected (a reply to call; got a line that is none \(\w+\)$|at most )"):
        admit(text, "call")
    assert time.process_time() - begun < 1


def test_an_honest_answer_that_is_far_too_much_is_told_apart():
    deep = []
    for _ in range(40):
        deep = [deep]
    for sent in (deep, list(range(300_000)), np.zeros(2**23 + 1, bool)):
        with pytest.raises(TooMuch, match=r"^expected at most "):
            admit(encode({"value": sent, "changed": False}).encode(), "call")


def run_reply(**entries):
    return line(**{"printed": "", "error": None, "failed": [], **entries})


@pytest.mark.parametrize(
    "text",
    [
        line(printed="", error=None),
        run_reply(more=1),
        run_reply(printed=3),
        run_reply(error=["x"]),
        run_reply(failed={"tuple": []}),
        run_reply(failed=[{"dict": [["line", "x"]]}]),
        run_reply(failed=[{"dict": [["line", "x"], ["error", 3]]}]),
        value(1),
    ],
)
def test_a_cell_has_a_reply_of_its_own_form(text):
    with pytest.raises(ValueError):
        admit(text, "run")


def test_texts_are_cut_and_made_plain():
    entry = {"dict": [["line", "x" * 10**5], ["error", "a\n\x1b[31m\u202e b"]]}
    reply = admit(run_reply(printed="\ud800" * 10**6, error="E" * 10**6, failed=[entry] * 50), "run")
    assert reply["printed"] == "?" * PRINTED and reply["error"] == "E" * WORDS
    assert reply["failed"] == [{"line": "x" * WORDS, "error": "a ?[31m? b"}] * FAILED
    assert admit(value({"foreign": "x" * 10**6}), "call")["value"] == Foreign("x" * WORDS)
    assert admit(value("\ud83d"), "call")["value"] == "?"


PLAIN = [None, True, -(2**900), 0.1, math.inf, -math.inf, "ä\n", [], [1, (2.5, [None])], {"a": 1, 2: {}}, (), [[[[0]]]]]


@pytest.mark.parametrize("sent", PLAIN, ids=repr)
def test_plain_data_passes_as_it_is(sent):
    reply = admit(encode({"value": sent, "changed": True}).encode(), "call")
    assert reply == {"value": sent, "changed": True}
    assert type(reply["value"]) is type(sent)


@pytest.mark.parametrize("dtype", SIZES)
def test_arrays_pass_as_they_are(dtype):
    for sent in (np.ones((2, 3), dtype), np.zeros((0, 4), dtype), np.array(1, dtype), np.ones((2, 3), dtype).T):
        got = admit(encode({"value": sent, "changed": False}).encode(), "call")["value"]
        assert got.dtype == sent.dtype and got.flags.writeable
        assert same(got, sent)


def test_numbers_that_are_none_pass():
    reply = admit(encode({"value": (math.nan, np.array([np.nan, np.inf])), "changed": False}).encode(), "call")
    assert math.isnan(reply["value"][0]) and str(reply["value"][1]) == "[nan inf]"
