"""The checks of chapter 13: right answers pass, plausible wrong ones get a sentence that helps."""

from itertools import product

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn
from torch.nn import functional as F

from course_utils import inspection, models
from course_utils.exercises.checks import ex13
from course_utils.exercises.checks.ex13 import bottleneck, by_length, cost, resnet


@pytest.mark.parametrize("exercise_id", ex13.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.fixture(scope="module")
def given():
    return given_names("13")


@pytest.mark.parametrize(("stage", "before", "size", "stride"), [("conv2_x", 64, 56, 1), ("conv3_x", 256, 56, 2)])
def test_cost_is_that_of_the_first_block_of_a_stage_of_resnet50(stage, before, size, stride):
    block = getattr(models.build("resnet50").stages, stage)[0]
    channels = 4 * before if stride == 1 else 2 * before
    summary = inspection.summarize(block, (before, size, size))
    assert cost(before, channels, size, stride) == (summary.parameters, summary.multiply_adds)


def test_parts_are_all_the_products_that_there_are():
    rng = np.random.default_rng(3)
    matrices, gradient = rng.normal(size=(4, 3, 3)), rng.normal(size=3)
    expected = np.zeros((5, 3))
    for ways in product([False, True], repeat=4):
        part = gradient
        for matrix, inside in zip(matrices[::-1], ways[::-1], strict=True):
            part = matrix.T @ part if inside else part
        expected[sum(ways)] += part
    assert np.allclose(by_length(list(matrices), gradient), expected)
    whole = np.linalg.multi_dot([np.eye(3) + matrix for matrix in matrices[::-1]])
    assert np.allclose(expected.sum(axis=0), whole.T @ gradient)


def test_references_are_the_networks_of_the_course():
    block = models.build("resnet50").stages.conv3_x[0]
    own, x = bottleneck(256, 512, 2), torch.randn(2, 256, 8, 8, generator=torch.Generator().manual_seed(0))
    own.load_state_dict(dict(zip(own.state_dict(), block.state_dict().values(), strict=True)))
    assert torch.allclose(own(x), block(x), atol=1e-4)
    assert len(list(resnet(3, 4, 2, 5))) == 3 + 4 + 3


class Other(nn.Module):
    """The block of 13-4 in another style: names of its own, functions for the ReLUs."""

    def __init__(self, before, channels, stride):
        super().__init__()
        width = channels // 4
        self.same = stride == 1 and before == channels
        self.a, self.a_norm = nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.b, self.b_norm = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.c, self.c_norm = nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)
        if not self.same:
            self.p, self.p_norm = nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.relu(self.a_norm(self.a(x)))
        y = self.c_norm(self.c(F.relu(self.b_norm(self.b(y)))))
        return (y + (x if self.same else self.p_norm(self.p(x)))).clamp(min=0)


def in_single_precision(matrices, gradient):
    rows = np.zeros((len(matrices) + 1, len(gradient)), np.float32)
    rows[0] = gradient
    for matrix in matrices[::-1]:
        rows[1:] += rows[:-1] @ matrix.astype(np.float32)
    return rows


class WithoutProjection(Other):
    def __init__(self, before, channels, stride):
        super().__init__(before, channels, stride)
        if stride == 1 and not self.same:
            del self.p, self.p_norm
            self.same = True


def test_other_ways_are_right():
    accepts("13-1", lambda *inputs: list(cost(*inputs)))
    accepts("13-2", in_single_precision)
    accepts("13-4", lambda *numbers: Other(*numbers))


def test_the_given_block_has_three_bugs_and_no_other(given):
    """Each mistake of the table is one of them; all together are the colleague's block."""
    theirs = given["BottleneckOfAColleague"](8, 12, 2)
    wrong = bottleneck(8, 12, 2, at=2, shared=True, end="activated")
    with torch.no_grad():  # `parameters` lists a shared layer once
        for own, value in zip(wrong.parameters(), theirs.parameters(), strict=True):
            own.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())))
            value.copy_(own)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(wrong.eval()(x), theirs.eval()(x.clone()), atol=1e-5)


def test_a_colleagues_block_is_refused(given):
    refuses(
        "13-4", lambda *numbers: given["BottleneckOfAColleague"](*numbers), says="still has more than one of the bugs"
    )


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("13-1", lambda *inputs: cost(*inputs)[0], "a whole number where a tuple"),
        ("13-1", lambda *inputs: (cost(*inputs)[0] + 1, cost(*inputs)[1]), "Go layer by layer"),
        ("13-2", lambda matrices, gradient: by_length(matrices, gradient).sum(axis=0), "wrong number of axes"),
        ("13-2", lambda matrices, gradient: 2 * by_length(matrices, gradient), "four paths"),
        ("13-3", lambda *numbers: resnet(*numbers)[:-1], "too few parameters"),
        ("13-4", lambda *numbers: nn.Sequential(bottleneck(*numbers), nn.Tanh()), "line by line"),
        ("13-4", lambda *numbers: WithoutProjection(*numbers), "has no projection where the shape changes"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
