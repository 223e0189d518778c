"""The checks of chapter 06: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
from checks import accepts, check_is_sound, refuses

from course_utils.exercises.checks import ex06
from course_utils.exercises.checks.ex06 import design, field, input_sizes, prediction, unread
from course_utils.exercises.exercise import review, trials


@pytest.mark.parametrize("exercise_id", ex06.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda n, k, s, p, d: input_sizes(n, k, s, p, 1), "forgets the dilation"),
        (lambda n, k, s, p, d: tuple(size + p for size in input_sizes(n, k, s, p, d)), "pads once"),
        (lambda n, k, s, p, d: input_sizes(n, k, s, p, d)[::-1], "wrong order"),
        (lambda n, k, s, p, d: (input_sizes(n, k, s, p, d)[0],) * 2, "How much wider"),
        (lambda n, k, s, p, d: (input_sizes(n, k, s, p, d)[0], input_sizes(n, k, s, p, d)[0] + s), "How much wider"),
        (lambda n, k, s, p, d: input_sizes(n, k, s, p, d)[0], "a whole number where a tuple"),
        (lambda n, k, s, p, d: tuple(size / 1 for size in input_sizes(n, k, s, p, d)), "Use // for division"),
        (lambda n, k, s, p, d: (n * s + d * (k - 1) + 1 - 2 * p,) * 2, "one step too many"),
        (lambda n, k, s, p, d: tuple(size + 2 * p for size in input_sizes(n, k, s, p, d)), "forgets the padding"),
        (lambda n, k, s, p, d: tuple(size - s + 1 for size in input_sizes(n, k, s, p, d)), "smallest size for the"),
        (lambda n, k, s, p, d: list(input_sizes(n, k, s, p, d)[::-1]), "wrong order"),
        (lambda n, k, s, p, d: ((n - 1) * s + k * d - 2 * p, n * s + k * d - 2 * p - 1), "wider than it is"),
        (lambda n, k, s, p, d: (n * s, n * s + s - 1), "output size times stride"),
        (lambda n, k, s, p, d: (n * s - 10**6,) * 2, "not right yet"),
        (lambda n, k, s, p, d: (input_sizes(n, k, s, p, d)[1],) * 2, "largest size right"),
        (lambda n, k, s, p: input_sizes(n, k, s, p, 1), "does not take the inputs"),
    ],
)
def test_input_sizes(wrong, says):
    refuses("06-1", wrong, says)


def test_mistakes_are_told_apart():
    """No drawn layer lets one mistake look like another: a forgotten padding like a step too many, and so on."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        inputs, (layers,) = ex06.draw_input_sizes(rng), ex06.draw_layers(rng)
        _, kernel_size, _, padding, dilation = inputs
        assert 2 * padding <= dilation * (kernel_size - 1)
        smallest, _ = input_sizes(*inputs)
        for right, wrong in ((smallest, ex06._wrong_smallest(*inputs)), (field(layers), ex06._wrong_fields(layers))):
            shown = [value for value in wrong.values() if value != right]
            assert len(shown) == len(set(shown))


@pytest.mark.parametrize("value", [[[1]], [None], [{}], [0.5], [np.zeros(2)]])
def test_pixels_are_whole_numbers_also_where_none_is_unread(value):
    exercise = ex06.EXERCISES["06-4"]
    inputs = next(inputs for inputs in trials(exercise, 1) if not unread(*inputs))
    assert "no whole number" in review(exercise, inputs, {"value": value, "changed": False})


def predicted(layer=None, shape=None, parameters=5, multiply_adds=4):
    shapes = [(16, 31, 31), (32, 27, 27), (64, 14, 14), (64, 13, 13), (10, 1, 1)]
    if layer:
        shapes[layer - 1] = shape
    return lambda: (tuple(shapes), parameters, multiply_adds)


def test_prediction_is_what_torch_computes():
    torch = pytest.importorskip("torch")
    x, shapes, layers = torch.zeros(1, *ex06.IMAGE), [], []
    for out, kernel, stride, padding, dilation in ex06.STACK:
        layers.append(torch.nn.Conv2d(x.shape[1], out, kernel, stride, padding, dilation))
        x = layers[-1](x)
        shapes.append(tuple(x.shape[1:]))
    parameters = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    multiply_adds = [layer.weight.numel() * shape[1] * shape[2] for layer, shape in zip(layers, shapes, strict=True)]
    assert prediction() == (tuple(shapes), 1 + np.argmax(parameters), 1 + np.argmax(multiply_adds))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (predicted(1, (16, 32, 32)), "round down"),
        (predicted(2, (32, 31, 31)), "dilated window"),
        (predicted(3, (64, 27, 27)), "has a stride"),
        (predicted(4, (64, 14, 14)), "is even"),
        (predicted(5, (10, 13, 13)), "as large as"),
        (predicted(1, (31, 31, 16)), "channels last"),
        (predicted(5, (1, 1, 10)), "channels last"),
        (predicted(1, (16, 31, 30)), "shape that is not right"),
        (predicted(1, (3, 31, 31)), "as many as it has filters"),
        (predicted(parameters=4, multiply_adds=3), "counts layers from 0"),
        (lambda: (tuple(np.array(shape) for shape in prediction()[0]), 5, 4), "it returns a NumPy array where a tuple"),
        (lambda: (np.array(prediction()[0]), 5, 4), "it returns a NumPy array where a tuple"),
        (predicted(parameters=4), "most parameters"),
        (predicted(multiply_adds=1), "multiply-adds"),
        (predicted(multiply_adds=5), "multiply-adds"),
        (lambda: prediction()[0], "wrong length"),
        (lambda: (prediction()[0][:4], 5, 4), "wrong length"),
    ],
)
def test_prediction(wrong, says):
    refuses("06-2", wrong, says)


def test_prediction_accepts_the_shapes_of_torch():
    torch = pytest.importorskip("torch")
    accepts("06-2", lambda: (tuple(torch.Size(shape) for shape in prediction()[0]), 5, 4))


def jump_too_early(layers):
    size = jump = 1
    for kernel, stride, dilation in layers:
        jump *= stride
        size += (kernel - 1) * dilation * jump
    return size


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (ex06.walked_forwards, "still has the bug"),
        (lambda layers: field([(k, s, 1) for k, s, _ in layers]), "forgets the dilation"),
        (lambda layers: field([(k, 1, d) for k, _, d in layers]), "forgets the strides"),
        (jump_too_early, "its own layer"),
        (lambda layers: field([(k * d, s, 1) for k, s, d in layers]), "wider than it is"),
        (lambda layers: field([(k + 1, s, d) for k, s, d in layers]), "not right yet"),
        (lambda layers: float(field(layers)), "int"),
        (lambda layers: field(layers[::-1]), "still has the bug"),
        (lambda layers: (field(layers), layers.reverse())[0], "changes its inputs"),
    ],
)
def test_field(wrong, says):
    refuses("06-3", wrong, says)


def test_field_accepts_other_ways():
    def forwards(layers):
        size = jump = 1
        for kernel, stride, dilation in layers:
            size += (kernel - 1) * dilation * jump
            jump *= stride
        return np.int64(size)

    accepts("06-3", forwards)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda size, layers: [], "misses a pixel"),
        (lambda size, layers: unread(size, layers[:1]), "pixel"),
        (lambda size, layers: unread(size, [(k, s, p, 1) for k, s, p, _ in layers]), "pixel"),
        (lambda size, layers: unread(size, [(k, s, 0, d) for k, s, _, d in layers]), "pixel"),
        (lambda size, layers: [i for i in range(size) if i not in unread(size, layers)], "the others"),
        (lambda size, layers: unread(size, layers)[::-1], "ascending"),
        (lambda size, layers: len(unread(size, layers)), "where a list"),
        (lambda size, layers: np.array(unread(size, layers)), "a NumPy array where a list"),
        (lambda size, layers: unread(size, layers)[1:], "misses a pixel"),
        (
            lambda size, layers: [
                i for i in unread(size, layers) if all(j in unread(size, layers) for j in range(i, size))
            ],
            ("at the end", "misses a pixel"),
        ),
        (lambda size, layers: [i + layers[0][2] for i in unread(size, layers)], "too high a number"),
        (lambda size, layers: [i + 1 for i in unread(size, layers)], "too high a number"),
        (lambda size, layers: [float(i) for i in unread(size, layers)], "int() elsewhere"),
    ],
)
def test_unread(wrong, says):
    refuses("06-4", wrong, says)


def with_holes(field):
    layers, reached = [], 1
    while reached < field:
        dilation = min(2 * reached, (field - reached) // 2)
        layers.append((3, dilation))
        reached += 2 * dilation
    return layers


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda field: [(field, 1)], "fewer weights"),
        (lambda field: [(3, 1)] * (field // 2), "fewer weights"),
        (lambda field: [(3, field // 2)], "never read"),
        (with_holes, "never read"),
        (lambda field: [(3, 3**i) for i in range(len(design(field)))], "too large"),
        (lambda field: design(field)[:-1], "too small"),
        (lambda field: [(2, 1)] * (field - 1), "even"),
        (lambda field: [(3, 1), (3, 0)], "below one"),
        (lambda field: [layer[::-1] for layer in design(field)], "the wrong way round"),
        (lambda field: [(1, 1)] * 10**4, "more layers"),
        (lambda field: [(10**9 + 1, 1)], "too large"),
        (lambda field: [3] * (field // 2), "does not fit"),
        (lambda field: [(3, 1, 1)], "wrong length"),
    ],
)
def test_design(wrong, says):
    refuses("06-5", wrong, says)


def test_design_accepts_any_order_and_other_dilations():
    accepts("06-5", lambda field: design(field)[::-1])

    def shrunk_first(field):  # a smaller dilation in the first place where there is room for it
        layers = [list(layer) for layer in design(field)]
        return tuple(tuple(layer) for layer in sorted(layers, key=lambda layer: layer[1]))

    accepts("06-5", shrunk_first)


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
