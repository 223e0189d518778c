"""Batches of a folder of images that may be larger than memory: decoded as they are needed, by worker processes.

Order and crops are drawn from generators seeded by (seed, epoch, purpose) and, a crop, the image's place in the list;
then a batch is divided. So what a run has seen depends on its seed and neither on the processes that share the work
nor on their workers. A worker makes bytes of size x size; the device makes numbers of them.
"""

import math
import os
import random
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate

from course_utils import machine
from course_utils.datasets.decoding import Box, picture
from course_utils.datasets.finding import DataUnavailable, say
from course_utils.datasets.folder import Files
from course_utils.machine import derived_seed

PREFETCH = 2  # batches that a worker may be ahead: so many times the workers wait in memory, and no more
TRIES = 10  # images that are tried in place of one that cannot be decoded
MOST_UNREADABLE = 0.01  # of a split; more is no accident
NAMED = 5  # unreadable files that have a line of their own
SHARE = 224 / 256  # of the short side that evaluation shows


class Stream:
    """Files on a device, batch by batch, size x size in colour: what Batches is for a Dataset in memory.

    Training shows a random part of each image, see `random_part`, with `flip` half of them mirrored; evaluation the
    middle, see `middle`. workers: the processes that decode, 0 for none but this one; None for one a core, shared with
    the other processes that torchrun has started here. In training, an image that cannot be decoded is replaced by
    another of the split with its own label; in evaluation the mean colour stands for it, and it counts. Both are said,
    and `unreadable` keeps them: {index: a line that names the file}.
    Raises ValueError for a size that is none, a batch larger than the split or a wrong number of workers. Iterating
    raises DataUnavailable, one line, when more than 1% of the split cannot be decoded, or when a worker is killed.
    """

    def __init__(
        self,
        files: Files,
        device: torch.device,
        size: int | None,
        *,
        batch_size: int = 1,
        seed: int = 0,
        flip: bool = False,
        workers: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        if size is None:
            raise ValueError(f"the model names no input_size; images of {files.name} are cropped to one, in pixels")
        if type(size) is not int or size < 1:
            raise ValueError(f"the model's input_size is {size!r}; expected the side of its images, in pixels")
        if type(batch_size) is not int or not 1 <= batch_size <= len(files):
            raise ValueError(
                f"batch_size is {batch_size!r}; for {len(files)} images expected 1 to {len(files)}: "
                "an epoch has whole batches only"
            )
        if workers is not None and (type(workers) is not int or workers < 0):
            raise ValueError(f"workers is {workers!r}; expected a number of processes, 0 for none")
        self.name, self.split, self.batch_size, self.seed, self.dtype = files.name, files.split, batch_size, seed, dtype
        self.workers = _workers() if workers is None else workers
        self.steps = len(files) // batch_size  # an epoch; the few images left over wait for another order
        self.labels = files.labels.to(device)
        numbers = 255 * torch.tensor([files.mean, files.std], device=device, dtype=dtype)
        self.mean, self.std = numbers.view(2, -1, 1, 1)
        self.unreadable: dict[int, str] = {}
        self._decoder = _Decoder(files, size, seed, flip)

    def __len__(self):
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def plan(self, number: int) -> torch.Tensor:
        """The images of each batch of epoch `number` (from 0): indices, steps x batch_size."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(derived_seed(self.seed, number, 0)))
        return order[: self.steps * self.batch_size].view(self.steps, self.batch_size)

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of epoch `number` (from 0), of which the process `rank` out of `world` gets its share.

        Images N x 3 x size x size, normalized, in the order channels_last, and their labels.
        """
        return self._batches(self.plan(number)[:, rank::world], number)

    def first(self, count: int) -> torch.Tensor:
        """The first `count` images, or all if there are fewer, as evaluation shows them."""
        chosen = torch.arange(min(count, len(self))).split(100)
        return torch.cat([images for images, _ in self._batches(chosen)])

    def in_order(
        self, batch_size: int = 500, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All images once, in order, each its middle; the process `rank` out of `world` gets every world-th batch."""
        return self._batches(torch.arange(len(self)).split(batch_size)[rank::world])

    def _batches(self, chosen: Sequence[torch.Tensor] | torch.Tensor, number: int | None = None):
        """The batches of these indices, as in epoch `number`, or None for evaluation."""
        workers = min(self.workers, len(chosen)) if len(chosen) > 1 else 0
        loader = DataLoader(
            self._decoder,
            batch_sampler=([(index, number) for index in batch.tolist()] for batch in chosen),  # pyright: ignore
            collate_fn=_collate,
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_leave_interrupts,
            generator=torch.Generator(),  # else it draws from the one that dropout draws from
        )
        outcome = "shown as the mean colour, and counted" if number is None else "replaced by another image"
        for images, labels, failures in _received(loader):
            self._note(failures, outcome)
            images = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
            yield (images - self.mean).div_(self.std), labels.to(self.device, non_blocking=True)
        if self.unreadable:
            say(f"images of {self.name} ({self.split}) that cannot be decoded, {outcome}: {len(self.unreadable)}")

    def _note(self, failures, outcome):
        """Keeps what could not be decoded, names the first few; DataUnavailable when it is too much."""
        for index, line in (failure for place in failures for failure in place):
            if index not in self.unreadable and len(self.unreadable) < NAMED:
                say(f"{line}: {outcome}")
            self.unreadable[index] = line
        count, first = len(self.unreadable), next(iter(self.unreadable.values()), "")
        if count > MOST_UNREADABLE * len(self) or any(len(place) == TRIES for place in failures):
            raise DataUnavailable(
                f"of {len(self)} images of {self.name} ({self.split}) {count} and maybe more cannot be decoded, "
                f"too many; the first: {first}"
            )


class _Decoder(Dataset):
    """What a worker makes of (index, epoch): pixels size x size x 3, the label, and what could not be decoded."""

    def __init__(self, files, size, seed, flip):
        self.files, self.size, self.seed, self.flip = files, size, seed, flip
        self.mean = np.array([round(255 * value) for value in files.mean], np.uint8)

    def __getitem__(self, key):
        index, number = key
        draws = None if number is None else random.Random(derived_seed(self.seed, number, 1, index))
        failures = []
        while len(failures) < (1 if draws is None else TRIES):
            try:
                return self._pixels(index, draws), int(self.files.labels[index]), failures
            except DataUnavailable as error:
                failures.append((index, str(error)))
            if draws:
                index = int(draws.random() * len(self.files))
        return np.tile(self.mean, (self.size, self.size, 1)), int(self.files.labels[index]), failures

    def _pixels(self, index, draws):
        def view(width, height):
            return (random_part(width, height, draws) if draws else middle(width, height)), self.size

        image = picture(self.files.path(index), view).convert("RGB")
        if draws and self.flip and draws.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.array(image)


def random_part(width: int, height: int, draws: random.Random) -> Box:
    """A random part of a picture, in whole pixels: 8 to 100% of its area, width to height from 3/4 to 4/3.

    Szegedy et al. 2015, section 6. As torchvision's RandomResizedCrop has it, the ratio's logarithm is uniform, and
    when ten draws did not fit into the picture, it is the largest part in the middle that keeps to the ratios.
    """
    for _ in range(10):
        area = width * height * (0.08 + 0.92 * draws.random())
        ratio = math.exp((2 * draws.random() - 1) * math.log(4 / 3))
        across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < across <= width and 0 < down <= height:
            upper, left = (int(draws.random() * (room + 1)) for room in (height - down, width - across))
            return left, upper, left + across, upper + down
    across, down = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    left, upper = (width - across) // 2, (height - down) // 2
    return left, upper, left + across, upper + down


def middle(width: int, height: int) -> Box:
    """The square in the middle, 224/256 of the short side.

    So a short side of 256 pixels shows 224: the rescaling of Krizhevsky et al. 2012, section 2, and of their five
    patches at test time (section 4.1) the one in the middle. Other sizes in proportion.
    """
    side = SHARE * min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return left, upper, left + side, upper + side


def _collate(items):
    pixels, labels, failures = zip(*items, strict=True)
    images, labels = default_collate(list(zip(pixels, labels, strict=True)))
    return images, labels, [place for place in failures if place]


def _received(loader: Iterable):
    """What the workers make; DataUnavailable where one of them was killed.

    torch says so by a RuntimeError out of a signal's handler, wherever Python then is, in the middle of a step. Without
    that handler it says so here, within 5 seconds.
    """
    mine = hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if mine else None
    try:
        batches = iter(loader)
        if before is not None:
            signal.signal(signal.SIGCHLD, before)
        yield from batches
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataUnavailable(
            "a process that decodes images was killed: most often for want of memory, or of shared memory (/dev/shm)"
        ) from error


def _leave_interrupts(_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the process that started us ends us


def _workers():
    return max(1, machine.cores() // int(os.environ.get("LOCAL_WORLD_SIZE") or 1))
