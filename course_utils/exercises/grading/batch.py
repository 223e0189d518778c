"""Grading: nbgrader restores the cells and keeps the gradebook; the marks come from fresh inputs.

A submission's code runs in a sandbox and nowhere else. The grader, outside, draws inputs from the batch's own seed,
sends them in as plain data, takes plain data back and compares here, where the student's code has no hand. What the
check cells printed counts for nothing; what is to be marked by hand waits in nbgrader's formgrader.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import nbformat
from tqdm import tqdm

from course_utils.exercises.exercise import checks_of
from course_utils.exercises.grading import gradebook
from course_utils.exercises.grading.folder import alone, seed_of
from course_utils.exercises.grading.platforms import FORMATS, missing, table_for
from course_utils.exercises.grading.release import generate, nbgrader
from course_utils.exercises.grading.report import NOT_GRADED, Grades, page
from course_utils.exercises.grading.roster import People, people_of
from course_utils.exercises.grading.sandbox import Sandbox, public_course
from course_utils.exercises.grading.students import Student, file_name, named
from course_utils.exercises.grading.submission import Batch, grade_one, not_graded
from course_utils.exercises.grading.system import refuse_exposed
from course_utils.exercises.masters import master
from course_utils.files import write


def grade(
    chapter: str,
    submissions: Path | str,
    out: Path | str,
    roster: Path | str | None = None,
    student: str | None = None,
    format: str = "csv",
) -> int:
    """Grade `submissions`/STUDENT/NN_topic.ipynb into `out`: grades.csv, feedback/STUDENT.md, nbgrader's course folder.

    With a roster, those who handed in nothing get a row; with a student, that one is graded and the other rows stay.
    The seed of the batch stands in `out`/batch.json; grading into the same folder again uses it again and keeps what
    was marked by hand. Returns 0, or 1 where somebody could not be graded for a reason of the grader's.

    Raises ValueError for a chapter without exercises, a folder without submissions, a roster that cannot be read, a
    student who is not there, an `out` that belongs to another chapter, is damaged or in use, and where bubblewrap or
    nbgrader is missing: nothing runs outside of a sandbox. OSError for an `out` that cannot be written to.
    """
    path, shown = master(chapter), Path(out) / "grades.csv"
    submissions, out = Path(submissions).resolve(), Path(out).resolve()
    if format not in FORMATS:
        raise ValueError(f"the format is {format!r}; expected {', '.join(FORMATS)}")
    gradebook.refuse_folder(out)
    people = people_of(submissions, Path(roster) if roster else None, out)
    if not people.students:
        raise ValueError(f"{submissions} holds no submissions; expected {submissions}/STUDENT/{path.name}")
    chosen = people.students if student is None else [named(student, people.students)]
    try:
        with nbgrader(), alone(out):
            statuses = _grade_all(chapter, chosen, people, out, student is not None, format)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; the same command grades all again and keeps what was marked by hand"
        ) from None
    print(f"{_summary(statuses, [person.name for person in chosen if person in people.unknown])}: {shown}")
    return 1 if statuses[NOT_GRADED] else 0


def _grade_all(chapter: str, chosen: list[Student], people: People, out: Path, some: bool, format: str) -> Counter[str]:
    """Grade the chosen students, with each one's page and row written as soon as it is known; how many of each status.

    If they are only `some`, the other rows stay.
    """
    checks = checks_of(chapter)
    refuse_exposed([people.submissions, out], any(exercise.torch for exercise in checks.EXERCISES.values()))
    with public_course(checks.AT_HAND) as course:
        Sandbox(course).close()  # can it be had at all?
        seed, path = seed_of(chapter, out), master(chapter)
        released = nbformat.read(generate(path, out / "nbgrader"), as_version=4)
        gradebook.forbid(out / "nbgrader")
        batch = Batch(out, path.stem, released, checks.EXERCISES, course, seed)
        grades = Grades(out / "grades.csv", batch.most, some)
        with tqdm(chosen, desc=f"grade {chapter}", unit="submission") as bar:
            statuses = Counter(_write(student, batch, grades) for student in bar)
    for name in grades.keep(grades.rows if some else [person.name for person in chosen]):
        (out / "feedback" / f"{file_name(name)}.md").unlink(missing_ok=True)
    if make := FORMATS[format]:
        (listed, results), most = table_for(people, grades, out), sum(batch.most.values())
        write(out / f"{format}.csv", make(listed, results, path.stem, most))
        for sentence in missing(format, listed, most):
            print(f"{format}.csv: {sentence}")
    return statuses


def _write(student: Student, batch: Batch, grades: Grades) -> str:
    """Grade a student and write what comes of it; returns the status."""
    row = grade_one(student, batch)
    try:
        if row.status != NOT_GRADED:
            write(batch.out / "feedback" / f"{student.key}.md", page(row))
        grades.add(row)
    except OSError as error:
        not_graded(row, error, batch)
    return row.status


def _summary(statuses: Counter[str], unknown: Iterable[str]) -> str:
    """How many were graded and how they fared, how many were not, and who is on no class list, in one line."""
    apart = {"missing": statuses["missing"], "not graded": statuses[NOT_GRADED]}
    graded = {status: number for status, number in statuses.most_common() if status not in ("missing", NOT_GRADED)}
    kinds = ", ".join(f"{number} {status}" for status, number in graded.items())
    parts = [f"{sum(graded.values())} graded" + (f" ({kinds})" if kinds else "")]
    parts += [f"{number} {words}" for words, number in apart.items() if number]
    names = ", ".join(map(repr, unknown))
    return ", ".join([*parts, *([f"not on the roster: {names}"] if names else [])])
