"""The environment: which interpreter, what may go wrong, and that a half-made one never passes for whole."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_utils.setup import bootstrap

ROOT = Path(__file__).parents[2]


def interpreter(folder, name, answer, code=0):
    """A stand-in for a Python on the search path that answers `works` in its own way."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def old(tmp_path, monkeypatch):
    """The script runs under Python 3.10."""
    script = interpreter(tmp_path / "old", "python3", "3 10 1")
    monkeypatch.setattr(sys, "_base_executable", str(script))
    return script


def test_versions_are_those_of_pyproject_and_conda():
    bounds = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    newest, oldest = bootstrap.VERSIONS[0], bootstrap.VERSIONS[-1]
    assert bounds == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert f"python {bounds}\n" in (ROOT / "environment.yml").read_text()
    assert len(bootstrap.VERSIONS) == newest[1] - oldest[1] + 1


def test_an_old_python_can_read_the_script():
    ast.parse((ROOT / "course_utils/bootstrap.py").read_text(), feature_version=(3, 6))


def test_the_running_interpreter_is_taken_if_it_will_do(tmp_path, monkeypatch):
    here = interpreter(tmp_path / "here", "python3", "3 12 1")
    monkeypatch.setattr(sys, "_base_executable", str(here))
    interpreter(tmp_path / "bin", "python3.13", "3 13 1")
    assert bootstrap.choose(str(tmp_path / "bin"), tmp_path / "course") == str(here)


def test_another_on_the_path_is_found_and_a_dead_shim_passed_over(tmp_path, old):
    interpreter(tmp_path / "shims", "python3.13", "pyenv: command not found", code=127)
    interpreter(tmp_path / "bare", "python3.12", "3 12 0")
    good = interpreter(tmp_path / "bin", "python3.12", "3 12 1")
    path = ":".join(str(tmp_path / name) for name in ("shims", "bare", "bin", "not there"))
    assert bootstrap.choose(path, tmp_path / "course") == str(good)


def test_the_newest_supported_comes_first_wherever_it_lies(tmp_path, old):
    interpreter(tmp_path / "first", "python3.11", "3 11 1")
    interpreter(tmp_path / "first", "python3.14", "3 14 1")
    newest = interpreter(tmp_path / "second", "python3.13", "3 13 1")
    path = ":".join(str(tmp_path / name) for name in ("first", "second"))
    assert bootstrap.choose(path, tmp_path / "course") == str(newest)


def test_an_environment_of_another_python_is_not_sound(tmp_path):
    interpreter(tmp_path / "bin", "python", "3 12 1")
    assert bootstrap.sound(tmp_path)
    interpreter(tmp_path / "bin", "python", "3 10 1")
    assert not bootstrap.sound(tmp_path)


def test_the_environment_itself_is_not_built_on(tmp_path, old):
    interpreter(tmp_path / "course/.venv/bin", "python3", "3 11 1")
    with pytest.raises(bootstrap.Unable):
        bootstrap.choose(str(tmp_path / "course/.venv/bin"), tmp_path / "course")


def test_without_a_fitting_python_it_says_which_are_there(tmp_path, old):
    interpreter(tmp_path / "bin", "python3", "3 14 1")
    with pytest.raises(bootstrap.Unable, match=r"needs Python 3\.11 to 3\.13, and here is 3\.10, 3\.14"):
        bootstrap.choose(str(tmp_path / "bin"), tmp_path / "course")


def test_without_ensurepip_it_names_the_package(tmp_path, old):
    interpreter(tmp_path / "bin", "python3", "3 11 0")
    with pytest.raises(bootstrap.Unable, match=r"apt install python3\.11-venv"):
        bootstrap.choose(str(tmp_path / "bin"), tmp_path / "course")


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'",
            "check the network",
        ),
        ("ERROR: [Errno 13] Permission denied: '/x/.venv'", "may not be written"),
        (
            "Collecting x\nERROR: No matching distribution found for x\n\n[notice] there is a new pip\n",
            "ERROR: No matching distribution found for x",
        ),
        ("", "no reason was given"),
    ],
)
def test_a_failure_is_explained_in_one_line(output, advice, tmp_path):
    line = bootstrap.explain(output, tmp_path)
    assert advice in line
    assert "\n" not in line


def test_too_little_disk_leaves_nothing(tmp_path, monkeypatch):
    searched = []
    monkeypatch.setattr(bootstrap, "choose", lambda path, root: searched.append((path, root)))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1.2e9))
    with pytest.raises(bootstrap.Unable, match=r"takes about 2 GB, and 1\.2 GB are free"):
        bootstrap.create(tmp_path / ".venv")
    assert searched == [(os.environ["PATH"], tmp_path)]
    assert not (tmp_path / ".venv").exists()


def test_what_an_interrupted_pip_left_is_removed(tmp_path):
    packages = tmp_path / "lib/python3.11/site-packages"
    for name in ("whole-1.dist-info", "half-1.dist-info"):
        (packages / name).mkdir(parents=True)
        (packages / name / "METADATA").touch()
    (packages / "whole-1.dist-info/RECORD").touch()
    (packages / "~alf").mkdir()
    (packages / "~alf.py").touch()
    bootstrap.forget_unfinished(tmp_path)
    assert [path.name for path in packages.iterdir()] == ["whole-1.dist-info"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with a pyproject.toml; environments are made without pip's part, and what would happen is noted."""
    root = tmp_path / "a folder"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    calls = []

    def create(folder):
        calls.append("create")
        venv.create(folder, clear=True, symlinks=True)
        packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        (packages / "pip/_internal/cli").mkdir(parents=True)
        (packages / "pip/_internal/cli/main.py").touch()

    monkeypatch.setattr(bootstrap, "create", create)
    monkeypatch.setattr(bootstrap, "install", lambda folder, extras: calls.append(list(extras)))
    return SimpleNamespace(root=root, calls=calls)


def test_made_once(course):
    bootstrap.prepare(course.root)
    bootstrap.prepare(course.root)
    assert course.calls == ["create", []]


def test_extras_are_added_and_kept(course):
    bootstrap.prepare(course.root)
    bootstrap.prepare(course.root, ["test", "grade"])
    bootstrap.prepare(course.root)
    (course.root / "pyproject.toml").write_text("[project]  # a new bound\n")
    bootstrap.prepare(course.root)
    assert course.calls == ["create", [], ["grade", "test"], ["grade", "test"]]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, bootstrap.Unable])
def test_an_interrupted_install_is_taken_up_again(course, monkeypatch, failure):
    bootstrap.prepare(course.root)
    working = bootstrap.install

    def interrupted(folder, extras):
        raise failure

    monkeypatch.setattr(bootstrap, "install", interrupted)
    with pytest.raises(failure):
        bootstrap.prepare(course.root, ["test"])
    monkeypatch.setattr(bootstrap, "install", working)
    bootstrap.prepare(course.root)  # asks for nothing new, but what is there may be half
    assert course.calls == ["create", [], []]


def test_a_moved_folder_gets_an_environment_of_its_own(course):
    bootstrap.prepare(course.root)
    moved = course.root.with_name("moved")
    course.root.rename(moved)
    bootstrap.prepare(moved)
    assert course.calls == ["create", [], "create", []]
    assert json.loads((moved / ".venv/course.json").read_text())["folder"] == str(moved / ".venv")


@pytest.mark.parametrize("broken", ["bin/python", "lib"])
def test_a_broken_environment_is_made_anew(course, broken):
    bootstrap.prepare(course.root)
    path = course.root / ".venv" / broken
    if path.is_dir():
        shutil.rmtree(path)
        (course.root / ".venv/course.json").unlink()
    else:
        path.unlink()
        path.symlink_to("/no/such/python")
    bootstrap.prepare(course.root)
    assert course.calls == ["create", [], "create", []]


@pytest.mark.parametrize(
    ("failure", "code", "says"),
    [
        (bootstrap.Unable("buy a disk"), 1, "course: buy a disk\n"),
        (OSError(28, "No space left on device"), 1, "course: the disk is full: "),
        (KeyboardInterrupt(), 130, "\ncourse: interrupted; "),
    ],
)
def test_the_script_ends_in_one_line(monkeypatch, capsys, failure, code, says):
    def fails(root, extras):
        raise failure

    monkeypatch.setattr(bootstrap, "prepare", fails)
    assert bootstrap.main([]) == code
    error = capsys.readouterr().err
    assert error.startswith(says) and error.strip().count("\n") == 0


def test_the_script_hands_on_where_it_lies_and_the_extras(monkeypatch):
    given = []
    monkeypatch.setattr(bootstrap, "prepare", lambda *arguments: given.append(arguments))
    assert bootstrap.main(["test"]) == 0
    assert given == [(ROOT, ["test"])]


def test_a_second_call_waits_for_the_first(course, capsys):
    entered = threading.Event()

    def second():
        with bootstrap.alone(course.root):
            entered.set()

    with bootstrap.alone(course.root):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
    thread.join(10)
    assert entered.is_set()
    assert capsys.readouterr().out == "course: another call is making the environment; waiting for it\n"


def test_pip_is_the_environments_own_whatever_the_users_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_USER", "1")
    call = bootstrap.pip_install(tmp_path, "-e", "x")
    assert call["args"][:5] == [str(tmp_path / "bin/python"), "-I", "-m", "pip", "install"]
    assert call["args"][-2:] == ["-e", "x"]
    assert call["env"]["PIP_USER"] == "0" and call["env"]["PATH"] == os.environ["PATH"]


def test_the_course_is_installed_with_its_extras_and_in_silence(tmp_path, monkeypatch, capsys):
    asked = []
    pip = {"args": [sys.executable, "-c", "print('Collecting x')"]}
    monkeypatch.setattr(bootstrap, "pip_install", lambda *given: asked.append(given) or pip)
    for extras in (["grade", "test"], []):
        bootstrap.install(tmp_path / ".venv", extras)
    assert asked == [(tmp_path / ".venv", "-e", what) for what in (f"{tmp_path}[grade,test]", str(tmp_path))]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("name", "build"), [("nvidia-cublas", "cuda"), ("torch", "cpu")])
def test_the_build_of_torch_is_known_by_what_it_brings(tmp_path, monkeypatch, name, build):
    report = {"args": [sys.executable, "-c", f"print('[\"{name}\"]')"]}
    monkeypatch.setattr(bootstrap, "pip_install", lambda *options: report)
    assert bootstrap.build_of_torch(tmp_path) == build


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True)


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")


@needs_make
def test_make_alone_lists_the_targets():
    documented = set(re.findall(r"^make (\w+)", make().stdout, flags=re.MULTILINE))
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1].split())
    assert documented == targets - {"environment", "tools"}


@needs_make
@pytest.mark.parametrize("arguments", [["fresh"], ["release", "NN=06"], ["grade", "NN=06", "OUT=x"]])
def test_make_says_what_a_target_needs(arguments):
    run = make("-n", *arguments)
    assert run.returncode == 2
    assert re.search(
        rf"make {arguments[0]} needs (NN|OUT|SUBMISSIONS), for example: make {arguments[0]} NN=06", run.stderr
    )
    assert run.stderr.count("\n") == 1


def test_a_cuda_build_needs_more_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4e9))
    monkeypatch.setattr(bootstrap, "build_of_torch", lambda folder: "cuda")
    with pytest.raises(bootstrap.Unable, match=r"CUDA build of torch takes up to 9 GB, and 4\.0 GB are free"):
        bootstrap.create(tmp_path / ".venv")
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "left"), [("[Errno 28] No space left on device", False), ("NewConnectionError", True)]
)
def test_a_full_disk_gets_its_space_back(tmp_path, monkeypatch, words, left):
    (tmp_path / ".venv").mkdir()
    fails = {"args": [sys.executable, "-c", f"print('ERROR: {words}'); raise SystemExit(1)"]}
    monkeypatch.setattr(bootstrap, "pip_install", lambda *options: fails)
    with pytest.raises(bootstrap.Unable):
        bootstrap.install(tmp_path / ".venv", [])
    assert (tmp_path / ".venv").exists() == left
