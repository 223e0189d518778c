"""The environment: which interpreter, what may go wrong, and that a half-made one never passes for whole.

The script runs as it is, in a process of its own; the Python that it finds, venv and pip are a stand-in of a few lines.
"""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="the script belongs to make, which Windows does not have")

from course_utils.setup import bootstrap

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "course_utils/setup/bootstrap.py"
PACKAGES = ".venv/lib/python3/site-packages"

# Answers as Python VERSION (-c); makes environments and installs (-m), after the shell commands that a test gives it.
STAND_IN = r"""#!/bin/sh
case "$3" in
venv) test "$2" = -m && { echo venv >> calls; eval "$AT_VENV"; mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; } ;;
ensurepip) test "$2" = -m && { echo ensurepip >> calls; eval "$AT_ENSUREPIP"; } ;;
pip) shift 3; echo "pip $*" >> calls; eval "$AT_PIP"; mkdir -p PACKAGES/course_utils-1.dist-info
    touch PACKAGES/course_utils-1.dist-info/RECORD ;;
*) ANSWER ;;
esac
""".replace("PACKAGES", PACKAGES)


def interpreter(folder, name, answer, able=True):
    """A stand-in for a Python in `folder`: of the version `answer`, or what prints something else."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    base = '"$0"' if able else '""'
    if re.fullmatch(r"3\.\d+", answer):
        answer = f"echo {answer} {base}"
    script.write_text(STAND_IN.replace("ANSWER", answer))
    script.chmod(0o755)
    return script


class Course:
    """A folder with an odd name, a pyproject.toml and the script; `python` is what the script runs under."""

    def __init__(self, folder):
        self.root = folder / "ein Kürs [1] 'x' $y"
        (self.root / "course_utils/setup").mkdir(parents=True)
        (self.root / "pyproject.toml").write_text("[project]\n")
        shutil.copy(SCRIPT, self.root / "course_utils/setup")
        self.python = interpreter(folder / "bin", "python3", "3.12")

    @property
    def calls(self):
        """What venv and pip were called with so far."""
        calls = self.root / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def start(self, *extras, first="", **environment):
        """Start the script; `first` is Python to run before it."""
        code = f"import os, runpy, shutil, sys; sys.executable = {str(self.python)!r}\n{first}\n"
        code += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        script = self.root / "course_utils/setup/bootstrap.py"
        return subprocess.Popen(
            [sys.executable, "-c", code, str(script), *extras],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *extras, **options):
        """Run the script; returns exit code, output, errors."""
        process = self.start(*extras, **options)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def wait_for(self, call):
        """Wait until venv or pip is at work."""
        end = time.monotonic() + 30
        while not any(line.startswith(call) for line in self.calls):
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


FIRST = ["venv", "ensurepip", "pip install -e ."]


# Which Python


def test_versions_are_those_of_pyproject_and_conda():
    bounds = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    minors = [int(version.removeprefix("3.")) for version in bootstrap.VERSIONS]
    assert bounds == f">=3.{minors[-1]},<3.{minors[0] + 1}"
    assert f"python {bounds}\n" in (ROOT / "environment.yml").read_text()
    assert minors == list(range(minors[0], minors[-1] - 1, -1))
    assert f"Python 3.{minors[-1]} to 3.{minors[0]} is needed" in SCRIPT.read_text()


def test_an_old_python_can_read_the_script():
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Set the search path to folders of tmp_path; the script runs under Python 3.10."""
    monkeypatch.setattr(sys, "executable", str(interpreter(tmp_path / "old", "python3", "3.10")))

    def use(*names):
        monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in names))

    use()
    return use


def test_the_running_interpreter_is_taken_if_it_will_do(tmp_path, monkeypatch, path):
    here = interpreter(tmp_path / "here", "python3", "3.12")
    monkeypatch.setattr(sys, "executable", str(here))
    interpreter(tmp_path / "bin", "python3.13", "3.13")
    path("bin")
    assert bootstrap.choose() == ("3.12", str(here))


@pytest.mark.parametrize(
    "dead",
    [
        "echo pyenv: command not found; exit 127",
        "exit 0",
        "echo 3.13",
        "echo 312 1",
        r"printf '\377\376\n'",
        "kill -9 $$",
    ],
)
def test_another_on_the_path_is_found_and_a_dead_shim_passed_over(tmp_path, path, dead):
    interpreter(tmp_path / "shims", "python3.13", dead)
    interpreter(tmp_path / "bare", "python3.12", "3.12", able=False)
    good = interpreter(tmp_path / "bin", "python3.12", "3.12")
    (tmp_path / "bin/python3.13").mkdir()
    path("shims", "bare", "bin", "not there")
    assert bootstrap.choose() == ("3.12", str(good))


def test_the_newest_supported_comes_first_wherever_it_lies(tmp_path, path):
    interpreter(tmp_path / "first", "python3.11", "3.11")
    interpreter(tmp_path / "first", "python3.14", "3.14")
    newest = interpreter(tmp_path / "second", "python3.13", "3.13")
    path("first", "second")
    assert bootstrap.choose() == ("3.13", str(newest))


def test_what_an_interpreter_prints_at_its_start_does_no_harm(tmp_path, path):
    good = interpreter(tmp_path / "bin", "python3", 'echo "3.9 is old"; echo "3.12 $0"')
    path("bin")
    assert bootstrap.choose() == ("3.12", str(good))


def test_an_environment_is_not_built_on_but_what_it_was_made_with(tmp_path, path):
    venv.create(tmp_path / "course/.venv", symlinks=True)
    path("course/.venv/bin")
    version, base = bootstrap.choose()
    assert version == f"3.{sys.version_info[1]}"
    assert tmp_path not in Path(base).parents


@pytest.mark.parametrize("places", [(), ("bin",), ("bin", "course/.venv/bin")])
def test_without_a_fitting_python_it_says_which_are_there(tmp_path, path, places):
    interpreter(tmp_path / "bin", "python3", "3.14")
    path(*places)
    here = "3.10, 3.14" if places else "3.10"
    with pytest.raises(SystemExit, match=rf"^course: Python 3\.11 to 3\.13 is needed, here is {here}: install one"):
        bootstrap.choose()


def test_without_any_python_it_says_so(monkeypatch, path):
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="here is none: install one"):
        bootstrap.choose()


def test_without_ensurepip_it_names_the_package(tmp_path, path):
    interpreter(tmp_path / "bin", "python3", "3.11", able=False)
    path("bin")
    with pytest.raises(SystemExit, match=r"here is 3\.10, 3\.11 without ensurepip .*apt install python3\.11-venv"):
        bootstrap.choose()


def test_the_script_itself_ends_with_one_line(course):
    course.python = interpreter(course.root.parent / "old", "python3", "3.10")
    code, output, errors = course.run(PATH="/no/such:relative::~")
    assert (code, output) == (1, "")
    assert re.fullmatch(r"course: Python 3\.11 to 3\.13 is needed, here is 3\.10: .*\n", errors)
    assert not (course.root / ".venv").exists()


# What it makes, once


def test_made_once(course):
    assert course.run() == (0, "course: installing into .venv, with Python 3.12 (the first time takes minutes)\n", "")
    assert course.calls == FIRST
    assert course.run() == (0, "", "")
    assert course.calls == FIRST


def test_extras_are_added_and_kept(course):
    course.run()
    for extras in (["test", "grade"], [], ["grade"]):
        course.run(*extras)
    assert course.calls == [*FIRST, "ensurepip", "pip install -e .[grade,test]"]
    (course.root / "pyproject.toml").write_text("[project]  # a new bound\n")
    course.run()
    assert course.calls[5:] == ["ensurepip", "pip install -e .[grade,test]"]


def test_nothing_is_written_where_all_is_there(course):
    """So a clone that may only be read does as well."""
    course.run()
    before = {path: path.lstat().st_mtime_ns for path in course.root.rglob("*")}
    no_writing = "os.access = lambda *arguments: False"
    assert course.run(first=no_writing) == (0, "", "")
    assert {path: path.lstat().st_mtime_ns for path in course.root.rglob("*")} == before


def test_a_moved_folder_gets_an_environment_of_its_own(course):
    course.run("test")
    course.root = course.root.rename(course.root.with_name("moved"))
    (course.root / ".venv/left").touch()
    assert course.run()[0] == 0
    assert course.calls[3:] == ["venv", "ensurepip", "pip install -e .[test]"]
    assert not (course.root / ".venv/left").exists()
    course.run()
    assert len(course.calls) == 6


@pytest.mark.parametrize("now", ["3.13", "3.10", "exit 127"])
def test_an_environment_of_another_python_is_made_anew(course, now):
    course.run()
    interpreter(course.root / ".venv/bin", "python", now)
    assert course.run()[0] == 0
    assert course.calls == FIRST * 2


def test_a_broken_environment_is_made_anew(course):
    course.run()
    python = course.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert course.run()[0] == 0
    assert course.calls == FIRST * 2


@pytest.mark.parametrize("torn", ["", "x", "\0\0\0", "{}"])
def test_a_torn_stamp_is_no_stamp_of_a_whole_environment(course, torn):
    course.run()
    (course.root / ".venv/course.stamp").write_text(torn)
    course.run()
    assert course.calls == FIRST * 2


# What is not the course's


def test_an_environment_of_the_users_own_is_kept_and_used(course):
    interpreter(course.root / ".venv/bin", "python", "3.11")
    (course.root / ".venv/mine").write_text("mine")
    assert course.run()[0] == 0
    assert course.calls == ["ensurepip", "pip install -e ."]
    assert (course.root / ".venv/mine").read_text() == "mine"


@pytest.mark.parametrize("answer", ["3.10", "exit 1"])
def test_one_that_cannot_be_used_is_not_deleted(course, answer):
    interpreter(course.root / ".venv/bin", "python", answer)
    code, output, errors = course.run()
    assert (code, output) == (1, "") and course.calls == []
    assert re.fullmatch(r"course: .*/\.venv is not the course's, .*: move it away\n", errors)
    assert (course.root / ".venv/bin/python").exists()


def test_a_file_of_that_name_is_not_deleted(course):
    (course.root / ".venv").write_text("mine")
    code, _, errors = course.run()
    assert code == 1 and errors.endswith("move it away\n") and errors.count("\n") == 1
    assert (course.root / ".venv").read_text() == "mine"


def test_an_empty_folder_or_a_link_to_another_disk_will_do(course):
    disk = course.root.parent / "disk"
    (course.root / ".venv").symlink_to(disk)
    assert course.run()[0] == 0
    (disk / "bin/python").unlink()
    assert course.run()[0] == 0
    assert course.calls == FIRST * 2
    assert (course.root / ".venv").is_symlink() and (disk / "course.stamp").exists()


# What goes wrong


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("OSError: [Errno 122] Disk quota exceeded: '/x'", "the disk is full"),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(x)'\nERROR: No match",
            "check the network",
        ),
        ("ERROR: HTTPSConnectionPool(host='x'): Read timed out. ReadTimeoutError", "check the network"),
        ("ERROR: [Errno 13] Permission denied: '/x/.venv'", "where you may write"),
        (
            "Collecting x\nERROR: No matching distribution found for x\n\n[notice] there is a new pip\n",
            "ERROR: No matching distribution found for x",
        ),
        ("no error by name {brackets}", "no error by name {brackets}"),
        ("", "no reason given"),
    ],
)
def test_a_failure_is_explained_in_one_line(course, printed, advice):
    code, _, errors = course.run(PRINTED=printed, AT_PIP='printf %s "$PRINTED" >&2; exit 1')
    assert code == 1
    assert errors.startswith("course: ") and advice in errors
    assert errors.count("\n") == 1


def test_so_is_a_failure_of_venv(course):
    code, _, errors = course.run(AT_VENV="echo Error: the path contains the separator : >&2; exit 1")
    assert (code, errors) == (1, "course: it failed: Error: the path contains the separator :\n")


def test_a_failed_install_goes_on_and_is_never_taken_for_whole(course):
    for _ in range(2):
        assert course.run(AT_PIP="echo ERROR: ReadTimeout >&2; exit 2")[0] == 1
    assert course.run()[0] == 0
    assert course.calls == [*FIRST, *FIRST[1:], *FIRST[1:]]


def test_a_folder_that_may_not_be_written(course):
    """By a stand-in for the system, for root may write everywhere."""
    first = "import pathlib\ndef mkdir(*a, **k):\n    raise PermissionError(13, 'Permission denied', '/x/.venv')\n"
    code, _, errors = course.run(first=first + "pathlib.Path.mkdir = mkdir")
    assert code == 1
    assert errors == (
        "course: [Errno 13] Permission denied: '/x/.venv': clone the course to a folder where you may write\n"
    )


DISK = "from types import SimpleNamespace; shutil.disk_usage = lambda path: SimpleNamespace(free={})"


def test_too_little_disk_leaves_nothing(course):
    code, _, errors = course.run(first=DISK.format(1.2e9))
    assert code == 1
    assert re.match(r"course: the disk is full: 2\.5 GB are needed, .* 1\.2 are free; free some", errors)
    assert course.calls == ["venv"] and not (course.root / ".venv").exists()


@pytest.mark.parametrize(
    ("free", "brings", "enough"),
    [
        (4e9, "Would install torch-2.13.0", True),
        (4e9, "Would install nvidia-cublas-13 torch-2.13.0", False),
        (9.5e9, "Would install nvidia-cublas-13 torch-2.13.0", True),
    ],
)
def test_a_cuda_build_needs_more_disk(course, free, brings, enough):
    code, _, errors = course.run(first=DISK.format(free), AT_PIP=f"echo {brings}")
    asked = ["pip install --dry-run -e ."] if free < 9e9 else []
    if enough:
        assert code == 0 and course.calls == ["venv", *asked, *FIRST[1:]]
    else:
        assert code == 1 and course.calls == ["venv", *asked] and not (course.root / ".venv").exists()
        assert re.match(r"course: the disk is full: .* 9 with a CUDA build of torch, 4\.0 are free; free some", errors)


@pytest.mark.parametrize(("words", "left"), [("No space left on device", False), ("NewConnectionError", True)])
def test_a_full_disk_gets_its_space_back(course, words, left):
    assert course.run(AT_PIP=f"echo 'ERROR: {words}' >&2; exit 1")[0] == 1
    assert (course.root / ".venv").exists() == left


def test_but_not_what_was_there_before(course):
    course.run()
    (course.root / ".venv/mine").touch()
    assert course.run("test", AT_PIP="echo 'No space left on device' >&2; exit 1")[0] == 1
    assert (course.root / ".venv/mine").exists()


def test_what_an_interrupted_pip_left_is_removed(course):
    packages = course.root / PACKAGES
    for name in ("whole-1.dist-info", "half-1.dist-info"):
        (packages / name).mkdir(parents=True)
        (packages / name / "METADATA").touch()
    (packages / "whole-1.dist-info/RECORD").touch()
    (packages / "~alf").mkdir()
    (packages / "~alf.py").touch()
    interpreter(course.root / ".venv/bin", "python", "3.11")
    course.run()
    assert sorted(path.name for path in packages.iterdir()) == ["course_utils-1.dist-info", "whole-1.dist-info"]


# Interrupted


STEPS = ["venv", "ensurepip", "pip"]


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_ends_in_one_line_and_the_next_call_goes_on(course, step):
    process = course.start(**{f"AT_{step.upper()}": "exec sleep 60"})
    course.wait_for(step)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "\ncourse: interrupted; the same call goes on where this one stopped\n"
    before = course.calls
    assert course.run()[0] == 0
    assert course.calls == before + (FIRST if step == "venv" else FIRST[1:])
    assert course.run() == (0, "", "")


@pytest.mark.parametrize("step", STEPS)
def test_killed_all_at_once_the_next_call_goes_on(course, step):
    process = course.start(**{f"AT_{step.upper()}": "exec sleep 60"})
    course.wait_for(step)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    before = course.calls
    assert course.run()[0] == 0
    assert course.calls == before + (FIRST if step == "venv" else FIRST[1:])


def test_killed_alone_it_leaves_a_pip_that_the_next_call_waits_for(course):
    process = course.start(AT_PIP="while test ! -e go_on; do sleep 0.02; done; echo done >> calls")
    course.wait_for("pip")
    process.kill()
    process.wait(20)
    second = course.start()
    assert second.stdout.readline() == "course: another call is making the environment; waiting for it\n"
    assert course.calls == FIRST
    (course.root / "go_on").touch()
    second.communicate(timeout=20)
    assert second.returncode == 0
    assert course.calls == [*FIRST, "done", *FIRST[1:]]


def test_of_many_calls_at_once_one_makes_it_and_the_others_wait(course):
    processes = [course.start(AT_PIP="sleep 0.3; echo done >> calls") for _ in range(5)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 5
    assert course.calls == [*FIRST, "done"]
    waiting = "course: another call is making the environment; waiting for it\n"
    assert sum(output == waiting for output, _ in outputs) == 4 and all(errors == "" for _, errors in outputs)


# What a user sets


def test_pip_is_the_environments_own_whatever_the_users_settings(course):
    odd = {
        "PIP_USER": "1",
        "PIP_TARGET": "/x",
        "PIP_PREFIX": "/x",
        "PIP_PYTHON": "/x",
        "PIP_DRY_RUN": "1",
        "PIP_NO_DEPS": "1",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_INDEX_URL": "https://mirror",
        "PYTHONPATH": "/x",
        "TMPDIR": "/no/such",
    }
    print_all = "env | grep -E '^(PIP_|PYTHON)' > settings; echo $0 >> settings"
    code, _, errors = course.run(AT_PIP=print_all, **odd)
    assert (code, errors) == (0, "")
    kept = set((course.root / "settings").read_text().splitlines())
    assert {f"{course.root}/.venv/bin/python", "PIP_INDEX_URL=https://mirror", "PIP_USER=0"} <= kept
    assert not {f"{name}={value}" for name, value in odd.items() if name != "PIP_INDEX_URL"} & kept


def test_packages_that_went_elsewhere_are_missed(course):
    """As with `target` in the user's pip.conf, which no variable overrules."""
    code, _, errors = course.run(AT_PIP="exit 0")
    assert code == 1
    assert errors == "course: it failed: pip brought the course elsewhere; see: .venv/bin/pip config list\n"


def test_a_module_beside_the_script_does_not_stand_in_for_the_standard_library(tmp_path, monkeypatch, path):
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    (tmp_path / "importlib.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert bootstrap.probe(Path(sys.prefix) / "bin/python")[0] == f"3.{sys.version_info[1]}"


def test_the_extras_that_make_asks_for_are_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"^\t(?:@\S* )?\$\(bootstrap\) (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert asked and {extra for line in asked for extra in line.split()} <= set(extras)


# make


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True)


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")


@needs_make
def test_make_alone_lists_the_targets():
    documented = set(re.findall(r"^make (\w+)", make().stdout, flags=re.MULTILINE))
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1].split())
    assert documented == targets - {"environment", "tools"}


@needs_make
def test_make_passes_on_nothing_that_leads_python_astray(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "<$PYTHONPATH$PYTHONHOME$PYTHONOPTIMIZE>" "$@"\n')
    python.chmod(0o755)
    odd = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "PYTHONOPTIMIZE": "2"}
    command = ["make", "--no-print-directory", "environment", f"PYTHON={python}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **odd})
    assert run.stdout == "<> course_utils/setup/bootstrap.py\n"


@needs_make
@pytest.mark.parametrize("arguments", [["fresh"], ["release", "NN=06"], ["grade", "NN=06", "OUT=x"]])
def test_make_says_what_a_target_needs(arguments):
    run = make("-n", *arguments)
    assert run.returncode == 2
    assert re.search(
        rf"make {arguments[0]} needs (NN|OUT|SUBMISSIONS), for example: make {arguments[0]} NN=06", run.stderr
    )
    assert run.stderr.count("\n") == 1
