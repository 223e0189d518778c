"""What the layers share: arguments read and refused, and windows over images without a copy."""

import math

import numpy as np


def floats(**arrays):
    """The arrays in the one floating type that holds them all: float32 stays float32, integers become float64.

    Raises ValueError, by name, for what is not an array of real numbers.
    """
    for name, values in arrays.items():
        arrays[name] = np.asarray(values)
        if arrays[name].dtype.kind not in "biuf":
            raise ValueError(f"{name} holds {arrays[name].dtype}; expected real numbers")
    dtype = np.result_type(*(array.dtype for array in arrays.values()))
    dtype = dtype if dtype.kind == "f" else np.dtype(float)
    return [array.astype(dtype, copy=False) for array in arrays.values()]


def pair(name, value, least):
    """An int, or a pair of ints, as the pair (down, across). Raises ValueError for others and for less than `least`."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in both)
    if not whole or len(both) != 2 or min(both) < least:
        raise ValueError(f"{name} is {value!r}; expected an integer of at least {least}, or a pair of them")
    return int(both[0]), int(both[1])


def check_images(x):
    """Raise ValueError if x is no batch of images with a channel and a pixel at least."""
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"x is {x.shape}; expected N x C x H x W, with C, H and W of at least 1")


def check_gradient(dy, shape):
    """Raise ValueError if dy is not of `shape`, the output's."""
    if dy.shape != shape:
        raise ValueError(f"dy is {dy.shape}; expected the shape of y, {shape}")


def few(x, numbers=2**16):
    """The images of x a few at a time, as slices: what is made of so many numbers fits a processor's cache."""
    step = max(1, numbers // math.prod(x.shape[1:]))
    return [slice(start, start + step) for start in range(0, len(x), step)]


def middle(images, padding):
    """A view of images ... x H x W without the `padding`, a pair."""
    (ph, pw), (height, width) = padding, images.shape[-2:]
    return images[..., ph : height - ph, pw : width - pw]


def padded(images, padding, value=0.0):
    """A copy of images ... x H x W with `padding`, a pair, on each side."""
    (ph, pw), (*others, height, width) = padding, images.shape
    room = np.full((*others, height + 2 * ph, width + 2 * pw), value, images.dtype)
    middle(room, padding)[...] = images
    return room


def output_size(size, kernel_size, stride, padding, dilation):
    """How many places a window takes down and across images of `size`. All are pairs. Raises ValueError as `span`."""
    size = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    covered = span(kernel_size, dilation, size)
    return tuple((n - c) // s + 1 for n, c, s in zip(size, covered, stride, strict=True))


def span(kernel_size, dilation, size):
    """What a kernel covers, its holes included: D (K - 1) + 1 down and across.

    All are pairs. Raises ValueError if that is more than `size`, the padded input's.
    """
    covered = tuple(d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True))
    if covered[0] > size[0] or covered[1] > size[1]:
        raise ValueError(
            f"a kernel {kernel_size} with dilation {dilation} covers {covered}; expected at most {tuple(size)}, "
            "the padded input"
        )
    return covered


def windows(images, kernel_size, stride, dilation):
    """All windows on images ... x H x W, as a view kh x kw x ... x oh x ow: [i, j] is what place (i, j) of the kernel
    meets as the window moves. Nothing is copied: a change of the view is a change of `images`.

    The last three arguments are pairs. Raises ValueError if a window does not fit.
    """
    (sh, sw), (dh, dw) = stride, dilation
    covered = span(kernel_size, dilation, images.shape[-2:])
    view = np.lib.stride_tricks.sliding_window_view(images, covered, axis=(-2, -1), writeable=True)
    return np.moveaxis(view[..., ::sh, ::sw, ::dh, ::dw], (-2, -1), (0, 1))
