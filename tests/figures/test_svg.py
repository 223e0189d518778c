"""Elements of SVG: well-formed, where they were asked for, and the only place in the figures that writes tags."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import course_utils
from course_utils.figures import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


def only(part):
    """The one element of a picture, beside its ground."""
    _, element = ElementTree.fromstring(svg.picture(100, 50, part))
    return element


def test_what_names_have_in_them_is_escaped():
    assert only(svg.text(1, 2, "a < b & c")).text == "a < b & c"


@pytest.mark.parametrize(
    ("part", "tag", "attributes"),
    [
        (svg.line(1, 2, 3, 4, "red", 2, "mark", "4 3"), "line", {"x1": "1.0", "y2": "4.0", "stroke-dasharray": "4 3"}),
        (svg.box(1, 2, 3, 4, fill="red", opacity=0.5, kind="bar"), "rect", {"fill-opacity": "0.5", "class": "bar"}),
        (svg.circle(5, 6, 7, "red", 2, dash="1 2"), "circle", {"cx": "5.0", "r": "7", "stroke": "red"}),
        (svg.polyline([(1, 2), (3, 4.25)], "red", 3, "map"), "polyline", {"points": "1.0,2.0 3.0,4.2", "fill": "none"}),
        (svg.polygon(zip([1, 2], [3, 4], strict=True), "red"), "polygon", {"points": "1.0,3.0 2.0,4.0", "fill": "red"}),
        (svg.strokes([(0, 1, 2, 3), (4, 5, 6, 7)], "red"), "path", {"d": "M0.0 1.0L2.0 3.0M4.0 5.0L6.0 7.0"}),
        (svg.dots([(0, 1), (2, 3)], 4, "red"), "path", {"d": "M0.0 1.0L0.1 1.0M2.0 3.0L2.1 3.0", "stroke-width": "4"}),
        (svg.upwards(20, 30, svg.text(20, 30, "up")), "g", {"transform": "rotate(-90 20 30)"}),
    ],
)
def test_an_element_says_what_it_was_given(part, tag, attributes):
    element = only(part)
    assert element.tag == NAMESPACE + tag
    assert {name: element.get(name) for name in attributes} == attributes


def test_an_image_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    element = only(svg.image(1, 2, 50, 30, pixels))
    kind, data = element.get("href").split(",")
    assert kind == "data:image/png;base64" and element.get("width") == "50"
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(data))), pixels)


def test_no_other_module_writes_tags():
    package = Path(course_utils.__file__).parent
    tags = re.compile(r"</?(svg|rect|circle|line|polyline|polygon|path|text|image|g)[ >]")
    files = [*package.glob("figures/*.py"), *package.glob("explorers/*.py")]
    assert len(files) > 15
    found = {path.name for path in files if tags.search(path.read_text(encoding="utf-8"))}
    assert found == {"svg.py"}
