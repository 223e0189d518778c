"""Pictures of chapter 12: every branch, module and gradient is there, to scale."""

import re

import pytest
import torch
from matplotlib import pyplot as plt

from course_utils import inspection, models
from course_utils.figures import inception as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_branches_are_to_scale():
    svg = draw.branches([("a", "1 → 2", 1_000_000, 3_000_000, 8_000_000)], ("now", 4_000_000), ("before", 8_000_000))
    bars = [float(width) for width in re.findall(r'width="([\d.]+)"[^>]*class="bar"', svg)]
    assert bars == [75, 225, 300, 600] and "4 million, not 8 million" in svg
    assert re.findall(r'width="([\d.]+)"[^>]*class="before"', svg) == ["600.0"]


def test_copies_have_a_bar_for_each_module():
    figure = draw.copies({"naive": {"3a": 3e6, "3b": 9e6}, "reduced": {"3a": 1e6, "3b": 2e6}})
    assert [bar.get_height() for bar in figure.axes[0].patches] == [3, 9, 1, 2]


def test_pictures_have_their_titles():
    figure = draw.pictures([torch.zeros(4, 6, 3).numpy()] * 2, ["before", "after"])
    assert [ax.get_title() for ax in figure.axes] == ["before", "after"]


def test_kept_is_in_percent():
    figure = draw.kept({"maps": [0.5, 1.0], "shuffled": [0.25, 0.75]})
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[50, 100], [25, 75]]


def test_gradients_have_a_line_for_each_seed_and_a_mark_for_each_head():
    seeds = [{"3a": 1.0, "4a": 2.0}, {"3a": 1.5, "4a": 2.5}]
    figure = draw.gradients({"rule": {"main": seeds, "both": seeds}}, ["4a"])
    assert [list(line.get_ydata()) for line in figure.axes[0].lines[:2]] == [[1, 2], [1.5, 2.5]]
    assert len(figure.axes[0].lines) == 5 and list(figure.axes[0].lines[4].get_xdata()) == [1, 1]


def test_network_draws_each_layer_of_the_module_and_its_heads():
    with torch.device("meta"):
        net = models.build("googlenet")
    svg = draw.network(inspection.summarize(net, (3, 224, 224)).rows, ("inception4a", "inception4d"))
    drawn = 58 + 4 + 9 + 2  # layers with weights, pools between and in the modules, response normalization
    assert svg.count('class="layer"') == drawn and svg.count('class="head"') == 2
    assert svg.count('fill="#0072B2"') == 2 * 9 + 2 + 1  # the last one is in the key
