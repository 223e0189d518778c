"""The optimizer of a recipe, and which parameters take which rate and which decay."""

import torch
from torch import nn

from course_utils.training.recipes import Recipe, learning_rate

NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with Nesterov's momentum, or AdamW, over three groups: weights, biases and scales, biases of norms.

    Weight decay pulls at weights only, unless the recipe says `decay_all`. Raises ValueError for a model without
    parameters.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trained:
        raise ValueError(f"{type(model).__name__} has no parameters to train; expected at least one that requires_grad")
    of_norms = {id(layer.bias) for layer in model.modules() if isinstance(layer, NORMS) and layer.bias is not None}
    groups = {(True, False): [], (False, False): [], (False, True): []}
    for parameter in trained.values():
        groups[parameter.ndim > 1, id(parameter) in of_norms].append(parameter)
    settings = [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if weights or recipe.decay_all else 0.0,
            "scale": recipe.norm_bias_rate if norm_bias else 1.0,
        }
        for (weights, norm_bias), parameters in groups.items()
        if parameters
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(settings, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(settings, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> None:
    """Give each group its learning rate for step 0 <= step < steps."""
    for group in optimizer.param_groups:
        group["lr"] = group["scale"] * learning_rate(recipe, step, steps)
