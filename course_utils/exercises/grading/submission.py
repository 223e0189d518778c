"""One submission: taken in, kept, run in the sandbox, entered in the gradebook; what comes of it is a row."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from tqdm import tqdm

from course_utils.exercises.exercise import Exercise
from course_utils.exercises.grading import archive, gradebook
from course_utils.exercises.grading.intake import Unreadable, found, intake
from course_utils.exercises.grading.marks import Marks, mark_notebook
from course_utils.exercises.grading.report import NOT_GRADED, Row
from course_utils.exercises.grading.students import Student
from course_utils.exercises.masters import role


@dataclass(frozen=True)
class Batch:
    """What the submissions of a batch have in common."""

    out: Path
    topic: str
    released: NotebookNode
    exercises: dict[str, Exercise]
    course: Path
    seed: int

    @property
    def root(self) -> Path:
        """nbgrader's course folder."""
        return self.out / "nbgrader"

    @property
    def most(self) -> dict[str, float]:
        """Points by question."""
        graded = [role(cell) for cell in self.released.cells if role(cell).get("grade")]
        return {part["grade_id"].removesuffix("-check"): part["points"] for part in graded}


def grade_one(student: Student, batch: Batch) -> Row:
    """The row of one student. The grader's own trouble is said in one line; it is not the student's."""
    row = Row(student.name, batch.most, dict.fromkeys(batch.most, 0.0))
    try:
        _grade(row, student, batch)
    except Exception as error:  # of any kind: a full disk, a locked gradebook, a mistake of ours
        not_graded(row, error, batch)
    return row


def not_graded(row: Row, error: Exception, batch: Batch) -> None:
    """Say in one line why somebody is not graded, and put it down."""
    row.status = NOT_GRADED
    tqdm.write(f"{row.student!r} is not graded: {gradebook.reason(error, batch.root)}", file=sys.stderr)


def _grade(row: Row, student: Student, batch: Batch) -> None:
    path, others = _find(row, student, batch)
    if not path:
        row.status = "missing"
        return
    archive.keep(path, others, batch.out, student.key)
    try:
        taken = intake(path, batch.released)
    except Unreadable as unreadable:
        row.status = "unreadable"
        row.remarks.append(str(unreadable))
        return
    row.remarks += taken.remarks
    came: list[Marks] = []

    def judge(notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        came.append(mark_notebook(notebook, batch.exercises, batch.course, batch.seed))
        return notebook, resources

    gradebook.enter(taken.notebook, batch.root, batch.topic, student.key, judge)
    gradebook.fill(row, batch.root, batch.topic, student.key)
    row.status = "tampered" if taken.tampered else came[0].status
    row.remarks += came[0].remarks
    row.said |= {question: given.sentence for question, given in came[0].marks.items()}


def _find(row: Row, student: Student, batch: Batch) -> tuple[Path | None, list[Path]]:
    """The file that counts, if any, and the others. Raises OSError for what the grader may not read."""
    if student.trouble:
        raise ValueError(student.trouble)
    if not student.folder:
        return None, []
    if not student.folder.is_symlink():
        os.listdir(student.folder)
    path, remarks, others = found(student.folder, f"{batch.topic}.ipynb")
    row.remarks += remarks
    if path and path.is_file() and not path.is_symlink():
        path.open("rb").close()
    return path, others
