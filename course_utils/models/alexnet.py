"""AlexNet as its paper has it, the form that goes by its name in libraries today, and its plan for 32 x 32 images.

Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012: section
3.5 and figure 2 for the network, 3.3 and 3.4 for response normalization and pooling, 4.2 for dropout, 5 for the initial
weights. form="torchvision" is torchvision's, after Krizhevsky, "One weird trick for parallelizing convolutional neural
networks", arXiv 1404.5997 (2014), which has 384 maps in conv 4.

| `alexnet` | the paper | torchvision | here |
|---|---|---|---|
| image | 224 x 224; to give 55 x 55 it takes 227 | 224, padded by 2 | 224, padded by 2: 227 are read, see below |
| maps of conv 1 to 5 | 96, 256, 384, 384, 256 | 64, 192, 384, 256, 256 | the paper's; `form` chooses |
| groups | conv 2, 4, 5: two, one a GPU | none | two, on one device |
| response normalization | behind conv 1 and 2 | none | the paper's; torch's own divides alpha by n |
| dropout | outputs of the two hidden layers | inputs of the two hidden layers | the paper's; `form` chooses |
| initial weights | N(0, 0.01^2), some biases 1 | torch's default | the paper's; torch's for that form |
| noise on colours | section 4.1 | none | none |

Why 227: a window of 11 in steps of 4 fits (227 - 11) / 4 + 1 = 55 times. Of 224 pixels it would be 54.25 times. With
padding 2 on both sides there are 228, of which the last row and column are never reached: floor(217 / 4) + 1 = 55.

| `small_alexnet` | the paper | here |
|---|---|---|
| image | 224 x 224 | 32 x 32 |
| maps | 96, 256, 384, 384, 256 | a quarter: 24, 64, 96, 96, 64; `width` is the first, the others keep their ratios |
| hidden layers | 4096, 4096 | a sixteenth: 256, 256 |
| conv 1 | 11 x 11, stride 4 | 5 x 5, stride 1: the image is about as small as the 27 x 27 maps that conv 2 sees |
| groups | two | none: they served to fit the network in two GPUs |
| pooling | 3 x 3, stride 2, no padding | padding 1, so that 2 x 2 (`overlap=False`) gives maps of the same sizes |
| normalization | response normalization | batch norm; `lrn` and `batch_norm` choose |
| initial weights | N(0, 0.01^2) | N(0, 2 / n_in), with tanh N(0, 1 / n_in), the last layer too; biases 0 |
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models.initialization import he_normal
from course_utils.models.sizes import check_images, check_width

FORMS = ("paper", "torchvision")
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class AlexNet(nn.Sequential):
    """The layers of an AlexNet, by the numbers of the paper's eight."""

    conv1: nn.Conv2d

    def __init__(self, layers, name="", input_size=None, sides=()):
        super().__init__(layers)
        self.name, self.input_size, self.sides = name, input_size, sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.sides:  # a slice of the layers has none, and takes what it takes
            check_images(x, self.name, self.conv1.in_channels, *self.sides)
        return super().forward(x)


class ResponseNorm(nn.Module):
    """Section 3.3: a map over (2 + 1e-4 * sum of squares) ** 0.75, summed over the 5 maps around it, fewer at the ends.

    Not torch's, which takes alpha times the mean of the squares, and whose gradient differs from run to run on CUDA.
    """

    def forward(self, x):
        exact = torch.promote_types(x.dtype, torch.float32)  # bfloat16 would lose the squares beside the 2
        squares = F.pad(x.to(exact).square(), (0, 0, 0, 0, 2, 2))
        total, maps = torch.zeros_like(squares[:, 4:]), x.shape[1]
        for k in range(5):
            total = total + squares[:, k : k + maps]
        return x * (2 + 1e-4 * total).pow(-0.75).to(x.dtype)


def alexnet(num_classes: int = 1000, in_channels: int = 3, form: str = "paper", dropout: float = 0.5) -> AlexNet:
    """AlexNet: N x in_channels x 224 x 224 in, N x num_classes out; 60,965,224 parameters at the paper's sizes.

    form: paper, or torchvision (61,100,840 parameters). dropout: the probability that a hidden unit is left out.
    Raises ValueError for another form, or a probability that is none.
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}; alexnet has {', '.join(FORMS)}")
    check_probability(dropout)
    paper = form == "paper"
    maps1, maps2, maps3, maps4, maps5 = (96, 256, 384, 384, 256) if paper else (64, 192, 384, 256, 256)
    groups = 2 if paper else 1
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(in_channels, maps1, 11, stride=4, padding=2),  # 55 x 55
        relu1=nn.ReLU(),
        norm1=ResponseNorm(),
        pool1=nn.MaxPool2d(3, 2),  # 27 x 27
        conv2=nn.Conv2d(maps1, maps2, 5, padding=2, groups=groups),
        relu2=nn.ReLU(),
        norm2=ResponseNorm(),
        pool2=nn.MaxPool2d(3, 2),  # 13 x 13
        conv3=nn.Conv2d(maps2, maps3, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(maps3, maps4, 3, padding=1, groups=groups),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(maps4, maps5, 3, padding=1, groups=groups),
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, 2),  # 6 x 6
        flatten=nn.Flatten(),  # 9,216
        drop5=nn.Dropout(dropout),
        fc6=nn.Linear(6 * 6 * maps5, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(dropout),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(dropout),
        fc8=nn.Linear(4096, num_classes),
    )
    for name in ("drop5",) if paper else ("norm1", "norm2", "drop7"):
        del layers[name]
    model = AlexNet(layers, "alexnet", 224, (223, 254))  # images of 223 to 254 pixels come to 6 x 6, too
    if paper:
        initialize(model, ones=("conv2", "conv4", "conv5", "fc6", "fc7"))
    return model


def initialize(model: nn.Module, ones: tuple[str, ...] = ()) -> None:
    """Section 5: weights N(0, 0.01^2); biases 1 in the layers named, so that ReLUs start alive, elsewhere 0."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, float(name in ones))


@torch.no_grad()
def halve_variance(model: AlexNet) -> None:
    """From N(0, 2 / n_in) to N(0, 1 / n_in): tanh passes small signals on whole, where a ReLU halves their power."""
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear) and name != "fc8":
            layer.weight.mul_(0.5**0.5)


def check_probability(dropout: float) -> None:
    """Raises ValueError unless 0 <= dropout < 1."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout!r}; expected at least 0 and below 1")


def small_alexnet(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 24,
    activation: str = "relu",
    lrn: bool = False,
    overlap: bool = True,
    dropout: float = 0.5,
    batch_norm: bool = True,
) -> AlexNet:
    """AlexNet's plan for small images: N x in_channels x 32 x 32 in, N x num_classes out.

    width: maps of conv 1, a multiple of 3. activation: relu or tanh. lrn: response normalization behind conv 1 and 2.
    overlap: pool 3 x 3 windows, not 2 x 2. dropout: of hidden units. batch_norm: in each convolution.
    Raises ValueError for another word, a width that is no positive multiple of 3, or a probability that is none.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}; small_alexnet has {', '.join(ACTIVATIONS)}")
    check_width(width)
    if width % 3:
        raise ValueError(f"width is {width!r}; expected a multiple of 3, for conv 2 has 8 / 3 as many maps")
    check_probability(dropout)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before, maps, hidden = in_channels, (width, width * 8 // 3, width * 4, width * 4, width * 8 // 3), width * 32 // 3
    for k, after in enumerate(maps, start=1):
        size = 5 if k < 3 else 3
        layers[f"conv{k}"] = nn.Conv2d(before, after, size, padding=size // 2, bias=not batch_norm)
        if batch_norm:
            layers[f"bn{k}"] = nn.BatchNorm2d(after)
        layers[f"{activation}{k}"] = ACTIVATIONS[activation]()
        if lrn and k < 3:
            layers[f"norm{k}"] = ResponseNorm()
        if k in (1, 2, 5):  # to 16 x 16, 8 x 8, 4 x 4
            layers[f"pool{k}"] = nn.MaxPool2d(3, 2, padding=1) if overlap else nn.MaxPool2d(2)
        before = after
    layers["flatten"] = nn.Flatten()
    for k, inputs in ((6, 4 * 4 * maps[-1]), (7, hidden)):
        layers[f"fc{k}"] = nn.Linear(inputs, hidden)
        layers[f"{activation}{k}"] = ACTIVATIONS[activation]()
        layers[f"drop{k}"] = nn.Dropout(dropout)
    layers["fc8"] = nn.Linear(hidden, num_classes)
    model = AlexNet(layers, "small_alexnet", 32, (32, 32))
    he_normal(model)
    if activation == "tanh":
        halve_variance(model)
    return model
