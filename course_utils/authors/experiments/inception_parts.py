"""What the parts of GoogLeNet are worth, one at a time, in small networks on digits: chapter 12.

Modules that are naive, reduced, or of one scale at the same cost; a mean or all positions before the classifier; a
deeper stack without batch norm, with an auxiliary head, and with batch norm. Each row has the rate that is best
for it on validation data, found with other seeds, at each of two budgets; then three runs at that rate.
"""

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from itertools import product

import torch
from torch import nn

from course_utils import training
from course_utils.authors.experiments.sweeps import accuracies, fit_some, recipe_values, sweep
from course_utils.models.googlenet import ConvReLU, Inception

WHAT = (
    "small networks of Inception modules on 2,000 digits: losses and accuracies of the last epoch, seeds 0, 1, 2, at "
    "the learning rate with the best mean validation accuracy in the sweep, for two numbers of epochs"
)
WIDTHS = (8, 8, 16, 4, 8, 8)  # as a row of Table 1: 1 x 1, 3 x 3 reduce, 3 x 3, 5 x 5 reduce, 5 x 5, pool proj
# Learning rates, half a power of ten apart. A sweep begins with three of them, and takes the next one as long as the
# best is an end: so the best has a worse one on both sides.
LADDER = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
FIRST = {arm: (0.1, 0.3, 1.0) for arm in ("reduced", "one scale", "one scale, no reduction")}
FIRST |= {"deep": (0.01, 0.03, 0.1), "deep, auxiliary": (0.01, 0.03, 0.1)}
OTHERS_FIRST = (0.03, 0.1, 0.3)
IMAGES = 2000
SEEDS = (0, 1, 2)
SWEEP_SEEDS = (100, 101, 102)
EPOCHS = (2, 6)
RECIPE = training.Recipe(epochs=2, batch_size=32)


class Naive(nn.Module):
    """Figure 2(a): the same branches without 1 x 1 reductions; what the pooling gives passes as it is."""

    def __init__(self, in_channels: int, n1x1: int, n3x3: int, n5x5: int):
        super().__init__()
        self.branch1 = ConvReLU(in_channels, n1x1, 1, batch_norm=True)
        self.branch2 = ConvReLU(in_channels, n3x3, 3, batch_norm=True)
        self.branch3 = ConvReLU(in_channels, n5x5, 5, batch_norm=True)
        self.branch4 = nn.MaxPool2d(3, stride=1, padding=1)
        self.out_channels = n1x1 + n3x3 + n5x5 + in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class OneScale(nn.Sequential):
    """3 x 3 windows only, to so many maps: behind a reduction to `reduced` maps, or, where that is 0, without one."""

    def __init__(self, in_channels: int, reduced: int, out_channels: int):
        reduction = [ConvReLU(in_channels, reduced, 1, batch_norm=True)] if reduced else []
        super().__init__(*reduction, ConvReLU(reduced or in_channels, out_channels, 3, batch_norm=True))
        self.out_channels = out_channels


def module(kind: str, in_channels: int, batch_norm: bool = True) -> nn.Module:
    """A naive or a reduced Inception module, or one of a single scale that costs as much as the reduced one.

    A convolution of 3 x 3 without reduction can give so many maps only if it reads few: its widths are 17, 12, 40.
    """
    if kind == "naive":
        return Naive(in_channels, *(WIDTHS[i] for i in (0, 2, 4)))
    if kind == "one scale":
        return OneScale(in_channels, 6 if in_channels < 40 else 8, 40)
    if kind == "3 x 3":
        return OneScale(in_channels, 0, {16: 17, 17: 12, 12: 40}[in_channels])
    return Inception(in_channels, *WIDTHS, batch_norm=batch_norm)


class Small(nn.Module):
    """A window of 5 x 5 with stride 2, modules on maps of 14 x 14 and 7 x 7, and a classifier.

    head: the classifier reads the mean of each map, or all its positions. With `auxiliary`, another classifier reads
    the maps behind the third module, in training only.
    """

    auxiliary_weight = 0.3

    def __init__(self, kind="reduced", modules=3, head="mean", batch_norm=True, auxiliary=False):
        super().__init__()
        self.stem = ConvReLU(1, 16, 5, stride=2, batch_norm=batch_norm)  # 14 x 14
        trunk, channels = OrderedDict(), 16
        for i in range(modules):
            trunk[f"module{i + 1}"] = module(kind, channels, batch_norm)
            channels = trunk[f"module{i + 1}"].out_channels
            if i == 0:
                trunk["pool"] = nn.MaxPool2d(2)  # 7 x 7
        self.trunk = nn.Sequential(trunk)
        self.auxiliary = nn.Linear(40, 10) if auxiliary else None
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1 if head == "mean" else 7), nn.Flatten())
        self.fc = nn.Linear(channels * (1 if head == "mean" else 49), 10)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        x, side = self.stem(x), None
        for name, layer in self.trunk.named_children():
            x = layer(x)
            if self.training and self.auxiliary is not None and name == "module3":
                side = self.auxiliary(x.mean(dim=(2, 3)))
        scores = self.fc(self.head(x))
        return scores if side is None else (scores, side)


ARMS = {
    "naive": {"kind": "naive"},
    "reduced": {},
    "one scale": {"kind": "one scale"},
    "one scale, no reduction": {"kind": "3 x 3"},
    "reduced, all positions": {"head": "all"},
    "deep": {"modules": 7, "batch_norm": False},
    "deep, auxiliary": {"modules": 7, "batch_norm": False, "auxiliary": True},
    "deep, batch norm": {"modules": 7},
}


def experiment(data, pieces):
    """The fields of the record: for each arm and number of epochs its sweep, its best rate, the runs at it."""
    rows = []
    for epochs, arm in product(EPOCHS, ARMS):
        recipe = replace(RECIPE, epochs=epochs)
        fit = partial(fit_some, partial(Small, **ARMS[arm]), IMAGES, data, recipe, pieces.how)
        run = pieces.run_of(f"{arm}: {epochs} epochs,", fit)
        best, swept = sweep(partial(accuracies, run, SWEEP_SEEDS), FIRST.get(arm, OTHERS_FIRST), ladder=LADDER)
        runs = [run(best, seed) for seed in SEEDS]
        rows.append({"arm": arm, "epochs": epochs, "learning_rate": best, "runs": runs, "sweep": swept})
    about = {"images": IMAGES, "seeds": SEEDS, "sweep_seeds": SWEEP_SEEDS}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
