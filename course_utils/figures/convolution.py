"""Pictures of chapter 06: what a convolution reads, as SVG strings; the colours are those of `grid`."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from course_utils.figures import svg
from course_utils.figures.grid import cell, heading, number, words
from course_utils.figures.style import COLORS

INK, ORANGE, BLUE, GREY = COLORS["ink"], COLORS["orange"], COLORS["blue"], COLORS["grey"]
READERS = [COLORS[name] for name in ("blue", "red", "green", "purple")]  # neighbouring outputs, told apart


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

        parts.append(heading(left, y_out - 26, label))
        for i, positions in enumerate(reads):
            color = READERS[i % len(READERS)]
            middle = sum(map(centre, positions)) / len(positions)
            parts += [svg.line(middle, y_out + 26, centre(j), y_in, color, 2) for j in positions]
            parts.append(svg.box(middle - 15, y_out - 4, 30, 30, color, 2, color, 0.2, "output"))
            parts.append(words(middle, y_out + 11, i, 15, weight="bold"))
        for j in range(-padding, size + padding):
            inside = 0 <= j < size
            kind = ("input" if inside else "padding") if j in seen else "unread"
            parts.append(cell(centre(j) - side / 2, y_in, side, number(j), kind, 15))
        end = left + (size + 2 * padding) * side + 12
        parts.append(words(end, y_out + 11, f"outputs i: {len(reads)}", 14, GREY, "start"))
        parts.append(words(end, y_in + side / 2, f"inputs j: {size}", 14, GREY, "start"))
    return svg.picture(left + widest * side + 130, len(panels) * height - 2, *parts)


def window(
    padded, weight, bias, y, position, rows, columns, *, padding=0, unread=(), photograph=False, note="", source=""
):
    """One output being computed: the padded image with the window on it, the products, their sums, the output.

    padded: channels x H x W, one or three, 0 to 255 in a photograph; weight: channels x K x K; y: the whole output.
    position: (row, column) of y. rows, columns: those of `padded` that this output reads. unread: the rows and columns
    that no output reads, hatched in an image of numbers. note: words under the output; source: those at the bottom.
    Returns an SVG string.
    """
    wide = 250 if len(padded) == 1 else 112
    parts = [heading(8, 14, "image" + (f", padded by {padding}" if padding else ""))]
    parts += [heading(at, 14, title) for at, title in ((296, "pixels × weights = products"), (690, "sum"))]
    rest, sums = range(padding, len(padded[0]) - padding), []

    def kind(i, j):
        hidden = "unread" if i in unread or j in unread else "input" if i in rest and j in rest else "padding"
        return "read" if i in rows and j in columns else hidden

    for c, plane in enumerate(np.asarray(padded, float)):
        middle = 34 + (wide / 2 if len(padded) == 1 else 120 * (c + 0.5))  # of the channel's row
        corner, side = (258 - wide, middle - wide / 2), wide / len(plane)
        parts.append(_sheet(*corner, side, plane, kind, (0, 255) if photograph else None))
        reach = (rows[-1] - rows[0] + 1) * side
        begin = corner[0] + columns[0] * side, corner[1] + rows[0] * side
        parts.append(svg.box(*begin, reach, reach, COLORS["red"], 2.5, kind="window"))
        if len(padded) > 1:
            parts.append(words(corner[0] - 10, middle, ("red", "green", "blue")[c], 14, anchor="end"))
        pixels = plane[np.ix_(rows, columns)]
        parts.append(_products(middle, pixels, weight[c]))
        sums.append((middle, (pixels * weight[c]).sum()))
    sums.append((sums[-1][0] + 40, bias))
    parts += _output(y, position, sums, photograph, note)
    height = 370 if len(padded) == 1 else 424
    if source:
        parts.append(words(8, height - 12, source, 11, GREY, "start"))
    return svg.picture(1064, height, *parts)


def rounded(value):
    """A number as the explorers write it: with about three digits, halves rounded up; a whole one with all."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = Decimal(float(value)).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)
    return f"{float(text) + 0:.10g}".replace("-", "−")  # + 0: no minus before a 0


def _sheet(left, top, side, values, kind, tones):
    """A square of values: each in its cell, of a kind; or as pixels, if `tones` are the darkest and the brightest."""
    if tones:
        levels = (np.asarray(values, float) - tones[0]) / max(tones[1] - tones[0], 1e-9)
        pixels = np.dstack([np.rint(255 * levels)] * 3 + [np.full(levels.shape, 255)]).astype(np.uint8)
        return svg.image(left, top, side * len(values), side * len(values), pixels)
    return "".join(
        cell(left + j * side, top + i * side, side, rounded(value) if side >= 14 else "", kind(i, j))
        for i, line in enumerate(values)
        for j, value in enumerate(line)
    )


def _products(middle, pixels, weight):
    """Three blocks side by side, around the height `middle`: pixels, weights and their products."""
    side = min(40, 105 / len(weight))
    half = side * len(weight) / 2
    parts = [words(414, middle, "×", 18), words(545, middle, "=", 18)]
    for centre, values, kind in ((348.5, pixels, "read"), (479.5, weight, "weight"), (610.5, pixels * weight, "read")):
        for p, line in enumerate(values):
            for q, text in enumerate(map(rounded, line)):
                size = side * min(0.4, 1.35 / len(text))
                parts.append(cell(centre - half + q * side, middle - half + p * side, side, text, kind, size))
    return "".join(parts)


def _output(y, position, sums, photograph, note):
    """The sums of the channels and the bias, at their heights; the output that they add up to; words below it."""
    side, (row, column) = min(50, 250 / len(y)), position
    tones, end = (np.min(y), np.max(y)) if photograph else None, 34 + (row + 0.5) * side
    parts = [heading(806, 14, f"output, {len(y)} × {len(y)}"), words(720, sums[-1][0] + 24, "bias", 14)]
    parts.append(_sheet(806, 34, side, y, lambda i, j: "current" if (i, j) == (row, column) else "output", tones))
    if photograph:
        parts.append(svg.box(806 + column * side, 34 + row * side, side, side, BLUE, 3, kind="current"))
    for height, value in sums:
        parts += [svg.line(750, height, 803, end, BLUE), svg.box(690, height - 13, 60, 26, GREY, 1, "white")]
        parts.append(words(720, height, rounded(value), 15))
    terms = "".join(f" {'−' if value < 0 else '+'} {rounded(abs(value))}" for _, value in sums[1:])
    equation = f"{rounded(sums[0][1])}{terms} = {rounded(y[row][column])}"
    parts.append(heading(806, 62 + len(y) * side, equation, min(16, 440 / len(equation))))
    return [*parts, *([words(806, 86 + len(y) * side, note, 14, anchor="start")] if note else [])]


def counts(panels, side=34):
    """Grids of whole numbers side by side; zeros are hatched, larger numbers darker.

    panels: pairs (label, two-dimensional array). Returns an SVG string.
    """
    parts, left = [], 12
    most = max(value for _, grid in panels for line in grid for value in line)
    for label, grid in panels:
        parts.append(heading(left, 18, label, 15))
        for r, line in enumerate(grid):
            for c, value in enumerate(line):
                x, y = left + c * side, 38 + r * side
                if value == 0:
                    parts.append(cell(x, y, side, "0", "unread"))
                    continue
                parts.append(svg.box(x, y, side, side, GREY, 1, ORANGE, round(0.15 + 0.7 * value / most, 2), "read"))
                parts.append(words(x + side / 2, y + side / 2, number(value), 0.42 * side))
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
    parts = [words(left + (c + 0.5) * side, 20, label, 14, GREY) for c, label in enumerate(column_labels)]
    for r, line in enumerate(names):
        parts.append(words(left - 10, top + (r + 0.5) * side, row_labels[r], 14, GREY, "end"))
        for c, name in enumerate(line):
            x, y = left + c * side, top + r * side
            if name:
                k = known.index(name)
                shade = 0.25 + 0.5 * (k % group) / max(1, group - 1)
                parts.append(svg.box(x, y, side, side, GREY, 1, hues[k // group % len(hues)], shade, "weight"))
                parts.append(words(x + side / 2, y + side / 2, name, 14, weight="bold"))
            else:
                parts.append(cell(x, y, side, "0", "padding", 12))
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
            seen = x + column * scale, y + row * scale, extent * scale, extent * scale
            found.append(svg.box(*seen, INK, 1, color, 0.9, "read"))
        first = (left + (column + extent / 2) * scale, base + (row + extent / 2) * scale)
        last = (first[0] + shift * (channels - 1), first[1] - rise * (channels - 1))
        found.append(svg.line(*first, *last, COLORS["red"], 2))
        return found, last, first, left + shift * (channels - 1) + width * scale, base + height * scale

    left, end, _, edge, low = slices(16, input_shape, *start, kernel_size, ORANGE, None)
    right, _, begin, far, low2 = slices(edge + 96, output_shape, *position, 1.6, ORANGE, chosen)

    def size(channels, height, width):
        return f"{height} × {width} × {channels}"

    labels = [
        heading(16, 20, f"input volume {size(*input_shape)}"),
        words(16, 44, f"one unit reads {kernel_size} × {kernel_size} × {input_shape[0]}", 15, anchor="start"),
        heading(edge + 96, 20, f"output volume {size(*output_shape)}"),
        words(edge + 96, 44, f"red line: a depth column, 1 × 1 × {output_shape[0]}", 15, anchor="start"),
        words(edge + 96, 66, f"blue: an activation map, {output_shape[1]} × {output_shape[2]}", 15, anchor="start"),
    ]
    return svg.picture(far + 16, max(low, low2) + 14, *labels, *left, *right, svg.line(*end, *begin, GREY, 1.5))
