"""GoogLeNet against Table 1: sizes and parameters by row, the module, auxiliary heads, both forms, the small one."""

import pytest
import torch
from torch import nn

from course_utils.models.alexnet import ResponseNorm
from course_utils.models.googlenet import TABLE, ConvReLU, GoogLeNet, Inception, googlenet, small_googlenet


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(build=googlenet, **options):
    with torch.device("meta"):
        return build(**options)


def shapes(model, channels=3):
    """{layer of the trunk: shape of its output without the batch}."""
    size = model.input_size
    x, found = torch.zeros(1, channels, size, size, device="meta"), {}
    for name, layer in model.trunk.named_children():
        x = layer(x)
        found[name] = tuple(x.shape[1:])
    return found


@pytest.mark.parametrize(
    "options, parameters",
    [
        ({}, 6_998_552),
        ({"auxiliary": True}, 13_378_280),
        ({"form": "torchvision"}, 6_624_904),
        ({"form": "torchvision", "auxiliary": True}, 13_004_888),
    ],
)
def test_parameters(options, parameters):
    assert count(on_meta(**options)) == parameters


def test_output_sizes_of_table_one():
    assert shapes(on_meta()) == {
        "conv1": (64, 112, 112),
        "pool1": (64, 56, 56),
        "norm1": (64, 56, 56),
        "conv2": (64, 56, 56),
        "conv3": (192, 56, 56),
        "norm2": (192, 56, 56),
        "pool2": (192, 28, 28),
        "inception3a": (256, 28, 28),
        "inception3b": (480, 28, 28),
        "pool3": (480, 14, 14),
        "inception4a": (512, 14, 14),
        "inception4b": (512, 14, 14),
        "inception4c": (512, 14, 14),
        "inception4d": (528, 14, 14),
        "inception4e": (832, 14, 14),
        "pool4": (832, 7, 7),
        "inception5a": (832, 7, 7),
        "inception5b": (1024, 7, 7),
    }


def test_parameters_of_table_one():
    """The column "params" counts in 1,024, and is off by up to a thirteenth from what its own widths come to."""
    column = dict(zip(TABLE, (159, 380, 364, 437, 463, 580, 840, 1072, 1388), strict=True))
    trunk, before = on_meta().trunk, 192
    for name, kilo in column.items():
        n1, reduce3, n3, reduce5, n5, proj = TABLE[name]
        weights = before * (n1 + reduce3 + reduce5 + proj) + 9 * reduce3 * n3 + 25 * reduce5 * n5
        assert count(trunk.get_submodule(name)) == weights + sum(TABLE[name]), name  # and a bias a map
        assert weights / 1024 == pytest.approx(kilo, rel=1 / 13), name
        before = n1 + n3 + n5 + proj


def test_a_module_is_four_branches_side_by_side():
    torch.manual_seed(0)
    module, x = Inception(5, 2, 3, 4, 1, 6, 7), torch.randn(1, 5, 9, 9)
    y = module(x)
    assert module.out_channels == 2 + 4 + 6 + 7 and y.shape == (1, 19, 9, 9)
    parts = [branch(x) for branch in (module.branch1, module.branch2, module.branch3, module.branch4)]
    assert [part.shape[1] for part in parts] == [2, 4, 6, 7]
    assert torch.equal(y, torch.cat(parts, dim=1))
    kernels = {name: layer.kernel_size[0] for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d)}
    assert list(kernels.values()) == [1, 1, 3, 1, 5, 1]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_convolution_ends_with_a_relu(batch_norm):
    torch.manual_seed(0)
    layer, x = ConvReLU(3, 4, 3, batch_norm=batch_norm), torch.randn(2, 3, 5, 5)
    y = layer.conv(x)
    assert torch.equal(layer(x), (layer.bn(y) if batch_norm else y).relu())
    assert not batch_norm or layer.bn.eps == 0.001


@pytest.mark.parametrize("form, large", [("paper", 5), ("torchvision", 3)])
def test_the_third_branch_by_form(form, large):
    model = on_meta(form=form)
    assert {model.trunk.get_submodule(name).branch3[1].conv.kernel_size for name in TABLE} == {(large, large)}


def test_what_batch_norm_replaces():
    def kinds(model):
        return {type(layer) for layer in model.modules()} & {nn.BatchNorm2d, ResponseNorm}

    assert kinds(on_meta()) == {ResponseNorm}
    norms = [name for name, layer in on_meta().trunk.named_children() if isinstance(layer, ResponseNorm)]
    assert norms == ["norm1", "norm2"]  # figure 3: behind the first pool, and before the second
    assert kinds(on_meta(batch_norm=True)) == kinds(on_meta(form="torchvision")) == {nn.BatchNorm2d}
    # Each map has a scale and a shift in place of a bias.
    maps = sum(layer.out_channels for layer in on_meta().modules() if isinstance(layer, nn.Conv2d))
    assert count(on_meta(batch_norm=True)) == 6_998_552 + maps


def test_dropout():
    model = on_meta(auxiliary=True)
    assert model.dropout.p == 0.4
    assert [layer.p for layer in model.heads.modules() if isinstance(layer, nn.Dropout)] == [0.7, 0.7]
    assert on_meta(form="torchvision").dropout.p == 0.2


def test_auxiliary_heads_in_training_only():
    model = on_meta(auxiliary=True, num_classes=7, in_channels=1)
    images = torch.empty(2, 1, 224, 224, device="meta")
    outputs = model.train()(images)
    assert isinstance(outputs, tuple) and [tuple(output.shape) for output in outputs] == [(2, 7)] * 3
    assert model.eval()(images).shape == (2, 7)
    assert model.auxiliary_weight == 0.3
    assert list(model.heads) == ["inception4a", "inception4d"]
    assert on_meta(num_classes=7).train()(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("form", ["paper", "torchvision"])
def test_every_parameter_gets_a_gradient(form):
    torch.manual_seed(0)
    model = googlenet(num_classes=5, in_channels=1, auxiliary=True, form=form)
    outputs = model(torch.randn(2, 1, 224, 224))
    sum(output.square().sum() for output in outputs).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_initial_weights():
    torch.manual_seed(0)
    model = googlenet(auxiliary=True)
    last = ("fc", "heads.inception4a.6", "heads.inception4d.6")
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            expected = (1 if name in last else 2) / layer.weight[0].numel()
            assert layer.weight.var().item() == pytest.approx(expected, rel=0.2), name
            assert not layer.bias.any(), name


def test_the_last_layer_is_last_for_the_heads_order():
    # torchvision's order of parameters: the trunk, both heads, then fc.
    names = list(dict(on_meta(auxiliary=True, form="torchvision").named_parameters()))
    assert names[-2:] == ["fc.weight", "fc.bias"] and names[-3].startswith("heads.inception4d")
    assert names[:3] == ["trunk.conv1.conv.weight", "trunk.conv1.bn.weight", "trunk.conv1.bn.bias"]


def test_small_sizes():
    found = shapes(on_meta(small_googlenet))
    sides = {name: shape[1] for name, shape in found.items()}
    assert sides["conv1"] == 32
    assert {name: sides[name] for name in TABLE} == {
        name: {"3": 16, "4": 8, "5": 4}[name.removeprefix("inception")[0]] for name in TABLE
    }
    assert found["inception5b"][0] == 1024 // 2
    assert count(on_meta(small_googlenet)) == 1_502_490


def test_small_forward_and_backward():
    torch.manual_seed(0)
    model = small_googlenet(num_classes=3, in_channels=1, width=0.05, batch_norm=False)
    assert isinstance(model, GoogLeNet) and model.input_size == 32
    assert not [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d | ResponseNorm)]
    outputs = model(torch.randn(4, 1, 32, 32))
    assert outputs.shape == (4, 3)
    outputs.square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(
    "options, shape, sizes",
    [
        ({}, (1, 3, 30, 30), "googlenet takes N x 3 x 31 x 31 or larger"),
        ({}, (1, 1, 224, 224), "googlenet takes N x 3 x 31 x 31 or larger"),
        ({"form": "torchvision"}, (1, 3, 14, 15), "googlenet takes N x 3 x 15 x 15 or larger"),
        ({"auxiliary": True}, (1, 3, 222, 224), "googlenet takes N x 3 x 223 x 223 to N x 3 x 270 x 270"),
        ({"auxiliary": True}, (1, 3, 271, 271), "googlenet takes N x 3 x 223 x 223 to N x 3 x 270 x 270"),
        ({"build": small_googlenet}, (1, 3, 31, 31), "small_googlenet takes N x 3 x 32 x 32"),
    ],
)
def test_images_that_are_refused(options, shape, sizes):
    with pytest.raises(ValueError, match=f"the images are {' x '.join(map(str, shape))}; {sizes}"):
        on_meta(**options)(torch.empty(shape, device="meta"))


@pytest.mark.parametrize("form, least", [("paper", 31), ("torchvision", 15)])
def test_images_of_other_sizes_that_work(form, least, monkeypatch):
    model = on_meta(form=form)
    for side in (least, 223, 256):
        assert model(torch.empty(2, 3, side, side, device="meta")).shape == (2, 1000)
    monkeypatch.setattr("course_utils.models.googlenet.check_images", lambda *arguments: None)
    with pytest.raises(RuntimeError, match="too small"):  # nothing is refused that would work
        model(torch.empty(2, 3, least - 1, least - 1, device="meta"))


@pytest.mark.parametrize("form", ["paper", "torchvision"])
def test_images_of_other_sizes_that_heads_take(form, monkeypatch):
    model = on_meta(form=form, auxiliary=True)
    for side in (223, 239, 270):
        assert len(model(torch.empty(2, 3, side, side, device="meta"))) == 3
    if form == "paper":  # torchvision's means take maps of any size
        monkeypatch.setattr("course_utils.models.googlenet.check_images", lambda *arguments: None)
        for side in (222, 271):
            with pytest.raises(RuntimeError):
                model(torch.empty(2, 3, side, side, device="meta"))


@pytest.mark.parametrize(
    "build, options, message",
    [
        (googlenet, {"form": "keras"}, "form is 'keras'; googlenet has paper, torchvision"),
        (small_googlenet, {"width": 0.0}, "width is 0.0; expected above 0"),
        (small_googlenet, {"width": float("nan")}, "width is nan; expected above 0"),
        (small_googlenet, {"dropout": 1.0}, "dropout is 1.0; expected at least 0 and below 1"),
    ],
)
def test_options_that_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
