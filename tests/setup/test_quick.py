"""The environment of recorded and tested notebooks, and that nothing passes in it because asserts are off."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_utils.setup import quick

ROOT = Path(__file__).parents[2]


def test_the_tests_run_in_the_environment_of_the_records():
    assert quick.environment() == dict(os.environ)
    given = {"COURSE_DATA": "x", "MPLBACKEND": "y", "PYTHONOPTIMIZE": "1", "COURSE_PROFILE": "full", "HOME": "z"}
    assert quick.environment(given) == {"HOME": "z", **quick.SET}
    assert given["COURSE_PROFILE"] == "full"


@pytest.mark.parametrize(("options", "level"), [(["-O"], None), (["-OO"], ""), ([], "2")])
def test_without_asserts_nothing_is_tested(tmp_path, options, level):
    cells = [nbformat.v4.new_code_cell("assert 1 + 1 == 3", id="wrong", execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "x.ipynb")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # ours is named in pyproject.toml
    if level is not None:
        environment["PYTHONOPTIMIZE"] = level
    run = subprocess.run(
        [sys.executable, *options, "-m", "pytest", "-c", "pyproject.toml", "-q", tmp_path / "x.ipynb"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert run.stderr == (
        "ERROR: asserts are off, and tests would prove nothing: unset PYTHONOPTIMIZE, call Python without -O\n\n"
    )
    assert run.stdout == ""
