"""The lecture's claims of Part II, 05 to 08, a test each, named by its id: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

import numpy as np
import pytest

from course_utils.arithmetic import conv_parameters, output_size, same_padding, unused
from course_utils.scratch import conv2d, conv2d_backward


def test_L32_a_unit_is_local_in_space_and_full_in_depth():
    """One unit of a 5 x 5 convolution on a 32 x 32 x 3 volume sees 5 x 5 x 3 of it: there alone it has a gradient."""
    rng = np.random.default_rng(32)
    x, weight = rng.normal(size=(1, 3, 32, 32)), rng.normal(size=(1, 3, 5, 5))
    dy = np.zeros((1, 1, 28, 28))
    dy[0, 0, 11, 7] = 1
    dx = conv2d_backward(dy, x, weight)[0]
    seen = np.zeros(x.shape, bool)
    seen[0, :, 11:16, 7:12] = True
    np.testing.assert_array_equal(dx != 0, seen)
    assert seen.sum() == conv_parameters(3, 1, 5, bias=False) == 5 * 5 * 3


def test_L33_the_output_is_a_volume_of_depth_columns_and_of_activation_maps():
    """A 1 x 1 x depth column: all units there see the same window. An activation map, a depth slice: all its units
    have the same filter."""
    rng = np.random.default_rng(33)
    x, weight = rng.normal(size=(1, 3, 32, 32)), rng.normal(size=(200, 3, 5, 5))
    y = conv2d(x, weight)
    assert y.shape == (1, 200, 28, 28)
    column = y[:, :, 11:12, 7:8]
    assert column.shape == (1, 200, 1, 1)
    np.testing.assert_allclose(column, conv2d(x[:, :, 11:16, 7:12], weight), atol=1e-10)
    np.testing.assert_allclose(column.ravel(), weight.reshape(200, -1) @ x[0, :, 11:16, 7:12].ravel(), atol=1e-10)
    np.testing.assert_allclose(y[:, 6:7], conv2d(x, weight[6:7]), atol=1e-10)


def test_L34_a_3_x_3_filter_on_7_x_7_gives_5_x_5_and_3_x_3_and_stride_3_does_not_fit():
    x, weight = np.arange(49.0).reshape(1, 1, 7, 7), np.ones((1, 1, 3, 3))
    for stride, size in ((1, 5), (2, 3)):
        assert output_size(7, 3, stride) == size and unused(7, 3, stride) == 0
        assert conv2d(x, weight, stride=stride).shape == (1, 1, size, size)
    assert (7 - 3) / 3 != (7 - 3) // 3 and unused(7, 3, stride=3) == 1
    changed = x.copy()
    changed[..., 6, :], changed[..., :, 6] = 1000, 1000  # the last row and column, which stride 3 never reads
    np.testing.assert_array_equal(conv2d(changed, weight, stride=3), conv2d(x, weight, stride=3))
    assert (conv2d(changed, weight, stride=2) != conv2d(x, weight, stride=2)).any()


@pytest.mark.parametrize("kernel_size", range(1, 12))
def test_L35_zero_padding_keeps_the_size(kernel_size):
    """P = (K - 1) / 2 for odd K at stride 1, and no other P; for an even K there is none."""
    x, weight = np.ones((1, 1, 13, 16)), np.ones((1, 1, kernel_size, kernel_size))
    keeps = [padding for padding in range(12) if conv2d(x, weight, padding=padding).shape == x.shape]
    assert keeps == ([(kernel_size - 1) // 2] if kernel_size % 2 else [])
    if kernel_size % 2:
        assert [same_padding(kernel_size)] == keeps
