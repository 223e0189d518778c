"""Pictures of chapter 04: networks with units switched off, what all of them say together, what the noise does.

Blue is a unit that is kept or a subnetwork already counted, orange the subnetwork at hand, dashed grey what is off.
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator

from course_utils.figures import plots, svg
from course_utils.figures.style import COLORS, CYCLE

INK, BLUE, ORANGE, GREY = COLORS["ink"], COLORS["blue"], COLORS["orange"], COLORS["grey"]


def _unit(x, y, radius, kept, color=BLUE):
    """A circle; one that is off is dashed and crossed out."""
    if kept:
        return svg.circle(x, y, radius, color, 2, color, 0.2, "kept")
    arm = 0.6 * radius
    return (
        svg.circle(x, y, radius, GREY, 1.5, "white", kind="off", dash="4 3")
        + svg.line(x - arm, y - arm, x + arm, y + arm, GREY)
        + svg.line(x - arm, y + arm, x + arm, y - arm, GREY)
    )


def thinned(panels):
    """SVG: networks side by side, input at the bottom; units that are off are crossed out and have no connections.

    panels: (label, layers); a layer is a sequence of booleans, True: kept.
    """
    step, rise, radius, wide = 46, 72, 13, 300
    height = 50 + rise * max(len(layers) for _, layers in panels)
    parts = []
    for number, (label, layers) in enumerate(panels):
        middle = number * wide + wide / 2

        def place(level, unit, layers=layers, middle=middle):
            return middle + (unit - (len(layers[level]) - 1) / 2) * step, height - 60 - level * rise

        parts.append(svg.text(middle, height - 12, label, 15, anchor="middle"))
        for level in range(1, len(layers)):
            for unit, above in enumerate(layers[level]):
                for other, below in enumerate(layers[level - 1]):
                    if above and below:
                        ends = *place(level, unit), *place(level - 1, other)
                        parts.append(svg.line(*ends, GREY, 0.8, "connection"))
        for level, layer in enumerate(layers):
            for unit, kept in enumerate(layer):
                x, y = place(level, unit)
                parts += [svg.circle(x, y, radius, stroke=0, fill="white"), _unit(x, y, radius, kept)]
    return svg.picture(wide * len(panels), height, *parts)


def gathering(activations, weights, kept, output, outputs, probabilities, counted, span, marks, notes):
    """SVG: one subnetwork on the left; on the right how the outputs of all subnetworks are distributed.

    activations, weights: of the hidden units, kept: which of them are on, output: of this subnetwork. outputs,
    probabilities: of all subnetworks, in an order; the first `counted` of them fill the histogram, the last of these is
    the one at hand. span: the ends of the axis. marks: (words, value, colour) of lines in the histogram; their words
    stand above it, at most four. notes: up to two lines under the network.
    """
    low, high = span
    bins, left, right, base, top = 30, 360, 850, 356, 170
    parts = [svg.text(46, 12, "weight", 12, GREY, "end"), svg.text(74, 12, "unit", 12, GREY, "middle")]
    for unit, (h, w, on) in enumerate(zip(activations, weights, kept, strict=True)):
        y = 42 + 48 * unit
        if on:
            color = BLUE if w > 0 else COLORS["red"]
            parts.append(svg.line(94, y, 250, 160, color, 1 + 1.5 * abs(w), "connection"))
        parts += [_unit(74, y, 20, on), svg.text(74, y + 5, f"{h:.1f}" if on else "", 14, anchor="middle")]
        parts.append(svg.text(46, y + 5, f"{w:+.1f}".replace("-", "−"), 13, INK if on else GREY, "end"))
    parts += [
        _unit(270, 160, 26, True, ORANGE),
        svg.text(270, 165, f"{output:.2f}".replace("-", "−"), 15, anchor="middle"),
    ]
    parts += [svg.text(14, 344 + 22 * k, note, 15, anchor="start") for k, note in enumerate(notes)]

    def across(value):
        return left + (value - low) / (high - low) * (right - left)

    def column(values):
        place = (np.asarray(values) - low) / (high - low) * bins
        return np.clip((place + 1e-9).astype(int), 0, bins - 1)  # equal outputs may differ in their last digit

    everything = np.bincount(column(outputs), probabilities, bins)
    so_far = np.bincount(column(outputs[:counted]), probabilities[:counted], bins)
    tall, width = (base - top) / everything.max(), (right - left) / bins
    for number in range(bins):
        x = left + number * width
        for share, color in ((everything[number], COLORS["light"]), (so_far[number], COLORS["sky"])):
            if share > 0:
                kind = "all" if color == COLORS["light"] else "counted"
                rise = tall * share
                parts.append(svg.box(x + 0.5, base - rise, width - 1, rise, stroke=0, fill=color, kind=kind))
    parts.append(svg.line(left, base, right, base, GREY))
    for value in np.linspace(low, high, 5):
        parts.append(svg.text(across(value), base + 20, f"{value:.2g}".replace("-", "−"), 13, GREY, "middle"))
    parts.append(svg.text((left + right) / 2, base + 38, "output", 14, GREY, "middle"))
    at = across(output)
    parts.append(svg.polygon([(at, base + 1), (at - 6, base + 11), (at + 6, base + 11)], ORANGE, "current"))
    for row, (words, value, color) in reversed(list(enumerate(marks))):
        # The fourth lies under the second, which may fall on it, and is wider, so that both show.
        y, x, width, dash = 24 + 26 * row, across(value), (5, 3, 3, 8)[row], ("", "4 8", "0 6", "")[row]
        parts.append(svg.line(x, top - 8, x, base - width / 2, color, width, "mark", dash))
        parts.append(svg.line(left, y - 5, left + 34, y - 5, color, width, dash=dash))
        parts.append(svg.text(left + 46, y, words, 15, anchor="start"))
        parts.append(svg.text(right, y, f"{value:.3f}".replace("-", "−"), 15, color, "end", "bold"))
    return svg.picture(880, 400, *parts)


def agreement(panels):
    """Figure: the mean over all subnetworks against one scaled pass, a dot an input, a panel a network; a diagonal.

    panels: label -> (scaled pass, mean over all subnetworks, standard deviation over them), arrays of one length.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.4), squeeze=False)
    for ax, (label, (one, mean, spread)) in zip(axes[0], panels.items(), strict=True):
        ends = [min(one.min(), mean.min()), max(one.max(), mean.max())]
        ax.plot(ends, ends, color=GREY, linewidth=1)
        ax.errorbar(one, mean, spread, fmt="none", ecolor=COLORS["light"], elinewidth=2, zorder=0)
        ax.plot(one, mean, "o", color=BLUE, markersize=5)
        ax.set(title=label, xlabel="one scaled pass")
    axes[0, 0].set_ylabel("all subnetworks: mean, spread")
    return figure


def over(x, panels, xlabel, *, logx=False, logy=False, levels=None):
    """Figure: quantities over x, a panel a quantity; each seed a small dot, their mean a line; without seeds dashed.

    panels: label of the vertical axis -> label of a curve -> array x or x times seeds. levels: label -> height of a
    horizontal line in all panels.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.6 * len(panels) if len(panels) > 1 else 7, 3.5), squeeze=False
    )
    for ax, (ylabel, curves) in zip(axes[0], panels.items(), strict=True):
        for (label, values), color in zip(curves.items(), CYCLE, strict=False):
            values = np.asarray(values)
            rows = values.reshape(len(x), -1)
            if rows.shape[1] > 1:
                ax.plot(x, rows, "o", color=color, markersize=3, alpha=0.45)
            ax.plot(x, rows.mean(1), color=color, label=label, linestyle="-" if rows.shape[1] > 1 else "--")
        for (label, height), style in zip((levels or {}).items(), ("--", ":"), strict=False):
            ax.axhline(height, color=INK, linewidth=1.5, linestyle=style, label=label)
        if logx:
            plots.log_ticks(ax, x)
        if logy:
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if len(panels) == 1:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        elif len(curves) > 1:
            ax.legend()
    return figure
