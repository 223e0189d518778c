"""Pictures of training: curves with their seeds, dots with their spread, sweeps of learning rates."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import plots
from course_utils.figures.style import COLORS, CYCLE

NOTHING = "nothing to draw: no such runs on this machine"


def curves(runs, ylabel, *, scale=1.0, axes=None):
    """Figure: a quantity over the epochs, each seed a thin line, their mean a thick one.

    runs: label -> one sequence a seed, a value an epoch; scale multiplies the values (100 for percent).
    """
    if axes is None:
        _, axes = plt.subplots(figsize=(7, 3.4))
    for (label, seeds), colour in zip(runs.items(), CYCLE, strict=False):
        values = scale * np.array(seeds).T  # epochs x seeds
        plots.seeds(axes, np.arange(1, len(values) + 1), values, colour, label, "o-")
    axes.set(xlabel="epoch", ylabel=ylabel)
    if not runs:
        axes.text(0.5, 0.5, NOTHING, ha="center", transform=axes.transAxes)
        return axes.figure
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return axes.figure


def seeds(results, xlabel, *, baseline=None, scale=1.0, lowest=None):
    """Figure: one row a label, each seed a dot, the mean a bar; the baseline's range shaded.

    results: label -> one value a seed; baseline: the label whose range is shaded; scale as in `curves`. Rows whose mean
    is below `lowest` (scaled) are not drawn to scale: the mean stands as a number at the left edge.
    """
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.24 * len(results)))
    if not results:
        axes.text(0.5, 0.5, NOTHING, ha="center", transform=axes.transAxes)
        return figure
    if baseline is not None:
        values = scale * np.array(results[baseline])
        axes.axvspan(values.min(), values.max(), color=COLORS["light"], zorder=0)
    for row, values in enumerate(results.values()):
        values = scale * np.array(values)
        if lowest is not None and values.mean() < lowest:
            axes.annotate(f"‹ {values.mean():.0f}", (0.01, row), xycoords=("axes fraction", "data"), va="center")
            continue
        axes.plot(values, np.full(len(values), row), "o", color=COLORS["blue"], markersize=6, alpha=0.6)
        axes.plot([values.mean()] * 2, [row - 0.28, row + 0.28], color=COLORS["red"], linewidth=3)
    axes.set(yticks=range(len(results)), yticklabels=list(results), xlabel=xlabel, ylim=(len(results) - 0.5, -0.5))
    if lowest is not None:
        axes.set_xlim(left=lowest)
    return figure


def sweep(results):
    """Figure: mean accuracy in percent by row and learning rate, the best of each row framed.

    results: label -> {learning rate: one accuracy (0 to 1) a seed}, the same rates in every row.
    """
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.24 * len(results)))
    if not results:
        axes.text(0.5, 0.5, NOTHING, ha="center", transform=axes.transAxes)
        return figure
    rates = list(next(iter(results.values())))
    means = np.array([[100 * np.mean(row[rate]) for rate in rates] for row in results.values()])
    axes.imshow(means, cmap="Blues", vmin=0, vmax=140, aspect="auto")
    for row, column in np.ndindex(means.shape):
        best = column == means[row].argmax()
        frame = {"edgecolor": COLORS["red"], "facecolor": "none", "linewidth": 2, "pad": 3} if best else None
        axes.text(column, row, f"{means[row, column]:.0f}", ha="center", va="center", fontsize=10, bbox=frame)
    axes.set(xticks=range(len(rates)), xticklabels=rates, xlabel="peak learning rate")
    axes.set(yticks=range(len(results)), yticklabels=list(results))
    return figure
