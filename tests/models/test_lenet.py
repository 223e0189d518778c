"""LeNet-5 against its paper: parameters of each layer, C3's table, subsampling, squashing, codes, initial weights."""

from collections import Counter
from copy import deepcopy

import pytest
import torch
from torch.nn import functional as F

from course_utils import models
from course_utils.models import lenet


@pytest.fixture
def paper():
    torch.manual_seed(0)
    return models.build("lenet5")


@pytest.fixture
def simple():
    torch.manual_seed(0)
    return models.build("lenet5_simple")


def parameters(model):
    """{layer: number of trainable parameters}, of the layers that have any."""
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in model.named_children()}
    return {name: count for name, count in counts.items() if count}


def test_parameters_of_the_paper(paper):
    # Section II.B gives each of these.
    assert parameters(paper) == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}
    assert sum(parameters(paper).values()) == 60000


def test_parameters_of_the_simplification(simple):
    assert parameters(simple) == {"c1": 156, "c3": 2416, "c5": 48120, "f6": 10164, "output": 850}
    assert sum(parameters(simple).values()) == 61706


def test_from_the_paper_to_the_simplification(paper, simple):
    # What chapter 09 accounts for: C3's full table, no coefficients and biases in S2 and S4, a linear output.
    more = Counter(parameters(simple))
    more.subtract(parameters(paper))
    assert {name: count for name, count in more.items() if count} == {"c3": 900, "s2": -12, "s4": -32, "output": 850}


@pytest.mark.parametrize("name", ["paper", "simple"])
def test_sizes_of_the_stages(name, request):
    model, x, sizes = request.getfixturevalue(name), torch.randn(2, 1, 32, 32), {}
    assert model.input_size == 32
    for layer, module in model.named_children():
        x = module(x)
        sizes[layer] = tuple(x.shape[1:])
    assert sizes["c1"] == (6, 28, 28)
    assert sizes["s2"] == (6, 14, 14)
    assert sizes["c3"] == (16, 10, 10)
    assert sizes["s4"] == (16, 5, 5)
    assert sizes["c5"] in ((120, 1, 1), (120,))
    assert sizes["f6"] == (84,)
    assert sizes["output"] == (10,)


def test_table_one():
    table = lenet.C3_TABLE
    assert Counter(map(len, table)) == {3: 6, 4: 9, 6: 1}
    assert len(set(table)) == 16
    assert sum(map(len, table)) == 60

    def gaps(inputs):
        """Around the ring of six maps, how far it is from each input to the next."""
        return sorted((after - before) % 6 for before, after in zip(inputs, inputs[1:] + inputs[:1], strict=True))

    assert all(gaps(inputs) == [1, 1, 4] for inputs in table[:6])  # three contiguous
    assert all(gaps(inputs) == [1, 1, 1, 3] for inputs in table[6:12])  # four contiguous
    assert all(gaps(inputs) == [1, 1, 2, 2] for inputs in table[12:15])  # four discontinuous
    # Every map of S2 is seen by ten maps of C3.
    assert Counter(i for inputs in table for i in inputs) == dict.fromkeys(range(6), 10)


def test_c3_sees_what_the_table_says(paper):
    x = torch.randn(3, 6, 14, 14)
    y, stored = paper.c3(x), 0
    for k, inputs in enumerate(lenet.C3_TABLE):
        weight = paper.c3.weight[stored : stored + len(inputs)]
        stored += len(inputs)
        alone = F.conv2d(x[:, list(inputs)], weight[None], paper.c3.bias[k : k + 1])
        torch.testing.assert_close(y[:, k : k + 1], alone)
    assert stored == len(paper.c3.weight)


def test_subsampling_sums_scales_shifts(paper):
    x = torch.randn(2, 6, 28, 28)
    blocks = x.unfold(2, 2, 2).unfold(3, 2, 2).sum(dim=(4, 5))
    expected = blocks * paper.s2.weight.view(6, 1, 1) + paper.s2.bias.view(6, 1, 1)
    torch.testing.assert_close(paper.s2(x), expected)


def test_squashing_maps_one_to_one(paper):
    # 1.7159 tanh(2/3) is 1.00002: Appendix A.
    torch.testing.assert_close(
        paper.c1_squash(torch.tensor([-1.0, 0.0, 1.0])), torch.tensor([-1.0, 0.0, 1.0]), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_output_is_minus_the_squared_distance(scale):
    model = models.build("lenet5", distance_scale=scale)
    state = torch.randn(4, 84)
    distances = torch.cdist(state.double(), lenet.digit_codes().double()) ** 2
    torch.testing.assert_close(model.output(state).double(), -scale * distances, rtol=1e-5, atol=1e-5)
    assert torch.equal(model.output(lenet.digit_codes()).argmax(1), torch.arange(10))


def test_codes_are_fixed_and_apart(paper):
    codes = lenet.digit_codes()
    assert codes.shape == (10, 7 * 12)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    differing = (codes[:, None] != codes).sum(2) + 84 * torch.eye(10)
    assert differing.min() >= 10
    assert "output.codes" in dict(paper.named_buffers())
    assert not any("codes" in name for name, _ in paper.named_parameters())


def test_initial_weights_stay_within_their_bounds(paper):
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120}
    for name, inputs in fan_in.items():
        layer = paper.get_submodule(name)
        values = torch.cat([layer.weight.flatten(), layer.bias])
        assert values.abs().max() <= 2.4 / inputs
    for name in ("c5", "f6"):  # enough weights to see that they fill the interval
        weight = paper.get_submodule(name).weight
        assert weight.std().item() == pytest.approx(2.4 / fan_in[name] / 3**0.5, rel=0.02)
    stored = 0
    for inputs in lenet.C3_TABLE:
        bound = 2.4 / (25 * len(inputs))
        own = paper.c3.weight[stored : stored + len(inputs)]
        stored += len(inputs)
        assert 0.8 * bound < own.abs().max() <= bound
    biases = paper.c3.bias * torch.tensor([25 * len(inputs) for inputs in lenet.C3_TABLE]) / 2.4
    for values in (biases, *(paper.get_submodule(name).bias * fan_in[name] / 2.4 for name in ("c5", "f6"))):
        assert -1 <= values.min() < -0.6 and 0.6 < values.max() <= 1


def test_linear_head_takes_any_number_of_classes():
    model = models.build("lenet5", num_classes=12, head="linear")
    assert model(torch.randn(1, 1, 32, 32)).shape == (1, 12)
    assert parameters(model)["output"] == 84 * 12 + 12


def test_options_of_the_simplification():
    x = torch.randn(2, 1, 32, 32)
    for activation in lenet.ACTIVATIONS:
        for pooling in lenet.POOLINGS:
            model = models.build("lenet5_simple", activation=activation, pooling=pooling)
            assert sum(parameters(model).values()) == 61706
            assert model(x).shape == (2, 10)


@pytest.mark.parametrize("name", ["paper", "simple"])
def test_the_sizes_that_are_named_are_the_sizes_that_work(name, request):
    model = request.getfixturevalue(name)
    for height, width in ((32, 32), (35, 32), (35, 35)):
        assert model(torch.zeros(2, 1, height, width)).shape == (2, 10)
    for height, width in ((28, 28), (31, 32), (32, 36), (36, 36)):
        line = f"^the images are 2 x 1 x {height} x {width}; LeNet takes N x 1 x 32 x 32 to N x 1 x 35 x 35$"
        with pytest.raises(ValueError, match=line):
            model(torch.zeros(2, 1, height, width))


def test_a_copy_and_a_slice_work(paper):
    # Chapters look at the network up to a stage, and keep one to compare with.
    x = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(deepcopy(paper)(x), paper(x))
    assert paper[:3](x).shape == (1, 6, 14, 14)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lenet5", {"num_classes": 11}, "codes for 10 classes, not for 11"),
        ("lenet5", {"head": "softmax"}, "'softmax'; lenet5 has rbf and linear"),
        ("lenet5", {"distance_scale": 0}, "distance_scale is 0"),
        ("lenet5", {"distance_scale": float("nan")}, "distance_scale is nan"),
        ("lenet5_simple", {"activation": "gelu"}, "'gelu'; lenet5_simple has relu, tanh"),
        ("lenet5_simple", {"pooling": "min"}, "'min'; lenet5_simple has max, avg"),
    ],
)
def test_what_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, **options)
