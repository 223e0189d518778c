"""Nonlinearities against torch, against difference quotients, and at the ends of the floats."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import scratch
from course_utils.scratch import gradient_check

TORCH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "lecun_tanh": lambda a: 1.7159 * torch.tanh(2 / 3 * a),
    "relu": torch.relu,
    "leaky_relu": lambda a: torch.nn.functional.leaky_relu(a, 0.01),
    "elu": torch.nn.functional.elu,
}
FAR = np.array([-1e4, -800.0, -40.0, -1.0, 0.0, 1.0, 40.0, 800.0, 1e4])


@pytest.mark.parametrize("name", TORCH)
@given(seed=st.integers(0, 2**32 - 1))
def test_value_and_derivative_are_torchs(name, seed):
    a = np.random.default_rng(seed).normal(scale=3, size=(3, 4))
    twin = torch.tensor(a, requires_grad=True)
    out = TORCH[name](twin)
    out.sum().backward()
    np.testing.assert_allclose(getattr(scratch, name)(a), out.detach(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(getattr(scratch, name + "_grad")(a), twin.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", TORCH)
def test_derivative_is_the_difference_quotient(name):
    rng = np.random.default_rng(1)
    a, dy = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    assert gradient_check(getattr(scratch, name), a, dy, dy * getattr(scratch, name + "_grad")(a)) < 1e-7


@pytest.mark.parametrize(
    ("name", "twin"), [("leaky_relu", torch.nn.functional.leaky_relu), ("elu", torch.nn.functional.elu)]
)
@pytest.mark.parametrize("parameter", [0.25, 0.75])
def test_slope_and_depth_are_the_callers(name, twin, parameter):
    a = torch.linspace(-3, 3, 30, dtype=torch.float64, requires_grad=True)  # 0 is not among them
    out = twin(a, parameter)
    out.sum().backward()
    np.testing.assert_allclose(getattr(scratch, name)(a.detach(), parameter), out.detach(), rtol=1e-12)
    np.testing.assert_allclose(getattr(scratch, name + "_grad")(a.detach(), parameter), a.grad, rtol=1e-12)


@pytest.mark.parametrize("name", ["leaky_relu", "leaky_relu_grad", "elu", "elu_grad"])
def test_a_parameter_of_numpy_leaves_the_type_alone(name):
    assert getattr(scratch, name)(np.ones(2, np.float32), np.float64(0.5)).dtype == np.float32


def test_at_zero_the_derivative_is_that_of_the_left():
    assert (scratch.relu_grad(0.0), scratch.leaky_relu_grad(0.0, 0.25), scratch.elu_grad(0.0, 0.5)) == (0, 0.25, 0.5)


@pytest.mark.parametrize("name", [*TORCH, *(name + "_grad" for name in TORCH), "softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_finite_without_warning_from_minus_to_plus_1e4_and_keeps_the_type(name, dtype):
    with warnings.catch_warnings(), np.errstate(over="raise", divide="raise", invalid="raise"):
        warnings.simplefilter("error")
        out = getattr(scratch, name)(FAR.astype(dtype))
    assert np.isfinite(out).all() and out.dtype == dtype


def test_sigmoid_keeps_the_digits_of_its_small_tail():
    np.testing.assert_allclose(scratch.sigmoid(-40.0), np.exp(-40.0), rtol=1e-12)
    np.testing.assert_allclose(scratch.sigmoid_grad(40.0), np.exp(-40.0), rtol=1e-12)


def test_whole_numbers_are_computed_in_float64():
    assert scratch.sigmoid(np.array([0, 1])).dtype == np.float64
    assert scratch.elu_grad(0).dtype == np.float64


@pytest.mark.parametrize(
    "name", [*TORCH, "sigmoid_grad", "tanh_grad", "lecun_tanh_grad", "elu_grad", "softmax", "log_softmax"]
)
def test_nan_passes_through(name):
    assert np.isnan(getattr(scratch, name)(np.array([np.nan, 1.0]))[0])


@given(seed=st.integers(0, 2**32 - 1), axis=st.sampled_from([0, 1, -1]))
def test_softmax_and_its_backward_are_torchs(seed, axis):
    rng = np.random.default_rng(seed)
    a, dy = rng.normal(scale=5, size=(4, 3)), rng.normal(size=(4, 3))
    twin = torch.tensor(a, requires_grad=True)
    out = torch.softmax(twin, axis)
    out.backward(torch.tensor(dy))
    np.testing.assert_allclose(scratch.softmax(a, axis), out.detach(), rtol=1e-12)
    np.testing.assert_allclose(scratch.log_softmax(a, axis), torch.log_softmax(torch.tensor(a), axis), rtol=1e-12)
    np.testing.assert_allclose(scratch.softmax_backward(dy, a, axis), twin.grad, rtol=1e-9, atol=1e-12)
    assert gradient_check(lambda a: scratch.softmax(a, axis), a, dy, scratch.softmax_backward(dy, a, axis)) < 1e-6


@pytest.mark.parametrize("beta", [0, 1, -0.1, 2])
def test_leaky_relu_refuses_slopes_for_which_the_maximum_is_wrong(beta):
    for function in (scratch.leaky_relu, scratch.leaky_relu_grad):
        with pytest.raises(ValueError, match=f"beta is {beta}"):
            function(FAR, beta)


def test_elu_refuses_a_depth_that_is_not_positive():
    for function in (scratch.elu, scratch.elu_grad):
        with pytest.raises(ValueError, match="alpha is 0"):
            function(FAR, 0)


def test_softmax_backward_refuses_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        scratch.softmax_backward(np.ones(2), np.ones(3))


def test_softmax_as_written_agrees_and_fails_where_exponentials_do_and_says_nothing():
    a = np.array([[2.0, 1.0, -1.0], [700, 699, 0]])
    np.testing.assert_allclose(scratch.softmax_as_written(a), scratch.softmax(a))
    np.testing.assert_allclose(scratch.softmax_as_written(a.T, axis=0), scratch.softmax(a).T)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for far in (1e4, -1e4):
            assert np.isnan(scratch.softmax_as_written(np.array([2.0, 1.0]) + far)).all()


@pytest.mark.parametrize("name", scratch.NONLINEARITIES)
def test_the_table_of_nonlinearities_holds_each_beside_its_derivative(name):
    g, derivative = scratch.NONLINEARITIES[name]
    a, dy = np.random.default_rng(0).normal(size=(2, 50))
    assert gradient_check(g, a, dy, dy * derivative(a)) < 1e-7
