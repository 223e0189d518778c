"""VGG networks against Table 1 of their paper, and the small ones at 32 x 32."""

import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.models import vgg

BIG = ("vgg11", "vgg13", "vgg16", "vgg19")
SMALL = ("small_vgg11", "small_vgg13", "small_vgg16c", "small_vgg16", "small_vgg19")


def on_meta(name, **options):
    with torch.device("meta"):
        return models.build(name, **options)


def kinds(model, kind):
    return [layer for layer in model.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize("name", [*BIG, *(f"{name}_bn" for name in BIG)])
def test_the_name_counts_the_layers_with_weights(name):
    model = on_meta(name)
    assert len(kinds(model, nn.Conv2d | nn.Linear)) == int(name[3:5])
    assert len(kinds(model, nn.BatchNorm2d)) == (len(kinds(model, nn.Conv2d)) if "bn" in name else 0)
    assert [layer.p for layer in kinds(model, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize(("configuration", "millions"), [("A", 133), ("B", 133), ("C", 134), ("D", 138), ("E", 144)])
def test_parameters_of_table_2(configuration, millions):
    with torch.device("meta"):
        model = vgg.VGG("vgg", configuration, 1000, 3)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6) == millions


@pytest.mark.parametrize("name", [*BIG, *SMALL])
def test_maps_of_the_stages(name):
    model = on_meta(name)
    side = model.input_size
    x, seen = torch.empty(1, 3, side, side, device="meta"), []
    for stage in model.stages:
        x = stage(x)
        seen.append(tuple(x.shape[1:]))
    first = 64 if name in BIG else 32
    assert seen == [(c * first, side // d, side // d) for c, d in ((1, 2), (2, 4), (4, 8), (8, 16), (8, 32))]


def test_order_of_the_layers():
    model = on_meta("vgg11_bn")
    names = [[type(layer).__name__ for layer in part] for part in (model.stages[0], model.classifier)]
    assert names[0] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert names[1] == ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]


def test_a_small_network_ends_with_a_mean_and_a_linear_layer():
    torch.manual_seed(0)
    model, x = models.build("small_vgg11", width=2).eval(), torch.randn(2, 3, 64, 96)
    torch.testing.assert_close(model(x), model.output(model.stages(x).mean((2, 3))))


def test_configuration_c_looks_at_single_pixels_in_the_third_layers():
    c, d = (kinds(on_meta(name), nn.Conv2d) for name in ("small_vgg16c", "small_vgg16"))
    assert [layer.kernel_size[0] for layer in c] == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]
    assert [layer.out_channels for layer in c] == [layer.out_channels for layer in d]


def test_a_small_network_has_the_convolutions_of_its_big_one():
    for name in BIG:
        small, big = (kinds(on_meta(n, **o), nn.Conv2d) for n, o in ((f"small_{name}", {"width": 64}), (name, {})))
        assert [layer.weight.shape for layer in small] == [layer.weight.shape for layer in big]


def test_biases():
    for name, options, biases in (("vgg11_bn", {}, True), ("small_vgg11", {}, False)):
        assert {layer.bias is not None for layer in kinds(on_meta(name, **options), nn.Conv2d)} == {biases}


def test_without_batch_norm():
    torch.manual_seed(0)
    model = models.build("small_vgg16c", num_classes=3, in_channels=2, width=4, batch_norm=False)
    assert not kinds(model, nn.BatchNorm2d)
    assert all(layer.bias is not None for layer in kinds(model, nn.Conv2d))
    model(torch.randn(4, 2, 32, 32)).logsumexp(1).sum().backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_vgg11_runs_and_learns_somewhere_in_each_layer():
    torch.manual_seed(0)
    model = vgg.VGG("vgg11", "A", 5, 1)
    outputs = model(torch.randn(1, 1, 224, 224))
    outputs.logsumexp(1).sum().backward()
    assert outputs.shape == (1, 5) and 0.01 < outputs.abs().max() < 100
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_the_sizes_that_work_are_the_sizes_that_are_taken(monkeypatch):
    big, small = on_meta("vgg11"), on_meta("small_vgg11")
    taken = (big, 224), (big, 255), (small, 32), (small, 63), (small, 64), (small, 100)
    refused = (big, 223), (big, 256), (small, 31)
    for model, side in taken:
        assert model(torch.empty(2, 3, side, side, device="meta")).shape[0] == 2
    for model, side in refused:
        with pytest.raises(ValueError, match=f"2 x 3 x {side} x {side}; {model.name} takes"):
            model(torch.empty(2, 3, side, side, device="meta"))
    monkeypatch.setattr(vgg, "check_images", lambda *_: None)
    for model, side in refused:  # nothing is refused that would work
        with pytest.raises(RuntimeError):
            model(torch.empty(2, 3, side, side, device="meta"))


@pytest.mark.parametrize("width", [0, -4])
def test_width_is_positive(width):
    with pytest.raises(ValueError, match=f"width is {width}; expected at least 1"):
        models.build("small_vgg11", width=width)
