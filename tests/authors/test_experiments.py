"""The experiments behind chapters: what they compute, that they go on where they stopped, and what they refuse."""

import json
import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from course_utils import datasets, files, inspection, models, training
from course_utils.authors import experiments
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
from course_utils.authors.experiments.__main__ import main
from course_utils.models import lenet

REAL_LOAD = datasets.load


def few(name, split):
    """The first 100 images of a split of `mnist-mini` or `compounds`, and of `digits` for all other names."""
    dataset = REAL_LOAD(name if name in ("mnist-mini", "compounds") else "digits", split)
    return replace(dataset, name=name, images=dataset.images[:100], labels=dataset.labels[:100])


@pytest.fixture
def small(monkeypatch):
    """Two rows, two rates, one epoch, 100 images: seconds."""
    monkeypatch.setattr(datasets, "load", few)
    monkeypatch.setattr(changes, "CHANGES", {"as in the paper": [], "max pooling": [changes.max_pooling]})
    monkeypatch.setattr(changes, "RATES", (0.03, 0.1))
    recipes = {name: replace(recipe, epochs=1) for name, recipe in changes.RECIPES.items()}
    monkeypatch.setattr(changes, "RECIPES", recipes)
    monkeypatch.setattr(changes, "SWEEPS", {"digits": {"epochs": 1, "seeds": [100]}})
    monkeypatch.setattr(rates, "MODELS", ("plain20",))
    monkeypatch.setattr(rates, "RATES", (0.05,))
    monkeypatch.setattr(rates, "EPOCHS", 1)
    for name, value in {"RATES": (0.1,), "DECAYS": (0.001,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(fast, name, value)
    monkeypatch.setattr(parts, "ARMS", {"all parts": tuple(parts.PARTS), "no part": ()})
    monkeypatch.setattr(parts, "RATES", (0.03,))
    monkeypatch.setattr(parts, "SEEDS", (0,))
    monkeypatch.setattr(parts, "SWEEP_SEEDS", {"mnist-mini": (100,)})
    monkeypatch.setattr(parts, "EPOCHS", 1)
    monkeypatch.setattr(parts, "LONGER", 2)
    monkeypatch.setattr(parts, "LONG_ARMS", ("no part",))
    for name, value in {"LAYERS": ((11, 4),), "RATES": (0.03,), "SEEDS": (0,), "EPOCHS": 1}.items():
        monkeypatch.setattr(first, name, value)
    for name, value in {"RATES": (0.03, 0.1), "STEPS": (2, 3)}.items():
        monkeypatch.setattr(stacks, name, value)
    for name, value in {"RATES": (0.03, 0.1), "STEPS": (3,), "IMAGES": 60, "ROWS": gain.ROWS[-2:]}.items():
        monkeypatch.setattr(gain, name, value)
    once = training.Recipe(epochs=1, batch_size=50)
    monkeypatch.setattr(training, "recipe_for", lambda *_: once)
    for name, value in {"SWEEP_STEPS": 5, "STEPS": 12, "MARKS": 4, "RATES": (0.5, 1.0)}.items():
        monkeypatch.setattr(batchnorm, name, value)
    for name, value in {"RATES": (0.1,), "BUDGETS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(wirings, name, value)
    for name, value in {"KINDS": ("max",), "RATES": (0.1,), "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(pooling, name, value)
    monkeypatch.setattr(pooling, "SWEEP", {"epochs": 1, "seeds": [100]})
    for name, value in {"RATES": (0.01, 0.03), "BUDGETS": (3,), "RUNS": 2}.items():
        monkeypatch.setattr(sawtooth, name, value)
    for name, value in {"RATES": {"sgd": (0.1,), "adamw": (0.01,)}, "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(depth, name, value)
    arms = {name: inception.ARMS[name] for name in ("reduced", "deep, auxiliary")}
    sweep = {"FIRST": {}, "OTHERS_FIRST": (0.1,), "LADDER": (0.1,), "SWEEP_SEEDS": (100,)}
    for name, value in {**sweep, "ARMS": arms, "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(inception, name, value)
    for name, value in {"DIVISORS": (10,), "RATES": (0.005,), "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(drawn_codes, name, value)
    arms = {name: windows.ARMS[name] for name in ("7 × 7, narrow", "three 3 × 3")}
    for name, value in {"ARMS": arms, "RATES": (0.1,), "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(windows, name, value)
    plans = {"A": "small_vgg11"}
    for name, value in {"CONFIGURATIONS": plans, "RATES": (0.1,), "EPOCHS": (1,), "SEEDS": (0,)}.items():
        monkeypatch.setattr(vgg_depth, name, value)
    monkeypatch.setattr(deleted.pretrained, "load", lambda name: models.build(name, in_channels=1).eval())


def refusal(capsys, *words):
    """The one line with which a call is refused, with exit code 2."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as error:
        code = error.code
    assert code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("course", "python"))]
    assert len(lines) == 1
    return lines[0]


# ---- The record and the way to it


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_a_record_says_how_it_came_about(small, name, tmp_path, capsys):
    path = tmp_path / "new" / "record.json"
    assert main([name, "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    record = json.loads(path.read_text(encoding="utf-8"))
    data = experiments.EXPERIMENTS[name][0]
    assert record["command"] == f"python -m course_utils.authors.experiments {name} --data {data}"
    assert record["data"] == data and record["precision"] == "float32" and "1 thread" in record["hardware"]
    assert record["versions"]["torch"] == torch.__version__ and "commit" in record
    assert record["rows"] and record["what"] and record["cpu_seconds"] >= 0
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_experiment_goes_on(small, tmp_path, monkeypatch, capsys):
    whole = json.loads(experiments.run("lenet5-changes", out=tmp_path / "whole.json").read_text())
    real, calls = changes.outcome, []

    def outcome(row, *arguments):
        calls.append(row)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(row, *arguments)

    monkeypatch.setattr(changes, "outcome", outcome)
    path = tmp_path / "a.json"
    capsys.readouterr()
    assert main(["lenet5-changes", "--out", str(path)]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "stopped; the same command goes on from here"
    assert not path.exists()
    assert main(["lenet5-changes", "--out", str(path)]) == 0
    assert len(calls) == 2 * (2 + 3) + 1  # only the broken one is made twice
    record = json.loads(path.read_text())
    assert {**record, "cpu_seconds": 0} == {**whole, "cpu_seconds": 0}
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "whole.json"]


def test_pieces_of_another_version_are_refused_and_kept(small, tmp_path, monkeypatch, capsys):
    path, part = tmp_path / "a.json", tmp_path / "a.json.part"
    monkeypatch.setattr(changes, "outcome", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(experiments.Pieces, "__exit__", lambda self, *_: None)
    assert main(["lenet5-changes", "--out", str(path)]) == 130
    content = part.read_text()
    monkeypatch.setattr(torch, "__version__", "0.1")
    assert f"{part} was begun with another versions: delete it" in refusal(capsys, "lenet5-changes", "--out", path)
    assert f"{part} was begun with another command, data" in refusal(capsys, "batchnorm-figure1", "--out", path)
    assert part.read_text() == content


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[]", b"3", b'{"made": {}}', b'{"made": {}, "seconds": 1, "done": 1}']
)
def test_damaged_pieces_are_refused(small, tmp_path, capsys, content):
    part = tmp_path / "a.json.part"
    part.write_bytes(content)
    assert f"{part} is damaged: delete it" in refusal(capsys, "lenet5-changes", "--out", tmp_path / "a.json")
    assert part.read_bytes() == content


def test_two_at_one_record(small, tmp_path, monkeypatch, capsys):
    path, lines = tmp_path / "a.json", []
    real = changes.outcome

    def outcome(*arguments):
        if not lines:
            capsys.readouterr()  # the bar of the first call
            lines.append(refusal(capsys, "lenet5-changes", "--out", path))
        return real(*arguments)

    monkeypatch.setattr(changes, "outcome", outcome)
    assert main(["lenet5-changes", "--out", str(path)]) == 0
    assert f"another process is making {path}: wait for its end" in lines[0]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "the following arguments are required: NAME"),
        (["lenet"], "no experiment is called 'lenet'; there are lenet5-changes, batchnorm-figure1"),
        (["lenet5-changes", "--data", "mnist"], "is not made for 'mnist'; it takes digits or fashion-mnist"),
        (["lenet5-changes", "--data", ""], "is not made for ''"),
        (["lenet5-changes", "--out", "."], "is a folder; --out takes the name of a file"),
        (["lenet5-changes", "--out", "/dev/null/a.json"], "/dev/null"),
        (["lenet5-changes", "digits"], "unrecognized arguments: digits"),
    ],
)
def test_wrong_arguments(capsys, words, says):
    assert says in refusal(capsys, *words)


def test_missing_data_leave_nothing(small, monkeypatch, tmp_path, capsys):
    def load(name, split):
        raise datasets.DataUnavailable("no network")

    monkeypatch.setattr(datasets, "load", load)
    assert "no network" in refusal(capsys, "batchnorm-figure1", "--out", tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_help_names_all_experiments():
    command = [sys.executable, "-m", "course_utils.authors.experiments", "--help"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=files.ROOT).stdout
    for name, data in experiments.EXPERIMENTS.items():
        assert f"{name} " in shown and " | ".join(data) in shown


# ---- LeNet-5, one decision undone at a time


def test_best_rate_of_a_row_is_that_of_its_sweep(small, tmp_path, monkeypatch):
    table = {("as in the paper", 0.03): 0.5, ("as in the paper", 0.1): 0.5, ("max pooling", 0.03): 0.1}
    asked = []

    def outcome(row, train, validation, recipe, seed):
        asked.append((row, recipe.learning_rate, recipe.epochs, seed))
        return table.get((row, recipe.learning_rate), 0.3) + seed / 1000

    monkeypatch.setattr(changes, "outcome", outcome)
    monkeypatch.setattr(changes, "SWEEPS", {"digits": {"epochs": 7, "seeds": [100, 101]}})
    rows = json.loads(experiments.run("lenet5-changes", out=tmp_path / "a.json").read_text())["rows"]
    assert [row["learning_rate"] for row in rows] == [0.03, 0.1]  # of a tie, the lowest
    assert rows[1]["sweep"] == {"0.03": [0.2, 0.201], "0.1": [0.4, 0.401]}
    assert rows[1]["validation_accuracy"] == [0.3, 0.301, 0.302]
    assert {(epochs, seed) for _, _, epochs, seed in asked} == {(7, 100), (7, 101), (1, 0), (1, 1), (1, 2)}


def test_a_run_that_diverges_counts_as_zero(monkeypatch):
    def fit(*arguments, **options):
        raise training.Diverged("the loss is nan")

    monkeypatch.setattr(training, "fit", fit)
    assert changes.outcome("ReLU", None, None, changes.RECIPES["digits"], 0) == 0.0


def test_variants():
    def names(net):
        return [type(layer).__name__ for layer in net]

    paper = changes.variant("as in the paper", 0)
    assert names(paper) == names(models.build("lenet5"))
    assert torch.equal(paper.c5.weight, changes.variant("as in the paper", 0).c5.weight)
    assert not torch.equal(paper.c5.weight, changes.variant("as in the paper", 1).c5.weight)

    modern = changes.variant("all five changes", 0)
    flat = [name for name in names(modern) if name != "Identity"]
    simple = [name if name != "Conv2d" else "" for name in names(models.build("lenet5_simple"))]
    assert len(flat) == len(simple) and flat.count("ReLU") == simple.count("ReLU") and flat.count("MaxPool2d") == 2
    shapes = {tuple(p.shape) for p in modern.parameters()}
    assert shapes - {tuple(p.shape) for p in models.build("lenet5_simple").parameters()} == {(120, 16, 5, 5)}

    assert isinstance(changes.variant("ReLU", 0).f6_squash, lenet.LecunTanh)  # its codes are ±1
    assert isinstance(modern.f6_squash, nn.ReLU)
    assert changes.variant("distances undivided", 0).output.scale == 1 != paper.output.scale
    sizes = {row: sum(p.numel() for p in changes.variant(row, 0).parameters()) for row in changes.CHANGES}
    assert sizes["as in the paper"] == sizes["weights of 1/√F"] == sizes["ReLU"] == 60_000
    assert sizes["max pooling"] == sizes["average pooling"] == 60_000 - 44
    assert sizes["all pairs in C3"] == 60_900 and sizes["linear head"] == 60_850
    assert sizes["all five changes"] == 61_706


@pytest.mark.parametrize(
    ("row", "numerator", "power"),
    [("as in the paper", 2.4, 1), ("all pairs in C3", 2.4, 1), ("weights of 1/√F", 1, 0.5)],
)
def test_initial_weights_of_a_variant(row, numerator, power):
    net = changes.variant(row, 0)
    for name in ("c1", "c3", "c5", "f6"):
        layer = getattr(net, name)
        weight = layer.dense_weight() if row != "all pairs in C3" and name == "c3" else layer.weight
        for unit in weight.detach().flatten(1):
            fan_in = int((unit != 0).sum())
            largest = unit.abs().max().item() * fan_in**power / numerator
            assert 0.7 < largest <= 1.0001, name


def test_a_row_of_the_record_comes_out_again():
    record = json.loads((files.ROOT / "data" / "runs" / "lenet5-changes-digits.json").read_text(encoding="utf-8"))
    row = next(row for row in record["rows"] if row["change"] == "all pairs in C3")
    recipe = replace(changes.RECIPES["digits"], learning_rate=row["learning_rate"])
    train, validation = (datasets.load("digits", split) for split in ("train", "validation"))
    again = changes.outcome(row["change"], train, validation, recipe, 0)
    assert again == pytest.approx(row["validation_accuracy"][0], abs=3 / len(validation))


# ---- Figure 1 of Ioffe & Szegedy


class Twin(nn.Sequential):
    """One run of `network` in PyTorch's own layers."""

    def __init__(self, net, run, norm):
        layers = []
        for k, (weight, gamma, beta) in enumerate(net):
            last = k == len(net) - 1
            linear = nn.Linear(*weight.shape[1:], bias=not norm or last)
            linear.weight.data = weight[run].detach().T.clone()
            if linear.bias is not None:
                linear.bias.data = beta[run, 0].detach().clone()
            layers += [linear, *([nn.BatchNorm1d(len(gamma[run, 0]))] if norm and not last else [])]
            layers += [] if last else [nn.Sigmoid()]
        super().__init__(*layers)


@pytest.mark.parametrize("norm", [False, True])
def test_many_networks_in_one_train_as_each_alone_in_torch(norm):
    generator = torch.Generator().manual_seed(5)
    images, labels = torch.rand(90, 12, generator=generator), torch.randint(10, (90,), generator=generator)
    rates = torch.tensor([0.5, 2.0]).repeat_interleave(3).view(-1, 1, 1)
    net = batchnorm.network(12, 6, 0.3)
    twins = [Twin(net, run, norm) for run in range(6)]
    running = batchnorm.fit(net, images, labels, rates, 6, norm, "test")
    draws = torch.Generator().manual_seed(1)
    chosen = [torch.randint(90, (3, 60), generator=draws) for _ in range(6)]
    for run, twin in enumerate(twins):
        optimizer = torch.optim.SGD(twin.parameters(), lr=rates[run].item())
        for step in chosen:
            loss = nn.functional.cross_entropy(twin(images[step[run % 3]]), labels[step[run % 3]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        linears = [layer for layer in twin if isinstance(layer, nn.Linear)]
        norms = [layer for layer in twin if isinstance(layer, nn.BatchNorm1d)]
        for (weight, _, beta), linear in zip(net, linears, strict=True):
            torch.testing.assert_close(weight[run].T, linear.weight, atol=1e-4, rtol=1e-3)
            if linear.bias is not None:
                torch.testing.assert_close(beta[run, 0], linear.bias, atol=1e-4, rtol=1e-3)
        for (mean, var), layer in zip(running if norm else [], norms, strict=True):
            torch.testing.assert_close(mean[run, 0], layer.running_mean, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(var[run, 0], layer.running_var, atol=1e-4, rtol=1e-3)
        twin.eval()
        scores = batchnorm.forward(net, images, norm, running)[0][run]
        torch.testing.assert_close(scores, twin(images), atol=1e-3, rtol=1e-3)


def test_runs_of_a_seed_start_alike_at_every_setting():
    net = batchnorm.network(12, 6, 0.1)
    for weight, gamma, beta in net:
        assert torch.equal(weight[:3], weight[3:]) and not torch.equal(weight[0], weight[1])
        assert weight.std().item() == pytest.approx(0.1, rel=0.1) and (gamma == 1).all() and (beta == 0).all()
    wider = batchnorm.network(12, 3, 0.4)
    torch.testing.assert_close(wider[0][0], 4 * net[0][0][:3])


def test_figure_1_in_small(small, tmp_path):
    record = json.loads(experiments.run("batchnorm-figure1", out=tmp_path / "a.json").read_text(encoding="utf-8"))
    swept, marks = record["sweep"]["validation_accuracy"], record["steps"]
    assert record["sweep"]["steps"] == 5 and marks == sorted(set(marks)) and marks[-1] == 12
    own, same = record["rows"][:3], record["rows"][3:]
    for row in own:
        means = {rate: sum(values) for rate, values in swept[row["network"]].items()}
        assert means[f"{row['learning_rate']:g}"] == max(means.values())
    assert [row["learning_rate"] for row in same] == [1 / 8] * 3
    for row in own + same:
        assert [len(curve) for curve in row["test_accuracy"]] == [len(marks)] * 3
        assert len(row["quantiles"]) == len(marks)
        assert all(a <= b for three in row["quantiles"] for a, b in pairwise(three))
    assert {row["network"]: row["initial_deviation"] for row in own} == {
        "plain": 0.1,
        "plain × 4": 0.4,
        "batch norm": 0.1,
    }


# ---- Thirty layers without biases


def test_a_row_of_the_deep_stacks_comes_out_again(monkeypatch):
    record = json.loads((files.ROOT / "data" / "runs" / "deep-stacks-digits.json").read_text(encoding="utf-8"))
    row = next(row for row in record["rows"] if row["stack"] == "ReLU")
    monkeypatch.setattr(stacks, "RATES", (0.01,))
    monkeypatch.setattr(stacks, "STEPS", (150,))
    again = stacks.accuracies("ReLU", "digits")["150"]["0.01"]
    assert again == pytest.approx(row["validation_accuracy"]["150"]["0.01"], abs=0.1)


def test_without_its_mean_takes_one_number_from_each_network():
    a = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 3.0])[:, None, None]
    y = stacks.without_its_mean(a)
    torch.testing.assert_close(y.mean((1, 2)), torch.zeros(2), atol=1e-6, rtol=0)
    assert (y.mean(2).abs() > 0.1).any() and (y.mean(1).abs() > 0.1).any()  # not from each unit, not from each image


# ---- Units wired in three ways


def test_a_locally_connected_layer_with_equal_weights_is_a_convolution():
    conv, local = nn.Conv2d(3, 4, 5, stride=2), wirings.LocallyConnected2d(3, 4, 12, 5, stride=2)
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    assert local(x).shape == conv(x).shape and not torch.allclose(local(x), conv(x), atol=1e-3)
    local.weight.data = conv.weight.data.flatten(1).expand_as(local.weight)
    local.bias.data = conv.bias.data[:, None].expand_as(local.bias)
    assert torch.allclose(local(x), conv(x), atol=1e-5)


@pytest.mark.parametrize("wiring", wirings.WIRINGS + wirings.POOLED)
def test_the_wirings_have_the_same_units(wiring):
    net, x = wirings.network(wiring).eval(), torch.randn(3, 1, 28, 28)
    units = [x := layer(x) for layer in net]
    assert sorted({values[0].numel() for values in units if values.ndim == 4} - {784, 32}) in ([], [512, 1152])
    assert units[-1].shape == (3, 10)
    sizes = {"fully connected": 1_499_786, "locally connected": 137_994, "convolution": 11_770}
    sizes |= {name: sizes[name.partition(",")[0]] - 480 * 10 for name in wirings.POOLED}  # 32 states in place of 512
    assert sum(p.numel() for p in net.parameters()) == sizes[wiring]


def test_an_unknown_wiring_is_refused():
    with pytest.raises(ValueError, match="wiring is 'sparse'; expected one of: fully connected; locally"):
        wirings.network("sparse")


def test_permuted_images_keep_their_pixels_and_shifted_ones_their_form():
    test = few("mnist-mini", "test")
    mixed, again = wirings.permuted(test, 1), wirings.permuted(few("mnist-mini", "train"), 1)
    order = torch.randperm(784, generator=torch.Generator().manual_seed(1))
    assert torch.equal(mixed.images.flatten(1), test.images.flatten(1)[:, order])
    assert torch.equal(again.images.flatten(1), few("mnist-mini", "train").images.flatten(1)[:, order])
    assert not torch.equal(wirings.permuted(test, 2).images, mixed.images)
    moved = wirings.shifted(test, 2).images
    assert torch.equal(wirings.shifted(test, 0).images, test.images)
    assert torch.equal(moved[0::4, ..., 2:], test.images[0::4, ..., :-2])  # to the right
    assert torch.equal(moved[1::4, ..., :-2], test.images[1::4, ..., 2:])
    assert torch.equal(moved[2::4, :, 2:], test.images[2::4, :, :-2])  # down
    assert torch.equal(moved[3::4, :, :-2], test.images[3::4, :, 2:])
    assert moved[0, ..., :2].sum() == 0


def test_a_row_of_the_wirings_record_and_a_run_beside_it(monkeypatch):
    rate, accuracy = wirings.recorded("convolution", "as they are", epochs=15)
    assert rate in wirings.RATES and accuracy.shape == (3, 5) and 90 < accuracy[:, 0].min() <= accuracy.max() < 100
    with pytest.raises(ValueError, match="no 'convolution', 'permuted', 6 epochs; it has"):
        wirings.recorded("convolution", "permuted", 6)
    monkeypatch.setattr(wirings, "train", lambda *given: given)
    wiring, data, recipe, seed = wirings.rerun("convolution", "permuted", "data", seed=4)
    assert (wiring, data, seed) == ("convolution", "data", 4)
    assert (recipe.epochs, recipe.learning_rate) == (5, wirings.recorded("convolution", "permuted")[0])


# ---- A sawtooth, approached


def test_the_exact_network_is_the_sawtooth_and_stays_there():
    x = torch.linspace(0, 1, 257)[:, None]
    for folds in (1, 3, 5):
        y = sawtooth.sawtooth(x, folds)
        assert torch.equal(sawtooth.forward(x, sawtooth.exact(folds)), y)
        assert int((y.flatten().diff().sign().diff() != 0).sum()) == 2**folds - 1
    assert max(sawtooth.approach([2, 2, 2], 0.003, steps=2, seed=0, noise=0.0)) < 1e-6


def test_training_approaches_the_sawtooth():
    few_steps, many = (sawtooth.approach([24], 0.03, steps, seed=3) for steps in (1, 150))
    assert len(many) == sawtooth.RUNS and max(many) < min(few_steps)


# ---- Four ways to make maps smaller


def test_networks_differ_in_how_they_make_maps_smaller():
    nets = {kind: pooling.network(kind, 0) for kind in pooling.KINDS}
    sizes = {kind: sum(parameter.numel() for parameter in net.parameters()) for kind, net in nets.items()}
    assert sizes == {"max": 11_274, "average": 11_274, "stride": 11_274, "global": 3_594}
    assert all(torch.equal(net[0].weight, nets["max"][0].weight) for net in nets.values())  # they begin alike
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    maps = {kind: net[:6](x) for kind, net in nets.items()}
    assert {values.shape for values in maps.values()} == {(2, 16, 7, 7)} and torch.equal(maps["max"], maps["global"])
    assert nets["global"](torch.nn.functional.pad(x, (0, 4, 8, 0))).shape == (2, 10)  # images of any size


def test_images_move_to_all_four_sides():
    class LooksAt(nn.Module):
        """Class 1 where a pixel is bright, class 0 elsewhere."""

        def forward(self, x):
            return torch.stack([torch.zeros(len(x)), x[:, 0, 5, 5] - x[:, 0, 0, 0]], dim=1)

    test = few("mnist-mini", "test")
    images = torch.zeros_like(test.images)
    images[..., 5, 3] = 255  # two to the right, and it lies where the network looks
    test = replace(test, images=images, labels=torch.ones_like(test.labels))
    accuracies = [pooling.moved_accuracy(LooksAt(), test, shift) for shift in (0, 1, 2)]
    assert accuracies == [0, 0, 0.25]


# ---- Dropout on 500 images


def test_networks_with_dropout_train_side_by_side_as_each_alone_in_torch(monkeypatch):
    for name, value in {"RATES": (0.01, 0.1), "IMAGES": 40, "BATCH": 20, "WIDTH": 6}.items():
        monkeypatch.setattr(gain, name, value)
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(3, 40, 784, generator=generator), torch.randint(10, (3, 40), generator=generator)
    trained, start = gain.fit(x, y, 0.0, "example", 4), gain.network(2)
    draws = torch.Generator().manual_seed(2)
    order = torch.cat([torch.randperm(40, generator=draws) for _ in range(2)]).split(20)
    for run in range(6):
        twin = [values[run].detach().requires_grad_() for values in start]
        optimizer = torch.optim.SGD(twin, lr=gain.RATES[run // 3], momentum=0.9)
        decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, 4)
        for chosen in order:
            h, (first, b1, second, b2, third, b3) = x[run % 3, chosen], twin
            scores = ((h @ first + b1).relu() @ second + b2).relu() @ third + b3
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores, y[run % 3, chosen]).backward()
            optimizer.step()
            decay.step()
        for ours, alone in zip(trained, twin, strict=True):
            torch.testing.assert_close(ours[run], alone, atol=1e-4, rtol=1e-3)


def test_a_fifth_of_the_labels_is_drawn_anew_and_images_stay():
    train = datasets.load("mnist-mini", "train")
    (x, true), (same, redrawn) = gain.draw(train, "true"), gain.draw(train, "a fifth redrawn")
    assert torch.equal(x, same) and x.shape == (3, 500, 784)
    assert 0.13 < (true != redrawn).double().mean() < 0.23  # one in ten is drawn as it was
    assert x.mean().abs() < 0.05 and abs(x.std() - 1) < 0.05


@pytest.mark.parametrize(
    ("best", "found"),
    [(0.1, [0.03, 0.1, 0.3]), (0.01, [0.003, 0.01, 0.03, 0.1, 0.3]), (20, [0.03, 0.1, 0.3, 1.0, 3.0, 10.0])],
)
def test_a_sweep_of_inception_parts_grows_until_its_best_is_inside(best, found):
    tried = {rate: [-abs(rate - best), -abs(rate - best) - 1] for rate in inception.LADDER}
    chosen, swept = sweeps.sweep(tried.get, (0.03, 0.1, 0.3), ladder=inception.LADDER)
    assert list(swept) == found and chosen == min(best, 10.0)


def test_inception_parts_of_one_scale_cost_as_much():
    one = [inspection.summarize(inception.Small(kind), (1, 28, 28)) for kind in ("reduced", "one scale", "3 x 3")]
    assert max(each.multiply_adds for each in one) < 1.05 * min(each.multiply_adds for each in one)


@pytest.mark.parametrize("arm", inception.ARMS)
def test_inception_parts_change_what_their_names_say(arm):
    """The arms give ten scores, train as `fit` has it, and differ in what they are named after."""
    net, x = inception.Small(**inception.ARMS[arm]), torch.zeros(2, 1, 28, 28)
    assert net.eval()(x).shape == (2, 10)
    scores = net.train()(x)
    assert isinstance(scores, tuple) == ("auxiliary" in arm)
    norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    assert bool(norms) == (not arm.startswith("deep") or "batch norm" in arm)
    assert net.fc.in_features == {"naive": 80 + 32, "reduced, all positions": 40 * 49}.get(arm, 40)


def test_what_f6_draws():
    """States at the code of 3: all pixels right, no distance; at that of 9 with the label 3: 13 pixels wrong."""
    head = lenet.RBF(lenet.digit_codes(), scale=1 / 42)
    net = nn.Sequential(OrderedDict(f6=nn.Identity(), output=head))
    found = drawn_codes.drawing(net, head.codes[[3]], torch.tensor([3]))
    assert found == {"right code": 0.0, "nearest other": 52.0, "pixels": 1.0, "accuracy": 1.0}
    found = drawn_codes.drawing(net, head.codes[[9]], torch.tensor([3]))
    assert found == {"right code": 52.0, "nearest other": 0.0, "pixels": pytest.approx(1 - 13 / 84), "accuracy": 0.0}


# ---- VGG


@pytest.mark.parametrize("arm", windows.ARMS)
def test_blocks_see_as_much_and_differ_in_price_and_in_relus(arm):
    """The block sees 7 x 7 whatever it is made of; behind a stem of 3 x 3 with stride 2 that is 3 + 2 * 6 pixels."""
    summary = inspection.summarize(windows.network(arm), (1, 28, 28))
    block = [row for row in summary.rows if row.shape[1:] == (14, 14)][3:]  # behind the stem
    assert block[-1].receptive_field.size == 15
    weights = sum(row.parameters for row in block if row.kind == "Conv2d")
    dear = {"7 × 7": 49, "7 × 7, two 1 × 1": 51}
    assert weights == dear[arm] * 256 if arm in dear else abs(weights / (27 * 256) - 1) < 0.03
    relus = sum(row.kind == "ReLU" for row in block)
    assert relus == (3 if arm in ("three 3 × 3", "7 × 7, two 1 × 1") else 1)


# ---- AlexNet


def test_the_best_rate_is_no_end_of_what_was_tried(small, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "RATES", (0.01, 0.03, 0.1))
    accuracy = {0.001: 0.2, 0.003: 0.9, 0.01: 0.8, 0.03: 0.5, 0.1: 0.1}

    def outcome(arm, rate, seed, epochs, data, how):
        return {"validation_accuracy": accuracy[rate] if arm == "no part" else rate}

    monkeypatch.setattr(parts, "outcome", outcome)
    rows = json.loads(experiments.run("alexnet-parts", out=tmp_path / "a.json").read_text())["rows"]
    assert [list(row["sweep"]) for row in rows] == [["0.01", "0.03", "0.1", "0.3", "1.0"], [*map(str, accuracy)]]
    assert [row["learning_rate"] for row in rows] == [1.0, 0.003]


@pytest.mark.parametrize("part", parts.PARTS)
def test_an_arm_without_a_part_differs_in_that_part_alone(monkeypatch, part):
    built = []
    monkeypatch.setattr(datasets, "load", few)
    monkeypatch.setattr(parts, "last_row", lambda net, *_: built.append((net, _[2])))
    for arm in ("all parts", f"without {part}"):
        parts.outcome(arm, 0.03, 0, 10, "mnist-mini", {})
    (whole, moved), (less, still) = built
    kinds = [[type(layer).__name__ for layer in net] for net in (whole, less)]
    assert (moved == still) == (part != "augmentation") and moved.learning_rate == still.learning_rate
    expected = {"ReLU": {"ReLU", "Tanh"}, "response norm": {"ResponseNorm"}}.get(part, set())
    assert {kind for kind in {*kinds[0], *kinds[1]} if kinds[0].count(kind) != kinds[1].count(kind)} == expected
    sizes = [(net.pool1.kernel_size, net.drop6.p) for net in (whole, less)]
    assert (sizes[0][0] == sizes[1][0]) == (part != "overlapping pooling")
    assert (sizes[0][1] == sizes[1][1]) == (part != "dropout")


def test_filters_are_kept_up_to_their_scale_and_silent_ones_are_counted():
    net = first.network(7, 2)
    with torch.no_grad():
        net[0].weight[3], net[0].bias[3] = 0, -1
        net[0].bias[5] = 100
    kept = first.unpacked(first.packed(net[0].weight), 7) * net[0].weight.abs().max()
    torch.testing.assert_close(kept, net[0].weight.detach(), atol=net[0].weight.abs().max().item() / 250, rtol=0)
    compounds = datasets.load("compounds", "validation")
    assert first.silent(net, compounds.images[:4], compounds) == 1


@pytest.mark.parametrize(("kernel_size", "stride"), first.LAYERS)
def test_all_behind_a_first_layer_has_the_same_sizes(kernel_size, stride):
    net = first.network(kernel_size, stride)
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert shapes[2:] == [tuple(p.shape) for p in first.network(11, 4).parameters()][2:]
    assert net[:5](torch.zeros(1, 3, 96, 96)).shape == (1, 32, 12, 12)
