"""Networks by name: what is there, how large, what each takes and gives, and what is refused."""

import numpy as np
import pytest
import torch

from course_utils import models

# Trainable parameters. Large images: shapes are followed on torch's "meta" device, which stores no numbers.
LARGE = {
    "alexnet": 60_965_224,
    "zfnet": 62_357_608,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "googlenet": 6_998_552,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "plain18": 11_515_688,
    "plain34": 21_623_848,
}
SMALL = {
    "lenet5": 60_000,
    "lenet5_simple": 61_706,
    "small_alexnet": 565_186,
    "small_vgg11": 2_310_186,
    "small_vgg13": 2_356_458,
    "small_vgg16c": 2_505_194,
    "small_vgg16": 3_684_842,
    "small_vgg19": 5_013_226,
    "small_googlenet": 1_502_490,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "plain20": 269_722,
    "plain32": 464_154,
    "plain44": 658_586,
    "plain56": 853_018,
    "plain110": 1_727_962,
    "small_resnet18": 2_797_610,
    "small_plain18": 2_753_706,
    "fast_cnn": 1_971_352,
}
COUNTS = LARGE | SMALL


def place(name):
    return torch.device("meta" if name in LARGE else "cpu")


def test_known_names():
    assert sorted(models.available()) == sorted(COUNTS)
    order = ["lenet5", "alexnet", "zfnet", "small_alexnet", "vgg11", "small_vgg11", "googlenet", "small_googlenet"]
    order += ["resnet18", "plain18", "resnet20", "plain20", "small_resnet18", "small_plain18", "fast_cnn"]
    assert [name for name in models.available() if name in order] == order


@pytest.mark.parametrize("name", COUNTS)
def test_trainable_parameters(name):
    with torch.device("meta"):
        model = models.build(name)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == COUNTS[name]
    assert model.input_size == (224 if name in LARGE else 32)


@pytest.mark.parametrize("name", COUNTS)
def test_forward_and_backward_at_other_classes_and_channels(name):
    torch.manual_seed(0)
    with place(name):
        model = models.build(name, num_classes=7, in_channels=2)
        images = torch.randn(4, 2, model.input_size, model.input_size)
    outputs = model(images)
    assert outputs.shape == (4, 7)
    outputs.logsumexp(1).sum().backward()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    if name in SMALL:
        for key, parameter in model.named_parameters():
            assert not parameter.requires_grad or (parameter.grad.isfinite().all() and parameter.grad.any()), key


@pytest.mark.parametrize("name", COUNTS)
def test_one_class_one_channel_one_image_are_enough(name):
    with place(name):
        model = models.build(name, num_classes=1, in_channels=1).eval()
        image = torch.zeros(1, 1, model.input_size, model.input_size)
    with torch.no_grad():
        assert model(image).shape == (1, 1)


@pytest.mark.parametrize("name", [name for name in SMALL if not name.endswith(("32", "44", "56", "110"))])
def test_the_seed_decides_and_none_is_the_default(name):
    torch.manual_seed(0)
    first = models.build(name)
    torch.manual_seed(0)
    second = models.build(name, num_classes=None, in_channels=None)
    for (key, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


@pytest.mark.parametrize("name", COUNTS)
def test_other_images_are_refused_with_those_that_work(name):
    with torch.device("meta"):
        model = models.build(name, in_channels=3).eval()
        side = model.input_size
        others = [torch.empty(1, 2, side, side), torch.empty(3, side, side), torch.empty(1, 3, side, 0)]
    said = "LeNet" if "lenet5" in name else name
    for images in others:
        came = " x ".join(map(str, images.shape))
        with pytest.raises(ValueError, match=rf"the images are {came}; {said} takes N x 3 x \d+ x \d+"):
            model(images)


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
    with pytest.raises(ValueError, match=r"vgg16 has no option 'width'; it has none"):
        models.build("vgg16", width=8)


@pytest.mark.parametrize("value", [0, -3, 2.0, "10", True])
@pytest.mark.parametrize("size", ["num_classes", "in_channels"])
def test_sizes_are_whole_numbers_from_one(size, value):
    with pytest.raises(ValueError, match=f"{size} is {value!r}"):
        models.build("lenet5_simple", **{size: value})


@pytest.mark.parametrize("size", ["num_classes", "in_channels"])
def test_sizes_of_numpy_and_sizes_beyond_all_memory(size):
    with torch.device("meta"):
        first, *_, last = models.build("resnet20", **{size: np.int64(4)}).parameters()
        assert {"num_classes": last, "in_channels": first[0]}[size].shape[0] == 4
        for much in (10**18, 10**30):
            with pytest.raises(ValueError, match="resnet20 cannot be made so large"):
                models.build("resnet20", **{size: much})


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1], float("nan"), float("inf"), 0, -1])
def test_an_option_of_another_kind(value):
    with pytest.raises(ValueError, match="distance_scale is "):
        models.build("lenet5", distance_scale=value)


@pytest.mark.parametrize(("option", "value"), [("width", 16.0), ("width", True), ("batch_norm", 1), ("shortcut", None)])
def test_an_option_of_another_kind_in_a_network_of_small_images(option, value):
    with pytest.raises(ValueError, match=f"{option} is {value!r}; expected a "):
        models.build("small_resnet18", **{option: value})


@pytest.mark.parametrize("value", [["relu"], None, 1, torch.relu])
def test_an_option_that_is_no_word(value):
    with pytest.raises(ValueError, match=r"activation is .*; expected a str, such as 'relu'"):
        models.build("lenet5_simple", activation=value)


def test_the_options_of_a_model_with_their_defaults():
    assert models.options("lenet5_simple") == {"activation": "relu", "pooling": "max"}
    assert models.options("lenet5") == {"head": "rbf", "distance_scale": 0.1}
    assert models.options("small_vgg16") == {"width": 32, "batch_norm": True}
    with pytest.raises(ValueError, match="no model is called 'lenet6'; there are lenet5, lenet5_simple"):
        models.options("lenet6")
