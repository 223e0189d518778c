"""What comes of a batch: grades.csv for the teacher, and for each student a page of points and authored sentences."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.files import write


@dataclass
class Row:
    """A student's line in grades.csv: points by question, None where they wait for a mark by hand."""

    student: str
    most: dict[str, float]
    points: dict[str, float | None]
    said: dict[str, str] = field(default_factory=dict)  # a sentence by question, for the student
    status: str = "ok"

    @property
    def score(self) -> float:
        return sum(points for points in self.points.values() if points is not None)

    @property
    def manual_max(self) -> float:
        return sum(self.most[question] for question, points in self.points.items() if points is None)


def write_grades(path: Path, rows: list[Row]) -> None:
    """Write grades.csv: student, status, score, max_score, manual_max, then the points by question."""
    questions = list(rows[0].most)
    lines = [["student", "status", "score", "max_score", "manual_max", *questions]]
    for row in rows:
        numbers = [row.score, sum(row.most.values()), row.manual_max, *(row.points[q] for q in questions)]
        lines.append([row.student, row.status, *("" if n is None else f"{n:g}" for n in numbers)])
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    write(path, text.getvalue())


STATUS = {
    "ok": "",
    "missing": "No notebook was handed in under the name that was asked for.",
    "unreadable": "The file that was handed in is no notebook that can be read.",
    "tampered": "Locked cells had been changed or deleted, or cells of the task copied. They were put back first.",
    "timeout": "Something did not end in the time that it has.",
    "out_of_memory": "Something needed more memory than there is.",
    "kernel_died": "Something brought the process down.",
}


def page(row: Row) -> str:
    """The page for a student: points and authored sentences, nothing of what was tried."""
    lines = [f"# {row.student}: {row.score:g} of {sum(row.most.values())} points", ""]
    lines += [STATUS[row.status], ""] if STATUS[row.status] else []
    lines += ["| exercise | points | |", "|---|---|---|"]
    for question, points in row.points.items():
        text = " ".join(row.said.get(question, "").replace("|", "/").split())
        if points is None:
            lines.append(f"| {question} | of {row.most[question]} | to be marked by hand |")
        else:
            lines.append(f"| {question} | {points:g} of {row.most[question]} | {text} |")
    return "\n".join(lines) + "\n"
