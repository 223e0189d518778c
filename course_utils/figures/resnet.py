"""Pictures of chapter 13: losses by depth, gradients, steps and paths of plain and of residual networks."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator

from course_utils.figures import svg
from course_utils.figures.grid import heading, words
from course_utils.figures.style import COLORS
from course_utils.figures.training import NOTHING

KINDS = {"plain": COLORS["red"], "residual": COLORS["blue"]}
GREY = COLORS["grey"]


def _color(name):
    """The colour of a network, by the first word of its name."""
    return KINDS[name.split()[0].rstrip(",")]


def depths(panels, ylabel):
    """Figure: a quantity by the number of layers, a panel for each title, each run a dot, the means joined by a line.

    panels: title -> network -> number of layers -> one value a run; a network's name begins with plain or residual.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.5 * len(panels), 3.1), squeeze=False)
    for ax, (title, networks) in zip(axes[0], panels.items(), strict=True):
        _by_depth(ax, networks)
        ax.set_title(title)
        ax.set_ylim(0, 1.06 * ax.get_ylim()[1])
    axes[0, 0].set_ylabel(ylabel)
    return figure


def _by_depth(ax, networks):
    for name, runs in networks.items():
        color, style = _color(name), "--" if "," in name else "-"
        for place, values in enumerate(runs.values()):
            ax.plot([place] * len(values), values, "o", color=color, alpha=0.6, markersize=7)
        means = [np.mean(values) for values in runs.values()]
        ax.plot(range(len(runs)), means, style, color=color)
        ax.annotate(name, (len(runs) - 1, means[-1]), (10, 0), textcoords="offset points", va="center")
    layers = [f"{n} layers" for n in next(iter(networks.values()))]
    ax.set(xticks=range(len(layers)), xticklabels=layers, xlim=(-0.35, len(layers) - 0.1))


def histories(losses, accuracies=None):
    """Figure: training loss by epoch, logarithmic, each run a line, named and its last value written at its end.

    losses: network -> epochs of each run; a name is a kind and a number of layers, such as plain 20; the deepest are
    drawn solid, the others dashed. accuracies: on the test images, in percent, as a panel of `depths`; None: no panel.
    """
    panels = 1 if accuracies is None else 2
    size = 3.6 + 2.6 * panels, 3.6
    figure, axes = plt.subplots(1, panels, figsize=size, width_ratios=(2.3, 1)[:panels], squeeze=False)
    ax = axes[0, 0]
    if not losses:
        ax.text(0.5, 0.5, NOTHING, ha="center", transform=ax.transAxes)
        return figure
    deepest = max(int(name.split()[1]) for name in losses)
    longest = max(len(values) for runs in losses.values() for values in runs)
    for name, runs in losses.items():
        color, style = _color(name), "-" if int(name.split()[1]) == deepest else "--"
        for values in runs:
            ax.semilogy(range(1, len(values) + 1), values, style, color=color, linewidth=1.5)
            ax.plot(len(values), values[-1], "o", color=color, markersize=5)
        ends = sorted(values[-1] for values in runs)
        told = f"{name}: " + ", ".join(f"{end:.2f}" for end in ends)
        place = longest, np.exp(np.mean(np.log(ends)))
        ax.annotate(told, place, (8, 0), textcoords="offset points", va="center", color=color)
    ax.set(ylabel="training loss", xlim=(0, 1.5 * longest), xticks=range(0, longest + 1, 10))
    ax.set_xlabel("epoch", x=1 / 3)  # the middle of the axis as it is drawn
    ax.yaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.2, 0.5, 1, 2]))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.spines["bottom"].set_bounds(0, longest)
    if accuracies is not None:
        _by_depth(axes[0, 1], accuracies)
        axes[0, 1].set_ylabel("test accuracy [%]")
    return figure


def gradients(norms):
    """Figure: the size of the gradient at each place of a network, logarithmic; from the image on the left to the loss.

    norms: network -> seeds x places, each row relative to its last place.
    """
    figure, ax = plt.subplots(figsize=(8, 3.6))
    for name, seeds in norms.items():
        ax.semilogy(np.transpose(seeds), "o-", color=_color(name), markersize=2.5, linewidth=1.2)
    starts = {name: np.mean(np.log10([values[0] for values in seeds])) for name, seeds in norms.items()}
    low, high = np.log10(ax.get_ylim())
    place = -np.inf
    for name, start in sorted(starts.items(), key=lambda item: item[1]):
        place = max(start, place + 0.07 * (high - low))  # no name stands on another one
        ax.annotate(name, (0, 10**place), (-10, 0), textcoords="offset points", ha="right", va="center")
    ax.axhline(1, color=GREY, linewidth=1, linestyle=":")
    longest = max(len(values) for seeds in norms.values() for values in seeds)
    ax.set(xlim=(-0.22 * longest, longest - 0.5), xlabel="place: behind the first layer (0) and behind each block")
    ax.set_xticks(range(0, longest, 3))
    ax.set_ylabel("gradient, relative to the last place")
    return figure


def promises(panels, lengths):
    """Figure: the change of the loss along the gradient, a panel for each network; dashed: what the slope promises.

    panels: network -> (changes, promised), each seeds x lengths; lengths: of the step in a layer, relative to weights.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.5 * len(panels), 2.6), sharey=True)
    for ax, (name, (changes, promised)) in zip(axes, panels.items(), strict=True):
        for change, promise in zip(changes, promised, strict=True):
            ax.semilogx(lengths, promise, "--", color=GREY, linewidth=1)
            ax.semilogx(lengths, change, "o-", color=_color(name), linewidth=1.3, markersize=4)
        ax.axhline(0, color=COLORS["ink"], linewidth=0.8)
        ax.set(title=name, ylim=(-1.8, 0.5))
    axes[0].set_ylabel("change of the loss")
    figure.supxlabel("length of the step in each layer, relative to the length of its weights", fontsize=11)
    axes[0].annotate("promised", (0.03, 0.06), xycoords="axes fraction", color=GREY)
    return figure


def sizes(ratios):
    """Figure: how large F(x) is beside x, block by block. ratios: label -> one value a block."""
    figure, axes = plt.subplots(1, len(ratios), figsize=(4.6 * len(ratios), 2.8), sharey=True, squeeze=False)
    for ax, (label, values) in zip(axes[0], ratios.items(), strict=True):
        ax.bar(range(1, len(values) + 1), values, color=COLORS["blue"])
        ax.axhline(1, color=GREY, linewidth=1, linestyle=":")
        ax.set(title=label, xlabel="block")
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("size of F(x) / size of x")
    return figure


def without(panels, chance=0.1):
    """Figure: accuracy in percent with one block taken out, and of the whole network as a line.

    panels: title -> network -> (accuracy of the whole, {block: accuracy without it}); chance: the share by guessing.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.8 * len(panels), 3.4), sharey=True, squeeze=False)
    for ax, (title, networks) in zip(axes[0], panels.items(), strict=True):
        for name, (whole, by_block) in networks.items():
            color, above = _color(name), whole == max(other for other, _ in networks.values())
            ax.axhline(100 * whole, color=color, linewidth=1, linestyle="--")
            ax.plot(range(len(by_block)), [100 * each for each in by_block.values()], "o", color=color, markersize=7)
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "color": color}
            side, offset, ha = (0, (4, 3), "left") if above else (1, (-4, -13), "right")
            ax.annotate(f"{name}, whole", (side, 100 * whole), offset, ha=ha, **place)
        ax.axhline(100 * chance, color=GREY, linewidth=1, linestyle=":")
        names = [block.removeprefix("conv").replace("_x.", ".") for block in next(iter(networks.values()))[1]]
        ax.set(title=title, xticks=range(len(names)), xticklabels=names, ylim=(0, 108))
        ax.set_xlabel("block that is taken out (stage.place)")
    axes[0, 0].set_ylabel("accuracy [%]")
    return figure


def lengths(counts, norms):
    """Figure: how many paths of each length there are, and how long the gradient is that they carry together."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3))
    for ax, values, color, label, form in (
        (axes[0], counts, GREY, "paths", "d"),
        (axes[1], norms, COLORS["blue"], "length of their gradient", ".2f"),
    ):
        bars = ax.bar(range(len(values)), values, color=color)
        ax.bar_label(bars, [format(value, form) for value in values], fontsize=9, padding=2)
        ax.set(xticks=range(len(values)), xlabel="blocks on the path", ylabel=label)
        ax.margins(y=0.12)
    return figure


# Pictures as SVG strings.


def blocks(columns):
    """SVG: blocks side by side, each from top to bottom: its layers, the path around them, the sum.

    columns: (title, channels that come in, words of each layer, words of the path or None) each.
    """
    parts, left, height = [], 150, 110 + 52 * max(len(layers) for _, _, layers, _ in columns)
    for title, channels, layers, around in columns:
        parts.append(words(left, 16, title, 16, weight="bold"))
        parts.append(words(left, 46, f"x: {channels}", 13, GREY))
        y = 58
        for layer in layers:
            parts.append(_down(left, y, y + 22))
            parts.append(svg.box(left - 78, y + 22, 156, 30, COLORS["ink"], 1.2, COLORS["sky"], 0.35))
            parts.append(words(left, y + 37, layer, 14))
            y += 52
        if around is None:
            parts += [_down(left, y, y + 26), words(left, y + 38, "ReLU", 14)]
        else:
            right = left + 112
            bend = [(left, 66), (right, 66), (right, y + 14), (left + 12, y + 14)]
            parts.append(svg.polyline(bend, COLORS["blue"], 2.5))
            parts += [
                _down(left, y, y + 4),
                svg.circle(left, y + 14, 10, COLORS["blue"], 2),
                words(left, y + 14, "+", 16),
            ]
            parts += [words(right + 8, (66 + y) / 2, around, 13, COLORS["blue"], "start")]
            parts.append(words(left, y + 38, "ReLU", 14))
        left += 300
    return svg.picture(left - 70, height, *parts)


def _down(x, top, bottom):
    return svg.line(x, top, x, bottom, COLORS["ink"], 1.5)


LEFT, RIGHT, TOP, BASE, HIGH = 40, 1040, 24, (202, 338), 76  # of the row of blocks, and of the two rows of bars


def paths(kind, out, counts, shares, mean):
    """SVG: blocks in a row with the paths around them; below, the paths by length, and the share of each length.

    kind: plain or residual; out: for each block whether it is taken out; mean: length of a path by its share.
    """
    parts, pitch = [], (RIGHT - LEFT) / len(out)
    parts.append(heading(8, 14, f"{len(out)} blocks, {sum(out)} taken out: {sum(counts):,} paths"))
    for i, gone in enumerate(out):
        x, side = LEFT + (i + 0.5) * pitch, min(34, 0.62 * pitch)
        color = GREY if gone else COLORS["ink"]
        parts.append(svg.line(x - pitch / 2, TOP + 40, x - side / 2, TOP + 40, color))
        parts.append(svg.line(x + side / 2, TOP + 40, x + pitch / 2, TOP + 40, color))
        fill = "white" if gone else COLORS["sky"]
        parts.append(svg.box(x - side / 2, TOP + 23, side, 34, color, 1.2, fill, 1, "block", "4 3" if gone else ""))
        if kind == "residual":
            arch = [(x - pitch / 2 + 3, TOP + 40), (x - pitch / 2 + 3, TOP + 8), (x + pitch / 2 - 3, TOP + 8)]
            parts.append(svg.polyline([*arch, (x + pitch / 2 - 3, TOP + 40)], COLORS["blue"], 2))
    titles = "paths by their length, in blocks", "share of the gradient that they carry"
    for base, title, values, color in zip(BASE, titles, (counts, shares), ("grey", "blue"), strict=True):
        parts.append(words(8, base - HIGH - 24, title, 14, anchor="start", weight="bold"))
        parts += _bars(base, values, COLORS[color])
    if sum(shares):
        x = LEFT + (mean + 0.5) * (RIGHT - LEFT) / len(counts)
        parts.append(svg.line(x, BASE[1] - HIGH - 8, x, BASE[1], COLORS["red"], 2))
        parts.append(words(x, BASE[1] - HIGH - 16, f"mean {mean:.1f}", 12, COLORS["red"]))
    return svg.picture(1064, 366, *parts)


def _bars(base, values, color):
    """A bar for each length, the highest HIGH pixels high, and the lengths below."""
    pitch, most = (RIGHT - LEFT) / len(values), max([*values, 1e-12])
    for k, value in enumerate(values):
        x, height = LEFT + k * pitch, HIGH * value / most
        yield svg.box(x + 0.1 * pitch, base - height, 0.8 * pitch, height, color, 0, color, 1, "bar")
        yield words(x + 0.5 * pitch, base + 12, k, 12, GREY)
