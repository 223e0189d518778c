"""The checks of chapter 01: right answers pass, plausible wrong ones get a sentence that helps."""

import inspect
import math
from itertools import pairwise

import nbformat
import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses
from torch.nn.functional import elu

from course_utils import scratch
from course_utils.exercises.checks import ex01
from course_utils.exercises.checks.ex01 import dead_units, edge, elu_backward, left_over, prediction, softmax
from course_utils.files import ROOT


@pytest.mark.parametrize("exercise_id", ex01.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def test_softmax_is_torchs_and_may_be_written_in_another_way():
    a, temperature = ex01.draw_softmax(np.random.default_rng(0))
    np.testing.assert_allclose(softmax(a, temperature), torch.tensor(a / temperature).softmax(1), atol=1e-12)
    accepts("01-1", lambda a, t: np.exp(a / t - np.logaddexp.reduce(a / t, axis=1, keepdims=True)))


def bytes_kept(g):
    layers = [torch.nn.Linear(*pair) for pair in pairwise((784, *ex01.HIDDEN_UNITS, 10))]
    x, storages = torch.zeros(ex01.BATCH, 784), {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layers[2](g(layers[1](g(layers[0](x)))))
    known = {tensor.data_ptr() for tensor in (x, *(p for layer in layers for p in layer.parameters()))}
    return sum(storage.nbytes() for place, storage in storages.items() if place not in known)


def test_prediction_is_what_torch_keeps():
    nets = torch.tanh, torch.relu, elu, lambda a: elu(a, inplace=True), lambda a: a, lambda a: 2 * (2 * a).sigmoid() - 1
    assert prediction() == tuple(map(bytes_kept, nets))


def test_dead_units_accepts_the_bug_mended():
    def mended(images, weight, bias, batch_size):
        batches = (images[k : k + batch_size] for k in range(0, len(images), batch_size))
        return np.logical_and.reduce([(x @ weight.T + bias <= 0).all(axis=0) for x in batches])

    accepts("01-3", mended)


def test_elu_backward_is_the_gradient():
    rng = np.random.default_rng(4)
    a, dy = rng.normal(scale=2, size=(5, 6)), rng.normal(size=(5, 6))
    analytic = elu_backward(dy, scratch.elu(a, 1.5), 1.5)
    assert scratch.gradient_check(lambda a: scratch.elu(a, 1.5), a, dy, analytic) < 1e-7
    accepts("01-4", lambda dy, y, alpha: np.where(y > 0, dy, dy * alpha * np.exp(np.log1p(np.minimum(y, 0) / alpha))))


def test_the_edge_is_crossed_once_and_found_to_a_percent():
    for alpha in (0.3, 0.6, 1.0, 1.5):
        above = [left_over(scale, alpha) > 1 for scale in np.linspace(0.3, 3, 60)]
        assert above == sorted(above)
    accepts("01-5", lambda alpha: 1.01 * edge(alpha))
    accepts("01-5", lambda alpha: edge(alpha) / 1.01)


def test_left_over_is_the_one_that_learners_are_given():
    notebook = nbformat.read(ROOT / "notebooks/solutions/01_nonlinearities.ipynb", 4)
    assert [cell.source for cell in notebook.cells if cell.id == "01-5-given"] == [inspect.getsource(left_over).strip()]


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("01-1", lambda a, t: [[math.exp(v / t) for v in row] for row in a], "comes to a number that is too large"),
        ("01-1", lambda a, t: softmax(np.divide(a, t, out=a), 1), "changes its inputs"),
        ("01-1", lambda a, t: np.exp((a - a.max(1, keepdims=True)) / t), "no probabilities"),
        ("01-1", lambda a, t: softmax(a, t) * np.nan, "gives NaN or infinity. Print what is computed on the way"),
        ("01-1", lambda a, t: np.full(a.shape, 1 / a.shape[1]), "by hand, at a temperature of 1 and of 2"),
        ("01-1", lambda a, t: softmax(a, t)[0], "wrong number of axes"),
        ("01-1", lambda a, t: softmax(a, t).tolist(), "a list where a NumPy array"),
        ("01-2", lambda: prediction()[:5], "wrong length"),
        ("01-2", lambda: tuple(map(float, prediction())), "float where a whole number"),
        ("01-3", lambda x, w, b, n: dead_units(x[1:], w, b, n), "passes no gradient on"),
        ("01-3", lambda x, w, b, n: (x @ w.T + b <= 0).all(axis=1), "wrong shape"),
        ("01-3", lambda *inputs: int(dead_units(*inputs).sum()), "a whole number where a NumPy array"),
        ("01-3", lambda *inputs: dead_units(*inputs).astype(int), "booleans are asked for"),
        ("01-4", lambda dy, y, alpha: dy * np.where(y > 0, 1, y - alpha), "as a function of y"),
        ("01-4", lambda *inputs: elu_backward(*inputs).sum(), "a float where a NumPy array"),
        ("01-5", lambda alpha: 1.05 * edge(alpha), "grows"),
        ("01-5", lambda alpha: edge(alpha) / 1.05, "shrinks"),
        ("01-5", lambda alpha: left_over(1.0, alpha) ** (-1 / 20), "shrinks"),  # divided once, as if slopes stayed
        ("01-5", lambda alpha: -edge(alpha), "far off"),
        ("01-5", lambda alpha: 1e300, "far off"),
        ("01-5", lambda alpha: (edge(alpha), 1.0), "a tuple where a float"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
