"""Starting weights: fans, variances, bounds."""

import numpy as np
import pytest
import torch

from course_utils import scratch
from course_utils.scratch import fan_in_out

SHAPES = [(300, 200), (64, 32, 5, 3)]
VARIANCE = {
    "lecun_normal": lambda n_in, n_out: 1 / n_in,
    "lecun_uniform": lambda n_in, n_out: 1 / n_in,
    "torch_heuristic": lambda n_in, n_out: 1 / (3 * n_in),
    "glorot_normal": lambda n_in, n_out: 2 / (n_in + n_out),
    "glorot_uniform": lambda n_in, n_out: 2 / (n_in + n_out),
    "he_normal": lambda n_in, n_out: 2 / n_in,
    "he_uniform": lambda n_in, n_out: 2 / n_in,
}


@pytest.mark.parametrize("shape", [*SHAPES, (1, 7), (7, 1), (2, 1, 3, 1)])
def test_fans_are_torchs(shape):
    assert fan_in_out(shape) == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize("rule", VARIANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_variance_mean_and_bounds(rule, shape):
    w = getattr(scratch, rule)(shape, np.random.default_rng(0))
    expected = VARIANCE[rule](*fan_in_out(shape))
    assert w.shape == shape
    # A measured variance has a deviation of about var * sqrt(2 / n): five of them, and of the mean's likewise.
    assert w.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / w.size))
    assert abs(w.mean()) < 5 * np.sqrt(expected / w.size)
    bound = np.sqrt(3 * expected)
    if rule.endswith("normal"):
        assert np.abs(w).max() > bound
    else:
        assert 0.99 * bound < np.abs(w).max() <= bound


def test_a_seed_gives_the_same_weights():
    first, second = (scratch.he_normal((3, 4), np.random.default_rng(7)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("shape", [(5,), (), (0, 3), (3, -1)])
def test_shapes_without_two_fans_are_refused(shape):
    with pytest.raises(ValueError, match="shape is"):
        scratch.glorot_uniform(shape, np.random.default_rng(0))


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match="rng is 0"):
        scratch.he_normal((3, 4), 0)
