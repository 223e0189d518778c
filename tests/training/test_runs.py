"""A run by names: its folder and record, and above all that one broken off ends as one unbroken."""

import errno
import json
import multiprocessing
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from runs import REAL_LOAD, SHORT, few, learned, make_small, refusal, run, same, weights
from torch import nn

from course_utils import datasets, evaluation, models, training
from course_utils.__main__ import main
from course_utils.datasets.batches import Batches
from course_utils.training import checkpoints, loop, records


def test_the_command_line_refuses_in_one_line(capsys, tmp_path, monkeypatch):
    ordinary = ["lenet5_simple", "--data", "digits", "--out", tmp_path / "run"]
    assert "no model is called 'lenet7'" in refusal(capsys, "lenet7", *ordinary[1:])
    assert "no recipe is called 'longer'" in refusal(capsys, *ordinary, "--recipe", "longer")
    assert "epochs is 0" in refusal(capsys, *ordinary, "--epochs", 0)
    assert "stop_after is 5; expected 1 to 4" in refusal(capsys, *ordinary, "--epochs", 4, "--stop-after", 5)
    assert "stop_after is 0; expected 1 to 4" in refusal(capsys, *ordinary, "--epochs", 4, "--stop-after", 0)
    assert "batch_size is 4096" in refusal(capsys, *ordinary, "--batch-size", 4096)
    assert "seed is -2" in refusal(capsys, *ordinary, "--seed", -2)
    assert "device 'gpu'" in refusal(capsys, *ordinary, "--device", "gpu")
    monkeypatch.setitem(training.RECIPES["quick"], ("digits", "any"), replace(SHORT, learning_rate=1e6))
    assert "take a lower learning rate" in refusal(capsys, *ordinary)
    monkeypatch.setattr(datasets, "load", REAL_LOAD)
    assert "fashion-mnist" in refusal(capsys, "lenet5_simple", "--data", "fashion-mnits", "--out", tmp_path / "run")
    assert not list(tmp_path.rglob("*.*"))


# ---- A run and its files


def test_a_run_and_its_record(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", "lenet5_simple", "--data", "digits", "--epochs", "2", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "epoch  1/2  train loss" in out and "epoch  2/2  train loss" in out and "test accuracy" in out
    assert {path.name for path in folder.iterdir()} == FILES
    text = (folder / "run.json").read_text()
    record = json.loads(text)
    assert [record[name] for name in ("model", "data", "recipe", "seed")] == ["lenet5_simple", "digits", "quick", 0]
    assert record["recipe_values"] == asdict(replace(training.recipe_for("quick", "digits"), epochs=2))
    assert record["parameters"] == 61706
    assert [row["epoch"] for row in record["epochs"]] == [1, 2]
    assert record["seconds"] == pytest.approx(sum(row["seconds"] for row in record["epochs"]))
    assert "thread" in record["hardware"]
    assert (record["train_images"], record["validation_images"]) == (100, 100)
    assert record["versions"]["torch"] == torch.__version__
    assert (record["precision"], record["world_size"], record["model_options"]) == ("float32", 1, {})
    assert "stretches" not in record
    assert str(tmp_path) not in text
    model = models.build("lenet5_simple")
    model.load_state_dict(weights(folder))
    test = evaluation.evaluate(model, few("digits", "test"))
    assert record["test_accuracy"] == test["accuracy"]
    assert record["test_loss"] == pytest.approx(test["loss"], rel=1e-5)


def test_a_run_without_a_folder_gets_one_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(None, epochs=1, seed=3)
    assert (tmp_path / "build/lenet5_simple-digits-seed3/run.json").exists()


def test_test_images_are_looked_at_once_and_last(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(datasets, "load", lambda name, split: asked.append(split) or few(name, split))
    record = run(tmp_path / "run", stop_after=2)
    assert "stopped after epoch 2 of 4; --resume goes on in" in capsys.readouterr().out
    assert asked == ["train", "validation"]
    assert "test_accuracy" not in record
    assert not (tmp_path / "run" / "model.safetensors").exists()
    record = run(tmp_path / "run", resume=True)
    assert asked == ["train", "validation"] * 2 + ["test"]
    assert "test_accuracy" in record


FILES = {"run.json", "checkpoint.pt", "checkpoint.before.pt", "model.safetensors", "test_logits.safetensors", ".lock"}


class Varied(nn.Module):
    """A net with all that a checkpoint could forget: running statistics, dropout."""

    input_size = 32

    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 4, 5, stride=4), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5)
        )
        self.output = nn.Linear(4 * 7 * 7, num_classes)

    def forward(self, x):
        return self.output(self.layers(x))


@pytest.mark.parametrize("model", ["lenet5", "varied"])
def test_two_and_two_epochs_are_four(tmp_path, monkeypatch, model):
    monkeypatch.setitem(models._BUILDERS, "varied", Varied)
    rates = []
    real = training.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda *given: rates.append(real(*given)) or rates[-1])
    unbroken = run(tmp_path / "unbroken", model)
    at_once, rates[:] = list(rates), []
    run(tmp_path / "broken", model, stop_after=2)
    torch.rand(5)
    broken = run(tmp_path / "broken", model, resume=True)
    assert rates == at_once
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    assert learned(unbroken["epochs"]) == learned(broken["epochs"])
    assert unbroken["test_loss"] == broken["test_loss"]


def killed_at(event, count, folder):
    """In a process of its own: train, and be killed at the count-th event of a kind."""
    seen = 0

    def now():
        nonlocal seen
        seen += 1
        return seen == count

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def hit(kind):
        """Whether this is the event; only events of its own kind are counted."""
        return event == kind and now()

    real = Batches.batch, Path.write_bytes, os.replace, os.link

    def batch(*given):
        if hit("batch"):
            die()
        return real[0](*given)

    def write_bytes(path, content):
        if hit("half a file"):
            real[1](path, content[: len(content) // 2])
            die()
        real[1](path, content)

    def rename(*given):
        if hit("before the name"):
            die()
        real[2](*given)
        if hit("after the name"):
            die()

    def link(*given, **options):
        if hit("no checkpoint before"):
            die()
        real[3](*given, **options)

    make_small()
    Batches.batch, Path.write_bytes, os.replace, os.link = batch, write_bytes, rename, link
    run(folder)


# Two looks at the sets, then an epoch takes 3 batches, 1 more to look at the validation split, and writes 2 files, each
# of which gets its name in the end. The end of the run writes 2 files more.
MOMENTS = [
    ("batch", 5),  # before there is any checkpoint
    ("batch", 10),
    ("half a file", 1),
    ("half a file", 5),
    ("before the name", 3),
    ("after the name", 3),  # a checkpoint newer than run.json
    ("after the name", 8),  # all epochs done, no weights written
    ("half a file", 10),
    ("no checkpoint before", 2),  # the one before is gone, the last one is not the one before yet
]


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="Windows has no SIGKILL")
def test_a_killed_run_ends_as_one_unbroken(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["course_utils.training", "sklearn.datasets", "torch._dynamo"])
    processes = []
    for i, (event, count) in enumerate(MOMENTS):
        processes.append(context.Process(target=killed_at, args=(event, count, tmp_path / str(i))))
        processes[-1].start()
    unbroken = run(tmp_path / "unbroken")
    for i, process in enumerate(processes):
        process.join(60)
        assert process.exitcode == -signal.SIGKILL, MOMENTS[i]
        assert not (tmp_path / str(i) / "run.json").exists() or json.loads((tmp_path / str(i) / "run.json").read_text())
        resumed = run(tmp_path / str(i), resume=True)
        assert same(weights(tmp_path / str(i)), weights(tmp_path / "unbroken")), MOMENTS[i]
        assert learned(resumed["epochs"]) == learned(unbroken["epochs"])
        assert not list((tmp_path / str(i)).glob(".*.part"))


def test_resume_refuses_another_run_by_name(tmp_path, capsys, monkeypatch):
    ordinary = {
        "--data": "digits",
        "--recipe": "quick",
        "--seed": 0,
        "--epochs": 2,
        "--batch-size": 32,
        "--out": tmp_path,
    }
    arguments = [word for pair in ordinary.items() for word in pair]
    assert main(["train", "lenet5_simple", *map(str, arguments), "--stop-after", "1"]) == 0
    capsys.readouterr()
    content = (tmp_path / "checkpoint.pt").read_bytes()
    assert "model lenet5_simple, not lenet5" in refusal(capsys, "lenet5", *arguments, "--resume")
    for option, value, message in [
        ("--data", "mnist", "data digits, not mnist"),
        ("--recipe", "full", "recipe quick, not full"),
        ("--seed", 1, "seed 0, not 1"),
        ("--epochs", 3, "epochs 2, not 3"),
        ("--batch-size", 16, "batch_size 32, not 16"),
        ("--precision", "bfloat16", "precision float32, not bfloat16"),
        ("--set", "warmup=0.5", "warmup 0.25, not 0.5"),
        ("--model-option", "activation=tanh", "model_options {}, not {'activation': 'tanh'}"),
    ]:
        assert message in refusal(capsys, "lenet5_simple", *arguments, option, value, "--resume")
    monkeypatch.setitem(
        training.RECIPES["quick"], ("digits", "any"), replace(training.recipe_for("quick", "digits"), shift=3)
    )
    assert "shift 2, not 3" in refusal(capsys, "lenet5_simple", *arguments, "--resume")
    assert (tmp_path / "checkpoint.pt").read_bytes() == content


def test_a_run_is_not_overwritten(tmp_path, capsys):
    run(tmp_path, epochs=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert "holds a run: go on with --resume" in refusal(capsys, "lenet5_simple", "--data", "digits", "--out", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["run.json", "checkpoint.pt"])
def test_half_a_run_is_not_overwritten_either(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match="holds a run: go on with --resume"):
        run(tmp_path, epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_resume_starts_anew_where_there_is_nothing(tmp_path):
    run(tmp_path / "plain", epochs=1)
    run(tmp_path / "resumed", epochs=1, resume=True)
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "resumed"))


def flipped_behind(offset, bit):
    """One bit changed in what the zip file says of itself, counted from where its table of contents begins."""

    def flip(content):
        start = content.rindex(b"PK\x05\x06")
        table = int.from_bytes(content[start + 16 : start + 20], "little")
        place = table + offset
        return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]

    return flip


def flipped(content):
    """One bit changed in the middle of the weights."""
    return content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]


def marked_as_a_folder(content):
    """One bit changed in the table of contents: torch.load would leave the first weights as the memory was before."""
    place = content.rindex(b"archive/data/0") - 8
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        flipped_behind(46, 7),
        flipped_behind(10, 3),
        marked_as_a_folder,
        flipped,
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"no checkpoint at all",
        lambda content: pickle.dumps({"weights": 1}),
    ],
    ids=["a name", "a method", "a folder", "a bit flipped", "empty", "a byte short", "half", "text", "pickle"],
)
def test_a_damaged_checkpoint(tmp_path, capsys, damage):
    run(tmp_path, epochs=2, stop_after=1)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 2, "--out", tmp_path, "--resume")
    assert "checkpoint.pt is damaged: delete it" in line


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, capsys):
    run(tmp_path, stop_after=1)
    content = (tmp_path / "checkpoint.pt").read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        capsys.readouterr()
        line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 4, "--out", tmp_path, "--resume")
    assert "checkpoint.pt cannot be written: No space left on device" in line
    assert (tmp_path / "checkpoint.pt").read_bytes() == content
    assert "once that is mended, the same call with --resume goes on in" in line
    assert not list(tmp_path.glob(".*.part"))
    assert "test_accuracy" in run(tmp_path, resume=True)


# ---- A run's command


def test_the_record_names_the_command_that_makes_it_again(tmp_path):
    options = {"activation": "lecun_tanh", "pooling": "avg"}
    settings = {"flip": True, "learning_rate": 0.0125}
    first = run(tmp_path / "first", epochs=2, seed=5, model_options=options, settings=settings)
    words = shlex.split(first["command"])
    assert words[:3] == ["python", "-m", "course_utils"]
    assert main([*words[3:], "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    assert again["command"] == first["command"]
    assert again["model_options"] == options
    assert again["recipe_values"] == first["recipe_values"]
    assert (again["recipe_values"]["flip"], again["recipe_values"]["learning_rate"]) == (True, 0.0125)
    assert same(weights(tmp_path / "first"), weights(tmp_path / "again"))
    assert learned(first["epochs"]) == learned(again["epochs"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--set", "speed=9"],
            "a recipe has no 'speed' to set; it has epochs, batch_size, train_on, ",
        ),
        (["--set", "epochs"], "'epochs' sets nothing; expected NAME=VALUE, where NAME is epochs, "),
        (["--set", "epochs=2.5"], "epochs is '2.5'; expected a whole number"),
        (["--set", "epochs="], "epochs is ''; expected a whole number"),
        (["--set", "learning_rate=fast"], "learning_rate is 'fast'; expected a number"),
        (["--set", "learning_rate=nan"], "learning_rate is nan; expected a positive number"),
        (["--set", "flip=maybe"], "flip is 'maybe'; expected true or false"),
        (["--set", "epochs=3", "--set", "epochs=4"], "epochs is given twice, as 3 and as 4"),
        (["--set", "epochs=3", "--epochs", "4"], "epochs is given twice, as 4 and as 3"),
        (["--model-option", "head=linear"], "lenet5_simple has no 'head' to set; it has activation, pooling"),
        (["--model-option", "activation=swish"], "activation is 'swish'; lenet5_simple has relu, tanh"),
        (["--precision", "half"], "precision is 'half'; it takes float32, bfloat16 or float64"),
        (["--recipe", "slow"], "no recipe is called 'slow'; there are quick, full"),
        (["--seed", "4294967296"], "seed is 4294967296; expected a whole number from 0 to 4294967295"),
    ],
)
def test_settings_that_are_refused(tmp_path, capsys, words, message):
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--out", tmp_path / "run", *words)
    assert re.search(message, line)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", ["2", "8", "many"])
def test_half_an_environment_of_torchrun_is_refused(tmp_path, capsys, monkeypatch, count):
    monkeypatch.setenv("WORLD_SIZE", count)
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--out", tmp_path / "run")
    assert f"WORLD_SIZE={count}: expected what torchrun sets, or none of them" in line
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert run(tmp_path / "run", epochs=1)["world_size"] == 1


# ---- Trained on all


def test_a_run_on_all_images_says_so_and_looks_at_no_validation_split(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(datasets, "load", lambda name, split: loaded.append(split) or few(name, "train"))
    record = run(tmp_path, epochs=2, settings={"train_on": "all"})
    assert loaded == ["all", "test"]
    assert record["recipe_values"]["train_on"] == "all"
    assert (record["train_images"], record["validation_images"]) == (100, 0)
    assert {row["validation_loss"] for row in record["epochs"]} == {None}
    again = run(tmp_path, epochs=2, settings={"train_on": "all"}, resume=True)
    assert again == record


def test_all_is_train_and_then_validation():
    parts = [REAL_LOAD("digits", split) for split in ("train", "validation")]
    together = REAL_LOAD("digits", "all")
    assert torch.equal(together.images, torch.cat([part.images for part in parts]))
    assert torch.equal(together.labels, torch.cat([part.labels for part in parts]))
    assert together.mean == parts[0].mean


AVERAGED = {"average": "lookahead", "average_every": 2, "alternate_flip": True, "cutout": 4, "clip": 1.0}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("settings", [AVERAGED, {"average": "aside", "optimizer": "adamw", "learning_rate": 1e-3}])
def test_averages_and_their_optimizer_go_on_bit_for_bit(tmp_path, settings, precision):
    unbroken = run(tmp_path / "unbroken", settings=settings, precision=precision)
    run(tmp_path / "broken", settings=settings, precision=precision, stop_after=2)
    broken = run(tmp_path / "broken", settings=settings, precision=precision, resume=True)
    assert learned(broken["epochs"]) == learned(unbroken["epochs"])
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "unbroken"))
    with pytest.raises(ValueError, match="holds another run: average"):
        run(tmp_path / "broken", settings=settings | {"average": "none"}, precision=precision, resume=True)


# ---- Switches


def test_determinism_is_asked_for_in_the_block_only(tmp_path, monkeypatch):
    asked, real = [], Batches.epoch

    def epoch(*given):
        asked.append(torch.are_deterministic_algorithms_enabled())
        return real(*given)

    monkeypatch.setattr(Batches, "epoch", epoch)
    record = run(tmp_path / "run", epochs=1, deterministic=True)
    assert record["deterministic"] and record["command"].endswith(" --deterministic")
    assert asked == [True] and not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ValueError, match="holds another run: deterministic True, not False"):
        run(tmp_path / "run", epochs=1, resume=True)


def test_synchronized_batch_norm_needs_cuda(tmp_path, capsys):
    words = ("resnet20", "--data", "digits", "--out", tmp_path / "run", "--device", "cpu", "--sync-batch-norm")
    assert "sync_batch_norm is for CUDA devices, not for cpu" in refusal(capsys, *words)
    assert not (tmp_path / "run").exists()


def test_labels_are_part_of_a_runs_identity(tmp_path, monkeypatch):
    run(tmp_path, stop_after=1)
    turned = lambda name, split: replace(few(name, split), labels=9 - few(name, split).labels)  # noqa: E731
    monkeypatch.setattr(datasets, "load", turned)
    with pytest.raises(ValueError, match=r"holds another run: images \(CRC-32\) "):
        run(tmp_path, resume=True)


def test_a_resume_that_trains_nothing_adds_no_stretch(tmp_path):
    run(tmp_path, stop_after=2)
    again = run(tmp_path, stop_after=2, resume=True)
    assert "stretches" not in again
    with pytest.raises(ValueError, match=r"stop_after is 1; 2 epochs of .* are done"):
        run(tmp_path, stop_after=1, resume=True)


def test_a_compiled_model(tmp_path, monkeypatch):
    """Compiled twice, to learn and to be looked at, it goes on bit for bit; here by a compiler that does nothing."""
    compiled = []

    def compiler(graph, _):
        compiled.append(graph)
        return graph.forward

    real = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda model: real(model, backend=compiler))
    run(tmp_path / "plain")
    run(tmp_path / "unbroken", compile=True)
    assert len(compiled) == 2
    run(tmp_path / "broken", compile=True, stop_after=2)
    run(tmp_path / "broken", compile=True, resume=True)
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "unbroken"))
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "unbroken"))


def test_without_a_compiler_there_is_one_line(tmp_path, capsys, monkeypatch):
    def compiler(graph, _):
        raise RuntimeError("No working\ncompiler found")

    real = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda model: real(model, backend=compiler))
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--out", tmp_path / "run", "--compile")
    assert "torch cannot compile the model here, train without --compile: " in line
    assert "No working compiler found" in line
    assert not (tmp_path / "run").exists()


# ---- One run at a time in a folder


def start(barrier, folder, number, results):
    """In a process of its own: start a run at the same moment as others, and say how it ended."""
    make_small()
    for round_ in range(number):
        barrier.wait()
        try:
            record = run(folder / str(round_), epochs=1)
            results.put((round_, record["epochs"][0]["train_loss"]))
        except ValueError as error:
            results.put((round_, str(error)))


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="Windows starts them in turn")
def test_of_two_runs_in_one_folder_one_wins_and_the_other_says_so(tmp_path):
    context, rounds = multiprocessing.get_context("forkserver"), int(os.environ.get("COURSE_ROUNDS", 10))
    context.set_forkserver_preload(["course_utils.training", "sklearn.datasets", "torch._dynamo"])
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=start, args=(barrier, tmp_path, rounds, results)) for _ in range(2)]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=120) for _ in range(2 * rounds)]
    for process in processes:
        process.join(60)
    for round_ in range(rounds):
        said = [outcome for number, outcome in outcomes if number == round_]
        won, lost = sorted(said, key=lambda outcome: isinstance(outcome, str))
        assert isinstance(won, float) and isinstance(lost, str), (won, lost)
        assert "another run is at work in" in lost or "holds a run" in lost
        folder = tmp_path / str(round_)
        assert json.loads((folder / "run.json").read_text())["epochs"][0]["train_loss"] == won
        assert weights(folder)


def test_a_run_at_work_is_not_disturbed(tmp_path, capsys):
    run(tmp_path, epochs=2, stop_after=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with checkpoints.alone(tmp_path):
        for extra in ([], ["--resume"]):
            line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 2, "--out", tmp_path, *extra)
            assert "holds a run" in line if not extra else "another run is at work in" in line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    run(tmp_path, epochs=2, resume=True)


def test_a_run_that_kept_nothing_leaves_no_folder(tmp_path):
    for folder in (tmp_path / "new", tmp_path / "old"):
        (tmp_path / "old").mkdir(exist_ok=True)
        with pytest.raises(training.Diverged):
            run(folder, settings={"learning_rate": 1e6})
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


@pytest.mark.parametrize("place", ["file", "file/below", "\0", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path, capsys, place):
    (tmp_path / "file").write_text("not a folder")
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 1, "--out", f"{tmp_path}/{place}")
    assert "Traceback" not in line
    assert (tmp_path / "file").read_text() == "not a folder"


# ---- Ctrl-C


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_says_how_to_go_on(tmp_path, capsys, monkeypatch, epoch):
    folder, real = tmp_path / "run", Batches.epoch

    def interrupted(self, number, rank=0, world=1):
        if number == epoch - 1:
            raise KeyboardInterrupt
        return real(self, number, rank, world)

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "epoch", interrupted)
        assert main(["train", "lenet5_simple", "--data", "digits", "--epochs", "4", "--out", str(folder)]) == 130
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    if epoch == 1:
        assert said == "course_utils: interrupted in the first epoch: nothing is kept"
        assert not folder.exists()
    else:
        assert "interrupted after epoch 2 of 4: the same call with --resume goes on in" in said
        assert "test_accuracy" in run(folder, resume=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_a_real_ctrl_c_is_one_line(tmp_path):
    command = [sys.executable, "-m", "course_utils", "train", "lenet5_simple", "--data", "digits"]
    command += ["--set", "epochs=500", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "epoch  1/500" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    last = said.replace("\r", "\n").strip().splitlines()[-1]
    assert "--resume goes on in" in last and "Traceback" not in said


def test_nobody_reads_the_output_any_more(tmp_path):
    command = [sys.executable, "-m", "course_utils", "train", "lenet5_simple", "--data", "digits"]
    command += ["--set", "epochs=200", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "epoch  1/200" in process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said and "BrokenPipe" not in said
    assert (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_finished_run_is_not_run_again_nor_its_test_images_looked_at(tmp_path, capsys, monkeypatch):
    record = run(tmp_path, epochs=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(datasets, "load", lambda name, split: few(name, split) if split != "test" else pytest.fail())
    assert run(tmp_path, epochs=1, resume=True) == record
    assert "holds this run, finished: test accuracy" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: "no record",
        lambda record: [record],
        lambda record: record | {"test_accuracy": "high"},
        lambda record: record | {"test_accuracy": None},
        lambda record: record | {"command": "python -m course_utils train another"},
        lambda record: record | {"epochs": []},
        lambda record: eval("[" * 50 + "]" * 50),
    ],
)
def test_a_record_that_is_anothers_is_written_again(tmp_path, spoil):
    record = run(tmp_path, epochs=1)
    (tmp_path / "run.json").write_text(json.dumps(spoil(record)))
    again = run(tmp_path, epochs=1, resume=True)
    assert (again["test_accuracy"], again["epochs"]) == (record["test_accuracy"], record["epochs"])
    assert json.loads((tmp_path / "run.json").read_text()) == again


@pytest.mark.parametrize("spoil", [Path.unlink, Path.touch, lambda path: path.write_bytes(b"")])
def test_weights_that_were_lost_are_written_again(tmp_path, spoil):
    run(tmp_path, epochs=1)
    kept = {name: value.clone() for name, value in weights(tmp_path).items()}
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    spoil(path)
    run(tmp_path, epochs=1, resume=True)
    assert same(weights(tmp_path), kept)


# ---- Checkpoints that are another's


def edited(path, **changes):
    """Write the checkpoint with parts of it replaced."""
    checkpoint = torch.load(path, weights_only=True)
    torch.save(checkpoint | changes, path)


def other_weights(path):
    edited(path, weights=models.build("lenet5").state_dict())


def other_optimizer(path):
    model = nn.Linear(2, 2)
    edited(path, optimizer=torch.optim.SGD(model.parameters(), lr=0.1).state_dict())


def other_momentum(path):
    optimizer = torch.load(path, weights_only=True)["optimizer"]
    optimizer["state"][0]["momentum_buffer"] = torch.zeros(3, 3)
    edited(path, optimizer=optimizer)


def other_settings(path):
    optimizer = torch.load(path, weights_only=True)["optimizer"]
    optimizer["param_groups"][0]["momentum"] = 0.0
    edited(path, optimizer=optimizer)


def no_momentum(path):
    optimizer = torch.load(path, weights_only=True)["optimizer"]
    del optimizer["state"][0]
    edited(path, optimizer=optimizer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: torch.save(models.build("lenet5_simple").state_dict(), path), "no checkpoint of this version"),
        (lambda path: torch.save({}, path), "no checkpoint of this version"),
        (lambda path: torch.save([1, 2], path), "no checkpoint of this version"),
        (lambda path: torch.save(torch.zeros(3), path), "no checkpoint of this version"),
        (lambda path: torch.save(nn.Linear(2, 2), path), "is damaged"),
        (lambda path: edited(path, format=1), "no checkpoint of this version"),
        (lambda path: edited(path, extra=1), "no checkpoint of this version"),
        (lambda path: edited(path, identity=None), "no checkpoint of this version"),
        (lambda path: edited(path, identity={}), "holds another run: model None, not lenet5_simple"),
        (other_weights, "does not fit this network"),
        (lambda path: edited(path, weights=None), "no checkpoint of this version"),
        (lambda path: edited(path, weights={}), "does not fit this network"),
        (other_optimizer, "does not fit this network"),
        (other_momentum, "does not fit this network"),
        (lambda path: edited(path, optimizer={}), "does not fit this network"),
        (lambda path: edited(path, history=[{"epoch": 7}]), "does not fit this network"),
        (lambda path: edited(path, history=None), "no checkpoint of this version"),
        (lambda path: edited(path, history=[{"epoch": e} for e in (1, 2, 3)]), "does not fit this network"),
        (lambda path: edited(path, threads="two"), "no checkpoint of this version"),
        (lambda path: edited(path, threads=True), "no checkpoint of this version"),
        (lambda path: edited(path, threads=0), "was made by 0 threads; expected 1 or more"),
        (lambda path: edited(path, threads=-1), "was made by -1 threads"),
        (lambda path: edited(path, threads=2**40), "threads; expected 1 or more"),
        (lambda path: edited(path, history=[{"epoch": 1}]), "does not fit this network: 'train_loss'"),
        (lambda path: edited(path, history=[1]), "does not fit this network"),
        (lambda path: edited(path, history=[]), "does not fit this run"),
        (lambda path: edited(path, history=[dict.fromkeys(checkpoints.ROW, torch.ones(1))]), "does not fit this run"),
        (lambda path: edited(path, stretches=[torch.ones(1)]), "does not fit this network"),
        (lambda path: edited(path, identity={"model": torch.ones(2)}), "holds another run: "),
        (lambda path: edited(path, identity={"model": "a\nb"}), "holds another run: "),
        (other_settings, "does not fit this network: its optimizer has other settings"),
        (no_momentum, "does not fit this network"),
        (lambda path: edited(path, weights={1: 2}), "does not fit this network"),
        (lambda path: edited(path, stretches=7), "no checkpoint of this version"),
    ],
)
def test_a_foreign_checkpoint_is_refused_in_one_line(tmp_path, capsys, change, message):
    run(tmp_path, epochs=2, stop_after=1)
    change(tmp_path / "checkpoint.pt")
    content = (tmp_path / "checkpoint.pt").read_bytes()
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 2, "--out", tmp_path, "--resume")
    assert message in line
    assert (tmp_path / "checkpoint.pt").read_bytes() == content


def test_layers_that_changed_since(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(models._BUILDERS, "varied", Varied)
    run(tmp_path, "varied", epochs=2, stop_after=1)

    class Wider(Varied):
        def __init__(self, num_classes=10, in_channels=1):
            super().__init__(num_classes, in_channels)
            self.hidden = nn.Linear(10, 10)

    monkeypatch.setitem(models._BUILDERS, "varied", Wider)
    line = refusal(capsys, "varied", "--data", "digits", "--epochs", 2, "--out", tmp_path, "--resume")
    assert "does not fit this network: " in line and "hidden.weight" in line


@pytest.mark.parametrize("lost", [False, True])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path, capsys, lost):
    unbroken = run(tmp_path / "unbroken")
    folder = tmp_path / "broken"
    run(folder, stop_after=3)
    capsys.readouterr()
    if lost:  # killed between the two renamings
        (folder / "checkpoint.pt").unlink()
    else:
        (folder / "checkpoint.pt").write_bytes(b"no checkpoint at all")
    resumed = run(folder, resume=True)
    said = "checkpoint.pt is damaged; going on from checkpoint.before.pt, after epoch 2"
    assert (said in capsys.readouterr().out) == (not lost)
    assert same(weights(folder), weights(tmp_path / "unbroken"))
    assert learned(resumed["epochs"]) == learned(unbroken["epochs"])


def test_after_a_damaged_checkpoint_the_good_one_is_not_lost(tmp_path, monkeypatch):
    """Whatever happens to the next one."""
    unbroken = run(tmp_path / "unbroken")
    folder = tmp_path / "broken"
    run(folder, stop_after=2)
    (folder / "checkpoint.pt").write_bytes(b"torn")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device: once that is mended"):
            run(folder, resume=True)
    assert learned(run(folder, resume=True)["epochs"]) == learned(unbroken["epochs"])
    assert same(weights(folder), weights(tmp_path / "unbroken"))


def test_files_of_the_users_own_stay(tmp_path):
    (tmp_path / ".thesis.pdf.part").write_text("precious")
    (tmp_path / ".folder.part").mkdir()
    (tmp_path / ".run.json.123.part").write_text("left by a killed run")
    run(tmp_path, epochs=1)
    assert {path.name for path in tmp_path.iterdir()} == (FILES - {"checkpoint.before.pt"}) | {
        ".thesis.pdf.part",
        ".folder.part",
    }


def test_other_images_of_the_same_name_are_another_run(tmp_path, capsys, monkeypatch):
    run(tmp_path, epochs=2, stop_after=1)

    def darker(name, split):
        dataset = few(name, split)
        return replace(dataset, images=dataset.images // 2)

    monkeypatch.setattr(datasets, "load", darker)
    line = refusal(capsys, "lenet5_simple", "--data", "digits", "--epochs", 2, "--out", tmp_path, "--resume")
    assert re.search(r"holds another run: images \(CRC-32\) \d+, not \d+", line)


def test_what_is_kept_is_what_was_saved(tmp_path, monkeypatch):
    """Ctrl-C while a checkpoint is written; and a kill between the checkpoint and the record."""
    real = checkpoints.save

    def interrupted(folder, run, *given):
        if len(run.history) == 2:
            raise KeyboardInterrupt
        real(folder, run, *given)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", interrupted)
        with pytest.raises(KeyboardInterrupt, match="interrupted after epoch 1 of 4"):
            run(tmp_path)
    (tmp_path / "run.json").unlink()
    run(tmp_path, stop_after=1, resume=True)
    assert len(json.loads((tmp_path / "run.json").read_text())["epochs"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ["lenet5"]}, "model is \\['lenet5'\\]; expected a str"),
        ({"data": 3}, "data is 3; expected a str"),
        ({"recipe": None}, "recipe is None; expected a str"),
        ({"settings": ["epochs=1"]}, "settings is .*; expected a dict"),
        ({"model_options": "x"}, "model_options is 'x'; expected a dict"),
        ({"model_options": {"num_classes": 3}}, "lenet5_simple has no option 'num_classes'"),
        ({"model_options": {1: 2}}, "lenet5_simple has no option 1"),
        ({"stop_after": "1"}, "stop_after is '1'; expected a int"),
        ({"resume": "no"}, "resume is 'no'; expected a bool"),
        ({"out": 3}, "out is 3; expected a str"),
        ({"settings": {"shift": 3000}}, "shift is 3000; for images of digits expected at most 16 pixels"),
        ({"settings": {"shift": 10**30}}, "expected at most 16 pixels"),
    ],
)
def test_arguments_of_another_kind(tmp_path, options, message):
    given = {"model": "lenet5_simple", "data": "digits", "out": tmp_path / "run"} | options
    with pytest.raises(ValueError, match=message):
        training.train(given.pop("model"), given.pop("data"), **given)
    assert not (tmp_path / "run").exists()


def train_without(streams, folder):
    """What a process does whose streams were closed (2>&-), and which can write ASCII only to the others."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if name in streams:
            os.close(number)  # of the files that it opens, the first gets this number
            setattr(sys, name, None)
        else:
            getattr(sys, name).reconfigure(encoding="ascii")
    make_small()
    sys.exit(main(["train", "lenet5_simple", "--data", "digits", "--set", "epochs=1", "--out", str(folder)]))


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="POSIX only")
@pytest.mark.parametrize("streams", [("stderr",), ("stdout",), ("stderr", "stdout")], ids="-".join)
def test_streams_that_are_closed(tmp_path, streams):
    context, folder = multiprocessing.get_context("forkserver"), tmp_path / "π\nrun"
    context.set_forkserver_preload(["course_utils.training", "sklearn.datasets", "torch._dynamo"])
    process = context.Process(target=train_without, args=(streams, folder))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert (folder / "model.safetensors").exists()


def test_a_run_goes_on_with_as_many_threads_and_says_where_it_ran(tmp_path, monkeypatch):
    threads, used = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        run(tmp_path, stop_after=1)
        torch.set_num_threads(1)
        monkeypatch.setattr(Batches, "epoch", recorded_threads(Batches.epoch, used))
        record = run(tmp_path, resume=True)
    finally:
        torch.set_num_threads(threads)
    assert used == [2, 2, 2]
    assert [part["first_epoch"] for part in record["stretches"]] == [1, 2]
    assert all("2 threads" in part["hardware"] and part["versions"]["torch"] for part in record["stretches"])


def recorded_threads(real, used):
    def epoch(self, number, rank=0, world=1):
        used.append(torch.get_num_threads())
        return real(self, number, rank, world)

    return epoch


# ---- Records


def test_records_are_loaded_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RUNS", tmp_path)
    for name in ("net-b", "net-a", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name}))
    assert [record["name"] for record in training.load_runs("net-*")] == ["net-a", "net-b"]
    monkeypatch.setattr(records, "RUNS", tmp_path / "nowhere")
    assert training.load_runs("*") == []
