"""Several processes at one run, as torchrun starts them: each has a share of every batch, one writes.

`World` is what the loop knows of the others; alone, it does nothing. Gradients are averaged by torch's
DistributedDataParallel. Batch norm's statistics are those of a process's own share, unless synchronized (CUDA only).
A resumed run has the bits of an unbroken one with up to two processes; with more, sums of gradients are rounded in
another order in the step after a resume, for DistributedDataParallel arranges them anew after its first step.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE")  # that torchrun sets
ENDS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what torchrun sends to all processes when one has failed
GRACE = 5  # seconds between such a signal and the end
GONE = "another process of this run is gone, so this one ends; the same call with --resume goes on"


@dataclass(frozen=True)
class World:
    """The processes of a run: how many, and which of them this is."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process prints and keeps files."""
        return self.rank == 0

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model such that `backward` averages the gradients of all processes; it gets the first one's weights."""
        if self.size == 1:
            return model
        places = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=places)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over all processes, number by number."""
        return self.sum(values) / self.size

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, number by number."""
        if self.size == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total

    def agree(self, model: nn.Module) -> None:
        """Give all processes the first one's buffers: batch norm's statistics at test time."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def share(self, value: object) -> object:
        """The first process's value, for all."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, 0)
        return box[0]

    def interleave(self, rows: torch.Tensor, size: int) -> torch.Tensor:
        """All rows in their order, where process r has batches r, r + world, ... of `size` rows each."""
        if self.size == 1:
            return rows
        shares: list = [None] * self.size
        distributed.all_gather_object(shares, rows.cpu())
        parts = [share.split(size) if len(share) else () for share in shares]
        return torch.cat([part[k] for k in range(len(parts[0])) for part in parts if k < len(part)]).to(rows.device)


ALONE = World()


def started() -> tuple[int, int, int]:
    """Rank, rank on this machine and number of processes, as torchrun says. Raises ValueError for what makes no sense.

    Without torchrun 0, 0, 1.
    """
    given = [os.environ.get(name, "").strip() for name in VARIABLES]
    if given[0] in ("", "0") and given[2] in ("", "1"):  # some schedulers set these for every process of theirs
        return 0, 0, 1
    try:
        rank, local, size = map(int, given)
    except ValueError:
        rank, local, size = -1, 0, 0
    if not 0 <= local <= rank < size:
        shown = ", ".join(f"{name}={value}" for name, value in zip(VARIABLES, given, strict=True))
        raise ValueError(f"{shown}: expected what torchrun sets, or none of them")
    return rank, local, size


def restarted() -> bool:
    """Whether torchrun has started this process anew after a failure."""
    return _restarts() != "0"


def _restarts():
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "") or "0"


# The last owner of a group waits for its threads. Were that DistributedDataParallel, holding the interpreter's lock, a
# thread that needs the lock to let go of a tensor would wait for it, and both for ever. So groups stay until the end.
_past: list = []


@contextmanager
def world(device: str | None) -> Iterator[tuple[World, str | None]]:
    """The processes of this run, connected while the block runs; and the device that this one is to take.

    NCCL connects GPUs, one a process; gloo CPUs. What ends one process ends all, and only the first to fail says so:
    the others raise SystemExit. Raises KeyboardInterrupt where another process was killed, too, ValueError for a device
    that several cannot take.
    """
    rank, local, size = started()
    if size == 1:
        yield ALONE, device
        return
    if not distributed.is_available():
        raise ValueError("this build of torch cannot connect processes: start one, without torchrun")
    from torch.distributed.rendezvous import rendezvous  # not in every build

    store = next(iter(rendezvous("env://")))[0]  # torchrun's own: it outlives each of us, through restarts
    store = distributed.PrefixStore(_restarts(), store)  # pyright: ignore[reportPrivateImportUsage]
    with _ending(store):
        try:
            device = _device(device, local)
            backend = "nccl" if device != "cpu" else "gloo"
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
            yield World(rank, size), device
            distributed.barrier()  # so that the others hear of a failure in the first one's last files
        except (ValueError, OSError, RuntimeError, KeyboardInterrupt) as error:
            fault = isinstance(error, RuntimeError)
            lost = isinstance(error, distributed.DistError) or (fault and "gloo" in str(error))
            if fault and not lost:
                raise  # a fault of ours, with all that Python says
            if not _first(store):
                raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 2) from None
            if lost:
                raise KeyboardInterrupt(GONE) from None
            raise
        _past.append(distributed.group.WORLD)
        distributed.destroy_process_group()


def _device(name, local):
    """The device of the process `local` of this machine: a GPU of its own, or the CPU."""
    if name not in (None, "cuda", "cpu"):
        raise ValueError(f"device is {name!r}; for several processes expected cuda, where each takes a GPU, or cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() and name != "cpu" else 0
    if local >= count and (count or name == "cuda"):
        raise ValueError(f"{local + 1} or more processes on a machine with {count} GPUs: expected at most one a GPU")
    if not count:
        return "cpu"
    torch.cuda.set_device(local)
    return f"cuda:{local}"


def _first(store):
    """Whether no process has said yet why all end. So it is if the store is gone, with the machine that had it."""
    try:
        return store.add("said", 1) == 1
    except distributed.DistError:
        return True


@contextmanager
def _ending(store):
    """While the block runs, a signal of ENDS is a KeyboardInterrupt, once: torchrun sends them again meanwhile.

    Python hears a signal between two of its own instructions only, and a GPU may wait for another process for ever. So
    a thread sees to it that this one ends after GRACE seconds. After a failure no signal disturbs the end.
    """
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    before = {number: signal.signal(number, _interrupt) for number in ENDS}
    signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end, args=(ear, store), daemon=True).start()
    try:
        yield
    except BaseException:
        before = dict.fromkeys(ENDS, signal.SIG_IGN)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        mouth.close()


def _interrupt(*_):
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(ear, store):
    """In a thread: end this process after a signal; return once the other end of the socket is closed."""
    with ear:
        while heard := ear.recv(1):
            if heard[0] in ENDS:
                time.sleep(GRACE)
                if _first(store):
                    print(f"\ncourse_utils: {GONE}", file=sys.stderr, flush=True)
                os._exit(2)
