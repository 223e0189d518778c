"""Create the course's environment, .venv: python3 course_utils/setup/bootstrap.py [EXTRA ...].

Run as a script by whatever Python the machine has, before anything is installed: standard library only, and no syntax
that an old Python cannot read, for it has to run there to say that it is too old. All that can go wrong on a machine
ends in one line that says what to do.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ((3, 13), (3, 12), (3, 11))  # as `requires-python` in pyproject.toml; a test holds the two together
GIGABYTE = 1e9
# Measured on Linux, with every extra: .venv takes 1.8 GB, or 5.5 with a CUDA build of torch, whose wheels (3 GB) pass
# through pip's temporary folder and stay in its cache.
DISK = {"cpu": 2.0, "cuda": 9.0}

DISK_FULL = r"No space left on device|Disk quota exceeded|Errno 28\b|Errno 122\b"

# What pip prints when it fails, and what that means to the person who waits for it. The first that is found counts.
FAILURES = (
    (
        DISK_FULL,
        "the disk is full: {free}; free some and call again (2 GB are needed, 9 GB for a CUDA build of torch; "
        "if it is the temporary folder that is full, set TMPDIR to another)",
    ),
    (
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|ProxyError|ConnectTimeout"
        r"|ReadTimeout|Connection refused|Network is unreachable|SSLError|Max retries exceeded|connection broken",
        "the packages could not be fetched: check the network (or proxy) and call again",
    ),
    (r"Permission denied|Errno 13\b|Read-only file system", "this folder may not be written: {root}"),
)


class Unable(Exception):
    """The environment cannot be made; the text is one line for the user."""


def works(python):
    """Return (major, minor, can make environments) of an interpreter, or None if it does not run."""
    code = (
        "import sys, importlib.util as u\n"
        "print(sys.version_info[0], sys.version_info[1], int(all(map(u.find_spec, ('venv', 'ensurepip')))))"
    )
    try:
        # Isolated: neither the user's PYTHONPATH nor this folder may stand in for the standard library.
        run = subprocess.run([str(python), "-I", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return tuple(int(word) for word in run.stdout.split()) if run.returncode == 0 else None


def interpreters(path, root):
    """Yield the running interpreter, then those on the search path: newest supported first, then any python3.

    An active environment stands for the interpreter it was made with: it may be the very one that is to be replaced.
    """
    yield getattr(sys, "_base_executable", sys.executable)
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    for name in [f"python{major}.{minor}" for major, minor in VERSIONS] + ["python3"]:
        for folder in folders:
            if root not in folder.parents and os.access(str(folder / name), os.X_OK):
                yield str(folder / name)


def choose(path, root):
    """Return the interpreter to build on; raises Unable if there is none."""
    bare, others = None, set()
    for python in interpreters(path, root):
        found = works(python)
        if found is None:
            continue
        version = f"{found[0]}.{found[1]}"
        if found[:2] not in VERSIONS:
            others.add(version)
        elif found[2]:
            return python
        else:
            bare = bare or version
    if bare:
        raise Unable(
            f"Python {bare} is here without venv or ensurepip: install them "
            f"(on Debian and Ubuntu: sudo apt install python{bare}-venv) and call again"
        )
    raise Unable(
        f"the course needs Python 3.11 to 3.13, and here is {', '.join(sorted(others)) or 'none'}: "
        "install one and call again, or name it: make lab PYTHON=/path/to/python3.13"
    )


def read_stamp(venv):
    """Return what a finished install noted in its stamp; an empty dictionary if there is none."""
    try:
        return json.loads((venv / "course.json").read_text())
    except (OSError, ValueError):
        return {}


def write_stamp(venv, stamp):
    """Write the stamp in one step: it is there whole, or not there."""
    draft = venv / "course.json.part"
    draft.write_text(json.dumps(stamp))
    os.replace(str(draft), str(venv / "course.json"))


def sound(venv):
    """True if the environment's own Python runs, has pip, and was made for this folder (environments cannot move)."""
    python = venv / "bin" / "python"
    made_for = read_stamp(venv).get("folder", str(venv))
    if made_for != str(venv) or (works(python) or ())[:2] not in VERSIONS:
        return False
    command = [str(python), "-I", "-c", "import pip._internal.cli.main"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def check_disk(root, build):
    """Raise Unable if the disk has too little room for an environment with this build of torch."""
    free = shutil.disk_usage(str(root)).free / GIGABYTE
    if free < DISK[build]:
        what = "with a CUDA build of torch takes up to" if build == "cuda" else "takes about"
        raise Unable(f"the environment {what} {DISK[build]:.0f} GB, and {free:.1f} GB are free here")


def create(venv):
    """Make an empty environment; nothing is left of it if that fails."""
    python = choose(os.environ.get("PATH", ""), venv.parent)
    check_disk(venv.parent, "cpu")
    print(f"course: making .venv with {python} (once; takes a few minutes)", flush=True)
    try:
        run = subprocess.run(
            [str(python), "-I", "-m", "venv", "--clear", str(venv)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if run.returncode:
            raise Unable(explain(run.stdout, venv.parent))
        if shutil.disk_usage(str(venv.parent)).free < DISK["cuda"] * GIGABYTE:
            check_disk(venv.parent, build_of_torch(venv))
    except (KeyboardInterrupt, Unable):
        shutil.rmtree(str(venv), ignore_errors=True)
        raise


def explain(output, root):
    """Return one line on why pip or venv failed: what to do where that is known, else the last error it printed."""
    for pattern, advice in FAILURES:
        if re.search(pattern, output):
            free = f"{shutil.disk_usage(str(root)).free / GIGABYTE:.1f} GB are free"
            return advice.format(free=free, root=root)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return f"the installation failed: {(errors or lines or ['no reason was given'])[-1]}"


def pip_install(venv, *options):
    """Return the arguments for subprocess that let the environment's own pip install, whatever the user's settings."""
    python = str(venv / "bin" / "python")
    command = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", *options]
    return {"args": command, "env": dict(os.environ, PIP_USER="0", PIP_NO_INPUT="1", PYTHONUNBUFFERED="1")}


def build_of_torch(venv):
    """Return "cuda" or "cpu": which build pip would bring here; it is asked without installing anything."""
    asked = pip_install(venv, "--dry-run", "--quiet", "--report", "-", "-e", str(venv.parent))
    run = subprocess.run(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **asked)
    return "cuda" if b'"nvidia-' in run.stdout else "cpu"


def progress(line):
    """Show what pip is busy with: one line that overwrites itself on a terminal, nothing elsewhere."""
    if sys.stdout.isatty() and line.startswith(("Collecting", "  Downloading", "Installing", "Building")):
        width = shutil.get_terminal_size().columns - 1
        print("\r" + line.strip()[:width].ljust(width), end="", flush=True)


def forget_unfinished(venv):
    """Remove what an interrupted pip left: its drafts, and the records of packages in part, so that they come anew."""
    packages = "lib/python*/site-packages"
    for record in venv.glob(f"{packages}/*.dist-info"):
        if not (record / "RECORD").exists():
            shutil.rmtree(str(record))
    for draft in venv.glob(f"{packages}/~*"):
        shutil.rmtree(str(draft)) if draft.is_dir() else draft.unlink()


def install(venv, extras):
    """Let pip install the course and its extras into the environment; raises Unable with its reason in one line."""
    forget_unfinished(venv)
    what = str(venv.parent) + (f"[{','.join(extras)}]" if extras else "")
    output = []
    with subprocess.Popen(
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **pip_install(venv, "-e", what),
    ) as pip:
        for line in pip.stdout:
            output.append(line)
            progress(line.rstrip())
    if sys.stdout.isatty():
        print("\r" + " " * (shutil.get_terminal_size().columns - 1), end="\r", flush=True)
    if pip.returncode:
        text = "".join(output)
        if re.search(DISK_FULL, text) and not read_stamp(venv):
            shutil.rmtree(str(venv))  # it is what filled the disk
        raise Unable(explain(text, venv.parent))


@contextlib.contextmanager
def alone(root):
    """Let one process at a time build the environment: a second `make` waits for the first."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(str(root / "pyproject.toml"), "r+") as lock:  # opened to be locked, never written
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("course: another call is making the environment; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(root, extras=()):
    """Make sure that root/.venv holds the course with these extras, as pyproject.toml has it now.

    Does nothing where the stamp of a finished install says so. An interrupted install is taken up again; an environment
    that does not run, or that was moved here with its folder, is made anew. Raises Unable.
    """
    venv = root / ".venv"
    wanted = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()

    def complete():
        stamp = read_stamp(venv)
        same = stamp.get("folder") == str(venv) and stamp.get("pyproject") == wanted
        return same and set(extras) <= set(stamp.get("extras", ())) and works(venv / "bin" / "python") is not None

    if complete():
        return
    with alone(root):
        if complete():  # made by the call that was waited for
            return
        if not sound(venv):
            create(venv)
        stamp = read_stamp(venv)
        extras = sorted({*extras, *stamp.get("extras", ())})
        if stamp:
            write_stamp(venv, dict(stamp, pyproject=None))  # no longer complete while pip is at work
        print("course: installing the packages into .venv", flush=True)
        install(venv, extras)
        write_stamp(venv, {"folder": str(venv), "pyproject": wanted, "extras": extras})
        print("course: .venv is ready", flush=True)


def main(extras):
    """Run as a script; returns the exit code."""
    root = Path(__file__).resolve().parents[2]
    try:
        prepare(root, extras)
    except Unable as error:
        print(f"course: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"course: {explain(str(error), root)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncourse: interrupted; the same call goes on where this one stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
