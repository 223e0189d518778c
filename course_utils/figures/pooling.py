"""Pictures of chapter 07: what a pooling layer keeps, and what is left of it when the image moves."""

import numpy as np

from course_utils.figures import plots, svg
from course_utils.figures.convolution import rounded
from course_utils.figures.grid import cell, heading, number, words
from course_utils.figures.style import COLORS, CYCLE

TINTS = [COLORS[name] for name in ("blue", "orange", "green", "purple")]  # neighbouring windows, told apart


def windows(x, outputs, kernel_size, taken=None, title="input", arrow="→"):
    """Pooling without overlap: a grid whose windows have colours, and each window's output in its colour.

    x: H x W; outputs: pairs (title, oh x ow); taken: H x W, true for a pixel that is drawn strongly, all of them if
    there is none. title: above the grid; arrow: "←" for a gradient, which goes back. Returns an SVG string.
    """
    side, top, edge = 52, 44, 12
    x = np.asarray(x)
    taken = np.ones(x.shape, bool) if taken is None else np.asarray(taken)
    parts = [heading(edge, 20, title)]
    for (i, j), value in np.ndenumerate(x):
        tint = TINTS[i // kernel_size % 2 * 2 + j // kernel_size % 2]
        parts.append(_tinted(edge + j * side, top + i * side, side, value, tint, taken[i, j]))
    edge += side * x.shape[1]
    parts.append(words(edge + 35, top + side * len(x) / 2, arrow, 26, COLORS["grey"]))
    for name, y in outputs:
        begin, middle = edge + 70, top + side * (len(x) - len(y)) / 2
        parts.append(heading(begin, middle - 24, name))
        for (i, j), value in np.ndenumerate(np.asarray(y)):
            parts.append(_tinted(begin + j * side, middle + i * side, side, value, TINTS[i % 2 * 2 + j % 2], True))
        edge = begin + max(side * len(y[0]), 9 * len(name))
    return svg.picture(edge + 12, top + side * len(x) + 12, *parts)


def _tinted(x, y, side, value, tint, strong):
    """A cell in the colour of its window."""
    parts = cell(x, y, side)
    parts += svg.box(x, y, side, side, COLORS["grey"], 1, tint, 0.55 if strong else 0.12, "taken" if strong else "left")
    color = COLORS["ink" if strong else "grey"]
    return parts + words(x + side / 2, y + side / 2, rounded(value), 17, color, weight="bold" if strong else "normal")


def panels(items, boxes=(), *, high=1.0, dpi=100):
    """Images side by side, each with its title; on some of them boxes.

    items: pairs (title, H x W), from 0, black, to `high`, white. boxes: for each image a list of (row, column, height,
    width, colour). dpi: more of them where an image has fine stripes, which the picture should not alias itself.
    """
    from matplotlib import pyplot as plt

    widths = [image.shape[1] / image.shape[0] for _, image in items]
    size = 2.4 * sum(widths) + 0.2 * len(items), 2.75
    figure, axes = plt.subplots(1, len(items), figsize=size, dpi=dpi, width_ratios=widths, squeeze=False)
    for k, (ax, (title, image)) in enumerate(zip(axes[0], items, strict=True)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=high, interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.axis("off")
        for row, column, height, width, color in boxes[k] if boxes else ():
            frame = plt.Rectangle((column - 0.5, row - 0.5), width, height, fill=False, edgecolor=color, linewidth=2)
            ax.add_patch(frame)
    return figure


def trade(sides, curves):
    """What larger windows accept, and what they should not.

    sides: of the windows, in pixels; curves: label to shares, sides x seeds, from 0 to 1.
    """
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 3.4))
    for (label, values), color in zip(curves.items(), (COLORS["blue"], COLORS["red"]), strict=False):
        plots.seeds(ax, sides, 100 * np.asarray(values), color, label, "o-")
        half = np.argmax(np.mean(values, axis=1) >= 0.5)  # there the label stands
        first = not ax.texts
        ax.text(sides[half] * (0.8 if first else 1.3), 50, label, color=color, ha="right" if first else "left")
    plots.log_ticks(ax, sides)
    ax.set_xlabel("side of the window (pixels)")
    ax.set_ylabel("taken for a face (%)")
    return figure


def sweep(shifts, groups):
    """How much a map changes as the image moves: a plot for each group, in it a curve for each window.

    shifts: in pixels; groups: title to a dict, label to the changes.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(groups), figsize=(3.6 * len(groups), 3.3), sharey=True, squeeze=False)
    for ax, (title, curves) in zip(axes[0], groups.items(), strict=True):
        for (label, changes), color in zip(curves.items(), [COLORS["grey"], *CYCLE], strict=False):
            ax.plot(shifts, changes, "o-", color=color, markersize=3, label=label)
        ax.set_title(title)
        ax.set_xlabel("shift of the image (pixels)")
    axes[0][0].set_ylabel("change of the map, relative")
    axes[0][0].set_ylim(bottom=0)
    axes[0][-1].legend(loc="lower right", fontsize=9)
    return figure


def by_window(sides, curves, baseline):
    """Test accuracy over the side of the window: seeds thin, their mean thick.

    curves: label to accuracies, sides x seeds; baseline: those without pooling, one for each seed.
    """
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 3.5))
    ax.axhline(100 * np.mean(baseline), color=COLORS["grey"], linewidth=1.5)
    ax.text(sides[-1], 100 * np.mean(baseline) + 1, "nothing pooled", color=COLORS["grey"], ha="right", fontsize=9)
    for (label, values), color in zip(curves.items(), CYCLE, strict=False):
        plots.seeds(ax, sides, 100 * np.asarray(values), color, label, "o-")
    plots.log_ticks(ax, sides)
    ax.set_xlabel("side of the window (pixels)")
    ax.set_ylabel("test accuracy (%)")
    ax.legend(loc="lower left")
    return figure


def by_shift(shifts, groups):
    """Test accuracy over the shift of the images, a plot for each group: seeds thin, their mean thick.

    shifts: in pixels; groups: title to a dict, label to accuracies, shifts x seeds.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(groups), figsize=(4.4 * len(groups), 3.5), sharey=True, squeeze=False)
    for ax, (title, curves) in zip(axes[0], groups.items(), strict=True):
        for (label, values), color in zip(curves.items(), CYCLE, strict=False):
            plots.seeds(ax, shifts, 100 * np.asarray(values), color, label, "o-")
        ax.set_title(title)
        ax.set_xlabel("shift of the image (pixels)")
        ax.set_xticks(list(shifts))
    axes[0][0].set_ylabel("test accuracy (%)")
    axes[0][0].set_ylim(0, 100)
    axes[0][0].legend(loc="lower left", fontsize=9)
    return figure


def under_grid(x, y, before, kernel_size, stride, taken, white, note, source=""):
    """An image under a grid of windows; beside it the map that they keep, and the map `before` the image moved.

    x: H x W, from 0 to `white`; taken: H x W, true for pixels that outputs are taken from; windows are framed where
    they do not overlap. note: words above the image; source: those below. Returns an SVG string.
    """
    side = 352 / len(x)
    parts = [heading(8, 14, f"the image, {note}", 15)]
    parts += [
        heading(408, 14, f"output, {len(y)} × {len(y)}; red: changed", 15),
        heading(742, 14, "before the image moved", 15),
    ]
    parts += [_tones(8, 34, 352, x, white), _tones(408, 34, 240, y, white), _tones(742, 34, 240, before, white)]
    if stride >= kernel_size > 1:
        for i, j in np.ndindex(y.shape):
            place = 8 + j * stride * side, 34 + i * stride * side
            parts.append(svg.box(*place, kernel_size * side, kernel_size * side, COLORS["sky"], 1.5, kind="window"))
    if kernel_size > 1:
        for i, j in np.argwhere(taken):
            parts.append(svg.box(8 + j * side, 34 + i * side, side, side, COLORS["orange"], 2, kind="taken"))
    for i, j in np.argwhere(y != before) if 240 / len(y) >= 14 else []:
        unit = 240 / len(y)
        parts.append(svg.box(408 + j * unit, 34 + i * unit, unit, unit, COLORS["red"], 1.5, kind="changed"))
    change = np.linalg.norm(y - before) / (np.linalg.norm(before) or 1)
    parts.append(words(408, 300, f"{(y != before).sum()} of {y.size} outputs differ", 15, anchor="start"))
    parts.append(words(408, 324, f"change of the output: {change:.2f}", 15, anchor="start"))
    return svg.picture(1064, 432, *parts, words(8, 412, source, 11, COLORS["grey"], "start"))


def _tones(left, top, side, values, white):
    """A square map in greys; where there is room, with its numbers on pale ones."""
    room = side / len(values)
    pale = white < 100  # numbers rather than brightness
    levels = 255 - 90 * values / white if pale else 255 * values / white
    pixels = np.dstack([np.rint(levels)] * 3 + [np.full(levels.shape, 255)]).astype(np.uint8)
    parts = [svg.image(left, top, side, side, pixels)]
    for (i, j), value in np.ndenumerate(values if pale and room >= 14 else np.empty((0, 0))):
        parts.append(words(left + (j + 0.5) * room, top + (i + 0.5) * room, number(value), min(16, 0.5 * room)))
    return "".join(parts)
