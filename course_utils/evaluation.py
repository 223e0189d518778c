"""What a model makes of a data set: its outputs, its loss and its accuracy. Images are looked at as they are."""

import math
from collections.abc import Sequence
from types import UnionType
from typing import get_args

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.datasets.sources import Data, Source, source
from course_utils.machine import autocast, pick_device, pick_precision

BATCH = 500  # images at once
TTA = ("none", "flip", "shift")  # test-time augmentation


def predict(
    model: nn.Module,
    dataset: Data,
    *,
    tta: str = "none",
    device: str | None = None,
    precision: str | None = None,
) -> torch.Tensor:
    """The model's outputs on a Dataset: N x classes, float32, on the CPU. The model ends in eval mode.

    tta: the mean of outputs, see `look`. Raises ValueError for data that make no sense or that the model cannot take,
    an unknown tta, device or precision.
    """
    check_kinds(model=(model, nn.Module), dataset=(dataset, Data))
    if tta not in TTA:
        raise ValueError(f"tta is {tta!r}; expected {' or '.join(TTA)}")
    place = pick_device(device)
    precision = pick_precision(precision, place)
    dtype = torch.float64 if precision == "float64" else torch.float32
    batches = source(dataset, place, getattr(model, "input_size", None), dtype=dtype)
    # As in training, so that the outputs are the same. (torch's own types know no `to` with a memory format.)
    model = model.to(place, dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    check_fit(model, batches)
    return outputs(model, batches, precision, tta).cpu()


def evaluate(
    model: nn.Module,
    dataset: Data,
    *,
    tta: str = "none",
    device: str | None = None,
    precision: str | None = None,
) -> dict[str, float]:
    """Cross-entropy and accuracy of a model on a Dataset: {"loss": ..., "accuracy": ...}. Raises as `predict`."""
    return measure(predict(model, dataset, tta=tta, device=device, precision=precision), dataset.labels)


def check_kinds(**given: tuple[object, type | UnionType]) -> None:
    """Raises ValueError for an argument, name=(value, kind), that is of another kind."""
    for name, (value, kind) in given.items():
        if not isinstance(value, kind):
            came = " ".join(f"{value!r:.60}".split()) if not isinstance(value, type) else value.__name__
            kinds = " or ".join(each.__name__ for each in ((kind,) if isinstance(kind, type) else get_args(kind)))
            raise ValueError(f"{name} is {came}; expected a {kinds}")


@torch.no_grad()
def outputs(
    model: nn.Module, batches: Source, precision: str, tta: str = "none", rank: int = 0, world: int = 1
) -> torch.Tensor:
    """The model's outputs on all images in their order, or a process's share of them: N x classes, float32.

    Leaves the model in eval mode.
    """
    model.eval()
    with autocast(precision, batches.device):
        parts = [look(model, images, tta) for images, _ in batches.in_order(BATCH, rank, world)]
    return torch.cat(parts).float() if parts else torch.empty(0)  # more processes than batches


def look(model: nn.Module, images: torch.Tensor, tta: str) -> torch.Tensor:
    """The model's outputs on a batch, with test-time augmentation: N x classes.

    "flip": the mean over each image and its mirror image. "shift": that, half of it from the image as it stands and a
    quarter each from the image moved by a pixel down and right, and up and left, its border reflected (Jordan 2024,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.5: `multi-crop`).
    """
    if tta == "none":
        logits = model(images)
        return logits.float() if logits.dtype == torch.bfloat16 else logits  # a mean of bfloat16 would be rounded
    if tta == "flip":
        return (look(model, images, "none") + look(model, images.flip(3), "none")) / 2
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    moved = look(model, padded[:, :, :-2, :-2], "flip") + look(model, padded[:, :, 2:, 2:], "flip")
    return look(model, images, "flip") / 2 + moved / 4


def measure(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Mean cross-entropy and accuracy of logits N x classes for labels N."""
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
    }


def top_k(logits: torch.Tensor, labels: torch.Tensor, k: int) -> float:
    """The part of images whose label is among the k largest of their logits N x classes.

    Raises ValueError for a k below 1 or above the number of classes.
    """
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"k is {k!r}; expected 1 to {logits.shape[1]}, the number of classes")
    order = logits.argsort(dim=1, descending=True, stable=True)  # of equal ones the first, as argmax
    return (order[:, :k] == labels[:, None]).any(1).double().mean().item()


def ensemble(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """The logarithm of the mean of several models' probabilities; each logits N x classes, of the same images."""
    return torch.stack([F.log_softmax(each.double(), 1) for each in logits]).logsumexp(0) - math.log(len(logits))


def interval(accuracy: float, images: int) -> tuple[float, float]:
    """Between what the accuracy on endlessly many such images lies, at 95%: Wilson's interval (1927).

    It speaks of chance in the choice of the test images, not of that in training.
    """
    from scipy.stats import binomtest  # here, for its import takes as long as that of half of torch

    found = binomtest(round(accuracy * images), images).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


@torch.no_grad()
def check_fit(model: nn.Module, batches: Source) -> None:
    """Raises ValueError if the model cannot take these images or has too few outputs for their labels."""
    count = min(2, len(batches))  # two, for a model may take the mean over its batch
    images = batches.first(count)
    what = f"images of {' x '.join(map(str, images.shape[1:]))} ({batches.name})"
    model.eval()
    try:
        logits = model(images)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split()).partition(" Exception raised from")[0] or type(error).__name__
        raise ValueError(f"the model cannot take {what}: {reason}") from error
    if not isinstance(logits, torch.Tensor):
        raise ValueError(f"the model returns a {type(logits).__name__} for {what}; expected a tensor N x classes")
    largest = int(batches.labels.max())
    if logits.ndim != 2 or len(logits) != count or logits.shape[1] <= largest:
        raise ValueError(
            f"the model makes {tuple(logits.shape)} of {count} images ({batches.name}); labels go to {largest}, "
            f"so expected ({count}, {largest + 1}) or more"
        )
