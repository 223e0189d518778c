"""The pictures of initialization show what they are given."""

import xml.dom.minidom

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import initialization as draw


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_signals_draw_every_seed_their_geometric_mean_and_the_prediction():
    values = np.array([[1.0, 100.0], [0.1, 0.1]])
    figure = draw.signals({"a": {"x": values}, "b": {"x": values, "y": values}}, {"a": {"x": [10.0, 0.1]}})
    first, second = figure.axes
    drawn = [line.get_ydata() for line in first.lines]
    np.testing.assert_allclose(drawn, [[1, 0.1], [100, 0.1], [10, 0.1], [10, 0.1]])
    assert first.get_yscale() == "log" and len(second.lines) == 6
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["x", "y"]
    assert first.get_legend() is None  # of one line there is nothing to tell apart
    assert draw.signals({"": {"x": values}}, log=False).axes[0].get_yscale() == "linear"


def test_histograms_have_a_curve_for_every_layer_and_share_their_axes():
    rng = np.random.default_rng(0)
    layers = [rng.normal(0, s, 5000) for s in (1.0, 0.1)]
    figure = draw.histograms({"one": (layers, layers), "two": (layers, [10 * layer for layer in layers])})
    assert [len(ax.lines) for ax in figure.axes] == [2] * 4
    widths = [(line.get_ydata() > 0.5).mean() for line in figure.axes[0].lines]
    assert widths[0] > 4 * widths[1]
    assert figure.axes[2].get_xlim() == figure.axes[3].get_xlim() != figure.axes[0].get_xlim()
    assert all(max(line.get_ydata()) == 1 for ax in figure.axes for line in ax.lines)


def test_stairs_go_from_the_curve_to_the_diagonal_and_back():
    q = np.linspace(0, 1, 11)
    figure = draw.maps(q, {"half": q / 2}, {"half": [1.0, 0.5, 0.25]})
    stairs = figure.axes[0].lines[-1]
    assert stairs.get_xdata().tolist() == [1, 1, 0.5, 0.5, 0.25]
    assert stairs.get_ydata().tolist() == [1, 0.5, 0.5, 0.25, 0.25]


def test_losses_may_be_nan_for_one_seed():
    losses = np.array([[2.3, np.nan], [1.0, np.nan]])
    figure = draw.losses({"He": losses})
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.3, 1.0]


@pytest.mark.parametrize("factor", [0.0, 1e-30, 0.5, 1.0, 1e30])
def test_the_edge_is_well_formed_and_stays_inside_for_any_size(factor):
    values = factor ** np.arange(8.0)
    q = np.logspace(-3, 3, 13)
    svg = draw.edge(values, values[::-1], 2 * [(factor, factor**7)], q, q * factor, list(values), 2.0)
    root = xml.dom.minidom.parseString(svg)
    for line in root.getElementsByTagName("polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.getAttribute("points").split()]
        assert all(60 <= x <= 760 and 40 <= y <= 280 for x, y in points)
    assert "nan" not in svg and "inf" not in svg and "n Var(W) = 2.00" in svg


def test_the_edge_says_the_factors():
    forward, backward = 0.5 ** np.arange(5), 0.1 ** np.arange(5)[::-1]
    factors = (0.5, 0.5**4), (0.1, 1e-4)
    svg = draw.edge(forward, backward, factors, np.array([1.0, 10.0]), np.array([0.5, 5.0]), [1.0, 0.5], 1.0)
    assert "outputs: × 0.50 a layer, × 0.06 over 4 layers" in svg
    assert "gradients: × 0.10 a layer, × 1e-04 over 4 layers" in svg
    assert svg.count(">10⁻¹²<") == 1 and svg.count(">10⁻³<") == 2
