"""What goes on inside a network: activations and gradients by layer, recorded with hooks."""

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Recording:
    """What the layers of a model gave: `activations[name]` and `gradients[name]`, queues of 1-D tensors on the CPU.

    name is the layer's, as `model.named_modules()` spells it; the newest pass comes last; a gradient is that of the
    loss by the layer's output.
    """

    activations: dict = field(default_factory=dict)
    gradients: dict = field(default_factory=dict)


@contextmanager
def record(model, kinds=None, *, passes=1, values=10_000):
    """Record the outputs of a model's layers, and their gradients, while the block runs.

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
    recording = Recording(*({name: deque(maxlen=passes) for name in layers} for _ in range(2)))
    is_open = True

    def keep(queue, tensor):
        if is_open:  # the hook on an output lives as long as its graph, which may outlive the block
            flat = tensor.detach().flatten()
            queue.append(flat[:: -(-len(flat) // values)].float().cpu().clone())

    def hook(name):
        def after(layer, inputs, output):
            keep(recording.activations[name], output)
            if output.requires_grad:
                output.register_hook(lambda gradient: keep(recording.gradients[name], gradient))

        return after

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield recording
    finally:
        is_open = False
        for handle in handles:
            handle.remove()
