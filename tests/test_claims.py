"""The lecture's claims, one test each, named by the id that the chapters give it: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

import math

import numpy as np
import pytest

from course_utils import scratch
from course_utils.arithmetic import conv_parameters, output_size, same_padding, unused
from course_utils.scratch import conv2d, conv2d_backward


def test_L01_sigmoid():
    a = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(scratch.sigmoid(a), 1 / (1 + np.exp(-a)), rtol=1e-13)
    np.testing.assert_array_equal(scratch.sigmoid(np.array([-1e4, 1e4])), [0, 1])


def test_L02_tanh_is_a_sigmoid_stretched_and_moved():
    a = np.linspace(-20, 20, 401)
    np.testing.assert_allclose(scratch.tanh(a), (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)), atol=1e-15)
    np.testing.assert_allclose(scratch.tanh(a), 2 * scratch.sigmoid(2 * a) - 1, atol=1e-15)


def test_L03_softmax_has_no_minus_signs():
    """Erratum: slide 7 prints exp(-a_i) / sum_j exp(-a_j), the softmax of -a: the largest activation comes out least
    likely. Right: exp(a_i) / sum_j exp(a_j), the maximum subtracted first."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(1000, 10))
    right, printed = np.exp(a), np.exp(-a)
    right, printed = (e / e.sum(axis=1, keepdims=True) for e in (right, printed))
    np.testing.assert_allclose(scratch.softmax(a), right, rtol=1e-12)
    np.testing.assert_allclose(scratch.softmax(-a), printed, rtol=1e-12)
    assert (right.argmax(axis=1) == a.argmax(axis=1)).all()
    assert (printed.argmin(axis=1) == a.argmax(axis=1)).all()
    for shift in (-1e4, 1e4):
        np.testing.assert_allclose(scratch.softmax(a + shift), right, rtol=1e-9)
    assert np.isfinite(scratch.log_softmax(np.array([-1e4, 0, 1e4]))).all()


def test_L04_relu_and_its_derivative():
    a = np.array([-1e4, -1.0, -1e-300, 0.0, 1e-300, 1.0, 1e4])
    np.testing.assert_array_equal(scratch.relu(a), [max(0, value) for value in a])
    np.testing.assert_array_equal(scratch.relu_grad(a), [1 if value > 0 else 0 for value in a])


def gradient_left(activation, scale, layers=30, units=64, seeds=3):
    """Norm of the gradient at the first layer over that at the last, a value a seed; weights of scale / sqrt(units)."""
    import torch

    rng = torch.Generator().manual_seed(5)
    y = torch.randn(seeds, 32, units, generator=rng, dtype=torch.float64, requires_grad=True)
    activations = []
    for _ in range(layers):
        weight = torch.randn(seeds, units, units, generator=rng, dtype=torch.float64)
        activations.append(y @ weight * scale / units**0.5)
        y = activation(activations[-1])
    loss = (y * torch.randn(y.shape, generator=rng, dtype=torch.float64)).sum()
    norms = [gradient.norm(dim=(1, 2)) for gradient in torch.autograd.grad(loss, activations)]
    return (norms[0] / norms[-1]).numpy()


def test_L05_sigmoids_derivatives_shrink_a_gradient_weights_can_outweigh_them_and_relus_factor_is_constant():
    """The derivatives alone: at most 4^-L. With the weights: a knife's edge, near 10 / sqrt(n) for sigmoids. ReLU's
    lies at sqrt(2 / n), and its gradient grows with the weights as their power, whatever the activations are."""
    import torch

    slopes = scratch.sigmoid_grad(np.random.default_rng(5).normal(size=(30, 1000), scale=3))
    assert scratch.sigmoid_grad(0.0) == 1 / 4 and (slopes.prod(axis=0) <= 4.0**-30).all()
    vanishing, small, large = (gradient_left(torch.sigmoid, scale) for scale in (1, 8, 16))
    assert (vanishing < 10 * 4.0**-29).all() and (small < 1).all() and (large > 1).all()
    level = gradient_left(torch.relu, 2**0.5)
    assert (level > 1 / 30).all() and (level < 30).all()
    for scale in (1, 4):  # 29 layers of weights lie between the two gradients
        np.testing.assert_allclose(gradient_left(torch.relu, scale), level * (scale / 2**0.5) ** 29, rtol=1e-9)
    assert (gradient_left(torch.relu, 1) < 1e-3).all() and (gradient_left(torch.relu, 4) > 1e9).all()


def saved_activations(activation, layers=4, batch=16, units=32):
    """Arrays of the size of one activation that autograd keeps, a layer: bytes of distinct storages, without those of
    the weights and of the input."""
    import torch

    weights = [torch.zeros(units, units, requires_grad=True) for _ in range(layers + 1)]
    x = y = torch.randn(batch, units)
    storages = {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for weight in weights[:-1]:
            y = activation(y @ weight)
        y = y @ weights[-1]
    for other in (x, *weights):
        storages.pop(other.untyped_storage().data_ptr(), None)
    return sum(storage.nbytes() for storage in storages.values()) / (batch * units * 4) / layers


def test_L06_relu_halves_the_memory_only_of_a_tanh_that_keeps_more_than_its_output():
    """Slide 9: half of tanh's. In PyTorch the two keep the same, for both are differentiated from their output; the
    slide is right where tanh is differentiated from its input, or composed as 2 sigmoid(2a) - 1."""
    import torch

    class TanhFromInput(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return torch.tanh(a)

        @staticmethod
        def backward(ctx, dy):
            return dy * (1 - torch.tanh(ctx.saved_tensors[0]) ** 2)

    assert saved_activations(torch.relu) == saved_activations(torch.relu_) == 1
    assert saved_activations(torch.tanh) == 1
    assert saved_activations(TanhFromInput.apply) == 2
    assert saved_activations(lambda a: 2 * torch.sigmoid(2 * a) - 1) == 2


def test_L07_a_dead_unit_of_a_first_layer_stays_dead_and_one_above_can_come_back():
    import torch

    rng = torch.Generator().manual_seed(7)
    x, target = torch.randn(50, 5, generator=rng), torch.randn(50, generator=rng)
    weight = torch.randn(5, 4, generator=rng)
    bias = -1 - (x @ weight).amax(0)  # below zero on all of the data
    bias[3] = 0  # and one unit that lives
    first, out = [weight.clone(), bias.clone()], torch.ones(4)
    for _ in range(50):
        parameters = [p.requires_grad_() for p in (*first, out)]
        loss = ((torch.relu(x @ first[0] + first[1]) @ out - target) ** 2).mean()
        gradients = torch.autograd.grad(loss, parameters)
        *first, out = (p.detach() - 0.05 * g for p, g in zip(parameters, gradients, strict=True))
    assert torch.equal(first[0][:, :3], weight[:, :3]) and torch.equal(first[1][:3], bias[:3])
    assert not torch.equal(first[0][:, 3], weight[:, 3])

    below, above = torch.tensor(2.0, requires_grad=True), torch.tensor([-1.0, 1.0], requires_grad=True)
    x, norms = torch.tensor([1.0, 1.5, 2.0]), []
    for _ in range(30):
        h = torch.relu(below * x)  # wanted: 0.2; as it falls, the unit above, 1 - h at first, comes back to life
        loss = ((h - 0.2) ** 2 + (torch.relu(above[0] * h + above[1]) - 0.5) ** 2).mean()
        by_below, by_above = torch.autograd.grad(loss, (below, above))
        norms.append(by_above.norm().item())
        below.data -= 0.02 * by_below
        above.data -= 0.02 * by_above
    alive = next(step for step, norm in enumerate(norms) if norm > 0)
    assert 3 < alive < 25 and above.tolist() != [-1, 1]


def normal_mean(function, s):
    """Mean of function(a) for a ~ N(0, s^2), by a fine sum."""
    z = np.linspace(-10, 10, 20_000)
    weight = np.exp(-(z**2) / 2)
    return function(s * z) @ weight / weight.sum()


@pytest.mark.parametrize("s", [0.1, 1, 3])
def test_L08_relus_mean_output(s):
    """s / sqrt(2 pi). Loose on slide 10: "always positive"; half of the outputs are 0."""
    assert normal_mean(scratch.relu, s) == pytest.approx(s / math.sqrt(2 * math.pi), rel=1e-5)
    outputs = scratch.relu(np.random.default_rng(8).normal(scale=s, size=10_000))
    assert outputs.min() == 0 and 0.48 < (outputs == 0).mean() < 0.52


@pytest.mark.parametrize("s", [0.1, 1, 3])
@pytest.mark.parametrize("beta", [0.01, 0.2, 0.9])
def test_L09_leaky_relu_is_never_stuck_and_has_a_weaker_offset(s, beta):
    assert scratch.leaky_relu_grad(np.linspace(-1e4, 1e4, 1001), beta).min() == beta > 0
    mean = normal_mean(lambda a: scratch.leaky_relu(a, beta), s)
    assert mean == pytest.approx((1 - beta) * s / math.sqrt(2 * math.pi), rel=1e-5)
    assert 0 < mean < normal_mean(scratch.relu, s)


def test_L10_elus_cases_are_swapped_on_the_slide_and_its_offset_is_smaller_not_gone():
    """Erratum: slide 11 has a for a < 0 and exp(a) - 1 for a >= 0, which explodes and has a larger offset than ReLU.
    Loose: "no offset bias" (0.1605 for N(0, 1)), "need to store activations" (the output will do)."""

    def printed(a):
        return np.where(a < 0, a, np.exp(np.maximum(a, 0)) - 1)

    a = np.linspace(-20, 20, 401)
    right = np.array([value if value >= 0 else math.exp(value) - 1 for value in a])
    np.testing.assert_allclose(scratch.elu(a), right, atol=1e-15)
    assert printed(printed(printed(2.0))) > 1e250 and scratch.elu(scratch.elu(scratch.elu(2.0))) == 2
    relu, elu = normal_mean(scratch.relu, 1), normal_mean(scratch.elu, 1)
    assert relu == pytest.approx(0.3989, abs=1e-4) and elu == pytest.approx(0.1605, abs=1e-4)
    assert normal_mean(printed, 1) > relu > elu > 0
    below = a[a < 0]
    for alpha in (0.5, 1, 1.6733):
        np.testing.assert_allclose(scratch.elu_grad(below, alpha), scratch.elu(below, alpha) + alpha, atol=1e-12)


def test_L32_a_unit_is_local_in_space_and_full_in_depth():
    """One unit of a 5 x 5 convolution on a 32 x 32 x 3 volume sees 5 x 5 x 3 of it: there alone it has a gradient."""
    rng = np.random.default_rng(32)
    x, weight = rng.normal(size=(1, 3, 32, 32)), rng.normal(size=(1, 3, 5, 5))
    dy = np.zeros((1, 1, 28, 28))
    dy[0, 0, 11, 7] = 1
    dx = conv2d_backward(dy, x, weight)[0]
    seen = np.zeros(x.shape, bool)
    seen[0, :, 11:16, 7:12] = True
    np.testing.assert_array_equal(dx != 0, seen)
    assert seen.sum() == conv_parameters(3, 1, 5, bias=False) == 5 * 5 * 3


def test_L33_the_output_is_a_volume_of_depth_columns_and_of_activation_maps():
    """A 1 x 1 x depth column: all units there see the same window. An activation map, a depth slice: all its units
    have the same filter."""
    rng = np.random.default_rng(33)
    x, weight = rng.normal(size=(1, 3, 32, 32)), rng.normal(size=(200, 3, 5, 5))
    y = conv2d(x, weight)
    assert y.shape == (1, 200, 28, 28)
    column = y[:, :, 11:12, 7:8]
    assert column.shape == (1, 200, 1, 1)
    np.testing.assert_allclose(column, conv2d(x[:, :, 11:16, 7:12], weight), atol=1e-10)
    np.testing.assert_allclose(column.ravel(), weight.reshape(200, -1) @ x[0, :, 11:16, 7:12].ravel(), atol=1e-10)
    np.testing.assert_allclose(y[:, 6:7], conv2d(x, weight[6:7]), atol=1e-10)


def test_L34_a_3_x_3_filter_on_7_x_7_gives_5_x_5_and_3_x_3_and_stride_3_does_not_fit():
    x, weight = np.arange(49.0).reshape(1, 1, 7, 7), np.ones((1, 1, 3, 3))
    for stride, size in ((1, 5), (2, 3)):
        assert output_size(7, 3, stride) == size and unused(7, 3, stride) == 0
        assert conv2d(x, weight, stride=stride).shape == (1, 1, size, size)
    assert (7 - 3) / 3 != (7 - 3) // 3 and unused(7, 3, stride=3) == 1
    changed = x.copy()
    changed[..., 6, :], changed[..., :, 6] = 1000, 1000  # the last row and column, which stride 3 never reads
    np.testing.assert_array_equal(conv2d(changed, weight, stride=3), conv2d(x, weight, stride=3))
    assert (conv2d(changed, weight, stride=2) != conv2d(x, weight, stride=2)).any()


@pytest.mark.parametrize("kernel_size", range(1, 12))
def test_L35_zero_padding_keeps_the_size(kernel_size):
    """P = (K - 1) / 2 for odd K at stride 1, and no other P; for an even K there is none."""
    x, weight = np.ones((1, 1, 13, 16)), np.ones((1, 1, kernel_size, kernel_size))
    keeps = [padding for padding in range(12) if conv2d(x, weight, padding=padding).shape == x.shape]
    assert keeps == ([(kernel_size - 1) // 2] if kernel_size % 2 else [])
    if kernel_size % 2:
        assert [same_padding(kernel_size)] == keeps


def test_L41_lenet_stacks_stages_of_features_and_ends_in_a_classifier():
    """Slide 35, on the paper's LeNet-5: convolution and subsampling in turn, each stage with a larger field and after
    training a more invariant state, a linear classifier reading the features better than the pixels; and its 60,000."""
    from dataclasses import replace

    import torch
    from torch.nn.functional import one_hot

    from course_utils import datasets, models, training
    from course_utils.arithmetic import receptive_field
    from course_utils.explorers.lenet import stage_states

    training.seed_everything(0)
    net = models.build("lenet5", distance_scale=1 / 42)
    names = ("c1", "s2", "c3", "s4", "c5", "f6")
    stages = [sum(parameter.numel() for parameter in getattr(net, name).parameters()) for name in names]
    assert stages == [156, 12, 1_516, 32, 48_120, 10_164] and sum(stages) == 60_000
    sizes = [field.size for field in receptive_field([(5, 1, 0, 1), (2, 2, 0, 1)] * 2 + [(5, 1, 0, 1)])]
    assert sizes == [5, 6, 14, 16, 32]

    train, validation = (datasets.load("digits", split) for split in ("train", "validation"))
    recipe = replace(training.recipe_for("quick", "digits"), epochs=5, learning_rate=0.3)
    training.fit(net, train, validation, recipe, quiet=True)

    def states(dataset, reach):
        """States of all images, each moved by up to `reach` pixels, and of those images one pixel further right."""
        pictures = training.Pictures(dataset, net, torch.device("cpu"), shift=reach + 1)
        moves = torch.randint(1, 2 * reach + 2, (len(dataset), 2), generator=torch.Generator().manual_seed(0))
        here, further = (
            pictures.batch(torch.arange(len(dataset)), m)[0] for m in (moves, moves - torch.tensor([0, 1]))
        )
        return ({"input": x, **stage_states(net, x)} for x in (here, further))

    still, moved = states(validation, 0)
    change = {k: (moved[k] - still[k]).norm() / (still[k].roll(7, dims=0) - still[k]).norm() for k in still}
    assert change["input"] > change["c1"] > change["c3"] > change["c5"] > change["f6"]  # more invariant
    assert change["f6"] < change["input"] / 2

    def readout(stage):
        """Accuracy of ridge regression on the states of a stage."""
        (seen, _), (new, _) = states(train, 4), states(validation, 4)
        x, new = (torch.nn.functional.pad(s[stage].flatten(1), (0, 1), value=1) for s in (seen, new))
        kernel = x @ x.T + 10 * torch.eye(len(x))
        scores = new @ (x.T @ torch.linalg.solve(kernel, one_hot(train.labels, 10).float()))
        return (scores.argmax(1) == validation.labels).double().mean().item()

    assert readout("s4") > readout("input") + 0.1
