"""The machine: seeds that make runs again, seeds derived from others, and what is said of the hardware."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from course_utils import machine


def test_seed_everything_seeds_all_three():
    draws = []
    for seed in (3, 3, 4):
        machine.seed_everything(seed)
        draws.append((random.random(), float(np.random.rand()), torch.rand(1).item()))  # noqa: NPY002
    assert draws[0] == draws[1]
    assert all(a != b for a, b in zip(draws[0], draws[2], strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, None, "0"])
def test_a_seed_is_a_whole_number(seed):
    for takes in (machine.check_seed, machine.seed_everything):
        with pytest.raises(ValueError, match=f"seed is {seed!r}; expected a whole number from 0 to 4294967295"):
            takes(seed)


def test_derived_seeds_have_nothing_in_common():
    words = [(seed, epoch, purpose) for seed in range(5) for epoch in range(20) for purpose in range(3)]
    seeds = [machine.derived_seed(*three) for three in words]
    assert len(set(seeds)) == len(words)
    assert machine.derived_seed(1, 2, 0) == seeds[words.index((1, 2, 0))]
    bits = np.array([[seed >> bit & 1 for bit in range(64)] for seed in seeds])
    assert abs(bits.mean() - 0.5) < 0.02  # 19,200 bits: five standard deviations


@pytest.mark.parametrize("name", ["tpu", "meta", "cpu:1", "gpu", "cuda:0:1", "", 3])
def test_a_device_that_is_not_there(name):
    if name == "":
        assert machine.pick_device(name).type == "cpu"
        return
    with pytest.raises(ValueError, match=f"device {name!r} is not on this machine; it has .*cpu"):
        machine.pick_device(name)


def test_hardware_in_words():
    threads = torch.get_num_threads()
    said = machine.hardware(torch.device("cpu"))
    assert f"(cpu), {threads} thread" in said and len(said) > len("(cpu), 1 thread")


def test_it_loads_neither_numpy_nor_torch():
    code = "import sys; import course_utils.machine; print('numpy' in sys.modules, 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False False\n"
