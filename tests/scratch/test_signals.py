"""Signals in stacks of layers: what is measured is autograd's, what is predicted is the mean of many draws."""

import numpy as np
import pytest
import torch

from course_utils.scratch import NONLINEARITIES, RULES, next_mean_square, random_stack, signals, staircase
from course_utils.scratch.signals import factor, gaussian_mean, response


def test_signals_are_autograds():
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (3, 5), (6, 3)]
    weights, x, dy = [rng.normal(size=s) for s in shapes], rng.normal(size=(7, 4)), rng.normal(size=(7, 6))
    forward, backward = signals("tanh", weights, x, dy)
    y, activations, outputs = torch.tensor(x), [], []
    for weight in weights:
        activations.append((y @ torch.tensor(weight).T).requires_grad_())
        outputs.append(y := torch.tanh(activations[-1]))
    gradients = torch.autograd.grad((y * torch.tensor(dy)).sum(), activations)
    np.testing.assert_allclose(forward, [y.detach().square().mean() for y in outputs])
    np.testing.assert_allclose(backward, [d.square().mean() for d in gradients])


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_the_map_is_the_mean_under_a_gaussian(name):
    a = np.random.default_rng(0).normal(0, np.sqrt(2 * 0.7), size=400_000)
    expected = (NONLINEARITIES[name][0](a) ** 2).mean()
    assert next_mean_square(name, 0.7, 2.0) == pytest.approx(expected, rel=0.02)


def test_the_share_of_a_rule_is_its_variance_times_n():
    for rule, share in RULES.values():
        assert 300 * rule((300, 300), np.random.default_rng(0)).var() == pytest.approx(share, rel=0.03)


@pytest.mark.parametrize("name", NONLINEARITIES)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.0, 2.0), (-2.0, 0.5)])
def test_the_response_is_that_of_a_sample(name, mean, std):
    g, derivative = NONLINEARITIES[name]
    a = np.random.default_rng(0).normal(mean, std, 400_000)
    found = response(name, mean, std)
    assert found.mean == pytest.approx(g(a).mean(), abs=0.01)
    assert found.std == pytest.approx(g(a).std(), abs=0.01)
    assert found.squared_derivative == pytest.approx((derivative(a) ** 2).mean(), abs=0.005)
    assert found.saturated == pytest.approx((derivative(a) < 0.1 * derivative(0.001)).mean(), abs=0.005)


def test_a_mean_under_a_gaussian_takes_numbers_and_arrays():
    assert gaussian_mean(np.square) == pytest.approx(1)
    assert gaussian_mean(np.square, 2, 3) == pytest.approx(4 + 9)
    np.testing.assert_allclose(gaussian_mean(np.cos, np.zeros((2, 3)), [1, 2, 0]), np.exp([[-0.5, -2, 0]] * 2))


def test_a_staircase_is_each_time_the_next():
    path = staircase("tanh", 1.5, 4, q=2.0)
    assert len(path) == 5 and path[0] == 2
    np.testing.assert_allclose(path[1:], [next_mean_square("tanh", q, 1.5) for q in path[:-1]])
    np.testing.assert_allclose(staircase("ReLU", 1.0, 10), 0.5 ** np.arange(11))


def test_a_random_stack_is_always_the_same_and_of_its_rule():
    x, dy, weights = random_stack("He, 2/n", 100, layers=3, samples=7)
    assert x.shape == dy.shape == (7, 100) and [weight.shape for weight in weights] == 3 * [(100, 100)]
    assert 100 * np.var(weights) == pytest.approx(2, rel=0.05) and not np.allclose(x, dy)
    again = random_stack("He, 2/n", 100, layers=5, samples=7)
    np.testing.assert_array_equal(again[2][:3], weights)
    assert not np.allclose(random_stack("He, 2/n", 100, 3, 7, seed=1)[0], x)


def test_a_factor_is_the_geometric_mean_and_0_where_nothing_is_left():
    assert factor(0.5 ** np.arange(5)) == pytest.approx((0.5, 0.5**4))
    assert factor(np.array([1.0, 100.0])) == pytest.approx((100, 100))
    assert factor(np.zeros(3)) == (0, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: response("softplus", 0, 1),
        lambda: signals("softplus", [], 0, 0),
        lambda: next_mean_square("softplus", 1, 1),
        lambda: random_stack("softplus", 3),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(call):
    with pytest.raises(ValueError, match=r"there is no 'softplus' here; there are .*(ReLU|He)"):
        call()
