"""Pictures of chapter 11: what a stack of small windows gains and costs, where VGG's numbers are, how deep it is."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator

from course_utils.figures import plots, svg
from course_utils.figures.convolution import rounded
from course_utils.figures.grid import heading, words
from course_utils.figures.style import COLORS
from course_utils.figures.training import NOTHING

GREY = COLORS["grey"]
RELUS = {1: COLORS["red"], 3: COLORS["blue"]}  # the colour of an arm, by how many it has in its block


def price(panels, ylabel):
    """Figure: what comes of a block by what it costs, a panel for each title, each run a dot, a bar for the mean.

    The vertical axis is logarithmic.

    panels: title -> arm -> (weights of its block, ReLUs in it, one value a run).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.7 * len(panels), 3.5), sharey=True, squeeze=False)
    for ax, (title, arms) in zip(axes[0], panels.items(), strict=True):
        most = max(weights for weights, _, _ in arms.values()) / 1000
        for weights, relus, values in arms.values():
            x, color = weights / 1000, RELUS[relus]
            ax.plot([x] * len(values), values, "o", color=color, alpha=0.6, markersize=7)
            ax.plot([x - 0.2, x + 0.2], [np.mean(values)] * 2, color=color, linewidth=3)
        for cheap in (True, False):  # the cheap ones have their names on the right, the dear ones on the left
            some = {name: arm for name, arm in arms.items() if (arm[0] < 800 * most) == cheap}
            heights = 10 ** np.array(apart([np.log10(np.mean(values)) for _, _, values in some.values()], 0.06))
            beside = [weights / 1000 for weights, _, _ in some.values()]
            x = max(beside, default=0) + 0.35 if cheap else min(beside, default=0) - 0.35
            for (name, (_, relus, _)), y in zip(some.items(), heights, strict=True):
                ax.text(x, y, name, va="center", ha="left" if cheap else "right", fontsize=9, color=RELUS[relus])
        ax.set(title=title, xlim=(0.45 * most, 1.07 * most), xlabel="weights of the block [thousands]", yscale="log")
        ax.yaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.2, 0.5]))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel(ylabel)
    return figure


def apart(heights, gap):
    """Heights of labels, in the order given: at those of what they name, or as far above as keeps them apart."""
    placed, below = [0.0] * len(heights), -np.inf
    for i in np.argsort(heights, kind="stable"):
        below = placed[i] = max(heights[i], below + gap)
    return placed


def whole(layers):
    """Figure: of each layer of a network, as bars: what it keeps in memory, what it computes, what it learns.

    layers: (name, bytes of its output, multiply-adds, parameters) each, in their order; names with fc are linear.
    """
    names = [name for name, _, _, _ in layers]
    panels = (
        ("outputs [MB]", 1e6, "sky", [bytes_ for _, bytes_, _, _ in layers]),
        ("multiply-adds [billions]", 1e9, "blue", [count for _, _, count, _ in layers]),
        ("parameters [millions]", 1e6, "orange", [count for _, _, _, count in layers]),
    )
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(9.4, 4.0))
    for ax, (label, unit, color, values) in zip(axes, panels, strict=True):
        bars = ax.bar(names, [value / unit for value in values], 0.72, color=COLORS[color])
        ax.bar_label(bars, [f"{value / unit:.3g}" if value >= unit / 100 else "" for value in values], fontsize=9)
        ax.margins(x=0.01, y=0.2)
        ax.axvline(sum("fc" not in name for name in names) - 0.5, color=GREY, linewidth=1, linestyle=":")
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_title(label, loc="left", color=COLORS["ink"])
    axes[-1].tick_params(axis="x", length=0, labelsize=9)
    axes[-1].set_xticks(range(len(names)), [name.replace("conv", "") for name in names])
    axes[-1].set_xlabel("convolution (stage_place) or linear layer (fc)")
    return figure


def configurations(panels):
    """Figure: a quantity for each configuration, a panel for each title, each run a dot, the means joined by a line.

    panels: title -> configuration -> one value a run.
    """
    panels = {title: runs for title, runs in panels.items() if runs}
    width, columns = max(7.6, 2.8 * len(panels)), max(1, len(panels))
    figure, axes = plt.subplots(1, columns, figsize=(width, 2.9), squeeze=False)
    if not panels:
        axes[0, 0].text(0.5, 0.5, NOTHING, ha="center", transform=axes[0, 0].transAxes)
        return figure
    for ax, (title, runs) in zip(axes[0], panels.items(), strict=True):
        for place, values in enumerate(runs.values()):
            ax.plot([place] * len(values), values, "o", color=COLORS["blue"], alpha=0.6, markersize=7)
        ax.plot(range(len(runs)), [np.mean(values) for values in runs.values()], color=COLORS["blue"])
        ax.set(title=title, xticks=range(len(runs)), xticklabels=list(runs), xlabel="configuration")
        ax.set_xlim(-0.4, len(runs) - 0.6)
    return figure


def signals(stds):
    """Figure: the standard deviation behind each convolution of a network, logarithmic. stds: label -> values."""
    figure, ax = plt.subplots(figsize=(8, 3.4))
    places = 10 ** np.array(apart([np.log10(values[-1]) for values in stds.values()], 1.3))
    for (label, values), color, y in zip(stds.items(), ("red", "orange", "blue", "green"), places, strict=True):
        plots.seeds(ax, range(1, len(values) + 1), np.transpose([values]), COLORS[color], label, "o-")
        ax.text(len(values) + 0.4, y, label, va="center", color=COLORS[color])
    ax.set_yscale("log")
    longest = max(len(values) for values in stds.values())
    ax.set(xlabel="convolution", ylabel="standard deviation", xlim=(0.5, 1.32 * longest))
    ax.set_xticks(range(1, longest + 1))
    return figure


# A picture as an SVG string.

LEFT, RIGHT, ROW, SIDE = 470, 900, 34, 320  # of the bars, of a row of them, and of the photograph
COSTS = ("weights", "multiply-adds", "outputs to keep")
FRAMES = ("yellow", "orange", "sky", "green", "red", "purple", "blue", "ink")  # of the fields, layer by layer


def amount(count):
    """A whole number with its unit, about three digits: 1.23 million."""
    for scale, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if count >= scale:
            return rounded(count / scale) + name
    return str(count)


def stack(pixels, sizes, groups, names):
    """SVG: a photograph with the field of a unit of each layer on it, about its middle; what the stack costs, as bars.

    pixels: H x W x 4 bytes; sizes: of the field behind each layer, in pixels; groups: (title, the stack's number, the
    one of a single filter) each; names: of the two.
    """
    side = len(pixels)
    scale, parts = SIDE / side, [svg.image(8, 34, SIDE, SIDE, pixels)]
    for size, color in zip(sizes, FRAMES, strict=False):
        start, end = max(0, side // 2 - size // 2), min(side, side // 2 + size // 2 + 1)
        corner, shown = 8 + start * scale, (end - start) * scale
        parts.append(svg.box(corner, corner + 26, shown, shown, COLORS[color], 3, kind="field"))
    parts.append(heading(8, 14, "the field behind each layer [pixels]", 14))
    told = " → ".join(str(size) for size in [1, *sizes])
    parts.append(words(8, SIDE + 52, told, 14, anchor="start", weight="bold"))
    for i, (title, *counts) in enumerate(groups):
        y, most = 14 + i * (3 * ROW + 16), max(counts)
        parts.append(heading(LEFT - 110, y, title, 14))
        for k, (name, count, color) in enumerate(zip(names, counts, ("blue", "red"), strict=True)):
            place, wide = y + ROW * (k + 1), (RIGHT - LEFT) * count / most
            parts.append(words(LEFT - 10, place, name, 13, anchor="end"))
            parts.append(svg.box(LEFT, place - 12, wide, 24, COLORS[color], 0, COLORS[color], 1, "bar"))
            parts.append(words(LEFT + wide + 8, place, amount(count), 14, anchor="start", weight="bold"))
    return svg.picture(1064, SIDE + 66, *parts)
