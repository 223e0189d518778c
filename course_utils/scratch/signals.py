"""Signals in stacks of random layers: mean squares layer by layer, measured, and the map that takes one to the next.

A nonlinearity is called by its name in NONLINEARITIES, a rule for the weights by its name in RULES; another name
raises ValueError with those there are.
"""

from collections import namedtuple

import numpy as np

from course_utils.scratch.initialization import RULES
from course_utils.scratch.nonlinearities import NONLINEARITIES

Response = namedtuple("Response", "mean std squared_derivative saturated")

Z = np.linspace(-8, 8, 4000)  # in standard deviations from the mean; less than 1e-14 of N(0, 1) lies outside
GAUSS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


def gaussian_mean(f, mean=0.0, std=1.0):
    """Mean of f(a) for a ~ N(mean, std^2), as a sum over a fine grid. f: elementwise; mean, std: numbers or arrays."""
    return f(np.asarray(mean, float)[..., None] + np.asarray(std, float)[..., None] * Z) @ GAUSS


def response(name, mean, std):
    """What a unit does with inputs from N(mean, std^2).

    A `Response`: mean and standard deviation of its output, mean squared derivative, and the share of the inputs at
    which it is saturated (the derivative is below a tenth of that just right of 0).
    """
    g, derivative = _find(NONLINEARITIES, name)
    output = gaussian_mean(g, mean, std)
    return Response(
        output,
        np.sqrt(gaussian_mean(lambda a: g(a) ** 2, mean, std) - output**2),
        gaussian_mean(lambda a: derivative(a) ** 2, mean, std),
        gaussian_mean(lambda a: derivative(a) < 0.1 * derivative(0.001), mean, std),
    )


def signals(name, weights, x, dy):
    """Mean square, layer by layer, of the outputs y of a stack y = g(W y), and of the gradients at its activations W y.

    weights: arrays n_out x n_in; x: N x n_in; dy: the gradient at the last output, N x n_out.
    """
    g, derivative = _find(NONLINEARITIES, name)
    y, activations, forward, backward = x, [], [], []
    for weight in weights:
        activations.append(y @ weight.T)
        y = g(activations[-1])
        forward.append(np.mean(y**2))
    for weight, a in zip(weights[::-1], activations[::-1], strict=True):
        da = dy * derivative(a)
        backward.append(np.mean(da**2))
        dy = da @ weight
    return np.array(forward), np.array(backward[::-1])


def next_mean_square(name, q, c2):
    """Mean square of g(a) for a ~ N(0, c2 * q): of a layer's output, if q is that of its input and c2 is n Var(W)."""
    g, _ = _find(NONLINEARITIES, name)
    return gaussian_mean(lambda a: g(a) ** 2, std=np.sqrt(c2 * np.asarray(q, float)))


def staircase(name, c2, layers, q=1.0):
    """Mean squares from layer to layer, `q` and then `layers` more: each is the next of the one before."""
    path = [float(q)]
    for _ in range(layers):
        path.append(float(next_mean_square(name, path[-1], c2)))
    return path


def random_stack(rule, width, layers=50, samples=32, seed=0):
    """Inputs and gradients of the last output (samples x width), and square weights drawn by a rule: x, dy, weights."""
    (draw, _), rng = _find(RULES, rule), np.random.default_rng(seed)
    x, dy = rng.normal(size=(2, samples, width))
    return x, dy, [draw((width, width), rng) for _ in range(layers)]


def factor(values):
    """(by which `values` grow from each to the next, in the geometric mean; from the first to the last)."""
    total = values[-1] / values[0] if values[0] > 0 else 0.0
    return total ** (1 / (len(values) - 1)), total


def _find(table, name):
    if name not in table:
        raise ValueError(f"there is no {name!r} here; there are {'; '.join(table)}")
    return table[name]
