"""The checks of chapter 08: right answers pass, plausible wrong ones get a sentence that helps."""

import nbformat
import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses
from torch import nn
from torch.nn import functional as F

from course_utils.exercises.checks import ex08
from course_utils.exercises.checks.ex08 import columns, conv1d_backward, input_gradient, network, prediction
from course_utils.exercises.masters import master


@pytest.mark.parametrize("exercise_id", ex08.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


def backward_by_torch(dy, x, weight, stride, padding):
    x, weight, bias = (torch.tensor(a, requires_grad=True) for a in (x, weight, np.zeros(1)))
    F.conv1d(x[None, None], weight[None, None], bias, stride, padding).backward(torch.tensor(dy)[None, None])
    return x.grad.numpy(), weight.grad.numpy(), bias.grad.item()


def unfolded(x, kernel_size, stride):
    return F.unfold(torch.tensor(x)[None], kernel_size, stride=stride)[0].numpy()


def transposed(dy, weight):
    return F.conv_transpose2d(torch.tensor(dy)[None], torch.tensor(weight))[0].numpy()


class Shared(nn.Module):
    def __init__(self, channels, depth, classes):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding="same")
        self.shared = nn.Conv2d(channels, channels, 3, padding="same")
        self.head, self.depth = nn.Linear(channels, classes), depth

    def forward(self, x):
        x = self.stem(x).relu()
        for _ in range(self.depth):
            x = F.relu(self.shared(x))
        return self.head(x.mean(dim=(2, 3)))


class Detached(Shared):
    """The weights are constants where the convolution is used for the second time."""

    def forward(self, x):
        x = self.shared(self.stem(x).relu()).relu()
        for _ in range(self.depth - 1):
            x = F.conv2d(x, self.shared.weight.detach(), self.shared.bias.detach(), padding=1).relu()
        return self.head(x.mean(dim=(2, 3)))


def test_other_right_answers():
    def whole_numbers():
        dweight, dbias, dx = prediction()
        return [int(value) for value in dweight], int(dbias), tuple(map(int, dx))

    accepts("08-1", whole_numbers)
    accepts("08-2", backward_by_torch)
    accepts("08-3", unfolded)
    accepts("08-4", transposed)
    accepts("08-5", lambda *sizes: Shared(*sizes))


def test_the_prediction_is_what_torch_computes():
    dx, dweight, dbias = backward_by_torch(
        np.array(ex08.BACK, float), np.array(ex08.ROW, float), np.array(ex08.KERNEL, float), ex08.STRIDE, 0
    )
    assert prediction() == (dweight.tolist(), dbias, dx.tolist())


def test_the_colleague_is_wrong_and_her_loops_are_right():
    names = {"np": np}
    for cell in nbformat.read(master("08"), as_version=4).cells:
        if cell.id == "08-4-given":
            exec(cell.source, names)
    dy, weight = ex08.draw_maps(np.random.default_rng(4))
    np.testing.assert_allclose(names["by_loops"](dy, weight), input_gradient(dy, weight), atol=1e-12)
    assert not np.allclose(names["gradient_of_a_colleague"](dy, weight), input_gradient(dy, weight))
    refuses("08-4", names["gradient_of_a_colleague"], "still has the bug")


def every_position(dy, x, weight, stride, padding):
    """dweight summed over the padded row at every position, also between the strides."""
    image = np.pad(x, padding)
    spread = np.repeat(dy, stride)[: len(image) - len(weight) + 1]
    dx, _, dbias = conv1d_backward(dy, x, weight, stride, padding)
    return dx, np.array([(spread * image[k : k + len(spread)]).sum() for k in range(len(weight))]), dbias


def overwriting(dy, x, weight, stride, padding):
    image = np.zeros(len(x) + 2 * padding)
    for i in range(len(dy)):
        image[i * stride : i * stride + len(weight)] = dy[i] * weight  # = in place of +=
    return image[padding : padding + len(x)], *conv1d_backward(dy, x, weight, stride, padding)[1:]


def changing(dy, x, weight, stride, padding):
    right = conv1d_backward(dy, x, weight, stride, padding)
    dy *= 2
    return right


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("08-1", lambda: prediction()[:2], "wrong length"),
        ("08-1", lambda: (prediction()[0], 2.0, [0.0] * 7), "weights right, but not yet all others"),
        ("08-1", lambda: ([0.0] * 3, 2.0, prediction()[2]), "not right yet"),
        ("08-1", lambda: (np.array(prediction()[0]), *prediction()[1:]), "it returns a NumPy array"),
        ("08-2", overwriting, "does not add in dx where windows overlap"),
        ("08-2", every_position, ("is not right yet", "stride")),
        ("08-2", changing, "changes its inputs"),
        ("08-2", lambda *inputs: conv1d_backward(*inputs)[:2], "wrong length"),
        ("08-2", lambda *inputs: (*conv1d_backward(*inputs)[:2], inputs[0]), "does not fit"),
        ("08-3", lambda x, k, s: columns(x, k, s)[::-1], "not right yet"),
        ("08-3", lambda x, k, s: columns(x, k, s).reshape(len(x), k * k, -1), "wrong number of axes"),
        ("08-3", lambda x, k, s: columns(x, k, s)[:, 1:], "wrong shape"),
        ("08-4", lambda dy, weight: transposed(dy, weight) / 2, "not right yet"),
        ("08-4", lambda dy, weight: dy, "wrong shape"),
        ("08-5", lambda *sizes: Detached(*sizes), "not the right gradients"),
        ("08-5", lambda *sizes: network(*sizes)[:-1], "has too few parameters"),
        ("08-5", lambda *sizes: nn.Sequential(network(*sizes), nn.LeakyReLU()), "has all its parameters"),
        ("08-5", lambda *sizes: network, "returns something else than a network"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
