"""A user's own images: a folder a class below train/ and val/, ImageNet's layout. "folder:PATH" names it.

`read` holds them whole in memory, and then all have one size. `listing` only names them, however many; streams.py shows
them. What is no image is named, never skipped.
"""

import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from course_utils.datasets.decoding import picture
from course_utils.datasets.finding import DataUnavailable, shown
from course_utils.datasets.published import Split
from course_utils.datasets.splits import SPLITS, held_out, statistics

PREFIX = "folder:"
LAYOUT = "expected PATH/train/CLASS/IMAGE and PATH/val/CLASS/IMAGE"
MOST = 4e9  # bytes of images; more should not be held in memory
SAMPLE = 1024  # training images that mean and std are measured on


@dataclass(frozen=True, eq=False, repr=False)
class Files:
    """One split of a folder, by name; no file of it is open. Its images are in colour, of any size.

    `mean` and `std` are those of the training images, a channel, in [0, 1], measured on a sample.
    """

    name: str
    split: str
    root: Path
    names: np.ndarray  # bytes N, relative to root. One array: a million Paths would be copied into each worker
    labels: torch.Tensor  # int64, N
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Files({self.name!r}, {self.split!r}, {len(self):,} images, {len(self.classes)} classes)"

    def path(self, index: int) -> Path:
        """Where an image lies."""
        return self.root / os.fsdecode(self.names[index])

    def fingerprint(self) -> int:
        """CRC-32 over the names and the sizes of all files, in their order; looks each of them up."""
        crc = 0
        for index, name in enumerate(self.names.tolist()):
            crc = zlib.crc32(name + b"\0%d\n" % _state(self.path(index))[1], crc)
        return crc


def named(name: str) -> bool:
    """Whether a data set's name is that of a folder."""
    return isinstance(name, str) and name.startswith(PREFIX)


def there(name: str) -> bool:
    """Whether the folder of "folder:PATH" has the layout. Raises DataUnavailable that says what it lacks."""
    return all(_files(_root(name) / split) for split in ("train", "val"))


def state(name: str) -> tuple:
    """What tells whether a folder has changed: each file with its size and its time."""
    folders = [_root(name) / split for split in ("train", "val")]
    return tuple(_state(path) for folder in folders for path in _paths(folder, _files(folder)))


def listing(name: str, split: str) -> Files:
    """The split `train`, `validation`, `test` or `all` of "folder:PATH", its files named but not read.

    Classes and splits are those of `read` and `load`. Of the training images, up to 1,024 at equal distances in the
    list are decoded for mean and standard deviation; those that cannot be are left out. Raises ValueError for another
    name or split, DataUnavailable, one line that names the folder or the file.
    """
    if not named(name):
        raise ValueError(f"{name!r} names no folder of images; expected folder:PATH")
    if split not in (*SPLITS, "all"):
        raise ValueError(f"no split {split!r}; there are {', '.join((*SPLITS, 'all'))}")
    root = _root(name)
    train, test = _parts(root)
    classes = tuple(train)
    names, labels = _listed(train, classes, "train")
    held = held_out(labels, 10)
    rows = {"train": np.flatnonzero(~held), "validation": np.flatnonzero(held)}
    sample = names[rows["train"][np.linspace(0, len(rows["train"]) - 1, min(SAMPLE, len(rows["train"]))).astype(int)]]
    mean, std = _measured(tuple(_state(root / os.fsdecode(name)) for name in sample))
    if split == "test":
        names, labels = _listed(test, classes, "val")
    else:
        chosen = rows[split] if split in rows else np.concatenate(list(rows.values()))
        names, labels = names[chosen], labels[chosen]
    return Files(name, split, root, names, torch.from_numpy(labels), classes, mean, std)


def read(name: str) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test images of "folder:PATH", uint8 N x C x H x W with their labels, and the classes.

    Classes are the folders below PATH/train, in alphabetical order; the test images are those below PATH/val. Grey
    where all images are grey. Raises DataUnavailable, one line that names the folder or the file.
    """
    root = _root(name)
    train, test = _parts(root)
    classes = tuple(train)
    images, grey = {}, True
    for path in (*_paths(root / "train", train), *_paths(root / "val", test)):
        images[path] = image = picture(path)
        grey = grey and image.mode == "L"
        first = next(iter(images))
        if image.size != images[first].size:
            raise DataUnavailable(
                f"{shown(path)} is {_size(image)}, {shown(first)} {_size(images[first])}; expected one size for all"
            )
        if len(images) * image.width * image.height * len(image.getbands()) > MOST:
            raise DataUnavailable(f"{shown(root)} holds more than {MOST / 1e9:.0f} GB of images: too much for memory")
    mode, splits = "L" if grey else "RGB", {"train": train, "val": test}
    ours, theirs = (_split(root / split, files, images, classes, mode) for split, files in splits.items())
    return ours, theirs, classes


def _root(name):
    try:
        return Path(name.removeprefix(PREFIX)).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise DataUnavailable(f"{shown(name)} names no folder ({error}); {LAYOUT}") from None


def _parts(root):
    """{class: file names} of train/ and of val/."""
    train, test = _files(root / "train"), _files(root / "val")
    unknown = [label for label in test if label not in train]
    if unknown:
        raise DataUnavailable(f"{shown(root / 'val' / unknown[0])} is a class that {shown(root / 'train')} has not")
    if not any(round(len(files) / 10) for files in train.values()):
        raise DataUnavailable(f"{shown(root / 'train')} is too small: one in ten of a class is kept for validation")
    return train, test


def _files(folder):
    """{class: file names} below a folder, in alphabetical order."""
    try:
        with os.scandir(folder) as entries:
            classes = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
        files = {label: sorted(name for name in os.listdir(folder / label) if name[0] != ".") for label in classes}
    except (OSError, ValueError) as error:
        place, reason = getattr(error, "filename", None) or folder, getattr(error, "strerror", error)
        raise DataUnavailable(f"{shown(place)} cannot be read: {reason}; {LAYOUT}") from None
    if not files:
        raise DataUnavailable(f"{shown(folder)} holds no folders; {LAYOUT}")
    empty = [label for label in files if not files[label]]
    if empty:
        raise DataUnavailable(f"{shown(folder / empty[0])} is empty; expected at least one image a class")
    return files


def _paths(folder, files):
    return [folder / label / name for label, names in files.items() for name in names]


def _labels(files, classes):
    return np.array([classes.index(label) for label, names in files.items() for _ in names], np.int64)


def _listed(files, classes, folder):
    """Names, relative to PATH, and labels of all files below a folder."""
    names = [os.fsencode(f"{folder}/{label}/{name}") for label, names in files.items() for name in names]
    return np.array(names), _labels(files, classes)


def _state(path):
    """What tells whether a file has changed, also of one that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return path, -1, -1
    return path, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=4)
def _measured(states):
    """Mean and standard deviation of files, each with its state; of each, every fourth pixel at 256 x 256 counts."""
    pixels, failures = [], []
    for path, *_ in states:
        try:
            image = picture(path, lambda width, height: ((0, 0, width, height), 256))
            pixels.append(np.asarray(image.convert("RGB"))[2::4, 2::4])
        except DataUnavailable as error:
            failures.append(str(error))
    if not pixels:
        raise DataUnavailable(f"none of {len(failures)} images can be decoded; the first: {failures[0]}")
    mean, std = statistics(np.stack(pixels).transpose(0, 3, 1, 2))
    if min(std) == 0:
        raise DataUnavailable(f"{len(pixels)} images from {shown(states[0][0])} on have one value in all their pixels")
    return mean, std


def _size(image):
    return f"{image.height} x {image.width}"


def _split(folder, files, images, classes, mode):
    array = np.stack([np.asarray(images[path].convert(mode)) for path in _paths(folder, files)])
    return (array[:, None] if mode == "L" else array.transpose(0, 3, 1, 2).copy()), _labels(files, classes)
