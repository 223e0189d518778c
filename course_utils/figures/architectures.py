"""Pictures of whole networks: their stages, their layers and the paths around them, what each layer costs."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures import svg
from course_utils.figures.style import COLORS


def architecture(stages):
    """SVG: the stages from left to right, maps as stacked squares to scale, layers of units as bars.

    stages: (name, maps, size, note) each; maps of size x size, or size 1 for a layer of `maps` units.
    """
    scale, gap, middle = 3, 34, 140
    parts, x = [], 24
    for k, (name, maps, size, note) in enumerate(stages):
        if size > 1:
            shift = min(6, 36 / max(1, maps))
            side, depth = scale * size, shift * (maps - 1)
            width = max(side + depth, 46)
            left = x + (width - side - depth) / 2
            for m in range(maps):
                corner = middle - (side + depth) / 2 + m * shift
                parts.append(svg.box(left + m * shift, corner, side, side, COLORS["blue"], fill="white"))
            shape = f"{maps} × {size} × {size}"
        else:
            width, height = 46, max(20, maps * 1.5)
            parts.append(svg.box(x + 17, middle - height / 2, 12, height, COLORS["orange"], 2, "white"))
            shape = f"{maps}"
        centre = x + width / 2
        parts += [
            svg.text(centre, 22, name, size=16),
            svg.text(centre, 42, shape, size=12, color=COLORS["grey"]),
            svg.text(centre, 262 + 18 * (k % 2), note, size=12),
        ]
        x += width + gap
        if k + 1 < len(stages):
            parts.append(svg.text(x - gap / 2, middle + 5, "→", size=18, color=COLORS["grey"]))
    return svg.picture(round(x - gap + 24), 296, *parts)


def shares(names, parameters, connections):
    """Figure: each layer's share of the parameters and of the connections, in percent."""
    figure, axes = plt.subplots(figsize=(8, 3.4))
    place = np.arange(len(names))
    for offset, label, counts, colour in (
        (-0.2, "parameters", parameters, COLORS["orange"]),
        (0.2, "connections", connections, COLORS["blue"]),
    ):
        percent = 100 * np.asarray(counts) / np.sum(counts)
        bars = axes.barh(place + offset, percent, 0.38, color=colour, label=label)
        axes.bar_label(bars, [f"{p:.1f}" for p in percent], padding=3, fontsize=9)
    axes.set(yticks=place, yticklabels=names, xlabel="share of the sum over these layers (%)", xlim=(0, 100))
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


def costs(layers, title):
    """Figure: shares of parameters and of multiply-adds, a bar per layer; fully connected layers (fc...) are striped.

    layers: (name, parameters, multiply-adds) each; title: the network's name.
    """
    names = [name for name, _, _ in layers]
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 0.28 * len(layers) + 1.3))
    for axis, column, word in zip(axes, (1, 2), ("parameters", "multiply-adds"), strict=True):
        total = sum(layer[column] for layer in layers)
        shares = [100 * layer[column] / total for layer in layers]
        looks = [(COLORS["orange"], "//") if name.startswith("fc") else (COLORS["blue"], "") for name in names]
        colors, hatches = zip(*looks, strict=True)
        bars = axis.barh(names, shares, color=colors, hatch=hatches)
        axis.bar_label(bars, [f"{share:.1f}" for share in shares], padding=3, fontsize=9)
        axis.set_xlabel(f"share of the {word} of {title} [%]")
        axis.set_xlim(0, max(shares) * 1.15)
    axes[0].invert_yaxis()
    return figure


def diagram(rows, around=()):
    """SVG: layers from left to right, each as high as its maps (logarithmic), and the paths that go around some.

    rows: of an `inspection.Summary`, in their order; around: (beginning of the names of the layers that a path goes
    around, whether it is dashed) each.
    """
    pitch, base, high = min(40, 1000 / len(rows)), 190, 100
    largest = max(row.shape[-1] for row in rows if len(row.shape) == 3)
    parts, places, groups = [], {}, {}
    for i, row in enumerate(rows):
        x, maps = 32 + i * pitch, len(row.shape) == 3
        height = 18 + (high - 18) * np.log2(row.shape[-1]) / np.log2(largest) if maps else 18
        color = COLORS["sky" if maps else "orange"]
        parts.append(svg.box(x, base - height, 0.62 * pitch, height, COLORS["ink"], 1, color, 0.5, "layer"))
        places[row.name] = x, height
        groups.setdefault(row.shape, []).append(x)
    end = lower = deepest = 0  # of the words so far: they go a line down where there is no room for them
    for shape, xs in groups.items():
        left, right = xs[0], xs[-1] + 0.62 * pitch
        parts.append(svg.line(left, base + 10, right, base + 10, COLORS["grey"], 2))
        count, size = f"{len(xs)} layers" if len(xs) > 1 else "1", " × ".join(map(str, shape))
        middle, half = (left + right) / 2, 3.4 * len(size)
        lower = 18 if middle - half < end and not lower else 0
        end, deepest = middle + half, max(deepest, lower)
        for y, line in ((base + 28, count), (base + 46 + lower, size)):
            parts.append(svg.text(middle, y, line, 13))
    for prefix, dashed in around:
        inside = [place for name, place in places.items() if name.startswith(prefix)]
        left, right = inside[0][0] - 0.19 * pitch, inside[-1][0] + 0.81 * pitch
        top = base - max(height for _, height in inside) - 16
        around_it = f"M{left:.1f} {base - 6}V{top:.1f}H{right:.1f}V{base - 6}"
        parts.append(svg.path(around_it, COLORS["blue"], 2, "around", "4 3" if dashed else ""))
    return svg.picture(64 + len(rows) * pitch, base + 58 + deepest, *parts)
