"""How a data set is divided, and the mean and standard deviation of its images: the same numbers on every machine."""

import math
from collections.abc import Callable

import numpy as np

SPLITS = ("train", "validation", "test")


def drawn(labels: np.ndarray, count: Callable[[int], int]) -> np.ndarray:
    """A mask, bool N, that is True for `count(n)` of the n images of each class; `labels` is int N.

    Each image draws a number, the 64-bit output of PCG64 seeded with 0 in the order of the images; of a class the
    lowest are drawn. NumPy guarantees that stream, so the mask is the same everywhere.
    """
    draws = np.random.PCG64(0).random_raw(len(labels))
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        mask[members[np.argsort(draws[members])[: count(len(members))]]] = True
    return mask


def held_out(labels: np.ndarray, part: float) -> np.ndarray:
    """A mask, bool N, that is True for one in `part` of the images of each class, rounded; see `drawn`."""
    return drawn(labels, lambda n: round(n / part))


def statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of uint8 images N x C x H x W over all but C, in [0, 1], from exact integer sums."""
    mean, std = [], []
    for channel in range(images.shape[1]):
        pieces = np.array_split(images[:, channel], 1 + len(images) // 1000)  # bincount makes int64 of its input
        counts = np.sum([np.bincount(piece.ravel(), minlength=256) for piece in pieces], axis=0).tolist()
        n = sum(counts)
        total = sum(value * count for value, count in enumerate(counts))
        squares = sum(value**2 * count for value, count in enumerate(counts))
        mean.append(total / (255 * n))
        std.append(math.sqrt(n * squares - total**2) / (255 * n))
    return tuple(mean), tuple(std)
