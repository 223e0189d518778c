"""The exercises of chapter 05, why convolution."""

import pickle
from functools import cache, lru_cache

import numpy as np

from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise, first_wrong

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 05-1: what a layer costs, wired in three ways


def draw_costs(rng):
    field = int(rng.integers(2, 8))
    side, channels = int(rng.integers(field + 3, 60)), int(rng.choice([2, 3, 5, 7]))
    return side, channels, field, int(rng.choice([11, 13, 17, 19]))


def costs(side, channels, field, filters):
    places = (side - field + 1) ** 2
    units, inputs = places * filters, channels * field**2
    return units * (channels * side**2 + 1), units * (inputs + 1), filters * (inputs + 1), units


COSTS = (  # said of the first number that is wrong
    "has a wrong number for the fully connected layer. How many units are there, and what does each read?",
    "has a wrong number for the locally connected layer. How many numbers does a unit read, and who has a bias?",
    "has a wrong number for the convolution. All units of a map have the same weights, and the same bias.",
    "has a wrong number of outputs.",
)


def wrong_costs(side, channels, field, filters):
    places, inputs = (side - field + 1) ** 2, channels * field**2
    units = places * filters

    def of(units, whole, local, shared):
        return units * whole, units * local, filters * shared, units

    whole = channels * side**2
    padded = of(side**2 * filters, whole + 1, inputs + 1, inputs + 1)
    single = of(units, side**2 + 1, field**2 + 1, field**2 + 1)
    few, apart = (
        of(across**2 * filters, whole + 1, inputs + 1, inputs + 1) for across in (side - field, side // field)
    )
    return {
        "leaves out the biases.": of(units, whole, inputs, inputs),
        "forgets that an image has several channels. A window reads all of them.": single,
        "lets a window stand around every pixel. It has to fit into the image.": padded,
        "has one place too few in each direction. At how many places does a window of the whole width fit?": few,
        "lays the windows side by side. They move by one pixel at a time.": apart,
        "gives a whole layer one bias, or a whole map. Which units have a bias of their own?": Either(
            (units * whole + 1, units * inputs + 1, ..., ...), (..., units * inputs + filters, ..., ...)
        ),
        "counts a map once. How many maps are there?": of(places, whole + 1, inputs + 1, inputs + 1),
        "gives the convolution a bias for each place. The bias is shared like the weights.": (
            *costs(side, channels, field, filters)[:2],
            filters * inputs + units,
            ...,
        ),
        "gives the memory of the outputs, not their number.": (..., ..., ..., 4 * units),
        **first_wrong(costs(side, channels, field, filters), COSTS),
    }


# 05-2: the bug in a correlation


def draw_correlation(rng):
    count, height, width = rng.integers((3, 7, 9), (6, 12, 16)).tolist()
    steps = rng.normal(size=(count, height, width)) + 0.4 * rng.normal(size=(count, 1, 1))
    images = np.cumsum(steps, axis=2) + rng.normal(0, 0.3, (count, height, 1)) + rng.normal(0, 2, (count, 1, 1))
    if rng.random() < 0.4:  # the two sides of an image oppose each other: far pixels have a negative correlation
        images = images - images[:, :, ::-1] + 0.5 * rng.normal(size=images.shape) + 1
    return images, int(rng.integers(1, min(height, width) - 2))


def correlation(images, distance):
    left, right = images[:, :, :-distance].ravel(), images[:, :, distance:].ravel()
    return float(np.corrcoef(left, right)[0, 1])


def wrong_correlations(images, distance):
    centred, turned = images - images.mean(), images.transpose(0, 2, 1)
    left, right = images[:, :, :-distance], images[:, :, distance:]
    rolled = np.roll(images, -distance, axis=2)
    colleague = float((centred * np.roll(centred, -distance, axis=2)).mean() / images.var())
    pairs = centred[:, :, :-distance] * centred[:, :, distance:]
    each = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(left, right, strict=True)]
    a, b = centred[:, :, :-distance], centred[:, :, distance:]
    by_image, by_row = (correlation(images - images.mean(axes, keepdims=True), distance) for axes in ((1, 2), 2))
    covariance, flat = float(np.cov(left.ravel(), right.ravel())[0, 1]), images.ravel()
    return {
        "still pairs the last pixels of a row with its first ones.": Either(
            colleague,
            float(np.corrcoef(flat, rolled.ravel())[0, 1]),
            float(np.corrcoef(flat[:-distance], flat[distance:])[0, 1]),
        ),
        "goes down the columns. The distance is along a row.": correlation(turned, distance),
        "divides by the variance of all pixels. The two ends of the pairs have variances of their own.": float(
            pairs.mean() / images.var()
        ),
        "takes the correlation image by image and averages. All pairs of all images belong together.": np.mean(each),
        "divides by the sum over all pixels, but adds over the pairs alone.": float(pairs.sum() / (centred**2).sum()),
        "subtracts one mean from both. The two ends of the pairs have means of their own.": float(
            (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        ),
        "subtracts a mean image by image, or row by row. All pairs of all images belong together.": Either(
            by_image, by_row
        ),
        "divides a covariance by N - 1 and the variances by N. Both have to be of one kind.": float(
            covariance / (left.std() * right.std())
        ),
        "gives a covariance. Divide by the two standard deviations.": covariance,
        "does not subtract the means.": float((left * right).mean() / np.sqrt((left**2).mean() * (right**2).mean())),
        "gives the square of the correlation.": correlation(images, distance) ** 2,
        "pairs pixels that are one further apart.": correlation(images, distance + 1),
    }


# 05-3: a sawtooth in one hidden layer


def shallow(folds):
    pieces = 2**folds
    turns = 2.0 * pieces * np.where(np.arange(pieces) % 2, -1, 1)
    turns[0] = pieces
    return np.arange(pieces) / pieces, turns


def _value(layer, x):
    kinks, turns = layer
    return np.maximum(0, x[:, None] - kinks) @ turns


def right_layer(inputs, got):
    x = np.linspace(0, 1, 8 * 2 ** inputs[0] + 1)
    return np.allclose(_value(got, x), _value(shallow(*inputs), x), atol=1e-6)


def wrong_layers(folds):
    kinks, turns = shallow(folds)
    upward = np.abs(turns)
    same = np.where(np.arange(len(turns)) % 2, -1.0, 1.0) * turns[0]
    return {
        "lets the line only get steeper. At a kink it has to turn round.": (kinks, upward),
        "turns to slope 0 at a kink. From up to down the slope changes by twice its size.": (kinks, same),
        "begins at twice the slope that it should have.": (kinks, np.r_[2 * turns[0], turns[1:]]),
        "begins by going down.": (kinks, -turns),
        "has its kinks half as far apart as they should be.": (kinks / 2, turns),
        "has its first kink where the first piece ends. What begins the line at 0?": (kinks + kinks[1], turns),
        "has a kink at x = 1. The last piece begins before that.": (np.linspace(0, 1, len(turns)), turns),
        "has its kinks at negative x. A unit is relu(x - kink).": (-kinks, turns),
        "has the right kinks, but the function is another one. Follow the slope from piece to piece.": (kinks, ...),
    }


# 05-4: a network that forgets the place, built


def draw_detector(rng):
    channels, filters, classes = (int(rng.choice(some)) for some in ([2, 3], [4, 6], [3, 5]))
    size = int(rng.integers(11, 16))
    shape = int(rng.integers(2, 4)), channels, size, size + int(rng.integers(1, 4))
    return channels, filters, classes, rng.normal(size=shape).astype(np.float32)


def detector(channels, filters, classes):
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(channels, filters, 5), nn.ReLU()),
        *(nn.Conv2d(filters, 2 * filters, 3), nn.ReLU()),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(2 * filters, classes)),
    )


@cache
def wrong_detectors(channels, filters, classes):
    from torch import nn

    right = detector(channels, filters, classes)

    def but(places):
        return nn.Sequential(*(places.get(place, old) for place, old in enumerate(right)))

    def both(first, second):
        return Either(but({0: first}), but({2: second}), but({0: first, 2: second}))

    def convolutions(padding, stride):
        return (
            nn.Conv2d(channels, filters, 5, stride, 2 * padding),
            nn.Conv2d(filters, 2 * filters, 3, stride, padding),
        )

    nothing = nn.Identity()
    return {
        "averages over a map. Its largest value is asked for.": but({4: nn.AdaptiveAvgPool2d(1)}),
        "pads a convolution. Nothing is put around images or maps here.": both(*convolutions(1, 1)),
        "moves a window by more than one pixel.": both(*convolutions(0, 2)),
        "has no ReLU between its convolutions.": Either(but({1: nothing}), but({1: nothing, 3: nothing})),
        "has no ReLU behind its second convolution.": but({3: nothing}),
        "has another nonlinearity than the ReLU.": Either(
            *(but({1: other, 3: other}) for other in (nn.Tanh(), nn.LeakyReLU()))
        ),
        "ends in a ReLU. A score may be negative.": nn.Sequential(right, nn.ReLU()),
        "ends in a sigmoid, a softmax or its logarithm. The loss has what it needs itself.": Either(
            *(nn.Sequential(right, end) for end in (nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()))
        ),
        "adds up a map. Its largest value is asked for.": but({4: _summing()}),
    }


def _summing():
    from torch import nn

    class Sum(nn.Module):
        def forward(self, x):
            return x.sum((2, 3))

    return Sum()


# 05-5: a network, trained


class Training(Exercise):
    """An exercise whose answer, and each of its mistakes, is a network trained: few inputs have to do."""

    draws = 8


def draw_training(rng):
    count, filters, classes = int(rng.integers(5, 9)), int(rng.integers(3, 5)), int(rng.integers(3, 5))
    labels = rng.permutation(np.arange(count) % classes)
    kernel, head = rng.normal(size=(filters, 1, 3, 3)) / 2, rng.normal(size=(classes, filters)) / 2
    kernel[0] = -abs(kernel[0])  # the images are bright: on many of them this filter is below 0 everywhere
    return (
        rng.normal(1, 1, (count, 1, 7, 7)),
        labels,
        kernel,
        head,
        float(rng.uniform(0.1, 0.3)),
        int(rng.integers(3, 6)),
    )


def train(images, labels, kernel, head, rate, steps):
    return _trained(images, labels, kernel, head, rate, steps)


def _trained(images, labels, kernel, head, rate, steps, how=""):
    """The losses and the kernel at the end; `how` is a mistake."""
    import torch
    from torch.nn import functional as F

    with torch.inference_mode(False), torch.enable_grad():
        x, y, kernel, head = map(torch.tensor, (images, labels, kernel, head))
        for weights in (kernel, head):
            weights.requires_grad_()
        losses = []
        for _ in range(steps + (how == "after")):
            maps = F.conv2d(x, kernel, padding=int(how == "padded"))
            maps = maps if how == "linear" else torch.relu(maps)
            seen = maps.mean((2, 3)) if how == "average" else maps.amax((2, 3))
            scores = seen @ head.T
            scores = scores.softmax(1) if how == "softmax" else scores
            loss = F.cross_entropy(scores, y, reduction="sum" if how == "sum" else "mean")
            if how != "accumulated":
                kernel.grad = head.grad = None
            loss.backward()
            with torch.no_grad():
                step = -rate if how == "up" else rate
                kernel -= step * kernel.grad * (how != "head")
                head -= step * head.grad * (how != "kernel")
            losses.append(loss.item())
    return np.array(losses[how == "after" :]), kernel.detach().numpy()


def wrong_trainings(*inputs):
    return _wrong_trainings(pickle.dumps(inputs))


@lru_cache(maxsize=64)  # twelve trainings, asked for more than once; arrays alone have no hash
def _wrong_trainings(pickled):
    inputs = pickle.loads(pickled)
    right = train(*inputs)

    def made(how):
        return _trained(*inputs, how=how)

    *given, steps = inputs
    short = _trained(*given, steps=steps - 1)[1]
    return {
        "adds the gradients of all steps so far. Each step needs its own alone.": made("accumulated"),
        "goes up the hill: its loss grows.": made("up"),
        "adds up the losses of the images. Their mean is asked for.": made("sum"),
        "notes each loss after its step. The loss before it is asked for.": (made("after")[0], ...),
        "puts a softmax before the cross-entropy, which has one itself.": made("softmax"),
        "averages over a map. Its largest value is asked for.": made("average"),
        "has no ReLU.": made("linear"),
        "puts zeros around the images. There is no padding here.": made("padded"),
        "trains the last layer alone; the kernel stays as it was.": made("head"),
        "trains the kernel alone; the last layer stays as it was.": made("kernel"),
        "has the losses right, but gives the kernel as it was before training.": (right[0], inputs[2]),
        "has the losses right, but its kernel lacks the last step.": (right[0], short),
        "has the losses right, but not the kernel.": (right[0], ...),
    }


def other_training(inputs, got):
    if np.isclose(got[0][0], train(*inputs)[0][0], rtol=1e-3):
        return "has the first loss right, and a later one wrong. Look at the step: what changes, and by how much?"
    return "has losses that are not right yet. The first one depends on no step: is it right?"


EXERCISES = {
    "05-1": Exercise(
        points=2,
        draw=draw_costs,
        expected=costs,
        mistakes=wrong_costs,
        otherwise="is not right yet. Write down for one unit what it reads, then count the units.",
        hints=(
            "First the units: at how many places does the window fit, and how many maps are there?",
            "A unit has as many weights as it reads numbers, in all channels, and one bias.",
            "Units times (numbers read + 1), for the first two. In the convolution all units of a map are one.",
        ),
    ),
    "05-2": Exercise(
        points=3,
        draw=draw_correlation,
        expected=correlation,
        mistakes=wrong_correlations,
        otherwise="is not right yet. Take one row of four pixels: which pairs are there, and which means do they have?",
        hints=(
            "Call the colleague's function on a ramp, such as np.arange(12.).reshape(1, 1, 12), at distances 1 and 11.",
            "np.roll brings the pixels that fall off one end back at the other. How many pairs of a row are real?",
            "images[:, :, :-distance] and images[:, :, distance:] are the two ends of the pairs; np.corrcoef does the "
            "rest.",
        ),
    ),
    "05-3": Exercise(
        points=3,
        draw=lambda rng: (int(rng.integers(1, 8)),),
        expected=shallow,
        mistakes=wrong_layers,
        accept=right_layer,
        otherwise="is not right yet. Draw the function for two folds: where are its kinks, and what is each slope?",
        hints=(
            "How many straight pieces are there, where does each begin, and what is its slope?",
            "A unit changes the slope at its kink by its turn, from there on. The first one begins the line.",
            "Slopes go +s, -s, +s, ... with s the number of pieces: the first turn is s, the others are -2s, +2s, ...",
        ),
    ),
    "05-4": Network(
        points=3,
        draw=draw_detector,
        expected=detector,
        mistakes=wrong_detectors,
        otherwise="has all its parameters, but another output. Go through its layers: what belongs between them?",
        hints=(
            "No layer may know how large the images are. Which layer of a usual network does?",
            "nn.AdaptiveMaxPool2d(1) leaves one value of each map, whatever its size: N x maps x 1 x 1.",
            "Conv2d(channels, filters, 5), ReLU, Conv2d(filters, 2 * filters, 3), ReLU, AdaptiveMaxPool2d(1), Flatten, "
            "Linear(2 * filters, classes).",
        ),
    ),
    "05-5": Training(
        points=4,
        draw=draw_training,
        expected=train,
        mistakes=wrong_trainings,
        otherwise=other_training,
        hints=(
            "Make tensors of the arrays, with requires_grad for kernel and head. The first loss needs no step.",
            "A step: loss.backward(); under torch.no_grad() subtract rate times .grad; then set .grad to None.",
            "scores = torch.relu(F.conv2d(x, kernel)).amax((2, 3)) @ head.T, loss = F.cross_entropy(scores, labels).",
        ),
        seconds=20.0,
        rtol=1e-3,
    ),
}
