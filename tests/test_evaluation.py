"""Evaluation: the outputs of plain torch, loss and accuracy of them, and what is refused."""

import pytest
import torch
from runs import few, net
from torch import nn
from torch.nn import functional as F

from course_utils import datasets, evaluation, models


def test_measure_is_cross_entropy_and_the_share_of_right_answers():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0], [0.0, 0.5]])
    labels = torch.tensor([0, 1, 1, 1])
    by_hand = sum(torch.log(row.exp().sum()) - row[label] for row, label in zip(logits, labels, strict=True)) / 4
    measured = evaluation.measure(logits, labels)
    assert measured["loss"] == pytest.approx(by_hand.item(), rel=1e-6)
    assert measured["accuracy"] == 0.75


def test_predict_leaves_model_and_generator_as_they_were():
    dataset = few("digits", "test")
    model = nn.Sequential(net(), nn.Dropout(0.5), nn.BatchNorm1d(10))
    model.input_size = 32
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    logits = evaluation.predict(model.train(), dataset)
    assert not model.training and not logits.requires_grad
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    x = (dataset.images / 255 - dataset.mean[0]) / dataset.std[0]
    torch.testing.assert_close(logits, model(x).detach(), rtol=1e-4, atol=1e-4)


def test_accuracy_is_a_share_of_all_images_also_with_a_last_batch_that_is_smaller():
    dataset = few("digits", "test")
    model = net()
    logits = evaluation.predict(model, dataset)
    measured = evaluation.evaluate(model, dataset)
    assert measured["accuracy"] == (logits.argmax(1) == dataset.labels).sum().item() / 100
    assert measured["loss"] == pytest.approx(F.cross_entropy(logits, dataset.labels).item())


class Corner(nn.Module):
    """Two outputs: the upper left pixel, and the mean of the image's left half."""

    def forward(self, x):
        return torch.stack([x[:, 0, 0, 0], x[:, 0, :, : x.shape[3] // 2].mean((1, 2))], 1)


def test_test_time_augmentation_by_hand():
    x = torch.arange(2 * 16.0).view(2, 1, 4, 4)
    model = Corner()

    def flip(image):
        return (model(image) + model(image.flip(3))) / 2

    assert torch.equal(evaluation.look(model, x, "none"), model(x))
    assert torch.equal(evaluation.look(model, x, "flip"), flip(x))
    down = x[:, :, [1, 0, 1, 2]][:, :, :, [1, 0, 1, 2]]  # what was row 0 is row 1 now, and the border is mirrored
    up = x[:, :, [1, 2, 3, 2]][:, :, :, [1, 2, 3, 2]]
    by_hand = flip(x) / 2 + flip(down) / 4 + flip(up) / 4
    torch.testing.assert_close(evaluation.look(model, x, "shift"), by_hand)


@pytest.mark.parametrize("tta", ["flip", "shift"])
def test_predict_takes_the_mean_of_looks(tta):
    dataset, model = few("digits", "test"), net()
    x = (dataset.images / 255 - dataset.mean[0]) / dataset.std[0]
    with torch.no_grad():
        expected = evaluation.look(model.eval(), x, tta)
    torch.testing.assert_close(evaluation.predict(model, dataset, tta=tta), expected, rtol=1e-4, atol=1e-4)
    assert evaluation.evaluate(model, dataset, tta=tta)["loss"] != evaluation.evaluate(model, dataset)["loss"]


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="tta is 'crops'; expected none or flip or shift"):
        evaluation.predict(net(), few("digits", "test"), tta="crops")


def test_top_k_against_sorting():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(200, 7, generator=generator), torch.randint(7, (200,), generator=generator)
    ranks = (logits > logits.gather(1, labels[:, None])).sum(1)  # how many classes are before the right one
    for k in range(1, 8):
        assert evaluation.top_k(logits, labels, k) == pytest.approx((ranks < k).double().mean().item())
    for k in (0, 8):
        with pytest.raises(ValueError, match=f"k is {k}; expected 1 to 7"):
            evaluation.top_k(logits, labels, k)


def test_top_1_is_the_accuracy_where_logits_tie():
    """bfloat16 has so few numbers that some do. Of equal ones the first counts."""
    logits = torch.randint(0, 4, (500, 10), generator=torch.Generator().manual_seed(0)).float()
    labels = 9 - logits.flip(1).argmax(1)  # the last of the largest: counted as right where there is one
    assert evaluation.top_k(logits, labels, 1) == evaluation.measure(logits, labels)["accuracy"] < 0.6


def test_outputs_are_those_of_training():
    """To the bit: weights and images lie in the same order in memory."""
    images = datasets.load("shapes", "test")
    torch.manual_seed(0)
    net = models.build("small_alexnet")
    got = evaluation.predict(net, images, precision="bfloat16")
    in_training = net.to(memory_format=torch.channels_last)
    batches = evaluation.source(images, torch.device("cpu"), 32)
    assert torch.equal(got, evaluation.outputs(in_training, batches, "bfloat16"))


def test_an_ensemble_averages_probabilities():
    sure, unsure = torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    together = evaluation.ensemble([sure, unsure, unsure + 5])  # a constant changes no probability
    by_hand = (sure.double().softmax(1) + 2 * unsure.double().softmax(1)) / 3
    torch.testing.assert_close(together.exp(), by_hand)


def test_wilsons_interval():
    """From Wilson's formula, with 1.96 for the normal distribution's 97.5%."""
    for hits, n in ((9400, 10_000), (143, 143), (0, 10)):
        p, z = hits / n, 1.959964
        middle, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
        expected = [(middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)]
        assert evaluation.interval(p, n) == pytest.approx(expected, abs=1e-6)


def test_a_misfit_is_named():
    with pytest.raises(ValueError, match=r"the model makes \(2, 5\) of 2 images \(digits\); labels go to 9"):
        evaluation.evaluate(net(num_classes=5), few("digits", "test"))
    with pytest.raises(ValueError, match=r"cannot take images of 1 x 32 x 32 \(digits\)"):
        evaluation.predict(net(in_channels=3), few("digits", "test"))
    with pytest.raises(ValueError, match="precision is 'half'"):
        evaluation.predict(net(), few("digits", "test"), precision="half")
    with pytest.raises(ValueError, match="device 'tpu'"):
        evaluation.predict(net(), few("digits", "test"), device="tpu")


@pytest.mark.parametrize(
    ("model", "dataset", "message"),
    [
        (None, "digits", "model is None; expected a Module"),
        (nn.Linear, few("digits", "test"), "model is Linear; expected a Module"),
        (nn.Linear(2, 2), "digits", "dataset is 'digits'; expected a Dataset"),
        (nn.Linear(2, 2), (torch.zeros(2), torch.zeros(2)), "dataset is .*; expected a Dataset"),
        (few("digits", "test"), nn.Linear(2, 2), "model is Dataset.*; expected a Module"),
    ],
)
def test_arguments_of_another_kind(model, dataset, message):
    for function in (evaluation.predict, evaluation.evaluate):
        with pytest.raises(ValueError, match=message):
            function(model, dataset)


def test_a_model_that_mixes_its_batch_is_found_out():
    class Mean(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10].mean(0, keepdim=True)

    with pytest.raises(ValueError, match=r"the model makes \(1, 10\) of 2 images \(digits\)"):
        evaluation.predict(Mean(), few("digits", "test"))


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), AssertionError()])
def test_a_model_that_fails_is_told_in_one_line(error):
    class Failing(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(
        ValueError, match=f"the model cannot take images of 1 x 32 x 32 .*: ('x'|x|{type(error).__name__})"
    ):
        evaluation.predict(Failing(), few("digits", "test"))
