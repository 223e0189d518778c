"""Pictures of chapter 06: what a convolution reads. Grids are SVG strings, measured curves are Figures.

Colours mean the same throughout: orange is what is being read, blue what is being written, dashed grey is padding,
and a hatched cell is one that nothing reads.
"""

from course_utils.figures import svg
from course_utils.figures.style import COLORS

INK, ORANGE, BLUE, GREY = COLORS["ink"], COLORS["orange"], COLORS["blue"], COLORS["grey"]
READERS = [COLORS[name] for name in ("blue", "red", "green", "purple")]  # neighbouring outputs, told apart


def _text(x, y, words, size=14, color=INK, anchor="middle", weight="normal"):
    """Words around the height y, for cells of a grid."""
    return svg.text(x, y + 0.36 * size, words, size, color, anchor, weight)


def _cell(x, y, side, text="", kind="input", size=None):
    """A square with its text. kind: input, padding, read, unread, output, current or blank."""
    fill, opacity = {
        "read": (ORANGE, 0.55),
        "current": (BLUE, 1),
        "output": (COLORS["sky"], 0.35),
        "padding": (COLORS["light"], 0.5),
    }.get(kind, ("white", 1))
    dashed = kind == "padding"
    box = svg.box(x, y, side, side, GREY, 1, fill, opacity, kind, "3 2" if dashed else "")
    if kind == "unread":  # lines rather than a pattern: a pattern needs an id
        third = side / 3
        strokes = "".join(
            f"M{x + max(0, k - 3) * third:.1f} {y + min(3, k) * third:.1f}"
            f"L{x + min(3, k) * third:.1f} {y + max(0, k - 3) * third:.1f}"
            for k in range(1, 6)
        )
        box += f'<path d="{strokes}" stroke="{COLORS["red"]}" stroke-width="1.2" opacity="0.75"/>'
    if text == "":
        return box
    color = "white" if kind == "current" else GREY if dashed else INK
    bold = "bold" if kind in ("read", "current") else "normal"
    return box + _text(x + side / 2, y + side / 2, text, size or max(9, min(17, 0.45 * side)), color, weight=bold)


def _number(value):
    text = f"{value:.0f}" if float(value).is_integer() else f"{value:.2g}"
    return text.replace("-", "−")


def reading(*panels):
    """Rows of inputs (below) and outputs (above), a line from each output to each input that it reads.

    A panel is (label, size, padding, reads): the number of inputs, the padding on each side, and for each output the
    list of positions that it reads. Inputs that no output reads are hatched. Returns an SVG string.
    """
    side, top, height, left = 46, 44, 172, 14
    widest = max(size + 2 * padding for _, size, padding, _ in panels)
    parts = []
    for row, (label, size, padding, reads) in enumerate(panels):
        y_out, y_in = top + row * height, top + row * height + 76
        seen = {j for positions in reads for j in positions}

        def centre(j, padding=padding):
            return left + (j + padding + 0.5) * side

        parts.append(_text(left, y_out - 26, label, 16, anchor="start", weight="bold"))
        for i, positions in enumerate(reads):
            color = READERS[i % len(READERS)]
            middle = sum(map(centre, positions)) / len(positions)
            parts += [svg.line(middle, y_out + 26, centre(j), y_in, color, 2) for j in positions]
            parts.append(svg.box(middle - 15, y_out - 4, 30, 30, color, 2, color, 0.2, "output"))
            parts.append(_text(middle, y_out + 11, i, 15, weight="bold"))
        for j in range(-padding, size + padding):
            inside = 0 <= j < size
            kind = ("input" if inside else "padding") if j in seen else "unread"
            parts.append(_cell(centre(j) - side / 2, y_in, side, _number(j), kind, 15))
        end = left + (size + 2 * padding) * side + 12
        parts.append(_text(end, y_out + 11, f"outputs i: {len(reads)}", 14, GREY, "start"))
        parts.append(_text(end, y_in + side / 2, f"inputs j: {size}", 14, GREY, "start"))
    return svg.picture(left + widest * side + 130, len(panels) * height - 2, *parts)


def window(x, weight, y, position, rows, columns, *, padding=0, unread=((), ()), notes=()):
    """One output being computed: the padded input with the window on it, the products, the output.

    x: H x W, weight: KH x KW, y: the whole output. position: (row, column) of y. rows, columns: the input rows and
    columns that this output reads (padding has numbers below 0 or past the end). unread: the rows and columns that no
    output reads, hatched. notes: up to six lines of text beside it. Returns an SVG string.
    """
    # Places are fixed, so that nothing jumps when a slider moves.
    top, middle, right, below = 34, 410, 650, 282
    height, width = len(x) + 2 * padding, len(x[0]) + 2 * padding
    side = min(44, 360 / max(height, width))
    parts = [_text(12, 16, "input" + (f", padded by {padding}" if padding else ""), 16, anchor="start", weight="bold")]
    for r in range(-padding, len(x) + padding):
        for c in range(-padding, len(x[0]) + padding):
            inside = 0 <= r < len(x) and 0 <= c < len(x[0])
            hidden = r in unread[0] or c in unread[1]
            kind = "read" if r in rows and c in columns else "unread" if hidden else "input" if inside else "padding"
            value = x[r][c] if inside else 0
            parts.append(_cell(12 + (c + padding) * side, top + (r + padding) * side, side, _number(value), kind))
    reach = [(numbers[-1] - numbers[0] + 1) * side for numbers in (columns, rows)]
    corner = 12 + (columns[0] + padding) * side, top + (rows[0] + padding) * side
    parts.append(svg.box(*corner, *reach, COLORS["red"], 3, kind="window"))

    cell = min(56, 200 / len(weight))
    parts.append(_text(middle, 16, "pixel × weight", 16, anchor="start", weight="bold"))
    total = 0
    for p, r in enumerate(rows):
        for q, c in enumerate(columns):
            value = x[r][c] if 0 <= r < len(x) and 0 <= c < len(x[0]) else 0
            total += value * weight[p][q]
            text = f"{_number(value)}×{_number(weight[p][q])}"
            parts.append(_cell(middle + q * cell, top + p * cell, cell, text, "read", min(17, 0.3 * cell)))
    parts.append(_text(middle, top + len(weight) * cell + 22, f"sum = {_number(total)}", 17, INK, "start", "bold"))

    side = min(44, 210 / max(len(y), len(y[0])))
    title = f"output {len(y)} × {len(y[0])}, here [{position[0]}, {position[1]}]"
    parts.append(_text(right, 16, title, 16, anchor="start", weight="bold"))
    for r, line in enumerate(y):
        for c, value in enumerate(line):
            kind = "current" if (r, c) == tuple(position) else "output"
            text = _number(value) if side >= 22 else ""  # three figures need that much
            parts.append(_cell(right + c * side, top + r * side, side, text, kind))
    parts += [_text(middle, below + 22 * k, note, 16, anchor="start") for k, note in enumerate(notes)]
    return svg.picture(872, 402, *parts)


def message(*lines):
    """Lines of text in the place of `window`: what is wrong and how to mend it. Returns an SVG string."""
    parts = [_text(16, 30 + 26 * k, line, 16, INK, "start", "normal" if k else "bold") for k, line in enumerate(lines)]
    return svg.picture(872, 402, svg.box(1, 1, 870, 26 * len(lines) + 32, COLORS["red"], 2), *parts)


def counts(panels, side=34):
    """Grids of whole numbers side by side; zeros are hatched, larger numbers darker.

    panels: pairs (label, two-dimensional array). Returns an SVG string.
    """
    parts, left = [], 12
    most = max(value for _, grid in panels for line in grid for value in line)
    for label, grid in panels:
        parts.append(_text(left, 18, label, 15, anchor="start", weight="bold"))
        for r, line in enumerate(grid):
            for c, value in enumerate(line):
                x, y = left + c * side, 38 + r * side
                if value == 0:
                    parts.append(_cell(x, y, side, "0", "unread"))
                    continue
                parts.append(svg.box(x, y, side, side, GREY, 1, ORANGE, round(0.15 + 0.7 * value / most, 2), "read"))
                parts.append(_text(x + side / 2, y + side / 2, _number(value), 0.42 * side))
        left += max(len(grid[0]) * side, 8.2 * len(label)) + 34
    return svg.picture(left - 22, 38 + side * max(len(grid) for _, grid in panels) + 10, *parts)


def matrix(names, row_labels, column_labels):
    """A matrix whose entries are names of weights, one colour a weight; empty entries are zeros.

    names: a list of rows of strings, "" for a zero. Returns an SVG string.
    """
    known = sorted({name for line in names for name in line if name})
    hues = [BLUE, ORANGE, COLORS["green"], COLORS["purple"], COLORS["sky"], COLORS["red"]]
    group = max(1, round(len(known) ** 0.5))
    side, left, top = 46, 58, 40
    parts = [_text(left + (c + 0.5) * side, 20, label, 14, GREY) for c, label in enumerate(column_labels)]
    for r, line in enumerate(names):
        parts.append(_text(left - 10, top + (r + 0.5) * side, row_labels[r], 14, GREY, "end"))
        for c, name in enumerate(line):
            x, y = left + c * side, top + r * side
            if name:
                k = known.index(name)
                shade = 0.25 + 0.5 * (k % group) / max(1, group - 1)
                parts.append(svg.box(x, y, side, side, GREY, 1, hues[k // group % len(hues)], shade, "weight"))
                parts.append(_text(x + side / 2, y + side / 2, name, 14, weight="bold"))
            else:
                parts.append(_cell(x, y, side, "0", "padding", 12))
    return svg.picture(left + len(column_labels) * side + 12, top + len(names) * side + 12, *parts)


def volumes(input_shape, kernel_size, output_shape, start, position, chosen):
    """Two volumes with their slices drawn apart: the window through all input channels, the depth column it fills.

    Shapes are (channels, height, width); start: the window's first row and column; position: the output's row and
    column; chosen: the activation map shown in blue. Returns an SVG string.
    """
    scale, shift, rise = 4.6, 44, 13

    def slices(left, shape, row, column, extent, color, blue):
        channels, height, width = shape
        base = 84 + rise * 6
        found = []
        for c in reversed(range(channels)):
            x, y = left + shift * c, base - rise * c
            fill, opacity = (COLORS["sky"], 0.75) if c == blue else ("white", 0.82)
            found.append(svg.box(x, y, width * scale, height * scale, BLUE if c == blue else GREY, 1.5, fill, opacity))
            found.append(
                svg.box(x + column * scale, y + row * scale, extent * scale, extent * scale, INK, 1, color, 0.9, "read")
            )
        first = (left + (column + extent / 2) * scale, base + (row + extent / 2) * scale)
        last = (first[0] + shift * (channels - 1), first[1] - rise * (channels - 1))
        found.append(svg.line(*first, *last, COLORS["red"], 2))
        return found, last, first, left + shift * (channels - 1) + width * scale, base + height * scale

    left, end, _, edge, low = slices(16, input_shape, *start, kernel_size, ORANGE, None)
    right, _, begin, far, low2 = slices(edge + 96, output_shape, *position, 1.6, ORANGE, chosen)
    size = " × ".join
    labels = [
        _text(16, 20, f"input volume {size(map(str, (*input_shape[1:], input_shape[0])))}", 16, INK, "start", "bold"),
        _text(16, 44, f"one unit reads {kernel_size} × {kernel_size} × {input_shape[0]}", 15, INK, "start"),
        _text(
            edge + 96,
            20,
            f"output volume {size(map(str, (*output_shape[1:], output_shape[0])))}",
            16,
            INK,
            "start",
            "bold",
        ),
        _text(edge + 96, 44, f"red line: a depth column, 1 × 1 × {output_shape[0]}", 15, INK, "start"),
        _text(edge + 96, 66, f"blue: an activation map, {output_shape[1]} × {output_shape[2]}", 15, INK, "start"),
    ]
    return svg.picture(far + 16, max(low, low2) + 14, *labels, *left, *right, svg.line(*end, *begin, GREY, 1.5))


def cone(*stacks):
    """Stacks of layers in one dimension: from one unit at the top down to all the input pixels that reach it.

    A stack is (label, levels); levels run from the top unit down to the input. A level is (label, start, jump, count,
    reads): the centre of its first unit in input pixels, the distance of two units in input pixels, the number of
    units, and for each unit that is reached the positions that it reads one level below. Returns an SVG string.
    """
    unit, gap, parts, left = 30, 64, [], 14
    deepest = max(len(levels) for _, levels in stacks)
    for label, levels in stacks:
        parts.append(_text(left, 18, label, 16, anchor="start", weight="bold"))
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
                    parts.append(svg.line(places[k][i], y + side, places[k + 1][j], y + gap, GREY, 1.2))
            for i in range(count):
                kind = "current" if k == 0 and i in reached else "read" if i in reached else "input"
                parts.append(_cell(places[k][i] - side / 2, y, side, "", kind))
            parts.append(
                _text(
                    left + width + 10,
                    y + side / 2,
                    f"{name}: {len(reached)} {'pixel' if bottom else 'unit'}{'s' * (len(reached) > 1)}",
                    14,
                    INK,
                    "start",
                )
            )
            reached = following or reached
        left += width + 150
    return svg.picture(left, 46 + deepest * gap - 24, *parts)


def costs(layers, title):
    """Shares of parameters and of multiply-adds, a bar a layer. layers: (name, parameters, multiply-adds). A Figure."""
    import matplotlib.pyplot as plt

    names = [name for name, _, _ in layers]
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 0.28 * len(layers) + 1.3))
    for axis, column, word in zip(axes, (1, 2), ("parameters", "multiply-adds"), strict=True):
        total = sum(layer[column] for layer in layers)
        shares = [100 * layer[column] / total for layer in layers]
        colors = [ORANGE if name.startswith("fc") else BLUE for name in names]
        bars = axis.barh(names, shares, color=colors, hatch=["//" if name.startswith("fc") else "" for name in names])
        axis.bar_label(bars, [f"{share:.1f}" for share in shares], padding=3, fontsize=9)
        axis.set_xlabel(f"share of the {word} of {title} [%]")
        axis.set_xlim(0, max(shares) * 1.15)
    axes[0].invert_yaxis()
    return figure


def effective(profiles, image, box):
    """Left: how the gradient of one unit spreads over the input, a curve a depth; right: the same in two dimensions.

    profiles: (label, offsets in pixels, measured shares, expected shares); their ends are those of the theoretical
    receptive field. image: gradient magnitudes in two dimensions; box: side of that field in pixels, centred. Returns a
    Figure.
    """
    import matplotlib.pyplot as plt

    figure, (curve, picture) = plt.subplots(1, 2, figsize=(9.6, 3.5), width_ratios=(1.6, 1))
    for (label, offsets, values, expected), style in zip(profiles, ("-", "--", "-."), strict=False):
        (line,) = curve.plot(offsets, values, style, label=label)
        curve.plot(offsets, expected, color=INK, linewidth=0.8)
        ends = [offsets[0], offsets[-1]]
        curve.plot(ends, [0, 0], "|", color=line.get_color(), markersize=14, markeredgewidth=2.5)
    curve.set_xlabel("distance from the unit's centre [input pixels]")
    curve.set_ylabel("share of the squared gradient")
    curve.legend()
    side = len(image)
    picture.imshow(image, cmap="magma")
    corner = (side - box) / 2 - 0.5
    picture.add_patch(plt.Rectangle((corner, corner), box, box, fill=False, edgecolor=COLORS["sky"], linewidth=2))
    picture.set_xlabel("input column [pixels]")
    picture.set_ylabel("input row [pixels]")
    return figure
