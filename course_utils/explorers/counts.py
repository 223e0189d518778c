"""The explorer of chapter 05, what a layer costs: it runs in the page, and here is what it starts from."""

from course_utils.arithmetic import conv_parameters, output_size
from course_utils.explorers.frame import Explorer, page
from course_utils.figures import counting

BOUNDS = {"side": (8, 1000), "hidden": (1, 7), "field": (1, 31), "filters": (1, 512)}
PRESETS = {  # side of the image, logarithm of the hidden units, side of the receptive field, filters
    "slides 36 to 39": (1000, 6, 10, 100),
    "a photograph of 224 × 224": (224, 6, 7, 64),
    "a digit of 28 × 28": (28, 3, 5, 8),
}
NOTE = "One channel, no biases, float32. No padding: the window stands at (side − field + 1)² places."


def draw_counts(side=1000, hidden=6, field=10, filters=100):
    """SVG: weights and outputs of a layer that is fully connected, locally connected, or a convolution.

    side: of the image, in pixels; hidden: the logarithm of the number of hidden units of the first two; field: the side
    of what a unit reads. Raises ValueError for what the explorer does not have, and for a field larger than the image.
    """
    given = {"side": side, "hidden": hidden, "field": field, "filters": filters}
    for name, value in given.items():
        low, high = BOUNDS[name]
        if value not in range(low, high + 1):
            raise ValueError(f"{name} is {value!r}; expected {low} to {high}")
    places, units = output_size(side, field) ** 2, 10**hidden
    # A fully connected layer is one with windows as large as the image; without sharing, one filter a unit.
    weights = [conv_parameters(1, n, size, bias=False) for n, size in ((units, side), (units, field), (filters, field))]
    learned = [f"{side}² · {units:,}", f"{field}² · {units:,}", f"{field}² · {filters}"]
    kept = [f"{units:,}"] * 2 + [f"{side - field + 1}² · {filters}"]
    outputs = [units, units, places * filters]
    names = ("fully connected", "locally connected", "convolution"), ("red", "orange", "blue")
    groups = [
        ("weights to learn", list(zip(names[0], learned, weights, names[1], strict=True))),
        ("outputs to keep, for one image", list(zip(names[0], kept, outputs, names[1], strict=True))),
    ]
    return counting.counts(groups, NOTE)


def explore_counts(side=1000, hidden=6, field=10, filters=100):
    """The explorer, in the page: choose the slides' example or another, and move the four sizes.

    Arguments and errors are those of `draw_counts`.
    """
    start = {"side": side, "hidden": hidden, "field": field, "filters": filters}
    alt = (
        f"Bars on a logarithmic axis for an image of {side} by {side} pixels. Weights of a fully connected layer, of a "
        f"locally connected one with {field} by {field} pixels a unit, and of {filters} filters; below, their outputs."
    )
    data = {"start": start, "bounds": BOUNDS, "presets": PRESETS, "note": NOTE, "card": counting.CARD}
    data |= {"axis": [counting.LEFT, counting.RIGHT, counting.DECADES], "ticks": list(counting.TICKS.items())}
    data |= {"units": counting.UNITS, "memory": counting.MEMORY}
    return Explorer(page("counts.js", data), draw_counts(**start), alt)
