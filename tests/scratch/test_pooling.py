"""Pooling: loops, fast form and torch agree on drawn shapes; gradients, ties, padding, NaN; wrong use."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.scratch import (
    avg_pool2d,
    avg_pool2d_backward,
    gradient_check,
    max_pool2d,
    max_pool2d_backward,
    max_pool2d_loops,
)

TOLERANCE = {np.float64: {"rtol": 1e-12, "atol": 1e-12}, np.float32: {"rtol": 1e-5, "atol": 1e-5}}
BACKWARD = {max_pool2d: max_pool2d_backward, max_pool2d_loops: max_pool2d_backward, avg_pool2d: avg_pool2d_backward}
TORCHS = {max_pool2d: torch.nn.functional.max_pool2d, avg_pool2d: torch.nn.functional.avg_pool2d}


@st.composite
def settings_and_image(draw, values="normal"):
    """Keyword arguments, x and a generator that fit; down and across are drawn apart, an int is drawn for both."""
    both = st.booleans()
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    kernel = (kernel[0], kernel[0]) if draw(both) else kernel
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    setting = {
        "kernel_size": kernel[0] if kernel[0] == kernel[1] and draw(both) else kernel,
        "stride": draw(st.one_of(st.none(), st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))),
        "padding": padding[0] if padding[0] == padding[1] and draw(both) else padding,
    }
    size = [max(1, k - 2 * p) + draw(st.integers(0, 6)) for k, p in zip(kernel, padding, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 3)), *size
    x = rng.normal(size=shape) if values == "normal" else rng.choice(values, shape)
    return setting, x, rng


def torchs(function, x, setting, rng):
    """torch's output, a drawn gradient of it, and torch's gradient of x."""
    twin = torch.tensor(x, requires_grad=True)
    y = TORCHS[function](twin, **setting)
    dy = rng.normal(size=tuple(y.shape)).astype(x.dtype)
    y.backward(torch.tensor(dy))
    assert twin.grad is not None
    return y.detach().numpy(), dy, twin.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", [max_pool2d, avg_pool2d])
@given(case=settings_and_image())
def test_fast_loops_and_torch_agree_and_so_do_the_gradients(function, dtype, case):
    setting, x, rng = case
    x = x.astype(dtype)
    expected, dy, expected_dx = torchs(function, x, setting, rng)
    y, dx = function(x, **setting), BACKWARD[function](dy, x, **setting)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y, expected, **TOLERANCE[dtype])
    np.testing.assert_allclose(dx, expected_dx, **TOLERANCE[dtype])
    if function is max_pool2d:
        np.testing.assert_array_equal(y, max_pool2d_loops(x, **setting))


@pytest.mark.parametrize("values", [[0, 1], [-np.inf, 0], [-np.inf], [0, np.nan], [-np.inf, np.inf, np.nan, 1]])
@given(data=st.data())
@settings(max_examples=40)
def test_ties_infinities_and_nan_are_torchs(values, data):
    """Few values, so that most windows have ties: the first takes the gradient; of NaN the last; padding never."""
    setting, x, rng = data.draw(settings_and_image(values))
    x = x.astype(float)
    expected, dy, expected_dx = torchs(max_pool2d, x, setting, rng)
    np.testing.assert_array_equal(max_pool2d(x, **setting), expected)
    np.testing.assert_array_equal(max_pool2d_loops(x, **setting), expected)
    np.testing.assert_allclose(max_pool2d_backward(dy, x, **setting), expected_dx, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", [max_pool2d, avg_pool2d])
@settings(max_examples=20)
@given(case=settings_and_image())
def test_gradients_are_difference_quotients(function, case):
    setting, x, rng = case
    x = rng.permutation(x.size).reshape(x.shape) / x.size  # no two closer than the step of the differences
    dy = rng.normal(size=function(x, **setting).shape)
    dx = BACKWARD[function](dy, x, **setting)
    assert gradient_check(lambda x: function(x, **setting), x, dy, dx) < 1e-7


def test_by_hand():
    x = np.array([[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])[None, None]
    np.testing.assert_array_equal(max_pool2d(x, 2), [[[[6, 8], [3, 4]]]])
    np.testing.assert_array_equal(avg_pool2d(x, 2), [[[[3.25, 5.25], [2, 2]]]])
    dy = np.array([[10.0, 20], [30, 40]])[None, None]
    expected = [[0, 0, 0, 0], [0, 10, 0, 20], [30, 0, 0, 0], [0, 0, 0, 40]]
    np.testing.assert_array_equal(max_pool2d_backward(dy, x, 2)[0, 0], expected)
    np.testing.assert_array_equal(avg_pool2d_backward(dy, x, 2)[0, 0, :2], [[2.5, 2.5, 5, 5]] * 2)
    np.testing.assert_array_equal(max_pool2d(x, 3, stride=1), [[[[7, 8], [7, 8]]]])
    np.testing.assert_array_equal(  # windows overlap: the 8 is the maximum of two of them
        max_pool2d_backward(dy, x, 3, stride=1)[0, 0], [[0, 0, 0, 0], [0, 0, 40, 60], [0, 0, 0, 0], [0, 0, 0, 0]]
    )


def test_padding_is_less_than_all_for_the_maximum_and_counts_as_zeros_for_the_average():
    x = np.full((1, 1, 2, 2), -1.0)
    np.testing.assert_array_equal(max_pool2d(x, 2, stride=1, padding=1), -np.ones((1, 1, 3, 3)))
    np.testing.assert_array_equal(avg_pool2d(x, 2, padding=1), np.full((1, 1, 2, 2), -0.25))


def test_an_infinite_gradient_stays_with_its_pixel():
    x, dy = np.array([[1.0, 3, 2]])[None, None], np.array([[[[np.inf]]]])
    np.testing.assert_array_equal(max_pool2d_backward(dy, x, (1, 3)), [[[[0, np.inf, 0]]]])


def test_integers_are_computed_as_float64():
    x = np.arange(16).reshape(1, 1, 4, 4)
    for function, backward in BACKWARD.items():
        y = function(x, 2)
        assert y.dtype == backward(y.astype(int), x, 2).dtype == np.float64
        np.testing.assert_array_equal(y, function(x.astype(float), 2))


@pytest.mark.parametrize("function", BACKWARD)
def test_arguments_are_left_as_they_are_and_may_be_views(function):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 3, 6, 7)), rng.normal(size=(2, 3, 6, 7))
    expected = function(x, 1), BACKWARD[function](dy, x, 1)
    views = [array.copy().T.copy().T for array in (x, dy)]  # the same numbers, the other way in memory
    for view in views:
        view.flags.writeable = False
    results = function(views[0], 1), BACKWARD[function](views[1], views[0], 1)
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert not any(np.shares_memory(ours, view) for view in views)


@pytest.mark.parametrize("function", BACKWARD)
def test_an_empty_batch_is_an_empty_batch(function):
    x = np.empty((0, 3, 6, 5))
    assert function(x, 2).shape == (0, 3, 3, 2)
    assert BACKWARD[function](np.empty((0, 3, 3, 2)), x, 2).shape == x.shape


WRONG = [
    ({"x": np.ones((3, 6, 5))}, r"x is \(3, 6, 5\); expected N x C x H x W"),
    ({"x": np.ones((6, 5))}, r"x is \(6, 5\)"),
    ({"x": np.ones((2, 3, 0, 5)), "padding": 1}, r"x is \(2, 3, 0, 5\); expected .* C, H and W of at least 1"),
    ({"x": np.ones((2, 0, 6, 5))}, r"x is \(2, 0, 6, 5\)"),
    ({"x": np.full((2, 3, 6, 5), "a")}, "x holds <U1; expected real numbers"),
    ({"x": np.ones((2, 3, 6, 5), complex)}, "x holds complex128"),
    ({"kernel_size": 0}, "kernel_size is 0; expected an integer of at least 1, or a pair"),
    ({"kernel_size": 2.0}, "kernel_size is 2.0"),
    ({"kernel_size": (2, 2, 2)}, r"kernel_size is \(2, 2, 2\)"),
    ({"kernel_size": None}, "kernel_size is None"),
    ({"kernel_size": 7}, r"a kernel \(7, 7\) .* covers \(7, 7\); expected at most \(6, 5\), the padded input"),
    ({"kernel_size": (1, 6)}, r"a kernel \(1, 6\) .* expected at most \(6, 5\)"),
    ({"kernel_size": 9, "x": np.ones((2, 3, 2, 2)), "padding": 3}, r"expected at most \(8, 8\), the padded input"),
    ({"kernel_size": (10**7, 2), "padding": (5 * 10**6, 0), "stride": 10**7, "x": np.ones((1, 1, 1, 1))}, "covers"),
    ({"stride": 0}, "stride is 0; expected an integer of at least 1"),
    ({"stride": -1}, "stride is -1"),
    ({"stride": (1, 0)}, r"stride is \(1, 0\)"),
    ({"stride": 1.5}, "stride is 1.5"),
    ({"stride": True}, "stride is True"),
    ({"padding": -1}, "padding is -1; expected an integer of at least 0"),
    ({"padding": "same"}, "padding is 'same'"),
    ({"padding": 2}, r"padding is \(2, 2\); expected at most half the kernel, which is \(2, 2\)"),
    (
        {"padding": (0, 2), "kernel_size": 3},
        r"padding is \(0, 2\); expected at most half the kernel, which is \(3, 3\)",
    ),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_use_is_refused_in_words(changes, message):
    arguments = {"x": np.ones((2, 3, 6, 5)), "kernel_size": 2, **changes}
    for function, backward in BACKWARD.items():
        with pytest.raises(ValueError, match=message):
            function(**arguments)
        with pytest.raises(ValueError, match=message):
            backward(np.ones((2, 3, 3, 2)), **arguments)


@pytest.mark.parametrize("shape", [(2, 3, 3, 3), (3, 3, 2), (1, 3, 3, 2), (2, 1, 3, 2), ()])
@pytest.mark.parametrize("backward", [max_pool2d_backward, avg_pool2d_backward])
def test_a_gradient_of_another_shape_than_the_output_is_refused(backward, shape):
    with pytest.raises(ValueError, match=r"dy is .*; expected the shape of y, \(2, 3, 3, 2\)"):
        backward(np.ones(shape), np.ones((2, 3, 6, 5)), 2)


def test_numpy_integers_and_lists_are_taken():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 5))
    expected = max_pool2d(x, (2, 3), stride=(1, 2), padding=1)
    np.testing.assert_array_equal(max_pool2d(x.tolist(), [2, 3], stride=[1, 2], padding=np.int64(1)), expected)
