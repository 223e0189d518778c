"""The machine: cores and memory that this process may use, devices, precision, seeds, the hardware in words.

NumPy and torch are imported where they are needed: the tests set the number of threads before either is loaded.
"""

import os
import platform
import random
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import course_utils
from course_utils.files import ROOT

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16", "float64")


def cores() -> int:
    """How many processors this process may use: those of its affinity mask, within a container's quota."""
    from joblib import cpu_count

    return cpu_count()


def memory() -> float:
    """The gigabytes of memory that are free for this process; infinity if the machine does not say."""
    free = []
    with suppress(OSError, KeyError):
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    with suppress(OSError, ValueError):
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            free.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    return min(free, default=float("inf")) / 1e9


def check_seed(seed: int) -> int:
    """The seed, if it is a whole number from 0 to 2**32 - 1; ValueError otherwise."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}; expected a whole number from 0 to {2**32 - 1}")
    return seed


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, for initial weights above all; training draws from generators of its own."""
    import numpy as np
    import torch

    check_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def derived_seed(*numbers: int) -> int:
    """One seed out of several numbers, such that neighbours have nothing in common."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def pick_device(name: str | None = None) -> "torch.device":
    """The torch.device of that name, or the best there is. ValueError for one that this machine does not have."""
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    count = {"cuda": cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    usable = [kind for kind in count if count[kind]]
    try:
        device = torch.device(name or usable[0])
    except (RuntimeError, TypeError):
        device = None
    if device is None or (device.index or 0) >= count.get(device.type, 0):
        raise ValueError(f"device {name!r} is not on this machine; it has {', '.join(usable)}")
    return device


def multiplies_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 by itself: AMX, AVX512-BF16. False before torch 2.13, which can tell.

    ResNet-20 trains 2.1 times as fast so on AMX (Sapphire Rapids), and 1.8 times on AVX512-BF16 (Zen 4).
    """
    import torch

    look_up = getattr(torch.cpu, "get_capabilities", dict)
    return any(look_up().get(name) for name in ("amx_bf16", "avx512_bf16"))


def pick_precision(name: str | None, device: "torch.device") -> str:
    """The precision of that name, or the one that pays: bfloat16 on a GPU or a CPU that multiplies it by itself.

    Other CPUs compute in bfloat16 more slowly than in float32. float64 is for proofs. In the profile `quick` it is
    float32 everywhere, so that stored outputs come out alike. Raises ValueError for another name.
    """
    import torch

    if name is None:
        if os.environ.get("COURSE_PROFILE") == "quick":
            return "float32"
        on_gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if {"cuda": on_gpu, "cpu": multiplies_bfloat16()}.get(device.type) else "float32"
    if name not in PRECISIONS:
        raise ValueError(f"precision is {name!r}; it takes float32, bfloat16 or float64")
    return name


def autocast(precision: str, device: "torch.device") -> AbstractContextManager:
    """A block in which torch computes in that precision; weights stay float32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


@contextmanager
def deterministic() -> Iterator[None]:
    """A block in which torch takes only algorithms that give the same bits each time: faster ones on CUDA do not."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may not be
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def keep_freed_memory(device: "torch.device") -> None:
    """Let the C library keep freed blocks for the next step. On Linux a LeNet's step takes up to 30% less time so.

    glibc keeps for reuse what is no larger than the largest block below 32 MiB that it has seen freed (mallopt(3),
    M_MMAP_THRESHOLD). Otherwise each step's activations go back to the kernel, which clears the same pages again.
    """
    import torch

    if device.type == "cpu":
        torch.empty(31 << 20, dtype=torch.uint8)


def hardware(device: "torch.device") -> str:
    """The device in plain words, a CPU with the number of threads that torch uses."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux knows better
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    threads = torch.get_num_threads()
    return f"{name} ({device.type}), {threads} thread{'s' * (threads > 1)}"


def circumstances(device: "torch.device") -> dict:
    """Where and with what a stretch of a run, or an experiment, is made."""
    import torch

    return {
        "commit": _commit(),
        "hardware": hardware(device),
        "versions": {
            "course_utils": course_utils.__version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # else a class of its own
            "cuda": torch.version.cuda if device.type == "cuda" else None,
        },
    }


def _commit():
    """The commit of the course that runs, with a + where files were changed since; None outside of a clone."""
    git = ["git", "-C", str(ROOT)]
    try:
        top = subprocess.run([*git, "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True, check=True)
        folder, commit = top.stdout.split("\n")[:2]
        if Path(folder) != ROOT:  # installed somewhere below another project's clone
            return None
        changes = subprocess.run([*git, "status", "--porcelain", "-uno", "--", "course_utils"], capture_output=True)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return commit + ("+" if changes.stdout else "")
