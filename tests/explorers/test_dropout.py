"""The explorer of chapter 04: its controls move the picture, and its numbers are those of the ensemble."""

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from course_utils.explorers import dropout as explorer

MEAN, KEPT, SLIDE = "mean of all 64 subnetworks", "one pass, times the probability kept", "(slide)"


def words(svg):
    return list(filter(None, ElementTree.fromstring(svg).itertext()))


def value(svg, label):
    """The number that stands behind a label."""
    texts = words(svg)
    return float(next(after for word, after in itertools.pairwise(texts) if label in word).replace("−", "-"))


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.8])
def test_a_linear_output_is_the_scaled_pass_and_the_slides_pass_only_at_one_half(p):
    svg = explorer.draw_subnetworks(p, 63)
    assert value(svg, MEAN) == pytest.approx(value(svg, KEPT), abs=1e-3)
    assert (abs(value(svg, MEAN) - value(svg, SLIDE)) < 1e-3) == (p == 0.5)


def test_after_a_relu_the_mean_is_larger_and_a_probability_has_its_geometric_mean():
    svg = explorer.draw_subnetworks(0.5, 63, "ReLU")
    assert value(svg, MEAN) > value(svg, KEPT) + 0.1
    svg = explorer.draw_subnetworks(0.2, 63, "probability")
    assert value(svg, "geometric mean") == pytest.approx(value(svg, KEPT), abs=1e-3) != value(svg, MEAN)


@pytest.mark.parametrize(("name", "to"), [("p", 0.4), ("subnetwork", 5), ("output", "ReLU")])
def test_each_control_moves_the_picture(name, to):
    walk = explorer.explore_subnetworks()
    before, control = walk.picture.value, getattr(walk, name)
    old, control.value = control.value, to
    assert walk.picture.value != before
    control.value = old
    assert walk.picture.value == before


def test_the_histogram_is_complete_at_the_end():
    walk = explorer.explore_subnetworks(p=0.3)
    walk.subnetwork.value = 63
    assert "counted so far: 100.0% of the probability" in words(walk.picture.value)


@pytest.mark.parametrize("output", explorer.OUTPUTS)
@pytest.mark.parametrize("p", [0, 0.95])
def test_the_ends_of_the_sliders_draw(output, p):
    for subnetwork in (0, 63):
        svg = explorer.draw_subnetworks(p, subnetwork, output)
        assert "nan" not in svg and "inf" not in svg
        for bar in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):
            assert float(bar.get("height")) >= 0


def test_an_unknown_output_is_refused_by_name():
    with pytest.raises(ValueError, match="linear, ReLU, probability"):
        explorer.draw_subnetworks(0.5, 0, "softmax")
