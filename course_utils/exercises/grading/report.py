"""What comes of a batch: grades.csv for the teacher, and for each student a page of points and authored sentences."""

import csv
import html
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.files import write

NOT_GRADED = "not_graded"
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # what a spreadsheet would take for one, wide letters included


@dataclass
class Row:
    """A student's line in grades.csv: points by question, None where they wait for a mark by hand."""

    student: str
    most: dict[str, float]
    points: dict[str, float | None]
    said: dict[str, str] = field(default_factory=dict)  # a sentence by question, for the student
    status: str = "ok"
    remarks: list[str] = field(default_factory=list)  # on the submission as a whole, for the student

    @property
    def score(self) -> float:
        return sum(points for points in self.points.values() if points is not None)

    @property
    def manual_max(self) -> float:
        return sum(self.most[question] for question, points in self.points.items() if points is None)

    def cells(self) -> list[str]:
        """Student, status, score, max_score, manual_max, then the points by question."""
        numbers = [self.score, sum(self.most.values()), self.manual_max, *self.points.values()]
        return [self.student, self.status, *("" if n is None else f"{n:g}" for n in numbers)]


class Grades:
    """grades.csv, written anew with each row, so that nothing is lost on the way; it begins with what is there.

    What was not written here gives way; but where `some` rows are to be replaced, that raises ValueError.
    """

    def __init__(self, path: Path, questions: Iterable[str], some: bool = False):
        self.path = path
        self.header = ["student", "status", "score", "max_score", "manual_max", *questions]
        self.rows: dict[str, list[str]] = {}
        try:
            header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
            if header != self.header or any(len(row) != len(header) for row in rows):
                raise ValueError(path)
            self.rows = {_as_it_was(row[0]): row[1:] for row in rows}
        except FileNotFoundError:
            pass
        except (ValueError, csv.Error):
            if some:
                raise ValueError(f"{path} was changed since it was written; grade all students again") from None

    def add(self, row: Row) -> None:
        """Write a student's row. One that could not be graded keeps the points of the time before, if any."""
        cells = row.cells()[1:]
        if row.status == NOT_GRADED:
            before = self.rows.get(row.student, ["", "", cells[2], *[""] * (len(cells) - 3)])
            cells = [NOT_GRADED, *before[1:]]
        self.rows[row.student] = cells
        self.write()

    def keep(self, students: Iterable[str]) -> list[str]:
        """Write the rows of these students, in this order, and no others; returns whose rows are gone."""
        before, self.rows = self.rows, {student: self.rows[student] for student in students}
        self.write()
        return [student for student in before if student not in self.rows]

    def write(self) -> None:
        write(self.path, table([self.header, *([student, *cells] for student, cells in self.rows.items())]))


def table(rows: Iterable[list[str]]) -> str:
    """Rows as CSV that no spreadsheet takes for formulas: a cell that begins like one gets an apostrophe before it."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([f"'{cell}" if FORMULA.match(cell) else cell for cell in row] for row in rows)
    return text.getvalue()


def _as_it_was(cell: str) -> str:
    """A cell without the apostrophe that `table` puts before it."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


STATUS = {
    "ok": "",
    "missing": "No notebook was handed in.",
    "unreadable": "The file that was handed in is no notebook that can be read.",
    "tampered": "Locked cells had been changed, or answers copied. They were put back first, as they were in the task.",
    "timeout": "Something did not end in the time that it has.",
    "out_of_memory": "Something needed more memory than there is.",
    "kernel_died": "Something brought the process down.",
    NOT_GRADED: "This submission is not graded yet, for a reason that is not yours.",
}


def page(row: Row) -> str:
    """The page for a student: points and authored sentences, nothing of what was tried."""
    lines = [f"# {harmless(row.student)}{'' if row.status == NOT_GRADED else _score(row)}", ""]
    for sentence in filter(None, [STATUS[row.status], *map(harmless, row.remarks)]):
        lines += [sentence, ""]
    if row.status != NOT_GRADED:
        lines += ["| exercise | points | |", "|---|---|---|"]
        lines += [_line(row, question) for question in row.points]
    return "\n".join(lines).rstrip("\n") + "\n"


def _score(row: Row) -> str:
    """The score in a title: of the points that are given so far, so that what waits is no loss."""
    waits = row.manual_max
    so_far = f" so far, {waits:g} {'waits' if waits == 1 else 'wait'} for a mark by hand" if waits else ""
    return f": {row.score:g} of {sum(row.most.values()) - waits:g} points{so_far}"


def _line(row: Row, question: str) -> str:
    points = row.points[question]
    if points is None:
        return f"| {question} | of {row.most[question]} | to be marked by hand |"
    text = " ".join(row.said.get(question, "").replace("|", "/").split())
    return f"| {question} | {points:g} of {row.most[question]} | {text} |"


def harmless(text: str) -> str:
    """A text in which a student may have had a hand, on one line, without a meaning in Markdown or HTML."""
    text = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"[\\`*_\[\]|~$]|:(?=//)|^[#+-]", r"\\\g<0>", text)
