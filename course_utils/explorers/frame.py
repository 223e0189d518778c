"""Explorers that live in the page: a self-contained page of the kit and one script, in a frame over a static figure."""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from course_utils.figures.style import COLORS

FOLDER = Path(__file__).parent
KIT = ("kit.js", "drawing.js", "windows.js")

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Explorer</title>
<style>
:root {{ {colors} }}
{style}</style>
<main><form><div></div><div></div></form><p role="status"></p></main>
<script>
"use strict";
const DATA = {data};
{scripts}</script>
</html>
"""


def page(script: str, data: dict) -> str:
    """The page of an explorer: `script` is its file in this folder, `data` what the file finds in `DATA`."""
    colors = " ".join(f"--{name}: {value};" for name, value in COLORS.items())
    scripts = "".join(_read(name) for name in (*KIT, script))
    values = json.dumps(data, ensure_ascii=False).replace("</", r"<\/")  # a tag would end the script
    return PAGE.format(colors=colors, style=_read("kit.css"), data=values, scripts=scripts)


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Explorer:
    """A page, over the figure that it starts from: an SVG with its alt text.

    The figure stands wherever frames or scripts are taken out. Where the page runs, it takes the figure's place.
    """

    page: str
    figure: str
    alt: str

    def _repr_html_(self) -> str:
        source = "data:image/svg+xml," + quote(self.figure, safe=" ()*+,/:;=?@")
        image = f'<img alt="{escape(self.alt)}" src="{source}" style="max-width: 100%">'
        # Without height until the page runs. The two bounds are for reveal.js, which sets its own.
        style = "display: block; border: 0; width: 100%; height: 0; max-width: none; max-height: none"
        frame = f'<iframe title="Explorer" style="{style}" srcdoc="{escape(self.page)}"></iframe>'
        return f'<div><figure style="margin: 0">{image}</figure>{frame}</div>'

    def __repr__(self) -> str:
        return f"Explorer: {self.alt}"
