"""Cells of grids as SVG. Their colours mean the same in all pictures: orange is what is being read, blue what is being
written, dashed grey is padding, and a hatched cell is one that nothing reads.
"""

from course_utils.figures import svg
from course_utils.figures.style import COLORS

FILLS = {"read": (COLORS["orange"], 0.55), "current": (COLORS["blue"], 1)}
FILLS |= {"output": (COLORS["sky"], 0.35), "padding": (COLORS["light"], 0.5)}


def words(x, y, text, size=14, color=COLORS["ink"], anchor="middle", weight="normal"):
    """A text around the height y, as a cell has it around its middle."""
    return svg.text(x, y + 0.36 * size, text, size, color, anchor, weight)


def heading(x, y, text, size=16):
    """A text in bold that starts at x, above what it names."""
    return words(x, y, text, size, anchor="start", weight="bold")


def cell(x, y, side, text="", kind="input", size=None):
    """A square with its text. kind: input, padding, read, unread, output, current or blank."""
    dashed = kind == "padding"
    fill, opacity = FILLS.get(kind, ("white", 1))
    parts = svg.box(x, y, side, side, COLORS["grey"], 1, fill, opacity, kind, "3 2" if dashed else "")
    if kind == "unread":  # lines rather than a pattern: a pattern needs an id
        parts += _hatching(x, y, side)
    if text == "":
        return parts
    color = "white" if kind == "current" else COLORS["grey" if dashed else "ink"]
    bold = "bold" if kind in ("read", "current") else "normal"
    return parts + words(x + side / 2, y + side / 2, text, size or max(9, min(17, 0.45 * side)), color, weight=bold)


def number(value):
    """A number as it stands in a cell."""
    text = f"{value:.0f}" if float(value).is_integer() else f"{value:.2g}"
    return text.replace("-", "−")


def _hatching(x, y, side):
    third = side / 3
    ends = [(max(0, k - 3) * third, min(3, k) * third) for k in range(1, 6)]
    return svg.strokes([(x + a, y + b, x + b, y + a) for a, b in ends], COLORS["red"], 1.2, 0.75)
