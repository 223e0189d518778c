"""Pictures of initialization: signals by layer, their histograms, the map from one layer to the next, the edge."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import plots, svg
from course_utils.figures.style import COLORS, CYCLE


def signals(panels, predicted=None, *, log=True):
    """Figure: mean squares by layer, one panel per group; each seed a thin line, their geometric mean a thick one.

    panels: group -> label -> array layers x seeds; predicted: group -> label -> one value per layer, dashed.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 3.4), sharey=True, squeeze=False)
    for ax, (group, lines) in zip(axes[0], panels.items(), strict=True):
        for (label, values), colour in zip(lines.items(), CYCLE, strict=False):
            layers = np.arange(1, len(values) + 1)
            plots.seeds(ax, layers, values, colour, label, log=True)
            if predicted and label in predicted.get(group, {}):
                line = predicted[group][label]
                ax.plot(layers, line, color=COLORS["ink"], linestyle=(0, (4, 3)), linewidth=1.4)
        ax.set(xlabel="layer", title=group, yscale="log" if log else "linear")
        if len(lines) > 1:
            ax.legend(fontsize=9)
    axes[0, 0].set_ylabel("mean square")
    return figure


def histograms(columns):
    """Figure: distributions by layer, after Glorot & Bengio 2010, figures 6 (activations) and 7 (gradients).

    columns: title -> (activations, gradients), both a list of 1-D arrays, one a layer. Each curve is a density, scaled
    to a largest value of 1; a column's gradients share their axis with the other columns.
    """
    figure, axes = plt.subplots(2, len(columns), figsize=(9.4, 4.1), sharex="row", sharey=True, squeeze=False)
    rows = list(zip(*columns.values(), strict=True))
    labels = ("activation", "gradient, in units of the last layer's standard deviation")
    for row, (cells, label) in enumerate(zip(rows, labels, strict=True)):
        reach = max(np.quantile(np.abs(layer), 0.995) for cell in cells for layer in cell)
        bins = np.linspace(-reach, reach, 62)
        for ax, cell in zip(axes[row], cells, strict=True):
            for k, layer in enumerate(cell):
                height, _ = np.histogram(layer, bins)
                colour = plt.get_cmap("viridis")(0.9 * k / max(1, len(cell) - 1))
                ax.plot((bins[1:] + bins[:-1]) / 2, height / height.max(), color=colour, linewidth=1.4, label=k + 1)
        axes[row, len(columns) // 2].set_xlabel(label)
        axes[row, 0].set_ylabel("density (scaled)")
    for ax, title in zip(axes[0], columns, strict=True):
        ax.set_title(title)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, title="layer", loc="outside right center", fontsize=9, title_fontsize=9)
    return figure


def maps(q, curves, paths):
    """Figure: mean square out over mean square in, a curve a nonlinearity, and the stairs that depth climbs on it.

    q: mean squares in; curves: label -> mean squares out; paths: label -> mean squares from layer to layer.
    """
    figure, axes = plt.subplots(1, len(curves), figsize=(9, 3.5), sharey=True, squeeze=False)
    for ax, (label, curve), colour in zip(axes[0], curves.items(), CYCLE, strict=False):
        ax.plot(q, q, color=COLORS["grey"], linewidth=1)
        ax.plot(q, curve, color=colour)
        ax.plot(*_stairs(paths[label]), color=COLORS["red"], linewidth=1)
        ax.set(xlabel="mean square in", title=label, xlim=(0, q[-1]), ylim=(0, q[-1]))
    axes[0, 0].set_ylabel("mean square out")
    return figure


def _stairs(path):
    across = np.repeat(path, 2)
    return across[:-1], np.concatenate([[path[0]], np.repeat(path[1:], 2)])


def losses(curves, ylabel="training loss"):
    """Figure: the loss over the steps; each seed a thin line, their mean a thick one.

    curves: label -> array steps x seeds.
    """
    figure, ax = plt.subplots(figsize=(8, 3.5))
    for (label, values), colour in zip(curves.items(), CYCLE, strict=False):
        plots.seeds(ax, np.arange(len(values)), values, colour, label)
    ax.set(xlabel="step", ylabel=ylabel)
    ax.legend()
    return figure


# The explorer's picture: two panels of 300 x 240 pixels, the tick marks at powers of ten.
TOP, BOTTOM, LEFT, MIDDLE, SIDE = 40, 280, 60, 460, 300
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def edge(forward, backward, factors, q, curve, path, c2):
    """SVG: mean squares of outputs and gradients by layer on the left; on the right the map that makes them.

    forward, backward: one value per layer, two layers at least; factors: by which each of the two grows on its way,
    (from layer to layer, in all); q, curve: mean square in and out; path: mean squares from layer to layer; c2:
    n Var(W). On the left the axis runs from 1e-12 to 1e12; what lies outside is at the border.
    """
    depth = len(forward)
    layers = LEFT + np.arange(depth) / (depth - 1) * SIDE
    one = _place(1.0, 12, BOTTOM, TOP)
    parts = [
        svg.text(LEFT, 22, "mean square by layer, measured", anchor="start"),
        svg.text(MIDDLE, 22, "from a layer’s input to its output", anchor="start"),
        *(svg.box(x, TOP, SIDE, BOTTOM - TOP, COLORS["light"]) for x in (LEFT, MIDDLE)),
        svg.line(LEFT, one, LEFT + SIDE, one, COLORS["grey"], 1),
        *(_power(LEFT - 22, _place(10.0**e, 12, BOTTOM, TOP) + 5, e) for e in (-12, -6, 0, 6, 12)),
        *(_power(MIDDLE - 22, _place(10.0**e, 3, BOTTOM, TOP) + 5, e) for e in (-3, 0, 3)),
        *(_power(_place(10.0**e, 3, MIDDLE, MIDDLE + SIDE), BOTTOM + 20, e) for e in (-3, 0, 3)),
        svg.text(LEFT + 8, TOP + 18, "explodes", 12, COLORS["grey"], "start"),
        svg.text(LEFT + 8, BOTTOM - 8, "dies", 12, COLORS["grey"], "start"),
        svg.text(LEFT, BOTTOM + 18, 1, 12),
        svg.text(LEFT + SIDE / 2, BOTTOM + 18, "layer", 12),
        svg.text(LEFT + SIDE, BOTTOM + 18, depth, 12),
        _on_the_map("diagonal", q, q, COLORS["grey"], 1),
        _on_the_map("map", q, curve, COLORS["blue"], 3),
    ]
    inside = np.array(path)[(np.array(path) > 1e-3) & (np.array(path) < 1e3)]
    if len(inside) > 1:
        parts.append(_on_the_map("stairs", *_stairs(inside), COLORS["red"], 1.5))
    ways = (("outputs", forward, COLORS["blue"]), ("gradients", backward, COLORS["orange"]))
    for row, ((name, values, colour), (a_layer, total)) in enumerate(zip(ways, factors, strict=True)):
        parts.append(_polyline(name, layers, _place(values, 12, BOTTOM, TOP), colour, 3))
        words = f"{name}: × {a_layer:.2f} a layer, × {_rounded(total)} over {depth - 1} layers"
        parts.append(_key(LEFT, 326 + 24 * row, colour, words))
    parts.append(_key(MIDDLE, 326, COLORS["blue"], f"map, n Var(W) = {c2:.2f}"))
    parts.append(_key(MIDDLE, 350, COLORS["red"], "stairs: the layers, from mean square 1 on"))
    return svg.picture(800, 380, *parts)


def _place(values, decades, low, high):
    # Pixels on a logarithmic axis from 10^-decades at `low` to 10^decades at `high`
    exponents = np.clip(np.log10(np.maximum(values, 1e-300)), -decades, decades)
    return low + (exponents + decades) / (2 * decades) * (high - low)


def _on_the_map(kind, q_in, q_out, colour, width):
    return _polyline(kind, _place(q_in, 3, MIDDLE, MIDDLE + SIDE), _place(q_out, 3, BOTTOM, TOP), colour, width)


def _polyline(kind, x, y, colour, width):
    return svg.polyline(zip(x, y, strict=True), colour, width, kind)


def _power(x, y, exponent):
    return svg.text(x, y, "10" + str(exponent).translate(RAISED), 12)


def _key(x, y, colour, words):
    return svg.box(x, y - 7, 18, 4, stroke=0, fill=colour) + svg.text(x + 26, y, words, anchor="start")


def _rounded(number):
    return f"{number:.2f}" if 0.01 <= number < 100 else f"{number:.0e}"
