"""Pictures of whole networks: every map and every share is there."""

import pytest
from matplotlib import pyplot as plt

from course_utils import inspection, models
from course_utils.figures import architectures as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_architecture_draws_a_square_for_every_map():
    svg = draw.architecture([("input", 1, 32, "pixels"), ("C1", 6, 28, "5 × 5"), ("F6", 84, 1, "all")])
    assert svg.count("<rect") == 1 + 1 + 6 + 1  # the ground, and the maps
    assert "6 × 28 × 28" in svg and ">84<" in svg


def test_shares_add_up_to_a_hundred():
    figure = draw.shares(["a", "b"], [1, 3], [30, 10])
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == [25, 75, 75, 25]


def test_costs_are_shares_of_the_whole():
    figure = draw.costs([("conv1", 10, 900), ("fc2", 90, 100)], "a net")
    labels = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert labels == [["10.0", "90.0"], ["90.0", "10.0"]]


def test_diagram_draws_each_layer_of_a_module_and_each_path_around_some():
    net = models.build("resnet20")
    rows = [row for row in inspection.summarize(net, (3, 32, 32)).rows if row.multiply_adds]
    names = [name for name, module in net.named_modules() if hasattr(module, "shortcut")]
    svg = draw.diagram(rows, [(f"{name}.", "conv3_x.0" in name) for name in names])
    assert svg.count('class="layer"') == 20 and svg.count('class="around"') == 9
    assert svg.count('class="around" stroke-dasharray') == 1
    assert ">7 layers<" in svg and ">64 × 8 × 8<" in svg
