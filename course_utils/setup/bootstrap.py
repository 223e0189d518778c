"""Create the course's environment, .venv: python3 course_utils/setup/bootstrap.py [EXTRA ...].

Run by whatever Python the machine has: standard library only, and nothing that Python 3.6 cannot run, for it has to run
there to say that it is too old. What goes wrong ends in one line that says what to do.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.13", "3.12", "3.11")  # as `requires-python` in pyproject.toml; a test holds the two together
DISK, CUDA_DISK = 2.5e9, 9e9  # bytes to begin with; with every extra .venv takes 2.1 GB, or 6 and 3 while it installs
DISK_FULL = r"No space left on device|Disk quota exceeded|Errno (28|122)\b"
ADVICE = {  # what to do when pip or the system says so; the first that is found counts
    DISK_FULL: "the disk is full: 2.5 GB are needed, 9 with a CUDA build of torch, {free:.1f} are free; free some, or "
    "set TMPDIR if it is the temporary folder that is full, and call again",
    r"NewConnectionError|[Nn]ame ?[Rr]esolution|ProxyError|Timeout|Connection refused|unreachable|SSLError|Max retries"
    r"|connection broken": "the packages could not be fetched: check the network (or proxy) and call again",
    r"Permission denied|Errno 13\b|Read-only": "{error}: clone the course to a folder where you may write",
}
ASTRAY = r"PYTHON(HOME|PATH)|PIP_(TARGET|PREFIX|ROOT|PYTHON|NO_DEPS|DRY_RUN|REQUIRE|NO_BUILD)"  # they lead pip astray


def probe(python):
    """Return an interpreter's version, and what makes environments: "" without ensurepip. Two "" if it does not run."""
    code = "import sys, importlib.util as u; base = getattr(sys, '_base_executable', sys.executable); "
    code += "print('%d.%d' % sys.version_info[:2], base if u.find_spec('ensurepip') else '')"
    try:  # isolated: neither the user's PYTHONPATH nor this folder may stand in for the standard library
        run = subprocess.run([str(python), "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return "", ""
    return (re.findall(r"^(\d\.\d+) (.*)$", os.fsdecode(run.stdout), re.MULTILINE) or [("", "")])[-1]


def choose():
    """Return version and path of the Python to build on: the running one, else the newest on PATH. Exits: none fits."""
    paths = [os.path.join(folder, "python" + v) for v in (*VERSIONS, "3") for folder in os.get_exec_path()]
    here = set()
    for version, base in map(probe, [sys.executable, *paths]):
        if version in VERSIONS and base:
            return version, base
        bare = f"{version} without ensurepip (on Debian and Ubuntu: sudo apt install python{version}-venv)"
        here |= {bare if version in VERSIONS else version} - {""}
    found = ", ".join(sorted(here)) or "none"
    sys.exit(f"course: Python 3.11 to 3.13 is needed, here is {found}: install one, or: make lab PYTHON=/path/to/it")


def run(root, python, *module, show=True):
    """Run a module of Python in `root`; return what it prints, or let a terminal show it. Raises OSError: its error."""
    settings = dict({k: v for k, v in os.environ.items() if not re.match(ASTRAY, k)}, PIP_USER="0", PIP_NO_INPUT="1")
    out = {"stdout": None if show and sys.stdout.isatty() else subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run([python, "-I", "-m", *module], cwd=str(root), env=settings, close_fds=False, **out)
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace"))
    return done.stdout


def prepare(root, extras):
    """Make sure that root/.venv holds the course with these extras, as pyproject.toml has it now. Raises OSError.

    An install that was cut off is gone on with; what does not run, or is of another folder or Python, is made anew.
    """
    venv, stamp, python = root / ".venv", root / ".venv/course.stamp", str(root / ".venv/bin/python")
    noted = os.fsdecode(stamp.read_bytes()).split("\0") if stamp.is_file() else []  # whole: as `state`
    extras = ",".join(sorted({*extras, *"".join(noted[2:3]).split(",")} - {""}))
    state = [str(venv), probe(python)[0], extras, os.fsdecode((root / "pyproject.toml").read_bytes())]
    usable = state[1] in VERSIONS and noted[:2] in ([], state[:2])
    if usable and noted == state:
        return
    if not (usable or noted) and (venv.is_file() or any(venv.glob("*"))):
        sys.exit(f"course: {venv} is not the course's, nor an environment of Python 3.11 to 3.13: move it away")
    try:
        if not usable:
            state[1], base = choose()
            shutil.rmtree(str(venv.resolve()), ignore_errors=True)
            venv.resolve().mkdir(parents=True, exist_ok=True)
            stamp.write_bytes(os.fsencode(str(venv)))  # from now on it is ours, however far this comes
            run(root, base, "venv", ".venv")
            free, ask = shutil.disk_usage(str(venv)).free, ("pip", "install", "--dry-run", "-e", ".")
            cuda = DISK < free < CUDA_DISK and b" nvidia-" in run(root, python, *ask, show=False)
            if free < (CUDA_DISK if cuda else DISK):
                raise OSError(28, "No space left on device")
        for path in venv.glob("lib/python*/site-packages/*"):  # drafts of an interrupted pip, records of half a package
            if path.name.startswith("~") or (path.suffix == ".dist-info" and not (path / "RECORD").exists()):
                shutil.rmtree(str(path)) if path.is_dir() else path.unlink()
        stamp.write_bytes(os.fsencode("\0".join(state[:3])))
        print(f"course: installing into .venv, with Python {state[1]} (the first time takes minutes)", flush=True)
        run(root, python, "ensurepip")
        run(root, python, "pip", "install", "-e", f".[{extras}]" if extras else ".")
        if not any(venv.glob("lib/python*/site-packages/course_utils-*.dist-info")):
            raise OSError("pip brought the course elsewhere; see: .venv/bin/pip config list")
        stamp.write_bytes(os.fsencode("\0".join(state)))
    except OSError as error:
        if not usable and re.search(DISK_FULL, str(error)):
            shutil.rmtree(str(venv.resolve()), ignore_errors=True)  # it is what filled the disk
        raise


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    try:
        with open(str(root / "pyproject.toml"), "r+" if os.access(str(root), os.W_OK) else "r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("course: another call is making the environment; waiting for it", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            os.set_inheritable(lock.fileno(), True)  # if this process is killed, pip still keeps the next call waiting
            prepare(root, sys.argv[1:])
    except OSError as error:
        last = (re.findall(r"(?im)^\s*(error.*)$", str(error)) or str(error).splitlines() or ["no reason given"])[-1]
        advice = [text for sign, text in ADVICE.items() if re.search(sign, str(error))] + ["it failed: {error}"]
        sys.exit("course: " + advice[0].format(root=root, free=shutil.disk_usage(str(root)).free / 1e9, error=last))
    except KeyboardInterrupt:
        print("\ncourse: interrupted; the same call goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
