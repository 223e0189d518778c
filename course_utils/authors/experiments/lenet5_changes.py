"""LeNet-5 with one decision undone at a time: chapter 09.

Two rows differ in the change and in the learning rate, and in nothing else: images, epochs, schedule and seeds are the
same. Each row has the rate that is best for it on validation data, out of six, found with other seeds; then three runs
at that rate. The test split is not looked at.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import nn

from course_utils import datasets, models, training
from course_utils.authors.experiments.sweeps import last_row, recipe_values, sweep
from course_utils.models import lenet

WHAT = (
    "one change of LeNet-5 at a time: validation accuracy after the last epoch, seeds 0, 1, 2, at the learning rate "
    "that was best in the sweep"
)
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # at the peak
SEEDS = (0, 1, 2)
COMMON = {"epochs": 5, "warmup": 0.25, "momentum": 0.9, "weight_decay": 5e-4, "label_smoothing": 0.0}
RECIPES = {
    "digits": training.Recipe(**COMMON, batch_size=32, shift=2, flip=False),
    "fashion-mnist": training.Recipe(**COMMON, batch_size=128, shift=0, flip=True),
}
SWEEPS = {
    "digits": {"epochs": 5, "seeds": [100, 101, 102]},
    "fashion-mnist": {"epochs": 2, "seeds": [100]},  # 42 times as many images
}


# ---- The changes: each alters the network that it is given


def pooling(net, kind):
    for name in ("s2", "s4"):  # in place of sum, coefficient, bias and squashing
        setattr(net, name, kind(2))
        setattr(net, f"{name}_squash", nn.Identity())


def max_pooling(net):
    pooling(net, nn.MaxPool2d)


def average_pooling(net):
    pooling(net, nn.AvgPool2d)


def all_pairs(net):
    net.c3 = nn.Conv2d(6, 16, 5)


def linear_head(net):
    net.output = nn.Linear(84, 10)


def relu(net):
    for name in ("c1", "s2", "c3", "s4", "c5", "f6"):
        has_target = name == "f6" and isinstance(net.output, lenet.RBF)  # codes of ±1: tanh stays
        if isinstance(getattr(net, f"{name}_squash"), lenet.LecunTanh) and not has_target:
            setattr(net, f"{name}_squash", nn.ReLU())


def undivided(net):
    net.output.scale = 1.0  # `lenet5` divides the distances by 10; the paper does not


@torch.no_grad()
def wide_weights(net):
    """Weights from ±1/√F in place of the paper's ±2.4/F; F counts the inputs of a unit."""
    for name in ("c1", "c3", "c5", "f6", "output"):
        layer = getattr(net, name)
        if isinstance(layer, lenet.TableConv2d):
            layer.weight.mul_(layer.fan_in[layer.pairs[:, 0]].sqrt().view(-1, 1, 1) / 2.4)
        elif hasattr(layer, "weight"):
            layer.weight.mul_(layer.weight[0].numel() ** 0.5 / 2.4)


CHANGES = {
    "as in the paper": [],
    "max pooling": [max_pooling],
    "all pairs in C3": [all_pairs],
    "linear head": [linear_head],
    "weights of 1/√F": [wide_weights],
    "ReLU": [relu],
    "all five changes": [max_pooling, all_pairs, linear_head, relu, wide_weights],
    "average pooling": [average_pooling],
    "linear head, weights of 1/√F": [linear_head, wide_weights],
    "ReLU, weights of 1/√F": [relu, wide_weights],
    "distances undivided": [undivided],
}


def variant(row, seed):
    """LeNet-5 with the changes of that row; new layers, too, get the paper's initial weights, then the wider ones."""
    torch.manual_seed(seed)
    net = models.build("lenet5")
    for change in CHANGES[row]:
        if change is not wide_weights:
            change(net)
    lenet.initialize(net)
    if wide_weights in CHANGES[row]:
        wide_weights(net)
    return net


# ---- The experiment


def outcome(row, train, validation, recipe, seed):
    """The validation accuracy of that row after the last epoch; 0 where the loss is no longer a number."""
    how = {"device": "cpu", "precision": "float32", "quiet": True}
    return last_row(variant(row, seed), train, validation, recipe, seed, how)["validation_accuracy"] or 0.0


def experiment(data, pieces):
    """The fields of the record: for each row its sweep, its best rate, and the runs at that rate."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    recipe, plan = RECIPES[data], SWEEPS[data]
    pieces.expect(len(CHANGES) * (len(RATES) * len(plan["seeds"]) + len(SEEDS)))

    def once(change, epochs, rate, seed):
        name = f"{change}: rate {rate}, seed {seed}, epochs {epochs}"
        chosen = replace(recipe, learning_rate=rate, epochs=epochs)
        return pieces.once(name, outcome, change, train, validation, chosen, seed)

    def accuracies(change, epochs, seeds, rate):
        return [once(change, epochs, rate, seed) for seed in seeds]

    rows = []
    for change in CHANGES:
        best, swept = sweep(partial(accuracies, change, plan["epochs"], plan["seeds"]), RATES)
        count = sum(parameter.numel() for parameter in variant(change, 0).parameters())
        row = {"change": change, "parameters": count, "learning_rate": best}
        rows.append(row | {"validation_accuracy": accuracies(change, recipe.epochs, SEEDS, best), "sweep": swept})
    return {"recipe_values": recipe_values(recipe), "seeds": SEEDS, "sweep": plan, "rows": rows}
