"""Pictures of units that fall silent, and of one that comes back."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap

from course_utils.figures import plots
from course_utils.figures.style import COLORS


def fates(active, every):
    """Figure: on what share of the images each unit is active, one row per unit, over training; white: on none.

    active: array marks x units of shares between 0 and 1; every: steps from one mark to the next. The units are
    sorted by the mark from which on they are silent.
    """
    active = np.asarray(active)
    alive = active > 0
    last = np.where(alive.any(0), len(alive) - 1 - alive[::-1].argmax(0), -1)
    blues = ListedColormap(plt.get_cmap("Blues")(np.linspace(0.25, 1, 256)), "blues").with_extremes(bad="white")
    shown = np.ma.masked_equal(active[:, np.argsort(last, kind="stable")].T, 0)  # white: exactly none, not just few
    figure, ax = plt.subplots(figsize=(8, 3.4))
    extent = (0, every * len(active), active.shape[1], 0)
    image = ax.imshow(shown, aspect="auto", cmap=blues, vmin=0, vmax=1, extent=extent, interpolation="none")
    ax.set(xlabel="step", ylabel="unit", yticks=[])
    figure.colorbar(image, label="active on this share\nof the training images")
    return figure


def dying(rows, every):
    """Figure: the share of dead units over training; each seed a thin line, their mean a thick one.

    rows: label -> array marks x seeds; every: steps from one mark to the next.
    """
    figure, ax = plt.subplots(figsize=(8, 3.4))
    colours = [COLORS[name] for name in ("blue", "sky", "green", "purple", "orange", "red")]  # nonlinearities first
    dashes = ("-", "-", "-", "--", "-.", ":")
    for (label, values), colour, dash in zip(rows.items(), colours, dashes, strict=False):
        plots.seeds(ax, every * np.arange(len(values)), 100 * values, colour, label, dash)
    ax.set(xlabel="step", ylabel="dead units (%)", ylim=(-2, 102))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


def revived(below, above, gradient):
    """Figure: a dead unit's activation on the data, and its gradient, while the layer below it learns.

    below, above: its smallest and largest activation at each step; gradient: the norm at its own weights.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 3.4), sharex=True)
    steps = np.arange(len(below))
    top.axhline(0, color=COLORS["grey"], linewidth=1)
    top.fill_between(steps, below, above, color=COLORS["sky"], alpha=0.6, linewidth=0)
    top.plot(steps, above, color=COLORS["blue"])
    top.set_ylabel("activations")
    bottom.plot(steps, gradient, color=COLORS["red"])
    bottom.set(xlabel="step", ylabel="gradient norm")
    return figure
