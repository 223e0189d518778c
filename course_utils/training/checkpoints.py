"""What a run needs to go on, in a file that is whole or not there; and one run at a time in a folder."""

import io
import json
import os
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from course_utils.files import write
from course_utils.training.loop import Run

FORMAT = 3  # of a checkpoint; raised when its content changes
# Of a checkpoint: what it holds, and of what kind.
FIELDS: dict[str, type] = {"format": int, "identity": dict, "threads": int, "stretches": list}
FIELDS |= {"weights": dict, "average": dict, "optimizer": dict, "history": list}
PLAIN = (str, int, float, dict, type(None))  # kinds that an identity is made of
ROW = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
ROW += ("images_per_second", "seconds")  # what each row of a history holds
MOST_THREADS = 4096
FOLDER = 0x10  # the bit of a zip file that marks a folder
# What zipfile and torch.load raise of a file that is torn or altered.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, pickle.UnpicklingError, OSError, EOFError, RuntimeError)
BROKEN += (LookupError, ValueError, TypeError, AttributeError, ArithmeticError)
UNFINISHED = re.compile(r"\.(checkpoint(\.before)?\.pt|run\.json|(model|test_logits)\.safetensors)\.\d+\.part")


class Damaged(ValueError):
    """A file that no `save` wrote, or that was altered since."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One run at a time in a folder, which is made; it goes again if nothing was kept in it.

    Raises ValueError where another run is at work in it.
    """
    made = not folder.exists()
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another run is at work in {folder}: wait for its end, or name another folder with --out"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"no run can be kept in {folder} ({reason}): name another folder with --out") from None
    except NotImplementedError as error:
        raise ValueError(f"{folder} lies where files cannot be locked ({error}): name another with --out") from None
    try:
        for path in folder.iterdir():
            if UNFINISHED.fullmatch(path.name):  # of a run that was killed
                path.unlink()
        yield
    finally:
        if not holds_run(folder):
            with suppress(OSError):
                (folder / ".lock").unlink()
                if made:
                    folder.rmdir()
        lock.release()


def holds_run(folder: Path) -> bool:
    """Whether there is anything of a run in a folder."""
    return any((folder / name).exists() for name in ("checkpoint.pt", "checkpoint.before.pt", "run.json"))


def save(folder: Path, run: Run, identity: dict, stretches: list) -> None:
    """Write folder/checkpoint.pt; the one that was there stays as checkpoint.before.pt.

    Whoever is killed meanwhile, or meets a full disk, finds the last or the one before, whole.
    """
    content = io.BytesIO()
    state = {"weights": run.model.state_dict(), "average": run.average.values if run.average else {}}
    state |= {"optimizer": run.optimizer.state_dict(), "history": run.history}
    about = {"format": FORMAT, "identity": identity, "threads": torch.get_num_threads(), "stretches": stretches}
    torch.save(about | state, content)
    path, before = folder / "checkpoint.pt", folder / "checkpoint.before.pt"
    if path.exists():
        link = folder / f".checkpoint.before.pt.{os.getpid()}.part"
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(path)
            link.replace(before)
            link.unlink(missing_ok=True)  # it stays where it is the same file as the one before
        except OSError:  # a file system without links
            write(before, path.read_bytes())
    write(path, content.getvalue())


def load(folder: Path, identity: dict) -> dict | None:
    """The checkpoint to go on from, or None where there is none yet.

    A damaged one is said, and the one before it taken. Raises ValueError where both are damaged, or if the folder
    holds another run: the message names what differs.
    """
    damaged = None
    for name in ("checkpoint.pt", "checkpoint.before.pt"):
        path = folder / name
        if not path.exists():
            continue
        try:
            checkpoint = read(path)
        except Damaged as error:
            damaged = damaged or error
            continue
        _check_identity(checkpoint["identity"], identity, folder)
        if damaged:
            print(f"{damaged}; going on from {name}, after epoch {len(checkpoint['history'])}")
            path.replace(folder / "checkpoint.pt")  # so that the next one does not take the damaged one for good
        return checkpoint
    if damaged:
        raise ValueError(f"{damaged}: delete it, and --resume starts this run anew")
    return None


def read(path: Path) -> dict:
    """What `save` wrote. Raises Damaged for anything else."""
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        with zipfile.ZipFile(content) as members:
            # torch.load does not look at checksums, and of a member that is marked as a folder it reads nothing
            if members.testzip() is not None or any(each.external_attr & FOLDER for each in members.infolist()):
                raise Damaged(f"{path} is damaged")
        content.seek(0)
        checkpoint = torch.load(content, map_location="cpu", weights_only=True)
    except Damaged:
        raise
    except BROKEN:
        raise Damaged(f"{path} is damaged") from None
    whole = isinstance(checkpoint, dict) and checkpoint.keys() == FIELDS.keys()
    whole = whole and all(
        isinstance(checkpoint[name], kind) and not isinstance(checkpoint[name], bool) for name, kind in FIELDS.items()
    )
    if not whole or checkpoint["format"] != FORMAT:
        raise Damaged(f"{path} is no checkpoint of this version of the course")
    return checkpoint


def _check_identity(theirs, ours, folder):
    theirs = {str(name): value if isinstance(value, PLAIN) else repr(value) for name, value in theirs.items()}
    differences = [
        f"{name} {theirs.get(name)}, not {ours.get(name)}"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    ]
    if differences:
        raise ValueError(f"{folder} holds another run: {' '.join('; '.join(differences).split())}")


def restore(run: Run, checkpoint: dict, folder: Path) -> None:
    """Bring a fresh Run to where the checkpoint was. Raises ValueError for one of another network than its name says.

    A sum comes out differently on another number of threads, so torch goes on, in this process, with as many as the run
    began with.
    """
    try:
        run.model.load_state_dict(checkpoint["weights"])
        _restore_optimizer(run, checkpoint["optimizer"])
        if run.average:
            _restore_average(run.average.values, checkpoint["average"])
        json.dumps(checkpoint["stretches"])
        epochs = _epochs(checkpoint["history"], run.validation is not None)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the checkpoint in {folder} does not fit this network: {reason}") from None
    if epochs != list(range(1, max(1, len(checkpoint["history"])) + 1)) or len(epochs) > run.recipe.epochs:
        raise ValueError(f"the checkpoint in {folder} does not fit this run: its history is another's")
    if not 0 < checkpoint["threads"] <= MOST_THREADS:
        raise ValueError(f"the checkpoint in {folder} was made by {checkpoint['threads']} threads; expected 1 or more")
    run.history = checkpoint["history"]
    torch.set_num_threads(checkpoint["threads"])


def _restore_optimizer(run, kept):
    """Give the optimizer its state. Raises ValueError if its settings, or the shapes of its momentum, are others'."""
    if _but_rates(kept["param_groups"]) != _but_rates(run.optimizer.state_dict()["param_groups"]):
        raise ValueError("its optimizer has other settings")
    run.optimizer.load_state_dict(kept)
    for group in run.optimizer.param_groups:
        for parameter in group["params"] if run.recipe.momentum else []:
            averages = [value for value in run.optimizer.state[parameter].values() if value.ndim]  # but for counters
            if not averages or any(value.shape != parameter.shape for value in averages):
                raise ValueError("its momentum has another shape")


def _epochs(history, validated):
    """The numbers of the epochs whose rows are whole; without validation, its two numbers are None."""
    names = [name for name in ROW if validated or not name.startswith("validation")]
    return [row["epoch"] for row in history if all(type(row[name]) in (int, float) for name in names)]


def _restore_average(values, kept):
    """Copy the averaged weights that were kept over those of a fresh run."""
    if values.keys() != kept.keys() or any(values[name].shape != kept[name].shape for name in values):
        raise ValueError("its averaged weights are of another network")
    for name, value in values.items():
        value.copy_(kept[name])


def _but_rates(groups):
    return [{name: value for name, value in group.items() if name != "lr"} for group in groups]
