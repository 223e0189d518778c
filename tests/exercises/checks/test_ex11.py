"""The checks of chapter 11: right answers pass, plausible wrong ones get a sentence that helps."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn
from torch.nn import functional as F

from course_utils import inspection, models
from course_utils.exercises.checks import ex11
from course_utils.exercises.checks.ex11 import compose, costs, pixels, stage, vgg


@pytest.mark.parametrize("exercise_id", ex11.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def test_costs_are_those_of_the_layers():
    maps = [3, 8, 5]
    layers = nn.Sequential(*(nn.Conv2d(*pair, 3, padding=1) for pair in pairwise(maps)))
    stack = inspection.summarize(layers, (3, 20, 20))
    field = stack.rows[-1].receptive_field.size
    one = inspection.summarize(nn.Conv2d(3, 5, field, padding=field // 2), (3, 20, 20))
    assert costs(maps, 3, 20) == (field, stack.multiply_adds, one.multiply_adds)


def test_the_composed_kernel_does_what_the_two_do():
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(5, 4, 2, 2))
    x, *kernels = map(torch.tensor, (rng.normal(size=(1, 2, 9, 9)), first, second, compose(first, second)))
    assert torch.allclose(F.conv2d(F.conv2d(x, kernels[0]), kernels[1]), F.conv2d(x, kernels[2]), atol=1e-12)


def test_pixels_are_those_whose_change_changes_the_output():
    for masks in ([np.eye(3), np.eye(2)], [np.ones((2, 2)), np.array([[1.0, 0], [0, 0]])], [np.zeros((2, 2))] * 2):
        whole = compose(*(mask[None, None] for mask in masks))
        assert pixels(masks) == np.count_nonzero(whole)


def test_references_are_the_networks_of_the_course():
    row = [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]
    own, small = vgg(row[:4], 3, 4, 10), models.build("small_vgg16c", width=4, batch_norm=False)
    kinds = [[type(each).__name__ for each in net.modules() if not list(each.children())] for net in (own, small)]
    assert kinds[0][:-3] == kinds[1][: len(kinds[0]) - 3] and kinds[0][-3] == "AdaptiveAvgPool2d"
    plain, normed = (sum(p.numel() for p in net.parameters()) for net in (own[:1], stage(3, 4, [3, 3])))
    assert normed - plain == 2 * 2 * 4


def in_loops(first, second):
    (middle, before, k, _), (after, _, size, _) = first.shape, second.shape
    whole = np.zeros((after, before, k + size - 1, k + size - 1), np.float32)
    for m, o, i in product(range(middle), range(after), range(before)):
        for a, b, c, d in product(range(size), range(size), range(k), range(k)):
            whole[o, i, a + c, b + d] += second[o, m, a, b] * first[m, i, c, d]
    return whole.astype(float)


class Stage(nn.Module):
    """The stage of 11-5 in another style: names of its own, functions for ReLU and maxima."""

    def __init__(self, before, after, kernel_sizes):
        super().__init__()
        maps = [before] + [after] * len(kernel_sizes)
        pairs = zip(kernel_sizes, pairwise(maps), strict=True)
        self.convs = nn.ModuleList(nn.Conv2d(*pair, k, padding="same") for k, pair in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for _ in kernel_sizes)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x)).clamp(min=0)
        return F.max_pool2d(x, 2)


def test_other_ways_are_right():
    accepts("11-1", lambda *inputs: list(costs(*inputs)))
    accepts("11-3", lambda kernels: np.int64(pixels(kernels)))
    accepts("11-5", lambda *numbers: Stage(*numbers))


def test_loops_give_the_same_kernel():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 2, 2)), rng.normal(size=(4, 2, 3, 3))
    assert np.allclose(in_loops(first, second), compose(first, second), atol=1e-5)


def test_a_colleagues_stage_has_the_three_bugs():
    given = given_names("11")
    theirs, wrong = given["stage_of_a_colleague"](2, 3, [3, 1]), ex11._stage(2, 3, [3, 1], True, False, 1, True)
    with torch.no_grad():
        for own, value in zip(wrong.parameters(), theirs.parameters(), strict=True):
            own.copy_(value)
    x = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(wrong.eval()(x), theirs.eval()(x), atol=1e-6)
    refuses("11-5", lambda *numbers: given["stage_of_a_colleague"](*numbers), says="more than one of the bugs")


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("11-1", lambda *inputs: costs(*inputs)[1], "a whole number where a tuple"),
        ("11-1", lambda *inputs: (costs(*inputs)[0] + 100, *costs(*inputs)[1:]), "How much does one layer add"),
        ("11-2", lambda first, second: compose(first, second) + 1, "a single 1 in them"),
        ("11-2", lambda first, second: first, "wrong shape"),
        ("11-3", lambda kernels: pixels(kernels) + 1000, "with one zero each"),
        ("11-4", lambda *numbers: vgg(*numbers)[:-1], "too few parameters"),
        ("11-4", lambda *numbers: nn.Sequential(vgg(*numbers), nn.Tanh()), "item by item"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
