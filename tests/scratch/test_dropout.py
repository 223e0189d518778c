"""Dropout: the mask's share, the scale, the gradient."""

import numpy as np
import pytest
import torch

from course_utils.scratch import (
    dropout,
    dropout_backward,
    dropout_mask,
    gradient_check,
    mask_probabilities,
    normalized_geometric_mean,
    softmax,
    subnetworks,
)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_mask_keeps_the_share_and_dropout_keeps_the_mean(p):
    rng = np.random.default_rng(0)
    mask = dropout_mask((100, 1000), p, rng)
    assert mask.dtype == bool
    assert mask.mean() == pytest.approx(1 - p, abs=5 * np.sqrt(p * (1 - p) / mask.size))
    x = rng.normal(1, 1, size=mask.shape)
    assert dropout(x, mask, p).mean() == pytest.approx(x.mean(), abs=0.05)


def test_scale_is_torchs():
    torch.manual_seed(0)
    x = torch.ones(50, 50, requires_grad=True)
    out = torch.nn.functional.dropout(x, 0.2)
    out.sum().backward()
    mask = (out != 0).numpy()
    np.testing.assert_allclose(dropout(x.detach().numpy(), mask, 0.2), out.detach(), rtol=1e-6)
    np.testing.assert_allclose(dropout_backward(np.ones((50, 50)), x.detach().numpy(), mask, 0.2), x.grad, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2, 2)])
def test_gradient_is_the_difference_quotient(shape):
    rng = np.random.default_rng(1)
    x, dy, mask = rng.normal(size=shape), rng.normal(size=shape), dropout_mask(shape, 0.3, rng)
    assert gradient_check(lambda x: dropout(x, mask, 0.3), x, dy, dropout_backward(dy, x, mask, 0.3)) < 1e-8


def test_a_mask_may_broadcast():
    """One draw a channel: whole maps are switched off."""
    rng = np.random.default_rng(2)
    x, dy, mask = rng.normal(size=(2, 3, 2, 2)), rng.normal(size=(2, 3, 2, 2)), dropout_mask((2, 3, 1, 1), 0.5, rng)
    whole = np.repeat(mask, 4).reshape(x.shape)
    np.testing.assert_array_equal(dropout(x, mask, 0.5), 2 * x * whole)
    np.testing.assert_array_equal(dropout_backward(dy, x, mask, 0.5), 2 * dy * whole)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"dy has shape \(3,\); the output has \(2, 3\)"):
        dropout_backward(np.ones(3), np.ones((2, 3)), np.ones((2, 3), dtype=bool), 0.5)


def test_float32_stays_float32():
    x = np.ones((2, 3), dtype=np.float32)
    assert dropout(x, np.ones((2, 3), dtype=bool), 0.5).dtype == np.float32


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_probabilities_outside_are_refused(p):
    for call in (
        lambda: dropout_mask((2, 3), p, np.random.default_rng(0)),
        lambda: dropout(np.ones(3), np.ones(3, dtype=bool), p),
    ):
        with pytest.raises(ValueError, match="p is"):
            call()


@pytest.mark.parametrize("mask", [np.ones((2, 3)), np.ones((3, 2), dtype=bool), np.ones((5, 2, 3), dtype=bool)])
def test_masks_of_another_type_or_shape_are_refused(mask):
    with pytest.raises(ValueError, match=r"mask is|broadcast"):
        dropout(np.ones((2, 3)), mask, 0.5)


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match="rng is 0"):
        dropout_mask((2, 3), 0.5, 0)


@pytest.mark.parametrize("units", [1, 2, 6])
def test_all_subnetworks_are_there_once_and_one_unit_changes_from_each_to_the_next(units):
    masks = subnetworks(units)
    assert masks.dtype == bool and masks.shape == (2**units, units) and len(np.unique(masks, axis=0)) == 2**units
    assert (np.abs(np.diff(masks.astype(int), axis=0)).sum(axis=1) == 1).all()


@pytest.mark.parametrize("units", [0, 21, -1])
def test_too_many_subnetworks_are_refused(units):
    with pytest.raises(ValueError, match="expected 1 to 20"):
        subnetworks(units)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_masks_are_drawn_with_their_probabilities(p):
    masks = subnetworks(3)
    chance = mask_probabilities(masks, p)
    assert chance.sum() == pytest.approx(1) and chance[masks.all(axis=1)] == pytest.approx((1 - p) ** 3)
    drawn = dropout_mask((100_000, 3), p, np.random.default_rng(0))
    share = (drawn[:, None] == masks).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(share, chance, atol=0.005)


def test_probabilities_of_a_p_that_is_none_are_refused():
    with pytest.raises(ValueError, match=r"p is 1\.5"):
        mask_probabilities(subnetworks(2), 1.5)


def test_the_geometric_mean_of_softmaxes_is_the_softmax_of_the_mean():
    rng = np.random.default_rng(0)
    logits, weights = rng.normal(size=(8, 4)), rng.dirichlet(np.ones(8))
    mean = normalized_geometric_mean(softmax(logits), weights)
    np.testing.assert_allclose(mean, softmax(weights @ logits))
    assert mean.sum() == pytest.approx(1)
