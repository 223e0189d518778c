"""Training: `fit` for a model of one's own, `train` for the command line with its record and checkpoint, `evaluate`.

The images live on the device as one tensor of bytes; a batch is cut out of it, shifted, flipped and normalized there.
"""

import io
import itertools
import json
import math
import os
import pickle
import platform
import random
import struct
import time
import zipfile
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

import course_utils
from course_utils import datasets, models


class Diverged(ValueError):
    """The loss is no longer a number."""


# ---- Recipes


@dataclass(frozen=True)
class Recipe:
    """How to train: SGD with Nesterov momentum, the learning rate in two straight lines up to a peak and down to 0."""

    epochs: int
    batch_size: int = 128
    learning_rate: float = 0.1  # at the peak
    warmup: float = 0.25  # part of the steps before the peak
    momentum: float = 0.9
    weight_decay: float = 5e-4  # on weights; none on biases and on the scales of norms
    label_smoothing: float = 0.0
    shift: int = 0  # pixels: each image moves by up to this much each way, in each epoch anew
    flip: bool = False  # every other image is mirrored; not where left and right mean something, as in digits

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 1), ("shift", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate!r}; expected a positive number")
        for name, top in (("warmup", 1), ("momentum", 1), ("label_smoothing", 1), ("weight_decay", float("inf"))):
            if not 0 <= getattr(self, name) < top:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected at least 0 and below {top}")


# By budget, then by data; "other" is for data that has no line of its own.
RECIPES = {
    "quick": {
        "digits": Recipe(epochs=12, batch_size=32, learning_rate=0.05, shift=2),
        "other": Recipe(epochs=4),
    },
    "full": {
        "fashion-mnist": Recipe(epochs=15, flip=True),
        "other": Recipe(epochs=10),
    },
}


def recipe_for(budget, data):
    """The Recipe for a budget, quick or full, and a data set. Raises ValueError for another budget."""
    if budget not in RECIPES:
        raise ValueError(f"no recipe is called {budget!r}; there are {', '.join(RECIPES)}")
    return RECIPES[budget].get(data, RECIPES[budget]["other"])


def learning_rate(recipe, step, steps):
    """The learning rate of step 0 <= step < steps: a straight line up to the peak, then one down towards 0."""
    peak = recipe.warmup * steps
    part = (step + 1) / (peak + 1) if step < peak else (steps - step) / (steps - peak)
    return recipe.learning_rate * part


# ---- Seeds and devices


def seed_everything(seed):
    """Seed Python, NumPy and torch, for initial weights above all; `fit` draws from generators of its own."""
    _refuse_bad_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def _refuse_bad_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}; expected a whole number from 0 to {2**32 - 1}")


def _seed(*words):
    """One seed out of several numbers, such that neighbours have nothing in common."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


def pick_device(name=None):
    """The torch.device of that name, or the best there is. ValueError for one that this machine does not have."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    count = {"cuda": cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    usable = [kind for kind in count if count[kind]]
    try:
        device = torch.device(name or usable[0])
    except RuntimeError:
        device = None
    if device is None or (device.index or 0) >= count.get(device.type, 0):
        raise ValueError(f"device {name!r} is not on this machine; it has {', '.join(usable)}")
    return device


# ---- Data on the device


class Pictures:
    """A data set on the device, zero-padded once to what the model takes; batches are cut out of it there."""

    def __init__(self, dataset, model, device, shift=0):
        images, labels = dataset.images, dataset.labels
        _refuse_bad_data(dataset)
        height, width = images.shape[2:]
        rows = columns = getattr(model, "input_size", None)
        if rows is None:
            rows, columns = height, width
        if height > rows or width > columns:
            raise ValueError(f"the {dataset.name} images are {height} x {width}; the model takes {rows} x {columns}")
        top, left = (rows - height) // 2 + shift, (columns - width) // 2 + shift
        bottom, right = rows + 2 * shift - height - top, columns + 2 * shift - width - left
        padded = F.pad(images.to(device), (left, right, top, bottom))
        # N x C x (2 shift + 1) x (2 shift + 1) x rows x columns: a view, in which a shift is an index.
        self.windows = padded.unfold(2, rows, 1).unfold(3, columns, 1)
        self.labels = labels.to(device)
        self.middle = torch.tensor([shift, shift], device=device)
        unit = 1 if images.is_floating_point() else 255
        self.mean = unit * torch.tensor(dataset.mean, device=device).view(-1, 1, 1)
        self.std = unit * torch.tensor(dataset.std, device=device).view(-1, 1, 1)

    def __len__(self):
        return len(self.labels)

    def batch(self, chosen, shifts=None, flips=None):
        """Images N x C x H x W, normalized, and labels of the indices `chosen`; shifts N x 2 from 0 on, flips N."""
        top, left = self.middle if shifts is None else shifts.T
        images = self.windows[chosen, :, top, left]
        if flips is not None:
            images = torch.where(flips.view(-1, 1, 1, 1), images.flip(3), images)
        return (images - self.mean) / self.std, self.labels[chosen]


def _refuse_bad_data(dataset):
    """ValueError for what no model can learn from."""
    images, labels = dataset.images, dataset.labels
    what = f"the {dataset.split} images of {dataset.name}"
    if images.ndim != 4 or len(images) != len(labels) or not len(labels):
        raise ValueError(
            f"{what} are {tuple(images.shape)} with {len(labels)} labels; expected N x C x H x W and N > 0"
        )
    if images.is_floating_point() and not (finite := images.isfinite().flatten(1).all(1)).all():
        bad = (~finite).nonzero().flatten().tolist()
        raise ValueError(f"{what} hold NaN or infinity: {len(bad)} of {len(images)}, the first is number {bad[0]}")
    if labels.min() < 0 or labels.max() >= len(dataset.classes):
        raise ValueError(
            f"{what} have labels {labels.min()} to {labels.max()}; there are {len(dataset.classes)} classes"
        )


# ---- The loop


class Run:
    """Training under way: a model, its optimizer and the history so far; each call of `epoch` adds one epoch.

    An epoch's order, augmentation and dropout are drawn from generators seeded by (seed, epoch). So the model, the
    optimizer's state and the history are all that it takes to go on, and they say how far the schedule is.
    """

    def __init__(self, model, train, validation, recipe, seed, device):
        _refuse_bad_seed(seed)
        if recipe.batch_size > len(train):
            raise ValueError(f"batch_size is {recipe.batch_size}; for {len(train)} images expected 1 to {len(train)}")
        if device.type == "cpu":
            _keep_freed_memory()
        self.model = model.to(device, memory_format=torch.channels_last)  # the faster order for convolutions
        self.recipe, self.seed, self.device = recipe, seed, device
        self.train = Pictures(train, model, device, recipe.shift)
        self.validation = Pictures(validation, model, device)
        self.steps = len(train) // recipe.batch_size  # an epoch; the few images left over wait for another order
        _refuse_misfit(model, self.train)
        self.optimizer = _optimizer(model, recipe)
        self.history = []

    def epoch(self, bar):
        """Train for one more epoch, then look at the validation split. Returns the row added to the history."""
        start = time.perf_counter()
        done, images = len(self.history), self.steps * self.recipe.batch_size
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(_seed(self.seed, done, 2))  # for dropout
            train_loss, train_accuracy = self._train(done, bar)
        trained = time.perf_counter()
        validation = _measure(_logits(self.model, self.validation), self.validation.labels)
        if not math.isfinite(validation["loss"]):
            raise Diverged(f"the validation loss is {validation['loss']} after epoch {done + 1}: {REMEDY}")
        row = {
            "epoch": done + 1,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "validation_loss": validation["loss"],
            "validation_accuracy": validation["accuracy"],
            "images_per_second": images / (trained - start),
            "seconds": time.perf_counter() - start,
        }
        self.history.append(row)
        return row

    def _train(self, done, bar):
        """The steps of an epoch, `done` epochs being done; mean loss and accuracy over its batches as they came."""
        self.model.train()
        losses, hits = [], 0
        for i, (chosen, shifts, flips) in enumerate(self._plan(done)):
            step = done * self.steps + i
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.recipe, step, self.recipe.epochs * self.steps)
            images, labels = self.train.batch(chosen, shifts, flips if self.recipe.flip else None)
            with _precision(self.device):
                logits = self.model(images)
                loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            hits += (logits.argmax(1) == labels).sum()
            if i % 20 == 0 or i == self.steps - 1:  # a look at a number makes a GPU wait
                self._refuse_divergence(losses, done)
            bar.update(len(chosen))
        return torch.stack(losses).mean().item(), int(hits) / (self.steps * self.recipe.batch_size)

    def _plan(self, done):
        """For each batch of this epoch: the indices of its images, their shifts (N x 2, from 0) and flips (bool, N)."""
        n, size = len(self.train), self.recipe.batch_size
        order, augmentation = (torch.Generator().manual_seed(_seed(self.seed, done, k)) for k in (0, 1))
        chosen = torch.randperm(n, generator=order)
        shifts = torch.randint(2 * self.recipe.shift + 1, (n, 2), generator=augmentation)
        flips = torch.rand(n, generator=augmentation) < (0.5 if self.recipe.flip else 0)
        plan = zip(*(part.to(self.device).split(size) for part in (chosen, shifts, flips)), strict=True)
        return itertools.islice(plan, self.steps)

    def _refuse_divergence(self, losses, done):
        """Diverged, if one of this epoch's losses is NaN or infinite; names the first."""
        finite = torch.stack(losses).isfinite()
        if finite.all():
            return
        i = int((~finite).nonzero()[0])
        rate = learning_rate(self.recipe, done * self.steps + i, self.recipe.epochs * self.steps)
        raise Diverged(
            f"the loss is {losses[i].item()} at epoch {done + 1}, batch {i + 1} of {self.steps}, "
            f"learning rate {rate:.3g}: {REMEDY}"
        )


def _keep_freed_memory():
    """Let the C library keep freed blocks for the next step. On Linux a LeNet's step takes up to 30% less time so.

    glibc keeps for reuse what is no larger than the largest block below 32 MiB that it has seen freed (mallopt(3),
    M_MMAP_THRESHOLD). Otherwise each step's activations go back to the kernel, which clears the same pages again.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


REMEDY = "take a lower learning rate or a longer warmup, and look at the size of inputs and initial weights"


def _optimizer(model, recipe):
    """SGD with Nesterov momentum. Weight decay pulls at weights only, not at biases nor at a channel's scale."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def _precision(device):
    """bfloat16 on a GPU; never on a CPU, where few processors have it and the others take 17 times as long."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _refuse_misfit(model, pictures):
    """ValueError, if the model cannot take the images or has too few outputs for the labels."""
    images, _ = pictures.batch(torch.arange(1, device=pictures.labels.device))
    model.eval()
    try:
        with torch.no_grad():
            shape = tuple(model(images).shape)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"the model cannot take images of {tuple(images.shape[1:])}: {reason}") from error
    if len(shape) != 2 or shape[1] <= pictures.labels.max():
        raise ValueError(f"the model makes {shape} of one image; labels go to {int(pictures.labels.max())}")


def fit(model, train, validation, recipe, *, seed=0, device=None, quiet=False):
    """Train `model`, in place, on a Dataset, with a look at another after each epoch. Returns the history.

    recipe: a Recipe, or quick or full for the one that suits the data. seed: of order, augmentation and dropout;
    torch's own generator is left as it was. The history has a dict an epoch: epoch, train_loss (smoothed labels
    included) and train_accuracy (both over the augmented batches as they came), validation_loss, validation_accuracy,
    images_per_second (training steps and augmentation, without validation), seconds (with it). The model ends in eval
    mode.
    Raises ValueError for a recipe or data that make no sense (NaN in images among them), Diverged for a loss of NaN.
    """
    if isinstance(recipe, str):
        recipe = recipe_for(recipe, train.name)
    run = Run(model, train, validation, recipe, seed, pick_device(device))
    for _ in _epochs(run, recipe.epochs, quiet):
        pass
    return run.history


def _epochs(run, until, quiet=False):
    """Bring a run to epoch `until` with a progress bar; yields each epoch's row."""
    images = run.steps * run.recipe.batch_size
    bar = tqdm(total=until * images, initial=len(run.history) * images, unit=" images", unit_scale=True, disable=quiet)
    with bar:
        while len(run.history) < until:
            row = run.epoch(bar)
            bar.set_postfix_str(f"epoch {row['epoch']}: validation {row['validation_accuracy']:.1%}")
            yield row


# ---- Evaluation


@torch.no_grad()
def _logits(model, pictures, batch_size=500):
    """The model's outputs on all pictures, unaugmented: N x classes. Leaves the model in eval mode."""
    model.eval()
    batches = torch.arange(len(pictures), device=pictures.labels.device).split(batch_size)
    with _precision(pictures.labels.device):
        return torch.cat([model(pictures.batch(chosen)[0]) for chosen in batches]).float()


def _measure(logits, labels):
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
    }


def predict(model, dataset, *, device=None):
    """The model's outputs on a Dataset, unaugmented: N x classes, float32, on the CPU. The model ends in eval mode."""
    device = pick_device(device)
    return _logits(model.to(device), Pictures(dataset, model, device)).cpu()


def evaluate(model, dataset, *, device=None):
    """Cross-entropy and accuracy of a model on a Dataset: {"loss": ..., "accuracy": ...}. It ends in eval mode."""
    return _measure(predict(model, dataset, device=device), dataset.labels)


# ---- The command line: a run with its record and its checkpoint


def train(
    model_name,
    data,
    recipe="quick",
    *,
    epochs=None,
    stop_after=None,
    seed=0,
    batch_size=None,
    out=None,
    resume=False,
    device=None,
):
    """Train a model by name on data by name; keeps run.json and checkpoint.pt in the folder `out`. Returns the record.

    epochs and batch_size replace the recipe's. stop_after ends early, after that epoch, on the same schedule. resume
    goes on from the checkpoint, on the CPU bit for bit, and starts anew where there is none. After the last epoch the
    test split is looked at, once, and model.safetensors is written.
    Raises ValueError for a wrong argument, a folder that holds a run (without resume) or another run (with it), or a
    damaged checkpoint; OSError where data cannot be had or files not be written.
    """
    device = pick_device(device)
    changes = {"epochs": epochs, "batch_size": batch_size}
    chosen = replace(recipe_for(recipe, data), **{name: value for name, value in changes.items() if value is not None})
    stop_after = chosen.epochs if stop_after is None else stop_after
    if not 1 <= stop_after <= chosen.epochs:
        raise ValueError(f"stop_after is {stop_after}; expected 1 to {chosen.epochs}, the number of epochs")
    identity = {"model": model_name, "data": data, "recipe": recipe, "seed": seed, **asdict(chosen)}
    folder = Path(out or f"build/{model_name}-{data}-seed{seed}")
    checkpoint = _find_checkpoint(folder, identity, resume)

    run = _start(model_name, data, chosen, seed, device)
    if checkpoint:
        run.model.load_state_dict(checkpoint["weights"])
        run.optimizer.load_state_dict(checkpoint["optimizer"])
        run.history = checkpoint["history"]
    folder.mkdir(parents=True, exist_ok=True)
    for row in _epochs(run, stop_after):
        _save(run, identity, folder)
        tqdm.write(_line(row, chosen.epochs))
    return _finish(run, identity, folder)


def _start(model_name, data, recipe, seed, device):
    """A Run of a freshly initialized model."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    seed_everything(seed)
    model = models.build(model_name, num_classes=len(train.classes), in_channels=train.images.shape[1])
    return Run(model, train, validation, recipe, seed, device)


def _find_checkpoint(folder, identity, resume):
    """The checkpoint to go on from, or None for a start from nothing. ValueError if the folder is not this run's."""
    path = folder / "checkpoint.pt"
    if not resume:
        if path.exists() or (folder / "run.json").exists():
            raise ValueError(f"{folder} holds a run: go on with --resume, or name another folder with --out")
        return None
    if not path.exists():
        return None
    checkpoint = _read_checkpoint(path)
    theirs = checkpoint["identity"]
    differences = [
        f"{name} {theirs.get(name)}, not {identity[name]}" for name in identity if theirs.get(name) != identity[name]
    ]
    if differences:
        raise ValueError(f"{folder} holds another run: {'; '.join(differences)}")
    return checkpoint


def _read_checkpoint(path):
    """What `_save` wrote. ValueError if it is damaged."""
    try:
        with zipfile.ZipFile(path) as parts:
            whole = parts.testzip() is None  # torch.load does not look at checksums
        if whole:
            return torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, RuntimeError, EOFError, LookupError, struct.error, pickle.UnpicklingError):
        pass
    raise ValueError(f"{path} is damaged: delete it, and --resume starts this run anew")


def _save(run, identity, folder):
    """Write checkpoint and record; whoever is killed meanwhile finds the ones before."""
    content = io.BytesIO()
    state = {"weights": run.model.state_dict(), "optimizer": run.optimizer.state_dict(), "history": run.history}
    torch.save({"identity": identity, **state}, content)
    _write(folder / "checkpoint.pt", content.getvalue())
    record = _record(run, identity)
    _write(folder / "run.json", _json(record))
    return record


def _finish(run, identity, folder):
    """Once all epochs are done: the weights on their own, and the one look at the test split. Returns the record."""
    record = _record(run, identity)
    if len(run.history) < run.recipe.epochs:
        print(f"stopped after epoch {len(run.history)} of {run.recipe.epochs}; --resume goes on in {folder}")
        return record
    weights = {name: value.cpu().contiguous() for name, value in run.model.state_dict().items()}
    _write(folder / "model.safetensors", safetensors.torch.save(weights))
    test = evaluate(run.model, datasets.load(identity["data"], "test"), device=run.device)
    record |= {"test_loss": test["loss"], "test_accuracy": test["accuracy"]}
    _write(folder / "run.json", _json(record))
    print(
        f"{identity['model']} on {identity['data']}: test accuracy {test['accuracy']:.2%}; record in {folder}/run.json"
    )
    return record


def _record(run, identity):
    """What run.json says: what was trained, how, where, and a row an epoch."""
    words = {name: identity[name] for name in ("model", "data", "recipe", "seed")}
    return {
        **words,
        "recipe_values": asdict(run.recipe),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "train_images": len(run.train),
        "validation_images": len(run.validation),
        "hardware": hardware(run.device),
        "versions": {
            "course_utils": course_utils.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "seconds": sum(row["seconds"] for row in run.history),
        "epochs": run.history,
    }


def hardware(device):
    """The device in plain words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux knows better
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    threads = torch.get_num_threads()
    return f"{name} ({device.type}), {threads} thread{'s' * (threads > 1)}"


def _line(row, epochs):
    return (
        f"epoch {row['epoch']:2d}/{epochs}  train loss {row['train_loss']:.3f} accuracy {row['train_accuracy']:.2%}  "
        f"validation loss {row['validation_loss']:.3f} accuracy {row['validation_accuracy']:.2%}  "
        f"{row['images_per_second']:,.0f} images/s"
    )


def _json(record):
    return (json.dumps(record, indent=1) + "\n").encode()


def _write(path, content):
    """Write bytes to a file that appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written: {error.strerror}") from error
