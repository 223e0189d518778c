"""The exercises of chapter 03, batch normalization."""

import numpy as np

from course_utils.exercises.exercise import Exercise

HIDDEN = ("scratch",)  # of course_utils: holds answers, so it is not in the grader's sandbox
EPS = 1e-5


def _close(a, b):
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-5, atol=1e-8)


# 03-1: backward through RMS norm


def draw_rms(rng):
    shape = int(rng.integers(2, 6)), int(rng.integers(3, 8))
    x = rng.normal(rng.uniform(-2, 2), rng.uniform(0.5, 3), size=shape)
    return rng.normal(size=shape), x * rng.choice([0.01, 1])  # small samples, too: there epsilon counts


def _rms_norm_backward(dy, x, eps):
    r = np.sqrt((x**2).mean(1, keepdims=True) + eps)
    x_hat = x / r
    return (dy - x_hat * (dy * x_hat).mean(1, keepdims=True)) / r


def rms_norm_backward(dy, x):
    return _rms_norm_backward(dy, x, EPS)


def _layer_norm_backward(dy, x, axis):
    """Over the units of a sample (axis 1); batch norm's over axis 0."""
    x = x - x.mean(axis, keepdims=True)
    r = np.sqrt((x**2).mean(axis, keepdims=True) + EPS)
    return (dy - dy.mean(axis, keepdims=True) - x / r * (dy * x / r).mean(axis, keepdims=True)) / r


def explain_rms(inputs, got):
    dy, x = inputs
    r = np.sqrt((x**2).mean(1, keepdims=True) + EPS)
    x_hat = x / r
    detour = x_hat * (dy * x_hat).mean(1, keepdims=True)
    if _close(got, dy / r):
        return "has the direct path alone. On what does r depend?"
    if _close(got, _rms_norm_backward(dy, x, 0)):
        return "forgets epsilon, which counts where a sample is small."
    norm = np.sqrt(x.shape[1]) * r
    if _close(got, dy / norm) or _close(got, (dy - detour) / norm):
        return "divides by the length of the sample. Is the mean of squares in it, or their sum?"
    if _close(got, dy * r):
        return "undoes the forward pass. A gradient is not turned back into an input; it is multiplied by derivatives."
    if _close(got, (dy + detour) / r):
        return "has a wrong sign. If r grows, does the output grow or shrink?"
    if _close(got, (dy - x.shape[1] * detour) / r):
        return "sums where the forward pass takes a mean. What is the derivative of a mean by one of its values?"
    if _close(got, (dy - dy.mean(1, keepdims=True) - detour) / r):
        return "has a path too many: nothing is subtracted from x in the forward pass."
    if _close(got, dy - detour):
        return "has both paths, but forgets what both have in common: the division by r."
    if any(_close(got, _layer_norm_backward(dy, x, axis)) for axis in (0, 1)):
        return "is the gradient of a norm that subtracts a mean: layer norm or batch norm. Here none is subtracted."
    if _close(got, rms_norm_backward(dy.T, x.T).T):
        return "takes the mean over the samples. Here each sample is normalized by itself, over its units."
    return "is not the gradient yet. Try it on one sample of two units, against a difference quotient."


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


def explain_prediction(inputs, got):
    for mine, right, hint in zip(got, prediction(), HINTS_OF_CHANGES, strict=True):
        if not np.isclose(mine, right):
            return hint
    return None


# 03-3: the bug in the running averages


def draw_batches(rng):
    units = int(rng.integers(1, 5))
    centre, spread = rng.normal(0, 4, size=units), rng.uniform(0.5, 3, size=units)
    batches = [
        rng.normal(centre, spread, size=(int(rng.integers(2, 7)), units)) for _ in range(int(rng.integers(2, 8)))
    ]
    return batches, float(rng.uniform(0.05, 0.4))


def _averages(batches, momentum, ddof=1, around="batch", swapped=False):
    mean, var = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    keep = momentum if swapped else 1 - momentum
    for x in batches:
        before, mean = mean, keep * mean + (1 - keep) * x.mean(0)
        centre = {"batch": x.mean(0), "new": mean, "old": before}[around]
        var = keep * var + (1 - keep) * ((x - centre) ** 2).sum(0) / (len(x) - ddof)
    return mean, var


def averages(batches, momentum):
    return _averages(batches, momentum)


TURNED = "has old and new the wrong way round: momentum is the share of the new batch."
BUGS = (  # in the running variance: a sentence, and what `_averages` takes to make it
    ("", {}),
    ("still has both bugs. Try it on batches whose mean is far from zero.", {"ddof": 0, "around": "new"}),
    ("has the right divisor, but takes a variance around the wrong centre.", {"around": "new"}),
    ("has the right divisor, but takes a variance around the wrong centre.", {"around": "old"}),
    (
        "has the right centre. But is a variance from so few values, divided like this, right on average?",
        {"ddof": 0},
    ),
)


def explain_averages(inputs, got):
    mean, var = averages(*inputs)
    if _close(got[0], var) and _close(got[1], mean):
        return "gives the two in the wrong order: the mean comes first."
    for swapped in (False, True):
        if _close(got[0], _averages(*inputs, swapped=swapped)[0]):
            other = (
                "has the running mean right, but not the running variance."
                if not swapped
                else "has the wrong variance."
            )
            found = (words for words, bug in BUGS if _close(got[1], _averages(*inputs, swapped=swapped, **bug)[1]))
            return " Apart from that it ".join(filter(None, (TURNED if swapped else "", next(found, other))))
    if _close(got[1], var):
        return "has the running variance right, but not the running mean, which was right before."
    return "has neither average right. Work both out by hand for a single batch."


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
    return next(g for g in range(x.shape[1] + 1) if (g == 0 or x.shape[1] % g == 0) and _close(normalized(x, g), y))


def explain_groups(inputs, got):
    right, channels = groups(*inputs), inputs[0].shape[1]
    if got < 0 or got > channels or (got and channels % got):
        return "names a number of groups into which the channels cannot be divided."
    if got == 0 and right == channels:
        return (
            "takes instance norm for batch norm. If every channel of every image has mean zero, so has every channel "
            "of the batch; but is the reverse true?"
        )
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


def explain_fold(inputs, got):
    weight, bias, gamma, beta, mean, var = inputs
    new_weight, new_bias = fold(*inputs)
    scale = gamma / np.sqrt(var + EPS)
    if _close(got[0], new_weight):
        if _close(got[1], beta - scale * mean):
            return "has the weight right, but forgets the bias that the layer had before."
        if _close(got[1], bias - scale * mean + beta):
            return "has the weight right; in the bias, think again what is scaled and what is not."
        if _close(got[1], bias):
            return "has the weight right and leaves the bias as it was. What becomes of an input of zeros?"
        return "has the weight right, but not the bias. Write out the output for an input of zeros."
    if _close(got[0], _scaled(weight, gamma / np.sqrt(var))):
        return "forgets epsilon, which counts where a variance is small."
    if _close(got[0], _scaled(weight, gamma / (var + EPS))):
        return "divides by the variance. Activations are divided by a standard deviation."
    if _close(got[0], _scaled(weight, gamma / (np.sqrt(var) + EPS))):
        return "adds epsilon to the standard deviation. In the chapter it stands with the variance, under the root."
    fitting = (axis for axis in range(1, weight.ndim) if weight.shape[axis] == len(scale))
    if any(_close(got[0], np.moveaxis(_scaled(np.moveaxis(weight, k, 0), scale), 0, k)) for k in fitting):
        return "scales the weight along a wrong axis. Which of its axes belongs to the outputs?"
    if _close(got[0], weight):
        return "leaves the weight as it was. A stretch of the outputs has to go somewhere."
    if _close(got[1], new_bias):
        return "has the bias right, but not the weight."
    return "is not the same function yet. Write out one output unit: which number multiplies x, which is added?"


EXERCISES = {
    "03-1": Exercise(
        points=4,
        draw=draw_rms,
        expected=rms_norm_backward,
        explain=explain_rms,
        hints=(
            "Draw the graph of section 3 for this norm. How many paths from x to y are there?",
            "The path through r: every output of a sample contains 1 / r, and r contains every input of that sample.",
            "1 / r has the derivative -1 / (2 r^3) with respect to the mean square, and the mean square 2 x_j / D with "
            "respect to x_j. Multiply, sum over the outputs, and write x / r as x_hat.",
        ),
    ),
    "03-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        explain=explain_prediction,
        hints=(
            "Ask first what each change does to the output of the layer.",
            "The weights' gradient is (gradient of the activations) times (input). The first of the two holds a factor "
            "gamma / s: what becomes of s?",
            "In the first and third change s grows with the activations. For the last, look at what section 3 says "
            "about the number of directions that are left.",
        ),
    ),
    "03-3": Exercise(
        points=2,
        draw=draw_batches,
        expected=averages,
        explain=explain_averages,
        hints=(
            "Feed it the same batch again and again. To which variance should the average go, and to which does it go?",
            "Both bugs are in one line. A variance is taken around a centre, and divided by something.",
            "Which mean belongs to the values of this batch? And section 8 has a factor m / (m - 1).",
        ),
    ),
    "03-4": Exercise(
        points=3,
        draw=draw_norm,
        expected=groups,
        explain=explain_groups,
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
        explain=explain_fold,
        hints=(
            "At test time batch norm is a multiplication and an addition for each output unit.",
            "Write gamma (W u + b - mean) / s + beta and sort it: what stands with u, what stands alone?",
            "scale = gamma / sqrt(var + eps) belongs to output units: to the first axis of the weight, however many "
            "axes it has.",
        ),
    ),
}
