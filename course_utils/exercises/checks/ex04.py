"""The exercises of chapter 04, dropout."""

import numpy as np

from course_utils.exercises.checking import Exercise
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
    if same(got[2], (1 - p) * w2):
        return (
            "has all but the last layer right. The layers are scaled one by one; does one need the other's factor too?"
        )
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
    return rng.normal(size=shape).round(3), rng.random(shape).round(3), _off(rng), bool(rng.random() < 0.8)


def layer(x, u, p, training):
    return np.where(u < p, 0.0, x / (1 - p)) if training else x


def explain_layer(inputs, got):
    x, u, p, training = inputs
    off = u < p
    if not training:
        if same(got, np.where(off, 0.0, x / (1 - p))):
            return "switches units off at test time, too."
        return "is wrong at test time. What has the inverted form left to do there?"
    if same(got, np.where(off, 0.0, x / p)):
        return "still has the bug. Take x = 1 everywhere and p close to 0: what should come out, and what does?"
    if same(got, np.where(off, 0.0, x)):
        return "has no scale: the mean of what comes out is not x."
    if same(got, np.where(off, x / p, 0.0)) or same(got, np.where(off, x / (1 - p), 0.0)):
        return "keeps the units that should be off, and the other way round: u below p happens with probability p."
    if same(got, np.where(off, 0.0, x * (1 - p))):
        return "scales in the wrong direction: what is left has to stand for what is off."
    return "is not right in training. What is each kept unit divided by, so that the mean is x?"


# 04-4: all subnetworks, counted out


def draw_ensemble(rng):
    n = int(rng.integers(3, 9))
    while True:  # a draw in which the subnetworks disagree on the sign, and every wrong answer is another number
        h, w, b = rng.uniform(0.2, 2, n).round(3), rng.normal(0, 2, n).round(3), round(float(rng.normal()), 3)
        p = _off(rng)
        scaled = b + (1 - p) * h @ w
        if scaled > 0.1 and ensemble(h, w, b, p)[0] > scaled + 0.05 and abs(h @ w) > 0.5:
            return h, w, b, p


def _all_outputs(h, w, b):
    masks = (np.arange(2 ** len(h))[:, None] >> np.arange(len(h)) & 1).astype(bool)
    return masks, np.maximum((masks * h) @ w + b, 0)


def ensemble(h, w, b, p):
    masks, outputs = _all_outputs(h, w, b)
    chances = np.where(masks, 1 - p, p).prod(axis=1)
    return float(chances @ outputs), float(max(0.0, b + (1 - p) * h @ w))


def explain_ensemble(inputs, got):
    h, w, b, p = inputs
    mean, one = ensemble(*inputs)
    masks, outputs = _all_outputs(h, w, b)
    if np.isclose(got[0], one) and not np.isclose(mean, one):
        return "takes one pass for the mean of all. With a ReLU behind the mask these differ."
    if np.isclose(got[0], outputs.mean()):
        return "counts all subnetworks alike. Are they equally probable?"
    if np.isclose(got[0], ensemble(h, w, b, 1 - p)[0]):
        return "mixes up which probability goes with on and which with off."
    if np.isclose(got[0], np.where(masks, 1 - p, p).prod(axis=1)[1:] @ outputs[1:]) and not np.isclose(got[0], mean):
        return "leaves out the subnetwork in which all units are off."
    if not np.isclose(got[0], mean):
        return "has the mean of all subnetworks wrong. Do the probabilities of your subnetworks add up to 1?"
    if np.isclose(got[1], max(0.0, b + p * h @ w)):
        return "has the mean right, but scales the pass by the probability of being off, as the slide does."
    if np.isclose(got[1], max(0.0, (1 - p) * (b + h @ w))):
        return "has the mean right, but scales the bias, too."
    if np.isclose(got[1], max(0.0, b + h @ w)):
        return "has the mean right, but does not scale the pass."
    return "has the mean right, but not the pass. The ReLU comes after the sum, also there."


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
    if not np.isfinite(got[0]) or not 0 <= got[0] <= 1:
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
            "itertools.product([False, True], repeat=n) gives all masks of n units.",
            "A mask's probability is a product over the units: one factor for each that is on, another for each off.",
            "Mean: the sum of probability · relu(b + w · h of the units on). Pass: relu(b + factor · w · h of all).",
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
