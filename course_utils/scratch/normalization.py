"""Batch normalization, forward and backward (Ioffe & Szegedy 2015), for N x D and N x C x H x W."""

import math

import numpy as np

from course_utils.scratch.arrays import floats


def batch_norm(x, gamma, beta, *, eps=1e-5, mean=None, var=None):
    """gamma (x - mean) / sqrt(var + eps) + beta, a channel at a time (Ioffe & Szegedy 2015, Algorithm 1).

    x: N x D or N x C x H x W; gamma, beta, mean, var: one number a channel. Without mean and var they are those of the
    batch (var biased: divided by the number of values); with both, test time. Raises ValueError for shapes that do not
    fit, for one of the two alone, and for a batch with fewer than two values a channel.
    """
    x, gamma, beta = floats(x=x, gamma=gamma, beta=beta)
    x_hat, _ = _normalized(x, gamma, beta, eps, mean, var)
    return _column(gamma, x) * x_hat + _column(beta, x)


def batch_norm_backward(dy, x, gamma, beta, *, eps=1e-5, mean=None, var=None):
    """Gradients dx, dgamma, dbeta, given the gradient `dy` of the output; mean and var, if given, are constants.

    Without them dx is the sum of the three paths of `batch_norm_paths`; with them only the direct one is there.
    """
    dy, x, gamma, beta = floats(dy=dy, x=x, gamma=gamma, beta=beta)
    x_hat, inverse_std = _normalized(x, gamma, beta, eps, mean, var)
    if dy.shape != x.shape:
        raise ValueError(f"dy has shape {dy.shape}; the output has {x.shape}")
    dgamma, dbeta = (dy * x_hat).sum(_axes(x)), dy.sum(_axes(x))
    if mean is None:
        direct, through_mean, through_var = batch_norm_paths(dy, x, gamma, beta, eps=eps)
        return direct + through_mean + through_var, dgamma, dbeta
    return dy * _column(gamma, x) * inverse_std, dgamma, dbeta


def batch_norm_paths(dy, x, gamma, beta, *, eps=1e-5):
    """The gradient of x on its three paths to the output: direct, through the batch's mean, through its variance.

    Three arrays of the shape of x (Ioffe & Szegedy 2015, section 3: the three terms of dl/dx, simplified).
    """
    dy, x, gamma, beta = floats(dy=dy, x=x, gamma=gamma, beta=beta)
    x_hat, inverse_std = _normalized(x, gamma, beta, eps, None, None)
    if dy.shape != x.shape:
        raise ValueError(f"dy has shape {dy.shape}; the output has {x.shape}")
    direct = dy * _column(gamma, x) * inverse_std
    through_mean = -direct.mean(_axes(x), keepdims=True) * np.ones_like(x)
    through_var = -x_hat * (direct * x_hat).mean(_axes(x), keepdims=True)
    return direct, through_mean, through_var


def update_running(mean, var, x, *, momentum=0.1):
    """New running mean and variance: (1 - momentum) * old + momentum * the batch's, whose variance is unbiased here.

    Raises ValueError for a momentum outside [0, 1] and for fewer than two values a channel.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum is {momentum}; expected a share of the new batch, 0 to 1")
    mean, var, x = floats(mean=mean, var=var, x=x)
    _check(x, mean=mean, var=var)
    _check_count(x)
    batch_mean, batch_var = x.mean(_axes(x)), x.var(_axes(x), ddof=1)
    return (1 - momentum) * mean + momentum * batch_mean, (1 - momentum) * var + momentum * batch_var


def _normalized(x, gamma, beta, eps, mean, var):
    """x_hat and 1 / sqrt(var + eps), the latter shaped to broadcast against x."""
    _check(x, gamma=gamma, beta=beta)
    if (mean is None) != (var is None):
        raise ValueError("mean and var go together: give both (test time) or neither (training)")
    if mean is None:
        _check_count(x)
        mean, var = x.mean(_axes(x)), x.var(_axes(x))
    _check(x, mean=mean, var=var)
    inverse_std = 1 / np.sqrt(_column(var, x) + eps)
    return (x - _column(mean, x)) * inverse_std, inverse_std


def _axes(x):
    return (0,) if x.ndim == 2 else (0, 2, 3)


def _column(values, x):
    """One value a channel, shaped to broadcast against x."""
    return np.reshape(values, (1, -1) + (1,) * (x.ndim - 2))


def _check(x, **per_channel):
    if x.ndim not in (2, 4):
        raise ValueError(f"x has shape {x.shape}; expected N x D or N x C x H x W")
    for name, values in per_channel.items():
        if np.shape(values) != (x.shape[1],):
            raise ValueError(f"{name} has shape {np.shape(values)}; x of shape {x.shape} needs ({x.shape[1]},)")


def _check_count(x):
    count = len(x) * math.prod(x.shape[2:])
    if count < 2:
        raise ValueError(f"x of shape {x.shape} has {count} value a channel; a variance needs at least two")
