"""A process for a student's code, under bubblewrap: no network, nothing of the machine but Python, and limits.

The process runs `runner.py`. It gets requests and gives replies as lines of plain data over two pipes; there is no
other way out. Whoever asks sets the time; a process that is late, too large or dead is ended with all its children.
"""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import psutil

import course_utils
from course_utils.exercises.plain import decode, encode

GIB, MIB = 2**30, 2**20
PACKAGE = Path(course_utils.__path__[0]).resolve()


@dataclass(frozen=True)
class Limits:
    """What one submission may take, in seconds and bytes; all of it stands here."""

    start_seconds: float = 60.0  # to start Python in the sandbox
    cell_seconds: float = 20.0  # one cell of the notebook; an exercise has its own limit
    submission_seconds: float = 120.0  # all cells and calls of one submission
    memory: int = 2 * GIB  # of all its processes together, looked at ten times a second
    data: int = 4 * GIB  # of each process: more is refused when it is asked for
    address_space: int = 16 * GIB  # of each process, with the libraries that it maps
    processes: int = 64  # and threads
    scratch_disk: int = 64 * MIB  # /tmp, /box and /dev/shm, in memory, each
    reply: int = 8 * MIB  # one answer of a function
    notebook: int = 20 * MIB  # the file that is handed in


LIMITS = Limits()
LOOK = 0.1  # seconds between two looks at the memory

INSTALL = (
    "submissions run under bubblewrap only, and bwrap is not on this machine. "
    "Debian and Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap; "
    "macOS and Windows: grade in a Linux virtual machine"
)
NOT_FOR_STUDENTS = (
    "__pycache__",
    "authors",
    "checks",
    "grading",
    "masters.py",
)


class Lost(Exception):
    """The process is gone: `status` is timeout, out_of_memory, kernel_died or too_large."""

    def __init__(self, status: str):
        super().__init__(status)
        self.status = status


@contextmanager
def public_course(hidden: Iterable[str]) -> Iterator[Path]:
    """A temporary folder with what a submission may import of the course: no checks, no grader, nothing `hidden`."""
    leave_out = shutil.ignore_patterns(*NOT_FOR_STUDENTS, *hidden)
    with tempfile.TemporaryDirectory(prefix="course-") as name:
        folder = Path(name)
        shutil.copytree(PACKAGE, folder / "course_utils", ignore=leave_out)
        shutil.copyfile(Path(__file__).with_name("runner.py"), folder / "runner.py")
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def command(course: Path, limits: Limits = LIMITS) -> list[str]:
    """The command line of a sandboxed `runner.py`, with the public part of the course read from the folder `course`.

    Raises ValueError where bubblewrap is missing.
    """
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise ValueError(INSTALL)
    root = os.geteuid() == 0
    outside = [
        *("prlimit", f"--data={limits.data}", f"--as={limits.address_space}", f"--fsize={limits.scratch_disk}"),
        *("--nofile=1024", "--core=0", f"--cpu={int(limits.submission_seconds) + 60}"),
        *(bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--clearenv"),
    ]
    if not root:
        outside += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        **{"HOME": "/tmp", "IPYTHONDIR": "/tmp/ipython", "MPLCONFIGDIR": "/tmp/matplotlib", "MPLBACKEND": "agg"},
        **{"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COURSE_PROFILE": "quick"},
    }
    for name, value in environment.items():
        outside += ["--setenv", name, value]
    outside += _files(course, limits)
    inside = [sys.executable, "-I", "-B", "/course/runner.py"]
    inside = ["prlimit", f"--nproc={limits.processes}", "--", *inside]
    if root:
        # A user of its own for each run: the limit on processes counts all of a user.
        user = str(20_000 + os.getpid() % 40_000)
        outside += [item for cap in ("SETUID", "SETGID", "SETPCAP") for item in ("--cap-add", f"CAP_{cap}")]
        drop = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        inside = ["setpriv", f"--reuid={user}", f"--regid={user}", *drop, *inside]
    return [*outside, "--", *inside]


def _files(course: Path, limits: Limits) -> list[str]:
    """bwrap's arguments for the file system: Python and the system read-only, three small folders in memory."""
    seen = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    seen |= {Path(sys.prefix), Path(sys.executable).resolve().parents[1]}
    seen = {path for path in seen if not path.is_relative_to("/usr")}
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("/lib", "/lib64", "/lib32", "/bin", "/sbin"):
        if os.path.islink(name):
            arguments += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            arguments += ["--ro-bind", name, name]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for name in ("/etc/ld.so.cache", "/etc/passwd", "/etc/localtime"):
        arguments += ["--ro-bind-try", name, name]
    arguments += ["--dev", "/dev"]
    for name in ("/dev/shm", "/tmp", "/box"):
        arguments += ["--perms", "1777", "--size", str(limits.scratch_disk), "--tmpfs", name]
    # After these, for Python or the course may lie in a folder under /tmp.
    for parent in sorted({parent for path in seen for parent in path.parents} - {Path("/"), Path("/tmp")}):
        arguments += ["--perms", "0755", "--dir", str(parent)]  # bwrap by itself makes them for root alone
    for path in sorted(seen):
        arguments += ["--ro-bind", str(path), str(path)]
    if any(PACKAGE.is_relative_to(path) for path in [*seen, Path("/usr")]):
        arguments += ["--tmpfs", str(PACKAGE)]  # an installed course lies among Python's packages: hide it
    arguments += ["--ro-bind", str(course), "/course", "--proc", "/proc"]
    return [*arguments, "--chdir", "/box", "--remount-ro", "/"]


class Sandbox:
    """One sandboxed process; a context manager. `course` is a folder filled by `public_course`."""

    def __init__(self, course: Path, limits: Limits = LIMITS):
        self.limits = limits
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command(course, limits), stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self.requests, self.replies, self.said = (
            cast(IO[bytes], stream) for stream in (self.process.stdin, self.process.stdout, self.process.stderr)
        )
        self.received, self.look = bytearray(), 0.0
        try:
            os.set_blocking(self.requests.fileno(), False)
            os.set_blocking(self.said.fileno(), False)
            self._reply(b"", limits.start_seconds)
        except Lost as lost:
            said = (self.said.read() or b"").decode(errors="replace").strip()
            self.close()
            raise ValueError(f"the sandbox did not start ({lost.status}): {said[:500]}") from None
        except BaseException:  # a teacher interrupts
            self.close()
            raise

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to a request, a dict. Raises Lost, after which this sandbox is closed."""
        try:
            reply = self._reply(encode(request).encode() + b"\n", seconds)
        except Lost:
            self.close()
            raise
        return reply

    def _reply(self, to_send: bytes, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        replies, requests = self.replies.fileno(), self.requests.fileno()
        while b"\n" not in self.received:
            now = time.monotonic()
            if now > end:
                raise Lost("timeout")
            if now > self.look:  # it reads all of /proc, so not at every call of a quick function
                self.look = now + LOOK
                if self._memory() > self.limits.memory:
                    raise Lost("out_of_memory")
            if len(self.received) > self.limits.reply:
                raise Lost("too_large")
            readable, writable, _ = select.select([replies], [requests] if to_send else [], [], LOOK)
            try:
                if writable:
                    to_send = to_send[os.write(requests, to_send[:65536]) :]
            except BrokenPipeError:
                raise Lost("kernel_died") from None
            if readable:
                data = os.read(replies, MIB)
                if not data:
                    raise Lost("kernel_died")
                self.received += data
        line, _, rest = self.received.partition(b"\n")
        self.received = bytearray(rest)
        try:
            reply = decode(line.decode())
        except ValueError:
            raise Lost("kernel_died") from None
        if not isinstance(reply, dict):
            raise Lost("kernel_died")
        return reply

    def _memory(self) -> int:
        """Bytes that the sandbox's processes hold and do not share with files."""
        total = 0
        try:
            processes = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return 0
        for process in processes:
            try:
                memory = process.memory_info()
            except psutil.Error:
                continue
            total += memory.rss - memory.shared
        return total

    def close(self) -> None:
        """End the process and all that it started; the namespace goes with its first process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.requests, self.replies, self.said):
            stream.close()
