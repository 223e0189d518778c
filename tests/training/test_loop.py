"""The loop: determined by its seeds, honest in its history, and what it refuses."""

import os
import re
from dataclasses import replace

import pytest
import torch
from runs import REAL_LOAD, SHORT, learned, net, same
from torch import nn

from course_utils import datasets, evaluation, machine, training
from course_utils.training import Recipe, Run, graphs

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
    last = evaluation.evaluate(model, sets[1])
    assert (history[-1]["validation_loss"], history[-1]["validation_accuracy"]) == (last["loss"], last["accuracy"])
    assert all(row["images_per_second"] > 0 and row["seconds"] > 0 for row in history)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_history_has_loss_and_accuracy_of_the_batches_as_they_came(sets, smoothing):
    """At a learning rate of next to nothing these are the model's own on the training split."""
    model = net()
    logits, labels = evaluation.predict(model, sets[0]), sets[0].labels
    recipe = Recipe(epochs=1, batch_size=50, learning_rate=1e-9, label_smoothing=smoothing)
    (row,) = training.fit(model, *sets, recipe, quiet=True)
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing).item()
    assert row["train_loss"] == pytest.approx(loss, rel=1e-5)
    assert row["train_accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())


def test_evaluate_against_plain_torch(sets):
    train, _ = sets
    model = net()
    x = torch.zeros(100, 1, 32, 32)
    x[:] = (train.images / 255 - train.mean[0]) / train.std[0]
    with torch.no_grad():
        logits = model.eval()(x)
    measured = evaluation.evaluate(model, train)
    assert measured["loss"] == pytest.approx(nn.functional.cross_entropy(logits, train.labels).item(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((logits.argmax(1) == train.labels).float().mean().item())
    torch.testing.assert_close(evaluation.predict(model, train), logits, rtol=1e-4, atol=1e-4)


def test_digits_are_learned_quickly(monkeypatch):
    monkeypatch.setattr(datasets, "load", REAL_LOAD)
    train, validation = (datasets.load("digits", split) for split in ("train", "validation"))
    history = training.fit(
        net(), train, validation, training.recipe_for("quick", "digits", "lenet5_simple"), quiet=True
    )
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
    refused(r"digits are 100 x 32 x 32; expected N x C x H x W", images=train.images[:, 0])
    refused(r"100 x 1 x 32 x 32 with 99 labels", labels=train.labels[1:])
    refused(r"are 40 x 40; the model takes 32 x 32", images=torch.zeros(100, 1, 40, 40, dtype=torch.uint8))
    colour = {"images": train.images.expand(-1, 3, -1, -1), "mean": train.mean * 3, "std": train.std * 3}
    refused(
        r"cannot take images of 3 x 32 x 32 \(digits\): the images are 2 x 3 x 32 x 32; LeNet takes N x 1 x", **colour
    )
    for name, images in (("validation images", validation.images[:0]), ("train images", train.images[:0])):
        sets = [train, validation] if "validation" in name else [validation, train]
        sets[name.startswith("v")] = replace(sets[name.startswith("v")], images=images, labels=train.labels[:0])
        with pytest.raises(ValueError, match="0 x 1 x 32 x 32; expected N x C x H x W, none of them 0"):
            training.fit(net(), *sets, SHORT, quiet=True)


def test_validation_that_does_not_fit_is_refused_before_the_first_step(sets, monkeypatch):
    train, validation = sets
    monkeypatch.setattr(Run, "epoch", lambda self, bar: pytest.fail("a whole epoch was trained first"))
    more = replace(validation, labels=validation.labels + 5, classes=tuple("0123456789abcde"))
    colour = {"images": validation.images.expand(-1, 3, -1, -1), "mean": (0.3,) * 3, "std": (0.4,) * 3}
    for wrong, message in [
        (more, r"the model makes \(2, 10\) of 2 images \(digits\); labels go to 14, so expected \(2, 15\)"),
        (replace(validation, **colour), "cannot take images of 3 x 32 x 32"),
        (replace(validation, images=validation.images[:, :, :, :31]), "cannot take images"),
        (
            replace(validation, labels=validation.labels.float()),
            "the labels of the validation .* are float32",
        ),
    ]:
        model = nn.Sequential(*net()) if wrong.images.shape[3] == 31 else net()  # of no size, or of 32 x 32
        with pytest.raises(ValueError, match=message):
            training.fit(model, train, wrong, SHORT, quiet=True)
        with pytest.raises(ValueError, match=message):
            evaluation.evaluate(model, wrong)


class Pair(nn.Module):
    """Returns two tensors, as a network with auxiliary heads does."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        return self.net(x), self.net(x)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Flatten, "Flatten has no parameters to train"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(1024, 10).requires_grad_(False)), "no parameters to train"),
        (Pair, r"returns a tuple for images of 1 x 32 x 32 \(digits\); expected a tensor N x classes"),
        (lambda: nn.Conv2d(1, 10, 3), r"the model makes \(2, 10, 30, 30\) of 2 images"),
        (lambda: nn.Linear(31, 10), "cannot take images of 1 x 32 x 32"),
        (lambda: nn.Sequential(nn.Flatten(0), nn.Linear(2048, 10)), r"makes \(10,\) of 2 images"),
    ],
)
def test_models_that_cannot_learn_from_these_images(sets, model, message):
    with pytest.raises(ValueError, match=message) as refusal:
        training.fit(model(), *sets, SHORT, quiet=True)
    assert "\n" not in str(refusal.value)


def test_a_batch_of_one_with_batch_norm(sets):
    one = replace(SHORT, batch_size=1, epochs=1)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(1024, 4), nn.BatchNorm1d(4), nn.Linear(4, 10))
    before = {name: value.clone() for name, value in flat.state_dict().items()}
    with pytest.raises(ValueError, match=r"batch_size is 1, too few for .* batch norm: take at least 2"):
        training.fit(flat, *sets, one, quiet=True)
    assert same(flat.state_dict(), before)
    in_space = nn.Sequential(nn.Conv2d(1, 2, 5, stride=4), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(98, 10))
    training.fit(in_space, *sets, one, quiet=True)


def test_precision_by_capability(monkeypatch):
    cpu, cuda, mps = (torch.device(name) for name in ("cpu", "cuda", "mps"))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert os.environ["COURSE_PROFILE"] == "quick"
    assert machine.pick_precision(None, cpu) == "float32"  # in the profile quick, on every machine
    monkeypatch.setenv("COURSE_PROFILE", "full")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "avx2": True}, raising=False)
    assert machine.pick_precision(None, cpu) == "float32"
    assert machine.pick_precision("bfloat16", cpu) == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "avx512_bf16": True})
    assert machine.pick_precision(None, cpu) == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert machine.pick_precision(None, cpu) == "bfloat16"
    assert machine.pick_precision("float32", cpu) == "float32"
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # before torch 2.13
    assert machine.pick_precision(None, cpu) == "float32"
    for there, wanted in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        supported = lambda including_emulation=True, there=there: including_emulation or there  # noqa: E731
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        assert machine.pick_precision(None, cuda) == wanted
    assert machine.pick_precision(None, mps) == "float32"
    for wrong in ("float16", "bf16", "", "double", 32):
        with pytest.raises(ValueError, match=f"precision is {wrong!r}; it takes float32, bfloat16 or float64"):
            machine.pick_precision(wrong, cpu)


def test_bfloat16_is_what_it_says(sets):
    seen = []
    model = net()
    model.c1.register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    history = training.fit(model, *sets, replace(SHORT, epochs=1), precision="bfloat16", quiet=True)
    assert seen.count(torch.bfloat16) >= 4
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert torch.isfinite(torch.tensor(history[0]["train_loss"]))
    assert evaluation.predict(model, sets[1], precision="bfloat16").dtype == torch.float32


def test_devices_are_counted_by_kind(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(machine.pick_device(name)) for name in (None, "cuda:1", "cpu")] == ["cuda", "cuda:1", "cpu"]
    for name in ("cuda:2", "cpu:1"):
        with pytest.raises(ValueError, match=f"device '{name}' is not on this machine; it has cuda, .*cpu"):
            machine.pick_device(name)


def test_wrong_arguments(sets):
    with pytest.raises(ValueError, match="batch_size is 101; for 100 images expected 1 to 100"):
        training.fit(net(), *sets, replace(SHORT, batch_size=101), quiet=True)
    for seed in (-1, 2**32, 1.5, True, None):
        with pytest.raises(ValueError, match=f"seed is {seed}; expected a whole number from 0 to 4294967295"):
            training.fit(net(), *sets, SHORT, seed=seed, quiet=True)
    machine.check_seed(2**32 - 1)  # the largest that there is
    for device in ("tpu", "meta", "cpu:1"):
        with pytest.raises(ValueError, match=f"device '{device}' is not on this machine; it has .*cpu"):
            training.fit(net(), *sets, SHORT, device=device, quiet=True)
    with pytest.raises(ValueError, match=r"the model makes \(2, 5\) of 2 images \(digits\); labels go to 9"):
        training.fit(net(num_classes=5), *sets, SHORT, quiet=True)


@pytest.mark.parametrize("recipe", [None, {"epochs": 3}, 4, ["quick"], "quick"])
def test_a_recipe_of_another_kind(sets, recipe):
    said = re.escape(f"recipe is {recipe!r}; expected a Recipe: recipe_for(name, data, model) gives one")
    with pytest.raises(ValueError, match=said):
        training.fit(net(), *sets, recipe, quiet=True)


def test_arguments_of_another_kind(sets):
    train, validation = sets
    for given, message in [
        ((nn.Linear, train, validation), "model is Linear; expected a Module"),
        ((net(), (train.images, train.labels), validation), r"train is \(tensor.*; expected a Dataset"),
        ((net(), train, None), "validation is None; expected a Dataset"),
    ]:
        with pytest.raises(ValueError, match=message):
            training.fit(*given, SHORT, quiet=True)


def test_divergence_names_the_place_and_a_remedy(sets):
    wild = replace(SHORT, learning_rate=1e6)
    with pytest.raises(
        training.Diverged, match=r"epoch 1, batch \d of 3, learning rate .*: take a lower learning rate"
    ):
        training.fit(net(), *sets, wild, quiet=True)


class Bomb(nn.Module):
    """Its loss turns infinite at one training step, and is NaN from then on."""

    input_size = 32

    def __init__(self, step):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(10))
        self.left = step

    def forward(self, x):
        self.left -= self.training
        logits = self.bias - 1e3 * torch.eye(10)[torch.arange(len(x)) % 10] if self.left < 0 else self.bias
        return logits.expand(len(x), 10) * (float("inf") if self.left < -1 else 1) - (1e39 if self.left < 0 else 0)


@pytest.mark.parametrize("step", [0, 19, 20, 21, 55, 99])
def test_divergence_names_the_first_bad_batch(sets, step):
    """Also where the loop looks at the losses some steps later."""
    recipe = replace(SHORT, epochs=2, batch_size=1)
    rate = training.learning_rate(recipe, step, 200)
    place = f"at epoch 1, batch {step + 1} of 100, learning rate {rate:.3g}: "
    with pytest.raises(training.Diverged, match=place):
        training.fit(Bomb(step), *sets, recipe, quiet=True)


def test_divergence_that_shows_in_validation_only(sets, monkeypatch):
    monkeypatch.setattr(evaluation, "measure", lambda logits, labels: {"loss": float("nan"), "accuracy": 0.1})
    with pytest.raises(training.Diverged, match="the validation loss is nan after epoch 1: take a lower learning rate"):
        training.fit(net(), *sets, SHORT, quiet=True)


# ---- CUDA graphs


def test_a_graph_is_captured_and_released_and_the_model_is_as_it_was(monkeypatch):
    """The real one runs the model three times, which moves batch norm's averages."""
    taken = []

    def make_graphed_callables(model, arguments):
        taken.append((model.training, arguments[0].shape, torch.is_autocast_cache_enabled()))
        model(*arguments)
        model.forward = None

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make_graphed_callables)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    graphs.capture(model.eval(), torch.rand(4, 1, 8, 8), "float32")
    assert taken == [(True, (4, 1, 8, 8), False)] and same(before, model.state_dict())
    graphs.release(model)
    assert model(torch.rand(3, 1, 8, 8)).shape == (3, 2, 6, 6)


def test_there_is_no_graph_on_a_cpu(sets, monkeypatch):
    """And a `forward` of the model's own stays."""
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", None)
    model = net()
    own = model.forward = model.forward
    training.fit(model, *sets, SHORT, quiet=True, device="cpu", cuda_graph=True)
    assert model.forward is own


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is in sight")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_computes_the_same(sets, precision):
    """At a rate at which rounding stays rounding: sums on a GPU come out in another order each time.

    The tests hide GPUs from themselves; on a machine that has one: pytest -o addopts= -k graph, on this file.
    """
    recipe, histories = replace(SHORT, learning_rate=0.005), []
    for cuda_graph in (False, True):
        machine.seed_everything(0)
        model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Dropout(), nn.LazyLinear(10))
        model(torch.zeros(2, *sets[0].images.shape[1:]))
        how = {"device": "cuda", "precision": precision, "cuda_graph": cuda_graph, "quiet": True}
        histories.append([row["train_loss"] for row in training.fit(model, *sets, recipe, **how)])
        assert model.train()(sets[0].images[:3].float().cuda()).shape == (3, 10)  # another batch size, afterwards
    assert histories[1] == pytest.approx(histories[0], abs=1e-4)
