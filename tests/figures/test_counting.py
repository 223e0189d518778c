"""Pictures of chapter 05 as SVG: numbers in words, bars to scale, a line for each weight."""

import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest

from course_utils.figures import counting as draw

SVG = "{http://www.w3.org/2000/svg}"


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def elements(svg, kind):
    return [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == kind]


@pytest.mark.parametrize(
    ("count", "amount", "memory"),
    [
        (1, "1", "4 B"),
        (800, "800", "3.2 kB"),
        (10_000, "10,000", "40 kB"),
        (98_208_100, "98.2 million", "393 MB"),
        (10**8, "100 million", "400 MB"),
        (10**12, "1 trillion", "4 TB"),
    ],
)
def test_numbers_in_words(count, amount, memory):
    assert (draw.amount(count), draw.memory(count)) == (amount, memory)


def test_bars_are_as_long_as_the_logarithm():
    rows = [("a", "10", 10, "red"), ("b", "", 10**4, "orange"), ("c", "", 10**7, "blue")]
    svg = draw.counts([("weights", rows[:2]), ("outputs", rows[2:])], "no biases")
    first, second, third = (float(bar.get("width")) for bar in elements(svg, "bar"))
    assert second == pytest.approx(4 * first, abs=0.2) and third == pytest.approx(7 * first, abs=0.3)
    assert {"weights", "outputs", "a", "10 · 40 B", "10 million · 40 MB", "no biases", "80 GB: a large GPU"} <= {
        *words(svg)
    }


def test_the_line_of_a_gpu_stands_at_its_memory():
    svg = draw.counts([("weights", [("all of it", "", int(draw.CARD / 4), "red")])])
    [bar] = elements(svg, "bar")
    [line] = [line for line in ElementTree.fromstring(svg).iter(f"{SVG}line") if line.get("stroke-dasharray")]
    assert float(line.get("x1")) == pytest.approx(draw.LEFT + float(bar.get("width")), abs=0.2)


def test_a_line_for_each_weight_and_a_colour_for_each_shared_one():
    local = [(i, i + k) for i in range(5) for k in range(3)]
    svg = draw.wiring(("own", 7, [(i, j, None) for i, j in local]), ("shared", 7, [(i, j, j - i) for i, j in local]))
    assert Counter(line.get("stroke") for line in elements(svg, "weight")) == {
        draw.GREY: 15,
        **dict.fromkeys(draw.WEIGHTS, 5),
    }
    assert len(elements(svg, "unit")) == 2 * (5 + 7)
