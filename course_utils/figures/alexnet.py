"""Pictures of chapter 10: parts taken out and put in, what response normalization does, groups, colours, filters."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from course_utils.figures import svg
from course_utils.figures.grid import heading, words
from course_utils.figures.style import COLORS

GREY = COLORS["grey"]


def parts(panels, one_scale=True):
    """Figure: accuracies in percent with a part taken out or put in, a panel for each title.

    panels: title -> (label of the baseline, {label: (one accuracy a run, those of the runs that chose the rate)}).
    A dot is a run, a circle one of those that chose the rate; the mean is that of the dots; the baseline's range is
    shaded, and its row comes first. one_scale: the same for all panels; else each has its own.
    """
    figure, axes = _panels(panels, max(len(rows) for _, rows in panels.values()), one_scale)
    for ax, (title, (baseline, rows)) in zip(axes, panels.items(), strict=True):
        every = 100 * np.concatenate(rows[baseline])
        ax.axvspan(every.min(), every.max(), color=COLORS["light"], zorder=0)
        for row, (name, (runs, chose)) in enumerate(rows.items()):
            color = GREY if name == baseline else COLORS["blue"]
            for values, filled in ((runs, "full"), (chose, "none")):
                percent = 100 * np.asarray(values)
                ax.plot(percent, [row] * len(values), "o", color=color, markersize=6, alpha=0.6, fillstyle=filled)
            ax.plot([100 * np.mean(runs)] * 2, [row - 0.3, row + 0.3], color=COLORS["red"], linewidth=3)
        _label(ax, title, rows, "accuracy on images not trained on [%]")
    return figure


def losses(panels):
    """Figure: the loss in training and that on other images, a line between their means, a panel for each title.

    panels: title -> {label: (training loss, validation loss) of each run}.
    """
    figure, axes = _panels(panels, max(map(len, panels.values())))
    for ax, (title, rows) in zip(axes, panels.items(), strict=True):
        for row, runs in enumerate(rows.values()):
            ax.plot(np.mean(runs, axis=0), [row, row], color=COLORS["light"], linewidth=5, zorder=0)
            for values, color in zip(np.transpose(runs), ("orange", "blue"), strict=True):
                ax.plot(values, [row] * len(values), "o", color=COLORS[color], markersize=6, alpha=0.6)
        _label(ax, title, rows, "loss")
    for line, meaning in zip(axes[-1].lines[1:3], ("training images", "images not trained on"), strict=True):
        line.set_label(meaning)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _panels(panels, rows, one_scale=True):
    """A figure with a panel for each title, side by side, and its axes."""
    size = (5.0 * len(panels), 0.9 + 0.32 * rows)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharex=one_scale, squeeze=False)
    return figure, axes[0]


def _label(ax, title, rows, measure):
    """A row for each label, the first on top."""
    ax.set(title=title, yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5), xlabel=measure)


def race(curves, mark):
    """Figure: training errors in percent over the epochs, each run a line, and a dashed line at the height `mark`.

    curves: label -> one list a run, an error (0 to 1) for each epoch.
    """
    figure, ax = plt.subplots(figsize=(7, 3.2))
    for (name, runs), color in zip(curves.items(), ("blue", "red"), strict=True):
        for i, errors in enumerate(runs):
            epochs = range(1, len(errors) + 1)
            label = name if i == 0 else None
            ax.plot(epochs, 100 * np.asarray(errors), "o-", color=COLORS[color], lw=1.3, ms=3.5, label=label)
    ax.axhline(100 * mark, color=GREY, linewidth=1, linestyle="--")
    ax.set(xlabel="epoch", ylabel="training error [%]", ylim=(0, 100))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend()
    return figure


def gains(sizes, curve, places):
    """Figure: what response normalization multiplies by, over the size of the activations, logarithmic.

    sizes, curve: of equal length; places: label -> (size, gain), marked, the label above and below in turn.
    """
    figure, ax = plt.subplots(figsize=(7.4, 3.2))
    ax.semilogx(sizes, curve, color=COLORS["blue"])
    for i, ((name, (size, gain)), color) in enumerate(zip(places.items(), ("orange", "red", "green"), strict=False)):
        ax.plot(size, gain, "o", color=COLORS[color], markersize=9)
        place, side = ((6, -22), "right") if i % 2 else ((0, 12), "center")  # below, the curve falls to the right
        ax.annotate(name, (size, gain), place, textcoords="offset points", ha=side)
    ax.set(xlabel="size of the five activations (root mean square)", ylabel="factor", ylim=(0, 0.78))
    return figure


def groups(matrices):
    """Figure: the size of the weights from each map to each map, a panel for each title; white: there is no weight.

    matrices: title -> an array, maps out times maps in.
    """
    wide = [0.5 + 2.6 * matrix.shape[1] / matrix.shape[0] for matrix in matrices.values()]
    figure, axes = plt.subplots(1, len(matrices), figsize=(sum(wide) + 2.4, 3.4), width_ratios=wide, squeeze=False)
    for ax, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        shown = np.ma.masked_equal(matrix, 0)
        ax.imshow(shown, cmap="Blues", vmin=0, vmax=1.3 * matrix.max(), interpolation="nearest")
        ax.set(title=title, xlabel="map that is read", ylabel="map that is written")
    return figure


def photographs(images, titles):
    """Figure: photographs in a row, each H x W x 3 from 0 to 1, with what was done to them above."""
    high, wide = images[0].shape[:2]
    figure, axes = plt.subplots(1, len(images), figsize=(10.4, 10.4 / len(images) * high / wide + 0.45))
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(np.clip(image, 0, 1))
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    return figure


def filters(rows):
    """Figure: filters as small colour pictures, grey is zero: a row for each label, its filters side by side.

    rows: label -> filters x 3 x k x k; each row has a scale of its own, and each filter is as large as all others.
    """
    count = max(len(each) for each in rows.values())
    figure, axes = plt.subplots(len(rows), count, figsize=(10.4, 0.78 * len(rows)), squeeze=False)
    for line, (label, weights) in zip(axes, rows.items(), strict=True):
        weights = np.asarray(weights)
        for ax, each in zip(line, weights, strict=False):
            ax.imshow(0.5 + 0.5 * each.transpose(1, 2, 0) / np.abs(weights).max(), interpolation="nearest")
        for ax in line:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    return figure


def measures(results):
    """Figure: a panel for each measure, in it a row for each label, each run a dot.

    No means: where some runs fail, a mean lies where no run is.

    results: measure -> label -> values.
    """
    figure, axes = plt.subplots(1, len(results), figsize=(10.4, 2.3), sharey=True, squeeze=False)
    for ax, (measure, rows) in zip(axes[0], results.items(), strict=True):
        for row, values in enumerate(rows.values()):
            ax.plot(values, [row] * len(values), "o", color=COLORS["blue"], markersize=6, alpha=0.6)
        ax.set(xlabel=measure, yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5))
        ax.locator_params(axis="x", nbins=4)
        ax.margins(x=0.12)
    return figure


# Pictures as SVG strings.

WIDTH, HEIGHT = 1064, 444
SIDE, TOP, LEFT, RIGHT = 280, 34, 8, 312  # of the two photographs
STRIP, STEP = 338, 30  # where the strips of colours begin, and how far apart they are
PLOT = (690, 40, 310)  # the cloud: left, top, side
NOTE = (
    "Each point is a pixel: to the right its red, upwards its green.",
    "Grey: before. Blue: moved. What leaves the square is cut.",
)


def colours(before, after, strips, points, shift, head):
    """SVG: a photograph, the same with its colours moved, the directions as strips of colours, and the cloud of pixels.

    before, after: side x side x 3, uint8; strips: (words, n x 3 uint8) each; points: red and green of each pixel, 0 to
    1; shift: of red and green; head: the words above the photograph that was moved.
    """
    left, top, side = PLOT
    body = [heading(LEFT, 14, "the photograph"), heading(RIGHT, 14, head), heading(left, 14, "its pixels")]
    for x, pixels in ((LEFT, before), (RIGHT, after)):
        body.append(svg.image(x, TOP, SIDE, SIDE, _opaque(pixels)))
    for i, (label, colors) in enumerate(strips):
        y = STRIP + STEP * i
        body.append(svg.image(LEFT, y - 10, SIDE, 20, _opaque(colors[None])))
        body.append(words(RIGHT, y, label, 14, anchor="start"))
    body.append(svg.box(left, top, side, side, GREY, 1))
    for color, (right, up) in ((GREY, (0, 0)), (COLORS["blue"], shift)):
        places = [(left + side * (x + right), top + side * (1 - y - up)) for x, y in points]
        body.append(svg.dots(places, 3, color, 0.5))
    body += [words(left, top + side + 16 * (i + 1), line, 12, GREY, "start") for i, line in enumerate(NOTE)]
    return svg.picture(WIDTH, HEIGHT, *body)


def _opaque(pixels):
    """Pixels with an opacity, as `svg.image` takes them."""
    full = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([pixels, full], axis=2)
