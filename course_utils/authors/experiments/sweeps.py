"""What experiments do alike: sweep the learning rate, train a network, and keep what it comes to."""

from dataclasses import asdict, replace
from math import inf
from statistics import mean

from course_utils import datasets, machine, training


def sweep(tried, rates, worth=mean, ladder=()):
    """The best of the learning rates, and what was found at each of them, {rate: tried(rate)}.

    worth: as in `best_of`. As long as the best rate is an end of those tried, the next one of `ladder` is tried, too.
    """
    swept = {rate: tried(rate) for rate in rates}
    while True:
        best = best_of(swept, worth)
        side = (best == max(swept)) - (best == min(swept))  # 1 at the upper end, -1 at the lower one, else 0
        beyond = [rate for rate in ladder if side * rate > side * best]
        if not beyond:
            return best, swept
        following = min(beyond, key=lambda rate: abs(rate - best))
        swept = dict(sorted((swept | {following: tried(following)}).items()))


def best_of(swept, worth=mean):
    """The learning rate at which that was found which is worth most, of {rate: found}; of a tie, the first.

    worth: the number by which what was found is judged; of a list of accuracies, their mean.
    """
    return max(swept, key=lambda rate: worth(swept[rate]))


def accuracy(row):
    """The validation accuracy of a run, 0 where its loss became NaN."""
    return row["validation_accuracy"] or 0


def low_loss(row):
    """The training loss of a run with its sign changed, as the lowest is the best."""
    return -inf if row["train_loss"] is None else -row["train_loss"]


def accuracies(run, seeds, rate):
    """The validation accuracies of runs at one rate, each the row run(rate, seed)."""
    return [accuracy(run(rate, seed)) for seed in seeds]


def fit_some(build, images, data, recipe, how, rate, seed):
    """What the network build() comes to, trained on so many images of a data set, the first, at that learning rate."""
    train, validation = (datasets.load(data, split) for split in ("train", "validation"))
    some = replace(train, images=train.images[:images], labels=train.labels[:images])
    machine.seed_everything(seed)
    return last_row(build(), some, validation, replace(recipe, learning_rate=rate), seed, how)


def last_row(net, train, validation, recipe, seed, how):
    """What a training run comes to: losses and accuracies of its last epoch, all None where the loss became NaN."""
    try:
        last = training.fit(net, train, validation, recipe, seed=seed, **how)[-1]
    except training.Diverged:
        last = {}
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return {name: last.get(name) for name in names}


def recipe_values(recipe, *own):
    """The fields of a recipe for a record, but for the learning rate and the others that each row has of its own."""
    return {name: value for name, value in asdict(recipe).items() if name not in ("learning_rate", *own)}
