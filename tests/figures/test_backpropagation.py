"""The pictures of chapter 08: well-formed, with the numbers that they are given, each in its place."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import backpropagation as draw

SVG = "{http://www.w3.org/2000/svg}"
SMALL = ("small", np.array([[1.0, np.nan], [-2.5, 0]]), {(0, 0): "read", (1, 1): "current"})
LONG = ("a name that is longer than its sheet", np.arange(3.0), {})


def texts(svg):
    return {element.text: element for element in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_sheets_hold_numbers_signs_names_and_kinds():
    svg = draw.sheets([SMALL, "×", LONG], [("below", [7], {})], note="a note < that ends it")
    assert {"small", "×", "below", "1", "−2.5", "0", "2", "7", "a note < that ends it"} <= set(texts(svg))
    kinds = [element.get("class") for element in ElementTree.fromstring(svg).iter(f"{SVG}rect")]
    assert [kinds.count(kind) for kind in ("read", "current", "blank", "input")] == [1, 1, 1, 1 + 3 + 1]


def test_sheets_stand_side_by_side_and_rows_one_below_the_other():
    places = {
        name: (float(e.get("x")), float(e.get("y"))) for name, e in texts(draw.sheets([SMALL, LONG], [SMALL])).items()
    }
    assert places["small"][0] < places[LONG[0]][0] and places[LONG[0]][1] < places["small"][1]  # the later one is kept


@pytest.mark.parametrize("rows", [([SMALL, "=", LONG],), ([LONG], [SMALL])])
def test_nothing_lies_outside_its_picture(rows):
    root = ElementTree.fromstring(draw.sheets(*rows, note="short"))
    width, height = float(root.get("width")), float(root.get("height"))
    assert root[0].get("fill") == "white" and not any(element.get("id") for element in root.iter())
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y", 0)) <= float(box.get("y", 0)) + float(box.get("height")) <= height


def test_contributions_show_what_a_weight_meets_and_frame_it():
    image, dy, dweight = (
        np.arange(20.0).reshape(4, 5),
        np.array([[1.0, -1], [2, 0], [0, 3]]),
        np.arange(8.0).reshape(2, 4),
    )
    figure = draw.contributions(image, dy, dweight, (1, 3))
    axes = figure.axes
    shown = [np.asarray(ax.images[0].get_array()) for ax in axes]
    for found, expected in zip(shown, (image, dy, image[1:4, 3:5] * dy, dweight), strict=True):
        np.testing.assert_array_equal(found, expected)
    frames = [(p.get_xy(), p.get_width(), p.get_height()) for ax in axes for p in ax.patches]
    assert frames == [((2.5, 0.5), 2, 3), ((2.5, 0.5), 1, 1)]
    assert {"7", "×", "=", "Σ"} <= {text.get_text() for ax in axes for text in ax.texts}
    plt.close(figure)
