"""The exercises of chapter 09, LeNet."""

import numpy as np

from course_utils.exercises.exercise import Exercise, told_apart
from course_utils.exercises.plain import same

HIDDEN = ("arithmetic.py", "models", "scratch")  # of course_utils: holds answers, so it is not in the grader's sandbox


# 09-1: parameters and connections, from any table


def draw_count(rng):
    while True:
        maps = int(rng.integers(2, 9))
        table = []
        for _ in range(int(rng.choice([rows for rows in range(2, 21) if rows != maps]))):  # so that S2 is not S4
            chosen = rng.permutation(maps)[: rng.integers(1, maps + 1)]
            table.append(sorted(int(source) for source in chosen))
        c5, f6, classes = (int(v) for v in rng.integers((10, 10, 2), (200, 120, 27)))
        inputs = maps, table, c5, f6, classes
        if all(told_apart(0, [difference for _, difference in wrong]) for wrong in _wrong_counts(*inputs)):
            return inputs


def count(maps, table, c5, f6, classes):
    pairs, c3 = sum(len(sources) for sources in table), len(table)
    layers = [  # (parameters of a layer, units that share them)
        (maps * (25 + 1), 28**2),
        (25 * pairs + c3, 10**2),
        (c5 * (25 * c3 + 1), 1),
        (f6 * (c5 + 1), 1),
    ]
    parameters = sum(number for number, _ in layers) + 2 * (maps + c3)
    connections = sum(number * units for number, units in layers) + 5 * (maps * 14**2 + c3 * 5**2)
    return parameters, connections + classes * f6


def _wrong_counts(maps, table, c5, f6, classes):
    """By how much each mistake changes the number of parameters, and that of connections."""
    pairs, c3 = sum(len(sources) for sources in table), len(table)
    biases = maps + c3 + c5 + f6
    subsampling = 5 * (maps * 14**2 + c3 * 5**2)
    constants = maps * 28**2 + c3 * 10**2 + c5 + f6  # lines from the constant 1, of the other layers
    parameters = [
        ("counts numbers among the trainable parameters that training never changes.", classes * f6),
        ("ends in an ordinary linear layer. The paper's output layer is another one.", classes * (f6 + 1)),
        ("connects every map of C3 to all maps of S2, whatever the table says.", 25 * (maps * c3 - pairs)),
        ("gives a map of C3 a bias for each map that it reads.", pairs - c3),
        ("leaves out the biases of C3.", -c3),
        ("leaves out the biases.", -biases),
        ("leaves out the biases, also those of the subsampling layers.", -biases - maps - c3),
        ("leaves out the subsampling layers. They are not max pooling.", -2 * (maps + c3)),
        ("leaves out S2. It is not max pooling.", -2 * maps),
        ("leaves out S4. It is not max pooling.", -2 * c3),
        ("gives a map of a subsampling layer too few parameters.", -(maps + c3)),
        ("gives each input of a subsampling unit a coefficient of its own.", 3 * (maps + c3)),
        ("has a C5 that reads 16 maps; S4 has as many as the table has rows.", 25 * c5 * (16 - c3)),
    ]
    connections = [
        ("Of the connections it leaves out those whose weights are fixed.", -classes * f6),
        ("But it gives the output units a bias.", classes),
        ("But a subsampling unit has more lines than parameters.", -3 * subsampling // 5),
        ("But it counts no line from the constant 1 in subsampling layers.", -subsampling // 5),
        ("Of the connections it leaves out those of the subsampling layers.", -subsampling),
        ("But it counts no line from the constant 1 in the other layers.", -constants),
        ("But it counts no line from the constant 1.", -constants - subsampling // 5),
        ("But it counts connections that the table leaves out.", 100 * 25 * (maps * c3 - pairs)),
    ]
    return parameters, connections


def explain_count(inputs, got):
    parameters, connections = count(*inputs)
    if tuple(got) == (connections, parameters):
        return "gives the two numbers in the wrong order: the parameters come first."
    wrong_parameters, wrong_connections = _wrong_counts(*inputs)
    if got[0] != parameters:
        other = "has a number of parameters that is not right yet. Go layer by layer."
        return next((words for words, difference in wrong_parameters if got[0] - parameters == difference), other)
    other = "But the number of connections is another one. Go layer by layer: lines into one unit, times its units."
    found = (words for words, difference in wrong_connections if got[1] - connections == difference)
    return f"has the parameters right. {next(found, other)}"


# 09-2: subsampling, backward


def draw_backward(rng):
    images, channels, width = (int(v) for v in rng.integers((2, 1, 1), (4, 5, 5)))
    height = int(rng.choice([3, 5]))  # so that no mean over units, images and blocks is another one of these
    dy = rng.normal(size=(images, channels, height, width))
    x = rng.normal(size=(images, channels, 2 * height, 2 * width))
    return dy, x, rng.normal(size=channels), rng.normal(size=channels)


def _blocks(x):
    return x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]


def backward(dy, x, weight, bias):
    dx = (dy * weight[:, None, None]).repeat(2, axis=2).repeat(2, axis=3)
    return dx, (dy * _blocks(x)).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))


def explain_backward(inputs, got):
    dy, x, weight, bias = inputs
    right, units = backward(*inputs), dy[:, 0].size  # units of a map, over all images
    dx, dweight, dbias = right
    output = _blocks(x) * weight[:, None, None] + bias[:, None, None]
    wrong = {
        "dx": [
            (dx / 4, "as if the forward pass took the mean of a block; it takes the sum."),
            (dy.repeat(2, axis=2).repeat(2, axis=3), "that leaves out the coefficient."),
            (np.tile(dx[..., ::2, ::2], (2, 2)), "with the right numbers in wrong places: which unit reads a pixel?"),
            (dx * _corner(x), "that is given to the first input of a block only. All four were added."),
            (
                dx * _largest(x),
                "that is given to the largest input of a block only, as in max pooling. All four were added.",
            ),
        ],
        "dweight": [
            (dweight / 4, "as if the forward pass took the mean of a block; it takes the sum."),
            (dweight / units, "averaged over the units of a map. They all pull at the same number."),
            (dweight / len(x), "averaged over the images. How much each of them counts is in dy already."),
            (
                (dy * _blocks(x * _largest(x))).sum(axis=(0, 2, 3)),
                "that takes the largest input of a block, not the sum.",
            ),
            ((dy * output).sum(axis=(0, 2, 3)), "that takes the unit's output where its input belongs."),
            (_blocks(x).sum(axis=(0, 2, 3)), "that does not depend on dy."),
        ],
        "dbias": [
            (dbias / units, "averaged over the units of a map. They all pull at the same number."),
            (dbias / len(x), "averaged over the images. How much each of them counts is in dy already."),
            (dbias * 4, "as if the bias were added once for each input of a block."),
            (np.full_like(dbias, units), "that does not depend on dy."),
        ],
    }
    if same(got[1], dbias) and same(got[2], dweight) and not same(dweight, dbias):
        return "has dweight and dbias in each other's place."
    for name, mine, wanted in zip(wrong, got, right, strict=True):
        if not same(mine, wanted):
            other = "that is not right yet. Write one unit down: what does it do to y when that number moves a little?"
            return f"has a {name} " + next((words for value, words in wrong[name] if same(mine, value)), other)


def _corner(x):
    mask = np.zeros_like(x)
    mask[..., ::2, ::2] = 1
    return mask


def _largest(x):
    blocks = np.stack([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)])
    return (x == blocks.max(axis=0).repeat(2, axis=-2).repeat(2, axis=-1)).astype(float)


# 09-3: the bugs in an evaluation


def draw_evaluate(rng):
    while True:
        images, classes = int(rng.integers(3, 40)), int(rng.integers(3, 11))
        far = rng.choice([0.0, 0.0, 40.0, 1000.0], size=(images, 1))  # some images are far from every code
        distances = far + rng.gamma(2, 1.5, size=(images, classes))
        guessed = rng.integers(classes, size=images)
        labels = np.where(rng.random(images) < 0.6, distances.argmin(axis=1), guessed)
        inputs = distances, labels, int(rng.integers(1, images + 3))
        if told_apart(evaluate(*inputs)[1], _wrong_accuracies(*inputs).values()):
            return inputs


def _wrong_accuracies(distances, labels, batch_size):
    hits, whole = distances.argmin(axis=1) == labels, max(1, len(labels) // batch_size) * batch_size
    return {
        "still has an accuracy that depends on the batches. What does an image in the last batch count?": mean_of_means(
            hits, batch_size
        ),
        "gives the share of the images that are wrong in place of those that are right.": 1 - float(hits.mean()),
        "answers with the class that is farthest away.": float((distances.argmax(axis=1) == labels).mean()),
        "leaves out the images of an incomplete batch.": float(hits[:whole].mean()),
    }


def _losses(distances, labels, among=np.logaddexp.reduce):
    return distances[np.arange(len(labels)), labels] + among(-distances, axis=1)


def evaluate(distances, labels, batch_size):
    hits = distances.argmin(axis=1) == labels
    return float(_losses(distances, labels).mean()), float(hits.mean())


def _with_a_rest(scores, axis):
    return np.log(np.exp(scores).sum(axis=axis) + 1e-12)


def mean_of_means(values, batch_size):
    return float(np.mean([values[i : i + batch_size].mean() for i in range(0, len(values), batch_size)]))


def explain_evaluate(inputs, got):
    distances, labels, batch_size = inputs
    loss, accuracy = evaluate(*inputs)
    losses, rest = _losses(distances, labels), _losses(distances, labels, _with_a_rest)
    if not same(got[1], accuracy):
        for sentence, wrong in _wrong_accuracies(*inputs).items():
            if same(got[1], wrong):
                return sentence
        if got[1] > 1:
            return "has an accuracy above one: a share of the images is asked for."
        return "has an accuracy that is not right yet."
    if same(got[0], loss * len(labels)):
        return "has the accuracy right, but adds the losses up; their mean is asked for."
    if same(got[0], float(rest.mean())):
        return "has the accuracy right. The loss still changes if all distances of an image grow by the same number."
    if same(got[0], mean_of_means(losses, batch_size)) or same(got[0], mean_of_means(rest, batch_size)):
        return "has the accuracy right, but its loss depends on the batches."
    nearest = distances.min(axis=1)
    if same(got[0], float((losses + nearest).mean())):
        return (
            "has the accuracy right. The smallest distance is taken out of the sum, but it has to come back: the loss "
            "still changes if all distances of an image grow by the same number."
        )
    if same(got[0], float(_losses(-distances, labels).mean())):
        return "has the accuracy right, but in the loss a large distance makes a class likely."
    return "has the accuracy right, but not the loss. Try one image by hand, near a code and far from all."


def explain_infinite(inputs, got):
    """The logarithm of a sum of exponentials as it stands: 0 for an image far from all codes."""
    distances, labels, batch_size = inputs
    losses = _losses(distances, labels, lambda scores, axis: np.log(np.exp(scores).sum(axis=axis)))
    if same(got[0], float(losses.mean())) or same(got[0], mean_of_means(losses, batch_size)):
        return (
            "has an infinite loss where an image is far from all codes. What is exp of minus a large distance, and "
            "what may be taken out of a sum of exponentials first?"
        )
    return None


# 09-4: other image sizes, predicted

SIZES = (28, 33, 36, 64)


def prediction():
    rows = []
    for size in SIZES:
        side = ((size - 4) // 2 - 4) // 2  # of a map of S4
        parameters = 156 + 2_416 + 120 * (16 * side**2 + 1) + 84 * 121 + 10 * 85
        rows.append((side == 5, parameters, max(0, side - 4) ** 2))
    return tuple(rows)


def explain_prediction(inputs, got):
    right = prediction()
    for column, wanted in zip(zip(*got, strict=True), zip(*right, strict=True), strict=True):
        if column == wanted:
            continue
        if wanted == tuple(row[0] for row in right):
            return (
                "is wrong about the sizes that the trained lenet5_simple takes. Its first fully connected layer asks "
                "for as many states as in training: follow the size of a map up to there, rounding included."
            )
        if wanted == tuple(row[1] for row in right):
            return _explain_parameters(column, wanted)
        return _explain_positions(column, wanted)
    return "is not right yet."


def _explain_parameters(column, wanted):
    if len(set(column)) == 1:
        return "has one number of parameters for all sizes. Which layer has a weight for every place of a map?"
    if all(mine - right == -850 for mine, right in zip(column, wanted, strict=True)):
        return "leaves out the parameters of the output layer: in lenet5_simple it is trained."
    if all(mine - right == -900 for mine, right in zip(column, wanted, strict=True)):
        return "counts C3 with the paper's table; lenet5_simple has all pairs."
    if all(mine - right in (-1_706, -1_750, 44) for mine, right in zip(column, wanted, strict=True)):
        return "counts layers of lenet5; lenet5_simple is built otherwise."
    size = next(size for size, mine, right in zip(SIZES, column, wanted, strict=True) if mine != right)
    return f"has a number of parameters that is not right, for {size} pixels. Only one layer depends on the size."


def _explain_positions(column, wanted):
    if column[0] != wanted[0]:
        return "lets C5 answer where its window does not fit."
    if all(mine**2 == right for mine, right in zip(column, wanted, strict=True)):
        return "has the places along one side. The images are square, and so is the map of C5."
    if column[3] == (64 // 32) ** 2:
        return "puts windows side by side, but they overlap: how many pixels apart are two neighbours of C5?"
    size = next(size for size, mine, right in zip(SIZES, column, wanted, strict=True) if mine != right)
    return f"has a number of places that is not right, for {size} pixels. How large are the maps that C5 reads?"


# 09-5: a difference between two networks, and how uncertain it is


def draw_compare(rng):
    images = int(rng.integers(30, 300))
    ease = rng.beta(4, 1, size=images)  # the same images are hard for both networks
    better = rng.normal(0.03, 0.05, size=images)
    runs_a, runs_b = rng.integers(2, 7, size=2)
    return tuple(rng.random((runs, images)) < p for runs, p in ((runs_a, ease + better), (runs_b, ease)))


def _per_run(right_a, right_b, ddof=1):
    """The variance of the mean accuracy that comes from the choice of seeds, of each network."""
    return [right.mean(axis=1).var(ddof=ddof) / len(right) for right in (right_a, right_b)]


def _per_image(right_a, right_b):
    return right_a.mean(axis=0) - right_b.mean(axis=0)


def compare(right_a, right_b):
    apart = _per_image(right_a, right_b)
    images = apart.std(ddof=1) / apart.size**0.5
    return float(apart.mean()), float(sum(_per_run(right_a, right_b)) ** 0.5), float(images)


def explain_compare(inputs, got):
    right_a, right_b = inputs
    apart = _per_image(*inputs)
    difference, seeds, images = compare(*inputs)
    n, runs = apart.size, (len(right_a), len(right_b))
    if same(got[0], -difference):
        return "takes the difference the wrong way round: A minus B."
    if same(got[0], 100 * difference):
        return "gives a difference in percent; accuracies are shares between 0 and 1 here."
    if not same(got[0], difference):
        return "has a difference that is not right yet."
    if not same(got[1], seeds):
        variances = [right.mean(axis=1).var(ddof=1) for right in inputs]
        wrong = [
            (sum(_per_run(*inputs, ddof=0)) ** 0.5, "divides by the number of runs; a sample variance is asked for."),
            (sum(variances) ** 0.5, "says how much single runs scatter. How uncertain is a mean of several runs?"),
            (seeds**2, "gives a variance for the seeds. A standard error has the unit of the difference."),
            (sum(v**0.5 for v in _per_run(*inputs)), "adds standard errors. What adds for independent means?"),
            (_per_run(*inputs)[0] ** 0.5, "leaves out that network B, too, depends on its seeds."),
            (abs(np.subtract(*_per_run(*inputs))) ** 0.5, "subtracts variances. Uncertainties of a difference add up."),
            (images, "gives the uncertainty from the images where that from the seeds is asked for."),
        ]
        other = "has the difference right, but not the standard error from the seeds. It needs one accuracy a run."
        return _first(wrong, got[1], other)
    per_image = [right.mean(axis=0).var(ddof=1) / n for right in inputs]
    binomial = [right.mean() * (1 - right.mean()) / n for right in inputs]
    pooled = sum(b / r for b, r in zip(binomial, runs, strict=True))
    wrong = [
        (apart.std() / n**0.5, "divides by the number of images; a sample variance is asked for."),
        (apart.std(ddof=1), "says how much single images scatter. How uncertain is a mean over all of them?"),
        (apart.var(ddof=1) / n, "gives a variance for the images. A standard error has the unit of the difference."),
        (sum(binomial) ** 0.5, UNPAIRED),
        (sum(per_image) ** 0.5, UNPAIRED),
        (pooled**0.5, "counts an image once for each run, as if every run had seen images of its own."),
        (seeds, "gives the uncertainty from the seeds where that from the images is asked for."),
    ]
    return _first(wrong, got[2], "has the first two right, but not the standard error from the images.")


UNPAIRED = "treats the two networks as if each had its own test images. An image that is hard for one is hard for both."


def _first(wrong, mine, other):
    return next((sentence for value, sentence in wrong if same(mine, float(value))), other)


EXERCISES = {
    "09-1": Exercise(
        points=2,
        draw=draw_count,
        expected=count,
        explain=explain_count,
        hints=(
            "Make two columns, one row a layer. Parameters do not know how large a map is; connections do.",
            "A map of C3 that reads three maps has 3 · 25 weights and one bias, used by each of its 10 × 10 units.",
            "A subsampling unit has five lines, its map two parameters. An output unit has a line from every unit of "
            "F6, and none of them is trained.",
        ),
    ),
    "09-2": Exercise(
        points=3,
        draw=draw_backward,
        expected=backward,
        explain=explain_backward,
        hints=(
            "Write one unit down: y = w (p + q + r + s) + b. What are its derivatives by p, by w and by b?",
            "Each pixel belongs to one unit, so it gets one term. A coefficient belongs to all units of its map, in "
            "all images, so its terms are added up.",
            "dx: dy times the coefficient of its map, with every number repeated twice along both axes (np.repeat). "
            "dweight: dy times the sums of the blocks, added over axes 0, 2 and 3.",
        ),
    ),
    "09-3": Exercise(
        points=3,
        draw=draw_evaluate,
        expected=evaluate,
        explain=explain_evaluate,
        not_finite=explain_infinite,
        hints=(
            "Call the colleague's function on five images, once with batches of five and once of four. Then add 50 to "
            "all distances, and call it again.",
            "First: in which batch does a single image count most? Second: how large is exp(-50), and what is added "
            "to it?",
            "Add up over all images, divide once at the end. In the logarithm, take the smallest distance of the image "
            "out in front before you exponentiate: then one of the terms is exactly 1.",
        ),
    ),
    "09-4": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        explain=explain_prediction,
        hints=(
            "Follow the side of a map: C1, S2, C3, S4. Write all four sizes of images side by side.",
            "A subsampling layer rounds down, so different images can arrive at the same size.",
            "The flattened layer has 16 · side² inputs, with the side of S4. C5 as a convolution has side − 4 places "
            "along each side, if its window fits at all.",
        ),
    ),
    "09-5": Exercise(
        points=4,
        draw=draw_compare,
        expected=compare,
        explain=explain_compare,
        hints=(
            "Each array can be averaged along either axis: that gives an accuracy for each run, or a share for each "
            "image. Which of the two does each standard error need?",
            "Seeds: the variance of a mean is the variance of the single values divided by their number, and variances "
            "of independent things add. Images: A and B are not independent, but one image is of another.",
            "Images: take the share of A's runs that are right minus that of B's, image by image. The difference is "
            "the mean of these numbers, and a mean has a standard error.",
        ),
    ),
}
