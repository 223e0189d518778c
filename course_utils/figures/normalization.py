"""Pictures of batch normalization: what it does to a batch, the paths of its gradient, and training with it."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import plots, svg
from course_utils.figures.style import COLORS, CYCLE

# A path of the gradient keeps its colour in all figures.
OF = {
    "direct": COLORS["blue"],
    "through the mean": COLORS["orange"],
    "through the variance": COLORS["green"],
    "sum": COLORS["ink"],
}
# And so does a kind of network.
NETWORK = {"plain": COLORS["red"], "plain × 4": COLORS["purple"], "batch norm": COLORS["blue"]}


def graph():
    """SVG: how x reaches its normalized value, directly, through the mean and through the variance, edge by edge."""
    boxes = {"x": (70, 160), "μ": (290, 52), "σ²": (290, 268), "x̂": (560, 160), "y": (700, 160)}
    words = {"x": "batch x", "μ": "mean μ", "σ²": "variance σ²", "x̂": "x̂", "y": "y"}
    arrows = [  # from, to, colour, what the edge multiplies a gradient by, where that stands
        ("x", "x̂", OF["direct"], "1 / s", (340, 150)),
        ("x", "μ", OF["through the mean"], "1 / m", (160, 92)),
        ("μ", "x̂", OF["through the mean"], "−1 / s", (450, 84)),
        ("x", "σ²", OF["through the variance"], "2 (x − μ) / m", (132, 248)),
        ("σ²", "x̂", OF["through the variance"], "−(x − μ) / 2s³", (480, 248)),
        ("μ", "σ²", COLORS["grey"], "0", (306, 212)),
        ("x̂", "y", COLORS["ink"], "γ", (630, 150)),
    ]
    parts = []
    for start, end, colour, factor, (x, y) in arrows:
        (x0, y0), (x1, y1) = boxes[start], boxes[end]
        length = np.hypot(x1 - x0, y1 - y0)
        a, b = 48 / length, 1 - (54 if end != "y" else 34) / length
        if start == "μ" and end == "σ²":
            a, b = 24 / length, 1 - 30 / length
        p, q = (x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))
        parts += [
            _arrow(p, q, colour, "5 4" if factor == "0" else ""),
            svg.text(x, y, factor, 15, colour, weight="bold"),
        ]
    for name, (x, y) in boxes.items():
        half = 20 if name == "y" else 44
        parts += [svg.box(x - half, y - 20, 2 * half, 40, fill="white"), svg.text(x, y + 5, words[name])]
    return svg.picture(760, 310, *parts)


def _arrow(start, end, colour, dash=""):
    (x0, y0), (x1, y1) = start, end
    ux, uy = (x1 - x0) / np.hypot(x1 - x0, y1 - y0), (y1 - y0) / np.hypot(x1 - x0, y1 - y0)
    head = [(x1 + 10 * ux, y1 + 10 * uy), (x1 - 5 * uy, y1 + 5 * ux), (x1 + 5 * uy, y1 - 5 * ux)]
    return svg.line(x0, y0, x1, y1, colour, 2.5, dash=dash) + svg.polygon(head, colour)


def batch(x, x_hat, paths, lengths, target):
    """SVG: one unit's activations x and their normalized values on two lines, and the gradient of each, path by path.

    x, x_hat: a number a sample; paths: name -> a number a sample, their sum last; lengths: name -> the length of that
    gradient; target: the sample at whose output a gradient of 1 enters. Sample 1 is drawn in red.
    """
    left, right, top, middle, zero, reach = 120, 730, 56, 146, 310, 88
    span = max(10.0, 1.05 * float(np.abs(x).max()))
    centre, unit, wide = (left + right) / 2, (right - left) / 2 / span, (right - left) / 2 / 3.2
    grey = COLORS["grey"]
    parts = [svg.text(8, top + 5, "x", 15, anchor="start"), svg.text(8, middle + 5, "x̂", 15, anchor="start")]
    parts += [svg.line(left, y, right, y, grey, 1) for y in (top, middle)]
    parts += [svg.text(centre + unit * t, top - 26, t, 12, grey) for t in range(-10, 11, 5)]
    parts += [svg.text(centre + wide * t, middle + 30, t, 12, grey) for t in range(-3, 4)]
    for k, (a, b) in enumerate(zip(x, x_hat, strict=True)):
        colour, u, v = COLORS["red"] if k == 0 else COLORS["sky"], centre + unit * a, centre + wide * b
        dots = [svg.circle(at, y, 6, stroke=0, fill=colour) for at, y in ((u, top), (v, middle))]
        parts += [svg.line(u, top, v, middle, colour), *dots]
        parts.append(svg.text(u, top - 10, k + 1, 13, colour if k == 0 else COLORS["ink"]))
    scale = reach / max(0.4, max(float(np.abs(values).max()) for values in paths.values()))
    step = (right - left) / len(x)
    parts += [svg.line(left, zero, right, zero, grey, 1), svg.text(8, zero - 6, "gradient", 15, anchor="start")]
    parts.append(svg.text(8, zero + 14, "of x", 15, anchor="start"))
    for k in range(len(x)):
        mid = left + step * (k + 0.5)
        name = f"sample {k + 1}" + (" ←" if k == target else "")
        parts.append(svg.text(mid, zero + reach + 22, name, 13, COLORS["red"] if k == 0 else COLORS["ink"]))
        for n, (path, values) in enumerate(paths.items()):
            height = scale * values[k]
            bar = mid - 24 + 12 * n, zero - max(0, height), 11, abs(height)
            parts.append(svg.box(*bar, stroke=0, fill=OF[path], kind="bar"))
    y, x0 = zero + reach + 50, 64
    parts.append(svg.text(8, y, "length", 13, anchor="start"))
    for path, length in lengths.items():
        words = f"{path} {length:.3f}"
        parts += [svg.box(x0, y - 11, 12, 12, stroke=0, fill=OF[path]), svg.text(x0 + 17, y, words, 13, anchor="start")]
        x0 += 36 + 7 * len(words)
    return svg.picture(760, y + 10, *parts)


def shares(groups, samples, channels):
    """SVG: samples x channels of a batch, once for each kind of norm; cells of one colour share a mean and a variance.

    groups: name -> array samples x channels of group numbers.
    """
    cell, gap = 30, 40
    colours = [COLORS[name] for name in ("blue", "orange", "green", "purple", "sky", "yellow", "red", "grey")]
    width, bottom = gap + len(groups) * (channels * cell + gap), 36 + samples * cell
    parts = []
    for n, (name, numbers) in enumerate(groups.items()):
        left = gap + n * (channels * cell + gap)
        parts.append(svg.text(left, 22, name, 15, anchor="start", weight="bold"))
        for row in range(samples):
            for column in range(channels):
                again, number = divmod(int(numbers[row, column]), len(colours))  # a second round of colours is paler
                where = left + column * cell, 36 + row * cell, cell - 2, cell - 2
                parts.append(svg.box(*where, stroke=0, fill=colours[number], opacity=round(0.6**again, 2), kind="cell"))
        parts.append(svg.text(left + channels * cell / 2, bottom + 18, "channels", 13))
    middle = (36 + bottom) / 2
    return svg.picture(width, bottom + 30, *parts, svg.upwards(20, middle, svg.text(20, middle, "samples", 13)))


def evolution(steps, accuracy, inputs):
    """Figure after Ioffe & Szegedy's figure 1: accuracy over training, and where the inputs of one sigmoid lie.

    accuracy: name -> array marks x seeds, in [0, 1]; inputs: name -> array marks x 3, percentiles 15, 50 and 85.
    """
    widths = [1.5] + [1] * len(inputs)
    figure, axes = plt.subplots(1, len(widths), figsize=(11, 3.3), width_ratios=widths, squeeze=False)
    axes = axes[0]
    for name, values in accuracy.items():
        plots.seeds(axes[0], steps, 100 * values, NETWORK[name], name)
    axes[0].set(xlabel="step", ylabel="test accuracy (%)", xscale="log", ylim=(0, 101))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)
    for ax, (name, values) in zip(axes[1:], inputs.items(), strict=True):
        ax.fill_between(steps, values[:, 0], values[:, 2], color=NETWORK[name], alpha=0.25, linewidth=0)
        ax.plot(steps, values[:, 1], color=NETWORK[name])
        ax.set(xlabel="step", ylabel="input of the sigmoid", xscale="log", title=name)
    if inputs:
        every = np.concatenate(list(inputs.values()))
        for ax in axes[1:]:
            ax.set_ylim(every.min() - 0.3, every.max() + 0.3)
    return figure


def over(x, rows, xlabel, ylabel, *, ax=None):
    """Figure: a quantity over a setting; each seed a thin line, their mean a thick one.

    x: the settings, on a logarithmic axis; rows: name -> array settings x seeds.
    Names that agree up to the comma share a colour, and the second of them is dashed.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(8, 3.6))
    colours, seen = iter((COLORS["orange"], COLORS["blue"], COLORS["green"])), {}
    for name, values in rows.items():
        stem = name.split(",")[0]
        dash = "--" if stem in seen else "-"
        if stem not in seen:
            seen[stem] = NETWORK.get(stem) or next(colours)
        plots.seeds(ax, x, values, seen[stem], name, "o" + dash)
    plots.log_ticks(ax, x)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(fontsize=9, handlelength=3)
    return ax.figure


def settings(x_rates, by_rate, x_scales, by_scale, ylabel):
    """Figure: two panels of `over`, the learning rate and the initial standard deviation of the weights."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.7), sharey=True)
    over(x_rates, by_rate, "learning rate", ylabel, ax=left)
    over(x_scales, by_scale, "initial standard deviation of the weights", "", ax=right)
    return figure


def paths_dropped(steps, rows):
    """Figure: training with paths of the gradient left out: loss, length of the weights, length of a useless bias.

    rows: name -> array marks x 3 quantities x seeds.
    """
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    for (name, values), colour, dash in zip(rows.items(), CYCLE, ("-", "--", "-.", ":"), strict=False):
        for k, ax in enumerate(axes):
            plots.seeds(ax, steps, values[:, k], colour, name, dash)
    for ax, label in zip(axes, ("loss", "length of the weights", "length of the biases"), strict=True):
        ax.set(xlabel="step", ylabel=label)
    axes[0].set_yscale("log")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9)
    return figure


def growth(steps, norms, loss):
    """Figure: the length of a normalized layer's weights over training, and the loss; name -> array marks x seeds."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
    colours = [COLORS[name] for name in ("sky", "blue", "orange", "red")]
    for ax, rows, label in zip(axes, (norms, loss), ("length of the weights", "loss"), strict=True):
        for (name, values), colour in zip(rows.items(), colours, strict=False):
            plots.seeds(ax, steps, values, colour, name)
        ax.set(xlabel="step", ylabel=label, xscale="log")
    axes[1].set_yscale("log")
    axes[0].legend(fontsize=9)
    return figure
