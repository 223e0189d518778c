"""Pictures of chapter 11: what is drawn is what came in."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import vggnet as draw
from course_utils.figures.style import COLORS


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def lines(ax):
    return [np.asarray(line.get_ydata()).tolist() for line in ax.lines]


def test_price_draws_each_run_and_the_mean_at_its_weights():
    arms = {"cheap": (2000, 3, [0.5, 0.7]), "dear": (4000, 1, [0.4]), "same": (4000, 1, [0.4])}
    figure = draw.price({"a": arms, "b": arms}, "loss")
    ax = figure.axes[0]
    assert np.allclose(lines(ax)[0], [0.5, 0.7]) and np.allclose(lines(ax)[1], [0.6, 0.6]) and len(figure.axes) == 2
    assert [line.get_xdata()[0] for line in ax.lines[::2]] == [2, 4, 4]
    assert [line.get_color() for line in ax.lines[:3]] == [COLORS["blue"], COLORS["blue"], COLORS["red"]]
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights["cheap"] == pytest.approx(0.6) and heights["same"] / heights["dear"] == pytest.approx(10**0.06)


def test_labels_are_put_apart_upwards_only_where_they_meet():
    assert draw.apart([3, 1, 1.1], 0.5) == [3, 1, 1.5]
    assert draw.apart([], 1) == []


def test_whole_draws_three_bars_for_each_layer():
    figure = draw.whole([("conv1_1", 2e6, 3e9, 0), ("fc2", 0, 1e9, 5e6)])
    found = [[bar.get_height() for bar in ax.patches] for ax in figure.axes]
    assert found == [[2, 0], [3, 1], [0, 5]]
    assert [label.get_text() for label in figure.axes[2].get_xticklabels()] == ["1_1", "fc2"]
    assert figure.axes[0].lines[0].get_xdata()[0] == 0.5


@pytest.mark.parametrize("panels", [{}, {"loss": {}}])
def test_without_runs_the_configurations_say_so(panels):
    assert [text.get_text() for text in draw.configurations(panels).axes[0].texts] == [draw.NOTHING]


def test_configurations_and_signals_draw_what_came():
    figure = draw.configurations({"loss": {"A": [1.0, 3.0], "B": [4.0]}})
    assert lines(figure.axes[0]) == [[1, 3], [4], [2, 4]]
    some = {"a": [1, 10], "b": [1, 0.1], "c": [1, 2], "d": [1, 3]}
    figure = draw.signals(some)
    assert lines(figure.axes[0]) == list(some.values()) and figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(("count", "words"), [(999, "999"), (27_648, "27.6 thousand"), (1_849_688_064, "1.85 billion")])
def test_amount(count, words):
    assert draw.amount(count) == words


def test_stack_draws_a_frame_for_each_field_and_two_bars_for_each_cost():
    pixels = np.full((8, 8, 4), 255, np.uint8)
    svg = draw.stack(pixels, [3, 5, 11], [("weights", 2000, 4000), ("outputs", 5, 1)], ("three", "one"))
    assert svg.count('class="field"') == 3 and svg.count('class="bar"') == 4 and "1 → 3 → 5 → 11" in svg
    frames = [part.split('width="')[1].split('"')[0] for part in svg.split("<rect") if 'class="field"' in part]
    assert frames == ["120.0", "200.0", "320.0"]  # of 40 a pixel, and not beyond the picture
    bars = [float(part.split('width="')[1].split('"')[0]) for part in svg.split("<rect") if 'class="bar"' in part]
    assert bars == [215, 430, 430, 86]
