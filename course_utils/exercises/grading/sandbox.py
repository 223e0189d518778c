"""A process for a student's code, under bubblewrap: no network, nothing of the machine but Python, and limits.

The process runs `runner.py`. It gets requests and gives replies as lines over two pipes; there is no other way out, and
what comes out passes `gate.py`. What it sees is in `system.py`, what it may ask of the kernel in `syscalls.py`, what it
takes is looked at in `watch.py`. One that takes too long, too much or dies is ended with all its children.
"""

import os
import select
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import psutil

from course_utils.exercises.grading import system
from course_utils.exercises.grading.gate import TooMuch, admit
from course_utils.exercises.grading.limits import LIMITS, MIB, Limits
from course_utils.exercises.grading.walls import start
from course_utils.exercises.grading.watch import Watch
from course_utils.exercises.plain import encode

LOOK = 0.1  # seconds between two looks at what the processes take
GRACE = 5.0  # seconds on the clock beside `Limits.patience`

EXERCISES = ("__init__", "exercise", "form", "learner", "network", "plain")
AT_HAND = ("__init__.py", *(f"exercises/{name}.py" for name in EXERCISES))  # of course_utils, for every chapter


class Lost(Exception):
    """The process is gone: `status` is timeout, out_of_memory, kernel_died or too_large."""

    def __init__(self, status: str):
        super().__init__(status)
        self.status = status


@contextmanager
def public_course(at_hand: Iterable[str]) -> Iterator[Path]:
    """A temporary folder with what a submission may import of the course: the exercises, and files `at_hand`.

    These are named from course_utils: "arithmetic.py", "models". No checks, no grader, nothing else is in there.
    """
    with tempfile.TemporaryDirectory(prefix="course-") as name:
        folder = Path(name)
        for part in (*AT_HAND, *at_hand):
            source, target = system.COURSE / part, folder / "course_utils" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copyfile(source, target)
        shutil.copyfile(Path(__file__).with_name("runner.py"), folder / "runner.py")
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


def try_sandbox() -> str | None:
    """What keeps submissions from being run on this machine, in one line; None where nothing does."""
    try:
        system.refuse_exposed(())
        with public_course(()) as course:
            Sandbox(course).close()
    except (ValueError, OSError) as error:
        return " ".join(str(error).split())
    return None


class Sandbox:
    """One sandboxed process; a context manager. `course` is a folder filled by `public_course`.

    With `torch` it has PyTorch, imported before the first request. `used`: seconds that the last request took of the
    processor, or slept. Raises ValueError where it cannot start.
    """

    def __init__(self, course: Path, limits: Limits = LIMITS, torch: bool = False):
        self.limits, self.used, self.received = limits, 0.0, bytearray()
        self.watch: Watch | None = None
        self.process = start(course, limits, torch)
        self.requests, self.replies, self.said = (
            cast(IO[bytes], stream) for stream in (self.process.stdin, self.process.stdout, self.process.stderr)
        )
        os.set_blocking(self.requests.fileno(), False)
        os.set_blocking(self.said.fileno(), False)
        end = time.monotonic() + limits.start_seconds
        try:
            admit(self._line(b"", lambda: _refuse(time.monotonic() > end, "timeout")), "ready")
            (self.first,) = psutil.Process(self.process.pid).children()
            self.watch = Watch(self.first.pid)
        except (Lost, ValueError, OSError, psutil.Error) as error:
            said = (self.said.read() or b"").decode(errors="replace").strip()
            self.close()
            raise ValueError(f"the sandbox did not start ({error}): {said[-500:]}") from None
        except BaseException:  # a teacher interrupts
            self.close()
            raise

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to a request, as the gate lets it through. Raises Lost, after which this sandbox is closed.

        `seconds` are of the processor, all processes of the sandbox together; time in which all of them sleep counts,
        time in which the machine is busy with something else does not, up to `Limits.patience`.
        """
        try:
            asked = next(iter(request))
            return admit(self._within(encode(request).encode() + b"\n", seconds), asked)
        except BaseException as error:
            self.close()
            if isinstance(error, ValueError):
                raise Lost("too_large" if isinstance(error, TooMuch) else "kernel_died") from None
            raise

    def _within(self, to_send: bytes, seconds: float) -> bytes:
        """The line of a reply, with an eye on what the processes take."""
        if self.watch is None:
            raise RuntimeError("this sandbox is closed")
        watch, before, self.used = self.watch, self.watch.look().seconds, 0.0
        end = time.monotonic() + seconds * self.limits.patience + GRACE

        def look() -> None:
            nonlocal before
            taken = watch.look()
            spent = max(0.0, taken.seconds - before)
            self.used += spent if taken.at_work else max(spent, LOOK)
            before = taken.seconds
            _refuse(taken.memory > self.limits.memory, "out_of_memory")
            _refuse(self.used > seconds or time.monotonic() > end, "timeout")

        line = self._line(to_send, look)
        self.used += max(0.0, watch.look().seconds - before)
        return line

    def _line(self, to_send: bytes, look: Callable[[], None]) -> bytes:
        """The next line that the process writes; until then `look` is called every LOOK seconds."""
        replies, requests, looked = self.replies.fileno(), self.requests.fileno(), time.monotonic()
        while b"\n" not in self.received:
            _refuse(len(self.received) > self.limits.reply, "too_large")
            readable, writable, _ = select.select([replies], [requests] if to_send else [], [], LOOK)
            if writable:
                with _or_died():
                    to_send = to_send[os.write(requests, to_send[:65536]) :]
            if readable:
                data = os.read(replies, MIB)
                _refuse(not data, "kernel_died")
                self.received += data
            if time.monotonic() > looked + LOOK and b"\n" not in self.received:
                look()
                looked = time.monotonic()
        line, _, rest = self.received.partition(b"\n")
        self.received = bytearray(rest)
        return bytes(line)

    def close(self) -> None:
        """End the process and all that it started; the namespace goes with its first process."""
        if self.watch:
            with suppress(psutil.NoSuchProcess):
                self.first.kill()
            self.watch.close()
            self.watch = None
        self.process.kill()
        self.process.wait()
        for stream in (self.requests, self.replies, self.said):
            stream.close()


def _refuse(condition: bool, status: str) -> None:
    if condition:
        raise Lost(status)


@contextmanager
def _or_died() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise Lost("kernel_died") from None
