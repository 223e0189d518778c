"""Initial weights against chapter 02: the variance of each kind of layer, and what does not vary."""

import pytest
import torch
from torch import nn

from course_utils.models.initialization import he_normal


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(8, 96, 5),  # 200 inputs a unit
        nn.BatchNorm2d(96),
        nn.Sequential(nn.Conv2d(96, 64, 3, groups=4)),  # 24 maps a group: 216 inputs
        nn.Conv2d(64, 128, 1, bias=False),  # 64
        nn.Linear(128, 300),
        nn.Linear(300, 100),
    )
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)  # nothing may stay
    he_normal(model)
    return model


@pytest.mark.parametrize(
    ("layer", "variance"), [("0", 2 / 200), ("2.0", 2 / 216), ("3", 2 / 64), ("4", 2 / 128), ("5", 1 / 300)]
)
def test_variance(model, layer, variance):
    weight = model.get_submodule(layer).weight.flatten()
    assert weight.var().item() == pytest.approx(variance, rel=0.06)
    assert abs(weight.mean()) < 4 * (variance / len(weight)) ** 0.5
    # A normal distribution has 4.6% beyond two deviations and a few beyond three; a uniform one has none.
    beyond = (weight.abs() > 2 * variance**0.5).float().mean().item()
    assert beyond == pytest.approx(0.0455, abs=0.01)


def test_biases_and_norms(model):
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
    assert (model[1].weight == 1).all()


def test_signals_keep_their_size():
    torch.manual_seed(0)
    hidden = [layer for _ in range(30) for layer in (nn.Linear(400, 400), nn.ReLU())]
    deep = nn.Sequential(*hidden, nn.Linear(400, 400))
    he_normal(deep)
    with torch.no_grad():
        before = deep[:-1](torch.randn(50, 400))
        after = deep[-1](before)
    assert 0.4 < before.square().mean() < 2.5  # with 1 / n_in it would be a billionth
    assert after.square().mean().item() == pytest.approx(before.square().mean().item(), rel=0.15)


def test_the_seed_decides():
    weights = []
    for seed in (0, 0, 1):
        layer = nn.Sequential(nn.Linear(9, 9))
        torch.manual_seed(seed)
        he_normal(layer)
        weights.append(layer[0].weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_network_without_linear_layers():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(50, 100, 3))
    he_normal(model)
    assert model[0].weight.var().item() == pytest.approx(2 / 450, rel=0.05)
