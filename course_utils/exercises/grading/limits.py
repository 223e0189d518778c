"""What one submission may take, in seconds and bytes; all of it stands here."""

from dataclasses import dataclass

GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of one submission; the defaults are those of a batch."""

    start_seconds: float = 120.0  # to start Python in the sandbox, on the clock
    cell_seconds: float = 20.0  # of the processor, for one cell of the notebook; an exercise has its own limit
    submission_seconds: float = 120.0  # of the processor, for all cells and calls of one submission
    patience: float = 6.0  # so many times longer may it take on the clock, for the machine may be busy
    memory: int = 2 * GIB  # of all its processes together, looked at ten times a second
    data: int = 4 * GIB  # of each process: more is refused when it is asked for
    address_space: int = 16 * GIB  # of each process, with the libraries that it maps
    processes: int = 64  # and threads
    descriptors: int = 256  # open files, pipes and sockets of each process
    scratch_disk: int = 64 * MIB  # /tmp, /box and /dev/shm, in memory, each
    reply: int = 16 * MIB  # one answer of a function; the gradients of a network are the largest
    notebook: int = 20 * MIB  # the file that is handed in


LIMITS = Limits()
