"""Images that a network takes, and the line that refuses the others."""

import pytest
import torch

from course_utils.models.sizes import check_images, check_width


@pytest.mark.parametrize("shape", [(2, 3, 224, 224), (1, 3, 255, 224), (1, 3, 224, 255), (0, 3, 240, 240)])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_taken(shape, device):
    check_images(torch.empty(shape, device=device), "vgg16", 3, 224, 255)
    check_images(torch.empty(shape, device=device), "resnet18", 3, 1)


@pytest.mark.parametrize(
    "shape",
    [(2, 3, 223, 224), (2, 3, 224, 223), (2, 3, 256, 224), (2, 3, 224, 256), (2, 1, 224, 224), (3, 224, 224), (2,), ()],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_refused(shape, device):
    with pytest.raises(ValueError, match=r"; vgg16 takes N x 3 x 224 x 224 to N x 3 x 255 x 255$"):
        check_images(torch.empty(shape, device=device), "vgg16", 3, 224, 255)


def test_what_the_line_says():
    image = torch.empty(2, 1, 28, 20)
    with pytest.raises(ValueError, match=r"^the images are 2 x 1 x 28 x 20; small takes N x 3 x 32 x 32 or larger$"):
        check_images(image, "small", 3, 32)
    with pytest.raises(ValueError, match=r"^the images are 2 x 1 x 28 x 20; lenet5 takes N x 1 x 32 x 32$"):
        check_images(image, "lenet5", 1, 32, 32)


def test_a_compiled_network_refuses_too():
    @torch.compile(backend="eager")
    def doubled(x):
        check_images(x, "small", 3, 32)
        return 2 * x

    image = torch.ones(1, 3, 32, 40)
    assert torch.equal(doubled(image), 2 * image)
    for shape in ((1, 3, 32, 31), (1, 4, 32, 32), (3, 3, 16, 16)):
        with pytest.raises(ValueError, match="small takes N x 3 x 32 x 32 or larger"):
            doubled(torch.ones(shape))


def test_width():
    check_width(1)
    for width in (0, -8, 1025, 10**21):
        with pytest.raises(ValueError, match=f"^width is {width}; expected at least 1 and at most 1024$"):
            check_width(width)
