"""Finished runs on their test images, and what several know together."""

import json
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from course_utils import models
from course_utils.datasets.sources import Data, channels, data
from course_utils.evaluation import ensemble, interval, predict, top_k

READ = {"model": str, "model_options": dict, "data": str, "precision": str}  # of a record


def evaluate_runs(
    folders: list[str], *, tta: str = "none", device: str | None = None, precision: str | None = None
) -> list[dict]:
    """Print and return top-1 and top-5 of finished runs on their test split, with intervals; of several, also together.

    precision: None for that of each run. Returns a dict a line: what, top1, low, high, top5 (None up to five classes).
    Raises ValueError for folders without a finished run, or with runs on several data sets.
    """
    if len({Path(folder).resolve() for folder in folders}) < len(folders):
        raise ValueError("a folder is given twice; expected different runs")
    found = [_read(Path(folder)) for folder in folders]
    names = list(dict.fromkeys(record["data"] for record in found))
    if len(names) > 1:
        raise ValueError(f"the runs are on {' and '.join(names)}; expected one data set")
    test = data(names[0], "test")
    looks = []
    for folder, record in zip(folders, found, strict=True):
        model = load_model(folder, record, test)
        looks.append(predict(model, test, tta=tta, device=device, precision=precision or record["precision"]))
    rows = [_row(folder, logits, test) for folder, logits in zip(folders, looks, strict=True)]
    if len(looks) > 1:
        rows.append(_row(f"ensemble of {len(looks)}", ensemble(looks), test))
    for row in rows:
        top5 = "" if row["top5"] is None else f"  top-5 {row['top5']:.2%}"
        print(f"{row['what']}: top-1 {row['top1']:.2%} (95%: {row['low']:.2%} to {row['high']:.2%}){top5}")
    return rows


def load_model(folder: str | Path, record: dict, test: Data) -> nn.Module:
    """The network of a finished run with its weights. ValueError for weights missing or of another network."""
    path = Path(folder) / "model.safetensors"
    sizes = {"num_classes": len(test.classes), "in_channels": channels(test)}
    model = models.build(record["model"], **sizes | record["model_options"])
    if record["precision"] == "float64":
        model.double()
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, safetensors.SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not hold the weights of this run: {reason}") from None
    return model


def _read(folder):
    """The record of a finished run."""
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        finished = "test_accuracy" in record and all(isinstance(record[name], kind) for name, kind in READ.items())
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} holds no run: there is no run.json in it") from None
    except (ValueError, TypeError, LookupError):
        finished = False
    if not finished:
        raise ValueError(f"{path} is not the record of a finished run: train with --resume goes on")
    return record


def _row(what: str, logits: torch.Tensor, test: Data) -> dict:
    top1 = top_k(logits, test.labels, 1)
    low, high = interval(top1, len(test))
    top5 = top_k(logits, test.labels, 5) if logits.shape[1] > 5 else None
    return {"what": what, "top1": top1, "low": low, "high": high, "top5": top5}
