"""The checks of chapter 02: right answers pass, plausible wrong ones get a sentence that helps."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses

from course_utils import scratch
from course_utils.exercises.checks import ex02
from course_utils.exercises.checks.ex02 import EXPONENTS, factors, glorot_bound, rescue, weight_variance
from course_utils.scratch import fan_in_out, signals


@pytest.mark.parametrize("exercise_id", ex02.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def test_right_answers_may_come_as_lists_and_numpy_scalars():
    accepts("02-1", lambda shape, beta: np.float64(weight_variance(shape, beta)))
    accepts("02-2", lambda: [np.int64(e) for e in EXPONENTS])
    accepts("02-3", lambda shape: np.float32(glorot_bound(shape)))
    accepts("02-4", lambda *inputs: tuple(np.array(factors(*inputs))))
    accepts("02-5", lambda share, layers: list(np.array(rescue(share, layers))))


def test_weight_variance_is_torchs():
    for shape, beta in (((7, 12), 0.3), ((8, 4, 3, 5), 0.9)):
        gain = torch.nn.init.calculate_gain("leaky_relu", beta)
        assert weight_variance(shape, beta) == pytest.approx(gain**2 / fan_in_out(shape)[0])


def test_the_exponents_are_what_fifty_layers_give():
    same, alternating = [200] * 51, [60, 180] * 25 + [60]
    stacks = [
        ("linear", lambda *args: 2 * scratch.torch_heuristic(*args), same),
        ("ReLU", scratch.glorot_normal, same),
        ("ReLU", scratch.torch_heuristic, same),
        ("ReLU", lambda *args: 1.1 * scratch.he_normal(*args), same),
        ("linear", scratch.glorot_uniform, alternating),
        ("LeCun's tanh", scratch.lecun_normal, same),
        ("ReLU", scratch.he_uniform, same),
    ]
    for (name, rule, widths), exponent in zip(stacks, EXPONENTS, strict=True):
        ends = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            weights = [rule((n_out, n_in), rng) for n_in, n_out in pairwise(widths)]
            x = rng.normal(size=(20, widths[0]))
            ends.append(math.log10(signals(name, weights, x, np.zeros((20, widths[-1])))[0][-1]))
        assert np.mean(ends) == pytest.approx(exponent, abs=0.6)


def test_the_colleague_is_right_for_dense_layers_and_the_bound_is_torchs():
    assert ex02.bound_of_a_colleague((30, 20)) == glorot_bound((30, 20))
    weight = torch.empty(40, 30, 5, 3)
    torch.manual_seed(0)
    torch.nn.init.xavier_uniform_(weight)
    assert 0.99 < weight.abs().max().item() / glorot_bound(weight.shape) <= 1


def test_factors_do_what_they_should():
    weights, x, dy = ex02.draw_stack(np.random.default_rng(5))
    y = torch.tensor(x, requires_grad=True)
    inputs = []
    for weight, factor in zip(weights, factors(weights, x, dy), strict=True):
        inputs.append(y)
        y = torch.relu(y @ torch.tensor(factor * weight).T)
    for gradient in torch.autograd.grad((y * torch.tensor(dy)).sum(), inputs):
        assert gradient.square().mean().item() == pytest.approx(1)


def test_the_rescued_net_walks_hes_path():
    share, layers, rate = 1 / 3, 6, 0.1
    output, step = rescue(share, layers)
    torch.manual_seed(0)
    x, draws = torch.randn(20, 8).double(), [torch.randn(8, 8).double() for _ in range(layers)]

    def losses(variance, factor, rate):
        weights = [(draw * math.sqrt(variance)).requires_grad_() for draw in draws]
        for _ in range(15):
            y = x
            for weight in weights[:-1]:
                y = torch.relu(y @ weight)
            loss = (factor * (y @ weights[-1]) - 1).square().mean()
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight.data -= rate * gradient
            yield loss.item()

    path = list(losses(2 / 8, 1, rate))
    np.testing.assert_allclose(list(losses(share / 8, output, rate * step)), path, rtol=1e-9)
    assert path[-1] < 0.9 * path[0]


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("02-1", lambda shape, beta: 1.01 * weight_variance(shape, beta), "not right yet. What is the mean square"),
        ("02-1", lambda shape, beta: np.full(shape, weight_variance(shape, beta)), "a NumPy array where a float"),
        ("02-2", lambda: EXPONENTS[:6], "wrong length"),
        ("02-2", lambda: tuple(10.0**e for e in EXPONENTS), "where a whole number"),
        ("02-3", lambda shape: 1.01 * glorot_bound(shape), "not right yet"),
        ("02-3", lambda shape: (-glorot_bound(shape), glorot_bound(shape)), "a tuple where a float"),
        ("02-4", lambda weights, x, dy: (factors(weights, x, dy), x.fill(0))[0], "changes its inputs"),
        ("02-4", lambda *inputs: factors(*inputs)[:-1], "one factor for each"),
        ("02-4", lambda *inputs: [f * w for f, w in zip(factors(*inputs), inputs[0], strict=True)], "does not fit"),
        ("02-4", lambda weights, x, dy: [math.sqrt(2 / w.shape[0]) for w in weights], "mean square of 1"),
        ("02-4", lambda *inputs: np.array(factors(*inputs)), "a NumPy array where a list"),
        ("02-5", lambda share, layers: (2.0 ** (layers / 2), share / 2), "two functions equal"),
        ("02-5", lambda share, layers: rescue(share, layers)[0], "where a tuple"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
