"""Pictures of chapter 12: what a module costs branch by branch, GoogLeNet as a row of modules, gradients along it."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import svg
from course_utils.figures.convolution import rounded
from course_utils.figures.grid import heading, words
from course_utils.figures.style import COLORS

GREY = COLORS["grey"]
LEFT, RIGHT, ROW = 250, 850, 46  # of the bars
KINDS = {
    "1 × 1 convolution": "sky",
    "larger convolution": "blue",
    "pooling": "red",
    "normalization": "light",
    "linear": "orange",
}
LARGE = ("branch2.1.conv", "branch3.1.conv", "trunk.conv1.conv", "trunk.conv3.conv")  # how their names end


def millions(count):
    """A number of weights or of multiply-adds, in millions, or with all its digits below one."""
    return f"{rounded(count / 1e6)} million" if count >= 1e6 else f"{count:,}"


def branches(rows, whole, naive):
    """SVG: the multiply-adds of each branch of a module as bars, the 1 × 1 convolutions in a colour of their own.

    rows: (name, chain of maps, multiply-adds of its 1 × 1, of its larger convolution, of the branch without reduction)
    each; whole, naive: (words, multiply-adds) of the module, and of the one without reductions.
    """
    scale = (RIGHT - LEFT) / max(whole[1], naive[1], 1)
    parts = [heading(8, 14, "multiply-adds of each branch")]
    for i, (name, chain, small, large, before) in enumerate(rows):
        y = 24 + ROW * (i + 0.5)
        parts += [words(LEFT - 12, y - 8, name, 14, anchor="end"), words(LEFT - 12, y + 9, chain, 12, GREY, "end")]
        for start, count, color in ((0, small, "sky"), (small, large, "blue")):
            x, wide = LEFT + start * scale, count * scale
            parts.append(svg.box(x, y - 12, wide, 24, COLORS[color], 0, COLORS[color], 1, "bar"))
        parts.append(svg.box(LEFT, y - 15, before * scale, 30, GREY, 1, kind="before", dash="4 3"))
        end = LEFT + max(small + large, before) * scale
        instead = f", not {millions(before)}" if before and small + large != before else ""
        parts.append(words(end + 8, y, millions(small + large) + instead, 14, anchor="start"))
    for i, ((label, count), color) in enumerate(((whole, "green"), (naive, "light"))):
        y = 40 + ROW * (i + 4.5)
        parts.append(words(LEFT - 12, y, label, 14, anchor="end", weight="bold"))
        parts.append(svg.box(LEFT, y - 12, count * scale, 24, COLORS[color], 0, COLORS[color], 1, "bar"))
        parts.append(words(LEFT + count * scale + 8, y, millions(count), 14, anchor="start", weight="bold"))
    parts.append(words(8, 56 + 6 * ROW, NOTE, 12, GREY, "start"))
    return svg.picture(1064, 70 + 6 * ROW, *parts)


NOTE = "Light blue: convolutions of 1 × 1. Dark blue: the larger ones. Dashed: the branch without its reduction."


def copies(costs):
    """Figure: multiply-adds of each module of two networks of nine modules, in millions.

    costs: network -> module -> multiply-adds.
    """
    figure, ax = plt.subplots(figsize=(8.6, 3.4))
    for (name, modules), color, shift in zip(costs.items(), ("red", "blue"), (-0.2, 0.2), strict=True):
        place = np.arange(len(modules)) + shift
        bars = ax.bar(place, [count / 1e6 for count in modules.values()], 0.38, color=COLORS[color], label=name)
        ax.bar_label(bars, [f"{count / 1e6:,.0f}" for count in modules.values()], fontsize=8, padding=2)
        ax.set_xticks(range(len(modules)), list(modules))
    ax.set(xlabel="module", ylabel="multiply-adds [millions]")
    ax.legend(loc="upper left")
    return figure


def pictures(images, titles):
    """Figure: colour images side by side, each H x W x 3 with values from 0 to 1, their titles above."""
    high, wide = images[0].shape[:2]
    each = 9.6 / len(images)
    figure, axes = plt.subplots(1, len(images), figsize=(9.6, each * high / wide + 0.4), squeeze=False)
    for ax, image, title in zip(axes[0], images, titles, strict=True):
        ax.imshow(np.clip(image, 0, 1))
        ax.set_title(title)
        ax.axis("off")
    return figure


def kept(curves):
    """Figure: the share of the variance that the best projection keeps, by the number of maps it projects to.

    curves: name -> shares for 1, 2, ... maps.
    """
    figure, ax = plt.subplots(figsize=(7, 2.7))
    for (name, shares), color in zip(curves.items(), ("blue", "red", "green"), strict=False):
        ax.plot(range(1, len(shares) + 1), 100 * np.asarray(shares), "o-", color=COLORS[color], label=name)
    ax.set(xlabel="maps after the 1 × 1 convolution", ylabel="variance kept [%]", ylim=(0, 104))
    ax.legend()
    return figure


def gradients(panels, heads):
    """Figure: the size of the gradient behind each module, logarithmic, a panel for each title, each seed a line.

    panels: title -> loss -> a list of {module: size}, one a seed; heads: the modules that are marked.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.7 * len(panels), 3.3), squeeze=False)
    for ax, (title, losses) in zip(axes[0], panels.items(), strict=True):
        for (name, seeds), color in zip(losses.items(), ("blue", "orange"), strict=True):
            lines = ax.semilogy(np.transpose([list(sizes.values()) for sizes in seeds]), "o-", lw=1.3, ms=4)
            plt.setp(lines, color=COLORS[color])
            lines[0].set_label(name)
        places = list(seeds[0])
        for head in heads:
            ax.axvline(places.index(head), color=GREY, lw=1, ls=":")
        ax.set_xticks(range(len(places)), places)
        ax.set(title=title, xlabel="behind module")
    axes[0, 0].set_ylabel("size of the gradient")
    axes[0, -1].legend()
    return figure


def network(rows, heads=()):
    """SVG: GoogLeNet from left to right, its modules as four branches that part and meet; heads: modules with one.

    rows: of an `inspection.Summary` of the course's `googlenet`; layers are told apart by their names and kinds.
    """
    parts, x, middle, columns = [], 12, 112, {}
    for row in rows:
        place = row.name.removeprefix("trunk.").split(".")
        if row.kind in ("Conv2d", "Linear", "MaxPool2d", "ResponseNorm"):
            columns.setdefault(place[0], {}).setdefault(place[1] if len(place) > 2 else "", []).append(row)
    for name, lanes in columns.items():
        shape = next(iter(lanes.values()))[-1].shape
        if len(lanes) == 1:
            color = _kind(next(iter(lanes.values()))[0])
            parts.append(svg.box(x, middle - 34, 15, 68, GREY, 0.8, COLORS[color], 0.85, "layer"))
            parts.append(svg.upwards(x + 12, middle + 31, svg.text(x + 12, middle + 31, name, 11, anchor="start")))
            x += 21
            continue
        for i, layers in enumerate(lanes.values()):
            y = middle - 51 + 34 * i
            parts += [svg.line(x - 4, middle, x + 4, y, GREY, 1), svg.line(x + 4, y, x + 44, y, GREY, 1)]
            parts.append(svg.line(x + 44, y, x + 52, middle, GREY, 1))
            for k, layer in enumerate(layers):
                left = x + (17 if len(layers) == 1 else 6 + 20 * k)
                color = COLORS[_kind(layer)]
                parts.append(svg.box(left, y - 12, 15, 24, GREY, 0.8, color, 0.85, "layer"))
        parts.append(svg.text(x + 24, middle - 76, name.removeprefix("inception"), 13, weight="bold"))
        parts.append(svg.text(x + 24, middle + 82, " × ".join(map(str, (shape[-1],) * 2)), 11, GREY))
        if name in heads:
            parts.append(svg.line(x + 52, middle, x + 52, middle + 96, COLORS["orange"], 2))
            parts.append(svg.box(x + 44, middle + 96, 16, 16, GREY, 0.8, COLORS["orange"], 0.85, "head"))
        x += 60
    for i, (label, color) in enumerate(KINDS.items()):
        parts.append(svg.box(12 + 150 * i, 246, 14, 14, GREY, 0.8, COLORS[color], 0.85))
        parts.append(svg.text(32 + 150 * i, 258, label, 13, anchor="start"))
    return svg.picture(x + 8, 270, *parts)


def _kind(row):
    """The colour of a layer."""
    if row.kind == "Conv2d":
        return "blue" if row.name.endswith(LARGE) else "sky"
    return {"Linear": "orange", "MaxPool2d": "red"}.get(row.kind, "light")
