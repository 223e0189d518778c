"""Our networks beside torchvision's: the same weights, by their order, give the same outputs.

torchvision is an optional extra, so where it cannot be imported, this is skipped. With torch 2.13.0 (CPU) and
torchvision 0.28.0 all agree.
"""

import pytest
import torch

from course_utils import models

OPERATORS = torch.library.Library("torchvision", "FRAGMENT")  # lives as long as what is defined in it
try:
    try:
        import torchvision
    except RuntimeError:  # its CUDA build beside torch's CPU build: no network needs these two, but the import does
        for name in ("nms", "qnms"):
            OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
except (ImportError, RuntimeError) as error:  # not there, or made for another version of torch
    pytest.skip(f"torchvision cannot be imported: {error}", allow_module_level=True)

# Our options that make torchvision's network of that name.
SAME = {
    "alexnet": {"form": "torchvision"},
    **{f"vgg{layers}{norm}": {} for layers in (11, 13, 16, 19) for norm in ("", "_bn")},
    "googlenet": {"form": "torchvision"},
    "resnet18": {},
    "resnet34": {},
    **{f"resnet{layers}": {"stride_in": "3x3"} for layers in (50, 101, 152)},
}


def pair(name, **options):
    """torchvision's network with some state in its norms, and ours with the same numbers."""
    torch.manual_seed(0)
    # init_weights unset, torchvision warns; torch's own initial weights do as well
    quiet = {"aux_logits": "auxiliary" in options, "init_weights": False} if name == "googlenet" else {}
    theirs = getattr(torchvision.models, name)(weights=None, **quiet).eval()
    for layer in theirs.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (layer.bias.data, layer.running_mean):
                tensor.normal_(std=0.1)
    with torch.device("meta"):
        ours = models.build(name, **options)
    ours.to_empty(device="cpu").eval()
    with torch.no_grad():
        for kind in ("parameters", "buffers"):
            for own, other in zip(getattr(ours, kind)(), getattr(theirs, kind)(), strict=True):
                assert own.shape == other.shape  # copy_ would broadcast
                own.copy_(other)
    return theirs, ours


@pytest.mark.parametrize("name", SAME)
def test_the_same_weights_give_the_same_outputs(name):
    theirs, ours = pair(name, **SAME[name])
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        expected, got = theirs(image), ours(image)
    assert expected.std() > 1e-3 and expected.isfinite().all()  # there is something to compare
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_the_auxiliary_heads_give_the_same_outputs():
    theirs, ours = pair("googlenet", form="torchvision", auxiliary=True)
    for layer in (*theirs.modules(), *ours.modules()):
        layer.training = not isinstance(layer, torch.nn.Dropout)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected, got = theirs(images), ours(images)
    in_our_order = (expected.logits, expected.aux_logits1, expected.aux_logits2)
    torch.testing.assert_close(got, in_our_order, rtol=1e-5, atol=1e-5)


def test_a_stride_elsewhere_gives_other_outputs():
    theirs, ours = pair("resnet50", stride_in="1x1")
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(ours(image), theirs(image), rtol=1e-2, atol=1e-2)
