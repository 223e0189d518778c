"""An average of the weights along the way, beside the training or in the place of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average:
    """The exponential average of a model's weights and floating buffers, such as the statistics of batch norm.

    Counters, such as that of batches, are not averaged: the model's own are used. `values` is all that a checkpoint
    needs.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self.values = {name: value.clone() for name, value in self._current().items()}

    def _current(self):
        state = self.model.state_dict()
        return {name: value for name, value in state.items() if value.is_floating_point()}

    @torch.no_grad()
    def update(self, keep: float, write_back: bool = False) -> None:
        """average <- keep * average + (1 - keep) * model; written back, training goes on from the average.

        The former is an average aside (Polyak & Juditsky 1992; exponential), the latter the slow weights of Lookahead
        (Zhang, Lucas, Hinton & Ba 2019, algorithm 1, where 1 - keep is called alpha).
        """
        for name, value in self._current().items():
            self.values[name].lerp_(value, 1 - keep)
            if write_back:
                value.copy_(self.values[name])

    @torch.no_grad()
    def take(self) -> None:
        """The model's weights become the average."""
        for name, value in self._current().items():
            value.copy_(self.values[name])

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The model has the average's weights while the block runs, then its own again."""
        kept = {name: value.clone() for name, value in self._current().items()}
        self.take()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self._current().items():
                    value.copy_(kept[name])


def keep_of(decay: float, every: int, part: float) -> float:
    """What an update keeps of the average when `part` of the run is done: decay to the power of `every` steps, times
    part cubed.

    Early weights change so fast that an average of them is of no use: the cube lets it follow the model at first and
    reach the full decay at the end (Jordan 2024, airbench).
    """
    return decay**every * part**3
