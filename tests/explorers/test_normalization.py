"""The explorer of chapter 03: its sliders move the picture, and what it shows is batch norm and its gradient."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from course_utils.explorers import normalization as explorer
from course_utils.scratch import batch_norm_backward


def lengths(widget_or_svg):
    """The lengths of the paths' gradients as they stand under the picture."""
    svg = getattr(widget_or_svg, "picture", None)
    text = [e.text for e in ElementTree.fromstring(svg.value if svg else widget_or_svg).iter() if e.text]
    names = ("direct", "through the mean", "through the variance", "sum")
    return {name: float(t.rsplit(" ", 1)[1]) for name in names for t in text if t.startswith(name + " ")}


def test_each_slider_moves_the_picture_and_back():
    drag = explorer.explore_batch()
    before = drag.picture.value
    for slider, step in ((drag.value, 0.25), (drag.count, 1), (drag.target, 1)):
        slider.value += step
        assert drag.picture.value != before
        slider.value -= step
        assert drag.picture.value == before


def test_the_lengths_are_those_of_the_gradient():
    x = np.array(explorer.BATCH[:6])[:, None]
    dx, _, _ = batch_norm_backward(np.eye(6)[:, 2:3], x, np.ones(1), np.zeros(1))
    found = lengths(explorer.draw_batch(x[:, 0], target=2))
    assert found["sum"] == pytest.approx(np.linalg.norm(dx), abs=6e-4)
    assert found["direct"] == pytest.approx(1 / x.std(), abs=6e-4)
    assert found["through the mean"] == pytest.approx(found["direct"] / np.sqrt(6), abs=6e-4)


def test_with_two_samples_nothing_is_left():
    drag = explorer.explore_batch(count=2)
    for value in (-10, 1, 10):
        drag.value.value = value
        assert lengths(drag)["sum"] == 0 < lengths(drag)["direct"]


def test_fewer_samples_move_the_entry_of_the_gradient_inside():
    drag = explorer.explore_batch(count=8)
    drag.target.value = 8
    drag.count.value = 3
    assert drag.target.value == drag.target.max == 3
    assert "sample 3 ←" in drag.picture.value


def test_two_equal_samples_do_not_divide_by_zero():
    drag = explorer.explore_batch(count=2)
    drag.value.value = explorer.BATCH[1]
    assert "nan" not in drag.picture.value


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_that_is_not_there_is_refused(target):
    with pytest.raises(ValueError, match="samples 0 to 2"):
        explorer.draw_batch([1.0, 2.0, 3.0], target)
