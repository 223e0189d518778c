"""Convolution and pooling by hand: against torch, and against the loops, on one thread, taken in turns in one run.

Times are processor seconds of this process, so that waiting on a busy machine does not count; a ratio is the median
over rounds of (ours / the other's), one right after the other. Memory is NumPy's peak (tracemalloc) less the results,
as a part of arguments and results. torch's max pooling notes on its way forward where the maxima lie, and its way back
reads that; ours keeps no notes and looks for them again, so both passes together are compared.
"""

import time
import tracemalloc

import numpy as np
import pytest
import torch

from course_utils.scratch import conv2d, conv2d_backward, conv2d_loops, max_pool2d, max_pool2d_backward

ROUNDS = 25


@pytest.fixture(autouse=True)
def one_thread():
    """NumPy's threads are set by the environment (OMP_NUM_THREADS), before it is imported."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw(inputs, outputs, dtype, images=32):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(images, inputs, 32, 32)), rng.normal(size=(images, outputs, 32, 32))
    weight, bias = rng.normal(size=(outputs, inputs, 3, 3)), rng.normal(size=outputs)
    return [array.astype(dtype) for array in (dy, x, weight, bias)]


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def ratio(ours, theirs, rounds=ROUNDS):
    ours(), theirs()
    return np.median([seconds(ours) / seconds(theirs) for _ in range(rounds)])


def working_memory(function, arguments):
    tracemalloc.start()
    results = function(*arguments, padding=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = sum(array.nbytes for array in (results if isinstance(results, tuple) else (results,)))
    return (peak - written) / (written + sum(array.nbytes for array in arguments))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (16, 32), (32, 16), (32, 32)])
def test_against_torch(inputs, outputs, dtype):
    dy, *arrays = draw(inputs, outputs, dtype)
    twins = [torch.tensor(array, requires_grad=True) for array in arrays]
    constants = [twin.detach() for twin in twins]
    y, torch_dy = torch.nn.functional.conv2d(*twins, padding=1), torch.tensor(dy)
    forward = ratio(lambda: conv2d(*arrays, padding=1), lambda: torch.nn.functional.conv2d(*constants, padding=1))
    backward = ratio(
        lambda: conv2d_backward(dy, *arrays, padding=1),
        lambda: torch.autograd.grad(y, twins, torch_dy, retain_graph=True),
    )
    memory = working_memory(conv2d, arrays), working_memory(conv2d_backward, (dy, *arrays))
    print(
        f"\nconv2d, {dtype}, 32 x {inputs} x 32 x 32 to {outputs}, 3 x 3: time of torch's forward x {forward:.2f}, "
        f"backward x {backward:.2f}; working memory {memory[0]:.0%}, {memory[1]:.0%} of arguments and results"
    )
    np.testing.assert_allclose(conv2d(*arrays, padding=1), y.detach(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_against_the_loops(dtype):
    _, *arrays = draw(16, 32, dtype, images=8)
    times = ratio(lambda: conv2d_loops(*arrays, padding=1), lambda: conv2d(*arrays, padding=1), rounds=2)
    print(f"\nconv2d, {dtype}, 8 x 16 x 32 x 32 to 32, 3 x 3: {times:.0f} times as fast as conv2d_loops")
    np.testing.assert_allclose(conv2d(*arrays, padding=1), conv2d_loops(*arrays, padding=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_max_pooling_takes_at_most_three_times_as_long_as_torch(dtype):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(32, 32, 32, 32)).astype(dtype), rng.normal(size=(32, 32, 16, 16)).astype(dtype)
    twin, torch_dy = torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def ours():
        return max_pool2d(x, 2), max_pool2d_backward(dy, x, 2)

    def theirs():
        y = torch.nn.functional.max_pool2d(twin, 2)
        return y, *torch.autograd.grad(y, twin, torch_dy)

    for one, other in zip(ours(), theirs(), strict=True):
        np.testing.assert_array_equal(one, other.detach())
    both = ratio(ours, theirs)
    forward = ratio(lambda: max_pool2d(x, 2), lambda: torch.nn.functional.max_pool2d(twin.detach(), 2))
    print(
        f"\nmax_pool2d, {dtype}, 32 x 32 x 32 x 32, 2 x 2: time of torch's forward x {forward:.2f}, "
        f"with the backward x {both:.2f}"
    )
    assert forward <= 3 and both <= 3
