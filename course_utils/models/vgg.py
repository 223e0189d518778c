"""VGG networks: stages of 3 x 3 convolutions, each stage with maps half as large and twice as many.

Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition" (ICLR 2015): Table 1 for the
configurations A to E, section 2.1 for the layers, section 3.1 for dropout and initial weights.

| `vgg11` to `vgg19` | the paper | torchvision | here |
|---|---|---|---|
| initial weights | N(0, 0.01); deep nets began with layers of A | N(0, 2 / outputs) | N(0, 2 / inputs) (He) |
| linear layers' weights | the same | N(0, 0.0001) | N(0, 2 / inputs); of the last N(0, 1 / inputs) |
| image sizes | 224, in training | any of 32 on: averaged to 7 x 7 | 224 to 255, which leave 7 x 7 |
| batch norm | none | `_bn`: convolutions keep biases, no use | the same, for its counts |
| local response norm | A-LRN: no gain | left out | left out |
| dropout | 1/2 behind the first two linear layers | the same | the same |

| `small_vgg11` to `small_vgg19` | the paper | common implementations | here |
|---|---|---|---|
| images | 224 x 224: the stages leave 7 x 7 | 32 x 32: 1 x 1 | 32 x 32 and larger |
| classifier | three linear layers, 4,096 units | flattened, one linear layer | mean of each map, one linear layer |
| batch norm | none | with biases before it | without; `batch_norm=False`: none, but biases |
| channels | 64 to 512 | the same | `width` 32 to 256, for two CPU cores |

At 32 x 32 the mean is that of one pixel, so the flattened map itself; it takes larger images too.
"""

import torch
from torch import nn

from course_utils.models.initialization import he_normal
from course_utils.models.sizes import check_images, check_width

# Table 1: the kernel sizes of each stage's convolutions. D and E are A and B with more of them in stages 3 to 5.
TABLE_1 = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
CHANNELS = (1, 2, 4, 8, 8)  # of each stage, in widths


def _stages(configuration, in_channels, width, batch_norm, bias):
    """The five stages of a column of Table 1, each of which ends with the maxima of 2 x 2 and so halves the maps."""
    stages = nn.Sequential()
    for kernel_sizes, widths in zip(TABLE_1[configuration], CHANNELS, strict=True):
        stage, channels = nn.Sequential(), widths * width
        for kernel_size in kernel_sizes:
            stage.append(nn.Conv2d(in_channels, channels, kernel_size, padding=kernel_size // 2, bias=bias))
            if batch_norm:
                stage.append(nn.BatchNorm2d(channels))
            stage.append(nn.ReLU())
            in_channels = channels
        stages.append(stage.append(nn.MaxPool2d(2)))
    return stages


class VGG(nn.Module):
    """Five stages and three linear layers."""

    input_size = 224

    def __init__(self, name, configuration, num_classes, in_channels, batch_norm=False):
        super().__init__()
        self.name, self.in_channels = name, in_channels
        self.stages = _stages(configuration, in_channels, 64, batch_norm, bias=True)  # 512 x 7 x 7
        self.classifier = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
            nn.Linear(4096, num_classes),
        )
        he_normal(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_images(x, self.name, self.in_channels, 224, 255)
        return self.classifier(self.stages(x))


class SmallVGG(nn.Module):
    """Five stages, the mean of each map, one linear layer."""

    input_size = 32

    def __init__(self, name, configuration, num_classes, in_channels, width, batch_norm):
        super().__init__()
        check_width(width)
        self.name, self.in_channels = name, in_channels
        self.stages = _stages(configuration, in_channels, width, batch_norm, bias=not batch_norm)  # 8 width x 1 x 1
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.output = nn.Linear(CHANNELS[-1] * width, num_classes)
        he_normal(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_images(x, self.name, self.in_channels, 32)
        return self.output(self.pool(self.stages(x)).flatten(1))


def vgg11(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """Configuration A of Table 1, 11 layers with weights: 132,863,336 parameters."""
    return VGG("vgg11", "A", num_classes, in_channels)


def vgg13(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """Configuration B of Table 1, 13 layers with weights: 133,047,848 parameters."""
    return VGG("vgg13", "B", num_classes, in_channels)


def vgg16(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """Configuration D of Table 1, 16 layers with weights: 138,357,544 parameters."""
    return VGG("vgg16", "D", num_classes, in_channels)


def vgg19(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """Configuration E of Table 1, 19 layers with weights: 143,667,240 parameters."""
    return VGG("vgg19", "E", num_classes, in_channels)


def vgg11_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """vgg11 with batch norm behind each convolution: 132,868,840 parameters."""
    return VGG("vgg11_bn", "A", num_classes, in_channels, batch_norm=True)


def vgg13_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """vgg13 with batch norm behind each convolution: 133,053,736 parameters."""
    return VGG("vgg13_bn", "B", num_classes, in_channels, batch_norm=True)


def vgg16_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """vgg16 with batch norm behind each convolution: 138,365,992 parameters."""
    return VGG("vgg16_bn", "D", num_classes, in_channels, batch_norm=True)


def vgg19_bn(num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """vgg19 with batch norm behind each convolution: 143,678,248 parameters."""
    return VGG("vgg19_bn", "E", num_classes, in_channels, batch_norm=True)


def small_vgg11(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> SmallVGG:
    """Configuration A for images of 32 x 32 or larger: 2,310,186 parameters. Raises ValueError for a width below 1."""
    return SmallVGG("small_vgg11", "A", num_classes, in_channels, width, batch_norm)


def small_vgg13(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> SmallVGG:
    """Configuration B for images of 32 x 32 or larger: 2,356,458 parameters. Raises ValueError for a width below 1."""
    return SmallVGG("small_vgg13", "B", num_classes, in_channels, width, batch_norm)


def small_vgg16c(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> SmallVGG:
    """Configuration C for images of 32 x 32 or larger: 2,505,194 parameters. Raises ValueError for a width below 1."""
    return SmallVGG("small_vgg16c", "C", num_classes, in_channels, width, batch_norm)


def small_vgg16(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> SmallVGG:
    """Configuration D for images of 32 x 32 or larger: 3,684,842 parameters. Raises ValueError for a width below 1."""
    return SmallVGG("small_vgg16", "D", num_classes, in_channels, width, batch_norm)


def small_vgg19(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> SmallVGG:
    """Configuration E for images of 32 x 32 or larger: 5,013,226 parameters. Raises ValueError for a width below 1."""
    return SmallVGG("small_vgg19", "E", num_classes, in_channels, width, batch_norm)
