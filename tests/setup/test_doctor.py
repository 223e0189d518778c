"""The doctor: right about this environment, of use where something is missing, and never ill itself."""

import builtins
import os
import re
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
    assert result["[grade]"] == ("note", "for release and grade, not there: nbgrader: make tools")


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
        ("COURSE_PROFILE", "fast", "missing"),
        ("COURSE_PROFILE", "full", "ok"),
    ],
)
def test_settings(monkeypatch, name, value, status):
    monkeypatch.setenv(name, value)
    assert found(doctor.settings)[name][0] == status
    assert value in found(doctor.settings)[name][1]


def test_little_memory_is_said(monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: 0.5)
    assert found(doctor.machine)["memory"] == ("note", "0.5 GB free, 2 GB are good to have: close other programs")


def test_no_programs(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    result = found(doctor.programs)
    assert {status for status, _ in result.values()} == {"note"}
    assert "apt install bubblewrap" in result["bubblewrap"][1]


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
