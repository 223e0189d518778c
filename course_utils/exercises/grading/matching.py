"""Which cell of a submission is which of the released notebook: by id, by text, by the function it defines, by place.

Editors lose ids, change white space, split and copy cells; students move, join and delete them. None of that is an
alarm. It is one if a locked cell says something else than it did, or if two cells claim to be one answer.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat, takewhile

from nbformat import NotebookNode

from course_utils.exercises.grading.formats import Cell
from course_utils.exercises.masters import functions, role

INVISIBLE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u200b": None, "\ufeff": None, "'": '"'})
Lines = tuple[str, ...]


def lines_of(source: str, kind: str) -> Lines:
    """A text as it is compared: without blank lines, space that means nothing, kinds of quotes, a program's comments.

    A program's line is a statement, however it is broken, so that a formatter changes nothing.
    """
    lines = (line.expandtabs(4).rstrip() for line in source.translate(INVISIBLE).split("\n"))
    if kind != "code":
        return tuple(re.sub(r"\s+", " ", line) for line in lines if line)
    return tuple(_statements(re.sub(r"(^|\s)#.*", "", line).rstrip() for line in lines))


def _statements(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a program, those between brackets joined; counted as if no text held a bracket."""
    parts, depth = [], 0
    for line in filter(None, lines):
        start = "" if parts else line[: len(line) - len(line.lstrip())]
        parts.append(start + re.sub(r"\s+", "", line))
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0:
            yield re.sub(r",(?=[)\]}])", "", "".join(parts))
            parts, depth = [], 0
    if parts:
        yield "".join(parts)


def within(part: Lines, whole: Lines) -> bool:
    """Whether some lines stand in others, one after another."""
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def defines(source: str, function: str) -> bool:
    """Whether a cell gives a meaning to a name; read as text, for a hostile program is not even parsed here."""
    ways = (
        rf"(async +)?(def|class) +{function}\b",
        rf"{function} *(:[^=\n]*)?=(?!=)",
        rf"(from|import) .*\b{function}\b",
    )
    return re.search(f"^({'|'.join(ways)})", textwrap.dedent(source), re.MULTILINE) is not None


def is_locked(original: NotebookNode) -> bool:
    return bool(role(original).get("locked")) and not role(original).get("solution")


@dataclass
class Matching:
    """The cells of a submission beside those of the released notebook.

    holders     the cell, by its number, that has the role of a grade id
    dropped     cells that are only the untouched place for an answer that stands in another cell
    answered    exercises whose function is defined somewhere
    elsewhere   answers to mark by hand whose place is untouched, while the student wrote texts in other cells
    alarms      why a person should look at it, in sentences
    """

    cells: list[Cell]
    released: NotebookNode
    holders: dict[str, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.originals = {role(cell)["grade_id"]: cell for cell in self.released.cells if role(cell)}
        self.lines = [lines_of(cell.source, cell.kind) for cell in self.cells]
        self.known = {lines_of(cell.source, cell.cell_type) for cell in self.released.cells}
        known_ids = {cell.id for cell in self.released.cells}
        self.ids = [next((name for name in cell.ids if name in known_ids), None) for cell in self.cells]
        named = functions(self.released)
        for grade_id, original in sorted(self.originals.items(), key=lambda item: not is_locked(item[1])):
            claims = [number for number, name in enumerate(self.ids) if name == grade_id]
            if is_locked(original):
                self._find_locked(grade_id, original, claims)
            elif original.cell_type == "code":
                self._find_code(grade_id, original, claims, named[grade_id])
            else:
                self._find_text(grade_id, original, claims)
            if any(self.cells[number].points not in (None, role(original).get("points")) for number in claims):
                self.alarms.append(f"The points of the cell {grade_id} had been changed; the original ones count.")

    def has(self, original: NotebookNode) -> bool:
        """Whether the code of a released cell stands anywhere, perhaps in parts or together with more."""
        code = (lines for cell, lines in zip(self.cells, self.lines, strict=True) if cell.kind == "code")
        return within(lines_of(original.source, "code"), tuple(chain.from_iterable(code)))

    def _hold(self, grade_id: str, *choices: Iterable[int]) -> None:
        """Give a role to the first of the choices that has none."""
        taken = set(self.holders.values())
        free = [number for number in chain.from_iterable(choices) if number not in taken]
        if free:
            self.holders[grade_id] = free[0]

    def _find_locked(self, grade_id: str, original: NotebookNode, claims: list[int]) -> None:
        """An equal text, if possible with the id. With the id, parts of the text or more than it are no alarm."""
        ours = lines_of(original.source, original.cell_type)
        equal = [number for number, lines in enumerate(self.lines) if lines == ours]
        self._hold(grade_id, (number for number in claims if number in equal), equal)
        claimed = [self.lines[number] for number in claims]
        if any(not within(ours, lines) and not set(lines) <= set(ours) for lines in claimed):
            self.alarms.append(
                f"The locked cell {grade_id} was changed; the original was put in, the changed one kept."
            )

    def _find_code(self, grade_id: str, original: NotebookNode, claims: list[int], function: str) -> None:
        """The cell that defines the function, if possible with the id; an untouched stub only where there is none."""
        stub = lines_of(original.source, "code")
        code = [number for number, cell in enumerate(self.cells) if cell.kind == "code"]
        stubs = [number for number in code if self.lines[number] == stub]
        answers = [n for n in code if n not in stubs and defines(self.cells[n].source, function)]
        claimed = [number for number in answers if number in claims]
        if answers:
            self.answered.add(grade_id)
            self._hold(grade_id, claimed, answers[::-1])
        else:
            self._hold(grade_id, (number for number in claims if number not in stubs), stubs)
        self.dropped |= {number for number in stubs if number != self.holders.get(grade_id)}
        if len({self.lines[number] for number in claimed}) > 1:
            self.alarms.append(
                f"Cells with the id {grade_id} define {function} in different ways; the last one counts."
            )

    def _find_text(self, grade_id: str, original: NotebookNode, claims: list[int]) -> None:
        """A text with the id that was written in; else what was written after the task."""
        untouched = ((), lines_of(original.source, "markdown"))
        near = self._after_task(grade_id)
        there = claims + [number for number in near if self.cells[number].kind == "markdown"]
        stubs = [number for number in there if lines_of(self.cells[number].source, "markdown") in untouched]
        written = [number for number in there if number not in stubs]
        self._hold(grade_id, written, stubs)
        self.dropped |= {number for number in stubs if number != self.holders.get(grade_id)}
        if self.holders.get(grade_id) in stubs and any(map(self._is_own, range(len(self.cells)), repeat(near))):
            self.elsewhere.add(grade_id)
        claimed = [number for number in claims if number in written]
        if len({self.lines[number] for number in claimed}) > 1 and claimed[-1] - claimed[0] >= len(claimed):
            self.alarms.append(f"Cells with the id {grade_id} say different things; a person has to choose.")

    def _after_task(self, grade_id: str) -> list[int]:
        """The cells from the text of a task, which may be in one cell with more, to the next cell that is known."""
        place = next(i for i, cell in enumerate(self.released.cells) if role(cell).get("grade_id") == grade_id)
        task, stub = self.released.cells[place - 1], self.released.cells[place]
        ours, ends = lines_of(task.source, "markdown"), self.known - {lines_of(stub.source, "markdown")}
        begin = next((n for n, lines in enumerate(self.lines) if self.ids[n] == task.id or within(ours, lines)), None)
        if begin is None:
            return []
        after = takewhile(lambda number: self.lines[number] not in ends, range(begin + 1, len(self.cells)))
        return [begin, *after] if self.lines[begin] != ours else [*after]

    def _is_own(self, number: int, near: list[int]) -> bool:
        """Whether a cell is a text of the student's own or, near the task, code or comments that may be the answer."""
        cell, lines = self.cells[number], self.lines[number]
        own = self.ids[number] is None and lines not in self.known and bool(cell.source.strip())
        return own and (cell.kind == "markdown" or number in near)
