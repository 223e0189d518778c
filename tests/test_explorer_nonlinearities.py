"""The softmax explorer, moved in code."""

import xml.dom.minidom

import numpy as np

from course_utils.explorers.nonlinearities import explore_softmax
from course_utils.figures.nonlinearities import softmax_bars


def test_moving_the_slider_redraws_and_the_picture_is_well_formed():
    explorer = explore_softmax([2.0, 1.0, -1.0], factor=-1)
    pictures = [explorer.picture.value]
    for value in (0, 1, 3):
        explorer.slider.value = value
        pictures.append(explorer.picture.value)
    assert len(set(pictures)) == 4
    for picture in pictures:
        xml.dom.minidom.parseString(picture)


def test_bars_say_the_probabilities_and_mark_the_largest_activation():
    svg = softmax_bars([0.0, 0.0], np.array([0.5, 0.5]), 1)  # all zero: no bar, no division by zero
    assert svg.count("0.500") == 2 and "nan" not in svg
