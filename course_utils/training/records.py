"""The record of a run, run.json: what was trained, how, where, and the command that makes it again."""

import dataclasses
import json
import shlex
from pathlib import Path

import safetensors

from course_utils.files import ROOT, write
from course_utils.training.loop import Run
from course_utils.training.recipes import fields, recipe_for

RUNS = ROOT / "data" / "runs"


def load_runs(pattern: str) -> list[dict]:
    """The records of full runs that were really made: data/runs/PATTERN.json, parsed, in the order of their names.

    A list, empty where there are none (an installation without the repository's data), so a chapter can do without.
    """
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RUNS.glob(f"{pattern}.json"))]


def record(run: Run, identity: dict, stretches: list) -> dict:
    """What run.json says: what was trained, how, where, the command that makes it again, and a row an epoch."""
    return {
        "command": command(identity),
        **{name: identity[name] for name in ("model", "model_options", "data", "recipe", "seed", "precision")},
        **{name: identity[name] for name in ("world_size", *SWITCHES)},
        "recipe_values": dataclasses.asdict(run.recipe),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "train_images": len(run.train),
        "validation_images": len(run.validation) if run.validation else 0,
        **{name: value for name, value in stretches[-1].items() if name != "first_epoch"},
        **({"stretches": stretches} if len(stretches) > 1 else {}),  # where an interrupted run ran, stretch by stretch
        "seconds": sum(row["seconds"] for row in run.history),
        "epochs": run.history,
    }


SWITCHES = ("compile", "deterministic", "sync_batch_norm")


def command(identity: dict) -> str:
    """The command line that makes a run again, with the recipe of that name as it is at the run's commit."""
    recipe = recipe_for(identity["recipe"], identity["data"], identity["model"])
    words = ["python", "-m", "course_utils", "train", identity["model"], "--data", identity["data"]]
    if identity["world_size"] > 1:
        words[:1] = ["torchrun", "--nproc-per-node", str(identity["world_size"])]
    words += ["--recipe", identity["recipe"], "--seed", str(identity["seed"]), "--precision", identity["precision"]]
    for name, value in identity["model_options"].items():
        words += ["--model-option", f"{name}={value}"]
    for name in fields():
        if identity[name] != getattr(recipe, name):
            words += ["--set", f"{name}={identity[name]}"]
    return shlex.join(words + [f"--{name.replace('_', '-')}" for name in SWITCHES if identity[name]])


def finished(run: Run, identity: dict, folder: Path) -> dict | None:
    """The record of a run that is at its end, its test images looked at; None for any other."""
    if len(run.history) < run.recipe.epochs:
        return None
    try:
        with safetensors.safe_open(folder / "model.safetensors", "pt") as weights:
            whole = set(weights.keys()) == run.model.state_dict().keys()
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        said = f"{folder} holds this run, finished: test accuracy {record['test_accuracy']:.2%}"
        whole = whole and (folder / "test_logits.safetensors").exists()
        same = whole and record["epochs"] == run.history and record["command"] == command(identity)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, safetensors.SafetensorError):
        return None
    if same:
        print(said)
    return record if same else None


def line(row: dict, epochs: int) -> str:
    """A row of the history in words."""
    words = f"epoch {row['epoch']:2d}/{epochs}  train loss {row['train_loss']:.3f} accuracy {row['train_accuracy']:.2%}"
    if row["validation_loss"] is not None:
        words += f"  validation loss {row['validation_loss']:.3f} accuracy {row['validation_accuracy']:.2%}"
    return f"{words}  {row['images_per_second']:,.0f} images/s"


def keep(folder: Path, record: dict) -> None:
    """Write folder/run.json."""
    write(folder / "run.json", json.dumps(record, indent=1) + "\n")
