"""The command line: help for every command, one line for a wrong argument; the package itself imports nothing heavy."""

import re
import subprocess
import sys

import pytest

from course_utils import __main__ as command_line

COMMANDS = ["doctor", "data", "train", "release", "grade"]


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys; before = set(sys.modules); import course_utils; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["course_utils"]


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(["--help"])
    assert end.value.code == 0
    assert re.findall(r"^    (\w+)", capsys.readouterr().out, flags=re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: python -m course_utils {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["teach"],
        ["data"],
        ["train", "lenet5"],
        ["train", "lenet5", "--data", "digits", "--epochs", "many"],
        ["train", "lenet5", "--data", "digits", "--speed", "9"],
        ["release", "06"],
        ["grade", "06", "--out", "x"],
    ],
)
def test_wrong_arguments_end_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m course_utils")
    assert error.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("no data set 'x'; there are digits"), OSError("the disk is full")])
def test_what_the_user_can_mend_ends_in_one_line(error, monkeypatch, capsys):
    from course_utils.setup import doctor

    def fails():
        raise error

    monkeypatch.setattr(doctor, "report", fails)
    assert command_line.main(["doctor"]) == 2
    assert capsys.readouterr().err == f"course_utils: {error}\n"


def test_as_a_command():
    run = subprocess.run([sys.executable, "-m", "course_utils", "data", "imagenet"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "digits" in run.stderr
