"""Plain data: what may travel between a grader and a student's function, and what is the same."""

import numpy as np
import pytest

from course_utils.exercises.plain import Foreign, decode, encode, plain, same


def test_a_tuple_of_another_class_is_a_tuple():
    class Stranger(tuple):
        def __iter__(self):
            raise RuntimeError("called")

    assert plain([Stranger((1, Stranger((2,))))]) == [(1, (2,))] and type(plain(Stranger())) is tuple


def test_an_array_of_another_class_is_an_array_and_a_copy():
    class Stranger(np.ndarray):
        def __eq__(self, other):
            return True

    value = np.zeros(2).view(Stranger)
    assert type(plain(value)) is np.ndarray and not np.shares_memory(plain(value), value)


def test_same():
    assert same(1 + 1e-9, 1.0) and not same(1.001, 1.0) and same(1, 1.0) and not same(True, 1) and not same(1.0, 1)
    assert same([1, (2.0, 3)], (1, [2.0, 3])) and not same([1, 2], [1]) and not same([1], 1)
    assert same(np.float32([0.1, 0.2]), np.array([0.1, 0.2])) and not same(np.zeros(2), np.zeros((2, 1)))
    assert not same(np.array([10**9 + 1]), np.array([10**9])), "whole numbers have no tolerance"
    assert not same(1, [1]) and not same(np.array([1]), [1]) and not same([1], {1: 1})
    assert same({"a": 1.0}, {"a": 1.0}) and not same({"a": 1.0}, {"b": 1.0}) and not same(float("nan"), 1.0)


VALUES = [
    None,
    True,
    -3,
    10**40,
    0.1,
    float("inf"),
    "a\nb",
    [1, [2.5, "x"]],
    (1, (2,), []),
    {"a": (1,), 3: [None]},
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 3), np.float32),
    np.array(2, ">i2"),
    np.array([0.5, np.inf], np.longdouble),
    np.array([True, False]),
    np.arange(12).reshape(3, 4)[:, ::2],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_travels(value):
    text = encode(value)
    back = decode(text)
    assert "\n" not in text and type(back) is type(value) and same(back, plain(value))
    if isinstance(value, np.ndarray):
        assert back.dtype.kind == value.dtype.kind and back.flags.writeable


def test_what_is_not_plain_travels_as_its_name_only():
    class Evil(int):
        def __reduce__(self):
            raise AssertionError("pickled")

    assert isinstance(decode(encode(Evil(3))), Foreign)
    assert isinstance(plain({(1, 2): 3}), Foreign) and isinstance(plain(b"bytes"), Foreign)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        '{"array": 1}',
        '{"array": ["O", [1], "AAAA"]}',
        '{"array": ["S3", [1], "AAAA"]}',
        '{"array": ["<f8", [9], "AAAA"]}',
        '{"array": ["<f8", [-1, 0], ""]}',
        '{"tuple": 1}',
        '{"other": 1}',
        '{"dict": [1]}',
        '{"dict": [[[1], 2]], "x": 1}',
        "[" * 10**5,
        "1" * 10**4,
    ],
)
def test_decode_refuses(text):
    with pytest.raises(ValueError):
        decode(text)
