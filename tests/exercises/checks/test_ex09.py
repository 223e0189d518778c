"""The checks of chapter 09: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn
from torch.nn import functional as F

from course_utils import models
from course_utils.exercises.checks import ex09
from course_utils.exercises.checks.ex09 import _losses, backward, compare, count, evaluate, lenet, prediction
from course_utils.models.lenet import C3_TABLE
from course_utils.scratch import gradient_check


@pytest.mark.parametrize("exercise_id", ex09.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.fixture(scope="module")
def given():
    return given_names("09")


def test_count_is_the_paper_s_and_the_model_s(given):
    table = given["TABLE_I"]
    assert tuple(map(tuple, table)) == C3_TABLE
    assert count(6, table, 120, 84, 10) == (60_000, 340_908)
    assert count(6, table, 120, 84, 10)[0] == sum(p.numel() for p in models.build("lenet5").parameters())
    assert count(1, [[0]], 1, 1, 1)[0] == 26 + 2 + 26 + 2 + 26 + 2


def test_backward_is_the_derivative(given):
    dy, x, weight, bias = ex09.draw_backward(np.random.default_rng(5))
    dx, dweight, dbias = backward(dy, x, weight, bias)
    forward = given["subsampling"]
    assert gradient_check(lambda v: forward(v, weight, bias), x, dy, dx) < 1e-7
    assert gradient_check(lambda v: forward(x, v, bias), weight, dy, dweight) < 1e-7
    assert gradient_check(lambda v: forward(x, weight, v), bias, dy, dbias) < 1e-7


def evaluate_by_torch(distances, labels, batch_size):
    scores, right = torch.tensor(-distances), torch.tensor(labels)
    return [F.cross_entropy(scores, right).item(), (scores.argmax(1) == right).float().mean().numpy()[()]]


def backward_by_torch(pool):
    def by_torch(dy, x, weight, bias):
        x, weight, bias = (torch.tensor(value, requires_grad=True) for value in (x, weight, bias))
        (pool(x) * weight[:, None, None] + bias[:, None, None]).backward(torch.tensor(dy))
        return [x.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()]

    return by_torch


def test_other_ways_are_right():
    accepts("09-2", backward_by_torch(lambda x: 4 * F.avg_pool2d(x, 2)))
    accepts("09-3", evaluate_by_torch)
    accepts("09-4", lambda: [list(row) for row in prediction()])


def test_given_bugs_show_as_the_text_says(given):
    given = given["evaluate_of_a_colleague"]
    rng = np.random.default_rng(0)
    distances, labels = rng.gamma(2, 1.5, size=(10, 4)), rng.integers(4, size=10)
    assert np.allclose(given(distances, labels, 5), evaluate(distances, labels, 5))
    assert not np.isclose(given(distances, labels, 4)[1], given(distances, labels, 5)[1])
    assert not np.isclose(given(distances + 50, labels, 5)[0], given(distances, labels, 5)[0])
    refuses("09-3", given, "depends on the batches")


@pytest.mark.parametrize("number", range(4))
def test_prediction_is_what_the_networks_do(number):
    size, (runs, parameters, places) = ex09.SIZES[number], prediction()[number]
    simple, paper, x = models.build("lenet5_simple"), models.build("lenet5"), torch.zeros(1, 1, size, size)
    states = simple[: list(dict(simple.named_children())).index("flatten") + 1](x).shape[1]
    assert (states == simple.c5.in_features) == runs
    simple.c5 = nn.Linear(states, 120)
    simple(x)
    assert sum(p.numel() for p in simple.parameters()) == parameters
    if places:
        assert paper[:10](x)[0, 0].numel() == places
    else:
        with pytest.raises(ValueError, match="LeNet takes N x 1 x 32 x 32"):
            paper(x)


def test_compare_says_how_means_scatter():
    """Draw the images anew many times: the difference scatters as much as `images` says, and less than unpaired."""
    rng = np.random.default_rng(11)
    drawn = []
    for _ in range(400):
        ease = rng.beta(0.5, 0.1, size=400)  # of images; the runs of a network are right together here
        a, b = (np.tile(rng.random(400) < p, (2, 1)) for p in (ease, ease))
        drawn.append((*compare(a, b), sum(right.mean() * (1 - right.mean()) / 400 for right in (a, b)) ** 0.5))
    differences, _, paired, unpaired = np.transpose(drawn)
    assert 0.9 < np.std(differences) / np.mean(paired) < 1.1
    assert np.mean(unpaired) > 1.3 * np.std(differences)


def part(function, place, how):
    """A function with one part of its answer put through `how(part, *inputs)`."""

    def wrong(*inputs):
        parts = list(function(*inputs))
        parts[place] = how(parts[place], *inputs)
        return tuple(parts)

    return wrong


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("09-1", part(count, 1, lambda n, maps, *_: n + 7 * maps), "lines into one unit"),
        ("09-1", lambda maps, table, c5, f6, classes: count(maps, table, f6, c5, classes), "not right yet"),
        ("09-1", lambda *inputs: count(*inputs)[0], "a whole number where a tuple"),
        ("09-2", backward_by_torch(lambda x: F.max_pool2d(x, 2)), "largest input of a block only, as in max"),
        ("09-2", part(backward, 0, lambda dx, dy, x, *_: dx * x), "has a dx that is not right yet"),
        ("09-2", part(backward, 1, lambda dweight, *_: 1.1 * dweight), "has a dweight that is not right yet"),
        ("09-2", part(backward, 2, lambda dbias, *_: 1.1 * dbias), "has a dbias that is not right yet"),
        ("09-2", part(backward, 0, lambda dx, *_: dx[..., ::2, ::2]), "wrong shape"),
        ("09-2", lambda dy, *rest: (backward(dy, *rest), dy.fill(0))[0], "changes its inputs"),
        ("09-3", part(evaluate, 0, lambda loss, d, labels, n: _losses(d, labels, 0).mean()), ex09.FAR),
        ("09-3", part(evaluate, 0, lambda loss, d, labels, n: _losses(d, labels, 1e-300).mean()), "near a code and"),
        ("09-3", part(evaluate, 1, lambda accuracy, *_: accuracy / 2), "accuracy that is not right"),
        ("09-3", lambda *inputs: (np.inf, None), "NaN or infinity"),
        ("09-4", lambda: [(not runs, *more) for runs, *more in prediction()], "rounded down"),
        ("09-4", lambda: [(int(runs), *more) for runs, *more in prediction()], "True or False"),
        ("09-4", lambda: tuple(zip(*prediction(), strict=True)), "wrong length"),
        ("09-5", part(compare, 0, lambda difference, *_: 2 * difference), "difference that is not right"),
        ("09-5", part(compare, 1, lambda seeds, *_: seeds / 7), "one accuracy for each run"),
        ("09-5", part(compare, 2, lambda images, *_: images / 7), "`images` is wrong"),
        ("09-5", lambda a, b: a - b, "TypeError"),
        ("09-6", lambda *numbers: lenet(*numbers)[:-2], "has too few parameters"),
        ("09-6", lambda *numbers: nn.Sequential(lenet(*numbers), nn.LeakyReLU()), "has all its parameters"),
        ("09-6", lambda *numbers: lenet, "returns something else than a network"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)


# 09-7, marked by hand: what its sample answer says


@pytest.mark.parametrize(("table", "of_c3"), [(True, 3), (False, 1)])
def test_the_table_breaks_no_symmetry(table, of_c3):
    net = models.build("lenet5")
    if not table:
        net.c3 = nn.Conv2d(6, 16, 5)
    net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(0.01 if p.ndim == 1 else 0.5 / p[0].numel())
        for layer in (net.s2, net.s4):
            layer.weight.fill_(0.4)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(10, 1, 32, 32, generator=generator, dtype=torch.float64), torch.arange(10)
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.02), []
    for _ in range(10):
        optimizer.zero_grad()
        losses.append(F.cross_entropy(net(images), labels))
        losses[-1].backward()
        optimizer.step()

    def different(maps):
        return len(np.unique(maps.detach().flatten(1).numpy().round(7), axis=0))

    assert losses[-1] < losses[0]  # it does learn
    assert different(net[:2](images).transpose(0, 1)) == 1
    assert different(net[:6](images).transpose(0, 1)) == of_c3
    assert different(net[:13](images).T) == len(net.output.codes.unique(dim=1).T)
