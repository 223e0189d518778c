"""The sandbox: nothing of the machine is in it, nothing leaves it but plain data, and it ends when it has to."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.form import form
from course_utils.exercises.grading import sandbox
from course_utils.exercises.grading.limits import MIB
from course_utils.exercises.grading.sandbox import Limits, Lost, Sandbox, public_course, try_sandbox
from course_utils.exercises.grading.watch import Taken

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def box(course):
    with Sandbox(course) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def ordinary(course):
    """The way of an ordinary user: root has one of its own, but can go this one, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 1000)
        sandbox = Sandbox(course)
    with sandbox:
        yield sandbox


@pytest.fixture(params=["root", "ordinary"])
def anybody(request):
    return request.getfixturevalue("box" if request.param == "root" else "ordinary")


def printed(box, source, seconds=30):
    reply = box.ask({"run": source}, seconds)
    assert (reply["error"], reply["failed"]) == (None, [])
    return reply["printed"]


def error(box, source, seconds=30):
    """The name of the error that a cell fails with, whether it goes on afterwards or not."""
    failed = box.ask({"run": source}, seconds)["failed"]
    return failed[0]["error"].partition(":")[0] if failed else None


@pytest.mark.parametrize(
    "module", ["exercises.checks.ex06", "exercises.masters", "exercises.grading", "arithmetic", "scratch", "models"]
)
def test_answers_are_not_there(box, module):
    assert error(box, f"import course_utils.{module}") == "ModuleNotFoundError"


def test_the_list_of_what_is_there_is_an_allow_list():
    with public_course(("arithmetic.py", "scratch")) as folder:
        there = {path.relative_to(folder / "course_utils").parts[0] for path in folder.glob("course_utils/*")}
        assert there == {"__init__.py", "exercises", "arithmetic.py", "scratch"}
        exercises = {path.stem for path in (folder / "course_utils" / "exercises").iterdir()}
        assert exercises == {"__init__", "exercise", "form", "learner", "network", "plain"}


def test_the_check_says_that_the_grader_has_them(box):
    source = "from course_utils.exercises import case, check, hint\ncheck('06-1', print)\nhint('06-1')\ncase('06-1')"
    assert printed(box, source) == 3 * "06-1: the checks are not here; the grader has them\n"


def test_nothing_of_the_machine_is_there(anybody):
    printed(anybody, "import os; from pathlib import Path")
    for folder in (ROOT / "notebooks", ROOT / "tests", ROOT / "course_utils", Path.home() / ".ssh"):
        assert printed(anybody, f"print(os.path.exists({str(folder)!r}))") == "False\n"
    top = set(printed(anybody, "print(*os.listdir('/'))").split())
    assert not top & {"home", "mnt", "opt", "run", "srv", "sys", "var"}
    assert printed(anybody, "print(*sorted(os.listdir('/etc')))").split() == ["alternatives", "ld.so.cache"]
    assert "share" not in printed(anybody, "print(*os.listdir('/usr'))").split()
    assert set(printed(anybody, "print(*os.listdir('/dev'))").split()) == {
        *("fd", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom")
    }


def test_of_the_packages_only_those_that_are_needed_are_there(anybody):
    there = printed(anybody, "import sys, os\nprint(*os.listdir(sys.path[-1]))").split()
    assert {"numpy", "IPython", "matplotlib", "matplotlib_inline"} <= set(there)
    assert not {"course_utils", "nbgrader", "pytest", "torch", "jupyterlab", "pip"} & set(there)
    assert not [name for name in there if name.endswith((".pth", ".egg-link")) or name.startswith("__editable__")]


def test_no_process_tells_of_the_grader(anybody):
    """Whatever /proc shows is of the sandbox: no environment, command line or open file of the grader's."""
    source = """
import os
told = []
for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "cwd", "exe", "root"):
        path = f"/proc/{process}/{name}"
        told.append(os.readlink(path) if os.path.islink(path) else open(path).read())
print(len(told), "student" in told[0], [text for text in told if "bwrap" in text or "pytest" in text])
"""
    assert printed(anybody, source) == "10 True []\n"
    mounts = printed(anybody, "print(open('/proc/self/mountinfo').read())")
    assert str(ROOT / "notebooks") not in mounts and "/tmp/pytest" not in mounts


def test_the_environment_is_made_for_the_purpose(course, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEACHER", "x")
    with Sandbox(course) as box:
        assert "SECRET" not in printed(box, "import os\nprint(os.environ, open('/proc/1/environ').read())")


def test_no_network_and_no_sockets_but_a_pair(anybody):
    assert error(anybody, "import socket\nsocket.create_connection(('127.0.0.1', 22), 2)") == "PermissionError"
    assert error(anybody, "socket.getaddrinfo('example.org', 80)") == "gaierror"
    for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_ALG", "AF_PACKET"):
        assert error(anybody, f"socket.socket(socket.{family}, socket.SOCK_STREAM)") == "PermissionError"
    assert printed(anybody, "one, other = socket.socketpair()\none.send(b'x')\nprint(other.recv(1))") == "b'x'\n"


CALLS = {
    "user namespace": "call(272, 0x10000000)",
    "mount namespace": "call(272, 0x20000)",
    "namespace of a child": "call(56, 0x10000011, 0, 0, 0, 0)",
    "memory file": "call(319, b'x', 0)",
    "segment": "call(29, 0, 2**20, 0o1600)",
    "queue": "call(68, 0, 0o1600)",
    "ring": "call(425, 1, 0)",
    "pages in a pipe": "call(278, 0, 0, 0, 0)",
    "keys": "call(250, 0, 0, 0, 0, 0)",
    "faults": "call(323, 0)",
    "other processes": "call(101, 16, 1, 0, 0)",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the calls are those of x86_64")
@pytest.mark.parametrize("source", CALLS.values(), ids=CALLS)
def test_calls_that_open_another_world_or_hide_memory_are_refused(anybody, source):
    ask = "import ctypes, os\nlibrary = ctypes.CDLL(None, use_errno=True)\ndef call(*a):\n    library.syscall(*a)\n"
    printed(anybody, ask + "    return os.strerror(ctypes.get_errno())")
    assert printed(anybody, f"print({source})") == "Operation not permitted\n"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the other numbers are those of x86_64")
def test_the_second_set_of_numbers_is_refused(course):
    with Sandbox(course) as box, pytest.raises(Lost, match="kernel_died"):
        box.ask({"run": "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)"}, 30)


def test_memory_that_no_process_shows_cannot_be_had(anybody):
    assert error(anybody, "import mmap\nmmap.mmap(-1, 2**32)") == "PermissionError"
    assert error(anybody, "open('/dev/zero', 'rb')") == "FileNotFoundError"
    assert printed(anybody, "print(len(mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE)))") == f"{2**20}\n"


def test_writes_stay_inside_and_small(anybody):
    packages = printed(anybody, "import sys; print(sys.path[-1])").strip()
    for folder in ("/", "/course", "/usr", "/usr/lib", sys.base_prefix, "/etc", "/dev", packages, f"{packages}/numpy"):
        assert error(anybody, f"open({folder + '/x'!r}, 'w')") in ("OSError", "PermissionError", "FileNotFoundError")
    fill = "for i in range(100):\n    open(f'/tmp/{i}', 'wb').write(bytes(8 * 2**20))"
    assert error(anybody, fill, 60) == "OSError"
    printed(anybody, "import os\nfor i in range(100):\n    os.path.exists(f'/tmp/{i}') and os.remove(f'/tmp/{i}')")


def test_what_a_cell_does_to_stdout_is_its_own_affair(course):
    with Sandbox(course) as box:
        many = "import sys\nfor _ in range(10**4): print('x' * 100)\nassert len(sys.stdout.kept) < 10**3"
        assert box.ask({"run": many}, 30)["error"] is None
        assert box.ask({"run": "import io\nsys.stdout = io.StringIO()"}, 30)["error"] is None
        assert box.ask({"run": "x = 3"}, 30) == {"printed": "", "error": None, "failed": []}


def test_a_fork_replies_once(box):
    printed(box, "import os\ndef forked(x):\n    os.fork()\n    return x")
    for number in range(10):
        assert box.ask({"call": "forked", "inputs": (number,)}, 30)["value"] == number


def test_numbers_of_other_kinds_come_back(box):
    printed(box, "import numpy as np\ndef f(x): return np.longdouble(x)\ndef g(x): return 10**6000")
    printed(box, "def h(x): return np.nan, -np.inf")
    assert box.ask({"call": "f", "inputs": (0.5,)}, 30)["value"] == 0.5
    assert box.ask({"call": "g", "inputs": (0.5,)}, 30) == {"error": "OverflowError"}
    assert str(box.ask({"call": "h", "inputs": (0.5,)}, 30)["value"]) == "(nan, -inf)"


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
    printed(box, source)
    reply = box.ask({"call": "f", "inputs": (1,)}, 30)
    assert form(reply["value"], 3).startswith("returns something")


WRITE = "import os\nfor i in range(3, 10):\n    try: {}\n    except OSError: pass"  # to whatever pipes there are
FORGED = '{"dict": [["error", {"array": ["<i8", [2], "AAAAAAAAAAAAAAAAAAAAAA=="]}], ["value", 1]]}'
LOST = {
    "end": ("import os\nos._exit(3)", "kernel_died"),
    "signal": ("import os\nos.kill(os.getpid(), 9)", "kernel_died"),
    "crash": ("import ctypes\nctypes.string_at(0)", "kernel_died"),
    "loop": ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout"),
    "sleep": ("import time\ntime.sleep(1000)", "timeout"),
    "stop": ("import os\nos.kill(os.getpid(), 19)", "timeout"),
    "drip": (
        "import os, time\ndef drip(i):\n    try: os.write(i, b'x')\n    except OSError: pass\n"
        "while True: [drip(i) for i in range(3, 10)] and time.sleep(0.02)",
        "timeout",
    ),
    "memory": ("b = [bytearray(b'x' * 2**26) for i in range(7)]\nimport time; time.sleep(20)", "out_of_memory"),
    "memory of children": (
        "import os, time\nfor i in range(8):\n    if os.fork() == 0: b = b'x' * 2**25; break\ntime.sleep(20)",
        "out_of_memory",
    ),
    "files": ("import os\nfor i in range(10**7): os.mkdir(f'/dev/shm/{i}')", "out_of_memory"),
    "links": ("import os\nfor i in range(10**7): os.symlink('x' * 90, f'/tmp/{i}')", "out_of_memory"),
    "pipes": (
        "import os, time\nfor i in range(9):\n    if os.fork() == 0: break\nkeep = [os.pipe() for i in range(100)]\n"
        "time.sleep(20)",
        "out_of_memory",
    ),
    "a line": (WRITE.format("os.write(i, b'x' * 2**16 + b'\\n')"), "kernel_died"),
    "a reply of no form": (WRITE.format("os.write(i, b'{\"dict\": 1}\\n')"), "kernel_died"),
    "a forged reply": (WRITE.format(f"os.write(i, b'{FORGED}\\n')"), "kernel_died"),
    "much": (WRITE.format("[os.write(i, b'x' * 9999) for _ in range(10**6)]"), "too_large"),
}


@pytest.mark.parametrize(("source", "status"), LOST.values(), ids=LOST)
def test_hostile_code_is_lost_with_its_process_only(course, source, status):
    limits = Limits(memory=200 * MIB)
    with Sandbox(course, limits) as box, pytest.raises(Lost) as lost:
        box.ask({"run": source}, 1 if status == "timeout" else 30)
    assert lost.value.status == status


def test_a_fork_bomb_ends_at_the_limit_and_leaves_nobody_behind(course):
    with Sandbox(course, Limits(memory=2**32)) as box:
        bomb = "import os, time\nfor i in range(10**6):\n    if os.fork() == 0: time.sleep(100)"
        assert error(box, bomb) in ("BlockingIOError", "OSError")
        inside = sandbox.psutil.Process(box.process.pid).children(recursive=True)
        assert 10 < len(inside) < 70
    wait_for(lambda: not any(alive(p) for p in inside))


def alive(process):
    try:
        return process.status() != "zombie"
    except sandbox.psutil.Error:
        return False


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def test_a_sandbox_ends_with_its_grader(course):
    """Though nobody closes it, and though it is busy."""
    grader = f"""
import os, sys, threading
from pathlib import Path
from course_utils.exercises.grading.sandbox import Sandbox
box = Sandbox(Path({str(course)!r}))
print(box.first.pid, flush=True)
threading.Timer(0.3, os.kill, (os.getpid(), 9)).start()
box.ask({{"run": "import os; os.fork()\\nwhile True: pass"}}, 60)
"""
    done = subprocess.run([sys.executable, "-c", grader], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: not sandbox.psutil.pid_exists(int(done.stdout)))


BUSY = """
import time
def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
"""


def test_time_is_that_of_the_processor(box):
    printed(box, BUSY)
    box.ask({"call": "busy", "inputs": (0.3,)}, 5)
    assert 0.25 < box.used < 1
    box.ask({"run": "time.sleep(0.4)"}, 5)
    assert 0.25 < box.used < 1  # in which nothing else could have run, either
    box.ask({"call": "abs", "inputs": (1,)}, 5)
    assert box.used < 0.25


def test_a_busy_machine_is_not_the_students_fault(box, monkeypatch):
    """As if everything took ten times longer on the clock: the process has to wait for the processor."""
    real = sandbox.Watch.look

    def slow(watch):
        taken = real(watch)
        return Taken(taken.seconds / 10, taken.memory, True)

    printed(box, BUSY)
    monkeypatch.setattr(sandbox.Watch, "look", slow)
    assert box.ask({"call": "busy", "inputs": (1.0,)}, 0.5) == {"value": None, "changed": False}


def test_the_time_of_children_counts(course):
    source = "import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', 'for i in range(10**6): pass'])"
    with Sandbox(course, Limits(patience=100)) as box, pytest.raises(Lost, match="timeout"):
        box.ask({"run": source}, 0.5)


def test_patience_has_an_end(course, monkeypatch):
    monkeypatch.setattr(sandbox, "GRACE", 0.5)
    monkeypatch.setattr(sandbox.Watch, "look", lambda watch: Taken(0.0, 0, True))
    with Sandbox(course, Limits(patience=0.1)) as box, pytest.raises(Lost, match="timeout"):
        box.ask({"run": "while True: pass"}, 5)


def test_what_keeps_a_sandbox_from_starting_is_told_in_a_line(bubblewrap, monkeypatch):
    assert try_sandbox() is None
    monkeypatch.setattr(sandbox, "AT_HAND", ())
    reason = try_sandbox()
    assert reason.startswith("the sandbox did not start") and "ModuleNotFoundError" in reason and "\n" not in reason
