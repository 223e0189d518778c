"""One 7 x 7 convolution against three of 3 x 3, and what the difference is made of: chapter 11, section 1.

A small network for digits in which one block sees 7 x 7. The arms differ in this block alone, but for the narrow one,
whose maps are fewer in the whole network, such that it costs as much as three layers of 3 x 3. Each arm has the rate
with the lowest training loss, found with another seed, at each of two budgets; then three runs at that rate.
"""

from dataclasses import replace
from functools import partial
from itertools import product

from torch import nn

from course_utils import training
from course_utils.authors.experiments.sweeps import fit_some, low_loss, recipe_values, sweep

WHAT = (
    "a block that sees 7 x 7, made of one convolution or of several, on 2,000 digits: losses and accuracies of the "
    "last epoch, seeds 0, 1, 2, at the learning rate with the lowest training loss, for two numbers of epochs"
)
# By arm: maps, and for each layer of the block its kernel size and whether a ReLU follows.
ARMS = {
    "7 × 7": (16, ((7, True),)),
    "7 × 7, narrow": (12, ((7, True),)),
    "three 3 × 3, linear": (16, ((3, False), (3, False), (3, True))),
    "three 3 × 3": (16, ((3, True), (3, True), (3, True))),
    "7 × 7, two 1 × 1": (16, ((7, True), (1, True), (1, True))),
}
RATES = (0.1, 0.3, 1.0, 3.0)  # at the peak
IMAGES = 2000
SEEDS, SWEEP_SEED = (0, 1, 2), 100
EPOCHS = (3, 9)
RECIPE = training.Recipe(epochs=3, batch_size=32)


def layer(before, maps, kernel_size, relu=True, stride=1):
    """A convolution that keeps the size at stride 1, batch norm, and a ReLU where there is to be one."""
    conv = nn.Conv2d(before, maps, kernel_size, stride, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu" if relu else "linear")
    return [conv, nn.BatchNorm2d(maps), *([nn.ReLU()] if relu else [])]


def network(arm):
    """Maps of 14 x 14, a block on them, and a linear classifier on the mean of each map."""
    maps, block = ARMS[arm]
    layers = [module for each in block for module in layer(maps, maps, *each)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(maps, 10)]
    return nn.Sequential(*layer(1, maps, 3, stride=2), *layers, *head)


def experiment(data, pieces):
    """The fields of the record: for each arm and number of epochs its sweep, its best rate, the runs at it."""
    pieces.expect(len(EPOCHS) * len(ARMS) * (len(RATES) + len(SEEDS)))
    rows = []
    for epochs, arm in product(EPOCHS, ARMS):
        recipe = replace(RECIPE, epochs=epochs)
        fit = partial(fit_some, partial(network, arm), IMAGES, data, recipe, pieces.how)
        run = pieces.run_of(f"{arm}: {epochs} epochs,", fit)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES, low_loss)
        runs = [run(best, seed) for seed in SEEDS]
        rows.append({"arm": arm, "epochs": epochs, "learning_rate": best, "runs": runs, "sweep": swept})
    about = {"images": IMAGES, "seeds": SEEDS, "sweep_seed": SWEEP_SEED}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
