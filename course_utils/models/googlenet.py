"""GoogLeNet as its paper has it, the form that goes by its name in libraries today, and its plan for 32 x 32 images.

Szegedy et al., "Going deeper with convolutions", CVPR 2015: Table 1 and section 5 for the network, figure 2(b) for the
module, figure 3 for response normalization and the auxiliary classifiers.

| `googlenet` | the paper | torchvision | here |
|---|---|---|---|
| third branch | 5 x 5 | 3 x 3, a slip that its weights preserve | 5 x 5; `form` chooses |
| normalization | response normalization, twice | batch norm everywhere | the paper's; with `batch_norm` that instead |
| constants of response normalization | not said | none | those of AlexNet |
| pooling before 5a | 3 x 3, stride 2 | 2 x 2, stride 2 | the paper's; `form` chooses |
| padding of pools | not said; 112 becomes 56 | none; windows may overhang at the end | the same |
| dropout | 0.4; 0.7 in auxiliary heads | 0.2; 0.7 | the paper's; `form` chooses |
| pooling in auxiliary heads | means of 5 x 5, stride 3 | adaptive: means of 4 x 4 | the paper's; `form` chooses |
| auxiliary heads | in training, loss times 0.3 | an option | an option, off: 6,379,728 parameters for training only |
| initial weights | not said | N(0, 0.01^2) | N(0, 2 / n_in); 1 / n_in in the last layer; biases 0 |

| `small_googlenet` | the paper | here |
|---|---|---|
| image | 224 x 224 | 32 x 32 |
| stem | 7 x 7 stride 2, pool, 1 x 1, 3 x 3, pool | 3 x 3 stride 1, pool, 1 x 1, 3 x 3 |
| maps of the stages 3, 4, 5 | 28, 14, 7 | 16, 8, 4: half as wide at 32, 16, 8 takes nearly twice the time |
| widths | Table 1 | half of Table 1; `width` is the factor |
| normalization | response normalization | batch norm; `batch_norm=False`: none |
| dropout | 0.4 | 0.2: the last layer has few inputs; `dropout` chooses |
| auxiliary heads | two | none: batch norm does what they were for |
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models.alexnet import ResponseNorm, check_probability
from course_utils.models.initialization import he_normal
from course_utils.models.sizes import check_images

FORMS = ("paper", "torchvision")

# Table 1, a row a module: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
TABLE = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}


class ConvReLU(nn.Module):
    """A convolution, batch norm if wanted, and ReLU: in GoogLeNet all convolutions have one (section 5)."""

    def __init__(self, in_channels, out_channels, kernel_size, *, stride=1, batch_norm=False):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=not batch_norm)
        if batch_norm:
            self.bn = nn.BatchNorm2d(out_channels, eps=0.001)  # eps as in Inception's own program and torchvision
        self.batch_norm = batch_norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return F.relu(self.bn(x) if self.batch_norm else x)


class Inception(nn.Module):
    """Figure 2(b): four branches see the same maps, and their outputs are put side by side.

    The widths are a row of Table 1: `reduce` is the 1 x 1 convolution before a larger one, `pool_proj` the one behind
    the pooling. large_kernel is 5, and 3 in torchvision's form.
    """

    def __init__(
        self, in_channels, n1x1, n3x3_reduce, n3x3, n5x5_reduce, n5x5, pool_proj, *, large_kernel=5, batch_norm=False
    ):
        super().__init__()

        def conv(*sizes):
            return ConvReLU(*sizes, batch_norm=batch_norm)

        self.branch1 = conv(in_channels, n1x1, 1)
        self.branch2 = nn.Sequential(conv(in_channels, n3x3_reduce, 1), conv(n3x3_reduce, n3x3, 3))
        self.branch3 = nn.Sequential(conv(in_channels, n5x5_reduce, 1), conv(n5x5_reduce, n5x5, large_kernel))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, pool_proj, 1))
        self.out_channels = n1x1 + n3x3 + n5x5 + pool_proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class AuxiliaryHead(nn.Sequential):
    """A classifier on the maps of a module half way up, for training only (section 5)."""

    def __init__(self, in_channels, num_classes, pool, batch_norm):
        super().__init__(
            pool,  # 14 x 14 to 4 x 4
            ConvReLU(in_channels, 128, 1, batch_norm=batch_norm),
            nn.Flatten(),  # 2,048
            nn.Linear(4 * 4 * 128, 1024),
            nn.ReLU(),
            nn.Dropout(0.7),
            nn.Linear(1024, num_classes),
        )


class GoogLeNet(nn.Module):
    """A stem, the nine modules of Table 1 with pools between the stages, a mean over each map, dropout, linear.

    With auxiliary heads, forward returns (logits, auxiliary1, auxiliary2) in training mode, whose losses count
    `auxiliary_weight` times (section 5), and logits alone in eval mode.
    """

    auxiliary_weight = 0.3

    def __init__(self, name, trunk, heads, dropout, num_classes, input_size, least):
        super().__init__()
        self.name, self.input_size, self.least = name, input_size, least
        self.trunk = nn.Sequential(trunk)
        self.heads = nn.ModuleDict(heads)  # {"inception4a": ...}: the module whose maps the head sees
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(trunk["inception5b"].out_channels, num_classes)
        first = next(layer for layer in self.modules() if isinstance(layer, nn.Conv2d))
        self.in_channels = first.in_channels
        for network in (self, *self.heads.values()):  # each with a classifier of its own
            he_normal(network)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        heads = self.heads if self.training else {}
        # Means of 5 x 5 in steps of 3 leave the heads their 4 x 4 of maps of 14 to 16 pixels, which these sizes give.
        check_images(x, self.name, self.in_channels, *((223, 270) if heads else (self.least, None)))
        auxiliary = []
        for name, layer in self.trunk.named_children():
            x = layer(x)
            if name in heads:
                auxiliary.append(heads[name](x))
        logits = self.fc(self.dropout(x.mean(dim=(2, 3))))
        return (logits, *auxiliary) if auxiliary else logits


def _add_modules(trunk, in_channels, table, last_pool, **options):
    """Put the modules of `table` into the trunk, a pool behind the stages 3 and 4."""
    for name, widths in table.items():
        trunk[name] = Inception(in_channels, *widths, **options)
        in_channels = trunk[name].out_channels
        if name == "inception3b":
            trunk["pool3"] = nn.MaxPool2d(3, 2, ceil_mode=True)
        if name == "inception4e":
            trunk["pool4"] = nn.MaxPool2d(last_pool, 2, ceil_mode=True)


def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    auxiliary: bool = False,
    batch_norm: bool = False,
    form: str = "paper",
) -> GoogLeNet:
    """GoogLeNet: N x in_channels x 224 x 224 in, N x num_classes out; 6,998,552 parameters at the paper's sizes.

    auxiliary: with the two heads, 13,378,280 parameters; training mode then returns a tuple of three. batch_norm: in
    each convolution, in place of response normalization. form: paper, or torchvision (6,624,904 parameters without
    heads; always with batch norm). Raises ValueError for another form.
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}; googlenet has {', '.join(FORMS)}")
    paper = form == "paper"
    batch_norm = batch_norm or not paper
    trunk: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=ConvReLU(in_channels, 64, 7, stride=2, batch_norm=batch_norm),  # 112 x 112
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),  # 56 x 56
        norm1=ResponseNorm(),
        conv2=ConvReLU(64, 64, 1, batch_norm=batch_norm),
        conv3=ConvReLU(64, 192, 3, batch_norm=batch_norm),
        norm2=ResponseNorm(),
        pool2=nn.MaxPool2d(3, 2, ceil_mode=True),  # 28 x 28, then 14 x 14 and 7 x 7
    )
    if batch_norm:
        del trunk["norm1"], trunk["norm2"]
    large_kernel, last_pool, least = (5, 3, 31) if paper else (3, 2, 15)  # a window of 3 finds nothing in one pixel
    _add_modules(trunk, 192, TABLE, last_pool, large_kernel=large_kernel, batch_norm=batch_norm)
    heads = {}
    for name, channels in (("inception4a", 512), ("inception4d", 528)) if auxiliary else ():
        pool = nn.AvgPool2d(5, 3) if paper else nn.AdaptiveAvgPool2d(4)
        heads[name] = AuxiliaryHead(channels, num_classes, pool, batch_norm)
    return GoogLeNet("googlenet", trunk, heads, 0.4 if paper else 0.2, num_classes, 224, least)


def small_googlenet(
    num_classes: int = 10, in_channels: int = 3, width: float = 0.5, dropout: float = 0.2, batch_norm: bool = True
) -> GoogLeNet:
    """GoogLeNet's nine modules for small images: N x in_channels x 32 x 32 in, N x num_classes out.

    width: times the widths of Table 1. Raises ValueError for a width that is not positive, or a probability that is
    none.
    """
    if not 0 < width <= 4:
        raise ValueError(f"width is {width!r}; expected above 0 and at most 4, a part of Table 1's widths")
    check_probability(dropout)
    table = {name: [max(1, round(width * n)) for n in widths] for name, widths in TABLE.items()}
    narrow, wide = (max(1, round(width * n)) for n in (64, 192))
    trunk: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=ConvReLU(in_channels, narrow, 3, batch_norm=batch_norm),  # 32 x 32
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),  # 16 x 16
        conv2=ConvReLU(narrow, narrow, 1, batch_norm=batch_norm),
        conv3=ConvReLU(narrow, wide, 3, batch_norm=batch_norm),
    )
    _add_modules(trunk, wide, table, 3, batch_norm=batch_norm)  # 16 x 16, 8 x 8, 4 x 4
    return GoogLeNet("small_googlenet", trunk, {}, dropout, num_classes, 32, least=32)
