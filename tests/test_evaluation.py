"""Evaluation: the outputs of plain torch, loss and accuracy of them, and what is refused."""

import pytest
import torch
from runs import few, net
from torch import nn
from torch.nn import functional as F

from course_utils import evaluation


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


def test_a_misfit_is_named():
    with pytest.raises(ValueError, match=r"the model makes \(1, 5\) of one image \(digits\); labels go to 9"):
        evaluation.evaluate(net(num_classes=5), few("digits", "test"))
    with pytest.raises(ValueError, match=r"cannot take images of 1 x 32 x 32 \(digits\)"):
        evaluation.predict(net(in_channels=3), few("digits", "test"))
    with pytest.raises(ValueError, match="precision is 'half'"):
        evaluation.predict(net(), few("digits", "test"), precision="half")
    with pytest.raises(ValueError, match="device 'tpu'"):
        evaluation.predict(net(), few("digits", "test"), device="tpu")
