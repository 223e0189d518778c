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
    """A network's output for images `x`, the gradient of the images, and those of the parameters in order.

    `dy` is the gradient of the output; where it has another shape than the output there is no backward pass.
    Raises Broken for a network that returns no tensor or changes its weights.
    """
    import torch

    with torch.inference_mode(False), torch.enable_grad():  # whatever the function left behind
        network.to("cpu", torch.float32)
        network.train(training)
        network.zero_grad()
        sent = {name: torch.tensor(value, dtype=torch.float32, device="cpu") for name, value in weights.items()}
        with torch.no_grad():
            for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
                if name in sent:
                    tensor.copy_(sent[name])
        images = torch.tensor(x, dtype=torch.float32, device="cpu", requires_grad=True)
        y = network(images.clone())  # a copy may be changed in place
        if not isinstance(y, torch.Tensor):
            raise Broken("no tensor")
        if dy is not None and y.shape == dy.shape and y.requires_grad:
            y.backward(torch.tensor(dy).to(y))
        parameters = dict(network.named_parameters())
        if not all(torch.equal(tensor, sent[name]) for name, tensor in parameters.items() if name in sent):
            raise Broken("changed weights")
    dx, *gradients = (None if p.grad is None else p.grad.numpy() for p in (images, *parameters.values()))
    return y.detach().cpu().numpy(), dx, gradients
