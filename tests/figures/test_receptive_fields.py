"""Pictures of receptive fields: what is reached is counted, frames lie where the field is."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import receptive_fields as draw

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_cone_counts_what_is_reached():
    levels = [
        ("layer 2", 2, 1, 1, {0: [0, 1, 2]}),
        ("layer 1", 1, 1, 3, {i: [i, i + 1, i + 2] for i in range(3)}),
        ("input", 0, 1, 5, {}),
    ]
    assert {"layer 2: 1 unit", "layer 1: 3 units", "input: 5 pixels"} <= set(words(draw.cone(("stride 1", levels))))


def test_receptive_fields_lie_around_their_centres():
    figure = draw.receptive_fields(np.zeros((32, 32)), [("C1", 5, 15.0), ("C5", 32, 15.5)])
    corners = [(patch.get_x(), patch.get_width()) for patch in figure.axes[0].patches]
    assert corners == [(12.5, 5), (-0.5, 32)]


def test_effective_frames_the_theoretical_field():
    profile = np.array([0.25, 0.5, 0.25])
    figure = draw.effective([("1 layer", np.arange(-1, 2), profile, profile)], np.ones((7, 7)), box=3)
    (frame,) = figure.axes[1].patches
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (1.5, 1.5, 3)
