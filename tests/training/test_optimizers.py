"""The optimizer of a recipe: its groups, their rates, and its steps beside torch's own."""

from dataclasses import replace

import pytest
import torch
from runs import SHORT, learned, net, same
from torch import nn

from course_utils import models, training
from course_utils.training.optimizers import make_optimizer, set_rates


def test_weight_decay_spares_biases_and_norms():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), models.build("lenet5").s2)
    decayed, spared, of_norms = make_optimizer(model, SHORT).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 1, 3, 3)]
    assert decayed["weight_decay"] == SHORT.weight_decay
    assert len(spared["params"]) == 4
    assert [p is model[1].bias for p in of_norms["params"]] == [True]
    assert spared["weight_decay"] == of_norms["weight_decay"] == 0
    everywhere = make_optimizer(model, replace(SHORT, decay_all=True)).param_groups
    assert [group["weight_decay"] for group in everywhere] == [SHORT.weight_decay] * 3


def test_biases_of_norms_have_a_rate_of_their_own():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False), nn.GroupNorm(1, 2), nn.Flatten())
    recipe = replace(SHORT, norm_bias_rate=64.0)
    optimizer = make_optimizer(model, recipe)
    set_rates(optimizer, recipe, 10, 100)
    rate = training.learning_rate(recipe, 10, 100)
    assert [group["lr"] for group in optimizer.param_groups] == [rate, rate, 64 * rate]
    assert optimizer.param_groups[2]["params"] == [model[2].bias]


def test_frozen_parameters_stay(sets):
    model = net()
    model.c1.requires_grad_(False)
    before = model.c1.weight.clone()
    training.fit(model, *sets, SHORT, quiet=True)
    assert torch.equal(model.c1.weight, before)


@pytest.mark.parametrize(
    ("words", "theirs"),
    [
        ({"optimizer": "adamw"}, lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.999), weight_decay=0.0)),
        ({"momentum": 0.8}, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True)),
        ({"momentum": 0.0}, lambda p: torch.optim.SGD(p, lr=0.01)),
    ],
)
def test_steps_are_those_of_torch(words, theirs):
    mine, other = net(), net()
    recipe = replace(SHORT, weight_decay=0.0, learning_rate=0.01, **words)
    optimizers = [make_optimizer(mine, recipe), theirs(other.parameters())]
    x = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        for model, optimizer in zip((mine, other), optimizers, strict=True):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    assert same(mine.state_dict(), other.state_dict())


def test_clipping_bounds_the_step(sets):
    """Without momentum a step is the rate times the gradient, and a gradient of length 1e-6 moves next to nothing."""
    recipe = replace(SHORT, epochs=1, momentum=0.0, weight_decay=0.0)
    before = torch.cat([value.flatten() for value in net().state_dict().values()])
    moved = {}
    for clip in (0.0, 1e-6, 1e5):
        model = net()
        moved[clip] = learned(training.fit(model, *sets, replace(recipe, clip=clip), quiet=True))
        after = torch.cat([value.flatten() for value in model.state_dict().values()])
        if clip == 1e-6:
            assert 0 < (after - before).norm() <= 1.001 * 1e-6 * SHORT.learning_rate * 3
    assert moved[0.0] == moved[1e5] != moved[1e-6]


class TwoHeads(nn.Module):
    """A network with an auxiliary classifier in training, as GoogLeNet has."""

    auxiliary_weight = 0.3

    def __init__(self):
        super().__init__()
        self.main, self.side = nn.Linear(1024, 10), nn.Linear(1024, 10)

    def forward(self, x):
        x = x.flatten(1)
        return (self.main(x), self.side(x)) if self.training else self.main(x)


def test_auxiliary_classifiers_teach_with_their_weight_and_are_not_in_the_history(sets):
    torch.manual_seed(0)
    model = TwoHeads()
    alone = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    alone[1].load_state_dict(model.main.state_dict())
    before = model.side.weight.clone()
    model.input_size = alone.input_size = 32
    both = training.fit(model, *sets, SHORT, quiet=True)
    assert learned(both) == learned(training.fit(alone, *sets, SHORT, quiet=True))
    assert (model.side.weight - before).abs().max() > 1e-3
