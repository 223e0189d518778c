"""Nonlinearities, elementwise, each with its derivative; softmax over an axis. Stable and warning-free for all floats.

Arrays keep their float type; whole numbers are computed in float64. NaN passes through, except where only the sign of
`a` is asked for: in the derivatives of ReLU and leaky ReLU.
"""

import numpy as np

from course_utils.scratch.arrays import floats


def sigmoid(a):
    """1 / (1 + exp(-a)); for a < 0 as exp(a) / (1 + exp(a)), so that no exponent is positive and nothing overflows."""
    a = _floats(a)
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


def sigmoid_grad(a):
    """sigmoid(a) (1 - sigmoid(a)), at most 1/4; the second factor as sigmoid(-a), which keeps its digits near 0."""
    a = _floats(a)
    return sigmoid(a) * sigmoid(-a)


def tanh(a):
    """(exp(a) - exp(-a)) / (exp(a) + exp(-a)), equal to 2 sigmoid(2a) - 1."""
    return np.tanh(_floats(a))


def tanh_grad(a):
    """1 - tanh(a)^2."""
    return 1 - np.tanh(_floats(a)) ** 2


def lecun_tanh(a):
    """1.7159 tanh(2a / 3): maps 1 to 1 and -1 to -1 (LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, 4.4)."""
    return 1.7159 * np.tanh(2 / 3 * _floats(a))


def lecun_tanh_grad(a):
    """1.7159 * 2/3 * (1 - tanh(2a / 3)^2)."""
    return 1.7159 * 2 / 3 * (1 - np.tanh(2 / 3 * _floats(a)) ** 2)


def relu(a):
    """max(0, a)."""
    return np.maximum(0, _floats(a))


def relu_grad(a):
    """1 for a > 0, else 0; at a = 0, where there is no derivative, 0, as everybody does it."""
    a = _floats(a)
    return (a > 0).astype(a.dtype)


def leaky_relu(a, beta=0.01):
    """max(beta a, a). Raises ValueError unless 0 < beta < 1: outside, the maximum picks the wrong line."""
    a = _floats(a)
    return np.maximum(_slope(beta) * a, a)


def leaky_relu_grad(a, beta=0.01):
    """1 for a > 0, else beta."""
    a = _floats(a)
    return np.where(a > 0, a.dtype.type(1), a.dtype.type(_slope(beta)))


def elu(a, alpha=1.0):
    """a for a > 0, else alpha (exp(a) - 1) (Clevert, Unterthiner & Hochreiter 2016)."""
    a = _floats(a)
    # The branch not taken is computed too: the minimum keeps exp from overflowing there.
    return np.where(a > 0, a, _scale(alpha) * np.expm1(np.minimum(a, 0)))


def elu_grad(a, alpha=1.0):
    """1 for a > 0, else alpha exp(a), which is elu(a) + alpha: the output is all it needs."""
    a = _floats(a)
    return np.where(a > 0, a.dtype.type(1), _scale(alpha) * np.exp(np.minimum(a, 0)))


def softmax(a, axis=-1):
    """exp(a_i) / sum_j exp(a_j) along `axis`; the maximum is subtracted first, which cancels in the quotient."""
    return np.exp(log_softmax(a, axis))


def log_softmax(a, axis=-1):
    """a_i - log sum_j exp(a_j) along `axis`, after subtracting the maximum."""
    a = _floats(a)
    shifted = a - a.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax_as_written(a, axis=-1):
    """The same formula as it stands, nothing subtracted: NaN where an exponential overflows or all of them vanish."""
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(_floats(a))
        return e / e.sum(axis=axis, keepdims=True)


def softmax_backward(dy, a, axis=-1):
    """Gradient at `a`, given the gradient `dy` at softmax(a): y_i (dy_i - sum_j dy_j y_j). Shapes as `a`."""
    y = softmax(a, axis)
    if np.shape(dy) != y.shape:
        raise ValueError(f"dy has shape {np.shape(dy)}; the output of softmax has {y.shape}")
    return y * (dy - (dy * y).sum(axis=axis, keepdims=True))


def _floats(a):
    return floats(a=a)[0]


def _slope(beta):
    if not 0 < beta < 1:
        raise ValueError(f"beta is {beta}; the slope for negative a is between 0 and 1")
    return float(beta)  # a NumPy number would make float64 of float32


def _scale(alpha):
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; the depth of ELU's plateau is positive")
    return float(alpha)


# By the names that figures and tables use: (function, derivative).
NONLINEARITIES = {
    "linear": (lambda a: a, np.ones_like),
    "sigmoid": (sigmoid, sigmoid_grad),
    "tanh": (tanh, tanh_grad),
    "LeCun's tanh": (lecun_tanh, lecun_tanh_grad),
    "ReLU": (relu, relu_grad),
    "leaky ReLU": (leaky_relu, leaky_relu_grad),
    "ELU": (elu, elu_grad),
}
