"""The doctor: right about this environment, of use where something is missing, and never ill itself."""

import builtins
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib import metadata

import pytest

from course_utils import machine
from course_utils.setup import doctor


def found(check):
    return {what: (status, text) for status, what, text in check()}


def test_here_the_chapters_can_run(capsys):
    assert doctor.report() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "The chapters can run here."
    assert all(re.match(r"(ok|note)\s+\S+\s+\S", line) for line in lines[:-1])
    assert any(line.split()[:2] == ["ok", "PyTorch"] for line in lines)
    count = len([line for line in metadata.requires("course_utils") if "extra ==" not in line])
    assert f"ok       packages        all {count} that the chapters need, each within its bounds" in lines


def without(monkeypatch, package, version=None):
    """Let a package be missing, or of another version."""
    real = metadata.version

    def fake(name):
        if name != package:
            return real(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", fake)


def test_a_missing_package(monkeypatch, capsys):
    without(monkeypatch, "matplotlib")
    assert found(doctor.packages)["packages"] == ("missing", "matplotlib: pip install -e .")
    assert doctor.report() == 1
    assert capsys.readouterr().out.endswith("mend what is missing.\n")


def test_a_version_out_of_bounds(monkeypatch):
    without(monkeypatch, "matplotlib", "3.1")
    status, text = found(doctor.packages)["packages"]
    assert status == "missing"
    assert re.match(r"matplotlib 3\.1, not \S*>=3\.9\S*: pip install", text)


def test_a_missing_extra_costs_only_its_part(monkeypatch):
    without(monkeypatch, "nbgrader")
    result = found(doctor.packages)
    assert result["packages"][0] == "ok"
    assert result["[grade]"] == ("note", f"grading lacks nbgrader: {doctor.MEND['grade']}")
    assert result["[test]"][0] == "ok"


def test_not_installed(monkeypatch, capsys):
    def nowhere(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", nowhere)
    assert doctor.report() == 1
    assert "course_utils is not installed in this Python: make lab" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'torch'"), OSError("libc10.so:\nbroken")])
def test_a_torch_that_does_not_load(monkeypatch, capsys, error):
    real = builtins.__import__

    def fake(name, *rest):
        if name == "torch":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fake)
    assert doctor.report() == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if "torch" in line and "missing" in line)
    assert "pip install" in line


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("COURSE_DATA", "/no/such/folder", "note"),
        ("COURSE_DATA", "relative/folder", "note"),
        ("COURSE_DATA", "~nobody-here/x", "note"),
        ("COURSE_DATA", "/proc/1/x", "note"),
        ("COURSE_DATA", "/dev/null", "note"),
        ("COURSE_DATA", "/x" * 3000, "note"),
        ("COURSE_DATA", "/tmp/\udcff \n", "note"),
        ("COURSE_DATA", sys.base_prefix, "ok"),
        ("COURSE_DATA", "", "ok"),
        ("COURSE_PROFILE", "fast", "missing"),
        ("COURSE_PROFILE", "quick\n", "missing"),
        ("COURSE_PROFILE", "\udcff", "missing"),
        ("COURSE_PROFILE", "", "ok"),
        ("COURSE_PROFILE", "full", "ok"),
    ],
)
def test_settings(monkeypatch, capsys, name, value, status):
    monkeypatch.setenv(name, value)
    assert found(doctor.settings)[name][0] == status
    if len(value) < 20 and value.isprintable():
        assert value in found(doctor.settings)[name][1]
    monkeypatch.setattr(doctor, "torch", lambda: iter(()))
    monkeypatch.setattr(doctor, "sandbox", lambda: iter(()))
    assert doctor.report() == int(status == "missing")
    output = capsys.readouterr()
    assert output.err == "" and "could not be looked at" not in output.out
    assert len([line for line in output.out.splitlines() if re.match(rf"{status} +{name} ", line)]) == 1


def test_what_lies_in_the_data_folder_without_use_is_said_beside_the_set(monkeypatch, tmp_path, capsys):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/train-images-idx3-ubyte.gz").write_bytes(b"torn")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    status, text = found(doctor.data)["mnist"]
    assert status == "note" and "train-images-idx3-ubyte" in text and "\n" not in text
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_asserts_that_are_off_are_said(option):
    code = "from course_utils.setup import doctor; print(*doctor.python())"
    run = subprocess.run([sys.executable, option, "-c", code], capture_output=True, text=True, check=True)
    assert "('note', 'asserts', 'are off, " in run.stdout
    assert "asserts" not in found(doctor.python)


def test_a_name_that_the_terminal_cannot_write(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "findings", lambda: iter([("ok", "x", "/home/\udcff")]))
    assert doctor.report() == 0
    assert capsys.readouterr().out.startswith("ok       x               /home/\\udcff\n")


@pytest.mark.parametrize(("profile", "precision"), [("full", "bfloat16"), ("quick", "float32")])
def test_the_precision_is_that_of_training(monkeypatch, profile, precision):
    monkeypatch.setattr(machine, "multiplies_bfloat16", lambda: True)
    monkeypatch.setenv("COURSE_PROFILE", profile)
    assert found(doctor.torch)["precision"] == ("ok", f"{precision} for training, on cpu")


def test_little_memory_is_said(monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: 0.5)
    assert found(doctor.machine)["memory"] == ("note", "0.5 GB free, 2 GB are good to have: close other programs")


def test_no_programs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    result = found(doctor.programs)
    assert result.keys() == {"browser", "chromium"}
    assert {status for status, _ in result.values()} == {"note"}


def test_without_bubblewrap_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    status, text = found(doctor.sandbox)["sandbox"]
    assert status == "note" and "apt install bubblewrap" in text


def test_without_the_packages_that_grading_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "course_utils.exercises.grading", None)
    status, text = found(doctor.sandbox)["sandbox"]
    assert status == "note" and text.endswith('pip install -e ".[grade]"')


def test_a_sandbox_is_started(bubblewrap):
    assert found(doctor.sandbox)["sandbox"] == ("ok", "starts, for grading")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, whom every folder is open to")
def test_a_package_that_only_root_may_read_is_found_out(bubblewrap, monkeypatch, tmp_path):
    """As one that was installed under umask 077."""
    from course_utils.exercises.grading import system

    (tmp_path / "package").mkdir(mode=0o700)
    seen = system.view()
    shown = replace(seen, shown=(*seen.shown, tmp_path / "package"))
    monkeypatch.setattr(system, "view", lambda torch=False: shown)
    status, text = found(doctor.sandbox)["sandbox"]
    assert status == "note" and text.startswith(f"{tmp_path / 'package'} cannot be read by others") and "chmod" in text


@pytest.mark.skipif(os.name != "posix", reason="plays bubblewrap with a shell script")
@pytest.mark.parametrize("script", ["echo bwrap: no permissions to create a namespace >&2; exit 1", "exec sleep 60"])
def test_a_sandbox_that_does_not_start_costs_a_note(monkeypatch, tmp_path, script):
    for name in ("bwrap", "prlimit"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "SANDBOX_SECONDS", 0.5)
    status, text = found(doctor.sandbox)["sandbox"]
    assert status == "note" and text.startswith("the sandbox did not start (") and "umask" not in text


def test_a_check_that_breaks_is_part_of_the_report(monkeypatch, capsys):
    def machine():
        raise RuntimeError("two\nlines")
        yield

    monkeypatch.setattr(doctor, "machine", machine)
    assert doctor.report() == 0
    assert "note     machine         could not be looked at: RuntimeError: two lines\n" in capsys.readouterr().out


def test_a_container_sees_its_own_share(monkeypatch, tmp_path):
    real = builtins.open

    def inside(path, *args, **options):
        return real(tmp_path / path.strip("/").replace("/", "_"), *args, **options)

    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(os.path, "exists", lambda path: str(path) == "/sys/fs/cgroup/cpu.max")
    monkeypatch.setattr(builtins, "open", inside)
    (tmp_path / "sys_fs_cgroup_cpu.max").write_text("250000 100000\n")
    assert machine.cores() == 3  # a quota of two and a half
    (tmp_path / "sys_fs_cgroup_cpu.max").write_text("max 100000\n")
    assert machine.cores() == 64
    monkeypatch.undo()
    monkeypatch.setattr(machine, "Path", lambda path: tmp_path / path.strip("/").replace("/", "_"))
    (tmp_path / "sys_fs_cgroup_memory.max").write_text("3000000000\n")
    (tmp_path / "sys_fs_cgroup_memory.current").write_text("1000000000\n")
    (tmp_path / "proc_meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    assert machine.memory() == 2.0
