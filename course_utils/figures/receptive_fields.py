"""Pictures of receptive fields: which pixels a unit depends on, and how much."""

from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

from course_utils.figures import grid, svg
from course_utils.figures.style import COLORS


def cone(*stacks):
    """SVG: stacks of layers in one dimension, from one unit at the top down to all the input pixels that reach it.

    A stack is (label, levels); levels run from the top unit down to the input. A level is (label, start, jump, count,
    reads): the centre of its first unit in input pixels, the distance of two units in input pixels, the number of
    units, and for each unit that is reached the positions that it reads one level below.
    """
    unit, gap, parts, left = 30, 64, [], 14
    deepest = max(len(levels) for _, levels in stacks)
    for label, levels in stacks:
        parts.append(grid.heading(left, 18, label))
        reached = set(levels[0][4])
        width = levels[-1][3] * unit
        places = [[left + (start + i * jump + 0.5) * unit for i in range(count)] for _, start, jump, count, _ in levels]
        for k, (name, _, _, count, reads) in enumerate(levels):
            y = 46 + k * gap
            bottom = k == len(levels) - 1
            side = unit if bottom else 24
            following = set()
            for i in sorted(reached):
                for j in reads.get(i, ()):
                    following.add(j)
                    parts.append(svg.line(places[k][i], y + side, places[k + 1][j], y + gap, COLORS["grey"], 1.2))
            for i in range(count):
                kind = "current" if k == 0 and i in reached else "read" if i in reached else "input"
                parts.append(grid.cell(places[k][i] - side / 2, y, side, "", kind))
            count_of = f"{name}: {len(reached)} {'pixel' if bottom else 'unit'}{'s' * (len(reached) > 1)}"
            parts.append(grid.words(left + width + 10, y + side / 2, count_of, anchor="start"))
            reached = following or reached
        left += width + 150
    return svg.picture(left, 46 + deepest * gap - 24, *parts)


def receptive_fields(image, fields):
    """Figure: an input image with the receptive field of one unit of each layer drawn on it.

    image: H x W; fields: (name, size, centre) each, size and centre in input pixels, pixel k centred at k.
    """
    figure, axes = plt.subplots(figsize=(4.6, 4.0))
    axes.imshow(image)
    colours = [COLORS[name] for name in ("yellow", "orange", "sky", "green", "red", "purple")]
    for (name, size, centre), colour in zip(fields, colours, strict=False):
        corner = centre - size / 2
        frame = {"fill": False, "edgecolor": colour, "linewidth": 2, "label": f"{name}: {size}"}
        axes.add_patch(Rectangle((corner, corner), size, size, **frame))
    axes.set(xlabel="column (pixels)", ylabel="row (pixels)", xlim=(-1, 32), ylim=(32, -1))
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title="field (pixels)")
    return figure


def effective(profiles, image, box):
    """Figure: how the gradient of one unit spreads over the input, a curve per depth; right, in two dimensions.

    profiles: (label, offsets in pixels, measured shares, expected shares); their ends are those of the theoretical
    receptive field. image: gradient magnitudes in two dimensions; box: side of that field in pixels, centred.
    """
    figure, (curve, picture) = plt.subplots(1, 2, figsize=(9.6, 3.5), width_ratios=(1.6, 1))
    for (label, offsets, values, expected), style in zip(profiles, ("-", "--", "-."), strict=False):
        (line,) = curve.plot(offsets, values, style, label=label)
        curve.plot(offsets, expected, color=COLORS["ink"], linewidth=0.8)
        ends = [offsets[0], offsets[-1]]
        curve.plot(ends, [0, 0], "|", color=line.get_color(), markersize=14, markeredgewidth=2.5)
    curve.set_xlabel("distance from the unit's centre [input pixels]")
    curve.set_ylabel("share of the squared gradient")
    curve.legend()
    side = len(image)
    picture.imshow(image, cmap="magma")
    corner = (side - box) / 2 - 0.5
    picture.add_patch(Rectangle((corner, corner), box, box, fill=False, edgecolor=COLORS["sky"], linewidth=2))
    picture.set_xlabel("input column [pixels]")
    picture.set_ylabel("input row [pixels]")
    return figure
