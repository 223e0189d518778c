"""The explorer of chapter 08, gradients on their way back through a convolution: it runs in the page."""

from itertools import product

import numpy as np

from course_utils.arithmetic import output_size, reads
from course_utils.explorers.frame import Explorer, page
from course_utils.figures.backpropagation import sheets
from course_utils.figures.convolution import rounded
from course_utils.scratch import conv2d_backward

BOUNDS = {"size": (3, 8), "kernel_size": (1, 4), "stride": (1, 3), "padding": (0, 2), "dilation": (1, 2)}
MOST = output_size(BOUNDS["size"][1], 1, padding=BOUNDS["padding"][1])  # the longest output
PARTS = ("weight", "input", "output")


def _numbers():
    """The image, the kernel and the gradient of the output at their largest: small whole numbers."""
    rng = np.random.default_rng(8)
    shapes = {"x": (BOUNDS["size"][1],) * 2, "weight": (BOUNDS["kernel_size"][1],) * 2, "dy": (MOST, MOST)}
    bounds = {"x": (0, 5), "weight": (-2, 4), "dy": (-2, 3)}
    return {name: rng.integers(*bounds[name], size=shape) for name, shape in shapes.items()}


def _setting(size, kernel_size, stride, padding, dilation):
    """The padded image, weights, gradient of the output, and of both their gradients, that of the padded image whole.

    Raises ValueError for what the explorer does not have, and for a window that does not fit.
    """
    named = {"size": size, "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    for name, value in named.items():
        low, high = BOUNDS[name]
        if value not in range(low, high + 1):
            raise ValueError(f"{name} is {value!r}; expected {low} to {high}")
    numbers, count = _numbers(), output_size(size, kernel_size, stride, padding, dilation)
    first = (len(numbers["x"]) - size) // 2
    x = np.pad(numbers["x"][first : first + size, first : first + size], padding)
    weight, dy = numbers["weight"][:kernel_size, :kernel_size], numbers["dy"][:count, :count]
    arrays = (array[None, None].astype(float) for array in (dy, x, weight))
    dx, dweight, _ = conv2d_backward(*arrays, stride=stride, dilation=dilation)
    return x, weight, dy, dx[0, 0], dweight[0, 0]


def _meetings(at, part, count, setting):
    """Along one axis: (output, weight, place in the padded image) wherever the part with number `at` takes part."""
    _, kernel_size, stride, padding, dilation = setting
    triples = [
        (i, k, j + padding)
        for i in range(count)
        for k, j in enumerate(reads(i, kernel_size, stride, padding, dilation))
    ]
    which, number = {"output": (0, at), "weight": (1, at), "input": (2, at + padding)}[part]
    return [triple for triple in triples if triple[which] == number]


def draw_backward(size, kernel_size, stride, padding, dilation, part, place):
    """SVG: all that is multiplied and added up for the gradient of a weight or a pixel at `place` (row, column).

    part: weight, input, or output, for the part that one output adds to the gradients of all weights.
    Raises ValueError for what the explorer does not have, a window that does not fit, a place out of range.
    """
    setting = size, kernel_size, stride, padding, dilation
    x, weight, dy, dx, dweight = _setting(*setting)
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; expected {' or '.join(PARTS)}")
    first = -padding if part == "input" else 0
    last = {"weight": kernel_size, "input": size + padding, "output": len(dy)}[part] - 1
    if not all(i in range(first, last + 1) for i in place):
        raise ValueError(f"place is {place!r}; expected rows and columns from {first} to {last}")
    left, right = (np.full((dy if part == "weight" else weight).shape, np.nan) for _ in range(2))
    kinds = {name: {} for name in PARTS}
    rows, columns = (_meetings(at, part, len(dy), setting) for at in place)
    for pair in product(rows, columns):
        output, tap, pixel = zip(*pair, strict=True)
        here = output if part == "weight" else tap
        left[here], right[here] = weight[tap] if part == "input" else x[pixel], dy[output]
        kinds["output"][output] = kinds["weight"][tap] = kinds["input"][pixel] = "read"
    reached = {name: dict.fromkeys(kinds[name] if part in (name, "output") else (), "current") for name in PARTS}
    kinds[part][tuple(i - first for i in place)] = "current"
    frame = {at: "padding" for at in np.ndindex(x.shape) if any(i < padding or i >= size + padding for i in at)}
    total = f"gradient of {part} [{place[0]}, {place[1]}]: the sum of the products, {rounded(np.nansum(left * right))}"
    return sheets(
        [
            (f"input, {size} × {size}", x, frame | kinds["input"]),
            ("weights", weight, kinds["weight"]),
            ("gradient of the output", dy, kinds["output"]),
        ],
        [
            ("gradient of the input", dx, frame | reached["input"]),
            ("gradient of the weights", dweight, reached["weight"]),
            ("weights" if part == "input" else "pixels", left, {}),
            "×",
            ("gradients of outputs", right, {}),
            "=",
            ("products", left * right, {}),
        ],
        side=26,
        note="" if part == "output" else total,
    )


def explore_backward(size=7, kernel_size=3, stride=1, padding=0, dilation=1, part="weight", place=(0, 1)):
    """The explorer, in the page: point at a weight, a pixel or an output, and see where gradients come from.

    part: weight, input or output, and place: what is pointed at in the beginning. Raises ValueError as `draw_backward`.
    """
    start = {"size": size, "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    figure = draw_backward(**start, part=part, place=place)
    alt = (
        f"An input of {size} by {size} pixels, a kernel of {kernel_size} by {kernel_size}, the gradient of the output, "
        f"and below them the gradients of input and kernel. Beside these the products whose sum is the gradient of the "
        f"{part} at row {place[0]} and column {place[1]}."
    )
    data = {name: array.tolist() for name, array in _numbers().items()} | {"bounds": BOUNDS}
    start = start | {"part": part, "place": list(place)}
    return Explorer(page("backward.js", data | {"start": start}), figure, alt)
