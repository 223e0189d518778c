"""The exercises of chapter 02, initialization."""

import math
from itertools import pairwise

import numpy as np

from course_utils.exercises.exercise import Exercise, told_apart
from course_utils.exercises.plain import same
from course_utils.scratch import fan_in_out

HIDDEN = ("scratch",)  # of course_utils: holds answers, so it is not in the grader's sandbox


def named(got, wrong):
    """The sentence of `wrong` (sentence -> answer) whose answer was given; None if it is none of them."""
    return next((sentence for sentence, answer in wrong.items() if same(got, answer)), None)


def draw_shape(rng):
    n_out, n_in = int(rng.integers(2, 10)), int(rng.integers(10, 40))
    if rng.random() < 0.5:
        n_out, n_in = n_in, n_out
    return (n_out, n_in, *(int(k) for k in rng.integers(2, 6, size=2)))[: 2 if rng.random() < 0.3 else 4]


# 02-1: the rule for a leaky ReLU


def draw_variance(rng):
    while True:
        shape, beta = draw_shape(rng), round(float(rng.uniform(0.1, 0.9)), 2)
        pairs = {(n, factor) for n in _connections(shape).values() for factor in _rules(beta).values()}
        if len({round(math.log(factor / n), 6) for n, factor in pairs}) == len(pairs):  # mistakes are told apart
            return shape, beta


def weight_variance(shape, beta):
    n_in, _ = fan_in_out(shape)
    return 2 / ((1 + beta**2) * n_in)


def _connections(shape):
    n_in, n_out = fan_in_out(shape)
    wrong = {
        "": n_in,
        "counts the connections on the wrong side of the unit.": n_out,
        "takes the mean of the two fans; here only the forward direction counts.": (n_in + n_out) / 2,
        "forgets the kernel: of how many values is one output a sum?": shape[1],
        "counts the units of the layer, not what one of them is a sum of.": shape[0],
        "does not depend on how many values an output is a sum of.": 1,
    }
    if len(shape) == 4:
        wrong["takes the channels to come last; here the shape begins with (out, in)."] = math.prod(shape[:3])
    return wrong


def _rules(beta):
    return {
        "": 2 / (1 + beta**2),
        "ignores the negative half: it is passed on, if only faintly.": 2,
        "adds beta where a mean square needs another power of it.": 2 / (1 + beta),
        "subtracts the negative half. Does a square care for a sign?": 2 / (1 - beta**2),
        "keeps the variance of the output. What does the next layer's formula multiply?": 1
        / ((1 + beta**2) / 2 - (1 - beta) ** 2 / (2 * math.pi)),
        "is the rule for a linear layer.": 1,
        "counts each half as if it were the whole distribution.": 1 / (1 + beta**2),
        "has a factor of 2 too many.": 4 / (1 + beta**2),
    }


def explain_variance(inputs, got):
    """A wrong answer has a wrong number of connections, a wrong factor, or both: each has a sentence of its own."""
    shape, beta = inputs
    if same(got, math.sqrt(weight_variance(shape, beta))):
        return "gives a standard deviation; the variance is asked for."
    for count, n in _connections(shape).items():
        for kind, factor in _rules(beta).items():
            if same(got, factor / n):
                return " It also ".join(filter(None, (count, kind)))
    return "is not right yet. What is the mean square of the output for a symmetric input?"


# 02-2: seven stacks, predicted

LAYERS = 50
EXPONENTS = (6, -15, -39, 4, -3, 0, 0)
HINTS_OF_STACKS = (
    "Stack A: what is the variance of this uniform distribution, times n?",
    "Stack B: what does a ReLU leave of the mean square?",
    "Stack C: two factors meet here, one of the weights and one of the ReLU.",
    "Stack D: the mean square grows by the square of what the weights grow by.",
    "Stack E: take two layers together, one of each kind.",
    "Stack F: a curve that crosses the diagonal.",
    "Stack G: what is the variance of this uniform distribution, times n, halved?",
)


def exponents():
    return EXPONENTS


def explain_exponents(inputs, got):
    if same(got, tuple(round(e / 2) for e in EXPONENTS)):
        return "gives the powers for the root of the mean square."
    if same(got, tuple(-e for e in EXPONENTS)):
        return "has all signs turned round: a signal that dies has a negative exponent."
    return "has a stack that is not right. " + next(
        hint for mine, right, hint in zip(got, EXPONENTS, HINTS_OF_STACKS, strict=True) if mine != right
    )


# 02-3: the bug in a bound


def draw_bound(rng):
    while True:
        shape = draw_shape(rng)
        if told_apart(glorot_bound(shape), _wrong_bounds(shape).values()):
            return (shape,)


def glorot_bound(shape):
    return math.sqrt(6 / sum(fan_in_out(shape)))


def bound_of_a_colleague(shape):
    n_out, n_in, *kernel = shape
    return math.sqrt(6 / (n_in * math.prod(kernel) + n_out))


def _wrong_bounds(shape):
    total = sum(fan_in_out(shape))
    wrong = {
        "still has the bug. Try a convolution with few channels in and many out.": bound_of_a_colleague(shape),
        "leaves the kernel out altogether.": math.sqrt(6 / (shape[0] + shape[1])),
        "has the bug on the other side now.": math.sqrt(6 / (shape[1] + shape[0] * math.prod(shape[2:]))),
        "gives the standard deviation; a bound lies further out.": math.sqrt(2 / total),
        "gives the variance.": 2 / total,
        "is the bound of a distribution whose standard deviation is what Glorot's variance should be.": math.sqrt(12)
        * (2 / total)
        / 2,
        "gives the width of the whole interval.": 2 * math.sqrt(6 / total),
        "is the bound for fan-in alone.": math.sqrt(3 / fan_in_out(shape)[0]),
        "is the bound for fan-out alone.": math.sqrt(3 / fan_in_out(shape)[1]),
    }
    if len(shape) > 2:
        square = shape[2] ** 2 * (shape[0] + shape[1])
        wrong["takes every kernel for a square one."] = math.sqrt(6 / square)
        last = math.prod(shape[:2]) * (shape[2] + shape[3])
        wrong["takes the channels to come last; here the shape begins with (out, in)."] = math.sqrt(6 / last)
    return wrong


def explain_bound(inputs, got):
    (shape,) = inputs
    other = "is not right yet. Work out both fans of a small convolution by hand, connection by connection."
    return named(got, _wrong_bounds(shape)) or other


# 02-4: measured on the way back


def draw_stack(rng):
    while True:
        widths = [int(n) for n in rng.integers(6, 14, size=int(rng.integers(4, 7)))]
        weights = [rng.normal(rng.normal(0, 0.1), 0.5, size=(o, i)) for i, o in pairwise(widths)]
        x, dy = rng.normal(0.3, 1, size=(20, widths[0])), rng.normal(0.5, 1, size=(20, widths[-1]))
        if min(_roots(weights, x, dy)) > 1e-3:  # no layer is dead
            return weights, x, dy


def _activations(weights, x):
    found = []
    for weight in weights:
        found.append(x @ weight.T)
        x = np.maximum(0, found[-1])
    return found


def _root(values):
    return float(np.sqrt(np.mean(values**2))) or 1.0


def _roots(weights, x, dy):
    """Root mean square of the gradients by every layer's input, the weights taken as they are."""
    roots = []
    for weight, a in zip(weights[::-1], _activations(weights, x)[::-1], strict=True):
        dy = (dy * (a > 0)) @ weight
        roots.append(_root(dy))
    return roots[::-1]


def factors(weights, x, dy):
    # Positive factors switch no unit on or off: what is above has made each gradient 1 / root as large.
    roots = _roots(weights, x, dy)
    return [above / root for root, above in zip(roots, [*roots[1:], 1.0], strict=True)]


def _factors(weights, x, dy, size=_root, masks=True, after=False):
    """`factors` with a mistake: another measure, no ReLU on the way, or the gradient by the activations below."""
    activations, found = _activations(weights, x), []
    for k in range(len(weights) - 1, -1, -1):
        gradient = (dy * (activations[k] > 0) if masks else dy) @ weights[k]
        measured = gradient * (activations[k - 1] > 0) if after and k else gradient
        found.append(1 / size(measured))
        dy = found[-1] * gradient
    return found[::-1]


def explain_factors(inputs, got):
    weights, x, dy = inputs
    right = factors(weights, x, dy)
    if len(got) != len(weights):
        return "does not give one factor for each matrix."
    up = [_root(a) for a in _activations(weights, x)]
    wrong = {
        "has the factors from the last layer to the first.": right[::-1],
        "measures all layers with the weights as they were. Once a layer is scaled, what reaches the one below?": [
            1 / root for root in _roots(weights, x, dy)
        ],
        "gives the numbers to divide by.": [1 / factor for factor in right],
        "divides by the mean square; weights are scaled by its root.": [factor**2 for factor in right],
        "brings the activations to size, as the chapter does. Here it is the gradients.": [
            below / root for below, root in zip([1.0, *up[:-1]], up, strict=True)
        ],
        "sends the gradient down as if there were no ReLU.": _factors(*inputs, masks=False),
        "takes the gradient by the activations of the layer below, where some units are off already.": _factors(
            *inputs, after=True
        ),
        "measures the standard deviation; the mean square counts the mean, too.": _factors(*inputs, size=np.std),
    }
    return (
        named(list(got), wrong)
        or "does not give every gradient a mean square of 1. Scale the last layer alone, and measure below it."
    )


# 02-5: the same path


def draw_rescue(rng):
    return round(float(rng.uniform(0.3, 1.7) if rng.random() < 0.8 else rng.uniform(2.3, 3)), 2), int(
        rng.integers(4, 31)
    )


def rescue(share, layers):
    return (2 / share) ** (layers / 2), share / 2


def explain_rescue(inputs, got):
    share, layers = inputs
    output, step = rescue(share, layers)
    wrong_output = {
        "has an output factor for mean squares; scores are not squared.": output**2,
        "makes the output of the net even smaller, or larger, than it is.": 1 / output,
        "counts one layer too few.": (2 / share) ** ((layers - 1) / 2),
        "corrects a single layer; there are more.": math.sqrt(2 / share),
    }
    wrong_step = {
        "has the output right, and the step of the other net: which of the two has the larger gradients?": 1 / step,
        "has the output right, but the step misses a factor: the gradient and the weights are both scaled.": math.sqrt(
            step
        ),
        "has the output right, but the step has the same factor twice too often.": step**2,
        "has the output right, but lets the step follow the number of layers. One weight matrix is enough to see it.": 1
        / output**2,
        "has the output right, but leaves the step as it is. Then the weights move too far, or not far enough.": 1.0,
    }
    if not same(got[0], output):
        return named(got[0], wrong_output) or "has an output factor that does not make the two functions equal."
    return (
        named(got[1], wrong_step) or "has the output right, but not the step. Write the new weights of both nets down."
    )


EXERCISES = {
    "02-1": Exercise(
        points=2,
        draw=draw_variance,
        expected=weight_variance,
        explain=explain_variance,
        hints=(
            "Where in section 7 does the one half come from, and what happens there to the other half?",
            "Split the mean square into the positive and the negative half of a symmetric distribution.",
            "E[g(a)²] is half of Var(a) from above, beta² times as much from below; n_in Var(W) times both must be 1.",
        ),
    ),
    "02-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=exponents,
        explain=explain_exponents,
        hints=(
            "For each stack find the factor of one layer first: n Var(W), and what the nonlinearity leaves.",
            "Fifty layers: 50 times the logarithm of the factor. log10(2) is 0.301, log10(3) is 0.477.",
            "Two of the seven have no factor to take a power of; two need two numbers multiplied before the logarithm.",
        ),
    ),
    "02-3": Exercise(
        points=2,
        draw=draw_bound,
        expected=glorot_bound,
        explain=explain_bound,
        hints=(
            "Both fans count connections. Of what, and into what?",
            "For dense layers the function is right. What do they lack that a convolution has?",
            "An input value is read by every filter, and by each of them at several places.",
        ),
    ),
    "02-4": Exercise(
        points=3,
        draw=draw_stack,
        expected=factors,
        explain=explain_factors,
        hints=(
            "Which way does a gradient travel, and what has it met before it comes to a layer?",
            "First a pass up: which units are on? Do positive factors change that? Then begin at the top.",
            "Going down: switch off what was off, multiply by W, scale to mean square 1, go on with the scaled.",
        ),
    ),
    "02-5": Exercise(
        points=3,
        draw=draw_rescue,
        expected=rescue,
        explain=explain_rescue,
        hints=(
            "With the same random numbers, by which factor r is each weight smaller than He's?",
            "Each layer passes its r on to the output. For the step, look at one matrix and use the chain rule.",
            "W = r W_He, so the gradient by W is that by W_He over r; and W has to move r times as far as W_He.",
        ),
    ),
}
