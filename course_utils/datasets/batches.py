"""Batches cut out of a whole data set that lies on the device as one tensor, shifted, flipped and normalized there.

An epoch's order and augmentation are drawn from generators seeded by (seed, epoch, purpose), for the whole batch; then
the batch is divided. So what a run has seen depends on its seed and not on how many processes shared the work.
"""

import math
from collections.abc import Iterator

import torch
from torch.nn import functional as F

from course_utils.datasets import Dataset
from course_utils.machine import derived_seed

MOST_PADDING = 1.5  # times the image's own side


class Batches:
    """A Dataset on a device, its images zero-padded once to `size` (a side, in pixels; None: as they are).

    `epoch` yields the training batches of an epoch, `in_order` all images once, as they are. Raises ValueError for data
    that no model can learn from, for images that do not fit the size, and for a batch larger than the data set.
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
        flip: bool = False,
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
        self.name, self.batch_size, self.seed, self.shift, self.flip = dataset.name, batch_size, seed, shift, flip
        self.steps = len(dataset) // batch_size  # an epoch; the few images left over wait for another order
        images = dataset.images.to(device)
        unit = 255.0 if images.dtype == torch.uint8 else 1.0
        self.mean = unit * torch.tensor(dataset.mean, device=device).view(-1, 1, 1)
        self.std = unit * torch.tensor(dataset.std, device=device).view(-1, 1, 1)
        self.labels = dataset.labels.to(device)
        self.middle = torch.tensor([shift, shift], device=device)
        self.windows = _windows(images, dataset.name, size, shift)

    def __len__(self):
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        return self.labels.device

    def batch(
        self, chosen: torch.Tensor, shifts: torch.Tensor | None = None, flips: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images N x C x H x W, normalized, and labels of the indices `chosen`; shifts N x 2 from 0 on, flips N."""
        top, left = self.middle if shifts is None else shifts.T
        images = self.windows[chosen, :, top, left]
        if flips is not None:
            images = torch.where(flips.view(-1, 1, 1, 1), images.flip(3), images)
        return (images - self.mean) / self.std, self.labels[chosen]

    def plan(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """For each batch of epoch `number` (from 0): indices of its images, their shifts (N x 2, from 0), flips (N)."""
        n = len(self)
        order, augmentation = (torch.Generator().manual_seed(derived_seed(self.seed, number, k)) for k in (0, 1))
        chosen = torch.randperm(n, generator=order)
        shifts = torch.randint(2 * self.shift + 1, (n, 2), generator=augmentation)
        flips = torch.rand(n, generator=augmentation) < (0.5 if self.flip else 0)
        parts = (part.to(self.device).split(self.batch_size) for part in (chosen, shifts, flips))
        for step, batch in enumerate(zip(*parts, strict=True)):
            if step < self.steps:
                yield batch

    def epoch(self, number: int, rank: int = 0, world: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of epoch `number` (from 0), of which the process `rank` out of `world` gets its share."""
        for chosen, shifts, flips in self.plan(number):
            mine = slice(rank, None, world)
            yield self.batch(chosen[mine], shifts[mine], flips[mine] if self.flip else None)

    def in_order(self, batch_size: int = 500) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """All images once, in their order, unaugmented."""
        for chosen in torch.arange(len(self), device=self.device).split(batch_size):
            yield self.batch(chosen)


def _windows(images, name, size, shift):
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
    top, left = (rows - height) // 2 + shift, (columns - width) // 2 + shift
    bottom, right = rows + 2 * shift - height - top, columns + 2 * shift - width - left
    return F.pad(images, (left, right, top, bottom)).unfold(2, rows, 1).unfold(3, columns, 1)


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
