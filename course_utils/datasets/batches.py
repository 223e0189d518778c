"""Batches cut out of a whole data set that lies on the device as one tensor, augmented and normalized there.

An epoch's order and augmentation are drawn from generators seeded by (seed, epoch, purpose), for the whole batch; then
the batch is divided. So what a run has seen depends on its seed and not on how many processes shared the work.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.nn import functional as F

from course_utils.datasets import Dataset
from course_utils.machine import derived_seed

MOST_PADDING = 1.5  # times the image's own side
FILLS = ("zeros", "reflect")


class Plan(NamedTuple):
    """What is drawn for a batch of n images: which, and how each is augmented."""

    chosen: torch.Tensor  # n indices
    shifts: torch.Tensor  # n x 2: rows and columns, from 0 on; `shift` is the middle
    flips: torch.Tensor  # n booleans: mirrored
    holes: torch.Tensor  # n x 2: row and column of the middle of a hole


class Batches:
    """A Dataset on a device, its images zero-padded once to `size` (a side, in pixels; None: as they are).

    Training batches are shifted by up to `shift` pixels each way, over a margin of zeros or of the image's reflection;
    mirrored, half of them at random or, alternating, each one in every other epoch; and lose a square with a side of
    `cutout` pixels, which takes the mean colour, 0 (DeVries & Taylor 2017). `epoch` yields the training batches of an
    epoch, `in_order` all images once, as they are. Raises ValueError for data that no model can learn from, for images
    that do not fit the size, and for a batch larger than the data set.
    """

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        size: int | None = None,
        *,
        batch_size: int = 1,
        seed: int = 0,
        shift: int = 0,
        fill: str = "zeros",
        flip: bool = False,
        alternate_flip: bool = False,
        cutout: int = 0,
        dtype: torch.dtype = torch.float32,
    ):
        check_data(dataset)
        if batch_size > len(dataset):
            raise ValueError(
                f"batch_size is {batch_size}; for {len(dataset)} images expected 1 to {len(dataset)}: "
                "an epoch has whole batches only"
            )
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"the model's input_size is {size!r}; expected the side of its images, in pixels")
        side = min(dataset.images.shape[2:])
        if 2 * shift > side:
            raise ValueError(f"shift is {shift}; for images of {dataset.name} expected at most {side // 2} pixels")
        if cutout > side:
            raise ValueError(f"cutout is {cutout}; for images of {dataset.name} expected at most {side} pixels")
        self.name, self.batch_size, self.seed, self.shift, self.cutout = dataset.name, batch_size, seed, shift, cutout
        self.flip, self.alternate_flip = flip or alternate_flip, alternate_flip
        self.steps = len(dataset) // batch_size  # an epoch; the few images left over wait for another order
        images = dataset.images.to(device)
        unit = 255.0 if images.dtype == torch.uint8 else 1.0
        self.mean = unit * torch.tensor(dataset.mean, device=device, dtype=dtype).view(-1, 1, 1)
        self.std = unit * torch.tensor(dataset.std, device=device, dtype=dtype).view(-1, 1, 1)
        self.labels = dataset.labels.to(device)
        self.middle = torch.tensor([shift, shift], device=device)
        self.windows = _windows(images, dataset.name, size, shift, fill)

    def __len__(self):
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def batch(
        self,
        chosen: torch.Tensor,
        shifts: torch.Tensor | None = None,
        flips: torch.Tensor | None = None,
        holes: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images N x C x H x W of the indices `chosen`, augmented as planned and normalized, and their labels."""
        top, left = self.middle if shifts is None else shifts.T
        images = self.windows[chosen, :, top, left]
        if flips is not None:
            images = torch.where(flips.view(-1, 1, 1, 1), images.flip(3), images)
        images = (images - self.mean) / self.std
        if holes is not None:
            images = images.masked_fill(_inside(holes, self.cutout, images.shape[2:]), 0)
        return images, self.labels[chosen]

    def plan(self, number: int) -> Iterator[Plan]:
        """What is drawn for each batch of epoch `number` (from 0)."""
        n = len(self)
        order, augmentation = (torch.Generator().manual_seed(derived_seed(self.seed, number, k)) for k in (0, 1))
        chosen = torch.randperm(n, generator=order)
        shifts = torch.randint(2 * self.shift + 1, (n, 2), generator=augmentation)
        flips = torch.rand(n, generator=augmentation) < (0.5 if self.flip else 0)
        if self.alternate_flip:  # drawn once a run, by image; then turned round from epoch to epoch
            once = torch.Generator().manual_seed(derived_seed(self.seed, 0, 3))
            flips = (torch.rand(n, generator=once) < 0.5)[chosen] ^ (number % 2 == 1)
        sides = torch.tensor(self.windows.shape[-2:])
        holes = (torch.rand(n, 2, generator=augmentation) * sides).long()
        parts = (part.to(self.device).split(self.batch_size) for part in (chosen, shifts, flips, holes))
        for step, batch in enumerate(zip(*parts, strict=True)):
            if step < self.steps:
                yield Plan(*batch)

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of epoch `number` (from 0), of which the process `rank` out of `world` gets its share."""
        for plan in self.plan(number):
            chosen, shifts, flips, holes = (part[rank::world] for part in plan)
            yield self.batch(chosen, shifts, flips if self.flip else None, holes if self.cutout else None)

    def first(self, count: int) -> torch.Tensor:
        """The first `count` images, or all if there are fewer, unaugmented."""
        return self.batch(torch.arange(min(count, len(self)), device=self.device))[0]

    def in_order(
        self, batch_size: int = 500, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All images once, in their order, unaugmented; the process `rank` out of `world` gets every world-th batch."""
        for chosen in torch.arange(len(self), device=self.device).split(batch_size)[rank::world]:
            yield self.batch(chosen)


def _inside(holes, side, size):
    """A mask N x 1 x H x W of squares of `side` pixels around their middles, cut off at the border."""
    (row, column), half = holes.T[..., None], side // 2
    rows, columns = (torch.arange(length, device=holes.device) for length in size)
    down = (rows >= row - half) & (rows < row - half + side)
    across = (columns >= column - half) & (columns < column - half + side)
    return (down[:, :, None] & across[:, None, :])[:, None]


def _windows(images, name, size, shift, fill):
    """N x C x (2 shift + 1) x (2 shift + 1) x rows x columns: a view of the padded images in which a shift is an index.

    Raises ValueError for images that are larger than `size`, or so small that zeros would be most of the picture.
    """
    height, width = images.shape[2:]
    rows, columns = (height, width) if size is None else (size, size)
    if height > rows or width > columns:
        raise ValueError(f"the {name} images are {height} x {width}; the model takes {rows} x {columns}")
    if rows > MOST_PADDING * height or columns > MOST_PADDING * width:
        raise ValueError(
            f"the {name} images are {height} x {width}; the model takes {rows} x {columns}, and zeros would be "
            f"{1 - height * width / (rows * columns):.0%} of that: take a model for small images, or larger images"
        )
    top, left = (rows - height) // 2, (columns - width) // 2
    images = F.pad(images, (left, columns - width - left, top, rows - height - top))
    if fill == "reflect":  # by indices, for F.pad does not reflect bytes
        down, across = (_reflected(length, shift, images.device) for length in (rows, columns))
        images = images[:, :, down][:, :, :, across]
    else:
        images = F.pad(images, (shift, shift, shift, shift))
    return images.unfold(2, rows, 1).unfold(3, columns, 1)


def _reflected(length, margin, device):
    """The indices of a row with a margin on both sides, mirrored at its first and at its last pixel."""
    places = torch.arange(-margin, length + margin, device=device).abs()
    return torch.where(places < length, places, 2 * (length - 1) - places)


def check_data(dataset: Dataset) -> None:
    """Raises ValueError, one line that says what came and what was expected, for data that no model can learn from."""
    images, labels = dataset.images, dataset.labels
    what = f"the {dataset.split} images of {dataset.name}"
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, torch.Tensor) or value.is_sparse or value.is_meta:
            came = type(value).__name__
            raise ValueError(f"the {name} of {dataset.name} are a {came}; expected a tensor: torch.tensor(...)")
    if not isinstance(dataset.classes, tuple | list):
        raise ValueError(f"the classes of {dataset.name} are {dataset.classes!r}; expected a tuple of names")
    for name, values in (("mean", dataset.mean), ("std", dataset.std)):
        if not isinstance(values, tuple | list) or not all(isinstance(value, int | float) for value in values):
            raise ValueError(f"the {name} of {what} is {values!r}; expected a tuple, a number a channel")
    if images.ndim != 4 or not all(images.shape):
        raise ValueError(f"{what} are {_shape(images)}; expected N x C x H x W, none of them 0")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"{what} are {_kind(images)}; expected uint8 from 0 to 255, or floats from 0 to 1")
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise ValueError(
            f"the labels of {what} are {_kind(labels)}, {_shape(labels)}; expected int64, one class number an image: "
            "labels.argmax(1) makes them of one-hot rows, labels.flatten().long() of a column"
        )
    if len(images) != len(labels):
        raise ValueError(f"{what} are {_shape(images)} with {len(labels)} labels; expected as many labels as images")
    if images.is_floating_point() and not (finite := images.isfinite().flatten(1).all(1)).all():
        bad = (~finite).nonzero().flatten().tolist()
        raise ValueError(f"{what} hold NaN or infinity: {len(bad)} of {len(images)}, the first is number {bad[0]}")
    if labels.min() < 0 or labels.max() >= len(dataset.classes):
        raise ValueError(
            f"{what} have labels {labels.min()} to {labels.max()}; there are {len(dataset.classes)} classes"
        )
    channels = images.shape[1]
    if len(dataset.mean) != channels or not all(map(math.isfinite, dataset.mean)):
        raise ValueError(f"the mean of {what} is {dataset.mean}; expected a finite number a channel ({channels})")
    if len(dataset.std) != channels or not all(0 < value < math.inf for value in dataset.std):
        raise ValueError(f"the std of {what} is {dataset.std}; expected a number above 0 a channel ({channels})")


def _shape(tensor):
    return " x ".join(map(str, tensor.shape)) or "a single number"


def _kind(tensor):
    return str(tensor.dtype).removeprefix("torch.")
