"""Depth with and without shortcuts on small digits: chapter 13, sections 1, 3 and 5.

Two depths, plain and residual, and plain once more with AdamW, which does not see how large a gradient is. What is
compared is the loss on the images that the networks are trained on. Each has the rate that is best for it, found with
another seed; then three runs at that rate, and all of it once more with three times as many epochs.
"""

from dataclasses import replace

from torch import nn

from course_utils import datasets, machine, training
from course_utils.authors.experiments import last_row, recipe_values
from course_utils.models.resnet import ResNet

WHAT = (
    "training loss of plain and residual networks of 8 and 26 layers on 2,000 digits, mean over the last epoch, seeds "
    "0, 1, 2, at the learning rate that was best in the sweep, for two numbers of epochs"
)
BLOCKS = (1, 4)  # a stage, of two layers each; three stages
RATES = {"sgd": (0.03, 0.1, 0.3, 1.0), "adamw": (0.003, 0.01, 0.03, 0.1)}  # at the peak
KINDS = {"plain": (None, "sgd"), "residual": ("A", "sgd"), "plain, AdamW": (None, "adamw")}
IMAGES = 2000
SEEDS, SWEEP_SEED = (0, 1, 2), 100
EPOCHS = (3, 9)
RECIPE = training.Recipe(epochs=3, batch_size=64)


def network(blocks, shortcut):
    """He et al. 2016, section 4.2, in small: 8 maps of 7 x 7, 16 of 4 x 4, 32 of 2 x 2, behind a window of 4 x 4."""
    stem = nn.Sequential(nn.Conv2d(1, 8, 4, stride=4, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    plan = [(f"conv{i + 2}_x", blocks, ((3, 8 * 2**i),) * 2) for i in range(3)]
    return ResNet("small", 28, stem, plan, 10, shortcut)


def outcome(blocks, shortcut, recipe, seed, data, how):
    """What that network comes to."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    some = replace(train, images=train.images[:IMAGES], labels=train.labels[:IMAGES])
    machine.seed_everything(seed)
    return last_row(network(blocks, shortcut), some, validation, recipe, seed, how)


def lowest(swept):
    """The learning rate with the lowest training loss, of {rate: last_row}; of a tie, the first."""
    return min(swept, key=lambda rate: float("inf") if (loss := swept[rate]["train_loss"]) is None else loss)


def experiment(data, pieces):
    """The fields of the record: for each network and number of epochs its sweep, its best rate, the runs at it."""
    pieces.expect(len(KINDS) * len(BLOCKS) * len(EPOCHS) * (len(RATES["sgd"]) + len(SEEDS)))

    def once(kind, blocks, epochs, rate, seed):
        name = f"{kind}, {blocks} blocks: {epochs} epochs, rate {rate}, seed {seed}"
        shortcut, optimizer = KINDS[kind]
        recipe = replace(RECIPE, epochs=epochs, learning_rate=rate, optimizer=optimizer)
        return pieces.once(name, outcome, blocks, shortcut, recipe, seed, data, pieces.how)

    rows = []
    for epochs in EPOCHS:
        for kind, (_, optimizer) in KINDS.items():
            for blocks in BLOCKS:
                swept = {rate: once(kind, blocks, epochs, rate, SWEEP_SEED) for rate in RATES[optimizer]}
                best = lowest(swept)
                runs = [once(kind, blocks, epochs, best, seed) for seed in SEEDS]
                row = {"kind": kind, "layers": 6 * blocks + 2, "epochs": epochs, "learning_rate": best}
                rows.append(row | {"runs": runs, "sweep": swept})
    values = recipe_values(RECIPE, "epochs", "optimizer")
    return {"recipe_values": values, "images": IMAGES, "seeds": SEEDS, "sweep_seed": SWEEP_SEED, "rows": rows}
