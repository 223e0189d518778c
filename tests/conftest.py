"""What all tests share: one thread, no network, no datasets of the machine; and what may be missing on a machine."""

import os
import shutil

import pytest

# Set before torch is imported anywhere: the tests say nothing about the machine that they run on.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["COURSE_PROFILE"] = "quick"
os.environ.pop("COURSE_DATA", None)

REQUIRED = set(filter(None, os.environ.get("COURSE_REQUIRE", "").split(",")))


def need(what, found, reason):
    """Skip the test with `reason` if something is not found; fail instead where COURSE_REQUIRE lists `what`."""
    if found:
        return
    if what in REQUIRED:
        pytest.fail(f"COURSE_REQUIRE lists {what}, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium for the browser tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need("browser", path, "no Chromium is on this machine")
    return path


@pytest.fixture(scope="session")
def bubblewrap():
    """Path of bubblewrap for the sandbox tests."""
    path = shutil.which("bwrap")
    need("sandbox", path, "bubblewrap (bwrap) is not on this machine")
    return path
