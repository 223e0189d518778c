"""The experiments behind chapters: what they compute, that they go on where they stopped, and what they refuse."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from course_utils import datasets, files, models, training
from course_utils.authors import experiments
from course_utils.authors.experiments import alexnet_parts as parts
from course_utils.authors.experiments import batchnorm_figure1 as batchnorm
from course_utils.authors.experiments import deep_stacks as stacks
from course_utils.authors.experiments import learning_rates as rates
from course_utils.authors.experiments import lenet5_changes as changes
from course_utils.authors.experiments.__main__ import main
from course_utils.models import lenet

REAL_LOAD = datasets.load


def few(name, split):
    """The first 100 images of a split of `digits`, whatever the name."""
    dataset = REAL_LOAD("digits", split)
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
    monkeypatch.setattr(parts, "ARMS", {"all parts": tuple(parts.PARTS), "no part": ()})
    monkeypatch.setattr(parts, "RATES", (0.03,))
    monkeypatch.setattr(parts, "SEEDS", (0,))
    monkeypatch.setattr(parts, "EPOCHS", 1)
    for name, value in {"RATES": (0.03, 0.1), "STEPS": (2, 3)}.items():
        monkeypatch.setattr(stacks, name, value)
    once = training.Recipe(epochs=1, batch_size=50)
    monkeypatch.setattr(training, "recipe_for", lambda *_: once)
    for name, value in {"SWEEP_STEPS": 5, "STEPS": 12, "MARKS": 4, "RATES": (0.5, 1.0)}.items():
        monkeypatch.setattr(batchnorm, name, value)


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
