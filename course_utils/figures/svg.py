"""Elements of SVG pictures as strings, for what is redrawn while it is dragged.

Coordinates are pixels, y downwards; `kind` is an element's class. No ids, so that many pictures may stand on a page.
"""

import base64
import io
from html import escape

from course_utils.figures.style import COLORS


def picture(width, height, *parts):
    """The whole picture around its parts, on a white ground of its own, for dark themes."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'style="max-width: 100%; height: auto; background: white" font-family="Helvetica, Arial, sans-serif">'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>{"".join(parts)}</svg>'
    )


def text(x, y, words, size=14, color=COLORS["ink"], anchor="middle", weight="normal"):
    """Words on one line; y is the line that the letters stand on. anchor: start, middle or end."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(str(words))}</text>'
    )


def upwards(x, y, part):
    """A part turned about (x, y), such that its words run upwards."""
    return f'<g transform="rotate(-90 {x:g} {y:g})">{part}</g>'


def line(x1, y1, x2, y2, color=COLORS["ink"], width=1.5, kind="", dash=""):
    """A straight line with round ends."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width:g}" '
        f'stroke-linecap="round"{_extras(kind, dash)}/>'
    )


def strokes(ends, color=COLORS["ink"], width=1.5, opacity=1):
    """Straight strokes, each from (x1, y1) to (x2, y2), as one element; ends: x1, y1, x2, y2 of each."""
    path = "".join(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" for x1, y1, x2, y2 in ends)
    return f'<path d="{path}" stroke="{color}" stroke-width="{width:g}" opacity="{opacity:g}"/>'


def dots(points, size, color=COLORS["ink"], opacity=1):
    """Round dots of that size at the points, pairs (x, y), as one element."""
    path = "".join(f"M{x:.1f} {y:.1f}L{x + 0.1:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{path}" stroke="{color}" stroke-width="{size:g}" stroke-linecap="round" opacity="{opacity:g}"/>'


def polyline(points, color=COLORS["ink"], width=1.5, kind=""):
    """A line through the points, pairs (x, y)."""
    return f'<polyline points="{_pairs(points)}" fill="none" stroke="{color}" stroke-width="{width:g}"{_extras(kind)}/>'


def path(commands, color=COLORS["ink"], width=1.5, kind="", dash=""):
    """A line along the commands of an SVG path, such as "M0 0V5H9": move to, down or up to, across to."""
    return f'<path d="{commands}" fill="none" stroke="{color}" stroke-width="{width:g}"{_extras(kind, dash)}/>'


def polygon(points, fill, kind=""):
    """The area between the points, pairs (x, y)."""
    return f'<polygon points="{_pairs(points)}" fill="{fill}"{_extras(kind)}/>'


def box(x, y, width, height, color=COLORS["ink"], stroke=1, fill="none", opacity=1, kind="", dash=""):
    """A rectangle; opacity is that of its filling, stroke the width of its frame."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f"{_filled(color, stroke, fill, opacity)}{_extras(kind, dash)}/>"
    )


def circle(x, y, radius, color=COLORS["ink"], stroke=1, fill="none", opacity=1, kind="", dash=""):
    """A circle about (x, y), filled and framed as a `box` is."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" '
        f"{_filled(color, stroke, fill, opacity)}{_extras(kind, dash)}/>"
    )


def image(x, y, width, height, pixels):
    """An array of pixels (H x W x 4 bytes: red, green, blue, opacity), stretched over the box, each kept sharp."""
    from PIL import Image

    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "png")
    data = base64.b64encode(png.getvalue()).decode()
    return (
        f'<image x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" preserveAspectRatio="none" '
        f'style="image-rendering: pixelated" href="data:image/png;base64,{data}"/>'
    )


def _pairs(points):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _filled(color, stroke, fill, opacity):
    return f'fill="{fill}" fill-opacity="{opacity:g}" stroke="{color}" stroke-width="{stroke:g}"'


def _extras(kind, dash=""):
    return (f' class="{kind}"' if kind else "") + (f' stroke-dasharray="{dash}"' if dash else "")
