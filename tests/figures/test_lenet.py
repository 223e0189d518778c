"""The pictures and the explorer of chapter 09: they show the numbers they are given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import lenet as draw
from course_utils.models.lenet import C3_TABLE, digit_codes


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_connection_table_fills_the_sixty_pairs():
    svg = draw.connection_table(C3_TABLE)
    assert svg.count("<rect") == 1 + 96
    assert svg.count('fill="white" fill-opacity') == 96 - 60


def test_codes_ink_the_positive_pixels():
    codes = digit_codes().view(10, 12, 7)
    svg = draw.codes(codes)
    assert svg.count("<rect") == 1 + 840
    assert svg.count('fill="white" fill-opacity') == int((codes < 0).sum())


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
