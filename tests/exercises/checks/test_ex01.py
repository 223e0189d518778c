"""The checks of chapter 01: right answers pass, plausible wrong ones get a sentence that helps."""

import math
from bisect import bisect
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from checks import accepts, check_is_sound, refuses

from course_utils import scratch
from course_utils.exercises.checks import ex01
from course_utils.exercises.checks.ex01 import dead_units, edge, elu_backward, left_over, prediction, softmax
from course_utils.files import ROOT


@pytest.mark.parametrize("exercise_id", ex01.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def as_it_stands(a, temperature):
    with np.errstate(all="ignore"):
        e = np.exp(a / temperature)
        return e / e.sum(axis=1, keepdims=True)


def one_maximum_for_all(a, temperature):
    with np.errstate(all="ignore"):
        e = np.exp((a - a.max()) / temperature)
        return e / e.sum(axis=1, keepdims=True)


def the_mean_subtracted(a, temperature):
    return as_it_stands(a - a.mean(axis=1, keepdims=True), temperature)


def one_sum_for_all(a, temperature):
    e = np.exp((a - a.max(axis=1, keepdims=True)) / temperature)
    return e / e.sum()


def overwritten(a, temperature):
    a /= temperature
    return scratch.softmax(a)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda a, t: softmax(-a, t), "as slide 7 does"),
        (as_it_stands, "exponentiates the activations as they are"),
        (one_maximum_for_all, "one maximum from all rows"),
        (the_mean_subtracted, "subtracts the mean of each row"),
        (one_sum_for_all, "no probabilities"),
        (lambda a, t: scratch.softmax(a), "ignores the temperature"),
        (lambda a, t: scratch.softmax(a * t), "multiplies by the temperature"),
        (lambda a, t: scratch.softmax(a) / t, "divides the probabilities"),
        (lambda a, t: scratch.softmax(a / t, axis=0), "wrong axis"),
        (lambda a, t: scratch.log_softmax(a / t), "logarithms"),
        (lambda a, t: as_it_stands(-a, t), "gives NaN or infinity. Print what is computed on the way"),
        (lambda a, t: softmax(a, t) * np.nan, "gives NaN or infinity. Print what is computed on the way"),
        (lambda a, t: np.full(a.shape, 1 / a.shape[1]), "by hand, at a temperature of 1 and of 2"),
        (lambda a, t: softmax(a, t)[0], "wrong number of axes"),
        (lambda a, t: softmax(a, t).tolist(), "a list where a NumPy array"),
        (overwritten, "changes its inputs"),
    ],
)
def test_softmax(wrong, says):
    refuses("01-1", wrong, says)


def test_softmax_accepts_another_way():
    accepts("01-1", lambda a, t: np.exp(a / t - np.logaddexp.reduce(a / t, axis=1, keepdims=True)))


def test_prediction_is_what_torch_keeps():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    nets = (
        torch.tanh,
        torch.relu,
        functional.elu,
        lambda a: functional.elu(a, inplace=True),
        lambda a: a,
        lambda a: 2 * torch.sigmoid(2 * a) - 1,
    )
    sizes, kept = (784, *ex01.HIDDEN_UNITS, 10), []
    for g in nets:
        layers = [torch.nn.Linear(*pair) for pair in pairwise(sizes)]
        x, storages = torch.zeros(ex01.BATCH, 784), {}

        def keep(tensor, storages=storages):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            layers[2](g(layers[1](g(layers[0](x)))))
        for known in (x, *(p for layer in layers for p in layer.parameters())):
            storages.pop(known.untyped_storage().data_ptr(), None)
        kept.append(sum(storage.nbytes() for storage in storages.values()))
    assert prediction() == tuple(kept)


def predicted(*arrays, unit=4 * 32 * (256 + 128), extra=0):
    return lambda: tuple(unit * n + extra for n in arrays)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (predicted(2, 1, 2, 1, 1, 2), "beside tanh's output"),  # slide 9
        (predicted(1, 0, 2, 1, 1, 2), "read off its output"),
        (predicted(1, 1, 1, 1, 1, 2), "from its input"),
        (predicted(1, 1, 2, 2, 1, 2), "overwritten"),
        (predicted(1, 1, 2, 1, 0, 2), "its own input"),
        (predicted(1, 1, 2, 1, 1, 1), "derivative of the sigmoid"),
        (predicted(1, 1, 2, 1, 1, 3), "derivative of the sigmoid"),
        (predicted(1, 1, 2, 1, 1, 2, unit=32 * 384), "counts numbers"),
        (predicted(1, 1, 2, 1, 1, 2, unit=8 * 32 * 384), "eight bytes"),
        (predicted(1, 1, 2, 1, 1, 2, unit=4 * 384), "one image"),
        (predicted(1, 1, 2, 1, 1, 2, unit=48), "in KiB"),
        (predicted(1, 1, 2, 1, 1, 2, unit=4 * 32 * 256), "first hidden layer only"),
        (predicted(1, 1, 2, 1, 1, 2, unit=4 * 32 * 128), "second hidden layer only"),
        (predicted(1, 1, 2, 1, 1, 2, extra=4 * 32 * 784), "input of the net"),
        (predicted(1, 1, 2, 1, 1), "wrong length"),
        (lambda: tuple(value / 1024 for value in prediction()), "float where a whole number"),
    ],
)
def test_prediction(wrong, says):
    refuses("01-2", wrong, says)


def census(combine, start, silent=np.less_equal):
    def count(images, weight, bias, batch_size):
        dead = np.full(len(bias), start)
        for first in range(0, len(images), batch_size):
            a = images[first : first + batch_size] @ weight.T + bias
            dead = combine(dead, silent(a, 0).all(axis=0))
        return dead

    return count


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (census(np.logical_or, False), "still has the bug"),
        (census(np.logical_or, True), "calls every unit dead"),
        (census(np.logical_and, False), "calls no unit at all dead"),
        (lambda x, w, b, n: (x @ w.T <= 0).all(axis=0), "leaves out the bias"),
        (lambda x, w, b, n: dead_units(x[: len(x) // n * n], w, b, n), "incomplete last batch"),
        (lambda x, w, b, n: dead_units(x[1:], w, b, n), "passes no gradient on"),
        (census(lambda before, now: now, True), "last batch only"),
        (census(np.logical_and, True, silent=np.less), "exactly 0"),
        (lambda x, w, b, n: ~dead_units(x, w, b, n), "the dead ones"),
        (lambda x, w, b, n: dead_units(x[:n], w, b, n), "first batch only"),
        (lambda x, w, b, n: (x @ w.T + b).mean(axis=0) <= 0, "goes by the mean"),
        (lambda x, w, b, n: (x @ w.T + b <= 0).all(axis=1), "wrong shape"),
        (lambda x, w, b, n: int(dead_units(x, w, b, n).sum()), "a whole number where a NumPy array"),
        (lambda x, w, b, n: dead_units(x, w, b, n).astype(int), "booleans are asked for"),
    ],
)
def test_dead_units(wrong, says):
    refuses("01-3", wrong, says)


def test_dead_units_accepts_the_bug_mended():
    accepts("01-3", census(np.logical_and, True))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda dy, y, alpha: dy * np.where(y < 0, 1, y + alpha), "as slide 11 has them"),
        (lambda dy, y, alpha: dy * np.where(y > 0, 1, y + 1), "α = 1 only"),
        (lambda dy, y, alpha: dy * np.where(y > 0, 1, alpha * (y + 1)), "takes y for exp(a)"),
        (lambda dy, y, alpha: dy * np.where(y > 0, 1, y / alpha + 1), "a factor more"),
        (lambda dy, y, alpha: dy * scratch.elu_grad(y, alpha), "output for the input"),
        (lambda dy, y, alpha: np.where(y > 0, 1, y + alpha), "from above"),
        (lambda dy, y, alpha: dy * (y + alpha), "both sides alike"),
        (lambda dy, y, alpha: dy * (y > 0), "ReLU's gradient"),
        (lambda dy, y, alpha: dy * np.where(y > 0, 1, alpha), "constant slope"),
        (lambda dy, y, alpha: dy * np.where(y > 0, 1, y - alpha), "as a function of y"),
        (lambda dy, y, alpha: dy * np.where(dy > 0, 1, y + alpha), "as a function of y"),
        (lambda dy, y, alpha: elu_backward(dy, y, alpha).sum(), "a float where a NumPy array"),
    ],
)
def test_elu_backward(wrong, says):
    refuses("01-4", wrong, says)


def test_elu_backward_is_the_gradient():
    rng = np.random.default_rng(4)
    a, dy = rng.normal(scale=2, size=(5, 6)), rng.normal(size=(5, 6))
    analytic = elu_backward(dy, scratch.elu(a, 1.5), 1.5)
    assert scratch.gradient_check(lambda a: scratch.elu(a, 1.5), a, dy, analytic) < 1e-7
    accepts("01-4", lambda dy, y, alpha: np.where(y > 0, dy, dy * alpha * np.exp(np.log1p(np.minimum(y, 0) / alpha))))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda alpha: math.sqrt(2), "ReLU's scale"),
        (lambda alpha: 1.0, "shrinks"),
        (lambda alpha: math.sqrt(2 / (1 + alpha**2)), "straight line"),
        (lambda alpha: 1.05 * edge(alpha), "grows"),
        (lambda alpha: edge(alpha) / 1.05, "shrinks"),
        (lambda alpha: edge(alpha) / math.sqrt(32), "standard deviation of the weights"),
        (lambda alpha: -edge(alpha), "far off"),
        (lambda alpha: 1e300, "far off"),
        (lambda alpha: left_over(1.0, alpha) ** (-1 / 20), "shrinks"),  # one division, as if the slopes stayed
        (lambda alpha: (edge(alpha), 1.0), "a tuple where a float"),
    ],
)
def test_edge(wrong, says):
    refuses("01-5", wrong, says)


def test_edge_accepts_a_fine_grid():
    scales = list(np.linspace(0.95, 1.5, 40))

    def best(alpha):  # of all 40: what is left over grows with the scale
        above = bisect(scales, 1, key=lambda scale: left_over(scale, alpha))
        return min(scales[above - 1 : above + 1], key=lambda scale: abs(math.log(left_over(scale, alpha))))

    accepts("01-5", best)


def test_the_edge_is_crossed_once():
    for alpha in (0.3, 0.6, 1.0, 1.5):
        above = [left_over(scale, alpha) > 1 for scale in np.linspace(0.3, 3, 60)]
        assert above == sorted(above)


def test_left_over_is_the_one_that_learners_are_given():
    notebook = nbformat.read(ROOT / "notebooks/solutions/01_nonlinearities.ipynb", 4)
    (given,) = (cell.source for cell in notebook.cells if cell.id == "01-5-given")
    names = {"np": np}
    exec(given, names)
    for scale, alpha in ((0.9, 0.4), (1.3, 1.2)):
        assert names["left_over"](scale, alpha) == left_over(scale, alpha)
