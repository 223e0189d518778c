"""Elements of SVG pictures as strings, for what is redrawn while it is dragged.

Coordinates are pixels, y downwards; `kind` is an element's class. No ids, so that many pictures may stand on a page.
"""

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


def line(x1, y1, x2, y2, color=COLORS["ink"], width=1.5, kind="", dash=""):
    """A straight line with round ends."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width:g}" '
        f'stroke-linecap="round"{_extras(kind, dash)}/>'
    )


def box(x, y, width, height, color=COLORS["ink"], stroke=1, fill="none", opacity=1, kind="", dash=""):
    """A rectangle; opacity is that of its filling, stroke the width of its frame."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'fill-opacity="{opacity:g}" stroke="{color}" stroke-width="{stroke:g}"{_extras(kind, dash)}/>'
    )


def _extras(kind, dash):
    return (f' class="{kind}"' if kind else "") + (f' stroke-dasharray="{dash}"' if dash else "")
