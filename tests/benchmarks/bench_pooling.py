"""Max pooling against torch on one thread, taken in turns in one run.

Times are processor seconds of this process; a ratio is the median over rounds of (ours / torch's). torch's forward pass
notes where the maxima lie, and its backward pass reads that; ours keeps no notes and looks for them again, so that the
two passes together are what can be compared.
"""

import time

import numpy as np
import pytest
import torch

from course_utils.scratch import max_pool2d, max_pool2d_backward

ROUNDS = 25


@pytest.fixture(autouse=True)
def one_thread():
    """NumPy needs none of its threads here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def ratio(ours, theirs):
    return np.median([seconds(ours) / seconds(theirs) for _ in range(ROUNDS)])


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
