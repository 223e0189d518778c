"""Our networks beside torchvision's: the same weights, by their order, give the same outputs.

torchvision is an optional extra; its builds fit one build of torch, so where it cannot be imported, this is skipped.
"""

import pytest
import torch

from course_utils import models

try:
    import torchvision
except (ImportError, RuntimeError) as error:  # not there, or made for another build of torch
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
QUIET = {"googlenet": {"aux_logits": False, "init_weights": False}}  # torch's own initial weights do as well


def pair(name, **options):
    """torchvision's network with some state in its norms, and ours with the same numbers."""
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(weights=None, **QUIET.get(name, {})).eval()
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


def test_a_stride_elsewhere_gives_other_outputs():
    theirs, ours = pair("resnet50", stride_in="1x1")
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(ours(image), theirs(image), rtol=1e-2, atol=1e-2)
