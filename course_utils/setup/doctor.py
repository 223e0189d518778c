"""What this machine can run, what is missing, and how to mend it: python -m course_utils doctor."""

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from course_utils.files import ROOT

EXTRAS = {"test": "make test", "grade": "release and grade"}  # what an extra of pyproject.toml is for
COMFORT = {"memory": 2.0, "disk": 2.0}  # gigabytes free; a training chapter takes about 1 of memory

OK, NOTE, MISSING = "ok", "note", "missing"  # a note costs a part of the course, what is missing costs the chapters


def python():
    """The interpreter and the bounds that the course sets."""
    from packaging.specifiers import SpecifierSet

    bounds = metadata.metadata("course_utils")["Requires-Python"]
    here = platform.python_version()
    if here in SpecifierSet(bounds):
        prefix = Path(sys.prefix)
        yield OK, "Python", f"{here} in {prefix.relative_to(ROOT) if prefix.is_relative_to(ROOT) else prefix}"
    else:
        yield MISSING, "Python", f"{here} does not satisfy {bounds}: make lab PYTHON=/path/to/python3.13"


def packages():
    """Every dependency against its bounds; the extras as one line each."""
    from packaging.requirements import Requirement

    wrong = {"": [], **{extra: [] for extra in EXTRAS}}
    count = 0
    for requirement in map(Requirement, metadata.requires("course_utils") or ()):
        extra = next((e for e in EXTRAS if requirement.marker and requirement.marker.evaluate({"extra": e})), "")
        if requirement.marker and not extra and not requirement.marker.evaluate({"extra": ""}):
            continue  # for another system, or of an extra that is not ours to judge
        count += 1
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
        yield OK, "packages", f"{count - sum(map(len, wrong.values()))} of {count} there, each within its bounds"
    for extra, purpose in EXTRAS.items():
        if wrong[extra]:
            yield NOTE, f"[{extra}]", f"for {purpose}, not there: {', '.join(wrong[extra])}: make tools"


def torch():
    """PyTorch's build, and the devices it can use."""
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


def machine():
    """Cores, memory and disk that this process may use."""
    from course_utils import machine as here

    yield OK, "cores", f"{here.cores()} ({platform.machine()}, {platform.system()})"
    memory, disk = here.memory(), shutil.disk_usage(ROOT).free / 1e9
    for name, free, mend in (("memory", memory, "close other programs"), ("disk", disk, "free some")):
        if free == float("inf"):
            yield OK, name, "this system does not say"
        elif free < COMFORT[name]:
            yield NOTE, name, f"{free:.1f} GB free, {COMFORT[name]:.0f} GB are good to have: {mend}"
        else:
            yield OK, name, f"{free:.0f} GB free"


def settings():
    """The two variables that the course reads."""
    folder, profile = os.environ.get("COURSE_DATA"), os.environ.get("COURSE_PROFILE")
    if folder and not Path(folder).is_dir():
        yield NOTE, "COURSE_DATA", f"{folder} is no folder: unset it, or name one that holds the data sets"
    else:
        yield OK, "COURSE_DATA", folder or "not set: data sets go to data/"
    if profile not in (None, "", "quick", "full"):
        yield MISSING, "COURSE_PROFILE", f"{profile!r} is neither quick nor full: unset it"
    else:
        yield OK, "COURSE_PROFILE", profile or "not set: full with CUDA, else quick"


def data():
    """The data sets that are here, by name; nothing is downloaded."""
    from course_utils import datasets

    for name in datasets.available():
        if datasets.present(name):
            yield OK, name, "here"
        else:
            yield NOTE, name, f"not here (chapters use embedded data): python -m course_utils data {name}"


def programs():
    """What is not Python: a browser, and bubblewrap for the grader's sandbox."""
    from course_utils.setup import workspace

    if workspace.browser():
        yield OK, "browser", "opened by make lab"
    else:
        yield NOTE, "browser", "none found: open the address that make lab prints, in a browser of your choice"
    for names, purpose in ((("chromium", "chromium-browser", "google-chrome"), "tests"), (("bwrap",), "grading")):
        found = next(filter(None, map(shutil.which, names)), None)
        package = {"bwrap": "bubblewrap"}.get(names[0], names[0])
        mend = f"none found, {purpose} that need it cannot run: on Debian and Ubuntu sudo apt install {package}"
        yield (OK, package, f"found, for {purpose}") if found else (NOTE, package, mend)


def _line(error):
    """An exception as one line."""
    return " ".join(str(error).split()) or type(error).__name__


def findings():
    """Yield (OK, NOTE or MISSING; what; a sentence) for everything that is looked at; raises nothing."""
    for check in (python, packages, torch, machine, settings, data, programs):
        try:
            yield from check()
        except metadata.PackageNotFoundError:
            yield MISSING, check.__name__, "course_utils is not installed in this Python: make lab, or pip install -e ."
        except ImportError as error:
            yield MISSING, check.__name__, f"{_line(error)}: make lab, or pip install -e ."
        except Exception as error:  # a doctor that falls ill helps nobody: whatever it is, it is part of the report
            yield NOTE, check.__name__, f"could not be looked at: {type(error).__name__}: {_line(error)}"


def report():
    """Print a line for each finding; returns the exit code: 0 if the chapters can run here, else 1."""
    worst = OK
    for status, what, text in findings():
        print(f"{status:8} {what:15} {text}")
        worst = MISSING if MISSING in (status, worst) else worst
    print("The chapters can run here." if worst == OK else "The chapters cannot run yet: mend what is missing.")
    return 0 if worst == OK else 1
