"""The exercises of chapter 13, ResNet."""

from functools import cache, reduce

import numpy as np

from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 13-1: what a bottleneck costs


def draw_cost(rng):
    width, size, stride = int(rng.integers(3, 40)), 2 * int(rng.integers(3, 20)), int(rng.integers(1, 3))
    before = 4 * width if rng.random() < 0.5 else int(rng.choice([2, 3])) * width
    return before, 4 * width, size, stride


def _layers(before, channels, size, stride, at=0):
    """(input maps, output maps, kernel size, size of the output) of each convolution; `at` has the stride."""
    width, out = channels // 4, size // stride
    plan = [(before, width, 1), (width, width, 3), (width, channels, 1)]
    layers = [(*layer, size if place < at else out) for place, layer in enumerate(plan)]
    return layers + [(before, channels, 1, out)] * (stride > 1 or before != channels)


def _cost(layers, of_norm=2, bias=False):
    weights = sum(conv_parameters(i, o, k, bias=bias) + of_norm * o for i, o, k, _ in layers)
    return weights, sum(conv_multiply_adds(i, o, k, (n, n)) for i, o, k, n in layers)


def cost(before, channels, size, stride):
    return _cost(_layers(before, channels, size, stride))


def wrong_costs(before, channels, size, stride):
    layers = _layers(before, channels, size, stride)
    parameters, multiply_adds = _cost(layers)
    projection = [(before, channels, 1, size // stride)]
    late, whole = (_cost(_layers(before, channels, size, stride, at))[1] for at in (1, 4))
    table = {
        "gives the two numbers in the wrong order: the parameters come first.": (multiply_adds, parameters),
        "leaves out the projection where the shape changes: with stride 2, or with more or fewer maps.": (
            _cost(layers[:3])[0] if len(layers) > 3 else None,
            ...,
        ),
        "has a projection where the shape stays. There x is added as it is.": _cost(layers[:3] + projection),
        "leaves out the parameters of batch norm.": (_cost(layers, 0)[0], ...),
        "gives batch norm one parameter a map. It has a scale and a shift.": (_cost(layers, 1)[0], ...),
        "counts running averages. Training does not change them by gradients.": (_cost(layers, 4)[0], ...),
        "leaves out the batch norm of the projection.": (
            parameters - 2 * channels if len(layers) > 3 else None,
            ...,
        ),
        "gives the convolutions biases.": (_cost(layers, bias=True)[0], ...),
        "has the parameters right, but puts the stride on the 3 × 3 convolution.": (parameters, late),
        "has the parameters right, but counts as if no layer had a stride.": (parameters, whole),
        "has the parameters right, but counts a multiplication and its addition as two.": (
            parameters,
            2 * multiply_adds,
        ),
        "has the parameters right, but leaves the multiply-adds of the projection out.": (
            parameters,
            _cost(layers[:3])[1],
        ),
        "has the parameters right, but not the multiply-adds: of each convolution, its weights times its positions.": (
            parameters,
            ...,
        ),
    }
    right = parameters, multiply_adds
    return {words: wrong for words, wrong in table.items() if wrong != right and wrong[0] is not None}


# 13-2: the gradient, by the length of the path


def draw_matrices(rng):
    blocks, units = int(rng.integers(2, 6)), int(rng.integers(2, 5))
    return list(rng.normal(size=(blocks, units, units))), rng.normal(size=units)


def by_length(matrices, gradient):
    parts = [gradient]
    for matrix in matrices[::-1]:
        nothing = np.zeros_like(gradient)
        inside = [matrix.T @ part for part in parts]
        parts = [a + b for a, b in zip([*parts, nothing], [nothing, *inside], strict=True)]
    return np.array(parts)


def wrong_parts(matrices, gradient):
    right, n = by_length(matrices, gradient), len(matrices)
    paths = np.array([reduce(lambda row, k: row * (n - k) // (k + 1), range(length), 1) for length in range(n + 1)])
    changed = [gradient, *np.zeros((n, len(gradient)))]  # each row from the one before, as it has just been changed
    for done, matrix in enumerate(matrices[::-1], start=1):
        for k in range(1, done + 1):
            changed[k] = changed[k] + matrix.T @ changed[k - 1]
    first = np.array([reduce(lambda g, m: m.T @ g, matrices[n - k :][::-1], gradient) for k in range(n + 1)])
    return {
        "multiplies by the matrices themselves. A gradient goes back through a matrix by its transpose.": by_length(
            [matrix.T for matrix in matrices], gradient
        ),
        "meets the blocks in the wrong order. The gradient comes to the last block first.": by_length(
            matrices[::-1], gradient
        ),
        "sends the gradient forward, from the first block on. It comes back, from the last, by transposes.": by_length(
            [matrix.T for matrix in matrices[::-1]], gradient
        ),
        "has row 0 and row 1 right, but the others use rows that have just been changed. Keep the old ones.": (
            np.array(changed)
        ),
        "has the rows the wrong way round: row 0 is the path around all blocks.": right[::-1],
        "takes the mean over the paths of a length. Gradients add up.": right / paths[:, None],
        "adds up the lengths, too. Row k is for exactly k blocks.": right.cumsum(axis=0),
        "has one path of each length, through the last blocks. There are more.": first,
        "gives the gradients of the longest path only.": np.vstack([np.zeros_like(right[:-1]), right[-1:]]),
    }


# 13-3: a small residual network, built


def draw_resnet(rng):
    channels, classes = int(rng.choice([2, 5])), int(rng.choice([3, 7]))
    width, blocks, size = int(rng.choice([4, 6])), int(rng.integers(1, 3)), int(rng.choice([9, 12]))
    x = rng.normal(size=(int(rng.integers(2, 4)), channels, size, size)).astype(np.float32)
    return channels, width, blocks, classes, x


def _block(before, channels, stride, layers, around, end="after"):
    """A block: the layers of F, the shortcut, and how it ends.

    end: the ReLU stands "after" the addition, "before" it, or "nowhere"; the shortcut reads what is "activated", or is
    there and is not added: "alone".
    """
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.residual = nn.Sequential(*layers)
            if isinstance(around, nn.Module):
                self.shortcut = around

        def forward(self, x):
            y = self.residual(x)
            y = F.relu(y) if end == "before" else y
            if end == "activated":
                x = F.relu(x)
            if around is not None and end != "alone":
                y = y + (self.shortcut(x) if isinstance(around, nn.Module) else x)
            return F.relu(y) if end in ("after", "activated", "alone") else y

    return Block()


def _conv(before, channels, kernel_size, stride=1):
    from torch import nn

    conv = nn.Conv2d(before, channels, kernel_size, stride, kernel_size // 2, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


def resnet(channels, width, blocks, classes, end="after", skip=True, late=False, relu=True, stem=True, pool="average"):
    from torch import nn

    made, before = [*_conv(channels, width, 3), *[nn.ReLU()] * stem], width
    for stage in (1, 2):
        for i in range(blocks):
            after, stride = stage * width, stage if i == 0 else 1
            first, second = (1, stride) if late else (stride, 1)
            layers = [*_conv(before, after, 3, first), *[nn.ReLU()] * relu, *_conv(after, after, 3, second)]
            around = nn.Sequential(*_conv(before, after, 1, stride)) if before != after else True
            made.append(_block(before, after, stride, layers, around if skip else None, end))
            before = after
    head = nn.AdaptiveAvgPool2d(1) if pool == "average" else nn.AdaptiveMaxPool2d(1)
    return nn.Sequential(*made, head, nn.Flatten(), nn.Linear(before, classes))


@cache
def wrong_resnets(*numbers):
    from torch import nn

    right = resnet(*numbers)
    return {
        "has no ReLU behind the addition.": resnet(*numbers, end="nowhere"),
        "applies the last ReLU of a block before the addition. It comes after it.": resnet(*numbers, end="before"),
        "has no path around the blocks, or never adds it.": Either(
            resnet(*numbers, skip=False), resnet(*numbers, end="alone")
        ),
        "has the stride on the second convolution of a block.": resnet(*numbers, late=True),
        "has no ReLU between the two convolutions of a block.": resnet(*numbers, relu=False),
        "has no ReLU behind the first convolution of the network.": resnet(*numbers, stem=False),
        "takes the maximum of each map at the end. The mean is asked for.": resnet(*numbers, pool="max"),
        "ends in a softmax, or its logarithm. The loss has it already.": Either(
            *(nn.Sequential(right, end(dim=1)) for end in (nn.Softmax, nn.LogSoftmax))
        ),
    }


# 13-4: the bugs of a bottleneck


def draw_bottleneck(rng):
    width, stride, size = int(rng.choice([2, 3])), int(rng.choice([1, 2])), int(rng.choice([6, 7]))
    before = 4 * width if rng.random() < 0.5 else 3 * width
    x = rng.normal(size=(int(rng.integers(2, 4)), before, size, size)).astype(np.float32)
    return before, 4 * width, stride, x


def bottleneck(before, channels, stride, at=1, shared=False, end="after", project=True):
    from torch import nn

    width = channels // 4
    first, second, third = (stride if place == at else 1 for place in (1, 2, 3))
    narrow, middle = _conv(before, width, 1, first), _conv(width, width, 3, second)
    if shared:
        middle[1] = narrow[1]
    layers = [*narrow, nn.ReLU(), *middle, nn.ReLU(), *_conv(width, channels, 1, third)]
    same = (stride == 1 and before == channels) or not project
    around = True if same else nn.Sequential(*_conv(before, channels, 1, stride))
    return _block(before, channels, stride, layers, around, end)


@cache
def wrong_bottlenecks(*numbers):
    still = {
        "still has a normalization in two places. Its averages cannot be right for both.": {"shared": True},
        "still gives the shortcut what has passed a ReLU. It takes x as it comes in.": {"end": "activated"},
        "still applies a ReLU before the addition. It comes after it.": {"end": "before"},
        "has no ReLU behind the addition.": {"end": "nowhere"},
    }
    networks: dict[str, object] = {words: bottleneck(*numbers, **wrong) for words, wrong in still.items()}
    networks["still has the stride on another convolution than the text says."] = Either(
        *(bottleneck(*numbers, at=at) for at in (2, 3))
    )
    networks["has no path around F, or never adds it."] = bottleneck(*numbers, end="alone")
    networks["has no projection where the shape changes: with stride 2, or with more or fewer maps."] = bottleneck(
        *numbers, project=False
    )
    two, late = {"shared": True, "end": "activated"}, {"at": 2}
    # For stride 1 it does not matter which layer has the stride.
    some = [two] if numbers[-1] == 1 else [two, two | late, late | {"shared": True}, late | {"end": "activated"}]
    several = "still has more than one of the bugs."
    return networks | {several: Either(*(bottleneck(*numbers, **wrong) for wrong in some))}


class Block(Network):
    draws = 12  # with stride 1 and 2, as many maps and other ones: each pair of them, with nearly any seed


EXERCISES = {
    "13-1": Exercise(
        points=3,
        draw=draw_cost,
        expected=cost,
        mistakes=wrong_costs,
        otherwise="has a number of parameters that is not right yet. Go layer by layer.",
        hints=(
            "Make a row for each convolution: maps in, maps out, kernel size, size of its output.",
            "The first 1 × 1 convolution has the stride, so all outputs of the block are size // stride wide. Each "
            "convolution has no bias, and a batch norm with two parameters a map.",
            "If stride is 2, or before is not channels, there is a fourth row: 1 × 1 from before to channels. "
            "Multiply-adds are a row's weights times its positions.",
        ),
    ),
    "13-2": Exercise(
        points=3,
        draw=draw_matrices,
        expected=by_length,
        mistakes=wrong_parts,
        otherwise="is not right yet. Try two blocks by hand: there are four paths.",
        rtol=1e-3,  # in float32, too
        hints=(
            "Behind the last block there is one path of length 0: the gradient itself. What does one block do to it?",
            "In front of a block, a path of length k is a path of length k that goes around the block, or one of "
            "length k − 1 that goes through it.",
            "For each matrix from the last to the first: new[k] = parts[k] + matrix.T @ parts[k − 1], where a part "
            "that is not there is zero.",
        ),
    ),
    "13-3": Network(
        points=4,
        draw=draw_resnet,
        expected=resnet,
        mistakes=wrong_resnets,
        otherwise="has all its parameters, but another output. Compare it with the list in the text, item by item, and "
        "a block with the text, layer by layer. Are the layers of F defined before the shortcut's?",
        hints=(
            "Write a class for a block first: in __init__ its layers and its shortcut, in forward one line.",
            "The shortcut is nn.Identity() but in the first block of the second stage: there it is a 1 × 1 convolution "
            "with stride 2 and its batch norm.",
            "forward of a block: return F.relu(self.residual(x) + self.shortcut(x)). The network: nn.Sequential(conv, "
            "norm, relu, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, classes)).",
        ),
    ),
    "13-4": Block(
        points=4,
        draw=draw_bottleneck,
        expected=bottleneck,
        mistakes=wrong_bottlenecks,
        otherwise="has all its parameters, but another output. Compare forward with the text, line by line. Are the "
        "layers of F defined before the shortcut's?",
        hints=(
            "Count first: how many parameters should the block have, and how many has it? Then follow x alone.",
            "Follow x on both of its ways. Is there anything on the way around that the text does not name?",
            "Three layers of batch norm in F, one for each convolution. The stride is on conv1. The shortcut reads x, "
            "not relu(x).",
        ),
    ),
}
