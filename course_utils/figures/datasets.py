"""Pictures of data sets."""

import numpy as np
from matplotlib import pyplot as plt

from course_utils.figures.style import COLORS


def sheet(dataset, per_class=10):
    """Figure: the first `per_class` images of each class of a Dataset, a row a class, its name before it.

    Raises ValueError where a class has fewer images, or `per_class` is less than 1.
    """
    labels = dataset.labels.numpy()
    counts = np.bincount(labels, minlength=len(dataset.classes))
    if not 1 <= per_class <= counts.min():
        raise ValueError(f"per_class is {per_class}; {dataset!r} has 1 to {counts.min()} images of every class")
    channels, height, width = dataset.images.shape[1:]
    gap = 2
    page = np.full((len(counts) * (height + gap) - gap, per_class * (width + gap) - gap, channels), 255, np.uint8)
    for row, column in np.ndindex(len(counts), per_class):
        image = dataset.images[np.flatnonzero(labels == row)[column]].permute(1, 2, 0).numpy()
        top, left = row * (height + gap), column * (width + gap)
        page[top : top + height, left : left + width] = image
    side = max(0.5, height / 100)  # inches: a large image is not made smaller than it is
    figure, axes = plt.subplots(figsize=(1.2 + side * per_class, side * len(counts)), layout="constrained")
    axes.imshow(page.squeeze(), vmin=0, vmax=255, interpolation="nearest")
    axes.set_yticks(np.arange(len(counts)) * (height + gap) + height / 2, dataset.classes, color=COLORS["ink"])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
