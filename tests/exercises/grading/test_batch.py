"""Grading, with submissions good, half done, broken and hostile: each costs itself only and gets the right status."""

import csv
import inspect
import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

import psutil

from course_utils.__main__ import main
from course_utils.exercises.exercise import checks_of, trials
from course_utils.exercises.grading import grade, marks, walls
from course_utils.exercises.grading.release import generate, nbgrader
from course_utils.exercises.grading.students import file_name
from course_utils.exercises.masters import learner_version, master

NAME = "06_convolution_arithmetic.ipynb"
SURROGATE = '{"cells": [{"cell_type": "code", "id": "06-1", "metadata": {}, "source": "x = 1 # \\ud800"}]}'
POINTS = {"06-1": 2, "06-2": 3, "06-3": 2, "06-4": 3, "06-5": 4}


def rows(out):
    with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(bubblewrap, hand_in, released, solutions, tmp_path_factory):
    """A batch with all kinds of students, graded once; returns the rows and the folder."""
    work, out = tmp_path_factory.mktemp("submissions"), tmp_path_factory.mktemp("graded")
    (out / "batch.json").write_text('{"chapter": "06", "seed": 20191104}')  # the tests say the same every day
    hand_in(work, "perfect", released, solutions)
    half = {"06-1": solutions["06-1"], "06-3": solutions["06-3"], "06-4": "def unread(size, layers):\n    return []"}
    hand_in(work, "half-done", released, half)
    hand_in(work, "untouched", released)
    endless = solutions | {"06-1": "def input_sizes(*inputs):\n    while True:\n        pass"}
    hand_in(work, "endless", released, endless)

    learner = learner_version(nbformat.read(master("06"), as_version=4))
    hand_in(work, "O'Brien [2], Zoë", learner, {k: v for k, v in solutions.items() if k != "06-6"})
    for cell in (forged := nbformat.from_dict(released)).cells:
        if cell.id == "06-1-check":
            cell.source, cell.metadata["nbgrader"]["points"] = "2", 100
            cell.metadata["tags"] = ["skip-execution"]
    hand_in(work, "tampered", forged, {"06-2": solutions["06-2"]})
    deleted = nbformat.from_dict(released)
    deleted.cells = [cell for cell in deleted.cells if cell.id not in ("06-3-given", "06-3", "06-3-check", "title")]
    hand_in(work, "deleted", deleted, {"06-2": solutions["06-2"]})
    exits = solutions | {"06-1": solutions["06-1"].replace("extent = ", "import os; os._exit(0)\n    extent = ")}
    exits["06-2"] = solutions["06-2"] + "\nraise SystemExit"
    exits["06-3"] = "def field(layers):\n    raise KeyboardInterrupt"
    exits["06-4"] = "def unread(size, layers):\n    return b'x' * 2**36"
    exits["06-5"] = solutions["06-5"] + "\nprint('x' * 10**8)"
    hand_in(work, "exits", released, exits)
    hand_in(work, "syntax error", released, solutions | {"06-1": "def input_sizes(:", "06-2": "prediction = 5"})
    elsewhere = nbformat.from_dict(released)
    for cell in elsewhere.cells:
        if cell.id == "06-6":
            cell.metadata, cell.id, cell.source = {}, "mine", "All five claims are wrong."
    elsewhere.cells.append(nbformat.v4.new_code_cell("print('half a letter: \\ud800')"))
    hand_in(work, "answer elsewhere", elsewhere, solutions)
    hand_in(work, os.fsdecode(b"J\xf6rg"), released, {"06-3": solutions["06-3"]})
    hand_in(work, "two\nlines", released, {"06-3": solutions["06-3"]})
    (work / "linked").symlink_to(work / "perfect")
    (work / "no notebook").mkdir()
    (work / "no notebook" / "readme.txt").write_text("I forgot")
    for student, text in (
        ("not json", "def f():"),
        ("nested", "[" * 10**5),
        ("other json", '{"cells": [3]}'),
        ("half a letter", SURROGATE),
    ):
        (work / student).mkdir()
        (work / student / NAME).write_text(text)
    (work / "link").mkdir()
    (work / "link" / NAME).symlink_to(work / "perfect" / NAME)
    (work / ".DS_Store").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "IMPORTS", 0.5)
        assert main(["grade", "06", "--submissions", str(work), "--out", str(out)]) == 0
    return rows(out), out, work


@pytest.mark.parametrize(
    ("student", "status", "points", "manual"),
    [
        ("perfect", "ok", POINTS, "4"),
        ("half-done", "ok", {"06-1": 2, "06-3": 2}, "0"),
        ("untouched", "ok", {}, "0"),
        ("endless", "timeout", {"06-2": 3, "06-3": 2, "06-4": 3, "06-5": 4}, "4"),
        ("O'Brien [2], Zoë", "ok", POINTS, "0"),
        ("tampered", "tampered", {"06-2": 3}, "0"),
        ("deleted", "ok", {"06-2": 3}, "0"),
        ("exits", "out_of_memory", {"06-2": 3, "06-5": 4}, "4"),
        ("syntax error", "ok", {"06-3": 2, "06-4": 3, "06-5": 4}, "4"),
        ("answer elsewhere", "ok", POINTS, "4"),
        ("Jörg", "ok", {"06-3": 2}, "0"),
        ("two\nlines", "ok", {"06-3": 2}, "0"),
        ("no notebook", "missing", {}, "0"),
        ("not json", "unreadable", {}, "0"),
        ("nested", "unreadable", {}, "0"),
        ("other json", "unreadable", {}, "0"),
        ("half a letter", "ok", {}, "4"),
        ("link", "unreadable", {}, "0"),
        ("linked", "unreadable", {}, "0"),
    ],
)
def test_points_and_status(graded, student, status, points, manual):
    row = graded[0][student]
    assert (row["status"], row["max_score"], row["manual_max"]) == (status, "18", manual)
    assert {question: int(row[question]) for question in POINTS} == dict.fromkeys(POINTS, 0) | points
    assert float(row["score"]) == sum(points.values())
    assert row["06-6"] == ("" if manual == "4" else "0")


def test_feedback_helps_and_shows_nothing_of_what_was_tried(graded):
    _, out, _ = graded
    assert {path.stem for path in (out / "feedback").glob("*.md")} == {file_name(name) for name in graded[0]}
    half = (out / "feedback" / "half-done.md").read_text()
    assert "4 of 18 points" in half and "misses a pixel" in half and "still to do" in half
    assert "takes too long" in (out / "feedback" / "endless.md").read_text()
    for student, word in (("no notebook", "was handed in"), ("tampered", "were put back"), ("link", "is no notebook")):
        assert word in (out / "feedback" / f"{student}.md").read_text()
    seed = json.loads((out / "batch.json").read_text())["seed"]
    for exercise in checks_of("06").EXERCISES.values():
        names = inspect.signature(exercise.expected).parameters
        for inputs in trials(exercise, seed):
            assert not inputs or repr(inputs) not in half
            as_check_shows_them = [f"{name}={value}" for name, value in zip(names, inputs, strict=True)]
            assert not any(text in half for text in as_check_shows_them)


def test_a_teacher_sees_what_the_cells_printed_in_short(graded):
    _, out, _ = graded
    cells = nbformat.read(out / "nbgrader/autograded/exits" / NAME.removesuffix(".ipynb") / NAME, as_version=4).cells
    (printed,) = next(cell.outputs for cell in cells if cell.id == "06-5")
    assert set(printed.text) == {"x"} and len(printed.text) == 20_000


def test_gradebook_waits_for_marks_by_hand_and_a_regrade_keeps_them(
    hand_in, graded, released, solutions, tmp_path, monkeypatch, capsys
):
    from nbgrader.api import Gradebook

    work, out = tmp_path / "in", tmp_path / "out"
    hand_in(work, "perfect", released, solutions)
    grade("06", work, out)
    topic, seed = NAME.removesuffix(".ipynb"), (out / "batch.json").read_text()
    with Gradebook(f"sqlite:///{out / 'nbgrader' / 'gradebook.db'}") as gradebook:
        by_hand = gradebook.find_grade("06-6", topic, topic, "perfect")
        assert by_hand.needs_manual_grade and by_hand.max_score == 4
        by_hand.manual_score, by_hand.needs_manual_grade = 3.5, False
        comment = gradebook.find_comment("06-6", topic, topic, "perfect")
        comment.manual_comment = "What about | the border?"
        gradebook.db.commit()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class.csv").write_text("Identifier,Full name,Maximum Grade\n1,perfect,100\n2,Nobody,100\n")
    grade("06", "in", "out", roster="class.csv", format="moodle")
    assert "moodle.csv: the worksheet's maximum is 100, the exercises have 18 points" in capsys.readouterr().out
    assert rows(out)["Nobody"]["status"] == "missing" and (out / "feedback" / "Nobody.md").exists()
    grade("06", "in", "out")
    assert set(rows(out)) == {"perfect"} and [path.stem for path in (out / "feedback").iterdir()] == ["perfect"]
    row = rows(out)["perfect"]
    assert (row["score"], row["manual_max"], row["06-6"]) == ("17.5", "0", "3.5")
    assert (out / "batch.json").read_text() == seed
    feedback = (out / "feedback" / "perfect.md").read_text()
    assert "| 06-6 | 3.5 of 4 | What about / the border? |" in feedback and "| 06-1 | 2 of 2 | right |" in feedback


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_no_submissions(what, tmp_path, capsys):
    if what == "empty":
        (tmp_path / "in").mkdir()
    assert main(["grade", "06", "--submissions", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "holds no submissions; expected" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_nbgrader_cannot_work_in(tmp_path, capsys):
    (tmp_path / "in" / "someone").mkdir(parents=True)
    assert main(["grade", "06", "--submissions", str(tmp_path / "in"), "--out", str(tmp_path / "out [1]")]) == 2
    assert "in its path; name another" in capsys.readouterr().err
    assert not (tmp_path / "out [1]").exists()


def test_wrong_chapter(tmp_path, capsys):
    assert main(["grade", "77", "--submissions", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "chapter '77' has no exercises; those that have: 01, " in error


def test_nothing_runs_without_bubblewrap(hand_in, released, solutions, tmp_path, monkeypatch):
    hand_in(tmp_path / "in", "perfect", released, solutions)
    monkeypatch.setattr(walls.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="apt install bubblewrap"):
        grade("06", tmp_path / "in", tmp_path / "out")


def test_a_folder_of_another_chapter(bubblewrap, hand_in, released, tmp_path):
    hand_in(tmp_path / "in", "untouched", released)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "batch.json").write_text('{"chapter": "09", "seed": 1}')
    with pytest.raises(ValueError, match="holds the grades of chapter 09"):
        grade("06", tmp_path / "in", tmp_path / "out")


def test_ctrl_c_leaves_nothing_behind_and_the_same_command_goes_on(hand_in, released, solutions, bubblewrap, tmp_path):
    """A real SIGINT, to all processes as a terminal sends it, at the second of three students."""
    work, out, temporary = tmp_path / "in", tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    for student in ("a", "c"):
        hand_in(work, student, released, solutions)
    slow = hand_in(work, "b", released, {"set-up": "import time\ntime.sleep(15)"})
    with nbgrader():
        generate(master("06"), out / "nbgrader")  # as if the batch had been graded before: saves two seconds
    line = [sys.executable, "-m", "course_utils", "grade", "06", "--submissions", str(work), "--out", str(out)]
    environment = os.environ | {"TMPDIR": str(temporary)}
    grader = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    inside, end = [], time.monotonic() + 60
    while not inside and grader.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
        if (out / "nbgrader" / "submitted" / "b").exists():
            inside = psutil.Process(grader.pid).children(recursive=True)
    assert inside and list(temporary.iterdir())
    os.killpg(grader.pid, signal.SIGINT)
    _, said = grader.communicate(timeout=30)
    assert grader.returncode == 130 and "Traceback" not in said
    assert (
        said.rstrip().splitlines()[-1].endswith("the same command grades all again and keeps what was marked by hand")
    )
    assert not psutil.wait_procs(inside, timeout=10)[1]
    assert not list(temporary.iterdir()) and [path.name for path in out.rglob(".*")] == [".lock"]
    assert {student: row["score"] for student, row in rows(out).items()} == {"a": "14"}

    hand_in(work, "b", released, {"06-1": solutions["06-1"]}, replace=slow)
    grade("06", work, out)
    assert {student: row["score"] for student, row in rows(out).items()} == {"a": "14", "b": "2", "c": "14"}


def test_grading_does_not_import_torch():
    code = "import sys, course_utils.exercises.grading; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
