"""Pictures of chapter 05: permuted and shifted images, what neighbours tell, a sawtooth approached, cells tuned."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import plots
from course_utils.figures.style import COLORS, CYCLE

WIRINGS = {"fully connected": COLORS["red"], "locally connected": COLORS["orange"], "convolution": COLORS["blue"]}
CELLS = {"simple": COLORS["blue"], "complex": COLORS["orange"], "hyper-complex": COLORS["green"]}


def sheets(rows):
    """Figure: rows of grey images, a name before each; rows: name -> images, N x H x W, from 0 to 255."""
    count = max(len(images) for images in rows.values())
    figure, axes = plt.subplots(len(rows), count, figsize=(0.95 * count + 1.1, len(rows)), squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image, vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def slopes(results, names, ylabel, own=None):
    """Figure: for each wiring a line from one condition to another, through the means of its runs.

    results: wiring -> (runs of the first condition, runs of the second), dots; own: wiring -> (a run, a run), rings.
    """
    figure, ax = plt.subplots(figsize=(7.6, 3.1))
    for label, pair in results.items():
        color = WIRINGS[label]
        ax.plot([0, 1], [np.mean(runs) for runs in pair], color=color)
        for place, runs in enumerate(pair):
            ax.plot(np.full(len(runs), place), runs, "o", color=color, markersize=5, alpha=0.6)
        for place, run in enumerate((own or {}).get(label, ())):
            ax.plot(place + 0.03, run, "o", color=color, markersize=9, markerfacecolor="none", markeredgewidth=1.5)
        ax.annotate(label, (1.07, np.mean(pair[1])), color=color, va="center", annotation_clip=False)
    ax.set(xlim=(-0.25, 1.75), xticks=[0, 1], xticklabels=names, ylabel=ylabel)
    return figure


def neighbours(correlations, unknown):
    """Figure: left, correlation of two pixels by their distance; right, what a window leaves unknown of its middle.

    correlations: label -> (distances, values, values after a permutation); unknown: label -> (sides of the windows,
    shares of the variance, shares after a permutation). Dashed: after the permutation.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.6, 2.75))
    for ax, curves in ((left, correlations), (right, unknown)):
        for (label, (x, values, permuted)), color in zip(curves.items(), CYCLE, strict=False):
            ax.plot(x, values, "o-", color=color, markersize=4, label=label)
            ax.plot(x, permuted, "--", color=color, linewidth=1.2)
    left.axhline(0, color=COLORS["light"], zorder=0)
    left.set(xlabel="distance of two pixels [pixels]", ylabel="correlation")
    sides = next(iter(unknown.values()))[0]
    right.set(xlabel="window around the pixel", ylabel="variance unexplained", ylim=(0, 1.15))
    right.set_xticks(sides, [f"{side} × {side}" for side in sides])
    right.legend(title="dashed: pixels permuted", loc="center right")
    return figure


def shifts(results, pixels, own=None):
    """Figure: accuracy in percent by the shift of the test images; a thin line for each run, a thick one for the mean.

    results: wiring -> one sequence for each run, with a value for each of `pixels`; dashed is what follows a comma in
    the name of a wiring. own: wiring -> one sequence, drawn as rings.
    """
    figure, ax = plt.subplots(figsize=(8.6, 4.2))
    ends = {label: np.mean(runs, axis=0)[-1] for label, runs in results.items()}
    height = -np.inf  # of the last label: the next one stands above it
    for label in sorted(results, key=ends.get):
        base, _, more = label.partition(",")
        plots.seeds(ax, pixels, np.transpose(results[label]), WIRINGS[base], label, "o--" if more else "o-")
        if label in (own or {}):
            ax.plot(pixels, own[label], "o", color=WIRINGS[base], markersize=10, markerfacecolor="none")
        height = max(height + 6, ends[label])
        ax.annotate(label, (pixels[-1] + 0.1, height), color=WIRINGS[base], va="center")
    ax.axhline(10, color=COLORS["grey"], linewidth=0.8, linestyle=":")
    ax.annotate("guessing", (pixels[0], 11), color=COLORS["grey"], va="bottom", fontsize=9)
    ax.set(xlabel="shift of the test images [pixels]", ylabel="test accuracy (%)", xticks=pixels)
    ax.set(xlim=(-0.15, pixels[-1] + 1.75), ylim=(0, 101))
    return figure


def folds(x, curves):
    """Figure: a function and what each fold makes of it, side by side; curves: title -> values at x."""
    figure, axes = plt.subplots(1, len(curves), figsize=(9.6, 2.2), sharey=True)
    for ax, (title, y) in zip(axes, curves.items(), strict=True):
        ax.plot(x, y)
        ax.set(title=title, xlabel="x", xticks=[0, 0.5, 1], yticks=[0, 1])
    axes[0].set_ylabel("y")
    return figure


def errors(results, chance=None):
    """Figure: root mean squared errors on a logarithmic axis, a row a network, a dot a run.

    results: label -> errors; those below 1e-4 are drawn there. chance: the error of the best constant.
    """
    figure, ax = plt.subplots(figsize=(8.6, 0.9 + 0.42 * len(results)))
    for row, values in enumerate(results.values()):
        up = np.linspace(-0.16, 0.16, len(values))
        ax.plot(np.maximum(np.sort(values), 1e-4), row + up, "o", color=COLORS["blue"], markersize=5, alpha=0.6)
        ax.plot([max(np.median(values), 1e-4)] * 2, [row - 0.3, row + 0.3], color=COLORS["red"], linewidth=3)
    if chance:
        ax.axvline(chance, color=COLORS["grey"], linewidth=1, linestyle=":")
        ax.annotate("a constant", (chance, -0.62), color=COLORS["grey"], ha="center", fontsize=9)
    names = [label.replace(", begun", ",\nbegun") for label in results]
    ax.set(xscale="log", xlabel="root mean squared error", yticks=range(len(results)), yticklabels=names)
    ax.set(ylim=(len(results) - 0.5, -0.8), xlim=(0.8e-4, 0.6))
    return figure


def tuning(stimuli, panels):
    """Figure: above, what is shown to the cells; below, how strongly they answer.

    stimuli: title -> image, from -1 to 1; panels: (xlabel, x, label -> responses), one for each third of the width.
    """
    figure = plt.figure(figsize=(10.4, 4.3))
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2))
    for ax, (title, image) in zip(above.subplots(1, len(stimuli), squeeze=False)[0], stimuli.items(), strict=True):
        most = abs(image).max()
        ax.imshow(image, vmin=-most, vmax=most)
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    for ax, (xlabel, x, curves) in zip(below.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for label, values in curves.items():
            style = "--" if label == "complex" else "-"
            ax.plot(x, np.asarray(values) / np.max(values), style, color=CELLS[label], label=label)
        ax.set(xlabel=xlabel, ylim=(-0.04, 1.12), yticks=[0, 0.5, 1])
        ax.legend(fontsize=9)
    below.axes[0].set_ylabel("response / largest")
    return figure
