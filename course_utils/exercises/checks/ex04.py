"""The exercises of chapter 04, dropout."""

from math import comb

import numpy as np

from course_utils.exercises.exercise import Either, Exercise, first_wrong

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


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


def wrong_exports(w1, b1, w2, b2, w3, b3, p):
    def scaled(second, third):
        return w1, b1, second, b2, third, b3

    kept = 1 - p
    return {
        "changes nothing. Were the sums in the second hidden layer as large in training as now?": scaled(w2, w3),
        "multiplies by the probability of being off, as the slide does. Try p close to 0.": scaled(p * w2, p * w3),
        "makes the weights larger. Nothing was divided in training; were sums larger?": scaled(w2 / kept, w3 / kept),
        "leaves out one of the two layers that read units with dropout.": Either(scaled(w2, ...), scaled(..., w3)),
        "scales the last layer twice. Does one layer need the other's factor, too?": scaled(kept * w2, kept**2 * w3),
        "has all but the last layer's weights right.": scaled(kept * w2, ...),
        "has all but the second layer's weights right.": scaled(..., kept * w3),
        "is not right yet. By which factor was the mean of each sum smaller in training?": scaled(..., ...),
        "changes a bias. Is a bias ever switched off?": (w1, ..., ..., ..., ..., ...),
    }


# 04-2: five numbers, predicted

UNITS, ACTIVATION, WEIGHT, BIAS, OFF = 40, 3.0, 0.5, 1.0, 0.2


def prediction():
    total = UNITS * WEIGHT * ACTIVATION
    squares = UNITS * (WEIGHT * ACTIVATION) ** 2
    kept = 1 - OFF
    return kept * total + BIAS, squares * kept * OFF, total + BIAS, squares * OFF / kept, OFF * total + BIAS


HINTS_OF_NUMBERS = (
    "has the first mean wrong. The mean of a sum is the sum of the means.",
    "has the first variance wrong. What is the variance of a mask, and with which factor does it go in?",
    "has the mean of the inverted form wrong. What is the division there for?",
    "has the variance of the inverted form wrong. A number divided by a constant: what happens to its variance?",
    "has the slide's result wrong. All units are on, and it multiplies by the wrong probability.",
)


def wrong_predictions():
    def only(place, value):
        return (*[...] * place, value, *[...] * (4 - place))

    right = prediction()
    share = Either(only(0, right[4]), only(0, (1 - OFF) * right[2]))
    return {
        "leaves out the bias in a mean.": Either(*(only(place, right[place] - BIAS) for place in (0, 2, 4))),
        "has the first mean wrong. Which share of the units is on, and is the bias ever off?": share,
        "gives a standard deviation for a variance.": Either(*(only(place, right[place] ** 0.5) for place in (1, 3))),
        "squares the whole sum. The masks are independent: their variances add.": only(1, UNITS * right[1]),
        **first_wrong(right, HINTS_OF_NUMBERS),
    }


# 04-3: the bug that no test at p = 1/2 finds


def draw_layer(rng):
    shape = tuple(int(v) for v in rng.integers(3, 7, 2))
    x, u, p = rng.normal(size=shape).round(3), rng.random(shape).round(3), _off(rng)
    x.flat[:3], u.flat[:3] = (1.5, -1.0, 0.5), (p, round(p / 2, 3), round((1 + p) / 2, 3))
    # In each draw, not by chance, a unit is off, one is on, and one whose u is p itself is on.
    return x, u, p, bool(rng.random() < 0.8)


def layer(x, u, p, training):
    return np.where(u < p, 0.0, x / (1 - p)) if training else x


def wrong_layers(x, u, p, training):
    def dropped(off):
        """Three scales of what is left: right, with the bug, none."""
        return [np.where(off, 0, x / divisor) for divisor in (1 - p, p, 1)]

    right, bug, unscaled = dropped(u < p)
    if not training:
        return {
            "switches units off at test time, too.": Either(right, bug, unscaled),
            "is wrong at test time, when training is False. What has the inverted form left to do there?": ...,
        }
    return {
        "still has the bug. Take x = 1 everywhere, p close to 0: what should come out?": bug,
        "switches off a unit whose u is exactly p. Off is where u is below p.": Either(*dropped(u <= p)),
        "draws the line at 1/2. What is the probability of being off?": Either(*dropped(u < 0.5)),
        "has no scale: the mean of what comes out is not x.": unscaled,
        "scales in the wrong direction: what is left has to stand for what is off.": unscaled * (1 - p),
        "keeps what should be off, and the other way round: u < p has probability p.": Either(*dropped(u >= p)),
        "switches no unit off in training: u says which are off.": Either(*dropped(u < 0), x * (1 - p)),
    }


def other_layers(inputs, got):
    x, u, p, _ = inputs
    if ((got == 0) != (u < p))[x != 0].any():
        return "does not switch off the units that u says: those where u is below p."
    return "keeps the right units in training. What is each of them divided by, so that the mean is x?"


# 04-4: an ensemble too large to run


def draw_ensemble(rng):
    n = int(rng.integers(3, 9) if rng.random() < 0.5 else rng.integers(50, 61))
    p, v = _off(rng), round(float(rng.uniform(0.2, 1)), 3)
    if rng.random() < 0.5:
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


def wrong_ensembles(n, v, b, p):
    (mean, one), shares, outputs = ensemble(n, v, b, p), _shares(n, p), _outputs(n, v, b)
    incomplete = [(mean - shares[k] * outputs[k], one) for k in (0, n)]
    single = (1 - p) ** np.arange(n + 1) * p ** np.arange(n, -1, -1.0)
    means = {
        "gives one pass for the mean of all. The ReLU acts in each subnetwork, before they are averaged.": one,
        "gives each number of units the probability of one subnetwork. How many have that number?": single @ outputs,
        "counts every number of units as equally probable. Are there as many subnetworks of each?": outputs.mean(),
        "counts all subnetworks alike. Are they equally probable?": ensemble(n, v, b, 0.5)[0],
        "mixes up which probability goes with on and which with off.": ensemble(n, v, b, 1 - p)[0],
    }
    passes = {"scales the pass by the probability of being off, as the slide does.": b + p * n * v}
    if v > 0:  # else both come to 0
        passes |= {"scales the bias, too.": (1 - p) * (b + n * v), "does not scale the pass.": b + n * v}
    return {
        **{f"has the mean right, but {words}": (mean, max(0.0, value)) for words, value in passes.items()},
        "has the mean right, but not the pass. All units are on: which factor stands for their masks?": (mean, ...),
        **{words: Either((m, one), (m, ...)) for words, m in means.items() if not np.isclose(m, mean)},
        "leaves out a subnetwork: the one with no unit on, or the one with all.": Either(*incomplete),
    }


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


def wrong_diagnosis(inputs, got):
    """What is wrong with a diagnosis, in a sentence; None for one that is right."""
    p, inverted, shared = diagnose(*inputs)
    if not 0 <= got[0] <= 1:
        return "gives a p that is no probability."
    if abs(got[0] - (1 - p)) < 0.08:
        return "gives the share that is kept; p is the probability of being switched off."
    if abs(got[0] - p) >= 0.08:
        return "has a p that is too far off. It can be counted."
    if got[1] != inverted:
        return "has p right, but not the form. What becomes of a unit that is kept, in one form and in the other?"
    words = "has p and the form right, but not whether the mask is shared. Compare the examples of one minibatch."
    return words if got[2] != shared else None


EXERCISES = {
    "04-1": Exercise(
        points=3,
        draw=draw_export,
        expected=export,
        mistakes=wrong_exports,
        otherwise="changes the first layer's weights. What do they read, and was it ever switched off?",
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
        mistakes=wrong_predictions,
        otherwise="is not right yet.",
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
        mistakes=wrong_layers,
        otherwise=other_layers,
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
        mistakes=wrong_ensembles,
        otherwise="has the mean of all subnetworks wrong. Count the subnetworks of two units out by hand.",
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
        otherwise=wrong_diagnosis,
        accept=lambda inputs, got: wrong_diagnosis(inputs, got) is None,
        hints=(
            "All activations are positive, so an output is 0 exactly when its unit is off.",
            "Divide the outputs by h. What is left where the unit is on?",
            "If a mask is shared, all examples of one minibatch have their zeros in the same units.",
        ),
    ),
}
