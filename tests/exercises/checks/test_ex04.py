"""The checks of chapter 04: right answers pass, plausible wrong ones get a sentence that helps."""

import math

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses

from course_utils import scratch
from course_utils.exercises.checks import ex04
from course_utils.exercises.checks.ex04 import diagnose, ensemble, export, layer, prediction


@pytest.mark.parametrize("exercise_id", ex04.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def scaled(first=1.0, second=None, third=None, bias=1.0):
    """An export with these factors on the weights; None: the right one."""

    def wrong(w1, b1, w2, b2, w3, b3, p):
        factors = [1 - p if f is None else f(p) if callable(f) else f for f in (first, second, third)]
        scale = bias(p) if callable(bias) else bias
        return factors[0] * w1, b1, factors[1] * w2, scale * b2, factors[2] * w3, scale * b3

    return wrong


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (scaled(1, lambda p: p, lambda p: p), "as the slide does"),
        (scaled(1, 1, 1), "changes nothing"),
        (scaled(1, lambda p: 1 / (1 - p), lambda p: 1 / (1 - p)), "makes the weights larger"),
        (scaled(None), "first layer's weights"),
        (scaled(1, bias=lambda p: 1 - p), "changes a bias"),
        (scaled(1, 1, None), "leaves out one"),
        (scaled(1, None, 1), "leaves out one"),
        (scaled(1, None, lambda p: (1 - p) ** 2), "one by one"),
        (scaled(1, None, lambda p: 0.9 - p), "all but the last layer's weights right"),
        (scaled(1, lambda p: 0.9 - p, None), "all but the second layer's weights right"),
        (scaled(1, 0.5, 0.5), "not right yet"),
        (lambda *a: export(*a)[::2], "wrong length"),
        (lambda w1, b1, w2, b2, w3, b3: export(w1, b1, w2, b2, w3, b3, 0.5), "does not take the inputs"),
    ],
)
def test_export(wrong, says):
    refuses("04-1", wrong, says)


def test_export_may_not_change_its_inputs():
    def in_place(w1, b1, w2, b2, w3, b3, p):
        w2 *= 1 - p
        w3 *= 1 - p
        return w1, b1, w2, b2, w3, b3

    refuses("04-1", in_place, "changes its inputs")


def predicted(**changed):
    names = ("mean", "variance", "inverted_mean", "inverted_variance", "slide")
    return lambda: tuple((dict(zip(names, prediction(), strict=True)) | changed).values())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (predicted(mean=13.0), "first mean wrong"),  # the slide's factor
        (predicted(mean=0.8 * 61), "is the bias ever off"),
        (predicted(mean=61.0), "mean of a sum"),  # as if nothing were off
        (predicted(mean=48.0), "leaves out the bias"),
        (predicted(inverted_mean=60.0), "leaves out the bias"),
        (predicted(variance=14.4**0.5), "standard deviation"),
        (predicted(variance=576.0), "squares the whole sum"),
        (predicted(variance=9.6), "first variance"),  # the weight times activation not squared
        (predicted(inverted_mean=49.0), "inverted form wrong"),
        (predicted(inverted_variance=14.4), "divided by a constant"),
        (predicted(inverted_variance=18.0), "divided by a constant"),  # divided by q, not by its square
        (predicted(slide=49.0), "slide's result"),
        (lambda: prediction()[:4], "wrong length"),
    ],
)
def test_prediction(wrong, says):
    refuses("04-2", wrong, says)


def test_prediction_is_what_sampling_gives():
    rng = np.random.default_rng(0)
    mask = rng.random((200_000, ex04.UNITS)) >= ex04.OFF
    plain = (mask * ex04.ACTIVATION * ex04.WEIGHT).sum(axis=1) + ex04.BIAS
    inverted = (mask * ex04.ACTIVATION * ex04.WEIGHT / (1 - ex04.OFF)).sum(axis=1) + ex04.BIAS
    measured = plain.mean(), plain.var(), inverted.mean(), inverted.var()
    assert measured == pytest.approx(prediction()[:4], rel=0.02)


def own(x):
    return np.random.default_rng(1).random(x.shape)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda x, u, p, training: x * (u >= p) / p if training else x, "still has the bug"),
        (lambda x, u, p, training: x * (u >= p) if training else x, "has no scale"),
        (lambda x, u, p, training: x * (u < p) / p if training else x, "the other way round"),
        (lambda x, u, p, training: x * (u < p) / (1 - p) if training else x, "the other way round"),
        (lambda x, u, p, training: x * (u >= p) * (1 - p) if training else x, "wrong direction"),
        (lambda x, u, p, training: x * (u >= p) / (1 - p), "at test time, too"),
        (lambda x, u, p, training: x * (u >= p) / (1 - p) if training else x * (1 - p), "wrong at test time"),
        (lambda x, u, p, training: x * (u >= p) / (1 - p) if training else x * p, "wrong at test time"),
        (lambda x, u, p, training: x * (u >= 0.5) / (1 - p) if training else x, "the units that u says"),
        (lambda x, u, p, training: x / (1 - p) if training else x, "switches no unit off"),
        (lambda x, u, p, training: x, "switches no unit off"),
        (lambda x, u, p, training: x * (1 - p) if training else x, "switches no unit off"),
        (lambda x, u, p, training: x * (own(x) >= p) / (1 - p) if training else x, "the units that u says"),
        (lambda x, u, p, training: x * (u >= p) / (1 - p) ** 2 if training else x, "keeps the right units in training"),
        (lambda x, u, p, training: x * (u > p) / (1 - p) if training else x, "whose u is exactly p"),
        (lambda x, u, p: x, "does not take the inputs"),
    ],
)
def test_layer(wrong, says):
    refuses("04-3", wrong, says)


def test_layer_is_ours():
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(4, 5)), rng.random((4, 5))
    np.testing.assert_allclose(layer(x, u, 0.2, True), scratch.dropout(x, u >= 0.2, 0.2))


def pass_scaled(factor, bias=lambda p: 1):
    return lambda n, v, b, p: (ensemble(n, v, b, p)[0], float(max(0.0, bias(p) * b + factor(p) * n * v)))


def summed(weights, relu=True, ks=lambda n: range(n + 1)):
    """A mean over k units on with these weights, and the right pass."""

    def wrong(n, v, b, p):
        terms = [weights(n, k, p) * (max(0.0, b + k * v) if relu else b + k * v) for k in ks(n)]
        return float(sum(terms)), ensemble(n, v, b, p)[1]

    return wrong


def binomial(n, k, p):
    return math.comb(n, k) * (1 - p) ** k * p ** (n - k)


def all_masks_at_once(n, v, b, p):
    masks = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    outputs = np.maximum(b + v * masks.sum(axis=1), 0)
    return float(np.where(masks, 1 - p, p).prod(axis=1) @ outputs), ensemble(n, v, b, p)[1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (pass_scaled(lambda p: p), "as the slide does"),
        (pass_scaled(lambda p: 1), ("does not scale the pass", "which factor stands for their masks")),
        (pass_scaled(lambda p: 1 - p, lambda p: 1 - p), ("scales the bias", "which factor stands for their masks")),
        (lambda n, v, b, p: (ensemble(n, v, b, p)[1],) * 2, "one pass for the mean of all"),
        (lambda n, v, b, p: (ensemble(n, v, b, p)[0],) * 2, "not the pass"),
        (summed(lambda n, k, p: (1 - p) ** k * p ** (n - k)), "probability of one subnetwork"),
        (summed(lambda n, k, p: 1 / (n + 1)), "equally probable"),
        (summed(lambda n, k, p: math.comb(n, k) / 2**n), "counts all subnetworks alike"),
        (summed(lambda n, k, p: binomial(n, k, 1 - p)), "mixes up"),
        (summed(binomial, relu=False), "one pass for the mean of all"),
        (summed(binomial, ks=range), "leaves out a subnetwork"),
        (summed(binomial, ks=lambda n: range(1, n + 1)), "leaves out a subnetwork"),
        (summed(lambda n, k, p: 2 * binomial(n, k, p)), "mean of all subnetworks wrong"),
        (all_masks_at_once, ("memory", "stops with an error")),
        (lambda n, v, b, p: ensemble(n, v, b, p)[0], "a float where a tuple"),
    ],
)
def test_ensemble(wrong, says):
    refuses("04-4", wrong, says)


def test_ensemble_takes_lists_and_numpy_scalars():
    accepts("04-4", lambda n, v, b, p: list(map(np.float64, ensemble(n, v, b, p))))


def test_ensemble_is_every_mask_counted():
    for n, v, b, p in ((3, 1.0, -1.2, 0.3), (8, -0.5, 2.0, 0.2)):
        assert ensemble(n, v, b, p) == pytest.approx(all_masks_at_once(n, v, b, p))


def test_ensemble_is_torchs_to_sampling_error():
    torch.manual_seed(0)
    on = torch.nn.functional.dropout(torch.ones(20_000, 100), 0.3).count_nonzero(dim=1)
    assert (0.5 * on - 34).relu().mean().item() == pytest.approx(ensemble(100, 0.5, -34.0, 0.3)[0], abs=0.05)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda h, y: (1 - diagnose(h, y)[0], *diagnose(h, y)[1:]), "the share that is kept"),
        (lambda h, y: (0.5, *diagnose(h, y)[1:]), "too far off"),
        (lambda h, y: (100 * diagnose(h, y)[0], *diagnose(h, y)[1:]), "no probability"),
        (lambda h, y: (diagnose(h, y)[0], not diagnose(h, y)[1], diagnose(h, y)[2]), "not the form"),
        (lambda h, y: (diagnose(h, y)[0], y.mean() > h.mean() / 2, diagnose(h, y)[2]), "not the form"),
        (lambda h, y: (*diagnose(h, y)[:2], False), "whether the mask is shared"),
        (lambda h, y: (*diagnose(h, y)[:2], True), "whether the mask is shared"),
        (lambda h, y: (*diagnose(h, y)[:2], bool((y == y[:, :1]).all())), "whether the mask is shared"),
        (lambda h, y: diagnose(h, y)[:2], "wrong length"),
        (lambda h, y: (float("nan"), *diagnose(h, y)[1:]), "NaN"),
    ],
)
def test_diagnose(wrong, says):
    refuses("04-5", wrong, says)


def test_diagnose_accepts_an_exact_p_from_the_scale():
    def from_scale(h, y):
        p, inverted, shared = diagnose(h, y)
        return (1 - 1 / (y / h).max() if inverted else p), inverted, shared

    accepts("04-5", from_scale)


def test_diagnose_takes_torchs_layer_for_what_it_is():
    torch.manual_seed(0)
    h = torch.rand(6, 10) + 0.5
    outputs = torch.stack([torch.nn.functional.dropout(h, 0.2) for _ in range(60)])
    p, inverted, shared = diagnose(h.numpy().astype(float), outputs.numpy().astype(float))
    assert p == pytest.approx(0.2, abs=0.05) and inverted and not shared
