"""The configurations A to E of VGG, narrow, on digits: chapter 11, section 6.

Each has the rate with the lowest training loss, found with another seed, at each of two budgets; then three runs at
that rate.
"""

from dataclasses import replace
from functools import partial
from itertools import product

from course_utils import models, training
from course_utils.authors.experiments.sweeps import fit_some, low_loss, recipe_values, sweep

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


def experiment(data, pieces):
    """The fields of the record: for each configuration and number of epochs its sweep, best rate, and runs at it."""
    pieces.expect(len(EPOCHS) * len(CONFIGURATIONS) * (len(RATES) + len(SEEDS)))
    rows = []
    for epochs, configuration in product(EPOCHS, CONFIGURATIONS):
        build = partial(models.build, CONFIGURATIONS[configuration], in_channels=1, width=WIDTH)
        fit = partial(fit_some, build, IMAGES, data, replace(RECIPE, epochs=epochs), pieces.how)
        run = pieces.run_of(f"{configuration}: {epochs} epochs,", fit)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES, low_loss)
        row = {"configuration": configuration, "epochs": epochs, "learning_rate": best}
        rows.append(row | {"runs": [run(best, seed) for seed in SEEDS], "sweep": swept})
    about = {"width": WIDTH, "images": IMAGES, "seeds": SEEDS, "sweep_seed": SWEEP_SEED}
    return {"recipe_values": recipe_values(RECIPE, "epochs"), **about, "rows": rows}
