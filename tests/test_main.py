"""The command line: help for every command, one line for a wrong argument; the package itself imports nothing heavy."""

import re
import signal
import subprocess
import sys

import pytest

from course_utils import __main__ as command_line
from course_utils import datasets, models, training

COMMANDS = ["lab", "fresh", "doctor", "data", "train", "evaluate", "release", "grade"]


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys; before = set(sys.modules); import course_utils; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["course_utils"]


def listed(text):
    return re.findall(r"^    (\w+)", text, flags=re.MULTILINE)


def test_the_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(["--help"])
    assert end.value.code == 0
    assert listed(capsys.readouterr().out) == COMMANDS


def test_without_arguments_the_commands_are_listed(capsys):
    assert command_line.main([]) == 0
    assert listed(capsys.readouterr().out) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main([command, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: python -m course_utils {command}" in said
    assert re.search(rf"examples?:\n  python -m course_utils {command}", said)


def test_the_help_of_train_names_what_it_takes(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["train", "--help"])
    words = re.findall(r"[\w-]+", capsys.readouterr().out)
    for names in (models.available(), datasets.available(), training.RECIPES, training.fields()):
        assert set(names) <= set(words)
    assert {option for name in models.available() for option in models.options(name)} <= set(words)
    assert words.count("default") >= 8 and "examples" in words


def test_an_example_of_the_help_is_a_command(capsys, monkeypatch):
    called = []
    monkeypatch.setattr(training, "train", lambda *given, **options: called.append((given, options)))
    examples = re.findall(r"python -m course_utils (.*)", command_line.train_names())
    assert [command_line.main(example.split()) for example in examples] == [0] * len(examples)
    assert [given[:2] for given, _ in called] == [("lenet5_simple", "digits"), ("lenet5", "fashion-mnist")]
    assert called[1][1]["settings"] == {"learning_rate": 0.05}


@pytest.mark.parametrize(
    "arguments",
    [
        ["teach"],
        ["data"],
        ["fresh"],
        ["train", "lenet5"],
        ["train", "lenet5", "--data", "digits", "--epochs", "many"],
        ["train", "lenet5", "--data", "digits", "--speed", "9"],
        ["train", "lenet5", "--data", "digits", "--epoch", "9"],
        ["train", "lenet5", "--data", "digits", "--set"],
        ["release", "06"],
        ["grade", "06", "--out", "x"],
        ["train", "lenet5", "--data", "digits", "--bogus", "two\nlines"],
        ["train", "lenet5", "--data", "digits", "--epochs", "x" * 5000],
    ],
)
def test_wrong_arguments_end_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m course_utils")
    assert error.count("\n") == 1
    assert len(error) < 700


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "lenet5", "--data", "digits", "--out", ""],
        ["release", "06", "--out", ""],
        ["grade", "06", "--submissions", "", "--out", "x"],
        ["grade", "06", "--submissions", "x", "--out", ""],
    ],
)
def test_an_empty_path_is_no_folder(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(arguments) == 2
    assert " is empty; expected the path of a folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no data set 'x'; there are digits"), "no data set 'x'; there are digits"),
        (OSError("the disk is full"), "the disk is full"),
        (ValueError("two\nlines"), "two lines"),
        (ValueError(), "ValueError"),
        (PermissionError(13, "Permission denied", "/no/entry"), "/no/entry: Permission denied"),
        (PermissionError(13, "Permission denied", "/no\nentry"), "/no entry: Permission denied"),
        (OSError(28, "run.json cannot be written: No space left"), "run.json cannot be written: No space left"),
    ],
)
def test_what_the_user_can_mend_ends_in_one_line(error, line, monkeypatch, capsys):
    from course_utils.setup import doctor

    def fails():
        raise error

    monkeypatch.setattr(doctor, "report", fails)
    assert command_line.main(["doctor"]) == 2
    assert capsys.readouterr().err == f"course_utils: {line}\n"


@pytest.mark.parametrize("said", ["", "stopped after epoch 3"])
def test_ctrl_c_ends_in_one_line(said, monkeypatch, capsys):
    from course_utils.setup import doctor

    def interrupted():
        raise KeyboardInterrupt(*[said] * bool(said))

    monkeypatch.setattr(doctor, "report", interrupted)
    assert command_line.main(["doctor"]) == 130
    assert capsys.readouterr().err == f"\ncourse_utils: {said or 'interrupted'}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_a_real_ctrl_c_is_one_line():
    code = """
import time
from course_utils.__main__ import main
from course_utils.setup import doctor
doctor.report = lambda: print("at work", flush=True) or time.sleep(60)
raise SystemExit(main(["doctor"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "\ncourse_utils: interrupted\n"


@pytest.mark.parametrize("optimized", ["-O", "-OO"])
def test_as_a_command(optimized):
    command = [sys.executable, optimized, "-m", "course_utils"]
    run = subprocess.run([*command, "data", "imagenet"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "digits" in run.stderr
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, listed(run.stdout)) == (0, COMMANDS)
