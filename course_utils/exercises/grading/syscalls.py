"""The calls to the kernel that a sandbox refuses, as a filter for bubblewrap's --seccomp.

Refused is what opens another world (namespaces, in which a process is root again), what holds memory that nobody
sees in a process or in a folder (see `watch.py`), and what nobody needs to write a convolution. What takes a capability
needs no mention: there is none inside.
"""

import errno
import platform
import socket
import struct

SYSTEMS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column below, the kernel's name of the processor
REFUSED = {
    # namespaces
    **{"unshare": (272, 97), "setns": (308, 268)},
    # memory without a process: files in memory alone, segments and queues of System V and POSIX, asynchronous rings
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190)},
    **{"msgget": (68, 186), "mq_open": (240, 180), "io_setup": (206, 0), "io_uring_setup": (425, 425)},
    # pages kept alive in pipes, larger buffers of sockets
    **{"splice": (275, 76), "tee": (276, 77), "vmsplice": (278, 75), "setsockopt": (54, 208)},
    # keys in the kernel, other processes' memory, programs for the kernel
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "ptrace": (101, 117)},
    **{"process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "userfaultfd": (323, 282)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241)},
}
NOT_THERE = {"clone3": (435, 435)}  # its flags lie where a filter cannot look; the C library goes on to `clone`
NAMESPACES = 0x7E020000  # all CLONE_NEW... flags
SHARED_ANONYMOUS = 0x21  # MAP_SHARED | MAP_ANONYMOUS: memory that stays when the process looks away
# name: numbers, argument looked at, its bits, what they must be; and whether they must be that or must not
BY_ARGUMENT = {
    "clone": ((56, 220), 0, NAMESPACES, 0, True),
    "socket": ((41, 198), 0, 0xFFFFFFFF, socket.AF_UNIX, True),
    "socketpair": ((53, 199), 0, 0xFFFFFFFF, socket.AF_UNIX, True),
    "mmap": ((9, 222), 3, SHARED_ANONYMOUS, SHARED_ANONYMOUS, False),
}
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06  # instructions of the kernel's packet filter
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
X32 = 0x40000000  # the same calls of x86_64 by a second set of numbers


def filter_program() -> bytes:
    """The filter for this machine's processor. Raises ValueError for one that it does not know."""
    if platform.machine() not in SYSTEMS:
        raise ValueError(f"submissions run on {' and '.join(SYSTEMS)} only; this machine is {platform.machine()}")
    column, processor = SYSTEMS[platform.machine()]
    refuse = (RETURN, 0, 0, ERROR | errno.EPERM)
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, processor), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    program += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    for numbers in REFUSED.values():
        program += [(EQUAL, 0, 1, numbers[column]), refuse]
    for numbers in NOT_THERE.values():
        program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, ERROR | errno.ENOSYS)]
    for numbers, argument, bits, value, wanted in BY_ARGUMENT.values():
        program += [(EQUAL, 0, 5, numbers[column]), (LOAD, 0, 0, 16 + 8 * argument), (AND, 0, 0, bits)]
        program += [(EQUAL, int(wanted), int(not wanted), value), refuse, (RETURN, 0, 0, ALLOW)]
    program += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
