"""Convolution as networks use it (cross-correlation: the kernel is not flipped), forward and backward."""

import numpy as np

from course_utils.scratch.arrays import floats, pair, span, windows


def conv2d_loops(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Convolution as its formula reads, one output at a time: the slow twin of `conv2d`, same arguments, same errors.

    y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] * padded[n, c, i sh + k dh, j sw + l dw]
    """
    x, weight, bias, (sh, sw), (ph, pw), (dh, dw) = _arguments(x, weight, bias, stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    height, width = span(weight.shape[2:], (dh, dw), padded.shape[2:])
    rows = range(0, padded.shape[2] - height + 1, sh)  # where a window can start
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
    """Convolution of N x in x H x W with a weight out x in x kh x kw, and a bias of out numbers, to N x out x oh x ow.

    Products of matrices, one an image and kernel row, with the windows as columns ("im2col": Chellapilla, Puri & Simard
    2006). Stride, zero padding, dilation: an int or a pair. Raises ValueError for shapes or values that do not fit.
    """
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    _, image, across, strips, down = _unrolled(x, weight, stride, padding, dilation)
    kernels = weight.transpose(2, 0, 3, 1).reshape(len(down), len(weight), -1)  # kh matrices, out x (kw in)
    y = np.empty((len(x), len(weight), *down.shape[3:]), x.dtype)
    for n in range(len(x)):
        image[...] = x[n]
        strips[...] = across
        y[n] = bias[:, None, None]
        y_n = y[n].reshape(len(weight), -1)  # a view: a column a place of the window
        for i, kernel in enumerate(kernels):
            y_n += kernel @ down[i].reshape(kernel.shape[1], -1)
    return y


def conv2d_backward(dy, x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Gradients (dx, dweight, dbias) of `conv2d` from dy, the gradient of its output; dbias is None without a bias.

    A weight is used at every place of the window: its gradient is a sum over places. A pixel is seen from many places:
    what they give back adds up. Raises ValueError as `conv2d` does, and if dy is not shaped like y.
    """
    has_bias = bias is not None
    x, weight, dy = floats(x=x, weight=weight, dy=dy)
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    _, image, across, strips, down = _unrolled(x, weight, stride, padding, dilation)
    dpadded, dimage, dacross, dstrips, ddown = _unrolled(x, weight, stride, padding, dilation)
    if dy.shape != (len(x), len(weight), *down.shape[3:]):
        raise ValueError(f"dy is {dy.shape}; expected the shape of y, {(len(x), len(weight), *down.shape[3:])}")
    kernels = weight.transpose(2, 3, 1, 0).reshape(len(down), -1, len(weight))  # kh matrices, (kw in) x out
    dx, dkernels = np.empty(x.shape, x.dtype), np.zeros(kernels.shape, x.dtype)
    for n in range(len(x)):
        image[...] = x[n]
        strips[...] = across
        dpadded[...] = dstrips[...] = 0
        dy_n = dy[n].reshape(len(weight), -1)
        for i, kernel in enumerate(kernels):
            dkernels[i] += down[i].reshape(len(kernel), -1) @ dy_n.T
            ddown[i] += (kernel @ dy_n).reshape(ddown[i].shape)
        for j in range(len(across)):  # one by one, since windows overlap: a pixel lies in several of them
            dacross[j] += dstrips[j]
        dx[n] = dimage
    dweight = dkernels.reshape(*weight.shape[2:], *weight.shape[1::-1]).transpose(3, 2, 0, 1)
    return dx, dweight, dy.sum(axis=(0, 2, 3)) if has_bias else None


def _unrolled(x, weight, stride, padding, dilation):
    """Room for one image of x, padded with zeros, and for its windows; the rest are views of these two.

    `image` is the middle of `padded`. `across`, kw x in x H x ow, are the windows along its rows; `strips` is to hold a
    copy of them. `down`, kh x kw x in x oh x ow, are the windows along the columns of `strips`: these take no copy.
    """
    (ph, pw), (sh, sw), (dh, dw), (height, width), (kh, kw) = padding, stride, dilation, x.shape[2:], weight.shape[2:]
    padded = np.zeros((x.shape[1], height + 2 * ph, width + 2 * pw), x.dtype)
    image = padded[:, ph : ph + height, pw : pw + width]
    span(weight.shape[2:], dilation, padded.shape[1:])
    across = windows(padded, (1, kw), (1, sw), (1, dw))[0]
    strips = np.empty(across.shape, x.dtype)
    down = windows(strips, (kh, 1), (sh, 1), (dh, 1))[:, 0]
    return padded, image, across, strips, down


def _arguments(x, weight, bias, stride, padding, dilation):
    """The arrays in one floating type, the rest as pairs; no bias is a bias of zeros. Raises ValueError for misfits."""
    bias = np.zeros(np.shape(weight)[:1], bool) if bias is None else bias
    x, weight, bias = floats(x=x, weight=weight, bias=bias)
    if x.ndim != 4:
        raise ValueError(f"x is {x.shape}; expected N x in x H x W")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"weight is {weight.shape}; expected out x in x kh x kw, none of them 0")
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x is {x.shape}; expected {weight.shape[1]} channels, as weight is {weight.shape}")
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias is {bias.shape}; expected {weight.shape[:1]}, as weight is {weight.shape}")
    return x, weight, bias, pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
