"""The checks of chapter 03: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses

from course_utils.exercises.checks import ex03
from course_utils.exercises.checks.ex03 import EPS, averages, fold, groups, prediction, rms_norm_backward
from course_utils.scratch import update_running


@pytest.mark.parametrize("exercise_id", ex03.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def test_rms_norm_backward_is_torchs():
    rng = np.random.default_rng(0)
    x, dy = rng.normal(1, 2, size=(2, 4, 6))
    twin = torch.tensor(x, requires_grad=True)
    (twin / (twin.square().mean(1, keepdim=True) + EPS).sqrt()).backward(torch.tensor(dy))
    np.testing.assert_allclose(rms_norm_backward(dy, x), twin.grad, rtol=1e-8, atol=1e-10)


def test_the_prediction_is_what_torch_computes():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    u, weight, dy = draw(16, 5), draw(4, 5), draw(16, 4)

    def length(u, weight, dy=dy, bias=0.0, gamma=1.0):
        weight = weight.clone().requires_grad_()
        x = u @ weight.T + bias
        y = gamma * (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-14).sqrt()
        y.backward(dy)
        return weight.grad.norm().item()

    base = length(u, weight)
    changed = (
        length(u, 4 * weight),
        length(u, weight, bias=5.0),
        length(2 * u, weight),
        length(u, weight, gamma=3.0),
        length(u[:2], weight, dy[:2]),
    )
    np.testing.assert_allclose([value / base for value in changed], prediction(), atol=1e-6)


def test_averages_are_those_of_the_course():
    batches, momentum = ex03.draw_batches(np.random.default_rng(0))
    mean, var = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    for x in batches:
        mean, var = update_running(mean, var, x, momentum=momentum)
    np.testing.assert_allclose(averages(batches, momentum), (mean, var))


def flat(values):
    return np.abs(values).max() < 1e-6


def zero_groups(x, y):
    divisors = [g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0]
    return [g for g in divisors if flat(y.reshape(len(y), g, -1).mean(2))]


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_the_norms_are_torchs(number):
    x = np.random.default_rng(number).normal(2, 3, size=(3, 4, 2, 5))
    twin = torch.tensor(x)
    functional = torch.nn.functional
    y = functional.group_norm(twin, number) if number else functional.batch_norm(twin, None, None, training=True)
    np.testing.assert_allclose(ex03.normalized(x, number), y, rtol=1e-8, atol=1e-10)
    assert groups(x, y.numpy()) == number


def test_answers_in_other_forms_and_by_other_ways_are_right_too():
    accepts("03-2", lambda: [np.float32(1 / 4), 1, 1, 3, 0])
    accepts("03-3", lambda batches, momentum: list(averages(batches, momentum)))
    accepts("03-4", lambda x, y: np.int64(groups(x, y)))
    accepts("03-4", lambda x, y: max(zero_groups(x, y), default=0))


def test_groups_that_only_differ_are_not_called_too_many():
    x = np.random.default_rng(0).normal(size=(3, 6, 2, 2))
    inputs = (x, ex03.normalized(x, 3))
    says = {number: ex03.other_groups(inputs, number) for number in (1, 2, 6)}
    assert "too few" in says[1] and "other groups" in says[2] and "other groups" in says[6]


def test_the_folded_layer_computes_the_same():
    rng = np.random.default_rng(0)
    weight, bias, *norm = (torch.tensor(v) for v in ex03.draw_fold(rng))
    u = torch.tensor(rng.normal(size=(3, weight.shape[1], *(5 for _ in weight.shape[2:]))))
    layer = torch.nn.functional.conv2d if weight.ndim == 4 else torch.nn.functional.linear
    gamma, beta, mean, var = norm
    y = torch.nn.functional.batch_norm(layer(u, weight, bias), mean, var, gamma, beta, eps=EPS)
    new_weight, new_bias = (torch.tensor(v) for v in fold(*(v.numpy() for v in (weight, bias, *norm))))
    torch.testing.assert_close(layer(u, new_weight, new_bias), y)


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("03-1", lambda dy, x: rms_norm_backward(dy, x) * 1.01, "not the gradient yet"),
        ("03-1", lambda dy, x: rms_norm_backward(dy, x).sum(1), "number of axes"),
        ("03-2", lambda: prediction()[:4], "wrong length"),
        ("03-3", lambda b, m: (np.concatenate(b).mean(0), np.concatenate(b).var(0, ddof=1)), "has neither average"),
        ("03-3", lambda b, m: averages(b, m)[0], "a NumPy array"),
        ("03-4", lambda x, y: 0 if flat(y.mean((0, 2, 3))) else max(zero_groups(x, y)), "instance norm for batch"),
        ("03-4", lambda x, y: min(zero_groups(x, y), default=0), "too few groups"),
        ("03-4", lambda x, y: max(zero_groups(x, y), default=1), "misses batch norm"),
        ("03-4", lambda x, y: 0 if groups(x, y) == 1 else groups(x, y), "sees batch norm"),
        ("03-4", lambda x, y: x.shape[1] if groups(x, y) else 0, "other groups than these"),
        ("03-4", lambda x, y: max(zero_groups(x, y), default=0) or -1, "cannot be divided"),
        ("03-4", lambda x, y: float(groups(x, y)), "float"),
        ("03-5", lambda w, b, g, t, m, v: (w * g.mean(), b), "computes something else"),
        ("03-5", lambda *inputs: fold(*inputs)[0], "a NumPy array"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
