"""Networks by name: what is there, and what is refused."""

import pytest
import torch

from course_utils import models


def test_known_names():
    assert {"lenet5", "lenet5_simple"} <= set(models.available())


@pytest.mark.parametrize("name", models.available())
def test_classes_and_channels(name):
    torch.manual_seed(0)
    model = models.build(name, num_classes=7, in_channels=3).eval()
    size = model.input_size
    assert model(torch.randn(2, 3, size, size)).shape == (2, 7)


@pytest.mark.parametrize("name", models.available())
def test_none_is_the_default(name):
    torch.manual_seed(0)
    first = models.build(name)
    torch.manual_seed(0)
    second = models.build(name, num_classes=None, in_channels=None)
    for (key, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


@pytest.mark.parametrize("name", models.available())
def test_every_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = models.build(name)
    channels = next(model.parameters()).shape[1]
    model(torch.randn(8, channels, model.input_size, model.input_size)).logsumexp(1).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", models.available())
def test_one_class_and_one_channel_are_enough(name):
    model = models.build(name, num_classes=1, in_channels=1).eval()
    assert model(torch.zeros(2, 1, model.input_size, model.input_size)).shape == (2, 1)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'lenet6'.*lenet5, lenet5_simple"):
        models.build("lenet6")


@pytest.mark.parametrize("name", [["lenet5"], None, 5, b"lenet5"])
def test_a_name_is_a_word(name):
    with pytest.raises(ValueError, match=r"no model is called .*; there are lenet5, lenet5_simple"):
        models.build(name)


def test_unknown_option_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"lenet5_simple has no option 'head'; it has activation, pooling"):
        models.build("lenet5_simple", head="linear")


@pytest.mark.parametrize("value", [0, -3, 2.0, "10", True])
@pytest.mark.parametrize("size", ["num_classes", "in_channels"])
def test_sizes_are_whole_numbers_from_one(size, value):
    with pytest.raises(ValueError, match=f"{size} is {value!r}"):
        models.build("lenet5_simple", **{size: value})


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1], float("nan"), float("inf"), 0, -1])
def test_an_option_of_another_kind(value):
    with pytest.raises(ValueError, match="distance_scale is "):
        models.build("lenet5", distance_scale=value)


@pytest.mark.parametrize("value", [["relu"], None, 1, torch.relu])
def test_an_option_that_is_no_word(value):
    with pytest.raises(ValueError, match=r"activation is .*; expected a str, such as 'relu'"):
        models.build("lenet5_simple", activation=value)


def test_the_options_of_a_model_with_their_defaults():
    assert models.options("lenet5_simple") == {"activation": "relu", "pooling": "max"}
    assert models.options("lenet5") == {"head": "rbf", "distance_scale": 0.1}
    with pytest.raises(ValueError, match="no model is called 'lenet6'; there are lenet5, lenet5_simple"):
        models.options("lenet6")
