"""Training on a hundred images."""

import pytest
from runs import Silent, few

from course_utils import datasets
from course_utils.training import loop, runs


@pytest.fixture
def sets():
    return few("digits", "train"), few("digits", "validation")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """`train` sees 100 images a split, and any name will do."""
    monkeypatch.setattr(datasets, "load", few)
    for module in (loop, runs):
        monkeypatch.setattr(module, "tqdm", Silent)
