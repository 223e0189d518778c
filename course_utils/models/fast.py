"""The network of the fast recipe: seven convolutions and a linear layer, made to learn CIFAR-10 in ten epochs.

Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498 (2024): section 3.1 for the network, 3.2
for the whitening first layer, 3.3 for the identity-like start. What belongs to training (alternating flip, averaged
weights, a rate of its own for the biases of norms) is in `training`.

| `fast_cnn` | the paper | its program, airbench94 | here |
|---|---|---|---|
| bias of the first layer | trained for the first 3 epochs, from 0 | the same | trained all along, torch's start |
| covariance of patches | that of the training images | their second moment, 5,000 images | covariance, 5,000 images |
| `eps` of batch norm | not said | 1e-12 | torch's 1e-5 |
| scale of batch norm | none is learned | a weight of 1, frozen | the same |
| number format | half precision | float16, batch norm in float32 | what `training` chooses |
| decay | of all weights and biases | the same | of weights only |
| rate | from 0.2 to 1 to 0.07 of the peak | the same | from 0 to 1 to 0 |
| epochs, batch | 9.9, 1024 | 9.9, 1000 | 10, 1000 |
| input channels | 3 | 3 | any: 8 filters in the first layer for each |
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models.sizes import check_images, check_width

PATCH = 2  # pixels: the side of the first layer's windows (section 3.2)
# Added to the eigenvalues before their root is taken, as airbench94 has it: fine checkered patches are so rare that
# their filters would amplify little but noise.
EPS = 5e-4
# Torch's momentum is the part that a new batch has in the running statistics; airbench94 keeps 0.6 of the old ones. The
# weights move so fast in ten epochs that torch's default of 0.1 would describe a network of the past.
MOMENTUM = 0.4


class FastBlock(nn.Sequential):
    """Two 3 x 3 convolutions with batch norm and GELU; the maxima of 2 x 2 are taken right after the first one."""

    def __init__(self, in_channels, out_channels, identity):
        norms = [nn.BatchNorm2d(out_channels, momentum=MOMENTUM) for _ in range(2)]
        for norm in norms:
            norm.weight.requires_grad_(False)  # stays 1: the next convolution has scales of its own (section 3.1)
        super().__init__(
            _conv3x3(in_channels, out_channels, identity),
            nn.MaxPool2d(2),  # early: norm, GELU and the second convolution then see a quarter of the positions
            norms[0],
            nn.GELU(),
            _conv3x3(out_channels, out_channels, identity),
            norms[1],
            nn.GELU(),
        )


def _conv3x3(in_channels, out_channels, identity):
    """A convolution whose first in_channels filters pass a map on unchanged; the others are torch's (section 3.3)."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    if identity:
        nn.init.dirac_(conv.weight.data[:in_channels])
    return conv


class FastCNN(nn.Module):
    """A first layer of 2 x 2 windows, three blocks, the maximum of each map, a linear layer."""

    input_size = 32

    def __init__(self, num_classes, in_channels, width, whiten, identity, output_scale):
        super().__init__()
        filters = 2 * in_channels * PATCH**2  # each dimension of a patch and its negative: 24 for colour
        self.whiten, self.output_scale = whiten, output_scale
        self.first = nn.Conv2d(in_channels, filters, PATCH)  # no padding, no norm: 31 x 31
        self.first.weight.requires_grad_(not whiten)
        self.block1 = FastBlock(filters, width, identity)  # 15 x 15
        self.block2 = FastBlock(width, 4 * width, identity)  # 7 x 7
        self.block3 = FastBlock(4 * width, 4 * width, identity)  # 3 x 3
        self.output = nn.Linear(4 * width, num_classes, bias=False)

    @torch.no_grad()
    def prepare(self, images: torch.Tensor) -> None:
        """Make the first layer whiten the 2 x 2 patches of `images`, N x C x 32 x 32, the first of the training set.

        Half of the filters are the eigenvectors of the patches' covariance, each divided by the root of its eigenvalue:
        their outputs have variance 1 and are uncorrelated. The other half is the negatives, so that GELU loses nothing.
        Nothing happens without `whiten`. Raises ValueError for images that the network does not take.
        """
        if not self.whiten:
            return
        check_images(images, "fast_cnn", self.first.in_channels, self.input_size, self.input_size)
        patches = F.unfold(images.float(), PATCH).transpose(0, 1).flatten(1)  # a row a dimension of a patch
        covariance = torch.cov(patches).cpu().double()  # Apple's GPUs have no float64
        eigenvalues, eigenvectors = torch.linalg.eigh(covariance)  # eigenvectors are columns
        filters = (eigenvectors / (eigenvalues + EPS).sqrt()).T.reshape(-1, *self.first.weight.shape[1:])
        self.first.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_images(x, "fast_cnn", self.first.in_channels, self.input_size, self.input_size)
        x = F.gelu(self.first(x))
        x = self.block3(self.block2(self.block1(x)))
        x = F.max_pool2d(x, 3).flatten(1)
        return self.output(x) * self.output_scale


def fast_cnn(
    num_classes: int = 10,
    in_channels: int = 3,
    width: int = 64,
    whiten: bool = True,
    identity: bool = True,
    output_scale: float = 1 / 9,
) -> FastCNN:
    """The network of the fast recipe: N x in_channels x 32 x 32 in, N x num_classes out; 1,971,352 trained parameters.

    width: maps of the first block, the others have 4 times as many. whiten: the first layer's weights are computed from
    training images by `prepare`, which training calls, and frozen; off, they are trained. identity: convolutions start
    near the identity; off, as torch draws them. output_scale: times the logits, such that the first losses are small
    and the linear layer may have torch's own initial weights (section 3.1).
    Raises ValueError for a width below 1, a scale that is not positive, or images of another size or depth.
    """
    check_width(width)
    if not 0 < output_scale < math.inf:
        raise ValueError(f"output_scale is {output_scale!r}; expected a positive number")
    return FastCNN(num_classes, in_channels, width, whiten, identity, output_scale)
