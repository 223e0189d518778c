"""What goes on inside a network: activations and gradients by layer, watched with hooks; the stages of a LeNet."""

import math
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F

STAGES = ("c1", "s2", "c3", "s4", "c5", "f6", "output")


@dataclass
class Watched:
    """What the layers of a model gave: `activations[name]` and `gradients[name]`, queues of 1-D tensors on the CPU.

    name is the layer's, as `model.named_modules()` spells it; the newest pass comes last; a gradient is that of the
    loss with respect to the layer's output.
    """

    activations: dict = field(default_factory=dict)
    gradients: dict = field(default_factory=dict)


@contextmanager
def watch(model, kinds=None, *, passes=1, values=10_000):
    """Keep the outputs of a model's layers, and their gradients, while the block runs: yields a `Watched`.

    kinds: a class of layers or a tuple of them; None takes every layer that has no layers in it. Of each layer the last
    `passes` tensors are kept, and of each tensor at most `values` numbers, evenly spaced. On exit the hooks are gone,
    whatever happened in the block. Raises ValueError if no layer is of these kinds, or a size is below 1.
    """
    if passes < 1 or values < 1:
        raise ValueError(f"passes is {passes} and values is {values}; expected both at least 1")
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if (isinstance(layer, kinds) if kinds else not list(layer.children()))
    }
    if not layers:
        raise ValueError(f"{type(model).__name__} has no layer of the kinds {kinds}")
    watched = Watched(*({name: deque(maxlen=passes) for name in layers} for _ in range(2)))
    is_open = True

    def keep(queue, tensor):
        if is_open:  # the hook on an output lives as long as its graph, which may outlive the block
            flat = tensor.detach().flatten()
            queue.append(flat[:: -(-len(flat) // values)].float().cpu().clone())

    def hook(name):
        def after(layer, inputs, output):
            keep(watched.activations[name], output)
            if output.requires_grad:
                output.register_hook(lambda gradient: keep(watched.gradients[name], gradient))

        return after

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield watched
    finally:
        is_open = False
        for handle in handles:
            handle.remove()


@torch.no_grad()
def stage_states(net, images):
    """What leaves each stage of a LeNet for images N x C x H x W: name -> tensor, in the order of STAGES.

    The states are those behind the squashing function, where a stage has one.
    """
    states, x = {}, images
    for name, layer in net.named_children():
        x = layer(x)
        stage = name.removesuffix("_squash")
        if stage in STAGES:
            states[stage] = x
    return states


def moved(image, right=0, down=0, turn=0):
    """An image C x H x W, moved by pixels and turned anticlockwise by degrees; its darkest grey fills what is left."""
    height, width = image.shape[-2:]
    angle = math.radians(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    # affine_grid wants the way back, from the new image to the old one, in units of half the image's side.
    x, y = -2 * right / width, -2 * down / height
    back = torch.tensor([[cos, -sin, cos * x - sin * y], [sin, cos, sin * x + cos * y]])
    grid = F.affine_grid(back[None], (1, 1, height, width), align_corners=False)
    ground = image.min()
    return F.grid_sample(image[None] - ground, grid, align_corners=False)[0] + ground
