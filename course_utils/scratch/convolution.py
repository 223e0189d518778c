"""Convolution as networks use it (cross-correlation: the kernel is not flipped), forward and backward."""

import numpy as np

from course_utils.scratch.arrays import floats, pair, windows


def conv2d_loops(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Convolution as its formula reads, one output at a time: the slow twin of `conv2d`, same arguments, same errors.

    y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] * padded[n, c, i sh + k dh, j sw + l dw]
    """
    x, weight, bias, (sh, sw), (ph, pw), (dh, dw), _ = _arguments(x, weight, bias, stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    height, width = dh * (weight.shape[2] - 1) + 1, dw * (weight.shape[3] - 1) + 1  # what the kernel spans
    rows = range(0, padded.shape[2] - height + 1, sh)
    columns = range(0, padded.shape[3] - width + 1, sw)
    y = np.empty((len(x), len(weight), len(rows), len(columns)), x.dtype)
    for n, image in enumerate(padded):
        for o, kernel in enumerate(weight):
            for i, top in enumerate(rows):
                for j, left in enumerate(columns):
                    window = image[:, top : top + height : dh, left : left + width : dw]
                    y[n, o, i, j] = bias[o] + (kernel * window).sum()
    return y


def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Convolution: N x in x H x W with a weight out x in x kh x kw (and a bias: out) to N x out x oh x ow.

    One matrix product an image: its windows side by side as columns ("im2col": Chellapilla, Puri & Simard 2006).
    Stride, padding (zeros) and dilation are an int or a pair. Raises ValueError for shapes or values that do not fit.
    """
    x, weight, bias, stride, padding, dilation, _ = _arguments(x, weight, bias, stride, padding, dilation)
    padded, image = _frame(x, padding)
    seen = windows(padded, weight.shape[2:], stride, dilation)  # in x kh x kw x oh x ow
    columns = np.empty(seen.shape, x.dtype)
    y = np.empty((len(x), len(weight), *seen.shape[3:]), x.dtype)
    kernels = weight.reshape(len(weight), -1)
    for n in range(len(x)):
        image[...] = x[n]
        columns[...] = seen
        np.matmul(kernels, columns.reshape(kernels.shape[1], -1), out=y[n].reshape(len(kernels), -1))
        y[n] += bias[:, None, None]
    return y


def conv2d_backward(dy, x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """The gradients (dx, dweight, dbias) of `conv2d` from that of its output; dbias is None without a bias.

    A weight is used at every place, so its gradient is a sum over places; a pixel is seen through many windows, so
    its gradient is a sum over windows. Raises ValueError as `conv2d` does, and for a dy of another shape than y.
    """
    has_bias = bias is not None
    x, weight, bias, stride, padding, dilation, dy = _arguments(x, weight, bias, stride, padding, dilation, dy)
    padded, image = _frame(x, padding)
    dpadded, dimage = _frame(x, padding)
    seen = windows(padded, weight.shape[2:], stride, dilation)
    dseen = windows(dpadded, weight.shape[2:], stride, dilation)
    if dy.shape != (len(x), len(weight), *seen.shape[3:]):
        raise ValueError(f"dy is {dy.shape}; expected the shape of y, {(len(x), len(weight), *seen.shape[3:])}")
    columns = np.empty(seen.shape, x.dtype)
    flat = columns.reshape(weight[0].size, -1)
    kernels = weight.reshape(len(weight), -1)
    dx, dkernels = np.empty(x.shape, x.dtype), np.zeros(kernels.shape, x.dtype)
    for n in range(len(x)):
        image[...] = x[n]
        columns[...] = seen
        dy_n = dy[n].reshape(len(weight), -1)
        dkernels += dy_n @ flat.T
        np.matmul(kernels.T, dy_n, out=flat)
        dpadded[...] = 0
        for i, j in np.ndindex(weight.shape[2:]):  # place by place: the windows of one place do not overlap
            dseen[:, i, j] += columns[:, i, j]
        dx[n] = dimage
    return dx, dkernels.reshape(weight.shape), dy.sum(axis=(0, 2, 3)) if has_bias else None


def _frame(x, padding):
    """Zeros for one padded image, and the view of its middle, where the image goes."""
    (ph, pw), (height, width) = padding, x.shape[2:]
    padded = np.zeros((x.shape[1], height + 2 * ph, width + 2 * pw), x.dtype)
    return padded, padded[:, ph : ph + height, pw : pw + width]


def _arguments(x, weight, bias, stride, padding, dilation, dy=0):
    """The arguments in one floating type and as pairs; no bias is a bias of zeros. Raises ValueError if they do not fit."""
    x, weight, bias, dy = floats(x=x, weight=weight, bias=np.zeros(len(weight), bool) if bias is None else bias, dy=dy)
    if x.ndim != 4:
        raise ValueError(f"x is {x.shape}; expected N x in x H x W")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"weight is {weight.shape}; expected out x in x kh x kw, none of them 0")
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x {x.shape} has {x.shape[1]} channels; expected {weight.shape[1]} for weight {weight.shape}")
    if bias.shape != (len(weight),):
        raise ValueError(f"bias is {bias.shape}; expected ({len(weight)},) for weight {weight.shape}")
    pairs = pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
    return x, weight, bias, *pairs, dy
