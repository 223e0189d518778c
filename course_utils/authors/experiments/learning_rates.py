"""The learning rates of the full recipe: each network at several, with half of its epochs, one seed.

Training is on the training split and the choice is made on the validation split; the test split is not looked at.
"""

from dataclasses import replace
from functools import partial

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments.sweeps import accuracy, last_row, sweep

WHAT = (
    "each network at several learning rates: losses and accuracies after the last of 20 epochs of the full recipe, "
    "seed 0, trained on the training split; the rate with the highest validation accuracy is taken"
)
DEVICES = ("cpu", "cuda")
MODELS = ("plain20", "plain56", "resnet20", "resnet56")
RATES = (0.05, 0.1, 0.2)  # at the peak
EPOCHS = 20  # the recorded runs have 40
SEED = 0


def outcome(model, rate, data, how):
    """What that model comes to at that rate."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    recipe = replace(training.recipe_for("full", data, model), epochs=EPOCHS, learning_rate=rate, train_on="train")
    machine.seed_everything(SEED)
    net = models.build(model, len(train.classes), train.images.shape[1])
    return last_row(net, train, validation, recipe, SEED, how)


def experiment(data, pieces):
    """The fields of the record: for each network the outcome at each rate, and the best one."""
    pieces.expect(len(MODELS) * len(RATES))

    def run(model, rate):
        return pieces.once(f"{model}: rate {rate}", outcome, model, rate, data, pieces.how)

    rows = []
    for model in MODELS:
        best, swept = sweep(partial(run, model), RATES, accuracy)
        rows.append({"model": model, "learning_rate": best, "sweep": swept})
    return {"epochs": EPOCHS, "seed": SEED, "rows": rows}
