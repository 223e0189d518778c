"""The explorer of chapter 06: its controls move the picture, and no combination of them raises."""

import random
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from course_utils.arithmetic import output_size, unused
from course_utils.explorers import convolution as explorer

SHAPE = ("size", "kernel_size", "stride", "padding", "dilation")


def drawn(widget):
    """The picture as a tree; it has to be well-formed."""
    return ElementTree.fromstring(widget.picture.value)


def cells(tree, kind):
    return [element for element in tree.iter() if element.get("class") == kind]


def words(widget):
    return " ".join(drawn(widget).itertext())


def test_the_first_picture_is_there():
    walk = explorer.explore_convolution()
    assert len(cells(drawn(walk), "read")) == 9 + 9  # the window, and its products
    assert len(cells(drawn(walk), "current")) == 1
    assert len(cells(drawn(walk), "output")) == 5 * 5 - 1


@pytest.mark.parametrize("name", [*SHAPE, "position"])
def test_each_control_moves_the_picture(name):
    walk = explorer.explore_convolution(size=9, kernel_size=3, stride=2, padding=1, dilation=2)
    before = walk.picture.value
    control = getattr(walk, name)
    control.value += 1
    assert walk.picture.value != before
    control.value -= 1
    assert walk.picture.value == before


def test_the_position_walks_over_all_outputs_and_stays_inside_when_they_get_fewer():
    walk = explorer.explore_convolution(size=7, kernel_size=3)
    assert walk.position.max == walk.play.max == 24
    pictures = set()
    for number in range(25):
        walk.position.value = number
        assert f"here [{number // 5}, {number % 5}]" in words(walk)
        pictures.add(walk.picture.value)
    assert len(pictures) == 25
    walk.stride.value = 3
    assert walk.position.value == walk.position.max == 3
    assert "here [1, 1]" in words(walk)


def test_the_picture_is_the_one_that_is_drawn():
    walk = explorer.explore_convolution(size=9, kernel_size=2, stride=2, padding=1, dilation=3)
    walk.position.value = 5
    assert walk.picture.value == explorer.draw_convolution(9, 2, 2, 1, 3, 5)


@pytest.mark.parametrize(("stride", "padding", "hatched"), [(1, 0, 0), (2, 0, 0), (3, 0, 13), (3, 1, 0)])
def test_what_no_window_reads_is_hatched(stride, padding, hatched):
    walk = explorer.explore_convolution(size=7, kernel_size=3, stride=stride, padding=padding)
    assert len(cells(drawn(walk), "unread")) == hatched
    assert f"= {unused(7, 3, stride, padding)} " in words(walk) + " "


def test_the_sum_is_the_output():
    walk = explorer.explore_convolution(size=6, kernel_size=3, stride=2, padding=1, dilation=2)
    walk.position.value = 3
    padded = np.pad(explorer.PIXELS[:6, :6], 1)
    row, column = divmod(3, output_size(6, 3, 2, 1, 2))
    window = padded[2 * row : 2 * row + 5 : 2, 2 * column : 2 * column + 5 : 2]
    total = int((window * explorer.WEIGHTS[:3, :3]).sum())
    assert f"sum = {total}".replace("-", "−") in words(walk)


def test_what_does_not_fit_says_why_in_words():
    walk = explorer.explore_convolution(size=7, kernel_size=3)
    walk.dilation.value = 4
    assert "No position fits" in words(walk)
    assert "4 · (3 − 1) + 1 = 9" in words(walk)
    walk.padding.value = 1
    assert "No position fits" not in words(walk)


def test_no_combination_raises():
    walk, draw = explorer.explore_convolution(), random.Random(0)
    controls = [getattr(walk, name) for name in SHAPE]
    for _ in range(300):
        control = draw.choice(controls)
        control.value = draw.randint(control.min, control.max)
        walk.position.value = draw.randint(0, walk.position.max)
        size, kernel_size, stride, padding, dilation = (c.value for c in controls)
        fits = dilation * (kernel_size - 1) + 1 <= size + 2 * padding
        assert ("No position fits" in words(walk)) == (not fits)
        assert walk.position.max == (output_size(size, kernel_size, stride, padding, dilation) ** 2 - 1 if fits else 0)
