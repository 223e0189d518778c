"""What a model makes of a data set: its outputs, its loss and its accuracy. Images are looked at as they are."""

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.datasets import Dataset
from course_utils.datasets.batches import Batches
from course_utils.machine import autocast, pick_device, pick_precision


def predict(
    model: nn.Module, dataset: Dataset, *, device: str | None = None, precision: str | None = None
) -> torch.Tensor:
    """The model's outputs on a Dataset: N x classes, float32, on the CPU. The model ends in eval mode.

    Raises ValueError for data that make no sense or that the model cannot take, an unknown device or precision.
    """
    check_kinds(model=(model, nn.Module), dataset=(dataset, Dataset))
    place = pick_device(device)
    batches = Batches(dataset, place, getattr(model, "input_size", None))
    check_fit(model.to(place), batches)
    return outputs(model, batches, pick_precision(precision, place)).cpu()


def evaluate(
    model: nn.Module, dataset: Dataset, *, device: str | None = None, precision: str | None = None
) -> dict[str, float]:
    """Cross-entropy and accuracy of a model on a Dataset: {"loss": ..., "accuracy": ...}. Raises as `predict`."""
    return measure(predict(model, dataset, device=device, precision=precision), dataset.labels)


def check_kinds(**given: tuple[object, type]) -> None:
    """Raises ValueError for an argument, name=(value, kind), that is of another kind."""
    for name, (value, kind) in given.items():
        if not isinstance(value, kind):
            came = " ".join(f"{value!r:.60}".split()) if not isinstance(value, type) else value.__name__
            raise ValueError(f"{name} is {came}; expected a {kind.__name__}")


@torch.no_grad()
def outputs(model: nn.Module, batches: Batches, precision: str) -> torch.Tensor:
    """The model's outputs on all images in their order: N x classes, float32. Leaves the model in eval mode."""
    model.eval()
    with autocast(precision, batches.device):
        return torch.cat([model(images) for images, _ in batches.in_order()]).float()


def measure(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Mean cross-entropy and accuracy of logits N x classes for labels N."""
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": (logits.argmax(1) == labels).double().mean().item(),
    }


@torch.no_grad()
def check_fit(model: nn.Module, batches: Batches) -> None:
    """Raises ValueError if the model cannot take these images or has too few outputs for their labels."""
    count = min(2, len(batches))  # two, for a model may take the mean over its batch
    images, _ = batches.batch(torch.arange(count, device=batches.device))
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
