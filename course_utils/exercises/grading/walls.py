"""The walls of a sandbox: bubblewrap's command line, and the process that it starts."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from course_utils.exercises.grading import system
from course_utils.exercises.grading.gate import PRINTED
from course_utils.exercises.grading.limits import Limits
from course_utils.exercises.grading.syscalls import filter_program
from course_utils.exercises.grading.watch import FOLDERS

INSTALL = (
    "submissions run under bubblewrap only, and bwrap is not on this machine. "
    "Debian and Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap; "
    "macOS and Windows: grade in a Linux virtual machine"
)
ENVIRONMENT = {
    **{"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", "TMPDIR": "/tmp"},
    **{"IPYTHONDIR": "/tmp/ipython", "MPLCONFIGDIR": "/tmp/matplotlib", "MPLBACKEND": "agg"},
    **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COURSE_PROFILE": "quick"},
}


def start(course: Path, limits: Limits, torch: bool) -> subprocess.Popen:
    """A sandboxed `runner.py` with pipes; `course` is its folder /course, and its environment is made for it.

    Raises ValueError where bubblewrap or a package is missing.
    """
    pipe = subprocess.PIPE
    refused, writing = os.pipe()
    try:
        os.write(writing, filter_program())
        os.close(writing)
        return subprocess.Popen(
            command(course, limits, torch, refused),
            **{"stdin": pipe, "stdout": pipe, "stderr": pipe, "bufsize": 0},
            **{"env": ENVIRONMENT, "pass_fds": (refused,), "start_new_session": True},
        )
    finally:
        os.close(refused)


def command(course: Path, limits: Limits, torch: bool, refused: int) -> list[str]:
    """The command line of a sandboxed `runner.py`; `course` is its folder /course, `refused` a file with the filter."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise ValueError(INSTALL)
    seen = system.view(torch)
    inside = [str(seen.python), "-I", "-B", "/course/runner.py", str(PRINTED), "torch" if torch else "numpy"]
    inside = ["prlimit", f"--nproc={limits.processes}", "--", *inside, *map(str, seen.searched)]
    if os.geteuid() == 0:
        # A user of its own for each run: the limit on processes counts all of a user.
        user = str(20_000 + secrets.randbelow(40_000))
        rights = [item for cap in ("SETUID", "SETGID", "SETPCAP") for item in ("--cap-add", f"CAP_{cap}")]
        drop = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        inside = ["setpriv", f"--reuid={user}", f"--regid={user}", *drop, *inside]
    else:
        rights = ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    return [
        *("prlimit", f"--data={limits.data}", f"--as={limits.address_space}", f"--fsize={limits.scratch_disk}"),
        *(f"--nofile={limits.descriptors}", "--core=0", f"--cpu={int(limits.submission_seconds) + 60}"),
        *(bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        # No process of bubblewrap's in there, which the filter would not bind.
        *("--as-pid-1", "--die-with-parent", "--new-session", "--seccomp", str(refused), *rights),
        *_files(course, seen, limits),
        *("--", *inside),
    ]


def _files(course: Path, seen: system.View, limits: Limits) -> list[str]:
    """bubblewrap's arguments for the file system: three small folders in memory can be written to, nothing else."""
    given = ["--perms", "0755", "--tmpfs", "/dev"]
    for name in ("null", "random", "urandom"):  # not zero: what is mapped of it counts for no process
        given += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        given += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    for name in FOLDERS:
        given += ["--perms", "1777", "--size", str(limits.scratch_disk), "--tmpfs", name]
    given += system.arguments(seen)
    given += ["--ro-bind", str(course), "/course", "--proc", "/proc", "--chdir", "/box"]
    for path in ("/", "/dev", *map(str, seen.emptied)):
        given += ["--remount-ro", path]
    return given
