"""Python source as a page shows it: in lines of at most 88 columns, which no viewer breaks at its edge."""

import ast
import io
import re
import textwrap
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

WIDTH = 88
BREAKS = (",", "for", "if", "else", "and", "or")  # in a bracket, a line may end after the first, before the others


def narrow(source: str) -> str:
    """The same program in lines of at most WIDTH, where that can be.

    Docstrings and comments are filled anew, a comment behind code goes above it, code is broken within a bracket. Lines
    that are narrow enough stay as they are; so do long strings of several lines, and names.
    """
    source = textwrap.dedent(source).rstrip()
    lines, docstrings, layout = source.split("\n"), _docstrings(source), _Layout(source)
    out, row = [], 0
    while row < len(lines):
        line, row = lines[row], row + 1
        if row in docstrings:
            out += _filled(lines[row - 1 : docstrings[row]])
            row = docstrings[row]
        elif len(line) <= WIDTH or row in layout.strings:
            out.append(line)
        else:
            indent, end = _indent(line), layout.comments.get(row, len(line))
            out += textwrap.wrap(line[end:], WIDTH, initial_indent=indent, subsequent_indent=f"{indent}# ")
            code = line[:end].rstrip()
            if len(code) > WIDTH:
                out += _broken(code, layout.tokens[row], row in layout.whole, row in layout.within)
            elif code:
                out.append(code)
    return "\n".join(out)


class _Layout:
    """What stands where in a source, by rows that count from 1.

    strings: rows inside of strings of several lines; comments: the column of a row's comment; tokens: a row's brackets
    and BREAKS, with their columns; whole: rows that are a statement or the head of a block; within: those in a bracket.
    """

    def __init__(self, source: str) -> None:
        self.strings, self.whole, self.within = set(), set(), set()
        self.comments, self.tokens = {}, defaultdict(list)
        begun = formatted = 0  # the row where a statement began; how deep in f-strings, which are tokens from 3.12 on
        for kind, text, (row, column), (last, _), _ in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[kind]
            formatted += (name == "FSTRING_START") - (name == "FSTRING_END")
            if name == "COMMENT":
                self.comments[row] = column
            elif name in ("STRING", "FSTRING_MIDDLE") and last > row:
                self.strings.update(range(row, last + 1))
            elif not formatted and (text in BREAKS or (text and text in "()[]{}")):
                self.tokens[row].append((text, column))
            if name == "NEWLINE":
                self.whole.update({begun} & {row})
                self.within.update(range(begun + 1, row + 1))
                begun = 0
            elif name not in ("COMMENT", "NL", "INDENT", "DEDENT"):
                begun = begun or row


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _docstrings(source: str) -> dict[int, int]:
    """The first and the last row of each docstring."""
    bodies = (getattr(node, "body", None) for node in ast.walk(ast.parse(source)))
    firsts = (body[0] for body in bodies if isinstance(body, list) and body)
    return {
        node.lineno: node.end_lineno or node.lineno
        for node in firsts
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def _filled(lines: list[str]) -> list[str]:
    """The lines of a docstring, the paragraphs that are too wide filled anew."""
    out, paragraph = [], []
    for line in [*lines, ""]:
        if line.strip() not in ("", '"""'):
            paragraph.append(line)
            continue
        if any(len(words) > WIDTH for words in paragraph):
            indent = _indent(paragraph[-1])
            words = indent + " ".join(words.strip() for words in paragraph)
            paragraph = textwrap.wrap(words, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
        out += [*paragraph, line]
        paragraph = []
    return out[:-1]


def _broken(line: str, tokens: list[tuple[str, int]], whole: bool, within: bool) -> list[str]:
    """A line of code as several: what stands in its largest bracket goes on lines of its own.

    In a whole statement, what follows = or return is put into a bracket, if it has none of its own around it; a line
    within a bracket ends at its commas.
    """
    opened, pairs, cuts = [], [], defaultdict(list)  # cuts: where a line may end, by the bracket that is open, or -1
    for text, column in tokens:
        if text in "([{":
            opened.append(column)
        elif text in BREAKS:
            cuts[opened[-1] if opened else -1].append(column + (text == ","))
        elif opened:
            start = opened.pop()
            if not opened and start < column - 1:
                pairs.append((start, column))
        else:
            within = False  # the bracket ends here
    # Rather the bracket of a call, or one that ends the line, than one that groups a sum.
    calls = [(a, b) for a, b in pairs if a < WIDTH and (re.match(r"\w", line[a - 1]) or b == len(line) - 1)]
    bare = whole and re.match(r""" *(?:(?:return|yield|if|elif|while) |(?:[^=("']+ [-+*/@|]?= )+)""", line)
    head, tail, inner = [], [], f"{_indent(line)}    "
    room = WIDTH - len(inner)
    if bare and (any(cut > bare.end() for cut in cuts[-1]) or (not calls and len(line) - bare.end() <= room)):
        start, end, cuts = bare.end() - 1, len(line) - line.endswith(":"), cuts[-1]
        head, tail = [f"{line[: start + 1]}("], [f"{_indent(line)}){line[end:]}"]
    elif within and (cuts[-1] or not pairs):
        start, end, cuts, inner = -1, len(line), cuts[-1], _indent(line)
    elif pairs:
        start, end = max(calls or pairs, key=lambda pair: pair[1] - pair[0])
        head, tail, cuts = [line[: start + 1]], [_indent(line) + line[end:]], cuts[start]
    else:
        return [line]
    body = [""]
    for first, last in pairwise([start + 1, *(cut for cut in cuts if cut > start), end]):
        for piece in _pieces(line[first:last].strip(), room):
            if len(inner) + len(body[-1]) + len(piece) < WIDTH:
                body[-1] = f"{body[-1]} {piece}".strip()
            else:
                body.append(piece)
    return [*head, *(inner + words for words in body if words), *tail]


def _pieces(code: str, room: int) -> Iterator[str]:
    """A string that is wider than the room as several, one behind the other; other code as it is."""
    string = re.fullmatch(r'(f?)"((?:\{[^{}"]*\}|[^{}"\\])*)"(,?)', code)
    if len(code) <= room or not string:
        yield code
        return
    letter, words, comma = string.groups()
    parts = [""]
    for word in re.findall(r"(?:\{[^{}]*\}|[^\s{}])+ ?| ", words):
        if len(parts[-1]) + len(word) > room - 4:
            parts.append("")
        parts[-1] += word
    quoted = [f'{letter if "{" in part else ""}"{part}"' for part in parts]
    yield from [*quoted[:-1], quoted[-1] + comma]
