"""Residual networks, and their plain twins: the same layers without the paths around them.

He, Zhang, Ren & Sun, "Deep residual learning for image recognition" (CVPR 2016): section 3.3 for the plan, Table 1 for
224 x 224 images, section 4.2 for 32 x 32, section 4.1 for the shortcuts A, B and C, figure 5 for the two blocks.

| | the paper | torchvision, Facebook's Torch version | here |
|---|---|---|---|
| stride of a bottleneck | not said; the authors' Caffe models: first 1 x 1 | the 3 x 3 | 1x1; `stride_in="3x3"` |
| shortcuts, 18 and 34 layers | A in Table 2; A, B and C in Table 3 | B | B; `shortcut` chooses |
| A's zeros | "extra zero entries" | Torch: behind the channels | behind the channels |
| initial weights | as He et al. 2015: 2 / n, n inputs or outputs | n outputs | n inputs, classifier 1 / n |
| last norm of a block | not said | scale 1; torchvision: 0 is an option | scale 1 |
| smallest image | 224 or 32 | none | 1 pixel: padding leaves no map empty; no largest |

| 32 x 32 images | the paper | common implementations | here |
|---|---|---|---|
| `resnet20` to `resnet110` | A, 10 classes | A (or B, with more parameters) | A; `shortcut` chooses |
| `small_resnet18` | has none | 18 layers, stem 3 x 3, no pooling, width 64 | the same; `width` 32, for two CPU cores |
| without batch norm | always with | always with | `batch_norm=False` there: convolutions get biases |
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models.initialization import he_normal
from course_utils.models.sizes import check_images, check_width

STRIDED = {"1x1": 0, "3x3": 1}  # which layer of a bottleneck has the stride

# Table 1: the blocks of conv2_x to conv5_x.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _basic(channels):
    """Figure 5, left: (kernel size, channels) a layer."""
    return (3, channels), (3, channels)


def _bottleneck(channels):
    """Figure 5, right: fewer channels while the window is large."""
    return (1, channels), (3, channels), (1, 4 * channels)


def _conv(in_channels, channels, kernel_size, stride, batch_norm):
    """A convolution that keeps the size but for its stride, and its norm, whose shift makes a bias superfluous."""
    padding = kernel_size // 2
    conv = nn.Conv2d(in_channels, channels, kernel_size, stride, padding, bias=not batch_norm)
    return [conv, nn.BatchNorm2d(channels)] if batch_norm else [conv]


class ZeroPadded(nn.Module):
    """Shortcut A: every `stride`-th pixel, and channels of zeros behind those that there are."""

    def __init__(self, stride, zeros):
        super().__init__()
        self.stride, self.zeros = stride, zeros

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.zeros))


def _shortcut(option, in_channels, channels, stride, batch_norm):
    """Section 4.1: A has no parameters, B a projection (1 x 1) where the shape changes, C everywhere; None is none."""
    same = stride == 1 and in_channels == channels
    if option is None:
        return None
    if option == "C" or (option == "B" and not same):
        return nn.Sequential(*_conv(in_channels, channels, 1, stride, batch_norm))
    return nn.Identity() if same else ZeroPadded(stride, channels - in_channels)


class Block(nn.Module):
    """relu(F(x) + x), equations 1 and 2: `residual` is F, `shortcut` the path around it, None in a plain network."""

    def __init__(self, in_channels, layers, stride, strided, shortcut, batch_norm):
        super().__init__()
        residual, before = [], in_channels
        for i, (kernel_size, channels) in enumerate(layers):
            residual += _conv(before, channels, kernel_size, stride if i == strided else 1, batch_norm)
            residual.append(nn.ReLU())
            before = channels
        self.residual = nn.Sequential(*residual[:-1])  # the last ReLU comes after the addition
        self.shortcut = _shortcut(shortcut, in_channels, before, stride, batch_norm)
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.residual(x)
        return self.relu(y if self.shortcut is None else y + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, stages of blocks, the mean of each map, a linear layer. `plan` has (stage, blocks, layers of a block)."""

    def __init__(self, name, input_size, stem, plan, num_classes, shortcut, strided=0, batch_norm=True):
        super().__init__()
        if shortcut not in ("A", "B", "C", None):
            raise ValueError(f"shortcut is {shortcut!r}; {name} has A, B, C")
        self.name, self.input_size = name, input_size
        self.stem, channels, stages = stem, stem[0].out_channels, OrderedDict()
        for stage, blocks, layers in plan:
            stages[stage] = nn.Sequential()
            for i in range(blocks):
                stride = 2 if i == 0 and len(stages) > 1 else 1  # conv3_1, conv4_1 and conv5_1 halve the maps
                stages[stage].append(Block(channels, layers, stride, strided, shortcut, batch_norm))
                channels = layers[-1][1]
        self.stages = nn.Sequential(stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.output = nn.Linear(channels, num_classes)
        he_normal(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_images(x, self.name, self.stem[0].in_channels, 1)
        return self.output(self.pool(self.stages(self.stem(x))).flatten(1))


def _imagenet(name, layers, block, num_classes, in_channels, shortcut, stride_in="1x1"):
    """Table 1. For 224 x 224 images the stem gives 64 x 56 x 56, the stages 56, 28, 14 and 7 pixels a side."""
    if stride_in not in STRIDED:
        raise ValueError(f"stride_in is {stride_in!r}; {name} has {', '.join(STRIDED)}")
    stem = nn.Sequential(*_conv(in_channels, 64, 7, 2, True), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    stages = ("conv2_x", "conv3_x", "conv4_x", "conv5_x")
    plan = zip(stages, BLOCKS[layers], map(block, (64, 128, 256, 512)), strict=True)
    return ResNet(name, 224, stem, plan, num_classes, shortcut, STRIDED[stride_in])


def _cifar(name, layers, num_classes, in_channels, shortcut):
    """Section 4.2: 6n + 2 layers. For 32 x 32 images the stages give 16 x 32 x 32, 32 x 16 x 16 and 64 x 8 x 8."""
    stem = nn.Sequential(*_conv(in_channels, 16, 3, 1, True), nn.ReLU())
    plan = [(f"conv{i + 2}_x", (layers - 2) // 6, _basic(16 * 2**i)) for i in range(3)]
    return ResNet(name, 32, stem, plan, num_classes, shortcut)


def _small(name, num_classes, in_channels, width, batch_norm, shortcut):
    """Table 1's 18 layers. For 32 x 32 images the stages give 32, 16, 8 and 4 pixels a side, width to 8 width maps."""
    check_width(width)
    stem = nn.Sequential(*_conv(in_channels, width, 3, 1, batch_norm), nn.ReLU())
    plan = [(f"conv{i + 2}_x", blocks, _basic(width * 2**i)) for i, blocks in enumerate(BLOCKS[18])]
    return ResNet(name, 32, stem, plan, num_classes, shortcut, batch_norm=batch_norm)


def resnet18(num_classes: int = 1000, in_channels: int = 3, shortcut: str = "B") -> ResNet:
    """Table 1, 18 layers: 11,689,512 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _imagenet("resnet18", 18, _basic, num_classes, in_channels, shortcut)


def resnet34(num_classes: int = 1000, in_channels: int = 3, shortcut: str = "B") -> ResNet:
    """Table 1, 34 layers: 21,797,672 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _imagenet("resnet34", 34, _basic, num_classes, in_channels, shortcut)


def resnet50(num_classes: int = 1000, in_channels: int = 3, shortcut: str = "B", stride_in: str = "1x1") -> ResNet:
    """Table 1, 50 layers: 25,557,032 parameters. ValueError for another shortcut, or stride_in not 1x1 or 3x3."""
    return _imagenet("resnet50", 50, _bottleneck, num_classes, in_channels, shortcut, stride_in)


def resnet101(num_classes: int = 1000, in_channels: int = 3, shortcut: str = "B", stride_in: str = "1x1") -> ResNet:
    """Table 1, 101 layers: 44,549,160 parameters. ValueError for another shortcut, or stride_in not 1x1 or 3x3."""
    return _imagenet("resnet101", 101, _bottleneck, num_classes, in_channels, shortcut, stride_in)


def resnet152(num_classes: int = 1000, in_channels: int = 3, shortcut: str = "B", stride_in: str = "1x1") -> ResNet:
    """Table 1, 152 layers: 60,192,808 parameters. ValueError for another shortcut, or stride_in not 1x1 or 3x3."""
    return _imagenet("resnet152", 152, _bottleneck, num_classes, in_channels, shortcut, stride_in)


def plain18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """The 18 layers of Table 1 without shortcuts: as many parameters as resnet18 with shortcuts A."""
    return _imagenet("plain18", 18, _basic, num_classes, in_channels, None)


def plain34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """The 34 layers of Table 1 without shortcuts: as many parameters as resnet34 with shortcuts A."""
    return _imagenet("plain34", 34, _basic, num_classes, in_channels, None)


def resnet20(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> ResNet:
    """Section 4.2, 20 layers: 269,722 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _cifar("resnet20", 20, num_classes, in_channels, shortcut)


def resnet32(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> ResNet:
    """Section 4.2, 32 layers: 464,154 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _cifar("resnet32", 32, num_classes, in_channels, shortcut)


def resnet44(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> ResNet:
    """Section 4.2, 44 layers: 658,586 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _cifar("resnet44", 44, num_classes, in_channels, shortcut)


def resnet56(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> ResNet:
    """Section 4.2, 56 layers: 853,018 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _cifar("resnet56", 56, num_classes, in_channels, shortcut)


def resnet110(num_classes: int = 10, in_channels: int = 3, shortcut: str = "A") -> ResNet:
    """Section 4.2, 110 layers: 1,727,962 parameters. Raises ValueError for a shortcut other than A, B or C."""
    return _cifar("resnet110", 110, num_classes, in_channels, shortcut)


def plain20(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Section 4.2, 20 layers without shortcuts: 269,722 parameters, as resnet20 has."""
    return _cifar("plain20", 20, num_classes, in_channels, None)


def plain32(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Section 4.2, 32 layers without shortcuts: 464,154 parameters, as resnet32 has."""
    return _cifar("plain32", 32, num_classes, in_channels, None)


def plain44(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Section 4.2, 44 layers without shortcuts: 658,586 parameters, as resnet44 has."""
    return _cifar("plain44", 44, num_classes, in_channels, None)


def plain56(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Section 4.2, 56 layers without shortcuts: 853,018 parameters, as resnet56 has."""
    return _cifar("plain56", 56, num_classes, in_channels, None)


def plain110(num_classes: int = 10, in_channels: int = 3) -> ResNet:
    """Section 4.2, 110 layers without shortcuts: 1,727,962 parameters, as resnet110 has."""
    return _cifar("plain110", 110, num_classes, in_channels, None)


def small_resnet18(
    num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True, shortcut: str = "B"
) -> ResNet:
    """The 18 layers of Table 1 for 32 x 32 images: a stem of 3 x 3, no pooling, and `width` maps in conv2_x.

    Width 64 is the full one: 11,173,962 parameters; 32 has 2,797,610. Raises ValueError for a width below 1, or for
    another shortcut.
    """
    return _small("small_resnet18", num_classes, in_channels, width, batch_norm, shortcut)


def small_plain18(num_classes: int = 10, in_channels: int = 3, width: int = 32, batch_norm: bool = True) -> ResNet:
    """small_resnet18 without shortcuts; width and batch_norm as there."""
    return _small("small_plain18", num_classes, in_channels, width, batch_norm, None)
