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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda shape, beta: 2 / fan_in_out(shape)[0], "negative half"),
        (lambda shape, beta: weight_variance(shape, math.sqrt(beta)), "another power"),
        (lambda shape, beta: 2 / (1 - beta**2) / fan_in_out(shape)[0], "care for a sign"),
        (lambda shape, beta: math.sqrt(weight_variance(shape, beta)), "standard deviation"),
        (lambda shape, beta: weight_variance((shape[1], shape[0], *shape[2:]), beta), "wrong side"),
        (lambda shape, beta: weight_variance(shape[:2], beta), "kernel"),
        (lambda shape, beta: 1 / fan_in_out(shape)[0], "linear layer"),
        (lambda shape, beta: 2 / (1 + beta**2) / fan_in_out(shape)[1], "wrong side of the unit"),
        (lambda shape, beta: 2 / fan_in_out(shape)[1], "wrong side of the unit. It also ignores the negative half"),
        (lambda shape, beta: 1 / fan_in_out(shape)[1], "wrong side of the unit. It also is the rule for a linear"),
        (lambda shape, beta: 4 / sum(fan_in_out(shape)), "mean of the two fans; here only the forward direction"),
        (lambda shape, beta: 2 / (1 + beta**2) / shape[0], ("the units of the layer", "wrong side of the unit")),
        (
            lambda shape, beta: 2 / (1 + beta) / shape[1],
            ("kernel: of how many values is one output a sum? It also adds", "adds beta"),
        ),
        (
            lambda shape, beta: 2 / (1 + beta**2) / math.prod(shape[:-1]),
            ("channels to come last", "wrong side of the unit"),
        ),
        (lambda shape, beta: math.sqrt(2 / fan_in_out(shape)[0]), "not right yet. What is the mean square"),
        (lambda shape, beta: weight_variance(shape, beta) / 2, "the whole distribution"),
        (lambda shape, beta: 2 / (1 + beta**2), "how many values"),
        (lambda shape, beta: 2 * weight_variance(shape, beta), "a factor of 2 too many"),
        (lambda shape, beta: 1.01 * weight_variance(shape, beta), "not right yet"),
        (lambda shape, beta: np.full(shape, weight_variance(shape, beta)), "a NumPy array where a float"),
        (lambda shape: 2 / fan_in_out(shape)[0], "does not take the inputs"),
    ],
)
def test_weight_variance(wrong, says):
    refuses("02-1", wrong, says)


def test_the_variance_of_slide_18_is_refused():
    """Erratum of the slide, taken further: keep the variance of the output, not its mean square."""
    z = np.random.default_rng(0).normal(size=1_000_000)

    def by_variance(shape, beta):
        spread = (1 + beta**2) / 2 - (1 - beta) ** 2 / (2 * math.pi)
        assert np.where(z > 0, z, beta * z).var() == pytest.approx(spread, rel=0.01)
        return 1 / (spread * fan_in_out(shape)[0])

    refuses("02-1", by_variance, "keeps the variance of the output")


def test_weight_variance_is_torchs():
    for shape, beta in (((7, 12), 0.3), ((8, 4, 3, 5), 0.9)):
        gain = torch.nn.init.calculate_gain("leaky_relu", beta)
        assert weight_variance(shape, beta) == pytest.approx(gain**2 / fan_in_out(shape)[0])


def changed(stack, value):
    return lambda: tuple(value if k == stack else e for k, e in enumerate(EXPONENTS, 1))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (changed(1, 0), "Stack A"),
        (changed(1, -24), "Stack A"),
        (changed(1, -6), "Stack A"),
        (changed(2, 0), "Stack B"),
        (changed(3, -24), "Stack C"),
        (changed(4, 2), "Stack D"),
        (changed(5, 0), "Stack E"),
        (changed(6, -6), "Stack F"),
        (changed(7, -15), "Stack G"),
        (lambda: tuple(round(e / 2) for e in EXPONENTS), "root of the mean square"),
        (lambda: tuple(-e for e in EXPONENTS), "signs"),
        (lambda: EXPONENTS[:6], "wrong length"),
        (lambda: tuple(10.0**e for e in EXPONENTS), "where a whole number"),
    ],
)
def test_exponents(wrong, says):
    refuses("02-2", wrong, says)


def test_the_exponents_are_what_fifty_layers_give():
    def he_and_a_tenth(shape, rng):
        return 1.1 * scratch.he_normal(shape, rng)

    same, alternating = [200] * 51, [60, 180] * 25 + [60]

    def twice_the_heuristic(shape, rng):
        return 2 * scratch.torch_heuristic(shape, rng)

    stacks = [
        ("linear", twice_the_heuristic, same),
        ("ReLU", scratch.glorot_normal, same),
        ("ReLU", scratch.torch_heuristic, same),
        ("ReLU", he_and_a_tenth, same),
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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (ex02.bound_of_a_colleague, "still has the bug"),
        (lambda shape: ex02.bound_of_a_colleague((shape[1], shape[0], *shape[2:])), "other side"),
        (lambda shape: glorot_bound(shape[:2]), "kernel"),
        (lambda shape: glorot_bound(shape) / math.sqrt(3), "standard deviation"),
        (lambda shape: glorot_bound(shape) ** 2 / 3, "gives the variance"),
        (lambda shape: glorot_bound(shape) ** 2 / math.sqrt(3), "whose standard deviation is"),  # slide 20's words
        (lambda shape: 2 * glorot_bound(shape), "whole interval"),
        (lambda shape: math.sqrt(3 / fan_in_out(shape)[0]), "fan-in alone"),
        (lambda shape: math.sqrt(3 / fan_in_out(shape)[1]), "fan-out alone"),
        (lambda shape: glorot_bound((*shape[:1:-1], *shape[1::-1])), "channels to come last"),
        (lambda shape: glorot_bound((*shape[:2], *(shape[2:3] * 2))), "square one"),
        (lambda shape: glorot_bound(shape) * 1.01, "not right yet"),
        (lambda shape: (-glorot_bound(shape), glorot_bound(shape)), "a tuple where a float"),
    ],
)
def test_bound(wrong, says):
    refuses("02-3", wrong, says)


def test_the_colleague_is_right_for_dense_layers_and_the_bound_is_torchs():
    assert ex02.bound_of_a_colleague((30, 20)) == glorot_bound((30, 20))
    weight = torch.empty(40, 30, 5, 3)
    torch.manual_seed(0)
    torch.nn.init.xavier_uniform_(weight)
    assert 0.99 < weight.abs().max().item() / glorot_bound(weight.shape) <= 1


def one_by_one(weights, x, dy, size=lambda d: np.sqrt(np.mean(d**2)), masks=True):
    on = []
    for weight in weights:
        x = np.maximum(0, x @ weight.T)
        on.append(x > 0 if masks else 1)
    found = []
    for weight, mask in zip(weights[::-1], on[::-1], strict=True):
        dy = (dy * mask) @ weight
        found.append(1 / size(dy))
        dy = found[-1] * dy
    return found[::-1]


def as_they_were(weights, x, dy):
    found = one_by_one(weights, x, dy)
    return [math.prod(found[k:]) for k in range(len(found))]


def of_activations(weights, x, dy):
    found = []
    for weight in weights:
        a = x @ weight.T
        found.append(1 / np.sqrt(np.mean(a**2)))
        x = np.maximum(0, found[-1] * a)
    return found


def masked_before_measuring(weights, x, dy):
    on = [np.ones_like(x)]
    for weight in weights:
        x = np.maximum(0, x @ weight.T)
        on.append(x > 0)
    found, dy = [], dy * on[-1]
    for weight, mask in zip(weights[::-1], on[-2::-1], strict=True):
        dy = (dy @ weight) * mask
        found.append(1 / np.sqrt(np.mean(dy**2)))
        dy = found[-1] * dy
    return found[::-1]


def in_place(weights, x, dy):
    found = one_by_one(weights, x, dy)
    for weight, factor in zip(weights, found, strict=True):
        weight *= factor
    return found


def test_factors_are_those_of_the_procedure_and_do_what_they_should():
    accepts("02-4", one_by_one)
    accepts("02-4", lambda *inputs: tuple(map(float, one_by_one(*inputs))))
    weights, x, dy = ex02.draw_stack(np.random.default_rng(5))
    y = torch.tensor(x, requires_grad=True)
    inputs = []
    for weight, factor in zip(weights, factors(weights, x, dy), strict=True):
        inputs.append(y)
        y = torch.relu(y @ torch.tensor(factor * weight).T)
    for gradient in torch.autograd.grad((y * torch.tensor(dy)).sum(), inputs):
        assert gradient.square().mean().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (as_they_were, "as they were"),
        (of_activations, "brings the activations to size"),
        (masked_before_measuring, "off already"),
        (lambda *inputs: one_by_one(*inputs, masks=False), "no ReLU"),
        (lambda *inputs: one_by_one(*inputs, size=np.std), "measures the standard deviation"),
        (lambda *inputs: factors(*inputs)[::-1], "from the last layer to the first"),
        (lambda *inputs: [1 / f for f in factors(*inputs)], "to divide by"),
        (lambda *inputs: [f**2 for f in factors(*inputs)], "mean square"),
        (lambda *inputs: factors(*inputs)[:-1], "one factor for each"),
        (lambda weights, x, dy: [f * w for f, w in zip(factors(weights, x, dy), weights, strict=True)], "does not fit"),
        (lambda weights, x, dy: [math.sqrt(2 / w.shape[0]) for w in weights], "mean square of 1"),
        (in_place, "changes its inputs"),
        (lambda *inputs: np.array(factors(*inputs)), "a NumPy array where a list"),
    ],
)
def test_factors(wrong, says):
    refuses("02-4", wrong, says)


def test_right_answers_may_come_as_lists_and_numpy_scalars():
    accepts("02-1", lambda shape, beta: np.float64(weight_variance(shape, beta)))
    accepts("02-2", lambda: [np.int64(e) for e in EXPONENTS])
    accepts("02-3", lambda shape: np.float32(glorot_bound(shape)))
    accepts("02-5", lambda share, layers: list(np.array(rescue(share, layers))))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda c, n: ((2 / c) ** n, c / 2), "mean squares"),
        (lambda c, n: ((c / 2) ** (n / 2), c / 2), "even smaller"),
        (lambda c, n: ((2 / c) ** ((n - 1) / 2), c / 2), "one layer too few"),
        (lambda c, n: (math.sqrt(2 / c), c / 2), "single layer"),
        (lambda c, n: (2.0 ** (n / 2), c / 2), "two functions equal"),
        (lambda c, n: (rescue(c, n)[0], 2 / c), "which of the two"),
        (lambda c, n: (rescue(c, n)[0], math.sqrt(c / 2)), "both scaled"),
        (lambda c, n: (rescue(c, n)[0], 1.0), "leaves the step"),
        (lambda c, n: (rescue(c, n)[0], (c / 2) ** n), "number of layers"),
        (lambda c, n: (rescue(c, n)[0], 0.5), "not the step"),
        (lambda c, n: rescue(c, n)[0], "where a tuple"),
    ],
)
def test_rescue(wrong, says):
    refuses("02-5", wrong, says)


def test_the_rescued_net_walks_hes_path():
    share, layers, rate = 1 / 3, 6, 0.01
    output, step = rescue(share, layers)
    torch.manual_seed(0)
    x, draws = torch.randn(20, 8).double(), [torch.randn(8, 8).double() for _ in range(layers)]
    paths = []
    for variance, factor, eta in ((2 / 8, 1.0, rate), (share / 8, output, rate * step)):
        weights = [(draw * math.sqrt(variance)).requires_grad_() for draw in draws]
        optimizer, path = torch.optim.SGD(weights, lr=eta, momentum=0.9), []
        for _ in range(15):
            y = x
            for weight in weights[:-1]:
                y = torch.relu(y @ weight)
            loss = (factor * (y @ weights[-1]) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            path.append(loss.item())
        paths.append(path)
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-9)
    assert paths[0][-1] < 0.9 * paths[0][0]
