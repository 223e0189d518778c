"""What matplotlib's figures share: a curve with its seeds, a logarithmic axis of settings."""

import numpy as np


def seeds(ax, x, values, color, label, style="-", *, log=False):
    """Draw each seed as a thin line and their mean as a thick one; one seed alone is its own mean.

    values: an array x times seeds; style: matplotlib's, of the mean; log: the mean is that of the logarithms.
    """
    values = np.asarray(values)
    if values.shape[1] > 1:
        ax.plot(x, values, color=color, linewidth=0.7, alpha=0.45)
    mean = np.exp(np.log(values).mean(axis=1)) if log else values.mean(axis=1)
    ax.plot(x, mean, style, color=color, markersize=4, label=label)


def log_ticks(ax, values):
    """Make the horizontal axis logarithmic, with a tick at each of the settings `values` and no other."""
    ax.set_xscale("log")
    ax.set_xticks(list(values), [f"{value:g}" for value in values])
    ax.minorticks_off()
