"""The explorer of chapter 07, an image dragged under a grid of windows: it runs in the page; here is its beginning."""

import base64

import numpy as np

from course_utils.datasets import CREDITS
from course_utils.explorers.convolution import FLOWER
from course_utils.explorers.frame import Explorer, page
from course_utils.figures.pooling import under_grid
from course_utils.scratch import avg_pool2d, max_pool2d, max_pool2d_backward

REACH = 4  # how far an image moves each way; so much wider than the grid it is on each side
BOUNDS = (1, 8)  # of kernel size and stride
WHITE = {"photograph": 255, "rings": 255, "numbers": 9}
POOLS = ("max", "average", "one pixel")


def _images():
    """The images by name, squares of whole numbers from 0 to WHITE."""
    from PIL import Image

    flower = np.asarray(Image.open(FLOWER).convert("L"), float)
    row, column = np.mgrid[:32, :32]
    rings = 127.5 + 127.5 * np.cos(np.pi * (row**2 + column**2) / 64)  # at the far end, a period of two pixels
    dots = np.zeros((16, 16))
    for value, *place in ((9, 5, 5), (7, 6, 9), (8, 10, 6), (5, 9, 11), (6, 2, 8), (6, 13, 9), (4, 8, 2), (3, 7, 13)):
        dots[tuple(place)] = value
    return {"photograph": flower, "rings": np.rint(rings), "numbers": dots}


def _pooled(pool, x, kernel_size, stride):
    """The output of a pooling, for an image H x W; "one pixel" keeps the first of each window."""
    if pool == "one pixel":
        last = [n - kernel_size + 1 for n in x.shape]
        return x[: last[0] : stride, : last[1] : stride]
    function = {"max": max_pool2d, "average": avg_pool2d}[pool]
    return function(x[None, None], kernel_size, stride=stride)[0, 0]


def _seen(image, down, right):
    """What lies under the grid when the image has moved."""
    plane = _images()[image]
    return np.roll(plane, (down, right), axis=(0, 1))[REACH:-REACH, REACH:-REACH]


def _taken(pool, x, kernel_size, stride):
    """The pixels that outputs are taken from, H x W; none in particular for an average."""
    taken = np.zeros(x.shape, bool)
    y = _pooled(pool, x, kernel_size, stride)
    if pool == "one pixel":
        taken[: len(y) * stride : stride, : len(y) * stride : stride] = True
    if pool == "max":
        dx = max_pool2d_backward(np.ones((1, 1, *y.shape)), x[None, None], kernel_size, stride=stride)
        taken = dx[0, 0] > 0
    return taken


def draw_pooling(image, pool, kernel_size, stride, down, right):
    """SVG: an image that was moved under a grid of windows, what they keep of it, and what they kept before.

    Raises ValueError for what the explorer does not have.
    """
    for name, value, known in (
        ("image", image, tuple(WHITE)),
        ("pool", pool, POOLS),
        ("kernel_size", kernel_size, range(BOUNDS[0], BOUNDS[1] + 1)),
        ("stride", stride, range(BOUNDS[0], BOUNDS[1] + 1)),
        ("down", down, range(-REACH, REACH + 1)),
        ("right", right, range(-REACH, REACH + 1)),
    ):
        if value not in known:
            expected = f"{known[0]} to {known[-1]}" if isinstance(known, range) else " or ".join(known)
            raise ValueError(f"{name} is {value!r}; expected {expected}")
    x, before = _seen(image, down, right), _pooled(pool, _seen(image, 0, 0), kernel_size, stride)
    windows = kernel_size, stride, _taken(pool, x, kernel_size, stride)
    note = f"moved by {down} down and {right} right".replace("-", "−")
    source = CREDITS["flower"] if image == "photograph" else ""
    return under_grid(x, _pooled(pool, x, kernel_size, stride), before, *windows, WHITE[image], note, source)


def explore_pooling(image="photograph", pool="max", kernel_size=4, stride=4, down=0, right=1):
    """The explorer, in the page: drag the image, and see which outputs change, and by how much.

    image: photograph, rings or numbers; pool: max, average or one pixel (the first of each window). Raises ValueError
    as `draw_pooling` does.
    """
    start = {"image": image, "pool": pool, "kernel_size": kernel_size, "stride": stride, "down": down, "right": right}
    figure = draw_pooling(**start)
    alt = (
        f"An image under a grid of windows of {kernel_size} by {kernel_size} pixels, moved by {down} down and {right} "
        "right. Beside it what the windows keep of it, and what they kept before it moved."
    )
    images = {
        name: {
            "plane": base64.b64encode(plane.astype(np.uint8).tobytes()).decode(),
            "side": len(plane),
            "white": WHITE[name],
        }
        for name, plane in _images().items()
    }
    data = {"start": start | {"output": (1, 1)}, "images": images, "bounds": BOUNDS, "reach": REACH}
    return Explorer(page("pooling.js", data | {"credit": CREDITS["flower"]}), figure, alt)
