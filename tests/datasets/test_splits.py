"""Splits and statistics, on data made up for it."""

import numpy as np
import pytest

from course_utils import datasets
from course_utils.datasets.splits import drawn


def test_held_out_is_stratified_and_fixed():
    labels = np.repeat(np.arange(4), (100, 50, 15, 4))
    mask = datasets.held_out(labels, 10)
    assert [int(mask[labels == label].sum()) for label in range(4)] == [10, 5, 2, 0]
    assert np.flatnonzero(mask[:100]).tolist() == [2, 3, 11, 13, 20, 48, 53, 59, 62, 92]


def test_drawn_takes_the_lowest_numbers_of_each_class():
    labels = np.arange(60) % 3
    draws = np.random.PCG64(0).random_raw(60)
    mask = drawn(labels, lambda n: n // 4)
    for label in range(3):
        taken, passed = draws[mask & (labels == label)], draws[~mask & (labels == label)]
        assert len(taken) == 5 and taken.max() < passed.min()


def test_statistics_of_two_values():
    images = np.zeros((2, 2, 1, 2), np.uint8)
    images[:, 1] = [0, 255]
    assert datasets.statistics(images) == ((0.0, 0.5), (0.0, 0.5))


@pytest.mark.parametrize("count", [1, 999, 2500])
def test_statistics_are_numpys(count):
    images = np.random.default_rng(0).integers(0, 256, (count, 2, 3, 3), np.uint8)
    mean, std = datasets.statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std((0, 2, 3)), rtol=1e-12)
