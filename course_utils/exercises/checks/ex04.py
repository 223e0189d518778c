"""The exercises of chapter 04, dropout."""

from math import comb

import numpy as np

from course_utils.exercises.exercise import Exercise
from course_utils.exercises.plain import same

HIDDEN = ("scratch",)  # of course_utils: holds answers, so it is not in the grader's sandbox


def _off(rng):
    """A probability of being switched off that does not hide anything: not near 1/2."""
    return float(rng.choice([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.65, 0.7, 0.75, 0.8]))


# 04-1: a network exported to a framework that does nothing at test time


def draw_export(rng):
    inputs, first, second, outputs = (int(v) for v in rng.integers(2, 6, 4))
    sizes = ((first, inputs), first, (second, first), second, (outputs, second), outputs)
    return *(rng.normal(size=size).round(3) for size in sizes), _off(rng)


def export(w1, b1, w2, b2, w3, b3, p):
    return w1, b1, (1 - p) * w2, b2, (1 - p) * w3, b3


def explain_export(inputs, got):
    w1, b1, w2, b2, w3, b3, p = inputs
    if same(got, inputs[:6]):
        return "changes nothing. Was the sum at a unit of the second hidden layer as large in training as it is now?"
    if same(got, (w1, b1, p * w2, b2, p * w3, b3)):
        return "multiplies by the probability of being set to zero, as the slide does. Try p close to 0."
    if same(got, (w1, b1, w2 / (1 - p), b2, w3 / (1 - p), b3)):
        return "makes the weights larger. Without the division, were the sums in training larger or smaller than now?"
    if not same(got[0], w1):
        return "changes the first layer's weights. What do they read, and was it ever switched off?"
    if not all(same(g, b) for g, b in zip(got[1::2], (b1, b2, b3), strict=True)):
        return "changes a bias. Is a bias ever switched off?"
    if same(got[2], w2) or same(got[4], w3):
        return "leaves out one of the two layers that read units with dropout."
    if same(got[2], (1 - p) * w2) and same(got[4], (1 - p) ** 2 * w3):
        return "scales the last layer twice. The layers are scaled one by one; does one need the other's factor too?"
    if same(got[2], (1 - p) * w2):
        return "has all but the last layer's weights right."
    if same(got[4], (1 - p) * w3):
        return "has all but the second layer's weights right."
    return "is not right yet. By which factor was the mean of each sum smaller in training?"


# 04-2: five numbers, predicted

UNITS, ACTIVATION, WEIGHT, BIAS, OFF = 40, 3.0, 0.5, 1.0, 0.2


def prediction():
    total = UNITS * WEIGHT * ACTIVATION
    squares = UNITS * (WEIGHT * ACTIVATION) ** 2
    kept = 1 - OFF
    return kept * total + BIAS, squares * kept * OFF, total + BIAS, squares * OFF / kept, OFF * total + BIAS


def explain_prediction(inputs, got):
    mean, variance, inverted_mean, inverted_variance, slide = prediction()
    total, kept = inverted_mean - BIAS, 1 - OFF
    close = [bool(np.isclose(g, w)) for g, w in zip(got, prediction(), strict=True)]
    if any(np.isclose(g, w - BIAS) for g, w in zip(got[::2], (mean, inverted_mean, slide), strict=True)):
        return "leaves out the bias in a mean."
    if np.isclose(got[0], slide) or np.isclose(got[0], kept * (total + BIAS)):
        return "has the first mean wrong. Which share of the units is on, and is the bias ever off?"
    if not close[0]:
        return "has the first mean wrong. The mean of a sum is the sum of the means."
    if any(np.isclose(g, w**0.5) for g, w in zip(got[1:4:2], (variance, inverted_variance), strict=True)):
        return "gives a standard deviation where the variance is asked for."
    if np.isclose(got[1], (WEIGHT * ACTIVATION * UNITS) ** 2 * kept * OFF):
        return "squares the whole sum. The masks are independent, so the variances add, unit by unit."
    if not close[1]:
        return "has the first variance wrong. What is the variance of a mask, and with which factor does it go in?"
    if not close[2]:
        return "has the mean of the inverted form wrong. What is the division there for?"
    if not close[3]:
        return (
            "has the variance of the inverted form wrong. A number divided by a constant: what happens to its variance?"
        )
    return "has the slide's result wrong. All units are on, and it multiplies by the wrong probability."


# 04-3: the bug that no test at p = 1/2 finds


def draw_layer(rng):
    shape = tuple(int(v) for v in rng.integers(2, 7, 2))
    x, u, p = rng.normal(size=shape).round(3), rng.random(shape).round(3), _off(rng)
    x.flat[:3], u.flat[:3] = (1.5, -1.0, 0.5), (p, round(p / 2, 3), round((1 + p) / 2, 3))
    # In each draw, not by chance, a unit is off, one is on, and one whose u is p itself is on.
    return x, u, p, bool(rng.random() < 0.8)


def layer(x, u, p, training):
    return np.where(u < p, 0.0, x / (1 - p)) if training else x


def explain_layer(inputs, got):
    x, u, p, training = inputs
    off = u < p
    if not training:
        if same(got, np.where(off, 0.0, x / (1 - p))):
            return "switches units off at test time, too."
        return "is wrong at test time, when training is False. What has the inverted form left to do there?"
    wrong = {
        "still has the bug. Take x = 1 everywhere and p close to 0: what should come out, and what does?": np.where(
            off, 0.0, x / p
        ),
        "switches off a unit whose u is exactly p. Off is where u is below p.": np.where(u <= p, 0.0, x / (1 - p)),
        "has no scale: the mean of what comes out is not x.": np.where(off, 0.0, x),
        "scales in the wrong direction: what is left has to stand for what is off.": np.where(off, 0.0, x * (1 - p)),
    }
    for sentence, answer in wrong.items():
        if same(got, answer):
            return sentence
    silent = (got == 0) & (x != 0)
    if not silent.any():
        return "switches no unit off in training: u says which are off."
    if (silent == ~off & (x != 0)).all():
        return "keeps the units that should be off, and the other way round: u below p happens with probability p."
    if (silent != off & (x != 0)).any():
        return "does not switch off the units that u says: those where u is below p."
    return "keeps the right units in training. What is each of them divided by, so that the mean is x?"


# 04-4: an ensemble too large to run


def draw_ensemble(rng):
    n = int(rng.integers(3, 9) if rng.random() < 0.4 else rng.integers(50, 61))
    p, v = _off(rng), round(float(rng.uniform(0.2, 1)), 3)
    if rng.random() < 0.4:
        p, v = min(p, round(1 - p, 2)), -v  # so that a pass that is not scaled is another number than the slide's
    # The sum is below 0 in some subnetworks and above in others, and that of one pass above.
    above = abs(v) * rng.uniform(0.3, 0.9) * (n * p * (1 - p)) ** 0.5
    return n, v, round(above - v * n * (1 - p), 3), p


def ensemble(n, v, b, p):
    return float(_shares(n, p) @ _outputs(n, v, b)), float(max(0.0, b + (1 - p) * n * v))


def _outputs(n, v, b):
    """Of a subnetwork with 0, 1, ..., n units on."""
    return np.maximum(b + v * np.arange(n + 1), 0)


def _shares(n, p):
    """The probability that 0, 1, ..., n units are on."""
    return np.array([comb(n, k) * (1 - p) ** k * p ** (n - k) for k in range(n + 1)])


def explain_ensemble(inputs, got):
    n, v, b, p = inputs
    mean, one = ensemble(*inputs)
    shares, outputs = _shares(n, p), _outputs(n, v, b)
    single = (1 - p) ** np.arange(n + 1) * p ** np.arange(n, -1, -1.0)
    if np.isclose(got[0], one):
        return "gives one pass for the mean of all. The ReLU acts in every subnetwork, before they are averaged."
    if np.isclose(got[0], single @ outputs):
        return "gives each number of units the probability of one subnetwork. How many subnetworks have that number?"
    if np.isclose(got[0], outputs.mean()):
        return "counts every number of units as equally probable. Are there as many subnetworks of each?"
    if np.isclose(got[0], ensemble(n, v, b, 0.5)[0]):
        return "counts all subnetworks alike. Are they equally probable?"
    if np.isclose(got[0], ensemble(n, v, b, 1 - p)[0]):
        return "mixes up which probability goes with on and which with off."
    if not np.isclose(got[0], mean) and np.isclose(got[0], [mean - shares[k] * outputs[k] for k in (0, n)]).any():
        return "leaves out a subnetwork: the one with no unit on, or the one with all."
    if not np.isclose(got[0], mean):
        return "has the mean of all subnetworks wrong. Count the subnetworks of two units out by hand."
    wrong = {
        "scales the pass by the probability of being off, as the slide does.": b + p * n * v,
        "scales the bias, too.": (1 - p) * (b + n * v),
        "does not scale the pass.": b + n * v,
    }
    found = [sentence for sentence, a in wrong.items() if np.isclose(got[1], max(0.0, a))]
    other = "not the pass. All units are on in it: which factor stands for their masks?"  # also if several fit: all 0
    return f"has the mean right, but {found[0] if len(found) == 1 else other}"


# 04-5: a dropout layer as a black box


def draw_diagnose(rng):
    batches, examples, units = 60, int(rng.integers(4, 9)), int(rng.integers(8, 13))
    p, inverted, shared = _off(rng), bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    h = rng.uniform(0.5, 3, (examples, units)).round(3)
    mask = rng.random((batches, 1 if shared else examples, units)) >= p
    return h, h * mask / (1 - p if inverted else 1)


def diagnose(h, outputs):
    off = outputs == 0
    kept = (outputs / h)[~off]
    return float(off.mean()), bool(kept.max() > 1 + 1e-6), bool((off == off[:, :1]).all())


def accept_diagnose(inputs, got):
    p, inverted, shared = diagnose(*inputs)
    return abs(got[0] - p) < 0.08 and got[1] == inverted and got[2] == shared


def explain_diagnose(inputs, got):
    p, inverted, _ = diagnose(*inputs)
    if not 0 <= got[0] <= 1:
        return "gives a p that is no probability."
    if abs(got[0] - (1 - p)) < 0.08:
        return "gives the share that is kept; p is the probability of being switched off."
    if abs(got[0] - p) >= 0.08:
        return "has a p that is too far off. It can be counted."
    if got[1] != inverted:
        return "has p right, but not the form. What becomes of a unit that is kept, in one form and in the other?"
    return "has p and the form right, but not whether the mask is shared. Compare the examples of one minibatch."


EXERCISES = {
    "04-1": Exercise(
        points=3,
        draw=draw_export,
        expected=export,
        explain=explain_export,
        hints=(
            "Write down the sum that arrives at one unit of the second hidden layer, in training and at test time.",
            "Only what a layer reads from units with dropout was smaller on average. Which weights read them?",
            "The mean of a mask is the probability that the unit is kept. That factor goes into those weights.",
        ),
    ),
    "04-2": Exercise(
        points=3,
        draw=lambda rng: (),
        expected=prediction,
        explain=explain_prediction,
        hints=(
            "Each unit contributes weight · activation · mask. Only the mask is random, and only its mean is needed.",
            "A mask is 1 with probability q: its mean is q, its variance q · (1 − q). Constants go in squared.",
            "In the inverted form each contribution is divided by q, so its variance is divided by q².",
        ),
    ),
    "04-3": Exercise(
        points=2,
        draw=draw_layer,
        expected=layer,
        explain=explain_layer,
        hints=(
            "The tests all used p = 0.5. What is special about it?",
            "Let x be 1 everywhere. With p = 0.1, nine tenths are left; what must each be for the mean to be 1?",
            "Which of the two probabilities, of being kept or of being off, has to stand in the denominator?",
        ),
    ),
    "04-4": Exercise(
        points=4,
        draw=draw_ensemble,
        expected=ensemble,
        explain=explain_ensemble,
        hints=(
            "All subnetworks with the same number of units on have the same output. Which numbers can there be?",
            "math.comb(n, k) masks have k units on. Each has one factor for each unit on, another for each unit off.",
            "Mean: the sum over k of masks · probability · relu(b + k · v). Pass: relu(b + factor · n · v).",
        ),
    ),
    "04-5": Exercise(
        points=3,
        draw=draw_diagnose,
        expected=diagnose,
        explain=explain_diagnose,
        accept=accept_diagnose,
        hints=(
            "All activations are positive, so an output is 0 exactly when its unit is off.",
            "Divide the outputs by h. What is left where the unit is on?",
            "If a mask is shared, all examples of one minibatch have their zeros in the same units.",
        ),
    ),
}
