"""The exercises of chapter 06, convolution arithmetic."""

from math import prod

from course_utils.arithmetic import conv_multiply_adds, conv_parameters, output_size, receptive_field
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 06-1: the input sizes that give one output size

WIDER = "takes a dilated window for wider than it is. Draw one with two weights."


def draw_input_sizes(rng):
    kernel_size, dilation = int(rng.integers(2, 8)), int(rng.integers(1, 4))
    padding = int(rng.integers(0, dilation * (kernel_size - 1) // 2 + 1))
    return int(rng.integers(2, 60)), kernel_size, int(rng.integers(1, 6)), padding, dilation


def input_sizes(size, kernel_size, stride, padding, dilation):
    smallest = (size - 1) * stride + dilation * (kernel_size - 1) + 1 - 2 * padding
    return smallest, smallest + stride - 1


def wrong_input_sizes(size, kernel_size, stride, padding, dilation):
    smallest, largest = input_sizes(size, kernel_size, stride, padding, dilation)
    undilated, _ = input_sizes(size, kernel_size, stride, padding, 1)
    output = (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    wrong = {
        "pads once. Zeros go on both sides.": smallest + padding,
        "forgets the padding: the windows read the zeros, too.": smallest + 2 * padding,
        "takes one step too many. Count the steps from the first window to the last.": smallest + stride,
        "forgets the dilation: a dilated window is wider than its number of weights.": undilated,
        WIDER: smallest + dilation - 1,
        "gives output size times stride: how far does the last window reach?": size * stride,
        "gives an output size. Here it is given, and the sizes of the input are asked for.": output,
        "takes the smallest size for the largest.": smallest - stride + 1,
    }
    return {
        "gives the two sizes in the wrong order: the smallest comes first.": (largest, smallest),
        "has the smallest size right. How much wider can the input get before one more window fits?": (smallest, ...),
        "has the largest size right. How much narrower can the input get before a window is lost?": (..., largest),
        **{words: Either((n, n + stride - 1), (n, ...)) for words, n in wrong.items() if n != smallest},
    }


# 06-2: a stack, predicted

# (out channels, kernel, stride, padding, dilation)
STACK = [(16, 7, 2, 2, 1), (32, 3, 1, 1, 3), (64, 1, 2, 0, 1), (64, 4, 1, 1, 1), (10, 13, 1, 0, 1)]
IMAGE = (3, 64, 64)
HINTS_OF_LAYERS = {
    "first": "The window of the first layer does not fit a whole number of times: round down.",
    "second": "The dilated window of the second layer spans more than three pixels.",
    "third": "The third layer has a 1 × 1 kernel, but it has a stride.",
    "fourth": "The kernel of the fourth layer is even, so this padding does not keep the size.",
    "last": "The last kernel is as large as what comes in, if the layers before are right.",
}


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


def wrong_predictions():
    shapes, parameters, multiply_adds = prediction()

    def only(place, shape, before=(...,) * 4):
        return (*before[:place], shape, *[...] * (4 - place)), ..., ...

    turned = [only(place, (*size, channels)) for place, (channels, *size) in enumerate(shapes)]
    most = "has all shapes right, but another layer"
    table = {
        "has all shapes right, but counts layers from 0.": (shapes, parameters - 1, multiply_adds - 1),
        f"{most} does the most multiply-adds: weights times positions.": (shapes, parameters, ...),
        f"{most} has the most parameters. Image size plays no part in that.": (shapes, ..., ...),
        "has the channels last; a shape is (channels, height, width).": Either(*turned),
    }
    for place, (layer, hint) in reversed(list(enumerate(HINTS_OF_LAYERS.items()))):
        words = f"has a wrong number of channels in the {layer} layer: it gives as many as it has filters."
        table[words] = only(place, (..., *shapes[place][1:]), shapes)
        table[f"has a shape that is not right. {hint}"] = only(place, ..., shapes)
    return table


# 06-3: the bug in a receptive field


def draw_layers(rng):
    return ([tuple(int(v) for v in rng.integers((1, 1, 1), (8, 4, 4))) for _ in range(int(rng.integers(2, 6)))],)


def field(layers):
    return receptive_field([(kernel, stride, 0, dilation) for kernel, stride, dilation in layers])[-1][0]


def wrong_fields(layers):
    undilated, wide = [(k, s, 1) for k, s, _ in layers], [(k * d, s, 1) for k, s, d in layers]
    buggy = Either(*(field(some[::-1]) for some in (layers, undilated, wide)))  # the colleague's walk
    spread = [prod(s for _, s, _ in layers[: place + 1]) for place in range(len(layers))]  # its own stride, too
    early = 1 + sum((k - 1) * d * jump for (k, _, d), jump in zip(layers, spread, strict=True))
    return {
        "still has the bug. Try two unlike layers by hand, then the same two in the other order.": buggy,
        "forgets the dilation.": field(undilated),
        "forgets the strides.": field([(k, 1, d) for k, _, d in layers]),
        WIDER: field(wide),
        "lets a stride spread the windows of its own layer. It spreads those of the layers after it.": early,
        "adds whole windows. What does a window of one pixel add?": field([(k + 1, s, d) for k, s, d in layers]),
        "is one pixel short. How many pixels does a stack without any layer read?": field(layers) - 1,
    }


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


def wrong_unread(size, layers):
    right = unread(size, layers)
    shifted = Either(*([pixel + shift for pixel in right] for shift in (1, layers[0][2])))
    simpler = {
        "stops after the first layer. What does the next one leave out?": layers[:1],
        "forgets the dilation.": [(k, s, p, 1) for k, s, p, _ in layers],
        "forgets the padding.": [(k, s, 0, d) for k, s, _, d in layers],
    }
    return {
        "lists the pixels that are read; the others are asked for.": [n for n in range(size) if n not in right],
        "lists every pixel under too high a number: the first is 0, and padded zeros have none.": shifted,
        **{words: pixels for words, fewer in simpler.items() if (pixels := unread(size, fewer))},
    }


def other_unread(inputs, got):
    right, mine = unread(*inputs), list(got)
    if any(type(pixel) is not int for pixel in mine):
        return "lists something that is no whole number."
    if sorted(set(mine)) == right:
        return "has the right pixels, but not each of them once and in ascending order."
    if set(mine) - set(right):
        return "lists a pixel on which some output depends, or one that is not in the row."
    ending = " Not all of them lie at the end of the row." if mine and mine == right[-len(mine) :] else ""
    return f"misses a pixel that no output depends on.{ending}"


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


def _fault(field, layers):
    """What is wrong with a design, in a sentence; None for one that is right."""
    reach = 1 + sum(dilation * (kernel - 1) for kernel, dilation in layers)
    if len(layers) > field or any(kernel < 1 or kernel % 2 == 0 or dilation < 1 for kernel, dilation in layers):
        return "has a kernel that is even, a size or dilation below one, or more layers than could be needed."
    if reach != field:
        return f"has a receptive field that is too {'large' if reach > field else 'small'}."
    if _weights(layers) > _weights(design(field)):
        return "has the right receptive field, but there is a design with fewer weights."
    read = {0}
    for kernel, dilation in layers:
        read = {pixel + dilation * tap for pixel in read for tap in range(kernel)}
    return None if len(read) == field else "has the right reach and few weights, but some pixel inside is never read."


def other_designs(inputs, got):
    if _fault(inputs[0], [pair[::-1] for pair in got]) is None:
        return "has the pairs the wrong way round: the kernel comes first."
    return _fault(inputs[0], got)


EXERCISES = {
    "06-1": Exercise(
        points=2,
        draw=draw_input_sizes,
        expected=input_sizes,
        mistakes=wrong_input_sizes,
        otherwise="is not right yet. Where does the last window begin, and where does it end?",
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
        mistakes=wrong_predictions,
        otherwise="is not right yet.",
        hints=(
            "Take the layers one by one, and for each first ask how many pixels its window spans.",
            "(what comes in + 2 * padding - span) / stride, rounded down, plus one.",
            "Parameters: kernel² · channels in · out, and a bias for each out. Multiply-adds: weights · positions.",
        ),
    ),
    "06-3": Exercise(
        points=2,
        draw=draw_layers,
        expected=field,
        mistakes=wrong_fields,
        otherwise="is not right yet. Draw two layers, and mark the pixels that one unit at the end reads.",
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
        mistakes=wrong_unread,
        otherwise=other_unread,
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
        otherwise=other_designs,
        accept=lambda inputs, got: _fault(inputs[0], got) is None,
        hints=(
            "With dilation, the reach of a layer costs nothing. What limits the dilation of the second layer?",
            "After layers that see r pixels without a hole, the taps of the next may lie r pixels apart, no more.",
            "So each 3 × 3 layer can triple the field: 3, 9, 27. The last takes a smaller dilation, to end exactly.",
        ),
    ),
}
