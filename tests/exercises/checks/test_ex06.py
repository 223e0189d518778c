"""The checks of chapter 06: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
import torch
from checks import accepts, check_is_sound, refuses

from course_utils.exercises.checks import ex06
from course_utils.exercises.checks.ex06 import design, field, input_sizes, prediction, unread
from course_utils.exercises.exercise import review, trials


@pytest.mark.parametrize("exercise_id", ex06.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.mark.parametrize("value", [[[1]], [None], [{}], [0.5], [np.zeros(2)]])
def test_pixels_are_whole_numbers_also_where_none_is_unread(value):
    exercise = ex06.EXERCISES["06-4"]
    inputs = next(inputs for inputs in trials(exercise, 1) if not unread(*inputs))
    assert "no whole number" in review(exercise, inputs, {"value": value, "changed": False})


def test_prediction_is_what_torch_computes():
    x, shapes, layers = torch.zeros(1, *ex06.IMAGE), [], []
    for out, kernel, stride, padding, dilation in ex06.STACK:
        layers.append(torch.nn.Conv2d(x.shape[1], out, kernel, stride, padding, dilation))
        x = layers[-1](x)
        shapes.append(tuple(x.shape[1:]))
    parameters = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    multiply_adds = [layer.weight.numel() * shape[1] * shape[2] for layer, shape in zip(layers, shapes, strict=True)]
    assert prediction() == (tuple(shapes), 1 + np.argmax(parameters), 1 + np.argmax(multiply_adds))


def test_other_right_answers():
    def forwards(layers):
        size = jump = 1
        for kernel, stride, dilation in layers:
            size += (kernel - 1) * dilation * jump
            jump *= stride
        return np.int64(size)

    accepts("06-2", lambda: (tuple(torch.Size(shape) for shape in prediction()[0]), 5, 4))
    accepts("06-3", forwards)
    accepts("06-5", lambda field: design(field)[::-1])
    accepts("06-5", lambda field: tuple(sorted(map(list, design(field)), key=lambda layer: layer[1])))


def at_the_end(size, layers):
    right = unread(size, layers)
    return [pixel for pixel in right if set(range(pixel, size)) <= set(right)]


def test_design_needs_no_fewer_weights():
    """Against all stacks of up to four layers, by dynamic programming over the product of the kernels."""
    for wanted in range(3, 82, 2):
        least = {1: 0}  # reach that a product of odd kernels could read without holes: fewest weights
        for product in range(1, 3 * wanted):
            for kernel in range(3, wanted + 1, 2):
                if product in least:
                    weights = least[product] + kernel**2
                    least[product * kernel] = min(least.get(product * kernel, weights), weights)
        enough = min(weights for product, weights in least.items() if product >= wanted)
        assert sum(k * k for k, _ in design(wanted)) == enough


@pytest.mark.parametrize(
    ("exercise_id", "wrong", "says"),
    [
        ("06-1", lambda *inputs: input_sizes(*inputs)[0], "a whole number where a tuple"),
        ("06-1", lambda *inputs: tuple(size / 1 for size in input_sizes(*inputs)), "Use // for division"),
        ("06-1", lambda *inputs: list(input_sizes(*inputs)[::-1]), "wrong order"),
        ("06-1", lambda n, k, s, p, d: (n * s - 10**6,) * 2, "not right yet"),
        ("06-2", lambda: (tuple(np.array(shape) for shape in prediction()[0]), 5, 4), "it returns a NumPy array"),
        ("06-2", lambda: prediction()[0], "wrong length"),
        ("06-2", lambda: (prediction()[0][:4], 5, 4), "wrong length"),
        ("06-3", lambda layers: 2 * field(layers) + 10**6, "not right yet"),
        ("06-3", lambda layers: float(field(layers)), "int"),
        ("06-3", lambda layers: (field(layers), layers.reverse())[0], "changes its inputs"),
        ("06-4", lambda *inputs: [], "misses a pixel"),
        ("06-4", lambda *inputs: unread(*inputs)[::-1], "ascending"),
        ("06-4", lambda *inputs: [*unread(*inputs), inputs[0]], "some output depends"),
        ("06-4", lambda *inputs: len(unread(*inputs)), "where a list"),
        ("06-4", lambda *inputs: np.array(unread(*inputs)), "a NumPy array where a list"),
        ("06-4", at_the_end, ("at the end", "misses a pixel")),
        ("06-4", lambda *inputs: [float(pixel) for pixel in unread(*inputs)], "int() elsewhere"),
        ("06-5", lambda field: [(field, 1)], "fewer weights"),
        ("06-5", lambda field: [(3, 1)] * (field // 2), "fewer weights"),
        ("06-5", lambda field: [(3, field // 2)], "never read"),
        ("06-5", lambda field: [(3, 1), (3, field // 2 - 1)], "never read"),
        ("06-5", lambda field: [(3, 3**i) for i in range(len(design(field)))], "too large"),
        ("06-5", lambda field: design(field)[:-1], "too small"),
        ("06-5", lambda field: [(2, 1)] * (field - 1), "even"),
        ("06-5", lambda field: [(3, 1), (3, 0)], "below one"),
        ("06-5", lambda field: [layer[::-1] for layer in design(field)], "the wrong way round"),
        ("06-5", lambda field: [(1, 1)] * 10**4, "more layers"),
        ("06-5", lambda field: [(10**9 + 1, 1)], "too large"),
        ("06-5", lambda field: [3] * (field // 2), "does not fit"),
        ("06-5", lambda field: [(3, 1, 1)], "wrong length"),
    ],
)
def test_other_mistakes(exercise_id, wrong, says):
    refuses(exercise_id, wrong, says)
