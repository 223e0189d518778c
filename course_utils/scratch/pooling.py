"""Pooling, forward and backward: a window moves over each channel alone and keeps its maximum or its average."""

import numpy as np

from course_utils.scratch.arrays import check_gradient, check_images, floats, middle, output_size, padded, pair, windows


def max_pool2d_loops(x, kernel_size, *, stride=None, padding=0):
    """Max pooling as its formula reads, one output at a time: the slow twin of `max_pool2d`, same arguments and errors.

    y[n, c, i, j] = max over k, l of image[n, c, i sh + k, j sw + l]
    """
    (x,), (kh, kw), (sh, sw), padding = _arguments(kernel_size, stride, padding, x=x)
    y = np.empty(_output_shape(x, (kh, kw), (sh, sw), padding), x.dtype)
    image = padded(x, padding, -np.inf)
    for n, c, i, j in np.ndindex(y.shape):
        top, left = i * sh, j * sw
        y[n, c, i, j] = image[n, c, top : top + kh, left : left + kw].max()
    return y


def max_pool2d(x, kernel_size, *, stride=None, padding=0):
    """The maximum of each window on N x C x H x W, one channel at a time, to N x C x oh x ow.

    Kernel size, stride (None: the kernel size) and padding (of minus infinity, at most half the kernel): an int or a
    pair. A NaN makes its windows NaN. Raises ValueError for shapes or values that do not fit.
    """
    (x,), kernel_size, stride, padding = _arguments(kernel_size, stride, padding, x=x)
    y = np.full(_output_shape(x, kernel_size, stride, padding), -np.inf, x.dtype)
    seen = windows(padded(x, padding, -np.inf), kernel_size, stride, (1, 1))
    for i, j in np.ndindex(kernel_size):  # one place of the window after the other
        np.maximum(y, seen[i, j], out=y)
    return y


def max_pool2d_backward(dy, x, kernel_size, *, stride=None, padding=0):
    """Gradient of `max_pool2d`: each output's goes to the pixel that it took, and adds up where windows overlap.

    Of equal maxima the first in the window, row by row, takes it all; of several NaN the last, as in torch; padding
    never. Raises ValueError as `max_pool2d` does, and if dy is not shaped like y.
    """
    (x, dy), kernel_size, stride, padding = _arguments(kernel_size, stride, padding, x=x, dy=dy)
    check_gradient(dy, _output_shape(x, kernel_size, stride, padding))
    taken = _taken(x, kernel_size, stride, padding)
    dimage = padded(np.zeros(x.shape, x.dtype), padding)
    dseen = windows(dimage, kernel_size, stride, (1, 1))
    for place, (i, j) in enumerate(np.ndindex(kernel_size)):
        dseen[i, j] += np.where(taken == place, dy, 0)
    return middle(dimage, padding)


def avg_pool2d(x, kernel_size, *, stride=None, padding=0):
    """The average of each window on N x C x H x W, one channel at a time. Padding, zeros, counts as in torch's default.

    Arguments and errors are those of `max_pool2d`.
    """
    (x,), kernel_size, stride, padding = _arguments(kernel_size, stride, padding, x=x)
    y = np.zeros(_output_shape(x, kernel_size, stride, padding), x.dtype)
    seen = windows(padded(x, padding), kernel_size, stride, (1, 1))
    for i, j in np.ndindex(kernel_size):
        y += seen[i, j]
    return y / (kernel_size[0] * kernel_size[1])


def avg_pool2d_backward(dy, x, kernel_size, *, stride=None, padding=0):
    """Gradient of `avg_pool2d`: each output's goes in equal parts to its window, and adds up where windows overlap.

    Raises ValueError as `max_pool2d_backward` does.
    """
    (x, dy), kernel_size, stride, padding = _arguments(kernel_size, stride, padding, x=x, dy=dy)
    check_gradient(dy, _output_shape(x, kernel_size, stride, padding))
    dimage = padded(np.zeros(x.shape, x.dtype), padding)
    dseen = windows(dimage, kernel_size, stride, (1, 1))
    for i, j in np.ndindex(kernel_size):
        dseen[i, j] += dy / (kernel_size[0] * kernel_size[1])
    return middle(dimage, padding)


def _taken(x, kernel_size, stride, padding):
    """From which place of its window each output of `max_pool2d` comes: a number that counts the places row by row."""
    seen = windows(padded(x, padding, -np.inf), kernel_size, stride, (1, 1))
    inside = windows(padded(np.ones(x.shape[2:], bool), padding), kernel_size, stride, (1, 1))
    first = inside.reshape(-1, *seen.shape[4:]).argmax(axis=0)  # the first place of the window that is no padding
    taken = np.broadcast_to(first, seen.shape[2:]).copy()
    largest = np.full(taken.shape, -np.inf, x.dtype)
    for place, (i, j) in enumerate(np.ndindex(kernel_size)):
        larger = (seen[i, j] > largest) | np.isnan(seen[i, j])
        np.maximum(taken, place * larger, out=taken)  # the last place that exceeds all before it holds the maximum
        np.maximum(largest, seen[i, j], out=largest)
    return taken


def _output_shape(x, kernel_size, stride, padding):
    """N x C x oh x ow. Raises ValueError if the kernel does not fit the padded input."""
    return *x.shape[:2], *output_size(x.shape[2:], kernel_size, stride, padding, (1, 1))


def _arguments(kernel_size, stride, padding, **arrays):
    """The arrays, x first, in one floating type, the rest as pairs. Raises ValueError for what does not fit."""
    arrays = floats(**arrays)
    check_images(arrays[0])
    kernel_size, padding = pair("kernel_size", kernel_size, 1), pair("padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel_size, strict=True)):
        raise ValueError(f"padding is {padding}; expected at most half the kernel, which is {kernel_size}")
    return arrays, kernel_size, kernel_size if stride is None else pair("stride", stride, 1), padding
