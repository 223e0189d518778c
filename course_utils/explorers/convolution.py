"""The explorer of chapter 06: drag size, kernel, stride, padding and dilation; the window walks over the grid."""

import ipywidgets as widgets
import numpy as np

from course_utils.arithmetic import output_size, reads
from course_utils.figures.convolution import message, window
from course_utils.scratch import conv2d

# Small whole numbers, so that the sums can be checked by head.
PIXELS = np.random.default_rng(6).integers(0, 10, (12, 12)).astype(float)
WEIGHTS = np.random.default_rng(7).integers(-2, 3, (5, 5)).astype(float)


def draw_convolution(size, kernel_size, stride, padding, dilation, position):
    """SVG: the window at output number `position` (row by row) with its arithmetic, or why none fits."""
    x, weight = PIXELS[:size, :size], WEIGHTS[:kernel_size, :kernel_size]
    setting = {"stride": stride, "padding": padding, "dilation": dilation}
    extent = dilation * (kernel_size - 1) + 1
    if extent > size + 2 * padding:
        return message(
            "No position fits, so there is no output.",
            f"The window reaches over {dilation} · ({kernel_size} − 1) + 1 = {extent} pixels,",
            f"the padded input has only {size} + 2 · {padding} = {size + 2 * padding}.",
            "Make the input or the padding larger, or the kernel or the dilation smaller.",
        )
    count = output_size(size, kernel_size, **setting)
    row, column = divmod(min(position, count**2 - 1), count)
    y = conv2d(x[None, None], weight[None, None], **setting)[0, 0]
    read = {j for i in range(count) for j in reads(i, kernel_size, **setting)}
    unread = [j for j in range(-padding, size + padding) if j not in read]
    last = size + 2 * padding - extent
    rows, columns = reads(row, kernel_size, **setting), reads(column, kernel_size, **setting)
    notes = [
        f"reads rows {_list(rows)} and columns {_list(columns)}",
        f"extent of the window: {dilation} · ({kernel_size} − 1) + 1 = {extent}",
        f"room to move: {size} + 2 · {padding} − {extent} = {last}",
        f"outputs: ⌊{last} / {stride}⌋ + 1 = {count}",
        f"left over: {last} mod {stride} = {last % stride}",
        f"rows and columns never read, hatched: {_list(unread) if len(unread) < 9 else len(unread)}",
    ]
    return window(x, weight, y, (row, column), rows, columns, padding=padding, unread=(unread, unread), notes=notes)


def _list(numbers):
    return ", ".join(map(str, numbers)).replace("-", "−") or "none"


def explore_convolution(size=7, kernel_size=3, stride=1, padding=0, dilation=1):
    """Sliders for the five numbers and for the position of the window.

    The position can also be played. A combination that does not fit shows a sentence in place of the picture.
    """

    def slider(name, value, low, high):
        return widgets.IntSlider(value, low, high, description=name, layout=widgets.Layout(width="290px"))

    box = widgets.VBox()
    box.size = slider("size", size, 3, 12)
    box.kernel_size = slider("kernel", kernel_size, 1, 5)
    box.stride = slider("stride", stride, 1, 5)
    box.padding = slider("padding", padding, 0, 4)
    box.dilation = slider("dilation", dilation, 1, 4)
    box.position = slider("position", 0, 0, 0)
    box.position.layout.width = "584px"
    box.play = widgets.Play(interval=700, min=0, max=0, show_repeat=False)
    widgets.jslink((box.play, "value"), (box.position, "value"))
    box.picture = widgets.HTML()
    shape = [box.size, box.kernel_size, box.stride, box.padding, box.dilation]

    def redraw(change=None):
        setting = [control.value for control in shape]
        box.picture.value = draw_convolution(*setting, box.position.value)

    def resize(change=None):
        setting = [control.value for control in shape]
        try:
            last = output_size(*setting) ** 2 - 1
        except ValueError:  # no position fits: the picture says why
            last = 0
        box.position.max = box.play.max = last
        redraw()

    for control in shape:
        control.observe(resize, "value")
    box.position.observe(redraw, "value")
    resize()
    box.children = [
        widgets.HBox([box.size, box.kernel_size, box.stride]),
        widgets.HBox([box.padding, box.dilation]),
        widgets.HBox([box.position, box.play]),
        box.picture,
    ]
    return box
