"""The exercises of chapter 08, backpropagation through convolution."""

import numpy as np

from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise
from course_utils.exercises.plain import same

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


def _layer(dy, x, weight, stride=1, padding=0):
    """Gradients of input, weight and bias of a layer with one row, one channel and one filter."""
    dimage, dweight = _by_hand(dy, x, weight, stride, padding, _added)
    return dimage[padding : padding + len(x)], dweight, float(np.sum(dy))


def _by_hand(dy, x, weight, stride, padding, arrive):
    """Both gradients where `arrive(total, part)` says what becomes of a part that arrives; dx with its padding."""
    image = np.pad(np.asarray(x, float), padding)
    dimage, dweight = np.zeros(len(image)), np.zeros(len(weight))
    for i, d in enumerate(dy):
        for k, w in enumerate(weight):
            dimage[i * stride + k] = arrive(dimage[i * stride + k], d * w)
            dweight[k] = arrive(dweight[k], d * image[i * stride + k])
    return dimage, dweight


def _last(total, part):
    return part


def _added(total, part):
    return total + part


def _only_wrong(table, right):
    """A table without the answers that happen to be right, as where no windows overlap."""

    def wrong(answer):
        return any(part is not ... and not same(part, good) for part, good in zip(answer, right, strict=True))

    rows = {words: row.answers if isinstance(row, Either) else (row,) for words, row in table.items()}
    return {words: Either(*filter(wrong, answers)) for words, answers in rows.items() if any(map(wrong, answers))}


# 08-1: by hand

ROW, KERNEL, BACK, STRIDE = [2, 1, 0, -1, 3, 1, 1], [1, 2, -1], [1, -2, 3], 2


def prediction():
    dx, dweight, dbias = _layer(BACK, ROW, KERNEL, STRIDE)
    return dweight.tolist(), dbias, dx.tolist()


def wrong_predictions():
    dweight, dbias, dx = prediction()
    overwritten, last = _by_hand(BACK, ROW, KERNEL, STRIDE, 0, _last)
    first, _ = _by_hand(BACK[::-1], ROW[::-1], KERNEL[::-1], STRIDE, 0, _last)
    dense, narrow = _by_hand(BACK, ROW, KERNEL, 1, 0, _added)
    flipped, _ = _by_hand(BACK, ROW, KERNEL[::-1], STRIDE, 0, _added)
    means = [value / len(BACK) for value in dweight]
    return {
        "averages the gradients of the weights. A shared weight gets the sum over its positions.": (means, ..., ...),
        "averages the gradient of the bias. It is added to every output.": (..., dbias / len(BACK), ...),
        "moves the window by one pixel from output to output. The stride is two.": Either(
            (narrow.tolist(), ..., ...), (..., ..., dense.tolist())
        ),
        "has each weight meet one pixel only. It meets one at each position.": (last.tolist(), ..., ...),
        "has the gradients of the weights in reverse order.": (dweight[::-1], ..., ...),
        "keeps one gradient where two outputs read a pixel. Such a pixel gets the sum.": Either(
            (..., ..., overwritten.tolist()), (..., ..., first[::-1].tolist())
        ),
        "flips the kernel once too often. Follow the lines of one output.": (..., ..., flipped.tolist()),
        "has the gradients of the weights right, but not yet all others.": (dweight, ..., ...),
        "has the gradients in another order than (dweight, dbias, dx).": Either(
            (dx, dweight, dbias), (dweight, dx, dbias)
        ),
    }


# 08-2: the backward pass of a row


def draw_row(rng):
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    kernel_size, count = int(rng.integers(max(2, padding + 1), 6)), int(rng.integers(2, 6))
    size = (count - 1) * stride + kernel_size - 2 * padding + int(rng.integers(0, stride))
    if size < 2:
        return draw_row(rng)
    return rng.normal(size=count), rng.normal(size=size), rng.normal(size=kernel_size), stride, padding


def conv1d_backward(dy, x, weight, stride, padding):
    return _layer(dy, x, weight, stride, padding)


def wrong_rows(dy, x, weight, stride, padding):
    dx, dweight, dbias = conv1d_backward(dy, x, weight, stride, padding)
    middle = slice(padding, padding + len(x))
    whole, _ = _by_hand(dy, x, weight, stride, padding, _added)
    last, replaced = _by_hand(dy, x, weight, stride, padding, _last)
    flipped, _ = _by_hand(dy, x, weight[::-1], stride, padding, _added)
    dense, narrow = _by_hand(dy, x, weight, 1, padding, _added)
    unpadded = np.pad(np.asarray(x, float), (0, 2 * padding))
    _, shifted = _by_hand(dy, unpadded, weight, stride, 0, _added)
    wrapped, beyond = dx.copy(), np.pad(whole, (padding, 0))[: len(x)]
    wrapped[len(x) - padding :] += whole[:padding]
    table = {
        "has the gradient of the padding in dx. The padded row begins with zeros that are no input.": Either(
            (whole, ..., ...), (whole[: len(x)], ..., ...)
        ),
        "counts places before the row from its end, as Python does with -1. They are padding.": (wrapped, ..., ...),
        "adds the padding to a place in dx. Place m of the padded row is pixel m - padding.": (beyond, ..., ...),
        "does not add in dx where windows overlap. Such a pixel is used several times.": (last[middle], ..., ...),
        "ignores the stride in dx. Where does the window of output i begin?": (dense[middle], ..., ...),
        "flips the kernel once too often in dx.": (flipped[middle], ..., ...),
        "averages dweight over the positions. A shared weight moves at all of them.": (..., dweight / len(dy), ...),
        "ignores the stride in dweight.": (..., narrow, ...),
        "has dweight in reverse order: flipped once too often.": (..., dweight[::-1], ...),
        "does not add up in dweight. A weight is used at every position.": (..., replaced, ...),
        "forgets in dweight that the windows move over the padded row.": (..., shifted, ...),
        "averages dbias over the positions.": (..., ..., dbias / len(dy)),
        "has the three gradients in another order than dx, dweight, dbias.": Either((dweight, dx, dbias)),
    }
    return _only_wrong(table, (dx, dweight, dbias))


# 08-3: windows as columns


def draw_image(rng):
    channels, kernel_size, stride = (int(n) for n in rng.integers([2, 2, 1], [4, 4, 3]))
    height, width = (kernel_size + int(n) * stride for n in rng.permutation(4)[:2] + 1)
    return rng.normal(size=(channels, height, width)), kernel_size, stride


def columns(x, kernel_size, stride):
    x = np.asarray(x, float)
    rows, across = ((n - kernel_size) // stride + 1 for n in x.shape[1:])
    starts = [(i * stride, j * stride) for i in range(rows) for j in range(across)]
    return np.stack([x[:, i : i + kernel_size, j : j + kernel_size].ravel() for i, j in starts], axis=1)


def wrong_columns(x, kernel_size, stride):
    right, x = columns(x, kernel_size, stride), np.asarray(x, float)
    c, k = len(x), kernel_size
    down, across = ((n - k) // stride + 1 for n in x.shape[1:])
    split = right.reshape(c, k, k, down, across)

    def ordered(*axes):
        return split.transpose(axes).reshape(right.shape)

    return {
        "has a row for each window. Each window is a column.": right.T,
        "has the channels last in a window. In a kernel, out x in x kh x kw, they come first.": ordered(1, 2, 0, 3, 4),
        "goes through a window column by column. In memory, a kernel goes row by row.": ordered(0, 2, 1, 3, 4),
        "has the windows in another order: they go row by row, from left to right.": ordered(0, 1, 2, 4, 3),
        "has the right numbers in another order: reshape moves no axes. transpose does.": Either(
            ordered(0, 3, 4, 1, 2), right.T.reshape(right.shape), right.reshape(right.shape[::-1])
        ),
        "flips the windows. A convolution layer does not flip.": split[:, ::-1, ::-1].reshape(right.shape),
        "ignores the stride. The next window begins `stride` pixels further on.": columns(x, kernel_size, 1),
        "lacks the last window of each row and column. There are (n - kernel_size) // stride + 1.": columns(
            x[:, :-stride, :-stride], kernel_size, stride
        ),
    }


# 08-4: the bug in an input gradient


def draw_maps(rng):
    channels, size, kernel_size = (int(n) for n in rng.integers([2, 3, 2], [4, 6, 4]))
    return rng.normal(size=(channels, size, size + 1)), rng.normal(size=(channels, channels, kernel_size, kernel_size))


def _full(dy, weight):
    """A full convolution, without any flip; weight: out x in x K x K, where `in` counts the maps of dy."""
    k = weight.shape[-1]
    image = np.pad(np.asarray(dy, float), ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    return np.einsum("cijkl,ockl->oij", np.lib.stride_tricks.sliding_window_view(image, (k, k), axis=(1, 2)), weight)


def input_gradient(dy, weight):
    return _full(dy, np.asarray(weight)[:, :, ::-1, ::-1].swapaxes(0, 1))


def wrong_input_gradients(dy, weight):
    weight = np.asarray(weight, float)
    swapped, k = weight.swapaxes(0, 1), weight.shape[-1]
    one_axis = _full(dy, swapped[:, :, ::-1]), _full(dy, swapped[..., ::-1])
    right = input_gradient(dy, weight)
    return {
        "still has the bug. Try two channels, and let only one filter have weights.": _full(
            dy, weight[:, :, ::-1, ::-1]
        ),
        "has the channels right, but does not flip the kernels, or flips them twice.": _full(dy, swapped),
        "is a forward pass: nothing is flipped, and no axes are swapped.": _full(dy, weight),
        "flips along one of the two directions only.": Either(*one_axis),
        "reverses the filters or the channels, too, or in place of the rows and columns.": Either(
            _full(dy, np.flip(weight)), _full(dy, np.flip(swapped)), _full(dy, weight[::-1, ::-1].swapaxes(0, 1))
        ),
        "transposes the kernels. A flip reverses the order of rows and columns.": _full(dy, swapped.swapaxes(2, 3)),
        "gives a gradient smaller than the input.": right[:, k - 1 : 1 - k, k - 1 : 1 - k],
    }


# 08-5: one convolution, used several times


def draw_network(rng):
    channels, depth, classes = (int(n) for n in rng.integers([2, 2, 2], [5, 5, 6]))
    return channels, depth, classes, rng.normal(size=(2, 1, 13, 12)).astype(np.float32)


def network(channels, depth, classes):
    return _network(channels, depth, classes)


def _network(channels, depth, classes, *, shared=True, layers=("ReLU",) * 3, padding=(1, 1), pool=None, end=()):
    """A network; layers: what stands behind the first convolution, between the others, and behind the last one."""
    from torch import nn

    first, between, last = (getattr(nn, name) for name in layers)
    convs = [nn.Conv2d(channels, channels, 3, padding=padding[1]) for _ in range(1 if shared else depth)]
    steps = [layer for step in range(depth) for layer in (convs[step % len(convs)], between())]
    return nn.Sequential(
        *(nn.Conv2d(1, channels, 3, padding=padding[0]), first(), *steps[:-1], last()),
        *(pool or nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes), *end),
    )


def wrong_networks(channels, depth, classes):
    from torch import nn

    sizes = channels, depth, classes
    few = [
        ["Identity" if place in bare else "ReLU" for place in range(3)] for bare in ([0], [1], [2], [1, 2], [0, 1, 2])
    ]
    other = [(name,) * 3 for name in ("Tanh", "Sigmoid", "LeakyReLU", "GELU")]
    return {
        "has a convolution of its own for each step. It is one, used several times.": _network(*sizes, shared=False),
        "uses the convolution one time too few, or too many.": Either(
            *(_network(channels, depth + step, classes) for step in (-1, 1))
        ),
        "lacks a ReLU. There is one behind each convolution.": Either(*(_network(*sizes, layers=n) for n in few)),
        "has another nonlinearity than ReLU.": Either(*(_network(*sizes, layers=names) for names in other)),
        "does not pad in all of its convolutions. The maps have to keep their size.": Either(
            *(_network(*sizes, padding=padding) for padding in ((0, 0), (0, 1), (1, 0)))
        ),
        "takes the largest value of each map. The mean is asked for.": _network(*sizes, pool=nn.AdaptiveMaxPool2d(1)),
        "adds up each map. The mean is asked for.": _network(*sizes, pool=nn.AvgPool2d((13, 12), divisor_override=1)),
        "ends in a softmax, or its logarithm. The loss has it already.": Either(
            _network(*sizes, end=[nn.Softmax(dim=1)]), _network(*sizes, end=[nn.LogSoftmax(dim=1)])
        ),
        "ends in a ReLU. A score may be negative.": _network(*sizes, end=[nn.ReLU()]),
    }


EXERCISES = {
    "08-1": Exercise(
        points=2,
        draw=lambda rng: (),
        expected=prediction,
        mistakes=wrong_predictions,
        otherwise="is not right yet. Draw the outputs above the pixels, with a line for each reading.",
        hints=(
            "Write the three outputs down, each with the three pixels that it reads and the weights in between.",
            "For each weight, mark the pixel that it meets at each position; multiply by the gradient there, and add.",
            "Two pixels are read by two outputs. The first weight's gradient begins 1 · 2 − 2 · 0 and goes on.",
        ),
    ),
    "08-2": Exercise(
        points=4,
        draw=draw_row,
        expected=conv1d_backward,
        mistakes=wrong_rows,
        otherwise="is not right yet. Try one output alone: dy with a single 1 in it.",
        hints=(
            "Loop over the outputs. What does one output send, and where to?",
            "Output i reads the padded row from i * stride on. Its gradient goes to these pixels and to all weights.",
            "dimage[start : start + K] += dy[i] * weight, and dweight += dy[i] * image[start : start + K].",
        ),
    ),
    "08-3": Exercise(
        points=3,
        draw=draw_image,
        expected=columns,
        mistakes=wrong_columns,
        otherwise="is not right yet. What is the first column, number by number?",
        hints=(
            "The first column is the window in the upper left corner of all channels, as one long vector.",
            "ravel() of a window channels x K x K has the order of a kernel's weights in memory.",
            "np.stack puts the windows side by side with axis=1; the outer loop goes down, the inner one across.",
        ),
    ),
    "08-4": Exercise(
        points=3,
        draw=draw_maps,
        expected=input_gradient,
        mistakes=wrong_input_gradients,
        otherwise="is not right yet. Compare it with the loops on a dy that has a single 1.",
        hints=(
            "With one channel and one filter the function is right. What is lost there?",
            "weight[o, c] leads from channel c to filter o. On the way back the gradient comes from o and goes to c.",
            "swapaxes(0, 1), beside the flip of rows and columns.",
        ),
    ),
    "08-5": Network(
        points=3,
        draw=draw_network,
        expected=network,
        mistakes=wrong_networks,
        otherwise="has all its parameters, but computes something else. Go through its layers in order.",
        hints=(
            "The same module may be called several times. How many sets of parameters has it then?",
            "Make the convolution once, before the loop. nn.Sequential takes the same module more than once, too.",
            "[conv, nn.ReLU()] * depth is a list in which conv stands depth times. nn.AdaptiveAvgPool2d(1) is a mean.",
        ),
    ),
}
