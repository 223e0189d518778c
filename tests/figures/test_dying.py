"""Pictures of units that fall silent: sorted, in percent, on one axis."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import dying as draw


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_fates_sorts_units_by_when_they_fell_silent_and_leaves_the_silent_white():
    active = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.0], [0.5, 0.0, 0.0]])  # marks x units
    (image,) = draw.fates(active, 1).axes[0].images
    np.testing.assert_array_equal(image.get_array().mask, [[1, 1, 1], [0, 1, 1], [0, 0, 0]])
    colours = image.cmap(np.ma.masked_equal([0, 1e-9, 1], 0))  # one image of a large set is not none
    assert [bool((colour == 1).all()) for colour in colours] == [True, False, False]


def test_dying_is_in_percent_over_steps():
    figure = draw.dying({"ReLU": np.array([[0.0, 0.2], [0.5, 1.0]])}, 10)
    mean = figure.axes[0].lines[-1]
    np.testing.assert_allclose(mean.get_xdata(), [0, 10])
    np.testing.assert_allclose(mean.get_ydata(), [10, 75])


def test_revived_shares_its_steps():
    above, below = draw.revived([-2, -1], [-1, 1], [0, 0.5]).axes
    assert above.get_xlim() == below.get_xlim()
    np.testing.assert_array_equal(below.lines[0].get_ydata(), [0, 0.5])
