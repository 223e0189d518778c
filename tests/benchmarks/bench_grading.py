"""A batch: seconds for a submission, and memory of the grader from the first student to the last.

Time is of the clock, on a machine that does nothing else, sandbox included. For memory each submission gets its marks
without a sandbox, which is another process: three hundred then take a minute or two.
"""

import itertools
import statistics
import time

import nbformat
import psutil
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from nbformat.v4 import new_output

from course_utils.exercises.grading import batch, submission
from course_utils.exercises.grading.marks import Mark, Marks
from course_utils.exercises.grading.release import release
from course_utils.exercises.masters import master, role

CHAPTER = "06"
FEW, MANY = 20, 300


def hand_in(folder, students):
    """The solutions of the master in the class version, handed in by so many students."""
    name = master(CHAPTER).name
    release(CHAPTER, folder / "class")
    solved = {cell.id: cell.source for cell in nbformat.read(master(CHAPTER), as_version=4).cells}
    notebook = nbformat.read(folder / "class" / name, as_version=4)
    for cell in notebook.cells:
        cell.source = solved[cell.id] if role(cell).get("solution") else cell.source
    for number in range(students):
        path = folder / "in" / f"student {number:03}" / name
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    return folder / "in"


def full_marks(notebook, exercises, course, seed):
    for cell in notebook.cells:
        if role(cell).get("grade") and cell.cell_type == "code":
            cell.outputs = [new_output("execute_result", data={"text/plain": "1"})]
    return Marks({key: Mark(1, "right") for key in exercises})


def test_a_class_of_a_hundred_takes_less_than_five_minutes(bubblewrap, tmp_path, monkeypatch):
    begun, grade_one = [], batch.grade_one
    monkeypatch.setattr(batch, "grade_one", lambda *given: begun.append(time.monotonic()) or grade_one(*given))
    assert batch.grade(CHAPTER, hand_in(tmp_path, FEW), tmp_path / "out") == 0
    seconds = statistics.median(after - before for before, after in itertools.pairwise(begun))
    print(f"\n{seconds:.2f} s a submission: {100 * seconds:.0f} s for a hundred")
    assert 100 * seconds < 300


def test_memory_does_not_grow_with_the_class(bubblewrap, tmp_path, monkeypatch):
    taken, grade_one, me = [], batch.grade_one, psutil.Process()

    def watched(*given):
        taken.append(me.memory_info().rss)
        return grade_one(*given)

    monkeypatch.setattr(submission, "mark_notebook", full_marks)
    monkeypatch.setattr(batch, "grade_one", watched)
    assert batch.grade(CHAPTER, hand_in(tmp_path, MANY), tmp_path / "out") == 0
    ratio = max(taken[30:]) / taken[29]
    print(f"\n{taken[29] / 2**20:.0f} MiB after 30 students, {ratio:.2f} times as much at most after {MANY}")
    assert ratio < 1.1
