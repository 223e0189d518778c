"""What full runs cost on one thread of this machine, as README.md says: on CIFAR-10, model by model; and ImageNet's
decoding.
"""

import resource
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image
from tqdm import tqdm

from course_utils import datasets, machine, models, training
from course_utils.datasets import folder
from course_utils.datasets.streams import Stream

CPU = torch.device("cpu")
CIFAR10 = 50_000
STEPS = 4
RUNS = [("lenet5_simple", "full"), ("small_alexnet", "full"), ("small_vgg16", "full"), ("small_googlenet", "full")]
RUNS += [("small_resnet18", "full"), ("resnet20", "full"), ("resnet56", "full"), ("fast_cnn", "fast")]


def cost(name, recipe):
    """Print images per second of processor time, and the most memory that this process has held, in GB."""
    torch.set_num_threads(1)
    images = torch.zeros(CIFAR10, 3, 32, 32, dtype=torch.uint8)
    labels = torch.arange(CIFAR10) % 10
    data = datasets.Dataset("cifar10", "all", images, labels, tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
    del images
    precision = "bfloat16" if machine.multiplies_bfloat16() else "float32"
    model = models.build(name, 10, 3)
    run = training.Run(model, data, None, training.recipe_for(recipe, "cifar10", name), 0, CPU, precision)
    run.train.steps = 1
    run.epoch(tqdm(disable=True))  # once for nothing
    run.train.steps = STEPS
    start = time.process_time()
    run.epoch(tqdm(disable=True))
    speed = STEPS * run.recipe.batch_size / (time.process_time() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(speed, memory, run.recipe.epochs, precision)


@pytest.mark.parametrize(("name", "recipe"), RUNS)
def test_a_full_run_fits_a_laptop(name, recipe):
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import bench_costs; bench_costs.cost({name!r}, {recipe!r})"
    words = [sys.executable, "-c", code, __file__.rpartition("/")[0]]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    speed, memory, epochs = float(output[0]), float(output[1]), int(output[2])
    minutes = epochs * CIFAR10 / speed / 60
    print(
        f"\n{name}, {epochs} epochs, {output[3]}: {speed:,.0f} images a processor second, {minutes:,.0f} minutes on a "
        f"core, at most {memory:.1f} GB"
    )
    assert memory < 8


def test_decoding_of_images_as_large_as_those_of_imagenet(tmp_path):
    sizes = []
    for split, count in (("train", 120), ("val", 2)):
        for name, photograph in datasets.photographs().items():
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                part = photograph[:, i % 52 :][:, :375, i : i + 500]  # 500 x 375: the sides that most of them have
                path = tmp_path / split / name / f"{i}.jpg"
                Image.fromarray(part.permute(1, 2, 0).numpy()).save(path, quality=97)
                sizes.append(path.stat().st_size)
    files = folder.listing(f"folder:{tmp_path}", "all")
    stream = Stream(files, CPU, 224, batch_size=40, workers=0, flip=True)
    list(stream.epoch(0))  # once for nothing
    start = time.process_time()
    images = sum(len(labels) for _, labels in stream.epoch(1))
    speed = images / (time.process_time() - start)
    print(
        f"\nJPEGs of 500 x 375 pixels and {sum(sizes) / len(sizes) / 1000:.0f} kB: {speed:,.0f} images a processor "
        f"second, {1_281_167 / speed / 60:.0f} minutes of a core for an epoch of ImageNet"
    )
    assert not stream.unreadable
