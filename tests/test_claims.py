"""The lecture's claims, one test each, named by the id that the chapters give it: test_L34_what_it_says.

To add one: keep the order of the ids, compute the claim from `course_utils` (never from numbers copied out of a
notebook), say in the docstring what the slide says and, for an erratum, what is right; an erratum asserts both, that
the printed form fails and that the right one holds.
"""

import numpy as np
import pytest

from course_utils.arithmetic import conv_parameters, output_size, same_padding, unused
from course_utils.scratch import conv2d, conv2d_backward


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
