"""A class list: plain names, or a table with a header, such as Moodle's and Canvas's exports; and who of it is who."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from course_utils.exercises.grading.students import Student, students

NAMES = ("student", "full name", "name", "student name")
FIRST, LAST = ("first name", "given name", "firstname"), ("last name", "surname", "lastname", "family name")
IDS = ("identifier", "id", "student id", "id number", "sis user id", "sis login id", "username", "login")
IDS += ("email address", "email", "e-mail")
MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_\w+")  # a folder in its archive of submissions
NOBODY = ("points possible",)  # a line of Canvas's under its header


@dataclass
class Roster:
    """The class list: its columns, and for each line its cells by column. A list of plain names has one, "student"."""

    columns: list[str]
    lines: list[dict[str, str]]


@dataclass
class People:
    """All students of a batch, each name once; the class list, with the student of each line; who is on no line."""

    submissions: Path
    students: list[Student]
    roster: Roster | None
    listed: list[Student]

    @property
    def unknown(self) -> list[Student]:
        return [student for student in self.students if self.roster and student not in self.listed]


def people_of(submissions: Path, roster: Path | None, out: Path) -> People:
    """Who handed in, and who else is on the class list in the file `roster`, if there is one.

    Raises ValueError for a class list that cannot be read, OSError for a folder that cannot.
    """
    handed_in = students(submissions, out)
    if not roster:
        return People(submissions, handed_in, None, handed_in)
    class_list = read_roster(roster)
    listed = match(class_list, handed_in)
    by_name = {student.name: student for student in [*listed, *handed_in]}
    return People(submissions, [by_name[name] for name in sorted(by_name)], class_list, listed)


def read_roster(path: Path) -> Roster:
    """The class list in a file. Raises ValueError, in one line, for what is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), _dialect(text))]
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8; save the class list as CSV in UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV ({error}); expected a header and a line a student") from None
    rows = [row for row in rows if any(row)]
    header = rows[0] if rows else []
    if not _is_header(header):  # a name may have a comma in it
        names = dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if line.strip())
        header, rows = ["student"], [header, *([name] for name in names)]
    lines = [dict(zip(header, [*row, *[""] * len(header)], strict=False)) for row in rows[1:]]
    lines = [line for line in lines if _name(line) and _name(line).lower() not in NOBODY]
    if not lines or "\0" in text:
        raise ValueError(f"{path} names nobody; expected names, one a line, or a CSV with a header such as {NAMES[0]}")
    return Roster(header, lines)


def _dialect(text: str) -> type[csv.excel]:
    """Commas, semicolons or tabs: whichever the first line has most of."""
    first = text.lstrip().partition("\n")[0]

    class Dialect(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Dialect


def _is_header(cells: list[str]) -> bool:
    known = {*NAMES, *IDS, *FIRST, *LAST}
    return any(cell.lower() in known for cell in cells)


def _cell(line: dict[str, str], columns: tuple[str, ...]) -> str:
    found = {column.lower(): cell for column, cell in line.items() if cell}
    return next((found[column] for column in columns if column in found), "")


def _name(line: dict[str, str]) -> str:
    """What a person is called."""
    both = f"{_cell(line, FIRST)} {_cell(line, LAST)}".strip()
    return _cell(line, NAMES) or both or _cell(line, IDS)


def _known_as(line: dict[str, str]) -> set[str]:
    """All that a person's folder may be called."""
    name = _name(line)
    last, comma, first = name.partition(", ")
    ids = {cell for column, cell in line.items() if column.lower() in IDS}
    return {_same(text) for text in {name, f"{first} {last}" if comma else name, *ids} if text}


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


def called(student: str) -> list[str]:
    """What a student may be called in a class list: by a number that Moodle gave, by the name of the folder."""
    moodle = MOODLE.fullmatch(student)
    return [f"Participant {moodle['number']}", moodle["name"]] if moodle else [student]


def match(roster: Roster, students: list[Student]) -> list[Student]:
    """For each line of a class list its student: one who handed in, or one without a folder.

    What two persons of the list are called, such as one name, tells nothing: an id may.
    """
    known = [_known_as(line) for line in roster.lines]
    shared = Counter(text for person in known for text in person)
    owner = {text: number for number, person in enumerate(known) for text in person if shared[text] == 1}
    found: dict[int, Student] = {}
    for student in students:
        numbers = [owner[text] for text in map(_same, called(student.name)) if text in owner]
        if numbers:
            found.setdefault(numbers[0], student)
    return [found.get(number) or Student(_name_of_one(line, roster)) for number, line in enumerate(roster.lines)]


def _name_of_one(line: dict[str, str], roster: Roster) -> str:
    """A name for a row that no other person of the class list has."""
    several = sum(_name(other) == _name(line) for other in roster.lines) > 1
    return f"{_name(line)} ({_cell(line, IDS)})" if several and _cell(line, IDS) else _name(line)
