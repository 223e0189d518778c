"""Pictures of batch normalization: what it does to a batch, the paths of its gradient, and training with it."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures.style import COLORS

# A path of the gradient keeps its colour in all figures.
OF = {
    "direct": COLORS["blue"],
    "through the mean": COLORS["orange"],
    "through the variance": COLORS["green"],
    "sum": COLORS["ink"],
}
# And so does a kind of network.
NETWORK = {"plain": COLORS["red"], "plain × 4": COLORS["purple"], "batch norm": COLORS["blue"]}
NETWORK |= {"layer norm": COLORS["green"]}


def _svg(width, height, parts):
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'style="background: white; max-width: 100%" font-family="sans-serif" font-size="15" '
            f'fill="{COLORS["ink"]}">',
            *parts,
            "</svg>",
        ]
    )


def graph():
    """SVG: how x reaches its normalized value, directly, through the mean and through the variance, edge by edge."""
    boxes = {"x": (70, 160), "μ": (290, 52), "σ²": (290, 268), "x̂": (560, 160), "y": (700, 160)}
    words = {"x": "batch x", "μ": "mean μ", "σ²": "variance σ²", "x̂": "x̂", "y": "y"}
    arrows = [  # from, to, colour, what the edge multiplies a gradient by, where that stands
        ("x", "x̂", OF["direct"], "1 / s", (320, 150)),
        ("x", "μ", OF["through the mean"], "1 / m", (150, 92)),
        ("μ", "x̂", OF["through the mean"], "−1 / s", (440, 84)),
        ("x", "σ²", OF["through the variance"], "2 (x − μ) / m", (80, 244)),
        ("σ²", "x̂", OF["through the variance"], "−(x − μ) / 2s³", (436, 246)),
        ("μ", "σ²", COLORS["grey"], "0", (300, 212)),
        ("x̂", "y", COLORS["ink"], "γ", (624, 150)),
    ]
    parts = []
    for start, end, colour, factor, (x, y) in arrows:
        (x0, y0), (x1, y1) = boxes[start], boxes[end]
        length = np.hypot(x1 - x0, y1 - y0)
        a, b = 48 / length, 1 - (54 if end != "y" else 34) / length
        if start == "μ" and end == "σ²":
            a, b = 24 / length, 1 - 30 / length
        p, q = (x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))
        dash = ' stroke-dasharray="5 4"' if factor == "0" else ""
        parts += [
            _arrow(p, q, colour, dash),
            f'<text x="{x}" y="{y}" fill="{colour}" font-weight="bold">{factor}</text>',
        ]
    for name, (x, y) in boxes.items():
        half = 20 if name == "y" else 44
        parts += [
            f'<rect x="{x - half}" y="{y - 20}" width="{2 * half}" height="40" rx="6" fill="white" '
            f'stroke="{COLORS["ink"]}"/>',
            f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="14">{words[name]}</text>',
        ]
    return _svg(760, 310, parts)


def _arrow(start, end, colour, dash=""):
    (x0, y0), (x1, y1) = start, end
    ux, uy = (x1 - x0) / np.hypot(x1 - x0, y1 - y0), (y1 - y0) / np.hypot(x1 - x0, y1 - y0)
    head = [(x1 + 10 * ux, y1 + 10 * uy), (x1 - 5 * uy, y1 + 5 * ux), (x1 + 5 * uy, y1 - 5 * ux)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in head)
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" stroke-width="2.5"{dash}/>'
        f'<polygon points="{points}" fill="{colour}"/>'
    )


def batch(x, x_hat, paths, target):
    """SVG: one unit's activations x and their normalized values on two lines, and the gradient of each, path by path.

    x, x_hat: a number a sample; paths: name -> a number a sample, their sum last; target: the sample at whose output
    a gradient of 1 enters. Sample 1 is drawn in red.
    """
    left, right, top, middle, zero, reach = 120, 730, 56, 146, 310, 88
    span = max(10.0, 1.05 * float(np.abs(x).max()))
    centre, unit, wide = (left + right) / 2, (right - left) / 2 / span, (right - left) / 2 / 3.2
    parts = [
        f'<text x="8" y="{top + 5}">x</text><text x="8" y="{middle + 5}">x̂</text>',
        f'<line x1="{left}" y1="{top}" x2="{right}" y2="{top}" stroke="{COLORS["grey"]}"/>',
        f'<line x1="{left}" y1="{middle}" x2="{right}" y2="{middle}" stroke="{COLORS["grey"]}"/>',
    ]
    for t in range(-10, 11, 5):
        parts.append(_label(centre + unit * t, top - 26, f"{t}", COLORS["grey"], 12))
    for t in range(-3, 4):
        parts.append(_label(centre + wide * t, middle + 30, f"{t}", COLORS["grey"], 12))
    for k, (a, b) in enumerate(zip(x, x_hat, strict=True)):
        colour, u, v = COLORS["red"] if k == 0 else COLORS["sky"], centre + unit * a, centre + wide * b
        parts += [
            f'<line x1="{u:.1f}" y1="{top}" x2="{v:.1f}" y2="{middle}" stroke="{colour}" stroke-width="1.5"/>',
            f'<circle cx="{u:.1f}" cy="{top}" r="6" fill="{colour}"/>',
            f'<circle cx="{v:.1f}" cy="{middle}" r="6" fill="{colour}"/>',
            _label(u, top - 10, k + 1, colour if k == 0 else COLORS["ink"], 13),
        ]
    scale = reach / max(0.4, max(float(np.abs(values).max()) for values in paths.values()))
    step = (right - left) / len(x)
    parts.append(f'<line x1="{left}" y1="{zero}" x2="{right}" y2="{zero}" stroke="{COLORS["grey"]}"/>')
    parts.append(f'<text x="8" y="{zero - 6}">gradient</text><text x="8" y="{zero + 14}">of x</text>')
    for k in range(len(x)):
        mid = left + step * (k + 0.5)
        name = f"sample {k + 1}" + (" ←" if k == target else "")
        parts.append(_label(mid, zero + reach + 22, name, COLORS["red"] if k == 0 else COLORS["ink"], 13))
        for n, (path, values) in enumerate(paths.items()):
            height = scale * values[k]
            parts.append(
                f'<rect class="bar" x="{mid - 24 + 12 * n:.1f}" y="{zero - max(0, height):.1f}" width="11" '
                f'height="{abs(height):.1f}" fill="{OF[path]}"/>'
            )
    y, x0 = zero + reach + 50, 64
    parts.append(f'<text x="8" y="{y}" font-size="13">length</text>')
    for path, values in paths.items():
        words = f"{path} {float(np.linalg.norm(values)):.3f}"
        parts.append(f'<rect x="{x0}" y="{y - 11}" width="12" height="12" fill="{OF[path]}"/>')
        parts.append(f'<text x="{x0 + 17}" y="{y}" font-size="13">{words}</text>')
        x0 += 36 + 7 * len(words)
    return _svg(760, y + 14, parts)


def _label(x, y, text, colour, size):
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle" font-size="{size}" fill="{colour}">{text}</text>'


def shares(groups, samples, channels):
    """SVG: samples x channels of a batch, once for each kind of norm; cells of one colour share a mean and a variance.

    groups: name -> array samples x channels of group numbers.
    """
    cell, gap = 30, 40
    colours = [COLORS[name] for name in ("blue", "orange", "green", "purple", "sky", "yellow", "red", "grey")]
    width = gap + len(groups) * (channels * cell + gap)
    parts = []
    for n, (name, numbers) in enumerate(groups.items()):
        left = gap + n * (channels * cell + gap)
        parts.append(f'<text x="{left}" y="22" font-weight="bold">{name}</text>')
        for row in range(samples):
            for column in range(channels):
                number = int(numbers[row, column])
                parts.append(
                    f'<rect x="{left + column * cell}" y="{36 + row * cell}" width="{cell - 2}" height="{cell - 2}" '
                    f'fill="{colours[number % len(colours)]}" '
                    f'opacity="{1 if number < len(colours) else 0.75 ** (number // len(colours)):.2f}"/>'
                )
        parts.append(_label(left + channels * cell / 2, 36 + samples * cell + 18, "channels", COLORS["ink"], 13))
    y = 36 + samples * cell / 2
    parts.append(
        f'<text x="20" y="{y}" text-anchor="middle" font-size="13" transform="rotate(-90 20 {y})">samples</text>'
    )
    return _svg(width, 36 + samples * cell + 30, parts)


def evolution(steps, accuracy, inputs):
    """Figure after Ioffe & Szegedy's figure 1: accuracy over training, and where the inputs of one sigmoid lie.

    accuracy: name -> array marks x seeds, in [0, 1]; inputs: name -> array marks x 3, percentiles 15, 50 and 85.
    """
    widths = [1.5] + [1] * len(inputs)
    figure, axes = plt.subplots(1, len(widths), figsize=(11, 3.3), width_ratios=widths, squeeze=False)
    axes = axes[0]
    for name, values in accuracy.items():
        axes[0].plot(steps, 100 * values, color=NETWORK[name], linewidth=0.7, alpha=0.5)
        axes[0].plot(steps, 100 * values.mean(1), color=NETWORK[name], label=name)
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


def over(x, rows, xlabel, ylabel, *, ax=None, base=2, log=False, ticks=None):
    """Figure: a quantity over a setting; each seed a thin line, their mean a thick one.

    x: the settings, on a logarithmic axis of that base; rows: name -> array settings x seeds; ticks: shown settings.
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
        ax.plot(x, values, color=seen[stem], linewidth=0.7, alpha=0.4)
        ax.plot(x, values.mean(1), "o" + dash, color=seen[stem], markersize=4, label=name)
    ax.set_xscale("log", base=base)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    if ticks is not None:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    ax.legend(fontsize=9, handlelength=3)
    return ax.figure


def settings(x_rates, by_rate, x_scales, by_scale, ylabel):
    """Figure: two panels of `over`, the learning rate and the initial deviation of the weights."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.7), sharey=True)
    over(x_rates, by_rate, "learning rate", ylabel, ax=left, ticks=x_rates[::2])
    over(x_scales, by_scale, "initial deviation of the weights", "", ax=right, base=10, ticks=x_scales)
    return figure


def paths_dropped(steps, rows):
    """Figure: training with paths of the gradient left out: loss, length of the weights, length of a useless bias.

    rows: name -> array marks x 3 quantities x seeds.
    """
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    colours = [COLORS[name] for name in ("blue", "orange", "green", "red")]
    for (name, values), colour, dash in zip(rows.items(), colours, ("-", "--", "-.", ":"), strict=True):
        for k, ax in enumerate(axes):
            ax.plot(steps, values[:, k], color=colour, linewidth=0.6, alpha=0.35)
            ax.plot(steps, values[:, k].mean(1), color=colour, linestyle=dash, label=name)
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
            ax.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
            ax.plot(steps, values.mean(1), color=colour, label=name)
        ax.set(xlabel="step", ylabel=label, xscale="log")
    axes[1].set_yscale("log")
    axes[0].legend(fontsize=9)
    return figure
