"""The grader's own trouble is not the student's: it costs nobody marks, is said in one line, and the batch goes on.

In place of the sandbox, which is not what fails here, there is a function that gives everybody full marks.
"""

import contextlib
import csv
import errno
import functools
import gc
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import unicodedata

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from filelock import FileLock
from nbformat.v4 import new_output

from course_utils.__main__ import main
from course_utils.exercises.grading import batch, gradebook, submission
from course_utils.exercises.grading.marks import Mark, Marks
from course_utils.exercises.grading.release import generate, nbgrader
from course_utils.exercises.masters import master, role

NAME = "06_convolution_arithmetic.ipynb"
TOPIC = NAME.removesuffix(".ipynb")


def rows(out):
    with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def course_folder(gradebooks, tmp_path_factory):
    """nbgrader's folder for chapter 06, made once."""
    folder = tmp_path_factory.mktemp("course") / "nbgrader"
    with nbgrader():
        generate(master("06"), folder)
    return folder


def full_marks(notebook, exercises, course, seed, share=1):
    """In place of `mark_notebook`."""
    for cell in notebook.cells:
        if role(cell).get("grade") and cell.cell_type == "code":
            points = share * exercises[role(cell)["grade_id"].removesuffix("-check")].points
            cell.outputs = [new_output("execute_result", data={"text/plain": str(points)})]
    return Marks({key: Mark(share * exercise.points, "right") for key, exercise in exercises.items()})


def at_the_second(trouble, share=1):
    """`full_marks`, or a share of them, with something that happens at the second student."""
    calls = []

    def marked(*given):
        calls.append(given)
        if len(calls) == 2:
            trouble()
        return full_marks(*given, share=share)

    return marked


@pytest.fixture
def grading(course_folder, released, hand_in, solutions, tmp_path, monkeypatch, capsys):
    """Grades students of these names into tmp_path/out with the command; returns (exit code, last line, errors)."""
    monkeypatch.setattr(batch, "Sandbox", lambda course: _Nothing())
    monkeypatch.setattr(batch, "public_course", lambda at_hand: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(batch, "generate", lambda path, root: root / "release" / TOPIC / NAME)
    monkeypatch.setattr(submission, "mark_notebook", full_marks)
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)

    def run(*names, out="out", more=()):
        for name in names:
            if not (tmp_path / "in" / name).exists():
                hand_in(tmp_path / "in", name, released, solutions)
        with contextlib.suppress(OSError):
            shutil.copytree(course_folder, tmp_path / out / "nbgrader", dirs_exist_ok=False)
        line = ["grade", "06", "--submissions", str(tmp_path / "in"), "--out", str(tmp_path / out), *more]
        code = main(line)
        said = capsys.readouterr()
        return code, (said.out.splitlines() or [""])[-1], said.err

    return run


class _Nothing:
    def close(self):
        pass


def test_the_last_line_says_how_it_went(grading, tmp_path):
    (tmp_path / "in" / "nothing").mkdir(parents=True)
    (tmp_path / "in" / "garbage").mkdir()
    (tmp_path / "in" / "garbage" / NAME).write_text("def f():")
    (tmp_path / "class.txt").write_text("anna\nben\nchi\n")
    code, last, _ = grading("anna", "max", more=["--roster", str(tmp_path / "class.txt")])
    counts = "3 graded (2 ok, 1 unreadable), 3 missing, not on the roster: 'garbage', 'max', 'nothing'"
    assert (code, last) == (0, f"{counts}: {tmp_path / 'out' / 'grades.csv'}")
    assert {name: row["status"] for name, row in rows(tmp_path / "out").items()} == {
        **{"anna": "ok", "ben": "missing", "chi": "missing", "garbage": "unreadable", "max": "ok", "nothing": "missing"}
    }
    code, last, _ = grading(more=["--format", "canvas"])
    assert list(rows(tmp_path / "out")) == ["anna", "garbage", "max", "nothing"]  # of this run
    assert "max,,,max,,14" in (tmp_path / "out" / "canvas.csv").read_text().split()


def test_one_student_again_and_the_other_rows_stay(grading, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert grading("anna", "ben")[0] == 0
    before = rows(out)
    shutil.rmtree(tmp_path / "in" / "ben")
    (tmp_path / "in" / "anna" / NAME).write_text("torn")
    code, last, _ = grading(more=["--student", "anna"])
    assert (code, last) == (0, f"1 graded (1 unreadable): {out / 'grades.csv'}")
    assert rows(out)["ben"] == before["ben"] and rows(out)["anna"]["status"] == "unreadable"
    assert [path.parent.name for path in (out / "archive").glob("*/*")] == ["anna"]
    code, _, said = grading(more=["--student", "bea"])
    assert code == 2 and "there is no student 'bea'; expected one such as 'anna'" in said


def test_nothing_is_lost_by_an_interruption(grading, tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    assert grading("anna", "ben", "chi")[0] == 0
    monkeypatch.setattr(submission, "mark_notebook", at_the_second(interrupt, share=0))
    assert grading()[0] == 130
    scores = {name: row["score"] for name, row in rows(tmp_path / "out").items()}
    assert scores == {"anna": "0", "ben": "14", "chi": "14"}
    monkeypatch.setattr(submission, "mark_notebook", full_marks)
    shutil.rmtree(tmp_path / "in" / "chi")
    assert grading()[0] == 0 and list(rows(tmp_path / "out")) == ["anna", "ben"]


def no_space():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


TROUBLES = {
    "a full disk": "{out}/handed-in/ben.ipynb cannot be written: No space left on device",
    "a full disk for nbgrader": "{out}/nbgrader: No space left on device",
    "a locked gradebook": "{out}/nbgrader/gradebook.db: database is locked",
    "a mistake of ours": "ZeroDivisionError: integer division or modulo by zero (test_trouble.py, line {line})",
}


@pytest.mark.parametrize("what", TROUBLES)
def test_somebody_is_not_graded_and_the_batch_goes_on(what, grading, tmp_path, monkeypatch):
    from nbgrader import api

    out = tmp_path / "out"
    assert grading("anna", "ben", "chi")[0] == 0
    monkeypatch.setattr(api, "create_engine", functools.partial(api.create_engine, connect_args={"timeout": 0.1}))
    holder = sqlite3.connect(out / "nbgrader" / "gradebook.db", isolation_level=None)
    happens = {
        "a full disk for nbgrader": no_space,
        "a locked gradebook": lambda: holder.execute("BEGIN EXCLUSIVE"),
        "a mistake of ours": lambda: divmod(1, 0),
    }
    if what in happens:
        monkeypatch.setattr(submission, "mark_notebook", at_the_second(happens[what]))
    else:
        (out / "handed-in" / "ben.ipynb").unlink()
        (out / "handed-in" / "ben.ipynb").with_suffix("").mkdir()
        monkeypatch.setattr("course_utils.files.os.fsync", lambda file: no_space() if fails(file) else None)

    def fails(file):
        return "handed-in/.ben.ipynb" in os.readlink(f"/proc/self/fd/{file}")

    reason = gradebook.reason

    def then_free(*given):
        if holder.in_transaction:
            holder.rollback()
        return reason(*given)

    monkeypatch.setattr(gradebook, "reason", then_free)
    with contextlib.closing(holder):
        code, last, said = grading()
    assert code == 1 and last.startswith("2 graded (2 ok), 1 not graded: ")
    assert {name: row["status"] for name, row in rows(out).items()} == {"anna": "ok", "ben": "not_graded", "chi": "ok"}
    assert rows(out)["ben"]["score"] == "14"  # of the time before
    (line,) = [line for line in said.replace("\r", "\n").splitlines() if "not graded" in line]
    number = line.rstrip(")").rpartition(" ")[2]
    assert "Traceback" not in said and line == f"'ben' is not graded: {TROUBLES[what].format(out=out, line=number)}"


def test_a_file_that_the_grader_may_not_read(grading, tmp_path, monkeypatch):
    listdir = os.listdir

    def refuse(path):
        if path == tmp_path / "in" / "ben":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listdir(path)

    monkeypatch.setattr(submission.os, "listdir", refuse)
    code, _, said = grading("anna", "ben")
    assert code == 1 and {row["status"] for row in rows(tmp_path / "out").values()} == {"ok", "not_graded"}
    assert rows(tmp_path / "out")["ben"]["score"] == "" and f"{tmp_path / 'in' / 'ben'}: Permission denied" in said


def test_folders_of_any_name_cost_nobody_else(grading, tmp_path):
    twins = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    odd = ["x" * 250, "two\nlines", "=cmd", "a[1]", "a(1)", "-rf", "a%20b", os.fsdecode(b"J\xf6rg"), "CON"]
    code, last, said = grading("anna", *odd, *twins)
    assert code == 1 and last.startswith("10 graded (10 ok), 1 not graded")
    assert "'Zoë' is not graded: the folders 'Zoe\\u0308' and 'Zo\\xeb' look like one student; rename one" in said
    names = {name: row["status"] for name, row in rows(tmp_path / "out").items()}
    assert names == {"Zoë": "not_graded"} | dict.fromkeys(
        ["anna", "Jörg", "'=cmd", "'-rf", *odd[:2], *odd[3:5], "a%20b", "CON"], "ok"
    )
    assert len(list((tmp_path / "out" / "feedback").iterdir())) == 10


def test_two_graders_in_one_folder(grading, tmp_path):
    assert grading("anna")[0] == 0
    with FileLock(tmp_path / "out" / ".lock"):
        code, _, said = grading()
    assert code == 2 and said.splitlines()[-1].startswith(
        f"course_utils: another grader is at work in {tmp_path / 'out'}: wait"
    )


def zeros(path):
    content = path.read_bytes()
    path.write_bytes(content[:20_000] + bytes(20_000) + content[40_000:])


DAMAGES = {
    "batch.json": ['{"chap', "[]", '{"chapter": "06", "seed": "x"}', '{"chapter": "06"}', "\x00"],
    "nbgrader/gradebook.db": ["no database" * 1000, zeros],
}


@pytest.mark.parametrize(("name", "damage"), [(name, damage) for name, all_ in DAMAGES.items() for damage in all_])
def test_a_damaged_file_is_called_so(name, damage, grading, tmp_path, monkeypatch):
    path = tmp_path / "out" / name
    assert grading("anna")[0] == 0
    damage(path) if callable(damage) else path.write_text(damage)
    kept = path.read_bytes()
    monkeypatch.setattr(batch, "generate", generate)
    code, _, said = grading()
    assert code == 2 and said.splitlines()[-1].startswith(f"course_utils: {path} is damaged")
    assert len(said.splitlines()) == 1 and path.read_bytes() == kept and rows(tmp_path / "out")["anna"]["score"] == "14"


@pytest.mark.parametrize("out", ["x" * 300, "/".join(["x" * 99] * 5), "/".join(["x" * 200] * 30)])
def test_a_path_that_is_too_long(out, grading, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "generate", generate)
    code, _, said = grading("anna", out=out)
    assert code == 2 and len(said.splitlines()) == 1 and ("too long" in said)


def test_a_locked_gradebook_from_the_start(grading, tmp_path, monkeypatch):
    from nbgrader import api

    database = tmp_path / "out" / "nbgrader" / "gradebook.db"
    with nbgrader():
        gradebook.prepare(database.parent)
    monkeypatch.setattr(batch, "generate", generate)
    monkeypatch.setattr(api, "create_engine", functools.partial(api.create_engine, connect_args={"timeout": 0.1}))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert grading("anna") == (2, "", f"course_utils: {database}: database is locked\n")


def test_no_other_gradebook_is_written_into(grading, tmp_path):
    """A percent sign in a path is not the beginning of a letter's number, as it is in an address."""
    assert grading("anna", out="a b")[0] == 0
    shutil.rmtree(tmp_path / "in" / "anna")
    before = (tmp_path / "a b" / "nbgrader" / "gradebook.db").read_bytes()
    for out in ("a%20b", "a#b", "%", "a&b;c=d"):
        assert grading("ben", out=out)[0] == 0 and rows(tmp_path / out)["ben"]["score"] == "14"
    assert (tmp_path / "a b" / "nbgrader" / "gradebook.db").read_bytes() == before


def test_nbgrader_by_itself_runs_nothing(grading, tmp_path):
    """Its formgrader has a button for that; it is the same as this command."""
    assert grading("anna")[0] == 0
    root = tmp_path / "out" / "nbgrader"
    path = root / "submitted" / "anna" / TOPIC / NAME
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = f"open({str(tmp_path / 'done')!r}, 'w').write('outside of the sandbox')"
    nbformat.write(notebook, path)
    start = "import sys; sys.modules['rfc3987_syntax'] = None; from nbgrader.apps.nbgraderapp import main; main()"
    for line in (["autograde", TOPIC, "--force"], ["validate", str(path)]):
        done = subprocess.run([sys.executable, "-c", start, *line], cwd=root, capture_output=True, text=True)
        assert done.returncode != 0 and "it would run outside of the sandbox" in done.stderr
    assert not (tmp_path / "done").exists() and (root / "autograded" / "anna" / TOPIC / NAME).exists()


def test_memory_stays_as_it_is(grading, tmp_path, monkeypatch):
    """Objects that a further submission leaves behind: of an engine for each look at the gradebook, hundreds."""
    number, counts = itertools.count(1), {}

    def counted(*given):
        if (student := next(number)) in (5, 10):
            gc.collect()  # half a second in a process that has collected all tests
            counts[student] = len(gc.get_objects())
        return full_marks(*given)

    monkeypatch.setattr(submission, "mark_notebook", counted)
    assert grading(*"abcdefghij")[0] == 0
    assert (counts[10] - counts[5]) / 5 < 60


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
def test_a_gradebook_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    from nbgrader import api

    def interrupted():
        raise KeyboardInterrupt

    with nbgrader(), monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(api, "get_alembic_version", interrupted)
        generate(master("06"), tmp_path)
    assert not list(tmp_path.iterdir())
    with nbgrader():
        generate(master("06"), tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "gradebook.db")) as database:
        assert len(database.execute("SELECT version_num FROM alembic_version").fetchall()) == 1
