"""What the layers share: arguments read and refused, and windows over images without a copy."""

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


def windows(images, kernel_size, stride, dilation):
    """All windows on images ... x H x W as a view ... x kh x kw x oh x ow: `[..., i, j, :, :]` is what place (i, j)
    of the kernel meets as it moves. Nothing is copied: writing into the view writes into `images`.

    The last three are pairs. Raises ValueError if a window does not fit.
    """
    (sh, sw), (dh, dw) = stride, dilation
    span = dh * (kernel_size[0] - 1) + 1, dw * (kernel_size[1] - 1) + 1
    height, width = images.shape[-2:]
    if span[0] > height or span[1] > width:
        raise ValueError(
            f"a kernel of {kernel_size[0]} x {kernel_size[1]} with dilation {dilation} spans {span[0]} x {span[1]}; "
            f"expected at most the padded input, {height} x {width}"
        )
    view = np.lib.stride_tricks.sliding_window_view(images, span, axis=(-2, -1), writeable=True)
    return np.moveaxis(view[..., ::sh, ::sw, ::dh, ::dw], (-2, -1), (-4, -3))
