"""LeNet-5 as its paper has it, and the simplification that goes by the same name today.

LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998):
section II.B for the network, Table I for C3's connections, Appendix A for the squashing function and initial weights.

| `lenet5` | the paper | here |
|---|---|---|
| RBF codes | 7 x 12 bitmaps of printable ASCII, figure 3 | ten digits 7 x 12 in that manner, drawn by us |
| output | the squared distance y_i: small is likely | -y_i / 10: large is likely; `distance_scale=1`: -y_i |
| initial weights | uniform in +-2.4 / F_i, F_i inputs a unit | F_i leaves out the bias; 4 for a subsampling unit |
| loss | y_i of the right class, or eq. 9 with its constant j | cross-entropy: eq. 9 without j (in `training`) |
| optimizer | stochastic diagonal Levenberg-Marquardt | SGD with Nesterov momentum (in `training`) |
| input | background -0.1, ink 1.175 | training set at mean 0, standard deviation 1 (in `training`) |

| `lenet5_simple` | the paper | here |
|---|---|---|
| C3 | 60 of the 96 pairs of maps | all 96: 900 parameters more |
| S2, S4 | sum, coefficient and bias a map, squashed | plain pooling: 44 parameters fewer |
| output | fixed RBF codes | a linear layer: 850 parameters more |
| squashing, pooling | 1.7159 tanh(2a/3), sum | ReLU, maximum; `activation` and `pooling` choose |
| initial weights | uniform in +-2.4 / F_i | torch's default: uniform in +-1 / sqrt(F_i) |
"""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models.sizes import check_images

# Table I of the paper: for each of C3's 16 maps, the maps of S2 that it sees.
C3_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),  # three neighbours, in a ring
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),  # four neighbours
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),  # two pairs, apart
    (0, 1, 2, 3, 4, 5),
)

# One digit after the other, side by side: 12 rows, 7 columns each.
DIGITS = """
.#####. ...##.. .#####. .#####. ##...## ####### ..####. ####### .#####. .#####.
##...## ..###.. ##...## ##...## ##...## ##..... .##.... ##...## ##...## ##...##
##...## .####.. ##...## .....## ##...## ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## ##...## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. .....## ##...## ##..... ##..... ....##. .##.##. ##...##
##...## ...##.. ....##. ..####. ####### ######. ######. ...##.. ..###.. .######
##...## ...##.. ...##.. .....## .....## .....## ##...## ...##.. .##.##. .....##
##...## ...##.. ..##... .....## .....## .....## ##...## ..##... ##...## .....##
##...## ...##.. ..##... .....## .....## .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## .....## .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...## .....## ##...## ##...## ..##... ##...## ....##.
.#####. .###### ####### .#####. .....## .#####. .#####. ..##... .#####. .####..
"""


def digit_codes() -> torch.Tensor:
    """The target codes of the RBF output, 10 x 84: +1 where the bitmap of the digit has ink, -1 elsewhere."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    bitmaps = ["".join(row[digit] for row in rows) for digit in range(10)]
    return torch.tensor([[1.0 if pixel == "#" else -1.0 for pixel in bitmap] for bitmap in bitmaps])


class LecunTanh(nn.Module):
    """The paper's squashing function 1.7159 tanh(2a/3), which takes +-1 to +-1 (Appendix A)."""

    def forward(self, a):
        return 1.7159 * torch.tanh(a * (2 / 3))


class Subsampling(nn.Module):
    """S2 and S4: the sum of each 2 x 2 block, times a trainable coefficient, plus a trainable bias, one pair a map."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x):
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return total * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class TableConv2d(nn.Module):
    """C3: a convolution whose output map k sees the input maps table[k] only, and stores no weights but these."""

    pairs: torch.Tensor  # of output map and input map, a row a stored 5 x 5 weight

    def __init__(self, in_channels, table, kernel_size):
        super().__init__()
        pairs = torch.tensor([(out, i) for out, inputs in enumerate(table) for i in inputs])
        self.register_buffer("pairs", pairs, persistent=False)
        self.shape = (len(table), in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(len(pairs), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(len(table)))
        # Inputs of one unit; the rows of `weight` follow `pairs`.
        self.fan_in = torch.tensor([len(inputs) * kernel_size**2 for inputs in table])

    def dense_weight(self):
        """The weight as conv2d takes it, out x in x kh x kw, with zeros where the table has no connection."""
        return self.weight.new_zeros(self.shape).index_put(tuple(self.pairs.T), self.weight)

    def forward(self, x):
        return F.conv2d(x, self.dense_weight(), self.bias)


class RBF(nn.Module):
    """The output layer: minus the squared distance from F6's state to the fixed code of each class, times `scale`."""

    def __init__(self, codes, scale):
        super().__init__()
        self.register_buffer("codes", codes)
        self.scale = scale

    def forward(self, x):
        return -self.scale * (x[:, None, :] - self.codes).square().sum(dim=2)


class LeNet(nn.Sequential):
    """The layers of a LeNet, by the names of the paper; images of 32 to 35 pixels come to 5 x 5 in S4."""

    c1: nn.Conv2d
    input_size = 32

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        try:
            return super().forward(x)
        except RuntimeError:  # not before: slices of the layers, and networks with a layer exchanged, take other sizes
            if hasattr(self, "c1") and hasattr(self, "output"):
                check_images(x, "LeNet", self.c1.in_channels, 32, 35)
            raise


@torch.no_grad()
def initialize(model: LeNet) -> None:
    """Draw each weight and bias uniformly from +-2.4 / F_i, where F_i counts the inputs of its unit (Appendix A)."""
    for layer in model:
        if isinstance(layer, TableConv2d):
            bound = 2.4 / layer.fan_in  # one a map
            layer.weight.uniform_(-1, 1).mul_(bound[layer.pairs[:, 0]].view(-1, 1, 1))
            layer.bias.uniform_(-1, 1).mul_(bound)
        elif isinstance(layer, nn.Conv2d | nn.Linear | Subsampling):
            bound = 2.4 / (4 if isinstance(layer, Subsampling) else layer.weight[0].numel())
            for parameter in layer.parameters():
                parameter.uniform_(-bound, bound)


def lenet5(num_classes: int = 10, in_channels: int = 1, head: str = "rbf", distance_scale: float = 0.1) -> LeNet:
    """LeNet-5 as in section II.B of the paper: N x in_channels x 32 x 32 in, N x num_classes out.

    head "rbf" returns minus the squared distances to the codes of the digits, times `distance_scale` (1: the paper's
    distances); "linear" puts a linear layer there. Either way the largest output is the answer.
    Raises ValueError for another head, a scale that is not positive, or more classes than there are codes.
    """
    if head not in ("rbf", "linear"):
        raise ValueError(f"head is {head!r}; lenet5 has rbf and linear")
    if head == "rbf" and num_classes > 10:
        raise ValueError(f"lenet5 has codes for 10 classes, not for {num_classes}; head='linear' takes any number")
    if not 0 < distance_scale < math.inf:
        raise ValueError(f"distance_scale is {distance_scale!r}; expected a positive number")
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        c1=nn.Conv2d(in_channels, 6, 5),  # 6 x 28 x 28: 156 parameters
        c1_squash=LecunTanh(),
        s2=Subsampling(6),  # 6 x 14 x 14: 12
        s2_squash=LecunTanh(),
        c3=TableConv2d(6, C3_TABLE, 5),  # 16 x 10 x 10: 1,516
        c3_squash=LecunTanh(),
        s4=Subsampling(16),  # 16 x 5 x 5: 32
        s4_squash=LecunTanh(),
        c5=nn.Conv2d(16, 120, 5),  # 120 x 1 x 1: 48,120
        c5_squash=LecunTanh(),
        flatten=nn.Flatten(),  # 120
        f6=nn.Linear(120, 84),  # 84: 10,164
        f6_squash=LecunTanh(),
        output=RBF(digit_codes()[:num_classes], distance_scale) if head == "rbf" else nn.Linear(84, num_classes),
    )
    model = LeNet(layers)
    initialize(model)
    return model


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "lecun_tanh": LecunTanh, "sigmoid": nn.Sigmoid}
POOLINGS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


def lenet5_simple(num_classes: int = 10, in_channels: int = 1, activation: str = "relu", pooling: str = "max") -> LeNet:
    """The LeNet of today's tutorials: N x in_channels x 32 x 32 in, N x num_classes out.

    activation: relu, tanh, lecun_tanh or sigmoid; pooling: max or avg. Raises ValueError for another word.
    """
    for option, value, known in (("activation", activation, ACTIVATIONS), ("pooling", pooling, POOLINGS)):
        if value not in known:
            raise ValueError(f"{option} is {value!r}; lenet5_simple has {', '.join(known)}")
    squash, pool = ACTIVATIONS[activation], POOLINGS[pooling]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        c1=nn.Conv2d(in_channels, 6, 5),  # 6 x 28 x 28: 156 parameters
        c1_squash=squash(),
        s2=pool(2),  # 6 x 14 x 14
        c3=nn.Conv2d(6, 16, 5),  # 16 x 10 x 10: 2,416
        c3_squash=squash(),
        s4=pool(2),  # 16 x 5 x 5
        flatten=nn.Flatten(),  # 400
        c5=nn.Linear(16 * 5 * 5, 120),  # 120: 48,120
        c5_squash=squash(),
        f6=nn.Linear(120, 84),  # 84: 10,164
        f6_squash=squash(),
        output=nn.Linear(84, num_classes),  # 850
    )
    model = LeNet(layers)
    return model
