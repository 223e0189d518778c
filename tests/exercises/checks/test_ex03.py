"""The checks of chapter 03: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses

from course_utils.exercises.checks import ex03
from course_utils.exercises.checks.ex03 import EPS, _averages, averages, fold, groups, prediction, rms_norm_backward
from course_utils.scratch import update_running


@pytest.mark.parametrize("exercise_id", ex03.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


# 03-1


def pieces(dy, x, axis=1):
    r = np.sqrt((x**2).mean(axis, keepdims=True) + EPS)
    return r, x / r, (dy * x / r).mean(axis, keepdims=True)


def with_deviation(dy, x):  # layer norm's backward pass
    s = np.sqrt(x.var(1, keepdims=True) + EPS)
    x_hat = (x - x.mean(1, keepdims=True)) / s
    return (dy - dy.mean(1, keepdims=True) - x_hat * (dy * x_hat).mean(1, keepdims=True)) / s


def test_rms_norm_backward_is_torchs():
    rng = np.random.default_rng(0)
    x, dy = rng.normal(1, 2, size=(2, 4, 6))
    twin = torch.tensor(x, requires_grad=True)
    (twin / (twin.square().mean(1, keepdim=True) + EPS).sqrt()).backward(torch.tensor(dy))
    np.testing.assert_allclose(rms_norm_backward(dy, x), twin.grad, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda dy, x: dy / pieces(dy, x)[0], "direct path alone"),
        (lambda dy, x: dy * pieces(dy, x)[0], "undoes the forward pass"),
        (lambda dy, x: (dy + pieces(dy, x)[1] * pieces(dy, x)[2]) / pieces(dy, x)[0], "wrong sign"),
        (lambda dy, x: (dy - pieces(dy, x)[1] * pieces(dy, x)[2] * x.shape[1]) / pieces(dy, x)[0], "takes a mean"),
        (lambda dy, x: dy - pieces(dy, x)[1] * pieces(dy, x)[2], "in common"),
        (lambda dy, x: rms_norm_backward(dy.T, x.T).T, "over the samples"),
        (
            lambda dy, x: (dy - dy.mean(1, keepdims=True) - pieces(dy, x)[1] * pieces(dy, x)[2]) / pieces(dy, x)[0],
            "a path too many",
        ),
        (with_deviation, "layer norm or batch norm. Here none is subtracted"),
        (lambda dy, x: with_deviation(dy.T, x.T).T, "layer norm or batch norm. Here none is subtracted"),
        (lambda dy, x: rms_norm_backward(dy, x) * 1.01, "not the gradient yet"),
        (lambda dy, x: dy / np.sqrt((x**2).sum(1, keepdims=True) + x.shape[1] * EPS), "or their sum"),
        (lambda dy, x: ex03._rms_norm_backward(dy, x, 0), "epsilon"),
        (lambda dy, x: rms_norm_backward(dy, x).sum(1), "number of axes"),
    ],
)
def test_rms(wrong, says):
    refuses("03-1", wrong, says)


# 03-2


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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((1.0, 1.0, 1.0, 3.0, 0.0), "first change"),
        ((4.0, 1.0, 1.0, 3.0, 0.0), "first change"),
        ((0.25, 0.0, 1.0, 3.0, 0.0), "second change"),
        ((0.25, 1.0, 2.0, 3.0, 0.0), "third change"),
        ((0.25, 1.0, 0.5, 3.0, 0.0), "third change"),
        ((0.25, 1.0, 1.0, 1.0, 0.0), "fourth change"),
        ((0.25, 1.0, 1.0, 1 / 3, 0.0), "fourth change"),
        ((0.25, 1.0, 1.0, 3.0, 1.0), "fifth change"),
        ((0.25, 1.0, 1.0, 3.0, 0.5), "fifth change"),
        ((0.25, 1.0, 1.0, 3.0), "wrong length"),
    ],
)
def test_prediction(wrong, says):
    refuses("03-2", lambda: wrong, says)


@pytest.mark.parametrize("form", [tuple, list, lambda values: tuple(np.float32(v) for v in values)])
def test_prediction_takes_numbers_of_any_kind(form):
    accepts("03-2", lambda: form((1 / 4, 1, 1, 3, 0)))


# 03-3


def of_a_colleague(batches, momentum):
    mean, var = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        var = (1 - momentum) * var + momentum * ((x - mean) ** 2).mean(0)
    return mean, var


def of_everything(batches, momentum):
    values = np.concatenate(batches)
    return values.mean(0), values.var(0, ddof=1)


def test_averages_are_those_of_the_course():
    batches, momentum = ex03.draw_batches(np.random.default_rng(0))
    mean, var = np.zeros(batches[0].shape[1]), np.ones(batches[0].shape[1])
    for x in batches:
        mean, var = update_running(mean, var, x, momentum=momentum)
    np.testing.assert_allclose(averages(batches, momentum), (mean, var))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (of_a_colleague, "both bugs"),
        (lambda b, m: _averages(b, m, around="new"), "wrong centre"),
        (lambda b, m: _averages(b, m, around="old"), "wrong centre"),
        (lambda b, m: _averages(b, m, ddof=0), "right on average"),
        (lambda b, m: _averages(b, m, swapped=True), "momentum is the share of the new batch.\n"),
        (lambda b, m: _averages(b, m, swapped=True, ddof=0), "batch. Apart from that it has the right centre"),
        (lambda b, m: _averages(b, m, swapped=True, around="old"), "Apart from that it has the right divisor"),
        (lambda b, m: of_a_colleague(b, 1 - m), "wrong way round: momentum is the share of the new batch. Apart"),
        (lambda b, m: (averages(b, 1 - m)[0], averages(b, m)[1]), "Apart from that it has the wrong variance"),
        (lambda b, m: (averages(b, m)[0], np.sqrt(averages(b, m)[1])), "not the running variance"),
        (lambda b, m: (of_everything(b, m)[0], averages(b, m)[1]), "not the running mean"),
        (of_everything, "has neither average right"),
        (lambda b, m: averages(b, m)[::-1], "the mean comes first"),
        (lambda b, m: averages(b, m)[0], "a NumPy array"),
    ],
)
def test_averages(wrong, says):
    refuses("03-3", wrong, says)


# 03-4


def flat(values):
    return np.abs(values).max() < 1e-6


def divisors(x):
    return [g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0]


def zero_groups(x, y):
    return [g for g in divisors(x) if flat(y.reshape(len(y), g, -1).mean(2))]


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_the_norms_are_torchs(number):
    x = np.random.default_rng(number).normal(2, 3, size=(3, 4, 2, 5))
    twin = torch.tensor(x)
    functional = torch.nn.functional
    y = functional.group_norm(twin, number) if number else functional.batch_norm(twin, None, None, training=True)
    np.testing.assert_allclose(ex03.normalized(x, number), y, rtol=1e-8, atol=1e-10)
    assert groups(x, y.numpy()) == number


def test_averages_and_groups_in_other_forms_are_right_too():
    accepts("03-3", lambda batches, momentum: list(averages(batches, momentum)))
    accepts("03-4", lambda x, y: np.int64(groups(x, y)))


def test_groups_can_be_measured_by_means():
    accepts("03-4", lambda x, y: max(zero_groups(x, y), default=0))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda x, y: 0 if flat(y.mean((0, 2, 3))) else max(zero_groups(x, y)), "instance norm for batch norm"),
        (lambda x, y: min(zero_groups(x, y), default=0), "too few groups"),
        (lambda x, y: max(zero_groups(x, y), default=1), "misses batch norm"),
        (lambda x, y: 0, "batch norm"),
        (lambda x, y: 0 if groups(x, y) == 1 else groups(x, y), "sees batch norm"),
        (lambda x, y: x.shape[1] if groups(x, y) else 0, "other groups than these"),
        (lambda x, y: max(zero_groups(x, y), default=0) or -1, "cannot be divided"),
        (lambda x, y: float(groups(x, y)), "float"),
    ],
)
def test_groups(wrong, says):
    refuses("03-4", wrong, says)


def test_groups_that_only_differ_are_not_called_too_many():
    x = np.random.default_rng(0).normal(size=(3, 6, 2, 2))
    inputs = (x, ex03.normalized(x, 3))
    says = {number: ex03.explain_groups(inputs, number) for number in (1, 2, 6)}
    assert "too few" in says[1] and "other groups" in says[2] and "other groups" in says[6]


# 03-5


def test_the_folded_layer_computes_the_same():
    rng = np.random.default_rng(0)
    weight, bias, *norm = (torch.tensor(v) for v in ex03.draw_fold(rng))
    u = torch.tensor(rng.normal(size=(3, weight.shape[1], *(5 for _ in weight.shape[2:]))))
    layer = torch.nn.functional.conv2d if weight.ndim == 4 else torch.nn.functional.linear
    gamma, beta, mean, var = norm
    y = torch.nn.functional.batch_norm(layer(u, weight, bias), mean, var, gamma, beta, eps=EPS)
    new_weight, new_bias = (torch.tensor(v) for v in fold(*(v.numpy() for v in (weight, bias, *norm))))
    torch.testing.assert_close(layer(u, new_weight, new_bias), y)


def column(scale, weight):
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda w, b, g, t, m, v: (fold(w, b, g, t, m, v)[0], t - g * m / np.sqrt(v + EPS)), "forgets the bias"),
        (lambda w, b, g, t, m, v: (fold(w, b, g, t, m, v)[0], b - g * m / np.sqrt(v + EPS) + t), "what is scaled"),
        (lambda w, b, g, t, m, v: (fold(w, b, g, t, m, v)[0], b), "leaves the bias"),
        (lambda w, b, g, t, m, v: (fold(w, b, g, t, m, v)[0], g * b + t), "not the bias"),
        (lambda w, b, g, t, m, v: (w * column(g / np.sqrt(v), w), g * (b - m) / np.sqrt(v) + t), "epsilon"),
        (lambda w, b, g, t, m, v: (w * column(g / (v + EPS), w), g * (b - m) / (v + EPS) + t), "a standard deviation"),
        (lambda w, b, g, t, m, v: (w * column(g / (np.sqrt(v) + EPS), w), b), "under the root"),
        (lambda w, b, g, t, m, v: (w, fold(w, b, g, t, m, v)[1]), "leaves the weight"),
        (lambda w, b, g, t, m, v: (-fold(w, b, g, t, m, v)[0], fold(w, b, g, t, m, v)[1]), "bias right"),
        (lambda w, b, g, t, m, v: (w * g.mean(), b), "not the same function"),
        (lambda w, b, g, t, m, v: (w * g / np.sqrt(v + EPS), fold(w, b, g, t, m, v)[1]), ""),
        (lambda w, b, g, t, m, v: fold(w, b, g, t, m, v)[0], "a NumPy array"),
    ],
)
def test_fold(wrong, says):
    refuses("03-5", wrong, says)


def test_fold_along_the_wrong_axis_of_a_square_weight_is_named():
    rng = np.random.default_rng(0)
    inputs, var = rng.normal(size=(4, 3)), rng.uniform(0.5, 1, size=3)
    for shape in ((3, 3), (3, 2, 1, 3)):
        weight = rng.normal(size=shape)
        wrong = weight * inputs[1] / np.sqrt(var + EPS)
        sentence = ex03.explain_fold((weight, *inputs, var), (wrong, fold(weight, *inputs, var)[1]))
        assert "wrong axis" in sentence
