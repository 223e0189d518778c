"""Training: `fit` for a model of one's own, `train` for one by name, with its record and its checkpoint.

recipes: how to train; loop: the lesson; optimizers, averaging and graphs: what it calls; checkpoints: what it takes to
go on; runs: by name; records: what is kept of them; ensembles: what several know; parallel: several processes.
"""

from course_utils.training.loop import Diverged, Run, fit
from course_utils.training.recipes import RECIPES, WORDS, Recipe, fields, learning_rate, recipe_for
from course_utils.training.records import load_runs
from course_utils.training.runs import train

__all__ = [
    "RECIPES",
    "WORDS",
    "Diverged",
    "Recipe",
    "Run",
    "fields",
    "fit",
    "learning_rate",
    "load_runs",
    "recipe_for",
    "train",
]
