"""The pictures of chapter 06: well-formed, with the cells and words that their data ask for."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from course_utils.figures import convolution as draw
from course_utils.scratch import conv2d

SVG = "{http://www.w3.org/2000/svg}"


def kinds(svg):
    """How many shapes of each class a picture has; it has to be well-formed."""
    found = {}
    for element in ElementTree.fromstring(svg).iter():
        found[element.get("class")] = found.get(element.get("class"), 0) + 1
    return found


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def window(padded, weight, position, bias=1, **options):
    """The picture of one output, at stride 1 and dilation 1."""
    rows, columns = ([place + k for k in range(weight.shape[-1])] for place in position)
    y = conv2d(padded[None], weight[None], np.array([bias]))[0, 0]
    return draw.window(padded, weight, bias, y, position, rows, columns, **options)


PICTURES = {
    "reading": lambda: draw.reading(("a < b & c", 5, 1, [[-1, 0, 1], [1, 2, 3]]), ("b", 3, 0, [[0, 1, 2]])),
    "window": lambda: window(np.eye(4)[None], np.eye(2)[None], (1, 2), note="n < 3"),
    "channels": lambda: window(np.ones((3, 6, 6)), np.ones((3, 2, 2)), (1, 2), padding=1),
    "photograph": lambda: window(
        np.full((3, 6, 6), 255), np.ones((3, 2, 2)), (4, 4), photograph=True, source="me & you"
    ),
    "counts": lambda: draw.counts([("ones", np.ones((2, 2))), ("zeros", np.zeros((3, 2)))]),
    "matrix": lambda: draw.matrix([["w0", ""], ["", "w0"]], ["y0", "y1"], ["x0", "x1"]),
    "volumes": lambda: draw.volumes((3, 8, 8), 3, (4, 6, 6), (1, 5), (1, 5), chosen=1),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_and_brings_its_own_ground(name):
    root = ElementTree.fromstring(PICTURES[name]())
    assert root.tag == f"{SVG}svg"
    ground = root[0]
    assert ground.get("fill") == "white"  # legible in a dark theme
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))
    assert not any(element.get("id") for element in root.iter())  # many of them share a page


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_lies_outside_its_picture(name):
    root = ElementTree.fromstring(PICTURES[name]())
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y", 0)) <= float(box.get("y", 0)) + float(box.get("height")) <= height


def test_reading_has_a_line_for_each_reading_and_hatches_what_nothing_reads():
    svg = draw.reading(("stride 3", 7, 1, [[-1, 0, 1], [2, 3, 4]]))
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}line"))) == 6
    assert kinds(svg)["output"] == 2
    assert kinds(svg)["padding"] == 1  # the one before; the one behind is not read
    assert kinds(svg)["unread"] == 3
    assert {"−1", "7", "outputs i: 2", "inputs j: 7"} <= set(words(svg))


def test_window_shows_pixels_weights_products_and_what_they_add_up_to():
    x, weight = np.arange(9).reshape(1, 3, 3), np.array([[[1, -1], [2, 0]]])
    svg = window(x, weight, (0, 1), bias=-4)
    shown = words(svg)
    assert "1 2 4 5 1 −1 2 0 1 −2 8 0" in " ".join(shown), "in this order"
    assert {"7", "−4", "bias", "7 − 4 = 3", "output, 2 × 2"} <= set(shown)
    assert kinds(svg)["read"] == 4 + 4 + 4
    assert kinds(svg)["weight"] == 4
    assert (kinds(svg)["current"], kinds(svg)["output"], kinds(svg)["window"]) == (1, 3, 1)


def test_window_adds_up_the_channels():
    svg = window(np.ones((3, 3, 3)) * [[[1]], [[2]], [[3]]], np.ones((3, 2, 2)), (0, 0), bias=-4)
    assert {"red", "green", "blue", "4 + 8 + 12 − 4 = 20"} <= set(words(svg))
    assert kinds(svg)["window"] == 3


def test_window_tells_padding_and_what_nothing_reads_from_pixels():
    svg = window(np.pad(np.ones((1, 2, 2)), ((0, 0), (1, 1), (1, 1))), np.ones((1, 2, 2)), (0, 0), padding=1)
    assert (kinds(svg)["padding"], kinds(svg)["input"]) == (12 - 3, 4 - 1)
    svg = window(np.ones((1, 4, 4)), np.ones((1, 2, 2)), (0, 0), unread={3})
    assert kinds(svg)["unread"] == 7


def test_window_shows_a_photograph_as_pixels():
    svg = PICTURES["photograph"]()
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}image"))) == 3 + 1
    assert kinds(svg)["current"] == 1 and "output" not in kinds(svg)
    assert "me & you" in words(svg)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.001, "0"), (0.125, "0.13"), (-2.5, "−2.5"), (12.34, "12.3"), (-123.5, "−124"), (172125, "172125")],
)
def test_a_number_is_written_with_about_three_digits(value, text):
    assert draw.rounded(value) == text


def test_counts_hatches_zeros():
    svg = draw.counts([("a", [[0, 1], [2, 3]])])
    assert kinds(svg)["unread"] == 1
    assert kinds(svg)["read"] == 3
    assert {"0", "1", "2", "3"} <= set(words(svg))


def test_matrix_gives_equal_names_equal_colours():
    svg = draw.matrix([["w0", "w1", ""], ["", "w0", "w1"]], ["y0", "y1"], ["x0", "x1", "x2"])
    weights = [e for e in ElementTree.fromstring(svg).iter() if e.get("class") == "weight"]
    looks = [(e.get("fill"), e.get("fill-opacity")) for e in weights]
    assert looks[0] == looks[2] != looks[1] == looks[3]
    assert kinds(svg)["padding"] == 2


def test_volumes_have_a_slice_and_a_window_for_each_channel():
    svg = draw.volumes((3, 8, 8), 3, (4, 6, 6), (1, 5), (1, 5), chosen=1)
    assert kinds(svg)["read"] == 3 + 4
    assert {"input volume 8 × 8 × 3", "output volume 6 × 6 × 4"} <= set(words(svg))
