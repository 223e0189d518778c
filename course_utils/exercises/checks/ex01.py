"""The exercises of chapter 01, nonlinearities."""

import math
from functools import lru_cache

import numpy as np

from course_utils import scratch
from course_utils.exercises.exercise import Exercise, told_apart
from course_utils.exercises.plain import same

HIDDEN = ("scratch",)  # of course_utils: holds answers, so it is not in the grader's sandbox


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


def explain_softmax(inputs, got):
    a, temperature = inputs
    wrong = {
        "makes the largest activation the least likely, as slide 7 does. Look at the signs.": softmax(-a, temperature),
        "ignores the temperature.": scratch.softmax(a),
        "multiplies by the temperature: a high one should make all probabilities more alike.": scratch.softmax(
            a * temperature
        ),
        "divides the probabilities by the temperature; it belongs to the activations.": scratch.softmax(a)
        / temperature,
        "sums over the wrong axis: a row is one example, a column one class.": scratch.softmax(a / temperature, axis=0),
        "gives the logarithms of the probabilities.": scratch.log_softmax(a / temperature),
    }
    for sentence, answer in wrong.items():
        if same(got, answer, rtol=1e-4):
            return sentence
    if (got < 0).any() or not np.allclose(got.sum(axis=1), 1):
        return "has rows that are no probabilities: not negative, and 1 in total."
    return "is not right yet. Work out one row of two activations by hand, at a temperature of 1 and of 2."


def explain_overflow(inputs, got):
    """Softmax as the formula has it; and with something subtracted first that is not the maximum of the row."""
    a, temperature = inputs
    wrong = {
        "exponentiates the activations as they are: exp of a large one is infinity, exp of a very negative one is 0. "
        "What may be subtracted from all activations of a row?": 0,
        "subtracts one maximum from all rows. A row far below it has nothing but zeros left to add up.": a.max(),
        "subtracts the mean of each row. An activation far above the mean still overflows.": a.mean(1, keepdims=True),
    }
    for sentence, subtracted in wrong.items():
        e = np.exp((a - subtracted) / temperature)
        if np.allclose(got, e / e.sum(axis=1, keepdims=True), equal_nan=True):
            return sentence
    return None


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


def prediction():
    return tuple(arrays * 4 * BATCH * sum(HIDDEN_UNITS) for arrays in KEPT)


def explain_prediction(inputs, got):
    right = prediction()
    for factor, sentence in (
        (4, "counts numbers; a float32 has several bytes."),
        (1 / 2, "takes each number for eight bytes; these are float32."),
        (BATCH, "counts one image; the batch has more."),
        (1024, "counts in KiB; bytes are asked for."),
        (sum(HIDDEN_UNITS) / HIDDEN_UNITS[0], "counts the first hidden layer only."),
        (sum(HIDDEN_UNITS) / HIDDEN_UNITS[1], "counts the second hidden layer only."),
    ):
        if all(mine * factor == value for mine, value in zip(got, right, strict=True)):
            return sentence
    extra = {4 * BATCH * units for units in (784, 10, 794)}
    if all(mine - value in extra for mine, value in zip(got, right, strict=True)):
        return "counts the input of the net or its output, too; only what the hidden layers keep is asked for."
    number = next(k for k, value in enumerate(right) if got[k] != value)
    return f"is not right for one of the nets. {HINTS_OF_NETS[number]}"


# 01-3: the bug in a census of dead units


def draw_dead(rng):
    """Eight units: one that is 0 on all images, then three awake on a single image, of the first batch, of a middle one
    and of the last; a dead one; and three awake on several. Every way to miscount gives an answer of its own.
    """
    while True:
        batch_size = int(rng.integers(3, 8))
        rest = int(rng.integers(1, batch_size)) if rng.random() < 0.8 else batch_size  # images of the last batch
        count, size = int(rng.integers(2, 5)) * batch_size + rest, int(rng.integers(4, 7))
        images = rng.normal(size=(count, size))
        images *= 2 / np.linalg.norm(images, axis=1, keepdims=True)  # each has its largest product with itself
        single = (rng.integers(batch_size), rng.integers(batch_size, count - rest), rng.integers(count - rest, count))
        weight = np.vstack([np.zeros(size), images[list(single)], rng.normal(size=(4, size))])
        awake, units = np.array([0, 1, 1, 1, 0, 3, count // 2, count]), np.arange(8)
        ranked = np.sort(images @ weight.T, axis=0)
        ranked = np.vstack([ranked[0] - 1, ranked, ranked[-1] + 1])
        bias = -(ranked[count - awake, units] + ranked[count - awake + 1, units]) / 2
        bias[0] = 0
        order = rng.permutation(8)
        inputs = images, weight[order], bias[order], batch_size
        right, wrong = dead_units(*inputs), list(_wrong_censuses(*inputs).values())
        if told_apart(right, wrong) and sum(same(answer, right) for answer in wrong) == (rest == batch_size):
            return inputs


def dead_units(images, weight, bias, batch_size):
    return (images @ weight.T + bias <= 0).all(axis=0)


def _wrong_censuses(images, weight, bias, batch_size):
    a = images @ weight.T + bias
    silent = [(a[start : start + batch_size] <= 0).all(axis=0) for start in range(0, len(a), batch_size)]
    whole = len(a) // batch_size
    return {
        "still has the bug. Which units does it call dead that are awake on some image of another batch?": np.any(
            silent, axis=0
        ),
        "says which units live; the dead ones are asked for.": ~dead_units(images, weight, bias, batch_size),
        "takes a unit that is exactly 0 for alive. What is the derivative of ReLU there?": (a < 0).all(axis=0),
        "looks at the last batch only.": silent[-1],
        "looks at the first batch only.": silent[0],
        "leaves out the images of an incomplete last batch.": np.all(silent[:whole], axis=0),
        "goes by the mean. A single image on which a unit is active passes a gradient on.": a.mean(axis=0) <= 0,
        "leaves out the bias.": (images @ weight.T <= 0).all(axis=0),
    }


def explain_dead(inputs, got):
    for sentence, answer in _wrong_censuses(*inputs).items():
        if (got == answer).all():
            return sentence
    if got.all() or not got.any():
        everyone = "every unit" if got.all() else "no unit at all"
        return f"calls {everyone} dead. What does it believe of a unit before it has seen the first batch?"
    return "is not right yet. A unit is dead if it passes no gradient on for any image of the whole set."


# 01-4: ELU's gradient from its output


def draw_elu(rng):
    shape, alpha = tuple(int(n) for n in rng.integers(2, 6, size=2)), float(rng.choice([0.5, 0.8, 1.5, 2.0]))
    a = rng.normal(scale=2, size=shape)
    a.flat[:2] = -1.0, 1.0  # both cases, in each draw
    return rng.normal(size=shape), scratch.elu(a, alpha), alpha


def elu_backward(dy, y, alpha):
    return dy * np.where(y > 0, 1, y + alpha)


def explain_elu(inputs, got):
    dy, y, alpha = inputs
    wrong = {
        "has the two cases swapped, as slide 11 has them.": dy * np.where(y < 0, 1, y + alpha),
        "is right for α = 1 only.": dy * np.where(y > 0, 1, y + 1),
        "takes y for exp(a) − 1. There is an α in y, too.": dy * np.where(y > 0, 1, alpha * (y + 1)),
        "gives exp(a) on the left. The derivative has a factor more.": dy * np.where(y > 0, 1, y / alpha + 1),
        "takes the output for the input: y is known here, a is not.": dy * np.where(y > 0, 1, alpha * np.exp(y)),
        "forgets the gradient that comes from above.": np.where(y > 0, 1, y + alpha),
        "treats both sides alike. To the right of 0 ELU is the diagonal.": dy * (y + alpha),
        "gives ReLU's gradient.": dy * (y > 0),
        "gives leaky ReLU's gradient: a constant slope on the left.": dy * np.where(y > 0, 1, alpha),
    }
    for sentence, answer in wrong.items():
        if same(got, answer):
            return sentence
    return "is not right yet. Write a as a function of y for y < 0, and put it into the derivative."


# 01-5: the scale that keeps the gradient, measured

CLOSE = 0.3  # of log(left_over): a scale to about one and a half percent


@lru_cache
def _stack(layers, units):
    """What `left_over` draws, in its order; the draws do not depend on its scale."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, units))
    return x, [rng.normal(size=(units, units)) for _ in range(layers)], rng.normal(size=x.shape)


def left_over(scale, alpha, layers=20, units=32):
    y, draws, arriving = _stack(layers, units)
    weights, slopes = [draw * scale / math.sqrt(units) for draw in draws], []
    for weight in weights:
        a = y @ weight
        low = alpha * np.exp(np.minimum(a, 0))
        y, slope = np.where(a > 0, a, low - alpha), np.where(a > 0, 1, low)
        slopes.append(slope)
    delta = last = arriving * slopes[-1]
    for weight, slope in zip(weights[:0:-1], slopes[-2::-1], strict=True):
        delta = delta @ weight.T * slope
    return float(np.linalg.norm(delta) / np.linalg.norm(last))


def draw_edge(rng):
    return (round(float(rng.uniform(0.3, 1.5)), 2),)


@lru_cache  # of 121 that are drawn
def edge(alpha):
    low, high = 0.3, 3.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if left_over(middle, alpha) < 1 else (low, middle)
    return (low + high) / 2


def accept_edge(inputs, got):
    (alpha,) = inputs
    return 0.1 < got < 10 and abs(math.log(left_over(got, alpha))) < CLOSE


def explain_edge(inputs, got):
    (alpha,) = inputs
    if not 0.1 < got < 10:
        return "gives a scale that is far off."
    if math.isclose(got, math.sqrt(2), rel_tol=0.005):
        return "gives ReLU's scale for every α. ELU lets gradients through on the left side, too."
    if math.isclose(got, math.sqrt(2 / (1 + alpha**2)), rel_tol=0.005):
        return "takes the left side for a straight line of slope α. It is bent: measure."
    if math.isclose(got * math.sqrt(32), edge(alpha), rel_tol=0.02):
        return "gives the standard deviation of the weights; the scale is asked for, in units of 1/√n."
    larger = left_over(got, alpha) > 1
    return f"gives a scale at which the gradient {'grows' if larger else 'shrinks'} on its way to the first layer."


EXERCISES = {
    "01-1": Exercise(
        points=2,
        draw=draw_softmax,
        expected=softmax,
        explain=explain_softmax,
        not_finite=explain_overflow,
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
        explain=explain_prediction,
        hints=(
            "For each operation write down what its derivative needs: its input, its output, or neither.",
            "An array that two operations need is stored once. The next linear layer needs its input in any case.",
            "A hidden layer keeps one array or two of batch × units × 4 bytes. The chapter has a table in section 4.",
        ),
    ),
    "01-3": Exercise(
        points=2,
        draw=draw_dead,
        expected=dead_units,
        explain=explain_dead,
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
        explain=explain_elu,
        hints=(
            "For a < 0 the derivative is α exp(a). How much of that is in y already?",
            "y = α exp(a) − α on the left side. And the sign of y tells the side.",
            "The derivative is 1 where y > 0, else y plus a constant. The chain rule multiplies by dy.",
        ),
    ),
    "01-5": Exercise(
        points=4,
        draw=draw_edge,
        expected=edge,
        explain=explain_edge,
        accept=accept_edge,
        seconds=20.0,
        hints=(
            "Print left_over for a few scales first. On which side of the edge is it above 1?",
            "It grows with the scale. So two scales, one on each side, enclose the edge: try the middle.",
            "Halve the interval until it is shorter than a hundredth; it takes ten steps.",
        ),
    ),
}
