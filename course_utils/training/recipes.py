"""How to train: a recipe by name, data and model, each number with its why; and the learning rate that follows."""

import math
from dataclasses import dataclass, replace
from typing import get_type_hints

from course_utils.datasets.batches import FILLS
from course_utils.evaluation import TTA

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


@dataclass(frozen=True)
class Recipe:
    """How to train, from the order of the images to the look at the test set.

    Batch size, momentum and weight decay are those of Krizhevsky, Sutskever & Hinton 2012, section 5.
    """

    epochs: int
    batch_size: int = 128
    train_on: str = "train"  # all: the validation images as well, once all choices are made
    # The step
    optimizer: str = "sgd"  # with Nesterov's momentum; adamw: Loshchilov & Hutter 2019
    learning_rate: float = 0.1  # at the peak
    schedule: str = "linear"  # up to the peak and down to 0 in straight lines; cosine: down along half a cosine
    warmup: float = 0.25  # part of the steps before the peak; none, and a half, come out level on digits
    momentum: float = 0.9  # averages the last ten gradients or so
    weight_decay: float = 5e-4  # on weights
    decay_all: bool = False  # on biases and on the scales of norms, too
    norm_bias_rate: float = 1.0  # times the learning rate: for the biases of norms
    clip: float = 0.0  # the longest gradient; 0: any length
    label_smoothing: float = 0.0
    # The average of the weights along the way, which is looked at in place of the last ones
    average: str = "none"  # aside: training knows nothing of it; lookahead: training goes on from it
    average_decay: float = 0.99  # what a step keeps of the average, in the end: about the last 100 steps count
    average_every: int = 5  # steps
    # The images
    shift: int = 0  # pixels: each image moves by up to this much each way, in each epoch anew
    fill: str = "zeros"  # what moves in: zeros, or reflect, the image mirrored at its border
    flip: bool = False  # every other image is mirrored; not where left and right mean something, as in digits
    alternate_flip: bool = False  # every image is mirrored in every other epoch: never twice the same in a row
    cutout: int = 0  # pixels: the side of a square that takes the mean colour
    # The look at the test set
    tta: str = "none"  # the mean of outputs: flip, of an image and its mirror image; shift, of three places, too

    def __post_init__(self):
        for name, kind in fields().items():
            value, kinds = getattr(self, name), (int, float) if kind is float else kind
            if not isinstance(value, kinds) or isinstance(value, bool) != (kind is bool):
                raise ValueError(f"{name} is {value!r}; expected {KINDS[kind]}")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {' or '.join(words)}")
        for name, least in (("epochs", 1), ("batch_size", 1), ("average_every", 1), ("shift", 0), ("cutout", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected a whole number, at least {least}")
        for name in ("epochs", "average_every"):
            if getattr(self, name) > MOST:
                raise ValueError(f"{name} is {getattr(self, name)!r:.40}; expected at most {MOST:,}")
        for name in ("learning_rate", "norm_bias_rate"):
            if not 0 < getattr(self, name) <= MOST:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected a positive number up to {MOST:,}")
        below_1 = ("warmup", "momentum", "label_smoothing", "average_decay")
        for name, top in (*((name, 1) for name in below_1), ("weight_decay", MOST), ("clip", MOST)):
            if not 0 <= getattr(self, name) < top:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected at least 0 and below {top}")


MOST = 1_000_000  # of any number in a recipe: none that makes sense comes near
WORDS = {
    "train_on": ("train", "all"),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("linear", "cosine"),
    "average": ("none", "aside", "lookahead"),
    "fill": FILLS,
    "tta": TTA,
}


def fields() -> dict[str, type]:
    """The fields of a recipe and their types, {"epochs": int, ...}."""
    return get_type_hints(Recipe)


ANY = "any"  # data or models that have no line of their own
FOLDER = "folder"  # images of a user's own, whichever folder they lie in

# For `fast_cnn`. Numbers of Jordan 2024 (arXiv 2404.00498; airbench94), for the mean of the loss over a batch in place
# of its sum; what differs from there is in the table of models/fast.py. Of rates of 1, 1.5, 2 and 2.5 and decays of
# 0.0013 and 0.0026 these two were best, trained on 45,000 images, five seeds each (data/runs/fast-rates-cifar10.json);
# smaller decays were not tried.
FAST = Recipe(
    epochs=10,
    batch_size=1000,
    train_on="all",
    learning_rate=1.5,
    warmup=0.23,
    momentum=0.85,
    weight_decay=0.0013,
    norm_bias_rate=64.0,
    label_smoothing=0.2,
    average="lookahead",
    average_decay=0.95,
    shift=2,
    fill="reflect",
    tta="shift",
)
# For networks with batch norm, from small_alexnet to resnet56. Of 0.05, 0.1 and 0.2, trained on 45,000 images for half
# of the epochs, the last was best on the other 5,000 for resnet20, resnet56 and plain20, and 0.1 for plain56
# (data/runs/learning-rates-cifar10.json); larger ones were not tried. For the others it is not swept.
CIFAR10 = Recipe(epochs=30, train_on="all", learning_rate=0.2, shift=4, flip=True, alternate_flip=True, tta="flip")
# Batches that a GPU likes better, and a rate that grows with them (Goyal et al. 2017, arXiv 1706.02677). Nothing of it
# is swept. Smoothed labels (Szegedy et al. 2016, arXiv 1512.00567) and cutout, as large as DeVries & Taylor 2017 (arXiv
# 1708.04552) chose it for CIFAR-10, are for networks that overfit.
LONG = replace(CIFAR10, epochs=100, batch_size=256, learning_rate=0.4)
SMOOTHED = replace(LONG, label_smoothing=0.1, cutout=16)
RECIPES = {
    # Seconds on a core, for notebooks: enough to see learning, not enough to be proud of.
    "quick": {
        # Validation accuracy of lenet5_simple and lenet5, mean of three seeds (an image of 143 is 0.7 points): 98.4 and
        # 97.7%. Batches of 128 make too few steps, 10 an epoch and not 40: 93.5 and 95.3. At a rate of 0.1 one
        # lenet5_simple in three does not learn; 0.025 is level with 0.05. Half the epochs: 97.0 and 96.0; twice as
        # many gain 0.7. Digits are written off the middle, hence the shift, though 0 and 4 pixels come out level.
        ("digits", ANY): Recipe(epochs=12, batch_size=32, learning_rate=0.05, shift=2),
        # Likewise (an image of 500 is 0.2 points): 98.1 and 97.0%, in 3 to 4 seconds on a core. Without the shift
        # 97.6 and 96.5; two epochs 95.4 and 95.0; eight 98.5 for lenet5_simple; at a rate of 0.1 94.1 and 95.6.
        ("mnist-mini", ANY): Recipe(epochs=4, batch_size=32, learning_rate=0.05, shift=2),
        (ANY, ANY): Recipe(epochs=4),  # a first look at data that have no line of their own
    },
    # What the recorded runs are made with, minutes on a core. The rate, by validation accuracy at 0.05, 0.1 and 0.2, a
    # seed each: lenet5 90.7, 91.5, 91.3% on Fashion-MNIST, 98.9, 99.1, 99.2 on MNIST; lenet5_simple 92.3, 99.3 at each.
    "full": {
        # Clothes look as good in a mirror. Longer than MNIST, for more is left to learn: 93 and 94% of the training
        # images are right after the last epoch.
        ("fashion-mnist", ANY): Recipe(epochs=15, flip=True),
        # Photographs, small: a thing may stand a little elsewhere, and looks as good in a mirror. Chosen on 45,000
        # images for training and 5,000 for validation, one seed; the recorded runs are of all 50,000. Validation
        # accuracy at rates of 0.025, 0.05 and 0.1: 73.7, 75.2, 74.7%; without shifts 72.0; an average of the weights
        # comes out level.
        ("cifar10", "lenet5_simple"): Recipe(epochs=30, train_on="all", learning_rate=0.05, shift=2, flip=True),
        ("cifar10", ANY): CIFAR10,
        **{("cifar10", name): replace(CIFAR10, epochs=40) for name in ("resnet20", "resnet56", "plain20")},
        ("cifar10", "plain56"): replace(CIFAR10, epochs=40, learning_rate=0.1),
        # ImageNet's layout. Batches and decay of He et al. 2016, section 3.4; as many epochs, and crops as in Szegedy
        # et al. 2015, as common implementations have them; the cosine in place of drops of the rate.
        (FOLDER, ANY): Recipe(
            epochs=90, batch_size=256, schedule="cosine", warmup=0.05, weight_decay=1e-4, flip=True, train_on="all"
        ),
        # After 10 epochs of MNIST 99.8 and 99.9% of the training images are right.
        (ANY, ANY): Recipe(epochs=10),
    },
    # On a GPU: some minutes.
    "long": {
        **{("cifar10", name): LONG for name in ("resnet20", "resnet56", "plain20", "plain56")},
        ("cifar10", ANY): SMOOTHED,
        (ANY, ANY): Recipe(epochs=30),
    },
    "fast": {
        ("cifar10", ANY): replace(FAST, flip=True, alternate_flip=True),
        (FOLDER, ANY): replace(FAST, shift=0, flip=True),
        (ANY, ANY): FAST,
    },
}


def recipe_for(name: str, data: str, model: str = ANY) -> Recipe:
    """The Recipe of that name for a data set and a model: the most exact line there is, the data's before the model's.

    Raises ValueError for an unknown name, listing those there are.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}")
    data = FOLDER if data.startswith(f"{FOLDER}:") else data
    lines = RECIPES[name]
    return next(lines[key] for key in ((data, model), (data, ANY), (ANY, model), (ANY, ANY)) if key in lines)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of step 0 <= step < steps: a straight line up to the peak, then down towards 0."""
    peak = recipe.warmup * steps
    if step < peak:
        part = (step + 1) / (peak + 1)
    else:
        part = (steps - step) / (steps - peak)
        if recipe.schedule == "cosine":
            part = (1 - math.cos(math.pi * part)) / 2
    return recipe.learning_rate * part
