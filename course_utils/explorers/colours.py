"""The explorer of chapter 10, the colours of a photograph moved: it runs in the page; here is what it starts from."""

import base64

import numpy as np

from course_utils.datasets import CREDITS
from course_utils.explorers.convolution import FLOWER
from course_utils.explorers.frame import Explorer, page
from course_utils.figures import alexnet

AXES = ("components", "channels")
BOUNDS = (-300, 300)  # hundredths
NAMES = {"components": ("first", "second", "third"), "channels": ("red", "green", "blue")}


def _pixels():
    """The photograph, side x side x 3, whole numbers from 0 to 255."""
    from PIL import Image

    return np.asarray(Image.open(FLOWER).convert("RGB"))


def _directions(axes):
    """Of the colours, from 0 to 1: the variances along the axes, and the axes as columns."""
    covariance = np.cov(_pixels().reshape(-1, 3).T / 255)
    if axes == "channels":
        return np.diag(covariance), np.eye(3)
    variances, vectors = np.linalg.eigh(covariance)
    vectors = vectors * np.where(vectors.sum(axis=0) < 0, -1, 1)  # so that the first makes it lighter
    return variances[::-1], vectors[:, ::-1]


def _shift(axes, alphas):
    """What is added to the red, the green and the blue of every pixel."""
    variances, vectors = _directions(axes)
    return vectors @ (np.array(alphas) / 100 * variances)


def _moved(shift):
    """The photograph with its colours moved, and cut at 0 and 255."""
    return np.clip(np.floor(_pixels() + 255 * shift + 0.5), 0, 255).astype(np.uint8)


def _strips(axes):
    """For each axis its words, and colours along it around grey."""
    variances, vectors = _directions(axes)
    shares = 100 * variances / variances.sum()
    steps = np.linspace(-120, 120, 25)
    for name, share, vector in zip(NAMES[axes], shares, vectors.T, strict=True):
        label = f"{name}: {share:.1f}% of the variance, ({', '.join(f'{x:.2f}' for x in vector)})"
        yield label.replace("-", "−"), np.floor(127.5 + steps[:, None] * vector).clip(0, 255).astype(np.uint8)


def draw_colours(axes="components", first=0, second=0, third=0):
    """SVG: a photograph, and the same with α λ p added to all its pixels, for three directions p of variance λ.

    axes: components, the eigenvectors of the covariance of its colours, or channels; first, second, third: α in
    hundredths. Raises ValueError for what the explorer does not have.
    """
    if axes not in AXES:
        raise ValueError(f"axes is {axes!r}; expected {' or '.join(AXES)}")
    for name, value in (("first", first), ("second", second), ("third", third)):
        if value not in range(BOUNDS[0], BOUNDS[1] + 1):
            raise ValueError(f"{name} is {value!r}; expected {BOUNDS[0]} to {BOUNDS[1]}")
    shift = _shift(axes, (first, second, third))
    points = _pixels().reshape(-1, 3)[:, :2] / 255
    head = "every pixel moved alike"
    return alexnet.colours(_pixels(), _moved(shift), list(_strips(axes)), points, shift[:2], head)


def explore_colours(axes="components", first=0, second=0, third=0):
    """The explorer, in the page: move the colours of a photograph along its components, or along red, green and blue.

    Arguments and errors are those of `draw_colours`.
    """
    figure = draw_colours(axes, first, second, third)
    alt = (
        "A photograph of a flower twice, the second time with its colours moved; three strips of colours, one for each "
        "direction; and the pixels as a cloud of points over red and green, before and after."
    )
    directions = {}
    for each in AXES:
        variances, vectors = _directions(each)
        strips = [{"label": label, "colors": colors.tolist()} for label, colors in _strips(each)]
        directions[each] = {"variances": variances.tolist(), "vectors": vectors.T.tolist(), "strips": strips}
    start = {"axes": axes, "first": first, "second": second, "third": third}
    pixels = base64.b64encode(_pixels().tobytes()).decode()
    layout = [alexnet.SIDE, alexnet.TOP, alexnet.LEFT, alexnet.RIGHT, alexnet.STRIP, alexnet.STEP]
    data = {"start": start, "bounds": BOUNDS, "pixels": pixels, "side": len(_pixels()), "directions": directions}
    data |= {"size": [alexnet.WIDTH, alexnet.HEIGHT], "layout": layout, "plot": alexnet.PLOT, "note": alexnet.NOTE}
    return Explorer(page("colours.js", data | {"credit": CREDITS["flower"]}), figure, alt)
