"""The runner is like a kernel, only kinder: what a student's machine has and this one has not takes nothing with it."""

import numpy as np
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading.sandbox import Sandbox

SECONDS = 30


@pytest.fixture(scope="module")
def box(course):
    with Sandbox(course) as sandbox:
        yield sandbox


@pytest.fixture
def run(box):
    """A function that runs a cell in a shell without names, and gives its reply and what is left in a variable."""

    def cell(source, *names):
        assert box.ask({"run": "%reset -f"}, SECONDS)["error"] is None
        reply = box.ask({"run": source}, SECONDS)
        box.ask({"run": "def known(*names):\n    return [n in globals() for n in names]"}, SECONDS)
        return reply, box.ask({"call": "known", "inputs": names}, SECONDS)["value"]

    return cell


GOES_ON = {
    "a magic": ("%matplotlib inline\nimport numpy", []),
    "a window": ("%matplotlib qt\nimport numpy", []),
    "a widget": ("%matplotlib widget\nimport numpy", []),
    "the notebook of old": ("%matplotlib notebook\nimport numpy", []),
    "a high resolution": ("%config InlineBackend.figure_format = 'retina'\nimport numpy", []),
    "an extension that is there": ("%load_ext autoreload\n%autoreload 2\nimport numpy", []),
    "an extension": ("%load_ext tensorboard\nimport numpy", ["%load_ext tensorboard"]),
    "a magic of Colab": ("%tensorflow_version 2.x\nimport numpy", ["%tensorflow_version 2.x"]),
    "a magic that gives something": ("x = %no_such_thing\nimport numpy", ["%no_such_thing"]),
    "a cell magic": ("%%no_such_thing\nimport numpy", ["%%no_such_thing"]),
    "the time": ("%%time\nimport seaborn\nimport numpy", ["import seaborn"]),
    "what is printed, caught": ("%%capture\nimport seaborn\nimport numpy", ["import seaborn"]),
    "a shell": ("!ls\n!no-such-program\nimport numpy", []),
    "pip": ("%pip install seaborn\n!pip install seaborn\nimport numpy", []),
    "a folder": ("%cd /content/drive/MyDrive\nimport numpy", []),
    "a file": ("%run helpers.py\nimport numpy", ["%run helpers.py"]),
    "an import": ("import seaborn\nimport numpy", ["import seaborn"]),
    "an import in one line": ("import seaborn as sns, numpy", ["import seaborn as sns, numpy"]),
    "one name of many": ("from numpy import no_such, array as numpy", ["from numpy import no_such, array as numpy"]),
    "what needs an import": (
        "from google.colab import drive, files\ndrive.mount('/content')\nup = files.upload()\nprint(up)\nimport numpy",
        ["from google.colab import drive, files"] * 2 + ["drive.mount('/content')", "up = files.upload()", "print(up)"],
    ),
    "an import in a function": ("def load():\n    import pandas\ndata = load()\nimport numpy", ["data = load()"]),
    "a module of their own": ("from no_helpers import *\nimport numpy", ["from no_helpers import *"]),
}  # fmt: skip


@pytest.mark.parametrize(("source", "failed"), GOES_ON.values(), ids=GOES_ON)
def test_a_cell_goes_on_after_what_this_machine_has_not(run, source, failed):
    reply, known = run(source + "\ndef answer(): pass", "numpy", "answer")
    assert known == [True, True]
    assert [entry["line"] for entry in reply["failed"]] == failed
    assert reply["error"] is None


ENDS = {
    "an error": ("import math\n1 / 0\nx = 3", "1 / 0", "ZeroDivisionError: division by zero"),
    "an error further in": ("def f():\n    return {}['a']\n\nfor i in [0]:\n    f()\nx = 3", "f()", "KeyError: 'a'"),
    "an unknown name": ("imprt = nump\nx = 3", "imprt = nump", "NameError: name 'nump' is not defined"),
    "a timed error": ("%%time\n1 / 0\nx = 3", "1 / 0", "ZeroDivisionError: division by zero"),
    "no Python": ("x = 3\ndef f(:", "def f(:", "SyntaxError: invalid syntax"),
    "a question": ("a = input('?')\nx = 3", "a = input('?')", "EOFError: EOF when reading a line"),
    "the end": ("raise SystemExit(3)\nx = 3", "raise SystemExit(3)", "SystemExit: 3"),
    "no memory": ("a = bytearray(2**40)\nx = 3", "a = bytearray(2**40)", "MemoryError"),
    "a strange error": (
        "class E(Exception):\n    def __str__(self): 1 / 0\nraise E\nx = 3",
        *("raise E", "Exception"),
    ),
}


@pytest.mark.parametrize(("source", "line", "words"), ENDS.values(), ids=ENDS)
def test_any_other_error_ends_its_cell_and_is_told(run, source, line, words):
    reply, known = run(source, "x")
    assert known == [False]
    assert reply["failed"] == [{"line": line, "error": words}]
    assert reply["error"] == words.partition(":")[0]


def test_imports_are_never_lost(run):
    reply, known = run("1 / 0\nimport numpy, math\nx = 3", "numpy", "math", "x")
    assert known == [True, True, False] and reply["error"] == "ZeroDivisionError"


def test_many_failures_are_cut(run):
    reply, _ = run("\n".join(f"import no_{i}" for i in range(100)))
    assert len(reply["failed"]) == 20


LIKE_A_KERNEL = {
    "a file written by a cell": ("%%writefile own_helper.py\ny = 3", "from own_helper import y\nprint(y)", "3\n"),
    "the last value": ("import numpy as np", "np.arange(2)", "Out[0]: array([0, 1])\n"),
    "no value": ("x = 3", "x;\n", "Out[0]: 3\n"),
    "the main module": ("", "print(__name__)", "__main__\n"),
    "a picture": ("from matplotlib.pyplot import *", "plot([1, 2]); show()", "<Figure size 640x480 with 1 Axes>\n"),
    "display": ("x = 3", "display(x)", "3\n"),
    "the shell": ("", "print(get_ipython() is not None)", "True\n"),
    "await": ("import asyncio", "await asyncio.sleep(0)\nprint('awake')", "awake\n"),
    "source": ("def f(): pass", "import inspect\nprint(inspect.getsource(f), end='')", "def f(): pass\n"),
    "another folder": ("%cd /tmp", "!pwd", "/tmp\n"),
    "output of the system": ("there = !echo a b", "print(there)", "['a b']\n"),
    "a shell script": ("", "%%bash\necho hello", "hello\n"),
    "processes": ("import multiprocessing", "with multiprocessing.Pool(2) as p: print(p.map(abs, [-1]))", "[1]\n"),
    "exit at the end": ("exit()", "print(3)", "3\n"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "source", "printed"), LIKE_A_KERNEL.values(), ids=LIKE_A_KERNEL)
def test_it_is_like_a_kernel(box, before, source, printed):
    for cell in (before, source):
        reply = box.ask({"run": cell}, SECONDS)
        assert (reply["error"], reply["failed"]) == (None, [])
    assert reply["printed"] == printed


def test_torch_is_at_hand_before_the_clock_starts_and_a_network_is_built(course):
    """And what the course itself says of a network is there, its models are not."""
    pytest.importorskip("torch")
    with Sandbox(course, torch=True) as box:
        source = "import sys\nprint('torch' in sys.modules)\nfrom torch import nn\ndef f(n): return nn.Linear(n, 2)"
        assert box.ask({"run": source}, 1)["printed"] == "True\n"
        built = box.ask({"build": "f", "inputs": (3,)}, 5)
        assert built == {"value": [("weight", (2, 3), "Linear"), ("bias", (2,), "Linear")], "changed": False}
        weights, x, dy = {"weight": np.ones((2, 3)), "bias": np.zeros(2)}, np.ones((1, 3)), np.ones((1, 2))
        assert box.ask({"apply": (weights, x, dy, True)}, 5)["value"][0].tolist() == [[3, 3]]
        assert box.ask({"run": "import course_utils.models"}, 5)["failed"]
