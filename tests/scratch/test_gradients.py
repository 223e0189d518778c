"""The gradient check tells right from wrong, and refuses what it cannot judge."""

import numpy as np
import pytest

from course_utils.scratch import gradient_check

X = np.random.default_rng(0).normal(size=(3, 4))
DY = np.random.default_rng(1).normal(size=(3, 4))


def test_a_right_gradient_passes():
    assert gradient_check(np.sin, X, DY, np.cos(X) * DY) < 1e-8
    assert gradient_check(lambda x: x @ DY.T, X, np.ones((3, 3)), np.ones((3, 3)) @ DY) < 1e-8
    assert gradient_check(np.sum, X, 2.0, np.full(X.shape, 2.0)) < 1e-8
    assert gradient_check(lambda x: x, X, DY, DY) < 1e-8  # the output may be the very input


def test_differences_are_central():
    """A forward difference of a cube is wrong by 3 x h, a central one by h**2."""
    assert gradient_check(lambda x: x**3, X, DY, 3 * X**2 * DY, h=1e-3) < 1e-6


@pytest.mark.parametrize(
    ("wrong", "distance"),
    [(lambda g: 2 * g, 1 / 3), (lambda g: -g, 1), (lambda g: 0 * g, 1), (lambda g: g[::-1], None)],
)
def test_a_wrong_gradient_is_far_off(wrong, distance):
    found = gradient_check(np.sin, X, DY, wrong(np.cos(X) * DY))
    assert found > 0.01
    if distance:
        assert found == pytest.approx(distance, abs=1e-6)


def test_the_distance_is_relative():
    assert gradient_check(np.sin, X, 1e-6 * DY, 2e-6 * np.cos(X) * DY) == pytest.approx(1 / 3, abs=1e-6)


def test_one_wrong_entry_shows():
    analytic = np.cos(X) * DY
    analytic[2, 3] += 0.01
    assert gradient_check(np.sin, X, DY, analytic) > 1e-4


def test_zero_against_zero_is_right_and_nan_is_never():
    assert gradient_check(np.zeros_like, X, DY, np.zeros(X.shape)) == 0
    assert not gradient_check(np.sin, X, DY, np.full(X.shape, np.nan)) < 1


def test_x_is_left_as_it_is_even_by_a_function_that_writes():
    def careless(x):
        x *= 2
        return x

    before = X.copy()
    assert gradient_check(careless, X, DY, 2 * DY) < 1e-8
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.sin, X.astype(np.float32), DY, DY), "x holds float32; expected float64"),
        ((np.sin, X, DY.astype(np.float32), DY), "dy holds float32"),
        ((np.sin, X, DY, DY.astype(np.float32)), "analytic holds float32"),
        ((np.sin, X.astype(int), DY, DY), "x holds int64"),
        ((np.sin, X, DY, DY.T), r"analytic is \(4, 3\); expected the shape of x, \(3, 4\)"),
        ((np.sin, X, DY[0], DY), r"f\(x\) is \(3, 4\) of float64; expected the shape of dy, \(4,\)"),
        ((np.sum, X, DY, DY), r"f\(x\) is \(\) of float64; expected the shape of dy, \(3, 4\)"),
        ((np.float32, X, DY, DY), r"f\(x\) is \(3, 4\) of float32"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        gradient_check(*arguments)


@pytest.mark.parametrize("h", [0, -1e-6, np.inf, np.nan])
def test_a_step_that_is_none_is_refused(h):
    with pytest.raises(ValueError, match="expected a small positive number"):
        gradient_check(np.sin, X, DY, DY, h=h)
