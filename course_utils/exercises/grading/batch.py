"""Grading: nbgrader restores the cells and keeps the gradebook; the marks come from fresh inputs.

A submission's code runs in a sandbox and nowhere else. The grader, outside, draws inputs from the batch's own seed,
sends them in as plain data, takes plain data back and compares here, where the student's code has no hand. What the
check cells printed counts for nothing; what is to be marked by hand waits in nbgrader's formgrader.
"""

import json
import os
import secrets
import sys
from pathlib import Path
from types import ModuleType

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from course_utils.exercises.exercise import checks_of
from course_utils.exercises.grading.intake import Unreadable, intake
from course_utils.exercises.grading.marks import mark_notebook
from course_utils.exercises.grading.release import course_directory, generate, nbgrader, quiet
from course_utils.exercises.grading.report import Row, page, write_grades
from course_utils.exercises.grading.sandbox import Sandbox, public_course
from course_utils.exercises.masters import master, role
from course_utils.files import write

NOT_FOR_NBGRADER = str.maketrans("[]*?\n\r", "()+!  ")  # a student's name becomes a pattern there


def grade(chapter: str, submissions: Path | str, out: Path | str) -> None:
    """Grade `submissions`/STUDENT/NN_topic.ipynb into `out`: grades.csv, feedback/STUDENT.md, nbgrader's course folder.

    The seed of the batch stands in `out`/batch.json; grading into the same folder again uses it again and keeps what
    was marked by hand. Raises ValueError for a chapter without exercises, a folder without submissions, an `out` that
    belongs to another chapter, and where bubblewrap or nbgrader is missing: nothing runs outside of a sandbox.
    """
    path = master(chapter)
    checks = checks_of(chapter)
    submissions, out = Path(submissions).resolve(), Path(out).resolve()
    students = _students(submissions)
    if not students:
        raise ValueError(f"{submissions} holds no submissions; expected {submissions}/STUDENT/{path.name}")
    if set("*?[]") & set(str(out)):
        raise ValueError(f"{out}: nbgrader cannot work in a folder that has one of * ? [ ] in its path; name another")
    try:
        rows = _grade_all(chapter, students, path, out, checks)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; the same command grades all again and keeps what was marked by hand"
        ) from None
    write_grades(out / "grades.csv", rows)
    print(f"{len(rows)} submissions graded: {out / 'grades.csv'}")


def _grade_all(chapter: str, students: dict[str, Path], path: Path, out: Path, checks: ModuleType) -> list[Row]:
    """The rows of all students; each one's page of feedback is written as soon as it is known."""
    rows = []
    with nbgrader(), public_course(checks.HIDDEN) as course:
        Sandbox(course).close()  # can it be had at all?
        seed = _batch(chapter, out)
        root = out / "nbgrader"
        released = nbformat.read(generate(path, root), as_version=4)
        with tqdm(students.items(), desc=f"grade {chapter}", unit="submission") as bar:
            for student, folder in bar:
                rows.append(_grade_one(student, folder / path.name, root, released, checks, course, seed))
                write(out / "feedback" / f"{student}.md", page(rows[-1]))
    return rows


def _students(submissions: Path) -> dict[str, Path]:
    """The folders of the students by name. Raises ValueError for two that nbgrader would take for one student."""
    found, known = {}, {}
    for folder in sorted(submissions.glob("[!.]*")) if submissions.is_dir() else []:
        if folder.is_dir():
            name = os.fsencode(folder.name)
            try:
                name = name.decode()
            except UnicodeDecodeError:  # out of an old zip file
                name = name.decode("latin-1")
            other = known.setdefault(_known_as(name), name)
            if name in found or other != name:
                raise ValueError(f"{submissions}: the folders {other!r} and {name!r} look like one student; rename one")
            found[name] = folder
    return found


def _known_as(student: str) -> str:
    """The name of a student in nbgrader."""
    return student.translate(NOT_FOR_NBGRADER).strip()


def _batch(chapter: str, out: Path) -> int:
    """The seed of the batch in `out`, drawn when it is graded for the first time."""
    record = out / "batch.json"
    if record.exists():
        batch = json.loads(record.read_text())
        if batch["chapter"] != chapter:
            raise ValueError(f"{out} holds the grades of chapter {batch['chapter']}; expected a folder for {chapter}")
        return batch["seed"]
    batch = {"chapter": chapter, "seed": secrets.randbits(48)}
    write(record, json.dumps(batch) + "\n")
    return batch["seed"]


def _grade_one(
    student: str, path: Path, root: Path, released: NotebookNode, checks: ModuleType, course: Path, seed: int
) -> Row:
    """The row of one submission."""
    from nbgrader.converters import Autograde, NbGraderException
    from nbgrader.preprocessors import CheckCellMetadata, SaveAutoGrades

    graded = [role(cell) for cell in released.cells if role(cell).get("grade")]
    most = {part["grade_id"].removesuffix("-check"): part["points"] for part in graded}
    row = Row(student, most, dict.fromkeys(most, 0))
    if not path.exists():
        row.status = "missing"
        return row
    try:
        notebook, tampered = intake(path, released)
    except Unreadable:
        row.status = "unreadable"
        return row
    known_as, topic = _known_as(student), path.stem
    write(root / "submitted" / known_as / topic / path.name, nbformat.writes(notebook))
    marks, failed = {}, []

    def judge(notebook, resources):
        """In place of nbgrader's own execution: the sandbox runs the cells, and each check cell gets its points."""
        try:
            found, row.status = mark_notebook(notebook, checks.EXERCISES, course, seed)
            marks.update(found)
        except Exception as error:  # nbgrader would swallow it; it is not the student's
            failed.append(error)
            raise
        return notebook, resources

    steps = [judge, SaveAutoGrades, CheckCellMetadata]
    directory = course_directory(root, topic, known_as)
    try:
        Autograde(coursedir=directory, autograde_preprocessors=steps, force=True, log=quiet()).start()
    except NbGraderException:
        if failed:
            raise failed[0] from None
        tqdm.write(f"{student}: nbgrader cannot take this notebook", file=sys.stderr)
        row.status = "unreadable"
        return row
    row.status = "tampered" if tampered else row.status
    _from_gradebook(row, root, topic, known_as)
    row.said |= {question: given.sentence for question, given in marks.items()}
    return row


def _from_gradebook(row: Row, root: Path, topic: str, student: str) -> None:
    """Fill in the points by question from nbgrader's gradebook, and what a teacher wrote there."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        notebook = gradebook.find_submission_notebook(topic, topic, student)
        for given in notebook.grades:
            waits = given.auto_score is None and given.manual_score is None
            row.points[given.name.removesuffix("-check")] = None if waits else given.score
        row.said |= {comment.name: comment.comment for comment in notebook.comments if comment.comment}
