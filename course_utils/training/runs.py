"""A run by names, as the command line makes it: its folder, its record run.json, and the one look at the test split."""

import dataclasses
import json
import shlex
import zlib
from pathlib import Path

import safetensors
import safetensors.torch
from tqdm.auto import tqdm

from course_utils import datasets, machine, models
from course_utils.evaluation import check_kinds, evaluate
from course_utils.files import ROOT, write
from course_utils.training import checkpoints
from course_utils.training.loop import Run
from course_utils.training.parallel import world_size
from course_utils.training.recipes import fields, recipe_for

RUNS = ROOT / "data" / "runs"


def load_runs(pattern: str) -> list[dict]:
    """The records of full runs that were really made: data/runs/PATTERN.json, parsed, in the order of their names.

    A list, empty where there are none (an installation without the repository's data), so a chapter can do without.
    """
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RUNS.glob(f"{pattern}.json"))]


def train(
    model: str,
    data: str,
    recipe: str = "quick",
    *,
    settings: dict | None = None,
    model_options: dict | None = None,
    epochs: int | None = None,
    stop_after: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    precision: str | None = None,
) -> dict:
    """Train a model by name on data by name; keeps run.json and checkpoint.pt in the folder `out`. Returns the record.

    recipe: the name of one; epochs, batch_size and settings, {field: value}, replace its values. stop_after ends early,
    after that epoch, on the same schedule. seed: of initial weights, order, augmentation and dropout. resume goes on
    from the checkpoint, on the CPU bit for bit, and starts anew where there is none. device, precision: None for the
    best there is.
    After the last epoch the test split is looked at, once, and model.safetensors is written.
    Raises ValueError for a wrong argument, a folder that holds a run (without resume), another run (with it) or one at
    work, or for damaged checkpoints; Diverged for a loss of NaN; OSError where data cannot be had or files not be
    written; KeyboardInterrupt that says how to go on.
    """
    world = world_size()
    check_kinds(model=(model, str), data=(data, str), recipe=(recipe, str), resume=(resume, bool))
    settings, options = settings or {}, model_options or {}
    check_kinds(settings=(settings, dict), model_options=(options, dict), stop_after=(stop_after or 1, int))
    check_kinds(out=(str(out) if isinstance(out, Path) else out or "", str))
    unknown = [option for option in options if option not in models.options(model)]
    if unknown:
        raise ValueError(f"{model} has no option {unknown[0]!r}; it has {', '.join(models.options(model)) or 'none'}")
    place = machine.pick_device(device)
    chosen = _changed(recipe_for(recipe, data, model), {"epochs": epochs, "batch_size": batch_size}, settings)
    stop_after = chosen.epochs if stop_after is None else stop_after
    if not 1 <= stop_after <= chosen.epochs:
        raise ValueError(f"stop_after is {stop_after}; expected 1 to {chosen.epochs}, the number of epochs")
    identity = {
        "model": model,
        "model_options": dict(options),
        "data": data,
        "recipe": recipe,
        "seed": machine.check_seed(seed),
        "precision": machine.pick_precision(precision, place),
        "world_size": world,
        **dataclasses.asdict(chosen),
    }
    folder = Path(out or f"build/{model}-{Path(data.removeprefix('folder:')).name}-seed{seed}")
    if not resume:
        _refuse_used(folder)
    run = _start(identity, chosen, place)
    with checkpoints.alone(folder):
        return _train(run, identity, folder, stop_after, resume)


def _changed(recipe, arguments, settings):
    """The recipe with the values given. Raises ValueError for an unknown field, or one given twice."""
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, value in settings.items():
        if name not in fields():
            raise ValueError(f"a recipe has no {name!r} to set; it has {', '.join(fields())}")
        if name in given:
            raise ValueError(f"{name} is given twice, as {given[name]!r} and as {value!r}")
        given[name] = value
    return dataclasses.replace(recipe, **given)


def _refuse_used(folder):
    if checkpoints.holds_run(folder):
        raise ValueError(f"{folder} holds a run: go on with --resume, or name another folder with --out")


def _start(identity, recipe, device):
    """A Run of a freshly initialized model; the checksum of its images joins its identity."""
    train, validation = (datasets.load(identity["data"], split) for split in ("train", "validation"))
    identity["images (CRC-32)"] = zlib.crc32(train.images.contiguous().numpy().tobytes())
    machine.seed_everything(identity["seed"])
    sizes = {"num_classes": len(train.classes), "in_channels": train.images.shape[1]}
    model = models.build(identity["model"], **sizes, **identity["model_options"])
    return Run(model, train, validation, recipe, identity["seed"], device, identity["precision"])


def _train(run, identity, folder, stop_after, resume):
    """The epochs that are left, each with its checkpoint and record; after the last, the end of the run."""
    stretches = []
    if resume:
        checkpoint = checkpoints.load(folder, identity)
        if checkpoint:
            checkpoints.restore(run, checkpoint, folder)
            stretches = checkpoint["stretches"]
            if finished := _finished(run, identity, folder):
                return finished
    else:
        _refuse_used(folder)  # once more, now that nobody else can be at work in it
    kept = len(run.history)
    stretches = [*stretches, {"first_epoch": kept + 1, **machine.circumstances(run.device)}]
    try:
        for row in run.epochs(stop_after):
            checkpoints.save(folder, run, identity, stretches)
            kept = len(run.history)
            _write_record(folder, _record(run, identity, stretches))
            tqdm.write(_line(row, run.recipe.epochs))
        return _finish(run, identity, stretches, folder)
    except KeyboardInterrupt:
        how = f"after epoch {kept} of {run.recipe.epochs}: the same call with --resume goes on in {folder}"
        raise KeyboardInterrupt(f"interrupted {how if kept else 'in the first epoch: nothing is kept'}") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        how = f"with --resume goes on in {folder}" if kept else "starts anew"
        raise OSError(f"{error.strerror or error}: once that is mended, the same call {how}") from error


def _finished(run, identity, folder):
    """The record of a run that is at its end, its test images looked at; None for any other."""
    if len(run.history) < run.recipe.epochs:
        return None
    try:
        with safetensors.safe_open(folder / "model.safetensors", "pt") as weights:
            whole = set(weights.keys()) == run.model.state_dict().keys()
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        said = f"{folder} holds this run, finished: test accuracy {record['test_accuracy']:.2%}"
        same = whole and record["epochs"] == run.history and record["command"] == command(identity)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, safetensors.SafetensorError):
        return None
    if same:
        print(said)
    return record if same else None


def _finish(run, identity, stretches, folder):
    """Once all epochs are done: the weights on their own, and the one look at the test split. Returns the record."""
    record = _record(run, identity, stretches)
    if len(run.history) < run.recipe.epochs:
        _write_record(folder, record)
        print(f"stopped after epoch {len(run.history)} of {run.recipe.epochs}; --resume goes on in {folder}")
        return record
    weights = {name: value.cpu().contiguous() for name, value in run.model.state_dict().items()}
    write(folder / "model.safetensors", safetensors.torch.save(weights))
    test = evaluate(run.model, datasets.load(identity["data"], "test"), device=str(run.device), precision=run.precision)
    record |= {"test_loss": test["loss"], "test_accuracy": test["accuracy"]}
    _write_record(folder, record)
    print(
        f"{identity['model']} on {identity['data']}: test accuracy {test['accuracy']:.2%}; record in {folder}/run.json"
    )
    return record


def _record(run, identity, stretches):
    """What run.json says: what was trained, how, where, the command that makes it again, and a row an epoch."""
    names = ("model", "model_options", "data", "recipe", "seed", "precision", "world_size")
    return {
        "command": command(identity),
        **{name: identity[name] for name in names},
        "recipe_values": dataclasses.asdict(run.recipe),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "train_images": len(run.train),
        "validation_images": len(run.validation),
        **{name: value for name, value in stretches[-1].items() if name != "first_epoch"},
        **({"stretches": stretches} if len(stretches) > 1 else {}),  # where an interrupted run ran, stretch by stretch
        "seconds": sum(row["seconds"] for row in run.history),
        "epochs": run.history,
    }


def command(identity: dict) -> str:
    """The command line that makes a run again, whatever the recipe of that name says by then."""
    recipe = recipe_for(identity["recipe"], identity["data"], identity["model"])
    words = ["python", "-m", "course_utils", "train", identity["model"], "--data", identity["data"]]
    words += ["--recipe", identity["recipe"], "--seed", str(identity["seed"]), "--precision", identity["precision"]]
    for name, value in identity["model_options"].items():
        words += ["--model-option", f"{name}={value}"]
    for name in fields():
        if identity[name] != getattr(recipe, name):
            words += ["--set", f"{name}={identity[name]}"]
    return shlex.join(words)


def _line(row, epochs):
    return (
        f"epoch {row['epoch']:2d}/{epochs}  train loss {row['train_loss']:.3f} accuracy {row['train_accuracy']:.2%}  "
        f"validation loss {row['validation_loss']:.3f} accuracy {row['validation_accuracy']:.2%}  "
        f"{row['images_per_second']:,.0f} images/s"
    )


def _write_record(folder, record):
    write(folder / "run.json", json.dumps(record, indent=1) + "\n")
