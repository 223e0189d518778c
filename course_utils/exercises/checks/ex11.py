"""The exercises of chapter 11, VGGNet."""

from functools import cache, reduce
from itertools import pairwise

import numpy as np

from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 11-1: a stack against one window


def draw_costs(rng):
    kernel_size = int(rng.choice([3, 5]))
    layers = int(rng.choice([2, 5] if kernel_size == 3 else [2, 3, 4]))  # not as many as the kernel is wide
    maps = [int(n) for n in rng.choice(np.arange(3, 60), layers + 1, replace=False)]
    return maps, kernel_size, int(rng.integers(20, 40))


def costs(maps, kernel_size, size):
    layers = list(pairwise(maps))
    field = 1 + len(layers) * (kernel_size - 1)
    stack = sum(conv_multiply_adds(*pair, kernel_size, size) for pair in layers)
    return field, stack, conv_multiply_adds(maps[0], maps[-1], field, size)


def wrong_costs(maps, kernel_size, size):
    layers, n = list(pairwise(maps)), len(maps) - 1
    field, stack, one = costs(maps, kernel_size, size)
    narrow, wide, counted = n * (kernel_size - 1), n * kernel_size, 1 + (n + 1) * (kernel_size - 1)

    def inside(k):
        """Multiply-adds of the stack where each layer loses its border."""
        return sum(conv_multiply_adds(*pair, k, max(1, size - (i + 1) * (k - 1))) for i, pair in enumerate(layers))

    biased = sum(conv_parameters(*pair, kernel_size) for pair in layers) * size**2
    return {
        "adds up the kernel sizes for the field. Windows of neighbours overlap.": (wide, ..., ...),
        "forgets the 1 in the field: without any layer a unit sees its own pixel.": (narrow, ..., ...),
        "counts a layer too many for the field. Between n + 1 numbers of maps there are n layers.": (counted, ..., ...),
        "has the right field, but counts weights: each is used at every position.": (
            field,
            stack // size**2,
            ...,
        ),
        "has the right field, but counts size positions. A map has two axes.": (field, stack // size, ...),
        "has the right field, but lets the maps shrink. Padding keeps their size.": (field, inside(kernel_size), ...),
        "has the right field, but counts the biases as multiply-adds.": (field, biased, ...),
        "has the right field, but gives every layer as many maps as the first one reads.": (
            field,
            n * conv_multiply_adds(maps[0], maps[0], kernel_size, size),
            ...,
        ),
        "has the right field, but counts a multiplication and its addition as two.": (field, 2 * stack, ...),
        "has the right field, but takes kernel_size for the weights of a window. It has two axes.": (
            field,
            stack // kernel_size,
            ...,
        ),
        "has the two costs in each other's place: the stack comes first.": (field, one, stack),
        "has the right stack, but sends the large window through the maps in between. It is one layer.": (
            field,
            stack,
            sum(conv_multiply_adds(*pair, field, size) for pair in layers),
        ),
        "has the right stack, but gives the single window kernel_size. It is as large as the field.": (
            field,
            stack,
            conv_multiply_adds(maps[0], maps[-1], kernel_size, size),
        ),
        "has the right stack, but lets the single window go to the second number of maps. It goes to the last.": (
            field,
            stack,
            conv_multiply_adds(maps[0], maps[1], field, size),
        ),
        "has the right stack, but the single window loses the border. Padding keeps the size.": (
            field,
            stack,
            conv_multiply_adds(maps[0], maps[-1], field, max(1, size - field + 1)),
        ),
        "has the right stack, but not the single window. Which maps, which window, how many positions?": (
            field,
            stack,
            ...,
        ),
        "has the right field, but not the multiply-adds of the stack. Go layer by layer.": (field, ..., ...),
    }


# 11-2: two kernels in one


def draw_kernels(rng):
    before, middle, after = (int(n) for n in rng.choice([1, 2, 3, 4, 5], 3, replace=False))
    first, second = (int(n) for n in rng.choice([2, 3, 4], 2, replace=False))
    return rng.normal(size=(middle, before, first, first)), rng.normal(size=(after, middle, second, second))


def compose(first, second):
    """Weights whose places add up to one place are multiplied, maps in between are summed."""
    size, step = first.shape[-1], second.shape[-1]
    whole = np.zeros((second.shape[0], first.shape[1], size + step - 1, size + step - 1))
    for i, j in np.ndindex(step, step):
        whole[:, :, i : i + size, j : j + size] += np.einsum("om,mihw->oihw", second[:, :, i, j], first)
    return whole


def wrong_kernels(first, second):
    turned = second[:, :, ::-1, ::-1]
    count = compose(np.ones_like(first), np.ones_like(second)) / first.shape[0]
    right, size = compose(first, second), first.shape[-1]
    moved, kept = np.zeros_like(right), np.zeros_like(right)
    for i, j in np.ndindex(second.shape[2:]):
        term = np.einsum("om,mihw->oihw", second[:, :, i, j], first)
        moved[:, :, j : j + size, i : i + size] += term
        kept[:, :, i : i + size, j : j + size] = term
    return {
        "turns a kernel round. conv2d does not, so the places of the weights simply add up.": Either(
            compose(first, turned), compose(first[:, :, ::-1, ::-1], second)
        ),
        "turns the whole kernel round. conv2d does not, so the places of the weights simply add up.": right[
            :, :, ::-1, ::-1
        ],
        "keeps the last of the products that end in a place. They add up.": kept,
        "has row and column of the second kernel exchanged where it moves the first.": moved,
        "sums each kernel over the maps in between, then multiplies. Multiply map by map, then sum.": compose(
            first.sum(axis=0, keepdims=True), second.sum(axis=1, keepdims=True)
        ),
        "has its axes in the wrong order: out x in comes first.": right.transpose(1, 0, 2, 3),
        "has rows and columns exchanged.": right.transpose(0, 1, 3, 2),
        "takes the mean over the maps in between. Each output sums them.": right / first.shape[0],
        "takes the mean over the pairs that end in a place. They add up.": right / count,
        "uses one map in between only. Each output sums all of them.": Either(
            *(compose(first[m : m + 1], second[:, m : m + 1]) for m in range(first.shape[0]) if first.shape[0] > 1)
        ),
    }


# 11-3: how many pixels matter


def draw_signs(rng):
    count = int(rng.integers(2, 4))
    kernels = [rng.choice([0.0, 1.0, -1.0], (k, k), p=[0.6, 0.2, 0.2]) for k in rng.choice([3, 4, 5], count)]
    for kernel, corner in zip(kernels, ([1, 1], [1, -1], [1, 0]), strict=False):
        kernel[0, :2] = corner  # so that the two paths to one pixel cancel
    return (kernels,)


def _spread(masks):
    """From each pixel the sum over the paths of the products of their weights."""

    def add(whole, mask):
        return compose(whole[None, None], mask[None, None])[0, 0]

    return reduce(add, masks)


def pixels(kernels):
    return int((_spread([kernel != 0 for kernel in kernels]) > 0).sum())


def wrong_pixels(kernels):
    masks = [(kernel != 0).astype(float) for kernel in kernels]
    whole, field = _spread(masks), 1 + sum(len(kernel) - 1 for kernel in kernels)
    rows, columns = (int((whole > 0).any(axis=axis).sum()) for axis in (1, 0))
    return {
        "counts the whole square. A weight of zero reads nothing.": whole.size,
        "counts the paths. A pixel on several paths counts once.": int(whole.sum()),
        "multiplies the weights themselves, so some paths cancel. Only whether a weight is zero matters.": int(
            (_spread(kernels) != 0).sum()
        ),
        "leaves out the weights below zero. They read their pixel, too.": int(
            (_spread([(kernel > 0).astype(float) for kernel in kernels]) > 0).sum()
        ),
        "counts the pixels of the square from which no path leads.": int((whole == 0).sum()),
        "is the side of the receptive field. Count its pixels, and only those with a path.": field,
        "adds up the weights of the kernels that are not zero.": int(sum(mask.sum() for mask in masks)),
        "looks at one of the kernels only.": Either(*(int(mask.sum()) for mask in masks)),
        "counts rows times columns. Within them some pixels may not matter.": rows * columns,
    }


# 11-4 and 11-5: a network from its row, and a stage with bugs


def _stage(before, after, kernel_sizes, norm=False, last=True, pad=None, shared=False, pool="max"):
    """Convolutions with ReLU, and the maxima of 2 x 2; the options are the mistakes."""
    from torch import nn

    layers, one = [], nn.BatchNorm2d(after)
    for place, kernel_size in enumerate(kernel_sizes):
        padding = kernel_size // 2 if pad is None else pad
        layers.append(nn.Conv2d(before, after, kernel_size, padding=padding))
        if norm:
            layers.append(one if shared else nn.BatchNorm2d(after))
        if last or place + 1 < len(kernel_sizes):
            layers.append(nn.ReLU())
        before = after
    pools = {"max": [nn.MaxPool2d(2)], "average": [nn.AvgPool2d(2)], "none": [], "overlap": [nn.MaxPool2d(3, 2, 1)]}
    return nn.Sequential(*layers, *pools[pool])


def draw_vgg(rng):
    rows = [[[3], [3, 3]], [[3, 3], [3, 3, 1]], [[3], [3], [3, 1]], [[3, 3], [3], [3, 3]]]
    row = rows[int(rng.integers(len(rows)))]
    channels, width, classes = int(rng.choice([2, 5])), int(rng.choice([3, 4])), int(rng.choice([6, 7]))
    x = rng.normal(size=(int(rng.integers(2, 4)), channels, 16, 16)).astype(np.float32)
    return row, channels, width, classes, x


def vgg(row, channels, width, classes, head="mean", last=True, pad=None, pool="max", end=None):
    """The network of a row; pool: behind the stages, end: behind the last one, if it is another."""
    from torch import nn

    stages, before = [], channels
    for place, kernel_sizes in enumerate(row):
        after, pooled = width * 2**place, end if end and place + 1 == len(row) else pool
        stages.append(_stage(before, after, kernel_sizes, last=last, pad=pad, pool=pooled))
        before = after
    mean = nn.AdaptiveAvgPool2d(1) if head == "mean" else nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(*stages, mean, nn.Flatten(), nn.Linear(before, classes))


@cache
def _wrong_vggs(row, channels, width, classes):
    from torch import nn

    numbers = [list(stage) for stage in row], channels, width, classes
    right = vgg(*numbers)
    padded = {"pads the 1 × 1 convolutions, too, so their maps grow.": vgg(*numbers, pad=1)}
    return (padded if any(1 in stage for stage in row) else {}) | {
        "has no ReLU behind the last convolution of a stage.": vgg(*numbers, last=False),
        "takes means where a stage ends. The maxima are asked for.": vgg(*numbers, pool="average"),
        "has overlapping maxima, of 3 × 3. Those of 2 × 2 are asked for.": vgg(*numbers, pool="overlap"),
        "has no maxima behind the last stage.": vgg(*numbers, end="none"),
        "has no maxima at all behind its stages.": vgg(*numbers, pool="none"),
        "has convolutions without padding, so the maps shrink.": vgg(*numbers, pad=0),
        "takes the maximum of each map at the end. The mean is asked for.": vgg(*numbers, head="max"),
        "ends in a softmax, or its logarithm. The loss has it already.": Either(
            *(nn.Sequential(right, end(dim=1)) for end in (nn.Softmax, nn.LogSoftmax))
        ),
    }


def wrong_vggs(row, *numbers):
    return _wrong_vggs(tuple(map(tuple, row)), *numbers)


def draw_stage(rng):
    kernel_sizes = [[3, 3], [3, 3, 1], [3, 1]][int(rng.integers(3))]
    before, after = int(rng.choice([2, 5])), int(rng.choice([3, 4]))
    x = rng.normal(size=(int(rng.integers(2, 4)), before, 8, 8)).astype(np.float32)
    return before, after, kernel_sizes, x


def stage(before, after, kernel_sizes):
    return _stage(before, after, kernel_sizes, norm=True)


@cache
def _wrong_stages(before, after, kernel_sizes):
    bugs = {"shared": True, "last": False, "pad": 1}
    told = {
        "shared": "still has one normalization in several places. Each convolution has its own.",
        "last": "still has no ReLU behind its last convolution.",
        "pad": "still pads the 1 × 1 convolution. Its window has no neighbours, so the maps grow.",
    }
    if 1 not in kernel_sizes:
        del bugs["pad"]

    def built(names):
        return _stage(before, after, kernel_sizes, norm=True, **{name: bugs[name] for name in names})

    table: dict[str, object] = {told[name]: built([name]) for name in bugs}
    some = [[a, b] for a in bugs for b in bugs if a < b] + ([list(bugs)] if len(bugs) > 2 else [])
    table["still has more than one of the bugs."] = Either(*(built(names) for names in some))
    return table


def wrong_stages(before, after, kernel_sizes):
    return _wrong_stages(before, after, tuple(kernel_sizes))


EXERCISES = {
    "11-1": Exercise(
        points=3,
        draw=draw_costs,
        expected=costs,
        mistakes=wrong_costs,
        otherwise="has a field that is not right yet. How much does one layer add?",
        hints=(
            "Start with the field: the first layer sees kernel_size pixels. What does the next one add?",
            "A layer from i to o maps has i * o * kernel_size ** 2 weights, each used at size ** 2 positions.",
            "zip(maps, maps[1:]) gives the pairs of the stack. The single window goes from maps[0] to maps[-1], and "
            "its kernel size is the field.",
        ),
    ),
    "11-2": Exercise(
        points=4,
        draw=draw_kernels,
        expected=compose,
        mistakes=wrong_kernels,
        otherwise="is not right yet. Try two kernels of one map each, with a single 1 in them.",
        hints=(
            "Take one map everywhere. A weight of the second kernel at (i, j) reads the first layer's output there. "
            "Which pixels has that output read?",
            "The weight second[o, m, i, j] puts a copy of first[m] into whole[o], moved by (i, j) and multiplied.",
            "Loop over i and j: whole[:, :, i : i + k, j : j + k] += a product of matrices over the maps in between, "
            'np.einsum("om,mihw->oihw", second[:, :, i, j], first).',
        ),
    ),
    "11-3": Exercise(
        points=2,
        draw=draw_signs,
        expected=pixels,
        mistakes=wrong_pixels,
        otherwise="is not right yet. Draw two kernels of 2 × 2 with one zero each, and follow them by hand.",
        hints=(
            "Which pixels does the last layer's unit read? And which do these read?",
            "Only whether a weight is zero matters, and two paths must not cancel: replace each weight by 0 or 1.",
            "Compose the kernels of zeros and ones, as in 11-2, and count the places that are not zero.",
        ),
    ),
    "11-4": Network(
        points=4,
        draw=draw_vgg,
        expected=vgg,
        mistakes=wrong_vggs,
        otherwise="has all its parameters, but another output. Compare it with the list in the text, item by item.",
        hints=(
            "Two loops: over the stages of the row, and over the kernel sizes of a stage. Keep the number of maps in "
            "a variable that each convolution changes.",
            "The padding is kernel_size // 2: 1 for 3 × 3, 0 for 1 × 1. In stage number i, from 0, the maps are "
            "width * 2 ** i.",
            "Collect the layers in a list, and end with nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), "
            "nn.Flatten(), nn.Linear(before, classes)).",
        ),
    ),
    "11-5": Network(
        points=3,
        draw=draw_stage,
        expected=stage,
        mistakes=wrong_stages,
        otherwise="has all its parameters, but another output. Compare the layers with the text, one by one.",
        hints=(
            "Print the network. How many layers of each kind should there be, and in which order?",
            "Count its parameters: which kind of layer is missing some?",
            "Each convolution needs a new nn.BatchNorm2d, padding=kernel_size // 2, and a ReLU behind it, the last one "
            "too.",
        ),
    ),
}
