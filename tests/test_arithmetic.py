"""What is known before a network runs, held to networks that run."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from course_utils.arithmetic import (
    conv_multiply_adds,
    conv_parameters,
    output_size,
    reads,
    receptive_field,
    same_padding,
    unused,
)
from course_utils.scratch import (
    avg_pool2d,
    avg_pool2d_backward,
    conv2d,
    conv2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

axes = st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))


@given(axis=axes)
def test_output_size_and_unused_are_what_a_walking_window_leaves(axis):
    size, kernel_size, stride, padding, dilation = axis
    reach = dilation * (kernel_size - 1)  # from the window's first column to its last
    starts = [start for start in range(0, size + 2 * padding, stride) if start + reach < size + 2 * padding]
    assume(starts)
    assert output_size(*axis) == len(starts)
    assert unused(*axis) == size + 2 * padding - 1 - (starts[-1] + reach)
    x, kernel = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel_size)
    y = torch.nn.functional.conv1d(x, kernel, stride=stride, padding=padding, dilation=dilation)
    assert output_size(*axis) == y.shape[-1]


@given(axis=axes, number=st.integers(0, 30))
def test_an_output_reads_the_pixels_on_which_it_has_a_gradient(axis, number):
    size, kernel_size, stride, padding, dilation = axis
    assume(dilation * (kernel_size - 1) < size + 2 * padding and number < output_size(*axis))
    row, kernel = torch.zeros(1, 1, size, requires_grad=True), torch.ones(1, 1, kernel_size)
    torch.nn.functional.conv1d(row, kernel, None, stride, padding, dilation)[0, 0, number].backward()
    found = reads(number, kernel_size, stride, padding, dilation)
    assert len(found) == kernel_size and found[0] >= -padding and found[-1] < size + padding
    assert [j for j in found if 0 <= j < size] == row.grad.flatten().nonzero().flatten().tolist()


@pytest.mark.parametrize("wrong", [{"i": -1}, {"i": 0.5}, {"kernel_size": 0}, {"stride": True}, {"padding": -1}])
def test_reading_what_makes_no_sense_is_refused(wrong):
    (name, value), *_ = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        reads(**{"i": 0, "kernel_size": 3} | wrong)


def test_the_published_example_of_a_stride_that_leaves_a_column():
    """Dumoulin & Visin 2016, figures 2.6 and 2.7: sizes 5 and 6 give the same output, the sixth column is left out."""
    assert [output_size(size, 3, stride=2, padding=1) for size in (5, 6)] == [3, 3]
    assert [unused(size, 3, stride=2, padding=1) for size in (5, 6)] == [0, 1]


@given(size=st.integers(1, 30), kernel_size=st.integers(0, 6).map(lambda n: 2 * n + 1), dilation=st.integers(1, 4))
def test_same_padding_keeps_the_size(size, kernel_size, dilation):
    assert output_size(size, kernel_size, padding=same_padding(kernel_size, dilation), dilation=dilation) == size


@given(
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    groups=st.integers(1, 3),
    kernel_size=st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4))),
    bias=st.booleans(),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
)
def test_parameters_and_multiply_adds_are_torchs(channels, groups, kernel_size, bias, size):
    inputs, outputs = (groups * number for number in channels)
    layer = torch.nn.Conv2d(inputs, outputs, kernel_size, bias=bias, groups=groups)
    counted = conv_parameters(inputs, outputs, kernel_size, bias=bias, groups=groups)
    assert counted == sum(parameter.numel() for parameter in layer.parameters())
    with FlopCounterMode(display=False) as counter:
        output = layer(torch.zeros(1, inputs, *size)).shape[2:]
    assert (
        2 * conv_multiply_adds(inputs, outputs, kernel_size, tuple(output), groups=groups) == counter.get_total_flops()
    )


def test_counts_from_the_papers():
    assert conv_parameters(1, 6, 5) == 156  # LeNet-5, C1 (LeCun et al. 1998, section II.B)
    assert conv_multiply_adds(1, 6, 5, 28) + 6 * 28 * 28 == 122_304  # its connections count the biases too
    assert conv_multiply_adds(3, 4, (1, 5), (2, 7)) == 4 * 2 * 7 * 3 * 5


layers = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=3
)


@given(layers=layers)
def test_receptive_field_is_where_the_gradient_of_a_unit_is_not_zero(layers):
    """Weights of 1 cancel nowhere. Compared: the first and the last unit whose field lies inside the input."""
    pixels = torch.zeros(300, dtype=torch.float64, requires_grad=True)
    y = pixels[None, None]
    for (kernel_size, stride, padding, dilation), (size, jump, start) in zip(
        layers, receptive_field(layers), strict=True
    ):
        y = torch.nn.functional.conv1d(
            y, torch.ones(1, 1, kernel_size, dtype=y.dtype), stride=stride, padding=padding, dilation=dilation
        )
        seen = {
            unit: (start + unit * jump - (size - 1) / 2, start + unit * jump + (size - 1) / 2)
            for unit in range(y.shape[2])
        }
        inside = [unit for unit, (first, last) in seen.items() if first >= 0 and last <= 299]
        for unit in (inside[0], inside[-1]):
            (gradient,) = torch.autograd.grad(y[0, 0, unit], pixels, retain_graph=True)
            reached = gradient.nonzero().flatten()
            assert (reached[0].item(), reached[-1].item()) == seen[unit]


def test_receptive_field_has_names_and_starts_with_nothing():
    assert receptive_field([]) == []
    (stem, pool) = receptive_field([(7, 2, 3, 1), (3, 2, 1, 1)])  # ResNet's first two layers
    assert (stem.size, stem.jump, stem.start) == (7, 2, 0)
    assert (pool.size, pool.jump, pool.start) == (11, 4, 0)
    assert receptive_field([(2, 2, 0, 1)]) == [(2, 2, 0.5)]


@pytest.mark.parametrize("function", [output_size, unused])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0; expected a whole number of at least 1"),
        ({"size": 7.0}, "size is 7.0"),
        ({"kernel_size": 0}, "kernel_size is 0"),
        ({"stride": 0}, "stride is 0"),
        ({"stride": -2}, "stride is -2"),
        ({"stride": 1.5}, "stride is 1.5"),
        ({"stride": True}, "stride is True"),
        ({"stride": "2"}, "stride is '2'"),
        ({"padding": -1}, "padding is -1; expected a whole number of at least 0"),
        ({"padding": 0.5}, "padding is 0.5"),
        ({"dilation": 0}, "dilation is 0"),
        ({"kernel_size": 10, "padding": 1}, r"covers 10; expected at most the padded input, 7 \+ 2 \* 1 = 9"),
        ({"kernel_size": 3, "dilation": 4}, "a kernel of 3 with dilation 4 covers 9"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(**{"size": 7, "kernel_size": 3, **arguments})


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (same_padding, (4,), "kernel_size is 4; expected an odd number"),
        (same_padding, (3, 0), "dilation is 0"),
        (same_padding, (1.5,), "kernel_size is 1.5"),
        (conv_parameters, (0, 6, 5), "in_channels is 0"),
        (conv_parameters, (1, 6.0, 5), "out_channels is 6.0"),
        (conv_parameters, (1, 6, (5, 0)), "kernel_size is 0"),
        (conv_parameters, (1, 6, (0, 5)), "kernel_size is 0"),
        (conv_parameters, (1, 6, (5, 5, 5)), r"kernel_size is \(5, 5, 5\)"),
        (conv_multiply_adds, (1, 6, 5, 0), "output is 0"),
        (conv_multiply_adds, (1, 6, 5, (28, -1)), "output is -1"),
        (receptive_field, ([(0, 1, 1, 1)],), "kernel_size is 0"),
        (receptive_field, ([(3, 0, 1, 1)],), "stride is 0"),
        (receptive_field, ([(3, 1, 1, 0)],), "dilation is 0"),
        (receptive_field, ([(3, 1, -1, 1)],), "padding is -1"),
        (receptive_field, ([(3, 1)],), "expected 4, got 2"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


@pytest.mark.parametrize("channels", [(3, 4), (4, 3)])
def test_groups_must_divide_the_channels(channels):
    with pytest.raises(ValueError, match="groups is 2; expected a divisor of"):
        conv_parameters(*channels, 3, groups=2)


def mostly(*good, bad):
    """One of the good values; once in forty times or so one of the bad."""
    return st.sampled_from(good * (40 * len(bad) // len(good)) + bad)


windows_of_an_axis = st.tuples(
    mostly(1, 2, 3, 4, 5, 6, 7, bad=(0,)),  # size
    mostly(1, 2, 3, 4, bad=(0,)),  # kernel
    mostly(1, 2, 3, bad=(0, -1)),  # stride
    mostly(0, 0, 0, 1, 1, 2, bad=(-1,)),  # padding
    mostly(1, 2, bad=(0,)),  # dilation
)


def answer(function, refusal):
    """What the function returns; None if it refuses, which it may do by this kind of error only."""
    try:
        return function()
    except refusal:
        return None


def image_gradient(ours, theirs, shape, backward, arrays):
    """One configuration: refused by all, or the same output, of the size computed, and the same gradients.

    Returns the gradient of the image, None after a refusal.
    """
    twins = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, expected = answer(lambda: ours(*arrays), ValueError), answer(lambda: theirs(*twins), RuntimeError)
    assert (y is None) == (expected is None) == (shape is None)
    if y is None or expected is None:
        return None
    assert y.shape[2:] == shape
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-10)
    dy = np.random.default_rng(0).uniform(0.5, 1, y.shape)
    gradients = backward(dy, *arrays)
    for one, other in zip(gradients, torch.autograd.grad(expected, twins, torch.tensor(dy)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    return gradients[0]


def test_a_thousand_convolutions_are_what_was_computed_beforehand_and_torchs():
    """Sizes, outputs, gradients, refusals; and the pixels that get a gradient, as `reads` and `unused` have them."""
    computed = []

    @settings(max_examples=1000)
    @given(axes=st.tuples(windows_of_an_axis, windows_of_an_axis), seed=st.integers(0, 999))
    def agree(axes, seed):
        size, kernel_size, *others = zip(*axes, strict=True)
        options = dict(zip(("stride", "padding", "dilation"), others, strict=True))
        rng = np.random.default_rng(seed)
        dx = image_gradient(
            partial(conv2d, **options),
            partial(torch.nn.functional.conv2d, **options),
            answer(lambda: tuple(output_size(*axis) for axis in axes), ValueError),
            lambda dy, x, weight: conv2d_backward(dy, x, weight, **options)[:2],
            [rng.uniform(0.5, 1, (2, 2, *size)), rng.uniform(0.5, 1, (3, 2, *kernel_size))],  # nothing cancels
        )
        computed.append(dx is not None)
        if dx is None:
            return
        read = [{j for i in range(output_size(*axis)) for j in reads(i, *axis[1:])} for axis in axes]
        down, across = ([j in pixels for j in range(n)] for pixels, n in zip(read, size, strict=True))
        np.testing.assert_array_equal(dx.any(axis=(0, 1)), np.outer(down, across))
        for axis, pixels in zip(axes, read, strict=True):
            assert max(pixels) + 1 + unused(*axis) == axis[0] + axis[3]

    agree()
    assert computed.count(True) >= 500 and computed.count(False) >= 200


def test_a_thousand_poolings_are_what_was_computed_beforehand_and_torchs():
    """Sizes, outputs, gradients, refusals, which include a padding of more than half the kernel."""
    computed = []

    @settings(max_examples=1000)
    @given(axes=st.tuples(windows_of_an_axis, windows_of_an_axis), seed=st.integers(0, 999))
    def agree(axes, seed):
        size, *others, _ = zip(*axes, strict=True)
        options = dict(zip(("kernel_size", "stride", "padding"), others, strict=True))
        shape = answer(lambda: tuple(output_size(*axis[:4]) for axis in axes), ValueError)
        shape = None if any(2 * padding > kernel for _, kernel, _, padding, _ in axes) else shape
        x = np.random.default_rng(seed).uniform(0.5, 1, (2, 2, *size))
        for kind, function, backward in (
            ("max_pool2d", max_pool2d, max_pool2d_backward),
            ("avg_pool2d", avg_pool2d, avg_pool2d_backward),
        ):
            dx = image_gradient(
                partial(function, **options),
                partial(getattr(torch.nn.functional, kind), **options),
                shape,
                lambda dy, x, backward=backward: [backward(dy, x, **options)],
                [x],
            )
            computed.append(dx is not None)

    agree()
    assert computed.count(True) >= 800 and computed.count(False) >= 400
