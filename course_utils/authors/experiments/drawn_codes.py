"""Does F6 of LeNet-5 draw the code of the digit that it sees? Its distances divided by 10 and by 42: chapter 09.

Each divisor has the learning rate that is best for it on validation data, out of seven, found with another seed, at
each of two budgets; then three runs at that rate. The test split is not looked at.
"""

from dataclasses import replace
from functools import partial
from itertools import product
from operator import itemgetter

import torch

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments.sweeps import sweep
from course_utils.datasets.batches import Batches
from course_utils.inspection import stage_states

WHAT = (
    "LeNet-5 with its distances divided by 10 and by 42: squared distance of F6 to the right code and to the nearest "
    "other one, share of F6's states with the sign of the right code, validation accuracy; seeds 0, 1, 2 at the rate "
    "that was best in the sweep"
)
DIVISORS = (10, 42)
# Times the divisor, which divides the gradient of the distances as well.
RATES = (0.0003, 0.0006, 0.00125, 0.0025, 0.005, 0.01, 0.02)
EPOCHS = (3, 9)
SEEDS, SWEEP_SEED = (0, 1, 2), 100
RECIPE = training.recipe_for("quick", "mnist-mini")


@torch.no_grad()
def drawing(net, images, labels):
    """Means over images: distance to the right code and to the nearest other, pixels drawn
    right, accuracy."""
    states, rows = stage_states(net, images), torch.arange(len(images))
    distance = -states["output"] / net.output.scale
    right = distance[rows, labels]
    distance[rows, labels] = torch.inf
    other = distance.min(dim=1).values
    pixels = states["f6"].sign() == net.output.codes[labels]
    found = {"right code": right, "nearest other": other, "pixels": pixels}
    return {name: x.double().mean().item() for name, x in (found | {"accuracy": right < other}).items()}


def trained(divisor, rate, seed, epochs, train, validation):
    """LeNet-5 with that divisor, trained at that rate times the divisor, and the history of the run."""
    machine.seed_everything(seed)
    net = models.build("lenet5", distance_scale=1 / divisor)
    recipe = replace(RECIPE, epochs=epochs, learning_rate=rate * divisor)
    history = training.fit(net, train, validation, recipe, seed=seed, device="cpu", precision="float32", quiet=True)
    return net, history


def outcome(divisor, rate, seed, epochs, data):
    """What one run comes to; an accuracy of 0 where its loss became NaN."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    try:
        net, _ = trained(divisor, rate, seed, epochs, train, validation)
    except training.Diverged:
        return {"accuracy": 0.0}
    return drawing(net, *Batches(validation, torch.device("cpu"), 32).batch(torch.arange(len(validation))))


def experiment(data, pieces):
    """The fields of the record: a row for each divisor and budget."""
    pieces.expect(len(EPOCHS) * len(DIVISORS) * (len(RATES) + len(SEEDS)))

    def once(divisor, epochs, rate, seed):
        name = f"divided by {divisor}: {epochs} epochs, rate {rate} times that, seed {seed}"
        return pieces.once(name, outcome, divisor, rate, seed, epochs, data)

    rows = []
    for epochs, divisor in product(EPOCHS, DIVISORS):
        run = partial(once, divisor, epochs)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES, itemgetter("accuracy"))
        runs = [run(best, seed) for seed in SEEDS]
        rows.append({"divisor": divisor, "epochs": epochs, "rate": best, "runs": runs, "sweep": swept})
    return {"seeds": SEEDS, "sweep_seed": SWEEP_SEED, "rows": rows}
