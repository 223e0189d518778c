"""What this machine can run, what is missing, and how to mend it: python -m course_utils doctor."""

import io
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from course_utils import machine as here
from course_utils.files import ROOT

EXTRAS = {"test": "make test", "grade": "grading"}  # what an extra of pyproject.toml is for
# make installs them where they are needed; quoted, for some shells have a use of their own for brackets.
MEND = {extra: f'make test or make grade installs them, or: pip install -e ".[{extra}]"' for extra in EXTRAS}
COMFORT = {"memory": 2.0, "disk": 2.0}  # gigabytes free; a training chapter takes about 1 of memory

OK, NOTE, MISSING = "ok", "note", "missing"  # a note costs a part of the course, what is missing costs the chapters
SANDBOX_SECONDS = 20.0  # a sandbox starts in about one
Findings = Iterator[tuple[str, str, str]]  # OK, NOTE or MISSING; what; a sentence


def python() -> Findings:
    """The interpreter, the bounds that the course sets, and whether assertions count."""
    from packaging.specifiers import SpecifierSet

    bounds = metadata.metadata("course_utils")["Requires-Python"]
    here = platform.python_version()
    if here in SpecifierSet(bounds):
        prefix = Path(sys.prefix)
        yield OK, "Python", f"{here} in {prefix.relative_to(ROOT) if prefix.is_relative_to(ROOT) else prefix}"
    else:
        yield MISSING, "Python", f"{here} does not satisfy {bounds}: make lab PYTHON=/path/to/python3.13"
    if not __debug__:
        yield NOTE, "asserts", "are off, so that no check of a chapter can fail: unset PYTHONOPTIMIZE, no -O or -OO"


def packages() -> Findings:
    """Every dependency against its bounds; the extras as one line each."""
    from packaging.requirements import Requirement

    wrong = {extra: [] for extra in ("", *EXTRAS)}
    count = dict.fromkeys(wrong, 0)
    for requirement in map(Requirement, metadata.requires("course_utils") or ()):
        extra = next((e for e in EXTRAS if requirement.marker and requirement.marker.evaluate({"extra": e})), "")
        if requirement.marker and not extra and not requirement.marker.evaluate({"extra": ""}):
            continue  # for another system, or of an extra that is not ours to judge
        count[extra] += 1
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong[extra].append(requirement.name)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong[extra].append(f"{requirement.name} {version}, not {requirement.specifier}")
    if wrong[""]:
        yield MISSING, "packages", f"{'; '.join(wrong[''])}: pip install -e ."
    else:
        yield OK, "packages", f"all {count['']} that the chapters need, each within its bounds"
    for extra, purpose in EXTRAS.items():
        if wrong[extra]:
            yield NOTE, f"[{extra}]", f"{purpose} lacks {'; '.join(wrong[extra])}: {MEND[extra]}"
        else:
            yield OK, f"[{extra}]", f"all {count[extra]} that {purpose} needs besides"


def torch() -> Findings:
    """PyTorch's build, the devices it can use, and the precision that pays on the best of them."""
    try:
        import torch
    except ModuleNotFoundError:
        raise  # said in findings()
    except (ImportError, OSError) as error:  # one of its libraries does not load
        yield MISSING, "PyTorch", f"cannot be imported ({_line(error)}): pip install --force-reinstall torch"
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    yield OK, "PyTorch", f"{torch.__version__} ({build}), threads: {torch.get_num_threads()}"
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        yield OK, f"cuda:{index}", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
    if torch.backends.mps.is_available():
        yield OK, "mps", "Apple's GPU"
    elif not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        mend = "update its driver" if torch.version.cuda else "install PyTorch's CUDA build (see its site)"
        yield NOTE, "cuda", f"there is a GPU, but PyTorch cannot use it: {mend}"
    elif not torch.cuda.is_available():
        yield OK, "device", "CPU only: enough for every chapter; recipe `full` takes minutes to hours"
    device = here.pick_device()
    yield OK, "precision", f"{here.pick_precision(None, device)} for training, on {device}"


def machine() -> Findings:
    """Cores, memory and disk that this process may use."""
    yield OK, "cores", f"{here.cores()} ({platform.machine()}, {platform.system()})"
    memory, disk = here.memory(), shutil.disk_usage(ROOT).free / 1e9
    for name, free, mend in (("memory", memory, "close other programs"), ("disk", disk, "free some")):
        if free == float("inf"):
            yield OK, name, "this system does not say"
        elif free < COMFORT[name]:
            yield NOTE, name, f"{free:.1f} GB free, {COMFORT[name]:.0f} GB are good to have: {mend}"
        else:
            yield OK, name, f"{free:.0f} GB free"


def settings() -> Findings:
    """The two variables that the course reads."""
    from course_utils import datasets

    try:
        yield OK, "COURSE_DATA", str(datasets.course_data() or "not set: data sets go to data/")
    except datasets.DataUnavailable as error:
        yield NOTE, "COURSE_DATA", _line(error)
    profile = os.environ.get("COURSE_PROFILE")
    if profile not in (None, "", "quick", "full"):
        yield MISSING, "COURSE_PROFILE", f"{profile!r} is neither quick nor full: unset it"
    else:
        yield OK, "COURSE_PROFILE", profile or "not set: full with CUDA, else quick"


def data() -> Findings:
    """The data sets that are here, by name; nothing is downloaded."""
    from course_utils import datasets

    for name in datasets.available():
        with redirect_stderr(io.StringIO()) as said:  # what stands in the way, of files that are there
            here = datasets.present(name)
        why = _line(said.getvalue()) or f"chapters use embedded data: python -m course_utils data {name}"
        yield (OK, name, "here") if here else (NOTE, name, f"not here ({why})")


def programs() -> Findings:
    """What is not Python: a browser for the learner, one for the tests."""
    from course_utils.setup import workspace

    if workspace.browser():
        yield OK, "browser", "opened by make lab"
    else:
        yield NOTE, "browser", "none found: open the address that make lab prints, in a browser of your choice"
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        yield OK, "chromium", "found, for tests"
    else:
        mend = "on Debian and Ubuntu sudo apt install chromium"
        yield NOTE, "chromium", f"none found, tests that need it are passed over: {mend}"


def sandbox() -> Findings:
    """Whether a student's code could be run here: one sandbox is started."""
    try:
        from course_utils.exercises.grading import sandbox as grading
    except ImportError as error:
        yield NOTE, "sandbox", f"grading lacks a package ({_line(error)}): {MEND['grade']}"
        return
    try:
        limits = replace(grading.LIMITS, start_seconds=SANDBOX_SECONDS)
        with grading.public_course(()) as course, grading.Sandbox(course, limits):
            yield OK, "sandbox", "starts, for grading"
    except ValueError as error:
        yield NOTE, "sandbox", _line(re.sub(r"Traceback.*\n", "", str(error), flags=re.DOTALL))


def _line(error: object) -> str:
    """An exception, or what was printed, as one line."""
    return " ".join(str(error).split()) or (type(error).__name__ if isinstance(error, Exception) else "")


def findings() -> Findings:
    """A line for everything that is looked at; raises nothing."""
    for check in (python, packages, torch, machine, settings, data, programs, sandbox):
        try:
            yield from check()
        except metadata.PackageNotFoundError:
            yield MISSING, check.__name__, "course_utils is not installed in this Python: make lab, or pip install -e ."
        except ImportError as error:
            yield MISSING, check.__name__, f"{_line(error)}: make lab, or pip install -e ."
        except Exception as error:  # a doctor that falls ill helps nobody: whatever it is, it is part of the report
            yield NOTE, check.__name__, f"could not be looked at: {type(error).__name__}: {_line(error)}"


def report() -> int:
    """Print a line for each finding; returns the exit code: 0 if the chapters can run here, else 1."""
    worst = OK
    for status, what, text in findings():
        line = f"{status:8} {what:15} {text}"
        encoding = sys.stdout.encoding or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding))  # whatever a folder's name holds
        worst = MISSING if MISSING in (status, worst) else worst
    print("The chapters can run here." if worst == OK else "The chapters cannot run yet: mend what is missing.")
    return 0 if worst == OK else 1
