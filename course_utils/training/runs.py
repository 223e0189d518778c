"""A run by names, as the command line makes it: its folder, its record run.json, and the one look at the test split."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from tqdm.auto import tqdm

from course_utils import machine, models
from course_utils.datasets.sets import Dataset
from course_utils.datasets.sources import channels, checksum, data, source
from course_utils.evaluation import check_kinds, measure
from course_utils.files import write
from course_utils.training import checkpoints, parallel, records
from course_utils.training.loop import Run
from course_utils.training.recipes import Recipe, fields, recipe_for


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
    compile: bool = False,
    deterministic: bool = False,
    sync_batch_norm: bool = False,
) -> dict:
    """Train a model by name on data by name; keeps run.json and checkpoint.pt in the folder `out`. Returns the record.

    recipe: the name of one; epochs, batch_size and settings, {field: value}, replace its values. stop_after ends early,
    after that epoch, on the same schedule. seed: of initial weights, order, augmentation and dropout. resume goes on
    from the checkpoint and starts anew where there is none; on the CPU, with up to two processes, bit for bit. device,
    precision: None for the best there is. compile: torch compiles the model. deterministic: on a GPU, too, the
    same bits each time. sync_batch_norm: statistics over the batches of all processes, on CUDA.
    Under torchrun the processes share each batch, and the first one writes; a restart of torchrun's goes on.
    After the last epoch the test split is looked at, once, and model.safetensors is written, beside it the outputs for
    the test images, test_logits.safetensors, as float16.
    Raises ValueError for a wrong argument, a folder that holds a run (without resume), another run (with it) or one at
    work, or for damaged checkpoints; Diverged for a loss of NaN; OSError where data cannot be had or files not be
    written; KeyboardInterrupt that says how to go on.
    """
    check_kinds(model=(model, str), data=(data, str), recipe=(recipe, str), resume=(resume, bool))
    switches = {"compile": compile, "deterministic": deterministic, "sync_batch_norm": sync_batch_norm}
    check_kinds(**{name: (value, bool) for name, value in switches.items()})
    settings, options = settings or {}, model_options or {}
    check_kinds(settings=(settings, dict), model_options=(options, dict), stop_after=(stop_after or 1, int))
    check_kinds(out=(str(out) if isinstance(out, Path) else out or "", str))
    unknown = [option for option in options if option not in models.options(model)]
    if unknown:
        raise ValueError(f"{model} has no option {unknown[0]!r}; it has {', '.join(models.options(model)) or 'none'}")
    chosen = _changed(recipe_for(recipe, data, model), {"epochs": epochs, "batch_size": batch_size}, settings)
    stop_after = chosen.epochs if stop_after is None else stop_after
    if not 1 <= stop_after <= chosen.epochs:
        raise ValueError(f"stop_after is {stop_after}; expected 1 to {chosen.epochs}, the number of epochs")
    folder = Path(out or f"build/{model}-{Path(data.removeprefix('folder:')).name}-seed{seed}")
    resume = resume or parallel.restarted()
    with parallel.world(device) as (world, name):
        place = machine.pick_device(name)
        identity = {
            "model": model,
            "model_options": dict(options),
            "data": data,
            "recipe": recipe,
            "seed": machine.check_seed(seed),
            "precision": machine.pick_precision(precision, place),
            "world_size": world.size,
            **switches,
            **dataclasses.asdict(chosen),
        }
        if not resume and world.writes:
            _refuse_used(folder)
        with machine.deterministic() if deterministic else nullcontext():
            run = _start(identity, chosen, place, world)
            with checkpoints.alone(folder) if world.writes else nullcontext():
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


def _start(identity: dict, recipe: Recipe, device: torch.device, world: parallel.World) -> Run:
    """A Run of a freshly initialized model; the checksum of its images joins its identity."""
    train = data(identity["data"], recipe.train_on)
    validation = data(identity["data"], "validation") if recipe.train_on == "train" else None
    identity["images (CRC-32)"] = world.share(checksum(train) if world.writes else None)
    machine.seed_everything(identity["seed"])
    sizes = {"num_classes": len(train.classes), "in_channels": channels(train)}
    model = models.build(identity["model"], **sizes, **identity["model_options"])
    if identity["sync_batch_norm"]:
        if device.type != "cuda":
            raise ValueError(f"sync_batch_norm is for CUDA devices, not for {device.type}: torch has no other")
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    cuda_graph = world.size == 1 and not identity["compile"] and isinstance(train, Dataset)
    run = Run(model, train, validation, recipe, identity["seed"], device, identity["precision"], world, cuda_graph)
    if identity["compile"]:
        model.compile()  # now, for a Run first tries the model on two images: a third compilation
    return run


def _train(run, identity, folder, stop_after, resume):
    """The epochs that are left, each with its checkpoint and record; after the last, the end of the run."""
    stretches, writes = [], run.world.writes
    if resume:
        checkpoint = run.world.share(checkpoints.load(folder, identity) if writes else None)
        if checkpoint:
            checkpoints.restore(run, checkpoint, folder)
            stretches = checkpoint["stretches"]
            if finished := run.world.share(records.finished(run, identity, folder) if writes else None):
                return finished
    elif writes:
        _refuse_used(folder)  # once more, now that nobody else can be at work in it
    kept = done = len(run.history)
    if stop_after < done:
        raise ValueError(f"stop_after is {stop_after}; {done} epochs of {folder} are done")
    if done < stop_after:
        stretches = [*stretches, {"first_epoch": done + 1, **machine.circumstances(run.device)}]
    try:
        for row in run.epochs(stop_after):
            if writes:
                checkpoints.save(folder, run, identity, stretches)
            kept = len(run.history)
            if writes:
                records.keep(folder, records.record(run, identity, stretches))
                tqdm.write(records.line(row, run.recipe.epochs))
        return _finish(run, identity, stretches, folder)
    except KeyboardInterrupt:
        how = f"after epoch {kept} of {run.recipe.epochs}: the same call with --resume goes on in {folder}"
        raise KeyboardInterrupt(f"interrupted {how if kept else 'in the first epoch: nothing is kept'}") from None
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise ValueError(f"torch cannot compile the model here, train without --compile: {error}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        how = f"with --resume goes on in {folder}" if kept else "starts anew"
        raise OSError(f"{error.strerror or error}: once that is mended, the same call {how}") from error


def _finish(run, identity, stretches, folder):
    """Once all epochs are done: the weights on their own, and the one look at the test split. Returns the record."""
    record = records.record(run, identity, stretches)
    if len(run.history) < run.recipe.epochs:
        if run.world.writes:
            records.keep(folder, record)
            print(f"stopped after epoch {len(run.history)} of {run.recipe.epochs}; --resume goes on in {folder}")
        return record
    plain, stated = _look(run, data(identity["data"], "test"))
    record |= {"test_loss": plain["loss"], "test_accuracy": plain["accuracy"], "stated_accuracy": stated["accuracy"]}
    if run.world.writes:
        weights = {name: value.cpu().contiguous() for name, value in run.model.state_dict().items()}
        write(folder / "model.safetensors", safetensors.torch.save(weights))
        write(folder / "test_logits.safetensors", safetensors.torch.save({"logits": stated["logits"]}))
        records.keep(folder, record)
        trained = f"trained on all {len(run.train):,} images, " if run.recipe.train_on == "all" else ""
        how = "" if run.recipe.tta == "none" else f", {stated['accuracy']:.2%} with tta={run.recipe.tta}"
        print(
            f"{identity['model']} on {identity['data']}: {trained}"
            f"test accuracy {plain['accuracy']:.2%}{how}; record in {folder}/run.json"
        )
    return record


def _look(run, test):
    """The one look at the test split: the plain outputs, and those of the recipe's test-time augmentation."""
    batches = source(test, run.device, getattr(run.model, "input_size", None), dtype=run.dtype)
    looks = []
    for tta in dict.fromkeys(("none", run.recipe.tta)):
        logits = run.outputs(batches, tta)
        looks.append(measure(logits, batches.labels) | {"logits": logits.half().cpu()})
    return looks[0], looks[-1]
