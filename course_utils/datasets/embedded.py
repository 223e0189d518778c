"""Data sets that are always there, without a folder and without a network; and two photographs."""

import zipfile
from pathlib import Path

import numpy as np
import torch

from course_utils.datasets.finding import DataUnavailable
from course_utils.datasets.published import Split
from course_utils.datasets.shapes import DRAWN, draw
from course_utils.datasets.splits import held_out

DIGITS = tuple("0123456789")
MNIST_MINI = Path(__file__).with_name("mnist_mini.npz")  # its licence lies beside it; made by authors/mnist_mini.py

# Who took the photographs, as a caption may print it: CC BY 2.0 asks for that.
CREDITS = {
    "china": "Photograph by danielbuechele (flickr.com/photos/danielbuechele/6061409035), CC BY 2.0, from scikit-learn",
    "flower": "Photograph by vultilion (flickr.com/photos/vultilion/6056698931), for which scikit-learn names "
    "danielbuechele (flickr.com/photos/danielbuechele), CC BY 2.0, from scikit-learn",
}


def photographs() -> dict[str, torch.Tensor]:
    """scikit-learn's two photographs by name, `china` and `flower`, each uint8 3 x 427 x 640. `CREDITS` says whose."""
    from sklearn.datasets import load_sample_image

    return {name: torch.tensor(load_sample_image(f"{name}.jpg")).permute(2, 0, 1).contiguous() for name in CREDITS}


def _mnist_mini() -> tuple[Split, Split, tuple[str, ...]]:
    """5,000 training and 1,000 test images of MNIST."""
    try:
        with np.load(MNIST_MINI) as file:
            train, test = (
                (file[f"{part}_images"][:, None], file[f"{part}_labels"].astype(np.int64)) for part in ("train", "test")
            )
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataUnavailable(f"{MNIST_MINI} is missing or damaged ({error}): install the course again") from error
    return train, test, DIGITS


def _digits() -> tuple[Split, Split, tuple[str, ...]]:
    """scikit-learn's 8 x 8 digits: 0..16 mapped to 0..255, each pixel repeated 4 x 4; a fifth held out as test."""
    from sklearn.datasets import load_digits

    pixels, target = load_digits(return_X_y=True)
    small = np.rint(pixels * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    images, labels = small.repeat(4, axis=2).repeat(4, axis=3), target.astype(np.int64)
    test = held_out(labels, 5)
    return (images[~test], labels[~test]), (images[test], labels[test]), DIGITS


def _drawn(name: str) -> tuple[Split, Split, tuple[str, ...]]:
    """Figures in colour: see shapes.py."""
    drawing = draw(name)
    rows = slice(drawing.training), slice(drawing.training, None)
    train, test = ((drawing.images[part], drawing.labels[part]) for part in rows)
    return train, test, drawing.classes


EMBEDDED = {"mnist-mini": _mnist_mini, "digits": _digits, **{name: lambda name=name: _drawn(name) for name in DRAWN}}
