"""Training: recipes, augmentation, what is refused, and above all that a run broken off ends as one unbroken."""

import errno
import itertools
import json
import multiprocessing
import os
import pickle
import signal
import statistics
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from course_utils import datasets, models, training
from course_utils.__main__ import main
from course_utils.training import Recipe

RUNS = Path(__file__).resolve().parents[2] / "data" / "runs"
REAL_LOAD = datasets.load
SHORT = Recipe(epochs=4, batch_size=32, learning_rate=0.05, shift=1)


def few(name, split):
    """The first 100 images of a split of `digits`, whatever the name."""
    dataset = REAL_LOAD("digits", split)
    return replace(dataset, name=name, images=dataset.images[:100], labels=dataset.labels[:100])


@pytest.fixture
def sets():
    return few("digits", "train"), few("digits", "validation")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """`train` sees 100 images a split, and any name will do."""
    monkeypatch.setattr(datasets, "load", few)
    monkeypatch.setattr(training, "tqdm", Silent)


class Silent(training.tqdm):
    def __init__(self, *args, **options):
        super().__init__(*args, **(options | {"disable": True}))


def net(seed=0, **options):
    torch.manual_seed(seed)
    return models.build("lenet5_simple", **options)


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def learned(history):
    """A history without its times."""
    return [{key: row[key] for key in row if key not in ("seconds", "images_per_second")} for row in history]


def run(folder, model="lenet5_simple", data="digits", **options):
    return training.train(model, data, **({"epochs": 4} | options), out=folder)


# ---- Recipes and schedule


@pytest.mark.parametrize("recipe", [SHORT, replace(SHORT, warmup=0.0), replace(SHORT, warmup=0.9, epochs=1)])
@pytest.mark.parametrize("steps", [1, 2, 7, 400])
def test_schedule_has_no_jump(recipe, steps):
    rates = [training.learning_rate(recipe, step, steps) for step in range(steps)]
    assert all(0 < rate <= recipe.learning_rate for rate in rates)
    if steps == 400:
        assert max(rates) > 0.99 * recipe.learning_rate
        slopes = [abs(b - a) for a, b in itertools.pairwise(rates)]
        shorter = min(part for part in (recipe.warmup, 1 - recipe.warmup) if part)
        assert max(slopes) < 1.01 * recipe.learning_rate / (shorter * steps)
        assert rates[-1] < 0.03 * recipe.learning_rate


def test_schedule_at_its_corners():
    recipe = Recipe(epochs=1, learning_rate=0.3, warmup=0.25)
    rates = [training.learning_rate(recipe, step, 400) for step in (0, 99, 100, 250, 399)]
    assert rates == pytest.approx([0.3 / 101, 0.3 * 100 / 101, 0.3, 0.15, 0.001])


def test_recipes_suit_their_data():
    assert training.recipe_for("quick", "digits") != training.recipe_for("full", "digits")
    for budget in training.RECIPES:
        for digits in ("digits", "mnist"):
            assert not training.recipe_for(budget, digits).flip
    with pytest.raises(ValueError, match="'slow'; there are quick, full"):
        training.recipe_for("slow", "digits")


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"batch_size": 0},
        {"batch_size": True},
        {"shift": -1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"warmup": 1},
        {"warmup": -0.1},
        {"momentum": -0.1},
        {"momentum": 1},
        {"label_smoothing": 1},
        {"label_smoothing": -0.1},
        {"weight_decay": -1e-4},
        {"weight_decay": float("inf")},
    ],
)
def test_recipes_that_make_no_sense(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} is"):
        replace(SHORT, **change)


def test_weight_decay_spares_biases_and_norms():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), models.build("lenet5").s2)
    decayed, spared = training._optimizer(model, SHORT).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 1, 3, 3)]
    assert decayed["weight_decay"] == SHORT.weight_decay
    assert len(spared["params"]) == 5
    assert spared["weight_decay"] == 0


# ---- Pictures


def test_batches_are_padded_shifted_flipped_normalized():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (5, 2, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.arange(5)
    dataset = datasets.Dataset("random", "train", images, labels, tuple("01234"), (0.4, 0.5), (0.2, 0.3))
    pictures = training.Pictures(dataset, net(in_channels=2), torch.device("cpu"), shift=2)
    chosen = torch.tensor([3, 0, 3])

    def expected(i, top, left, flip):
        """One image, by hand: 28 x 28 in the middle of 36 x 36, of which a window of 32 x 32 is cut out."""
        field = torch.zeros(2, 36, 36)
        field[:, 4:32, 4:32] = images[i] / 255
        window = field[:, top : top + 32, left : left + 32]
        mean, std = torch.tensor([0.4, 0.5]).view(2, 1, 1), torch.tensor([0.2, 0.3]).view(2, 1, 1)
        return ((window.flip(2) if flip else window) - mean) / std

    batch, got = pictures.batch(chosen)
    assert torch.equal(got, chosen)
    torch.testing.assert_close(batch, torch.stack([expected(int(i), 2, 2, False) for i in chosen]))

    shifts, flips = torch.tensor([[0, 4], [3, 1], [2, 2]]), torch.tensor([True, False, True])
    batch, _ = pictures.batch(chosen, shifts, flips)
    by_hand = [expected(3, 0, 4, True), expected(0, 3, 1, False), expected(3, 2, 2, True)]
    torch.testing.assert_close(batch, torch.stack(by_hand))


def test_images_of_any_size_stand_in_the_middle_or_as_they_are():
    images = torch.randint(1, 256, (3, 1, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    dataset = datasets.Dataset("random", "train", images, torch.arange(3), tuple("012"), (0.0,), (1.0,))
    model = nn.Identity()
    batch, _ = training.Pictures(dataset, model, torch.device("cpu"), shift=1).batch(torch.arange(3))
    torch.testing.assert_close(batch, images / 255)
    model.input_size = 8
    batch, _ = training.Pictures(dataset, model, torch.device("cpu")).batch(torch.arange(3))
    torch.testing.assert_close(batch, nn.functional.pad(images / 255, (0, 1, 1, 2)))  # the odd one right and below


def test_an_epoch_sees_each_image_once_and_shifts_both_ways(sets):
    run = training.Run(net(), *sets, replace(SHORT, batch_size=20, shift=2), 0, torch.device("cpu"))
    plan = list(run._plan(0))
    assert sorted(torch.cat([chosen for chosen, _, _ in plan]).tolist()) == list(range(100))
    shifts = torch.cat([shift for _, shift, _ in plan])
    assert {tuple(pair) for pair in shifts.tolist()} <= {(i, j) for i in range(5) for j in range(5)}
    assert set(shifts.flatten().tolist()) == {0, 1, 2, 3, 4}
    assert not torch.cat([flip for _, _, flip in plan]).any()
    other = torch.cat([chosen for chosen, _, _ in run._plan(1)])
    assert not torch.equal(other, torch.cat([chosen for chosen, _, _ in plan]))


def test_every_other_image_is_flipped_where_the_recipe_says_so(sets):
    run = training.Run(net(), *sets, replace(SHORT, batch_size=20, flip=True), 0, torch.device("cpu"))
    flips = torch.cat([flips for epoch in range(10) for _, _, flips in run._plan(epoch)])
    assert flips.double().mean().item() == pytest.approx(0.5, abs=0.08)  # of 1000: five deviations


def test_float_images_are_taken_as_they_are(sets):
    as_bytes, _ = sets
    as_floats = replace(as_bytes, images=as_bytes.images / 255)
    model = net().eval()
    torch.testing.assert_close(
        training.predict(model, as_floats), training.predict(model, as_bytes), rtol=1e-4, atol=1e-4
    )


# ---- fit and evaluate


def test_fit_is_determined_by_its_seeds(sets):
    histories, states = [], []
    for seed in (0, 0, 1):
        model = net()
        histories.append(learned(training.fit(model, *sets, SHORT, seed=seed, quiet=True)))
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    assert histories[0] == histories[1]
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


def test_fit_leaves_the_callers_generator_alone(sets):
    model = nn.Sequential(net(), nn.Dropout(0.5))
    model.input_size = 32
    before = torch.get_rng_state()
    training.fit(model, *sets, SHORT, quiet=True)
    assert torch.equal(before, torch.get_rng_state())


def test_validation_images_teach_nothing(sets):
    train, validation = sets
    first, second = net(), net()
    training.fit(first, train, validation, SHORT, quiet=True)
    training.fit(second, train, replace(validation, images=255 - validation.images), SHORT, quiet=True)
    assert same(first.state_dict(), second.state_dict())


def test_history(sets):
    model = net()
    history = training.fit(model, *sets, SHORT, quiet=True)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert not model.training
    last = training.evaluate(model, sets[1])
    assert (history[-1]["validation_loss"], history[-1]["validation_accuracy"]) == (last["loss"], last["accuracy"])
    assert all(row["images_per_second"] > 0 and row["seconds"] > 0 for row in history)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_history_has_loss_and_accuracy_of_the_batches_as_they_came(sets, smoothing):
    """At a learning rate of next to nothing these are the model's own on the training split."""
    model = net()
    logits, labels = training.predict(model, sets[0]), sets[0].labels
    recipe = Recipe(epochs=1, batch_size=50, learning_rate=1e-9, label_smoothing=smoothing)
    (row,) = training.fit(model, *sets, recipe, quiet=True)
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing).item()
    assert row["train_loss"] == pytest.approx(loss, rel=1e-5)
    assert row["train_accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())


def test_fit_takes_the_word_for_a_recipe(sets, monkeypatch):
    monkeypatch.setitem(training.RECIPES["quick"], "digits", SHORT)
    by_word = training.fit(net(), *sets, "quick", quiet=True)
    assert learned(by_word) == learned(training.fit(net(), *sets, SHORT, quiet=True))


def test_evaluate_against_plain_torch(sets):
    train, _ = sets
    model = net()
    x = torch.zeros(100, 1, 32, 32)
    x[:] = (train.images / 255 - train.mean[0]) / train.std[0]
    with torch.no_grad():
        logits = model.eval()(x)
    measured = training.evaluate(model, train)
    assert measured["loss"] == pytest.approx(nn.functional.cross_entropy(logits, train.labels).item(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((logits.argmax(1) == train.labels).float().mean().item())
    torch.testing.assert_close(training.predict(model, train), logits, rtol=1e-4, atol=1e-4)


def test_digits_are_learned_quickly(monkeypatch):
    monkeypatch.setattr(datasets, "load", REAL_LOAD)
    train, validation = (datasets.load("digits", split) for split in ("train", "validation"))
    history = training.fit(net(), train, validation, "quick", quiet=True)
    assert history[-1]["validation_accuracy"] > 0.95


# ---- What is refused


def spoiled(dataset, value):
    images = dataset.images.float()
    images[17, 0, 3, 4] = value
    return replace(dataset, images=images)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("which", [0, 1])
def test_nan_in_images(sets, value, which):
    sets = list(sets)
    sets[which] = spoiled(sets[which], value)
    with pytest.raises(ValueError, match=r"digits hold NaN or infinity: 1 of 100, the first is number 17"):
        training.fit(net(), *sets, SHORT, quiet=True)


def test_wrong_data(sets):
    train, validation = sets

    def refused(message, **changes):
        with pytest.raises(ValueError, match=message):
            training.fit(net(), replace(train, **changes), validation, SHORT, quiet=True)

    refused(r"labels 0 to 10; there are 10 classes", labels=train.labels + (train.labels == 9))
    refused(r"\(100, 32, 32\) with 100 labels; expected N x C x H x W", images=train.images[:, 0])
    refused(r"\(100, 1, 32, 32\) with 99 labels", labels=train.labels[1:])
    refused(r"are 40 x 40; the model takes 32 x 32", images=torch.zeros(100, 1, 40, 40, dtype=torch.uint8))
    refused(r"cannot take images of \(3, 32, 32\)", images=train.images.expand(-1, 3, -1, -1))


def test_devices_are_counted_by_kind(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(training.pick_device(name)) for name in (None, "cuda:1", "cpu")] == ["cuda", "cuda:1", "cpu"]
    for name in ("cuda:2", "cpu:1"):
        with pytest.raises(ValueError, match=f"device '{name}' is not on this machine; it has cuda, .*cpu"):
            training.pick_device(name)


def test_wrong_arguments(sets):
    with pytest.raises(ValueError, match="batch_size is 101; for 100 images expected 1 to 100"):
        training.fit(net(), *sets, replace(SHORT, batch_size=101), quiet=True)
    for seed in (-1, 2**32, 1.5, True, None):
        with pytest.raises(ValueError, match=f"seed is {seed}; expected a whole number from 0 to 4294967295"):
            training.fit(net(), *sets, SHORT, seed=seed, quiet=True)
    training._refuse_bad_seed(2**32 - 1)  # the largest that there is
    for device in ("tpu", "meta", "cpu:1"):
        with pytest.raises(ValueError, match=f"device '{device}' is not on this machine; it has .*cpu"):
            training.fit(net(), *sets, SHORT, device=device, quiet=True)
    with pytest.raises(ValueError, match=r"the model makes \(1, 5\) of one image; labels go to 9"):
        training.fit(net(num_classes=5), *sets, SHORT, quiet=True)


def test_divergence_names_the_place_and_a_remedy(sets):
    wild = replace(SHORT, learning_rate=1e6)
    with pytest.raises(
        training.Diverged, match=r"epoch 1, batch \d of 3, learning rate .*: take a lower learning rate"
    ):
        training.fit(net(), *sets, wild, quiet=True)


def test_divergence_names_the_first_bad_batch(sets):
    run = training.Run(net(), *sets, SHORT, 0, torch.device("cpu"))
    rate = training.learning_rate(SHORT, 2 * 3 + 1, 4 * 3)
    with pytest.raises(training.Diverged, match=f"loss is inf at epoch 3, batch 2 of 3, learning rate {rate:.3g}: "):
        run._refuse_divergence([torch.tensor(loss) for loss in (1.0, float("inf"), float("nan"))], 2)


def test_divergence_that_shows_in_validation_only(sets, monkeypatch):
    monkeypatch.setattr(training, "_measure", lambda logits, labels: {"loss": float("nan"), "accuracy": 0.1})
    with pytest.raises(training.Diverged, match="the validation loss is nan after epoch 1: take a lower learning rate"):
        training.fit(net(), *sets, SHORT, quiet=True)


def refusal(capsys, *arguments):
    """The one line with which the command line refuses."""
    assert main(["train", *map(str, arguments)]) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("course_utils: ")
    assert "\n" not in line
    return line


def test_the_command_line_refuses_in_one_line(capsys, tmp_path, monkeypatch):
    ordinary = ["lenet5_simple", "--data", "digits", "--out", tmp_path / "run"]
    assert "no model is called 'lenet7'" in refusal(capsys, "lenet7", *ordinary[1:])
    assert "no recipe is called 'long'" in refusal(capsys, *ordinary, "--recipe", "long")
    assert "epochs is 0" in refusal(capsys, *ordinary, "--epochs", 0)
    assert "stop_after is 5; expected 1 to 4" in refusal(capsys, *ordinary, "--epochs", 4, "--stop-after", 5)
    assert "stop_after is 0; expected 1 to 4" in refusal(capsys, *ordinary, "--epochs", 4, "--stop-after", 0)
    assert "batch_size is 4096" in refusal(capsys, *ordinary, "--batch-size", 4096)
    assert "seed is -2" in refusal(capsys, *ordinary, "--seed", -2)
    assert "device 'gpu'" in refusal(capsys, *ordinary, "--device", "gpu")
    monkeypatch.setitem(training.RECIPES["quick"], "digits", replace(SHORT, learning_rate=1e6))
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
    assert {path.name for path in folder.iterdir()} == {"run.json", "checkpoint.pt", "model.safetensors"}
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
    assert str(tmp_path) not in text
    model = models.build("lenet5_simple")
    model.load_state_dict(weights(folder))
    test = training.evaluate(model, few("digits", "test"))
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
    monkeypatch.setattr(training, "learning_rate", lambda *given: rates.append(real(*given)) or rates[-1])
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

    real_batch, real_write, real_replace = training.Pictures.batch, training._write, os.replace

    def batch(*given):
        if event == "batch" and now():
            die()
        return real_batch(*given)

    def write(path, content):
        if event == "half a file" and now():
            path.with_name(path.name + ".part").write_bytes(content[: len(content) // 2])
            die()
        real_write(path, content)

    def rename(*given):
        last = event in ("before the name", "after the name") and now()
        if last and event == "before the name":
            die()
        real_replace(*given)
        if last:
            die()

    datasets.load, training.tqdm = few, Silent
    training.Pictures.batch, training._write, os.replace = batch, write, rename
    run(folder)


# An epoch takes 3 batches, 1 more to look at the validation split, and writes 2 files; the end writes 2 more.
MOMENTS = [
    ("batch", 3),  # before there is any checkpoint
    ("batch", 8),
    ("half a file", 1),
    ("half a file", 5),
    ("before the name", 3),
    ("after the name", 3),  # a checkpoint newer than run.json
    ("after the name", 8),  # all epochs done, no weights written
    ("half a file", 10),
]


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="Windows has no SIGKILL")
def test_a_killed_run_ends_as_one_unbroken(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["course_utils.training", "sklearn.datasets"])
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
        assert not list((tmp_path / str(i)).glob("*.part"))


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
    ]:
        assert message in refusal(capsys, "lenet5_simple", *arguments, option, value, "--resume")
    monkeypatch.setitem(training.RECIPES["quick"], "digits", replace(training.recipe_for("quick", "digits"), shift=3))
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


def flipped(content):
    """One bit changed in the middle of the weights."""
    return content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"no checkpoint at all",
        lambda content: pickle.dumps({"weights": 1}),
    ],
    ids=["a bit flipped", "empty", "a byte short", "half", "text", "pickle"],
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
    assert not list(tmp_path.glob("*.part"))
    assert "test_accuracy" in run(tmp_path, resume=True)


# ---- The recorded runs


@pytest.mark.parametrize(
    ("model", "data", "least"),
    [("lenet5_simple", "fashion-mnist", 0.905), ("lenet5", "fashion-mnist", 0.89)],
)
def test_recorded_runs(model, data, least):
    records = [json.loads((RUNS / f"{model}-{data}-seed{seed}.json").read_text()) for seed in range(3)]
    for seed, record in enumerate(records):
        assert [record[key] for key in ("model", "data", "recipe", "seed")] == [model, data, "full", seed]
        assert record["recipe_values"] == asdict(training.recipe_for("full", data))
        assert len(record["epochs"]) == record["recipe_values"]["epochs"]
        assert record["parameters"] == {"lenet5": 60000, "lenet5_simple": 61706}[model]
    assert statistics.mean(record["test_accuracy"] for record in records) >= least
