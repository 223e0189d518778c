"""The exercises of chapter 06, convolution arithmetic."""

from course_utils.arithmetic import conv_multiply_adds, conv_parameters, output_size, receptive_field
from course_utils.exercises.exercise import Exercise, told_apart

HIDDEN = ("arithmetic.py", "scratch")  # of course_utils: holds answers, so it is not in the grader's sandbox


# 06-1: the input sizes that give one output size


def draw_input_sizes(rng):
    while True:
        kernel_size, dilation = int(rng.integers(2, 8)), int(rng.integers(1, 4))
        extent = dilation * (kernel_size - 1) + 1
        padding = int(rng.integers(0, (extent - 1) // 2 + 1))
        inputs = int(rng.integers(2, 60)), kernel_size, int(rng.integers(1, 6)), padding, dilation
        if told_apart(input_sizes(*inputs)[0], _wrong_smallest(*inputs).values()):
            return inputs


def input_sizes(size, kernel_size, stride, padding, dilation):
    smallest = (size - 1) * stride + dilation * (kernel_size - 1) + 1 - 2 * padding
    return smallest, smallest + stride - 1


def _wrong_smallest(size, kernel_size, stride, padding, dilation):
    smallest, _ = input_sizes(size, kernel_size, stride, padding, dilation)
    return {
        "pads once. Zeros go on both sides.": smallest + padding,
        "forgets the padding: the windows read the zeros, too.": smallest + 2 * padding,
        "takes one step too many: from the first window to the last there are fewer steps than windows.": smallest
        + stride,
        "forgets the dilation: a dilated window is wider than its number of weights.": input_sizes(
            size, kernel_size, stride, padding, 1
        )[0],
        "takes a dilated window for wider than it is. Draw one with two weights.": smallest + dilation - 1,
        "gives output size times stride: how far does the last window reach?": size * stride,
        "takes the smallest size for the largest.": smallest - stride + 1,
    }


def explain_input_sizes(inputs, got):
    smallest, largest = input_sizes(*inputs)
    if tuple(got) == (largest, smallest) != (smallest, smallest):
        return "gives the two sizes in the wrong order: the smallest comes first."
    if got[0] == smallest:
        return "has the smallest size right. How much wider can the input get before one more window fits?"
    if got[1] == largest:
        return "has the largest size right, but a smaller input has that output size, too, or one so small has not."
    for sentence, answer in _wrong_smallest(*inputs).items():
        if got[0] == answer:
            return sentence
    return "is not right yet. Where does the last window begin, and where does it end?"


# 06-2: a stack, predicted

STACK = [  # (out channels, kernel, stride, padding, dilation)
    (16, 7, 2, 2, 1),
    (32, 3, 1, 1, 3),
    (64, 1, 2, 0, 1),
    (64, 4, 1, 1, 1),
    (10, 13, 1, 0, 1),
]
IMAGE = (3, 64, 64)
HINTS_OF_LAYERS = (
    "The window of the first layer does not fit a whole number of times: round down.",
    "The dilated window of the second layer spans more than three pixels.",
    "The third layer has a 1 × 1 kernel, but it has a stride.",
    "The kernel of the fourth layer is even, so this padding does not keep the size.",
    "The last kernel is as large as what comes in, if the layers before are right.",
)


def prediction():
    shapes, parameters, multiply_adds = [], [], []
    channels, size, _ = IMAGE
    for out, kernel, stride, padding, dilation in STACK:
        size = output_size(size, kernel, stride, padding, dilation)
        parameters.append(conv_parameters(channels, out, kernel))
        multiply_adds.append(conv_multiply_adds(channels, out, kernel, (size, size)))
        channels = out
        shapes.append((channels, size, size))
    return tuple(shapes), 1 + parameters.index(max(parameters)), 1 + multiply_adds.index(max(multiply_adds))


def explain_prediction(inputs, got):
    shapes, most_parameters, most_multiply_adds = prediction()
    for mine, right, hint in zip(got[0], shapes, HINTS_OF_LAYERS, strict=True):
        if tuple(mine) == right[1:] + right[:1]:
            return "has the channels last; a shape is (channels, height, width)."
        if mine[0] != right[0]:
            return "has a wrong number of channels: a layer gives as many as it has filters."
        if tuple(mine) != right:
            return f"has a shape that is not right. {hint}"
    if tuple(got[1:]) == (most_parameters - 1, most_multiply_adds - 1):
        return "has all shapes right, but counts layers from 0; the table numbers them from 1."
    if got[1] != most_parameters:
        return "has all shapes right, but another layer has the most parameters. Image size plays no part in that."
    return "has all shapes right, but another layer does the most multiply-adds: weights times positions."


# 06-3: the bug in a receptive field


def draw_layers(rng):
    while True:
        count = int(rng.integers(2, 6))
        layers = [tuple(int(v) for v in rng.integers((1, 1, 1), (8, 4, 4))) for _ in range(count)]
        if told_apart(field(layers), _wrong_fields(layers).values()):
            return (layers,)


def field(layers):
    return receptive_field([(kernel, stride, 0, dilation) for kernel, stride, dilation in layers])[-1][0]


def walked_forwards(layers):
    size = 1
    for kernel, stride, dilation in layers:
        size = (size - 1) * stride + dilation * (kernel - 1) + 1
    return size


def _wrong_fields(layers):
    return {
        "still has the bug. Try two unlike layers, by hand, and then the same two in the other order.": walked_forwards(
            layers
        ),
        "forgets the dilation.": field([(kernel, stride, 1) for kernel, stride, _ in layers]),
        "forgets the strides.": field([(kernel, 1, dilation) for kernel, _, dilation in layers]),
        "takes a dilated window for wider than it is. Draw one with two weights.": field(
            [(kernel * dilation, stride, 1) for kernel, stride, dilation in layers]
        ),
        "lets a stride spread the windows of its own layer. It spreads those of the layers after it.": field(
            [(1, layers[0][1], 1)]
            + [(k, s, d) for (k, _, d), (_, s, _) in zip(layers, [*layers[1:], (1, 1, 1)], strict=True)]
        ),
    }


def explain_field(inputs, got):
    (layers,) = inputs
    for sentence, answer in _wrong_fields(layers).items():
        if got == answer:
            return sentence
    return "is not right yet. Draw two layers, and mark the pixels that one unit at the end reads."


# 06-4: input that nobody reads, measured


def draw_unread(rng):
    while True:
        size, layers = int(rng.integers(8, 33)), []
        for _ in range(int(rng.integers(1, 4))):
            padding = int(rng.integers(0, 3)) if layers or rng.random() < 0.3 else 0
            layers.append((int(rng.integers(1, 4)), int(rng.integers(1, 5)), padding, int(rng.integers(1, 4))))
        if any(_positions(size, layers)):  # some window fits, and not all of them stand on zeros alone
            return size, layers


def _positions(size, layers):
    """For each unit of the last layer the set of input pixels that it reads; empty where some window does not fit."""
    reads = [{pixel} for pixel in range(size)]
    for kernel, stride, padding, dilation in layers:
        reads = [set()] * padding + reads + [set()] * padding
        starts = range(0, len(reads) - dilation * (kernel - 1), stride)
        reads = [set().union(*reads[start : start + dilation * (kernel - 1) + 1 : dilation]) for start in starts]
    return reads


def unread(size, layers):
    return sorted(set(range(size)).difference(*_positions(size, layers)))


def explain_unread(inputs, got):
    right, mine = unread(*inputs), list(got)
    if any(type(pixel) is not int for pixel in mine):
        return "lists something that is no whole number."
    if sorted(set(mine)) == right:
        return "has the right pixels, but not each of them once and in ascending order."
    if sorted(mine) == sorted(set(range(inputs[0])) - set(right)):
        return "lists the pixels that are read; the others are asked for."
    if right and any(sorted(mine) == [pixel + shift for pixel in right] for shift in (1, inputs[1][0][2])):
        return "lists every pixel under too high a number: the first is number 0, and padded zeros have none."
    if set(mine) - set(right):
        return "lists a pixel on which some output depends."
    if mine and mine == right[-len(mine) :]:
        return "misses a pixel that no output depends on. Not all of them lie at the end of the row."
    return "misses a pixel that no output depends on."


# 06-5: a receptive field for few weights


def draw_design(rng):
    return (2 * int(rng.integers(1, 130)) + 1,)


def design(field):
    layers, reached = [], 1
    while reached < field:
        dilation = min(reached, (field - reached) // 2)
        layers.append((3, dilation))
        reached += 2 * dilation
    return layers


def _weights(layers):
    return sum(kernel**2 for kernel, _ in layers)


def _offsets(layers):
    offsets = {0}
    for kernel, dilation in layers:
        offsets = {offset + dilation * tap for offset in offsets for tap in range(kernel)}
    return offsets


def _sound(layers, field):
    return len(layers) <= field and all(k % 2 == 1 and k > 0 and d > 0 for k, d in layers)


def _reach(layers):
    return 1 + sum(dilation * (kernel - 1) for kernel, dilation in layers)


def accept_design(inputs, got):
    (field,) = inputs
    if not _sound(got, field) or _reach(got) != field or _weights(got) > _weights(design(field)):
        return False
    return _offsets(got) == set(range(field))


def explain_design(inputs, got):
    (field,) = inputs
    if accept_design(inputs, [pair[::-1] for pair in got]):
        return "has the pairs the wrong way round: the kernel comes first."
    if not _sound(got, field):
        return "has a kernel that is even, a size or dilation below one, or more layers than could be needed."
    if _reach(got) != field:
        return f"reaches a receptive field that is too {'large' if _reach(got) > field else 'small'}."
    if _weights(got) > _weights(design(field)):
        return "has the right receptive field, but there is a design with fewer weights."
    return "has the right receptive field and few weights, but some pixel inside the field is never read."


EXERCISES = {
    "06-1": Exercise(
        points=2,
        draw=draw_input_sizes,
        expected=input_sizes,
        explain=explain_input_sizes,
        hints=(
            "Let the windows take their places: where does the last one begin, counted on the padded row?",
            "The last window ends at stride * (size - 1) + its extent. The padded input must reach that far, at least.",
            "The padded input is n + 2 * padding long. As n grows, nothing changes until a whole stride is gained.",
        ),
    ),
    "06-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        explain=explain_prediction,
        hints=(
            "Take the layers one by one, and for each first ask how many pixels its window spans.",
            "(what comes in + 2 * padding - span) / stride, rounded down, plus one.",
            "Parameters: kernel² · channels in · channels out, and a bias for each channel out. Multiply-adds: the "
            "weights times the number of positions.",
        ),
    ),
    "06-3": Exercise(
        points=2,
        draw=draw_layers,
        expected=field,
        explain=explain_field,
        hints=(
            "Two layers will do. Which two does the function get wrong?",
            "The recursion asks how much of a layer is seen by the units of the next. At which end does it begin?",
            "One unit at the very end is where it begins, with a size of 1. Which layer is next to it?",
        ),
    ),
    "06-4": Exercise(
        points=3,
        draw=draw_unread,
        expected=unread,
        explain=explain_unread,
        hints=(
            "An output depends on a pixel if it changes when that pixel alone changes.",
            "All weights are one, so nothing cancels: put a single one into a row of zeros.",
            "A pixel is unread if the stack turns that row into zeros only. Go through all pixels.",
        ),
    ),
    "06-5": Exercise(
        points=4,
        draw=draw_design,
        expected=design,
        explain=explain_design,
        accept=accept_design,
        hints=(
            "With dilation, the reach of a layer costs nothing. What limits the dilation of the second layer?",
            "After layers that see r pixels without a hole, the taps of the next may lie r pixels apart, no more.",
            "So each 3 × 3 layer can triple the field: 3, 9, 27. The last takes a smaller dilation, to end exactly.",
        ),
    ),
}
