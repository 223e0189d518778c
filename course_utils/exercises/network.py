"""What a function is asked: to answer, or to build a network, an `nn.Module`, which then runs on images.

The network gets weights, images and a gradient of its output as plain data, and gives its output and the gradients
back as plain data. This file runs on both sides of the sandbox; PyTorch is imported late.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from course_utils.exercises.plain import NoNetwork, answer, refuse_wrong_inputs

_built: Any = None  # the network that the last "build" made


class Broken(Exception):
    """A network cannot be tried; the text is a key of `building.BROKEN`."""


def respond(function: Callable, request: str, data: Any) -> tuple[dict[str, Any], BaseException | None]:
    """The reply to a request, and the exception that was raised, if any.

    call   (inputs): what the function returns, see `plain.answer`
    build  (inputs): the tensors of the network that it returns, see `tensors`, or a key of `building.BROKEN`
    apply  (weights, x, dy, training): the output and the gradients of that network, see `run`, or such a key
    """
    if request == "apply":
        return answer(apply, data)
    if request == "build":
        return answer(lambda *inputs: build(function, inputs), data)
    return answer(function, data)


def build(function: Callable, inputs: tuple) -> list[tuple[str, tuple, str]] | str:
    """Build a network and list its tensors, or say that it has a lazy layer. Raises NoNetwork for anything else."""
    from torch import nn

    global _built
    refuse_wrong_inputs(function, inputs)
    _built = function(*inputs)
    if not isinstance(_built, nn.Module):
        raise NoNetwork(type(_built).__name__)
    return "a lazy layer" if any(map(nn.parameter.is_lazy, _built.parameters())) else tensors(_built)


def tensors(network: Any) -> list[tuple[str, tuple, str]]:
    """Name, shape and class of the layer of each parameter and each running average, in the order of definition."""
    layers = dict(network.named_modules())
    running = (row for row in network.named_buffers() if row[0].endswith(("running_mean", "running_var")))
    return [
        (name, tuple(tensor.shape), type(layers[name.rpartition(".")[0]]).__name__)
        for name, tensor in [*network.named_parameters(), *running]
    ]


def apply(weights: dict[str, np.ndarray], x: np.ndarray, dy: np.ndarray, training: bool) -> tuple | str:
    """`run` for the network that was built last, or a key of `building.BROKEN`."""
    try:
        return run(_built, weights, x, dy, training)
    except Broken as broken:
        return str(broken)
    except NotImplementedError:  # of a module without forward; out of a function it would mean: still to do
        return "no forward"


def run(
    network: Any, weights: dict[str, np.ndarray], x: np.ndarray, dy: np.ndarray | None, training: bool
) -> tuple[np.ndarray, np.ndarray | None, list[np.ndarray | None]]:
    """A network's output for images `x`, the gradient of the images, and those of the parameters in order, in float32.

    They are computed in float64. In float32 it is rounding that decides on which side of 0 some inputs of ReLU are, and
    what the gradient of a bias before batch norm is; another order of the same sums, or more threads, round otherwise.
    A network that computes with tensors in float32 of its own, so that float64 does not go with them, runs in float32.

    `dy` is the gradient of the output; where it has another shape than the output there is no backward pass.
    Raises Broken for a network that returns no tensor or changes its weights.
    """
    import torch

    try:
        return _run(network, weights, x, dy, training, torch.float64)
    except RuntimeError:
        return _run(network, weights, x, dy, training, torch.float32)


def _run(network: Any, weights: dict, x: np.ndarray, dy: np.ndarray | None, training: bool, dtype: Any) -> tuple:
    import torch

    before = torch.get_default_dtype()
    with torch.inference_mode(False), torch.enable_grad():  # whatever the function left behind
        try:
            torch.set_default_dtype(dtype)  # of what it makes in forward
            network.to("cpu", dtype)
            network.train(training)
            network.zero_grad()
            sent = {name: torch.tensor(value, dtype=dtype, device="cpu") for name, value in weights.items()}
            with torch.no_grad():
                for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
                    if name in sent:
                        tensor.copy_(sent[name])
            images = torch.tensor(x, dtype=dtype, device="cpu", requires_grad=True)
            y = network(images.clone())  # a copy may be changed in place
            if not isinstance(y, torch.Tensor):
                raise Broken("no tensor")
            if dy is not None and y.shape == dy.shape and y.requires_grad:
                y.backward(torch.tensor(dy).to(y))
            parameters = dict(network.named_parameters())
            if not all(torch.equal(tensor, sent[name]) for name, tensor in parameters.items() if name in sent):
                raise Broken("changed weights")
            y, dx, *gradients = (_array(tensor) for tensor in (y, images.grad, *(p.grad for p in parameters.values())))
            return y, dx, gradients
        finally:
            torch.set_default_dtype(before)
            network.to(torch.float32)


def _array(tensor: Any) -> np.ndarray | None:
    """A tensor as an array; float64 as float32, so that half as much is sent."""
    if tensor is None:
        return None
    return (tensor.float() if str(tensor.dtype) == "torch.float64" else tensor).detach().cpu().numpy()
