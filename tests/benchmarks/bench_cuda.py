"""On a CUDA device: images a second with a CUDA graph, and with Python launching each kernel. README.md.

The tests, and `make benchmark`, hide GPUs from themselves; on a machine that has one:
python -m pytest -s -o addopts= tests/benchmarks/bench_cuda.py
"""

from dataclasses import replace

import pytest
import torch

from course_utils import datasets, machine, models, training

IMAGES, EPOCHS = 2560, 4


def history(name, cuda_graph):
    """Four short epochs on as many random images of CIFAR-10's size, whose colour gives their class away."""
    images = torch.randint(256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(IMAGES) % 10
    images[:, 0] = images[:, 0] // 2 + (12 * labels).byte().view(-1, 1, 1)
    data = datasets.Dataset("random", "train", images, labels, tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
    recipe = replace(training.recipe_for("full", "cifar10", name), epochs=EPOCHS, learning_rate=0.05)
    machine.seed_everything(0)
    torch.cuda.reset_peak_memory_stats()
    model, device = models.build(name, 10, 3), torch.device("cuda")
    run = training.Run(model, data, None, recipe, 0, device, "bfloat16", cuda_graph=cuda_graph)
    return list(run.epochs(quiet=True)), torch.cuda.max_memory_allocated() / 1e9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is in sight")
@pytest.mark.parametrize("name", ["resnet20", "small_alexnet", "resnet56", "small_googlenet"])
def test_cuda_graph(name):
    (before, memory_before), (after, memory_after) = (history(name, cuda_graph) for cuda_graph in (False, True))
    speeds = [rows[-1]["images_per_second"] for rows in (before, after)]
    print(
        f"\n{name}: {speeds[0]:,.0f} images a second, {speeds[1]:,.0f} with a CUDA graph, "
        f"{speeds[1] / speeds[0]:.1f} times; {memory_before:.2f} and {memory_after:.2f} GB"
    )
    # In the first epoch: where a sum comes out in another order each time, the difference grows from step to step.
    assert after[0]["train_loss"] == pytest.approx(before[0]["train_loss"], rel=5e-3)
    assert speeds[1] > 1.5 * speeds[0]
