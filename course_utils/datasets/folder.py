"""A user's own images: a folder a class below train/ and val/, ImageNet's layout, read whole into memory.

All images have one size, for a data set is one tensor. What is no image, or of another size, is named, never skipped.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from course_utils.datasets.finding import DataUnavailable, shown
from course_utils.datasets.published import Split

PREFIX = "folder:"
GREY, COLOUR = ("1", "L"), ("P", "RGB", "RGBA", "CMYK", "YCbCr", "LA", "PA")  # Pillow's modes of 8 bits a channel
BROKEN = (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError)  # of Pillow's decoders
MOST = 4e9  # bytes of images; more should not be held in memory


def named(name: str) -> bool:
    """Whether a data set's name is that of a folder."""
    return isinstance(name, str) and name.startswith(PREFIX)


def there(name: str) -> bool:
    """Whether the folder of "folder:PATH" has the layout. Raises DataUnavailable that says what it lacks."""
    return all(_files(_root(name) / split) for split in ("train", "val"))


def state(name: str) -> tuple:
    """What tells whether a folder has changed: each file with its size and its time."""
    paths = [path for split in ("train", "val") for files in _files(_root(name) / split).values() for path in files]
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path in paths for stat in (path.stat(),))


def _root(name):
    try:
        return Path(name.removeprefix(PREFIX)).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise DataUnavailable(f"{shown(name)} names no folder ({error}); {LAYOUT}") from None


def read(name: str) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test images of "folder:PATH", uint8 N x C x H x W with their labels, and the classes.

    Classes are the folders below PATH/train, in alphabetical order; the test images are those below PATH/val. Grey
    where all images are grey. Raises DataUnavailable, one line that names the folder or the file.
    """
    root = _root(name)
    train, test = _files(root / "train"), _files(root / "val")
    unknown = [label for label in test if label not in train]
    if unknown:
        raise DataUnavailable(f"{shown(root / 'val' / unknown[0])} is a class that {shown(root / 'train')} has not")
    if not any(round(len(paths) / 10) for paths in train.values()):
        raise DataUnavailable(f"{shown(root / 'train')} is too small: one in ten of a class is kept for validation")
    classes = tuple(train)
    images, grey = {}, True
    for path in (path for split in (train, test) for paths in split.values() for path in paths):
        images[path] = image = _image(path)
        grey = grey and image.mode == "L"
        first = next(iter(images))
        if image.size != images[first].size:
            raise DataUnavailable(
                f"{shown(path)} is {_size(image)}, {shown(first)} {_size(images[first])}; expected one size for all"
            )
        if len(images) * image.width * image.height * len(image.getbands()) > MOST:
            raise DataUnavailable(f"{shown(root)} holds more than {MOST / 1e9:.0f} GB of images: too much for memory")
    mode = "L" if grey else "RGB"
    return _split(train, images, classes, mode), _split(test, images, classes, mode), classes


def _files(folder):
    """{class: files} below a folder, in alphabetical order."""
    try:
        classes = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."}
        files = {name: [path for path in sorted(classes[name].iterdir()) if path.name[0] != "."] for name in classes}
    except (OSError, ValueError) as error:
        raise DataUnavailable(
            f"{shown(folder)} cannot be read: {getattr(error, 'strerror', error)}; " + LAYOUT
        ) from None
    if not files:
        raise DataUnavailable(f"{shown(folder)} holds no folders; {LAYOUT}")
    empty = [name for name in files if not files[name]]
    if empty:
        raise DataUnavailable(f"{shown(classes[empty[0]])} is empty; expected at least one image a class")
    return files


LAYOUT = "expected PATH/train/CLASS/IMAGE and PATH/val/CLASS/IMAGE"


def _image(path):
    """A file as a picture of 8 bits a channel, grey or RGB, turned the way its camera says."""
    if not path.is_file():  # a pipe would wait for ever
        raise DataUnavailable(f"{shown(path)} is no file")
    try:
        with Image.open(path) as image:
            if image.mode not in GREY + COLOUR:
                raise DataUnavailable(f"{shown(path)} has pixels of mode {image.mode}; expected 8 bits a channel")
            return ImageOps.exif_transpose(image).convert("L" if image.mode in GREY else "RGB")
    except DataUnavailable:
        raise
    except UnidentifiedImageError:
        raise DataUnavailable(f"{shown(path)} is no image that Pillow can read") from None
    except BROKEN as error:
        raise DataUnavailable(f"{shown(path)} is damaged or cut off: {' '.join(str(error).split())}") from None


def _size(image):
    return f"{image.height} x {image.width}"


def _split(files, images, classes, mode):
    pictures = [np.asarray(images[path].convert(mode)) for paths in files.values() for path in paths]
    labels = [classes.index(label) for label, paths in files.items() for _ in paths]
    array = np.stack(pictures)
    return (array[:, None] if mode == "L" else array.transpose(0, 3, 1, 2).copy()), np.array(labels, np.int64)
