"""Pictures of chapter 10: every run, filter, weight and colour is there, to scale."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from course_utils.figures import alexnet as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_parts_have_a_dot_for_each_run_and_shade_all_runs_of_the_baseline():
    rows = {"all": ([0.5, 0.6], [0.4]), "without a": ([0.7, 0.8], [0.75])}
    figure = draw.parts({"one out": ("all", rows), "one in": ("all", {"all": ([0.1, 0.2], [0.15])})})
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in left.lines[::3]] == [pytest.approx([50, 60]), pytest.approx([70, 80])]
    assert [list(line.get_xdata()) for line in left.lines[1::3]] == [pytest.approx([40]), pytest.approx([75])]
    assert [line.get_fillstyle() for line in left.lines[:2]] == ["full", "none"]
    assert [line.get_xdata()[0] for line in left.lines[2::3]] == pytest.approx([55, 75])  # the means of the dots
    band = left.patches[0].get_extents().transformed(left.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((40, 60)) and len(right.lines) == 3
    assert left.get_xlim() == right.get_xlim()
    left, right = draw.parts({"a": ("all", rows), "b": ("all", {"all": ([0.1, 0.2], [0.15])})}, one_scale=False).axes
    assert left.get_xlim()[0] > right.get_xlim()[1]


def test_losses_have_a_pair_of_dots_for_each_run():
    figure = draw.losses({"one out": {"all": [(0.7, 0.6), (0.5, 0.8)], "without a": [(0.1, 0.9), (0.3, 0.7)]}})
    (ax,) = figure.axes
    assert [list(line.get_xdata()) for line in ax.lines[:3]] == [pytest.approx([0.6, 0.7]), [0.7, 0.5], [0.6, 0.8]]
    assert [list(line.get_ydata()) for line in ax.lines[3:]] == [[1, 1]] * 3
    drawn = {text.get_text(): handle.get_color() for text, handle in zip(*_legend(figure), strict=True)}
    assert drawn == {"training images": ax.lines[1].get_color(), "images not trained on": ax.lines[2].get_color()}


def _legend(figure):
    return figure.legends[0].get_texts(), figure.legends[0].legend_handles


def test_race_draws_each_run_and_the_mark():
    ax = draw.race({"ReLU": [[0.5, 0.1], [0.6, 0.2]], "tanh": [[0.4, 0.3]]}, 0.25).axes[0]
    assert [list(line.get_ydata()) for line in ax.lines[:3]] == [[50, 10], [60, 20], [40, 30]]
    assert ax.lines[3].get_ydata()[0] == 25 and len(ax.get_legend().get_texts()) == 2


def test_gains_mark_places_on_the_curve():
    ax = draw.gains([1, 10], [0.6, 0.5], {"here": (10, 0.5)}).axes[0]
    assert [tuple(line.get_xydata()[-1]) for line in ax.lines] == [(10, 0.5)] * 2 and ax.texts[0].get_text() == "here"


def test_groups_leave_out_what_is_zero():
    figure = draw.groups({"2": np.array([[1.0, 0.0], [0.0, 2.0]])})
    shown = figure.axes[0].images[0].get_array()
    assert shown.mask.tolist() == [[False, True], [True, False]]


def test_photographs_have_their_titles():
    figure = draw.photographs([np.full((4, 6, 3), 1.5), np.zeros((4, 6, 3))], ["before", "after"])
    assert [ax.get_title() for ax in figure.axes] == ["before", "after"] and figure.axes[0].images[
        0
    ].get_array().max() == 1


def test_filters_are_grey_where_a_weight_is_zero_and_scaled_by_row():
    weights = np.zeros((2, 3, 5, 5))
    weights[0, 0, 0, 0], weights[1, 1, 2, 2] = -4, 2
    figure = draw.filters({"first": weights, "second": weights[:1] / 4})
    images = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert len(images) == 3 and (images[0][0, 0] == (0, 0.5, 0.5)).all() and (images[1][2, 2] == (0.5, 0.75, 0.5)).all()
    assert (images[2] == images[0]).all()


def test_measures_share_their_rows():
    figure = draw.measures({"accuracy": {"a": [1, 2], "b": [3, 5]}, "smoothness": {"a": [0, 1], "b": [1, 1]}})
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[1, 2], [3, 5]]
    assert [list(line.get_ydata()) for line in figure.axes[1].lines] == [[0, 0], [1, 1]]
    assert [ax.get_xlabel() for ax in figure.axes] == ["accuracy", "smoothness"]


def test_colours_show_both_photographs_the_strips_and_the_cloud():
    before, after = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 9, np.uint8)
    strips = [("first", np.array([[1, 2, 3], [4, 5, 6]], np.uint8))]
    svg = draw.colours(before, after, strips, [(0.0, 0.0), (1.0, 1.0)], (0.1, 0.2), "moved")
    images = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([\w+/=]+)", svg)]
    assert [np.asarray(image)[0, -1].tolist() for image in images] == [[0] * 3 + [255], [9] * 3 + [255], [4, 5, 6, 255]]
    left, top, side = draw.PLOT
    places = [tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)L", svg)]
    assert places[0] == pytest.approx((left, top + side)) and places[1] == pytest.approx((left + side, top))
    assert places[2] == pytest.approx((left + 0.1 * side, top + 0.8 * side), abs=0.1)
