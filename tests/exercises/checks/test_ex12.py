"""The checks of chapter 12: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, given_names, refuses
from torch import nn

from course_utils import inspection
from course_utils.exercises.checks import ex12
from course_utils.exercises.checks.ex12 import classifier, cost, inception, kept, most
from course_utils.models.googlenet import TABLE, Inception


@pytest.mark.parametrize("exercise_id", ex12.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.fixture(scope="module")
def given():
    return given_names("12")


@pytest.mark.parametrize(("name", "before", "size"), [("inception3a", 192, 28), ("inception5b", 832, 7)])
def test_cost_is_that_of_a_module_of_googlenet(name, before, size):
    module = Inception(before, *TABLE[name])
    summary = inspection.summarize(module, (before, size, size))
    expected = (module.out_channels, summary.parameters, summary.multiply_adds)
    assert cost(before, TABLE[name], size) == expected


@pytest.mark.parametrize(("kernel_size", "before", "after"), [(3, 18, 2), (5, 192, 32), (3, 1, 1), (7, 49, 1)])
def test_most_is_the_largest_that_pays(kernel_size, before, after):
    def of(r):
        return r * before + kernel_size**2 * r * after

    r = most(kernel_size, before, after)
    assert of(r) < kernel_size**2 * before * after <= of(r + 1)


def test_kept_is_what_no_random_projection_exceeds():
    rng = np.random.default_rng(3)
    x = ex12.draw_kept(rng)[0]
    values = x.transpose(1, 0, 2, 3).reshape(x.shape[1], -1)
    values -= values.mean(axis=1, keepdims=True)
    for _ in range(20):
        basis = np.linalg.qr(rng.normal(size=(x.shape[1], 2)))[0]
        assert ((basis.T @ values) ** 2).sum() / (values**2).sum() <= kept(x, 2) + 1e-12
    assert kept(x, x.shape[1]) == pytest.approx(1)


def test_the_reference_is_the_module_of_the_course():
    module, own = Inception(12, 2, 3, 4, 5, 6, 7, batch_norm=True), inception(12, 2, 3, 4, 5, 6, 7)
    own.load_state_dict(dict(zip(own.state_dict(), module.state_dict().values(), strict=True)))
    x = torch.randn(2, 12, 6, 7, generator=torch.Generator().manual_seed(0))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 1e-5  # torch's
    assert torch.allclose(own(x), module(x), atol=1e-5)


def with_names(before, n1x1, reduce3, n3x3, reduce5, n5x5, pool_proj):
    """The module of 12-4 in another style."""

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            plan = [(before, n1x1, 1), (before, reduce3, 1), (reduce3, n3x3, 3)]
            plan += [(before, reduce5, 1), (reduce5, n5x5, 5), (before, pool_proj, 1)]
            self.convs = nn.ModuleList(nn.Conv2d(i, o, k, padding=k // 2, bias=False) for i, o, k in plan)
            self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o, _ in plan)

        def forward(self, x):
            def use(i, x):
                return self.norms[i](self.convs[i](x)).clamp(min=0)

            pooled = nn.functional.max_pool2d(x, 3, 1, 1)
            return torch.cat([use(0, x), use(2, use(1, x)), use(4, use(3, x)), use(5, pooled)], 1)

    return Module()


def by_covariance(x, r):
    """The share of 12-3 in another way."""
    variances = np.linalg.eigvalsh(np.cov(np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)))
    return variances[-r:].sum() / variances.sum()


class Detached(nn.Module):
    """The network of 12-5, but the side classifier sends no gradient to the maps that it reads."""

    def __init__(self, *numbers):
        super().__init__()
        self.right = classifier(*numbers)

    def forward(self, x):
        y = self.right(x)
        if not self.training:
            return y
        side = self.right.side(self.right.stem(x).detach().mean(dim=(2, 3)))
        return torch.stack([y[:, 0], side], dim=1)


def test_other_ways_are_right():
    accepts("12-1", lambda *inputs: list(cost(*inputs)))
    accepts("12-2", lambda k, c, n: max((r for r in range(1, c) if r * (c + k * k * n) < k * k * c * n), default=0))
    accepts("12-3", by_covariance)
    accepts("12-4", lambda *numbers: with_names(*numbers))


def test_the_given_network_has_three_bugs_and_no_other(given):
    """Each mistake of the table is one of them; all together are the colleague's network."""
    theirs = given["ClassifierOfAColleague"](3, 4, 5)
    wrong = classifier(3, 4, 5, axis=2, shared=True, always=True)
    with torch.no_grad():  # `parameters` lists a shared layer once
        for own, value in zip(wrong.parameters(), theirs.parameters(), strict=True):
            own.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())))
            value.copy_(own)
    x = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(wrong.eval()(x), theirs.eval()(x), atol=1e-5)


def test_a_colleagues_network_is_refused(given):
    refuses(
        "12-5", lambda *numbers: given["ClassifierOfAColleague"](*numbers), says="still has more than one of the bugs"
    )


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("12-1", lambda *inputs: cost(*inputs)[:2], "a tuple of the wrong length"),
        ("12-1", lambda before, widths, size: (before, *cost(before, widths, size)[1:]), "ends of the branches"),
        ("12-2", lambda *inputs: float(most(*inputs)), "a float where a whole number"),
        ("12-2", lambda k, c, n: k * k * c * n // (c + k * k * n), "may cost exactly as much as without"),
        ("12-2", lambda *inputs: max(1, most(*inputs)), "the first number that does not pay"),
        ("12-3", lambda x, r: kept(x, r) / 2, "all of the variance is kept then"),
        ("12-4", lambda *numbers: nn.Sequential(inception(*numbers), nn.Tanh()), "Follow one branch at a time"),
        ("12-5", lambda *numbers: nn.Sequential(classifier(*numbers), nn.Tanh()), "line by line"),
        ("12-5", lambda *numbers: Detached(*numbers), "not the right gradients"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
