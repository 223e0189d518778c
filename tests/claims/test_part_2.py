"""The lecture's claims of Part II, 05 to 08, a test each, named by its id: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

from itertools import pairwise

import numpy as np
import pytest

from course_utils.arithmetic import conv_parameters, output_size, same_padding, unused
from course_utils.datasets import photographs
from course_utils.scratch import (
    avg_pool2d,
    conv2d,
    conv2d_backward,
    gradient_check,
    max_pool2d,
    max_pool2d_backward,
    relu,
)


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


def sampled(x, n):
    """Every n-th output and no pooling, as a convolution of stride n gives."""
    return x[..., ::n, ::n]


def change(pool, n, shift):
    """How much the edges of a photograph change, pooled n x n, as it moves by `shift` pixels: ||a - b|| / ||a||."""
    image = photographs()["flower"].numpy().mean(axis=0)
    edges = relu(conv2d(image[None, None], np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])))
    a, b = (pool(edges[..., :400, left : left + 600], n) for left in (16, 16 - shift))
    return np.linalg.norm(a - b) / np.linalg.norm(a)


def test_L36_pooling_gives_robustness_to_the_exact_place():
    """The larger the window, the less one pixel of movement changes; sampling without pooling has no such effect.

    Where it fails: movements as large as the window, stripes as wide as the window, and the place itself: the pooled
    map moves with the image, since pooling forgets the place within a window and no more.
    """
    for pool in (max_pool2d, avg_pool2d):
        changes = [change(pool, n, shift=1) for n in (1, 2, 4, 8)]
        assert all(after < 0.8 * before for before, after in pairwise(changes))
        assert changes[-1] < 0.3 * changes[0]
        assert change(pool, 2, shift=8) > 1
    assert all(change(sampled, n, shift=1) > 0.9 * change(sampled, 1, shift=1) for n in (2, 4, 8))

    bump, window = np.zeros((1, 1, 8, 32)), 4
    bump[..., 3, 9] = 1  # the second place of its window: it can move by two and stay in it
    moved = [max_pool2d(np.roll(bump, shift, axis=-1), window) for shift in range(7)]
    assert [np.array_equal(y, moved[0]) for y in moved] == [True] * 3 + [False] * 4
    np.testing.assert_array_equal(moved[window], np.roll(moved[0], 1, axis=-1))

    stripes = np.tile([1.0, 1, 0, 0], (8, 8))[None, None]
    before, after = (max_pool2d(np.roll(stripes, shift, axis=-1), 2) for shift in (0, 1))
    assert before.mean() == 0.5 and after.mean() == 1


def test_L37_the_example_of_max_pooling():
    x = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
    np.testing.assert_array_equal(max_pool2d(x[None, None], 2, stride=2)[0, 0], [[6, 8], [3, 4]])


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_L38_pooling_works_on_each_slice_alone_and_keeps_their_number(pool):
    x = np.random.default_rng(38).normal(size=(2, 5, 8, 6))
    y = pool(x, 2)
    assert y.shape == (2, 5, 4, 3)
    for c in range(5):
        others = x + np.where(np.arange(5) == c, 0, 100)[:, None, None]  # all slices but this one are changed
        np.testing.assert_array_equal(pool(others, 2)[:, c], y[:, c])
        np.testing.assert_array_equal(pool(x[:, [c]], 2)[:, 0], y[:, c])
    dy = np.zeros(max_pool2d(x, 2).shape)
    dy[0, 3] = 1
    assert max_pool2d_backward(dy, x, 2).any(axis=(0, 2, 3)).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_L39_the_gradient_of_a_shared_weight_is_the_sum_over_all_positions(stride, padding):
    """Each position gets a copy of the weight to itself: the copies' gradients add up to that of the shared weight."""
    rng = np.random.default_rng(39)
    x, weight = rng.normal(size=(1, 2, 5, 4)), rng.normal(size=(3, 2, 3, 2))
    dy = rng.normal(size=conv2d(x, weight, stride=stride, padding=padding).shape)
    positions = list(np.ndindex(dy.shape[2:]))

    def unshared(copies):
        y = np.empty(dy.shape)
        for copy, (i, j) in zip(copies, positions, strict=True):
            y[..., i, j] = conv2d(x, copy, stride=stride, padding=padding)[..., i, j]
        return y

    def gradient_at(i, j):
        alone = np.zeros(dy.shape)
        alone[..., i, j] = dy[..., i, j]
        return conv2d_backward(alone, x, weight, stride=stride, padding=padding)[1]

    gradients = np.stack([gradient_at(i, j) for i, j in positions])
    assert gradient_check(unshared, np.stack([weight] * len(positions)), dy, gradients) < 1e-7
    shared = conv2d_backward(dy, x, weight, stride=stride, padding=padding)[1]
    np.testing.assert_allclose(gradients.sum(axis=0), shared, rtol=1e-10, atol=1e-10)
    assert gradient_check(lambda w: conv2d(x, w, stride=stride, padding=padding), weight, dy, shared) < 1e-7
    assert not np.allclose(gradients.mean(axis=0), shared)
