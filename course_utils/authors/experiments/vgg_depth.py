"""The configurations A to E of VGG, narrow, on digits: chapter 11, section 6.

Each has the rate with the lowest training loss, found with another seed, at each of two budgets; then three runs at
that rate.
"""

from dataclasses import replace

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments import last_row, recipe_values
from course_utils.authors.experiments.depth import lowest

WHAT = (
    "small_vgg11 to small_vgg19, eight maps in the first stage, on 2,000 digits: losses and accuracies of the last "
    "epoch, seeds 0, 1, 2, at the learning rate with the lowest training loss, for two numbers of epochs"
)
CONFIGURATIONS = {"A": "small_vgg11", "B": "small_vgg13", "C": "small_vgg16c", "D": "small_vgg16", "E": "small_vgg19"}
WIDTH = 8
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)  # at the peak
IMAGES = 2000
SEEDS, SWEEP_SEED = (0, 1, 2), 100
EPOCHS = (2, 6)
RECIPE = training.Recipe(epochs=2, batch_size=32)


def outcome(configuration, recipe, seed, data, how):
    """What that network comes to."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    some = replace(train, images=train.images[:IMAGES], labels=train.labels[:IMAGES])
    machine.seed_everything(seed)
    net = models.build(CONFIGURATIONS[configuration], 10, train.images.shape[1], width=WIDTH)
    return last_row(net, some, validation, recipe, seed, how)


def experiment(data, pieces):
    """The fields of the record: for each configuration and number of epochs its sweep, best rate, and runs at it."""
    pieces.expect(len(EPOCHS) * len(CONFIGURATIONS) * (len(RATES) + len(SEEDS)))

    def once(configuration, epochs, rate, seed):
        recipe = replace(RECIPE, epochs=epochs, learning_rate=rate)
        name = f"{configuration}: {epochs} epochs, rate {rate}, seed {seed}"
        return pieces.once(name, outcome, configuration, recipe, seed, data, pieces.how)

    rows = []
    for epochs in EPOCHS:
        for configuration in CONFIGURATIONS:
            swept = {rate: once(configuration, epochs, rate, SWEEP_SEED) for rate in RATES}
            best = lowest(swept)
            runs = [once(configuration, epochs, best, seed) for seed in SEEDS]
            row = {"configuration": configuration, "epochs": epochs, "learning_rate": best}
            rows.append(row | {"runs": runs, "sweep": swept})
    about = {"width": WIDTH, "images": IMAGES, "seeds": SEEDS, "sweep_seed": SWEEP_SEED}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
