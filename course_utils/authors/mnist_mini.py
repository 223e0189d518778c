"""Draws mnist-mini from the publisher's MNIST: python -m course_utils.authors.mnist_mini (needs mnist; writes anew)."""

import io
import sys
from pathlib import Path

import numpy as np

from course_utils import datasets
from course_utils.datasets.embedded import MNIST_MINI
from course_utils.datasets.splits import drawn
from course_utils.files import write

A_CLASS = {"train": 500, "test": 100}  # images of each digit


def make(path: Path = MNIST_MINI) -> None:
    """Write 500 images of each digit out of mnist's training split, and 100 out of its test split, in their order.

    Its validation split gives none, so that a network that learned from mnist-mini has not seen it. Of a digit, those
    images are taken that draw the lowest numbers (see `drawn`): the same bytes whenever it is run with the same zlib.
    Raises DataUnavailable where mnist cannot be had.
    """
    arrays = {}
    for split, count in A_CLASS.items():
        mnist = datasets.load("mnist", split)
        rows = drawn(mnist.labels.numpy(), lambda n, count=count: count)
        arrays[f"{split}_images"] = mnist.images[rows, 0].numpy()
        arrays[f"{split}_labels"] = mnist.labels[rows].numpy().astype(np.uint8)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write(path, content.getvalue())


if __name__ == "__main__":
    try:
        make()
    except datasets.DataUnavailable as error:
        sys.exit(f"course_utils.authors.mnist_mini: {error}")
