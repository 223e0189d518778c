"""Pictures of chapter 05: what is drawn is what came in."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import why_convolution as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn(ax):
    return [np.asarray(line.get_ydata(), float).tolist() for line in ax.lines]


def test_sheets_have_a_row_for_each_name():
    figure = draw.sheets({"a": np.zeros((3, 4, 4)), "b": np.ones((3, 4, 4))})
    assert [ax.get_ylabel() for ax in figure.axes] == ["a", "", "", "b", "", ""]
    assert figure.axes[3].images[0].get_array().min() == 1


def test_slopes_join_the_means_and_keep_the_runs():
    figure = draw.slopes({"convolution": ([1, 3], [5, 5])}, ("before", "after"), "%", own={"convolution": (2.5, 4)})
    [ax] = figure.axes
    assert drawn(ax) == [[2, 5], [1, 3], [5, 5], [2.5], [4]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["before", "after"]
    assert [text.get_text() for text in ax.texts] == ["convolution"]


def test_neighbours_have_a_dashed_twin_each():
    curves = {"x": ((1, 2), [0.9, 0.5], [0.1, 0.0])}
    figure = draw.neighbours(curves, {"x": ((3, 5), [0.2, 0.1], [1, 1])})
    assert [drawn(ax)[:2] for ax in figure.axes] == [[[0.9, 0.5], [0.1, 0.0]], [[0.2, 0.1], [1, 1]]]
    assert [ax.lines[1].get_linestyle() for ax in figure.axes] == ["--", "--"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["3 × 3", "5 × 5"]


def test_shifts_draw_runs_their_mean_and_the_readers_own():
    [ax] = draw.shifts({"convolution": [[90, 50], [70, 30]]}, (0, 1), {"convolution": [80, 45]}).axes
    assert drawn(ax)[:4] == [[90, 50], [70, 30], [80, 40], [80, 45]]


def test_labels_of_shifts_keep_their_distance_and_a_second_kind_is_dashed():
    ends = {"convolution, global max": 80, "locally connected": 33, "fully connected": 32, "convolution": 34}
    [ax] = draw.shifts({label: [[90, end]] for label, end in ends.items()}, (0, 1)).axes
    heights = [text.xy[1] for text in ax.texts[:4]]
    assert [text.get_text() for text in ax.texts[:4]] == sorted(ends, key=ends.get)
    assert heights == [32, 38, 44, 80]
    styles = {line.get_label(): line.get_linestyle() for line in ax.lines}
    assert styles["convolution, global max"] == "--" and styles["convolution"] == "-"


def test_folds_and_errors():
    figure = draw.folds(np.array([0, 1]), {"one": np.array([0, 1]), "two": np.array([1, 0])})
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    [ax] = draw.errors({"x": [0.2, 0.1, 1e-9]}, chance=0.3).axes
    dots, median, chance = ax.lines
    assert dots.get_xdata().tolist() == [1e-4, 0.1, 0.2] and list(median.get_xdata()) == [0.1, 0.1]
    assert list(chance.get_xdata()) == [0.3, 0.3] and ax.get_xscale() == "log"


def test_tuning_divides_by_the_largest_response():
    figure = draw.tuning({"even": np.eye(3), "odd": -np.eye(3)}, [("angle", [0, 1], {"simple": [1, 4]})])
    above, below = figure.axes[:2], figure.axes[2]
    assert [ax.get_title() for ax in above] == ["even", "odd"]
    assert drawn(below) == [[0.25, 1]] and below.get_xlabel() == "angle"
