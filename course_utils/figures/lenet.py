"""Pictures of LeNet-5: its connection table, its output codes, its filters, and what passes through it."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap

from course_utils.figures import svg
from course_utils.figures.style import COLORS

# Negative blue, zero white, positive red: for weights and for the states of tanh units.
SIGNED = LinearSegmentedColormap.from_list("signed", [COLORS["blue"], "white", COLORS["red"]])


def connection_table(table, inputs=6):
    """SVG: which input maps (rows) each output map (columns) reads; rows of the same size share a colour.

    table: one tuple of input maps for each output map.
    """
    cell, left, top = 34, 120, 60
    sizes = sorted({len(row) for row in table})
    colours = dict(zip(sizes, (COLORS["sky"], COLORS["blue"], COLORS["orange"], COLORS["green"]), strict=False))
    parts = [
        svg.text(left + cell * len(table) / 2, 20, "map of C3"),
        svg.text(left - 16, top + 16 - 26, "map of S2", anchor="end"),
    ]
    parts += [svg.text(left + cell * (c + 0.5), top - 10, c, color=COLORS["grey"]) for c in range(len(table))]
    for r in range(inputs):
        parts.append(svg.text(left - 16, top + cell * (r + 0.5) + 5, r, anchor="end", color=COLORS["grey"]))
        for c, row in enumerate(table):
            fill = colours[len(row)] if r in row else "white"
            x, y = left + cell * c, top + cell * r
            parts.append(svg.box(x, y, cell - 3, cell - 3, COLORS["light"], fill=fill))
    bottom = top + cell * inputs
    parts.append(svg.text(left - 16, bottom + 20, "inputs", anchor="end"))
    parts += [svg.text(left + cell * (c + 0.5), bottom + 20, len(row)) for c, row in enumerate(table)]
    return svg.picture(left + cell * len(table) + 20, bottom + 36, *parts)


def codes(bitmaps, columns=10, labels=None):
    """SVG: bitmaps (N x 12 x 7, values +1 and -1) side by side, +1 in ink."""
    pixel, gap, top = 9, 24, 28
    parts = []
    for k, bitmap in enumerate(np.asarray(bitmaps)):
        x0, y0 = 10 + (k % columns) * (7 * pixel + gap), top + (k // columns) * (12 * pixel + 40)
        parts.append(svg.text(x0 + 3.5 * pixel, y0 - 10, labels[k] if labels else k))
        for y, row in enumerate(bitmap):
            for x, value in enumerate(row):
                fill = COLORS["ink"] if value > 0 else "white"
                parts.append(svg.box(x0 + pixel * x, y0 + pixel * y, pixel, pixel, COLORS["light"], fill=fill))
    width, rows = 20 + min(columns, len(bitmaps)) * (7 * pixel + gap) - gap, -(-len(bitmaps) // columns)
    return svg.picture(width, top + rows * (12 * pixel + 40) - 26, *parts)


def squashing(curves, marks, xlabel, ylabel):
    """Figure: curves, one a (label, x, y), over the same axis, with points marked at (x, y)."""
    figure, axes = plt.subplots(figsize=(8, 3.2))
    for label, x, y in curves:
        axes.plot(x, y, label=label)
    for x, y in marks:
        axes.plot(x, y, "o", color=COLORS["ink"], markersize=6)
    axes.axhline(0, color=COLORS["light"], zorder=0)
    axes.axvline(0, color=COLORS["light"], zorder=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def filters(weights, labels):
    """Figure: filters (N x kh x kw) in a row, negative blue, positive red, one colour scale for all."""
    weights = np.asarray(weights)
    limit = np.abs(weights).max()
    figure, axes = plt.subplots(1, len(weights), figsize=(8, 2.1))
    for k, (ax, weight) in enumerate(zip(axes, weights, strict=True)):
        picture = ax.imshow(weight, cmap=SIGNED, vmin=-limit, vmax=limit)
        ax.set(title=labels[k], xticks=[], yticks=[])
    figure.colorbar(picture, ax=axes, label="weight", shrink=0.8)
    return figure


def reading(strip, windows, distances, labels):
    """Figure: a wide image above, below it the squared distance to each code in every window.

    strip: H x W; windows: centre of each window in pixels; distances: 10 x windows; labels: (centre, text) each.
    """
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(9, 3.4), sharex=True, height_ratios=(1.2, 1.6, 1.0))
    width = strip.shape[1]
    top.imshow(strip, extent=(-0.5, width - 0.5, strip.shape[0] - 0.5, -0.5), aspect="auto")
    top.set(yticks=[], ylabel="input")
    step = windows[1] - windows[0]
    extent = (windows[0] - step / 2, windows[-1] + step / 2, 9.5, -0.5)
    picture = middle.imshow(distances, cmap="magma", extent=extent, aspect="auto", interpolation="nearest")
    middle.set(yticks=range(10), ylabel="class")
    middle.tick_params(axis="y", labelsize=8)
    figure.colorbar(picture, ax=middle, label="squared\ndistance", pad=0.01)
    best = distances.min(axis=0)
    bottom.plot(windows, best, "o-", color=COLORS["blue"], markersize=4)
    for centre, text in labels:
        bottom.annotate(
            text, (centre, 0.98), xycoords=("data", "axes fraction"), ha="center", va="top", color=COLORS["red"]
        )
    bottom.set(xlabel="centre of the window (pixels)", ylabel="smallest\ndistance", xlim=(-0.5, width - 0.5))
    bottom.set_ylim(0, best.max() * 1.3)
    return figure


def _image(x, y, width, height, array, low, high, cmap):
    """An array of numbers between low and high as an image; NaN comes out white."""
    colours = plt.get_cmap(cmap).with_extremes(bad="white")
    pixels = colours(np.ma.masked_invalid((array - low) / (high - low)), bytes=True)
    return svg.image(x, y, width, height, pixels)


def _montage(maps, columns):
    """Maps (N x H x W) in one array, `columns` in a row, one NaN pixel between them."""
    n, h, w = maps.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1), np.nan)
    for k, one in enumerate(maps):
        y, x = (k // columns) * (h + 1), (k % columns) * (w + 1)
        sheet[y : y + h, x : x + w] = one
    return sheet


def journey(image, states, bitmaps, distances):
    """SVG: one image on its way through LeNet-5, with the nearest code and the squared distances to all ten.

    image: 32 x 32; states: name -> array for C1, S2, C3, S4 (maps x H x W), C5 (120) and F6 (84), in the units'
    range -1.7159 to 1.7159; bitmaps: 10 x 12 x 7; distances: 10.
    """
    limit = 1.7159
    best = int(np.argmin(distances))
    parts = [svg.text(85, 22, "input"), _image(10, 32, 150, 150, image, image.min(), image.max(), "gray")]
    x = 190
    for name, columns, side in (("C1", 3, 150), ("S2", 3, 150), ("C3", 4, 150), ("S4", 4, 150)):
        sheet = _montage(np.asarray(states[name]), columns)
        height = side * sheet.shape[0] / sheet.shape[1]
        parts += [svg.text(x + side / 2, 22, name), _image(x, 32, side, height, sheet, -limit, limit, SIGNED)]
        x += side + 30
    second = 204
    f6 = np.asarray(states["F6"]).reshape(12, 7)
    parts += [
        svg.text(85, second, "C5: 120 units"),
        _image(10, second + 12, 150, 96, np.asarray(states["C5"]).reshape(8, 15), -limit, limit, SIGNED),
        svg.text(240, second, "F6: 84 units"),
        _image(190, second + 12, 98, 168, f6, -limit, limit, SIGNED),
        svg.text(365, second, f"code of {best}"),
        _image(316, second + 12, 98, 168, bitmaps[best], -limit, limit, SIGNED),
        svg.text(640, second, "squared distance to each code"),
    ]
    longest = max(1.0, float(np.max(distances)))
    for k, distance in enumerate(distances):
        y = second + 14 + 17 * k
        colour = COLORS["orange"] if k == best else COLORS["blue"]
        parts += [
            svg.text(472, y + 12, k, anchor="end", size=13),
            svg.box(480, y, 320 * distance / longest, 13, stroke=0, fill=colour),
            svg.text(488 + 320 * distance / longest, y + 12, f"{distance:.0f}", anchor="start", size=12),
        ]
    return svg.picture(900, second + 186, *parts)
