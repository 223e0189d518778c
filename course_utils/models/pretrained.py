"""Networks that were trained on CIFAR-10 and are part of the package: for filters, deleted layers, what units see."""

import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import nn

from course_utils import models
from course_utils.files import write

WEIGHTS = Path(__file__).parent / "weights"


def available() -> list[str]:
    """The names that `load` knows."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def load(name: str) -> nn.Module:
    """The network of the recorded run data/runs/NAME-cifar10-seed0, with its weights, in eval mode.

    The weights are kept as float16 and used as float32. Raises ValueError for a name that `available` does not list.
    """
    if name not in available():
        raise ValueError(f"no trained {name!r} is part of the course; there are {', '.join(available())}")
    path = WEIGHTS / f"{name}.safetensors"
    with safe_open(path, "pt") as file:
        options = json.loads(file.metadata()["model_options"])
        weights = {key: _wide(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    model = models.build(name, num_classes=10, in_channels=3, **options)
    model.load_state_dict(weights)
    return model.eval()


def keep(name: str, weights: dict[str, torch.Tensor], model_options: dict) -> Path:
    """Write a network's weights as float16 to where `load` finds them."""
    halves = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    path = WEIGHTS / f"{name}.safetensors"
    write(path, safetensors.torch.save(halves, {"model_options": json.dumps(model_options)}))
    return path


def _wide(value):
    return value.float() if value.is_floating_point() else value
