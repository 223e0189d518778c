"""From the bytes of a file to the text of its cells, whichever editor wrote it; nothing but text and pictures is taken.

Notebooks of the formats 3 and 4 in JSON, in any Unicode encoding or Latin-1, and notebooks as text: percent scripts,
exported scripts, Markdown.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from course_utils.exercises.grading.pictures import LEFT_OUT, MARK, lifted

CELLS = 2_000  # in a notebook
LETTERS_OF_A_CELL = 100_000
LETTERS = 1_000_000  # in all cells
VALUES = 3_000_000  # in the JSON of a notebook, with what is left out of it: each takes memory while it is read

BINARY = {b"PK\x03\x04": "a zip file", b"%PDF": "a PDF", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture"}
BINARY |= {b"GIF8": "a picture", b"\xd0\xcf\x11\xe0": "an Office document", b"Rar!": "an archive", b"7z": "an archive"}
BEGINS = re.compile(r"# ?(%%|In ?\[[ \d]*\]:)")  # a cell of a script
FENCE = re.compile(r"```+ *\{?(i?python|code-cell)")  # code in Markdown
OPTIONS = re.compile(r"\A(---\n.*?\n---\n|(:[\w-]+:[^\n]*\n)+)", re.DOTALL)  # of a block of code in MyST's Markdown
BLANK = re.compile(r"\n(?:[ \t]*\n){2,}|^\+\+\+.*$", re.MULTILINE)  # between two texts in Markdown
TOO_MUCH = f"There is too much text in it: {LETTERS_OF_A_CELL:,} letters a cell and {LETTERS:,} in all are read."
ADVICE = "Hand in the notebook itself, the file that ends in .ipynb."


class Unreadable(Exception):
    """A file that was handed in cannot be taken for a notebook; the sentence says what came."""


@dataclass
class Cell:
    """What is taken of a cell: its kind (code or markdown), its text, its ids, the points it claims, its pictures."""

    kind: str
    source: str
    ids: tuple[str, ...] = ()
    points: float | None = None
    attachments: dict[str, str] = field(default_factory=dict)  # as they came, base64 by name
    pictures: list[tuple[str, str]] = field(default_factory=list)  # what was kept, one for each mark in the text


def cells_of(data: bytes, ending: str = ".ipynb") -> tuple[list[Cell], list[str]]:
    """The cells in the bytes of a file whose name has this ending, and remarks. Raises Unreadable."""
    text = _decoded(data)
    remarks: list[str] = []
    if text.startswith(("{", "[")):
        cells = _of_json(text, remarks)
    else:
        cells = _of_text(text, ending)
        remarks.append(f"A notebook as text was handed in; its cells were read from that. {ADVICE}")
    if len(cells) > CELLS:
        raise Unreadable(f"The notebook has {len(cells):,} cells; {CELLS:,} are read at most.")
    for cell in cells:
        cell.source = _letters(cell.source).replace(MARK, "")
        if cell.kind == "markdown":
            cell.source, cell.pictures = lifted(cell.source, cell.attachments)
    if not any(cell.source.strip() for cell in cells):
        raise Unreadable("The notebook is empty: there is nothing in any of its cells.")
    if max(len(cell.source) for cell in cells) > LETTERS_OF_A_CELL or sum(len(cell.source) for cell in cells) > LETTERS:
        raise Unreadable(TOO_MUCH)
    if any(LEFT_OUT in cell.source for cell in cells):
        remarks.append("A picture was left out: PNG, JPEG and GIF are kept, and not if they are very large.")
    return cells, remarks


def _decoded(data: bytes) -> str:
    """The text of a file. Raises Unreadable for one without, and for other kinds of files that are known."""
    kind = next((kind for start, kind in BINARY.items() if data.startswith(start)), None)
    if kind:
        raise Unreadable(f"The file is {kind}, whatever its name says. {ADVICE}")
    encoding = json.detect_encoding(data)  # by the byte-order mark or, as for UTF-16 without one, by the zeros
    text = data.decode(encoding, "replace")
    if "\ufffd" in text and encoding.startswith("utf-8") and not re.search("[^\0-\x7f\ufffd]", text):
        text = data.decode("latin-1")  # no letter beyond ASCII made sense in UTF-8
    text = text.lstrip("\ufeff \t\r\n\0")
    if not text:
        raise Unreadable("The file is empty.")
    if re.match(r"<!doctype|<html|<\?xml|<head", text, re.IGNORECASE):
        raise Unreadable(f"The file is a web page, saved from a browser. {ADVICE}")
    return text


def _of_json(text: str, remarks: list[str]) -> list[Cell]:
    if text.count(",") > VALUES:
        raise Unreadable("The notebook holds far too many values. Clear its outputs, and hand it in again.")
    try:
        # As floats, for Python refuses to read whole numbers of thousands of digits.
        notebook, end = json.JSONDecoder(strict=False, parse_int=float).raw_decode(text)
    except RecursionError:
        raise Unreadable("The file is nested far too deep for a notebook.") from None
    except ValueError:
        raise Unreadable("The file is cut short or damaged: as a notebook it begins well, but it has no end.") from None
    if text[end:].strip("\0 \t\r\n"):
        remarks.append("Behind the end of the notebook there was something more; it was left out.")
    found = notebook.get("cells") if isinstance(notebook, dict) else None
    if found is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if isinstance(sheet, dict)]  # format 3
        found = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if not isinstance(found, list):
        raise Unreadable(f"The file has data in it (JSON), but it is no notebook. {ADVICE}")
    if len(found) > CELLS:
        raise Unreadable(f"The notebook has {len(found):,} cells; {CELLS:,} are read at most.")
    cells = [_of_dict(cell) for cell in found if isinstance(cell, dict)]
    if len(cells) < len(found) or not cells:
        raise Unreadable("The notebook has no cells, or something else in their place.")
    return cells


def _of_dict(cell: dict[str, Any]) -> Cell:
    """A cell in JSON. What has another shape than it should is taken for missing."""
    kind = "code" if cell.get("cell_type") == "code" else "markdown"
    source = _joined(cell.get("source", cell.get("input")))
    if cell.get("cell_type") == "heading":  # format 3
        source = f"## {source}"
    metadata = _dict(cell.get("metadata"))
    role = _dict(metadata.get("nbgrader"))
    ids = [role.get("grade_id"), cell.get("id"), metadata.get("id")]  # the last is Colab's
    points = role.get("points")
    attachments = _dict(cell.get("attachments")).items()
    return Cell(
        kind,
        source,
        tuple(_letters(name) for name in ids if isinstance(name, str)),
        points if isinstance(points, float) else None,
        {_letters(name): _joined(data) for name, bundle in attachments for data in _dict(bundle).values()},
    )


def _of_text(text: str, ending: str) -> list[Cell]:
    """The cells of a notebook that was saved as text, or of a script. Raises Unreadable for another text."""
    if len(text) > 4 * LETTERS:  # pictures may be in it
        raise Unreadable(TOO_MUCH)
    lines = _letters(text).split("\n")
    if any(map(FENCE.match, lines)):
        parts = _of_markdown(lines)
    elif ending == ".py" or any(map(BEGINS.match, lines)):
        parts = _of_script(lines)
    else:
        raise Unreadable(f"The file is a text, but no notebook. {ADVICE}")
    return [Cell(kind, source) for kind, source in parts if source.strip()]


def _of_script(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The kind and the text of each cell of a script."""
    begins = [number for number, line in enumerate(lines) if BEGINS.match(line)]
    for begin, end in pairwise([-1, *begins, len(lines)]):
        part = lines[begin + 1 : end]
        if begin >= 0 and re.search(r"\[(markdown|md|raw)\]", lines[begin][:200]):
            yield "markdown", "\n".join(line.removeprefix("#").removeprefix(" ") for line in part)
        else:
            yield "code", "\n".join(part)


def _of_markdown(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The kind and the text of each cell of a notebook in Markdown."""
    kind, part = "markdown", []
    for line in lines:
        if FENCE.match(line) if kind == "markdown" else line.startswith("```"):
            yield from ((kind, source) for source in _texts(kind, part))
            kind, part = "code" if kind == "markdown" else "markdown", []
        else:
            part.append(line)
    yield from ((kind, source) for source in _texts(kind, part))


def _texts(kind: str, lines: list[str]) -> list[str]:
    """Some lines as one program, or as the texts that two blank lines or +++ part."""
    source = "\n".join(lines)
    return [OPTIONS.sub("", source)] if kind == "code" else BLANK.split(source)


def _letters(text: str) -> str:
    """A text with one kind of line end, and without what is no letter: zeros, and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _joined(source: Any) -> str:
    """Text that is a string or a list of them."""
    return "".join(line for line in source if isinstance(line, str)) if isinstance(source, (list, str)) else ""
