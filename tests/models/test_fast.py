"""The network of the fast recipe: sizes, whitening first layer, identity-like start, what is trained, options."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.models import fast
from course_utils.models.fast import fast_cnn


def correlated(count, channels=3):
    """Images whose neighbouring pixels and channels have much in common, as in photographs."""
    torch.manual_seed(0)
    rough = torch.randn(count, channels + 1, 35, 35)
    smooth = F.avg_pool2d(rough, 4, stride=1)
    return 3 * (smooth[:, 1:] + 2 * smooth[:, :1])  # 32 x 32


def outputs_covariance(model, images):
    """The covariance of the first half of the first layer's outputs, over all places of all images."""
    with torch.no_grad():
        outputs = F.conv2d(images, model.first.weight).transpose(0, 1).flatten(1).double()
    return torch.cov(outputs[: len(outputs) // 2])


def trained(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_parameters():
    model = fast_cnn()
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    biases = 24 + 2 * (64 + 256 + 256)
    assert trained(model) == convolutions + biases + 256 * 10 == 1_971_352
    assert trained(fast_cnn(whiten=False)) == 1_971_352 + 24 * 3 * 2 * 2


def test_sizes_and_order():
    model = fast_cnn().eval()
    x, found = torch.zeros(1, 3, 32, 32), []
    with torch.no_grad():
        for layer in (model.first, model.block1, model.block2, model.block3):
            x = layer(x)
            found.append(tuple(x.shape[1:]))
    assert model.input_size == 32
    assert found == [(24, 31, 31), (64, 15, 15), (256, 7, 7), (256, 3, 3)]
    names = [type(layer).__name__ for layer in model.block2]
    assert names == ["Conv2d", "MaxPool2d", "BatchNorm2d", "GELU", "Conv2d", "BatchNorm2d", "GELU"]


def test_what_is_done_between_the_layers():
    torch.manual_seed(0)
    model, images = fast_cnn(width=8).eval(), correlated(3)
    maps = model.block3(model.block2(model.block1(F.gelu(model.first(images)))))
    torch.testing.assert_close(model(images), model.output(maps.amax((2, 3))) / 9)


def test_norms_learn_a_shift_and_follow_quickly():
    norms = [layer for layer in fast_cnn().modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 6
    for norm in norms:
        assert norm.bias.requires_grad and not norm.weight.requires_grad
        assert norm.weight.eq(1).all() and norm.momentum == pytest.approx(0.4)


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_are_uncorrelated(channels):
    images, model = correlated(100, channels), fast_cnn(in_channels=channels)
    before = outputs_covariance(model, images)
    model.prepare(images.contiguous(memory_format=torch.channels_last))
    assert model.first.weight.shape == (2 * 4 * channels, channels, 2, 2)
    after, patches = outputs_covariance(model, images), F.unfold(images, 2).transpose(0, 1).flatten(1)
    eigenvalues = torch.linalg.eigvalsh(torch.cov(patches.double()))
    # A direction of variance v comes out with v / (v + eps), all but 1; and no two have anything in common.
    torch.testing.assert_close(after, torch.diag(eigenvalues / (eigenvalues + fast.EPS)), atol=1e-3, rtol=0)
    assert eigenvalues.min() > 50 * fast.EPS
    assert (after - torch.eye(4 * channels)).abs().max() < 0.02 < (before - torch.eye(4 * channels)).abs().max()


def test_eps_keeps_what_never_varies_finite():
    grey = correlated(20, 1).expand(-1, 3, -1, -1)  # three equal channels: 8 of 12 directions have no variance
    model = fast_cnn()
    model.prepare(grey)
    assert model.first.weight.isfinite().all()
    assert model.first.weight.abs().max() <= 1.001 / fast.EPS**0.5


def test_the_second_half_is_the_negative_of_the_first():
    model = fast_cnn()
    model.prepare(correlated(20))
    first, second = model.first.weight.chunk(2)
    assert torch.equal(first, -second)


def test_what_is_trained_of_the_first_layer():
    model = fast_cnn()
    model.prepare(correlated(20))
    model(correlated(8)).square().sum().backward()
    assert model.first.weight.grad is None
    assert model.first.bias.grad.abs().sum() > 0


def test_without_whitening_preparation_changes_nothing():
    model = fast_cnn(whiten=False)
    before = model.first.weight.clone()
    model.prepare(correlated(20))
    assert torch.equal(model.first.weight, before)
    model(correlated(8)).square().sum().backward()
    assert model.first.weight.grad.abs().sum() > 0


def test_preparation_draws_nothing_and_repeats():
    torch.manual_seed(1)
    model, state = fast_cnn(), torch.get_rng_state()
    images = correlated(20)
    torch.set_rng_state(state)
    model.prepare(images)
    once = model.first.weight.clone()
    model.prepare(images)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model.first.weight, once)


def test_identity_start_passes_maps_on_unchanged():
    model = fast_cnn(width=8)
    for block in (model.block1, model.block2, model.block3):
        for conv in (block[0], block[4]):
            maps = torch.randn(1, conv.in_channels, 6, 6)
            kept = min(conv.in_channels, conv.out_channels)
            assert torch.equal(conv(maps)[:, :kept], maps[:, :kept])
    rest = fast_cnn().block1[0].weight[24:]  # as torch draws them: uniform in +-1 / sqrt(n_in)
    assert rest.abs().max() <= (9 * 24) ** -0.5
    assert rest.std().item() == pytest.approx((3 * 9 * 24) ** -0.5, rel=0.02)


def test_without_identity_start_all_filters_are_drawn():
    weight = fast_cnn(identity=False).block2[4].weight
    assert weight.std().item() == pytest.approx((3 * 9 * 256) ** -0.5, rel=0.02)


def test_output_scale():
    torch.manual_seed(0)
    model, images = fast_cnn().eval(), correlated(2)
    ninth = model(images)
    model.output_scale = 1.0
    torch.testing.assert_close(9 * ninth, model(images))
    assert fast_cnn(output_scale=1).output_scale == 1


def test_other_channels_classes_and_width():
    torch.manual_seed(0)
    model = fast_cnn(num_classes=4, in_channels=1, width=16)
    model.prepare(correlated(10, 1))
    outputs = model(correlated(4, 1))
    assert outputs.shape == (4, 4)
    outputs.square().sum().backward()
    missing = [name for name, p in model.named_parameters() if p.requires_grad and not p.grad.abs().sum() > 0]
    assert missing == []


@pytest.mark.parametrize("method", ["forward", "prepare"])
@pytest.mark.parametrize("shape", [(2, 3, 31, 31), (2, 1, 32, 32), (3, 32, 32)])
def test_images_that_are_refused(method, shape):
    came = " x ".join(map(str, shape))
    with pytest.raises(ValueError, match=f"the images are {came}; fast_cnn takes N x 3 x 32 x 32$"):
        getattr(fast_cnn(width=4), method)(torch.zeros(shape))


@pytest.mark.parametrize("options", [{"width": 0}, {"output_scale": 0.0}, {"output_scale": float("nan")}])
def test_options_that_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is {options[name]!r}; expected"):
        fast_cnn(**options)
