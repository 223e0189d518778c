"""The exercises of chapter 01, nonlinearities."""

import math
from functools import lru_cache

import numpy as np

from course_utils import scratch
from course_utils.exercises.exercise import Either, Exercise, first_wrong

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 01-1: softmax with a temperature


def draw_softmax(rng):
    rows, classes = int(rng.integers(3, 7)), int(rng.integers(2, 7))
    offset = rng.choice([-1e4, 0.0, 1e4], size=(rows, 1))
    offset[:3, 0] = rng.choice([0.0, 1e4]), rng.choice([-1e4, 1e4]), 0.0  # each way to overflow shows elsewhere
    a = rng.normal(scale=3, size=(rows, classes)) + offset
    a[0, 0] += 1e4  # far from the mean of its row, too
    return a, float(rng.choice([0.25, 0.5, 2.0, 4.0]))


def softmax(a, temperature):
    return scratch.softmax(a / temperature)


def wrong_softmax(a, t):
    raw = scratch.softmax_as_written
    naive = Either(*map(raw, (a / t, -a / t, a, a * t, a / t - a.max(1, keepdims=True))))
    return {
        "exponentiates the activations as they are, or still far from 0: infinity for some, zeros for others.": naive,
        "subtracts one maximum from all rows. A row far below it has only zeros to add up.": raw((a - a.max()) / t),
        "subtracts the mean of each row, or its minimum; some lie far above.": raw((a - a.mean(1, keepdims=True)) / t),
        "subtracts a maximum of each column. What cancels is what a whole row shares.": raw((a - a.max(0)) / t),
        "makes the largest activation the least likely, as slide 7 does. Look at the signs.": softmax(-a, t),
        "ignores the temperature, or lets it cancel.": scratch.softmax(a),
        "multiplies by the temperature: a high one should make all probabilities more alike.": scratch.softmax(a * t),
        "divides the probabilities by the temperature; it belongs to the activations.": scratch.softmax(a) / t,
        "sums over the wrong axis: a row is one example, a column one class.": scratch.softmax(a / t, axis=0),
        "gives the logarithms of the probabilities.": scratch.log_softmax(a / t),
    }


def other_softmax(inputs, got):
    if (got < 0).any() or not np.allclose(got.sum(axis=1), 1):
        return "has rows that are no probabilities: those are not negative, and their sum is 1."
    return "is not right yet. Work out one row of two activations by hand, at a temperature of 1 and of 2."


# 01-2: what autograd keeps, predicted

BATCH, HIDDEN_UNITS = 32, (256, 128)
KEPT = (1, 1, 2, 1, 1, 2)  # arrays for each hidden layer: tanh, ReLU, ELU, ELU in place, none, 2 sigmoid(2a) - 1
HINTS_OF_NETS = (
    "Net 1: is anything needed beside tanh's output, and who needs that anyway?",
    "Net 2: ReLU's derivative can be read off its output. Compare with what you said of tanh.",
    "Net 3: by default PyTorch differentiates ELU from its input.",
    "Net 4: what is overwritten cannot be kept.",
    "Net 5: a linear layer needs its own input, whatever comes before.",
    "Net 6: which of the intermediate results does the derivative of the sigmoid need, and which the next layer?",
)


def prediction(size=4, batch=BATCH, units=HIDDEN_UNITS, more=0):
    return tuple(arrays * size * batch * sum(units) + size * batch * more for arrays in KEPT)


def wrong_predictions():
    outer = Either(*(prediction(more=numbers) for numbers in (784, 10, 794)))
    return {
        "counts numbers; a float32 has several bytes.": prediction(size=1),
        "counts bits; bytes are asked for.": prediction(size=32),
        "counts in KiB; bytes are asked for.": tuple(value / 1024 for value in prediction()),
        "counts eight bytes for each number; these are float32.": prediction(size=8),
        "counts one image; the batch has more.": prediction(batch=1),
        "counts the first hidden layer only.": prediction(units=HIDDEN_UNITS[:1]),
        "counts the second hidden layer only.": prediction(units=HIDDEN_UNITS[1:]),
        "counts the input of the net or its output, too; only what the hidden layers keep is asked for.": outer,
        **first_wrong(prediction(), (f"is not right for one of the nets. {hint}" for hint in HINTS_OF_NETS)),
    }


# 01-3: the bug in a census of dead units


def draw_dead(rng):
    """Nine units: one that is 0 on all images; three awake on a single image, of the first batch, of a middle one and
    of the last; a dead one; and four awake on more of them, the last on all, by its bias alone.
    """
    batch_size = int(rng.integers(3, 8))
    rest = int(rng.integers(1, batch_size)) if rng.random() < 0.8 else batch_size  # images of the last batch
    count = int(rng.integers(2, 5)) * batch_size + rest
    single = rng.integers(batch_size), rng.integers(batch_size, count - rest), rng.integers(count - rest, count)
    awake = rng.random((count, 9)) < (0, 0, 0, 0, 0, 0.2, 0.5, 0.8, 1)
    awake[single, (1, 2, 3)] = True
    a = rng.uniform(0.5, 2, size=awake.shape) * np.where(awake, 1, -1)
    images, bias = rng.normal(size=(count, count)), np.append(rng.normal(size=8), 3)
    weight = np.linalg.solve(images, a - bias).T
    weight[0] = bias[0] = 0
    order = rng.permutation(9)
    return images, weight[order], bias[order], batch_size


def dead_units(images, weight, bias, batch_size):
    return (images @ weight.T + bias <= 0).all(axis=0)


def wrong_censuses(images, weight, bias, batch_size):
    a = images @ weight.T + bias
    silent = [(a[start : start + batch_size] <= 0).all(axis=0) for start in range(0, len(a), batch_size)]
    before = "What does it believe of a unit before it has seen the first batch?"
    return {
        "still has the bug. Which units does it call dead that are awake in another batch?": np.any(silent, axis=0),
        "says which units are alive; the dead ones are asked for.": (a > 0).any(axis=0),
        "takes a unit that is exactly 0 for alive. What is the derivative of ReLU there?": (a < 0).all(axis=0),
        "looks for zeros before the ReLU has made any.": (a == 0).all(axis=0),
        "looks at the last batch only.": silent[-1],
        "looks at the first batch only.": silent[0],
        "leaves out the last batch, which may be an incomplete one.": np.all(silent[:-1], axis=0),
        "goes by the mean. A single image on which a unit is active passes a gradient on.": a.mean(axis=0) <= 0,
        "calls a unit dead that is silent on a single image.": (a <= 0).any(axis=0),
        "leaves out the bias.": (images @ weight.T <= 0).all(axis=0),
        f"calls every unit dead. {before}": np.ones(len(bias), bool),
        f"calls no unit at all dead. {before}": np.zeros(len(bias), bool),
    }


# 01-4: ELU's gradient from its output


def draw_elu(rng):
    shape, alpha = tuple(int(n) for n in rng.integers(2, 6, size=2)), float(rng.choice([0.5, 0.8, 1.5, 2.0]))
    a = rng.normal(scale=2, size=shape)
    a.flat[:2] = -1.0, 1.0  # both cases, in each draw
    return rng.normal(size=shape), scratch.elu(a, alpha), alpha


def elu_backward(dy, y, alpha):
    return dy * np.where(y > 0, 1, y + alpha)


def wrong_elu(dy, y, alpha):
    return {
        "has the two cases swapped, as slide 11 has them.": dy * np.where(y < 0, 1, y + alpha),
        "is right for α = 1 only.": dy * np.where(y > 0, 1, y + 1),
        "takes y for exp(a) − 1. There is an α in y, too.": dy * np.where(y > 0, 1, alpha * (y + 1)),
        "gives exp(a) on the left. The derivative has a factor more.": dy * np.where(y > 0, 1, y / alpha + 1),
        "takes the output for the input: y is known here, a is not.": dy * np.where(y > 0, 1, alpha * np.exp(y)),
        "forgets dy, the gradient that comes from above.": np.where(y > 0, 1, y + alpha),
        "multiplies by dy on the right only, not on the left.": np.where(y > 0, dy, y + alpha),
        "multiplies by dy on the left only, not on the right.": np.where(y > 0, 1, dy * (y + alpha)),
        "multiplies a part of the left derivative only. Are there brackets?": np.where(y > 0, dy, dy * y + alpha),
        "treats both sides alike. To the right of 0 ELU is the diagonal.": dy * (y + alpha),
        "multiplies by y on the right, too, where the derivative is 1.": dy * np.where(y > 0, y, y + alpha),
        "gives ReLU's gradient.": dy * (y > 0),
        "gives leaky ReLU's gradient: a constant slope on the left.": dy * np.where(y > 0, 1, alpha),
    }


# 01-5: the scale that keeps the gradient, measured


def left_over(scale, alpha, layers=20, units=32):
    rng = np.random.default_rng(0)
    y, weights, slopes = rng.normal(size=(16, units)), [], []
    for _ in range(layers):
        weights.append(rng.normal(size=(units, units)) * scale / np.sqrt(units))
        a = y @ weights[-1]
        low = alpha * np.exp(np.minimum(a, 0))
        y, slope = np.where(a > 0, a, low - alpha), np.where(a > 0, 1, low)
        slopes.append(slope)
    delta = last = rng.normal(size=y.shape) * slopes[-1]
    for weight, slope in zip(weights[:0:-1], slopes[-2::-1], strict=True):
        delta = delta @ weight.T * slope
    return float(np.linalg.norm(delta) / np.linalg.norm(last))


@lru_cache  # of 121 that are drawn
def edge(alpha):
    low, high = 0.3, 3.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if left_over(middle, alpha) < 1 else (low, middle)
    return (low + high) / 2


def wrong_edges(alpha):
    deviation, line = edge(alpha) / math.sqrt(32), math.sqrt(2 / (1 + alpha**2))
    return {
        "gives ReLU's scale for every α. ELU lets gradients through on the left side, too.": math.sqrt(2),
        "takes the left side for a straight line of slope α. It is bent: measure.": line,
        "gives the standard deviation of the weights; the scale is asked for, in units of 1/√n.": deviation,
    }


def other_edge(inputs, got):
    if not 0.1 < got < 10:
        return "gives a scale that is far off."
    larger = left_over(got, *inputs) > 1
    return f"gives a scale at which the gradient {'grows' if larger else 'shrinks'} on its way to the first layer."


EXERCISES = {
    "01-1": Exercise(
        points=2,
        draw=draw_softmax,
        expected=softmax,
        mistakes=wrong_softmax,
        otherwise=other_softmax,
        hints=(
            "Which exponents can overflow, and what may be added to all activations of a row without changing a thing?",
            "Divide by the temperature first. Then subtract from each row its maximum.",
            "The maximum and the sum both go over axis 1, and keepdims=True keeps them in line with the rows.",
        ),
    ),
    "01-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        mistakes=wrong_predictions,
        otherwise="is not right yet.",
        hints=(
            "For each operation write down what its derivative needs: its input, its output, or neither.",
            "An array that two operations need is stored once. The next linear layer needs its input in any case.",
            "A hidden layer keeps one array or two of batch × units × 4 bytes. The chapter has a table in section 5.",
        ),
    ),
    "01-3": Exercise(
        points=2,
        draw=draw_dead,
        expected=dead_units,
        mistakes=wrong_censuses,
        otherwise="is not right yet. A unit is dead if it passes no gradient on for any image of the whole set.",
        hints=(
            "Take two batches and a unit that is active on the first and silent on the second.",
            "Dead on the whole set means dead on the first batch and on the second and on the third.",
            "The census has to begin with all units dead, and a batch may only ever take units off the list.",
        ),
    ),
    "01-4": Exercise(
        points=2,
        draw=draw_elu,
        expected=elu_backward,
        mistakes=wrong_elu,
        otherwise="is not right yet. Write a as a function of y for y < 0, and put it into the derivative.",
        hints=(
            "For a < 0 the derivative is α exp(a). How much of that is in y already?",
            "y = α exp(a) − α on the left side. And the sign of y tells the side.",
            "The derivative is 1 where y > 0, else y plus a constant. The chain rule multiplies by dy.",
        ),
    ),
    "01-5": Exercise(
        points=4,
        draw=lambda rng: (round(float(rng.uniform(0.3, 1.5)), 2),),
        expected=edge,
        mistakes=wrong_edges,
        otherwise=other_edge,
        accept=lambda inputs, got: 0.1 < got < 10 and abs(math.log(left_over(got, *inputs))) < 0.3,  # to 1.5 percent
        seconds=20.0,
        rtol=0.003,
        hints=(
            "Print left_over for a few scales first. On which side of the edge is it above 1?",
            "It grows with the scale. So two scales, one on each side, enclose the edge: try the middle.",
            "Halve the interval until it is shorter than a hundredth; it takes ten steps.",
        ),
    ),
}
