"""Tables that learning platforms import: Moodle's grading worksheet, Canvas's gradebook.

Both are built over the platform's own export where that is the class list, for it holds the ids that they go by.
A grade that is not known yet stays empty, and the platform keeps what it has.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_utils.exercises.grading.report import Grades, table
from course_utils.exercises.grading.roster import People, Roster, called
from course_utils.exercises.grading.students import Student

MOODLE = ("Grade", "Feedback comments")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


@dataclass
class Result:
    """What a platform is told of a student: the score as in grades.csv, empty where there is none, and the page."""

    student: str
    score: str
    page: str


def moodle(roster: Roster, results: list[Result], title: str, most: float) -> str:
    """The worksheet for "Upload grading worksheet" of an assignment: the class list with grades and feedback."""
    columns = [*roster.columns, *(name for name in MOODLE if name not in roster.columns)]
    rows = []
    for line, result in zip(roster.lines, results, strict=True):
        page = f"<pre>{html.escape(result.page)}</pre>" if result.page else ""
        filled = line | dict(zip(MOODLE, (result.score, page), strict=True))
        rows.append([filled.get(column, "") for column in columns])
    return table([columns, *rows])


def canvas(roster: Roster, results: list[Result], title: str, most: float) -> str:
    """The table for "Import" in the gradebook: five columns that say who it is, and one for the assignment."""
    title = next((column for column in roster.columns if column.startswith(title)), title)  # with its number there
    rows = [["Points Possible", *[""] * (len(CANVAS) - 1), f"{most:g}"]]
    for line, result in zip(roster.lines, results, strict=True):
        person = dict.fromkeys(CANVAS, "") | {"Student": result.student, "SIS Login ID": result.student} | line
        rows.append([*(person[column] for column in CANVAS), result.score])
    return table([[*CANVAS, title], *rows])


Make = Callable[[Roster, list[Result], str, float], str]
FORMATS: dict[str, Make | None] = {
    "csv": None,
    "moodle": moodle,
    "canvas": canvas,
}  # csv: grades.csv alone, which is always there


def missing(format: str, roster: Roster, most: float) -> list[str]:
    """What a platform's table lacks, or has otherwise than the exercises, in a sentence each; `most` points are had."""
    said = []
    if format == "moodle" and not all(line.get("Identifier") for line in roster.lines):
        said.append("no ids: give the grading worksheet as the roster")
    if format == "canvas" and not all(line.get("ID") for line in roster.lines):
        said.append("no ids: give the gradebook that you exported as the roster")
    texts = [line.get("Maximum Grade", "").replace(",", ".") for line in roster.lines if format == "moodle"]
    for maximum in sorted({float(text) for text in texts if re.fullmatch(r"\d+(\.\d+)?", text)} - {most}):
        points = f"the exercises have {most:g} points: set it in Moodle first"
        said.append(f"the worksheet's maximum is {maximum:g}, {points}")
    return said


def table_for(people: People, grades: Grades, out: Path) -> tuple[Roster, list[Result]]:
    """The class list, or one of those who handed in, and what a platform is told of each."""
    if people.roster:
        return people.roster, [_result(student, grades, out) for student in people.listed]
    names = [called(student.name)[::-1] for student in people.students]
    lines: list[dict[str, str]] = [dict(zip(("Full name", "Identifier"), name, strict=False)) for name in names]
    return Roster(["Identifier", "Full name"], lines), [_result(s, grades, out) for s in people.students]


def _result(student: Student, grades: Grades, out: Path) -> Result:
    row, path = grades.rows.get(student.name), out / "feedback" / f"{student.key}.md"
    known = row and (student.folder or row[0] == "missing")  # else it is that of another person with the same name
    page = path.read_text(encoding="utf-8") if known and path.exists() else ""
    return Result(student.name, row[1] if row and known else "", page)
