"""The explorer of chapter 11, a stack of layers against one window: it runs in the page, and here is its start."""

import base64
from pathlib import Path

import numpy as np

from course_utils.arithmetic import conv_multiply_adds, conv_parameters, output_size, receptive_field
from course_utils.explorers.frame import Explorer, page
from course_utils.figures import vggnet

FLOWER = Path(__file__).with_name("flower.png")  # 320 x 320 pixels of scikit-learn's photograph, means of 10 x 10
KERNELS = (1, 3, 5, 7, 11)
BOUNDS = {"layers": (1, 8), "stride": (1, 2), "channels": (3, 9)}  # channels: the exponent of 2
SIZE = 32  # of the picture


def _photograph():
    """The picture, SIZE x SIZE x 4 bytes."""
    from PIL import Image

    return np.asarray(Image.open(FLOWER).convert("RGBA"))


def draw_stacks(kernel_size=3, layers=3, stride=1, channels=6):
    """SVG: the field behind each of so many layers on a photograph, and their cost beside that of a single window.

    stride: of the first layer; channels: every layer reads and gives 2 to this power of maps.
    Raises ValueError for what the explorer does not have.
    """
    if kernel_size not in KERNELS:
        raise ValueError(f"kernel_size is {kernel_size!r}; expected {', '.join(map(str, KERNELS))}")
    for name, value in {"layers": layers, "stride": stride, "channels": channels}.items():
        low, high = BOUNDS[name]
        if value not in range(low, high + 1):
            raise ValueError(f"{name} is {value!r}; expected {low} to {high}")
    strides = [stride] + [1] * (layers - 1)
    sizes = [field.size for field in receptive_field([(kernel_size, s, kernel_size // 2, 1) for s in strides])]
    maps, side = 2**channels, output_size(SIZE, kernel_size, stride, kernel_size // 2)
    costs = []
    for size, count in ((kernel_size, layers), (sizes[-1], 1)):
        weights = count * conv_parameters(maps, maps, size, bias=False)
        costs.append((weights, count * conv_multiply_adds(maps, maps, size, side), count * maps * side**2))
    groups = [(title, *pair) for title, pair in zip(vggnet.COSTS, zip(*costs, strict=True), strict=True)]
    several = f"{layers} layer{'s' * (layers > 1)} of {kernel_size} × {kernel_size}"
    return vggnet.stack(_photograph(), sizes, groups, (several, f"one of {sizes[-1]} × {sizes[-1]}"))


def explore_stacks(kernel_size=3, layers=3, stride=1, channels=6):
    """The explorer, in the page: stack layers, watch the field grow, and compare with one window that sees as much.

    Arguments and errors are those of `draw_stacks`.
    """
    start = {"kernel_size": kernel_size, "layers": layers, "stride": stride, "channels": channels}
    figure = draw_stacks(**start)
    alt = (
        f"A photograph with a frame for the receptive field behind each of {layers} layers of {kernel_size} by "
        f"{kernel_size}. Beside it, bars for weights, multiply-adds and outputs of the stack and of one large window."
    )
    photograph = base64.b64encode(_photograph()[..., :3].tobytes()).decode()
    data = {"start": start, "bounds": BOUNDS, "kernels": KERNELS, "size": SIZE, "photograph": photograph}
    data |= {"frame": [vggnet.LEFT, vggnet.RIGHT, vggnet.ROW, vggnet.SIDE], "titles": vggnet.COSTS}
    return Explorer(page("stacks.js", data | {"colors": vggnet.FRAMES}), figure, alt)
