"""Cells of grids: what they say and how they are marked."""

import xml.etree.ElementTree as ElementTree

import pytest

from course_utils.figures import grid, svg


def parts(drawn):
    _, *elements = ElementTree.fromstring(svg.picture(100, 100, drawn))
    return [(element.tag.rpartition("}")[2], element) for element in elements]


@pytest.mark.parametrize("kind", ["input", "padding", "read", "output", "current"])
def test_a_cell_is_a_square_of_its_kind_with_its_text_in_the_middle(kind):
    (box, square), (text, words) = parts(grid.cell(10, 20, 30, "7", kind))
    assert (box, text) == ("rect", "text") and square.get("class") == kind and words.text == "7"
    assert float(words.get("x")) == 25 and 35 < float(words.get("y")) < 42
    assert bool(square.get("stroke-dasharray")) == (kind == "padding")


def test_what_nothing_reads_is_hatched_inside_of_its_square():
    (_, square), (path, hatch) = parts(grid.cell(10, 20, 30, kind="unread"))
    assert path == "path" and square.get("class") == "unread"
    ends = hatch.get("d").replace("M", " ").replace("L", " ").split()
    assert all(10 <= float(x) <= 40 for x in ends[::2]) and all(20 <= float(y) <= 50 for y in ends[1::2])


@pytest.mark.parametrize(("value", "text"), [(3.0, "3"), (-2, "−2"), (0.12345, "0.12"), (-0.5, "−0.5")])
def test_numbers_are_short_and_have_a_minus_sign(value, text):
    assert grid.number(value) == text
