"""The lecture's claims of Part II, 05 to 08, a test each, named by its id: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

from itertools import pairwise

import numpy as np
import pytest

from course_utils.arithmetic import conv_parameters, output_size, receptive_field, same_padding, unused
from course_utils.datasets import load, photographs
from course_utils.scratch import (
    avg_pool2d,
    conv2d,
    conv2d_backward,
    gradient_check,
    max_pool2d,
    max_pool2d_backward,
    relu,
)
from course_utils.scratch.cells import bar, gabor, grating


def test_L26_the_four_considerations_are_properties_of_the_layers():
    """2D input: a convolution depends on which pixels are neighbours, a full layer does not. No segmentation:
    what it finds moves along with the image. Hierarchy and depth: with each layer a unit sees more of the image."""
    rng = np.random.default_rng(26)
    x, kernel, order = rng.normal(size=(1, 1, 9, 9)), rng.normal(size=(1, 1, 3, 3)), rng.permutation(81)
    full = rng.normal(size=(4, 81))
    np.testing.assert_allclose(full[:, order] @ x.ravel()[order], full @ x.ravel())  # other weights, the same function
    mixed = x.reshape(1, 1, 81)[..., order].reshape(x.shape)
    assert not np.isclose(np.sort(conv2d(mixed, kernel).ravel()), np.sort(conv2d(x, kernel).ravel())).any()
    moved = np.roll(x, 2, axis=3)
    np.testing.assert_allclose(conv2d(moved, kernel)[..., 2:], conv2d(x, kernel)[..., :-2])
    sizes = [field.size for field in receptive_field([(3, 1, 1, 1)] * 4)]
    assert all(after > before for before, after in pairwise(sizes))


def test_L27_cells_of_hubel_and_wiesel_form_a_hierarchy_of_convolution_and_pooling():
    """Simple cells ask for orientation and phase, complex cells for orientation alone, hyper-complex cells for an end.

    Each is made of the one before. Loose: hyper-complex cells are of 1965, later than the two papers that the slide
    dates, 1959 and 1962.
    """
    even, odd = (gabor(33, phase=phase)[None, None] for phase in (0, np.pi / 2))

    def simple(image):
        return relu(conv2d(image[None, None], even))[0, 0]

    def complex_cell(image):
        return np.hypot(*(conv2d(image[None, None], patch)[0, 0] for patch in (even, odd)))

    def hyper_complex(image, apart=12):
        cells = complex_cell(image)
        return relu(cells[apart:-apart] - cells[: -2 * apart] - cells[2 * apart :])[8, 20]

    phases = np.deg2rad(np.arange(0, 360, 10))
    by_phase = [np.array([cell(grating(33, 0, phase)).item() for phase in phases]) for cell in (simple, complex_cell)]
    assert (by_phase[0] < 1e-9).sum() >= 17 and np.ptp(by_phase[1]) < 0.01 * by_phase[1].max()
    for cell in (simple, complex_cell):
        assert cell(grating(33, np.pi / 4)).item() < 0.1 * cell(grating(33)).item()
    assert hyper_complex(bar(73, 12)) > 2 and hyper_complex(bar(73, 48)) == 0
    assert complex_cell(bar(73, 48))[20, 20] > complex_cell(bar(73, 12))[20, 20]


@pytest.mark.parametrize("folds", [2, 4, 7])
def test_L28_a_deep_function_may_need_a_very_wide_hidden_layer(folds):
    """The tent map put into itself: 2 k units in k layers, 2 ** k straight pieces; m units in one layer have m kinks.

    "Can implement any function" is loose: approximate, and continuous functions on a bounded set.
    """
    x = np.linspace(0, 1, 2**folds * 8 + 1)
    y = x
    for _ in range(folds):
        y = 2 * relu(y) - 4 * relu(y - 0.5)
    slopes = np.diff(y) / np.diff(x)
    assert np.allclose(abs(slopes), 2**folds) and (np.diff(slopes) != 0).sum() == 2**folds - 1
    turns = np.diff(2.0**folds * (-1.0) ** np.arange(2**folds), prepend=0)
    np.testing.assert_allclose(relu(x[:, None] - np.arange(2**folds) / 2**folds) @ turns, y, atol=1e-9)

    rng, units = np.random.default_rng(28), 2 ** (folds - 1) - 1  # too few for an error below 1/2, whatever the weights
    hidden = relu(x[:, None] * rng.normal(size=units) + rng.normal(size=units))
    assert (abs(np.diff(hidden.sum(1), n=2)) > 1e-9).sum() <= 2 * units  # a kink between two points shows twice
    best = np.linalg.lstsq(np.c_[hidden, np.ones(len(x))], y, rcond=None)[0]
    assert abs(np.c_[hidden, np.ones(len(x))] @ best - y).max() >= 0.5


def test_L29_a_fully_connected_net_on_D_pixels_has_3_D_squared_plus_D_parameters():
    """The figure is missing: three hidden layers of D units, one output and no biases give the count of the slide."""
    D = 32 * 32
    layers = [(D, D), (D, D), (D, D), (D, 1)]
    assert sum(conv_parameters(n, m, 1, bias=False) for n, m in layers) == 3 * D**2 + D == 3 * 32**4 + 32**2
    assert round((3 * D**2 + D) / 1e6) == 3
    assert sum(conv_parameters(n, m, 1) for n, m in layers) == 3 * D**2 + D + 3 * D + 1  # with biases


def test_L30_a_trillion_a_hundred_million_and_ten_thousand_weights():
    """On 1000 x 1000 pixels: a unit reads all of them, or 10 x 10 of them, or 10 x 10 with the weights of its map."""
    units = 10**6
    assert conv_parameters(1, units, 1000, bias=False) == 10**12
    assert conv_parameters(1, units, 10, bias=False) == 10**8
    assert conv_parameters(1, 100, 10, bias=False) == 10**4


def test_L31_the_response_map_takes_memory_and_no_parameters():
    """Loose: 1000 x 1000 x 100 needs padding that keeps the size, and an even window has none; unpadded 991 x 991."""
    with pytest.raises(ValueError, match="expected an odd number"):
        same_padding(10)
    assert output_size(1000, 10) == 991
    assert [output_size(1000, 10, padding=padding) for padding in (4, 5)] == [999, 1001]
    assert 390e6 < 4 * output_size(1000, 10) ** 2 * 100 < 400e6  # bytes in float32, for one image
    for side in (20, 40):  # the outputs grow with the image, the weights do not
        y = conv2d(np.zeros((1, 1, side, side)), np.zeros((3, 1, 10, 10)))
        assert y.size == 3 * (side - 9) ** 2


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


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_L52_a_convolution_is_equivariant_to_shifts_by_multiples_of_its_stride(stride):
    """Slide 37: "want translation invariance". Loose: the output moves with the image, by shift / stride, if that is
    whole; no shift of the old output is the new one otherwise. Invariance comes in part from pooling: the largest value
    over all positions stays the same, at the same shifts and at no others. (The classifier's part: chapter 07.)"""
    rng = np.random.default_rng(52)
    weight, bias = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2)
    image = np.pad(rng.normal(size=(1, 1, 12, 12)), ((0, 0), (0, 0), (16, 16), (16, 16)))  # nothing near the borders

    def output(shift):
        moved = np.roll(image, (shift, 2 * shift), axis=(2, 3))
        return conv2d(moved, weight, bias, stride=stride, padding=1)

    before = output(0)
    for shift in range(1, 7):
        after = output(shift)
        assert np.abs(after - before).max() > 0.5  # never invariant
        tries = [np.roll(before, move, axis=(2, 3)) for move in np.ndindex(8, 14)]
        closest = min(np.abs(after - moved).max() for moved in tries)
        largest = np.abs(after.max(axis=(2, 3)) - before.max(axis=(2, 3))).max()
        if shift % stride == 0:
            moved = np.roll(before, (shift // stride, 2 * shift // stride), axis=(2, 3))
            np.testing.assert_allclose(after, moved, atol=1e-12)
            assert largest < 1e-12
        else:
            assert closest > 0.5 and largest > 1e-3


def rebuilt(x, n):
    """A map from its n x n maxima: alike in a whole window, and with each maximum in its place. One number is fitted.

    Returns the errors of both, ||a - x|| / ||x||.
    """
    flat = np.kron(max_pool2d(x, n), np.ones((n, n)))
    switch = max_pool2d_backward(np.ones_like(max_pool2d(x, n)), x, n) > 0
    fitted = [f * (x * f).sum() / (f * f).sum() for f in (flat, np.where(switch, 0, flat))]
    return [np.linalg.norm(a - x) / np.linalg.norm(x) for a in (fitted[0], np.where(switch, flat, fitted[1]))]


def test_L53_pooling_makes_maps_smaller_without_losing_too_much_information():
    """Slide 58. Loose: it depends on what is asked. Of a photograph little is lost, of its edges half, and a part of
    that is in the switches. What digit it is can be told from 1 / 16 of the numbers, but not from one for each map.
    """
    image = photographs()["flower"].numpy().mean(axis=0)[None, None, :386, :578] / 255
    edges = relu(conv2d(image, np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])))
    (photograph, _), (without, switches) = rebuilt(image[..., :384, :576], 2), rebuilt(edges, 2)
    assert photograph < 0.15 < 0.45 < without < 0.6 and switches < 0.85 * without

    rng, parts = np.random.default_rng(53), (load("mnist-mini", "train"), load("mnist-mini", "test"))
    weight = rng.normal(size=(8, 1, 5, 5))
    weight -= weight.mean(axis=(2, 3), keepdims=True)
    maps = [relu(conv2d(part.images[:500].numpy() / 255, weight, padding=2)) for part in parts]
    target, labels = np.eye(10)[parts[0].labels[:500]] - 0.1, parts[1].labels[:500].numpy()

    def accuracy(pool):
        a, b = (pool(each).reshape(500, -1) for each in maps)
        weights = np.linalg.solve(a.T @ a + a.var() * 100 * np.eye(a.shape[1]), a.T @ target)
        return (np.argmax(b @ weights, axis=1) == labels).mean()

    pooled = {n: accuracy(lambda x, n=n: max_pool2d(x, n)) for n in (4, 28)}
    assert pooled[4] > 0.8 and pooled[28] < 0.55
    assert pooled[4] > accuracy(lambda x: sampled(x, 4)) + 0.05  # as many numbers, but no pooling


def test_L51_spatial_correlation_is_local():
    """Near pixels are correlated, and a permutation of the pixels ends it. Loose on photographs, where pixels far apart
    are correlated as well: what is local is what can be known. Eight neighbours tell nearly all that a window tells."""
    rng = np.random.default_rng(51)
    flower = photographs()["flower"].numpy().mean(axis=0)[None]
    digits = load("mnist-mini", "train").images[:1000, 0].numpy().astype(float)

    def correlation(images, distance):
        return np.corrcoef(images[..., :-distance].ravel(), images[..., distance:].ravel())[0, 1]

    def unknown(images, side):
        windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))
        chosen = windows[tuple(rng.integers(n, size=6000) for n in windows.shape[:3])].reshape(6000, -1).copy()
        middle = chosen[:, side * side // 2].copy()
        chosen[:, side * side // 2] = 1
        fitted = np.linalg.lstsq(chosen[:3000], middle[:3000], rcond=None)[0]
        return np.var(middle[3000:] - chosen[3000:] @ fitted) / np.var(middle[3000:])

    for images, far in ((flower, 0.7), (digits, -0.2)):
        images = images - images.mean(axis=(1, 2), keepdims=True)
        mixed = images.reshape(len(images), -1)[:, rng.permutation(images[0].size)].reshape(images.shape)
        assert correlation(images, 1) > 0.75 and far < correlation(images, 12) < far + 0.2
        assert abs(correlation(mixed, 1)) < 0.05 and unknown(mixed, 3) > 0.9
        assert unknown(images, 3) < 0.1 and unknown(images, 3) - unknown(images, 7) < 0.03
