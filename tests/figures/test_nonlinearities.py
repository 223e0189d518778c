"""The pictures of chapter 01: well-formed, with the marks that their data ask for, and nothing cut off unsaid."""

import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.figures import nonlinearities as draw

SVG = "{http://www.w3.org/2000/svg}"
A = np.linspace(-6, 6, 25)
PICTURES = {
    "softmax_bars": lambda: draw.softmax_bars([2.0, -1.0], [0.9, 0.1], 1),
    "temperature_bars": lambda: draw.temperature_bars([2.0, -1.0], [0.9, 0.1], [0.9, np.nan], 2.0),
    "response": lambda: draw.response("ELU", A, A, np.ones(25), np.exp(-(A**2)), 0.5, ["mean output: 0.5"]),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_and_nothing_lies_outside_it(name):
    root = ElementTree.fromstring(PICTURES[name]())
    assert "background: white" in root.get("style")  # legible in a dark theme
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y", 0)) <= float(box.get("y", 0)) + float(box.get("height")) <= height
    for line in [*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")]:
        points = np.array([point.split(",") for point in line.get("points").split()], float)
        assert (points >= 0).all() and (points <= [width, height]).all()


def test_temperature_bars_say_nan_where_the_computation_failed_and_mark_the_largest():
    root = ElementTree.fromstring(PICTURES["temperature_bars"]())
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert words.count("nan") == 1 and words.count("0.900") == 2
    bars = [(float(box.get("width")), box.get("fill")) for box in root.iter(f"{SVG}rect") if box.get("class")]
    assert len(bars) == 3 and len({colour for _, colour in bars}) == 2
    assert bars[0][0] == pytest.approx(9 * bars[2][0], rel=0.01)


def test_response_ends_its_lines_at_the_frame_and_places_the_mean():
    root = ElementTree.fromstring(PICTURES["response"]())
    slope, value = ([p.split(",") for p in line.get("points").split()] for line in root.iter(f"{SVG}polyline"))
    assert len(slope) == len(A) > len(value) > 5  # the value leaves the frame above and below; it is not bent
    (mean,) = [line for line in root.iter(f"{SVG}line") if line.get("class") == "mean"]
    heights = {round(float(x)): float(y) for x, y in value}
    assert float(mean.get("y1")) == float(mean.get("y2")) == heights[246]  # where the line is 0.5 high


def test_functions_keep_their_colour():
    figure = draw.functions(A, {"ReLU": A, "tanh": A}, {"ReLU": A, "slide 11": A})
    values, slopes = figure.axes
    assert [line.get_color() for line in values.lines] == [draw.OF["ReLU"], draw.OF["tanh"]]
    assert slopes.lines[0].get_color() == draw.OF["ReLU"]


def test_by_layer_draws_each_seed_and_the_mean_of_the_logarithms():
    norms = np.array([[1.0, 100.0], [1.0, 1.0]])
    figure = draw.by_layer({"sigmoid": {"1/√n": norms}, "ReLU": {"1/√n": norms}}, "norm")
    assert len(figure.axes) == 2 and figure.axes[0].get_yscale() == "log"
    lines = [line.get_ydata() for line in figure.axes[0].lines]
    np.testing.assert_allclose(lines, [[1, 1], [100, 1], [10, 1]])


def test_by_layer_of_values_that_may_be_negative():
    figure = draw.by_layer({"": {"tanh": np.array([[-0.5, 0.5], [0.0, 0.2]])}}, "cosine", log=False)
    np.testing.assert_allclose(figure.axes[0].lines[-1].get_ydata(), [0, 0.1])
    assert figure.axes[0].get_yscale() == "linear"


def test_knife_edge_has_a_line_and_dots_for_each_function():
    scales = np.array([1.0, 2.0, 4.0])
    figure = draw.knife_edge(scales, {"ReLU": np.ones((3, 5))}, {"ReLU": scales})
    styles = [line.get_linestyle() for line in figure.axes[0].lines]
    assert styles == ["-", "-"] + 5 * ["None"]


def test_outputs_gives_shares_and_the_mean_that_was_derived():
    figure = draw.outputs({"ReLU": np.array([0.1, 0.1, 1.1, 1.1])}, {"ReLU": 0.399})
    (axis,) = figure.axes
    assert sum(bar.get_height() for bar in axis.patches) == pytest.approx(1)
    assert axis.get_legend().get_texts()[0].get_text() == "mean 0.399"
