"""The pictures of chapter 03: well-formed SVG that shows what it was given, and figures with labelled axes."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import normalization as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(svg):
    return " ".join(ElementTree.fromstring(svg).itertext())


def rectangles(svg, **having):
    found = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("rect")]
    return [e for e in found if all(e.get(key) == value for key, value in having.items())]


def labelled(figure):
    return all(ax.get_xlabel() and (ax.get_ylabel() or ax.get_shared_y_axes()) for ax in figure.axes)


def test_the_graph_names_each_edge():
    text = words(draw.graph())
    for edge in ("1 / s", "1 / m", "−1 / s", "2 (x − μ) / m", "−(x − μ) / 2s³", "0", "γ"):
        assert edge in text


def test_the_batch_draws_a_bar_a_path_and_sample_up_for_positive_down_for_negative():
    x, x_hat = np.array([1.0, -1.0, 0.0]), np.array([1.2, -1.2, 0.0])
    paths = {
        "direct": np.array([0.4, 0.0, 0.0]),
        "through the mean": np.full(3, -0.2),
        "sum": np.array([0.2, -0.2, -0.2]),
    }
    svg = draw.batch(x, x_hat, paths, {"direct": 0.4, "sum": 0.3464}, target=1)
    bars = rectangles(svg, **{"class": "bar"})
    assert len(bars) == 9
    up, down = bars[0], bars[1]
    assert float(up.get("height")) == pytest.approx(2 * float(down.get("height")))
    assert float(up.get("y")) + float(up.get("height")) == pytest.approx(float(down.get("y")))
    assert "sample 2 ←" in words(svg) and "direct 0.400" in words(svg) and "sum 0.346" in words(svg)


def test_a_batch_outside_the_axis_widens_it():
    one = {"sum": np.zeros(2)}
    inside, outside = (draw.batch([x, 0.0], [1.0, -1.0], one, {}, 0) for x in (10.0, 100.0))
    for svg in (inside, outside):
        centres = [float(e.get("cx")) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("circle")]
        assert max(centres) <= 730


def test_shares_colours_cells_by_group():
    column = np.tile(np.arange(3), (2, 1))
    cells = [r.get("fill") for r in rectangles(draw.shares({"batch norm": column}, 2, 3), **{"class": "cell"})]
    assert len(cells) == 6 and cells[:3] == cells[3:] and len(set(cells)) == 3


def test_evolution_has_a_panel_for_accuracy_and_one_for_each_sigmoid():
    steps, curve = [1, 10, 100], np.random.default_rng(0).random((3, 2))
    spread = np.sort(np.random.default_rng(1).normal(size=(3, 3)))
    figure = draw.evolution(steps, {"plain": curve, "batch norm": curve}, {"plain": spread, "batch norm": spread})
    assert len(figure.axes) == 3 and labelled(figure)
    thick = [line for line in figure.axes[0].lines if line.get_label() == "plain"]
    np.testing.assert_allclose(thick[0].get_ydata(), 100 * curve.mean(1))


def test_over_gives_one_colour_to_names_that_agree_up_to_the_comma():
    values = np.arange(6.0).reshape(3, 2)
    ax = draw.over([1, 2, 4], {"a": values, "a, again": values, "b": values}, "x", "y").axes[0]
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert lines["a"].get_color() == lines["a, again"].get_color() != lines["b"].get_color()
    assert [lines[name].get_linestyle() for name in ("a", "a, again")] == ["-", "--"]
    np.testing.assert_allclose(lines["b"].get_ydata(), values.mean(1))


def test_the_other_figures_label_their_axes():
    values, steps = np.ones((4, 3)), np.arange(1, 5)
    assert labelled(
        draw.settings([1, 2, 4, 8], {"plain": values}, [0.1, 1, 10, 100], {"plain": values}, "accuracy (%)")
    )
    assert labelled(draw.growth(steps, {"rate 1": values}, {"rate 1": values}))
    rows = {name: np.ones((4, 3, 2)) for name in ("all", "no mean", "no variance", "direct")}
    assert len(draw.paths_dropped(steps, rows).axes) == 3
