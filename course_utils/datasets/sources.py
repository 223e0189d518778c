"""Where batches come from: a tensor on the device, or a folder of files decoded by workers. Training knows neither."""

import zlib
from typing import Any

import torch

from course_utils import datasets
from course_utils.datasets import folder
from course_utils.datasets.batches import Batches
from course_utils.datasets.folder import Files
from course_utils.datasets.sets import Dataset
from course_utils.datasets.streams import Stream

Data = Dataset | Files
Source = Batches | Stream
IN_MEMORY = ("shift", "alternate_flip", "cutout")  # what a stream's random crops stand in the place of


def data(name: str, split: str) -> Data:
    """A split of a data set: whole in memory or, of "folder:PATH", as a list of files. Raises as `load`, `listing`."""
    return folder.listing(name, split) if folder.named(name) else datasets.load(name, split)


def source(data: Data, device: torch.device, size: int | None, **augmentation: Any) -> Source:
    """The batches of a split, on the device, images size x size; augmentation as Batches and Stream have it.

    Raises ValueError for data that do not fit, and for an augmentation that a stream does not have.
    """
    if isinstance(data, Dataset):
        return Batches(data, device, size, **augmentation)
    for name in IN_MEMORY:
        if augmentation.pop(name, 0):
            raise ValueError(f"{name} is for images in memory; those of {data.name} are cropped at random instead")
    augmentation.pop("fill", None)
    return Stream(data, device, size, **augmentation)


def channels(data: Data) -> int:
    """How many channels its images have; a stream's are in colour."""
    return data.images.shape[1] if isinstance(data, Dataset) else 3


def checksum(data: Data) -> int:
    """CRC-32 of the images and their labels, or of the names, with their classes, and sizes of their files."""
    if isinstance(data, Dataset):
        images, labels = (tensor.contiguous().numpy().tobytes() for tensor in (data.images, data.labels))
        return zlib.crc32(labels, zlib.crc32(images))
    return data.fingerprint()
