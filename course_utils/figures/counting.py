"""Pictures of chapter 05 as SVG strings: a layer wired in three ways, and what it costs to learn and to keep."""

from math import log10

from course_utils.figures import svg
from course_utils.figures.convolution import rounded
from course_utils.figures.grid import heading, words
from course_utils.figures.style import COLORS

GREY = COLORS["grey"]
LEFT, RIGHT, DECADES = 190, 890, 14  # of the axis, which begins at 1
UNITS = [(1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1, "")]
MEMORY = [(1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1, " B")]
TICKS = {0: "1", 3: "thousand", 6: "million", 9: "billion", 12: "trillion"}
CARD = 80e9  # bytes: the memory of a large GPU (NVIDIA's H100)
WEIGHTS = [COLORS[name] for name in ("blue", "orange", "green")]


def amount(count):
    """A whole number in words: all digits up to a million, then about three: 1.23 million."""
    return f"{count:,}" if count < 1e6 else _scaled(count, UNITS)


def memory(count):
    """The memory of so many numbers in float32, four bytes each."""
    return _scaled(4 * count, MEMORY)


def _scaled(value, units):
    scale, name = next(unit for unit in units if value >= unit[0])
    return rounded(value / scale) + name


def counts(groups, note=""):
    """Bars on a logarithmic axis: how many numbers, and how much memory they take.

    groups: (title, rows); a row is (label, formula, number, colour's name). note: words at the bottom.
    """
    parts, y = [], 14
    for title, rows in groups:
        parts.append(heading(8, y, title))
        for label, formula, count, color in rows:
            y += 40
            parts.append(words(LEFT - 10, y - 7, label, 14, anchor="end"))
            parts.append(words(LEFT - 10, y + 9, formula, 12, GREY, "end"))
            parts.append(svg.box(LEFT, y - 12, _across(count) - LEFT, 24, COLORS[color], 0, COLORS[color], 1, "bar"))
            told = f"{amount(count)} · {memory(count)}"
            parts.append(svg.box(_across(count) + 4, y - 11, 7.6 * len(told), 22, "white", 0, "white"))
            parts.append(words(_across(count) + 8, y, told, 14, anchor="start", weight="bold"))
        y += 40
    parts.append(words(8, y + 40, note, 12, GREY, "start"))
    return svg.picture(1064, y + 54, *_axis(y - 14), *parts)


def _across(count):
    return LEFT + (RIGHT - LEFT) * log10(count) / DECADES


def _axis(y):
    """The axis at height y, in numbers and in bytes, and a line where the memory of a large GPU ends."""
    parts = [svg.line(LEFT, y, RIGHT, y, GREY, 1)]
    for power, name in TICKS.items():
        x = _across(10.0**power)
        parts.append(svg.line(x, 26, x, y, COLORS["light"], 1))
        parts += [words(x, y + 12, name, 12, GREY), words(x, y + 28, memory(10**power), 12, GREY)]
    card = _across(CARD / 4)
    parts.append(svg.line(card, 26, card, y, COLORS["red"], 1.5, dash="5 4"))
    return [*parts, words(card, 14, "80 GB: a large GPU", 12, COLORS["red"])]


def wiring(*panels):
    """Rows of inputs (below) and units (above), a line for each weight; equal weights have one colour, others are grey.

    A panel is (label, size, lines): lines are (unit, input, index of its colour or None).
    """
    step, top, tall, left, parts = 34, 44, 120, 20, []
    for label, size, lines in panels:
        units = sorted({unit for unit, _, _ in lines})
        start = left + (size - len(units)) / 2 * step
        parts.append(heading(left, 14, label, 14))
        for unit, place, color in lines:
            ends = start + (unit + 0.5) * step, top + 12, left + (place + 0.5) * step, top + tall - 12
            parts.append(
                svg.line(*ends, GREY if color is None else WEIGHTS[color], 1 if color is None else 2.5, "weight")
            )
        for count, x, y, fill in ((len(units), start, top, "sky"), (size, left, top + tall, "orange")):
            for i in range(count):
                parts.append(svg.circle(x + (i + 0.5) * step, y, 12, COLORS["ink"], 1, COLORS[fill], 0.5, "unit"))
        left += size * step + 46
    return svg.picture(left - 26, top + tall + 24, *parts)
