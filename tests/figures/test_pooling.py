"""The pictures of chapter 07: what is drawn is what came in."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import pooling as draw

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def boxes(svg, kind):
    """The frames of a kind, as (x, y, width)."""
    found = [element for element in ElementTree.fromstring(svg).iter(f"{SVG}rect") if element.get("class") == kind]
    return [tuple(float(element.get(name)) for name in ("x", "y", "width")) for element in found]


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_windows_have_a_colour_each_and_so_have_their_outputs():
    x = np.arange(16.0).reshape(4, 4)
    svg = draw.windows(x, [("max", [[5, 7], [13, 15]]), ("a < b", [[2.25, 4.5], [10.5, 12.5]])], 2, title="map")
    fills = [e.get("fill") for e in ElementTree.fromstring(svg).iter(f"{SVG}rect") if e.get("class") == "taken"]
    grid = np.array(fills[:16]).reshape(4, 4)
    for output in (fills[16:20], fills[20:]):
        assert grid[::2, ::2].ravel().tolist() == output and len(set(output)) == 4
    assert (grid == np.kron(grid[::2, ::2].astype(object), np.ones((2, 2), int))).all()
    shown = words(svg)
    assert {"map", "max", "a < b", "2.25", "15"} <= set(shown) and shown.count("→") == 1


def test_pixels_that_were_not_taken_are_pale():
    svg = draw.windows(np.eye(4), [("y", np.eye(2))], 2, np.eye(4) > 0, arrow="←")
    assert "←" in words(svg) and "→" not in words(svg)
    assert len(boxes(svg, "taken")) == 4 + 4 and len(boxes(svg, "left")) == 12


@pytest.mark.parametrize(
    "svg",
    [
        draw.windows(np.eye(4), [("gradient of the output", np.eye(2))], 2),
        draw.under_grid(np.eye(8), np.eye(4), np.eye(4), 2, 2, np.eye(8) > 0, 9, "moved", "me & you"),
    ],
    ids=["windows", "under_grid"],
)
def test_a_picture_is_well_formed_on_its_own_ground_and_nothing_lies_outside(svg):
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    assert root[0].get("fill") == "white" and not any(element.get("id") for element in root.iter())
    for element in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for element in root.iter(f"{SVG}text"):
        assert float(element.get("x")) + 0.5 * float(element.get("font-size")) * len(element.text or "") <= width


def test_an_image_under_a_grid_shows_windows_takings_and_changes():
    x, before = np.arange(64.0).reshape(8, 8), np.zeros((2, 2))
    y = np.array([[27.0, 31], [59, 0]])
    svg = draw.under_grid(x, y, before, 4, 4, x == 27, 63, "moved")
    assert len(boxes(svg, "window")) == 4 and {width for *_, width in boxes(svg, "window")} == {176}
    assert boxes(svg, "taken") == [(8 + 3 * 44, 34 + 3 * 44, 44)]
    assert len(boxes(svg, "changed")) == 3
    assert "3 of 4 outputs differ" in words(svg) and "change of the output: 71.91" in words(svg)
    assert boxes(draw.under_grid(x, y, before, 4, 2, x == 27, 63, "moved"), "window") == []  # they overlap
    alone = draw.under_grid(x, x, x, 1, 1, x > 0, 63, "moved")
    assert boxes(alone, "window") == boxes(alone, "taken") == [] and "0 of 64 outputs differ" in words(alone)


def test_numbers_are_written_where_there_is_room():
    def numbers(x, white):
        return [word for word in words(draw.under_grid(x, x, x, 2, 2, x > 9, white, "moved")) if word == "7"]

    assert len(numbers(np.full((8, 8), 7.0), 9)) == 3 * 64
    assert numbers(np.full((8, 8), 7.0), 255) == [] and numbers(np.full((32, 32), 7.0), 9) == []


def test_panels_are_images_with_their_boxes():
    image = np.linspace(0, 1, 12).reshape(3, 4)
    figure = draw.panels([("a", image), ("b", 2 * image)], [[], [(1, 2, 3, 4, "red")]], high=2)
    a, b = figure.axes
    assert (a.get_title(), b.get_title()) == ("a", "b")
    assert np.array_equal(b.images[0].get_array(), 2 * image) and b.images[0].get_clim() == (0, 2)
    frame = b.patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((1.5, 0.5), 4, 3) and not a.patches


def lines(ax):
    return [np.round(line.get_ydata(), 6).tolist() for line in ax.lines]


def test_trade_draws_seeds_and_means_and_names_the_curves_where_they_rise():
    figure = draw.trade([1, 3, 9], {"real": [[0, 0.2], [0.8, 1], [1, 1]], "false": [[0, 0], [0, 0], [1, 1]]})
    ax = figure.axes[0]
    assert [0, 80, 100] in lines(ax) and [10, 90, 100] in lines(ax) and [0, 0, 100] in lines(ax)
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert 1 < places["real"] < 3 and places["false"] > 9


def test_a_sweep_has_a_plot_for_each_group_and_hides_no_value():
    figure = draw.sweep([0, 1, 2], {"max": {"1 × 1": [0, 1, 2], "2 × 2": [0, 0.5, 1]}, "none": {"2 × 2": [0, 3, 4]}})
    assert [ax.get_title() for ax in figure.axes] == ["max", "none"]
    assert lines(figure.axes[0]) == [[0, 1, 2], [0, 0.5, 1]]
    low, high = figure.axes[1].get_ylim()
    assert low == 0 and high > 4


def test_accuracies_by_window_and_by_shift():
    by_window = draw.by_window([2, 4], {"max": [[0.9, 0.8], [0.5, 0.7]]}, [0.9, 0.94]).axes[0]
    assert lines(by_window) == [[92, 92], [90, 50], [80, 70], [85, 60]]
    assert [tick.get_text() for tick in by_window.get_xticklabels()] == ["2", "4"]
    figure = draw.by_shift([0, 1], {"5 epochs": {"max": [[0.9], [0.5]]}, "15 epochs": {"max": [[1.0], [0.6]]}})
    assert [lines(ax) for ax in figure.axes] == [[[90, 50]], [[100, 60]]]
    assert [ax.get_title() for ax in figure.axes] == ["5 epochs", "15 epochs"]
