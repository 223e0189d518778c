"""What all tests share: seeded draws, the slow files first; and what may be missing on a machine.

One thread, no GPU, no data sets of the machine: the plugin course_utils.setup.quick saw to that before this is read.
"""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

# The same draws on every run, and no verdict that depends on how busy the machine is.
settings.register_profile("course", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("course")

REQUIRED = set(filter(None, os.environ.get("COURSE_REQUIRE", "").split(",")))


def pytest_collection_modifyitems(items):
    """Sort: browser and sandbox first, then notebooks, training, the rest, so that no slow file is left for the end.

    The order within a file stays, for a notebook's cells depend on it.
    """

    def rank(item):
        if {"chromium", "bubblewrap"} & set(getattr(item, "fixturenames", ())):
            return 0
        return 1 if item.path.suffix == ".ipynb" else 2 if item.path.parent.name == "training" else 3

    first = {}
    for item in items:
        first[item.path] = min(rank(item), first.get(item.path, 3))
    items.sort(key=lambda item: first[item.path])


def need(what, found, reason):
    """Skip the test with `reason` if something is not found; fail instead where COURSE_REQUIRE lists `what`."""
    if found:
        return
    if what in REQUIRED:
        pytest.fail(f"COURSE_REQUIRE lists {what}, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium for the browser tests; first the one without windows, with which they take a third less."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    need("browser", path, "no Chromium is on this machine")
    return path


@pytest.fixture(scope="session")
def bubblewrap():
    """Path of bubblewrap for the sandbox tests."""
    path = shutil.which("bwrap")
    need("sandbox", path, "bubblewrap (bwrap) is not on this machine")
    return path
