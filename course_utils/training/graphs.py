"""CUDA graphs: the kernels of a training step, recorded once and then launched together.

Otherwise Python launches one after the other; with small images a kernel is done before the next one comes.
"""

import torch
from torch import nn


def capture(model: nn.Module, images: torch.Tensor, precision: str) -> None:
    """Give a model on CUDA a CUDA graph for its forward and backward pass, on batches of the size of `images`.

    In train mode only. The kernels, and so the losses, are the same. (torch.cuda.make_graphed_callables)
    """
    # A graph is recorded on a stream of its own. torch warns that this may cost time; it saves half to two thirds.
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    kept = {name: buffer.clone() for name, buffer in model.named_buffers()}  # the passes of the recording move them
    model.train()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
        torch.cuda.make_graphed_callables(model, (images,))
    for name, buffer in model.named_buffers():
        buffer.copy_(kept[name])


def release(model: nn.Module) -> None:
    """Take the CUDA graph away again: the model is as it was, for batches of any size."""
    del model.forward  # the one that stood before the class's own
