"""A data set by its name, one split at a time, whole in memory."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from course_utils.datasets import folder
from course_utils.datasets.embedded import EMBEDDED
from course_utils.datasets.fetching import obtain
from course_utils.datasets.finding import DataUnavailable, Wrong, find, say, shown, unpack
from course_utils.datasets.published import PUBLISHED
from course_utils.datasets.shapes import DRAWN, draw
from course_utils.datasets.splits import SPLITS, held_out, statistics

ALL = "all"  # what is not kept for the test
Files = tuple[tuple[str, Path], ...]  # of a published set: the name of each file, and where it lies


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set, whole in memory. `mean` and `std` are the training split's, a channel, in [0, 1]."""

    name: str
    split: str
    images: torch.Tensor  # uint8, N x C x H x W
    labels: torch.Tensor  # int64, N
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = " x ".join(str(size) for size in self.images.shape)
        return f"Dataset({self.name!r}, {self.split!r}, images {shape}, {len(self.classes)} classes)"


@dataclass(frozen=True, eq=False)
class Parts:
    """What the images of a drawn split are made of, in the order of its images."""

    names: tuple[str, ...]  # ground, bar and so on; the last one decides the class
    maps: torch.Tensor  # uint8, N x H x W: which part a pixel shows, an index of names


def load(name: str, split: str) -> Dataset:
    """The split `train`, `validation` or `test` of a data set, as a Dataset whose tensors are the caller's own.

    `validation` is a stratified tenth of the publisher's training set and `train` is the rest, both in the publisher's
    order; `all` is the one and then the other, for a last run when all choices are made. Mean and standard deviation
    are always those of `train`. The name "folder:PATH" is for images of one's own, see folder.py. Raises ValueError for
    an unknown name or split, DataUnavailable where the data cannot be had.
    """
    _known(split, (*SPLITS, ALL), "split")
    arrays, classes, mean, std = _splits(name, _obtain(name))
    parts = [arrays[part] for part in (("train", "validation") if split == ALL else (split,))]
    images, labels = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True))
    return Dataset(name, split, images, labels, classes, mean, std)


def parts(name: str, split: str) -> Parts:
    """Which part each pixel of a drawn set shows, in the order of `load(name, split)`.

    Raises ValueError for a set that is not drawn or an unknown split.
    """
    _known(split, SPLITS, "split")
    _known(name, tuple(DRAWN), "data set with known parts")
    drawing = draw(name)
    held = held_out(drawing.labels[: drawing.training], 10)
    test = np.arange(drawing.training, len(drawing.labels))
    rows = {"train": np.flatnonzero(~held), "validation": np.flatnonzero(held), "test": test}[split]
    return Parts(drawing.parts, torch.tensor(drawing.maps[rows]))


def available() -> tuple[str, ...]:
    """The names of the data sets that `load` takes, beside "folder:PATH"."""
    return (*EMBEDDED, *PUBLISHED)


def fetch(name: str) -> Path | None:
    """See to it that a data set is on this machine and whole; returns its folder, or None for an embedded one.

    Raises ValueError for an unknown name, DataUnavailable where the data cannot be had.
    """
    files = _obtain(name)
    return _folder(files) if files else None


def present(name: str) -> bool:
    """Whether a data set can be had without the network; what stands in the way is said on standard error.

    Raises ValueError for an unknown name.
    """
    _known_set(name)
    try:
        return name in EMBEDDED or (folder.there(name) if folder.named(name) else find(name) is not None)
    except DataUnavailable as error:
        say(str(error))
        return False


def describe(name: str) -> str:
    """One line about a data set, fetched first if need be: sizes, where it lies, that its checksums are right."""
    if folder.named(name):
        lists = [folder.listing(name, split) for split in SPLITS]
        sizes = " + ".join(f"{len(files):,} {files.split}" for files in lists)
        return f"{name}: {sizes} images, {len(lists[0].classes)} classes; in {shown(lists[0].root)}, of any size"
    files = _obtain(name)
    arrays, classes, _, _ = _splits(name, files)
    sizes = " + ".join(f"{len(arrays[split][1]):,} {split}" for split in SPLITS)
    channels, height, width = arrays["train"][0].shape[1:]
    count = len({path for _, path in files or ()})
    where = f"{count} file{'s' * (count > 1)} in {shown(_folder(files))}, checksums right" if files else "embedded"
    return f"{name}: {sizes} images of {channels} x {height} x {width}, {len(classes)} classes; {where}"


def _folder(files: Files) -> Path:
    return Path(os.path.commonpath([path.parent for _, path in files]))


def _known(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise ValueError(f"no {what} {word!r}; there are {', '.join(words)}")


def _known_set(name: str) -> None:
    if not folder.named(name):
        _known(name, (*available(), "folder:PATH"), "data set")


def _obtain(name: str) -> Files | None:
    """The files of a published set and where each lies, fetched if need be; None for an embedded set."""
    _known_set(name)
    return None if name in EMBEDDED or folder.named(name) else tuple(obtain(name).items())


def _splits(name: str, files: Files | None):
    """({split: (images, labels)}, classes, mean, std) of a data set."""
    return _read(name, files, folder.state(name) if folder.named(name) else ())


@lru_cache(maxsize=2)
def _read(name: str, files: Files | None, state: tuple):
    """As `_splits`; `state` is that of a user's folder, which is read again when it has changed."""
    if files is None:
        (images, labels), test, classes = folder.read(name) if state else EMBEDDED[name]()
    else:
        source = PUBLISHED[name]
        content: dict[str, bytes] = {}
        for path in dict.fromkeys(path for _, path in files):
            try:
                content |= unpack(path, source.names[path.name], source)
            except Wrong as error:  # since it was found
                raise DataUnavailable(f"{shown(path)} {error}") from error
        (images, labels), test = source.read(content.pop)
        classes = source.classes
    held = held_out(labels, 10)
    arrays = {"train": (images[~held], labels[~held]), "validation": (images[held], labels[held]), "test": test}
    return arrays, classes, *statistics(arrays["train"][0])
