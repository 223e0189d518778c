"""The lecture's claims of Part I, 01 to 04, a test each, named by its id: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from course_utils import scratch


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
    """Norm of the gradient at the first layer over that at the last, for each seed; weights of scale / sqrt(units)."""
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


def random_stack(name, rule, widths, seed, samples=100):
    """Mean squares by layer of outputs and of gradients, in a stack of random layers."""
    rng = np.random.default_rng(seed)
    weights = [rule((n_out, n_in), rng) for n_in, n_out in pairwise(widths)]
    return scratch.signals(name, weights, rng.normal(size=(samples, widths[0])), rng.normal(size=(samples, widths[-1])))


def test_L11_lecuns_sigmoid_has_no_gain_of_1_but_a_fixed_point():
    """f(1) = 1 and f(-1) = -1; N(0, 1) comes out with variance 0.75, the slope at 0 is 1.144; over 30 layers of LeCun's
    rule the variance neither stays nor dies, it settles near 0.382."""
    np.testing.assert_allclose(scratch.lecun_tanh(np.array([-1.0, 1.0])), [-1, 1], atol=1e-5)
    a = np.random.default_rng(11).normal(size=400_000)
    assert scratch.lecun_tanh(a).var() == pytest.approx(0.750, abs=0.004)
    assert scratch.lecun_tanh_grad(0.0) == pytest.approx(1.7159 * 2 / 3) and scratch.lecun_tanh_grad(
        0.0
    ) == pytest.approx(1.144, abs=1e-3)
    q = 1.0
    for _ in range(300):
        q = float(scratch.next_mean_square("LeCun's tanh", q, 1.0))
    assert q == pytest.approx(0.3824, abs=1e-4)
    forward = np.mean(
        [random_stack("LeCun's tanh", scratch.lecun_normal, [300] * 31, seed)[0] for seed in range(3)], axis=0
    )
    assert forward[0] == pytest.approx(0.75, rel=0.03) and forward[-1] == pytest.approx(0.382, rel=0.08)
    assert 0.75**30 < 1e-3 < forward[-1]


def test_L12_lecuns_rule_starts_units_in_their_linear_region():
    x = np.random.default_rng(0).normal(size=(1000, 200))
    w = scratch.lecun_normal((300, 200), np.random.default_rng(12))
    assert abs(w.mean()) < 0.002 and 200 * w.var() == pytest.approx(1, rel=0.02)
    assert (x @ w.T).var() == pytest.approx(1, rel=0.05)
    linear = [(scratch.lecun_tanh_grad(c * x @ w.T) > scratch.lecun_tanh_grad(0.0) / 2).mean() for c in (1, 10)]
    assert linear[0] > 0.75 and linear[1] < 0.2


def test_L13_torchs_heuristic_has_a_third_of_lecuns_variance():
    """And it is what torch.nn.Linear draws to this day."""
    import torch

    for n in (50, 400):
        w = scratch.torch_heuristic((2000, n), np.random.default_rng(13))
        assert np.abs(w).max() <= 1 / np.sqrt(n) and n * w.var() == pytest.approx(1 / 3, rel=0.02)
    torch.manual_seed(13)
    weight = torch.nn.Linear(400, 2000).weight
    assert weight.abs().max() <= 1 / np.sqrt(400) and 400 * weight.var().item() == pytest.approx(1 / 3, rel=0.02)


def test_L14_the_variance_of_a_uniform_distribution_is_no_standard_deviation():
    """The slide calls sigma^2 = (b - a)^2 / 12 the standard deviation; it is the variance."""
    for a, b in ((-1, 1), (2, 5), (-0.1, 0.3)):
        sample = np.random.default_rng(14).uniform(a, b, size=400_000)
        assert sample.var() == pytest.approx((b - a) ** 2 / 12, rel=0.01)
        assert sample.std() == pytest.approx((b - a) / np.sqrt(12), rel=0.01)
        assert sample.std() != pytest.approx((b - a) ** 2 / 12, rel=0.1)


def test_L15_with_torchs_heuristic_activations_and_gradients_fall_as_3_to_the_minus_L():
    for seed in range(3):
        forward, backward = random_stack("linear", scratch.torch_heuristic, [100] * 51, seed)
        for end, start in ((forward[-1], forward[0]), (backward[0], backward[-1])):
            assert (end / start) ** (1 / 49) == pytest.approx(1 / 3, rel=0.05)
        assert forward[-1] == pytest.approx(3.0**-50, rel=0.9)


def test_L16_the_variance_of_a_product_and_whose_mean_has_to_be_0():
    """Exact, over distributions with few values. The slide wants inputs and outputs of mean 0; weights of mean 0 it has
    to be: with weights of mean 1 the slide's condition holds and its second line is off by a factor of 51."""

    def var(values, p):
        return (p * values**2).sum() - (p * values).sum() ** 2

    rng = np.random.default_rng(16)
    for _ in range(20):
        (w, x), (p, q) = rng.normal(size=(2, 4)), rng.dirichlet(np.ones(4), size=2)
        mean_w, mean_x = (p * w).sum(), (q * x).sum()
        right = mean_x**2 * var(w, p) + mean_w**2 * var(x, q) + var(w, p) * var(x, q)
        assert var(np.outer(w, x), np.outer(p, q)) == pytest.approx(right, rel=1e-9)
    w, x, p = 1 + np.array([-1, 1]) / np.sqrt(50), np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    product, both = np.outer(w, x), np.outer(p, p)
    assert (p * x).sum() == 0 and abs((both * product).sum()) < 1e-15
    assert var(product, both) == pytest.approx(51 * var(w, p) * var(x, p))
    assert var(np.outer(w - 1, x), both) == pytest.approx(var(w, p) * var(x, p))


def test_L17_a_linear_units_variance_needs_weights_of_mean_0():
    rng = np.random.default_rng(17)
    n, units = 50, 40_000
    x, w = rng.exponential(size=(units, n)) - 1, scratch.lecun_normal((units, n), rng)
    claimed = n * w.var() * x.var()
    assert (w * x).sum(axis=1).var() / claimed == pytest.approx(1, rel=0.03)
    assert ((w + 1) * x).sum(axis=1).var() / claimed == pytest.approx(51, rel=0.03)


def test_L18_forwards_asks_for_fan_in_backwards_for_fan_out_and_glorot_stands_between():
    n_in, n_out, rng = 400, 100, np.random.default_rng(18)
    x, dy = rng.normal(size=(2000, n_in)), rng.normal(size=(2000, n_out))
    kept = {}
    for name, w in (
        ("in", scratch.lecun_normal((n_out, n_in), rng)),
        ("out", scratch.lecun_normal((n_in, n_out), rng).T),
        ("glorot", scratch.glorot_normal((n_out, n_in), rng)),
    ):
        kept[name] = (x @ w.T).var() / x.var(), (dy @ w).var() / dy.var()
    np.testing.assert_allclose(kept["in"], (1, 1 / 4), rtol=0.06)
    np.testing.assert_allclose(kept["out"], (4, 1), rtol=0.06)
    np.testing.assert_allclose(kept["glorot"], (2 * 400 / 500, 2 * 100 / 500), rtol=0.06)


def test_L19_uniform_forms():
    for rule, bound, variance in (
        (scratch.glorot_uniform, np.sqrt(6 / (300 + 700)), 2 / (300 + 700)),
        (scratch.lecun_uniform, np.sqrt(3 / 300), 1 / 300),
    ):
        w = rule((700, 300), np.random.default_rng(19))
        assert 0.999 * bound < np.abs(w).max() <= bound
        assert w.var() == pytest.approx(variance, rel=0.01)


def test_L20_relu_needs_hes_factor_of_two():
    """30 layers of 200 ReLUs: with Glorot's rule 2^-30, with He's about 1, forwards and backwards."""
    a = np.random.default_rng(20).normal(size=400_000)
    assert (scratch.relu(a) ** 2).mean() == pytest.approx(0.5, rel=0.01)
    ends = {
        rule: [random_stack("ReLU", rule, [200] * 31, seed) for seed in range(3)]
        for rule in (scratch.glorot_normal, scratch.he_normal)
    }
    for rule, factor in ((scratch.glorot_normal, 0.5), (scratch.he_normal, 1.0)):
        for forward, backward in ends[rule]:
            assert (forward[-1] / forward[0]) ** (1 / 29) == pytest.approx(factor, rel=0.08)
            assert (backward[0] / backward[-1]) ** (1 / 29) == pytest.approx(factor, rel=0.08)


def test_L21_batch_norm_scales_too_and_its_gradient_goes_through_the_statistics():
    """Slide 25: "centers the activations", "undo those transformations when backpropagating". It scales as well; and
    neither the direct path alone nor a multiplication by the standard deviation is the gradient: three paths together
    are. What they leave has no component along a shift or a stretch of the batch. gamma and beta are learned."""
    import torch

    rng = np.random.default_rng(21)
    x, dy = rng.normal(3, 2, size=(8, 5)), rng.normal(size=(8, 5))
    one, zero = np.ones(5), np.zeros(5)
    y = scratch.batch_norm(x, one, zero, eps=0)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(0), 1)

    def error(dx):
        return scratch.gradient_check(lambda x: scratch.batch_norm(x, one, zero), x, dy, dx)

    direct, through_mean, through_var = scratch.batch_norm_paths(dy, x, one, zero)
    assert error(direct + through_mean + through_var) < 1e-7
    undone = dy * x.std(0)
    for wrong in (direct, direct + through_mean, direct + through_var, undone):
        assert error(wrong) > 0.05
    dx = scratch.batch_norm_backward(dy, x, one, zero, eps=0)[0]
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((dx * y).sum(0), 0, atol=1e-12)

    layer = torch.nn.BatchNorm1d(5)
    layer(torch.randn(8, 5)).square().sum().backward()
    assert {name for name, values in layer.named_parameters() if values.grad is not None} == {"weight", "bias"}
    assert not (layer.running_mean.requires_grad or layer.running_var.requires_grad)


def test_L22_at_test_time_moving_averages_stand_in_for_the_minibatch():
    """They approach the data's mean and variance, at a pace set by the momentum alone, and with them an image's output
    no longer depends on the images beside it. (The slide dates Ioffe & Szegedy 2015 to '14.)"""
    rng = np.random.default_rng(22)
    data = rng.normal(3, 2, size=(400, 32, 6))  # 400 batches of 32
    one, zero = np.ones(6), np.zeros(6)
    after = {}
    for momentum in (0.1, 0.001):
        mean, var = zero, one
        for x in data:
            mean, var = scratch.update_running(mean, var, x, momentum=momentum)
        after[momentum] = mean, var
    np.testing.assert_allclose(after[0.1][0], 3, atol=0.4)
    np.testing.assert_allclose(after[0.1][1], 4, rtol=0.3)
    np.testing.assert_allclose(after[0.001][0], 3 * (1 - 0.999**400), rtol=0.05)  # two thirds of it are still the start

    x, (mean, var) = data[0], after[0.1]
    together = scratch.batch_norm(x, one, zero, mean=mean, var=var)
    np.testing.assert_allclose(together[:1], scratch.batch_norm(x[:1], one, zero, mean=mean, var=var))
    assert not np.allclose(scratch.batch_norm(x, one, zero)[:16], scratch.batch_norm(x[:16], one, zero), atol=0.01)
    with pytest.raises(ValueError, match="at least two"):
        scratch.batch_norm(x[:1], one, zero)


def test_L23_batch_norm_converges_much_faster_but_parameter_values_are_important():
    """Ioffe & Szegedy's three layers of 100 sigmoids, on digits, three seeds: small weights learn nothing in 150 steps
    without batch norm, at none of three rates, and to above 85% with it; and it fails at a rate that is too large, and
    at batches of two."""
    from itertools import pairwise

    import torch
    from torch import nn

    from course_utils import datasets

    pixels, labels = {}, {}
    for split in ("train", "validation"):
        dataset = datasets.load("digits", split)
        pixels[split], labels[split] = dataset.images[:, 0, ::4, ::4].flatten(1) / 255, dataset.labels

    def accuracy(norm, rate, batch, seed, deviation=0.1):
        generator, layers = torch.Generator().manual_seed(seed), []
        for size in pairwise([64, 100, 100, 100]):
            layers += [nn.Linear(*size), *([nn.BatchNorm1d(100)] if norm else []), nn.Sigmoid()]
        net = nn.Sequential(*layers, nn.Linear(100, 10))
        for layer in net:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=deviation, generator=generator)
                nn.init.zeros_(layer.bias)
        for _ in range(150):
            chosen = torch.randint(len(labels["train"]), (batch,), generator=generator)
            loss = nn.functional.cross_entropy(net(pixels["train"][chosen]), labels["train"][chosen])
            gradients = torch.autograd.grad(loss, list(net.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                    parameter -= rate * gradient
        net.eval()
        with torch.no_grad():
            return (net(pixels["validation"]).argmax(1) == labels["validation"]).double().mean().item()

    for seed in range(3):
        assert all(accuracy(norm=False, rate=rate, batch=60, seed=seed) < 0.3 for rate in (0.5, 2, 8))
        assert accuracy(norm=True, rate=0.5, batch=60, seed=seed) > 0.85
        assert accuracy(norm=True, rate=100, batch=60, seed=seed) < 0.5
        assert accuracy(norm=True, rate=0.5, batch=2, seed=seed) < 0.6
    # and what it is compared with is important, too: larger weights alone train the plain network
    assert min(accuracy(norm=False, rate=1, batch=60, seed=seed, deviation=0.4) for seed in range(3)) > 0.7


def all_masks(n, p):
    """All masks of n units, and the probability of each if a unit is switched off with probability p."""
    masks = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    return masks, np.where(masks, 1 - p, p).prod(axis=1)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_L24_dropout_averages_exponentially_many_subnetworks(p):
    """2^n subnetworks, counted out: one scaled pass is their mean where the output is linear in the mask, the
    normalized geometric mean for one softmax layer, and neither with a ReLU after the mask."""
    rng = np.random.default_rng(24)
    masks, chances = all_masks(8, p)
    assert len(np.unique(masks, axis=0)) == 2**8 and chances.sum() == pytest.approx(1)
    h, w, b = scratch.relu(rng.normal(size=8)), rng.normal(size=(8, 3)), rng.normal(size=3)
    logits = scratch.dropout(np.tile(h, (len(masks), 1)), masks, p) @ w + b
    np.testing.assert_allclose(chances @ logits, h @ w + b, atol=1e-12)
    geometric = np.exp(chances @ scratch.log_softmax(logits))
    np.testing.assert_allclose(geometric / geometric.sum(), scratch.softmax(h @ w + b), atol=1e-12)
    assert np.abs(chances @ scratch.softmax(logits) - scratch.softmax(h @ w + b)).max() > 0.01
    centred = logits - (h @ w + b)  # one pass gives 0, and relu(0) = 0; the mean over the subnetworks is larger
    assert (chances @ scratch.relu(centred) > 0.1).all()


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_L24_a_mask_for_each_minibatch_and_one_for_each_example_differ_in_variance_only(p):
    """Slide: a new subnetwork each minibatch; paper: each example. All masks counted out: the mean gradient is the
    same, the variance of a shared mask does not fall with the size of the minibatch."""
    rng = np.random.default_rng(24)
    masks, chances = all_masks(4, p)
    x, t, w = rng.normal(size=(200, 4)), rng.normal(size=200), rng.normal(size=4)
    y = scratch.dropout(np.repeat(x[:, None], len(masks), 1), masks, p)  # examples x masks x units
    gradients = (y @ w - t[:, None])[..., None] * y  # of the squared error, halved
    means = np.einsum("m,bmu->bu", chances, gradients)
    shared = gradients.mean(axis=0)  # one mask for all examples
    np.testing.assert_allclose(chances @ shared, means.mean(axis=0), atol=1e-12)
    own = np.einsum("m,bmu->bu", chances, (gradients - means[:, None]) ** 2).sum(axis=0) / 200**2
    assert (chances @ (shared - means.mean(axis=0)) ** 2).sum() > 10 * own.sum()


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_L25_test_time_scales_by_the_probability_of_being_kept(p):
    """Erratum: the slide multiplies by the probability of being set to zero. Right: of being kept; equal at 1/2 only.
    Frameworks divide by it in training and do nothing at test time."""
    rng = np.random.default_rng(25)
    masks, chances = all_masks(10, p)
    h, w = scratch.relu(rng.normal(size=10)), rng.uniform(0.5, 1.5, size=10)
    in_training = chances @ (masks * h) @ w
    assert in_training == pytest.approx((1 - p) * h @ w)
    assert (in_training == pytest.approx(p * h @ w)) == (p == 0.5)
    assert in_training / (p * h @ w) == pytest.approx((1 - p) / p)
    inverted = scratch.dropout(np.tile(h, (len(masks), 1)), masks, p)
    assert chances @ inverted @ w == pytest.approx(h @ w)
    np.testing.assert_allclose(chances @ (inverted - h) ** 2, h**2 * p / (1 - p), atol=1e-12)
