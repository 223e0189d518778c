"""The rate and the decay of the fast recipe: fast_cnn at several of both, with all of its epochs, five seeds each.

Training is on the training split and the choice is made on the validation split; the test split is not looked at.
"""

from dataclasses import replace
from itertools import product

from course_utils import datasets, evaluation, machine, models, training
from course_utils.authors.experiments.sweeps import last_row

WHAT = (
    "fast_cnn by the fast recipe, trained on the training split, at several learning rates and weight decays: losses "
    "and accuracies after the last epoch, seeds 100 to 104, and the validation accuracy with flips and shifts, by the "
    "mean of which the choice is made"
)
DEVICES = ("cpu", "cuda")
RATES, DECAYS = (1.0, 1.5, 2.0, 2.5), (0.0013, 0.0026)
SEEDS = (100, 101, 102, 103, 104)


def outcome(rate, decay, seed, data, how):
    """What fast_cnn comes to at that rate and decay."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    fast = training.recipe_for("fast", data, "fast_cnn")
    recipe = replace(fast, learning_rate=rate, weight_decay=decay, train_on="train")
    machine.seed_everything(seed)
    net = models.build("fast_cnn", len(train.classes), train.images.shape[1])
    row = last_row(net, train, validation, recipe, seed, how)
    look = {"tta": recipe.tta, "device": how["device"], "precision": how["precision"]}
    return row | {"stated_accuracy": evaluation.evaluate(net, validation, **look)["accuracy"]}


def experiment(data, pieces):
    """The fields of the record: for each rate and decay its runs, and which pair is the best."""
    pieces.expect(len(RATES) * len(DECAYS) * len(SEEDS))

    def once(rate, decay, seed):
        name = f"rate {rate}, decay {decay}, seed {seed}"
        return pieces.once(name, outcome, rate, decay, seed, data, pieces.how)

    rows = []
    for rate, decay in product(RATES, DECAYS):
        runs = [once(rate, decay, seed) for seed in SEEDS]
        rows.append({"learning_rate": rate, "weight_decay": decay, "runs": runs})
    best = max(rows, key=lambda row: sum(run["stated_accuracy"] for run in row["runs"]))
    return {"seeds": SEEDS, "rows": rows, "best": {name: best[name] for name in ("learning_rate", "weight_decay")}}
