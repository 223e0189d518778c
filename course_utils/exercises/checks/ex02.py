"""The exercises of chapter 02, initialization."""

import math
from itertools import pairwise

import numpy as np

from course_utils.exercises.checking import Exercise
from course_utils.exercises.plain import same
from course_utils.scratch import fan_in_out

HIDDEN = ("explorers", "scratch")  # of course_utils: holds answers, so it is not in the grader's sandbox


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
    return draw_shape(rng), round(float(rng.uniform(0.1, 0.9)), 2)


def weight_variance(shape, beta):
    n_in, _ = fan_in_out(shape)
    return 2 / ((1 + beta**2) * n_in)


def explain_variance(inputs, got):
    shape, beta = inputs
    right = weight_variance(shape, beta)
    n_in, n_out = fan_in_out(shape)
    spread = (1 + beta**2) / 2 - (1 - beta) ** 2 / (2 * math.pi)
    wrong = {
        "ignores the negative half: it is passed on, if only faintly.": 2 / n_in,
        "adds beta where a mean square needs another power of it.": 2 / ((1 + beta) * n_in),
        "subtracts the negative half. Does a square care for a sign?": 2 / ((1 - beta**2) * n_in),
        "gives a standard deviation; the variance is asked for.": math.sqrt(right),
        "keeps the variance of the output. What does the next layer's formula multiply?": 1 / (spread * n_in),
        "counts the connections on the wrong side of the unit.": 2 / ((1 + beta**2) * n_out),
        "takes the mean of the two fans; here only the forward direction counts.": 4 / ((1 + beta**2) * (n_in + n_out)),
        "forgets the kernel: of how many values is one output a sum?": 2 / ((1 + beta**2) * shape[1]),
        "keeps the factor for a linear layer.": 1 / n_in,
    }
    return named(got, wrong) or "is not right yet. What is the mean square of the output for a symmetric input?"


# 02-2: seven stacks, predicted

LAYERS = 50
EXPONENTS = (-24, -15, -39, 4, -5, 0, 0)
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
    return (draw_shape(rng),)


def glorot_bound(shape):
    return math.sqrt(6 / sum(fan_in_out(shape)))


def bound_of_a_colleague(shape):
    n_out, n_in, *kernel = shape
    return math.sqrt(6 / (n_in * math.prod(kernel) + n_out))


def explain_bound(inputs, got):
    (shape,) = inputs
    total = sum(fan_in_out(shape))
    wrong = {
        "still has the bug. Try a convolution with few channels in and many out.": bound_of_a_colleague(shape),
        "leaves the kernel out altogether.": math.sqrt(6 / (shape[0] + shape[1])),
        "gives the standard deviation; a bound lies further out.": math.sqrt(2 / total),
        "gives the variance.": 2 / total,
        "is the bound of a distribution whose standard deviation is what Glorot's variance should be.": math.sqrt(12)
        * (2 / total)
        / 2,
        "gives the width of the whole interval.": 2 * math.sqrt(6 / total),
        "is the bound for fan-in alone.": math.sqrt(3 / fan_in_out(shape)[0]),
    }
    if len(shape) > 2:
        square = shape[2] ** 2 * (shape[0] + shape[1])
        wrong["takes every kernel for a square one."] = math.sqrt(6 / square)
    return named(got, wrong) or "is not right yet. Into how many sums does one input value go?"


# 02-4: measured instead of derived


def draw_stack(rng):
    while True:
        widths = [int(n) for n in rng.integers(6, 14, size=int(rng.integers(3, 6)))]
        weights = [rng.normal(rng.normal(0, 0.1), 0.5, size=(o, i)) for i, o in pairwise(widths)]
        x = rng.normal(0.3, 1, size=(20, widths[0]))
        if min(_roots(weights, x)) > 1e-3:  # no layer is dead
            return weights, x


def _roots(weights, x):
    """Root mean square of the activations of every layer, the weights taken as they are."""
    roots = []
    for weight in weights:
        a = x @ weight.T
        roots.append(float(np.sqrt(np.mean(a**2))))
        x = np.maximum(0, a)
    return roots


def factors(weights, x):
    roots = _roots(weights, x)  # a ReLU lets factors through: what came before has made each input 1 / root as large
    return [before / after for before, after in zip([1.0, *roots[:-1]], roots, strict=True)]


def explain_factors(inputs, got):
    weights, x = inputs
    right, roots = factors(weights, x), _roots(weights, x)
    if len(got) != len(weights):
        return "does not give one factor for each matrix."
    after, y = [], x
    for weight in weights:
        y = np.maximum(0, y @ weight.T)
        after.append(float(np.sqrt(np.mean(y**2))))
        y = y / after[-1] if after[-1] else y
    centred, y = [], x
    for weight in weights:
        centred.append(1 / float((y @ weight.T).std()))
        y = np.maximum(0, centred[-1] * (y @ weight.T))
    wrong = {
        "measures all layers with the weights as they were. Once a layer is scaled, what reaches the next?": [
            1 / root for root in roots
        ],
        "gives the numbers to divide by.": [1 / factor for factor in right],
        "divides by the mean square; weights are scaled by its root.": [factor**2 for factor in right],
        "looks at the signal after the ReLU; the activations before it are asked for.": [1 / root for root in after],
        "measures the deviation from the mean; the mean square counts the mean, too.": centred,
    }
    return named(list(got), wrong) or "does not give every layer's activations a mean square of 1."


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
            "Go through the layers from the first to the last, as a signal does.",
            "When you measure a layer, the layers below it have their new weights already.",
            "Layer by layer: activations, one over the root of their mean square, the ReLU of the scaled activations.",
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
