"""Keep finished runs: records in data/runs, beside them outputs for the test images, weights in the package."""

import json
from dataclasses import asdict
from pathlib import Path

import safetensors.torch

from course_utils.files import write
from course_utils.models import pretrained
from course_utils.training.recipes import recipe_for
from course_utils.training.records import RUNS

RECORDED = ("full", "long", "fast")  # recipes
WITH_LOGITS = ("fast",)  # recipes of whose runs ensembles are made
WITH_WEIGHTS = ("resnet20", "plain20", "small_alexnet")  # of seed 0


def keep(folder: Path) -> list[Path]:
    """Keep what is kept of the run in `folder`; returns the files. Raises ValueError where there is no finished run."""
    try:
        text = (folder / "run.json").read_text(encoding="utf-8")
        record = json.loads(text)
        model, data, seed, recipe = (record[key] for key in ("model", "data", "seed", "recipe"))
        values = record["recipe_values"].items()
        options = [f"{option}{value}" for option, value in record["model_options"].items()]
        usual = "fast" if model == "fast_cnn" else "full"  # which the name need not say
        marks = [*options, *([] if recipe == usual else [recipe])]
        name, finished = "-".join([model, *marks, data, f"seed{seed}"]), "test_accuracy" in record
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder} holds no run: {error}") from None
    if not finished:
        raise ValueError(f"the run in {folder} is not at its end")
    if recipe not in RECORDED or Path(name).name != name:
        raise ValueError(f"{name} by the recipe {recipe!r} is not kept; expected {', '.join(RECORDED)}")
    expected = asdict(recipe_for(recipe, data, model))
    if changed := [field for field, value in values if expected.get(field) != value]:
        raise ValueError(f"{folder} is not kept: its {changed[0]} is not that of the recipe {recipe!r}")
    files = []
    if (recipe, data, seed) == ("full", "cifar10", 0) and model in WITH_WEIGHTS and not options:
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        files.append(pretrained.keep(model, weights, record["model_options"]))
    if recipe in WITH_LOGITS:
        files.append(RUNS / f"{name}.safetensors")
        write(files[-1], (folder / "test_logits.safetensors").read_bytes())
    files.insert(0, RUNS / f"{name}.json")
    write(files[0], text)
    return files
