"""Keep finished runs: records in data/runs, beside them outputs for the test images, weights in the package."""

import json
from pathlib import Path

import safetensors.torch

from course_utils.files import write
from course_utils.models import pretrained
from course_utils.training.records import RUNS

WITH_LOGITS = ("fast",)  # recipes of whose runs ensembles are made
WITH_WEIGHTS = ("resnet20", "plain20", "small_alexnet")  # of seed 0


def keep(folder: Path) -> list[Path]:
    """Keep what is kept of the run in `folder`; returns the files. Raises ValueError where there is no finished run."""
    try:
        text = (folder / "run.json").read_text(encoding="utf-8")
        record = json.loads(text)
        name, finished = f"{record['model']}-{record['data']}-seed{record['seed']}", "test_accuracy" in record
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{folder} holds no run: {error}") from None
    if not finished:
        raise ValueError(f"the run in {folder} is not at its end")
    files = [RUNS / f"{name}.json"]
    write(files[0], text)
    if record["recipe"] in WITH_LOGITS:
        files.append(RUNS / f"{name}.safetensors")
        write(files[-1], (folder / "test_logits.safetensors").read_bytes())
    if record["model"] in WITH_WEIGHTS and record["data"] == "cifar10" and record["seed"] == 0:
        weights = safetensors.torch.load_file(folder / "model.safetensors")
        files.append(pretrained.keep(record["model"], weights, record["model_options"]))
    return files
