"""Grading, with submissions good, half done, broken and hostile: each costs itself only and gets the right status."""

import csv
import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.__main__ import main
from course_utils.exercises import checking
from course_utils.exercises.grading import batch as grading
from course_utils.exercises.grading import grade, sandbox
from course_utils.exercises.grading import marks as marking
from course_utils.exercises.grading.marks import intake
from course_utils.exercises.grading.release import release
from course_utils.exercises.grading.sandbox import Limits, Lost, Sandbox, public_course
from course_utils.exercises.masters import learner_version, master, role

NAME = "06_convolution_arithmetic.ipynb"
SURROGATE = '{"cells": [{"cell_type": "code", "id": "06-1", "metadata": {}, "source": "x = 1 # \\ud800"}]}'
POINTS = {"06-1": 2, "06-2": 3, "06-3": 2, "06-4": 3, "06-5": 4}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The class version of chapter 06, as nbgrader makes it."""
    folder = tmp_path_factory.mktemp("released")
    release("06", folder)
    return nbformat.read(folder / NAME, as_version=4)


@pytest.fixture(scope="module")
def solutions():
    """The answer cells of the master by id."""
    cells = nbformat.read(master("06"), as_version=4).cells
    return {role(cell)["grade_id"]: cell.source for cell in cells if role(cell).get("solution")}


def hand_in(folder, student, notebook, answers=None):
    """Put a notebook with other sources in some of its cells into the folder of submissions."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        cell.source = (answers or {}).get(cell.id, cell.source)
    path = folder / student / NAME
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def rows(out):
    with (out / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(bubblewrap, released, solutions, tmp_path_factory):
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
        ("deleted", "tampered", {"06-2": 3}, "0"),
        ("exits", "out_of_memory", {"06-2": 3, "06-5": 4}, "4"),
        ("syntax error", "ok", {"06-3": 2, "06-4": 3, "06-5": 4}, "4"),
        ("answer elsewhere", "ok", POINTS, "4"),
        ("Jörg", "ok", {"06-3": 2}, "0"),
        ("two\nlines", "ok", {"06-3": 2}, "0"),
        ("no notebook", "missing", {}, "0"),
        ("not json", "unreadable", {}, "0"),
        ("nested", "unreadable", {}, "0"),
        ("other json", "unreadable", {}, "0"),
        ("half a letter", "unreadable", {}, "0"),
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
    assert {path.stem for path in (out / "feedback").glob("*.md")} == set(graded[0])
    half = (out / "feedback" / "half-done.md").read_text()
    assert "4 of 18 points" in half and "misses a pixel" in half and "still to do" in half
    assert "takes too long" in (out / "feedback" / "endless.md").read_text()
    for student, word in (("no notebook", "was handed in"), ("tampered", "were put back"), ("link", "is no notebook")):
        assert word in (out / "feedback" / f"{student}.md").read_text()
    seed = json.loads((out / "batch.json").read_text())["seed"]
    for exercise in checking.checks("06").EXERCISES.values():
        names = inspect.signature(exercise.expected).parameters
        for inputs in checking.trials(exercise, seed):
            assert not inputs or repr(inputs) not in half
            as_check_shows_them = [f"{name}={value}" for name, value in zip(names, inputs, strict=True)]
            assert not any(text in half for text in as_check_shows_them)


def test_a_teacher_sees_what_the_cells_printed_in_short(graded):
    _, out, _ = graded
    cells = nbformat.read(out / "nbgrader/autograded/exits" / NAME.removesuffix(".ipynb") / NAME, as_version=4).cells
    (printed,) = next(cell.outputs for cell in cells if cell.id == "06-5")
    assert set(printed.text) == {"x"} and len(printed.text) == 20_000


def test_gradebook_waits_for_marks_by_hand_and_a_regrade_keeps_them(graded, released, solutions, tmp_path, monkeypatch):
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
    grade("06", "in", "out")
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


@pytest.mark.parametrize("names", [("a[1]", "a(1)"), ("Anna", "Anna "), ("J\xf6rg", os.fsdecode(b"J\xf6rg"))])
def test_two_folders_that_would_be_one_student(names, tmp_path, capsys):
    for name in names:
        (tmp_path / "in" / name).mkdir(parents=True)
    assert main(["grade", "06", "--submissions", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "look like one student; rename one" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_nbgrader_cannot_work_in(tmp_path, capsys):
    (tmp_path / "in" / "someone").mkdir(parents=True)
    assert main(["grade", "06", "--submissions", str(tmp_path / "in"), "--out", str(tmp_path / "out [1]")]) == 2
    assert "in its path; name another" in capsys.readouterr().err
    assert not (tmp_path / "out [1]").exists()


def test_a_mistake_of_the_graders_is_not_the_students(graded, released, monkeypatch):
    def mistaken(*given):
        raise ZeroDivisionError("of ours")

    _, out, work = graded
    monkeypatch.setattr(grading, "mark_notebook", mistaken)
    path, checks = work / "untouched" / NAME, checking.checks("06")
    with pytest.raises(ZeroDivisionError, match="of ours"):
        grading._grade_one("untouched", path, out / "nbgrader", released, checks, course=None, seed=0)


def test_wrong_chapter(tmp_path, capsys):
    assert main(["grade", "77", "--submissions", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "chapter '77' has no exercises; those that have: 01, " in error


def test_nothing_runs_without_bubblewrap(released, solutions, tmp_path, monkeypatch):
    hand_in(tmp_path / "in", "perfect", released, solutions)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="apt install bubblewrap"):
        grade("06", tmp_path / "in", tmp_path / "out")


def test_a_folder_of_another_chapter(bubblewrap, released, tmp_path):
    hand_in(tmp_path / "in", "untouched", released)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "batch.json").write_text('{"chapter": "09", "seed": 1}')
    with pytest.raises(ValueError, match="holds the grades of chapter 09"):
        grade("06", tmp_path / "in", tmp_path / "out")


def test_intake_takes_text_only(released, solutions, tmp_path):
    path = hand_in(tmp_path, "someone", released, solutions)
    raw = json.loads(path.read_text())
    raw["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "c"}
    for cell in raw["cells"]:
        cell["attachments"] = {"a.png": {"image/png": "x" * 10**5}}
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": "<script>"}, "metadata": {}}]
    path.write_text(json.dumps(raw))
    notebook, tampered = intake(path, released)
    assert not tampered and notebook.metadata == released.metadata
    assert "<script>" not in nbformat.writes(notebook) and "attachments" not in nbformat.writes(notebook)
    raw["cells"] += [raw["cells"][3] | {"source": "old = 1"}, raw["cells"][4]]  # an answer and its check, copied
    path.write_text(json.dumps(raw))
    twice, tampered = intake(path, released)
    assert tampered and len(twice.cells) == len(notebook.cells) + 2  # one id twice
    assert [cell.source for cell in twice.cells[:-2]] == [cell.source for cell in notebook.cells]
    assert not any(map(role, twice.cells[-2:]))


def test_a_text_runs_no_script_in_the_browser_of_a_teacher(released, tmp_path):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune as html

    text = "If $a<b$ and 1 < 2:\n<script>alert(1)</script>\n\n<img src=x onerror=alert(2)> [x](javascript:alert(3))"
    text += "\n\n<!-- x --><svg/onload=alert(4)> [y][1] <javascript:alert(5)>\n\n[1]: javascript:alert(6)"
    path = hand_in(tmp_path, "someone", released, {"06-6": text, "06-1": "x = 1 <a"})
    raw = json.loads(path.read_text())
    raw["cells"] += [{"cell_type": kind, "metadata": {}, "source": text} for kind in ("markdown", "raw", "html")]
    path.write_text(json.dumps(raw))
    notebook, tampered = intake(path, released)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and "alert" in cell.source]
    assert not tampered and len(texts) == 4 and any(cell.source == "x = 1 <a" for cell in notebook.cells)
    for shown in map(html, texts):
        assert not any(tag in shown for tag in ("<script", "<img", "<svg", "<!--", "<a")), shown
        assert "1 &lt; 2" in shown and "alert(1)" in shown


def test_a_file_that_is_too_large_is_not_read(released, tmp_path, monkeypatch):
    path = hand_in(tmp_path, "someone", released)
    monkeypatch.setattr(marking, "LIMITS", Limits(notebook=path.stat().st_size))
    intake(path, released)
    monkeypatch.setattr(marking, "LIMITS", Limits(notebook=path.stat().st_size - 1))
    with pytest.raises(marking.Unreadable):
        intake(path, released)


def test_intake_knows_other_line_ends(released, solutions, tmp_path):
    path = hand_in(tmp_path, "someone", released, solutions)
    raw = json.loads(path.read_text())
    for cell in raw["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    path.write_text(json.dumps(raw))
    notebook, tampered = intake(path, released)
    assert not tampered and not any("\r" in cell.source for cell in notebook.cells)


# The sandbox itself


@pytest.fixture(scope="module")
def course(bubblewrap):
    with public_course(("arithmetic.py", "scratch")) as folder:
        yield folder


def test_cells_take_no_time_from_the_exercise_after_them(course):
    """Neither before the first exercise nor when they run again, after a lost sandbox."""
    quick = checking.Exercise(**(vars(checking.find("06-1")) | {"seconds": 1.0}))
    right = (
        "def input_sizes(n, k, s, p, d):\n    small = (n - 1) * s + d * (k - 1) + 1 - 2 * p\n"
        "    return small, small + s - 1"
    )
    code = marking.Code(["import time; time.sleep(1.2)", right, "def endless(*inputs):\n    while True: pass"], course)
    try:
        assert marking.mark(code, quick, "input_sizes", seed=5) == marking.Mark(2, "right")
        assert marking.mark(code, quick, "endless", seed=5).status == "timeout"
        assert marking.mark(code, quick, "input_sizes", seed=5) == marking.Mark(2, "right")
    finally:
        code.close()


@pytest.fixture(scope="module")
def box(course):
    with Sandbox(course) as sandbox:
        yield sandbox


def printed(box, source, seconds=30):
    return box.ask({"run": source}, seconds)["printed"]


@pytest.mark.parametrize(
    "module", ["course_utils.exercises.checks.ex06", "course_utils.arithmetic", "course_utils.scratch", "tests"]
)
def test_answers_are_not_there(box, module):
    assert box.ask({"run": f"import {module}"}, 30)["error"] == "ModuleNotFoundError"


def test_nothing_of_the_machine_is_there(box):
    home, here = Path.home(), Path(__file__).resolve().parents[3]
    assert box.ask({"run": "import os; from pathlib import Path"}, 30)["error"] is None
    for folder in (here / "notebooks", here / "tests", here / "course_utils", home / ".ssh", home / ".bashrc"):
        assert printed(box, f"print(os.path.exists({str(folder)!r}))") == "False\n"
    assert "COURSE" not in printed(box, "print([k for k in os.environ if k.startswith('COURSE_R')])")
    assert (
        printed(box, "print(os.getuid() != 0, len([p for p in os.listdir('/proc') if p.isdigit()]) < 5)")
        == "True True\n"
    )


def test_no_network(box):
    assert box.ask({"run": "import socket; socket.create_connection(('127.0.0.1', 22), 2)"}, 30)["error"]
    assert box.ask({"run": "socket.getaddrinfo('example.org', 80)"}, 30)["error"]
    assert printed(box, "print(os.listdir('/sys/class/net') if os.path.exists('/sys') else [])").strip() == "[]"


def test_writes_stay_inside_and_small(box):
    for folder in ("/", "/course", "/usr", sys.prefix, "/etc"):
        assert box.ask({"run": f"open({folder + '/x'!r}, 'w')"}, 30)["error"] in ("OSError", "PermissionError")
    fill = "for i in range(100):\n    open(f'/tmp/{i}', 'wb').write(bytes(8 * 2**20))"
    assert box.ask({"run": fill}, 60)["error"] == "OSError"
    assert box.ask({"run": "for i in range(100):\n    os.path.exists(f'/tmp/{i}') and os.remove(f'/tmp/{i}')"}, 30)


def test_what_a_cell_does_to_stdout_is_its_own_affair(course):
    with Sandbox(course) as box:
        many = "import sys\nfor _ in range(10**5): print('x' * 100)\nassert len(sys.stdout.kept) < 10**4"
        assert box.ask({"run": many}, 30)["error"] is None
        assert box.ask({"run": "import io\nsys.stdout = io.StringIO()"}, 30)["error"] is None
        assert box.ask({"run": "x = 3"}, 30) == {"printed": "", "error": None}


def test_a_fork_replies_once(box):
    assert box.ask({"run": "import os\ndef forked(x):\n    os.fork()\n    return x"}, 30)["error"] is None
    for number in range(10):
        assert box.ask({"call": "forked", "inputs": (number,)}, 30)["value"] == number


def test_numbers_of_other_kinds_come_back(box):
    box.ask({"run": "import numpy as np\ndef f(x): return np.longdouble(x)\ndef g(x): return 10**6000"}, 30)
    assert box.ask({"call": "f", "inputs": (0.5,)}, 30)["value"] == 0.5
    assert box.ask({"call": "g", "inputs": (0.5,)}, 30) == {"error": "OverflowError"}


def test_patched_numpy_and_equal_to_all_change_nothing(box):
    source = """
import numpy as np
np.allclose = np.array_equal = lambda *a, **k: True
class Same(int):
    __eq__ = lambda self, other: True
    __hash__ = None
def f(x):
    return Same(3)
"""
    box.ask({"run": source}, 30)
    reply = box.ask({"call": "f", "inputs": (1,)}, 30)
    assert checking.form(reply["value"], 3).startswith("returns something")


WRITE = "import os\nfor i in range(3, 10):\n    try: {}\n    except OSError: pass"  # to whatever pipes there are


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import os\nos._exit(3)", "kernel_died"),
        ("import os\nos.kill(os.getpid(), 9)", "kernel_died"),
        ("import ctypes\nctypes.string_at(0)", "kernel_died"),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout"),
        ("b = [bytearray(b'x' * 2**28) for i in range(7)]\nimport time; time.sleep(20)", "out_of_memory"),
        (WRITE.format("os.write(i, b'x' * 2**16 + b'\\n')"), "kernel_died"),
        (WRITE.format("os.write(i, b'{\"dict\": 1}\\n')"), "kernel_died"),
        (WRITE.format("[os.write(i, b'x' * 9999) for _ in range(10**6)]"), "too_large"),
    ],
)
def test_hostile_code_is_lost_with_its_process_only(course, source, status):
    limits = Limits(memory=2**30)
    with Sandbox(course, limits) as box, pytest.raises(Lost) as lost:
        box.ask({"run": source}, 2 if status == "timeout" else 30)
    assert lost.value.status == status


def test_a_fork_bomb_ends_at_the_limit_and_leaves_nobody_behind(course):
    with Sandbox(course, Limits(memory=2**32)) as box:
        bomb = "import os, time\nfor i in range(10**6):\n    if os.fork() == 0: time.sleep(100)"
        assert box.ask({"run": bomb}, 30)["error"] in ("BlockingIOError", "OSError")
        inside = sandbox.psutil.Process(box.process.pid).children(recursive=True)
        assert 10 < len(inside) < 70
    end = time.monotonic() + 10
    while any(p.is_running() and p.status() != "zombie" for p in inside) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(p.is_running() and p.status() != "zombie" for p in inside)


def test_forged_marks_and_replies_win_nothing(course):
    """A background thread that writes replies of its own into every pipe: still no right answer to fresh inputs."""
    source = """
import os, threading, time
def forge():
    while True:
        for i in range(3, 8):
            try: os.write(i, b'{"dict": [["value", {"tuple": [1, 2]}], ["changed", false], ["points", 99]]}\\n')
            except OSError: pass
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()
def input_sizes(*inputs):
    raise NotImplementedError
"""
    code = marking.Code([source], course)
    try:
        mark = marking.mark(code, checking.find("06-1"), "input_sizes", seed=5)
    finally:
        code.close()
    assert mark.points == 0


def test_a_submission_ends_in_its_time(course):
    cells = ["while True: pass"] * 20 + ["def input_sizes(*inputs): pass"]
    code = marking.Code(cells, course, Limits(cell_seconds=1, submission_seconds=4))
    start = time.monotonic()
    mark = marking.mark(code, checking.find("06-1"), "input_sizes", seed=5)
    code.close()
    assert mark.status == "timeout" and time.monotonic() - start < 20


def test_the_way_of_an_ordinary_user(course, monkeypatch):
    """Root has a way into the sandbox of its own; this is everybody else's, which root can go, too."""
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert "--unshare-user" in sandbox.command(course)
    with Sandbox(course) as box:
        assert printed(box, "import os; print(os.getuid())") == "65534\n"
        assert box.ask({"run": "open('/course/x', 'w')"}, 30)["error"] == "OSError"


def test_the_check_says_that_the_grader_has_them(box):
    source = "from course_utils.exercises import check, hint\ncheck('06-1', print)\nhint('06-1')"
    assert "the grader has them" in printed(box, source)


def test_grading_does_not_import_torch():
    code = "import sys, course_utils.exercises.grading; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
