"""Rules for the starting weights; each draws an array of the given shape from a generator.

A shape is n_out x n_in for a layer of units and out x in x kh x kw for a convolution. The rules differ only in the
variance that they ask for; the uniform forms use that U[-b, b] has variance b^2 / 3.
"""

from math import prod, sqrt

import numpy as np


def fan_in_out(shape):
    """Connections into a unit and out of it: in * kh * kw and out * kh * kw. Raises ValueError for a 1-D shape."""
    shape = tuple(shape)
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; expected (n_out, n_in) or (out, in, kh, kw), all at least 1")
    window = prod(shape[2:])
    return shape[1] * window, shape[0] * window


def lecun_normal(shape, rng):
    """Variance 1 / n_in (LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, eq. 16)."""
    n_in, _ = fan_in_out(shape)
    return _normal(shape, rng, 1 / n_in)


def lecun_uniform(shape, rng):
    """Variance 1 / n_in, uniform: U[-sqrt(3 / n_in), sqrt(3 / n_in)]."""
    n_in, _ = fan_in_out(shape)
    return _uniform(shape, rng, 1 / n_in)


def torch_heuristic(shape, rng):
    """U[-1 / sqrt(n_in), 1 / sqrt(n_in)], of variance 1 / (3 n_in): Torch's old rule, a third of LeCun's variance."""
    n_in, _ = fan_in_out(shape)
    return _uniform(shape, rng, 1 / (3 * n_in))


def glorot_normal(shape, rng):
    """Variance 2 / (n_in + n_out) (Glorot & Bengio 2010, eq. 12)."""
    return _normal(shape, rng, 2 / sum(fan_in_out(shape)))


def glorot_uniform(shape, rng):
    """U[-sqrt(6 / (n_in + n_out)), sqrt(6 / (n_in + n_out))] (Glorot & Bengio 2010, eq. 16)."""
    return _uniform(shape, rng, 2 / sum(fan_in_out(shape)))


def he_normal(shape, rng):
    """Variance 2 / n_in, for ReLU (He, Zhang, Ren & Sun 2015, eq. 10)."""
    n_in, _ = fan_in_out(shape)
    return _normal(shape, rng, 2 / n_in)


def he_uniform(shape, rng):
    """Variance 2 / n_in, uniform: U[-sqrt(6 / n_in), sqrt(6 / n_in)]."""
    n_in, _ = fan_in_out(shape)
    return _uniform(shape, rng, 2 / n_in)


def _normal(shape, rng, variance):
    return _generator(rng).normal(0, sqrt(variance), size=shape)


def _uniform(shape, rng, variance):
    bound = sqrt(3 * variance)
    return _generator(rng).uniform(-bound, bound, size=shape)


def _generator(rng):
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is {rng!r}; expected a generator, as np.random.default_rng(seed) makes")
    return rng


# By the names that figures and tables use: (rule, n Var(W) where n_in = n_out = n).
RULES = {
    "Torch's old rule, 1/(3n)": (torch_heuristic, 1 / 3),
    "LeCun, Glorot, 1/n": (glorot_normal, 1.0),
    "He, 2/n": (he_normal, 2.0),
}
