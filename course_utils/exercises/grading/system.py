"""What of the machine a sandbox shows: this Python, the libraries under it and the packages that it needs, by name.

Everything else is not there: no home, no clone of the course, no other package, wherever they lie. Folders that hold
packages are shown empty, and only the wanted ones are put back.
"""

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

import course_utils

NEEDED = ("numpy", "ipython", "matplotlib", "matplotlib-inline")
LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib32", "/lib64")
SYSTEM = ("/usr/bin", "/bin", *LIBRARIES, "/etc/ld.so.cache", "/etc/alternatives")
PACKAGES = ("site-packages", "dist-packages")  # folders of packages
COURSE = Path(course_utils.__path__[0]).resolve()


@dataclass(frozen=True)
class View:
    """`shown` from the machine, at the same paths; `emptied`: folders without their content; `searched` for modules."""

    python: Path
    shown: tuple[Path, ...]
    emptied: tuple[Path, ...]
    searched: tuple[Path, ...]


@cache
def view(torch: bool = False) -> View:
    """The view of a sandbox, with or without PyTorch. Raises ValueError where a package that it needs is missing."""
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    home = python.parents[1]
    own = {"platbase": sys.base_exec_prefix}  # of a virtual environment sysconfig names the environment's
    standard = {Path(sysconfig.get_path(name, vars=own)).resolve() for name in ("stdlib", "platstdlib")}
    libraries = [path for path in map(Path, LIBRARIES) if path.is_dir() and not path.is_symlink()]
    if (home / "conda-meta").exists():  # conda has no other place for the libraries of its packages
        libraries.append(home / "lib")
    emptied = {path for top in [*libraries, *standard] for name in PACKAGES for path in top.glob(f"*/{name}")}
    emptied |= {top / name for top in standard for name in PACKAGES if (top / name).is_dir()}
    packages = list(_required(NEEDED + ("torch",) * torch))
    shown = {path for package in packages for path in _parts(package)}
    shown |= {python, *standard, *libraries, *(home / "lib").glob("libpython3*")}
    shown |= {Path(name) for name in SYSTEM if os.path.exists(name)}
    searched = {_folder(package): None for package in packages}  # each once, in this order
    return View(python, tuple(sorted(shown)), tuple(sorted(emptied)), tuple(searched))


def _required(roots: tuple[str, ...]) -> Iterator[Distribution]:
    """The distributions of that name and all that they require."""
    waiting, seen = [Requirement(name) for name in roots], set()
    while waiting:
        asked = waiting.pop()
        for extra in {"", *asked.extras} - {extra for name, extra in seen if name == asked.name}:
            seen.add((asked.name, extra))
            try:
                found = distribution(asked.name)
            except PackageNotFoundError:
                if asked.name in roots:
                    raise ValueError(f"{asked.name} is not installed; submissions need it") from None
                continue
            needs = [Requirement(text) for text in found.requires or ()]
            waiting += [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
            if not extra:
                yield found


def _parts(package: Distribution) -> Iterator[Path]:
    """The folders and files of a distribution, at the top of the folder that it is installed in."""
    tops = {file.parts[0] for file in package.files or ()}
    if tops:
        wanted = tops.__contains__
    else:  # a package of the operating system has no list of its files, but perhaps one of its modules
        modules = package.read_text("top_level.txt") or package.metadata["Name"].replace("-", "_")
        wanted = lambda name: name.partition(".")[0].lower() in modules.lower().split()  # noqa: E731
    for path in _folder(package).iterdir():
        if wanted(path.name) and path.name != "__pycache__" and path.suffix not in (".pth", ".egg-link"):
            yield path


def _folder(package: Distribution) -> Path:
    return Path(str(package.locate_file(""))).resolve()


def refuse_exposed(paths: Iterable[Path], torch: bool = False) -> None:
    """Raises ValueError where one of some paths, or the course with its answers, could be read by a submission."""
    seen = view(torch)
    shown = {path.resolve(): True for path in seen.shown} | {path.resolve(): False for path in seen.emptied}
    for path in map(Path.resolve, (*paths, COURSE)):
        innermost = max(
            (top for top in shown if path.is_relative_to(top)), key=lambda top: len(top.parts), default=None
        )
        if innermost and shown[innermost]:
            raise ValueError(f"{path} lies in {innermost}, which submissions can read; move it to another place")


def arguments(seen: View) -> list[str]:
    """bubblewrap's arguments for a view, all of it read-only.

    Raises ValueError where root would start a sandbox, which runs as nobody, with files that root alone can read.
    """
    if os.geteuid() == 0:
        for path in seen.shown:
            if not path.stat().st_mode & 0o004:
                raise ValueError(f"{path} cannot be read by others than its owner: chmod -R go+rX {path}")
    parents = {parent for path in (*seen.shown, *seen.emptied) for parent in path.parents}
    steps = {path: ["--perms", "0555", "--dir", str(path)] for path in parents - set(map(Path, ("/", "/tmp", "/dev")))}
    for path in seen.shown:
        link = path.is_symlink() and str(path) in SYSTEM  # /lib is usr/lib on most systems
        steps[path] = ["--symlink", os.readlink(path), str(path)] if link else ["--ro-bind", str(path), str(path)]
    steps |= {path: ["--perms", "0755", "--tmpfs", str(path)] for path in seen.emptied}
    in_order = [steps[path] for path in sorted(steps)]  # what lies in another comes after it
    return [item for step in in_order for item in step]
