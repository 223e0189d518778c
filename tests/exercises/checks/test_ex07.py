"""The checks of chapter 07: right answers pass, plausible wrong ones get a sentence that helps."""

import math

import nbformat
import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses
from torch import nn
from torch.nn import functional as F

from course_utils.exercises.checks import ex07
from course_utils.exercises.checks.ex07 import average, backward, max_pool, network, pooled, room
from course_utils.exercises.masters import master
from course_utils.scratch import max_pool2d


@pytest.mark.parametrize("exercise_id", ex07.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def max_pool_by_torch(x, kernel_size, stride):
    return F.max_pool2d(torch.tensor(x), kernel_size, stride).numpy()


def backward_by_torch(dy, x, kernel_size, stride):
    pixels = torch.tensor(x[None, None], requires_grad=True)
    F.max_pool2d(pixels, kernel_size, stride).backward(torch.tensor(dy[None, None]))
    return pixels.grad[0, 0].numpy()


def average_by_torch(x, kernel_size, stride, padding):
    return F.avg_pool2d(torch.tensor(x[None]), kernel_size, stride, padding)[0].numpy()


def room_by_trial(position, windows):
    """Move the dot until the last map changes."""

    def last(place):
        row = np.zeros((1, 1, 1, 6 * math.prod(windows)))
        row[..., place] = 1
        for window in windows:
            row = max_pool2d(row, (1, window))
        return row.argmax()

    def free(step):
        return next(n for n in range(1000) if last(position + (n + 1) * step) != last(position))

    return (free(-1) if position else 0), free(1)


class Whole(nn.Module):
    """The network of 07-5 as a class, its pooling a mean."""

    def __init__(self, channels, width, classes, mean=lambda maps: maps.mean(dim=(2, 3))):
        super().__init__()
        self.mean = mean
        self.first, self.second = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, padding=1)
        self.scores = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 3, 2)
        return self.scores(self.mean(F.relu(self.second(x))))


class Squeezed(nn.Module):
    """In place of nn.Flatten(): it takes away the axis of a single image, too."""

    def forward(self, x):
        return x.squeeze()


def test_other_ways_are_right():
    accepts("07-1", max_pool_by_torch)
    accepts("07-2", backward_by_torch)
    accepts("07-3", average_by_torch)
    accepts("07-5", lambda channels, width, classes: Whole(channels, width, classes))


def test_room_is_what_the_poolings_do():
    for position, windows in [(9, [4]), (0, [2, 2]), (13, [2, 3]), (29, [3, 2, 2]), (23, [4, 2])]:
        assert room(position, windows) == room_by_trial(position, windows)


def test_the_given_bug_shows_at_the_border_only():
    names = {"np": np}
    for cell in nbformat.read(master("07"), as_version=4).cells:
        if cell.id == "07-3-given":
            exec(cell.source, names)
    given, x = names["average_of_a_colleague"], np.random.default_rng(0).uniform(1, 9, (6, 6))
    assert np.allclose(given(x, 2, 2, 0), average(x, 2, 2, 0))
    theirs, right = given(x, 2, 2, 1), average(x, 2, 2, 1)
    inside = np.s_[1:-1, 1:-1]
    assert (
        np.allclose(theirs[inside], right[inside]) and (theirs > right + 0.1).sum() == theirs.size - right[inside].size
    )
    refuses("07-3", given, "still divides by the pixels that are no padding")


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("07-1", lambda x, k, s: F.max_pool2d(torch.tensor(x), k, s, ceil_mode=True).numpy(), ("hang over", "shape")),
        ("07-1", lambda x, k, s: max_pool(x, k, s)[0], "wrong number of axes"),
        ("07-1", lambda x, k, s: max_pool(x, k, s) + 1, "not right yet"),
        ("07-1", lambda x, k, s: torch.tensor(max_pool(x, k, s)), "a torch tensor"),
        ("07-2", lambda dy, x, k, s: backward(dy, x, k, s) / 2, "not right yet"),
        ("07-2", lambda dy, x, k, s: (backward(dy, x, k, s), dy.fill(0))[0], "changes its inputs"),
        ("07-2", lambda dy, x, k, s: backward(dy, x, k, s)[:-1], "wrong shape"),
        ("07-3", lambda x, k, s, p: pooled(x, k, s, ex07.mean), ("wrong shape", "not right yet")),
        ("07-3", lambda x, k, s, p: average(x, k, s, p) * 2, "not right yet"),
        ("07-4", lambda position, windows: room(position, windows)[0], "a whole number where a tuple"),
        ("07-4", lambda position, windows: tuple(n / 1 for n in room(position, windows)), "int"),
        ("07-4", lambda position, windows: list(room(position, windows)[::-1]), "wrong order"),
        ("07-5", lambda *numbers: network(*numbers)[:-1], "too few parameters"),
        ("07-5", lambda *numbers: nn.Sequential(network(*numbers), nn.Softplus()), "has all its parameters"),
        ("07-5", lambda *numbers: nn.Sequential(*network(*numbers)[:-2], Squeezed(), network(*numbers)[-1]), "shape"),
        ("07-5", lambda *numbers: Whole(*numbers, mean=lambda m: m.flatten(1)), "What shape reaches the fully"),
        ("07-5", lambda channels, width, classes: network(channels, width, classes + 1), "too many parameters"),
        ("07-5", lambda *numbers: network, "returns something else than a network"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)


def test_numbers_of_the_answer_that_is_marked_by_hand():
    noise = 0.05 * np.abs(np.random.default_rng(0).normal(size=(500, 64, 64)))
    assert noise.mean() == pytest.approx(0.04, abs=0.0005) and noise.std() == pytest.approx(0.030, abs=0.0005)
    assert noise.mean((1, 2)).std() == pytest.approx(0.00047, rel=0.1)
    assert noise.sum((1, 2)).std() == pytest.approx(1.9, rel=0.1)
    assert 4096 * 0.05 * math.sqrt(2 / math.pi) == pytest.approx(163, abs=1)
    assert noise.max() < 0.5 and math.erfc(10 / math.sqrt(2)) < 1e-22
    assert math.hypot(1.5, 1.5) == pytest.approx(2.1, abs=0.05) and math.hypot(2.5, 2.5) < 4 < math.hypot(3.5, 3.5)
