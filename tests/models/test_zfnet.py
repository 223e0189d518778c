"""The network of Zeiler & Fergus against figure 3: parameters, sizes, order, initial weights, refusals."""

import pytest
import torch
from torch import nn

from course_utils.models.alexnet import alexnet
from course_utils.models.zfnet import zfnet


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(**options):
    with torch.device("meta"):
        return zfnet(**options)


def test_parameters():
    model = on_meta()
    assert count(model.conv1) == 96 * (3 * 7 * 7 + 1)
    assert count(model.conv4) == 384 * (384 * 3 * 3 + 1)  # no groups
    assert count(model) == 62_357_608
    with torch.device("meta"):
        assert count(model) - count(alexnet()) == 1_392_384  # as the table of deviations says


def test_sizes_of_figure_three():
    x, found = torch.zeros(1, 3, 224, 224, device="meta"), {}
    for name, layer in on_meta().named_children():
        x = layer(x)
        found[name] = tuple(x.shape[1:])
    assert {name: found[name] for name in found if name[:4] in ("conv", "pool") or name.startswith("fc")} == {
        "conv1": (96, 110, 110),
        "pool1": (96, 55, 55),
        "conv2": (256, 26, 26),
        "pool2": (256, 13, 13),
        "conv3": (384, 13, 13),
        "conv4": (384, 13, 13),
        "conv5": (256, 13, 13),
        "pool5": (256, 6, 6),
        "fc6": (4096,),
        "fc7": (4096,),
        "fc8": (1000,),
    }
    names = list(found)
    assert names[:8] == ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]


def test_one_step_at_other_channels_and_classes():
    torch.manual_seed(0)
    model = zfnet(num_classes=3, in_channels=1, dropout=0.0)
    assert [layer.p for layer in model if isinstance(layer, nn.Dropout)] == [0.0, 0.0]
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.03), name
            assert not layer.bias.any(), name
    outputs = model(torch.randn(1, 1, 224, 224))
    assert outputs.shape == (1, 3)
    outputs.sum().backward()
    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("side", [223, 225, 254])
def test_images_of_other_sizes_that_work(side):
    assert on_meta()(torch.empty(1, 3, side, side, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize("shape", [(1, 3, 222, 222), (1, 3, 255, 255), (1, 4, 224, 224)])
def test_images_that_do_not(shape):
    came = " x ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"the images are {came}; zfnet takes N x 3 x 223 x 223 to .*254"):
        on_meta()(torch.empty(shape, device="meta"))


def test_dropout_is_a_probability():
    with pytest.raises(ValueError, match=r"dropout is 1\.5; expected at least 0 and below 1"):
        on_meta(dropout=1.5)
