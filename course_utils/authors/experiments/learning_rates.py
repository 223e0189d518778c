"""The learning rates of the full recipe: each network at several, with half of its epochs, one seed.

Training is on the training split and the choice is made on the validation split; the test split is not looked at.
"""

from dataclasses import replace

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments import best_of, last_row

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


def pieces_of(data):
    """The name and the arguments of each run, (model, rate, data)."""
    return {f"{model}: rate {rate}": (model, rate, data) for model in MODELS for rate in RATES}


def experiment(data, pieces):
    """The fields of the record: for each network the outcome at each rate, and the best one."""
    names = pieces_of(data)
    pieces.expect(len(names))
    found = {name: pieces.once(name, outcome, *arguments, pieces.how) for name, arguments in names.items()}
    rows = []
    for model in MODELS:
        swept = {rate: found[f"{model}: rate {rate}"] for rate in RATES}
        rows.append({"model": model, "learning_rate": best_of(swept), "sweep": swept})
    return {"epochs": EPOCHS, "seed": SEED, "rows": rows}
