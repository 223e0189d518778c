"""The exercises of chapter 09, LeNet."""

from copy import deepcopy
from functools import cache

import numpy as np

from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise, first_wrong, told_apart
from course_utils.exercises.plain import plain, same

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


def _rows(start, wrong, right, whole):
    """Mistakes in one part of an answer: `start` goes before each sentence, `whole(part)` is the answer with it."""
    parts = {words: row.answers if isinstance(row, Either) else [row] for words, row in wrong.items()}
    return {start + k: Either(*(whole(one) for one in row if not same(plain(one), right))) for k, row in parts.items()}


# 09-1: parameters and connections, from any table


def draw_count(rng):
    maps = int(rng.integers(2, 9))
    rows = rng.choice([rows for rows in range(2, 21) if rows != maps])  # so that S2 is not S4
    table = [sorted(rng.permutation(maps)[: rng.integers(1, maps + 1)].tolist()) for _ in range(rows)]
    inputs = maps, table, *rng.integers((10, 10, 2), (200, 120, 27)).tolist()
    return inputs if told_apart(0, _wrong_counts(*inputs)[0].values()) else draw_count(rng)


def count(maps, table, c5, f6, classes):
    pairs, c3 = sum(map(len, table)), len(table)
    behind = c5 * (25 * c3 + 1) + f6 * (c5 + 1)  # one place each: as many connections as parameters
    parameters = 26 * maps + 2 * maps + 25 * pairs + c3 + 2 * c3 + behind
    lines = 26 * maps * 28**2 + 5 * maps * 14**2 + (25 * pairs + c3) * 10**2 + 5 * c3 * 5**2
    return parameters, lines + behind + classes * f6


def _wrong_counts(maps, table, c5, f6, classes):
    """By how much each mistake changes the number of parameters, and that of connections."""
    pairs, c3, pools = sum(map(len, table)), len(table), maps + len(table)
    units = maps * 14**2 + c3 * 5**2  # of the subsampling layers
    constants = maps * 28**2 + c3 * 10**2 + c5 + f6  # lines from the constant 1, of the other layers
    c1_padded, c3_padded = 26 * maps * (32**2 - 28**2), (25 * pairs + c3) * (14**2 - 10**2)
    padded = Either(c1_padded, c3_padded, c1_padded + c3_padded)
    parameters = {
        "counts numbers among the trainable parameters that training never changes.": classes * f6,
        "ends in an ordinary linear layer. The paper's output layer is another one.": classes * (f6 + 1),
        "connects every map of C3 to all maps of S2, whatever the table says.": 25 * (maps * c3 - pairs),
        "gives a map of C3 a bias for each map that it reads.": pairs - c3,
        "leaves out the biases of C3.": -c3,
        "leaves out the biases.": -(pools + c5 + f6),
        "leaves out the biases, also those of the subsampling layers.": -(2 * pools + c5 + f6),
        "leaves out the subsampling layers. They are not max pooling.": -2 * pools,
        "leaves out S2. It is not max pooling.": -2 * maps,
        "leaves out S4. It is not max pooling.": -2 * c3,
        "gives a map of a subsampling layer too few parameters.": -pools,
        "gives each input of a subsampling unit a coefficient of its own.": 3 * pools,
        "has a C5 that reads 16 maps; S4 has as many as the table has rows.": 25 * c5 * (16 - c3),
    }
    connections = {
        "Of the connections it leaves out those whose weights are fixed.": -classes * f6,
        "But it gives the output units a bias.": classes,
        "But a subsampling unit has more lines than parameters.": -3 * units,
        "But it counts no line from the constant 1 in subsampling layers.": -units,
        "Of the connections it leaves out those of the subsampling layers.": -5 * units,
        "But it counts no line from the constant 1 in the other layers.": -constants,
        "But it counts no line from the constant 1.": -constants - units,
        "But it counts connections that the table leaves out.": 100 * 25 * (maps * c3 - pairs),
        "But a window does not fit around every pixel. How many units does that leave?": padded,
    }
    return parameters, connections


def wrong_counts(*inputs):
    (parameters, connections), (of_parameters, of_connections) = count(*inputs), _wrong_counts(*inputs)
    once, first = ((number, number) for number in (connections, parameters)), "has the parameters right."
    return {
        "gives the two numbers in the wrong order: the parameters come first.": (connections, parameters),
        "gives one number twice. The units of a map share their parameters.": Either(*once),
        **_rows(f"{first} ", of_connections, 0, lambda more: (parameters, connections + more)),
        f"{first} But not the connections. A layer has its lines into one unit, times its units.": (parameters, ...),
        **_rows("", of_parameters, 0, lambda more: (parameters + more, ...)),
    }


# 09-2: subsampling, backward


def draw_backward(rng):
    images, channels, width = rng.integers((2, 1, 1), (4, 5, 5)).tolist()
    height = int(rng.choice([3, 5]))  # so that no mean over units, images and blocks is another one of these
    dy, x = (rng.normal(size=(images, channels, n * height, n * width)) for n in (1, 2))
    return dy, x, rng.normal(size=channels), rng.normal(size=channels)


def _sum(x):
    return x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]


ONES = np.ones((2, 2))  # a block
NOT_YET = "that is not right yet. Write one unit down: how much does y change if that number grows a little?"
MEAN = "as if the forward pass took the mean of a block; it takes the sum."
OVER_UNITS = "averaged over the units of a map. They share the number, so all their terms are added."
OVER_IMAGES = "averaged over the images. How much each of them counts is in dy already."


def backward(dy, x, weight, bias):
    return np.kron(dy * weight[:, None, None], ONES), (dy * _sum(x)).sum((0, 2, 3)), dy.sum((0, 2, 3))


def wrong_backward(dy, x, weight, bias):
    dx, dweight, dbias = backward(dy, x, weight, bias)
    units, corner = dy[:, 0].size, np.indices(x.shape)[2:].max(axis=0) % 2 == 0
    largest = x == np.kron(np.max([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0), ONES)
    output = _sum(x) * weight[:, None, None] + bias[:, None, None]
    to_largest = Either(dx * largest, np.kron(dy, ONES) * largest)
    of_x = {
        MEAN: Either(dx / 4, np.kron(dy, ONES) / 4),
        "that leaves out the coefficient.": np.kron(dy, ONES),
        "with the right numbers in wrong places: which unit reads a pixel?": np.tile(dx[..., ::2, ::2], (2, 2)),
        "that is given to the first input of a block only. All four were added.": dx * corner,
        "that is given to the largest input of a block only, as in max pooling. All four were added.": to_largest,
    }
    of_weight = {
        MEAN: dweight / 4,
        OVER_UNITS: dweight / units,
        OVER_IMAGES: dweight / len(x),
        "that takes the largest input of a block, not the sum.": (dy * _sum(x * largest)).sum((0, 2, 3)),
        "that takes the unit's output where its input belongs.": (dy * output).sum((0, 2, 3)),
        "with the coefficient in it. How fast does w times a sum grow with w?": dweight * weight,
        "that does not depend on dy.": _sum(x).sum((0, 2, 3)),
    }
    of_bias = {
        OVER_UNITS: dbias / units,
        OVER_IMAGES: dbias / len(x),
        "as if the bias were added once for each input of a block.": dbias * 4,
        "with the coefficient in it. Is the bias multiplied, too?": dbias * weight,
        "that does not depend on dy.": np.full_like(dbias, units),
    }
    return {
        "has dweight and dbias in each other's place.": (..., dbias, dweight),
        **_rows("has a dbias ", of_bias, dbias, lambda part: (dx, dweight, part)),
        f"has a dbias {NOT_YET}": (dx, dweight, ...),
        **_rows("has a dweight ", of_weight, dweight, lambda part: (dx, part, ...)),
        f"has a dweight {NOT_YET}": (dx, ..., ...),
        **_rows("has a dx ", of_x, dx, lambda part: (part, ..., ...)),
    }


# 09-3: the bugs in an evaluation


def draw_evaluate(rng):
    images, classes = int(rng.integers(3, 40)), int(rng.integers(3, 11))
    far = rng.choice([0.0, 0.0, 40.0, 1000.0], size=(images, 1))  # some images are far from every code
    distances = far + rng.gamma(2, 1.5, size=(images, classes))
    labels = np.where(rng.random(images) < 0.6, distances.argmin(axis=1), rng.integers(classes, size=images))
    inputs = distances, labels, int(rng.integers(1, images + 3))
    return inputs if told_apart(evaluate(*inputs)[1], _wrong_accuracies(*inputs).values()) else draw_evaluate(rng)


def _losses(distances, labels, rest=None):
    """The loss of each image; with a `rest`, as the colleague computes it."""
    among = np.logaddexp.reduce(-distances, axis=1) if rest is None else np.log(np.exp(-distances).sum(axis=1) + rest)
    return distances[np.arange(len(labels)), labels] + among


def evaluate(distances, labels, batch_size):
    return float(_losses(distances, labels).mean()), float((distances.argmin(axis=1) == labels).mean())


def mean_of_means(values, batch_size):
    return float(np.mean([values[i : i + batch_size].mean() for i in range(0, len(values), batch_size)]))


def _wrong_accuracies(distances, labels, batch_size):
    hits, whole = distances.argmin(axis=1) == labels, max(1, len(labels) // batch_size) * batch_size
    in_batches = "still has an accuracy that depends on the batches. What does an image in the last batch count?"
    return {
        in_batches: mean_of_means(hits, batch_size),
        "gives the share of the images that are wrong in place of those that are right.": 1 - hits.mean(),
        "answers with the class that is farthest away.": (distances.argmax(axis=1) == labels).mean(),
        "leaves out the images of an incomplete batch.": hits[:whole].mean(),
        "has an accuracy above one: a share of the images is asked for.": Either(1.0 * hits.sum(), 100 * hits.mean()),
    }


GROWS = "the loss still changes if all distances of an image grow by the same number."
FAR = "has an infinite loss, or NaN, for an image far off: exp gives 0. What may be taken out of the sum first?"


def wrong_evaluations(distances, labels, batch_size):
    loss, accuracy = evaluate(distances, labels, batch_size)
    losses, rest, nearest = _losses(distances, labels), _losses(distances, labels, 1e-12), distances.min(axis=1)
    wrong = {
        ", but adds the losses up; their mean is asked for.": losses.sum(),
        f". But {GROWS}": rest.mean(),
        ", but its loss depends on the batches.": Either(*(mean_of_means(each, batch_size) for each in (losses, rest))),
        f". The smallest distance is taken out of the sum, but it has to come back: {GROWS}": (losses + nearest).mean(),
        ", but in the loss a large distance makes a class likely.": _losses(-distances, labels).mean(),
        ", but the other classes are missing in its loss.": distances[np.arange(len(labels)), labels].mean(),
    }
    infinite = [(value, ...) for value in (-np.inf, np.inf, np.nan) if nearest.max() > 750]  # there exp gives 0
    return {
        "gives the two numbers in the wrong order: the loss comes first.": (accuracy, loss),
        FAR: Either(*infinite),
        **_rows("has the accuracy right", wrong, loss, lambda part: (part, accuracy)),
        "has the accuracy right, but not the loss. Try one image by hand, near a code and far off.": (..., accuracy),
        **_rows("", _wrong_accuracies(distances, labels, batch_size), accuracy, lambda part: (..., part)),
    }


# 09-4: other image sizes, predicted

SIZES = (28, 33, 36, 64)


def prediction():
    sides = [((size - 4) // 2 - 4) // 2 for size in SIZES]  # of a map of S4
    rest = 156 + 2_416 + 120 + 10_164 + 850  # of the parameters
    return tuple((side == 5, rest + 120 * 16 * side**2, max(0, side - 4) ** 2) for side in sides)


RUNS = "has a wrong `runs`. The first linear layer takes as many states as in training: how many come, rounded down?"
FIRST_WRONG = (  # in the columns one after another
    *[RUNS] * 4,
    *(f"has a number of parameters that is not right, for {n} pixels. One layer alone depends on them." for n in SIZES),
    "lets C5 answer where its window does not fit.",
    *(f"has a number of places that is not right, for {n} pixels. How large is what C5 reads?" for n in SIZES[1:]),
)


def _table(columns):
    return tuple(zip(columns[:4], columns[4:8], columns[8:], strict=True))


def wrong_predictions():
    runs, parameters, places = zip(*prediction(), strict=True)
    less = {
        "leaves out the parameters of the output layer: in lenet5_simple it is trained.": [850],
        "counts C3 with the paper's table; lenet5_simple has all pairs.": [900],
        "counts layers of lenet5; lenet5_simple is built otherwise.": [1_706, 1_750, -44],
        "leaves out the biases.": [236],
    }
    wrong = {words: Either(*([n - by for n in parameters] for by in each)) for words, each in less.items()}
    alike = "has one number of parameters for all sizes. Which layer has a weight for every place of a map?"
    in_places = {
        "has the places along one side. The images are square, and so is the map of C5.": (0, 1, 2, 9),
        "puts windows side by side, but they overlap. How many pixels apart are neighbours of C5?": (0, ..., ..., 4),
    }
    return {
        **_rows("", in_places, places, lambda column: _table((*runs, *parameters, *column))),
        alike: Either(*(_table((*runs, *[number] * 4, *[...] * 4)) for number in parameters)),
        **_rows("", wrong, parameters, lambda column: _table((*runs, *column, *[...] * 4))),
        **{words: _table(row) for words, row in first_wrong((*runs, *parameters, *places), FIRST_WRONG).items()},
    }


# 09-5: a difference between two networks, and how uncertain it is


def draw_compare(rng):
    images = int(rng.integers(30, 300))
    ease = rng.beta(4, 1, size=images)  # the same images are hard for both networks
    better = rng.normal(0.03, 0.05, size=images)
    runs_a, runs_b = rng.integers(2, 7, size=2)
    return tuple(rng.random((runs, images)) < p for runs, p in ((runs_a, ease + better), (runs_b, ease)))


def compare(right_a, right_b):
    a, b = right_a.mean(axis=1), right_b.mean(axis=1)  # run by run
    apart = right_a.mean(axis=0) - right_b.mean(axis=0)  # image by image
    seeds = (a.var(ddof=1) / a.size + b.var(ddof=1) / b.size) ** 0.5
    return float(apart.mean()), float(seeds), float(apart.std(ddof=1) / apart.size**0.5)


def wrong_comparisons(right_a, right_b):
    difference, seeds, images = compare(right_a, right_b)
    a, b = right_a.mean(axis=1), right_b.mean(axis=1)
    of_a, of_b = a.var(ddof=1) / a.size, b.var(ddof=1) / b.size
    scatter = a.var(ddof=1) + b.var(ddof=1)
    pooled = (a.size * a.var() + b.size * b.var()) / (a.size + b.size - 2) * (1 / a.size + 1 / b.size)
    n, apart = right_a.shape[1], right_a.mean(axis=0) - right_b.mean(axis=0)
    each = sum(right.mean(axis=0).var(ddof=1) for right in (right_a, right_b)) / n
    binomial_a, binomial_b = (runs.mean() * (1 - runs.mean()) / n for runs in (a, b))
    unpaired, by_run = Either(each**0.5, (binomial_a + binomial_b) ** 0.5), binomial_a / a.size + binomial_b / b.size
    of_difference = {
        "takes the difference the wrong way round: A minus B.": -difference,
        "gives a difference in percent; accuracies are shares between 0 and 1 here.": 100 * difference,
        "compares the first run of each network. There are more.": a[0] - b[0],
    }
    of_seeds = {
        "divides by the number of runs; a sample variance is asked for.": (a.var() / a.size + b.var() / b.size) ** 0.5,
        "says how much single runs scatter. How uncertain is a mean of several runs?": scatter**0.5,
        "gives a variance for the seeds. A standard error has the unit of the difference.": seeds**2,
        "adds standard errors. What adds for independent means?": of_a**0.5 + of_b**0.5,
        "leaves out that network B, too, depends on its seeds.": of_a**0.5,
        "subtracts variances. Uncertainties of a difference add up.": abs(of_a - of_b) ** 0.5,
        "pools the variances of the runs. Each network scatters by its own amount.": pooled**0.5,
        "gives the uncertainty from the images where that from the seeds is asked for.": images,
    }
    of_images = {
        "divides by the number of images; a sample variance is asked for.": apart.std() / n**0.5,
        "says how much single images scatter. How uncertain is a mean over all of them?": apart.std(ddof=1),
        "gives a variance for the images. A standard error has the unit of the difference.": images**2,
        "takes A and B for independent. An image that is hard for one is hard for both.": unpaired,
        "counts an image once for each run. No run has images of its own.": by_run**0.5,
        "gives the uncertainty from the seeds where that from the images is asked for.": seeds,
    }
    return {
        **_rows("", of_images, images, lambda part: (difference, seeds, part)),
        "has the first two right, but `images` is wrong.": (difference, seeds, ...),
        **_rows("", of_seeds, seeds, lambda part: (difference, part, ...)),
        "has the difference right, but `seeds` is wrong. It needs one accuracy for each run.": (difference, ..., ...),
        **_rows("", of_difference, difference, lambda part: (part, ..., ...)),
    }


# 09-6: the LeNet of today, built


def draw_lenet(rng):
    channels, classes = int(rng.choice([2, 5])), int(rng.choice([3, 7, 12]))  # nothing typed in fits
    size = int(rng.choice([19, 22, 23]))  # a pooling layer has to leave out a row
    return channels, classes, size, rng.normal(size=(rng.integers(1, 4), channels, size, size)).astype(np.float32)


def lenet(channels, classes, size, window=5):
    from torch import nn

    side = ((size - window + 1) // 2 - window + 1) // 2
    c1, c3 = nn.Conv2d(channels, 6, window), nn.Conv2d(6, 16, window)
    maps = c1, nn.ReLU(), nn.MaxPool2d(2), c3, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    head = nn.Linear(16 * side**2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)
    return nn.Sequential(*maps, *head)


RELUS = {1: "first convolution", 4: "second convolution", 8: "layer of 120 units", 10: "layer of 84 units"}  # by place


@cache
def wrong_lenets(channels, classes, size):
    from torch import nn, zeros

    right = lenet(channels, classes, size)

    def but(layer, *places):
        """The network with a layer at some places, and a head that fits."""
        layers = [layer if place in places else old for place, old in enumerate(right)]
        states = nn.Sequential(*layers[:7])(zeros(1, channels, size, size)).shape[1]
        layers[7] = right[7] if states == right[7].in_features else nn.Linear(states, 120)
        return nn.Sequential(*layers)

    padded = but(nn.Conv2d(channels, 6, 5, padding=2), 0), but(nn.Conv2d(6, 16, 5, padding=2), 3)
    normed = (nn.Sequential(right, end(dim=1)) for end in (nn.Softmax, nn.LogSoftmax))
    without_bias = deepcopy(right)
    for layer in without_bias:
        layer.register_parameter("bias", None)
    wrong = {
        "is built for one size of images, whatever `size` is.": [lenet(channels, classes, n) for n in (28, 32)],
        "is built for one number of channels, whatever `channels` is.": [lenet(n, classes, size) for n in (1, 3)],
        "is built for one number of classes, whatever `classes` is.": [lenet(channels, 10, size)],
        "pads a convolution. Nothing is put around images or maps here.": padded,
        "has windows of another size than 5 x 5.": [lenet(channels, classes, size, window=3)],
        "leaves out the pooling layers.": [but(nn.Identity(), 2, 5)],
        "pools blocks that overlap.": [but(nn.MaxPool2d(*sizes), 2, 5) for sizes in ((2, 1), (3, 2))],
        "keeps blocks at the edge that are not full.": [but(nn.MaxPool2d(2, ceil_mode=True), 2, 5)],
        "averages in its pooling layers. The largest value of a block is asked for.": [but(nn.AvgPool2d(2), 2, 5)],
        "leaves out the biases.": [without_bias],
        "has no nonlinearity. What are linear layers in a row together?": [but(nn.Identity(), *RELUS)],
        "has another nonlinearity than ReLU.": [but(kind(), *RELUS) for kind in (nn.Tanh, nn.Sigmoid, nn.GELU)],
        "ends in a ReLU. A score may be negative.": [nn.Sequential(right, nn.ReLU())],
        "squashes the scores at the end.": [nn.Sequential(right, end()) for end in (nn.Sigmoid, nn.Tanh)],
        "ends in a softmax, or its logarithm. The loss has it already.": normed,
        **{f"lacks a ReLU behind the {layer}.": [but(nn.Identity(), place)] for place, layer in RELUS.items()},
    }
    return {words: Either(*networks) for words, networks in wrong.items()}


EXERCISES = {
    "09-1": Exercise(
        points=2,
        draw=draw_count,
        expected=count,
        mistakes=wrong_counts,
        otherwise="has a number of parameters that is not right yet. Go layer by layer.",
        hints=(
            "Make two columns, one row a layer. Parameters do not know how large a map is; connections do.",
            "A map of C3 that reads three maps has 3 · 25 weights and one bias, used by each of its 10 × 10 units.",
            "A subsampling unit has 5 lines, its map 2 parameters. Output units have lines from all of F6, untrained.",
        ),
    ),
    "09-2": Exercise(
        points=3,
        draw=draw_backward,
        expected=backward,
        mistakes=wrong_backward,
        otherwise=f"has a dx {NOT_YET}",
        hints=(
            "Write one unit down: y = w (p + q + r + s) + b. What are its derivatives by p, by w and by b?",
            "A pixel belongs to one unit: one term. A coefficient belongs to all units of a map, in all images: a sum.",
            "dx: dy times the coefficient of its map, with every number repeated twice along both axes (np.repeat). "
            "dweight: dy times the sums of the blocks, added over axes 0, 2 and 3.",
        ),
    ),
    "09-3": Exercise(
        points=3,
        draw=draw_evaluate,
        expected=evaluate,
        mistakes=wrong_evaluations,
        otherwise="has an accuracy that is not right yet.",
        hints=(
            "Call the colleague's function on five images: in one batch, in batches of four, with distances 50 larger.",
            "In which batch does a single image count most? And how large is exp(-50), and what is added to it?",
            "Divide once, at the end. log(sum(exp(-y))) is log(sum(exp(m - y))) - m; let m be an image's smallest y.",
        ),
    ),
    "09-4": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        mistakes=wrong_predictions,
        otherwise=RUNS,
        hints=(
            "Follow the side of a map: C1, S2, C3, S4. Write all four sizes of images side by side.",
            "A subsampling layer rounds down, so different images can arrive at the same size.",
            "With the side of S4: 16 · side² states are flattened; C5 has side − 4 places along a side, if it fits.",
        ),
    ),
    "09-5": Exercise(
        points=4,
        draw=draw_compare,
        expected=compare,
        mistakes=wrong_comparisons,
        otherwise="has a difference that is not right yet.",
        hints=(
            "A mean along one axis gives the runs' accuracies, along the other the images' shares. Which is for which?",
            "Seeds: the variance of a mean is the variance of the single values divided by their number, and variances "
            "of independent things add. Images: A and B are not independent, but one image is of another.",
            "Images: image by image, A's share of right runs minus B's. What is the standard error of their mean?",
        ),
    ),
    "09-6": Network(
        points=3,
        draw=draw_lenet,
        expected=lenet,
        mistakes=wrong_lenets,
        otherwise="has all its parameters, but another output. Go through its layers: what belongs between them?",
        hints=(
            "Follow the side of a map, as in 09-4, for a few sizes: what is left of it when the maps are flattened?",
            "A 5 x 5 window takes 4 off a side, a pooling layer halves it and rounds down; 16 maps are flattened.",
            "side = ((size - 4) // 2 - 4) // 2. Then nn.Sequential(nn.Conv2d(channels, 6, 5), nn.ReLU(), "
            "nn.MaxPool2d(2), ..., nn.Flatten(), nn.Linear(16 * side**2, 120), nn.ReLU(), ...).",
        ),
    ),
}
