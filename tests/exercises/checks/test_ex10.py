"""The checks of chapter 10: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn

from course_utils import inspection, models
from course_utils.exercises.checks import ex10
from course_utils.exercises.checks.ex10 import colours, cost, halves, network, norm
from course_utils.models.alexnet import ResponseNorm


@pytest.mark.parametrize("exercise_id", ex10.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.fixture(scope="module")
def given():
    return given_names("10")


def test_cost_is_that_of_the_first_two_stages_of_alexnet():
    with torch.device("meta"):
        rows = {row.name: row for row in inspection.summarize(models.build("alexnet"), (3, 224, 224)).rows}
    for k, inputs in ((1, (224, 3, 96, 11, 4, 2, 1)), (2, (27, 96, 256, 5, 1, 2, 2))):
        layer = rows[f"conv{k}"]
        assert cost(*inputs) == (rows[f"pool{k}"].shape[-1], layer.parameters, layer.multiply_adds)


def test_norm_is_that_of_the_course():
    x = 100 * np.random.default_rng(0).normal(size=(2, 7, 3, 4))
    assert np.allclose(norm(x), ResponseNorm()(torch.tensor(x)).numpy())


def test_colours_move_along_the_components():
    image = np.random.default_rng(1).random((3, 5, 6)) * np.array([1.0, 0.5, 0.2])[:, None, None]
    shift = (colours(image, np.array([2.0, 0, 0])) - image)[:, 0, 0]
    assert np.allclose(np.cov(image.reshape(3, -1)) @ (shift / 2), ex10._components(image)[0][0] * shift / 2)
    assert np.linalg.norm(shift) == pytest.approx(2 * ex10._components(image)[0][0]) and shift.sum() > 0


def loops(x):
    """The formula of 10-2, number by number."""
    y = np.empty_like(x)
    for n, i, h, w in np.ndindex(x.shape):
        total = sum(x[n, j, h, w] ** 2 for j in range(max(0, i - 2), min(x.shape[1], i + 3)))
        y[n, i, h, w] = x[n, i, h, w] / (2 + 1e-4 * total) ** 0.75
    return y


def by_svd(image, alphas):
    """The answer to 10-3 without a covariance."""
    pixels = image.reshape(3, -1)
    vectors, lengths, _ = np.linalg.svd(pixels - pixels.mean(axis=1, keepdims=True), full_matrices=False)
    vectors = vectors * np.sign(vectors.sum(axis=0))
    shift = vectors @ (alphas * lengths**2 / (pixels.shape[1] - 1))
    return image + shift[:, None, None]


class Own(nn.Module):
    """The network of 10-4 with the course's normalization, and its layers by name."""

    def __init__(self, channels, width, classes):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(channels, width, 5, 2), ResponseNorm()
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1, groups=2)
        self.fc3, self.fc4 = nn.Linear(2 * width, 4 * width), nn.Linear(4 * width, classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(self.norm(conv(x).relu()), 3, 2)
        return self.fc4(self.fc3(x.flatten(1)).relu())


def test_other_ways_are_right():
    accepts("10-1", lambda *inputs: list(cost(*inputs)))
    accepts("10-2", loops)
    accepts("10-3", by_svd)
    accepts("10-4", lambda *numbers: Own(*numbers))


def test_the_given_network_has_three_bugs_and_no_other(given):
    """Each mistake of the table is one of them; all together are the colleague's network."""
    theirs, wrong = given["HalvesOfAColleague"](4, 3, 5), halves(4, 3, 5, space=True, crossed=True, apart=True)
    wrong.load_state_dict(theirs.state_dict())
    x = 60 * torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(wrong(x), theirs(x), atol=1e-4)


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("10-1", lambda *inputs: cost(*inputs)[:2], "a tuple of the wrong length"),
        ("10-1", lambda *inputs: (1, *cost(*inputs)[1:]), "Apply the formula of chapter 06 twice"),
        ("10-2", lambda x: norm(x) + 1, "compute the middle ones by hand"),
        ("10-3", lambda image, alphas: colours(image, alphas) + 0.1, "With alphas of zero"),
        ("10-4", lambda *n: network(*n, groups=1), "10-4"),
        ("10-4", lambda *n: nn.Sequential(network(*n), nn.Tanh()), "its numbers and its place"),
        ("10-5", lambda *n: nn.Sequential(halves(*n), nn.Tanh()), "line by line"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)


def test_a_colleagues_network_is_refused(given):
    refuses("10-5", lambda *n: given["HalvesOfAColleague"](*n), says="still has more than one of the bugs")
