"""The sandbox: nothing of the machine is in it, nothing leaves it but plain data, and it ends when it has to."""

import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.exercise import form
from course_utils.exercises.grading import sandbox
from course_utils.exercises.grading.sandbox import Limits, Lost, Sandbox


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
        many = "import sys\nfor _ in range(10**4): print('x' * 100)\nassert len(sys.stdout.kept) < 10**3"
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
    assert form(reply["value"], 3).startswith("returns something")


WRITE = "import os\nfor i in range(3, 10):\n    try: {}\n    except OSError: pass"  # to whatever pipes there are


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import os\nos._exit(3)", "kernel_died"),
        ("import os\nos.kill(os.getpid(), 9)", "kernel_died"),
        ("import ctypes\nctypes.string_at(0)", "kernel_died"),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout"),
        ("b = [bytearray(b'x' * 2**26) for i in range(7)]\nimport time; time.sleep(20)", "out_of_memory"),
        (WRITE.format("os.write(i, b'x' * 2**16 + b'\\n')"), "kernel_died"),
        (WRITE.format("os.write(i, b'{\"dict\": 1}\\n')"), "kernel_died"),
        (WRITE.format("[os.write(i, b'x' * 9999) for _ in range(10**6)]"), "too_large"),
    ],
)
def test_hostile_code_is_lost_with_its_process_only(course, source, status):
    limits = Limits(memory=2**28)
    with Sandbox(course, limits) as box, pytest.raises(Lost) as lost:
        box.ask({"run": source}, 1 if status == "timeout" else 30)
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


def test_the_way_of_an_ordinary_user(course, monkeypatch):
    """Root has a way into the sandbox of its own; this is everybody else's, which root can go, too."""
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert "--unshare-user" in sandbox.command(course)
    with Sandbox(course) as box:
        assert printed(box, "import os; print(os.getuid())") == "65534\n"
        assert box.ask({"run": "open('/course/x', 'w')"}, 30)["error"] == "OSError"


def test_the_check_says_that_the_grader_has_them(box):
    source = "from course_utils.exercises import case, check, hint\ncheck('06-1', print)\nhint('06-1')\ncase('06-1')"
    assert printed(box, source) == 3 * "06-1: the checks are not here; the grader has them\n"
