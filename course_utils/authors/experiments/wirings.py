"""Units in the same places, wired in three ways, on digits as they are and with their pixels permuted: chapter 05.

Each row has the learning rate that is best for it on validation data, out of four, found with another seed, at each
of two budgets; then three runs at that rate. All choices are made on validation data; the test images are only drawn.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from operator import itemgetter

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import datasets, evaluation, training
from course_utils.arithmetic import output_size
from course_utils.authors.experiments.sweeps import recipe_values, sweep
from course_utils.datasets import Dataset

WHAT = (
    "the same units wired fully, locally, and locally with shared weights: test accuracy of seeds 0, 1, 2 at the best "
    "rate of the sweep, on digits, on digits with permuted pixels, and on digits moved by 0 to 4 pixels"
)
SEEDS, SWEEP_SEED = (0, 1, 2), 100
RATES = (0.05, 0.1, 0.2, 0.4)
BUDGETS = (5, 15)  # epochs
RECIPE = training.Recipe(epochs=5, batch_size=64)
SHIFTS = (0, 1, 2, 3, 4)  # pixels
WIRINGS = ("fully connected", "locally connected", "convolution")
POOLED = ("locally connected, global max", "convolution, global max")  # the place is forgotten behind them


class LocallyConnected2d(nn.Module):
    """A convolution that shares nothing: every place of the window has weights of its own."""

    def __init__(self, in_channels: int, out_channels: int, size: int, kernel_size: int, stride: int):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.side = output_size(size, kernel_size, stride)  # of a map
        inputs = in_channels * kernel_size**2
        bound = inputs**-0.5  # torch's own for nn.Conv2d and nn.Linear
        self.weight = nn.Parameter(torch.empty(self.side**2, out_channels, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, self.side**2).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        windows = F.unfold(x, self.kernel_size, stride=self.stride)  # N x inputs x places
        y = torch.einsum("nip,poi->nop", windows, self.weight) + self.bias
        return y.unflatten(2, (self.side, self.side))


def network(wiring: str) -> nn.Sequential:
    """784 pixels, 8 maps of 12 x 12 units, 32 maps of 4 x 4 units, 10 scores; what a unit reads depends on the wiring.

    Raises ValueError for a wiring that is not among `WIRINGS` and `POOLED`.
    """
    if wiring == "fully connected":
        first, second = nn.Linear(28 * 28, 8 * 12 * 12), nn.Linear(8 * 12 * 12, 32 * 4 * 4)
        return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), nn.Linear(32 * 4 * 4, 10))
    if wiring not in WIRINGS + POOLED:
        raise ValueError(f"wiring is {wiring!r}; expected one of: {'; '.join(WIRINGS + POOLED)}")
    if wiring.startswith("locally connected"):
        first, second = LocallyConnected2d(1, 8, 28, 5, stride=2), LocallyConnected2d(8, 32, 12, 5, stride=2)
    else:
        first, second = nn.Conv2d(1, 8, 5, stride=2), nn.Conv2d(8, 32, 5, stride=2)
    head = [nn.Flatten(), nn.Linear(32 * 4 * 4, 10)]
    if wiring in POOLED:  # of each map only its largest value, wherever it is
        head = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 10)]
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *head)


def permuted(dataset: Dataset, seed: int) -> Dataset:
    """The same images with their pixels in another order, the same for all images; it depends on the seed alone."""
    order = torch.randperm(dataset.images[0].numel(), generator=torch.Generator().manual_seed(seed))
    return replace(dataset, images=dataset.images.flatten(1)[:, order].view_as(dataset.images))


def shifted(dataset: Dataset, pixels: int) -> Dataset:
    """The images moved by some pixels, zeros moving in: each fourth image to the right, to the left, down and up."""
    size, wide = dataset.images.shape[2:], F.pad(dataset.images, (pixels,) * 4)
    moved = torch.empty_like(dataset.images)
    for k, (top, left) in enumerate([(1, 0), (1, 2), (0, 1), (2, 1)]):
        rows, columns = (slice(part * pixels, part * pixels + n) for part, n in zip((top, left), size, strict=True))
        moved[k::4] = wide[k::4, :, rows, columns]
    return replace(dataset, images=moved)


def fit(net: nn.Module, data: Sequence[Dataset], recipe: training.Recipe, seed: int, precision: str = "float32"):
    """Train a network, in place, on the first of two splits."""
    training.fit(net, data[0], data[1], recipe, seed=seed, device="cpu", precision=precision, quiet=True)


def train(wiring: str, data: Sequence[Dataset], recipe: training.Recipe, seed: int) -> nn.Sequential:
    """A network of that wiring, trained on the first of two splits, from initial weights that depend on the seed."""
    torch.manual_seed(seed)
    net = network(wiring)
    fit(net, data, recipe, seed)
    return net


def accuracy(net: nn.Module, dataset: Dataset) -> float:
    """The share of right answers."""
    return evaluation.evaluate(net, dataset, device="cpu", precision="float32")["accuracy"]


# ---- The record, and a run beside it


def recorded(wiring: str, pixels: str, epochs: int = BUDGETS[0]) -> tuple[float, np.ndarray]:
    """Of a row of the record: its learning rate, and its test accuracies in percent, seeds x shifts.

    Raises ValueError for a row that the record does not have.
    """
    [record] = training.load_runs("wirings-mnist-mini")
    rows = {(row["wiring"], row["pixels"], row["epochs"]): row for row in record["rows"]}
    if (wiring, pixels, epochs) not in rows:
        raise ValueError(f"the record has no {wiring!r}, {pixels!r}, {epochs!r} epochs; it has {list(rows)}")
    row = rows[wiring, pixels, epochs]
    return row["learning_rate"], 100 * np.array(row["test_accuracy"])


def rerun(wiring: str, pixels: str, data: Sequence[Dataset], seed: int) -> nn.Sequential:
    """One more network, trained for five epochs at the recorded rate, on data whose pixels are in that order."""
    rate, _ = recorded(wiring, pixels)
    return train(wiring, data, replace(RECIPE, learning_rate=rate), seed)


# ---- The experiment


def outcome(wiring, pixels, splits, epochs, rate, seed):
    """Of one run: its validation accuracy, and its test accuracy at each shift, or without one where permuted."""
    *data, test = (permuted(split, seed) if pixels == "permuted" else split for split in splits)
    try:
        net = train(wiring, data, replace(RECIPE, epochs=epochs, learning_rate=rate), seed)
    except training.Diverged:
        return {"validation_accuracy": 0.0, "test_accuracy": [0.0]}
    tests = [test] if pixels == "permuted" else [shifted(test, shift) for shift in SHIFTS]
    return {"validation_accuracy": accuracy(net, data[1]), "test_accuracy": [accuracy(net, some) for some in tests]}


def experiment(data, pieces):
    """The fields of the record: a row for each wiring, order of the pixels, and budget."""
    splits = [datasets.load(data, split) for split in ("train", "validation", "test")]
    plans = [(wiring, pixels) for wiring in WIRINGS for pixels in ("as they are", "permuted")]
    plans += [(wiring, "as they are") for wiring in POOLED]
    pieces.expect(len(plans) * len(BUDGETS) * (len(RATES) + len(SEEDS)))
    rows = []
    for epochs, (wiring, pixels) in product(BUDGETS, plans):
        fit = partial(outcome, wiring, pixels, splits, epochs)
        run = pieces.run_of(f"{wiring}, {pixels}: {epochs} epochs,", fit)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES, itemgetter("validation_accuracy"))
        row = {"wiring": wiring, "pixels": pixels, "epochs": epochs, "learning_rate": best}
        row["sweep"] = {rate: found["validation_accuracy"] for rate, found in swept.items()}
        runs = [run(best, seed) for seed in SEEDS]
        rows.append(row | {name: [run[name] for run in runs] for name in runs[0]})
    about = {"seeds": SEEDS, "sweep_seed": SWEEP_SEED, "shifts": SHIFTS}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
