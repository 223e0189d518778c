"""What was new in AlexNet, one part at a time: taken out of the whole, and put into a network that has none of them.

The network is small_alexnet without batch norm, which came later. Each arm has the rate that is best for it on images
that it is not trained on, in the mean of other seeds, out of three rates or, where the best is an end of these, of
more; then three runs at that rate. The test split is not looked at.
"""

from dataclasses import replace
from functools import partial

from course_utils import datasets, machine, models, training
from course_utils.authors.experiments.sweeps import accuracies, accuracy, last_row, sweep

WHAT = (
    "AlexNet's parts taken out one at a time, and put in one at a time: losses and accuracies after the last epoch, "
    "seeds 0, 1, 2, at the learning rate that was best in the sweep"
)
DEVICES = ("cpu", "cuda")
EPOCHS = 10
# On digits these arms are trained three times as long, too: what is then left of their difference?
LONGER, LONG_ARMS = 30, ("all parts", "no part")
RATES = (0.01, 0.03, 0.1)  # at the peak
LADDER = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # the next one is tried as well where the best so far is an end
IMAGES, HELD = 1000, 2000  # of mnist-mini: the first for training, the last to look at
SEEDS = (0, 1, 2)
# With a thousand images, which rate comes out best in one run is mostly chance.
SWEEP_SEEDS = {"cifar10": (100,), "mnist-mini": (100, 101, 102)}
# Of each part: what it is, and what stood in its place before. Krizhevsky, Sutskever & Hinton 2012, sections 3 and 4.
PARTS = {
    "ReLU": ({"activation": "relu"}, {"activation": "tanh"}),
    "response norm": ({"lrn": True}, {"lrn": False}),
    "overlapping pooling": ({"overlap": True}, {"overlap": False}),
    "dropout": ({"dropout": 0.5}, {"dropout": 0.0}),
    "augmentation": ({"augmented": True}, {"augmented": False}),
}
AUGMENTED = {"cifar10": {"shift": 4, "flip": True}, "mnist-mini": {"shift": 2, "flip": False}}  # a 2 is no mirrored 2
WIDTHS = {"cifar10": 24, "mnist-mini": 6}
ARMS = {
    "all parts": tuple(PARTS),
    **{f"without {part}": tuple(other for other in PARTS if other != part) for part in PARTS},
    "no part": (),
    **{f"only {part}": (part,) for part in PARTS},
}


def images_of(data):
    """What is trained on, and what is looked at."""
    train = datasets.load(data, "train")
    if data == "cifar10":
        return train, datasets.load(data, "validation")
    first, last = slice(IMAGES), slice(-HELD, None)
    return tuple(replace(train, images=train.images[some], labels=train.labels[some]) for some in (first, last))


def recipe_of(data, rate, epochs, augmented):
    """How an arm is trained: its rate, and images that are moved or stay as they are."""
    if data == "cifar10":
        full = training.recipe_for("full", data, "small_alexnet")
        recipe = replace(full, alternate_flip=False, train_on="train", tta="none")
    else:
        recipe = training.Recipe(epochs=epochs, batch_size=16)
    moves = AUGMENTED[data] if augmented else {"shift": 0, "flip": False}
    return replace(recipe, epochs=epochs, learning_rate=rate, **moves)


def outcome(arm, rate, seed, epochs, data, how):
    """What that arm comes to."""
    train, held = images_of(data)
    options = {key: value for part in PARTS for key, value in PARTS[part][part not in ARMS[arm]].items()}
    recipe = recipe_of(data, rate, epochs, options.pop("augmented"))
    sizes = {"num_classes": len(train.classes), "in_channels": train.images.shape[1], "width": WIDTHS[data]}
    machine.seed_everything(seed)
    net = models.build("small_alexnet", batch_norm=False, **sizes, **options)
    return last_row(net, train, held, recipe, seed, how)


def experiment(data, pieces):
    """The fields of the record: for each arm its sweep, its best rate, and the runs at that rate; some arms longer."""
    longer = LONG_ARMS if data == "mnist-mini" else ()
    sweep_seeds = SWEEP_SEEDS[data]
    pieces.expect((len(ARMS) + len(longer)) * (len(RATES) * len(sweep_seeds) + len(SEEDS)))

    def row(arm, epochs):
        fit = partial(outcome, arm, epochs=epochs, data=data, how=pieces.how)
        run = pieces.run_of(f"{arm}: {epochs} epochs,", fit)

        def tried(rate):
            each = accuracies(run, sweep_seeds, rate)
            return {"validation_accuracy": sum(each) / len(each), "each": each}

        best, swept = sweep(tried, RATES, accuracy, LADDER)
        runs = [run(best, seed) for seed in SEEDS]
        return {"arm": arm, "parts": ARMS[arm], "learning_rate": best, "runs": runs, "sweep": swept}

    rows = [row(arm, EPOCHS) for arm in ARMS]
    more = {"epochs": LONGER, "rows": [row(arm, LONGER) for arm in longer]}
    return {"epochs": EPOCHS, "seeds": SEEDS, "sweep_seeds": sweep_seeds, "rows": rows, "longer": more}
