"""Recipes: the line that suits, what is refused, and a schedule without a jump."""

import itertools
from dataclasses import replace

import pytest
from runs import SHORT

from course_utils import training
from course_utils.training import Recipe

# ---- Recipes and schedule


@pytest.mark.parametrize("recipe", [SHORT, replace(SHORT, warmup=0.0), replace(SHORT, warmup=0.9, epochs=1)])
@pytest.mark.parametrize("steps", [1, 2, 7, 400])
def test_schedule_has_no_jump(recipe, steps):
    rates = [training.learning_rate(recipe, step, steps) for step in range(steps)]
    assert all(0 < rate <= recipe.learning_rate for rate in rates)
    if steps == 400:
        assert max(rates) > 0.99 * recipe.learning_rate
        slopes = [abs(b - a) for a, b in itertools.pairwise(rates)]
        shorter = min(part for part in (recipe.warmup, 1 - recipe.warmup) if part)
        assert max(slopes) < 1.01 * recipe.learning_rate / (shorter * steps)
        assert rates[-1] < 0.03 * recipe.learning_rate


def test_schedule_at_its_corners():
    recipe = Recipe(epochs=1, learning_rate=0.3, warmup=0.25)
    rates = [training.learning_rate(recipe, step, 400) for step in (0, 99, 100, 250, 399)]
    assert rates == pytest.approx([0.3 / 101, 0.3 * 100 / 101, 0.3, 0.15, 0.001])


def test_recipes_suit_their_data():
    assert training.recipe_for("quick", "digits") != training.recipe_for("full", "digits")
    for budget in training.RECIPES:
        for digits in ("digits", "mnist"):
            assert not training.recipe_for(budget, digits).flip
    with pytest.raises(ValueError, match="'slow'; there are quick, full"):
        training.recipe_for("slow", "digits")


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"batch_size": 0},
        {"batch_size": True},
        {"shift": -1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"warmup": 1},
        {"warmup": -0.1},
        {"momentum": -0.1},
        {"momentum": 1},
        {"label_smoothing": 1},
        {"label_smoothing": -0.1},
        {"weight_decay": -1e-4},
        {"weight_decay": float("inf")},
        {"learning_rate": "0.1"},
        {"learning_rate": True},
        {"flip": 1},
        {"flip": "yes"},
        {"train_on": "test"},
        {"optimizer": "adam"},
        {"schedule": "step"},
        {"average": True},
        {"average_decay": 1.0},
        {"average_every": 0},
        {"norm_bias_rate": 0.0},
        {"clip": -1.0},
        {"fill": "edge"},
        {"cutout": -1},
        {"tta": "crops"},
        {"learning_rate": 1e308},
        {"weight_decay": 1e300},
        {"epochs": 10**400},
    ],
)
def test_recipes_that_make_no_sense(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} is"):
        replace(SHORT, **change)


def test_the_most_exact_line_counts(monkeypatch):
    lines = {("digits", "lenet5"): 1, ("digits", "any"): 2, ("any", "lenet5"): 3, ("any", "any"): 4}
    monkeypatch.setitem(training.RECIPES, "quick", {key: Recipe(epochs=n) for key, n in lines.items()})
    wanted = {("digits", "lenet5"): 1, ("digits", "vgg11"): 2, ("mnist", "lenet5"): 3, ("mnist", "vgg11"): 4}
    assert {key: training.recipe_for("quick", *key).epochs for key in wanted} == wanted
    assert training.recipe_for("quick", "digits").epochs == 2
