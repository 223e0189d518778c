"""The course's pictures, one file a theme: each function returns a Figure or an SVG string and decides nothing."""

from course_utils.figures.style import COLORS, use_course_style

__all__ = ["COLORS", "use_course_style"]
