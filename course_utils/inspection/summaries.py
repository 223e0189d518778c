"""A network in rows, known before an image enters it: shapes, parameters, multiply-adds, receptive fields, memory.

The network runs once on torch's "meta" device, on which a tensor has a shape and no numbers.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral

import torch
from tabulate import tabulate
from torch import nn
from torch.func import functional_call

from course_utils.arithmetic import ReceptiveField
from course_utils.evaluation import check_kinds
from course_utils.inspection.following import Follow


@dataclass(frozen=True)
class Row:
    """What one call of a layer costs and sees, for one image.

    shape: of its output, without the batch. receptive_field: (size, jump, start) along the height, in input pixels, as
    `arithmetic.receptive_field` counts them; None from the layer on that mixes all positions, such as a flattening or
    a global pooling, or whose units do not see windows of one size in steps of one size. activation_bytes: of its
    output in float32.
    """

    name: str
    kind: str
    shape: tuple
    parameters: int
    multiply_adds: int
    receptive_field: ReceptiveField | None
    activation_bytes: int

    def cells(self):
        """The row as a Summary prints it."""
        field = [f"{number:g}" for number in self.receptive_field] if self.receptive_field else ("all", "", "")
        counts = (f"{self.parameters:,}", f"{self.multiply_adds:,}")
        return (self.name, self.kind, " x ".join(map(str, self.shape)), *counts, *field, f"{self.activation_bytes:,}")


@dataclass(frozen=True, repr=False)
class Summary:
    """A row a layer, in the order in which they run, and the totals; it prints as a table.

    parameters: of the whole model, each counted once, those of layers that did not run too. multiply_adds: of the whole
    pass, those between the layers too. activation_bytes: the sum of the rows.
    """

    rows: list
    parameters: int
    multiply_adds: int
    activation_bytes: int

    def __repr__(self):
        headers = ("layer", "kind", "output", "parameters", "multiply-adds", "field", "jump", "start", "bytes")
        rows = [row.cells() for row in self.rows]
        counts = (f"{self.parameters:,}", f"{self.multiply_adds:,}", "", "", "", f"{self.activation_bytes:,}")
        rows.append(("total", "", "", *counts))
        return tabulate(rows, headers, disable_numparse=True, colalign=("left",) * 3 + ("right",) * 6)


@torch.inference_mode(False)  # in which layers would pass whole, not as the operations that they are made of
def summarize(model, input_size):
    """The `Summary` of a model for one image of input_size (channels, height, width), in evaluation mode.

    A row is a layer that has no layers in it; one that is called twice has two rows. Multiply-adds are those of
    convolutions and matrix products; biases, normalization, pooling and additions are not counted. Where paths meet, a
    unit sees what it sees along any of them. The model stays as it was, whatever happens, and none of its weights are
    touched. Raises ValueError for a size that is none, or that the model cannot take.
    """
    check_kinds(model=(model, nn.Module))
    size = input_size if isinstance(input_size, (tuple, list)) else ()
    if len(size) != 3 or not all(isinstance(n, Integral) and not isinstance(n, bool) and n >= 1 for n in size):
        raise ValueError(
            f"input_size is {input_size!r:.60}; expected channels, height and width, such as (3, 224, 224)"
        )
    rows = []
    try:
        image = torch.empty(1, *size, device="meta")
        weights, follow = _without_numbers(model), Follow(image)
        with _hooked(model, follow, rows), follow:
            functional_call(model, weights, (image,))
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{type(model).__name__} cannot take {' x '.join(map(str, size))}: {reason}") from error
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Summary(rows, parameters, follow.multiply_adds, sum(row.activation_bytes for row in rows))


def _without_numbers(model):
    """The parameters and buffers of a model by name, on the meta device, in float32."""
    return {
        name: torch.empty_like(tensor, device="meta", dtype=torch.float32 if tensor.is_floating_point() else None)
        for tensors in (model.named_parameters(), model.named_buffers())
        for name, tensor in tensors
    }


@contextmanager
def _hooked(model, follow, rows):
    """The model in evaluation mode, each of its layers without layers in it hooked, such that a call adds a Row."""
    modes = {layer: layer.training for layer in model.modules()}
    handles = []
    try:
        for name, layer in model.named_modules():
            if not list(layer.children()):
                handles += _hooks(name, layer, follow, rows)
        model.eval()
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer, training in modes.items():
            layer.training = training


def _hooks(name, layer, follow, rows):
    before = []

    def after(layer, inputs, output):
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"layer {name!r} gives a {type(output).__name__}; expected a tensor")
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        multiply_adds = follow.multiply_adds - before.pop()
        field, size = follow.fields.get(output), tuple(output.shape[1:])
        rows.append(Row(name, type(layer).__name__, size, parameters, multiply_adds, field, 4 * output.numel()))

    return [
        layer.register_forward_pre_hook(lambda layer, inputs: before.append(follow.multiply_adds)),
        layer.register_forward_hook(after),
    ]
