"""What was new in AlexNet, one part at a time: taken out of the whole, and put into a network that has none of them.

The network is small_alexnet without batch norm, which came later. Each arm has the rate that is best for it on the
validation split, out of three, found with another seed; then three runs at that rate. The test split is not looked at.
"""

from dataclasses import replace

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments import best_of, last_row

WHAT = (
    "AlexNet's parts taken out one at a time, and put in one at a time: losses and accuracies after the last epoch, "
    "seeds 0, 1, 2, at the learning rate that was best in the sweep"
)
DEVICES = ("cpu", "cuda")
EPOCHS = 10
RATES = (0.01, 0.03, 0.1)  # at the peak
SEEDS, SWEEP_SEED = (0, 1, 2), 100
# Of each part: what it is, and what stood in its place before. Krizhevsky, Sutskever & Hinton 2012, sections 3 and 4.
PARTS = {
    "ReLU": ({"activation": "relu"}, {"activation": "tanh"}),
    "response norm": ({"lrn": True}, {"lrn": False}),
    "overlapping pooling": ({"overlap": True}, {"overlap": False}),
    "dropout": ({"dropout": 0.5}, {"dropout": 0.0}),
    "augmentation": ({"shift": 4, "flip": True}, {"shift": 0, "flip": False}),
}
ARMS = {
    "all parts": tuple(PARTS),
    **{f"without {part}": tuple(other for other in PARTS if other != part) for part in PARTS},
    "no part": (),
    **{f"only {part}": (part,) for part in PARTS},
}
OF_RECIPE = ("shift", "flip")


def outcome(arm, rate, seed, epochs, data, how):
    """What that arm comes to."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    settings = {key: value for part in PARTS for key, value in PARTS[part][part not in ARMS[arm]].items()}
    options = {key: value for key, value in settings.items() if key not in OF_RECIPE}
    plain = {"alternate_flip": False, "train_on": "train", "tta": "none", **{key: settings[key] for key in OF_RECIPE}}
    recipe = replace(training.recipe_for("full", data, "small_alexnet"), epochs=epochs, learning_rate=rate, **plain)
    machine.seed_everything(seed)
    net = models.build("small_alexnet", len(train.classes), train.images.shape[1], batch_norm=False, **options)
    return last_row(net, train, validation, recipe, seed, how)


def named(arm, rate, seed):
    """The name of one run."""
    return f"{arm}: rate {rate}, seed {seed}"


def experiment(data, pieces):
    """The fields of the record: for each arm its sweep, its best rate, and the runs at that rate."""
    pieces.expect(len(ARMS) * (len(RATES) + len(SEEDS)))

    def once(arm, rate, seed):
        return pieces.once(named(arm, rate, seed), outcome, arm, rate, seed, EPOCHS, data, pieces.how)

    rows = []
    for arm, parts in ARMS.items():
        swept = {rate: once(arm, rate, SWEEP_SEED) for rate in RATES}
        best = best_of(swept)
        runs = [once(arm, best, seed) for seed in SEEDS]
        rows.append({"arm": arm, "parts": parts, "learning_rate": best, "runs": runs, "sweep": swept})
    return {"epochs": EPOCHS, "seeds": SEEDS, "sweep_seed": SWEEP_SEED, "rows": rows}
