"""The pictures and the explorer of chapter 09: they show the numbers they are given."""

import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from course_utils import models
from course_utils.explorers.lenet import draw_journey, explore_layers, moved, stage_states
from course_utils.figures import lenet as draw
from course_utils.models.lenet import C3_TABLE, digit_codes


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return models.build("lenet5").eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_architecture_draws_a_square_for_every_map():
    svg = draw.architecture([("input", 1, 32, "pixels"), ("C1", 6, 28, "5 × 5"), ("F6", 84, 1, "all")])
    assert svg.count("<rect") == 1 + 1 + 6 + 1  # the ground, and the maps
    assert "6 × 28 × 28" in svg and ">84<" in svg


def test_connection_table_fills_the_sixty_pairs():
    svg = draw.connection_table(C3_TABLE)
    assert svg.count("<rect") == 1 + 96
    assert svg.count('fill="white" stroke') == 96 - 60


def test_codes_ink_the_positive_pixels():
    codes = digit_codes().view(10, 12, 7)
    svg = draw.codes(codes)
    assert svg.count("<rect") == 1 + 840
    assert svg.count('fill="white" stroke') == int((codes < 0).sum())


def test_shares_add_up_to_a_hundred():
    figure = draw.shares(["a", "b"], [1, 3], [30, 10])
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [25, 75, 75, 25]


def test_receptive_fields_lie_around_their_centres():
    figure = draw.receptive_fields(np.zeros((32, 32)), [("C1", 5, 15.0), ("C5", 32, 15.5)])
    corners = [(patch.get_x(), patch.get_width()) for patch in figure.axes[0].patches]
    assert corners == [(12.5, 5), (-0.5, 32)]


def test_filters_share_one_colour_scale():
    figure = draw.filters(np.stack([np.eye(5), -3 * np.eye(5)]), ["a", "b"])
    assert [ax.images[0].get_clim() for ax in figure.axes[:2]] == [(-3, 3), (-3, 3)]


def test_reading_marks_the_smallest_distance():
    distances = np.arange(30.0).reshape(10, 3)
    figure = draw.reading(np.zeros((32, 40)), np.array([15.5, 19.5, 23.5]), distances, [(15.5, "0")])
    assert figure.axes[2].lines[0].get_ydata().tolist() == [0, 1, 2]


def test_squashing_draws_each_curve():
    x = np.linspace(-1, 1, 5)
    figure = draw.squashing([("a", x, x), ("b", x, -x)], [(0, 0)], "in", "out")
    assert len(figure.axes[0].get_legend().get_texts()) == 2


def test_stage_states_end_in_the_output(net, images):
    states = stage_states(net, images)
    shapes = {name: tuple(state.shape[1:]) for name, state in states.items()}
    assert shapes == {
        "c1": (6, 28, 28),
        "s2": (6, 14, 14),
        "c3": (16, 10, 10),
        "s4": (16, 5, 5),
        "c5": (120, 1, 1),
        "f6": (84,),
        "output": (10,),
    }
    assert torch.equal(states["output"], net(images).detach())
    assert states["f6"].abs().max() <= 1.7159  # behind the squashing function


def test_moved_moves_right_down_and_turns_anticlockwise():
    image = torch.zeros(1, 32, 32)
    image[0, 10, 20] = 1
    assert moved(image, right=3, down=-2)[0, 8, 23] == pytest.approx(1, abs=1e-4)
    # A quarter turn about (15.5, 15.5): 4.5 right and 5.5 up of it becomes 5.5 left and 4.5 up.
    turned = moved(image, turn=90)[0]
    assert divmod(int(turned.argmax()), 32) == (11, 10)
    assert torch.allclose(moved(image), image, atol=1e-4)


def test_moved_fills_up_with_the_darkest_grey():
    image = torch.full((1, 32, 32), 2.0)
    image[0, 5, 5] = -0.8
    assert torch.allclose(moved(image, right=4)[0, :, :4], torch.tensor(-0.8))


def test_journey_marks_the_nearest_code(net, images):
    svg = draw_journey(net, images[0])
    answer = int(net(images[:1]).argmax())
    assert f"code of {answer}" in svg
    assert svg.count("<image") == 8  # input, four stages of maps, C5, F6, the code
    assert len(re.findall("<rect", svg)) == 1 + 10


def test_explorer_redraws_for_every_slider(net, images):
    explorer = explore_layers(net, images)
    seen = {explorer.picture.value}
    for slider, value in ((explorer.image, 1), (explorer.right, 5), (explorer.down, -5), (explorer.turn, 30)):
        slider.value = value
        assert explorer.picture.value not in seen
        seen.add(explorer.picture.value)
