"""The first layers of AlexNet and of Zeiler & Fergus in one small network, and both halves of the change: chapter 10.

Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.1, made the window smaller
and the steps shorter at once. Here each is done without the other, too. All that follows the first layer has the same
sizes. Each network has the rate, out of five, that is best in the mean of three other seeds: one seed alone would
choose rates at which others fail.
"""

import base64
from functools import partial

import torch
from torch import nn

from course_utils import datasets, machine, training
from course_utils.authors.experiments.sweeps import accuracies, last_row, sweep
from course_utils.models.initialization import he_normal

WHAT = (
    "small networks whose first layers have windows of 11 or 7 in steps of 4 or 2, on drawn images of 96 x 96: accuracy"
    " on validation images, filters that answer to none of them, and filters before and after training, seeds 0 to 5, "
    "at the learning rate that is best in the mean of three other seeds"
)
LAYERS = ((11, 4), (7, 2), (7, 4), (11, 2))  # window and stride; the first is AlexNet's, the second Zeiler & Fergus'
MAPS = 16
EPOCHS = 4
RATES = (0.03, 0.05, 0.07, 0.1, 0.15)  # at the peak
SEEDS, SWEEP_SEEDS = (0, 1, 2, 3, 4, 5), (100, 101, 102)


def network(kernel_size, stride, classes=5):
    """Three convolutions for images of 96 x 96; the second has stride 1 or 2, so that the third sees 12 x 12 maps."""
    layers = [
        nn.Conv2d(3, MAPS, kernel_size, stride, padding=kernel_size // 2),  # 24 x 24 or 48 x 48
        *(nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)),
        nn.Conv2d(MAPS, 32, 5, 4 // stride, padding=2),  # 12 x 12
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        *(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(32 * 6 * 6, classes),
    ]
    net = nn.Sequential(*layers)
    he_normal(net)
    return net


def packed(filters):
    """Filters in base64, one byte for each weight, the largest being 127; `unpacked` gives them back up to scale."""
    whole = (filters.detach() / filters.detach().abs().max() * 127).round().to(torch.int8)
    return base64.b64encode(whole.contiguous().numpy().tobytes()).decode()


def unpacked(text, kernel_size):
    """The filters of a record, MAPS x 3 x kernel_size x kernel_size, the largest weight being 1."""
    whole = torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.int8)
    return whole.reshape(MAPS, 3, kernel_size, kernel_size).float() / 127


@torch.no_grad()
def silent(net, images, dataset):
    """How many filters of the first layer are at or below 0 everywhere, on these images."""
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (dataset.mean, dataset.std))
    return int((net[0]((images / 255 - mean) / std).amax(dim=(0, 2, 3)) <= 0).sum())


def outcome(kernel_size, stride, rate, seed, data, how):
    """What that network comes to; None for what it does not have because its loss became NaN."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    machine.seed_everything(seed)
    net = network(kernel_size, stride, len(train.classes))
    before = packed(net[0].weight)
    recipe = training.Recipe(epochs=EPOCHS, batch_size=32, learning_rate=rate, clip=1.0)
    row = last_row(net, train, validation, recipe, seed, how)
    found = {"before": before} | {name: row[name] for name in ("train_loss", "validation_accuracy")}
    if row["train_loss"] is None:
        return found | {"silent": None, "after": None}
    return found | {"silent": silent(net, validation.images, train), "after": packed(net[0].weight)}


def experiment(data, pieces):
    """The fields of the record: for each first layer accuracies at all rates, its best rate, and the runs at it."""
    pieces.expect(len(LAYERS) * (len(RATES) * len(SWEEP_SEEDS) + len(SEEDS)))
    rows = []
    for kernel_size, stride in LAYERS:
        fit = partial(outcome, kernel_size, stride, data=data, how=pieces.how)
        run = pieces.run_of(f"{kernel_size} x {kernel_size}, stride {stride}:", fit)
        best, swept = sweep(partial(accuracies, run, SWEEP_SEEDS), RATES, sum)
        row = {"kernel_size": kernel_size, "stride": stride, "learning_rate": best}
        rows.append(row | {"sweep": swept, "runs": [run(best, seed) for seed in SEEDS]})
    return {"epochs": EPOCHS, "seeds": SEEDS, "sweep_seeds": SWEEP_SEEDS, "rows": rows}
