"""The weights that the deep networks of the course begin with, as chapter 02 derives them."""

from torch import nn


def he_normal(model: nn.Module) -> None:
    """Draw the weights of a network of ReLUs in place, such that signals keep their size from layer to layer.

    Convolutions and linear layers: N(0, 2 / n_in), where n_in counts the inputs of one unit. The model's last linear
    layer: N(0, 1 / n_in), for no ReLU behind it halves the signal. Biases 0; scales of norms 1, their shifts 0.
    Source: He, Zhang, Ren & Sun, "Delving deep into rectifiers" (2015), section 2.2, equation 10.
    """
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            behind = "linear" if linear and layer is linear[-1] else "relu"
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity=behind)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
