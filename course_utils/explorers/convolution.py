"""The explorer of chapter 06, a window over an image: it runs in the page, and here is what it starts from."""

import base64
from pathlib import Path

import numpy as np

from course_utils.arithmetic import output_size, reads
from course_utils.datasets import CREDITS
from course_utils.explorers.frame import Explorer, page
from course_utils.figures.convolution import window
from course_utils.scratch import conv2d

FLOWER = Path(__file__).with_name("flower.png")  # 320 x 320 pixels of scikit-learn's photograph, means of 10 x 10
BIAS = 1
BOUNDS = {"kernel_size": (1, 5), "stride": (1, 5), "padding": (0, 4), "dilation": (1, 4)}
SIZES = {"photograph": (3, 32), "numbers": (3, 12)}
OPENING = {"photograph": 32, "numbers": 7}  # the size when an image is chosen
WHITE = {"photograph": 255, "numbers": 9}
KERNELS = ("edges", "blur", "sharpen")
REFUSALS = {  # of a size of the kernel
    "edges": "Edges are differences of neighbours, so their kernel needs a size of at least 2.",
    "sharpen": "Sharpening needs a weight in the middle, so its kernel needs an odd size.",
}


def _images():
    """The images by name, 4 x side x side: red, green, blue, and one for all three; whole numbers from 0 on."""
    from PIL import Image

    flower = np.asarray(Image.open(FLOWER).convert("RGB"), float).transpose(2, 0, 1)
    centres = ((4, 4), (4, 6), (6, 5), (5, 5))
    ripples = [4.5 + 4.5 * np.cos(1.5 * np.hypot(*(np.mgrid[:12, :12].T - centre).T)) for centre in centres]
    return {"photograph": np.rint([*flower, flower.mean(0)]), "numbers": np.rint(ripples)}


def _kernel(name, size):
    """The weights of a kernel, size x size; None for a size that it does not have."""
    weights = np.zeros((size, size))
    if name == "blur":
        return np.full_like(weights, 1 / size**2)
    if name == "edges":
        weights[:, 0], weights[:, -1] = -1, 1
        return weights if size > 1 else None
    middle = size // 2
    weights[middle] = weights[:, middle] = -1
    weights[middle, middle] = 2 * size - 1  # so that all weights add up to 1
    return weights if size % 2 else None


def draw_convolution(image, channels, kernel, size, kernel_size, stride, padding, dilation, position):
    """SVG: one output of a convolution, at `position` (row, column), with its window, its products and their sums.

    Raises ValueError for what the explorer does not have, for a window that does not fit, for a position out of range.
    """
    setting = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    _demand("image", image, tuple(SIZES))
    _demand("channels", channels, (1, 3))
    _demand("kernel", kernel, KERNELS)
    for name, value in (("size", size), *setting.items()):
        low, high = SIZES[image] if name == "size" else BOUNDS[name]
        _demand(name, value, range(low, high + 1))
    count, weight = output_size(size, **setting), _kernel(kernel, kernel_size)
    if weight is None:
        raise ValueError(REFUSALS[kernel])
    for place in position:
        _demand("position", place, range(count))
    x, photograph = _padded(image, channels, size, padding), image == "photograph"
    weight = np.stack([weight] * channels)
    y = conv2d(x[None], weight[None], np.array([BIAS]), stride=stride, dilation=dilation)[0, 0]
    starts = [[place + padding for place in reads(i, **setting)] for i in range(count)]
    row, column = (starts[place] for place in position)
    unread = set(range(size + 2 * padding)).difference(*starts)
    note = f"size: ⌊({size} + 2 · {padding} − {dilation * (kernel_size - 1) + 1}) / {stride}⌋ + 1 = {count}"
    more = {"photograph": photograph, "note": note, "source": CREDITS["flower"] if photograph else ""}
    return window(x, weight, BIAS, y, position, row, column, padding=padding, unread=unread, **more)


def _padded(image, channels, size, padding):
    """The middle of an image, channels x size x size, with zeros around it."""
    planes = _images()[image]
    first = (planes.shape[1] - size) // 2
    x = (planes[3:] if channels == 1 else planes[:3])[:, first : first + size, first : first + size]
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding)))


def _demand(name, value, known):
    """Raise ValueError, by name, for a value that is not among the known ones."""
    if value not in known:
        expected = f"{known[0]} to {known[-1]}" if isinstance(known, range) else " or ".join(map(str, known))
        raise ValueError(f"{name} is {value!r}; expected {expected}")


def explore_convolution(
    image="numbers", channels=1, kernel="edges", size=7, kernel_size=3, stride=1, padding=0, dilation=1, position=(1, 1)
):
    """The explorer, in the page: point at an output, or at a pixel; choose image and kernel, or turn its weights.

    image: photograph or numbers; channels: 1 or 3; kernel: edges, blur or sharpen; position: the output to begin at.
    Raises ValueError as `draw_convolution` does.
    """
    start = {"image": image, "channels": channels, "kernel": kernel, "size": size, "kernel_size": kernel_size}
    start |= {"stride": stride, "padding": padding, "dilation": dilation}
    figure = draw_convolution(**start, position=position)
    alt = (
        f"An image of {size} by {size} pixels, padded by {padding}, channels: {channels}. On it a window of "
        f"{kernel_size} by {kernel_size}; beside it the products of its pixels and the weights; and the output, in "
        f"which their sum is the value at row {position[0]} and column {position[1]}."
    )
    return Explorer(page("convolution.js", _data(start | {"output": position, "bias": BIAS})), figure, alt)


def _data(start):
    """What the page needs: images as bytes, kernels by name and size, and the bounds of what can be chosen."""
    images, kernels = {}, {}
    for name, planes in _images().items():
        texts = [base64.b64encode(plane.astype(np.uint8).tobytes()).decode() for plane in planes]
        images[name] = {"planes": texts, "side": planes.shape[1], "white": WHITE[name]}
        images[name] |= {"sizes": SIZES[name], "size": OPENING[name]}
    for name in KERNELS:
        weights = {size: _kernel(name, size) for size in range(1, BOUNDS["kernel_size"][1] + 1)}
        kernels[name] = {size: weight.tolist() for size, weight in weights.items() if weight is not None}
    given = {"start": start, "images": images, "kernels": kernels, "bounds": BOUNDS}
    return given | {"refusals": REFUSALS, "credit": CREDITS["flower"]}
