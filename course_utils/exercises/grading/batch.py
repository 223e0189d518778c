"""Grading: nbgrader restores the cells and keeps the gradebook; the marks come from fresh inputs.

A submission's code runs in a sandbox and nowhere else. The grader, outside, draws inputs from the batch's own seed,
sends them in as plain data, takes plain data back and compares here, where the student's code has no hand. What the
check cells printed counts for nothing; what is to be marked by hand waits in nbgrader's formgrader.
"""

import csv
import json
import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from tqdm import tqdm

from course_utils.exercises import checking
from course_utils.exercises.grading.marks import Unreadable, intake, mark_notebook
from course_utils.exercises.grading.release import course_directory, generate, nbgrader, quiet
from course_utils.exercises.grading.sandbox import Sandbox, public_course
from course_utils.exercises.masters import master, role

NOT_FOR_NBGRADER = str.maketrans("[]*?\n\r", "()+!  ")  # a student's name becomes a pattern there


@dataclass
class Row:
    """A student's line in grades.csv: points by question, None where they wait for a mark by hand."""

    student: str
    most: dict
    points: dict
    said: dict = field(default_factory=dict)  # a sentence by question, for the student
    status: str = "ok"

    @property
    def score(self):
        return sum(points for points in self.points.values() if points is not None)

    @property
    def manual_max(self):
        return sum(self.most[question] for question, points in self.points.items() if points is None)


def grade(chapter, submissions, out):
    """Grade `submissions`/STUDENT/NN_topic.ipynb into `out`: grades.csv, feedback/STUDENT.md, nbgrader's course folder.

    The seed of the batch stands in `out`/batch.json; grading into the same folder again uses it again and keeps what
    was marked by hand. Raises ValueError for a chapter without exercises, a folder without submissions, an `out` that
    belongs to another chapter, and where bubblewrap or nbgrader is missing: nothing runs outside of a sandbox.
    """
    path = master(chapter)
    checks = checking.checks(chapter)
    submissions, out = Path(submissions).resolve(), Path(out).resolve()
    students = _students(submissions)
    if not students:
        raise ValueError(f"{submissions} holds no submissions; expected {submissions}/STUDENT/{path.name}")
    if set("*?[]") & set(str(out)):
        raise ValueError(f"{out}: nbgrader cannot work in a folder that has one of * ? [ ] in its path; name another")
    with nbgrader(), public_course(checks.HIDDEN) as course:
        Sandbox(course).close()  # can it be had at all?
        seed = _batch(chapter, out)
        root = out / "nbgrader"
        released = nbformat.read(generate(path, root), as_version=4)
        rows = []
        for student, folder in tqdm(students.items(), desc=f"grade {chapter}", unit="submission"):
            rows.append(_grade_one(student, folder / path.name, root, released, checks, course, seed))
            _write(out / "feedback" / f"{student}.md", _feedback(rows[-1]))
    _write_grades(out / "grades.csv", rows)
    print(f"{len(rows)} submissions graded: {out / 'grades.csv'}")


def _students(submissions):
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


def _known_as(student):
    """The name of a student in nbgrader."""
    return student.translate(NOT_FOR_NBGRADER).strip()


def _batch(chapter, out):
    """The seed of the batch in `out`, drawn when it is graded for the first time."""
    record = out / "batch.json"
    if record.exists():
        batch = json.loads(record.read_text())
        if batch["chapter"] != chapter:
            raise ValueError(f"{out} holds the grades of chapter {batch['chapter']}; expected a folder for {chapter}")
        return batch["seed"]
    batch = {"chapter": chapter, "seed": secrets.randbits(48)}
    _write(record, json.dumps(batch) + "\n")
    return batch["seed"]


def _grade_one(student, path, root, released, checks, course, seed):
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
    _write(root / "submitted" / known_as / topic / path.name, nbformat.writes(notebook))
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


def _from_gradebook(row, root, topic, student):
    """Fill in the points by question from nbgrader's gradebook, and what a teacher wrote there."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        notebook = gradebook.find_submission_notebook(topic, topic, student)
        for given in notebook.grades:
            waits = given.auto_score is None and given.manual_score is None
            row.points[given.name.removesuffix("-check")] = None if waits else given.score
        row.said |= {comment.name: comment.comment for comment in notebook.comments if comment.comment}


def _write_grades(path, rows):
    questions = list(rows[0].most)
    lines = [["student", "status", "score", "max_score", "manual_max", *questions]]
    for row in rows:
        numbers = [row.score, sum(row.most.values()), row.manual_max, *(row.points[q] for q in questions)]
        lines.append([row.student, row.status, *("" if n is None else f"{n:g}" for n in numbers)])
    half = path.with_suffix(".part")
    with half.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    os.replace(half, path)


STATUS = {
    "ok": "",
    "missing": "No notebook was handed in under the name that was asked for.",
    "unreadable": "The file that was handed in is no notebook that can be read.",
    "tampered": "Locked cells had been changed or deleted, or cells of the task copied. They were put back first.",
    "timeout": "Something did not end in the time that it has.",
    "out_of_memory": "Something needed more memory than there is.",
    "kernel_died": "Something brought the process down.",
}


def _feedback(row):
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


def _write(path, text):
    """Write a text file so that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)
