"""Pictures of chapter 06: what a convolution reads, as SVG strings; the colours are those of `grid`."""

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
    parts = [heading(12, 16, "input" + (f", padded by {padding}" if padding else ""))]
    for r in range(-padding, len(x) + padding):
        for c in range(-padding, len(x[0]) + padding):
            inside = 0 <= r < len(x) and 0 <= c < len(x[0])
            hidden = r in unread[0] or c in unread[1]
            kind = "read" if r in rows and c in columns else "unread" if hidden else "input" if inside else "padding"
            value = x[r][c] if inside else 0
            parts.append(cell(12 + (c + padding) * side, top + (r + padding) * side, side, number(value), kind))
    reach = [(numbers[-1] - numbers[0] + 1) * side for numbers in (columns, rows)]
    corner = 12 + (columns[0] + padding) * side, top + (rows[0] + padding) * side
    parts.append(svg.box(*corner, *reach, COLORS["red"], 3, kind="window"))

    place = min(56, 200 / len(weight))
    parts.append(heading(middle, 16, "pixel × weight"))
    for p, r in enumerate(rows):
        for q, c in enumerate(columns):
            value = x[r][c] if 0 <= r < len(x) and 0 <= c < len(x[0]) else 0
            text = f"{number(value)}×{number(weight[p][q])}"
            parts.append(cell(middle + q * place, top + p * place, place, text, "read", min(17, 0.3 * place)))
    total = number(y[position[0]][position[1]])
    parts.append(words(middle, top + len(weight) * place + 22, f"sum = {total}", 17, INK, "start", "bold"))

    side = min(44, 210 / max(len(y), len(y[0])))
    title = f"output {len(y)} × {len(y[0])}, here [{position[0]}, {position[1]}]"
    parts.append(heading(right, 16, title))
    for r, line in enumerate(y):
        for c, value in enumerate(line):
            kind = "current" if (r, c) == tuple(position) else "output"
            text = number(value) if side >= 22 else ""  # three figures need that much
            parts.append(cell(right + c * side, top + r * side, side, text, kind))
    parts += [words(middle, below + 22 * k, note, 16, anchor="start") for k, note in enumerate(notes)]
    return svg.picture(872, 402, *parts)


def message(*lines):
    """Lines of text in the place of `window`: what is wrong and how to mend it. Returns an SVG string."""
    parts = [heading(16, 30, lines[0])]
    parts += [words(16, 30 + 26 * k, line, 16, anchor="start") for k, line in enumerate(lines[1:], 1)]
    return svg.picture(872, 402, svg.box(1, 1, 870, 26 * len(lines) + 32, COLORS["red"], 2), *parts)


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
