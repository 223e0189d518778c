"""Convolution: loops, fast form and torch agree on drawn shapes; gradients; memory; wrong use."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.scratch import conv2d, conv2d_backward, conv2d_backward_loops, conv2d_loops, gradient_check

TOLERANCE = {np.float64: {"rtol": 1e-10, "atol": 1e-10}, np.float32: {"rtol": 1e-4, "atol": 1e-4}}


def one_or_pair(least, most):
    return st.one_of(st.integers(least, most), st.tuples(*[st.integers(least, most)] * 2))


@st.composite
def settings_and_arrays(draw, largest=5):
    """Keyword arguments, and x, weight, bias and a generator that fit them; height and width are drawn apart."""
    setting = {
        "stride": draw(one_or_pair(1, 4)),
        "padding": draw(one_or_pair(0, 3)),
        "dilation": draw(one_or_pair(1, 3)),
    }
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    covered = [d * (k - 1) + 1 for k, d in zip(kernel, np.broadcast_to(setting["dilation"], 2), strict=True)]
    size = [
        max(1, c - 2 * p) + draw(st.integers(0, largest))
        for c, p in zip(covered, np.broadcast_to(setting["padding"], 2), strict=True)
    ]
    n, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, weight = rng.normal(size=(n, inputs, *size)), rng.normal(size=(outputs, inputs, *kernel))
    return setting, x, weight, rng.normal(size=outputs) if draw(st.booleans()) else None, rng


def torchs(x, weight, bias, setting, dy=None):
    """torch's output and, for a dy, its gradients."""
    twins = [None if array is None else torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    y = torch.nn.functional.conv2d(*twins, **setting)
    if dy is not None:
        y.backward(torch.tensor(dy))
    return y.detach().numpy(), [None if twin is None or dy is None else twin.grad.numpy() for twin in twins]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(case=settings_and_arrays())
def test_loops_fast_and_torch_agree(dtype, case):
    setting, *arrays, _ = case
    arrays = [None if array is None else array.astype(dtype) for array in arrays]
    expected, _ = torchs(*arrays, setting)
    for function in (conv2d, conv2d_loops):
        y = function(*arrays, **setting)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(case=settings_and_arrays())
def test_gradients_are_torchs(dtype, case):
    setting, x, weight, bias, rng = case
    x, weight, bias = (None if array is None else array.astype(dtype) for array in (x, weight, bias))
    dy = rng.normal(size=conv2d(x, weight, bias, **setting).shape).astype(dtype)
    _, expected = torchs(x, weight, bias, setting, dy)
    for function in (conv2d_backward, conv2d_backward_loops):
        for ours, theirs in zip(function(dy, x, weight, bias, **setting), expected, strict=True):
            if theirs is None:
                assert ours is None
            else:
                assert ours.dtype == dtype
                np.testing.assert_allclose(ours, theirs, **TOLERANCE[dtype])


@pytest.mark.parametrize(("images", "channels"), [(1, 16), (4, 16), (5, 16), (9, 16), (2, 65)])
def test_a_batch_is_its_images_one_by_one(images, channels):
    """The fast forms take a few images at a time, four of 16 x 32 x 32: whole groups, a part of one, a large image."""
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.normal(size=shape) for shape in ((images, channels, 32, 32), (2, channels, 3, 3), 2))
    y = conv2d(x, weight, bias, padding=1)
    dy = rng.normal(size=y.shape)
    dx, dweight, dbias = conv2d_backward(dy, x, weight, bias, padding=1)
    alone = [conv2d_backward(dy[[n]], x[[n]], weight, bias, padding=1) for n in range(images)]
    np.testing.assert_allclose(y, np.concatenate([conv2d(x[[n]], weight, bias, padding=1) for n in range(images)]))
    np.testing.assert_allclose(dx, np.concatenate([one[0] for one in alone]))
    np.testing.assert_allclose(dweight, sum(one[1] for one in alone), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dbias, sum(one[2] for one in alone))


@settings(max_examples=20)
@given(case=settings_and_arrays(largest=3))
def test_gradients_are_difference_quotients(case):
    setting, x, weight, bias, rng = case
    bias = rng.normal(size=len(weight)) if bias is None else bias
    dy = rng.normal(size=conv2d(x, weight, bias, **setting).shape)
    dx, dweight, dbias = conv2d_backward(dy, x, weight, bias, **setting)
    assert gradient_check(lambda x: conv2d(x, weight, bias, **setting), x, dy, dx) < 1e-7
    assert gradient_check(lambda weight: conv2d(x, weight, bias, **setting), weight, dy, dweight) < 1e-7
    assert gradient_check(lambda bias: conv2d(x, weight, bias, **setting), bias, dy, dbias) < 1e-7


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (16, 32), (32, 16), (32, 32)])
def test_working_memory_is_at_most_a_quarter_of_inputs_and_outputs(inputs, outputs, dtype):
    """tracemalloc counts what NumPy allocates; OpenBLAS's own buffers, fixed in size, are not in it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, inputs, 32, 32)).astype(dtype)
    weight, bias = rng.normal(size=(outputs, inputs, 3, 3)).astype(dtype), rng.normal(size=outputs).astype(dtype)
    dy = np.ones((32, outputs, 32, 32), dtype)
    for function, arrays in ((conv2d, (x, weight, bias)), (conv2d_backward, (dy, x, weight, bias))):
        tracemalloc.start()
        results = function(*arrays, padding=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        results = results if isinstance(results, tuple) else (results,)
        written = sum(array.nbytes for array in results)
        assert peak - written <= 0.25 * (written + sum(array.nbytes for array in arrays))


def example():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=4)


def test_integers_are_computed_as_float64_and_types_do_not_shrink():
    x, weight, bias = (np.rint(4 * array).astype(int) for array in example())
    y = conv2d(x, weight, bias)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, conv2d_loops(x.astype(float), weight.astype(float), bias.astype(float)))
    assert conv2d(x.astype(np.uint8), weight.astype(np.float32)).dtype == np.float32
    dx, dweight, dbias = conv2d_backward(y.astype(int), x, weight, bias)
    assert dx.dtype == dweight.dtype == dbias.dtype == np.float64
    np.testing.assert_array_equal(dbias, y.sum(axis=(0, 2, 3)))


def test_arguments_are_left_as_they_are_and_may_be_views():
    x, weight, bias = example()
    dy = np.ones(conv2d(x, weight, bias).shape)
    expected = conv2d(x, weight, bias), *conv2d_backward(dy, x, weight, bias)
    views = [array.copy().T.copy().T for array in (dy, x, weight, bias)]  # the same numbers, the other way in memory
    for view in views:
        view.flags.writeable = False
    for ours, theirs in zip((conv2d(*views[1:]), *conv2d_backward(*views)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        assert not any(np.shares_memory(ours, view) for view in views)
    for view, original in zip(views, (dy, x, weight, bias), strict=True):
        np.testing.assert_array_equal(view, original)


def test_an_empty_batch_is_an_empty_batch():
    x, weight, bias = example()
    for function in (conv2d, conv2d_loops):
        assert function(x[:0], weight, bias).shape == (0, 4, 4, 4)
    for function in (conv2d_backward, conv2d_backward_loops):
        dx, dweight, dbias = function(np.empty((0, 4, 4, 4)), x[:0], weight, bias)
        assert dx.shape == (0, 3, 6, 5) and not dweight.any() and not dbias.any()


def test_nan_passes_to_what_sees_it_and_no_further():
    x, weight, _ = example()
    x[1, 2, 3, 3] = np.nan
    for function in (conv2d, conv2d_loops):
        y = function(x, weight)
        assert np.isnan(y[1, :, 1:, 2:]).all() and np.isnan(y).sum() == 4 * 3 * 2
    dweight = conv2d_backward(np.ones(y.shape), x, weight)[1]
    assert np.isnan(dweight[:, 2]).any() and not np.isnan(dweight[:, :2]).any()


def forward(**changes):
    x, weight, bias = example()
    arguments = {"x": x, "weight": weight, "bias": bias, **changes}
    return lambda function: function(arguments.pop("x"), arguments.pop("weight"), **arguments)


WRONG = [
    ({"x": np.ones((3, 6, 5))}, r"x is \(3, 6, 5\); expected N x C x H x W"),
    ({"x": np.ones((2, 3, 0, 5)), "padding": 2}, r"x is \(2, 3, 0, 5\); expected .* C, H and W of at least 1"),
    ({"padding": 10**9, "dilation": 2 * 10**9}, "covers"),
    ({"weight": np.ones((4, 3, 3))}, r"weight is \(4, 3, 3\); expected out x in x kh x kw"),
    ({"weight": np.ones((4, 3, 0, 3))}, r"weight is \(4, 3, 0, 3\)"),
    ({"weight": 1.0}, r"weight is \(\)"),
    ({"weight": np.ones((4, 2, 3, 3))}, r"x is \(2, 3, 6, 5\); expected 2 channels, as weight is \(4, 2, 3, 3\)"),
    ({"bias": np.ones(3)}, r"bias is \(3,\); expected \(4,\), as weight is \(4, 3, 3, 2\)"),
    ({"bias": np.ones((4, 1))}, r"bias is \(4, 1\)"),
    ({"bias": 0.0}, r"bias is \(\)"),
    ({"x": np.full((2, 3, 6, 5), "a")}, "x holds <U1; expected real numbers"),
    ({"weight": np.ones((4, 3, 3, 2), complex)}, "weight holds complex128"),
    ({"stride": 0}, "stride is 0; expected an integer of at least 1, or a pair"),
    ({"stride": -1}, "stride is -1"),
    ({"stride": 1.5}, "stride is 1.5"),
    ({"stride": 2.0}, "stride is 2.0"),
    ({"stride": True}, "stride is True"),
    ({"stride": (1, 0)}, r"stride is \(1, 0\)"),
    ({"stride": (1, 1, 1)}, r"stride is \(1, 1, 1\)"),
    ({"stride": "1"}, "stride is '1'"),
    ({"stride": None}, "stride is None"),
    ({"padding": -1}, "padding is -1; expected an integer of at least 0"),
    ({"padding": "same"}, "padding is 'same'"),
    ({"padding": 0.5}, "padding is 0.5"),
    ({"dilation": 0}, "dilation is 0"),
    ({"dilation": 5}, r"kernel \(3, 2\) with dilation \(5, 5\) covers \(11, 6\); expected at most \(6, 5\)"),
    ({"weight": np.ones((4, 3, 1, 8)), "padding": 1}, r"covers \(1, 8\); expected at most \(8, 7\), the padded input"),
    ({"weight": np.ones((4, 3, 7, 1))}, r"covers \(7, 1\); expected at most \(6, 5\)"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_use_is_refused_in_words(changes, message):
    for function in (conv2d, conv2d_loops):
        with pytest.raises(ValueError, match=message):
            forward(**changes)(function)
    for function in (conv2d_backward, conv2d_backward_loops):
        with pytest.raises(ValueError, match=message):
            forward(**changes)(partial(function, np.ones((2, 4, 4, 4))))


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (4, 4, 4), (1, 4, 4, 4), (2, 3, 4, 4), ()])
def test_a_gradient_of_another_shape_than_the_output_is_refused(shape):
    x, weight, bias = example()
    for function in (conv2d_backward, conv2d_backward_loops):
        with pytest.raises(ValueError, match=r"dy is .*; expected the shape of y, \(2, 4, 4, 4\)"):
            function(np.ones(shape), x, weight, bias)


def test_numpy_integers_and_lists_are_taken():
    x, weight, bias = example()
    expected = conv2d(x, weight, bias, stride=(2, 1), padding=1)
    np.testing.assert_array_equal(conv2d(x.tolist(), weight, bias, stride=[2, 1], padding=np.int64(1)), expected)
