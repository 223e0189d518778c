"""The checks of chapter 05: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn
from torch.nn import functional as F

from course_utils.authors.experiments import sawtooth
from course_utils.authors.experiments.wirings import LocallyConnected2d
from course_utils.exercises.checks import ex05
from course_utils.exercises.checks.ex05 import correlation, costs, detector, shallow, train


@pytest.mark.parametrize("exercise_id", ex05.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def numbers(*layers):
    return [sum(p.numel() for p in layer.parameters()) for layer in layers]


def test_costs_are_those_of_torch():
    side, channels, field, filters = 9, 2, 3, 4
    full = nn.Linear(channels * side**2, filters * 7 * 7)
    local, shared = LocallyConnected2d(channels, filters, side, field, 1), nn.Conv2d(channels, filters, field)
    outputs = shared(torch.zeros(1, channels, side, side)).numel()
    assert costs(side, channels, field, filters) == (*numbers(full, local, shared), outputs)


def test_the_colleague_is_right_on_rows_without_an_end_and_wrong_on_the_ramp_of_the_hint():
    colleague = given_names("05")["correlation_of_a_colleague"]
    refuses("05-2", colleague, "still pairs the last pixels")
    ramp = np.arange(12.0).reshape(1, 1, 12)
    assert correlation(ramp, 1) == pytest.approx(1) and colleague(ramp, 1) < 0.7


@pytest.mark.parametrize("folds", [1, 3, 6])
def test_the_shallow_layer_is_the_sawtooth(folds):
    x = torch.linspace(0, 1, 257, dtype=torch.float64)
    kinks, turns = map(torch.tensor, shallow(folds))
    assert torch.allclose(torch.relu(x[:, None] - kinks) @ turns, sawtooth.sawtooth(x, folds))


def by_optimizer(images, labels, kernel, head, rate, steps):
    conv, last = nn.Conv2d(1, len(kernel), 3, bias=False), nn.Linear(len(kernel), len(head), bias=False)
    conv.weight.data, last.weight.data = torch.tensor(kernel).float(), torch.tensor(head).float()
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), last)
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=rate), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(torch.tensor(images).float()), torch.tensor(labels))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), conv.weight.detach().numpy()


class Detector(nn.Module):
    def __init__(self, channels, filters, classes):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, filters, 5), nn.Conv2d(filters, 2 * filters, 3)
        self.last = nn.Linear(2 * filters, classes)

    def forward(self, x):
        return self.last(F.relu(self.second(F.relu(self.first(x))).amax((2, 3))))


def test_other_ways_are_right():
    accepts("05-3", lambda folds: tuple(part[::-1].copy() for part in shallow(folds)))  # in another order
    accepts("05-4", lambda *numbers: Detector(*numbers))  # first the largest value, then the ReLU: the same
    accepts("05-5", by_optimizer)  # in float32


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("05-1", lambda *inputs: costs(*inputs)[:3], "wrong length"),
        ("05-1", lambda *inputs: tuple(map(float, costs(*inputs))), "Use // for division"),
        ("05-2", lambda images, distance: -correlation(images, distance), "not right yet"),
        ("05-2", lambda images, distance: abs(correlation(images, distance)), "not right yet"),
        ("05-2", lambda images, distance: images[0], "a NumPy array where a float"),
        ("05-3", lambda folds: tuple(part[1:] for part in shallow(folds)), "wrong shape"),
        ("05-3", lambda folds: shallow(folds)[::-1], ("not right yet", "another one")),
        ("05-4", lambda *numbers: detector(*numbers)[:-1], "has too few parameters"),
        (
            "05-4",
            lambda c, f, n: nn.Sequential(*detector(c, f, n)[:4], nn.Flatten(), nn.Linear(99, n)),
            "a RuntimeError",
        ),
        ("05-5", lambda *inputs: train(*inputs)[0], "a NumPy array where a tuple"),
        ("05-5", lambda *inputs: (train(*inputs)[0] + 1, train(*inputs)[1]), "losses that are not right yet"),
        ("05-5", lambda *inputs: train(*inputs[:4], inputs[4] / 2, inputs[5]), "first loss right, and a later one"),
        ("05-5", lambda *inputs: tuple(map(torch.tensor, train(*inputs))), "a torch tensor"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
