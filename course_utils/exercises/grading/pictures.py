"""Pictures in the texts of a submission: PNG, JPEG and GIF are kept, and nothing else that a text refers to."""

import base64
import binascii
import re
from urllib.parse import unquote

PICTURES = 20  # in one cell
BYTES = 4 * 2**20  # of one picture
KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}  # by how a file begins
MARK = "\ufffc"  # Unicode's sign for an object that stands in a text
LEFT_OUT = "(A picture was left out here: PNG, JPEG and GIF are kept, up to 4 MiB each and 20 in a cell.)"

# All repetitions have an end or stop at what may begin another match: a hostile text takes no longer than another.
TARGET = r"(?:attachment:(?P<{0}name>[^\s\"'()<>]{{1,200}})|data:[^\s\"',()<>]{{0,100}},(?P<{0}data>[A-Za-z0-9+/=]*+))"
LINK = re.compile(
    rf"!\[[^\[\]]{{0,200}}\]\({TARGET.format('md_')}(?: \"[^\"]{{0,200}}\")?\)"
    rf"|<img\s[^<>]{{0,200}}?src=[\"']?{TARGET.format('tag_')}[\"']?[^<>]{{0,200}}>"
)


def lifted(text: str, attachments: dict[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """A text with a MARK for each picture, and the pictures in their order, (kind, base64).

    Pictures stand in a text as data, or in the cell's attachments (base64 by name), also where no text names them.
    The text must be free of the MARK.
    """
    pictures: list[tuple[str, str]] = []
    unnamed = dict(attachments)

    def keep(data: str) -> str:
        picture = decoded(data)
        if picture is None or len(pictures) == PICTURES:
            return LEFT_OUT
        pictures.append(picture)
        return MARK

    def lift(link: re.Match) -> str:
        name = unquote(link["md_name"] or link["tag_name"] or "")
        unnamed.pop(name, None)
        return keep(attachments.get(name, "") if name else link["md_data"] or link["tag_data"] or "")

    text = LINK.sub(lift, text)
    return text + "".join(f"\n\n{keep(data)}" for data in list(unnamed.values())[:PICTURES]), pictures


def decoded(text: str) -> tuple[str, str] | None:
    """The kind of a picture in base64, and the same in base64 of one form; None for anything that is no picture."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = next((kind for start, kind in KINDS.items() if data.startswith(start)), None)
    return (kind, base64.b64encode(data).decode()) if kind and len(data) <= BYTES else None


def placed(text: str, pictures: list[tuple[str, str]]) -> tuple[str, dict[str, dict[str, str]]]:
    """A text with a link of ours for each MARK, and the attachments of its cell."""
    parts = text.split(MARK)
    attachments = {f"{i}.{kind}": {f"image/{kind}": data} for i, (kind, data) in enumerate(pictures, 1)}
    links = [f" ![picture](attachment:{name}) " for name in attachments]
    return "".join(part + link for part, link in zip(parts, [*links, ""], strict=True)), attachments
