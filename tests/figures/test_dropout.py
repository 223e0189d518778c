"""The pictures of chapter 04: well-formed, with the units, bars and lines that their data ask for."""

import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.figures import dropout as draw

SVG = "{http://www.w3.org/2000/svg}"
NET = [[True, False, True], [True, True], [True]]


def gathered(counted=2):
    outputs, chances = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3, 0.4])
    marks = [("mean < all", 1.4, "#000000"), ("pass & scale", -0.5, "#009E73")]
    kept = [True, False]
    return draw.gathering([1.0, 2.0], [1.0, -1.0], kept, 1.0, outputs, chances, counted, (-1, 3), marks, ["a < b"])


PICTURES = {"thinned": lambda: draw.thinned([("a < b", NET), ("c", NET)]), "gathering": gathered}


def kinds(svg, kind):
    return [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == kind]


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_and_nothing_lies_outside_it(name):
    root = ElementTree.fromstring(PICTURES[name]())
    width, height = float(root.get("width")), float(root.get("height"))
    assert root[0].get("fill") == "white" and not any(element.get("id") for element in root.iter())
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y", 0)) <= float(box.get("y", 0)) + float(box.get("height")) <= height + 0.1
    for circle in root.iter(f"{SVG}circle"):
        assert float(circle.get("r")) <= float(circle.get("cx")) <= width - float(circle.get("r"))


def test_a_unit_that_is_off_is_crossed_out_and_has_no_connections():
    svg = draw.thinned([("one", NET)])
    assert (len(kinds(svg, "kept")), len(kinds(svg, "off"))) == (5, 1)
    assert len(kinds(svg, "connection")) == 2 * 2 + 2
    assert words(svg) == ["one"]


def test_the_histogram_fills_by_probability():
    def height(counted):
        return sum(float(bar.get("height")) for bar in kinds(gathered(counted), "counted"))

    assert height(4) == pytest.approx(sum(float(bar.get("height")) for bar in kinds(gathered(4), "all")), abs=0.2)
    assert height(2) / height(4) == pytest.approx(0.3, abs=0.01)


def test_outputs_that_differ_in_their_last_digit_stand_in_one_bar():
    outputs = np.array([0.1 + 0.2, 0.3, 0.3 - 1e-16, 0.9])  # 0.3 is the edge of a bar, seen from 0 to 3
    chances = np.full(4, 0.25)
    svg = draw.gathering([1.0], [1.0], [True], 0.3, outputs, chances, 4, (0, 3), [], [])
    assert len(kinds(svg, "counted")) == 2


def test_gathering_says_its_marks_and_the_output_at_hand():
    svg = gathered()
    assert {"mean < all", "1.400", "pass & scale", "−0.500", "1.00", "a < b"} <= set(words(svg))
    assert len(kinds(svg, "mark")) == 2 and len(kinds(svg, "current")) == 1
    assert len(kinds(svg, "connection")) == 1  # the other unit is off


def test_agreement_has_a_panel_a_network_and_a_dot_an_input():
    one, mean, spread = np.arange(3.0), np.arange(3.0) + 0.1, np.ones(3)
    figure = draw.agreement({"linear": (one, one, spread), "ReLU": (one, mean, spread)})
    assert [axes.get_title() for axes in figure.axes] == ["linear", "ReLU"]
    assert figure.axes[1].lines[-1].get_ydata() == pytest.approx(mean)
    plt.close(figure)


def test_over_draws_seeds_as_dots_and_their_mean_as_a_line():
    seeds = np.array([[1.0, 3.0], [2.0, 4.0], [5.0, 7.0]])
    figure = draw.over([1, 10, 100], {"loss": {"a": seeds, "b": [1, 2, 3]}}, "x", logx=True, logy=True, levels={"c": 2})
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["a"].get_ydata() == pytest.approx([2, 3, 6])
    assert (lines["a"].get_linestyle(), lines["b"].get_linestyle()) == ("-", "--")
    assert list(lines["c"].get_ydata()) == [2, 2]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == ("x", "loss", "log", "log")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "10", "100"]
    plt.close(figure)


def test_over_has_a_panel_for_each_quantity():
    figure = draw.over([0, 1], {"loss": {"a": [1, 2]}, "error": {"a": [3, 4]}}, "p")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "error"]
    plt.close(figure)
