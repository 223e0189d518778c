"""Pictures of nonlinearities: what they do to values, to gradients, to memory."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import plots, svg
from course_utils.figures.style import COLORS, CYCLE

# A function keeps its colour in all figures.
OF = {
    "sigmoid": COLORS["purple"],
    "tanh": COLORS["orange"],
    "ReLU": COLORS["blue"],
    "leaky ReLU": COLORS["sky"],
    "ELU": COLORS["green"],
}


def softmax_bars(activations, probabilities, factor):
    """SVG: activations as bars on the left, the softmax of `factor` times them on the right; the largest is marked."""
    activations = np.asarray(activations, float)
    largest, row, middle, left = int(activations.argmax()), 34, 170, 340
    height = 56 + row * len(activations)
    unit = 110 / max(1e-12, np.abs(activations).max())
    parts = [
        svg.text(middle, 24, "activations a"),
        svg.text(left, 24, f"softmax({factor:g} a)", anchor="start"),
        svg.line(middle, 36, middle, height - 8, COLORS["grey"]),
        svg.line(left, 36, left, height - 8, COLORS["grey"]),
    ]
    for k, (a, p) in enumerate(zip(activations, probabilities, strict=True)):
        y, colour = 42 + k * row, COLORS["orange" if k == largest else "blue"]
        parts += [
            svg.text(8, y + 16, f"{a:+.1f}", anchor="start"),
            svg.box(min(middle, middle + unit * a), y, unit * abs(a), 22, stroke=0, fill=colour, kind="bar"),
            svg.box(left, y, 250 * p, 22, stroke=0, fill=colour, kind="bar"),
            svg.text(left + 8 + 250 * p, y + 16, f"{p:.3f}", anchor="start"),
        ]
    return svg.picture(680, height, *parts)


def temperature_bars(activations, probabilities, naive, temperature):
    """SVG: activations, softmax(a / temperature) as bars, and what the formula gives if it is computed as it stands.

    activations, probabilities, naive: one number per class, in naive NaN where the computation failed.
    """
    activations = np.asarray(activations, float)
    largest, row, left, middle = int(activations.argmax()), 34, 120, 460
    height = 56 + row * len(activations)
    parts = [
        svg.text(8, 24, "a", anchor="start"),
        svg.text(left, 24, f"softmax(a / T), T = {temperature:.2f}", anchor="start"),
        svg.text(middle, 24, "maximum not subtracted", anchor="start"),
        svg.line(left, 36, left, height - 8, COLORS["grey"]),
        svg.line(middle, 36, middle, height - 8, COLORS["grey"]),
    ]

    def bar(x, y, value, reach, colour):
        if not np.isfinite(value):
            return svg.text(x + 8, y + 16, "nan", color=COLORS["red"], anchor="start")
        words = svg.text(x + 8 + reach * value, y + 16, f"{value:.3f}", anchor="start")
        return svg.box(x, y, reach * value, 22, stroke=0, fill=colour, kind="bar") + words

    for k, (a, p, q) in enumerate(zip(activations, probabilities, naive, strict=True)):
        y, colour = 42 + k * row, COLORS["orange" if k == largest else "blue"]
        parts += [svg.text(8, y + 16, f"{a:+.1f}", anchor="start"), bar(left, y, p, 220, colour)]
        parts.append(bar(middle, y, q, 140, colour))
    return svg.picture(680, height, *parts)


def response(name, a, y, slope, density, mean, notes):
    """SVG: a nonlinearity and its derivative over the density of its input, its mean output, and lines of text.

    a: positions from left to right; y, slope, density: a value each; mean: of the output; notes: lines on the right.
    """
    left, right, top, bottom, low, high = 40, 420, 16, 296, -2.2, 3.2

    def across(values):
        return left + (np.asarray(values) - a[0]) / (a[-1] - a[0]) * (right - left)

    def down(values):
        return bottom - (values - low) / (high - low) * (bottom - top)

    def points(values):
        return [(x, v) for x, v in zip(across(a), down(values), strict=True) if top <= v <= bottom]

    hill = [(left, bottom), *points(low + 1.2 * density / density.max()), (right, bottom)]
    ticks = range(int(np.ceil(a[0])), int(a[-1]) + 1, 2)
    legend = ((f"thick: {name}", OF[name]), ("thin: its derivative; hill: its input", COLORS["grey"]))
    legend += (("dashed: its mean output", COLORS["red"]),)
    return svg.picture(
        760,
        330,
        svg.polygon(hill, COLORS["light"]),
        svg.line(left, down(0), right, down(0), COLORS["grey"], 1),
        svg.text(left - 8, down(0) + 5, "0", 13, anchor="end"),
        svg.line(left, down(mean), right, down(mean), COLORS["red"], 2, kind="mean", dash="6 4"),
        svg.polyline(points(slope), COLORS["grey"], 2),
        svg.polyline(points(y), OF[name], 3),
        *(svg.text(across(t), bottom + 18, f"{t}".replace("-", "−"), 13) for t in ticks),
        *(svg.text(452, 46 + 28 * k, note, anchor="start") for k, note in enumerate(notes)),
        *(svg.text(452, 240 + 22 * k, words, color=c, anchor="start") for k, (words, c) in enumerate(legend)),
    )


def functions(a, values, derivatives):
    """Figure: functions on the left, their derivatives on the right; both name -> a value for each `a`."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    for ax, rows, label in zip(axes, (values, derivatives), ("output g(a)", "derivative g'(a)"), strict=True):
        for name, row in rows.items():
            ax.plot(a, row, label=name, color=OF.get(name, COLORS["red"]))
        ax.set(xlabel="activation a", ylabel=label)
    axes[0].legend()
    return figure


def by_layer(rows, ylabel, *, log=True):
    """Figure: a quantity by layer, one panel per group; each seed a thin line, their mean a thick one.

    rows: group -> label -> array layers x seeds. With log, the mean is that of the logarithms.
    """
    figure, axes = plt.subplots(1, len(rows), figsize=(9, 3.4), sharey=True, squeeze=False)
    for ax, (group, lines) in zip(axes[0], rows.items(), strict=True):
        for (label, values), colour in zip(lines.items(), CYCLE, strict=False):
            plots.seeds(ax, np.arange(1, len(values) + 1), values, OF.get(label, colour), label, log=log)
        ax.set(xlabel="layer", title=group, yscale="log" if log else "linear")
    axes[0, 0].set_ylabel(ylabel)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure


def knife_edge(scales, measured, predicted):
    """Figure: the gradient left at the first layer over the scale of the weights; dots measured, lines predicted.

    measured: name -> array scales x seeds; predicted: name -> one value per scale.
    """
    figure, ax = plt.subplots(figsize=(8, 3.8))
    ax.axhline(1, color=COLORS["grey"], linewidth=1)
    for name, values in measured.items():
        # At large scales ELU lies on ReLU: its dashes let the line below be seen.
        ax.plot(scales, predicted[name], color=OF[name], linestyle="--" if name == "ELU" else "-", label=name)
        ax.plot(scales, values, "o", color=OF[name], markersize=4, alpha=0.6)
    ax.set(yscale="log", xlabel="standard deviation of the weights, in units of 1/√n")
    ax.set_ylabel("gradient norm,\nfirst layer / last layer")
    plots.log_ticks(ax, [1, 2, 4, 8, 16])
    ax.legend()
    return figure


def outputs(samples, means):
    """Figure: how the outputs of some functions are distributed, and their means as dashed lines.

    samples: name -> outputs; means: name -> the mean that was derived.
    """
    figure, (axes,) = plt.subplots(1, len(samples), figsize=(9.5, 2.8), sharey=True, squeeze=False)
    for ax, (name, values) in zip(axes, samples.items(), strict=True):
        weights = np.full(len(values), 1 / len(values))
        ax.hist(values, bins=np.linspace(-3, 3, 49), weights=weights, color=OF[name])
        ax.axvline(0, color=COLORS["grey"], linewidth=1)
        ax.axvline(means[name], color=COLORS["red"], linestyle="--", label=f"mean {means[name]:.3f}")
        ax.set(xlabel="output", title=name, yscale="log", ylim=(1e-4, 1))
        ax.legend(fontsize=9, loc="upper left")
    axes[0].set_ylabel("share of the inputs")
    return figure
