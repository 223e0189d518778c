"""The training loop against the bare step: forward, backward and the optimizer's step on a batch that is there already.

What the loop adds: order and augmentation, rates, the record of losses, checkpoints, and the memory of the images. Each
ratio is of two measurements of one run, in turns, in processor time and on one thread.
"""

import functools
import resource
import statistics
import subprocess
import sys
import time

import pytest
import torch
from torch.nn import functional as F
from tqdm import tqdm

from course_utils import datasets, machine, models, training
from course_utils.training import checkpoints
from course_utils.training.optimizers import make_optimizer

CPU = torch.device("cpu")
RECIPE = training.Recipe(epochs=100, learning_rate=0.01, shift=4, flip=True, alternate_flip=True)
CIFAR10 = 50_000  # images of an epoch
ROUNDS = 5


def pictures(n):
    """Random images in the size of CIFAR-10's."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    return datasets.Dataset("random", "train", images, labels, tuple("0123456789"), (0.5,) * 3, (0.29,) * 3)


def make_run(name, images, precision):
    torch.manual_seed(0)
    return training.Run(models.build(name, in_channels=3), pictures(images), None, RECIPE, 0, CPU, precision)


def bare_steps(name, steps, precision):
    """A function that makes so many steps on one batch."""
    model = models.build(name, in_channels=3).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(model, RECIPE)
    images = torch.randn(RECIPE.batch_size, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.arange(RECIPE.batch_size) % 10

    def step():
        with machine.autocast(precision, CPU):
            loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return lambda: [step() for _ in range(steps)]


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def precisions():
    return ["float32", "bfloat16"] if machine.multiplies_bfloat16() else ["float32"]


@pytest.mark.parametrize(("name", "steps", "most"), [("resnet20", 4, 1.15), ("lenet5_simple", 50, 1.2)])
def test_the_loop_costs_little_more_than_its_steps(name, steps, most):
    torch.set_num_threads(1)
    for precision in precisions():
        run = make_run(name, steps * RECIPE.batch_size, precision)
        bare, bar = bare_steps(name, steps, precision), tqdm(disable=True)
        run.epoch(bar), bare()  # once for nothing
        ratios = [seconds(functools.partial(run.epoch, bar)) / seconds(bare) for _ in range(ROUNDS)]
        ratio = statistics.median(ratios)
        print(f"\n{name}, {precision}: the loop takes {ratio:.2f} times the bare step's processor time")
        assert ratio <= most


@pytest.mark.parametrize("name", ["resnet20", "lenet5_simple"])
def test_checkpoints_cost_next_to_nothing(name, tmp_path):
    torch.set_num_threads(1)
    run = make_run(name, 4 * RECIPE.batch_size, precisions()[-1])
    run.epoch(tqdm(disable=True))
    start = time.perf_counter()
    run.epoch(tqdm(disable=True))
    epoch = (time.perf_counter() - start) * CIFAR10 / len(run.train)
    start = time.perf_counter()
    for _ in range(3):
        checkpoints.save(tmp_path, run, {"model": name}, [])
    share = (time.perf_counter() - start) / 3 / epoch
    print(f"\n{name}: a checkpoint takes {share:.2%} of an epoch of {CIFAR10:,} images")
    assert share < 0.02


def peak_memory(code):
    """The largest resident memory of a fresh process, in MB."""
    lines = ["import sys; sys.path.insert(0, sys.argv[1])", "import bench_loop, resource, torch, tqdm", code]
    lines.append("print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    folder = str(__file__).rpartition("/")[0]
    words = [sys.executable, "-c", "\n".join(lines), folder]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return int(output.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.skipif(not hasattr(resource, "RUSAGE_SELF"), reason="the system does not count a process's memory")
def test_peak_memory_is_near_the_bare_steps():
    """Both hold CIFAR-10's training set; ours holds it padded, once."""
    common = f"torch.set_num_threads(1); data = bench_loop.pictures({CIFAR10}); "
    bare = peak_memory(common + "bench_loop.bare_steps('resnet20', 3, 'float32')()")
    ours = peak_memory(
        common + "run = bench_loop.training.Run(bench_loop.models.build('resnet20'), data, None, "
        "bench_loop.RECIPE, 0, bench_loop.CPU, 'float32'); del data; run.train.steps = 3; "
        "run.epoch(tqdm.tqdm(disable=True))"
    )
    print(f"\nresnet20 with the training set: at most {ours:,.0f} MB, the bare step {bare:,.0f} MB, {ours / bare:.2f}")
    assert ours <= 1.1 * bare
