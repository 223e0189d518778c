"""What figures share: seeds and their mean, ticks at the settings."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils.figures import plots


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_each_seed_is_thin_and_their_mean_thick_and_named(ax):
    plots.seeds(ax, [1, 2], [[1.0, 100.0], [4.0, 4.0]], "red", "loss", "--")
    *thin, mean = ax.lines
    np.testing.assert_allclose([line.get_ydata() for line in thin], [[1, 4], [100, 4]])
    np.testing.assert_allclose(mean.get_ydata(), [50.5, 4])
    assert all(line.get_linewidth() < mean.get_linewidth() for line in thin)
    assert (mean.get_label(), mean.get_linestyle()) == ("loss", "--")
    assert all(line.get_label().startswith("_") and line.get_linestyle() == "-" for line in thin)


def test_the_mean_of_logarithms(ax):
    plots.seeds(ax, [1], [[1.0, 100.0]], "red", "norm", log=True)
    assert ax.lines[-1].get_ydata() == pytest.approx([10])


def test_one_seed_is_drawn_once(ax):
    plots.seeds(ax, [1, 2], [[3.0], [4.0]], "red", "loss")
    assert len(ax.lines) == 1


def test_ticks_stand_at_the_settings_only(ax):
    ax.plot([0.5, 1000], [0, 1])
    plots.log_ticks(ax, [1, 10, 250])
    assert ax.get_xscale() == "log" and ax.get_xticks().tolist() == [1, 10, 250]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10", "250"]
    assert len(ax.xaxis.get_minorticklocs()) == 0
