"""Is a gradient right? Compare it with differences of the function itself."""

import numpy as np


def gradient_check(f, x, dy, analytic, *, h=1e-6):
    """How far the gradient `analytic` of sum(f(x) * dy) by x is from central differences: ||a - n|| / (||a|| + ||n||).

    About 1e-8 for a right one in float64, 1 for a wrong one; a kink of f within h of x shows up too. `x` is left as it
    is. Two calls of `f` an entry of `x`: keep it small. Raises ValueError for what is not float64 (float32 rounds away
    the differences), and for an `analytic` unlike x or a dy unlike f(x).
    """
    for name, values in (("x", x), ("dy", dy), ("analytic", analytic)):
        if np.asarray(values).dtype != np.float64:
            raise ValueError(f"{name} holds {np.asarray(values).dtype}; expected float64")
    if not 0 < h < np.inf:
        raise ValueError(f"h is {h}; expected a small positive number")
    if np.shape(analytic) != np.shape(x):
        raise ValueError(f"analytic is {np.shape(analytic)}; expected the shape of x, {np.shape(x)}")
    y = np.asarray(f(np.array(x)))
    if y.shape != np.shape(dy) or y.dtype != np.float64:
        raise ValueError(f"f(x) is {y.shape} of {y.dtype}; expected the shape of dy, {np.shape(dy)}, of float64")
    numeric, step = np.zeros(np.shape(x)), np.zeros(np.shape(x))
    for index in np.ndindex(step.shape):
        step[index] = h
        numeric[index] = np.sum((f(x + step) - f(x - step)) * dy) / (2 * h)
        step[index] = 0
    norm = np.linalg.norm
    return float(norm(analytic - numeric) / max(1e-12, norm(analytic) + norm(numeric)))
