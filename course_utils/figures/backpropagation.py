"""Pictures of chapter 08: numbers that are multiplied and added on the way back through a convolution."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from course_utils.figures import svg
from course_utils.figures.convolution import rounded
from course_utils.figures.grid import cell, heading, words
from course_utils.figures.style import COLORS

SIGNED = "PRGn"  # matplotlib's: purple below 0, white, green above


def sheets(*rows, side=30, note=""):
    """Sheets of numbers side by side, row under row, with signs such as × between them, and a note at the bottom.

    A row is a list of signs (strings) and sheets: (label, values, kinds), values an array of one or two dimensions in
    which NaN is an empty cell, kinds a dict from a place (row, column) to a kind of `grid.cell`. Returns an SVG string.
    """
    parts, top, widest = [], 12, 0
    for row in rows:
        left, begin = 12, top + 24
        heights = [side * len(np.atleast_2d(item[1])) for item in row if not isinstance(item, str)]
        for item in row:
            if isinstance(item, str):
                parts.append(words(left - 4, begin + min(heights) / 2, item, 18))
                left += 18
                continue
            label, values, kinds = item
            values = np.atleast_2d(values)
            parts.append(heading(left, begin - 16, label, 14))
            texts = {at: "" if np.isnan(value) else rounded(value) for at, value in np.ndenumerate(values)}
            size = min(15, 1.3 * side / max(2, *map(len, texts.values())))  # one for all of a sheet
            for place, text in texts.items():
                kind = kinds.get(place, "input" if text else "blank")
                x, y = left + place[1] * side, begin + place[0] * side
                parts.append(cell(x, y, side, text, kind, size))
            left += max(values.shape[1] * side, 8.2 * len(label)) + 26
        widest, top = max(widest, left), begin + max(heights) + 16
    if note:
        parts.append(heading(12, top + 8, note, 15))
        widest, top = max(widest, 12 + 8.3 * len(note)), top + 26
    return svg.picture(widest - 12, top, *parts)


def contributions(image, dy, dweight, place):
    """Figure: a weight's gradient, from the pixels that the weight meets to the sum over all positions.

    image: H x W, at stride 1 and without padding; dy: the gradient of the output, oh x ow; dweight: the gradients of
    all weights, kh x kw; place: the row and the column of the weight.
    """
    (top, left), (height, width) = place, dy.shape
    met = image[top : top + height, left : left + width]
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
    axes[0].imshow(image)
    frame = {"fill": False, "color": COLORS["orange"], "linewidth": 3}
    axes[0].add_patch(Rectangle((left - 0.5, top - 0.5), width, height, **frame))
    titles = ["the pixels that it meets", "gradient of each output", "their products", "sums: gradient of the kernel"]
    for ax, values in zip(axes[1:], (dy, met * dy, dweight), strict=True):
        limit = np.abs(values).max()
        ax.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(dweight):
        color = "white" if abs(value) > 0.6 * limit else COLORS["ink"]
        axes[3].text(column, row, rounded(value), ha="center", va="center", color=color)
    axes[3].add_patch(Rectangle((left - 0.5, top - 0.5), 1, 1, **frame))
    for ax, title, sign in zip(axes, titles, ("×", "=", "Σ", ""), strict=True):
        ax.set(title=title, xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=COLORS["grey"])
        ax.text(1.11, 0.5, sign, transform=ax.transAxes, ha="center", va="center", fontsize=16)
    return figure
