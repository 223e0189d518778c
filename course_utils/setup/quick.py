"""The environment in which notebooks are recorded and tested: profile `quick`, embedded data, no GPU, one thread.

Also a pytest plugin (named in pyproject.toml), so that a test sees the same, whatever file it is started with.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from course_utils import machine

# One thread: sums come out the same on every machine, and workers side by side do not fight over cores.
SET = {
    "COURSE_PROFILE": "quick",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
UNSET = ("COURSE_DATA", "MPLBACKEND", "PYTHONOPTIMIZE")  # under the last one, no assert of a notebook fails
WORKER_GIGABYTES = 1.0  # a pytest worker and its notebook's kernel, both with torch

# jsonschema, which nbval loads, does without this parser of international addresses; its import takes over a second.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """A copy of the environment `base` (default: this process's) as a recorded or tested notebook sees it."""
    base = os.environ if base is None else base
    return {name: value for name, value in base.items() if name not in UNSET} | SET


def pytest_load_initial_conftests() -> None:
    """Enter the environment before anything of the course is imported, and tell pytest-xdist what `-n auto` means here.

    Its own count takes all cores of the machine, also those that a container may not use, and knows nothing of memory.
    Raises UsageError where asserts are switched off: nothing could fail.
    """
    if not __debug__:
        raise pytest.UsageError(
            "asserts are off, and tests would prove nothing: unset PYTHONOPTIMIZE, call Python without -O"
        )
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.update(SET)  # before anything loads NumPy, which counts its threads then
    workers = min(machine.cores(), max(1, int(machine.memory() / WORKER_GIGABYTES)))
    os.environ.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(workers))


def pytest_configure(config: pytest.Config) -> None:
    """Let nbval pass over the pixels of figures, which differ from machine to machine and stand in the HTML output."""
    if hasattr(config.option, "nbval_sanitize_with"):
        config.option.nbval_sanitize_with = str(Path(__file__).parents[2] / "tests" / "nbval.cfg")
