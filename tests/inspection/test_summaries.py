"""Summaries: fields are where the gradient of a twin is not zero, counts are torch's, and the model stays as it was."""

import math
from functools import cache

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from course_utils import models
from course_utils.arithmetic import conv_multiply_adds, conv_parameters, receptive_field
from course_utils.inspection import summarize


@cache
def summarized(name):
    """A model of the course, an image that it takes, both without numbers, and its Summary."""
    with torch.device("meta"):
        model = models.build(name)
        image = torch.zeros(1, next(model.parameters()).shape[1], model.input_size, model.input_size)
    return model, image, summarize(model, tuple(image.shape[1:]))


class TrunkEnds(Exception):
    """A network has mixed its positions."""


def trunk_ends(*arguments, **keywords):
    raise TrunkEnds


def window(x, kernel_size, stride=None, padding=0, dilation=1, *more, **keywords):
    """The mean of x over its channels and a window, one column wide."""
    numbers = (kernel_size, stride or kernel_size, padding, dilation)
    kernel_size, *along = (number[0] if isinstance(number, (tuple, list)) else number for number in numbers)
    ones = torch.ones(1, 1, kernel_size, 1, dtype=x.dtype) / kernel_size
    stride, padding, dilation = zip(along, (1, 0, 1), strict=True)
    return F.conv2d(x.mean(1, keepdim=True), ones, None, stride, padding, dilation)


LEFT_OUT = ("relu", "relu_", "leaky_relu", "gelu", "sigmoid", "tanh", "batch_norm", "local_response_norm", "dropout")
ENDS = ("flatten", "linear", "mean", "adaptive_avg_pool2d")
TWINS = {
    **dict.fromkeys(LEFT_OUT, lambda x, *more, **keywords: x),
    **dict.fromkeys(ENDS, trunk_ends),
    "conv2d": lambda x, weight, bias=None, stride=1, *more, **keywords: window(
        x, weight.shape[2], stride, *more, **keywords
    ),
    "max_pool2d": window,
    "avg_pool2d": lambda x, kernel_size, stride=None, padding=0, *more, **keywords: window(
        x, kernel_size, stride, padding
    ),
    "add_": torch.add,  # the channels of the two may differ here
}


class Twin(TorchFunctionMode):
    """A network's paths with one channel, one column wide: weights positive and equal, pools the mean, nothing else."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        return TWINS.get(function.__name__, function)(*arguments, **(keywords or {}))


def fields_measured(model, rows, height):
    """{row number: (size, start)} of two layers at each jump, the last one and the one with the largest field.

    From the gradient of a unit in the middle with respect to the image.
    """
    outputs = []
    handles = [
        layer.register_forward_hook(lambda layer, inputs, output: outputs.append(output))
        for layer in model.modules()
        if not list(layer.children())
    ]
    x = torch.zeros(1, 1, height, 1, dtype=torch.float64, requires_grad=True)
    ones = {name: torch.ones((), dtype=x.dtype).expand(p.shape) for name, p in model.named_parameters()}
    try:
        with Twin():
            functional_call(model.eval(), ones, (x,))
    except TrunkEnds:
        pass
    finally:
        for handle in handles:
            handle.remove()
    fields = {number: row.receptive_field for number, row in enumerate(rows[: len(outputs)])}
    last = {field.jump: number for number, field in fields.items()}
    largest = {fields[number].jump: number for number in sorted(fields, key=lambda number: fields[number].size)}
    measured = {}
    for number in {*last.values(), *largest.values()}:
        unit, jump = outputs[number].shape[2] // 2, fields[number].jump
        (gradient,) = torch.autograd.grad(outputs[number][0, :, unit].sum(), x, retain_graph=True)
        seen = gradient[0, 0, :, 0].nonzero().flatten()
        assert seen[0] > 0 and seen[-1] < height - 1  # the border cuts nothing off
        measured[number] = (int(seen[-1] - seen[0]) + 1, float(seen[0] + seen[-1]) / 2 - unit * jump)
    return measured


def assert_fields_are_those_of_gradients(model, rows):
    trunk = [row.receptive_field for row in rows if row.receptive_field is not None]
    height = 2 * max(field.size for field in trunk) + 20 * trunk[-1].jump
    measured = fields_measured(model, rows, height)
    assert len(trunk) - 1 in measured
    expected = {number: rows[number].receptive_field for number in measured}
    assert measured == {number: (field.size, field.start) for number, field in expected.items()}


class Inception(nn.Module):
    """Four branches side by side, reduced."""

    def __init__(self, channels):
        super().__init__()
        self.one = nn.Conv2d(channels, 2, 1)
        self.three = nn.Sequential(nn.Conv2d(channels, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(channels, 3, 1), nn.Conv2d(3, 4, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(channels, 2, 1))

    def forward(self, x):
        return torch.cat([F.relu(branch(x)) for branch in (self.one, self.three, self.five, self.pool)], 1)


class Residual(nn.Module):
    """Two convolutions and a shortcut: option A, which pads channels with zeros, or a projection."""

    def __init__(self, inputs, outputs, stride=1, project=False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.project = nn.Conv2d(inputs, outputs, 1, stride) if project else None
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x):
        y = self.conv2(self.bn1(self.conv1(x)).relu_())
        if self.project:
            return y + self.project(x)
        y += F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(y)


class Functional(nn.Module):
    """No layers at all, but operations between them: an off-centre crop, uneven padding, a dilated, a grouped one."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 1, 3, 3))
        self.last = nn.Conv2d(4, 4, 2)

    def forward(self, x):
        x = F.conv2d(x[:, :, 3:-1], self.weight, stride=2, padding=1, dilation=3, groups=2)
        x = F.max_pool2d(F.pad(F.leaky_relu(x), (0, 0, 2, 1)), (3, 3), 2, dilation=2)
        return self.last(F.local_response_norm(x, 3).sigmoid())


def nets():
    return {
        "inception": nn.Sequential(nn.Conv2d(2, 3, 7, 2, padding=3), Inception(3), nn.MaxPool2d(3, 2), Inception(12)),
        "option A": nn.Sequential(nn.Conv2d(2, 3, 3), Residual(3, 3), Residual(3, 8, 2), Residual(8, 8)),
        "projection": nn.Sequential(Residual(2, 4, 2, project=True), nn.AvgPool2d(2), Residual(4, 9, 2, project=True)),
        "functional": nn.Sequential(nn.Conv2d(2, 2, 2, dilation=2), Functional(), nn.LocalResponseNorm(3)),
    }


@pytest.mark.parametrize("name", nets())
def test_fields_of_branches_paths_and_functions_are_those_of_gradients(name):
    net = nets()[name]
    assert_fields_are_those_of_gradients(net, summarize(net, (2, 64, 48)).rows)


@pytest.mark.parametrize("name", models.available())
def test_fields_of_every_model_are_those_of_gradients(name, monkeypatch):
    model, _, summary = summarized(name)
    for module in vars(models).values():  # the twin's image is one column wide, and higher than any that they take
        if hasattr(module, "check_images"):
            monkeypatch.setattr(module, "check_images", lambda *arguments: None)
    assert_fields_are_those_of_gradients(model, summary.rows)


class Twice(nn.Module):
    """A layer that runs twice, one that does not run in evaluation, and a weight of its own."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 2, 3), nn.Linear(5, 5)
        self.weight = nn.Parameter(torch.zeros(7, 2, 1, 1))

    def forward(self, x):
        x = F.conv2d(self.conv(self.conv(x)), self.weight)
        return self.head(x) if self.training else x


def test_rows_of_a_layer_that_runs_twice_and_totals():
    summary = summarize(Twice(), (2, 8, 8))
    first, second = summary.rows
    assert (first.name, first.kind, first.shape, second.shape) == ("conv", "Conv2d", (2, 6, 6), (2, 4, 4))
    assert first.parameters == second.parameters == conv_parameters(2, 2, 3) == 38
    assert (first.multiply_adds, second.multiply_adds) == tuple(conv_multiply_adds(2, 2, 3, side) for side in (6, 4))
    assert [first.receptive_field, second.receptive_field] == receptive_field([(3, 1, 0, 1)] * 2)
    assert (first.activation_bytes, second.activation_bytes) == (2 * 36 * 4, 2 * 16 * 4)
    assert summary.parameters == 38 + 30 + 14
    assert summary.multiply_adds == first.multiply_adds + second.multiply_adds + conv_multiply_adds(2, 7, 1, 4)
    assert summary.activation_bytes == (72 + 32) * 4


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


@pytest.mark.parametrize(
    ("mixing", "is_all"),
    [
        (nn.AdaptiveAvgPool2d(1), True),
        (nn.AdaptiveMaxPool2d(1), True),
        (nn.AdaptiveAvgPool2d(5), True),  # windows of one and of two
        (nn.AdaptiveAvgPool2d(6), False),
        (nn.Flatten(), True),
        (nn.Flatten(3), False),  # of one axis
        (nn.Unflatten(1, (1, 2)), False),
        (nn.Linear(6, 6), True),  # along a row
        (nn.GroupNorm(1, 2), True),
        (nn.Softmax(2), True),
        (nn.Upsample(scale_factor=2), True),
        (nn.ConvTranspose2d(2, 2, 3), True),
        (Function(lambda x: x.to(torch.float64)), False),
        (Function(lambda x: torch.cat([x, x.new_zeros(1, 3, 6, 6), torch.zeros_like(x)], 1)), False),
        (Function(lambda x: torch.cat([x, x], 2)), True),
        (Function(lambda x: x * x[:, :, :1, :1]), True),
        (Function(lambda x: x[:, :, 2:5, 2:5] + F.avg_pool2d(x, 2)), True),  # one in steps of 1, one in steps of 2
        (nn.PReLU(), False),
        (nn.Identity(), False),
    ],
    ids=repr,
)
def test_fields_end_where_positions_mix(mixing, is_all):
    *_, conv, last = summarize(nn.Sequential(nn.Conv2d(2, 2, 3), mixing), (2, 8, 8)).rows
    assert conv.receptive_field == (3, 1, 1)
    assert last.receptive_field == (None if is_all else (3, 1, 1))


def test_a_field_is_that_along_the_height():
    rows = summarize(nn.Sequential(nn.Conv2d(1, 1, (1, 7)), nn.Conv2d(1, 1, (5, 1), stride=(2, 3))), (1, 9, 90)).rows
    assert [row.receptive_field for row in rows] == [(1, 1, 0), (5, 2, 2)]


def counted(model, image):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(image)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("name", models.available())
def test_totals_of_every_model(name):
    """On the meta device, where the counter of torch and hooks cost no time either."""
    (model, image, summary), seen = summarized(name), []
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, output: seen.append((tuple(output.shape[1:]), output.nbytes)))
        for layer in model.modules()
        if not list(layer.children())
    ]
    try:
        assert summary.multiply_adds == counted(model, image)
    finally:
        for hook in hooks:
            hook.remove()
    assert [(row.shape, row.activation_bytes) for row in summary.rows] == seen
    assert summary.parameters == sum({row.name: row.parameters for row in summary.rows}.values())  # all of them run
    assert summary.activation_bytes == sum(nbytes for _, nbytes in seen)
    assert summary.parameters == sum(parameter.numel() for parameter in model.parameters())


class Products(nn.Module):
    def forward(self, x):
        rows = x.flatten(0, 1)
        return torch.baddbmm(rows, rows @ rows.mT, rows)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 2), stride=(2, 1), groups=2),
        nn.ConvTranspose2d(4, 6, 3, stride=2),
        nn.Linear(9, 5, bias=False),
        nn.Linear(9, 5),
        Products(),
    ],
    ids=repr,
)
def test_multiply_adds_are_torchs(layer):
    (row,) = summarize(layer, (4, 8, 9)).rows
    assert row.multiply_adds == counted(layer, torch.zeros(1, 4, 8, 9)) > 0


@pytest.mark.parametrize("name", ["lenet5_simple", "alexnet", "vgg16", "googlenet", "resnet50"])
def test_totals_are_torchinfos(name):
    """It counts elementwise work besides: each bias once an output, and the weights of normalizations once."""
    torchinfo = pytest.importorskip("torchinfo", reason="torchinfo is not installed: the course does not need it")
    model, image, summary = summarized(name)
    layers, elementwise = dict(model.named_modules()), 0
    for row in summary.rows:
        bias, places = getattr(layers[row.name], "bias", None), math.prod(row.shape[1:])
        if isinstance(layers[row.name], nn.BatchNorm2d):
            elementwise += row.parameters
        elif bias is not None:
            elementwise += bias.numel() * places
    theirs = torchinfo.summary(model, input_data=image, device="meta", mode="eval", verbose=0)
    assert theirs.total_mult_adds == summary.multiply_adds + elementwise
    assert theirs.total_params == summary.parameters


class Stubborn(nn.Module):
    """Runs into an error deep inside, or gives what is no tensor."""

    def __init__(self, gives=None):
        super().__init__()
        self.inside = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
        self.gives = gives

    def forward(self, x):
        x = self.inside(x)
        if self.gives:
            raise self.gives
        return x


@pytest.mark.parametrize("error", [None, RuntimeError("no\n  luck"), KeyboardInterrupt()], ids=repr)
def test_the_model_stays_as_it_was(error):
    model = Stubborn(error).to(torch.bfloat16).train()
    model.inside[1].eval()
    model.inside[0].register_forward_hook(lambda layer, inputs, output: None)
    before = {key: (id(tensor), tensor.clone()) for key, tensor in model.state_dict(keep_vars=True).items()}
    if error is None:
        assert summarize(model, (3, 5, 5)).activation_bytes == 3 * 4 * 9 * 4  # as in float32
    else:
        with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else ValueError):
            summarize(model, (3, 5, 5))
    assert [layer.training for layer in model.modules()] == [True, True, True, False, True]
    assert [len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in model.modules()] == [0, 0, 1, 0, 0]
    after = model.state_dict(keep_vars=True)
    assert list(after) == list(before)
    for key, (identity, tensor) in before.items():
        assert id(after[key]) == identity and torch.equal(after[key], tensor), key


def test_modes_around_it_do_not_matter():
    net = Residual(2, 4, project=True)
    with torch.inference_mode():
        inside = summarize(net, (2, 8, 8))
    with torch.autocast("cpu", torch.bfloat16):
        assert summarize(net, (2, 8, 8)) == inside == summarize(net, (2, 8, 8))
    assert inside.multiply_adds > 0


def test_it_prints_as_a_table():
    net = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Flatten())
    assert str(summarize(net, [3, 40, 6])).splitlines() == [
        "layer    kind     output        parameters    multiply-adds    field    jump    start    bytes",
        "-------  -------  ----------  ------------  ---------------  -------  ------  -------  -------",
        "0        Conv2d   4 x 20 x 3            52            2,880        2       2      0.5      960",
        "1        Flatten  240                    0                0      all                       960",
        "total                                   52            2,880                              1,920",
    ]


@pytest.mark.parametrize(
    ("model", "size", "says"),
    [
        (models.build("lenet5"), (1, 28, 28), "LeNet cannot take 1 x 28 x 28: "),
        (Stubborn(), (1, 8, 8), "Stubborn cannot take 1 x 8 x 8: "),
        (Stubborn(RuntimeError("no\n  luck")), (3, 8, 8), "Stubborn cannot take 3 x 8 x 8: no luck"),
        (nn.MaxPool2d(2, return_indices=True), (1, 8, 4), "gives a tuple; expected a tensor"),
        (nn.Conv2d(1, 1, 3), 32, "input_size is 32; expected channels, height and width"),
        (nn.Conv2d(1, 1, 3), (1, 2**70, 4), "Conv2d cannot take 1 x 1180591620717411303424 x 4: "),
        (nn.Conv2d(1, 1, 3), (1, 32), r"input_size is \(1, 32\)"),
        (nn.Conv2d(1, 1, 3), (1, 0, 4), r"input_size is \(1, 0, 4\)"),
        (nn.Conv2d(1, 1, 3), (1, 4, 4.0), r"input_size is \(1, 4, 4.0\)"),
        (nn.Conv2d(1, 1, 3), (True, 4, 4), r"input_size is \(True, 4, 4\)"),
        ("lenet5", (1, 32, 32), "model is 'lenet5'; expected a Module"),
    ],
)
def test_wrong_use(model, size, says):
    with pytest.raises(ValueError, match=says) as raised:
        summarize(model, size)
    assert "\n" not in str(raised.value)
