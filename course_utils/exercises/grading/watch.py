"""What the processes of a sandbox take, as the kernel tells it from outside: time, memory, and whether any is at work.

Which bound covers what: memory of processes, whether shared or not, swapped out, or spent on page tables is summed from
their status; files and folders from the three file systems in memory, names without content included; what lies in
pipes and sockets by the number of open descriptors. Memory that none of these shows cannot be had, see `syscalls.py`.
What a process may take between two looks is bounded by its limits (`Limits.data`), and their number by another. Small
things of the kernel's (mappings, timers, locks, messages under way) have limits of its own, a few MB a process.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass

FOLDERS = ("/tmp", "/box", "/dev/shm")  # the file systems in memory
MEMORY = re.compile(rb"^(?:RssAnon|RssShmem|HugetlbPages|VmPTE|VmSwap):\s*(\d+) kB", re.MULTILINE)
NAME, DESCRIPTOR = 2**11, 2**18  # bytes of the kernel's own: a name in a folder; a pipe or socket that is full
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """Seconds of processor time since the start, bytes, and whether a process wants the processor or the disk."""

    seconds: float
    memory: int
    at_work: bool


class Watch:
    """Looks at the sandbox whose first process is `first`; it has to be made before a student's code runs there."""

    def __init__(self, first: int):
        root = f"/proc/{first}/root"
        self.folders = [os.open(root + name, os.O_RDONLY) for name in ("/proc", *FOLDERS)]
        self.processes = f"/proc/self/fd/{self.folders[0]}"  # the sandbox's own: no other processes are in there

    def look(self) -> Taken:
        """What all processes take together, those that ended and were waited for included in the time."""
        seconds, at_work, memory = 0.0, False, sum(map(_held, self.folders[1:]))
        for name in filter(str.isdigit, os.listdir(self.processes)):
            with suppress(OSError):  # it ended meanwhile
                state, *numbers = _read(f"{self.processes}/{name}/stat").rpartition(b") ")[2].split()
                seconds += sum(map(int, numbers[10:14])) / TICK
                at_work |= state in b"RD"
                memory += sum(map(int, MEMORY.findall(_read(f"{self.processes}/{name}/status")))) * 1024
                memory += _descriptors(f"{self.processes}/{name}/fd") * DESCRIPTOR
        return Taken(seconds, memory, at_work)

    def close(self) -> None:
        while self.folders:
            os.close(self.folders.pop())


def _held(folder: int) -> int:
    """Bytes in a file system in memory, names included."""
    there = os.fstatvfs(folder)
    return (there.f_blocks - there.f_bfree) * there.f_frsize + (there.f_files - there.f_ffree) * NAME


def _descriptors(folder: str) -> int:
    return os.stat(folder).st_size or len(os.listdir(folder))  # Linux before 6.2 gives no size


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
