"""The filter of calls, followed step by step for both processors that it knows."""

import errno
import platform
import struct

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading import syscalls
from course_utils.exercises.grading.syscalls import ALLOW, BY_ARGUMENT, ERROR, KILL, NOT_THERE, REFUSED, SYSTEMS

ORDINARY = {  # read, write, openat, brk, futex, exit_group
    "x86_64": (0, 1, 257, 12, 202, 231),
    "aarch64": (63, 64, 56, 214, 98, 94),
}


@pytest.fixture(params=SYSTEMS)
def machine(request, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: request.param)
    return request.param


def verdict(number, *arguments, processor=None):
    """What the kernel would do with a call: the filter's program, run on the call's data."""
    processor = processor or SYSTEMS[platform.machine()][1]
    data = struct.pack("=IIQ6Q", number, processor, 0, *arguments, *[0] * (6 - len(arguments)))
    program, place, value = list(struct.iter_unpack("=HBBI", syscalls.filter_program())), 0, 0
    while True:
        code, yes, no, k = program[place]
        place += 1
        if code == syscalls.LOAD:
            (value,) = struct.unpack_from("=I", data, k)
        elif code == syscalls.AND:
            value &= k
        elif code == syscalls.RETURN:
            return k
        else:
            place += yes if (value == k if code == syscalls.EQUAL else value >= k) else no


REFUSE = ERROR | errno.EPERM


def test_what_is_refused_and_what_is_not(machine):
    column = SYSTEMS[machine][0]
    refused = {numbers[column] for numbers in REFUSED.values()}
    assert len(refused) == len(REFUSED) and {verdict(number) for number in refused} == {REFUSE}
    assert {verdict(numbers[column]) for numbers in NOT_THERE.values()} == {ERROR | errno.ENOSYS}
    assert {verdict(number, *[2**32 - 1] * 6) for number in ORDINARY[machine]} == {ALLOW}


def test_what_the_arguments_decide(machine):
    clone, socket, pair, mmap = (numbers[SYSTEMS[machine][0]] for numbers, *_ in BY_ARGUMENT.values())
    assert verdict(clone, 0x3D0F00) == ALLOW  # a thread
    assert verdict(clone, 17) == ALLOW  # a fork
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(clone, 17 | flag) == REFUSE
    for family in range(50):
        assert verdict(socket, family, 1) == verdict(pair, family, 1) == (ALLOW if family == 1 else REFUSE)
    for flags, refused in ((0x21, True), (0x4021, True), (0x22, False), (0x01, False), (0x02, False)):
        assert verdict(mmap, 0, 4096, 3, flags) == (REFUSE if refused else ALLOW)


def test_calls_of_another_processor_end_the_process(machine):
    for other in (0x40000003, 0x40000028, *(name for _, name in SYSTEMS.values() if name != SYSTEMS[machine][1])):
        assert verdict(1, processor=other) == KILL
    assert verdict(0x40000000 + 1) == KILL


def test_a_processor_that_it_does_not_know_is_named(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ValueError, match="x86_64 and aarch64 only; this machine is riscv64"):
        syscalls.filter_program()
