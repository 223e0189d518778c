"""The network of Zeiler & Fergus: AlexNet with a finer first layer, as pictures of its filters suggested.

Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014: figure 3 for the network, section
3 for the initial weights, 4.1 for why its first layer has windows of 7 in steps of 2.

| `zfnet` | the paper | here |
|---|---|---|
| padding | figure 3 gives sizes, not paddings | 1 in conv 1, 0 in conv 2, 1 in conv 3 to 5; see below |
| contrast normalization | across maps, behind pools 1 and 2; no formula | AlexNet's response normalization, there |
| groups | none | none: its 1,392,384 parameters more than AlexNet are these, less a smaller first layer |
| dropout | 0.5, layers 6 and 7 | the same, on their outputs |
| initial weights | "10^-2", biases 0 | N(0, 0.01^2), biases 0 |
| training | filters longer than 0.1 (root mean square) are cut back to it | not done |

Sizes, 224 pixels: conv 1 floor((224 + 2 - 7) / 2) + 1 = 110, as 225 pixels without padding would give; pool 1 to 55,
its last window hanging over the end by one (ceil_mode); conv 2 (55 - 5) / 2 + 1 = 26; pool 2 to 13, likewise; conv 3 to
5 keep 13; pool 5 to (13 - 3) / 2 + 1 = 6.
"""

from collections import OrderedDict

from torch import nn

from course_utils.models.alexnet import AlexNet, ResponseNorm, check_probability, initialize


class ZFNet(AlexNet):
    """The layers of figure 3, by the numbers of the paper's eight."""


def zfnet(num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> ZFNet:
    """The network of figure 3: N x in_channels x 224 x 224 in, N x num_classes out; 62,357,608 parameters.

    dropout: the probability that a hidden unit is left out. Raises ValueError for a probability that is none.
    """
    check_probability(dropout)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(in_channels, 96, 7, stride=2, padding=1),  # 110 x 110
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),  # 55 x 55
        norm1=ResponseNorm(),
        conv2=nn.Conv2d(96, 256, 5, stride=2),  # 26 x 26
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(3, 2, ceil_mode=True),  # 13 x 13
        norm2=ResponseNorm(),
        conv3=nn.Conv2d(256, 384, 3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1),
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, 2),  # 6 x 6
        flatten=nn.Flatten(),  # 9,216
        fc6=nn.Linear(6 * 6 * 256, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(dropout),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(dropout),
        fc8=nn.Linear(4096, num_classes),
    )
    model = ZFNet(layers, "zfnet", 224, (223, 254))  # images of 223 to 254 pixels come to 6 x 6, too
    initialize(model)
    return model
