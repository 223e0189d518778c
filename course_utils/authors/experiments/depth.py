"""Depth with and without shortcuts on small digits: chapter 13, sections 1, 3 and 5.

Two depths, plain and residual, and plain once more with AdamW, which does not see how large a gradient is. What is
compared is the loss on the images that the networks are trained on. Each has the rate that is best for it, found with
another seed; then three runs at that rate, and all of it once more with three times as many epochs.
"""

from dataclasses import replace
from functools import partial
from itertools import product

from torch import nn

from course_utils import training
from course_utils.authors.experiments.sweeps import fit_some, low_loss, recipe_values, sweep
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


def experiment(data, pieces):
    """The fields of the record: for each network and number of epochs its sweep, its best rate, the runs at it."""
    pieces.expect(len(KINDS) * len(BLOCKS) * len(EPOCHS) * (len(RATES["sgd"]) + len(SEEDS)))
    rows = []
    for epochs, (kind, (shortcut, optimizer)), blocks in product(EPOCHS, KINDS.items(), BLOCKS):
        recipe = replace(RECIPE, epochs=epochs, optimizer=optimizer)
        fit = partial(fit_some, partial(network, blocks, shortcut), IMAGES, data, recipe, pieces.how)
        run = pieces.run_of(f"{kind}, {blocks} blocks: {epochs} epochs,", fit)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES[optimizer], low_loss)
        row = {"kind": kind, "layers": 6 * blocks + 2, "epochs": epochs, "learning_rate": best}
        rows.append(row | {"runs": [run(best, seed) for seed in SEEDS], "sweep": swept})
    about = {"images": IMAGES, "seeds": SEEDS, "sweep_seed": SWEEP_SEED}
    return {"recipe_values": recipe_values(RECIPE, "epochs", "optimizer"), **about, "rows": rows}
