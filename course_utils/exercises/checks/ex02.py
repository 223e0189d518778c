"""The exercises of chapter 02, initialization."""

import math
from itertools import pairwise

import numpy as np

from course_utils.exercises.exercise import Either, Exercise, first_wrong
from course_utils.scratch import fan_in_out

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


def draw_shape(rng):
    n_out, n_in = int(rng.integers(2, 10)), int(rng.integers(10, 40))
    if rng.random() < 0.5:
        n_out, n_in = n_in, n_out
    return (n_out, n_in, *(int(k) for k in rng.integers(2, 6, size=2)))[: 2 if rng.random() < 0.3 else 4]


# 02-1: the rule for a leaky ReLU


def weight_variance(shape, beta):
    return 2 / ((1 + beta**2) * fan_in_out(shape)[0])


def _wrong_counts(shape):
    n_in, n_out = fan_in_out(shape)
    of_a_window = {
        "forgets the kernel: of how many values is one output a sum?": shape[1],
        "counts the units of the layer, not what one of them is a sum of.": shape[0],
        "takes the channels to come last; here the shape begins with (out, in).": math.prod(shape[:3]),
    }
    return {
        "counts the connections on the wrong side of the unit.": n_out,
        "takes the mean of the two fans; here only the forward direction counts.": (n_in + n_out) / 2,
        "does not depend on how many values an output is a sum of.": 1,
        **(of_a_window if len(shape) == 4 else {}),
    }


def wrong_variances(shape, beta):
    n, square = fan_in_out(shape)[0], 1 + beta**2
    spread = square / 2 - (1 - beta) ** 2 / (2 * math.pi)  # of a leaky ReLU's output, for an input from N(0, 1)
    likely = {
        "ignores the negative half: it is passed on, if only faintly.": 2,
        "adds beta where a mean square needs another power of it.": 2 / (1 + beta),
        "is the rule for a linear layer.": 1,
    }
    counts = _wrong_counts(shape).items()
    return {
        "gives a standard deviation; the variance is asked for.": Either(math.sqrt(2 / square / n), math.sqrt(2 / n)),
        "subtracts the negative half. Does a square care for a sign?": 2 / (1 - beta**2) / n,
        "keeps the variance of the output. What does the next layer's formula multiply?": 1 / spread / n,
        "counts each half as if it were the whole distribution.": 1 / square / n,
        "has one factor of 2 too many.": 4 / square / n,
        **{kind: factor / n for kind, factor in likely.items()},
        **{count: 2 / square / wrong for count, wrong in counts},
        **{f"{count} It also {kind}": factor / wrong for count, wrong in counts for kind, factor in likely.items()},
    }


# 02-2: seven stacks, predicted

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


def wrong_exponents():
    return {
        "gives the powers for the root of the mean square.": tuple(round(e / 2) for e in EXPONENTS),
        "has all signs turned round: a signal that dies has a negative exponent.": tuple(-e for e in EXPONENTS),
        "gives powers of e; those of ten are asked for.": (14, -35, -90, 10, -7, 0, 0),
        **first_wrong(EXPONENTS, (f"has a stack that is not right. {hint}" for hint in HINTS_OF_STACKS)),
    }


# 02-3: the bug in a bound


def glorot_bound(shape):
    return math.sqrt(6 / sum(fan_in_out(shape)))


def bound_of_a_colleague(shape):
    return math.sqrt(6 / (fan_in_out(shape)[0] + shape[0]))


def wrong_bounds(shape):
    right, (n_in, n_out), (channels_out, channels_in, *kernel) = glorot_bound(shape), fan_in_out(shape), shape
    height, width = kernel or (1, 1)
    last = channels_out * channels_in * (height + width) if kernel else n_in + n_out
    return {
        "still has the bug. Try a convolution with few channels in and many out.": bound_of_a_colleague(shape),
        "has the bug on the other side now.": math.sqrt(6 / (channels_in + n_out)),
        "leaves the kernel out altogether.": math.sqrt(6 / (channels_out + channels_in)),
        "takes every kernel for a square one.": right * math.sqrt(width / height),
        "takes the channels to come last; here the shape begins with (out, in).": math.sqrt(6 / last),
        "gives the standard deviation; a bound lies further out.": right / math.sqrt(3),
        "gives the variance.": right**2 / 3,
        "takes Glorot's variance for a standard deviation.": right**2 / math.sqrt(3),
        "gives the width of the whole interval.": 2 * right,
        "divides by the mean of the two fans, not by their sum.": right * math.sqrt(2),
        "is the bound for fan-in alone.": math.sqrt(3 / n_in),
        "is the bound for fan-out alone.": math.sqrt(3 / n_out),
        "is He's bound: that of ReLU layers, and for fan-in alone.": math.sqrt(6 / n_in),
    }


# 02-4: measured on the way back


def draw_stack(rng):
    widths = [int(n) for n in rng.integers(6, 14, size=int(rng.integers(4, 7)))]
    weights = [rng.normal(rng.uniform(0.02, 0.2), 0.5, size=(o, i)) for i, o in pairwise(widths)]
    return weights, rng.normal(0.3, 1, size=(20, widths[0])), rng.normal(0.5, 1, size=(20, widths[-1]))


def _root(values):
    return np.sqrt(np.mean(values**2))


def factors(weights, x, dy, size=_root, forgotten=0, below=False):
    """With mistakes: another measure, so many ReLUs forgotten, from the top, or that of the layer below counted in."""
    on = [np.ones_like(x)]  # positive factors switch no unit on or off
    for weight in weights:
        x = np.maximum(0, x @ weight.T)
        on.append(x > 0)
    found = []
    for k in range(len(weights), 0, -1):
        gradient = (dy if k > len(weights) - forgotten else dy * on[k]) @ weights[k - 1]
        found.append(float(1 / size(gradient * on[k - 1] if below else gradient)))
        dy = found[-1] * gradient
    return found[::-1]


def _of_activations(weights, x, dy):
    found = []
    for weight in weights:
        a = x @ weight.T
        found.append(1 / _root(a))
        x = np.maximum(0, found[-1] * a)
    return found


def wrong_factors(*inputs):
    right = factors(*inputs)
    squares = Either([factor**2 for factor in right], factors(*inputs, size=lambda g: np.mean(g**2)))
    before = [math.prod(right[k:]) for k in range(len(right))]
    return {
        "has the factors from the last layer to the first; the first layer's comes first.": right[::-1],
        "measures with the weights as they were. Once a layer is scaled, what reaches the one below?": before,
        "gives the numbers to divide by; those to multiply by are asked for.": [1 / factor for factor in right],
        "divides by the mean square; weights are scaled by its root.": squares,
        "brings the activations to size, as the chapter does. Here it is the gradients.": _of_activations(*inputs),
        "sends the gradient down as if there were no ReLU.": factors(*inputs, forgotten=len(right)),
        "forgets the ReLU after the last matrix.": factors(*inputs, forgotten=1),
        "takes the gradient below the next ReLU, where some units are off already.": factors(*inputs, below=True),
        "measures the standard deviation; the mean square counts the mean, too.": factors(*inputs, size=np.std),
        "adds up squares; the mean of them is asked for.": factors(*inputs, size=np.linalg.norm),
    }


def other_factors(inputs, got):
    if len(got) != len(inputs[0]):
        return "does not give one factor for each matrix."
    return "does not give every gradient a mean square of 1. Scale the last layer alone, and measure below it."


# 02-5: the same path


def draw_rescue(rng):
    share = rng.uniform(0.3, 1.7) if rng.random() < 0.8 else rng.uniform(2.3, 3)
    return round(float(share), 2), int(rng.integers(4, 31))


def rescue(share, layers):
    return (2 / share) ** (layers / 2), share / 2


def wrong_rescues(share, layers):
    output, step = rescue(share, layers)
    layer, right = math.sqrt(2 / share), "has the output right"
    return {
        "gives the two in the wrong order: the output's factor comes first.": (step, output),
        f"{right}, and the step of the other net: which of the two has the larger gradients?": (output, 1 / step),
        f"{right}, but the step misses a factor: gradient and weights are both scaled.": (output, math.sqrt(step)),
        f"{right}, but the step has its factor twice.": (output, step**2),
        f"{right}, but lets the step follow the number of layers. Look at one matrix.": (output, output**-2),
        f"{right}, but leaves the step as it is. Then the weights move too far, or not far enough.": (output, 1.0),
        f"{right}, but not the step. Write the new weights of both nets down.": (output, ...),
        "has an output factor for mean squares; scores are not squared.": (output**2, ...),
        "makes the output of the net even smaller, or larger, than it is.": (1 / output, ...),
        "counts one layer too few, or one too many.": Either((output / layer, ...), (output * layer, ...)),
        "corrects a single layer; there are more.": (layer, ...),
    }


EXERCISES = {
    "02-1": Exercise(
        points=2,
        draw=lambda rng: (draw_shape(rng), round(float(rng.uniform(0.1, 0.9)), 2)),
        expected=weight_variance,
        mistakes=wrong_variances,
        otherwise="is not right yet. What is the mean square of the output for a symmetric input?",
        hints=(
            "Where in section 6 does the one half come from, and what happens there to the other half?",
            "Split the mean square into the positive and the negative half of a symmetric distribution.",
            "E[g(a)²] is half of Var(a) from above, beta² times as much from below; n_in Var(W) times both must be 1.",
        ),
    ),
    "02-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=lambda: EXPONENTS,
        mistakes=wrong_exponents,
        otherwise="is not right yet.",
        hints=(
            "For each stack find the factor of one layer first: n Var(W), and what the nonlinearity leaves.",
            "Fifty layers: 50 times the logarithm of the factor. log10(2) is 0.301, log10(3) is 0.477.",
            "Two of the seven have no factor to take a power of; two need two numbers multiplied before the logarithm.",
        ),
    ),
    "02-3": Exercise(
        points=2,
        draw=lambda rng: (draw_shape(rng),),
        expected=glorot_bound,
        mistakes=wrong_bounds,
        otherwise="is not right yet. Work out both fans of a small convolution by hand, connection by connection.",
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
        mistakes=wrong_factors,
        otherwise=other_factors,
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
        mistakes=wrong_rescues,
        otherwise="has an output factor that does not make the two functions equal.",
        hints=(
            "With the same random numbers, by which factor r is each weight smaller than He's?",
            "Each layer passes its r on to the output. For the step, look at one matrix and use the chain rule.",
            "W = r W_He, so the gradient by W is that by W_He over r; and W has to move r times as far as W_He.",
        ),
    ),
}
