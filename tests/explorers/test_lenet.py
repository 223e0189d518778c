"""The explorer of chapter 09: its sliders move the picture, which is what the network computes."""

import re

import pytest
import torch

from course_utils import models
from course_utils.explorers.lenet import draw_journey, explore_journey
from course_utils.inspection import moved


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return models.build("lenet5").eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_journey_marks_the_nearest_code(net, images):
    svg = draw_journey(net, images[0])
    answer = int(net(images[:1]).argmax())
    assert f"code of {answer}" in svg
    assert svg.count("<image") == 8  # input, four stages of maps, C5, F6, the code
    assert len(re.findall("<rect", svg)) == 1 + 10


def test_explorer_redraws_for_every_slider(net, images):
    explorer = explore_journey(net, images)
    seen = {explorer.picture.value}
    for slider, value in ((explorer.image, 1), (explorer.right, 5), (explorer.down, -5), (explorer.turn, 30)):
        slider.value = value
        assert explorer.picture.value not in seen
        seen.add(explorer.picture.value)


def test_the_picture_is_that_of_the_moved_image(net, images):
    explorer = explore_journey(net, images)
    explorer.image.value, explorer.right.value, explorer.down.value, explorer.turn.value = 2, 3, -4, 15
    assert explorer.picture.value == draw_journey(net, images[2], right=3, down=-4, turn=15)
    answer = int(net(moved(images[2], 3, -4, 15)[None]).argmax())
    assert f"code of {answer}" in explorer.picture.value
