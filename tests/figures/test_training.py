"""Pictures of training: what is drawn is what came in, scaled as said."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import training as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_curves_draw_each_seed_and_the_mean():
    figure = draw.curves({"a": [[0.1, 0.2], [0.3, 0.6]], "b": [[0.5, 0.5]]}, "accuracy (%)", scale=100)
    lines = [line.get_ydata().tolist() for line in figure.axes[0].lines]
    assert np.allclose(lines, [[10, 20], [30, 60], [20, 40], [50, 50]])  # one seed alone is its own mean
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]


def test_curves_refuse_seeds_of_different_length():
    with pytest.raises(ValueError):
        draw.curves({"a": [[0.1, 0.2], [0.3]]}, "accuracy")


def test_seeds_draw_dots_means_and_the_baseline():
    figure = draw.seeds({"a": [0.8, 0.9], "b": [0.7, 0.9]}, "accuracy (%)", baseline="a", scale=100)
    axes = figure.axes[0]
    assert [line.get_xdata().tolist() for line in axes.lines] == [
        pytest.approx([80, 90]),
        pytest.approx([85, 85]),
        pytest.approx([70, 90]),
        pytest.approx([80, 80]),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_seeds_write_a_row_below_the_lowest_as_a_number():
    figure = draw.seeds({"a": [0.9, 0.9], "b": [0.1, 0.1]}, "accuracy (%)", scale=100, lowest=80)
    assert len(figure.axes[0].lines) == 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["‹ 10"]


def test_sweep_frames_the_best_of_each_row():
    figure = draw.sweep({"a": {0.1: [0.5, 0.7], 1.0: [0.2, 0.2]}, "b": {0.1: [0.1], 1.0: [0.9]}})
    framed = [text.get_text() for text in figure.axes[0].texts if text.get_bbox_patch() is not None]
    assert framed == ["60", "90"]


@pytest.mark.parametrize("draw_it", [lambda: draw.curves({}, "y"), lambda: draw.seeds({}, "x"), lambda: draw.sweep({})])
def test_without_runs_the_picture_says_so(draw_it):
    assert draw.NOTHING in [text.get_text() for text in draw_it().axes[0].texts]
