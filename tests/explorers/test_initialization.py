"""The explorer of initialization, moved in code."""

import pytest

from course_utils.explorers import initialization as explorer


def test_every_control_changes_the_picture():
    box = explorer.explore_edge()
    seen = [box.picture.value]
    for control, value in (
        (box.gain, 0.9),
        (box.depth, 7),
        (box.width, 20),
        (box.name, "tanh"),
        (box.rule, "LeCun, Glorot, 1/n"),
    ):
        control.value = value
        seen.append(box.picture.value)
    assert len(set(seen)) == len(seen)
    assert seen[-1] == explorer.draw_edge("tanh", "LeCun, Glorot, 1/n", 0.9, 7, 20)


@pytest.mark.parametrize("name", explorer.NONLINEARITIES)
@pytest.mark.parametrize("rule", explorer.RULES)
def test_every_choice_can_be_drawn_at_the_ends_of_the_sliders(name, rule):
    for gain, depth, width in ((0.5, 50, 10), (2.0, 2, 20)):
        svg = explorer.draw_edge(name, rule, gain, depth, width)
        assert "nan" not in svg and "inf" not in svg


@pytest.mark.parametrize(("name", "rule"), [("softplus", "He, 2/n"), ("ReLU", "He")])
def test_unknown_names_are_refused(name, rule):
    with pytest.raises(ValueError, match="there are"):
        explorer.draw_edge(name, rule, 1.0)
