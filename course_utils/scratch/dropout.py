"""Dropout in the inverted form that frameworks use: scaled in training, nothing to do at test time; its ensemble."""

import numpy as np


def dropout_mask(shape, p, rng):
    """Boolean array, True where a unit is kept: with probability 1 - p. Raises ValueError unless 0 <= p < 1."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is {rng!r}; expected a generator, as np.random.default_rng(seed) makes")
    return rng.random(shape) >= _probability(p)


def dropout(x, mask, p):
    """x * mask / (1 - p): the division keeps the expected output at x (Srivastava et al. 2014, section 10).

    mask: boolean, broadcasts to the shape of x; p: the probability with which a unit is switched off.
    """
    return x * _checked(mask, x) / (1 - _probability(p))


def dropout_backward(dy, x, mask, p):
    """Gradient at x, given the gradient `dy` of the output: it passes where x passed, with the same factor."""
    if np.shape(dy) != np.shape(x):
        raise ValueError(f"dy has shape {np.shape(dy)}; the output has {np.shape(x)}")
    return dy * _checked(mask, x) / (1 - _probability(p))


def subnetworks(units):
    """All masks of that many units, 2^units x units; from each to the next one unit is switched (a Gray code)."""
    if not 0 < units < 21:
        raise ValueError(f"units is {units}; expected 1 to 20: there are 2^units masks")
    numbers = np.arange(2**units)
    numbers ^= numbers >> 1
    return (numbers[:, None] >> np.arange(units) & 1).astype(bool)


def mask_probabilities(masks, p):
    """With which probability each mask (a row, True: kept) is drawn."""
    return np.where(masks, 1 - _probability(p), p).prod(axis=-1)


def normalized_geometric_mean(outputs, weights):
    """The weighted geometric mean of distributions (outputs: N x classes, weights: N), divided by its sum."""
    mean = np.exp(weights @ np.log(outputs))
    return mean / mean.sum()


def _probability(p):
    if not 0 <= p < 1:
        raise ValueError(f"p is {p}; the probability of being switched off is at least 0 and below 1")
    return p


def _checked(mask, x):
    mask = np.asarray(mask)
    if mask.dtype != bool or np.broadcast_shapes(mask.shape, np.shape(x)) != np.shape(x):
        raise ValueError(f"mask is {mask.dtype} of shape {mask.shape}; expected bool that fits x of {np.shape(x)}")
    return mask
