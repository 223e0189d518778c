"""One small network with four ways to make its maps smaller: chapter 07, section 7.

The networks differ in how they make their maps smaller, and in nothing else but what that entails. Each has the rate
that is best for it on validation data, found with other seeds; then three runs at that rate, and three that are three
times as long. Only those look at the test images: as they are, and moved by one to four pixels.
"""

from dataclasses import replace
from functools import partial
from statistics import mean

import torch
from torch import nn

from course_utils import datasets, evaluation, training
from course_utils.authors.experiments.sweeps import last_row, recipe_values, sweep

WHAT = (
    "test accuracy of a small network by its kind of pooling, on images moved by 0 to 4 pixels (the mean of right, "
    "left, down and up), seeds 0, 1, 2, at the learning rate that was best in the sweep"
)
RATES = (0.02, 0.05, 0.1, 0.2, 0.4)  # at the peak
SEEDS = (0, 1, 2)
SWEEP = {"epochs": 5, "seeds": [100, 101, 102]}
EPOCHS = (5, 15)
SHIFTS = (0, 1, 2, 3, 4)  # pixels; a digit of MNIST has a margin of four
RECIPE = training.Recipe(epochs=5, batch_size=64)


def network(kind, seed):
    """Two convolutions, each followed by ReLU and made smaller by 2 x 2, and a linear classifier.

    kind: max, average; stride: the convolution itself moves by two pixels; global: max, and at the end the average of
    each map.
    """
    torch.manual_seed(seed)
    stride = 2 if kind == "stride" else 1
    pool = {"max": nn.MaxPool2d, "average": nn.AvgPool2d, "global": nn.MaxPool2d, "stride": nn.Identity}[kind]
    head = [nn.AdaptiveAvgPool2d(1)] if kind == "global" else []
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, stride, padding=2), nn.ReLU(), pool(2)),
        *(nn.Conv2d(8, 16, 5, stride, padding=2), nn.ReLU(), pool(2)),
        *(*head, nn.Flatten(), nn.Linear(16 if head else 16 * 7 * 7, 10)),
    )


KINDS = ("max", "average", "stride", "global")


def trained(kind, train, validation, recipe, seed):
    """The network after its last epoch, and its validation accuracy, None where the loss is no number."""
    net, how = network(kind, seed), {"device": "cpu", "precision": "float32", "quiet": True}
    return net, last_row(net, train, validation, recipe, seed, how)["validation_accuracy"]


def moved_accuracy(net, test, shift):
    """The accuracy on test images moved by `shift` pixels to each of the four sides; what moves in is background."""
    moves = [(shift, 3), (-shift, 3), (shift, 2), (-shift, 2)] if shift else [(0, 3)]
    images = [torch.roll(test.images, move, axis) for move, axis in moves]
    sets = [replace(test, images=each) for each in images]
    return mean(evaluation.evaluate(net, one, device="cpu", precision="float32")["accuracy"] for one in sets)


def experiment(data, pieces):
    """The fields of the record: for each kind its sweep, its best rate, and the runs at that rate by epochs."""
    train, validation, test = (datasets.load(data, split) for split in datasets.SPLITS)
    pieces.expect(len(KINDS) * (len(RATES) * len(SWEEP["seeds"]) + len(EPOCHS) * len(SEEDS)))

    def swept(kind, rate, seed):
        recipe = replace(RECIPE, learning_rate=rate, epochs=SWEEP["epochs"])
        return trained(kind, train, validation, recipe, seed)[1] or 0.0

    def tested(kind, rate, epochs, seed):
        net, accuracy = trained(kind, train, validation, replace(RECIPE, learning_rate=rate, epochs=epochs), seed)
        return [0.0 if accuracy is None else moved_accuracy(net, test, shift) for shift in SHIFTS]

    def tried(kind, rate):
        return [pieces.once(f"{kind}: rate {rate}, seed {seed}", swept, kind, rate, seed) for seed in SWEEP["seeds"]]

    def runs(kind, rate, epochs):
        return [
            pieces.once(f"{kind}: epochs {epochs}, seed {seed}", tested, kind, rate, epochs, seed) for seed in SEEDS
        ]

    rows = []
    for kind in KINDS:
        best, found = sweep(partial(tried, kind), RATES)
        count = sum(parameter.numel() for parameter in network(kind, 0).parameters())
        accuracies = {epochs: runs(kind, best, epochs) for epochs in EPOCHS}
        row = {"kind": kind, "parameters": count, "learning_rate": best, "test_accuracy": accuracies}
        rows.append(row | {"sweep": found})
    about = {"seeds": SEEDS, "shifts": SHIFTS, "sweep": SWEEP}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
