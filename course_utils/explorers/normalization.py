"""The explorer of batch normalization: one unit, a small batch, and the paths of its gradient."""

import ipywidgets as widgets
import numpy as np

from course_utils.figures.normalization import batch
from course_utils.scratch import batch_norm, batch_norm_paths

BATCH = (4.0, -3.0, 1.0, -1.0, 2.5, -5.0, 0.5, -2.0)


def draw_batch(x, target=0):
    """SVG: the batch `x` of one unit, normalized, and its gradient if 1 enters at the output of sample `target`.

    Raises ValueError for fewer than two samples, and for a target that is not one of them.
    """
    x = np.asarray(x, float)
    if not 0 <= target < len(x):
        raise ValueError(f"target is {target}; a batch of {len(x)} has samples 0 to {len(x) - 1}")
    column, one, zero = x[:, None], np.ones(1), np.zeros(1)
    paths = [path[:, 0] for path in batch_norm_paths(np.eye(len(x))[:, target, None], column, one, zero)]
    names = ("direct", "through the mean", "through the variance", "sum")
    rows = dict(zip(names, [*paths, sum(paths)], strict=True))
    lengths = {name: float(np.linalg.norm(values)) for name, values in rows.items()}
    return batch(x, batch_norm(column, one, zero)[:, 0], rows, lengths, target)


def explore_batch(count=5):
    """Sliders for sample 1, for the number of samples (2 to 8), and for the sample where the gradient enters."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "130px"}}
    box = widgets.VBox()
    box.value = widgets.FloatSlider(BATCH[0], min=-10, max=10, step=0.25, description="sample 1", **wide)
    box.count = widgets.IntSlider(count, min=2, max=len(BATCH), description="samples", **wide)
    box.target = widgets.IntSlider(1, min=1, max=count, description="gradient enters at", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.target.max = box.count.value
        box.picture.value = draw_batch([box.value.value, *BATCH[1 : box.count.value]], box.target.value - 1)

    for slider in (box.value, box.count, box.target):
        slider.observe(draw, "value")
    draw()
    box.children = [box.value, box.count, box.target, box.picture]
    return box
