"""The explorer of initialization, moved in code, and what it measures."""

import numpy as np
import pytest
import torch

from course_utils.explorers import initialization as explorer


def test_every_control_changes_the_picture():
    box = explorer.explore_edge()
    seen = [box.picture.value]
    for control, value in (
        (box.gain, 0.9),
        (box.depth, 7),
        (box.width, 20),
        (box.function, "tanh"),
        (box.rule, "LeCun, Glorot, 1/n"),
    ):
        control.value = value
        seen.append(box.picture.value)
    assert len(set(seen)) == len(seen)
    assert seen[-1] == explorer.draw_edge("tanh", "LeCun, Glorot, 1/n", 0.9, 7, 20)


@pytest.mark.parametrize("name", explorer.FUNCTIONS)
@pytest.mark.parametrize("rule", explorer.RULES)
def test_every_choice_can_be_drawn_at_the_ends_of_the_sliders(name, rule):
    for gain, depth, width in ((0.5, 50, 10), (2.0, 2, 20)):
        svg = explorer.draw_edge(name, rule, gain, depth, width)
        assert "nan" not in svg and "inf" not in svg


@pytest.mark.parametrize(("name", "rule"), [("softplus", "He, 2/n"), ("ReLU", "He")])
def test_unknown_names_are_refused(name, rule):
    with pytest.raises(ValueError, match="there are"):
        explorer.draw_edge(name, rule, 1.0)


def test_signals_are_autograds():
    rng = np.random.default_rng(0)
    shapes = [(5, 4), (3, 5), (6, 3)]
    weights, x, dy = [rng.normal(size=s) for s in shapes], rng.normal(size=(7, 4)), rng.normal(size=(7, 6))
    forward, backward = explorer.signals("tanh", weights, x, dy)
    y, activations, outputs = torch.tensor(x), [], []
    for weight in weights:
        activations.append((y @ torch.tensor(weight).T).requires_grad_())
        outputs.append(y := torch.tanh(activations[-1]))
    gradients = torch.autograd.grad((y * torch.tensor(dy)).sum(), activations)
    np.testing.assert_allclose(forward, [y.detach().square().mean() for y in outputs])
    np.testing.assert_allclose(backward, [d.square().mean() for d in gradients])


@pytest.mark.parametrize("name", explorer.FUNCTIONS)
def test_the_map_is_the_mean_under_a_gaussian(name):
    a = np.random.default_rng(0).normal(0, np.sqrt(2 * 0.7), size=400_000)
    expected = (explorer.FUNCTIONS[name][0](a) ** 2).mean()
    assert explorer.next_mean_square(name, 0.7, 2.0) == pytest.approx(expected, rel=0.02)


def test_the_share_of_a_rule_is_its_variance_times_n():
    for rule, share in explorer.RULES.values():
        assert 300 * rule((300, 300), np.random.default_rng(0)).var() == pytest.approx(share, rel=0.03)
