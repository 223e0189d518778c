"""The experiments behind chapters that are more than one training run: a sweep of learning rates, then several seeds.

    python -m course_utils.authors.experiments lenet5-changes --data fashion-mnist

writes data/runs/lenet5-changes-fashion-mnist.json. One file an experiment; each has WHAT, one sentence, and
`experiment(data, pieces)`, which returns the fields of the record that are its own. `sweeps` has what they do alike.
"""

import json
import time
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from course_utils import files

# By name: the data sets that an experiment is made for, the first being its default.
EXPERIMENTS = {
    "lenet5-changes": ("digits", "fashion-mnist"),
    "batchnorm-figure1": ("mnist",),
    "learning-rates": ("cifar10",),
    "fast-rates": ("cifar10",),
    "alexnet-parts": ("mnist-mini", "cifar10"),
    "first-layers": ("compounds",),
    "deep-stacks": ("digits",),
    "pooling-layers": ("mnist-mini",),
    "wirings": ("mnist-mini",),
    "sawtooth": ("tents",),
    "dropout-gain": ("mnist-mini",),
    "depth": ("mnist-mini",),
    "inception-parts": ("mnist-mini",),
    "deleted-blocks": ("cifar10",),
    "drawn-codes": ("mnist-mini",),
    "stacks": ("mnist-mini",),
    "vgg-depth": ("mnist-mini",),
}
PRECISIONS = {"cpu": "float32", "cuda": "bfloat16"}  # by device


def run(name, data=None, out=None, device="cpu"):
    """Make the record of an experiment and write it to the file `out`. Returns its path.

    device: cpu, one thread in float32, or, for experiments that say so, cuda, in bfloat16. A call that was interrupted
    goes on where it stopped, from the file out.part.
    Raises ValueError for an unknown name, data or a device that the experiment is not made for, an `out` that is a
    folder or that another process is making, or pieces of another version; OSError where data cannot be had or files
    not be written.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"no experiment is called {name!r}; there are {', '.join(EXPERIMENTS)}")
    data = EXPERIMENTS[name][0] if data is None else data
    if data not in EXPERIMENTS[name]:
        raise ValueError(f"{name} is not made for {data!r}; it takes {' or '.join(EXPERIMENTS[name])}")
    path = Path(out or files.ROOT / "data" / "runs" / f"{name}-{data}.json")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; --out takes the name of a file")
    module = module_of(name)
    devices = getattr(module, "DEVICES", ("cpu",))
    if device not in devices:
        raise ValueError(f"{name} is not made on {device!r}; it takes {' or '.join(devices)}")
    made = made_by(name, data, device)
    with _alone(path):
        with Pieces(path.with_name(f"{path.name}.part"), made) as pieces:
            fields = module.experiment(data, pieces)
        record = {"what": module.WHAT, **made, "cpu_seconds": round(pieces.seconds), **fields}
        files.write(path, json.dumps(record, indent=1, allow_nan=False) + "\n")
        pieces.path.unlink()
    return path


def module_of(name):
    """The module of an experiment."""
    return import_module(f"{__name__}.{name.replace('-', '_')}")


class Pieces:
    """What is done of an experiment: a bar on the screen, and a file by which the same call goes on after a stop."""

    def __init__(self, path, made):
        self.path, self.made, self.done, self.seconds = path, made, {}, 0.0
        if path.exists():
            self._take_up()
        self._write()  # a folder that cannot be written to shows now, not in an hour
        self.bar = tqdm(unit=" runs", initial=len(self.done))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        if not self.done:
            self.path.unlink()

    @property
    def how(self):
        """The arguments of `training.fit` that are the same in all pieces."""
        device = self.made["device"]
        return {"device": device, "precision": self.made["precision"], "quiet": True, "cuda_graph": device == "cuda"}

    def expect(self, total):
        """The number of pieces in all, for the bar."""
        self.bar.total = total
        self.bar.refresh()

    def once(self, name, compute, *arguments):
        """What `compute(*arguments)` returns, or returned in an earlier call: numbers, in lists and dicts of words."""
        if name not in self.done:
            self.bar.set_description_str(name)
            start = time.process_time()
            self.done[name] = compute(*arguments)
            self.seconds += time.process_time() - start
            self._write()
            self.bar.update()
        return self.done[name]

    def run_of(self, title, compute):
        """A function of rate and seed: what `compute(rate, seed)` returns, as the piece "<title> rate 0.1, seed 0"."""
        return lambda rate, seed: self.once(f"{title} rate {rate}, seed {seed}", compute, rate, seed)

    def _write(self):
        files.write(self.path, json.dumps({"made": self.made, "seconds": self.seconds, "done": self.done}))

    def _take_up(self):
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            made, self.seconds, self.done = dict(content["made"]), float(content["seconds"]), dict(content["done"])
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"{self.path} is damaged: delete it, and the experiment starts anew") from None
        if made != self.made:
            names = [name for name in self.made if made.get(name) != self.made[name]]
            raise ValueError(
                f"{self.path} was begun with another {', '.join(names)}: delete it, and the experiment starts anew"
            )


@contextmanager
def _alone(path):
    """One process at a time makes a record. Raises ValueError where another one is at it."""
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another process is making {path}: wait for its end, or name another --out") from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # before it is released: nobody else can hold it yet
        lock.release()


def made_by(name, data, device):
    """How a record comes about: the command that makes it again, and with what; on one thread, whatever there is."""
    import torch  # here, so that a wrong argument is said at once

    from course_utils.machine import circumstances, pick_device

    torch.set_num_threads(1)
    return {
        "command": f"python -m {__name__} {name} --data {data}" + (f" --device {device}" if device != "cpu" else ""),
        "data": data,
        "device": device,
        "precision": PRECISIONS[device],
        **circumstances(pick_device(device)),
    }
