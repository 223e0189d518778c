"""The records in data/runs: each is whole, its numbers can be, and its command is one that makes it.

A record is of one training run, made by `python -m course_utils train` (it has a "model"), or of an experiment of
course_utils.authors.experiments (it has "rows").
"""

import dataclasses
import inspect
import json
import math
import re
import shlex
from collections import defaultdict
from itertools import chain, pairwise, product
from statistics import mean, median

import pytest
import safetensors.torch
import torch

from course_utils import __main__ as course
from course_utils import models, training
from course_utils.authors import experiments
from course_utils.authors.experiments import __main__ as authors
from course_utils.authors.experiments import alexnet_parts as parts
from course_utils.authors.experiments import batchnorm_figure1 as batchnorm
from course_utils.authors.experiments import deep_stacks as stacks
from course_utils.authors.experiments import deleted_blocks as deleted
from course_utils.authors.experiments import depth, drawn_codes, sawtooth, sweeps, vgg_depth, wirings
from course_utils.authors.experiments import dropout_gain as gain
from course_utils.authors.experiments import fast_rates as fast
from course_utils.authors.experiments import first_layers as first
from course_utils.authors.experiments import inception_parts as inception
from course_utils.authors.experiments import learning_rates as rates
from course_utils.authors.experiments import lenet5_changes as changes
from course_utils.authors.experiments import pooling_layers as pooling
from course_utils.authors.experiments import stacks as windows
from course_utils.files import ROOT

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "data" / "runs").glob("*.json"))}
RECORDS = {name: json.loads(text) for name, text in TEXTS.items()}
RUNS = [name for name, record in RECORDS.items() if "model" in record]
EXPERIMENTS = [name for name in RECORDS if name not in RUNS]
# What their seeds reach on the test split on average, at least.
FLOORS = {
    "lenet5_simple-fashion-mnist": 0.905,
    "lenet5-fashion-mnist": 0.89,
    "lenet5_simple-mnist": 0.99,
    "lenet5-mnist": 0.985,
    "lenet5_simple-cifar10": 0.74,
    "fast_cnn-cifar10": 0.925,
    "resnet20-cifar10": 0.91,
    "small_alexnet-cifar10": 0.86,
    "small_vgg16-cifar10": 0.91,
    "small_resnet18-cifar10": 0.92,
    "plain20-cifar10": 0.89,
    "resnet56-cifar10": 0.925,
    "plain56-cifar10": 0.84,
    "small_googlenet-cifar10": 0.91,
    "small_vgg11-cifar10": 0.89,
    "small_vgg13-cifar10": 0.91,
    "small_vgg16c-cifar10": 0.90,
    "small_vgg19-cifar10": 0.90,
    "resnet20-long-cifar10": 0.92,
    "resnet56-long-cifar10": 0.935,
    "small_vgg16-width64-long-cifar10": 0.94,
    "small_googlenet-width1.0-long-cifar10": 0.945,
    "small_resnet18-width64-long-cifar10": 0.95,
}
# Fields of a recipe that the runs on MNIST and Fashion-MNIST were made without: they have their defaults there.
YOUNGER = {"train_on", "optimizer", "schedule", "decay_all", "norm_bias_rate", "clip", "average", "average_decay"}
YOUNGER |= {"average_every", "fill", "alternate_flip", "cutout", "tta"}
# Groups of fewer than three seeds: what they cost is hours.
FEWEST = {"small_googlenet-cifar10": 1, "small_vgg16c-cifar10": 1}
FEWEST |= {name: 1 for name in FLOORS if "-long-" in name}
FEWEST |= {f"{model}-cifar10": 2 for model in ("plain56", "resnet56", "small_vgg11", "small_vgg13", "small_vgg19")}


def table_of_data():
    """Per data set: channels, and the images for training, validation and test, as data/README.md has them."""
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) x \d+ x \d+ \| ([\d,]+) \+ ([\d,]+) \+ ([\d,]+) \|", text, re.M)
    return {name: [int(number.replace(",", "")) for number in numbers] for name, *numbers in rows}


DATA = table_of_data()


def numbers(value, path=()):
    """All numbers in a record, each with the keys that lead to it."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def check_circumstances(record):
    """With what it was made, in the form of run.json."""
    assert record["precision"] in ("float32", "bfloat16")
    assert record["commit"] is None or re.fullmatch(r"[0-9a-f]{40}\+?", record["commit"])


# ---- All records


def test_the_records_that_chapters_read_are_there():
    assert len(RUNS) >= 12 and len(EXPERIMENTS) >= 3


@pytest.mark.parametrize("name", RECORDS)
def test_numbers_can_be(name):
    values = list(numbers(RECORDS[name]))
    assert len(values) > 20
    for path, value in values:
        assert math.isfinite(value), path
        if any("accuracy" in key for key in path):
            assert 0 <= value <= 1, path
        if path[-1].endswith(("loss", "seconds")):
            assert value >= 0, path


@pytest.mark.parametrize("name", RECORDS)
def test_versions_and_hardware_without_paths_of_a_machine(name):
    record = RECORDS[name]
    assert record["hardware"] and record["versions"].keys() >= {"course_utils", "python", "torch"}
    assert re.fullmatch(r"3\.1\d\.\d+", record["versions"]["python"])
    assert not re.search(r'"[^"]*/(home|root|work|tmp|Users|mnt)/|[A-Z]:\\', TEXTS[name])


# ---- Training runs


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_whole(name):
    record = RECORDS[name]
    options = record["model_options"]
    assert re.fullmatch(f"{record['model']}(-.+)?-{record['data']}-seed{record['seed']}", name)
    channels, train, validation, test = DATA[record["data"]]
    on_all = record["recipe_values"].get("train_on") == "all"
    images = (train + validation, 0) if on_all else (train, validation)
    assert (record["train_images"], record["validation_images"]) == images
    net = models.build(record["model"], 10, channels, **options)
    assert record["parameters"] == sum(parameter.numel() for parameter in net.parameters())

    epochs = record["epochs"]
    assert [row["epoch"] for row in epochs] == list(range(1, record["recipe_values"]["epochs"] + 1))
    keys = {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "images_per_second", "seconds"}
    assert all(row.keys() == keys | {"epoch"} and row["images_per_second"] > 0 for row in epochs)
    assert record["seconds"] == pytest.approx(sum(row["seconds"] for row in epochs))
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    assert record["test_loss"] >= 0
    if on_all:
        assert {row[f"validation_{what}"] for row in epochs for what in ("loss", "accuracy")} == {None}
        assert record["stated_accuracy"] >= record["test_accuracy"] - 0.005
    else:
        chance = math.sqrt(0.25 / validation + 0.25 / test)  # the standard deviation of a difference, at most
        assert record["test_accuracy"] == pytest.approx(epochs[-1]["validation_accuracy"], abs=5 * chance)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_all_values_of_its_recipe(name):
    record = RECORDS[name]
    values = record["recipe_values"]
    names = {field.name for field in dataclasses.fields(training.Recipe)}
    assert values.keys() == names - (YOUNGER if "stated_accuracy" not in record else set())
    whole = dataclasses.asdict(training.Recipe(**values))  # a field that is younger than the record has its default
    assert values == {field: whole[field] for field in values}  # a value of another type would not come back


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_made_by_its_command(name, monkeypatch):
    record, calls = RECORDS[name], []
    signature = inspect.signature(training.train)
    monkeypatch.setattr(training, "train", lambda *given, **options: calls.append(signature.bind(*given, **options)))
    words = shlex.split(record["command"])
    assert words[:4] == ["python", "-m", "course_utils", "train"]
    assert course.main(words[3:]) == 0
    [call] = calls
    call.apply_defaults()
    given = call.arguments
    recipe = training.recipe_for(given["recipe"], given["data"], given["model"])
    changed = {field: given[field] for field in ("epochs", "batch_size") if given[field] is not None}
    recipe = dataclasses.replace(recipe, **changed, **given["settings"])
    assert recipe == training.Recipe(**record["recipe_values"])
    for field in ("model", "model_options", "data", "recipe", "seed", "precision"):
        assert given[field] == record[field], field
    assert (given["stop_after"], given["resume"], given["out"], given["device"]) == (None, False, None, None)
    assert record["world_size"] == 1
    check_circumstances(record)


@pytest.mark.parametrize("name", [name for name in RUNS if RECORDS[name]["recipe"] == "fast"])
def test_outputs_for_the_test_images_are_kept(name):
    images, classes = DATA[RECORDS[name]["data"]][3], 10
    logits = safetensors.torch.load_file(ROOT / "data" / "runs" / f"{name}.safetensors")["logits"]
    assert logits.dtype == torch.float16 and logits.shape == (images, classes) and logits.isfinite().all()
    shares = torch.bincount(logits.argmax(1), minlength=classes) / images
    assert (shares - 1 / classes).abs().max() < 0.02  # CIFAR-10 and MNIST have as many test images of each class


def test_seeds_that_differ_in_the_seed_only():
    groups = defaultdict(list)
    for name in RUNS:
        groups[name.rpartition("-seed")[0]].append(RECORDS[name])
    assert groups.keys() == FLOORS.keys()  # give a new group its floor
    for group, records in groups.items():
        assert [record["seed"] for record in records] == list(range(len(records))), group
        assert len(records) >= FEWEST.get(group, 3), group
        for field in ("model", "model_options", "data", "recipe", "recipe_values", "parameters", "precision"):
            assert len({json.dumps(record[field]) for record in records}) == 1, (group, field)
        assert len({record["test_loss"] for record in records}) == len(records), group
        assert mean(record["test_accuracy"] for record in records) >= FLOORS[group], group


# ---- Experiments


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_made_by_its_command(name, monkeypatch, capsys):
    record, calls = RECORDS[name], []
    words = shlex.split(record["command"])
    assert words[:3] == ["python", "-m", "course_utils.authors.experiments"]
    monkeypatch.setattr(experiments, "run", lambda *given: calls.append(given))
    assert authors.main(words[3:]) == 0
    assert (
        calls == [(words[3], record["data"], None, record.get("device", "cpu"))]
        and name == f"{words[3]}-{record['data']}"
    )
    assert record["data"] in experiments.EXPERIMENTS[words[3]]
    assert record["what"] == experiments.module_of(words[3]).WHAT and "made_with" not in record
    check_circumstances(record)


@pytest.mark.parametrize("data", experiments.EXPERIMENTS["lenet5-changes"])
def test_changes_of_lenet5(data):
    record = RECORDS[f"lenet5-changes-{data}"]
    recipe = changes.RECIPES[data]
    assert training.Recipe(**record["recipe_values"], learning_rate=recipe.learning_rate) == recipe
    assert record["sweep"] == changes.SWEEPS[data] and record["seeds"] == list(changes.SEEDS)
    assert [row["change"] for row in record["rows"]] == list(changes.CHANGES)
    for row in record["rows"]:
        net = changes.variant(row["change"], 0)
        assert row["parameters"] == sum(parameter.numel() for parameter in net.parameters())
        means = {float(rate): mean(accuracies) for rate, accuracies in row["sweep"].items()}
        assert list(means) == list(changes.RATES) and row["learning_rate"] == max(means, key=means.get)
        runs = [*row["sweep"].values(), row["validation_accuracy"]]
        assert [len(run) for run in runs] == [len(record["sweep"]["seeds"])] * len(means) + [len(record["seeds"])]
        images = DATA[data][2]
        for accuracy in chain(*runs):  # so many of the validation images
            assert 0 <= accuracy <= 1 and accuracy * images == pytest.approx(round(accuracy * images), abs=1e-6)


def test_learning_rates_on_cifar10():
    record = RECORDS["learning-rates-cifar10"]
    assert (record["epochs"], record["seed"]) == (rates.EPOCHS, rates.SEED)
    assert [row["model"] for row in record["rows"]] == list(rates.MODELS)
    for row in record["rows"]:
        assert [float(rate) for rate in row["sweep"]] == list(rates.RATES)
        assert row["learning_rate"] == float(sweeps.best_of(row["sweep"], sweeps.accuracy))
        recipe = training.recipe_for("full", "cifar10", row["model"])
        assert recipe.learning_rate == row["learning_rate"] and recipe.epochs == 2 * rates.EPOCHS


def test_rates_and_decays_of_the_fast_recipe():
    record = RECORDS["fast-rates-cifar10"]
    assert record["seeds"] == list(fast.SEEDS)
    pairs = [(row["learning_rate"], row["weight_decay"]) for row in record["rows"]]
    assert pairs == list(product(fast.RATES, fast.DECAYS))
    assert {len(row["runs"]) for row in record["rows"]} == {len(fast.SEEDS)}
    means = [mean(run["stated_accuracy"] for run in row["runs"]) for row in record["rows"]]
    best = pairs[means.index(max(means))]
    recipe = training.recipe_for("fast", "cifar10", "fast_cnn")
    assert tuple(record["best"].values()) == best == (recipe.learning_rate, recipe.weight_decay)


def test_a_deeper_plain_network_ends_with_a_higher_training_loss():
    """He et al. 2016, figure 6, in the recorded runs: every run of the one against every run of the other."""
    last = {}
    for name in ("plain20", "plain56", "resnet20", "resnet56"):
        runs = [record for key, record in RECORDS.items() if key.startswith(f"{name}-cifar10-seed")]
        last[name] = [record["epochs"][-1]["train_loss"] for record in runs]
    assert min(last["plain56"]) > 1.5 * max(last["plain20"]) and max(last["resnet56"]) < 0.6 * min(last["resnet20"])


def test_depth_alone_makes_training_worse():
    """He et al. 2016, figures 1 and 6: each network at the best of three rates, losses on images it is trained on."""
    loss = {
        row["model"]: row["sweep"][str(row["learning_rate"])]["train_loss"]
        for row in RECORDS["learning-rates-cifar10"]["rows"]
    }
    assert loss["plain56"] > 2 * loss["plain20"] and loss["resnet56"] < 0.9 * loss["resnet20"]


def test_figure_1_of_batch_norm():
    record = RECORDS["batchnorm-figure1-mnist"]
    assert record["batch_size"] == batchnorm.BATCH and record["seeds"] == list(batchnorm.SEEDS)
    swept, marks = record["sweep"]["validation_accuracy"], record["steps"]
    assert record["sweep"]["steps"] == batchnorm.SWEEP_STEPS
    assert all(a < b for a, b in pairwise(marks)) and len(marks) == batchnorm.MARKS and marks[-1] == batchnorm.STEPS
    kinds = ("the best of the sweep", "the same")
    expected = [(kind, name, deviation) for kind in kinds for name, (_, deviation) in batchnorm.NETWORKS.items()]
    assert [(row["rate"], row["network"], row["initial_deviation"]) for row in record["rows"]] == expected
    for row in record["rows"]:
        means = {float(rate): mean(values) for rate, values in swept[row["network"]].items()}
        assert list(means) == list(batchnorm.RATES)
        assert row["learning_rate"] == (batchnorm.SAME if row["rate"] == "the same" else max(means, key=means.get))
        assert [len(curve) for curve in row["test_accuracy"]] == [len(marks)] * len(batchnorm.SEEDS)
        assert len(row["validation_accuracy"]) == len(batchnorm.SEEDS) and min(row["validation_accuracy"]) > 0.95
        assert len(row["quantiles"]) == len(marks)
        assert all(a <= b for three in row["quantiles"] for a, b in pairwise(three))


def test_deep_stacks():
    record = RECORDS["deep-stacks-digits"]
    assert (record["layers"], record["width"], record["seeds"]) == (stacks.LAYERS, stacks.WIDTH, stacks.SEEDS)
    assert {row["stack"]: row["scale"] for row in record["rows"]} == {name: c for name, (_, c) in stacks.STACKS.items()}
    for row in record["rows"]:
        assert list(row["validation_accuracy"]) == [str(steps) for steps in stacks.STEPS]
        for steps, by_rate in row["validation_accuracy"].items():
            assert [float(rate) for rate in by_rate] == list(stacks.RATES)
            assert {len(values) for values in by_rate.values()} == {stacks.SEEDS}
            means = {float(rate): mean(values) for rate, values in by_rate.items()}
            assert row["learning_rate"][steps] == max(means, key=means.get)


def test_wirings():
    record = RECORDS["wirings-mnist-mini"]
    assert record["seeds"] == list(wirings.SEEDS) and record["shifts"] == list(wirings.SHIFTS)
    plans = [(wiring, pixels) for wiring in wirings.WIRINGS for pixels in ("as they are", "permuted")]
    plans = [*plans, *((wiring, "as they are") for wiring in wirings.POOLED)]
    rows = [(row["epochs"], row["wiring"], row["pixels"]) for row in record["rows"]]
    assert rows == [(epochs, *plan) for epochs in wirings.BUDGETS for plan in plans]
    for row in record["rows"]:
        swept = {float(rate): value for rate, value in row["sweep"].items()}
        assert list(swept) == list(wirings.RATES) and row["learning_rate"] == max(swept, key=swept.get)
        shifts = 1 if row["pixels"] == "permuted" else len(wirings.SHIFTS)
        assert [len(values) for values in row["test_accuracy"]] == [shifts] * len(wirings.SEEDS)
        assert all(a > b for values in row["test_accuracy"] for a, b in pairwise(values))


def test_pooling_layers():
    record = RECORDS["pooling-layers-mnist-mini"]
    assert training.Recipe(**record["recipe_values"], epochs=5, learning_rate=0.1) == pooling.RECIPE
    assert record["seeds"] == list(pooling.SEEDS) and record["shifts"] == list(pooling.SHIFTS)
    assert record["sweep"] == pooling.SWEEP and [row["kind"] for row in record["rows"]] == list(pooling.KINDS)
    for row in record["rows"]:
        means = {float(rate): mean(accuracies) for rate, accuracies in row["sweep"].items()}
        assert list(means) == list(pooling.RATES) and row["learning_rate"] == max(means, key=means.get)
        assert row["learning_rate"] not in (pooling.RATES[0], pooling.RATES[-1]), "the grid is wide enough"
        assert row["parameters"] == sum(p.numel() for p in pooling.network(row["kind"], 0).parameters())
        assert list(map(int, row["test_accuracy"])) == list(pooling.EPOCHS)
        for runs in row["test_accuracy"].values():
            assert [len(run) for run in runs] == [len(pooling.SHIFTS)] * len(pooling.SEEDS)
            assert all(a > b > 0.1 for run in runs for a, b in pairwise(run))


def test_sawtooth():
    record = RECORDS["sawtooth-tents"]
    assert (record["folds"], record["runs"]) == (sawtooth.FOLDS, sawtooth.RUNS)
    rows = [(row["steps"], row["network"]) for row in record["rows"]]
    assert rows == [(steps, name) for steps in sawtooth.BUDGETS for name in sawtooth.NETWORKS]
    for row in record["rows"]:
        medians = {float(rate): median(errors) for rate, errors in row["sweep"].items()}
        assert list(medians) == list(sawtooth.RATES) and row["learning_rate"] == min(medians, key=medians.get)
        assert {len(errors) for errors in (*row["sweep"].values(), row["error"])} == {sawtooth.RUNS}


def test_dropout_gain():
    record = RECORDS["dropout-gain-mnist-mini"]
    assert (record["images"], record["width"], record["batch_size"]) == (gain.IMAGES, gain.WIDTH, gain.BATCH)
    rows = [(row["steps"], row["labels"], row["p"], row["mask_for_each"]) for row in record["rows"]]
    assert rows == [(steps, *row) for steps in gain.STEPS for row in gain.ROWS]
    for row in record["rows"]:
        means = {float(rate): mean(values) for rate, values in row["sweep"].items()}
        assert list(means) == list(gain.RATES) and row["learning_rate"] == max(means, key=means.get)
        assert {len(values) for values in (*row["sweep"].values(), row["test_accuracy"])} == {gain.SEEDS}
        assert row["p"] > 0 or min(row["train_accuracy"]) == 1  # all labels learned by heart, wrong ones too


def test_depth_on_digits():
    record = RECORDS["depth-mnist-mini"]
    assert (record["images"], record["seeds"]) == (depth.IMAGES, list(depth.SEEDS))
    loss = {}
    for row in record["rows"]:
        rates = [float(rate) for rate in row["sweep"]]
        assert tuple(rates) == depth.RATES[depth.KINDS[row["kind"]][1]]
        best = float(sweeps.best_of(row["sweep"], sweeps.low_loss))
        assert row["learning_rate"] == best and best not in rates[::3]
        loss[row["kind"], row["layers"], row["epochs"]] = [run["train_loss"] for run in row["runs"]]
    assert list(loss) == [(kind, 6 * n + 2, e) for e in depth.EPOCHS for kind in depth.KINDS for n in depth.BLOCKS]
    for epochs in depth.EPOCHS:
        for kind in ("plain", "plain, AdamW"):
            assert min(loss[kind, 26, epochs]) > 3 * max(loss[kind, 8, epochs])
        assert max(loss["residual", 26, epochs]) < min(loss["plain", 26, epochs]) / 4


def test_drawn_codes():
    record = RECORDS["drawn-codes-mnist-mini"]
    assert record["seeds"] == list(drawn_codes.SEEDS)
    rows = {(row["epochs"], row["divisor"]): row for row in record["rows"]}
    assert list(rows) == [(epochs, divisor) for epochs in drawn_codes.EPOCHS for divisor in drawn_codes.DIVISORS]
    for row in rows.values():
        swept = {float(rate): found["accuracy"] for rate, found in row["sweep"].items()}
        assert tuple(swept) == drawn_codes.RATES and row["rate"] == max(swept, key=swept.get)
        assert len(row["runs"]) == len(drawn_codes.SEEDS)
    for epochs in drawn_codes.EPOCHS:
        drawn = [[run["pixels"] for run in rows[epochs, divisor]["runs"]] for divisor in drawn_codes.DIVISORS]
        assert max(drawn[0]) < min(drawn[1])


def test_stacks_on_digits():
    record = RECORDS["stacks-mnist-mini"]
    assert (record["images"], record["seeds"]) == (windows.IMAGES, list(windows.SEEDS))
    rows = {(row["epochs"], row["arm"]): row for row in record["rows"]}
    assert list(rows) == [(epochs, arm) for epochs in windows.EPOCHS for arm in windows.ARMS]
    for row in rows.values():
        rates = [float(rate) for rate in row["sweep"]]
        assert tuple(rates) == windows.RATES and len(row["runs"]) == 3
        best = float(sweeps.best_of(row["sweep"], sweeps.low_loss))
        assert row["learning_rate"] == best and best not in rates[::3]
    for epochs in windows.EPOCHS:
        loss = {arm: [run["train_loss"] for run in rows[epochs, arm]["runs"]] for arm in windows.ARMS}
        linear = loss.pop("three 3 × 3, linear")
        assert min(linear) > 1.3 * max(max(others) for others in loss.values())


def test_depth_of_vgg_on_digits():
    record = RECORDS["vgg-depth-mnist-mini"]
    assert (record["images"], record["width"], record["seeds"]) == (2000, vgg_depth.WIDTH, list(vgg_depth.SEEDS))
    assert training.Recipe(**record["recipe_values"], epochs=2, learning_rate=0.1) == vgg_depth.RECIPE
    rows = [(row["epochs"], row["configuration"]) for row in record["rows"]]
    assert rows == [(epochs, name) for epochs in vgg_depth.EPOCHS for name in vgg_depth.CONFIGURATIONS]
    for row in record["rows"]:
        rates = [float(rate) for rate in row["sweep"]]
        assert tuple(rates) == vgg_depth.RATES and len(row["runs"]) == 3
        best = float(sweeps.best_of(row["sweep"], sweeps.low_loss))
        assert row["learning_rate"] == best and rates[0] < best < rates[-1]


def test_inception_parts():
    record = RECORDS["inception-parts-mnist-mini"]
    assert (record["images"], record["seeds"]) == (inception.IMAGES, list(inception.SEEDS))
    rows = {(row["epochs"], row["arm"]): row for row in record["rows"]}
    assert list(rows) == [(epochs, arm) for epochs in inception.EPOCHS for arm in inception.ARMS]
    for (_, arm), row in rows.items():
        swept = {float(rate): accuracies for rate, accuracies in row["sweep"].items()}
        assert swept.keys() >= set(inception.FIRST.get(arm, inception.OTHERS_FIRST))
        assert {len(accuracies) for accuracies in swept.values()} == {len(inception.SWEEP_SEEDS)}
        assert row["learning_rate"] == sweeps.best_of(swept) and min(swept) < row["learning_rate"] < max(swept)
        assert len(row["runs"]) == 3
    for epochs in inception.EPOCHS:
        means = {arm: mean(run["validation_accuracy"] for run in rows[epochs, arm]["runs"]) for arm in inception.ARMS}
        assert abs(means["naive"] - means["reduced"]) < 0.02 and means["deep"] < means["deep, batch norm"] - 0.1


def test_deleted_blocks():
    plain, residual = RECORDS["deleted-blocks-cifar10"]["rows"]
    assert (plain["model"], residual["model"]) == deleted.MODELS
    for row in (plain, residual):
        assert list(row["accuracy_without"]) == deleted.blocks_of(models.build(row["model"]))
    assert max(plain["accuracy_without"].values()) < 0.2 < min(residual["accuracy_without"].values())


@pytest.mark.parametrize("data", experiments.EXPERIMENTS["alexnet-parts"])
def test_alexnet_parts(data):
    record = RECORDS[f"alexnet-parts-{data}"]
    seeds = parts.SWEEP_SEEDS[data]
    assert (record["epochs"], record["seeds"], record["sweep_seeds"]) == (parts.EPOCHS, list(parts.SEEDS), list(seeds))
    assert {row["arm"]: tuple(row["parts"]) for row in record["rows"]} == parts.ARMS
    longer = record["longer"]
    assert longer["epochs"] == parts.LONGER
    assert [row["arm"] for row in longer["rows"]] == list(parts.LONG_ARMS if data == "mnist-mini" else ())
    for row in record["rows"] + longer["rows"]:
        swept = {float(rate): tried for rate, tried in row["sweep"].items()}
        best, again = sweeps.sweep(swept.__getitem__, parts.RATES, sweeps.accuracy, parts.LADDER)
        assert list(swept) == list(again) and row["learning_rate"] == best
        assert row["learning_rate"] not in (min(swept), max(swept)), "the grid is wide enough"
        for tried in swept.values():
            assert len(tried["each"]) == len(seeds)
            assert tried["validation_accuracy"] == pytest.approx(mean(tried["each"]), abs=1e-9)
        assert len({run["validation_loss"] for run in row["runs"]}) == len(parts.SEEDS)


def test_first_layers():
    record = RECORDS["first-layers-compounds"]
    assert (record["epochs"], record["seeds"]) == (first.EPOCHS, list(first.SEEDS))
    assert [(row["kernel_size"], row["stride"]) for row in record["rows"]] == list(first.LAYERS)
    for row in record["rows"]:
        swept = {float(rate): sum(values) for rate, values in row["sweep"].items()}
        assert tuple(swept) == first.RATES and row["learning_rate"] == max(swept, key=swept.get)
        assert {len(values) for values in row["sweep"].values()} == {len(first.SWEEP_SEEDS)}
        starts = [first.unpacked(run["before"], row["kernel_size"]) for run in row["runs"]]
        ends = [first.unpacked(run["after"], row["kernel_size"]) for run in row["runs"]]
        assert len({*map(str, starts)}) == len(first.SEEDS) and all(
            (a != b).any() for a, b in zip(starts, ends, strict=True)
        )
