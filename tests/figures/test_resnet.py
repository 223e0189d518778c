"""Pictures of chapter 13: what is drawn is what came in."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import resnet as draw
from course_utils.figures.style import COLORS


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def lines(ax):
    return [np.asarray(line.get_ydata()).tolist() for line in ax.lines]


def test_depths_draw_each_run_and_the_means():
    runs = {"plain": {8: [1.0, 3.0], 26: [4.0, 6.0]}, "residual": {8: [1.0], 26: [0.5]}}
    figure = draw.depths({"a": runs, "b": runs}, "loss")
    assert lines(figure.axes[0]) == [[1, 3], [4, 6], [2, 5], [1], [0.5], [1, 0.5]]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["8 layers", "26 layers"]
    assert [line.get_color() for line in figure.axes[0].lines][::3] == [COLORS["red"], COLORS["blue"]]


def test_histories_draw_each_run_with_its_last_value_and_the_accuracies_beside_them():
    losses = {"plain 20": [[2, 0.5], [2, 0.25]], "plain 56": [[2, 1]]}
    figure = draw.histories(losses, {"plain": {20: [90.0, 92.0], 56: [85.0]}})
    left, right = figure.axes
    assert lines(left) == [[2, 0.5], [0.5], [2, 0.25], [0.25], [2, 1], [1]] and left.get_yscale() == "log"
    assert [line.get_linestyle() for line in left.lines[::2]] == ["--", "--", "-"]  # the deepest is solid
    assert [text.get_text() for text in left.texts] == ["plain 20: 0.25, 0.50", "plain 56: 1.00"]
    assert np.isclose(left.texts[0].xy[1], np.sqrt(0.5 * 0.25)) and lines(right) == [[90, 92], [85], [91, 85]]
    assert len(draw.histories(losses).axes) == 1


def test_without_runs_the_histories_say_so():
    assert [text.get_text() for text in draw.histories({}).axes[0].texts] == [draw.NOTHING]


def test_gradients_draw_each_seed():
    figure = draw.gradients({"plain 20": [[8, 4, 1], [9, 3, 1]], "residual 20": [[2, 1]]})
    assert lines(figure.axes[0])[:3] == [[8, 4, 1], [9, 3, 1], [2, 1]]
    assert figure.axes[0].get_yscale() == "log"


def test_the_names_of_gradients_stand_at_their_starts_and_not_on_each_other():
    figure = draw.gradients({"plain 56": [[9000, 1]], "residual 56": [[50, 1]], "plain 20": [[45, 1]]})
    figure.canvas.draw()
    texts = {text.get_text(): text for text in figure.axes[0].texts}
    assert [texts[name].xy[1] for name in ("plain 56", "plain 20")] == pytest.approx([9000, 45])
    assert texts["residual 56"].get_window_extent().y0 > texts["plain 20"].get_window_extent().y1


def test_promises_draw_what_came_beside_what_was_promised():
    figure = draw.promises({"plain": ([[-1, 0]], [[-1, -2]]), "residual": ([[-1, -2]], [[-1, -2]])}, [0.1, 0.2])
    assert [lines(ax)[:2] for ax in figure.axes] == [[[-1, -2], [-1, 0]], [[-1, -2], [-1, -2]]]


def test_sizes_and_lengths_are_bars():
    figure = draw.sizes({"a": [0.5, 2]})
    assert [bar.get_height() for bar in figure.axes[0].patches] == [0.5, 2]
    figure = draw.lengths([1, 2, 1], [0.1, 0.5, 0.125])
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.10", "0.50", "0.12"]
    assert [text.get_text() for text in draw.lengths([126], [0.0387]).axes[0].texts] == ["126"]


def test_without_draws_percent_by_block():
    networks = {"plain": (0.8, {"conv2_x.0": 0.1}), "residual": (0.9, {"conv2_x.0": 0.7})}
    ax = draw.without({"a": networks}).axes[0]
    assert np.allclose(np.concatenate(lines(ax)), [80, 80, 10, 90, 90, 70, 10, 10])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2.0"]


def test_blocks_have_a_sum_only_where_a_path_goes_around():
    two = ["3 × 3, 64", "3 × 3, 64"]
    plain, residual = (draw.blocks([("a", "64", two, around)]) for around in (None, "x"))
    assert plain.count("3 × 3, 64") == residual.count("3 × 3, 64") == 2
    assert "<circle" not in plain and residual.count("<circle") == residual.count("<polyline") == 1


def test_paths_draw_a_block_a_path_around_it_and_two_bars_a_length():
    svg = draw.paths("residual", [False, True], [1, 1, 0], [0.5, 0.5, 0.0], 0.5)
    assert (svg.count('class="block"'), svg.count("<polyline"), svg.count('class="bar"')) == (2, 2, 6)
    assert "2 blocks, 1 taken out: 2 paths" in svg and "mean 0.5" in svg
    nothing = draw.paths("plain", [True], [0, 0], [0.0, 0.0], 0.0)
    assert "<polyline" not in nothing and "mean" not in nothing
