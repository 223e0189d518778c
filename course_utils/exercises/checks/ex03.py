"""The exercises of chapter 03, batch normalization."""

import numpy as np

from course_utils.exercises.exercise import Either, Exercise, first_wrong
from course_utils.exercises.plain import same

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves
EPS = 1e-5


# 03-1: backward through RMS norm


def draw_rms(rng):
    shape = int(rng.integers(2, 6)), int(rng.integers(3, 8))
    x = rng.normal(rng.uniform(-2, 2), rng.uniform(0.5, 3), size=shape)
    return rng.normal(size=shape), x * rng.choice([0.01, 1])  # small samples, too: there epsilon counts


def rms_norm_backward(dy, x, axis=1, eps=EPS):
    r = np.sqrt((x**2).mean(axis, keepdims=True) + eps)
    return (dy - x / r * (dy * x / r).mean(axis, keepdims=True)) / r


def _norm_backward(dy, x, axis):
    """Layer norm's, over the units of a sample (axis 1); batch norm's over axis 0."""
    return rms_norm_backward(dy - dy.mean(axis, keepdims=True), x - x.mean(axis, keepdims=True), axis)


def wrong_rms(dy, x):
    r = np.sqrt((x**2).mean(1, keepdims=True) + EPS)
    length, units = np.sqrt(x.shape[1]) * r, x.shape[1]
    detour, centred = x / r * (dy * x / r).mean(1, keepdims=True), Either(*(_norm_backward(dy, x, a) for a in (0, 1)))
    return {
        "has the direct path alone. On what does r depend?": dy / r,
        "forgets epsilon, which counts where a sample is small.": rms_norm_backward(dy, x, eps=0),
        "divides by a sample's length. Is the mean of squares in it?": Either(dy / length, (dy - detour) / length),
        "undoes the forward pass. A gradient is multiplied by derivatives; nothing is turned back.": dy * r,
        "has a wrong sign. If r grows, does the output grow or shrink?": (dy + detour) / r,
        "sums where the forward pass takes a mean. How large is its derivative?": (dy - units * detour) / r,
        "has a path too many: nothing is subtracted from x.": (dy - dy.mean(1, keepdims=True) - detour) / r,
        "has both paths, but forgets what both have in common: the division by r.": dy - detour,
        "is the gradient of layer norm or batch norm, which subtract a mean. Here none is subtracted.": centred,
        "averages over the samples. Here each sample is normalized by itself.": rms_norm_backward(dy, x, axis=0),
    }


# 03-2: five changes, predicted


def prediction():
    return 0.25, 1.0, 1.0, 3.0, 0.0


HINTS_OF_CHANGES = (
    "is not right for the first change. The output stays; so what does E(4 W) = E(W) say about the derivative?",
    "is not right for the second change. Does the normalized layer see a shift?",
    "is not right for the third change. Two things change in the gradient of a weight: what comes back, and the input.",
    "is not right for the fourth change. It comes after the normalization, so it is seen.",
    "is not right for the fifth change. What are the normalized values, whatever the activations are?",
)


# 03-3: the bug in the running averages


def draw_batches(rng):
    units = int(rng.integers(1, 5))
    centre, spread = rng.normal(0, 4, size=units), rng.uniform(0.5, 3, size=units)
    sizes = rng.integers(2, 7, size=int(rng.integers(2, 8)))
    return [rng.normal(centre, spread, size=(int(n), units)) for n in sizes], float(rng.uniform(0.05, 0.4))


def averages(batches, momentum, ddof=1, around="batch", swapped=False):
    mean, var = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    keep = momentum if swapped else 1 - momentum
    for x in batches:
        before, mean = mean, keep * mean + (1 - keep) * x.mean(0)
        centre = {"batch": x.mean(0), "new": mean, "old": before}[around]
        var = keep * var + (1 - keep) * ((x - centre) ** 2).sum(0) / (len(x) - ddof)
    return mean, var


TURNED = "has old and new the wrong way round: momentum is the share of the new batch."
BUGS = {  # in the running variance: what `averages` takes to make them
    "still has both bugs. Try it on batches whose mean is far from zero.": [{"ddof": 0, "around": "new"}],
    "has the right divisor, but takes a variance around the wrong centre.": [{"around": "new"}, {"around": "old"}],
    "has the right centre. But is a variance from so few values, divided like this, right on average?": [{"ddof": 0}],
}


def wrong_averages(batches, momentum):
    def with_bugs(start, **turned):
        wrong = {words: [averages(batches, momentum, **bug, **turned) for bug in bugs] for words, bugs in BUGS.items()}
        return {start + words: Either(*answers) for words, answers in wrong.items()}

    (mean, var), turned = averages(batches, momentum), averages(batches, momentum, swapped=True)
    return {
        "gives the two in the wrong order: the mean comes first.": (var, mean),
        **with_bugs(""),
        "has the running mean right, but not the running variance.": (mean, ...),
        "has the running variance right, but not the running mean, which was right before.": (..., var),
        TURNED: turned,
        **with_bugs(f"{TURNED} Apart from that it ", swapped=True),
        f"{TURNED} Apart from that it has the wrong variance.": (turned[0], ...),
    }


# 03-4: which norm was it?


def normalized(x, groups):
    """`x` (N x C x H x W) after group norm, or after batch norm for 0 groups; no gamma, no beta."""
    if groups == 0:
        mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        return (x - mean) / np.sqrt(var + EPS)
    parts = x.reshape(len(x), groups, -1)
    mean, var = parts.mean(2, keepdims=True), parts.var(2, keepdims=True)
    return ((parts - mean) / np.sqrt(var + EPS)).reshape(x.shape)


def draw_norm(rng):
    channels = int(rng.choice([2, 3, 4, 6, 8]))
    shape = int(rng.integers(2, 5)), channels, int(rng.integers(2, 5)), int(rng.integers(2, 5))
    x = rng.normal(size=shape) * rng.uniform(0.5, 3, size=(shape[0], channels, 1, 1))
    x = x + rng.normal(0, 2, size=(shape[0], channels, 1, 1))
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    return x, normalized(x, int(rng.choice([0, *divisors, channels])))


def groups(x, y):
    return next(g for g in range(x.shape[1] + 1) if (g == 0 or x.shape[1] % g == 0) and same(normalized(x, g), y))


def other_groups(inputs, got):
    right, channels = groups(*inputs), inputs[0].shape[1]
    if got < 0 or got > channels or (got and channels % got):
        return "names a number of groups into which the channels cannot be divided."
    if got == 0 and right == channels:
        return "takes instance norm for batch norm: is a channel's mean zero over the batch only, or in each image?"
    if right == 0:
        return "misses batch norm. Over which axes is the mean zero there?"
    if got == 0:
        return "sees batch norm where each image was normalized by itself."
    if right % got == 0:
        return "finds too few groups: a mean over several groups is zero, too, if each group's is."
    return "finds other groups than these: is the mean over each of them really zero?"


# 03-5: batch norm folded into the layer before it


def draw_fold(rng):
    channels = int(rng.integers(2, 5))
    kernel = () if rng.random() < 0.4 else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    inputs = channels if rng.random() < 0.5 else int(rng.integers(1, 6))
    weight, bias = rng.normal(size=(channels, inputs, *kernel)), rng.normal(size=channels)
    gamma, beta, mean = rng.normal(size=(3, channels))
    return weight, bias, gamma, beta, mean, rng.uniform(1e-5, 3e-4, size=channels)


def _scaled(weight, scale):
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1))


def fold(weight, bias, gamma, beta, mean, var):
    scale = gamma / np.sqrt(var + EPS)
    return _scaled(weight, scale), scale * (bias - mean) + beta


def wrong_folds(weight, bias, gamma, beta, mean, var):
    new_weight, new_bias = fold(weight, bias, gamma, beta, mean, var)
    scale, root = gamma / np.sqrt(var + EPS), np.sqrt(var)
    axes = (axis for axis in range(1, weight.ndim) if weight.shape[axis] == len(scale))
    along = [(np.moveaxis(_scaled(np.moveaxis(weight, axis, 0), scale), 0, axis), ...) for axis in axes]
    right = "has the weight right"
    return {
        f"{right}, but forgets the bias that the layer had before.": (new_weight, beta - scale * mean),
        f"{right}; in the bias, think again what is scaled and what is not.": (new_weight, bias - scale * mean + beta),
        f"{right} and leaves the bias as it was. What becomes of an input of zeros?": (new_weight, bias),
        f"{right}, but not the bias. Write out the output for an input of zeros.": (new_weight, ...),
        "forgets epsilon, which counts where a variance is small.": (_scaled(weight, gamma / root), ...),
        "divides by the variance, not by its root.": (_scaled(weight, gamma / (var + EPS)), ...),
        "adds epsilon to the standard deviation, not to the variance.": (_scaled(weight, gamma / (root + EPS)), ...),
        "scales the weight along a wrong axis. Which of its axes belongs to the outputs?": Either(*along),
        "leaves the weight as it was. A stretch of the outputs has to go somewhere.": (weight, ...),
        "has the bias right, but not the weight.": (..., new_bias),
    }


EXERCISES = {
    "03-1": Exercise(
        points=4,
        draw=draw_rms,
        expected=rms_norm_backward,
        mistakes=wrong_rms,
        otherwise="is not the gradient yet. Try it on one sample of two units, against a difference quotient.",
        hints=(
            "Draw the graph of section 3 for this norm. How many paths from x to y are there?",
            "The path through r: every output of a sample contains 1 / r, and r contains every input of that sample.",
            "d(1/r)/dx_j = -1/(2 r^3) times 2 x_j / D. Multiply, sum over the outputs, and write x / r as x_hat.",
        ),
    ),
    "03-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        mistakes=lambda: first_wrong(prediction(), HINTS_OF_CHANGES),
        otherwise="is not right yet.",
        hints=(
            "Ask first what each change does to the output of the layer.",
            "A weight's gradient is input times that of its activation. It has a factor gamma / s: what becomes of s?",
            "In the first and third change s grows. In the last, how many directions are left, after section 3?",
        ),
    ),
    "03-3": Exercise(
        points=2,
        draw=draw_batches,
        expected=averages,
        mistakes=wrong_averages,
        otherwise="has neither average right. Work both out by hand for a single batch.",
        hints=(
            "Feed it the same batch again and again. To which variance should the average go, and to which does it go?",
            "Both bugs are in one line. A variance is taken around a centre, and divided by something.",
            "Which mean belongs to the values of this batch? And section 7 has a factor m / (m - 1).",
        ),
    ),
    "03-4": Exercise(
        points=3,
        draw=draw_norm,
        expected=groups,
        otherwise=other_groups,
        hints=(
            "Where a mean was subtracted, a mean is zero. Look at y alone, over different axes.",
            "Several answers can make a mean zero. Which is the most demanding of them?",
            "Go from the most groups down to one: y.reshape(N, groups, -1).mean(2). If none fits it is batch norm.",
        ),
    ),
    "03-5": Exercise(
        points=3,
        draw=draw_fold,
        expected=fold,
        mistakes=wrong_folds,
        otherwise="gives a layer that computes something else. Write out one unit: what multiplies x, what is added?",
        hints=(
            "At test time batch norm is a multiplication and an addition for each output unit.",
            "Write gamma (W u + b - mean) / s + beta and sort it: what stands with u, what stands alone?",
            "scale = gamma / sqrt(var + eps) goes along the weight's first axis, the outputs, however many it has.",
        ),
    ),
}
