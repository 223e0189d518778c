"""The explorer of chapter 06 as Python makes it: the figure that it starts from, and the page over it.

How the page behaves is in test_kit_in_browser.py.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest

from course_utils.datasets import photographs
from course_utils.explorers import convolution as explorer

START = {"image": "numbers", "channels": 1, "kernel": "edges", "size": 7, "kernel_size": 3}
START |= {"stride": 1, "padding": 0, "dilation": 1, "position": (1, 1)}


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


class Tags(HTMLParser):
    """What a page holds: (tag, attributes) in their order."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("change", [{}, {"image": "photograph", "size": 32}, {"channels": 3}, {"kernel": "blur"}])
def test_the_figure_is_that_of_the_start(change):
    shown = explorer.explore_convolution(**START | change)
    assert shown.figure == explorer.draw_convolution(**START | change)
    assert ElementTree.fromstring(shown.figure).tag.endswith("svg")
    data = json.loads(re.search(r"^const DATA = (.*);$", shown.page, re.M)[1])
    start = START | change
    assert data["start"] == {**{k: v for k, v in start.items() if k != "position"}, "output": [1, 1], "bias": 1}


def test_the_sum_in_the_figure_is_the_output():
    svg = explorer.draw_convolution(**START | {"stride": 2, "padding": 1, "dilation": 2, "position": (1, 0)})
    x = np.pad(explorer._images()["numbers"][3, 2:9, 2:9], 1)
    total = x[2:7:2, 4].sum() - x[2:7:2, 0].sum()
    assert f"{total:.0f} + 1 = {total + 1:.0f}".replace("-", "−") in words(svg)
    assert "size: ⌊(7 + 2 · 1 − 5) / 2⌋ + 1 = 3" in words(svg)


@pytest.mark.parametrize("size", range(1, 6))
def test_kernels_do_what_they_are_called(size):
    flat = np.full((size, size), 5.0)
    edges, blur, sharpen = (explorer._kernel(name, size) for name in explorer.KERNELS)
    assert (blur * flat).sum() == pytest.approx(5)
    assert edges is None if size == 1 else (edges * flat).sum() == 0 and (edges * np.arange(size)).sum() > 0
    assert sharpen is None if size % 2 == 0 else (sharpen * flat).sum() == 5 and sharpen[size // 2, size // 2] >= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "portrait"}, "image is 'portrait'; expected photograph or numbers"),
        ({"channels": 2}, "channels is 2; expected 1 or 3"),
        ({"kernel": "your own"}, "kernel is 'your own'; expected edges or blur or sharpen"),
        ({"size": 13}, "size is 13; expected 3 to 12"),
        ({"stride": 0}, "stride is 0; expected 1 to 5"),
        ({"padding": 1.5}, "padding is 1.5; expected 0 to 4"),
        ({"kernel_size": 1}, "kernel needs a size of at least 2"),
        ({"kernel": "sharpen", "kernel_size": 4}, "kernel needs an odd size"),
        ({"dilation": 4}, "covers 9; expected at most the padded input"),
        ({"position": (0, 5)}, "position is 5; expected 0 to 4"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_convolution(**START | change)


def test_the_page_lies_in_a_frame_behind_the_figure_and_is_the_same_each_time():
    shown = explorer.explore_convolution()
    html = shown._repr_html_()
    assert html == explorer.explore_convolution()._repr_html_()
    tags = Tags(html).found
    assert [tag for tag, _ in tags] == ["div", "figure", "img", "iframe"]
    assert tags[2][1]["alt"] == shown.alt and tags[2][1]["src"].startswith("data:image/svg+xml,")
    assert tags[3][1]["srcdoc"] == shown.page
    assert repr(shown) == f"Explorer: {shown.alt}"


def test_the_page_needs_nothing_from_elsewhere():
    page = explorer.explore_convolution().page
    assert "://" not in page and not re.search(r"\b(import|fetch|XMLHttpRequest|eval)\b *[(\"']", page)
    assert [tag for tag, _ in Tags(page).found if tag in ("link", "img", "iframe")] == []
    assert not any({"id", "src", "href"} & set(attributes) for _, attributes in Tags(page).found)


def test_the_flower_is_that_of_scikit_learn_in_means_of_10_by_10():
    flower = photographs()["flower"].numpy()[:, 20:340, 150:470].reshape(3, 32, 10, 32, 10).mean(axis=(2, 4))
    assert np.abs(explorer._images()["photograph"][:3] - flower).max() < 2  # decoders of JPEG differ in the last bit


def test_images_are_whole_numbers_in_their_range():
    for name, planes in explorer._images().items():
        assert planes.shape == (4, explorer.SIZES[name][1], explorer.SIZES[name][1])
        assert np.array_equal(planes, np.rint(planes)) and planes.min() >= 0 and planes.max() <= explorer.WHITE[name]
