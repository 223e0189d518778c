"""The checks of chapter 04: right answers pass, plausible wrong ones get a sentence that helps."""

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


def test_prediction_is_what_sampling_gives():
    rng = np.random.default_rng(0)
    mask = rng.random((200_000, ex04.UNITS)) >= ex04.OFF
    plain = (mask * ex04.ACTIVATION * ex04.WEIGHT).sum(axis=1) + ex04.BIAS
    inverted = (mask * ex04.ACTIVATION * ex04.WEIGHT / (1 - ex04.OFF)).sum(axis=1) + ex04.BIAS
    measured = plain.mean(), plain.var(), inverted.mean(), inverted.var()
    assert measured == pytest.approx(prediction()[:4], rel=0.02)


def test_layer_is_ours():
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(4, 5)), rng.random((4, 5))
    np.testing.assert_allclose(layer(x, u, 0.2, True), scratch.dropout(x, u >= 0.2, 0.2))


def all_masks_at_once(n, v, b, p):
    masks = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    outputs = np.maximum(b + v * masks.sum(axis=1), 0)
    return float(np.where(masks, 1 - p, p).prod(axis=1) @ outputs), ensemble(n, v, b, p)[1]


def test_ensemble_is_every_mask_counted():
    for n, v, b, p in ((3, 1.0, -1.2, 0.3), (8, -0.5, 2.0, 0.2)):
        assert ensemble(n, v, b, p) == pytest.approx(all_masks_at_once(n, v, b, p))


def diagnosed(change):
    """A diagnosis of which `change(y, p, inverted, shared)` makes another."""
    return lambda h, y: change(y, *diagnose(h, y))


def test_other_right_answers():
    def from_scale(h, y):  # p exact
        p, inverted, shared = diagnose(h, y)
        return (1 - 1 / (y / h).max() if inverted else p), inverted, shared

    accepts("04-5", from_scale)
    accepts("04-4", lambda *inputs: list(map(np.float64, ensemble(*inputs))))


def test_diagnose_takes_torchs_layer_for_what_it_is():
    torch.manual_seed(0)
    h = torch.rand(6, 10) + 0.5
    outputs = torch.stack([torch.nn.functional.dropout(h, 0.2) for _ in range(60)])
    p, inverted, shared = diagnose(h.numpy().astype(float), outputs.numpy().astype(float))
    assert p == pytest.approx(0.2, abs=0.05) and inverted and not shared


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("04-1", lambda *inputs: (inputs[0] / 2, *export(*inputs)[1:]), "first layer's weights"),
        ("04-1", lambda *inputs: (export(*inputs), inputs[2].fill(0))[0], "changes its inputs"),
        ("04-1", lambda *inputs: export(*inputs)[::2], "wrong length"),
        ("04-2", lambda: prediction()[:4], "wrong length"),
        ("04-3", lambda x, u, *rest: layer(x, np.random.default_rng(1).random(u.shape), *rest), "units that u says"),
        ("04-3", lambda x, u, p, training: layer(x, u, p, training) / (1 - p) ** training, "keeps the right units"),
        ("04-4", lambda *inputs: (2 * ensemble(*inputs)[0], 0.0), "mean of all subnetworks wrong"),
        ("04-4", all_masks_at_once, ("memory", "stops with an error")),
        ("04-4", lambda *inputs: ensemble(*inputs)[0], "a float where a tuple"),
        ("04-5", diagnosed(lambda y, p, *others: (1 - p, *others)), "the share that is kept"),
        ("04-5", diagnosed(lambda y, p, *others: (0.5, *others)), "too far off"),
        ("04-5", diagnosed(lambda y, p, *others: (100 * p, *others)), "no probability"),
        ("04-5", diagnosed(lambda y, p, *others: (float("nan"), *others)), "NaN"),
        ("04-5", diagnosed(lambda y, p, inverted, shared: (p, not inverted, shared)), "not the form"),
        ("04-5", lambda h, y: (diagnose(h, y)[0], y.mean() > h.mean() / 2, diagnose(h, y)[2]), "not the form"),
        ("04-5", diagnosed(lambda y, *right: (*right[:2], True)), "whether the mask is shared"),
        ("04-5", diagnosed(lambda y, *right: (*right[:2], bool((y == y[:, :1]).all()))), "the mask is shared"),
        ("04-5", diagnosed(lambda y, *right: right[:2]), "wrong length"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
