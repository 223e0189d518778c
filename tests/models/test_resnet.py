"""ResNets against their paper: depths, maps, costs, the three shortcuts, the twins without any."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils import inspection, models
from course_utils.models import resnet

IMAGENET = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "plain18", "plain34")
CIFAR = tuple(f"{kind}{layers}" for kind in ("resnet", "plain") for layers in (20, 32, 44, 56, 110))
SMALL = ("small_resnet18", "small_plain18")


def on_meta(name, **options):
    with torch.device("meta"):
        return models.build(name, **options)


def blocks_of(model):
    return [block for stage in model.stages for block in stage]


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", [*IMAGENET, *CIFAR, *SMALL])
def test_the_name_counts_the_layers_with_weights(name):
    model = on_meta(name)
    layers = [k for k, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert str(sum("shortcut" not in layer for layer in layers)) == "".join(filter(str.isdigit, name))


@pytest.mark.parametrize(
    ("names", "maps"),
    [
        (("resnet18", "plain34"), [(64, 56), (128, 28), (256, 14), (512, 7)]),
        (("resnet50", "resnet101"), [(256, 56), (512, 28), (1024, 14), (2048, 7)]),
        (("resnet20", "plain56"), [(16, 32), (32, 16), (64, 8)]),
        (SMALL, [(32, 32), (64, 16), (128, 8), (256, 4)]),
    ],
)
def test_maps_of_the_stages(names, maps):
    for name in names:
        model = on_meta(name)
        x, seen = model.stem(torch.empty(1, 3, model.input_size, model.input_size, device="meta")), []
        for stage in model.stages:
            x = stage(x)
            seen.append((x.shape[1], x.shape[2]))
        assert seen == maps, name


@pytest.mark.parametrize(
    ("name", "paper"), [("18", 1.8e9), ("34", 3.6e9), ("50", 3.8e9), ("101", 7.6e9), ("152", 11.3e9)]
)
def test_multiply_adds_are_those_of_table_1(name, paper):
    assert inspection.summarize(on_meta(f"resnet{name}"), (3, 224, 224)).multiply_adds == pytest.approx(paper, rel=0.02)


def test_a_bottleneck_with_its_stride_on_the_window_costs_more():
    # What common implementations have; the images of the 1 x 1 before it are four times as large.
    theirs = inspection.summarize(on_meta("resnet50", stride_in="3x3"), (3, 224, 224))
    assert theirs.multiply_adds == pytest.approx(4.1e9, rel=0.01)


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_the_stride_moves_and_nothing_else(name):
    paper, window = (
        {k: layer for k, layer in on_meta(name, stride_in=word).named_modules() if isinstance(layer, nn.Conv2d)}
        for word in ("1x1", "3x3")
    )
    assert list(paper) == list(window)
    moved = set()
    for key in paper:
        assert paper[key].weight.shape == window[key].weight.shape
        if paper[key].stride != window[key].stride:
            moved.add((key, paper[key].stride, window[key].stride))
    stages = [f"stages.conv{i}_x.0.residual" for i in (3, 4, 5)]
    assert moved == {(f"{stage}.0", (2, 2), (1, 1)) for stage in stages} | {
        (f"{stage}.3", (1, 1), (2, 2)) for stage in stages
    }


def test_shortcut_a_by_hand():
    x = torch.arange(2 * 3 * 5 * 4.0).reshape(2, 3, 5, 4) + 1
    y = resnet.ZeroPadded(stride=2, zeros=3)(x)
    assert y.shape == (2, 6, 3, 2)
    for row in range(3):
        for column in range(2):
            assert torch.equal(y[:, :3, row, column], x[:, :, 2 * row, 2 * column])
    assert not y[:, 3:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shortcut_a_keeps_channels_last(dtype):
    x = torch.randn(2, 16, 8, 8, dtype=dtype).contiguous(memory_format=torch.channels_last)
    assert resnet.ZeroPadded(2, 16)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "option", "projections"),
    [
        *(("resnet18", "A", 0), ("resnet18", "B", 3), ("resnet18", "C", 8)),
        *(("resnet50", "A", 0), ("resnet50", "B", 4), ("resnet50", "C", 16)),  # conv2_1 has 64 maps in, 256 out
        *(("resnet20", "A", 0), ("resnet20", "B", 2), ("resnet20", "C", 9)),
        *(("small_resnet18", "A", 0), ("small_resnet18", "B", 3), ("small_resnet18", "C", 8)),
    ],
)
def test_which_shortcuts_have_weights(name, option, projections):
    model = on_meta(name, shortcut=option)
    side = model.input_size
    assert sum(count(block.shortcut) > 0 for block in blocks_of(model)) == projections
    assert model(torch.empty(2, 3, side, side, device="meta")).shape == (2, 1000 if side == 224 else 10)
    for block in blocks_of(model):
        weights = [parameter.shape for parameter in block.shortcut.parameters() if parameter.ndim == 4]
        assert all(shape[2:] == (1, 1) for shape in weights)


@pytest.mark.parametrize("option", ["A", "B", "C"])
def test_a_block_adds_what_went_around_it(option):
    torch.manual_seed(0)
    model = models.build("resnet20", shortcut=option).eval()
    x = F.relu(torch.randn(2, 16, 8, 8))
    for block in (model.stages[0][1], model.stages[1][0]):
        torch.testing.assert_close(block(x), F.relu(block.residual(x) + block.shortcut(x)))
        assert (block.residual(x) < 0).any()  # the ReLU comes after the addition
    if option == "A":
        assert torch.equal(model.stages[0][1].shortcut(x), x)


def test_a_plain_block_is_its_residual_and_a_relu():
    torch.manual_seed(0)
    block, x = models.build("plain20").eval().stages[1][0], torch.randn(2, 16, 8, 8)
    assert torch.equal(block(x), F.relu(block.residual(x)))


def test_order_of_the_layers():
    def kinds(layers):
        return [type(layer).__name__ for layer in layers]

    conv = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds(on_meta("resnet18").stem) == [*conv, "MaxPool2d"]
    assert kinds(on_meta("resnet20").stem) == kinds(on_meta("small_plain18").stem) == conv
    assert kinds(on_meta("plain20").stages[0][0].residual) == [*conv, *conv[:2]]
    assert kinds(on_meta("resnet50").stages[0][0].residual) == [*conv, *conv, *conv[:2]]


def test_a_block_without_its_residual_is_its_shortcut():
    # Scale 0 behind the last convolution: F is 0, and the images of a ReLU pass unchanged.
    torch.manual_seed(0)
    residual, plain = models.build("resnet20").eval(), models.build("plain20").eval()
    x = F.relu(torch.randn(2, 16, 8, 8))
    for model, expected in ((residual, x), (plain, torch.zeros_like(x))):
        block = model.stages[0][1]
        nn.init.zeros_(block.residual[-1].weight)
        assert torch.equal(block(x), expected)


@pytest.mark.parametrize(
    ("residual", "plain"),
    [(f"resnet{n}", f"plain{n}") for n in (18, 34, 20, 32, 44, 56, 110)] + [("small_resnet18", "small_plain18")],
)
def test_a_plain_twin_has_the_same_weights_and_no_path_around(residual, plain):
    residual, plain = on_meta(residual, shortcut="A"), on_meta(plain)
    ours, twins = ({k: v.shape for k, v in model.state_dict().items()} for model in (residual, plain))
    assert ours == twins
    assert all(block.shortcut is None for block in blocks_of(plain))
    assert all(isinstance(block.shortcut, nn.Identity | resnet.ZeroPadded) for block in blocks_of(residual))


@pytest.mark.parametrize("name", SMALL)
def test_without_batch_norm(name):
    torch.manual_seed(0)
    model = models.build(name, num_classes=3, in_channels=2, width=4, batch_norm=False)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert all(layer.bias is not None for layer in model.modules() if isinstance(layer, nn.Conv2d))
    model(torch.randn(2, 2, 32, 32)).logsumexp(1).sum().backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_no_bias_before_a_norm():
    for name in ("resnet50", "resnet20", "small_resnet18"):
        layers = on_meta(name).modules()
        assert all(layer.bias is None for layer in layers if isinstance(layer, nn.Conv2d)), name


def test_width():
    # The full width is that of Table 1: what remains of resnet18 without its stem's 7 x 7 and 990 of its classes.
    assert count(on_meta("small_resnet18", width=64)) == 11_689_512 - 64 * 3 * (49 - 9) - 990 * 513
    assert on_meta("small_plain18", width=48).stem[0].out_channels == 48


@pytest.mark.parametrize("side", [1, 2, 7, 33])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20", "small_resnet18"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_any_image_will_do(name, side, shortcut):
    model = on_meta(name, shortcut=shortcut, num_classes=4).eval()
    assert model(torch.empty(1, 3, side, side + 1, device="meta")).shape == (1, 4)


def test_resnet50_runs_and_learns_somewhere_in_each_layer():
    # On real numbers, small images: the shapes at 224 x 224 are tested above.
    torch.manual_seed(0)
    model = models.build("resnet50", num_classes=5, in_channels=1)
    outputs = model(torch.randn(2, 1, 64, 64))
    outputs.logsumexp(1).sum().backward()
    assert outputs.shape == (2, 5) and outputs.isfinite().all()
    assert all(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"shortcut": "D"}, "shortcut is 'D'; resnet18 has A, B, C"),
        ("resnet20", {"shortcut": "a"}, "shortcut is 'a'; resnet20 has A, B, C"),
        ("resnet50", {"stride_in": "2x2"}, "stride_in is '2x2'; resnet50 has 1x1, 3x3"),
        ("resnet18", {"stride_in": "3x3"}, "resnet18 has no option 'stride_in'"),
        ("plain20", {"shortcut": "A"}, "plain20 has no option 'shortcut'"),
        ("small_resnet18", {"width": 0}, "width is 0; expected at least 1"),
        ("small_plain18", {"width": -1}, "width is -1; expected at least 1"),
    ],
)
def test_what_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **options)
