"""The environment in which notebooks are recorded and tested: profile `quick`, embedded data, no GPU, one thread.

Also a pytest plugin (named in pyproject.toml), so that a test sees the same, whatever file it is started with.
"""

import os
from pathlib import Path

# One thread: sums come out the same on every machine, and workers side by side do not fight over cores.
SET = {
    "COURSE_PROFILE": "quick",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
UNSET = ("COURSE_DATA", "MPLBACKEND")
WORKER_GIGABYTES = 1.0  # a pytest worker and its notebook's kernel, both with torch


def environment(base=None):
    """Return a copy of the environment `base` (default: this process's) as a recorded or tested notebook sees it."""
    base = os.environ if base is None else base
    return {name: value for name, value in base.items() if name not in UNSET} | SET


def cores():
    """Return how many processors this process may use: those of its affinity mask, within a container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no container, or another layout
        pass
    return count


def memory():
    """Return the gigabytes of memory that are free for this process; infinity if the machine does not say."""
    free = []
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError):
        pass
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            free.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return min(free, default=float("inf")) / 1e9


def pytest_load_initial_conftests():
    """Enter the environment before anything of the course is imported, and tell pytest-xdist what `-n auto` means here.

    Its own count takes all cores of the machine, also those that a container may not use, and knows nothing of memory.
    """
    workers = min(cores(), max(1, int(memory() / WORKER_GIGABYTES)))
    os.environ.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(workers))
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.update(SET)


def pytest_configure(config):
    """Let nbval pass over the pixels of figures, which differ from machine to machine and stand in the HTML output."""
    if hasattr(config.option, "nbval_sanitize_with"):
        config.option.nbval_sanitize_with = str(Path(__file__).parents[1] / "tests" / "nbval.cfg")
