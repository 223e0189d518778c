"""The exercises of chapter 07, pooling."""

from functools import cache
from math import prod

import numpy as np

from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


def starts(size, kernel_size, stride):
    """Where the windows on a row begin."""
    return range(0, size - kernel_size + 1, stride)


def pooled(x, kernel_size, stride, keep, *, partial=False):
    """`keep` of each window on the last two axes; partial: also of windows that hang over the end, of what is there."""
    least = 1 if partial else kernel_size
    rows, columns = (starts(size, least, stride) for size in x.shape[-2:])
    cut = [[x[..., i : i + kernel_size, j : j + kernel_size] for j in columns] for i in rows]
    return np.stack([np.stack([keep(window) for window in row], axis=-1) for row in cut], axis=-2)


def largest(window):
    return window.max(axis=(-2, -1))


def mean(window):
    return window.mean(axis=(-2, -1))


def farthest(window):
    """The value that is farthest from 0, with its sign."""
    high, low = largest(window), -largest(-window)
    return np.where(high >= -low, high, low)


def where(window):
    """The place of the maximum in its window, counted row by row."""
    return window.reshape(*window.shape[:-2], -1).argmax(axis=-1)


# 07-1: max pooling


def draw_max_pool(rng):
    kernel_size, stride = ((2, 3), (3, 2), (4, 3), (3, 4), (2, 1))[rng.integers(5)]
    shape = rng.integers(2, 4), *(kernel_size + stride * rng.integers(2, 4, 2) - rng.integers(0, min(stride, 2), 2))
    return np.round(rng.normal(size=shape) - 0.5, 2), kernel_size, stride


def max_pool(x, kernel_size, stride):
    return pooled(x, kernel_size, stride, largest)


def wrong_max_pool(x, kernel_size, stride):
    right = max_pool(x, kernel_size, stride)
    shortened = [right[:, :-1, :-1], right[:, :-1], right[:, :, :-1]]
    partial = pooled(x, kernel_size, stride, largest, partial=True)
    fits = [pooled(x, kernel_size, kernel_size, largest), pooled(x, stride, stride, largest)]
    return {
        "keeps windows that hang over the edge. Only whole windows count: round the size down.": Either(
            partial, partial[:, : right.shape[1] + 1, : right.shape[2] + 1]
        ),
        "leaves out the last window of a row or column, which still fits.": Either(*shortened),
        "moves by the side of the window, whatever `stride` is.": fits[0],
        "takes windows as wide as the stride, whatever `kernel_size` is.": fits[1],
        "averages. The largest value of a window is asked for.": pooled(x, kernel_size, stride, mean),
        "moves its windows by 1, whatever `stride` is.": Either(
            *(pooled(x, kernel_size, 1, largest)[:, : n[1], : n[2]] for n in ((None,) * 3, right.shape))
        ),
        "takes the smallest value of a window.": -max_pool(-x, kernel_size, stride),
        "goes by absolute values. Of negative values the largest is the one nearest to 0.": Either(
            pooled(np.abs(x), kernel_size, stride, largest), pooled(x, kernel_size, stride, farthest)
        ),
        "gives the place of the largest value. The value itself is asked for.": pooled(x, kernel_size, stride, where),
        "takes the maximum over the channels, too. Each channel is pooled alone.": Either(
            right.max(axis=0), np.broadcast_to(right.max(axis=0), right.shape)
        ),
        "never gives less than 0. What does your maximum begin with?": np.maximum(right, 0),
    }


# 07-2: where the gradient goes


def draw_backward(rng):
    kernel_size, stride = ((2, 2), (3, 2), (2, 1), (3, 1), (2, 3))[rng.integers(5)]
    height, width = kernel_size + stride * rng.integers(2, 4, 2)
    x = rng.integers(0, 4, (height, width)).astype(float)  # few values, so that many windows are tied
    dy = np.round(rng.normal(size=[len(starts(n, kernel_size, stride)) for n in x.shape]), 2)
    return dy, x, kernel_size, stride


def spread(dy, x, kernel_size, stride, share, *, add=True):
    """Each output's gradient times `share(window)`, which says how much of it each pixel gets; of windows that fit."""
    dx = np.zeros(x.shape)
    fitting = [len(starts(size, kernel_size, stride)) for size in x.shape]
    for i, j in np.ndindex(*map(min, dy.shape, fitting)):
        place = np.s_[i * stride : i * stride + kernel_size, j * stride : j * stride + kernel_size]
        part = dy[i, j] * share(x[place])
        dx[place] = dx[place] + part if add else np.where(share(x[place]) > 0, part, dx[place])
    return dx


def only(place):
    """A share of 1 for the pixel of a window that `place(flat window)` names."""
    return lambda window: (np.arange(window.size) == place(window.ravel())).reshape(window.shape).astype(float)


FIRST = only(np.argmax)


def backward(dy, x, kernel_size, stride):
    return spread(dy, x, kernel_size, stride, FIRST)


def wrong_backward(dy, x, kernel_size, stride):
    def of(share, dy=dy, **how):
        return spread(dy, x, kernel_size, stride, share, **how)

    def tied(window):
        return (window == window.max()).astype(float)

    last = only(lambda flat: flat.size - 1 - flat[::-1].argmax())
    down = only(lambda flat: flat.reshape(kernel_size, kernel_size).T.argmax())  # turned back below
    shifted = [spread(dy, x, kernel_size, other, FIRST) for other in (1, kernel_size)]
    return {
        "gives a tie's gradient to all that are largest. Then it counts more than once: choose the first.": of(tied),
        "shares a gradient among all that are largest. Here the first of them takes it whole.": of(
            lambda window: tied(window) / tied(window).sum()
        ),
        "gives a tie's gradient to the last one that is largest. The first is asked for.": of(last),
        "counts the pixels of a window column by column. Of equal ones, the first along the rows is asked for.": of(
            lambda window: down(window).T
        ),
        "lets a window overwrite what another one gave. Where windows overlap, gradients add up.": of(FIRST, add=False),
        "takes other windows than the pooling did: its windows begin at i * stride, j * stride.": Either(*shifted),
        "spreads a gradient over the whole window, as in average pooling.": Either(
            of(np.ones_like), of(lambda window: np.ones_like(window) / window.size)
        ),
        "marks the pixels that were taken. How large is the gradient that each of them gets?": Either(
            of(FIRST, np.ones_like(dy)), np.minimum(of(FIRST, np.ones_like(dy)), 1)
        ),
        "multiplies by the values of x. The derivative of a maximum is 1 or 0.": of(FIRST) * x,
        "takes the smallest value of a window.": spread(dy, -x, kernel_size, stride, FIRST),
        "has the wrong sign.": -of(FIRST),
    }


# 07-3: the bug in an average


def draw_average(rng):
    kernel_size, stride, padding = ((2, 2, 1), (3, 2, 1), (3, 1, 1), (4, 3, 2), (3, 3, 1))[rng.integers(5)]
    shape = kernel_size - padding + stride * rng.integers(1, 4, 2)
    return np.round(rng.uniform(1, 9, shape), 1), kernel_size, stride, padding


def average(x, kernel_size, stride, padding):
    return pooled(np.pad(x, padding), kernel_size, stride, mean)


def wrong_averages(x, kernel_size, stride, padding):
    sums = average(x, kernel_size, stride, padding) * kernel_size**2
    real = average(np.ones_like(x), kernel_size, stride, padding) * kernel_size**2
    others = [np.pad(x, padding, mode) for mode in ("edge", "reflect")]
    others += [np.pad(x, padding, constant_values=value) for value in (1, x.mean())]
    late = pooled(np.pad(x, [(0, 2 * padding)] * 2), kernel_size, stride, mean)
    once = pooled(np.pad(x, [(0, padding)] * 2), kernel_size, stride, mean) if min(x.shape) > kernel_size else None
    return {
        "still divides by the pixels that are no padding. PyTorch's default divides by all of them.": sums / real,
        "adds up, but does not divide.": sums,
        "divides by one side of the window. How many values were added?": sums / kernel_size,
        "takes the largest value of a window.": pooled(np.pad(x, padding), kernel_size, stride, largest),
        "pads with something else than zeros.": Either(*(pooled(each, kernel_size, stride, mean) for each in others)),
        "pads on the right and at the bottom only.": Either(*(each for each in (late, once) if each is not None)),
        "rounds the size up. Windows that hang over the padded edge are left out.": pooled(
            np.pad(x, padding), kernel_size, stride, mean, partial=True
        ),
    }


# 07-4: how far a dot may move


def draw_room(rng):
    windows = [int(k) for k in rng.integers(2, 6, rng.integers(2, 4))]
    return int(rng.integers(0, 4 * prod(windows))), windows


def room(position, windows):
    side = prod(windows)
    return position % side, side - 1 - position % side


def wrong_rooms(position, windows):
    right = left, free = room(position, windows)

    def of(side):
        return position % side, side - 1 - position % side

    befores = [prod(windows[:n]) for n in range(len(windows))]
    ways = [position // before % window for before, window in zip(befores, windows, strict=True)]
    one_by_one = sum(ways), sum(windows) - len(windows) - sum(ways)
    wrong = {
        "adds the windows up. How many pixels does one value of the second pooling stand for?": of(sum(windows)),
        "looks at the first pooling only. What does the next one absorb?": of(windows[0]),
        "looks at the last pooling only, as if its inputs were pixels.": of(windows[-1]),
        "adds up what each pooling leaves. But one step on the second map is several pixels.": one_by_one,
        "counts each pooling as if it halved.": of(2 ** len(windows)),
        "gives the two in the wrong order: first to the left.": (free, left),
        "is one pixel too far to the right. The window's own pixels are counted from 0.": (left, free + 1),
        "is one pixel too far to the left.": (left + 1, free),
        "is one pixel too far to both sides. How many pixels of the window are free?": (left + 1, free + 1),
        "puts the dot into the middle of its window. Where does the grid begin?": Either(
            *((prod(windows) // 2, prod(windows) - 1 - prod(windows) // 2), (prod(windows) // 2,) * 2)
        ),
        "is correct for the way to the left, but not for the way to the right.": (left, ...),
        "is correct for the way to the right, but not for the way to the left.": (..., free),
    }
    return {words: answer for words, answer in wrong.items() if answer != right}


# 07-5: a network for images of any size


def draw_network(rng):
    channels, width, classes = int(rng.choice([2, 5])), int(rng.choice([4, 7])), int(rng.choice([3, 6, 11]))
    height, breadth = (int(n) for n in rng.choice([12, 15, 18, 21], 2, replace=False))
    count = int(rng.integers(1, 3))  # a single image, too: squeeze() takes its axis away
    return channels, width, classes, rng.normal(size=(count, channels, height, breadth)).astype(np.float32)


def network(channels, width, classes):
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(2 * width, classes)),
    )


@cache
def wrong_networks(channels, width, classes):
    from torch import nn

    right = network(channels, width, classes)
    layers = list(right)

    def but(layer, *places):
        return nn.Sequential(*(layer if place in places else old for place, old in enumerate(layers)))

    def twice(place, layer):
        return nn.Sequential(*layers[: place + 1], layer, *layers[place + 1 :])

    flat = nn.Sequential(*layers[:5], nn.Flatten(), nn.Linear(2 * width * 7 * 7, classes))
    first, second = nn.Conv2d(channels, width, 3), nn.Conv2d(width, 2 * width, 3)
    wrong = {
        "fits images of one size only: it flattens whole maps. Average each map first.": [flat],
        "takes the maximum of each map at the end. Its average is asked for.": [but(nn.AdaptiveMaxPool2d(1), 5)],
        "pools blocks of 2 × 2. Windows of 3 × 3 with a stride of 2 are asked for.": [but(nn.MaxPool2d(2), 2)],
        "has a stride of 3 in its max pooling: that is the default for 3 × 3 windows.": [but(nn.MaxPool2d(3), 2)],
        "averages in its first pooling.": [but(nn.AvgPool2d(3, stride=2), 2)],
        "pads in its max pooling.": [but(nn.MaxPool2d(3, stride=2, padding=1), 2)],
        "keeps windows at the edge that are not full.": [but(nn.MaxPool2d(3, stride=2, ceil_mode=True), 2)],
        "leaves out the max pooling.": [but(nn.Identity(), 2)],
        "max-pools after the second convolution, too.": [twice(4, nn.MaxPool2d(3, stride=2))],
        "lacks the padding of a convolution.": [
            nn.Sequential(a, *layers[1:3], b, *layers[4:])
            for a, b in ((first, layers[3]), (layers[0], second), (first, second))
        ],
        "averages before its second ReLU.": [nn.Sequential(*layers[:4], layers[5], layers[4], *layers[6:])],
        "has the right layers, but stops on the images. What shape reaches the fully connected layer?": [
            nn.Sequential(*layers[:6], layers[7])
        ],
        "lacks a ReLU.": [but(nn.Identity(), *places) for places in ((1,), (4,), (1, 4))],
        "ends in a softmax, or its logarithm. The loss has it already.": [
            nn.Sequential(right, end(dim=1)) for end in (nn.Softmax, nn.LogSoftmax)
        ],
        "ends in a nonlinearity. A score may be any number.": [
            nn.Sequential(right, end()) for end in (nn.ReLU, nn.Sigmoid, nn.Tanh)
        ],
    }
    return {words: Either(*networks) for words, networks in wrong.items()}


EXERCISES = {
    "07-1": Exercise(
        points=2,
        draw=draw_max_pool,
        expected=max_pool,
        mistakes=wrong_max_pool,
        otherwise="is not right yet. Draw a map of 5 × 5 and mark its windows.",
        hints=(
            "How many windows fit? It is the size formula of chapter 06 without padding.",
            "Output [c, i, j] is the largest value of x[c, i * stride : i * stride + kernel_size, ...].",
            "rows = (H - kernel_size) // stride + 1. Make an array of C × rows × columns, and fill it in two loops.",
        ),
    ),
    "07-2": Exercise(
        points=3,
        draw=draw_backward,
        expected=backward,
        mistakes=wrong_backward,
        otherwise="is not right yet. Try a single window with four different values.",
        hints=(
            "Begin with zeros in the shape of x, and go through the outputs.",
            "window.argmax() counts along the rows and finds the first of several largest values.",
            "row, column = np.unravel_index(window.argmax(), window.shape); then add dy[i, j] to that place of dx.",
        ),
    ),
    "07-3": Exercise(
        points=2,
        draw=draw_average,
        expected=average,
        mistakes=wrong_averages,
        otherwise="is not right yet. Average a map of ones: what should stand in its corner?",
        hints=(
            "Take a map of ones with padding 1. What does the function give in the corner, and what does PyTorch give?",
            "NaN stands for padding in the function. What does np.nanmean do with it?",
            "With zeros as padding, the plain mean of a window is what is asked for.",
        ),
    ),
    "07-4": Exercise(
        points=3,
        draw=draw_room,
        expected=room,
        mistakes=wrong_rooms,
        otherwise="is not right yet. Take one pooling of 4, and move the dot from pixel 0 to the right.",
        hints=(
            "How many pixels does one value of the last map stand for?",
            "A pooling of 2 and then one of 3 is one pooling of 6.",
            "With a product P of all windows, the dot lies at place position % P of its window of P pixels.",
        ),
    ),
    "07-5": Network(
        points=4,
        draw=draw_network,
        expected=network,
        mistakes=wrong_networks,
        otherwise="has all its parameters, but another output. Compare it with the list, step by step.",
        hints=(
            "nn.Linear needs to know how many numbers come in. After a global average, what does this depend on?",
            "nn.AdaptiveAvgPool2d(1) averages each map, whatever its size. nn.Flatten() takes the two ones away.",
            "nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2), ...).",
        ),
    ),
}
