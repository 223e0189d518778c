"""What a sandbox shows of the machine, wherever the course, its packages and the submissions lie."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading import system
from course_utils.exercises.grading.system import View, refuse_exposed, view

ROOT = Path(__file__).parents[3]
SECRETS = ("notebooks/solutions/06.ipynb", "tests/test_ex06.py", "submissions/ada/06.ipynb", "graded/batch.json")
PROBE = """
from pathlib import Path
from course_utils.exercises.grading.sandbox import Sandbox, public_course
from course_utils.exercises.grading.system import COURSE, refuse_exposed
secrets = [Path(name).resolve() for name in {secrets!r}] + [COURSE / "exercises" / "checks"]
assert all(path.exists() for path in secrets) and COURSE.is_relative_to({site!r}), COURSE
refuse_exposed(secrets)
with public_course(()) as course, Sandbox(course) as box:
    for path in map(str, [*secrets, COURSE]):
        print(box.ask({{"run": f"import os\\nos.stat({{path!r}})"}}, 30)["error"])
    print(box.ask({{"run": "import numpy, course_utils; print(numpy.__file__, course_utils.__file__)"}}, 30)["printed"])
"""
LAYOUTS = {  # where the packages are, seen from the clone; with a list of their files, or without
    "a venv in the clone": (".venv/lib/python3/site-packages", True),
    "packages beside the clone": ("../packages", True),
    "packages of the operating system": ("../usr/lib/python3/dist-packages", False),
    "a user's own packages": ("../home/.local/lib/python3/site-packages", True),
}


def install(site, listed):
    """A folder with all packages that are here, by links, and the course itself, not in editable mode."""
    site.mkdir(parents=True)
    for package in system._required(system.NEEDED):
        for path in system._parts(package):
            if listed or not path.name.endswith(".dist-info"):
                (site / path.name).symlink_to(path)
                continue
            (site / path.name).mkdir()
            for name in ("METADATA", "top_level.txt"):
                if (path / name).exists():
                    (site / path.name / name).symlink_to(path / name)
    for module in ("nbgrader", "nbformat"):  # they stand for what else is installed
        (site / module).symlink_to(Path(importlib.import_module(module).__file__).parent)
    shutil.copytree(ROOT / "course_utils" / "exercises", site / "course_utils" / "exercises")
    for path in (ROOT / "course_utils").glob("*.py"):
        shutil.copy(path, site / "course_utils")


@pytest.mark.parametrize(("place", "listed"), LAYOUTS.values(), ids=LAYOUTS)
def test_nothing_but_python_is_seen_wherever_things_lie(bubblewrap, tmp_path, place, listed):
    """The course is installed without -e, as a copy among the packages; answers, work and seed lie beside."""
    clone = tmp_path / "clone"
    for name in SECRETS:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("secret")
    site = (clone / place).resolve()
    install(site, listed)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(secrets=SECRETS, site=str(site))],
        **{"cwd": clone, "env": {**os.environ, "PYTHONPATH": path}, "capture_output": True, "text": True},
    )
    assert not done.returncode, done.stderr
    *errors, numpy, course = done.stdout.split()
    assert errors == ["FileNotFoundError"] * (len(SECRETS) + 2)
    assert (numpy, course) == (f"{site}/numpy/__init__.py", "/course/course_utils/__init__.py")


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """As if a sandbox showed `shown`, but for its folder `shown/packages`."""
    (tmp_path / "shown" / "packages").mkdir(parents=True)
    seen = View(Path(), (tmp_path / "shown",), (tmp_path / "shown" / "packages",), ())
    monkeypatch.setattr(system, "view", lambda torch: seen)
    return tmp_path / "shown"


def test_what_lies_in_a_shown_folder_is_refused(shown, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(shown / "out")
    refuse_exposed([tmp_path / "out", shown / "packages" / "out", tmp_path])
    for path in (shown, shown / "out", shown / "deep" / "out", tmp_path / "link", tmp_path / "link" / "x"):
        with pytest.raises(ValueError, match=rf"^{path.resolve()} lies in {shown}, which submissions can read; move"):
            refuse_exposed([tmp_path / "out", path])
    monkeypatch.setattr(system, "COURSE", shown / "course_utils")
    with pytest.raises(ValueError, match="course_utils lies in"):
        refuse_exposed([])


@pytest.mark.parametrize("torch", [False, True])
def test_no_folder_of_packages_is_shown_whole(torch):
    seen = view(torch)
    for path in seen.shown:
        assert not path.name.endswith(("site-packages", "dist-packages")) and path.suffix != ".pth"
        inner = [found for name in system.PACKAGES for found in [*path.glob(name), *path.glob(f"*/{name}")]]
        assert {found.resolve() for found in inner} <= {found.resolve() for found in seen.emptied}
    assert not any(Path(name) in seen.shown for name in ("/usr", "/usr/local", "/usr/share", "/opt", "/home", "/root"))
    assert ("torch" in {path.name for path in seen.shown}) == torch


def test_conda_keeps_the_libraries_of_all_packages_in_one_folder(monkeypatch, tmp_path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for folder in (packages, tmp_path / "conda-meta", tmp_path / "bin"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "_base_executable", str(tmp_path / "bin" / "python3.11"))
    seen = view.__wrapped__()
    assert tmp_path / "lib" in seen.shown and packages in seen.emptied


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(system, "NEEDED", ("numpy", "no-such-package"))
    with pytest.raises(ValueError, match=r"^no-such-package is not installed; submissions need it$"):
        view.__wrapped__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a sandbox as somebody else")
def test_root_is_told_of_packages_that_it_alone_can_read(tmp_path):
    (tmp_path / "numpy").mkdir(mode=0o700)
    with pytest.raises(ValueError, match=r"numpy cannot be read by others than its owner: chmod -R go\+rX "):
        system.arguments(View(Path(), (tmp_path / "numpy",), (), ()))
