"""What is known of a convolutional network before any of it runs: sizes, receptive fields, parameters, multiply-adds.

Rows and columns do not interact, so sizes and receptive fields are computed for one axis at a time. K is the kernel's
size, S the stride, P the padding on each side, D the dilation.
"""

from collections import namedtuple
from numbers import Integral

ReceptiveField = namedtuple("ReceptiveField", "size jump start")


def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """Places that a window takes along an axis of `size`: floor((size + 2 P - D (K - 1) - 1) / S) + 1.

    The window covers D (K - 1) + 1 of the padded axis; what is left is how far it can move. It moves in steps of S, and
    stands in one place before the first step (Dumoulin & Visin 2016, relationship 15).
    Raises ValueError for what is no whole number, for a size, kernel, stride or dilation below 1, for negative padding,
    and for a window that does not fit.
    """
    return _room(size, kernel_size, stride, padding, dilation) // stride + 1


def reads(i, kernel_size, stride=1, padding=0, dilation=1):
    """The positions along an axis that output number `i` reads: S i - P + D k for k from 0 to K - 1.

    Positions below 0, and those from the size of the input on, are padding. Raises ValueError as `output_size` does.
    """
    _whole(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _whole(0, i=i, padding=padding)
    return [stride * i - padding + dilation * k for k in range(kernel_size)]


def unused(size, kernel_size, stride=1, padding=0, dilation=1):
    """Columns left over at the end of the padded input, too few for another step: (size + 2 P - D (K - 1) - 1) mod S.

    0: the stride fits. Columns between the windows, which a stride or a dilation may pass over, do not count.
    Raises ValueError as `output_size` does.
    """
    return _room(size, kernel_size, stride, padding, dilation) % stride


def same_padding(kernel_size, dilation=1):
    """The padding that keeps the size at stride 1: P = D (K - 1) / 2, from size + 2 P - D (K - 1) = size.

    Raises ValueError for an even kernel, which has no middle (Dumoulin & Visin 2016, relationship 3, asks for an odd
    one), and as `output_size` does.
    """
    _whole(1, kernel_size=kernel_size, dilation=dilation)
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}; expected an odd number, for a kernel with a middle")
    return dilation * (kernel_size - 1) // 2


def conv_parameters(in_channels, out_channels, kernel_size, *, bias=True, groups=1):
    """Numbers that a convolution learns: out * (in / groups * kh * kw + 1), the 1 for the bias.

    The size of the input is not in it. `kernel_size` is an int or a pair. Raises ValueError for what is no whole number
    of at least 1, and for groups that do not divide both numbers of channels.
    """
    return out_channels * (_inputs(in_channels, out_channels, kernel_size, groups) + bool(bias))


def conv_multiply_adds(in_channels, out_channels, kernel_size, output, *, groups=1):
    """Multiply-adds of a convolution on one image: out * oh * ow outputs, each a sum over in / groups * kh * kw inputs.

    One multiply-add is two floating-point operations; the bias is not counted. `kernel_size` and `output`, the size of
    the output, are an int or a pair. Raises ValueError as `conv_parameters` does.
    """
    height, width = _pair("output", output)
    return out_channels * height * width * _inputs(in_channels, out_channels, kernel_size, groups)


def receptive_field(layers):
    """What one unit sees of the input, after each of the `layers` (kernel, stride, padding, dilation), along one axis.

    A list of (size, jump, start) in input pixels: `size` from the first pixel seen to the last, `jump` from one unit to
    the next, `start` the centre of the first unit, where pixel 0 has its centre at 0. From its first column to its last
    a window covers D (K - 1) jumps: by these the size grows; half of them, less P jumps of padding, move the start; S
    multiplies the jump (Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks").
    Raises ValueError for what is no layer, with the bounds of `output_size`.
    """
    size, jump, start, fields = 1, 1, 0.0, []
    for kernel_size, stride, padding, dilation in layers:
        _whole(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
        _whole(0, padding=padding)
        size += dilation * (kernel_size - 1) * jump
        start += (dilation * (kernel_size - 1) / 2 - padding) * jump
        jump *= stride
        fields.append(ReceptiveField(size, jump, start))
    return fields


def _room(size, kernel_size, stride, padding, dilation):
    """How far a window can move along the padded axis."""
    _whole(1, size=size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _whole(0, padding=padding)
    padded, covered = size + 2 * padding, dilation * (kernel_size - 1) + 1
    if covered > padded:
        raise ValueError(
            f"a kernel of {kernel_size} with dilation {dilation} covers {covered}; "
            f"expected at most the padded input, {size} + 2 * {padding} = {padded}"
        )
    return padded - covered


def _inputs(in_channels, out_channels, kernel_size, groups):
    """Inputs of one unit: the channels of its group times the places of the kernel."""
    height, width = _pair("kernel_size", kernel_size)
    _whole(1, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"groups is {groups}; expected a divisor of {in_channels} and of {out_channels} channels")
    return in_channels // groups * height * width


def _pair(name, value):
    height, width = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, value)
    _whole(1, **{name: height})
    _whole(1, **{name: width})
    return height, width


def _whole(least, **values):
    """Raise ValueError, by name, for what is no whole number or less than `least`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")
