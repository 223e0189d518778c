"""The explorers of chapters 00 and 01, moved in code."""

import re
import xml.dom.minidom

import numpy as np
import pytest

from course_utils.explorers.nonlinearities import (
    NAMES,
    draw_softmax,
    draw_unit,
    explore_softmax,
    explore_temperature,
    explore_unit,
)
from course_utils.figures.nonlinearities import softmax_bars
from course_utils.scratch import NONLINEARITIES, softmax


def test_moving_the_slider_redraws_and_the_picture_is_well_formed():
    explorer = explore_softmax([2.0, 1.0, -1.0], factor=-1)
    pictures = [explorer.picture.value]
    for value in (0, 1, 3):
        explorer.factor.value = value
        pictures.append(explorer.picture.value)
    assert len(set(pictures)) == 4 and pictures[-1] == draw_softmax([2.0, 1.0, -1.0], 3)
    for picture in pictures:
        xml.dom.minidom.parseString(picture)


def test_bars_say_the_probabilities_and_mark_the_largest_activation():
    svg = softmax_bars([0.0, 0.0], np.array([0.5, 0.5]), 1)  # all zero: no bar, no division by zero
    assert svg.count("0.500") == 2 and "nan" not in svg


def test_temperature_flattens_and_an_offset_changes_only_the_formula_as_it_stands():
    explorer = explore_temperature([2.0, 1.0, -1.0])
    first = explorer.picture.value
    explorer.temperature.value = 10
    assert explorer.picture.value != first and "nan" not in explorer.picture.value
    explorer.temperature.value = 1
    for offset in (1e4, -1e4):
        explorer.offset.value = offset
        assert explorer.picture.value.count("nan") == 3
        assert all(f"{p:.3f}" in explorer.picture.value for p in softmax([2.0, 1.0, -1.0]))
    explorer.offset.value = 0
    assert explorer.picture.value == first


@pytest.mark.parametrize("name", NAMES)
def test_the_unit_shows_what_a_sample_has(name):
    explorer = explore_unit(name)
    explorer.mean.value, explorer.std.value = 1.0, 2.0
    a = np.random.default_rng(0).normal(1, 2, 400_000)
    function, slope = NONLINEARITIES[name]
    words = dict(re.findall(r">([\w ]+): (-?[\d.]+)<", explorer.picture.value))
    assert float(words["mean output"]) == pytest.approx(function(a).mean(), abs=0.02)
    assert float(words["standard deviation of the output"]) == pytest.approx(function(a).std(), abs=0.02)
    assert float(words["mean squared derivative"]) == pytest.approx((slope(a) ** 2).mean(), abs=0.01)
    xml.dom.minidom.parseString(explorer.picture.value)


def test_each_control_of_the_unit_redraws_and_back_is_back():
    explorer = explore_unit()
    first = explorer.picture.value
    for control, value in ((explorer.name, "ELU"), (explorer.mean, -4.0), (explorer.std, 0.1)):
        before, home = explorer.picture.value, control.value
        control.value = value
        assert explorer.picture.value != before
        control.value = home
        assert explorer.picture.value == first


def test_an_unknown_function_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no nonlinearity 'swish' here; those there are: sigmoid, tanh"):
        draw_unit("swish", 0, 1)
