"""Convolution as networks use it (cross-correlation: the kernel is not flipped), forward and backward."""

import numpy as np

from course_utils.scratch.arrays import (
    check_gradient,
    check_images,
    few,
    floats,
    middle,
    output_size,
    padded,
    pair,
    windows,
)


def conv2d_loops(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Convolution as its formula reads, one output at a time: the slow twin of `conv2d`, same arguments, same errors.

    y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] * image[n, c, i sh + k dh, j sw + l dw]
    """
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    (sh, sw), (dh, dw), (kh, kw) = stride, dilation, weight.shape[2:]
    y = np.empty(_output_shape(x, weight, stride, padding, dilation), x.dtype)
    image = padded(x, padding)
    for n, o, i, j in np.ndindex(y.shape):
        top, left = i * sh, j * sw
        window = image[n, :, top : top + kh * dh : dh, left : left + kw * dw : dw]
        y[n, o, i, j] = bias[o] + (weight[o] * window).sum()
    return y


def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Convolution of N x in x H x W with a weight out x in x kh x kw, and a bias of out numbers, to N x out x oh x ow.

    One product of matrices an image, with its windows as columns ("im2col": Chellapilla, Puri & Simard 2006). Stride,
    zero padding, dilation: an int or a pair. Raises ValueError for shapes or values that do not fit.
    """
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    y = np.empty(_output_shape(x, weight, stride, padding, dilation), x.dtype)
    kernels = weight.reshape(len(weight), -1)  # a row a kernel: out x (in kh kw)
    for some in few(x):
        seen = windows(padded(x[some], padding), weight.shape[2:], stride, dilation)
        for y_n, seen_n in zip(y[some], np.moveaxis(seen, (2, 3), (0, 1)), strict=True):
            y_n[...] = (kernels @ seen_n.reshape(kernels.shape[1], -1)).reshape(y_n.shape)  # a column a window
    y += bias[:, None, None]
    return y


def conv2d_backward_loops(dy, x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Gradients as the chain rule reads, one output at a time: the slow twin of `conv2d_backward`, same arguments.

    An output is its bias plus the sum of weights times window. So its gradient goes to the weights, multiplied by the
    window; to the window, multiplied by the weights; to the bias, as it is. What arrives at one number is added up.
    """
    has_bias = bias is not None
    x, weight, dy = floats(x=x, weight=weight, dy=dy)
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    check_gradient(dy, _output_shape(x, weight, stride, padding, dilation))
    (sh, sw), (dh, dw), (kh, kw) = stride, dilation, weight.shape[2:]
    image = padded(x, padding)
    dimage, dweight, dbias = (np.zeros(array.shape, x.dtype) for array in (image, weight, bias))
    for n, o, i, j in np.ndindex(dy.shape):
        top, left = i * sh, j * sw
        window = np.s_[n, :, top : top + kh * dh : dh, left : left + kw * dw : dw]
        dweight[o] += dy[n, o, i, j] * image[window]
        dimage[window] += dy[n, o, i, j] * weight[o]
        dbias[o] += dy[n, o, i, j]
    return middle(dimage, padding), dweight, dbias if has_bias else None


def conv2d_backward(dy, x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """Gradients (dx, dweight, dbias) of `conv2d` from dy, the gradient of its output; dbias is None without a bias.

    One place (i, j) of the kernel after the other. A weight there meets one pixel for each output. Its gradient is the
    sum of pixel times dy over all outputs. Each of these pixels gets weight times dy, and adds up what it gets.
    Raises ValueError as `conv2d` does, and if dy is not shaped like y.
    """
    has_bias = bias is not None
    x, weight, dy = floats(x=x, weight=weight, dy=dy)
    x, weight, bias, stride, padding, dilation = _arguments(x, weight, bias, stride, padding, dilation)
    check_gradient(dy, _output_shape(x, weight, stride, padding, dilation))
    dx, dweight = np.empty(x.shape, x.dtype), np.zeros(weight.shape, x.dtype)
    for some in few(x):
        image = padded(x[some], padding)
        dimage = np.zeros(image.shape, x.dtype)
        seen, dseen = (windows(pixels, weight.shape[2:], stride, dilation) for pixels in (image, dimage))
        dy_some = dy[some].reshape(len(image), len(weight), -1)  # n x out x (oh ow)
        for i, j in np.ndindex(weight.shape[2:]):
            pixels = seen[i, j].reshape(*image.shape[:2], -1)  # n x in x (oh ow), what place (i, j) meets
            dweight[:, :, i, j] += (dy_some @ pixels.swapaxes(1, 2)).sum(axis=0)
            dseen[i, j] += (weight[:, :, i, j].T @ dy_some).reshape(dseen[i, j].shape)
        dx[some] = middle(dimage, padding)
    return dx, dweight, dy.sum(axis=(0, 2, 3)) if has_bias else None


def _output_shape(x, weight, stride, padding, dilation):
    """N x out x oh x ow. Raises ValueError if the kernel does not fit the padded input."""
    return len(x), len(weight), *output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)


def _arguments(x, weight, bias, stride, padding, dilation):
    """The arrays in one floating type, the rest as pairs; no bias is a bias of zeros. Raises ValueError for misfits."""
    bias = np.zeros(np.shape(weight)[:1], bool) if bias is None else bias
    x, weight, bias = floats(x=x, weight=weight, bias=bias)
    check_images(x)
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"weight is {weight.shape}; expected out x in x kh x kw, none of them 0")
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x is {x.shape}; expected {weight.shape[1]} channels, as weight is {weight.shape}")
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"bias is {bias.shape}; expected {weight.shape[:1]}, as weight is {weight.shape}")
    return x, weight, bias, pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
