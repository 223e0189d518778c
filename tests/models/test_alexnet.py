"""AlexNet against its paper: parameters, sizes, response normalization, initial weights; and its small form."""

import pytest
import torch
from torch import nn

from course_utils.models.alexnet import AlexNet, ResponseNorm, alexnet, small_alexnet


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def shapes(model, channels=3):
    """{layer: shape of its output without the batch}, on the model's own device."""
    size, device = model.input_size, next(model.parameters()).device
    x, found = torch.zeros(1, channels, size, size, device=device), {}
    for name, layer in model.named_children():
        x = layer(x)
        found[name] = tuple(x.shape[1:])
    return found


def on_meta(build, **options):
    with torch.device("meta"):
        return build(**options)


def test_parameters_of_the_paper():
    counts = {name: count(layer) for name, layer in on_meta(alexnet).named_children() if count(layer)}
    assert counts == {
        "conv1": 96 * (3 * 11 * 11 + 1),
        "conv2": 256 * (48 * 5 * 5 + 1),  # a unit sees the maps of its own GPU alone
        "conv3": 384 * (256 * 3 * 3 + 1),
        "conv4": 384 * (192 * 3 * 3 + 1),
        "conv5": 256 * (192 * 3 * 3 + 1),
        "fc6": 4096 * (9216 + 1),
        "fc7": 4096 * (4096 + 1),
        "fc8": 1000 * (4096 + 1),
    }
    assert sum(counts.values()) == 60_965_224


def test_sizes_of_the_paper():
    found = shapes(on_meta(alexnet))
    # Section 3.5 and figure 2, the maps of both GPUs together.
    assert [found[f"conv{k}"] for k in range(1, 6)] == [
        (96, 55, 55),
        (256, 27, 27),
        (384, 13, 13),
        (384, 13, 13),
        (256, 13, 13),
    ]
    assert found["pool5"] == (256, 6, 6)
    assert (found["fc6"], found["fc7"], found["fc8"]) == ((4096,), (4096,), (1000,))


def test_order_of_the_paper():
    names = list(dict(on_meta(alexnet).named_children()))
    assert names[:8] == ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"]
    assert names[-7:] == ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"]


def test_torchvision_form():
    model = on_meta(alexnet, form="torchvision")
    assert count(model) == 61_100_840
    names = list(dict(model.named_children()))
    assert not [name for name in names if name.startswith("norm")]
    assert names[-7:] == ["drop5", "fc6", "relu6", "drop6", "fc7", "relu7", "fc8"]
    assert shapes(model)["pool5"] == (256, 6, 6)


def test_initial_weights_of_the_paper():
    torch.manual_seed(0)
    model = alexnet(num_classes=10)
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.03), name
            assert layer.bias.unique().tolist() == [float(name in ("conv2", "conv4", "conv5", "fc6", "fc7"))], name


def test_response_normalization_is_the_equation():
    torch.manual_seed(0)
    a = 30 * torch.rand(2, 7, 3, 3, dtype=torch.float64)
    expected = torch.empty_like(a)
    for i in range(7):
        squares = sum(a[:, j] ** 2 for j in range(max(0, i - 2), min(7 - 1, i + 2) + 1))
        expected[:, i] = a[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(ResponseNorm()(a), expected, rtol=1e-14, atol=0)
    assert torch.autograd.gradcheck(ResponseNorm(), a.requires_grad_())


@pytest.mark.parametrize("side", [223, 227, 254])
def test_images_of_other_sizes_that_work(side):
    model = on_meta(alexnet, num_classes=2)
    assert model(torch.empty(1, 3, side, side, device="meta")).shape == (1, 2)


@pytest.mark.parametrize("shape", [(1, 3, 222, 222), (1, 3, 255, 224), (1, 1, 224, 224), (3, 224, 224)])
def test_images_that_do_not(shape):
    came = " x ".join(map(str, shape))
    with pytest.raises(ValueError, match=rf"the images are {came}; alexnet takes N x 3 x 223 x 223 to .*254"):
        on_meta(alexnet)(torch.empty(shape, device="meta"))


def test_other_channels_and_classes_forward_and_backward():
    torch.manual_seed(0)
    model = alexnet(num_classes=4, in_channels=1)
    model(torch.randn(1, 1, 224, 224)).square().sum().backward()
    # With both hidden layers' biases at 1, signals and gradients reach every layer.
    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_small_sizes_are_the_paper_s_plan():
    model = small_alexnet()
    assert isinstance(model, AlexNet) and model.input_size == 32
    with torch.no_grad():
        found = shapes(model.eval())
    assert [found[f"conv{k}"][0] * 4 for k in range(1, 6)] == [96, 256, 384, 384, 256]
    assert [found[name][1:] for name in ("conv1", "conv2", "conv3", "conv5", "pool5")] == [
        (32, 32),
        (16, 16),
        (8, 8),
        (8, 8),
        (4, 4),
    ]
    assert found["fc6"] == found["fc7"] == (4096 // 16,)
    assert count(model) == 565_186


def test_switches_one_at_a_time():
    """Each option of chapter 10 changes what it names; all but batch norm leave the number of parameters alone."""
    plain = small_alexnet()

    def kinds(model):
        return [type(layer).__name__ for layer in model]

    tanh = small_alexnet(activation="tanh")
    assert kinds(tanh) == [kind.replace("ReLU", "Tanh") for kind in kinds(plain)]
    lrn = small_alexnet(lrn=True)
    assert [kind for kind in kinds(lrn) if kind != "ResponseNorm"] == kinds(plain)
    names = list(dict(lrn.named_children()))
    assert [names[names.index(f"norm{k}") - 1] for k in (1, 2)] == ["relu1", "relu2"]  # section 3.3
    apart = small_alexnet(overlap=False)
    assert kinds(apart) == kinds(plain)
    windows = [[layer.kernel_size for layer in m if isinstance(layer, nn.MaxPool2d)] for m in (plain, apart)]
    assert windows == [[3, 3, 3], [2, 2, 2]]
    dry = small_alexnet(dropout=0.0)
    assert [m.p for m in dry if isinstance(m, nn.Dropout)] == [0.0, 0.0]
    assert {count(model) for model in (plain, tanh, lrn, apart, dry)} == {565_186}
    # Without batch norm each of the 344 maps has a bias in place of a scale and a shift.
    bare = small_alexnet(batch_norm=False)
    assert [kind for kind in kinds(plain) if kind != "BatchNorm2d"] == kinds(bare)
    assert count(bare) == 565_186 - 344


@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "lrn": True}, {"overlap": False, "batch_norm": False}])
def test_small_forward_and_backward(options):
    torch.manual_seed(0)
    model = small_alexnet(num_classes=7, in_channels=1, width=6, **options)
    outputs = model(torch.randn(4, 1, 32, 32))
    assert outputs.shape == (4, 7)
    outputs.square().sum().backward()
    # A bias in front of batch norm would have no gradient: there is none.
    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("activation, gain", [("relu", 2), ("tanh", 1)])
def test_small_initial_weights(activation, gain):
    torch.manual_seed(0)
    model = small_alexnet(activation=activation)
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            expected = (1 if name == "fc8" else gain) / layer.weight[0].numel()
            assert layer.weight.var().item() == pytest.approx(expected, rel=0.12), name
            assert layer.bias is None or not layer.bias.any(), name


@pytest.mark.parametrize("side", [31, 33, 224])
def test_small_takes_one_size(side):
    with pytest.raises(
        ValueError, match=f"the images are 1 x 3 x {side} x {side}; small_alexnet takes N x 3 x 32 x 32$"
    ):
        small_alexnet()(torch.empty(1, 3, side, side))


@pytest.mark.parametrize(
    "build, options, message",
    [
        (alexnet, {"form": "caffe"}, "form is 'caffe'; alexnet has paper, torchvision"),
        (alexnet, {"dropout": 1.0}, "dropout is 1.0; expected at least 0 and below 1"),
        (small_alexnet, {"dropout": -0.1}, "dropout is -0.1; expected at least 0 and below 1"),
        (small_alexnet, {"activation": "gelu"}, "activation is 'gelu'; small_alexnet has relu, tanh"),
        (small_alexnet, {"width": 25}, "width is 25; expected a multiple of 3"),
        (small_alexnet, {"width": 0}, "width is 0; expected at least 1"),
    ],
)
def test_options_that_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_a_slice_of_the_layers_is_a_network():
    model = small_alexnet().eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model[5:](model[:5](x)), model(x))
