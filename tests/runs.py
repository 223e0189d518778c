"""What the tests of training share: small data, a small net, runs of a second, and what to compare of two runs."""

from dataclasses import replace

import safetensors.torch
import torch
from tqdm import tqdm

from course_utils import datasets, models, training
from course_utils.__main__ import main
from course_utils.training import Recipe, loop, runs

REAL_LOAD = datasets.load
SHORT = Recipe(epochs=4, batch_size=32, learning_rate=0.05, shift=1)


class Silent(tqdm):
    def __init__(self, *args, **options):
        super().__init__(*args, **(options | {"disable": True}))


def few(name, split):
    """The first 100 images of a split of `digits`, whatever the name."""
    dataset = REAL_LOAD("digits", split)
    return replace(dataset, name=name, images=dataset.images[:100], labels=dataset.labels[:100])


def make_small():
    """In this process from now on, `train` sees 100 images a split, any name will do, and no bar is drawn."""
    datasets.load, loop.tqdm, runs.tqdm = few, Silent, Silent


def net(seed=0, **options):
    torch.manual_seed(seed)
    return models.build("lenet5_simple", **options)


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def learned(history):
    """A history without its times."""
    return [{key: row[key] for key in row if key not in ("seconds", "images_per_second")} for row in history]


def run(folder, model="lenet5_simple", data="digits", **options):
    return training.train(model, data, **({"epochs": 4} | options), out=folder)


def refusal(capsys, *arguments):
    """The one line with which the command line refuses to train."""
    assert main(["train", *map(str, arguments)]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("course_utils: ")
    assert "\n" not in line
    return line
